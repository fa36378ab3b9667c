"""ShipStation's words as ours, and its conversations against its twin. Expectations are read off the payloads."""

import json
import random
from decimal import Decimal
from pathlib import Path

import pytest
from manifest import documents, translate
from wire import NOW, Wire

from mainstay.connectors.shipstation import ShipStation
from mainstay.connectors.shipstation.words import micros, pacific
from mainstay.contract.connector import Done, Measured, Page, Subscription, settings_of
from mainstay.contract.talk import Call, Reply
from mainstay.contract.twin import Request
from mainstay.model.commands import CancelRelease, CapturePayment, OrderLine, ReleaseOrder
from mainstay.model.failures import Forged, Halt, Reject, Retry
from mainstay.model.objects import Address, Person, Reference, UnitsOf
from mainstay.model.seen import FulfilmentSeen, Hint
from mainstay.model.times import DAY, SECOND
from mainstay.twins.imitation import Weather
from mainstay.twins.shipstation import ShipStationTwin

SETTINGS = {"key": "twin-key", "secret": "twin-secret", "hook_secret": "twin-path", "warehouses": {"EAST": 16079}}
SHIPSTATION = ShipStation(settings_of(ShipStation, SETTINGS))
SAMPLES = Path(__file__).parents[2] / "src/mainstay/connectors/shipstation/samples"


def recorded(shared: Path, file: str, field: str, index: int) -> bytes:
    answer = json.loads((shared / f"vendor/shipstation/v1-recorded/{file}.json").read_bytes())[0]["response"]["body"]
    return json.dumps(answer[field][index] if field else answer).encode()


def sample(name: str, **change: object) -> bytes:
    return json.dumps(json.loads((SAMPLES / f"{name}.json").read_bytes()) | change).encode()


def said(topic: str, body: bytes):
    (one,) = SHIPSTATION.translate(topic, body)
    assert one.person is None
    return one.event


@pytest.mark.shared
def test_recorded_parcels(shared: Path) -> None:
    assert said("shipment", recorded(shared, "list_all_shipments", "shipments", 0)) == FulfilmentSeen(
        external="33974374", version=1_412_344_293_627_000, at=1_412_344_293_627_000, of=Reference("release", "43945660"),
        carrier="USPS", service="usps_first_class_mail", tracking=("9400111899561704681189",), location="16079", cost=193, currency="USD",
    )  # fmt: skip
    assert said("shipment", recorded(shared, "list_matching_shipments", "shipments", 1)) == FulfilmentSeen(
        external="33974373", version=1_412_344_319_943_000, at=1_412_344_319_943_000, of=Reference("release", "43337328"),
        carrier="USPS", service="usps_first_class_mail", tracking=("9400111899561704681196",), location="14265", cost=193, currency="USD",
    )  # fmt: skip


@pytest.mark.shared
def test_every_recorded_parcel_says_its_own_numbers(shared: Path) -> None:
    """Two parcels, each in two recordings: all that there are. None of their items has a key of ours."""
    files = [f"v1-recorded/{file}" for file in ("list_all_shipments", "list_matching_shipments")]
    found = [parcel for file in files for parcel in documents(shared, "shipstation", "shipment", file)]
    assert [parcel["shipmentId"] for parcel in found] == [33974374, 33974373] * 2
    for parcel in found:
        (seen,) = translate("shipstation", "shipment", parcel)
        assert (seen.external, seen.cost) == (str(parcel["shipmentId"]), Decimal(str(parcel["shipmentCost"])) * 100)
        assert (seen.tracking, seen.location, seen.lines, seen.status) == (
            (parcel["trackingNumber"],),
            str(parcel["warehouseId"]),
            (),
            "shipped",
        )


@pytest.mark.shared
@pytest.mark.parametrize("file", ["list_orders_by_tag", "get_order", "update_order"])
def test_recorded_orders_await_their_shipment(shared: Path, file: str) -> None:
    (order,) = documents(shared, "shipstation", "order", f"v1-recorded/{file}")
    with pytest.raises(Reject, match="order TEST-ORDER-API-DOCS is awaiting_shipment: nothing has left"):
        translate("shipstation", "order", order)


