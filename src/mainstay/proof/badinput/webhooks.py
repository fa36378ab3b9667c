"""Bad deliveries: who did not sign, what is no JSON, and what no business document can say."""

from __future__ import annotations

import json
from itertools import product

from mainstay.proof.badinput.case import Case, Hook, order, sample, swapped, with_line, without

DEEP = b"[" * 100_000 + b"]" * 100_000
EVENT = json.dumps(sample("stripe/samples/payment_intent.succeeded.json")).encode()
CUT = order(22)[:-20]
NO_JSON, UNFIT = "json_syntax", "schema"


def stripe(name: str, identity: str, **changes: object) -> bytes:
    """An event of Stripe with another object inside."""
    told = sample(f"stripe/samples/{name}.json", id=identity)
    told["data"]["object"] |= changes
    return json.dumps(told).encode()


def in_milliseconds(identity: str) -> bytes:
    """An event whose time counts milliseconds where seconds are due: the year 58138."""
    return json.dumps(sample("stripe/samples/payment_intent.succeeded.json", id=identity, created=1_772_452_800_000)).encode()


SIGNATURES = (
    Case(1, "no signature", "webhook", Hook(order(1), signature="none"), 401, "signature_missing", "carries no signature"),
    Case(1, "no signature of Stripe", "webhook", Hook(EVENT, "", "payments", "none"), 401, "signature_missing", "carries no signature"),
    Case(1, "no secret path", "webhook", Hook(b"{}", "", "warehouse", "none"), 401, "signature_missing", "without the secret part"),
    Case(2, "a wrong signature", "webhook", Hook(order(2), signature="wrong"), 401, "signature_invalid", "does not fit these bytes"),
    Case(2, "a wrong secret path", "webhook", Hook(b"{}", "", "warehouse", "wrong"), 401, "signature_invalid", "by another path"),
    Case(
        3, "a signature that is right for another shop", "webhook", Hook(order(3), signature="of another"), 401, "signature_invalid",
        "does not fit these bytes",
    ),
    Case(
        3, "another shop's name", "webhook", Hook(order(3), headers={"x-shopify-shop-domain": "other.myshopify.com"}), 401,
        "signature_invalid", "signed for another shop",
    ),
    Case(4, "signed six minutes ago", "webhook", Hook(EVENT, "", "payments", "six minutes old"), 401, "timestamp_stale", "at most 300 s"),
    Case(5, "signed six minutes from now", "webhook", Hook(EVENT, "", "payments", "six minutes early"), 401, "timestamp_stale", "at most"),
    Case(6, "a signature that is not ASCII", "webhook", Hook(order(6), signature="not ASCII"), 401, "signature_invalid", "does not fit"),
    Case(6, "one of Stripe", "webhook", Hook(EVENT, "", "payments", "not ASCII"), 401, "signature_invalid", "does not fit"),
    Case(
        7, "a body written anew after signing", "webhook",
        Hook(order(7), signature="of other bytes"), 401, "signature_invalid", "does not fit these bytes",
    ),
    Case(
        8, "two signatures, one of them good", "webhook",
        Hook(stripe("payment_intent.succeeded", "evt_bad_8", id="pi_bad_8", metadata={}), "payment_intent.succeeded", "payments", "two"),
        200, ends="early",
    ),
)  # fmt: skip

HEADERS = (
    Case(14, "another method", "webhook", Hook(b"", method="PUT"), 405, "method_not_allowed", "POSTed"),
    Case(
        15, "another content type", "webhook", Hook(order(15), headers={"content-type": "text/plain"}), 200, ends="applied",
        note="the signature proves the sender, and the body is JSON",
    ),
    Case(
        16, "an unknown Content-Encoding", "webhook",
        Hook(order(16), headers={"content-encoding": "br"}), 415, "encoding_broken", "without Content-Encoding",
    ),
    Case(
        17, "gzip that is cut off", "webhook", Hook(b"\x1f\x8b\x08\x00", headers={"content-encoding": "gzip"}), 415, "encoding_broken",
        "without Content-Encoding", note="nothing is decompressed at the door: no vendor of ours compresses what it sends",
    ),
    Case(
        18, "204 KB that would become 200 MiB", "webhook", Hook(b"x" * 204_000, headers={"content-encoding": "deflate"}), 415,
        "encoding_broken", "without Content-Encoding", note="nothing is decompressed at the door",
    ),
)  # fmt: skip

