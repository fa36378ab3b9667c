"""A disk that loses its power, or fails, at a chosen moment: an apsw VFS that knows which written bytes no sync has made safe yet.

Files are real, so that SQLite's locks and shared memory are its own. Beside each one stands what would survive a power cut: the bytes
of the last sync, and the list of what was written since. At a cut any part of that list survives, in sectors, in any order: a drive
promises no more. What SQLite assumes of a disk (https://sqlite.org/psow.html) is kept: a write changes no byte outside of it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import apsw
from msgspec import Struct, field

from mainstay.storage.database import check_pages

SECTOR_BYTES = 512
SURVIVES = ("nothing", "all", "the first", "some", "some")  # of what no sync has made safe, at a cut; each file draws its own


class Written(NamedTuple):
    """Bytes at a place; None: the file ends there now."""

    at: int
    data: bytes | None

    def onto(self, image: bytearray) -> None:
        if self.data is None:
            del image[self.at :]
            image.extend(bytes(self.at - len(image)))
            return
        image.extend(bytes(max(0, self.at + len(self.data) - len(image))))
        image[self.at : self.at + len(self.data)] = self.data

    def sectors(self) -> list[Written]:
        """The same in parts that are each written whole or not at all."""
        if self.data is None:
            return [self]
        first = SECTOR_BYTES - self.at % SECTOR_BYTES
        edges = [0, *range(first, len(self.data), SECTOR_BYTES), len(self.data)]
        return [Written(self.at + start, self.data[start:end]) for start, end in pairwise(edges)]


class Kept(Struct):
    """A file as the disk has it: `safe` since the last sync, `loose` since then. `gone`: it was deleted, and may come back."""

    safe: bytearray
    loose: list[Written] = field(default_factory=list)
    gone: bool = False

    def sync(self) -> None:
        for one in self.loose:
            one.onto(self.safe)
        self.loose.clear()

    def survivor(self, dice: random.Random) -> bytes:
        """What is found after a cut."""
        image, how = bytearray(self.safe), dice.choice(SURVIVES)
        loose = [] if how == "nothing" else list(self.loose)
        if how == "the first":
            loose = loose[: dice.randrange(len(loose) + 1)]
        if how == "some":
            some = dice.random()
            loose = [sector for one in loose for sector in one.sectors() if dice.random() < some]
        for one in loose:
            one.onto(image)
        return bytes(image)


class Fault(Struct, frozen=True):
    """From the operation `at` on the disk fails, `times` times. `torn`: the first half of a write is written."""

    at: int
    error: type[apsw.Error]
    times: int = 1
    torn: bool = False


class Disk(apsw.VFS):
    """The default VFS while it is entered. Counts what changes the files in `folder`: opened for writing, written, truncated, synced,
    deleted. `dark` is told at the moment of a cut; from then on nothing can be read or written until `light`."""

    def __init__(self, folder: Path, dice: random.Random, dark: Callable[[], None] = lambda: None) -> None:
        self.folder, self.dice, self.dark = str(folder), dice, dark
        self.operations = self.failed = self.cuts = 0
        self.cut_at: int | None = None  # the number of the operation in which the power goes
        self.fault: Fault | None = None
        self.is_dark = False
        self.files: dict[str, Kept] = {}
        check_pages()  # below this disk, so that what is written here bears its checksum there
        self._before = apsw.vfs_names()[0]
        self._name = f"mainstay-disk-{id(self)}"
        super().__init__(self._name, self._before)

    def __enter__(self) -> Disk:
        apsw.set_default_vfs(self._name)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        apsw.set_default_vfs(self._before)
        self.unregister()

    def excepthook(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        """What SQLite does not pass on to its caller, such as a failed checkpoint after a commit, is made on purpose here."""
        return True

    # --- what SQLite asks of it --------------------------------------------------------------------------------------
    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if path is None or not path.startswith(self.folder):
            return apsw.VFSFile(self._before, name, flags)
        self.lit()
        if flags[0] & apsw.SQLITE_OPEN_READWRITE and not (kept := self.files.get(path)):
            self.operation(apsw.CantOpenError)
            there = Path(path)
            self.files[path] = Kept(bytearray(there.read_bytes() if there.exists() else b""))
        kept = self.files.get(path) or Kept(bytearray())
        kept.gone = False
        return Sheet(self, self._before, name, flags, kept)

    def xDelete(self, path: str, sync: bool) -> None:
        if not path.startswith(self.folder):
            super().xDelete(path, sync)
            return
        if self.is_dark:  # a connection that is cleared away deletes nothing any more, and nobody can be told
            return
        self.operation()
        super().xDelete(path, sync)
        if kept := self.files.get(path):
            kept.loose.append(Written(0, None))
            kept.gone = True
            if sync:
                self.sync_folder()

    def sync_folder(self) -> None:
        """What was deleted stays so."""
        for kept in self.files.values():
            if kept.gone:
                kept.sync()

    # --- what happens to it ------------------------------------------------------------------------------------------
    def lit(self) -> None:
        if self.is_dark:
            raise apsw.IOError("the power is off")

    def operation(self, error: type[apsw.Error] | None = None) -> None:
        """One more; it fails where its time has come. `error`: the one that such an operation gives."""
        self.operations += 1
        if self.operations == self.cut_at:
            self.cut()
        if self.failing:
            assert self.fault is not None
            self.failed += 1
            raise (error or self.fault.error)("the disk fails")

    @property
    def failing(self) -> bool:
        """Does the operation that has just been counted fail?"""
        fault = self.fault
        return fault is not None and fault.at <= self.operations and self.failed < fault.times

    def cut(self) -> None:
        """The power goes, now."""
        self.is_dark, self.cut_at = True, None
        self.cuts += 1
        self.dark()
        self.lit()

    def light(self) -> None:
        """The power is back: the files are what survived, and shared memory is gone. No connection may be open."""
        for path, kept in list(self.files.items()):
            image, there = kept.survivor(self.dice), Path(path)
            Path(f"{path}-shm").unlink(missing_ok=True)
            if image or path.endswith(".db"):
                there.write_bytes(image)
            else:
                there.unlink(missing_ok=True)
            self.files[path] = Kept(bytearray(image))
        self.is_dark = False


class Sheet(apsw.VFSFile):
    """An open file of a disk."""

    def __init__(self, disk: Disk, base: str, name: Any, flags: list[int], kept: Kept) -> None:
        super().__init__(base, name, flags)
        self.disk, self.kept = disk, kept
        journal = flags[0] & (apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_WAL)
        self.new = bool(journal and flags[0] & apsw.SQLITE_OPEN_CREATE)  # its first sync syncs the folder, as SQLite's own VFS does

    def excepthook(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        """As for the disk."""
        return True

    def xRead(self, amount: int, offset: int) -> bytes:
        self.disk.lit()
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:
        disk = self.disk
        disk.lit()
        try:
            disk.operation()
        except apsw.Error:
            if disk.is_dark:  # it may have reached the disk all the same
                self._write(data, offset)
            elif disk.fault and disk.fault.torn:
                self._write(data[: len(data) // 2], offset)
            raise
        self._write(data, offset)

    def _write(self, data: bytes, offset: int) -> None:
        """Write, and keep what then stands there: a page gets its checksum on the way down."""
        written = bytearray(data)
        super().xWrite(written, offset)
        self.kept.loose.append(Written(offset, bytes(written)))

    def xTruncate(self, size: int) -> None:
        self.disk.lit()
        self.disk.operation()
        self.kept.loose.append(Written(size, None))
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:
        disk = self.disk
        disk.lit()
        if disk.operations + 1 == disk.cut_at and disk.dice.random() < 0.5:
            self.kept.sync()  # it was safe, and nobody has heard of it
        try:
            disk.operation()
        except apsw.Error:
            if not disk.is_dark:
                self.kept.loose.clear()  # Linux forgets what it could not write: a later sync says nothing of it
            raise
        super().xSync(flags)
        self.kept.sync()
        if self.new:
            self.new = False
            disk.sync_folder()


class Slow(apsw.VFS):
    """A disk whose syncs take `pause_s` seconds more, made the default. `sleep` is time.sleep, or what makes time pass."""

    def __init__(self, pause_s: float, sleep: Callable[[float], None]) -> None:
        self.pause_s, self.sleep = pause_s, sleep
        check_pages()
        self._before = apsw.vfs_names()[0]
        super().__init__(f"mainstay-slow-{id(self)}", self._before, makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        return _Slow(self, self._before, name, flags)

    def end(self) -> None:
        apsw.set_default_vfs(self._before)
        self.unregister()


class _Slow(apsw.VFSFile):
    def __init__(self, disk: Slow, before: str, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self.disk = disk
        super().__init__(before, name, flags)

    def xSync(self, flags: int) -> None:
        self.disk.sleep(self.disk.pause_s)
        super().xSync(flags)
