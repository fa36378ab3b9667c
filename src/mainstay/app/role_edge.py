"""The edge process: the doors, over inbox.db."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sized
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mainstay.app import build
from mainstay.app.build import House, clock
from mainstay.app.listening import BACKLOG, listening
from mainstay.app.meters import Meters
from mainstay.app.snapshots import standing
from mainstay.app.upkeep import again_and_again, wait_for_state
from mainstay.contract.connector import Connector
from mainstay.edge.api import Api, Waiters
from mainstay.edge.problems import Overloaded, problem
from mainstay.edge.receive import Door, Receive, Scope, Send
from mainstay.edge.record import Recorder
from mainstay.flows import journey
from mainstay.storage.archive import Archive
from mainstay.storage.bell import Bell, Ringer
from mainstay.storage.inbox import Inbox, InboxReader

CONNECTIONS_MAX = 4_000
CROWDED = problem(503, Overloaded.code, Overloaded.detail)
CROWDED_HEADERS = [
    (b"content-type", b"application/problem+json"), (b"content-length", str(len(CROWDED)).encode()),
    (b"retry-after", str(Overloaded.after_s).encode()), (b"connection", b"close"),
]  # fmt: skip


class Front:
    """The edge's ASGI application: webhooks first, as raw ASGI; everything else goes to the API. `connections` are those that are open."""

    def __init__(self, door: Door, api: Any) -> None:
        self.door, self.api = door, api
        self.connections: Sized = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and len(self.connections) >= CONNECTIONS_MAX:
            self.door.refused[("-", Overloaded.code)] += 1
            await send({"type": "http.response.start", "status": 503, "headers": CROWDED_HEADERS})
            await send({"type": "http.response.body", "body": CROWDED})
        elif scope["type"] == "http" and scope["path"].startswith("/hooks/"):
            await self.door(scope, receive, send)
        else:
            await self.api(scope, receive, send)


class Http(HttpToolsProtocol):
    """HTTP as uvicorn reads it, which takes whatever fails while it reads for the sender's fault, and answers in no format of ours."""

    def send_400_response(self, msg: str) -> None:
        failed = sys.exception()
        if failed is not None and isinstance(failed.__context__, MemoryError):  # who hears nothing sends again; who hears 400 does not
            self.transport.abort()
            return
        if isinstance(front := self.config.app, Front):
            front.door.refused[("-", "http_malformed")] += 1
        body = problem(400, "http_malformed", f"this is no request of HTTP/1.1: {failed or msg}; nothing of it was taken")
        head = f"content-type: application/problem+json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n" + head.encode() + body)
        self.transport.close()


async def run_edge(house: House, stop: asyncio.Event, works: Callable[[], object]) -> None:
    """The edge process."""
    core = Ringer(house.data, "core")
    inbox = Inbox(house.data / "inbox.db")
    bell = Bell(house.data, "edge")
    state = await wait_for_state(house.data, stop)
    recorder = Recorder(inbox, clock, core.ring)
    waiters = Waiters(state)
    hooks: dict[str, Connector] = {name: one for name, one in house.connectors.items() if one.manifest.topics}
    server = house.landscape.server
    door = Door(hooks, recorder, clock, server.max_body_bytes)
    meters = Meters(
        house.data, (door, waiters), recorder, lambda: journey.open_letters(state), lambda: int(state.rows("count_drifts")[0][0])
    )
    outcomes = InboxReader(house.data / "outcomes.db")
    api = Api(
        state, outcomes, recorder, waiters, build.tokens(house), build.channel_policies(house), meters.text, meters.not_ready,
        build.duties(house), lambda: standing(house.data),
    )  # fmt: skip
    front = Front(door, api.application())
    config = uvicorn.Config(
        front, loop="none", http=Http, access_log=False, log_level="warning", lifespan="off",
        server_header=False, date_header=False, proxy_headers=False, timeout_graceful_shutdown=5, backlog=BACKLOG,
    )  # fmt: skip
    listener = listening(server.listen, server.port)
    web = uvicorn.Server(config)
    front.connections = web.server_state.connections
    web.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    loop = asyncio.get_running_loop()

    def rung() -> None:
        bell.drain()
        waiters.look()

    loop.add_reader(bell.fileno(), rung)
    archive = Archive(house.data, inbox, "inbox")

    def work() -> None:
        works()
        archive.step(state)

    upkeep = asyncio.create_task(again_and_again(work, "the upkeep of edge"))
    serving = asyncio.create_task(web._serve([listener]))
    works()
    await asyncio.wait([serving, asyncio.create_task(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
    web.should_exit = True
    await serving
    upkeep.cancel()
    recorder.flush()
    loop.remove_reader(bell.fileno())
    bell.close()
    inbox.close()
    state.close()
