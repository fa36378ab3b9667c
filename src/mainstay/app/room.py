"""Whether a process has memory left. One that has hardly any ends: otherwise it would go on with one failure after the other, for ever."""

from __future__ import annotations

import mmap

ROOM_BYTES = 16 << 20  # a thread with its stack, and what a large delivery takes


def find_room() -> None:
    """Raises MemoryError where there is hardly any left."""
    try:
        mmap.mmap(-1, ROOM_BYTES).close()  # of which nothing is touched
    except OSError:
        raise MemoryError(f"hardly any memory is left: less than {ROOM_BYTES >> 20} MB") from None
