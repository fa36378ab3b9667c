"""What people are shown, against a model made from the outside systems' own books: every order, every number that others know it by,
every SKU, the state of things. A right store that is read wrongly is wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from mainstay.model.money import major
from mainstay.proof.history import CURRENCY
from mainstay.proof.play import Cast, Counters
from mainstay.proof.truth import Placed, placed, shipped
from mainstay.stock.view import ChannelPolicy

Ask = Callable[[str], Awaitable[tuple[int, Any]]]  # path -> (status, answer), asked as an operator
LETTERS_MAX = 200  # shown at once


async def misread(ask: Ask, cast: Cast, counters: Counters, policies: Sequence[ChannelPolicy]) -> str:
    """The first answer that is not what the books say; empty where all are."""
    orders = placed(cast, counters)
    statuses: Counter[str] = Counter()
    for one in orders:
        status, answer = await ask(f"/v1/orders/{one.uid}")
        wrong = f"status {status}" if status != 200 else _order(answer, one, cast)
        if wrong:
            return f"order {one.uid}: {wrong}"
        statuses[answer["status"]] += 1
        for number in _numbers(one, cast):
            status, answer = await ask(f"/v1/trace/{number}")
            if status != 200 or one.uid not in {found["now"]["order"] for found in answer if found["now"]}:
                return f"trace {number}: status {status}, and does not lead to {one.uid}"
    for sku in cast.shop.variants:
        status, answer = await ask(f"/v1/stock/{sku}")
        wrong = f"status {status}" if status != 200 else _stock(answer, sku, cast, policies)
        if wrong:
            return f"stock {sku}: {wrong}"
    return await _in_all(ask, statuses)


def _order(answer: Any, one: Placed, cast: Cast) -> str:
    """What is shown of an order, but for what only we decide."""
    if answer["total"] != f"{major(one.total, CURRENCY)} {CURRENCY}":
        return f"total {answer['total']}, its channel states {one.total} minor units"
    units: Counter[str] = Counter()
    for line in answer["lines"]:
        units[line["sku"]] += line["quantity"]
    if units != Counter(one.units) + Counter(one.off):
        return f"lines {dict(units)}, ordered were {one.units}, and {one.off} that were taken off"
    off = {line["sku"]: 0 for line in answer["lines"]}
    for line in answer["lines"]:
        off[line["sku"]] += line["cancelled"]
    if not one.cancelled and +Counter(off) != +Counter(one.off):
        return f"taken off are {off}, at the channel {one.off}"
    left = sum(
        _units(parcel) for parcel in answer["parcels"].values() if parcel["system"] == "warehouse" and parcel["status"] != "cancelled"
    )
    sent = shipped(cast).get(one.uid, Counter()).total()
    if left != sent:
        return f"{left} units in parcels of the warehouse, {sent} left it"
    captured = sum(amount for what, intent, amount in cast.payments.effects if what == "capture" and intent == one.intent)
    shown = sum(paid.get("captured", 0) for paid in answer["payments"].values() if paid["system"] == "payments")
    if one.intent and shown != captured:
        return f"{shown} captured, {captured} at the provider"
    return ""


def _units(parcel: Any) -> int:
    return sum(int(line["quantity"]) for line in parcel["units"])


def _numbers(one: Placed, cast: Cast) -> Iterator[str]:
    """Every number by which somebody outside knows an order."""
    yield one.external
    if one.channel == "shop":
        yield cast.shop.orders[int(one.external)]["name"]
    if one.intent:
        yield one.intent
    for shipment in cast.warehouse.shipments:
        if not shipment["voided"] and shipment["orderKey"].removeprefix("rel.").rpartition(".")[0] == one.uid.removeprefix("ord."):
            yield shipment["trackingNumber"]
            yield shipment["orderKey"]
    for reference, sale in cast.erp.sales().items():
        if reference == one.uid:
            yield str(sale["number"])


def _stock(answer: Any, sku: str, cast: Cast, policies: Sequence[ChannelPolicy]) -> str:
    """The shelf against the ERP's, and each channel's number by a formula of one line against what the channel shows."""
    levels = answer["levels"]
    shelf = sum(map(_standing, levels))
    if shelf != cast.erp.on_hand(sku):
        return f"{shelf} on the shelf, {cast.erp.on_hand(sku)} in the ERP"
    for place in cast.erp.warehouses:
        units = sum(_standing(one) for one in levels if one["location"] == place)
        if units != cast.erp.on_hand(sku, place):
            return f"{units} on the shelf at {place}, {cast.erp.on_hand(sku, place)} in the ERP"
    kept = ("allocated", "reserved", "damaged", "safety")
    for policy in policies:
        here = [one for one in levels if not policy.locations or one["location"] in policy.locations]
        free = sum(max(0, one["on_hand"] - sum(one[name] for name in kept)) for one in here)
        may = max(0, int(Decimal(free) * Decimal(str(policy.share))) - policy.buffer)
        may = 0 if policy.stop_sell else may if policy.cap is None else min(may, policy.cap)
        steps = answer["channels"][policy.channel]["steps"]
        twin = {"shop": cast.shop, "amazon": cast.amazon}.get(policy.channel)
        shows = twin.available(sku) if twin else may  # who asks first shows nothing
        if steps[-1]["units"] != may or shows != may:
            return f"{policy.channel} may show {may}; the last step says {steps[-1]['units']}, the channel shows {shows}"
    return ""


def _standing(level: Any) -> int:
    """Units of a location by the ERP's books: what has left and is not booked yet is there, too."""
    return int((level["on_hand"] or level["allocated"] + level["reserved"] - level["deficit"]) + level["unbooked"])


async def _in_all(ask: Ask, statuses: Counter[str]) -> str:
    """How things stand: orders by status, dead letters, and books that are even."""
    _, now = await ask("/v1/status")
    if Counter(now["orders"]) != statuses:
        return f"status: orders {now['orders']}, one by one they are {dict(statuses)}"
    _, letters = await ask("/v1/deadletters")
    if len(letters) != min(LETTERS_MAX, sum(now["dead_letters"].values())):
        return f"status: dead letters {now['dead_letters']}, listed are {len(letters)}"
    for letter in letters:
        status, whole = await ask(f"/v1/deadletters/{letter['id']}")
        if status != 200 or (whole["code"], whole["status"]) != (letter["code"], "open"):
            return f"dead letter {letter['id']}: status {status}, {whole}"
    even = sum(Decimal(balance) for balance in now["accounts"].values())
    if even:
        return f"status: the accounts sum to {even}"
    _, proposals = await ask("/v1/proposals")
    if len(proposals) != min(LETTERS_MAX, now["proposals"]):
        return f"status: {now['proposals']} proposals, listed are {len(proposals)}"
    return ""
