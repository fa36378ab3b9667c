"""Amazon's conversations: every call against the twin, in good and bad weather, and the queue against a real double of SQS (moto)."""

from __future__ import annotations

import gzip
import json
import random
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from wire import NOW, Wire

from mainstay.connectors.amazon import PLANS, Amazon, listings, notifications
from mainstay.connectors.amazon.shipments import package_reference
from mainstay.contract.connector import Done, Measured, Page, Row, Subscription, settings_of
from mainstay.contract.talk import Call, Reply, converse
from mainstay.contract.twin import Request
from mainstay.delivery.custody import feeds_of
from mainstay.model.commands import CancelOrder, ConfirmFulfilment, SetLevel, SetPrice
from mainstay.model.failures import Failure, Halt, Reject, Retry, Unknown
from mainstay.model.objects import UnitsOf
from mainstay.model.seen import FulfilmentSeen, Hint, OrderSeen
from mainstay.model.times import HOUR, MINUTE, SECOND, micros
from mainstay.twins.amazon import AmazonTwin
from mainstay.twins.imitation import Weather

BUYER = {
    "name": "Ada Lovelace",
    "email": "x1@marketplace.example",
    "street": "Seestr. 1",
    "city": "Berlin",
    "postcode": "10115",
    "country": "DE",
}
QUEUE = "https://sqs.eu-west-1.amazonaws.com/000000000000/mainstay"
FAST = 1000.0  # limits do not matter to what most tests are about


