"""Whose an order is, and what is kept of whom: the shop's own book against the vault."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from mainstay.model.objects import Person
from mainstay.model.state import OrderState
from mainstay.proof.play import Cast
from mainstay.storage.packing import unpack
from mainstay.storage.state import State

Add = Callable[[str, int, str], None]
Vault = Mapping[tuple[int, int], Person]  # (subject, the order that brought it; 0: the customer's own record) -> what is kept
_person = msgspec.json.Decoder(Person)


def vault(state: State) -> Vault:
    """All personal data that is kept."""
    return {(subject, brought): _person.decode(unpack(body)) for subject, brought, body in state.rows("all_people")}


def erased(belief: Mapping[str, OrderState], state: State) -> set[int]:
    """Who of those who ordered has been erased."""
    return {subject for (subject,) in state.load("load_erased", {one.subject for one in belief.values()})}


def differ(add: Add, cast: Cast, belief: Mapping[str, OrderState], state: State) -> None:
    """Name each order of the shop that is another buyer's here than there, what is kept of an order under anybody but its buyer, and each
    customer's own record that calls them as the shop calls nobody. Who was erased is nobody's any more."""
    kept = vault(state)
    gone = erased(belief, state)
    buyer = {one.id: one.subject for one in belief.values()}
    for subject, brought in kept:
        if brought and buyer.get(brought) != subject:
            add("owners_differ", 1, f"order {brought}: what it brought is kept under {subject}, its buyer is {buyer.get(brought)}")
    called = {" ".join(part for part in (one["first_name"], one["last_name"]) if part) for one in cast.shop.customers.values()}
    for (subject, brought), person in kept.items():
        if not brought and person.name not in called:
            add("owners_differ", 1, f"the record of {subject} says {person.name!r}, the shop knows {sorted(called)}")
    for number, order in cast.shop.orders.items():
        known = belief.get(f"ord.shop.{number}")
        if known is None or known.subject in gone:
            continue
        want, have = _stated(order), kept.get((known.subject, known.id))
        if have is None or (have.id, have.email, have.shipping and have.shipping.street) != want:
            add("owners_differ", 1, f"{known.uid}: at the shop it is of {want}, here of {have}")


def _stated(order: Mapping[str, Any]) -> tuple[str, str, str]:
    """The customer's id, the e-mail address and the street of an order."""
    return str(order["customer"]["id"]), order["email"] or "", order["shipping_address"]["address1"]
