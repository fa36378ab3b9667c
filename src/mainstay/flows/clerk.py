"""What people do with dead letters, one or many: retry, repair, suppress, assign, escalate. Each is a receipt with an actor and a reason.

What is asked for many letters is a job: the core does it a few letters at a time, between its other work, until it is done or cancelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import msgspec
from msgspec import Struct

from mainstay.customers.words import cleaned
from mainstay.flows import queue
from mainstay.flows.ask import Ask, reader
from mainstay.flows.intake import TIMER, Again, Intake
from mainstay.flows.letters import NOTED
from mainstay.flows.queue import Letter, Name, Reason, Wanted
from mainstay.flows.replay import Raw, replay
from mainstay.flows.resend import resend, tell_anew
from mainstay.flows.span import UNCHANGED, Stage
from mainstay.flows.world import events_of
from mainstay.model.events import Answered, AnyEvent, Doubted, JobBegan, JobEnded, JobStepped, LetterClosed, LetterPassed, Parked
from mainstay.model.failures import Reject
from mainstay.model.outcome import TOPIC
from mainstay.model.state import EffectState, JobState, OrderState
from mainstay.orders import payments
from mainstay.storage.inbox import UNCLAIMED, Receipt
from mainstay.storage.packing import Damaged

AT_ONCE = 16  # letters of a job that are handled in one step, so that messages wait no longer than for each other
Action = Literal["retry", "suppress", "assign", "escalate"]


class LetterRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Who acts on a dead letter, and why. `to`: whom it is assigned or escalated to."""

    by: Name = ""
    reason: Reason = ""
    to: Name = ""


class RepairRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /v1/deadletters/{id}/repair: the message as it should have been, who says so, and why."""

    body: str
    by: Name = ""
    reason: Reason = ""


class JobRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /v1/jobs: the same act for all dead letters that the query means."""

    action: Action
    query: Wanted
    by: Name = ""
    reason: Reason = ""
    to: Name = ""


class ReplayOrder(Struct, frozen=True):
    """A replay as the core is given it: the numbers of what was found (of receipts, of rows of the log, of intents, by its stage)."""

    receipts: tuple[int, ...]
    query: dict[str, str] = {}
    by: str = ""
    reason: str = ""
    stage: Stage = "receipt"


