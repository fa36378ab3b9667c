"""Shopify's real payloads: every inbound business document of ../shared/vendor/shopify, and what it must become.

Expectations were written by reading the payloads. Each file holds one document or a list of them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mainstay.connectors.shopify import Shopify
from mainstay.contract.connector import settings_of
from mainstay.model.failures import Reject
from mainstay.model.seen import DisputeSeen, FulfilmentSeen, OrderSeen, ProductSeen, RefundSeen, StockCounted

# ruff: noqa: E501
pytestmark = pytest.mark.shared

WHOLE = "OrderSeen FulfilmentSeen RefundSeen"  # the one big sample order: a failed parcel and a refund of two lines
# (topic, what each document of the file becomes: the statements in their order, or the code of the dead letter, files)
MANIFEST: list[tuple[str, list[str], list[str]]] = [
    ("orders/updated", [WHOLE], [f"rest-docs/order/2024_01-get-orders-json-{n}" for n in ("0350", "0352", "0353")]),
    ("orders/updated", [WHOLE], ["rest-docs/order/2024_01-get-orders-450789469-json-0356", "rest-docs/order/2026_07-get-orders-json-0176"]),
    ("orders/updated", [WHOLE], [f"rest-docs/customer/2026_07-get-customers-207119551-orders-json-{n}" for n in ("0048", "0049")]),
    ("orders/cancelled", [WHOLE], ["rest-docs/order/2024_01-post-orders-450789469-cancel-json-0362"]),
    ("orders/cancelled", [WHOLE], [f"rest-docs/order/2026_07-post-orders-450789469-cancel-json-{n}" for n in ("0187", "0189")]),
    ("orders/updated", [WHOLE], ["rest-docs/order/2026_07-post-orders-450789469-close-json-0185"]),
    ("orders/updated", [WHOLE], ["rest-docs/order/2026_07-post-orders-450789469-open-json-0186"]),
    ("orders/updated", [WHOLE], [f"rest-docs/order/2024_01-put-orders-450789469-json-{n:04}" for n in (373, 374, 376, 378, 379, 380)]),
    ("orders/updated", [WHOLE], [f"rest-docs/order/2026_07-put-orders-450789469-json-{n:04}" for n in (199, 200, 201, 202, 204, 205, 206, 207)]),
    ("orders/create", ["OrderSeen"], ["rest-docs/order/2024_01-get-orders-json-0354", "rest-docs/order/2026_07-get-orders-json-0180"]),
    ("orders/create", ["OrderSeen"], [f"rest-docs/order/2024_01-post-orders-json-{n:04}" for n in (364, 365, 366, 371, 372)]),
    ("orders/create", ["OrderSeen"], [f"rest-docs/order/2026_07-post-orders-json-{n:04}" for n in (190, 191, 192, 194, 197)]),
    ("orders/create", ["OrderSeen FulfilmentSeen"], [f"rest-docs/order/2024_01-post-orders-json-{n:04}" for n in (367, 370)]),
    ("orders/create", ["OrderSeen FulfilmentSeen"], ["rest-docs/order/2026_07-post-orders-json-0196"]),
    # asked for with ?fields=…, or older than line items in a listing: they do not say enough
    ("orders/updated", ["schema"], ["rest-docs/order/2024_01-get-orders-450789469-json-0355", "rest-docs/order/2024_01-get-orders-json-0351"]),
    ("orders/updated", ["schema"], ["rest-docs/order/2026_07-get-orders-450789469-json-0181", "rest-fixtures/orders"]),
    ("refunds/create", ["RefundSeen"], ["rest-docs/refund/2024_01-get-orders-450789469-refunds-509562969-json-0386", "rest-fixtures/refund"]),
    ("refunds/create", ["RefundSeen"], ["rest-docs/refund/2024_01-get-orders-450789469-refunds-json-0383"]),
    ("refunds/create", ["RefundSeen"], ["rest-docs/refund/2024_01-post-orders-450789469-refunds-json-0385"]),
    ("refunds/create", ["RefundSeen"], ["rest-docs/refund/2026_07-get-orders-450789469-refunds-509562969-json-0258"]),
    ("refunds/create", ["RefundSeen"], ["rest-docs/refund/2026_07-post-orders-450789469-refunds-json-0257"]),
    # a calculation is a suggestion without an id
    ("refunds/create", ["schema"], [f"rest-docs/refund/2024_01-post-orders-450789469-refunds-calculate-json-{n}" for n in ("0387", "0388", "0389")]),
    ("refunds/create", ["schema"], [f"rest-docs/refund/2026_07-post-orders-450789469-refunds-calculate-json-{n}" for n in ("0259", "0260")]),
    ("fulfillments/update", ["FulfilmentSeen"], ["rest-docs/fulfillment/2026_07-get-fulfillment-orders-1046000819-fulfillments-json-0125"]),
    ("fulfillments/update", ["FulfilmentSeen"], ["rest-docs/fulfillment/2026_07-get-orders-450789469-fulfillments-255858046-json-0127"]),
    ("fulfillments/update", ["FulfilmentSeen"], ["rest-docs/fulfillment/2026_07-get-orders-450789469-fulfillments-json-0123"]),
    ("fulfillments/update", ["FulfilmentSeen"], ["rest-docs/fulfillment/2026_07-post-fulfillments-1069019866-update-tracking-json-0134"]),
    ("fulfillments/update", ["FulfilmentSeen"], ["rest-docs/fulfillment/2026_07-post-fulfillments-1069019879-cancel-json-0135"]),
    ("fulfillments/create", ["FulfilmentSeen"], [f"rest-docs/fulfillment/2026_07-post-fulfillments-json-{n}" for n in ("0128", "0129", "0132")]),
    ("fulfillments/create", ["FulfilmentSeen"], ["rest-fixtures/fulfillment"]),
    ("inventory_levels/update", ["StockCounted"], [f"rest-docs/inventory_level/2024_01-post-inventory-levels-{n}" for n in ("adjust-json-0345", "connect-json-0347", "set-json-0348")]),
    ("inventory_levels/update", ["StockCounted"], [f"rest-docs/inventory_level/2026_07-post-inventory-levels-{n}" for n in ("adjust-json-0161", "set-json-0164")]),
    ("inventory_levels/update", ["StockCounted"] * 4, ["rest-docs/inventory_level/2026_07-get-inventory-levels-json-0158", "rest-docs/inventory_level/2026_07-get-inventory-levels-json-0160"]),
    ("inventory_levels/update", ["StockCounted"] * 2, ["rest-docs/inventory_level/2026_07-get-inventory-levels-json-0159"]),
    ("inventory_levels/update", ["StockCounted"] * 4, ["rest-fixtures/inventory_levels"]),
    ("disputes/update", ["DisputeSeen"], ["rest-docs/dispute/2026_07-get-shopify-payments-disputes-598735659-json-0062"]),
    ("disputes/update", ["id_missing"] + ["DisputeSeen"] * 9, ["rest-docs/dispute/2026_07-get-shopify-payments-disputes-json-0060"]),
    ("disputes/update", ["id_missing", "DisputeSeen"], ["rest-docs/dispute/2026_07-get-shopify-payments-disputes-json-0061"]),
    ("disputes/update", ["id_missing"], ["rest-fixtures/dispute"]),
    ("products/update", ["ProductSeen"], ["rest-docs/product/2026_07-get-products-632910392-json-0231"]),
    ("products/update", ["ProductSeen"] * 2, [f"rest-docs/product/2026_07-get-products-json-{n}" for n in ("0224", "0227")]),
    ("products/update", ["schema"] * 2, ["rest-docs/product/2026_07-get-products-json-0228"]),
    ("products/create", ["ProductSeen"], [f"rest-docs/product/2026_07-post-products-json-{n:04}" for n in (246, 247, 248, 250, 252, 253, 254)]),
    ("products/update", ["ProductSeen"], [f"rest-docs/product/2026_07-put-products-632910392-json-{n:04}" for n in (234, 236, 237, 238, 239, 241, 242, 244)]),
    ("customers/update", ["CustomerSeen"], [f"rest-docs/customer/2026_07-get-customers-json-{n}" for n in ("0023", "0024")]),
    ("customers/update", ["CustomerSeen"], [f"rest-docs/customer/2026_07-get-customers-search-json-{n}" for n in ("0029", "0030")]),
    ("customers/update", ["schema"], ["rest-docs/customer/2026_07-get-customers-json-0025", "rest-docs/customer/2026_07-get-customers-search-json-0027"]),
    ("customers/update", ["schema"] * 2, ["rest-docs/customer/2026_07-get-customers-search-json-0031"]),
    ("customers/create", ["CustomerSeen"], [f"rest-docs/customer/2026_07-post-customers-json-{n}" for n in ("0039", "0040")]),
    ("customers/update", ["CustomerSeen"], [f"rest-docs/customer/2026_07-put-customers-207119551-json-{n:04}" for n in (33, 34, 35, 36)]),
    ("customers/update", ["CustomerSeen"], ["rest-fixtures/customer"]),
]  # fmt: skip
FILES = [(file, topic, expected) for topic, expected, files in MANIFEST for file in files]

# Exact totals in minor units: total, goods, discount, shipping, tax; lines; payment.
TOTALS = {
    "rest-docs/order/2026_07-get-orders-json-0176": (59894, 59700, 1000, 0, 1194, 3, "part_refunded"),
    "rest-docs/order/2024_01-get-orders-json-0353": (59894, 59700, 1000, 0, 1194, 3, "authorised"),
    "rest-docs/order/2024_01-post-orders-450789469-cancel-json-0362": (59894, 59700, 1000, 0, 1194, 3, "refunded"),
    "rest-docs/order/2024_01-post-orders-json-0364": (23847, 22497, 0, 0, 1350, 1, "captured"),
    "rest-docs/order/2024_01-post-orders-json-0365": (19900, 19900, 0, 0, 0, 1, "pending"),
    "rest-docs/order/2024_01-post-orders-json-0366": (19900, 19900, 0, 0, 0, 1, "pending"),
    "rest-docs/order/2024_01-post-orders-json-0371": (18109, 19900, 1791, 0, 0, 1, "captured"),
    "rest-docs/order/2024_01-post-orders-json-0372": (27037, 25592, 0, 0, 1445, 3, "captured"),
    "rest-docs/order/2026_07-post-orders-json-0190": (23847, 22497, 0, 0, 1350, 1, "captured"),
    "rest-docs/order/2026_07-post-orders-json-0196": (19900, 19900, 0, 0, 0, 1, "captured"),
    "rest-docs/order/2026_07-post-orders-json-0197": (18109, 19900, 1791, 0, 0, 1, "captured"),
    "rest-docs/order/2026_07-post-orders-450789469-cancel-json-0189": (59894, 59700, 1000, 0, 1194, 3, "refunded"),
}
# amount, shipping, [(line, units, amount, tax, restock)]
BIG_REFUND = (20900, 0, [("703073504", 1, 19566, 398, "restock"), ("466157049", 1, 19567, 398, "restock")])
REFUNDS = {
    "rest-docs/refund/2024_01-get-orders-450789469-refunds-509562969-json-0386": BIG_REFUND,
    "rest-docs/refund/2024_01-get-orders-450789469-refunds-json-0383": BIG_REFUND,
    "rest-docs/refund/2026_07-get-orders-450789469-refunds-509562969-json-0258": BIG_REFUND,
    "rest-docs/refund/2024_01-post-orders-450789469-refunds-json-0385": (500, 500, []),
    "rest-docs/refund/2026_07-post-orders-450789469-refunds-json-0257": (500, 500, []),
    "rest-fixtures/refund": (20900, 0, [("703073504", 1, 0, 0, "restock"), ("466157049", 1, 0, 0, "restock")]),
}  # all six that there are
ODD = "#☠1☢\n---\n4321\n"
FULFILMENTS = {
    "rest-docs/fulfillment/2026_07-get-fulfillment-orders-1046000819-fulfillments-json-0125": ("shipped", "1071823219", (ODD,), "UPS"),
    "rest-docs/fulfillment/2026_07-get-orders-450789469-fulfillments-255858046-json-0127": ("failed", "466157049", ("1Z1234512345123456",), "USPS"),
    "rest-docs/fulfillment/2026_07-get-orders-450789469-fulfillments-json-0123": ("failed", "466157049", ("1Z1234512345123456",), "USPS"),
    "rest-docs/fulfillment/2026_07-post-fulfillments-1069019866-update-tracking-json-0134": ("shipped", "1071823203", ("1111",), ""),
    "rest-docs/fulfillment/2026_07-post-fulfillments-1069019879-cancel-json-0135": ("cancelled", "1071823217", (ODD,), "UPS"),
    "rest-docs/fulfillment/2026_07-post-fulfillments-json-0128": ("shipped", "1071823216", ("MS1562678",), ""),
    "rest-docs/fulfillment/2026_07-post-fulfillments-json-0129": ("shipped", "1071823210", ("1Z001985YW99744790",), "UPS"),
    "rest-docs/fulfillment/2026_07-post-fulfillments-json-0132": ("shipped", "1071823214", (), ""),
    "rest-fixtures/fulfillment": ("pending", "466157049", ("1Z2345",), "null-company"),
}  # fmt: skip  # all nine that there are
LEVELS = {
    "rest-docs/inventory_level/2024_01-post-inventory-levels-adjust-json-0345": [("808950810", "655441491", 6)],
    "rest-docs/inventory_level/2024_01-post-inventory-levels-connect-json-0347": [("457924702", "844681632", 0)],
    "rest-docs/inventory_level/2026_07-post-inventory-levels-set-json-0164": [("808950810", "655441491", 42)],
    "rest-docs/inventory_level/2026_07-get-inventory-levels-json-0159": [("808950810", "487838322", 9), ("808950810", "655441491", 1)],
    "rest-fixtures/inventory_levels": [
        ("39072856", "487838322", 27), ("808950810", "905684977", 1), ("808950810", "487838322", 9), ("39072856", "905684977", 3),
    ],
}  # fmt: skip
DISPUTES = [  # rest-docs/dispute/…-0060 from its second on: the first names no order
    ("815713555", 1150, "needs_response"), ("782360659", 1150, "won"), ("670893524", 1150, "needs_response"),
    ("598735659", 1150, "needs_response"), ("297752803", 10000, "lost"), ("257169523", 1150, "needs_response"),
    ("85190714", 1150, "under_review"), ("46484353", 10000, "lost"), ("35982383", 1150, "needs_response"),
]  # fmt: skip


@pytest.fixture
def connector() -> Shopify:
    values = {"shop": "jsmith.myshopify.com", "token": "t", "webhook_secret": "s", "currency": "USD"}
    return Shopify(settings_of(Shopify, values))


def documents(shared: Path, file: str) -> list[bytes]:
    """The documents of a file: what the API answered, taken out of its wrapping object."""
    given = json.loads((shared / "vendor/shopify" / f"{file}.json").read_text())
    body = given["response"]["body"] if "response" in given else given
    held = next(value for value in body.values() if isinstance(value, dict | list))
    return [json.dumps(one, ensure_ascii=False).encode() for one in (held if isinstance(held, list) else [held])]


def becomes(connector: Shopify, topic: str, body: bytes) -> str:
    try:
        return " ".join(type(said.event).__name__ for said in connector.translate(topic, body))
    except Reject as refused:
        return refused.code


@pytest.mark.parametrize(("file", "topic", "expected"), FILES, ids=[file for file, _, _ in FILES])
def test_every_real_document_becomes_what_it_says(shared: Path, connector: Shopify, file: str, topic: str, expected: list[str]) -> None:
    assert [becomes(connector, topic, one) for one in documents(shared, file)] == expected


@pytest.mark.parametrize("file", [file for file, topic, expected in FILES if topic.startswith("orders/") and expected != ["schema"]])
def test_every_real_order_adds_up(shared: Path, connector: Shopify, file: str) -> None:
    for body in documents(shared, file):
        assert connector.translate("orders/updated", body)[0].event.order.difference() == 0  # type: ignore[union-attr]


@pytest.mark.parametrize(("file", "expected"), TOTALS.items())
def test_totals_to_the_minor_unit(shared: Path, connector: Shopify, file: str, expected: tuple[Any, ...]) -> None:
    event = connector.translate("orders/create", documents(shared, file)[0])[0].event
    assert isinstance(event, OrderSeen)
    order = event.order
    assert (order.total, order.goods(), order.discount(), order.shipping, order.tax, len(order.lines), order.payment) == expected


def test_the_big_order_line_by_line(shared: Path, connector: Shopify) -> None:
    order, parcel, refund = (
        said.event for said in connector.translate("orders/updated", documents(shared, "rest-docs/order/2026_07-get-orders-json-0176")[0])
    )
    assert isinstance(order, OrderSeen) and isinstance(parcel, FulfilmentSeen) and isinstance(refund, RefundSeen)
    # id, SKU, discount, tax, cancelled: two lines were refunded before they left (the parcel failed), the red one is still to ship
    assert [(one.id, one.sku, one.price, one.discount, one.tax, one.cancelled) for one in order.order.lines] == [
        ("466157049", "IPOD2008GREEN", 19900, 334, 398, 1),
        ("518995019", "IPOD2008RED", 19900, 333, 398, 0),
        ("703073504", "IPOD2008BLACK", 19900, 333, 398, 1),
    ]
    assert (order.order.number, order.order.purchase_order, order.order.ship_method) == ("#1001", "ABC123", "Free Shipping")
    assert (parcel.status, parcel.of.id, refund.of.id, refund.amount) == ("failed", "450789469", "450789469", 20900)


@pytest.mark.parametrize(("file", "expected"), REFUNDS.items())
def test_refunds(shared: Path, connector: Shopify, file: str, expected: tuple[Any, ...]) -> None:
    event = connector.translate("refunds/create", documents(shared, file)[0])[0].event
    assert isinstance(event, RefundSeen)
    lines = [(one.line, one.quantity, one.amount, one.tax, one.restock) for one in event.lines]
    assert (event.amount, event.shipping, lines) == expected
    assert (event.of.id, event.currency, event.status) == ("450789469", "USD", "succeeded")


@pytest.mark.parametrize(("file", "expected"), FULFILMENTS.items())
def test_fulfilments(shared: Path, connector: Shopify, file: str, expected: tuple[Any, ...]) -> None:
    event = connector.translate("fulfillments/update", documents(shared, file)[0])[0].event
    assert isinstance(event, FulfilmentSeen)
    ((line, units),) = [(one.line, one.quantity) for one in event.lines]
    assert (event.status, line, event.tracking, event.carrier) == expected
    assert (units, event.of.id) == (1, "450789469")


@pytest.mark.parametrize(("file", "expected"), LEVELS.items())
def test_levels(shared: Path, connector: Shopify, file: str, expected: list[tuple[str, str, int]]) -> None:
    events = [connector.translate("inventory_levels/update", body)[0].event for body in documents(shared, file)]
    found = [(one.item, one.location, one.quantity) for one in events if isinstance(one, StockCounted)]
    assert found == expected


def test_disputes(shared: Path, connector: Shopify) -> None:
    bodies = documents(shared, "rest-docs/dispute/2026_07-get-shopify-payments-disputes-json-0060")[1:]
    events = [connector.translate("disputes/update", body)[0].event for body in bodies]
    assert [(one.external, one.amount, one.status) for one in events if isinstance(one, DisputeSeen)] == DISPUTES
    assert {one.of.id for one in events if isinstance(one, DisputeSeen)} == {"625362839"}


def test_products(shared: Path, connector: Shopify) -> None:
    (body,) = documents(shared, "rest-docs/product/2026_07-put-products-632910392-json-0236")
    event = connector.translate("products/update", body)[0].event
    assert isinstance(event, ProductSeen)
    assert [(one.sku, one.price) for one in event.variants] == [
        ("Updating the Product SKU", 200000), ("IPOD2008RED", 19900), ("IPOD2008GREEN", 19900), ("IPOD2008BLACK", 19900),
    ]  # fmt: skip
    (draft,) = documents(shared, "rest-docs/product/2026_07-put-products-632910392-json-0242")
    assert connector.translate("products/update", draft)[0].event.status == "draft"  # type: ignore[union-attr]
    (unnumbered,) = documents(shared, "rest-docs/product/2026_07-post-products-json-0246")
    assert connector.translate("products/create", unnumbered)[0].event.variants == ()  # type: ignore[union-attr]


# --- GraphQL: the recorder asked for less of an order than we do, so the frame is ours and everything about money is theirs -----------
FRAME = {
    "currencyCode": "CAD", "presentmentCurrencyCode": "CAD", "createdAt": "2026-05-07T13:14:26Z", "updatedAt": "2026-05-07T13:14:27Z",
    "taxesIncluded": False, "fulfillments": [], "refunds": [],
}  # fmt: skip
# total, goods, discount, shipping, tax, payment
RECORDED = {
    "pendingNoTax": (2000, 2000, 0, 0, 0, "pending"),
    "paidTaxShipping": (3190, 2400, 0, 500, 290, "captured"),
    "authorization": (1800, 1800, 0, 0, 0, "authorised"),
}


@pytest.mark.parametrize(("case", "expected"), RECORDED.items())
def test_recorded_orders(shared: Path, connector: Shopify, case: str, expected: tuple[Any, ...]) -> None:
    path = shared / "vendor/shopify/graphql-recorded/orders/2025-01/order-create-math-matrix.json"
    recorded = json.loads(path.read_text())["cases"][case]["response"]["payload"]["data"]["orderCreate"]["order"]
    for number, line in enumerate(recorded["lineItems"]["nodes"]):
        line["id"] = f"gid://shopify/LineItem/{number + 1}"
    event = connector.translate("graphql/order", json.dumps({**FRAME, **recorded}).encode())[0].event
    assert isinstance(event, OrderSeen)
    order = event.order
    assert (order.total, order.goods(), order.discount(), order.shipping, order.tax, order.payment) == expected
    assert order.difference() == 0 and event.external == recorded["id"].rpartition("/")[2]


def test_a_recorded_node_that_lacks_what_we_ask_for_is_refused(shared: Path, connector: Shopify) -> None:
    path = shared / "vendor/shopify/graphql-recorded/orders/2026-04/vbts-order-merchant-detail-read.json"
    node = json.loads(path.read_text())["response"]["data"]["order"]
    assert becomes(connector, "graphql/order", json.dumps(node).encode()) == "schema"


def test_a_recorded_order_with_its_parcel_and_refund(shared: Path, connector: Shopify) -> None:
    """Read with its stated total (134.5, received in full); its discount of 10 is stated for the order only, so 10 is the difference."""
    path = shared / "vendor/shopify/graphql-recorded/orders/2026-04/vbts-order-merchant-detail-read.json"
    node = json.loads(path.read_text())["response"]["data"]["order"]
    stated = {"currencyCode": "CAD", "totalPriceSet": node["totalReceivedSet"]}
    order, parcel, refund = (said.event for said in connector.translate("graphql/order", json.dumps({**node, **stated}).encode()))
    assert isinstance(order, OrderSeen) and isinstance(parcel, FulfilmentSeen) and isinstance(refund, RefundSeen)
    # 2 × 45 + 30 + 12 shipping + 12.50 tax = 144.50
    assert (order.order.total, order.order.goods(), order.order.shipping, order.order.tax) == (13450, 12000, 1200, 1250)
    assert order.order.difference() == -1000
    assert (parcel.carrier, parcel.tracking, [(one.line, one.quantity) for one in parcel.lines]) == (
        "Canada Post",
        ("TRACK1401",),
        [("7001", 2)],
    )
    assert [(one.line, one.amount, one.restock) for one in refund.lines] == [("7002", 3000, "restock")]
