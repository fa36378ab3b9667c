"""What channels are told of stock: computed from the newest committed rows, just before it is said."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from mainstay.flows.world import level_of
from mainstay.model.commands import SetLevel
from mainstay.model.state import LOCATIONS_MAX, ItemState, Level
from mainstay.stock.view import ChannelPolicy, listed, serving
from mainstay.storage.state import State

_items = msgspec.json.Decoder(ItemState)


class Propagate:
    """Levels of items at channels, read from state.db: it decides by what the core committed. `by_sku`: systems that use our SKUs."""

    def __init__(self, state: State, policies: Mapping[str, ChannelPolicy], by_sku: Collection[str] = ()) -> None:
        self.state, self.policies, self.by_sku = state, policies, by_sku
        self._names: dict[int, tuple[str, dict[str, str]]] = {}  # item -> SKU and the ids that systems use

    def commands(self, channel: str, changes: Sequence[tuple[int, int]]) -> list[SetLevel | None]:
        """One SetLevel for each (item, revision); None where the channel does not list the item."""
        policy = self.policies[channel]
        shelves = served(self.state, policy, shelves_of(self.state, [item for item, _ in changes]))
        names = self._named([item for item, _ in changes], policy.system)
        commands: list[SetLevel | None] = []
        for item, revision in changes:
            sku, ids = names[item]
            known = sku if policy.system in self.by_sku else ids.get(policy.system)
            if known is None:
                commands.append(None)
                continue
            commands.append(
                SetLevel(
                    key=f"level.{channel}.{item}.{revision}",
                    sku=sku,
                    item=known,
                    quantity=listed(shelves[item], policy),
                    revision=revision,
                    location=policy.location,
                )  # fmt: skip
            )
        return commands

    def shown(self, channel: str, sku: str) -> int | None:
        """What a channel may show of a SKU; None where it does not list it."""
        item = dict(self.state.load("find_items", [sku])).get(sku)
        command = self.commands(channel, [(item, 0)])[0] if item is not None else None
        return command.quantity if command is not None else None

    def _named(self, items: Sequence[int], system: str) -> dict[int, tuple[str, dict[str, str]]]:
        missing = [item for item in items if item not in self._names or not (system in self.by_sku or system in self._names[item][1])]
        if missing:
            for item, body in self.state.load("load_items", missing):
                state = _items.decode(body)
                self._names[item] = (state.sku, state.ids)
        return {item: self._names[item] for item in items}


def shelves_of(state: State, items: Sequence[int]) -> dict[int, list[Level]]:
    """The stock rows of items, by item."""
    shelves: dict[int, list[Level]] = {item: [] for item in items}
    for row in state.load("load_stock", items):
        level = level_of(row)
        shelves[level.id // LOCATIONS_MAX].append(level)
    return shelves


def served(state: State, policy: ChannelPolicy, shelves: Mapping[int, list[Level]]) -> Mapping[int, list[Level]]:
    """Of these stock rows, those at the locations that serve the channel."""
    if not policy.locations:
        return shelves
    words = state.words()
    numbers = {words.get(f"location/{name}") for name in policy.locations}
    return {item: serving(levels, numbers) for item, levels in shelves.items()}
