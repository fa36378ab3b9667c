"""Which effects may be made again at a system that has lost them: those that were done, that are still wanted, and that nothing has
followed which a repeat would undo or double. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from mainstay.model.state import EffectState, OrderState


class Stands(NamedTuple):
    """May it be made again (`yes`)? If not: is it over, as a later word took its place (`over`), or must a person look (`no`); and why."""

    how: Literal["yes", "over", "no"]
    why: str = ""


YES = Stands("yes")
_NOT_DONE = {
    "asked": Stands("no", "it is under way"),
    "unknown": Stands("no", "it is being looked up"),
    "rejected": Stands("no", "it was refused, and has a dead letter: retry that"),
    "replaced": Stands("over", "a later one took its place"),
    "waived": Stands("over", "a person has settled it otherwise"),
}


def stands(state: OrderState, key: str) -> Stands:
    """Whether an effect of this order may be made again."""
    effect = state.effects[key]
    if effect.outcome != "done":
        return _NOT_DONE[effect.outcome]
    if effect.again in ("asked", "unknown"):
        return Stands("no", "it is being looked for already")
    return _RULES.get(effect.command, _always)(state, key, effect)


def _always(_state: OrderState, _key: str, _effect: EffectState) -> Stands:
    return YES


def _release(state: OrderState, key: str, effect: EffectState) -> Stands:
    """Units that have left would be sent twice."""
    if state.cancel or f"{key}.withdraw" in state.effects:
        return Stands("over", "it was withdrawn")
    lines = {line.id: number for number, line in enumerate(state.order.lines)} if state.order is not None else {}
    of = {lines.get(units.line, -1) for units in effect.lines}
    shares = [share for share in state.shares if share.line in of and effect.location in (share.location, 0)]
    if not shares:
        return Stands("over", "its units are not set aside any more")
    if not any(share.shipped for share in shares) and not any(parcel.unknown for parcel in state.parcels.values()):
        return YES
    if all(share.shipped >= share.quantity for share in shares):
        return Stands("over", "its units have left")
    return Stands("no", "some of its units have left, and would be sent twice: release the rest by hand")


def _capture(state: OrderState, _key: str, effect: EffectState) -> Stands:
    if state.cancel or any(one.command == "RefundPayment" and one.about == effect.about for one in state.effects.values()):
        return Stands("over", "it was given back since")
    payment = state.payments.get(effect.about)
    if payment is not None and payment.captured >= effect.amount:
        return Stands("over", "the provider says that it was taken")
    return YES


def _refund(state: OrderState, _key: str, effect: EffectState) -> Stands:
    payment = state.payments.get(effect.about)
    if payment is not None and payment.refunded >= effect.amount:
        return Stands("over", "the provider says that it was given back")
    return YES


def _void(state: OrderState, _key: str, effect: EffectState) -> Stands:
    payment = state.payments.get(effect.about)
    return Stands("over", "the provider says so itself") if payment is not None and payment.status in ("voided", "expired") else YES


def _confirm(state: OrderState, _key: str, _effect: EffectState) -> Stands:
    ended = state.order is not None and state.order.cancelled_at is not None
    return Stands("over", "the order was cancelled since at its source") if ended else YES


def _cancel(state: OrderState, _key: str, _effect: EffectState) -> Stands:
    known = state.order is not None and state.order.cancelled_at is not None
    return Stands("over", "its source says that it is cancelled") if known else YES


def _return(state: OrderState, _key: str, effect: EffectState) -> Stands:
    refund = state.refunds.get(effect.about)
    return Stands("over", "its refund did not come about") if refund is None or refund.status in ("failed", "cancelled") else YES


_RULES: dict[str, Callable[[OrderState, str, EffectState], Stands]] = {
    "ReleaseOrder": _release, "CapturePayment": _capture, "RefundPayment": _refund, "VoidPayment": _void,
    "ConfirmFulfilment": _confirm, "CancelOrder": _cancel, "PostReturn": _return,
}  # fmt: skip
