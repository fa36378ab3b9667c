"""The page that a first mainstay.toml points to: a heading for each object, what to look at, and who answers. People write the rest."""

from __future__ import annotations

from mainstay.landscape.declared import MAINSTAY, Flow, Landscape

PAGE = "runbooks.md"  # beside mainstay.toml


HEAD = """\
# Runbooks of {name}

What to do when a flow fails: `mainstay.toml` points here. Write down what your people learn; nothing overwrites this page.

Look at three things first, whatever failed:
- `mainstay status`: what waits, which system's calls pause and why, which flows are late.
- `mainstay trace NUMBER`: the whole journey of an order, payment or parcel, by any number of any system. Its first lines say what
  blocks it, and whose that is.
- `mainstay deadletters list`, then `mainstay deadletters show ID`: what could not be handled, why, and what to do next. When its cause is
  mended: `mainstay deadletters retry ID`.

Where an alert quotes this page, {{{{what}}}}, {{{{reason}}}}, {{{{count}}}}, {{{{since}}}}, {{{{deadline}}}}, {{{{at_risk}}}} and
{{{{owner}}}} are what is so at that moment.
"""
OURS = "mainstay"  # the heading of what to do when Mainstay itself is in trouble
HELP = """
## mainstay
{{what}}, since {{since}}: {{reason}}

**A process ends again and again, or stands still.** The log of `mainstay up` says why; `mainstay doctor` looks at the disk and the files.
What has arrived is kept; what comes meanwhile is sent again.

**The core does not keep up.** `mainstay status` says how far it is behind; a slow disk shows in `mainstay doctor`. It catches up by itself
when less comes in.

**The store cannot be read, or the books do not balance.** Stop Mainstay and keep a copy of the folder. `mainstay doctor` and
`mainstay verify` name the file, the page or the row. Then `mainstay restore` the last backup.

**Something is held back for more than a day.** `mainstay pauses` says by whom and why; `mainstay resume` lets it go on.

**More causes of dead letters than are told one by one.** `mainstay deadletters causes` lists them all.
"""
SECTION = """
## {anchor}
{{{{what}}}}, since {{{{since}}}}: {{{{reason}}}}

**Who answers:** {owners}

{flows}

**Nothing arrives, or it is late.** Is a system of these flows paused in `mainstay status`? Then its credentials or its own state are the
cause: its messages are kept, and go on by themselves.

**One {object} is wrong or missing.** `mainstay trace` with its number. Nothing found: `mainstay deadletters list`, and `mainstay proposals`
for what somebody said who does not own it.
"""


def page(shop: Landscape) -> str:
    """The text, in Markdown: what `runbooks.md#order` and so on lead to."""
    objects = {flow.runbook.partition("#")[2]: flow.object for flow in shop.flows.values() if flow.runbook.startswith(f"{PAGE}#")}
    return HEAD.format(name=shop.shop.name) + "".join(_section(shop, anchor, obj) for anchor, obj in objects.items()) + HELP


def _section(shop: Landscape, anchor: str, obj: str) -> str:
    flows = {name: flow for name, flow in shop.flows.items() if flow.runbook == f"{PAGE}#{anchor}"}
    owners = ", ".join(_reached(shop, owner) for owner in dict.fromkeys(flow.owner for flow in flows.values()))
    ways = "\n".join(f"- `{name}`: {_way(flow)}; needed {flow.latency}" for name, flow in flows.items())
    return SECTION.format(anchor=anchor, object=obj, owners=owners, flows=ways)


def _way(flow: Flow) -> str:
    targets = ", ".join("Mainstay" if one == MAINSTAY else f"`{one}`" for one in flow.targets)
    source = "Mainstay" if flow.source == MAINSTAY else f"`{flow.source}`"
    return f"from {source} to {targets}, by {flow.pattern}"


def _reached(shop: Landscape, owner: str) -> str:
    known = shop.owners.get(owner)
    return f"{owner} ({known.contact})" if known else owner
