"""Releases to a warehouse: asked for, asked back, and sent anew elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from mainstay.model.events import AnyEvent, Asked, Held, Moved
from mainstay.model.state import EffectState, OrderState
from mainstay.orders.fold import DROPPED, ENDED, LEFT, MOVED_LATE
from mainstay.orders.holds import is_told, named
from mainstay.orders.moves import AT_THE_WAREHOUSE, BEFORE_RELEASE
from mainstay.orders.policy import Policy
from mainstay.orders.units import all_shipped, line_numbers, units_of, unshipped, unwanted, wanted


def release(state: OrderState, policy: Policy) -> Iterator[AnyEvent]:
    ready = state.status == "allocated" or (state.status == "backordered" and policy.partial_shipment)
    later = state.status in AT_THE_WAREHOUSE and not state.cancel
    warehouse = policy.warehouses.get(state.system)
    if policy.waits or not (ready or later) or not warehouse or state.holds.keys() - {MOVED_LATE} or not withdrawn(state):
        return
    lines = units_of(state, [(share.line, share.quantity - share.released) for share in state.shares])
    if not lines:
        if state.status == "allocated" and not any(wanted(state)):
            yield Moved(move="ship")  # nothing to send: downloads, gift cards, or others ship it
        return
    number = following(state)
    yield Asked(key=f"{state.uid}:release.{number}", command="ReleaseOrder", system=warehouse, lines=lines, about=str(number))
    if ready:
        yield Moved(move="release")


def releasable(state: OrderState) -> bool:
    """May anything of it be released still, now or when units come?"""
    return state.status in BEFORE_RELEASE | AT_THE_WAREHOUSE


def following(state: OrderState) -> int:
    """The number of the order's next release: one that neither went out nor was called off."""
    return 1 + len({effect.about for effect in state.effects.values() if effect.command in ("ReleaseOrder", "CancelRelease")})


def call_off(state: OrderState, policy: Policy) -> Iterator[AnyEvent]:
    """Call off a release that we do not know of, and that may stand at the warehouse: one of after the backup that was restored. All that
    we know of are asked back with it, as when they have been answered nothing stands there."""
    warehouse = policy.warehouses.get(state.system, "")
    if policy.takes(warehouse, "CancelRelease"):
        yield from withdraw(state)
        number = str(following(state))
        yield Asked(key=f"{state.uid}:release.{number}.withdraw", command="CancelRelease", system=warehouse, about=number)


def recall(state: OrderState) -> Iterator[AnyEvent]:
    """Units that were taken off the order after their release: the warehouse gives its releases back, and the rest is released anew
    when it has answered. What left all the same is named."""
    gone = unwanted(state, lambda share: share.shipped)
    if gone and not is_told(state, "shipped_after_cancel") and not is_told(state, "shipped_beyond_allocation"):
        yield Held(reason="shipped_after_cancel", detail=f"{gone} units left although they were cancelled")
    if state.status not in AT_THE_WAREHOUSE:
        return
    if unwanted(state, lambda share: share.released) > gone:
        yield from withdraw(state)
    elif withdrawn(state) and all_shipped(state) and not unshipped(state):
        yield Moved(move="ship")  # what had not left yet was taken off


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


def withdrawn(state: OrderState) -> bool:
    """Has the warehouse answered every withdrawal?"""
    return all(effect.outcome in ENDED for effect in state.effects.values() if effect.command == "CancelRelease")


def _under_way(state: OrderState) -> list[str]:
    """Releases that were not asked back, and of which something has not left. Units that have not left are those of the newest ones."""
    found = []
    waiting = dict.fromkeys(line_numbers(state), 0)
    for of in units_of(state, [(share.line, share.released - share.shipped) for share in state.shares]):
        waiting[of.line] = of.quantity
    former = sum(share.released - share.shipped for share in state.shares if share.line >= len(state.items))  # of what lines were
    for key, effect in reversed(list(state.effects.items())):
        if effect.command != "ReleaseOrder" or effect.outcome in DROPPED or f"{key}.withdraw" in state.effects:
            continue
        here = {units.line: min(units.quantity, waiting.get(units.line, units.quantity)) for units in effect.lines}
        for line, units in here.items():
            waiting[line] = waiting.get(line, units) - units
        rest = min(former, sum(units.quantity - here[units.line] for units in effect.lines))
        former -= rest
        if rest or any(here.values()):
            found.append(key)
    return found


def _asked_back(key: str, release: EffectState) -> Asked:
    return Asked(key=f"{key}.withdraw", command="CancelRelease", system=release.system, about=release.about)
