"""Documents that come to look otherwise are told once, before or as a mapping breaks; what is accepted is not told again."""

import json

import msgspec
import pytest
from msgspec import Struct

from mainstay.contract.connector import read
from mainstay.flows.drift import EVERY, FIRST, MISSING_AFTER, AcceptRequest, Drifted, Watch, drifted, shown
from mainstay.model.seen import Said, StockCounted
from mainstay.model.times import DAY
from mainstay.storage.database import rows
from mainstay.storage.inbox import Inbox, InboxReader

from .conftest import T0, Core


class Line(Struct):
    sku: str


class Document(Struct):
    id: int
    total: str
    lines: list[Line]
    note: str | None = None


def translate(topic, body):
    found = read(body, Document)
    return [Said(StockCounted(external="count", at=T0, item="i", sku=f"S{found.note or ''}{found.total}", quantity=found.id))]


class Shop:
    """A core with a mapping of its own, over an inbox that it reads as the real one does."""

    def __init__(self, folder):
        self.folder = folder
        self.core = Core(folder / "state.db")
        self.core.shop = msgspec.structs.replace(self.core.shop, translate={"shop": translate})
        self.inbox = Inbox(folder / "inbox.db")
        self.told = 0
        self.open()

    def open(self):
        self.core.state.close()
        self.core.open()
        self.watch = Watch(self.core.intake, {"inbox": InboxReader(self.folder / "inbox.db")}, lambda system, _: system == "shop")

    def receive(self, system, topic, body, times=1):
        news = [(T0 + self.told + n, system, topic, f"e{self.told + n}", body) for n in range(times)]
        self.told += times
        self.inbox.add(news)
        receipts = InboxReader(self.folder / "inbox.db").after(self.inbox.last - times, times)
        self.core.intake.take("inbox", receipts, T0 + DAY)
        return self.inbox.last

    def come(self, times=1, **more):
        body = json.dumps({"id": self.told, "total": "9.90", "lines": [{"sku": "A", "tax": 1}], "metadata": {"k": 1}, "extra": 1} | more)
        last = self.receive("shop", "orders", body.encode(), times)
        self.look()
        return last

    def lack(self, name, times):
        body = {"id": self.told, "total": "9.90", "lines": [{"sku": "A", "tax": 1}], "metadata": {"k": 1}, "extra": 1}
        del body[name]
        self.receive("shop", "orders", json.dumps(body).encode(), times)
        self.look()

    def look(self):
        while self.watch.step():
            pass

    def found(self, status="open"):
        return [shown(one) for one in drifted(self.core.state) if one.status == status]

    def accept(self, **request):
        receipt = self.receive("operator", "operator/drift", msgspec.json.encode(AcceptRequest(**request)))
        return self.core.told(receipt)


@pytest.fixture
def shop(tmp_path):
    shop = Shop(tmp_path)
    shop.come(FIRST)
    assert shop.found() == []
    yield shop
    shop.inbox.close()
    shop.core.state.close()


