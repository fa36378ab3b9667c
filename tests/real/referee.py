"""Referees that nobody here wrote: prism (npm) between a connector and a twin, judging both by the vendor's own specification.

The proxy lists what breaks the contract in the header `sl-violations` of the answer: https://docs.stoplight.io/docs/prism
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest

from mainstay.contract.connector import Connector, Session
from mainstay.contract.talk import Call, Reply, Talk, converse
from mainstay.model.times import SECOND
from mainstay.proof.town import Town
from mainstay.twins.imitation import Imitation

REAL = Path(__file__).parents[2] / ".real"
BEFORE = "2026-10-01"  # newer releases of what prism depends on are not in every mirror of the registry
START_S = 30.0


def absent(why: str) -> None:
    """What these tests need is not here: skipped, but in CI that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


def installed(room: str, package: str) -> Path:
    """The `node_modules` that hold an npm package ("name@version"), installed once into .real and kept."""
    home = REAL / room
    modules = home / "node_modules"
    done = home / f"installed-{package.rpartition('@')[2]}"
    if not done.exists():
        if not (shutil.which("node") and shutil.which("npm")):
            absent(f"{package} needs node 20 and npm")
        home.mkdir(parents=True, exist_ok=True)
        install = ["npm", "install", "--prefix", home, f"--before={BEFORE}", "--ignore-scripts", "--no-audit", "--no-fund", package]
        try:
            subprocess.run(install, check=True, capture_output=True, timeout=300)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            absent(f"{package} could not be installed: {error} {(error.stderr or b'')[-500:]!r}")
        done.touch()
    if not shutil.which("node"):
        absent(f"{package} needs node 20")
    return modules


# --- a twin behind a socket ------------------------------------------------------------------------------------------
@contextlib.contextmanager
def hosted(twin: Imitation, clock: Callable[[], int]) -> Iterator[str]:
    """The base URL of a twin that answers over HTTP, in a thread of its own."""
    town, loop = Town({twin.name: twin}, clock), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(town.start(), loop).result(START_S)
        yield town.urls[twin.name]
    finally:
        asyncio.run_coroutine_threadsafe(town.stop(), loop).result(START_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


# --- the referees ----------------------------------------------------------------------------------------------------
@contextlib.contextmanager
def refereed(specs: Mapping[str, Path], upstream: str, logs: Path) -> Iterator[dict[str, str]]:
    """One proxy for each specification: what its paths begin with -> the proxy's base URL. They start side by side."""
    program = installed("prism", "@stoplight/prism-cli@5.14.2") / ".bin" / "prism"
    ports = {prefix: _free_port() for prefix in specs}
    with contextlib.ExitStack() as stack:
        for prefix, spec in specs.items():
            log = stack.enter_context((logs / f"{spec.name}.log").open("wb"))
            command = ["node", program, "proxy", "-h", "127.0.0.1", "-p", str(ports[prefix]), "-v", "warn", spec, upstream]
            process = subprocess.Popen(command, stdout=log, stderr=log)
            stack.callback(_stop, process)
        for port in ports.values():
            _wait_for(port)
        yield {prefix: f"http://127.0.0.1:{port}" for prefix, port in ports.items()}


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_for(port: int) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.05)
    pytest.fail(f"no prism on port {port} within {START_S} s")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


# --- the wire --------------------------------------------------------------------------------------------------------
class Violation(NamedTuple):
    """Where a call broke the contract: "request.query.marketplaceIds", "response.body.orders.*.total" (`*` is a row's number)."""

    operation: str
    place: str
    message: str


class RefereedWire:
    """Joins a connector to `direct`, the twin's URL, by way of the referee of each path where there is one.

    `judged` holds operation and status of every answer that passed a referee, `violations` what the referees said. `now` is the time
    of the twin too; a pause that a call asks for passes at once. `spoil` changes a call on its way out.
    """

    def __init__(self, connector: Connector, direct: str, referees: Mapping[str, str], now: int) -> None:
        self.connector, self.direct, self.referees, self.now = connector, direct, referees, now
        self.session: Session | None = None
        self.judged: set[tuple[str, int]] = set()
        self.violations: list[Violation] = []
        self.spoil: Callable[[Call], Call] = lambda call: call

    def run(self, talk: Talk[Any]) -> Any:
        if self.session is None and (login := self.connector.login()) is not None:
            self.session = converse(login, self._perform)
        return converse(talk, self._perform)

    def _perform(self, call: Call) -> Reply:
        self.now += int((call.after_s + 0.1) * SECOND)
        sent = self.spoil(call)
        referee = next((url for prefix, url in self.referees.items() if call.path.startswith(prefix)), None)
        url = sent.path if sent.path.startswith("http") else (referee or self.direct) + sent.path
        headers = {**sent.headers, **self.connector.headers(sent, url, self.session, self.now)}
        asked = f"{url}?{urlencode(sent.query)}" if sent.query else url
        reply = _over_http(urllib.request.Request(asked, sent.body or None, headers, method=sent.method), sent.timeout_s)
        if referee:
            self.judged.add((call.operation, reply.status))
            found = _stated(reply.headers.get("sl-violations", ""))
            self.violations += [Violation(call.operation, _place(one["location"]), one["message"]) for one in found]
        return self.connector.judge(call, reply)


def _stated(header: str) -> list[dict[str, Any]]:
    """The entries of the header. A long list is announced with words before it, and cut off at 8 kB in the middle of an entry."""
    found, rest = [], header[header.find("[") + 1 :]
    with contextlib.suppress(json.JSONDecodeError):
        while rest.startswith("{"):
            one, end = json.JSONDecoder().raw_decode(rest)
            found.append(one)
            rest = rest[end:].lstrip(", ")
    assert found or not header, f"prism said something that is not understood: {header[:200]}"
    return found


def _place(location: Sequence[str | int]) -> str:
    return ".".join("*" if str(part).isdecimal() else str(part) for part in location)


def _over_http(request: urllib.request.Request, timeout_s: float) -> Reply:
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            status, given, body = answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        status, given, body = error.code, error.headers, error.read()
    return Reply(status, {name.lower(): value for name, value in given.items()}, body)
