"""The verbs about dead letters: what is open and why, and what people do with one or with many."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mainstay.app.options import BY, CONFIG, JSON, pairs, show, state_of

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

    found = by_cause(state_of(look_into(config).data), _parted(which))
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
    """Try dead letters again, with today's mapping: by their numbers, or as a job all that a query means."""
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
    """Close dead letters with a reason: by their numbers, or as a job all that a query means."""
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
    """Give dead letters to somebody: by their numbers, or as a job all that a query means."""
    _act("assign", told)


@deadletters.command("escalate")
@NUMBERS
@ALL
@filtered
@click.option("--to", default="", help="Whom to; nothing: `above` of its owner in mainstay.toml.")
@click.option("--reason", default="", help="Why.")
@BY
@CONFIG
@JSON
def escalate(**told: Any) -> None:
    """Give dead letters to those above their owner: by their numbers, or as a job all that a query means."""
    _act("escalate", told)


def _act(action: str, told: dict[str, Any]) -> None:
    """The same act for numbers, one after the other, or for a query, as a job of the server."""
    from mainstay.app.operate import act

    config, as_json, numbers, query = told["config"], told["as_json"], told["numbers"], _parted(told)
    if bool(numbers) + bool(query) + told["every"] != 1:
        raise click.UsageError("say which: numbers, or a query such as --cause or --system, or --all")
    said = {name: told[name] for name in ("by", "reason", "to") if told.get(name)}
    if not numbers:
        job = act(config, "jobs", action=action, query=query, **said)
        show(
            job, as_json, f"job {job['job']}: {action} {job['letters']} dead letters; `mainstay jobs show {job['job']}` says how far it is"
        )
        return
    done = [act(config, f"deadletters/{number}/{action}", **said) for number in numbers]
    show(done[0] if len(done) == 1 else done, as_json, "\n".join(f"dead letter {one['id']}: {one['detail']}" for one in done))


@deadletters.command("repair")
@click.argument("number", type=int)
@click.option("--file", "-f", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The message as it should have been.")
@click.option("--set", "values", multiple=True, callback=pairs, metavar="PATH=VALUE", help="Another value: line_items.0.sku=TSH-001.")
@click.option("--reason", default="", help="Why it is right; it stays with the letter.")
@click.option("--dry-run", is_flag=True, help="Change nothing; say what would follow.")
@BY
@CONFIG
@JSON
def repair(
    number: int, file: Path | None, values: dict[str, str], reason: str, dry_run: bool, by: str, config: Path, as_json: bool
) -> None:  # fmt: skip
    """Take a message as it should have been: mended, or as it is with the words that mainstay.toml maps now. It counts at its own place."""
    from mainstay.app.build import open_house
    from mainstay.app.letters import mended, rehearsed
    from mainstay.app.operate import act
    from mainstay.app.show_letters import repair_text

    house = open_house(config)
    body = mended(state_of(house.data), number, file.read_bytes() if file else None, list(values.items()))
    if dry_run:
        found = rehearsed(house, number, body)
        show(found, as_json, repair_text(found))
        return
    if not reason:
        raise click.UsageError("say why it is right, with --reason; --dry-run needs none")
    done = act(config, f"deadletters/{number}/repair", body=body.decode(), by=by, reason=reason)
    show(done, as_json, f"dead letter {number}: {done['detail']}")


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
    from mainstay.app.build import open_house
    from mainstay.app.operate import act
    from mainstay.app.replay import rehearsed
    from mainstay.app.show_letters import CALLED, replay_text
    from mainstay.flows.span import Span

    span = {name: value for name, value in which.items() if value}
    meant = Span(**span)
    if dry_run:
        found = rehearsed(open_house(config), meant, stage)
        show(found, as_json, replay_text(found))
        return
    job = act(config, "replays", stage=stage, span=span, by=by, reason=reason)
    anew = f"; told anew: {', '.join(job['told_anew'])}" if job["told_anew"] else ""
    show(job, as_json, f"job {job['job']}: {job['letters']} {CALLED[stage]}{anew}; `mainstay jobs show {job['job']}` says how far it is")