BODIES = (
    Case(
        19, "nothing", "webhook", Hook(b""), 200, NO_JSON, "not JSON", note="its sender has proved itself, and has done its part",
    ),
    *(
        Case(20, f"{body.decode()} at the top", "webhook", Hook(body), 200, "not_an_object", "Expected `object`")
        for body in (b"null", b"[]", b'"x"', b"7")
    ),
    Case(21, "a comma too many", "webhook", Hook(b'{"id": 1,}'), 200, NO_JSON, "byte 9"),
    Case(22, "cut off", "webhook", Hook(CUT), 200, NO_JSON, "truncated"),
    Case(22, "an event of Stripe that is cut off", "webhook", Hook(EVENT[:-20], "", "payments"), 200, NO_JSON, "truncated"),
    Case(22, "a notice of ShipStation that is cut off", "webhook", Hook(b'{"resource_url":', "", "warehouse"), 200, NO_JSON, "truncated"),
    Case(23, "Latin-1", "webhook", Hook(order(23, name="Gänse").replace(b"\\u00e4", b"\xe4")), 200, "not_utf8", "not UTF-8"),
    Case(
        23, "Latin-1 in a field that nobody reads", "webhook", Hook(order(23, note="ä").replace(b"\\u00e4", b"\xe4")), 200, ends="applied",
        note="what it says is clear, and its sender cannot repair it",
    ),
    Case(24, "UTF-16", "webhook", Hook(order(24).decode().encode("utf-16")), 200, "not_utf8", "at byte 0"),
    Case(25, "a byte order mark", "webhook", Hook(b"\xef\xbb\xbf" + order(25)), 200, ends="applied"),
    Case(25, "a byte order mark before an event of Stripe", "webhook", Hook(
        b"\xef\xbb\xbf" + stripe("payment_intent.succeeded", "evt_bad_25", id="pi_bad_25", metadata={}), "payment_intent.succeeded",
        "payments",
    ), 200, ends="early"),
    Case(26, "a hundred thousand lists in a field", "webhook", Hook(b'{"id":' + DEEP + b"}"), 200, UNFIT, "Expected `int`, got `array`"),
    Case(26, "the same in a field that nobody reads", "webhook", Hook(b'{"nobody":' + DEEP + b"}"), 200, "too_deep", "nested deeper"),
    Case(
        27, "a number of 5000 digits", "webhook", Hook(swapped(order(27), '"id": 27,', b'"id": ' + b"9" * 5000 + b",")), 200, UNFIT,
        "out of range - at `$.id`",
    ),
    Case(
        27, "an amount of 5000 digits", "webhook", Hook(order(27, total_price="9" * 5000)), 200, "out_of_range", "larger than any amount",
    ),
    Case(28, "NaN", "webhook", Hook(swapped(order(28), '"id": 28,', b'"id": NaN,')), 200, NO_JSON, "byte 7"),
    Case(28, "Infinity", "webhook", Hook(swapped(order(28), '"id": 28,', b'"id": -Infinity,')), 200, NO_JSON, "invalid"),
    Case(28, "1e999", "webhook", Hook(swapped(order(28), '"id": 28,', b'"id": 1e999,')), 200, UNFIT, "out of range"),
    Case(
        29, "a field twice", "webhook", Hook(swapped(order(29), '"id": 29,', b'"id": 28, "id": 29,')), 200, ends="applied",
        note="the last counts, as for the vendor's own readers; our API refuses it",
    ),
    Case(30, "half a character", "webhook", Hook(order(30, name="x").replace(b'"x"', b'"\\ud800"')), 200, NO_JSON, "surrogate"),
    Case(
        31, "NUL in a text", "webhook", Hook(order(31, name="#\x0031")), 200, ends="applied",
        note="our columns hold it whole; our API refuses it",
    ),
    Case(
        32, "a hundred thousand fields", "webhook", Hook(b'{"id":32,' + b",".join(b'"f%d":1' % n for n in range(100_000)) + b"}"), 200,
        UNFIT, "missing required field", note="a million are more bytes than a delivery may have",
    ),
    Case(
        33, "a name of a mebibyte", "webhook", Hook(b'{"id":33,"' + b"k" * 2**20 + b'":1}'), 200, UNFIT, "missing required field",
        note="nobody reads it",
    ),
    Case(34, "32,768 names that collide in common hashes", "webhook", Hook(
        b'{"id":34,' + b",".join(b'"%s":1' % "".join(one).encode() for one in product(("Aa", "BB"), repeat=15)) + b"}",
    ), 200, UNFIT, "missing required field"),
)  # fmt: skip

