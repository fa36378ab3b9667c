"""Fixtures for all rooms; and the page of what the slower proofs measured (`make proof`)."""

import os
import platform
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real payloads and history beside the repo. Absent: skipped, but in CI its absence fails."""
    if SHARED.is_dir():
        return SHARED
    if os.environ.get("CI") == "true":
        pytest.fail(f"{SHARED} is absent, and in CI these tests must run")
    pytest.skip(f"needs {SHARED}")


# --- what the proofs measured ------------------------------------------------------------------------------------------
GROUPS = {  # of the proofs: what it is called, its budget in minutes on two cores (DESIGN 7), the tests
    "drawn histories": (3, ("tests/sim/test_sim.py::test_a_thousand",)),
    "planted bugs of the simulator and of power cuts, bad inputs": (  # those under other harnesses: there, and in `make test`
        4,
        ("tests/sim/test_sim.py::test_every_planted", "tests/crash/test_power.py::test_every", "tests/badinput"),
    ),
    "power cuts, I/O errors, kills": (3, tuple(f"tests/crash/test_{name}.py" for name in ("power", "io_errors", "kills"))),
    "other systems' own programs and documents": (None, ("tests/real", "tests/connectors", "tests/contract")),
    "everything else": (None, ("tests",)),
}


FIGURES: list[tuple[str, str, float, str]] = []  # of this process, which runs or awaits each proof
SPENT = dict.fromkeys(GROUPS, 0.0)  # seconds


def pytest_runtest_logreport(report):
    group = next(name for name, (_, places) in GROUPS.items() if report.nodeid.startswith(places) or name == "everything else")
    SPENT[group] += report.duration


@pytest.fixture
def figure() -> Callable[..., None]:
    """Notes a figure of a proof: what was tried, what came of it, and the command that does it again."""
    started = time.monotonic()

    def note(what: str, found: str, again: str, seconds: float | None = None) -> None:
        FIGURES.append((what, found, time.monotonic() - started if seconds is None else seconds, again))

    return note


@pytest.fixture(scope="session")
def beside() -> Iterator[Callable[..., tuple]]:
    """For proofs of which each uses one core: calls a function with the value of each test that was chosen, two at a time; gives what came
    of this test's, and its seconds."""
    begun: dict[str, dict[object, Future]] = {}
    with ProcessPoolExecutor(2) as pool:

        def result(test: pytest.Function, function: Callable) -> tuple:
            name = test.nodeid.partition("[")[0]
            if name not in begun:
                chosen = [one for one in test.session.items if one.nodeid.startswith(f"{name}[")]
                begun[name] = {one.callspec.id: pool.submit(_timed, function, *one.callspec.params.values()) for one in chosen}
            return begun[name][test.callspec.id].result()

        yield result
        pool.shutdown(cancel_futures=True)


def _timed(function, value):
    began = time.monotonic()
    return function(value), time.monotonic() - began


def pytest_sessionfinish(session, exitstatus):
    path = os.environ.get("PROOFS", "")  # the page that is written when all of them hold
    if path and exitstatus == 0:
        Path(path).write_text(_page(FIGURES, SPENT))


def _page(figures, spent):
    machine = f"{platform.system()} {platform.release()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    lines = [
        "# What the proofs measured", "",
        f"Written by `make proof`, when all of them held; do not edit. {time.strftime('%Y-%m-%d', time.gmtime())}, {machine}.",
        "[Reliability](reliability.md) says what each of them is, and what is not promised.", "",
        "| what was tried | what came of it | seconds | again |", "| --- | --- | --- | --- |",
    ]  # fmt: skip
    lines += [f"| {what} | {found} | {seconds:.0f} | `{again}` |" for what, found, seconds, again in figures]
    lines += ["", "| group | minutes | budget |", "| --- | --- | --- |"]
    for name, (budget, _) in GROUPS.items():
        over = ": **over**" if budget and spent[name] > 60 * budget else ""
        lines.append(f"| {name} | {spent[name] / 60:.1f} | {budget or ''}{over} |")
    return "\n".join(lines) + "\n"
