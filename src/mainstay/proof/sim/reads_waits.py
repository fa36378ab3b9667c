"""What people are shown of how an order stands (its end, its holds, its blocker), as far as the outside systems' books bear it out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from mainstay.proof import bills
from mainstay.proof.history import CURRENCY
from mainstay.proof.payments import disputes_of, taken_back
from mainstay.proof.play import Cast
from mainstay.proof.sim.reads_orders import captured, given_back
from mainstay.proof.truth import Placed, left_of, shipped

OVER = ("settled", "cancelled")
LEFT = ("shipped", "invoiced", "settled")  # nothing more of it is to leave
FAILED = {"rejected", "unknown"}  # outcomes of an effect that need somebody
PLAIN = {"oversold", "payment", "shipping", "waiting"}  # what an order waits for of which nothing is wrong
Left = Counter[str]  # units that are with the buyer or on their way, by SKU


def of_waiting(answer: Any, one: Placed, cast: Cast, before: Collection[str], forgotten: bool) -> Iterator[str]:
    """What is shown otherwise than the books say. `before`: orders that had left before there was an ERP to book them. `forgotten`: its
    buyer was erased, and with them the address that a later one could be compared with."""
    left = left_of(one, shipped(cast))
    yield from _end(answer, one, left, one.uid in before or one.uid in cast.erp.totals(), cast)
    for hold, is_so in BORNE_OUT.items():
        so = None if forgotten and hold == "address_changed_late" else is_so(one, left, answer["status"], cast)
        if so is not None and (hold in answer["holds"]) != so:
            told = "is shown, and is not so" if hold in answer["holds"] else "is not shown, and is so"
            yield f"{answer['status']}, the hold {hold} {told}; {dict(left)} left of {one}"
    for hold in answer["holds"].keys() - BORNE_OUT.keys():
        if hold not in OF_WHAT_LEFT or not left:
            yield f"held for {hold}, of which the books know nothing; {dict(left)} left"
    yield from _blocker(answer, one, left, cast)


def _end(answer: Any, one: Placed, left: Left, booked: bool, cast: Cast) -> Iterator[str]:
    """Settled, it has left, is booked and paid; cancelled, it is so at its channel, and nothing of it left or is booked. And the other way
    round: what has left, is booked and paid, and of which nothing has failed, is settled."""
    status, wanted = answer["status"], +Counter(one.units)
    if status == "settled" and not booked:
        yield "settled, and not in the ERP"
    if status == "settled" and (wanted - left if not one.cancelled else wanted and not left):
        yield f"settled, and of {dict(wanted)} only {dict(left)} left"
    if status == "cancelled" and (booked or left):
        yield f"cancelled; {dict(left)} left, and it {'is' if booked else 'is not'} in the ERP"
    if status == "cancelled" and not one.cancelled and one.channel == "shop":
        yield "cancelled, and stands at its channel"  # Amazon lets nobody cancel for want of units
    if one.cancelled and wanted and not left and status != "cancelled":
        yield f"{status}, and cancelled at its channel"
    whole = bool(left) and booked and left == wanted and not one.cancelled
    paid = not one.unpaid and (not one.intent or captured(one, cast) >= one.due - one.gift_cards)
    if whole and paid and status != "settled" and not _failed(answer) and "payment_lost" not in answer["holds"]:
        yield f"{status}; it has left, is booked and paid"


def _blocker(answer: Any, one: Placed, left: Left, cast: Cast) -> Iterator[str]:
    """The gravest of what it waits for: a card holder's bank, what holds it, what failed; then the next step, if it is not over."""
    shown = answer["blocker"]["what"] if answer["blocker"] else ""
    if any(dispute["status"] == "needs_response" for dispute in disputes_of(one.intent, cast)):
        may = {"dispute"}
    elif answer["holds"]:
        may = set(answer["holds"])
    elif _failed(answer):
        may = {"rejected", "outcome_unknown"}
    else:
        may = {""} if answer["status"] in OVER else PLAIN
    if shown not in may:
        yield f"{answer['status']}, the blocker is {shown!r}, and not one of {sorted(may)}"
    if shown == "oversold" and not Counter(one.units) - left:
        yield f"oversold, and all left: {dict(left)}"
    if shown == "payment" and not one.unpaid:
        yield f"waits for a payment, and its buyer has paid: {one}"


def _failed(answer: Any) -> bool:
    return any(FAILED & {effect.get("outcome"), effect.get("again")} for effect in answer["effects"].values())


