"""What we read from Shopify by ourselves: pages of orders, products and levels, one order, and the webhook subscriptions."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import msgspec
from msgspec import Raw, Struct

from mainstay.connectors.shopify import documents
from mainstay.connectors.shopify.effects import VERSION, ask, data, gid, tail
from mainstay.contract.connector import Page, Row, Subscription, Wrong, read
from mainstay.contract.talk import Reply, Talk
from mainstay.model.failures import Reject
from mainstay.model.times import SECOND, iso, micros

ORDER_NODE, LEVEL_NODE, PRODUCT_NODE = "graphql/order", "graphql/inventory_level", "graphql/product"
LAG_S = 30  # a search may lag behind the write that it should find, so each poll reads this much again
PAGE_COST = 400.0
LEVELS_PER_PAGE = 50
PRODUCTS_PER_PAGE = 10  # each with up to 100 variants
NULL = b"null"


class _Answer(Struct):
    data: dict[str, Raw]


class _PageInfo(Struct, rename="camel"):
    has_next_page: bool
    end_cursor: str | None = None


class _Nodes(Struct, rename="camel"):
    nodes: list[Raw]
    page_info: _PageInfo


class _Location(Struct, rename="camel"):
    inventory_levels: _Nodes


class _Stamp(Struct, rename="camel"):
    id: str
    updated_at: str


class _Version(Struct):
    handle: str


class _Hook(Struct, rename="camel"):
    id: str
    topic: str
    uri: str
    api_version: _Version
    filter: str | None = None
    include_fields: list[str] = []

    def wrong(self) -> Wrong:
        """What is wrong with one at our address. Handles are dates, so that they can be compared; "unstable" is none of them."""
        if self.filter or self.include_fields:
            return "narrowed"
        return "outdated" if self.api_version.handle < VERSION else ""


class _Hooks(Struct, rename="camel"):
    nodes: list[_Hook]
    page_info: _PageInfo


_WORSE: tuple[Wrong, ...] = ("", "outdated", "narrowed", "elsewhere", "missing")


def orders(rows_max: int, cursor: str) -> Talk[Page]:
    """Orders by their last change."""
    return _changed("Orders", documents.ORDERS, "orders", ORDER_NODE, rows_max, cursor)


def products(cursor: str) -> Talk[Page]:
    """Products with their variants, by their last change. One that was deleted is in no list any more: only a webhook tells of it."""
    return _changed("Products", documents.PRODUCTS, "products", PRODUCT_NODE, PRODUCTS_PER_PAGE, cursor)


def _changed(operation: str, document: str, root: str, topic: str, rows_max: int, cursor: str) -> Talk[Page]:
    """What changed. The cursor is the time to read from and, within a poll, the vendor's: "2026-03-02T12:00:00Z eyJs…"."""
    since, _, after = cursor.partition(" ")
    search = f"updated_at:>='{since}'" if since else None
    reply = yield ask(operation, document, {"first": rows_max, "after": after or None, "query": search}, cost=PAGE_COST)
    page = read(_root(reply, root), _Nodes)
    rows, latest = _rows(topic, page.nodes)
    if page.page_info.has_next_page:
        return Page(rows, f"{since} {page.page_info.end_cursor}", more=True)
    return Page(rows, iso(latest - LAG_S * SECOND) if latest else since)


def inventory(location: str, cursor: str) -> Talk[Page]:
    """All levels of a location, from the beginning each time: a level's search cannot be ordered by its change."""
    variables = {"location": gid("Location", location), "first": LEVELS_PER_PAGE, "after": cursor or None}
    reply = yield ask("Inventory", documents.INVENTORY, variables, cost=PAGE_COST)
    found = _root(reply, "location")
    if found == NULL:
        raise Reject(f"Shopify knows no location {location!r}", "not_found")
    page = read(found, _Location).inventory_levels
    more = page.page_info.has_next_page
    return Page(_rows(LEVEL_NODE, page.nodes)[0], (page.page_info.end_cursor or "") if more else "", more=more)


