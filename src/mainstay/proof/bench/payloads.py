"""Orders in Shopify's shape (about 5 KB, 5 lines, taxes, a discount, two addresses), with totals that add up. Made here, by number."""

from __future__ import annotations

import json
import random
from typing import Any

from mainstay.model.money import major

SKUS = 5_000


def order(number: int, skus: int = SKUS, lines: int = 5) -> bytes:
    """The bytes of one order; the same number gives the same bytes."""
    dice = random.Random(number)
    made, goods, tax = [], 0, 62
    for place in range(lines):
        price, quantity, due = dice.randrange(500, 9_900), dice.randrange(1, 5), dice.randrange(10, 500)
        goods += price * quantity - 100
        tax += due
        made.append(_line(number * 10 + place, sku((number * 7 + place * 631) % skus), price, quantity, due))
    return json.dumps(_order(number, made, goods, tax), separators=(",", ":")).encode()


def sku(number: int) -> str:
    return f"TSH-{number:06d}"


def _line(number: int, code: str, price: int, quantity: int, tax: int) -> dict[str, Any]:
    return {
        "id": 900_000_000 + number,
        "admin_graphql_api_id": f"gid://shopify/LineItem/{900_000_000 + number}",
        "variant_id": 400_000,
        "product_id": 300_000,
        "title": "Organic Cotton T-Shirt",
        "variant_title": "Blue / M",
        "sku": code,
        "vendor": "Acme",
        "quantity": quantity,
        "current_quantity": quantity,
        "grams": 250,
        "price": major(price, "USD"),
        "total_discount": "0.00",
        "fulfillable_quantity": quantity,
        "fulfillment_status": None,
        "requires_shipping": True,
        "taxable": True,
        "gift_card": False,
        "name": "Organic Cotton T-Shirt - Blue / M",
        "tax_lines": [{"title": "IL State Tax", "price": major(tax, "USD"), "rate": 0.0625, "channel_liable": False}],
        "discount_allocations": [{"amount": "1.00", "discount_application_index": 0}],
        "properties": [],
    }


def _order(number: int, lines: list[dict[str, Any]], goods: int, tax: int) -> dict[str, Any]:
    total = major(goods + tax + 999, "USD")
    address = {
        "first_name": "Jane", "last_name": f"Doe{number}", "address1": f"{number % 999} Main Street", "address2": "Apt 4",
        "city": "Springfield", "province": "Illinois", "province_code": "IL", "country": "United States", "country_code": "US",
        "zip": "62704", "phone": f"+12175550{number % 999:03d}", "company": None, "name": f"Jane Doe{number}",
        "latitude": 39.78, "longitude": -89.65,
    }  # fmt: skip
    return {
        "id": 5_000_000_000 + number, "admin_graphql_api_id": f"gid://shopify/Order/{5_000_000_000 + number}", "name": f"#{1000 + number}",
        "order_number": 1000 + number, "email": f"jane{number}@example.com", "phone": None, "created_at": "2026-03-02T11:22:33-05:00",
        "updated_at": "2026-03-02T11:25:00-05:00", "processed_at": "2026-03-02T11:22:31-05:00", "cancelled_at": None, "closed_at": None,
        "currency": "USD", "presentment_currency": "USD", "financial_status": "paid", "fulfillment_status": None, "confirmed": True,
        "test": False, "taxes_included": False, "subtotal_price": major(goods, "USD"), "total_price": total,
        "total_tax": major(tax, "USD"), "total_discounts": "5.00", "total_line_items_price": major(goods + 500, "USD"),
        "total_shipping_price_set": {"shop_money": {"amount": "9.99", "currency_code": "USD"}}, "gateway": "shopify_payments",
        "payment_gateway_names": ["shopify_payments"], "source_name": "web", "tags": "vip, newsletter", "note": None,
        "note_attributes": [{"name": "gift", "value": "no"}],
        "customer": {"id": 7_000_000 + number, "email": f"jane{number}@example.com", "first_name": "Jane", "last_name": "Doe", "tags": ""},
        "billing_address": address, "shipping_address": address, "line_items": lines,
        "shipping_lines": [{
            "id": 60_000 + number, "title": "Standard", "code": "STD", "price": "9.99", "discounted_price": "9.99", "source": "shopify",
            "tax_lines": [{"title": "IL State Tax", "price": "0.62", "rate": 0.0625}],
        }],
        "discount_codes": [{"code": "SPRING5", "amount": "5.00", "type": "fixed_amount"}],
        "discount_applications": [{"target_type": "line_item", "type": "discount_code", "value": "5.0", "value_type": "fixed_amount"}],
        "tax_lines": [{"title": "IL State Tax", "price": major(tax, "USD"), "rate": 0.0625}], "fulfillments": [], "refunds": [],
    }  # fmt: skip
