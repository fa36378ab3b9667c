"""What travels: who is listened to, and who is told of what, by the declared flows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from mainstay.landscape.admit import Admission
from mainstay.landscape.declared import MAINSTAY, Flow, Landscape, Latency, Pattern
from mainstay.landscape.offers import ANSWERS, TELLS

LATENCIES: Mapping[Latency, float] = {  # seconds that the business will wait
    "checkout-blocking": 1,
    "real-time": 120,
    "same-day": 8 * 3600,
    "next-cycle": 24 * 3600,
    "finance-close": 31 * 24 * 3600,
}


class Traffic:
    """The flows, ready to be asked. Ownership says whose word counts; this says whose is heard, and who hears."""

    def __init__(self, landscape: Landscape) -> None:
        self._flows = tuple(landscape.flows.values())
        self._admission = Admission(landscape)

    def told(self, system: str, command: str) -> bool:
        """Is the system asked to do this? A flow must go to it, and it must be a consumer of those fields.

        What becomes of an order is told to whoever brought it: nobody else could act on it.
        """
        obj, group = TELLS[command]
        if command in ANSWERS:
            return any(flow.object == obj and flow.source == system for flow in self._flows)
        return any(flow.object == obj and system in flow.targets for flow in self._flows) and self._hears(system, obj, group)

    def takers(self, source: str, command: str) -> Iterator[str]:
        """Systems that are asked to do this with what the source brings, in the order of the file."""
        obj, group = TELLS[command]
        for flow in self._flows:
            if flow.object == obj and flow.source in (source, MAINSTAY):
                yield from (target for target in flow.targets if self._hears(target, obj, group))

    def brought(self, system: str, objects: Collection[str], *patterns: Pattern) -> list[Flow]:
        """The flows that bring one of these objects from the system in one of these ways."""
        return [flow for flow in self._flows if flow.source == system and flow.object in objects and flow.pattern in patterns]

    def within_s(self, system: str, command: str) -> float | None:
        """Seconds within which the system is to be told, by its most urgent flow; None where no flow goes to it."""
        obj, _ = TELLS[command]
        return min((LATENCIES[flow.latency] for flow in self._flows if flow.object == obj and system in flow.targets), default=None)

    def answered(self, system: str, objects: Collection[str]) -> bool:
        """Is the system told of one of these objects? Then it is also heard of them: what it calls them, and what it made of them."""
        return any(system in flow.targets and flow.object in objects for flow in self._flows)

    def _hears(self, system: str, obj: str, group: str) -> bool:
        return self._admission.may(system, obj, group, "consume")
