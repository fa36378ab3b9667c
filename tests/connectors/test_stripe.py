"""Stripe's words as ours: the payloads beside the repo (`manifest.py` says which), our samples, and the signatures.

Expectations are read off the payloads.
"""

import hmac
import json
from pathlib import Path

import pytest
from manifest import documents, entries, translate

from mainstay.connectors.stripe import Stripe
from mainstay.contract.connector import settings_of, unread
from mainstay.model.failures import Forged, Reject
from mainstay.model.objects import Reference
from mainstay.model.seen import DisputeSeen, Hint, PaymentSeen, PayoutSeen, RefundSeen, SettlementLineSeen

# ruff: noqa: E501
STRIPE = Stripe(settings_of(Stripe, {"secret_key": "sk_test_twin", "webhook_secrets": ["whsec_new", "whsec_old"]}))
SAMPLES = Path(__file__).parents[2] / "src/mainstay/connectors/stripe/samples"
NOW = 1_772_452_800_000_000


def said(topic: str, body: bytes) -> list:
    return [one.event for one in STRIPE.translate(topic, body)]


def of_vendor(shared: Path, name: str) -> bytes:
    return (shared / "vendor/stripe" / name).read_bytes()


def wrapped(thing: dict, created: int = 1_700_000_000) -> bytes:
    return json.dumps({"id": "evt_1", "created": created, "data": {"object": thing}}).encode()


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.json").read_bytes()


@pytest.mark.shared
def test_a_captured_charge(shared: Path) -> None:
    assert said("charge.succeeded", of_vendor(shared, "webhooks/charge.succeeded.json")) == [
        PaymentSeen(
            external="pi_000000000000000000000000", version=1_648_320_032_349_999, at=1_648_320_032_000_000, currency="USD",
            status="captured", authorised=2000, captured=2000, aliases=(Reference("payment", "ch_000000000000000000000000"),),
        )
    ]  # fmt: skip


@pytest.mark.shared
def test_a_declined_charge_and_its_intent(shared: Path) -> None:
    assert said("charge.failed", of_vendor(shared, "webhooks/charge.failed.json")) == [
        PaymentSeen(
            external="pi_000000000000000000000000", version=1_648_320_028_100_000, at=1_648_320_028_000_000, currency="USD",
            status="failed", aliases=(Reference("payment", "ch_000000000000000000000000"),), reason="card_declined",
        )
    ]  # fmt: skip
    assert said("payment_intent.payment_failed", of_vendor(shared, "webhooks/payment_intent.payment_failed.json")) == [
        PaymentSeen(
            external="pi_000000000000000000000000", version=1_648_320_029_100_000, at=1_648_320_029_000_000, currency="USD",
            status="failed", aliases=(Reference("payment", "ch_000000000000000000000000"),), reason="card_declined",
        )
    ]  # fmt: skip


@pytest.mark.shared
def test_an_authorisation(shared: Path) -> None:
    topic = "payment_intent.amount_capturable_updated"
    assert said(topic, of_vendor(shared, f"webhooks/{topic}.json")) == [
        PaymentSeen(
            external="pi_000000000000000000000000", version=1_648_320_022_200_000, at=1_648_320_022_000_000, currency="USD",
            status="authorised", authorised=2000, aliases=(Reference("payment", "ch_000000000000000000000000"),),
        )
    ]  # fmt: skip


@pytest.mark.shared
def test_an_intent_that_was_cancelled(shared: Path) -> None:
    assert said("payment_intent.canceled", of_vendor(shared, "webhooks/payment_intent.canceled.json")) == [
        PaymentSeen(
            external="pi_000000000000000000000000", version=1_648_320_024_600_000, at=1_648_320_024_000_000, currency="USD",
            status="voided", reason="requested_by_customer",
        )
    ]  # fmt: skip


