"""What was said in the past, as it was read then, decided upon anew: with the ownership, the policies and the landscape of today.

A proposal counts where its speaker may say so now, and nothing newer is known. An order is given its turn: what follows today and did not
follow then, follows. What was heard stays heard, also where its speaker could not say it any more.
"""

from __future__ import annotations

from mainstay.flows.intake import ON_ORDERS, Intake
from mainstay.flows.items import ON_ITEMS
from mainstay.flows.reread_items import reread_item
from mainstay.flows.span import TOLD, Replayed
from mainstay.flows.statements import Statement, keys_of, skus_of
from mainstay.model.events import AnyEvent, Asked, Moved, Proposed, decode
from mainstay.model.seen import CustomerSeen, OrderSeen
from mainstay.orders import decide as orders
from mainstay.storage.inbox import Receipt
from mainstay.storage.packing import unpack


def rehear(intake: Intake, number: int, receipt: Receipt) -> Replayed:
    """Decide anew on what a row of the log says was heard of an order, or proposed. `receipt` says when."""
    found = intake.world.store.load("load_events", [number])
    kind, entity, body = found[0][1:] if found else ("", 0, b"")
    if kind == "order":
        return _decided(intake, entity, receipt)
    proposed = decode(unpack(body))[0] if kind == "proposal" else None
    if not isinstance(proposed, Proposed):
        return Replayed("refused", f"row {number} of the log tells of no order and no proposal")
    done = _counts(intake, proposed, receipt)
    intake.end()
    told = f"{type(proposed.said).__name__} {proposed.said.external} of {proposed.system}"
    return Replayed(done.how, f"{told}: {done.detail}" if done.detail else told)


def _decided(intake: Intake, entity: int, receipt: Receipt) -> Replayed:
    intake.world.load_orders((entity,))
    state = intake.world.orders[entity]
    intake.world.load_stock(state.items)
    follows = intake.turns.advance(state, receipt, [])
    return Replayed("decided" if follows else "same", f"{state.uid}: {', '.join(dict.fromkeys(map(_told, follows)))}")


def _told(event: AnyEvent) -> str:
    if isinstance(event, Asked):
        return f"{event.command} is asked of {event.system}"
    return event.move if isinstance(event, Moved) else type(event).__name__


def _counts(intake: Intake, proposed: Proposed, receipt: Receipt) -> Replayed:
    """Take a proposal, if it counts now."""
    world, said = intake.world, proposed.said
    if isinstance(said, OrderSeen | CustomerSeen):
        return Replayed("refused", "its buyer is not kept with it: replay it from its receipt")
    again = Receipt(proposed.receipt, receipt.at, proposed.system, "", "", b"")
    one = Statement(again, said, None, keys_of(world, proposed.system, said))
    world.look_up(one.keys)
    world.load_skus(skus_of(said))
    counts, _ = intake.claims.sift(one)
    if counts is None:
        return Replayed("same", "")
    if type(said) in ON_ITEMS:
        ended = list(reread_item(intake, counts))
        return next((done for how in TOLD for done in ended if done.how == how), Replayed("same", ""))
    return _of_order(intake, counts) if type(said) in ON_ORDERS else Replayed("same", "")


def _of_order(intake: Intake, one: Statement) -> Replayed:
    world = intake.world
    number = next((world.links[key] for key in one.keys if key in world.links), 0)
    world.load_orders((number,))
    if number not in world.orders:
        return Replayed("refused", "what it speaks of has not arrived")
    if not orders.newer(world.orders[number], one.said):
        return Replayed("superseded", "")
    ended, _ = intake.take_one(one)
    return Replayed("taken" if ended == "applied" else "same", "")
