"""ShipStation (API V1): what is to be shipped goes in, what was shipped comes out. Webhooks are thin, unsigned hints."""

from __future__ import annotations

import base64
import hmac
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
from msgspec import Meta, Struct, field

from mainstay.connectors.shipstation import words
from mainstay.connectors.shipstation.statements import Notice, Order, Shipment, closed, hint, parcel, units_of
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
    Settings,
    Sink,
    Subscription,
    Topic,
    Url,
    read,
    unread,
)
from mainstay.contract.talk import Call, Repeat, Reply, Talk, judge
from mainstay.model.commands import CancelRelease, Command, ReleaseOrder
from mainstay.model.failures import Failure, Forged, Reject, Retry
from mainstay.model.money import major
from mainstay.model.objects import Address
from mainstay.model.secrets import Secret
from mainstay.model.seen import Said

PAGE_ROWS = 500  # the most that ShipStation gives
ORDERS_MAX = 100  # of one bulk call
OVERLAP = timedelta(minutes=90)  # read again: once a year the Pacific clock goes back by an hour
SUBSCRIBED = words.HINTS[:1]
OUR_NAME = "Mainstay "  # what the names of our subscriptions begin with
START = "2000-01-01T00:00:00"
_LIMITS = "https://docs.shipstation.com/apis/shipstation-v1/docs/api-requirements"


class ShipStationSettings(Settings, frozen=True, kw_only=True):
    """How to reach one ShipStation account."""

    key: Annotated[str, Meta(description="API key.")]
    secret: Annotated[Secret, Meta(description="API secret.")]
    hook_secret: Annotated[Secret, Meta(description="Last part of the webhook's URL; whoever knows it may hint, and no more.")] = Secret("")
    currency: Annotated[str, Meta(description="Currency of the account's shipping costs.", examples=["USD"])] = "USD"
    warehouses: Annotated[
        dict[str, int],
        Meta(description="ShipStation's numbers of the locations that orders leave from, by the names that their stock is counted under."),
    ] = field(default_factory=dict)
    url: Annotated[Url, Meta(description="Base URL of the API.")] = "https://ssapi.shipstation.com"


class _Shipments(Struct):
    shipments: list[msgspec.Raw]
    pages: int


class _Orders(Struct):
    orders: list[msgspec.Raw]
    pages: int


class _Glance(Struct, rename="camel"):
    """What a feed needs to know of a row of either list."""

    order_id: int
    create_date: str
    shipment_id: int = 0
    voided: bool = False
    void_date: str | None = None
    modify_date: str = ""
    order_status: str = ""
    externally_fulfilled: bool = False

    def key(self) -> str:
        """A row's identity is the object in its condition: a label is printed once and voided once."""
        if self.shipment_id:
            return f"{self.shipment_id}-{'voided' if self.voided else 'shipped'}"
        return f"{self.order_id}-{self.order_status}"

    def speaks(self) -> bool:
        """Whether it is a parcel, or an order of which its status says something; an unknown status is kept, so that it is seen."""
        if self.shipment_id or words.ORDER_STATUS.get(self.order_status) != "":
            return True
        return self.order_status == "shipped" and self.externally_fulfilled


class _Result(Struct, rename="camel"):
    order_key: str
    success: bool
    order_id: int | None = None
    error_message: str | None = None


class _Results(Struct):
    results: list[_Result]


class _Hook(Struct):
    kind: str = field(name="HookType")
    url: str = field(name="Url")
    active: bool = field(name="Active")
    name: str | None = field(name="Name", default=None)


class _Hooks(Struct):
    webhooks: list[_Hook]


class _Source(Struct, frozen=True):
    """How a feed is read."""

    path: str
    since: str  # the filter
    date: str  # the field that the filter goes by
    sort: str
    topic: str


_SOURCES = {
    "shipments": _Source("/shipments", "createDateStart", "create_date", "CreateDate", "shipment"),
    "voids": _Source("/shipments", "voidDateStart", "void_date", "CreateDate", "shipment"),
    "orders": _Source("/orders", "modifyDateStart", "modify_date", "ModifyDate", "order"),
}


