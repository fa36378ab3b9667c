"""The files: one writer each, readers see commits only, and the guards that stand in the tables themselves."""

import re
import subprocess
import sys
import tempfile
import threading
import time
from hashlib import sha256
from importlib import resources

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.model.failures import Halt
from mainstay.orders.moves import MOVES
from mainstay.storage import database
from mainstay.storage.bell import Bell, Ringer
from mainstay.storage.database import REPLACED, Lock, connect, named, rows, scrub
from mainstay.storage.inbox import OUTCOMES_FROM, Inbox, InboxReader
from mainstay.storage.packing import Damaged, pack, unpack
from mainstay.storage.state import Batch, State

LEVEL = "INSERT INTO stock VALUES (257, ?, ?, ?, 0, 0, 0, ?, 0, 0, x'5B302C302C305D', x'5B5D')"
TRANSFER = "INSERT INTO transfer VALUES (1, 1, 1, 'goods', ?, ?, ?)"


@pytest.fixture
def state(tmp_path):
    state = State(tmp_path / "state.db")
    yield state
    state.close()


# --- one writer --------------------------------------------------------------------------------------------------------
def test_a_second_writer_is_refused_by_name(tmp_path):
    lock = Lock(tmp_path / "inbox.db")
    with pytest.raises(Halt, match=r"inbox\.db is being written by another process"):
        Lock(tmp_path / "inbox.db")
    lock.release()
    Lock(tmp_path / "inbox.db").release()


def test_another_process_cannot_write_what_this_one_writes(state):
    program = f"from mainstay.storage.state import State; from pathlib import Path; State(Path({str(state.path)!r}))"
    refused = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert refused.returncode and "being written by another process" in refused.stderr


def test_a_writer_that_ended_leaves_no_lock(tmp_path):
    for _ in range(2):
        Inbox(tmp_path / "inbox.db").close()


# --- readers -----------------------------------------------------------------------------------------------------------
def test_a_reader_sees_only_what_was_committed(state):
    reader = State(state.path, write=False)
    state.connection.execute("BEGIN IMMEDIATE")
    state.connection.execute("INSERT INTO word VALUES (1, 'shop/order')")
    assert reader.words() == {}
    state.connection.execute("COMMIT")
    assert reader.words() == {"shop/order": 1}
    reader.close()


def test_a_reader_cannot_write(state):
    with pytest.raises(apsw.ReadOnlyError):
        State(state.path, write=False).connection.execute("INSERT INTO word VALUES (1, 'x')")


def test_a_batch_is_written_whole_or_not_at_all(state):
    batch = Batch()
    batch.words = [(1, "shop/order")]
    batch.counters = {"event": 1}
    batch.stock = [(257, 1, 2, 0, 0, 0, 0, 0, 0, 0, b"[0,0,0]", b"[]")]  # promised more than there is
    with pytest.raises(apsw.ConstraintError):
        state.write(batch)
    assert state.words() == {} and state.counters() == {}
    batch.stock = []
    state.write(batch)
    assert state.words() == {"shop/order": 1} and state.counters() == {"event": 1}


def test_an_inbox_that_is_not_there_yet_is_empty(tmp_path):
    reader = InboxReader(tmp_path / "inbox.db")
    assert reader.after(0, 10) == [] and reader.one(1) is None and reader.behind(0) == 0 and reader.open() is None
    inbox = Inbox(tmp_path / "inbox.db")
    inbox.add([(1, "shop", "t", "k", b"b")])
    assert [one.body for one in reader.after(0, 10)] == [b"b"] and reader.behind(0) == 1


def test_receipts_and_the_cursor_that_came_with_them_are_one_commit(tmp_path):
    inbox = Inbox(tmp_path / "inbox.db")
    assert inbox.add([(1, "s", "t", "k", b"1"), (1, "s", "t", "k", b"2")], [("cursor/s/orders", "p2")]) == 2
    with pytest.raises(TypeError):
        inbox.add([(1, "s", "t", "k", b"3"), (1, "s", "t", "k", object())], [("cursor/s/orders", "p3")])  # type: ignore[list-item]
    inbox.close()
    again = Inbox(tmp_path / "inbox.db")
    assert again.mark("cursor/s/orders") == "p2" and again.last == 2 and again.mark("no such") == ""


