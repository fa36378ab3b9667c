"""Shopify's real documents, read by hand: totals, lines, parcels, refunds, levels, disputes, products and customers.

`manifest.py` says which files they are in. Expectations were written by reading the payloads; amounts of all of them are also held
against sums that this file makes of the payload's own words.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from manifest import GRAPHQL, RECORDED, documents, entries, translate

from mainstay.connectors.shopify import Shopify, orders
from mainstay.contract.connector import settings_of
from mainstay.contract.talk import Reply
from mainstay.model.failures import Reject
from mainstay.model.seen import CustomerSeen, DisputeSeen, FulfilmentSeen, OrderSeen, ProductSeen, RefundSeen, StockCounted

# ruff: noqa: E501
pytestmark = pytest.mark.shared

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
BY_CARD = {"kind": "sale", "status": "success", "gateway": "gift_card", "amount": "100.00", "currency": "USD"}
PAID = {"rest-docs/order/2026_07-post-orders-450789469-cancel-json-0189": {"transactions": [BY_CARD]}}  # parent of its refund to the card
# amount, shipping, [(line, units, amount, tax, restock)]
BIG_REFUND = (20900, 0, [("703073504", 1, 19566, 398, "restock"), ("466157049", 1, 19567, 398, "restock")])
REFUNDS = {
    "rest-docs/refund/2024_01-get-orders-450789469-refunds-509562969-json-0386": BIG_REFUND,
    "rest-docs/refund/2024_01-get-orders-450789469-refunds-json-0383": BIG_REFUND,
    "rest-docs/refund/2026_07-get-orders-450789469-refunds-509562969-json-0258": BIG_REFUND,
    "rest-docs/refund/2024_01-post-orders-450789469-refunds-json-0385": (500, 500, []),
    "rest-docs/refund/2026_07-post-orders-450789469-refunds-json-0257": (500, 500, []),
    "rest-fixtures/refund": (20900, 0, [("703073504", 1, 0, 0, "restock"), ("466157049", 1, 0, 0, "restock")]),
}  # all six that there are; the big order holds the first one too, and the recordings hold three
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
}  # fmt: skip  # all nine that there are; three more stand in their orders, and more in the recordings
PARCELS = {  # the parcel in its order: id, order, line, location
    "rest-docs/order/2024_01-post-orders-json-0367": ("1069019890", "1073459965", "1071823195", "24826418"),
    "rest-docs/order/2024_01-post-orders-json-0370": ("1069019892", "1073459978", "1071823209", "487838322"),
    "rest-docs/order/2026_07-post-orders-json-0196": ("1069019862", "1073459970", "1071823182", "487838322"),
}
LEVELS = {
    "rest-docs/inventory_level/2024_01-post-inventory-levels-set-json-0348": [("808950810", "655441491", 42)],
    "rest-docs/inventory_level/2026_07-post-inventory-levels-adjust-json-0161": [("808950810", "655441491", 6)],
    "rest-docs/inventory_level/2026_07-get-inventory-levels-json-0158": [
        ("49148385", "655441491", 2), ("808950810", "655441491", 1), ("457924702", "655441491", 4), ("39072856", "655441491", 3),
    ],
    "rest-docs/inventory_level/2026_07-get-inventory-levels-json-0160": [
        ("808950810", "487838322", 9), ("39072856", "487838322", 27), ("808950810", "655441491", 1), ("39072856", "655441491", 3),
    ],
    "rest-fixtures/location_inventory_levels": [("39072856", "487838322", 27), ("808950810", "487838322", 9)],
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


FILES: dict[str, str] = {file: topic for vendor, topic, _, file in entries() if vendor == "shopify" and topic not in GRAPHQL}


def read(shared: Path, file: str, topic: str = "") -> list[list[Any]]:
    """The statements of each document of a file; none of one that is a dead letter. An order that a gift card paid is read with what
    that paid, as it would be fetched."""
    found = []
    for document in documents(shared, "shopify", topic or FILES[file], file):
        try:
            found.append(translate("shopify", topic or FILES[file], document | PAID.get(file, {})))
        except Reject:
            found.append([])
    return found


@pytest.mark.parametrize(("file", "expected"), TOTALS.items())
def test_totals_to_the_minor_unit(shared: Path, file: str, expected: tuple[Any, ...]) -> None:
    event = read(shared, file)[0][0]
    assert isinstance(event, OrderSeen)
    order = event.order
    assert (order.total, order.goods(), order.discount(), order.shipping, order.tax, len(order.lines), order.payment) == expected


def test_the_big_order_line_by_line(shared: Path) -> None:
    ((order, parcel, refund),) = read(shared, "rest-docs/order/2026_07-get-orders-json-0176")
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
def test_refunds(shared: Path, file: str, expected: tuple[Any, ...]) -> None:
    event = read(shared, file)[0][0]
    assert isinstance(event, RefundSeen)
    lines = [(one.line, one.quantity, one.amount, one.tax, one.restock) for one in event.lines]
    assert (event.amount, event.shipping, lines) == expected
    assert (event.of.id, event.currency, event.status) == ("450789469", "USD", "succeeded")


@pytest.mark.parametrize(("file", "expected"), FULFILMENTS.items())
def test_fulfilments(shared: Path, file: str, expected: tuple[Any, ...]) -> None:
    event = read(shared, file)[0][0]
    assert isinstance(event, FulfilmentSeen)
    ((line, units),) = [(one.line, one.quantity) for one in event.lines]
    assert (event.status, line, event.tracking, event.carrier) == expected
    assert (units, event.of.id) == (1, "450789469")


@pytest.mark.parametrize(("file", "expected"), LEVELS.items())
def test_levels(shared: Path, file: str, expected: list[tuple[str, str, int]]) -> None:
    events = [said[0] for said in read(shared, file)]
    found = [(one.item, one.location, one.quantity) for one in events if isinstance(one, StockCounted)]
    assert found == expected


def test_disputes(shared: Path) -> None:
    events = [said[0] for said in read(shared, "rest-docs/dispute/2026_07-get-shopify-payments-disputes-json-0060")[1:]]
    assert [(one.external, one.amount, one.status) for one in events if isinstance(one, DisputeSeen)] == DISPUTES
    assert {one.of.id for one in events if isinstance(one, DisputeSeen)} == {"625362839"}


@pytest.mark.parametrize(("file", "expected"), PARCELS.items())
def test_parcels_in_their_orders(shared: Path, file: str, expected: tuple[str, ...]) -> None:
    ((_, parcel),) = read(shared, file)
    assert isinstance(parcel, FulfilmentSeen)
    ((line, units),) = [(one.line, one.quantity) for one in parcel.lines]
    assert (parcel.external, parcel.of.id, line, parcel.location) == expected
    assert (parcel.status, units, parcel.tracking, parcel.carrier) == ("shipped", 1, (), "")


NANO = [("IPOD2008PINK", 19900), ("IPOD2008RED", 19900), ("IPOD2008GREEN", 19900), ("IPOD2008BLACK", 19900)]
PRODUCTS: dict[str, list[tuple[Any, ...]]] = {  # id, title, status, category, [(SKU, price)]; a variant without a SKU is left out
    "get-products-632910392-json-0231": [("632910392", "IPod Nano - 8GB", "active", "Cult Products", NANO)],
    "get-products-json-0224": [
        ("632910392", "IPod Nano - 8GB", "active", "Cult Products", NANO),
        ("921728736", "IPod Touch 8GB", "active", "Cult Products", [("IPOD2009BLACK", 19900)]),
    ],
    "post-products-json-0246": [("1072481050", "Burton Custom Freestyle 151", "draft", "Snowboard", [])],
    "post-products-json-0247": [("1072481048", "Burton Custom Freestyle 151", "active", "Snowboard", [("123", 1000), ("123", 2000)])],
    "post-products-json-0248": [("1072481053", "Burton Custom Freestyle 151", "active", "Snowboard", [])],
    "post-products-json-0250": [("1072481042", "Burton Custom Freestyle 151", "active", "Snowboard", [])],
    "post-products-json-0252": [("1072481045", "Burton Custom Freestyle 151", "active", "Snowboard", [])],
    "put-products-632910392-json-0234": [("632910392", "IPod Nano - 8GB", "active", "Cult Products", NANO)],
    "put-products-632910392-json-0236": [
        ("632910392", "Updated Product Title", "active", "Cult Products", [("Updating the Product SKU", 200000), *NANO[1:]]),
    ],
    "put-products-632910392-json-0242": [("632910392", "IPod Nano - 8GB", "draft", "Cult Products", NANO)],
    "put-products-632910392-json-0244": [("632910392", "New product title", "active", "Cult Products", NANO)],
}  # fmt: skip


@pytest.mark.parametrize(("name", "expected"), PRODUCTS.items())
def test_products(shared: Path, name: str, expected: list[tuple[Any, ...]]) -> None:
    found = [said[0] for said in read(shared, f"rest-docs/product/2026_07-{name}")]
    assert all(isinstance(one, ProductSeen) and one.currency == "USD" for one in found)
    assert [
        (one.external, one.title, one.status, one.category, [(each.sku, each.price) for each in one.variants]) for one in found
    ] == expected


def test_a_variant_in_full(shared: Path) -> None:
    ((product,),) = read(shared, "rest-docs/product/2026_07-get-products-632910392-json-0231")
    pink = product.variants[0]
    assert (pink.id, pink.item, pink.barcode, pink.compare_at, pink.grams) == ("808950810", "808950810", "1234_pink", None, 567)


BOB = ("207119551", "Bob Norman", "bob.norman@mail.example.com", "+16136120707", "Chestnut Street 92", "Louisville", "40202", "US", False)
STEVE = ("Steve Lastnameson", "steve.lastnameson@example.com", "+15142546011", "123 Oak St", "Ottawa", "123 ABC", "CA", False)
CUSTOMERS: dict[str, tuple[Any, ...]] = {  # id, name, mail, phone, street, city, postcode, country, wants mail
    "rest-docs/customer/2026_07-get-customers-json-0023": BOB,
    "rest-docs/customer/2026_07-get-customers-json-0024": BOB,
    "rest-docs/customer/2026_07-get-customers-search-json-0029": BOB,
    "rest-docs/customer/2026_07-get-customers-search-json-0030": BOB,
    "rest-docs/customer/2026_07-post-customers-json-0039": ("1073339459", *STEVE),
    "rest-docs/customer/2026_07-post-customers-json-0040": ("1073339466", *STEVE),
    "rest-docs/customer/2026_07-put-customers-207119551-json-0033": BOB,
    "rest-docs/customer/2026_07-put-customers-207119551-json-0034": BOB,
    "rest-docs/customer/2026_07-put-customers-207119551-json-0036": (*BOB[:2], "changed@example.com", *BOB[3:]),
    "rest-fixtures/customers_search": (
        "207119551", "Bob Norman", "bob.norman@hostmail.com", "", "Chestnut Street 92", "Louisville", "40202", "US", None,
    ),
    "rest-fixtures/customer_saved_search_customers": (
        "112223902", "John Smith", "john.smith@gmail.com", "", "1234 Simple Road", "Ottawa", "K2H 0A0", "CA", None,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("file", "expected"), CUSTOMERS.items())
def test_customers(shared: Path, file: str, expected: tuple[Any, ...]) -> None:
    (document,) = documents(shared, "shopify", "customers/update", file)
    (said,) = SHOPIFY.translate("customers/update", json.dumps(document).encode())
    event, person = said.event, said.person
    assert isinstance(event, CustomerSeen) and person is not None and person.shipping is not None
    home = person.shipping
    assert (
        event.external, person.name, person.email, person.phone, home.street, home.city, home.postcode, home.country, event.marketing,
    ) == expected  # fmt: skip
    assert not event.tax_exempt and person.name not in repr(event)


# --- every document, against sums of its own words -----------------------------------------------------------------------------------
def cents(*amounts: str) -> int:
    """All these payloads are of currencies with two decimals."""
    found = sum(map(Decimal, amounts), Decimal(0)) * 100
    assert found == int(found)
    return int(found)


@pytest.mark.parametrize("file", [file for file, topic in FILES.items() if topic.startswith("orders/")])
def test_every_order_says_its_own_totals(shared: Path, file: str) -> None:
    for given, said in zip(documents(shared, "shopify", FILES[file], file), read(shared, file), strict=True):
        if not said:
            continue
        order, lines = said[0].order, given["line_items"]
        assert order.total == cents(given["total_price"]) and order.tax == cents(given["total_tax"])
        assert order.goods() == sum(line["quantity"] * cents(line["price"]) for line in lines)
        assert order.discount() == cents(given["total_discounts"])
        assert order.shipping == cents(*(line["price"] for line in given["shipping_lines"]))
        assert [(one.sku, one.quantity, one.price, one.tax) for one in order.lines] == [
            (line["sku"] or "", line["quantity"], cents(line["price"]), cents(*(tax["price"] for tax in line["tax_lines"])))
            for line in lines
        ]
        assert order.difference() == 0
        parts = [(type(one).__name__, one.external) for one in said[1:]]
        assert parts == [("FulfilmentSeen", str(one["id"])) for one in given["fulfillments"]] + [
            ("RefundSeen", str(one["id"])) for one in given["refunds"]
        ]


@pytest.mark.parametrize("file", [file for file, topic in FILES.items() if not topic.startswith("orders/")])
def test_every_other_document_says_its_own_numbers(shared: Path, file: str) -> None:
    for given, said in zip(documents(shared, "shopify", FILES[file], file), read(shared, file), strict=True):
        if not said:
            continue
        (event,) = said
        match event:
            case RefundSeen():
                assert event.amount == cents(
                    *(one["amount"] for one in given["transactions"] if (one["kind"], one["status"]) == ("refund", "success"))
                )
                assert [(one.line, one.quantity) for one in event.lines] == [
                    (str(one["line_item_id"]), one["quantity"]) for one in given["refund_line_items"]
                ]
            case FulfilmentSeen():
                assert [(one.line, one.quantity) for one in event.lines] == [
                    (str(one["id"]), one["quantity"]) for one in given["line_items"]
                ]
            case StockCounted():
                assert (event.item, event.location, event.quantity) == (
                    str(given["inventory_item_id"]),
                    str(given["location_id"]),
                    given["available"],
                )
            case DisputeSeen():
                assert (event.amount, event.currency, event.of.id) == (cents(given["amount"]), given["currency"], str(given["order_id"]))
            case ProductSeen():
                assert [one.price for one in event.variants] == [cents(one["price"]) for one in given["variants"] if one["sku"]]
            case CustomerSeen():
                assert event.external == str(given["id"])
            case _:
                raise AssertionError(event)


# --- GraphQL: the recorders asked for less than we do, so all else is filled in here, and what is about money is theirs ---------------
SHOPIFY = Shopify(settings_of(Shopify, {"shop": "jsmith.myshopify.com", "token": "t", "webhook_secret": "s", "currency": "USD"}))
RECORDINGS = [(topic, f"graphql-recorded/{folder}/{name}") for topic, folder, files in RECORDED for name in files]
AT = "2026-05-07T13:14:26Z"
POSTAL = dict.fromkeys(("name", "company", "address1", "address2", "city", "province", "provinceCode", "zip", "countryCodeV2", "phone"))


def bag(amount: str = "0.0", currency: str = "CAD") -> dict[str, Any]:
    return {"shopMoney": {"amount": amount, "currencyCode": currency}}


def filled(node: dict[str, Any]) -> dict[str, Any]:
    """A recorded order with neutral words for all that its recorder did not ask for."""
    stated = json.dumps(node)
    currency = node.get("currencyCode") or ("USD" if '"currencyCode": "USD"' in stated and '"CAD"' not in stated else "CAD")
    rest = {
        "name": "#0", "email": None, "phone": None, "poNumber": None, "test": False, "taxExempt": False, "taxesIncluded": False,
        "dutiesIncluded": False, "createdAt": AT, "updatedAt": AT, "cancelledAt": None, "currencyCode": currency,
        "presentmentCurrencyCode": currency, "displayFinancialStatus": None, "totalPriceSet": bag(), "totalTaxSet": bag(),
        "totalTipReceivedSet": None, "originalTotalDutiesSet": None, "originalTotalAdditionalFeesSet": None, "customAttributes": [],
        "purchasingEntity": None,
    }  # fmt: skip
    lines = (node.get("lineItems") or {}).get("nodes", [])
    return rest | node | {
        "customer": {"firstName": None, "lastName": None} | node["customer"] if (node.get("customer") or {}).get("id") else None,
        "shippingAddress": POSTAL | node["shippingAddress"] if node.get("shippingAddress") else None,
        "billingAddress": POSTAL | node["billingAddress"] if node.get("billingAddress") else None,
        "lineItems": {"nodes": [line_filled(one, number) for number, one in enumerate(lines, 1)]},
        "shippingLines": {"nodes": [shipping_filled(one) for one in (node.get("shippingLines") or {}).get("nodes", [])]},
        "fulfillments": [parcel_filled(one) for one in node.get("fulfillments") or []],
        "refunds": [refund_filled(one) for one in node.get("refunds") or []],
        "transactions": [
            {"kind": "SALE", "status": "SUCCESS", "gateway": None, "amountSet": bag(), "receiptJson": None} | one
            for one in node.get("transactions") or []
        ],
    }  # fmt: skip


def taxes_filled(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"channelLiable": None, "priceSet": bag()} | one for one in lines]


def line_filled(line: dict[str, Any], number: int) -> dict[str, Any]:
    units = line.get("currentQuantity", line.get("quantity", 1))
    rest = {
        "id": f"gid://shopify/LineItem/{number}", "name": None, "sku": None, "quantity": 1, "currentQuantity": units, "unfulfilledQuantity": units,
        "requiresShipping": True, "isGiftCard": False, "originalUnitPriceSet": bag(), "discountAllocations": [],
    }  # fmt: skip
    return rest | line | {"taxLines": taxes_filled(line.get("taxLines", []))}


def shipping_filled(line: dict[str, Any]) -> dict[str, Any]:
    rest = {"title": None, "isRemoved": False, "originalPriceSet": bag(), "discountAllocations": []}
    return rest | line | {"taxLines": taxes_filled(line.get("taxLines", []))}


def parcel_filled(parcel: dict[str, Any]) -> dict[str, Any]:
    rest = {
        "createdAt": AT,
        "updatedAt": AT,
        "displayStatus": None,
        "location": None,
        "trackingInfo": [],
        "fulfillmentLineItems": {"nodes": []},
    }
    return rest | parcel


def refund_filled(refund: dict[str, Any]) -> dict[str, Any]:
    """The recorders state what a refund gave back as its total, not by its transactions: so one of that total stands for them."""
    given_back = {"kind": "REFUND", "status": "SUCCESS", "gateway": None, "receiptJson": None, "amountSet": refund["totalRefundedSet"]}
    lines = [{"totalTaxSet": bag()} | one for one in refund.get("refundLineItems", {"nodes": []})["nodes"]]
    rest = {"createdAt": AT, "note": None, "refundShippingLines": {"nodes": []}, "transactions": {"nodes": [given_back]}}
    return rest | refund | {"refundLineItems": {"nodes": lines}}


GIFT = {"kind": "SALE", "status": "SUCCESS", "gateway": "gift_card", "amountSet": bag("30.00")}
DECLINED = GIFT | {"status": "FAILURE"}
REST = {"kind": "AUTHORIZATION", "status": "SUCCESS", "gateway": "stripe", "amountSet": bag("70.00")}


def test_what_gift_cards_paid_is_read_and_a_webhook_that_cannot_say_it_has_the_order_fetched() -> None:
    """A webhook names the gateways and no amounts (recorded: rest-docs, cancel.json); GraphQL lists the transactions."""
    said, *_ = translate("shopify", "graphql/order", filled({"id": "gid://shopify/Order/1", "transactions": [GIFT, DECLINED, REST]}))
    assert said.order.gift_cards == 3000
    hook = json.loads((Path(orders.__file__).parent / "samples/order.json").read_text()) | {
        "payment_gateway_names": ["stripe", "gift_card"]
    }
    (hint,) = SHOPIFY.translate("orders/create", json.dumps(hook).encode())
    assert (hint.event.feed, hint.event.external) == ("order", str(hook["id"])) and hint.person is not None, "an erasure must find it"


def test_a_refund_says_what_went_back_on_the_gift_card(shared: Path) -> None:
    """Recorded: 10.00 to the card of a bank, 100.00 to the gift card."""
    ((order, *_, said),) = read(shared, next(iter(PAID)))
    assert (order.order.gift_cards, said.amount, said.gift_cards) == (10000, 11000, 10000)


def test_a_refund_in_the_buyers_currency_is_read_in_the_shops_by_its_parts() -> None:
    """16.00 EUR went back for a sale of 100.00 CAD, at the rate of the day: the refund's own parts say that these are 104.00 CAD."""
    hook = json.loads((Path(orders.__file__).parent / "samples/order.json").read_text())["refunds"][0]
    both = {"shop_money": {"amount": "100.00", "currency_code": "CAD"}, "presentment_money": {"amount": "15.38", "currency_code": "EUR"}}
    zero = {"shop_money": {"amount": "0.00", "currency_code": "CAD"}}
    line = hook["refund_line_items"][0] | {"subtotal_set": both, "total_tax_set": zero}
    beyond = {"kind": "refund_discrepancy", "amount": "-4.00", "amount_set": {"shop_money": {"amount": "-4.00", "currency_code": "CAD"}}}
    paid = {"kind": "refund", "status": "success", "amount": "16.00", "currency": "EUR", "gateway": "shopify_payments", "receipt": {}}
    refund = hook | {"refund_line_items": [line], "order_adjustments": [beyond], "transactions": [paid], "total_duties_set": zero}
    (said,) = SHOPIFY.translate("refunds/create", json.dumps(refund).encode())
    assert (said.event.amount, said.event.currency) == (10400, "CAD")
    with pytest.raises(Reject, match="does not say what that is in CAD"):
        SHOPIFY.translate("refunds/create", json.dumps(refund | {"refund_line_items": [], "order_adjustments": []}).encode())


