"""What systems are told of stock and prices: computed from the newest committed rows, just before it is said."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from mainstay.catalog.view import price
from mainstay.flows.exposure import Exposure
from mainstay.flows.world import level_of
from mainstay.model.commands import SetLevel, SetPrice
from mainstay.model.state import LOCATIONS_MAX, ItemState, Level
from mainstay.stock.fold import free
from mainstay.stock.view import ChannelPolicy, listed, serving, unknown
from mainstay.storage.state import State

_items = msgspec.json.Decoder(ItemState)


class Propagate:
    """Levels of items at channels and prices at systems, read from state.db: it decides by what the core committed.

    `by_sku`: systems that use our SKUs. `pricing`: systems whose word on prices counts, the first of them first. `exposure`: what is
    measured, and so kept back; without it nothing is.
    """

    def __init__(
        self, state: State, policies: Mapping[str, ChannelPolicy], by_sku: Collection[str] = (), pricing: Sequence[str] = (),
        exposure: Exposure | None = None,
    ) -> None:  # fmt: skip
        self.exposure = exposure
        self.state, self.policies, self.by_sku, self.pricing = state, policies, by_sku, pricing
        self._names: dict[int, tuple[str, dict[str, str]]] = {}  # item -> SKU and the ids that systems use

    def levels(self, channel: str, changes: Sequence[tuple[int, int]]) -> list[SetLevel | None]:
        """One SetLevel for each (item, revision); None where the channel does not list the item, or nobody has counted it yet."""
        policy = self.policies[channel]
        whole = shelves_of(self.state, [item for item, _ in changes])
        shelves = served(self.state, policy, whole)
        names = self._named([item for item, _ in changes], policy.system)
        commands: list[SetLevel | None] = []
        for item, revision in changes:
            sku, ids = names[item]
            known = sku if policy.system in self.by_sku else ids.get(policy.system)
            if known is None or unknown(whole[item], policy):
                if self.exposure:
                    self.exposure.drop(channel, item)
                commands.append(None)
                continue
            kept, moment = None, ""
            if self.exposure:
                self.exposure.seen(item, whole[item])
                sellers = [name for name, one in self.policies.items() if one.system in self.by_sku or one.system in ids]
                kept = self.exposure.kept(channel, item, sum(map(free, shelves[item])), sellers)
                moment = f".{self.exposure.clock()}"  # told anew without a change, it may be another number: never under the same key
            commands.append(
                SetLevel(
                    key=f"level.{channel}.{item}.{revision}{moment}",
                    sku=sku,
                    item=known,
                    quantity=listed(shelves[item], policy, kept),
                    revision=revision,
                    location=policy.location,
                )  # fmt: skip
            )
        return commands

    def shown(self, channel: str, sku: str) -> int | None:
        """What a channel may show of a SKU; None where it does not list it."""
        item = dict(self.state.load("find_items", [sku])).get(sku)
        command = self.levels(channel, [(item, 0)])[0] if item is not None else None
        return command.quantity if command is not None else None

    def prices(self, system: str, changes: Sequence[tuple[int, int]]) -> list[SetPrice | None]:
        """One SetPrice for each (item, revision); None where the system does not list the item, or nobody else says what it costs."""
        items = {number: _items.decode(body) for number, body in self.state.load("load_items", [item for item, _ in changes])}
        commands: list[SetPrice | None] = []
        for item, revision in changes:
            state = items[item]
            known = state.sku if system in self.by_sku else state.ids.get(system)
            said = price(state, self.pricing)
            if known is None or said is None or said[0] == system:
                commands.append(None)
                continue
            key = f"price.{system}.{item}.{revision}"
            commands.append(SetPrice(key=key, sku=state.sku, item=known, price=said[1], currency=said[2], revision=revision))
        return commands

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


def places(state: State) -> dict[int, str]:
    """The names of the stock locations, by number."""
    return {number: text.removeprefix("location/") for text, number in state.words().items() if text.startswith("location/")}
