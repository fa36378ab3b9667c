"""A notice in words: the subject, the text for people, and the same as plain data for programs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mainstay.alerts.causes import Alarm
from mainstay.alerts.decide import Item, Notice
from mainstay.model.times import DAY, HOUR, MINUTE, iso

LISTED_MAX = 20  # causes of one message that are told in full
SUBJECT_CHARS_MAX = 120
SECTION_CHARS_MAX = 2_000
_PREFIX = {"new": "", "grew": "more: ", "overdue": "overdue: ", "reminder": "still: ", "gone": "over: "}
FILLED = ("what", "reason", "count", "since", "deadline", "at_risk", "owner")  # facts that a runbook may name
_NAME = re.compile(r"\{\{ *(\w+) *\}\}")
_HEADING = re.compile(r"^(#{1,6}) +(.+?) *$", re.M)


def subject(notice: Notice, shop: str) -> str:
    """One line: what is worst, and how many causes there are beside it."""
    first, more = notice.items[0], len(notice.items) - 1
    text = f"[{shop}] {_PREFIX[first.why]}{first.alarm.what}" + (f", and {more} more" if more else "")
    return _cut(" ".join(text.split()), SUBJECT_CHARS_MAX)


def body(notice: Notice, shop: str, now: int, page: Callable[[str], str]) -> str:
    """The message for people. `page` gives the text that a runbook's link leads to, as far as it stands here; each is quoted once, with
    the entries of the codes that lead to it, and filled in with the first cause."""
    parts = ["\n".join(_item(item, now)) for item in notice.items[:LISTED_MAX]]
    if len(notice.items) > LISTED_MAX:
        parts.append(f"… and {len(notice.items) - LISTED_MAX} more causes: `mainstay alerts`")
    links: dict[str, list[Alarm]] = {}
    for item in notice.items[:LISTED_MAX]:
        for link in item.alarm.runbooks if item.why != "gone" else ():
            links.setdefault(link, []).append(item.alarm)
    for link, alarms in links.items():
        if text := page(link):
            told = excerpt(text, [alarm.code for alarm in alarms if alarm.code], link, page(link.partition("#")[0]))
            parts.append(f"--- {link}\n{filled(told, alarms[0])}")
    parts.append(f"{shop}, for {notice.owner}. What is wrong now, and who was told: `mainstay alerts`")
    return "\n\n".join(parts) + "\n"


def _item(item: Item, now: int) -> Iterator[str]:
    alarm = item.alarm
    yield f"{_PREFIX[item.why]}{alarm.what}"
    yield f"  since     {iso(_whole(alarm.since))} ({_span(now - alarm.since)})"
    if item.why == "gone":
        return
    grown = f"; {item.before} when it was told last" if item.before and item.before != alarm.count else ""
    if alarm.count > 1 or grown:
        yield f"  how many  {alarm.count}{grown}"
    if alarm.at_risk:
        yield f"  at risk   {', '.join(f'{amount} {currency}' for currency, amount in alarm.at_risk.items())}"
    yield f"  owner     {alarm.owner}" + (f"; the cause is {alarm.whose} to mend" if alarm.whose else "")
    if alarm.deadline:
        ahead = alarm.deadline - now
        yield f"  needed by {iso(_whole(alarm.deadline))} ({f'in {_span(ahead)}' if ahead > 0 else f'{_span(-ahead)} ago'})"
    if alarm.why:
        yield f"  why       {' '.join(alarm.why.split())}"
    if alarm.next:
        yield f"  next      {alarm.next}"
    yield from (f"    {command}" for command in alarm.commands)
    if alarm.runbooks:
        yield f"  runbook   {', '.join(alarm.runbooks)}"


def plain(notice: Notice) -> list[dict[str, Any]]:
    """The causes of a notice for programs; times as ISO 8601."""
    return [{"why": item.why, **facts(item.alarm)} for item in notice.items]


def facts(alarm: Alarm) -> dict[str, Any]:
    """One cause for programs."""
    return {
        "cause": alarm.cause, "severity": alarm.severity, "owner": alarm.owner, "what": alarm.what, "under": alarm.under,
        "count": alarm.count,
        "since": iso(alarm.since), "deadline": iso(alarm.deadline) if alarm.deadline else None, "at_risk": dict(alarm.at_risk),
        "code": alarm.code, "whose": alarm.whose, "reason": alarm.why, "next": alarm.next, "commands": list(alarm.commands),
        "runbooks": list(alarm.runbooks),
    }  # fmt: skip


def filled(text: str, alarm: Alarm) -> str:
    """A runbook in which {{what}}, {{count}} and so on are what is so now; a name that is none stays as it stands, one of which nothing is
    known becomes a dash."""
    known = facts(alarm)
    known["at_risk"] = ", ".join(f"{amount} {currency}" for currency, amount in alarm.at_risk.items())
    return _NAME.sub(lambda name: " ".join(str(known[name[1]] or "-").split()) if name[1] in FILLED else name[0], text)


def section(text: str, anchor: str) -> str:
    """The part of a Markdown page under the heading of this anchor, as GitHub makes anchors; the whole page where there is none."""
    headings = list(_HEADING.finditer(text))
    for number, one in enumerate(headings):
        if anchor and re.sub(r"[^\w\- ]", "", one[2].lower()).replace(" ", "-") == anchor:
            ends = next((later.start() for later in headings[number + 1 :] if len(later[1]) <= len(one[1])), len(text))
            return text[one.end() : ends].strip()
    return "" if anchor else text.strip()


def excerpt(text: str, codes: Iterable[str], link: str, page: str = "") -> str:
    """A section as a message quotes it: whole paragraphs, as far as there is room. Of a long one those before its first entry, and the
    entries of these codes; an entry begins with bold words, in which its codes stand as `code`. What the section does not know is looked
    for on the whole page."""
    own, paragraphs = _entries(text), _paragraphs(text)
    about = list(dict.fromkeys(entry for code in codes for entry in _about(own, code) or _about(_entries(page), code)))
    everything = "\n\n".join([*paragraphs, *(entry for entry in about if entry not in own)])
    if len(everything) <= SECTION_CHARS_MAX:
        return everything
    first = next((n for n, one in enumerate(paragraphs) if one.startswith("**")), len(paragraphs))
    told, room = [], SECTION_CHARS_MAX
    for one in [*paragraphs[:first], *about] if about else paragraphs:
        if len(one) > room:
            break
        told.append(one)
        room -= len(one) + 2
    return "\n\n".join([*(told or [_words(paragraphs[0], SECTION_CHARS_MAX)]), f"… The rest stands in {link}"])


def _about(entries: list[str], code: str) -> list[str]:
    return [entry for entry in entries if f"`{code}`" in entry[2:].partition("**")[0]]


def _entries(text: str) -> list[str]:
    """The paragraphs that begin with bold words, each with those that follow it up to the next one, or to a heading."""
    found: list[list[str]] = []
    open_ = False
    for one in _paragraphs(text):
        if one.startswith("**"):
            found.append([one])
            open_ = True
        elif _HEADING.match(one) or not open_:
            open_ = False
        else:
            found[-1].append(one)
    return ["\n\n".join(one) for one in found]


def _paragraphs(text: str) -> list[str]:
    return [one.strip("\n") for one in re.split(r"\n[ \t]*\n", text) if one.strip()]


def _words(text: str, most: int) -> str:
    """So much of a text, up to the end of a word."""
    return text if len(text) <= most else text[:most].rsplit(None, 1)[0]


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _whole(at: int) -> int:
    """To the second: people read it."""
    return at - at % 1_000_000


def _span(us: int) -> str:
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if us >= unit:
            return f"{us // unit} {name}"
    return f"{max(0, us) // 1_000_000} s"
