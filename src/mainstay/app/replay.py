"""Replays from the command line: what would change if an interval were replayed from a stage."""

from __future__ import annotations

from typing import Any

from mainstay.app import build
from mainstay.app.letters import refuse_stranger
from mainstay.app.show_letters import CALLED
from mainstay.app.snapshots import works_otherwise
from mainstay.flows import journey, rehearse
from mainstay.flows.span import Span, Stage
from mainstay.storage.rehearsed import Rehearsed


def rehearsed(house: build.House, span: Span, stage: Stage) -> dict[str, Any]:
    """How each message, statement or effect of the span ended, which differ, and what would follow. Raises Reject where there are too many
    of them."""
    store = Rehearsed(house.data / "state.db")
    try:
        with journey.raws(store) as raw:
            found = rehearse.replays(store, build.shop(house), raw, span, stage, build.clock())
    finally:
        store.close()
    ended = found.pop("ended")
    refuse_stranger(build.duties(house), span.system, [how for how, count in ended.items() if count])
    return {"stage": stage, CALLED[stage]: ended, **found, "restart_first": works_otherwise(house)}
