"""The catalogue of bad inputs as a page of the reference."""

from __future__ import annotations

from collections.abc import Iterator

from mainstay.model.failures import CODES
from mainstay.proof.badinput import ABSENT, CASES, DOORS, Case
from mainstay.proof.described import table

BECOMES = {"applied": "it is taken", "held": "it is held", "proposed": "it stays a proposal", "early": "it waits", "waits": "it waits"}


def counts() -> str:
    """How many there are, and how they are proved."""
    absent = sum(one.door in ABSENT for one in CASES)
    return (
        f"{len(CASES)} cases of {len({one.number for one in CASES})} numbers. {len(CASES) - absent} come to doors that are there, and "
        f"the tests send each to a real Mainstay; {absent} are for doors that are *not yet* there. "
        "A code of `check` stands in [Findings](findings.md); every other one in [Failure codes](failures.md), but for these, which only "
        f"an answer of HTTP bears, whose `detail` says what is wrong: {', '.join(f'`{code}`' for code in _of_http())}."
    )


def _of_http() -> list[str]:
    """Codes of answers that are no failure's."""
    return sorted({one.code for one in CASES if one.code and one.door != "check" and one.code not in CODES})


def cases() -> Iterator[str]:
    """The page's body: the doors, and every case."""
    doors = [(name, what, str(sum(one.door == name for one in CASES))) for name, what in DOORS.items()]
    yield from table(doors, "door", "what comes there, and how it answers", "cases")
    yield ""
    yield from table([(str(one.number), one.what, *_told(one)) for one in CASES], "no", "input", "door", "what happens")


def _told(case: Case) -> tuple[str, str]:
    """A case's door, and what happens there."""
    if case.door in ABSENT:
        return f"*not yet: {case.door}*", ABSENT[case.door]
    ends = BECOMES.get(case.ends, f"it is {case.ends}" if case.ends == "stale" else f"it is a {case.ends}" if case.ends else "")
    says = f"“{case.says}”" if case.says else ""
    status = " ".join(one for one in (str(case.status or ""), f"`{case.code}`" if case.code else "") if one)
    return case.door, "; ".join(one for one in (status, says, ends, case.note) if one)
