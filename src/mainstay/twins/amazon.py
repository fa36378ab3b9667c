"""An Amazon seller account: Orders 2026-01-01, Listings Items, Feeds, shipment confirmation, Notifications, Login with Amazon, and its
SQS queue.

Written from the models and examples of amzn/selling-partner-api-models; limits from their usage plans. The twin stands for several hosts
at once: which one is meant shows in the path, and for the queue in the `x-amz-target` header.
"""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from mainstay.contract.connector import Budget
from mainstay.contract.signatures import aws_v4
from mainstay.contract.talk import Reply
from mainstay.contract.twin import Request
from mainstay.model.money import allocate, major, minor
from mainstay.model.secrets import Secret
from mainstay.model.times import MINUTE, SECOND, iso, micros
from mainstay.twins.imitation import LATE_S_MAX, Dice, Imitation, Weather, json_reply

TOKEN_S = 3600
FEED_S = 30  # how long a feed is processed, unless it is told otherwise; a real one takes minutes
URL_S = 300  # how long a pre-signed address is valid
PLANS = {
    "searchOrders": (0.0056, 20), "getOrder": (0.5, 30), "confirmShipment": (2, 10), "patchListingsItem": (5, 5),
    "getListingsItem": (5, 10), "createFeedDocument": (0.5, 15), "createFeed": (0.0083, 15), "getFeed": (2, 15),
    "getFeedDocument": (0.0222, 10), "getDestinations": (1, 5), "createDestination": (1, 5), "getSubscriptions": (1, 5),
    "createSubscription": (1, 5), "deleteSubscriptionById": (1, 5),
}  # fmt: skip
GRANTLESS = ("getDestinations", "createDestination", "deleteSubscriptionById")  # asked for by the application, not in a seller's name
SCOPE = "sellingpartnerapi::notifications"
APPLICATION = "Atc|"  # what the application's own tokens begin with
DENIED, CONFLICT = "Access to requested resource is denied.", "The resource specified conflicts with the current state."
TYPES = {"ORDER_CHANGE": "1.0"}  # what is told by queue, with the version of its payload


class Listing(Struct):
    """What is offered under one SKU."""

    sku: str
    price_minor: int
    quantity: int
    title: str


class Feed(Struct):
    """A batch of changes that is worked off some time after it was handed in."""

    id: str
    content: bytes
    due: int
    report: str = ""
    status: str = "IN_QUEUE"


class Message(Struct):
    """A message of the queue. It shows from `visible`; every reading gives it another handle."""

    id: str
    body: str
    visible: int
    handle: str = ""


