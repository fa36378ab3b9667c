"""The page of what the catalogue of reliability asks for: what it names is there, and what it calls *not yet* is not."""

import re
from pathlib import Path

import pytest

import mainstay
from mainstay.proof.catalogue import BUGS, FAULTS, INVARIANTS

ROOT = Path(__file__).parents[2]
SOURCE = Path(mainstay.__file__).parent
ROWS = (*INVARIANTS, *FAULTS, *BUGS)
DOORS = {  # what a file or a room of it would be called
    "CDC": {"cdc", "replication", "debezium"}, "EDI": {"edi", "edifact", "x12", "idoc"}, "Kafka": {"kafka"},
    "PostgreSQL as the store": {"postgres", "postgresql", "asyncpg"}, "audit chain": {"audit", "chain"},
    "masking": {"mask", "masks", "masking"}, "reconciliation of payouts": {"reconcile", "reconciliation", "payout", "payouts"},
    "several cores (leader and takeover)": {"leader", "lease", "leases", "fencing"}, "tenants": {"tenant", "tenants"},
}  # fmt: skip
EVERY = {"I": 6, "E": 8, "S": 7, "M": 6, "C": 9, "G": 6, "O": 5, "D": 6, "R": 7}  # invariants of the catalogue, by letter


def test_every_invariant_has_a_row():
    assert [one.id for one in INVARIANTS] == [f"{letter}{n}" for letter, many in EVERY.items() for n in range(1, many + 1)]
    assert len({one.id for one in ROWS}) == len(ROWS) and all(one.what and (one.shown or one.bugs or one.but) for one in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_what_a_row_names_is_there(row):
    for shown in row.shown:
        path, _, name = shown.partition("::")
        assert (ROOT / path).exists() and (not name or re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(), re.M)), shown


def test_a_door_that_is_not_there_yet_cannot_be_opened_without_its_rows():
    missing = {door for row in ROWS for door in re.findall(r"not yet: ([^;,.]+)", row.but)}
    assert missing == DOORS.keys()
    files = {
        part
        for path in SOURCE.rglob("*.py")
        if "proof" not in path.parts
        for part in re.split(r"\W|_", str(path.relative_to(SOURCE)).lower())
    }
    assert {door for door, words in DOORS.items() if words & files} == set()
