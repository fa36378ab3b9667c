"""Opens a store file safely: through apsw only, one writer, WAL, synchronous FULL; and reads the named SQL."""

from __future__ import annotations

import fcntl
import os
import re
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import apsw

from mainstay.model.failures import Halt

SQLITE_MIN = (3, 51, 3)  # earlier versions can corrupt a WAL file that is reset while another connection checkpoints
PAGE_BYTES = {"state": 4096, "inbox": 16384}  # three deliveries of 5 KB to a page: a third fewer bytes and a tenth of the tail
CACHE_KIB = 65_536
BUSY_MS = 10_000
CHECKPOINT_PAGES = 4_000
SCHEMA_VERSION = 3


def connect(path: Path, *, write: bool, schema: str) -> apsw.Connection:
    """A connection to a store file. The writer creates it; readers wait for no one and change nothing."""
    if tuple(int(part) for part in apsw.sqlite_lib_version().split(".")) < SQLITE_MIN:
        raise Halt(f"SQLite {apsw.sqlite_lib_version()} can corrupt its WAL; install apsw 3.51.3 or newer")
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE if write else apsw.SQLITE_OPEN_READONLY
    connection = apsw.Connection(str(path), flags=flags)
    connection.set_busy_timeout(BUSY_MS)
    refuse_other(connection)
    if write:
        connection.pragma("page_size", PAGE_BYTES[schema])
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "full")
        connection.pragma("secure_delete", "on")  # what is deleted is overwritten: erasure is meant
        connection.pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        if sys.platform == "darwin":
            connection.pragma("fullfsync", "on")
            connection.pragma("checkpoint_fullfsync", "on")
        migrate(connection, schema)
    connection.pragma("cache_size", -CACHE_KIB)
    connection.pragma("temp_store", "memory")
    connection.pragma("mmap_size", 0)
    return connection


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


def refuse_other(connection: apsw.Connection) -> None:
    """What another version wrote is neither read nor changed: nothing leads from schema 1 to 2. Raises Halt."""
    version = connection.pragma("user_version")
    if version not in (0, SCHEMA_VERSION):
        name = connection.filename
        connection.close()
        age = "a newer" if version > SCHEMA_VERSION else "an older"
        raise Halt(
            f"{name} was written by {age} Mainstay (schema {version}, this one knows {SCHEMA_VERSION}); "
            "install that version again, or begin with an empty data folder"
        )


def migrate(connection: apsw.Connection, schema: str) -> None:
    """Bring a file to the present schema: numbered, forward only."""
    if connection.pragma("user_version") == 0:
        with connection:
            connection.execute(text(f"{schema}_schema.sql"))
            connection.pragma("user_version", SCHEMA_VERSION)


# What says that the store cannot be written, as against a message that breaks one of its rules (ConstraintError).
STORE_FAILED = (
    OSError, apsw.BusyError, apsw.CantOpenError, apsw.CorruptError, apsw.FullError, apsw.IOError, apsw.NoMemError, apsw.NotADBError,
    apsw.PermissionsError, apsw.ReadOnlyError,
)  # fmt: skip


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
        os.close(self._file)


def text(name: str) -> str:
    """A file of the folder sql."""
    return resources.files("mainstay.storage").joinpath("sql", name).read_text()


_STATEMENT = re.compile(r"^-- name: (\w+)\n((?:-- .*\n)+)((?:(?!-- name:).*\n?)+)", re.M)


def statements(name: str) -> dict[str, str]:
    """The named statements of an SQL file. Each has a description; a test reads them."""
    found = {match[1]: match[3].strip().rstrip(";") for match in _STATEMENT.finditer(text(name))}
    assert found, f"{name} holds no named statements"
    return found


def rows(connection: apsw.Connection, sql: str, bindings: Any = ()) -> list[tuple[Any, ...]]:
    """All rows of a query."""
    return connection.execute(sql, bindings).fetchall()
