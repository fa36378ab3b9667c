"""What people are shown of an item, against the books of whoever counts, prices and shows it; and what systems proposed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from mainstay.model.money import major
from mainstay.proof.history import CURRENCY
from mainstay.proof.play import Cast
from mainstay.stock.view import ChannelPolicy

KEPT = ("allocated", "reserved", "damaged", "safety")  # units on a shelf that are not free


def of_item(answer: Any, sku: str, cast: Cast, policies: Sequence[ChannelPolicy]) -> Iterator[str]:
    """What is shown of an item otherwise than it is."""
    yield from _shelf(answer["levels"], sku, cast)
    yield from _channels(answer, sku, cast, policies)
    listed, title = cast.shop.variants[sku], cast.erp.title(sku)
    if answer["title"] not in (listed.title, title):
        yield f"title {answer['title']!r}, it is called {listed.title!r} and {title!r}"
    for system, number in (("shop", listed.item), ("erp", _in_the_erp(cast)[sku])):
        if answer["known_as"].get(system, str(number)) != str(number):
            yield f"known as {answer['known_as']}, {system} calls it {number}"
    prices = {"shop": listed.price_minor, "erp": cast.erp.price_minor(sku)}
    for system, price in answer["prices"].items():
        if price != f"{major(prices[system], CURRENCY)} {CURRENCY}":
            yield f"price {price} by {system}, there it is {prices[system]} minor units"


def _shelf(levels: Any, sku: str, cast: Cast) -> Iterator[str]:
    """The shelf against the ERP's, in all and at each place."""
    if (shelf := sum(map(_standing, levels))) != cast.erp.on_hand(sku):
        yield f"{shelf} on the shelf, {cast.erp.on_hand(sku)} in the ERP"
    for place in cast.erp.warehouses:
        units = sum(_standing(one) for one in levels if one["location"] == place)
        if units != cast.erp.on_hand(sku, place):
            yield f"{units} on the shelf at {place}, {cast.erp.on_hand(sku, place)} in the ERP"


def _channels(answer: Any, sku: str, cast: Cast, policies: Sequence[ChannelPolicy]) -> Iterator[str]:
    """Each channel's number by a formula of one line against what the channel shows."""
    for policy in policies:
        here = [one for one in answer["levels"] if not policy.locations or one["location"] in policy.locations]
        free = sum(max(0, one["on_hand"] - sum(one[name] for name in KEPT)) for one in here)
        may = max(0, int(Decimal(free) * Decimal(str(policy.share))) - policy.buffer)
        may = 0 if policy.stop_sell else may if policy.cap is None else min(may, policy.cap)
        steps = answer["channels"][policy.channel]["steps"]
        twin = {"shop": cast.shop, "amazon": cast.amazon}.get(policy.channel)
        shows = twin.available(sku) if twin else may  # who asks first shows nothing
        if steps[-1]["units"] != may or shows != may:
            yield f"{policy.channel} may show {may}; the last step says {steps[-1]['units']}, the channel shows {shows}"


def _standing(level: Any) -> int:
    """Units of a location by the ERP's books: what has left and is not booked yet is there, too."""
    return int((level["on_hand"] or level["allocated"] + level["reserved"] - level["deficit"]) + level["unbooked"])


def of_proposal(one: Any, cast: Cast) -> Iterator[str]:
    """A proposal names something that is in the books of whoever made it."""
    listed = cast.shop.variants.values()
    has = {
        "shop": {str(number) for variant in listed for number in (variant.product, variant.item)},
        "erp": {str(number) for number in _in_the_erp(cast).values()},
    }
    named = one["external"].partition("@")[0].partition("/")[0]
    if named not in has.get(one["system"], {named}):
        yield f"{one['system']} is said to speak of {one['external']}, which it does not have"


def _in_the_erp(cast: Cast) -> dict[str, int]:
    """The ERP's number of each SKU."""
    return {product["code"]: product["id"] for product in cast.erp.books["product.product"].values()}
