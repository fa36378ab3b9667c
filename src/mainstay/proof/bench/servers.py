"""The servers that `bench accept` compares, each a process of its own: ours, ours without storing, and FastAPI with pydantic and SQLite.

Run as `python -m mainstay.proof.bench.servers KIND FOLDER`; prints its port, serves until its standard input closes.
"""

import asyncio
import base64
import hmac
import sys
import time
from pathlib import Path
from typing import Any

import uvicorn

from mainstay.edge.receive import Door, Receive, Scope, Send
from mainstay.edge.record import Recorder
from mainstay.flows.heap import look_seldom
from mainstay.proof.bench.stage import shopify
from mainstay.storage.inbox import Inbox

SECRET = "s"
PATH = "/hooks/shop"


def clock() -> int:
    return time.time_ns() // 1_000


class Discard(Recorder):
    """Answers without storing: what the door itself costs."""

    def record(self, system: str, topic: str, key: str, body: bytes) -> asyncio.Future[int]:
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        future.set_result(0)
        return future


def ours(place: Path, *, stores: bool) -> Any:
    """The product's door, alone on its server."""
    inbox = Inbox(place / "inbox.db")
    recorder = (Recorder if stores else Discard)(inbox, clock, lambda: None)
    look_seldom()
    door = Door({"shop": shopify()}, recorder, clock, 2_000_000)

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await door(scope, receive, send)

    return front


def fastapi(place: Path) -> Any:
    """What a competent user would write: FastAPI, a pydantic body, SQLite with group commit."""
    import apsw
    from fastapi import FastAPI, Header, HTTPException, Request

    from mainstay.proof.bench.typical import DDL, INSERT, models

    model, _, _ = models()
    db = apsw.Connection(str(place / "fastapi.db"))
    db.pragma("journal_mode", "wal")
    db.pragma("synchronous", "full")
    db.execute(DDL)
    pending: list[tuple[tuple[Any, ...], asyncio.Future[None]]] = []
    app = FastAPI()

    def flush() -> None:
        group, pending[:] = pending[:], []
        with db:
            db.executemany(INSERT, [row for row, _ in group])
        for _, future in group:
            future.set_result(None)

    @app.post(PATH)  # type: ignore[untyped-decorator]
    async def hook(request: Request, x_shopify_hmac_sha256: str = Header(), x_shopify_event_id: str = Header()) -> dict[str, str]:
        body = await request.body()
        good = base64.b64encode(hmac.digest(SECRET.encode(), body, "sha256")).decode()
        if not hmac.compare_digest(good, x_shopify_hmac_sha256):
            raise HTTPException(401)
        order = model.model_validate_json(body)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        pending.append((("shop", x_shopify_event_id, str(order.id), clock(), order.model_dump_json()), future))
        if len(pending) == 1:
            loop.call_later(0.001, flush)
        await future
        return {"status": "ok"}

    return app


def main() -> None:
    kind, folder = sys.argv[1], Path(sys.argv[2])
    app = fastapi(folder) if kind == "fastapi" else ours(folder, stores=kind == "ours")
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, http="httptools", loop="uvloop", access_log=False, log_level="error", lifespan="off",
        proxy_headers=False, server_header=False, date_header=False,
    )  # fmt: skip
    server = uvicorn.Server(config)

    async def serve() -> None:
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        print(server.servers[0].sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        server.should_exit = True
        await serving

    import uvloop

    uvloop.run(serve())


if __name__ == "__main__":
    main()
