"""Bad bytes on the wire, and bad requests to our own API."""

from __future__ import annotations

import json
from typing import Any

from mainstay.proof.badinput.case import Ask, Case, Wire

HEAD = b"POST /hooks/shop HTTP/1.1\r\nHost: x\r\n"
CHUNK = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
DEEP = b"[" * 100_000 + b"]" * 100_000
AT = 1_790_000_000_000_000
RESERVE = "/v1/reservations"


def lines(**more: Any) -> dict[str, Any]:
    """A reservation of one line."""
    return {"lines": [{"sku": "A", "quantity": 1} | more]}


def order(external: str, **more: Any) -> dict[str, Any]:
    """An order of a channel of the shop's own."""
    line = {"id": "1", "sku": "BAD-INPUT", "quantity": 1, "price": 500}
    told = {"number": external, "currency": "EUR", "placed_at": AT, "total": 500, "payment": "captured", "lines": [line], **more}
    return {"external": external, "order": told}


def counted(**more: Any) -> dict[str, Any]:
    """A count."""
    return {"statements": [{"event": {"event": "StockCounted", "external": "c", "item": "A", "sku": "A", "quantity": 1, "at": AT, **more}}]}


def refund(**more: Any) -> dict[str, Any]:
    """A refund of an order that nobody has heard of."""
    of = {"kind": "order", "id": "bad-58", "system": "till"}
    said = {"event": "RefundSeen", "external": "r58", "of": of, "currency": "EUR", "amount": 5, "status": "succeeded", "at": AT}
    return {"statements": [{"event": said | more}]}


