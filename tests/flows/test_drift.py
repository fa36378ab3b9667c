"""Documents that come to look otherwise are told once, before or as a mapping breaks; what is accepted is not told again."""

import json
import random

import msgspec
import pytest
from msgspec import Struct

from mainstay.app.forms import forms
from mainstay.contract.connector import read
from mainstay.flows import drift
from mainstay.flows.drift import (
    EACH,
    EVERY,
    FEW,
    FEW_US,
    FIRST,
    MISSING_AFTER,
    OF_ONE,
    OWN_WORDS,
    SPAN_US,
    AcceptRequest,
    Drifted,
    Watch,
    drifted,
    shown,
)
from mainstay.flows.tell import FILED, TellRequest, statements_of
from mainstay.model.objects import Line as OrderLine
from mainstay.model.objects import Order, Person
from mainstay.model.seen import PriceSeen, Said, StockCounted
from mainstay.model.times import DAY, SECOND
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
        self.core.shop = msgspec.structs.replace(self.core.shop, translate={"shop": translate, "till": statements_of})
        self.inbox = Inbox(folder / "inbox.db")
        self.told = 0
        self.every = SPAN_US // EACH  # between two that come: as fast as a small shop ever is
        self.open()

    def open(self):
        self.core.state.close()
        self.core.open()
        self.watch = Watch(self.core.intake, {"inbox": InboxReader(self.folder / "inbox.db")}, self.learned)

    @staticmethod
    def learned(system, topic):
        return system == "shop" or (system == "till" and topic in OWN_WORDS)

    def receive(self, system, topic, body, times=1):
        news = [(T0 + (self.told + n) * self.every, system, topic, f"e{self.told + n}", body) for n in range(times)]
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
    first = shop.come(3, **change) - 2
    (one,) = shop.found()
    assert (one["system"], one["topic"], one["path"], one["kind"], one["reads"]) == ("shop", "orders", path, kind, reads)
    assert consequence in one["consequence"] and one["count"] == 3
    assert one["example"] == first


@pytest.mark.parametrize(("name", "reads"), [("total", True), ("extra", False)])
def test_what_was_always_there_is_missed_after_some_in_a_row(shop, name, reads):
    shop.lack(name, MISSING_AFTER - 1)
    assert shop.found() == []
    shop.come()
    shop.lack(name, MISSING_AFTER - 1)
    assert shop.found() == [], "one that had it was between them"
    shop.lack(name, 1)
    (one,) = shop.found()
    assert (one["path"], one["kind"], one["reads"]) == (name, "missing", reads)


def test_what_is_accepted_is_recorded_and_not_told_again(shop):
    shop.come(gift={"wrapped": True}, total=9.9)
    number = next(one["id"] for one in shop.found() if one["path"] == "gift")
    assert shop.accept(ids=(number,), by="ada", reason="their new version") == (200, {"accepted": [number]})
    shop.come(2, gift={"wrapped": False})
    assert [one["path"] for one in shop.found()] == ["total"]
    (done,) = shop.found("accepted")
    assert (done["by"], done["reason"], done["count"]) == ("ada", "their new version", 1) and done["decided_at"]
    assert shop.accept(ids=(number,))[0] == 404
    assert shop.accept(every=True)[1]["accepted"] and shop.found() == []


def test_it_is_known_after_a_restart(shop):
    shop.come(gift=1)
    before = shop.found()
    shop.open()
    shop.look()
    shop.come(gift=1)
    (one,) = shop.found()
    assert one | {"count": 1, "last_at": before[0]["last_at"]} == before[0] and one["count"] == 2


def read_of(shop):
    """Which documents are read from now on."""
    read, one = [], InboxReader.one
    shop.watch.inboxes["inbox"].one = lambda seq: read.append(seq) or one(shop.watch.inboxes["inbox"], seq)
    return read


def test_of_many_only_some_are_read(shop):
    """A flash sale: the first of each span, and one in so many. What changes is told all the same."""
    read, shop.every = read_of(shop), SECOND // 500
    shop.told = 20 * SPAN_US // shop.every
    shop.come(20 * EVERY)
    assert len(read) == EACH + 20 - EACH // EVERY
    shop.lack("total", MISSING_AFTER * EVERY)
    shop.come(EVERY, gift=1)
    assert [(one["path"], one["kind"]) for one in shop.found()] == [("gift", "new"), ("total", "missing")]
    assert len(read) == EACH + 41 - EACH // EVERY


def test_each_is_read_while_few_come(shop):
    """Forty orders a day: whatever changes is told with the first document that shows it, what vanished with the twentieth."""
    read, shop.every = read_of(shop), DAY // 40
    shop.told = 1_000
    shop.come(MISSING_AFTER)
    shop.lack("total", MISSING_AFTER)
    shop.come(extra="1", gift=1)
    assert len(read) == 2 * MISSING_AFTER + 1
    assert [(one["path"], one["kind"], one["count"]) for one in shop.found()] == [
        ("gift", "new", 1), ("extra", "retyped", 1), ("total", "missing", 1)
    ]  # fmt: skip


