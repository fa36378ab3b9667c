"""What people do: retry and suppress dead letters, erase a person. Each is a receipt with an actor and a reason, like any other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from mainstay.flows.ask import Ask
from mainstay.flows.intake import Intake
from mainstay.model.events import AnyEvent, Erased, Freed, LetterClosed, Parked
from mainstay.model.identity import named
from mainstay.model.state import OrderState
from mainstay.storage.inbox import Receipt

Raw = Callable[[str, int], Receipt | None]  # (source, number) -> the receipt's bytes, from inbox or archive


class LetterRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Who acts on a dead letter, and why."""

    by: Annotated[str, Meta(max_length=200)] = ""
    reason: Annotated[str, Meta(max_length=2000)] = ""


class Operators:
    """Handles the receipts of people. `raw` finds the bytes of an earlier receipt."""

    def __init__(self, intake: Intake, raw: Raw) -> None:
        self.intake, self.world, self.raw = intake, intake.world, raw
        for topic, run in (
            ("operator/retry", self._retry), ("operator/suppress", self._suppress), ("operator/erase", self._erase),
            ("operator/free", self._free),
        ):  # fmt: skip
            intake.readers[topic] = self._read
            intake.handlers[topic] = run

    def _read(self, receipt: Receipt) -> Ask:
        return Ask(msgspec.json.decode(receipt.body or b"{}", type=LetterRequest), [], [])

    def _retry(self, receipt: Receipt, ask: Ask) -> None:
        parked = self._open(receipt)
        if parked is None:
            return
        if parked.key and parked.topic == "mainstay/outcome":
            detail = self._ask_again(receipt, parked)
        else:
            detail = self._take_again(receipt, parked)
        self._close(receipt, ask.request, "retry", detail)

    def _suppress(self, receipt: Receipt, ask: Ask) -> None:
        if self._open(receipt) is not None:
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

    def _take_again(self, receipt: Receipt, parked: Parked) -> str:
        """An inbound message: translate its kept bytes once more, with the mapping of today."""
        old = self.raw(parked.system, parked.receipt)
        if old is None:
            return "its raw bytes are gone"
        again = Receipt(old.seq, receipt.at, old.system, old.topic, old.key, old.body)
        return self.intake.again(again)

    def _ask_again(self, receipt: Receipt, parked: Parked) -> str:
        """An effect that was rejected: ask it once more, under a key that says so."""
        self.world.load_orders([parked.about])
        state = self.world.orders.get(parked.about)
        effect = state.effects.get(parked.key) if state is not None else None
        if state is None or effect is None or effect.outcome != "rejected":
            return "nothing is left to ask"
        self.intake.turns.ask_again(state, parked.key, receipt)
        return "asked again"

    def _close(self, receipt: Receipt, request: LetterRequest, how: str, detail: str) -> None:
        number = int(receipt.key)
        event = LetterClosed(how=how, by=request.by, reason=request.reason)
        self.intake.apply.to_letter(number, event, receipt.at)
        self.world.log(receipt.at, "letter", number, [event])
        self._answer(receipt, 200, {"id": number, "status": how, "detail": detail})

    def _order(self, receipt: Receipt) -> OrderState | None:
        """The order that a receipt is about; None where there is none, and that is answered."""
        world = self.world
        found = named(receipt.key)
        state = None
        if found is not None and f"{found[1]}/{found[0]}" in world.words:
            key = world.key(found[1], found[0], found[2])
            number = world.store.find([key]).get(key, 0)
            world.load_orders([number])
            state = world.orders.get(number)
        if state is None:
            self._answer(receipt, 404, {"code": "not_found", "detail": "no order has this id"})
        return state

    def _free(self, receipt: Receipt, ask: Ask) -> None:
        """Lift the holds of an order: a person has looked at their cause and accepts it."""
        state = self._order(receipt)
        if state is None:
            return
        if not state.holds:
            self._answer(receipt, 404, {"code": "not_found", "detail": "nothing holds this order"})
            return
        freed = [Freed(reason=reason, by=ask.request.by, waived=True) for reason in state.holds]
        self.intake.turns.advance(state, receipt, freed)
        self._answer(receipt, 200, {"order": state.uid, "status": state.status, "lifted": [one.reason for one in freed]})

    def _erase(self, receipt: Receipt, ask: Ask) -> None:
        """Delete a person's row in the vault; the archives destroy the keys of their receipts when they see the event."""
        world = self.world
        state = self._order(receipt)
        if state is None:
            return
        if not state.subject:
            self._answer(receipt, 404, {"code": "not_found", "detail": "no personal data is kept for this order"})
            return
        event: AnyEvent = Erased(by=ask.request.by)
        world.batch.erased.append((state.subject,))
        world.counters["erased"] = world.log(receipt.at, "subject", state.subject, [event])
        self._answer(receipt, 200, {"subject": state.subject, "status": "erased"})

    def _answer(self, receipt: Receipt, status: int, body: Any) -> None:
        self.world.answers.append((receipt.seq, status, body))
        self.intake.count(receipt, "applied" if status < 400 else "refused")
