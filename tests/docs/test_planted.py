"""The table of planted bugs: what it names is there, and what is planted anywhere stands in it."""

import ast
import importlib
import re
from pathlib import Path

import pytest

from mainstay.proof import planted
from mainstay.proof.catalogue import BESIDES, BUGS, FAULTS, INVARIANTS
from mainstay.proof.plants import PLANTS
from mainstay.proof.sim.mutants import MUTANTS

ROOT = Path(__file__).parents[2]
EVERY = planted.every()
ROWS = (*INVARIANTS, *FAULTS, *BUGS)
# What a test is called, or says of itself, that plants a bug. One that plants none, and is called so, stands in NO_BUGS.
CALLED = re.compile(r"planted|noticed|_is_seen\b|_caught\b|_would_catch|^test_(if|with|without|nobody)_.*(would|holds_up)|not_notice")
SAYS = re.compile(r"\bplanted bug|\bplants? a bug|\A\([^)]*\bbug\b", re.I)
IN_THE_SIMULATOR = {f"tests/{file}.py::test_every_planted_bug_is_caught" for file in ("sim/test_sim", "crash/test_power")} | {
    "tests/crash/test_power.py::test_an_effect_that_is_not_made_is_noticed",
    "tests/crash/test_slow_disk.py::test_what_is_acknowledged_and_not_kept_is_noticed_there_too",
}  # of MUTANTS
NO_BUGS = {
    "tests/alerts/test_decide.py::test_given_away_and_back_before_anybody_noticed_is_no_news",
    "tests/delivery/test_holding_back.py::test_a_change_is_noticed_once",
    "tests/connectors/test_manifest.py::test_a_file_more_or_less_is_seen",  # of the recordings beside the repository
}


def functions(path):
    """The tests of a file, and what each says of itself: its arguments, and in words."""
    for one in ast.walk(ast.parse(path.read_text())):
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name.startswith("test_"):
            takes = " ".join(argument.arg for argument in one.args.args)
            yield f"{path.relative_to(ROOT)}::{one.name}", one.name, f"({takes}) {ast.get_docstring(one) or ''}"


TESTS = {test: (name, says) for path in sorted((ROOT / "tests").rglob("test_*.py")) for test, name, says in functions(path)}
ITSELF = {test for test in TESTS if test.startswith(("tests/docs/test_planted.py", "tests/docs/test_catalogue.py"))}


def looks_planted(name, says):
    return bool(CALLED.search(name) or SAYS.search(says))


def test_what_plants_a_bug_stands_in_the_table():
    found = {test for test, (name, says) in TESTS.items() if looks_planted(name, says)}
    unnamed = found - {one.test for one in EVERY.values()} - IN_THE_SIMULATOR - NO_BUGS - ITSELF
    assert not unnamed, "these look as if they planted a bug: name it in proof/planted.py, or the test in NO_BUGS here"
    assert found >= NO_BUGS, "of these none looks as if it did any more"


def test_what_looks_so_is_known_by_its_name_or_by_what_it_says():
    assert looks_planted("test_planted_bug_a_key_for_each_try", "") and looks_planted("test_without_it_two_would_leave", "")
    assert looks_planted("test_one_queue", "() The planted bug: it holds up.") and looks_planted("test_x", "(core, bug) ")
    assert not looks_planted("test_what_a_bug_is", "() Told of a bug.") and not looks_planted("test_a_rehearsal_says_what_would_follow", "")


def cases(test):
    """The cases of a test by name: those that are called a bug, where some are not."""
    path, _, name = test.partition("::")
    module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    (mark,) = [one for one in getattr(module, name).pytestmark if one.name == "parametrize"]
    if named := mark.kwargs.get("ids"):
        return {one for one in named if "bug" in one}
    first = [one[0] if isinstance(one, tuple) else one for one in mark.args[1]]
    return {getattr(one, "__name__", one) for one in first}


@pytest.mark.parametrize("test", sorted({one.test for one in EVERY.values() if one.test}))
def test_what_the_table_names_is_there(test):
    assert test in TESTS
    named = {one.case for one in EVERY.values() if one.test == test}
    assert named == {""} or named == cases(test), "each of its cases is a bug of its own"


@pytest.mark.parametrize("name", planted.OUTSIDE)
def test_the_rule_that_notices_it_stands_in_its_test(name):
    one = planted.OUTSIDE[name]
    text = (ROOT / one.test.partition("::")[0]).read_text()
    assert one.what and one.by and all(said in text for said in re.findall("“([^”]+)”", one.by))


def test_guards_are_tests_of_the_product():
    assert {guard for _, guard in planted.GUARDS.values()} <= TESTS.keys()


def test_no_two_bugs_have_one_name_and_each_has_a_harness():
    assert len(EVERY) == len(MUTANTS) + len(planted.OUTSIDE) + len(planted.GUARDS) + len(PLANTS) + len(planted.CHECKS)
    assert {one.harness for one in EVERY.values()} == planted.HARNESSES.keys()


def test_each_bug_breaks_something_that_is_asked_for_or_named():
    named = {bug for one in ROWS for bug in one.bugs}
    broken = {bug for one in (*INVARIANTS, *BUGS) for bug in one.bugs}
    assert named <= EVERY.keys() and EVERY.keys() - broken == BESIDES.keys()


@pytest.mark.parametrize("row", INVARIANTS, ids=lambda row: row.id)
def test_an_invariant_that_is_tested_has_a_planted_bug_or_a_reason(row):
    assert bool(row.shown) == bool(row.bugs or row.unplanted) and not (row.bugs and row.unplanted)
