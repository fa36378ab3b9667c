"""Runs the demo in a terminal or without one, and writes its report."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from mainstay.app.demo import Demo, run
from mainstay.app.page import page
from mainstay.app.show_demo import LiveView, summary


def check_writable(*files: Path) -> None:
    """Before the play, which takes minutes. Raises OSError."""
    for file in files:
        file.open("ab").close()


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
        report = asyncio.run(run(demo, keep))
    else:
        with LiveView(console) as view:

            def tell(now: dict[str, Any]) -> None:
                samples.append({"seconds": now["seconds"], "orders": now["orders"]})
                view.tell(now)

            report = asyncio.run(run(demo, tell))
    if not quiet:
        summary(report, console)
    if report_file is not None:
        report_file.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
        report_file.with_suffix(".html").write_text(page(report, samples))
        if not quiet:
            console.print(f"report: {report_file} and {report_file.with_suffix('.html')}")
    return report
