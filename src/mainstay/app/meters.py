"""How delivery fares, and Prometheus text at the edge. No personal data, no secrets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mainstay.app.build import clock
from mainstay.app.snapshots import STALE_S, backlog, oldest_s, read_snapshot, silent_s
from mainstay.delivery.dispatch import Dispatch, percentiles
from mainstay.delivery.hooks import Hooks
from mainstay.edge.api import Waiters
from mainstay.edge.receive import Door
from mainstay.edge.record import Recorder
from mainstay.model.times import SECOND, iso


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
    now = clock()
    backlogs = dispatch.backlogs(now)
    systems = {
        name: {
            "waiting": dispatch.lanes[name].waiting,
            "backlog": msgspec.to_builtins(backlogs[name]),
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
            "every_s": poll.every_s, "read": poll.read_at,
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
    told["subscriptions"] = {hooks.connection.name: custody(hooks) for hooks in dispatch.hooks}
    return {**told, "waiting": dispatch.waiting, "taken": dispatch.taken}


def custody(hooks: Hooks) -> dict[str, Any]:
    """How the subscriptions of a system stand, and the last silence of each feed."""
    return {
        "url": hooks.url,
        "looked_at": _iso(hooks.looked_at),
        "failure": hooks.failure,
        "missing": sum(1 for one in hooks.known.values() if one.wrong),
        "no_feed": list(hooks.unread),
        "topics": {
            topic: {
                "wrong": one.wrong, "hint": one.hint, "whole_at": _iso(one.whole_at), "noticed_at": _iso(one.noticed_at), "was": one.was,
                "made_at": _iso(one.made_at),
            }
            for topic, one in hooks.known.items()
        },
        "silences": {
            feed: {
                "since": iso(one.since), "until": iso(one.until), "topics": list(one.topics), "rows": one.rows,
                "read_at": _iso(one.read_at),
            }
            for feed, one in hooks.silences.items()
        },
    }  # fmt: skip


def _subscriptions(dispatch: dict[str, Any]) -> list[Metric]:
    missing = GaugeMetricFamily("mainstay_subscriptions_missing", "Subscriptions to events that are not whole.", labels=["system"])
    unread = GaugeMetricFamily("mainstay_silences_unread", "Feeds with a silent interval that is to be read.", labels=["system"])
    for system, one in dispatch.get("subscriptions", {}).items():
        missing.add_metric([system], one["missing"])
        unread.add_metric([system], sum(1 for silence in one["silences"].values() if not silence["read_at"]))
    return [missing, unread]


def _iso(at: int) -> str:
    return iso(at) if at else ""


class Meters(Collector):
    """The edge's view over all processes of this machine."""

    def __init__(
        self, data: Path, doors: Sequence[Door | Waiters], recorder: Recorder,
        letters: Callable[[], dict[tuple[str, str], tuple[int, int]]], drift: Callable[[], int],
    ) -> None:  # fmt: skip
        self.data, self.doors, self.recorder, self.letters, self.drift = data, doors, recorder, letters, drift
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
        refused = CounterMetricFamily("mainstay_edge_refused", "Deliveries and requests refused at the doors.", labels=["system", "code"])
        for (system, code), count in sum((Counter(door.refused) for door in self.doors), Counter()).items():
            refused.add_metric([system, code], count)
        waiting = GaugeMetricFamily("mainstay_intents_waiting", "Effects that have not ended.", labels=["system"])
        gone = GaugeMetricFamily("mainstay_backlog_gone_seconds", "Until what waits is told, at the vendor's rate.", labels=["system"])
        failures = CounterMetricFamily("mainstay_call_failures", "Failed calls, by code.", labels=["system", "code"])
        breaker = GaugeMetricFamily("mainstay_breaker_open", "1 while calls to the system pause.", labels=["system"])
        for system, one in dispatch.get("systems", {}).items():
            waiting.add_metric([system], one["waiting"])
            if (gone_in_s := one.get("backlog", {}).get("gone_in_s")) is not None:
                gone.add_metric([system], gone_in_s)
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
        drift = GaugeMetricFamily("mainstay_schema_drift_open", "Changes in how documents look that nobody has accepted.")
        drift.add_metric([], self.drift())
        told = [lag, age, letters, wait, accepted, refused, waiting, gone, failures, breaker, spread, blocked, delay, late, left, drift]
        return [*told, *_subscriptions(dispatch)]

    def not_ready(self) -> str:
        """Why the machine is not ready; empty when it is."""
        now = clock()
        for role in ("core", "dispatch"):
            said = read_snapshot(self.data, role)
            if not said:
                return f"{role} has not started yet"
            if silent_s(said, now):
                return f"{role} has not been heard of for {STALE_S:.0f} s"
        return ""
