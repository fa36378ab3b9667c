"""One folder an outside system: its words, its calls, its quirks. No I/O."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from mainstay.contract.connector import Connector
from mainstay.model.failures import Reject

__all__ = ["OURS", "find", "names"]
FACE = (
    "amazon.Amazon",
    "amazon.shipments.package_reference",
    "shipstation.ShipStation",
    "shopify.Shopify",
    "stripe.Stripe",
    "tryton.Tryton",
)
OURS = {
    "amazon": "mainstay.connectors.amazon:Amazon",
    "shipstation": "mainstay.connectors.shipstation:ShipStation",
    "shopify": "mainstay.connectors.shopify:Shopify",
    "stripe": "mainstay.connectors.stripe:Stripe",
    "tryton": "mainstay.connectors.tryton:Tryton",
}


def names() -> list[str]:
    """All connectors: ours, and those that installed packages announce under the entry point group `mainstay.connectors`."""
    return sorted(OURS.keys() | _announced().keys())


@cache
def _announced() -> dict[str, EntryPoint]:
    """What installed packages announce, by name: all of their metadata is gone through for it, once."""
    return {point.name: point for point in entry_points(group="mainstay.connectors")}


def find(name: str) -> type[Connector]:
    """The connector class of a name; Reject `not_capable` when there is none."""
    if name in _announced():
        return _announced()[name].load()  # type: ignore[no-any-return]
    if name not in OURS:
        raise Reject(f"no connector is called {name!r}; there are: {', '.join(names())}", "not_capable")
    module, _, attribute = OURS[name].partition(":")
    return getattr(import_module(module), attribute)  # type: ignore[no-any-return]
