"""Goods: what was sold is there or named, shelves and channels agree, and what left went where it should."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping

from mainstay.flows.propagate import places
from mainstay.model.state import OrderState
from mainstay.orders.view import blocker
from mainstay.proof import people
from mainstay.proof.history import ASKS_FIRST, Story
from mainstay.proof.play import Cast
from mainstay.proof.truth import Findings, Placed, cause_of, is_named, left_by_store, order_of_release, shipped
from mainstay.storage.database import rows
from mainstay.storage.state import State
from mainstay.twins.shipstation import OPEN

Shown = Callable[[str, str], int | None]  # (channel, SKU) -> what it may show; None where it does not list the SKU


def oversold(
    found: Findings, orders: Iterable[Placed], belief: Mapping[str, OrderState], left: Mapping[str, Counter[str]], story: Story, cast: Cast,
    state: State,
) -> None:  # fmt: skip
    """Oversold: sold and not cancelled, but not there. Whoever asked first and got less than was confirmed is the one we promised to; of
    what others sold a part may lie on the ERP's shelf and wait for something that has a name."""
    shelf = {sku: cast.erp.on_hand(sku) for sku in cast.shop.variants}
    for one in orders:
        if one.cancelled:  # by its channel's own book: what only we have given up is still promised there
            continue
        cause = cause_of(belief.get(one.uid))
        for sku, missing in (Counter(one.units) - left[one.uid]).items():
            if one.channel in ASKS_FIRST:
                found.add("oversold_units_asked_first", missing, f"{one.uid}: {missing} of {sku} sold and not handed over; {cause}")
                continue
            there = min(missing, shelf.get(sku, 0))
            if there:
                shelf[sku] -= there
                found.add("waiting_units", there, f"{one.uid}: {there} of {sku} on the shelf and not sent; {cause}")
            if missing > there:
                found.add("oversold_units_autonomous", missing - there, f"{one.uid}: {missing - there} of {sku} sold, not there; {cause}")
    gone: Counter[str] = Counter()
    for units in left.values():
        gone.update(units)
    arrived = Counter({product.sku: product.stock for product in story.products})
    for what, sku, delta in cast.erp.effects:
        if what == "move":
            arrived[sku] += max(0, int(delta))  # what a count misses later did arrive
    for came in cast.erp.returned().values():
        arrived.update(came)
    for sku, excess in (gone - arrived).items():
        found.add("oversold_units_asked_first", excess, f"{sku}: {excess} more units left than ever arrived")
    broken = rows(state.connection, "SELECT id FROM stock WHERE on_hand < 0 OR allocated + reserved > on_hand + deficit OR allocated < 0")
    for (number,) in broken:
        found.add("negative_commits", 1, f"stock row {number}")
    for channel, history in (("shop", cast.shop.level_history), ("amazon", cast.amazon.level_history)):
        for sku, quantity, _ in history:
            if quantity < 0:
                found.add("negative_commits", 1, f"{channel} was told {quantity} of {sku}")


def misaddressed(found: Findings, belief: Mapping[str, OrderState], cast: Cast, state: State) -> None:
    """Each order of the shop that the warehouse sends goes to the address that it has there now, whatever else its buyer has ordered; what
    left before that was known is named. Of who was erased no address is known any more."""
    erased = people.erased(belief, state)
    now = {f"ord.shop.{number}": order["shipping_address"]["address1"] for number, order in cast.shop.orders.items()}
    now = {uid: street for uid, street in now.items() if uid in belief and belief[uid].subject not in erased}
    waiting = [(key, one["shipTo"]) for key, one in cast.warehouse.released.items() if one["items"] and one["orderStatus"] in OPEN]
    asked = (one for one in cast.warehouse.shipments if one["orderKey"] in cast.warehouse.released)
    left = [(one["orderKey"], one["shipTo"]) for one in asked if not one["voided"]]
    for number, (key, to) in enumerate([*waiting, *left]):
        uid = order_of_release(key)
        named = number >= len(waiting) and uid in belief and is_named(belief[uid])
        if uid in now and to.get("street1") != now[uid] and not named:
            found.add("misaddressed", 1, f"{key}: goes to {to.get('street1')}, it is to go to {now[uid]}")


