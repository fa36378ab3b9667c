"""Buyers: personal data goes into the vault, and a subject stands for it everywhere else."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import msgspec

from mainstay.customers.decide import subject_of
from mainstay.customers.words import cleaned
from mainstay.flows.apply import Apply
from mainstay.flows.world import World
from mainstay.model.events import AnyEvent, CustomerListed, Heard, SamePerson, decode
from mainstay.model.objects import Person
from mainstay.model.seen import CustomerSeen
from mainstay.model.state import OrderState
from mainstay.storage.inbox import Receipt
from mainstay.storage.packing import pack, unpack
from mainstay.storage.state import Key, State

_person = msgspec.json.Decoder(Person)


class Record(Person, frozen=True):
    """A customer's own record as the vault holds it: with the word that it is of. `receipt` 0: an earlier version of ours kept it."""

    system: str = ""
    version: int = 0
    at: int = 0
    receipt: int = 0

    def later(self, receipt: Receipt, said: CustomerSeen) -> bool:
        """Is it another message's, which the same speaker sent after this one?"""
        return self._of_another(receipt) and (self.version, self.at) > (said.version, said.at)

    def earlier(self, receipt: Receipt, said: CustomerSeen) -> bool:
        """Is it another message's, which the same speaker sent before this one?"""
        return self._of_another(receipt) and (self.version, self.at) < (said.version, said.at)

    def says(self, person: Person) -> bool:
        return all(getattr(self, field) == getattr(person, field) for field in Person.__struct_fields__)

    def _of_another(self, receipt: Receipt) -> bool:
        return self.system == receipt.system and self.receipt != receipt.seq


_record = msgspec.json.Decoder(Record)


def keys_of(world: World, system: str, said: Any, person: Person | None) -> list[Key]:
    """The cross-references of the customers whom a statement speaks of, or of the one that came with it."""
    named = (said.external, said.merged_into) if type(said) is CustomerSeen else (person.id,) if person is not None else ()
    return [world.key(system, "customer", customer) for customer in named if customer]


def keep(apply: Apply, receipt: Receipt, person: Person | None, order: OrderState) -> int:
    """Keep the personal data that came with an order, for that order; the subject that stands for its buyer, or 0. Who was erased
    stays erased; an order that names no customer any more is still its buyer's."""
    world = apply.world
    if person is None or order.subject in world.erased:
        return order.subject
    customer = known_as(world, receipt.system, person.id) if person.id else order.subject
    known = bool(customer) and customer not in world.erased
    same = known or not order.subject or _named(world, receipt, order) in ("", person.id)
    subject = subject_of(customer, order.subject, order.id, world.erased, same=same)
    if not subject:
        subject = world.number("entity") if customer else _listed(apply, receipt, person.id)
    if order.subject not in (0, subject):
        _hand_over(world, order, subject)
    if customer in world.erased and subject != order.subject:
        _are_one(world, receipt.at, customer, subject)
    world.batch.people.append((subject, order.id, pack(msgspec.json.encode(person))))
    return subject


def _named(world: World, receipt: Receipt, order: OrderState) -> str:
    """The customer whom the speaker named as the buyer of an order last, or ""."""
    heard = [event for event in _logged(world, "order", [order.id]) if isinstance(event, Heard) and event.system == receipt.system]
    return next((event.customer for event in reversed(heard) if event.customer), "")


def _hand_over(world: World, order: OrderState, subject: int) -> None:
    """An order is somebody else's now: what it brought stands once, under its buyer."""
    batch = world.batch
    batch.people = [row for row in batch.people if row[:2] != (order.subject, order.id)]
    batch.people_gone = [row for row in batch.people_gone if row != (subject, order.id)] + [(order.subject, order.id)]


def _are_one(world: World, at: int, one: int, other: int) -> None:
    """Write down that two subjects are one person, where that is not known yet."""
    if other not in whole(world, {one}):
        for subject, same in ((one, other), (other, one)):
            world.log(at, "customer", subject, [SamePerson(other=same)])


def whole(world: World, subjects: Iterable[int]) -> set[int]:
    """These subjects, and all that stand for the same people."""
    found: set[int] = set()
    new = set(subjects)
    while new:
        found |= new
        new = {event.other for event in _logged(world, "customer", new) if isinstance(event, SamePerson)} - found
    return found


