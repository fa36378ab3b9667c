"""The money of an order: what is due and who holds it; what is taken, given back, or named because it does not agree. Pure.

Amounts are minor units of the order's currency; payments in another one are never added to them."""

from __future__ import annotations

from collections.abc import Iterator

from mainstay.model.events import AnyEvent, Asked
from mainstay.model.money import major
from mainstay.model.objects import PAID_WORDS, Order
from mainstay.model.state import EffectState, OrderState, PaymentState
from mainstay.orders.fold import DROPPED, ENDED
from mainstay.orders.holds import named
from mainstay.orders.policy import Policy

DEAD_PAYMENTS = frozenset({"voided", "failed", "expired"})
UNPAID = frozenset({"payment_lost", "payment_currency"})  # holds that a person lifts to go on without what is due


def due(state: OrderState) -> int:
    """What is to be taken beyond gift cards, in minor units: not for units that were cancelled, and of a cancelled order for what had
    left. A total that does not add up is taken as it is stated: nobody knows which part of it is whose."""
    order = state.order
    if order is None or (state.cancel and not any(state.left())):
        return 0
    less = state.cancel or any(line.cancelled for line in order.lines)
    part = order.of(state.sold()) if less and not order.difference() else order
    return max(0, part.total - order.gift_cards)


def is_paid(state: OrderState) -> bool:
    """Is enough authorised or captured? Where providers are named, only their own word counts."""
    order = state.order
    if order is None:
        return False
    whole = order.total - order.gift_cards if state.cancel else due(state)
    if order.payments or state.payments:
        return _good(state) >= whole
    return order.payment in PAID_WORDS or order.payment == "authorised" or whole <= 0


def is_captured(state: OrderState) -> bool:
    """Has everything been taken? What the source added after the order had left is named, and a person's to take."""
    order = state.order
    if order is None:
        return False
    added = order.total - state.agreed if state.agreed is not None else 0
    return owed(state) <= max(0, added)


def owed(state: OrderState) -> int:
    """What is due and has not been taken, in minor units."""
    order = state.order
    if order is None or state.status == "cancelled":
        return 0
    if order.payments or state.payments:
        return max(0, due(state) - sum(captured(state, external) for external in _in_its_currency(state)))
    return 0 if order.payment in PAID_WORDS else due(state)


def captured(state: OrderState, external: str) -> int:
    """Minor units taken of one payment: by its provider's statement or its answer to our capture, whichever knows more."""
    captures = (effect for effect in state.effects.values() if effect.command == "CapturePayment" and effect.about == external)
    answered = max((effect.amount for effect in captures if effect.outcome == "done"), default=0)
    return max(state.payments[external].captured, answered)


def lost_payment(state: OrderState, order: Order) -> Iterator[AnyEvent]:
    """An order that was paid, and whose authorisation has expired or was let go, or of which only a part was taken: whatever has not left
    yet stays until another payment stands for it; what has left needs somebody who gets the money. What its source added is no loss."""
    waits = state.status in ("new", "placed", "settled", "cancelled") or (state.status == "held" and "payment_lost" not in state.holds)
    need = due(state) if state.agreed is None else min(due(state), state.agreed - order.gift_cards)
    gone = [
        external
        for external, payment in _in_its_currency(state).items()
        if _good_of(payment) < payment.authorised or payment.status in DEAD_PAYMENTS
    ]
    gone += [order.payment] if not state.payments and order.payment in DEAD_PAYMENTS else []
    if waits or not gone or _good(state) >= need:  # of a cancelled order nothing is due but for what had left
        yield from named(state, "payment_lost", "", "the order is cancelled" if state.cancel else "it is paid")
        return
    good, whole = (f"{major(amount, order.currency)} {order.currency}" for amount in (_good(state), need))
    told = [f"{external} is {payment.status}" for external, payment in state.payments.items()]
    yield from named(state, "payment_lost", f"{whole} are due, {good} are held or taken ({'; '.join(told) or order.payment})", "")


