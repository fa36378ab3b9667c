"""Time is whole UTC microseconds since 1970 inside; zones exist only at the edge."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from mainstay.model.failures import Reject

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

BEGIN, END = -62_135_596_800 * SECOND, 253_402_300_800 * SECOND  # the years 1 to 9999: what a calendar can show

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(text: object) -> int:
    """Microseconds of an ISO 8601 / RFC 3339 text with a zone; Reject `time` otherwise. A leap second is taken for the one before it."""
    if type(text) is not str:
        raise Reject(f"a time must be text such as '2026-03-02T11:22:33Z', not {type(text).__name__}", "time")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        if text[16:19] == ":60" and (micros(f"{text[:16]}:59{text[19:]}") // SECOND + 1) % (DAY // SECOND) == 0:  # they end a day of UTC
            return micros(f"{text[:16]}:59{text[19:]}")
        raise Reject(f"{text[:40]!r} is not a time such as '2026-03-02T11:22:33Z'", "time") from None
    if moment.tzinfo is None:
        raise Reject(f"{text[:40]!r} has no time zone, so it does not say when", "time")
    return within((moment - _EPOCH) // _MICROSECOND, text)


def of_seconds(stated: int) -> int:
    """Microseconds of whole seconds since 1970; Reject `time` where they must count something else."""
    return within(stated * SECOND, f"{str(stated)[:40]} seconds since 1970")


def within(at: int, text: str) -> int:
    """`at`, where a calendar can show it; Reject `time` otherwise, which quotes the text that said so."""
    if not BEGIN <= at < END:
        raise Reject(f"{text[:60]!r} is no time of the years 1 to 9999: which unit, which year was meant?", "time")
    return at


def iso(at: int) -> str:
    """The RFC 3339 text of microseconds, to the microsecond only where there is one."""
    minute, rest = divmod(at, MINUTE)
    second, micro = divmod(rest, SECOND)
    return f"{_minute(minute)}{second:02d}.{micro:06d}Z" if micro else f"{_minute(minute)}{second:02d}Z"


@lru_cache(maxsize=4096)
def _minute(number: int) -> str:
    return (_EPOCH + timedelta(minutes=number)).isoformat()[:17]