class ShipStation(Connector):
    """ShipStation's API V1."""

    manifest = Manifest(
        name="shipstation",
        title="ShipStation",
        summary="Releases orders to the warehouse and learns which parcels left.",
        source="https://www.shipstation.com/docs/api/",
        version="V1",
        topics=(
            *(Topic(name, "Something was shipped: read it.", ("fulfilment",)) for name in words.HINTS),
            Topic("shipment", "A parcel, with its label.", ("fulfilment",)),
            Topic("order", "An order that ShipStation closed without a shipment.", ("fulfilment",)),
            *(Topic(name, "Kept, but not business.") for name in words.NOT_BUSINESS),
        ),
        feeds=(
            Feed("shipments", "Parcels by their label's date.", ("shipment",), every_s=120, objects=("fulfilment",)),
            Feed("voids", "Labels that were voided.", ("shipment",), every_s=600, objects=("fulfilment",)),
            Feed("orders", "Orders cancelled, rejected, or shipped elsewhere.", ("order",), every_s=600, objects=("fulfilment",)),
        ),
        sinks=(
            Sink("ReleaseOrder", "Have an order shipped: an upsert on our release.", "createorders", Repeat.SAFE, ORDERS_MAX,
                 objects=("order", "fulfilment"), gather_s=2.0, replaces=True),
            Sink("CancelRelease", "Do not ship it after all.", "createorder", Repeat.SAFE, objects=("fulfilment",)),
        ),
        budgets=(Budget("account", "leaky", 40, 40 / 60, ("*",), _LIMITS),),
        references=("release", "fulfilment"),
    )  # fmt: skip
    Settings = ShipStationSettings

    def __init__(self, settings: ShipStationSettings) -> None:
        super().__init__(settings)
        self._host = urlsplit(settings.url).hostname or ""

    # --- in ----------------------------------------------------------------------------------------------------------
    def receive(self, headers: Mapping[str, str], body: bytes, now: int) -> Delivery:
        given = headers.get("x-mainstay-path", "").rpartition("/")[2]
        if not given:
            raise Forged("the delivery came without the secret part of its path", "signature_missing")
        if not hmac.compare_digest(given.encode(), self.settings.hook_secret.reveal().encode()):
            raise Forged("the delivery came by another path than the secret one")
        try:
            notice = read(body, Notice)
        except Reject:
            return unread(body)
        return Delivery(notice.resource_type, notice.resource_url)

    def translate(self, topic: str, body: bytes) -> list[Said]:
        topic = topic or read(body, Notice).resource_type
        if topic == "shipment":
            return [Said(parcel(read(body, Shipment), self.settings.currency))]
        if topic == "order":
            return [Said(closed(read(body, Order)))]
        if topic in words.HINTS:
            return [Said(hint(read(body, Notice), self._host))]
        if topic in words.NOT_BUSINESS:
            raise Reject(f"{topic} speaks of orders; those that matter are read by the feed of orders", "not_business")
        raise Reject(f"{topic!r} is no topic of ShipStation that this connector knows", "unknown_topic")

    # --- feeds -------------------------------------------------------------------------------------------------------
    def pull(self, feed: str, cursor: str) -> Talk[Page]:
        """Pages from old to new. The cursor is Pacific time, as ShipStation counts: "since" between passes, "since/newest/page" within."""
        source = _SOURCES[feed]
        since, newest, page = (*cursor.split("/"), "", "")[:3] if cursor else (START, "", "")
        query = {source.since: since.replace("T", " "), "sortBy": source.sort, "sortDir": "ASC", "page": page or "1"}
        raws, pages = yield from _listed(source.path, query)
        glances = [msgspec.json.decode(raw, type=_Glance) for raw in raws]
        newest = max([newest or since, *(getattr(glance, source.date) for glance in glances)])
        rows = tuple(Row(source.topic, glance.key(), bytes(raw)) for glance, raw in zip(glances, raws, strict=True) if glance.speaks())
        if int(page or "1") < pages:
            return Page(rows, f"{since}/{newest}/{int(page or '1') + 1}", more=True)
        return Page(rows, max(since, (words.moment(newest) - OVERLAP).isoformat()))

    def since(self, feed: str, at: int) -> str | None:
        return (words.moment(words.pacific(at)) - OVERLAP).isoformat()

    def fetch(self, feed: str, reference: str) -> Talk[tuple[Row, ...]]:
        """What a hint's `resource_url` spoke of, always asked of our own account and with the items that the URL leaves out."""
        path, _, text = reference.partition("?")
        if path != "/shipments":
            raise Reject(f"{reference[:80]!r} is no list of shipments", "not_capable")
        rows: list[Row] = []
        page, pages = 0, 1
        while page < pages:
            page += 1
            raws, pages = yield from _listed(path, {**dict(parse_qsl(text)), "page": str(page)})
            rows += (Row("shipment", msgspec.json.decode(raw, type=_Glance).key(), bytes(raw)) for raw in raws)
        return tuple(rows)

    # --- out ---------------------------------------------------------------------------------------------------------
    def push(self, commands: Sequence[Command]) -> Talk[list[Outcome]]:
        if all(isinstance(command, ReleaseOrder) for command in commands):
            return (yield from self._release_all([command for command in commands if isinstance(command, ReleaseOrder)]))
        outcomes: list[Outcome] = []
        for command in commands:
            try:
                outcomes.append((yield from self._cancel(command)))
            except Failure as failure:
                outcomes.append(failure)
        return outcomes

    def _release_all(self, releases: Sequence[ReleaseOrder]) -> Talk[list[Outcome]]:
        """One bulk call; where it is refused as a whole it is halved, until the order that spoils it stands alone."""
        body = _as_json([self._wanted(release) for release in releases])
        try:
            reply = yield Call(operation="createorders", method="POST", path="/orders/createorders", body=body)
        except Reject as refused:
            if len(releases) == 1:
                return [refused]
            half = len(releases) // 2
            first = yield from self._release_all(releases[:half])
            return first + (yield from self._release_all(releases[half:]))
        results = {result.order_key: result for result in reply.read(_Results).results}
        outcomes: list[Outcome] = []
        for release in releases:
            outcomes.append((yield from self._outcome(release, results.get(release.release))))
        return outcomes

    def _outcome(self, release: ReleaseOrder, result: _Result | None) -> Talk[Outcome]:
        if result is None or result.error_message == words.FAILED_FOR_NOW:
            return Retry(f"ShipStation did not take release {release.release} this time")
        if result.success:
            return Done({"release": str(result.order_id)})
        try:
            found = yield from self.look_up(release)  # refused because it is there and already shipped or cancelled
        except Failure as failure:
            return failure
        return found or Reject(f"ShipStation refused release {release.release}: {result.error_message}")

    def _cancel(self, command: Command) -> Talk[Outcome]:
        """Closes the order as it stands there: an upsert without its lines would wipe them. Where ShipStation never got it, a cancelled
        one is left under our key, so that a late release is refused."""
        if not isinstance(command, CancelRelease):
            raise Reject(f"ShipStation cannot carry out {type(command).__name__}", "not_capable")
        reference = yield from self._reference(command)
        order: dict[str, Any] = {
            "orderNumber": command.release,
            "orderKey": command.release,
            "orderDate": START,
            "billTo": {},
            "shipTo": {},
        }
        if reference:
            reply = yield Call(operation="order", method="GET", path=f"/orders/{reference}")
            order = _exact.decode(reply.body)
            if order["orderStatus"] == "cancelled":
                return (yield from self._closed(reference))
            if order["orderStatus"] in words.CLOSED:
                raise Reject(f"release {command.release} is already {order['orderStatus']}")
        body = _as_json(order | {"orderStatus": "cancelled"})
        reply = yield Call(operation="createorder", method="POST", path="/orders/createorder", body=body)
        return (yield from self._closed(str(reply.read(Order).order_id)))

    def _closed(self, order_id: str) -> Talk[Done]:
        """What had left before the order was closed comes with the answer: units that are in a parcel are not free again."""
        rows = yield from self.fetch("shipments", f"/shipments?orderId={order_id}&includeShipmentItems=true")
        return Done({"release": order_id}, rows=rows)

    def look_up(self, command: Command) -> Talk[Done | None]:
        if isinstance(command, CancelRelease):
            reference = yield from self._reference(command)
            if not reference:
                return None
            reply = yield Call(operation="order", method="GET", path=f"/orders/{reference}")
            return (yield from self._closed(reference)) if reply.read(Order).order_status == "cancelled" else None
        if not isinstance(command, ReleaseOrder):
            raise Reject(f"ShipStation cannot look up {type(command).__name__}", "not_capable")
        there = yield from self._found(command.release, command.number)
        return (yield from self._stands(command, there)) if there else None

    def _stands(self, release: ReleaseOrder, there: Order) -> Talk[Done | None]:
        """Does this release stand there as it is wanted now? Of what was asked in other words, before a backup was restored, what has
        left may be what is not wanted any more. None: not so, and nobody works on it: it may be replaced."""
        done, wanted = Done({"release": str(there.order_id)}), Counter({line.id: line.quantity for line in release.lines})
        standing = units_of(there.items)
        if there.order_status in words.CLOSED or standing == wanted:
            return done
        rows = yield from self.fetch("shipments", f"/shipments?orderId={there.order_id}&includeShipmentItems=true")
        shipments = (read(row.body, Shipment) for row in rows)
        left = units_of([item for one in shipments if not one.voided for item in one.shipment_items or ()])
        if standing - left == wanted:
            return msgspec.structs.replace(done, rows=rows)
        if not left:
            return None
        raise Reject(
            f"release {release.release} stands there with {_counted(standing)}, of which {_counted(left)} left; asked for is "
            f"{_counted(wanted)}",
            "release_differs",
        )

    def _reference(self, command: CancelRelease) -> Talk[str]:
        """ShipStation's id of the release; "" where it never got it."""
        if command.reference:
            return command.reference
        there = yield from self._found(command.release, command.number, command.release)
        return str(there.order_id) if there else ""

    def _found(self, release: str, *numbers: str) -> Talk[Order | None]:
        """A release that is listed under one of these order numbers."""
        for number in filter(None, numbers):
            raws, _ = yield from _listed("/orders", {"orderNumber": number, "page": "1"})
            orders = (msgspec.json.decode(raw, type=Order) for raw in raws)
            found = next((order for order in orders if order.order_key == release), None)
            if found:
                return found
        return None

    def _wanted(self, release: ReleaseOrder) -> dict[str, Any]:
        """The order as ShipStation wants it: the whole of it, under our key."""
        person = release.recipient
        order: dict[str, Any] = {
            "orderNumber": release.number,
            "orderKey": release.release,
            "orderDate": words.pacific(release.placed_at),
            "orderStatus": "awaiting_shipment",
            "billTo": _address(person.billing if person else None, person.name if person else ""),
            "shipTo": _address(person.shipping if person else None, person.name if person else ""),
            "items": [
                {"lineItemKey": line.id, "sku": line.sku, "name": line.title or line.sku, "quantity": line.quantity,
                 "unitPrice": _amount(line.price, release.currency)}
                for line in release.lines
            ],
            "amountPaid": _amount(release.total, release.currency),
            "taxAmount": _amount(release.tax, release.currency),
            "shippingAmount": _amount(release.shipping, release.currency),
            "advancedOptions": {"source": release.channel},
        }  # fmt: skip
        if person and person.email:
            order["customerEmail"] = person.email
        if release.ship_method:
            order["requestedShippingService"] = release.ship_method
        if warehouse := self.settings.warehouses.get(release.location):
            order["advancedOptions"]["warehouseId"] = warehouse
        return order

    def subscriptions(self, url: str) -> Talk[tuple[Subscription, ...]]:
        """Those of the account at our secret path; one elsewhere is ours where it bears our name."""
        reply = yield Call(operation="webhooks", method="GET", path="/webhooks")
        hooks = reply.read(_Hooks).webhooks
        return tuple(_standing(name, self._target(url), hooks) for name in SUBSCRIBED)

    def subscribe(self, url: str, wrong: Sequence[Subscription]) -> Talk[None]:
        for one in wrong:
            wanted = {"target_url": self._target(url), "event": one.topic, "store_id": None, "friendly_name": f"{OUR_NAME}{one.topic}"}
            yield Call(operation="subscribe", method="POST", path="/webhooks/subscribe", body=_as_json(wanted))

    def _target(self, url: str) -> str:
        return f"{url.rstrip('/')}/{self.settings.hook_secret.reveal()}"

    # --- the wire ----------------------------------------------------------------------------------------------------
    def endpoints(self) -> Mapping[str, str]:
        return {"api": self.settings.url}

    def headers(self, call: Call, url: str, session: Session | None, now: int) -> Mapping[str, str]:
        token = base64.b64encode(f"{self.settings.key}:{self.settings.secret.reveal()}".encode()).decode()
        return {"authorization": f"Basic {token}"} | ({"content-type": "application/json"} if call.body else {})

    def judge(self, call: Call, reply: Reply) -> Reply:
        """As HTTP says; how long to wait after a 429 stands in a header of its own."""
        if reply.status == 429:
            raise Retry(f"{call.operation}: over the rate limit", _number(reply, "x-rate-limit-reset"), "rate_limited")
        return judge(call, reply)

    def measured(self, call: Call, reply: Reply) -> tuple[Measured, ...]:
        left, limit = _number(reply, "x-rate-limit-remaining"), _number(reply, "x-rate-limit-limit")
        if left is None:
            return ()
        return (Measured("account", left, limit / 60 if limit else None),)


