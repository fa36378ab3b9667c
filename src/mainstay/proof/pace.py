"""How fast stock reached the channels, by the channels' own books: from a sale in one to the next number of that SKU in another."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence

from mainstay.twins.amazon import AmazonTwin
from mainstay.twins.shopify import ShopifyTwin

Channel = ShopifyTwin | AmazonTwin


def reached(channels: Mapping[str, Channel]) -> dict[str, list[int]]:
    """For each channel the microseconds until it showed a new number, for every sale of a SKU at another one. All is in it: the webhook
    or poll that brought the order, what was decided, the vendors' rate limits, faults and repairs. A number tells of all sales before it.
    """
    return {name: sorted(_waits(channel, [other for key, other in channels.items() if key != name])) for name, channel in channels.items()}


def _waits(channel: Channel, others: Sequence[Channel]) -> list[int]:
    told: dict[str, list[int]] = defaultdict(list)
    for sku, _, at in channel.level_history:
        told[sku].append(at)
    waits = []
    for sku, sold in ((sku, at) for other in others for sku, at in other.sale_history):
        after = bisect_left(told[sku], sold)
        if after < len(told[sku]):  # where no number follows, what is shown at the end is compared: `levels_wrong`
            waits.append(told[sku][after] - sold)
    return waits
