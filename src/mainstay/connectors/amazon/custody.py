"""Custody of the subscription to ORDER_CHANGE. A destination (our queue) belongs to the application, which asks for it in its own name
("grantless"); the subscription that fills it belongs to the seller.

Source: the model notifications.json (v1) and https://developer-docs.amazon.com/sp-api/docs/grantless-operations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from msgspec import Struct

from mainstay.contract import oauth
from mainstay.contract.connector import Subscription, Wrong
from mainstay.contract.talk import Call, Talk, as_json
from mainstay.model.failures import Reject
from mainstay.model.secrets import Secret

TOPIC = "ORDER_CHANGE"  # the only type that we read and that Amazon puts into a queue: changes of listings go to EventBridge alone
VERSION = "1.0"  # of its payload
SCOPE = "sellingpartnerapi::notifications"
PATH = "/notifications/v1"
PAGE_ROWS = 100
PLANS: Mapping[str, tuple[float, int]] = dict.fromkeys(
    ("getDestinations", "createDestination", "getSubscriptions", "createSubscription", "deleteSubscriptionById"), (1, 5)
)
ALLOW = "see that the application has a role for ORDER_CHANGE, that the seller authorised it since, and that the queue lets Amazon send"
_WORSE: tuple[Wrong, ...] = ("", "outdated", "narrowed", "elsewhere")


class Place(Struct, frozen=True):
    """The queue that a seller's notifications are to go to. `name`: of its destination where we make it; `client`: who asks for that."""

    arn: str
    name: str
    marketplace: str
    client: str
    client_secret: Secret


class _Sqs(Struct):
    arn: str


class _Resource(Struct):
    sqs: _Sqs | None = None  # none: an event bus


class _Destination(Struct, rename="camel"):
    destination_id: str
    name: str
    resource: _Resource

    @property
    def arn(self) -> str:
        return self.resource.sqs.arn if self.resource.sqs else ""


class _Filter(Struct, rename="camel"):
    marketplace_ids: list[str] | None = None
    order_change_types: list[str] | None = None


class _Directive(Struct, rename="camel"):
    event_filter: _Filter | None = None
    filter_expression: str | None = None

    def narrows(self, marketplace: str) -> bool:
        only = self.event_filter or _Filter()
        return bool(self.filter_expression or only.order_change_types or marketplace not in (only.marketplace_ids or [marketplace]))


class _Subscription(Struct, rename="camel"):
    subscription_id: str
    payload_version: str
    destination_id: str
    processing_directive: _Directive | None = None

    def wrong(self, marketplace: str) -> Wrong:
        """What is wrong with one that fills our queue."""
        if self.processing_directive and self.processing_directive.narrows(marketplace):
            return "narrowed"
        return "" if self.payload_version == VERSION else "outdated"


class _Destinations(Struct):
    payload: list[_Destination]


class _Created(Struct):
    payload: _Destination


class _Listed(Struct):
    subscriptions: list[_Subscription] = []


class _Subscriptions(Struct):
    payload: _Listed


class _There(Struct):
    """What there is: the application's token and destinations, and the seller's subscriptions."""

    grant: Mapping[str, str]
    destinations: Sequence[_Destination]
    subscriptions: Sequence[_Subscription]

    def standing(self, place: Place) -> Subscription:
        """The best of them."""
        found = [self._standing(place, one) for one in self.subscriptions]
        return min(found, key=lambda one: (_WORSE.index(one.wrong), one.hint), default=Subscription(TOPIC, "missing"))

    def _standing(self, place: Place, one: _Subscription) -> Subscription:
        """One that fills another queue is an earlier one of ours where we made its destination, or where that is gone."""
        at = next((there for there in self.destinations if there.destination_id == one.destination_id), None)
        if at is not None and at.arn == place.arn:
            return Subscription(TOPIC, one.wrong(place.marketplace), one.subscription_id)
        if at is None or at.name == place.name:
            return Subscription(TOPIC, "elsewhere", one.subscription_id)
        hint = f"{TOPIC} goes to {at.arn or 'an event bus'} ({at.name!r}): delete that subscription, or set `queue_url` to that queue"
        return Subscription(TOPIC, "elsewhere", one.subscription_id, hint)


def arn(queue_url: str, region: str) -> str:
    """The ARN of a queue: its URL ends in account and name, whatever host it is reached by. "" where it does not."""
    named = re.fullmatch(r"/(\d{12})/([\w-]+)", urlsplit(queue_url).path)
    return f"arn:aws:sqs:{region}:{named[1]}:{named[2]}" if named else ""


def look(place: Place) -> Talk[tuple[Subscription, ...]]:
    """How the subscription stands. What Amazon refuses to tell is for a person."""
    if not place.arn:
        return (Subscription(TOPIC, "missing", hint="`queue_url` is not the URL of an SQS queue: it ends in /ACCOUNT/NAME"),)
    try:
        there = yield from _there(place)
    except Reject as refused:
        return (Subscription(TOPIC, "missing", hint=refused.why),)
    return (there.standing(place),)


def make(place: Place) -> Talk[None]:
    """Make the subscription, in place of a wrong one of ours: Amazon takes no second one of a version. What is there is looked at again,
    for the answer to an earlier try may have been lost."""
    there = yield from _there(place)
    standing = there.standing(place)
    if not standing.wrong or standing.hint:
        return
    ours = next((one for one in there.destinations if one.arn == place.arn), None) or (yield from _destination(place, there.grant))
    if standing.id:
        old = f"{PATH}/subscriptions/{TOPIC}/{standing.id}"
        yield Call(operation="deleteSubscriptionById", method="DELETE", path=old, headers=there.grant)
    wanted = {"payloadVersion": VERSION, "destinationId": ours.destination_id}
    yield Call(operation="createSubscription", method="POST", path=f"{PATH}/subscriptions/{TOPIC}", body=as_json(wanted))


def _there(place: Place) -> Talk[_There]:
    session = yield from oauth.client_credentials("/auth/o2/token", place.client, place.client_secret, scope=SCOPE)
    grant = {"x-amz-access-token": session.token.reveal()}
    reply = yield Call(operation="getDestinations", method="GET", path=f"{PATH}/destinations", headers=grant)
    return _There(grant, reply.read(_Destinations).payload, (yield from _subscriptions()))


def _subscriptions() -> Talk[list[_Subscription]]:
    query = {"notificationTypes": TOPIC, "pageSize": str(PAGE_ROWS)}
    try:
        reply = yield Call(operation="getSubscriptions", method="GET", path=f"{PATH}/subscriptions", query=query)
    except Reject as refused:
        if refused.code == "not_found":  # there is none
            return []
        raise
    return reply.read(_Subscriptions).payload.subscriptions


def _destination(place: Place, grant: Mapping[str, str]) -> Talk[_Destination]:
    wanted = {"name": place.name, "resourceSpecification": {"sqs": {"arn": place.arn}}}
    reply = yield Call(operation="createDestination", method="POST", path=f"{PATH}/destinations", headers=grant, body=as_json(wanted))
    return reply.read(_Created).payload
