"""Which addresses that an answer names are called, and what is told there."""

import asyncio
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mainstay.contract.talk import Call, Reply
from mainstay.delivery.connection import Unsent
from mainstay.delivery.http import Http
from mainstay.model.failures import Reject

ENDPOINTS = {"api": "https://shop.example/v1", "auth": "https://login.shop.example:8443", "queue": "://"}
DOMAINS = ("files.example", "cdn.shop.example")

CALLED = {
    "/orders": ("https://shop.example/v1/orders", True),
    "//evil.example/x": ("https://shop.example/v1//evil.example/x", True),
    "https://shop.example/upload/7?sig=s": (None, True),
    "HTTPS://Shop.Example:443/upload/7": (None, True),
    "https://login.shop.example:8443/x": (None, True),
    "https://files.example/7?sig=s": (None, False),
    "https://a.b_c.Files.Example:443/%2F7?sig=s#part": (None, False),
    "https://cdn.shop.example": (None, False),
}
REFUSED = {
    "http://files.example/7": "files.example",
    "http://shop.example/7": "shop.example",
    "https://shop.example:8443/7": "shop.example",
    "https://evil-files.example/7": "evil-files.example",
    "https://files.example.evil.example/7": "files.example.evil.example",
    "https://files.example./7": "files.example.",
    "https://.files.example/7": ".files.example",
    "https://a..files.example/7": "a..files.example",
    "https://evil.example%2f.files.example/7": "evil.example%2f.files.example",
    "https://evil.example#.files.example/7": "evil.example",
    "https://evil.example?.files.example/7": "evil.example",
    "https://files.example@10.0.0.1/7": "10.0.0.1",
    "https://user@files.example/7": "files.example",
    "https://@shop.example/7": "shop.example",
    "https://169.254.169.254/latest/meta-data": "169.254.169.254",
    "https://[::1]/7": "::1",
    "https://[::ffff:10.0.0.1]/7": "::ffff:10.0.0.1",
    "https://2130706433/7": "2130706433",
    "https://0x7f000001/7": "0x7f000001",
    "https://127.1/7": "127.1",
    "https://0/7": "'0'",
    "https://localhost/7": "localhost",
    "https://example/7": "'example'",
    "https://fıles.example/7": "fıles.example",
    "https://ｆiles.example/7": "ｆiles.example",
    "https://files。example/7": "files。example",
    "https://files.example/\r\nX: 1": "files.example",
    "https://files.example/a b": "files.example",
    " https://files.example/7": "files.example",
    "\thttps://files.example/7": "files.example",
    "https://files.example/\x00": "files.example",
    "https://10.0.0.1\\@files.example/7": "files.example",
    "https://files.example\\@10.0.0.1/7": "10.0.0.1",
    "https://files.example:22/7": "files.example",
    "https://files.example:0/7": "files.example",
    "https://files.example:99999/7": "files.example",
    "https://files.example:x/7": "files.example",
    "https://[/7": "a host that cannot be read",
    "https:///7": "no host",
    "https:files.example/7": "no host",
    "file:///etc/passwd": "no host",
    "gopher://files.example/7": "files.example",
    "://files.example/7": "no host",
    ".evil.example/7": "no host",
    "@evil.example/7": "no host",
    "7": "no host",
    "": "no host",
}  # fmt: skip


@pytest.fixture
def told(desk, run):
    """What the transport is given for a call: (url, headers)."""
    desk.connector.manifest = msgspec.structs.replace(desk.connector.manifest, domains=DOMAINS)
    desk.connector.endpoints = lambda: ENDPOINTS
    desk.connector.headers = lambda call, url, session, now: {"authorization": "Bearer secret"}
    sent = []

    async def send(method, url, query, headers, body, timeout_s):
        sent.append((url, dict(headers)))
        return Reply(200)

    desk.send = send

    def told(path, endpoint="api"):
        def talk():
            yield Call(operation="upload", method="PUT", path=path, endpoint=endpoint, headers={"content-type": "text/plain"})

        sent.clear()
        run(desk.connection.hold(talk()))
        return sent[0]

    told.sent = sent
    return told


@pytest.mark.parametrize("path", CALLED, ids=repr)
def test_who_we_are_is_told_at_endpoints_alone(told, path):
    url, ours = CALLED[path]
    secret = {"authorization": "Bearer secret"} if ours else {}
    assert told(path) == (url or path, {"content-type": "text/plain", **secret})


@pytest.mark.parametrize("path", REFUSED, ids=repr)
def test_other_addresses_are_refused_before_anything_is_sent(told, path):
    with pytest.raises(Reject) as refused:
        told(path + ("?X-Signature=hidden" if "#" not in path else ""))
    assert told.sent == [] and refused.value.code == "address_forbidden"
    assert refused.value.why.startswith("upload: paper handed out an address on ") and REFUSED[path] in refused.value.why
    assert "https on port 443, at hosts of files.example and cdn.shop.example" in refused.value.why
    assert not any(hidden in refused.value.why for hidden in ("hidden", "passwd", "meta-data", "user"))


def test_a_connector_that_names_no_domain_is_called_at_its_endpoints_only(told, desk):
    desk.connector.manifest = msgspec.structs.replace(desk.connector.manifest, domains=())
    assert told("https://shop.example/more")
    with pytest.raises(Reject, match=r"'files.example'; it is called at its own endpoints, and nowhere else"):
        told("https://files.example/7")


# --- real sockets ------------------------------------------------------------------------------------------------------
class Vendor(HTTPServer):
    """Answers each request with this status and location; `asked` are the paths that came."""

    def __init__(self, status=200, location="", private=None):
        asked = self.asked = []

        class Door(BaseHTTPRequestHandler):
            def do_PUT(self):
                asked.append(self.path)
                self.send_response(status)
                self.send_header("location", location)
                self.send_header("content-length", "0")
                self.end_headers()

            do_GET = do_PUT

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Door)
        if private:
            self.socket = private.wrap_socket(self.socket, server_side=True)

    def handle_error(self, request, client_address):
        pass  # who does not trust us cuts the line

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


def put(url):
    async def sent():
        http = Http()
        try:
            return await http.send("PUT", url, {}, {}, b"", 10)
        finally:
            await http.close()

    return asyncio.run(sent())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(desk, status):
    with Vendor() as within, Vendor(status, f"http://127.0.0.1:{within.server_port}/secrets") as vendor:
        reply = put(f"http://127.0.0.1:{vendor.server_port}/x")
    assert (reply.status, vendor.asked, within.asked) == (status, ["/x"], [])
    with pytest.raises(Reject) as refused:
        desk.connector.judge(Call(operation="upload", method="PUT", path="/x"), reply)
    assert refused.value.code == "redirect_refused"


def test_who_shows_no_certificate_for_the_name_is_told_nothing(tmp_path):
    """So it does not matter where the name of a vendor's host leads when it is called."""
    with Vendor(private=_own_certificate(tmp_path)) as within:
        with pytest.raises(Unsent):
            put(f"https://127.0.0.1:{within.server_port}/7")
        assert within.asked == []


def _own_certificate(folder):
    """What somebody who is not the vendor can show: a certificate that nobody vouches for."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "files.example")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - timedelta(1), now + timedelta(1))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "certificate.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context
