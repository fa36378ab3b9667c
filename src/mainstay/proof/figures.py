"""`make bench`: runs every benchmark and writes docs/performance.md from what it measured, with the machine named."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mainstay.proof.bench import BENCHES, faults


class Budget(NamedTuple):
    """A bound on one figure of a result, by its path: at least `bound`, or at most."""

    figure: tuple[str, ...]
    sense: Literal["≥", "≤"]
    bound: float
    words: str

    def value(self, result: Mapping[str, Any]) -> float | None:
        """The measured figure; None where it was not measured, or in a run that was not correct."""
        found: Any = result if result["correct"] else {}
        for part in self.figure:
            found = (found or {}).get(part)
        return found  # type: ignore[no-any-return]

    def met(self, value: float) -> bool:
        return value >= self.bound if self.sense == "≥" else value <= self.bound


def _ratio(other: str, least: float) -> Budget:
    return Budget(("ratios", other), "≥", least, f"times {other}")


STALL = "of a healthy channel's p99 is what a stalled one adds"
WHY: Mapping[tuple[str, str], str] = {  # a budget is missed: what was found when it was profiled (2026-11-23, two cores)
    ("orders", "times pydantic + one SQLite commit per order, intake alone"): "what it is compared with waits for the disk once an order, "
    "ours once in 64: on a disk that takes 0.24 ms for it, as here, it is 1.15 to 1.35, on a slower one more. Ours takes 0.25 ms of the "
    "processor, a fifth more than before orders left from several stores, moved house and were asked back",
    ("orders", "rows written for an order"): "five lines are five rows of stock and five postings, and each reference of a vendor has a "
    "row by which it is found. What rows cost is bytes and time: both are within their budgets",
    ("loop", STALL): "a p99 of a quarter of a minute is the thirty slowest calls, and lay between 16 and "
    "37 ms in calm runs of one hour. While one channel stalls the others are told a sixth more often, as less waits to be merged; what is "
    "typical for them is moved by 1 % at the most",
    ("saga", "times DBOS, 64 started at once"): "a saga is five messages, each decided, posted and logged by itself: 0.45 ms, of which "
    "SQLite takes a third and no function of ours more than 4 %. What it is compared with does five steps that do nothing",
    ("saga", "times one at a time / DBOS one at a time"): "five commits, each of which waits for the disk: bare ones take 1.2 ms, ours 1.8 "
    "of the 2.5 ms of a saga",
    ("reserve", "times uniform / SQLite UPDATE … WHERE by 1,000"): "a reservation is five rows (itself, the level, its event, its answer, "
    "its key). To write and to find them takes SQLite 12 µs of the 37; the comparator's one row takes 6.5",
    ("reserve", "times hot / SQLite UPDATE … WHERE by 1,000"): "a row that is at hand is updated in 1.5 µs: half of that rate leaves 3 µs, "
    "in which nothing else could be kept",
    ("reserve", "times uniform / PostgreSQL UPDATE … WHERE, 16 connections"): "PostgreSQL does 8,700 a second here, so that 6 µs would be "
    "left for a reservation: SQLite's part of ours takes 12",
    ("reserve", "times hot / PostgreSQL UPDATE … WHERE, 16 connections"): "one row that all connections wait for: 1,800 to 3,000 a second "
    "here, so that 8 to 14 µs would be left; ours takes 22, of which SQLite takes a quarter",
}
BUDGETS: Mapping[str, tuple[Budget, ...]] = {
    "accept": (
        Budget(("rate",), "≥", 8_000, "deliveries a second"),
        _ratio("the same server answering without storing", 0.6),
        _ratio("FastAPI + pydantic + SQLite with group commit", 4),
        Budget(("latency_at_half_rate_ms", "p99"), "≤", 50, "ms, p99 at half that rate"),
    ),
    "intake": (_ratio("pydantic + one SQLite transaction per order", 4), _ratio("the same batched by 256", 1.3)),
    "orders": (
        Budget(("rate",), "≥", 3_000, "orders a second"),
        _ratio("pydantic + one SQLite commit per order, intake alone", 1.2),
        Budget(("bytes_per_order",), "≤", 4_096, "bytes stored for an order"),
        Budget(("row_writes_per_order", "all"), "≤", 10, "rows written for an order"),
    ),
    "saga": (_ratio("DBOS, 64 started at once", 100), _ratio("one at a time / DBOS one at a time", 5)),
    "reserve": (
        _ratio("uniform / SQLite UPDATE … WHERE by 1,000", 0.5),
        _ratio("hot / SQLite UPDATE … WHERE by 1,000", 0.5),
        _ratio("uniform / PostgreSQL UPDATE … WHERE, 16 connections", 20),
        _ratio("hot / PostgreSQL UPDATE … WHERE, 16 connections", 40),
    ),
    "oversell": (
        Budget(
            ("ratios", "mainstay"), "≤", 0.02, "of the units that a batch every 15 minutes oversells, at channels that sell on their own"
        ),
        Budget(("unsold_because_of_buffers",), "≤", 0.01, "of the units left unsold because of buffers"),
        Budget(("oversold_units_asked_first",), "≤", 0, "units oversold where we are asked first"),
    ),
    "loop": (
        Budget(("propagation_p99_ms",), "≤", 50, "ms from a stock commit to the first permitted call, p99"),
        Budget(("moved_by_the_stall",), "≤", 0.1, STALL),
    ),
    "grow": (
        _ratio("empty", 0.8),
        Budget(("held",), "≥", 1_000_000, "orders held"),
        Budget(("resident_mib",), "≤", 1_024, "MiB of resident memory"),
    ),
    "restart": (
        Budget(("first_acknowledgement_s",), "≤", 3, "s to the first acknowledgement"),
        Budget(("backlog_gone_s",), "≤", 30, "s until the backlog is gone"),
    ),
}
FIGURES = (
    "latency_at_half_rate_ms", "duplicates", "row_writes_per_order", "bytes_per_order", "resident_mib", "first_acknowledgement_s",
    "backlog_gone_s", "acknowledged_and_lost", "propagation_p99_ms", "propagation_p99_ms_one_channel_stalled", "moved_by_the_stall",
    "typically_moved_by_the_stall",
    "held", "store_bytes_per_order",
)  # fmt: skip


def measured(name: str, quick: bool) -> dict[str, Any]:
    """One benchmark in a process of its own, so that none inherits another's memory."""
    command = [sys.executable, "-m", "mainstay.app.cli", "bench", name, "--json", *(["--quick"] if quick else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.stdout.strip():
        raise RuntimeError(f"bench {name} said nothing: {done.stderr[-800:]}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def page(results: list[dict[str, Any]], at: str) -> str:
    """The Markdown of docs/performance.md."""
    machine = results[0]["machine"]
    lines = [
        "# Performance",
        "",
        "Generated by `make bench`; do not edit. Every ratio is measured in one run, product and comparator in turn, medians of the",
        "repetitions. Durability is on everywhere: SQLite WAL with synchronous=FULL. A figure counts only where its run was correct.",
        "",
        f"Measured {at} on {machine['cpu']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}, "
        f"SQLite {machine['sqlite']}.",
        "",
        *_missed(results),
        "",
    ]
    for result in results:
        lines += _section(result)
    return "\n".join(lines) + "\n"


def _missed(results: list[dict[str, Any]]) -> list[str]:
    """First of all what is not kept."""
    found = [
        f"- {result['bench']}: {value:,}, and {one.sense} {one.bound:,} {one.words} is due{_why(result['bench'], one)}"
        for result in results
        for one in BUDGETS[result["bench"]]
        if (value := one.value(result)) is not None and not one.met(value)
    ]
    return ["**Missed:**", "", *found] if found else ["Every budget that was measured is met."]


def _why(bench: str, missed: Budget) -> str:
    why = WHY.get((bench, missed.words))
    return f". Why: {why}." if why else ", and nobody has said why it is not"


def _section(result: dict[str, Any]) -> list[str]:
    name = result["bench"]
    unit = "s to the first acknowledgement" if name == "restart" else "orders/min" if name == "loop" else "/s"
    spread = "(spread {:,} to {:,})".format(*result["spread"] or (0, 0))
    rate = f"Rate {result['rate']:,} {unit} {spread}; correct" if result["rate"] is not None else "Correct"
    lines = [f"## {name}: {result['work']}", "", f"{rate}: {'yes' if result['correct'] else 'NO'}.", ""]
    lines += ["| budget | measured | |", "| --- | --- | --- |", *(_judged(one, one.value(result)) for one in BUDGETS[name]), ""]
    others = {other: ratio for other, ratio in result["ratios"].items() if ("ratios", other) not in {one.figure for one in BUDGETS[name]}}
    if others:
        lines += ["| compared with | ratio |", "| --- | --- |"]
        lines += [f"| {other} | {'not installed' if ratio is None else f'{ratio} ×'} |" for other, ratio in others.items()]
        lines.append("")
    if "policies" in result:
        lines += [*_policies(result["policies"]), ""]
    if "with_faults" in result:
        lines += [faults.told(result["with_faults"]), ""]
    told = [f"- {key.replace('_', ' ')}: {json.dumps(result[key])}" for key in FIGURES if key in result]
    return [*lines, *told, ""] if told else lines


def _policies(policies: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """A row for each way of telling channels their numbers."""
    yield "| numbers by | oversold, asked first | oversold, on their own | unsold | because of buffers | lost revenue, minor units |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for name, one in policies.items():
        units = one["oversold_units"]
        told = (units["asked_first"], units["autonomous"], one["unsold_units"], one["unsold_because_of_buffers"], one["lost_revenue"])
        yield f"| {name} | {' | '.join(f'{figure:,}' for figure in told)} |"


def _judged(budget: Budget, value: float | None) -> str:
    """One row: what is promised, what was measured, and whether it is kept."""
    verdict = "not measured" if value is None else "met" if budget.met(value) else "**missed**"
    return f"| {budget.sense} {budget.bound:,} {budget.words} | {'—' if value is None else f'{value:,}'} | {verdict} |"


def main() -> None:
    """Run all of them, or those that are named after the file."""
    target, *rest = sys.argv[1:]
    quick = "--quick" in rest
    names = [name for name in rest if name in BENCHES] or list(BENCHES)
    results = []
    for name in names:
        results.append(measured(name, quick))
        print(f"{name}: {results[-1]['rate']} {results[-1]['ratios']} correct={results[-1]['correct']}", flush=True)
    Path(target).write_text(page(results, time.strftime("%Y-%m-%d")))


if __name__ == "__main__":
    main()
