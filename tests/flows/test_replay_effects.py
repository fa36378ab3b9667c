"""A system has lost what it was told, as when it was restored from an old backup: what it was asked for is looked for, and asked again."""

from functools import partial

import msgspec
import pytest
from msgspec.structs import replace

from mainstay.flows import journey, queue
from mainstay.flows.span import numbers
from mainstay.model.outcome import TOPIC, Outcome
from tests.flows.conftest import T0, a_parcel, a_payment, an_order, replayed, span

again = partial(replayed, "effect")


def found_again(core, key, entity, outcome="done", found=False, code="", **references):
    body = Outcome(key=key, entity=entity, outcome=outcome, system="erp", code=code, references=references, again=True, found=found)
    return core.receive("mainstay", TOPIC, key, msgspec.json.encode(body))


def details(job):
    return [one["detail"] for one in job["results"]]


@pytest.fixture
def sold(proved):
    """An order that was shipped and booked: the ERP has it, the channel and the provider too."""
    proved.count("A", 50)
    proved.say("shop", an_order(payments=("pi_1",)))
    proved.say("psp", a_payment())
    order = proved.order()
    proved.answer("ord.shop.1:release.1", order.id, release="77")
    proved.say("wms", a_parcel("p1", "rel.shop.1.1", [("1", 2)]))
    for key, references in (("confirm.p1", {}), ("capture.pi_1", {}), ("sale", {"sale": "S1", "invoice": "INV-1"})):
        proved.answer(f"ord.shop.1:{key}", order.id, **references)
    assert proved.order().status == "settled"
    return proved


def test_a_sale_that_the_erp_has_lost_is_made_again_under_its_own_key(sold):
    before = sold.intents()
    booked = next(one for one in before if one["command"] == "PostSale")
    job = again(sold, system="erp")
    assert details(job) == ["asked: PostSale ord.shop.1:sale: looked for at erp"] and job["query"]["from"] == "effect"
    assert sold.intents()[len(before) :] == [{**booked, "again": True}], "the same document under the same key"
    assert sold.order().effects["ord.shop.1:sale"].again == "asked"
    found_again(sold, "ord.shop.1:sale", sold.order().id, sale="S9", invoice="INV-9")
    effect = sold.order().effects["ord.shop.1:sale"]
    assert (effect.outcome, effect.again, effect.references) == ("done", "", {"sale": "S9", "invoice": "INV-9"})
    assert sold.order().invoice == "INV-1", "what the books say of it is not told twice"
    (trace,) = journey.trace(sold.state, None, "S9")
    told = [step["what"] for step in trace["steps"]]
    assert "looked for again, and made again where it is not there" in told


def test_a_count_of_an_erp_that_has_lost_a_sale_does_not_bring_the_sold_units_back(sold):
    """Its backup is from before the sale: it counts what was there then. Until the sale stands there again, it is not believed."""
    level = sold.level("A")
    assert (level["on_hand"], level["unbooked"]) == (48, 0)
    again(sold, system="erp")
    sold.count("A", 50)
    assert sold.level("A") == {**level, "unbooked": 2}
    found_again(sold, "ord.shop.1:sale", sold.order().id, outcome="rejected", code="rejected")
    (letter,) = journey.letters(sold.state)
    sold.ask("operator", "operator/retry", str(letter["id"]), {})
    sold.count("A", 50)
    assert sold.level("A") == {**level, "unbooked": 2}, "asked a second time, it is doubted once"
    found_again(sold, "ord.shop.1:sale", sold.order().id)
    assert sold.level("A") == level
    sold.count("A", 47)
    assert sold.level("A") == {**level, "on_hand": 47}, "it is believed again"


def test_what_is_being_looked_for_is_not_looked_for_twice(sold):
    again(sold, system="erp")
    count = len(sold.intents())
    job = again(sold, system="erp")
    assert details(job) == ["refused: PostSale ord.shop.1:sale: it is being looked for already"] and len(sold.intents()) == count
    found_again(sold, "ord.shop.1:sale", sold.order().id, found=True)
    assert again(sold, system="erp")["done"] == 1, "what was asked again is the same effect: one, not two"
    assert len(sold.intents()) == count + 1


def test_units_that_have_left_are_not_released_again(sold):
    job = again(sold, system="wms")
    assert (job["unchanged"], job["results"]) == (1, [])


def test_money_that_the_provider_says_was_taken_is_not_taken_again(sold):
    sold.say("psp", a_payment(status="captured", version=2))
    job = again(sold, system="psp")
    assert (job["unchanged"], job["results"]) == (1, [])


def test_money_is_looked_for_before_it_is_taken_again_and_the_ledger_stays(sold):
    transfers = sold.rows("SELECT count(*) FROM transfer")
    assert details(again(sold, topic="CapturePayment")) == ["asked: CapturePayment ord.shop.1:capture.pi_1: looked for at psp"]
    found_again(sold, "ord.shop.1:capture.pi_1", sold.order().id, found=True)
    assert sold.rows("SELECT count(*) FROM transfer") == transfers


def test_a_release_that_the_warehouse_lost_is_made_again_while_nothing_has_left(proved):
    proved.count("A", 50)
    proved.say("shop", an_order())
    proved.answer("ord.shop.1:release.1", proved.order().id, release="77")
    assert details(again(proved)) == ["asked: ReleaseOrder ord.shop.1:release.1: looked for at wms"]
    found_again(proved, "ord.shop.1:release.1", proved.order().id, release="99")
    proved.say("wms", a_parcel("p1", "rel.shop.1.1", [("1", 1)]))
    job = again(proved, system="wms")
    assert details(job) == [
        "refused: ReleaseOrder ord.shop.1:release.1: some of its units have left, and would be sent twice: release the rest by hand"
    ]


