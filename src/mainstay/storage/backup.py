"""A backup: the three files at one moment, beside a manifest that says what they are, byte for byte; and the way back.

One moment means what a power cut at that moment would leave: no position ahead of its receipts, no attempt at an intent that is not
there, nothing archived that was not handled. So the three are held still for as long as it takes to begin to read each of them, well
under a millisecond where nobody is in the middle of a commit; what is copied afterwards is that moment, whatever is written meanwhile.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path

import apsw
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from mainstay.model.failures import Halt
from mainstay.model.restored import RESTORED
from mainstay.storage.database import STORE_FAILED, SUM_BYTES, ask, connect, force, in_words, still, wrong_with
from mainstay.storage.inbox import Inbox, last
from mainstay.storage.state import State
from mainstay.storage.together import FILES, behind

MANIFEST = "manifest.json"
ARCHIVE = "archive"
FORMAT = 1
CHUNK_BYTES = 1 << 20


class Piece(Struct, frozen=True, forbid_unknown_fields=True):
    """A file of a backup."""

    size: int
    sha256: str


class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    """What a backup holds. `at`: the moment, in UTC microseconds; `seal`: the checksum of all the rest of this."""

    format: int
    version: str
    at: int
    receipts: dict[str, int]  # the last number of each inbox
    events: int
    files: dict[str, Piece]
    seal: str = ""

    def sealed(self) -> Manifest:
        return replace(self, seal=sha256(msgspec.json.encode(replace(self, seal=""), order="sorted")).hexdigest())


def take(data: Path, into: Path, version: str, at: int, *, archive: bool = False) -> Manifest:
    """Back up a data folder into a new or empty one, also while Mainstay works. Without `archive` the archived receipts stay out.

    Raises Halt where there is nothing to back up, the folder is taken, or a file is damaged or behind the others: so would be a copy.
    """
    if missing := [name for name in FILES if not (data / name).exists()]:
        raise Halt(f"there is no {missing[0]} in {data}; `mainstay up` makes it")
    _empty(into)
    into.mkdir(parents=True, exist_ok=True, mode=0o700)
    with one_moment(data) as sources:
        if said := behind(sources):
            raise Halt(f"{data}: {said}; keep your last backup")
        receipts = {name: last(sources[f"{name}.db"]) for name in ("inbox", "outcomes")}
        events = dict(ask(sources["state.db"], "counters")).get("event", 0)
        for name, source in sources.items():
            _copy(source, into / name)
        segments = sorted((data / ARCHIVE).glob("*.seg")) if archive else []
        for segment in segments:  # written and forced out before the rows that point into them: what those need is there
            (into / ARCHIVE).mkdir(exist_ok=True)
            shutil.copyfile(segment, into / ARCHIVE / segment.name)
    names = [*FILES, *(f"{ARCHIVE}/{segment.name}" for segment in segments)]
    found = Manifest(FORMAT, version, at, receipts, events, {name: _piece(into / name) for name in names}).sealed()
    (into / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    for path in (*(into / name for name in names), into / MANIFEST, into):
        _forced(path)
    return found


@contextmanager
def one_moment(data: Path) -> Iterator[dict[str, apsw.Connection]]:
    """Readers of the three files, all at the same moment. Nothing is written: the writers wait until each reader has begun."""
    with ExitStack() as stack:
        readers = {name: connect(data / name, write=False, schema=schema) for name, schema in FILES.items()}
        for reader in readers.values():
            stack.callback(reader.close, True)
        with ExitStack() as held:
            for name in FILES:
                held.enter_context(still(data / name))
            for name, reader in readers.items():
                reader.execute("BEGIN")
                ask(reader, "counters" if FILES[name] == "state" else "last_receipt")  # with its first read a reader has its moment
        yield readers


def _copy(source: apsw.Connection, path: Path) -> None:
    copy = apsw.Connection(str(path))
    try:
        copy.pragma("page_size", source.pragma("page_size"))
        copy.reserve_bytes(reserve=SUM_BYTES)
        copy.pragma("user_version", 1)  # a first page, which says that all pages bear checksums; the source's takes its place
        with copy.backup("main", source, "main") as running:
            running.step(-1)
        said = wrong_with(copy)
    except STORE_FAILED as failed:
        said = in_words(failed)
    finally:
        copy.close(True)
    if said:
        raise Halt(f"{source.filename} is damaged, and so would be its copy: {said}; keep your last backup")


def check(folder: Path) -> Manifest:
    """The manifest of a backup that is whole. Raises Halt, which names what is damaged, missing or of another backup."""
    path = folder / MANIFEST
    if not path.exists():
        raise Halt(f"{folder} is no backup: it has no {MANIFEST}")
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as why:
        raise Halt(f"{path} is damaged: {why}") from None
    if found.sealed() != found:
        raise Halt(f"{path} is damaged: its own checksum is another")
    if found.format != FORMAT:
        raise Halt(f"{path} has format {found.format}, and this Mainstay knows {FORMAT}; restore it with Mainstay {found.version}")
    for name, piece in found.files.items():
        if not (folder / name).exists():
            raise Halt(f"{folder / name} is missing; the backup of this moment is not whole")
        if _piece(folder / name) != piece:
            raise Halt(f"{folder / name} is damaged, or of another backup: its checksum is not that of {MANIFEST}")
    return found


def restore(folder: Path, data: Path, at: int) -> Manifest:
    """Make a data folder of a backup: all of it or nothing. Raises Halt where one is there already, or the backup is not whole."""
    found = check(folder)
    _empty(data)
    beside = data.with_name(f".{data.name}.restoring")
    shutil.rmtree(beside, ignore_errors=True)
    for name in found.files:
        (beside / name).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copyfile(folder / name, beside / name)
        if _piece(beside / name) != found.files[name]:
            raise Halt(f"{beside / name} is not what was copied to it; look at the disk")
    for name in FILES:
        _come_back(beside / name, at, whole=any(piece.startswith(ARCHIVE) for piece in found.files))
        Path(f"{beside / name}.lock").unlink(missing_ok=True)
        _forced(beside / name)
    _forced(beside)
    os.replace(beside, data)
    _forced(data.parent)
    return found


def _come_back(path: Path, at: int, *, whole: bool) -> None:
    """Prepare a file for a world that has gone on: channels are told everything anew, effects are looked up before they are made, and a
    new segment of the archive begins where the old ones are not there. Orders wait until what happened since is known (flows.restored)."""
    if path.name == "state.db":
        state = State(path)
        state.run("set_counter", (RESTORED, at))
        state.close()
        return
    inbox = Inbox(path)
    marks = [] if whole else [("segment", str(int(inbox.mark("segment") or 1) + 1))]
    if path.name == "outcomes.db":
        marks.append((RESTORED, str(at)))
    inbox.add([], marks, [("drop_marks", [("policy/", "policy/")])])
    inbox.close()


def _empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Halt(f"{folder} is not empty; move it away first, or name another")


def _piece(path: Path) -> Piece:
    total, size = sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            total.update(chunk)
            size += len(chunk)
    return Piece(size, total.hexdigest())


def _forced(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        force(opened)
    finally:
        os.close(opened)
