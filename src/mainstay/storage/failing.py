"""Says once that the store cannot be used, and once that it can again: said at each try, it would fill what is left of a full disk."""

from __future__ import annotations

import contextlib

import structlog

log = structlog.get_logger("storage")


class Failing:
    """What is tried again and again. `what` names it."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.why = ""  # of the last try; empty where that went well

    def failed(self, why: BaseException) -> None:
        """A try failed; another reason than the last one's is told."""
        before, self.why = self.why, f"{type(why).__name__}: {why}"
        if self.why != before:
            with contextlib.suppress(OSError):  # the log may lie on the same disk
                log.error("store_failed", doing=self.what, why=self.why)

    def worked(self) -> None:
        """A try went well."""
        if self.why:
            self.why = ""
            with contextlib.suppress(OSError):
                log.info("store_works_again", doing=self.what)
