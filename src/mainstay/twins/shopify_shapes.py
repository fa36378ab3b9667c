"""What the Shopify twin shows of its books: REST resources for webhooks, and the same things as GraphQL nodes."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from mainstay.model.money import decimals, major, minor
from mainstay.model.times import SECOND, iso


class Variant(Struct):
    """What the shop sells of one SKU."""

    id: int
    product: int
    item: int
    sku: str
    title: str
    price_minor: int
    quantity: int
    updated_at: int


def product(variant: Variant, currency: str, at: str) -> dict[str, Any]:
    """A product of one variant, as a webhook tells it."""
    sold = {
        "id": variant.id, "product_id": variant.product, "title": "Default Title", "price": major(variant.price_minor, currency),
        "sku": variant.sku, "inventory_item_id": variant.item, "inventory_quantity": variant.quantity, "barcode": None,
        "compare_at_price": None, "grams": 0, "updated_at": at,
    }  # fmt: skip
    return {
        "id": variant.product, "admin_graphql_api_id": gid("Product", variant.product), "title": variant.title, "status": "active",
        "product_type": "", "vendor": "", "tags": "", "updated_at": at, "variants": [sold],
    }  # fmt: skip


def product_node(variant: Variant, currency: str) -> dict[str, Any]:
    """The same as GraphQL shows it."""
    weight = {"unit": "KILOGRAMS", "value": 0.0}
    sold = {
        "id": gid("ProductVariant", variant.id), "sku": variant.sku, "title": "Default Title", "barcode": None,
        "price": major(variant.price_minor, currency), "compareAtPrice": None,
        "inventoryItem": {"id": gid("InventoryItem", variant.item), "measurement": {"weight": weight}},
    }  # fmt: skip
    return {
        "id": gid("Product", variant.product), "title": variant.title, "status": "ACTIVE", "productType": "",
        "updatedAt": time(variant.updated_at), "variants": lambda first, after=None: page([sold], first, after),
    }  # fmt: skip


def gid(kind: str, number: int) -> str:
    return f"gid://shopify/{kind}/{number}"


def time(at: int) -> str:
    return iso(at - at % SECOND)


def page(nodes: Sequence[Any], first: int, after: str | None) -> dict[str, Any]:
    """A connection. Its cursor says how many nodes came before."""
    start = int(base64.b64decode(after)) if after else 0
    page, end = nodes[start : start + first], min(len(nodes), start + first)
    cursor = base64.b64encode(str(end).encode()).decode() if page else None
    return {"nodes": list(page), "pageInfo": {"hasNextPage": end < len(nodes), "endCursor": cursor}}


def amounts(amount: str, currency: str) -> dict[str, Any]:
    money = {"amount": amount, "currency_code": currency}
    return {"shop_money": money, "presentment_money": money}


def buyer(customer: Mapping[str, str], number: int) -> dict[str, Any]:
    """`customer` has name, email, phone, street, city, postcode, region, country; whatever is missing is null."""
    first, _, last = customer.get("name", "").partition(" ")
    address = {
        "name": customer.get("name"), "first_name": first, "last_name": last, "company": None, "address1": customer.get("street"),
        "address2": None, "city": customer.get("city"), "zip": customer.get("postcode"), "province_code": customer.get("region"),
        "country_code": customer.get("country"), "phone": customer.get("phone"),
    }  # fmt: skip
    person = {"id": number, "first_name": first, "last_name": last, "email": customer.get("email"), "phone": customer.get("phone")}
    return {
        "email": customer.get("email"), "contact_email": customer.get("email"), "phone": customer.get("phone"), "customer": person,
        "shipping_address": address, "billing_address": address,
    }  # fmt: skip


def customer(person: Mapping[str, Any], home: Mapping[str, Any], at: str) -> dict[str, Any]:
    """A customer's own record."""
    return {**person, "updated_at": at, "tax_exempt": False, "email_marketing_consent": None, "default_address": home}


