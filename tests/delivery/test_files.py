"""Files in a real folder, read by the real reader: when they are complete, once, each line by itself; and a crash at any moment."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from mainstay.app.forms import forms
from mainstay.delivery import files
from mainstay.delivery.files import LINE_BYTES_MAX, LINES_MAX, Folder, Inflow
from mainstay.flows.tell import FILED
from mainstay.model.times import SECOND
from mainstay.storage.database import rows

MOVED = {"event": "StockMoved", "item": "A", "sku": "A", "delta": 3, "at": 1_790_000_000_000_000}


def moved(number: int, **more: object) -> bytes:
    return json.dumps({"event": {**MOVED, "external": f"m{number}", **more}}).encode()


def lines(*several: bytes) -> bytes:
    return b"".join(one + b"\n" for one in several)


class Inbox:
    """A folder with its reader; what it recorded, and what it left where."""

    def __init__(self, desk, run, path: Path) -> None:
        self.desk, self.run, self.path = desk, run, path
        self.behind = 0
        path.mkdir()
        self.open()

    def open(self) -> None:
        self.folder = Folder(Inflow("erp", self.path, FILED, forms("erp", asks_first=False)), self.desk.outcomes, lambda: self.behind)

    def crash(self) -> None:
        """What was not committed is gone; the next reader begins with what is in the store."""
        self.desk.outcomes.inbox.close()
        self.desk.open()
        self.open()

    def fall(self) -> None:
        """What was under way and what was gathered are gone with the power."""
        tasks = asyncio.all_tasks(self.run.loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self.run.loop.run_until_complete(asyncio.wait(tasks))
        with contextlib.suppress(Power, asyncio.CancelledError):
            self.working.result()
        outcomes = self.desk.outcomes
        outcomes._new, outcomes._marks = [], {}

    def put(self, name: str, body: bytes, at_s: float = 1_790_000_000.0) -> Path:
        path = self.path / name
        path.write_bytes(body)
        os.utime(path, (at_s, at_s))
        return path

    def look(self, seconds: float = 7) -> None:
        async def for_a_while():
            self.working = working = asyncio.ensure_future(self.folder.run())
            await asyncio.sleep(seconds)
            if working.done():
                working.result()
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

        self.run(for_a_while())

    def told(self) -> list[tuple[str, str]]:
        """(key, external) of each line that was recorded, in its order."""
        found = rows(self.desk.outcomes.inbox.connection, "SELECT system, key, body FROM receipt WHERE topic = ? ORDER BY seq", (FILED,))
        assert {system for system, _, _ in found} <= {"erp"}
        return [(key, one["event"]["external"]) for _, key, body in found for one in json.loads(body)["statements"]]

    def letters(self) -> list[str]:
        found = rows(self.desk.outcomes.inbox.connection, "SELECT body FROM receipt WHERE topic = 'mainstay/outcome' ORDER BY seq")
        return [json.loads(body)["why"] for (body,) in found]

    def there(self, folder: str = "") -> dict[str, bytes]:
        return {one.name: one.read_bytes() for one in sorted((self.path / folder).glob("*")) if one.is_file()}


@pytest.fixture
def inbox(desk, run, tmp_path):
    return Inbox(desk, run, tmp_path / "inbox")


def test_each_line_is_a_receipt_of_the_system_that_the_folder_is_of(inbox):
    body = lines(moved(1), b"", moved(2))
    inbox.put("a.jsonl", body)
    inbox.look()
    assert inbox.told() == [("a.jsonl:1", "m1"), ("a.jsonl:3", "m2")]
    assert inbox.there() == {} and inbox.there("done") == {"a.jsonl": body} and inbox.there("refused") == {}
    assert inbox.letters() == [] and inbox.folder.last == "a.jsonl: 3 lines read"


def test_a_table_counts_at_the_time_at_which_it_was_written(inbox):
    inbox.put("Stock.CSV", b"location,sku,units\r\nback, A ,12\r\n,B,0\r\n", at_s=1_789_999_000.25)
    inbox.look()
    bodies = [
        json.loads(body)["statements"] for (body,) in rows(inbox.desk.outcomes.inbox.connection, "SELECT body FROM receipt ORDER BY seq")
    ]
    said = [one["event"] for (one,) in bodies]
    assert [(one["sku"], one["quantity"], one.get("location", ""), one["at"]) for one in said] == [
        ("A", 12, "back", 1_789_999_000_250_000), ("B", 0, "", 1_789_999_000_250_000),
    ]  # fmt: skip


def test_a_file_is_read_when_its_size_and_time_have_rested(inbox):
    for n in range(1, 6):
        inbox.put("a.jsonl", lines(*map(moved, range(n))), at_s=1_790_000_000.0 + n)
        inbox.look(4)
        assert inbox.told() == [], "it is still being written"
    inbox.look(3)
    assert [external for _, external in inbox.told()] == ["m0", "m1", "m2", "m3", "m4"]


def test_under_another_name_it_is_left_alone_and_renamed_it_is_read(inbox):
    inbox.put("a.jsonl.part", lines(moved(1)))
    inbox.put(".b.jsonl", lines(moved(2)))
    inbox.look(60)
    assert inbox.told() == [] and inbox.folder.ignored == 1
    (inbox.path / "a.jsonl.part").rename(inbox.path / "a.jsonl")
    inbox.look()
    assert inbox.told() == [("a.jsonl:1", "m1")] and inbox.folder.ignored == 0


def test_the_same_bytes_again_are_named_and_not_taken_again(inbox):
    inbox.put("a.jsonl", lines(moved(1)))
    inbox.look()
    inbox.put("b.jsonl", lines(moved(1)), at_s=1_790_000_500.0)
    inbox.look()
    assert len(inbox.told()) == 1 and inbox.there() == {} and list(inbox.there("duplicate")) == ["b.jsonl"]
    assert inbox.folder.last == "b.jsonl: holds what a.jsonl of 2026-09-21T14:13:25Z held, and was not taken again"
    inbox.crash()
    inbox.put("b.jsonl", lines(moved(1)), at_s=1_790_000_600.0)
    inbox.look()
    assert len(inbox.told()) == 1 and len(inbox.there("duplicate")) == 2, "after a restart too"


def test_a_table_written_anew_counts_anew_and_a_copy_of_it_does_not(inbox):
    """An export of tonight that holds what last night's held speaks of tonight: what was sold since is back, says its speaker."""
    for at_s in (1_789_990_000.0, 1_789_990_000.0, 1_789_995_000.0):
        inbox.put("stock.csv", b"sku,units\nA,12\n", at_s)
        inbox.look()
    ats = [
        json.loads(body)["statements"][0]["event"]["at"]
        for (body,) in rows(inbox.desk.outcomes.inbox.connection, "SELECT body FROM receipt")
    ]
    assert ats == [1_789_990_000 * SECOND, 1_789_995_000 * SECOND] and list(inbox.there("duplicate")) == ["stock.csv"]


