"""Coverage-guided fuzzing of every path from bytes of others to our own values: no crash, nothing over a second, bounded memory.

What it found is kept in `found/`, one folder a target, and played anew each time. For longer, from the root of the repository:
`PYTHONPATH=src python -m tests.badinput.fuzzing TARGET FOLDER -max_total_time=600`; the input that ends a run lies in FOLDER.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.badinput.targets import FOUND, TARGETS, seeds

ROOT = Path(__file__).parents[2]
SLOW_S = 1.0
LONGER_S = 7  # of each target, in `make proof`
FEW = 300  # runs, in the fast suite


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_known_is_read_or_refused(target):
    run = TARGETS[target]()
    known = list(seeds(target))
    assert known
    for data in known:
        began = time.thread_time()  # not the machine's, which may be busy with others
        run(data)
        assert time.thread_time() - began < SLOW_S, data[:200]


def test_what_was_found_belongs_to_a_target():
    assert {path.name for path in FOUND.iterdir()} <= set(TARGETS)


def fuzz(target: str, folder: Path, flag: str, **environment: str) -> tuple[int, str]:
    """(inputs tried, what was said); fails with the input that ended the run."""
    pytest.importorskip("atheris", reason="atheris is made for Linux on x86-64 alone")
    words = [sys.executable, "-m", "tests.badinput.fuzzing", target, str(folder), flag, "-seed=1"]
    paths = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, "PYTHONPATH": paths, **environment}, timeout=300
    )
    ended = [path.read_bytes()[:2000] for path in folder.iterdir() if path.is_file()]
    assert done.returncode == 0 and not ended, f"{ended}\n{done.stderr[-3000:]}"
    return int(re.search(r"number_of_executed_units: (\d+)", done.stderr)[1]), done.stderr


def test_a_few_that_nobody_thought_of(tmp_path):
    """Quick, and that it works at all; `make proof` goes on for longer, with every target."""
    tried, told = fuzz("stripe", tmp_path, f"-runs={FEW}")
    assert tried >= FEW and int(re.search(r"new_units_added: +(\d+)", told)[1]) > 0, "coverage leads it to inputs that are new"


def test_a_translation_that_takes_everything_for_ascii_is_found(tmp_path):
    """The planted bug: no payload to begin with says anything else."""
    pytest.importorskip("atheris", reason="atheris is made for Linux on x86-64 alone")
    with pytest.raises(AssertionError):
        fuzz("stripe", tmp_path, "-runs=100000", MAINSTAY_PLANTED="1")
    (found,) = tmp_path.glob("crash-*")
    assert not found.read_bytes().isascii() or b"\\u" in found.read_bytes()


def fuzz_longer(target):
    with tempfile.TemporaryDirectory() as folder:
        return fuzz(target, Path(folder), f"-max_total_time={LONGER_S}")[0]


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_many_that_nobody_thought_of(target, request, beside, figure):
    tried, seconds = beside(request.node, fuzz_longer)
    assert tried > 200
    told = f"{tried:,} inputs; none crashed, none took a second"
    figure(f"fuzzing: {target}", told, f"pytest tests/badinput -m slow -k {target}", seconds)
