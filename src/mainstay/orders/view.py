"""What people and other systems are told of an order: its commands, and what blocks it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from mainstay.model.commands import (
    AnyCommand,
    CancelOrder,
    CancelRelease,
    CapturePayment,
    ConfirmFulfilment,
    LeftFrom,
    OrderLine,
    PostReturn,
    PostSale,
    RefundPayment,
    ReleaseOrder,
    ReturnedLine,
    VoidPayment,
)
from mainstay.model.events import Asked
from mainstay.model.identity import release
from mainstay.model.money import major
from mainstay.model.objects import Line, Order, UnitsOf
from mainstay.model.state import OrderState
from mainstay.orders.payments import is_captured, owed


def command(state: OrderState, asked: Asked, at: int) -> AnyCommand:
    """The command of an effect that was asked; `at` is when, in microseconds."""
    assert state.order is not None
    return _COMMANDS[asked.command](state, state.order, asked, at)


def _release(state: OrderState, order: Order, asked: Asked, at: int) -> ReleaseOrder:
    return ReleaseOrder(
        key=asked.key, release=release(state.uid, int(asked.about)), number=order.number, channel=state.system, currency=order.currency,
        placed_at=order.placed_at, lines=_lines(order, asked.lines), total=order.total, tax=order.tax, shipping=order.shipping,
        ship_method=order.ship_method, subject=state.subject or None,
    )  # fmt: skip


def _cancel_release(state: OrderState, order: Order, asked: Asked, at: int) -> CancelRelease:
    releases = (effect for effect in state.effects.values() if effect.command == "ReleaseOrder" and effect.about == asked.about)
    reference = next((ref for effect in releases if (ref := effect.references.get("release"))), "")
    return CancelRelease(key=asked.key, release=release(state.uid, int(asked.about)), reference=reference, number=order.number)


def _capture(state: OrderState, order: Order, asked: Asked, at: int) -> CapturePayment:
    return CapturePayment(key=asked.key, payment=asked.about, amount=asked.amount, currency=order.currency, order=state.uid)


def _void(state: OrderState, order: Order, asked: Asked, at: int) -> VoidPayment:
    return VoidPayment(key=asked.key, payment=asked.about, reason=state.cancel)


def _refund(state: OrderState, order: Order, asked: Asked, at: int) -> RefundPayment:
    return RefundPayment(
        key=asked.key, payment=asked.about, amount=asked.amount, currency=order.currency, order=state.uid, reason=state.cancel
    )


def _confirm(state: OrderState, order: Order, asked: Asked, at: int) -> ConfirmFulfilment:
    parcel = state.parcels[asked.about]
    return ConfirmFulfilment(
        key=asked.key, order=state.external, fulfilment=asked.about, lines=asked.lines, shipped_at=parcel.at or at,
        carrier=parcel.carrier, service=parcel.service, tracking=parcel.tracking,
    )  # fmt: skip


def _cancel(state: OrderState, order: Order, asked: Asked, at: int) -> CancelOrder:
    return CancelOrder(key=asked.key, order=state.external, reason=asked.about)


def _sale(state: OrderState, order: Order, asked: Asked, at: int) -> PostSale:
    """What was shipped: units that were cancelled before they left are no part of the sale."""
    order = order.of(state.left())
    return PostSale(
        key=asked.key, reference=state.uid, number=order.number, channel=state.system, currency=order.currency, placed_at=order.placed_at,
        shipped_at=max((parcel.at for parcel in state.parcels.values()), default=at) or at,
        lines=tuple(_line(line, line.quantity) for line in order.lines if line.quantity),
        total=order.total, shipping=order.shipping, shipping_discount=order.shipping_discount, tax=order.tax,
        facilitator_tax=order.facilitator_tax, taxes_included=order.taxes_included, duties=order.duties, tip=order.tip,
        adjustment=order.adjustment, subject=state.subject or None,
    )  # fmt: skip


def located(state: OrderState, asked: Asked, made: AnyCommand, name_of: Callable[[int], str]) -> AnyCommand:
    """A command that says where units leave from, or have left from: of a sale the location that most of them left from, the first of
    several, and what left elsewhere. `name_of` gives the name of a location by its number."""
    if isinstance(made, ReleaseOrder) and asked.location:
        return replace(made, location=name_of(asked.location))
    if isinstance(made, PostSale):
        units: Counter[int] = Counter()
        for share in state.shares:
            units[share.location] += share.shipped
        if home := max(+units, key=lambda place: (units[place], -place), default=0):
            return replace(made, location=name_of(home), elsewhere=tuple(_elsewhere(state, home, name_of)))
    return made


def _elsewhere(state: OrderState, home: int, name_of: Callable[[int], str]) -> Iterator[LeftFrom]:
    assert state.order is not None
    lines = state.order.lines
    for share in state.shares:
        if share.shipped and share.location != home and share.line < len(lines):
            yield LeftFrom(line=lines[share.line].id, location=name_of(share.location), quantity=share.shipped)


def _return(state: OrderState, order: Order, asked: Asked, at: int) -> PostReturn:
    refund, lines = state.refunds[asked.about], {line.id: line for line in order.lines}
    given: dict[str, tuple[int, int, int]] = {}  # units, amount and tax by line
    for one in refund.back:
        units, amount, tax = given.get(one.line, (0, 0, 0))
        given[one.line] = (units + one.quantity, amount + one.amount, tax + one.tax)
    made = []
    for back in asked.lines:
        line, (units, amount, tax) = lines[back.line], given[back.line]
        made.append(
            ReturnedLine(
                id=line.id, sku=line.sku, quantity=back.quantity, amount=amount * back.quantity // units,
                tax=tax * back.quantity // units, title=line.title,
            )
        )  # fmt: skip
    return PostReturn(
        key=asked.key, reference=f"{state.uid}.return.{asked.about}", number=order.number, channel=state.system, currency=order.currency,
        returned_at=refund.at or at, lines=tuple(made), total=refund.amount, shipping=refund.shipping, taxes_included=order.taxes_included,
    )  # fmt: skip


_COMMANDS: dict[str, Callable[[OrderState, Order, Asked, int], AnyCommand]] = {
    "ReleaseOrder": _release,
    "CancelRelease": _cancel_release,
    "CapturePayment": _capture,
    "VoidPayment": _void,
    "RefundPayment": _refund,
    "ConfirmFulfilment": _confirm,
    "CancelOrder": _cancel,
    "PostSale": _sale,
    "PostReturn": _return,
}


def _lines(order: Order, units: tuple[UnitsOf, ...]) -> tuple[OrderLine, ...]:
    lines = {line.id: line for line in order.lines}
    return tuple(_line(lines[of.line], of.quantity) for of in units)


def _line(line: Line, quantity: int) -> OrderLine:
    return OrderLine(
        id=line.id, sku=line.sku, quantity=quantity, price=line.price, discount=line.discount, tax=line.tax,
        facilitator_tax=line.facilitator_tax, title=line.title,
    )  # fmt: skip


class Blocker(Struct, frozen=True):
    """What an order waits for, by a code of model.failures or a plain word, and whose it is."""

    what: str
    detail: str
    whose: str  # the name of a system, or "operations"


_WAITS = {
    "ReleaseOrder": "the warehouse's answer",
    "PostSale": "the ERP's booking",
    "PostReturn": "the ERP's booking of what came back",
    "CapturePayment": "the capture",
}


def missing(state: OrderState) -> dict[str, int]:
    """Units that an order waits for, by SKU."""
    lines = state.order.lines if state.order is not None else ()
    skus = {line.sku: item for item, line in zip(state.items, lines, strict=True)}
    return {sku: state.short[item] for sku, item in skus.items() if item in state.short}


def blocker(state: OrderState) -> Blocker | None:
    """Why an order does not move on, or what else of it needs somebody; None for one that has ended well."""
    for external, dispute in state.disputes.items():
        if dispute.status == "needs_response":
            return Blocker("dispute", f"{external} needs a response: {dispute.reason or 'no reason given'}", dispute.system)
    for what, detail in state.holds.items():
        return Blocker(what, detail, "operations")
    for key, effect in state.effects.items():
        if "rejected" in (effect.outcome, effect.again):
            return Blocker("rejected", f"{effect.command} {key}: {effect.why}", effect.system)
        if "unknown" in (effect.outcome, effect.again):
            return Blocker("outcome_unknown", f"{effect.command} {key} is being looked up", effect.system)
    if state.status in ("settled", "cancelled"):
        return None
    if state.short:
        told = ", ".join(f"{units} × {sku}" for sku, units in missing(state).items())
        return Blocker("oversold", f"sold but not there: {told}", "operations")
    for effect in state.effects.values():
        if effect.outcome == "asked":
            return Blocker("waiting", _WAITS.get(effect.command, f"the answer to {effect.command}"), effect.system)
    if state.status == "placed":
        return Blocker("payment", "nothing is authorised yet", next((p.system for p in state.payments.values()), state.system))
    if state.status in ("released", "part_shipped"):
        return Blocker(
            "shipping", "the warehouse has it", next((e.system for e in state.effects.values() if e.command == "ReleaseOrder"), "")
        )
    if state.status == "allocated":  # all of it is set aside, and nothing was asked: the shop names no warehouse for this channel
        return Blocker("shipping", "nobody is asked to ship: declare a warehouse, or ship and let the channel tell", "operations")
    if state.status == "invoiced" and state.order is not None and not is_captured(state):
        left, provider = major(owed(state), state.order.currency), next((p.system for p in state.payments.values()), state.system)
        return Blocker("payment", f"{left} {state.order.currency} is not taken yet", provider)
    return Blocker("waiting", f"{state.status}: the next step follows", "mainstay")
