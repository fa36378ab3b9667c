"""What people are shown of one order, against the outside systems' own books: what was given back, and each effect beyond our walls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from mainstay.model.identity import release
from mainstay.model.money import major
from mainstay.proof import bills
from mainstay.proof.history import CURRENCY
from mainstay.proof.play import Cast
from mainstay.proof.truth import Placed, left_of, shipped

Effect = Mapping[str, Any]  # as it is shown


def of_order(answer: Any, one: Placed, cast: Cast, lacks: Collection[str]) -> Iterator[str]:
    """What is shown of an order otherwise than it is, but for what only we decide. `lacks`: who of the cast is not there."""
    yield from _bill(answer, one, cast, one.channel if "warehouse" in lacks else "warehouse")
    yield from _refunds(answer, one, cast)
    yield from _effects(answer["effects"], one, cast)


def _bill(answer: Any, one: Placed, cast: Cast, sender: str) -> Iterator[str]:
    """Its total, lines, captures, and the parcels of whoever sends them."""
    if answer["total"] != f"{major(one.total, CURRENCY)} {CURRENCY}":
        yield f"total {answer['total']}, its channel states {one.total} minor units"
    units: Counter[str] = Counter()
    off = {line["sku"]: 0 for line in answer["lines"]}
    for line in answer["lines"]:
        units[line["sku"]] += line["quantity"]
        off[line["sku"]] += line["cancelled"]
    if units != Counter(one.units) + Counter(one.off):
        yield f"lines {dict(units)}, ordered were {one.units}, and {one.off} that were taken off"
    if not one.cancelled and +Counter(off) != +Counter(one.off):
        yield f"taken off are {off}, at the channel {one.off}"
    parcels = (parcel for parcel in answer["parcels"].values() if parcel["system"] == sender and parcel["status"] != "cancelled")
    left = sum(int(line["quantity"]) for parcel in parcels for line in parcel["units"])
    parcels_of = shipped(cast)
    sent = (parcels_of.get(one.uid, Counter()) if sender == "warehouse" else left_of(one, parcels_of)).total()
    if left != sent:
        yield f"{left} units in parcels of {sender}, {sent} left it"
    shown = sum(paid.get("captured", 0) for paid in answer["payments"].values() if paid["system"] == "payments")
    if one.intent and shown != captured(one, cast):
        yield f"{shown} captured, {captured(one, cast)} at the provider"


def captured(one: Placed, cast: Cast) -> int:
    """Minor units that were taken of an order's payment, by whomever."""
    return sum(amount for what, intent, amount in cast.payments.effects if what == "capture" and intent == one.intent)


def _refunds(answer: Any, one: Placed, cast: Cast) -> Iterator[str]:
    """Each refund of whoever holds the payment, and each that the shop tells of, with its amount."""
    told = {"payments": given_back(one, cast)}
    if one.channel == "shop":
        told["shop"] = {str(refund["id"]): cast.shop.given_back(refund) for refund in cast.shop.orders[int(one.external)]["refunds"]}
    for system, refunds in told.items():
        shown = {name: refund["amount"] for name, refund in answer["refunds"].items() if refund["system"] == system}
        if shown != refunds:
            yield f"refunds of {system} {shown}, it gave back {refunds}"
    cards = sum(refund.get("gift_cards", 0) for refund in answer["refunds"].values())
    if one.channel == "shop":
        back = sum(bills.to_gift_card(refund) for refund in cast.shop.orders[int(one.external)]["refunds"])
        if cards != back:
            yield f"{cards} given back on gift cards, {back} at the shop"
    total = sum(paid.get("refunded", 0) for paid in answer["payments"].values() if paid["system"] == "payments")
    if total != sum(told["payments"].values()):
        yield f"{total} refunded of its payments, {told['payments']} at the provider"


def given_back(one: Placed, cast: Cast) -> dict[str, int]:
    """What the provider gave back of an order's payment, by refund."""
    return {name: refund["amount"] for name, refund in cast.payments.refunds.items() if refund["payment_intent"] == one.intent}