def test_shipping_that_is_given_back_takes_its_tax_with_it_from_a_poll_as_from_a_webhook() -> None:
    """A webhook states it as an adjustment of (amount, tax_amount), GraphQL as a shipping line with two sums."""
    way = {"subtotalAmountSet": bag("1.50"), "taxAmountSet": bag("0.10")}
    refund = {"id": "gid://shopify/Refund/1", "refundShippingLines": {"nodes": [way]}, "totalRefundedSet": bag("1.60")}
    _, said = translate("shopify", "graphql/order", filled({"id": "gid://shopify/Order/1", "refunds": [refund]}))
    assert (said.amount, said.shipping) == (160, 160)


def shop(node: dict[str, Any], field: str) -> str:
    return str(node[field]["shopMoney"]["amount"])


@pytest.mark.parametrize("file", [file for topic, file in RECORDINGS if topic == "graphql/order"])
def test_every_recorded_order_says_what_it_states(shared: Path, file: str) -> None:
    """Whatever a recorder asked for comes out as it stated it, by sums of its own words."""
    for node in documents(shared, "shopify", "graphql/order", file):
        order, *rest = translate("shopify", "graphql/order", filled(node))
        assert order.external == node["id"].rpartition("/")[2]
        parcels, refunds = node.get("fulfillments") or [], node.get("refunds") or []
        assert [type(one) for one in rest] == [FulfilmentSeen] * len(parcels) + [RefundSeen] * len(refunds)
        for refund, said in zip(refunds, rest[len(parcels) :], strict=True):
            assert said.amount == cents(shop(refund, "totalRefundedSet"))
        for parcel, said in zip(parcels, rest, strict=False):
            units = sum(one["quantity"] for one in parcel.get("fulfillmentLineItems", {"nodes": []})["nodes"])
            assert sum(one.quantity for one in said.lines) == units
        if "totalPriceSet" in node:
            assert order.order.total == cents(shop(node, "totalPriceSet"))
        if "totalTaxSet" in node:
            assert order.order.tax == cents(shop(node, "totalTaxSet"))
        lines = (node.get("lineItems") or {}).get("nodes", [])
        priced = [line for line in lines if "originalUnitPriceSet" in line]
        assert order.order.goods() == sum(line.get("quantity", 1) * cents(shop(line, "originalUnitPriceSet")) for line in priced)
        assert order.order.shipping == sum(
            cents(shop(one, "originalPriceSet")) for one in (node.get("shippingLines") or {}).get("nodes", [])
        )


