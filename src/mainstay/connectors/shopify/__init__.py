"""Shopify: Admin GraphQL API 2026-07 outwards, REST-shaped webhooks inwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta, Struct

from mainstay.connectors.shopify import effects, feeds, nodes, orders, records
from mainstay.connectors.shopify.feeds import LEVEL_NODE, ORDER_NODE, PRODUCT_NODE
from mainstay.contract import connector as contract
from mainstay.contract.connector import (
    Budget,
    Connector,
    Delivery,
    Done,
    Feed,
    Manifest,
    Measured,
    Outcome,
    Page,
    Row,
    Session,
    Sink,
    Subscription,
    Topic,
)  # fmt: skip
from mainstay.contract.signatures import hmac_base64
from mainstay.contract.talk import Call, Repeat, Reply, Talk, judge, lost
from mainstay.contract.worth import Worth
from mainstay.model.commands import Command
from mainstay.model.failures import Forged, Halt, Reject, Retry
from mainstay.model.secrets import Secret
from mainstay.model.seen import Said

ORDER_TOPICS = ("create", "updated", "paid", "cancelled", "fulfilled", "partially_fulfilled")
# Levels are ours to set, so their echo is not subscribed; it is understood where a shop sends it all the same.
SUBSCRIBED = (
    *(f"orders/{event}" for event in ORDER_TOPICS), "orders/edited", "refunds/create", "fulfillments/create", "fulfillments/update",
    "products/create", "products/update", "products/delete",
    "customers/create", "customers/update", "customers/delete", "customers/merge", "disputes/create", "disputes/update",
)  # fmt: skip
CONVERSATION_COST = 100.0  # more than any conversation of ours but a page of a feed
NOT_BUSINESS = {
    "app/uninstalled": "The app was removed from the shop: its token is gone.",
    "shop/update": "The shop's own settings changed.",
    "customers/data_request": "A customer asked what is known of them: a person answers.",
    "shop/redact": "The shop is to be forgotten, 48 hours after the app was removed.",
}


class _Error(Struct):
    message: str
    extensions: dict[str, Any] = {}


class _Refused(Struct):
    errors: list[_Error] | str = []


class _Throttle(Struct, rename="camel"):
    currently_available: float
    restore_rate: float


class _Cost(Struct, rename="camel"):
    throttle_status: _Throttle


class _Extensions(Struct):
    cost: _Cost | None = None


class _Costed(Struct):
    extensions: _Extensions | None = None


class ShopifySettings(contract.Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a Shopify shop."""

    shop: Annotated[
        str, Meta(pattern=r"^[a-z0-9][a-z0-9-]*\.myshopify\.com$", description="The shop's own domain.", examples=["acme.myshopify.com"])
    ]
    token: Annotated[Secret, Meta(description="Admin API access token of the app.")]
    webhook_secret: Annotated[Secret, Meta(description="The app's client secret: it signs the webhooks.")]
    webhook_secret_old: Annotated[Secret | None, Meta(description="The secret before, while it is being rotated.")] = None
    location: Annotated[str, Meta(description="Id of the location whose levels are read, and set unless the command names one.")] = ""
    currency: Annotated[str, Meta(description="The shop's currency: product prices come without one.", examples=["EUR"])] = ""
    payment_system: Annotated[contract.SystemName, Meta(description="The system that a payment intent's id belongs to.")] = "stripe"
    page_rows: Annotated[int, Meta(ge=1, le=50, description="Orders per page. Fewer where Shopify says MAX_COST_EXCEEDED.")] = 25
    url: Annotated[contract.Url, Meta(description="Base URL instead of the shop's own.")] = ""


TOTAL = Worth("total_price", "currency")
AMOUNT = Worth("amount", "currency")
TOTAL_OF_NODE = Worth("totalPriceSet.shopMoney.amount", "totalPriceSet.shopMoney.currencyCode")

