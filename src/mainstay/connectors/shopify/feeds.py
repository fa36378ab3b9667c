"""What we read from Shopify by ourselves: pages of orders and levels, one order, and the webhook subscriptions."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import msgspec
from msgspec import Raw, Struct

from mainstay.connectors.shopify import documents
from mainstay.connectors.shopify.effects import ask, data, gid, tail
from mainstay.contract.connector import Page, Row, read
from mainstay.contract.talk import Reply, Talk
from mainstay.model.failures import Reject
from mainstay.model.times import SECOND, iso, micros

ORDER_NODE, LEVEL_NODE = "graphql/order", "graphql/inventory_level"
LAG_S = 30  # a search may lag behind the write that it should find, so each poll reads this much again
PAGE_COST = 400.0
LEVELS_PER_PAGE = 50
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


def orders(rows_max: int, cursor: str) -> Talk[Page]:
    """Orders by their last change. The cursor is the time to read from and, within a poll, the vendor's: "2026-03-02T12:00:00Z eyJs…"."""
    since, _, after = cursor.partition(" ")
    search = f"updated_at:>='{since}'" if since else None
    reply = yield ask("Orders", documents.ORDERS, {"first": rows_max, "after": after or None, "query": search}, cost=PAGE_COST)
    page = read(_root(reply, "orders"), _Nodes)
    rows, latest = _rows(ORDER_NODE, page.nodes)
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


def subscribe(url: str, topics: Sequence[str]) -> Talk[tuple[str, ...]]:
    """Make the subscriptions that are missing: Shopify deletes one whose deliveries keep failing."""
    present: set[str] = set()
    after: str | None = None
    while True:
        reply = yield ask("Subscriptions", documents.SUBSCRIPTIONS, {"after": after})
        page = data(reply, "webhookSubscriptions")
        present |= {node["topic"] for node in page["nodes"] if node["uri"] == url}
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    missing = tuple(topic for topic in topics if _enum(topic) not in present)
    for topic in missing:
        variables = {"topic": _enum(topic), "subscription": {"uri": url, "format": "JSON"}}
        reply = yield ask("Subscribe", documents.SUBSCRIBE, variables)
        for wrong in data(reply, "webhookSubscriptionCreate", "userErrors"):
            raise Reject(f"{topic}: {wrong['message']}")
    return missing


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
