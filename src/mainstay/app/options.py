"""What the verbs of the command line share: options, how an answer is printed, how the store is opened for a question."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click
import msgspec

CONFIG = click.option(
    "--config", "-c", type=click.Path(path_type=Path), default=Path("mainstay.toml"), show_default=True, help="The declared shop."
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON; where it fails, one line {code, detail} on standard error.")
BY = click.option("--by", default=lambda: os.environ.get("USER", ""), help="Who does it.")


def pairs(_context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    wrong = [one for one in texts if "=" not in one]
    if wrong:
        raise click.BadParameter(f"{wrong[0]!r} says no value; write NAME=VALUE, such as currency=EUR")
    return dict(one.split("=", 1) for one in texts)


def show(value: Any, as_json: bool, text: str | None = None) -> None:
    """Print a value, as JSON or for people."""
    if as_json or text is None:
        click.echo(json.dumps(msgspec.to_builtins(value), indent=None if as_json else 2, ensure_ascii=False))
    else:
        click.echo(text)


def state_of(data: Path) -> Any:
    from mainstay.storage.state import State

    there(data)
    return State(data / "state.db", write=False)


def there(data: Path) -> None:
    from mainstay.model.failures import Halt

    if not (data / "state.db").exists():
        raise Halt(f"there is no store in {data} yet; `mainstay up` makes it", "not_ready")
