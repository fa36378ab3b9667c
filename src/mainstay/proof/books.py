"""The report: the twins' books compared with each other and with Mainstay's belief. Nothing here is a counter of Mainstay's own.

Truth is what the outside systems hold: orders at the channels, parcels at the warehouse, captures at the provider, sales in the ERP.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from mainstay.flows.propagate import places
from mainstay.flows.rebuild import CONSERVED
from mainstay.flows.world import order_of
from mainstay.model.money import minor
from mainstay.model.state import OrderState
from mainstay.orders.view import blocker
from mainstay.proof import bills, people
from mainstay.proof.history import ASKS_FIRST, CURRENCY, Story
from mainstay.proof.play import Cast, Counters
from mainstay.storage.database import rows
from mainstay.storage.state import State
from mainstay.twins.shipstation import OPEN

ITEMISED_MAX = 20


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

    @property
    def due(self) -> int:
        return self.total - self.less

    @property
    def uid(self) -> str:
        return f"ord.{self.channel}.{self.external}"


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
        found.append(
            Placed(
                "shop",
                str(number),
                total,
                dict(units),
                order["cancelled_at"] is not None,
                dict(+off),
                less,
                _given_for_off(cast, order),
                intent=notes.get("payment_intent", ""),
                unpaid=order["financial_status"] == "pending",
                gift_cards=bills.by_gift_card(cast, number),
                lapsed=_lapsed(cast, notes.get("payment_intent", "")),
            )  # fmt: skip
        )
    for name in (name for name in cast.amazon.orders if name not in counters.over):
        found.append(_at_amazon(name, cast))
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
    return Placed("amazon", name, total, dict(units), cancelled, dict(+off), less, 0, remitted)


def believed(state: State) -> dict[str, OrderState]:
    """Mainstay's orders, by the id that it shows."""
    sql = "SELECT orders.body, event.body FROM orders LEFT JOIN event ON event.seq = orders.heard"
    return {one.uid: one for one in (order_of(body, heard) for body, heard in state.connection.execute(sql))}


def shipped(cast: Cast, by: str = "sku") -> dict[str, Counter[str]]:
    """Units that left the warehouse, by order id and SKU (or `by` another field of an item); voided labels do not count."""
    found: dict[str, Counter[str]] = {}
    for shipment in cast.warehouse.shipments:
        if not shipment["voided"]:
            uid = "ord." + shipment["orderKey"].split(".", 1)[1].rpartition(".")[0]
            units = found.setdefault(uid, Counter())
            for item in shipment["shipmentItems"]:
                units[item[by]] += item["quantity"]
    return found


Shown = Callable[[str, str], int | None]  # (channel, SKU) -> what it may show; None where it does not list the SKU


