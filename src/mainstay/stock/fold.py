"""How stock follows from events: a ledger for each item and location. The store's CHECK guards the same invariants again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from mainstay.model.events import Allocated, Deallocated, ReservationEnded, Reserved, Share, Shipped
from mainstay.model.seen import StockCounted, StockMoved
from mainstay.model.state import LOCATIONS_MAX, Level

PARTS = ("in_transit", "damaged", "safety")  # numbers beside what is on hand, stated and never moved
RECENT_MAX = 32  # movements remembered for late counts

Movement = tuple[int, int, bool]  # (when, units, ours)
LevelOf = Callable[[int, int], Level]  # (item, location) -> its level, to be changed in place


def level_id(item: int, location: int) -> int:
    """The number of a stock row."""
    return item * LOCATIONS_MAX + location


def free(level: Level) -> int:
    """Available to promise: on hand, less what is spoken for, broken, or kept back. Never negative."""
    return max(0, level.on_hand - level.allocated - level.reserved - level.damaged - level.safety)


def checked(level: Level) -> Level:
    """The invariants of a stock row; the store has them as a CHECK."""
    assert level.on_hand >= 0 and level.allocated >= 0 and level.reserved >= 0 and level.deficit >= 0, f"negative stock: {level}"
    assert level.allocated + level.reserved <= level.on_hand + level.deficit, f"promised more than there is: {level}"
    return level


def fold(event: Any, level_of: LevelOf, at: int, *, books: bool) -> None:
    """Apply a decision about units; other events do not touch stock. `at` is when it was decided, in microseconds; `books` says whether
    there is somebody who books what left."""
    kind = type(event)
    if kind is Allocated:
        for share in event.shares:
            level = level_of(share.item, share.location)
            if event.reservation:
                level.reserved -= share.quantity
            level.allocated += share.quantity
            checked(level)
    elif kind is Deallocated:
        for share in event.shares:
            _give_up(level_of(share.item, share.location), allocated=share.quantity)
    elif kind is Shipped:
        _shipped(event, level_of, at, books)
    elif kind is Reserved:
        for share in event.shares:
            level = level_of(share.item, share.location)
            level.reserved += share.quantity
            checked(level)
    elif kind is ReservationEnded:
        for share in event.shares:
            _give_up(level_of(share.item, share.location), reserved=share.quantity)


def freed_or_taken(event: Any) -> set[int]:
    """Items of which more or fewer may be sold after this event. What was allocated and now leaves changes nothing."""
    shares = event.beyond if type(event) is Shipped else getattr(event, "shares", ())
    return {share.item for share in shares}


def _shipped(event: Shipped, level_of: LevelOf, at: int, books: bool) -> None:
    for share in event.shares:
        level = level_of(share.item, share.location)
        _give_up(level, allocated=share.quantity)
        _leave(level, share.quantity, at, books)
    for share in event.beyond:
        _leave(level_of(share.item, share.location), share.quantity, at, books)


def _leave(level: Level, units: int, at: int, books: bool) -> None:
    _stand(level, _standing(level) - units)
    level.unbooked += units if books else 0
    _remember(level, at, -units, ours=True)


def booked(shares: Iterable[Share], level_of: LevelOf) -> None:
    """The ERP knows of these shipped units now: its counts include them from here on."""
    for share in shares:
        level = level_of(share.item, share.location)
        level.unbooked = max(0, level.unbooked - share.shipped)


def doubted(shares: Iterable[Share], level_of: LevelOf) -> None:
    """Nobody knows any more whether the ERP has booked these shipped units: until it is known, its counts are not believed."""
    for share in shares:
        level_of(share.item, share.location).unbooked += share.shipped


def counted(said: StockCounted, level: Level, *, behind: bool) -> None:
    """Take over an absolute count. It speaks of the moment `said.at`: movements after it are applied again, so that a count never
    resurrects sold units. A counter that learns of shipments from us (`behind`) is not believed about an item while some of its
    shipments are still on their way to it: nobody can say whether its number holds them. Its next count will, so
    that those shipments are not applied to it again; its own movements are. The same holds for a
    count that is older than the movements that we remember."""
    if said.measure in PARTS:
        _part(said, level)
        return
    if said.at < level.counted_at or _forgotten(said, level) or (behind and level.unbooked):
        return
    later = sum(units for when, units, ours in level.recent if when > said.at and not (behind and ours))
    _stand(level, said.quantity + later)
    level.counted_at = said.at


def _forgotten(said: StockCounted, level: Level) -> bool:
    """Does a count speak of a moment since which there were more movements than are remembered?"""
    return len(level.recent) == RECENT_MAX and said.at < level.recent[0][0]


def late(said: StockCounted, level: Level, *, behind: bool) -> bool:
    """Is a count that is read so late not to be believed? Not where movements since are forgotten; nor, of a counter that learns of
    shipments from us, where some left since: they would be back on the shelf."""
    left = behind and any(ours and when > said.at for when, _, ours in level.recent)
    return said.measure not in PARTS and (_forgotten(said, level) or left or (behind and level.unbooked > 0))


def corrected(said: StockCounted | StockMoved, was: StockCounted | StockMoved, level: Level) -> None:
    """What was said of this level had been read as `was`: only the difference counts, so that nothing since is undone. What a later count
    holds already changes nothing."""
    if isinstance(said, StockCounted):
        assert isinstance(was, StockCounted) and (was.at, was.measure) == (said.at, said.measure), "the same moment, read otherwise"
        if said.measure in PARTS:
            _part(said, level)
        elif said.at == level.counted_at:
            _stand(level, _standing(level) + said.quantity - was.quantity)
        return
    assert isinstance(was, StockMoved)
    counted = level.counted_at
    difference = (said.delta if said.at > counted else 0) - (was.delta if was.at > counted else 0)
    _stand(level, _standing(level) + difference)
    known = (was.at, was.delta, False)
    if known in level.recent:
        level.recent = tuple(sorted([*_without(level.recent, known), (said.at, said.delta, False)]))
    elif said.at > counted:
        _remember(level, said.at, said.delta, ours=False)


def _without(recent: Sequence[Movement], one: Movement) -> list[Movement]:
    at = recent.index(one)
    return [*recent[:at], *recent[at + 1 :]]


def stale(said: StockCounted, level: Level) -> bool:
    """Does a count speak of a moment before one that was counted already?"""
    return said.at < (level.stated[PARTS.index(said.measure)] if said.measure in PARTS else level.counted_at)


def _part(said: StockCounted, level: Level) -> None:
    if stale(said, level):
        return
    setattr(level, said.measure, max(0, said.quantity))
    when = list(level.stated)
    when[PARTS.index(said.measure)] = said.at
    level.stated = (when[0], when[1], when[2])


def moved(said: StockMoved, level: Level) -> None:
    """Take over a movement that its system made: received, written off, transferred. A later count holds it already."""
    if said.at <= level.counted_at:
        return
    _stand(level, _standing(level) + said.delta)
    _remember(level, said.at, said.delta, ours=False)


def _remember(level: Level, at: int, units: int, *, ours: bool) -> None:
    level.recent = tuple(sorted([*level.recent, (at, units, ours)])[-RECENT_MAX:])


def _give_up(level: Level, *, allocated: int = 0, reserved: int = 0) -> None:
    """Units are promised no more."""
    there = _standing(level)
    level.allocated -= allocated
    level.reserved -= reserved
    _stand(level, there)


def _standing(level: Level) -> int:
    """Units that the books have here: below zero where more left than had come, until what came is told, too."""
    return level.on_hand or level.allocated + level.reserved - level.deficit


def _stand(level: Level, units: int) -> None:
    """Set what the books have. What is promised or gone beyond the shelf is named as the deficit, and the next units make it up: so
    movements end the same in any order."""
    level.on_hand = max(0, units)
    level.deficit = max(0, level.allocated + level.reserved - units)
    checked(level)
