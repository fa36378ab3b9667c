"""A first mainstay.toml from a few answers: complete, commented, and clean under `check` once the secrets are there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Struct

from mainstay.landscape.admit import EVERY, GROUPS, SHARED
from mainstay.landscape.declared import MAINSTAY, MEASURED, OBJECTS, PLACEHOLDER, Flow, Latency, Orders, Pattern, Rule, Server
from mainstay.landscape.offers import EMPTY, Offer, Setting
from mainstay.landscape.runbooks import PAGE

OWNER = "operations"
LATENCY: Mapping[str, Latency] = {  # all others: same-day
    "order": "real-time", "inventory": "real-time", "payment": "real-time", "fulfilment": "real-time", "settlement": "finance-close",
}  # fmt: skip
NEEDED = ("webhook_secrets", "location")  # optional, but without them every delivery is refused, and no level is read


class Question(NamedTuple):
    """What `mainstay init` asks. `answer` names the field of Answers."""

    answer: str
    text: str
    example: str


QUESTIONS = (
    Question("shop", "What is the shop called?", "Acme"),
    Question("currency", "In which currency are its books? (ISO 4217)", "EUR"),
    Question(
        "contact", "Who answers when something fails? (an e-mail address, or a link: https:, slack:, tel:, mailto:)", "ops@acme.example"
    ),
    Question("systems", "Which systems does it run on? (name=connector, separated by commas)", "shop=shopify, erp=tryton"),
    Question("asks_first", "Which of them can ask Mainstay before they sell? (names, separated by commas, or nothing)", ""),
    Question("url", "Where can the systems send their events? (the public https address, or nothing)", "https://mainstay.acme.example"),
)


class Answers(Struct, frozen=True, kw_only=True):
    """What a shop has to say. `systems`: name -> connector; `settings` and `locations` by system name."""

    shop: str
    currency: str
    contact: str
    systems: Mapping[str, str]
    asks_first: tuple[str, ...] = ()
    url: str = ""
    environment: Literal["production", "sandbox", "test"] = "production"
    settings: Mapping[str, Mapping[str, Any]] = {}
    locations: Mapping[str, str] = {}


DEMO = Answers(
    shop="Demo", currency="EUR", contact="you@shop.example", url="http://127.0.0.1:8700", environment="test",
    asks_first=("webshop", "till"),
    systems={
        "shop": "shopify", "amazon": "amazon", "webshop": "api", "till": "api",
        "payments": "stripe", "erp": "tryton", "warehouse": "shipstation",
    },
)  # fmt: skip


def demo(
    offers: Mapping[str, Offer], settings: Mapping[str, Mapping[str, Any]], locations: Mapping[str, str], lacks: Collection[str] = ()
) -> str:
    """The demo shop: two channels that sell on their own, two that ask first, payments, an ERP, a warehouse; less what it `lacks`."""
    systems = {name: connector for name, connector in DEMO.systems.items() if name not in lacks}
    return write(msgspec.structs.replace(DEMO, systems=systems, settings=settings, locations=locations), offers)


def write(answers: Answers, offers: Mapping[str, Offer]) -> str:
    """The text of mainstay.toml. `offers` holds the connectors by name; KeyError where a system names another."""
    plan = _Plan(answers, {name: offers[connector] for name, connector in answers.systems.items()})
    return "\n".join([*_head(answers), *_systems(plan), *_ownership(plan), *_channels(plan), *_orders(), *_flows(plan)])


class _Plan:
    """Which system speaks and hears of what, worked out from what the connectors can do."""

    def __init__(self, answers: Answers, offers: Mapping[str, Offer]) -> None:
        self.answers, self.offers = answers, offers
        self.channels = [name for name, offer in offers.items() if offer.patterns("order") and "inventory" in offer.told()]
        self.warehouses = self.doing("ReleaseOrder")
        self.books = self.doing("PostSale")

    def doing(self, command: str) -> list[str]:
        return [name for name, offer in self.offers.items() if command in offer.commands]

    def provider(self, offer: Offer) -> dict[str, str]:
        """The payment provider's name, for a connector that must know whose payment ids it is told."""
        names = self.doing("CapturePayment")
        return {"payment_system": names[0]} if names and any(one.name == "payment_system" for one in offer.settings) else {}

    def speakers(self, obj: str) -> list[str]:
        """Every system whose connector brings the object; a system of your own is only asked for orders."""
        able = [name for name, offer in self.offers.items() if offer.patterns(obj) and (obj == "order" or not offer.asks)]
        if obj == "order":
            return [name for name in able if name in self.channels]
        if obj not in SHARED:
            return able
        if obj == "inventory":  # a channel counts only what it shows itself; where nobody else counts, people do
            return [name for name in self.warehouses + self.books if name in able][:1] or [MAINSTAY]
        return sorted(able, key=lambda name: (name not in self.channels, self.channels.index(name) if name in self.channels else 0))[:1]

    def sources(self, obj: str) -> list[str]:
        """The speakers; and of products every channel, which says what it calls them."""
        speakers = [name for name in self.speakers(obj) if name != MAINSTAY]
        if obj != "product":
            return speakers
        others = [name for name in self.channels if name not in speakers and not self.offers[name].asks]
        return speakers + [name for name in others if self.offers[name].patterns(obj)]

    def hearers(self, obj: str) -> list[str]:
        if obj == "order":
            return self.warehouses + self.books
        if obj == "fulfilment":
            return [name for name in self.channels if obj in self.offers[name].told()]
        if obj == "inventory":
            return [name for name in self.channels if name not in self.speakers(obj)]
        told = [name for name, offer in self.offers.items() if obj in offer.told() and not offer.asks]
        return [name for name in told if obj not in SHARED or name not in self.speakers(obj)]

    def carried(self) -> list[str]:
        return [obj for obj in OBJECTS if self.speakers(obj)]

    def rules(self, obj: str) -> dict[str, Rule]:
        """The ownership rules of an object, by field group."""
        create, consume = tuple(self.speakers(obj)), tuple(self.hearers(obj))
        if obj == "inventory":
            listing = Rule(create=(MAINSTAY,), consume=consume)
            return {"on_hand": Rule(create=create), "available": Rule(create=create), "listing": listing}
        rules = {EVERY: Rule(create=create, consume=consume)}
        if obj == "order" and self.books:
            rules["invoice"] = Rule(create=tuple(self.books))
        if obj == "product":
            sellers = tuple(self.sources(obj))
            rules["variants"] = Rule(create=sellers, consume=consume, conflict="owner-wins" if len(sellers) > 1 else None)
        return rules

    def flows(self) -> dict[str, Flow]:
        flows = {}
        for obj in self.carried():
            hearers = self.hearers(obj)
            hub = obj == "inventory" or set(hearers) & set(self.speakers(obj))  # what comes in and what goes out are different statements
            for source in self.sources(obj):
                flows[f"{obj}-from-{source}"] = self._flow(obj, source, () if hub else tuple(hearers), self._pattern(obj, source))
            if hub and hearers:
                flows[f"{obj}-to-systems"] = self._flow(obj, MAINSTAY, tuple(hearers), "direct")
        return flows

    def _flow(self, obj: str, source: str, targets: tuple[str, ...], pattern: Pattern) -> Flow:
        runbook = f"{PAGE}#{obj}"
        return Flow(
            object=obj,
            source=source,
            targets=targets or (MAINSTAY,),
            pattern=pattern,
            latency=LATENCY.get(obj, "same-day"),
            owner=OWNER,
            runbook=runbook,
        )

    def _pattern(self, obj: str, source: str) -> Pattern:
        offer = self.offers[source]
        ways = offer.patterns(obj)
        heard = offer.signs and self.answers.url
        return next((way for way in ways if way != "event" or heard), ways[0])


