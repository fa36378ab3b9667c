"""Money is whole minor units; a currency says how many make one. Never a float, never a rounded guess."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from mainstay.model.failures import Reject

MINOR_MAX = 2**53  # beyond this a JSON reader in another language loses cents
DIGITS_MAX = 100  # of an amount; beyond them reading takes long, and Python refuses it at last (CVE-2020-10735)

# ISO 4217 (List One, 2024-06): alphabetic code -> decimals. Codes without a minor unit (XAU, XXX …) are not money here.
_TWO = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE CZK "
    "DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK "
    "LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON "
    "RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST "
    "XCD XCG YER ZAR ZMW ZWG"
)
DECIMALS: dict[str, int] = dict.fromkeys(_TWO.split(), 2)
DECIMALS |= dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0)
DECIMALS |= dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3)


def decimals(currency: object) -> int:
    """How many decimals the currency has; Reject `currency` when it is not an ISO 4217 code."""
    found = DECIMALS.get(currency) if type(currency) is str else None
    if found is None:
        raise Reject(f"{currency!r} is not a currency of ISO 4217, such as 'EUR'", "currency")
    return found


def minor(text: object, currency: str) -> int:
    """Minor units of a decimal text: minor("19.99", "EUR") == 1999, minor("-5", "JPY") == -5.

    Refuses floats (`amount`), digits that are not ASCII, group separators, and more decimals than the currency has (`scale`).
    """
    places = DECIMALS.get(currency)
    if places is None:
        places = decimals(currency)
    if type(text) is not str:
        raise Reject(f"an amount must arrive as text such as '19.99', not as {type(text).__name__}", "amount")
    whole, _, fraction = text.partition(".")
    if whole and len(fraction) == places:  # nearly always: exactly the currency's decimals, no sign
        plain = whole + fraction
        if plain.isdecimal() and plain.isascii() and len(plain) < 16:
            return int(plain)
    digits = whole[1:] if whole[:1] in ("-", "+") else whole
    if not (digits.isdecimal() and digits.isascii()) or (fraction and not (fraction.isdecimal() and fraction.isascii())):
        raise Reject(f"{text[:40]!r} is not an amount such as '19.99'", "amount")
    kept, rest = fraction[:places], fraction[places:]
    if rest.strip("0"):
        raise Reject(f"{text[:40]!r} has more than the {places} decimals of {currency}", "scale")
    value = int(digits + kept + "0" * (places - len(kept))) if len(digits) < DIGITS_MAX else MINOR_MAX + 1
    if value > MINOR_MAX:
        raise Reject(f"{text[:40]!r} {currency} is larger than any amount that can be meant", "out_of_range")
    return -value if whole[:1] == "-" else value


def plain(amount: Decimal) -> str:
    """The text of a decimal number, for `minor`. Refuses what is no number (`amount`) or of too many digits (`out_of_range`)."""
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int):
        raise Reject(f"{amount} is not an amount such as 19.99", "amount")
    if abs(exponent) + abs(amount.adjusted()) > DIGITS_MAX:  # "0E-999999999" is a line of a billion zeros
        raise Reject(f"{str(amount)[:40]} has more digits than any amount that can be meant", "out_of_range")
    return f"{amount:f}"


def major(amount: int, currency: str) -> str:
    """The decimal text of minor units: major(1999, "EUR") == "19.99"."""
    places = decimals(currency)
    sign, digits = ("-" if amount < 0 else ""), str(abs(amount)).rjust(places + 1, "0")
    return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else f"{sign}{digits}"


def allocate(total: int, weights: Sequence[int]) -> list[int]:
    """Split `total` by weights so that the parts sum to it exactly (largest remainder; ties go to the earlier part)."""
    assert weights and min(weights) >= 0, "weights are not negative and there is at least one"
    whole = sum(weights)
    if whole == 0:
        weights, whole = [1] * len(weights), len(weights)
    sign, total = (-1, -total) if total < 0 else (1, total)
    parts = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda n: (-(total * weights[n] % whole), n))
    for n in by_remainder[: total - sum(parts)]:
        parts[n] += 1
    assert sum(parts) == total, "an allocation loses nothing"
    return [sign * part for part in parts]


class Money(msgspec.Struct, frozen=True):
    """An amount where currencies meet. Inside a document amounts are bare minor units in the document's one currency."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise TypeError("money is a whole number of minor units")
        decimals(self.currency)

    def __add__(self, other: Money) -> Money:
        if self.currency != other.currency:
            raise ValueError(f"cannot add {other.currency} to {self.currency}: convert first, at a stated rate")
        return Money(self.minor + other.minor, self.currency)

    def __str__(self) -> str:
        return f"{major(self.minor, self.currency)} {self.currency}"
