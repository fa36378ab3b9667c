"""Each bug that the demo plants makes its report bad, in the figure that is about it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mainstay.proof.books import MUST_BE_ZERO
from mainstay.proof.plants import PLANTS
from tests.proof.test_books import IN_THE_DEMO

FIGURES = {bug: rule for rule, bug in IN_THE_DEMO.items()} | {"lose-one": "lost"}
ROOM = {rule: room for room, rules in MUST_BE_ZERO.items() for rule in rules}
ORDERS = 100


@pytest.mark.slow
@pytest.mark.parametrize("bug", PLANTS)
def test_the_demo_s_report_says_so(bug, tmp_path):
    words = [sys.executable, "-m", "mainstay.app.cli", "demo", "--orders", str(ORDERS), "--plant", bug, "--json"]
    source = str(Path(__file__).parents[2] / "src")
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, cwd=tmp_path, env={**os.environ, "PYTHONPATH": source}, timeout=300
    )
    assert done.returncode == 1, done.stderr[-2000:]
    rule = FIGURES[bug]
    assert json.loads(done.stdout)[ROOM[rule]][rule] > 0
