"""The HTTP API: reservations and orders of channels that ask first, and everything that the CLI shows. Bearer tokens, problem+json."""

from __future__ import annotations

import asyncio
import hmac
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mainstay.edge import alarms
from mainstay.edge.drifts import Drifts
from mainstay.edge.letters import Letters
from mainstay.edge.openapi import Endpoint, document
from mainstay.edge.patience import Patience
from mainstay.edge.problems import NotNow, Overloaded, Problem, Unwritable, as_problem, problem
from mainstay.edge.receive import BODY_S_MAX, Held
from mainstay.edge.record import Recorder
from mainstay.edge.strict import read, refuse_card
from mainstay.edge.whose import with_owner, with_people
from mainstay.flows import journey
from mainstay.flows.ask import OrderAnswer, OrderRequest, ReservationAnswer, ReserveRequest
from mainstay.flows.clerk import LetterRequest
from mainstay.flows.exposure import told_of
from mainstay.flows.operate import EraseRequest, PauseRequest
from mainstay.flows.tell import Tell, TellAnswer, TellRequest
from mainstay.landscape import MAINSTAY, OPERATOR, Duties
from mainstay.model.secrets import Secret
from mainstay.stock.view import ChannelPolicy
from mainstay.storage.bell import POLL_S
from mainstay.storage.database import STORE_FAILED
from mainstay.storage.failing import Failing
from mainstay.storage.inbox import InboxReader
from mainstay.storage.packing import Damaged, unpack
from mainstay.storage.state import State

Found = TypeVar("Found")
DECISION_S_MAX = 10.0
UNDECIDED_MAX = 512  # requests of one caller that are recorded and not decided; beyond this we refuse before recording, never after
KEY_CHARS_MAX = 200
BODY_BYTES_MAX = 2_000_000
NOT_YOURS = "no order and no reservation of this channel is known by this number"


_answers = msgspec.json.Decoder(list[tuple[int, int, msgspec.Raw]]).decode


