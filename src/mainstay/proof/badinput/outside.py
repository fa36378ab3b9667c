"""Bad addresses in mainstay.toml, bad answers of outside systems, and the doors that are not there yet."""

from __future__ import annotations

from mainstay.proof.badinput.case import Answer, Case, Declared

URL = 'payment_system = "payments"\nurl = "http://127.0.0.1'
HERE = 'payment_system = "payments"\nurl = "'
JSON = {"content-type": "application/json"}


def address(number: int, what: str, text: str, code: str = "value-wrong", says: str = "no address that can be called") -> Case:
    """A shop whose system has this address."""
    return Case(number, what, "check", Declared(URL, f"{HERE}{text}#"), 1, code, says)


DECLARED = (
    Case(19, "nothing", "check", Declared("", ""), 1, "key-missing", '"shop" is missing'),
    Case(21, "a value that is missing", "check", Declared('name = "Test"', "name = "), 1, "toml-syntax", "not TOML"),
    Case(
        26, "a thousand brackets", "check", Declared('name = "Test"', f"name = {'[' * 1000}{']' * 1000}"), 1, "toml-too-deep",
        "nested more than 32 deep",
    ),
    Case(29, "a key twice", "check", Declared('name = "Test"', 'name = "Test"\nname = "Test"'), 1, "toml-syntax", "not TOML"),
    Case(40, "a port of 2^63", "check", Declared("[server]\nport = ", f"[server]\nport = {2**63} #"), 1, "value-wrong", "server.port"),
    Case(44, "a currency that is none", "check", Declared('currency = "EUR"', 'currency = "XXQ"'), 1, "currency-unknown", "ISO 4217"),
    address(83, "an address without TLS of a system in production", "http://erp.example", "url-insecure", "could be read and changed"),
    address(90, "a user in an address", "https://user@evil@127.0.0.1"),
    address(90, "a backslash in an address", "https://127.0.0.1\\\\@example.com"),
    address(92, "a file for an address", "file:///etc/passwd"),
    address(92, "gopher", "gopher://127.0.0.1"),
    address(92, "a line break in an address", "https://shop.example/\\r\\nX: 1"),
)  # fmt: skip

ANSWERED = (
    Case(
        18, "an answer that becomes 200 MiB", "answer", Answer(200, {**JSON, "content-encoding": "deflate"}, b"\0" * 200 * 2**20), 200,
        "try_again", "more than 32000000 bytes",
    ),
    Case(
        17, "an answer whose gzip is cut off", "answer", Answer(200, {**JSON, "content-encoding": "gzip"}, b"\x1f\x8b\x08\x00"), 200,
        "json_syntax", "truncated",
    ),
    Case(20, "an answer of another shape", "answer", Answer(200, JSON, b"[]"), 200, "schema", "Expected `object`"),
    Case(22, "an answer that is cut off", "answer", Answer(200, JSON, b'{"data":'), 200, "json_syntax", "not JSON"),
    Case(
        26, "an answer that is nested without end", "answer", Answer(200, JSON, b'{"data":' + b"[" * 100_000), 200, "json_syntax",
        "not JSON",
    ),
    Case(
        89, "a redirect to within", "answer", Answer(302, {"location": "http://169.254.169.254/"}, b""), 302, "redirect_refused",
        "HTTP 302",
    ),
)  # fmt: skip

GIVEN = "addresses given by users"
NOT_YET = (
    Case(57, "an order for a closed store", "closed channels"),
    Case(62, "a DTD", "XML"),
    Case(63, "a billion laughs", "XML"),
    Case(64, "an external entity", "XML"),
    Case(65, "200,000 levels", "XML"),
    Case(66, "another encoding than is declared", "XML"),
    Case(67, "another count of segments", "EDI"),
    Case(68, "an interchange number twice", "EDI"),
    Case(69, "no terminator", "EDI"),
    Case(70, "another delimiter", "EDI"),
    Case(76, "a formula in a cell that is exported", "CSV export"),
    Case(77, "a path out of the folder", "archives"),
    Case(78, "a link", "archives"),
    Case(79, "100,000 files", "archives"),
    Case(80, "archives in archives", "archives"),
    Case(84, "127.1, 0x7f000001, 2130706433, 0", GIVEN),
    Case(85, "an address of a cloud's metadata", GIVEN),
    Case(86, "an IPv4 address within IPv6", GIVEN),
    Case(87, "a name that leads within", GIVEN),
    Case(88, "a name that leads elsewhere when it is called", GIVEN),
    Case(91, "port 22, 25, 6379", GIVEN),
    Case(17, "gzip that is cut off, unpacked", "compressed bodies"),
    Case(18, "204 KB that become 200 MiB, unpacked", "compressed bodies"),
    Case(94, "a page of 10^9", "paging"),
    Case(95, "a filter on a masked field", "masked fields"),
    Case(96, "a pattern that backtracks for ever", "rules of users"),
)  # fmt: skip

CASES = (*DECLARED, *ANSWERED, *NOT_YET)
