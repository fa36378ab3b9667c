"""Looks what is wrong, asks the brain what to tell, and hands it to the post. Runs beside dispatch, whose file remembers it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
import structlog

from mainstay.alerts import words
from mainstay.alerts.causes import Alarm
from mainstay.alerts.decide import Kept, Notice, Pace, Terms, decide
from mainstay.alerts.quiet import Quiet
from mainstay.app import build
from mainstay.app.alarms import Alarms
from mainstay.app.build import House, clock
from mainstay.app.declaration import template
from mainstay.delivery.http import Http
from mainstay.delivery.post import Hook, Mail, Message, Post, Way, send
from mainstay.landscape import OURS, SMTP, Owner, address, ways_of
from mainstay.model.failures import Reject
from mainstay.model.times import SECOND
from mainstay.storage.database import DAMAGED, STORE_FAILED

LOOK_S = 2.0
SHARE = 20  # a look that takes long is followed by a pause so many times as long: it never takes more of the process than that
PAGE_BYTES_MAX = 1_000_000

log = structlog.get_logger("alerts")
_kept = msgspec.json.Decoder(Kept).decode


class Alerting:
    """Keeps the book of causes. What is told is committed with the book before it is sent."""

    def __init__(self, house: House, post: Post) -> None:
        self.house, self.post = house, post
        self.alarms = Alarms(house.data, house.landscape, build.duties(house))
        declared = house.landscape.alerts
        self.pace = Pace(int(declared.wait_s * SECOND), int(declared.over_s * SECOND))
        self._rows = post.book()
        self.book = {cause: _kept(body) for cause, body in self._rows.items()}

    async def run(self) -> None:
        """Look again and again, and send what is to be told."""
        await asyncio.gather(self.post.run(), self._watch())

    async def _watch(self) -> None:
        while True:
            began = clock()
            await asyncio.sleep(LOOK_S)
            began = clock()
            try:
                self.step(await asyncio.to_thread(self._look, began), clock())
            except Exception:  # calls go on; it is looked again in a moment
                log.exception("alerts_failed")
            await asyncio.sleep(SHARE * (clock() - began) / SECOND)

    def _look(self, now: int) -> list[Alarm]:
        """All causes of now. Where the store cannot be read, what was wrong a moment ago is so still."""
        try:
            return self.alarms.look(now)
        except (*STORE_FAILED, *DAMAGED) as why:
            last = [one.alarm for one in self.book.values() if not one.gone_at and one.alarm.cause != "store"]
            return [*last, self.alarms.unreadable(why)]

    def step(self, alarms: Iterable[Alarm], now: int) -> None:
        """Take over the causes of now: what is to be told is kept with the book, in one commit."""
        book, notices = decide(alarms, self.book, self._terms, self.pace, now)
        book = {cause: one if ways_of(self.house.landscape, one.told) else _untold(one) for cause, one in book.items()}
        rows = {cause: msgspec.json.encode(one) for cause, one in book.items()}
        changed = {cause: body for cause, body in rows.items() if self._rows.get(cause) != body}
        dropped = self._rows.keys() - rows.keys()
        messages = [message for notice in notices for message in self._messages(notice, now)]
        if changed or dropped or messages:
            self.post.take(changed, dropped, messages)
        self.book, self._rows = dict(book), rows

    def _terms(self, owner: str) -> Terms:
        known = self.house.landscape.owners.get(owner)
        return Terms(quiet_of(known), known.remind_s * SECOND) if known else Terms()

    def _messages(self, notice: Notice, now: int) -> Iterable[Message]:
        """A notice by each of its owner's ways."""
        shop = self.house.landscape.shop.name
        subject, text = words.subject(notice, shop), words.body(notice, shop, now, self._page)
        for way in ways_of(self.house.landscape, notice.owner):
            yield message(self.house, notice.owner, way, subject, text, now, words.plain(notice))

    def _page(self, link: str) -> str:
        """What a runbook beside mainstay.toml says under its heading, or as a whole; empty for one elsewhere, or one that is not there.
        What to do when Mainstay itself is in trouble is known without one."""
        name, _, anchor = link.partition("#")
        if "://" in link:
            return ""
        return words.section(_read(self.house.folder / name), anchor) or (words.section(template(), OURS) if anchor == OURS else "")

    def standing(self) -> dict[str, Any]:
        """How many causes there are, and how each way fares: for the status."""
        return {"alerts": {"causes": sum(not one.gone_at for one in self.book.values()), "ways": self.post.standing()}}


def _untold(one: Kept) -> Kept:
    """Nobody can be told: they will be as soon as a way is declared."""
    return Kept(alarm=one.alarm, seen_at=one.seen_at, gone_at=one.gone_at)


def _read(page: Path) -> str:
    try:
        with page.open("rb") as file:
            return file.read(PAGE_BYTES_MAX).decode(errors="replace")
    except OSError:
        return ""


def quiet_of(owner: Owner) -> Quiet | None:
    begins, _, ends = owner.quiet.partition("-")
    return Quiet(begins, ends, owner.timezone) if begins else None


def ways(house: House) -> dict[str, Way]:
    """How owners can be told, with the secrets that it takes. Raises Halt where one is not there."""
    declared = house.landscape.alerts
    found: dict[str, Way] = {name: Hook(one.url, build.secret(house, one.secret)) for name, one in declared.webhooks.items()}
    smtp = declared.smtp
    if smtp.host:
        password = build.secret(house, smtp.password) if smtp.password else None
        found[SMTP] = Mail(smtp.host, smtp.port, smtp.tls, smtp.user, password, smtp.sender)
    return found


def message(house: House, owner: str, way: str, subject: str, text: str, now: int, causes: list[dict[str, Any]]) -> Message:
    """What is sent by one way. Its id follows from whom it is for and when, so that it is the same however often it is made."""
    name = blake2b("\0".join((owner, way, str(now), text)).encode(), digest_size=12).hexdigest()
    to = address(house.landscape.owners[owner]) if way == SMTP else way
    return Message(id=f"msg_{name}", at=now, owner=owner, way=way, to=to, subject=subject, text=text, causes=causes)


def try_out(house: House, owner: str) -> list[dict[str, str]]:
    """Send one message to an owner by each of their ways, now. Raises Reject where nobody is called so, or no way leads to them."""
    owners: Mapping[str, Owner] = house.landscape.owners
    if owner not in owners:
        raise Reject(f"no owner is called {owner!r}; there are: {', '.join(owners) or 'none'}", "not_found")
    names = ways_of(house.landscape, owner)
    if not names:
        told = "declare [alerts.smtp] or [alerts.webhooks.NAME], and name it in `alerts` of the owner"
        raise Reject(f"no way leads to {owner!r}: {told}", "not_found")
    return asyncio.run(_tested(house, owner, names))


async def _tested(house: House, owner: str, names: Iterable[str]) -> list[dict[str, str]]:
    shop, known, transport = house.landscape.shop.name, ways(house), Http()
    text = f"This is a test: alerts of {shop} for {owner} arrive here. Nothing is wrong.\n"
    found = []
    try:
        for way in names:
            one = message(house, owner, way, f"[{shop}] test of alerts", text, clock(), [])
            try:
                await send(one, known[way], transport, clock())
                found.append({"way": way, "to": one.to, "result": "sent", "why": ""})
            except Exception as error:
                found.append({"way": way, "to": one.to, "result": "failed", "why": str(error)})
    finally:
        await transport.close()
    return found
