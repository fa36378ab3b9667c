"""What `trace` tells of an order, against the outside systems' own books: every number that it has there, and what happened there, with
nothing before what led to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mainstay.model.identity import release
from mainstay.model.times import HOUR, SECOND, micros
from mainstay.orders.moves import MOVES
from mainstay.proof.play import Cast
from mainstay.proof.truth import Placed

Number = tuple[str, str]  # what a system calls what, as `trace` names it, and the number
WRONG_BY_MAX = HOUR  # by which a clock of ours may have been set back meanwhile
NOT_ITS_OWN = {"erp/sale", "shop/customer"}  # a restored ERP gives numbers out again, and an order may pass to another customer
CALLED_OFF = "order-"  # begins what an order that the warehouse has closed is told as


def of_journey(found: Any, answer: Any, one: Placed, cast: Cast) -> Iterator[str]:
    """What a journey tells otherwise than it was. `answer` is what is shown of the order by itself."""
    if found["now"] != answer:
        yield f"now {found['now']}, the order by itself is {answer}"
    known, theirs = {(name["as"], name["id"]) for name in found["known_as"]}, dict(numbers(one, cast))
    if unknown := theirs.keys() - known:
        yield f"does not tell of {sorted(unknown)}"
    kinds = {kind for kind, _ in theirs} - NOT_ITS_OWN
    if strange := {name for name in known - theirs.keys() if name[0] in kinds and not name[1].startswith(CALLED_OFF)}:
        yield f"tells of {sorted(strange)}, which are not its own"
    yield from _steps(found["steps"], answer["status"])
    yield from _happened(found["steps"], theirs)


def numbers(one: Placed, cast: Cast) -> Iterator[tuple[Number, int]]:
    """Every number by which somebody outside knows an order or what became of it, with the moment at which that happened where a step is to
    tell of it, else 0. In microseconds."""
    if one.channel == "shop":
        order = cast.shop.orders[int(one.external)]
        yield ("shop/order", one.external), micros(order["created_at"])
        yield ("shop/order_name", order["name"]), 0
        yield ("shop/customer", str(order["customer"]["id"])), 0
        for kind, books in (("refund", order["refunds"]), ("fulfilment", order["fulfillments"])):
            yield from ((("shop/" + kind, str(book["id"])), micros(book["created_at"])) for book in books)
    else:
        placed_at = micros(cast.amazon.orders[one.external]["createdTime"]) if one.channel == "amazon" else 0
        yield (f"{one.channel}/order", one.external), placed_at
    if one.intent:
        yield from _at_the_provider(one.intent, cast)
    for key, order in cast.warehouse.released.items():
        if key == release(one.uid, int(key.rpartition(".")[2])):
            yield ("warehouse/release", str(order["orderId"])), 0
            for parcel in cast.warehouse.shipments:
                if parcel["orderKey"] == key:
                    yield ("warehouse/fulfilment", str(parcel["shipmentId"])), 1  # its clock has no zone
                    yield ("warehouse/tracking", parcel["trackingNumber"]), 0
    if sale := cast.erp.sales().get(one.uid):
        yield ("erp/sale", str(sale["number"])), 0


def _at_the_provider(intent: str, cast: Cast) -> Iterator[tuple[Number, int]]:
    held = cast.payments.intents[intent]
    yield ("payments/payment", intent), held["created"] * SECOND
    yield ("payments/payment", held["latest_charge"]), 0
    for kind, books in (("refund", cast.payments.refunds), ("dispute", cast.payments.disputes)):
        for name, book in books.items():
            if book["payment_intent"] == intent:
                yield ("payments/" + kind, name), book["created"] * SECOND


def _steps(steps: Any, status: str) -> Iterator[str]:
    """Nothing is answered before it is asked, and each move follows from the one before it, up to how the order stands."""
    asked, stands = set[str](), "new"
    for step in steps:
        if " was asked to " in step["what"]:
            asked.add(step["key"])
        elif step["what"].startswith("answered") and step["key"] not in asked:
            yield f"{step['key']} is answered before it is asked"
        elif step["what"].startswith("moved: "):
            stands = MOVES.get(stands, {}).get(step["what"].removeprefix("moved: "), f"{stands}, and cannot {step['what'][7:]}")
    if stands != status:
        yield f"its steps lead to {stands}, it is {status}"


def _happened(steps: Any, theirs: dict[Number, int]) -> Iterator[str]:
    """Whatever happened outside has a step, no earlier than it was. Of what came before its order, steps say when it came."""
    told: dict[Number, int] = {}
    for step in steps:
        system, said, what = step["what"].partition(" said ")
        if said:
            told.setdefault((f"{system}/{SAID.get(what, what)}", step.get("external", "")), micros(step["at"]))
    for name, at in theirs.items():
        if at and name not in told:
            yield f"no step tells of {name}"
        elif at and told[name] < at - WRONG_BY_MAX:
            yield f"{name} is told of at {told[name]}, and was at {at}"


SAID = {"OrderSeen": "order", "RefundSeen": "refund", "FulfilmentSeen": "fulfilment", "PaymentSeen": "payment", "DisputeSeen": "dispute"}
