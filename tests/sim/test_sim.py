"""The whole system between twins, with drawn faults and crashes: what must hold at every commit, and what must agree at the end."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from mainstay.app import build
from mainstay.app.cli import main
from mainstay.app.reference import endpoints
from mainstay.app.simulate import VARIANTS, fittings, text_of
from mainstay.landscape import check, read
from mainstay.model.failures import Reject
from mainstay.model.secrets import Secret
from mainstay.proof.sim import run
from mainstay.proof.sim.acts import BOTH, FAULTS, KINDS, LACKING, SCENARIOS, Act
from mainstay.proof.sim.machine import Machine
from mainstay.proof.sim.mutants import MUTANTS, caught, planted
from mainstay.proof.sim.reads import BESIDE, COMPARED
from mainstay.proof.sim.run import rule
from mainstay.proof.sim.story import INVARIANTS

LANDSCAPES = tuple(VARIANTS)


def swarms(seeds, scenario=""):
    return (run.swarm(seed, LANDSCAPES, scenario) for seed in seeds)


def broken(endings):
    return {ending.seed: ending.broken for ending in endings if ending.broken}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_seed_breaks_anything(scenario):
    assert not broken(run.one(drawn, fittings) for drawn in swarms(range(12), scenario))


@pytest.mark.parametrize("seed", [1300, 6584, 7950])
def test_seeds_that_were_found_to_fail_by_a_proof_of_all_up_to_ten_thousand(seed):
    """Each 50th is proved, and `make proof` plays a thousand. 1300: a retried effect names its letter by number. 6584: a payment is
    contested, then its order is called off. 7950: a release is asked back in one order of arrival alone."""
    assert not broken(run.one(drawn, fittings) for drawn in swarms([seed]))


@pytest.mark.parametrize("kind", sorted({kind for kinds in SCENARIOS.values() for kind in kinds} - KINDS.keys()))
def test_an_act_that_only_a_scenario_has_really_happens(kind):
    scenario = next(name for name, kinds in SCENARIOS.items() if kind in kinds)
    assert any(run.one(drawn, fittings).played[kind] for drawn in swarms(range(150), scenario))


@pytest.mark.parametrize("lacks", LACKING)
def test_every_landscape_can_be_declared_without_this_system(lacks):
    """As a user would check it: nothing that keeps Mainstay from starting, and nobody speaks of who is not there."""
    for variant in VARIANTS:
        text = text_of(BOTH.join((variant, lacks))).replace("http://", "https://")
        declared = read(text, "mainstay.toml")
        assert LACKING[lacks] not in declared.systems and len(declared.systems) == 6
        found = check(declared, build.offers(), lambda where: Secret(f"kept at {where}"), lambda _key: 1)
        assert not [one for one in found if one.severity == "error"], (variant, lacks)


def test_all_links_stop_and_come_back_in_another_order():
    """With crashes meanwhile; and a lost answer that is taken for success shows there, too."""
    endings = [run.one(drawn, fittings) for drawn in swarms(range(12, 24), "clogs")]
    assert not broken(endings)
    fired = sum((ending.fired for ending in endings), Counter())
    assert fired["all links stopped"] == fired["back in another order"] >= 10 and fired["unreachable"] >= 500 and fired["crash"]
    with planted("unknown-is-done"):
        assert broken(run.one(drawn, fittings) for drawn in swarms((6, 7), "clogs"))


@pytest.mark.slow
def test_a_thousand_seeds_break_nothing_and_every_fault_and_act_really_happens(figure):
    found = run.report(run.many(range(1_000), LANDSCAPES, fittings), lambda _ending: None)
    assert found["failed"] == {}
    assert not found["never_fired"] and set(found["acts"]) == set(KINDS)
    faults = f"{sum(found['faults'].values()):,} faults of {len(found['faults'])} kinds"
    assert found["came_in_another_order"] >= 100, "of 20 histories"
    assert found["keys_compared"] > found["keys_left_out"], "which hang on the order"
    moved = f"{found['came_in_another_order']} messages in another order ({found['keys_compared']} keys compared)"
    told = f"0 of 1,000 failed; {found['commits_checked']:,} commits checked; {faults}; {moved}"
    figure("drawn histories", told, "mainstay sim --seeds 1000")


def test_a_seed_is_the_same_wherever_it_is_played():
    """Another process, another hash seed: the same log to the byte."""
    script = (
        "from mainstay.app.simulate import VARIANTS, fittings; from mainstay.proof.sim import run; run.silence();"
        "print([run.one(run.swarm(n, tuple(VARIANTS)), fittings).log for n in range(4)])"
    )
    told = set()
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        told.add(subprocess.run([sys.executable, "-c", script], env=environment, check=True, capture_output=True, text=True).stdout)
    assert len(told) == 1 and all(len(digest) == 64 for digest in eval(told.pop()))


def test_a_failing_seed_shrinks_to_a_history_that_still_fails():
    with planted("never-expire"):
        drawn = next(drawn for drawn in swarms(range(60), "flash sale") if run.one(drawn, fittings).broken)
        shorter, ending = run.shrink(drawn, fittings)
        assert len(shorter.acts) <= 2 < len(drawn.acts) and "past their time" in ending.broken
        assert run.one(shorter, fittings) == ending
    assert not run.one(shorter, fittings).broken, "it is the bug that fails, not the history"


def test_a_history_says_what_of_it_really_happened():
    """A parcel is packed once there is an order; with all that was bought packed, the buyer has nothing to call off."""
    acts = (Act(0.0, "warehouse packs", 1), Act(60.0, "shop buys", 1), Act(890.0, "buyer cancels", 1))
    drawn = msgspec.structs.replace(
        run.swarm(7, LANDSCAPES), landscape="as in the demo", weather={twin: {} for twin in run.TWINS}, stock={"SKU-0": 9}, acts=acts
    )
    packed, bought, cancelled = (line.partition(")")[2] for line in run.told(drawn, run.one(drawn, fittings))[2:-1])
    assert (packed, bought, cancelled) == (": after 120 s more", "", ": found nothing to do")


def test_what_does_not_exist_is_named():
    with pytest.raises(Reject, match="flash sale"):
        run.swarm(1, LANDSCAPES, "no such scenario")
    with pytest.raises(Reject, match="never-expire"), planted("no such bug"):
        pass


def noticed(name):
    return caught(name, swarms(MUTANTS[name].seeds, MUTANTS[name].scenario), fittings)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, bug in MUTANTS.items() if not bug.power])  # tests/crash has the others
def test_every_planted_bug_is_caught(name, request, beside, figure):
    (seeds, why), seconds = beside(request.node, noticed)
    assert seeds, f"{MUTANTS[name].what}: nobody noticed"
    assert MUTANTS[name].is_named(why), why
    figure(f"planted bug `{name}`", f"noticed in history {seeds}: {rule(why)}", f"pytest tests/sim -m slow -k {name}", seconds)


def test_every_view_is_compared_with_something(monkeypatch):
    """Each GET of the API is asked for in histories: by operators in the middle of them, or at their ends."""
    asked, paths = Machine.ask, set()

    def noting(self, who, method, path, *rest):
        paths.update([path] if method == "GET" else [])
        return asked(self, who, method, path, *rest)

    monkeypatch.setattr(Machine, "ask", noting)
    for scenario in ("held back", "counts"):
        assert not broken(run.one(drawn, fittings) for drawn in swarms(range(20), scenario))
    views = {one.path for one in endpoints() if one.method == "GET"}
    compared = {view for view in views if any(re.fullmatch(re.sub(r"{\w+}", "[^/]+", view), path) for path in paths)}
    assert compared == {view for view, (when, _) in COMPARED.items() if when != BESIDE}


def test_every_scenario_is_in_the_documents():
    text = Path(__file__).parents[2].joinpath("docs", "simulate.md").read_text()
    assert not [name for name in SCENARIOS if f"`{name}`" not in text and name]


def test_one_history_or_many_are_asked_for():
    asked = CliRunner().invoke(main, ["sim", "--seed", "1", "--seeds", "3"])
    assert asked.exit_code == 2 and "say one of them" in asked.output


def test_there_are_faults_acts_and_invariants():
    """The lists that a swarm draws from are those that the twins and the troupe know."""
    drawn = list(swarms(range(200)))
    assert {fault for one in drawn for rates in one.weather.values() for fault in rates} == set(FAULTS)
    assert {act.kind for one in drawn for act in one.acts} == set(KINDS) and {
        name for one in drawn for name in one.landscape.split(BOTH)
    } == {*LANDSCAPES, *LACKING}
    assert {len(set(one.landscape.split(BOTH)) - LACKING.keys()) for one in drawn} == {1, 2, 3}
    assert {len(LACKING.keys() & one.landscape.split(BOTH)) for one in drawn} == {0, 1, 2}
    assert len(INVARIANTS) >= 5 and Counter(len(one.acts) for one in drawn)
