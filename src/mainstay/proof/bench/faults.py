"""What goes wrong in a run with faults: drawn by number, so that each run has the same. Its figure stands beside the one without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mainstay.storage.inbox import New

AGAIN, GARBLED, FORGED, WRONG = 10, 50, 50, 50  # one in so many
FAULTY = "mainstay, with faults"
MIXED = "of 100 orders 10 come again, 2 break off, 2 state a wrong total"


def comes_again(number: int) -> bool:
    """What came a moment ago comes once more instead of news."""
    return number % AGAIN == AGAIN - 1


def is_garbled(number: int) -> bool:
    return number % GARBLED == 7


def is_forged(number: int) -> bool:
    return number % FORGED == 21


def is_wrong(number: int) -> bool:
    """An order states a total that its parts do not give."""
    return number % WRONG == 33


def garbled(body: bytes) -> bytes:
    """The sender broke off."""
    return body[: len(body) // 2]


def wrong(body: bytes) -> bytes:
    return body.replace(b'"total_price":"', b'"total_price":"1', 1)


def mixed(new: Sequence[New]) -> Iterator[New]:
    """Receipts of orders, of which some come again, break off, or state a wrong total."""
    for number, (at, system, topic, key, body) in enumerate(new):
        if comes_again(number):
            yield (at, *new[number - AGAIN // 2][1:])
        elif is_garbled(number):
            yield at, system, topic, key, garbled(body)
        else:
            yield at, system, topic, key, wrong(body) if is_wrong(number) else body


def beside(result: dict[str, Any], what: str, **more: Any) -> dict[str, Any]:
    """The result of `paired`, in which FAULTY was a variant, with that one's figures apart."""
    ratio, rate = result["ratios"].pop(FAULTY), result["rates"].pop(FAULTY)
    return {**result, "with_faults": {"faults": what, "rate": rate, "times the rate without": round(1 / ratio, 3), **more}}


def told(figures: Mapping[str, Any]) -> str:
    """One line of Markdown."""
    shown = "; ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in figures.items() if name != "faults")
    return f"**With faults** ({figures['faults']}): {shown}."
