"""What is fuzzed: each path from bytes of others to our own values, with what must hold of it, and the payloads to begin with.

A target takes bytes and returns, or raises one of the failures that are declared; anything else is a bug. What a translation says
must also survive being written down and read again, as the log does with it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from mainstay import connectors, landscape
from mainstay.app import build
from mainstay.app.forms import forms
from mainstay.app.workshop import stand_ins, translator
from mainstay.contract import signatures
from mainstay.contract.connector import settings_of
from mainstay.edge.problems import Problem
from mainstay.edge.strict import read
from mainstay.flows.ask import OrderRequest, ReserveRequest
from mainstay.flows.tell import TellRequest
from mainstay.landscape import Misdeclared
from mainstay.model.failures import Failure
from mainstay.model.secrets import Secret
from mainstay.model.seen import Said, refuse_senseless
from mainstay.model.times import iso
from mainstay.proof.badinput import CASES

HERE = Path(__file__).parent
FOUND = HERE / "found"
SHARED = HERE.parents[2].parent / "shared"
OFFERS = build.offers()
NOW = 1_790_000_000_000_000
SECRETS = {"shopify": {"webhook_secret": "s"}, "stripe": {"webhook_secrets": ["s"]}, "shipstation": {"hook_secret": "s"}}
OURS = tuple(connectors.OURS)
Target = Callable[[bytes], None]


# --- translation: the first line is the topic ------------------------------------------------------------------------------------
def _translation(name: str) -> Target:
    translate = translator(name, {"currency": "EUR"} if "currency" in stand_ins(connectors.find(name)) else {})

    def run(data: bytes) -> None:
        topic, _, body = data.partition(b"\n")
        try:
            said = translate(topic.decode(errors="replace"), body)
            for one in said:
                refuse_senseless(one.event)
        except Failure:
            return
        for one in said:
            kept = msgspec.json.encode(one)
            assert msgspec.json.decode(kept, type=Said) == one, "what was said is not what is read again"
            iso(one.event.at)

    return run


# --- signatures: lines of headers, an empty line, the body -----------------------------------------------------------------------
def _signatures() -> Target:
    doors = [kind(settings_of(kind, stand_ins(kind) | SECRETS[name])) for name in SECRETS for kind in [connectors.find(name)]]

    def run(data: bytes) -> None:
        head, _, body = data.partition(b"\n\n")
        pairs = (line.partition(b":")[::2] for line in head.split(b"\n"))
        headers = {name.decode("latin-1").lower(): value.strip().decode("latin-1") for name, value in pairs}
        for door in doors:
            _declared(door.receive, headers, body, NOW)
        _declared(signatures.standard_webhooks, [Secret("s")], headers, body, NOW / 1e6)

    return run


def _declared(check: Callable[..., Any], *given: Any) -> None:
    try:
        check(*given)
    except Failure:
        return


# --- files, requests, declarations -----------------------------------------------------------------------------------------------
def _file(end: str) -> Target:
    form = forms("depot", asks_first=False)[end]

    def run(data: bytes) -> None:
        line_of = form.reader(NOW, NOW)
        for line in data.split(b"\n")[:200]:
            _declared(line_of, line.rstrip(b"\r"))

    return run


def _request(data: bytes) -> None:
    for kind in (ReserveRequest, OrderRequest, TellRequest):
        try:
            read(data, "application/json", kind)
        except Problem as told:
            assert 400 <= told.status < 500 and told.detail


def _declaration(data: bytes) -> None:
    try:
        text = data.decode(errors="replace")
        shop = landscape.read(text, "mainstay.toml")
    except Misdeclared as wrong:
        assert wrong.findings
        return
    landscape.check(shop, OFFERS, lambda _: Secret("s"), landscape.places(text))


TARGETS: Mapping[str, Callable[[], Target]] = {
    "signatures": _signatures,
    **{name: lambda name=name: _translation(name) for name in OURS},
    "csv": lambda: _file(".csv"),
    "jsonl": lambda: _file(".jsonl"),
    "request": lambda: _request,
    "toml": lambda: _declaration,
}


# --- what to begin with ----------------------------------------------------------------------------------------------------------
def seeds(target: str) -> Iterator[bytes]:
    """Real payloads, the catalogue's, and what was found before."""
    yield from (path.read_bytes() for path in sorted((FOUND / target).glob("*")))
    yield from _of_the_catalogue(target)
    if target in OURS:
        manifest = connectors.find(target).manifest
        for path in sorted((HERE.parents[1] / "src/mainstay/connectors" / target / "samples").glob("*.json")):
            for topic in manifest.topics:
                if path.stem.lower() in topic.name.lower() or topic.name.split("/")[0].rstrip("s") == path.stem:
                    yield topic.name.encode() + b"\n" + path.read_bytes()
        yield from _of_vendors(target)
    if target == "signatures":
        yield b"stripe-signature: t=1790000000,v1=00\nx-shopify-hmac-sha256: AA==\nx-mainstay-path: s\n\n{}"
        yield b'x-mainstay-path: s\n\n{"resource_url": "https://x/", "resource_type": "SHIP_NOTIFY"}'
        yield b"webhook-id: 1\nwebhook-timestamp: 1790000000\nwebhook-signature: v1,AA==\n\n{}"
    if target == "toml":
        systems = {"shop": "shopify", "payments": "stripe", "till": "api"}
        answers = landscape.Answers(shop="Test", currency="EUR", contact="a@b.example", systems=systems, asks_first=("till",))
        yield landscape.write(answers, build.offers()).encode()


def _of_the_catalogue(target: str) -> Iterator[bytes]:
    for one in CASES:
        if one.door == "webhook" and target == {"shop": "shopify", "payments": "stripe", "warehouse": "shipstation"}[one.sent.system]:
            yield one.sent.topic.encode() + b"\n" + one.sent.body
        elif one.door == "file" and one.sent.name.endswith(target):
            yield one.sent.body
        elif one.door == "api" and target == "request" and one.sent.body is not None:
            yield one.sent.body if isinstance(one.sent.body, bytes) else json.dumps(one.sent.body).encode()


def _of_vendors(target: str) -> Iterator[bytes]:
    if not (SHARED / "vendor").is_dir():
        return
    sys.path.append(str(HERE.parent / "connectors"))
    from manifest import documents, entries

    for vendor, topic, _, file in entries():
        if vendor == target:
            yield from (topic.encode() + b"\n" + json.dumps(one).encode() for one in documents(SHARED, vendor, topic, file))
