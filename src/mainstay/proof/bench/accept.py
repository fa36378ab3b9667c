"""bench accept: a signed webhook over HTTP: verify, bound, durable, 200. The core then counts every duplicate exactly once."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mainstay.proof.bench import REPS, Missing, folder, paired
from mainstay.proof.bench.faults import FAULTY, beside
from mainstay.proof.bench.load import Loading
from mainstay.proof.bench.payloads import order
from mainstay.proof.bench.servers import PATH, SECRET
from mainstay.proof.bench.stage import T0, Stage, fill_inbox
from mainstay.storage.database import rows
from mainstay.storage.inbox import InboxReader

CONNECTIONS = 64


def run(quick: bool) -> dict[str, Any]:
    """Requests per second of one process; latency at half the rate; duplicates counted against ids that are held."""
    seconds, held, reps = (0.8, 2_000, 2) if quick else (3.0, 1_000_000, REPS)
    facts: dict[str, Any] = {"correct": True}

    def measured(kind: str, rate: float = 0.0, *, faulty: bool = False) -> dict[str, Any]:
        with folder() as place, server(kind, place) as port:
            told = load(port, seconds, rate, faulty=faulty)
            stored, answers = _stored(kind, place), {"200", "401"} if faulty else {"200"}
            fine = set(told["statuses"]) == answers and stored in (None, told["statuses"]["200"])
            facts["correct"] = bool(facts["correct"] and fine)
            return told

    def rate_of(kind: str, *, faulty: bool = False) -> float:
        told = measured(kind, faulty=faulty)
        return float(told["answered"] / told["seconds"])

    result = paired(
        {
            "mainstay": lambda: rate_of("ours"),
            "the same server answering without storing": lambda: rate_of("without"),
            "FastAPI + pydantic + SQLite with group commit": lambda: rate_of("fastapi"),
            FAULTY: lambda: rate_of("ours", faulty=True),
        },
        "mainstay",
        reps,
    )
    result = beside(result, "of 100 deliveries 10 come again, 2 break off, 2 are forged, and are refused")
    half = measured("ours", result["rate"] / 2)
    result["latency_at_half_rate_ms"] = {"p50": round(half["p50_ms"], 2), "p99": round(half["p99_ms"], 2)}
    result["duplicates"] = duplicates(held, 500 if quick else 5_000)
    facts["correct"] = bool(facts["correct"] and result["duplicates"]["counted_once"])
    return {**result, **facts}


@contextmanager
def server(kind: str, place: Path) -> Iterator[int]:
    """One of the servers, in a process of its own."""
    command = [sys.executable, "-m", "mainstay.proof.bench.servers", kind, str(place)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdin is not None and process.stderr is not None
    line = process.stdout.readline()
    try:
        if not line:
            raise Missing(process.stderr.read().strip().rpartition("\n")[2])
        yield int(line)
    finally:
        process.stdin.close()
        process.wait(20)


def load(port: int, seconds: float, rate: float, *, faulty: bool) -> dict[str, Any]:
    """Put the load on it and wait for the figures."""
    count = int(seconds * (rate or 25_000))
    return Loading(port, PATH, SECRET, seconds, CONNECTIONS, rate, count, faulty=faulty).told()


def _stored(kind: str, place: Path) -> int | None:
    if kind != "ours":
        return None
    reader = InboxReader(place / "inbox.db")
    stored = reader.behind(0)
    reader.close()
    return stored


def duplicates(held: int, repeated: int) -> dict[str, Any]:
    """A store that holds `held` orders, each with its random event id: deliveries that come again are each counted once."""
    with folder() as place:
        stage = Stage(place)
        orders = min(held, 20_000)
        fill_inbox(place / "inbox.db", [(T0 + n, "shop", "orders/create", _id(n), order(n)) for n in range(orders)])
        reader = InboxReader(place / "inbox.db")
        stage.take(reader)
        _pad_ids(stage, held - orders)
        reader.close()
        again = [(T0 + orders + n, "shop", "orders/create", _id(n * 7 % orders), order(n * 7 % orders)) for n in range(repeated)]
        fill_inbox(place / "again.db", again)
        more = InboxReader(place / "again.db")
        started = time.perf_counter()
        stage.take(more, "again")
        took = time.perf_counter() - started
        more.close()
        counted = dict(rows(stage.state.connection, "SELECT outcome, n FROM tally"))
        transfers = rows(stage.state.connection, "SELECT count(DISTINCT entity) FROM transfer")[0][0]
        stage.close()
        fine = counted.get("duplicate") == repeated and counted.get("applied") == orders and transfers == orders
        return {"held": held, "repeated": repeated, "per_s": round(repeated / took), "counted_once": fine}


def _id(number: int) -> str:
    return f"{number * 2654435761 % 2**61:016x}"


def _pad_ids(stage: Stage, count: int) -> None:
    """Fill the cross-references up with random ids, as a store has that has seen so many events."""
    space = stage.world.word("shop/event")
    rows_ = ((space, _id(n + 10_000_000), n) for n in range(count))
    with stage.state.connection:
        stage.state.connection.executemany("INSERT OR IGNORE INTO xref (space, ext, entity) VALUES (?, ?, ?)", rows_)
