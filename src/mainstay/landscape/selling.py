"""Do channels and order policies fit what the systems can do and what there is to sell?"""

from __future__ import annotations

from math import fsum

from mainstay.landscape.admit import EVERY
from mainstay.landscape.declared import MEASURED
from mainstay.landscape.findings import nearest
from mainstay.landscape.survey import Findings, Survey

HOLDS = ("totals", "address")


def twice(survey: Survey) -> Findings:
    first: dict[tuple[str, str], str] = {}
    for name, channel in survey.shop.channels.items():
        other = first.setdefault((channel.system, channel.location), name)
        if other != name:
            wrong = f'Channels "{other}" and "{name}" both publish to system "{channel.system}" and would overwrite each other.'
            instead = '`location = "…"` with the id of its own location in that system, or one channel'
            yield survey.finding("channel-twice", ("channels", name, "system"), wrong, instead)


def orders_in(survey: Survey) -> Findings:
    sources = {flow.source for flow in survey.shop.flows.values() if flow.object == "order"} | survey.meant()
    for name, channel in survey.shop.channels.items():
        if survey.known(channel.system) and channel.system not in sources and not channel.stop_sell:
            wrong = f'Channel "{name}" sells, but no flow brings the orders of "{channel.system}".'
            instead = f'a flow with `object = "order"` and `source = "{channel.system}"`'
            yield survey.finding("channel-without-orders", ("channels", name), wrong, instead)


def asking(survey: Survey) -> Findings:
    for name, channel in survey.shop.channels.items():
        offer = survey.offer(channel.system)
        if channel.asks_first and offer and not offer.asks:
            wrong = f'Channel "{name}" asks first, but {offer.title} sells on its own.'
            instead = "`asks_first = false`, and bound it by `share` or `cap`"
            yield survey.finding("cannot-ask", ("channels", name, "asks_first"), wrong, instead)


def stock_owners(survey: Survey) -> Findings:
    """A channel that sells by itself counts what it shows, which its own sales have left already: taken as the shelf, they would count
    twice, and what others sell would never leave it."""
    for group in ("on_hand", "available"):
        rules = survey.shop.ownership.get("inventory", {})
        held = group if group in rules else EVERY
        for name in rules[held].updaters() if held in rules else ():
            selling = [one.system for one in survey.shop.channels.values() if one.system == name and not one.asks_first]
            if selling:
                wrong = f'"{name}" sells on its own, so its numbers are not the shelf: what the others sell is still in them.'
                instead = 'an ERP or a warehouse; or `create = ["mainstay"]`, and tell the shelf by `mainstay count` or POST /v1/statements'
                yield survey.finding("stock-owner-sells", ("ownership", "inventory", held), wrong, instead)
                return


def shares(survey: Survey) -> Findings:
    """Parts below the whole are meant to divide the stock. A share of 1 means: all of it, from one pool."""
    parts: dict[tuple[str, ...], list[str]] = {}
    for name, channel in survey.shop.channels.items():
        if channel.share < 1 and not (channel.asks_first or channel.stop_sell):
            parts.setdefault(tuple(sorted(channel.locations)), []).append(name)
    for names in parts.values():
        total = fsum(survey.shop.channels[name].share for name in names)
        if total > 1 + 1e-9:
            wrong = f"The shares of {', '.join(names)} sum to {total:.2f}, so together they may promise more than there is."
            yield survey.finding("shares-above-whole", ("channels", names[-1], "share"), wrong, "shares that sum to at most 1")


def buffers(survey: Survey) -> Findings:
    for name, channel in survey.shop.channels.items():
        if channel.buffer == MEASURED:
            if channel.asks_first:
                wrong = f'Channel "{name}" asks first, so nothing is sold there while a number is on its way.'
                yield survey.finding("buffer-unused", ("channels", name, "buffer"), wrong, "no `buffer` here")
        elif channel.cap is not None and channel.buffer > channel.cap:
            wrong = f'Channel "{name}" holds back {channel.buffer} units but never shows more than {channel.cap}.'
            instead = f"`buffer = {channel.cap // 2}`, or a larger `cap`"
            yield survey.finding("buffer-above-cap", ("channels", name, "buffer"), wrong, instead)


def capture(survey: Survey) -> Findings:
    able = any(command == "CapturePayment" and told for _, command, told in survey.asked())
    if survey.shop.systems and survey.shop.orders.capture == "order" and not able:
        wrong = "Payments are to be captured with the order, but no system here is asked to capture one."
        instead = 'a flow of payment to a provider, such as `connector = "stripe"`; or `capture = "shipment"`'
        yield survey.finding("capture-without-provider", ("orders", "capture"), wrong, instead)


def shipping(survey: Survey) -> Findings:
    arriving = next((name for name, flow in survey.shop.flows.items() if flow.object == "order"), None)
    if arriving and not any(command == "ReleaseOrder" and told for _, command, told in survey.asked()):
        wrong = "Orders come in, but no system here is asked to ship them."
        instead = 'a warehouse among its `targets`, such as `[systems.warehouse]` with `connector = "shipstation"`'
        yield survey.finding("nobody-ships", ("flows", arriving), wrong, instead)


def policies(survey: Survey) -> Findings:
    orders = survey.shop.orders
    for n, hold in enumerate(orders.holds):
        if hold not in HOLDS:
            wrong = f'"{hold}" is no reason to hold an order.'
            yield survey.finding("hold-unknown", ("orders", "holds", n), wrong, nearest(hold, HOLDS))
    if orders.reservation_s > orders.payment_timeout_s:
        wrong = f"A reservation lives {orders.reservation_s} s, longer than the {orders.payment_timeout_s} s that an unpaid order does."
        instead = f"`reservation_s = {min(900, orders.payment_timeout_s)}`"
        yield survey.finding("reservation-outlives-order", ("orders", "reservation_s"), wrong, instead)
