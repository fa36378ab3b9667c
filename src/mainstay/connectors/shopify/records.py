"""Everything but orders: products, stock levels, customers and disputes, from webhook payloads to our statements."""

from __future__ import annotations

from typing import Any, cast

from msgspec import Struct

from mainstay.connectors.shopify.effects import tail
from mainstay.connectors.shopify.orders import PostalAddress, address
from mainstay.connectors.shopify.words import DISPUTE, DISPUTE_TYPE, MERGE, PRODUCT, SUBSCRIBED, ours
from mainstay.contract.connector import read
from mainstay.model.failures import Reject
from mainstay.model.identity import sku
from mainstay.model.money import minor
from mainstay.model.objects import Person, Reference, Variant
from mainstay.model.seen import CustomerSeen, DisputeSeen, Hint, ProductSeen, Said, StockCounted
from mainstay.model.times import micros

TITLE_CHARS_MAX = 250
UNNAMED = "Default Title"  # what Shopify calls the only variant of a product that comes in no variants


class SoldAs(Struct, gc=False):
    id: int
    price: str
    sku: str | None = None
    title: str | None = None
    inventory_item_id: int | None = None
    barcode: str | None = None
    compare_at_price: str | None = None
    grams: int = 0


class Product(Struct, gc=False):
    id: int
    updated_at: str
    status: str
    title: str = ""
    product_type: str | None = None
    variants: list[SoldAs] = []


class _Gone(Struct, gc=False):
    id: int


class _Redacted(Struct, gc=False):
    customer: _Gone


class _Merged(Struct, gc=False):
    admin_graphql_api_customer_kept_id: str
    admin_graphql_api_customer_deleted_id: str
    status: str


class _Level(Struct, gc=False):
    inventory_item_id: int
    location_id: int
    updated_at: str
    available: int | None


class _Consent(Struct, gc=False):
    state: str


class _Customer(Struct, gc=False):
    id: int
    updated_at: str
    email: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    tax_exempt: bool = False
    email_marketing_consent: _Consent | None = None
    default_address: PostalAddress | None = None


class _Dispute(Struct, gc=False):
    id: int
    order_id: int | None
    amount: str
    currency: str
    status: str
    initiated_at: str
    type: str = "chargeback"
    reason: str | None = None
    finalized_on: str | None = None
    evidence_sent_on: str | None = None


class _EditedOrder(Struct, gc=False):
    order_id: int
    id: int
    created_at: str


class _Edited(Struct, gc=False):
    order_edit: _EditedOrder


def from_product(body: bytes, currency: str) -> list[Said]:
    """Prices come without a currency: it is the shop's own, from the settings. Variants without a SKU cannot be joined to anything."""
    return product(read(body, Product), currency)


def product(given: Product, currency: str) -> list[Said]:
    """A product in the shape of the webhook's payload."""
    if not currency:
        raise Reject("product prices come without a currency: set the shop's `currency` in the connector's settings", "currency")
    at = micros(given.updated_at)
    return [
        Said(
            ProductSeen(
                external=str(given.id),
                version=at,
                at=at,
                title=given.title[:TITLE_CHARS_MAX],
                variants=tuple(_variant(one, currency) for one in given.variants if one.sku and not one.sku.isspace()),
                currency=currency,
                status=cast(Any, ours(PRODUCT, given.status, "product status")),
                category=(given.product_type or "")[:TITLE_CHARS_MAX],
            )
        )
    ]


def _variant(given: SoldAs, currency: str) -> Variant:
    return Variant(
        id=str(given.id),
        sku=sku(given.sku),
        title="" if given.title == UNNAMED else (given.title or "")[:TITLE_CHARS_MAX],
        item=str(given.inventory_item_id) if given.inventory_item_id is not None else "",
        barcode=given.barcode or "",
        price=minor(given.price, currency),
        compare_at=minor(given.compare_at_price, currency) if given.compare_at_price else None,
        grams=given.grams,
    )


def from_deleted_product(body: bytes) -> list[Said]:
    return [Said(ProductSeen(external=str(read(body, _Gone).id), status="deleted"))]


def from_level(body: bytes) -> list[Said]:
    """`available` is what the shop may still sell there, not what lies on the shelf."""
    given = read(body, _Level)
    return [level(given.inventory_item_id, given.location_id, given.available, given.updated_at)]


def level(item: int | str, location: int | str, available: int | None, updated_at: str, sku_text: str = "") -> Said:
    if available is None:
        raise Reject(f"inventory item {item} is not tracked at location {location}", "not_business")
    at = micros(updated_at)
    return Said(
        StockCounted(
            external=f"{item}@{location}", version=at, at=at, item=str(item), sku=sku_text, location=str(location),
            quantity=available, measure="available",
        )
    )  # fmt: skip


def from_customer(body: bytes) -> list[Said]:
    given = read(body, _Customer)
    at = micros(given.updated_at)
    consent = given.email_marketing_consent
    home = address(given.default_address) if given.default_address else None
    event = CustomerSeen(
        external=str(given.id),
        version=at,
        at=at,
        tax_exempt=given.tax_exempt,
        company=home.company if home else "",
        marketing=ours(SUBSCRIBED, consent.state, "marketing consent") if consent else None,
    )
    name = " ".join(part for part in (given.first_name, given.last_name) if part)
    return [Said(event, Person(id=str(given.id), name=name, email=given.email or "", phone=given.phone or "", shipping=home))]


def from_deleted_customer(body: bytes) -> list[Said]:
    return [Said(CustomerSeen(external=str(read(body, _Gone).id), deleted=True))]


def from_merged_customers(body: bytes) -> list[Said]:
    """Staff has merged two customers: the orders of one are the other's. A merge that is only asked for, or failed, says nothing."""
    given = read(body, _Merged)
    if not ours(MERGE, given.status, "status of a merge"):
        raise Reject(f"a merge of customers that is {given.status}", "not_business")
    gone, kept = (tail(one) for one in (given.admin_graphql_api_customer_deleted_id, given.admin_graphql_api_customer_kept_id))
    if not gone or not kept or gone == kept:
        raise Reject("a merge names two customers", "id_missing")
    return [Said(CustomerSeen(external=gone, deleted=True, merged_into=kept))]


def from_redacted_customer(body: bytes) -> list[Said]:
    """A customer is to be forgotten. The message names them, so it is theirs; a person erases them."""
    return [Said(CustomerSeen(external=str(read(body, _Redacted).customer.id), deleted=True))]


def from_dispute(body: bytes) -> list[Said]:
    """A dispute has no update time of its own: the latest moment that it names orders its statements."""
    given = read(body, _Dispute)
    if given.order_id is None:
        raise Reject(f"dispute {given.id} names no order", "id_missing")
    at = micros(given.initiated_at)
    moments = (at, *(micros(one) for one in (given.evidence_sent_on, given.finalized_on) if one))
    event = DisputeSeen(
        external=str(given.id),
        version=max(moments),
        at=at,
        of=Reference("order", str(given.order_id)),
        currency=given.currency,
        amount=minor(given.amount, given.currency),
        status=ours(DISPUTE, given.status, "dispute status"),
        reason=given.reason or "",
        inquiry=ours(DISPUTE_TYPE, given.type, "dispute type"),
    )
    return [Said(event)]


def from_edit(body: bytes) -> list[Said]:
    """An edit tells only what changed (`order_edit`), so the order is fetched whole."""
    given = read(body, _Edited).order_edit
    at = micros(given.created_at)
    return [Said(Hint(external=str(given.order_id), version=at, at=at, feed="order"))]