# --- holds: order, units that left, status as shown, books -> is it so? None where the books do not tell ----------------
def _is_lost(one: Placed, left: Left, status: str, cast: Cast) -> bool | None:
    """Nobody holds what is due any more. What only waits for its payment is not lost. Of a cancelled order due is what had left, which its
    gift card may cover."""
    if status in OVER:
        return False
    if one.cancelled and left and one.gift_cards:
        return None
    if not one.intent:
        return one.cancelled and bool(left) and one.channel == "amazon"  # which gives its buyer the money back
    return cast.payments.intents[one.intent]["currency"].upper() == CURRENCY and _has_gone(one, cast)


def _has_gone(one: Placed, cast: Cast) -> bool:
    held = cast.payments.intents[one.intent]
    part = held["status"] == "succeeded" and held["amount_received"] < one.due - one.gift_cards
    return bool(held["status"] == "canceled" or part)


def _is_foreign(one: Placed, _left: Left, status: str, cast: Cast) -> bool:
    return bool(one.intent) and cast.payments.intents[one.intent]["currency"].upper() != CURRENCY and status not in OVER


def _is_kept(one: Placed, _left: Left, status: str, cast: Cast) -> bool | None:
    """Money of a cancelled order at the shop, at the provider, or at a marketplace where it stands. What the shop has won back from a bank
    is asked of the provider, who refuses it: a dead letter tells of that."""
    if any(dispute["status"] == "won" for dispute in disputes_of(one.intent, cast)):
        return None
    at_the_shop = bills.held_at_the_shop(cast, int(one.external)) if one.channel == "shop" else 0
    at_the_provider = captured(one, cast) - sum(given_back(one, cast).values()) - taken_back(one.intent, cast)
    return status == "cancelled" and (at_the_shop > 0 or at_the_provider > 0 or (one.channel == "amazon" and not one.cancelled))


def _is_too_much(one: Placed, _left: Left, _status: str, cast: Cast) -> bool:
    """Only a shop that took the money itself lets people give back more than that."""
    at_the_shop = one.channel == "shop" and not one.intent
    return at_the_shop and sum(map(cast.shop.given_back, cast.shop.orders[int(one.external)]["refunds"])) > one.total


def _is_overpaid(one: Placed, _left: Left, status: str, cast: Cast) -> bool:
    """Of an order that was cancelled later, too: what is due of it is what had left."""
    kept = captured(one, cast) - sum(given_back(one, cast).values())
    due = 0 if one.cancelled and not any(one.units.values()) else max(0, one.due - one.gift_cards)
    return status in LEFT and bool(one.off) and bool(one.intent) and kept > due


def _strayed(one: Placed, _left: Left, _status: str, cast: Cast) -> bool:
    """Does a parcel that the warehouse was asked for go to another street than its order has now?"""
    if one.channel != "shop":
        return False
    now = cast.shop.orders[int(one.external)]["shipping_address"]["address1"]
    prefix = f"rel.{one.uid.removeprefix('ord.')}."
    asked = {key for key in cast.warehouse.released if key.startswith(prefix)}
    parcels = [parcel for parcel in cast.warehouse.shipments if parcel["orderKey"] in asked and not parcel["voided"]]
    return any(parcel["shipTo"].get("street1") != now for parcel in parcels)


def _left_cancelled(one: Placed, left: Left, _status: str, _cast: Cast) -> bool:
    """Cancelled after something had left; not where all of it had been taken off before, and nothing was sent."""
    return one.cancelled and bool(left)


def _left_taken_off(one: Placed, left: Left, status: str, _cast: Cast) -> bool | None:
    """Units that left and that nobody wants any more. What was taken off an order that Amazon cancelled later, its book does not say; which
    of two lines of one SKU left, no book of units."""
    if status == "cancelled" or not left:
        return False
    if one.by_line or (one.channel == "amazon" and one.cancelled):
        return None
    return bool(left - Counter(one.units))


BORNE_OUT: Mapping[str, Callable[[Placed, Left, str, Cast], bool | None]] = {  # shown where it is so, and nowhere else
    "payment_lost": _is_lost, "payment_currency": _is_foreign, "money_kept": _is_kept, "over_refunded": _is_too_much,
    "overpaid": _is_overpaid, "address_changed_late": _strayed, "cancelled_after_shipment": _left_cancelled,
    "shipped_after_cancel": _left_taken_off,
}  # fmt: skip
# Which units were set aside for an order, and what it was when it left, only we know: such a hold needs no more than that something left.
OF_WHAT_LEFT = ("shipped_beyond_allocation", "changed_after_shipment", "unknown_parcel_line")
