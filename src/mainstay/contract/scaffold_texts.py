"""The texts of `connector new`: TinyShop, an invented vendor with a feed, signed events, and the three kinds of commands."""

CONNECTOR = '''\
"""TinyShop: orders in, stock levels, shipments and refunds out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from mainstay.contract import signatures
from mainstay.contract.connector import (
    Budget, Connector, Delivery, Done, Feed, Manifest, Outcome, Page, Row, Session, Settings, Sink, Subscription,
    Topic, Url, read,
)  # fmt: skip
from mainstay.contract.talk import Call, Repeat, Talk, as_json
from mainstay.model.commands import Command, ConfirmFulfilment, RefundPayment, SetLevel
from mainstay.model.failures import Failure, Reject, Retry
from mainstay.model.money import minor
from mainstay.model.objects import Line, Order, PaymentStatus
from mainstay.model.secrets import Secret
from mainstay.model.seen import OrderSeen, Said
from mainstay.model.times import SECOND, micros

PAGE_ROWS = 5
DOCS = "https://tinyshop.example/docs"  # where the vendor documents what is spoken here
PAID: dict[str, PaymentStatus] = {"open": "pending", "paid": "captured", "sent": "captured", "void": "voided"}  # their word -> ours


class TinyShopSettings(Settings, frozen=True, kw_only=True):
    """How to reach one shop."""

    url: Annotated[Url, Meta(description="Base URL of the API.", examples=["https://acme.tinyshop.example"])]
    token: Annotated[Secret, Meta(description="API token.")]
    webhook_secrets: Annotated[tuple[Secret, ...], Meta(description="Signing secrets; two while one is being replaced.")]


class _Item(Struct):
    id: str
    sku: str
    quantity: int
    price: str


class _Order(Struct):
    id: str
    revision: int
    state: str
    currency: str
    placed: str
    items: list[_Item]
    total: str


class _Orders(Struct):
    orders: list[msgspec.Raw]
    cursor: str
    more: bool


class _Result(Struct):
    sku: str
    error: str | None


class _Results(Struct):
    results: list[_Result]


class _Shipments(Struct):
    shipments: list[dict[str, str]]


class _Subscription(Struct):
    active: bool


class TinyShop(Connector):
    """Version 1 of the API."""

    manifest = Manifest(
        name="tinyshop",
        title="TinyShop",
        summary="Orders in; stock levels, shipments and refunds out.",
        source=DOCS,
        version="1",
        topics=(Topic("order.changed", "An order as it is now.", ("order",)),),
        feeds=(Feed("orders", "Orders by their last change.", ("order.changed",), objects=("order",)),),
        sinks=(
            Sink("SetLevel", "Publish what may be sold.", "levels", Repeat.SAFE, batch_max=5, objects=("inventory",)),
            Sink("ConfirmFulfilment", "Tell that a parcel left.", "ship", Repeat.LOOKUP, objects=("fulfilment",)),
            Sink("RefundPayment", "Give money back.", "refund", Repeat.KEYED, objects=("refund",), key_ttl_s=86_400),
        ),
        budgets=(Budget("account", "leaky", 40, 2, ("*",), DOCS),),
        signature="standard-webhooks",
    )
    Settings = TinyShopSettings

    # --- in ----------------------------------------------------------------------------------------------------------
    def receive(self, headers: Mapping[str, str], body: bytes, now: int) -> Delivery:
        signatures.standard_webhooks(self.settings.webhook_secrets, headers, body, now / SECOND)
        return Delivery("order.changed", headers["webhook-id"])

    def translate(self, topic: str, body: bytes) -> list[Said]:
        if topic != "order.changed":
            raise Reject(f"{topic!r} is no topic of TinyShop", "unknown_topic")
        return [Said(_order(read(body, _Order)))]

    def pull(self, feed: str, cursor: str) -> Talk[Page]:
        query = {"changed_after": cursor or "0", "limit": str(PAGE_ROWS)}
        reply = yield Call(operation="orders", method="GET", path="/orders", query=query)
        page = reply.read(_Orders)
        rows = tuple(_row(bytes(raw)) for raw in page.orders)
        return Page(rows, page.cursor, page.more)

    # --- out ---------------------------------------------------------------------------------------------------------
    def push(self, commands: Sequence[Command]) -> Talk[list[Outcome]]:
        if isinstance(commands[0], SetLevel):
            return (yield from self._set_levels(commands))
        outcomes: list[Outcome] = []
        for command in commands:
            try:
                reply = yield _asking(command)
                outcomes.append(Done({"id": reply.read(dict[str, str])["id"]}))
            except Failure as failure:
                outcomes.append(failure)
        return outcomes

    def _set_levels(self, commands: Sequence[Command]) -> Talk[list[Outcome]]:
        levels = [{"sku": one.sku, "available": one.quantity} for one in commands if isinstance(one, SetLevel)]
        reply = yield Call(operation="levels", method="PUT", path="/levels", body=as_json({"levels": levels}))
        results = reply.read(_Results).results
        return [Done() if one.error is None else Retry(f"level of {one.sku}: {one.error}") for one in results]

    def look_up(self, command: Command) -> Talk[Done | None]:
        reply = yield Call(operation="shipments", method="GET", path="/shipments", query={"reference": command.key})
        found = reply.read(_Shipments).shipments
        return Done({"id": found[0]["id"]}) if found else None

    def subscriptions(self, url: str) -> Talk[tuple[Subscription, ...]]:
        reply = yield Call(operation="subscription", method="GET", path="/subscription")
        return (Subscription("order.changed", "" if reply.read(_Subscription).active else "missing"),)

    def subscribe(self, url: str, wrong: Sequence[Subscription]) -> Talk[None]:
        yield Call(operation="subscription", method="PUT", path="/subscription", body=as_json({"url": url}))

    # --- the wire ----------------------------------------------------------------------------------------------------
    def endpoints(self) -> Mapping[str, str]:
        return {"api": self.settings.url}

    def headers(self, call: Call, url: str, session: Session | None, now: int) -> Mapping[str, str]:
        headers = {"authorization": f"Bearer {self.settings.token.reveal()}"}
        return headers | ({"idempotency-key": call.key} if call.key else {})


def _asking(command: Command) -> Call:
    """The request that makes a command true; the same command gives the same bytes."""
    if isinstance(command, RefundPayment):
        body = as_json({"payment": command.payment, "amount": command.amount, "currency": command.currency})
        return Call(operation="refund", method="POST", path="/refunds", body=body, key=command.key, repeat=Repeat.KEYED)
    if isinstance(command, ConfirmFulfilment):
        body = as_json({"order": command.order, "reference": command.key, "tracking": list(command.tracking)})
        return Call(operation="ship", method="POST", path="/shipments", body=body, repeat=Repeat.LOOKUP)
    raise Reject(f"TinyShop cannot carry out {type(command).__name__}", "not_capable")


def _row(raw: bytes) -> Row:
    order = read(raw, _Order)
    return Row("order.changed", f"{order.id}-{order.revision}", raw)


def _order(source: _Order) -> OrderSeen:
    if source.state not in PAID:
        raise Reject(f"unknown order state {source.state!r}; known: {', '.join(sorted(PAID))}", "unknown_word")
    order = Order(
        number=source.id,
        currency=source.currency,
        placed_at=micros(source.placed),
        lines=tuple(_line(item, source.currency) for item in source.items),
        total=minor(source.total, source.currency),
        payment=PAID[source.state],
    )
    return OrderSeen(external=source.id, version=source.revision, at=order.placed_at, order=order)


def _line(item: _Item, currency: str) -> Line:
    return Line(id=item.id, sku=item.sku, quantity=item.quantity, price=minor(item.price, currency))
'''

