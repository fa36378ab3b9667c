"""What a receipt says: its statements, and the keys of the entities that each may be about."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from mainstay.flows.world import World
from mainstay.model.identity import named
from mainstay.model.objects import Person, Reference
from mainstay.model.seen import OrderSeen, PaymentSeen, PriceSeen, ProductSeen, StockCounted, StockMoved, refuse_senseless
from mainstay.storage.inbox import Receipt
from mainstay.storage.state import Key


class Statement(Struct):
    """A statement on its way through a batch. `person` has been parted from it; `keys` say what it may be about, best first. `again`: it
    was said long ago, and is taken only now."""

    receipt: Receipt
    said: Any
    person: Person | None
    keys: list[Key]
    again: bool = False


def statement(world: World, receipt: Receipt, said: Any, person: Person | None) -> Statement:
    """A statement that a receipt makes, ready to be taken. Raises Reject where nobody could say what it means."""
    refuse_senseless(said)
    return Statement(receipt, said, person, keys_of(world, receipt.system, said))


def keys_of(world: World, system: str, said: Any) -> list[Key]:
    """Where to look for the order or item that a statement speaks of, best first, and what else it names."""
    if type(said) in (StockCounted, StockMoved):
        return [world.key(system, "item", said.item)] + (
            [world.key(system, "stock-move", said.external)] if type(said) is StockMoved else []
        )
    keys = [_key(world, reference) for reference in references(system, said)]
    if type(said) is OrderSeen:
        reserved = named(said.order.reservation) if said.order.reservation else None
        if reserved is not None:
            keys.append(world.key(reserved[1], reserved[0], reserved[2]))
        keys += [world.key(alias.system or system, alias.kind, alias.id) for alias in said.aliases]
        keys += [world.key(paid.system or system, paid.kind, paid.id) for paid in said.order.payments]
    return keys


def _key(world: World, reference: Reference) -> Key:
    if reference.system == "mainstay":
        ours = named(reference.id)
        if ours is not None:
            return world.key(ours[1], ours[0], ours[2])
    return world.key(reference.system, reference.kind, reference.id)


def references(system: str, said: Any) -> list[Reference]:
    """Where to look for the order that a statement speaks of, best first. Each reference names its system."""
    if type(said) is OrderSeen:
        return [Reference("order", said.external, system)]
    found = []
    of = getattr(said, "of", None) or getattr(said, "order", None)
    if type(said) is PaymentSeen:
        found.append(Reference("payment", said.external, system))
    if of is not None:
        found.append(Reference(of.kind, of.id, of.system or system))
    payment = getattr(said, "payment", None)
    if payment is not None:
        found.append(Reference(payment.kind, payment.id, payment.system or system))
    return found


def skus_of(said: Any) -> list[str]:
    """The SKUs that a statement names."""
    if type(said) is OrderSeen:
        return [line.sku for line in said.order.lines]
    if type(said) is ProductSeen:
        return [variant.sku for variant in said.variants]
    if type(said) in (StockCounted, StockMoved, PriceSeen) and said.sku:
        return [said.sku]
    return []
