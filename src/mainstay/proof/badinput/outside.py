"""Bad addresses in mainstay.toml, bad answers of outside systems, and the doors that are not there yet."""

from __future__ import annotations

from mainstay.proof.badinput.case import Answer, Case, Declared, HandedOut

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


def answer(number: int, what: str, body: bytes, code: str, says: str, encoding: str = "") -> Case:
    """An answer to the question for a page of events."""
    headers = JSON | ({"content-encoding": encoding} if encoding else {})
    return Case(number, what, "answer", Answer(200, headers, body), code=code, says=says)


def handed_out(number: int, what: str, address: str, host: str, note: str = "") -> Case:
    """An answer that names this address. It is not called, and the failure names its host."""
    says = f"handed out an address on {host}"
    return Case(number, what, "answer", HandedOut(address), code="address_forbidden", says=says, note=note)


LED = "the name is not asked for; below the vendor's own domain, who answers must show a certificate for the name before anything is told"

ANSWERED = (
    answer(18, "an answer that becomes 200 MiB", b"\0" * 200 * 2**20, "try_again", "more than 32000000 bytes", "deflate"),
    answer(17, "an answer whose gzip is cut off", b"\x1f\x8b\x08\x00", "json_syntax", "truncated", "gzip"),
    answer(20, "an answer of another shape", b"[]", "schema", "Expected `object`"),
    answer(22, "an answer that is cut off", b'{"data":', "json_syntax", "not JSON"),
    answer(26, "an answer that is nested without end", b'{"data":' + b"[" * 100_000, "json_syntax", "not JSON"),
    Case(
        89,
        "a redirect to within",
        "answer",
        Answer(302, {"location": "http://169.254.169.254/"}, b""),
        code="redirect_refused",
        says="HTTP 302",
    ),
    handed_out(83, "an address without TLS in an answer", "http://bucket.s3.amazonaws.com/1", "'bucket.s3.amazonaws.com'"),
    *(handed_out(84, f"{host} in an answer", f"https://{host}/1", f"'{host}'") for host in ("127.1", "0x7f000001", "2130706433", "0")),
    handed_out(85, "an address of a cloud's metadata in an answer", "https://169.254.169.254/latest/meta-data/", "'169.254.169.254'"),
    handed_out(85, "the same in IPv6, in an answer", "https://[fd00:ec2::254]/latest/meta-data/", "'fd00:ec2::254'"),
    handed_out(85, "the same of another cloud, in an answer", "https://100.100.100.200/latest/meta-data/", "'100.100.100.200'"),
    *(
        handed_out(86, f"{host} in an answer", f"https://[{host}]/1", f"'{host}'")
        for host in ("::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::127.0.0.1")
    ),
    handed_out(87, "a name that leads within, in an answer", "https://localhost/1", "'localhost'", LED),
    handed_out(87, "a name that looks like the vendor's, in an answer", "https://evil-amazonaws.com/1", "'evil-amazonaws.com'"),
    handed_out(88, "a name that leads elsewhere when it is called, in an answer", "https://rebind.example/1", "'rebind.example'", LED),
    handed_out(90, "a user in an address in an answer", "https://amazonaws.com@10.0.0.1/1", "'10.0.0.1'"),
    handed_out(90, "a backslash in an address in an answer", "https://127.0.0.1\\@amazonaws.com/1", "'amazonaws.com'"),
    *(
        handed_out(91, f"port {port} in an answer", f"https://bucket.s3.amazonaws.com:{port}/1", "'bucket.s3.amazonaws.com'")
        for port in (22, 25, 6379)
    ),
    handed_out(92, "a file in an answer", "file:///etc/passwd", "no host"),
    handed_out(92, "gopher in an answer", "gopher://amazonaws.com/1", "'amazonaws.com'"),
    handed_out(92, "a line break in an address in an answer", "https://amazonaws.com/\r\nX: 1", "'amazonaws.com'"),
    handed_out(92, "an address in an answer that only goes on after ours", ".evil.example/1", "no host"),
)

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
    Case(84, "any such address, given by a user of the API", "addresses given by users"),
    Case(17, "gzip that is cut off, unpacked", "compressed bodies"),
    Case(18, "204 KB that become 200 MiB, unpacked", "compressed bodies"),
    Case(94, "a page of 10^9", "paging"),
    Case(95, "a filter on a masked field", "masked fields"),
    Case(96, "a pattern that backtracks for ever", "rules of users"),
)  # fmt: skip

CASES = (*DECLARED, *ANSWERED, *NOT_YET)