def merge(kept: int, gone: int) -> dict[str, Any]:
    """What a webhook tells of customers who were merged (shopify.dev/docs/api/webhooks, customers/merge)."""
    ids = {"admin_graphql_api_customer_kept_id": gid("Customer", kept), "admin_graphql_api_customer_deleted_id": gid("Customer", gone)}
    return {**ids, "admin_graphql_api_job_id": None, "status": "completed", "errors": []}


def order(
    number: int, items: list[dict[str, Any]], shipping_line: int, currency: str, amounts_minor: tuple[int, int, int, int], at: str
) -> dict[str, Any]:
    """A new order, taxes on top. `amounts_minor` are goods, discount, shipping and tax."""
    goods, discount, shipping, tax = amounts_minor
    total = major(goods - discount + shipping + tax, currency)
    way = {"id": shipping_line, "title": "Standard", "code": "standard", "is_removed": False, "price": major(shipping, currency)}
    return {
        "id": number, "admin_graphql_api_id": gid("Order", number), "created_at": at, "updated_at": at, "processed_at": at,
        "cancelled_at": None, "closed_at": None, "cancel_reason": None, "confirmed": True, "test": False,
        "currency": currency, "presentment_currency": currency, "taxes_included": False, "tax_exempt": False, "duties_included": False,
        "total_price": total, "subtotal_price": major(goods - discount, currency), "total_tax": major(tax, currency),
        "total_discounts": major(discount, currency), "total_tip_received": major(0, currency),
        "total_line_items_price": major(goods, currency), "total_price_set": amounts(total, currency),
        "original_total_duties_set": None, "original_total_additional_fees_set": None, "po_number": None, "tags": "", "note": None,
        "fulfillment_status": None, "source_name": "web", "line_items": items, "fulfillments": [], "refunds": [],
        "shipping_lines": [way | {"discount_allocations": [], "tax_lines": []}],
    }  # fmt: skip


def refund(
    number: int, order_number: int, lines: list[dict[str, Any]], money: tuple[Mapping[str, int], str], note: str, at: str
) -> dict[str, Any]:
    """`money` is what each gateway gave back, and the currency."""
    amounts_minor, currency = money
    paid = [
        {
            "id": number + 1, "kind": "refund", "status": "success", "gateway": gateway, "receipt": {},
            "amount": major(amount, currency), "currency": currency,
        }
        for gateway, amount in amounts_minor.items() if amount
    ]  # fmt: skip
    return {
        "id": number, "order_id": order_number, "created_at": at, "note": note, "restock": bool(lines), "order_adjustments": [],
        "refund_line_items": lines, "transactions": paid, "total_duties_set": amounts(major(0, currency), currency),
    }  # fmt: skip


def adjusted(number: int, order: Mapping[str, Any], back: Mapping[str, Any], shipping: int, amount: int) -> dict[str, Any]:
    """What a refund gives back beside its lines: shipping, and whatever else makes its amount. An adjustment is stated from the shop's
    side: what goes back to the buyer is negative (recorded: rest-docs, POST refunds.json and cancel.json of 2026-07)."""
    currency, way = order["currency"], order["shipping_lines"][0]
    sets = [one[name]["shop_money"]["amount"] for one in back["refund_line_items"] for name in ("subtotal_set", "total_tax_set")]
    kept = sum(minor(one, currency) for one in sets) + shipping - amount
    stated = {"shipping_refund": ("Shipping refund", -shipping), "refund_discrepancy": ("Refund discrepancy", kept)}
    zero = major(0, currency)
    made = [
        {
            "id": number + place, "order_id": order["id"], "refund_id": back["id"], "kind": kind, "reason": reason,
            "amount": major(some, currency), "amount_set": amounts(major(some, currency), currency),
            "tax_amount": zero, "tax_amount_set": amounts(zero, currency),
        }
        for place, (kind, (reason, some)) in enumerate(stated.items())
        if some
    ]  # fmt: skip
    given = amounts(major(shipping, currency), currency)
    lines = [{"id": number + 2, "shipping_line_id": way["id"], "shipping_line": way, "subtotal_amount_set": given}] if shipping else []
    return {"order_adjustments": made, "refund_shipping_lines": lines}


