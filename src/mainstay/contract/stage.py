"""A connector and a twin on one stage: calls are performed at once, without a socket, as lanes with retries would perform them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar
from urllib.parse import parse_qsl, urlsplit

from mainstay.contract.address import target
from mainstay.contract.connector import Connector, Done, Outcome, Row, Session
from mainstay.contract.talk import Call, Repeat, Reply, Talk, converse, lost
from mainstay.contract.twin import Cut, Post, Request, Twin
from mainstay.model.commands import Command
from mainstay.model.failures import Failure, Halt, Reject, Retry, Unknown
from mainstay.model.secrets import Secret
from mainstay.model.seen import Hint, Said
from mainstay.model.times import SECOND, micros

T = TypeVar("T")
START = micros("2026-03-02T12:00:00Z")
TRIES_MAX = 200
STEP = SECOND // 100  # what a call takes
PAGES_MAX = 500


class Dice(Protocol):
    """Chance, handed in: random.Random fits."""

    def random(self) -> float: ...
    def randrange(self, start: int, stop: int, /) -> int: ...


class ImitatedTwin(Twin, Protocol):
    """A twin that counts the faults that it made."""

    @property
    def fired(self) -> Mapping[str, int]: ...


class Exhausted(Exception):
    """Something did not come to an end, however often it was tried."""


class Stage:
    """One play of one connector with one twin. Everything that was called, said, parked and answered is kept."""

    def __init__(self, connector: Connector, twin: ImitatedTwin, now: int = START) -> None:
        self.connector, self.twin, self.now = connector, twin, now
        self.session: Session | None = None
        self._session_ends = 0
        self.calls: list[Call] = []
        self.failures: list[Failure] = []
        self.rows: list[Row] = []
        self.said: list[Said] = []
        self.parked: list[tuple[Row, Reject]] = []
        self.heard: list[tuple[Post, str, str, int]] = []  # delivery, topic, key, when
        self.outcomes: list[tuple[Command, Outcome]] = []
        self.cursors = {feed.name: "" for feed in connector.manifest.feeds}

    # --- calls -------------------------------------------------------------------------------------------------------
    def run(self, talk: Talk[T]) -> T:
        """Hold a conversation to its end."""
        return converse(talk, self.perform)

    def insist(self, make: Callable[[], Talk[T]]) -> T:
        """Hold a conversation anew until no Retry or Unknown ends it: for reads and for what is safe to repeat."""
        for _ in range(TRIES_MAX):
            try:
                return self.run(make())
            except (Retry, Unknown) as failure:
                self._wait(failure)
        raise Exhausted(f"no answer in {TRIES_MAX} tries; last: {self.failures[-1].why}")

    def perform(self, call: Call) -> Reply:
        """One call, with a log-in before it where a session is needed."""
        if self.session is None or self.now >= self._session_ends:
            talk = self.connector.login()
            if talk is not None:
                self.session = None
                self.session = converse(talk, self._perform)
                self._session_ends = self.now + int(self.session.expires_in_s * SECOND * 0.9)
        return self._perform(call)

    def _perform(self, call: Call) -> Reply:
        self.now += STEP
        self.calls.append(call)
        goes = target(call, self.connector, self.connector.manifest.name)
        url = urlsplit(goes.url)
        headers = {**call.headers, **(self.connector.headers(call, goes.url, self.session, self.now) if goes.ours else {})}
        query = {**dict(parse_qsl(url.query, keep_blank_values=True)), **call.query}
        request = Request(call.method, url.path, query, {name.lower(): value for name, value in headers.items()}, call.body)
        try:
            reply = self.twin.answer(request, self.now)
        except Cut:
            raise lost(call, "the connection was cut") from None
        return self.connector.judge(call, reply)

    def _wait(self, failure: Failure) -> None:
        self.failures.append(failure)
        after_s = failure.after_s if isinstance(failure, Retry) else None
        self.now += int((after_s or 1.0) * SECOND) + STEP

    # --- in ----------------------------------------------------------------------------------------------------------
    def poll(self, feed: str, commits: Callable[[], bool] = lambda: True, between: Callable[[], None] = lambda: None) -> None:
        """Read a feed to its end. Where `commits` says no, the shell crashed before its commit, and the page comes again."""
        for _ in range(PAGES_MAX):
            page = self.insist(lambda: self.connector.pull(feed, self.cursors[feed]))
            if not commits():
                continue
            self.cursors[feed] = page.cursor
            self.take(page.rows)
            if not page.more:
                return
            between()
        raise Exhausted(f"feed {feed} still has more after {PAGES_MAX} pages; cursor {self.cursors[feed]!r}")

    def take(self, rows: Sequence[Row]) -> None:
        """Translate rows, each alone: a bad one is parked and never stops its neighbours."""
        for row in rows:
            self.rows.append(row)
            try:
                said = self.connector.translate(row.topic, row.body)
            except Reject as reject:
                self.parked.append((row, reject))
            else:
                self._hear(said)

    def _hear(self, said: list[Said]) -> None:
        for one in said:
            if isinstance(one.event, Hint):
                hint = one.event
                try:
                    self.take(self.insist(lambda hint=hint: self.connector.fetch(hint.feed, hint.external)))  # type: ignore[misc]
                except Reject as reject:
                    self.parked.append((Row(f"hint {hint.feed}", hint.external, b""), reject))
            else:
                self.said.append(one)

    def listen(self) -> None:
        """Receive everything that the twin wants to deliver now, and acknowledge it."""
        for post in self.twin.due(self.now):
            delivery = self.connector.receive(post.headers, post.body, self.now)
            self.heard.append((post, delivery.topic, delivery.key, self.now))
            self.take([Row(delivery.topic, delivery.key, post.body)])
            self.twin.delivered(post.id, 200, self.now)

    # --- out ---------------------------------------------------------------------------------------------------------
    def carry_out(self, commands: Sequence[Command]) -> None:
        """Push commands of one kind until each has an outcome that is final: Done or Reject."""
        waiting = list(commands)
        for _ in range(TRIES_MAX):
            if not waiting:
                return
            again: list[Command] = []
            for command, outcome in zip(waiting, self._push(waiting), strict=True):
                final = self._final(command, outcome)
                if final is None:
                    again.append(command)
                else:
                    self.outcomes.append((command, final))
            waiting = again
        raise Exhausted(f"{type(waiting[0]).__name__} has no outcome after {TRIES_MAX} tries; last: {self.failures[-1].why}")

    def _push(self, commands: Sequence[Command]) -> list[Outcome]:
        try:
            outcomes = self.run(self.connector.push(commands))
        except Failure as failure:
            return [failure] * len(commands)
        if len(outcomes) != len(commands):
            raise Exhausted(f"{len(commands)} commands got {len(outcomes)} outcomes")
        return outcomes

    def _final(self, command: Command, outcome: Outcome) -> Outcome | None:
        """The outcome where it is final; None where the command is to be pushed again."""
        if isinstance(outcome, Done):
            self.take(outcome.rows)
            return outcome
        if isinstance(outcome, Reject | Halt):
            self.failures.append(outcome)
            return outcome
        self._wait(outcome)
        return self.insist(lambda: self.connector.look_up(command)) if isinstance(outcome, Unknown) else None


def promise(stage: Stage, command: Command) -> Repeat:
    """What the connector declares of a repeat of this command."""
    sink = stage.connector.manifest.sink(type(command).__name__)
    assert sink is not None, f"{type(command).__name__} was pushed but is not declared"
    return sink.repeat


def secrets_of(value: object) -> list[str]:
    """The texts of all secrets in settings, however deep."""
    if isinstance(value, Secret):
        return [value.reveal()]
    if isinstance(value, Mapping):
        return [text for one in value.values() for text in secrets_of(one)]
    if isinstance(value, list | tuple):
        return [text for one in value for text in secrets_of(one)]
    return [text for name in getattr(value, "__struct_fields__", ()) for text in secrets_of(getattr(value, name))]
