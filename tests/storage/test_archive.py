"""Raw bytes are kept as they came, sealed; and when a person is erased, nothing of theirs is left in any file that we own."""

import json

import msgspec
import pytest
from msgspec.structs import replace

from mainstay.flows import queue
from mainstay.flows.ask import OrderRequest
from mainstay.flows.rebuild import verify
from mainstay.model.failures import Reject
from mainstay.model.objects import Address, Person, Reference
from mainstay.model.outcome import TOPIC, Outcome
from mainstay.model.seen import CustomerSeen, RefundSeen, StockCounted
from mainstay.storage import archive as archives
from mainstay.storage.archive import vocabulary
from mainstay.storage.database import scrub
from mainstay.storage.inbox import OUTCOMES_FROM, Receipt
from mainstay.storage.packing import Damaged, unpack
from tests.flows.conftest import a_parcel, a_payment, an_order

CANARIES = ("Zebedia Quillfeather", "zebedia.quill@canary.example", "Nightjar Lane 4711", "+99-555-canary")
ZEB = Person(
    id="c-zeb", name=CANARIES[0], email=CANARIES[1], phone=CANARIES[3],
    shipping=Address(name=CANARIES[0], street=CANARIES[2], city="Sealtown", country="DE"),
)  # fmt: skip
GRACE = Person(id="c-grace", name="Grace Hopper", email="grace@example.com")


def files_with(folder, text: str) -> list[str]:
    """Every file below the folder that holds these bytes, in UTF-8 or UTF-16."""
    needles = (text.encode(), text.encode("utf-16-le"))
    return [path.name for path in folder.rglob("*") if path.is_file() and any(needle in path.read_bytes() for needle in needles)]


def a_shop_with_two_buyers(store):
    """Their data comes by webhook, by poll, early, parked and refused."""
    store.tell("erp", StockCounted(external="c", at=1, item="i-A", sku="A", quantity=50))
    store.tell("psp", a_payment("pi_9"), ZEB)  # before its order
    store.tell("shop", an_order("1", payments=("pi_9",)), ZEB)
    store.tell("shop", an_order("2"), GRACE)
    store.tell("shop", an_order("1", version=2, payments=("pi_9",)), ZEB, source="outcomes")
    store.tell("wms", a_parcel("p1", "rel.shop.1.1"), ZEB, source="outcomes")
    store.tell("psp", RefundSeen(external="re_1", version=1, of=Reference("payment", "pi_9"), currency="EUR", amount=1), ZEB)
    store.handle()


# --- bytes come back ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("body", [b"", b"\x00\xff raw", b"{}" * 50_000, "ä€😀".encode()], ids=["empty", "binary", "long", "unicode"])
@pytest.mark.parametrize("source", ["inbox", "outcomes"])
def test_an_archived_receipt_is_what_came_in(store, source, body):
    seq = store.record("shop", "no/such", "k1", body, source)
    before = archives.raw_of(store.data, store.readers, "shop", seq)
    store.handle()
    assert store.archive() == 1
    assert store.readers[source].one(seq) is None, "it moved"
    assert archives.raw_of(store.data, store.readers, "shop", seq) == before
    assert (seq >= OUTCOMES_FROM) == (source == "outcomes")


def test_what_lies_in_a_segment_that_is_not_there_is_gone(store):
    """As after a restore without the archive; the core does not end on it."""
    seq = store.record("shop", "no/such", "k1", b"raw")
    store.handle()
    store.archive()
    for segment in (store.data / "archive").iterdir():
        segment.unlink()
    assert archives.raw_of(store.data, store.readers, "shop", seq) is None


def test_a_sealed_segment_shows_nothing(store):
    a_shop_with_two_buyers(store)
    assert files_with(store.data, CANARIES[1]), "in the open inbox it stands as it came"
    store.archive()
    segments = sorted((store.data / "archive").iterdir())
    assert [path.name for path in segments] == ["inbox-000001.seg", "outcomes-000001.seg"]
    for path in segments:
        assert not any(canary.encode() in path.read_bytes() for canary in (*CANARIES, GRACE.email))


