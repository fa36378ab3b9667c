"""Sends a case of the catalogue to its door, as its sender would: sockets, folders and commands are real."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from click.testing import CliRunner

from mainstay.app.cli import main
from mainstay.connectors.amazon import Amazon
from mainstay.connectors.amazon.listings import BULK_FROM, FEEDS
from mainstay.connectors.stripe import Stripe
from mainstay.contract.connector import Connector, settings_of, unread
from mainstay.contract.talk import Reply, Talk
from mainstay.delivery.connection import Connection
from mainstay.delivery.http import Http
from mainstay.delivery.outcomes import Outcomes
from mainstay.model.commands import SetLevel
from mainstay.model.failures import Failure
from mainstay.proof.badinput import Case
from mainstay.proof.badinput.case import Answer, Ask, File, HandedOut, Hook, Text, Wire
from tests.running import HOOK_SECRET, OTHER_SECRET, STRIPE_SECRET, Running, shopify_headers, stripe_signature

DEPOT = """
[systems.depot]
connector = "api"
owner = "operations"
environment = "test"

[flows.inventory-from-depot]
object = "inventory"
source = "depot"
targets = ["mainstay"]
pattern = "file"
folder = "inbox/depot"
latency = "real-time"
owner = "operations"
runbook = "runbooks.md#files"
"""

OF_AMAZON = {"seller": "A1", "marketplace": "A1PA6795UKMFR9", "client": "c", "client_secret": "s", "refresh_token": "r"}


class Told(NamedTuple):
    """What a door answered. An answer of an outside system has no status of ours."""

    status: int
    code: str
    says: str
    key: str = ""  # that a dead letter of it would have


def problem(status: int, body: bytes) -> Told:
    """What an answer of HTTP says. One that is no problem says nothing."""
    told = json.loads(body) if status >= 400 and body.startswith(b"{") else {}
    return Told(status, told.get("code", ""), told.get("detail", ""))


def a_shop(folder: Path) -> Running:
    """A shop with a depot that counts by files, declared and not started."""
    shop = Running(folder)
    owned = "[ownership.inventory.on_hand]\ncreate = ["
    text = shop.config.read_text()
    assert owned in text
    shop.config.write_text(text.replace(owned, '[ownership.inventory.on_hand]\ncreate = ["depot"]\n# [') + DEPOT)
    (folder / "inbox" / "depot").mkdir(parents=True)
    return shop


# --- POST /hooks/{system} ----------------------------------------------------------------------------------------------
def deliver(shop: Running, case: Case) -> Told:
    sent: Hook = case.sent
    event = sent.event or f"bad {case.name}"
    if sent.before:
        before = event if sent.event else f"{event}, before"
        assert shop.hook(sent.before, before, sent.topic)[0] == 200
    path, headers = _signed(sent, event)
    status, answer, _ = shop.call(sent.method, path, sent.body, headers | dict(sent.headers))
    return problem(status, answer)._replace(key=event if sent.system == "shop" else _key(sent.body))


def _key(body: bytes) -> str:
    """The identity of a delivery whose body says it."""
    try:
        return json.loads(body.removeprefix(b"\xef\xbb\xbf"))["id"]
    except (ValueError, KeyError):
        return unread(body).key


def _signed(sent: Hook, event: str) -> tuple[str, dict[str, str]]:
    if sent.system == "warehouse":
        return "/hooks/warehouse" + {"good": f"/{HOOK_SECRET}", "none": "", "wrong": "/guess"}[sent.signature], {}
    if sent.system == "payments":
        given = _of_stripe(sent)
        return "/hooks/payments", {"stripe-signature": given} if given else {}
    headers = shopify_headers(sent.body, event, sent.topic)
    if sent.signature == "of another":
        headers = shopify_headers(sent.body, event, sent.topic, OTHER_SECRET)
    elif sent.signature == "of other bytes":
        headers = shopify_headers(json.dumps(json.loads(sent.body), indent=1).encode(), event, sent.topic)
    elif sent.signature != "good":
        headers["x-shopify-hmac-sha256"] = {"none": "", "wrong": "guess", "not ASCII": "ÿþ§é"}[sent.signature]
    return "/hooks/shop", headers


def _of_stripe(sent: Hook) -> str:
    now = int(time.time())
    good = stripe_signature(sent.body, now)
    return {
        "good": good, "none": "", "not ASCII": f"t={now},v1=ÿþ", "two": good.replace(",v1=", f",v1={'0' * 64},v1="),
        "wrong": stripe_signature(sent.body, now, STRIPE_SECRET + "!"), "six minutes old": stripe_signature(sent.body, now - 360),
        "six minutes early": stripe_signature(sent.body, now + 360),
    }[sent.signature]  # fmt: skip


# --- the wire ----------------------------------------------------------------------------------------------------------
def knock(shop: Running, sent: Wire) -> Told:
    """The first answer to bytes as they are."""
    with socket.create_connection(("127.0.0.1", shop.port), 30) as wire:
        try:
            wire.sendall(sent.data)
            wire.settimeout(1 if sent.drip else 30)
            for one in sent.drip:
                try:
                    return _first(wire)
                except TimeoutError:
                    wire.sendall(bytes([one]))
            wire.settimeout(30)
            return _first(wire)
        except ConnectionError:
            return Told(0, "", "the connection was cut")


def _first(wire: socket.socket) -> Told:
    head, _, body = wire.recv(65_536).partition(b"\r\n\r\n")
    if not body and b"problem+json" in head:
        body = wire.recv(65_536)
    return problem(int(head.split()[1]), body)


# --- the API -----------------------------------------------------------------------------------------------------------
def ask(shop: Running, sent: Ask) -> Told:
    if sent.before is not None:
        shop.ask(sent.method, sent.path, sent.before, sent.who, sent.key, sent.kind)
    status, told = shop.ask(sent.method, sent.path, sent.body, sent.who, sent.key, sent.kind)
    if status >= 400:
        assert told["status"] == status and set(told) >= {"type", "title", "detail"}
        return Told(status, told["code"], told["detail"])
    return Told(status, "", "; ".join(one["ended"] for one in told.get("statements", ())) or told.get("status", ""))


# --- files and commands ------------------------------------------------------------------------------------------------
class Growing:
    """Files that their sender goes on writing, a byte every two seconds, until it is told to stop."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths, self._stop = paths, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(2):
            for path in self.paths:
                with path.open("ab") as file:
                    file.write(b"\n")

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