ALERTS = """
# How the owners are told what is wrong, once for each cause; `mainstay alerts test --to operations` sends a first message. For example:
#   [alerts.smtp]
#   host = "smtp.acme.example"
#   user = "mainstay"
#   password = "env:SMTP_PASSWORD"
#   sender = "mainstay@acme.example"
#   [alerts.webhooks.pager]
#   url = "https://pager.acme.example/mainstay"
#   secret = "env:PAGER_SECRET"
# and in [owners.operations]:
#   alerts = ["smtp", "pager"]
#   quiet = "22:00-07:00"
#   timezone = "Europe/Berlin\""""


# --- text --------------------------------------------------------------------------------------------------------------
def _head(answers: Answers) -> Iterator[str]:
    yield "# The shop as Mainstay sees it. `mainstay check` says what is missing or ambiguous; `mainstay up` starts it."
    yield ""
    yield from _table("shop", {"name": answers.shop, "currency": answers.currency})
    yield "\n# Where it listens, and where the systems send their events. What is commented out is what holds without it."
    given = {"url": answers.url} if answers.url else {}
    yield from _table("server", given)
    yield from _defaults(Server, given)
    yield "\n# The people who answer for systems and flows."
    yield from _table(f"owners.{OWNER}", {"contact": answers.contact})
    yield ALERTS


