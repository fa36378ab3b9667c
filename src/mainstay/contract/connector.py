"""The shape of a connector: what it declares, and the conversations it can hold. Nothing here does I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta, Struct

from mainstay.contract.talk import LINGERS_S, Call, Repeat, Reply, Talk, judge
from mainstay.contract.worth import Worth
from mainstay.model.commands import Command
from mainstay.model.failures import Failure, Reject
from mainstay.model.secrets import Secret
from mainstay.model.seen import Said

ROWS_MAX = 250  # rows of one page
MARK = b"\xef\xbb\xbf"  # that some senders put before UTF-8


class Topic(Struct, frozen=True):
    """A kind of inbound document. `objects` are ours: order, payment, inventory …; empty: kept, but not business."""

    name: str
    summary: str
    objects: tuple[str, ...] = ()
    worth: Worth | None = None  # where it states its money


class Feed(Struct, frozen=True):
    """Something that can be read in pages from a cursor."""

    name: str
    summary: str
    topics: tuple[str, ...]
    every_s: float = 60.0
    objects: tuple[str, ...] = ()
    whole: bool = False  # each reading tells all that there is, not what changed
    lag_s: float = 0.0  # for so long a change may not show in it yet
    queue: bool = False  # it brings what a subscription puts there, and so nothing of a time in which that was silent


class Sink(Struct, frozen=True):
    """A command that the connector can carry out."""

    command: str
    summary: str
    operation: str
    repeat: Repeat
    batch_max: int = 1
    objects: tuple[str, ...] = ()
    key_ttl_s: float | None = None  # how long the vendor keeps an idempotency key; None: for ever, or not needed
    bulk_from: int = 1  # from how many commands on a bulk call is worth it; fewer go one by one, side by side
    gather_s: float = 0.0  # how long commands may wait for others to be sent with them
    lingers_s: float = LINGERS_S  # for so long a call of which nobody heard again may still take effect
    replaces: bool = False  # what stands under its key is replaced: where it may have been asked in other words, it is looked up first


class Budget(Struct, frozen=True):
    """A vendor's limit, as data. `per_s` units flow back each second into a bucket of `capacity`."""

    name: str
    kind: Literal["leaky", "token", "cost", "concurrency"]
    capacity: float
    per_s: float = 0.0
    operations: tuple[str, ...] = ("*",)
    source: str = ""  # the page that says so


class Measured(Struct, frozen=True):
    """What an answer told of a budget: units left, and the flow where the vendor states it."""

    budget: str
    available: float | None = None
    per_s: float | None = None


class Row(Struct, frozen=True):
    """One raw document of a page or an answer, to be recorded as a receipt like any other. `key` is its event identity."""

    topic: str
    key: str
    body: bytes


class Page(Struct, frozen=True):
    """Rows of a feed and the position after them. Rows and cursor are recorded in one commit, or neither is."""

    rows: tuple[Row, ...]
    cursor: str
    more: bool = False


class Done(Struct, frozen=True):
    """A command was carried out. `references` are the ids that it got there, by kind; `rows` are documents that came back."""

    references: Mapping[str, str] = {}
    rows: tuple[Row, ...] = ()


Outcome = Done | Failure
Wrong = Literal["", "missing", "disabled", "elsewhere", "narrowed", "outdated"]


class Subscription(Struct, frozen=True):
    """A subscription to events that should exist, and what is wrong with it: it is not there, sleeps, points to another address, brings
    only a part, or speaks an older version of the API. `hint`: what a person must do where a call cannot mend it."""

    topic: str
    wrong: Wrong = ""
    id: str = ""  # the vendor's, where a wrong one is there
    hint: str = ""


class Delivery(Struct, frozen=True):
    """A verified inbound delivery: which topic, and the identity of the event (never that of the attempt)."""

    topic: str
    key: str


def unread(body: bytes) -> Delivery:
    """A delivery of a sender that has proved itself, whose body says neither topic nor id: its bytes are its identity."""
    return Delivery("", blake2b(body, digest_size=16).hexdigest())


class Session(Struct, frozen=True):
    """What a log-in gave: a token and how long it lives."""

    token: Secret
    expires_in_s: float


class Manifest(Struct, frozen=True, kw_only=True):
    """Everything a connector declares about itself; documentation, checks and limits are read from here."""

    name: str
    title: str
    summary: str
    source: str  # where the vendor documents the API
    version: str  # the API version that is spoken
    topics: tuple[Topic, ...] = ()
    feeds: tuple[Feed, ...] = ()
    sinks: tuple[Sink, ...] = ()
    budgets: tuple[Budget, ...] = ()
    signature: str = ""  # the scheme of inbound deliveries; empty: unsigned, a hint only
    items: Literal["own", "sku"] = "own"  # what it calls a stock item: an id of its own, learnt from its products, or our SKU
    references: tuple[str, ...] = ()  # kinds of its own ids that `trace` understands
    domains: tuple[str, ...] = ()  # under which its answers name addresses to call, beside its own endpoints

    def topic(self, name: str) -> Topic | None:
        return next((topic for topic in self.topics if topic.name == name), None)

    def feed(self, name: str) -> Feed | None:
        return next((feed for feed in self.feeds if feed.name == name), None)

    def sink(self, command: str) -> Sink | None:
        return next((sink for sink in self.sinks if sink.command == command), None)


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A connector's settings in `mainstay.toml`. Field types and Meta(description=…) make the docs, the schema and the masking."""


