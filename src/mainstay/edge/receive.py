"""The webhook door, as raw ASGI: route, bound, authenticate over the raw bytes, make durable, answer 200.

The answer does not wait for the duplicate check; it is the same either way. Authentic but unreadable bodies are stored and answered
200 too: the core makes a dead letter of them. Only what is oversize or cannot prove its sender is refused. A card number in a body is
redacted before anything is stored, and a second receipt says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Protocol

import msgspec

from mainstay.contract.connector import Connector, Delivery
from mainstay.edge.patience import Patience
from mainstay.edge.problems import NotNow, Overloaded, problem
from mainstay.edge.record import Recorder
from mainstay.model.cards import notice, redacted
from mainstay.model.failures import Forged, Reject
from mainstay.model.outcome import TOPIC

BODY_S_MAX = 10.0
UNDER_WAY_MAX = 1_024  # deliveries of which we have not answered the first; four commits take them all
BYTES_MAX = 64_000_000  # of their bodies
SECRET_HEADER = "x-mainstay-path"  # the rest of the path: the proof of senders that do not sign

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_OK = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain"), (b"content-length", b"2")]}
_OK_BODY = {"type": "http.response.body", "body": b"ok"}


class Refused(Exception):
    """The delivery is not taken; nothing was stored."""

    def __init__(self, status: int, code: str, detail: str, after_s: int = 0) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.after_s = status, code, detail, after_s


class Holder(Protocol):
    """A door, and the bytes of all bodies that it has not answered yet."""

    bytes_held: int


class Held:
    """What a delivery or a request under way takes of the door's memory."""

    def __init__(self, door: Holder) -> None:
        self.door, self.bytes = door, 0

    def take(self, more: int) -> None:
        """Raises Overloaded where that is too much for all of them together."""
        self.door.bytes_held += more
        self.bytes += more
        if self.door.bytes_held > BYTES_MAX:
            raise Overloaded

    def release(self) -> None:
        self.door.bytes_held -= self.bytes


class Door:
    """POST /hooks/{system}[/{secret}]."""

    def __init__(self, connectors: Mapping[str, Connector], recorder: Recorder, clock: Callable[[], int], body_bytes_max: int) -> None:
        self.connectors, self.recorder, self.clock, self.body_bytes_max = connectors, recorder, clock, body_bytes_max
        self.patience = Patience(BODY_S_MAX)
        self.refused: Counter[tuple[str, str]] = Counter()
        self.under_way = self.bytes_held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Whoever comes while too many wait is sent away at once, before anything of theirs is read."""
        system = scope["path"][len("/hooks/") :].partition("/")[0]
        if self.under_way >= UNDER_WAY_MAX:
            await self._refuse(send, system, Refused(503, Overloaded.code, Overloaded.detail, Overloaded.after_s))
            return
        self.under_way += 1
        held = Held(self)
        try:
            await self._serve(scope, receive, send, held)
        finally:
            self.under_way -= 1
            held.release()

    async def _serve(self, scope: Scope, receive: Receive, send: Send, held: Held) -> None:
        system, _, secret = scope["path"][len("/hooks/") :].partition("/")
        try:
            connector = self.connectors.get(system)
            if connector is None:
                raise Refused(404, "not_found", "no system of this name takes webhooks; the path is /hooks/<system>")
            if scope["method"] != "POST":
                raise Refused(405, "method_not_allowed", "webhooks are POSTed")
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            if headers.get("content-encoding", "identity") != "identity":
                raise Refused(415, "encoding_broken", "send the body as it is, without Content-Encoding")
            if secret:
                headers[SECRET_HEADER] = secret
            body = await self._body(headers, receive, held)
            delivery = connector.receive(headers, body, self.clock())
            kept = redacted(body)
            await self.recorder.record(system, delivery.topic, delivery.key, kept)
            if kept is not body:
                await self._tell_of_card(system, delivery, kept)
        except Forged as forged:
            await self._refuse(send, system, Refused(401, forged.code, forged.why))
        except Reject as rejected:
            await self._refuse(send, system, Refused(400, rejected.code, rejected.why))
        except Refused as refused:
            await self._refuse(send, system, refused)
        except NotNow as now:
            await self._refuse(send, system, Refused(503, now.code, now.detail, now.after_s))
        else:
            await send(_OK)
            await send(_OK_BODY)

    async def _tell_of_card(self, system: str, delivery: Delivery, kept: bytes) -> None:
        said = notice(system, delivery.topic, delivery.key, kept)
        await self.recorder.record("mainstay", TOPIC, said.key, msgspec.json.encode(said))

    async def _body(self, headers: Mapping[str, str], receive: Receive, held: Held) -> bytes:
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self.body_bytes_max:
            raise self._too_large()
        try:
            with self.patience:  # for all of it: a byte now and then keeps no connection open
                return await self._whole(receive, held)
        except TimeoutError:
            raise Refused(408, "too_slow", f"the body did not arrive within {BODY_S_MAX:.0f} s") from None

    async def _whole(self, receive: Receive, held: Held) -> bytes:
        message = await self._next(receive)
        body: bytes = message.get("body", b"")
        held.take(len(body))
        if not message.get("more_body"):
            return self._bounded(body)
        parts = [body]
        size = len(body)
        while message.get("more_body"):
            message = await self._next(receive)
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            held.take(len(parts[-1]))
            if size > self.body_bytes_max:
                raise self._too_large()
        return b"".join(parts)

    async def _next(self, receive: Receive) -> MutableMapping[str, Any]:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "cut_off", "the connection closed before the body was complete")
        return message

    def _bounded(self, body: bytes) -> bytes:
        if len(body) > self.body_bytes_max:
            raise self._too_large()
        return body

    def _too_large(self) -> Refused:
        return Refused(
            413, "payload_too_large", f"at most {self.body_bytes_max} bytes are accepted; `server.max_body_bytes` sets the limit"
        )

    async def _refuse(self, send: Send, system: str, why: Refused) -> None:
        self.refused[(system if system in self.connectors else "-", why.code)] += 1
        body = problem(why.status, why.code, why.detail)
        headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
        if why.after_s:
            headers.append((b"retry-after", str(why.after_s).encode()))
        await send({"type": "http.response.start", "status": why.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
