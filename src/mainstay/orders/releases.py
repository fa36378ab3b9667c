"""Releases to a warehouse: asked for, asked back, and sent anew elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from mainstay.model.events import AnyEvent, Asked, Moved
from mainstay.model.state import EffectState, OrderState
from mainstay.orders.fold import DROPPED, ENDED, LEFT, LEFT_ALL_THE_SAME, MOVED_LATE
from mainstay.orders.holds import is_told, named
from mainstay.orders.moves import AT_THE_WAREHOUSE, BEFORE_RELEASE
from mainstay.orders.policy import Policy
from mainstay.orders.units import all_shipped, line_numbers, units_of, unshipped, unwanted, wanted


def release(state: OrderState, policy: Policy) -> Iterator[AnyEvent]:
    """Have what is set aside shipped: one release for each location, as who picks there picks from one shelf. Where no warehouse is asked
    its channel tells what left."""
    ready = state.status == "allocated" or (state.status == "backordered" and policy.partial_shipment)
    later = state.status in AT_THE_WAREHOUSE and not state.cancel
    warehouse = policy.warehouses.get(state.system, "")
    if policy.waits or not (ready or later) or state.holds.keys() - {MOVED_LATE} or not withdrawn(state):
        return
    asked = False
    for place in sorted({share.location for share in state.shares if share.quantity > share.released}) if warehouse else ():
        here = [(share.line, share.quantity - share.released) for share in state.shares if share.location == place]
        if lines := units_of(state, here):
            asked, number = True, following(state)
            key, about = f"{state.uid}:release.{number}", str(number)
            yield Asked(key=key, command="ReleaseOrder", system=warehouse, lines=lines, about=about, location=place)
    if asked and ready:
        yield Moved(move="release")
    elif state.status == "allocated" and not asked and not any(wanted(state)):
        yield Moved(move="ship")  # nothing to send: downloads, gift cards, or others ship it


def releasable(state: OrderState) -> bool:
    """May anything of it be released still, now or when units come?"""
    return state.status in BEFORE_RELEASE | AT_THE_WAREHOUSE


def following(state: OrderState) -> int:
    """The number of the order's next release: one that neither went out nor was called off."""
    return 1 + len({effect.about for effect in state.effects.values() if effect.command in ("ReleaseOrder", "CancelRelease")})


def call_off(state: OrderState, policy: Policy, numbers: range) -> Iterator[AnyEvent]:
    """Call off releases of these numbers, which we do not know of, and which may stand at the warehouse: those of after the backup that was
    restored."""
    warehouse = policy.warehouses.get(state.system, "")
    for number in numbers if policy.takes(warehouse, "CancelRelease") else ():
        yield Asked(key=f"{state.uid}:release.{number}.withdraw", command="CancelRelease", system=warehouse, about=str(number))


def recall(state: OrderState) -> Iterator[AnyEvent]:
    """Units that were taken off the order after their release: the warehouse gives its releases back, and the rest is released anew
    when it has answered. What left all the same is named."""
    gone = unwanted(state, lambda share: share.shipped)
    if not gone or LEFT_ALL_THE_SAME in state.holds or not is_told(state, "shipped_beyond_allocation"):
        detail = f"{gone} units left although they were cancelled" if gone else ""
        yield from named(state, LEFT_ALL_THE_SAME, detail, "all that left is wanted")
    if state.status not in AT_THE_WAREHOUSE:
        return
    if unwanted(state, lambda share: share.released) > gone:
        yield from withdraw(state)
    elif is_over(state) and not unshipped(state):
        yield Moved(move="ship")  # what had not left yet was taken off


def is_over(state: OrderState) -> bool:
    """Has all left that was to leave? Of units that were asked back the warehouse's answer says it, or their parcel: they may be on their
    way, and who books the sale without them keeps them on the shelf."""
    return all_shipped(state) and (withdrawn(state) or all(share.released <= share.shipped for share in state.shares))


def redirect(state: OrderState, policy: Policy) -> Iterator[AnyEvent]:
    """The buyer has moved after the release: what has not left is asked back, and released anew when the warehouse has answered. To
    change it there would not do: a call of before that we have given up may still be carried out, and only what is called off refuses it.
    What left for the address of before, and what cannot be asked back, is named."""
    told: list[str] = []
    for key in _under_way(state) if state.misled and not state.cancel else ():
        effect = state.effects[key]
        if key in state.misled and policy.takes(effect.system, "CancelRelease"):
            yield _asked_back(key, effect)
        elif key in state.misled:
            told.append(f"{effect.system} cannot be told where to send release {effect.about} now")
    strayed = [external for external in state.strayed if state.parcels[external].status in LEFT]
    told += [f"parcel {external} left for the address of before" for external in strayed]
    yield from named(state, MOVED_LATE, "; ".join(told), "nothing goes to the address of before")


def withdraw(state: OrderState) -> Iterator[AnyEvent]:
    """Ask for every release back that the warehouse may still be working on."""
    yield from (_asked_back(key, state.effects[key]) for key in _under_way(state))


def asked_back(state: OrderState) -> bool:
    """Was any release asked back?"""
    return any(effect.command == "CancelRelease" for effect in state.effects.values())


def is_awaited(state: OrderState) -> bool:
    """Is the warehouse's word on a release that was asked back still to come?"""
    return any(effect.command == "CancelRelease" and effect.outcome in ("asked", "unknown") for effect in state.effects.values())


def withdrawn(state: OrderState) -> bool:
    """Has the warehouse answered every withdrawal?"""
    return all(effect.outcome in ENDED for effect in state.effects.values() if effect.command == "CancelRelease")


def _under_way(state: OrderState) -> list[str]:
    """Releases that were not asked back, and of which something has not left. Units that have not left are those of the newest ones."""
    found, lines = [], list(line_numbers(state))
    waiting: dict[str, dict[int, int]] = {line: {} for line in lines}  # units by line and location
    former = 0  # of what lines were
    for share in state.shares:
        units = share.released - share.shipped
        if share.line < len(lines):
            at = waiting[lines[share.line]]
            at[share.location] = at.get(share.location, 0) + units
        else:
            former += units
    for key, effect in reversed(list(state.effects.items())):
        if effect.command != "ReleaseOrder" or effect.outcome in DROPPED or f"{key}.withdraw" in state.effects:
            continue
        asked = sum(units.quantity for units in effect.lines)
        here = sum(_taken(waiting.setdefault(of.line, {effect.location: of.quantity}), effect.location, of.quantity) for of in effect.lines)
        rest = min(former, asked - here)
        former -= rest
        if rest or here:
            found.append(key)
    return found


def _taken(waiting: dict[int, int], location: int, units: int) -> int:
    """So many units of those that wait at a location, or anywhere for a release of no location; how many there were."""
    left = units
    for place in waiting if location == 0 else (location,):
        part = min(left, waiting.get(place, 0))
        if part > 0:
            waiting[place] -= part
            left -= part
    return units - left


def _asked_back(key: str, release: EffectState) -> Asked:
    return Asked(key=f"{key}.withdraw", command="CancelRelease", system=release.system, about=release.about)
