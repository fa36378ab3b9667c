"""Replays from the command line: what would change if old messages were read again with today's mapping."""

from __future__ import annotations

from collections import Counter
from typing import Any

from mainstay.app import build
from mainstay.flows import rehearse
from mainstay.flows.intake import Intake
from mainstay.flows.replay import UNCHANGED, Span, meant, replay
from mainstay.flows.world import World
from mainstay.model.times import iso
from mainstay.storage.receipts import between
from mainstay.storage.rehearsed import Rehearsed


def rehearsed(house: build.House, span: Span) -> dict[str, Any]:
    """How each message of the span ended, which differ, and what would follow. Raises Reject where there are too many of them."""
    store = Rehearsed(house.data / "state.db")
    try:
        intake, at = Intake(World(store), build.shop(house)), build.clock()
        ended: Counter[str] = Counter(dict.fromkeys(("same", "superseded", "corrected", "taken", "refused"), 0))
        differ = []
        for receipt in meant(span, between(house.data, span.from_us(), span.until_us())):
            how, detail = replay(intake, receipt, at)
            ended[how] += 1
            if how not in UNCHANGED:
                of = {"receipt": receipt.seq, "at": iso(receipt.at), "system": receipt.system, "topic": receipt.topic}
                differ.append({**of, "how": how, "detail": detail})
        return {"messages": dict(ended), "differ": differ, **rehearse.consequences(store, intake.world, at)}
    finally:
        store.close()
