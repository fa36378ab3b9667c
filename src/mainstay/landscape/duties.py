"""Who answers when something goes wrong, and by which page: what owners, runbooks and failure modes declare."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from msgspec import Struct

from mainstay.landscape.declared import MAINSTAY, Flow, Owner, System
from mainstay.landscape.traffic import LATENCIES


class Duty(NamedTuple):
    """The name of an owner, where they are reached (empty: not declared), and links to what to do."""

    owner: str
    contact: str
    runbooks: tuple[str, ...]


class Duties(Struct, frozen=True):
    """Asked with a system, the topic of a message (empty: not known) and a failure's code."""

    owners: Mapping[str, Owner] = {}
    systems: Mapping[str, System] = {}
    flows: Mapping[str, Flow] = {}
    objects: Mapping[tuple[str, str], Collection[str]] = {}  # (system, topic) -> what it speaks of; another topic may speak of anything

    def of(self, system: str, topic: str, code: str) -> Duty:
        """The owner that a flow names for this failure, by that flow's runbook; else the system's.

        A flow counts where the system is its source or among its targets. A system without a runbook has those of its flows.
        """
        flows = [flow for flow in self.flows.values() if self._carries(flow, system, topic)]
        named = next((flow for flow in flows if code in flow.failures), None)
        if named is not None:
            return self._duty(named.failures[code], (named.runbook,))
        declared = self.systems.get(system)
        if declared is None:
            return self._duty("operations", ())
        pages = (declared.runbook,) if declared.runbook else tuple(dict.fromkeys(flow.runbook for flow in flows))
        return self._duty(declared.owner, pages)

    def within_s(self, system: str, topic: str) -> float:
        """Seconds within which the business needs what failed: of the most urgent flow that carries it, else a day."""
        flows = [LATENCIES[flow.latency] for flow in self.flows.values() if self._carries(flow, system, topic)]
        return min(flows, default=LATENCIES["next-cycle"])

    def stranger(self, system: str) -> str:
        """What to say of a question about a system that nobody has declared and that nothing is known of; "" where it is a name of ours."""
        if not system or not self.systems or system in {MAINSTAY, *self.systems}:
            return ""
        return f"no system is called {system!r}; there are: {', '.join(sorted(self.systems))}"

    def _carries(self, flow: Flow, system: str, topic: str) -> bool:
        of = self.objects.get((system, topic))
        if of is not None:
            return flow.source == system and flow.object in of
        return system == flow.source or system in flow.targets

    def _duty(self, owner: str, runbooks: tuple[str, ...]) -> Duty:
        known = self.owners.get(owner)
        return Duty(owner, known.contact if known else "", runbooks)
