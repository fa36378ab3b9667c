"""A word that the connector does not know is read as the shop says; everything else is as it was."""

import json

import pytest

from mainstay.contract.worded import worded
from mainstay.model.failures import Reject

KNOWN = {"paid", "pending"}


def translate(topic, body):
    document = json.loads(body)
    if document["status"] not in KNOWN:
        raise Reject(f"unknown status {document['status']!r}", "unknown_word")
    if topic == "bad":
        raise Reject("bad", "schema")
    return [document]


def test_it_is_read_as_another_word_of_the_vendor_in_that_field_alone():
    read = worded(translate, {"status.on_review": "pending"})
    assert read("t", b'{"status" : "on_review", "note": "on_review", "amount": 1.10}') == [
        {"status": "pending", "note": "on_review", "amount": 1.1}
    ]
    assert read("t", b'{"status":"paid"}') == [{"status": "paid"}]


@pytest.mark.parametrize(("words", "body", "code"), [
    ({"status.on_review": "pending"}, b'{"status":"lost"}', "unknown_word"),
    ({"status.on_review": "nonsense"}, b'{"status":"on_review"}', "unknown_word"),
    ({"other.on_review": "pending"}, b'{"status":"on_review"}', "unknown_word"),
    ({}, b'{"status":"on_review"}', "unknown_word"),
])  # fmt: skip
def test_what_it_does_not_help_is_refused_as_before(words, body, code):
    with pytest.raises(Reject) as why:
        worded(translate, words)("t", body)
    assert why.value.code == code


def test_another_refusal_is_not_touched():
    with pytest.raises(Reject, match="bad"):
        worded(translate, {"status.paid": "pending"})("bad", b'{"status":"paid"}')