@pytest.mark.parametrize("file", [file for topic, file in RECORDINGS if topic == "graphql/inventory_level"])
def test_every_recorded_level_says_what_it_states(shared: Path, file: str) -> None:
    """With a time and, where it was left out, a place or an item: what is available, of what is tracked and where that was asked for."""
    for node in documents(shared, "shopify", "graphql/inventory_level", file):
        place, _, item = node["id"].rpartition("/")[2].partition("?inventory_item_id=")
        rest: dict[str, Any] = {"updatedAt": AT, "location": {"id": f"gid://shopify/Location/{place}"}, "quantities": []}
        named = {"sku": None, "tracked": True, "id": f"gid://shopify/InventoryItem/{item}"} | (node.get("item") or {})
        level = rest | node | {"item": named}
        stated = {one["name"]: one["quantity"] for one in level["quantities"]}
        if not named["tracked"]:
            with pytest.raises(Reject, match=f"item {item} is not tracked"):
                translate("shopify", "graphql/inventory_level", level)
        elif "available" in stated:
            (said,) = translate("shopify", "graphql/inventory_level", level)
            assert (said.item, said.quantity) == (named["id"].rpartition("/")[2], stated["available"])
        else:
            with pytest.raises(Reject, match="states no `available`"):
                translate("shopify", "graphql/inventory_level", level)


