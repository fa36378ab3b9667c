"""Systems of the shop's own, and people, tell what they know in our own words: the canonical statements of `mainstay contracts`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from mainstay.flows import buyers
from mainstay.flows.ask import Ask, order_of, statements, with_skus
from mainstay.flows.intake import Intake
from mainstay.flows.statements import skus_of, statement
from mainstay.model.failures import Reject
from mainstay.model.identity import sku
from mainstay.model.objects import Noun
from mainstay.model.seen import Hint, OrderSeen, PriceSeen, ProductSeen, Said, StockCounted, StockMoved
from mainstay.model.times import SECOND
from mainstay.storage.inbox import Receipt

STATEMENTS_MAX = 500
FILED = "file/statements"  # a line of a file, with the same body; nobody waits for an answer, and what cannot be taken is a dead letter
AHEAD_US = 60 * SECOND  # that a speaker's clock may be before ours


class TellRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /v1/statements. Each counts as far as its speaker owns what it speaks of; a repeat changes nothing."""

    statements: Annotated[tuple[Said, ...], Meta(min_length=1, max_length=STATEMENTS_MAX)]


class Ended(Noun, frozen=True):
    """What became of one statement: applied, duplicate, stale (something newer is known), early (what it speaks of has not come yet),
    proposed (its speaker does not own it, see `reason`), parked (a dead letter says why), noted."""

    event: str
    external: str
    ended: str
    reason: str = ""


class TellAnswer(Noun, frozen=True):
    """What became of each statement, those about orders first."""

    statements: tuple[Ended, ...]


_request = msgspec.json.Decoder(TellRequest).decode


class Tell:
    """Handles the receipts of POST /v1/statements."""

    topic = "api/statements"

    def __init__(self, intake: Intake) -> None:
        self.intake, self.world = intake, intake.world
        intake.readers[self.topic] = self._read
        intake.handlers[self.topic] = self._hear

    def _read(self, receipt: Receipt) -> Ask:
        said = [statement(self.world, receipt, one.event, one.person) for one in told(receipt.body)]
        asks_first = receipt.system in self.intake.shop.policy.asks_first
        keys, skus = [], []
        for one in said:
            refuse_unfit(receipt.system, asks_first, one.said, receipt.at)
            keys += one.keys + buyers.keys_of(self.world, receipt.system, one.said, one.person)
            skus += skus_of(one.said)
        return Ask(said, keys, skus)

    def _hear(self, receipt: Receipt, ask: Ask) -> None:
        heard = self.intake.hear(receipt, ask.request)
        self.intake.end()
        ended = tuple(Ended(event=type(one.said).__name__, external=one.said.external, ended=how, reason=why) for one, how, why in heard)
        self.world.answers.append((receipt.seq, 200, TellAnswer(statements=ended)))
        self.intake.count(receipt, "applied" if any(one.ended == "applied" for one in ended) else ended[0].ended)


def refuse_unfit(system: str, asks_first: bool, said: Any, now: int) -> None:
    """Raise Reject for what a system cannot tell: what lies ahead, and an order that it should have asked for."""
    if said.at > now + AHEAD_US:
        ahead = (said.at - now) // SECOND
        raise Reject(f"{said.external!r} speaks of a time that is still to come, in {ahead} s: set the clock", "out_of_range")
    if type(said) is OrderSeen and asks_first:
        raise Reject(f"{system} asks before it sells: hand order {said.external!r} to POST /v1/orders", "schema")


def told(body: bytes) -> list[Said]:
    """The statements of a request, their SKUs in the one form that they have inside. Raises Reject."""
    return [replace(one, event=_named(one.event)) for one in _request(body).statements]


def statements_of(topic: str, body: bytes) -> list[Said]:
    """The translation of a system that speaks our words: for lines of files, `mainstay translate`, and dead letters tried again."""
    if topic in (Tell.topic, FILED):
        return told(body)
    if topic != "api/order":
        raise Reject(f"{topic!r} makes no statement by itself", "not_business")
    return statements(order_of(body))


def _named(said: Any) -> Any:
    if type(said) is Hint:
        raise Reject("a Hint asks us to fetch something, and nothing can be fetched from you: say what it would tell", "schema")
    if type(said) is OrderSeen:
        return replace(said, order=with_skus(said.order))
    if type(said) is ProductSeen:
        return replace(said, variants=tuple(replace(one, sku=sku(one.sku)) for one in said.variants))
    if type(said) in (StockCounted, StockMoved, PriceSeen) and said.sku:
        return replace(said, sku=sku(said.sku))
    return said
