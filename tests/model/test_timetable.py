"""Times of day as instants: each day has one of each, whatever its clocks do."""

from datetime import UTC, datetime

import pytest

from mainstay.model.times import HOUR, iso, micros
from mainstay.model.timetable import Timetable, is_zone, widest_gap_s


def table(*times, zone="Europe/Berlin"):
    return Timetable(frozenset((text, zone) for text in times))


def instants(timetable, start, end):
    at, last, found = micros(start), micros(end), []
    while (at := timetable.after(at)) <= last:
        found.append(iso(at))
    return found


def test_each_time_of_each_day_on_the_clock_of_its_zone():
    assert instants(table("14:00", "02:30"), "2026-01-10T00:00:00Z", "2026-01-12T00:00:00Z") == [
        "2026-01-10T01:30:00Z", "2026-01-10T13:00:00Z", "2026-01-11T01:30:00Z", "2026-01-11T13:00:00Z",
    ]  # fmt: skip
    two = Timetable(frozenset({("02:30", "UTC"), ("02:30", "Asia/Tokyo")}))
    assert instants(two, "2026-01-10T00:00:00Z", "2026-01-11T00:00:00Z") == ["2026-01-10T02:30:00Z", "2026-01-10T17:30:00Z"]
    assert table("02:30").after(micros("2026-01-10T01:30:00Z")) == micros("2026-01-11T01:30:00Z"), "after an instant, not at it"


@pytest.mark.parametrize(
    ("zone", "time", "start", "end", "expected"),
    [  # from the rules of each zone: no computation of ours stands behind the expected instants
        ("Europe/Berlin", "02:30", "2026-03-28T00:00:00Z", "2026-03-30T12:00:00Z",  # 02:00 becomes 03:00 on the 29th
         ["2026-03-28T01:30:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"]),
        ("Europe/Berlin", "02:30", "2026-10-24T00:00:00Z", "2026-10-26T12:00:00Z",  # 03:00 becomes 02:00 on the 25th
         ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]),
        ("America/New_York", "01:30", "2026-10-31T12:00:00Z", "2026-11-02T12:00:00Z",
         ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]),
        ("Australia/Lord_Howe", "02:15", "2026-10-03T00:00:00Z", "2026-10-04T23:00:00Z",  # half an hour is left out
         ["2026-10-03T15:45:00Z", "2026-10-04T15:15:00Z"]),
        ("Pacific/Apia", "12:00", "2011-12-29T00:00:00Z", "2012-01-01T00:00:00Z",  # the 30th of December did not happen
         ["2011-12-29T22:00:00Z", "2011-12-30T22:00:00Z", "2011-12-31T22:00:00Z"]),
    ],
)  # fmt: skip
def test_a_clock_change_neither_leaves_a_time_out_nor_brings_it_twice(zone, time, start, end, expected):
    assert instants(table(time, zone=zone), start, end) == expected


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Sao_Paulo", "Africa/Casablanca", "Asia/Kathmandu", "UTC"])
def test_every_day_of_a_year_has_each_time_once(zone):
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    found = instants(table("00:00", "02:30", "23:59", zone=zone), start.isoformat(), end.isoformat())
    assert abs(len(found) - 3 * 365) <= 1
    gaps = {micros(later) - micros(one) for one, later in zip(found, found[3:], strict=False)}
    assert gaps <= {23 * HOUR, 24 * HOUR, 25 * HOUR}


def test_zones_are_those_of_the_iana():
    assert is_zone("UTC") and is_zone("Europe/Berlin")
    assert not any(map(is_zone, ("", "Berlin", "America", "../../etc/passwd", "/etc/localtime", "CEST+1")))


def test_the_widest_gap_goes_round_midnight():
    assert widest_gap_s(("02:30",)) == 24 * 3600
    assert widest_gap_s(("14:00", "02:30")) == 45_000 and widest_gap_s(("23:00", "01:00", "23:00")) == 22 * 3600
