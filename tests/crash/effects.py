"""What was done to the outside systems in a simulated history, by names that are the same in each history of the same acts."""

import re
from collections import Counter
from collections.abc import Hashable, Mapping
from typing import Any

Effects = tuple[Counter[Hashable], dict[Hashable, Any]]
RETURN = re.compile(r"\.return\.\d+$")  # and a number that the shop drew


def effects(twins: Mapping[str, Any]) -> Effects:
    """Effects with how often they were made, and what was set to a value with its last one. Whether people pack in two parcels or in one is
    their choice: units count, and what each order has come to."""
    shop, amazon = twins["shop"], twins["amazon"]
    names = _in_turn(shop.orders, "shop order") | _in_turn(amazon.orders, "amazon order")
    names |= {str(line["id"]): line["sku"] for order in shop.orders.values() for line in order["line_items"]}
    names |= {item["orderItemId"]: item["product"]["sellerSku"] for order in amazon.orders.values() for item in order["orderItems"]}

    def named(text: str) -> str:
        return re.sub(r"[\w-]+", lambda found: names.get(found[0], found[0]), RETURN.sub(".return", text))

    once: Counter[Hashable] = Counter()
    for channel in (shop, amazon):
        for effect, times in channel.effects.items():
            if effect.startswith("cancel:"):
                once[named(effect)] += times
    for what, _, amount in twins["payments"].effects:
        once[("payments", what, amount)] += 1
    for what, name, how in twins["erp"].effects:
        once[("erp", what, named(name), how)] += 1
    for what, name, how in twins["warehouse"].effects:
        if how != "updated":  # an upsert under its key
            once[("warehouse", what, named(name), how if isinstance(how, str) else "units")] += how if isinstance(how, int) else 1
    last: dict[Hashable, Any] = {}
    for channel, listed in ((shop, shop.variants), (amazon, amazon.listings)):
        last |= {(type(channel).__name__, sku): (channel.available(sku), one.price_minor) for sku, one in listed.items()}
    last |= {named(str(name)): (order["financial_status"], order["fulfillment_status"]) for name, order in shop.orders.items()}
    last |= {named(name): order["fulfillment"]["fulfillmentStatus"] for name, order in amazon.orders.items()}
    last |= {("erp", sku): twins["erp"].on_hand(sku) for sku in shop.variants}
    return once, last


def _in_turn(orders: Mapping[Any, Any], what: str) -> dict[str, str]:
    return {str(name): f"{what} {number}" for number, name in enumerate(orders, 1)}


def unlike(one: Effects, other: Effects) -> str:
    """What of two histories differs, in words; empty where nothing does."""
    missing, more = one[0] - other[0], other[0] - one[0]
    values = {key: (one[1].get(key), other[1].get(key)) for key in one[1].keys() | other[1].keys() if one[1].get(key) != other[1].get(key)}
    said = {"not made": dict(missing), "made though it was not, or once more": dict(more), "another last value": values}
    return "; ".join(f"{what}: {found}" for what, found in said.items() if found)