@pytest.mark.shared
def test_intents_under_way(shared: Path) -> None:
    assert said("payment_intent.processing", of_vendor(shared, "webhooks/payment_intent.processing.json")) == [
        PaymentSeen(
            external="pi_00000000000000", version=1_578_499_109_000_000, at=1_578_499_109_000_000, currency="EUR",
            status="pending", aliases=(Reference("payment", "ch_00000000000000"),),
        )
    ]  # fmt: skip
    assert said("payment_intent.requires_action", of_vendor(shared, "webhooks/payment_intent.requires_action.json"))[0].status == "pending"


@pytest.mark.shared
def test_a_payout(shared: Path) -> None:
    assert said("payout.paid", of_vendor(shared, "webhooks/payout.paid.json")) == [
        PayoutSeen(
            external="po_000000000000000000000000", version=1_648_320_045_200_000, at=1_648_320_045_000_000, currency="USD",
            amount=1100, status="paid", arrives_at=1_648_425_600_000_000,
        )
    ]  # fmt: skip


@pytest.mark.shared
def test_stripes_own_fixture_objects_in_their_envelopes(shared: Path) -> None:
    """Published objects (API description, 2024 and later) and real ones of dj-stripe: refund, disputes, intents, charge."""

    def fixture(name: str) -> bytes:
        return wrapped(json.loads(of_vendor(shared, name)))

    at = 1_700_000_000_000_000
    charge = Reference("payment", "ch_1PgafuB7WZ01zgkWXYmPNZs8")
    assert said("refund.created", fixture("fixtures/refund.json")) == [
        RefundSeen(
            external="re_1Pgc72B7WZ01zgkWqPvrRrPE", version=at + 100_000, at=at, of=charge, payment=charge, currency="USD", amount=100
        )
    ]
    assert said("charge.dispute.created", fixture("fixtures/dispute.json")) == [
        DisputeSeen(
            external="dp_1Pgc71B7WZ01zgkWMevJiAUx", version=at, at=at, of=charge, currency="USD", amount=1000,
            status="needs_response", reason="general", inquiry=True,
        )
    ]  # fmt: skip
    assert said("charge.dispute.funds_reinstated", fixture("objects/dispute_dp_funds_reinstated_full.json")) == [
        DisputeSeen(
            external="dp_1JAyTwJSZQVUcJYgPqasUEn1", version=at + 100_000, at=at, of=Reference("payment", "pi_1JAyTwJSZQVUcJYgBbsz0NuH"),
            currency="USD", amount=1000, status="under_review", reason="fraudulent",
        )
    ]  # fmt: skip
    assert said("payment_intent.succeeded", fixture("objects/payment_intent_pi_destination_charge.json")) == [
        PaymentSeen(
            external="pi_1FG742B7kbjcJ8QqGKF6qIM0", version=at + 349_999, at=at, currency="USD", status="captured",
            authorised=190_200, captured=190_200, aliases=(Reference("payment", "ch_fakefakefakefakefake0001"),),
        )
    ]  # fmt: skip
    assert said("charge.updated", fixture("fixtures/charge.json")) == [
        PaymentSeen(
            external="ch_1PgafuB7WZ01zgkWXYmPNZs8", version=at + 200_000, at=at, currency="USD", status="authorised", authorised=100
        )
    ]


