"""What is known of a system's subscriptions, as values: since when each is whole, and the intervals in which one was silent."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from mainstay.contract.connector import Manifest, Subscription, Wrong
from mainstay.model.times import DAY

SPEAKS: frozenset[Wrong] = frozenset({"", "outdated"})  # what still brings everything
AGAIN_US = DAY  # one that is outdated again after it was made anew: not sooner, it follows the app's own version


class Held(Struct, frozen=True):
    """A subscription that should exist. Times are UTC microseconds; 0: never."""

    topic: str
    wrong: Wrong = ""
    hint: str = ""
    whole_at: int = 0  # when it was last seen whole
    noticed_at: int = 0  # when it was last noticed not to be
    was: Wrong = ""  # what was wrong with it then
    made_at: int = 0  # when it was last made again


class Silence(Struct, frozen=True):
    """An interval in which a feed's topics may have been silent, and how far the feed has been read to make up for it."""

    feed: str
    since: int
    until: int
    topics: tuple[str, ...]
    cursor: str | None = None  # where reading goes on; None: it has not begun
    rows: int = 0  # that were new
    read_at: int = 0  # when it was read to its end; 0: it is not


def seen(before: Mapping[str, Held], found: Sequence[Subscription], now: int) -> dict[str, Held]:
    """What is known after a look that began at `now`."""
    known: dict[str, Held] = {}
    for one in found:
        held = before.get(one.topic) or Held(one.topic)
        if not one.wrong:
            known[one.topic] = replace(held, wrong="", hint="", whole_at=now)
        elif held.wrong:
            known[one.topic] = replace(held, wrong=one.wrong, hint=one.hint)
        else:
            known[one.topic] = replace(held, wrong=one.wrong, hint=one.hint, noticed_at=now, was=one.wrong)
    return known


def to_make(known: Mapping[str, Held], found: Sequence[Subscription], now: int) -> list[Subscription]:
    """Those that are to be made again now."""
    wrong = [one for one in found if one.wrong and not one.hint]
    return [one for one in wrong if one.wrong != "outdated" or now - known[one.topic].made_at >= AGAIN_US]


def silent_since(held: Held, now: int) -> int:
    """Since when one that is wrong may have brought nothing; 0 where it never worked: nothing was missed that is not read anyway."""
    return now if held.wrong in SPEAKS else held.whole_at


def silences(
    known: Mapping[str, Held], made: Iterable[str], manifest: Manifest, feeds: Collection[str], now: int, until: int
) -> list[Silence]:
    """What is to be read after these topics were made again: for each feed that brings what they speak of, from the earliest moment."""
    begun: dict[str, int] = {}
    heard: dict[str, list[str]] = {}
    for topic in made:
        since = silent_since(known[topic], now)
        for feed in feeds_of(manifest, topic) if since else ():
            if feed in feeds:
                begun[feed] = min(since, begun.get(feed, since))
                heard.setdefault(feed, []).append(topic)
    return [Silence(feed, since, until, tuple(heard[feed])) for feed, since in begun.items()]


def feeds_of(manifest: Manifest, topic: str) -> list[str]:
    """The feeds that bring what a topic speaks of, whether it was sent or not."""
    known = manifest.topic(topic)
    objects = set(known.objects) if known is not None else set()
    return [feed.name for feed in manifest.feeds if objects & set(feed.objects) and not feed.queue]


def joined(old: Silence | None, new: Silence) -> Silence:
    """One silence of a feed: a new one begins where one that is not read yet began."""
    if old is None or old.read_at:
        return new
    return replace(new, since=min(old.since, new.since), topics=tuple(dict.fromkeys((*old.topics, *new.topics))))