class Clerk:
    """Handles people's receipts about dead letters, and the steps of their jobs. `raw` finds the bytes of an earlier receipt."""

    def __init__(self, intake: Intake, raw: Raw) -> None:
        self.intake, self.world, self.raw = intake, intake.world, raw
        self._letters_of: dict[int, tuple[int, ...]] = {}  # of running jobs, as far as steps asked for them
        for action in ("retry", "suppress", "assign", "escalate"):
            intake.readers[f"operator/{action}"] = reader(LetterRequest)
            intake.handlers[f"operator/{action}"] = partial(self._one, action)
        for topic, request, run in (
            ("operator/repair", RepairRequest, self._repair), ("operator/job", JobRequest, self._begin),
            ("operator/replay", ReplayOrder, self._begin_replay),
            ("operator/cancel", LetterRequest, self._cancel),
        ):  # fmt: skip
            intake.readers[topic] = reader(request)
            intake.handlers[topic] = run
        intake.handlers[f"{TIMER}job"] = self._step

    # --- one letter --------------------------------------------------------------------------------------------------
    def _one(self, action: Action, receipt: Receipt, ask: Ask) -> None:
        letter = self._open(receipt)
        if letter is not None:
            done = self._act(action, letter, receipt, ask.request)
            if done.nothing:
                self.intake.answer(receipt, 409, {"code": "nothing_done", "detail": f"{done.detail}; the letter stays open"})
            else:
                self.intake.answer(receipt, 200, {"id": letter.id, "status": action, "detail": done.detail})

    def _open(self, receipt: Receipt) -> Letter | None:
        letter = self._find(int(receipt.key))
        if letter is None:
            self.intake.answer(receipt, 404, {"code": "not_found", "detail": "no open dead letter has this id"})
        return letter

    def _find(self, number: int) -> Letter | None:
        """An open letter, as this batch leaves it."""
        row = self.world.letter(number)
        letter = queue.letter_of(row) if row is not None else None
        return letter if letter is not None and letter.status == "open" else None

    def _act(self, action: Action, letter: Letter, receipt: Receipt, told: LetterRequest, job: int = 0) -> Again:
        """Do it to an open letter, and write down that it was done."""
        if action in ("assign", "escalate"):
            to = told.to or self.intake.shop.above(letter.owner)
            if not to:
                return Again(f"nobody is declared above {letter.owner!r}: say to whom", nothing=True)
            self.intake.letters.note(letter.id, LetterPassed(how=action, to=to, by=told.by, reason=told.reason, job=job), receipt.at)
            return Again(f"{'escalated' if action == 'escalate' else 'given'} to {to}")
        done = self._retry(letter.state, receipt) if action == "retry" else self._suppress(letter.state, receipt)
        if not done.nothing:
            self.intake.letters.note(letter.id, LetterClosed(how=action, by=told.by, reason=told.reason, job=job), receipt.at)
        return done

    def _retry(self, parked: Parked, receipt: Receipt) -> Again:
        if parked.topic == TOPIC:
            return self._ask_again(receipt, parked)
        if parked.topic.startswith(TIMER):
            return self.intake.ring_again(parked.topic.removeprefix(TIMER), int(parked.key), receipt.at)
        return self._take_again(receipt, parked)

    def _suppress(self, parked: Parked, receipt: Receipt) -> Again:
        """An effect that was rejected and that a person has settled otherwise: its order waits for it no longer."""
        state, effect = self._effect(parked) if parked.topic == TOPIC else (None, None)
        if state is not None and effect is not None and "rejected" in (effect.outcome, effect.again):
            again = effect.again == "rejected"
            self.intake.turns.advance(state, receipt, [Answered(key=parked.key, outcome="waived", at=receipt.at, again=again)])
        return Again("suppressed")

    def _take_again(self, receipt: Receipt, parked: Parked) -> Again:
        """An inbound message: translate its kept bytes once more, with the mapping of today."""
        try:
            old = self.raw(parked.system, parked.receipt)
        except Damaged as why:
            return Again(why.why, nothing=True)
        if old is None:
            return Again("its raw bytes are gone, as when its person was erased: suppress it", nothing=True)
        again = Receipt(old.seq, receipt.at, old.system, old.topic, old.key, old.body)
        return self.intake.again(again)

    def _ask_again(self, receipt: Receipt, parked: Parked) -> Again:
        """An effect that was rejected: ask it once more, under a key that says so. One that had been done before, and was looked for in
        vain: look for it again, and make it under its own key."""
        state, effect = self._effect(parked)
        if state is not None and effect is not None and effect.again == "rejected":
            past = (event for event in events_of(self.world.store, state.id) if isinstance(event, Doubted) and event.key == parked.key)
            done = resend(self.intake, next(past).intent, receipt)
            return Again(done.detail, nothing=done.how != "asked")
        if state is None or effect is None or effect.outcome != "rejected" or (effect.amount and not payments.amount_again(state, effect)):
            return Again("nothing is left to ask: suppress it", nothing=True)
        self.intake.turns.ask_again(state, parked.key, receipt)
        return Again("asked again")

    def _effect(self, parked: Parked) -> tuple[OrderState | None, EffectState | None]:
        """What a letter's effect has come to, and the order that it is of."""
        self.world.load_orders([parked.about])
        state = self.world.orders.get(parked.about)
        return state, state.effects.get(parked.key) if state is not None else None

    def _repair(self, receipt: Receipt, ask: Ask) -> None:
        """Take the message as a person says that it should have been. It counts at the version and time that it speaks of itself, so that
        what came after it stays. What still cannot be read changes nothing, and the letter stays open."""
        letter = self._open(receipt)
        if letter is None:
            return
        said, told = letter.state, ask.request
        if said.topic == TOPIC or said.topic.startswith(TIMER):
            self.intake.answer(
                receipt, 409, {"code": "nothing_done", "detail": "it is about no message that came in: retry or suppress it"}
            )
            return
        mended = Receipt(receipt.seq, receipt.at, said.system, said.topic, said.key, told.body.encode())
        try:
            detail = self.intake.again(mended, park=False).detail
        except Reject as why:
            self.intake.subjects.append((receipt.seq, UNCLAIMED))
            detail = cleaned(why.why)
            if why.code not in NOTED:
                self.intake.answer(receipt, 422, {"code": why.code, "detail": f"{detail}; the letter stays open"})
                return
        self.intake.letters.note(letter.id, LetterClosed(how="repair", by=told.by, reason=told.reason), receipt.at)
        self.intake.answer(receipt, 200, {"id": letter.id, "status": "repair", "detail": detail})

    # --- many --------------------------------------------------------------------------------------------------------
    def _begin(self, receipt: Receipt, ask: Ask) -> None:
        told = ask.request
        letters = tuple(letter.id for letter in queue.wanted(self.world.store, told.query))[::-1]
        if not letters:
            self.intake.answer(receipt, 404, {"code": "not_found", "detail": "no open dead letter is meant by this query"})
            return
        number = self.world.number("entity")
        query = msgspec.to_builtins(told.query)
        began = JobBegan(action=told.action, letters=letters, query=query, to=told.to, by=told.by, reason=told.reason)
        self._job(number, began, receipt.at)
        self.intake.answer(receipt, 202, {"job": number, "action": told.action, "letters": len(letters)})

    def _begin_replay(self, receipt: Receipt, ask: Ask) -> None:
        told = ask.request
        query = told.query if told.stage == "receipt" else {"from": told.stage, **told.query}
        anew = tell_anew(self.intake, told.query) if told.stage == "effect" else []
        if not told.receipts and not anew:
            self.intake.answer(receipt, 404, {"code": "not_found", "detail": "no system is told that"})
            return
        number = self.world.number("entity")
        self._job(number, JobBegan(action="replay", letters=told.receipts, query=query, by=told.by, reason=told.reason), receipt.at)
        if not told.receipts:
            self._job(number, JobEnded(how="done"), receipt.at)
        self.intake.answer(receipt, 202, {"job": number, "action": "replay", "letters": len(told.receipts), "told_anew": anew})

    def _job(self, number: int, event: AnyEvent, at: int) -> None:
        self.intake.apply.to_job(number, event, at)
        self.world.log(at, "job", number, [event])

    def _step(self, receipt: Receipt, _: Any) -> None:
        """The next letters of a job. One that somebody has closed meanwhile is no failure."""
        number = receipt.seq
        job = self.world.job(number)
        if job.status != "running":
            self._letters_of.pop(number, None)
            return
        numbers = self._letters(number)[job.taken : job.taken + AT_ONCE]
        told = (
            self._replayed(job.query.get("from", "receipt"), numbers, receipt)
            if job.action == "replay"
            else [self._also(job, one, receipt) for one in numbers]
        )
        if numbers:
            self._job(number, JobStepped(results=tuple(told), unchanged=len(numbers) - len(told)), receipt.at)
        if job.taken + len(numbers) == job.total:
            self._job(number, JobEnded(how="done"), receipt.at)
            self._letters_of.pop(number, None)

    def _also(self, job: JobState, number: int, receipt: Receipt) -> tuple[int, bool, str]:
        """A job's act for one of its letters: its number, whether it was done, and what."""
        letter = self._find(number)
        if letter is None:
            return number, True, "closed already"
        told = LetterRequest(by=job.by, reason=job.reason, to=job.to)
        done = self._act(job.action, letter, receipt, told, job.id)  # type: ignore[arg-type]
        self.intake.end()
        return number, not done.nothing, done.detail

    def _replayed(self, stage: str, numbers: Sequence[int], receipt: Receipt) -> list[tuple[int, bool, str]]:
        """Replay from a stage: what is told of those that make a difference. The letters that taken messages had become are closed."""
        told, taken = [], set()
        for number in numbers:
            how, detail = replay(self.intake, stage, number, receipt, self.raw)
            if how not in UNCHANGED:
                told.append((number, how != "refused", f"{how}: {detail}"))
            if how == "taken" and stage == "receipt":
                taken.add(number)
        self._close_taken(taken, receipt.at)
        return told

    def _close_taken(self, receipts: set[int], at: int) -> None:
        """Close the letters that these messages had become: they are taken now."""
        letters = [letter for letter in queue.wanted(self.world.store, Wanted()) if letter.state.receipt in receipts] if receipts else []
        for letter in letters:
            if self._find(letter.id):
                self.intake.letters.note(letter.id, LetterClosed(how="retry", reason="replayed"), at)

    def _letters(self, number: int) -> tuple[int, ...]:
        known = self._letters_of.get(number)
        if known is None:
            began = events_of(self.world.store, number)[0]
            assert isinstance(began, JobBegan)
            known = self._letters_of[number] = began.letters
        return known

    def _cancel(self, receipt: Receipt, ask: Ask) -> None:
        """Stop a job where it is. What it has done stays done."""
        number = int(receipt.key)
        try:
            job = self.world.job(number)
        except KeyError:
            self.intake.answer(receipt, 404, {"code": "not_found", "detail": "no job has this number"})
            return
        if job.status != "running":
            self.intake.answer(receipt, 409, {"code": "nothing_done", "detail": f"the job is {job.status} already"})
            return
        self._job(number, JobEnded(how="cancelled", by=ask.request.by), receipt.at)
        self.intake.answer(receipt, 200, {"job": number, "status": "cancelled", "detail": f"{job.taken} of {job.total} were done"})
