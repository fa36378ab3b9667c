"""After a restore: nothing leaves before what left in the lost time has been read again, and then units are dealt out anew.

The restored books know nothing of the orders and parcels since the backup. They are read again in whatever order the systems are read,
so that a unit could be promised to another order than the one that it has long left for, or that a warehouse has it for. Until all was
read no order is released, and none is cancelled for want of units (flows.turns). What several orders want is then given to those of
which a part has left, and to who ordered first. Of who gets none, what a warehouse may have been told in the lost time is called off; when
it has answered, units are dealt out once more, and released.
"""

from __future__ import annotations

from mainstay.flows.ask import Ask
from mainstay.flows.intake import Intake
from mainstay.model.events import Deallocated, Share
from mainstay.model.restored import READ_AGAIN, RESTORED
from mainstay.model.state import OrderState
from mainstay.model.times import MINUTE
from mainstay.orders import releases
from mainstay.storage.inbox import Receipt

CALLED_OFF = "restored/called_off"  # the counter that says when
ANSWER_US_MAX = 15 * MINUTE  # that the warehouse's answer is waited for


class Restored:
    """Handles what delivery says when it has read again what a backup could not know."""

    def __init__(self, intake: Intake) -> None:
        self.intake, self.world = intake, intake.world
        intake.readers[READ_AGAIN] = lambda _: Ask(None, [], [])
        intake.handlers[READ_AGAIN] = self._read_again

    def _read_again(self, receipt: Receipt, _: Ask) -> None:
        """Deal out what is wanted by several. Of who gets none the warehouse may have a release: that is called off, and everybody goes on
        when it has answered, as what has left all the same is nobody else's."""
        world = self.world
        if not world.counters.get(RESTORED):
            self.intake.count(receipt, "duplicate")
            return
        waiting = self._waiting()
        if not world.counters.get(CALLED_OFF):
            self._deal(waiting, receipt, over=False)
            world.counters[CALLED_OFF] = receipt.at
        if not any(map(releases.is_awaited, waiting)) or receipt.at > world.counters[CALLED_OFF] + ANSWER_US_MAX:
            self._deal(waiting, receipt, over=True)
        self.intake.count(receipt, "applied")

    def _deal(self, waiting: list[OrderState], receipt: Receipt, *, over: bool) -> None:
        """Give what several want to the first of them. Each goes on as far as it may: before it is `over`, nothing is released, and nobody
        cancelled for want of units."""
        world, turns = self.world, self.intake.turns
        world.load_stock({item for state in waiting for item in state.items})
        contested = {item for (item,) in world.store.rows("contested_items")}
        turns.dealing = False
        for state in waiting:
            if back := _not_released(state, contested):
                turns.advance(state, receipt, [Deallocated(shares=back, reason="dealt out anew after a restore")])
        turns.dealing = True
        if over:
            world.counters[RESTORED] = world.counters[CALLED_OFF] = 0
        for state in waiting:
            cancelled, first = state.cancel, releases.following(state)
            turns.advance(state, receipt, [])
            left_out = (state.short or state.cancel != cancelled) and not releases.asked_back(state)
            if releases.following(state) > first or left_out:
                self._call_off(state, first, receipt)

    def _call_off(self, state: OrderState, first: int, receipt: Receipt) -> None:
        """Releases that the warehouse may have of an order since the lost time: from the first number that was not given out then, one for
        each location that may have sent a part of it, but for those that it has again."""
        perhaps = range(releases.following(state), first + self._locations(state))
        self.intake.turns.advance(state, receipt, list(releases.call_off(state, self.intake.shop.policy, perhaps)))

    def _locations(self, state: OrderState) -> int:
        """From how many locations an order may have been released at once in the lost time."""
        shop, words = self.intake.shop, self.world.words
        if not shop.split or state.order is None:
            return 1
        names = shop.locations.get(state.system)
        count = len(names) if names is not None else sum(text.startswith("location/") for text in words)
        return max(1, min(count, sum(line.quantity for line in state.order.lines)))

    def _waiting(self) -> list[OrderState]:
        """Orders of which something may still be released: first those of which a part has left, as the warehouse may have the rest;
        then those of who asks first, as they were promised their units; then by age."""
        world, asks_first = self.world, self.intake.shop.policy.asks_first
        numbers = [number for (number,) in world.store.rows("open_orders")]
        world.load_orders(numbers)
        found = [world.orders[number] for number in numbers if releases.releasable(world.orders[number])]
        return sorted(
            found, key=lambda one: (not one.parcels, one.system not in asks_first, one.order.placed_at if one.order else 0, one.id)
        )


def _not_released(state: OrderState, items: set[int]) -> tuple[Share, ...]:
    """Units of these items that are set aside, and that no warehouse has been told of."""
    shares = [
        Share(share.line, share.item, share.location, share.quantity - max(share.released, share.shipped))
        for share in state.shares
        if share.item in items
    ]
    return tuple(share for share in shares if share.quantity > 0)