def seen_abroad(order: dict[str, Any], currency: str, rate: Decimal) -> None:
    """The buyer of an order saw another currency: every set says both."""
    order["presentment_currency"] = currency
    _both(order, currency, rate)


def given_abroad(back: dict[str, Any], currency: str, rate: Decimal) -> None:
    """What goes back goes back in the currency that the buyer paid, at the rate of today; a transaction says only that."""
    _both(back, currency, rate)
    for paid in back["transactions"]:
        paid |= {"amount": converted(paid["amount"], currency, rate), "currency": currency}


def _both(part: Any, currency: str, rate: Decimal) -> None:
    """Every money set within a document."""
    if isinstance(part, list):
        for one in part:
            _both(one, currency, rate)
    elif isinstance(part, dict):
        for name, value in part.items():
            if name == "presentment_money":
                part[name] = {"amount": converted(part["shop_money"]["amount"], currency, rate), "currency_code": currency}
            elif name != "line_item":
                _both(value, currency, rate)


def converted(amount: str, currency: str, rate: Decimal) -> str:
    places = Decimal(1).scaleb(-decimals(currency))
    return str((Decimal(amount) * rate).quantize(places))


def in_shop_money(back: Mapping[str, Any], paid: Mapping[str, Any], currency: str) -> str:
    """What a transaction of a refund is in the shop's currency: that of the buyer's is the sum of the refund's parts."""
    if paid["currency"] == currency:
        return str(paid["amount"])
    lines = [one[name] for one in back["refund_line_items"] for name in ("subtotal_set", "total_tax_set")]
    beside = [one[name] for one in back["order_adjustments"] for name in ("amount_set", "tax_amount_set")]
    total = sum(Decimal(one["shop_money"]["amount"]) for one in lines) - sum(Decimal(one["shop_money"]["amount"]) for one in beside)
    return str(total)


def line(number: int, variant: Variant, quantity: int, off: int, tax: int, currency: str) -> dict[str, Any]:
    price, allocated, due = (major(amount, currency) for amount in (variant.price_minor, off, tax))
    taxed = {"title": "VAT", "rate": 0.2, "price": due, "price_set": amounts(due, currency), "channel_liable": False}
    reduced = {"amount": allocated, "amount_set": amounts(allocated, currency), "discount_application_index": 0}
    return {
        "id": number, "admin_graphql_api_id": gid("LineItem", number), "variant_id": variant.id, "product_id": variant.product,
        "sku": variant.sku, "title": variant.title, "name": variant.title, "quantity": quantity, "current_quantity": quantity,
        "fulfillable_quantity": quantity, "fulfillment_service": "manual", "fulfillment_status": None, "gift_card": False, "grams": 0,
        "price": price, "price_set": amounts(price, currency), "requires_shipping": True, "taxable": bool(tax), "total_discount": "0.00",
        "tax_lines": [taxed] if tax else [], "discount_allocations": [reduced] if off else [],
    }  # fmt: skip


def refunded(number: int, line: Mapping[str, Any], quantity: int, restock: str, currency: str) -> dict[str, Any]:
    """Units of a line at what was paid for them, to the minor unit for whole lines."""
    off = sum(minor(one["amount"], currency) for one in line["discount_allocations"])
    tax = sum(minor(one["price"], currency) for one in line["tax_lines"])
    paid = minor(line["price"], currency) * line["quantity"] - off
    part, due = paid * quantity // line["quantity"], tax * quantity // line["quantity"]
    return {
        "id": number, "line_item_id": line["id"], "quantity": quantity, "restock_type": restock, "line_item": line,
        "subtotal_set": amounts(major(part, currency), currency), "total_tax_set": amounts(major(due, currency), currency),
    }  # fmt: skip


def moneys(amount: str, currency: str) -> dict[str, Any]:
    money = {"amount": amount, "currencyCode": currency}
    return {"shopMoney": money, "presentmentMoney": money}


