"""Tryton 8: the ERP. Sales and returns go in, shipped and invoiced; products, levels, moves and invoices come out. JSON-RPC."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from mainstay.connectors.tryton import booking, feeds, words
from mainstay.connectors.tryton.posting import Parts
from mainstay.connectors.tryton.rpc import Answer, Rpc, Warned
from mainstay.connectors.tryton.statements import Change, Invoice, Level, Product, change_seen, invoice_seen, level_seen, product_seen
from mainstay.contract.connector import (
    Budget,
    Connector,
    Done,
    Feed,
    Manifest,
    Outcome,
    Page,
    Session,
    Settings,
    Sink,
    Topic,
    Url,
    read,
)
from mainstay.contract.talk import Call, Repeat, Reply, Talk, judge
from mainstay.model.commands import Command, PostReturn, PostSale
from mainstay.model.failures import Halt, Reject, Retry
from mainstay.model.secrets import Secret
from mainstay.model.seen import Said

SALES_MAX = 50  # of one bulk call: Tryton takes about half a second for each
SESSION_S = 240.0  # Tryton forgets a session after 300 s without a call


class TrytonSettings(Settings, frozen=True, kw_only=True):
    """How to reach one company of one Tryton database."""

    url: Annotated[Url, Meta(description="Base URL of the server.", examples=["https://erp.acme.example"])]
    database: Annotated[str, Meta(description="Name of the database.")]
    login: Annotated[str, Meta(description="The user that Mainstay works as.")]
    password: Annotated[Secret, Meta(description="The user's password.")]
    currency: Annotated[str, Meta(description="Currency of list prices: that of the company.", examples=["EUR"])] = "EUR"
    party: Annotated[str, Meta(description="Code of the collective customer that sales are booked on.")] = "WEB"
    warehouse: Annotated[str, Meta(description="Code of the warehouse that sales are shipped from.")] = "WH"
    products: Annotated[Parts, Meta(description="Codes of the service products that shipping, tax and the like are booked on.")] = Parts()


class _Error(Struct):
    error: list[Any] | None = None


class Tryton(Connector):
    """A Tryton server, as an ordinary user of it."""

    manifest = Manifest(
        name="tryton",
        title="Tryton",
        summary="The ERP: books sales and returns with shipment and invoice; says what is on hand and what moved.",
        source="https://docs.tryton.org/latest/server/topics/json_rpc.html",
        version="8.2",
        topics=(
            Topic("product", "A product with a code, and its list price.", ("product", "price")),
            Topic("level", "What a warehouse holds of a product.", ("inventory",)),
            Topic("move", "Units that came to a warehouse or left it.", ("inventory",)),
            Topic("invoice", "An invoice of a sale of ours.", ("order",)),
        ),
        feeds=(
            Feed("products", "Products that changed, with their list prices.", ("product",), every_s=300, objects=("product", "price")),
            Feed("levels", "What is on hand, of every product in every warehouse.", ("level",), 3600, ("inventory",), whole=True),
            Feed("moves", "Stock moves, those of our sales excepted.", ("move",), every_s=30, objects=("inventory",)),
            Feed("invoices", "Invoices of our sales.", ("invoice",), every_s=300, objects=("order",)),
        ),
        sinks=(Sink("PostSale", "Book a sale, its shipment and its invoice.", "model.sale.sale.create", Repeat.LOOKUP, SALES_MAX,
                    objects=("order",), gather_s=5.0),
               Sink("PostReturn", "Book goods that came back, and their credit note.", "model.sale.sale.create", Repeat.LOOKUP, SALES_MAX,
                    objects=("order",), gather_s=5.0)),
        budgets=(Budget("server", "concurrency", 4, source="our own: a server computes with one process, https://docs.tryton.org/latest/server/"),),
        references=("sale", "invoice", "shipment", "credit_note", "return"),
    )  # fmt: skip
    Settings = TrytonSettings

    def __init__(self, settings: TrytonSettings) -> None:
        super().__init__(settings)
        self._rpc = Rpc(settings.database, settings.login)

    # --- in ----------------------------------------------------------------------------------------------------------
    def translate(self, topic: str, body: bytes) -> list[Said]:
        if topic == "product":
            return [Said(product_seen(read(body, Product), self.settings.currency))]
        if topic == "level":
            return [Said(level_seen(read(body, Level)))]
        if topic == "move":
            return [Said(change_seen(read(body, Change)))]
        if topic == "invoice":
            return [Said(invoice_seen(read(body, Invoice)))]
        raise Reject(f"{topic!r} is no topic of Tryton that this connector knows", "unknown_topic")

    def pull(self, feed: str, cursor: str) -> Talk[Page]:
        rpc = yield from self._rpc.enter()
        if feed == "products":
            hidden = sorted(msgspec.structs.asdict(self.settings.products).values())
            return (yield from feeds.products(rpc, cursor, hidden))
        reading = {"levels": feeds.levels, "moves": feeds.moves, "invoices": feeds.invoices}[feed]
        return (yield from reading(rpc, cursor))

    # --- out ---------------------------------------------------------------------------------------------------------
    def push(self, commands: Sequence[Command]) -> Talk[list[Outcome]]:
        wanted = {command.reference: command for command in commands if isinstance(command, PostSale | PostReturn)}
        outcomes: dict[str, Outcome] = {}
        if wanted:
            rpc = yield from self._rpc.enter()
            settings = self.settings
            outcomes = yield from booking.book(rpc, wanted, settings.party, settings.warehouse, settings.products)
        foreign = Reject("Tryton can carry out PostSale and PostReturn only", "not_capable")
        return [outcomes[command.reference] if isinstance(command, PostSale | PostReturn) else foreign for command in commands]

    def look_up(self, command: Command) -> Talk[Done | None]:
        if not isinstance(command, PostSale | PostReturn):
            raise Reject(f"Tryton cannot look up {type(command).__name__}", "not_capable")
        rpc = yield from self._rpc.enter()
        return (yield from booking.booked(rpc, command))

    # --- the wire ----------------------------------------------------------------------------------------------------
    def endpoints(self) -> Mapping[str, str]:
        return {"api": self.settings.url}

    def login(self) -> Talk[Session] | None:
        return self._log_in()

    def _log_in(self) -> Talk[Session]:
        reply = yield self._rpc.plain("common.db.login", self.settings.login, {"password": self.settings.password.reveal()})
        granted = reply.read(Answer[list[Any] | None]).result
        if not granted:
            raise Halt(f"Tryton asks {self.settings.login} for more than a password")
        token = base64.b64encode(f"{self.settings.login}:{granted[0]}:{granted[1]}".encode()).decode()
        return Session(Secret(token), SESSION_S)

    def headers(self, call: Call, url: str, session: Session | None, now: int) -> Mapping[str, str]:
        """Tryton 8.2 labels long answers as gzip even to those who did not ask for it: so ask for it."""
        headers = {"content-type": "application/json", "accept-encoding": "gzip"}
        return headers | ({"authorization": f"Session {session.token.reveal()}"} if session else {})

    def judge(self, call: Call, reply: Reply) -> Reply:
        """Errors come as HTTP 200 with a list: the exception's name and its arguments. The transaction was rolled back."""
        judge(call, reply)
        error = reply.read(_Error).error
        if error is None:
            return reply
        name, details = str(error[0]), error[1] if len(error) > 1 else ""
        texts = [str(one) for one in details] if isinstance(details, list) else [str(details)]
        if name == "UserWarning" and len(texts) > 1:
            raise Warned(f"{call.operation}: {texts[1]}", texts[0])
        if name == "UserError":
            raise Reject(f"{call.operation}: {texts[0]}")
        if name == "ConcurrencyException" or any(race in name for race in words.LOST_RACES):
            raise Retry(f"{call.operation}: another change came first: {name}")
        raise Reject(f"{call.operation}: {name} {' '.join(texts)[:200]}")
