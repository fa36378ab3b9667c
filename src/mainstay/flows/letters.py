"""What could not be taken over: dead letters with a cause, an owner and a next action, and proposals of those who may not decide."""

from __future__ import annotations

import traceback
from typing import Any

from mainstay.catalog.fold import names_in
from mainstay.customers.words import cleaned
from mainstay.flows.apply import Apply
from mainstay.flows.shop import Shop
from mainstay.model.events import LetterClosed, LetterPassed, LetterTried, Parked, Proposed
from mainstay.model.failures import Reject
from mainstay.model.outcome import TOPIC, Outcome
from mainstay.storage.inbox import Receipt


def bug_of(bug: Exception) -> Reject:
    """Which bug, and where. Not its text, which may quote the message: the message is kept, and can be translated again."""
    place = traceback.extract_tb(bug.__traceback__)[-1]
    return Reject(f"{type(bug).__name__} in {place.name} ({place.filename.rpartition('/')[2]}, line {place.lineno})", "bug")


NOTED = ("not_business", "not_declared")  # why a message is kept, and needs nobody


class Letters:
    """Writes dead letters and proposals."""

    def __init__(self, apply: Apply, shop: Shop) -> None:
        self.world, self.apply, self.shop = apply.world, apply, shop

    def refuse(self, receipt: Receipt, why: Reject, *, asked: bool) -> str:
        """Answer or keep a receipt that cannot be taken; how it ended. `asked`: somebody waits for the answer."""
        if asked:
            status = {"not_found": 404, "bug": 500}.get(why.code, 422)
            self.world.answers.append((receipt.seq, status, {"code": why.code, "detail": cleaned(why.why)}))
        if why.code in NOTED:
            return "noted"
        if asked and why.code != "bug":
            return "refused"
        self.park(receipt, why)
        return "parked"

    def park(self, receipt: Receipt, why: Reject) -> None:
        """A message became a dead letter."""
        amount, currency = self.shop.worth(receipt.system, receipt.topic, receipt.body)
        self._write(receipt.at, Parked(
            system=receipt.system, topic=receipt.topic, code=why.code, why=cleaned(why.why),
            owner=self.shop.owner(receipt.system, receipt.topic, why.code), receipt=receipt.seq, key=receipt.key,
            amount=amount, currency=currency,
        ))  # fmt: skip

    def rejected(self, receipt: Receipt, outcome: Outcome, about: int) -> None:
        """An effect was refused by the system that was asked for it, of the order `about`; no text of `outcome` tells of a person. One that
        a dead letter's retry asked for is that letter still: whosever it is, and since when."""
        code = outcome.code or "rejected"
        owner = self.shop.owner(outcome.system, "", code)
        amount, currency = self._hangs_on(about, outcome.key)
        if letter := self._retried(about, outcome.key):
            tried = LetterTried(code=code, why=outcome.why, owner=owner, key=outcome.key, receipt=receipt.seq, amount=amount)
            self.note(letter, tried, receipt.at)
            return
        self._write(receipt.at, Parked(
            system=outcome.system, topic=TOPIC, code=code, why=outcome.why, owner=owner,
            receipt=receipt.seq, key=outcome.key, about=about, amount=amount, currency=currency,
        ))  # fmt: skip

    def _retried(self, about: int, key: str) -> int:
        """The dead letter that an effect was asked for again by; 0 where there is none."""
        state = self.world.orders.get(about)
        effect = state.effects.get(key) if state is not None else None
        return effect.letter if effect is not None else 0

    def note(self, number: int, event: LetterClosed | LetterPassed | LetterTried, at: int) -> None:
        """What became of an open letter."""
        self.apply.to_letter(number, event, at)
        self.world.log(at, "letter", number, [event])

    def _hangs_on(self, about: int, key: str) -> tuple[int, str]:
        """The money that an effect moves, or the total of the order that waits for it."""
        state = self.world.orders.get(about)
        if state is None or state.order is None:
            return 0, ""
        effect = state.effects.get(key)
        return (effect.amount if effect and effect.amount else state.order.total), state.order.currency

    def _write(self, at: int, parked: Parked) -> None:
        number = self.world.number("entity")
        self.apply.to_letter(number, parked, at)
        self.world.log(at, "letter", number, [parked])

    def propose(self, receipt: Receipt, said: Any, *reasons: str) -> None:
        """Keep what a non-owner said, visibly and without effect; what it calls a SKU is no claim, and is learnt."""
        world = self.world
        number = world.number("entity")
        event = Proposed(system=receipt.system, said=said, reason="; ".join(reasons), receipt=receipt.seq)
        self.apply.to_proposal(number, event, receipt.at)
        world.log(receipt.at, "proposal", number, [event])
        for sku, name in names_in(said):
            item = world.item(sku, receipt.at)
            world.load_items((item,))
            world.load_stock((item,))
            if world.items[item].ids.get(receipt.system) != name:
                self.apply.to_item(item, event, receipt.at)
                world.log(receipt.at, "item", item, [event])