def rig(
    count: int = 3, weather: dict[str, float] | None = None, seed: int = 1, factor: float = FAST, **settings: Any
) -> tuple[Wire, Amazon, AmazonTwin]:
    twin = AmazonTwin(random.Random(seed), Weather(weather or {}), factor)
    for number in range(count):
        twin.add_listing(f"SKU-{number}", 1000 + number, 100)
    twin.subscribe_by_hand()
    values = {
        "seller": twin.seller, "marketplace": twin.marketplace, "client": "amzn1.client", "client_secret": twin.client_secret,
        "refresh_token": twin.refresh_token, "queue_url": QUEUE, "access_key": twin.access_key, "secret_key": twin.secret_key,
        "url": twin.url,
    }  # fmt: skip
    connector = Amazon(settings_of(Amazon, {**values, **settings}))
    return Wire(connector, twin, step=SECOND // 10), connector, twin


MANY = listings.BULK_FROM  # the fewest that go as a feed


def level(sku: str, quantity: int, revision: int = 1) -> SetLevel:
    return SetLevel(key=f"{sku}-{revision}", sku=sku, item=sku, quantity=quantity, revision=revision)


def price(amount: int, currency: str) -> SetPrice:
    return SetPrice(key="p", sku="S", item="S", currency=currency, price=amount, revision=1)


def placed(wire: Wire, twin: AmazonTwin, **more: Any) -> dict[str, Any]:
    order = twin.place_order([("SKU-0", 2), ("SKU-1", 1)], now=wire.now, buyer=BUYER, **more)
    assert order is not None
    return order


def shipment(order: dict[str, Any], line: int = 0, units: int = 2, fulfilment: str = "ful-1", **more: Any) -> ConfirmFulfilment:
    lines = (UnitsOf(order["orderItems"][line]["orderItemId"], units),)
    fields = {"carrier": "DHL", "tracking": ("00340",), **more}
    return ConfirmFulfilment(key=fulfilment, order=order["orderId"], fulfilment=fulfilment, lines=lines, shipped_at=NOW, **fields)


def operations(wire: Wire) -> list[str]:
    return [call.operation for call in wire.calls]


def all_rows(wire: Wire, connector: Amazon, feed: str, cursor: str = "") -> tuple[list[Row], str]:
    rows: list[Row] = []
    while True:
        page: Page = wire.run(connector.pull(feed, cursor))
        rows, cursor = [*rows, *page.rows], page.cursor
        if not page.more:
            return rows, cursor


# --- limits ------------------------------------------------------------------------------------------------------------------
@pytest.mark.shared
def test_budgets_are_the_vendor_s_usage_plans(shared: Path) -> None:
    stated: dict[str, tuple[float, float]] = {}
    plans = json.loads((shared / "vendor/amazon/specs/usage-plans.json").read_text())
    for api in ("orders-v0", "orders-2026-01-01", "feeds", "listings-items", "notifications-api"):
        stated |= {name: (plan["rate"], plan["burst"]) for name, plan in plans[api].items()}
    assert {name: (float(rate), float(burst)) for name, (rate, burst) in PLANS.items()} == {name: stated[name] for name in PLANS}
    assert {one.name: (one.per_s, one.capacity) for one in AmazonTwin.budgets} == {name: stated[name] for name in PLANS}


def test_the_twin_keeps_the_limits() -> None:
    wire, connector, _ = rig(factor=1.0)
    with pytest.raises(Retry) as throttled:
        for _ in range(25):
            wire.run(connector.pull("orders", ""))
    assert operations(wire).count("searchOrders") == 21 and throttled.value.code == "rate_limited"  # a burst of 20
    wire.now += 180 * SECOND  # one more every 179 seconds
    assert wire.run(connector.pull("orders", "")).rows == ()


def test_the_stated_flow_is_measured() -> None:
    _, connector, _ = rig()
    call = Call(operation="getOrder", method="GET", path="/")
    assert connector.measured(call, Reply(200, {"x-amzn-ratelimit-limit": "2.5"})) == (Measured("getOrder", per_s=2.5),)
    assert connector.measured(call, Reply(200, {"x-amzn-ratelimit-limit": "many"})) == ()
    assert connector.measured(call, Reply(200)) == ()


# --- orders ------------------------------------------------------------------------------------------------------------------
def test_orders_are_searched_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    wire, connector, twin = rig()
    real = twin._search
    monkeypatch.setattr(twin, "_search", lambda request, now: real(Request("GET", "", {**request.query, "maxResultsPerPage": "2"}), now))
    orders = [placed(wire, twin, tax_minor=577, shipping_minor=490, discount_minor=33) for _ in range(5)]
    wire.now += 5 * MINUTE
    rows, cursor = all_rows(wire, connector, "orders")
    assert operations(wire).count("searchOrders") == 3
    seen = [connector.translate(row.topic, row.body)[0].event for row in rows]
    assert [one.external for one in seen] == [order["orderId"] for order in orders]
    for event in seen:
        assert isinstance(event, OrderSeen)
        # 2 × 10.00 + 10.01 + 4.90 shipping - 0.33 + 5.77 tax that Amazon remits
        assert (event.order.total, event.order.tax, event.order.facilitator_tax, event.order.difference()) == (4035, 0, 577, 0)
    assert all_rows(wire, connector, "orders", cursor)[0] == []
    placed(wire, twin)
    wire.now += 5 * MINUTE
    assert len(all_rows(wire, connector, "orders", cursor)[0]) == 1


def test_a_poll_that_comes_again_reads_the_same() -> None:
    wire, connector, twin = rig()
    placed(wire, twin)
    wire.now += HOUR
    assert wire.run(connector.pull("orders", "")).rows == wire.run(connector.pull("orders", "")).rows


def test_a_waiting_order_and_what_becomes_of_it() -> None:
    wire, connector, twin = rig()
    order = placed(wire, twin, status="PENDING", tax_minor=100)
    (row,) = wire.run(connector.fetch("order", order["orderId"]))
    event = connector.translate(row.topic, row.body)[0].event
    assert isinstance(event, OrderSeen) and (event.order.payment, event.order.total) == ("pending", 0)
    twin.cancel_order(order["orderId"], now=wire.now)
    (later,) = wire.run(connector.fetch("order", order["orderId"]))
    cancelled = connector.translate(later.topic, later.body)[0].event
    assert isinstance(cancelled, OrderSeen) and cancelled.version > event.version and later.key != row.key
    assert (cancelled.order.payment, [line.cancelled for line in cancelled.order.lines]) == ("voided", [2, 1])
    with pytest.raises(Reject) as unknown:
        wire.run(connector.fetch("order", "999-0000000-0000000"))
    assert unknown.value.code == "not_found"


def test_an_order_of_the_twin_fits_the_vendor_s_model(shared: Path) -> None:
    from jsonschema import Draft7Validator

    model = json.loads((shared / "vendor/amazon/specs/orders-2026-01-01.swagger.json").read_text())
    wire, connector, twin = rig()
    order = placed(wire, twin, tax_minor=5)
    wire.run(connector.push([shipment(order)]))
    validator = Draft7Validator({"$ref": "#/definitions/Order", "definitions": model["definitions"]})
    assert [error.message for error in validator.iter_errors(order)] == []


# --- shipments ---------------------------------------------------------------------------------------------------------------
def test_a_shipment_in_two_packages() -> None:
    wire, connector, twin = rig()
    order = placed(wire, twin)
    (first,) = wire.run(connector.push([shipment(order, units=1)]))
    (second,) = wire.run(connector.push([shipment(order, units=1, fulfilment="ful-2", carrier="Bike Bob")]))
    assert isinstance(first, Done) and isinstance(second, Done)
    assert order["fulfillment"]["fulfillmentStatus"] == "PARTIALLY_SHIPPED"
    assert [one["carrier"] for one in order["packages"]] == ["DHL", "Bike Bob"]
    asked = json.loads(next(call for call in wire.calls if call.operation == "confirmShipment").body)
    assert asked["packageDetail"]["shipDate"] == "2026-03-02T12:00:00Z" and asked["packageDetail"]["packageReferenceId"].isdecimal()
    (row,) = wire.run(connector.fetch("order", order["orderId"]))
    parcels = [said.event for said in connector.translate(row.topic, row.body)[1:]]
    assert [one.external for one in parcels] == [first.references["fulfilment"], second.references["fulfilment"]]
    assert all(isinstance(one, FulfilmentSeen) and one.tracking == ("00340",) for one in parcels)


def test_package_numbers_are_positive_and_differ() -> None:
    numbers = {package_reference(f"ful-{n}") for n in range(10_000)}
    assert len(numbers) == 10_000 and all(one.isdecimal() and int(one) > 0 for one in numbers)


@pytest.mark.parametrize("fault", ["cut_after", "error_after"])
def test_a_confirmation_whose_answer_is_lost_is_found(fault: str) -> None:
    wire, connector, twin = rig()
    order = placed(wire, twin)
    command = shipment(order)
    assert wire.run(connector.look_up(command)) is None
    twin.weather = Weather({fault: 1.0})
    (outcome,) = wire.run(connector.push([command]))
    assert isinstance(outcome, Unknown)
    twin.weather = Weather()
    assert wire.run(connector.look_up(command)) == Done({"fulfilment": f"{order['orderId']}/{package_reference('ful-1')}"})
    assert len(order["packages"]) == 1 and max(twin.effects.values()) == 1


def test_what_amazon_will_not_take() -> None:
    wire, connector, twin = rig()
    order = placed(wire, twin)
    commands = [shipment(order, tracking=()), shipment(order, units=3), CancelOrder(key="c", order=order["orderId"], reason="customer")]
    outcomes = [wire.run(connector.push([command]))[0] for command in commands]
    assert [one.code for one in outcomes if isinstance(one, Reject)] == ["rejected", "rejected", "not_capable"]
    assert not order["packages"]


# --- listings ----------------------------------------------------------------------------------------------------------------
def test_a_few_levels_are_patched_one_by_one() -> None:
    wire, connector, twin = rig()
    outcomes = wire.run(connector.push([level("SKU-0", 7), level("GONE", 1), level("SKU-2", -1), level("SKU-1", 8)]))
    assert [type(one) for one in outcomes] == [Done, Reject, Reject, Done]
    assert "could not be found" in outcomes[1].why and "greater than or equal to 0" in outcomes[2].why  # type: ignore[union-attr]
    assert [twin.available(f"SKU-{n}") for n in range(3)] == [7, 8, 100]
    assert operations(wire) == ["token", *["patchListingsItem"] * 4]


def test_many_levels_go_as_one_feed_with_an_outcome_each() -> None:
    wire, connector, twin = rig(300)
    commands = [level(f"SKU-{n}", n) for n in range(300)]
    commands[5], commands[77] = level("GONE", 1), level("SKU-77", -1)
    outcomes = wire.run(connector.push(commands))
    assert [n for n, one in enumerate(outcomes) if isinstance(one, Failure)] == [5, 77]
    assert all(isinstance(outcomes[n], Reject) for n in (5, 77))
    assert [twin.available(f"SKU-{n}") for n in (0, 5, 77, 299)] == [0, 100, 100, 299]
    names = operations(wire)
    assert names[:4] == ["token", "createFeedDocument", "upload", "createFeed"] and names[-2:] == ["getFeedDocument", "download"]
    assert set(names[4:-2]) == {"getFeed"}


@pytest.mark.shared
def test_the_feed_fits_the_vendor_s_schema(shared: Path) -> None:
    from jsonschema import validate

    wire, connector, twin = rig(MANY)
    wire.run(connector.push([level(f"SKU-{n}", n) for n in range(MANY)]))
    (upload,) = [call for call in wire.calls if call.operation == "upload"]
    folder = shared / "vendor/amazon/schemas/feeds"
    (schema,) = [json.loads(path.read_text()) for path in folder.iterdir() if path.name.startswith("listings-feed-schema")]
    validate(json.loads(upload.body), schema)
    assert upload.path == f"{twin.url}/upload/d-2" or upload.path.startswith(f"{twin.url}/upload/")
    assert "x-amz-access-token" not in connector.headers(upload, upload.path, wire.session, NOW)


def test_prices_go_out_to_the_last_digit() -> None:
    wire, connector, twin = rig(MANY)
    prices = [SetPrice(key=f"p{n}", sku=f"SKU-{n}", item="", currency="EUR", price=1005 + n, revision=1) for n in range(MANY)]
    assert wire.run(connector.push(prices[:1])) == [Done({"submission": "s-2"})]
    assert b'"value_with_tax":10.05' in next(call for call in wire.calls if call.operation == "patchListingsItem").body
    assert all(isinstance(one, Done) for one in wire.run(connector.push(prices)))
    assert [twin.listings[f"SKU-{n}"].price_minor for n in range(MANY)] == [1005 + n for n in range(MANY)]
    assert wire.run(connector.look_up(prices[3])) == Done()


def test_a_vendor_report_gives_each_message_its_outcome(shared: Path) -> None:
    """The processing report of the vendor's documentation: message 4 has two errors, message 5 one, 1 to 3 none."""
    report = (shared / "vendor/amazon/feeds/listings-feed-processing-report-schema-v2.example.json").read_bytes()
    answers = {
        "createFeedDocument": Reply(201, {}, b'{"feedDocumentId":"d","url":"https://up.example/1"}'),
        "upload": Reply(200),
        "createFeed": Reply(202, {}, b'{"feedId":"f"}'),
        "getFeed": Reply(200, {}, b'{"feedId":"f","processingStatus":"DONE","resultFeedDocumentId":"r"}'),
        "getFeedDocument": Reply(200, {}, b'{"feedDocumentId":"r","url":"https://down.example/1","compressionAlgorithm":"GZIP"}'),
        "download": Reply(200, {}, gzip.compress(report)),
    }
    account = listings.Account("A1", "ATVPDKIKX0DER")
    outcomes = converse(listings.publish(account, [level(f"S{n}", n) for n in range(MANY)]), lambda call: answers[call.operation])
    assert [n + 1 for n, one in enumerate(outcomes) if isinstance(one, Reject)] == [4, 5]
    assert "'[batteries_required]' is required" in outcomes[3].why and "supplier_declared" in outcomes[3].why  # type: ignore[union-attr]


LISTED = "samples/listings-items/getListingsItem-200-0"  # 100 units of DEFAULT; 100.00 USD in one marketplace, 130.00 CAD in another
SHOWN: list[tuple[str, SetLevel | SetPrice, bool]] = [  # marketplace, what we set, does the vendor's listing show it?
    ("ATVPDKIKX0DER", level("GM-ZDPI-9B4E", 100), True),
    ("ATVPDKIKX0DER", level("GM-ZDPI-9B4E", 99), False),
    ("ATVPDKIKX0DER", level("GM-ZDPI-9B4E", 0), False),
    ("ATVPDKIKX0DER", SetLevel(key="k", sku="S", item="S", quantity=100, revision=1, location="OTHER"), False),
    ("ATVPDKIKX0DER", price(10000, "USD"), True),
    ("ATVPDKIKX0DER", price(10001, "USD"), False),
    ("ATVPDKIKX0DER", price(13000, "CAD"), False),
    ("A2EUQ1WTGCTBG2", price(13000, "CAD"), True),
    ("A2EUQ1WTGCTBG2", price(13000, "USD"), False),
    ("A1PA6795UKMFR9", price(10000, "USD"), False),
]


def answered(shared: Path, file: str) -> Reply:
    answer = json.loads((shared / f"vendor/amazon/{file}.json").read_text())["response"]
    return Reply(answer["status"], {}, json.dumps(answer["body"]).encode())


@pytest.mark.shared
@pytest.mark.parametrize(("marketplace", "command", "shown"), SHOWN)
def test_what_the_vendors_listing_shows(shared: Path, marketplace: str, command: SetLevel | SetPrice, shown: bool) -> None:
    account = listings.Account("A1", marketplace)
    assert converse(listings.look_up(account, command), lambda call: answered(shared, LISTED)) == (Done() if shown else None)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("patchListingsItem-200-0", "f1dc2914-75dd-11ea-bc55-0242ac130003"),
        ("patchListingsItem-200-1", "Amazon refused the change of 'S': it gave no reason"),  # VALID: a trial, by which nothing changed
        ("putListingsItem-200-2", "'condition_type' is required but not supplied. (90220); The attributes are invalid. (90000900)"),
        ("patchListingsItem-400-0", "patchListingsItem"),
    ],
)
def test_what_the_vendors_answers_to_a_change_say(shared: Path, file: str, told: str) -> None:
    _, connector, _ = rig(0)
    account = listings.Account("A1", "ATVPDKIKX0DER")
    reply = answered(shared, f"samples/listings-items/{file}")
    (outcome,) = converse(listings.publish(account, [level("S", 1)]), lambda call: connector.judge(call, reply))
    if isinstance(outcome, Done):
        assert outcome == Done({"submission": told})
    else:
        assert isinstance(outcome, Reject) and told in outcome.why


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b'{"processingStatus":"CANCELLED"}', Retry),
        (b'{"processingStatus":"FATAL"}', Unknown),
        (b'{"processingStatus":"IN_PROGRESS"}', Unknown),
        (b"<html>", Unknown),
    ],
)
def test_a_feed_that_does_not_end_well(answer: bytes, kind: type[Failure]) -> None:
    wire, connector, twin = rig(MANY)
    real = twin._feed
    twin._feed = lambda feed: Reply(200, {}, answer)  # type: ignore[method-assign]
    outcomes = wire.run(connector.push([level(f"SKU-{n}", 5) for n in range(MANY)]))
    assert [type(one) for one in outcomes] == [kind] * MANY
    assert operations(wire).count("getFeed") <= listings.POLLS_MAX
    twin._feed = real  # type: ignore[method-assign]
    wire.now += MINUTE
    assert wire.run(connector.look_up(level("SKU-3", 5))) == Done()
    assert wire.run(connector.look_up(level("SKU-3", 6))) is None


