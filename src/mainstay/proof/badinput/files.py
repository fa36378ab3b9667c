"""Bad files: in the folder of a flow, given to `mainstay count` and to `mainstay translate`."""

from __future__ import annotations

import json

from mainstay.proof.badinput.case import Case, File, Text, order

HEAD = b"sku,units\n"
MOVED = {"event": {"event": "StockMoved", "external": "m", "item": "A", "sku": "BAD-FILE", "delta": 1, "at": 1_790_000_000_000_000}}
LINE = json.dumps(MOVED).encode()
UNIT = "no number of units"

IN_A_FOLDER = (
    Case(21, "a line with a comma too many", "file", File("21.jsonl", LINE[:-1] + b",}\n"), 200, "json_syntax", "trailing comma"),
    Case(22, "a line that is cut off", "file", File("22.jsonl", LINE[:-9]), 200, "json_syntax", "truncated"),
    Case(23, "Latin-1", "file", File("23.csv", HEAD + b"G\xe4nse,1\n"), 200, "not_utf8", "at byte 1"),
    Case(25, "a byte order mark", "file", File("25.csv", b"\xef\xbb\xbf" + HEAD + b"BAD-FILE-25,1\n"), 200),
    Case(26, "a line that is nested without end", "file", File("26.jsonl", b'{"x":' + b"[" * 200_000), 200, "too_deep", "nested deeper"),
    Case(27, "a count of 5000 digits", "file", File("27.csv", HEAD + b"BAD-FILE," + b"9" * 5000 + b"\n"), 200, "schema", UNIT),
    Case(
        29, "a field twice in a line", "file", File("29.jsonl", LINE.replace(b'"delta": 1', b'"delta": 1, "delta": 2')), 200, "schema",
        "stands twice",
    ),
    Case(31, "NUL in a line", "file", File("31.jsonl", LINE.replace(b"BAD-FILE", b"BAD\\u0000")), 200, "schema", "U+0000"),
    Case(38, "minus one unit", "file", File("38.csv", HEAD + b"BAD-FILE,-1\n"), 200, "schema", UNIT),
    Case(39, "more than can be counted", "file", File("39.csv", HEAD + b"BAD-FILE,9999999999\n"), 200, "schema", "<= 1000000000"),
    Case(43, "digits of another alphabet", "file", File("43.csv", HEAD + "BAD-FILE,１２\n".encode()), 200, "schema", UNIT),
    Case(
        48, "a time that is still to come", "file", File("48.jsonl", LINE.replace(b"1790000000000000", b"4000000000000000")), 200,
        "out_of_range", "set the clock",
    ),
    Case(53, "an id of 10 KiB", "file", File("53.jsonl", LINE.replace(b'"m"', b'"' + b"i" * 10_240 + b'"')), 200, "schema", "250"),
    Case(
        54, "a SKU in another form of Unicode", "file", File("54.csv", HEAD + "GA\u0308NSE,1\n".encode()), 200,
        note="NFC is the one form inside",
    ),
    Case(
        55, "a SKU with what cannot be seen", "file", File("55.csv", HEAD + "A\u200bB,1\n".encode()), 200, "sku_ambiguous",
        "cannot be seen",
    ),
    Case(
        55, "a SKU with spaces around it", "file", File("55b.csv", HEAD + b" BAD-FILE-55B ,1\n"), 200, note="they are no part of it",
    ),
    Case(
        56, "a count of a SKU that nobody has heard of", "file", File("56.csv", HEAD + b"NEVER-HEARD-OF-56F,1\n"), 200,
        note="it is learnt: who counts it has it",
    ),
    Case(
        61, "a statement that nobody knows", "file", File("61.jsonl", LINE.replace(b"StockMoved", b"Hologram")), 200, "schema", "Hologram",
    ),
    Case(
        71, "a cell of 200,000 characters", "file", File("71.csv", HEAD + b"A" * 200_000 + b",1\n"), 200, "schema",
        "larger than field limit",
    ),
    Case(
        71, "a line of more than a million bytes", "file", File("71.jsonl", b'{"x":"' + b"x" * 1_000_001 + b'"}\n'), 200,
        "payload_too_large", "1,000,000 bytes",
    ),
    Case(72, "NUL in a table", "file", File("72.csv", HEAD + b"A\0B,1\n"), 200, "sku_ambiguous", "cannot be seen"),
    Case(
        73, "a quotation mark without an end", "file", File("73.csv", HEAD + b'"A,1\nBAD-FILE-73,1\n'), 200, "schema",
        "no row of a CSV file", note="the line, not the rest of the file: a row stands on one line",
    ),
    Case(74, "more cells than columns", "file", File("74.csv", HEAD + b"A,1,2\nBAD-FILE-74,1\n"), 200, "schema", "3 cells, of 2 columns"),
    Case(74, "fewer cells than columns", "file", File("74b.csv", HEAD + b"A\n"), 200, "schema", UNIT),
    Case(75, "columns in another order", "file", File("75.csv", b"units,sku\n1,BAD-FILE-75\n"), 200, note="columns go by their names"),
    Case(75, "columns of other names", "file", File("75b.csv", b"article,amount\nA,1\n"), 200, "schema", "write sku,units"),
    Case(81, "the same file twice", "file", File("81.csv", HEAD + b"BAD-FILE-81,1\n", again=True), 200, ends="duplicate"),
    Case(82, "a file that is still growing", "file", File("82.csv", HEAD + b"BAD-FILE-82,1\n", grows=True), 200, ends="waits"),
    Case(
        97, "a card number", "file", File("97.jsonl", LINE.replace(b"BAD-FILE", b"4242424242424242")), 200, "pan_not_accepted",
        "token instead",
    ),
)  # fmt: skip