def compare(cast: Cast, counters: Counters, story: Story, state: State, shown: Shown) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The figures of the report, and the cases behind each that is not zero."""
    found = Findings()
    orders, belief, parcels = placed(cast, counters), believed(state), shipped(cast)
    left = {one.uid: _left(one, parcels) for one in orders}
    _orders(found, orders, belief, left)
    _stock(found, orders, belief, left, story, cast, state)
    _phantoms(found, orders, belief, parcels, cast)
    _addresses(found, belief, cast, state)
    people.differ(found.add, cast, belief, state)
    _levels(found, cast, state, shown)
    _money(found, orders, belief, left, cast, state)
    _erp(found, orders, belief, left, cast)
    _refunds(found, orders, belief, cast, state)
    booked = cast.erp.sales()
    whole = (one.uid for one in orders if one.uid in booked and not one.off and left[one.uid] == Counter(one.units))
    bills.differ(found.add, cast, belief, state, whole)
    bills.balances_differ(found.add, cast, state)
    came_back = _returns(found, cast)
    _confirmed(found, orders, belief, parcels, cast)
    _effects(found, cast)
    figures = found.figures
    result = {
        "orders": {"placed": len(orders), **_of(figures, *MUST_BE_ZERO["orders"])},
        "stock": {
            "refused_asked_first": counters.refused,
            **_of(figures, "oversold_units_autonomous", "waiting_units", *MUST_BE_ZERO["stock"]),
        },
        "money": _of(figures, *MUST_BE_ZERO["money"]),
        "effects": {"sent": sent(cast), **_of(figures, *MUST_BE_ZERO["effects"])},
        "erp": {"returned_units": came_back, **_of(figures, *MUST_BE_ZERO["erp"])},
        "named": dict(Counter(found_by.what for one in belief.values() if (found_by := blocker(one)) is not None)),
        "statuses": dict(Counter(one.status for one in belief.values())),
    }
    return result, {name: itemised(cases) for name, cases in found.cases.items()}


MUST_BE_ZERO: dict[str, tuple[str, ...]] = {  # at every fault level
    "orders": (
        "lost",
        "duplicated",
        "stuck_unnamed",
        "shipped_unpaid",
        "phantom",
        "misaddressed",
        "cancelled_though_paid",
        "owners_differ",
    ),
    "stock": ("oversold_units_asked_first", "negative_commits", "levels_wrong", "prices_wrong", "on_hand_differs"),
    "money": (
        "captured_twice",
        "unbalanced_entries",
        "unexplained_minor_units",
        "authorisations_left",
        "refunds_differ",
        "parts_differ",
        "uncovered_unnamed",
        "kept_unnamed",
        "disputes_differ",
    ),
    "effects": ("repeated_at_receiver", "unconfirmed_shipments"),
    "erp": ("missing_sales", "doubled_sales", "total_mismatches", "missing_returns", "doubled_returns", "return_mismatches"),
}


def sent(cast: Cast) -> int:
    """Effects that stand in the books of the receivers."""
    listed = len(cast.payments.effects) + len(cast.warehouse.effects) + sum(what != "move" for what, _, _ in cast.erp.effects)
    return listed + len(cast.shop.level_history) + len(cast.amazon.level_history) + (cast.shop.effects + cast.amazon.effects).total()


def is_named(order: OrderState) -> bool:
    """Does the order wait for something that has a name and an owner, and not just for the next step?"""
    what = blocker(order)
    return what is not None and what.what not in ("waiting", "shipping", "payment")


def _waits_for(order: OrderState, *causes: str) -> bool:
    """Is one of these shown to need somebody?"""
    rejected = {effect.outcome for effect in order.effects.values()} & {"rejected"}
    disputed = {"dispute" for dispute in order.disputes.values() if dispute.status == "needs_response"}
    return bool({*order.holds, *rejected, *disputed} & {*causes}) and blocker(order) is not None


def _of(figures: Mapping[str, int], *names: str) -> dict[str, int]:
    return {name: figures.get(name, 0) for name in names}


def _left(one: Placed, parcels: Mapping[str, Counter[str]]) -> Counter[str]:
    """Units of an order that are with the buyer or on their way."""
    left = parcels.get(one.uid, Counter())
    return left + Counter(one.units) if one.handed_over else left


def _orders(found: Findings, orders: Iterable[Placed], belief: Mapping[str, OrderState], left: Mapping[str, Counter[str]]) -> None:
    for one in orders:
        known = belief.get(one.uid)
        if known is None:
            found.add("lost", 1, f"{one.uid}: in the channel's book, unknown to Mainstay")
            continue
        beyond = left[one.uid] - Counter(one.units)
        if beyond - Counter(one.off) or (beyond and not is_named(known)):  # it may have left before anybody could say that it should not
            found.add("duplicated", 1, f"{one.uid}: shipped {dict(left[one.uid])}, ordered {one.units}, taken off {one.off}")
        if known.cancel == "not paid in time" and not one.unpaid and not one.lapsed:
            found.add("cancelled_though_paid", 1, f"{one.uid}: its buyer had paid")
        if one.unpaid and left[one.uid]:
            found.add("shipped_unpaid", 1, f"{one.uid}: {dict(left[one.uid])} left, and nobody has paid")
        if known.status not in ("settled", "cancelled") and not is_named(known):
            what = blocker(known)
            found.add("stuck_unnamed", 1, f"{one.uid}: {known.status}, waits for {what.detail if what else 'nothing that is known'}")


def _stock(
    found: Findings, orders: Iterable[Placed], belief: Mapping[str, OrderState], left: Mapping[str, Counter[str]], story: Story, cast: Cast,
    state: State,
) -> None:  # fmt: skip
    """Oversold: sold and not cancelled, but not there. Whoever asked first and got less than was confirmed is the one we promised to; of
    what others sold a part may lie on the ERP's shelf and wait for something that has a name."""
    shelf = {sku: cast.erp.on_hand(sku) for sku in cast.shop.variants}
    for one in orders:
        if one.cancelled:  # by its channel's own book: what only we have given up is still promised there
            continue
        cause = _cause(belief.get(one.uid))
        for sku, missing in (Counter(one.units) - left[one.uid]).items():
            if one.channel in ASKS_FIRST:
                found.add("oversold_units_asked_first", missing, f"{one.uid}: {missing} of {sku} sold and not handed over; {cause}")
                continue
            there = min(missing, shelf.get(sku, 0))
            if there:
                shelf[sku] -= there
                found.add("waiting_units", there, f"{one.uid}: {there} of {sku} on the shelf and not sent; {cause}")
            if missing > there:
                found.add("oversold_units_autonomous", missing - there, f"{one.uid}: {missing - there} of {sku} sold, not there; {cause}")
    gone: Counter[str] = Counter()
    for units in left.values():
        gone.update(units)
    arrived = Counter({product.sku: product.stock for product in story.products})
    for what, sku, delta in cast.erp.effects:
        if what == "move":
            arrived[sku] += max(0, int(delta))  # what a count misses later did arrive
    for came in cast.erp.returned().values():
        arrived.update(came)
    for sku, excess in (gone - arrived).items():
        found.add("oversold_units_asked_first", excess, f"{sku}: {excess} more units left than ever arrived")
    broken = rows(state.connection, "SELECT id FROM stock WHERE on_hand < 0 OR allocated + reserved > on_hand + deficit OR allocated < 0")
    for (number,) in broken:
        found.add("negative_commits", 1, f"stock row {number}")
    for channel, history in (("shop", cast.shop.level_history), ("amazon", cast.amazon.level_history)):
        for sku, quantity, _ in history:
            if quantity < 0:
                found.add("negative_commits", 1, f"{channel} was told {quantity} of {sku}")


