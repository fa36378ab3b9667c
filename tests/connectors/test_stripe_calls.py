"""Stripe's conversations against its twin, which keeps its own books: belief is compared with what the twin really did."""

import json
import random
from pathlib import Path

import pytest
from wire import NOW, Wire

from mainstay.connectors.stripe import OVERLAP_S, Stripe
from mainstay.contract.connector import Done, Page, settings_of
from mainstay.contract.talk import Call, Reply
from mainstay.contract.twin import Request
from mainstay.model.commands import CapturePayment, RefundPayment, SetLevel, VoidPayment
from mainstay.model.failures import Halt, Reject, Retry, Unknown
from mainstay.model.objects import Reference
from mainstay.model.times import DAY, SECOND
from mainstay.twins.imitation import Weather
from mainstay.twins.stripe import StripeTwin

URL = "https://mainstay.example/stripe"


def pair(rates: dict[str, float] | None = None, seed: int = 1, secret_key: str = "sk_test_twin") -> tuple[Wire, StripeTwin]:
    twin = StripeTwin(random.Random(seed), Weather(rates or {}), url=URL)
    stripe = Stripe(settings_of(Stripe, {"secret_key": secret_key, "webhook_secrets": ["whsec_twin"]}))
    return Wire(stripe, twin), twin


def capture(payment: str, amount: int, key: str = "int-1", final: bool = True) -> CapturePayment:
    return CapturePayment(key=key, payment=payment, amount=amount, currency="EUR", order="5001", final=final)


def refund(payment: str, amount: int, key: str = "int-9") -> RefundPayment:
    return RefundPayment(key=key, payment=payment, amount=amount, currency="EUR", order="5001")


def push(wire: Wire, *commands):
    return wire.run(wire.connector.push(commands))


def read_all(wire: Wire, feed: str, cursor: str = "") -> tuple[list, str]:
    rows = []
    while True:
        page: Page = wire.run(wire.connector.pull(feed, cursor))
        rows += page.rows
        cursor = page.cursor
        if not page.more:
            return rows, cursor


# --- the life of a payment -------------------------------------------------------------------------------------------
def test_authorise_capture_refund_told_by_signed_deliveries() -> None:
    wire, twin = pair()
    intent = twin.authorise(4998, "EUR", "5001", wire.now, system="shopify")
    assert push(wire, capture(intent["id"], 4998)) == [Done({"payment": intent["id"]})]
    (made,) = push(wire, refund(intent["id"], 1000))
    assert twin.effects == [("capture", intent["id"], 4998), ("refund", "int-9", 1000)]

    told = wire.deliveries()
    assert [topic for topic, _ in told] == [
        "payment_intent.created", "charge.succeeded", "payment_intent.amount_capturable_updated", "charge.captured",
        "payment_intent.succeeded", "refund.created", "charge.refunded",
    ]  # fmt: skip
    seen = [said.event for _, statements in told for said in statements]
    assert {event.external for event in seen if type(event).__name__ == "PaymentSeen"} == {intent["id"]}
    last = max((event for event in seen if type(event).__name__ == "PaymentSeen"), key=lambda event: event.version)
    assert (last.status, last.authorised, last.captured, last.refunded) == ("part_refunded", 4998, 4998, 1000)
    assert last.order == Reference("order", "5001", "shopify")
    back = next(event for event in seen if type(event).__name__ == "RefundSeen")
    assert (back.external, back.amount, back.of) == (made.references["refund"], 1000, Reference("payment", intent["id"]))


def test_doubled_and_reordered_deliveries_name_the_same_events_and_end_in_the_same_state() -> None:
    wire, twin = pair({"duplicate": 0.5, "reordered": 0.5}, seed=3)
    intent = twin.authorise(4998, "EUR", "5001", wire.now)
    push(wire, capture(intent["id"], 4998))
    push(wire, refund(intent["id"], 4998))
    keys, last = [], None
    for _ in range(300):
        for post in twin.due(wire.now):
            delivery = wire.connector.receive(post.headers, post.body, wire.now)
            keys.append(delivery.key)
            for said in wire.connector.translate(delivery.topic, post.body):
                if said.event.external == intent["id"] and (last is None or said.event.version > last.version):
                    last = said.event
        wire.now += SECOND // 50
    assert twin.fired["duplicate"]
    assert twin.fired["reordered"]
    assert len(keys) > len(set(keys)) == len(twin.events)
    assert (last.status, last.captured, last.refunded) == ("refunded", 4998, 4998)


