"""Whose word counts, of what a receipt says: the landscape decides, field group by field group; what does not count is a proposal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from msgspec.structs import replace

from mainstay.catalog.fold import narrowed
from mainstay.flows.statements import Statement
from mainstay.flows.world import World
from mainstay.landscape import Admission, Admitted, Claim, Proposal, speaks
from mainstay.model.seen import CustomerSeen, OrderSeen, ProductSeen, StockCounted, StockMoved
from mainstay.orders.history import ended
from mainstay.orders.parts import merged
from mainstay.storage.state import Key


class Sifted(NamedTuple):
    """What of a statement counts, and why the rest does not."""

    counts: Statement | None
    reason: str


class Claims:
    """Sifts statements by ownership."""

    def __init__(self, world: World, admission: Admission, since: Mapping[str, int]) -> None:
        self.world, self.admission, self.since = world, admission, since

    def current(self, said: list[Statement]) -> list[Statement]:
        """What a receipt says, but for what was over when we began to look after its system: orders that we do not know and that had
        ended, and movements, which its first count holds."""
        since = self.since.get(said[0].receipt.system) if said else None
        if since is None:
            return said
        said = [one for one in said if not is_in_the_opening_balance(one.said, since)]
        over: set[Key] = set()
        for one in said:
            if type(one.said) is OrderSeen and one.keys[0] not in self.world.links:
                when = ended(one.said.order, [other.said for other in said if one.keys[0] in other.keys])
                over |= {one.keys[0]} if when is not None and when <= since else set()
        return [one for one in said if over.isdisjoint(one.keys)]

    def sift(self, one: Statement) -> Sifted:
        """What of a statement counts; the rest is to be proposed."""
        answer = self.admission.admit(one.receipt.system, one.said, self._is_new(one))
        if isinstance(answer, Proposal):
            return Sifted(None, answer.reason)
        return Sifted(self._narrowed(one, answer) if answer.proposed else one, answer.reason)

    def _is_new(self, one: Statement) -> bool | None:
        """Orders and products are made by one and changed by others; all else is a document of whoever speaks of it."""
        if type(one.said) is OrderSeen:
            return one.keys[0] not in self.world.links
        if type(one.said) is ProductSeen:
            return not any(variant.sku in self.world.item_of for variant in one.said.variants)
        return None

    def _narrowed(self, one: Statement, answer: Admitted) -> Statement | None:
        """The statement with only those parts that count; None where nothing can be made of them."""
        said, groups = one.said, {group if obj != "price" else obj for obj, group in answer.parts}
        if type(said) is ProductSeen:
            return replace(one, said=narrowed(said, groups))
        if type(said) is CustomerSeen:
            return replace(one, person=one.person if "identity" in groups else None)
        assert type(said) is OrderSeen, f"{type(said).__name__} has one field group"
        state = self.world.orders.get(self.world.links.get(one.keys[0], 0))
        if state is None or state.order is None:
            return None  # half an order is none
        person = one.person if "header" in groups else None
        return replace(one, said=replace(said, order=merged(state.order, said.order, groups)), person=person)

    def beaten(self, item: int, system: str, said: Any, fields: dict[str, tuple[str, str]]) -> dict[str, str]:
        """Of these fields of an item (name -> object and group), those for which another's word counts: name -> the reason."""
        known, mine, found = self.world.items[item].claims, Claim(system, said.version, said.at), {}
        for name, (obj, group) in fields.items():
            if name in known:
                theirs = Claim(*known[name])
                if theirs.system != system and self.admission.winner(obj, group, theirs, mine) == theirs:
                    found[name] = f'{obj}.{group}: what "{theirs.system}" said counts; see `conflict` in mainstay.toml'
        return found

    def contested(self, said: Any, location: int = 0) -> dict[str, tuple[str, str]]:
        """The fields that a statement about an item speaks of and that others may state too: name -> object and group."""
        if type(said) in (StockCounted, StockMoved):
            measure: str = said.measure if type(said) is StockCounted else "on_hand"
            group = "available" if measure == "available" else "on_hand"
            fields = {f"{measure}/{location}": ("inventory", group)}
        else:
            spoken = {"PriceSeen": ("price",), "ProductSeen priced": ("details", "price"), "ProductSeen": ("details",)}[speaks(said)]
            fields = {name: {"details": ("product", "details"), "price": ("price", "all")}[name] for name in spoken}
        return {name: of for name, of in fields.items() if of in self.admission.contested}


def is_in_the_opening_balance(said: Any, since: int) -> bool:
    """Did units move before we began to look after their system? Whoever counted them until then has told of it, and its first count
    holds it: added to either it would be there twice."""
    return type(said) is StockMoved and said.at <= since
