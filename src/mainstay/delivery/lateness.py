"""Is each flow as fast as the business was promised? Measured where it can be late: at what waits to be told, and at what is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from mainstay.delivery.lanes import Lanes
from mainstay.delivery.levels import Levels
from mainstay.delivery.polls import Poll
from mainstay.landscape import TELLS
from mainstay.model.times import SECOND


class Promise(Struct, frozen=True, kw_only=True):
    """What the business was promised of a flow: to be no more than `within_s` seconds behind."""

    flow: str
    object: str
    source: str
    targets: tuple[str, ...]
    within_s: float
    owner: str


class Standing(Struct, frozen=True):
    """How a flow stands: `behind_s` seconds, of those that it may be."""

    behind_s: float
    within_s: float
    late: bool
    owner: str


def standings(
    promises: Iterable[Promise], lanes: Mapping[str, Lanes], levels: Iterable[Levels], polls: Iterable[Poll], now: int
) -> dict[str, Standing]:
    """Each flow's standing now, in microseconds of UTC."""
    waiting = _waiting(lanes, levels)
    unread = _unread(polls, now)
    found = {}
    for one in promises:
        oldest = min((waiting[key] for target in one.targets if (key := (target, one.object)) in waiting), default=now)
        behind_s = max((now - oldest) / SECOND, unread.get((one.source, one.object), 0.0))
        found[one.flow] = Standing(round(behind_s, 1), one.within_s, behind_s > one.within_s, one.owner)
    return found


def _waiting(lanes: Mapping[str, Lanes], levels: Iterable[Levels]) -> dict[tuple[str, str], int]:
    """Since when the oldest thing waits that a system is to be told: (system, object) -> microseconds."""
    oldest: dict[tuple[str, str], int] = {}
    for system, obj, at in _untold(lanes, levels):
        oldest[(system, obj)] = min(at, oldest.get((system, obj), at))
    return oldest


def _untold(lanes: Mapping[str, Lanes], levels: Iterable[Levels]) -> Iterator[tuple[str, str, int]]:
    for system, held in lanes.items():
        yield from ((system, obj, at) for obj, at in held.oldest().items())
    for channel in levels:
        if (at := channel.oldest) is not None:
            yield channel.connection.name, TELLS[channel.command][0], at


def _unread(polls: Iterable[Poll], now: int) -> dict[tuple[str, str], float]:
    """Seconds since an object's fastest feed was due to be read: (system, object) -> seconds."""
    fastest: dict[tuple[str, str], Poll] = {}
    for poll in polls:
        for obj in poll.feed.objects:
            key = (poll.connection.name, obj)
            if key not in fastest or poll.every_s < fastest[key].every_s:
                fastest[key] = poll
    return {key: max(0.0, (now - poll.due) / SECOND) for key, poll in fastest.items()}
