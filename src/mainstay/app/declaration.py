"""The landscape's file: a first one by asking, and what is wrong with one."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import click
import msgspec

from mainstay import landscape
from mainstay.app import build
from mainstay.landscape import MAINSTAY, OPERATOR, Finding, Misdeclared, Name, Offer, Spot, check, places, read
from mainstay.model.failures import Reject
from mainstay.model.money import DECIMALS


def ask(defaults: bool) -> str:
    """The text of a first mainstay.toml. Raises Reject with what to write, at the answer that will not do."""
    offers = build.offers()
    if defaults:
        return landscape.demo(offers, {}, {})
    told: dict[str, Any] = {}
    for question in landscape.QUESTIONS:
        default = question.example
        if question.answer == "asks_first":
            default = ", ".join(_able(told["systems"], offers))
        text = click.prompt(question.text, default=default if question.answer != "url" else "", show_default=True).strip()
        told[question.answer] = _READ[question.answer](text, told, offers) if question.answer in _READ else text
    return landscape.write(landscape.Answers(**told), offers)


def _currency(text: str, _told: Mapping[str, Any], _offers: Mapping[str, Offer]) -> str:
    if text.upper() not in DECIMALS:
        raise Reject(f"{text!r} is not a currency of ISO 4217; write its code of three letters, such as EUR", "currency")
    return text.upper()


def _contact(text: str, _told: Mapping[str, Any], _offers: Mapping[str, Offer]) -> str:
    if not landscape.is_contact(text):
        raise Reject(f"{text!r} is neither an e-mail address nor a link; write one, such as ops@acme.example or slack:#ops", "schema")
    return text


def _asks_first(text: str, told: Mapping[str, Any], offers: Mapping[str, Offer]) -> tuple[str, ...]:
    """The systems that were named, each of which is one, and can ask."""
    systems, names = told["systems"], [part.strip() for part in text.split(",") if part.strip()]
    for name in names:
        if name not in systems:
            raise Reject(f"{name!r} is none of the systems; there are: {', '.join(systems)}. Write some of them, or nothing", "schema")
        if not offers[systems[name]].asks:
            able = ", ".join(_able(systems, offers)) or "none of these; a till or web shop of your own is till=api"
            raise Reject(f"{name!r} sells without asking, as {offers[systems[name]].title} does; those that can ask: {able}", "not_capable")
    return tuple(dict.fromkeys(names))


def _able(systems: Mapping[str, str], offers: Mapping[str, Offer]) -> list[str]:
    return [name for name, kind in systems.items() if offers[kind].asks]


def _url(text: str, _told: Mapping[str, Any], _offers: Mapping[str, Offer]) -> str:
    if text and not landscape.is_private(text):
        raise Reject(f"{text!r} is no address by https; write https://… with your host, or nothing until there is one", "schema")
    return text


def _systems(text: str, _told: Mapping[str, Any], offers: Mapping[str, Offer]) -> dict[str, str]:
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
_READ: Mapping[str, Callable[[str, Mapping[str, Any], Mapping[str, Offer]], Any]] = {
    "currency": _currency, "contact": _contact, "systems": _systems, "asks_first": _asks_first, "url": _url,
}  # fmt: skip


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
    page.write_text(landscape.page(read(text, str(config)), template()), encoding="utf-8")
    return page


@cache
def template() -> str:
    """The runbooks as they are for every shop. `make docs` makes them from docs/runbooks.md."""
    return Path(__file__).with_name(landscape.PAGE).read_text(encoding="utf-8")


def findings(config: Path, secrets: Callable[[str], object] | None = None) -> list[Finding]:
    """What `mainstay check` finds. `secrets` gives what a reference leads to, instead of looking for it here."""
    text = build.declared(config)
    try:
        found = read(text, str(config))
    except Misdeclared as wrong:  # no landscape at all: what keeps it from being one is what is found
        return wrong.findings
    folder = config.resolve().parent
    return check(found, build.offers(), secrets or build.held(folder), places(text), str(config), lambda name: _look(folder / name))


def _look(path: Path) -> Spot:
    """What is there, as far as this user may see."""
    kind: Any = "folder" if os.path.isdir(path) else "file" if os.path.isfile(path) else "other" if os.path.exists(path) else ""
    return Spot(Path(os.path.realpath(path)).parts[1:], kind)


def errors(config: Path, secrets: Callable[[str], object] | None = None) -> list[Finding]:
    """Those of the findings that keep Mainstay from starting."""
    return [one for one in findings(config, secrets) if one.severity == "error"]


def refuse_errors(config: Path) -> None:
    """Raise Misdeclared where `mainstay check` finds an error, a missing secret among them: nothing may start on such a file."""
    if found := errors(config):
        raise Misdeclared(found)