IN_INTENT, IN_EVENT, FIRST = "charges data 0", "data object charges data 0", "balance_transactions 0"
DISPUTED = "pi_1JAyTwJSZQVUcJYgBbsz0NuH"
# All that the folder holds of each kind: 12 charges, 9 intents, 5 disputes, 6 lines of the balance, 1 refund, 1 payout. Charges and lines
# also stand inside other objects. Where: (file, steps to the object); None: a dead letter, with its code.
CHARGES: list[tuple[str, str, tuple | str]] = [  # external, status, authorised, captured, refunded, currency, reason
    ("webhooks/charge.failed", "data object", ("pi_000000000000000000000000", "failed", 0, 0, 0, "USD", "card_declined")),
    ("webhooks/charge.succeeded", "data object", ("pi_000000000000000000000000", "captured", 2000, 2000, 0, "USD", "")),
    ("webhooks/charge.updated", "data object", "schema"),
    ("fixtures/charge", "", ("ch_1PgafuB7WZ01zgkWXYmPNZs8", "authorised", 100, 0, 0, "USD", "")),
    ("objects/charge_ch_fakefakefakefakefake0001", "", "totals_mismatch"),
    ("objects/dispute_ch_fakefakefakefake01", "", "schema"),
    ("objects/payment_intent_pi_destination_charge", IN_INTENT, ("pi_1FG742B7kbjcJ8QqGKF6qIM0", "captured", 190200, 190200, 0, "USD", "")),
    ("objects/payment_intent_pi_fakefakefakefakefake0001", IN_INTENT, ("pi_fakefakefakefakefake0001", "captured", 2000, 2000, 0, "USD", "")),
    ("webhooks/payment_intent.amount_capturable_updated", IN_EVENT, ("pi_000000000000000000000000", "authorised", 2000, 0, 0, "USD", "")),
    ("webhooks/payment_intent.payment_failed", IN_EVENT, ("pi_000000000000000000000000", "failed", 0, 0, 0, "USD", "card_declined")),
    ("webhooks/payment_intent.processing", IN_EVENT, ("pi_00000000000000", "captured", 900, 900, 0, "EUR", "")),
    ("webhooks/payment_intent.requires_action", IN_EVENT, ("pi_000000000000000000000000", "failed", 0, 0, 0, "USD", "authentication_required")),
]  # fmt: skip
INTENTS: list[tuple[str, str, tuple | str]] = [  # external, status, authorised, captured, refunded, currency, reason
    ("webhooks/payment_intent.amount_capturable_updated", "data object", ("pi_000000000000000000000000", "authorised", 2000, 0, 0, "USD", "")),
    ("webhooks/payment_intent.canceled", "data object", ("pi_000000000000000000000000", "voided", 0, 0, 0, "USD", "requested_by_customer")),
    ("webhooks/payment_intent.payment_failed", "data object", ("pi_000000000000000000000000", "failed", 0, 0, 0, "USD", "card_declined")),
    ("webhooks/payment_intent.processing", "data object", ("pi_00000000000000", "pending", 0, 0, 0, "EUR", "")),
    ("webhooks/payment_intent.requires_action", "data object", ("pi_000000000000000000000000", "pending", 0, 0, 0, "USD", "")),
    ("fixtures/payment_intent", "", ("pi_1PgafyB7WZ01zgkWSjxsAJo3", "failed", 0, 0, 0, "USD", "")),  # its last error has no code
    ("objects/payment_intent_pi_destination_charge", "", ("pi_1FG742B7kbjcJ8QqGKF6qIM0", "captured", 190200, 190200, 0, "USD", "")),
    ("objects/payment_intent_pi_fakefakefakefakefake0001", "", ("pi_fakefakefakefakefake0001", "captured", 2000, 2000, 0, "USD", "")),
    ("objects/dispute_pi_fakefakefakefake01", "", "schema"),
]  # fmt: skip
DISPUTES: list[tuple[str, str, tuple | str]] = [  # external, of, amount, status, reason, inquiry
    ("webhooks/charge.dispute.updated", "data object", "id_missing"),
    ("fixtures/dispute", "", ("dp_1Pgc71B7WZ01zgkWMevJiAUx", "ch_1PgafuB7WZ01zgkWXYmPNZs8", 1000, "needs_response", "general", True)),
    ("objects/dispute_dp_fakefakefakefake01", "", ("dp_1JAyTwJSZQVUcJYgPqasUEn1", DISPUTED, 1000, "needs_response", "fraudulent", False)),
    ("objects/dispute_dp_fakefakefakefake02", "", ("dp_1JAyTwJSZQVUcJYgPqasUEn1", DISPUTED, 1000, "needs_response", "fraudulent", False)),
    ("objects/dispute_dp_funds_reinstated_full", "", ("dp_1JAyTwJSZQVUcJYgPqasUEn1", DISPUTED, 1000, "under_review", "fraudulent", False)),
]
LINES: list[tuple[str, str, tuple]] = [  # external, kind, gross, fee, net, what it is of
    ("fixtures/balance_transaction", "", ("txn_1PgaxNB7WZ01zgkWEV3TLf40", "charge", 100, 0, 100, "ch_1PgafuB7WZ01zgkWXYmPNZs8")),
    ("objects/dispute_txn_fakefakefakefake01", "", ("txn_1JHRCWJSZQVUcJYgYwW8XpF4", "dispute", -1000, 1500, -2500, "dp_1JHRCWJSZQVUcJYgEHzUiuvb")),
    ("objects/dispute_dp_fakefakefakefake01", FIRST, ("txn_16g5h62eZvKYlo2CQ2AHA89s", "dispute", -1000, 1500, -2500, "dp_1JAyTwJSZQVUcJYgPqasUEn1")),
    ("objects/dispute_dp_fakefakefakefake02", FIRST, ("txn_1JHRCWJSZQVUcJYgYwW8XpF4", "dispute", -1000, 1500, -2500, "dp_1JAyTwJSZQVUcJYgPqasUEn1")),
    ("objects/dispute_dp_funds_reinstated_full", FIRST, ("txn_16g5h62eZvKYlo2CQ2AHA89s", "dispute", -1000, 1500, -2500, "dp_1JAyTwJSZQVUcJYgPqasUEn1")),
    (
        "objects/dispute_dp_funds_reinstated_full", "balance_transactions 1",
        ("txn_1JAyV2JSZQVUcJYgETKXUN9k", "dispute", 1000, -1500, 2500, "dp_1JAyTwJSZQVUcJYgPqasUEn1"),
    ),
]  # fmt: skip