@pytest.mark.parametrize(("status", "lingers_s"), [(500, listings.FEED_LINGERS_S), (502, listings.FEED_LINGERS_S), (429, 0.0), (400, 0.0)])
def test_an_error_does_not_take_back_a_feed(status: int, lingers_s: float) -> None:
    """Amazon may have taken the feed before it broke: it brings its numbers later, over newer ones that were told meanwhile."""
    wire, connector, twin = rig(MANY)
    real = twin.handle

    def handle(request: Request, now: int) -> Reply:
        reply = real(request, now)
        return Reply(status, {}, b"{}") if request.path.endswith("/feeds") else reply

    twin.handle = handle  # type: ignore[method-assign]
    with pytest.raises(Failure) as failed:
        wire.run(connector.push([level(f"SKU-{n}", 5) for n in range(MANY)]))
    assert failed.value.lingers_s == lingers_s


def test_an_address_that_ran_out_is_asked_for_again() -> None:
    _, connector, _ = rig()
    with pytest.raises(Retry):
        connector.judge(Call(operation="upload", method="PUT", path="https://up.example/1"), Reply(403, {}, b"<Error/>"))


# --- log-in ------------------------------------------------------------------------------------------------------------------
def test_without_a_valid_refresh_token_a_person_is_called() -> None:
    wire, connector, _ = rig(refresh_token="revoked")
    with pytest.raises(Halt, match="invalid_grant"):
        wire.run(connector.pull("orders", ""))


