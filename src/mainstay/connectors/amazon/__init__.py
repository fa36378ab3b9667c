"""Amazon: Selling Partner API. Orders 2026-01-01 in, with notifications from SQS; listings, feeds and shipment confirmations out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Raw, Struct

from mainstay.connectors.amazon import custody, listings, notifications, orders, queue, shipments
from mainstay.contract import connector as contract
from mainstay.contract import oauth
from mainstay.contract.connector import (
    Budget,
    Connector,
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
)
from mainstay.contract.signatures import aws_v4
from mainstay.contract.talk import Call, Repeat, Reply, Talk, excerpt, judge
from mainstay.contract.worth import Worth
from mainstay.model.commands import Command, ConfirmFulfilment, SetLevel, SetPrice
from mainstay.model.failures import Failure, Reject, Retry
from mainstay.model.secrets import Secret
from mainstay.model.seen import Said
from mainstay.model.times import SECOND, iso, micros

ORDER = "order"
DATA = "BUYER,RECIPIENT,PROCEEDS,FULFILLMENT,PACKAGES,TAX,CANCELLATION"
LAG_S = 120  # an update may show up in a search up to two minutes late: https://developer-docs.amazon.com/sp-api/docs/orders-api
USAGE = "https://developer-docs.amazon.com/sp-api/docs/usage-plans-and-rate-limits; amzn/selling-partner-api-models"
# operation: units a second, burst
PLANS: Mapping[str, tuple[float, int]] = {
    "searchOrders": (0.0056, 20),
    "getOrder": (0.5, 30),
    "confirmShipment": (2, 10),
    "patchListingsItem": (5, 5),
    "getListingsItem": (5, 10),
    "createFeedDocument": (0.5, 15),
    "createFeed": (0.0083, 15),
    "getFeed": (2, 15),
    "getFeedDocument": (0.0222, 10),
    **custody.PLANS,
}
PRESIGNED = ("upload", "download")
SLOW_DOWN = ("RequestThrottled", "ThrottlingException", "OverLimit")  # how SQS says it, with HTTP 400


class _Found(Struct, rename="camel"):
    orders: list[Raw]
    pagination: dict[str, str] = {}
    last_updated_before: str = ""


class _One(Struct):
    order: Raw


class _Stamp(Struct, rename="camel"):
    order_id: str
    last_updated_time: str


class _AwsError(Struct):
    type: str = msgspec.field(name="__type", default="")


class AmazonSettings(contract.Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a seller account in one marketplace."""

    seller: Annotated[str, Meta(description="The seller's id (merchant token).", examples=["A3TH9S8BH6GOGM"])]
    marketplace: Annotated[str, Meta(description="The marketplace's id.", examples=["A1PA6795UKMFR9"])]
    client: Annotated[str, Meta(description="Client id of the application (Login with Amazon).")]
    client_secret: Annotated[Secret, Meta(description="Client secret of the application.")]
    refresh_token: Annotated[Secret, Meta(description="The seller's refresh token for the application.")]
    queue_url: Annotated[
        contract.Url,
        Meta(description="URL of the SQS queue that notifications go to, ending in /ACCOUNT/NAME; empty: orders are only polled."),
    ] = ""
    queue_region: Annotated[str, Meta(description="AWS region of the queue.")] = "eu-west-1"
    access_key: Annotated[str, Meta(description="AWS access key that may read the queue.")] = ""
    secret_key: Annotated[Secret, Meta(description="Its secret key.")] = Secret("")
    since: Annotated[str, Meta(description="How far back the first poll goes.")] = "2025-01-01T00:00:00Z"
    url: Annotated[contract.Url, Meta(description="Base URL of the API for the seller's region.")] = (
        "https://sellingpartnerapi-eu.amazon.com"
    )
    auth_url: Annotated[contract.Url, Meta(description="Base URL of Login with Amazon.")] = "https://api.amazon.com"


TOTAL = Worth("proceeds.grandTotal.amount", "proceeds.grandTotal.currencyCode")

