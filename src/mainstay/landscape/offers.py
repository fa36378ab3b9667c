"""What connectors can do, as plain data: `app` makes an Offer of each manifest, so that a landscape can be checked against it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from mainstay.landscape.declared import OBJECTS, PLACEHOLDER, Latency, Pattern
from mainstay.model.secrets import Secret

TELLS: Mapping[str, tuple[str, str]] = {  # command -> the object and field group that its receiver is told of
    "ReleaseOrder": ("order", "lines"),
    "CancelRelease": ("order", "lines"),
    "CancelOrder": ("order", "status"),
    "PostSale": ("order", "header"),
    "PostReturn": ("order", "header"),
    "CapturePayment": ("payment", "amounts"),
    "VoidPayment": ("payment", "amounts"),
    "RefundPayment": ("refund", "all"),
    "ConfirmFulfilment": ("fulfilment", "all"),
    "SetLevel": ("inventory", "listing"),
    "SetPrice": ("price", "all"),
}
ANSWERS = frozenset({"CancelOrder"})  # told to the system that the order came from, which no flow has as its target


EMPTY: Mapping[str, Any] = {"integer": 1, "number": 1.0, "boolean": False, "array": [], "object": {}}  # by JSON type


class Setting(Struct, frozen=True):
    """One setting as its connector declares it: `kind` is the type of its value, with description, examples and limits."""

    name: str
    kind: Any = str
    required: bool = False

    @property
    def secret(self) -> bool:
        """Is it a secret, or does it hold some?"""
        return self._described()[1]

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of what the file holds; a secret stands there as its reference."""
        return self._described()[0]

    @property
    def example(self) -> Any:
        """A value that fits: one of the words, a documented example, the least allowed, or just one of its type."""
        schema = self.schema
        schema = next(iter(schema.get("anyOf", [])), schema)
        kind = schema.get("type", "string")
        known = [*schema.get("enum", ()), *schema.get("examples", ()), *([schema["minimum"]] if "minimum" in schema else ())]
        if self.secret:
            return ["env:NAME"] if kind == "array" else "env:NAME"
        return next(iter(known), EMPTY.get(kind, PLACEHOLDER))

    def _described(self) -> tuple[dict[str, Any], bool]:
        hidden = []

        def referred(kind: type) -> dict[str, Any]:
            if kind is not Secret:
                raise NotImplementedError(f"no setting can be a {kind}")
            hidden.append(kind)
            return {"type": "string", "pattern": "^(env|file):.", "description": "By reference: env:NAME or file:PATH."}

        return msgspec.json.schema(self.kind, schema_hook=referred), bool(hidden)


class Offer(Struct, frozen=True, kw_only=True):
    """What one connector can do. `brings` and `takes` name objects; `latency` is the fastest need that it can meet."""

    connector: str
    title: str
    brings: Mapping[Pattern, frozenset[str]] = {}
    feeds: tuple[frozenset[str], ...] = ()  # the objects of each of its feeds
    commands: frozenset[str] = frozenset()
    takes: frozenset[str] = frozenset()  # objects that it is told of without a command: it reads our API
    settings: tuple[Setting, ...] = ()
    signs: bool = False
    asks: bool = False  # it can reserve before it sells
    latency: Latency = "real-time"

    def patterns(self, obj: str) -> list[Pattern]:
        """How this object can come in, in the order in which the connector prefers it. What can be polled can be read at times of day."""
        ways = [pattern for pattern, objects in self.brings.items() if obj in objects]
        return [*ways, "schedule"] if "poll" in ways else ways

    def told(self) -> frozenset[str]:
        """Objects that it can be told of."""
        return self.takes | objects_of(self.commands)


def objects_of(commands: Iterable[str]) -> frozenset[str]:
    """The objects that these commands tell of."""
    return frozenset(TELLS[command][0] for command in commands if command in TELLS)


# A system of the shop's own that speaks our words, by POST /v1 or in files, and reads what it needs: a till, a web shop, a nightly export.
OWN_API = Offer(
    connector="api", title="Your own system, calling Mainstay's API", brings={"direct": frozenset(OBJECTS), "file": frozenset(OBJECTS)},
    takes=frozenset(OBJECTS), signs=True, asks=True, latency="checkout-blocking",
    settings=(Setting("token", Annotated[Secret, Meta(description="Bearer token that it calls with.")]),),
)  # fmt: skip
