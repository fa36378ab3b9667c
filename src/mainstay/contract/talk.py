"""A conversation: a generator that yields Calls, is sent Replies, and returns a result. It does no I/O and keeps no clock.

The shell (delivery, a test, the simulator) performs the Call, judges the Reply and sends it in, or throws the Failure in:
a connector may catch a Failure (to bisect a bulk call, say) and lets all others pass.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from enum import Enum
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from mainstay.model.failures import Failure, Halt, Reject, Retry, Unknown

T = TypeVar("T")
Talk = Generator["Call", "Reply", T]

TIMEOUT_S = 30.0
LINGERS_S = 60.0  # servers and proxies give a request up after half a minute to a minute (nginx proxy_read_timeout: 60 s)


class Repeat(Enum):
    """What happens when the same call is made twice: decides what a lost answer means."""

    SAFE = "safe"  # a read, or idempotent by design (an absolute set, an upsert on our own key)
    KEYED = "keyed"  # the vendor honours `Call.key` and answers a repeat with the first answer
    LOOKUP = "lookup"  # a repeat doubles the effect: after a lost answer look it up by our reference first


class Call(Struct, frozen=True, kw_only=True):
    """One HTTP request, as data. `operation` is the vendor's own name for it: rate budgets and metrics go by it."""

    operation: str
    method: str
    path: str  # begins with / and stands below the endpoint's base URL; else an address that the vendor handed out: `contract/address.py`
    endpoint: str = "api"
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    body: bytes = b""
    key: str = ""
    repeat: Repeat = Repeat.SAFE
    cost: float = 1.0  # what it takes from a cost budget
    timeout_s: float = TIMEOUT_S
    after_s: float = 0.0  # how long to wait before it, where a vendor works on something
    lasts_s: float = 0.0  # for so long the vendor works on what it hands in: an answer that says nothing of that does not end it


class Reply(Struct, frozen=True):
    """What came back. Header names are lower case."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""

    def json(self) -> Any:
        """The body as plain values; Unknown-or-Retry is the shell's business, an unreadable body is `json_syntax`."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, RecursionError) as error:
            raise Reject(f"HTTP {self.status} with a body that is not JSON: {error}", "json_syntax") from None

    def read(self, kind: type[T]) -> T:
        """The body as `kind`; Reject `schema` says which field is not as documented."""
        try:
            return msgspec.json.decode(self.body, type=kind)
        except msgspec.ValidationError as error:
            raise Reject(f"HTTP {self.status}: {error}", "schema") from None
        except (msgspec.DecodeError, RecursionError) as error:
            raise Reject(f"HTTP {self.status} with a body that is not JSON: {error}", "json_syntax") from None


def as_json(value: object) -> bytes:
    """The body of a JSON call. The same value gives the same bytes, so that a retry is byte-identical."""
    return msgspec.json.encode(value)


def lost(call: Call, why: str) -> Failure:
    """What a time-out or a cut connection means: safe calls are repeated, others must be looked up. The other side does not know that
    nobody waits any more: it may still carry the call out."""
    unknown = call.repeat is Repeat.LOOKUP
    failure = Unknown(f"{call.operation}: {why}; it may have been applied") if unknown else Retry(f"{call.operation}: {why}")
    failure.lingers_s = max(LINGERS_S, call.lasts_s)
    return failure


GATEWAYS = (408, 502, 504)  # said by whoever stands before the server, which may still be at it (RFC 9110, 15.5.9, 15.6.3, 15.6.5)


def judge(call: Call, reply: Reply) -> Reply:
    """One reading of HTTP for all connectors; a connector overrides it only where its vendor differs."""
    status = reply.status
    if status < 300:
        return reply
    why = f"{call.operation}: HTTP {status} {excerpt(reply.body)}"
    if status == 429:
        raise Retry(why, retry_after_s(reply), "rate_limited")
    if status in (408, 425) or status >= 500:
        after = retry_after_s(reply)
        if status in (503, 425) and after is not None:
            raise Retry(why, after)  # it said when it will take calls again: it took none
        failure = lost(call, f"HTTP {status} {excerpt(reply.body)}")
        if isinstance(failure, Retry):
            failure.after_s = after
        if status not in GATEWAYS:
            failure.lingers_s = call.lasts_s  # the server itself answered: it is not at it any more
        raise failure
    if status in (401, 403):
        raise Halt(why)
    if status == 404:
        raise Reject(why, "not_found")
    if status < 400:
        raise Reject(why, "redirect_refused")
    raise Reject(why)


def retry_after_s(reply: Reply) -> float | None:
    """Seconds of a Retry-After header (RFC 9110 10.2.3, the delay form); None where there is none."""
    text = reply.headers.get("retry-after", "")
    try:
        return max(0.0, min(float(text), 86_400.0))
    except ValueError:
        return None


def excerpt(body: bytes, chars_max: int = 200) -> str:
    """The beginning of a body, for a reason that a person reads."""
    return body[: chars_max * 4].decode("utf-8", "replace")[:chars_max]


def converse(talk: Talk[T], perform: Callable[[Call], Reply]) -> T:
    """The synchronous shell: `perform` makes one call and raises a Failure or returns the judged Reply."""
    try:
        call = next(talk)
        while True:
            try:
                reply = perform(call)
            except Failure as failure:
                call = talk.throw(failure)
            else:
                call = talk.send(reply)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    finally:
        talk.close()
