"""What would follow if a message were taken now: the same code over the same state, and nothing is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import msgspec

from mainstay.flows import journey, queue
from mainstay.flows.ask import Desk
from mainstay.flows.clerk import Clerk, LetterRequest
from mainstay.flows.intake import Intake
from mainstay.flows.mend import Mend
from mainstay.flows.replay import Raw, as_repaired, replay
from mainstay.flows.resend import tell_anew
from mainstay.flows.shop import Shop
from mainstay.flows.span import HOWS, UNCHANGED, Span, Stage, meant, numbers
from mainstay.flows.statements import Statement
from mainstay.flows.world import World
from mainstay.model.commands import AnyCommand
from mainstay.model.failures import Reject
from mainstay.model.times import iso
from mainstay.storage.inbox import Receipt
from mainstay.storage.packing import unpack
from mainstay.storage.receipts import between
from mainstay.storage.rehearsed import Rehearsed

_command = msgspec.json.Decoder(AnyCommand).decode


def rehearsal(store: Rehearsed, shop: Shop) -> Intake:
    """The core's work, on a store that keeps nothing: what an order has reserved is its own here, too."""
    intake = Intake(World(store), shop)
    Desk(intake)
    return intake


def repairs(store: Rehearsed, shop: Shop, raw: Raw, letters: Sequence[int], to: Mend, at: int) -> dict[str, Any]:
    """Why each letter is one, what its message says, and how its repair would end; then what would follow from all of them, one after the
    other."""
    clerk = Clerk(rehearsal(store, shop), raw)
    told = [_repaired(clerk, number, to, at) for number in letters]
    return {"letters": told, **consequences(store, clerk.world, at)}


def replays(store: Rehearsed, shop: Shop, raw: Raw, span: Span, stage: Stage, at: int) -> dict[str, Any]:
    """How many messages, statements or effects of the span would end how (`ended`), which would differ, and what would follow. What people
    have repaired is read as they said. Raises Reject where there are too many of them."""
    intake, asked, repaired = rehearsal(store, shop), Receipt(0, at, "mainstay", "timer/job", "", b""), queue.repaired(store)
    ended: Counter[str] = Counter(dict.fromkeys(HOWS[stage], 0))
    differ = []
    for number, old in _past(store, span, stage):
        how, detail = replay(intake, stage, number, asked, as_repaired(partial(_at_hand, old, raw), repaired))
        ended[how] += 1
        if how not in UNCHANGED:
            of = {"at": iso(old.at), "system": old.system, "topic": old.topic} if old else {}
            differ.append({stage: number, **of, "how": how, "detail": detail})
    if stage == "effect":
        tell_anew(intake, msgspec.to_builtins(span))
    return {"ended": dict(ended), "differ": differ, **consequences(store, intake.world, at)}


def _past(store: Rehearsed, span: Span, stage: Stage) -> Iterator[tuple[int, Receipt | None]]:
    """The numbers of what is meant, with the messages themselves."""
    if stage == "receipt":
        yield from ((one.seq, one) for one in meant(span, between(store.path.parent, span.from_us(), span.until_us())))
    else:
        yield from ((number, None) for number in numbers(store, span, stage))


def _at_hand(old: Receipt | None, raw: Raw, source: str, number: int) -> Receipt | None:
    """The message that was just read is not looked for once more."""
    return old if old is not None and old.seq == number else raw(source, number)


def _repaired(clerk: Clerk, number: int, to: Mend, at: int) -> dict[str, Any]:
    """One letter's turn: as in a job, and what it would change and send by itself."""
    batch = clerk.world.batch
    said, rows, sent = _read(clerk, number, to, at), len(batch.events), len(batch.intents)
    asked = Receipt(0, at, "mainstay", "operator/job", "", b"")
    _, done, ended = clerk.turn(number, partial(clerk.mend, to=to, asked=0, receipt=asked, told=LetterRequest()), asked)
    orders = dict.fromkeys(entity for _, _, kind, entity, *_ in batch.events[rows:] if kind == "order")
    return {
        "letter": number, **said, "done": done, "ended": ended, "changes": [clerk.world.orders[order].uid for order in orders],
        "sends": [f"{type(_command(unpack(row[-1]))).__name__} to {row[2]}" for row in batch.intents[sent:]],
    }  # fmt: skip


def _read(clerk: Clerk, number: int, to: Mend, at: int) -> dict[str, Any]:
    """Why an open letter is one, or why its message cannot be read now; what that says as it came, and as it should have been, both with
    today's mapping. Nothing where nobody can tell."""
    letter = clerk.find(number)
    if letter is None:
        return {"refused_before": "", "said_before": [], "says": []}
    parked = letter.state

    def read(kept: Callable[[bytes | None], bytes | None]) -> Any:
        try:
            came = clerk.raw(parked.system, parked.receipt)
            body = kept(came.body if came is not None else None)
        except Reject as why:
            return why
        return clerk.intake.translate(Receipt(parked.receipt, at, parked.system, parked.topic, parked.key, body)) if body else []

    before, after = read(lambda came: came), read(to)
    why = before if isinstance(before, Reject) else parked
    return {"refused_before": f"{why.code}: {why.why}", "said_before": _documents(before), "says": _documents(after)}


def _documents(said: list[Statement] | Any) -> list[dict[str, Any]]:
    """Statements in canonical words."""
    return [msgspec.to_builtins(one.said) for one in said] if isinstance(said, list) else []


def consequences(store: Rehearsed, world: World, at: int) -> dict[str, Any]:
    """What a rehearsal that ends here would have changed and told: orders before and after, commands to systems, levels, dead letters,
    proposals."""
    orders = {number: world.orders[number] for number in world.changed_orders}
    world.commit(at)
    commands = [_command(unpack(row[-1])) for batch in store.batches for row in batch.intents]
    owners = [row[2] for batch in store.batches for row in batch.intents]
    return {
        "orders": [changes(journey.order_before(store, number), journey.order_shown(held)) for number, held in orders.items()],
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