def test_the_vocabulary_holds_field_names_only():
    body = b'{"name":"Ada","email":"ada@example.com","note":"\\"Ada\\": x","a":1,"Ada Lovelace":2}'
    assert vocabulary([Receipt(1, 1, "s", "t", "k", body)]) == b'"name":"email":"note":'


def test_numbers_go_on_after_everything_was_archived(store):
    first = store.record("shop", "x", "k", b"1")
    store.handle()
    store.archive()
    store.inboxes["inbox"].close()
    again = type(store.inboxes["inbox"])(store.data / "inbox.db")
    assert again.add([(1, "shop", "x", "k", b"2")]) == first + 1


@pytest.mark.parametrize("source", ["inbox", "outcomes"])
def test_numbers_go_on_after_the_newest_receipts_were_a_person_s_who_is_erased(store, source):
    """A number that is given out twice would be behind the core's position, and never be read."""
    store.tell("shop", an_order("1"), ZEB, source=source)
    store.handle()
    store.record("operator", "operator/erase", "", b'{"who":"ord.shop.1"}', "outcomes" if source == "inbox" else "inbox")
    store.handle()
    assert store.core.rows("SELECT count(*) FROM event WHERE kind = 'subject'") == [(1,)]
    for name, inbox in store.inboxes.items():
        archives.Archive(store.data, inbox, name).step(store.core.state, all_of_it=True)
    last = store.inboxes[source].last
    store.inboxes[source].close()
    again = type(store.inboxes[source])(store.data / f"{source}.db")
    assert again.last == last
    assert again.add([(1, "shop", "x", "k", b"2")]) > store.core.world.counters[f"position/{source}"]


def test_segments_begin_anew_when_they_are_full(store, monkeypatch):
    monkeypatch.setattr(archives, "SEGMENT_BYTES_MAX", 200)
    numbers = []
    for n in range(4):
        numbers.append(store.record("shop", "no/such", f"k{n}", bytes([n]) * 400 + msgspec.json.encode(list(range(200)))))
        store.handle()
        store.archive()
    assert len(list((store.data / "archive").glob("inbox-*.seg"))) > 1
    assert [store.raw(seq)[:1] for seq in numbers] == [bytes([n]) for n in range(4)]


def test_a_few_receipts_wait_for_more(store):
    store.tell("shop", an_order())
    store.handle()
    assert store.archives["inbox"].step(store.core.state) == 0
    assert store.archives["inbox"].step(store.core.state, all_of_it=True) == 1


def test_what_the_core_has_not_handled_is_not_archived(store):
    seq = store.tell("shop", an_order())
    assert store.archive() == 0 and store.readers["inbox"].one(seq) is not None


def test_a_changed_byte_is_not_taken_for_the_message(store):
    seq = store.record("shop", "no/such", "k", b"hello")
    store.handle()
    store.archive()
    (path,) = (store.data / "archive").glob("inbox-*")
    path.write_bytes(path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 1]))
    with pytest.raises(Damaged, match=f"number {seq}, is not what was archived"):
        store.raw(seq)
    (letter,) = queue.wanted(store.core.state, queue.Wanted())
    asked = store.record("operator", "operator/retry", str(letter.id), msgspec.json.encode({"by": "ann"}))
    store.handle()
    status, told = store.core.told(asked)
    assert status == 409 and "is not what was archived" in told["detail"], told


