"""Whether more of an order was given back than was taken for it, by the word of whoever holds the money."""

from __future__ import annotations

from collections.abc import Callable

from mainstay.model.money import major
from mainstay.model.objects import Order
from mainstay.model.state import OrderState

PAID_WORDS = frozenset({"captured", "part_refunded", "refunded"})
OVER_REFUNDED = "over_refunded"


def excess(state: OrderState, captured: Callable[[OrderState, str], int]) -> str:
    """What was given back beyond what was taken, in words; "" where nothing was. `captured` says what was taken of a payment.

    A channel tells of the same money as the provider that holds it, so only the holder's word counts. A provider of whose capture
    nothing is known yet is waited for.
    """
    order = state.order
    if order is None:
        return ""
    told = []
    for system, back in sorted(_given_back(state, order).items()):
        taken = _taken(state, order, system, captured)
        if taken and back > taken:
            told.append(f"{system} gave back {major(back, order.currency)} {order.currency} of {major(taken, order.currency)}")
    return "; ".join(told)


def _given_back(state: OrderState, order: Order) -> dict[str, int]:
    """Minor units of the order's currency, by who gave them back."""
    found: dict[str, int] = {}
    for refund in state.refunds.values():
        if refund.status in ("pending", "succeeded") and refund.currency in ("", order.currency):
            found[refund.system] = found.get(refund.system, 0) + refund.amount
    return found


def _taken(state: OrderState, order: Order, system: str, captured: Callable[[OrderState, str], int]) -> int:
    """Minor units that a system took for an order; 0 where that is not known, or where it is not the one that holds them."""
    ours = {external: payment for external, payment in state.payments.items() if payment.currency in ("", order.currency)}
    if system == state.system and not ours and not order.payments and order.payment in PAID_WORDS:
        return order.total - order.facilitator_tax
    return sum(captured(state, external) for external, payment in ours.items() if payment.system == system)
