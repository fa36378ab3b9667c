"""Replays from the command line: what would change if an interval were replayed from a stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from mainstay.app import build
from mainstay.app.letters import refuse_stranger
from mainstay.app.show_letters import CALLED
from mainstay.flows import rehearse
from mainstay.flows.replay import replay
from mainstay.flows.resend import tell_anew
from mainstay.flows.span import HOWS, UNCHANGED, Span, Stage, meant, numbers
from mainstay.model.times import iso
from mainstay.storage.inbox import Receipt
from mainstay.storage.receipts import between
from mainstay.storage.rehearsed import Rehearsed


def rehearsed(house: build.House, span: Span, stage: Stage) -> dict[str, Any]:
    """How each message, statement or effect of the span ended, which differ, and what would follow. Raises Reject where there are too many
    of them."""
    store = Rehearsed(house.data / "state.db")
    try:
        intake, at = rehearse.rehearsal(store, build.shop(house)), build.clock()
        asked = Receipt(0, at, "mainstay", "timer/job", "", b"")
        ended: Counter[str] = Counter(dict.fromkeys(HOWS[stage], 0))
        differ = []
        for number, old in _found(house, store, span, stage):
            how, detail = replay(intake, stage, number, asked, lambda _system, _number, old=old: old)  # type: ignore[misc]
            ended[how] += 1
            if how not in UNCHANGED:
                of = {"at": iso(old.at), "system": old.system, "topic": old.topic} if old else {}
                differ.append({stage: number, **of, "how": how, "detail": detail})
        refuse_stranger(build.duties(house), span.system, +ended)
        if stage == "effect":
            tell_anew(intake, msgspec.to_builtins(span))
        return {"stage": stage, CALLED[stage]: dict(ended), "differ": differ, **rehearse.consequences(store, intake.world, at)}
    finally:
        store.close()


def _found(house: build.House, store: Rehearsed, span: Span, stage: Stage) -> Iterator[tuple[int, Receipt | None]]:
    if stage == "receipt":
        yield from ((one.seq, one) for one in meant(span, between(house.data, span.from_us(), span.until_us())))
    else:
        yield from ((number, None) for number in numbers(store, span, stage))
