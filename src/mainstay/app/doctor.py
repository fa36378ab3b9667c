"""Is this machine safe to run on? Each answer names what was looked at and what to do."""

from __future__ import annotations

import os
import stat
import statistics
import tempfile
import time
from pathlib import Path

import apsw
from msgspec import Struct

from mainstay.app.build import held, inflows, look_into
from mainstay.app.declaration import errors
from mainstay.delivery.files import REFUSED
from mainstay.landscape import Finding, counted, ways_of
from mainstay.model.failures import Halt
from mainstay.storage.archive import wrong_with_archive
from mainstay.storage.database import DAMAGED, RESTORE, SQLITE_MIN, connect, force, in_words, wrong_with
from mainstay.storage.together import FILES, refuse_apart

FREE_BYTES_MIN = 1_000_000_000
SYNCS = 20  # how often a page is written and forced out, to learn what a commit costs here
SYNC_US_MIN = 8.0  # a round trip to any drive takes longer; to memory it takes less than one
SYNC_US_MAX = 50_000.0  # every acknowledgement waits for one


class Inspection(Struct, frozen=True):
    """One thing that was looked at. `doubt`: it does not forbid to run, but a person should know."""

    what: str
    fine: bool
    detail: str
    doubt: bool = False


def examine(config: Path) -> list[Inspection]:
    """Everything that must be so."""
    version = apsw.sqlite_lib_version()
    old = tuple(int(part) for part in version.split(".")) < SQLITE_MIN
    found = [Inspection("sqlite", not old, f"{version} (3.51.3 or newer is needed: earlier ones can corrupt a WAL)")]
    wrong, absent = _errors(config)
    found.append(Inspection("landscape", not wrong, counted(wrong)))
    if absent:
        told = f"these are not in this environment: {', '.join(absent)}; `mainstay check` counts each as an error, `mainstay up` needs them"
        found.append(Inspection("secrets", True, told, True))
    if wrong:
        return found
    house = look_into(config)
    house.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    found += [_disk(house.data), _private(house.data), _sync(sync_us(house.data), house.data)]
    found += [_inflow(one.path) for one in inflows(house)]
    stores = [_store(house.data / name) for name in FILES if (house.data / name).exists()]
    found += [*stores, _together(house.data)] if all(one.fine for one in stores) else stores
    found += [_archive(house.data)] if (house.data / "archive").exists() else []
    server = house.landscape.server
    public = server.listen not in ("127.0.0.1", "::1", "localhost")
    found.append(Inspection("listening", not public or server.url.startswith("https://"), f"on {server.listen}; public only behind https"))
    if not any(ways_of(house.landscape, owner) for owner in house.landscape.owners):
        told = "no way leads to any owner: what goes wrong is told to nobody, and stands in `mainstay alerts`; see docs/alerts.md"
        found.append(Inspection("alerts", True, told, True))
    return found


def _errors(config: Path) -> tuple[list[Finding], list[str]]:
    """The errors of the landscape, and apart from them the secrets that only another environment holds, it may be: that of the service."""
    lead, absent = held(config.resolve().parent), set()

    def find(reference: str) -> object:
        secret = lead(reference)
        if secret is None and reference.startswith("env:"):
            absent.add(reference)
            return True
        return secret

    return errors(config, find), sorted(absent)


def sync_us(folder: Path) -> float:
    """Microseconds until a written page is in stable storage: the median of a few, on a scratch file beside the store."""
    took = []
    with tempfile.TemporaryFile(dir=folder) as scratch:
        for _ in range(SYNCS):
            scratch.write(os.urandom(4096))
            scratch.flush()
            started = time.perf_counter()
            force(scratch.fileno())
            took.append((time.perf_counter() - started) * 1e6)
    return statistics.median(took)


def _sync(us: float, data: Path) -> Inspection:
    told = f"a write is in stable storage after {us / 1000:,.3f} ms"
    if us < SYNC_US_MIN:
        return Inspection(
            "sync", True, f"{told}: no disk is so fast, {data} may be memory, or lose what it acknowledged with the power", True
        )
    if us > SYNC_US_MAX:
        return Inspection("sync", True, f"{told}: every acknowledgement waits for one; put {data} on a faster disk", True)
    return Inspection("sync", True, told)


def _disk(data: Path) -> Inspection:
    free = os.statvfs(data)
    size = free.f_bavail * free.f_frsize
    return Inspection("disk", size > FREE_BYTES_MIN, f"{size // 1_000_000} MB free in {data}")


def _private(data: Path) -> Inspection:
    mode = stat.S_IMODE(data.stat().st_mode)
    return Inspection("folder", not mode & 0o077, f"{data} has mode {mode:o}; others must not read it (chmod 700)")


def _inflow(path: Path) -> Inspection:
    """A folder that files are put into: there, ours to read and to move from, and nobody's whom the system does not speak through."""
    if not os.path.isdir(path):  # which says no where one may not even look
        return Inspection("files", False, f"{path} is no folder here; make it, or say in `folder` which is meant")
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return Inspection("files", False, f"{path} cannot be read and changed by this user, who moves what was read")
    if path.stat().st_mode & stat.S_IWOTH:
        return Inspection("files", False, f"{path} can be written by everyone on this machine, who then speaks for its system (chmod o-w)")
    left = [one.name for one in (path / REFUSED).glob("*.errors")] if (path / REFUSED).is_dir() else []
    return Inspection("files", True, f"{path}; {len(left)} files with refused lines", bool(left))


def _store(path: Path) -> Inspection:
    try:
        connection = connect(path, write=False, schema="")
    except Halt as refused:
        return Inspection(path.name, False, refused.why)
    except DAMAGED as why:
        return Inspection(path.name, False, f"it cannot be read: {in_words(why)}; {RESTORE}")
    try:
        if wrong := wrong_with(connection):
            return Inspection(path.name, False, f"it is damaged: {wrong}; {RESTORE}")
        mode = connection.pragma("journal_mode")
    finally:
        connection.close(True)
    return Inspection(path.name, mode == "wal", f"journal {mode}, every page in use as it was written")


def _together(data: Path) -> Inspection:
    try:
        refuse_apart(data)
    except Halt as refused:
        return Inspection("together", False, refused.why)
    except DAMAGED as why:
        return Inspection("together", False, f"it cannot be read: {in_words(why)}; {RESTORE}")
    return Inspection("together", True, "no file of the store is behind the others")


def _archive(data: Path) -> Inspection:
    try:
        good, wrong = wrong_with_archive(data)
    except DAMAGED as why:
        return Inspection("archive", False, f"where its messages lie cannot be read: {in_words(why)}; {RESTORE}")
    if wrong:
        return Inspection(
            "archive", False, f"{len(wrong)} messages cannot be read, the first: {wrong[0]}; a backup with --archive has them"
        )
    return Inspection("archive", True, f"{good} messages, each as it was archived")