def test_a_void_lets_go() -> None:
    wire, twin = pair()
    intent = twin.authorise(700, "EUR", "1", wire.now)
    assert push(wire, VoidPayment(key="int-2", payment=intent["id"])) == [Done({"payment": intent["id"]})]
    seen = [said.event for _, statements in wire.deliveries() for said in statements]
    assert [event.status for event in seen][-2:] == ["voided", "voided"]
    assert not twin.balance


def test_captures_of_one_payment_in_parts() -> None:
    wire, twin = pair()
    intent = twin.authorise(1000, "EUR", "1", wire.now)
    push(wire, capture(intent["id"], 400, "int-1", final=False))
    push(wire, capture(intent["id"], 500, "int-2"))
    seen = [said.event for _, statements in wire.deliveries() for said in statements if statements]
    assert [(event.status, event.captured) for event in seen][-4:] == [
        ("authorised", 400), ("authorised", 400), ("captured", 900), ("captured", 900),
    ]  # fmt: skip
    assert [row["net"] for row in twin.balance] == [358, 553, -98]  # 400 - 42; 600 - 47; 100 let go, with 2 of the fee


# --- keys, repeats, look-ups -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("fault", ["error_after", "cut_after", "error_before", "cut_before", "throttled"])
def test_each_effect_happens_once_whatever_fails(fault: str) -> None:
    wire, twin = pair({fault: 0.5}, seed=7)
    intents = [twin.authorise(100 + n, "EUR", str(n), wire.now) for n in range(20)]
    for n, intent in enumerate(intents):
        for command in (capture(intent["id"], 100 + n, f"cap-{n}"), refund(intent["id"], 50, f"ref-{n}")):
            for _ in range(40):
                (outcome,) = push(wire, command)
                wire.now += SECOND
                if isinstance(outcome, Done):
                    break
                assert isinstance(outcome, Retry)
            else:
                pytest.fail(f"{command} never came through")
    assert twin.fired[fault] > 5
    assert sorted(twin.effects) == sorted(
        [("capture", intent["id"], 100 + n) for n, intent in enumerate(intents)] + [("refund", f"ref-{n}", 50) for n in range(20)]
    )


def test_planted_bug_a_new_key_for_each_attempt_is_seen_in_the_effects() -> None:
    """What the test above would catch: without a stable key a lost answer doubles the refund."""
    wire, twin = pair()
    intent = twin.authorise(500, "EUR", "1", wire.now)
    push(wire, capture(intent["id"], 500))
    twin.weather = Weather({"cut_after": 1.0})
    push(wire, refund(intent["id"], 100, "attempt-1"))
    twin.weather = Weather()
    push(wire, refund(intent["id"], 100, "attempt-2"))
    assert sum(amount for kind, _, amount in twin.effects if kind == "refund") == 200


def test_the_same_command_gives_the_same_bytes() -> None:
    wire, twin = pair()
    intent = twin.authorise(500, "EUR", "1", wire.now)
    push(wire, capture(intent["id"], 500))
    push(wire, capture(intent["id"], 500))
    first, second = wire.calls
    assert first == second
    assert first.body == b"amount_to_capture=500&metadata%5Bmainstay_capture%5D=int-1"
    assert len(twin.effects) == 1


def test_a_key_with_other_parameters_is_refused() -> None:
    wire, twin = pair()
    intent = twin.authorise(500, "EUR", "1", wire.now)
    push(wire, capture(intent["id"], 500, final=False))
    (outcome,) = push(wire, refund(intent["id"], 100, "int-1"))
    assert isinstance(outcome, Reject)
    assert outcome.code == "key_reused"