def _standing(topic: str, target: str, hooks: Sequence[_Hook]) -> Subscription:
    here = [hook.active for hook in hooks if hook.kind == topic and hook.url == target]
    if here:
        return Subscription(topic, "" if any(here) else "disabled")
    moved = any(hook.kind == topic and hook.name == f"{OUR_NAME}{topic}" for hook in hooks)
    return Subscription(topic, "elsewhere" if moved else "missing")


# --- calls -----------------------------------------------------------------------------------------------------------
_encoder = msgspec.json.Encoder(decimal_format="number")  # amounts go out as the exact numbers that they are
_exact = msgspec.json.Decoder(float_hook=Decimal)


def _as_json(value: object) -> bytes:
    return _encoder.encode(value)


def _listed(path: str, query: Mapping[str, str]) -> Talk[tuple[list[msgspec.Raw], int]]:
    more = {"pageSize": str(PAGE_ROWS)} | ({"includeShipmentItems": "true"} if path == "/shipments" else {})
    reply = yield Call(operation=path[1:], method="GET", path=path, query={**query, **more})
    if path == "/shipments":
        shipments = reply.read(_Shipments)
        return shipments.shipments, shipments.pages
    orders = reply.read(_Orders)
    return orders.orders, orders.pages


def _counted(units: Mapping[str, int]) -> str:
    return ", ".join(f"{count} of line {line}" for line, count in units.items()) or "nothing"


def _amount(amount: int, currency: str) -> Decimal:
    return Decimal(major(amount, currency))


def _address(address: Address | None, name: str) -> dict[str, str | None]:
    if address is None:
        return {"name": name}
    return {
        "name": address.name or name,
        "company": address.company or None,
        "street1": address.street,
        "street2": address.street2 or None,
        "city": address.city,
        "state": address.region or None,
        "postalCode": address.postcode,
        "country": address.country,
        "phone": address.phone or None,
    }


def _number(reply: Reply, header: str) -> float | None:
    text = reply.headers.get(header, "")
    return float(text) if text.isascii() and text.isdecimal() else None
