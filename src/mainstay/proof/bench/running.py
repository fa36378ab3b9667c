"""A running Mainstay for benchmarks: a landscape with as many channels as asked for, `mainstay up` as a process, its snapshots."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mainstay.landscape import as_toml
from mainstay.proof.access import LOCATION, keep, settings

READY_S_MAX = 30.0

HEAD = """[shop]
name = "Bench"
currency = "EUR"
data = "data"
[server]
port = {port}
api_token = "file:api-token"
[owners.operations]
contact = "ops@bench.example"
[systems.payments]
connector = "api"
owner = "operations"
environment = "test"
"""
SYSTEM = """[systems.{name}]
connector = "{connector}"
owner = "operations"
environment = "test"
[systems.{name}.settings]
{settings}
"""
CHANNEL = """[channels.{name}]
system = "{name}"
{location}
"""
OWNERSHIP = """[ownership.inventory.on_hand]
create = {stock}
[ownership.inventory.listing]
create = ["mainstay"]
consume = {channels}
[ownership.order.all]
create = {channels}
consume = {back}
[ownership.order.invoice]
create = {stock}
[ownership.fulfilment.all]
create = {parcels}
consume = {confirmed}
"""
FLOW = """[flows.{object}-from-{source}]
object = "{object}"
source = "{source}"
targets = {targets}
pattern = "{pattern}"
latency = "real-time"
owner = "operations"
runbook = "runbooks.md"
"""


def landscape(shops: Mapping[str, str], amazons: Mapping[str, str], back: Mapping[str, str], port: int) -> str:
    """The text of mainstay.toml; the mappings are name -> URL, `back` has erp and warehouse or is empty."""
    parts = [HEAD.format(port=port)]
    for name, url in shops.items():
        parts += [_system(name, "shopify", url, shop=domain(name)), CHANNEL.format(name=name, location=f'location = "{LOCATION}"')]
    for name, url in amazons.items():
        parts += [_system(name, "amazon", url), CHANNEL.format(name=name, location="")]
    parts += [_system("erp", "tryton", back["erp"]), _system("warehouse", "shipstation", back["warehouse"])] if back else []
    channels, told = [*shops, *amazons], ["warehouse", "erp"] if back else ["mainstay"]
    stock, parcels = (["erp"], ["warehouse"]) if back else ([], [])
    systems = {
        "stock": stock,
        "parcels": parcels,
        "channels": channels,
        "confirmed": channels if back else [],
        "back": told if back else [],
    }
    parts.append(OWNERSHIP.format(**{name: json.dumps(some) for name, some in systems.items()}))
    parts += [_flow("order", name, told, "event" if name in shops else "poll") for name in channels]
    parts += [_flow("inventory", "mainstay", channels, "direct")]
    parts += [_flow("inventory", "erp", ["mainstay"], "poll"), _flow("fulfilment", "warehouse", channels, "poll")] if back else []
    return "".join(parts)


def _system(name: str, connector: str, url: str, **own: str) -> str:
    held = {**settings(connector, url, "EUR"), **own}
    return SYSTEM.format(name=name, connector=connector, settings="\n".join(f"{key} = {as_toml(one)}" for key, one in held.items()))


def _flow(obj: str, source: str, targets: list[str], pattern: str) -> str:
    return FLOW.format(object=obj, source=source, targets=json.dumps(targets), pattern=pattern)


def domain(name: str) -> str:
    return f"{name.replace('_', '-')}.myshopify.com"


class Running:
    """`mainstay up` in a folder."""

    def __init__(self, place: Path, text: str, port: int, time_factor: float = 1.0) -> None:
        self.place, self.port = place, port
        self.config = place / "mainstay.toml"
        self.config.write_text(text)
        keep(place, {"api": "bench"})
        self.environment = {**os.environ, "MAINSTAY_TIME_FACTOR": str(time_factor)}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.place / "log").open("ab") as log:
            command = [sys.executable, "-m", "mainstay.app.cli", "up", "--config", str(self.config)]
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment, start_new_session=True
            )

    def kill(self) -> None:
        """All of it at once, as a power switch would."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(40)

    def ready(self) -> None:
        deadline = time.monotonic() + READY_S_MAX
        while not self.answers("/ready"):
            if time.monotonic() > deadline:
                raise AssertionError((self.place / "log").read_text()[-2_000:])
            time.sleep(0.05)

    def answers(self, path: str) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def snapshot(self) -> dict[str, Any]:
        path = self.place / "data" / "dispatch.now.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def behind(self) -> int:
        """Receipts that are durable and not handled yet."""
        from mainstay.storage.inbox import InboxReader
        from mainstay.storage.state import State

        state = State(self.place / "data" / "state.db", write=False)
        counters = state.counters()
        state.close()
        total = 0
        for name in ("inbox", "outcomes"):
            reader = InboxReader(self.place / "data" / f"{name}.db")
            total += reader.behind(counters.get(f"position/{name}", 0))
            reader.close()
        return total
