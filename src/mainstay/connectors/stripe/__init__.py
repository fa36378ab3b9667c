"""Stripe: payments, refunds, disputes, payouts and the balance they move. Amounts are integers in minor units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated
from urllib.parse import urlencode

import msgspec
from msgspec import Meta, Struct

from mainstay.connectors.stripe import statements, words
from mainstay.connectors.stripe.statements import Intent, Refund
from mainstay.contract import signatures
from mainstay.contract.connector import (
    Budget,
    Connector,
    Delivery,
    Done,
    Feed,
    Manifest,
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
from mainstay.contract.worth import Worth
from mainstay.model.commands import CapturePayment, Command, RefundPayment, VoidPayment
from mainstay.model.failures import Failure, Reject, Retry, Unknown
from mainstay.model.secrets import Secret
from mainstay.model.seen import Said
from mainstay.model.times import DAY, SECOND

API_VERSION = "2026-10-28.endive"
PAGE_ROWS = 100  # the most that Stripe gives
OVERLAP_S = 600  # a feed reads this much again, because an event can become visible later than its own second

_INTENT_CHANGES = (
    "created", "requires_action", "processing", "amount_capturable_updated", "partially_funded", "succeeded", "canceled", "payment_failed",
)  # fmt: skip
_REFUND_CHANGES = ("refund.created", "refund.updated", "refund.failed", "charge.refund.updated")
AMOUNT = Worth("data.object.amount", "data.object.currency", in_minor=True)
LINE = Worth("amount", "currency", in_minor=True)
_TOPICS = (
    *(Topic(f"payment_intent.{name}", "An authorisation or payment.", ("payment",), AMOUNT) for name in _INTENT_CHANGES),
    *(
        Topic(f"charge.{name}", "A payment as the card network sees it, with what was captured and refunded.", ("payment",), AMOUNT)
        for name in ("pending", "succeeded", "captured", "failed", "expired", "updated")
    ),
    Topic("charge.refunded", "A charge after a refund, or after its authorisation was let go.", ("payment", "refund"), AMOUNT),
    *(Topic(name, "Money given back.", ("refund",), AMOUNT) for name in _REFUND_CHANGES),
    *(
        Topic(f"charge.dispute.{name}", "A card holder contests a payment.", ("payment",), AMOUNT)
        for name in ("created", "updated", "closed", "funds_withdrawn", "funds_reinstated")
    ),
    *(
        Topic(f"payout.{name}", "Money on its way to the bank.", ("settlement",), AMOUNT)
        for name in ("created", "updated", "paid", "failed", "canceled", "reconciliation_completed")
    ),
    Topic("balance_transaction", "A line of the balance.", ("settlement",), LINE),
    Topic("payout_line", "A line of the balance with the payout that it went into.", ("settlement",), LINE),
)
_LINES = ("balance_transaction", "payout_line")
_EVENTS = tuple(topic.name for topic in _TOPICS if topic.name not in _LINES)

_OPERATIONS = ("capture", "cancel", "refund", "intent", "refunds", "events", "balance", "endpoints")
_LIMITS = "https://docs.stripe.com/rate-limits"
_DAY_S = DAY / SECOND


class StripeSettings(Settings, frozen=True, kw_only=True):
    """How to reach one Stripe account."""

    secret_key: Annotated[Secret, Meta(description="Secret or restricted API key: sk_… or rk_….")]
    webhook_secrets: Annotated[tuple[Secret, ...], Meta(description="Signing secrets of the endpoint; two while one is being rolled.")] = ()
    order_key: Annotated[str, Meta(description="The metadata key that holds the order's id.")] = "order"
    system_key: Annotated[str, Meta(description="The metadata key that names the system whose order it is.")] = "system"
    url: Annotated[Url, Meta(description="Base URL of the API.")] = "https://api.stripe.com"


class _Peek(Struct):
    id: str
    type: str


class _Item(Struct):
    id: str
    type: str = ""
    created: int = 0


class _List(Struct):
    data: list[msgspec.Raw]
    has_more: bool


class _Endpoint(Struct):
    id: str
    url: str
    status: str
    enabled_events: list[str]
    api_version: str | None = None  # none: that of the account

    def standing(self, event: str) -> Subscription:
        if self.status != "enabled":
            return Subscription(event, "disabled", self.id)
        if not {"*", event} & set(self.enabled_events):
            return Subscription(event, "missing", self.id)
        if self.api_version and self.api_version < API_VERSION:  # versions begin with their date
            hint = f"the webhook endpoint speaks {self.api_version}: make one that speaks {API_VERSION}, set its secret, delete this one"
            return Subscription(event, "outdated", self.id, hint)
        return Subscription(event)


class _Endpoints(Struct):
    data: list[_Endpoint]


class _Error(Struct, frozen=True):
    type: str = ""
    code: str = ""


class _Refused(Struct):
    error: _Error = _Error()


class Stripe(Connector):
    """Stripe's API v1."""

    manifest = Manifest(
        name="stripe",
        title="Stripe",
        summary="Payments, refunds, disputes, payouts and balance lines of one Stripe account.",
        source="https://docs.stripe.com/api",
        version=API_VERSION,
        topics=_TOPICS + tuple(Topic(name, "Kept, but not business.") for name in words.NOT_BUSINESS),
        feeds=(
            Feed("events", "What happened in the last 30 days.", _EVENTS, every_s=300, objects=("payment", "refund", "settlement")),
            Feed("balance", "Lines of the balance with their fees.", _LINES, every_s=3600, objects=("settlement",)),
        ),
        sinks=(
            Sink("CapturePayment", "Take money that was authorised.", "capture", Repeat.KEYED, objects=("payment",), key_ttl_s=_DAY_S),
            Sink("VoidPayment", "Let an authorisation go.", "cancel", Repeat.KEYED, objects=("payment",), key_ttl_s=_DAY_S),
            Sink("RefundPayment", "Give money back.", "refund", Repeat.KEYED, objects=("refund",), key_ttl_s=_DAY_S),
        ),
        budgets=(
            Budget("account", "token", 100, 100, ("*",), _LIMITS),
            *(Budget(operation, "token", 25, 25, (operation,), _LIMITS) for operation in _OPERATIONS),
        ),
        signature="stripe",
        references=("payment", "refund", "dispute", "payout"),
    )  # fmt: skip
    Settings = StripeSettings

    def __init__(self, settings: StripeSettings) -> None:
        super().__init__(settings)
        families = statements.readers(settings.order_key, settings.system_key)
        self._readers = {topic.name: next(families[start] for start in families if topic.name.startswith(start)) for topic in _TOPICS}

    # --- in ----------------------------------------------------------------------------------------------------------
    def receive(self, headers: Mapping[str, str], body: bytes, now: int) -> Delivery:
        signatures.stripe(self.settings.webhook_secrets, body, headers.get("stripe-signature", ""), now / SECOND)
        try:
            event = read(body, _Peek)
        except Reject:
            return unread(body)
        return Delivery(event.type, event.id)

    def translate(self, topic: str, body: bytes) -> list[Said]:
        reader = self._readers.get(topic)
        if reader is None:
            topic = topic or read(body, _Peek).type
            if self.manifest.topic(topic) is None:
                raise Reject(f"{topic!r} is no event type of Stripe that this connector knows", "unknown_topic")
            raise Reject(f"{topic} says nothing of payments, refunds, disputes or payouts", "not_business")
        return [Said(event) for event in reader(body)]

    # --- feeds -------------------------------------------------------------------------------------------------------
    def pull(self, feed: str, cursor: str) -> Talk[Page]:
        """Lists run from new to old, so a pass walks down from the newest to `since`, and the next pass starts where it began.

        The cursor is "since" between passes and "since/newest/after" within one; all times are seconds of `created`.
        """
        since, newest, after = (*cursor.split("/"), "", "")[:3] if cursor else ("0", "", "")
        query = {"limit": str(PAGE_ROWS), "created[gte]": since} | ({"starting_after": after} if after else {})
        listed = yield from _listed(feed, query)
        items = [msgspec.json.decode(raw, type=_Item) for raw in listed.data]
        newest = newest or str(items[0].created if items else int(since) + OVERLAP_S)
        topics = (item.type for item in items) if feed == "events" else ("balance_transaction" for _ in items)
        rows = tuple(Row(topic, item.id, bytes(raw)) for topic, item, raw in zip(topics, items, listed.data, strict=True))
        if listed.has_more and items:
            return Page(rows, f"{since}/{newest}/{items[-1].id}", more=True)
        return Page(rows, str(max(int(since), int(newest) - OVERLAP_S)))

    def since(self, feed: str, at: int) -> str | None:
        return str(max(0, at // SECOND - OVERLAP_S))

    def fetch(self, feed: str, reference: str) -> Talk[tuple[Row, ...]]:
        """One event; or, of the balance, all lines of an automatic payout ("po_…")."""
        if feed == "events":
            reply = yield Call(operation="events", method="GET", path=f"/v1/events/{reference}")
            return (Row(reply.read(_Peek).type, reference, reply.body),)
        rows: list[Row] = []
        query = {"limit": str(PAGE_ROWS), "payout": reference}
        while True:
            listed = yield from _listed("balance", query)
            lines = [(msgspec.json.decode(raw, type=_Item).id, raw) for raw in listed.data]
            rows += [Row("payout_line", line, _with_payout(reference, raw)) for line, raw in lines]
            if not listed.has_more or not lines:
                return tuple(rows)
            query["starting_after"] = lines[-1][0]

    # --- out ---------------------------------------------------------------------------------------------------------
    def push(self, commands: Sequence[Command]) -> Talk[list[Outcome]]:
        outcomes: list[Outcome] = []
        for command in commands:
            try:
                outcomes.append((yield from self._carry_out(command)))
            except Failure as failure:
                outcomes.append(failure)
        return outcomes

    def _carry_out(self, command: Command) -> Talk[Outcome]:
        try:
            reply = yield _asking(command)
        except Reject:
            found = yield from self.look_up(command)  # refused because it is already so: captured, cancelled, refunded
            if found is None:
                raise
            return found
        return Done(_made(command, reply))

    def look_up(self, command: Command) -> Talk[Done | None]:
        if isinstance(command, RefundPayment):
            return (yield from _find_refund(command))
        payment = _payment_of(command)
        reply = yield Call(operation="intent", method="GET", path=f"/v1/payment_intents/{payment}")
        intent = reply.read(Intent)
        if isinstance(command, VoidPayment):
            applied = intent.status == "canceled"
        else:
            assert isinstance(command, CapturePayment)
            amount = words.from_minor(command.amount, command.currency)
            as_asked = command.final and intent.status == "succeeded" and intent.amount_received == amount
            applied = as_asked or intent.metadata.get("mainstay_capture") == command.key
        return Done(_made(command, reply)) if applied else None

    def subscriptions(self, url: str) -> Talk[tuple[Subscription, ...]]:
        """One endpoint brings all events. A person makes it: its signing secret is shown only once, and its version never changes."""
        found = yield from self._endpoint(url)
        if found is None:
            hint = f"no webhook endpoint of this Stripe account points to {url}: create it and set `webhook_secrets`"
            return tuple(Subscription(name, "missing", hint=hint) for name in _EVENTS)
        return tuple(found.standing(name) for name in _EVENTS)

    def subscribe(self, url: str, wrong: Sequence[Subscription]) -> Talk[None]:
        """Enable the endpoint and complete its events."""
        found = yield from self._endpoint(url)
        if found is None:
            raise Reject(f"the webhook endpoint of this Stripe account that pointed to {url} is gone", "not_found")
        events = sorted({*found.enabled_events, *(() if "*" in found.enabled_events else (one.topic for one in wrong))})
        fields = {"disabled": "false"} | {f"enabled_events[{n}]": name for n, name in enumerate(events)}
        yield Call(operation="endpoints", method="POST", path=f"/v1/webhook_endpoints/{found.id}", body=_form(fields))

    def _endpoint(self, url: str) -> Talk[_Endpoint | None]:
        reply = yield Call(operation="endpoints", method="GET", path="/v1/webhook_endpoints", query={"limit": str(PAGE_ROWS)})
        return next((one for one in reply.read(_Endpoints).data if one.url == url), None)

    # --- the wire ----------------------------------------------------------------------------------------------------
    def endpoints(self) -> Mapping[str, str]:
        return {"api": self.settings.url}

    def headers(self, call: Call, url: str, session: Session | None, now: int) -> Mapping[str, str]:
        headers = {"authorization": f"Bearer {self.settings.secret_key.reveal()}", "stripe-version": API_VERSION}
        if call.body:
            headers["content-type"] = "application/x-www-form-urlencoded"
        if call.key:
            headers["idempotency-key"] = call.key
        return headers

    def judge(self, call: Call, reply: Reply) -> Reply:
        """As HTTP says, with three of Stripe's own: a key in use, a key reused, and a failure that is stored under its key."""
        if reply.status == 409:  # another request with this key, or a lock on this object, is under way
            raise Retry(f"{call.operation}: {_code(reply) or 'conflict'}")
        if reply.status == 400 and _code(reply) == "idempotency_error":
            raise Reject(f"{call.operation}: the key {call.key} was used with other parameters", "key_reused")
        if reply.status >= 500 and reply.headers.get("idempotent-replayed") == "true":
            raise Unknown(f"{call.operation}: Stripe stored a failure under {call.key}, so that a repeat only shows it again")
        return judge(call, reply)


# --- calls -----------------------------------------------------------------------------------------------------------
def _asking(command: Command) -> Call:
    """The request that makes a command true; the same command gives the same bytes."""
    if isinstance(command, CapturePayment):
        amount = words.from_minor(command.amount, command.currency)
        fields = {"amount_to_capture": str(amount), "metadata[mainstay_capture]": command.key}
        if not command.final:
            fields["final_capture"] = "false"
        return _post("capture", f"/v1/payment_intents/{command.payment}/capture", fields, command.key)
    if isinstance(command, VoidPayment):
        fields = {"cancellation_reason": "requested_by_customer"}
        return _post("cancel", f"/v1/payment_intents/{command.payment}/cancel", fields, command.key)
    if isinstance(command, RefundPayment):
        amount = words.from_minor(command.amount, command.currency)
        fields = {_payment_field(command): command.payment, "amount": str(amount), "metadata[mainstay_refund]": command.key}
        if command.order:
            fields["metadata[order]"] = command.order
        return _post("refund", "/v1/refunds", fields, command.key)
    raise Reject(f"Stripe cannot carry out {type(command).__name__}", "not_capable")


def _find_refund(command: RefundPayment) -> Talk[Done | None]:
    query = {_payment_field(command): command.payment, "limit": str(PAGE_ROWS)}
    while True:
        reply = yield Call(operation="refunds", method="GET", path="/v1/refunds", query=query)
        listed = reply.read(_List)
        refunds = [msgspec.json.decode(raw, type=Refund) for raw in listed.data]
        for refund in refunds:
            if refund.metadata.get("mainstay_refund") == command.key:
                return Done({"refund": refund.id})
        if not listed.has_more or not refunds:
            return None
        query = query | {"starting_after": refunds[-1].id}


def _listed(feed: str, query: Mapping[str, str]) -> Talk[_List]:
    if feed == "balance":
        query = {**query, "expand[]": "data.source"}  # the charge names its payment intent
    path = {"events": "/v1/events", "balance": "/v1/balance_transactions"}[feed]
    reply = yield Call(operation=feed, method="GET", path=path, query=query)
    return reply.read(_List)


def _payment_of(command: Command) -> str:
    if isinstance(command, CapturePayment | VoidPayment):
        return command.payment
    raise Reject(f"Stripe cannot look up {type(command).__name__}", "not_capable")


def _payment_field(command: RefundPayment) -> str:
    """Payments made without an intent are known by their charge."""
    return "payment_intent" if command.payment.startswith("pi_") else "charge"


def _made(command: Command, reply: Reply) -> dict[str, str]:
    if isinstance(command, RefundPayment):
        return {"refund": reply.read(_Item).id}
    return {"payment": reply.read(_Item).id}


def _post(operation: str, path: str, fields: Mapping[str, str], key: str) -> Call:
    return Call(operation=operation, method="POST", path=path, body=_form(fields), key=key, repeat=Repeat.KEYED)


def _form(fields: Mapping[str, str]) -> bytes:
    return urlencode(fields).encode()


def _code(reply: Reply) -> str:
    """What an error calls itself; "" where the body is not Stripe's."""
    try:
        error = msgspec.json.decode(reply.body, type=_Refused).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return error.type if error.type == "idempotency_error" else error.code


def _with_payout(payout: str, raw: msgspec.Raw) -> bytes:
    return b'{"payout":' + msgspec.json.encode(payout) + b',"transaction":' + bytes(raw) + b"}"