def test_a_token_lives_an_hour() -> None:
    wire, connector, _ = rig()
    wire.run(connector.pull("orders", ""))
    wire.now += 2 * HOUR
    with pytest.raises(Halt, match="expired"):
        wire.run(connector.pull("orders", ""))
    wire.session = None  # what the shell does on Halt, once
    wire.run(connector.pull("orders", ""))


# --- the queue ---------------------------------------------------------------------------------------------------------------
def test_notifications_are_deleted_only_after_they_are_recorded() -> None:
    wire, connector, twin = rig()
    orders = [placed(wire, twin) for _ in range(12)]
    page = wire.run(connector.pull("notifications", ""))
    assert len(page.rows) == 10 and page.more and twin.undelivered == 12
    # a crash before the page is recorded: nothing was deleted, and when the messages show again they come again
    wire.now += 3 * MINUTE
    rows, cursor = all_rows(wire, connector, "notifications")
    assert {row.key for row in page.rows} <= {row.key for row in rows} and len({row.key for row in rows}) == 12
    assert (twin.undelivered, cursor) == (0, "")
    hints = [connector.translate(row.topic, row.body)[0].event for row in rows]
    assert [one.external for one in hints if isinstance(one, Hint)] == [order["orderId"] for order in orders]


def test_duplicate_and_reordered_messages_keep_their_event_id() -> None:
    wire, connector, twin = rig(weather={"duplicate": 0.5, "reordered": 0.5, "late": 0.3}, factor=1.0)
    for _ in range(20):
        placed(wire, twin)
    seen: list[str] = []
    for _ in range(60):
        rows, _cursor = all_rows(wire, connector, "notifications")
        seen += [row.key for row in rows]
        wire.now += SECOND
    assert len(set(seen)) == 20 < len(seen) and twin.undelivered == 0


