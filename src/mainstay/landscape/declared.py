"""What `mainstay.toml` may say, as typed declarations: reading, defaults, the JSON Schema and the docs all come from here."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

Name = Annotated[str, Meta(pattern="^[a-z][a-z0-9_-]{0,30}$", description="A short lower-case name, used in ids: never rename it.")]
Pattern = Literal["event", "poll", "schedule", "file", "direct"]
TimeOfDay = Annotated[str, Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")]  # 02:30
Latency = Literal["checkout-blocking", "real-time", "same-day", "next-cycle", "finance-close"]
OBJECTS = (
    "product", "category", "price", "promotion", "inventory", "customer", "company", "address", "cart", "order", "payment", "tax",
    "fulfilment", "return", "refund", "loyalty", "content", "analytics-event", "settlement",
)  # fmt: skip
MAINSTAY = "mainstay"  # as source or target: Mainstay itself
MEASURED: Literal["measured"] = "measured"  # as the buffer of a channel
SMTP = "smtp"  # in an owner's `alerts`: by e-mail
PLACEHOLDER = "…"  # what `init` writes where it cannot know the value
READ_FOLDERS = ("done", "refused", "duplicate")  # in a folder that files are put into: what was read, or could not be, or is no news
OPERATOR = "operator"  # whom the token of people speaks for; other tokens speak for their system
FAILURE_MODES = (
    "rejected", "outcome_unknown", "connection_halted", "unknown_word", "totals_mismatch", "oversold", "expired", "lines_refused",
)  # fmt: skip


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Declarations refuse unknown keys, so that a typing error is seen."""


class Shop(Part, frozen=True):
    """The shop itself."""

    name: Annotated[str, Meta(min_length=1, description="What people call the shop.", examples=["Acme"])]
    currency: Annotated[str, Meta(min_length=3, max_length=3, description="The currency of the books, ISO 4217.", examples=["EUR"])]
    data: Annotated[str, Meta(description="Folder of the store, relative to this file.")] = "mainstay-data"