def test_a_number_alone_says_which_inbox_it_is_in(tmp_path):
    assert Inbox(tmp_path / "inbox.db").add([(1, "s", "t", "k", b"")]) == 1
    assert Inbox(tmp_path / "outcomes.db").add([(1, "s", "t", "k", b"")]) == OUTCOMES_FROM + 1


# --- safe or not at all ------------------------------------------------------------------------------------------------
def test_an_old_sqlite_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.51.2")
    with pytest.raises(Halt, match=r"SQLite 3\.51\.2 can corrupt its WAL"):
        connect(tmp_path / "state.db", write=True, schema="state")
    assert not (tmp_path / "state.db").exists()


def test_the_sqlite_that_we_carry_is_new_enough():
    assert tuple(map(int, apsw.sqlite_lib_version().split("."))) >= database.SQLITE_MIN


@pytest.mark.parametrize(("version", "age"), [(database.SCHEMA_VERSION + 1, "a newer"), (database.OLDEST_VERSION - 1, "an older")])
def test_a_store_of_another_mainstay_is_refused(state, version, age):
    state.connection.pragma("user_version", version)
    state.close()
    with pytest.raises(Halt, match=f"was written by {age} Mainstay"):
        State(state.path)


NEXT = database.SCHEMA_VERSION + 1
PAGE = database.PAGE_BYTES["inbox"]
STEP = f"state_{NEXT}.sql"


@pytest.fixture
def next_version(monkeypatch):
    """The next Mainstay, whose orders have one column more; its steps are what is set here."""
    steps = {STEP: "ALTER TABLE orders ADD COLUMN seen INTEGER NOT NULL DEFAULT 7;"}
    ours = database.text
    monkeypatch.setattr(database, "SCHEMA_VERSION", NEXT)
    monkeypatch.setattr(database, "text", lambda name: steps[name] if name in steps else ours(name))
    return steps


@pytest.fixture
def with_an_order(tmp_path):
    state = State(tmp_path / "state.db")
    state.connection.execute("INSERT INTO orders VALUES (1, 'placed', 1, 0, 0, 0, x'')")
    state.close()
    return state.path


def test_an_older_store_is_brought_up_to_date_by_its_writer(with_an_order, next_version):
    with pytest.raises(Halt, match=rf"older Mainstay \(schema {NEXT - 1}, this one knows {NEXT}\); start `mainstay up` once"):
        connect(with_an_order, write=False, schema="state")
    assert rows(connect(with_an_order, write=True, schema="state"), "SELECT id, seen FROM orders") == [(1, 7)]
    assert connect(with_an_order, write=False, schema="state").pragma("user_version") == NEXT


def test_a_store_from_before_there_were_jobs_gets_its_tables(with_an_order):
    older = apsw.Connection(str(with_an_order))
    older.execute("ALTER TABLE event DROP COLUMN head")
    for table in ("job", "pause", "shape", "drift"):
        older.execute(f"DROP TABLE {table}")
    older.pragma("user_version", 3)
    older.close()
    state = State(with_an_order)
    assert (
        state.rows("newest_jobs", (9,)) == state.rows("drifts") == [] and state.connection.pragma("user_version") == database.SCHEMA_VERSION
    )


@pytest.fixture
def without_checksums(tmp_path, monkeypatch):
    """An inbox as it was before its pages bore checksums."""
    with monkeypatch.context() as before:
        before.setattr(database, "_make_room", lambda connection: None)
        before.setattr(database, "SCHEMA_VERSION", 4)
        inbox = Inbox(tmp_path / "inbox.db")
        inbox.add([(1, "s", "t", f"k{n}", b"x" * 3_000) for n in range(100)])
        inbox.close()
    return inbox.path


def test_the_pages_of_an_older_store_get_checksums(without_checksums):
    Inbox(without_checksums).close()
    whole = without_checksums.read_bytes()
    assert [one.key for one in InboxReader(without_checksums).after(0, 200)] == [f"k{n}" for n in range(100)]
    with_one = connect(without_checksums, write=False, schema="inbox")
    pages = [whole[at : at + PAGE] for at in range(0, len(whole), PAGE)]
    assert len(pages) > 20 and all(rows(with_one, "SELECT verify_checksum(?)", (page,)) == [(1,)] for page in pages)


