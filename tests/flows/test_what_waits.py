"""What comes too early, cannot be handled, or is not its speaker's to say: kept, visible, owned, and never lost."""

import msgspec
import pytest

from mainstay.flows import journey, queue
from mainstay.flows.queue import Wanted
from mainstay.flows.rebuild import verify
from mainstay.model.failures import Reject
from mainstay.model.objects import Person, Reference, Variant
from mainstay.model.outcome import TOPIC, Outcome
from mainstay.model.seen import CustomerSeen, FulfilmentSeen, Hint, ProductSeen, RefundSeen, StockCounted, StockMoved
from mainstay.model.times import DAY
from mainstay.storage.inbox import UNCLAIMED
from mainstay.storage.packing import unpack
from tests.flows.conftest import T0, Core, a_parcel, a_payment, an_order, translate

ADA = Person(id="c1", name="Ada Lovelace", email="ada@example.com")


def letters(core):
    core.flush()
    return journey.letters(core.state)


def act(core, what, number, by="ann", reason="", **more):
    return core.ask("operator", f"operator/{what}", str(number), {"by": by, "reason": reason, **more})


def erase(core, who):
    return core.ask("operator", "operator/erase", "", {"who": who, "by": "ann"})


# --- early -------------------------------------------------------------------------------------------------------------
def test_a_statement_that_waited_is_told_to_a_person_when_it_waits_too_long(proved):
    proved.say("psp", a_payment())
    assert proved.wait(DAY - 1) == [] and letters(proved) == []
    assert proved.wait(1) == ["early"]
    (letter,) = letters(proved)
    assert (letter["code"], letter["owner"], letter["system"], letter["receipt"]) == ("early", "operations", "psp", 1)
    assert proved.wait(10 * DAY) == [], "once"
    proved.count("A", 5)
    proved.say("shop", an_order(payments=("pi_1",)))
    assert proved.order().status == "released", "when its order comes after all it is applied"
    assert proved.rows("SELECT count(*) FROM early") == [(0,)]
    assert letters(proved) == [] and proved.rows("SELECT status FROM letter") == [("resolved",)], "and nobody need look after it"


def test_a_statement_whose_order_came_in_time_is_no_letter(proved):
    proved.say("psp", a_payment())
    proved.say("shop", an_order(payments=("pi_1",)))
    proved.wait(2 * DAY)
    assert letters(proved) == []


def test_several_that_waited_are_taken_in_their_order(proved):
    proved.count("A", 5)
    proved.say("psp", a_payment(status="captured", version=2))
    proved.say("psp", a_payment(status="authorised", version=1))
    proved.say("psp", RefundSeen(external="re_1", version=3, of=Reference("payment", "pi_1"), currency="EUR", amount=100))
    proved.say("shop", an_order(payments=("pi_1",)))
    order = proved.order()
    assert order.payments["pi_1"].status == "captured" and order.refunds["re_1"].amount == 100


# --- dead letters ------------------------------------------------------------------------------------------------------
def unreadable(topic, body):
    raise Reject("the word 'HOLOGRAM' has no mapping", "unknown_word")


def parked(core):
    core.shop.translate["shop"] = unreadable
    core.say("shop", an_order(), ADA)
    return letters(core)[0]["id"]


def test_a_message_that_cannot_be_read_stops_only_itself(proved):
    proved.count("A", 5)
    number = parked(proved)
    proved.say("psp", a_payment("pi_9"))
    (letter,) = letters(proved)
    assert letter["code"] == "unknown_word" and "HOLOGRAM" in letter["why"] and letter["next"]
    assert proved.tally() == {"applied": 1, "parked": 1, "early": 1} and number


def test_retried_with_a_new_mapping_it_is_taken(proved):
    proved.count("A", 5)
    number = parked(proved)
    proved.shop.translate["shop"] = translate
    assert act(proved, "retry", number) == (200, {"id": number, "status": "retry", "detail": "taken"})
    assert proved.order().status == "released"
    assert proved.rows("SELECT status FROM letter") == [("retried",)]
    assert act(proved, "retry", number)[0] == 404, "once"


