"""Opens a store file safely: through apsw only, one writer, WAL, synchronous FULL, a checksum in each page; and reads the named SQL."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import apsw
import apsw.sqlite_extra
import structlog

from mainstay.model.failures import Halt
from mainstay.storage.log_end import lost_from

SQLITE_MIN = (3, 51, 3)  # earlier versions can corrupt a WAL file that is reset while another connection checkpoints
PAGE_BYTES = {"state": 4096, "inbox": 16384}  # three deliveries of 5 KB to a page: a third fewer bytes and a tenth of the tail
CACHE_KIB = 65_536
BUSY_MS = 10_000
CHECKPOINT_PAGES = 4_000
SCHEMA_VERSION = 5
OLDEST_VERSION = 3  # from which steps lead to the present one
SUM_BYTES = 8  # at the end of each page: its checksum
RESTORE = "stop Mainstay, keep a copy of the folder, and `mainstay restore` the last backup"

log = structlog.get_logger("storage")


def connect(path: Path, *, write: bool, schema: str) -> apsw.Connection:
    """A connection to a store file. The writer creates it; readers wait for no one and change nothing."""
    if tuple(int(part) for part in apsw.sqlite_lib_version().split(".")) < SQLITE_MIN:
        raise Halt(f"SQLite {apsw.sqlite_lib_version()} can corrupt its WAL; install apsw 3.51.3 or newer")
    check_pages()
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE if write else apsw.SQLITE_OPEN_READONLY
    connection = apsw.Connection(str(path), flags=flags)
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)  # whose log is looked at below: closing takes nothing of it away
    connection.set_busy_timeout(BUSY_MS)
    if schema:  # where the file is being made just now: a page that is read in another length than it was written has another checksum
        connection.pragma("page_size", PAGE_BYTES[schema])
    try:
        refuse_other(connection, write=write)
        _refuse_lost_end(connection)
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
        if write:
            _prepare(connection, schema)
        connection.pragma("cache_size", -CACHE_KIB)
        connection.pragma("temp_store", "memory")
        connection.pragma("mmap_size", 0)
    except BaseException:
        connection.close(True)
        raise
    return connection


@contextlib.contextmanager
def still(path: Path) -> Iterator[None]:
    """Meanwhile nobody writes this store file; who commits just now is waited for."""
    holder = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        holder.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        holder.set_busy_timeout(BUSY_MS)
        holder.execute("BEGIN IMMEDIATE")
        yield
    finally:
        holder.close(True)


def _refuse_lost_end(connection: apsw.Connection) -> None:
    if lost_from(connection):
        with still(Path(connection.filename)):
            at = lost_from(connection)
        if at:
            wal = connection.filename_wal
            raise Halt(f"{wal}: a commit that stands behind byte {at} cannot be read: what was kept last is lost; {RESTORE}")


def _prepare(connection: apsw.Connection, schema: str) -> None:
    if connection.reserve_bytes() != SUM_BYTES:
        _make_room(connection)
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    connection.pragma("secure_delete", "on")  # what is deleted is overwritten: erasure is meant
    connection.pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
    if sys.platform == "darwin":
        connection.pragma("fullfsync", "on")
        connection.pragma("checkpoint_fullfsync", "on")
    migrate(connection, schema)
    _renew(connection)


def _make_room(connection: apsw.Connection) -> None:
    """Have each page end in its checksum; a file of an earlier version is written anew, all of it or nothing."""
    if connection.pragma("journal_mode", "delete") != "delete":
        raise Halt(f"{connection.filename} is of an earlier version and open elsewhere, and is to be written anew; stop that first")
    connection.reserve_bytes(reserve=SUM_BYTES)
    if connection.pragma("user_version"):
        connection.execute("VACUUM")


def _renew(connection: apsw.Connection) -> None:
    """Bring what the log holds into stable storage, and begin a new one. A commit whose sync failed can be found again when the file is
    opened, and is in no stable storage: Linux forgets pages that it could not write. Moved into the file, it is; but the old log, which
    lacks it, could come back after a power cut and undo it, unless a new one has been synced over it."""
    with contextlib.suppress(apsw.BusyError):
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    connection.pragma("user_version", connection.pragma("user_version"))


@cache
def check_pages() -> None:
    """From now on SQLite looks at the checksum of each page that it reads, and reads none that is not what was written.

    Source: https://sqlite.org/cksumvfs.html; what lies in the write-ahead log has checksums of SQLite's own.
    """
    if not apsw.sqlite_extra.has("cksumvfs"):
        raise Halt("this apsw was built without its extras, which hold the checksums of pages; install its wheel from PyPI")
    passing = apsw.Connection(":memory:")
    apsw.sqlite_extra.load(passing, "cksumvfs")
    passing.close()


_FAULT = re.compile(r'checksum fault offset (\d+) of "(.*)"')
_faults: list[str] = []  # the last page that was not what had been written, in words


def _hear(code: int, said: str) -> None:
    """SQLite's own log: the only place that names the page."""
    if code == apsw.SQLITE_IOERR_DATA and (fault := _FAULT.fullmatch(said)):
        words = f"{fault[2]}: the page at byte {fault[1]} is not what was written"
        if words not in _faults:
            log.error("store_damaged", why=words)
        _faults[:] = [words]


with contextlib.suppress(apsw.MisuseError):  # SQLite has been used in this process already: pages are checked, and not named
    apsw.config(apsw.SQLITE_CONFIG_LOG, _hear)


