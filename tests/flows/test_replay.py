"""Old messages read again with today's mapping: only what they say otherwise follows, once, and never over a later word."""

import msgspec
import pytest
from msgspec.structs import replace

from mainstay.flows import journey, queue
from mainstay.flows.intake import Intake
from mainstay.flows.reread import reread
from mainstay.flows.span import Span
from mainstay.flows.world import World
from mainstay.model.failures import Reject
from mainstay.model.objects import Person
from mainstay.model.seen import CustomerSeen, OrderSeen, Said
from mainstay.storage.inbox import Receipt
from mainstay.storage.packing import pack, unpack
from mainstay.storage.rehearsed import Rehearsed
from tests.flows.conftest import T0, Core, a_payment, an_order, translate


def doubled(topic, body):
    """A mapping that has learnt that each of these lines is a pack of two."""
    found = []
    for event, person in ((one.event, one.person) for one in translate(topic, body)):
        assert isinstance(event, OrderSeen)
        lines = tuple(replace(line, quantity=line.quantity * 2, price=line.price // 2) for line in event.order.lines)
        found.append(Said(replace(event, order=replace(event.order, lines=lines)), person))
    return found


def replayed(core, *receipts):
    """A replay of these messages, to its end; the job."""
    core.flush()
    status, told = core.ask("operator", "operator/replay", "", {"receipts": receipts, "by": "ann", "reason": "packs of two"})
    assert status == 202
    core.wait(10_000)
    return queue.job(core.state, told["job"])


def test_a_mapping_fix_is_applied_to_an_old_message_and_only_the_difference_goes_out(proved):
    proved.count("A", 50)
    first = proved.say("shop", an_order())
    other = proved.say("shop", an_order("2", lines=(("B", 1, 500),)))
    assert proved.order().shares[0].quantity == 2
    before = len(proved.intents())
    proved.shop.translate["shop"] = doubled
    job = replayed(proved, first)
    assert [one["detail"] for one in job["results"]] == ["corrected: OrderSeen 1"] and job["by"] == "ann"
    assert proved.order().shares[0].quantity == 4 and proved.level("A")["allocated"] == 4
    sent = [one["command"] for one in proved.intents()[before:]]
    assert sent == ["ReleaseOrder"] and proved.order("2").version == 1, "the other order was not touched"
    job = replayed(proved, first)
    assert (job["unchanged"], job["results"]) == (1, []) and len(proved.intents()) == before + 1, "a second time changes nothing"
    assert other


def test_what_says_the_same_is_left_alone(proved):
    proved.count("A", 50)
    receipts = [proved.say("shop", an_order(payments=("pi_1",))), proved.say("psp", a_payment())]
    rows = proved.rows("SELECT count(*) FROM event WHERE kind = 'order'")
    job = replayed(proved, *receipts)
    assert (job["unchanged"], job["done"], job["nothing_done"], job["status"]) == (2, 0, 0, "done")
    assert proved.rows("SELECT count(*) FROM event WHERE kind = 'order'") == rows


def test_what_was_over_before_its_system_was_connected_is_not_brought_back_by_a_replay(proved):
    proved.intake.claims.since = {"shop": T0 + 1}
    old = proved.say("shop", an_order(cancelled_at=T0))
    job = replayed(proved, old)
    assert (job["unchanged"], job["done"]) == (1, 0) and proved.order() is None


def test_an_old_word_does_not_undo_a_newer_one(proved):
    proved.count("A", 50)
    first = proved.say("shop", an_order())
    proved.say("shop", an_order(version=2, lines=(("A", 5, 500),)))
    proved.shop.translate["shop"] = doubled
    assert replayed(proved, first)["unchanged"] == 1
    assert [line.quantity for line in proved.order().order.lines] == [5]


def test_a_message_that_could_not_be_read_is_taken_and_its_letter_closed(proved):
    proved.count("A", 50)
    proved.shop.translate["shop"] = unreadable
    receipt = proved.say("shop", an_order())
    proved.flush()
    (letter,) = journey.letters(proved.state)
    assert [one["detail"] for one in replayed(proved, receipt)["results"]] == ["refused: unknown_word: unknown state"]
    assert len(journey.letters(proved.state)) == 1, "no second letter"
    proved.shop.translate["shop"] = translate
    assert replayed(proved, receipt)["results"][0]["detail"] == "taken: OrderSeen 1"
    assert proved.order().status == "released" and journey.letters(proved.state) == []
    assert journey.acts_on(proved.state, letter["id"])[0]["reason"] == "replayed"


def unreadable(_topic, _body):
    raise Reject("unknown state", "unknown_word")


@pytest.mark.parametrize("code", ["not_business", "not_declared"])
def test_a_message_without_business_is_no_failure_of_a_replay(proved, code):
    def without_business(_topic, _body):
        raise Reject("it says nothing of business", code)

    proved.shop.translate["shop"] = without_business
    receipt = proved.say("shop", an_order())
    job = replayed(proved, receipt)
    assert (job["unchanged"], job["nothing_done"], job["results"]) == (1, 0, [])


def test_a_payment_that_was_read_wrongly_is_put_right_in_the_books(proved):
    proved.count("A", 50)
    proved.say("shop", an_order(payments=("pi_1",)))
    receipt = proved.say("psp", a_payment(status="captured", amount=100))
    proved.shop.translate["psp"] = lambda _topic, body: [
        Said(replace(one.event, authorised=1000, captured=1000), None) for one in translate(_topic, body)
    ]
    assert replayed(proved, receipt)["results"][0]["detail"] == "corrected: PaymentSeen pi_1"
    assert proved.order().payments["pi_1"].captured == 1000


def test_bytes_that_are_gone_are_said(proved):
    assert replayed(proved, 4711)["results"] == [{"letter": 4711, "done": False, "detail": "refused: its bytes are gone"}]


def test_a_rehearsed_replay_changes_nothing(proved):
    proved.count("A", 50)
    receipt = proved.receipts[proved.say("shop", an_order())]
    proved.flush()
    proved.shop.translate["shop"] = doubled
    rows = proved.rows("SELECT max(seq) FROM event")
    store = Rehearsed(proved.path)
    intake = Intake(World(store), proved.shop)
    assert reread(intake, receipt, proved.now).how == "corrected"
    intake.world.commit(proved.now)
    store.close()
    assert proved.rows("SELECT max(seq) FROM event") == rows and proved.order().shares[0].quantity == 2


@pytest.mark.parametrize(
    ("span", "held"),
    [
        ({}, True), ({"system": "shop"}, True), ({"system": "market"}, False), ({"topic": "orders/create"}, True),
        ({"topic": "orders/paid"}, False), ({"text": "4711"}, True), ({"text": "4712"}, False),
    ],
)  # fmt: skip
def test_a_span_holds_what_it_says(span, held):
    told = msgspec.convert({"since": "2026-09-21T00:00:00Z", **span}, Span)
    assert told.holds(Receipt(1, T0, "shop", "orders/create", "k", b'{"id": 4711}')) is held
    assert not told.holds(Receipt(1, T0, "till", "api/reserve", "k", b"4711"))
    with pytest.raises(Reject):
        Span(since="yesterday")


# --- customers' own records --------------------------------------------------------------------------------------------
ADA = Person(id="c1", name="Ada", email="ada@example.com")
SHOUTED = Person(id="c1", name="ADA", email="ada@example.com")


def a_record(version=1, **more):
    return CustomerSeen(**{"external": "c1", "version": version, "at": T0 + version, **more})


def shouting(topic, body):
    """A mapping that takes the names of customers for others."""
    return [replace(one, person=one.person and replace(one.person, name=one.person.name.upper())) for one in translate(topic, body)]


def records(core):
    """Names in customers' own records."""
    core.flush()
    return [json_of(body)["name"] for (body,) in core.rows("SELECT body FROM vault WHERE length(body) > 0 AND brought = 0")]


def json_of(body):
    return msgspec.json.decode(unpack(body))


@pytest.fixture
def shouted(proved):
    """What customers are called is read wrongly; `right` is the mapping of today."""
    right = proved.shop.translate["shop"]
    proved.shop.translate["shop"] = shouting
    proved.right = lambda: proved.shop.translate.__setitem__("shop", right)
    return proved


def test_a_customers_record_that_was_read_wrongly_is_put_right_once(shouted):
    receipt = shouted.say("shop", a_record(), ADA)
    assert records(shouted) == ["ADA"]
    shouted.right()
    job = replayed(shouted, receipt)
    assert [one["detail"] for one in job["results"]] == ["corrected: CustomerSeen c1"] and records(shouted) == ["Ada"]
    assert replayed(shouted, receipt)["unchanged"] == 1, "a second time changes nothing"
    assert not any(b"Ada" in unpack(body) for (body,) in shouted.rows("SELECT body FROM event")), "no name stands in the log"


def test_an_old_word_on_a_customer_does_not_undo_a_newer_one(shouted):
    first = shouted.say("shop", a_record(), ADA)
    shouted.right()
    shouted.say("shop", a_record(2), replace(ADA, name="Ada King"))
    assert replayed(shouted, first)["unchanged"] == 1 and records(shouted) == ["Ada King"]


def test_a_late_word_on_a_customer_does_not_replace_a_newer_one(proved):
    proved.say("shop", a_record(2), replace(ADA, name="Ada King"))
    proved.say("shop", a_record(1), ADA)
    assert records(proved) == ["Ada King"]
    proved.say("shop", a_record(3), ADA)
    proved.say("shop", a_record(0, at=0), replace(ADA, name="Ada of no time"))
    assert records(proved) == ["Ada"]
    proved.say("market", a_record(1), replace(ADA, name="Ada of the market"))
    assert sorted(records(proved)) == ["Ada", "Ada of the market"], "customers of two systems have a record each"


@pytest.mark.parametrize("batch", [1, 16])
def test_a_late_word_of_the_same_batch_does_not_either(tmp_path, batch):
    core = Core(tmp_path / "state.db", batch=batch)
    for version in (1, 3, 2):
        core.say("shop", a_record(version), replace(ADA, name=f"Ada {version}"))
    assert records(core) == ["Ada 3"]


def test_a_record_that_could_not_be_read_is_taken(proved, monkeypatch):
    proved.say("shop", a_record(1), replace(ADA, name="Ada Byron"))
    monkeypatch.setitem(proved.shop.translate, "shop", refused)
    receipt = proved.say("shop", a_record(2), ADA)
    monkeypatch.undo()
    assert [one["detail"] for one in replayed(proved, receipt)["results"]] == ["taken: CustomerSeen c1"] and records(proved) == ["Ada"]
    assert proved.rows("SELECT status FROM letter") == [("retried",)]


def refused(_topic, _body):
    raise Reject("unknown marketing consent 'maybe'", "unknown_word")


def test_who_was_erased_stays_erased_when_their_record_is_read_again(shouted):
    receipt = shouted.say("shop", a_record(), ADA)
    shouted.ask("operator", "operator/erase", "", {"who": "cus.shop.c1"})
    shouted.right()
    assert replayed(shouted, receipt)["unchanged"] == 1 and records(shouted) == []


def test_a_merge_that_was_overlooked_is_taken_and_both_are_erased_as_one(proved, monkeypatch):
    proved.say("shop", a_record(), ADA)
    proved.say("shop", a_record(external="c2"), replace(ADA, id="c2", name="Ada at work", email="ada@work.example"))
    gone = CustomerSeen(external="c2", deleted=True)
    monkeypatch.setitem(proved.shop.translate, "shop", lambda *_: [Said(gone, None)])
    receipt = proved.say("shop", replace(gone, merged_into="c1"))
    monkeypatch.undo()
    assert [one["detail"] for one in replayed(proved, receipt)["results"]] == ["taken: CustomerSeen c2"]
    assert replayed(proved, receipt)["unchanged"] == 1
    assert proved.ask("operator", "operator/erase", "", {"who": "cus.shop.c1"})[0] == 200 and records(proved) == []


def test_of_two_messages_of_one_moment_the_one_that_came_last_stands(proved):
    """A vendor whose clock counts seconds: a replay with the same mapping changes nothing, of either and in any order."""
    first, second = (proved.say("shop", a_record(), replace(ADA, name=name)) for name in ("Ada Byron", "Ada King"))
    for receipts in ((first,), (second,), (first, second)):
        assert replayed(proved, *receipts)["results"] == [] and records(proved) == ["Ada King"]


def test_a_record_whose_version_was_read_wrongly_is_put_right(proved):
    right = proved.shop.translate["shop"]
    proved.shop.translate["shop"] = lambda *given: [replace(one, event=replace(one.event, version=99)) for one in shouting(*given)]
    receipt = proved.say("shop", a_record(), ADA)
    proved.shop.translate["shop"] = right
    assert replayed(proved, receipt)["done"] == 1 and records(proved) == ["Ada"]
    proved.say("shop", a_record(2), replace(ADA, name="Ada King"))
    assert records(proved) == ["Ada King"], "and the next one replaces it"


def test_a_record_that_an_earlier_version_kept_is_left_to_the_next_word(shouted):
    """It does not say which word it is."""
    receipt = shouted.say("shop", a_record(), ADA)
    shouted.rows("SELECT 1")
    with shouted.state.connection:
        shouted.state.connection.execute("UPDATE vault SET body = ?", (pack(msgspec.json.encode(SHOUTED)),))
    shouted.right()
    assert replayed(shouted, receipt)["unchanged"] == 1 and records(shouted) == ["ADA"]
    shouted.say("shop", a_record(), ADA)
    assert records(shouted) == ["Ada"]


def test_a_rehearsal_says_that_a_record_would_change_and_not_whose(shouted):
    receipt = shouted.say("shop", a_record(), ADA)
    shouted.flush()
    shouted.right()
    store = Rehearsed(shouted.path)
    told = reread(Intake(World(store), shouted.shop), shouted.receipts[receipt], shouted.now)
    store.close()
    assert told == ("corrected", "CustomerSeen c1") and records(shouted) == ["ADA"]