# --- erasure -----------------------------------------------------------------------------------------------------------
def test_after_erasure_no_file_holds_anything_of_the_person(store):
    a_shop_with_two_buyers(store)
    numbers = range(1, store.inboxes["inbox"].last + 1)
    store.erase("ord.shop.1")
    assert [(canary, file) for canary in CANARIES for file in files_with(store.data, canary)] == [], "not even in a write-ahead log"
    readable = {seq: body for seq in numbers if (body := store.raw(seq)) is not None}
    assert not any(canary.encode() in body for canary in CANARIES for body in readable.values()), "and no key opens the sealed ones"
    assert any(b"grace@example.com" in body for body in readable.values()), "others are still readable"
    assert store.raw(OUTCOMES_FROM + 1) is None and store.raw(OUTCOMES_FROM + 2) is None


def test_erasure_reaches_what_was_archived_before_it_was_known_whose_it_is(store):
    early = store.tell("psp", a_payment("pi_9"), ZEB)
    parked = store.record("gone", "statement", "k", msgspec.json.encode((an_order("7"), ZEB)))
    store.handle()
    assert store.archive() == 2
    store.tell("shop", an_order("1", payments=("pi_9",)), ZEB)
    store.core.shop.translate["gone"] = store.core.shop.translate["shop"]
    store.record("operator", "operator/retry", str(letter_of(store)), b"{}")
    store.handle()
    store.erase("ord.gone.7")
    assert store.raw(parked) is None
    store.erase("ord.shop.1")
    assert store.raw(early) is None


@pytest.mark.parametrize(("action", "values"), [("retry", {}), ("repair", {"0.order.number": "#seven"})])
def test_erasure_reaches_what_a_job_has_taken(store, action, values):
    """Nothing in the message tells whose it is, but the order that it became; and what was set goes where it names somebody."""
    parked = store.record("gone", "statement", "k", msgspec.json.encode((an_order("7"), Person(id="c-zeb", name=CANARIES[0]))))
    store.handle()
    store.core.shop.translate["gone"] = store.core.shop.translate["shop"]
    asked = {"action": action, "query": {}, "set": values, "reason": f"says {CANARIES[1]}"}
    told = store.record("operator", "operator/job", "", msgspec.json.encode(asked))
    store.handle()
    store.core.wait(10_000)
    store.tell("shop", an_order("1"), ZEB)
    store.handle()
    store.archive()
    assert store.raw(parked) is not None and store.raw(told) is not None
    store.erase("ord.gone.7")
    store.erase("ord.shop.1")
    assert store.raw(parked) is None and (store.raw(told) is None) == bool(values)


def letter_of(store) -> int:
    return store.core.rows("SELECT id FROM letter WHERE status = 'open'")[0][0]


def test_erasure_reaches_behind_many_batches_that_hold_nothing(store):
    """More batches than one step looks at, none with a receipt of this person, then theirs."""
    for n in range(archives.BATCHES_MAX + 5):
        store.core.intake.take("inbox", [Receipt(store.record("shop", "no/such", f"k{n}", b"x"), 1, "shop", "no/such", "", b"x")], 1)
    seq = store.tell("shop", an_order("1"), ZEB)
    store.handle()
    store.erase("ord.shop.1")
    assert store.raw(seq) is None and files_with(store.data, CANARIES[0]) == []


def by_customer_updates(store):
    for version in (1, 2, 3):
        store.tell("shop", CustomerSeen(external="c-zeb", version=version), ZEB)
    return "cus.shop.c-zeb"


def by_customer_and_order(store):
    store.tell("shop", CustomerSeen(external="c-zeb", version=1), ZEB)
    store.tell("shop", an_order("1"), ZEB)
    store.tell("shop", CustomerSeen(external="c-zeb", version=2), ZEB)
    return "ord.shop.1"


def by_two_guest_orders(store):
    for number in "12":
        store.tell("shop", an_order(number), replace(ZEB, id=""))
    return ZEB.email


def by_letters(store):
    store.tell("shop", an_order("1"), ZEB)
    for system in ("gone", "nobody"):
        store.tell(system, an_order(f"parked at {system}"), ZEB)
    store.record("shop", "statement", "ascii", json.dumps({"broken": CANARIES}).encode())
    return "ord.shop.1"