TWIN = '''\
"""An imitation of TinyShop, written from its documentation and never from the connector."""

from __future__ import annotations

import base64
import hmac
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec

from mainstay.contract.talk import Reply
from mainstay.contract.twin import Post, Request
from mainstay.model.times import SECOND, iso
from mainstay.twins.imitation import Dice, Imitation, Weather, json_reply


class TinyShopTwin(Imitation):
    """`effects` counts what was really done."""

    name = "tinyshop"

    def __init__(self, dice: Dice, weather: Weather | None = None, *, token: str = "tiny-token", secret: str = "tiny-hush") -> None:
        super().__init__(dice, weather)
        self._token, self._secret = token, secret
        self.orders: dict[str, dict[str, Any]] = {}
        self.effects: Counter[str] = Counter()
        self._shipments: dict[str, str] = {}  # reference -> id
        self._answers: dict[str, Reply] = {}  # idempotency key -> first answer
        self._changes = 0

    # --- what buyers do ----------------------------------------------------------------------------------------------
    def place(self, sku: str, quantity: int, cents: int, now: int) -> None:
        name = f"T{len(self.orders) + 1}"
        price, total = (f"{amount // 100}.{amount % 100:02d}" for amount in (cents, cents * quantity))
        item = {"id": f"{name}-1", "sku": sku, "quantity": quantity, "price": price}
        order = {"id": name, "revision": 0, "currency": "EUR", "placed": iso(now), "items": [item], "total": total}
        self.orders[name] = order
        self.change(name, "open", now)

    def change(self, name: str, state: str, now: int) -> None:
        order = self.orders[name]
        self._changes += 1
        order |= {"state": state, "revision": order["revision"] + 1, "changed": self._changes}
        self.post({"webhook-id": f"evt-{self._changes}"}, msgspec.json.encode(order), now)

    def due(self, now: int) -> list[Post]:
        """Each attempt is signed with its own time, as Standard Webhooks wants it."""
        return [Post(post.id, self._signed(post, now // SECOND), post.body) for post in super().due(now)]

    def _signed(self, post: Post, stamp: int) -> dict[str, str]:
        text = f"{post.headers['webhook-id']}.{stamp}.".encode() + post.body
        signature = base64.b64encode(hmac.digest(self._secret.encode(), text, "sha256")).decode()
        return {**post.headers, "webhook-timestamp": str(stamp), "webhook-signature": f"v1,{signature}"}

    # --- the API -----------------------------------------------------------------------------------------------------
    def handle(self, request: Request, now: int) -> Reply:
        if request.headers.get("authorization") != f"Bearer {self._token}":
            return json_reply(401, {"error": "bad token"})
        routes: dict[tuple[str, str], Callable[[Request], Reply]] = {
            ("GET", "/orders"): self._get_orders,
            ("PUT", "/levels"): self._put_levels,
            ("POST", "/shipments"): self._post_shipment,
            ("GET", "/shipments"): self._get_shipments,
            ("POST", "/refunds"): self._post_refund,
            ("GET", "/subscription"): lambda _: json_reply(200, {"active": self.subscribed}),
            ("PUT", "/subscription"): self._subscribe,
        }
        act = routes.get((request.method, request.path))
        return act(request) if act else json_reply(404, {"error": "no such route"})

    def throttled(self, request: Request, after_s: float) -> Reply:
        return json_reply(429, {"error": "slow down"}, {"retry-after": str(after_s)})

    def _get_orders(self, request: Request) -> Reply:
        after, limit = int(request.query["changed_after"]), int(request.query["limit"])
        rows = sorted((one for one in self.orders.values() if one["changed"] > after), key=lambda one: one["changed"])
        cursor = rows[:limit][-1]["changed"] if rows else after
        return json_reply(200, {"orders": rows[:limit], "cursor": str(cursor), "more": len(rows) > limit})

    def _put_levels(self, request: Request) -> Reply:
        results = []
        for level in msgspec.json.decode(request.body)["levels"]:
            busy = self.fails_partly()
            if not busy:
                self.effects[f"level {level['sku']} {level['available']}"] += 1
            results.append({"sku": level["sku"], "error": "busy" if busy else None})
        return json_reply(200, {"results": results})

    def _post_shipment(self, request: Request) -> Reply:
        shipment = msgspec.json.decode(request.body)
        self.effects[f"ship {shipment['order']} {shipment['tracking'][0]}"] += 1
        self._shipments[shipment["reference"]] = f"S{len(self._shipments) + 1}"
        return json_reply(201, {"id": self._shipments[shipment["reference"]]})

    def _get_shipments(self, request: Request) -> Reply:
        found = self._shipments.get(request.query["reference"])
        return json_reply(200, {"shipments": [{"id": found}] if found else []})

    def _post_refund(self, request: Request) -> Reply:
        key = request.headers.get("idempotency-key", "")
        if key in self._answers:
            return self._answers[key]
        refund = msgspec.json.decode(request.body)
        self.effects[f"refund {refund['payment']} {refund['amount']}"] += 1
        reply = json_reply(201, {"id": f"R{sum(self.effects.values())}"})
        if key:
            self._answers[key] = reply
        return reply

    def _subscribe(self, request: Request) -> Reply:
        self.subscribed = True
        return json_reply(200, {"active": True})
'''

