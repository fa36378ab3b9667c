"""From the causes of now and what was told of them before: what to tell now, and to whom. One message for each owner."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from mainstay.alerts.causes import Alarm
from mainstay.alerts.quiet import Quiet
from mainstay.model.times import HOUR, MINUTE

GROWN = 10  # times as many as when it was told last: it is told again
OVERDUE_US = 15 * MINUTE  # a deadline that passes so soon after the telling, which named it, says nothing new
Why = Literal["new", "grew", "overdue", "reminder", "gone"]


class Terms(NamedTuple):
    """How an owner wants to be told."""

    quiet: Quiet | None = None
    remind_us: int = 4 * HOUR


class Pace(NamedTuple):
    """How long new causes are gathered before the first message, and how long one stays away before it counts as over. Microseconds."""

    wait_us: int = MINUTE
    away_us: int = 2 * MINUTE


class Kept(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A cause, and what was told of it. Times are UTC microseconds; 0: never, or not yet."""

    alarm: Alarm  # as it was seen last
    seen_at: int  # first
    told: str = ""  # the owner who was told
    told_at: int = 0  # last
    told_count: int = 0
    told_overdue: bool = False
    gone_at: int = 0


class Item(NamedTuple):
    """One cause in a message: why it is in it, and how many there were when it was told before."""

    why: Why
    alarm: Alarm
    before: int


class Notice(NamedTuple):
    """What one owner is told at one moment."""

    owner: str
    items: tuple[Item, ...]


class Decided(NamedTuple):
    """The causes as they are kept from now on, by fingerprint, and what is to be told."""

    book: Mapping[str, Kept]
    notices: tuple[Notice, ...]


def decide(alarms: Iterable[Alarm], book: Mapping[str, Kept], terms: Callable[[str], Terms], pace: Pace, now: int) -> Decided:
    """What to tell, given all causes of this moment. `terms` answers for any owner. The same question again is answered with nothing."""
    after = {one.cause: _seen(one, book.get(one.cause), now) for one in alarms}
    items: dict[str, list[Item]] = {}
    for owner, found in _by_owner(after.values()).items():
        told = _due(found, terms(owner), pace, now)
        for item in told:
            after[item.alarm.cause] = _told(after[item.alarm.cause], now)
        items[owner] = told
    for cause, kept in book.items():
        if cause in after:
            continue
        away = kept if kept.gone_at else replace(kept, gone_at=now)
        if now - away.gone_at < pace.away_us or (kept.told_at and _waits(away, "gone", terms(kept.told), now)):
            after[cause] = away
        elif kept.told_at:
            items.setdefault(kept.told, []).append(Item("gone", kept.alarm, kept.told_count))
    return Decided(after, tuple(Notice(owner, _ordered(told)) for owner, told in items.items() if told))


def _seen(alarm: Alarm, kept: Kept | None, now: int) -> Kept:
    """The cause is there. One that nobody was told of and that a greater one explains counts as new when that is over."""
    if kept is None:
        return Kept(alarm=replace(alarm, since=alarm.since or now), seen_at=now)
    if alarm.under and not kept.told_at:
        kept = replace(kept, seen_at=now)
    return replace(kept, alarm=replace(alarm, since=alarm.since or kept.alarm.since), gone_at=0)


def _by_owner(found: Iterable[Kept]) -> dict[str, list[Kept]]:
    owners: dict[str, list[Kept]] = {}
    for one in found:
        owners.setdefault(one.alarm.owner, []).append(one)
    return owners


def _due(found: list[Kept], terms: Terms, pace: Pace, now: int) -> list[Item]:
    """What an owner is told now. New causes wait for others of the same moment; a reminder takes along all that is still there."""
    whys = {one.alarm.cause: (one, why) for one in found if (why := _why(one, terms, now)) and not _waits(one, why, terms, now)}
    if not any(why != "new" or now - one.seen_at >= pace.wait_us for one, why in whys.values()):
        return []
    if any(why == "reminder" for _, why in whys.values()):
        still = (one for one in found if one.told == one.alarm.owner and not one.alarm.under and one.alarm.cause not in whys)
        whys |= {one.alarm.cause: (one, "reminder") for one in still if not _waits(one, "reminder", terms, now)}
    return [Item(why, one.alarm, 0 if why == "new" else one.told_count) for one, why in whys.values()]


def _why(kept: Kept, terms: Terms, now: int) -> Why | None:
    """Why this cause, which is there, is to be told; None where there is no reason."""
    alarm = kept.alarm
    if alarm.under:
        return None
    if kept.told != alarm.owner:  # nobody was told, or it is another's now
        return "new"
    if alarm.count >= GROWN * kept.told_count:
        return "grew"
    if alarm.deadline and not kept.told_overdue and now >= max(alarm.deadline, kept.told_at + OVERDUE_US):
        return "overdue"
    return "reminder" if now - kept.told_at >= terms.remind_us else None


def _waits(kept: Kept, why: Why, terms: Terms, now: int) -> bool:
    """Does it wait until quiet hours end? Not what is critical, nor what is needed before; that it is over, or still there, can wait."""
    until = terms.quiet.until(now) if terms.quiet else 0
    if not until or kept.alarm.severity == "critical":
        return False
    return why in ("gone", "reminder") or not 0 < kept.alarm.deadline <= until


def _told(kept: Kept, now: int) -> Kept:
    alarm = kept.alarm
    overdue = 0 < alarm.deadline <= now or (kept.told_overdue and kept.told == alarm.owner)
    return replace(kept, told=alarm.owner, told_at=now, told_count=max(1, alarm.count), told_overdue=overdue)


_RANK = {"critical": 0, "error": 1, "warning": 2}


def _ordered(items: Iterable[Item]) -> tuple[Item, ...]:
    """The worst first; what is over, last."""
    return tuple(sorted(items, key=lambda one: (one.why == "gone", _RANK[one.alarm.severity], -one.alarm.count, one.alarm.cause)))
