"""What outside systems said of one order's whole life, in every legal order of arrival that is tried: one state.

The messages are those that the imitations sent or showed over HTTP in a simulated history, byte for byte: webhooks and polled documents
of the shop, the provider, the warehouse and the ERP, the same thing often told by both. Legal: nothing comes before what caused it. The
warehouse ships what it was told of, and what follows from a parcel (its echo at the shop, the capture, the invoice) comes after it was
heard of. All else may be late, repeated and reordered.
"""

import random

import msgspec
import pytest

from mainstay.app.simulate import VARIANTS, fittings
from mainstay.flows import ask
from mainstay.flows.clerk import ReplayOrder
from mainstay.flows.intake import Intake
from mainstay.flows.rebuild import verify
from mainstay.flows.waiting import Waiting
from mainstay.flows.world import World
from mainstay.model.outcome import TOPIC
from mainstay.orders import decide
from mainstay.proof.sim import numbers, run, story
from mainstay.proof.sim.acts import Act, Swarm
from mainstay.proof.sim.arrival import Arrivals, compare, rearranged
from mainstay.proof.sim.known import Known, essence, known
from mainstay.proof.sim.story import play
from mainstay.stock import fold
from mainstay.storage.database import rows
from mainstay.storage.inbox import InboxReader, Receipt
from mainstay.storage.packing import unpack
from mainstay.storage.state import State

STORIES = {
    "bought and sent": ("shop buys", "warehouse packs"),
    "bought at the marketplace and sent": ("amazon buys", "warehouse packs"),
    "bought, sent, and some money back": ("shop buys", "warehouse packs", "goodwill"),
}
LANDSCAPE = "as in the demo"
SHUFFLES = 40
INTENTS = "SELECT id, body FROM intent"


def told(place, acts):
    """All that outside systems said in a calm history of these acts: what came before the second act, and what came after it."""
    calm = {twin: {} for twin in ("shop", "amazon", "payments", "erp", "warehouse")}
    played = tuple(Act(10.0 + 400 * number, kind, 3) for number, kind in enumerate(acts))
    ending = play(Swarm(1, LANDSCAPE, calm, {"SKU-0": 9}, 16, played), fittings(LANDSCAPE), place)
    assert not ending.broken and set(ending.played) >= set(acts), ending
    found = [one for name in ("inbox", "outcomes") for one in InboxReader(place / f"{name}.db").after(0, 10_000)]
    messages = sorted((one for one in found if one.topic != TOPIC and not _counts(one)), key=lambda one: one.at)
    turn = messages[0].at + 380_000_000
    return [one for one in messages if one.at < turn], [one for one in messages if one.at >= turn]


def _counts(one):
    """Stock is told once, at the beginning: a later count speaks of what has been booked meanwhile."""
    return one.system == "erp" and one.topic in ("level", "move")


def opening(place):
    found = [one for name in ("inbox", "outcomes") for one in InboxReader(place / f"{name}.db").after(0, 10_000)]
    return [one for one in found if one.system == "erp"][:2]


def shuffled(before, after, dice):
    """A legal order of arrival: each thing that led to the release once, the parcel, and then all that follows and all that is repeated."""
    rest = dice.sample(before, len(before))
    head = list({(one.system, one.topic): one for one in reversed(rest)}.values())
    cause = dice.choice([one for one in after if one.topic == "shipment"])
    tail = [one for one in rest if one not in head] + [one for one in after if one is not cause]
    return [*dice.sample(head, len(head)), cause, *dice.sample(tail, len(tail))]


@pytest.mark.parametrize("story", STORIES)
def test_what_systems_said_ends_in_one_state_in_any_legal_order(tmp_path, story):
    acts = STORIES[story]
    (place := tmp_path / "data").mkdir()
    before, after = told(place, acts)
    assert len(before) + len(after) > 8 and len({one.system for one in (*before, *after)}) >= 3, "several systems speak of it, repeatedly"
    ends: dict[str, list[int]] = {}
    for number in range(SHUFFLES):
        order = [*before, *after] if number == 0 else shuffled(before, after, random.Random(number))
        state = State(tmp_path / f"{number}.db")
        state.connection.pragma("synchronous", "off")
        intake = Intake(World(state), fittings(LANDSCAPE).shop)
        for seq, one in enumerate([*opening(place), *order], 1):
            intake.take("inbox", [msgspec.structs.replace(one, seq=seq)], one.at)
        end = msgspec.json.encode(essence(state), order="sorted").decode()
        ends.setdefault(end, []).append(number)
        assert rows(state.connection, "SELECT body FROM letter WHERE code = 'bug'") == []
        state.close()
    assert len(ends) == 1, "\n".join(f"{numbers}: {end}" for end, numbers in ends.items())
    assert verify(tmp_path / "1.db", tmp_path / "rebuilt.db", fittings(LANDSCAPE).shop).identical