def test_our_parcel() -> None:
    at = 1_772_463_093_627_000  # 06:51:33.627 in March is eight hours behind UTC
    assert said("shipment", sample("shipment")) == FulfilmentSeen(
        external="500000007", version=at, at=at, of=Reference("release", "rel-sample", "mainstay"),
        lines=(UnitsOf("11", 2), UnitsOf("12", 1)), carrier="USPS", service="usps_first_class_mail",
        tracking=("9400111899561704681189",), location="16079", cost=743, currency="USD",
    )  # fmt: skip


def test_a_voided_label_is_a_later_word_on_the_same_parcel() -> None:
    seen = said("shipment", sample("shipment", voided=True, voidDate="2026-03-02T08:00:00.0000000"))
    assert (seen.external, seen.status, seen.at) == ("500000007", "cancelled", 1_772_467_200_000_000)
    assert seen.version > said("shipment", sample("shipment")).version


@pytest.mark.parametrize(
    ("status", "elsewhere", "becomes"),
    [("cancelled", False, "cancelled"), ("rejected_fulfillment", False, "failed"), ("shipped", True, "shipped")],
)
def test_orders_that_ended_without_a_shipment(status: str, elsewhere: bool, becomes: str) -> None:
    seen = said("order", sample("order", orderStatus=status, externallyFulfilled=elsewhere))
    assert (seen.external, seen.status, seen.of) == ("order-500000001", becomes, Reference("release", "rel-sample", "mainstay"))
    assert seen.at == 1_772_471_700_000_000  # 09:15 Pacific


@pytest.mark.parametrize(
    ("topic", "body", "code"),
    [
        ("order", sample("order", orderStatus="shipped"), "not_business"),
        ("order", sample("order", orderStatus="on_hold"), "not_business"),
        ("order", sample("order", orderStatus="teleported"), "unknown_word"),
        ("shipment", sample("shipment", shipmentItems=None), "schema"),
        ("shipment", sample("shipment", isReturnLabel=True), "not_business"),
        ("shipment", sample("shipment", createDate="yesterday"), "time"),
        ("shipment", sample("shipment", createDate="2026-03-02T06:51:33Z"), "time"),
        ("shipment", sample("shipment", shipmentCost=7.435), "scale"),
        ("shipment", sample("shipment", shipmentId=None), "schema"),
        ("SHIP_NOTIFY", sample("SHIP_NOTIFY", resource_url="https://shipstation.com.evil.example/shipments?batchId=1"), "schema"),
        ("SHIP_NOTIFY", sample("SHIP_NOTIFY", resource_url="https://evilshipstation.com/shipments?batchId=1"), "schema"),
        ("SHIP_NOTIFY", sample("SHIP_NOTIFY", resource_url="http://ssapi6.shipstation.com/shipments?batchId=1"), "schema"),
        ("SHIP_NOTIFY", sample("SHIP_NOTIFY", resource_url="http://169.254.169.254/latest"), "schema"),
        ("ORDER_NOTIFY", sample("SHIP_NOTIFY"), "not_business"),
        ("LUNCH_NOTIFY", sample("SHIP_NOTIFY"), "unknown_topic"),
    ],
)
def test_what_is_refused_and_why(topic: str, body: bytes, code: str) -> None:
    with pytest.raises(Reject) as refused:
        SHIPSTATION.translate(topic, body)
    assert refused.value.code == code


def test_a_hint_that_was_repaired_bears_its_topic_within() -> None:
    """What could not be read came in under no topic."""
    assert said("", sample("SHIP_NOTIFY")) == said("SHIP_NOTIFY", sample("SHIP_NOTIFY"))


def test_the_hint() -> None:
    assert said("SHIP_NOTIFY", sample("SHIP_NOTIFY")) == Hint(
        external="/shipments?storeID=26815&batchId=100301&includeShipmentItems=False", feed="shipments"
    )


