"""An order's turn: what one receipt says of it is folded, then what follows is decided, and all of it is one row of the log.

The order of steps is fixed: what was heard -> orders.begin -> stock.allocate -> orders.settle, and money is posted by every event
that moves it (flows.apply).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from mainstay.flows.apply import Apply
from mainstay.flows.shop import Shop
from mainstay.model.events import Allocated, Answered, AnyEvent, Asked, Deallocated, Doubted, Heard, Share, Shipped, Short
from mainstay.model.restored import RESTORED
from mainstay.model.seen import OrderSeen
from mainstay.model.state import OrderState
from mainstay.orders import decide as orders
from mainstay.orders import units
from mainstay.orders.payments import amount_again
from mainstay.orders.policy import Policy
from mainstay.stock import decide as stock
from mainstay.stock.fold import free
from mainstay.stock.view import serving
from mainstay.storage.inbox import Receipt

_encode = msgspec.json.Encoder().encode
AGAIN = re.compile(r"(\.again\.\d+)+$")  # at the end of a key: which of the times it is that the effect is asked for


class Turn(Struct):
    """An order whose row of the log is being written: what one receipt says of it, and what follows."""

    state: OrderState
    at: int
    seq: int
    log: list[AnyEvent]


class Turns:
    """Gives orders their turns, one at a time."""

    def __init__(self, apply: Apply, shop: Shop) -> None:
        self.world, self.apply, self.shop = apply.world, apply, shop
        self.consume: Callable[[str, int, int], None] = lambda _reservation, _order, _at: None  # set by flows.ask
        self.woken: set[int] = set()  # items that have come free
        self.turn: Turn | None = None
        self._waiting = replace(shop.policy, waits=True)
        self.dealing = True  # what an order wants is set aside for it at once

    def forget(self) -> None:
        """Nothing of a batch that failed stays in memory."""
        self.turn = None
        self.dealing = True
        self.woken.clear()

    def hear(self, state: OrderState, receipt: Receipt, event: AnyEvent) -> None:
        """Fold what was heard. What follows is decided when all that one receipt says of the order has been heard."""
        statement = isinstance(event, Heard) and type(event.said) is OrderSeen
        if self.turn is not None and (self.turn.state is not state or statement):
            self.finish()
        if statement:
            self._prepare(state, event.said, receipt.at)  # type: ignore[union-attr,arg-type]
        if self.turn is None:
            self.turn = Turn(state, receipt.at, self.world.counters.get("event", 0) + 1, [])
        self._fold(self.turn, event)

    def finish(self) -> list[AnyEvent]:
        """Decide what follows for the order whose turn it is, and write its one row of the log, which is returned: none where nothing was
        heard and nothing follows."""
        turn, self.turn = self.turn, None
        if turn is None:
            return []
        world, state, policy = self.world, turn.state, self.policy
        for event in orders.begin(state, policy):
            self._fold(turn, event)
        if self.dealing:
            self._allocate(turn)
        for event in orders.settle(state, policy):
            self._fold(turn, self._located(state, event) if type(event) is Shipped and event.beyond else event)
        if not turn.log:
            return []
        self.apply.close(state, turn.log, turn.seq)
        state.updated_at = world.changed_orders[state.id] = turn.at
        written = world.log(turn.at, "order", state.id, turn.log)
        assert written == turn.seq, "the postings of a row carry its number"
        return turn.log

    @property
    def policy(self) -> Policy:
        """How orders are handled now."""
        return self._waiting if self.world.counters.get(RESTORED) else self.shop.policy

    def advance(self, state: OrderState, receipt: Receipt, events: Sequence[AnyEvent]) -> list[AnyEvent]:
        """Give an order its turn with these events, or only with what has changed around it; these, and what followed."""
        self.finish()
        for event in events:
            self.hear(state, receipt, event)
        if self.turn is None:
            self.turn = Turn(state, receipt.at, self.world.counters.get("event", 0) + 1, [])
        return self.finish()

    def ask_again(self, state: OrderState, key: str, letter: int, receipt: Receipt) -> None:
        """Ask a rejected effect once more, as the retry of a dead letter: the same command under a new key that names the old one."""
        old, first = state.effects[key], AGAIN.sub("", key)
        number = 2 + sum(one.startswith(f"{first}.again.") for one in state.effects)
        amount = amount_again(state, old)
        asked = Asked(
            key=f"{first}.again.{number}", command=old.command, system=old.system, amount=amount, lines=old.lines, about=old.about,
            location=old.location, letter=letter,
        )  # fmt: skip
        self.advance(state, receipt, [Answered(key=key, outcome="replaced", at=receipt.at, why=asked.key), asked])

    def make_again(self, state: OrderState, key: str, intent: int, receipt: Receipt, letter: int = 0) -> None:
        """Have an effect that was done looked for, and made again where its system does not have it: under the same key."""
        self.advance(state, receipt, [Doubted(key=key, intent=intent, letter=letter)])

    def _prepare(self, state: OrderState, said: OrderSeen, at: int) -> None:
        """What must stand in the log before the order's own row: new items, and the end of the reservation that it uses."""
        for line in said.order.lines:
            self.world.item(line.sku, at)
        if said.order.reservation and state.order is None:
            self.consume(said.order.reservation, state.id, at)

    def _fold(self, turn: Turn, event: AnyEvent) -> None:
        self.apply.to_order(turn.state, event, turn.at, turn.seq)
        turn.log.append(event)
        if isinstance(event, Deallocated):
            self.woken.update(share.item for share in event.shares)

    def _allocate(self, turn: Turn) -> None:
        state = turn.state
        wants = units.wants(state)
        if not wants and not state.short:
            return
        shares, missing = stock.allocate(wants, self.shelves(state.system, wants, state.shares), self.shop.split)
        if shares:
            self._fold(turn, Allocated(shares=tuple(shares)))
        if dict(missing) != state.short:
            asked = state.system in self.shop.policy.asks_first
            self._fold(turn, Short(missing=tuple(missing), asked_first=asked))

    def _located(self, state: OrderState, event: Shipped) -> Shipped:
        """A parcel with units that were set aside nowhere: stock says where they were."""
        wants = [(share.line, share.item, share.quantity) for share in event.beyond]
        return replace(event, beyond=stock.found(event.beyond, self.shelves(state.system, wants)))

    def shelves(self, system: str, wants: stock.Wants, held: Sequence[Share] = ()) -> stock.Shelves:
        """The levels that a system's orders may be served from: where nothing is split, those where its shares lie already."""
        world, names = self.world, self.shop.locations.get(system)
        world.load_stock(item for _, item, _ in wants)
        numbers: set[int | None]
        if held and not self.shop.split:
            numbers = {share.location for share in held}
        elif names is None:
            return world.shelves
        else:
            numbers = {world.words.get(f"location/{name}") for name in names}
        return {item: serving(world.shelves.get(item, ()), numbers) for _, item, _ in wants}

    def wake(self, receipt: Receipt) -> None:
        """Orders that wait for units that have come free get them, oldest first."""
        world = self.world
        items, self.woken = sorted(self.woken), set()
        if not world.backlog:
            return
        waiting = {number for item in items for number in world.queued.get(item, ())}
        waiting.update(number for _, number in world.store.rows("find_backlog", (_encode(items).decode(), 1_000)))
        world.load_orders(sorted(waiting))
        for number in sorted(waiting):
            state = world.orders[number]
            if state.status not in ("cancelled", "settled") and state.short:
                world.load_stock(state.items)
                wants = units.wants(state)
                shelves = self.shelves(state.system, wants, state.shares)
                if any(free(level) for _, item, _ in wants for level in shelves.get(item, ())):
                    self.advance(state, receipt, [])
