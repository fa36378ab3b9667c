"""Levels and prices out: a few as patches of their listings, many as one JSON_LISTINGS_FEED with an outcome for each message.

Sources: https://developer-docs.amazon.com/sp-api/docs/listings-items-api-v2021-08-01-use-case-guide and
https://developer-docs.amazon.com/sp-api/docs/feeds-api-v2021-06-30-use-case-guide, with the feed and report examples of the models.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct

from mainstay.contract.connector import Done, Outcome
from mainstay.contract.talk import Call, Reply, Talk, as_json
from mainstay.model.commands import SetLevel, SetPrice
from mainstay.model.failures import Failure, Reject, Retry, Unknown
from mainstay.model.money import major

BULK_FROM = 51  # so many commands go as one feed: createFeed allows one in two minutes, and holds thousands
POLL_S = 20.0  # between two looks at a feed: it takes minutes
POLLS_MAX = 30  # of one feed, before its outcome is left to the look-up
FEED_LINGERS_S = 900.0  # a feed that was taken is processed within minutes, whether or not we heard of it
REPORT_BYTES_MAX = 64_000_000
FEEDS = "/feeds/2021-06-30"
CONTENT_TYPE = "application/json; charset=UTF-8"
PRODUCT_TYPE = "PRODUCT"  # stands for any type where only what all types share is patched
MERCHANT_CHANNEL = "DEFAULT"

Wish = SetLevel | SetPrice


class Account(Struct, frozen=True):
    """Whose listings, and where."""

    seller: str
    marketplace: str


class _Issue(Struct, rename="camel"):
    message: str = ""
    severity: str = ""
    code: str = ""
    message_id: int = 0


class _Submission(Struct, rename="camel"):
    status: str
    submission_id: str
    issues: list[_Issue] = []


class _Document(Struct, rename="camel"):
    feed_document_id: str
    url: str
    compression_algorithm: str = ""


class _Created(Struct, rename="camel"):
    feed_id: str


class _Feed(Struct, rename="camel"):
    processing_status: str
    result_feed_document_id: str = ""


class _Report(Struct):
    issues: list[_Issue] = []


class _Availability(Struct, rename="camel"):
    fulfillment_channel_code: str
    quantity: int = 0


class _OfferPrice(Struct, rename="camel"):
    currency_code: str
    amount: str


class _Offer(Struct, rename="camel"):
    marketplace_id: str
    price: _OfferPrice


class _Listing(Struct, rename="camel"):
    fulfillment_availability: list[_Availability] = []
    offers: list[_Offer] = []


def publish(account: Account, commands: Sequence[Wish], bulk_from: int = BULK_FROM) -> Talk[list[Outcome]]:
    """One outcome for each command. Of two for one listing only the newest goes out; from `bulk_from` listings on they go as a feed."""
    newest: dict[str, Wish] = {}
    for command in commands:
        listing = command.item or command.sku
        if listing not in newest or command.revision > newest[listing].revision:
            newest[listing] = command
    outcomes = yield from (_feed if len(newest) >= bulk_from else _patch_all)(account, newest)
    return [outcomes[command.item or command.sku] for command in commands]


def look_up(account: Account, command: Wish) -> Talk[Done | None]:
    """Does the listing show it?"""
    query = {"marketplaceIds": account.marketplace, "includedData": "fulfillmentAvailability,offers"}
    reply = yield Call(operation="getListingsItem", method="GET", path=_path(account, command.item or command.sku), query=query)
    listing = reply.read(_Listing)
    if isinstance(command, SetLevel):
        channel = command.location or MERCHANT_CHANNEL
        shown = any(
            one.fulfillment_channel_code == channel and one.quantity == command.quantity for one in listing.fulfillment_availability
        )
    else:
        price = _OfferPrice(command.currency, major(command.price, command.currency))
        shown = any(one.marketplace_id == account.marketplace and one.price == price for one in listing.offers)
    return Done() if shown else None


# --- a few ---------------------------------------------------------------------------------------------------------------
def _patch_all(account: Account, wishes: Mapping[str, Wish]) -> Talk[dict[str, Outcome]]:
    """Listing by listing; what was not reached before a failure of the connection gets that failure as its outcome."""
    outcomes: dict[str, Outcome] = {}
    for listing, command in wishes.items():
        try:
            outcome = yield from _patch(account, listing, command)
        except Failure as failure:
            outcomes[listing] = failure
        else:
            outcomes[listing] = outcome
    return outcomes


def _patch(account: Account, listing: str, command: Wish) -> Talk[Outcome]:
    body = as_json({"productType": PRODUCT_TYPE, "patches": _patches(account, command)})
    query = {"marketplaceIds": account.marketplace, "issueLocale": "en_US"}
    path = _path(account, listing)
    reply = yield Call(operation="patchListingsItem", method="PATCH", path=path, query=query, body=body, key=command.key)
    answer = reply.read(_Submission)
    if answer.status == "ACCEPTED":
        return Done({"submission": answer.submission_id})
    return _refused(listing, answer.issues)


def _path(account: Account, listing: str) -> str:
    return f"/listings/2021-08-01/items/{quote(account.seller, safe='')}/{quote(listing, safe='')}"


def _patches(account: Account, command: Wish) -> list[dict[str, Any]]:
    if isinstance(command, SetLevel):
        path = "fulfillment_availability"
        value: dict[str, Any] = {"fulfillment_channel_code": command.location or MERCHANT_CHANNEL, "quantity": command.quantity}
    else:
        path = "purchasable_offer"
        amount = Raw(major(command.price, command.currency).encode())  # a JSON number, to the last digit
        schedule = [{"schedule": [{"value_with_tax": amount}]}]
        value = {"marketplace_id": account.marketplace, "currency": command.currency, "our_price": schedule}
    return [{"op": "replace", "path": f"/attributes/{path}", "value": [value]}]


def _refused(listing: str, issues: Sequence[_Issue]) -> Reject:
    said = "; ".join(f"{one.message} ({one.code})" for one in issues if one.severity == "ERROR")
    return Reject(f"Amazon refused the change of {listing!r}: {said or 'it gave no reason'}")


# --- many ----------------------------------------------------------------------------------------------------------------
def _feed(account: Account, wishes: Mapping[str, Wish]) -> Talk[dict[str, Outcome]]:
    """Once the feed exists nothing is thrown any more: what we cannot learn about it is told once more when it must have ended."""
    document = (yield _call("createFeedDocument", "POST", "/documents", {"contentType": CONTENT_TYPE})).read(_Document)
    yield Call(operation="upload", method="PUT", path=document.url, headers={"content-type": CONTENT_TYPE}, body=_content(account, wishes))
    content = {"feedType": "JSON_LISTINGS_FEED", "marketplaceIds": [account.marketplace], "inputFeedDocumentId": document.feed_document_id}
    feed = (yield _call("createFeed", "POST", "/feeds", content, lasts_s=FEED_LINGERS_S)).read(_Created).feed_id
    try:
        outcomes = yield from _result(feed, wishes)
    except Failure as failure:
        return dict.fromkeys(wishes, _unread(f"feed {feed} was sent, but its outcome could not be read: {failure.why}"))
    return outcomes


def _unread(why: str) -> Unknown:
    """What becomes of a feed that may not have ended yet."""
    unknown = Unknown(why)
    unknown.lingers_s = FEED_LINGERS_S
    return unknown


def _content(account: Account, wishes: Mapping[str, Wish]) -> bytes:
    """Messages are numbered from 1, in the order of the commands."""
    messages = [
        {"messageId": number, "sku": listing, "operationType": "PATCH", "productType": PRODUCT_TYPE, "patches": _patches(account, command)}
        for number, (listing, command) in enumerate(wishes.items(), 1)
    ]
    return as_json({"header": {"sellerId": account.seller, "version": "2.0", "issueLocale": "en_US"}, "messages": messages})


def _result(feed: str, wishes: Mapping[str, Wish]) -> Talk[dict[str, Outcome]]:
    """Wait for the feed, and read its report: a message that it does not name was accepted."""
    for _ in range(POLLS_MAX):
        answer = (yield _call("getFeed", "GET", f"/feeds/{feed}", after_s=POLL_S)).read(_Feed)
        if answer.processing_status not in ("IN_QUEUE", "IN_PROGRESS"):
            break
    status = answer.processing_status
    if status == "CANCELLED":
        return dict.fromkeys(wishes, Retry(f"feed {feed} was cancelled before it started"))
    if status != "DONE":
        return dict.fromkeys(wishes, _unread(f"feed {feed} is {status}: some, all or none of it may be applied"))
    document = (yield _call("getFeedDocument", "GET", f"/documents/{answer.result_feed_document_id}")).read(_Document)
    reply = yield Call(operation="download", method="GET", path=document.url)
    issues = _report(reply, document.compression_algorithm).issues
    outcomes: dict[str, Outcome] = {}
    for number, listing in enumerate(wishes, 1):
        mine = [one for one in issues if one.message_id == number and one.severity == "ERROR"]
        outcomes[listing] = _refused(listing, mine) if mine else Done({"feed": feed})
    return outcomes


def _report(reply: Reply, compression: str) -> _Report:
    if compression not in ("", "GZIP"):
        raise Reject(f"the report of a feed is compressed with {compression!r}; known: GZIP", "encoding_broken")
    if not compression:
        return reply.read(_Report)
    try:
        plain = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(reply.body, REPORT_BYTES_MAX)
    except zlib.error as error:
        raise Reject(f"the report of a feed is not gzip: {error}", "encoding_broken") from None
    return msgspec.structs.replace(reply, body=plain).read(_Report)


def _call(
    operation: str, method: str, path: str, content: Mapping[str, Any] | None = None, *, after_s: float = 0.0, lasts_s: float = 0.0
) -> Call:
    body = as_json(content) if content is not None else b""
    return Call(operation=operation, method=method, path=FEEDS + path, body=body, after_s=after_s, lasts_s=lasts_s)
