"""What a rule of the check sees: the landscape, what the connectors offer, and a way to say where something is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

from mainstay.landscape.declared import Landscape, Rule
from mainstay.landscape.findings import Finding, KeyPath
from mainstay.landscape.offers import TELLS, Offer
from mainstay.landscape.traffic import Traffic


class Survey(Struct, frozen=True):
    """The material of a check. `secrets` gives the secret that a reference (env:NAME, file:PATH) leads to, or nothing; `folders` says
    whether a folder is there."""

    shop: Landscape
    offers: Mapping[str, Offer]
    secrets: Callable[[str], object]
    locate: Callable[[KeyPath], int]
    file: str
    folders: Callable[[str], bool]

    def finding(self, code: str, path: KeyPath, wrong: str, instead: str) -> Finding:
        return Finding(code, self.file, self.locate(path), wrong, instead)

    def offer(self, system: str) -> Offer | None:
        """What the system's connector can do; None for Mainstay itself and for names that are not known."""
        declared = self.shop.systems.get(system)
        return self.offers.get(declared.connector) if declared else None

    def asked(self) -> Iterator[tuple[str, str, bool]]:
        """Every (system, command) that could be asked, and whether it is: whether a flow goes there."""
        traffic = Traffic(self.shop)
        for system in self.shop.systems:
            offer = self.offer(system)
            for command in sorted(offer.commands) if offer else ():
                if command in TELLS:
                    yield system, command, traffic.told(system, command)

    def rules(self) -> Iterator[tuple[str, str, Rule]]:
        """Every declared (object, group, rule)."""
        for obj, groups in self.shop.ownership.items():
            for group, rule in groups.items():
                yield obj, group, rule


Findings = Iterator[Finding]


def listed(names: tuple[str, ...] | list[str]) -> str:
    """A TOML array of names."""
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"