MANIFEST = Manifest(
    name="amazon",
    title="Amazon Selling Partner API",
    summary="Marketplace: orders and packages in; levels, prices and shipment confirmations out.",
    source="https://developer-docs.amazon.com/sp-api",
    version="orders 2026-01-01, listings 2021-08-01, feeds 2021-06-30, notifications v1",
    items="sku",
    references=("order", "seller_order_id", "fulfilment", "feed", "submission"),
    domains=("amazonaws.com",),
    topics=(
        Topic(ORDER, "An order with its packages.", ("order", "fulfilment"), TOTAL),
        Topic("ORDER_CHANGE", "An order changed: it is fetched.", ("order",)),
        Topic("LISTINGS_ITEM_MFN_QUANTITY_CHANGE", "What Amazon shows of a listing that we fulfil.", ("inventory",)),
        *(Topic(name, summary) for name, summary in notifications.NOT_BUSINESS.items()),
        Topic(notifications.UNREADABLE, "A message of the queue that names neither its type nor its id."),
    ),
    feeds=(
        Feed("orders", "Orders by the time of their last change.", (ORDER,), every_s=300.0, objects=("order", "fulfilment"), lag_s=LAG_S),
        Feed(
            "notifications",
            "The seller's SQS queue.",
            ("ORDER_CHANGE", "LISTINGS_ITEM_MFN_QUANTITY_CHANGE"),
            every_s=5.0,
            objects=("order",),
            queue=True,
        ),
    ),
    sinks=(
        Sink(
            "SetLevel",
            "Publish levels.",
            "patchListingsItem",
            Repeat.SAFE,
            batch_max=5000,
            objects=("inventory",),
            bulk_from=listings.BULK_FROM,
            lingers_s=listings.FEED_LINGERS_S,
        ),
        Sink(
            "SetPrice",
            "Publish prices.",
            "patchListingsItem",
            Repeat.SAFE,
            batch_max=5000,
            objects=("price",),
            gather_s=0.2,
            lingers_s=listings.FEED_LINGERS_S,
        ),
        Sink("ConfirmFulfilment", "Confirm a shipment.", "confirmShipment", Repeat.LOOKUP, objects=("fulfilment",)),
    ),
    budgets=tuple(Budget(name, "token", burst, rate, (name,), USAGE) for name, (rate, burst) in PLANS.items()),
)


