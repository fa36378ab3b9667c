"""What the outside systems hold in their own books, what Mainstay believes of it, and what of the two does not agree.

Truth is: orders at the channels, parcels at the warehouse, captures at the provider, sales in the ERP.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, TypeVar

from msgspec import Struct, field

from mainstay.flows.world import order_of
from mainstay.model.money import minor
from mainstay.model.state import OrderState
from mainstay.orders.view import blocker
from mainstay.proof import bills
from mainstay.proof.access import WAREHOUSES
from mainstay.proof.history import CURRENCY
from mainstay.proof.play import Cast, Counters
from mainstay.storage.state import State
from mainstay.twins.tryton import HOME

ITEMISED_MAX = 20
Key = TypeVar("Key", bound=Hashable)


class Findings(Struct):
    """What was found, and the cases of each, by name."""

    figures: dict[str, int] = field(default_factory=dict)
    cases: dict[str, list[str]] = field(default_factory=dict)

    def add(self, name: str, units: int, case: str) -> None:
        self.figures[name] = self.figures.get(name, 0) + units
        self.cases.setdefault(name, []).append(case)


def itemised(cases: list[str]) -> list[str]:
    """The first cases, and how many more there are."""
    more = len(cases) - ITEMISED_MAX
    return [*cases[:ITEMISED_MAX], f"… and {more} more"] if more > 0 else cases


class Placed(Struct):
    """An order as its channel's own book holds it. `total` is what the buyer agreed to, `due` what is to be paid of it after units were
    taken off; `units` are those that are still wanted."""

    channel: str
    external: str
    total: int
    units: dict[str, int]
    cancelled: bool
    off: dict[str, int] = {}  # units that were to leave, and were taken off again
    less: int = 0  # what they would have cost
    repaid: int = 0  # of that, what staff gave back when it took them off
    remitted: int = 0  # tax that the marketplace keeps: part of the total, never ours
    intent: str = ""
    handed_over: bool = False
    unpaid: bool = False
    gift_cards: int = 0  # what gift cards paid of it
    lapsed: bool = False  # nobody holds its buyer's money any more
    by_line: bool = False  # of a SKU in several lines some units were taken off: whether the right ones left, their sum does not say

    @property
    def due(self) -> int:
        return self.total - self.less

    @property
    def uid(self) -> str:
        return f"ord.{self.channel}.{self.external}"


def placed(cast: Cast, counters: Counters) -> list[Placed]:
    """Every order that stands in the book of a channel."""
    found = []
    for number, order in cast.shop.orders.items():
        notes = {note["name"]: note["value"] for note in order["note_attributes"]}
        units: Counter[str] = Counter()
        off: Counter[str] = Counter()
        less = 0
        for line in order["line_items"]:
            gone = cast.shop.taken_off[number, line["id"]]
            units[line["sku"]] += line["quantity"] - gone
            off[line["sku"]] += gone
            less += bills.cost(line, line["quantity"]) - bills.cost(line, line["quantity"] - gone)
        total = minor(order["total_price"], CURRENCY)
        given, intent, cancelled = _given_for_off(cast, order), notes.get("payment_intent", ""), order["cancelled_at"] is not None
        found.append(Placed(
            "shop", str(number), total, dict(units), cancelled, dict(+off), less, given, intent=intent,
            unpaid=order["financial_status"] == "pending", gift_cards=bills.by_gift_card(cast, number), lapsed=_lapsed(cast, intent),
            by_line=_in_several(off, (line["sku"] for line in order["line_items"])),
        ))  # fmt: skip
    found += [_at_amazon(name, cast) for name in cast.amazon.orders if name not in counters.over]
    for sale in counters.sales.values():
        sold: Counter[str] = Counter()
        for sku, quantity in sale.lines:
            sold[sku] += quantity
        found.append(
            Placed(sale.channel, sale.id, sale.total, dict(sold), sale.cancelled, intent=sale.intent, handed_over=sale.handed_over)
        )
    return found


def _lapsed(cast: Cast, intent: str) -> bool:
    """Was a payment let go without us, or taken only in part?"""
    if not intent:
        return False
    held = cast.payments.intents[intent]
    part = held["status"] == "succeeded" and held["amount_received"] < held["amount"]
    return bool(part or held["cancellation_reason"] == "automatic")


def _given_for_off(cast: Cast, order: Mapping[str, Any]) -> int:
    """What staff gave back at the shop of units that had not left, in minor units of its money."""
    given = [one for one in order["refunds"] if any(line["restock_type"] == "cancel" for line in one["refund_line_items"])]
    return sum(cast.shop.given_back(one) for one in given)


def _at_amazon(name: str, cast: Cast) -> Placed:
    order = cast.amazon.orders[name]
    cancelled, less = order["fulfillment"]["fulfillmentStatus"] == "CANCELLED", 0
    units: Counter[str] = Counter()
    off: Counter[str] = Counter()
    for line in order["orderItems"]:
        sku, done = line["product"]["sellerSku"], line["fulfillment"]
        gone = 0 if cancelled else line["quantityOrdered"] - done["quantityFulfilled"] - done["quantityUnfulfilled"]
        units[sku] += line["quantityOrdered"] - gone
        off[sku] += gone
        for part in line["proceeds"]["breakdowns"]:
            whole, stays = minor(part["subtotal"]["amount"], CURRENCY), line["quantityOrdered"] - gone
            less += whole - whole * stays // line["quantityOrdered"]
    total = minor(order["proceeds"]["grandTotal"]["amount"], CURRENCY)
    parts = [part for line in order["orderItems"] for part in line["proceeds"]["breakdowns"]]
    remitted = sum(minor(part["subtotal"]["amount"], CURRENCY) for part in parts if part["type"] == "TAX")
    by_line = _in_several(off, (line["product"]["sellerSku"] for line in order["orderItems"]))
    return Placed("amazon", name, total, dict(units), cancelled, dict(+off), less, 0, remitted, by_line=by_line)


def _in_several(off: Counter[str], lines: Iterable[str]) -> bool:
    """Was anything taken off of a SKU that stands in several lines?"""
    return any(off[sku] for sku, count in Counter(lines).items() if count > 1)


def believed(state: State) -> dict[str, OrderState]:
    """Mainstay's orders, by the id that it shows."""
    sql = "SELECT orders.body, event.body FROM orders LEFT JOIN event ON event.seq = orders.heard"
    return {one.uid: one for one in (order_of(body, heard) for body, heard in state.connection.execute(sql))}