def within(shared: Path, file: str, steps: str) -> dict:
    found = json.loads(of_vendor(shared, f"{file}.json"))
    for step in steps.split():
        found = found[int(step)] if isinstance(found, list) else found[step]
    return found


def found_in(shared: Path, topic: str, file: str, steps: str):
    """The statement about the object that stands there, or the code of its dead letter."""
    try:
        (seen,) = said(topic, wrapped(within(shared, file, steps)))
    except Reject as refused:
        return refused.code
    return seen


@pytest.mark.shared
@pytest.mark.parametrize(
    ("topic", "file", "steps", "expected"),
    [("charge.updated", *one) for one in CHARGES] + [("payment_intent.succeeded", *one) for one in INTENTS],
)
def test_charges_and_intents(shared: Path, topic: str, file: str, steps: str, expected: tuple | str) -> None:
    seen = found_in(shared, topic, file, steps)
    if isinstance(seen, PaymentSeen):
        seen = (seen.external, seen.status, seen.authorised, seen.captured, seen.refunded, seen.currency, seen.reason)
    assert seen == expected


@pytest.mark.shared
@pytest.mark.parametrize(("file", "steps", "expected"), DISPUTES)
def test_disputes(shared: Path, file: str, steps: str, expected: tuple | str) -> None:
    seen = found_in(shared, "charge.dispute.updated", file, steps)
    if isinstance(seen, DisputeSeen):
        seen = (seen.external, seen.of.id, seen.amount, seen.status, seen.reason, seen.inquiry)
    assert seen == expected


@pytest.mark.shared
@pytest.mark.parametrize(("file", "steps", "expected"), LINES)
def test_every_line_of_the_balance(shared: Path, file: str, steps: str, expected: tuple) -> None:
    (line,) = said("balance_transaction", json.dumps(within(shared, file, steps)).encode())
    assert (line.external, line.kind, line.gross, line.fee, line.net, line.of.id) == expected


@pytest.mark.shared
def test_every_payload_says_its_own_amounts(shared: Path) -> None:
    """By sums of the payload's own words; Stripe's amounts are in minor units of dollars and euros here."""
    compared = 0
    for vendor, topic, becomes, file in entries():
        if vendor != "stripe" or not becomes[0].endswith("Seen"):
            continue
        (document,) = documents(shared, "stripe", topic, file)
        (seen,) = translate("stripe", topic, document)
        thing = document if topic == "balance_transaction" else document["data"]["object"]
        assert seen.currency == thing["currency"].upper()
        if isinstance(seen, PaymentSeen):
            taken = thing.get("amount_received", thing.get("amount_captured", 0))
            assert (seen.captured, seen.refunded) == (taken, thing.get("amount_refunded", 0))
            assert seen.authorised in (0, thing["amount"]) and seen.captured <= seen.authorised
        elif isinstance(seen, SettlementLineSeen):
            assert (seen.gross, seen.fee, seen.net) == (thing["amount"], thing["fee"], thing["amount"] - thing["fee"])
        else:
            assert seen.amount == thing["amount"]
        compared += 1
    assert compared == 19  # 11 payments, 4 disputes, 2 lines, a refund, a payout


