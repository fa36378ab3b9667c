"""What connectors can do, as plain data: `app` makes an Offer of each manifest, so that a landscape can be checked against it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from mainstay.landscape.declared import OBJECTS, Latency, Pattern

TELLS: Mapping[str, tuple[str, str]] = {  # command -> the object and field group that its receiver is told of
    "ReleaseOrder": ("order", "lines"),
    "CancelRelease": ("order", "lines"),
    "CancelOrder": ("order", "status"),
    "PostSale": ("order", "header"),
    "CapturePayment": ("payment", "amounts"),
    "VoidPayment": ("payment", "amounts"),
    "RefundPayment": ("refund", "all"),
    "ConfirmFulfilment": ("fulfilment", "all"),
    "SetLevel": ("inventory", "listing"),
    "SetPrice": ("price", "all"),
}
ANSWERS = frozenset({"CancelOrder"})  # told to the system that the order came from, which no flow has as its target


class Setting(Struct, frozen=True):
    """One setting of a connector; `schema` is the JSON Schema of its value."""

    name: str
    required: bool = False
    secret: bool = False
    schema: Mapping[str, Any] = {}


class Offer(Struct, frozen=True, kw_only=True):
    """What one connector can do. `brings` and `takes` name objects; `latency` is the fastest need that it can meet."""

    connector: str
    title: str
    brings: Mapping[Pattern, frozenset[str]] = {}
    commands: frozenset[str] = frozenset()
    takes: frozenset[str] = frozenset()  # objects that it is told of without a command: it reads our API
    settings: tuple[Setting, ...] = ()
    signs: bool = False
    asks: bool = False  # it can reserve before it sells
    latency: Latency = "real-time"

    def patterns(self, obj: str) -> list[Pattern]:
        """How this object can come in, in the order in which the connector prefers it."""
        return [pattern for pattern, objects in self.brings.items() if obj in objects]

    def told(self) -> frozenset[str]:
        """Objects that it can be told of."""
        return self.takes | objects_of(self.commands)


def objects_of(commands: Iterable[str]) -> frozenset[str]:
    """The objects that these commands tell of."""
    return frozenset(TELLS[command][0] for command in commands if command in TELLS)


# A channel of the shop's own that calls POST /v1 and reads what it needs: a till, a web shop, a customer service desk.
OWN_API = Offer(
    connector="api", title="Your own system, calling Mainstay's API", brings={"direct": frozenset(OBJECTS)},
    takes=frozenset(OBJECTS), signs=True, asks=True, latency="checkout-blocking",
    settings=(Setting("token", secret=True, schema={"type": "string", "description": "Bearer token that it calls with."}),),
)  # fmt: skip