class AmazonTwin(Imitation):
    """One seller in one marketplace. `effects` counts what was really done, by what it was done to."""

    name: ClassVar[str] = "amazon"
    budgets: ClassVar[tuple[Budget, ...]] = tuple(Budget(name, "token", burst, rate, (name,)) for name, (rate, burst) in PLANS.items())

    def __init__(
        self, dice: Dice, weather: Weather | None = None, time_factor: float = 1.0, *, seller: str = "A3TH9S8BH6GOGM",
        marketplace: str = "A1PA6795UKMFR9", currency: str = "EUR", url: str = "https://sellingpartner.example",
        refresh_token: str = "Atzr|twin", client_secret: str = "amzn-secret", access_key: str = "AKIATWIN", secret_key: str = "sqs-secret",
        region: str = "eu-west-1",
    ) -> None:  # fmt: skip
        super().__init__(dice, weather, time_factor)
        self.seller, self.marketplace, self.currency, self.url = seller, marketplace, currency, url
        self.refresh_token, self.client_secret = refresh_token, client_secret
        self.access_key, self.secret_key, self.region = access_key, secret_key, region
        self.feed_s = FEED_S
        self.listings: dict[str, Listing] = {}
        self.orders: dict[str, dict[str, Any]] = {}
        self.effects: Counter[str] = Counter()
        self.level_history: list[tuple[str, int, int]] = []  # SKU, quantity, when
        self.sale_history: list[tuple[str, int]] = []  # SKU, when
        self.price_history: list[tuple[str, int, int]] = []  # SKU, minor units, when
        self.messages: list[Message] = []
        self.feeds: dict[str, Feed] = {}
        self.documents: dict[str, tuple[bytes, int]] = {}  # content, and until when its address is valid
        self._waiting_feeds: list[Feed] = []
        self.queue = f"arn:aws:sqs:{region}:000000000000:mainstay"  # the one that is read here
        self.destinations: list[dict[str, Any]] = []
        self.subscriptions: dict[str, dict[str, Any]] = {}  # by type
        self.subscribed_times = 0
        self._tokens: dict[str, int] = {}
        self._numbers = 0

    # --- what happens at the marketplace -----------------------------------------------------------------------------------
    def add_listing(self, sku: str, price_minor: int, quantity: int, title: str = "") -> Listing:
        self.listings[sku] = Listing(sku, price_minor, quantity, title or sku)
        return self.listings[sku]

    def available(self, sku: str) -> int:
        return self.listings[sku].quantity

    def place_order(
        self, lines: Sequence[tuple[str, int]], *, now: int, buyer: Mapping[str, str], currency: str | None = None, tax_minor: int = 0,
        facilitator: bool = True, shipping_minor: int = 0, discount_minor: int = 0, status: str = "UNSHIPPED", prices: Sequence[int] = (),
    ) -> dict[str, Any] | None:  # fmt: skip
        """A buyer orders; None where a listing shows too few. Tax is added on top, and Amazon remits it where it is the facilitator.
        `prices` of one unit are those of a cart that was filled before, in minor units; without them those of now are asked."""
        wanted: Counter[str] = Counter()
        for sku, quantity in lines:
            wanted[sku] += quantity
        if any(self.listings[sku].quantity < quantity for sku, quantity in wanted.items()):
            return None
        for sku, quantity in wanted.items():
            self.listings[sku].quantity -= quantity
            self.sale_history.append((sku, now))
        amounts = (shipping_minor, discount_minor, tax_minor)
        sold = [self.listings[sku] for sku, _ in lines]
        sold = [replace(one, price_minor=price) for one, price in zip(sold, prices, strict=True)] if prices else sold
        order = self._new_order(lines, currency or self.currency, amounts, facilitator, now, sold)
        order |= {"buyer": _buyer(buyer), "recipient": {"deliveryAddress": _address(buyer)}}
        order["fulfillment"]["fulfillmentStatus"] = status
        self.orders[order["orderId"]] = order
        self._tell_of(order, now)
        return order

    def sent_by_hand(self, order: str, units: Mapping[str, int], now: int) -> bool:
        """The seller confirms at the marketplace itself that units of these items have left; False where so many are not open there."""
        found = self.orders[order]
        left = [(item, units[item["orderItemId"]]) for item in found["orderItems"] if units.get(item["orderItemId"])]
        if any(item["fulfillment"]["quantityUnfulfilled"] < count for item, count in left):
            return False
        for item, count in left:
            item["fulfillment"]["quantityFulfilled"] += count
            item["fulfillment"]["quantityUnfulfilled"] -= count
        number = str(len(found["packages"]) + 1)
        packed = [{"orderItemId": item["orderItemId"], "quantity": count} for item, count in left]
        detail = {
            "packageReferenceId": number, "shipDate": _time(now), "carrierName": "DHL", "shippingMethod": "", "trackingNumber": "",
            "orderItems": packed,
        }  # fmt: skip
        found["packages"].append(_package(detail, now))
        open_ = any(item["fulfillment"]["quantityUnfulfilled"] for item in found["orderItems"])
        found["fulfillment"]["fulfillmentStatus"] = "PARTIALLY_SHIPPED" if open_ else "SHIPPED"
        self._changed(found, now)
        return True

    def cancel_order(self, order: str, *, now: int, by: str = "BUYER") -> None:
        """What has not left yet will not leave."""
        found = self.orders[order]
        found["fulfillment"]["fulfillmentStatus"] = "CANCELLED"
        for item in found["orderItems"]:
            item["fulfillment"]["quantityUnfulfilled"] = 0
            item["cancellation"] = {"cancellationExecution": {"cancelledBy": by, "cancelReason": "Requested"}}
        self.effects[f"cancel:{order}"] += 1
        self._changed(found, now)

    def cancel_item(self, order: str, item: str, *, now: int, by: str = "BUYER") -> None:
        """What has not left yet of one item will not leave. Amounts stay as they are (unsourced: no example shows an order of which a
        part was cancelled)."""
        found = self.orders[order]
        line = next(one for one in found["orderItems"] if one["orderItemId"] == item)
        line["fulfillment"]["quantityUnfulfilled"] = 0
        line["cancellation"] = {"cancellationExecution": {"cancelledBy": by, "cancelReason": "Requested"}}
        if not any(one["fulfillment"]["quantityUnfulfilled"] for one in found["orderItems"]):
            found["fulfillment"]["fulfillmentStatus"] = "SHIPPED"
        self.effects[f"cancel:{order}/{item}"] += 1
        self._changed(found, now)

    def _new_order(
        self, lines: Sequence[tuple[str, int]], currency: str, amounts: tuple[int, int, int], facilitator: bool, now: int,
        sold: Sequence[Listing],
    ) -> dict[str, Any]:  # fmt: skip
        """`amounts` are shipping, discount and tax; `sold` are the listings of the lines at the prices of the cart."""
        goods = [one.price_minor * quantity for one, (_, quantity) in zip(sold, lines, strict=True)]
        shipping, discount, tax = (allocate(amount, goods) for amount in amounts)
        number = self._number()
        order = f"{300 + number // 10**9 % 100:03}-{number // 100 % 10**7:07}-{number % 100:02}00000"
        items = [
            _item(f"{number}{n:02}", sold[n], quantity, (goods[n], shipping[n], discount[n], tax[n]), currency, facilitator)
            for n, (_, quantity) in enumerate(lines)
        ]
        total = sum(goods) + amounts[0] - amounts[1] + amounts[2]
        return {
            "orderId": order, "createdTime": _time(now), "lastUpdatedTime": _time(now), "programs": [],
            "salesChannel": {"channelName": "AMAZON", "marketplaceId": self.marketplace},
            "proceeds": {"grandTotal": _money(total, currency)},
            "fulfillment": {"fulfillmentStatus": "UNSHIPPED", "fulfilledBy": "MERCHANT", "fulfillmentServiceLevel": "STANDARD"},
            "orderItems": items, "packages": [],
        }  # fmt: skip

    def _changed(self, order: dict[str, Any], now: int) -> None:
        """Time may run faster here than in a real shop: two changes of one order never share a second, the finest that Amazon tells."""
        order["lastUpdatedTime"] = max(_time(now), iso(micros(order["lastUpdatedTime"]) + SECOND))
        self._tell_of(order, now)

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    # --- the queue -----------------------------------------------------------------------------------------------------------
    def _tell_of(self, order: Mapping[str, Any], now: int) -> None:
        change = {
            "SellerId": self.seller,
            "AmazonOrderId": order["orderId"],
            "OrderChangeType": "OrderStatusChange",
            "NotificationLevel": "OrderLevel",
        }
        self._tell("ORDER_CHANGE", {"OrderChangeNotification": change}, now)

    def _tell(self, kind: str, payload: Mapping[str, Any], now: int) -> None:
        """Put one notification into the queue, where it is subscribed; chance may drop, double, delay or reorder it."""
        if not self._fills_the_queue(kind) or self._strikes("lost"):
            return
        if self._strikes("unsubscribed"):
            del self.subscriptions[kind]
            return
        number = self._number()
        event = blake2b(f"{self.seller}:{number}".encode(), digest_size=16).hexdigest()
        body = msgspec.json.encode(
            {
                "NotificationVersion": "1.0", "NotificationType": kind, "PayloadVersion": "1.0", "EventTime": _time(now),
                "Payload": payload, "NotificationMetadata": {"PublishTime": _time(now), "NotificationId": event},
            }
        ).decode()  # fmt: skip
        for copy in range(2 if self._strikes("duplicate") else 1):
            seconds = LATE_S_MAX if self._strikes("late") else 2.0 if self._strikes("reordered") else 0.0
            delay = int(seconds * self.dice.random() / self.time_factor * SECOND) if seconds else 0
            self.messages.append(Message(f"m-{number}-{copy}", body, now + delay))

    def _fills_the_queue(self, kind: str) -> bool:
        at = self.subscriptions.get(kind, {}).get("destinationId")
        return any(one["destinationId"] == at and one["resource"]["sqs"]["arn"] == self.queue for one in self.destinations)

    @property
    def undelivered(self) -> int:
        """Messages that nobody has read and deleted yet."""
        return len(self.messages) + super().undelivered

    def _sqs(self, request: Request, now: int) -> Reply:
        signed = {name: request.headers.get(name, "") for name in ("host", "content-type", "x-amz-target")}
        good = aws_v4(
            "POST", "/", {}, signed, request.body, access_key=self.access_key, secret_key=Secret(self.secret_key), region=self.region,
            service="sqs", now=_aws_time(request.headers.get("x-amz-date", "")),
        )  # fmt: skip
        if request.headers.get("authorization") != good["authorization"]:
            return _aws_error(
                403, "InvalidSignatureException", "The request signature we calculated does not match the signature you provided."
            )
        asked = msgspec.json.decode(request.body)
        if request.headers["x-amz-target"] == "AmazonSQS.ReceiveMessage":
            return self._receive(asked, now)
        if request.headers["x-amz-target"] == "AmazonSQS.DeleteMessageBatch":
            handles = {entry["ReceiptHandle"] for entry in asked["Entries"]}
            self.messages = [one for one in self.messages if one.handle not in handles]
            return json_reply(200, {"Successful": [{"Id": entry["Id"]} for entry in asked["Entries"]], "Failed": []})
        return _aws_error(400, "InvalidAction", "The action or operation requested is invalid.")

    def _receive(self, asked: Mapping[str, Any], now: int) -> Reply:
        shown = [one for one in self.messages if one.visible <= now][: asked.get("MaxNumberOfMessages", 1)]
        for one in shown:
            hidden = int(asked.get("VisibilityTimeout", 30) / self.time_factor * SECOND)
            one.visible, one.handle = now + hidden, f"r-{one.id}-{self._number()}"
        messages = [{"MessageId": one.id, "ReceiptHandle": one.handle, "Body": one.body} for one in shown]
        return json_reply(200, {"Messages": messages} if messages else {})

    # --- the API ---------------------------------------------------------------------------------------------------------------
    def handle(self, request: Request, now: int) -> Reply:
        self._work_off(now)
        head, _, rest = request.path.removeprefix("/").partition("/")
        if "x-amz-target" in request.headers:
            return self._sqs(request, now)
        if request.path == "/auth/o2/token":
            return self._grant(request, now)
        if head in ("upload", "download"):
            return self._document(request, rest, now)
        token = request.headers.get("x-amz-access-token", "")
        if self._tokens.get(token, 0) <= now:
            return _error(403, "Unauthorized", DENIED, "The access token you provided has expired.")
        operation, act = self._route(request, rest)
        if act is None:
            return _error(404, "NotFound", "The resource specified does not exist.")
        if token.startswith(APPLICATION) != (operation in GRANTLESS):
            return _error(403, "Unauthorized", DENIED)
        return self.limit(request, operation, now) or act(now)

    def _route(self, request: Request, rest: str) -> tuple[str, Callable[[int], Reply] | None]:
        parts = [unquote(part) for part in rest.split("/")]
        match request.method, *parts:
            case "GET", "2026-01-01", "orders":
                return "searchOrders", lambda now: self._search(request, now)
            case "GET", "2026-01-01", "orders", order:
                return "getOrder", lambda _: self._order(order)
            case "POST", "v0", "orders", order, "shipmentConfirmation":
                return "confirmShipment", lambda now: self._confirm(order, request, now)
            case "PATCH", "2021-08-01", "items", self.seller, sku:
                return "patchListingsItem", lambda now: self._patch(sku, msgspec.json.decode(request.body)["patches"], now)
            case "GET", "2021-08-01", "items", self.seller, sku:
                return "getListingsItem", lambda _: self._listing(sku)
            case "POST", "2021-06-30", "documents":
                return "createFeedDocument", self._create_document
            case "GET", "2021-06-30", "documents", document:
                return "getFeedDocument", lambda now: self._report(document, now)
            case "POST", "2021-06-30", "feeds":
                return "createFeed", lambda now: self._create_feed(request, now)
            case "GET", "2021-06-30", "feeds", feed:
                return "getFeed", lambda _: self._feed(feed)
            case _, "v1", "destinations" | "subscriptions", *_:
                return self._notifications(request, parts[1:])
        return "", None

    def _notifications(self, request: Request, parts: Sequence[str]) -> tuple[str, Callable[[int], Reply] | None]:
        match request.method, *parts:
            case "GET", "destinations":
                return "getDestinations", lambda _: json_reply(200, {"payload": self.destinations})
            case "POST", "destinations":
                return "createDestination", lambda _: self._create_destination(msgspec.json.decode(request.body))
            case "GET", "subscriptions":
                return "getSubscriptions", lambda _: self._listed(request.query["notificationTypes"])
            case "POST", "subscriptions", kind:
                return "createSubscription", lambda _: self._create_subscription(kind, msgspec.json.decode(request.body))
            case "DELETE", "subscriptions", kind, subscription:
                return "deleteSubscriptionById", lambda _: self._delete_subscription(kind, subscription)
        return "", None

    def throttled(self, request: Request, after_s: float) -> Reply:
        return _error(429, "QuotaExceeded", "You exceeded your quota for the requested resource.")

    def broken(self, request: Request) -> Reply:
        return _error(503, "ServiceUnavailable", "Service is temporarily unavailable. Please try again.")

    def _grant(self, request: Request, now: int) -> Reply:
        asked = dict(parse_qsl(request.body.decode()))
        if asked.get("client_secret") != self.client_secret:
            return json_reply(401, {"error": "invalid_client", "error_description": "Client authentication failed"})
        if asked.get("grant_type") == "client_credentials":
            if asked.get("scope") != SCOPE:
                return json_reply(400, {"error": "invalid_scope", "error_description": "The requested scope is not one of this client"})
            return json_reply(200, self._token(APPLICATION, now))
        if asked.get("grant_type") != "refresh_token" or asked.get("refresh_token") != self.refresh_token:
            return json_reply(
                400, {"error": "invalid_grant", "error_description": "The request has an invalid grant parameter : refresh_token"}
            )
        return json_reply(200, self._token("Atza|", now) | {"refresh_token": self.refresh_token})

    def _token(self, kind: str, now: int) -> dict[str, Any]:
        token = f"{kind}{self._number()}"
        self._tokens[token] = now + TOKEN_S * SECOND
        return {"access_token": token, "token_type": "bearer", "expires_in": TOKEN_S}

    def _search(self, request: Request, now: int) -> Reply:
        """Orders by their last change, until two minutes before the first page. The token holds that moment and the last order."""
        token = request.query.get("paginationToken")
        until, last = msgspec.json.decode(token) if token else (now - int(2 * MINUTE / self.time_factor), ["", ""])
        since, rows = micros(request.query["lastUpdatedAfter"]), int(request.query.get("maxResultsPerPage", "100"))
        found = [one for one in self.orders.values() if since <= micros(one["lastUpdatedTime"]) <= until and _place(one) > last]
        found.sort(key=_place)
        page = found[:rows]
        answer: dict[str, Any] = {"orders": [_shown(one) for one in page], "lastUpdatedBefore": _time(until)}
        if len(found) > rows:
            answer["pagination"] = {"nextToken": msgspec.json.encode((until, _place(page[-1]))).decode()}
        return json_reply(200, answer)

    def _order(self, order: str) -> Reply:
        if order not in self.orders:
            return _error(404, "NotFound", f"Order {order} not found.")
        return json_reply(200, {"order": _shown(self.orders[order])})

    def _confirm(self, order: str, request: Request, now: int) -> Reply:
        """A second confirmation of one package number changes that package and takes no further units."""
        found, asked = self.orders.get(order), msgspec.json.decode(request.body)
        detail = asked["packageDetail"]
        if found is None or asked["marketplaceId"] != self.marketplace or not detail["packageReferenceId"].isdecimal():
            return _error(400, "InvalidInput", "Invalid Input")
        reference = detail["packageReferenceId"]
        before = next((one for one in found["packages"] if one["packageReferenceId"] == reference), None)
        if before is None:
            items = {item["orderItemId"]: item for item in found["orderItems"]}
            wanted = [(items.get(one["orderItemId"]), one["quantity"]) for one in detail["orderItems"]]
            if any(item is None or item["fulfillment"]["quantityUnfulfilled"] < quantity for item, quantity in wanted):
                return _error(400, "InvalidInput", "The quantity of an order item exceeds what remains to be shipped.")
            for item, quantity in wanted:
                assert item is not None
                item["fulfillment"]["quantityFulfilled"] += quantity
                item["fulfillment"]["quantityUnfulfilled"] -= quantity
        else:
            found["packages"].remove(before)
        found["packages"].append(_package(detail, now))
        left = sum(item["fulfillment"]["quantityUnfulfilled"] for item in found["orderItems"])
        found["fulfillment"]["fulfillmentStatus"] = "PARTIALLY_SHIPPED" if left else "SHIPPED"
        self.effects[f"package:{order}:{reference}"] += 1
        self._changed(found, now)
        return Reply(204)

    def _patch(self, sku: str, patches: Sequence[Mapping[str, Any]], now: int) -> Reply:
        issue = self._apply(sku, patches, now)
        answer = {"sku": sku, "status": "INVALID" if issue else "ACCEPTED", "submissionId": f"s-{self._number()}"}
        return json_reply(200, answer | {"issues": [issue] if issue else []})

    def _apply(self, sku: str, patches: Sequence[Mapping[str, Any]], now: int) -> dict[str, Any] | None:
        """Carry out the patches of one listing; the issue where that cannot be."""
        listing = self.listings.get(sku)
        if listing is None:
            return _issue("13013", f"The SKU '{sku}' could not be found in the catalog.")
        for patch in patches:
            value = patch["value"][0]
            if patch["path"] == "/attributes/fulfillment_availability":
                if value["quantity"] < 0:
                    return _issue("4000003", "'quantity' must be greater than or equal to 0.", "INVALID_ATTRIBUTE")
                listing.quantity = value["quantity"]
                self.level_history.append((sku, listing.quantity, now))
            elif patch["path"] == "/attributes/purchasable_offer":
                listing.price_minor = minor(str(value["our_price"][0]["schedule"][0]["value_with_tax"]), value["currency"])
                self.price_history.append((sku, listing.price_minor, now))
            else:
                return _issue("90000900", f"'{patch['path']}' is not an attribute of the product type.")
        return None

    def _listing(self, sku: str) -> Reply:
        listing = self.listings.get(sku)
        if listing is None:
            return _error(404, "NOT_FOUND", f"SKU '{sku}' not found in marketplace {self.marketplace}")
        price = {"currencyCode": self.currency, "amount": major(listing.price_minor, self.currency)}
        offers = [{"marketplaceId": self.marketplace, "offerType": "B2C", "price": price}]
        availability = [{"fulfillmentChannelCode": "DEFAULT", "quantity": listing.quantity}]
        return json_reply(200, {"sku": sku, "offers": offers, "fulfillmentAvailability": availability})

    # --- notifications ---------------------------------------------------------------------------------------------------------
    def subscribe_by_hand(self, arn: str = "", name: str = "By hand") -> None:
        """Somebody has it told to a queue; without its ARN to the one that is read here."""
        made = self._create_destination({"name": name, "resourceSpecification": {"sqs": {"arn": arn or self.queue}}})
        assert made.status == 200
        self._subscribe("ORDER_CHANGE", "1.0", self.destinations[-1]["destinationId"])

    def _create_destination(self, asked: Mapping[str, Any]) -> Reply:
        arn = asked["resourceSpecification"].get("sqs", {}).get("arn", "")
        if not arn.startswith("arn:aws:sqs:"):
            return _error(400, "InvalidInput", "Invalid Input")
        if any(one["resource"]["sqs"]["arn"] == arn for one in self.destinations):
            return _error(409, "Conflict", CONFLICT, f"A destination with arn {arn} already exists for the application")
        made = {"destinationId": f"destination-{len(self.destinations) + 1}", "name": asked["name"], "resource": {"sqs": {"arn": arn}}}
        self.destinations.append(made)
        return json_reply(200, {"payload": made})

    def _listed(self, kind: str) -> Reply:
        if kind not in self.subscriptions:
            return _error(404, "NotFound", "The resource specified does not exist.")
        return json_reply(200, {"payload": {"subscriptions": [self.subscriptions[kind]]}})

    def _create_subscription(self, kind: str, asked: Mapping[str, Any]) -> Reply:
        known = any(one["destinationId"] == asked["destinationId"] for one in self.destinations)
        if not known or TYPES.get(kind) != asked["payloadVersion"]:
            return _error(400, "InvalidInput", "Invalid Input")
        if self.subscriptions.get(kind, {}).get("payloadVersion") == asked["payloadVersion"]:
            return _error(409, "StateConflict", CONFLICT, f"Subscription already exist for notification type {kind}")
        self._subscribe(kind, asked["payloadVersion"], asked["destinationId"])
        return json_reply(200, {"payload": self.subscriptions[kind]})

    def _subscribe(self, kind: str, version: str, destination: str) -> None:
        self.subscribed_times += 1
        number = f"subscription-{self.subscribed_times}"
        self.subscriptions[kind] = {"subscriptionId": number, "payloadVersion": version, "destinationId": destination}

    def _delete_subscription(self, kind: str, subscription: str) -> Reply:
        if self.subscriptions.get(kind, {}).get("subscriptionId") != subscription:
            return _error(404, "NotFound", "The resource specified does not exist.")
        del self.subscriptions[kind]
        return json_reply(200, {})

    # --- feeds -----------------------------------------------------------------------------------------------------------------
    def _create_document(self, now: int) -> Reply:
        document = f"d-{self._number()}"
        self.documents[document] = (b"", now + URL_S * SECOND)
        return json_reply(201, {"feedDocumentId": document, "url": f"{self.url}/upload/{document}"})

    def _document(self, request: Request, document: str, now: int) -> Reply:
        """Where a pre-signed address leads: no token, but only for a while."""
        content, until = self.documents.get(document, (b"", 0))
        if until <= now or "x-amz-access-token" in request.headers:
            return Reply(403, {"content-type": "application/xml"}, b"<Error><Code>AccessDenied</Code></Error>")
        if request.method == "PUT":
            self.documents[document] = (request.body, until)
            return Reply(200)
        return Reply(200, {}, content)

    def _create_feed(self, request: Request, now: int) -> Reply:
        asked = msgspec.json.decode(request.body)
        content, _ = self.documents.get(asked["inputFeedDocumentId"], (b"", 0))
        if asked["feedType"] != "JSON_LISTINGS_FEED" or not content:
            return _error(400, "InvalidInput", "Invalid input")
        feed = Feed(f"{50_000_000_000 + self._number()}", content, now + int(self.feed_s / self.time_factor * SECOND))
        self.feeds[feed.id] = feed
        self._waiting_feeds.append(feed)
        return json_reply(202, {"feedId": feed.id})

    def _feed(self, feed: str) -> Reply:
        found = self.feeds.get(feed)
        if found is None:
            return _error(404, "NotFound", "Feed not found.")
        answer = {"feedId": feed, "feedType": "JSON_LISTINGS_FEED", "processingStatus": found.status, "createdTime": _time(found.due)}
        return json_reply(200, answer | ({"resultFeedDocumentId": found.report} if found.report else {}))

    def _report(self, document: str, now: int) -> Reply:
        if document not in self.documents:
            return _error(404, "NotFound", "Document not found.")
        self.documents[document] = (self.documents[document][0], now + URL_S * SECOND)
        return json_reply(200, {"feedDocumentId": document, "url": f"{self.url}/download/{document}", "compressionAlgorithm": "GZIP"})

    def _work_off(self, now: int) -> None:
        """Feeds are processed one after the other, in the order in which they came. A fatal error leaves one half done."""
        while self._waiting_feeds and self._waiting_feeds[0].due <= now:
            feed = self._waiting_feeds.pop(0)
            content = msgspec.json.decode(feed.content)
            issues = []
            feed.status = "DONE"
            for message in content["messages"]:
                if self.fails_partly():
                    feed.status = "FATAL"
                    break
                issue = self._apply(message["sku"], message["patches"], feed.due)
                if issue:
                    issues.append({"messageId": message["messageId"], "sku": message["sku"], **_without(issue, "categories")})
            if feed.status == "DONE":
                self.effects[f"feed:{blake2b(feed.content, digest_size=8).hexdigest()}"] += 1
                feed.report = f"d-{self._number()}"
                self.documents[feed.report] = (gzip.compress(_processed(content, issues), mtime=0), 0)