# --- the path, the clock ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", ["twin-path", "/in/shipstation/twin-path"])
def test_who_knows_the_path_may_hint(path: str) -> None:
    delivery = SHIPSTATION.receive({"x-mainstay-path": path}, sample("SHIP_NOTIFY"), NOW)
    assert delivery.topic == "SHIP_NOTIFY"
    assert "batchId=100301" in delivery.key


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "signature_missing"), ({"x-mainstay-path": ""}, "signature_missing"), ({"x-mainstay-path": "twin-patH"}, "signature_invalid"),
        ({"x-mainstay-path": "twin-path2"}, "signature_invalid"), ({"x-mainstay-path": "pfad-ü"}, "signature_invalid"),
    ],
)  # fmt: skip
def test_who_does_not_is_refused(headers: dict[str, str], code: str) -> None:
    with pytest.raises(Forged) as forged:
        SHIPSTATION.receive(headers, sample("SHIP_NOTIFY"), NOW)
    assert forged.value.code == code


def test_without_a_secret_nobody_may_hint() -> None:
    careless = ShipStation(settings_of(ShipStation, {"key": "k", "secret": "s"}))
    with pytest.raises(Forged):
        careless.receive({"x-mainstay-path": ""}, sample("SHIP_NOTIFY"), NOW)


@pytest.mark.parametrize(
    ("stated", "utc_s"),
    [
        ("2026-01-15T12:00:00.0000000", 1_768_507_200),  # 20:00 UTC
        ("2026-07-15T12:00:00.0000000", 1_784_142_000),  # 19:00 UTC
        ("2026-03-08T01:59:59.0000000", 1_772_963_999),  # a second before the clock goes forward
        ("2026-03-08T03:00:00.0000000", 1_772_964_000),  # and the next second
        ("2026-11-01T01:30:00.0000000", 1_793_521_800),  # comes twice: the first, 08:30 UTC, is meant
    ],
)
def test_pacific_time_is_converted_by_its_own_rules(stated: str, utc_s: int) -> None:
    assert micros(stated) == utc_s * SECOND
    assert pacific(utc_s * SECOND) == stated


# --- conversations ---------------------------------------------------------------------------------------------------
def pair(rates: dict[str, float] | None = None, seed: int = 1, **settings: str) -> tuple[Wire, ShipStationTwin]:
    twin = ShipStationTwin(random.Random(seed), Weather(rates or {}))
    return Wire(ShipStation(settings_of(ShipStation, SETTINGS | settings)), twin, step=2 * SECOND), twin


def release(name: str, quantity: int = 2, **change: object) -> ReleaseOrder:
    address = Address(name="Ada", street="1 Main St", city="Berlin", postcode="10115", country="DE")
    fields = {
        "key": f"int-{name}", "release": name, "number": f"#{name}", "channel": "web", "currency": "USD", "placed_at": NOW,
        "lines": (
            OrderLine(id="11", sku="MUG-1", quantity=quantity, price=1250, title="Mug"),
            OrderLine(id="12", sku="TEE", quantity=1, price=1999),
        ),
        "total": 5000, "tax": 1, "shipping": 499, "recipient": Person(name="Ada", email="ada@example.com", shipping=address),
        "ship_method": "Express", "location": "EAST",
    } | change  # fmt: skip
    return ReleaseOrder(**fields)


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


def test_a_release_arrives_exactly_as_it_was_sent() -> None:
    wire, twin = pair()
    (done,) = push(wire, release("rel-1"))
    order = twin.released["rel-1"]
    assert done == Done({"release": str(order["orderId"])})
    assert [(item["lineItemKey"], item["sku"], item["quantity"], str(item["unitPrice"])) for item in order["items"]] == [
        ("11", "MUG-1", 2, "12.50"), ("12", "TEE", 1, "19.99"),
    ]  # fmt: skip
    assert (order["orderNumber"], order["orderDate"]) == ("#rel-1", "2026-03-02T04:00:00.0000000")
    assert order["shipTo"]["name"] == "Ada"
    assert (str(order["amountPaid"]), str(order["shippingAmount"]), order["requestedShippingService"]) == ("50.00", "4.99", "Express")
    assert order["advancedOptions"] == {"source": "web", "warehouseId": 16079}
    assert b'"unitPrice":12.50' in wire.calls[0].body


