"""Card numbers are found wherever people write them, and nothing else is taken for one."""

import random
import time
from itertools import pairwise

import pytest

from mainstay.model.cards import holds_card, is_card, notice, redacted
from mainstay.model.failures import CODES, Reject

# The numbers that payment providers publish for tests: https://docs.stripe.com/testing, https://docs.adyen.com/development-resources
CARDS = {
    "Visa": "4242424242424242",
    "Visa, 19 digits": "4000160000000005142",
    "Mastercard": "5555555555554444",
    "Mastercard, 2-series": "2223003122003222",
    "American Express": "378282246310005",
    "Discover": "6011111111111117",
    "Diners Club": "3056930009020004",
    "Diners Club, 14 digits": "36227206271667",
    "JCB": "3566002020360505",
    "UnionPay": "6200000000000005",
    "UnionPay, 19 digits": "6205500000000000004",
    "Maestro": "6771798021000008",
}


def short(number: str) -> str:
    return f"{number[:6]}{'*' * (len(number) - 10)}{number[-4:]}"


def in_groups(number: str, mark: str) -> str:
    """As it stands on the card: 4-6-5 and 4-6-4 for the short ones, fours for the others."""
    cuts = [0, 4, 10, len(number)] if len(number) < 16 else [*range(0, len(number), 4), len(number)]
    return mark.join(number[start:end] for start, end in pairwise(cuts))


@pytest.mark.parametrize("brand", CARDS)
@pytest.mark.parametrize("mark", ["", " ", "-"])
@pytest.mark.parametrize(
    "around",
    [
        '{{"note":"{}"}}', '{{"note": "my card is {}, thanks"}}', '{{"note":"card:\\n{}\\nAda"}}', '{{"note":"({}) 12/29 CVC 123"}}',
        '{{"note":"Zahlung\\u00a0{}"}}', '{{"note":"é{}é"}}', "{}", '{{"note":"2 pieces {} 12 29"}}', '{{"note":"{}."}}',
        '{{"variant_id":43729076551937,"note":"{}","id":7}}',
    ],
)  # fmt: skip
def test_a_card_number_is_found_and_redacted(brand, mark, around):
    number = CARDS[brand]
    body = around.format(in_groups(number, mark)).encode()
    assert redacted(body).decode() == around.format(short(number))
    assert holds_card(body)
    assert not holds_card(redacted(body)), "what was redacted is none any more"


@pytest.mark.parametrize("brand", CARDS)
def test_one_digit_changed_is_no_card(brand):
    number = CARDS[brand]
    for place in range(len(number)):
        wrong = number[:place] + str((int(number[place]) + 1) % 10) + number[place + 1 :]
        assert not is_card(wrong.encode()), wrong


def test_several_in_one_message_and_the_security_code_beside_one():
    body = b'{"a":"4242 4242 4242 4242 123","b":["x","5555-5555-5555-4444"],"c":"3782 822463 10005"}'
    assert redacted(body) == b'{"a":"424242******4242 123","b":["x","555555******4444"],"c":"378282*****0005"}'