class Amazon(Connector):
    """One seller account in one marketplace."""

    manifest: ClassVar[Manifest] = MANIFEST
    Settings: ClassVar[type[contract.Settings]] = AmazonSettings
    settings: AmazonSettings

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self._account = listings.Account(self.settings.seller, self.settings.marketplace)

    # --- in ------------------------------------------------------------------------------------------------------------
    def translate(self, topic: str, body: bytes) -> list[Said]:
        known: Mapping[str, Callable[[bytes], list[Said]]] = {
            ORDER: orders.from_order,
            "ORDER_CHANGE": notifications.from_order_change,
            "LISTINGS_ITEM_MFN_QUANTITY_CHANGE": notifications.from_quantity_change,
        }
        return known[topic](body) if topic in known else notifications.refuse(topic, body)

    def pull(self, feed: str, cursor: str) -> Talk[Page]:
        if feed == "orders":
            return self._search(cursor)
        if feed == "notifications":
            return queue.receive(self.settings.queue_url, cursor)
        raise Reject(f"Amazon has no feed {feed!r}", "not_capable")

    def _search(self, cursor: str) -> Talk[Page]:
        """Cursor: the time to search from and, within a search, Amazon's token: "2026-03-02T12:00:00Z 2YgYW55…" (valid for 24 hours)."""
        since, _, token = (cursor or self.settings.since).partition(" ")
        query = {"lastUpdatedAfter": since, "marketplaceIds": self.settings.marketplace, "includedData": DATA, "maxResultsPerPage": "100"}
        if token:
            query["paginationToken"] = token
        reply = yield Call(operation="searchOrders", method="GET", path="/orders/2026-01-01/orders", query=query)
        found = reply.read(_Found)
        rows = tuple(_row(one) for one in found.orders)
        following = found.pagination.get("nextToken")
        if following:
            return Page(rows, f"{since} {following}", more=True)
        until = found.last_updated_before
        return Page(rows, iso(max(micros(since), micros(until) - LAG_S * SECOND)) if until else since)

    def fetch(self, feed: str, reference: str) -> Talk[tuple[Row, ...]]:
        if feed != ORDER:
            raise Reject(f"Amazon cannot fetch from {feed!r}", "not_capable")
        reply = yield Call(operation="getOrder", method="GET", path=shipments.order_path(reference), query={"includedData": DATA})
        return (_row(reply.read(_One).order),)

    # --- out -----------------------------------------------------------------------------------------------------------
    def push(self, commands: Sequence[Command]) -> Talk[list[Outcome]]:
        if isinstance(commands[0], SetLevel | SetPrice):
            wishes = [one for one in commands if isinstance(one, SetLevel | SetPrice)]
            sink = self.manifest.sink("SetLevel")
            assert sink is not None
            return listings.publish(self._account, wishes, sink.bulk_from)
        return self._confirm(commands)

    def _confirm(self, commands: Sequence[Command]) -> Talk[list[Outcome]]:
        outcomes: list[Outcome] = []
        for command in commands:
            try:
                if not isinstance(command, ConfirmFulfilment):
                    raise Reject(f"Amazon is never asked for {type(command).__name__}", "not_capable")
                done = yield from shipments.confirm(self.settings.marketplace, command)
            except Failure as failure:
                outcomes.append(failure)
            else:
                outcomes.append(done)
        return outcomes

    def look_up(self, command: Command) -> Talk[Done | None]:
        if isinstance(command, SetLevel | SetPrice):
            return listings.look_up(self._account, command)
        if isinstance(command, ConfirmFulfilment):
            return shipments.find(command)
        raise Reject(f"Amazon is never asked for {type(command).__name__}", "not_capable")

    def since(self, feed: str, at: int) -> str | None:
        return iso(at - LAG_S * SECOND) if feed == "orders" else None

    def events_to(self, url: str) -> str:
        return self.settings.queue_url

    def subscriptions(self, url: str) -> Talk[tuple[Subscription, ...]]:
        return custody.look(self._place(url))

    def subscribe(self, url: str, wrong: Sequence[Subscription]) -> Talk[None]:
        return custody.make(self._place(url))

    def _place(self, queue_url: str) -> custody.Place:
        given = self.settings
        name = f"Mainstay {given.seller} {given.marketplace}"
        arn = custody.arn(queue_url, given.queue_region)
        return custody.Place(arn, name, given.marketplace, given.client, given.client_secret)

    # --- the wire ------------------------------------------------------------------------------------------------------
    def endpoints(self) -> Mapping[str, str]:
        queue_at = urlsplit(self.settings.queue_url)
        return {"api": self.settings.url, "auth": self.settings.auth_url, "sqs": f"{queue_at.scheme}://{queue_at.netloc}"}

    def login(self) -> Talk[Session]:
        settings = self.settings
        return oauth.refresh("/auth/o2/token", settings.client, settings.client_secret, settings.refresh_token)

    def headers(self, call: Call, url: str, session: Session | None, now: int) -> Mapping[str, str]:
        """The queue takes AWS signatures, a pre-signed address nothing at all, and the API a token: the seller's, or the one that the call
        brings along."""
        if call.endpoint == "sqs":
            signed = {"host": urlsplit(url).netloc, **call.headers}
            return signed | aws_v4(
                call.method, call.path, call.query, signed, call.body, access_key=self.settings.access_key,
                secret_key=self.settings.secret_key, region=self.settings.queue_region, service="sqs", now=now,
            )  # fmt: skip
        if call.endpoint == "auth" or call.operation in PRESIGNED or session is None:
            return {}
        return {"x-amz-access-token": session.token.reveal(), "content-type": "application/json", **call.headers}

    def judge(self, call: Call, reply: Reply) -> Reply:
        if call.operation in PRESIGNED and reply.status == 403:
            raise Retry(f"{call.operation}: the pre-signed address is no longer valid; a new one is asked for")
        if call.endpoint == "sqs" and reply.status == 400 and reply.read(_AwsError).type.rpartition("#")[2] in SLOW_DOWN:
            raise Retry(f"{call.operation}: {excerpt(reply.body)}", code="rate_limited")
        if call.operation in custody.PLANS and reply.status == 403:  # not of the credentials: orders may be read all the same
            raise Reject(f"{call.operation}: {excerpt(reply.body)}: {custody.ALLOW}")
        return judge(call, reply)

    def measured(self, call: Call, reply: Reply) -> tuple[Measured, ...]:
        """Some answers state the flow that this seller has."""
        stated = reply.headers.get("x-amzn-ratelimit-limit", "")
        try:
            return (Measured(call.operation, per_s=float(stated)),) if call.operation in PLANS and stated else ()
        except ValueError:
            return ()


def _row(order: Raw) -> Row:
    """Times have whole seconds, and a second may hold two changes: the key holds the content's hash too."""
    content = bytes(order)
    mark = blake2b(content, digest_size=8).hexdigest()
    try:
        stamp = msgspec.json.decode(content, type=_Stamp)
    except msgspec.ValidationError:
        return Row(ORDER, mark, content)  # recorded like its neighbours: its translation says what is wrong with it
    return Row(ORDER, f"{stamp.order_id}:{stamp.last_updated_time}:{mark}", content)