ORDERS_2025, ORDERS_2026 = "graphql-recorded/orders/2025-01", "graphql-recorded/orders/2026-04"
RECORDED_ORDERS: list[tuple[str, int, tuple[Any, ...]]] = [
    # file, which order in it; number, currency, total, goods, shipping, tax, units taken off, payment
    (f"{ORDERS_2025}/order-create-math-matrix", 0, ("#1334", "CAD", 2000, 2000, 0, 0, 0, "pending")),
    (f"{ORDERS_2025}/order-create-math-matrix", 1, ("#1335", "CAD", 3190, 2400, 500, 290, 0, "captured")),
    (f"{ORDERS_2025}/order-create-math-matrix", 2, ("#1336", "CAD", 2900, 3000, 400, 0, 0, "pending")),  # its discount of 5 is not recorded line by line
    (f"{ORDERS_2025}/order-create-math-matrix", 3, ("#1337", "CAD", 1800, 1800, 0, 0, 0, "authorised")),
    (f"{ORDERS_2025}/order-create-math-matrix", 4, ("#1338", "CAD", 1000, 1000, 0, 0, 0, "captured")),
    (f"{ORDERS_2025}/money-bag-presentment-parity", 0, ("#0", "CAD", 1350, 1200, 0, 150, 0, "pending")),
    (f"{ORDERS_2025}/refund-create-partial-shipping-restock-parity", 2, ("#1495", "CAD", 2500, 2000, 500, 0, 0, "captured")),
    (f"{ORDERS_2025}/refund-create-user-errors-and-quantities", 3, ("#1498", "CAD", 4500, 4000, 500, 0, 1, "part_refunded")),
    (f"{ORDERS_2026}/refund-create-transactions-validation", 4, ("#1499", "CAD", 1000, 1000, 0, 0, 0, "captured")),
    (f"{ORDERS_2026}/refund-create-transactions-validation", 5, ("#1500", "CAD", 1000, 1000, 0, 0, 0, "captured")),
    (f"{ORDERS_2026}/order-edit-money-math", 0, ("#0", "CAD", 22600, 20000, 0, 2600, 0, "pending")),
    (f"{ORDERS_2026}/order-edit-money-math", 2, ("#0", "CAD", 22600, 20000, 0, 2600, 1, "pending")),  # one of two was taken off: the total stays
    (f"{ORDERS_2026}/order-edit-money-math", 4, ("#0", "CAD", 10000, 10000, 0, 0, 0, "pending")),
    (f"{ORDERS_2026}/order-edit-money-math", 6, ("#0", "CAD", 8000, 10000, 0, 0, 0, "pending")),  # a discount of 20 was added: it falls
    (f"{ORDERS_2026}/orderUpdate-localization-and-staff", 5, ("#1837", "USD", 100, 100, 0, 0, 0, "captured")),
    (f"{ORDERS_2026}/vbts-order-merchant-detail-read", 0, ("#1401", "CAD", 0, 12000, 1200, 1250, 0, "part_refunded")),  # no total was asked for
]  # fmt: skip


