"""What the processes tell of themselves: snapshots beside the store, and Prometheus text at the edge. No personal data, no secrets."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mainstay.app.build import clock
from mainstay.delivery.dispatch import Dispatch, percentiles
from mainstay.edge.receive import Door
from mainstay.edge.record import Recorder
from mainstay.model.times import SECOND, iso
from mainstay.storage.inbox import InboxReader
from mainstay.storage.state import State

STALE_S = 10.0  # a process that has not told anything for so long counts as down


def write_snapshot(data: Path, role: str, what: dict[str, Any]) -> None:
    """Replace a role's snapshot."""
    path = data / f"{role}.now.json"
    fresh = path.with_suffix(".tmp")
    fresh.write_bytes(msgspec.json.encode({"at": clock(), **what}))
    os.replace(fresh, path)


def read_snapshot(data: Path, role: str) -> dict[str, Any]:
    """A role's last snapshot; empty where there is none."""
    try:
        return msgspec.json.decode((data / f"{role}.now.json").read_bytes())  # type: ignore[no-any-return]
    except FileNotFoundError:
        return {}


def snapshot(dispatch: Dispatch) -> dict[str, Any]:
    """How delivery fares."""
    now, channels = clock(), {}
    for channel, levels in dispatch.levels.items():
        p50, p99, most = percentiles(levels.latencies_us, 50, 99, 100)
        wait50, wait99 = percentiles(levels.waits_us, 50, 99)
        channels[channel] = {
            "propagation_ms": {"p50": p50, "p99": p99, "max": most},
            "budget_wait_ms": {"p50": wait50, "p99": wait99},
            "waiting": len(levels.dirty) + len(levels.busy),
            "sent": levels.sent,
        }
    prices = {system: {"waiting": len(one.dirty) + len(one.busy), "sent": one.sent} for system, one in dispatch.prices.items()}
    systems = {
        name: {
            "waiting": dispatch.lanes[name].waiting,
            "calls": dict(one.calls),
            "failures": dict(one.failures),
            "breaker": "closed" if one.healthy else "open",
            "reason": one.breaker.reason,
            "since": iso(one.breaker.since) if one.breaker.since else "",
            "halted": one.breaker.halted,
            "blocked": [{**head._asdict(), "since": iso(head.since)} for head in dispatch.lanes[name].blocked(now)],
        }
        for name, one in dispatch.connections.items()
    }
    polls = {
        f"{poll.connection.name}/{poll.feed.name}": {
            "pages": poll.pages, "rows": poll.rows, "failure": poll.failure, "next": iso(poll.due) if poll.times else "",
        }
        for poll in dispatch.polls
    }  # fmt: skip
    folders = {
        str(one.path): {
            "system": one.inflow.system, "files": one.files, "lines": one.lines, "refused": one.refused, "ignored": one.ignored,
            "last": one.last, "failures": list(one.failures.values()),
        }
        for one in dispatch.folders
    }  # fmt: skip
    flows = msgspec.to_builtins(dispatch.standings(now))
    told = {"channels": channels, "prices": prices, "systems": systems, "polls": polls, "folders": folders, "flows": flows}
    return {**told, "waiting": dispatch.waiting}