@pytest.mark.parametrize("change", [{"secret_key": "wrong"}, {"queue_region": "us-east-1"}, {"access_key": "AKIAOTHER"}])
def test_a_wrong_key_for_the_queue(change: dict[str, str]) -> None:
    wire, connector, _ = rig(**change)
    with pytest.raises(Halt):
        wire.run(connector.pull("notifications", ""))


def test_without_a_queue_nothing_is_asked() -> None:
    wire, connector, _ = rig(queue_url="")
    assert wire.run(connector.pull("notifications", "")) == Page((), "") and not wire.calls


def test_sqs_says_slow_down_with_a_400() -> None:
    _, connector, _ = rig()
    call = Call(operation="ReceiveMessage", method="POST", path="/", endpoint="sqs")
    with pytest.raises(Retry):
        connector.judge(call, Reply(400, {}, b'{"__type":"com.amazonaws.sqs#RequestThrottled","message":"m"}'))
    with pytest.raises(Reject):
        connector.judge(call, Reply(400, {}, b'{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"m"}'))


# --- the subscription --------------------------------------------------------------------------------------------------------
OLD = "arn:aws:sqs:eu-west-1:000000000000:old"
OURS = "Mainstay A3TH9S8BH6GOGM A1PA6795UKMFR9"  # the name of a destination of ours


def unsubscribed(**settings: Any) -> tuple[Wire, Amazon, AmazonTwin]:
    wire, connector, twin = rig(**settings)
    twin.destinations.clear()
    twin.subscriptions.clear()
    return wire, connector, twin


def standing(wire: Wire, connector: Amazon) -> Subscription:
    (one,) = wire.run(connector.subscriptions(connector.events_to("")))
    assert one.topic == "ORDER_CHANGE"
    return one


def mend(wire: Wire, connector: Amazon) -> None:
    wire.run(connector.subscribe(connector.events_to(""), [standing(wire, connector)]))