def test_whoever_opens_a_file_while_it_is_made_can_read_it(tmp_path):
    """Its pages are read in the length in which they are written, from the first one on: in another, their checksum would be wrong."""
    for n in range(60):
        path = tmp_path / f"inbox-{n}.db"
        maker = threading.Thread(target=lambda path=path: Inbox(path).add([(1, "s", "t", "k", b"x")]))
        maker.start()
        reader, ends = InboxReader(path), time.monotonic() + 10
        while not (found := reader.after(0, 1)) and time.monotonic() < ends:
            pass
        maker.join()
        assert [one.key for one in found] == ["k"]


class Racing(apsw.Connection):
    """Somebody commits at the very moment at which it asks how long the log is. SQLite answers so at once, whatever its timeout: where
    another process committed all the time, once in ten thousand times (measured: 3,891 of 43 million)."""

    races = 0

    def wal_checkpoint(self, *args, **how):
        self.races += 1
        if self.races < 4:
            raise apsw.BusyError("database is locked")
        return super().wal_checkpoint(*args, **how)


def test_whoever_opens_a_file_while_somebody_commits_is_not_told_that_it_is_locked(tmp_path, monkeypatch):
    Inbox(tmp_path / "inbox.db").add([(1, "s", "t", "k", b"x")])
    monkeypatch.setattr(apsw, "Connection", Racing)
    reader = connect(tmp_path / "inbox.db", write=False, schema="inbox")
    assert reader.races >= 4 and rows(reader, "SELECT key FROM receipt") == [("k",)]


def test_an_older_store_that_is_open_elsewhere_waits(without_checksums):
    other = apsw.Connection(str(without_checksums))
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM receipt").fetchall()
    with pytest.raises((Halt, apsw.BusyError)):
        Inbox(without_checksums)
    other.close()
    assert Inbox(without_checksums).last == 100


def test_an_apsw_without_its_extras_is_refused(tmp_path, monkeypatch):
    database.check_pages.cache_clear()
    monkeypatch.setattr(apsw.sqlite_extra, "has", lambda name: None)
    with pytest.raises(Halt, match="built without its extras"):
        connect(tmp_path / "state.db", write=True, schema="state")


def test_a_step_that_fails_leaves_the_store_as_it_was(with_an_order, next_version):
    whole = next_version[STEP]
    next_version[STEP] = f"{whole} UPDATE orders SET status = 'no such status';"
    with pytest.raises(apsw.ConstraintError):
        connect(with_an_order, write=True, schema="state")
    next_version[STEP] = whole
    assert rows(connect(with_an_order, write=True, schema="state"), "SELECT status, seen FROM orders") == [("placed", 7)]


