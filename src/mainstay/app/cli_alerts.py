"""The verbs about alerts: what is wrong now, who was told, and does it arrive."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mainstay.app.options import CONFIG, JSON, show, there


@click.group("alerts", invoke_without_command=True)
@CONFIG
@JSON
@click.pass_context
def alerts(context: click.Context, config: Path, as_json: bool) -> None:
    """What is wrong now, each cause once, and who was told of it. The newest 200 messages."""
    if context.invoked_subcommand is not None:
        return
    from mainstay.app.build import look_into
    from mainstay.app.show import alerts_text
    from mainstay.edge.alarms import shown
    from mainstay.storage.inbox import InboxReader

    house = look_into(config)
    there(house.data)
    found = shown(InboxReader(house.data / "outcomes.db"))
    show(found, as_json, alerts_text(found))


@alerts.command("test")
@click.option("--to", "owner", required=True, metavar="OWNER", help="A name under [owners].")
@CONFIG
@JSON
def test(owner: str, config: Path, as_json: bool) -> None:
    """Send one message to an owner by each of their ways, now; exit 1 when one does not arrive."""
    from mainstay.app.alerting import try_out
    from mainstay.app.build import open_house

    found = try_out(open_house(config), owner)
    lines = [f"{one['way']}: {one['result']} to {one['to']}" + (f"; {one['why']}" if one["why"] else "") for one in found]
    show(found, as_json, "\n".join(lines))
    sys.exit(1 if any(one["result"] == "failed" for one in found) else 0)
