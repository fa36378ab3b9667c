"""A cursor over what changed in state.db, and who is told of it: one for stock, one for prices."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from mainstay.delivery.levels import Levels
from mainstay.delivery.outcomes import Outcomes
from mainstay.storage.state import State

TAKE_MAX = 2_000

_changed = msgspec.json.Decoder(list[int] | str)  # these items, or all that a system is told


class Changes:
    """`what` is "level" or "price". Each one's place is a mark: up to there everything has been told, and no older call is under way."""

    def __init__(self, what: str, told: Mapping[str, Levels], state: State, outcomes: Outcomes) -> None:
        self.what, self.told, self.state, self.outcomes = what, told, state, outcomes
        self.taken = min((one.told_up_to for one in told.values()), default=0)

    def begin(self, policies: Mapping[str, str], *, doubtful: bool) -> None:
        """A new process: take over what the last one may not have told. Who is told by a changed policy, or by none yet, is told
        everything anew: stop-sell means now, not with the next sale. `doubtful`: after a restore nobody knows what was told last."""
        while self._take(restarted=True):
            pass
        for name, one in self.told.items():
            one.resume()
            mark, policy = f"policy/{self.what}s/{name}", policies.get(name, "")
            if self.outcomes.mark(mark) != policy:
                one.anew([item for (item,) in self.state.rows("all_items")], restarted=doubtful)
                self.outcomes.remember(mark, policy)
        self.note()
        self.outcomes.flush()  # before the first call: the next process must know that there may have been one

    def take(self) -> None:
        """Take over what the core committed since."""
        self._take(restarted=False)

    def _take(self, *, restarted: bool) -> bool:
        found = self.state.rows(f"{self.what}_changes_from", (self.taken, TAKE_MAX)) if self.told else []
        for seq, at, body in found:
            self.taken, changed = seq, _changed.decode(body)
            anew = isinstance(changed, str)
            items = [item for (item,) in self.state.rows("all_items")] if isinstance(changed, str) else changed
            for one in self.told.values():
                if seq > one.told_up_to and (not anew or changed == one.connection.name):
                    one.changed(items, seq, at, restarted=restarted)
        return bool(found)

    def note(self) -> None:
        """Remember how far each has been told."""
        for one in self.told.values():
            one.note(self.taken)