NO_CARDS = {
    "a Shopify variant": b'{"variant_id":43729076551937}',
    "an id that Diners might have": b'{"variant_id":36227206271667,"product_id": 36227206271667,"ids":[1,36227206271667]}',
    "an id as text": b'{"orderItemId":"36227206271667"}',
    "thirteen digits, as old Visa cards had": b'{"note":"4222222222222"}',
    "a gid": b'{"order":"gid://shopify/Order/4242424242424242"}',
    "a gid with escaped slashes": b'{"order":"gid:\\/\\/shopify\\/Order\\/4242424242424242"}',
    "a URL": b'{"status_url":"https://acme.example/4242424242424242/orders"}',
    "a token": b'{"token":"c1_4242424242424242"}',
    "a token that begins so": b'{"token":"4242424242424242ab"}',
    "a token with dashes": b'{"token":"4242424242424242-ab-1"}',
    "a hash": b'{"hash":"ab4242424242424242cd"}',
    "an order of Amazon": b'{"number":"402-3622720-6271667","other":"171-3622720-6271667"}',
    "a UUID": b'{"event":"5f0c4242-4242-4242-4242-424242424242"}',
    "a tracking number": b'{"tracking_number":"378282246310005"}',
    "tracking numbers": b'{"tracking_numbers":["1Z999AA10123456784","378282246310005"]}',
    "a tracking URL": b'{"tracking_url":"https://www.fedex.com/fedextrack/?trknbr=378282246310005"}',
    "ShipStation's": b'{"trackingNumber": "378282246310005"}',
    "parcels": b'["1Z999AA10123456784","9400111899223197428490","00340434161094042557","794699999999","JJD000390007827938240"]',
    "an EAN": b'{"ean":"4006381333931","gtin":"04006381333931"}',
    "a bar code": b'{"barcode":"36227206271667"}',
    "telephone numbers": b'{"phone":"+49 30 1234 5678","also":"+1 (555) 625-1199","and":"0049-30-12345678"}',
    "an IBAN": b'{"note":"DE89 3704 0044 0532 0130 00 or GB29 NWBK 6016 1331 9268 19"}',
    "times": b'{"at":1790000000000000,"ms":1790000000000,"ns":1790000000000000000,"iso":"2026-03-02 11:22:33-05:00"}',
    "a coordinate": b'{"latitude":45.4242424242424242,"longitude":-4.4242424242424242}',
    "a decimal number": b'{"x":4242424242424242.5}',
    "a wrong check digit": b'{"note":"4242 4242 4242 4243"}',
    "no issuer": b'{"note":"9999 9999 9999 9995"}',
    "a longer number": b'{"note":"42424242424242424242424242"}',
    "what was redacted": b'{"note":"424242******4242"}',
}


@pytest.mark.parametrize("case", NO_CARDS)
def test_what_is_no_card_number_stays_as_it_is(case):
    assert redacted(NO_CARDS[case]) is NO_CARDS[case]


def test_at_our_own_door_no_name_excuses_a_card_number():
    """A vendor's fields are filled by the vendor; a caller of ours can write what it likes under any name."""
    assert holds_card(b'{"tracking_number":"378282246310005"}')
    assert holds_card(b'{"id":"4242 4242 4242 4242"}')


@pytest.mark.shared
def test_in_all_that_vendors_publish_only_their_test_cards_are_found(shared):
    """Twenty megabytes of payloads and specifications. By hand: six are card numbers of examples, one is a French company's SIRET."""
    found = set()
    for path in sorted((shared / "vendor").rglob("*")):
        if path.is_file() and holds_card(path.read_bytes()):
            found.add(path.relative_to(shared / "vendor").as_posix().split("/")[0])
    assert found == {"adyen", "bigcommerce", "paypal", "square"}


@pytest.mark.parametrize(
    "body", [b"4" * 400_000, b"4 " * 200_000, b"4-" * 200_000, b"4444 " * 80_000 + b"x"], ids=lambda body: repr(body[:5])
)
def test_digits_without_end_take_no_longer_than_their_size(body):
    began = time.process_time()
    assert redacted(body) is body
    assert time.process_time() - began < 2


def test_bytes_that_are_no_text_stay_as_they_are():
    body = random.Random(1).randbytes(1_000_000)
    assert redacted(body) is body


def test_a_notice_names_the_number_by_what_is_left_of_it():
    kept = redacted(b'{"note":"4242424242424242 and 4242-4242-4242-4242"}')
    said = notice("shop", "orders/create", "e1", kept)
    assert (said.system, said.key, said.outcome, said.entity) == ("shop", "e1", "rejected", 0)
    assert said.why.count("424242******4242") == 1 and "orders/create e1" in said.why and said.code in CODES


def test_a_failure_that_quotes_what_others_wrote_quotes_no_card():
    assert Reject("'4242 4242 4242 4242' is not an amount", "amount").why == "'424242******4242' is not an amount"