@pytest.mark.parametrize(("file", "which", "expected"), RECORDED_ORDERS)
def test_recorded_orders(shared: Path, file: str, which: int, expected: tuple[Any, ...]) -> None:
    node = documents(shared, "shopify", "graphql/order", file)[which]
    order = translate("shopify", "graphql/order", filled(node))[0].order
    off = sum(line.cancelled for line in order.lines)
    assert (order.number, order.currency, order.total, order.goods(), order.shipping, order.tax, off, order.payment) == expected


def test_a_total_in_the_buyers_currency(shared: Path) -> None:
    node = documents(shared, "shopify", "graphql/order", f"{ORDERS_2025}/order-create-math-matrix")[4]
    order = translate("shopify", "graphql/order", filled(node | {"presentmentCurrencyCode": "USD"}))[0].order
    assert (order.total, order.presentment_total, order.presentment_currency) == (1000, 700, "USD")


RECORDED_PARCELS: list[tuple[str, int, tuple[Any, ...]]] = [
    # file, which order in it; parcel, status, tracking, carrier, [(line, units)]
    (f"{ORDERS_2025}/fulfillment-cancel-parity", 1, ("7879285309746", "shipped", ("CANCEL-PARITY-UPDATED-1778031860965",), "Hermes", [("19305079374130", 1)])),
    (f"{ORDERS_2025}/fulfillment-cancel-parity", 2, ("7879285309746", "cancelled", ("CANCEL-PARITY-UPDATED-1778031860965",), "Hermes", [("19305079374130", 1)])),
    (f"{ORDERS_2025}/fulfillment-multi-tracking-info", 2, ("8086547988786", "shipped", ("MULTI-UPDATE-1783751369060-1", "MULTI-UPDATE-1783751369060-2"), "UPS", [])),
    (f"{ORDERS_2025}/fulfillment-multi-tracking-info", 3, ("8086547988786", "shipped", ("MULTI-UPDATE-V2-1783751369060-1", "MULTI-UPDATE-V2-1783751369060-2"), "DHL", [])),
    (f"{ORDERS_2025}/vbts-fulfillment-cancel-parity", 0, ("6189151518953", "cancelled", ("HERMES-UPDATE-20260425000631",), "Hermes", [("16209897062633", 1)])),
    (f"{ORDERS_2026}/return-reverse-logistics-dispose-validation", 1, ("8124547793202", "shipped", (), "", [("20111161622834", 3)])),
    (f"{ORDERS_2026}/return-shipping-fee-recorded", 1, ("7987127091506", "shipped", (), "", [("19495324156210", 2)])),
    (f"{ORDERS_2026}/vbts-order-merchant-detail-read", 0, ("5001", "shipped", ("TRACK1401",), "Canada Post", [("7001", 2)])),
    ("graphql-recorded/shipping-fulfillments/2026-04/fulfillment-detail-events-lifecycle", 1, ("7859241517362", "shipped", ("HAR235-CREATE-1777156118907",), "Hermes", [("19268060250418", 1)])),
    ("graphql-recorded/shipping-fulfillments/2026-04/fulfillment-top-level-reads", 0, ("7859173130546", "shipped", ("HAR232-20260425210757",), "Hermes", [("19267825172786", 1)])),
]  # fmt: skip


