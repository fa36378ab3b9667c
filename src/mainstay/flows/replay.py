"""The past once more, from the stage that is asked for: what is different now follows from it, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

from mainstay.flows.intake import Intake
from mainstay.flows.rehear import rehear
from mainstay.flows.reread import reread
from mainstay.flows.resend import resend
from mainstay.flows.span import Replayed
from mainstay.storage.inbox import Receipt

Raw = Callable[[str, int], Receipt | None]  # (source, number) -> the receipt's bytes, from inbox or archive


def replay(intake: Intake, stage: str, number: int, receipt: Receipt, raw: Raw) -> Replayed:
    """Replay one receipt, row of the log or intent. `receipt` says when; what has come free is given to those who wait for it."""
    if stage == "effect":
        done = resend(intake, number, receipt)
    elif stage == "statement":
        done = rehear(intake, number, receipt)
    else:
        old = raw("", number)
        done = reread(intake, old, receipt.at) if old is not None else Replayed("refused", "its bytes are gone")
    if intake.turns.woken:
        intake.turns.wake(receipt)
    return done
