"""References lead to secrets, and nothing shows them."""

import pytest

from mainstay.landscape import Offer, Setting, resolve, resolve_settings
from mainstay.model.failures import Halt, Reject
from mainstay.model.secrets import Secret

FILES = {"keys/api": "s3cret\n", "empty": "\n"}


def read_file(path: str) -> str:
    if path not in FILES:
        raise FileNotFoundError(2, "No such file or directory", path)
    return FILES[path]


def test_from_the_environment():
    assert resolve("env:TOKEN", {"TOKEN": "abc"}, read_file) == Secret("abc")


def test_from_a_file_without_its_last_line_break():
    assert resolve("file:keys/api", {}, read_file).reveal() == "s3cret"


@pytest.mark.parametrize("reference", ["env:ABSENT", "file:absent", "file:empty", "env:EMPTY", "env:OPEN"])
def test_nothing_there_stops_the_connection_and_names_the_reference(reference):
    with pytest.raises(Halt, match=reference):
        resolve(reference, {"EMPTY": "", "OPEN": "…"}, read_file)


@pytest.mark.parametrize("text", ["shpat_0123", "env:0TWO WORDS", "file: x", "ENV:X", "sk_live_1"])
def test_what_is_no_reference_is_refused_without_being_repeated(text):
    with pytest.raises(Reject) as refused:
        resolve(text, {}, read_file)
    assert text not in refused.value.why


def test_settings_keep_their_plain_values_and_hide_their_secrets():
    offer = Offer(
        connector="store", title="Store", settings=(Setting("token", Secret), Setting("keys", tuple[Secret, ...]), Setting("shop"))
    )
    values = {"token": "env:A", "keys": ["env:A", "env:B"], "shop": "env:not-resolved", "page": 3}
    resolved = resolve_settings(values, offer, {"A": "one", "B": "two"}, read_file)
    assert resolved == {"token": Secret("one"), "keys": [Secret("one"), Secret("two")], "shop": "env:not-resolved", "page": 3}
    assert "one" not in repr(resolved)
