"""How an item follows from what systems say of products. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from msgspec.structs import replace

from mainstay.model.seen import PriceSeen, ProductSeen, StockCounted, StockMoved
from mainstay.model.state import ItemState

PARTS = frozenset({"details", "price"})  # what a product's statement says beyond the names of its variants


def names_in(said: Any) -> list[tuple[str, str]]:
    """(SKU, what the speaker calls it) for every item that a statement names both ways."""
    if type(said) is ProductSeen:
        return [(variant.sku, variant.item or variant.id) for variant in said.variants]
    if type(said) in (StockCounted, StockMoved) and said.sku:
        return [(said.sku, said.item)]
    return []


def newer(item: ItemState, system: str, said: ProductSeen | PriceSeen) -> bool:
    """Is it news about this item, by the speaker's own clock? That of a product and that of a price may differ."""
    return said.version > item.versions.get(_clock(system, said), -1)


def _clock(system: str, said: ProductSeen | PriceSeen) -> str:
    return f"{system}/price" if type(said) is PriceSeen else system


def narrowed(said: ProductSeen, groups: Collection[str]) -> ProductSeen:
    """What a product's statement says in these groups: details, price. The names of variants are learnt in any case."""
    variants = said.variants
    if "details" not in groups:
        said = replace(said, title="", category="")
        variants = tuple(replace(variant, title="", barcode="", grams=0) for variant in variants)
    if "price" not in groups:
        variants = tuple(replace(variant, price=None, compare_at=None) for variant in variants)
    return replace(said, variants=variants)


def describe(item: ItemState, system: str, said: ProductSeen | PriceSeen) -> bool:
    """Take over what is said of this SKU; the version says how far we have listened. Tells whether its price is another one now."""
    before = item.prices.get(system)
    if type(said) is PriceSeen:
        item.prices[system] = (said.price, said.currency)
    else:
        assert type(said) is ProductSeen
        for variant in said.variants:
            if variant.sku == item.sku:
                item.title = variant.title or said.title or item.title
                if variant.price is not None and said.currency:
                    item.prices[system] = (variant.price, said.currency)
    item.versions[_clock(system, said)] = said.version
    return item.prices.get(system) != before


def name(item: ItemState, system: str, said: Any) -> str:
    """Learn what a system calls the SKU: no claim, whoever says it. Returns the name where it is a new one."""
    for sku, called in names_in(said):
        if sku == item.sku and item.ids.get(system) != called:
            item.ids[system] = called
            return called
    return ""