def test_retried_in_vain_it_stays_what_it_was_and_says_what_stands_in_its_way_now(proved):
    number = parked(proved)
    assert act(proved, "assign", number, to="ben")[0] == 200
    before = queue.one(proved.state, number)
    proved.shop.translate["shop"] = unmapped
    status, answer = act(proved, "retry", number, by="ann")
    assert status == 409 and answer["detail"] == "amount: 'lots' is no amount; the letter stays open"
    after = queue.one(proved.state, number)
    assert proved.rows("SELECT id, status, code FROM letter") == [(number, "open", "amount")]
    assert (after.at, after.owner) == (before.at, "ben") and (before.state.code, after.state.code) == ("unknown_word", "amount")
    told = [(one["what"], one["to"], one["by"]) for one in journey.acts_on(proved.state, number)]
    assert told == [("assign", "ben", "ann"), ("retry in vain: amount: 'lots' is no amount", "", "ann")]


def unmapped(_topic, _body):
    raise Reject("'lots' is no amount", "amount")


def test_two_people_retry_at_once_and_one_of_them_does_it(tmp_path):
    core = Core(tmp_path / "state.db")
    core.count("A", 5)
    number = parked(core)
    core.shop.translate["shop"] = translate
    core.batch = 2
    first, second = (core.receive("operator", "operator/retry", str(number), b"{}") for _ in range(2))
    assert [core.told(first)[0], core.told(second)[0]] == [200, 404]


def test_retried_when_its_bytes_are_gone(proved):
    number = parked(proved)
    proved.receipts.clear()
    status, answer = act(proved, "retry", number)
    assert status == 409 and "its raw bytes are gone" in answer["detail"]
    assert [one["id"] for one in letters(proved)] == [number], "nothing was done, so it stays open"


def test_retried_while_it_still_waits(proved):
    proved.count("A", 5)
    proved.say("psp", a_payment())
    proved.wait(DAY)
    ((number,),) = proved.rows("SELECT id FROM letter")
    status, answer = act(proved, "retry", number)
    assert status == 409 and "still not arrived" in answer["detail"]
    assert [one["id"] for one in letters(proved)] == [number] and proved.rows("SELECT count(*) FROM early") == [(1,)]
    proved.say("shop", an_order(payments=("pi_1",)))
    assert proved.order().status == "released"
    assert act(proved, "retry", number)[0] == 404 and letters(proved) == [], "it was taken by itself"


def test_an_effect_of_which_nothing_is_left_to_ask(proved):
    """A level that a channel refused: the next change tells it anew."""
    body = msgspec.json.encode(Outcome(key="level.shop.A", entity=0, outcome="rejected", system="shop", why="no such item"))
    proved.receive("mainstay", TOPIC, "level.shop.A", body)
    ((number,),) = proved.rows("SELECT id FROM letter")
    assert act(proved, "retry", number)[0] == 409 and [one["id"] for one in letters(proved)] == [number]
    assert act(proved, "suppress", number, reason="it is sold out")[0] == 200


def test_suppressed_with_a_reason_that_stays(proved):
    number = parked(proved)
    assert act(proved, "suppress", number, reason="a test order")[0] == 200
    assert letters(proved) == [] and journey.letters(proved.state, Wanted(status="suppressed"))[0]["id"] == number
    event = msgspec.json.decode(unpack(proved.rows("SELECT body FROM event WHERE kind = 'letter' ORDER BY seq DESC")[0][0]))[0]
    assert (event["by"], event["reason"]) == ("ann", "a test order")
    assert act(proved, "suppress", number, reason="again")[0] == 404


@pytest.mark.parametrize("what", ["retry", "suppress"])
def test_a_letter_that_does_not_exist(proved, what):
    assert act(proved, what, 4711)[0] == 404


