"""The page that a first mainstay.toml points to: what may go wrong and what to do, with this shop's flows and who answers for them. People
write the rest."""

from __future__ import annotations

import re

from mainstay.landscape.declared import MAINSTAY, Flow, Landscape

PAGE = "runbooks.md"  # beside mainstay.toml
OURS = "mainstay"  # the heading of what to do when Mainstay itself is in trouble
TITLE = "# Runbooks of {name}"
OTHERS = """\
## {anchor}
{{{{what}}}}, since {{{{since}}}}: {{{{reason}}}}

{answers}

**Nothing arrives, or it is late.** Is a system of these flows `paused` in `mainstay status`, or a feed of it `not read`? Its messages
are kept.

**One {object} is wrong or missing.** `mainstay trace` with its number. Nothing found: `mainstay deadletters list`, and `mainstay proposals`
for what somebody said who does not own it.
"""
_SECTION = re.compile(r"^(?=## )", re.M)
_ELSEWHERE = re.compile(r"\[([^\]]+)\]\((?!#)[^)]*\)")  # a link to another page


def alone(text: str) -> str:
    """The page of the documentation as it stands by itself, without the pages that it links to."""
    return _ELSEWHERE.sub(r"\1", text)


def page(shop: Landscape, template: str) -> str:
    """The text, in Markdown: what `runbooks.md#order` and so on lead to. `template` is the page as it is for every shop."""
    head, *sections = _SECTION.split(template)
    objects = {flow.runbook.partition("#")[2]: flow.object for flow in shop.flows.values() if flow.runbook.startswith(f"{PAGE}#")}
    told = [TITLE.format(name=shop.shop.name) + head[head.index("\n") :]]
    for section in sections:
        lead, _, rest = section.partition("\n\n")  # the heading, and what is so now
        anchor = lead.partition("\n")[0].removeprefix("## ")
        answers = f"{_answers(shop, anchor)}\n\n" if objects.pop(anchor, "") else ""
        told.append(f"{lead}\n\n{answers}{rest}")
    others = [OTHERS.format(anchor=anchor, object=obj, answers=_answers(shop, anchor)) + "\n" for anchor, obj in objects.items()]
    return "".join([*told[:-1], *others, told[-1]])


def _answers(shop: Landscape, anchor: str) -> str:
    """Who answers for what leads to a heading, and the flows that do."""
    flows = {name: flow for name, flow in shop.flows.items() if flow.runbook == f"{PAGE}#{anchor}"}
    owners = ", ".join(_reached(shop, owner) for owner in dict.fromkeys(flow.owner for flow in flows.values()))
    ways = "\n".join(f"- `{name}`: {_way(flow)}; needed {flow.latency}" for name, flow in flows.items())
    return f"Who answers: {owners}\n\n{ways}"


def _way(flow: Flow) -> str:
    targets = ", ".join("Mainstay" if one == MAINSTAY else f"`{one}`" for one in flow.targets)
    source = "Mainstay" if flow.source == MAINSTAY else f"`{flow.source}`"
    return f"from {source} to {targets}, by {flow.pattern}"


def _reached(shop: Landscape, owner: str) -> str:
    known = shop.owners.get(owner)
    return f"{owner} ({known.contact})" if known else owner
