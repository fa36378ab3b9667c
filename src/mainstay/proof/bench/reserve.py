"""bench reserve: durable reservations by channels that ask first; 100,000 SKUs uniformly, and one hot SKU."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apsw
import msgspec

from mainstay.flows.ask import AskedLine, ReserveRequest
from mainstay.proof.bench import REPS, folder, paired
from mainstay.proof.bench.faults import AGAIN, FAULTY, beside, comes_again
from mainstay.proof.bench.payloads import sku
from mainstay.proof.bench.postgres import Server
from mainstay.proof.bench.stage import PLENTY, T0, Stage
from mainstay.storage.database import rows
from mainstay.storage.inbox import Receipt
from mainstay.storage.packing import unpack

GROUP = 1_000
THEIRS = 2_000  # reservations that PostgreSQL is given: it is slower, and rates are compared
SQLITE = "SQLite UPDATE … WHERE by 1,000"
POSTGRES = "PostgreSQL UPDATE … WHERE, 16 connections"


def run(quick: bool) -> dict[str, Any]:
    """Reservations per second, each with its own durable row and event; `correct`: exactly as many sold as there are."""
    skus, count, reps = (2_000, 4_000, 2) if quick else (100_000, 20_000, REPS)
    dice = random.Random(11)
    uniform = [dice.randrange(skus) for _ in range(count)]
    hot = [7] * count
    again = sum(map(comes_again, range(count)))
    facts: dict[str, Any] = {"correct": True}
    with Server() as postgres:
        result = paired(
            {
                "mainstay, uniform": lambda: _ours(uniform, skus, PLENTY, facts, count),
                f"{SQLITE}, uniform": lambda: _theirs(uniform, skus),
                f"{POSTGRES}, uniform": lambda: postgres.updates([sku(n) for n in uniform[:THEIRS]], [sku(n) for n in range(skus)]),
                "mainstay, one hot SKU": lambda: _ours(hot, 10, count // 2, facts, count // 2),
                f"{SQLITE}, one hot SKU": lambda: _theirs(hot, 10),
                f"{POSTGRES}, one hot SKU": lambda: postgres.updates([sku(n) for n in hot[:THEIRS]], [sku(n) for n in range(10)]),
                FAULTY: lambda: _ours(uniform, skus, PLENTY, facts, count - again, faulty=True),
            },
            "mainstay, uniform",
            reps,
        )
    result = beside(result, "uniform; of 100 reservations 10 are asked for again under their key")
    uniformly, rates = result["ratios"], result["rates"]
    result["ratios"] = {}
    for name in (SQLITE, POSTGRES):
        hotly = rates.get(f"{name}, one hot SKU")
        result["ratios"][f"uniform / {name}"] = uniformly[f"{name}, uniform"]
        result["ratios"][f"hot / {name}"] = round(rates["mainstay, one hot SKU"] / hotly, 3) if hotly else None
    return {**result, **facts, "skus": skus, "reservations": count}


def _ours(wanted: Sequence[int], skus: int, units: int, facts: dict[str, Any], sold: int, *, faulty: bool = False) -> float:
    with folder() as place:
        stage = Stage(Path(place), skus, units)
        bodies = {n: msgspec.json.encode(ReserveRequest(lines=(AskedLine(sku(n), 1),))) for n in set(wanted)}
        asked = [n - AGAIN // 2 if faulty and comes_again(n) else n for n in range(len(wanted))]
        receipts = [Receipt(n + 1, T0 + n, "till", "api/reserve", f"k{key}", bodies[wanted[key]]) for n, key in enumerate(asked)]
        started = time.perf_counter()
        for start in range(0, len(receipts), GROUP):
            stage.intake.take("inbox", receipts[start : start + GROUP], T0)
        rate = len(receipts) / (time.perf_counter() - started)
        db = stage.state.connection
        granted = rows(db, "SELECT count(*) FROM reservation WHERE status = 'reserved'")[0][0]
        held = rows(db, "SELECT sum(reserved) FROM stock")[0][0]
        answered = sum(len(msgspec.json.decode(unpack(batch))) for (batch,) in rows(db, "SELECT body FROM answer"))
        facts["correct"] = bool(facts["correct"] and granted == held == sold and answered == len(wanted))
        stage.close()
        return rate


def _theirs(wanted: Sequence[int], skus: int) -> float:
    """A conditional UPDATE for each, committed by 1,000: keeps neither reservation nor event."""
    with folder() as place:
        db = apsw.Connection(str(place / "theirs.db"))
        db.pragma("journal_mode", "wal")
        db.pragma("synchronous", "full")
        db.execute("CREATE TABLE stock (sku TEXT PRIMARY KEY, avail INTEGER NOT NULL) WITHOUT ROWID")
        with db:
            db.executemany("INSERT INTO stock VALUES (?, 10000000)", [(sku(n),) for n in range(skus)])
        names = [sku(n) for n in wanted]
        started = time.perf_counter()
        for start in range(0, len(names), GROUP):
            with db:
                for name in names[start : start + GROUP]:
                    db.execute("UPDATE stock SET avail = avail - 1 WHERE sku = ? AND avail >= 1", (name,))
        rate = len(names) / (time.perf_counter() - started)
        db.close()
        return rate
