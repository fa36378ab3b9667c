"""The town: twins behind real HTTP on loopback, and the deliveries that they make. The only place where twins meet sockets."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping

import aiohttp
from aiohttp import web

from mainstay.contract.twin import Cut, Post, Request
from mainstay.twins.imitation import Imitation

PORTS = range(20_000, 32_000)  # below those of Linux (32768) and macOS (49152)
DELIVER_S = 0.005
DELIVERIES_MAX = 48  # under way at once, over the whole town
DELIVERY_S_MAX = 10.0


class Town:
    """Hosts twins. `hooks` says where each twin's deliveries go; they may be set after the start."""

    def __init__(self, twins: Mapping[str, Imitation], clock: Callable[[], int]) -> None:
        self.twins, self.clock = twins, clock
        self.urls: dict[str, str] = {}
        self.hooks: dict[str, str] = {}
        self.delays: dict[str, float] = {}  # seconds that a twin takes before it answers: a stalled system
        self.requests = 0
        self._runners: list[web.AppRunner] = []
        self._work: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(DELIVERIES_MAX)
        self._client: aiohttp.ClientSession | None = None
        self._delivering: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open a port for each twin and begin to deliver."""
        for name, twin in self.twins.items():
            app = web.Application(client_max_size=64_000_000)
            app.router.add_route("*", "/{path:.*}", self._door(name, twin))
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
            await site.start()
            self._runners.append(runner)
            port = runner.addresses[0][1]
            self.urls[name] = f"http://127.0.0.1:{port}"
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=DELIVERIES_MAX), timeout=aiohttp.ClientTimeout(total=DELIVERY_S_MAX)
        )
        self._delivering = asyncio.create_task(self._deliver())

    async def stop(self) -> None:
        if self._delivering is not None:
            self._delivering.cancel()
        for work in list(self._work):
            work.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        if self._client is not None:
            await self._client.close()
        for runner in self._runners:
            await runner.cleanup()

    @property
    def undelivered(self) -> int:
        return sum(twin.undelivered for twin in self.twins.values())

    def _door(self, name: str, twin: Imitation) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            self.requests += 1
            body = await request.read()
            headers = {field.lower(): value for field, value in request.headers.items()}
            if delay := self.delays.get(name, 0.0):
                await asyncio.sleep(delay)
            try:
                reply = twin.answer(Request(request.method, request.path, dict(request.query), headers, body), self.clock())
            except Cut:
                assert request.transport is not None
                request.transport.abort()  # no answer at all: the caller cannot know what happened
                return web.Response(status=500)
            return web.Response(status=reply.status, headers=reply.headers, body=reply.body)

        return answer

    async def _deliver(self) -> None:
        while True:
            for name, twin in self.twins.items():
                hook = self.hooks.get(name)
                if hook is None:
                    continue
                for post in twin.due(self.clock()):
                    work = asyncio.create_task(self._post(twin, hook, post))
                    self._work.add(work)
                    work.add_done_callback(self._work.discard)
            await asyncio.sleep(DELIVER_S)

    async def _post(self, twin: Imitation, hook: str, post: Post) -> None:
        assert self._client is not None
        status = 0
        async with self._room:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with self._client.post(hook, data=post.body, headers=dict(post.headers)) as answer:
                    status = answer.status
        twin.delivered(post.id, status, self.clock())


def free_port() -> int:
    """A port on loopback that nobody has now, of those that no system gives out by itself: what is about to listen on it gets it."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
