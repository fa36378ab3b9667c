"""The past once more, from the stage that is asked for: what is different now follows from it, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from mainstay.flows.intake import Intake
from mainstay.flows.mend import as_said
from mainstay.flows.rehear import rehear
from mainstay.flows.reread import reread
from mainstay.flows.resend import resend
from mainstay.flows.span import Replayed
from mainstay.model.failures import Reject
from mainstay.storage.inbox import Receipt

Raw = Callable[[str, int], Receipt | None]  # (source, number) -> the receipt's bytes, from inbox or archive


def replay(intake: Intake, stage: str, number: int, receipt: Receipt, raw: Raw) -> Replayed:
    """Replay one receipt, row of the log or intent. `receipt` says when; what has come free is given to those who wait for it."""
    if stage == "effect":
        done = resend(intake, number, receipt)
    elif stage == "statement":
        done = rehear(intake, number, receipt)
    else:
        done = _read(intake, number, receipt.at, raw)
    if intake.turns.woken:
        intake.turns.wake(receipt)
    return done


def as_repaired(raw: Raw, repaired: Mapping[int, int]) -> Raw:
    """Messages as people have said that they should have been, where they did: what is heard of them is heard from there. `repaired`:
    the receipt of each, and that in which it was said."""

    def read(source: str, number: int) -> Receipt | None:
        old = raw(source, number)
        if old is None or number not in repaired:
            return old
        asked = raw("operator", repaired[number])
        return replace(old, seq=asked.seq, body=as_said(asked, old.body)) if asked is not None else None

    return read


def _read(intake: Intake, number: int, at: int, raw: Raw) -> Replayed:
    try:
        old = raw("", number)
    except Reject as why:
        return Replayed("refused", why.why)
    return reread(intake, old, at) if old is not None else Replayed("refused", "its bytes are gone")
