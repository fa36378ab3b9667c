"""What an old message says of SKUs when it is read again: counts, movements, products and prices.

Stock is corrected by the difference to what was heard then, so that what has been sold, moved or promised since stays as it is. A product
or a price is corrected in those fields that nobody has spoken of since. Nothing is renamed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from msgspec.structs import replace

from mainstay.catalog.fold import PARTS, names_in, narrowed, newer
from mainstay.flows.intake import Intake
from mainstay.flows.span import Replayed
from mainstay.flows.statements import Statement
from mainstay.flows.world import events_of
from mainstay.model.events import Heard
from mainstay.model.seen import PriceSeen, ProductSeen, StockCounted, StockMoved
from mainstay.model.state import Level
from mainstay.stock import fold as stock

SAME, SUPERSEDED = Replayed("same", ""), Replayed("superseded", "")
CORRECTED, TAKEN = Replayed("corrected", ""), Replayed("taken", "")


def reread_item(intake: Intake, one: Statement) -> Iterator[Replayed]:
    """Take what is different of a statement about SKUs, of which only what counts is left. How it ended, for each SKU."""
    said = one.said
    if type(said) is StockCounted:
        yield _Stock(intake, one).counted(said)
    elif type(said) is StockMoved:
        yield _Stock(intake, one).moved(said)
    elif type(said) is ProductSeen:
        for variant in said.variants:
            yield _described(intake, one, replace(said, variants=(variant,)), variant.sku)
    elif type(said) is PriceSeen:
        yield _described(intake, one, said, said.sku)


class _Stock:
    """A statement about the stock of one SKU."""

    def __init__(self, intake: Intake, one: Statement) -> None:
        self.intake, self.world, self.one, self.system = intake, intake.world, one, one.receipt.system
        self.item = self.world.links.get(one.keys[0]) or self.world.item_of.get(one.said.sku)
        if self.item is not None:
            self.world.load_items((self.item,))

    def counted(self, said: StockCounted) -> Replayed:
        if self.item is None:
            return self._taken(said)
        level = self._level(self.item, said)
        if level is None:
            return self._taken(said)
        if stock.stale(said, level) or self._beaten(self.item, said):
            return SUPERSEDED
        then = _heard(self.intake, self.item, self.one)
        was = then.ours[-1] if then.ours else None
        if was == said:
            return SAME
        if was is None or (was.location, was.measure) != (said.location, said.measure):
            return self._taken(said)
        if was.at != said.at:
            return Replayed("refused", "it speaks of another moment than it did: the next count puts it right")
        again = any(other.at == was.at and _place(other) == _place(was) for other in then.later if type(other) is StockCounted)
        if again or (said.measure not in stock.PARTS and level.counted_at != was.at):
            return SUPERSEDED
        return self._corrected(self.item, said, was)

    def moved(self, said: StockMoved) -> Replayed:
        holder = self.world.links.get(self.one.keys[1])
        if holder is None:
            return self._taken(said) if self.item is None or not self._held(self.item, said) else SUPERSEDED
        then = _heard(self.intake, self.item, self.one).ours if self.item is not None else []
        if then:
            return self._moved_here(self.item, said, then[-1])
        first = _heard(self.intake, holder, self.one).ours
        if not first:  # another message told of it before
            return SAME
        if not first[-1].delta:
            return Replayed("refused", "it was put right once already: move its units by hand")
        item = self.item if self.item is not None else self.world.item(said.sku, self.one.receipt.at) if said.sku else None
        if item is None:
            return self._unknown(said)
        self._corrected(holder, replace(first[-1], delta=0), first[-1])
        return self._heard_anew(item, said)

    def _moved_here(self, item: int | None, said: StockMoved, was: StockMoved) -> Replayed:
        assert item is not None
        if was == said:
            return SAME
        if self._held(item, was) and self._held(item, said):
            return SUPERSEDED
        if was.location == said.location:
            return self._corrected(item, said, was)
        self._corrected(item, replace(was, delta=0), was)
        return self._heard_anew(item, said)

    def _held(self, item: int, said: StockMoved) -> bool:
        """Is it in a later count already, or does another's word count?"""
        level = self._level(item, said)
        return (level is not None and said.at <= level.counted_at) or self._beaten(item, said)

    def _taken(self, said: Any) -> Replayed:
        """It was never heard: as if it came now."""
        if self.item is None and not said.sku:
            return self._unknown(said)
        ended = self.intake.items.take(self.one)
        return TAKEN if ended == "applied" else SUPERSEDED if ended == "late" else SAME

    def _unknown(self, said: Any) -> Replayed:
        return Replayed("refused", f"unknown_sku: item {said.item!r} of {self.system} belongs to no SKU that is known")

    def _heard_anew(self, item: int, said: StockMoved) -> Replayed:
        self.intake.items.hear(item, self.one.receipt, said)
        self.intake.turns.woken.add(item)
        return CORRECTED

    def _corrected(self, item: int, said: Any, was: Any) -> Replayed:
        self.world.load_items((item,))
        self.intake.items.hear(item, self.one.receipt, said, corrects=was)
        self.intake.turns.woken.add(item)
        return CORRECTED

    def _level(self, item: int, said: Any) -> Level | None:
        """The level that is spoken of, where there is one: none is made by looking."""
        self.world.load_stock((item,))
        location = self._location(said)
        number = stock.level_id(item, location) if location is not None else None
        return next((level for level in self.world.shelves[item] if level.id == number), None)

    def _location(self, said: Any) -> int | None:
        return self.world.words.get(f"location/{said.location or self.intake.apply.settings.main}")

    def _beaten(self, item: int, said: Any) -> bool:
        location = self._location(said)
        claims = self.intake.claims
        return location is not None and bool(claims.beaten(item, self.system, said, claims.contested(said, location)))