MANIFEST = Manifest(
    name="shopify",
    title="Shopify",
    summary="Storefront: orders, refunds, customers, products in; stock levels, prices, fulfilments, cancellations out.",
    source="https://shopify.dev/docs/api/admin-graphql",
    version=effects.VERSION,
    signature="X-Shopify-Hmac-Sha256: base64(HMAC-SHA256(client secret, body))",
    references=("order", "order_name", "fulfilment", "refund", "dispute", "customer", "product", "inventory_item"),
    topics=(
        *(Topic(f"orders/{event}", "The order as it stands now.", ("order", "fulfilment", "refund"), TOTAL) for event in ORDER_TOPICS),
        Topic("orders/edited", "An order was edited; says only what changed, so the order is fetched.", ("order",)),
        Topic("refunds/create", "Money or units were given back.", ("refund",), Worth("transactions.0.amount", "transactions.0.currency")),
        *(Topic(f"fulfillments/{event}", "A parcel left, or how far it is.", ("fulfilment",)) for event in ("create", "update")),
        Topic("inventory_levels/update", "What may be sold of an item at a location.", ("inventory",)),
        *(Topic(f"products/{event}", "A product with its variants.", ("product", "price")) for event in ("create", "update", "delete")),
        *(Topic(f"customers/{event}", "A customer.", ("customer",)) for event in ("create", "update", "delete")),
        Topic("customers/merge", "Two customers are one; who of them stays.", ("customer",)),
        *(Topic(f"disputes/{event}", "A card holder contests a payment.", ("payment",), AMOUNT) for event in ("create", "update")),
        Topic(ORDER_NODE, "An order that was polled or fetched.", ("order", "fulfilment", "refund"), TOTAL_OF_NODE),
        Topic(LEVEL_NODE, "A level that was polled.", ("inventory",)),
        Topic(PRODUCT_NODE, "A product that was polled.", ("product", "price")),
        *(Topic(name, summary) for name, summary in NOT_BUSINESS.items()),
    ),
    feeds=(
        Feed("orders", "Orders by the time of their last change.", (ORDER_NODE,), every_s=300.0, objects=("order", "fulfilment", "refund")),
        Feed("products", "Products by the time of their last change.", (PRODUCT_NODE,), every_s=900.0, objects=("product", "price")),
        Feed("inventory", "All levels of the location.", (LEVEL_NODE,), every_s=3600.0, objects=("inventory",), whole=True),
    ),
    sinks=(
        Sink("SetLevel", "Publish levels.", "SetLevels", Repeat.SAFE, batch_max=effects.LEVELS_MAX, objects=("inventory",), gather_s=0.05),
        Sink("SetPrice", "Publish prices.", "SetPrices", Repeat.SAFE, batch_max=effects.LEVELS_MAX, objects=("price",), gather_s=0.05),
        Sink("ConfirmFulfilment", "Tell that units left.", "Fulfil", Repeat.LOOKUP, objects=("fulfilment",)),
        Sink("CancelOrder", "Cancel an order.", "Cancel", Repeat.LOOKUP, objects=("order",)),
    ),
    budgets=(
        Budget("graphql", "cost", 2000, 100, source="https://shopify.dev/docs/apps/build/apis/graphql-admin/rate-limits (standard plan)"),
    ),
)