def order(number: str) -> Talk[tuple[Row, ...]]:
    reply = yield ask("Order", documents.ORDER, {"id": gid("Order", number)})
    found = _root(reply, "order")
    if found == NULL:
        raise Reject(f"Shopify knows no order {number}", "not_found")
    return _rows(ORDER_NODE, [Raw(found)])[0]


def subscriptions(url: str, topics: Sequence[str]) -> Talk[tuple[Subscription, ...]]:
    """What there is of the subscriptions to these topics: Shopify deletes one whose deliveries keep failing."""
    nodes: list[_Hook] = []
    after: str | None = None
    while True:
        reply = yield ask("Subscriptions", documents.SUBSCRIPTIONS, {"after": after})
        page = read(_root(reply, "webhookSubscriptions"), _Hooks)
        nodes += page.nodes
        after = page.page_info.end_cursor
        if not page.page_info.has_next_page:
            break
    return tuple(_standing(topic, url, [node for node in nodes if node.topic == _enum(topic)]) for topic in topics)


def _standing(topic: str, url: str, nodes: Sequence[_Hook]) -> Subscription:
    """The best that there is of a topic. Only this app's subscriptions are listed: one at another address is an earlier one of ours."""
    found = [Subscription(topic, node.wrong(), node.id) for node in nodes if node.uri == url]
    elsewhere = [Subscription(topic, "elsewhere")] if nodes else []
    return min([*found, *elsewhere, Subscription(topic, "missing")], key=lambda one: _WORSE.index(one.wrong))


def subscribe(url: str, wrong: Sequence[Subscription]) -> Talk[None]:
    """Make what is wrong anew. A new subscription inherits the API version of the app; Shopify takes no second one for an address.
    What it says against one does not keep the others back; that it is so already is no objection: an answer may have been lost."""
    refused: list[str] = []
    for one in wrong:
        if one.id:
            reply = yield ask("Unsubscribe", documents.UNSUBSCRIBE, {"id": one.id})
            refused += _refusals(one.topic, data(reply, "webhookSubscriptionDelete", "userErrors"), besides="not exist")
        variables = {"topic": _enum(one.topic), "subscription": {"uri": url, "format": "JSON"}}
        reply = yield ask("Subscribe", documents.SUBSCRIBE, variables)
        refused += _refusals(one.topic, data(reply, "webhookSubscriptionCreate", "userErrors"), besides="already been taken")
    if refused:
        raise Reject("; ".join(refused))


def _refusals(topic: str, wrongs: Sequence[dict[str, str]], besides: str) -> list[str]:
    return [f"{topic}: {wrong['message']}" for wrong in wrongs if besides not in wrong["message"]]


def since(at: int) -> str:
    """The cursor of a feed of changes that begins at a moment."""
    return iso(at - LAG_S * SECOND)


def _enum(topic: str) -> str:
    return topic.replace("/", "_").upper()


def _root(reply: Reply, name: str) -> bytes:
    given = reply.read(_Answer).data
    if name not in given:
        raise Reject(f"Shopify's answer holds no `{name}`; it holds: {', '.join(sorted(given)) or 'nothing'}", "schema")
    return bytes(given[name])


def _rows(topic: str, found: Sequence[Raw]) -> tuple[tuple[Row, ...], int]:
    """One row for each node, in the vendor's own bytes, and the latest change among them."""
    rows, latest = [], 0
    for node in found:
        content = bytes(node)
        digest = blake2b(content, digest_size=8).hexdigest()  # a second may hold two changes
        try:
            stamp = msgspec.json.decode(content, type=_Stamp)
        except msgspec.ValidationError:
            rows.append(Row(topic, digest, content))  # recorded like its neighbours: its translation says what is wrong with it
            continue
        rows.append(Row(topic, f"{tail(stamp.id)}:{stamp.updated_at}:{digest}", content))
        latest = max(latest, micros(stamp.updated_at))
    return tuple(rows), latest
