"""bench saga: a one-line order's five durable steps (release, ship, confirm, capture, book), each committed before the next is asked."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from mainstay.model.objects import Reference, UnitsOf
from mainstay.model.outcome import TOPIC, Outcome
from mainstay.model.seen import FulfilmentSeen, Said, SeenEvent
from mainstay.proof.bench import REPS, Missing, folder, paired
from mainstay.proof.bench.faults import FAULTY, beside, comes_again
from mainstay.proof.bench.payloads import order
from mainstay.proof.bench.stage import T0, Stage
from mainstay.storage.database import rows
from mainstay.storage.inbox import Receipt

STEPS = 5
_seen = msgspec.json.Decoder(SeenEvent).decode
IN_FLIGHT = 64
Told = tuple[str, str, str, bytes]  # system, topic, key, body


def run(quick: bool) -> dict[str, Any]:
    """Sagas per second with 64 in flight and one at a time; DBOS on SQLite, as shipped, runs five durable steps in the same run."""
    count, singles, theirs, reps = (128, 20, 20, 2) if quick else (1_280, 150, 60, REPS)
    facts: dict[str, Any] = {"correct": True}

    def mainstay(*, faulty: bool = False) -> float:
        with folder() as place:
            return _ours(place, count, IN_FLIGHT, facts, faulty=faulty)

    def one_at_a_time() -> float:
        with folder() as place:
            return _ours(place, singles, 1, facts)

    result = paired(
        {"mainstay": mainstay, "DBOS, 64 started at once": lambda: _dbos(theirs, at_once=True), "mainstay, one at a time": one_at_a_time,
         "DBOS, one at a time": lambda: _dbos(theirs, at_once=False), FAULTY: lambda: mainstay(faulty=True)},
        "mainstay", reps,
    )  # fmt: skip
    result = beside(result, "of 100 orders and parcels 10 come again, of 100 answers 10 are lost and looked up")
    singles_rate, dbos_rate = result["rates"]["mainstay, one at a time"], result["rates"].get("DBOS, one at a time")
    result["ratios"]["one at a time / DBOS one at a time"] = round(singles_rate / dbos_rate, 2) if dbos_rate else None
    return {**result, **facts, "steps": STEPS, "in_flight": IN_FLIGHT}


def _translate(topic: str, body: bytes) -> list[Said]:
    return [Said(_seen(body))]


def _ours(place: Path, count: int, in_flight: int, facts: dict[str, Any], *, faulty: bool = False) -> float:
    """Rounds of `in_flight` sagas: each round of answers is one batch, committed before the next step is asked for."""
    again = _again if faulty else list
    stage = Stage(place)
    stage.shop.translate["warehouse"] = _translate  # type: ignore[index]
    bodies = [order(number, lines=1) for number in range(count)]
    seq = 0
    started = time.perf_counter()
    for first in range(0, count, in_flight):
        flock = range(first, min(first + in_flight, count))
        seq = _take(stage, seq, again([("shop", "orders/create", f"e{n}", bodies[n]) for n in flock]))
        uids = [f"ord.shop.{5_000_000_000 + n}" for n in flock]
        ids = [stage.world.store.find([stage.world.key("shop", "order", uid.split(".")[2])]) for uid in uids]
        numbers = [next(iter(found.values())) for found in ids]
        seq = _take(stage, seq, _answers([f"{uid}:release.1" for uid in uids], numbers, "warehouse", faulty=faulty))
        seq = _take(stage, seq, again([_parcel(stage, n) for n in numbers]))
        confirms = [next(key for key in stage.world.orders[n].effects if ":confirm." in key) for n in numbers]
        seq = _take(stage, seq, _answers(confirms, numbers, "shop", faulty=faulty))
        seq = _take(stage, seq, _answers([f"{uid}:sale" for uid in uids], numbers, "erp", faulty=faulty))
    rate = count / (time.perf_counter() - started)
    settled = rows(stage.state.connection, "SELECT count(*) FROM orders WHERE status = 'settled'")[0][0]
    facts["correct"] = bool(facts["correct"] and settled == count)
    stage.close()
    return rate


def _again(new: list[Told]) -> list[Told]:
    return [*new, *(one for number, one in enumerate(new) if comes_again(number))]


def _answers(keys: Iterable[str], numbers: Sequence[int], system: str, *, faulty: bool) -> list[Told]:
    """How the step ended for each saga. Of an answer that was lost nobody knows first, until it is looked up."""
    pairs = list(zip(keys, numbers, strict=True))
    lost = [_answer(key, n, system, "unknown") for number, (key, n) in enumerate(pairs) if faulty and comes_again(number)]
    return lost + [_answer(key, n, system, "done") for key, n in pairs]


def _take(stage: Stage, seq: int, new: list[Told]) -> int:
    receipts = [Receipt(seq + n, T0 + seq + n, *one) for n, one in enumerate(new, 1)]
    stage.intake.take("inbox", receipts, receipts[-1].at)
    return seq + len(new)


def _answer(key: str, entity: int, system: str, how: str) -> Told:
    return "mainstay", TOPIC, key, msgspec.json.encode(Outcome(key=key, entity=entity, outcome=how, system=system))


def _parcel(stage: Stage, number: int) -> Told:
    state = stage.world.orders[number]
    assert state.order is not None
    said = FulfilmentSeen(
        external=f"p{number}", version=1, at=T0, of=Reference("release", f"rel{state.uid[3:]}.1", "mainstay"), tracking=(f"1Z{number}",),
        lines=tuple(UnitsOf(line.id, line.quantity) for line in state.order.lines),
    )  # fmt: skip
    return "warehouse", "parcel", f"p{number}", msgspec.json.encode(said)


_LAUNCHED: list[Any] = []


def _dbos(count: int, *, at_once: bool) -> float:
    """Five steps that do nothing, as a DBOS workflow on its SQLite default."""
    try:
        from dbos import DBOS
    except ImportError:
        raise Missing("dbos is not installed: pip install 'mainstay[bench]'") from None
    workflow = _launch(DBOS)
    started = time.perf_counter()
    if at_once:
        for handle in [DBOS.start_workflow(workflow, n) for n in range(count)]:
            handle.get_result()
    else:
        for n in range(count):
            workflow(n)
    return count / (time.perf_counter() - started)


def _launch(dbos: Any) -> Any:
    """DBOS is one for each process: launched once, on a file of its own."""
    if not _LAUNCHED:
        import logging
        import tempfile

        place = tempfile.mkdtemp(prefix="mainstay-bench-dbos-")
        dbos(
            config={
                "name": "bench",
                "system_database_url": f"sqlite:///{place}/dbos.sqlite",
                "run_admin_server": False,
                "log_level": "ERROR",
            }
        )

        @dbos.step()  # type: ignore[untyped-decorator]
        def step(n: int, place: int) -> int:
            return n + place

        @dbos.workflow()  # type: ignore[untyped-decorator]
        def saga(n: int) -> int:
            for place in range(STEPS):
                n = step(n, place)
            return n

        logging.getLogger("dbos").setLevel(logging.ERROR)
        dbos.launch()
        _LAUNCHED.append(saga)
    return _LAUNCHED[0]