def _cause(known: OrderState | None) -> str:
    """What Mainstay says that an order waits for."""
    what = blocker(known) if known is not None else None
    return f"{known.status}, {what.what}: {what.detail}" if known and what else known.status if known else "unknown to Mainstay"


def _phantoms(
    found: Findings, orders: Sequence[Placed], belief: Mapping[str, OrderState], parcels: Mapping[str, Counter[str]], cast: Cast
) -> None:
    """What stands somewhere and was sold nowhere."""
    sold, intents = {one.uid for one in orders}, {one.intent for one in orders}
    for uid in belief.keys() - sold:
        found.add("phantom", 1, f"{uid}: known to Mainstay, in no channel's book")
    for uid in parcels.keys() - sold:
        found.add("phantom", 1, f"{uid}: left the warehouse, in no channel's book")
    for uid in cast.erp.sales().keys() - sold - _refunded_at_the_shop(cast).keys():
        found.add("phantom", 1, f"{uid}: in the ERP, in no channel's book")
    for what, intent, amount in cast.payments.effects:
        if what == "capture" and intent not in intents:
            found.add("phantom", 1, f"{intent}: {amount} captured for no order")


def _addresses(found: Findings, belief: Mapping[str, OrderState], cast: Cast, state: State) -> None:
    """Each order of the shop goes to the address that it has there now, whatever else its buyer has ordered; what left before that was
    known is named. Of who was erased no address is known any more."""
    erased = people.erased(belief, state)
    now = {f"ord.shop.{number}": order["shipping_address"]["address1"] for number, order in cast.shop.orders.items()}
    now = {uid: street for uid, street in now.items() if uid in belief and belief[uid].subject not in erased}
    waiting = [(key, one["shipTo"]) for key, one in cast.warehouse.released.items() if one["items"] and one["orderStatus"] in OPEN]
    left = [(one["orderKey"], one["shipTo"]) for one in cast.warehouse.shipments if not one["voided"]]
    for number, (key, to) in enumerate([*waiting, *left]):
        uid = "ord." + key.split(".", 1)[1].rpartition(".")[0]
        named = number >= len(waiting) and uid in belief and is_named(belief[uid])
        if uid in now and to.get("street1") != now[uid] and not named:
            found.add("misaddressed", 1, f"{key}: goes to {to.get('street1')}, it is to go to {now[uid]}")


