"""What people do with dead letters, one or many: retry, repair, suppress, assign, escalate. Each is a receipt with an actor and a reason.

What is asked for many letters is a job: the core does it a few letters at a time, between its other work, until it is done or cancelled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from mainstay.customers.words import cleaned
from mainstay.flows import queue
from mainstay.flows.ask import Ask, reader
from mainstay.flows.intake import TIMER, Again, Intake
from mainstay.flows.mend import GONE, Mend, Values, lost, with_values
from mainstay.flows.queue import Letter, Name, Reason, Wanted, Word
from mainstay.flows.replay import Raw, as_repaired, replay
from mainstay.flows.resend import resend, tell_anew
from mainstay.flows.span import ASKED, UNCHANGED, Stage
from mainstay.flows.world import events_of
from mainstay.model.events import (
    Answered,
    AnyEvent,
    Doubted,
    JobBegan,
    JobEnded,
    JobStepped,
    LetterClosed,
    LetterPassed,
    LetterTried,
    Parked,
)
from mainstay.model.failures import Reject
from mainstay.model.outcome import TOPIC
from mainstay.model.state import EffectState, JobState, OrderState
from mainstay.orders import payments
from mainstay.storage.inbox import UNCLAIMED, Receipt
from mainstay.storage.packing import Damaged

AT_ONCE = 16  # letters of a job that are handled in one step, so that messages wait no longer than for each other
NAMED_MAX = 1_000  # letters of a job that are named one by one
VALUES_MAX = 100  # that a job sets in each message
NO_MESSAGE = "it is about no message that came in: retry or suppress it"
Action = Literal["retry", "repair", "suppress", "assign", "escalate"]
Number = Annotated[int, Meta(ge=1, le=2**63 - 1)]


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
    """Body of POST /v1/jobs: the same act for all dead letters that `query` means ({}: all that are open), or that `letters` names.

    `set`: what a repair writes into each message, by the way that leads to it ("line_items.0.sku"); nothing: they are read as they are.
    """

    action: Action
    query: Wanted | None = None
    letters: Annotated[tuple[Number, ...], Meta(max_length=NAMED_MAX)] = ()
    set: Annotated[dict[Word, Reason], Meta(max_length=VALUES_MAX)] = {}
    by: Name = ""
    reason: Reason = ""
    to: Name = ""


def values_in(asked: Receipt) -> Values:
    """What was to be set, as the receipt says in which a repair of many was asked for."""
    return tuple(msgspec.json.decode(asked.body, type=JobRequest).set.items())


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
        self._begun: dict[int, JobBegan] = {}  # running jobs, as far as steps asked for them
        self._careful: set[int] = set()  # jobs of which a step broke us
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
        intake.stumbled["job"] = self._stumbled

    # --- one letter --------------------------------------------------------------------------------------------------
    def _one(self, action: Action, receipt: Receipt, ask: Ask) -> None:
        letter = self._open(receipt)
        if letter is not None:
            self._answer(action, letter, receipt, self._act(action, letter, receipt, ask.request))

    def _answer(self, action: Action, letter: Letter, receipt: Receipt, done: Again) -> None:
        if done.nothing:
            self.intake.answer(receipt, 409, {"code": "nothing_done", "detail": f"{done.detail}; the letter stays open"})
        else:
            self.intake.answer(receipt, 200, {"id": letter.id, "status": action, "detail": done.detail})

    def _open(self, receipt: Receipt) -> Letter | None:
        letter = self.find(int(receipt.key))
        if letter is None:
            self.intake.answer(receipt, 404, {"code": "not_found", "detail": "no open dead letter has this id"})
        return letter

    def find(self, number: int) -> Letter | None:
        """An open letter, as this batch leaves it."""
        row = self.world.letter(number)
        letter = queue.letter_of(row) if row is not None else None
        return letter if letter is not None and letter.status == "open" else None

    def _act(self, action: Action, letter: Letter, receipt: Receipt, told: LetterRequest, job: int = 0) -> Again:
        """Do it to an open letter, and write down that it was done."""
        if action in ("assign", "escalate"):
            to = told.to or self._above(letter)
            if not to:
                return Again(f"nobody is declared above {letter.owner!r}: say to whom", nothing=True)
            self.intake.letters.note(letter.id, LetterPassed(how=action, to=to, by=told.by, reason=told.reason, job=job), receipt.at)
            return Again(f"{'escalated' if action == 'escalate' else 'given'} to {to}{self._unreached(to)}")
        try:
            done = self._retry(letter, receipt) if action == "retry" else self._suppress(letter.state, receipt)
        except Reject as still:
            return self._in_vain(letter, still, receipt, told, job)
        if not done.nothing:
            self.intake.letters.note(letter.id, LetterClosed(how=action, by=told.by, reason=told.reason, job=job), receipt.at)
        return done

    def _above(self, letter: Letter) -> str:
        """Who is declared above whom a letter is with, else above its owner; nobody where it is with them already."""
        above = self.intake.shop.above
        found = above(letter.owner) or above(letter.state.owner)
        return found if found != letter.owner else ""

    def _unreached(self, to: str) -> str:
        """Whoever may act; alerts reach those who are declared."""
        owners = self.intake.shop.owners
        known = not owners or to in owners
        return "" if known else f", whom no alert reaches: mainstay.toml declares as owners {', '.join(sorted(owners))}"

    def _in_vain(self, letter: Letter, still: Reject, receipt: Receipt, told: LetterRequest, job: int) -> Again:
        """It stays the letter that it is, whosever it is and since when; what stands in its way may be another thing than before."""
        why, said = cleaned(still.why), letter.state
        owner = self.intake.shop.owner(said.system, said.topic, still.code)
        tried = LetterTried(code=still.code, why=why, owner=owner, by=told.by, reason=told.reason, job=job)
        self.intake.letters.note(letter.id, tried, receipt.at)
        return Again(f"{still.code}: {why}", nothing=True)

    def _retry(self, letter: Letter, receipt: Receipt) -> Again:
        parked = letter.state
        if parked.topic == TOPIC:
            return self._ask_again(receipt, letter)
        if parked.topic.startswith(ASKED):
            return Again("whoever asked for it was told that it failed, and asks anew: suppress it", nothing=True)
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
            return Again(GONE, nothing=True)
        again = Receipt(old.seq, receipt.at, old.system, old.topic, old.key, old.body)
        return self.intake.again(again)

    def _ask_again(self, receipt: Receipt, letter: Letter) -> Again:
        """An effect that was rejected: ask it once more, under a key that says so. One that had been done before, and was looked for in
        vain: look for it again, and make it under its own key."""
        parked = letter.state
        state, effect = self._effect(parked)
        if state is not None and effect is not None and effect.again == "rejected":
            past = (event for event in events_of(self.world.store, state.id) if isinstance(event, Doubted) and event.key == parked.key)
            done = resend(self.intake, next(past).intent, receipt, letter.id)
            return Again(done.detail, nothing=done.how != "asked")
        if state is None or effect is None or effect.outcome != "rejected" or (effect.amount and not payments.amount_again(state, effect)):
            return Again("nothing is left to ask: suppress it", nothing=True)
        self.intake.turns.ask_again(state, parked.key, letter.id, receipt)
        return Again("asked again")

    def _effect(self, parked: Parked) -> tuple[OrderState | None, EffectState | None]:
        """What a letter's effect has come to, and the order that it is of."""
        self.world.load_orders([parked.about])
        state = self.world.orders.get(parked.about)
        return state, state.effects.get(parked.key) if state is not None else None

    def _repair(self, receipt: Receipt, ask: Ask) -> None:
        """One letter, of which a person gives the whole message."""
        letter = self._open(receipt)
        if letter is None:
            return
        try:
            done = self._mended(letter, ask.request.body.encode(), receipt.seq, receipt, ask.request)
        except Reject as why:
            self.intake.subjects.append((receipt.seq, UNCLAIMED))
            self.intake.answer(receipt, 422, {"code": why.code, "detail": f"{cleaned(why.why)}; the letter stays open"})
            return
        whose = dict(self.intake.subjects)
        self.intake.subjects.append((receipt.seq, whose.get(letter.state.receipt, UNCLAIMED)))
        self._answer("repair", letter, receipt, done)

    def _mended(
        self, letter: Letter, body: bytes, asked: int, receipt: Receipt, told: LetterRequest | RepairRequest, job: int = 0
    ) -> Again:  # fmt: skip
        """Take a letter's message as a person has said in the receipt `asked` that it should have been. It counts at the version and time
        that it speaks of itself, so that what came after it stays. Raises Reject where it still cannot be read: nothing changes then."""
        said = letter.state
        if not _came_in(said):
            return Again(NO_MESSAGE, nothing=True)
        mended = Receipt(said.receipt, receipt.at, said.system, said.topic, said.key, body)
        detail = self.intake.again(mended, asked=asked).detail
        self.intake.letters.note(letter.id, LetterClosed(how="repair", by=told.by, reason=told.reason, job=job, receipt=asked), receipt.at)
        return Again(detail)

    def mend(self, letter: Letter, to: Mend, asked: int, receipt: Receipt, told: LetterRequest, job: int = 0) -> Again:
        """The same, as one of many: what cannot be mended in this way stays open with the reason, and the others go on."""
        said = letter.state
        if not _came_in(said):
            return Again(NO_MESSAGE, nothing=True)
        try:
            old = self.raw(said.system, said.receipt)
            return self._mended(letter, to(old.body if old is not None else None), asked, receipt, told, job)
        except Reject as why:
            return Again(f"{why.code}: {cleaned(why.why)}; the letter stays open", nothing=True)

    # --- many --------------------------------------------------------------------------------------------------------
    def _begin(self, receipt: Receipt, ask: Ask) -> None:
        """Whom the values of a repair tell of, nobody knows: they stay in the receipt, which an erasure finds."""
        told = ask.request
        letters = queue.meant(self.world.store, told.letters, told.query)
        if not letters:
            self.intake.answer(receipt, 404, {"code": "not_found", "detail": "no open dead letter is meant by this query"})
            return
        number = self.world.number("entity")
        query = msgspec.to_builtins(told.query) if told.query is not None else {"letters": "named"}
        began = JobBegan(
            action=told.action, letters=letters, query=query, to=told.to, by=told.by, reason=told.reason, receipt=receipt.seq
        )  # fmt: skip
        if told.set:
            self.intake.subjects.append((receipt.seq, UNCLAIMED))
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
        began = JobBegan(
            action="replay", letters=told.receipts, query=query, by=told.by, reason=told.reason, receipt=receipt.seq
        )  # fmt: skip
        self._job(number, began, receipt.at)
        if not told.receipts:
            self._job(number, JobEnded(how="done"), receipt.at)
        self.intake.answer(receipt, 202, {"job": number, "action": "replay", "letters": len(told.receipts), "told_anew": anew})

    def _job(self, number: int, event: AnyEvent, at: int) -> None:
        self.intake.apply.to_job(number, event, at)
        self.world.log(at, "job", number, [event])

    def _step(self, receipt: Receipt, _: Any) -> None:
        """The next letters of a job."""
        number = receipt.seq
        job = self.world.job(number)
        if job.status != "running":
            self._begun.pop(number, None)
            self._careful.discard(number)
            return
        began = self._began(number)
        numbers = began.letters[job.taken : job.taken + (1 if number in self._careful else AT_ONCE)]
        if job.action == "replay":
            told = self._replayed(job.query.get("from", "receipt"), numbers, receipt)
        else:
            act = self._doing(job, began, receipt)
            told = [self.turn(one, act, receipt) for one in numbers]
        self._stepped(job, len(numbers), told, receipt.at)

    def _stepped(self, job: JobState, took: int, told: Sequence[tuple[int, bool, str]], at: int) -> None:
        if took:
            self._job(job.id, JobStepped(results=tuple(told), unchanged=took - len(told)), at)
        if job.taken + took == job.total:
            self._job(job.id, JobEnded(how="done"), at)
            self._begun.pop(job.id, None)
            self._careful.discard(job.id)

    def _stumbled(self, number: int, due: int, bug: Reject) -> bool:
        """A step broke us, and nothing of it was kept. What is left is taken one by one; what breaks alone stays as it is, and the others
        go on."""
        if number not in self._careful:
            self._careful.add(number)
            return False
        job = self.world.job(number)
        self._stepped(job, 1, [(self._began(number).letters[job.taken], False, f"{bug.code}: {bug.why}; it stays as it is")], due)
        return True

    def _doing(self, job: JobState, began: JobBegan, receipt: Receipt) -> Callable[[Letter], Again]:
        """What a job does with each of its letters."""
        told = LetterRequest(by=job.by, reason=job.reason, to=job.to)
        if job.action == "repair":
            return partial(self.mend, to=self._values(began.receipt), asked=began.receipt, receipt=receipt, told=told, job=job.id)
        return lambda letter: self._act(job.action, letter, receipt, told, job.id)  # type: ignore[arg-type]

    def _values(self, asked: int) -> Mend:
        """What a repair was asked to set."""
        try:
            found = self.raw("operator", asked)
        except Damaged:
            return lost
        return with_values(values_in(found)) if found is not None else lost

    def turn(self, number: int, act: Callable[[Letter], Again], receipt: Receipt) -> tuple[int, bool, str]:
        """A letter's turn in a job: its number, whether something was done, and what. One that somebody has closed meanwhile is no failure.
        What has come free by it goes to those who wait before the next has its turn, as between messages."""
        letter = self.find(number)
        if letter is None:
            known = self.world.letter(number) is not None
            return number, known, "closed already" if known else "no dead letter has this number"
        done = act(letter)
        self.intake.end()
        if self.intake.turns.woken:
            self.intake.turns.wake(receipt)
        return number, not done.nothing, done.detail

    def _replayed(self, stage: str, numbers: Sequence[int], receipt: Receipt) -> list[tuple[int, bool, str]]:
        """Replay from a stage: what is told of those that make a difference. The letters that taken messages had become are closed."""
        told, taken = [], set()
        raw = as_repaired(self.raw, queue.repaired(self.world.store)) if stage == "receipt" else self.raw
        for number in numbers:
            how, detail = replay(self.intake, stage, number, receipt, raw)
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
            if self.find(letter.id):
                self.intake.letters.note(letter.id, LetterClosed(how="retry", reason="replayed"), at)

    def _began(self, number: int) -> JobBegan:
        if number not in self._begun:
            began = events_of(self.world.store, number)[0]
            assert isinstance(began, JobBegan)
            self._begun[number] = began
        return self._begun[number]

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


def _came_in(parked: Parked) -> bool:
    """Is a letter about a message that came in? An effect and a time-out have no words that a person could mend, and who called has been
    answered."""
    return parked.topic != TOPIC and not parked.topic.startswith((TIMER, *ASKED))