def test_a_hundred_go_in_one_call_and_repeats_do_not_double() -> None:
    wire, twin = pair()
    releases = [release(f"rel-{n}") for n in range(100)]
    assert all(isinstance(outcome, Done) for outcome in push(wire, *releases))
    assert len(wire.calls) == 1
    push(wire, *releases)
    assert len(twin.released) == 100
    assert wire.calls[0] == wire.calls[1]
    assert sum(detail == "created" for _, _, detail in twin.effects) == 100


@pytest.mark.parametrize("fault", ["error_after", "cut_after", "error_before", "cut_before", "throttled", "partial"])
def test_each_order_exists_once_whatever_fails(fault: str) -> None:
    wire, twin = pair({fault: 0.4}, seed=7)
    waiting = [release(f"rel-{n}") for n in range(60)]
    for _ in range(60):
        if not waiting:
            break
        batch = waiting[:4]
        outcomes = wire.insist(lambda batch=batch: wire.connector.push(batch), pause=5 * SECOND)
        assert all(isinstance(outcome, Done | Retry) for outcome in outcomes)
        waiting = [one for one, outcome in zip(batch, outcomes, strict=True) if not isinstance(outcome, Done)] + waiting[4:]
        wire.now += 5 * SECOND
    assert not waiting
    assert twin.fired[fault] > 2
    assert sorted(key for kind, key, detail in twin.effects if detail == "created") == sorted(f"rel-{n}" for n in range(60))


def test_one_bad_order_does_not_stop_the_others() -> None:
    wire, twin = pair()
    outcomes = push(wire, release("rel-1"), release("rel-2"), release("rel-3", quantity=-1), release("rel-4"), release("rel-5"))
    assert [type(outcome).__name__ for outcome in outcomes] == ["Done", "Done", "Reject", "Done", "Done"]
    assert sorted(twin.released) == ["rel-1", "rel-2", "rel-4", "rel-5"]


def test_a_parcel_is_hinted_fetched_with_its_items_and_found_by_the_feed() -> None:
    wire, twin = pair()
    push(wire, release("rel-1"))
    shipment = twin.ship("rel-1", wire.now, {"11": 1}, carrier="ups", tracking="1Z999")
    ((topic, (hinted,)),) = wire.deliveries()
    assert topic == "SHIP_NOTIFY"
    (row,) = wire.run(wire.connector.fetch("shipments", hinted.event.external))
    seen = said(row.topic, row.body)
    assert (seen.external, seen.of) == (str(shipment["shipmentId"]), Reference("release", "rel-1", "mainstay"))
    assert (seen.lines, seen.carrier, seen.tracking, seen.cost) == ((UnitsOf("11", 1),), "UPS", ("1Z999",), 743)
    rows, _ = read_all(wire, "shipments")
    assert rows == [row]


def test_split_shipments_print_each_label_once() -> None:
    wire, twin = pair()
    push(wire, release("rel-1"))
    twin.ship("rel-1", wire.now, {"11": 1})
    assert twin.released["rel-1"]["orderStatus"] == "awaiting_shipment"
    twin.ship("rel-1", wire.now)
    assert twin.released["rel-1"]["orderStatus"] == "shipped"
    with pytest.raises(AssertionError):
        twin.ship("rel-1", wire.now)
    labels = [(key, units) for kind, key, units in twin.effects if kind == "label"]
    assert labels == [("rel-1/11", 1), ("rel-1/11", 1), ("rel-1/12", 1)]