class Meters(Collector):
    """The edge's view over all processes of this machine."""

    def __init__(self, data: Path, door: Door, recorder: Recorder, letters: Callable[[], dict[tuple[str, str], tuple[int, int]]]) -> None:
        self.data, self.door, self.recorder, self.letters = data, door, recorder, letters
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> list[Metric]:
        now, dispatch = clock(), read_snapshot(self.data, "dispatch")
        lag = GaugeMetricFamily("mainstay_inbox_lag_receipts", "Receipts that the core has not handled yet.", labels=["inbox"])
        for inbox, behind in backlog(self.data).items():
            lag.add_metric([inbox], behind)
        age = GaugeMetricFamily("mainstay_inbox_lag_seconds", "Age of the oldest receipt that the core has not handled.", labels=["inbox"])
        for inbox, seconds in oldest_s(self.data, now).items():
            age.add_metric([inbox], seconds)
        letters = GaugeMetricFamily("mainstay_dead_letters_open", "Dead letters that nobody has dealt with.", labels=["code", "owner"])
        wait = GaugeMetricFamily("mainstay_dead_letters_oldest_seconds", "Age of the oldest open dead letter.", labels=["code", "owner"])
        for (code, owner), (count, since) in self.letters().items():
            letters.add_metric([code, owner], count)
            wait.add_metric([code, owner], max(0, now - since) / SECOND)
        accepted = CounterMetricFamily("mainstay_edge_accepted", "Deliveries made durable since the start.")
        accepted.add_metric([], self.recorder.accepted)
        refused = CounterMetricFamily("mainstay_edge_refused", "Deliveries refused at the door.", labels=["system", "code"])
        for (system, code), count in self.door.refused.items():
            refused.add_metric([system, code], count)
        waiting = GaugeMetricFamily("mainstay_intents_waiting", "Effects that have not ended.", labels=["system"])
        failures = CounterMetricFamily("mainstay_call_failures", "Failed calls, by code.", labels=["system", "code"])
        breaker = GaugeMetricFamily("mainstay_breaker_open", "1 while calls to the system pause.", labels=["system"])
        for system, one in dispatch.get("systems", {}).items():
            waiting.add_metric([system], one["waiting"])
            breaker.add_metric([system], 1 if one["breaker"] == "open" else 0)
            for code, count in one["failures"].items():
                failures.add_metric([system, code], count)
        spread = GaugeMetricFamily("mainstay_propagation_ms", "Stock commit to first permitted call.", labels=["channel", "quantile"])
        for channel, one in dispatch.get("channels", {}).items():
            for quantile, value in one["propagation_ms"].items():
                spread.add_metric([channel, quantile], value)
        blocked = GaugeMetricFamily("mainstay_keys_blocked", "Keys whose head of line does not get through.", labels=["system"])
        for system, one in dispatch.get("systems", {}).items():
            blocked.add_metric([system], len(one.get("blocked", ())))
        delay = GaugeMetricFamily("mainstay_flow_behind_seconds", "How far a flow is behind.", labels=["flow"])
        late = GaugeMetricFamily("mainstay_flow_late", "1 while a flow is later than the business needs it.", labels=["flow", "owner"])
        for flow, one in dispatch.get("flows", {}).items():
            delay.add_metric([flow], one["behind_s"])
            late.add_metric([flow, one["owner"]], one["late"])
        left = GaugeMetricFamily("mainstay_folder_failures", "Files that cannot be read or moved, or no folder.", labels=["folder"])
        for folder, one in dispatch.get("folders", {}).items():
            left.add_metric([folder], len(one["failures"]))
        return [lag, age, letters, wait, accepted, refused, waiting, failures, breaker, spread, blocked, delay, late, left]

    def not_ready(self) -> str:
        """Why the machine is not ready; empty when it is."""
        now = clock()
        for role in ("core", "dispatch"):
            at = read_snapshot(self.data, role).get("at", 0)
            if now - at > STALE_S * SECOND:
                return f"{role} has not been heard of for {STALE_S:.0f} s" if at else f"{role} has not started yet"
        return ""


def standing(data: Path) -> dict[str, Any]:
    """What the core has not handled (`lag`), and how delivery stands (`dispatch`): calls, breakers, flows that are late."""
    return {"lag": backlog(data), "dispatch": read_snapshot(data, "dispatch")}


def backlog(data: Path) -> dict[str, int]:
    """Receipts of each inbox that the core has not handled yet."""
    return {name: reader.behind(position) for name, reader, position in _inboxes(data)}


def oldest_s(data: Path, now: int) -> dict[str, float]:
    """For how many seconds the core has left the oldest unhandled receipt of each inbox; `now` in microseconds."""
    found = {}
    for name, reader, position in _inboxes(data):
        waiting = reader.after(position, 1)
        found[name] = max(0, now - waiting[0].at) / SECOND if waiting else 0.0
    return found


def _inboxes(data: Path) -> Iterator[tuple[str, InboxReader, int]]:
    """Each inbox with the core's position in it; none before there is a store."""
    try:
        state = State(data / "state.db", write=False)
    except Exception:
        return
    counters = state.counters()
    state.close()
    for name in ("inbox", "outcomes"):
        reader = InboxReader(data / f"{name}.db")
        yield name, reader, counters.get(f"position/{name}", 0)
        reader.close()
