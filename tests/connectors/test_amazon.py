"""Amazon's words to ours: own samples, and the documents beside the repo (`manifest.py` says which). Expectations by hand."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from manifest import documents, entries, translate

from mainstay.connectors import amazon
from mainstay.connectors.amazon import Amazon, notifications
from mainstay.contract.connector import settings_of
from mainstay.model.failures import Reject
from mainstay.model.objects import Address, Line, Order, Person, Reference, UnitsOf
from mainstay.model.seen import FulfilmentSeen, Hint, OrderSeen, StockCounted
from mainstay.model.times import micros

SAMPLES = Path(amazon.__file__).parent / "samples"
SETTINGS = {"seller": "A1", "marketplace": "A1PA6795UKMFR9", "client": "amzn1.c", "client_secret": "s3cret", "refresh_token": "Atzr|r"}

# All five orders with amounts that there are; a sixth was recorded without (see `manifest.py`), and one listing, in a notification.
# number, currency, total, shipping, tax, facilitator tax, tip, who fulfils, [(line, SKU, units, price, tax)]
ORDERS: dict[str, tuple[Any, ...]] = {
    "getOrder-200-1": (
        "028-1234567-8901234", "TRY", 12500, 0, 0, 0, 0, "merchant", [("02812345678901", "FIRE-HD10-TR-BLK", 2, 6250, 0)],
    ),
    "getOrder-200-example": (
        "202-1234567-8901234", "GBP", 10397, 1000, 400, 0, 0, "merchant",
        [("20212345678901", "ECHO-DOT-4-UK-CHARCOAL-3PACK", 3, 2999, 400)],
    ),
    "searchOrders-200-0": (
        "250-1234567-8901234", "JPY", 19940, 0, 0, 0, 0, "marketplace",
        [("25012345678901", "ECHO-DOT-4-JP-CHARCOAL", 1, 5980, 0), ("25012345678902", "FIRE-TV-4K-MAX-JP", 2, 6980, 0)],
    ),
    "searchOrders-200-2": (
        "171-2345678-9012345", "BRL", 159990, 0, 0, 0, 0, "merchant", [("17123456789012", "DELL-I15-BR-001", 1, 159990, 0)],
    ),
    "searchOrders-200-example": (
        "123-4567890-1234567", "USD", 15499, 0, 2, 0, 500, "merchant",
        [("12345678901234", "ECHO-DOT-4-CHARCOAL", 2, 4999, 2), ("12345678901235", "FIRE-TV-4K-2021", 1, 4999, 0)],
    ),
}  # fmt: skip


@pytest.fixture
def connector() -> Amazon:
    return Amazon(settings_of(Amazon, SETTINGS))


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def changed(**fields: Any) -> bytes:
    return json.dumps({**json.loads(sample("order.json")), **fields}).encode()


def becomes(connector: Amazon, topic: str, body: bytes) -> str:
    try:
        return " ".join(type(said.event).__name__ for said in connector.translate(topic, body))
    except Reject as refused:
        return refused.code


# --- real documents ----------------------------------------------------------------------------------------------------------
@pytest.mark.shared
def test_every_real_notification_names_its_type_and_its_id(shared: Path) -> None:
    there = [(topic, file) for vendor, topic, _, file in entries() if vendor == "amazon" and topic != "order"]
    assert len(there) == 16
    for topic, file in there:
        (document,) = documents(shared, "amazon", topic, file)
        named = notifications.name(json.dumps(document).encode())
        assert named is not None and named.topic == topic and named.key


@pytest.mark.shared
@pytest.mark.parametrize("file", ORDERS)
def test_real_orders_to_the_minor_unit(shared: Path, file: str) -> None:
    (document,) = documents(shared, "amazon", "order", f"samples/orders-2026-01-01/{file}")
    event = translate("amazon", "order", document)[0]
    assert isinstance(event, OrderSeen)
    order = event.order
    lines = [(one.id, one.sku, one.quantity, one.price, one.tax) for one in order.lines]
    found = (
        order.number,
        order.currency,
        order.total,
        order.shipping,
        order.tax,
        order.facilitator_tax,
        order.tip,
        order.fulfilled_by,
        lines,
    )
    assert found == ORDERS[file]
    assert (order.difference(), order.payment, order.discount()) == (0, "captured", 0)


@pytest.mark.shared
def test_real_orders_say_their_own_totals(shared: Path) -> None:
    """By sums of the payload's own words; yen have no decimals, all others two."""
    for file in ORDERS:
        (given,) = documents(shared, "amazon", "order", f"samples/orders-2026-01-01/{file}")
        order = translate("amazon", "order", given)[0].order
        stated = given["proceeds"]["grandTotal"]
        scale = 1 if stated["currencyCode"] == "JPY" else 100
        assert order.total == Decimal(stated["amount"]) * scale
        for line, item in zip(order.lines, given["orderItems"], strict=True):
            parts = {part["type"]: Decimal(part["subtotal"]["amount"]) * scale for part in item["proceeds"]["breakdowns"]}
            assert line.quantity * line.price == parts["ITEM"] and line.tax == parts.get("TAX", 0)


