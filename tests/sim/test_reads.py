"""Views that a simulated machine does not make by itself: alarms and changes of shape; and which view is compared with what."""

import asyncio
import random
from functools import partial

import msgspec
import pytest

from mainstay.alerts.decide import Decided
from mainstay.app import alarms, alerting, build, simulate
from mainstay.app.simulate import VARIANTS, fittings
from mainstay.delivery.post import Post
from mainstay.edge import alarms as shown_alarms
from mainstay.edge import drifts
from mainstay.edge.api import Api
from mainstay.flows import drift
from mainstay.proof.access import keep
from mainstay.proof.sim import run, story
from mainstay.proof.sim.machine import Machine
from mainstay.proof.sim.reads import AT_THE_END, COMPARED
from mainstay.proof.sim.reads_alarms import unlike_alarms, unlike_drift

FAILING = 24  # a seed at whose end effects have failed
CALM = 0  # one at whose end nothing has


@pytest.fixture
def at_the_end(monkeypatch):
    """Plays a seed; what `look` finds at its end, given the machine and its cast, is how it ends."""

    def played(seed, look):
        started, machines = Machine.start, []

        def start(machine):
            machines.append(machine)
            started(machine)

        async def misread(ask, cast, *_more):
            return await look(ask, machines[-1], cast)

        monkeypatch.setattr(Machine, "start", start)
        monkeypatch.setattr(story, "misread", misread)
        monkeypatch.setattr(run, "READ_EVERY", 1)
        return run.one(run.swarm(seed, tuple(VARIANTS)), fittings).broken

    return played


def declared(landscape, place, machine):
    """The house that a landscape of the simulator declares, over the files of a machine."""
    place.mkdir(exist_ok=True)
    (place / "mainstay.toml").write_text(simulate.text_of(landscape))
    keep(place, simulate.TOKENS)
    return msgspec.structs.replace(build.open_house(place / "mainstay.toml"), data=machine.place)


def alarmed(house, machine):
    """Look for alarms once, as the dispatch process does."""
    post = Post(machine.outcomes.inbox, {}, machine.wires, machine.clock, random.Random(1))
    watching = alerting.Alerting(house, post)
    watching.step(watching._look(machine.clock()), machine.clock())


def watched(house, machine):
    """Learn from all that came, as the core process does in its quiet moments."""
    watch = drift.Watch(machine.intake, machine.readers, partial(build.learned, house))
    while watch.step():
        pass


def look_for_alarms(tmp_path, seed):
    landscape = run.swarm(seed, tuple(VARIANTS)).landscape

    async def look(ask, machine, _cast):
        house = declared(landscape, tmp_path / "house", machine)
        watched(house, machine)
        alarmed(house, machine)
        return await unlike_drift(ask, ()) or await unlike_alarms(ask)

    return look


@pytest.mark.parametrize("seed", [FAILING, CALM])
def test_each_cause_is_among_the_alarms_and_nothing_else(at_the_end, tmp_path, seed):
    assert not at_the_end(seed, look_for_alarms(tmp_path, seed))


@pytest.mark.parametrize("room, name, spoil", [
    (alarms.Alarms, "_letters", lambda right: lambda *of: list(right(*of))[:-1]),
    (shown_alarms, "shown", lambda right: lambda *of: {**right(*of), "alarms": right(*of)["alarms"][:-1]}),
    (alerting, "decide", lambda right: lambda found, *of: Decided({}, ())),
])  # fmt: skip
def test_a_cause_that_is_not_among_the_alarms_is_noticed(at_the_end, monkeypatch, tmp_path, room, name, spoil):
    monkeypatch.setattr(room, name, spoil(getattr(room, name)))
    assert "what is shown is wrong: alarms" in at_the_end(FAILING, look_for_alarms(tmp_path, FAILING))


def look_for_changes(tmp_path, monkeypatch, changed):
    """At the end the shop's documents get a field that they never had, when all is learnt that came before."""

    async def look(ask, machine, cast):
        house = declared(run.swarm(CALM, tuple(VARIANTS)).landscape, tmp_path / "house", machine)
        order, right = next(iter(cast.shop.orders)), cast.shop.told
        street = cast.shop.orders[order]["shipping_address"]["address1"]
        cast.shop.redirect(order, street, machine.clock())
        machine.wires.pump("shop")
        await asyncio.sleep(60)
        watched(house, machine)
        monkeypatch.setattr(drift, "FIRST", 0)  # enough has been learnt
        monkeypatch.setattr(drift, "EVERY", 1)
        monkeypatch.setattr(cast.shop, "told", lambda body: right(msgspec.json.encode({**msgspec.json.decode(body), "novelty": 1})))
        cast.shop.redirect(order, street, machine.clock())
        machine.wires.pump("shop")
        await asyncio.sleep(60)
        watched(house, machine)
        alarmed(house, machine)
        return await unlike_drift(ask, changed) or await unlike_alarms(ask)

    return look


NOVELTY = ("shop", "orders/updated", "novelty", "new")


def test_what_a_system_was_made_to_change_is_shown_and_alarms(at_the_end, monkeypatch, tmp_path):
    assert not at_the_end(CALM, look_for_changes(tmp_path, monkeypatch, (NOVELTY,)))


@pytest.mark.parametrize("room, name, spoil, noticed", [
    (drifts.drift, "drifted", lambda right: lambda *of: right(*of)[1:], "drift"),
    (alarms.Alarms, "_drifts", lambda _right: lambda *_of: iter(()), "alarms"),
])  # fmt: skip
def test_a_change_that_is_not_shown_is_noticed(at_the_end, monkeypatch, tmp_path, room, name, spoil, noticed):
    monkeypatch.setattr(room, name, spoil(getattr(room, name)))
    assert f"what is shown is wrong: {noticed}" in at_the_end(CALM, look_for_changes(tmp_path, monkeypatch, (NOVELTY,)))


def test_it_says_of_every_view_with_what_it_is_compared():
    """A new GET has to be compared with something, and named here."""
    served = {route.path for route in Api(None, None, None, None, {}, {}, bytes, str).application().routes if "GET" in route.methods}
    assert served == set(COMPARED)
    assert sum(when == AT_THE_END for when, _ in COMPARED.values()) >= 9
