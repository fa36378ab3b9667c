"""PostgreSQL as a comparator: a cluster of its own, where the server is installed, and the conditional UPDATE that shops write."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from mainstay.proof.bench import Missing, folder

CONNECTIONS = 16
USER = "mainstay"
DEBIAN = "/usr/lib/postgresql"


class Server:
    """A server that listens on a socket in a folder of its own only, from its first use to the end of the block."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._where = ""

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def updates(self, names: Sequence[str], skus: Sequence[str]) -> float:
        """Conditional UPDATEs per second, each a transaction of its own. Raises Missing where PostgreSQL is not installed."""
        if not self._where:
            self._where = self._start(self._stack.enter_context(folder()).resolve())
        return _updates(self._where, names, skus)

    def _start(self, place: Path) -> str:
        found = shutil.which("initdb") or max((str(one) for one in Path(DEBIAN).glob("*/bin/initdb")), default="")
        if not found:
            raise Missing("PostgreSQL is not installed")
        programs, data, who = Path(found).parent, place / "cluster", _other_than_root(place)
        made = [str(programs / "initdb"), "-D", str(data), "-U", USER, "--auth=trust", "--no-locale", "--encoding=UTF8"]
        subprocess.run(made, user=who, check=True, capture_output=True, cwd=place)
        settings = [f"-cunix_socket_directories={place}", "-clisten_addresses=", "-cshared_buffers=256MB", "-cmax_wal_size=4GB"]
        server = subprocess.Popen(
            [str(programs / "postgres"), "-D", str(data), *settings], user=who, cwd=place,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._stack.callback(server.wait, 60)
        self._stack.callback(server.terminate)
        where = f"host={place} user={USER} dbname=postgres"
        _wait(where)
        return where


def _other_than_root(place: Path) -> str | None:
    """PostgreSQL refuses to run as root: Debian's package brings a user for it."""
    if os.geteuid():
        return None
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        raise Missing("PostgreSQL does not run as root, and there is no user `postgres`") from None
    os.chown(place, user.pw_uid, user.pw_gid)
    for above in place.resolve().parents:
        if not above.stat().st_mode & 0o001:
            raise Missing(f"the user `postgres` may not look into {above}; name another folder in MAINSTAY_BENCH_DIR")
    return user.pw_name


def _wait(where: str, within_s: float = 30) -> None:
    import psycopg

    until = time.monotonic() + within_s
    while True:
        try:
            psycopg.connect(where).close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def _updates(where: str, names: Sequence[str], skus: Sequence[str]) -> float:
    import psycopg

    with psycopg.connect(where, autocommit=True) as one, one.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS stock")
        cursor.execute("CREATE TABLE stock (sku TEXT PRIMARY KEY, avail BIGINT NOT NULL)")
        with cursor.copy("COPY stock FROM STDIN") as copy:
            for sku in skus:
                copy.write_row((sku, 10_000_000))
        cursor.execute("VACUUM ANALYZE stock")
        cursor.execute("CHECKPOINT")
    open_ = [psycopg.connect(where, autocommit=True) for _ in range(CONNECTIONS)]

    def sell(n: int) -> None:
        with open_[n].cursor() as cursor:
            for name in names[n::CONNECTIONS]:
                cursor.execute("UPDATE stock SET avail = avail - 1 WHERE sku = %s AND avail >= 1", (name,))
                assert cursor.rowcount == 1

    try:
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            started = time.perf_counter()
            list(pool.map(sell, range(CONNECTIONS)))
            return len(names) / (time.perf_counter() - started)
    finally:
        for one in open_:
            one.close()
