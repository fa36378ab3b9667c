"""The shop of a scenario that is declared, read or told otherwise than its landscape says."""

from __future__ import annotations

from msgspec.structs import replace

from mainstay.connectors.amazon import Amazon
from mainstay.contract.connector import Connector
from mainstay.delivery.polls import Pace
from mainstay.model.times import DAY, SECOND
from mainstay.proof.sim.acts import EVENTS, IN_BULK, SILENCE, WEEKS
from mainstay.proof.sim.machine import Fittings

SELDOM_S = DAY / SECOND / 2  # between two readings of a feed, in a history of weeks


def hardly_read(fittings: Fittings) -> Fittings:
    """The same shop, whose feeds are read once a day where a system sends its news by itself."""
    seldom: dict[tuple[str, str], Pace] = dict.fromkeys(EVENTS.items(), DAY / SECOND)
    return replace(fittings, plan=replace(fittings.plan, polls={**fittings.plan.polls, **seldom}))


def apart(fittings: Fittings, system: str) -> Fittings:
    """The same shop before a system was connected: nobody reads it, and nobody tells it anything."""
    plan = fittings.plan
    without = {
        name: {key: value for key, value in getattr(plan, name).items() if key != system}
        for name in ("connectors", "channels", "hooks", "policies", "pricing", "urgent")
    }
    polls = {(name, feed): pace for (name, feed), pace in plan.polls.items() if name != system}
    shop, policy = fittings.shop, fittings.shop.policy
    policy = replace(
        policy, can={name: can for name, can in policy.can.items() if name != system},
        books={source: erp for source, erp in policy.books.items() if erp != system},
    )  # fmt: skip
    shop = replace(shop, policy=policy, behind=shop.behind - {system})
    return replace(fittings, shop=shop, plan=replace(plan, polls=polls, **without))


def seldom_read(fittings: Fittings) -> Fittings:
    """The same shop for weeks: its feeds and subscriptions are looked at twice a day, beside the events that it is sent."""
    plan, pace = fittings.plan, dict.fromkeys(fittings.plan.polls, SELDOM_S)
    hooks = {name: replace(hook, every_s=SELDOM_S) for name, hook in plan.hooks.items()}
    shop = replace(fittings.shop, payment_us=2 * DAY)  # where an event is lost, a payment is known half a day later
    return replace(fittings, shop=shop, plan=replace(plan, polls=pace, hooks=hooks, listen_s=SELDOM_S))


class _Feeding(Amazon):
    """Where two numbers or more are told at once, they go as a feed."""

    manifest = replace(
        Amazon.manifest, sinks=tuple(replace(one, bulk_from=2) if one.command == "SetLevel" else one for one in Amazon.manifest.sinks)
    )


def in_bulk(fittings: Fittings) -> Fittings:
    """The same shop, of whose few items many are told at once."""
    amazon: dict[str, Connector] = {"amazon": _Feeding(fittings.connectors["amazon"].settings)}
    plan = replace(fittings.plan, connectors={**fittings.plan.connectors, **amazon})
    return replace(fittings, plan=plan, connectors={**fittings.connectors, **amazon})


LOOKED_AT = {SILENCE: hardly_read, WEEKS: seldom_read, IN_BULK: in_bulk}  # scenarios in which the shop is looked at otherwise
