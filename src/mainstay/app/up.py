"""The supervisor: starts the three processes of one machine, restarts what dies, stops all of them by signal, in order.

It loads everything once and opens nothing; its processes are forked from it, and are back as soon as they have opened their files
(decision 20). They hold the end of a pipe that only the supervisor keeps open: when it is gone, however it died, they stop too.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import structlog
from setproctitle import setproctitle

from mainstay.app.build import House, check_ready, hooks, open_house
from mainstay.app.declaration import refuse_errors
from mainstay.app.listening import listening
from mainstay.app.options import complaining
from mainstay.app.roles import ROLES, STOPPED, STOPS, Work
from mainstay.app.snapshots import STALE_S, read_snapshot, write_snapshot
from mainstay.flows.heap import look_seldom
from mainstay.storage.database import Lock, Older, connect
from mainstay.storage.together import FILES, refuse_apart

RESTART_S_MIN, RESTART_S_MAX = 0.2, 10.0
DOUBLINGS_MAX = 10
STOP_S_MAX = 20.0
LOOK_S = 1.0  # how often it looks whether a system has gone or come back
SILENT_S_MAX = 300  # longer than anything that a process does takes
CANNOT = 2  # how a process ends that has said what a person must do first: starting it again changes nothing
FORKING = multiprocessing.get_context("fork")

log = structlog.get_logger("up")
Say = Callable[[str, dict[str, Any]], None]  # in words for people, and the same as plain data for programs


class Role:
    """One child process. It lives as long as its lifeline, and lets go of what is the supervisor's; it says in a pipe that it works."""

    def __init__(self, name: str, house: House, lifeline: int, let_go: Callable[[], None]) -> None:
        self.name, self.house, self.lifeline, self.let_go = name, house, lifeline, let_go
        self.failures = 0
        self.next_at = 0.0
        self.started_at = 0.0
        self.ready = False  # it has worked once
        self._works = False  # this process does
        self.silent_s = 0  # looks, a second apart, since it has said anything
        self.process: ForkProcess | None = None
        self._heard = -1

    def start(self) -> None:
        """Raises OSError where the machine has no room for another process."""
        work, before = ROLES[self.name](), _open_files()
        heard, says = os.pipe()
        gc.freeze()  # what is loaded stays as it is, and is in memory once: https://docs.python.org/3/library/gc.html#gc.freeze
        process = FORKING.Process(target=self._live, args=(work, heard, says))
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)  # a child that is told to stop before it listens would run on
        try:
            process.start()
        except OSError:
            for left in _open_files() - before - {says}:  # multiprocessing leaves its own pipes open then, too
                os.close(left)
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
            os.close(says)
        os.set_blocking(heard, False)
        self.process, self._heard, self.started_at = process, heard, time.monotonic()
        self._works, self.silent_s = False, 0

    def _live(self, work: Work, heard: int, says: int) -> None:
        """In the child, from its birth on."""
        for number in STOPS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
        self.let_go()
        os.close(heard)
        os.set_blocking(says, False)
        os.dup2(2, 1)  # what the supervisor says to programs is its own
        setproctitle(f"mainstay {self.name} in {self.house.folder}")
        stop_with_supervisor(self.lifeline)
        look_seldom()
        with complaining(as_json=False):
            work(self.house, partial(_beat, says))

    def watch(self) -> None:
        """Start it again when it died, more slowly the more often it does."""
        now = time.monotonic()
        if self.process is None:
            if now >= self.next_at:
                try:
                    self.start()
                except OSError as failed:
                    log.error("process_not_started", role=self.name, why=str(failed))
                    self._put_off(now)
            return
        with contextlib.suppress(BlockingIOError):
            if os.read(self._heard, 1 << 16):
                self.ready, self._works, self.silent_s = True, True, 0
        code = self.process.exitcode
        if code is None:
            if self.failures and now - self.started_at > STALE_S:
                self.failures = 0
            return
        if code == CANNOT and not self.ready:
            raise Cannot
        log.error("process_died", role=self.name, code=code)
        os.close(self._heard)
        self.process = None
        self._put_off(now)

    def look(self) -> None:
        """Once a second. A process that works says so twice a second; one that has said nothing for so long stands still, and does so for
        good: it is ended as by a crash, and started again. Looks count, not time: there are none while the supervisor stands still."""
        self.silent_s += self._works
        if self.silent_s >= SILENT_S_MAX and self.process is not None:
            log.error("process_stands_still", role=self.name, doing="end it, to be started again")
            self.silent_s = 0
            self.process.kill()

    def _put_off(self, now: float) -> None:
        self.failures += 1
        self.next_at = now + min(RESTART_S_MAX, RESTART_S_MIN * 2 ** min(self.failures, DOUBLINGS_MAX))

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.terminate()
        self.process.join(STOP_S_MAX)
        if self.process.exitcode is None:
            log.error("process_killed", role=self.name)
            self.process.kill()
            self.process.join()


