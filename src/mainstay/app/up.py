"""The supervisor: starts the three processes of one machine, restarts what dies, stops all of them by signal, in order.

The processes hold the end of a pipe that only the supervisor keeps open: when it is gone, however it died, they stop too.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import structlog

from mainstay.app.build import House, check_ready, open_house
from mainstay.app.meters import STALE_S

ROLES = ("core", "dispatch", "edge")  # the order in which they start; they stop in reverse
RESTART_S_MIN, RESTART_S_MAX = 0.2, 10.0
STOP_S_MAX = 20.0

log = structlog.get_logger("up")


class Role:
    """One child process. `lifeline` is the end of the pipe that it listens at."""

    def __init__(self, name: str, config: Path, lifeline: int) -> None:
        self.name, self.config, self.lifeline = name, config, lifeline
        self.failures = 0
        self.next_at = 0.0
        self.started_at = 0.0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "mainstay.app.cli", "role", self.name, "--supervised", "--config", str(self.config)]
        self.process = subprocess.Popen(command, stdin=self.lifeline)
        self.started_at = time.monotonic()

    def watch(self) -> None:
        """Start it again when it died, more slowly the more often it does."""
        now = time.monotonic()
        if self.process is None:
            if now >= self.next_at:
                self.start()
            return
        code = self.process.poll()
        if code is None:
            if self.failures and now - self.started_at > STALE_S:
                self.failures = 0
            return
        log.error("process_died", role=self.name, code=code)
        self.failures += 1
        self.process = None
        self.next_at = now + min(RESTART_S_MAX, RESTART_S_MIN * 2**self.failures)

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            log.error("process_killed", role=self.name)
            self.process.kill()
            self.process.wait()


def stop_with_supervisor() -> None:
    """In a child: when the pipe at our standard input ends, ask ourselves to stop, as the supervisor would have. A thread that waits
    for one read costs nothing, and is the same on Linux and macOS."""

    def wait() -> None:
        os.read(0, 1)  # not sys.stdin: its lock would be held when the interpreter ends
        log.error("supervisor_gone", doing="finish what is under way, then stop")
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def up(config: Path) -> int:
    """Run until SIGTERM or SIGINT."""
    house: House = open_house(config)
    check_ready(house)
    house.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    stopped: list[int] = []
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopped.append(1))
    lifeline, held = os.pipe()
    roles = [Role(name, config, lifeline) for name in ROLES]
    try:
        while not stopped:
            for role in roles:
                role.watch()
            time.sleep(0.1)
    finally:
        for role in reversed(roles):
            role.stop()
        os.close(held)
        os.close(lifeline)
    return 0
