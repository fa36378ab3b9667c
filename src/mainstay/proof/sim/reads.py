"""What people are shown, against a model made from the outside systems' own books: every order, every number that others know it by,
every SKU, the balances, the state of things. A right store that is read wrongly is wrong. `COMPARED` says of each view with what.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from mainstay.proof.history import ASKS_FIRST
from mainstay.proof.play import Cast, Counters
from mainstay.proof.sim.reads_books import unlike_books
from mainstay.proof.sim.reads_items import of_item, of_proposal
from mainstay.proof.sim.reads_orders import of_order
from mainstay.proof.sim.reads_trace import numbers, of_journey
from mainstay.proof.sim.reads_waits import of_waiting
from mainstay.proof.truth import Placed, order_of_release, placed
from mainstay.stock.view import ChannelPolicy

Ask = Callable[[str], Awaitable[tuple[int, Any]]]  # path -> (status, answer), asked as an operator
LETTERS_MAX = 200  # shown at once
AT_THE_END, MEANWHILE, BESIDE = "at the end of histories", "in the middle of histories", "beside histories"
COMPARED: Mapping[str, tuple[str, str]] = {  # every GET -> when, and with what
    "/v1/orders/{id}": (AT_THE_END, "the books of its channel, the provider, the warehouse and the ERP: reads_orders, reads_waits"),
    "/v1/trace/{id}": (AT_THE_END, "every number that an order has outside, what happened there, and the order by itself: reads_trace"),
    "/v1/stock/{sku}": (AT_THE_END, "the ERP's shelf, what each channel shows, names and prices in their books: reads_items"),
    "/v1/status": (AT_THE_END, "orders and letters one by one, balances by the books (reads_books), receipts that were taken (views)"),
    "/v1/deadletters": (AT_THE_END, "effects that are shown to have failed; in the middle of histories with their causes: views"),
    "/v1/deadletters/{id}": (AT_THE_END, "the list"),
    "/v1/proposals": (AT_THE_END, "how many there are, and what their systems have: reads_items"),
    "/v1/pauses": (MEANWHILE, "what an operator holds back: views; at the end nothing is"),
    "/v1/causes": (MEANWHILE, "the letters one by one, and the orders that they put at risk: views"),
    "/v1/jobs": (AT_THE_END, "what operators began: views"),
    "/v1/jobs/{id}": (AT_THE_END, "the list, and what became of each letter: views"),
    "/v1/alerts": (BESIDE, "the causes of dead letters and changes of shape (reads_alarms): tests/sim/test_reads.py"),
    "/v1/drift": (BESIDE, "what a system was made to change, else nothing (reads_alarms): tests/sim/test_reads.py"),
    "/v1/openapi.json": (BESIDE, "the endpoints: tests/edge"),
    "/health": (BESIDE, "it answers: tests/edge"),
    "/ready": (BESIDE, "a store that cannot be written: tests/edge; processes that have ended: tests/app"),
    "/metrics": (BESIDE, "that it answers and counts: tests/edge"),
}


async def misread(
    ask: Ask, cast: Cast, counters: Counters, policies: Sequence[ChannelPolicy], forgotten: Collection[str] = ()
) -> str:  # fmt: skip
    """The first answer that is not what the books say; empty where all are. `forgotten`: orders whose buyer was erased."""
    async with aclosing(_wrong(ask, cast, counters, policies, forgotten)) as found:
        async for wrong in found:
            return wrong
    return ""


async def _wrong(
    ask: Ask, cast: Cast, counters: Counters, policies: Sequence[ChannelPolicy], forgotten: Collection[str]
) -> AsyncGenerator[str, None]:
    orders, shown = placed(cast, counters), dict[str, Any]()
    for one in orders:
        status, answer = await ask(f"/v1/orders/{one.uid}")
        if status != 200:
            yield f"order {one.uid}: status {status}"
        shown[one.uid] = answer
        waits = of_waiting(answer, one, cast, counters.before, one.uid in forgotten)
        for wrong in (*of_order(answer, one, cast, counters.lacks), *waits):
            yield f"order {one.uid}: {wrong}"
        for number in _numbers(one, cast):
            status, found = await ask(f"/v1/trace/{number}")
            journey = next((which for which in found if which["now"] and which["now"]["order"] == one.uid), None) if status == 200 else None
            if journey is None:
                yield f"trace {number}: status {status}, and does not lead to {one.uid}"
            for wrong in of_journey(journey, answer, one, cast):
                yield f"trace {number}: {wrong}"
    for sku in cast.shop.variants:
        status, answer = await ask(f"/v1/stock/{sku}")
        if status != 200:
            yield f"stock {sku}: status {status}"
        for wrong in of_item(answer, sku, cast, policies):
            yield f"stock {sku}: {wrong}"
    async for wrong in _in_all(ask, orders, shown, cast):
        yield wrong


def _numbers(one: Placed, cast: Cast) -> Iterator[str]:
    """Every number by which somebody outside asks for an order; a customer's is that of all their orders."""
    yield from dict.fromkeys(name for (kind, name), _ in numbers(one, cast) if kind != "shop/customer")
    for key in cast.warehouse.released:
        if order_of_release(key) == one.uid:
            yield key