def test_a_release_that_was_withdrawn_stays_withdrawn(proved):
    proved.count("A", 50)
    proved.say("shop", an_order())
    proved.answer("ord.shop.1:release.1", proved.order().id, release="77")
    proved.say("shop", an_order(version=2, cancelled_at=T0))
    proved.answer("ord.shop.1:release.1.withdraw", proved.order().id)
    assert proved.order().status == "cancelled"
    job = again(proved)
    assert details(job) == ["asked: CancelRelease ord.shop.1:release.1.withdraw: looked for at wms"] and job["unchanged"] == 1


def test_what_is_under_way_or_was_refused_is_named_and_left(proved):
    proved.count("A", 50)
    proved.say("shop", an_order())
    assert details(again(proved)) == ["refused: ReleaseOrder ord.shop.1:release.1: it is under way"]
    proved.answer("ord.shop.1:release.1", proved.order().id, outcome="rejected", system="wms")
    assert details(again(proved)) == ["refused: ReleaseOrder ord.shop.1:release.1: it was refused, and has a dead letter: retry that"]


def test_what_a_system_takes_no_more_is_refused_by_name(sold):
    without = {name: can for name, can in sold.shop.policy.can.items() if name != "erp"}
    sold.intake.shop = replace(sold.shop, policy=replace(sold.shop.policy, can=without))
    assert details(again(sold, system="erp")) == ["refused: PostSale ord.shop.1:sale: erp is not asked for that any more"]


def test_what_cannot_be_made_again_is_a_letter_and_is_looked_for_once_more(sold):
    """The buyer was erased, or the system refuses it: the effect stays done, the letter says what is missing there."""
    again(sold, system="erp")
    found_again(sold, "ord.shop.1:sale", sold.order().id, outcome="unknown")
    assert journey.order(sold.state, sold.order().id)["blocker"]["what"] == "outcome_unknown"
    found_again(sold, "ord.shop.1:sale", sold.order().id, outcome="rejected", code="personal_data_erased")
    (letter,) = journey.letters(sold.state)
    assert (letter["code"], letter["key"]) == ("personal_data_erased", "ord.shop.1:sale")
    assert sold.order().effects["ord.shop.1:sale"].outcome == "done"
    assert journey.order(sold.state, sold.order().id)["blocker"]["what"] == "rejected"
    count = len(sold.intents())
    status, told = sold.ask("operator", "operator/retry", str(letter["id"]), {})
    assert (status, told["detail"]) == (200, "PostSale ord.shop.1:sale: looked for at erp") and len(sold.intents()) == count + 1
    assert sold.intents()[-1]["key"] == "ord.shop.1:sale" and sold.intents()[-1]["again"]
    found_again(sold, "ord.shop.1:sale", sold.order().id)
    assert journey.order(sold.state, sold.order().id)["blocker"] is None


def test_a_letter_about_it_can_be_closed_by_hand(sold):
    again(sold, system="erp")
    found_again(sold, "ord.shop.1:sale", sold.order().id, outcome="rejected", code="expired")
    (letter,) = journey.letters(sold.state)
    assert sold.ask("operator", "operator/suppress", str(letter["id"]), {"reason": "booked by hand"})[0] == 200
    effect = sold.order().effects["ord.shop.1:sale"]
    assert (effect.outcome, effect.again) == ("done", "")


def test_numbers_are_told_anew_as_they_are_now(sold):
    """A channel that lost its levels is told those of now, whatever it was told then."""
    can = {**sold.shop.policy.can, "shop": frozenset({"SetLevel"}), "market": frozenset({"SetLevel", "SetPrice"})}
    sold.intake.shop = replace(sold.shop, policy=replace(sold.shop.policy, can=can))
    before = sold.rows("SELECT count(*) FROM level_change")[0][0]
    job = again(sold, topic="SetLevel", system="shop")
    assert (job["status"], job["letters"]) == ("done", 0)
    assert sold.rows("SELECT items FROM level_change ORDER BY seq")[before:] == [(b'"shop"',)]
    assert again(sold, topic="SetPrice")["status"] == "done"
    assert sold.rows("SELECT items FROM price_change ORDER BY seq")[-1] == (b'"market"',)
    status, told = sold.ask(
        "operator", "operator/replay", "", {"receipts": [], "query": {"topic": "SetPrice", "system": "shop"}, "stage": "effect"}
    )
    assert (status, told["detail"]) == (404, "no system is told that")


def test_what_is_no_effect_is_refused(sold):
    asked = {"receipts": [4711], "stage": "effect"}
    for stage, why in (("effect", "intent 4711 is no effect of an order"), ("statement", "row 4711 of the log tells of no order")):
        job = sold.ask("operator", "operator/replay", "", {**asked, "stage": stage})[1]["job"]
        sold.wait(10_000)
        assert why in details(queue.job(sold.state, job))[0]


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({}, 4), ({"system": "erp"}, 1), ({"topic": "PostSale"}, 1), ({"topic": "PostSale", "system": "wms"}, 0),
        ({"text": "rel.shop.1.1"}, 1), ({"until": "2026-01-02T00:00:00Z"}, 0),
    ],
)  # fmt: skip
def test_a_span_holds_the_effects_that_it_says(sold, more, found):
    sold.flush()
    assert len(numbers(sold.state, span(**more), "effect")) == found
