"""What a system may not say, or what no flow brings, changes nothing; nothing of it is lost."""

from __future__ import annotations

from msgspec.structs import replace

from mainstay.storage.inbox import OUTCOMES_FROM
from tests.flows.conftest import Core, an_order


def test_a_delivery_that_no_flow_brings_is_noted_and_what_is_polled_counts(tmp_path):
    core = Core(tmp_path / "state.db")
    core.shop = replace(core.shop, deaf=frozenset({("shop", "statement")}))
    core.state.close()
    core.open()
    core.say("shop", an_order("1"))
    assert core.order("1") is None and core.tally() == {"noted": 1} and core.rows("SELECT * FROM letter") == []
    core.seq = OUTCOMES_FROM
    core.say("shop", an_order("1"))
    assert core.order("1").status == "backordered"
