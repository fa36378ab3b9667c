"""What people do: retry and suppress dead letters, erase a person. Each is a receipt with an actor and a reason, like any other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from mainstay.customers.words import theirs
from mainstay.flows import buyers
from mainstay.flows.ask import Ask
from mainstay.flows.intake import TIMER, Again, Intake
from mainstay.model.events import Answered, AnyEvent, Erased, Freed, LetterClosed, Parked
from mainstay.model.identity import named
from mainstay.model.objects import Person
from mainstay.model.outcome import TOPIC
from mainstay.model.state import EffectState, OrderState
from mainstay.orders import decide as orders
from mainstay.storage.inbox import UNCLAIMED, Receipt

_claims = msgspec.json.Decoder(list[tuple[int, int]]).decode
Raw = Callable[[str, int], Receipt | None]  # (source, number) -> the receipt's bytes, from inbox or archive


class LetterRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Who acts on a dead letter, and why."""

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
            ("operator/retry", LetterRequest, self._retry), ("operator/suppress", LetterRequest, self._suppress),
            ("operator/free", LetterRequest, self._free), ("operator/erase", EraseRequest, self._erase),
        ):  # fmt: skip
            intake.readers[topic] = partial(_read, request)
            intake.handlers[topic] = run

    def _retry(self, receipt: Receipt, ask: Ask) -> None:
        parked = self._open(receipt)
        if parked is None:
            return
        if parked.topic == TOPIC:
            done = self._ask_again(receipt, parked)
        elif parked.topic.startswith(TIMER):
            done = self.intake.ring_again(parked.topic.removeprefix(TIMER), int(parked.key), receipt.at)
        else:
            done = self._take_again(receipt, parked)
        if done.nothing:
            self._answer(receipt, 409, {"code": "nothing_done", "detail": f"{done.detail}; the letter stays open"})
        else:
            self._close(receipt, ask.request, "retry", done.detail)

    def _suppress(self, receipt: Receipt, ask: Ask) -> None:
        parked = self._open(receipt)
        if parked is not None:
            if parked.topic == TOPIC:
                self._waive(receipt, parked)
            self._close(receipt, ask.request, "suppress", "suppressed")

    def _open(self, receipt: Receipt) -> Parked | None:
        found = self.world.store.load("load_letters", [int(receipt.key)])
        closed = any(
            row[0] == int(receipt.key) and row[2] != "open" for row in self.world.batch.letters
        )  # by an earlier receipt of this batch
        if closed or not found or found[0][1] != "open":
            self._answer(receipt, 404, {"code": "not_found", "detail": "no open dead letter has this id"})
            return None
        return msgspec.json.decode(found[0][-1], type=Parked)

    def _take_again(self, receipt: Receipt, parked: Parked) -> Again:
        """An inbound message: translate its kept bytes once more, with the mapping of today."""
        old = self.raw(parked.system, parked.receipt)
        if old is None:
            return Again("its raw bytes are gone, as when its person was erased: suppress it", nothing=True)
        again = Receipt(old.seq, receipt.at, old.system, old.topic, old.key, old.body)
        return self.intake.again(again)

    def _ask_again(self, receipt: Receipt, parked: Parked) -> Again:
        """An effect that was rejected: ask it once more, under a key that says so."""
        state, effect = self._effect(parked)
        if state is None or effect is None or effect.outcome != "rejected" or (effect.amount and not orders.amount_again(state, effect)):
            return Again("nothing is left to ask: suppress it", nothing=True)
        self.intake.turns.ask_again(state, parked.key, receipt)
        return Again("asked again")

    def _waive(self, receipt: Receipt, parked: Parked) -> None:
        """An effect that was rejected and that a person has settled otherwise: its order waits for it no longer."""
        state, effect = self._effect(parked)
        if state is not None and effect is not None and effect.outcome == "rejected":
            self.intake.turns.advance(state, receipt, [Answered(key=parked.key, outcome="waived", at=receipt.at)])

    def _effect(self, parked: Parked) -> tuple[OrderState | None, EffectState | None]:
        """What a letter's effect has come to, and the order that it is of."""
        self.world.load_orders([parked.about])
        state = self.world.orders.get(parked.about)
        return state, state.effects.get(parked.key) if state is not None else None

    def _close(self, receipt: Receipt, request: LetterRequest, how: str, detail: str) -> None:
        number = int(receipt.key)
        event = LetterClosed(how=how, by=request.by, reason=request.reason)
        self.intake.apply.to_letter(number, event, receipt.at)
        self.world.log(receipt.at, "letter", number, [event])
        self._answer(receipt, 200, {"id": number, "status": how, "detail": detail})

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
            self._answer(receipt, 404, {"code": "not_found", "detail": detail})
            return
        freed = [Freed(reason=reason, by=ask.request.by, waived=True) for reason in state.holds]
        self.intake.turns.advance(state, receipt, freed)
        self._answer(receipt, 200, {"order": state.uid, "status": state.status, "lifted": [one.reason for one in freed]})

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
            self._answer(receipt, 200, {"subjects": sorted(subjects), "messages": len(found), "status": "erased"})
        else:
            self._answer(receipt, 404, {"code": "not_found", "detail": "no personal data is kept under this id or address"})

    def _subjects(self, who: str) -> set[int]:
        """The subjects of an order, a customer or an e-mail address."""
        world = self.world
        if "@" in who:
            return buyers.with_address(world.store, who) | buyers.at_address(world.batch.people, who)
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
        raw = self.raw("", seq)
        return raw is not None and theirs(raw.body, person)

    def _answer(self, receipt: Receipt, status: int, body: Any) -> None:
        self.world.answers.append((receipt.seq, status, body))
        self.intake.count(receipt, "applied" if status < 400 else "refused")


def _read(request: type[LetterRequest | EraseRequest], receipt: Receipt) -> Ask:
    return Ask(msgspec.json.decode(receipt.body or b"{}", type=request), [], [])
