"""The tests that guard an invariant by an example can fail: each is run with a bug in the product."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mainstay.proof.planted import GUARDS
from tests.proof.planting import PLANTED, SPOILS

ROOT = Path(__file__).parents[2]


def guarded(bug, planted):
    """How the test ends that guards against a bug."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-m", "not slow", "-p", "tests.proof.planting", GUARDS[bug][1]]
    path = os.pathsep.join(map(str, (ROOT / "src", ROOT, Path(__file__).parent / "site")))
    environment = {**os.environ, PLANTED: bug if planted else "", "PYTHONPATH": path}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment, timeout=120)
    return done.returncode, done.stdout


def test_each_has_its_bug():
    assert SPOILS.keys() == GUARDS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("bug", GUARDS)
def test_what_guards_an_invariant_notices_its_bug(bug):
    code, told = guarded(bug, planted=True)
    assert code == 1 and not re.search(r"^ERROR ", told, re.M), f"{GUARDS[bug][0]}: nobody noticed\n{told[-3000:]}"
    assert re.search(rf"^{GUARDS[bug][1].partition('::')[0]}:\d+: ", told, re.M), told[-3000:]
