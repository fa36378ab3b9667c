"""bench grow: does a store that already holds many orders still take new ones at the rate of an empty one?"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path
from typing import Any

from mainstay.proof.bench import folder, paired
from mainstay.proof.bench.faults import FAULTY, MIXED, beside, mixed
from mainstay.proof.bench.payloads import order
from mainstay.proof.bench.stage import T0, Stage
from mainstay.storage.inbox import New, Receipt

CHUNK = 20_000
RESIDENT_UNITS = 1 << 20 if sys.platform == "darwin" else 1 << 10  # of ru_maxrss in a MiB: bytes on macOS, KiB on Linux


def run(quick: bool) -> dict[str, Any]:
    """Orders per second with 1,000,000 orders held, as a ratio to an empty store in the same run; resident memory."""
    held, count, reps = (2_000, 400, 2) if quick else (1_000_000, 4_000, 5)
    facts: dict[str, Any] = {"correct": True, "held": held}
    with folder() as place:
        full = Stage(place)
        started = time.perf_counter()
        _fill(full, held)
        facts["filled_s"] = round(time.perf_counter() - started, 1)
        state = {"next": held}

        def into_full() -> float:
            first, state["next"] = state["next"], state["next"] + count
            return _take(full, first, count, facts)

        def into_empty() -> float:
            with folder() as other:
                empty = Stage(Path(other))
                rate = _take(empty, 0, count, facts)
                empty.close()
                return rate

        def with_faults() -> float:
            first, state["next"] = state["next"], state["next"] + count
            return _take(full, first, count, facts, faulty=True)

        result = beside(paired({"holding many": into_full, "empty": into_empty, FAULTY: with_faults}, "holding many", reps), MIXED)
        facts["store_bytes_per_order"] = round((place / "state.db").stat().st_size / (held + 2 * count * reps))
        full.close()
    facts["resident_mib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / RESIDENT_UNITS)
    return {**result, **facts}


def _fill(stage: Stage, count: int) -> None:
    """Orders of one line each, through the product's own intake: a store grows by use, not by a loader."""
    for first in range(0, count, CHUNK):
        _run(stage, _new([order(n, lines=1) for n in range(first, min(first + CHUNK, count))], first), first)
        stage.state.merge_xrefs()


def _take(stage: Stage, first: int, count: int, facts: dict[str, Any], *, faulty: bool = False) -> float:
    new = _new([order(n) for n in range(first, first + count)], first)
    if faulty:
        new = list(mixed(new))
    started = time.perf_counter()
    _run(stage, new, first)
    rate = count / (time.perf_counter() - started)
    entity = stage.world.links or stage.state.find([stage.world.key("shop", "order", str(5_000_000_000 + first))])
    facts["correct"] = bool(facts["correct"] and entity and stage.world.batch.events == [])
    return rate


def _new(bodies: list[bytes], first: int) -> list[New]:
    return [(T0 + first + n, "shop", "orders/create", f"e{first + n}", body) for n, body in enumerate(bodies)]


def _run(stage: Stage, new: list[New], first: int) -> None:
    receipts = [Receipt(first + n, *one) for n, one in enumerate(new, 1)]
    for start in range(0, len(receipts), 64):
        stage.intake.take("inbox", receipts[start : start + 64], T0)
