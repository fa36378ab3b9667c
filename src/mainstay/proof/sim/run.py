"""Many seeds on all cores; and of one that fails, the line that replays it and the shortest history that still fails."""

from __future__ import annotations

import logging
import os
import random
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import structlog

from mainstay.flows.heap import look_seldom
from mainstay.model.failures import Reject
from mainstay.proof.disk import Disk
from mainstay.proof.play import Cast
from mainstay.proof.sim.acts import BEFALLS, FAULTS, HOMES, SCENARIOS, Swarm, draw
from mainstay.proof.sim.machine import Fittings
from mainstay.proof.sim.story import Ending, play

TWINS = Cast.__struct_fields__
CHUNK = 25  # seeds that a worker takes at a time
READ_EVERY = 4  # seeds whose answers to people are compared, too
PROVE_EVERY = 50  # seeds whose state is also rebuilt from the log, and made once more in other batches
SHRINKS_MAX = 200
Furnish = Callable[[str], Fittings]  # the name of a landscape -> what is built from it


def swarm(seed: int, landscapes: Sequence[str], scenario: str = "") -> Swarm:
    """What a seed draws, in the whole or within a scenario."""
    if scenario not in SCENARIOS:
        raise Reject(f"no scenario is called {scenario!r}; there are: {', '.join(name for name in SCENARIOS if name)}", "not_found")
    return draw(seed, HOMES.get(scenario, tuple(landscapes)), TWINS, SCENARIOS[scenario], scenario)


def one(drawn: Swarm, furnish: Furnish, *, power: bool = False) -> Ending:
    """Play one swarm in a folder of its own. `power`: it is cut again and again, and the state is rebuilt from the log at the end."""
    with tempfile.TemporaryDirectory(prefix="mainstay-sim-", dir=memory()) as place:
        prove, read = power or drawn.seed % PROVE_EVERY == 0, drawn.seed % READ_EVERY == 0
        if not power:
            return play(drawn, furnish(drawn.landscape), Path(place), prove=prove, read=prove or read)
        with Disk(Path(place), random.Random(drawn.seed + 5)) as disk:
            return play(drawn, furnish(drawn.landscape), Path(place), prove=prove, read=read, disk=disk)


def many(seeds: Iterable[int], landscapes: Sequence[str], furnish: Furnish, scenario: str = "", *, power: bool = False) -> Iterator[Ending]:
    """Endings as they come, in no particular order. Work stops with the iteration."""
    numbers = list(seeds)
    chunks = [numbers[start : start + CHUNK] for start in range(0, len(numbers), CHUNK)]
    with ProcessPoolExecutor(max_workers=os.cpu_count(), initializer=silence) as pool:
        work = [pool.submit(_chunk, chunk, landscapes, furnish, scenario, power) for chunk in chunks]
        try:
            for done in work:
                yield from done.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _chunk(seeds: list[int], landscapes: Sequence[str], furnish: Furnish, scenario: str, power: bool) -> list[Ending]:
    return [one(swarm(seed, landscapes, scenario), furnish, power=power) for seed in seeds]


def shrink(drawn: Swarm, furnish: Furnish, *, power: bool = False) -> tuple[Swarm, Ending]:
    """The shortest history found that breaks the same rule: acts go, weather clears, while it still fails."""
    best, found, tries = drawn, one(drawn, furnish, power=power), 0
    same = rule(found.broken)
    again = True
    while again and tries < SHRINKS_MAX:
        again = False
        for shorter in _shorter(best):
            tries += 1
            ending = one(shorter, furnish, power=power)
            if ending.broken and rule(ending.broken) == same:
                best, found, again = shorter, ending, True
                break
    return best, found


def rule(broken: str) -> str:
    """What of it any history could have broken: all before the case, and before how many there are."""
    return re.split(r":|(?: is)? \d", broken, maxsplit=1)[0]


def _shorter(drawn: Swarm) -> Iterator[Swarm]:
    half = len(drawn.acts) // 2
    for some in (drawn.acts[half:], drawn.acts[:half]) if half > 1 else ():
        yield msgspec.structs.replace(drawn, acts=some)
    for number in range(len(drawn.acts)):
        yield msgspec.structs.replace(drawn, acts=drawn.acts[:number] + drawn.acts[number + 1 :])
    for twin, rates in drawn.weather.items():
        for fault in rates:
            calmer = {name: rate for name, rate in rates.items() if name != fault}
            yield msgspec.structs.replace(drawn, weather={**drawn.weather, twin: calmer})


def told(drawn: Swarm, ending: Ending) -> list[str]:
    """A history as a person reads it, with what really happened of it."""
    faults = {twin: ", ".join(f"{fault} {rate:.0%}" for fault, rate in rates.items()) for twin, rates in drawn.weather.items()}
    weather = [f"{twin}: {some}" for twin, some in faults.items() if some]
    return [
        f"landscape: {drawn.landscape}; {drawn.batch_max} receipts a batch; on the shelf: {drawn.stock}",
        f"weather: {'; '.join(weather) or 'none'}",
        *(f"{act}{_waited(ending, number)}" for number, act in enumerate(drawn.acts)),
        f"broken: {ending.broken or 'nothing'}",
    ]


def _waited(ending: Ending, number: int) -> str:
    if number not in ending.waited:
        return ": was still to happen"
    waited = ending.waited[number]
    return ": found nothing to do" if waited is None else f": after {waited:.0f} s more" if waited else ""


def report(endings: Iterable[Ending], progress: Callable[[Ending], None]) -> dict[str, Any]:
    """What the run showed: how many seeds, which failed, how often each fault and each act really happened."""
    started, failed = time.monotonic(), {}
    seeds = commits = cuts = moved = compared = left_out = 0
    fired: Counter[str] = Counter()
    played: Counter[str] = Counter()
    for ending in endings:
        seeds, commits, cuts = seeds + 1, commits + ending.commits, cuts + ending.cuts
        moved, compared = moved + ending.arrivals.moved, compared + ending.arrivals.compared
        left_out += ending.arrivals.left_out
        fired += ending.fired
        played += ending.played
        if ending.broken:
            failed[ending.seed] = ending.broken
        progress(ending)
    seconds = time.monotonic() - started
    return {
        "seeds": seeds, "failed": failed, "seconds": round(seconds, 1), "seeds_per_s": round(seeds / seconds, 1) if seconds else 0.0,
        "commits_checked": commits, "power_cuts": cuts, "faults": dict(sorted(fired.items())), "acts": dict(sorted(played.items())),
        "never_fired": sorted({*FAULTS, *BEFALLS} - {fault for fault, times in fired.items() if times}),
        "came_in_another_order": moved, "keys_compared": compared, "keys_left_out": left_out,
    }  # fmt: skip


def silence() -> None:
    """What the rooms log of faults that are made on purpose is of no interest; nor are cycles of objects that live for a second."""
    look_seldom()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def memory() -> str | None:
    """Files of a simulation live in memory where the machine has such a place."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
