"""One order in memory: what is said of it is folded, what follows is decided and folded, and stock is what the test hands out."""

from __future__ import annotations

import pytest

from mainstay.model.events import Allocated, Answered, AnyEvent, Asked, Heard, Share, Short
from mainstay.model.objects import Line, Order, Reference
from mainstay.model.seen import FulfilmentSeen, OrderSeen, PaymentSeen, SeenEvent
from mainstay.model.state import OrderState
from mainstay.orders.decide import begin, settle
from mainstay.orders.fold import fold
from mainstay.orders.policy import Policy
from mainstay.orders.units import wants

T0 = 1_790_000_000_000_000
CAN = {
    "shop": frozenset({"ConfirmFulfilment", "CancelOrder"}),
    "psp": frozenset({"CapturePayment", "VoidPayment", "RefundPayment"}),
    "wms": frozenset({"ReleaseOrder", "CancelRelease"}),
    "erp": frozenset({"PostSale"}),
}
ITEMS = {"A": 1, "B": 2, "C": 3}


class Case:
    """An order and the policy that it is handled by. `stock`: units of each SKU that may be given to it."""

    def __init__(self, stock: dict[str, int] | None = None, **policy: object) -> None:
        self.policy = Policy(**{"can": CAN, "warehouses": {"shop": "wms"}, "books": {"shop": "erp"}, **policy})
        self.state = OrderState(id=1, uid="ord.shop.1", system="shop", external="1")
        self.stock = {ITEMS[sku]: units for sku, units in ({"A": 100, "B": 100, "C": 100} if stock is None else stock).items()}
        self.events: list[AnyEvent] = []

    def fold(self, event: AnyEvent) -> None:
        fold(self.state, event, ITEMS.__getitem__)
        self.events.append(event)

    def hear(self, said: SeenEvent, system: str = "") -> list[AnyEvent]:
        """What is said, and everything that follows; returns what followed."""
        default = {PaymentSeen: "psp", FulfilmentSeen: "wms"}.get(type(said), "shop")
        return self.tell(Heard(system=system or default, said=said))

    def answer(self, what: str, outcome: str = "done", **references: str) -> list[AnyEvent]:
        return self.tell(Answered(key=f"ord.shop.1:{what}", outcome=outcome, references=references))

    def tell(self, *events: AnyEvent) -> list[AnyEvent]:
        for event in events:
            self.fold(event)
        before = len(self.events)
        for event in begin(self.state, self.policy):
            self.fold(event)
        self._allocate()
        for event in settle(self.state, self.policy):
            self.fold(event)
        return self.events[before:]

    def _allocate(self) -> None:
        shares, missing = [], {}
        for line, item, units in wants(self.state):
            given = min(units, self.stock.get(item, 0))
            self.stock[item] = self.stock.get(item, 0) - given
            if given:
                shares.append(Share(line, item, 1, given))
            if units > given:
                missing[item] = missing.get(item, 0) + units - given
        if shares:
            self.fold(Allocated(shares=tuple(shares)))
        if missing != self.state.short:
            self.fold(Short(missing=tuple(missing.items())))

    @property
    def asked(self) -> list[str]:
        return [event.command for event in self.events if isinstance(event, Asked)]

    def effects(self, command: str) -> list[tuple[str, int]]:
        """(what it is about, amount) of all effects of a kind that were asked."""
        return [(one.about, one.amount) for one in self.state.effects.values() if one.command == command]


@pytest.fixture
def case() -> Case:
    return Case()


def an_order(lines=(("A", 2, 500),), version=1, payments=(), ids=("l1", "l2", "l3"), **more) -> OrderSeen:
    """An order in its source's words; `lines` are (SKU, units, price)."""
    made = tuple(Line(id=id, sku=sku, quantity=units, price=price) for id, (sku, units, price) in zip(ids, lines, strict=False))
    fields = {
        "lines": made, "total": sum(line.price * line.quantity for line in made),
        "payment": "authorised" if payments else "captured", **more,
    }  # fmt: skip
    paid = tuple(Reference("payment", one, "psp") for one in payments)
    return OrderSeen(external="1", version=version, order=Order(number="#1", currency="EUR", placed_at=T0, payments=paid, **fields))


def a_payment(external="pi_1", amount=1000, status="authorised", version=1, captured=0) -> PaymentSeen:
    taken = amount if status == "captured" else captured
    return PaymentSeen(external=external, version=version, currency="EUR", status=status, authorised=amount, captured=taken)