@pytest.mark.shared
def test_lines_of_the_balance(shared: Path) -> None:
    assert said("balance_transaction", of_vendor(shared, "fixtures/balance_transaction.json")) == [
        SettlementLineSeen(
            external="txn_1PgaxNB7WZ01zgkWEV3TLf40", version=1_234_567_890_000_000, at=1_234_567_890_000_000, kind="charge",
            currency="USD", gross=100, net=100, of=Reference("payment", "ch_1PgafuB7WZ01zgkWXYmPNZs8"), available_at=1_234_567_890_000_000,
        )
    ]  # fmt: skip
    assert said("balance_transaction", of_vendor(shared, "objects/dispute_txn_fakefakefakefake01.json")) == [
        SettlementLineSeen(
            external="txn_1JHRCWJSZQVUcJYgYwW8XpF4", version=1_557_995_177_000_000, at=1_557_995_177_000_000, kind="dispute",
            currency="USD", gross=-1000, fee=1500, net=-2500, of=Reference("dispute", "dp_1JHRCWJSZQVUcJYgEHzUiuvb"),
            available_at=1_558_569_600_000_000,
        )
    ]  # fmt: skip


def test_a_line_that_does_not_add_up_is_refused() -> None:
    row = json.loads(sample("balance_transaction")) | {"net": 4824}
    with pytest.raises(Reject) as refused:
        STRIPE.translate("balance_transaction", json.dumps(row).encode())
    assert refused.value.code == "totals_mismatch"


def test_samples() -> None:
    order, charge = Reference("order", "5001", "shopify"), (Reference("payment", "ch_sample_1"),)
    paid = Reference("payment", "pi_sample_1")
    assert said("payment_intent.succeeded", sample("payment_intent.succeeded")) == [
        PaymentSeen(
            external="pi_sample_1", version=1_772_452_800_349_999, at=1_772_452_800_000_000, currency="EUR", status="captured",
            authorised=4998, captured=4998, order=order, aliases=charge,
        )
    ]  # fmt: skip
    assert said("charge.refunded", sample("charge.refunded")) == [
        PaymentSeen(  # (4998 + 1000) * 49,999 // 4998 = 60,002
            external="pi_sample_1", version=1_772_456_400_460_002, at=1_772_456_400_000_000, currency="EUR", status="part_refunded",
            authorised=4998, captured=4998, refunded=1000, order=order, aliases=charge,
        )
    ]  # fmt: skip
    assert said("refund.created", sample("refund.created")) == [
        RefundSeen(
            external="re_sample_1", version=1_772_456_400_100_000, at=1_772_456_400_000_000, of=paid, payment=paid, currency="EUR",
            amount=1000, reason="requested_by_customer",
        )
    ]  # fmt: skip
    assert said("charge.dispute.created", sample("charge.dispute.created"))[0].of == paid
    assert said("payout.paid", sample("payout.paid"))[0].amount == 3823
    line = said("balance_transaction", sample("balance_transaction"))[0]
    assert (line.kind, line.gross, line.fee, line.net, line.of) == ("charge", 4998, 175, 4823, paid)


def test_a_reconciled_payout_hints_at_its_lines() -> None:
    payout, hint = said("payout.reconciliation_completed", sample("payout.paid"))
    assert type(payout) is PayoutSeen
    assert type(hint) is Hint
    assert (hint.feed, hint.external) == ("balance", "po_sample_1")


