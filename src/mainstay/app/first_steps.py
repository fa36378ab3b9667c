"""Beginning: a first landscape by asking, the connectors there are, a new one, an examination."""

from __future__ import annotations

import random
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import click
import msgspec

from mainstay import connectors, landscape
from mainstay.app import build
from mainstay.contract.conformance import Subject, Verdict, examine, report
from mainstay.contract.scaffold import scaffold
from mainstay.landscape import OWN_API
from mainstay.model.failures import Reject
from mainstay.proof.drivers import SUBJECTS, subject


def ask(defaults: bool) -> str:
    """The text of a first mainstay.toml."""
    offers = build.offers()
    if defaults:
        return landscape.demo(offers, {}, {})
    told: dict[str, str] = {}
    for question in landscape.QUESTIONS:
        told[question.answer] = click.prompt(question.text, default=question.example if question.answer != "url" else "", show_default=True)
    systems = dict(_pair(part) for part in told["systems"].split(",") if part.strip())
    unknown = sorted(set(systems.values()) - set(offers))
    if unknown:
        raise Reject(f"no connector is called {', '.join(unknown)}; there are: {', '.join(sorted(offers))}", "not_capable")
    first = tuple(part.strip() for part in told["asks_first"].split(",") if part.strip() in systems)
    answers = landscape.Answers(
        shop=told["shop"], currency=told["currency"].upper(), contact=told["contact"], systems=systems, asks_first=first, url=told["url"]
    )
    return landscape.write(answers, offers)


def _pair(part: str) -> tuple[str, str]:
    name, equals, kind = part.partition("=")
    if not equals:
        raise Reject(f"{part.strip()!r} does not say which connector; write name=connector, such as shop=shopify", "schema")
    return name.strip(), kind.strip()


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
        raise Reject(f"nothing is known to examine {name!r} with; there are: {known}. Install the package that has it", "not_found")
    return subject(name)