# --- what is compared --------------------------------------------------------------------------------------------------
def know(**instead):
    """Two orders wanted A, one of them B, too; a third one wanted C alone."""
    found = Known(links=[{"o1", "A"}, {"o2", "A", "B"}, {"o3", "C"}, {"o3"}])
    for thing in ("o1", "o2", "o3", "A", "B", "C"):
        found.put(thing, thing, instead.get(thing, 1))
    found.put("account of o2", "o2", instead.get("account", 1))
    return found


@pytest.mark.parametrize("doubtful", [{"A"}, {"o1"}, {"B"}])
def test_what_hangs_on_a_doubtful_thing_is_left_out_and_the_rest_is_compared(doubtful):
    found = Arrivals()
    compare(found, know(), know(o1=2, o2=2, A=2, B=2, account=2), doubtful)
    assert (found.difference, found.compared, found.left_out) == ("", 2, 5)
    for thing in ("o3", "C"):
        compare(found, know(), know(**{thing: 2}), doubtful)
        assert found.difference == f"{thing}: 1 and 2"


def test_where_nothing_is_in_doubt_every_key_is_compared():
    for thing in ("o1", "A", "B", "account"):
        found = Arrivals()
        compare(found, know(), know(**{thing: 2}), set())
        assert found.difference and (found.compared, found.left_out) == (7, 0)


# --- in drawn histories ------------------------------------------------------------------------------------------------
def proved(seed, place, scenario=""):
    """A drawn history that is told once more in another order of arrival, as every 50th is."""
    place.mkdir()
    drawn = run.swarm(seed, tuple(VARIANTS), scenario)
    return play(drawn, fittings(drawn.landscape), place, prove=True, read=True)


def test_messages_do_come_elsewhere_in_drawn_histories_and_most_keys_are_compared(tmp_path):
    endings = [proved(seed, tmp_path / str(seed)) for seed in range(13)]
    found = [one.arrivals for one in endings]
    assert not any(one.broken for one in endings) and sum(one.moved for one in found) > 500
    assert sum(one.compared for one in found) > sum(one.left_out for one in found) > 0


def planted(monkeypatch, *bugs):
    """Plant bugs for the comparison alone, so that nothing else can notice them. What each history told: a difference, and SKUs that were
    short in it, as it came."""
    told = []

    def spoiled(taken, begin, stores, dice):
        with monkeypatch.context() as patch:
            for bug in bugs:
                patch.setattr(*bug)
            found = rearranged(taken, begin, stores, dice)
        told.append((found.difference, known(stores[0]).short))
        return found

    monkeypatch.setattr(story, "rearranged", spoiled)
    return told


def test_it_is_noticed_where_an_older_word_counts(tmp_path, monkeypatch):
    planted(monkeypatch, *((room, "newer", lambda *_: True) for room in (decide, ask)))
    assert any(proved(seed, tmp_path / str(seed)).broken.startswith("another order of arrival") for seed in range(40))


PLANTED = {  # what is right as the messages came, and wrong in another order
    "a movement counts though a later count holds it": (
        fold, "moved", lambda said, level: fold._stand(level, fold._standing(level) + said.delta),
    ),
    "what comes before its order is forgotten": (Waiting, "come", lambda *_: iter(())),
    "an older word counts": (decide, "newer", lambda *_: True),
}  # fmt: skip


@pytest.mark.parametrize("bug", PLANTED)
def test_a_bug_is_noticed_where_something_else_is_contended(tmp_path, monkeypatch, bug):
    """Somebody wanted units that were not there, and another SKU or order hangs on what came first."""
    told = planted(monkeypatch, PLANTED[bug])
    endings = (proved(seed, tmp_path / str(seed), "goods") for seed in (*range(36, 46), *range(20)))
    assert any(one.broken and all(told[-1]) and one.arrivals.left_out for one in endings)


def test_people_name_the_same_letters_in_another_order(tmp_path, monkeypatch):
    """Letters are numbered as they come: by the numbers of before other ones were retried."""
    assert not proved(46, tmp_path / "named").broken
    monkeypatch.setattr(numbers, "OF_A_LETTER", ())
    assert proved(46, tmp_path / "not").broken.startswith("another order of arrival")


def test_a_replay_is_of_the_same_effects_in_another_order(tmp_path, monkeypatch):
    seen = []

    def look(taken, begin, stores, dice):
        found = rearranged(taken, begin, stores, dice)
        keys = [{number: msgspec.json.decode(unpack(body))["key"] for number, body in rows(one.connection, INTENTS)} for one in stores]
        asked = ReplayOrder(receipts=tuple(keys[0]), stage="effect")
        receipt = Receipt(1, 0, "mainstay", "operator/replay", "", msgspec.json.encode(asked))
        there = numbers.Numbers(World(stores[0]), World(stores[1]), {}).named(receipt)
        told = msgspec.json.decode(there.body, type=ReplayOrder).receipts
        assert {keys[1][number] for number in told} == set(keys[0].values()) & set(keys[1].values())
        seen.append(told != asked.receipts)
        return found

    monkeypatch.setattr(story, "rearranged", look)
    assert not any(proved(seed, tmp_path / str(seed)).broken for seed in (0, 1, 3)) and any(seen)