def _camel(stated: Mapping[str, Any]) -> dict[str, Any]:
    """A money set of a webhook as GraphQL shows it."""
    found = {}
    for name, of in (("shopMoney", "shop_money"), ("presentmentMoney", "presentment_money")):
        found[name] = {"amount": stated[of]["amount"], "currencyCode": stated[of]["currency_code"]}
    return found


def open_lines(order: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"id": gid("FulfillmentOrderLineItem", line["id"]), "quantity": line["fulfillable_quantity"]}
        for line in order["line_items"]
        if line["fulfillable_quantity"]
    ]


def variant_node(variant: Variant) -> dict[str, Any]:
    return {
        "__typename": "ProductVariant",
        "id": gid("ProductVariant", variant.id),
        "sku": variant.sku,
        "product": {"id": gid("Product", variant.product)},
    }


def item_node(variant: Variant) -> dict[str, Any]:
    return {"__typename": "InventoryItem", "id": gid("InventoryItem", variant.item), "variants": {"nodes": [variant_node(variant)]}}


def transaction(gateway: str, kind: str, amount: int, currency: str) -> dict[str, Any]:
    """How an order was paid, as GraphQL shows it."""
    return {
        "kind": kind,
        "status": "SUCCESS",
        "gateway": gateway,
        "amountSet": moneys(major(amount, currency), currency),
        "receiptJson": {},
    }


