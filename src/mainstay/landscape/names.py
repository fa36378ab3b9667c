"""Does every name that is used exist, and is everything that is declared used? Does somebody answer for it?"""

from __future__ import annotations

import re

from mainstay.landscape.admit import EVERY, GROUPS
from mainstay.landscape.declared import FAILURE_MODES, MAINSTAY, OBJECTS, OPERATOR
from mainstay.landscape.findings import KeyPath, nearest
from mainstay.landscape.survey import Findings, Survey
from mainstay.model.failures import Reject
from mainstay.model.times import micros

_TAKEN = {MAINSTAY: "Mainstay itself", OPERATOR: "the people who call the API"}
_CONTACT = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+|(https?|slack|tel|mailto):\S+")
_RUNBOOK = re.compile(r"https?://[^\s/]+\S*|[\w][\w./-]*\.(md|html)(#[\w.-]+)?")


def connectors(survey: Survey) -> Findings:
    for name, system in survey.shop.systems.items():
        if system.connector not in survey.offers:
            wrong = f'System "{name}" names connector "{system.connector}", which is not installed.'
            yield survey.finding("connector-unknown", ("systems", name, "connector"), wrong, nearest(system.connector, survey.offers))
        if name in _TAKEN:
            wrong = f'A system is called "{name}", but that name means {_TAKEN[name]}.'
            yield survey.finding("name-reserved", ("systems", name), wrong, "`[systems.shop]`, or another name")


def system_names(survey: Survey) -> Findings:
    for path, name, mainstay_too in survey.references():
        if name not in survey.shop.systems and not (mainstay_too and name == MAINSTAY):
            wrong = f'"{name}" is not a system of this shop.'
            yield survey.finding("system-unknown", path, wrong, f"{nearest(name, survey.shop.systems)}, or declare `[systems.{name}]`")


def begun(survey: Survey) -> Findings:
    """The form is declared; this is the calendar."""
    for name, system in survey.shop.systems.items():
        try:
            if system.since:
                micros(system.since)
        except Reject as wrong:
            yield survey.finding("value-wrong", ("systems", name, "since"), f"{wrong.why}.", '`since = "2026-03-02T09:00:00Z"`')


def unused_systems(survey: Survey) -> Findings:
    used = {name for _, name, _ in survey.references()} | survey.meant()
    for name in survey.shop.systems:
        if name not in used:
            wrong = f'System "{name}" is declared, but no channel, flow or ownership rule mentions it.'
            instead = f'`[flows.orders-from-{name}]` with `source = "{name}"`, or take the system out'
            yield survey.finding("system-unused", ("systems", name), wrong, instead)


def objects(survey: Survey) -> Findings:
    for name, flow in survey.shop.flows.items():
        if flow.object not in OBJECTS:
            wrong = f'Flow "{name}" carries "{flow.object}", which is no object of Mainstay.'
            yield survey.finding("object-unknown", ("flows", name, "object"), wrong, nearest(flow.object, OBJECTS))
    for obj, groups in survey.shop.ownership.items():
        if obj not in OBJECTS:
            wrong = f'There are ownership rules for "{obj}", which is no object of Mainstay.'
            yield survey.finding("object-unknown", ("ownership", obj), wrong, nearest(obj, OBJECTS))
            continue
        for group in groups:
            if group not in (*GROUPS[obj], EVERY):
                wrong = f'"{obj}" has no field group "{group}".'
                yield survey.finding("group-unknown", ("ownership", obj, group), wrong, nearest(group, {*GROUPS[obj], EVERY}))


def owners(survey: Survey) -> Findings:
    for path, owner in owner_references(survey):
        if not owner:
            wrong = f"Nobody answers for {path[0]}.{path[1]}."
            first = next(iter(survey.shop.owners), "operations")
            yield survey.finding("owner-missing", path, wrong, f'`owner = "{first}"`')
        elif owner not in survey.shop.owners:
            wrong = f'"{owner}" is not one of the [owners].'
            instead = f'{nearest(owner, survey.shop.owners)}, or declare `[owners.{owner}]` with `contact = "…"`'
            yield survey.finding("owner-unknown", path, wrong, instead)