def other_currency(state: OrderState, order: Order) -> Iterator[AnyEvent]:
    """A payment in another currency than its order's: no rate is ours to guess, so a person says whether it is enough."""
    foreign = {name: payment for name, payment in state.payments.items() if name not in _in_its_currency(state)}
    told = [f"{name} is {major(max(one.authorised, one.captured), one.currency)} {one.currency}" for name, one in foreign.items()]
    waits = foreign and not state.cancel and state.status not in ("settled", "cancelled") and _good(state) < due(state)
    detail = f"{'; '.join(told)}, the order is {major(order.total, order.currency)} {order.currency}" if waits else ""
    yield from named(state, "payment_currency", detail, "the order is cancelled" if state.cancel else "it is paid in its own currency")


def capture(state: OrderState, policy: Policy) -> Iterator[AnyEvent]:
    payments = _in_its_currency(state)
    left = due(state) - sum(payment.captured for payment in payments.values())
    left -= sum(e.amount for e in state.effects.values() if e.command == "CapturePayment" and e.outcome in ("asked", "unknown"))
    for external, payment in payments.items():
        key = f"{state.uid}:capture.{external}"
        amount = min(left, payment.authorised - payment.captured)
        if amount > 0 and payment.status == "authorised" and key not in state.effects and policy.takes(payment.system, "CapturePayment"):
            yield Asked(key=key, command="CapturePayment", system=payment.system, amount=amount, about=external)
            left -= amount


def overpaid(state: OrderState) -> Iterator[AnyEvent]:
    """Units that were taken off after they had been paid: once the rest has left, what was taken for them and not given back is named.
    Who takes units off mostly gives their money back, too, and nobody is to get it twice. Of an order that is called off afterwards it is
    said in the words of now, too: in whatever order that was heard."""
    order = state.order
    if order is None or state.status not in ("shipped", "invoiced", "settled"):
        return
    over = 0
    if any(line.cancelled for line in order.lines):
        told: dict[str, int] = {}  # by who tells of it: a shop and its provider speak of the same money
        for refund in state.refunds.values():
            if refund.status in ("pending", "succeeded"):
                told[refund.system] = told.get(refund.system, 0) + refund.amount
        back = max([sum(payment.refunded for payment in state.payments.values()), *told.values()])
        over = sum(captured(state, external) - contested(state, external) for external in state.payments) - back - due(state)
    detail = f"{major(over, order.currency)} {order.currency} was taken for units that were taken off again" if over > 0 else ""
    yield from named(state, "overpaid", detail, "it was given back")


def give_back(state: OrderState, policy: Policy) -> Iterator[AnyEvent]:
    """Let authorisations go; refund what our own capture took. What others captured, others refund."""
    for external, payment in list(state.payments.items()):
        if not policy.takes(payment.system, "VoidPayment"):
            continue
        ours = [e for e in state.effects.values() if e.command == "CapturePayment" and e.about == external]
        taken = max((effect.amount for effect in ours if effect.outcome == "done"), default=0)
        under_way = any(effect.outcome not in DROPPED | {"done"} for effect in ours)
        if payment.status == "authorised" and not taken and not under_way:
            key = f"{state.uid}:void.{external}"
            if key not in state.effects:
                yield Asked(key=key, command="VoidPayment", system=payment.system, about=external)
        elif taken:
            yield from _refund(state, external, taken)


def _refund(state: OrderState, external: str, taken: int) -> Iterator[AnyEvent]:
    """What nobody has given back, once what was asked before is done: more than that, where the shop wins a dispute of a part."""
    payment = state.payments[external]
    before = [one for one in state.effects.values() if one.command == "RefundPayment" and one.about == external]
    asked = sum(one.amount for one in before if one.outcome != "replaced")
    back = taken - max(payment.refunded, asked) - contested(state, external)
    if back > 0 and all(one.outcome in ENDED for one in before):
        key = f"{state.uid}:refund.{external}" + (f".{len(before) + 1}" if before else "")
        yield Asked(key=key, command="RefundPayment", system=payment.system, about=external, amount=back)