def _effects(effects: Mapping[str, Effect], one: Placed, cast: Cast) -> Iterator[str]:
    """What is shown as done is there; and what stands in the books of who was asked is shown."""
    for key, effect in effects.items():
        if effect.get("outcome", "asked") == "done" and not effect.get("again") and not IS_THERE[effect["command"]](effect, key, one, cast):
            yield f"{effect['command']} {key} is shown as done, and is not at {effect['system']}"
    shown = Counter((effect["command"], effect.get("about", "")) for effect in effects.values())
    for command, about in _made(one, cast):
        if (command, about) not in shown:
            yield f"{command} of {about or one.uid} stands in its receiver's books, and is not shown"


def _made(one: Placed, cast: Cast) -> Iterator[tuple[str, str]]:
    """(command, what it is about) of each effect on an order in the books of who was asked. Captures and cancellations may be others'
    doing; a channel's parcels do not say whose confirmation they are."""
    for key in cast.warehouse.released:
        if key == release(one.uid, int(key.rpartition(".")[2])):
            yield "ReleaseOrder", key.rpartition(".")[2]
    for what, intent, _ in cast.payments.effects:
        if what == "cancel" and intent == one.intent:
            yield "VoidPayment", intent
    for reference in cast.erp.sales():
        if reference == one.uid:
            yield "PostSale", ""
        elif reference.startswith(f"{one.uid}.return."):
            yield "PostReturn", reference.rpartition(".")[2]
    for refund in cast.payments.refunds.values():
        if refund["payment_intent"] == one.intent and "mainstay_refund" in refund["metadata"]:
            yield "RefundPayment", one.intent


def _is_released(effect: Effect, _key: str, one: Placed, cast: Cast) -> bool:
    return release(one.uid, int(effect["about"])) in cast.warehouse.released


def _is_withdrawn(effect: Effect, _key: str, one: Placed, cast: Cast) -> bool:
    return bool(cast.warehouse.released[release(one.uid, int(effect["about"]))]["orderStatus"] == "cancelled")


def _is_captured(effect: Effect, _key: str, _one: Placed, cast: Cast) -> bool:
    return ("capture", effect["about"], effect["amount"]) in cast.payments.effects


def _is_let_go(effect: Effect, _key: str, _one: Placed, cast: Cast) -> bool:
    return bool(cast.payments.intents[effect["about"]]["status"] == "canceled")


def _is_given_back(effect: Effect, key: str, _one: Placed, cast: Cast) -> bool:
    return ("refund", key, effect["amount"]) in cast.payments.effects


def _is_confirmed(effect: Effect, _key: str, one: Placed, cast: Cast) -> bool:
    """The channel has a parcel with the number of the warehouse's."""
    tracking = next(parcel["trackingNumber"] for parcel in cast.warehouse.shipments if str(parcel["shipmentId"]) == effect["about"])
    if one.channel == "shop":
        return any(tracking in parcel["tracking_numbers"] for parcel in cast.shop.orders[int(one.external)]["fulfillments"])
    return any(parcel["trackingNumber"] == tracking for parcel in cast.amazon.orders[one.external]["packages"])


def _is_cancelled(_effect: Effect, _key: str, one: Placed, _cast: Cast) -> bool:
    return one.cancelled


def _is_booked(_effect: Effect, _key: str, one: Placed, cast: Cast) -> bool:
    return one.uid in cast.erp.totals()


def _is_returned(effect: Effect, _key: str, one: Placed, cast: Cast) -> bool:
    return f"{one.uid}.return.{effect['about']}" in cast.erp.returned()


IS_THERE: Mapping[str, Callable[[Effect, str, Placed, Cast], bool]] = {  # command -> does it stand at its receiver?
    "ReleaseOrder": _is_released, "CancelRelease": _is_withdrawn, "CapturePayment": _is_captured, "VoidPayment": _is_let_go,
    "RefundPayment": _is_given_back, "ConfirmFulfilment": _is_confirmed, "CancelOrder": _is_cancelled, "PostSale": _is_booked,
    "PostReturn": _is_returned,
}  # fmt: skip
