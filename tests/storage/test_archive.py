"""Raw bytes are kept as they came, sealed; and when a person is erased, nothing of theirs is left in any file that we own."""

import msgspec
import pytest

from mainstay.flows.rebuild import verify
from mainstay.model.objects import Address, Person, Reference
from mainstay.model.seen import RefundSeen, StockCounted
from mainstay.storage import archive as archives
from mainstay.storage.archive import vocabulary
from mainstay.storage.inbox import OUTCOMES_FROM, Receipt
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
    store.record("operator", "operator/erase", "ord.shop.1", b"{}", "outcomes" if source == "inbox" else "inbox")
    store.handle()
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
    assert store.raw(seq) is None


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


def test_after_erasure_the_log_still_gives_the_state_back(store, tmp_path):
    a_shop_with_two_buyers(store)
    store.erase("ord.shop.1")
    store.core.state.merge_xrefs()
    verdict = verify(store.core.path, tmp_path / "rebuilt.db", store.core.shop)
    assert verdict.identical, verdict.differences
    assert store.core.order("1") is not None and store.core.rows("SELECT count(*) FROM vault") == [(1,)]


def test_keys_are_destroyed_after_a_restart_too(store):
    a_shop_with_two_buyers(store)
    store.archive()
    store.record("operator", "operator/erase", "ord.shop.1", b"{}")
    store.handle()
    sealed = f"SELECT count(*) FROM seal WHERE key <> x'' AND subject = {store.core.order('1').subject}"
    for name, inbox in store.inboxes.items():
        assert inbox.connection.execute(sealed).get > 0
        archives.Archive(store.data, inbox, name).step(store.core.state)
        assert inbox.connection.execute(sealed).get == 0