def test_a_document_that_shows_nothing_costs_no_commit(shop, monkeypatch):
    commits, write = [], shop.core.state.write
    monkeypatch.setattr(shop.core.state, "write", lambda batch: commits.append(batch) or write(batch))
    for _ in range(5):
        shop.come()
    assert len(commits) == 5, "those of the receipts"
    shop.come(gift=1)
    assert len(commits) == 7 and len(shop.found()) == 1


def test_a_kind_that_comes_seldom_is_learned_from_fewer(shop):
    body = json.dumps({"id": 1, "total": "9.90", "lines": []}).encode()
    shop.every = FEW_US // (FEW - 1)
    shop.told = 1_000
    shop.receive("shop", "refunds", body, FEW)
    shop.receive("shop", "refunds", body.replace(b'"9.90"', b"9.9"))
    shop.look()
    assert [(one["topic"], one["path"], one["kind"]) for one in shop.found()] == [("refunds", "total", "retyped")]


def test_another_clock_begins_another_span():
    pace = drift.Pace()
    assert [pace.is_sample(T0) for _ in range(EACH + 1)] == [True] * EACH + [False]
    assert pace.is_sample(0) and pace.is_sample(T0) and drift.Pace.of(pace.kept) == pace


# --- the same log, the same decisions ----------------------------------------------------------------------------------
def storm(dice):
    """Receipts of some kinds, in spans with few and with many; now and then one looks otherwise, or is no JSON."""
    at, news = T0, []
    for number in range(1_200):
        at += dice.choice([SPAN_US // 3 if dice.random() < 0.02 else SECOND // 500, SECOND])
        topic = dice.choice(["orders"] * 8 + ["refunds", "statement"])
        body = {"id": number, "total": "9.90", "lines": []} | ({"note": "N"} if number > 900 and dice.random() < 0.1 else {})
        news.append((at, "shop", topic, f"e{number}", b"{" if dice.random() < 0.05 else json.dumps(body).encode()))
    return news


def watched(folder, news, dice, monkeypatch):
    """What is known in the end of what came in such lots, looked at in such steps, with a restart now and then."""
    folder.mkdir()
    shop = Shop(folder)
    while news:
        lot, news = news[: (many := dice.randrange(1, 300))], news[many:]
        shop.inbox.add(lot)
        for _ in range(dice.randrange(3)):
            shop.core.intake.take(
                "inbox",
                InboxReader(folder / "inbox.db").after(shop.core.world.counters.get("position/inbox", 0), dice.randrange(1, 200)),
                T0 + DAY,
            )
            monkeypatch.setattr(drift, "HEADS_MAX", dice.randrange(5, 500))
            monkeypatch.setattr(drift, "AT_ONCE", dice.randrange(1, 40))
            shop.watch.step()
        if dice.random() < 0.2:
            shop.open()
    shop.core.intake.take(
        "inbox", InboxReader(folder / "inbox.db").after(shop.core.world.counters.get("position/inbox", 0), 2_000), T0 + DAY
    )
    shop.look()
    connection = shop.core.state.connection
    known = [
        rows(connection, "SELECT system, topic, body FROM shape ORDER BY 1, 2"),
        rows(connection, "SELECT id, status, body FROM drift ORDER BY id"),
    ]
    shop.inbox.close()
    shop.core.state.close()
    return known


def test_other_batches_steps_and_restarts_give_the_same(tmp_path, monkeypatch):
    news = storm(random.Random(1))
    for name, value in {"EVERY": 7, "EACH": 20, "FIRST": 60}.items():
        monkeypatch.setattr(drift, name, value)
    found = [watched(tmp_path / str(seed), news, random.Random(seed), monkeypatch) for seed in range(6)]
    shapes, drifts = found[0]
    assert len(shapes) == 3 and len(drifts) >= 1 and all(one == found[0] for one in found)


# --- systems of the shop's own, and files ------------------------------------------------------------------------------
def count(number, **more):
    return StockCounted(external=f"count.{number}", at=T0, item="i", sku="A", quantity=number + 1, **more)


def tell(shop, topic, *events):
    shop.receive("till", topic, msgspec.json.encode(TellRequest(statements=tuple(Said(event) for event in events))))
    shop.look()


def test_what_a_system_of_one_s_own_leaves_out_is_told(shop):
    """Each kind of statement is a kind of document of its own, however they are mixed."""
    price = PriceSeen(external="p", at=T0, sku="A", price=990, currency="EUR")
    for number in range(FIRST):
        tell(shop, "api/statements", count(number, location="here"), price)
    assert shop.found() == []
    for number in range(MISSING_AFTER):
        tell(shop, "api/statements", price, count(number))
    tell(shop, "api/statements", msgspec.structs.replace(price, version=7))
    new, gone = shop.found()
    assert (gone["system"], gone["topic"], gone["path"], gone["kind"], gone["reads"]) == (
        "till", "api/statements/StockCounted", "event.location", "missing", True
    )  # fmt: skip
    assert (new["topic"], new["path"], new["kind"], new["reads"]) == ("api/statements/PriceSeen", "event.version", "new", True)


@pytest.mark.parametrize("body", [
    b"[]", b"7", b"null", b"{}", b'{"statements": 7}', b'{"statements": [7, null, {}, {"event": 7}, {"event": {}}]}',
    b'{"statements": [{"event": {"event": 7}}, {"event": {"event": "Nothing"}}]}',
])  # fmt: skip
def test_a_request_that_is_no_request_stops_nobody(shop, body):
    """The core has refused it by then."""
    shop.receive("till", "api/statements", body)
    while shop.watch.step():
        pass
    assert shop.found() == []


def test_a_request_of_many_statements_costs_as_a_few(shop):
    for number in range(FIRST // OF_ONE):
        tell(shop, "api/statements", *(count(number, location="here") for _ in range(500)))
    for _ in range(MISSING_AFTER // OF_ONE):
        assert shop.found() == []
        tell(shop, "api/statements", *(count(number) for _ in range(500)))
    assert [(one["path"], one["kind"]) for one in shop.found()] == [("event.location", "missing")]
    assert shop.accept(every=True)[0] == 200
    tell(shop, "api/statements", count(1))
    assert shop.found() == []


A_UNIT = {"lines": [{"sku": "A", "quantity": 1}]}


def an_order(**more):
    line = OrderLine(id="1", sku="A", quantity=1, price=990)
    order = Order(number="7", currency="EUR", total=990, placed_at=T0, lines=(line,))
    return {"external": "7", "order": msgspec.to_builtins(order), "person": msgspec.to_builtins(Person(name="Ada"))} | more


@pytest.mark.parametrize(
    ("topic", "before", "after", "path"),
    [
        ("api/order", an_order(), an_order(person=None), "person"),
        (
            "api/reserve",
            {"lines": [{"sku": "A", "quantity": 1}], "expires_in_s": 60},
            {"lines": [{"sku": "A", "quantity": 1}], "expires_in_s": None},
            "expires_in_s",
        ),
    ],
)
def test_so_is_what_it_hands_over_when_it_asks(shop, topic, before, after, path):
    for document in [before] * FIRST + [after]:
        shop.receive("till", topic, json.dumps(document).encode())
    shop.look()
    assert [(one["topic"], one["path"], one["kind"], one["now"], one["reads"]) for one in drifts(shop)] == [
        (topic, path, "retyped", "null", True)
    ]


def drifts(shop):
    return [shown(one) | {"now": one.now} for one in drifted(shop.core.state)]


def test_a_column_that_vanishes_from_a_file_is_told(shop):
    """The nightly table of counts comes without its locations: each row would count for the place that is counted by default."""

    def night(head, row, rows_of_it):
        lines = forms("till", asks_first=False)[".csv"].reader(T0, T0)
        for line in [head, *[row] * rows_of_it]:
            if (body := lines(line)) is not None:
                shop.receive("till", FILED, body)
        shop.look()

    night(b"sku,units,location", b"A,7,here", FIRST)
    night(b"sku,units", b"A,7", MISSING_AFTER)
    (one,) = shop.found()
    assert (one["topic"], one["path"], one["kind"]) == ("file/statements/StockCounted", "event.location", "missing")


def test_no_value_is_kept(shop):
    shop.come(total="canary", note="canary", gift={"to": "canary@buyer.example", "canary@buyer.example": 1}, metadata={"x": "canary"})
    kept = rows(shop.core.state.connection, "SELECT body FROM shape UNION ALL SELECT body FROM drift")
    assert kept and not any(b"canary" in body for (body,) in kept)


def test_what_others_say_and_what_is_no_json_is_passed_over(shop):
    shop.receive("market", "statement", b'{"a": 1}', 300)
    shop.receive("shop", "orders", b"{", 50)
    shop.look()
    assert shop.found() == [] and rows(shop.core.state.connection, "SELECT system FROM shape") == [("shop",)]


def test_what_is_no_json_is_no_lesson(shop):
    """The first of a kind are broken: as many of the others are learned from as if they had not come."""
    shop.receive("shop", "refunds", b"{", FIRST)
    body = {"id": 1, "total": "9.90", "lines": []}
    shop.receive("shop", "refunds", json.dumps(body).encode(), FIRST)
    shop.receive("shop", "refunds", json.dumps({**body, "gift": 1}).encode())
    shop.look()
    assert [(one["topic"], one["path"]) for one in shop.found()] == [("refunds", "gift")]


def test_a_kind_that_became_something_else_altogether_is_told_within_limits(shop):
    letters = "abcdefghij"
    for number in range(3):
        shop.come(1, **{f"x_{one}{two}": 1 for one in letters[:8] for two in letters[:6]}, **{f"y_{letters[number]}": 1})
    assert 0 < len(shop.found()) <= 50


def test_the_reader_s_form_is_stable():
    one = Drifted(1, "shop", "orders", "a", "retyped", ("string",), "null", T0, T0, 1, 7, True, False)
    assert shown(one)["what"] == "was string, is null" and msgspec.json.decode(msgspec.json.encode(one), type=Drifted) == one
