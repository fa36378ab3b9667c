"""Planted bugs: wrappers round twins that make the demo's books wrong, so that its report must say so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mainstay.contract.talk import Reply
from mainstay.contract.twin import Request
from mainstay.model.failures import Reject
from mainstay.proof.play import Cast
from mainstay.storage.database import connect

PLANTS = {
    "lose-one": "the shop forgets to tell of one order, and leaves it out of every list",
    "double-capture": "the payment provider books one capture twice",
    "oversell": "the ERP tells of one unit more of each SKU than was ever there, and they are sold",
    "unbalance": "one balance in the store is a minor unit off",
}


def plant(name: str, cast: Cast) -> None:
    """Wrap the twin that the bug is in. An empty name plants nothing."""
    if not name:
        return
    if name not in _PLANTS:
        raise Reject(f"no bug is called {name!r}; there are: {', '.join(PLANTS)}", "not_found")
    _PLANTS[name](cast)


def _lose_one(cast: Cast) -> None:
    shop = cast.shop
    place = shop.place_order

    def placed(*args: object, **more: object) -> object:
        order = place(*args, **more)  # type: ignore[arg-type]
        if order is not None and len(shop.orders) == 5:
            number = order["id"]
            for post in [key for key, one in shop._waiting.items() if str(number).encode() in one.post.body]:
                del shop._waiting[post]
            hidden[number] = order
        return order

    hidden: dict[int, object] = {}
    handle = shop.handle

    def handled(request: Request, now: int) -> Reply:
        away = {number: shop.orders.pop(number) for number in hidden if number in shop.orders}
        try:
            return handle(request, now)
        finally:
            shop.orders |= away

    shop.place_order = placed  # type: ignore[method-assign,assignment]
    shop.handle = handled  # type: ignore[method-assign]


def _double_capture(cast: Cast) -> None:
    payments = cast.payments
    handle = payments.handle

    def handled(request: Request, now: int) -> Reply:
        before = len(payments.effects)
        reply = handle(request, now)
        new = [effect for effect in payments.effects[before:] if effect[0] == "capture"]
        if new and not done:
            done.append(new[0])
            payments.effects.append(new[0])
        return reply

    done: list[object] = []
    payments.handle = handled  # type: ignore[method-assign]


def _oversell(cast: Cast) -> None:
    """Of what sells out, one unit is promised and leaves that never came: somebody typed it into the ERP."""
    erp = cast.erp
    for sku in cast.shop.variants:
        erp.move(sku, 1, "inventory", erp._now)
        erp.effects.pop()  # it did not arrive


def _nothing(cast: Cast) -> None:
    """The bug is not in a twin but in the store: `spoil` plants it."""


def spoil(name: str, state: Path) -> None:
    """Plant a bug into a finished store."""
    if name == "unbalance":
        connection = connect(state, write=True, schema="state")
        connection.execute("UPDATE account SET balance = balance + 1 WHERE id = 1")
        connection.close()


_PLANTS: dict[str, Callable[[Cast], None]] = {
    "lose-one": _lose_one,
    "double-capture": _double_capture,
    "oversell": _oversell,
    "unbalance": _nothing,
}
