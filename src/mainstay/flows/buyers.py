"""Buyers: personal data goes into the vault, and a subject stands for it everywhere else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from mainstay.customers.decide import subject_of
from mainstay.customers.words import cleaned
from mainstay.flows.apply import Apply
from mainstay.flows.world import World
from mainstay.model.events import CustomerListed
from mainstay.model.objects import Person
from mainstay.model.seen import CustomerSeen
from mainstay.model.state import OrderState
from mainstay.storage.inbox import Receipt
from mainstay.storage.packing import pack, unpack
from mainstay.storage.state import Key, State

_person = msgspec.json.Decoder(Person)


def keys_of(world: World, system: str, said: Any, person: Person | None) -> list[Key]:
    """The cross-reference of the customer whom a statement speaks of, or that came with it."""
    customer = said.external if type(said) is CustomerSeen else person.id if person is not None else ""
    return [world.key(system, "customer", customer)] if customer else []


def keep(world: World, system: str, person: Person | None, order: OrderState) -> int:
    """Keep the personal data that came with an order, for that order; the subject that stands for its buyer, or 0. Who was erased
    stays erased."""
    if person is None or order.subject in world.erased:
        return order.subject
    customer = world.links.get(world.key(system, "customer", person.id), 0) if person.id else 0
    subject = subject_of(customer, order.id, world.erased)
    world.batch.people.append((subject, order.id, pack(msgspec.json.encode(person))))
    return subject


def same(world: World, person: Person | None, order: OrderState) -> bool:
    """Is this what the order brought of its buyer? Whoever says nothing says nothing else, and of who was erased nothing is known."""
    if person is None or order.subject in world.erased:
        return True
    return _brought(world, order) == person


def moved(world: World, person: Person | None, order: OrderState) -> bool:
    """Is an order that a warehouse has to be sent elsewhere than what it brought before says? Spelt otherwise is not elsewhere."""
    released = any(effect.command == "ReleaseOrder" for effect in order.effects.values())
    if not released or person is None or not person.addressed or order.subject in world.erased:
        return False
    before = _brought(world, order)
    return before is not None and before.addressed and _to(before) != _to(person)


def _brought(world: World, order: OrderState) -> Person | None:
    """What an order brought of its buyer last, also within the batch that changes it."""
    stored = world.people.get(order.subject)
    if stored is None:
        stored = world.store.load("load_people", [order.subject]) if order.subject else []
    kept = [body for _, brought, body in (*stored, *world.batch.people) if brought == order.id]
    return _person.decode(unpack(kept[-1])) if kept else None


def _to(person: Person) -> list[str]:
    """Where a parcel for them goes, as a carrier would take it."""
    to = person.shipping
    parts = (to.name or person.name, to.company, to.street, to.street2, to.city, to.region, to.postcode, to.country) if to else ()
    return ["".join(part.split()).casefold() for part in parts]


def meet(apply: Apply, receipt: Receipt, said: CustomerSeen, person: Person | None) -> int:
    """Keep a customer's own record; the subject, which is the one of their orders. The record never replaces an order's address."""
    world = apply.world
    subject = world.links.get(world.key(receipt.system, "customer", said.external))
    if subject is None:
        subject = world.number("entity")
        listed = CustomerListed(system=receipt.system, customer=said.external)
        apply.to_customer(subject, listed, receipt.at)
        world.log(receipt.at, "customer", subject, [listed])
    if person is not None:
        world.batch.people.append((subject, 0, pack(msgspec.json.encode(person))))
    return subject


def known(world: World, subjects: Iterable[int]) -> list[Person]:
    """What the vault holds of these subjects, with what this batch has yet to write."""
    wanted = set(subjects) - {0}
    stored = world.store.load("load_people", sorted(wanted)) if wanted else []
    return [_person.decode(unpack(body)) for subject, _, body in (*stored, *world.batch.people) if subject in wanted]


def with_address(state: State, email: str) -> set[int]:
    """The subjects with this e-mail address. A scan: asked seldom, and an index would be personal data in yet another place."""
    return at_address(state.rows("all_people"), email)


def at_address(people: Iterable[tuple[int, int, bytes]], email: str) -> set[int]:
    """The subjects of those rows of the vault that hold this e-mail address."""
    wanted = msgspec.json.encode({"email": email})[1:-1].lower()
    return {subject for subject, _, body in people if wanted in unpack(body).lower()}


def discreet(world: World, why: str, subject: int) -> str:
    """What another system gave as its reason, as it may stand in the log: without the person whom it is about."""
    for person in known(world, (subject,)) if why else ():
        why = cleaned(why, person)
    return cleaned(why)