def order_of_release(key: str) -> str:
    """The order that a release is of, as Mainstay calls both: rel.shop.17.2 is of ord.shop.17."""
    return "ord." + key.removeprefix("rel.").rpartition(".")[0]


def shipped(cast: Cast, by: str = "sku") -> dict[str, Counter[str]]:
    """Units that left the warehouse, by order id and SKU (or `by` another field of an item); voided labels do not count."""
    return _left(cast, lambda _parcel, item: item[by])


def left_by_store(cast: Cast) -> dict[str, Counter[tuple[str, str]]]:
    """The same by SKU and the store of the ERP that they were sent from: its first one where the warehouse was not told from which."""
    stores = {number: name for name, number in WAREHOUSES.items()}
    return _left(cast, lambda parcel, item: (item["sku"], stores.get(parcel["warehouseId"], HOME)))


def _left(cast: Cast, of: Callable[[Any, Any], Key]) -> dict[str, Counter[Key]]:
    found: dict[str, Counter[Key]] = {}
    for parcel in cast.warehouse.shipments:
        if not parcel["voided"]:
            units = found.setdefault(order_of_release(parcel["orderKey"]), Counter())
            for item in parcel["shipmentItems"]:
                units[of(parcel, item)] += item["quantity"]
    return found


def left_of(one: Placed, parcels: Mapping[str, Counter[str]]) -> Counter[str]:
    """Units of an order that are with the buyer or on their way."""
    left = parcels.get(one.uid, Counter())
    return left + Counter(one.units) if one.handed_over else left


def is_named(order: OrderState) -> bool:
    """Does the order wait for something that has a name and an owner, and not just for the next step?"""
    what = blocker(order)
    return what is not None and what.what not in ("waiting", "shipping", "payment")


def waits_for(order: OrderState, *causes: str) -> bool:
    """Is one of these shown to need somebody?"""
    rejected = {effect.outcome for effect in order.effects.values()} & {"rejected"}
    disputed = {"dispute" for dispute in order.disputes.values() if dispute.status == "needs_response"}
    return bool({*order.holds, *rejected, *disputed} & {*causes}) and blocker(order) is not None


def cause_of(known: OrderState | None) -> str:
    """What Mainstay says that an order waits for."""
    what = blocker(known) if known is not None else None
    return f"{known.status}, {what.what}: {what.detail}" if known and what else known.status if known else "unknown to Mainstay"