def test_a_key_is_forgotten_after_a_day_and_the_look_up_still_knows() -> None:
    wire, twin = pair()
    intent = twin.authorise(500, "EUR", "1", wire.now)
    push(wire, capture(intent["id"], 500))
    push(wire, refund(intent["id"], 100))
    wire.now += DAY + SECOND
    found = wire.run(wire.connector.look_up(refund(intent["id"], 100)))
    assert found == Done({"refund": next(iter(twin.refunds))})
    assert wire.run(wire.connector.look_up(refund(intent["id"], 100, "another"))) is None
    assert wire.run(wire.connector.look_up(capture(intent["id"], 500))) == Done({"payment": intent["id"]})
    assert wire.run(wire.connector.look_up(VoidPayment(key="v", payment=intent["id"]))) is None


def test_the_look_up_of_a_refund_reads_all_pages() -> None:
    wire, twin = pair()
    intent = twin.authorise(500, "EUR", "1", wire.now)
    push(wire, capture(intent["id"], 500))
    for n in range(205):
        wire.now += SECOND
        push(wire, refund(intent["id"], 1, f"ref-{n}"))
    found = wire.run(wire.connector.look_up(refund(intent["id"], 1, "ref-0")))
    assert found == Done({"refund": next(iter(twin.refunds))})
    assert [call.operation for call in wire.calls[-3:]] == ["refunds"] * 3


def test_what_is_already_so_is_done_and_what_is_otherwise_is_refused() -> None:
    wire, twin = pair()
    captured, voided = twin.authorise(500, "EUR", "1", wire.now), twin.authorise(700, "EUR", "2", wire.now)
    push(wire, capture(captured["id"], 500, "by-hand"), VoidPayment(key="by-hand-2", payment=voided["id"]))
    outcomes = [
        push(wire, command)[0]
        for command in (
            capture(captured["id"], 500, "int-a"),
            VoidPayment(key="int-b", payment=voided["id"]),
            capture(captured["id"], 400, "int-c"),
            capture(voided["id"], 700, "int-d"),
            VoidPayment(key="int-e", payment=captured["id"]),
            refund(captured["id"], 501, "int-f"),
            capture("pi_unknown", 1, "int-g"),
        )
    ]
    assert [type(outcome).__name__ for outcome in outcomes] == ["Done", "Done", "Reject", "Reject", "Reject", "Reject", "Reject"]
    assert outcomes[-1].code == "not_found"
    assert len(twin.effects) == 2


def test_a_stored_failure_is_unknown_and_not_repeated_for_ever() -> None:
    call = Call(operation="refund", method="POST", path="/v1/refunds", key="k")
    with pytest.raises(Unknown):
        pair()[0].connector.judge(call, Reply(500, {"idempotent-replayed": "true"}, b"{}"))
    with pytest.raises(Retry):
        pair()[0].connector.judge(call, Reply(409, {}, b'{"error": {"code": "idempotency_key_in_use", "type": "invalid_request_error"}}'))


def test_a_wrong_secret_stops_the_connection() -> None:
    wire, twin = pair(secret_key="sk_wrong")
    intent = twin.authorise(500, "EUR", "1", wire.now)
    (outcome,) = push(wire, capture(intent["id"], 500))
    assert isinstance(outcome, Halt)
    assert "sk_wrong" not in outcome.why


def test_what_stripe_cannot_do() -> None:
    wire, _ = pair()
    (outcome,) = push(wire, SetLevel(key="k", sku="A", item="1", quantity=1, revision=1))
    assert outcome.code == "not_capable"


