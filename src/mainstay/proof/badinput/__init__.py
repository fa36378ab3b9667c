"""The catalogue of bad inputs: each with its door and with what happens there. Tests send every one to a real Mainstay."""

from __future__ import annotations

from mainstay.proof.badinput import files, outside, requests, webhooks
from mainstay.proof.badinput.case import ABSENT, DOORS, Case

__all__ = ["ABSENT", "CASES", "DOORS", "Case"]

CASES: tuple[Case, ...] = tuple(
    sorted((*webhooks.CASES, *requests.CASES, *files.CASES, *outside.CASES), key=lambda one: one.number)
)  # those of one number in the order in which they stand
