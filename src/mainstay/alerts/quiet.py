"""Quiet hours: times of day at which nobody is told what can wait."""

from __future__ import annotations

from msgspec import Struct

from mainstay.model.timetable import Timetable


class Quiet(Struct, frozen=True):
    """From one time of day (HH:MM) to another, on the clock of a zone; over midnight, where the second is the earlier. The two differ."""

    begins: str
    ends: str
    zone: str

    def until(self, now: int) -> int:
        """When the present quiet hours end, in UTC microseconds; 0 outside of them. It is quiet when they end before they begin again."""
        ends = Timetable(frozenset({(self.ends, self.zone)})).after(now)
        begins = Timetable(frozenset({(self.begins, self.zone)})).after(now)
        return ends if ends < begins else 0
