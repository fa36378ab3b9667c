"""The verbs about dead letters: what is open and why, and what people do with one or with many."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mainstay.app.options import BY, CONFIG, JSON, pairs, show, state_of, worked_in

if TYPE_CHECKING:
    from mainstay.flows.span import Stage

FILTERS = (
    click.option("--queue", type=click.Choice(["ours", "theirs"]), default=None, help="On whose side the cause usually lies."),
    click.option("--cause", default="", help="A cause, as `deadletters causes` names it; its first characters will do."),
    click.option("--code", default="", help="A failure code."),
    click.option("--system", default="", help="The system that sent it, or refused it."),
    click.option("--topic", default="", help="The kind of message."),
    click.option("--owner", default="", help="Who is to act."),
    click.option("--text", default="", help="What stands in the reason."),
    click.option("--since", default="", metavar="TIME", help="Not older: 2026-11-21T09:00:00Z."),
    click.option("--until", default="", metavar="TIME", help="Older than this."),
)
NUMBERS = click.argument("numbers", type=int, nargs=-1, metavar="[NUMBER]...")
ALL = click.option("--all", "every", is_flag=True, help="Every open one.")
FILTER_NAMES = ("queue", "cause", "code", "system", "topic", "owner", "text", "since", "until")


def filtered(verb: Callable[..., Any]) -> Callable[..., Any]:
    """A verb with the options that say which letters are meant."""
    return reduce(lambda done, option: option(done), reversed(FILTERS), verb)


def _parted(told: dict[str, Any]) -> dict[str, str]:
    """The query of an invocation: what was given of it."""
    return {name: told[name] for name in FILTER_NAMES if told.get(name)}


@click.group()
def deadletters() -> None:
    """What could not be handled: cause, owner, next action; and what is done about it."""


@deadletters.command("list")
@filtered
@click.option("--status", type=click.Choice(["open", "retried", "suppressed", "resolved"]), default="open", show_default=True)
@click.option("--limit", type=click.IntRange(min=1), default=200, show_default=True, help="The newest so many.")
@CONFIG
@JSON
def list_letters(status: str, limit: int, config: Path, as_json: bool, **which: Any) -> None:
    """Dead letters, newest first."""
    from mainstay.app.build import look_into
    from mainstay.app.letters import listed
    from mainstay.app.show_letters import letters_text

    house = look_into(config)
    found = listed(house, state_of(house.data), {**_parted(which), "status": status}, limit)
    show(found, as_json, letters_text(found))


@deadletters.command("causes")
@filtered
@CONFIG
@JSON
def causes(config: Path, as_json: bool, **which: Any) -> None:
    """The open dead letters by cause: how many, since when, whose, and how much money hangs on them."""
    from mainstay.app.build import look_into
    from mainstay.app.letters import by_cause
    from mainstay.app.show_letters import causes_text

    house = look_into(config)
    found = by_cause(house, state_of(house.data), _parted(which))
    show(found, as_json, causes_text(found))


@deadletters.command("show")
@click.argument("number", type=int)
@CONFIG
@JSON
def show_letter(number: int, config: Path, as_json: bool) -> None:
    """One dead letter with its history and its raw message."""
    from mainstay.app.build import look_into
    from mainstay.app.letters import letter
    from mainstay.app.show_letters import letter_text

    house = look_into(config)
    found = letter(house, state_of(house.data), number)
    show(found, as_json, letter_text(found))


@deadletters.command("retry")
@NUMBERS
@ALL
@filtered
@BY
@CONFIG
@JSON
def retry(**told: Any) -> None:
    """Try dead letters again, with today's mapping: one by its number, or as a job several, or all that a query means."""
    _act("retry", told)


@deadletters.command("suppress")
@NUMBERS
@ALL
@filtered
@click.option("--reason", required=True, help="Why nothing is to be done; it stays with the letter.")
@BY
@CONFIG
@JSON
def suppress(**told: Any) -> None:
    """Close dead letters with a reason: one by its number, or as a job several, or all that a query means."""
    _act("suppress", told)


@deadletters.command("assign")
@NUMBERS
@ALL
@filtered
@click.option("--to", required=True, help="Who is to act.")
@click.option("--reason", default="", help="Why.")
@BY
@CONFIG
@JSON
def assign(**told: Any) -> None:
    """Give dead letters to somebody: one by its number, or as a job several, or all that a query means."""
    _act("assign", told)


@deadletters.command("escalate")
@NUMBERS
@ALL
@filtered
@click.option("--to", default="", help="Whom to; nothing: `above` in mainstay.toml, of whom it is with, else of its owner.")
@click.option("--reason", default="", help="Why.")
@BY
@CONFIG
@JSON
def escalate(**told: Any) -> None:
    """Give dead letters to those above their owner: one by its number, or as a job several, or all that a query means."""
    _act("escalate", told)


def _act(action: str, told: dict[str, Any]) -> None:
    """An act upon one letter, or as a job of the server upon several."""
    from mainstay.app.operate import act

    _one_way(told)
    if len(told["numbers"]) != 1:
        _begin(action, told)
        return
    (number,) = told["numbers"]
    _done(act(told["config"], f"deadletters/{number}/{action}", **_said(told)), told)


def _one_way(told: dict[str, Any]) -> None:
    """Letters are named, or a query means them, or all are meant."""
    if bool(told["numbers"]) + bool(_parted(told)) + told["every"] != 1:
        raise click.UsageError("say which: numbers, or a query such as --cause or --system, or --all")


def _said(told: dict[str, Any]) -> dict[str, Any]:
    return {name: told[name] for name in ("by", "reason", "to") if told.get(name)}