def test_planted_bug_a_new_key_for_each_attempt_prints_two_labels() -> None:
    """Why `release` and nothing else is the order's key: another one is another order."""
    wire, twin = pair()
    push(wire, release("rel-1"), release("rel-1-again", number="#rel-1"))
    for key in ("rel-1", "rel-1-again"):
        twin.ship(key, wire.now)
    assert sum(units for kind, _, units in twin.effects if kind == "label") == 6


def test_a_late_repeat_of_a_shipped_release_is_done() -> None:
    wire, twin = pair()
    push(wire, release("rel-1"))
    twin.ship("rel-1", wire.now)
    (again,) = push(wire, release("rel-1"))
    assert again == Done({"release": str(twin.released["rel-1"]["orderId"])})
    assert wire.run(wire.connector.look_up(release("rel-1"))) == again
    assert wire.run(wire.connector.look_up(release("rel-2"))) is None
    assert wire.run(wire.connector.look_up(release("rel-2", number="#rel-1"))) is None  # the number alone does not prove it


def wanting(name: str, units: int) -> ReleaseOrder:
    return release(name, lines=(OrderLine(id="11", sku="MUG-1", quantity=units, price=1250, title="Mug"),))


def test_a_release_that_may_stand_there_in_other_words_is_looked_up_by_what_is_left_of_it() -> None:
    """After a restore: who forgot the release knows of its parcels, and wants only the rest; an upsert would take that off it."""
    wire, twin = pair()
    push(wire, release("rel-1"))  # two of line 11, one of line 12
    less = wanting("rel-1", 1)
    assert wire.run(wire.connector.look_up(release("rel-1"))) == Done({"release": str(twin.released["rel-1"]["orderId"])})
    assert wire.run(wire.connector.look_up(less)) is None, "nobody has worked on it: it may be replaced"
    twin.ship("rel-1", wire.now, {"11": 1, "12": 1})
    done = wire.run(wire.connector.look_up(less))
    assert done is not None and [row.key for row in done.rows] == [f"{twin.shipments[0]['shipmentId']}-shipped"], "its parcels are told"
    with pytest.raises(
        Reject, match="with 2 of line 11, 1 of line 12, of which 1 of line 11, 1 of line 12 left; asked for is 2 of line 11"
    ) as wrong:
        wire.run(wire.connector.look_up(wanting("rel-1", 2)))
    assert wrong.value.code == "release_differs"


def test_a_cancellation_keeps_the_order_and_is_fenced() -> None:
    wire, twin = pair()
    (done,) = push(wire, release("rel-1"))
    cancel = CancelRelease(key="c", release="rel-1", reference=done.references["release"])
    assert wire.run(wire.connector.look_up(cancel)) is None
    assert push(wire, cancel) == [done]
    assert push(wire, cancel) == [done]
    assert wire.run(wire.connector.look_up(cancel)) == done
    order = twin.released["rel-1"]
    assert (order["orderStatus"], order["orderNumber"], [item["quantity"] for item in order["items"]]) == ("cancelled", "#rel-1", [2, 1])
    assert [kind for kind, _, _ in twin.effects] == ["order", "cancel"]

    push(wire, CancelRelease(key="c2", release="rel-2"))  # overtakes its release
    push(wire, release("rel-2"))
    assert twin.released["rel-2"]["orderStatus"] == "cancelled"

    (third,) = push(wire, release("rel-3"))
    twin.ship("rel-3", wire.now)
    (refused,) = push(wire, CancelRelease(key="c3", release="rel-3", reference=third.references["release"]))
    assert isinstance(refused, Reject)


def test_a_cancellation_of_a_release_whose_answer_was_lost_keeps_its_lines() -> None:
    wire, twin = pair()
    (done,) = push(wire, release("rel-1"))
    cancel = CancelRelease(key="c", release="rel-1", number="#rel-1")
    assert wire.run(wire.connector.look_up(cancel)) is None
    assert push(wire, cancel) == [done] and wire.run(wire.connector.look_up(cancel)) == done
    order = twin.released["rel-1"]
    assert (order["orderStatus"], [item["quantity"] for item in order["items"]]) == ("cancelled", [2, 1])
    absent = CancelRelease(key="c2", release="rel-2", number="#rel-2")
    assert push(wire, absent) == push(wire, absent) and twin.released["rel-2"]["orderStatus"] == "cancelled"