def order_node(order: Mapping[str, Any], transactions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The same order as GraphQL shows it."""
    currency = order["currency"]
    zero = moneys(major(0, currency), currency)
    buyer = order["customer"]
    return {
        "__typename": "Order", "id": gid("Order", order["id"]), "name": order["name"], "email": order["email"], "phone": order["phone"],
        "poNumber": None, "test": False, "taxExempt": order["tax_exempt"], "taxesIncluded": False, "dutiesIncluded": False,
        "createdAt": order["created_at"], "updatedAt": order["updated_at"], "cancelledAt": order["cancelled_at"],
        "currencyCode": currency, "presentmentCurrencyCode": order["presentment_currency"],
        "displayFinancialStatus": order["financial_status"].upper(),
        "totalPriceSet": _camel(order["total_price_set"]), "totalTaxSet": moneys(order["total_tax"], currency),
        "totalTipReceivedSet": zero, "originalTotalDutiesSet": None, "originalTotalAdditionalFeesSet": None,
        "customAttributes": [{"key": note["name"], "value": note["value"]} for note in order["note_attributes"]],
        "customer": {"id": gid("Customer", buyer["id"]), "firstName": buyer["first_name"], "lastName": buyer["last_name"]},
        "shippingAddress": address_node(order["shipping_address"]), "billingAddress": address_node(order["billing_address"]),
        "purchasingEntity": None, "transactions": lambda first: list(transactions[:first]),
        "lineItems": lambda first, after=None: page([line_node(line, currency) for line in order["line_items"]], first, after),
        "shippingLines": lambda first, after=None: page([shipping_node(one, currency) for one in order["shipping_lines"]], first, after),
        "fulfillments": lambda first: [fulfilment_node(one) for one in order["fulfillments"][:first]],
        "refunds": lambda first: [refund_node(one, currency) for one in order["refunds"][:first]],
        "fulfillmentOrders": lambda first, after=None: page([plan_node(order)], first, after),
    }  # fmt: skip


def address_node(address: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": address["name"], "company": None, "address1": address["address1"], "address2": None, "city": address["city"],
        "province": None, "provinceCode": address["province_code"], "zip": address["zip"], "countryCodeV2": address["country_code"],
        "phone": address["phone"],
    }  # fmt: skip


def taxes_node(lines: Sequence[Mapping[str, Any]], currency: str) -> list[dict[str, Any]]:
    return [{"channelLiable": one["channel_liable"], "priceSet": moneys(one["price"], currency)} for one in lines]


def offs_node(lines: Sequence[Mapping[str, Any]], currency: str) -> list[dict[str, Any]]:
    return [{"allocatedAmountSet": moneys(one["amount"], currency)} for one in lines]


def line_node(line: Mapping[str, Any], currency: str) -> dict[str, Any]:
    return {
        "id": gid("LineItem", line["id"]), "name": line["name"], "sku": line["sku"], "quantity": line["quantity"],
        "currentQuantity": line["current_quantity"], "unfulfilledQuantity": line["fulfillable_quantity"],
        "requiresShipping": True, "isGiftCard": False, "originalUnitPriceSet": moneys(line["price"], currency),
        "taxLines": taxes_node(line["tax_lines"], currency), "discountAllocations": offs_node(line["discount_allocations"], currency),
    }  # fmt: skip


def shipping_node(line: Mapping[str, Any], currency: str) -> dict[str, Any]:
    return {
        "title": line["title"], "isRemoved": line["is_removed"], "originalPriceSet": moneys(line["price"], currency),
        "taxLines": taxes_node(line["tax_lines"], currency), "discountAllocations": offs_node(line["discount_allocations"], currency),
    }  # fmt: skip


def fulfilment_node(parcel: Mapping[str, Any]) -> dict[str, Any]:
    numbers = parcel["tracking_numbers"]
    units = [{"quantity": line["quantity"], "lineItem": {"id": gid("LineItem", line["id"])}} for line in parcel["line_items"]]
    return {
        "id": gid("Fulfillment", parcel["id"]), "status": parcel["status"].upper(), "displayStatus": "FULFILLED",
        "createdAt": parcel["created_at"], "updatedAt": parcel["updated_at"], "location": {"id": gid("Location", parcel["location_id"])},
        "trackingInfo": lambda first: [{"company": parcel["tracking_company"], "number": number} for number in numbers[:first]],
        "fulfillmentLineItems": lambda first, after=None: page(units, first, after),
    }  # fmt: skip


def refund_node(back: Mapping[str, Any], currency: str) -> dict[str, Any]:
    lines = [
        {
            "quantity": one["quantity"], "restockType": one["restock_type"].upper(),
            "lineItem": {"id": gid("LineItem", one["line_item_id"])},
            "subtotalSet": moneys(one["subtotal_set"]["shop_money"]["amount"], currency),
            "totalTaxSet": moneys(one["total_tax_set"]["shop_money"]["amount"], currency),
        }
        for one in back["refund_line_items"]
    ]  # fmt: skip
    money = [
        {
            "kind": "REFUND", "status": "SUCCESS", "gateway": one["gateway"],
            "amountSet": moneys(in_shop_money(back, one, currency), currency),
            "receiptJson": one["receipt"],
        }
        for one in back["transactions"]
    ]  # fmt: skip
    ways = back["refund_shipping_lines"]
    return {
        "id": gid("Refund", back["id"]), "createdAt": back["created_at"], "note": back["note"],
        "refundLineItems": lambda first, after=None: page(lines, first, after),
        "refundShippingLines": lambda first, after=None: page([_shipping_back(one, currency) for one in ways], first, after),
        "transactions": lambda first, after=None: page(money, first, after),
    }  # fmt: skip


def _shipping_back(line: Mapping[str, Any], currency: str) -> dict[str, Any]:
    given = moneys(line["subtotal_amount_set"]["shop_money"]["amount"], currency)
    return {"id": gid("RefundShippingLine", line["id"]), "subtotalAmountSet": given, "taxAmountSet": moneys(major(0, currency), currency)}


def plan_node(order: Mapping[str, Any]) -> dict[str, Any]:
    """The one fulfilment order of an order."""
    lines = [
        {
            "id": gid("FulfillmentOrderLineItem", line["id"]), "remainingQuantity": line["fulfillable_quantity"],
            "lineItem": {"id": gid("LineItem", line["id"])},
        }
        for line in order["line_items"]
    ]  # fmt: skip
    left = any(line["fulfillable_quantity"] for line in order["line_items"])
    return {
        "id": gid("FulfillmentOrder", order["id"]), "status": "OPEN" if left else "CLOSED",
        "lineItems": lambda first, after=None: page(lines, first, after),
    }  # fmt: skip
