"""The house keeps its rules; and each rule bites."""

import ast
import re
from pathlib import Path

import pytest

import mainstay
from mainstay.flows.rebuild import COMPARED
from mainstay.storage.database import SQL, text
from tests.house.faces import past_faces
from tests.house.rules import FLOOR, WAIVED, complaints

ROOT = Path(mainstay.__file__).parent


def test_the_house_is_in_order():
    assert complaints(ROOT) == []


def test_no_room_reaches_past_the_face_of_another():
    assert past_faces(ROOT) == []


def test_waivers_are_still_needed():
    for file, _ in WAIVED:
        assert (ROOT / file).exists(), f"{file} is gone: its waiver can go too"


@pytest.fixture
def house(tmp_path):
    root = tmp_path / "mainstay"
    for room in FLOOR:
        (root / room).mkdir(parents=True)
        (root / room / "__init__.py").write_text(f'"""The room of {room}."""\nFACE = ()\n')
    (root / "__init__.py").write_text('"""A house."""\n')
    return root


def test_an_empty_house_is_in_order(house):
    assert complaints(house) == [] and past_faces(house) == []


@pytest.mark.parametrize(
    ("room", "line", "said"),
    [
        ("stock", "from mainstay.orders import moves", "stock may import only"),
        ("storage", "from mainstay.flows.intake import Intake", "storage may import only"),
        ("flows", "from mainstay.edge import api", "imports go down"),
        ("connectors", "from mainstay.storage import state", "connectors may import only"),
        ("twins", "from mainstay.connectors import shopify", "twins may import only"),
        ("orders", "import time", "may not touch the outside"),
        ("connectors", "import socket", "may not touch the outside"),
        ("delivery", "import random", "made at the top"),
        ("flows", "def f():\n    from mainstay.app import cli", "imports go down"),
        ("proof", "from mainstay.app import cli", "imports go down"),
    ],
)
def test_each_rule_bites(house, room, line, said):
    (house / room / "thing.py").write_text(f'"""A thing."""\n{line}\n')
    assert any(said in complaint for complaint in complaints(house)), complaints(house)


@pytest.mark.parametrize(
    ("face", "line", "said"),
    [
        ('("decide.begin", "moves")', "from mainstay.orders.decide import begin\nfrom mainstay.orders import moves\nmoves.MOVES", None),
        ('("decide.begin",)', "from mainstay.orders import decide\nhear = decide.hear\ndecide.begin", "flows/thing: orders.decide.hear is"),
        ('("decide.begin",)', "def f():\n    from mainstay.orders.decide import begin, hear", "orders.decide.hear is past the face"),
        ('("moves",)', "from mainstay.orders.moves import MOVES, _drawn", "orders.moves._drawn is past the face of orders"),
        ('("moves",)', "from mainstay.orders.moves import MOVES, Noun", "orders.moves.Noun is made elsewhere"),
        ('("decide.begin", "decide.gone")', "from mainstay.orders.decide import begin, gone", "orders.decide.gone, which is not made"),
        ('("decide.begin",)', "", "orders.decide.begin, which no other room uses"),
        ('("moves",)', "", "orders.moves, which no other room uses"),
        ('()\n__all__ = ["begin"]\nfrom mainstay.orders.decide import begin', "from mainstay.orders import begin", None),
    ],
)  # fmt: skip
def test_a_face_is_all_that_others_see_of_a_room(house, face, line, said):
    (house / "orders" / "__init__.py").write_text(f'"""Orders."""\nFACE = {face}\n')
    (house / "orders" / "decide.py").write_text('"""Decides."""\ndef begin(): ...\ndef hear(): ...\n')
    (house / "orders" / "moves.py").write_text('"""Moves."""\nfrom mainstay.model.objects import Noun\nMOVES = {}\n_drawn = 1\n')
    (house / "model" / "__init__.py").write_text('"""Words."""\nFACE = ("objects",)\n')
    (house / "model" / "objects.py").write_text('"""Nouns."""\nNoun = str\n')
    (house / "flows" / "thing.py").write_text(f'"""A thing."""\n{line}\n')
    found = past_faces(house)
    assert found == [] if said is None else [one for one in found if said in one], found


def test_a_room_without_a_face_is_named(house):
    (house / "stock" / "__init__.py").write_text('"""Stock."""\n')
    assert past_faces(house) == ["stock: shows no face (FACE in its __init__.py)"]


def test_vague_names_missing_signs_and_long_functions_are_named(house):
    (house / "money" / "utils.py").write_text('"""Things."""\n')
    (house / "stock" / "__init__.py").write_text("")
    (house / "orders" / "long.py").write_text('"""Long."""\ndef f():\n' + "    pass\n" * 60)
    said = " ".join(complaints(house))
    assert "says nothing" in said and "has no sign" in said and "a screen has 60" in said


def test_every_named_statement_has_a_description_and_a_name_of_its_own():
    names = [name for file in ("state.sql", "inbox.sql") for name in re.findall(r"^-- name: (\w+)$", text(file), re.M)]
    assert len(names) == len(set(names)) == len(SQL) > 100


def test_all_sql_stands_in_the_files_and_all_of_it_is_used():
    """The proofs may ask the store what they want."""
    asked = set()
    for path in ROOT.rglob("*.py"):
        words = [
            node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        assert "proof" in path.parts or not [one for one in words if re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE)\s", one)], path
        asked |= set(words)
    changes = ("level_changes", "price_changes")
    made = {*(f"{one}_from" for one in changes), *(f"drop_{one}" for one in changes), *(f"compare_{table}" for table in COMPARED)}
    assert SQL.keys() - asked - made == set()


def test_the_store_is_opened_through_apsw_only():
    """Two SQLite libraries on one file in one process can corrupt it."""
    for path in ROOT.rglob("*.py"):
        assert not re.search(r"^\s*(import|from) sqlite3", path.read_text(), re.M), path
