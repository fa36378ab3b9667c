"""What a user would write instead: pydantic and SQLite. The comparators, written as well as a competent user writes them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import apsw

from mainstay.proof.bench import Missing

DDL = """
CREATE TABLE event (source TEXT NOT NULL, event_id TEXT NOT NULL, stream TEXT, key TEXT, type TEXT, ts INTEGER, payload TEXT,
  UNIQUE (source, event_id));
CREATE TABLE stock (sku TEXT PRIMARY KEY, avail INTEGER NOT NULL);
CREATE TABLE reservation (order_id TEXT, sku TEXT, quantity INTEGER);
"""
INSERT = "INSERT INTO event VALUES (?, ?, 'orders', ?, 'orders/create', ?, ?) ON CONFLICT DO NOTHING"


def models() -> Any:  # one namespace of classes, as a user would write them in a module of their own
    """The pydantic model of the fields that an order needs."""
    try:
        from pydantic import BaseModel
    except ImportError:
        raise Missing("pydantic is not installed: pip install 'mainstay[bench]'") from None

    class Tax(BaseModel):
        title: str
        price: str
        rate: float | None = None

    class Address(BaseModel):
        name: str | None
        address1: str | None
        address2: str | None
        city: str | None
        zip: str | None
        province_code: str | None
        country_code: str | None
        phone: str | None

    class Allocation(BaseModel):
        amount: str

    class Line(BaseModel):
        id: int
        sku: str
        title: str
        quantity: int
        price: str
        tax_lines: list[Tax] = []
        discount_allocations: list[Allocation] = []

    class Shipping(BaseModel):
        title: str
        price: str
        tax_lines: list[Tax] = []

    class Order(BaseModel):
        id: int
        name: str
        email: str | None = None
        created_at: str
        updated_at: str
        currency: str
        financial_status: str | None = None
        total_price: str
        total_tax: str
        line_items: list[Line]
        shipping_lines: list[Shipping] = []
        shipping_address: Address | None = None
        billing_address: Address | None = None

    class CanonicalLine(BaseModel):
        id: str
        sku: str
        title: str
        quantity: int
        price: int
        discount: int
        tax: int

    class Canonical(BaseModel):
        source_id: str
        number: str
        currency: str
        placed_at: int
        version: int
        total: int
        tax: int
        shipping: int
        payment: str
        lines: list[CanonicalLine]
        shipping_address: Address | None
        billing_address: Address | None

    return Order, Canonical, CanonicalLine


def micros(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1_000_000)


def cents(text: str) -> int:
    whole, _, fraction = text.partition(".")
    return int(whole) * 100 + int((fraction + "00")[:2])


class Typical:
    """Intake by pydantic into SQLite (WAL, FULL): dedupe, event, stock, in transactions of `group` orders."""

    def __init__(self, place: Path, group: int, skus: Sequence[str]) -> None:
        self.order, self.canonical, self.line = models()
        self.group = group
        self.db = apsw.Connection(str(place / f"typical-{os.urandom(4).hex()}.db"))
        self.db.pragma("journal_mode", "wal")
        self.db.pragma("synchronous", "full")
        self.db.execute(DDL)
        with self.db:
            self.db.executemany("INSERT INTO stock VALUES (?, 1000000000)", [(sku,) for sku in skus])

    def take(self, bodies: Sequence[bytes], ids: Sequence[str], *, reserve: bool) -> None:
        for start in range(0, len(bodies), self.group):
            with self.db:
                for body, event in zip(bodies[start : start + self.group], ids[start : start + self.group], strict=True):
                    self._one(body, event, reserve)

    def _one(self, body: bytes, event: str, reserve: bool) -> None:
        order = self.order.model_validate_json(body)
        canonical = self.canonical(
            source_id=str(order.id),
            number=order.name,
            currency=order.currency,
            placed_at=micros(order.created_at),
            version=micros(order.updated_at),
            total=cents(order.total_price),
            tax=cents(order.total_tax),
            shipping=sum(cents(one.price) for one in order.shipping_lines),
            payment=order.financial_status or "pending",
            lines=[self._line(line) for line in order.line_items],
            shipping_address=order.shipping_address,
            billing_address=order.billing_address,
        )
        extra = canonical.tax + canonical.shipping
        assert canonical.total == sum(line.price * line.quantity - line.discount for line in canonical.lines) + extra, "totals"
        self.db.execute(INSERT, ("shop", event, canonical.source_id, 1, canonical.model_dump_json()))
        if self.db.changes() and reserve:
            for line in canonical.lines:
                self.db.execute("UPDATE stock SET avail = avail - ?1 WHERE sku = ?2 AND avail >= ?1", (line.quantity, line.sku))
                if self.db.changes():
                    self.db.execute("INSERT INTO reservation VALUES (?, ?, ?)", (canonical.source_id, line.sku, line.quantity))

    def _line(self, line: Any) -> Any:
        return self.line(
            id=str(line.id),
            sku=line.sku,
            title=line.title,
            quantity=line.quantity,
            price=cents(line.price),
            discount=sum(cents(one.amount) for one in line.discount_allocations),
            tax=sum(cents(one.price) for one in line.tax_lines),
        )

    def count(self) -> int:
        return int(self.db.execute("SELECT count(*) FROM event").get or 0)