def _levels(found: Findings, cast: Cast, state: State, shown: Shown) -> None:
    """What channels show against what they may, and our shelf against the ERP's."""
    for channel, twin in (("shop", cast.shop), ("amazon", cast.amazon)):
        for sku in cast.shop.variants:
            may = shown(channel, sku)
            if may is None and cast.erp.on_hand(sku):
                found.add("levels_wrong", 1, f"{channel} is not told of {sku}, of which the ERP has {cast.erp.on_hand(sku)}")
            if may is not None and twin.available(sku) != may:
                found.add("levels_wrong", 1, f"{channel} shows {twin.available(sku)} of {sku}, it may show {may}")
    known = Counter(str(sku) for (sku,) in rows(state.connection, "SELECT sku FROM item"))
    for sku in cast.shop.variants:
        if known[sku] != 1:
            found.add("on_hand_differs", 1, f"{sku}: {known[sku]} items are known by it")
    for channel, prices in (("shop", cast.shop.variants), ("amazon", cast.amazon.listings)):
        for sku, listed in prices.items():
            if (cost := cast.erp.price_minor(sku)) != listed.price_minor:
                found.add("prices_wrong", 1, f"{channel} sells {sku} for {listed.price_minor}, its price is {cost}")
    standing = "CASE WHEN on_hand > 0 THEN on_hand ELSE allocated + reserved - deficit END"  # below zero where more left than had come
    sql = f"SELECT item.sku, stock.id % 256, {standing}, unbooked FROM stock JOIN item ON item.id = stock.id / 256"
    names = places(state)
    ours = {(sku, names.get(place, "")): (units, unbooked) for sku, place, units, unbooked in rows(state.connection, sql)}
    theirs = {(sku, place): cast.erp.on_hand(sku, place) for sku in cast.shop.variants for place in cast.erp.warehouses}
    for sku, place in sorted(ours.keys() | theirs.keys()):
        units, unbooked = ours.get((sku, place), (0, 0))
        if units + unbooked != (there := theirs.get((sku, place), 0)):
            told = f"{units} on our shelf and {unbooked} not booked yet, {there} in the ERP"
            found.add("on_hand_differs", 1, f"{sku} at {place}: {told}")


def _confirmed(
    found: Findings, orders: Iterable[Placed], belief: Mapping[str, OrderState], parcels: Mapping[str, Counter[str]], cast: Cast
) -> None:
    """A channel that sells on its own knows of every unit that left for its orders, and of which line, or the order says why not."""
    left = shipped(cast, "lineItemKey")
    for one in orders:
        if not parcels.get(one.uid) or one.channel not in ("shop", "amazon"):
            continue
        told: Counter[str] = Counter()
        if one.channel == "shop":
            for parcel in cast.shop.orders[int(one.external)]["fulfillments"]:
                told.update({str(line["id"]): line["quantity"] for line in parcel["line_items"]})
        else:
            items = cast.amazon.orders[one.external]["orderItems"]
            told.update({item["orderItemId"]: item["fulfillment"]["quantityFulfilled"] for item in items})
        untold = left[one.uid] - told
        known = belief.get(one.uid)
        if untold and not (known is not None and blocker(known) is not None):
            found.add(
                "unconfirmed_shipments", untold.total(), f"{one.uid}: {dict(untold)} left, by line, that {one.channel} was not told of"
            )


