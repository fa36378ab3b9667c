"""SIGSTOP of edge, core, dispatch and the supervisor, for longer than anybody waits for them: when they go on nothing acknowledged is lost
and nothing is done twice. Meanwhile people are told, as far as somebody is there to tell them."""

from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.crash.standing import ANOTHER, IMPATIENT, NEVER_LOOKS, STANDS_S, stood

STAND = {  # who stands still: with what beside it, and what people are told then
    "edge": ("", {"no answer", "process/edge"}),
    "core": ("", {"503: core has not been heard of for 10 s", "process/core"}),
    "dispatch": (
        IMPATIENT,
        {"503: dispatch has not been heard of for 10 s", "process/dispatch"},
    ),  # as who asks sees; who tells of it stands still
    "up": ("", {"503: core has not been heard of for 10 s", "process/core", "process/up"}),
}
BUGS = {"core": ANOTHER, "dispatch": NEVER_LOOKS}


@pytest.fixture(scope="module")
def standing(tmp_path_factory):
    """Side by side, for they mostly wait: one in which nobody stands still, each of those who may, and those with bugs."""
    folder = tmp_path_factory.mktemp("standing")
    with ProcessPoolExecutor(1 + len(STAND) + len(BUGS)) as pool:
        found = {"": pool.submit(stood, folder / "calm", "")}
        found |= {role: pool.submit(stood, folder / role, role, beside) for role, (beside, _) in STAND.items()}
        found |= {f"{role} with a bug": pool.submit(stood, folder / f"{role}-bug", role, bug) for role, bug in BUGS.items()}
        yield found


def differs(history, calm):
    return not history.fine or history.lost or (history.once, history.last) != (calm.once, calm.last)


@pytest.mark.slow
@pytest.mark.parametrize("role", STAND)
def test_who_stands_still_goes_on_as_if_nothing_had_been(standing, role, figure):
    (calm, _), (history, told) = standing[""].result(), standing[role].result()
    assert calm.fine and calm.lost == []
    assert history.lost == [] and history.fine, history.report
    assert history.once == calm.once and history.last == calm.last
    assert told - {""} == STAND[role][1]
    assert history.seconds > STANDS_S
    told = f"for {STANDS_S} s: nothing lost, all {calm.once.total():,} effects as without"
    figure(f"{role} stands still", told, f"pytest tests/crash/test_standing.py -m slow -k {role}", history.seconds)


@pytest.mark.slow
@pytest.mark.parametrize("role", BUGS)
def test_a_bug_that_shows_when_somebody_stands_still_is_noticed(standing, role):
    """Who asks again, since the core did not answer, is taken for another; what dispatch had asked for is not found again."""
    assert differs(standing[f"{role} with a bug"].result()[0], standing[""].result()[0])