def by_letters_alone(store):
    store.tell("gone", an_order("parked"), ZEB)
    return ZEB.email.upper()


def by_a_letter_of_long_ago(store):
    store.tell("gone", an_order("parked"), ZEB)
    store.handle()
    assert store.archive() == 3
    store.tell("shop", an_order("1"), ZEB)
    return "ord.shop.1"


def by_a_message_that_is_no_business(store):
    store.core.shop.translate["wms"] = not_business
    store.tell("wms", an_order("1"), ZEB)
    store.tell("shop", an_order("1"), ZEB)
    return "ord.shop.1"


def not_business(_topic, _body):
    raise Reject("it says nothing of orders", "not_business")


def by_a_proposal(store):
    store.tell("psp", an_order("5"), ZEB)  # not the provider's to say
    return ZEB.email


def by_a_refused_order_of_a_till(store):
    request = OrderRequest(external="t1", order=an_order("t1").order, person=ZEB)
    store.record("till", "api/order", "t1", msgspec.json.encode(request))
    return ZEB.email


def by_two_orders_of_a_till(store):
    store.tell("erp", StockCounted(external="c", at=1, item="i-A", sku="A", quantity=50))
    for number in ("t1", "t2"):
        request = OrderRequest(external=number, order=an_order(number).order, person=ZEB)
        store.record("till", "api/order", number, msgspec.json.encode(request))
    return "ord.till.t2"


def by_the_reason_that_a_system_gave(store):
    store.tell("erp", StockCounted(external="c", at=1, item="i-A", sku="A", quantity=50))
    store.tell("shop", an_order("1"), ZEB)
    store.handle()
    why = f"cannot deliver to {ZEB.name}, {CANARIES[2]} ({ZEB.email}, {ZEB.phone}): mr quillfeather moved"
    body = msgspec.json.encode(
        Outcome(key="ord.shop.1:release.1", entity=store.core.order("1").id, outcome="rejected", system="wms", why=why)
    )
    store.record("mainstay", TOPIC, "k", body, "outcomes")
    return "ord.shop.1"


def by_a_bug_that_quotes(store):
    def broken(_topic, body):
        raise KeyError(body.decode())

    store.core.shop.translate["wms"] = broken
    store.tell("shop", an_order("1"), ZEB)
    store.tell("wms", a_parcel("p1", "rel.shop.1.1"), ZEB)
    return "ord.shop.1"


def by_a_refusal_that_quotes(store):
    def quotes(_topic, body):
        raise Reject(f"unknown contact {ZEB.email!r}", "unknown_word")

    store.core.shop.translate["wms"] = quotes
    store.tell("shop", an_order("1"), ZEB)
    store.tell("wms", a_parcel("p1", "rel.shop.1.1"), ZEB)
    return "ord.shop.1"


WAYS_IN = [way for name, way in list(globals().items()) if name.startswith("by_")]


@pytest.mark.parametrize("way", WAYS_IN, ids=lambda way: way.__name__)
def test_by_whatever_way_it_came_in_no_file_holds_it_after_the_erasure(store, tmp_path, way):
    store.tell("shop", an_order("8"), GRACE)
    store.tell("gone", an_order("9"), GRACE)
    who = way(store)
    store.handle()
    assert any(files_with(store.data, canary) for canary in CANARIES), "it did come in"
    last = {name: inbox.last for name, inbox in store.inboxes.items()}
    store.erase(who)
    assert left_of_zeb(store) == []
    opened = [store.raw(seq) or b"" for seq in (*range(1, last["inbox"] + 2), *range(OUTCOMES_FROM, last["outcomes"] + 1))]
    assert not any(canary.encode() in body for canary in CANARIES for body in opened), "and no key opens the sealed ones"
    assert sum(GRACE.email.encode() in body for body in opened) == 2, "what is others' stays"
    assert zeb_in_state(store) == []
    verdict = verify(store.core.path, tmp_path / "rebuilt.db", store.core.shop)
    assert verdict.identical, verdict.differences


