"""Who gets which units. Demand is summed over the whole request first: two lines of one item never pass one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mainstay.model.events import Share
from mainstay.model.state import LOCATIONS_MAX, Level
from mainstay.stock.fold import free

FIRST = 1  # the number of the location that was heard of first
Wants = Sequence[tuple[int, int, int]]  # (line number, item, units)
Shelves = Mapping[int, Sequence[Level]]  # the levels of an item, in the order in which locations are asked


def allocate(wants: Wants, shelves: Shelves, split: bool = True) -> tuple[list[Share], list[tuple[int, int]]]:
    """Set aside what is there, line by line; (shares, missing units by item). Without `split` one location serves all or the best does."""
    shares: list[Share] = []
    missing: dict[int, int] = {}
    taken: dict[int, int] = {}
    only = None if split else _best_location(wants, shelves)
    for line, item, units in wants:
        left = units
        for level in shelves.get(item, ()):
            location = level.id % LOCATIONS_MAX
            if only is not None and location != only:
                continue
            part = min(left, free(level) - taken.get(level.id, 0))
            if part > 0:
                shares.append(Share(line, item, location, part))
                taken[level.id] = taken.get(level.id, 0) + part
                left -= part
            if not left:
                break
        if left:
            missing[item] = missing.get(item, 0) + left
    return shares, list(missing.items())


def reserve(wants: Wants, shelves: Shelves, split: bool = True) -> tuple[list[Share], list[tuple[int, int, int]]]:
    """All or nothing: the shares, or what fell short as (item, wanted, available)."""
    shares, missing = allocate(wants, shelves, split)
    if not missing:
        return shares, []
    short = []
    for item, lacking in missing:
        wanted = sum(units for _, other, units in wants if other == item)
        short.append((item, wanted, wanted - lacking))
    return [], short


def found(left: Sequence[Share], shelves: Shelves) -> tuple[Share, ...]:
    """Where units were that left although nobody had set them aside: where their release was to leave from, else where most of the item is
    free, else where most of it is."""
    return tuple(Share(share.line, share.item, share.location or _fullest(shelves.get(share.item, ())), share.quantity) for share in left)


def _fullest(levels: Sequence[Level]) -> int:
    """The location that a surplus came from; of an item that is nowhere, the first one."""
    return max(levels, key=lambda level: (free(level), level.on_hand, -level.id)).id % LOCATIONS_MAX if levels else FIRST


def _best_location(wants: Wants, shelves: Shelves) -> int | None:
    """The location that covers most of the request; the first one wins a tie."""
    cover: dict[int, int] = {}
    for _, item, units in wants:
        for level in shelves.get(item, ()):
            location = level.id % LOCATIONS_MAX
            cover[location] = cover.get(location, 0) + min(units, free(level))
    return max(cover, key=lambda location: (cover[location], -location)) if cover else None
