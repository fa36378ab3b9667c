"""Benchmarks: product and comparator alternate in one run, state is prefilled, correctness is asserted or the figure does not count."""

from __future__ import annotations

import gc
import os
import platform
import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from mainstay.model.failures import Reject

BENCHES = {
    "accept": "webhook: verify, bound, durable, 200",
    "intake": "order bytes to canonical, deduped, durable event",
    "orders": "5-line order: receipt to events, state, reservation, saga, ledger, outbox, committed",
    "saga": "a 5-step durable order saga",
    "reserve": "durable reservations, uniform and on one hot SKU",
    "oversell": "a flash sale at four channels, numbers told in four ways",
    "loop": "the full loop over real HTTP with twins",
    "grow": "the orders rate of a store that holds many",
    "restart": "kill at peak: first acknowledgement, backlog gone",
}
REPS = 5


class Missing(Exception):
    """A comparator is not installed: its ratio is null."""


def run(name: str, *, quick: bool = False) -> dict[str, Any]:
    """Run one benchmark. `quick` is a smoke test: fewer repetitions on smaller data."""
    if name not in BENCHES:
        raise Reject(f"no benchmark is called {name!r}; there are: {', '.join(BENCHES)}", "not_found")
    result: dict[str, Any] = import_module(f"mainstay.proof.bench.{name}").run(quick)
    return {"bench": name, "work": BENCHES[name], "quick": quick, **result, "machine": machine()}


def machine() -> dict[str, Any]:
    """What it ran on."""
    import apsw

    model = ""
    with open_if("/proc/cpuinfo") as lines:
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    return {
        "cpu": model or platform.processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "sqlite": apsw.sqlite_lib_version(),
        "system": f"{platform.system()} {platform.release()}",
        "load": round(os.getloadavg()[0], 2),
    }


@contextmanager
def open_if(path: str) -> Iterator[list[str]]:
    """The lines of a file that may not exist."""
    yield Path(path).read_text().splitlines() if Path(path).exists() else []


@contextmanager
def folder() -> Iterator[Path]:
    """A folder on the disk that data stands on, removed afterwards."""
    place = Path(tempfile.mkdtemp(prefix="mainstay-bench-", dir=os.environ.get("MAINSTAY_BENCH_DIR", ".")))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def paired(variants: Mapping[str, Callable[[], float]], product: str, reps: int) -> dict[str, Any]:
    """Run every variant back to back in each repetition, in alternating order; ratios are medians of per-repetition ratios."""
    rates: dict[str, list[float]] = {name: [] for name in variants}
    missing: dict[str, str] = {}
    for rep in range(reps):
        names = list(variants)
        if rep % 2:
            names.reverse()
        for name in names:
            if name in missing:
                continue
            gc.collect()
            try:
                rates[name].append(variants[name]())
            except (Missing, ImportError) as why:
                missing[name] = str(why)
    ratios: dict[str, float | None] = {}
    for name, found in rates.items():
        if name != product:
            ratios[name] = round(statistics.median(a / b for a, b in zip(rates[product], found, strict=True)), 3) if found else None
    mine = rates[product]
    return {
        "rate": round(statistics.median(mine), 1),
        "spread": [round(min(mine), 1), round(max(mine), 1)],
        "ratios": ratios,
        "ratio": next((ratio for ratio in ratios.values() if ratio is not None), None),
        "rates": {name: round(statistics.median(found), 1) for name, found in rates.items() if found},
        "reps": reps,
        **({"missing": missing} if missing else {}),
    }
