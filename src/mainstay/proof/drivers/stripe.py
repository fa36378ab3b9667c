"""Stripe: buyers authorise, some contest, the calendar pays out; we capture, let go and refund."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mainstay.connectors.stripe import Stripe
from mainstay.contract.conformance import Dice, Subject, latest
from mainstay.contract.connector import Row, settings_of
from mainstay.model.commands import CapturePayment, Command, RefundPayment, VoidPayment
from mainstay.model.seen import DisputeSeen, PaymentSeen, PayoutSeen, RefundSeen, Said, SettlementLineSeen
from mainstay.proof.drivers.sources import sources
from mainstay.twins.imitation import Weather
from mainstay.twins.stripe import StripeTwin

SETTINGS = {"secret_key": "sk_test_twin", "webhook_secrets": ["whsec_twin"]}


class StripeDriver:
    stale_s: float | None = 300

    def act(self, twin: StripeTwin, dice: Dice, now: int) -> None:
        throw = dice.random()
        taken = [one["id"] for one in twin.intents.values() if one["status"] == "succeeded"]
        contested = {one["payment_intent"] for one in twin.disputes.values()}
        if throw < 0.7:
            twin.authorise(dice.randrange(100, 90_000), "usd", f"O{len(twin.intents) + 1}", now)
        elif throw < 0.8 and (free := [one for one in taken if one not in contested]):
            twin.dispute(free[dice.randrange(0, len(free))], now)
        else:
            twin.pay_out(now)

    def wish(self, twin: StripeTwin, dice: Dice) -> Command | None:
        contested = {one["payment_intent"] for one in twin.disputes.values()}
        intents = [one for one in twin.intents.values() if one["id"] not in contested]
        if not intents:
            return None
        intent = intents[dice.randrange(0, len(intents))]
        if intent["status"] == "requires_capture" and dice.random() < 0.2:
            return VoidPayment(key="", payment=intent["id"])
        if intent["status"] == "requires_capture":
            amount = intent["amount"] if dice.random() < 0.7 else dice.randrange(50, intent["amount"])
            return CapturePayment(key="", payment=intent["id"], amount=amount, currency="USD")
        charge = twin.charges[intent["latest_charge"]]
        left = _kept(charge)
        return RefundPayment(key="", payment=intent["id"], amount=dice.randrange(1, left + 1), currency="USD") if left else None

    def natural(self, command: Command) -> str:
        if isinstance(command, RefundPayment):
            return f"refund {command.key} {command.amount}"
        assert isinstance(command, CapturePayment | VoidPayment)
        return f"{'capture' if isinstance(command, CapturePayment) else 'cancel'} {command.payment}"

    def effects(self, twin: StripeTwin) -> Mapping[str, int]:
        return Counter(f"refund {name} {amount}" if kind == "refund" else f"{kind} {name}" for kind, name, amount in twin.effects)

    def truth(self, twin: StripeTwin) -> Mapping[str, object]:
        payments = {name: self._payment(twin, one) for name, one in twin.intents.items()}
        refunds = {name: (one["amount"], one["status"]) for name, one in twin.refunds.items()}
        disputes = {name: (one["amount"], one["status"]) for name, one in twin.disputes.items()}
        payouts = {name: (one["amount"], one["status"]) for name, one in twin.payouts.items()}
        lines = {one["id"]: (one["amount"], one["fee"], one["net"], twin._paid_out.get(one["id"], "")) for one in twin.balance}
        return payments | refunds | disputes | payouts | lines

    def _payment(self, twin: StripeTwin, intent: Mapping[str, Any]) -> tuple[str, int, int]:
        charge = twin.charges[intent["latest_charge"]]
        if intent["status"] == "requires_capture":
            return "authorised", 0, 0
        if intent["status"] == "canceled":
            return "voided", 0, 0
        captured = charge["amount_captured"]
        refunded = captured - _kept(charge)
        return "captured" if not refunded else "refunded" if refunded == captured else "part_refunded", captured, refunded

    def belief(self, said: Sequence[Said]) -> Mapping[str, object]:
        return {event.external: summary for event in latest(said).values() if (summary := _summary(event)) is not None}

    def garble(self, row: Row) -> Row | None:
        document = msgspec.json.decode(row.body)
        thing = document["data"]["object"] if "data" in document else document.get("transaction", document)
        word = "status" if "data" in document else "reporting_category"
        if word not in thing:
            return None
        thing[word] = "hologram"
        return Row(row.topic, row.key, msgspec.json.encode(document))


def _kept(charge: Mapping[str, Any]) -> int:
    """What was captured and not given back. `amount_refunded` also counts what was authorised and never captured."""
    if not charge["captured"]:
        return 0
    return int(charge["amount"] - charge["amount_refunded"])


def _summary(event: object) -> object:
    match event:
        case PaymentSeen():
            return event.status, event.captured, event.refunded
        case RefundSeen() | DisputeSeen() | PayoutSeen():
            return event.amount, event.status
        case SettlementLineSeen():
            return event.gross, event.fee, event.net, event.payout
    return None


def subject() -> Subject:
    return Subject(
        name="stripe",
        connector=lambda: Stripe(settings_of(Stripe, SETTINGS)),
        twin=lambda dice, rates: StripeTwin(dice, Weather(rates), time_factor=1000.0),
        driver=StripeDriver(),
        sources=sources("stripe"),
        url="https://mainstay.example/stripe",
    )