def _beat(says: int) -> None:
    """In a child: say that it works. A supervisor that stands still hears nothing, and holds up nobody."""
    with contextlib.suppress(BlockingIOError):
        os.write(says, b".")


def _open_files() -> set[int]:
    found = set()
    for number in map(int, os.listdir("/dev/fd")):
        with contextlib.suppress(OSError):  # the folder itself was open, too
            os.fstat(number)
            found.add(number)
    return found


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
    """Writes down how the processes fare, for those that look after them; and sees who stands still."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self._beat_at = 0.0

    def beat(self, children: Mapping[str, Role]) -> None:
        now = time.monotonic()
        if now - self._beat_at >= LOOK_S:
            self._beat_at = now
            for role in children.values():
                role.look()
            fare = {
                name: {"running": role.process is not None, "failures": role.failures, "silent_s": role.silent_s}
                for name, role in children.items()
            }
            with contextlib.suppress(OSError):  # a full disk ends no supervisor
                write_snapshot(self.data, "up", {"roles": fare})


def stop_with_supervisor(lifeline: int) -> None:
    """In a child: when the pipe ends, ask ourselves to stop, as the supervisor would have. A thread that waits for one read costs
    nothing, and is the same on Linux and macOS."""

    def wait() -> None:
        os.read(lifeline, 1)
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
    for number in STOPS:
        signal.signal(number, lambda *_: stopped.append(1))
    lifeline, held = os.pipe()

    def let_go() -> None:
        lock.release()
        os.close(held)

    children = {name: Role(name, house, lifeline, let_go) for name in ROLES}
    watch, pulse = Watch(house.data, say), Pulse(house.data)
    greeted = False
    try:
        while not stopped:
            for role in children.values():
                role.watch()
            pulse.beat(children)
            if not greeted and all(role.ready for role in children.values()):
                greeted = True
                say(greeting(house), ready(house, children))
            if greeted:
                watch.look()
            time.sleep(0.1)
    except Cannot:
        return CANNOT
    finally:
        for name in STOPPED:
            children[name].stop()
        os.close(held)
        os.close(lifeline)
        lock.release()
    say("stopped; what had arrived is handled or kept", {"event": "stopped"})
    return 0


def check_free(house: House) -> None:
    """Refuse to start where another Mainstay runs, or on a store that this one cannot read. Raises Halt. A store of an earlier version is
    brought up to date here, once, before several open it."""
    for name, schema in FILES.items():
        path = house.data / name
        lock = Lock(path)
        try:
            if path.exists():
                connect(path, write=False, schema=schema).close()
        except Older:
            connect(path, write=True, schema=schema).close(True)
        finally:
            lock.release()
    refuse_apart(house.data)
    listening(house.landscape.server.listen, house.landscape.server.port).close()


def greeting(house: House) -> str:
    """Where it listens, and what it stands between."""
    systems = ", ".join(f"{name} ({one.connector})" for name, one in house.landscape.systems.items())
    return f"ready on {address(house)}, between {systems}"


def ready(house: House, children: Mapping[str, Role]) -> dict[str, Any]:
    """The same for programs, with what they would look for next: where to call, where events go, which processes these are."""
    return {
        "event": "ready",
        "url": address(house),
        "hooks": hooks(house),
        "systems": {name: one.connector for name, one in house.landscape.systems.items()},
        "pids": {"up": os.getpid(), **{name: role.process.pid for name, role in children.items() if role.process is not None}},
    }


def address(house: House) -> str:
    """The base URL of what listens on this machine."""
    server = house.landscape.server
    return f"http://{server.listen}:{server.port}"
