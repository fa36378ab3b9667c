"""A shell for tests: performs a connector's Calls on its twin as delivery would, at once and without a socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from mainstay.contract.address import target
from mainstay.contract.connector import Connector, Session
from mainstay.contract.talk import Call, Reply, Talk, converse, lost
from mainstay.contract.twin import Cut, Request, Twin
from mainstay.model.failures import Failure
from mainstay.model.times import SECOND, micros

T = TypeVar("T")
NOW = micros("2026-03-02T12:00:00Z")


class Wire:
    """Joins one connector to one twin. `now` moves on by `step` at each call; `calls` and `failures` keep what happened."""

    def __init__(self, connector: Connector, twin: Twin, now: int = NOW, step: int = SECOND // 100) -> None:
        self.connector, self.twin, self.now, self.step = connector, twin, now, step
        self.session: Session | None = None
        self.calls: list[Call] = []
        self.answered: list[tuple[Call, Reply]] = []
        self.failures: list[Failure] = []

    def run(self, talk: Talk[T]) -> T:
        """Hold a conversation to its end."""
        return converse(talk, self.perform)

    def insist(self, make: Callable[[], Talk[T]], tries: int = 200, pause: int = SECOND) -> T:
        """Hold the conversation again until it no longer raises a Failure, as lanes with retries would."""
        for _ in range(tries - 1):
            try:
                return self.run(make())
            except Failure as failure:
                self.failures.append(failure)
                self.now += pause
        return self.run(make())

    def perform(self, call: Call) -> Reply:
        if self.session is None:
            self._log_in()
        return self._perform(call)

    def _log_in(self) -> None:
        talk = self.connector.login()
        if talk is not None:
            self.session = converse(talk, self._perform)

    def _perform(self, call: Call) -> Reply:
        self.now += self.step
        self.calls.append(call)
        url, ours = target(call, self.connector, self.connector.manifest.name)
        headers = {**call.headers, **(self.connector.headers(call, url, self.session, self.now) if ours else {})}
        request = Request(call.method, urlsplit(url).path, dict(call.query), {k.lower(): v for k, v in headers.items()}, call.body)
        try:
            reply = self.twin.answer(request, self.now)
            self.answered.append((call, reply))
        except Cut:
            raise lost(call, "the connection was cut") from None
        return self.connector.judge(call, reply)

    def deliveries(self) -> list[tuple[str, Any]]:
        """Receive and translate everything that the twin wants to deliver now: (topic, statements), acknowledged with 200."""
        got = []
        for post in self.twin.due(self.now):
            delivery = self.connector.receive(post.headers, post.body, self.now)
            got.append((delivery.topic, self.connector.translate(delivery.topic, post.body)))
            self.twin.delivered(post.id, 200, self.now)
        return got
