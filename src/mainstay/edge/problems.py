"""Errors as application/problem+json (RFC 9457): a stable code, one sentence: what, which, what next. Never the value itself."""

from __future__ import annotations

import msgspec

TITLES = {
    400: "Bad request", 401: "Not authenticated", 403: "Not allowed", 404: "Not found", 405: "Method not allowed", 408: "Too slow",
    409: "Conflict", 413: "Too large", 415: "Unsupported", 422: "Cannot be processed", 503: "Not now", 504: "No decision yet",
}  # fmt: skip


class Problem(Exception):
    """An error answer."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail


class NotNow(Exception):
    """It cannot be taken now, and nobody was told that it was: 503, and in how many seconds it may be sent again."""

    code, detail, after_s = "overloaded", "more waits than we hold; send it again", 1


class Overloaded(NotNow):
    """More is waiting to become durable than we hold."""


class Unwritable(NotNow):
    """Our own store fails: its disk is full, or does not work."""

    code, after_s = "store_failed", 5
    detail = "our store cannot be used now, and nothing was taken; send it again. For the operator: `mainstay doctor` looks at the disk"


def problem(status: int, code: str, detail: str, **more: object) -> bytes:
    """The body of an error answer."""
    return msgspec.json.encode(
        {"type": "about:blank", "title": TITLES.get(status, "Error"), "status": status, "code": code, "detail": detail, **more}
    )


def as_problem(status: int, answer: bytes) -> bytes:
    """A decision against the caller as a problem: what was decided stands in it as further members."""
    told = msgspec.json.decode(answer)
    code = told.pop("code", "") or told.get("status", "refused")
    detail = told.pop("detail", "") or "the units are not available; `short` says which"
    if told.pop("type", ""):
        return answer
    told.pop("status", None)
    return problem(status, str(code), str(detail), **told)