DRIVER = '''\
"""Makes things happen at the twin, and says what is true there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from mainstay.contract.conformance import Dice, Subject, latest
from mainstay.contract.connector import Row, settings_of
from mainstay.model.commands import Command, ConfirmFulfilment, RefundPayment, SetLevel
from mainstay.model.money import minor
from mainstay.model.seen import OrderSeen, Said
from mainstay.twins.imitation import Weather

from . import TinyShop
from .twin import TinyShopTwin

SETTINGS = {"url": "https://tinyshop.example", "token": "tiny-token", "webhook_secrets": ["tiny-hush"]}

STATES = ("open", "paid", "sent", "void")
PAID = {"open": "pending", "paid": "captured", "sent": "captured", "void": "voided"}


class TinyShopDriver:
    stale_s: float | None = 300

    def act(self, twin: TinyShopTwin, dice: Dice, now: int) -> None:
        names = list(twin.orders)
        if not names or dice.random() < 0.5:
            twin.place(f"SKU-{dice.randrange(1, 9)}", dice.randrange(1, 4), dice.randrange(100, 9999), now)
        else:
            twin.change(names[dice.randrange(0, len(names))], STATES[dice.randrange(0, 4)], now)

    def wish(self, twin: TinyShopTwin, dice: Dice) -> Command | None:
        order, n = f"T{dice.randrange(1, 1 + len(twin.orders))}", dice.randrange(1, 1000)
        kind = dice.randrange(0, 3)
        if kind == 0:
            return SetLevel(key="", sku=f"SKU-{n % 9}", item="", quantity=n, revision=n)
        if kind == 1:
            return ConfirmFulfilment(key="", order=order, fulfilment="", lines=(), shipped_at=0, tracking=(f"TRACK{n}",))
        return RefundPayment(key="", payment=order, amount=n, currency="EUR")

    def natural(self, command: Command) -> str:
        if isinstance(command, SetLevel):
            return f"level {command.sku} {command.quantity}"
        if isinstance(command, ConfirmFulfilment):
            return f"ship {command.order} {command.tracking[0]}"
        assert isinstance(command, RefundPayment)
        return f"refund {command.payment} {command.amount}"

    def effects(self, twin: TinyShopTwin) -> Mapping[str, int]:
        return twin.effects

    def truth(self, twin: TinyShopTwin) -> Mapping[str, object]:
        return {name: (PAID[one["state"]], minor(one["total"], "EUR"), one["items"][0]["sku"]) for name, one in twin.orders.items()}

    def belief(self, said: Sequence[Said]) -> Mapping[str, object]:
        orders = [event for event in latest(said).values() if isinstance(event, OrderSeen)]
        return {one.external: (one.order.payment, one.order.total, one.order.lines[0].sku) for one in orders}

    def garble(self, row: Row) -> Row | None:
        order: dict[str, Any] = msgspec.json.decode(row.body)
        return Row(row.topic, row.key, msgspec.json.encode(order | {"state": "hologram"}))


def subject() -> Subject:
    """What the conformance suite examines; `mainstay connector check tinyshop` finds it once the package is installed."""
    return Subject(
        name="tinyshop",
        connector=lambda: TinyShop(settings_of(TinyShop, SETTINGS)),
        twin=lambda dice, rates: TinyShopTwin(dice, Weather(rates)),
        driver=TinyShopDriver(),
        sources={"__init__.py": Path(__file__).with_name("__init__.py").read_text()},
    )
'''

