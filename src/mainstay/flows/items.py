"""Stock and products: counts, movements and descriptions of SKUs, taken over where they are news."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from mainstay.catalog.fold import PARTS, narrowed, newer
from mainstay.flows.claims import Claims
from mainstay.flows.letters import Letters
from mainstay.flows.statements import Statement
from mainstay.flows.turns import Turns
from mainstay.model.events import Heard
from mainstay.model.failures import Reject
from mainstay.model.seen import PriceSeen, ProductSeen, StockCounted, StockMoved
from mainstay.stock.fold import late, stale
from mainstay.storage.inbox import Receipt

ON_ITEMS = frozenset({StockCounted, StockMoved, ProductSeen, PriceSeen})


class Items:
    """Takes statements about SKUs."""

    def __init__(self, turns: Turns, letters: Letters, claims: Claims) -> None:
        self.world, self.apply, self.turns, self.letters, self.claims = turns.world, turns.apply, turns, letters, claims

    def take(self, one: Statement) -> str:
        """Take one statement; how it ended."""
        if type(one.said) is ProductSeen:
            return self._product(one.receipt, one.said)
        if type(one.said) is PriceSeen:
            return self._price(one.receipt, one.said)
        return self._stock(one)

    def _stock(self, one: Statement) -> str:
        world, receipt, said, keys = self.world, one.receipt, one.said, one.keys
        if type(said) is StockMoved and keys[1] in world.links:
            return "duplicate"
        item = world.links.get(keys[0])
        if item is None and said.sku:
            item = world.item(said.sku, receipt.at)
        if item is None:
            unknown = Reject(f"item {said.item!r} of {receipt.system} belongs to no SKU that is known", "unknown_sku")
            self.letters.park(receipt, unknown)
            return "parked"
        world.load_items((item,))
        world.load_stock((item,))
        location = self.apply.location(said.location)
        if type(said) is StockCounted and stale(said, world.level(item, location)):
            return "stale"
        behind = receipt.system in self.apply.settings.behind
        if one.again and type(said) is StockCounted and late(said, world.level(item, location), behind=behind):
            return "late"
        fields = self.claims.contested(said, location)
        beaten = self.claims.beaten(item, receipt.system, said, fields)
        if beaten:
            self.letters.propose(receipt, said, *beaten.values())
            return "proposed"
        self.hear(item, receipt, said, fields)
        self.turns.woken.add(item)
        return "applied"

    def _product(self, receipt: Receipt, said: ProductSeen) -> str:
        world, fields = self.world, self.claims.contested(said)
        result, reasons = "stale", dict[str, str]()
        for variant in said.variants:
            item = world.item(variant.sku, receipt.at)
            world.load_items((item,))
            if not newer(world.items[item], receipt.system, said):
                continue
            world.load_stock((item,))
            beaten = self.claims.beaten(item, receipt.system, said, fields)
            reasons |= beaten
            self.hear(item, receipt, narrowed(said, PARTS - beaten.keys()) if beaten else said, fields.keys() - beaten.keys())
            result = "applied"
        if reasons:
            self.letters.propose(receipt, said, *reasons.values())
        return result

    def _price(self, receipt: Receipt, said: PriceSeen) -> str:
        world, fields = self.world, self.claims.contested(said)
        item = world.item(said.sku, receipt.at)
        world.load_items((item,))
        if not newer(world.items[item], receipt.system, said):
            return "stale"
        if beaten := self.claims.beaten(item, receipt.system, said, fields):
            self.letters.propose(receipt, said, *beaten.values())
            return "proposed"
        self.hear(item, receipt, said, fields)
        return "applied"

    def hear(self, item: int, receipt: Receipt, said: Any, contested: Collection[str] = (), corrects: Any = None) -> None:
        """Fold what was heard of an item, and write it down. `corrects`: how the same receipt was read before."""
        event = Heard(system=receipt.system, said=said, receipt=receipt.seq, contested=tuple(sorted(contested)), corrects=corrects)
        self.apply.to_item(item, event, receipt.at)
        self.world.log(receipt.at, "item", item, [event])