def test_what_left_before_the_cancellation_comes_with_its_answer() -> None:
    """A parcel that nobody has told us of yet: its unit must not be free again. (Found by the simulator.)"""
    wire, twin = pair()
    (done,) = push(wire, release("rel-1"))
    parcel = twin.ship("rel-1", wire.now, lines={next(iter(twin.left("rel-1"))): 1}, tracking="BR1")
    cancel = CancelRelease(key="c", release="rel-1", reference=done.references["release"])
    (answer,) = push(wire, cancel)
    again = wire.run(wire.connector.look_up(cancel))
    for told in (answer, again):
        assert isinstance(told, Done)
        ((said, _),) = [(one.event, one.person) for row in told.rows for one in wire.connector.translate(row.topic, row.body)]
        assert isinstance(said, FulfilmentSeen) and said.external == str(parcel["shipmentId"]) and said.tracking == ("BR1",)


def test_the_feed_reads_all_pages_and_again_what_the_clock_may_hide() -> None:
    wire, twin = pair()
    autumn = 1_793_520_000 * SECOND  # 2026-11-01 08:00 UTC, 01:00 Pacific, an hour before the clock goes back
    push(wire, *(release(f"rel-{n}") for n in range(3)))
    twin.ship("rel-0", autumn + 45 * 60 * SECOND)  # 01:45, summer time
    rows, cursor = read_all(wire, "shipments")
    assert len(rows) == 1
    twin.ship("rel-1", autumn + 65 * 60 * SECOND)  # 01:05, winter time: later, and earlier by the clock on the wall
    again, _ = read_all(wire, "shipments", cursor)
    assert [json.loads(row.body)["orderKey"] for row in again] == ["rel-0", "rel-1"]
    assert again[0] == rows[0]


def test_long_lists_come_in_pages() -> None:
    wire, twin = pair()
    for start in range(0, 1100, 100):
        push(wire, *(release(f"rel-{n:04}", quantity=1) for n in range(start, start + 100)))
    for n in range(1100):
        twin.ship(f"rel-{n:04}", NOW + n * SECOND)
    wire.calls.clear()
    rows, _ = read_all(wire, "shipments")
    assert len(wire.calls) == 3
    assert len({row.key for row in rows}) == 1100


def test_voids_and_closed_orders_are_read_by_their_own_feeds() -> None:
    wire, twin = pair()
    push(wire, *(release(f"rel-{n}") for n in range(4)))
    shipment = twin.ship("rel-0", NOW)
    twin.void(shipment["shipmentId"], NOW + DAY)
    twin.close("rel-1", "cancelled", NOW)
    twin.close("rel-2", "shipped", NOW)
    rows, _ = read_all(wire, "voids")
    assert [said(row.topic, row.body).status for row in rows] == ["cancelled"]
    rows, _ = read_all(wire, "orders")
    assert {said(row.topic, row.body).of.id: said(row.topic, row.body).status for row in rows} == {"rel-1": "cancelled", "rel-2": "shipped"}


def test_a_hint_never_leads_elsewhere() -> None:
    wire, _ = pair()
    with pytest.raises(Reject):
        wire.run(wire.connector.fetch("shipments", "/users?batchId=1"))
    assert not wire.calls


