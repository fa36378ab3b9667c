"""What a rule of the check sees: the landscape, what the connectors offer, what is on the disk, and a way to say where it is wrong."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Literal, NamedTuple

from msgspec import Struct

from mainstay.landscape.declared import MAINSTAY, Landscape, Rule
from mainstay.landscape.findings import Finding, KeyPath
from mainstay.landscape.offers import TELLS, Offer
from mainstay.landscape.traffic import Traffic


class Spot(NamedTuple):
    """Where a path leads that the file names: the parts of the whole path, links followed, and what is there; "": nothing."""

    path: tuple[str, ...]
    kind: Literal["folder", "file", "other", ""]

    def within(self, folder: tuple[str, ...]) -> bool:
        """Is it that folder, or in it?"""
        return self.path[: len(folder)] == folder


def somewhere(name: str) -> Spot:
    """A disk on which everything is there: for a text that stands in no folder."""
    path = posixpath.normpath(posixpath.join("/shop", name))
    return Spot(tuple(path.split("/")[1:]), "file" if name.endswith((".md", ".html")) else "folder")


class Survey(Struct, frozen=True):
    """The material of a check. `secrets` gives the secret that a reference (env:NAME, file:PATH) leads to, or nothing; `look` says what is
    at a path, relative to the file."""

    shop: Landscape
    offers: Mapping[str, Offer]
    secrets: Callable[[str], object]
    locate: Callable[[KeyPath], int]
    file: str
    look: Callable[[str], Spot]

    def finding(self, code: str, path: KeyPath, wrong: str, instead: str) -> Finding:
        return Finding(code, self.file, self.locate(path), wrong, instead)

    def offer(self, system: str) -> Offer | None:
        """What the system's connector can do; None for Mainstay itself and for names that are not known."""
        declared = self.shop.systems.get(system)
        return self.offers.get(declared.connector) if declared else None

    def references(self) -> list[tuple[KeyPath, str, bool]]:
        """Every (path, system name, may it be mainstay) that the landscape mentions."""
        found: list[tuple[KeyPath, str, bool]] = []
        for name, channel in self.shop.channels.items():
            found.append((("channels", name, "system"), channel.system, False))
        for name, flow in self.shop.flows.items():
            found.append((("flows", name, "source"), flow.source, True))
            found += [(("flows", name, "targets", n), target, True) for n, target in enumerate(flow.targets)]
        for obj, group, rule in self.rules():
            for verb, systems in (("create", rule.create), ("update", rule.update), ("consume", rule.consume)):
                found += [(("ownership", obj, group, verb, n), system, True) for n, system in enumerate(systems)]
        return found

    def known(self, system: str) -> bool:
        """Is it a system of this shop, or Mainstay itself? Of one that is not, that alone is said: all else would follow from it."""
        return system == MAINSTAY or system in self.shop.systems

    def meant(self) -> frozenset[str]:
        """The systems that a name was likely meant to be which is not known: what they lack follows from the mistake."""
        unknown = {name for _, name, _ in self.references() if not self.known(name)}
        return frozenset(near for name in unknown for near in get_close_matches(name, sorted(self.shop.systems), n=1))

    def asked(self) -> Iterator[tuple[str, str, bool]]:
        """Every (system, command) that could be asked, and whether it is: whether a flow goes there."""
        traffic, meant = Traffic(self.shop), self.meant()
        for system in self.shop.systems:
            offer = self.offer(system)
            for command in sorted(offer.commands) if offer else ():
                if command in TELLS:
                    yield system, command, system in meant or traffic.told(system, command)

    def rules(self) -> Iterator[tuple[str, str, Rule]]:
        """Every declared (object, group, rule)."""
        for obj, groups in self.shop.ownership.items():
            for group, rule in groups.items():
                yield obj, group, rule


Findings = Iterator[Finding]


def listed(names: tuple[str, ...] | list[str]) -> str:
    """A TOML array of names."""
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"