class Server(Part, frozen=True):
    """Where Mainstay listens."""

    listen: Annotated[str, Meta(description="Address; loopback unless you say otherwise.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="Port of webhooks and API.")] = 8700
    url: Annotated[str, Meta(description="The public base URL that webhook subscriptions point to.")] = ""
    api_token: Annotated[str, Meta(description="Bearer token of the API, by reference: env:NAME or file:PATH.")] = "file:api-token"
    max_body_bytes: Annotated[int, Meta(ge=1024, le=64_000_000, description="Larger deliveries are refused.")] = 2_000_000


class Owner(Part, frozen=True):
    """People who answer for something."""

    contact: Annotated[
        str,
        Meta(
            description="Where they are reached: an e-mail address, or a link (https:, slack:, tel:, mailto:).",
            examples=["ops@acme.example"],
        ),
    ]
    above: Annotated[str, Meta(description="The owner to whom they escalate a dead letter.", examples=["management"])] = ""
    alerts: Annotated[
        tuple[str, ...],
        Meta(
            description='How they are told what is wrong: "smtp", or names under [alerts.webhooks]. Nothing: by e-mail, if their contact'
            " is an address.",
            examples=[["smtp", "pager"]],
        ),
    ] = ()
    quiet: Annotated[
        str,
        Meta(
            pattern="^(([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9])?$",
            description="Quiet hours, HH:MM-HH:MM: what can wait is told when they end.",
            examples=["22:00-07:00"],
        ),
    ] = ""
    timezone: Annotated[str, Meta(description="On whose clock, by its IANA name.", examples=["Europe/Berlin"])] = "UTC"
    remind_s: Annotated[int, Meta(ge=60, description="After so long they are reminded of what is still wrong.")] = 14_400


class System(Part, frozen=True):
    """An outside system, or a channel of your own that calls the API (connector "api")."""

    connector: Annotated[str, Meta(description="Which connector speaks with it; `mainstay connector list` shows them.")]
    owner: Annotated[str, Meta(description="Who answers for it; a name under [owners].")]
    environment: Annotated[
        Literal["production", "sandbox", "test"],
        Meta(
            description="Which of its accounts this is. No flow joins production with another; `check` warns of test settings in"
            " production; MAINSTAY_TIME_FACTOR holds only outside of it. No id depends on it."
        ),
    ] = "production"
    since: Annotated[
        str,
        Meta(
            pattern=r"^(\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ)?$",
            description="When Mainstay began to look after it. An order that was over by then, cancelled or sent as a whole, is not taken:"
            " it was charged, sent and booked without us. A movement of stock until then is in its first count. Empty: all of them count.",
            examples=["2026-03-02T09:00:00Z"],
        ),
    ] = ""
    runbook: Annotated[str, Meta(description="Link to what to do when it fails; empty: the runbooks of its flows.")] = ""
    settings: Annotated[dict[str, Any], Meta(description="The connector's own settings; secrets by reference: env:NAME, file:PATH.")] = {}
    words: Annotated[
        dict[Annotated[str, Meta(pattern=r"^[^.]+\..+$")], str],
        Meta(
            description="How to read a word of theirs that the connector does not know: as another word of theirs, by field and word.",
            examples=[{"financial_status.on_review": "pending"}],
        ),
    ] = {}


class Rule(Part, frozen=True):
    """Who may say what of one field group of an object."""

    create: Annotated[tuple[str, ...], Meta(description="Systems that may bring a new one into being; empty: those in `update`.")] = ()
    update: Annotated[tuple[str, ...], Meta(description="Systems whose word changes it; empty: those in `create`.")] = ()
    consume: Annotated[tuple[str, ...], Meta(description="Systems that may be told; a flow must go to them, too.")] = ()
    conflict: Annotated[
        Literal["owner-wins", "newest-wins"] | None,
        Meta(description="What decides where several may update: their order in `update`, or the later time."),
    ] = None

    def creators(self) -> tuple[str, ...]:
        return self.create or self.update

    def updaters(self) -> tuple[str, ...]:
        return self.update or self.create


class Channel(Part, frozen=True):
    """Where the shop sells, and how much of the stock it may promise there."""

    system: Annotated[str, Meta(description="The system behind it.")]
    asks_first: Annotated[bool, Meta(description="True: it reserves through POST /v1/reservations before it sells.")] = False
    share: Annotated[float, Meta(gt=0, le=1, description="Part of what is available to promise that it may show.")] = 1.0
    cap: Annotated[Annotated[int, Meta(ge=0)] | None, Meta(description="Never show more than this.")] = None
    buffer: Annotated[
        Annotated[int, Meta(ge=0)] | Literal["measured"],
        Meta(
            description='Units held back from this channel; or "measured": of each SKU as many as may be sold, at its measured rate,'
            " in the measured time until a number is there."
        ),
    ] = 0
    oversell_chance: Annotated[
        float, Meta(gt=0, le=0.5, description='With `buffer = "measured"`: how often it may turn out too small for a number.')
    ] = 0.001
    stop_sell: Annotated[bool, Meta(description="Show nothing, at once.")] = False
    locations: Annotated[tuple[str, ...], Meta(description="Stock locations that serve it, as their system names them; empty: all.")] = ()
    location: Annotated[str, Meta(description="The channel's own id of the location that it is told levels for.")] = ""


class Orders(Part, frozen=True):
    """How orders are handled."""

    capture: Annotated[Literal["order", "shipment"], Meta(description="When the payment is taken.")] = "shipment"
    split: Annotated[bool, Meta(description="One order may be allocated over several locations.")] = True
    partial_shipment: Annotated[bool, Meta(description="Ship what is there before the rest.")] = True
    shortage: Annotated[Literal["backorder", "cancel"], Meta(description="What becomes of what was sold but is not there.")] = "backorder"
    holds: Annotated[
        tuple[str, ...],
        Meta(description="Reasons that hold an order for a person: totals that do not add up, an address that is not whole."),
    ] = ("totals",)
    payment_timeout_s: Annotated[int, Meta(gt=0, description="An order unpaid for so long is cancelled.")] = 86_400
    reservation_s: Annotated[int, Meta(gt=0, description="How long a reservation holds unless the caller says.")] = 900
    early_s: Annotated[int, Meta(gt=0, description="How long an early statement waits before it is escalated.")] = 86_400


class Flow(Part, frozen=True):
    """What goes from where to where, how soon, and who answers for it."""

    object: Annotated[str, Meta(description="One of the objects, such as order or inventory.")]
    source: Annotated[str, Meta(description="The system that it comes from, or mainstay.")]
    targets: Annotated[tuple[str, ...], Meta(description="The systems that are told of it; mainstay: it is only kept here.")]
    pattern: Annotated[
        Pattern,
        Meta(
            description="How it travels: by webhooks, with polls as a safety net; by polls alone; read at times of day; by files in a"
            " folder; or by a direct call."
        ),
    ]
    latency: Annotated[Latency, Meta(description="How soon the business needs it.")]
    owner: Annotated[str, Meta(description="Who answers for it; a name under [owners].")]
    runbook: Annotated[str, Meta(description="Link to what to do when it fails.")]
    failures: Annotated[dict[str, str], Meta(description="Who answers for a failure mode here, instead of the owner of the system.")] = {}
    every_s: Annotated[
        Annotated[float, Meta(gt=0)] | None, Meta(description="For poll: how often, instead of the connector's own interval.")
    ] = None
    at: Annotated[
        tuple[TimeOfDay, ...], Meta(description="For schedule: the times of day at which it is read, HH:MM.", examples=[["02:30", "14:00"]])
    ] = ()
    timezone: Annotated[
        str, Meta(description="For schedule: on whose clock, by its IANA name.", examples=["Europe/Berlin", "America/New_York"])
    ] = "UTC"
    folder: Annotated[
        str, Meta(description="For file: the folder that files are put into, relative to this file.", examples=["inbox/erp"])
    ] = ""


class Smtp(Part, frozen=True):
    """The mail server that alerts are handed to."""

    host: Annotated[str, Meta(description="Its name.", examples=["smtp.acme.example"])] = ""
    port: Annotated[int, Meta(ge=1, le=65535, description="Its port: 587 with starttls, 465 with tls.")] = 587
    tls: Annotated[
        Literal["starttls", "tls", "none"], Meta(description="How the way to it is kept private; none: within your own net alone.")
    ] = "starttls"
    user: Annotated[str, Meta(description="Who logs in; empty: nobody.")] = ""
    password: Annotated[str, Meta(description="The password, by reference: env:NAME or file:PATH.")] = ""
    sender: Annotated[str, Meta(description="The address that the mails come from.", examples=["mainstay@acme.example"])] = ""


class Webhook(Part, frozen=True):
    """Where alerts are posted, signed as Standard Webhooks."""

    url: Annotated[str, Meta(description="The address.", examples=["https://pager.acme.example/mainstay"])]
    secret: Annotated[str, Meta(description="The key of the signature (whsec_…), by reference: env:NAME or file:PATH.")]


class Alerts(Part, frozen=True):
    """How owners are told what is wrong."""

    smtp: Smtp = Smtp()
    webhooks: dict[Name, Webhook] = {}
    wait_s: Annotated[float, Meta(gt=0, description="New causes are gathered for so long before the first message.")] = 60.0
    over_s: Annotated[float, Meta(gt=0, description="A cause that stayed away for so long is over.")] = 120.0


class Landscape(Part, frozen=True):
    """The whole of mainstay.toml."""

    shop: Shop
    server: Server = Server()
    owners: dict[Name, Owner] = {}
    systems: dict[Name, System] = {}
    ownership: dict[str, dict[str, Rule]] = {}
    channels: dict[Name, Channel] = {}
    orders: Orders = Orders()
    flows: dict[Name, Flow] = {}
    alerts: Alerts = Alerts()
