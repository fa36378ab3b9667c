"""The log is for ever: what version 1 wrote is read by every later version, and its schema says what it is."""

import json
from pathlib import Path

import msgspec
import pytest
from jsonschema import Draft202012Validator

from mainstay.app.workshop import contracts
from mainstay.model.events import VERSION, AnyEvent, Heard, decode
from mainstay.model.seen import SeenEvent

# Rows of the log as they were once written. None is ever changed or removed: a field that comes later gets a row of its own, such as
# `Freed~waived.json`.
GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("*.json"))
LOGGED = {kind.__name__ for kind in AnyEvent.__args__} - {"Heard"} | {f"Heard.{kind.__name__}" for kind in SeenEvent.__args__}


def kind_of(path: Path) -> str:
    return path.stem.partition("~")[0]


def events_without_a_record(recorded: set[str], known: set[str]) -> list[str]:
    return sorted(known - recorded)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_recorded_event_stays_readable(path):
    """Every recorded field comes back: renamed, retyped or removed, it would be lost or refused."""
    (event,) = decode(path.read_bytes())
    outer, _, inner = kind_of(path).partition(".")
    assert type(event).__name__ == outer and (not inner or type(event.said).__name__ == inner)
    assert json.loads(msgspec.json.encode([event])) == json.loads(path.read_bytes())


@pytest.mark.parametrize("name", sorted({kind_of(path) for path in FILES}))
def test_every_field_is_set_in_a_record(name):
    """Otherwise a field could be removed and no record would show it."""
    rows = [decode(path.read_bytes())[0] for path in FILES if kind_of(path) == name]
    structs = [event.said if isinstance(event, Heard) else event for event in rows]
    for field in msgspec.structs.fields(structs[0]):
        said = [getattr(struct, field.name) for struct in structs]
        assert field.required or any(value != field.default for value in said), f"no record of {name} sets {field.name}"


def test_every_event_has_a_record():
    recorded = {kind_of(path) for path in FILES}
    assert events_without_a_record(recorded, LOGGED) == [], "write its golden file: a row of the log with every field set"
    assert recorded <= LOGGED, "a recorded event is gone: old logs hold it, so it can never be removed"


def test_an_event_without_a_record_is_named():
    assert events_without_a_record({"Held"}, {"Held", "Vanished"}) == ["Vanished"]


@pytest.mark.parametrize("name", ["Held", "Heard.OrderSeen"])
def test_a_later_field_has_a_default_and_an_unknown_one_is_passed_over(name):
    """A log that a newer version wrote is still read, without what this one does not know."""
    (row,) = json.loads((GOLDEN / f"{name}.json").read_bytes())
    assert decode(msgspec.json.encode([{**row, "added_later": 1}])) == decode(msgspec.json.encode([row]))


# --- contracts ---------------------------------------------------------------------------------------------------------
CONTRACTS = contracts()


def test_every_event_has_a_contract():
    assert set(CONTRACTS) == {kind.__name__ for kind in (*AnyEvent.__args__, *SeenEvent.__args__)}


@pytest.mark.parametrize("name", sorted(CONTRACTS))
def test_a_contract_is_a_valid_schema_of_this_version(name):
    contract = CONTRACTS[name]
    Draft202012Validator.check_schema(contract["schema"])
    assert contract["version"] == VERSION and contract["doc"].endswith(".")
    assert contract["schema"]["$ref"] == f"#/$defs/{name}" and name in contract["schema"]["$defs"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_records_fit_their_contract(path):
    (row,) = json.loads(path.read_bytes())
    Draft202012Validator(CONTRACTS[row["event"]]["schema"]).validate(row)
    said = row.get("said")
    if said:
        Draft202012Validator(CONTRACTS[said["event"]]["schema"]).validate(said)


def test_a_contract_refuses_what_does_not_fit():
    validator = Draft202012Validator(CONTRACTS["PaymentSeen"]["schema"])
    assert not validator.is_valid({"event": "PaymentSeen", "external": "pi_1", "currency": "EUR", "status": "who knows"})
    assert not validator.is_valid({"event": "PaymentSeen", "external": "", "currency": "EUR", "status": "captured"})
    assert not validator.is_valid({"event": "PaymentSeen", "currency": "EUR", "status": "captured"})
