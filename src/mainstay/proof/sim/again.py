"""The same receipts in other batches: state, ids, intents and answers must be the same to the byte."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, zip_longest
from typing import Any

import msgspec
from msgspec import Struct

from mainstay.flows.intake import Intake
from mainstay.flows.rebuild import compare
from mainstay.flows.shop import Shop
from mainstay.storage.packing import unpack
from mainstay.storage.state import State

BATCHES = (1, 2, 5, 17, 64)


class Taken(Struct, frozen=True):
    """What the core took at once: receipts of one inbox, or time-outs where `source` is empty; the time of the commit; and the shop as it
    was declared then."""

    source: str
    what: Sequence[Any]
    now: int
    shop: Shop


def differs(live: State, other: State, taken: Sequence[Taken], begin: Callable[[State, Shop], Intake], dice: random.Random) -> str:
    """Take all of it once more over an empty store, in batches of other sizes. The first difference; empty where there is none."""
    for shop, era in groupby(taken, key=lambda one: one.shop):
        intake = begin(other, shop)
        for part in _batched(era, dice):
            if part.source:
                intake.take(part.source, part.what, part.now)
            else:
                intake.expire(part.what, part.now)
    for what, read in (("events", _events), ("answers", _answers)):
        for ours, theirs in zip_longest(read(live), read(other)):
            if ours != theirs:
                return f"{what}: {ours} and {theirs}"
    found = compare(live, other).differences
    return found[0] if found else ""


def _batched(taken: Iterable[Taken], dice: random.Random) -> Iterator[Taken]:
    for source, run in groupby(taken, key=lambda one: one.source):
        parts = list(run)
        whole, now = [one for part in parts for one in part.what], parts[-1].now
        while whole:
            size = dice.choice(BATCHES)
            yield Taken(source, whole[:size], now, parts[0].shop)
            whole = whole[size:]


def _events(state: State) -> Iterator[Any]:
    """Events with their numbers. Reservations that follow each other share a row, which is numbered as its last one."""
    for seq, at, kind, entity, body in state.connection.execute("SELECT seq, at, kind, entity, body FROM event ORDER BY seq"):
        if kind != "reservations":
            yield seq, at, kind, entity, unpack(body)
            continue
        together = msgspec.json.decode(unpack(body))
        yield from ((seq - len(together) + n, kind, *one) for n, one in enumerate(together, 1))


def _answers(state: State) -> Iterator[Any]:
    for (body,) in state.connection.execute("SELECT body FROM answer ORDER BY receipt"):
        yield from msgspec.json.decode(unpack(body))
