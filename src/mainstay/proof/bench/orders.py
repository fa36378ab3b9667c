"""bench orders: a 5-line order from its receipt to everything committed."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import apsw

from mainstay.proof.bench import REPS, folder, paired
from mainstay.proof.bench.faults import FAULTY, MIXED, beside, mixed
from mainstay.proof.bench.payloads import SKUS, order, sku
from mainstay.proof.bench.stage import T0, Stage, fill_inbox
from mainstay.proof.bench.typical import Typical
from mainstay.storage.archive import Archive
from mainstay.storage.database import rows
from mainstay.storage.inbox import Inbox, InboxReader, New


def run(quick: bool) -> dict[str, Any]:
    """Orders per second; row writes and stored bytes for each order; correctness of every order's ledger and stock."""
    count, reps = (500, 2) if quick else (4_000, REPS)
    bodies = [order(number) for number in range(count)]
    ids = [f"evt-{number:08d}-{number * 2654435761 % 2**32:08x}" for number in range(count)]
    facts: dict[str, Any] = {}

    new = [(T0 + n, "shop", "orders/create", ids[n], body) for n, body in enumerate(bodies)]
    faulty = list(mixed(new))
    with_faults: dict[str, Any] = {}

    def mainstay() -> float:
        with folder() as place:
            return _ours(place, new, facts)

    def mainstay_with_faults() -> float:
        with folder() as place:
            return _ours(place, faulty, with_faults)

    def pydantic_each() -> float:
        with folder() as place:
            typical = Typical(place, 1, [sku(number) for number in range(SKUS)])
            some = min(count, 1_000)
            started = time.perf_counter()
            typical.take(bodies[:some], ids[:some], reserve=False)
            rate = some / (time.perf_counter() - started)
            assert typical.count() == some
            return rate

    variants = {"mainstay": mainstay, "pydantic + one SQLite commit per order, intake alone": pydantic_each, FAULTY: mainstay_with_faults}
    result = beside(paired(variants, "mainstay", reps), MIXED, bytes_per_order=with_faults["bytes_per_order"])
    return {**result, **facts, "correct": facts["correct"] and with_faults["correct"]}


def _ours(place: Path, new: list[New], facts: dict[str, Any]) -> float:
    stage = Stage(place)
    fill_inbox(place / "inbox.db", new)
    stage.state.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    before = (place / "state.db").stat().st_size
    stage.state.rows_written.clear()
    reader = InboxReader(place / "inbox.db")
    started = time.perf_counter()
    done = stage.take(reader)
    rate = done / (time.perf_counter() - started)
    reader.close()
    facts["correct"] = done == len(new) and correct(stage, new)
    facts["row_writes_per_order"] = {name: round(n / done, 2) for name, n in stage.state.rows_written.items()}
    facts["row_writes_per_order"]["all"] = round(sum(stage.state.rows_written.values()) / done, 1)
    stage.state.merge_xrefs()
    stage.state.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    inbox = Inbox(place / "inbox.db")
    archive = Archive(place, inbox, "inbox")
    while archive.step(stage.state, all_of_it=True):
        pass
    sealed = sum(file.stat().st_size for file in (place / "archive").iterdir())
    keys = 64 * done  # a row of the key table
    inbox.close()
    facts["bytes_per_order"] = round(((place / "state.db").stat().st_size - before + sealed + keys) / done)
    stage.close()
    return rate


def correct(stage: Stage, new: list[New]) -> bool:
    """Every order is released, its ledger sums to its total, stock is down by exactly what was sold. One with a wrong total is held with
    its units; what cannot be read is a letter; what came again is counted."""
    db = stage.state.connection
    tally = Counter(dict(rows(db, "SELECT outcome, n FROM tally")))
    status = Counter(dict(rows(db, "SELECT status, count(*) FROM orders GROUP BY status")))
    open_ = rows(db, "SELECT count(*) FROM intent")[0][0]
    balanced = rows(db, "SELECT sum(balance) FROM account")[0][0]
    sold = rows(db, "SELECT sum(allocated) FROM stock")[0][0]
    units = sum(line.quantity for one in stage.world.orders.values() if one.order for line in one.order.lines)
    complete = sold == units if len(stage.world.orders) == status.total() else sold > 0
    ended = status["released"] + status["held"] + tally["parked"] + tally["duplicate"]
    return bool(
        ended == len(new) and tally["applied"] == open_ + status["held"] and open_ == status["released"] and not balanced and complete
    )
