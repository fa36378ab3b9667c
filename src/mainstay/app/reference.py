"""`python -m mainstay.app.reference docs/reference` writes the generated reference: proof describes, the top floor hands in what it has.
Beside it stands docs/runbooks.md, of which it makes the page that `mainstay init` writes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from mainstay import landscape
from mainstay.app.cli import main
from mainstay.edge.api import Api
from mainstay.edge.openapi import Endpoint
from mainstay.proof.reference import pages


def endpoints() -> tuple[Endpoint, ...]:
    """What the API declares."""
    absent: Any = None  # nothing is opened
    return Api(absent, absent, absent, absent, {}, {}, bytes, str).endpoints


def made() -> dict[str, str]:
    """File name -> text of every page."""
    return pages(main, endpoints())


def runbooks(docs: Path) -> str:
    """The text of the page that every shop begins with."""
    return landscape.alone((docs / landscape.PAGE).read_text(encoding="utf-8"))


def write(folder: Path) -> None:
    """Replace the reference: pages whose reason is gone go too."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = made()
    for old in folder.glob("*.md"):
        if old.name not in fresh:
            old.unlink()
    for name, text in fresh.items():
        (folder / name).write_text(text, encoding="utf-8")
    Path(__file__).with_name(landscape.PAGE).write_text(runbooks(folder.parent), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