class Waiters:
    """Requests that the core has not decided yet, whether their callers still wait or not; woken when the core rings."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._failing = Failing("hear what was decided")
        self._waiting: dict[int, tuple[str, asyncio.Future[tuple[int, bytes]]]] = {}  # by receipt: whose it is, who is told
        self._under_way: Counter[str] = Counter()  # of each caller, with what is being recorded
        self._poll: asyncio.Task[None] | None = None
        self.refused: Counter[tuple[str, str]] = Counter()

    def enter(self, who: str) -> None:
        """One more of this caller's. Raises Overloaded where too many of them are undecided: callers do not take each other's places."""
        if self._under_way[who] >= UNDECIDED_MAX:
            self.refused[(who, Overloaded.code)] += 1
            raise Overloaded
        self._under_way[who] += 1

    def leave(self, who: str) -> None:
        """One of them is decided, or was not recorded."""
        self._under_way[who] -= 1

    async def decision(self, who: str, receipt: int) -> tuple[int, bytes]:
        """What the core decides on a receipt. Raises TimeoutError where it takes too long: then the receipt still stands."""
        future: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        self._waiting[receipt] = who, future
        if self._poll is None or self._poll.done():
            self._poll = asyncio.create_task(self._look_again())
        async with asyncio.timeout(DECISION_S_MAX):
            return await future

    async def _look_again(self) -> None:
        """One look for all who wait, since a ring can be lost."""
        while self._waiting:
            await asyncio.sleep(POLL_S)
            self.look()

    def look(self) -> None:
        """Hand out the answers that have been committed."""
        if not self._waiting:
            return
        try:
            handled = self._state.counters().get("position/inbox", 0)  # first: what was handled by then has its answer
            batches = self._state.rows("answers_from", (min(self._waiting),))
            answers = {receipt: (status, bytes(body)) for (batch,) in batches for receipt, status, body in _answers(unpack(batch))}
        except (Damaged, *STORE_FAILED) as failed:
            self._failing.failed(failed)
            return
        self._failing.worked()
        for receipt in [one for one in self._waiting if one <= handled or one in answers]:
            who, future = self._waiting.pop(receipt)
            self.leave(who)
            if receipt in answers and not future.done():
                future.set_result(answers[receipt])


NOBODY = Duties()


class Api:
    """Builds the Starlette application. `tokens` are kept by whom they speak for: a channel, or OPERATOR."""

    def __init__(
        self, state: State, outcomes: InboxReader, recorder: Recorder, waiters: Waiters, tokens: Mapping[str, Secret],
        policies: Mapping[str, ChannelPolicy], metrics: Callable[[], bytes], ready: Callable[[], str], duties: Duties = NOBODY,
        standing: Callable[[], dict[str, Any]] = dict,
    ) -> None:  # fmt: skip
        self.state, self.outcomes, self.recorder, self.waiters = state, outcomes, recorder, waiters
        self.tokens, self.policies, self.metrics, self.ready, self.duties = tokens, policies, metrics, ready, duties
        self.standing = standing  # lag and delivery, as the status shows them
        self.drifts = Drifts(self._aside, self._decided)
        self.letters = Letters(self._aside, self._decided, duties)
        self._failing = Failing("answer what is asked")
        self._patience, self.bytes_held = Patience(BODY_S_MAX), 0
        self.endpoints = (
            Endpoint(
                "POST", "/v1/reservations", "channel", "Reserve units before selling them: all lines or none", self.reserve,
                ReserveRequest, ReservationAnswer, 201, key=True,
            ),
            Endpoint(
                "POST", "/v1/reservations/{id}/confirm", "channel", "Turn a reservation into an order", self.confirm, OrderRequest,
                OrderAnswer, 201,
            ),
            Endpoint(
                "POST", "/v1/reservations/{id}/release", "channel", "Give reserved units back", self.release, None, ReservationAnswer
            ),
            Endpoint(
                "POST", "/v1/orders", "channel", "Hand over an order of a channel of your own", self.order, OrderRequest, OrderAnswer, 201
            ),
            Endpoint("POST", "/v1/statements", "teller", "Tell what you know, in canonical statements", self.tell, TellRequest, TellAnswer),
            Endpoint("GET", "/v1/orders/{id}", "either", "One order, with what blocks it", self.show_order),
            Endpoint("GET", "/v1/trace/{id}", "either", "The whole journey of any number of any system", self.show_trace),
            Endpoint(
                "POST", "/v1/orders/{id}/free", "operator", "Lift an order's holds: a person accepts their cause", self.free_order,
                LetterRequest,
            ),
            Endpoint(
                "POST", "/v1/erase", "operator", "Erase a person: an order's buyer, a customer, an e-mail address", self.erase, EraseRequest
            ),
            Endpoint(
                "GET", "/v1/stock/{sku}", "operator", "What there is of a SKU, and how each channel's number came about", self.show_stock
            ),
            Endpoint("GET", "/v1/status", "operator", "How things stand: orders, lag, breakers, late flows, the books", self.show_status),
            Endpoint("GET", "/v1/proposals", "operator", "What systems said of what others own, newest first", self.show_proposals),
            Endpoint("GET", "/v1/alerts", "operator", "What is wrong now, each cause once, and who was told of it", self.show_alerts),
            Endpoint("GET", "/v1/pauses", "operator", "What is held back, by whom and why", self.show_pauses),
            Endpoint("POST", "/v1/pauses", "operator", "Hold something back, or let it go on", self.pause, PauseRequest),
            *self.letters.endpoints(),
            *self.drifts.endpoints(),
        )  # fmt: skip

    def application(self) -> Starlette:
        routes = [Route(one.path, self._guarded(one), methods=[one.method]) for one in self.endpoints]
        routes += [
            Route("/health", self._health), Route("/ready", self._ready), Route("/metrics", self._metrics),
            Route("/v1/openapi.json", self._openapi),
        ]  # fmt: skip
        return Starlette(routes=routes, exception_handlers={404: _missing, 405: _missing})

    # --- around every endpoint ---------------------------------------------------------------------------------------
    def _guarded(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def run(request: Request) -> Response:
            held = Held(self)
            try:
                who = self._who(request)
                _admit(who, endpoint)
                body = await self._body(request, endpoint, held)
                status, answer = await endpoint.run(request, who, body)
                if status >= 400:
                    answer = as_problem(status, answer)
                return Response(answer, status, media_type="application/json" if status < 400 else "application/problem+json")
            except Problem as why:
                return Response(problem(why.status, why.code, why.detail), why.status, media_type="application/problem+json")
            except Damaged as why:
                return Response(problem(500, why.code, why.why), 500, media_type="application/problem+json")
            except NotNow as now:
                return _not_now(now)
            except STORE_FAILED as failed:
                self._failing.failed(failed)
                return _not_now(Unwritable())
            finally:
                held.release()

        return run

    def _who(self, request: Request) -> str:
        given = request.headers.get("authorization", "").removeprefix("Bearer ").encode()
        for who, token in self.tokens.items():
            if given and hmac.compare_digest(token.reveal().encode(), given):
                return who
        raise Problem(401, "token_invalid", "send `Authorization: Bearer <token>` with a token of this shop")

    async def _body(self, request: Request, endpoint: Endpoint, held: Held) -> Any:
        if endpoint.body is None:
            return None
        raw = bytearray()
        try:
            with self._patience:
                async for part in request.stream():
                    held.take(len(part))
                    raw += part
                    if len(raw) > BODY_BYTES_MAX:
                        raise Problem(413, "payload_too_large", f"at most {BODY_BYTES_MAX} bytes are accepted")
        except TimeoutError:
            raise Problem(408, "too_slow", f"the body did not arrive within {BODY_S_MAX:.0f} s") from None
        return read(bytes(raw), request.headers.get("content-type", ""), endpoint.body)

    async def _decided(self, system: str, topic: str, key: str, body: bytes) -> tuple[int, bytes]:
        """Record a request as a receipt and wait for the decision on it. No answer in time says only that: the receipt stands."""
        refuse_card(key.encode())
        refuse_card(body)
        self.waiters.enter(system)
        try:
            receipt = await self.recorder.record(system, topic, key, body)
        except BaseException:
            self.waiters.leave(system)
            raise
        try:
            return await self.waiters.decision(system, receipt)
        except TimeoutError:
            detail = "the request is recorded but not decided yet; ask again with the same Idempotency-Key or id"
            return 504, problem(504, "no_decision_yet", detail)

    # --- channels that ask first -------------------------------------------------------------------------------------
    async def reserve(self, request: Request, who: str, body: ReserveRequest) -> tuple[int, bytes]:
        key = request.headers.get("idempotency-key", "")
        if not key or len(key) > KEY_CHARS_MAX:
            raise Problem(400, "idempotency_key_missing", f"send an Idempotency-Key of 1 to {KEY_CHARS_MAX} characters; a retry repeats it")
        return await self._decided(who, "api/reserve", key, msgspec.json.encode(body))

    async def confirm(self, request: Request, who: str, body: OrderRequest) -> tuple[int, bytes]:
        named = msgspec.structs.replace(body.order, reservation=request.path_params["id"])
        return await self.order(request, who, msgspec.structs.replace(body, order=named))

    async def release(self, request: Request, who: str, body: None) -> tuple[int, bytes]:
        reservation = request.path_params["id"]
        return await self._decided(who, "api/release", reservation, reservation.encode())

    async def order(self, request: Request, who: str, body: OrderRequest) -> tuple[int, bytes]:
        return await self._decided(who, "api/order", f"{body.external}:{body.version}", msgspec.json.encode(body))

    async def tell(self, request: Request, who: str, body: TellRequest) -> tuple[int, bytes]:
        """People speak for Mainstay itself, where it is declared as an owner."""
        return await self._decided(MAINSTAY if who == OPERATOR else who, Tell.topic, "", msgspec.json.encode(body))

    # --- questions ---------------------------------------------------------------------------------------------------
    async def _aside(self, question: Callable[[State, InboxReader], Found]) -> Found:
        """Answer a question in a thread, with connections of its own: one that takes long holds up no acknowledgement."""
        return await asyncio.to_thread(self._answered, question)

    def _answered(self, question: Callable[[State, InboxReader], Found]) -> Found:
        state, outcomes = State(self.state.path, write=False), InboxReader(self.outcomes.path)
        try:
            return question(state, outcomes)
        finally:
            state.close()
            outcomes.close()

    async def show_order(self, request: Request, who: str, body: None) -> tuple[int, bytes]:
        name = request.path_params["id"]
        known = await self._aside(lambda state, _: [one for number in journey.find(state, name) if (one := journey.order(state, number))])
        found = [one for one in known if who in (OPERATOR, one["system"])]
        if not found:
            raise Problem(404, "not_found", "no order is known by this id in any system" if who == OPERATOR else NOT_YOURS)
        return 200, msgspec.json.encode(with_owner(found[0], self.duties) if who == OPERATOR else found[0])

    async def show_trace(self, request: Request, who: str, body: None) -> tuple[int, bytes]:
        name = request.path_params["id"]
        found = await self._aside(lambda state, outcomes: journey.trace(state, outcomes.open(), name))
        if who != OPERATOR:
            found = [one for one in found if _is_of(who, one)]
        if not found:
            raise Problem(404, "not_found", "nothing is known by this number in any system" if who == OPERATOR else NOT_YOURS)
        if who == OPERATOR:
            found = [{**one, "now": with_owner(one["now"], self.duties)} if one["now"] else one for one in found]
        return 200, msgspec.json.encode(found)

    async def show_stock(self, request: Request, who: str, body: None) -> tuple[int, bytes]:
        sku = request.path_params["sku"]
        found = await self._aside(
            lambda state, outcomes: journey.stock(state, sku, self.policies, *told_of(outcomes, journey.item_of(state, sku)))
        )
        if found is None:
            raise Problem(404, "not_found", "no product has this SKU")
        return 200, msgspec.json.encode(found)

    async def show_status(self, request: Request, who: str, body: None) -> tuple[int, bytes]:
        return 200, msgspec.json.encode(await self._aside(lambda state, _: journey.status(state) | self.standing()))

    async def show_proposals(self, request: Request, who: str, body: None) -> tuple[int, bytes]:
        found = await self._aside(lambda state, _: journey.proposals(state))
        return 200, msgspec.json.encode([with_people(one, self.duties) for one in found])

    async def free_order(self, request: Request, who: str, body: LetterRequest) -> tuple[int, bytes]:
        return await self._decided(who, "operator/free", request.path_params["id"], msgspec.json.encode(body))

    async def show_alerts(self, request: Request, who: str, body: None) -> tuple[int, bytes]:
        return 200, msgspec.json.encode(await self._aside(lambda _, outcomes: alarms.shown(outcomes)))

    async def show_pauses(self, request: Request, who: str, body: None) -> tuple[int, bytes]:
        return 200, msgspec.json.encode(await self._aside(lambda state, _: journey.pauses(state)))

    async def pause(self, request: Request, who: str, body: PauseRequest) -> tuple[int, bytes]:
        kind, _, name = body.target.partition(":")
        known = {"system": self.duties.systems, "flow": self.duties.flows, "channel": self.policies}.get(kind)
        if known is not None and name not in known and not (body.mode == "running" and await self._is_held(body.target)):
            raise Problem(404, "not_found", f"no {kind} is called {name!r}; there are: {', '.join(known) or 'none'}")
        if body.mode != "running" and not body.reason:
            raise Problem(422, "reason_missing", "say why it is held back: whoever sees it waiting must know")
        return await self._decided(who, "operator/pause", body.target, msgspec.json.encode(body))

    async def _is_held(self, target: str) -> bool:
        """Is it held back, also if nobody declares it any more?"""
        return any(one["target"] == target for one in await self._aside(lambda state, _: journey.pauses(state)))

    async def erase(self, request: Request, who: str, body: EraseRequest) -> tuple[int, bytes]:
        return await self._decided(who, "operator/erase", "", msgspec.json.encode(body))

    # --- for machines ------------------------------------------------------------------------------------------------
    async def _health(self, request: Request) -> Response:
        return Response(b'{"status":"up"}', media_type="application/json")

    async def _ready(self, request: Request) -> Response:
        why = self.ready()
        if why:
            return Response(problem(503, "not_ready", why), 503, media_type="application/problem+json")
        return Response(b'{"status":"ready"}', media_type="application/json")

    async def _metrics(self, request: Request) -> Response:
        return Response(self.metrics(), media_type="text/plain; version=0.0.4")

    async def _openapi(self, request: Request) -> Response:
        return Response(msgspec.json.encode(document(self.endpoints)), media_type="application/json")


def _admit(who: str, endpoint: Endpoint) -> None:
    if endpoint.callers == "channel" and who == OPERATOR:
        raise Problem(403, "not_a_channel", "this token belongs to people; a channel calls with the token of its own system")
    if endpoint.callers == "operator" and who != OPERATOR:
        raise Problem(403, "forbidden", "this is for people; use the operators' token")


def _is_of(channel: str, found: Mapping[str, Any]) -> bool:
    """Is what a trace found the channel's own order or reservation?"""
    if found["now"]:
        return bool(found["now"]["system"] == channel)
    return any(known["as"] == f"{channel}/reservation" for known in found["known_as"])


def _not_now(why: NotNow) -> Response:
    answer, after = problem(503, why.code, why.detail), {"retry-after": str(why.after_s)}
    return Response(answer, 503, after, media_type="application/problem+json")


async def _missing(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    code = "method_not_allowed" if status == 405 else "not_found"
    detail = "this path takes other methods" if status == 405 else "no such path; GET /v1/openapi.json lists them"
    return Response(problem(status, code, detail), status, media_type="application/problem+json")
