"""Where no memory is left: a process with hardly any ends, and a sender is not told that the fault is theirs."""

import asyncio

import pytest
import uvicorn
from uvicorn.server import ServerState

from mainstay.app import memory, upkeep
from mainstay.app.role_edge import Http


class Wire(asyncio.Transport):
    """What the other side of a connection gets."""

    def __init__(self):
        super().__init__()
        self.got, self.gone = b"", ""

    def write(self, data):
        self.got += data

    def close(self):
        self.gone = self.gone or "closed"

    def abort(self):
        self.gone = "aborted"

    def is_closing(self):
        return bool(self.gone)


def none_left(*_args):
    raise MemoryError


async def nobody(_scope, _receive, _send):
    """Is asked."""


@pytest.mark.parametrize("short", [False, True])
def test_who_asks_while_no_memory_is_left_is_not_answered_with_400(monkeypatch, short):
    """They would take it for their own fault, and never send again what uvicorn could not read."""

    if short:
        monkeypatch.setattr(Http, "on_header", none_left)

    async def asked():
        wire, protocol = Wire(), Http(config=uvicorn.Config(nobody, lifespan="off"), server_state=ServerState(), app_state={})
        protocol.connection_made(wire)
        protocol.data_received(b"POST /hooks/shop HTTP/1.1\r\nhost: a\r\n\r\n" if short else b"no HTTP at all\r\n\r\n")
        return wire

    wire = asyncio.run(asked())
    assert (wire.got[:12], wire.gone) == ((b"", "aborted") if short else (b"HTTP/1.1 400", "closed"))


def test_who_has_hardly_any_memory_left_ends(monkeypatch):
    memory.need_memory()
    monkeypatch.setattr(memory, "LEFT_BYTES_MIN", 1 << 60)
    monkeypatch.setattr(upkeep, "UPKEEP_S", 0.0)
    ended = []

    def end():
        ended.append(True)
        raise asyncio.CancelledError

    monkeypatch.setattr(upkeep, "end", end)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(upkeep.again_and_again(none_left, "a test"))
    assert ended