TEST = '''\
"""TinyShop against its twin in all weathers, and its sample read by hand."""

import random
from pathlib import Path

import mainstay_tinyshop
import pytest
from mainstay_tinyshop.driver import subject

from mainstay.contract.conformance import CHECKS, examine, report

FOLDER = Path(mainstay_tinyshop.__file__).parent


@pytest.mark.parametrize("check", [check.name for check in CHECKS])
def test_conformance(check):
    verdicts = examine(subject(), random.Random, only=[check])
    assert all(verdict.passed for verdict in verdicts), report(verdicts)


def test_the_sample():
    (said,) = subject().connector().translate("order.changed", (FOLDER / "samples/order.changed.json").read_bytes())
    assert (said.event.external, said.event.version, said.event.order.payment) == ("T1", 2, "captured")
    assert (said.event.order.total, said.event.order.lines[0].price) == (3998, 1999)
'''

SAMPLE = """\
{
  "id": "T1",
  "revision": 2,
  "state": "paid",
  "currency": "EUR",
  "placed": "2026-03-02T11:22:33Z",
  "items": [{"id": "T1-1", "sku": "SKU-1", "quantity": 2, "price": "19.99"}],
  "total": "39.98",
  "changed": 7
}
"""

README = """\
# TinyShop

What the connector does: orders in (feed and signed events); stock levels, shipments and refunds out.

## From here to your vendor
1. Settings, manifest and budgets in `src/mainstay_tinyshop/__init__.py`: name the page of the vendor's documentation for each.
2. `translate`, with one table for each of the vendor's vocabularies; put real, anonymised payloads into `samples/` and read them by hand
   in the test.
3. `pull` and its cursor; then `push` and `look_up`, sink by sink.
4. The twin, from the vendor's documentation and never from the connector; then the driver.
5. After each step: `pytest`. Each check of the suite says in one sentence what it wants.

## Quirks
- `revision` grows by one with each change of an order: it is the version.
- A shipment has no idempotency key: after a lost answer it is looked up by its reference.
- A bulk call of levels can fail in part; each level has its own result.
"""

PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "mainstay-tinyshop"
version = "0.1.0"
description = "TinyShop for Mainstay."
requires-python = ">=3.11"
dependencies = ["mainstay"]

[project.entry-points."mainstay.connectors"]
tinyshop = "mainstay_tinyshop:TinyShop"

[project.entry-points."mainstay.subjects"]
tinyshop = "mainstay_tinyshop.driver:subject"

[tool.hatch.build.targets.wheel]
packages = ["src/mainstay_tinyshop"]

[tool.pytest.ini_options]
pythonpath = ["src"]
"""
