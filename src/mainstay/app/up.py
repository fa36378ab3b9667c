"""The supervisor: starts the three processes of one machine, restarts what dies, stops all of them by signal, in order.

The processes hold the end of a pipe that only the supervisor keeps open: when it is gone, however it died, they stop too.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

from mainstay.app.build import House, check_ready, hooks, open_house
from mainstay.app.declaration import refuse_errors
from mainstay.app.listening import listening
from mainstay.app.snapshots import STALE_S, read_snapshot, write_snapshot
from mainstay.storage.database import Lock, connect

ROLES = ("core", "dispatch", "edge")  # the order in which they start; they stop in reverse
RESTART_S_MIN, RESTART_S_MAX = 0.2, 10.0
STOP_S_MAX = 20.0
LOOK_S = 1.0  # how often it looks whether a system has gone or come back
CANNOT = 2  # how a process ends that has said what a person must do first: starting it again changes nothing

log = structlog.get_logger("up")
Say = Callable[[str, dict[str, Any]], None]  # in words for people, and the same as plain data for programs


class Role:
    """One child process. `lifeline` is the end of the pipe that it listens at; it says on its standard output when it is ready."""

    def __init__(self, name: str, config: Path, lifeline: int) -> None:
        self.name, self.config, self.lifeline = name, config, lifeline
        self.failures = 0
        self.next_at = 0.0
        self.started_at = 0.0
        self.ready = False  # it has worked once
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "mainstay.app.cli", "role", self.name, "--supervised", "--config", str(self.config)]
        self.process = subprocess.Popen(command, stdin=self.lifeline, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        self.started_at = time.monotonic()

    def watch(self) -> None:
        """Start it again when it died, more slowly the more often it does."""
        now = time.monotonic()
        if self.process is None:
            if now >= self.next_at:
                self.start()
            return
        assert self.process.stdout is not None
        self.ready = bool(self.process.stdout.read()) or self.ready
        code = self.process.poll()
        if code is None:
            if self.failures and now - self.started_at > STALE_S:
                self.failures = 0
            return
        if code == CANNOT and not self.ready:
            raise Cannot
        log.error("process_died", role=self.name, code=code)
        self.failures += 1
        self.process.stdout.close()
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


class Cannot(Exception):
    """A process cannot start, and has said why."""


class Watch:
    """Says which systems have gone and which are back, once each."""

    def __init__(self, data: Path, say: Say) -> None:
        self.data, self.say = data, say
        self.gone: set[str] = set()
        self._looked_at = 0.0

    def look(self) -> None:
        now = time.monotonic()
        if now - self._looked_at < LOOK_S:
            return
        self._looked_at = now
        self.compare(read_snapshot(self.data, "dispatch").get("systems", {}))

    def compare(self, systems: Mapping[str, Any]) -> None:
        """`systems` as dispatch tells of them: name -> breaker, reason …"""
        for name, one in systems.items():
            if one["breaker"] == "open" and name not in self.gone:
                self.gone.add(name)
                why = one["reason"]
                self.say(f"{name} cannot be worked with, its messages are kept: {why}", {"event": "gone", "system": name, "reason": why})
            elif one["breaker"] == "closed" and name in self.gone:
                self.gone.remove(name)
                self.say(f"{name} is back", {"event": "back", "system": name})


class Pulse:
    """Writes down how the processes fare, for those that look after them."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self._beat_at = 0.0

    def beat(self, roles: Sequence[Role]) -> None:
        now = time.monotonic()
        if now - self._beat_at >= LOOK_S:
            self._beat_at = now
            fare = {role.name: {"running": role.process is not None, "failures": role.failures} for role in roles}
            with contextlib.suppress(OSError):  # a full disk ends no supervisor
                write_snapshot(self.data, "up", {"roles": fare})


def stop_with_supervisor() -> None:
    """In a child: when the pipe at our standard input ends, ask ourselves to stop, as the supervisor would have. A thread that waits
    for one read costs nothing, and is the same on Linux and macOS."""

    def wait() -> None:
        os.read(0, 1)  # not sys.stdin: its lock would be held when the interpreter ends
        log.error("supervisor_gone", doing="finish what is under way, then stop")
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def up(config: Path, say: Say) -> int:
    """Run until SIGTERM or SIGINT; 2 where a process cannot start. `say` is told what people want to know. Raises Halt, Misdeclared."""
    refuse_errors(config)
    house = open_house(config)
    check_ready(house)
    house.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = Lock(house.data)
    check_free(house)
    stopped: list[int] = []
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopped.append(1))
    lifeline, held = os.pipe()
    roles = [Role(name, config, lifeline) for name in ROLES]
    watch, pulse = Watch(house.data, say), Pulse(house.data)
    greeted = False
    try:
        while not stopped:
            for role in roles:
                role.watch()
            pulse.beat(roles)
            if not greeted and all(role.ready for role in roles):
                greeted = True
                say(greeting(house), ready(house, roles))
            if greeted:
                watch.look()
            time.sleep(0.1)
    except Cannot:
        return CANNOT
    finally:
        for role in reversed(roles):
            role.stop()
        os.close(held)
        os.close(lifeline)
        lock.release()
    say("stopped; what had arrived is handled or kept", {"event": "stopped"})
    return 0


def check_free(house: House) -> None:
    """Refuse to start where another Mainstay runs, or on a store that this one cannot read. Raises Halt."""
    for name in ("state", "outcomes", "inbox"):
        path = house.data / f"{name}.db"
        Lock(path).release()
        if path.exists():
            connect(path, write=False, schema=name).close()
    listening(house.landscape.server.listen, house.landscape.server.port).close()


def greeting(house: House) -> str:
    """Where it listens, and what it stands between."""
    systems = ", ".join(f"{name} ({one.connector})" for name, one in house.landscape.systems.items())
    return f"ready on {address(house)}, between {systems}"


def ready(house: House, roles: Sequence[Role]) -> dict[str, Any]:
    """The same for programs, with what they would look for next: where to call, where events go, which processes these are."""
    return {
        "event": "ready",
        "url": address(house),
        "hooks": hooks(house),
        "systems": {name: one.connector for name, one in house.landscape.systems.items()},
        "pids": {"up": os.getpid(), **{role.name: role.process.pid for role in roles if role.process is not None}},
    }


def address(house: House) -> str:
    """The base URL of what listens on this machine."""
    server = house.landscape.server
    return f"http://{server.listen}:{server.port}"
