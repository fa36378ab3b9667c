"""Old messages read once more with today's mapping: what they say now that they did not say then, and what follows from the difference.

A message is taken again only where its statement is still the last word on its object and differs from what was heard then. All else
stays as it is, so that nothing goes out but what changed. What is said of SKUs is read again by flows.reread_items.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from mainstay.flows import buyers
from mainstay.flows.intake import ON_ORDERS, Intake
from mainstay.flows.items import ON_ITEMS
from mainstay.flows.letters import NOTED
from mainstay.flows.reread_items import reread_item
from mainstay.flows.span import TOLD, How, Replayed
from mainstay.flows.statements import Statement
from mainstay.flows.world import events_of
from mainstay.model.events import Heard
from mainstay.model.failures import Reject
from mainstay.model.seen import CustomerSeen
from mainstay.orders import decide as orders
from mainstay.storage.inbox import Receipt


def reread(intake: Intake, old: Receipt, at: int) -> Replayed:
    """Read an old message again and take what is different of it."""
    found = intake.translate(old)
    if isinstance(found, Reject):
        return Replayed("same", "") if found.code in NOTED else Replayed("refused", f"{found.code}: {found.why}")
    if not isinstance(found, list):
        return Replayed("same", "")
    again = Receipt(old.seq, at, old.system, old.topic, old.key, old.body)
    intake.load([(again, found)])
    said = intake.claims.current([Statement(again, one.said, one.person, one.keys, again=True) for one in found])
    ended = [(how, one) for one in sorted(said, key=lambda one: type(one.said) not in ON_ORDERS) for how in _one(intake, one)]
    intake.end()
    told: How = next((how for how in TOLD if any(how == each.how for each, _ in ended)), "same")
    names = dict.fromkeys(_named(told, each, one) for each, one in ended if each.how in (told, "refused"))
    return Replayed(told, ", ".join(names))


def _named(told: How, ended: Replayed, one: Statement) -> str:
    """The statement, with why not where it was refused, although others of its message were not."""
    name = f"{type(one.said).__name__} {one.said.external}" + (f": {ended.detail}" if ended.detail else "")
    return name if ended.how == told else f"{ended.how} {name}"


def _one(intake: Intake, one: Statement) -> Iterator[Replayed]:
    """How a statement ended, for each object that it is about."""
    if type(one.said) not in ON_ORDERS | ON_ITEMS | {CustomerSeen}:
        return
    counts, _ = intake.claims.sift(one)
    if counts is None:
        yield Replayed("same", "")
    elif type(one.said) in ON_ITEMS:
        intake.turns.finish()
        yield from reread_item(intake, counts)
    elif type(one.said) is CustomerSeen:
        yield Replayed(_of_customer(intake, counts), "")
    else:
        yield Replayed(_of_order(intake, counts), "")


def _of_order(intake: Intake, counts: Statement) -> How:
    world, said = intake.world, counts.said
    number = next((world.links[key] for key in counts.keys if key in world.links), None)
    state = world.orders.get(number) if number is not None else None
    if state is None:
        ended, _ = intake.take_one(counts)
        return "taken" if ended == "applied" else "same"
    then = _heard(intake, state.id, counts.receipt.seq, said)
    if then == said and buyers.same(world, counts.person, state):
        return "same"
    if then is None:
        ended, _ = intake.take_one(counts)
        return "taken" if ended == "applied" else "same"
    if not orders.newer(state, replace(said, version=said.version + 1)):
        return "superseded"
    intake.take_one(counts, corrects=True)
    return "corrected"


def _of_customer(intake: Intake, counts: Statement) -> How:
    """A customer's own record stands in the vault alone, with the word that it is of: nothing of it was heard in the log."""
    world, said, person, receipt = intake.world, counts.said, counts.person, counts.receipt
    subject = buyers.known_as(world, receipt.system, said.external)
    if subject in world.erased:
        return "same"
    kept = buyers.record(world, subject) if subject and person is not None else None
    if _same_customer(intake, counts, subject) and (person is None or (kept is not None and kept.says(person))):
        return "same"
    corrects = kept is not None and kept.receipt == receipt.seq
    if kept is not None and not corrects and not kept.earlier(receipt, said):
        return "superseded"
    _, about = intake.take_one(counts)
    intake.subjects.append((receipt.seq, about))
    return "corrected" if corrects else "taken"


def _same_customer(intake: Intake, counts: Statement, subject: int) -> bool:
    """Is a customer known, and as one with whom their system has merged them?"""
    into = counts.said.merged_into
    other = buyers.known_as(intake.world, counts.receipt.system, into) if into else subject
    return bool(subject and other) and other in buyers.whole(intake.world, {subject})


def _heard(intake: Intake, number: int, receipt: int, said: Any) -> Any:
    """What was heard of this object from this very receipt, the last time that it was taken."""
    then = [
        event.said
        for event in events_of(intake.world.store, number)
        if isinstance(event, Heard) and event.receipt == receipt and type(event.said) is type(said) and event.said.external == said.external
    ]
    return then[-1] if then else None
