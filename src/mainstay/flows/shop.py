"""What the flows must know of the landscape."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from mainstay.landscape import Admission
from mainstay.model.events import SettingsChanged
from mainstay.model.seen import Said
from mainstay.model.times import DAY
from mainstay.orders.policy import Policy

Translate = Callable[[str, bytes], list[Said]]


def nobody(owner: str) -> str:
    """Who stands above an owner: nobody is declared."""
    return ""


def unpriced(system: str, topic: str, body: bytes) -> tuple[int, str]:
    """What a message puts at risk, in minor units, and their currency: nobody can say."""
    return 0, ""


class Shop(Struct, frozen=True, kw_only=True):
    """The declared shop, ready for the hot path."""

    translate: Mapping[str, Translate]
    policy: Policy
    admission: Admission
    owner: Callable[[str, str, str], str]  # who answers for a failure: system, topic (empty: any), code
    worth: Callable[[str, str, bytes], tuple[int, str]] = unpriced  # what a message puts at risk: (system, topic, body)
    owners: frozenset[str] = frozenset()  # who is declared, and reached by alerts
    above: Callable[[str], str] = nobody  # to whom what an owner has is escalated; empty: nobody is declared
    split: bool = True
    payment_us: int = DAY
    early_us: int = DAY
    reservation_us: int = 900_000_000
    main: str = "main"
    behind: frozenset[str] = frozenset()  # counters that learn of shipments from us
    locations: Mapping[str, frozenset[str]] = {}  # the stock locations that serve a system's orders, where not all do
    since: Mapping[str, int] = {}  # when we began to look after a system's orders, where some were over before
    deaf: frozenset[tuple[str, str]] = frozenset()  # (system, topic) of deliveries that no flow brings by event

    def settings(self) -> SettingsChanged:
        """What of it folding needs."""
        return SettingsChanged(payment_us=self.payment_us, main=self.main, behind=tuple(sorted(self.behind)))
