"""The shape of documents: it does not matter in which order they come, no value is kept, and each kind of change is seen."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.model import shape
from mainstay.model.shape import NAMES_MAX, PATHS_MAX, SURE_FROM, Change, Shape, changes, lacking, read, shape_of, together

NAMES = st.sampled_from(["id", "total", "lines", "note", "metadata", "pi_3MtwBwLkdIwHu7ix28a3tqPa", "ada@buyer.example", "a.b", "line1"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12,
)  # fmt: skip
DOCUMENTS = st.lists(st.dictionaries(NAMES, VALUES, max_size=5), min_size=1, max_size=8)
ORDER = {"id": 1, "total": 9.5, "note": None, "lines": [{"sku": "a", "tax": {"rate": "0.2"}}], "metadata": {"gift": "yes"}}


def learned(*documents) -> Shape:
    known = Shape()
    for document in documents:
        known = together(known, shape_of(document))
    return known


@given(DOCUMENTS, st.randoms())
def test_the_order_of_arrival_does_not_matter(documents, dice):
    shuffled = sorted(documents, key=lambda _: dice.random())
    half = len(documents) // 2
    assert learned(*documents) == learned(*shuffled) == together(learned(*documents[:half]), learned(*documents[half:]))


@given(DOCUMENTS)
def test_what_was_learned_is_no_change(documents):
    known = learned(*documents)
    for document in documents:
        assert changes(known, shape_of(document)) == []
        assert not any(lacking(known, shape_of(document)).values())


@given(st.dictionaries(st.text(max_size=30), st.text(min_size=6, max_size=20).map(lambda text: f"canary{text}"), max_size=5))
def test_no_value_is_kept(document):
    document = {"person": document, "again": [document]}
    assert "canary" not in repr(learned(document, document))


@pytest.mark.parametrize(
    "name", ["ada@buyer.example", "Ada Lovelace", "+41441234567", "pi_3MtwBwLkdIwHu7ix28a3tqPa", "20261121", "9f86d081884c7d65"]
)
def test_names_that_are_somebody_s_own_are_not_kept(name):
    assert set(learned({"by": {name: {"x": 1}}}).paths) == {"", "by", "by.*", "by.*.x"}
    assert set(learned({"metadata": {"anything": 1}}).paths) == {"", "metadata", "metadata.*"}


@pytest.mark.parametrize("name", ["address_line1_check", "us_bank_account", "p24", "@type", "line_items", "OrderStatus"])
def test_names_of_fields_are(name):
    assert set(learned({name: 1}).paths) == {"", name}


def test_it_is_bounded():
    wide = learned({f"name_{chr(97 + n % 26)}{chr(97 + n // 26)}": n for n in range(NAMES_MAX + 1)})
    assert set(wide.paths) == {"", "*"}
    letters = "abcdefghij"
    many = {one: {two: dict.fromkeys(letters, 1) for two in letters} for one in letters}
    assert len(learned(many).paths) <= PATHS_MAX and learned(many).depth == 2
    assert changes(learned(many), shape_of(many)) == []
    deep: object = 1
    for _ in range(500):
        deep = [deep]
    assert len(learned({"deep": deep}).paths) <= shape.DEPTH_MAX + 1


def test_an_integer_is_a_number_and_nothing_else_is_anything_else():
    known = learned({"whole": 1, "exact": 1.5, "text": "x", "none": None})
    assert changes(known, shape_of({"whole": 2, "exact": 2, "text": "y", "none": None})) == []
    found = changes(known, shape_of({"whole": 1.5, "exact": "1.5", "text": None, "none": "now"}))
    assert found == [
        Change("exact", "retyped", ("number",), "string"),
        Change("none", "new", ("null",), "string"),
        Change("text", "retyped", ("string",), "null"),
        Change("whole", "retyped", ("integer",), "number"),
    ]


def test_of_what_is_new_the_outermost_is_told():
    known = learned(ORDER)
    assert changes(known, shape_of(ORDER | {"duty": {"amount": {"minor": 1}}})) == [Change("duty", "new", (), "object")]
    lines = [{"sku": "a", "tax": {"rate": 0.2}, "gift": True}]
    assert changes(known, shape_of(ORDER | {"lines": lines})) == [
        Change("lines[].gift", "new", (), "boolean"),
        Change("lines[].tax.rate", "retyped", ("string",), "number"),
    ]
    assert changes(known, shape_of(ORDER | {"metadata": {"whatever": "x"}})) == []
    assert changes(known, shape_of(ORDER | {"lines": {"sku": "a"}})) == [Change("lines", "retyped", ("array",), "object")]


def test_what_was_always_there_lacks_where_its_object_is():
    known = learned(*[ORDER] * SURE_FROM)
    less = {"id": 1, "total": 1.0, "note": None, "lines": [{"sku": "a", "tax": {"rate": "1"}}, {"tax": {"rate": "1"}}], "metadata": {}}
    assert [path for path, gone in lacking(known, shape_of(less)).items() if gone] == ["lines[].sku"]
    assert "lines[].sku" not in lacking(known, shape_of({**less, "lines": []})), "where there is no line, no line lacks it"
    seldom = learned(*[ORDER] * SURE_FROM, {"id": 2})
    assert not any(path == "total" for path in lacking(seldom, shape_of({"id": 3})))
    assert not lacking(learned(ORDER), shape_of({})), "one says nothing of always"


def test_what_is_accepted_is_no_change_any_more():
    known = learned(*[ORDER] * SURE_FROM)
    other = ORDER | {"duty": {"minor": 1}, "total": "9.50"}
    for change in changes(known, shape_of(other)):
        known = shape.accepted(known, change, shape_of(other))
    assert changes(known, shape_of(other)) == []
    known = shape.accepted(known, Change("note", "missing"), None)
    assert "note" not in lacking(known, shape_of({"id": 1})) and "id" in lacking(known, shape_of({"note": None}))


def test_bytes_that_are_no_json_have_no_shape():
    assert read(b"{") == read(b"\xff") == read(b"[" * 100_000) == ()
    assert read(json.dumps([ORDER]).encode()) == ([ORDER],) and read(b"null") == (None,)


def test_many_random_documents_stay_within_bounds():
    dice = random.Random(1)
    known = Shape()
    for _ in range(300):
        known = together(
            known, shape_of({f"{dice.choice('abcdef')}_{dice.choice('ghijkl')}": {dice.choice("xyz"): [{"k": 1}]} for _ in range(20)})
        )
    assert len(known.paths) <= PATHS_MAX
