"""What the verbs of the command line share: options, how an answer is printed, how the store is opened for a question."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
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


def worked_in(config: Path) -> Any:
    """The house, where Mainstay has worked in it: whether there is a store is looked at before any secret."""
    from mainstay.app.build import look_into, open_house

    there(look_into(config).data)
    return open_house(config)


@contextlib.contextmanager
def complaining(*, as_json: bool) -> Iterator[None]:
    """Turns failures that people can act on into one clear sentence and exit code 2."""
    from mainstay.landscape import Misdeclared
    from mainstay.model.failures import Failure
    from mainstay.storage.database import DAMAGED, NO_MEMORY, STORE_FAILED, damage

    try:
        yield
        return
    except Misdeclared as wrong:
        complain("misdeclared", str(wrong), as_json, findings=[plain_finding(one) for one in wrong.findings])
    except Failure as failure:
        complain(failure.code, failure.why, as_json)
    except click.UsageError as misused:
        if not as_json:
            raise
        complain("usage", misused.format_message(), as_json)
    except NO_MEMORY:  # nothing that a person must do before it can be started again
        raise
    except OSError as failed:
        if failed.filename is None:  # not a file that somebody named: a bug
            raise
        complain("file", f"{failed.filename}: {failed.strerror}", as_json)
    except (*DAMAGED, *STORE_FAILED) as failed:
        if found := damage(failed):
            complain(
                "store_damaged", f"the store is damaged: {found}; `mainstay doctor` looks at each file, a backup has it whole", as_json
            )
        else:
            told = f"the store cannot be used: {failed}; look whether its disk is full, `mainstay doctor` looks at the rest"
            complain("store_failed", told, as_json)
    sys.exit(2)


def complain(code: str, detail: str, as_json: bool, **more: Any) -> None:
    """Say on standard error why it could not be done."""
    click.echo(json.dumps({"code": code, "detail": detail, **more}, ensure_ascii=False) if as_json else f"mainstay: {detail}", err=True)


def plain_finding(finding: Any) -> dict[str, Any]:
    return {"code": finding.code, "severity": finding.severity, "file": finding.file, "line": finding.line, "text": str(finding)}