# --- feeds -----------------------------------------------------------------------------------------------------------
def test_the_feed_of_events_skips_nothing_and_repeats_only_the_overlap() -> None:
    wire, twin = pair()
    for n in range(90):  # three events each: three pages
        twin.authorise(100, "EUR", str(n), NOW + n * 60 * SECOND)
    wire.now = NOW + 90 * 60 * SECOND
    rows, cursor = read_all(wire, "events")
    assert len(wire.calls) == 3
    assert {row.key for row in rows} == {event["id"] for event in twin.events}
    assert len(rows) == 270
    assert all(row.topic == json.loads(row.body)["type"] for row in rows)

    twin.authorise(100, "EUR", "late", NOW + 90 * 60 * SECOND)
    again, cursor = read_all(wire, "events", cursor)
    repeated = [event for event in twin.events if event["created"] >= (NOW // SECOND + 89 * 60) - OVERLAP_S]
    assert {row.key for row in again} == {event["id"] for event in repeated}
    assert {event["id"] for event in twin.events[-3:]} <= {row.key for row in again}


def test_events_that_come_between_two_pages_are_in_the_next_pass() -> None:
    wire, twin = pair()
    for n in range(50):
        twin.authorise(100, "EUR", str(n), NOW + n * SECOND)
    first = wire.run(wire.connector.pull("events", ""))
    assert first.more
    twin.authorise(100, "EUR", "between", NOW + 3600 * SECOND)
    rest, cursor = read_all(wire, "events", first.cursor)
    then, _ = read_all(wire, "events", cursor)
    assert {event["id"] for event in twin.events} == {row.key for row in (*first.rows, *rest, *then)}


def test_an_empty_feed_keeps_its_place() -> None:
    wire, _ = pair()
    assert read_all(wire, "events") == ([], "0")
    assert read_all(wire, "events", "1700000000") == ([], "1700000000")


def test_the_balance_and_the_lines_of_a_payout_add_up() -> None:
    wire, twin = pair()
    payments = [twin.authorise(amount, "USD", str(n), wire.now) for n, amount in enumerate((10_000, 2_550, 999))]
    for n, intent in enumerate(payments):
        push(wire, CapturePayment(key=f"c{n}", payment=intent["id"], amount=intent["amount"] - n, currency="USD"))
    push(wire, RefundPayment(key="r", payment=payments[1]["id"], amount=550, currency="USD"))
    twin.dispute(payments[2]["id"], wire.now)
    payout = twin.pay_out(wire.now + DAY)

    rows, _ = read_all(wire, "balance")
    lines = [wire.connector.translate(row.topic, row.body)[0].event for row in rows]
    assert sorted((line.kind, line.gross, line.fee, line.net) for line in lines) == sorted(
        [
            ("charge", 10_000, 320, 9_680),  # 2.9 % of 10,000 is 290
            ("charge", 2_550, 104, 2_446),  # 73.95, so 74
            ("charge", -1, 0, -1),
            ("charge", 999, 59, 940),  # 28.971, so 29
            ("charge", -2, 0, -2),  # 2.9 % of 997 is 28.913, so 29 as well
            ("refund", -550, 0, -550),
            ("dispute", -997, 1_500, -2_497),
            ("payout", -10_016, 0, -10_016),
        ]
    )
    assert next(line.of for line in lines if line.gross == 10_000) == Reference("payment", payments[0]["id"])

    wire.now += DAY
    hints = [said.event for _, statements in wire.deliveries() for said in statements if type(said.event).__name__ == "Hint"]
    assert [(hint.feed, hint.external) for hint in hints] == [("balance", payout["id"])]
    settled = [wire.connector.translate(row.topic, row.body)[0].event for row in wire.run(wire.connector.fetch("balance", payout["id"]))]
    assert {line.payout for line in settled} == {payout["id"]}
    assert sum(line.net for line in settled) == 0
    assert sum(line.net for line in settled if line.kind != "payout") == payout["amount"] == 10_016
    assert all(line.version > next(one.version for one in lines if one.external == line.external) for line in settled)


def test_one_event_can_be_fetched() -> None:
    wire, twin = pair()
    twin.authorise(100, "EUR", "1", wire.now)
    (row,) = wire.run(wire.connector.fetch("events", twin.events[-1]["id"]))
    assert row.topic == "payment_intent.amount_capturable_updated"
    assert wire.connector.translate(row.topic, row.body)[0].event.authorised == 100


# --- webhooks, limits, shapes ----------------------------------------------------------------------------------------
def test_a_disabled_endpoint_is_woken_and_a_good_one_left_alone() -> None:
    wire, twin = pair()
    assert wrong(wire) == {}
    twin.subscribed = False
    assert wrong(wire)["payment_intent.succeeded"] == "disabled"
    assert twin.subscribed and wrong(wire) == {}
    twin.endpoint["enabled_events"] = ["charge.captured", "customer.created"]
    found = wrong(wire)
    assert set(found.values()) == {"missing"} and "charge.captured" not in found
    assert {"charge.captured", "customer.created", "payout.paid"} <= set(twin.endpoint["enabled_events"])


def test_an_endpoint_that_only_a_person_can_make_is_named() -> None:
    wire, twin = pair()
    found = wire.run(wire.connector.subscriptions("https://elsewhere.example"))
    assert {one.wrong for one in found} == {"missing"} and "create it and set `webhook_secrets`" in found[0].hint
    with pytest.raises(Reject):
        wire.run(wire.connector.subscribe("https://elsewhere.example", found))
    twin.endpoint["api_version"] = "2023-10-16"
    found = wire.run(wire.connector.subscriptions(URL))
    assert {one.wrong for one in found} == {"outdated"} and "2023-10-16" in found[0].hint
    twin.endpoint["api_version"] = None
    assert wrong(wire) == {}


def wrong(wire: Wire) -> dict[str, str]:
    """What was wrong with which subscriptions, before they were mended."""
    found = [one for one in wire.run(wire.connector.subscriptions(URL)) if one.wrong]
    if found:
        wire.run(wire.connector.subscribe(URL, found))
    return {one.topic: one.wrong for one in found}


def test_the_twin_keeps_stripes_limits() -> None:
    wire, twin = pair()
    wire.step = 0
    intent = twin.authorise(100, "EUR", "1", wire.now)
    for _ in range(25):
        wire.run(wire.connector.look_up(VoidPayment(key="k", payment=intent["id"])))
    with pytest.raises(Retry) as slow:
        wire.run(wire.connector.look_up(VoidPayment(key="k", payment=intent["id"])))
    assert slow.value.code == "rate_limited"
    wire.now += SECOND
    wire.run(wire.connector.look_up(VoidPayment(key="k", payment=intent["id"])))


def shape(value: object) -> object:
    return "number" if isinstance(value, int) and not isinstance(value, bool) else type(value).__name__


@pytest.mark.shared
def test_the_twins_objects_have_the_shapes_of_stripes_fixtures(shared: Path) -> None:
    """Every field of the twin's objects stands in Stripe's published object with the same type, where that one shows a value."""
    wire, twin = pair()
    intent = twin.authorise(100, "USD", "1", wire.now)
    push(wire, CapturePayment(key="c", payment=intent["id"], amount=90, currency="USD"))
    push(wire, RefundPayment(key="r", payment=intent["id"], amount=5, currency="USD"))
    twin.dispute(intent["id"], wire.now)
    things = {
        "payment_intent": intent, "charge": next(iter(twin.charges.values())), "refund": next(iter(twin.refunds.values())),
        "dispute": next(iter(twin.disputes.values())), "balance_transaction": twin.balance[0], "event": twin.events[0],
        "webhook_endpoint": twin.endpoint,
    }  # fmt: skip
    for name, thing in things.items():
        published = json.loads((shared / f"vendor/stripe/fixtures/{name}.json").read_bytes())
        assert set(thing) <= set(published), name
        for field, value in thing.items():
            if value is not None and published[field] is not None:
                assert shape(value) == shape(published[field]), f"{name}.{field}"


def test_the_twin_refuses_in_stripes_shape() -> None:
    _, twin = pair()
    reply = twin.answer(Request("GET", "/v1/payment_intents/pi_no", headers={"authorization": "Bearer sk_test_twin"}), NOW)
    assert reply.status == 404
    assert json.loads(reply.body)["error"] == {
        "type": "invalid_request_error", "code": "resource_missing", "message": "No such payment_intent: 'pi_no'", "param": "id",
    }  # fmt: skip