def _begin(action: str, told: dict[str, Any], **more: Any) -> None:
    """The same act for many, as a job of the server."""
    from mainstay.app.operate import act

    which = {"letters": told["numbers"]} if told["numbers"] else {"query": _parted(told)}
    job = act(told["config"], "jobs", action=action, **which, **more, **_said(told))
    number = job["job"]
    show(job, told["as_json"], f"job {number}: {action} {job['letters']} dead letters; `mainstay jobs show {number}` says how far it is")


def _done(done: dict[str, Any], told: dict[str, Any]) -> None:
    show(done, told["as_json"], f"dead letter {done['id']}: {done['detail']}")


@deadletters.command("repair")
@NUMBERS
@ALL
@filtered
@click.option(
    "--file",
    "-f",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The message of one letter as it should have been.",
)
@click.option("--set", "values", multiple=True, callback=pairs, metavar="PATH=VALUE", help="Another value: line_items.0.sku=TSH-001.")
@click.option("--reason", default="", help="Why it is right; it stays with the letter.")
@click.option("--dry-run", is_flag=True, help="Change nothing; say what would follow. Exit 1 where nothing could be done for some.")
@BY
@CONFIG
@JSON
def repair(file: Path | None, values: dict[str, str], dry_run: bool, **told: Any) -> None:
    """Take messages as they should have been: mended, or as they are with the words that mainstay.toml maps now. Each counts at its own
    place. One by its number, or as a job several, or all that a query means."""
    from mainstay.app.letters import mended, rehearsed, whole
    from mainstay.app.operate import act
    from mainstay.app.show_letters import repair_text
    from mainstay.flows.mend import with_values

    _one_way(told)
    numbers = told["numbers"]
    if file and (values or len(numbers) != 1):
        raise click.UsageError("--file is the whole message of one letter: name that one, or say with --set what is otherwise in many")
    body = whole(file) if file else None
    to = with_values(values.items()) if body is None else lambda _came: body
    if dry_run:
        found = rehearsed(worked_in(told["config"]), numbers, _parted(told), to)
        show(found, told["as_json"], repair_text(found))
        sys.exit(0 if all(one["done"] for one in found["letters"]) else 1)
    if not told["reason"]:
        raise click.UsageError("say why it is right, with --reason; --dry-run needs none")
    if len(numbers) != 1:
        _begin("repair", told, set=values)
        return
    message = mended(state_of(worked_in(told["config"]).data), numbers[0], to)
    _done(act(told["config"], f"deadletters/{numbers[0]}/repair", body=message.decode(), **_said(told)), told)


@click.group()
def jobs() -> None:
    """The same act for many dead letters, which the server does: how far it is, what became of each."""


@jobs.command("list")
@CONFIG
@JSON
def list_jobs(config: Path, as_json: bool) -> None:
    """The jobs, newest first."""
    from mainstay.app.build import look_into
    from mainstay.app.show_letters import jobs_text
    from mainstay.flows import queue

    found = queue.jobs(state_of(look_into(config).data))
    show(found, as_json, jobs_text(found))


@jobs.command("show")
@click.argument("number", type=int)
@CONFIG
@JSON
def show_job(number: int, config: Path, as_json: bool) -> None:
    """How far a job is, and what became of each letter. Exit 1 where nothing could be done for some."""
    from mainstay.app.build import look_into
    from mainstay.app.letters import job
    from mainstay.app.show_letters import job_text

    found = job(state_of(look_into(config).data), number)
    show(found, as_json, job_text(found))
    sys.exit(1 if found["nothing_done"] else 0)


@jobs.command("cancel")
@click.argument("number", type=int)
@BY
@CONFIG
@JSON
def cancel_job(number: int, by: str, config: Path, as_json: bool) -> None:
    """Stop a job where it is. What it has done stays done."""
    from mainstay.app.operate import act

    done = act(config, f"jobs/{number}/cancel", by=by)
    show(done, as_json, f"job {number} is cancelled: {done['detail']}")


@click.command("replay")
@click.option(
    "--from", "stage", type=click.Choice(["receipt", "statement", "effect"]), default="receipt", show_default=True,
    help="Read messages again; decide anew on what was said; or ask again of systems what they have lost.",
)  # fmt: skip
@click.option("--since", required=True, metavar="TIME", help="From when: 2026-11-21T09:00:00Z.")
@click.option("--until", default="", metavar="TIME", help="To before this; nothing: now.")
@click.option("--system", default="", help="Of or to this system alone.")
@click.option("--topic", default="", help="Of this kind alone: a topic, a statement such as OrderSeen, a command such as PostSale.")
@click.option("--text", default="", help="With this text in the message, the statement or the outgoing document.")
@click.option("--reason", default="", help="Why; it stays with the job.")
@click.option("--dry-run", is_flag=True, help="Change nothing; say which documents would change, and how.")
@BY
@CONFIG
@JSON
def replay(stage: Stage, reason: str, dry_run: bool, by: str, config: Path, as_json: bool, **which: str) -> None:
    """Replay an interval of the past from a stage, and send only what changed."""
    from mainstay.app.operate import act
    from mainstay.app.replay import rehearsed
    from mainstay.app.show_letters import CALLED, replay_text
    from mainstay.flows.span import Span

    span = {name: value for name, value in which.items() if value}
    meant = Span(**span)
    if dry_run:
        found = rehearsed(worked_in(config), meant, stage)
        show(found, as_json, replay_text(found))
        return
    job = act(config, "replays", stage=stage, span=span, by=by, reason=reason)
    anew = f"; told anew: {', '.join(job['told_anew'])}" if job["told_anew"] else ""
    show(job, as_json, f"job {job['job']}: {job['letters']} {CALLED[stage]}{anew}; `mainstay jobs show {job['job']}` says how far it is")