@pytest.mark.parametrize(("file", "which", "expected"), RECORDED_PARCELS)
def test_recorded_parcels(shared: Path, file: str, which: int, expected: tuple[Any, ...]) -> None:
    node = documents(shared, "shopify", "graphql/order", file)[which]
    parcel = translate("shopify", "graphql/order", filled(node))[1]
    assert isinstance(parcel, FulfilmentSeen)
    assert (parcel.external, parcel.status, parcel.tracking, parcel.carrier, [(one.line, one.quantity) for one in parcel.lines]) == expected


RECORDED_REFUNDS: list[tuple[str, int, tuple[Any, ...]]] = [  # refund, amount, reason, [(line, amount, restock)]: all three that there are
    (
        f"{ORDERS_2025}/refund-create-partial-shipping-restock-parity",
        1,
        ("1028613341490", 1500, "partial line item and shipping refund", []),
    ),
    (f"{ORDERS_2025}/refund-create-user-errors-and-quantities", 3, ("1028613407026", 1000, "initial partial refund for line A", [])),
    (f"{ORDERS_2026}/vbts-order-merchant-detail-read", 0, ("4001", 3000, "", [("7002", 3000, "restock")])),
]


@pytest.mark.parametrize(("file", "which", "expected"), RECORDED_REFUNDS)
def test_recorded_refunds(shared: Path, file: str, which: int, expected: tuple[Any, ...]) -> None:
    node = documents(shared, "shopify", "graphql/order", file)[which]
    refund = translate("shopify", "graphql/order", filled(node))[-1]
    assert isinstance(refund, RefundSeen)
    assert (refund.external, refund.amount, refund.reason, [(one.line, one.amount, one.restock) for one in refund.lines]) == expected
    assert (refund.currency, refund.status) == ("CAD", "succeeded")