def put(folder: Path, cases: list[Case]) -> Growing:
    """All files at once, as careful senders do; what comes twice comes twice."""
    growing = []
    for case in cases:
        sent: File = case.sent
        names = [sent.name, *([f"again-{sent.name}"] if sent.again else [])]
        for name in names:
            part = folder / f"{name}.part"
            part.write_bytes(sent.body)
            os.utime(part, (1_790_000_000, 1_790_000_000))
            part.rename(folder / name)
        growing += [folder / sent.name] if sent.grows else []
    return Growing(growing)


def found(folder: Path, sent: File) -> Told | None:
    """What became of a file; None where it still is where it was put."""
    if (folder / sent.name).exists() or (sent.again and (folder / f"again-{sent.name}").exists()):
        return None
    assert (folder / "done" / sent.name).exists()
    reasons = folder / "refused" / f"{sent.name}.errors"
    if not reasons.exists():
        return Told(200, "", "", "duplicate" if (folder / "duplicate" / f"again-{sent.name}").exists() else "")
    _, code, why = reasons.read_text().splitlines()[0].split(": ", 2)
    return Told(200, code, why, f"file.depot.{sent.name}")


def command(words: list[str]) -> Told:
    """A command in this process; what it says on both streams."""
    done = CliRunner().invoke(main, words)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return Told(done.exit_code, "", done.output)


def by_command(shop: Running, case: Case) -> Told:
    sent: Text = case.sent
    file = shop.folder / f"{case.door}.{'csv' if case.door == 'count' else 'json'}"
    file.write_bytes(sent.body)
    if case.door == "count":
        return command(["count", "--file", str(file), "--config", str(shop.config)])
    if case.door == "deadletters repair":
        shop.hook(b"broken", f"to mend {case.name}")
        words = ["deadletters", case.door.split()[1], str(shop.letter(f"to mend {case.name}")["id"]), "--file", str(file)]
        refused = json.loads((told := command([*words, "--reason", "a test", "--json", "--config", str(shop.config)])).says)
        return Told(told.status, refused["code"], refused["detail"])
    told = command(["translate", sent.connector, sent.topic, str(file)])
    refused = json.loads(told.says)
    return Told(told.status, refused["rejected"], told.says)