Url = Annotated[str, Meta(extra_json_schema={"format": "uri"})]  # a setting that is an https address
SystemName = Annotated[str, Meta(extra_json_schema={"format": "system"})]  # a setting that names another system of the shop


class Connector:
    """A vendor. Subclasses set `manifest` and `Settings`, and implement what their manifest declares."""

    manifest: ClassVar[Manifest]
    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    # --- in: bytes to statements -------------------------------------------------------------------------------------
    def receive(self, headers: Mapping[str, str], body: bytes, now: int) -> Delivery:
        """Prove the sender over the raw bytes and name the event. Header names are lower case; `now` is in microseconds.

        Raises Forged. Reads as little of the body as it can: this runs before the acknowledgement. One that it cannot read is `unread`:
        its topic is "", and `translate` raises what is wrong with it.
        """
        raise Reject(f"{self.manifest.name} sends no webhooks", "unknown_topic")

    def translate(self, topic: str, body: bytes) -> list[Said]:
        """Their words to ours. Raises Reject with a code; never guesses."""
        raise NotImplementedError

    def pull(self, feed: str, cursor: str) -> Talk[Page]:
        """One page of a feed from a cursor ("" at first)."""
        raise NotImplementedError

    def fetch(self, feed: str, reference: str) -> Talk[tuple[Row, ...]]:
        """One object that a thin notification spoke of."""
        raise NotImplementedError

    # --- out: commands to effects ------------------------------------------------------------------------------------
    def push(self, commands: Sequence[Command]) -> Talk[list[Outcome]]:
        """Carry out commands of one kind; one outcome each, in their order. Bisects a bulk call that is refused as a whole."""
        raise NotImplementedError

    def look_up(self, command: Command) -> Talk[Done | None]:
        """Was this command applied? None says: surely not."""
        raise NotImplementedError

    def since(self, feed: str, at: int) -> str | None:
        """A cursor from which the feed brings all that changed since `at` (UTC microseconds), what the feed reads twice included. None
        where none can be made."""
        return None

    def events_to(self, url: str) -> str:
        """Where the vendor is to send its events: to `url`, which leads to our door ("" where there is no public address), or elsewhere,
        to be read from there. "" where none can come."""
        return url

    def subscriptions(self, url: str) -> Talk[tuple[Subscription, ...]]:
        """The subscriptions that should exist and point to `url` (of `events_to`), each with what is wrong with it. Changes nothing."""
        yield from ()  # a conversation without a call
        return ()

    def subscribe(self, url: str, wrong: Sequence[Subscription]) -> Talk[None]:
        """Make or mend subscriptions that `subscriptions` found wrong and gave no hint for. Safe to repeat."""
        yield from ()

    # --- how the wire is spoken --------------------------------------------------------------------------------------
    def endpoints(self) -> Mapping[str, str]:
        """Base URLs by endpoint name; "api" is the default."""
        raise NotImplementedError

    def login(self) -> Talk[Session] | None:
        """A conversation that opens a session, or None where a static key serves. Its calls use `headers` with session None."""
        return None

    def headers(self, call: Call, url: str, session: Session | None, now: int) -> Mapping[str, str]:
        """Headers that authenticate this call; `now` in microseconds, for signatures."""
        raise NotImplementedError

    def judge(self, call: Call, reply: Reply) -> Reply:
        """Return the reply or raise what it means."""
        return judge(call, reply)

    def measured(self, call: Call, reply: Reply) -> tuple[Measured, ...]:
        """What the reply says about rate budgets."""
        return ()

    def __repr__(self) -> str:
        return f"<{self.manifest.name} connector>"


def settings_of(connector: type[Connector], values: Mapping[str, Any]) -> Any:
    """The connector's settings from plain values; Reject `schema` names the field."""
    try:
        return msgspec.convert(values, connector.Settings, dec_hook=_reveal)
    except msgspec.ValidationError as error:
        raise Reject(f"settings of {connector.manifest.name}: {error}", "schema") from None


def _reveal(kind: type, value: Any) -> Any:
    if kind is Secret:
        return value if isinstance(value, Secret) else Secret(str(value))
    raise NotImplementedError(f"no way to read {kind}")


def read(body: bytes, kind: type[Any]) -> Any:
    """An inbound body as `kind`; Reject with the code that says what is wrong with it."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise Reject(str(error), "schema" if body.lstrip()[:1] == b"{" else "not_an_object") from None
    except RecursionError:
        raise Reject("nested deeper than any business document", "too_deep") from None
    except msgspec.DecodeError as error:
        if body.startswith(MARK):
            return read(body[len(MARK) :], kind)
        raise Reject(*_why_unreadable(body, str(error))) from None
    except UnicodeDecodeError as error:
        raise Reject(f"not UTF-8 at byte {error.start}", "not_utf8") from None


def _why_unreadable(body: bytes, error: str) -> tuple[str, str]:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as wrong:
        return f"not UTF-8 at byte {wrong.start}", "not_utf8"
    return f"not JSON: {error}", "json_syntax"
