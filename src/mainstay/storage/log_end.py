"""Does SQLite's write-ahead log end where it ended? A crash may take the commit that was under way, and no other.

SQLite takes its log up to the first frame that it cannot read, as if the power had gone there, whatever comes behind it: a bit that
flips there takes every later commit along, and nobody is told. But what was written behind a commit was written after it was safe. So a
frame beyond that end, which goes on from a commit beyond that end, says that commits are lost.

Source: https://sqlite.org/walformat.html
"""

from __future__ import annotations

import contextlib
import os
from array import array
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import apsw

HEADER_BYTES, FRAME_BYTES = 32, 24  # of the log, and of each frame, behind which stands its page
WORD = 0xFFFFFFFF
BUSY_TRIES = 1_000
OTHERS_MAX = 8  # frames in a row whose headers cannot be read, by more than a damaged page


class Frame(NamedTuple):
    """What stands before a page in the log, in its parts. Frames of one generation bear the same salts; older ones may stand behind."""

    at: int  # the byte of the file at which it begins
    page: bytes  # its number
    pages: bytes  # of the file after this commit; zero where the transaction goes on
    salts: bytes
    sums: bytes

    def commits(self) -> bool:
        return any(self.pages)


def lost_from(connection: apsw.Connection) -> int:
    """The byte at which the log of an open store file ends for SQLite, where a commit behind it is lost; else 0. Others may write
    meanwhile; but a log that somebody begins anew looks so for a moment, too. The file of the log bears no locks, and may be opened
    beside SQLite; FILE-shm may not."""
    log = Path(connection.filename_wal)
    if not log.exists():
        return 0
    with log.open("rb") as opened:
        file, page_bytes, ended = opened.fileno(), connection.pragma("page_size"), _end(connection)
        if ended < 0:  # it keeps no log yet: it is being made
            return 0
        generation = _generation(file)
        frames = _frames(file, page_bytes, ended, generation)
        frames = frames[max(0, _end(connection) - ended) :]  # what others have committed meanwhile is before the end by now
        for one, after in pairwise(frames):
            if one.commits() and one.salts == after.salts == generation:
                page = os.pread(file, page_bytes, after.at + FRAME_BYTES)
                if _sums(after.page + after.pages + page, one.sums) == after.sums:  # it was written behind that commit
                    return frames[0].at
    return 0


def _end(connection: apsw.Connection) -> int:
    """How many frames count for SQLite; -1 for a file that keeps no log. Asked for this just while somebody commits, it answers that it is
    busy, whatever its timeout: the head of the log's index was half written. Whoever reads a row waits until that is over."""
    for _ in range(BUSY_TRIES):
        with contextlib.suppress(apsw.BusyError):
            return connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)[0]
        connection.pragma("user_version")
    return connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)[0]


def _generation(log: int) -> bytes:
    """The salts of the frames that count: those of the log's header, or where it cannot be read, of the first frame."""
    header = os.pread(log, HEADER_BYTES, 0)
    return header[16:24] if _sums(header[:24], bytes(8)) == header[24:] else os.pread(log, 8, HEADER_BYTES + 8)


def _frames(log: int, page_bytes: int, beyond: int, generation: bytes) -> list[Frame]:
    """What stands behind so many frames, until several in a row are of an older generation."""
    found: list[Frame] = []
    step, end = FRAME_BYTES + page_bytes, os.fstat(log).st_size
    for at in range(HEADER_BYTES + beyond * step, end - step + 1, step):
        head = os.pread(log, FRAME_BYTES, at)
        found.append(Frame(at, head[:4], head[4:8], head[8:16], head[16:24]))
        if len(found) >= OTHERS_MAX and all(one.salts != generation for one in found[-OTHERS_MAX:]):
            break
    return found


def _sums(content: bytes, before: bytes) -> bytes:
    """The checksum of a header or a frame, which goes on from the one before."""
    words = array("I", content)
    first, second = int.from_bytes(before[:4], "big"), int.from_bytes(before[4:], "big")
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & WORD
        second = (second + odd + first) & WORD
    return first.to_bytes(4, "big") + second.to_bytes(4, "big")
