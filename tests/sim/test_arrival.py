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
from mainstay.flows.intake import Intake
from mainstay.flows.rebuild import verify
from mainstay.flows.world import World
from mainstay.model.outcome import TOPIC
from mainstay.orders import decide
from mainstay.proof.sim import run
from mainstay.proof.sim.acts import Act, Swarm
from mainstay.proof.sim.arrival import essence
from mainstay.proof.sim.story import play
from mainstay.storage.database import rows
from mainstay.storage.inbox import InboxReader
from mainstay.storage.state import State

STORIES = {
    "bought and sent": ("shop buys", "warehouse packs"),
    "bought at the marketplace and sent": ("amazon buys", "warehouse packs"),
    "bought, sent, and some money back": ("shop buys", "warehouse packs", "goodwill"),
}
LANDSCAPE = "as in the demo"
SHUFFLES = 40


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


# --- in drawn histories ------------------------------------------------------------------------------------------------
def proved(seed, place):
    """A drawn history that is told once more in another order of arrival, as every 50th is."""
    place.mkdir()
    drawn = run.swarm(seed, tuple(VARIANTS))
    return play(drawn, fittings(drawn.landscape), place, prove=True, read=True)


def test_messages_do_come_elsewhere_in_drawn_histories(tmp_path):
    endings = [proved(seed, tmp_path / str(seed)) for seed in range(13)]
    assert not any(one.broken for one in endings) and sum(one.moved for one in endings) > 20


def test_it_is_noticed_where_an_older_word_counts(tmp_path, monkeypatch):
    for room in (decide, ask):
        monkeypatch.setattr(room, "newer", lambda *_: True)
    assert any(proved(seed, tmp_path / str(seed)).broken.startswith("another order of arrival") for seed in range(40))
