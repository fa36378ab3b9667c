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
from mainstay.model.seen import OrderSeen, Said
from mainstay.storage.inbox import Receipt
from mainstay.storage.rehearsed import Rehearsed
from tests.flows.conftest import T0, a_payment, an_order, translate


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