BY_COMMAND = (
    Case(23, "Latin-1", "count", Text(HEAD + b"G\xe4nse,1\n"), 2, says="UTF-8"),
    Case(27, "a count of 5000 digits", "count", Text(HEAD + b"A," + b"9" * 5000 + b"\n"), 2, says=UNIT),
    Case(43, "digits of another alphabet", "count", Text(HEAD + "A,١٢\n".encode()), 2, says=UNIT),
    Case(71, "a cell of 200,000 characters", "count", Text(HEAD + b"A" * 200_000 + b",1\n"), 2, says="larger than field limit"),
    Case(72, "NUL in a table", "count", Text(HEAD + b"A\0B,1\n"), 2, says="cannot be seen"),
    Case(73, "a quotation mark without an end", "count", Text(HEAD + b'"A,1\nB,1\n'), 2, says="no row of a CSV file"),
    Case(74, "more cells than columns", "count", Text(HEAD + b"A,1,2\n"), 2, says="3 cells, of 2 columns"),
    Case(75, "columns of other names", "count", Text(b"article,amount\nA,1\n"), 2, says="write sku,units"),
    Case(19, "nothing", "count", Text(b""), 2, says="the columns are missing"),
    Case(19, "nothing", "translate", Text(b"", "shopify", "orders/create"), 3, "json_syntax", "truncated"),
    Case(
        26, "a hundred thousand lists", "translate", Text(b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "stripe", "payout.paid"), 3,
        "too_deep", "nested deeper",
    ),
    Case(
        27, "an amount of 5000 digits", "translate", Text(order(27, total_price="9" * 5000), "shopify", "orders/create"), 3, "out_of_range",
        "larger than any amount",
    ),
    Case(61, "a topic that nobody knows", "translate", Text(b"{}", "shopify", "carts/dance"), 3, "unknown_topic", "carts/dance"),
)  # fmt: skip

REPAIRED = (
    Case(19, "nothing", "deadletters repair", Text(b""), 2, "json_syntax", "the letter stays open"),
    Case(23, "Latin-1", "deadletters repair", Text(b'{"note": "G\xe4nse"}'), 2, "not_utf8", "byte 11"),
    Case(
        26, "a hundred thousand lists", "deadletters repair", Text(b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), 2, "too_deep",
        "nested deeper",
    ),
    Case(27, "an amount of 5000 digits", "deadletters repair", Text(order(27, total_price="9" * 5000)), 2, "out_of_range", "stays open"),
    Case(97, "a card number", "deadletters repair", Text(order(97, note="4242 4242 4242 4242")), 2, "pan_not_accepted", "token instead"),
)  # fmt: skip

CASES = (*IN_A_FOLDER, *BY_COMMAND, *REPAIRED)
