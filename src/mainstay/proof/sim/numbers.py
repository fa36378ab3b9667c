"""Numbers are given out as things come: what is named by one store's numbers, named by those that another store has for the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from mainstay.flows.clerk import ReplayOrder
from mainstay.flows.world import World
from mainstay.model.events import Proposed, decode
from mainstay.model.outcome import TOPIC, Outcome
from mainstay.model.state import LetterState
from mainstay.storage.database import rows
from mainstay.storage.inbox import Receipt
from mainstay.storage.packing import unpack

OF_A_LETTER = frozenset(f"operator/{action}" for action in ("retry", "suppress", "assign", "escalate", "repair"))
Names = Callable[[World, Mapping[int, int]], Iterator[tuple[int, Any]]]  # (number, name) of all of a kind; receipts get other numbers
_outcome = msgspec.json.Decoder(Outcome).decode
_replay = msgspec.json.Decoder(ReplayOrder).decode
_letter = msgspec.json.Decoder(LetterState).decode


class Numbers(Struct):
    """How what one store has is numbered in another. `receipts`: the numbers there of the messages that came elsewhere."""

    ours: World
    theirs: World
    receipts: dict[int, int]

    def named(self, receipt: Receipt) -> Receipt:
        """What is asked, or was answered, by their numbers: 0 where they have no such thing, and nothing is done then."""
        if receipt.topic == TOPIC:
            outcome = _outcome(receipt.body)
            return replace(receipt, body=msgspec.json.encode(replace(outcome, entity=self._order(outcome.entity))))
        if receipt.topic in OF_A_LETTER:
            return replace(receipt, key=str(self._same(_letters, int(receipt.key))))
        if receipt.topic == "operator/replay":
            told = _replay(receipt.body)
            return replace(receipt, body=msgspec.json.encode(replace(told, receipts=tuple(self._replayed(told)))))
        return receipt

    def _order(self, number: int) -> int:
        """The same order; 0 where it has not been heard of, or where this is none."""
        self.ours.load_orders([number])
        order = self.ours.orders.get(number)
        if order is None:
            return 0
        key = self.theirs.key(order.system, "order", order.external)
        return self.theirs.store.find([key]).get(key, 0)

    def _same(self, names: Names, number: int) -> int:
        """What has the same name there, of several the one in the same place; 0 where there is none."""
        ours, theirs = dict(names(self.ours, self.receipts)), dict(names(self.theirs, {}))
        here, there = ([one for one, name in named.items() if name == ours.get(number)] for named in (ours, theirs))
        return dict(zip(here, there, strict=False)).get(number, 0)

    def _replayed(self, told: ReplayOrder) -> Iterator[int]:
        """The same messages, statements or effects, as far as they are there."""
        if told.stage == "receipt":
            yield from (self.receipts.get(number, number) for number in told.receipts)
            return
        names = _statements if told.stage == "statement" else _effects
        ours, theirs = dict(names(self.ours, self.receipts)), {name: number for number, name in names(self.theirs, {})}
        yield from (theirs[name] for name in map(ours.get, told.receipts) if name in theirs)


def _letters(world: World, receipts: Mapping[int, int]) -> Iterator[tuple[int, Any]]:
    """Dead letters, by what they are of, and their cause."""
    for number, body in rows(world.store.connection, "SELECT id, body FROM letter ORDER BY id"):
        letter = _letter(body)
        about = letter.key if letter.topic == TOPIC else receipts.get(letter.receipt, letter.receipt)
        yield number, (letter.system, letter.topic, letter.code, about)


def _statements(world: World, receipts: Mapping[int, int]) -> Iterator[tuple[int, Any]]:
    """Rows of the log, by the order that they are of; proposals by their message and what it says."""
    for number, kind, entity, body in rows(world.store.connection, "SELECT seq, kind, entity, body FROM event ORDER BY seq"):
        if kind == "order":
            world.load_orders([entity])
            yield number, world.orders[entity].uid
        elif kind == "proposal":
            one = decode(unpack(body))[0]
            assert isinstance(one, Proposed)
            yield number, (receipts.get(one.receipt, one.receipt), msgspec.json.encode(one.said))


def _effects(world: World, _: Mapping[int, int]) -> Iterator[tuple[int, Any]]:
    """Intents by their keys."""
    for number, system, body in rows(world.store.connection, "SELECT id, system, body FROM intent ORDER BY id DESC"):
        yield number, (system, msgspec.json.decode(unpack(body))["key"])