def damage(why: BaseException) -> str:
    """What of the store is damaged, in words; empty where a failure is another one."""
    if isinstance(why, apsw.IOError):
        seen = getattr(why, "extendedresult", 0) == apsw.SQLITE_IOERR_DATA
        return next(iter(_faults), "a page is not what was written") if seen else ""
    return str(why) if isinstance(why, DAMAGED) else ""


def in_words(why: BaseException) -> str:
    """A failure to read the store: by what is damaged, where that is known."""
    return damage(why) or str(why)


def wrong_with(connection: apsw.Connection) -> str:
    """What is wrong with the pages of a file, each of which is read; empty where nothing is."""
    _faults.clear()
    try:
        said = connection.pragma("integrity_check")
    except DAMAGED as why:
        return in_words(why)
    return "" if said == "ok" else next(iter(_faults), said)


def force(file: int) -> None:
    """Return when all that was written to this file is in stable storage. On macOS fsync alone leaves it in the drive's cache."""
    if sys.platform == "darwin":
        fcntl.fcntl(file, fcntl.F_FULLFSYNC)
    else:
        os.fsync(file)


def scrub(connection: apsw.Connection) -> bool:
    """Empty the write-ahead log, in which deleted bytes outlive their row; False while a reader still looks at it."""
    connection.set_busy_timeout(0)
    try:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except apsw.BusyError:
        return False
    finally:
        connection.set_busy_timeout(BUSY_MS)
    return True


def refuse_other(connection: apsw.Connection, *, write: bool) -> None:
    """What a newer version wrote is neither read nor changed, nor what no steps lead from. What is older waits for its writer."""
    version = connection.pragma("user_version")
    if version in (0, SCHEMA_VERSION) or (write and OLDEST_VERSION <= version < SCHEMA_VERSION):
        return
    name = connection.filename
    connection.close()
    age = "a newer" if version > SCHEMA_VERSION else "an older"
    told = f"{name} was written by {age} Mainstay (schema {version}, this one knows {SCHEMA_VERSION})"
    if OLDEST_VERSION <= version < SCHEMA_VERSION:
        raise Older(f"{told}; start `mainstay up` once, which brings it up to date")
    raise Halt(f"{told}; install that version again, or begin with an empty data folder")


class Older(Halt):
    """A store file that its writer will bring up to date."""


def migrate(connection: apsw.Connection, schema: str) -> None:
    """Bring a file to the present schema: in numbered steps, sql/{schema}_{version}.sql, forward only, all of them or none."""
    version = connection.pragma("user_version")
    if version == SCHEMA_VERSION:
        return
    steps = [f"{schema}_schema.sql"] if version == 0 else [f"{schema}_{number}.sql" for number in range(version + 1, SCHEMA_VERSION + 1)]
    with connection:
        for step in steps:
            connection.execute(text(step))
        connection.pragma("user_version", SCHEMA_VERSION)


NO_MEMORY = (MemoryError, apsw.NoMemError)  # as Python says it, and as SQLite does
# What says that the store cannot be written, as against a message that breaks one of its rules (ConstraintError).
STORE_FAILED = (
    OSError, *NO_MEMORY, apsw.BusyError, apsw.CantOpenError, apsw.CorruptError, apsw.FullError, apsw.IOError, apsw.NotADBError,
    apsw.PermissionsError, apsw.ReadOnlyError,
)  # fmt: skip

DAMAGED = (apsw.CorruptError, apsw.IOError, apsw.NotADBError, apsw.SQLError)  # how reading a file ends that is not what was written


class Lock:
    """The right to write a store file, held until the process ends: a second writer is refused."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise Halt(f"{path} is being written by another process; stop it first") from None

    def release(self) -> None:
        """Give it back, once: the number of a closed file may be another's already."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def text(name: str) -> str:
    """A file of the folder sql."""
    return resources.files("mainstay.storage").joinpath("sql", name).read_text()


_STATEMENT = re.compile(r"^-- name: (\w+)\n((?:-- .*\n)+)((?:(?!-- name:).*\n?)+)", re.M)


# The statements are the same text on SQLite and PostgreSQL, but for the mark of a value (?, $1) and three sources of rows: a JSON list as
# numbers(?), texts(?) or pairs(?), each with a column `value`. SQLite has one function for the three.
_LISTS = re.compile(r"\b(?:numbers|texts|pairs)\(")
# And rows that are written most, in tables without a second unique column, are replaced: SQLite takes a third less time for it.
REPLACED = ("save_order", "save_reservation", "save_stock")
_UPSERT = re.compile(r"INTO (.*)\nON CONFLICT \(id\) DO UPDATE SET .*", re.S)


def named(name: str) -> dict[str, str]:
    """The statements of an SQL file by their names, as they stand there. Each has a description; a test reads them."""
    found = {match[1]: match[3].strip().rstrip(";") for match in _STATEMENT.finditer(text(name))}
    assert found, f"{name} holds no named statements"
    return found


def _for_sqlite(name: str, sql: str) -> str:
    return _LISTS.sub("json_each(", _UPSERT.sub(r"OR REPLACE INTO \1", sql) if name in REPLACED else sql)


SQL = {name: _for_sqlite(name, sql) for file in ("state.sql", "inbox.sql") for name, sql in named(file).items()}


def ask(connection: apsw.Connection, name: str, bindings: Any = ()) -> list[tuple[Any, ...]]:
    """All rows of a named query."""
    return rows(connection, SQL[name], bindings)


def rows(connection: apsw.Connection, sql: str, bindings: Any = ()) -> list[tuple[Any, ...]]:
    """All rows of a query."""
    return connection.execute(sql, bindings).fetchall()
