"""Who may say what: decided from the declared ownership with dictionary look-ups, for every statement that comes in."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Literal, NamedTuple

from msgspec import Struct

from mainstay.landscape.declared import MAINSTAY, OBJECTS, Landscape, Rule
from mainstay.model.seen import ProductSeen, SeenEvent, StockCounted

Verb = Literal["create", "update", "consume"]
Fields = tuple[str, str]  # (object, field group)

EVERY = "all"  # a rule under this name serves every group of the object that has none of its own
GROUPS: Mapping[str, tuple[str, ...]] = dict.fromkeys(OBJECTS, (EVERY,)) | {
    "product": ("details", "variants"),
    "inventory": ("on_hand", "available", "listing"),
    "customer": ("identity", "marketing"),
    "order": ("header", "lines", "status", "invoice"),
    "payment": ("amounts", "dispute"),
    "settlement": ("lines", "payouts"),
}
# One truth for the whole shop, told by several: here two owners, echoes and loops do harm.
# All other objects are documents: each belongs to the system that made it.
SHARED = frozenset({"product", "category", "price", "promotion", "inventory", "customer", "company", "address", "loyalty", "content"})

_SPEAKS: Mapping[str, tuple[Fields, ...]] = {
    "OrderSeen": (("order", "header"), ("order", "lines"), ("order", "status")),
    "PaymentSeen": (("payment", "amounts"),),
    "RefundSeen": (("refund", EVERY),),
    "FulfilmentSeen": (("fulfilment", EVERY),),
    "ReturnSeen": (("return", EVERY),),
    "DisputeSeen": (("payment", "dispute"),),
    "StockCounted on_hand": (("inventory", "on_hand"),),
    "StockCounted available": (("inventory", "available"),),
    **dict.fromkeys(("StockCounted damaged", "StockCounted safety", "StockCounted in_transit"), (("inventory", "on_hand"),)),
    "StockMoved": (("inventory", "on_hand"),),
    "ProductSeen": (("product", "details"), ("product", "variants")),
    "ProductSeen priced": (("product", "details"), ("product", "variants"), ("price", EVERY)),
    "PriceSeen": (("price", EVERY),),
    "CustomerSeen": (("customer", "identity"), ("customer", "marketing")),
    "InvoiceSeen": (("order", "invoice"),),
    "SettlementLineSeen": (("settlement", "lines"),),
    "PayoutSeen": (("settlement", "payouts"),),
    "TaxQuoted": (("tax", EVERY),),
    "Hint": (),
}


_VERBS: Mapping[bool | None, tuple[Verb, ...]] = {True: ("create",), False: ("update",), None: ("create", "update")}


class Admitted(Struct, frozen=True):
    """The statement counts, for these parts; what it says of `proposed` is only kept and shown, with the reason."""

    parts: frozenset[Fields]
    proposed: frozenset[Fields] = frozenset()
    reason: str = ""


class Proposal(Struct, frozen=True):
    """Nothing of the statement counts: it is kept and shown, with the reason."""

    reason: str


class Claim(NamedTuple):
    """Who said something last: the system, its own version of the object, and when (UTC microseconds)."""

    system: str
    version: int
    at: int


def speaks(event: SeenEvent) -> str:
    """Which entry of the table says what the event speaks of."""
    name = type(event).__name__
    if isinstance(event, StockCounted):
        return f"{name} {event.measure}"
    if isinstance(event, ProductSeen) and any(variant.price is not None for variant in event.variants):
        return f"{name} priced"
    return name


def newer(known_version: int, version: int) -> bool:
    """Does a statement of the same speaker count after the one that we know? Version 0: it keeps no clock, so the last word counts."""
    return version == 0 or version > known_version


class Admission:
    """The ownership table, ready for the hot path. What it does not mention is nobody's: a proposal."""

    def __init__(self, landscape: Landscape) -> None:
        self._rules = {(obj, group): rule for obj, groups in GROUPS.items() for group in groups if (rule := _rule(landscape, obj, group))}
        self._may: set[tuple[str, str, str, Verb]] = set()
        for (obj, group), rule in self._rules.items():
            verbs: tuple[tuple[Verb, tuple[str, ...]], ...]
            verbs = (("create", rule.creators()), ("update", rule.updaters()), ("consume", rule.consume))
            self._may |= {(system, obj, group, verb) for verb, systems in verbs for system in systems}
        self._answers = {
            (system, kind, new): self._judged(system, kind, verbs)
            for system, kind, (new, verbs) in product([*landscape.systems, MAINSTAY], _SPEAKS, _VERBS.items())
        }
        self.contested = frozenset(fields for fields, rule in self._rules.items() if fields[0] in SHARED and len(set(rule.updaters())) > 1)

    def may(self, system: str, obj: str, group: str, verb: Verb) -> bool:
        """May the system create, update, or be told of these fields?"""
        return (system, obj, group, verb) in self._may

    def admit(self, system: str, event: SeenEvent, new: bool | None) -> Admitted | Proposal:
        """What of this statement counts. `new`: we do not know the object yet; None: its kind is never both, made and changed."""
        answer = self._answers.get((system, speaks(event), new))
        return answer or Proposal(f'"{system}" is not a system of this shop')

    def owners(self, obj: str, group: str) -> tuple[str, ...]:
        """Systems whose word changes these fields, the first of them first."""
        return self._rules.get((obj, group), Rule()).updaters()

    def winner(self, obj: str, group: str, known: Claim, said: Claim) -> Claim:
        """Which of two claims to the same fields counts. Equal claims: the known one, so that a repeat changes nothing."""
        if known.system == said.system:
            return said if newer(known.version, said.version) else known
        rule = self._rules.get((obj, group), Rule())
        if rule.conflict == "newest-wins":
            return said if said.at > known.at else known
        return min(known, said, key=lambda claim: _rank(rule.updaters(), claim.system))

    def _judged(self, system: str, kind: str, verbs: tuple[Verb, ...]) -> Admitted | Proposal:
        parts = frozenset(_SPEAKS[kind])
        allowed = frozenset(part for part in parts if any(self.may(system, *part, verb) for verb in verbs))
        if allowed == parts:
            return Admitted(allowed)
        fields = ", ".join(".".join(part) for part in sorted(parts - allowed))
        reason = f'"{system}" may not {" or ".join(verbs)} {fields}; see [ownership] in mainstay.toml'
        return Admitted(allowed, parts - allowed, reason) if allowed else Proposal(reason)


def _rule(landscape: Landscape, obj: str, group: str) -> Rule | None:
    rules = landscape.ownership.get(obj, {})
    return rules.get(group) or rules.get(EVERY)


def _rank(systems: tuple[str, ...], system: str) -> int:
    return systems.index(system) if system in systems else len(systems)
