"""A mail server and a receiver of webhooks on loopback: real sockets, the parts of the protocols that a sender can tell apart."""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mainstay.contract.signatures import standard_webhooks
from mainstay.model.secrets import Secret


class Mailbox:
    """An SMTP server (RFC 5321: EHLO, AUTH PLAIN, MAIL, RCPT, DATA, RSET, QUIT; with a certificate STARTTLS, RFC 3207). `refuse` answers
    a verb otherwise: {"RCPT": "550 no"}."""

    def __init__(self, certificate: ssl.SSLContext | None = None) -> None:
        self.certificate = certificate
        self.mails: list[EmailMessage] = []
        self.refuse: dict[str, str] = {}
        self.logins: list[str] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())

        say("220 mailbox ready")
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            verb = line.split()[0].upper().rstrip(":")
            if verb in self.refuse:
                say(self.refuse[verb])
            elif verb == "STARTTLS":
                say("220 go on")
                await writer.drain()
                assert self.certificate is not None
                await writer.start_tls(self.certificate)
            elif verb == "EHLO":
                say("250-mailbox")
                if self.certificate is not None and writer.get_extra_info("ssl_object") is None:
                    say("250-STARTTLS")
                say("250 AUTH PLAIN")
            elif verb == "AUTH":
                self.logins.append(line.split()[-1])
                say("235 welcome")
            elif verb == "DATA":
                say("354 go on")
                raw = bytearray()
                while (part := await reader.readline()) not in (b".\r\n", b""):
                    raw += part.removeprefix(b".") if part.startswith(b"..") else part
                self.mails.append(email.message_from_bytes(bytes(raw), policy=email.policy.default))
                say("250 taken")
            elif verb == "QUIT":
                say("221 bye")
                break
            else:
                say("250 fine")
        writer.close()

    def texts(self) -> list[str]:
        return [mail.get_content().replace("\r\n", "\n") for mail in self.mails]

    def subjects(self) -> list[str]:
        return [str(mail["subject"]) for mail in self.mails]


@contextmanager
def mailbox(certificate: ssl.SSLContext | None = None, *, tls: bool = False) -> Iterator[Mailbox]:
    """A mail server in a thread of its own; `tls`: it speaks nothing else from the first byte."""
    box, loop, ready = Mailbox(certificate), asyncio.new_event_loop(), threading.Event()

    async def run() -> None:
        server = await asyncio.start_server(box.serve, "127.0.0.1", 0, ssl=certificate if tls else None)
        box.port = server.sockets[0].getsockname()[1]
        ready.set()

    def work() -> None:
        loop.run_until_complete(run())
        loop.run_forever()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert ready.wait(5)
    yield box
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)


class Received:
    """What a webhook's address was posted, each verified as Standard Webhooks says. `status` is its answer."""

    def __init__(self, secret: str) -> None:
        self.secret, self.status, self.url = secret, 204, ""
        self.posts: list[tuple[str, bytes]] = []

    def take(self, headers: dict[str, str], body: bytes) -> int:
        standard_webhooks([Secret(self.secret)], headers, body, time.time())  # Forged ends the request without an answer
        self.posts.append((headers["webhook-id"], body))
        return self.status


@contextmanager
def receiver(secret: str) -> Iterator[Received]:
    """A receiver of webhooks in a thread of its own."""
    received = Received(secret)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(received.take({name.lower(): value for name, value in self.headers.items()}, body))
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    received.url = f"http://127.0.0.1:{server.server_port}/alerts"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield received
    server.shutdown()
    server.server_close()


def until(done: Callable[[], object], otherwise: str, within_s: float = 10.0) -> None:
    ends = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < ends, otherwise
        time.sleep(0.02)