def _described(intake: Intake, one: Statement, said: Any, sku: str) -> Replayed:
    """A product or a price, of one SKU."""
    world, system, claims = intake.world, one.receipt.system, intake.claims
    item = world.item_of.get(sku)
    if item is not None:
        world.load_items((item,))
    called = names_in(said)[0][1] if type(said) is ProductSeen else ""
    key = world.key(system, "item", called) if called else None
    if key is not None:
        world.look_up([key])
    known_as = world.links.get(key) if key is not None else None
    other = f"{system} calls another SKU {called!r} so far, and a replay renames nothing"
    if item is None:
        return Replayed("refused", other) if known_as is not None else _take(intake, one, said)
    then = _heard(intake, item, one)
    beaten = claims.beaten(item, system, said, claims.contested(said)).keys()
    if not then.ours:
        if not newer(world.items[item], system, said):
            return SAME
        if beaten:
            return SUPERSEDED
        return Replayed("refused", other) if known_as not in (None, item) else _take(intake, one, said)
    was = _of(then.ours[-1], sku)
    if was == said:
        return SAME
    free = PARTS - beaten - {field for later in then.later for field in _speaks(_of(later, sku))}
    if not newer(world.items[item], system, replace(said, version=was.version + 1)) or _part(was, free) == _part(said, free):
        return SUPERSEDED
    if known_as not in (None, item):
        return Replayed("refused", other)
    intake.items.hear(item, one.receipt, _part(said, free))
    return CORRECTED


def _take(intake: Intake, one: Statement, said: Any) -> Replayed:
    return TAKEN if intake.items.take(Statement(one.receipt, said, None, one.keys)) == "applied" else SAME


def _of(said: Any, sku: str) -> Any:
    """What of a product's statement is about this SKU."""
    return replace(said, variants=tuple(one for one in said.variants if one.sku == sku)) if type(said) is ProductSeen else said


def _part(said: Any, groups: frozenset[str]) -> Any:
    """What of a statement is about these fields; None where nothing is."""
    if type(said) is ProductSeen:
        return narrowed(said, groups)
    return said if "price" in groups else None


def _speaks(said: Any) -> set[str]:
    if type(said) is PriceSeen:
        return {"price"}
    priced = type(said) is ProductSeen and any(one.price is not None for one in said.variants)
    return ({"details"} if type(said) is ProductSeen else set()) | ({"price"} if priced else set())


class _Then(NamedTuple):
    """What was heard of an item: from this receipt of the same object, and from the speaker's receipts that came after it."""

    ours: list[Any]
    later: list[Any]


def _heard(intake: Intake, item: int, one: Statement) -> _Then:
    said = one.said
    events = [event for event in events_of(intake.world.store, item) if isinstance(event, Heard) and event.system == one.receipt.system]
    came = list(dict.fromkeys(event.receipt for event in events))
    since = set(came[came.index(one.receipt.seq) + 1 :]) if one.receipt.seq in came else set()
    ours = [event.said for event in events if event.receipt == one.receipt.seq]
    ours = [heard for heard in ours if type(heard) is type(said) and heard.external == said.external]
    return _Then(ours, [event.said for event in events if event.receipt in since])


def _place(said: StockCounted) -> tuple[str, bool, str]:
    on_hand = said.measure not in stock.PARTS
    return said.location, on_hand, "" if on_hand else said.measure