def test_events_go_to_the_queue_whatever_the_public_address_is() -> None:
    _, connector, _ = rig()
    assert connector.events_to("https://mainstay.acme.example/hooks/amazon") == connector.events_to("") == QUEUE
    assert rig(queue_url="")[1].events_to("https://mainstay.acme.example/hooks/amazon") == ""


def test_a_subscription_is_made_once_and_again_after_it_was_lost() -> None:
    wire, connector, twin = unsubscribed()
    assert placed(wire, twin) and twin.undelivered == 0, "who has not subscribed is told nothing"
    assert standing(wire, connector).wrong == "missing"
    mend(wire, connector)
    assert standing(wire, connector).wrong == "" and [one["name"] for one in twin.destinations] == [OURS]
    assert twin.destinations[0]["resource"]["sqs"]["arn"] == twin.queue
    placed(wire, twin)
    assert twin.undelivered == 1
    twin.weather = Weather({"unsubscribed": 1.0})
    placed(wire, twin)
    twin.weather = Weather()
    assert standing(wire, connector).wrong == "missing" and twin.undelivered == 1
    for _ in range(2):  # the answer to the first may have been lost
        wire.run(connector.subscribe(QUEUE, [Subscription("ORDER_CHANGE", "missing")]))
    assert standing(wire, connector).wrong == "" and len(twin.destinations) == 1
    placed(wire, twin)
    assert twin.undelivered == 2


def test_a_destination_that_a_person_made_serves_as_well() -> None:
    wire, connector, twin = unsubscribed()
    twin.subscribe_by_hand()
    assert standing(wire, connector).wrong == ""
    twin.subscriptions.clear()
    mend(wire, connector)
    assert [one["name"] for one in twin.destinations] == ["By hand"] and standing(wire, connector).wrong == ""


ONLY = {"eventFilterType": "ORDER_CHANGE"}


@pytest.mark.parametrize(
    ("what", "wrong"),
    [
        ({"payloadVersion": "0.9"}, "outdated"),
        ({"processingDirective": {"filterExpression": "OrderChangeNotification.NotificationLevel == `OrderLevel`"}}, "narrowed"),
        ({"processingDirective": {"eventFilter": ONLY | {"orderChangeTypes": ["BuyerRequestedChange"]}}}, "narrowed"),
        ({"processingDirective": {"eventFilter": ONLY | {"marketplaceIds": ["ATVPDKIKX0DER"]}}}, "narrowed"),
        ({"processingDirective": {"eventFilter": ONLY | {"marketplaceIds": ["A1PA6795UKMFR9"]}}}, ""),
        ({"destinationId": "gone"}, "elsewhere"),
    ],
)
def test_a_subscription_that_is_not_as_it_should_be_is_made_anew(what: dict[str, Any], wrong: str) -> None:
    wire, connector, twin = rig()
    twin.subscriptions["ORDER_CHANGE"] |= what
    assert (standing(wire, connector).wrong, standing(wire, connector).hint) == (wrong, "")
    mend(wire, connector)
    assert standing(wire, connector).wrong == ""
    assert twin.subscribed_times == (2 if wrong else 1)


def test_one_of_ours_is_moved_and_that_of_others_is_left_to_a_person() -> None:
    wire, connector, twin = unsubscribed()
    twin.subscribe_by_hand(OLD, OURS)
    assert placed(wire, twin) and twin.undelivered == 0, "it fills another queue"
    assert (standing(wire, connector).wrong, standing(wire, connector).hint) == ("elsewhere", "")
    mend(wire, connector)
    assert standing(wire, connector).wrong == ""

    wire, connector, twin = unsubscribed()
    twin.subscribe_by_hand(OLD, "Another integration")
    before, found = twin.subscribed_times, standing(wire, connector)
    assert found.wrong == "elsewhere" and OLD in found.hint and "Another integration" in found.hint
    mend(wire, connector)
    assert standing(wire, connector) == found and twin.subscribed_times == before


def test_a_queue_whose_address_names_none_is_for_a_person() -> None:
    wire, connector, _ = rig(queue_url="https://sqs.eu-west-1.amazonaws.com/orders")
    assert "/ACCOUNT/NAME" in standing(wire, connector).hint and not wire.calls
    vpc = "https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com/000000000000/mainstay"
    assert standing(*rig(queue_url=vpc)[:2]).wrong == "", "whatever host it is reached by"


def test_each_operation_is_asked_for_in_the_name_that_the_vendor_wants() -> None:
    wire, connector, twin = unsubscribed()
    mend(wire, connector)
    twin.subscriptions["ORDER_CHANGE"]["payloadVersion"] = "0.9"
    mend(wire, connector)
    given = {call.operation: connector.headers(call, "", wire.session, 0).get("x-amz-access-token", "") for call in wire.calls}
    assert {operation: token.partition("|")[0] for operation, token in given.items()} == {
        "token": "", "getDestinations": "Atc", "createDestination": "Atc", "deleteSubscriptionById": "Atc", "getSubscriptions": "Atza",
        "createSubscription": "Atza",
    }  # fmt: skip


