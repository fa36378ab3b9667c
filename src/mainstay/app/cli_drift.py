"""The verbs about schema drift: what changed in the documents that come in, and what is taken for normal."""

from __future__ import annotations

from pathlib import Path

import click

from mainstay.app.options import BY, CONFIG, JSON, show, state_of


@click.group()
def drift() -> None:
    """Where the documents of a system came to look otherwise than they did: an early warning, before a mapping breaks."""


@drift.command("list")
@click.option("--status", type=click.Choice(["open", "accepted"]), default="open", show_default=True)
@CONFIG
@JSON
def list_drift(status: str, config: Path, as_json: bool) -> None:
    """Changes of shape, newest first: what, where, an example, and what follows."""
    from mainstay.app.build import look_into
    from mainstay.app.show import drift_text
    from mainstay.flows import drift as learned

    found = [learned.shown(one) for one in learned.drifted(state_of(look_into(config).data)) if one.status == status]
    show(found, as_json, drift_text(found))


@drift.command("accept")
@click.argument("numbers", type=int, nargs=-1, metavar="[NUMBER]...")
@click.option("--all", "every", is_flag=True, help="Every open one.")
@click.option("--reason", default="", help="Why it is normal; it stays with the change.")
@BY
@CONFIG
@JSON
def accept(numbers: tuple[int, ...], every: bool, reason: str, by: str, config: Path, as_json: bool) -> None:
    """Take changes for normal from now on: the same is not told again."""
    from mainstay.app.operate import act

    if bool(numbers) == every:
        raise click.UsageError("say which: numbers, or --all")
    done = act(config, "drift/accept", ids=list(numbers), every=every, by=by, reason=reason)
    show(done, as_json, f"accepted: {', '.join(map(str, done['accepted']))}")
