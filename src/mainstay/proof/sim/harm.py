"""What the planted bugs do: each takes what is right and gives what is in its place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from mainstay.delivery.dispatch import Dispatch
from mainstay.delivery.hooks import Hooks
from mainstay.delivery.lanes import Lanes
from mainstay.delivery.levels import Levels
from mainstay.delivery.outcomes import Outcomes
from mainstay.delivery.polls import Poll
from mainstay.edge.record import Recorder
from mainstay.flows.apply import Apply
from mainstay.flows.intake import Again, Intake
from mainstay.model.objects import Person
from mainstay.model.seen import FulfilmentSeen, RefundSeen, StockCounted
from mainstay.model.times import DAY
from mainstay.storage.database import SQL
from mainstay.storage.inbox import Inbox
from mainstay.storage.packing import unpack
from mainstay.storage.state import Batch, State

MOMENT_S = 0.05


def never(_right: Any) -> Any:
    return lambda *_args, **_more: None


def oversold(right: Any) -> Any:
    return lambda level: right(level) + 1


def tenth_lost(right: Any) -> Any:
    """Every tenth group at the door is acknowledged and not kept."""
    groups = [0]

    def add(self: Inbox, new: Any, *more: Any) -> int:
        if self.path.name != "inbox.db":
            return int(right(self, new, *more))
        groups[0] += 1
        return self.last + len(new) if groups[0] % 10 == 0 else int(right(self, new, *more))

    return add


def twice(right: Any) -> Any:
    """Units come back twice when a reservation ends."""

    def end(self: Apply, number: int, event: Any, at: int) -> None:
        right(self, number, event, at)
        if type(event).__name__ == "ReservationEnded":
            for share in event.shares:
                self.world.level(share.item, share.location).reserved -= min(
                    share.quantity, self.world.level(share.item, share.location).reserved
                )

    return end


def half(right: Any) -> Any:
    """Every other level is taken for told, and is not."""
    told = [0]

    def pick(self: Levels, now: int) -> list[int]:
        batch: list[int] = right(self, now)
        told[0] += 1
        if batch and told[0] % 2:
            for item in batch:
                del self.busy[item]
            return []
        return batch

    return pick


def unpaid(right: Any) -> Any:
    return lambda _state: True


def cursor_first(right: Any) -> Any:
    """The cursor of a page is kept, its rows are not."""
    pages = [0]

    def documents(self: Outcomes, system: str, found: Any, cursor: Any = None) -> None:
        pages[0] += 1
        right(self, system, () if pages[0] % 7 == 0 else found, cursor)

    return documents


def one_refund(right: Any) -> Any:
    return lambda state, said: not (isinstance(said, RefundSeen) and state.refunds) and right(state, said)


def early_refunds_dropped(right: Any) -> Any:
    return lambda self, one: None if isinstance(one.said, RefundSeen) else right(self, one)


def added_whole(right: Any) -> Any:
    def corrected(said: Any, was: Any, level: Any) -> None:
        right(said, replace(was, quantity=0) if isinstance(was, StockCounted) else was, level)

    return corrected


def taken_for_done(right: Any) -> Any:
    """An answer that never came is taken for success."""
    from mainstay.contract.connector import Done
    from mainstay.model.failures import Unknown

    def settle(self: Lanes, task: Any, outcome: Any) -> None:
        right(self, task, Done() if isinstance(outcome, Unknown) else outcome)

    return settle


def done_before(right: Any) -> Any:
    """What is to be asked for is kept as done, and then it is asked for."""

    async def talk(self: Lanes, tasks: Any) -> None:
        for task in tasks:
            if task.attempt.status != "unknown":
                self.outcomes.attempt(task.id, replace(task.attempt, status="done"))
        self.outcomes.flush()
        await right(self, tasks)

    return talk


def taken_for_over(right: Any) -> Any:
    """A call that was given up is taken for one that is not carried out any more."""

    def later(self: Lanes, task: Any, failure: Any) -> None:
        failure.lingers_s = 0.0
        right(self, task, failure)

    return later


def unnamed(right: Any) -> Any:
    def move(state: Any) -> None:
        right(state)
        state.strayed = []

    return move


def whole(_right: Any) -> Any:
    return lambda state: state.order.total - state.order.gift_cards if state.order is not None and not state.cancel else 0


def line_by_line(right: Any) -> Any:
    """Each line of a request is looked at by itself."""

    def allocate(wants: Any, shelves: Any, split: bool = True) -> Any:
        found = [right([one], shelves, split) for one in wants]
        return [share for shares, _ in found for share in shares], [lacking for _, missing in found for lacking in missing]

    return allocate


def never_sent(right: Any) -> Any:
    """What an earlier process may have sent is taken for never sent."""

    def add(self: Lanes, *intent: Any, restarted: bool, restored: bool = False) -> None:
        right(self, *intent, restarted=False, restored=False)

    return add


def as_if_nothing_was_counted(right: Any) -> Any:
    """What was heard of a count then is taken for a count of nothing."""

    def heard(intake: Intake, item: int, one: Any) -> Any:
        then = right(intake, item, one)
        return then._replace(ours=[replace(one.said, quantity=0)], later=[]) if isinstance(one.said, StockCounted) else then

    return heard


def taken_for_lost(right: Any) -> Any:
    """What a system was asked for before is sent again, and nobody looks whether it is there."""

    async def look_up(self: Lanes, task: Any) -> None:
        if task.command.again:
            self._not_there(task)
        else:
            await right(self, task)

    return look_up


def books_once(right: Any) -> Any:
    """What changes after the first posting is not posted."""

    def close(self: Apply, state: Any, events: Any, seq: int) -> None:
        if not state.booked:
            right(self, state, events, seq)

    return close


def all_on_the_shelf(right: Any) -> Any:
    """Units that are not fit for sale are taken for such that are."""
    return {**right, "no_restock": "restock"}


def within_a_fortnight(right: Any) -> Any:
    """An order that is old is over."""

    def newer(state: Any, said: Any) -> bool:
        over = isinstance(said, FulfilmentSeen) and state.order is not None and said.at > state.order.placed_at + 14 * DAY
        return not over and bool(right(state, said))

    return newer


def newest_address(_right: Any) -> Any:
    """A buyer has one address: the one that came last."""

    def fill(self: Dispatch, command: Any, _entity: int) -> Any:
        if not getattr(command, "subject", None):
            return command
        body = self.state.load("load_people", [command.subject])[-1][-1]
        return replace(command, recipient=msgspec.json.decode(unpack(body), type=Person))

    return fill


def without_payments(right: Any) -> Any:
    """The answer to a person lacks what the store has."""

    def order(*asked: Any) -> Any:
        found = right(*asked)
        return found and {**found, "payments": {}}

    return order


def shown_with(**parts: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """An answer to a person in which these parts are made of what is right."""

    def spoil(right: Any) -> Any:
        def shown(*asked: Any) -> Any:
            found = right(*asked)
            return {**found, **{name: change(found[name]) for name, change in parts.items()}}

        return shown

    return spoil


def not_the_last(some: dict[str, Any]) -> dict[str, Any]:
    return dict(list(some.items())[:-1])


def as_if_done(effects: dict[str, Any]) -> dict[str, Any]:
    """What was refused is shown as done."""
    return {key: one | {"outcome": "done"} if one.get("outcome") == "rejected" else one for key, one in effects.items()}


def at_first(steps: list[Any]) -> list[Any]:
    """All that happened is told of at the time of what came first."""
    return [step | {"at": "2020-01-01T00:00:00.000000Z"} for step in steps]


def without_last_move(steps: list[Any]) -> list[Any]:
    last = max((number for number, step in enumerate(steps) if step["what"].startswith("moved: ")), default=-1)
    return [step for number, step in enumerate(steps) if number != last]


def swapped(accounts: dict[str, str]) -> dict[str, str]:
    """What the provider holds is shown as its fees, and the other way round: the sum is the same."""
    holds, fees = ({name: balance for name, balance in accounts.items() if name.startswith(prefix)} for prefix in ("psp:payments", "fees:"))
    return {**accounts, **dict(zip(holds, fees.values(), strict=False)), **dict(zip(fees, holds.values(), strict=False))}


def all_at_once(right: Any) -> Any:
    """A batch has one time."""

    def take(self: Intake, source: str, receipts: Any, now: int) -> None:
        right(self, source, [replace(one, at=receipts[-1].at) for one in receipts], now)

    return take


def synced(how: str) -> Callable[[Any], Any]:
    """The inbox of the door is opened with less care."""

    def spoil(right: Any) -> Any:
        def begin(self: Inbox, path: Any) -> None:
            right(self, path)
            if path.name == "inbox.db":
                self.connection.pragma("synchronous", how)

        return begin

    return spoil


def told_first(right: Any) -> Any:
    """Senders are told at once, and what they sent is kept in a moment."""

    def flush(self: Recorder) -> None:
        for number, future in enumerate(self._told, self.inbox.last + 1):
            if not future.done():
                future.set_result(number)
        asyncio.get_running_loop().call_later(MOMENT_S, right, self)

    return flush


def position_first(right: Any) -> Any:
    """The position in the inbox is kept, and then, in a commit of its own, what the receipts said."""

    def take(self: Intake, source: str, receipts: Any, now: int) -> None:
        self.world.store.run("set_counter", (f"position/{source}", receipts[-1].seq))
        right(self, source, receipts, now)

    return take


def in_two(right: Any) -> Any:
    """A batch's intents are kept, and then, in a commit of its own, the rest."""

    def write(self: State, batch: Batch) -> None:
        intents, batch.intents = batch.intents, []
        with self.connection:
            self.connection.executemany(SQL["add_intent"], intents)
        right(self, batch)

    return write


def only_closed(right: Any) -> Any:
    return lambda self, receipt, *, asked=0: Again("taken") if asked else right(self, receipt)


def over_at_once(right: Any) -> Any:
    return lambda *call, **how: right(*call, **{**how, "lasts_s": 0.0})


async def not_read(_hooks: Hooks, _feed: str) -> bool:
    return True


def always_whole(right: Any) -> Any:
    def look(place: Any) -> Any:
        found = yield from right(place)
        return tuple(replace(one, wrong="", hint="") for one in found)

    return look


async def asleep(_poll: Poll) -> float:
    return 3600.0