def checked(shop: Running, case: Case) -> Told:
    """A mainstay.toml with one thing changed; with nothing in it where nothing is named."""
    old, new = case.sent
    text = shop.config.read_text()
    assert old in text, old
    wrong = shop.folder / "wrong.toml"
    text = text.replace(old, new, 1) if old else ""
    wrong.write_text(text if case.number != 83 else text.replace('environment = "test"', 'environment = "production"'))
    done = command(["check", "--config", str(wrong), "--json"])
    of = [one for one in json.loads(done.says) if one["code"] == case.code]
    return Told(done.status, of[0]["code"] if of else done.says, " ".join(one["text"] for one in of))


# --- answers of outside systems ----------------------------------------------------------------------------------------
class Vendor(BaseHTTPRequestHandler):
    """A server of somebody else."""

    def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def answered(folder: Path, sent: Answer | HandedOut) -> Told:
    """A real connection to a server that answers so. There is no status: the server is told nothing."""
    if isinstance(sent, HandedOut):
        return _handed_out(folder, sent)
    body = zlib.compress(sent.body, 1) if sent.headers.get("content-encoding") == "deflate" else sent.body

    class Events(Vendor):
        def do_GET(self) -> None:
            self.answer(sent.status, sent.headers, body)

    with _serving(Events) as url:
        stripe = Stripe(settings_of(Stripe, {"secret_key": "k", "webhook_secrets": [], "url": url}))
        return asyncio.run(_held(folder, stripe, lambda: stripe.pull("events", "")))


def _handed_out(folder: Path, sent: HandedOut) -> Told:
    """Amazon's door for a document, which names this address."""

    told = {"access_token": "t", "expires_in": 3600, "token_type": "bearer", "feedDocumentId": "1", "url": sent.address}

    class Documents(Vendor):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.answer(201 if self.path.endswith("/documents") else 200, {}, json.dumps(told).encode())

    with _serving(Documents) as url:
        amazon = Amazon(settings_of(Amazon, {**OF_AMAZON, "url": url, "auth_url": url}))
        levels = [SetLevel(key=f"k{n}", sku=f"S{n}", item=f"S{n}", quantity=n, revision=1) for n in range(BULK_FROM)]
        return asyncio.run(_held(folder, amazon, lambda: amazon.push(levels), ["/auth/o2/token", f"{FEEDS}/documents"]))


@contextmanager
def _serving(vendor: type[Vendor]) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), vendor)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Noted(Http):
    """The transport of real life, which keeps what it sends, and where to."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    async def send(self, method: str, url: str, *more: Any) -> Reply:
        self.urls.append(url)
        return await super().send(method, url, *more)


async def _held(folder: Path, connector: Connector, talk: Callable[[], Talk[Any]], only: Sequence[str] = ()) -> Told:
    """What a conversation ends with. `only`: the paths that are called in it."""
    http = Noted()
    clock = lambda: time.time_ns() // 1_000  # noqa: E731
    outcomes = Outcomes(folder / "outcomes.db", clock, lambda: None)
    try:
        await Connection("outside", connector, http, outcomes, clock).hold(talk())
    except Failure as failure:
        assert not only or http.urls == [connector.endpoints()["api"] + path for path in only]
        return Told(0, failure.code, failure.why)
    finally:
        outcomes.inbox.close()
        await http.close()
    raise AssertionError("the answer was taken")


class Patience:
    """Requests that take their time, sent all at once and asked for at the end."""

    def __init__(self, shop: Running, cases: list[Case]) -> None:
        self._pool = ThreadPoolExecutor(max(1, len(cases)))
        self._told: dict[str, Future[Told]] = {case.name: self._pool.submit(knock, shop, case.sent) for case in cases}

    def told(self, case: Case) -> Told:
        return self._told[case.name].result(40)

    def close(self) -> None:
        self._pool.shutdown()
