"""What would follow if a message were taken now: the same code over the same state, and nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from mainstay.flows import journey
from mainstay.flows.intake import Intake
from mainstay.flows.shop import Shop
from mainstay.flows.statements import Statement
from mainstay.flows.world import World
from mainstay.model.commands import AnyCommand
from mainstay.model.events import Parked
from mainstay.model.failures import Reject
from mainstay.storage.inbox import Receipt
from mainstay.storage.packing import unpack
from mainstay.storage.rehearsed import Rehearsed

_command = msgspec.json.Decoder(AnyCommand).decode


def repair(store: Rehearsed, shop: Shop, parked: Parked, before: bytes | None, after: bytes, at: int) -> dict[str, Any]:
    """What a repaired message says, what it said before or why that could not be read, and what would follow from it. Raises Reject."""
    intake = Intake(World(store), shop)

    def read(body: bytes) -> Any:
        return intake.translate(Receipt(parked.receipt, at, parked.system, parked.topic, parked.key, body))

    old, new = read(before) if before is not None else [], read(after)
    if isinstance(new, Reject):
        raise new
    done = intake.again(Receipt(parked.receipt, at, parked.system, parked.topic, parked.key, after), park=False)
    said = {
        "said_before": [] if isinstance(old, Reject) else _documents(old),
        "refused_before": f"{old.code}: {old.why}" if isinstance(old, Reject) else "",
        "says": _documents(new),
        "ended": done.detail,
    }
    return {**said, **consequences(store, intake.world, at)}


def _documents(said: list[Statement]) -> list[dict[str, Any]]:
    """Statements in canonical words."""
    return [msgspec.to_builtins(one.said) for one in said]


def consequences(store: Rehearsed, world: World, at: int) -> dict[str, Any]:
    """What a rehearsal that ends here would have changed and told: orders before and after, commands to systems, levels, dead letters,
    proposals."""
    orders = {number: world.orders[number] for number in world.changed_orders}
    world.commit(at)
    commands = [_command(unpack(row[-1])) for batch in store.batches for row in batch.intents]
    owners = [row[2] for batch in store.batches for row in batch.intents]
    return {
        "orders": [changes(journey.order(store, number), journey.order_shown(held)) for number, held in orders.items()],
        "sends": [
            {"to": system, "command": type(command).__name__, **msgspec.to_builtins(command)}
            for system, command in zip(owners, commands, strict=True)
        ],
        "levels_told_anew": len({item for batch in store.batches for row in batch.level_changes for item in _items(store, row[-1])}),
        "dead_letters": [msgspec.json.decode(row[-1]) for batch in store.batches for row in batch.letters if row[2] == "open"],
        "proposals": [msgspec.json.decode(row[-1])["reason"] for batch in store.batches for row in batch.proposals],
    }


def _items(store: Rehearsed, told: bytes) -> list[int]:
    """The items of a change; where it names a system, all of them."""
    named: list[int] | str = msgspec.json.decode(told)
    return [item for (item,) in store.rows("all_items")] if isinstance(named, str) else named


def changes(before: dict[str, Any] | None, after: dict[str, Any]) -> dict[str, Any]:
    """An order's fields that differ: {"order": …, field: [before, after]}."""
    known = {"order": after["order"], **(before or {})}
    return {"order": after["order"], **{name: [known.get(name), value] for name, value in after.items() if known.get(name) != value}}


def edited(body: bytes, values: Sequence[tuple[str, str]]) -> bytes:
    """A JSON message with other values: each is named by the fields that lead to it, with dots between them ("line_items.0.sku").

    A value takes the type of what stood there; where nothing did, it is JSON, else text. Raises Reject where a path leads nowhere.
    """
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Reject(f"the message is not JSON ({error}); give it whole, with --file", "json_syntax") from None
    for path, text in values:
        *way, last = path.split(".")
        at = document
        try:
            for name in way:
                at = at[int(name) if isinstance(at, list) else name]
            key: Any = int(last) if isinstance(at, list) else last
            at[key] = _like(at.get(key) if isinstance(at, dict) else at[key], text)
        except (LookupError, TypeError, ValueError, AttributeError):
            raise Reject(f"the message has nothing at {path!r}; `mainstay deadletters show` shows it", "schema") from None
    return msgspec.json.encode(document)


def _like(old: Any, text: str) -> Any:
    if isinstance(old, str):
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
