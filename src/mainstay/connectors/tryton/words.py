"""Tryton's words and ours, and its JSON: decimals, dates and moments are objects that name their class.

Sources: recorded against trytond 8.2.1 (see README.md); the state selections of sale, stock and account_invoice 8.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal, TypeVar

from msgspec import Struct

from mainstay.model.failures import Reject
from mainstay.model.money import major
from mainstay.model.times import SECOND

T = TypeVar("T")

# What to press next in each state; "" where nothing is left to do; None where no button of ours leads on.
SALE_BUTTON: dict[str, str | None] = {
    "draft": "quote", "quotation": "confirm", "confirmed": "process", "processing": "", "done": "", "cancelled": None,
}  # fmt: skip
SHIPMENT_BUTTON: dict[str, str | None] = {
    "draft": "wait", "waiting": "assign_try", "assigned": "pick", "picked": "pack", "packed": "do", "shipped": "do", "done": "",
    "cancelled": "",  # its units are asked for again by another shipment of the sale, or by none
}  # fmt: skip
TRANSFER_BUTTON: dict[str, str | None] = {
    "request": "draft", "draft": "wait", "waiting": "assign_try", "assigned": "pack", "packed": "ship", "shipped": "do", "done": "",
}  # fmt: skip
RETURN_BUTTON: dict[str, str | None] = {"draft": "receive", "received": "do", "done": "", "cancelled": ""}
INVOICE_BUTTON: dict[str, str | None] = {"draft": "post", "validated": "post", "posted": "", "paid": "", "cancelled": None}

INVOICE_STATE: dict[str, Literal["draft", "posted", "paid", "cancelled"]] = {
    "draft": "draft", "validated": "draft", "posted": "posted", "paid": "paid", "cancelled": "cancelled",
}  # fmt: skip

# Why units came or went, by the kind of place at the other end of a move.
PLACE: dict[str, str] = {
    "supplier": "supplier",
    "customer": "customer",
    "lost_found": "inventory",
    "production": "production",
    "storage": "transfer",
    "warehouse": "transfer",
    "view": "transfer",
    "drop": "supplier",
    "rental": "rental",
}

# What databases say of a transaction that lost against another one: it was rolled back.
LOST_RACES = ("database is locked", "could not serialize", "deadlock detected", "could not obtain lock")


def ours(table: Mapping[str, T], word: str, what: str) -> T:
    """Our word for Tryton's; Reject `unknown_word` names it and the known ones."""
    if word not in table:
        raise Reject(f"Tryton's {what} {word!r} is unknown; known: {', '.join(sorted(table))}", "unknown_word")
    return table[word]


class Exact(Struct):
    """A Decimal."""

    decimal: str


class Moment(Struct):
    """A datetime, in UTC."""

    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int
    microsecond: int

    def micros(self) -> int:
        """UTC microseconds; Reject `time` where no calendar has this moment."""
        try:
            whole = datetime(self.year, self.month, self.day, self.hour, self.minute, self.second, self.microsecond, UTC)
        except (ValueError, OverflowError):
            told = f"{self.year}-{self.month}-{self.day} {self.hour}:{self.minute}:{self.second}.{self.microsecond}"
            raise Reject(f"{told[:80]!r} is no moment of any calendar", "time") from None
        return int(whole.replace(microsecond=0).timestamp()) * SECOND + self.microsecond


def exact(amount: int, currency: str) -> dict[str, str]:
    """Minor units as Tryton's Decimal."""
    return {"__class__": "Decimal", "decimal": major(amount, currency)}


def date(at: int) -> dict[str, str | int]:
    """The day of a moment, in UTC, as Tryton's date."""
    day = datetime.fromtimestamp(at // SECOND, UTC)
    return {"__class__": "date", "year": day.year, "month": day.month, "day": day.day}


def moment(at: int) -> dict[str, str | int]:
    """Microseconds as Tryton's datetime."""
    when = datetime.fromtimestamp(at // SECOND, UTC)
    clock = {"hour": when.hour, "minute": when.minute, "second": when.second, "microsecond": at % SECOND}
    return {"__class__": "datetime", "year": when.year, "month": when.month, "day": when.day, **clock}
