"""What a file in a folder may hold: canonical statements as JSON lines, or counts as a table. Each line is read as the API reads it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import msgspec

from mainstay.delivery.files import Form, ReadLine
from mainstay.edge.problems import Problem
from mainstay.edge.strict import read
from mainstay.flows.tell import TellRequest, refuse_unfit, told
from mainstay.model.failures import CODES, Reject
from mainstay.model.identity import sku
from mainstay.model.objects import StockMeasure
from mainstay.model.seen import Said, StockCounted

DIGITS_MAX = 19  # of a number that a column holds
COLUMNS = ("sku", "units", "location")  # of a table of counts; the last may be missing


def forms(system: str, *, asks_first: bool) -> Mapping[str, Form]:
    """By the end of a file's name."""
    refuse = partial(refuse_unfit, system, asks_first)
    return {".jsonl": Form(partial(_statements, refuse)), ".csv": Form(partial(_counts, refuse), headed=True, dated=True)}


Refuse = Callable[[Any, int], None]


def _statements(refuse: Refuse, _written_at: int, began: int) -> ReadLine:
    """A line holds what `statements` of POST /v1/statements holds one of: {"event": {…}, "person": {…}}."""

    def line_of(line: bytes) -> bytes | None:
        if not line.strip():
            return None
        try:
            said = read(line, "application/json", Said)
        except Problem as why:
            raise Reject(why.detail, why.code if why.code in CODES else "schema") from None
        request = msgspec.json.encode(TellRequest(statements=(said,)))
        for one in told(request):
            refuse(one.event, began)
        return request

    return line_of


def _counts(refuse: Refuse, written_at: int, began: int) -> ReadLine:
    """A row is a count of the time at which the file was written."""
    table, statement = Table(), _statements(refuse, written_at, began)

    def line_of(line: bytes) -> bytes | None:
        try:
            found = table.count(line.decode())
        except UnicodeDecodeError as error:
            raise Reject(f"it is not UTF-8 at byte {error.start}", "not_utf8") from None
        return None if found is None else statement(msgspec.json.encode(Said(counted(found, written_at, "on_hand"))))

    return line_of


class Count(NamedTuple):
    """So many units of a SKU stand at a location of ours ("" is the default one)."""

    sku: str
    units: int
    location: str = ""


def counted(one: Count, at: int, measure: StockMeasure) -> StockCounted:
    """A count as a statement; `at` in microseconds of UTC."""
    return StockCounted(
        external=f"count.{one.sku}", item=one.sku, sku=one.sku, location=one.location, quantity=one.units, at=at, measure=measure
    )


class Table:
    """A table of counts as CSV, line by line; the first names the columns."""

    def __init__(self) -> None:
        self.columns: tuple[str, ...] = ()

    def count(self, line: str) -> Count | None:
        """The count in a line; None for the first, and for an empty one. Raises Reject."""
        cells = [cell.strip() for cell in _cells(line)]
        if not any(cells):
            return None
        if not self.columns:
            if not set(COLUMNS[:2]) <= set(cells) <= set(COLUMNS) or len(set(cells)) < len(cells):
                raise Reject(f"the columns are {', '.join(cells)[:200]}; write sku,units or sku,units,location", "schema")
            self.columns = tuple(cells)
            return None
        row = dict(zip(self.columns, cells, strict=False))
        if len(cells) > len(self.columns):
            raise Reject(f"it has {len(cells)} cells, of {len(self.columns)} columns", "schema")
        units = row.get("units", "")
        if not (units.isascii() and units.isdecimal() and len(units) < DIGITS_MAX):
            raise Reject(f"{units[:40]!r} is no number of units; write a whole number, 0 or more", "schema")
        return Count(sku(row.get("sku", "")), int(units), row.get("location", ""))


def _cells(line: str) -> list[str]:
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error as error:
        raise Reject(f"it is no row of a CSV file: {error}", "schema") from None