@pytest.mark.parametrize(("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("secure_delete", 1)])
def test_every_writer_is_durable_and_forgets_what_is_deleted(state, tmp_path, pragma, value):
    assert state.connection.pragma(pragma) == value
    assert Inbox(tmp_path / "inbox.db").connection.pragma(pragma) == value


def test_the_write_ahead_log_is_emptied_when_nobody_looks(state):
    state.connection.execute("INSERT INTO vault VALUES (1, 1, CAST('canary-bytes' AS BLOB))")
    wal = state.path.with_name("state.db-wal")
    assert b"canary-bytes" in wal.read_bytes()
    reader = connect(state.path, write=False, schema="state")
    reader.execute("BEGIN")
    rows(reader, "SELECT count(*) FROM vault")
    state.connection.execute("DELETE FROM vault")
    assert not scrub(state.connection), "somebody still reads the old state"
    reader.execute("ROLLBACK")
    assert scrub(state.connection) and wal.stat().st_size == 0
    assert b"canary-bytes" not in state.path.read_bytes()


@pytest.fixture
def books(state):
    """Two accounts of one currency, and one of another."""
    state.connection.execute("INSERT INTO account VALUES (1, 'sales', 'EUR', 0), (2, 'psp', 'EUR', 0), (3, 'psp', 'BRL', 0)")
    return state


# --- the guards in the tables ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("values", [(5, 6, 0, 0), (5, 3, 3, 0), (5, 7, 0, 1), (-1, 0, 0, 0), (0, -1, 0, 0), (0, 0, -1, 0), (0, 0, 0, -1)])
def test_plain_sql_cannot_oversell(state, values):
    with pytest.raises(apsw.ConstraintError, match="CHECK"):
        state.connection.execute(LEVEL, values)


def test_nor_can_it_later(state):
    state.connection.execute(LEVEL, (5, 3, 2, 0))
    for change in ("allocated = 4", "reserved = reserved + 1", "on_hand = 4"):
        with pytest.raises(apsw.ConstraintError, match="CHECK"):
            state.connection.execute(f"UPDATE stock SET {change}")
    state.connection.execute("UPDATE stock SET on_hand = 4, deficit = 1")


@pytest.mark.parametrize("value", ["three", "3.5", 2.5, float("nan"), None, b"3"], ids=repr)
@pytest.mark.parametrize("sql", [LEVEL, TRANSFER], ids=["stock", "transfer"])
def test_an_integer_column_takes_integers_only(books, sql, value):
    values = (value, 0, 0, 0) if sql == LEVEL else (1, 2, value)
    with pytest.raises(apsw.ConstraintError, match=r"cannot store|NOT NULL"):
        books.connection.execute(sql, values)


def test_a_posting_is_for_ever(books):
    books.connection.execute(TRANSFER, (1, 2, 100))
    for sql in ("UPDATE transfer SET amount = 1", "UPDATE transfer SET what = what", "DELETE FROM transfer"):
        with pytest.raises(apsw.ConstraintError, match="a posted transfer is never"):
            books.connection.execute(sql)


@pytest.mark.parametrize("values", [(1, 1, 100), (1, 2, 0), (1, 2, -5)])
def test_a_posting_moves_something_between_two_accounts(books, values):
    with pytest.raises(apsw.ConstraintError, match="CHECK"):
        books.connection.execute(TRANSFER, values)


@pytest.mark.parametrize("accounts", [(1, 3), (3, 2), (1, 4), (4, 1)])
def test_a_posting_stays_within_a_currency_and_between_accounts_that_are_there(books, accounts):
    with pytest.raises(apsw.ConstraintError, match="between two accounts of one currency"):
        books.connection.execute(TRANSFER, (*accounts, 100))


def test_an_order_s_row_has_a_state_of_the_table_of_moves(state):
    order = "INSERT INTO orders VALUES (NULL, ?, 1, 0, 0, 0, x'7B7D')"
    for status in MOVES:
        state.connection.execute(order, (status,))
    with pytest.raises(apsw.ConstraintError, match="CHECK"):
        state.connection.execute(order, ("shiped",))


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO reservation VALUES (1, 'lost', 0, x'')",
        "INSERT INTO letter VALUES (1, 0, 'forgotten', '', '', 0, x'')",
        "INSERT INTO orders VALUES (1, 'placed', 2, 0, 0, 0, x'')",
    ],
)
def test_a_word_that_no_table_knows(state, sql):
    with pytest.raises(apsw.ConstraintError, match="CHECK"):
        state.connection.execute(sql)


# --- cross-references --------------------------------------------------------------------------------------------------
def test_look_ups_are_right_before_within_and_after_a_merge(state):
    def link(*xrefs):
        batch = Batch()
        batch.xrefs = list(xrefs)
        state.write(batch)

    keys = [(1, 17), (1, "17"), (1, "017"), (2, 17), (1, "Ä"), (9, 9)]
    known = {(1, 17): 100, (1, "17"): 101, (1, "017"): 102, (2, 17): 103, (1, "Ä"): 104}
    link(*((*key, entity) for key, entity in list(known.items())[:3]))
    reader = State(state.path, write=False)
    state.merge_xrefs()
    link(*((*key, entity) for key, entity in list(known.items())[3:]))
    for one in (state, reader):
        assert one.find(keys) == known
    assert state.unmerged == 2
    state.merge_xrefs()
    assert state.find(keys) == reader.find(keys) == known and state.unmerged == 0
    state.close()
    assert State(state.path).find(keys) == known


