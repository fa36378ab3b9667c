"""bench intake: order bytes to a canonical, deduped, durable event. No HTTP, no decisions."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from mainstay.connectors.shopify import Shopify
from mainstay.model.events import Heard, decode
from mainstay.model.failures import Reject
from mainstay.model.identity import fingerprint
from mainstay.model.seen import OrderSeen
from mainstay.proof.bench import REPS, folder, paired
from mainstay.proof.bench.faults import FAULTY, beside, comes_again, garbled, is_garbled
from mainstay.proof.bench.payloads import SKUS, order, sku
from mainstay.proof.bench.stage import shopify
from mainstay.proof.bench.typical import Typical
from mainstay.storage.database import rows
from mainstay.storage.state import Batch, Key, State

BATCH = 256
SPACE = 1


def run(quick: bool) -> dict[str, Any]:
    """Orders per second: translated, duplicates dropped, one event row each, committed in groups."""
    count, reps = (600, 2) if quick else (6_000, REPS)
    bodies = [order(number) for number in range(count)]
    ids = [f"evt-{number * 2654435761 % 2**32:08x}" for number in range(count)]
    facts: dict[str, Any] = {"correct": True}
    skus = [sku(number) for number in range(SKUS)]

    def mainstay(*, faulty: bool = False) -> float:
        with folder() as place:
            return _ours(place, bodies, ids, facts, faulty=faulty)

    def typical(group: int, some: int) -> float:
        with folder() as place:
            theirs = Typical(place, group, skus)
            started = time.perf_counter()
            theirs.take(bodies[:some], ids[:some], reserve=False)
            rate = some / (time.perf_counter() - started)
            facts["correct"] = facts["correct"] and theirs.count() == some
            return rate

    result = paired(
        {
            "mainstay": mainstay,
            "pydantic + one SQLite transaction per order": lambda: typical(1, min(count, 1_000)),
            "the same batched by 256": lambda: typical(BATCH, min(count, 4_000)),
            FAULTY: lambda: mainstay(faulty=True),
        },
        "mainstay",
        reps,
    )
    return {**beside(result, "of 100 orders 10 come again, 2 break off"), **facts}


def _ours(place: Path, bodies: list[bytes], ids: list[str], facts: dict[str, Any], *, faulty: bool) -> float:
    """The intake steps of flows.intake alone: translate, look up by identity, drop what is known, log, commit."""
    state, connector = State(place / "state.db"), shopify()
    encode = msgspec.json.Encoder().encode
    doubled = [*zip(bodies, ids, strict=True), *zip(bodies[:BATCH], ids[:BATCH], strict=True)]  # a batch of duplicates at the end
    if faulty:
        told = enumerate(zip(bodies, ids, strict=True))
        doubled = [doubled[n - 1] if comes_again(n) else (garbled(one[0]), one[1]) if is_garbled(n) else one for n, one in told]
    number = 0
    started = time.perf_counter()
    for start in range(0, len(doubled), BATCH):
        heard = list(_heard(connector, doubled[start : start + BATCH]))
        keys: list[Key] = [(SPACE, int(said.external)) for said, _ in heard]
        known = state.find(keys)
        batch = Batch()
        for key, (said, event) in zip(keys, heard, strict=True):
            if key in known:
                continue
            number += 1
            known[key] = number
            mark = fingerprint("shop", "orders/create", event)
            batch.log(number, number, "order", number, encode([Heard(system="shop", said=said, mark=mark)]))
            batch.xrefs.append((*key, number))
        state.write(batch)
    rate = len(doubled) / (time.perf_counter() - started)
    stored = rows(state.connection, "SELECT count(*), min(body) FROM event")[0]
    first = decode(stored[1])[0]
    good = isinstance(first, Heard) and isinstance(first.said, OrderSeen) and first.said.order.difference() == 0
    whole = sum(not (comes_again(n) or is_garbled(n)) for n in range(len(bodies))) if faulty else len(bodies)
    facts["correct"] = facts["correct"] and stored[0] == whole and good
    state.close()
    return rate


def _heard(connector: Shopify, some: list[tuple[bytes, str]]) -> Iterator[tuple[OrderSeen, str]]:
    """What can be read of them."""
    for body, event in some:
        try:
            said = connector.translate("orders/create", body)[0].event
        except Reject:
            continue
        assert isinstance(said, OrderSeen)
        yield said, event
