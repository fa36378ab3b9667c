"""Whether a process has memory left. One that has hardly any ends: otherwise it would go on with one failure after the other, for ever."""

from __future__ import annotations

import mmap

LEFT_BYTES_MIN = 16 << 20  # a thread with its stack, and what a large delivery takes


def need_memory() -> None:
    """Raises MemoryError where there is hardly any left."""
    try:
        mmap.mmap(-1, LEFT_BYTES_MIN).close()  # of which nothing is touched
    except OSError:
        raise MemoryError(f"hardly any memory is left: less than {LEFT_BYTES_MIN >> 20} MB") from None