CHARGE = {
    "id": "ch_1", "amount": 20675, "amount_captured": 20300, "amount_refunded": 375, "captured": True, "status": "succeeded",
    "currency": "usd", "payment_intent": "pi_1", "metadata": {},
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "status", "captured", "refunded"),
    [
        ({}, "captured", 20300, 0),  # the 375 were never captured
        ({"amount_refunded": 475}, "part_refunded", 20300, 100),
        ({"amount_refunded": 20675}, "refunded", 20300, 20300),
        ({"captured": False, "amount_captured": 0, "amount_refunded": 20675}, "voided", 0, 0),
        ({"captured": False, "amount_captured": 0, "amount_refunded": 0}, "authorised", 0, 0),
        ({"amount_captured": None, "amount_refunded": 375}, "part_refunded", 20675, 375),  # before 2020 the field was not there
        ({"status": "pending", "captured": False, "amount_captured": 0, "amount_refunded": 0}, "pending", 0, 0),
    ],
)
def test_what_was_let_go_is_no_refund(change: dict, status: str, captured: int, refunded: int) -> None:
    seen = said("charge.updated", wrapped(CHARGE | change))[0]
    assert (seen.status, seen.captured, seen.refunded) == (status, captured, refunded)


def test_refunds_that_an_old_version_lists_in_the_charge() -> None:
    def refund(name: str, amount: int, created: int) -> dict:
        return {"id": name, "amount": amount, "currency": "usd", "status": "succeeded", "created": created}

    charge = CHARGE | {"amount_refunded": 475, "refunds": {"data": [refund("re_b", 100, 20), refund("re_a", 375, 10)]}}
    payment, given_back = said("charge.refunded", wrapped(charge))
    assert payment.refunded == 100
    assert (given_back.external, given_back.amount, given_back.of) == ("re_b", 100, Reference("payment", "pi_1"))


def test_an_expired_authorisation_is_no_refund() -> None:
    refund = {
        "id": "re_1",
        "amount": 500,
        "currency": "usd",
        "status": "succeeded",
        "charge": "ch_1",
        "reason": "expired_uncaptured_charge",
    }
    with pytest.raises(Reject) as refused:
        STRIPE.translate("refund.created", wrapped(refund))
    assert refused.value.code == "not_business"


def test_within_one_second_versions_follow_the_life_of_a_payment() -> None:
    intent = {"id": "pi_1", "amount": 1000, "amount_received": 0, "currency": "usd", "status": "requires_confirmation"}
    charge = CHARGE | {"amount": 1000, "amount_captured": 1000}
    life = [
        ("payment_intent.created", intent),
        ("payment_intent.payment_failed", intent | {"last_payment_error": {"code": "card_declined"}}),
        ("payment_intent.amount_capturable_updated", intent | {"status": "requires_capture"}),
        ("payment_intent.succeeded", intent | {"status": "succeeded", "amount_received": 1000}),
        ("charge.refunded", charge | {"amount_refunded": 1}),
        ("charge.refunded", charge | {"amount_refunded": 2}),
        ("charge.refunded", charge | {"amount_refunded": 1000}),
    ]
    versions = [said(topic, wrapped(thing))[0].version for topic, thing in life]
    assert versions == sorted(set(versions))
    assert versions[-1] < said("charge.updated", wrapped(charge, 1_700_000_001))[0].version  # a later second is later still


@pytest.mark.parametrize(
    ("currency", "stated", "ours"), [("jpy", 500, 500), ("isk", 50000, 500), ("ugx", 900, 9), ("mga", 12, 1200), ("kwd", 1230, 1230)]
)
def test_currencies_that_stripe_counts_its_own_way(currency: str, stated: int, ours: int) -> None:
    charge = CHARGE | {"currency": currency, "amount": stated, "amount_captured": stated, "amount_refunded": 0}
    assert said("charge.succeeded", wrapped(charge))[0].captured == ours