def _time(at: int) -> str:
    return iso(at - at % SECOND)


def _place(order: Mapping[str, Any]) -> list[str]:
    """Where an order stands in a search."""
    return [order["lastUpdatedTime"], order["orderId"]]


def _aws_time(text: str) -> int:
    """20260302T120000Z, as AWS writes it."""
    if len(text) != 16:
        return 0
    return micros(f"{text[:4]}-{text[4:6]}-{text[6:11]}:{text[11:13]}:{text[13:]}")


def _error(status: int, code: str, message: str, details: str = "") -> Reply:
    return json_reply(status, {"errors": [{"code": code, "message": message, "details": details}]})


def _aws_error(status: int, kind: str, message: str) -> Reply:
    return json_reply(status, {"__type": f"com.amazonaws.sqs#{kind}", "message": message})


def _issue(code: str, message: str, *categories: str) -> dict[str, Any]:
    """An issue with a listing. Many have no category: samples/listings-items/putListingsItem-200-2.json."""
    return {"code": code, "severity": "ERROR", "message": message, "categories": categories}


def _processed(content: Mapping[str, Any], issues: Sequence[Mapping[str, Any]]) -> bytes:
    """The processing report of a feed."""
    messages, invalid = len(content["messages"]), len({issue["messageId"] for issue in issues})
    summary = {
        "errors": len(issues),
        "warnings": 0,
        "messagesProcessed": messages,
        "messagesAccepted": messages - invalid,
        "messagesInvalid": invalid,
    }
    return msgspec.json.encode({"header": content["header"], "issues": issues, "summary": summary})


