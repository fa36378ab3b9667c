"""What people do to a running Mainstay: over its own API, with the operators' token."""

from __future__ import annotations

import csv
import json
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec

from mainstay.app.build import clock, look_into, secret
from mainstay.flows.tell import STATEMENTS_MAX
from mainstay.model.failures import Halt
from mainstay.model.identity import sku
from mainstay.model.objects import StockMeasure
from mainstay.model.seen import Said, StockCounted

ANSWER_S_MAX = 30
COLUMNS = ("sku", "units", "location")  # of a file of counts; the last may be missing


def act(config: Path, path: str, **told: Any) -> dict[str, Any]:
    """Ask for it, telling who wants it and why. Raises Halt where nobody answers, ClickException where it is refused."""
    house = look_into(config)
    server = house.landscape.server
    headers = {"authorization": f"Bearer {secret(house, server.api_token).reveal()}", "content-type": "application/json"}
    body = json.dumps(told).encode()
    request = urllib.request.Request(f"http://{server.listen}:{server.port}/v1/{path}", body, headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_S_MAX) as answer:
            return json.load(answer)  # type: ignore[no-any-return]
    except urllib.error.HTTPError as error:
        raise click.ClickException(f"{told.get('who') or path.rpartition('/')[0] or path}: {json.load(error)['detail']}") from None
    except (urllib.error.URLError, TimeoutError) as error:
        why = getattr(error, "reason", error)
        raise Halt(f"Mainstay does not answer on {server.listen}:{server.port} ({why}); start it with `mainstay up`") from None


class Count(NamedTuple):
    """So many units of a SKU stand at a location of ours ("" is the default one)."""

    sku: str
    units: int
    location: str = ""


def counts_in(path: Path) -> Iterator[Count]:
    """The counts of a CSV file (UTF-8, a first row of column names). Raises ClickException with the line."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.DictReader(file)
        names = table.fieldnames or []
        if not set(COLUMNS[:2]) <= set(names) <= set(COLUMNS):
            raise click.ClickException(f"{path}:1: the columns are {', '.join(names) or 'missing'}; write sku,units or sku,units,location")
        for row in table:
            units = (row["units"] or "").strip()
            if not units.isdecimal():
                raise click.ClickException(f"{path}:{table.line_num}: {units!r} is no number of units; write a whole number, 0 or more")
            yield Count(sku(row["sku"]), int(units), (row.get("location") or "").strip())


def tell_counts(config: Path, counts: Iterable[Count], measure: StockMeasure) -> list[dict[str, Any]]:
    """Tell Mainstay what there is now; what became of each count."""
    at = clock()
    said = [
        StockCounted(
            external=f"count.{one.sku}", item=one.sku, sku=one.sku, location=one.location, quantity=one.units, at=at, measure=measure
        )
        for one in counts
    ]  # fmt: skip
    ended: list[dict[str, Any]] = []
    for start in range(0, len(said), STATEMENTS_MAX):
        part = msgspec.to_builtins([Said(one) for one in said[start : start + STATEMENTS_MAX]])
        ended += act(config, "statements", statements=part)["statements"]
    return ended