@pytest.mark.shared
def test_real_packages(shared: Path) -> None:
    (british,) = documents(shared, "amazon", "order", "samples/orders-2026-01-01/getOrder-200-example")
    assert translate("amazon", "order", british)[1] == FulfilmentSeen(
        external="202-1234567-8901234/UK-PKG-2024-001", version=micros("2024-12-25T16:30:00Z"), at=micros("2024-12-26T14:00:00Z"),
        of=Reference("order", "202-1234567-8901234"), status="shipped", lines=(UnitsOf("20212345678901", 3),), carrier="Royal Mail",
        service="Royal Mail Tracked 48", tracking=("RR123456789GB",),
    )  # fmt: skip
    (american,) = documents(shared, "amazon", "order", "samples/orders-2026-01-01/searchOrders-200-example")
    parcel = translate("amazon", "order", american)[1]
    assert isinstance(parcel, FulfilmentSeen)
    assert (parcel.status, parcel.lines) == ("delivered", (UnitsOf("12345678901234", 2), UnitsOf("12345678901235", 1)))


@pytest.mark.shared
def test_real_notifications(shared: Path) -> None:
    (change,) = documents(shared, "amazon", "ORDER_CHANGE", "notifications/OrderChangeNotification-0")
    at = micros("2020-01-11T00:09:53.109Z")
    assert translate("amazon", "ORDER_CHANGE", change)[0] == Hint(external="903-8868176-2219830", version=at, at=at, feed="order")
    (count,) = documents(shared, "amazon", "LISTINGS_ITEM_MFN_QUANTITY_CHANGE", "notifications/ListingsItemMfnQuantityChange-0")
    at = micros("2021-02-03T18:59:30.194Z")
    assert translate("amazon", "LISTINGS_ITEM_MFN_QUANTITY_CHANGE", count)[0] == StockCounted(
        external="NLS-SHOES-03@DEFAULT", version=at, at=at, item="NLS-SHOES-03", sku="NLS-SHOES-03", quantity=99, measure="available"
    )  # fmt: skip


# --- our samples -------------------------------------------------------------------------------------------------------------
def test_an_order_with_everything(connector: Amazon) -> None:
    order, parcel = connector.translate("order", sample("order.json"))
    at = micros("2026-03-02T11:00:00Z")
    assert isinstance(order.event, OrderSeen)
    assert order.event.aliases == (Reference("seller_order_id", "MINE-1"),)
    assert order.event.order == Order(
        number="303-1234567-1234567",
        currency="EUR",
        placed_at=micros("2026-03-02T10:00:00Z"),
        lines=(
            # 29.99 for three: 10.00 each, and a cent of the discount of 3.01 is what does not divide
            Line(id="11", sku="MUG", quantity=3, price=1000, discount=301, facilitator_tax=449, cancelled=1, title="Mug"),
            Line(id="12", sku="CUP", quantity=1, price=1700, tax=300, title="Cup"),
        ),
        total=5698,
        shipping=550,
        shipping_discount=200,
        tax=300,
        facilitator_tax=449,
        tip=200,
        payment="captured",
        purchase_order="PO-9",
        ship_to_country="DE",
        ship_method="EXPEDITED",
    )
    assert (order.event.version, order.event.order.difference()) == (at, 0)
    assert order.person == Person(
        name="Ada Lovelace", email="x1y2@marketplace.example", phone="+49301",
        shipping=Address(
            name="Ada L.", company="Engines", street="Seestr. 1", street2="Hof, 2. OG", city="Berlin", region="BE", postcode="10115",
            country="DE", phone="+49301",
        ),
    )  # fmt: skip
    assert parcel.event == FulfilmentSeen(
        external="303-1234567-1234567/7", version=at, at=micros("2026-03-02T10:45:00Z"), of=Reference("order", "303-1234567-1234567"),
        status="shipped", lines=(UnitsOf("11", 1),), carrier="DHL", service="Paket", tracking=("00340",),
    )  # fmt: skip
    assert "Ada" not in repr(order.event) and "Seestr" not in repr(order.event)


