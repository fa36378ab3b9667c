"""How a shop handles orders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct


class Policy(Struct, frozen=True, kw_only=True):
    """How this shop handles orders; built from the landscape. `can` names the commands that each system takes."""

    can: Mapping[str, frozenset[str]]
    warehouses: Mapping[str, str] = {}  # who ships what a system sold
    books: Mapping[str, str] = {}  # where what a system sold is booked
    capture: Literal["order", "shipment"] = "shipment"
    partial_shipment: bool = True
    shortage: Literal["backorder", "cancel"] = "backorder"
    hold_totals: bool = True
    hold_address: bool = False
    asks_first: frozenset[str] = frozenset()
    since: Mapping[str, int] = {}  # when a system was connected, in microseconds, where others did its work before
    waits: bool = False  # nothing is released, and nobody cancelled for want of units: a backup was restored a moment ago

    def takes(self, system: str, command: str) -> bool:
        return command in self.can.get(system, ())
