"""Every file of the five vendors beside the repo has its place, and every inbound document becomes what the manifest says of it."""

from __future__ import annotations

import json
import re
from collections import Counter
from fnmatch import fnmatchcase
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from manifest import ASIDE, GRAPHQL, INBOUND, VENDORS, Becomes, answered, documents, entries

from mainstay.app.cli import main
from mainstay.model.shape import PATHS_MAX, Shape, changes, lacking, shape_of, together

pytestmark = pytest.mark.shared
ENTRIES = entries()


def strays(there: set[str], inbound: list[str], aside: list[tuple[str, str, int, str]]) -> list[str]:
    """What is wrong with a manifest: files without a place or with two, and entries that are not there or not as many."""
    rest = there - {f"{file}.json" for file in inbound}
    found = [f"{file}: not there" for file in inbound if f"{file}.json" not in there]
    places = {file: [pattern for _, pattern, _, _ in aside if fnmatchcase(file, pattern)] for file in rest}
    found += [f"{file}: stands under {named or 'nothing'}" for file, named in places.items() if len(named) != 1]
    held = Counter(named[0] for named in places.values() if named)
    found += [f"{pattern}: {held[pattern]} files, not {number}" for _, pattern, number, _ in aside if held[pattern] != number]
    return sorted(found)


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_file_has_one_place(shared: Path, vendor: str) -> None:
    folder = shared / "vendor" / vendor
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert strays(there, [file for _, _, files in INBOUND[vendor] for file in files], ASIDE[vendor]) == []
    assert all(why for _, _, _, why in ASIDE[vendor])


def test_a_file_more_or_less_is_seen() -> None:
    there, aside = {"orders/a.json", "specs/s.json"}, [("described", "specs/*", 1, "a schema")]
    assert strays(there, ["orders/a"], aside) == []
    assert strays({*there, "orders/b.json"}, ["orders/a"], aside) == ["orders/b.json: stands under nothing"]
    assert strays({*there, "specs/t.json"}, ["orders/a"], aside) == ["specs/*: 2 files, not 1"]
    assert strays(there, ["orders/a", "orders/b"], aside) == ["orders/b: not there"]
    assert strays(there, ["orders/a"], [*aside, ("sent", "*/s.json", 0, "twice")]) == ["specs/s.json: stands under ['specs/*', '*/s.json']"]


def test_what_stands_aside_of_the_recordings_holds_no_order_and_no_level(shared: Path) -> None:
    """The reason why a recording is not inbound, held against it."""
    folder = shared / "vendor/shopify"
    inbound = {f"{file}.json" for vendor, _, _, file in ENTRIES if vendor == "shopify"}
    for path in folder.glob("graphql-recorded/**/*.json"):
        if str(path.relative_to(folder)) not in inbound:
            ids = [str(node.get("id", "")) for node in answered(json.loads(path.read_text()))]
            assert not [one for one in ids if one.startswith(tuple(GRAPHQL.values()))], path


def told(vendor: str, topic: str, document: Any, file: Path) -> tuple[str, str]:
    """What `mainstay translate` prints of a document: its statements, or the code of its dead letter and the reason."""
    file.write_text(json.dumps(document))
    done = CliRunner().invoke(main, ("translate", vendor, topic, str(file)))
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    if done.exit_code == 0:
        return " ".join(line["event"] for line in lines), ""
    assert done.exit_code == 3, done.output
    return lines[0]["rejected"], lines[0]["why"]


@pytest.mark.parametrize(
    ("vendor", "topic", "expected", "file"), ENTRIES, ids=[f"{vendor}/{file}-{topic}" for vendor, topic, _, file in ENTRIES]
)
def test_every_document_becomes_what_it_says(shared: Path, tmp_path: Path, vendor: str, topic: str, expected: Becomes, file: str) -> None:
    found = documents(shared, vendor, topic, file)
    answers = [told(vendor, topic, document, tmp_path / "document.json") for document in found]
    assert [becomes for becomes, _ in answers] == expected
    for document, (code, why) in zip(found, answers, strict=True):
        assert not why or true(topic, code, why, document), why


MISSING = re.compile(r"Object missing required field `(\w+)`(?: - at `\$\.?(.*)`)?")
OTHER = re.compile(r"Expected `(.+)`, got `(\w+)`(?: - at `\$\.?(.*)`)?")
KINDS = {"str": str, "int": int, "float": float, "array": list, "object": dict, "null": type(None), "bool": bool}
ADVICE = {  # what Amazon's types that say nothing to us are about
    "BRANDED_ITEM_CONTENT_CHANGE": "branded item", "FEE_PROMOTION": "fees", "FEED_PROCESSING_FINISHED": "feed", "PRICING_HEALTH": "offer",
    "LISTINGS_ITEM_ISSUES_CHANGE": "issues", "PRODUCT_TYPE_DEFINITIONS_CHANGE": "product type", "REPORT_PROCESSING_FINISHED": "report",
}  # fmt: skip


def true(topic: str, code: str, why: str, document: Any) -> bool:
    """Is the reason so? Held against the document without our code: it names what is missing there, or what is of another kind."""
    missing, other = MISSING.fullmatch(why), OTHER.fullmatch(why)
    if missing:
        return code == "schema" and missing[1] not in at(document, missing[2])
    if other:
        return code == "schema" and type(at(document, other[3])) is KINDS[other[2]]
    if topic in ADVICE:
        return code == "not_business" and ADVICE[topic] in why
    if topic == "disputes/update":
        return code == "id_missing" and document["order_id"] is None and f"dispute {document['id']} names no order" == why
    if topic == "order" and "orderId" in document and "orderItems" in document:  # Amazon's
        return code == "schema" and "proceeds" not in document and document["orderId"] in why and "no total" in why
    if topic == "order":  # ShipStation's
        return code == "not_business" and f"order {document['orderNumber']} is {document['orderStatus']}" in why
    if code in ("not_business", "unknown_topic"):
        return topic in why
    held = document["data"]["object"]  # Stripe's
    if code == "id_missing":
        return "id" not in held and why == "the object has no id"
    return code == "totals_mismatch" and held["captured"] is True and held["amount_captured"] == 0 and held["id"] in why


def at(document: Any, place: str | None) -> Any:
    """What stands at a place such as "lineItems.nodes[0].id"."""
    steps = re.findall(r"[^.\[\]]+", place or "")
    return reduce(lambda held, step: held[int(step)] if isinstance(held, list) else held[step], steps, document)


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_vendor_s_own_documents_give_no_false_alarm(shared: Path, vendor: str) -> None:
    """What was learned of them is not told when they come again, and is bounded."""
    for topic in {topic for topic, _, _ in INBOUND[vendor]}:
        files = [file for known, _, of_it in INBOUND[vendor] if known == topic for file in of_it]
        samples = [shape_of(document) for file in files for document in documents(shared, vendor, topic, file)]
        known = reduce(together, samples, Shape())
        assert len(known.paths) <= PATHS_MAX
        assert [changes(known, sample) for sample in samples] == [[]] * len(samples), topic
        assert not any(gone for sample in samples for gone in lacking(known, sample).values()), topic
