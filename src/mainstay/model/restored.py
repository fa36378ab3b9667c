"""The way back from a backup: what the store remembers of it, and what delivery says when the lost time was read again."""

from __future__ import annotations

RESTORED = "restored"  # the counter of state.db and the mark of outcomes.db that say when, in UTC microseconds; 0: it is over
READ_AGAIN = "mainstay/read-again"  # the topic of the receipt