# --- an answer that lacks one field of all that our document asks for: none of it is guessed -----------------------------------------
ASKED = {
    "": "id name email phone poNumber test taxExempt taxesIncluded dutiesIncluded createdAt updatedAt cancelledAt currencyCode "
        "presentmentCurrencyCode displayFinancialStatus totalPriceSet totalTaxSet totalTipReceivedSet originalTotalDutiesSet "
        "originalTotalAdditionalFeesSet customAttributes customer shippingAddress billingAddress purchasingEntity lineItems shippingLines "
        "fulfillments refunds transactions",
    "customer": "id firstName lastName",
    "shippingAddress": "name company address1 address2 city province provinceCode zip countryCodeV2 phone",
    "totalPriceSet": "shopMoney",
    "totalTaxSet.shopMoney": "amount currencyCode",
    "lineItems": "nodes",
    "lineItems.nodes.0": "id name sku quantity currentQuantity unfulfilledQuantity requiresShipping isGiftCard originalUnitPriceSet taxLines discountAllocations",
    "lineItems.nodes.0.taxLines.0": "channelLiable priceSet",
    "shippingLines.nodes.0": "title isRemoved originalPriceSet taxLines discountAllocations",
    "fulfillments.0": "id status displayStatus createdAt updatedAt location trackingInfo fulfillmentLineItems",
    "fulfillments.0.trackingInfo.0": "company number",
    "fulfillments.0.fulfillmentLineItems.nodes.0": "quantity lineItem",
    "refunds.0": "id createdAt note refundLineItems refundShippingLines transactions",
    "refunds.0.refundLineItems.nodes.0": "quantity restockType lineItem subtotalSet totalTaxSet",
    "refunds.0.transactions.nodes.0": "kind status gateway amountSet receiptJson",
    "transactions.0": "kind status gateway amountSet receiptJson",
}  # fmt: skip


