"""What people do: lift an order's holds, hold back what goes out, erase a person. Each is a receipt with an actor, like any other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from mainstay.customers.words import theirs
from mainstay.flows import buyers
from mainstay.flows.ask import Ask, reader
from mainstay.flows.clerk import LetterRequest
from mainstay.flows.intake import Intake
from mainstay.flows.replay import Raw
from mainstay.model.events import AnyEvent, Erased, Freed, PauseSet
from mainstay.model.identity import named
from mainstay.model.objects import Person
from mainstay.model.state import OrderState
from mainstay.storage.inbox import UNCLAIMED, Receipt
from mainstay.storage.packing import Damaged

_claims = msgspec.json.Decoder(list[tuple[int, int]]).decode


class PauseRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /v1/pauses: what is held back (`paused`; `draining`: but for what is to go out already), or goes on (`running`)."""

    target: Annotated[str, Meta(pattern=r"^(system|flow|channel|sku|key):.+$", max_length=300)]
    mode: Literal["paused", "draining", "running"]
    by: Annotated[str, Meta(max_length=200)] = ""
    reason: Annotated[str, Meta(max_length=2000)] = ""


class EraseRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /v1/erase. `who` is an order's id (ord.shop.17), a customer's id (cus.shop.81) or an e-mail address."""

    who: Annotated[str, Meta(min_length=1, max_length=320)]
    by: Annotated[str, Meta(max_length=200)] = ""


class Operators:
    """Handles the receipts of people. `raw` finds the bytes of an earlier receipt, `sealed` the archived ones that nobody claims."""

    def __init__(self, intake: Intake, raw: Raw, sealed: Callable[[], Iterable[int]]) -> None:
        self.intake, self.world, self.raw, self.sealed = intake, intake.world, raw, sealed
        for topic, request, run in (
            ("operator/free", LetterRequest, self._free), ("operator/erase", EraseRequest, self._erase),
            ("operator/pause", PauseRequest, self._pause),
        ):  # fmt: skip
            intake.readers[topic] = reader(request)
            intake.handlers[topic] = run

    def _order(self, uid: str) -> OrderState | None:
        world = self.world
        found = named(uid)
        if found is None or f"{found[1]}/{found[0]}" not in world.words:
            return None
        key = world.key(found[1], found[0], found[2])
        world.look_up([key])
        number = world.links.get(key, 0)
        world.load_orders([number])
        return world.orders.get(number)

    def _free(self, receipt: Receipt, ask: Ask) -> None:
        """Lift the holds of an order: a person has looked at their cause and accepts it."""
        state = self._order(receipt.key)
        if state is None or not state.holds:
            detail = "nothing holds this order" if state else "no order has this id"
            self.intake.answer(receipt, 404, {"code": "not_found", "detail": detail})
            return
        freed = [Freed(reason=reason, by=ask.request.by, waived=True) for reason in state.holds]
        self.intake.turns.advance(state, receipt, freed)
        self.intake.answer(receipt, 200, {"order": state.uid, "status": state.status, "lifted": [one.reason for one in freed]})

    def _pause(self, receipt: Receipt, ask: Ask) -> None:
        """Hold back what goes out to a system, of a flow, to a channel, of a SKU or an order; or let it go on."""
        told: PauseRequest = ask.request
        kind, _, name = told.target.partition(":")
        entity = 0
        if kind == "key":
            state = self._order(name)
            entity = state.id if state is not None else 0
        elif kind == "sku":
            self.world.load_skus([name])
            entity = self.world.item_of.get(name, 0)
        if kind in ("key", "sku") and not entity:
            self.intake.answer(
                receipt, 404, {"code": "not_found", "detail": f"no {'order' if kind == 'key' else 'product'} is called {name!r}"}
            )
            return
        event = PauseSet(target=told.target, mode=told.mode, entity=entity, by=told.by, reason=told.reason)
        self.intake.apply.to_pause(0, event, receipt.at)
        self.world.log(receipt.at, "pause", 0, [event])
        self.intake.answer(receipt, 200, {"target": told.target, "mode": told.mode})

    def _erase(self, receipt: Receipt, ask: Ask) -> None:
        """Delete a person's rows in the vault; the archives destroy the keys of their receipts when they see the event.

        Messages that nobody claims, such as dead letters, are searched for the person. The request is theirs too: it may name them.
        """
        world, who = self.world, ask.request.who
        subjects = self._subjects(who)
        kept = buyers.known(world, subjects)
        people = [*kept, Person(email=who)] if "@" in who else kept
        found = [seq for seq in self._unclaimed(receipt) if any(self._theirs(seq, person) for person in people)]
        if not subjects and "@" in who:
            subjects = {world.number("entity")}
        if subjects:
            self.intake.subjects += [(seq, min(subjects)) for seq in (*found, receipt.seq)]
        for subject in sorted(subjects):
            world.batch.erased.append((b"", subject))
            world.erased.add(subject)
            event: AnyEvent = Erased(by=ask.request.by)
            world.counters["erased"] = world.log(receipt.at, "subject", subject, [event])
        if kept or found:
            self.intake.answer(receipt, 200, {"subjects": sorted(subjects), "messages": len(found), "status": "erased"})
        else:
            self.intake.answer(receipt, 404, {"code": "not_found", "detail": "no personal data is kept under this id or address"})

    def _subjects(self, who: str) -> set[int]:
        """All subjects of the person whom an order, a customer's id or an e-mail address names."""
        return buyers.whole(self.world, self._named(who))

    def _named(self, who: str) -> set[int]:
        """The subjects of an order, a customer or an e-mail address."""
        world = self.world
        if "@" in who:
            return buyers.addressed(world, who)
        ours = named(who)
        if ours is not None and ours[0] == "customer" and f"{ours[1]}/customer" in world.words:
            key = world.key(ours[1], "customer", ours[2])
            world.look_up([key])
            return {world.links[key]} if key in world.links else set()
        state = self._order(who)
        return {state.subject} if state is not None and state.subject else set()

    def _unclaimed(self, receipt: Receipt) -> list[int]:
        """Receipts before this one that may be a person's, and nobody knows whose: those sealed, those not yet, those of this batch."""
        world = self.world
        claims = dict.fromkeys(self.sealed(), UNCLAIMED)
        for (body,) in world.store.rows("all_handled"):
            claims |= dict(_claims(body))
        claims |= {one.seq: UNCLAIMED for one in self.intake.batch if one.seq < receipt.seq}
        claims |= dict(self.intake.subjects)
        return [seq for seq, subject in claims.items() if subject == UNCLAIMED]

    def _theirs(self, seq: int, person: Person) -> bool:
        try:
            raw = self.raw("", seq)
        except Damaged:  # nobody can say whose it is, or read it: its key goes
            return True
        return raw is not None and theirs(raw.body, person)