def test_every_receipt_ends_as_exactly_one_outcome(proved):
    """Whatever people do to the letters afterwards."""
    proved.count("A", 5)
    number = parked(proved)
    proved.shop.translate["shop"] = translate
    act(proved, "retry", number)
    proved.say("shop", an_order(), key="again")
    proved.say("nobody", an_order())
    assert sum(proved.tally().values()) == proved.seq


# --- holds -------------------------------------------------------------------------------------------------------------
def test_a_hold_that_a_person_lifts_does_not_come_back(proved):
    proved.count("A", 5)
    proved.say("shop", an_order(total=1234))
    status, answer = act(proved, "free", "ord.shop.1")
    assert status == 200 and answer["lifted"] == ["totals_mismatch"] and answer["status"] == "released"
    proved.say("shop", an_order(version=2, total=1234))
    assert proved.order().status == "released" and not proved.order().holds
    assert act(proved, "free", "ord.shop.1")[0] == act(proved, "free", "ord.shop.99")[0] == act(proved, "free", "nonsense")[0] == 404


# --- proposals and what is unknown -------------------------------------------------------------------------------------
def test_what_is_not_its_speakers_to_say_is_kept_without_effect(proved):
    proved.count("A", 5)
    proved.say("shop", an_order())
    proved.say("shop", a_parcel("987", "rel.shop.1.1"))
    ((body,),) = proved.rows("SELECT body FROM proposal")
    kept = msgspec.json.decode(body)
    assert (kept["system"], kept["said"]["external"]) == ("shop", "987")
    assert kept["reason"] == '"shop" may not create or update fulfilment.all; see [ownership] in mainstay.toml'
    assert proved.order().status == "released" and proved.level("A")["on_hand"] == 5


def test_a_sku_that_nobody_knows_is_listed_and_short(proved):
    """A channel sold it already: the order waits for the units, by name."""
    proved.say("market", an_order("9", lines=(("NEW", 2, 500),)))
    (number,) = proved.world.orders
    assert proved.world.orders[number].status == "backordered"
    proved.count("NEW", 2)
    assert proved.world.orders[number].status == "released"


@pytest.mark.parametrize(
    "said",
    [
        StockCounted(external="c", at=T0, item="i-77", quantity=5),
        StockMoved(external="m", at=T0, item="i-77", delta=5),
    ],
    ids=lambda said: type(said).__name__,
)
def test_stock_of_an_item_that_belongs_to_no_sku_is_parked(proved, said):
    proved.say("erp", said)
    (letter,) = letters(proved)
    assert letter["code"] == "unknown_sku" and "i-77" in letter["why"]


def test_once_the_item_is_known_its_letter_can_be_retried(proved):
    proved.say("erp", StockCounted(external="c", at=T0, item="i-77", quantity=5))
    proved.say("erp", ProductSeen(external="p1", version=1, variants=(Variant(id="v1", sku="A", item="i-77"),)))
    act(proved, "retry", letters(proved)[0]["id"])
    assert proved.level("A")["on_hand"] == 5 and letters(proved) == []


def test_a_hint_becomes_a_fetch(proved):
    proved.say("wms", Hint(external="ship-5", feed="shipments"))
    proved.say("wms", Hint(external="ship-5", feed="shipments"))
    fetches = proved.intents()
    assert [(one["command"], one["feed"], one["reference"]) for one in fetches] == [("Fetch", "shipments", "ship-5")] * 2
    assert len({one["key"] for one in fetches}) == 2, "two hints are two readings: the object may have changed between them"


def test_a_movement_counts_once(proved):
    proved.count("A", 5)
    for _ in range(2):
        proved.say("erp", StockMoved(external="m1", at=proved.now, item="i-A", sku="A", delta=3))
    assert proved.level("A")["on_hand"] == 8 and proved.tally()["duplicate"] == 1


