"""The generated reference: Markdown from the declarations themselves, so that what is not documented does not exist.

`pages` takes what only the top floor has (the command line, the API's endpoints); `mainstay.app.reference` hands them in and writes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from msgspec import Struct
from msgspec import inspect as kinds

from mainstay import connectors
from mainstay.contract.connector import Connector, Manifest, Sink, Topic
from mainstay.contract.talk import Repeat
from mainstay.edge.openapi import CALLERS, Endpoint, ProblemAnswer
from mainstay.landscape import FAILURE_MODES, FASTEST, FINDINGS, GROUPS, LATENCIES, OBJECTS, OWN_API, Landscape
from mainstay.model.commands import AnyCommand
from mainstay.model.events import VERSION, AnyEvent
from mainstay.model.failures import CODES
from mainstay.model.seen import SeenEvent
from mainstay.money.post import POSTINGS
from mainstay.orders.moves import BEFORE_RELEASE, MOVES, diagram
from mainstay.proof import catalogue, planted
from mainstay.proof.badinput.page import cases, counts
from mainstay.proof.described import fields, parts, summary, table, word
from mainstay.proof.rooms import faces

MARK = "<!-- Made by `make docs` from the code. Do not edit: change the declaration and run it again. -->"
REPEATS = {
    Repeat.SAFE: "repeating it is harmless",
    Repeat.KEYED: "the key makes a repeat give the first answer",
    Repeat.LOOKUP: "a repeat would double it: after a lost answer it is looked up first",
}


def pages(cli: click.Group, endpoints: Sequence[Endpoint]) -> dict[str, str]:
    """File name -> text of every page, the index among them."""
    makers: dict[str, Callable[[], Iterator[str]]] = {
        "cli.md": lambda: _cli(cli),
        "settings.md": _settings,
        "findings.md": _findings,
        "connectors.md": _connectors,
        "events.md": _events,
        "commands.md": _commands,
        "failures.md": _failures,
        "order-lifecycle.md": _lifecycle,
        "accounts.md": _accounts,
        "api.md": lambda: _api(endpoints),
        "rooms.md": _rooms,
        "bad-inputs.md": _bad_inputs,
        "planted-bugs.md": _planted,
        "catalogue.md": _catalogue,
    }
    made = {name: "\n".join([MARK, "", *make()]) + "\n" for name, make in makers.items()}
    return {"README.md": "\n".join([MARK, "", *_index(made)]) + "\n", **made}


def _index(made: dict[str, str]) -> Iterator[str]:
    yield from _head("Reference", "Everything that is declared in the code, by what it is about.")
    for name, text in made.items():
        _, _, title, _, first, *_ = text.split("\n")
        yield f"- [{title.removeprefix('# ')}]({name}): {first}"


def _head(title: str, first: str, *more: str) -> Iterator[str]:
    """A page's title and its first sentence, which the index repeats."""
    yield f"# {title}"
    yield ""
    yield first
    for paragraph in more:
        yield ""
        yield paragraph
    yield ""


# --- the command line --------------------------------------------------------------------------------------------------
def _cli(group: click.Group) -> Iterator[str]:
    yield from _head(
        "Command line",
        "Every command of `mainstay`, with its arguments and options.",
        "Exit codes: 0 well; 1 something was found wrong (`check`, `doctor`, `verify`); 2 it could not be done, with one sentence "
        "that says why; 3 a payload was refused (`translate`).",
    )
    for path, command in _commands_of(group, ("mainstay",)):
        context = click.Context(command, info_name=" ".join(path))
        yield f"## {' '.join(path)}"
        yield ""
        yield f"`{' '.join([*path, *command.collect_usage_pieces(context)])}`"
        yield ""
        yield " ".join((command.help or "").split())
        yield ""
        shown = [_option(param, context) for param in command.params if isinstance(param, click.Option)]
        yield from [*table(shown, "option", "meaning", "default"), ""] if shown else ()


