"""The landscape's file: a first one by asking, and what is wrong with one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from mainstay import landscape
from mainstay.app import build
from mainstay.landscape import Finding, Misdeclared, check, places, read
from mainstay.model.failures import Reject


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


def findings(config: Path, secrets: Callable[[str], object] | None = None) -> list[Finding]:
    """What `mainstay check` finds. `secrets` gives what a reference leads to, instead of looking for it here."""
    text = build.declared(config)
    try:
        found = read(text, str(config))
    except Misdeclared as wrong:  # no landscape at all: what keeps it from being one is what is found
        return wrong.findings
    return check(found, build.offers(), secrets or build.held(config.resolve().parent), places(text), str(config))