class Shopify(Connector):
    """One shop."""

    manifest: ClassVar[Manifest] = MANIFEST
    Settings: ClassVar[type[contract.Settings]] = ShopifySettings
    settings: ShopifySettings

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self._topics = self._translators()

    # --- in ------------------------------------------------------------------------------------------------------------
    def receive(self, headers: Mapping[str, str], body: bytes, now: int) -> Delivery:
        """The event id names the event; the webhook id would name the subscription's delivery. Without one, the body does."""
        live = [one for one in (self.settings.webhook_secret, self.settings.webhook_secret_old) if one is not None]
        hmac_base64(live, body, _header(headers, "hmac-sha256"))
        shop = _header(headers, "shop-domain")
        if shop != self.settings.shop:
            raise Forged(f"signed for another shop: {shop[:80]!r}")
        return Delivery(_header(headers, "topic"), _header(headers, "event-id") or blake2b(body, digest_size=16).hexdigest())

    def translate(self, topic: str, body: bytes) -> list[Said]:
        translator = self._topics.get(topic)
        if translator is not None:
            return translator(body)
        if topic in NOT_BUSINESS:
            raise Reject(NOT_BUSINESS[topic], "not_business")
        raise Reject(f"Shopify topic {topic[:80]!r} is not one that we know", "unknown_topic")

    def _translators(self) -> dict[str, Callable[[bytes], list[Said]]]:
        system, currency = self.settings.payment_system, self.settings.currency
        found: dict[str, Callable[[bytes], list[Said]]] = {
            f"orders/{event}": lambda body: orders.from_order(body, system) for event in ORDER_TOPICS
        }
        return found | {
            "orders/edited": records.from_edit,
            "refunds/create": lambda body: orders.from_refund(body, system),
            "fulfillments/create": orders.from_fulfilment,
            "fulfillments/update": orders.from_fulfilment,
            "inventory_levels/update": records.from_level,
            "products/create": lambda body: records.from_product(body, currency),
            "products/update": lambda body: records.from_product(body, currency),
            "products/delete": records.from_deleted_product,
            "customers/create": records.from_customer,
            "customers/update": records.from_customer,
            "customers/delete": records.from_deleted_customer,
            "customers/merge": records.from_merged_customers,
            "customers/redact": records.from_redacted_customer,
            "disputes/create": records.from_dispute,
            "disputes/update": records.from_dispute,
            ORDER_NODE: lambda body: nodes.from_order(body, system),
            LEVEL_NODE: nodes.from_level,
            PRODUCT_NODE: lambda body: nodes.from_product(body, currency),
        }

    def pull(self, feed: str, cursor: str) -> Talk[Page]:
        if feed == "orders":
            return feeds.orders(self.settings.page_rows, cursor)
        if feed == "products":
            return feeds.products(cursor)
        if feed == "inventory":
            return feeds.inventory(self.settings.location, cursor)
        raise Reject(f"Shopify has no feed {feed!r}", "not_capable")

    def since(self, feed: str, at: int) -> str | None:
        return "" if feed == "inventory" else feeds.since(at)  # levels are read as a whole each time

    def fetch(self, feed: str, reference: str) -> Talk[tuple[Row, ...]]:
        if feed != "order":
            raise Reject(f"Shopify cannot fetch from {feed!r}", "not_capable")
        return feeds.order(reference)

    # --- out -----------------------------------------------------------------------------------------------------------
    def push(self, commands: Sequence[Command]) -> Talk[list[Outcome]]:
        return effects.push(self.settings.location, commands)

    def look_up(self, command: Command) -> Talk[Done | None]:
        return effects.look_up(command)

    def subscriptions(self, url: str) -> Talk[tuple[Subscription, ...]]:
        return feeds.subscriptions(url, SUBSCRIBED)

    def subscribe(self, url: str, wrong: Sequence[Subscription]) -> Talk[None]:
        return feeds.subscribe(url, wrong)

    # --- the wire ------------------------------------------------------------------------------------------------------
    def endpoints(self) -> Mapping[str, str]:
        return {"api": self.settings.url or f"https://{self.settings.shop}"}

    def headers(self, call: Call, url: str, session: Session | None, now: int) -> Mapping[str, str]:
        return {"x-shopify-access-token": self.settings.token.reveal(), "content-type": "application/json"}

    def judge(self, call: Call, reply: Reply) -> Reply:
        """GraphQL fails inside HTTP 200: `errors` beside, or instead of, `data`."""
        if reply.status in (402, 423):  # https://shopify.dev/docs/api/usage/response-codes: the shop is frozen or locked
            raise Halt(f"{call.operation}: HTTP {reply.status}, the shop is frozen or locked")
        judge(call, reply)
        if b'"errors"' not in reply.body:
            return reply
        wrongs = reply.read(_Refused).errors
        if isinstance(wrongs, str):
            raise Reject(f"{call.operation}: {wrongs}")
        for wrong in wrongs:
            why, code = f"{call.operation}: {wrong.message}", wrong.extensions.get("code")
            if code == "THROTTLED":
                raise Retry(why, self._pause_s(call, reply), "rate_limited")
            if code == "ACCESS_DENIED":
                raise Halt(why)
            if code in ("INTERNAL_SERVER_ERROR", "TIMEOUT"):
                raise lost(call, wrong.message)
            raise Reject(why)
        return reply

    def measured(self, call: Call, reply: Reply) -> tuple[Measured, ...]:
        throttle = _throttle(reply)
        return (Measured("graphql", throttle.currently_available, throttle.restore_rate),) if throttle else ()

    def _pause_s(self, call: Call, reply: Reply) -> float | None:
        """How long until the bucket holds what the call costs, and what came before it in its conversation, which starts again."""
        throttle = _throttle(reply)
        if throttle is None or not throttle.restore_rate:
            return None
        return max(0.0, (max(call.cost, CONVERSATION_COST) - throttle.currently_available) / throttle.restore_rate)


def _throttle(reply: Reply) -> _Throttle | None:
    try:
        extensions = msgspec.json.decode(reply.body, type=_Costed).extensions
    except (msgspec.MsgspecError, UnicodeDecodeError):  # an answer without a cost: a proxy's page, say
        return None
    return extensions.cost.throttle_status if extensions and extensions.cost else None


def _header(headers: Mapping[str, str], name: str) -> str:
    """Headers come with `X-` and without; the one without wins (Shopify/shopify-api-ruby, webhooks/request.rb)."""
    return headers.get(f"shopify-{name}") or headers.get(f"x-shopify-{name}") or ""