def _systems(plan: _Plan) -> Iterator[str]:
    yield "\n# The systems. A name stands in ids for ever; secrets stand outside this file, as env:NAME or file:PATH."
    for name, offer in plan.offers.items():
        yield f"\n# {offer.title}"
        environment = plan.answers.environment
        fields = {"connector": offer.connector, "owner": OWNER} | ({"environment": environment} if environment != "production" else {})
        yield from _table(f"systems.{name}", fields)
        given = {"currency": plan.answers.currency, **plan.provider(offer), **plan.answers.settings.get(name, {})}
        needed = [one for one in offer.settings if one.required or one.name in given or offer.asks or one.name in NEEDED]
        if needed:
            yield ""
            yield from _table(f"systems.{name}.settings", {one.name: given.get(one.name, _sample(name, one)) for one in needed})


def _sample(system: str, setting: Setting) -> Any:
    """A first value: the reference of a secret, the documented example, or an empty value of the type."""
    kind = setting.schema.get("type", "string")
    if setting.secret:
        reference = "env:" + f"{system}_{setting.name}".upper().replace("-", "_")
        return [reference] if kind == "array" else reference
    return next(iter(setting.schema.get("examples", [])), EMPTY.get(kind, PLACEHOLDER))


def _ownership(plan: _Plan) -> Iterator[str]:
    yield "\n# Who may say what. What a system says beyond this is kept as a proposal and changes nothing."
    for obj in plan.carried():
        groups = f"; its field groups: {', '.join(GROUPS[obj])}" if len(GROUPS[obj]) > 1 else ""
        yield f"\n# {obj}{groups}"
        for group, rule in plan.rules(obj).items():
            fields = {name: value for name in ("create", "consume", "conflict") if (value := getattr(rule, name))}
            yield from _table(f"ownership.{obj}.{group}", fields)


def _channels(plan: _Plan) -> Iterator[str]:
    yield "\n# Where it sells. A channel that asks first can never oversell; the others keep back what may be sold"
    yield "# while a number is on its way, and may be bounded by share and cap."
    for name in plan.channels:
        asks = {"asks_first": True} if name in plan.answers.asks_first else {"buffer": MEASURED}
        location = {"location": plan.answers.locations[name]} if name in plan.answers.locations else {}
        yield ""
        yield from _table(f"channels.{name}", {"system": name} | asks | location)


def _orders() -> Iterator[str]:
    yield "\n# How orders are handled. What is commented out is what holds without it."
    yield from _table("orders", {})
    yield from _defaults(Orders, {})


def _defaults(part: type[Struct], given: Mapping[str, Any]) -> Iterator[str]:
    """What a table may say beyond what is given: its defaults, as comments."""
    for field in msgspec.structs.fields(part):
        if field.name not in given:
            about = next((one.description for one in getattr(field.type, "__metadata__", ()) if one.description), "")
            yield f"# {field.name} = {as_toml(field.default)}  # {about}"


def _flows(plan: _Plan) -> Iterator[str]:
    yield "\n# What travels from where to where, how soon it is needed, and who answers for it."
    for name, flow in plan.flows().items():
        fields = {one.name: value for one in msgspec.structs.fields(flow) if (value := getattr(flow, one.name)) not in (one.default, {})}
        yield ""
        if flow.pattern == "event" and not plan.answers.url:
            yield f"# Nothing can arrive here yet: {flow.source} brings this by event alone, and there is no public url to send it to."
        yield from _table(f"flows.{name}", fields)
    yield ""


def _table(name: str, fields: Mapping[str, Any]) -> Iterator[str]:
    yield f"[{name}]"
    for key, value in fields.items():
        yield f"{key} = {as_toml(value)}"


def as_toml(value: Any) -> str:
    """One TOML value; a JSON string without DEL is a TOML string."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{as_toml(key)} = {as_toml(member)}" for key, member in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007F")
