"""bench restart: every process is killed at peak; how soon is the first delivery acknowledged again, how soon is the backlog gone?"""

from __future__ import annotations

import statistics
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from mainstay.proof.access import SECRETS, SHOP
from mainstay.proof.bench import folder
from mainstay.proof.bench.load import Loading, requests
from mainstay.proof.bench.running import Running, domain, landscape
from mainstay.proof.town import free_port
from mainstay.storage.database import rows
from mainstay.storage.state import State

PATH = "/hooks/shop"


def run(quick: bool) -> dict[str, Any]:
    """Seconds to the first acknowledgement and to an empty backlog; `correct`: no acknowledged delivery is lost, each counts once."""
    reps, seconds = (1, 1.0) if quick else (5, 4.0)
    calm: list[dict[str, Any]] = []
    faulty: list[dict[str, Any]] = []
    for _ in range(reps):
        for found, faults in ((calm, False), (faulty, True)):
            with folder() as place:
                found.append(_once(place, seconds, faulty=faults))
    first, empty = [one["first_s"] for one in calm], [one["empty_s"] for one in calm]
    return {
        "rate": round(statistics.median(first), 3), "spread": [round(min(first), 3), round(max(first), 3)], "ratio": None, "ratios": {},
        "first_acknowledgement_s": round(statistics.median(first), 3), "backlog_gone_s": round(statistics.median(empty), 3),
        "backlog_gone_spread_s": [round(min(empty), 3), round(max(empty), 3)],
        "acknowledged_and_lost": sum(one["lost"] for one in calm + faulty),
        "with_faults": {
            "faults": "beside the kill: of 100 deliveries 10 come again, 2 break off, 2 are forged",
            "first_acknowledgement_s": round(statistics.median(one["first_s"] for one in faulty), 3),
            "backlog_gone_s": round(statistics.median(one["empty_s"] for one in faulty), 3),
        },
        "correct": all(one["lost"] == 0 and one["ended"] == one["receipts"] for one in calm + faulty), "reps": reps,
    }  # fmt: skip


def _once(place: Path, seconds: float, *, faulty: bool) -> dict[str, Any]:
    port = free_port()
    text = landscape({"shop": "http://127.0.0.1:9"}, {}, {}, port).replace(domain("shop"), SHOP)
    running = Running(place, text, port)
    running.start()
    try:
        running.ready()
        acknowledged = _load_then_kill(running, seconds, faulty=faulty)
        started = time.monotonic()
        running.start()
        raw = requests(PATH, SECRETS["shop-secret"], 50_000_000, 1)[0]
        while not _posted(port, raw):
            time.sleep(0.01)
        first = time.monotonic() - started
        while running.behind():
            time.sleep(0.05)
        empty = time.monotonic() - started
    finally:
        running.stop()
    state = State(place / "data" / "state.db", write=False)
    receipts = rows(state.connection, "SELECT coalesce(sum(n), 0) FROM tally WHERE topic = 'orders/create'")[0][0]
    how = ("applied", "duplicate", "stale", *(("parked",) if faulty else ()))
    ended = sum(n for outcome, n in rows(state.connection, "SELECT outcome, n FROM tally") if outcome in how)
    state.close()
    return {"first_s": first, "empty_s": empty, "lost": max(0, acknowledged + 1 - receipts), "receipts": receipts, "ended": ended}


def _load_then_kill(running: Running, seconds: float, *, faulty: bool) -> int:
    """As fast as it goes, then everything dies in the middle of it; returns how many deliveries were acknowledged."""
    loading = Loading(running.port, PATH, SECRETS["shop-secret"], seconds * 4, 32, 0, int(seconds * 40_000), faulty=faulty)
    time.sleep(seconds)
    running.kill()
    return int(loading.told()["statuses"].get("200", 0))


def _posted(port: int, raw: bytes) -> bool:
    head, _, body = raw.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    request = urllib.request.Request(f"http://127.0.0.1:{port}{PATH}", body, headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
