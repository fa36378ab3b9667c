"""Schema drift over HTTP: what changed in the documents that come in, and what people accept of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request

from mainstay.edge.openapi import Endpoint
from mainstay.edge.problems import Problem
from mainstay.edge.strict import query
from mainstay.flows import drift
from mainstay.flows.drift import AcceptRequest
from mainstay.storage.inbox import InboxReader
from mainstay.storage.state import State

Question = Callable[[State, InboxReader], Any]


class DriftWanted(Struct, frozen=True, forbid_unknown_fields=True):
    """Which changes of shape are meant."""

    status: Annotated[Literal["open", "accepted"], Meta(description="Those that nobody has accepted, or those that were.")] = "open"
    system: Annotated[str, Meta(max_length=200, description="The system whose documents changed.")] = ""


class Drifts:
    """The operations on changes of shape."""

    def __init__(
        self, aside: Callable[[Question], Awaitable[Any]], decided: Callable[[str, str, str, bytes], Awaitable[tuple[int, bytes]]]
    ) -> None:
        self.aside, self.decided = aside, decided

    def endpoints(self) -> tuple[Endpoint, ...]:
        return (
            Endpoint(
                "GET", "/v1/drift", "operator", "Where inbound documents came to look otherwise, newest first", self.show, query=DriftWanted
            ),
            Endpoint("POST", "/v1/drift/accept", "operator", "Take changes of shape for normal from now on", self.accept, AcceptRequest),
        )

    async def show(self, request: Request, who: str, body: None) -> tuple[int, bytes]:
        meant = query(request.query_params.multi_items(), DriftWanted)
        found = await self.aside(lambda state, _: [one for one in drift.drifted(state) if one.status == meant.status])
        return 200, msgspec.json.encode([drift.shown(one) for one in found if meant.system in ("", one.system)])

    async def accept(self, request: Request, who: str, body: AcceptRequest) -> tuple[int, bytes]:
        if body.every == bool(body.ids):
            raise Problem(422, "schema", "name the changes in `ids`, or say `every`: one of the two")
        return await self.decided(who, "operator/drift", "", msgspec.json.encode(body))
