"""The page of what the catalogue of reliability asks for: what it names is there, and what it calls *not yet* is not."""

import re
from pathlib import Path

import pytest

import mainstay
from mainstay import landscape
from mainstay.app import build
from mainstay.app.cli import main
from mainstay.edge.api import Api
from mainstay.edge.openapi import document
from mainstay.proof.catalogue import BUGS, FAULTS, INVARIANTS
from tests.badinput import doors

ROOT = Path(__file__).parents[2]
SOURCE = Path(mainstay.__file__).parent
ROWS = (*INVARIANTS, *FAULTS, *BUGS)
EVERYWHERE = {path.name for path in SOURCE.iterdir() if path.is_dir()} - {"proof"}
IMPORTED = {  # the modules that whoever opens the door needs; doors of our own making need none
    "CDC": ({"pymysqlreplication", "pypgoutput", "debezium"}, EVERYWHERE),
    "EDI": doors.IMPORTED["EDI"],
    "Kafka": ({"kafka", "aiokafka", "confluent_kafka"}, EVERYWHERE),
    "PostgreSQL as the store": ({"psycopg", "psycopg2", "asyncpg", "sqlalchemy"}, EVERYWHERE),
    "reconciliation of payouts": ({"duckdb"}, EVERYWHERE),
}
NAMED = {  # words of names of files, settings, fields of requests and commands that the door would bring
    "CDC": {"cdc", "replication", "debezium", "slot", "binlog"},
    "EDI": doors.NAMED["EDI"],
    "Kafka": {"kafka", "broker", "bootstrap"},
    "PostgreSQL as the store": {"postgres", "postgresql", "asyncpg", "dsn"},
    "audit chain": {"audit", "chain", "anchor"},
    "masking": {"mask", "masks", "masked", "masking", "unmask"},
    "reconciliation of payouts": {"reconcile", "reconciliation", "matching", "breaks"},
    "several cores (leader and takeover)": {"leader", "leases", "fencing", "takeover"},
    "tenants": {"tenant", "tenants"},
}
EVERY = {"I": 6, "E": 8, "S": 7, "M": 6, "C": 9, "G": 6, "O": 5, "D": 6, "R": 7}  # invariants of the catalogue, by letter


def test_every_invariant_has_a_row():
    assert [one.id for one in INVARIANTS] == [f"{letter}{n}" for letter, many in EVERY.items() for n in range(1, many + 1)]
    assert len({one.id for one in ROWS}) == len(ROWS) and all(one.what and (one.shown or one.bugs or one.but) for one in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_what_a_row_names_is_there(row):
    for shown in row.shown:
        path, _, name = shown.partition("::")
        assert (ROOT / path).exists() and (not name or re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(), re.M)), shown


def brought(sources, names) -> set[tuple[str, str]]:
    """(door, where) of all that shows a door: modules, names of files, and other names."""
    words = (word for name in (*map(str, sources), *names) for word in doors.words_of(name))
    return {*doors.of_imports(sources, IMPORTED), *doors.of_names(words, NAMED)}


def test_a_door_that_is_not_there_yet_cannot_be_opened_without_its_rows():
    """Where this fails: show the rows that waited for that door, and take it out of the two tables above."""
    assert {door for row in ROWS for door in re.findall(r"not yet: ([^;,.]+)", row.but)} == NAMED.keys()
    schemas = (document(Api(None, None, None, None, {}, {}, bytes, str).endpoints), landscape.schema(build.offers()))
    names = [*(name for schema in schemas for name in doors.names_in(schema)), *(name for name, _ in doors.commands(main))]
    sources = {path.relative_to(SOURCE): path.read_text() for path in SOURCE.rglob("*.py") if "proof" not in path.parts}
    assert brought(sources, names) == set()


@pytest.mark.parametrize("door", NAMED)
def test_a_door_that_appears_is_noticed(door):
    for word in NAMED[door]:
        assert (door, word) in brought({Path(f"flows/{word}_of.py"): ""}, ()) & brought({}, (f"{word}s_max {word}",))
    for module in IMPORTED.get(door, ((),))[0]:
        assert (door, "flows/a.py") in brought({Path("flows/a.py"): f"import {module}"}, ())
