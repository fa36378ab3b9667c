"""The verbs that hold back what goes out, and let it go on."""

from __future__ import annotations

from pathlib import Path

import click

from mainstay.app.options import BY, CONFIG, JSON, show, state_of

TARGET = click.argument("target", metavar="KIND:NAME")


@click.command("pause")
@TARGET
@click.option("--drain", is_flag=True, help="What is to go out already goes out still.")
@click.option("--reason", required=True, help="Why: whoever sees it waiting must know.")
@BY
@CONFIG
@JSON
def pause(target: str, drain: bool, reason: str, by: str, config: Path, as_json: bool) -> None:
    """Hold back what goes out: system:wms, flow:orders-to-erp, channel:shop, sku:TSH-001, key:ord.shop.17. Nothing is lost by it."""
    _set(target, "draining" if drain else "paused", reason, by, config, as_json)


@click.command("resume")
@TARGET
@click.option("--reason", default="", help="Why.")
@BY
@CONFIG
@JSON
def resume(target: str, reason: str, by: str, config: Path, as_json: bool) -> None:
    """Let it go on."""
    _set(target, "running", reason, by, config, as_json)


def _set(target: str, mode: str, reason: str, by: str, config: Path, as_json: bool) -> None:
    from mainstay.app.operate import act

    done = act(config, "pauses", target=target, mode=mode, reason=reason, by=by)
    show(done, as_json, f"{done['target']} is {done['mode']}")


@click.command("pauses")
@CONFIG
@JSON
def pauses(config: Path, as_json: bool) -> None:
    """What is held back, since when, by whom and why."""
    from mainstay.app.build import look_into
    from mainstay.flows import journey

    found = journey.pauses(state_of(look_into(config).data))
    lines = [f"{one['target']}  {one['mode']} since {one['at']} by {one['by'] or 'nobody named'}: {one['reason']}" for one in found]
    show(found, as_json, "\n".join(lines) or "nothing is held back: everything goes on")
