"""Effects of the past that their systems may have lost: looked for under their keys, and made again where they are not there.

A system was restored from an old backup, or lost what it was told. What was done there is looked up first, as after a lost answer; only
what is not there is sent, the same document under the same key. What a later word has undone is left alone, and what a repeat could
double is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping

from mainstay.flows.intake import Intake
from mainstay.flows.span import Replayed
from mainstay.orders.again import stands
from mainstay.storage.inbox import Receipt

NUMBERS = ("SetLevel", "SetPrice")


def resend(intake: Intake, number: int, receipt: Receipt, letter: int = 0) -> Replayed:
    """Have the effect of this intent looked for, and made again where it is not there. `receipt` says when that was asked, `letter` is the
    dead letter whose retry it is."""
    world = intake.world
    found = world.intent(number)
    system, entity, made = found or ("", 0, None)
    world.load_orders((entity,))
    state = world.orders.get(entity)
    if state is None or made is None or made.key not in state.effects:
        return Replayed("refused", f"intent {number} is no effect of an order")
    what = f"{type(made).__name__} {made.key}"
    if not intake.shop.policy.takes(system, type(made).__name__):
        return Replayed("refused", f"{what}: {system} is not asked for that any more")
    how, why = stands(state, made.key)
    if how != "yes":
        return Replayed("superseded" if how == "over" else "refused", f"{what}: {why}")
    intake.turns.make_again(state, made.key, number, receipt, letter)
    return Replayed("asked", f"{what}: looked for at {system}")


def tell_anew(intake: Intake, query: Mapping[str, str]) -> list[str]:
    """Levels and prices are no effects that could be made again: what a system shows is told as it is now. The systems that are meant."""
    command, system = query.get("topic", ""), query.get("system", "")
    meant = [name for name, can in intake.shop.policy.can.items() if command in NUMBERS and command in can and system in ("", name)]
    intake.world.tell_all += [(command, name) for name in sorted(meant)]
    return sorted(meant)
