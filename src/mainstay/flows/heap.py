"""How often Python looks for garbage in cycles."""

from __future__ import annotations

import gc

NEW_MAX = 50_000  # objects made and not let go between two looks; with Python's own 700, one batch is looked through dozens of times


def look_seldom() -> None:
    """For a process that works in batches: hardly anything of ours is in a cycle (reference counts free it at once), and every look goes
    through what is held in memory."""
    gc.set_threshold(NEW_MAX, 20, 20)
