"""Is every owner told what is wrong, by ways that lead somewhere, and not in the middle of the night?"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from zoneinfo import available_timezones

from mainstay.landscape.declared import SMTP, Landscape, Owner, Smtp
from mainstay.landscape.findings import KeyPath, nearest
from mainstay.landscape.names import owner_references
from mainstay.landscape.survey import Findings, Survey
from mainstay.model.timetable import is_zone

UNDECLARED = Smtp()


def address(owner: Owner) -> str:
    """Where an owner gets mail; empty where their contact is something else."""
    contact = owner.contact.removeprefix("mailto:")
    return contact if "@" in contact and ":" not in contact and "/" not in contact else ""


def ways_of(shop: Landscape, owner: str) -> tuple[str, ...]:
    """By which ways an owner is told: those that they name, else by e-mail where there is a server and an address. Only ways that exist."""
    known = shop.owners.get(owner)
    if known is None:
        return ()
    mail = SMTP if shop.alerts.smtp.host and address(known) else ""
    return tuple(way for way in known.alerts or (SMTP,) if way == mail or way in shop.alerts.webhooks)


def ways(survey: Survey) -> Findings:
    """Does each way that an owner names exist?"""
    known = {SMTP, *survey.shop.alerts.webhooks}
    for name, owner in survey.shop.owners.items():
        for number, way in enumerate(owner.alerts):
            path: KeyPath = ("owners", name, "alerts", number)
            if way not in known:
                wrong = f'Owner "{name}" is to be told by "{way}", which is not declared.'
                yield survey.finding("alert-way-unknown", path, wrong, f"{nearest(way, known)}, or declare `[alerts.webhooks.{way}]`")
            elif way == SMTP and not address(owner):
                wrong = f'Owner "{name}" is to be told by e-mail, but their contact is no address.'
                yield survey.finding("alert-way-unknown", path, wrong, '`contact = "ops@acme.example"`, or another way in `alerts`')


def mail(survey: Survey) -> Findings:
    """Is the mail server whole, where mail is to go to it?"""
    smtp = survey.shop.alerts.smtp
    wanted = smtp != UNDECLARED or any(SMTP in owner.alerts for owner in survey.shop.owners.values())
    for key, example in (("host", "smtp.acme.example"), ("sender", "mainstay@acme.example")):
        if wanted and not getattr(smtp, key):
            wrong = f"Alerts are to go by e-mail, but alerts.smtp does not say `{key}`."
            yield survey.finding("smtp-incomplete", ("alerts", "smtp"), wrong, f'`{key} = "{example}"` in `[alerts.smtp]`')
    if wanted and bool(smtp.user) != bool(smtp.password):
        key = "password" if smtp.user else "user"
        wrong = f"alerts.smtp names a {'user' if smtp.user else 'password'} and no {key}: nobody could log in."
        sample = '"env:SMTP_PASSWORD"' if key == "password" else '"mainstay"'
        yield survey.finding("smtp-incomplete", ("alerts", "smtp"), wrong, f"`{key} = {sample}` in `[alerts.smtp]`")


def reached(survey: Survey) -> Findings:
    """Where anybody is told at all: is everybody who answers for something?"""
    if not (survey.shop.alerts.smtp.host or survey.shop.alerts.webhooks):
        return
    answers = {owner for _, owner in owner_references(survey)}
    for name, owner in survey.shop.owners.items():
        if name in answers and not owner.alerts and not ways_of(survey.shop, name):
            wrong = f'Nobody tells owner "{name}" what is wrong: their contact is no address that mail could go to.'
            instead = f"`alerts = [{', '.join(_quoted(survey.shop))}]` in `[owners.{name}]`"
            yield survey.finding("owner-unreached", ("owners", name), wrong, instead)


def _quoted(shop: Landscape) -> Iterator[str]:
    yield from (f'"{one}"' for one in shop.alerts.webhooks or (SMTP,))


def quiet(survey: Survey) -> Findings:
    for name, owner in survey.shop.owners.items():
        begins, _, ends = owner.quiet.partition("-")
        if begins and begins == ends:
            wrong = f'The quiet hours of owner "{name}" begin when they end.'
            yield survey.finding("quiet-always", ("owners", name, "quiet"), wrong, '`quiet = "22:00-07:00"`, or take the line out')
        if not is_zone(owner.timezone):
            near = get_close_matches(owner.timezone, sorted(available_timezones()), n=1) or ["Europe/Berlin"]
            wrong = f'Owner "{name}": "{owner.timezone}" is no time zone of the IANA.'
            yield survey.finding("zone-unknown", ("owners", name, "timezone"), wrong, f'`timezone = "{near[0]}"`; nothing means UTC')
