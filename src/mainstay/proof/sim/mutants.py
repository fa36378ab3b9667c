"""Planted bugs: each changes one thing in the running product, and the simulator must notice. A harness that cannot fail proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mainstay.connectors.shipstation import ShipStation
from mainstay.connectors.tryton import Tryton
from mainstay.delivery.lanes import Lanes
from mainstay.delivery.levels import Levels
from mainstay.delivery.outcomes import Outcomes
from mainstay.delivery.polls import Poll
from mainstay.flows import turns
from mainstay.flows.apply import Apply
from mainstay.flows.ask import Desk
from mainstay.flows.waiting import Waiting
from mainstay.model.failures import Reject
from mainstay.orders import decide
from mainstay.proof.sim.acts import Swarm
from mainstay.proof.sim.machine import Fittings
from mainstay.proof.sim.run import one
from mainstay.stock import decide as stock
from mainstay.storage.inbox import Inbox

Plant = tuple[Any, str, Callable[[Any], Any]]  # where, what, and from the right one the wrong one


def _never(_right: Any) -> Any:
    return lambda *_args, **_more: None


def _oversold(right: Any) -> Any:
    return lambda level: right(level) + 1


def _tenth_lost(right: Any) -> Any:
    """Every tenth group is acknowledged and not kept."""
    groups = [0]

    def add(self: Inbox, new: Any, *more: Any) -> int:
        groups[0] += 1
        return self.last + len(new) if groups[0] % 10 == 0 else int(right(self, new, *more))

    return add


def _not_found(_right: Any) -> Any:
    """Nothing is ever found there, so everything is done again."""

    def look_up(self: Tryton, command: Any) -> Any:
        yield from ()

    return look_up


def _twice(right: Any) -> Any:
    """Units come back twice when a reservation ends."""

    def end(self: Apply, number: int, event: Any, at: int) -> None:
        right(self, number, event, at)
        if type(event).__name__ == "ReservationEnded":
            for share in event.shares:
                self.world.level(share.item, share.location).reserved -= min(
                    share.quantity, self.world.level(share.item, share.location).reserved
                )

    return end


def _silent(right: Any) -> Any:
    """The last level of an item is not told: what is dirty while it is being told is forgotten."""

    def changed(self: Levels, items: Any, seq: int, at: int) -> None:
        right(self, [item for item in items if item not in self.busy], seq, at)

    return changed


def _unpaid(right: Any) -> Any:
    return lambda _state: True


def _cursor_first(right: Any) -> Any:
    """The cursor of a page is kept, its rows are not."""
    pages = [0]

    def documents(self: Outcomes, system: str, found: Any, cursor: Any = None) -> None:
        pages[0] += 1
        right(self, system, () if pages[0] % 7 == 0 else found, cursor)

    return documents


def _blind_cancel(right: Any) -> Any:
    from mainstay.contract.connector import Done

    def closed(self: ShipStation, order_id: str) -> Any:
        yield from ()
        return Done({"release": order_id})

    return closed


def _taken_for_done(right: Any) -> Any:
    """An answer that never came is taken for success."""
    from mainstay.contract.connector import Done
    from mainstay.model.failures import Unknown

    def settle(self: Lanes, task: Any, outcome: Any) -> None:
        right(self, task, Done() if isinstance(outcome, Unknown) else outcome)

    return settle


def _books_once(right: Any) -> Any:
    """What changes after the first posting is not posted."""

    def close(self: Apply, state: Any, events: Any, seq: int) -> None:
        if not state.booked:
            right(self, state, events, seq)

    return close


MUTANTS: dict[str, tuple[str, Plant]] = {  # name -> (what is broken, where)
    "lose-acknowledged": ("a receipt is acknowledged and not kept", (Inbox, "add", _tenth_lost)),
    "lose-polled": ("a page's cursor is kept and its rows are not", (Outcomes, "documents", _cursor_first)),
    "promise-one-more": ("one unit more is promised than there is", (stock, "free", _oversold)),
    "release-twice": ("a reservation's units come back twice", (Apply, "to_reservation", _twice)),
    "never-expire": ("a reservation that nobody confirms stands for ever", (Desk, "_expire", _never)),
    "ship-unpaid": ("an order goes to the warehouse before it is paid", (decide, "is_paid", _unpaid)),
    "forget-early": ("what came before its order is forgotten", (Waiting, "come", lambda _right: lambda *_args: iter(()))),
    "never-wake": ("orders in backlog are not looked at when units come free", (turns.Turns, "wake", _never)),
    "post-blindly": ("a sale whose answer was lost is booked again without a look", (Tryton, "look_up", _not_found)),
    "unknown-is-done": ("an answer that never came is taken for success", (Lanes, "_settle", _taken_for_done)),
    "blind-cancel": ("a withdrawn release's parcels are not asked for", (ShipStation, "_closed", _blind_cancel)),
    "post-once": ("the ledger is not corrected when an order changes", (Apply, "close", _books_once)),
    "never-poll": ("feeds are not read", (Poll, "once", lambda _right: _asleep)),
    "deaf-while-telling": ("a level that changes while it is told stays untold", (Levels, "changed", _silent)),
}


async def _asleep(_poll: Poll) -> float:
    return 3600.0


@contextmanager
def planted(name: str) -> Iterator[None]:
    """The product with a bug in it."""
    if name not in MUTANTS:
        raise Reject(f"no bug is called {name!r}; there are: {', '.join(MUTANTS)}", "not_found")
    where, what, spoil = MUTANTS[name][1]
    right = getattr(where, what)
    setattr(where, what, spoil(right))
    try:
        yield
    finally:
        setattr(where, what, right)


def caught(name: str, swarms: Iterator[Swarm], furnish: Callable[[str], Fittings]) -> tuple[int, str]:
    """How many seeds it took to notice a bug, and what was noticed; (0, "") where nothing was."""
    with planted(name):
        for number, drawn in enumerate(swarms, 1):
            if broken := one(drawn, furnish).broken:
                return number, broken
    return 0, ""