def _logged(world: World, kind: str, entities: Collection[int]) -> list[AnyEvent]:
    """What the log says of these, with what this batch has yet to write."""
    stored = [body for found, body in world.store.load("log_of", sorted(entities)) if found == kind]
    fresh = [body for _, _, found, entity, body, _ in world.batch.events if found == kind and entity in entities]
    return [event for body in (*stored, *fresh) for event in decode(unpack(body))]


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
    kept = [body for _, brought, body in _held(world, stored) if brought == order.id]
    return _person.decode(unpack(kept[-1])) if kept else None


def _to(person: Person) -> list[str]:
    """Where a parcel for them goes, as a carrier would take it."""
    to = person.shipping
    parts = (to.name or person.name, to.company, to.street, to.street2, to.city, to.region, to.postcode, to.country) if to else ()
    return ["".join(part.split()).casefold() for part in parts]


def meet(apply: Apply, receipt: Receipt, said: CustomerSeen, person: Person | None) -> int:
    """Keep a customer's own record, unless its speaker has said a later one; the subject, which is the one of their orders. The record
    never replaces an order's address."""
    world = apply.world
    subject = _listed(apply, receipt, said.external)
    if said.merged_into:
        _are_one(world, receipt.at, subject, _listed(apply, receipt, said.merged_into))
    kept = record(world, subject) if person is not None else None
    if person is not None and not (kept is not None and kept.later(receipt, said)):
        said_of = msgspec.structs.asdict(person)
        new = Record(**said_of, system=receipt.system, version=said.version, at=said.at, receipt=receipt.seq)
        world.batch.people.append((subject, 0, pack(msgspec.json.encode(new))))
    return subject


def record(world: World, subject: int) -> Record | None:
    """A customer's own record, where one is kept."""
    held = _held(world, world.store.load("load_people", [subject]))
    return next((_record.decode(unpack(body)) for whose, brought, body in held if (whose, brought) == (subject, 0)), None)


def known_as(world: World, system: str, customer: str) -> int:
    """The subject of a customer; 0 where they have none."""
    return world.links.get(world.key(system, "customer", customer), 0)


def _listed(apply: Apply, receipt: Receipt, customer: str) -> int:
    """The subject of a customer, who gets one where they have none."""
    world = apply.world
    subject = known_as(world, receipt.system, customer)
    if not subject:
        subject = world.number("entity")
        listed = CustomerListed(system=receipt.system, customer=customer)
        apply.to_customer(subject, listed, receipt.at)
        world.log(receipt.at, "customer", subject, [listed])
    return subject


def known(world: World, subjects: Iterable[int]) -> list[Person]:
    """What the vault holds of these subjects, with what this batch has yet to write."""
    wanted = set(subjects) - {0}
    stored = world.store.load("load_people", sorted(wanted)) if wanted else []
    return [_person.decode(unpack(body)) for subject, _, body in _held(world, stored) if subject in wanted]


def _held(world: World, stored: Iterable[Any]) -> list[Any]:
    """Rows of the vault as they stand within the batch that changes them."""
    batch = world.batch
    rows = {(subject, brought): body for subject, brought, body in stored if (subject, brought) not in batch.people_gone}
    rows |= {(subject, brought): body for subject, brought, body in batch.people}
    return [(*row, body) for row, body in rows.items() if row[0] not in world.erased]


def with_address(state: State, email: str) -> set[int]:
    """The subjects with this e-mail address. A scan: asked seldom, and an index would be personal data in yet another place."""
    return _at_address(state.rows("all_people"), email)


def addressed(world: World, email: str) -> set[int]:
    """The same, also within the batch that brings them."""
    return _at_address(_held(world, world.store.rows("all_people")), email)


def _at_address(people: Iterable[Any], email: str) -> set[int]:
    wanted = msgspec.json.encode({"email": email})[1:-1].lower()
    return {subject for subject, _, body in people if wanted in unpack(body).lower()}


def discreet(world: World, why: str, subject: int) -> str:
    """What another system gave as its reason, as it may stand in the log: without the person whom it is about."""
    for person in known(world, (subject,)) if why else ():
        why = cleaned(why, person)
    return cleaned(why)