def _money(
    found: Findings, orders: Iterable[Placed], belief: Mapping[str, OrderState], left: Mapping[str, Counter[str]], cast: Cast, state: State
) -> None:
    """Captures by the provider's books; postings by the channels' totals. Every order's receivable must be what its channel says."""
    taken = Counter(intent for what, intent, _ in cast.payments.effects if what == "capture")
    for intent, times in taken.items():
        if times > 1:
            found.add("captured_twice", times - 1, f"{intent}: captured {times} times")
    owed = receivables(state)
    for one in orders:
        known = belief.get(one.uid)
        if known is None:
            continue
        want = 0 if known.status == "cancelled" else one.total - one.remitted
        have = owed.get(known.id, 0)
        if have != want:
            found.add("unexplained_minor_units", abs(have - want), f"{one.uid}: the channel states {want}, the ledger holds {have}")
        captured = sum(amount for what, intent, amount in cast.payments.effects if what == "capture" and intent == one.intent)
        returned = sum(refund["amount"] for refund in cast.payments.refunds.values() if refund["payment_intent"] == one.intent)
        kept = captured - (returned if known.status == "cancelled" else one.repaid)
        rest = max(0, one.due - one.gift_cards)
        due = rest if known.status == "settled" else 0 if known.status == "cancelled" else captured and rest
        if _waits_for(known, "payment_lost", "payment_currency", "money_kept", "rejected"):
            due = kept  # somebody else took it, or a part of it: that must have a name
        held = min(kept, captured - returned)  # what was given back for any other reason is not kept either
        over = held - due if known.status in ("shipped", "invoiced", "settled", "cancelled") else max(0, kept - one.total + one.gift_cards)
        unnamed = (over > 0) != ("overpaid" in known.holds) and not _waits_for(known, "cancelled_after_shipment")
        if one.intent and (kept < due or unnamed):
            found.add("unexplained_minor_units", abs(kept - due), f"{one.uid}: {known.status}, {kept} of {due} kept at the provider")
        if one.intent and known.status == "cancelled" and cast.payments.intents[one.intent]["status"] == "requires_capture":
            found.add("authorisations_left", 1, f"{one.uid}: cancelled, and {one.intent} still holds the buyer's money")
    _uncovered(found, orders, belief, cast)
    _kept_at_the_shop(found, orders, belief, cast)
    _disputes(found, orders, belief, cast, state)
    for rule, name in CONSERVED.items():
        for row in state.rows(name):
            found.add("unbalanced_entries", 1, f"not so: {rule}: {row}")


def _uncovered(found: Findings, orders: Iterable[Placed], belief: Mapping[str, OrderState], cast: Cast) -> None:
    """An order whose payment has gone before all of it was taken is not sent as if nothing were: it has a name."""
    for one in orders:
        known = belief.get(one.uid)
        if known is None or not one.intent or known.status in ("cancelled", "settled") or known.cancel:
            continue
        intent = cast.payments.intents[one.intent]
        gone = intent["status"] == "canceled" or (intent["status"] == "succeeded" and intent["amount_received"] < one.due - one.gift_cards)
        if gone and not is_named(known):
            found.add("uncovered_unnamed", 1, f"{one.uid}: {_cause(known)}; and {one.intent} is {intent['status']}")


def _kept_at_the_shop(found: Findings, orders: Iterable[Placed], belief: Mapping[str, OrderState], cast: Cast) -> None:
    """What the shop's own provider or gift cards paid of a cancelled order is its buyer's: it has a name until it is given back."""
    for one in orders:
        known = belief.get(one.uid)
        if one.channel != "shop" or known is None or known.status != "cancelled":
            continue
        kept, named = bills.held_at_the_shop(cast, int(one.external)), "money_kept" in known.holds
        if (kept > 0) != named and not (named and one.intent):  # a provider may hold some, too
            found.add("kept_unnamed", 1, f"{one.uid}: cancelled, {kept} are kept at the shop; {known.holds}")


