"""A cause of alarm: one thing that is wrong, however many events it makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

Severity = Literal["critical", "error", "warning"]


class Alarm(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is wrong now. Times are UTC microseconds; 0: not known. It holds no personal data and no secret."""

    cause: str  # its fingerprint: equal as long as one action would mend it, such as letters/f4a1c2… or system/shop
    owner: str
    what: str  # in a few words
    severity: Severity = "error"
    under: str = ""  # the greater cause that explains it: while that stands, nothing is told of this one
    count: int = 1  # events, messages, effects that it holds up
    since: int = 0
    deadline: int = 0  # until when the business needs it
    at_risk: Mapping[str, str] = {}  # currency -> decimal text
    code: str = ""
    whose: str = ""  # "ours" or "theirs"
    why: str = ""  # the reason of one of its events
    next: str = ""
    commands: tuple[str, ...] = ()  # what can be typed as it stands
    runbooks: tuple[str, ...] = ()
