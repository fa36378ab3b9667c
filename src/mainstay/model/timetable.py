"""Times of day on the clock of a zone, as instants. Each comes once a day, on the days when clocks change too."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from mainstay.model.times import SECOND

DAY_MINUTES = 24 * 60


class Timetable(Struct, frozen=True):
    """(time of day as HH:MM, IANA name of its zone) each; at least one. Zones must be known (`is_zone`)."""

    times: frozenset[tuple[str, str]]

    def after(self, at: int) -> int:
        """The first of its instants after this one, in UTC microseconds.

        A time that a clock change leaves out comes as long after the change as it would have come; one that comes twice counts when it
        comes first. That is `fold=0` of PEP 495: each time of each day is one instant, neither none nor two.
        """
        assert self.times, "a timetable without times is never due"
        return min(one for text, name in self.times for one in _around(at, time.fromisoformat(text), ZoneInfo(name)) if one > at)


def _around(at: int, of_day: time, zone: ZoneInfo) -> list[int]:
    """The instants of a time of day from the day before to two days after, as its zone counts days: a change can leave a whole day out."""
    today = datetime.fromtimestamp(at // SECOND, zone).date()
    days = [datetime.combine(today + timedelta(days=n), of_day, zone) for n in (-1, 0, 1, 2)]
    return [int(moment.timestamp()) * SECOND for moment in days]


def is_zone(name: str) -> bool:
    """Is this the IANA name of a time zone?"""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of zones, such as "America", is an OSError
        return False
    return True


def widest_gap_s(times: tuple[str, ...]) -> int:
    """The longest wait from one of these times of day (HH:MM) to the next, in seconds."""
    minutes = sorted({int(text[:2]) * 60 + int(text[3:]) for text in times})
    return 60 * max(later - one for one, later in zip(minutes, [*minutes[1:], minutes[0] + DAY_MINUTES], strict=True))
