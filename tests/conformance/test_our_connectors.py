"""Each of our connectors against its twin, in all weathers."""

import random
from typing import Any

import pytest

from mainstay.contract.conformance import CHECKS, examine, report
from mainstay.proof.drivers import SUBJECTS, subject

# (connector, check) -> why some seeds cannot pass.
KNOWN: dict[tuple[str, str], str] = {
    ("shopify", "timeless"): "a level's updatedAt counts seconds: two changes within one share a version, and no connector can order them",
}
SEEDS = {"tryton": range(1)}  # its books are searched row by row, so a play takes a second


def case(name: str, check: str) -> Any:
    marks = [pytest.mark.xfail(reason=KNOWN[name, check], strict=False)] if (name, check) in KNOWN else []
    return pytest.param(name, check, id=f"{name}-{check}", marks=marks)


@pytest.mark.parametrize(("name", "check"), [case(name, check.name) for name in SUBJECTS for check in CHECKS])
def test_a_connector_keeps_its_promise(name: str, check: str) -> None:
    verdicts = examine(subject(name), random.Random, SEEDS.get(name, range(2)), [check])
    assert all(verdict.passed for verdict in verdicts), report(verdicts)


def test_every_connector_of_ours_is_examined() -> None:
    from mainstay.connectors import OURS

    assert set(SUBJECTS) == set(OURS)
