"""Runs the demo in a terminal or without one, and writes its report."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from mainstay.app.demo import Demo, Tell, run
from mainstay.app.page import page
from mainstay.app.show_demo import LiveView, summary


def check_writable(*files: Path) -> None:
    """Before the play, which takes minutes. Raises OSError."""
    for file in files:
        file.open("ab").close()


def _played(demo: Demo, tell: Tell) -> dict[str, Any]:
    """Play until the end, or until SIGTERM: then everything is stopped and cleared away first."""

    async def stoppable() -> dict[str, Any]:
        playing = asyncio.ensure_future(run(demo, tell))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, playing.cancel)
        return await playing

    try:
        return asyncio.run(stoppable())
    except asyncio.CancelledError:
        sys.exit(128 + signal.SIGTERM)


def perform(demo: Demo, *, headless: bool, report_file: Path | None, quiet: bool) -> dict[str, Any]:
    """Play, show, report. The page stands beside the JSON file."""
    if report_file is not None:
        check_writable(report_file, report_file.with_suffix(".html"))
    console = Console()
    samples: list[dict[str, Any]] = []

    def keep(now: dict[str, Any]) -> None:
        samples.append({"seconds": now["seconds"], "orders": now["orders"]})
        if not quiet and (len(samples) == 1 or now["phase"] != phases[-1]):
            phases.append(now["phase"])
            console.print(f"{now['phase']} …")

    phases = [""]
    if headless:
        report = _played(demo, keep)
    else:
        with LiveView(console) as view:

            def tell(now: dict[str, Any]) -> None:
                samples.append({"seconds": now["seconds"], "orders": now["orders"]})
                view.tell(now)

            report = _played(demo, tell)
    if not quiet:
        summary(report, console)
    if report_file is not None:
        report_file.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
        report_file.with_suffix(".html").write_text(page(report, samples))
        if not quiet:
            console.print(f"report: {report_file} and {report_file.with_suffix('.html')}")
    return report
