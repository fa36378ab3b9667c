"""What waits to be told to a system, and until when it will be gone at the vendor's own rate: an estimate, from what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil

from msgspec import Struct

from mainstay.contract.connector import Sink
from mainstay.delivery.connection import CONCURRENT, Connection, Effort
from mainstay.delivery.lanes import CONVERSATIONS, Lanes
from mainstay.delivery.levels import Levels
from mainstay.delivery.polls import Poll
from mainstay.model.times import SECOND, iso


class Backlog(Struct, frozen=True):
    """What a system has not been told yet: how many of each command, and for how many seconds the oldest has waited. `gone_in_s`: how
    long telling it takes from now on, if nothing more comes; while the system does not answer: from when it does. None: nobody can say."""

    waiting: dict[str, int]
    oldest_s: float
    gone_in_s: float | None
    gone_at: str  # the same as a time, UTC; empty where nobody can say


def backlog(connection: Connection, lanes: Lanes, levels: Iterable[Levels], polls: Iterable[Poll], now: int) -> Backlog:
    """The backlog of a system at this moment, in microseconds of UTC. `levels` and `polls` are those of this system."""
    waiting, since = lanes.kinds(), [*lanes.oldest().values()]
    for channel in levels:
        waiting[channel.command] += len(channel.dirty) + len(channel.busy)
        since += [at for at in (channel.oldest,) if at is not None]
    waiting = +waiting
    seconds = _seconds(connection, waiting, polls, now)
    oldest_s = max(0, now - min(since, default=now)) / SECOND
    gone_at = "" if seconds is None else iso(now + int(seconds * SECOND))
    return Backlog(dict(sorted(waiting.items())), round(oldest_s, 1), None if seconds is None else round(seconds, 1), gone_at)


def _seconds(connection: Connection, waiting: Mapping[str, int], polls: Iterable[Poll], now: int) -> float | None:
    """The slower of two: until the vendor's budgets have let all of it through, and until it has been said, so many at a time."""
    wanted, reading = Effort(), Effort()
    for command, count in waiting.items():
        sink = connection.connector.manifest.sink(command)
        effort = _effort(connection, command, sink)
        if effort is None:
            return None
        bulk = sink.batch_max if sink is not None and count >= sink.bulk_from else 1
        all_of_it = effort.times(ceil(count / bulk))
        wanted.take(all_of_it.units, all_of_it.seconds)
    for poll in polls:
        if effort := _mean(connection, poll.feed.name):
            reading.take(effort.times(1 / poll.every_s).units, 0.0)
    budgets_s = connection.budgets.seconds(wanted.units, reading.units, now)
    at_once = min(CONVERSATIONS, connection.budgets.concurrent or CONCURRENT)
    return None if budgets_s is None else max(budgets_s, wanted.seconds / at_once)


def _effort(connection: Connection, command: str, sink: Sink | None) -> Effort | None:
    """What one conversation of a kind takes: the mean of those that went well. Before there is one: a call of its operation, as long as
    a call costs one unit; what nobody limits, and what costs by its content, nobody knows yet."""
    if measured := _mean(connection, command):
        return measured
    limits = connection.budgets.covering(sink.operation) if sink is not None else []
    if not limits or any(one.kind == "cost" for one in limits):
        return None
    return Effort(1, {one.name: 1.0 for one in limits})


def _mean(connection: Connection, kind: str) -> Effort | None:
    effort = connection.efforts.get(kind)
    return effort and effort.times(1 / effort.conversations)