def levels_differ(found: Findings, cast: Cast, state: State, shown: Shown, lacks: Collection[str]) -> None:
    """What channels show against what they may, and our shelf against the ERP's."""
    for channel, twin in (("shop", cast.shop), ("amazon", cast.amazon)):
        for sku in cast.shop.variants if channel not in lacks else ():
            may = shown(channel, sku)
            if may is None and cast.erp.on_hand(sku):
                found.add("levels_wrong", 1, f"{channel} is not told of {sku}, of which the ERP has {cast.erp.on_hand(sku)}")
            if may is not None and twin.available(sku) != may:
                found.add("levels_wrong", 1, f"{channel} shows {twin.available(sku)} of {sku}, it may show {may}")
    known = Counter(str(sku) for (sku,) in rows(state.connection, "SELECT sku FROM item"))
    for sku in cast.shop.variants:
        if known[sku] != 1:
            found.add("on_hand_differs", 1, f"{sku}: {known[sku]} items are known by it")
    standing = "CASE WHEN on_hand > 0 THEN on_hand ELSE allocated + reserved - deficit END"  # below zero where more left than had come
    sql = f"SELECT item.sku, stock.id % 256, {standing}, unbooked FROM stock JOIN item ON item.id = stock.id / 256"
    names = places(state)
    ours = {(sku, names.get(place, "")): (units, unbooked) for sku, place, units, unbooked in rows(state.connection, sql)}
    theirs = {(sku, place): cast.erp.on_hand(sku, place) for sku in cast.shop.variants for place in cast.erp.warehouses}
    for sku, place in sorted(ours.keys() | theirs.keys()):
        units, unbooked = ours.get((sku, place), (0, 0))
        if units + unbooked != (there := theirs.get((sku, place), 0)):
            told = f"{units} on our shelf and {unbooked} not booked yet, {there} in the ERP"
            found.add("on_hand_differs", 1, f"{sku} at {place}: {told}")


def left_elsewhere(found: Findings, belief: Mapping[str, OrderState], cast: Cast, state: State) -> None:
    """Which of our shelves the units of each order were taken off, against the stores that the warehouse sent them from."""
    skus, names = dict(rows(state.connection, "SELECT id, sku FROM item")), places(state)
    for uid, sent in left_by_store(cast).items():
        if order := belief.get(uid):
            taken: Counter[tuple[str, str]] = Counter()
            for share in order.shares:
                taken[skus[share.item], names[share.location]] += share.shipped
            if taken != sent:
                found.add("left_elsewhere", 1, f"{uid}: left as {dict(sent)}, taken off our shelves as {dict(+taken)}")


def prices_differ(found: Findings, cast: Cast, priced_by: str) -> None:
    """What channels ask for an item against its price, in the books of whoever sets it."""
    for channel, prices in (("shop", cast.shop.variants), ("amazon", cast.amazon.listings)):
        for sku, listed in prices.items():
            cost = cast.shop.variants[sku].price_minor if priced_by == "shop" else cast.erp.price_minor(sku)
            if cost != listed.price_minor:
                found.add("prices_wrong", 1, f"{channel} sells {sku} for {listed.price_minor}, its price is {cost}")


def titles_differ(found: Findings, cast: Cast, state: State, described_by: str) -> None:
    """What an item is called here against the book of whoever describes it: what others call it changes nothing."""
    ours = dict(rows(state.connection, "SELECT sku, CAST(body AS TEXT) ->> '$.title' FROM item"))
    for sku, listed in cast.shop.variants.items():
        title = listed.title if described_by == "shop" else cast.erp.title(sku)
        if ours.get(sku) != title:
            found.add("titles_wrong", 1, f"{sku} is called {ours.get(sku)!r}, {described_by} calls it {title!r}")


def unconfirmed(
    found: Findings, orders: Iterable[Placed], belief: Mapping[str, OrderState], parcels: Mapping[str, Counter[str]], cast: Cast
) -> None:
    """A channel that sells on its own knows of every unit that left for its orders, and of which line, or the order says why not."""
    left = shipped(cast, "lineItemKey")
    for one in orders:
        if not parcels.get(one.uid) or one.channel not in ("shop", "amazon"):
            continue
        told: Counter[str] = Counter()
        if one.channel == "shop":
            for parcel in cast.shop.orders[int(one.external)]["fulfillments"]:
                told.update({str(line["id"]): line["quantity"] for line in parcel["line_items"]})
        else:
            items = cast.amazon.orders[one.external]["orderItems"]
            told.update({item["orderItemId"]: item["fulfillment"]["quantityFulfilled"] for item in items})
        untold = left[one.uid] - told
        known = belief.get(one.uid)
        if untold and not (known is not None and blocker(known) is not None):
            found.add(
                "unconfirmed_shipments", untold.total(), f"{one.uid}: {dict(untold)} left, by line, that {one.channel} was not told of"
            )
