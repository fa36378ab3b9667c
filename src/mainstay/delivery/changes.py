"""A cursor over what changed in state.db, and who is told of it: one for stock, one for prices."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from mainstay.delivery.levels import Levels
from mainstay.delivery.outcomes import Outcomes
from mainstay.storage.state import State

TAKE_MAX = 2_000

_items = msgspec.json.Decoder(list[int])


class Changes:
    """`what` is "level" or "price". Each one's place is a mark: up to there everything has been told."""

    def __init__(self, what: str, told: Mapping[str, Levels], state: State, outcomes: Outcomes) -> None:
        self.what, self.told, self.state, self.outcomes = what, told, state, outcomes
        self.taken = min((int(outcomes.mark(f"{what}s/{name}") or 0) for name in told), default=0)

    def take(self) -> None:
        """Take over what the core committed since."""
        for seq, at, items in self.state.rows(f"{self.what}_changes_from", (self.taken, TAKE_MAX)) if self.told else ():
            self.taken = seq
            for one in self.told.values():
                one.changed(_items.decode(items), seq, at)

    def apply(self, policies: Mapping[str, str]) -> None:
        """Who is told by a changed policy is told everything anew: stop-sell means now, not with the next sale."""
        for name, one in self.told.items():
            mark, policy = f"policy/{self.what}s/{name}", policies.get(name, "")
            if self.outcomes.mark(mark) != policy:
                items = [item for (item,) in self.state.rows("all_items")]
                one.changed(items, self.taken, one.connection.clock())
                self.outcomes.remember(mark, policy)

    def note(self) -> None:
        """Remember how far each has been told."""
        for name, one in self.told.items():
            passed = one.passed
            self.outcomes.remember(f"{self.what}s/{name}", str(self.taken if passed is None else passed))
