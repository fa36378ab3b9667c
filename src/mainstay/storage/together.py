"""Are the files of a store of one moment? Each knows how far the others were, and none may have been further than they are.

A file that lost its end, is an older copy or is missing would give the same numbers out again: what comes in under them would be taken
for handled, intents for done, and levels for told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import apsw

from mainstay.model.failures import Halt
from mainstay.storage.database import RESTORE, ask, connect
from mainstay.storage.inbox import OUTCOMES_FROM, last

FILES = {"inbox.db": "inbox", "state.db": "state", "outcomes.db": "inbox"}  # of a store, each with its schema


def refuse_apart(data: Path) -> None:
    """Nobody works on files of several moments. Raises Halt, which names the one that is behind and what it lacks."""
    with ExitStack() as stack:
        files = {name: connect(data / name, write=False, schema=schema) for name, schema in FILES.items() if (data / name).exists()}
        for connection in files.values():
            stack.callback(connection.close, True)
        if said := behind(files):
            raise Halt(f"{data}: {said}; {RESTORE}")


def behind(files: Mapping[str, apsw.Connection]) -> str:
    """Which of the files of a store is behind the others, in words; empty where none is. One that is not there is behind all of them.

    Others may write meanwhile: each file is asked how far it has seen the others go before they are asked how far they are.
    """
    seen = [(name, what, number) for name, inbox in files.items() if name != "state.db" for what, number in _dealt_with(inbox)]
    counters = dict(ask(files["state.db"], "counters")) if "state.db" in files else {}
    apart = "it has lost its end, or is of another moment than the others"
    for name, what, number in seen:
        if number > (known := counters.get(what, 0)):
            return f"state.db ends with {what} {known}, and {name} has dealt with {number}: {apart}"
    for name, before in (("inbox", 0), ("outcomes", OUTCOMES_FROM)):
        inbox = files.get(f"{name}.db")
        ends, handled = (max(number, before) - before for number in (last(inbox) if inbox else 0, counters.get(f"position/{name}", 0)))
        if ends < handled:
            return f"{name}.db ends with message {ends}, and state.db has handled {handled}: {apart}"
    return ""


def _dealt_with(inbox: apsw.Connection) -> Iterator[tuple[str, int]]:
    """Counters of the state, and how far this file has seen each go."""

    def marked(names: str) -> int:
        return max((int(value or 0) for _, value in ask(inbox, "marks", (names, names))), default=0)

    yield "handled", marked("archived")
    yield "erased", marked("erased")
    yield "intent", max(marked("low_water"), ask(inbox, "last_attempt")[0][0] or 0)
    yield "level_change", marked("levels/")
    yield "price_change", marked("prices/")
