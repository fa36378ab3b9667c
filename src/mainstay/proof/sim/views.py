"""What operators are shown of failures and of their own acts, compared with each other, with the books, and with what they did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from mainstay.flows import journey, rehearse
from mainstay.flows.shop import Shop
from mainstay.flows.span import Span
from mainstay.model.money import minor
from mainstay.proof.history import CURRENCY
from mainstay.storage.rehearsed import Rehearsed

Ask = Callable[[str], Awaitable[tuple[int, Any]]]  # path -> (status, answer), asked as an operator
EVER = "2020-01-01T00:00:00Z"  # before any history begins
WHOLE = ("sale", "release.", "confirm.")  # effects on which the whole of an order hangs


async def unlike_letters(ask: Ask, totals: Mapping[str, int]) -> str:
    """Where the causes do not sum to the letters, or the money at risk is not the order's. `totals` in minor units, by order id."""
    before, causes, letters = [(await ask(f"/v1/{name}"))[1] for name in ("deadletters", "causes", "deadletters")]
    if causes is None or before != letters:
        return ""  # nobody answers, or something came in between
    counted = Counter(letter["cause"] for letter in letters)
    if {one["cause"]: one["count"] for one in causes} != dict(counted):
        return f"causes {causes}, the letters are of {dict(counted)}"
    for one in causes:
        of = [letter for letter in letters if letter["cause"] == one["cause"]]
        risk = sum(_amount(letter["at_risk"]) for letter in of)
        if _amount(f"{one['at_risk'].get(CURRENCY, '0')} {CURRENCY}") != risk or {one["queue"]} != {letter["queue"] for letter in of}:
            return f"cause {one['cause']} has {one['at_risk']} at risk in {one['queue']}, its letters: {of}"
    for letter in letters:
        order, _, effect = letter.get("key", "").partition(":")
        if order in totals and effect.startswith(WHOLE) and _amount(letter["at_risk"]) != totals[order]:
            return f"dead letter {letter['id']} puts {letter['at_risk']} at risk, {order} is about {totals[order]} minor units"
        status, whole = await ask(f"/v1/deadletters/{letter['id']}")
        if status == 200 and whole["status"] == "open" and not letter.items() <= whole.items():
            return f"dead letter {letter['id']}: listed as {letter}, by itself {whole}"
    return ""


async def unlike_pauses(ask: Ask, told: Mapping[str, str], *, held: bool) -> str:
    """Where what an operator holds back is not listed as they said it, or what goes on again still is."""
    status, pauses = await ask("/v1/pauses")
    found = next((one for one in pauses or () if one["target"] == told["target"]), None)
    if status == 200 and held and (found is None or any(found[name] != value for name, value in told.items())):
        return f"pauses {pauses}, {dict(told)} was asked for"
    if status == 200 and not held and found is not None:
        return f"pauses {pauses}, {told['target']} goes on again"
    return ""


async def unlike_jobs(ask: Ask, begun: Mapping[int, str]) -> str:
    """Where a job that an operator began is not listed with what became of it. `begun`: its action by its number. One of which the answer
    was lost was begun again."""
    _, listed = await ask("/v1/jobs")
    if not begun.items() <= {one["job"]: one["action"] for one in listed}.items():
        return f"jobs {listed}, begun were {dict(begun)}"
    for one in listed:
        status, whole = await ask(f"/v1/jobs/{one['job']}")
        ended = one["done"] + one["nothing_done"] + one["unchanged"]
        if status != 200 or {**one, **whole} != whole or (one["status"] == "done" and ended != one["letters"]):
            return f"job {one['job']}: listed as {one}, by itself {whole}"
    return ""


def unlike_replay(place: Path, shop: Shop, at: int) -> str:
    """Where a dry run finds something in what came in that would be read otherwise now: all of it has been read with this mapping, or was
    repaired."""
    store = Rehearsed(place / "state.db")
    try:
        with journey.raws(store) as raw:
            found = rehearse.replays(store, shop, raw, Span(since=EVER), "receipt", at)
    finally:
        store.close()
    return f"a dry run of a replay: {found['differ'][:3]}" if found["differ"] else ""


async def unlike_receipts(ask: Ask, taken: int) -> str:
    """Where the outcomes of receipts do not sum to those that the core has taken."""
    _, now = await ask("/v1/status")
    shown = sum(one["n"] for one in now["receipts"])
    return f"status: {shown} receipts ended, {taken} were taken" if shown != taken else ""


def _amount(text: str) -> int:
    """Minor units of a shown amount; 0 where there is none."""
    amount, _, currency = text.partition(" ")
    return minor(amount, currency) if currency else 0
