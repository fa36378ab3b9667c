"""Stock and products: counts, movements and descriptions of SKUs, taken over where they are news."""

from __future__ import annotations

from typing import Any

from mainstay.catalog.fold import newer
from mainstay.flows.letters import Letters
from mainstay.flows.statements import Statement
from mainstay.flows.turns import Turns
from mainstay.model.events import Heard
from mainstay.model.failures import Reject
from mainstay.model.seen import ProductSeen, StockCounted, StockMoved
from mainstay.storage.inbox import Receipt
from mainstay.storage.state import Key

ON_ITEMS = frozenset({StockCounted, StockMoved, ProductSeen})


class Items:
    """Takes statements about SKUs."""

    def __init__(self, turns: Turns, letters: Letters) -> None:
        self.world, self.apply, self.turns, self.letters = turns.world, turns.apply, turns, letters

    def take(self, one: Statement) -> str:
        """Take one statement; how it ended."""
        if type(one.said) is ProductSeen:
            return self._product(one.receipt, one.said)
        return self._stock(one.receipt, one.said, one.keys)

    def _stock(self, receipt: Receipt, said: Any, keys: list[Key]) -> str:
        world = self.world
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
        if type(said) is StockCounted and said.at < world.level(item, location).counted_at:
            return "stale"
        self._heard(item, receipt, said)
        self.turns.woken.add(item)
        return "applied"

    def _product(self, receipt: Receipt, said: ProductSeen) -> str:
        world = self.world
        result = "stale"
        for variant in said.variants:
            item = world.item(variant.sku, receipt.at)
            world.load_items((item,))
            if not newer(world.items[item], receipt.system, said):
                continue
            world.load_stock((item,))
            self._heard(item, receipt, said)
            result = "applied"
        return result

    def _heard(self, item: int, receipt: Receipt, said: Any) -> None:
        event = Heard(system=receipt.system, said=said, receipt=receipt.seq)
        self.apply.to_item(item, event, receipt.at)
        self.world.log(receipt.at, "item", item, [event])
