"""The landscape's file: a first one by asking, and what is wrong with one."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from mainstay import landscape
from mainstay.app import build
from mainstay.landscape import MAINSTAY, OPERATOR, Finding, Misdeclared, Name, Offer, check, places, read
from mainstay.model.failures import Reject
from mainstay.model.money import DECIMALS


def ask(defaults: bool) -> str:
    """The text of a first mainstay.toml. Raises Reject with what to write, at the answer that will not do."""
    offers = build.offers()
    if defaults:
        return landscape.demo(offers, {}, {})
    told: dict[str, Any] = {}
    for question in landscape.QUESTIONS:
        text = click.prompt(question.text, default=question.example if question.answer != "url" else "", show_default=True).strip()
        told[question.answer] = _READ[question.answer](text, offers) if question.answer in _READ else text
    told["asks_first"] = tuple(part.strip() for part in told["asks_first"].split(",") if part.strip() in told["systems"])
    return landscape.write(landscape.Answers(**told), offers)


def _currency(text: str, _offers: Mapping[str, Offer]) -> str:
    if text.upper() not in DECIMALS:
        raise Reject(f"{text!r} is not a currency of ISO 4217; write its code of three letters, such as EUR", "currency")
    return text.upper()


def _systems(text: str, offers: Mapping[str, Offer]) -> dict[str, str]:
    """name -> connector. A name stands in ids for ever, so that none is guessed, bent or dropped."""
    systems: dict[str, str] = {}
    for part in text.split(","):
        if not part.strip():
            continue
        name, kind = _pair(part)
        if name in systems:
            raise Reject(f"two systems are called {name!r}; write another name for {kind}, such as {name}-{kind}={kind}", "schema")
        if name in (MAINSTAY, OPERATOR):
            raise Reject(f"no system may be called {name!r}: that is {_TAKEN[name]}; write another name, such as {kind}={kind}", "schema")
        if not _is_name(name):
            write = f"write {landscape.likely(name)}={kind}: a small letter, then letters, digits, - or _, at most 31"
            raise Reject(f"{name!r} cannot be a name, as it stands in ids; {write}", "schema")
        systems[name] = kind
    unknown = sorted(set(systems.values()) - set(offers))
    if unknown:
        raise Reject(f"no connector is called {', '.join(unknown)}; there are: {', '.join(sorted(offers))}", "not_capable")
    return systems


_TAKEN = {MAINSTAY: "Mainstay itself", OPERATOR: "what the people are called who use its API"}
_READ: Mapping[str, Callable[[str, Mapping[str, Offer]], Any]] = {"currency": _currency, "systems": _systems}


def _is_name(text: str) -> bool:
    try:
        msgspec.convert(text, Name)
    except msgspec.ValidationError:
        return False
    return True


def _pair(part: str) -> tuple[str, str]:
    name, equals, kind = part.partition("=")
    if not equals:
        raise Reject(f"{part.strip()!r} does not say which connector; write name=connector, such as shop=shopify", "schema")
    return name.strip(), kind.strip()


def begin(config: Path, text: str) -> Path | None:
    """Write a first mainstay.toml, and beside it the page that its flows point to, where there is none; the page that was written."""
    config.write_text(text, encoding="utf-8")
    page = config.with_name(landscape.PAGE)
    if page.exists():
        return None
    page.write_text(landscape.page(read(text, str(config))), encoding="utf-8")
    return page


def findings(config: Path, secrets: Callable[[str], object] | None = None) -> list[Finding]:
    """What `mainstay check` finds. `secrets` gives what a reference leads to, instead of looking for it here."""
    text = build.declared(config)
    try:
        found = read(text, str(config))
    except Misdeclared as wrong:  # no landscape at all: what keeps it from being one is what is found
        return wrong.findings
    folder = config.resolve().parent
    return check(found, build.offers(), secrets or build.held(folder), places(text), str(config), lambda name: os.path.isdir(folder / name))


def errors(config: Path, secrets: Callable[[str], object] | None = None) -> list[Finding]:
    """Those of the findings that keep Mainstay from starting."""
    return [one for one in findings(config, secrets) if one.severity == "error"]


def refuse_errors(config: Path) -> None:
    """Raise Misdeclared where `mainstay check` finds an error, a missing secret among them: nothing may start on such a file."""
    if found := errors(config):
        raise Misdeclared(found)