def _commands_of(group: click.Group, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if command.hidden:
            continue
        if isinstance(command, click.Group) and command.invoke_without_command:
            yield (*path, name), command
        if isinstance(command, click.Group):
            yield from _commands_of(command, (*path, name))
        else:
            yield (*path, name), command


def _option(option: click.Option, context: click.Context) -> tuple[str, str, str]:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    value = "" if option.is_flag else f" {option.make_metavar(context)}"
    fixed = option.required or option.is_flag or option.multiple or callable(option.default) or option.default in (None, "")
    return names + value, option.help or "", "**required**" if option.required else "" if fixed else _plain(option.default)


def _plain(value: object) -> str:
    text = str(value)
    return "" if "UNSET" in text.upper() else f"`{text}`"


# --- the landscape -----------------------------------------------------------------------------------------------------
def _settings() -> Iterator[str]:
    yield from _head(
        "Settings",
        "Everything that `mainstay.toml` may say; unknown keys are refused.",
        "Secrets never stand in the file: they are given by reference, `env:NAME` or `file:PATH` (relative to the file). "
        "`mainstay schema` prints all of this as JSON Schema for your editor; `mainstay check` says what is wrong with a file.",
    )
    told: kinds.StructType = kinds.type_info(Landscape)  # type: ignore[assignment]
    for one in told.fields:
        kind, path = one.type, one.name
        while isinstance(kind, kinds.DictType):
            path += ".NAME" if path != "ownership" else ".OBJECT"
            kind = kind.value_type
        assert isinstance(kind, kinds.StructType)
        yield from _tables(kind, path.replace("OBJECT.NAME", "OBJECT.GROUP"))
    yield from _choices()
    yield "## Settings of connectors"
    yield ""
    yield "They stand in `[systems.NAME.settings]`."
    yield ""
    for connector in _ours():
        yield from [f"### {connector.manifest.name}", "", *fields(connector.Settings), ""]
        for part in dict.fromkeys(list(parts(kinds.type_info(connector.Settings)))[1:]):
            yield from [f"#### {part.__name__}", "", summary(part), "", *fields(part), ""]
    own = [(f"`{one.name}`", "secret" if one.secret else "text", str(one.schema.get("description", ""))) for one in OWN_API.settings]
    yield from ["### api", "", f"{OWN_API.title}.", "", *table(own, "field", "holds", "meaning")]


def _tables(kind: kinds.StructType, path: str) -> Iterator[str]:
    """A table of the file, then those within it."""
    within = {}
    for one in kind.fields:
        inner, name = (one.type.value_type, ".NAME") if isinstance(one.type, kinds.DictType) else (one.type, "")
        if isinstance(inner, kinds.StructType):
            within[one.name] = (inner, f"{path}.{one.name}{name}")
    yield from [f"## [{path}]", "", summary(kind.cls), "", *fields(kind.cls, within), ""]
    for inner, below in within.values():
        yield from _tables(inner, below)


def _choices() -> Iterator[str]:
    objects = [(f"`{obj}`", ", ".join(f"`{group}`" for group in GROUPS[obj])) for obj in OBJECTS]
    yield from ["## Objects and their field groups", "", "A rule for the group `all` serves every group that has none of its own.", ""]
    yield from [*table(objects, "object", "field groups"), ""]
    yield from ["## Latencies", "", "What the business will wait, and the fastest that a pattern can do.", ""]
    yield from [*table([(f"`{name}`", f"{seconds:,.0f} s") for name, seconds in LATENCIES.items()], "latency", "at most"), ""]
    yield from [*table([(f"`{name}`", f"`{best}`") for name, best in FASTEST.items()], "pattern", "at best"), ""]
    yield from ["## Failure modes", "", "The keys of a flow's `failures`: " + ", ".join(f"`{mode}`" for mode in FAILURE_MODES) + ".", ""]


def _findings() -> Iterator[str]:
    yield from _head(
        "Findings of the check",
        "Every kind of thing that `mainstay check` can find in a `mainstay.toml`.",
        "An error keeps you from a safe start; a warning is shown and kept. Each finding names its line and says what to write instead.",
    )
    yield from table([(f"`{code}`", kind.severity, kind.summary) for code, kind in FINDINGS.items()], "code", "severity", "meaning")


# --- connectors --------------------------------------------------------------------------------------------------------
def _ours() -> list[type[Connector]]:
    """The connectors that come with Mainstay; those that other packages announce have documents of their own."""
    return [connectors.find(name) for name in sorted(connectors.OURS)]


def _connectors() -> Iterator[str]:
    yield from _head(
        "Connectors",
        "What each connector hears, reads and can carry out, and the limits that it keeps.",
        "What a lost answer means is declared for each command:",
    )
    yield from table([(f"`{repeat.value}`", meaning) for repeat, meaning in REPEATS.items()], "repeat", "meaning")
    for connector in _ours():
        yield ""
        yield from _connector(connector.manifest)


def _connector(manifest: Manifest) -> Iterator[str]:
    readme = f"../../src/mainstay/connectors/{manifest.name}/README.md"
    yield f"## {manifest.name}"
    yield ""
    yield f"{manifest.title}. {manifest.summary}"
    yield ""
    yield f"- It speaks version {manifest.version}; source: <{manifest.source}>."
    yield f"- Deliveries: {f'signed, `{manifest.signature}`' if manifest.signature else 'not signed, so they are only a hint to fetch'}."
    calls = {"own": "by ids of its own, learnt from its products and levels", "sku": "by our SKU"}
    yield f"- It calls stock items {calls[manifest.items]}."
    if manifest.domains:
        yield f"- Its answers name addresses to call: those of its own, and by https those of {_names(manifest.domains)}, without a token."
    yield f"- `mainstay trace` understands its {', '.join(f'`{one}`' for one in manifest.references)}."
    yield f"- [Settings](settings.md#{manifest.name}), [quirks and their sources]({readme})."
    yield ""
    yield from _topics(manifest.topics)
    feeds = [(f"`{one.name}`", one.summary, _names(one.objects), f"{one.every_s:,.0f} s") for one in manifest.feeds]
    yield from [*table(feeds, "feed", "what it reads", "objects", "every"), ""]
    yield from [*table(map(_sink, manifest.sinks), "command", "what it does", "call", "repeat", "at once"), ""]
    budgets = [
        (f"`{one.name}`", one.kind, f"{one.capacity:,g}", f"{one.per_s:,.4g}" if one.per_s else "", _names(one.operations), one.source)
        for one in manifest.budgets
    ]
    yield from table(budgets, "budget", "kind", "capacity", "back per second", "calls", "source")


def _topics(topics: Iterable[Topic]) -> Iterator[str]:
    business = [(f"`{one.name}`", one.summary, _names(one.objects)) for one in topics if one.objects]
    kept = [one.name for one in topics if not one.objects]
    yield from [*table(business, "topic", "what it is", "objects"), ""]
    if kept:
        yield f"<details><summary>Kept, but not business: {len(kept)} topics</summary>"
        yield ""
        yield _names(kept) + "."
        yield ""
        yield "</details>"
        yield ""


def _sink(sink: Sink) -> tuple[str, ...]:
    key = f", for {sink.key_ttl_s / 3600:,.0f} h" if sink.key_ttl_s else ""
    wait = f", gathered for {sink.gather_s:g} s" if sink.gather_s else ""
    return f"`{sink.command}`", sink.summary, f"`{sink.operation}`", f"`{sink.repeat.value}`{key}", f"{sink.batch_max:,}{wait}"


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


# --- the vocabulary ----------------------------------------------------------------------------------------------------
def _members(union: Any) -> tuple[type[Struct], ...]:
    return union.__args__  # type: ignore[no-any-return]


def _events() -> Iterator[str]:
    yield from _head(
        "Events",
        "What systems say and what the log holds, in our words.",
        f"All are of version {VERSION}. A field may be added with a default; none is renamed, retyped or removed; a new meaning is a "
        "new event. Amounts are minor units of the document's currency, times are UTC microseconds, quantities are whole units. "
        "`mainstay contracts` prints the JSON Schema of each.",
    )
    yield from ["## What systems say", "", "A connector translates every document into these. They hold no personal data.", ""]
    for kind in _members(SeenEvent):
        yield from _struct(kind)
    yield from ["## What the log holds", "", "All state is a fold over these, and can be rebuilt from them.", ""]
    for kind in _members(AnyEvent):
        yield from _struct(kind)
    yield from ["## Their parts", ""]
    yield from _parts((*_members(SeenEvent), *_members(AnyEvent)))


def _commands() -> Iterator[str]:
    yield from _head(
        "Commands",
        "What Mainstay asks other systems to make true.",
        "`key` is the intent's own id and the idempotency key of every attempt. How a repeat is kept harmless stands in "
        "[connectors](connectors.md). A command that no connector of the shop carries out is not asked.",
    )
    for kind in _members(AnyCommand):
        able = [one.manifest.name for one in _ours() if one.manifest.sink(kind.__name__)]
        yield from _struct(kind)
        if kind.__name__ == "Fetch":
            yield from ["Carried out by every connector that gives hints.", ""]
        else:
            yield from [f"Carried out by: {', '.join(f'[{name}](connectors.md#{name})' for name in able) or 'none yet'}.", ""]
    yield from ["## Their parts", ""]
    yield from _parts(_members(AnyCommand))


def _struct(kind: type[Struct]) -> list[str]:
    return [f"### {kind.__name__}", "", summary(kind), "", *fields(kind), ""]


def _parts(whole: Sequence[type[Struct]]) -> Iterator[str]:
    """Every struct that stands inside these, once."""
    for part in dict.fromkeys(part for kind in whole for part in parts(kinds.type_info(kind)) if part not in whole):
        yield from _struct(part)


def _failures() -> Iterator[str]:
    yield from _head(
        "Failure codes",
        "Every code that a failure, a hold or a dead letter can carry: what it means, whose it is, and what to do next.",
        "*ours*: mapping or configuration. *theirs*: the sender's data or the other side.",
    )
    rows = [(f"`{name}`", code.meaning, code.whose, code.next) for name, code in CODES.items()]
    yield from table(rows, "code", "meaning", "whose", "next")


def _lifecycle() -> Iterator[str]:
    yield from _head(
        "Order lifecycle",
        "How an order moves: this table is the code's own, and a move that is not in it is refused.",
        "Goods may leave at any time before the end, because the world does not ask: `ship` and `ship_part` stand almost everywhere.",
    )
    yield from ["```mermaid", diagram(), "```", ""]
    rows = [
        (f"`{state}`", ", ".join(f"{name} → `{after}`" for name, after in moves.items()) or "the end",
         "yes" if state in BEFORE_RELEASE else "")
        for state, moves in MOVES.items()
    ]  # fmt: skip
    yield from table(rows, "state", "moves", "before release")


def _accounts() -> Iterator[str]:
    yield from _head(
        "Accounts",
        "Between which accounts each part of an order moves.",
        "Every posting is one transfer: debit account, credit account, amount above zero. A correction is a transfer the other way, "
        "never a change. `{channel}` is the system where it was sold, `{provider}` the one that moved the money: where the channel took it "
        "itself, that is the channel, and what it gives back stands on the same account. Balances are debit minus credit, in minor units. "
        "A cancellation reverses the sale, and no money: until it is given back, `receivable` stands below zero by what the buyer is owed.",
    )
    rows = [(f"`{part}`", f"`{one.debit}`", f"`{one.credit}`", one.meaning) for part, one in POSTINGS.items()]
    yield from table(rows, "part", "debit", "credit", "meaning")


# --- the API -----------------------------------------------------------------------------------------------------------
def _api(endpoints: Sequence[Endpoint]) -> Iterator[str]:
    yield from _head(
        "HTTP API",
        "What channels that ask first call, and what people and tools may read.",
        "Every call carries `Authorization: Bearer <token>`: a channel's own token speaks for that channel, the operators' token "
        "(`server.api_token`) for people. A channel reads its own orders and reservations and nothing else. "
        "Errors are `application/problem+json`. The OpenAPI 3.1 document is at `GET /v1/openapi.json`. "
        "Without a token: `GET /health` (the process answers), `GET /ready` (the others do too), `GET /metrics` (Prometheus). "
        "Webhooks come to `POST /hooks/<system>`, or to `/hooks/<system>/<secret>` for senders that do not sign.",
    )
    yield from table([(f"`{one.method} {one.path}`", one.callers, one.summary) for one in endpoints], "call", "token", "what it does")
    yield ""
    for one in endpoints:
        yield from [f"## {one.method} {one.path}", "", f"{one.summary}. {CALLERS[one.callers]} Answers {one.status}.", ""]
        yield from [" ".join(_terms(one)), ""]
    yield from ["## Their parts", ""]
    whole = [kind for one in endpoints for kind in (one.body, one.answer) if kind is not None] + [ProblemAnswer]
    for part in dict.fromkeys(part for kind in whole for part in parts(kinds.type_info(kind))):
        yield from _struct(part)


def _terms(one: Endpoint) -> Iterator[str]:
    """What a call needs and gives."""
    given = re.findall(r"{(\w+)}", one.path)
    if given:
        yield f"In the path: {_names(given)}."
    if one.key:
        yield "Header `Idempotency-Key` is required: the same key gets the same answer."
    if one.body:
        yield f"Body: {word(kinds.type_info(one.body))}."
    yield f"Answer: {word(kinds.type_info(one.answer))}." if one.answer else "Answer: JSON for people to read."


# --- the code ----------------------------------------------------------------------------------------------------------
def _rooms() -> Iterator[str]:
    yield from _head(
        "Rooms and their faces",
        "What each room of the code shows the others; everything else is its own business.",
        "A face is declared in the room's `__init__.py`, and the house rules refuse an import past it, a promise that is not kept and "
        "one that nobody needs. Which rooms may import from which stands in [Architecture](../../ARCHITECTURE.md).",
    )
    yield from faces()


# --- what shows that the proofs can fail -------------------------------------------------------------------------------
def _planted() -> Iterator[str]:
    bugs = planted.every()
    yield from _head(
        "Planted bugs",
        f"{len(bugs)} bugs that are planted on purpose, one after the other: each must be noticed, by the rule that it breaks.",
        "`make test` and `make proof` plant them all, and fail when one is no longer noticed, or by another rule than one of those named. "
        "*breaks*: what [the catalogue](catalogue.md) asks for, or what it does not ask for, in words.",
    )
    asked = (*catalogue.INVARIANTS, *catalogue.FAULTS, *catalogue.BUGS)
    rows = [
        (
            f"`{name}`", bug.what, ", ".join(one.id for one in asked if name in one.bugs) or catalogue.BESIDES[name], bug.harness, bug.by,
            _shown_in(bug),
        )
        for harness in planted.HARNESSES
        for name, bug in bugs.items()
        if bug.harness == harness
    ]  # fmt: skip
    yield from [*table(rows, "bug", "what is wrong", "breaks", "harness", "noticed by the rule that says", "in"), "", "## Harnesses", ""]
    many = Counter(one.harness for one in bugs.values())
    yield from table([(name, what, str(many[name])) for name, what in planted.HARNESSES.items()], "harness", "what it is", "bugs")


def _shown_in(bug: planted.Planted) -> str:
    if not bug.test:
        return bug.where
    return f"{_place(bug.test)}, `{bug.case}`" if bug.case else _place(bug.test)


def _catalogue() -> Iterator[str]:
    yield from _head(
        "What the catalogue asks for",
        "Each invariant, fault and planted bug that a backbone should be tried with, and where it is here.",
        "*not yet* waits for a door that Mainstay does not have. Pages of their own have the catalogue's [inputs](bad-inputs.md), and "
        "[the planted bugs](planted-bugs.md) with the harness and the rule that notices each.",
    )
    chapters = (("Invariants", catalogue.INVARIANTS), ("Faults", catalogue.FAULTS), ("Planted bugs to begin with", catalogue.BUGS))
    for number, (title, asked) in enumerate(chapters):
        yield from ([""] if number else [])
        yield from (f"## {title}", "")
        rows = [(one.id, one.what, ", ".join(map(_place, one.shown)), _bugs(one), one.but) for one in asked]
        yield from table(rows, "id", "what", "shown by", "planted bugs", "but")


def _bugs(one: catalogue.Asked) -> str:
    return ", ".join(f"`{bug}`" for bug in one.bugs) or (f"none: {one.unplanted}" if one.unplanted else "")


def _place(test: str) -> str:
    path, _, name = test.partition("::")
    return f"[{name or Path(path).stem}](../../{path})"


# --- what is wrong with what comes in ----------------------------------------------------------------------------------
def _bad_inputs() -> Iterator[str]:
    yield from _head("Bad inputs", "What Mainstay does with input that is broken, forged or senseless, case by case.", counts())
    yield from cases()