def left_of_zeb(store) -> list[tuple[str, str]]:
    return [(canary, file) for canary in CANARIES for file in files_with(store.data, canary)]


def zeb_in_state(store) -> list[str]:
    """Tables of which a row, unpacked, still tells of them: packed bytes show nothing to a search of the file."""
    found = []
    for (table,) in store.core.rows("SELECT name FROM sqlite_master WHERE type = 'table'"):
        for row in store.core.rows(f"SELECT * FROM {table}"):
            text = b" ".join(unpack(one) if isinstance(one, bytes) and one else str(one).encode() for one in row).lower()
            found += [table for canary in (*CANARIES, "quillfeather") if canary.lower().encode() in text]
    return found


def test_who_was_erased_stays_erased_whatever_is_told_later(store):
    store.tell("shop", an_order("1"), ZEB)
    store.tell("shop", CustomerSeen(external="c-zeb", version=1), ZEB)
    store.erase("ord.shop.1")
    store.tell("shop", an_order("1", version=2), ZEB)
    store.tell("shop", CustomerSeen(external="c-zeb", version=2), ZEB)
    store.handle()
    store.archive()
    store.archive()
    assert scrub(store.core.state.connection)
    assert left_of_zeb(store) == [] and zeb_in_state(store) == []


def test_who_buys_again_after_an_erasure_is_somebody_new(store):
    """Their new order can be shipped, and be erased."""
    store.tell("shop", an_order("1"), ZEB)
    store.erase("ord.shop.1")
    store.tell("shop", an_order("2"), ZEB)
    store.handle()
    first, second = store.core.order("1").subject, store.core.order("2").subject
    assert first != second and len(store.core.state.load("load_people", [first, second])) == 1
    store.erase(ZEB.email)
    assert left_of_zeb(store) == [] and store.core.state.load("load_people", [first, second]) == []


def test_a_customers_record_never_replaces_the_address_of_an_order(store):
    store.tell("shop", an_order("1"), ZEB)
    store.tell("shop", CustomerSeen(external="c-zeb", version=9), Person(id="c-zeb", shipping=Address(street="elsewhere")))
    store.handle()
    order = store.core.order("1")
    people = {brought: body for _, brought, body in store.core.state.load("load_people", [order.subject])}
    body = people[order.id]
    assert msgspec.json.decode(unpack(body), type=Person) == ZEB


def test_a_letter_of_somebody_with_the_same_name_stays(store):
    namesake = Person(name=ZEB.name, email="other@canary.example")
    store.tell("shop", an_order("1"), ZEB)
    parked = store.tell("gone", an_order("2"), namesake)
    store.handle()
    store.erase("ord.shop.1")
    assert namesake.email.encode() in store.raw(parked)


def test_after_erasure_the_log_still_gives_the_state_back(store, tmp_path):
    a_shop_with_two_buyers(store)
    store.erase("ord.shop.1")
    store.core.state.merge_xrefs()
    verdict = verify(store.core.path, tmp_path / "rebuilt.db", store.core.shop)
    assert verdict.identical, verdict.differences
    assert store.core.order("1") is not None and store.core.rows("SELECT count(*) FROM vault WHERE length(body) > 0") == [(1,)]


def test_keys_are_destroyed_after_a_restart_too(store):
    a_shop_with_two_buyers(store)
    store.archive()
    store.record("operator", "operator/erase", "", b'{"who":"ord.shop.1"}')
    store.handle()
    sealed = f"SELECT count(*) FROM seal WHERE key <> x'' AND subject = {store.core.order('1').subject}"
    for name, inbox in store.inboxes.items():
        assert inbox.connection.execute(sealed).get > 0
        archives.Archive(store.data, inbox, name).step(store.core.state)
        assert inbox.connection.execute(sealed).get == 0
