"""Folders that outside systems put files into. A complete file is read once, line by line; each line is a receipt of its own.

Lines and how far the file has been read are one commit, under what the file holds. So a crash at any moment neither loses a line nor
takes one twice, and the same file again is known, whatever its name. A file moves when all it says is durable.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, count
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec
import structlog
from msgspec import Struct

from mainstay.contract.connector import MARK, Row
from mainstay.delivery.outcomes import Outcomes
from mainstay.delivery.pauses import NOTHING_HELD, Pauses
from mainstay.landscape import READ_FOLDERS
from mainstay.model.cards import redacted
from mainstay.model.failures import Reject
from mainstay.model.outcome import Outcome
from mainstay.model.times import SECOND, iso
from mainstay.storage.database import force

LOOK_S = 1.0
SETTLED_S = 5.0  # a file is complete when its size and time have not changed for so long
AGAIN_S = 60.0  # after which a file that could not be read or moved is tried again
NAMES_MAX = 1_000  # files of a look; the others have their turn when these have moved
LINE_BYTES_MAX = 1_000_000
LINES_MAX = 100  # lines that share a commit
BEHIND_MAX = 2_000  # receipts that the core may be behind; other answers wait in the same row
CHUNK_BYTES = 1_048_576
DONE, REFUSED, DUPLICATE = READ_FOLDERS  # beside the files

log = structlog.get_logger("delivery")
ReadLine = Callable[[bytes], bytes | None]  # a line's receipt; None where it says nothing; Reject says why it cannot be read


class Form(Struct, frozen=True):
    """How files of a kind are read. `reader` makes what reads the lines of one file, given when it was written and when its reading
    began, in microseconds of UTC. `headed`: the first line names the columns. `dated`: its lines speak of the time at which it was
    written, so that the same lines written later say something new."""

    reader: Callable[[int, int], ReadLine]
    headed: bool = False
    dated: bool = False


class Inflow(Struct, frozen=True):
    """A folder: whose word its files are, where it is, and the forms by the ends of names (.csv)."""

    system: str
    path: Path
    topic: str  # of the receipts
    forms: Mapping[str, Form]
    objects: frozenset[str] = frozenset()  # of the flows that it serves


class Stamp(NamedTuple):
    """Which file it is, and how it stands: it changes with every write."""

    inode: int
    size: int
    written_ns: int


class Taking(Struct):
    """How far a file has been read; durable with its lines. `name` is its name in done/ and refused/, chosen once."""

    began: int
    name: str
    stamp: Stamp
    lines: int = 0
    refused: int = 0
    done: bool = False


_taking = msgspec.json.Decoder(Taking).decode


class Folder:
    """Reads one folder. `behind` says how many receipts the core has not taken yet."""

    def __init__(self, inflow: Inflow, outcomes: Outcomes, behind: Callable[[], int], pauses: Pauses = NOTHING_HELD) -> None:
        self.inflow, self.path, self.outcomes, self.behind, self.pauses = inflow, inflow.path, outcomes, behind, pauses
        self.files = self.lines = self.refused = 0
        self.ignored = 0  # names that no form reads
        self.last = ""  # what became of the last file
        self.failures: dict[str, str] = {}  # name -> why it is left where it is; "" is the folder itself
        self._watched: dict[str, tuple[Stamp, int]] = {}  # since when a file stands as it stands
        self._again: dict[str, tuple[Stamp, int]] = {}  # when a file that failed is tried again, unless it changes

    async def run(self) -> None:
        while True:
            if not self.pauses.of_reading(self.inflow.system, self.inflow.objects):
                await self.once()
            await asyncio.sleep(LOOK_S)

    async def once(self) -> None:
        """Look once, and read the files that are complete, the oldest first."""
        try:
            complete = self._look()
        except OSError as error:
            self._fail("", error)
            return
        for name, stamp in complete:
            try:
                await self._take(name, stamp)
            except FileNotFoundError:  # its sender took it back
                continue
            except OSError as error:
                self._fail(name, error)
                self._again[name] = stamp, self.outcomes.clock() + int(AGAIN_S * SECOND)

    def _fail(self, name: str, error: OSError) -> None:
        why = f"{error.filename or self.path / name}: {error.strerror}"
        if self.failures.get(name) != why:
            log.warning("file_left", system=self.inflow.system, folder=str(self.path), file=name, why=why)
        self.failures[name] = why

    # --- which files -------------------------------------------------------------------------------------------------
    def _look(self) -> list[tuple[str, Stamp]]:
        """The complete files, the oldest first. What is no file of its own is named and left alone."""
        now, self.ignored = self.outcomes.clock(), 0
        self.failures = {name: why for name, why in self.failures.items() if name in self._again}
        found = dict(heapq.nsmallest(NAMES_MAX, self._names(), key=lambda one: (one[1].written_ns, one[0])))
        self._watched = {name: (stamp, self._since(name, stamp, now)) for name, stamp in found.items()}
        self._again = {name: (stamp, at) for name, (stamp, at) in self._again.items() if found.get(name) == stamp and at > now}
        settled = now - int(SETTLED_S * SECOND)
        return [(name, stamp) for name, (stamp, since) in self._watched.items() if since <= settled and name not in self._again]

    def _since(self, name: str, stamp: Stamp, now: int) -> int:
        before, since = self._watched.get(name, (None, now))
        return since if before == stamp else now

    def _names(self) -> Iterator[tuple[str, Stamp]]:
        with os.scandir(self.path) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if not entry.name.isprintable():
                    self.failures[repr(entry.name)] = f"{entry.name!r} in {self.path} is no name that can be shown: give it another"
                    continue
                if self._form(entry.name) is None:
                    self.ignored += not entry.is_dir(follow_symlinks=False)
                    continue
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if stat.S_ISREG(status.st_mode):
                    yield entry.name, _stamp(status)
                else:
                    self.failures[entry.name] = f"{self.path / entry.name} is no file of its own: a folder, a link or a pipe is not read"

    def _form(self, name: str) -> Form | None:
        return self.inflow.forms.get(os.path.splitext(name)[1].lower())

    # --- one file ----------------------------------------------------------------------------------------------------
    async def _take(self, name: str, stamp: Stamp) -> None:
        form = self._form(name)
        assert form is not None
        for folder in (DONE, REFUSED, DUPLICATE):
            (self.path / folder).mkdir(exist_ok=True)
        opened = os.open(self.path / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(opened, "rb") as file:
            if _stamp(os.fstat(opened)) != stamp:
                return  # another was put in its place since we looked
            mark = f"file/{self.inflow.system}/{await _identity(file, form, stamp)}"
            known = self.outcomes.mark(mark)
            taking = _taking(known) if known else Taking(self.outcomes.clock(), self._free(name, DONE, REFUSED), stamp)
            if taking.done and taking.stamp != stamp:
                self._tell(f"{name}: holds what {taking.name} of {iso(taking.began)} held, and was not taken again")
                self._move(name, stamp, DUPLICATE, self._free(name, DUPLICATE))
                return
            if not taking.done:
                taking.stamp = stamp
                self._commit(mark, taking, ())  # its name is chosen before anything stands under it
                with Report(self.path / REFUSED, taking.name, headed=form.headed) as report:
                    await self._read(file, form, mark, taking, report)
                    if _stamp(os.fstat(opened)) != stamp:
                        return  # it goes on being written: it is read again when it rests, and what it repeats is known by its ids
                    report.place()
                self._end(name, mark, taking, report)
        self._move(name, stamp, DONE, taking.name)

    async def _read(self, file: BinaryIO, form: Form, mark: str, taking: Taking, report: Report) -> None:
        """Read all lines, and commit those that were not. Those before are only read for what is refused: the report is made anew."""
        read = form.reader(taking.stamp.written_ns // 1_000, taking.began)
        before, number, rows = taking.lines, 0, list[Row]()
        taking.refused = 0
        file.seek(0)
        for line in _lines(file):
            if line is None:  # more of a line that is too long
                await asyncio.sleep(0)
                continue
            number += 1
            try:
                body = _said(read, line)
            except Reject as why:
                taking.refused, body = taking.refused + 1, None
                report.add(number, line, why)
            if number == 1:
                report.head = line
            if body is not None and number > before:
                rows.append(Row(self.inflow.topic, f"{taking.name}:{number}", body))
            if number % LINES_MAX == 0:
                if number > before:
                    taking.lines = number
                    self._commit(mark, taking, tuple(rows))
                    rows.clear()
                await self._breathe()
        taking.lines = number
        self._commit(mark, taking, tuple(rows))

    async def _breathe(self) -> None:
        """Others have their turn, and the core does not fall behind."""
        await asyncio.sleep(0)
        while self.behind() > BEHIND_MAX:
            await asyncio.sleep(0.05)

    def _commit(self, mark: str, taking: Taking, rows: tuple[Row, ...]) -> None:
        self.outcomes.documents(self.inflow.system, rows, (mark, msgspec.json.encode(taking).decode()))
        self.outcomes.flush()

    def _end(self, name: str, mark: str, taking: Taking, report: Report) -> None:
        """It has said all. What was refused is one dead letter, in the commit that says so."""
        taking.done = True
        told = f"{name}: {taking.lines} lines read"
        if taking.refused:
            told = f"{name}: {taking.refused} of {taking.lines} lines were refused, {report.first}; they stand in {report.path}"
            key, system = f"file.{self.inflow.system}.{taking.name}", self.inflow.system
            self.outcomes.outcome(Outcome(key=key, entity=0, outcome="rejected", system=system, code="lines_refused", why=told))
        self._commit(mark, taking, ())
        self.files, self.lines, self.refused = self.files + 1, self.lines + taking.lines, self.refused + taking.refused
        self._tell(told)

    def _tell(self, what: str) -> None:
        self.last = what
        log.info("file_read", system=self.inflow.system, folder=str(self.path), told=what)

    # --- where it goes -----------------------------------------------------------------------------------------------
    def _free(self, name: str, *folders: str) -> str:
        """A name that is free in these folders: its own, or with the time."""
        stem, end = os.path.splitext(name)
        at = iso(self.outcomes.clock())[:19].replace("-", "").replace(":", "")
        names = chain((name, f"{stem}.{at}Z{end}"), (f"{stem}.{at}Z-{n}{end}" for n in count(2)))
        return next(one for one in names if not any((self.path / folder / one).exists() for folder in folders))

    def _move(self, name: str, stamp: Stamp, folder: str, kept: str) -> None:
        """Move the file that was read. Another that its sender has put in its place, or that grew meanwhile, stays or comes back."""
        there, here = self.path / folder / kept, self.path / name
        if _stamp(here.lstat()) != stamp:
            return
        here.rename(there)
        if _stamp(there.lstat()) != stamp:
            there.rename(here if not here.exists() else self.path / self._free(name, ""))


class Report:
    """The refused lines of a file in a file of the same kind, to be mended and put back, and the reasons beside it. Neither has its name
    before it is whole (`place`)."""

    def __init__(self, folder: Path, name: str, *, headed: bool) -> None:
        self.path, self.reasons = folder / name, folder / f"{name}.errors"
        self.headed = headed
        self.head = b""  # the file's first line
        self.first = ""  # which was refused first, and why
        self._files: list[BinaryIO] = []

    def __enter__(self) -> Report:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            file.close()
            Path(file.name).unlink(missing_ok=True)

    def add(self, number: int, line: bytes, why: Reject) -> None:
        """What is too long to be read is not copied: it stands in the file itself."""
        if not self._files:
            self.first = f"line {number} first: {why.why}"
            self._files = [_part(self.path), _part(self.reasons)]
            if self.headed and number > 1:
                self._files[0].write(redacted(self.head) + b"\n")
        lines, reasons = self._files
        if len(line) <= LINE_BYTES_MAX:
            lines.write(redacted(line) + b"\n")
        reasons.write(f"line {number}: {why.code}: {' '.join(why.why.split())}\n".encode(errors="replace"))

    def place(self) -> None:
        """Give both their names, once they are in stable storage."""
        for file, path in zip(self._files, (self.path, self.reasons), strict=False):
            file.flush()
            force(file.fileno())
            Path(file.name).rename(path)


def _part(path: Path) -> BinaryIO:
    return path.with_name(f".{path.name}.part").open("wb")


def _stamp(status: os.stat_result) -> Stamp:
    return Stamp(status.st_ino, status.st_size, status.st_mtime_ns)


async def _identity(file: BinaryIO, form: Form, stamp: Stamp) -> str:
    """What a file says, in short: its bytes, and its time where its lines speak of that."""
    found = hashlib.sha256(str(stamp.written_ns).encode() if form.dated else b"")
    while chunk := file.read(CHUNK_BYTES):
        found.update(chunk)
        await asyncio.sleep(0)
    return found.hexdigest()


def _lines(file: BinaryIO) -> Iterator[bytes | None]:
    """The lines without their ends, each held within its limit: of one that is too long its beginning, then None for each part more."""
    mark = MARK
    while line := file.readline(LINE_BYTES_MAX + 2):
        ended = line.endswith(b"\n") or len(line) < LINE_BYTES_MAX + 2
        yield line.removeprefix(mark).rstrip(b"\r\n")
        mark = b""
        while not ended and (part := file.readline(CHUNK_BYTES)):
            ended = part.endswith(b"\n")
            yield None


def _said(read: ReadLine, line: bytes) -> bytes | None:
    """The receipt that a line makes. Raises Reject, also where we break on it: one line that we cannot read stops only itself."""
    if len(line) > LINE_BYTES_MAX:
        raise Reject(f"it is longer than {LINE_BYTES_MAX:,} bytes", "payload_too_large")
    try:
        return read(line)
    except (Reject, MemoryError):  # memory that is gone is the machine's fault, not the line's
        raise
    except Exception as bug:
        log.exception("bug", line_bytes=len(line))
        raise Reject(f"{type(bug).__name__}", "bug") from None
