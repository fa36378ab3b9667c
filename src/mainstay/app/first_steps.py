"""Beginning: a first landscape by asking, the connectors there are, a new one, an examination."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import click
import msgspec

from mainstay import connectors, landscape
from mainstay.app import build
from mainstay.contract.conformance import Verdict, examine, report
from mainstay.contract.scaffold import scaffold
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
    """Write the beginnings of a connector; refuses to overwrite."""
    texts = {into / path: text for path, text in scaffold(name).items()}
    there = [str(path) for path in texts if path.exists()]
    if there:
        raise Reject(f"these files exist already: {', '.join(there)}", "schema")
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return sorted(texts)


def examined(name: str, seeds: int) -> tuple[list[Verdict], str]:
    """The conformance suite on one of our connectors; a third party runs `contract.conformance.examine` on its own subject."""
    if name not in SUBJECTS:
        raise Reject(
            f"no subject is known for {name!r}; there are: {', '.join(SUBJECTS)}. Yours runs contract.conformance.examine", "not_found"
        )
    verdicts = examine(subject(name), random.Random, range(1, seeds + 1))
    return verdicts, report(verdicts)
