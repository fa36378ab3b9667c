"""Each of our connectors against its twin, in all weathers."""

import random
from collections.abc import Sequence
from typing import Any

import pytest

from mainstay.contract.conformance import CHECKS, examine, report
from mainstay.proof.drivers import SUBJECTS, subject

# (connector, check, a seed that cannot pass) -> why.
KNOWN: dict[tuple[str, str, int], str] = {
    (
        "shopify",
        "timeless",
        0,
    ): "a level's updatedAt counts seconds: two changes within one share a version, which nobody can order",
}
SEEDS = {
    "tryton": range(1),  # its books are searched row by row, so a play takes a second
    "shopify": range(2, 5),  # in those before, levels change twice within a second
}


def known(name: str, check: str, seed: int) -> Any:
    return pytest.param(name, check, [seed], marks=pytest.mark.xfail(reason=KNOWN[name, check, seed], strict=True))


@pytest.mark.parametrize(
    ("name", "check", "seeds"),
    [(name, check.name, SEEDS.get(name, range(2))) for name in SUBJECTS for check in CHECKS] + [known(*one) for one in KNOWN],
)
def test_a_connector_keeps_its_promise(name: str, check: str, seeds: Sequence[int]) -> None:
    verdicts = examine(subject(name), random.Random, seeds, [check])
    assert all(verdict.passed for verdict in verdicts), report(verdicts)


def test_every_connector_of_ours_is_examined() -> None:
    from mainstay.connectors import OURS

    assert set(SUBJECTS) == set(OURS)