def _money(amount: int, currency: str) -> dict[str, str]:
    return {"amount": major(amount, currency), "currencyCode": currency}


def _item(
    number: str, listing: Listing, quantity: int, amounts: tuple[int, int, int, int], currency: str, facilitator: bool
) -> dict[str, Any]:
    """`amounts` are goods, shipping, discount and tax of all units together."""
    goods, shipping, discount, tax = amounts
    stated = {"ITEM": goods, "SHIPPING": shipping, "DISCOUNT": -discount, "TAX": tax}
    breakdowns = [{"type": kind, "subtotal": _money(amount, currency)} for kind, amount in stated.items() if amount or kind == "ITEM"]
    total = _money(goods + shipping - discount + tax, currency)
    return {
        "orderItemId": number, "quantityOrdered": quantity,
        "product": {
            "asin": "B000000000", "title": listing.title, "sellerSku": listing.sku,
            "price": {"unitPrice": _money(listing.price_minor, currency)},
        },
        "proceeds": {"proceedsTotal": total, "breakdowns": breakdowns},
        "fulfillment": {"quantityFulfilled": 0, "quantityUnfulfilled": quantity},
        "tax": {"taxCollections": [{"model": "MARKETPLACE_FACILITATOR", "responsibleParty": "Amazon"}] if facilitator and tax else []},
    }  # fmt: skip


