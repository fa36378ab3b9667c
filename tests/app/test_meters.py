"""What the processes tell of themselves."""

from mainstay.app.snapshots import backlog, oldest_s
from mainstay.model.times import SECOND
from mainstay.storage.inbox import Inbox
from mainstay.storage.state import State

NOW = 1_000 * SECOND


def test_the_lag_is_the_age_of_the_oldest_receipt_that_is_not_handled(tmp_path):
    assert oldest_s(tmp_path, NOW) == {}, "no store yet"
    state, inbox = State(tmp_path / "state.db"), Inbox(tmp_path / "inbox.db")
    assert oldest_s(tmp_path, NOW) == {"inbox": 0.0, "outcomes": 0.0}
    inbox.add([(NOW - seconds * SECOND, "shop", "orders/create", f"e{seconds}", b"{}") for seconds in (90, 40, 5)])
    assert oldest_s(tmp_path, NOW) == {"inbox": 90.0, "outcomes": 0.0} and backlog(tmp_path) == {"inbox": 3, "outcomes": 0}
    state.run("set_counter", ("position/inbox", 1))
    assert oldest_s(tmp_path, NOW) == {"inbox": 40.0, "outcomes": 0.0}, "the first is handled"
    inbox.close()
    state.close()