CHANGES = {  # what of a document changes -> path, kind, does the mapping read it, what follows
    "a field that the mapping does not read": ({"gift": {"wrapped": True}}, "gift", "new", False, "nothing changes"),
    "a field that it reads": ({"note": "N"}, "note", "new", True, "look at what became"),
    "another type that it refuses": ({"total": 9.9}, "total", "retyped", True, "are refused"),
    "null where there never was": ({"total": None}, "total", "retyped", True, "are refused"),
    "another type within a list": ({"lines": [{"sku": 7, "tax": 1}]}, "lines[].sku", "retyped", True, "are refused"),
    "another type that nobody reads": ({"extra": "1"}, "extra", "retyped", False, "nothing changes"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_is_told_once_with_an_example_and_what_follows(shop, name):
    change, path, kind, reads, consequence = CHANGES[name]
    first = shop.come(3 * EVERY, **change) - 3 * EVERY + 1
    (one,) = shop.found()
    assert (one["system"], one["topic"], one["path"], one["kind"], one["reads"]) == ("shop", "orders", path, kind, reads)
    assert consequence in one["consequence"] and one["count"] == 3
    assert first <= one["example"] <= first + EVERY


@pytest.mark.parametrize(("name", "reads"), [("total", True), ("extra", False)])
def test_what_was_always_there_is_missed_after_some_in_a_row(shop, name, reads):
    shop.lack(name, EVERY * (MISSING_AFTER - 1))
    assert shop.found() == []
    shop.come(EVERY)
    shop.lack(name, EVERY * (MISSING_AFTER - 1))
    assert shop.found() == [], "one that had it was between them"
    shop.lack(name, EVERY)
    (one,) = shop.found()
    assert (one["path"], one["kind"], one["reads"]) == (name, "missing", reads)


def test_what_is_accepted_is_recorded_and_not_told_again(shop):
    shop.come(EVERY, gift={"wrapped": True}, total=9.9)
    number = next(one["id"] for one in shop.found() if one["path"] == "gift")
    assert shop.accept(ids=(number,), by="ada", reason="their new version") == (200, {"accepted": [number]})
    shop.come(2 * EVERY, gift={"wrapped": False})
    assert [one["path"] for one in shop.found()] == ["total"]
    (done,) = shop.found("accepted")
    assert (done["by"], done["reason"], done["count"]) == ("ada", "their new version", 1) and done["decided_at"]
    assert shop.accept(ids=(number,))[0] == 404
    assert shop.accept(every=True)[1]["accepted"] and shop.found() == []


def test_it_is_known_after_a_restart(shop):
    shop.come(EVERY, gift=1)
    before = shop.found()
    shop.open()
    shop.look()
    shop.come(EVERY, gift=1)
    (one,) = shop.found()
    assert one | {"count": 1, "last_at": before[0]["last_at"]} == before[0] and one["count"] == 2


def test_after_the_first_only_some_are_read(shop):
    read = []
    one = InboxReader.one
    shop.watch.inboxes["inbox"].one = lambda seq: read.append(seq) or one(shop.watch.inboxes["inbox"], seq)
    shop.come(4 * EVERY)
    assert len(read) == 4


def test_no_value_is_kept(shop):
    shop.come(
        EVERY, total="canary", note="canary", gift={"to": "canary@buyer.example", "canary@buyer.example": 1}, metadata={"x": "canary"}
    )
    kept = rows(shop.core.state.connection, "SELECT body FROM shape UNION ALL SELECT body FROM drift")
    assert kept and not any(b"canary" in body for (body,) in kept)


def test_what_others_say_and_what_is_no_json_is_passed_over(shop):
    shop.receive("market", "statement", b'{"a": 1}', 300)
    shop.receive("shop", "orders", b"{", EVERY)
    shop.look()
    assert shop.found() == [] and rows(shop.core.state.connection, "SELECT system FROM shape") == [("shop",)]


def test_what_is_no_json_is_no_lesson(shop):
    """The first of a kind are broken: as many of the others are learned from as if they had not come."""
    shop.receive("shop", "refunds", b"{", 2 * EVERY)
    body = {"id": 1, "total": "9.90", "lines": []}
    shop.receive("shop", "refunds", json.dumps(body).encode(), FIRST)
    shop.receive("shop", "refunds", json.dumps({**body, "gift": 1}).encode(), EVERY)
    shop.look()
    assert [(one["topic"], one["path"]) for one in shop.found()] == [("refunds", "gift")]


def test_a_kind_that_became_something_else_altogether_is_told_within_limits(shop):
    letters = "abcdefghij"
    for number in range(3):
        shop.come(EVERY, **{f"x_{one}{two}": 1 for one in letters[:8] for two in letters[:6]}, **{f"y_{letters[number]}": 1})
    assert 0 < len(shop.found()) <= 50


def test_the_reader_s_form_is_stable():
    one = Drifted(1, "shop", "orders", "a", "retyped", ("string",), "null", T0, T0, 1, 7, True, False)
    assert shown(one)["what"] == "was string, is null" and msgspec.json.decode(msgspec.json.encode(one), type=Drifted) == one
