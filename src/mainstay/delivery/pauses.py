"""What people hold back: a system, a flow, a channel, a SKU or an order. Nothing is lost by it, and nothing overtakes what waits.

A system that is paused is not called at all. A flow is not told to its targets, nor read from its source. A channel and a SKU are not
told levels and prices. An order's effects wait. What is `draining` is held but for what was to go out before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple, Protocol

import msgspec

from mainstay.landscape import ANSWERS, TELLS
from mainstay.model.events import PauseSet

Rows = Callable[[], Sequence[tuple[str, str, int, bytes]]]  # of the table `pause`: what is held now
_set = msgspec.json.Decoder(PauseSet).decode


class Flow(Protocol):
    """A declared flow, as far as it matters here."""

    @property
    def flow(self) -> str: ...

    @property
    def object(self) -> str: ...

    @property
    def source(self) -> str: ...

    @property
    def targets(self) -> tuple[str, ...]: ...


class Pause(NamedTuple):
    """What is held back: its kind and name, since when (microseconds), and the item or order that is meant."""

    kind: str
    name: str
    drains: bool
    at: int
    entity: int

    @property
    def target(self) -> str:
        return f"{self.kind}:{self.name}"


class Pauses:
    """Asked before anything goes out. `refresh` learns what people have said since."""

    def __init__(self, rows: Rows, flows: Iterable[Flow]) -> None:
        self._rows, self._flows = rows, {one.flow: one for one in flows}
        self._now: tuple[Pause, ...] = ()
        self.resumed_at = 0  # when something last went on: nothing gives up for having been held
        self.refresh(0)

    @property
    def holding(self) -> bool:
        """Is anything held at all? Asked first where there is much to ask about."""
        return bool(self._now)

    def refresh(self, now: int) -> bool:
        """Look at what is held now; True where that has changed."""
        found = []
        for target, mode, at, body in self._rows():
            kind, _, name = target.partition(":")
            found.append(Pause(kind, name, mode == "draining", at, _set(body).entity))
        if tuple(found) == self._now:
            return False
        if any(one not in found for one in self._now):
            self.resumed_at = now
        self._now = tuple(found)
        return True

    def of_command(self, system: str, command: str, entity: int, at: int) -> str:
        """What holds an effect that was decided at `at`; empty where nothing does."""
        obj, _ = TELLS.get(command, ("", ""))
        for one in self._now:
            if one.drains and at <= one.at:
                continue
            if (one.kind, one.name) == ("system", system) or (one.kind == "key" and one.entity == entity):
                return one.target
            if one.kind == "flow" and self._tells(one.name, system, obj, command):
                return one.target
        return ""

    def of_number(self, system: str, obj: str, channel: str, item: int, at: int) -> str:
        """What holds a level or a price that changed at `at`; empty where nothing does."""
        for one in self._now:
            if one.drains and at <= one.at:
                continue
            if (one.kind, one.name) in (("system", system), ("channel", channel)) or (one.kind == "sku" and one.entity == item):
                return one.target
            if one.kind == "flow" and self._tells(one.name, system, obj, ""):
                return one.target
        return ""

    def of_reading(self, system: str, objects: Collection[str]) -> str:
        """What keeps a system from being read; empty where nothing does. With nothing to read, of being called at all."""
        for one in self._now:
            if (one.kind, one.name) == ("system", system):
                return one.target
            flow = self._flows.get(one.name) if one.kind == "flow" else None
            if flow is not None and flow.source == system and flow.object in objects:
                return one.target
        return ""

    def _tells(self, name: str, system: str, obj: str, command: str) -> bool:
        flow = self._flows.get(name)
        if flow is None or flow.object != obj:
            return False
        return system == flow.source if command in ANSWERS else system in flow.targets


NOTHING_HELD = Pauses(tuple, ())