def test_files_of_one_name_are_kept_beside_each_other(inbox):
    for n in (1, 2, 3):
        inbox.put("a.jsonl", lines(moved(n)))
        inbox.look()
    assert list(inbox.there("done").values()).sort() == [lines(moved(n)) for n in (1, 2, 3)].sort()
    assert len(inbox.there("done")) == 3 and len({key for key, _ in inbox.told()}) == 3, "each line has an identity of its own"


BAD = {
    "no JSON": (b"{oops", "json_syntax"),
    "half a line": (moved(9)[:-7], "json_syntax"),
    "not UTF-8": (moved(9, reason="X").replace(b"X", b"\xff"), "not_utf8"),
    "no statement": (b'{"statements": []}', "schema"),
    "a list": (b"[1]", "schema"),
    "unknown kind": (b'{"event": {"event": "Sold", "external": "1"}}', "schema"),
    "a field twice": (moved(9).replace(b'"delta": 3', b'"delta": 3, "delta": 4'), "schema"),
    "a text with NUL": (moved(9, reason="a\0b"), "schema"),
    "time ahead": (moved(9, at=1_790_003_600_000_000), "out_of_range"),
    "a hint": (b'{"event": {"event": "Hint", "external": "1", "feed": "orders"}}', "schema"),
    "a card number": (moved(9, reason="4111 1111 1111 1111"), "pan_not_accepted"),
    "nested without end": (b'{"x":' + b"[" * 200_000, "too_deep"),
    "a bad SKU": (moved(9, sku="A\u200bB"), "sku_ambiguous"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_line_that_cannot_be_read_is_named_and_its_neighbours_are_taken(inbox, what):
    bad, code = BAD[what]
    inbox.put("a.jsonl", lines(moved(1), bad, moved(2)))
    inbox.look()
    assert [external for _, external in inbox.told()] == ["m1", "m2"]
    reasons = inbox.there("refused")["a.jsonl.errors"].decode()
    assert reasons.startswith(f"line 2: {code}: ") and reasons.count("\n") == 1
    (letter,) = inbox.letters()
    assert letter.startswith("a.jsonl: 1 of 3 lines were refused, line 2 first: ") and str(inbox.path / "refused" / "a.jsonl") in letter
    kept = inbox.there("refused")["a.jsonl"]
    assert kept == lines(bad) if what != "a card number" else b"4111 1111 1111 1111" not in kept and b"411111******1111" in kept


def test_what_was_refused_can_be_mended_and_put_back(inbox):
    inbox.put("stock.csv", b"sku,units\nA,1\nB,two\nC,3\n")
    inbox.look()
    assert inbox.there("refused") == {
        "stock.csv": b"sku,units\nB,two\n",
        "stock.csv.errors": b"line 3: schema: 'two' is no number of units; write a whole number, 0 or more\n",
    }
    inbox.put("stock-2.csv", inbox.there("refused")["stock.csv"].replace(b"two", b"2"))
    inbox.look()
    assert [external for _, external in inbox.told()] == ["count.A", "count.C", "count.B"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("A", "'' is no number of units"), ("A,1,back,more", "it has 4 cells, of 3 columns"), ("A,-1", "'-1' is no number"),
        ("A,1.5", "'1.5' is no number"), (",5", "a SKU has 1 to 120 characters"), ('"A,5', "it is no row of a CSV file"),
        ("A,9999999999", "<= 1000000000"), (b"\xff,1", "not UTF-8"),
    ],
)  # fmt: skip
def test_a_row_that_is_no_count_is_named(inbox, row, said):
    inbox.put("stock.csv", b"sku,units,location\n" + (row if isinstance(row, bytes) else row.encode()) + b"\nB,1\n")
    inbox.look()
    assert [external for _, external in inbox.told()] == ["count.B"]
    assert said in inbox.there("refused")["stock.csv.errors"].decode()


def test_without_its_columns_a_table_is_refused_whole(inbox):
    inbox.put("stock.csv", b"article;amount\nA;1\nB;2\n")
    inbox.look()
    assert inbox.told() == [] and inbox.there("refused")["stock.csv"] == b"article;amount\nA;1\nB;2\n"
    assert "3 of 3 lines were refused, line 1 first: the columns are article;amount; write sku,units" in inbox.letters()[0]


@pytest.mark.parametrize(
    ("name", "body", "externals"),
    [
        ("bom.jsonl", b"\xef\xbb\xbf" + lines(moved(1)), ["m1"]),
        ("crlf.jsonl", moved(1) + b"\r\n" + moved(2) + b"\r\n", ["m1", "m2"]),
        ("open-end.jsonl", moved(1) + b"\n" + moved(2), ["m1", "m2"]),
        ("bom.csv", b"\xef\xbb\xbfsku,units\r\nA,1", ["count.A"]),
        ("empty.jsonl", b"", []),
        ("empty.csv", b"", []),
        ("blank.csv", b"\n\n", []),
    ],
)
def test_marks_ends_and_nothing_at_all(inbox, name, body, externals):
    inbox.put(name, body)
    inbox.look()
    assert [external for _, external in inbox.told()] == externals
    assert inbox.there() == {} and list(inbox.there("done")) == [name] and inbox.letters() == []


def test_a_folder_a_link_and_a_pipe_are_named_and_left(inbox, tmp_path):
    secret = tmp_path / "secret.jsonl"
    secret.write_bytes(lines(moved(9)))
    (inbox.path / "folder.jsonl").mkdir()
    (inbox.path / "link.jsonl").symlink_to(secret)
    os.mkfifo(inbox.path / "pipe.jsonl")
    (inbox.path / "sub").mkdir()
    inbox.put("a.jsonl", lines(moved(1)))
    inbox.look(20)
    assert inbox.told() == [("a.jsonl:1", "m1")] and secret.exists()
    assert sorted(inbox.folder.failures) == ["folder.jsonl", "link.jsonl", "pipe.jsonl"]
    assert all("is no file of its own" in why for why in inbox.folder.failures.values())


def test_a_folder_that_is_not_there_is_named_and_read_when_it_comes(inbox):
    inbox.path.rmdir()
    inbox.look(3)
    assert inbox.folder.failures == {"": f"{inbox.path}: No such file or directory"}
    inbox.path.mkdir()
    inbox.put("a.jsonl", lines(moved(1)))
    inbox.look()
    assert len(inbox.told()) == 1 and inbox.folder.failures == {}


@pytest.fixture
def as_nobody():
    """A folder in which this process has no more rights than any user has."""
    place = Path(tempfile.mkdtemp())
    place.chmod(0o777)
    root = os.geteuid() == 0
    try:
        yield place, (lambda: os.seteuid(65534)) if root else (lambda: None), (lambda: os.seteuid(0)) if root else (lambda: None)
    finally:
        if root:
            os.seteuid(0)
        shutil.rmtree(place)


def test_what_must_not_be_read_is_named_and_read_when_it_may_be(desk, run, as_nobody):
    place, drop, back = as_nobody
    inbox = Inbox(desk, run, place / "inbox")
    inbox.path.chmod(0o777)
    secret = inbox.put("a.jsonl", lines(moved(1)))
    secret.chmod(0)
    inbox.put("b.jsonl", lines(moved(2)))
    drop()
    try:
        inbox.look()
        assert inbox.folder.failures == {"a.jsonl": f"{secret}: Permission denied"}
        assert [external for _, external in inbox.told()] == ["m2"], "it stops no other"
    finally:
        back()
    secret.chmod(0o644)
    inbox.look(70)
    assert [external for _, external in inbox.told()] == ["m2", "m1"] and inbox.folder.failures == {}


def test_what_cannot_be_moved_is_taken_once_all_the_same(desk, run, as_nobody):
    place, drop, back = as_nobody
    inbox = Inbox(desk, run, place / "inbox")
    for folder in ("done", "refused", "duplicate"):
        (inbox.path / folder).mkdir()
        (inbox.path / folder).chmod(0o777)
    inbox.put("a.jsonl", lines(moved(1), b"oops")).chmod(0o644)
    inbox.path.chmod(0o555)
    drop()
    try:
        inbox.look(200)
        assert "Permission denied" in inbox.folder.failures["a.jsonl"]
        assert len(inbox.told()) == 1 and len(inbox.letters()) == 1
    finally:
        back()
    inbox.path.chmod(0o755)
    inbox.crash()
    inbox.look()
    assert len(inbox.told()) == 1 and len(inbox.letters()) == 1 and list(inbox.there("done")) == ["a.jsonl"]
    assert inbox.there("duplicate") == {} and inbox.there() == {}


def test_a_line_that_is_too_long_is_refused_and_never_held_whole(inbox):
    huge = moved(2, reason="x" * (40 * LINE_BYTES_MAX))
    inbox.put("a.jsonl", lines(moved(1), huge, moved(3)))
    import tracemalloc

    tracemalloc.start()
    inbox.look(20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [external for _, external in inbox.told()] == ["m1", "m3"]
    assert inbox.there("refused") == {"a.jsonl": b"", "a.jsonl.errors": b"line 2: payload_too_large: it is longer than 1,000,000 bytes\n"}
    assert peak < 12 * LINE_BYTES_MAX


def test_at_the_limit_a_line_is_not_too_long(inbox):
    fits = moved(1)[:-2] + b"}" + b" " * (LINE_BYTES_MAX - len(moved(1))) + b"}"
    assert len(fits) == LINE_BYTES_MAX
    inbox.put("a.jsonl", fits + b"\r\n" + moved(2) + b"\r\n")
    inbox.look()
    assert inbox.there("refused") == {} and [external for _, external in inbox.told()] == ["m1", "m2"]


def test_the_core_does_not_fall_behind(inbox):
    inbox.put("a.jsonl", lines(*map(moved, range(3 * LINES_MAX))))
    inbox.behind = files.BEHIND_MAX + 1
    inbox.look(60)
    assert len(inbox.told()) == LINES_MAX, "it waits after each commit"
    inbox.behind = 0
    inbox.look()
    assert len(inbox.told()) == 3 * LINES_MAX


class Power(KeyboardInterrupt):
    """The power goes."""


POINTS = ("_commit", "_end", "_move", "place", "rename", "documents")


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("nth", range(1, 9))
@pytest.mark.parametrize("point", POINTS)
def test_a_crash_at_any_moment_loses_nothing_and_doubles_nothing(inbox, monkeypatch, point, nth, after):
    body = lines(*(moved(n) if n % 150 else b"oops" for n in range(1, 4 * LINES_MAX + 50)))
    inbox.put("a.jsonl", body)
    kind = {"place": files.Report, "rename": type(inbox.path), "documents": type(inbox.desk.outcomes)}.get(point, Folder)
    right, calls = getattr(kind, point), []

    def crashing(self, *told):
        calls.append(point)
        if len(calls) == nth and not after:
            raise Power
        done = right(self, *told)
        if len(calls) == nth:
            raise Power
        return done

    with monkeypatch.context() as broken:
        broken.setattr(kind, point, crashing)
        with contextlib.suppress(Power):
            inbox.look(20)
    inbox.fall()
    inbox.crash()
    inbox.look(20)
    numbers = [n for n in range(1, 4 * LINES_MAX + 50) if n % 150]
    assert inbox.told() == [(f"a.jsonl:{n}", f"m{n}") for n in numbers]
    assert [letter.split(" lines")[0] for letter in inbox.letters()] == ["a.jsonl: 2 of 449"]
    assert inbox.there() == {} and inbox.there("done") == {"a.jsonl": body} and inbox.there("duplicate") == {}
    assert inbox.there("refused")["a.jsonl"] == b"oops\n" * 2 and len(inbox.there("refused")) == 2
    assert [one.name for one in (inbox.path / "refused").glob(".*")] == []


def test_a_file_that_grows_while_it_is_read_is_read_again_when_it_rests(inbox, monkeypatch):
    path, right = inbox.put("a.jsonl", lines(*map(moved, range(LINES_MAX)))), Folder._breathe

    async def grows(self):
        if path.stat().st_size < 30_000 and not grown:
            grown.append(1)
            path.open("ab").write(lines(moved(999)))
        await right(self)

    grown: list[int] = []
    monkeypatch.setattr(Folder, "_breathe", grows)
    inbox.look(6)
    assert grown and inbox.there("done") == {}
    inbox.look(10)
    assert inbox.told()[-1][1] == "m999" and next(iter(inbox.there("done").values())).endswith(lines(moved(999)))


def test_what_is_put_in_a_files_place_while_it_is_read_is_read_too(inbox, monkeypatch):
    inbox.put("a.jsonl", lines(*map(moved, range(LINES_MAX))))
    right, swapped = Folder._end, []

    def swaps(self, *told):
        right(self, *told)
        if not swapped:
            swapped.append(inbox.put("next", lines(moved(999))).rename(inbox.path / "a.jsonl"))

    monkeypatch.setattr(Folder, "_end", swaps)
    inbox.look(20)
    assert swapped and inbox.told()[-1][1] == "m999" and len(inbox.told()) == LINES_MAX + 1
