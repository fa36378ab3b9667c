"""The report: the twins' books compared with each other and with Mainstay's belief. Nothing here is a counter of Mainstay's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from mainstay.model.money import minor
from mainstay.model.state import OrderState
from mainstay.model.times import micros
from mainstay.orders.view import blocker
from mainstay.proof import bills, goods, payments, people
from mainstay.proof.goods import Shown
from mainstay.proof.history import CURRENCY, Story
from mainstay.proof.play import Cast, Counters
from mainstay.proof.truth import Findings, Placed, believed, is_named, itemised, left_by_store, left_of, placed, shipped
from mainstay.storage.state import State


def compare(
    cast: Cast, counters: Counters, story: Story, state: State, shown: Shown, *, priced_by: str, described_by: str
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The figures of the report, and the cases behind each that is not zero. `priced_by`: whose prices are right; `described_by`: whose
    words for an item."""
    found = Findings()
    orders, belief, parcels = placed(cast, counters), believed(state), shipped(cast)
    left = {one.uid: left_of(one, parcels) for one in orders}
    _orders(found, orders, belief, left)
    goods.oversold(found, orders, belief, left, story, cast, state)
    _phantoms(found, orders, belief, parcels, cast)
    goods.misaddressed(found, belief, cast, state)
    people.differ(found.add, cast, belief, state)
    goods.levels_differ(found, cast, state, shown, counters.lacks)
    goods.left_elsewhere(found, belief, cast, state)
    goods.prices_differ(found, cast, priced_by)
    goods.titles_differ(found, cast, state, described_by)
    payments.differ(found, orders, belief, left, cast, state)
    if "erp" not in counters.lacks:
        _erp(found, orders, belief, left, cast, counters.before)
    payments.refunds_differ(found, orders, belief, cast, state)
    booked = cast.erp.sales()
    whole = (one.uid for one in orders if one.uid in booked and not one.off and left[one.uid] == Counter(one.units))
    bills.differ(found.add, cast, belief, state, whole)
    bills.balances_differ(found.add, cast, state)
    came_back = 0 if "erp" in counters.lacks else _returns(found, cast, counters)
    goods.unconfirmed(found, orders, belief, parcels, cast)
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
    "stock": (
        "oversold_units_asked_first",
        "negative_commits",
        "levels_wrong",
        "prices_wrong",
        "titles_wrong",
        "on_hand_differs",
        "left_elsewhere",
    ),
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
    "erp": (
        "missing_sales",
        "doubled_sales",
        "total_mismatches",
        "booked_elsewhere",
        "missing_returns",
        "doubled_returns",
        "return_mismatches",
    ),
}


def sent(cast: Cast) -> int:
    """Effects that stand in the books of the receivers."""
    listed = len(cast.payments.effects) + len(cast.warehouse.effects) + sum(what != "move" for what, _, _ in cast.erp.effects)
    return listed + len(cast.shop.level_history) + len(cast.amazon.level_history) + (cast.shop.effects + cast.amazon.effects).total()


def _of(figures: Mapping[str, int], *names: str) -> dict[str, int]:
    return {name: figures.get(name, 0) for name in names}


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


def _erp(
    found: Findings, orders: Iterable[Placed], belief: Mapping[str, OrderState], left: Mapping[str, Counter[str]], cast: Cast,
    before: Collection[str],
) -> None:  # fmt: skip
    """Each order that left as a whole is booked once, for what is due; not one of `before`, which is in the opening balance. Of one that
    was cancelled after a part of it was taken off nobody can tell from its channel's book which part that was: what left of it is held,
    and a person's."""
    made = Counter(reference for what, reference, how in cast.erp.effects if what == "sale" and how == "created")
    totals, stores, booked = cast.erp.totals(), left_by_store(cast), cast.erp.left("Mainstay")
    for one in orders:
        known = belief.get(one.uid)
        a_persons = one.cancelled and one.off and known is not None and "cancelled_after_shipment" in known.holds
        if one.by_line and known is not None and "shipped_after_cancel" in known.holds:
            a_persons = True  # the unit of the other line left
        complete = bool(left[one.uid]) and left[one.uid] == Counter(one.units) and not (a_persons and not made[one.uid])
        if one.uid in before:
            if made[one.uid]:
                found.add("doubled_sales", made[one.uid], f"{one.uid}: in the ERP's opening balance, and booked")
            continue
        if made[one.uid] > 1:
            found.add("doubled_sales", made[one.uid] - 1, f"{one.uid}: {made[one.uid]} sales")
        if complete and not made[one.uid]:
            found.add("missing_sales", 1, f"{one.uid}: shipped, but not in the ERP")
        elif complete and minor(str(invoiced := totals.get(one.uid, 0)), CURRENCY) != one.due:
            found.add("total_mismatches", 1, f"{one.uid}: {one.due} is due at the channel, the ERP invoiced {invoiced}")
        elif complete and Counter(sold := cast.erp.sold(one.uid)) != Counter(one.units):
            found.add("total_mismatches", 1, f"{one.uid}: {one.units} left, {sold} are booked in the ERP")
        elif complete and not one.handed_over and (sent := stores.get(one.uid)) != (there := booked.get(one.uid)):
            found.add("booked_elsewhere", 1, f"{one.uid}: left as {sent}, booked in the ERP as {there}")


def _returns(found: Findings, cast: Cast, counters: Counters) -> int:
    """Units that went back on the shelf by the shop's book: each refund that says so is booked once in the ERP, where its sale is; or where
    its order had left before there was an ERP, and the units came back since."""
    made = Counter(reference for what, reference, how in cast.erp.effects if what == "sale" and how == "created")
    booked, credited, total = cast.erp.returned(), cast.erp.totals(), 0
    for name, (units, given, at) in _refunded_at_the_shop(cast).items():
        sale = name.partition(".return.")[0]
        due = bool(units) and (sale in credited or (sale in counters.before and at >= counters.connected_at))
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


def _refunded_at_the_shop(cast: Cast) -> dict[str, tuple[Counter[str], int, int]]:
    """(units that went back on the shelf by SKU, what was given back, when in microseconds) of each refund, by the name that its return has
    in the ERP."""
    found = {}
    for number, order in cast.shop.orders.items():
        sku = {line["id"]: line["sku"] for line in order["line_items"]}
        for refund in order["refunds"]:
            units: Counter[str] = Counter()
            for line in refund["refund_line_items"]:
                if line["restock_type"] == "return":
                    units[sku[line["line_item_id"]]] += line["quantity"]
            given = cast.shop.given_back(refund)
            found[f"ord.shop.{number}.return.{refund['id']}"] = (units, given, micros(refund["created_at"]))
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
