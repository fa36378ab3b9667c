"""The seller's SQS queue, spoken in the AWS JSON protocol.

A message is deleted by the pull after the one that brought it: by then its page is recorded, so a crash in between only brings it again.
Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec
from msgspec import Struct

from mainstay.connectors.amazon.notifications import UNREADABLE, name
from mainstay.contract.connector import Page, Row
from mainstay.contract.talk import Call, Talk, as_json

MESSAGES_MAX = 10  # of one call
VISIBILITY_S = 120  # how long a page may take to be recorded before its messages show up again


class _Message(Struct, rename="pascal"):
    receipt_handle: str
    body: str


class _Received(Struct, rename="pascal"):
    messages: list[_Message] = []


def receive(queue_url: str, cursor: str) -> Talk[Page]:
    """One page of messages. The cursor is the JSON list of receipt handles that are recorded and may be deleted."""
    if not queue_url:
        return Page((), "")
    handles: list[str] = msgspec.json.decode(cursor) if cursor else []
    if handles:
        entries = [{"Id": str(number), "ReceiptHandle": handle} for number, handle in enumerate(handles)]
        yield _call("DeleteMessageBatch", {"QueueUrl": queue_url, "Entries": entries})
    asked = {"QueueUrl": queue_url, "MaxNumberOfMessages": MESSAGES_MAX, "VisibilityTimeout": VISIBILITY_S, "WaitTimeSeconds": 0}
    reply = yield _call("ReceiveMessage", asked)
    messages = reply.read(_Received).messages
    rows = tuple(_row(message.body.encode()) for message in messages)
    recorded = msgspec.json.encode([message.receipt_handle for message in messages]).decode() if messages else ""
    return Page(rows, recorded, more=bool(messages))


def _row(body: bytes) -> Row:
    """A body that names no event is kept under its own hash."""
    named = name(body)
    return Row(named.topic, named.key, body) if named else Row(UNREADABLE, blake2b(body, digest_size=16).hexdigest(), body)


def _call(operation: str, content: object) -> Call:
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"AmazonSQS.{operation}"}
    return Call(operation=operation, method="POST", path="/", endpoint="sqs", headers=headers, body=as_json(content))
