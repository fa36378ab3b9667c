"""For who writes or examines a connector: what it declares, what it makes of a payload, a new one, the conformance suite."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from mainstay import connectors
from mainstay.app import build
from mainstay.contract.conformance import Subject, Verdict, examine, report
from mainstay.contract.connector import Connector, settings_of
from mainstay.contract.scaffold import scaffold
from mainstay.flows.tell import statements_of
from mainstay.landscape import OWN_API
from mainstay.model import events
from mainstay.model.failures import Reject
from mainstay.model.seen import Said, SeenEvent
from mainstay.proof.drivers import SUBJECTS, subject


def translator(name: str, given: Mapping[str, str]) -> Callable[[str, bytes], list[Said]]:
    """A connector's translation with stand-ins for the settings that it does not need."""
    if name == "api":
        return statements_of
    kind = connectors.find(name)
    return kind(settings_of(kind, {**stand_ins(kind), **given})).translate


STAND_IN: Mapping[str, Any] = {"string": "none", "array": [], "object": {}}  # by JSON type; all others: 1


def stand_ins(connector: type[Connector]) -> dict[str, Any]:
    """A value for every required setting: enough to translate, never to connect."""
    found: dict[str, Any] = {}
    for one in build.settings(connector):
        if one.required:
            found[one.name] = one.schema.get("examples", [STAND_IN.get(str(one.schema.get("type")), 1)])[0]
        elif one.name == "currency":
            found[one.name] = "USD"
    return found


def contracts() -> dict[str, Any]:
    """Name -> version and JSON Schema of each canonical event, those of the outside and those of the log."""
    found = {}
    for kind in (*_members(SeenEvent), *_members(events.AnyEvent)):
        (reference,), components = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
        found[kind.__name__] = {
            "version": events.VERSION,
            "doc": (kind.__doc__ or "").split("\n")[0],
            "schema": {**reference, "$defs": components},
        }
    return found


def _members(union: Any) -> tuple[type[Any], ...]:
    return tuple(union.__args__)


def manifests() -> list[dict[str, Any]]:
    """All connectors with what they declare."""
    found = [connectors.find(name).manifest for name in connectors.names()]
    return [{"name": one.name, **msgspec.to_builtins(one)} for one in found]


def begin(name: str, into: Path) -> list[Path]:
    """Write the beginnings of a connector; refuses to overwrite, and to hide a connector that is there."""
    if name == OWN_API.connector or name in connectors.names():
        raise Reject(f"there is a connector {name!r} already; choose another name, such as {name}2", "schema")
    texts = {into / path: text for path, text in scaffold(name).items()}
    there = [str(path) for path in texts if path.exists()]
    if there:
        raise Reject(f"these files exist already: {', '.join(there)}", "schema")
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return sorted(texts)


def examined(name: str, seeds: int) -> tuple[list[Verdict], str]:
    """The conformance suite on a connector: one of ours, or one whose package is installed."""
    verdicts = examine(_subject(name), random.Random, range(1, seeds + 1))
    return verdicts, report(verdicts)


def _subject(name: str) -> Subject:
    theirs = {point.name: point for point in entry_points(group="mainstay.subjects")}
    if name in theirs:
        return theirs[name].load()()  # type: ignore[no-any-return]
    if name not in SUBJECTS:
        known = ", ".join(sorted({*SUBJECTS, *theirs}))
        raise Reject(
            f"nothing is known to examine {name!r} with; there are: {known}. Is it a package of yours? Where its pyproject.toml stands: "
            f"{installing('-e .')}",
            "not_found",
        )
    return subject(name)


def installing(what: str) -> str:
    """The command that installs something where this Mainstay runs: by pip; by the uv of `make demo` in an environment without pip."""
    if find_spec("pip") is None:
        return f"{Path(sys.executable).with_name('uv')} pip install --python {sys.executable} {what}"
    return f"{sys.executable} -m pip install {what}"