def _package(detail: Mapping[str, Any], now: int) -> dict[str, Any]:
    return {
        "packageReferenceId": detail["packageReferenceId"], "createdTime": _time(now), "shipTime": detail["shipDate"],
        "packageStatus": {"status": "SHIPPED"}, "carrier": detail["carrierName"], "shippingService": detail["shippingMethod"],
        "trackingNumber": detail["trackingNumber"], "packageItems": detail["orderItems"],
    }  # fmt: skip


def _shown(order: Mapping[str, Any]) -> dict[str, Any]:
    """An order that waits for its payment shows neither price nor address."""
    if order["fulfillment"]["fulfillmentStatus"] != "PENDING":
        return dict(order)
    items = [_without(item, "proceeds") | {"product": _without(item["product"], "price")} for item in order["orderItems"]]
    return _without(order, "proceeds", "buyer", "recipient") | {"orderItems": items}


def _without(thing: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in thing.items() if name not in names}


def _buyer(buyer: Mapping[str, str]) -> dict[str, Any]:
    """`buyer` has name, email, phone, street, city, postcode, region, country; whatever is missing is left out."""
    named = {"buyerName": buyer.get("name"), "buyerEmail": buyer.get("email")}
    return {name: value for name, value in named.items() if value}


def _address(buyer: Mapping[str, str]) -> dict[str, Any]:
    named = {
        "name": buyer.get("name"), "addressLine1": buyer.get("street"), "city": buyer.get("city"), "stateOrRegion": buyer.get("region"),
        "postalCode": buyer.get("postcode"), "countryCode": buyer.get("country"), "phone": buyer.get("phone"),
    }  # fmt: skip
    return {name: value for name, value in named.items() if value}
