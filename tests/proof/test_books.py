"""Each comparison of the outside books with what Mainstay believes can fail: where all agree, one book is spoilt at a time."""

from collections import Counter

import pytest
from msgspec.structs import replace

from mainstay.app.simulate import fittings
from mainstay.proof import books
from mainstay.proof.books import MUST_BE_ZERO
from mainstay.proof.plants import PLANTS
from mainstay.proof.sim import run, story
from mainstay.proof.sim.acts import Act, Swarm
from mainstay.proof.sim.mutants import MUTANTS

ACTS = (
    Act(1, "shop buys", 3), Act(2, "amazon buys", 4), Act(3, "webshop buys", 5), Act(4, "till sells", 2), Act(20, "warehouse packs", 3),
    Act(40, "warehouse packs", 4), Act(200, "goods come back", 5),
)  # fmt: skip
CALM = Swarm(1, "as in the demo", {twin: {} for twin in run.TWINS}, {"SKU-0": 30, "SKU-1": 30}, 16, ACTS)


def sold_twice(patch, cast):
    right = books.shipped
    patch.setattr(books, "shipped", lambda cast: {uid: units + units for uid, units in right(cast).items()})


def at_the_warehouse(patch, cast):
    """Mainstay says of each order that it waits for the next step."""
    right = books.believed
    patch.setattr(books, "believed", lambda state: {uid: replace(one, status="released") for uid, one in right(state).items()})


def nobody_paid(patch, cast):
    right = books.placed
    patch.setattr(books, "placed", lambda *of: [replace(one, unpaid=True) for one in right(*of)])


def less_than_none(patch, cast):
    patch.setattr(cast.shop, "level_history", [*cast.shop.level_history, ("SKU-0", -1, 0)])


def let_go(patch, cast):
    at_the_warehouse(patch, cast)
    for intent in cast.payments.intents.values():
        patch.setitem(intent, "status", "canceled")


def contested(patch, cast):
    intent = next(iter(cast.payments.intents))
    patch.setitem(cast.payments.disputes, "du_1", {"payment_intent": intent, "amount": 100, "currency": "eur", "status": "lost"})


def never_told(patch, cast):
    for order in cast.shop.orders.values():
        patch.setitem(order, "fulfillments", [])


def not_booked(patch, cast):
    patch.setattr(cast.erp, "effects", [one for one in cast.erp.effects if one[0] != "sale"])


def booked_twice(patch, cast):
    patch.setattr(cast.erp, "effects", [*cast.erp.effects, *(one for one in cast.erp.effects if one[0] == "sale")])


def another_total(patch, cast):
    right = cast.erp.totals
    patch.setattr(cast.erp, "totals", lambda: {name: total + 1 for name, total in right().items()})


SPOILT = {
    "duplicated": sold_twice, "stuck_unnamed": at_the_warehouse, "shipped_unpaid": nobody_paid, "negative_commits": less_than_none,
    "uncovered_unnamed": let_go, "disputes_differ": contested, "unconfirmed_shipments": never_told, "missing_sales": not_booked,
    "doubled_sales": booked_twice, "doubled_returns": booked_twice, "total_mismatches": another_total,
}  # fmt: skip

IN_THE_DEMO = {"captured_twice": "double-capture", "oversold_units_asked_first": "oversell", "unbalanced_entries": "unbalance"}


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """What each spoilt book made of a calm history: by rule, the figures of all rules. "": of the books as they are."""
    found = {}

    def compare(cast, *rest, **named):
        found[""], cases = right(cast, *rest, **named)
        for rule, spoil in SPOILT.items():
            with pytest.MonkeyPatch.context() as patch:
                spoil(patch, cast)
                found[rule], _ = right(cast, *rest, **named)
        return found[""], cases

    right = story.compare
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(story, "compare", compare)
        ending = story.play(CALM, fittings(CALM.landscape), tmp_path_factory.mktemp("books"))
    assert not ending.broken and set(ending.played) == {act.kind for act in ACTS}
    return {rule: Counter({name: figure for room in MUST_BE_ZERO for name, figure in of[room].items()}) for rule, of in found.items()}


@pytest.mark.parametrize("rule", SPOILT)
def test_a_spoilt_book_is_noticed_by_its_rule(compared, rule):
    assert compared[""][rule] == 0 and compared[rule][rule] > 0


def test_each_rule_has_been_seen_to_fail():
    """By a spoilt book here, by a bug that is planted into the simulator, or by one of the demo's."""
    planted = " ".join(bug.by for bug in MUTANTS.values())
    rules = {name for names in MUST_BE_ZERO.values() for name in names}
    assert {rule for rule in rules if rule not in planted} == {*SPOILT, *IN_THE_DEMO} and PLANTS.keys() >= set(IN_THE_DEMO.values())