VALUES = (
    Case(35, "a number where an amount is due", "webhook", Hook(order(35, total_price=19.99)), 200, UNFIT, "`$.total_price`"),
    Case(36, "three decimals of EUR", "webhook", Hook(order(36, total_price="19.999")), 200, "scale", "more than the 2 decimals of EUR"),
    Case(37, "decimals of JPY", "webhook", Hook(order(37, currency="JPY", total_price="10.50")), 200, "scale", "0 decimals of JPY"),
    Case(38, "minus one unit", "webhook", Hook(with_line(38, quantity=-1)), 200, UNFIT, "Expected `int` >= 0"),
    Case(39, "a thousand million units", "webhook", Hook(with_line(39, quantity=10**9)), 200, UNFIT, "<= 1000000"),
    Case(40, "2^63 units", "webhook", Hook(with_line(40, quantity=2**63)), 200, UNFIT, "<= 1000000"),
    Case(41, "1E+1000000", "webhook", Hook(order(41, total_price="1E+1000000")), 200, "amount", "is not an amount such as '19.99'"),
    Case(42, "a comma for a point", "webhook", Hook(order(42, total_price="1.234,56")), 200, "amount", "is not an amount"),
    Case(42, "groups of digits", "webhook", Hook(order(42, total_price="1,234.56")), 200, "amount", "is not an amount"),
    Case(43, "full-width digits", "webhook", Hook(order(43, total_price="１９.９９")), 200, "amount", "is not an amount"),
    Case(43, "Arabic digits", "webhook", Hook(order(43, total_price="١٩.٩٩")), 200, "amount", "is not an amount"),
    Case(44, "the currency XXX", "webhook", Hook(order(44, currency="XXX")), 200, "currency", "'XXX' is not a currency of ISO 4217"),
    Case(44, "the currency in small letters", "webhook", Hook(order(44, currency="eur")), 200, "currency", "such as 'EUR'"),
    Case(44, "no currency", "webhook", Hook(without(44, "currency")), 200, UNFIT, "`currency`"),
    Case(
        45, "a total that is not its parts", "webhook", Hook(order(450, total_price="1.00")), 200, "totals_mismatch", "sum to 113.48",
        ends="held", note="the order is known, and held until somebody accepts or corrects it",
    ),
    Case(
        46, "the thirtieth of February", "webhook", Hook(order(46, created_at="2026-02-30T00:00:00Z")), 200, "time",
        "is not a time such as",
    ),
    Case(47, "a time without a zone", "webhook", Hook(order(47, created_at="2026-03-02T12:00:00")), 200, "time", "has no time zone"),
    Case(47, "one that clocks leave out", "webhook", Hook(order(47, created_at="2026-03-29T02:30:00")), 200, "time", "has no time zone"),
    Case(
        48, "milliseconds where seconds are due", "webhook", Hook(in_milliseconds("evt_bad_48"), "payment_intent.succeeded", "payments"),
        200, "time", "seconds since 1970",
    ),
    Case(48, "a time before the year 1", "webhook", Hook(order(48, created_at="0001-01-01T00:00:00+23:59")), 200, "time",
        "no time of the years 1 to 9999"),
    Case(49, "a leap second", "webhook", Hook(order(490, created_at="2026-06-30T23:59:60Z")), 200, ends="applied"),
)  # fmt: skip

