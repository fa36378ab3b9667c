"""What befalls the disk of a simulated installation: the power goes in the middle of a write or a sync, or the disk fails for a while;
and what must be so when the files are opened again."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import Protocol

import apsw
from msgspec.structs import replace

from mainstay.flows.rebuild import COUNTED
from mainstay.model.failures import Halt
from mainstay.proof.disk import Disk, Fault
from mainstay.proof.sim.machine import Machine
from mainstay.storage.database import STORE_FAILED, ask
from mainstay.storage.together import refuse_apart

EVERY = 120  # operations of the disk between two cuts, on average; a history has some hundreds
REPAIR_S = 60.0
CUTS_MAX = 16  # in one history: a till that is not answered for minutes gives up
DARK_S_MAX = 8.0


class Lost(AssertionError):
    """What was found after a cut is not what was promised. The message names it."""


class Trouble(Protocol):
    """Something that goes on from `begin` to `over`."""

    def begin(self) -> None: ...

    async def over(self) -> None: ...


Make = Callable[[Machine, Disk, random.Random], Trouble]


class NoTrouble:
    """The disk is as it should be."""

    def __init__(self, machine: Machine, disk: Disk, dice: random.Random) -> None:
        """Nothing is needed."""

    def begin(self) -> None:
        """Nothing begins."""

    async def over(self) -> None:
        """Nothing was."""


class Blackouts:
    """Power cuts, one after the other."""

    def __init__(self, machine: Machine, disk: Disk, dice: random.Random) -> None:
        self.machine, self.disk, self.dice = machine, disk, dice
        disk.dark = self.dark
        self._gone = asyncio.Event()

    def dark(self) -> None:
        """Now nothing that this machine does counts any more, and in a moment it is gone."""
        self.machine.up = False
        asyncio.get_running_loop().call_soon(self.machine.crash)
        self._gone.set()

    def begin(self) -> None:
        """The first cut is to come; what one of them shows to be lost is raised at once, in the loop."""
        self._cutting = asyncio.get_running_loop().create_task(self._run())
        self._cutting.add_done_callback(_raised)

    async def _run(self) -> None:
        for _ in range(CUTS_MAX):
            self._gone.clear()
            self.disk.cut_at = self.disk.operations + 1 + self.dice.randrange(2 * EVERY)
            await self._gone.wait()
            await self.light()

    async def light(self) -> None:
        """The power comes back after a while."""
        await asyncio.sleep(self.dice.random() * DARK_S_MAX)
        self.disk.light()
        self.start()

    def start(self) -> None:
        """With all that must be so. Raises Lost, also where it cannot start: nobody would try again."""
        try:
            self.machine.start()
        except Halt as lost:
            raise Lost(f"what is committed survives a power cut: {lost.why}") from None
        except STORE_FAILED as failed:
            raise Lost(f"it starts after a power cut: {type(failed).__name__}: {failed}") from None
        found(self.machine)

    async def over(self) -> None:
        """No more cuts; the machine is up."""
        while not self.machine.up:
            await asyncio.sleep(1.0)
        self._cutting.cancel()
        self.disk.cut_at = None


class Failing:
    """One fault of the disk; when it has shown itself it is repaired after a minute. Nobody does anything else. At last the power is cut:
    what a failed sync had promised nothing of is gone, what was acknowledged is not."""

    def __init__(self, fault: Fault, machine: Machine, disk: Disk, dice: random.Random) -> None:
        self.fault, self.machine, self.disk = fault, machine, disk
        self.operations = 0  # of the disk, from the beginning until it was over
        self.cuts = Blackouts(machine, disk, dice)

    def begin(self) -> None:
        self.began = self.disk.operations
        self.disk.fault = replace(self.fault, at=self.began + self.fault.at)
        self._repairing = asyncio.get_running_loop().create_task(self._repair())

    async def _repair(self) -> None:
        while not self.disk.failed:
            await asyncio.sleep(1.0)
        await asyncio.sleep(REPAIR_S)
        self.disk.fault = None

    async def over(self) -> None:
        if self.disk.failed:
            await self._repairing
        self._repairing.cancel()
        self.disk.fault, self.operations = None, self.disk.operations - self.began
        while not self.machine.up:
            await asyncio.sleep(1.0)
        with contextlib.suppress(apsw.IOError):
            self.disk.cut()
        await self.cuts.light()


def _raised(cutting: asyncio.Task[None]) -> None:
    if not cutting.cancelled() and (wrong := cutting.exception()):
        raise wrong


def found(machine: Machine) -> None:
    """What must be so when the files are opened after a cut. Raises Lost."""
    inbox, outcomes = machine.inbox, machine.outcomes.inbox
    for store in (machine.state, inbox, outcomes):
        if (said := store.connection.pragma("integrity_check")) != "ok":
            raise Lost(f"{store.path.name} is whole after a power cut: {said}")
    kept = {number: rest for number, *rest in ask(inbox.connection, "receipts_from", (0, 1 << 40))}
    for number, promised in machine.promised.items():
        if kept.get(number) != list(promised):
            raise Lost(f"what is acknowledged survives a power cut: receipt {number} of {promised[1]}, {promised[2]}, is lost")
    machine.watch(machine)
    for rule, query in COUNTED.items():
        if off := machine.state.rows(query):
            raise Lost(f"after a power cut it is not so: {rule}: {off[:3]}")
    counters = machine.state.counters()
    for name, value in machine.committed.items():
        if counters.get(name, 0) < value:
            raise Lost(f"what is committed survives a power cut: {name} was {value} and is {counters.get(name, 0)}")
    try:
        refuse_apart(machine.state.path.parent)
    except Halt as apart:
        raise Lost(f"the files are of one moment after a power cut: {apart.why}") from None