def test_the_first_entity_keeps_an_id_that_two_claim(state):
    for entity in (100, 200):
        batch = Batch()
        batch.xrefs = [(1, "same", entity)]
        state.write(batch)
        state.merge_xrefs()
    assert state.find([(1, "same")]) == {(1, "same"): 100}
    assert state.claims == [(1, "same", 100, 200)], "and the other claim is told"


def test_a_claim_within_one_merge_is_told_and_a_repeat_is_none(state):
    batch = Batch()
    batch.xrefs = [(1, 7, 300), (1, 7, 100), (1, 8, 300), (1, 8, 300)]
    state.write(batch)
    state.merge_xrefs()
    assert state.find([(1, 7), (1, 8)]) == {(1, 7): 300, (1, 8): 300}
    assert state.claims == [(1, 7, 300, 100)]


# --- packing, bells ----------------------------------------------------------------------------------------------------
@given(st.binary(max_size=2_000).map(lambda body: b"[" + body))
def test_what_is_packed_is_unpacked(body):
    assert unpack(pack(body)) == body and pack(body) == pack(body)


def test_a_vocabulary_that_rows_were_packed_with_never_changes():
    """Changing the file makes every store unreadable. A better vocabulary is a new file with the next number."""
    words = resources.files("mainstay.storage").joinpath("vocabulary", "1.jsonl").read_bytes()
    assert sha256(words).hexdigest() == "1f4efffd6cef28742e8d4b8d913220160e69c263fa5b7849ed145df0969b119d"
    row = pack(b'[%s{"event":"Moved","move":"ship"}]' % (b'{"event":"Moved","move":"place"},' * 8))
    assert row[0] == 1 and len(row) < 60, "the vocabulary is used"
    with pytest.raises(Damaged):
        unpack(row[:-1] + bytes([row[-1] ^ 1]))


def test_a_byte_of_a_short_row_that_the_disk_changed_is_found():
    """Whatever it says now, and though it is JSON as before: `"at":1` that became `"at":3`."""
    row = pack(b'{"event":"Erased","by":"ann"}')
    assert unpack(row) == b'{"event":"Erased","by":"ann"}' and unpack(b'{"by":"ann"}') == b'{"by":"ann"}', "an earlier version's row"
    for place in range(len(row)):
        with pytest.raises(Damaged):
            unpack(row[:place] + bytes([row[place] ^ 2]) + row[place + 1 :])
    for cut in range(len(row)):
        with pytest.raises(Damaged):
            unpack(row[:cut])


def test_a_bell_is_heard_and_a_ring_into_nothing_is_no_failure(tmp_path):
    ringer = Ringer(tmp_path, "core")
    ringer.ring()
    bell = Bell(tmp_path, "core")
    for _ in range(10_000):
        ringer.ring()
    assert bell._socket.recv(8) == b"!"
    bell.drain()
    with pytest.raises(BlockingIOError):
        bell._socket.recv(8)
    bell.close()
    ringer.ring()
    ringer.close()


def test_a_bell_rings_where_the_folder_for_temporary_files_has_a_long_name(tmp_path, monkeypatch):
    """A unix socket's name has 103 bytes on macOS, whose own folder for temporary files takes half of them."""
    long = tmp_path / ("ä" * 60)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    bell, ringer = Bell(tmp_path, "dispatch"), Ringer(tmp_path, "dispatch")
    assert len(bell._socket.getsockname().encode()) <= 103
    ringer.ring()
    assert bell._socket.recv(8) == b"!"
    bell.close()
    ringer.close()


def test_on_macos_the_drive_is_asked_too(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(database.sys, "platform", "darwin")
    monkeypatch.setattr(database.fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(database.fcntl, "fcntl", lambda file, what: asked.append((file, what)))
    with (tmp_path / "segment").open("wb") as file:
        database.force(file.fileno())
        assert asked == [(file.fileno(), 51)]


@pytest.mark.parametrize("name", REPLACED)
def test_a_row_that_sqlite_replaces_is_updated_in_every_column_elsewhere(name):
    sql = named("state.sql")[name]
    assert re.findall(r"\w+", sql[sql.index("(") : sql.index(")")]) == ["id", *re.findall(r"excluded\.(\w+)", sql)]