def _disputes(found: Findings, orders: Iterable[Placed], belief: Mapping[str, OrderState], cast: Cast, state: State) -> None:
    """What a bank has taken back stands in the ledger until the shop has won it; who is to answer is named."""
    sql = """
    SELECT entity, sum(CASE WHEN credit.name LIKE 'psp:%' THEN amount ELSE -amount END)
    FROM transfer JOIN account AS credit ON credit.id = transfer.credit WHERE what = 'disputed' GROUP BY entity"""
    taken: dict[int, int] = dict(rows(state.connection, sql))
    for one in orders:
        known = belief.get(one.uid)
        of = [dispute for dispute in cast.payments.disputes.values() if dispute["payment_intent"] == one.intent]
        if known is None or not of:
            continue
        back = sum(dispute["amount"] for dispute in of if dispute["status"] != "won")
        if taken.get(known.id, 0) != back:
            found.add("disputes_differ", 1, f"{one.uid}: {back} taken by its bank, {taken.get(known.id, 0)} in the ledger")
        if any(dispute["status"] == "needs_response" for dispute in of) and not _waits_for(known, "dispute"):
            found.add("disputes_differ", 1, f"{one.uid}: its bank waits for an answer, and nobody is told")


def receivables(state: State) -> dict[int, int]:
    """What each order was charged, in minor units: what stands against its channel's receivable, but for payments."""
    sql = """
    SELECT transfer.entity, sum(CASE WHEN debit.name LIKE 'receivable:%' THEN amount ELSE -amount END)
    FROM transfer JOIN account AS debit ON debit.id = transfer.debit JOIN account AS credit ON credit.id = transfer.credit
    WHERE what NOT IN ('gift_cards', 'captured', 'refunded', 'given_back', 'fee', 'at_source', 'cancelled')
    AND (debit.name LIKE 'receivable:%' OR credit.name LIKE 'receivable:%')
    GROUP BY transfer.entity"""
    return dict(rows(state.connection, sql))


def _erp(found: Findings, orders: Iterable[Placed], belief: Mapping[str, OrderState], left: Mapping[str, Counter[str]], cast: Cast) -> None:
    """Each order that left as a whole is booked once, for what is due. Of one that was cancelled after a part of it was taken off nobody
    can tell from its channel's book which part that was: what left of it is held, and a person's."""
    made = Counter(reference for what, reference, how in cast.erp.effects if what == "sale" and how == "created")
    totals = cast.erp.totals()
    for one in orders:
        known = belief.get(one.uid)
        a_persons = one.cancelled and one.off and known is not None and "cancelled_after_shipment" in known.holds
        complete = bool(left[one.uid]) and left[one.uid] == Counter(one.units) and not (a_persons and not made[one.uid])
        if made[one.uid] > 1:
            found.add("doubled_sales", made[one.uid] - 1, f"{one.uid}: {made[one.uid]} sales")
        if complete and not made[one.uid]:
            found.add("missing_sales", 1, f"{one.uid}: shipped, but not in the ERP")
        elif complete and minor(str(invoiced := totals.get(one.uid, 0)), CURRENCY) != one.due:
            found.add("total_mismatches", 1, f"{one.uid}: {one.due} is due at the channel, the ERP invoiced {invoiced}")
        elif complete and Counter(sold := cast.erp.sold(one.uid)) != Counter(one.units):
            found.add("total_mismatches", 1, f"{one.uid}: {one.units} left, {sold} are booked in the ERP")


def _refunds(found: Findings, orders: Iterable[Placed], belief: Mapping[str, OrderState], cast: Cast, state: State) -> None:
    """What was given back, by the book of whoever holds the payment; told by two systems or by one, it stands in the ledger once."""
    posted = refunded(state)
    for one in orders:
        known = belief.get(one.uid)
        if known is None:
            continue
        back = sum(refund["amount"] for refund in cast.payments.refunds.values() if refund["payment_intent"] == one.intent)
        if one.channel == "shop" and not one.intent:
            back = sum(
                cast.shop.given_back(refund) - bills.to_gift_card(refund) for refund in cast.shop.orders[int(one.external)]["refunds"]
            )
            given = sum(cast.shop.given_back(refund) for refund in cast.shop.orders[int(one.external)]["refunds"])
            if (given > one.total) != ("over_refunded" in known.holds):
                found.add("refunds_differ", given, f"{one.uid}: {given} given back of {one.total}, its holds are {list(known.holds)}")
        have = posted.get(known.id, 0)
        if have != back:
            found.add("refunds_differ", abs(have - back), f"{one.uid}: {back} given back, {have} in the ledger")


