"""Buyers: personal data goes into the vault, and a subject stands for it everywhere else."""

from __future__ import annotations

import msgspec

from mainstay.customers.decide import subject_of
from mainstay.flows.world import World
from mainstay.model.objects import Person
from mainstay.storage.packing import pack


def keep(world: World, system: str, person: Person | None, order: int) -> int:
    """Keep personal data of a system's buyer; the subject that stands for it, or 0. `order` is the order that it came with, or 0."""
    if person is None:
        return 0
    number = subject_of(
        person, lambda customer: world.links.get(world.key(system, "customer", customer), 0), order, lambda: world.number("entity")
    )
    world.batch.people.append((number, pack(msgspec.json.encode(person))))
    return number