@pytest.mark.parametrize(("place", "field"), [(place, field) for place, fields in ASKED.items() for field in fields.split()])
def test_no_field_of_an_order_is_guessed(shared: Path, place: str, field: str) -> None:
    (node, _) = documents(shared, "shopify", "graphql/order", f"{ORDERS_2026}/vbts-order-merchant-detail-read")
    order = json.loads(json.dumps(filled(node)))
    assert len(translate("shopify", "graphql/order", order)) == 3
    del reduce(lambda held, step: held[int(step)] if step.isdecimal() else held[step], filter(None, place.split(".")), order)[field]
    with pytest.raises(Reject, match=f"Object missing required field `{field}`") as refused:
        translate("shopify", "graphql/order", order)
    assert refused.value.code == "schema"


@pytest.mark.parametrize(
    ("place", "field"), [("", "updatedAt"), ("", "item"), ("", "location"), ("", "quantities"), ("item", "sku"), ("item", "tracked")]
)
def test_no_field_of_a_level_is_guessed(place: str, field: str) -> None:
    level: dict[str, Any] = {
        "updatedAt": AT, "item": {"id": "gid://shopify/InventoryItem/7", "sku": "MUG", "tracked": True},
        "location": {"id": "gid://shopify/Location/3"}, "quantities": [{"name": "available", "quantity": 4}],
    }  # fmt: skip
    (said,) = translate("shopify", "graphql/inventory_level", level)
    assert (said.item, said.location, said.quantity, said.sku) == ("7", "3", 4, "MUG")
    del (level[place] if place else level)[field]
    with pytest.raises(Reject, match=f"Object missing required field `{field}`"):
        translate("shopify", "graphql/inventory_level", level)


# --- what the reader of the feeds makes of an answer that says less than it asked for ------------------------------------------------
def test_a_recorded_answer_goes_through_the_reader(shared: Path) -> None:
    """It does not stop the page: it is a row like its neighbours, and its translation names what is missing."""
    merchant = documents(shared, "shopify", "graphql/order", f"{ORDERS_2026}/vbts-order-merchant-detail-read")[0]
    without = documents(shared, "shopify", "graphql/order", f"{ORDERS_2026}/orderOpen-parity")[0]
    whole = filled(merchant)
    asking = SHOPIFY.pull("orders", "")
    next(asking)
    page = {"nodes": [merchant, {**without, "updatedAt": None}, whole], "pageInfo": {"hasNextPage": False, "endCursor": None}}
    with pytest.raises(StopIteration) as done:
        asking.send(Reply(200, {}, json.dumps({"data": {"orders": page}}).encode()))
    rows = done.value.value.rows
    assert len({row.key for row in rows}) == 3
    for row, wrong in zip(rows, ("missing required field `name` - at `$.billingAddress`", "got `null` - at `$.updatedAt`"), strict=False):
        with pytest.raises(Reject, match=re.escape(wrong)):
            SHOPIFY.translate(row.topic, row.body)
    assert [type(said.event) for said in SHOPIFY.translate(rows[2].topic, rows[2].body)] == [OrderSeen, FulfilmentSeen, RefundSeen]


@pytest.mark.parametrize(("feed", "answer", "why"), [
    ("orders", {"data": {"shop": {}}}, "holds no `orders`; it holds: shop"),
    ("orders", {"data": {"orders": {"nodes": []}}}, "missing required field `pageInfo`"),
    ("inventory", {"data": {"location": {"name": "x"}}}, "missing required field `inventoryLevels`"),
])  # fmt: skip
def test_an_answer_that_is_none_is_refused(feed: str, answer: dict[str, Any], why: str) -> None:
    asking = SHOPIFY.pull(feed, "")
    next(asking)
    with pytest.raises(Reject, match=why):
        asking.send(Reply(200, {}, json.dumps(answer).encode()))
