"""Questions are answered beside the loop that acknowledges deliveries."""

import asyncio
import threading

import msgspec
import pytest
from starlette.requests import Request

from mainstay.edge.api import Api
from mainstay.flows import journey
from mainstay.storage.inbox import InboxReader
from mainstay.storage.state import State

ASKED = {"status": "show_status", "letters": "show_letters", "trace": "show_trace", "find": "show_order", "stock": "show_stock"}


@pytest.mark.parametrize("question", ASKED)
def test_a_question_that_takes_long_holds_up_nothing(tmp_path, monkeypatch, question):
    """While it is answered the loop goes on: the answer waits for what only the loop can do."""
    state = State(tmp_path / "state.db")
    reached, go_on = threading.Event(), threading.Event()

    def slow(asked, *_rest):
        assert asked is not state, "with a connection of its own"
        reached.set()
        assert go_on.wait(5), "the loop stood still"
        return {"status": {}, "letters": [], "trace": [{"now": None}], "find": [], "stock": {}}[question]

    monkeypatch.setattr(journey, question, slow)
    api = Api(state, InboxReader(tmp_path / "outcomes.db"), None, None, {}, {}, bytes, str)
    request = Request({"type": "http", "path_params": {"id": "1", "sku": "A"}, "query_string": b""})

    async def run():
        asked = api.letters if question == "letters" else api
        answer = asyncio.ensure_future(getattr(asked, ASKED[question])(request, "operator", None))
        while not reached.is_set():
            await asyncio.sleep(0.001)
        go_on.set()
        return await asyncio.gather(answer, return_exceptions=True)

    (answered,) = asyncio.run(run())
    assert question == "find" or msgspec.json.decode(answered[1]) in ({}, [], [{"now": None}])
    state.close()
