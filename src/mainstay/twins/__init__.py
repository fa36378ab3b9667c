"""Imitations of outside systems, written from their published specifications, with their limits, faults and own books."""

FACE = (
    "imitation",
    "amazon.AmazonTwin",
    "shipstation.OPEN", "shipstation.ShipStationTwin",
    "shopify.ShopifyTwin",
    "stripe.StripeTwin",
    "tryton.CUSTOMER", "tryton.HOME", "tryton.TrytonTwin",
)  # fmt: skip