def test_what_amazon_refuses_is_said_with_what_to_do_and_halts_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    wire, connector, twin = unsubscribed()
    monkeypatch.setattr(twin, "_listed", lambda _kind: Reply(403, {}, b'{"errors":[{"code":"Unauthorized"}]}'))
    found = standing(wire, connector)
    assert found.wrong == "missing" and "Unauthorized" in found.hint and "role for ORDER_CHANGE" in found.hint
    monkeypatch.undo()
    monkeypatch.setattr(twin, "_create_subscription", lambda _kind, _asked: Reply(403, {}, b"{}"))
    with pytest.raises(Reject, match="role for ORDER_CHANGE"):
        mend(wire, connector)


def test_a_client_that_may_not_ask_for_itself_is_for_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    wire, connector, _ = rig()
    monkeypatch.setattr("mainstay.connectors.amazon.custody.SCOPE", "sellingpartnerapi::migration")
    with pytest.raises(Halt, match="invalid_scope"):
        standing(wire, connector)


def test_the_twin_tells_conflicts_and_what_is_not_there() -> None:
    wire, _, twin = rig()

    def ask(method: str, path: str, body: bytes = b"", kind: str = "Atza|") -> int:
        twin._tokens[kind] = wire.now + HOUR
        return twin.answer(Request(method, f"/notifications/v1/{path}", {}, {"x-amz-access-token": kind}, body), wire.now).status

    again = msgspec.json.encode({"payloadVersion": "1.0", "destinationId": "destination-1"})
    assert ask("POST", "subscriptions/ORDER_CHANGE", again) == 409, "one of a version"
    assert ask("POST", "subscriptions/LISTINGS_ITEM_MFN_QUANTITY_CHANGE", again) == 400, "not by queue"
    assert ask("POST", "subscriptions/ORDER_CHANGE", again.replace(b"1.0", b"7.0")) == 400
    there = msgspec.json.encode({"name": "n", "resourceSpecification": {"sqs": {"arn": twin.queue}}})
    assert ask("POST", "destinations", there, "Atc|") == 409 and ask("POST", "destinations", there) == 403
    assert ask("GET", "subscriptions", kind="Atc|") == 403
    assert ask("DELETE", "subscriptions/ORDER_CHANGE/subscription-7", kind="Atc|") == 404


