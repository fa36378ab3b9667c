"""A load of signed webhooks from a process of its own: keep-alive connections that send the next request when the last is answered.

Run as `python -m mainstay.proof.bench.load PORT PATH SECRET SECONDS CONNECTIONS RATE FIRST COUNT FAULTY`; prints JSON.
RATE 0 is as fast as it goes; otherwise requests leave at their scheduled moments, and latencies count from those. FAULTY 1: some come
again, break off, or are forged.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import subprocess
import sys
import time
from typing import Any

from mainstay.proof.bench.faults import AGAIN, comes_again, garbled, is_forged, is_garbled
from mainstay.proof.bench.payloads import order


def requests(path: str, secret: str, first: int, count: int, *, faulty: bool = False) -> list[bytes]:
    """Raw HTTP requests with fresh event ids over a few hundred bodies."""
    bodies = [order(number) for number in range(min(count, 400))]
    signed = [_signed(body, secret) for body in bodies]
    broken = [_signed(garbled(body), secret) for body in bodies]
    made: list[bytes] = []
    for number in range(first, first + count):
        if faulty and comes_again(number):
            made.append(made[-AGAIN // 2])
            continue
        body, signature = (broken if faulty and is_garbled(number) else signed)[number % len(signed)]
        if faulty and is_forged(number):
            signature = signed[(number + 1) % len(signed)][1]
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"X-Shopify-Topic: orders/create\r\nX-Shopify-Shop-Domain: acme.myshopify.com\r\nX-Shopify-Hmac-Sha256: {signature}\r\n"
            f"X-Shopify-Event-Id: {number * 2654435761 % 2**61:016x}\r\nX-Shopify-Webhook-Id: w{number}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


def _signed(body: bytes, secret: str) -> tuple[bytes, str]:
    return body, base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()


class Loading:
    """A load that runs in its process from now on: `told` waits for its figures."""

    def __init__(
        self, port: int, path: str, secret: str, seconds: float, connections: int, rate: float, count: int, *, faulty: bool = False
    ) -> None:
        arguments = [str(one) for one in (port, path, secret, seconds, connections, rate, 0, count, int(faulty))]
        command = [sys.executable, "-m", "mainstay.proof.bench.load", *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdout.readline()  # its requests are made
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def told(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        figures: dict[str, Any] = json.loads(self.process.stdout.readline())
        self.process.wait(20)
        return figures


class Load:
    """Sends requests over several connections until the time is up or they are all sent."""

    def __init__(self, port: int, made: list[bytes], seconds: float, rate: float) -> None:
        self.port, self.made, self.seconds, self.rate = port, made, seconds, rate
        self.next = 0
        self.latencies: list[float] = []
        self.statuses: dict[int, int] = {}

    async def run(self, connections: int) -> dict[str, object]:
        self.started = time.perf_counter()
        await asyncio.gather(*(self._connection() for _ in range(connections)))
        took = time.perf_counter() - self.started
        ordered = sorted(self.latencies)
        return {
            "answered": len(ordered),
            "seconds": took,
            "statuses": self.statuses,
            "p50_ms": 1000 * ordered[len(ordered) // 2] if ordered else 0,
            "p99_ms": 1000 * ordered[int(len(ordered) * 0.99)] if ordered else 0,
        }

    async def _connection(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        while self.next < len(self.made) and time.perf_counter() - self.started < self.seconds:
            number, self.next = self.next, self.next + 1
            due = self.started + number / self.rate if self.rate else time.perf_counter()
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            try:
                writer.write(self.made[number])
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                await reader.readexactly(length)
            except (OSError, asyncio.IncompleteReadError):
                return  # the server died: this delivery was not acknowledged
            status = int(head[9:12])
            self.statuses[status] = self.statuses.get(status, 0) + 1
            self.latencies.append(time.perf_counter() - due)
        writer.close()


def main() -> None:
    port, path, secret, seconds, connections, rate, first, count, faulty = sys.argv[1:]
    import uvloop

    made = requests(path, secret, int(first), int(count), faulty=faulty == "1")
    load = Load(int(port), made, float(seconds), float(rate))
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(uvloop.run(load.run(int(connections)))), flush=True)


if __name__ == "__main__":
    main()
