"""Which texts tell of a person, and what is left of them."""

import pytest

from mainstay.customers.words import cleaned, theirs
from mainstay.model.objects import Address, Person

ZOE = Person(
    name="Zoë Quill", email="zoe@example.com", phone="+49 30 1234567",
    shipping=Address(name="Zoë Quill", street="Nightjar Lane 4", postcode="10115", company="Quill & Co"),
)  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        b'{"contact": "ZOE@example.com"}',
        b'{"phone": "+49 30 1234567"}',
        '{"to": "Zoë Quill", "street": "Nightjar Lane 4"}'.encode(),
        b'{"to": "Zo\\u00eb Quill", "street": "Nightjar Lane 4"}',
    ],
)
def test_a_message_that_is_theirs(body):
    assert theirs(body, ZOE)


@pytest.mark.parametrize(
    "body", ["", '{"to": "Zoë Quill"}', '{"street": "Nightjar Lane 4"}', '{"email": "chloe@example.org"}', "\x00\xff"], ids=ascii
)
def test_a_message_that_may_be_anothers(body):
    assert not theirs(body.encode("latin-1"), ZOE)


def test_nobody_is_found_in_nothing():
    assert not theirs(b"{}", Person()) and not theirs(b'{"phone": "12345"}', Person(phone="12345"))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("cannot deliver to Zoë Quill, Nightjar Lane 4, 10115", "cannot deliver to …, …, …"),
        ("MR QUILL moved away", "MR … moved away"),
        ("a quilled pen", "a quilled pen"),
        ("order 5000000001 is closed", "order 5000000001 is closed"),
    ],
)
def test_what_a_reason_says_of_the_person_is_left_out(text, left):
    assert cleaned(text, ZOE) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("'ada@example.com' is taken", "'…' is taken"),
        ("call +44 (20) 7946-0958 now", "call … now"),
        ("unknown word 'HOLOGRAM'; known: PAID", "unknown word 'HOLOGRAM'; known: PAID"),
    ],
)
def test_addresses_and_telephone_numbers_are_left_out_whosever_they_are(text, left):
    assert cleaned(text) == left