async def _in_all(ask: Ask, orders: Sequence[Placed], shown: Mapping[str, Any], cast: Cast) -> AsyncIterator[str]:
    """How things stand, against what is shown one by one, and against the books."""
    _, now = await ask("/v1/status")
    if Counter(now["orders"]) != (statuses := Counter(one["status"] for one in shown.values())):
        yield f"status: orders {now['orders']}, one by one they are {dict(statuses)}"
    for wrong in unlike_books(now["accounts"], orders, {uid for uid, one in shown.items() if one["status"] == "cancelled"}, cast):
        yield f"status: {wrong}"
    for wrong in _reservations(Counter(now["reservations"]), sum(one.channel in ASKS_FIRST for one in orders)):
        yield f"status: {wrong}"
    _, letters = await ask("/v1/deadletters")
    if len(letters) != min(LETTERS_MAX, sum(now["dead_letters"].values())):
        yield f"status: dead letters {now['dead_letters']}, listed are {len(letters)}"
    for wrong in _letters(letters, shown):
        yield wrong
    for letter in letters:
        status, whole = await ask(f"/v1/deadletters/{letter['id']}")
        if status != 200 or (whole["code"], whole["status"]) != (letter["code"], "open"):
            yield f"dead letter {letter['id']}: status {status}, {whole}"
    _, proposals = await ask("/v1/proposals")
    if len(proposals) != min(LETTERS_MAX, now["proposals"]):
        yield f"status: {now['proposals']} proposals, listed are {len(proposals)}"
    for wrong in (wrong for one in proposals for wrong in of_proposal(one, cast)):
        yield f"proposal: {wrong}"
    _, held = await ask("/v1/pauses")
    if held or now["pauses"]:
        yield f"status: {now['pauses']} are held back, listed are {held}; whoever held something back has let it go on"


def _reservations(shown: Counter[str], sold: int) -> Iterator[str]:
    """Each order of who asks first had one; whose had expired may have got the units all the same. One that a wrong clock made stands."""
    if not shown["consumed"] <= sold <= shown["consumed"] + shown["expired"]:
        yield f"reservations {dict(shown)}, {sold} became orders"


def _letters(letters: Sequence[Any], shown: Mapping[str, Any]) -> Iterator[str]:
    """Each effect on an order that is shown to have failed is a dead letter, and the other way round: nobody closes one in vain here."""
    failed = {key for one in shown.values() for key, effect in one["effects"].items() if effect.get("outcome") == "rejected"}
    named = {letter["key"] for letter in letters if letter.get("key", "").partition(":")[0] in shown}
    if failed != named:
        yield f"dead letters of {sorted(named - failed)}, which have not failed, and none of {sorted(failed - named)}, which have"
