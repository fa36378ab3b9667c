"""Statements that come before what they speak of: kept until it arrives, escalated when they wait too long."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from mainstay.flows import queue
from mainstay.flows.apply import Apply
from mainstay.flows.letters import Letters
from mainstay.flows.shop import Shop
from mainstay.flows.statements import Statement, statement
from mainstay.model.events import Early, EarlyEnded, LetterClosed
from mainstay.model.failures import Reject
from mainstay.model.seen import PaymentSeen
from mainstay.storage.inbox import Receipt
from mainstay.storage.state import Batch, Key

_encode = msgspec.json.Encoder().encode
_early = msgspec.json.Decoder(Early)


class Waiting:
    """Keeps early statements."""

    def __init__(self, apply: Apply, shop: Shop, letters: Letters) -> None:
        self.world, self.apply, self.shop, self.letters = apply.world, apply, shop, letters
        self._late: tuple[Batch, dict[int, int]] | None = None  # the letters of those that waited too long, by receipt, as of a batch

    def keep(self, one: Statement) -> None:
        """Keep a statement until its order arrives."""
        world, receipt = self.world, one.receipt
        space, ext = one.keys[-1] if len(one.keys) > 1 and type(one.said) is not PaymentSeen else one.keys[0]
        if any(_early.decode(body).receipt == receipt.seq for _, body in world.waiting.get((space, ext), ())):
            return  # a person has tried its letter again
        n = world.number("early")
        early = Early(
            system=receipt.system, topic=receipt.topic, key=receipt.key, receipt=receipt.seq, space=space, ext=ext,
            due=receipt.at + self.shop.early_us, said=one.said,
        )  # fmt: skip
        self.apply.to_early(n, early, receipt.at)
        world.log(receipt.at, "early", n, [early])
        world.waiting.setdefault((space, ext), []).append((n, _encode(early)))

    def come(self, keys: list[Key]) -> Iterator[Statement]:
        """What they waited for is here: the statements that came before it, in their order. Each has ended its wait when it is given."""
        world = self.world
        for n, body in sorted({one for key in keys for one in world.waiting.pop(key, ())}):
            early = _early.decode(body)
            receipt = Receipt(early.receipt, early.due - self.shop.early_us, early.system, early.topic, early.key, b"")
            self.apply.to_early(n, EarlyEnded(), receipt.at)
            world.log(receipt.at, "early", n, [EarlyEnded()])
            self._arrived(early.receipt, receipt.at)
            yield statement(world, receipt, early.said, None)

    def _arrived(self, receipt: int, at: int) -> None:
        """Whoever looks after a statement that waited too long need not any more."""
        if self._late is None or self._late[0] is not self.world.batch:
            late = queue.wanted(self.world.store, queue.Wanted(code="early"))
            self._late = self.world.batch, {letter.state.receipt: letter.id for letter in late}
        if (number := self._late[1].pop(receipt, None)) is not None:
            self.letters.note(number, LetterClosed(how="arrived"), at)

    def overdue(self, receipt: Receipt, n: int) -> None:
        """A statement has waited too long: a person looks at it."""
        found = self.world.store.rows("one_early", (n,))
        if not found:
            return
        early = _early.decode(found[0][0])
        late = Reject("what it speaks of has not arrived within the time that such statements wait", "early")
        self.letters.park(Receipt(early.receipt, receipt.at, early.system, early.topic, early.key, b""), late)
