"""Adds to what people are shown who answers for it, how they are reached, and the runbooks."""

from __future__ import annotations

from typing import Any

from mainstay.landscape import Duties
from mainstay.model.times import SECOND, iso, micros


def with_runbooks(letter: dict[str, Any], duties: Duties) -> dict[str, Any]:
    """A dead letter with the contact of whoever is to act, the runbooks, and until when the business needs it: so long after it was
    written as the most urgent flow that carries it allows. The owner is whose it became when it was written."""
    duty = duties.of(letter["system"], letter["topic"], letter["code"])
    within = int(duties.within_s(letter["system"], letter["topic"]) * SECOND)
    known = duties.owners.get(letter["given_to"] or letter["owner"])
    return {
        **letter, "deadline": iso(micros(letter["at"]) + within), "contact": known.contact if known else "",
        "runbooks": list(duty.runbooks),
    }  # fmt: skip


def with_deadline(cause: dict[str, Any], duties: Duties) -> dict[str, Any]:
    """A cause of dead letters with the runbooks, and until when the business needs the first of them."""
    within = int(duties.within_s(cause["system"], cause["topic"]) * SECOND)
    duty = duties.of(cause["system"], cause["topic"], cause["code"])
    return {**cause, "deadline": iso(micros(cause["first_at"]) + within), "runbooks": list(duty.runbooks)}


def with_people(proposal: dict[str, Any], duties: Duties) -> dict[str, Any]:
    """A proposal with those who answer for the system that made it."""
    return {**proposal, **duties.of(proposal["system"], "", "")._asdict()}


def with_owner(order: dict[str, Any], duties: Duties) -> dict[str, Any]:
    """An order whose blocker names its owner, their contact and the runbooks: of the system that it waits for, else of its seller."""
    blocker = order["blocker"]
    if blocker is None:
        return order
    system = order["system"] if blocker["whose"] in ("operations", "mainstay", "") else blocker["whose"]
    return {**order, "blocker": {**blocker, **duties.of(system, "", blocker["what"])._asdict()}}
