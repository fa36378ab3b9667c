"""A small shop with a real Mainstay: `mainstay up` as a user runs it. The systems outside are a port where nobody listens."""

from __future__ import annotations

import atexit
import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mainstay import landscape
from mainstay.app import build
from mainstay.app.snapshots import backlog
from mainstay.proof.town import free_port

SAMPLES = Path(build.__file__).parents[1] / "connectors" / "shopify" / "samples"
SHOP_SECRET, OTHER_SECRET, STRIPE_SECRET, HOOK_SECRET = "canary-shop-secret", "canary-other-secret", "canary-whsec", "canary-path"
TOKENS = {"operator": "canary-operator-token", "till": "canary-till-token", "kiosk": "canary-kiosk-token"}
READY_S = 30.0
JSON = "application/json"


class Running:
    """`mainstay up` over a folder. Only what this object started is ever stopped by it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.config, self.data = folder, folder / "mainstay.toml", folder / "mainstay-data"
        self.port = free_port()
        self.up: subprocess.Popen[bytes] | None = None
        self.declare()

    def declare(self) -> None:
        """mainstay.toml as `init` writes it, and its secrets in files."""
        nowhere = f"http://127.0.0.1:{free_port()}"
        shop = {"token": "file:shop-token", "currency": "EUR", "location": "1", "payment_system": "payments", "url": nowhere}
        settings: dict[str, dict[str, Any]] = {
            "shop": {**shop, "shop": "acme.myshopify.com", "webhook_secret": "file:shop-secret"},
            "other": {**shop, "shop": "other.myshopify.com", "webhook_secret": "file:other-secret"},
            "payments": {"secret_key": "file:stripe-key", "webhook_secrets": ["file:stripe-secret"], "url": nowhere},
            "warehouse": {
                "key": "k", "secret": "file:shop-token", "hook_secret": "file:hook-secret", "currency": "EUR", "url": nowhere,
            },
            "till": {"token": "file:till-token"}, "kiosk": {"token": "file:kiosk-token"},
        }  # fmt: skip
        systems = {
            "shop": "shopify", "other": "shopify", "payments": "stripe", "warehouse": "shipstation", "till": "api", "kiosk": "api",
        }  # fmt: skip
        answers = landscape.Answers(
            shop="Test", currency="EUR", contact="ops@shop.example", systems=systems, asks_first=("till", "kiosk"), environment="test",
            settings=settings, url=f"http://127.0.0.1:{self.port}",
        )  # fmt: skip
        text = landscape.write(answers, build.offers())
        self.config.write_text(text.replace("[server]", f'[server]\nport = {self.port}\napi_token = "file:operator-token"', 1))
        held = {
            "shop-token": "canary-shop-token", "shop-secret": SHOP_SECRET, "other-secret": OTHER_SECRET, "stripe-key": "canary-stripe-key",
            "stripe-secret": STRIPE_SECRET, "hook-secret": HOOK_SECRET, **{f"{who}-token": token for who, token in TOKENS.items()},
        }  # fmt: skip
        for name, value in held.items():
            (self.folder / name).write_text(value)

    # --- the processes -----------------------------------------------------------------------------------------------
    def start(self) -> Running:
        command = [sys.executable, "-m", "mainstay.app.cli", "up", "--config", str(self.config)]
        with (self.folder / "mainstay.log").open("ab") as output:
            self.up = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        atexit.register(self.up.kill)  # whatever becomes of the test: its children stop with it
        self.until(lambda: self.call("GET", "/ready")[0] == 200, "it never became ready")
        return self

    def stop(self) -> int:
        """Ask it to stop, and wait until it has."""
        assert self.up is not None
        self.up.send_signal(signal.SIGTERM)
        return self.up.wait(30)

    def role(self, name: str) -> int | None:
        """The process id of one of our three processes."""
        assert self.up is not None
        found = subprocess.run(["pgrep", "-P", str(self.up.pid), "-f", f"mainstay {name}"], capture_output=True, text=True, check=False)
        return int(found.stdout.split()[0]) if found.stdout else None

    def held(self, process: int, *, writable: bool = False) -> list[str]:
        """What a process has open, on Linux: files, pipes, sockets; or only what it can write to."""
        folder, found = Path(f"/proc/{process}"), []
        for one in (folder / "fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed since
                flags = int((folder / "fdinfo" / one.name).read_text().split()[3], 8)
                if not writable or flags & os.O_ACCMODE != os.O_RDONLY:
                    found.append(str(one.readlink()))
        return found

    def kill(self, name: str) -> None:
        """kill -9 of one of them, as a crash would; returns when another has taken its place."""
        old = self.role(name)
        assert old is not None
        os.kill(old, signal.SIGKILL)
        self.until(lambda: self.role(name) not in (None, old), f"{name} was not started again")

    def until(self, done: Any, otherwise: str, within_s: float = READY_S) -> None:
        ends = time.monotonic() + within_s
        while time.monotonic() < ends:
            if done():
                return
            time.sleep(0.02)
        raise AssertionError(f"{otherwise}; its log:\n{self.log()[-3000:]}")

    def log(self) -> str:
        return (self.folder / "mainstay.log").read_text(errors="replace")

    def settled(self) -> None:
        """Wait until the core has handled everything that came in."""
        self.until(lambda: not any(backlog(self.data).values()), "the core does not get through")

    def cli(self, *words: str) -> tuple[int, str, str]:
        """A command of the CLI as a user types it: exit code, output, errors."""
        command = [sys.executable, "-m", "mainstay.app.cli", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.folder, timeout=60)
        return done.returncode, done.stdout, done.stderr

    # --- over the wire -----------------------------------------------------------------------------------------------
    def call(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> tuple[int, bytes, str]:
        """(status, body, content type); status 0 where nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body or None, dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.getheader("content-type", "")
        except (OSError, http.client.HTTPException):
            return 0, b"", ""
        finally:
            connection.close()

    def ask(self, method: str, path: str, body: Any = None, who: str = "till", key: str = "", kind: str = JSON) -> tuple[int, Any]:
        """The API, as a channel or as an operator. `kind` is the content type."""
        headers = {"authorization": f"Bearer {TOKENS.get(who, who)}", "content-type": kind, **({"idempotency-key": key} if key else {})}
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        status, answer, told = self.call(method, path, raw, headers)
        assert (told == "application/problem+json") == (status >= 400), (status, told)
        return status, json.loads(answer)

    def hook(self, body: bytes, event: str, topic: str = "orders/create", **more: str) -> tuple[int, bytes]:
        """A delivery of the Shopify shop, signed as Shopify does."""
        status, answer, _ = self.call("POST", "/hooks/shop", body, {**shopify_headers(body, event, topic), **more})
        return status, answer

    def order(self, number: int) -> dict[str, Any]:
        """What is known of an order; empty where it is not known."""
        status, found = self.ask("GET", f"/v1/orders/{number}", who="operator")
        return found if status == 200 else {}

    def letter(self, event: str) -> dict[str, Any]:
        """The dead letter that a delivery became."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            found[:] = [one for one in self.ask("GET", "/v1/deadletters", who="operator")[1] if one.get("key") == event]
            return bool(found)

        self.until(there, f"{event} became no dead letter")
        return found[0]


def shopify_headers(body: bytes, event: str, topic: str = "orders/create", secret: str = SHOP_SECRET) -> dict[str, str]:
    signature = base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()
    return {
        "x-shopify-hmac-sha256": signature, "x-shopify-shop-domain": "acme.myshopify.com", "x-shopify-topic": topic,
        "x-shopify-event-id": event, "content-type": "application/json",
    }  # fmt: skip


def stripe_signature(body: bytes, at_s: int, secret: str = STRIPE_SECRET) -> str:
    return f"t={at_s},v1={hmac.new(secret.encode(), f'{at_s}.'.encode() + body, hashlib.sha256).hexdigest()}"


def an_order(number: int, **changes: Any) -> bytes:
    """An order as Shopify posts it."""
    order = json.loads((SAMPLES / "order.json").read_bytes())
    return json.dumps({**order, "id": number, "name": f"#{number}", **changes}).encode()