@pytest.mark.parametrize(
    ("topic", "body", "code"),
    [
        ("charge.succeeded", wrapped(CHARGE | {"status": "shipped"}), "unknown_word"),
        (
            "payment_intent.succeeded",
            wrapped({"id": "pi", "amount": 1, "amount_received": 1, "currency": "eur", "status": "done"}),
            "unknown_word",
        ),
        ("charge.succeeded", wrapped(CHARGE | {"currency": "eurο"}), "currency"),
        ("charge.succeeded", wrapped(CHARGE | {"currency": "isk", "amount_captured": 150}), "scale"),
        ("charge.succeeded", wrapped(CHARGE | {"amount": "20.00"}), "schema"),
        ("charge.succeeded", wrapped(CHARGE | {"amount_captured": 0, "amount_refunded": 0}), "totals_mismatch"),
        ("charge.succeeded", wrapped(CHARGE | {"amount": 20.5}), "schema"),
        ("charge.succeeded", wrapped(CHARGE | {"id": "", "payment_intent": None}), "id_missing"),
        ("charge.succeeded", b'{"created": 1, "data"', "json_syntax"),
        ("charge.succeeded", b'{"created": 1, "data": {"object": {"id": "\xff"}}}', "not_utf8"),
        ("charge.teleported", b"{}", "unknown_topic"),
        ("customer.updated", b"{}", "not_business"),
    ],
)
def test_what_is_refused_and_why(topic: str, body: bytes, code: str) -> None:
    with pytest.raises(Reject) as refused:
        STRIPE.translate(topic, body)
    assert refused.value.code == code


# --- signatures ------------------------------------------------------------------------------------------------------
BODY = sample("payment_intent.succeeded")


def signed(body: bytes, secret: str = "whsec_new", at_s: int = NOW // 1_000_000) -> dict[str, str]:
    mac = hmac.new(secret.encode(), f"{at_s}.".encode() + body, "sha256").hexdigest()
    return {"stripe-signature": f"t={at_s},v1={mac}"}


@pytest.mark.parametrize("secret", ["whsec_new", "whsec_old"])
def test_either_live_secret_is_accepted(secret: str) -> None:
    delivery = STRIPE.receive(signed(BODY, secret), BODY, NOW)
    assert (delivery.topic, delivery.key) == ("payment_intent.succeeded", "evt_sample_1")


def test_a_known_signature() -> None:
    """Computed with openssl: printf '1772452800.{}' | openssl dgst -sha256 -hmac whsec_new"""
    header = "t=1772452800,v1=d1fc3b1e5bd23095b23fa74397b5703f4b5f7b85eb8585bfc0756e1d409f001f"
    kept = STRIPE.receive({"stripe-signature": header}, b"{}", NOW)
    assert kept == unread(b"{}"), "proven, and then without an id: its sender has done its part"
    with pytest.raises(Reject) as refused:
        STRIPE.translate(kept.topic, b"{}")
    assert refused.value.code == "schema"


@pytest.mark.parametrize("at_s", [NOW // 1_000_000 - 301, NOW // 1_000_000 + 301])
def test_stale_and_future_stamps_are_refused(at_s: int) -> None:
    with pytest.raises(Forged) as forged:
        STRIPE.receive(signed(BODY, at_s=at_s), BODY, NOW)
    assert forged.value.code == "timestamp_stale"


def test_a_stamp_of_five_minutes_is_accepted() -> None:
    assert STRIPE.receive(signed(BODY, at_s=NOW // 1_000_000 - 300), BODY, NOW).key == "evt_sample_1"


@pytest.mark.parametrize("bit", [0, 100, 8 * len(BODY) - 1])
def test_a_flipped_bit_is_refused(bit: int) -> None:
    flipped = bytearray(BODY)
    flipped[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Forged):
        STRIPE.receive(signed(BODY), bytes(flipped), NOW)


@pytest.mark.parametrize("header", ["", "t=1772452800", "v1=00", "t=x,v1=00", "t=1772452800,v1=", "t=1772452800,v0=00", "garbage"])
def test_broken_headers_are_refused(header: str) -> None:
    with pytest.raises(Forged):
        STRIPE.receive({"stripe-signature": header}, BODY, NOW)


def test_another_secret_is_refused() -> None:
    with pytest.raises(Forged):
        STRIPE.receive(signed(BODY, "whsec_stolen"), BODY, NOW)