WIRE = (
    Case(
        9, "a Content-Length over the limit", "wire", Wire(HEAD + b"Content-Length: 999999999\r\n\r\n"), 413, "payload_too_large",
        "`server.max_body_bytes`",
    ),
    Case(
        10, "parts that go past the limit", "wire", Wire(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNK * 32), 413,
        "payload_too_large", "at most",
    ),
    Case(11, "a Content-Length and a Transfer-Encoding", "wire", Wire(
        HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        400, "http_malformed", "Transfer-Encoding can't be present with Content-Length"),
    Case(
        11, "two Content-Lengths", "wire",
        Wire(HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"), 400, "http_malformed", "Duplicate Content-Length",
    ),
    Case(
        11, "a Content-Length below zero", "wire",
        Wire(HEAD + b"Content-Length: -5\r\n\r\n"), 400, "http_malformed", "Invalid character in Content-Length",
    ),
    Case(
        11, "a space in a header's name", "wire",
        Wire(HEAD + b"Bad Header: 1\r\nContent-Length: 0\r\n\r\n"), 400, "http_malformed", "Invalid header token",
    ),
    Case(11, "no HTTP at all", "wire", Wire(b"NONSENSE\r\n\r\n"), 400, "http_malformed", "no request of HTTP/1.1"),
    Case(
        12, "a body without an end, held open", "wire", Wire(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"), 408, "too_slow",
        "within 10 s",
    ),
    Case(13, "a byte a second", "wire", Wire(HEAD + b"Content-Length: 1000\r\n\r\n", b"x" * 30), 408, "too_slow", "within 10 s"),
    Case(14, "another method", "wire", Wire(b"GET /hooks/shop HTTP/1.1\r\nHost: x\r\n\r\n"), 405, "method_not_allowed", "POSTed"),
)  # fmt: skip

ASKED = (
    Case(9, "more bytes than are taken", "api", Ask("/v1/orders", b" " * 2_000_001), 413, "payload_too_large", "at most 2000000 bytes"),
    Case(14, "another method", "api", Ask("/v1/orders", method="DELETE"), 405, "method_not_allowed", "other methods"),
    Case(15, "another content type", "api", Ask(RESERVE, lines(), key="15", kind="text/plain"), 415, "content_type", "application/json"),
    Case(15, "no content type", "api", Ask(RESERVE, lines(), key="15", kind=""), 415, "content_type", "application/json"),
    Case(19, "nothing", "api", Ask("/v1/orders"), 422, "schema", "`external`"),
    Case(20, "a list at the top", "api", Ask("/v1/orders", b"[]"), 422, "schema", "Expected `object`"),
    Case(
        21, "a comma too many", "api", Ask(RESERVE, b'{"lines": [{"sku": "A", "quantity": 1}],}', key="21"), 400, "json_syntax", "byte 40",
    ),
    Case(22, "cut off", "api", Ask(RESERVE, b"{", key="22"), 400, "json_syntax", "truncated"),
    Case(23, "Latin-1", "api", Ask(RESERVE, b'{"lines": "G\xe4nse"}', key="23"), 400, "not_utf8", "at byte 12"),
    Case(24, "UTF-16", "api", Ask(RESERVE, json.dumps(lines()).encode("utf-16"), key="24"), 400, "not_utf8", "at byte 0"),
    Case(
        25, "a byte order mark", "api", Ask(RESERVE, b"\xef\xbb\xbf" + json.dumps(lines()).encode(), key="25"), 400, "json_syntax",
        "byte 0",
    ),
    Case(
        26, "a hundred thousand lists", "api", Ask("/v1/orders", b'{"external":"1","order":{"x":' + DEEP + b"}}"), 400, "too_deep",
        "nested deeper",
    ),
    Case(28, "NaN", "api", Ask(RESERVE, b'{"lines": [{"sku": "A", "quantity": NaN}]}', key="28"), 400, "json_syntax", "invalid character"),
    Case(
        29, "a field twice", "api", Ask(RESERVE, b'{"lines": [{"sku": "A", "quantity": 1, "quantity": 2}]}', key="29"), 400,
        "duplicate_key", "'quantity'",
    ),
    Case(
        30, "half a character", "api", Ask(RESERVE, b'{"lines": [{"sku": "\\ud800", "quantity": 1}]}', key="30"), 400, "json_syntax",
        "surrogate",
    ),
    Case(31, "NUL in a text", "api", Ask(RESERVE, lines(sku="A\0B"), key="31"), 400, "nul_in_text", "leave it out"),
    Case(
        32, "a million fields", "api", Ask("/v1/orders", b"{" + b",".join(b'"%x":1' % n for n in range(10**6)) + b"}"), 413,
        "payload_too_large", "at most",
    ),
    Case(35, "a text for a number", "api", Ask(RESERVE, lines(quantity="1"), key="35"), 422, "schema", "Expected `int`, got `str`"),
    Case(35, "a fraction for an amount", "api", Ask("/v1/orders", order("35", total=19.99)), 422, "schema", "Expected `int`, got `float`"),
    Case(38, "minus one unit", "api", Ask(RESERVE, lines(quantity=-1), key="38"), 422, "schema", "Expected `int` >= 1"),
    Case(39, "a thousand million units", "api", Ask(RESERVE, lines(quantity=10**9), key="39"), 422, "schema", "<= "),
    Case(40, "2^63 units", "api", Ask(RESERVE, lines(quantity=2**63), key="40"), 422, "schema", "<= "),
    Case(40, "a count of 2^63", "api", Ask("/v1/statements", counted(quantity=2**63)), 422, "schema", "<= 1000000000"),
    Case(40, "a version of 2^63", "api", Ask("/v1/statements", refund(version=2**63)), 422, "schema", "`$.statements[0].event.version`"),
    Case(
        44, "a currency that is none", "api", Ask("/v1/orders", order("44", currency="XXQ")), 422, "currency",
        "'XXQ' is not a currency of ISO 4217",
    ),
    Case(48, "a time that is still to come", "api", Ask("/v1/statements", counted(at=4 * 10**15)), 422, "out_of_range", "set the clock"),
    Case(48, "a time before the year 1", "api", Ask("/v1/orders", order("48", placed_at=-(2**62))), 422, "schema", "`$.order.placed_at`"),
    Case(50, "no id", "api", Ask("/v1/orders", order("")), 422, "schema", "`$.external`"),
    Case(
        51, "the same id with another order", "api", Ask("/v1/orders", order("51", total=400), before=order("51")), 409, "id_conflict",
        "a higher `version`",
    ),
    Case(53, "an id of 10 KiB", "api", Ask("/v1/orders", order("i" * 10_240)), 422, "schema", "`$.external`"),
    Case(55, "a SKU with what cannot be seen", "api", Ask(RESERVE, lines(sku="A\u200b"), key="55"), 422, "sku_ambiguous", "cannot be seen"),
    Case(55, "a count of it", "api", Ask("/v1/statements", counted(sku="A\u200b"), who="operator"), 422, "sku_ambiguous", "cannot be seen"),
    Case(56, "an unknown SKU", "api", Ask(RESERVE, lines(sku="NEVER-HEARD-OF"), key="56"), 409, "refused", "not available"),
    Case(
        93, "the same request again", "api", Ask(RESERVE, lines(sku="BAD-INPUT"), key="93-again", before=lines(sku="BAD-INPUT")), 200,
        ends="reserved", note="also while the first is on its way: both hear what was decided, and nobody is told 409",
    ),
    Case(58, "a refund by who does not own it", "api", Ask("/v1/statements", refund()), 200, ends="proposed"),
    Case(61, "a statement that nobody knows", "api", Ask("/v1/statements", counted(event="Hologram")), 422, "schema", "'Hologram'"),
    Case(93, "no Idempotency-Key", "api", Ask(RESERVE, lines()), 400, "idempotency_key_missing", "a retry repeats it"),
    Case(93, "a key of 201 characters", "api", Ask(RESERVE, lines(), key="k" * 201), 400, "idempotency_key_missing", "1 to 200 characters"),
    Case(
        93, "a key that was used for something else", "api", Ask(RESERVE, lines(quantity=2), key="93", before=lines(sku="BAD-INPUT")), 422,
        "key_reused", "take a new one",
    ),
    Case(94, "a filter that is none", "api", Ask("/v1/causes?sort=price", method="GET", who="operator"), 422, "schema", "sort"),
    Case(94, "SQL in a filter", "api", Ask("/v1/causes?queue=%27%20OR%201%3D1%3B--", method="GET", who="operator"), 422, "schema", "queue"),
    Case(94, "a filter twice", "api", Ask("/v1/deadletters?code=a&code=b", method="GET", who="operator"), 400, "duplicate_key", "twice"),
    Case(94, "a time that is none", "api", Ask("/v1/deadletters?since=yesterday", method="GET", who="operator"), 422, "time", "yesterday"),
    Case(94, "a filter of 10 KiB", "api", Ask(f"/v1/causes?text={'x' * 10_240}", method="GET", who="operator"), 422, "schema", "length"),
    Case(
        97, "a card number", "api", Ask("/v1/orders", order("97", ship_method="4242 4242 4242 4242")), 422, "pan_not_accepted",
        "token instead",
    ),
    Case(
        97, "a card number that a repair would set", "api",
        Ask("/v1/jobs", {"action": "repair", "query": {}, "set": {"note": "4242 4242 4242 4242"}, "reason": "a test"}, who="operator"), 422,
        "pan_not_accepted", "token instead",
    ),
    Case(97, "a card number as a key", "api", Ask(RESERVE, lines(), key="4242424242424242"), 422, "pan_not_accepted", "token instead"),
)  # fmt: skip

CASES = (*WIRE, *ASKED)