def test_it_subscribes_once_at_the_secret_path() -> None:
    wire, twin = pair()
    hook = "https://mainstay.example/in/shipstation"

    def wrong() -> dict[str, str]:
        found = [one for one in wire.run(wire.connector.subscriptions(hook)) if one.wrong]
        wire.run(wire.connector.subscribe(hook, found))
        return {one.topic: one.wrong for one in found}

    assert wrong() == {"SHIP_NOTIFY": "missing"}
    assert twin.hooks[0]["Url"] == "https://mainstay.example/in/shipstation/twin-path"
    assert wrong() == {}
    twin.subscribed = False
    assert wrong() == {"SHIP_NOTIFY": "disabled"}
    assert twin.subscribed
    twin.hooks[0]["Url"] = "https://old.example/in/shipstation/twin-path"
    assert wrong() == {"SHIP_NOTIFY": "elsewhere"}
    twin.hooks[0] |= {"Url": "https://another.example", "Name": "another's"}
    assert wrong() == {"SHIP_NOTIFY": "missing"}


def test_forty_a_minute_and_what_is_left() -> None:
    wire, _ = pair()
    wire.step = 0
    for n in range(40):
        wire.run(wire.connector.look_up(release(f"rel-{n}")))
    with pytest.raises(Retry) as slow:
        wire.run(wire.connector.look_up(release("rel-41")))
    assert (slow.value.code, slow.value.after_s) == ("rate_limited", 2.0)  # the next unit comes after 1.5 s; seconds are whole
    call = Call(operation="orders", method="GET", path="/orders")
    headers = {"x-rate-limit-remaining": "17", "x-rate-limit-limit": "40"}
    assert wire.connector.measured(call, Reply(200, headers)) == (Measured("account", 17.0, 40 / 60),)
    assert wire.connector.measured(call, Reply(200)) == ()


def test_wrong_credentials_and_foreign_commands() -> None:
    wire, _ = pair(secret="wrong")
    with pytest.raises(Halt):
        push(wire, release("rel-1"))
    (outcome,) = push(wire, CapturePayment(key="k", payment="p", amount=1, currency="USD"))
    assert outcome.code == "not_capable"


@pytest.mark.shared
def test_the_twins_objects_have_the_recorded_shapes(shared: Path) -> None:
    wire, twin = pair()
    push(wire, release("rel-1"))
    shipment = json.loads(json.dumps(twin.ship("rel-1", wire.now), default=float))
    order = json.loads(json.dumps(twin.released["rel-1"], default=float))
    there = json.loads(recorded(shared, "list_all_shipments", "shipments", 0))
    assert set(shipment) - set(there) == {"orderKey"}  # which the recording, of 2014, does not have yet
    there_order = json.loads(recorded(shared, "get_order", "", 0))
    assert set(order) - set(there_order) <= {"externallyFulfilled"}
    assert set(order["items"][0]) <= set(there_order["items"][0])
    for mine, theirs in ((shipment, there), (order, there_order)):
        for field in set(mine) & set(theirs):
            if mine[field] is not None and theirs[field] is not None:
                assert {type(mine[field]), type(theirs[field])} in ({int, float}, {type(mine[field])}), field
    wire.run(wire.connector.subscribe("https://x.example", [Subscription("SHIP_NOTIFY", "missing")]))
    hook = json.loads((shared / "vendor/shipstation/v1-recorded/webhook_list.json").read_bytes())[0]["response"]["body"]["webhooks"][0]
    assert set(twin.hooks[0]) == set(hook)


@pytest.mark.shared
def test_the_twin_answers_as_recorded(shared: Path) -> None:
    """The recorded request, sent to the twin, is answered in the recorded form."""
    exchange = json.loads((shared / "vendor/shipstation/v1-recorded/create_orders.json").read_bytes())[0]
    wire, twin = pair()
    headers = dict(wire.connector.headers(Call(operation="x", method="POST", path="/"), "", None, NOW))
    body = json.dumps([one | {"orderKey": "k"} for one in exchange["request"]["body"]]).encode()
    answer = json.loads(twin.answer(Request("POST", "/orders/createorders", {}, headers, body), NOW).body)
    theirs = exchange["response"]["body"]
    assert set(answer) == set(theirs)
    assert set(answer["results"][0]) == set(theirs["results"][0])
    assert answer["hasErrors"] is False