def test_a_silence_of_the_queue_is_read_from_the_orders() -> None:
    _, connector, _ = rig()
    assert feeds_of(connector.manifest, "ORDER_CHANGE") == ["orders"]
    assert connector.since("orders", NOW) == "2026-03-02T11:58:00Z" and connector.since("notifications", NOW) is None


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    """A double of AWS that others wrote."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.mark.real
def test_the_queue_against_a_double_of_sqs(aws: str) -> None:
    import boto3

    sqs = boto3.client("sqs", endpoint_url=aws, region_name="eu-west-1", aws_access_key_id="k", aws_secret_access_key="s")
    queue = sqs.create_queue(QueueName="orders")["QueueUrl"]
    _, connector, twin = rig(queue_url=queue, access_key="k", secret_key="s")
    for _ in range(12):
        twin.place_order([("SKU-0", 1)], now=NOW, buyer=BUYER)
    bodies = [message.body for message in twin.messages] + ["not JSON", "Grüße: ½"]
    for body in bodies:
        sqs.send_message(QueueUrl=queue, MessageBody=body)

    def perform(call: Call) -> Reply:
        url = connector.endpoints()[call.endpoint] + call.path
        headers = {**call.headers, **connector.headers(call, url, None, micros("2026-03-02T12:00:00Z"))}
        request = urllib.request.Request(url, data=call.body, headers=headers, method=call.method)
        try:
            with urllib.request.urlopen(request) as answer:
                return connector.judge(call, Reply(answer.status, {}, answer.read()))
        except urllib.error.HTTPError as error:
            return connector.judge(call, Reply(error.code, {}, error.read()))

    rows: list[Row] = []
    cursor, more = "", True
    while more:
        page = converse(connector.pull("notifications", cursor), perform)
        rows, cursor, more = [*rows, *page.rows], page.cursor, page.more
        if len(rows) == 10:
            counts = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessagesNotVisible"])
            assert counts["Attributes"]["ApproximateNumberOfMessagesNotVisible"] == "10", "read, but not deleted yet"
    assert sorted(row.body.decode() for row in rows) == sorted(bodies)
    assert [row.topic for row in rows].count("ORDER_CHANGE") == 12 and [row.topic for row in rows].count(notifications.UNREADABLE) == 2
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    assert set(sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"].values()) == {"0"}
    with pytest.raises(Reject):
        missing = Amazon(
            settings_of(
                Amazon, {**{n: getattr(connector.settings, n) for n in connector.settings.__struct_fields__}, "queue_url": queue + "x"}
            )
        )
        converse(missing.pull("notifications", ""), perform)


# --- weather -----------------------------------------------------------------------------------------------------------------
STORM = {"throttled": 0.1, "error_before": 0.1, "error_after": 0.1, "cut_before": 0.1, "cut_after": 0.1, "partial": 0.01, "duplicate": 0.2}


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("count", [8, 40])
def test_through_a_storm_each_effect_happens_once_and_the_last_level_stands(seed: int, count: int) -> None:
    """What a lane would do: repeat a Retry, look an Unknown up first."""
    wire, connector, twin = rig(count, STORM, seed)
    orders = [placed(wire, twin) for _ in range(5)]
    levels = [level(f"SKU-{n}", n) for n in range(count)]
    for _ in range(300):
        wire.now += SECOND
        try:
            outcomes = wire.run(connector.push(levels)) if levels else []
        except Retry:
            continue
        left = []
        for command, outcome in zip(levels, outcomes, strict=True):
            assert not isinstance(outcome, Reject)
            if isinstance(outcome, Done):
                continue
            found = wire.insist(lambda command=command: connector.look_up(command)) if isinstance(outcome, Unknown) else None
            left += [] if found else [command]
        levels = left
    assert not levels
    wire.now += MINUTE
    wire.insist(lambda: connector.pull("orders", ""))  # whatever feed is still waiting is worked off
    assert [twin.available(f"SKU-{n}") for n in range(count)] == list(range(count))
    for order in orders:
        outcome: Any = None
        while not isinstance(outcome, Done):
            wire.now += SECOND
            command = shipment(order, fulfilment=f"ful-{order['orderId']}")
            if isinstance(outcome, Unknown):
                outcome = wire.insist(lambda command=command: connector.look_up(command)) or "surely not applied"
                continue
            try:
                (outcome,) = wire.run(connector.push([command]))
            except Retry:  # the log-in failed
                continue
    packages = {key: times for key, times in twin.effects.items() if key.startswith("package:")}
    assert len(packages) == 5 and set(packages.values()) == {1}
    assert sum(twin.fired.values()) >= 3


def test_planted_bug_a_new_package_number_for_each_try_ships_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    wire, connector, twin = rig()
    order, numbers = placed(wire, twin), iter("12")
    monkeypatch.setattr("mainstay.connectors.amazon.shipments.package_reference", lambda fulfilment: next(numbers))
    for _ in range(2):
        wire.run(connector.push([shipment(order, units=1)]))
    assert len(order["packages"]) == 2, "what the look-up by our own number forbids"


def test_planted_bug_deleting_at_once_loses_what_a_crash_forgets() -> None:
    wire, connector, twin = rig()
    placed(wire, twin)
    page = wire.run(connector.pull("notifications", ""))
    wire.run(connector.pull("notifications", page.cursor))  # as if the handles were used before the page was recorded …
    wire.now += HOUR
    assert page.rows and wire.run(connector.pull("notifications", "")).rows == ()  # … and the crash came now: it is gone


def test_the_marketplace_sells_what_it_was_last_told() -> None:
    wire, connector, twin = rig()
    wire.run(connector.push([level("SKU-0", 1)]))
    assert twin.place_order([("SKU-0", 1), ("SKU-0", 1)], now=wire.now, buyer=BUYER) is None
    assert twin.place_order([("SKU-0", 1)], now=wire.now, buyer=BUYER) is not None
    assert twin.available("SKU-0") == 0


def test_orders_of_the_twin_add_up_whatever_is_bought() -> None:
    dice = random.Random(7)
    wire, connector, twin = rig(20)
    for _ in range(150):
        for listing in twin.listings.values():
            listing.quantity = 100
        lines = [(f"SKU-{dice.randrange(20)}", dice.randrange(1, 4)) for _ in range(dice.randrange(1, 6))]
        amounts = {name: dice.randrange(900) for name in ("tax_minor", "shipping_minor", "discount_minor")}
        assert twin.place_order(lines, now=wire.now, buyer={}, facilitator=dice.random() < 0.5, **amounts)
    wire.now += HOUR
    rows, _ = all_rows(wire, connector, "orders")
    orders = [connector.translate(row.topic, row.body)[0].event.order for row in rows]  # type: ignore[union-attr]
    assert len(orders) == 150 and all(order.difference() == 0 for order in orders)
    assert {bool(order.facilitator_tax) for order in orders} == {True, False}


def test_an_order_without_an_id_is_a_row_like_its_neighbours():
    """It is parked by its translation, with the true reason, and stops no other order of the page."""
    _, connector, _ = rig(1)
    page = {"orders": [{"lastUpdatedTime": "2026-03-02T12:00:00Z"}, {"orderId": "1", "lastUpdatedTime": "2026-03-02T12:00:00Z"}]}
    found = converse(connector.pull("orders", ""), lambda call: Reply(200, {}, msgspec.json.encode(page)))
    assert [row.key.split(":")[0] == "1" for row in found.rows] == [False, True]
    with pytest.raises(Reject) as why:
        connector.translate(found.rows[0].topic, found.rows[0].body)
    assert why.value.code == "schema"