def refunded(state: State) -> dict[int, int]:
    """What was given back for each order, in minor units, as the ledger has it."""
    sql = """
    SELECT transfer.entity, sum(CASE WHEN credit.name LIKE 'psp:%' THEN amount ELSE -amount END)
    FROM transfer JOIN account AS credit ON credit.id = transfer.credit WHERE what IN ('refunded', 'given_back') GROUP BY transfer.entity"""
    return dict(rows(state.connection, sql))


def _returns(found: Findings, cast: Cast) -> int:
    """Units that went back on the shelf by the shop's book: each refund that says so is booked once in the ERP, where its sale is."""
    made = Counter(reference for what, reference, how in cast.erp.effects if what == "sale" and how == "created")
    booked, credited, total = cast.erp.returned(), cast.erp.totals(), 0
    for name, (units, given) in _refunded_at_the_shop(cast).items():
        due = bool(units) and name.partition(".return.")[0] in credited
        total += units.total() if due else 0
        if not due and made[name]:
            found.add("return_mismatches", 1, f"{name}: booked, but nothing went back on the shelf")
        elif due and not made[name]:
            found.add("missing_returns", units.total(), f"{name}: {dict(units)} went back on the shelf, and the ERP was not told")
        elif made[name] > 1:
            found.add("doubled_returns", made[name] - 1, f"{name}: {made[name]} returns")
        elif due and (booked.get(name) != units or minor(str(-credited.get(name, 0)), CURRENCY) != given):
            found.add("return_mismatches", 1, f"{name}: {dict(units)} for {given}, in the ERP {booked.get(name)} for {credited.get(name)}")
    return total


def _refunded_at_the_shop(cast: Cast) -> dict[str, tuple[Counter[str], int]]:
    """(units that went back on the shelf by SKU, what was given back) of each refund, by the name that its return has in the ERP."""
    found = {}
    for number, order in cast.shop.orders.items():
        sku = {line["id"]: line["sku"] for line in order["line_items"]}
        for refund in order["refunds"]:
            units: Counter[str] = Counter()
            for line in refund["refund_line_items"]:
                if line["restock_type"] == "return":
                    units[sku[line["line_item_id"]]] += line["quantity"]
            given = cast.shop.given_back(refund)
            found[f"ord.shop.{number}.return.{refund['id']}"] = (units, given)
    return found


def _effects(found: Findings, cast: Cast) -> None:
    """Effects that happened twice at a receiver, beyond what its own idempotency absorbed."""
    labels: Counter[str] = Counter()
    for what, key, units in cast.warehouse.effects:
        if what == "label":
            labels[key] += int(units)
    ordered = {
        f"{release}/{item['lineItemKey']}": item["quantity"]
        for release, order in cast.warehouse.released.items()
        for item in order["items"]
    }
    for key, units in labels.items():
        if units > ordered.get(key, 0):
            found.add("repeated_at_receiver", units - ordered.get(key, 0), f"warehouse: {units} labels for {key}")
    for what, key, _ in (*cast.payments.effects, *cast.erp.effects):
        if what in ("cancel", "refund", "shipment", "return", "invoice"):
            labels[f"{what} {key}"] += 1
            if labels[f"{what} {key}"] > 1:
                found.add("repeated_at_receiver", 1, f"{what} of {key} twice")
    for name, counted in (("shop", cast.shop.effects), ("amazon", cast.amazon.effects)):
        for effect, times in counted.items():
            if times > 1 and not effect.startswith(("key:", "feed:")):
                found.add("repeated_at_receiver", times - 1, f"{name}: {effect} {times} times")
