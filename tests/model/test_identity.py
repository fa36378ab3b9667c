"""Identity is derived, never drawn; time has a zone; a secret does not print; every failure is declared."""

import ast
import copy
import json
import pickle
import re
import traceback
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mainstay
from mainstay.model.failures import CODES, Failure, Forged, Halt, Reject, Retry, Unknown
from mainstay.model.identity import PREFIXES, fingerprint, named, release, shown, sku
from mainstay.model.secrets import Secret
from mainstay.model.times import DAY, SECOND, iso, micros

SOURCE = Path(mainstay.__file__).parent
systems = st.from_regex(r"[a-z][a-z0-9_-]{0,30}", fullmatch=True)
kinds = st.sampled_from(["order", "reservation", "letter"])


# --- ids ---------------------------------------------------------------------------------------------------------------
@given(kinds, systems, st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True))
def test_a_shown_id_names_what_it_shows(kind, system, external):
    assert named(shown(kind, system, external)) == (kind, system, external)


@given(kinds, systems, st.text(max_size=250))
def test_any_external_id_is_shown_in_plain_characters(kind, system, external):
    uid = shown(kind, system, external)
    assert re.fullmatch(r"[a-z]+\.[a-z0-9_-]+\.~?[A-Za-z0-9_-]{1,40}", uid), uid
    assert uid == shown(kind, system, external), "the same three always give the same id"
    assert named(uid) is not None


@given(st.lists(st.text(max_size=60), min_size=2, max_size=2, unique=True))
def test_two_externals_are_never_shown_alike(externals):
    one, other = (shown("order", "shop", external) for external in externals)
    assert one != other


def test_an_id_that_looks_like_a_hash_is_hashed():
    """Otherwise an external id "~abc" could pass for the hash of another."""
    assert shown("order", "shop", "~abc") != "ord.shop.~abc"


def test_a_release_names_its_order():
    uid = shown("order", "shop", "17")
    assert release(uid, 2) == "rel.shop.17.2"
    assert named(release(uid, 2)) == ("order", "shop", "17")


@pytest.mark.parametrize("text", ["", "17", "ord", "ord.", "ord.shop", "ord.shop.", "xyz.shop.17", "ada@example.com"])
def test_what_is_no_id_of_ours_names_nothing(text):
    assert named(text) is None


def test_prefixes_differ():
    assert len(set(PREFIXES.values())) == len(PREFIXES)


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_a_fingerprint_fits_a_signed_column(system, topic, key):
    assert -(2**63) <= fingerprint(system, topic, key) < 2**63


def test_a_fingerprint_keeps_its_parts_apart():
    assert fingerprint("a", "bc", "d") != fingerprint("ab", "c", "d")
    assert fingerprint("shop", "orders/paid", "e1") == fingerprint("shop", "orders/paid", "e1")


# --- SKUs --------------------------------------------------------------------------------------------------------------
def test_one_sku_is_one_text_however_it_is_composed():
    assert sku(" Gänse-7 ") == sku("Ga\u0308nse-7") == "Gänse-7"
    assert sku("x" * 120) == "x" * 120


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "schema"),
        ("   ", "schema"),
        ("x" * 121, "schema"),
        (17, "schema"),
        (None, "schema"),
        ("A\u200b1", "sku_ambiguous"),
        ("A\x00", "sku_ambiguous"),
        ("A\u202e1", "sku_ambiguous"),
    ],
)
def test_a_sku_that_cannot_be_seen_or_told_apart_is_refused(text, code):
    with pytest.raises(Reject) as refused:
        sku(text)
    assert refused.value.code == code


# --- times -------------------------------------------------------------------------------------------------------------
@given(st.integers(0, 4_000_000_000 * SECOND))
def test_a_time_that_is_written_is_read_again(at):
    assert micros(iso(at)) == at


def test_times_of_all_zones_are_one_moment():
    noon = micros("2026-03-02T12:00:00Z")
    assert micros("2026-03-02T13:00:00+01:00") == micros("2026-03-02T06:30:00.000000-05:30") == noon
    assert micros("2026-03-03T12:00:00Z") - noon == DAY
    assert iso(noon) == "2026-03-02T12:00:00Z" and iso(noon + 1) == "2026-03-02T12:00:00.000001Z"
    assert micros("1970-01-01T00:00:00Z") == 0 and micros("1969-12-31T23:59:59Z") == -SECOND


@pytest.mark.parametrize(
    "text",
    ["2026-02-30T00:00:00Z", "2026-03-02T12:00:00", "2026-03-02", "2026-03-02T12:00:60Z", "yesterday", "", 1_790_000_000, None],
    ids=repr,
)
def test_what_does_not_say_when_is_refused(text):
    with pytest.raises(Reject) as refused:
        micros(text)
    assert refused.value.code == "time"


# --- secrets -----------------------------------------------------------------------------------------------------------
CANARY = "shpat-canary-1f4b"


def _shows(secret):
    yield repr(secret)
    yield str(secret)
    yield f"{secret}"
    yield f"{[secret]} { ({'token': secret}) }"
    yield "%s %r" % (secret, secret)  # noqa: UP031
    yield repr(copy.deepcopy(secret)) + repr(copy.copy(secret))


def test_a_secret_never_prints():
    secret = Secret(CANARY)
    assert secret.reveal() == CANARY
    assert not any(CANARY in shown for shown in _shows(secret))


def test_a_secret_is_not_written_down():
    secret = Secret(CANARY)
    for write in (pickle.dumps, json.dumps, msgspec.json.encode, msgspec.msgpack.encode, msgspec.to_builtins):
        with pytest.raises(TypeError) as refused:
            write(secret)
        assert CANARY not in "".join(traceback.format_exception(refused.value))
    assert not hasattr(secret, "__dict__")


def test_secrets_are_compared_by_what_they_hold():
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"


# --- failures ----------------------------------------------------------------------------------------------------------
RAISED = {"Failure", "Reject", "Retry", "Unknown", "Halt", "Forged"}
CODE_AT = {"Retry": 2}  # Retry(why, after_s, code); all others (why, code)


def codes_used() -> dict[str, str]:
    """Every failure code that is written in the source, with where."""
    found = {}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            name = getattr(node, "func", None)
            name = getattr(name, "id", getattr(name, "attr", ""))
            if isinstance(node, ast.Call) and name in RAISED:
                given = node.args[CODE_AT.get(name, 1) :][:1] + [one.value for one in node.keywords if one.arg == "code"]
                found |= {one.value: f"{path.name}:{node.lineno}" for one in given if isinstance(one, ast.Constant)}
    return {code: where for code, where in found.items() if code is not None}


def test_every_code_that_is_used_is_declared():
    used = codes_used()
    assert len(used) > 15, "the search finds the codes"
    assert {code: where for code, where in used.items() if code not in CODES} == {}


def test_a_code_that_is_not_declared_is_a_bug():
    with pytest.raises(AssertionError, match="is not declared"):
        Reject("no", "no_such_code")


@pytest.mark.parametrize("kind", [Failure, Reject, Retry, Unknown, Halt, Forged])
def test_each_kind_has_a_declared_code(kind):
    assert kind("why").code in CODES and kind("why").why == "why"


def test_each_code_says_what_whose_and_what_next():
    for code, (meaning, whose, then) in CODES.items():
        assert re.fullmatch(r"[a-z0-9_]+", code) and meaning.endswith(".") and whose in ("ours", "theirs") and then.endswith("."), code
