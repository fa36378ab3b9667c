"""Plays for the conformance suite: things happen at a twin, a connector hears, reads and commands, and belief is compared with truth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from mainstay.contract.connector import Connector, Done, Row
from mainstay.contract.stage import Dice, ImitatedTwin, Stage, promise
from mainstay.contract.talk import Repeat
from mainstay.model.commands import Command, SetLevel, SetPrice
from mainstay.model.failures import Halt, Reject
from mainstay.model.seen import Said, SeenEvent
from mainstay.model.times import HOUR, SECOND

STEPS = 40  # what happens in one play
WISHES_MAX = 16  # pushed at once, where the vendor's bulk call is not for more


class Driver(Protocol):
    """Knows one system well enough to make things happen there and to say what is true.

    `stale_s`: how old a signed delivery may be; None where the scheme carries no time.
    """

    stale_s: float | None

    def act(self, twin: Any, dice: Dice, now: int) -> None:
        """Let something happen at the vendor: an order is placed, a count changes."""
        ...

    def wish(self, twin: Any, dice: Dice) -> Command | None:
        """A command that makes sense now, with any key; None where there is none."""
        ...

    def natural(self, command: Command) -> str:
        """The identity of the command's effect at the vendor, as `effects` names it."""
        ...

    def effects(self, twin: Any) -> Mapping[str, int]:
        """How often each effect really happened."""
        ...

    def truth(self, twin: Any) -> Mapping[str, object]:
        """What is true at the vendor now: comparable values by a natural id. Only what polling can tell."""
        ...

    def belief(self, said: Sequence[Said]) -> Mapping[str, object]:
        """The same shape from what the connector said, in any order; `latest` folds by version."""
        ...

    def garble(self, row: Row) -> Row | None:
        """The row with a word in it that the vendor never used; None where this row holds no such word."""
        ...


class Subject(Struct, frozen=True):
    """What is examined. `twin` makes a twin from dice and fault rates (names as in twins.imitation); `sources` are file name -> text."""

    name: str
    connector: Callable[[], Connector]
    twin: Callable[[Dice, Mapping[str, float]], ImitatedTwin]
    driver: Driver
    sources: Mapping[str, str]
    url: str = "https://mainstay.example/hooks"  # where the twin is to deliver


class Broken(Exception):
    """The promise of a check is not kept."""


def latest(said: Iterable[Said]) -> dict[tuple[str, str], SeenEvent]:
    """The newest statement of each (kind, external id), by its version."""
    newest: dict[tuple[str, str], SeenEvent] = {}
    for one in said:
        key = (type(one.event).__name__, one.event.external)
        if key not in newest or one.event.version >= newest[key].version:
            newest[key] = one.event
    return newest


def play(
    subject: Subject, dice: Dice, rates: Mapping[str, float] | None = None, *,
    deliveries: bool = True, crash: float = 0.0, steps: int = STEPS, backlog: int = 0,
) -> Stage:  # fmt: skip
    """Things happen, commands are pushed, deliveries come, feeds are read; at the end everything is read once more.

    `backlog`: how much has happened before we come, so that the first reading takes several pages.
    """
    twin = subject.twin(dice, rates or {})
    stage = Stage(subject.connector(), twin)
    seen: set[str] = set()

    def commits() -> bool:
        return dice.random() >= crash

    def meanwhile() -> None:
        if dice.random() < 0.5:
            subject.driver.act(twin, dice, stage.now)

    for _ in range(backlog):
        subject.driver.act(twin, dice, stage.now)
        stage.now += dice.randrange(0, 2) * SECOND
    for step in range(steps):
        stage.now += dice.randrange(0, 5) * SECOND
        subject.driver.act(twin, dice, stage.now)
        if dice.random() < 0.8:
            _wish(subject, stage, dice, seen, step)
        if deliveries:
            stage.listen()
        for feed in stage.cursors:
            if dice.random() < 0.3:
                stage.poll(feed, commits, meanwhile)
    for _ in range(2):
        stage.now += HOUR  # late deliveries, indexes and next-cycle books catch up
        if deliveries:
            stage.listen()
        for feed in stage.cursors:
            stage.poll(feed)
    return stage


def _wish(subject: Subject, stage: Stage, dice: Dice, seen: set[str], step: int) -> None:
    """Push some wishes of one kind together, as far as the sink takes several; at times enough of them for its bulk call."""
    batch: list[Command] = []
    bulk_from = max((sink.bulk_from for sink in stage.connector.manifest.sinks), default=1)
    for n in range(1 + dice.randrange(0, max(WISHES_MAX, 2 * bulk_from))):
        wish = subject.driver.wish(stage.twin, dice)
        if wish is None:
            continue
        wish = msgspec.structs.replace(wish, key=f"int-{step}-{n}")
        if subject.driver.natural(wish) in seen:
            continue
        sink = stage.connector.manifest.sink(type(wish).__name__)
        if sink is None:
            raise Broken(f"the driver wishes {type(wish).__name__}, which the manifest does not declare")
        if batch and (type(wish) is not type(batch[0]) or len(batch) >= sink.batch_max):
            continue
        if isinstance(wish, SetLevel | SetPrice) and wish.item in {getattr(one, "item", "") for one in batch}:
            continue  # lanes coalesce: of two levels of one place only the newest is sent
        seen.add(subject.driver.natural(wish))
        batch.append(wish)
    if batch:
        stage.carry_out(batch)


def agrees(subject: Subject, stage: Stage) -> None:
    """Belief is truth, and each effect happened as often as its outcome says."""
    halted = next((failure for failure in stage.failures if isinstance(failure, Halt)), None)
    if halted:
        raise Broken(f"it halted though nothing was wrong with its credentials: {halted.why}")
    truth, belief = subject.driver.truth(stage.twin), subject.driver.belief(stage.said)
    for key in sorted(truth.keys() | belief.keys()):
        if truth.get(key) != belief.get(key):
            raise Broken(f"{key}: we believe {belief.get(key)!r}, but the truth is {truth.get(key)!r}")
    effects = subject.driver.effects(stage.twin)
    for command, outcome in stage.outcomes:
        times, name = effects.get(subject.driver.natural(command), 0), f"{type(command).__name__} {subject.driver.natural(command)}"
        if isinstance(outcome, Done) and times == 0:
            raise Broken(f"{name} is reported as done, but never happened")
        if isinstance(outcome, Done) and times > 1 and promise(stage, command) is not Repeat.SAFE:
            raise Broken(f"{name} happened {times} times")
        if isinstance(outcome, Reject) and times:
            raise Broken(f"{name} is reported as refused ({outcome.why}), but it happened")
