"""Old messages read once more with today's mapping: what they say now that they did not say then, and what follows from the difference.

A message is taken again only where its statement is still the last word on its object and differs from what was heard then. All else
stays as it is, so that nothing goes out but what changed. Counts, products and prices are left to the next one that comes.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from mainstay.flows.intake import ON_ORDERS, Intake
from mainstay.flows.span import How, Replayed
from mainstay.flows.statements import Statement
from mainstay.flows.world import events_of
from mainstay.model.events import Heard
from mainstay.model.failures import Reject
from mainstay.orders import decide as orders
from mainstay.storage.inbox import Receipt

CHANGED: tuple[How, ...] = ("corrected", "taken", "superseded")


def reread(intake: Intake, old: Receipt, at: int) -> Replayed:
    """Read an old message again and take what is different of it."""
    found = intake.translate(old)
    if isinstance(found, Reject):
        return Replayed("refused", f"{found.code}: {found.why}")
    if not isinstance(found, list):
        return Replayed("same", "")
    again = Receipt(old.seq, at, old.system, old.topic, old.key, old.body)
    intake.load([(again, found)])
    said = [Statement(again, one.said, one.person, one.keys) for one in found if type(one.said) in ON_ORDERS]
    ended: list[tuple[How, Statement]] = [(_one(intake, one), one) for one in said]
    intake.end()
    told: How = next((how for how in CHANGED if any(how == each for each, _ in ended)), "same")
    names = dict.fromkeys(f"{type(one.said).__name__} {one.said.external}" for how, one in ended if how == told)
    return Replayed(told, ", ".join(names))


def _one(intake: Intake, one: Statement) -> How:
    world = intake.world
    counts, _ = intake.claims.sift(one)
    if counts is None:
        return "same"
    said = counts.said
    number = next((world.links[key] for key in counts.keys if key in world.links), None)
    state = world.orders.get(number) if number is not None else None
    if state is None:
        ended, _ = intake.take_one(counts)
        return "taken" if ended == "applied" else "same"
    then = _heard(intake, state.id, counts.receipt.seq, said)
    if then == said:
        return "same"
    if then is None:
        ended, _ = intake.take_one(counts)
        return "taken" if ended == "applied" else "same"
    if not orders.newer(state, replace(said, version=said.version + 1)):
        return "superseded"
    intake.take_one(counts, corrects=True)
    return "corrected"


def _heard(intake: Intake, number: int, receipt: int, said: Any) -> Any:
    """What was heard of this object from this very receipt, the last time that it was taken."""
    then = [
        event.said
        for event in events_of(intake.world.store, number)
        if isinstance(event, Heard) and event.receipt == receipt and type(event.said) is type(said) and event.said.external == said.external
    ]
    return then[-1] if then else None
