"""Stripe's events and balance lines as statements of ours. Shapes hold the needed fields only, as Stripe names them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from msgspec import Struct

from mainstay.connectors.stripe import words
from mainstay.connectors.stripe.words import ours, to_minor
from mainstay.contract.connector import read
from mainstay.model.failures import Reject
from mainstay.model.money import decimals
from mainstay.model.objects import PaymentStatus, Reference
from mainstay.model.seen import DisputeSeen, Hint, PaymentSeen, PayoutSeen, RefundSeen, SeenEvent, SettlementLineSeen
from mainstay.model.times import of_seconds

TIE = 100_000  # versions are microseconds; the digits below the second say how far along the object is

T = TypeVar("T")
Reader = Callable[[bytes], list[SeenEvent]]


class Data(Struct, Generic[T]):
    object: T


class Event(Struct, Generic[T]):
    created: int  # in seconds
    data: Data[T]


class Refund(Struct):
    amount: int
    currency: str
    status: str | None
    id: str = ""
    created: int = 0
    charge: str | None = None
    payment_intent: str | None = None
    reason: str | None = None
    failure_reason: str | None = None
    metadata: dict[str, str] = {}


class Refunds(Struct):
    data: list[Refund] = []


class Charge(Struct):
    amount: int
    amount_refunded: int
    captured: bool
    status: str
    currency: str
    id: str = ""
    amount_captured: int | None = None  # absent before 2020
    payment_intent: str | None = None
    failure_code: str | None = None
    metadata: dict[str, str] = {}
    refunds: Refunds | None = None  # only before API version 2022-11-15


class Charges(Struct):
    data: list[Charge] = []


class Refusal(Struct):
    code: str | None = None


class Intent(Struct):
    amount: int
    amount_received: int
    status: str
    currency: str
    id: str = ""
    latest_charge: str | None = None
    charges: Charges | None = None  # only before API version 2022-11-15
    last_payment_error: Refusal | None = None
    cancellation_reason: str | None = None
    metadata: dict[str, str] = {}

    def charge(self) -> str:
        if self.charges is not None and self.charges.data:
            return self.charges.data[0].id
        return self.latest_charge or ""


class Dispute(Struct):
    amount: int
    currency: str
    status: str
    reason: str
    id: str = ""
    charge: str | None = None
    payment_intent: str | None = None


class Payout(Struct):
    amount: int
    currency: str
    status: str
    arrival_date: int
    id: str = ""


class Source(Struct):
    id: str
    payment_intent: str | None = None


class Transaction(Struct):
    id: str
    amount: int
    net: int
    fee: int
    currency: str
    created: int
    available_on: int
    reporting_category: str
    source: Source | str | None = None


class PayoutLine(Struct):
    payout: str
    transaction: Transaction


def readers(order_key: str, system_key: str) -> Mapping[str, Reader]:
    """What reads each family of topics, by their common beginning; a longer beginning stands before a shorter one."""

    def order_of(metadata: Mapping[str, str]) -> Reference | None:
        order = metadata.get(order_key)
        return Reference("order", order, metadata.get(system_key, "")) if order else None

    return {
        "payment_intent.": lambda body: _read_intent(body, order_of),
        "charge.dispute.": _read_dispute,
        "charge.refund.updated": _read_refund,
        "charge.": lambda body: _read_charge(body, order_of),
        "refund.": _read_refund,
        "payout.reconciliation_completed": _read_reconciled,
        "payout.": _read_payout,
        "balance_transaction": _read_line,
        "payout_line": _read_payout_line,
    }


def _read_intent(body: bytes, order_of: Callable[[Mapping[str, str]], Reference | None]) -> list[SeenEvent]:
    event: Event[Intent] = read(body, Event[Intent])
    intent, currency = event.data.object, _currency(event.data.object.currency)
    status = ours(words.INTENT_STATUS, intent.status, "payment intent status")
    refusal = intent.last_payment_error
    if status == "pending" and refusal is not None:
        status = "failed"
    held = intent.amount if status in ("authorised", "captured") else 0
    charge = intent.charge()
    return [
        PaymentSeen(
            external=_id(intent.id),
            version=_payment_version(event.created, status, intent.amount, intent.amount_received),
            at=of_seconds(event.created),
            currency=currency,
            status=status,
            authorised=to_minor(held, currency),
            captured=to_minor(intent.amount_received, currency),
            order=order_of(intent.metadata),
            aliases=(Reference("payment", charge),) if charge else (),
            reason=(refusal.code if status == "failed" and refusal else intent.cancellation_reason) or "",
        )
    ]


def _read_charge(body: bytes, order_of: Callable[[Mapping[str, str]], Reference | None]) -> list[SeenEvent]:
    event: Event[Charge] = read(body, Event[Charge])
    charge, currency = event.data.object, _currency(event.data.object.currency)
    status, captured, refunded = _totals(charge)
    payment = charge.payment_intent or _id(charge.id)
    held = 0 if status in ("pending", "failed", "voided") else charge.amount
    seen = PaymentSeen(
        external=payment,
        version=_payment_version(event.created, status, charge.amount, captured + refunded),
        at=of_seconds(event.created),
        currency=currency,
        status=status,
        authorised=to_minor(held, currency),
        captured=to_minor(captured, currency),
        refunded=to_minor(refunded, currency),
        order=order_of(charge.metadata),
        aliases=(Reference("payment", _id(charge.id)),) if charge.payment_intent else (),
        reason=charge.failure_code or "",
    )
    return [seen, *(_refund_seen(refund, payment, event.created) for refund in _given_back(charge))]


def _totals(charge: Charge) -> tuple[PaymentStatus, int, int]:
    """Status, captured, refunded. `amount_refunded` also counts what was authorised and never taken, which nobody got back."""
    status = ours(words.CHARGE_STATUS, charge.status, "charge status")
    if status != "captured":
        return status, 0, 0
    if not charge.captured:  # yet, or never: then what was held has been let go
        return ("voided" if charge.amount_refunded else "authorised"), charge.amount_captured or 0, 0
    captured = charge.amount if charge.amount_captured is None else charge.amount_captured
    if charge.amount and not captured:
        raise Reject(f"charge {charge.id} says that it was captured, and that 0 of {charge.amount} were", "totals_mismatch")
    refunded = max(0, charge.amount_refunded - (charge.amount - captured))
    if not refunded:
        return "captured", captured, 0
    return ("refunded" if refunded >= captured else "part_refunded"), captured, refunded


def _given_back(charge: Charge) -> list[Refund]:
    """The refunds that an old API version lists in the charge, without the one that only lets go what was not captured."""
    if charge.refunds is None or not charge.captured:
        return []
    refunds = sorted(charge.refunds.data, key=lambda refund: refund.created)
    let_go = 0 if charge.amount_captured is None else charge.amount - charge.amount_captured
    return refunds[1:] if let_go and refunds and refunds[0].amount == let_go else refunds


def _read_refund(body: bytes) -> list[SeenEvent]:
    event: Event[Refund] = read(body, Event[Refund])
    refund = event.data.object
    if refund.reason == "expired_uncaptured_charge":
        raise Reject(f"{refund.id} lets an expired authorisation go and gives no money back", "not_business")
    return [_refund_seen(refund, _id(refund.payment_intent or refund.charge or ""), event.created)]


def _refund_seen(refund: Refund, payment: str, created: int) -> RefundSeen:
    currency = _currency(refund.currency)
    status = ours(words.REFUND_STATUS, refund.status or "pending", "refund status")
    paid = Reference("payment", payment)
    return RefundSeen(
        external=_id(refund.id),
        version=_version(created, words.REFUND_PROGRESS[status]),
        at=of_seconds(created),
        of=paid,
        payment=paid,
        currency=currency,
        amount=to_minor(refund.amount, currency),
        status=status,
        reason=refund.failure_reason or refund.reason or "",
    )


def _read_dispute(body: bytes) -> list[SeenEvent]:
    event: Event[Dispute] = read(body, Event[Dispute])
    dispute, currency = event.data.object, _currency(event.data.object.currency)
    status = ours(words.DISPUTE_STATUS, dispute.status, "dispute status")
    return [
        DisputeSeen(
            external=_id(dispute.id),
            version=_version(event.created, words.DISPUTE_PROGRESS[status]),
            at=of_seconds(event.created),
            of=Reference("payment", _id(dispute.payment_intent or dispute.charge or "")),
            currency=currency,
            amount=to_minor(dispute.amount, currency),
            status=status,
            reason=dispute.reason,
            inquiry=dispute.status.startswith("warning_"),
        )
    ]


def _read_payout(body: bytes) -> list[SeenEvent]:
    event: Event[Payout] = read(body, Event[Payout])
    payout, currency = event.data.object, _currency(event.data.object.currency)
    status = ours(words.PAYOUT_STATUS, payout.status, "payout status")
    return [
        PayoutSeen(
            external=_id(payout.id),
            version=_version(event.created, words.PAYOUT_PROGRESS[status]),
            at=of_seconds(event.created),
            currency=currency,
            amount=to_minor(payout.amount, currency),
            status=status,
            arrives_at=of_seconds(payout.arrival_date),
        )
    ]


def _read_reconciled(body: bytes) -> list[SeenEvent]:
    """The payout, and the hint that its lines can now be read."""
    seen = _read_payout(body)[0]
    return [seen, Hint(external=seen.external, version=seen.version, at=seen.at, feed="balance")]


def _read_line(body: bytes) -> list[SeenEvent]:
    return [_line_seen(read(body, Transaction), "")]


def _read_payout_line(body: bytes) -> list[SeenEvent]:
    line: PayoutLine = read(body, PayoutLine)
    return [_line_seen(line.transaction, line.payout)]


def _line_seen(row: Transaction, payout: str) -> SettlementLineSeen:
    currency = _currency(row.currency)
    if row.amount - row.fee != row.net:
        raise Reject(f"{row.id}: {row.amount} - {row.fee} is not the stated net {row.net}", "totals_mismatch")
    return SettlementLineSeen(
        external=row.id,
        version=_version(row.created, 1 if payout else 0),  # that it is known to which payout it went is the later word
        at=of_seconds(row.created),
        kind=ours(words.SETTLEMENT_KIND, row.reporting_category, "reporting category"),
        currency=currency,
        gross=to_minor(row.amount, currency),
        fee=to_minor(row.fee, currency),
        net=to_minor(row.net, currency),
        of=_settled(row.source),
        payout=payout,
        available_at=of_seconds(row.available_on),
    )


def _settled(source: Source | str | None) -> Reference | None:
    """What a balance line is about; None where it is none of the objects that we follow."""
    if source is None:
        return None
    if isinstance(source, str):
        source = Source(source)
    kind = words.SOURCE_KIND.get(source.id.partition("_")[0])
    if kind is None:
        return None
    return Reference(kind, source.payment_intent or source.id if kind == "payment" else source.id)


def _payment_version(created: int, status: PaymentStatus, amount: int, moved: int) -> int:
    """Of two statements of one second the one further along is the later, and of two equals the one of which more has moved."""
    share = min(moved * (TIE // 2 - 1) // amount, TIE - 1) if amount else 0
    return _version(created, words.PROGRESS[status]) + share


def _version(created: int, progress: int) -> int:
    return of_seconds(created) + progress * TIE


def _currency(code: str) -> str:
    upper = code.upper()
    decimals(upper)
    return upper


def _id(text: str) -> str:
    if not text:
        raise Reject("the object has no id", "id_missing")
    return text
