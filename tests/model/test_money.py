"""Money: text in, minor units inside, the same text out; and nothing is guessed on the way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.model.failures import Reject
from mainstay.model.money import DECIMALS, MINOR_MAX, Money, allocate, major, minor

currencies = st.sampled_from(sorted(DECIMALS))
amounts = st.integers(-MINOR_MAX, MINOR_MAX)


@given(amounts, currencies)
def test_what_is_written_is_read_again(amount, currency):
    assert minor(major(amount, currency), currency) == amount


@given(amounts, currencies)
def test_the_fast_path_and_the_slow_path_agree(amount, currency):
    """A sign, or a zero too many, leaves the fast path: the value is the same."""
    text = major(abs(amount), currency)
    longer = f"{text}0" if "." in text else f"{text}.0"
    assert minor(f"+{text}", currency) == minor(longer, currency) == minor(text, currency) == abs(amount)


@given(st.integers(0, 10**12), currencies)
def test_trailing_decimals_may_be_left_out(whole, currency):
    assert minor(str(whole), currency) == minor(f"{whole}.", currency) == whole * 10 ** DECIMALS[currency]


READ = {("19.99", "EUR"): 1999, ("-5", "JPY"): -5, ("0.001", "BHD"): 1, ("1.5", "KWD"): 1500, ("007.10", "USD"): 710, ("-0.01", "EUR"): -1}


@pytest.mark.parametrize(("text", "currency"), READ)
def test_amounts_that_are_read(text, currency):
    assert minor(text, currency) == READ[text, currency]


REFUSED = [
    (19.99, "EUR", "amount"),
    (1999, "EUR", "amount"),
    (True, "EUR", "amount"),
    (None, "EUR", "amount"),
    ("", "EUR", "amount"),
    (".", "EUR", "amount"),
    (".50", "EUR", "amount"),
    ("-", "EUR", "amount"),
    ("--5", "EUR", "amount"),
    ("5-", "EUR", "amount"),
    (" 5.00", "EUR", "amount"),
    ("5.00\n", "EUR", "amount"),
    ("１９.９９", "EUR", "amount"),  # full-width digits: int() would take them
    ("١٩.٩٩", "EUR", "amount"),  # Arabic digits too
    ("1９.99", "EUR", "amount"),
    ("19.9９", "EUR", "amount"),
    ("1,234.56", "EUR", "amount"),
    ("1.234,56", "EUR", "amount"),
    ("1 234.56", "EUR", "amount"),
    ("1_000.00", "EUR", "amount"),
    ("1e3", "EUR", "amount"),
    ("1E+1000000", "EUR", "amount"),
    ("NaN", "EUR", "amount"),
    ("Infinity", "EUR", "amount"),
    ("0x10", "EUR", "amount"),
    ("1.2.3", "EUR", "amount"),
    ("19.999", "USD", "scale"),
    ("10.50", "JPY", "scale"),
    ("0.0001", "BHD", "scale"),
    ("9" * 18, "EUR", "out_of_range"),
    (str(MINOR_MAX + 1), "JPY", "out_of_range"),
    ("5.00", "eur", "currency"),
    ("5.00", "XXX", "currency"),
    ("5.00", "", "currency"),
    ("5.00", None, "currency"),
]


@pytest.mark.parametrize(("text", "currency", "code"), REFUSED, ids=repr)
def test_what_is_no_amount_is_refused_under_its_code(text, currency, code):
    with pytest.raises(Reject) as refused:
        minor(text, currency)
    assert refused.value.code == code


@given(st.text(alphabet="0123456789.,-+ eE\u0660\uff11", max_size=24), currencies)
def test_any_text_is_an_exact_amount_or_refused(text, currency):
    """Never a rounded guess: what is taken says, digit for digit, what stood there."""
    try:
        value = minor(text, currency)
    except Reject:
        return
    whole, _, fraction = text.lstrip("+-").partition(".")
    assert abs(value) * 10**24 == int(whole + fraction.ljust(24, "0")) * 10 ** DECIMALS[currency]


def test_decimals_are_those_of_iso_4217():
    assert [DECIMALS[code] for code in ("EUR", "JPY", "BHD", "ISK", "UGX", "IQD")] == [2, 0, 3, 0, 0, 3]
    assert all(len(code) == 3 and code.isupper() for code in DECIMALS)


@given(amounts, st.lists(st.integers(0, 10**9), min_size=1, max_size=50))
def test_an_allocation_loses_nothing(total, weights):
    parts = allocate(total, weights)
    assert sum(parts) == total and len(parts) == len(weights)
    whole = sum(weights) or len(weights)
    for part, weight in zip(parts, weights if sum(weights) else [1] * len(weights), strict=True):
        assert abs(part * whole - total * weight) < whole, "each part is within one minor unit of its share"


def test_ties_go_to_the_earlier_part():
    assert allocate(100, [1, 1, 1]) == [34, 33, 33]
    assert allocate(-100, [1, 1, 1]) == [-34, -33, -33]
    assert allocate(5, [0, 0]) == [3, 2]
    assert allocate(0, [3, 1]) == [0, 0]


@pytest.mark.parametrize("weights", [[], [-1, 2]])
def test_weights_that_mean_nothing_are_a_bug(weights):
    with pytest.raises(AssertionError):
        allocate(100, weights)


def test_money_of_two_currencies_is_not_added():
    assert Money(1999, "EUR") + Money(1, "EUR") == Money(2000, "EUR")
    assert str(Money(-5, "JPY")) == "-5 JPY"
    with pytest.raises(ValueError, match="cannot add USD to EUR"):
        Money(1, "EUR") + Money(1, "USD")


@pytest.mark.parametrize("amount", [1.0, "1", True, None])
def test_money_is_a_whole_number(amount):
    with pytest.raises(TypeError):
        Money(amount, "EUR")
