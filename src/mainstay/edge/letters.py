"""Dead letters over HTTP: who sees which, and what people do with one or with many."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any

import msgspec
from starlette.requests import Request

from mainstay.edge.openapi import Endpoint
from mainstay.edge.problems import Problem
from mainstay.edge.strict import query
from mainstay.edge.whose import with_deadline, with_runbooks
from mainstay.flows import journey, queue
from mainstay.flows.clerk import JobRequest, LetterRequest, RepairRequest, ReplayOrder
from mainstay.flows.queue import Wanted
from mainstay.flows.resend import NUMBERS
from mainstay.flows.span import ReplayRequest, numbers
from mainstay.landscape import Duties
from mainstay.model.failures import Reject
from mainstay.storage.inbox import InboxReader
from mainstay.storage.state import State

SHOWN_MAX = 200  # letters of one answer, the newest

Question = Callable[[State, InboxReader], Any]


class Letters:
    """The operations on dead letters and jobs. `aside` answers a question, `decided` records a request and waits for what became of it."""

    def __init__(
        self, aside: Callable[[Question], Awaitable[Any]], decided: Callable[[str, str, str, bytes], Awaitable[tuple[int, bytes]]],
        duties: Duties,
    ) -> None:  # fmt: skip
        self.aside, self.decided, self.duties = aside, decided, duties

    def endpoints(self) -> tuple[Endpoint, ...]:
        return (
            Endpoint(
                "GET", "/v1/deadletters", "operator", f"What could not be handled, why, and whose it is: the newest {SHOWN_MAX}",
                self.show_letters, query=Wanted,
            ),
            Endpoint("GET", "/v1/causes", "operator", "The dead letters by cause, with the money at risk", self.show_causes, query=Wanted),
            Endpoint("GET", "/v1/deadletters/{id}", "operator", "One dead letter with its raw message", self.show_letter),
            Endpoint("POST", "/v1/deadletters/{id}/retry", "operator", "Try a dead letter again", self.retry_letter, LetterRequest),
            Endpoint("POST", "/v1/deadletters/{id}/suppress", "operator", "Close it with a reason", self.suppress_letter, LetterRequest),
            Endpoint("POST", "/v1/deadletters/{id}/assign", "operator", "Give it to somebody", self.assign_letter, LetterRequest),
            Endpoint("POST", "/v1/deadletters/{id}/escalate", "operator", "Give it to those above", self.escalate_letter, LetterRequest),
            Endpoint(
                "POST", "/v1/deadletters/{id}/repair", "operator", "Take the message as it should have been", self.repair_letter,
                RepairRequest,
            ),
            Endpoint("POST", "/v1/jobs", "operator", "Do the same for many dead letters", self.begin_job, JobRequest, status=202),
            Endpoint("GET", "/v1/jobs", "operator", "The jobs, newest first", self.show_jobs),
            Endpoint("GET", "/v1/jobs/{id}", "operator", "How far a job is, and what became of each letter", self.show_job),
            Endpoint("POST", "/v1/jobs/{id}/cancel", "operator", "Stop a job where it is", self.cancel_job, LetterRequest),
            Endpoint(
                "POST", "/v1/replays", "operator", "Replay an interval from a stage, and send only what changed", self.begin_replay,
                ReplayRequest, status=202,
            ),
        )  # fmt: skip

    # --- questions ---------------------------------------------------------------------------------------------------
    async def show_letters(self, request: Request, who: str, body: None) -> tuple[int, bytes]:
        meant = query(request.query_params.multi_items(), Wanted)
        found = await self.aside(lambda state, _: journey.letters(state, meant, SHOWN_MAX))
        self._known(meant.system, found)
        return 200, msgspec.json.encode([with_runbooks(one, self.duties) for one in found])

    async def show_causes(self, request: Request, who: str, body: None) -> tuple[int, bytes]:
        meant = query(request.query_params.multi_items(), Wanted)
        found = await self.aside(lambda state, _: queue.causes(queue.wanted(state, meant)))
        self._known(meant.system, found)
        return 200, msgspec.json.encode([with_deadline(one, self.duties) for one in found])

    async def show_letter(self, request: Request, who: str, body: None) -> tuple[int, bytes]:
        number = _number(request, "dead letter")
        found = await self.aside(lambda state, _: journey.letter(state, number))
        if found is None:
            raise Problem(404, "not_found", f"no dead letter has the number {number}")
        return 200, msgspec.json.encode(with_runbooks(found, self.duties))

    async def show_jobs(self, request: Request, who: str, body: None) -> tuple[int, bytes]:
        return 200, msgspec.json.encode(await self.aside(lambda state, _: queue.jobs(state)))

    async def show_job(self, request: Request, who: str, body: None) -> tuple[int, bytes]:
        number = _number(request, "job")
        found = await self.aside(lambda state, _: journey.job(state, number))
        if found is None:
            raise Problem(404, "not_found", f"no job has the number {number}")
        return 200, msgspec.json.encode(found)

    # --- acts --------------------------------------------------------------------------------------------------------
    async def retry_letter(self, request: Request, who: str, body: LetterRequest) -> tuple[int, bytes]:
        return await self._act(request, who, body, "retry")

    async def suppress_letter(self, request: Request, who: str, body: LetterRequest) -> tuple[int, bytes]:
        _reasoned("suppress", body.reason)
        return await self._act(request, who, body, "suppress")

    async def assign_letter(self, request: Request, who: str, body: LetterRequest) -> tuple[int, bytes]:
        _given("assign", body.to)
        return await self._act(request, who, body, "assign")

    async def escalate_letter(self, request: Request, who: str, body: LetterRequest) -> tuple[int, bytes]:
        return await self._act(request, who, body, "escalate")

    async def repair_letter(self, request: Request, who: str, body: RepairRequest) -> tuple[int, bytes]:
        _reasoned("repair", body.reason)
        return await self._act(request, who, body, "repair")

    async def begin_job(self, request: Request, who: str, body: JobRequest) -> tuple[int, bytes]:
        if (body.query is None) == (not body.letters):
            raise Problem(422, "schema", "say in `letters` which, or in `query` which are meant; an empty query means all that are open")
        if body.query is not None and body.query.status != "open":
            raise Problem(422, "schema", "only open dead letters can be acted upon; leave `query.status` out")
        if body.set and body.action != "repair":
            raise Problem(422, "schema", f"nothing is set by {body.action}; leave `set` out, or say repair")
        if body.action in ("suppress", "repair"):
            _reasoned(body.action, body.reason)
        if body.action == "assign":
            _given("assign", body.to)
        return await self.decided(who, "operator/job", "", msgspec.json.encode(body))

    async def begin_replay(self, request: Request, who: str, body: ReplayRequest) -> tuple[int, bytes]:
        try:
            found = await self.aside(lambda state, _: numbers(state, body.span, body.stage))
        except Reject as why:
            raise Problem(422, why.code, why.why) from None
        self._known(body.span.system, found)
        if not found and not (body.stage == "effect" and body.span.topic in NUMBERS):
            raise Problem(404, "not_found", f"no {_MEANT[body.stage]} that is meant by this")
        asked = ReplayOrder(tuple(found), msgspec.to_builtins(body.span), body.by, body.reason, body.stage)
        return await self.decided(who, "operator/replay", "", msgspec.json.encode(asked))

    async def cancel_job(self, request: Request, who: str, body: LetterRequest) -> tuple[int, bytes]:
        return await self.decided(who, "operator/cancel", str(_number(request, "job")), msgspec.json.encode(body))

    def _known(self, system: str, found: Collection[Any]) -> None:
        """A name that nothing bears, and nothing that was found, is a slip, and no good news."""
        if not found and (wrong := self.duties.stranger(system)):
            raise Problem(404, "not_found", wrong)

    async def _act(self, request: Request, who: str, body: LetterRequest | RepairRequest, action: str) -> tuple[int, bytes]:
        return await self.decided(who, f"operator/{action}", str(_number(request, "dead letter")), msgspec.json.encode(body))


_MEANT = {"receipt": "message came in", "statement": "statement was heard", "effect": "effect was asked for"}


def _reasoned(action: str, reason: str) -> None:
    if not reason:
        raise Problem(422, "reason_missing", f"say why you {action} it: the reason stays with the letter")


def _given(action: str, to: str) -> None:
    if not to:
        raise Problem(422, "to_missing", f"say in `to` whom you {action} it to")


def _number(request: Request, what: str) -> int:
    """The number that a path names; one that no column could hold is nobody's."""
    number = request.path_params["id"]
    if not (number.isdecimal() and number.isascii() and len(number) < 19):
        raise Problem(404, "not_found", f"a {what}'s id is a number")
    return int(number)
