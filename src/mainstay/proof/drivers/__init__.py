"""What the conformance suite needs to examine our own connectors: a connector and a twin that fit, and a driver that knows the truth."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from mainstay.contract.conformance import Subject

SUBJECTS = ("amazon", "shipstation", "shopify", "stripe", "tryton")


def subject(name: str) -> Subject:
    """The subject of one of our connectors."""
    make: Callable[[], Subject] = import_module(f"mainstay.proof.drivers.{name}").subject
    return make()