IDENTITIES = (
    Case(50, "no id", "webhook", Hook(b'{"name":"#1"}'), 200, UNFIT, "missing required field"),
    Case(
        51, "the same event with another body", "webhook", Hook(order(511), event="bad-51", before=order(510)), 200, ends="applied",
        note="other bytes are another event, and nothing is lost; our API answers 409",
    ),
    Case(52, "the same event again", "webhook", Hook(order(520), event="bad-52", before=order(520)), 200, ends="duplicate"),
    Case(53, "an id of 10 KiB", "webhook", Hook(stripe(
        "payment_intent.succeeded", "evt_bad_53", id="i" * 10_240, metadata={}), "payment_intent.succeeded", "payments",
    ), 200, UNFIT, "250"),
    Case(
        50, "an event of Stripe without an id", "webhook", Hook(b'{"type": "payout.paid"}', "", "payments"), 200, UNFIT,
        "missing required field `id`",
    ),
    Case(
        54, "a SKU in another form of Unicode", "webhook", Hook(with_line(540, sku="GA\u0308NSE")), 200, ends="applied",
        note="NFC is the one form inside",
    ),
    Case(
        54, "one SKU in two forms", "webhook", Hook(with_line(541, sku="GA\u0308NSE"), before=with_line(542, sku="G\u00c4NSE")), 200,
        ends="applied", note="both orders are of one item",
    ),
    Case(
        55, "a SKU in other letters, small and large", "webhook", Hook(with_line(551, sku="mug-Blue")), 200, ends="applied",
        note="it is another SKU, as there are vendors who tell them apart; an order that waits for it names the other one",
    ),
    Case(
        56, "an order of a SKU that nobody has heard of", "webhook", Hook(with_line(56, sku="NEVER-HEARD-OF-56")), 200, ends="applied",
        note="it waits for its units, short by name; the SKU is learnt",
    ),
    Case(55, "a SKU with what cannot be seen", "webhook", Hook(with_line(55, sku="A\u200bB")), 200, "sku_ambiguous", "cannot be seen"),
    Case(58, "a refund before its payment", "webhook", Hook(
        stripe("refund.created", "evt_bad_58", id="re_bad_58", payment_intent="pi_bad_58", charge="ch_bad_58"), "refund.created",
        "payments",
    ), 200, ends="early", note="applied when the payment comes; a letter at the deadline"),
    Case(59, "a refund of more than was captured", "webhook", Hook(
        stripe("charge.refunded", "evt_bad_59", id="ch_bad_59", payment_intent="pi_bad_59", amount_refunded=999_999), "charge.refunded",
        "payments",
    ), 200, "refund_exceeds_capture", "than was captured"),
    Case(60, "an order in the words of before", "webhook", Hook(
        order(600, updated_at="2026-03-02T12:00:01+01:00", financial_status="pending"), "orders/updated",
        before=order(600)), 200, ends="stale"),
    Case(61, "a word that nobody knows", "webhook", Hook(order(61, financial_status="hologram")), 200, "unknown_word", "hologram"),
    Case(
        97, "a card number", "webhook", Hook(order(970, note="from 4242 4242 4242 4242")), 200, "pan_redacted", "424242******4242",
        note="kept with its middle digits redacted; the letter says where",
    ),
)  # fmt: skip

CASES = (*SIGNATURES, *HEADERS, *BODIES, *VALUES, *IDENTITIES)