def contested(state: OrderState, payment: str) -> int:
    """Minor units of a payment that a card holder's bank has taken back, in its currency; "": of what the channel took itself. No provider
    gives them back once more: https://docs.stripe.com/disputes/responding."""
    assert state.order is not None
    currency = state.payments[payment].currency if payment else state.order.currency
    of = (one for one in state.disputes.values() if one.payment == payment and one.has_the_money())
    return sum(one.amount for one in of if currency in ("", one.currency))


def kept(state: OrderState) -> str:
    """What others took of a cancelled order and have not given back, at its provider, at its channel or from gift cards; what we took, we
    give back, and what a bank has taken back is not kept. A channel may say that all of it was given back, and tell of no refund."""
    order = state.order
    assert order is not None
    ours = {effect.about for effect in state.effects.values() if effect.command == "CapturePayment" and effect.outcome not in DROPPED}
    others = {external: one for external, one in state.payments.items() if external not in ours}
    left = {external: one.captured - one.refunded - contested(state, external) for external, one in others.items()}
    told = [f"{major(left[name], one.currency)} {one.currency} of {name}" for name, one in others.items() if left[name] > 0]
    if order.payment != "refunded" or state.refunds:
        back = [one for one in state.refunds.values() if one.status == "succeeded" and one.system == state.system]
        parts = {"of gift cards": order.gift_cards - sum(one.gift_cards for one in back)}
        if state.paid_at_source():
            taken = order.total - order.gift_cards - order.facilitator_tax
            parts = {f"by {state.system}": taken - sum(one.amount - one.gift_cards for one in back) - contested(state, "")} | parts
        told += [f"{major(amount, order.currency)} {order.currency} {whose}" for whose, amount in parts.items() if amount > 0]
    return f"{', '.join(told)} was taken and not given back" if told else ""


def amount_again(state: OrderState, effect: EffectState) -> int:
    """Minor units to ask for where an effect is asked once more: of a refund, what nobody has given back."""
    if effect.command != "RefundPayment":
        return effect.amount
    left = captured(state, effect.about) - state.payments[effect.about].refunded - contested(state, effect.about)
    return max(0, min(effect.amount, left))


def _in_its_currency(state: OrderState) -> dict[str, PaymentState]:
    """The payments of an order that its amounts can be compared with."""
    assert state.order is not None
    return {name: payment for name, payment in state.payments.items() if payment.currency in ("", state.order.currency)}


def _good(state: OrderState) -> int:
    """What providers hold for the order or have taken, in minor units."""
    return sum(map(_good_of, _in_its_currency(state).values()))


def _good_of(payment: PaymentState) -> int:
    """Of a payment that was captured the rest was let go."""
    if payment.status in DEAD_PAYMENTS:
        return 0
    return payment.captured if payment.status in PAID_WORDS else max(payment.authorised, payment.captured)


def excess(state: OrderState) -> str:
    """What was given back beyond what was taken, in words; "" where nothing was.

    A channel tells of the same money as the provider that holds it, so only the holder's word counts. A provider of whose capture
    nothing is known yet is waited for.
    """
    order = state.order
    if order is None:
        return ""
    told = []
    for system, back in sorted(_given_back_by(state, order).items()):
        taken = _taken(state, order, system)
        if taken and back > taken:
            told.append(f"{system} gave back {major(back, order.currency)} {order.currency} of {major(taken, order.currency)}")
    return "; ".join(told)


def _given_back_by(state: OrderState, order: Order) -> dict[str, int]:
    """Minor units of the order's currency, by who gave them back."""
    found: dict[str, int] = {}
    for refund in state.refunds.values():
        if refund.status in ("pending", "succeeded") and refund.currency in ("", order.currency):
            found[refund.system] = found.get(refund.system, 0) + refund.amount
    return found


def _taken(state: OrderState, order: Order, system: str) -> int:
    """Minor units that a system took for an order; 0 where that is not known, or where it is not the one that holds them."""
    ours = _in_its_currency(state)
    if system == state.system and not ours and not order.payments and order.payment in PAID_WORDS:
        return order.total - order.facilitator_tax
    return sum(captured(state, external) for external, payment in ours.items() if payment.system == system)