def test_a_waiting_order_has_units_but_no_amounts(connector: Amazon) -> None:
    items = [{"orderItemId": "11", "quantityOrdered": 3, "product": {"sellerSku": "MUG"}, "fulfillment": {"quantityFulfilled": 0}}]
    fulfilment = {"fulfillmentStatus": "PENDING", "fulfilledBy": "MERCHANT"}
    (said,) = connector.translate(
        "order", changed(proceeds=None, orderItems=items, fulfillment=fulfilment, packages=[], buyer=None, recipient=None)
    )
    assert isinstance(said.event, OrderSeen)
    order = said.event.order
    assert (order.currency, order.total, order.payment, order.difference(), said.person) == ("EUR", 0, "pending", 0, None)
    assert (order.lines[0].quantity, order.lines[0].cancelled) == (3, 0)


def test_a_cancelled_order(connector: Amazon) -> None:
    items = [{"orderItemId": "11", "quantityOrdered": 3, "product": {"sellerSku": "MUG"}, "fulfillment": {}}]
    fulfilment = {"fulfillmentStatus": "CANCELLED", "fulfilledBy": "MERCHANT"}
    said = connector.translate("order", changed(proceeds=None, orderItems=items, fulfillment=fulfilment, packages=[]))[0]
    assert isinstance(said.event, OrderSeen)
    order = said.event.order
    assert (order.payment, order.cancelled_at, order.lines[0].cancelled) == ("voided", micros("2026-03-02T11:00:00Z"), 3)


def test_a_discount_takes_away_whatever_its_sign(connector: Amazon) -> None:
    positive = sample("order.json").replace(b'"-5.00"', b'"5.00"').replace(b'"-3.00"', b'"3.00"').replace(b'"-2.00"', b'"2.00"')
    assert connector.translate("order", positive) == connector.translate("order", sample("order.json"))


def test_a_tip_that_is_not_final_is_not_part_of_the_total(connector: Amazon) -> None:
    waiting = sample("order.json").replace(b"FINALIZED", b"PENDING").replace(b"56.98", b"54.98")
    order = connector.translate("order", waiting)[0].event.order  # type: ignore[union-attr]
    assert (order.tip, order.difference()) == (0, 0)


@pytest.mark.parametrize(
    ("topic", "body", "code"),
    [
        ("order", b"{", "json_syntax"),
        ("order", b"{}", "schema"),
        ("order", changed(proceeds={}), "schema"),
        ("order", changed(fulfillment={"fulfillmentStatus": "LOST"}), "unknown_word"),
        ("order", changed(fulfillment={"fulfillmentStatus": "SHIPPED", "fulfilledBy": "DRONE"}), "unknown_word"),
        ("order", sample("order.json").replace(b"GIFT_WRAP", b"BRIBE"), "unknown_word"),
        ("order", sample("order.json").replace(b"MARKETPLACE_FACILITATOR", b"OTHER_MODEL"), "unknown_word"),
        ("order", sample("order.json").replace(b"IN_TRANSIT", b"TELEPORTED"), "unknown_word"),
        ("order", sample("order.json").replace(b'"17.00"', b"17.00"), "schema"),
        ("order", sample("order.json").replace(b'"17.00"', b'"17,00"'), "amount"),
        ("order", sample("order.json").replace(b'"17.00", "currencyCode": "EUR"', b'"17.00", "currencyCode": "USD"'), "currency"),
        ("ORDER_CHANGE", b'{"EventTime": "2026-03-02T11:00:01Z", "Payload": {}}', "schema"),
        ("ORDER_CHANGE", sample("order_change.json").replace(b"2026-03-02T11:00:01Z", b"now"), "time"),
        ("notification", b"hello", "json_syntax"),
        ("ANYTHING_ELSE", b"{}", "unknown_topic"),
    ],
)
def test_what_cannot_be_understood_says_why(connector: Amazon, topic: str, body: bytes, code: str) -> None:
    assert becomes(connector, topic, body) == code


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'"x"', b"\xff", b"[" * 100_000, b'{"NotificationType": "ORDER_CHANGE"}', b'{"NotificationType": 1}']
)
def test_a_message_that_names_no_event_has_no_name(body: bytes) -> None:
    assert notifications.name(body) is None


def test_settings_keep_their_secrets() -> None:
    shown = repr(settings_of(Amazon, SETTINGS))
    assert "s3cret" not in shown and "Atzr" not in shown
