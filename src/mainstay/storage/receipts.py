"""The receipts of an interval, wherever they lie: in the archive first, then in the inbox. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw

from mainstay.storage.archive import opened
from mainstay.storage.database import ask, connect
from mainstay.storage.inbox import Receipt

PAGE = 500


def between(data: Path, since: int, until: int) -> Iterator[Receipt]:
    """The receipts that came in at `since` or later, and before `until` (UTC microseconds): those from outside, then what calls brought.

    Those of erased people are not there any more. Numbers rise with time within each of the two.
    """
    for source in ("inbox", "outcomes"):
        if (data / f"{source}.db").exists():
            for receipt in _all(data, source, since):
                if receipt.at >= until:
                    break
                if receipt.at >= since:
                    yield receipt


def _all(data: Path, source: str, since: int) -> Iterator[Receipt]:
    connection = connect(data / f"{source}.db", write=False, schema="inbox")
    try:
        connection.execute("BEGIN")
        after = _before(connection, data, source, since)
        while page := ask(connection, "seals_from", (after, PAGE)):
            for row in page:
                receipt = opened(data, source, *row)
                if receipt is not None:
                    yield receipt
            after = page[-1][0]
        after = 0
        while page := ask(connection, "receipts_from", (after, PAGE)):
            yield from (Receipt(*row) for row in page)
            after = page[-1][0]
    finally:
        connection.close(True)


def _before(connection: apsw.Connection, data: Path, source: str, since: int) -> int:
    """A number before the first archived receipt of the interval, found by halves: what is archived is not read from its beginning."""
    low, high = 0, ask(connection, "last_seal")[0][0] or 0
    while high - low > PAGE:
        middle = (low + high) // 2
        page = ask(connection, "seals_from", (middle, PAGE))
        readable = next((one for row in page if (one := opened(data, source, *row)) is not None), None)
        if readable is not None and readable.at < since:
            low = middle
        else:
            high = middle
    return low