def unused_owners(survey: Survey) -> Findings:
    used = {owner for _, owner in owner_references(survey)}
    used |= {owner for flow in survey.shop.flows.values() for owner in flow.failures.values()}
    for name, owner in survey.shop.owners.items():
        if name not in used:
            wrong = f'Owner "{name}" answers for no system, flow or failure mode.'
            yield survey.finding("owner-unused", ("owners", name), wrong, f'`owner = "{name}"` where they do answer, or take them out')
        if not is_contact(owner.contact):
            wrong = f'The contact of owner "{name}" is neither an e-mail address nor a link.'
            yield survey.finding("contact-malformed", ("owners", name, "contact"), wrong, '`contact = "ops@acme.example"`')


def is_contact(text: str) -> bool:
    """Is it an e-mail address, or a link (https:, slack:, tel:, mailto:)?"""
    return _CONTACT.fullmatch(text) is not None


def owner_references(survey: Survey) -> list[tuple[KeyPath, str]]:
    """Who is named as an owner, and where."""
    found: list[tuple[KeyPath, str]] = [(("systems", name, "owner"), one.owner) for name, one in survey.shop.systems.items()]
    found += [(("flows", name, "owner"), one.owner) for name, one in survey.shop.flows.items()]
    return found + [(("owners", name, "above"), one.above) for name, one in survey.shop.owners.items() if one.above]


def runbooks(survey: Survey) -> Findings:
    for name, flow in survey.shop.flows.items():
        if not flow.runbook:
            wrong = f'Flow "{name}" does not say what to do when it fails.'
            yield survey.finding("runbook-missing", ("flows", name, "runbook"), wrong, f'`runbook = "runbooks.md#{name}"`')
    links: list[tuple[KeyPath, str]] = [(("flows", name, "runbook"), flow.runbook) for name, flow in survey.shop.flows.items()]
    links += [(("systems", name, "runbook"), system.runbook) for name, system in survey.shop.systems.items()]
    for path, link in links:
        if link and not _RUNBOOK.fullmatch(link):
            wrong = f'"{link}" is neither a link nor the path of a page.'
            yield survey.finding("runbook-malformed", path, wrong, f'`runbook = "runbooks.md#{path[1]}"` or `"https://…"`')
    yield from _pages(survey, links)


def _pages(survey: Survey, links: list[tuple[KeyPath, str]]) -> Findings:
    """Each page that is not there is said once, where it is first pointed to."""
    first = {link.partition("#")[0]: path for path, link in reversed(links) if _RUNBOOK.fullmatch(link) and "://" not in link}
    for page, path in first.items():
        if survey.look(page).kind != "file":
            wrong = f'Nobody can look into "{page}" when something fails: it is not here.'
            yield survey.finding(
                "page-missing", path, wrong, f"the page {page} beside this file, or the link or path of the one that is meant"
            )


def failures(survey: Survey) -> Findings:
    for name, flow in survey.shop.flows.items():
        for mode, owner in flow.failures.items():
            path = ("flows", name, "failures", mode)
            if mode not in FAILURE_MODES:
                wrong = f'Flow "{name}" gives an owner to "{mode}", which is no failure mode.'
                yield survey.finding("failure-unknown", path, wrong, nearest(mode, FAILURE_MODES))
            elif not owner:
                wrong = f'Flow "{name}" leaves its failure mode "{mode}" to nobody.'
                yield survey.finding("failure-unowned", path, wrong, f'`failures.{mode} = "{flow.owner}"`, or leave the line out')
            elif owner not in survey.shop.owners:
                wrong = f'"{owner}" is not one of the [owners].'
                yield survey.finding("owner-unknown", path, wrong, nearest(owner, survey.shop.owners))