# --- erasure -----------------------------------------------------------------------------------------------------------
def test_erasing_a_person_leaves_the_order_and_the_books(proved):
    proved.count("A", 5)
    proved.say("shop", an_order("1"), ADA)
    proved.say("shop", an_order("2"), Person(id="c2", name="Grace Hopper"))
    proved.say("shop", an_order("3"), ADA)
    assert proved.order("1").subject == proved.order("3").subject != proved.order("2").subject
    before = proved.rows("SELECT name, balance FROM account ORDER BY name")
    assert erase(proved, "ord.shop.1") == (200, {"subjects": [proved.order("1").subject], "messages": 0, "status": "erased"})
    ((left,),) = proved.rows("SELECT body FROM vault WHERE length(body) > 0")
    assert b"Grace" in unpack(left)
    assert proved.rows("SELECT name, balance FROM account ORDER BY name") == before
    assert proved.order("1").status == "released"
    assert journey.find(proved.state, "ada@example.com") == []


@pytest.mark.parametrize("uid", ["ord.shop.99", "rsv.till.1", "nonsense", "ord.shop.1", "cus.shop.99", "nobody@example.com"])
def test_there_is_nothing_to_erase(proved, uid):
    proved.say("shop", an_order("1"))  # without a buyer
    assert erase(proved, uid)[0] == 404


def test_a_customer_alone_is_a_subject_too(proved):
    proved.say("shop", CustomerSeen(external="c1"), ADA)
    assert proved.rows("SELECT count(*) FROM vault") == [(1,)]


# --- the archives learn whose receipts they keep -----------------------------------------------------------------------
def handed_over(core) -> dict[int, int]:
    """Receipt -> subject, as the archives are told at last."""
    core.flush()
    rows = core.rows("SELECT subjects FROM handled ORDER BY seq")
    return dict(pair for (body,) in rows for pair in msgspec.json.decode(body))


def test_every_receipt_is_handed_to_the_archive(proved):
    proved.count("A", 5)
    proved.ask("till", "api/reserve", "cart-1", {"lines": [{"sku": "A", "quantity": 1}]})
    proved.ask("till", "api/release", "rsv.till.cart-1", b"rsv.till.cart-1")
    parked(proved)
    erase(proved, "ord.shop.1")
    assert sorted(handed_over(proved)) == list(range(1, proved.seq + 1)), "one that is not stays open for ever"


def test_what_came_early_or_was_parked_gets_its_subject_when_it_is_known(proved):
    """Otherwise erasing the person would leave the key of these receipts."""
    proved.count("A", 5)
    early = proved.say("psp", a_payment())
    proved.say("shop", an_order(payments=("pi_1",)), ADA)
    assert handed_over(proved)[early] == proved.order().subject
    proved.shop.translate["shop"] = unreadable
    late = proved.say("shop", an_order("2"), ADA)
    assert handed_over(proved)[late] == UNCLAIMED
    proved.shop.translate["shop"] = translate
    act(proved, "retry", letters(proved)[0]["id"])
    assert handed_over(proved)[late] == proved.order("2").subject


# --- whose word counts in a batch --------------------------------------------------------------------------------------
def test_verify_is_identical_in_the_middle_of_everything(tmp_path):
    core = Core(tmp_path / "state.db", batch=5)
    core.count("A", 3)
    core.say("psp", a_payment())
    core.say("shop", an_order(payments=("pi_1",)), ADA)
    core.say("shop", a_parcel("987", "rel.shop.1.1"))
    core.say("wms", Hint(external="s", feed="shipments"))
    core.say("wms", FulfilmentSeen(external="p1", version=1, at=T0, of=Reference("order", "nobody")))
    core.receive("shop", "nonsense", "", b"nonsense")
    core.flush()
    core.wait(2 * DAY)
    core.state.merge_xrefs()
    assert verify(core.path, tmp_path / "rebuilt.db", core.shop).identical
