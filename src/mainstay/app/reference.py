"""`python -m mainstay.app.reference docs/reference` writes the generated reference: proof describes, the top floor hands in what it has."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

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


def write(folder: Path) -> None:
    """Replace the reference: pages whose reason is gone go too."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = made()
    for old in folder.glob("*.md"):
        if old.name not in fresh:
            old.unlink()
    for name, text in fresh.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
