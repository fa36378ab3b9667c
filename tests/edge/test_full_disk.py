"""A disk that is full or fails: what cannot be kept is refused with 503, said once, and taken afterwards."""

import asyncio
import json
import random
import resource

import apsw
import pytest
import structlog

from mainstay.edge.receive import Door
from mainstay.edge.record import Recorder
from mainstay.model.times import SECOND
from mainstay.proof.disk import Disk, Fault
from mainstay.storage.database import rows
from mainstay.storage.inbox import Inbox
from tests.edge.test_door import CONNECTORS, LIMIT, NOW_S
from tests.running import Running, an_order, shopify_headers

ALWAYS = 1 << 30
BYTES_MAX = 262_144  # of the log, and no more of the write-ahead log


@pytest.fixture
def heard():
    """What is logged, also where another test has silenced it."""
    before = structlog.get_config()
    structlog.reset_defaults()
    with structlog.testing.capture_logs() as heard:
        yield heard
    structlog.configure(**before)


@pytest.mark.parametrize("error", [apsw.FullError, apsw.IOError])
def test_what_cannot_be_kept_is_refused_and_may_come_again(tmp_path, heard, error):
    """The refusal says so with a code and when to try again. Of many only the first is written into the log, and the end of it."""
    with Disk(tmp_path, random.Random(1)) as disk:
        inbox = Inbox(tmp_path / "inbox.db")
        recorder = Recorder(inbox, lambda: NOW_S * SECOND, lambda: None)
        door = Door(CONNECTORS, recorder, lambda: NOW_S * SECOND, LIMIT)

        async def knock(number):
            body, said = an_order(number), []
            headers = [(name.encode(), value.encode()) for name, value in shopify_headers(body, f"e{number}").items()]

            async def receive():
                return {"type": "http.request", "body": body}

            async def send(message):
                said.append(message)

            await door({"path": "/hooks/shop", "method": "POST", "headers": headers}, receive, send)
            return said[0]["status"], dict(said[0]["headers"]), said[1]["body"]

        async def street():
            assert (await knock(1))[0] == 200
            disk.fault = Fault(disk.operations + 1, error, times=ALWAYS)
            for status, headers, body in await asyncio.gather(*map(knock, range(2, 40))):
                assert status == 503 and headers[b"retry-after"] == b"5"
                assert json.loads(body)["code"] == "store_failed" and "Traceback" not in body.decode()
            disk.fault = None
            assert {status for status, _, _ in await asyncio.gather(*map(knock, range(2, 40)))} == {200}

        asyncio.run(street())
        kept = [key for (key,) in rows(inbox.connection, "SELECT key FROM receipt ORDER BY seq")]
        assert kept == [f"e{number}" for number in range(1, 40)] and door.refused == {("shop", "store_failed"): 38}
        inbox.close()
    assert [one["event"] for one in heard] == ["store_failed", "store_works_again"]


def test_a_real_edge_whose_file_cannot_grow(tmp_path):
    """Its doors say 503, both of them, what only reads goes on, and when there is room again it goes on as if nothing had been."""
    shop = Running(tmp_path).start()
    for number in range(40):
        assert shop.hook(an_order(number), f"e{number}")[0] == 200
    edge, wish = shop.role("edge"), {"lines": [{"sku": "A-1", "quantity": 1}], "expires_in_s": 60}
    limits = resource.prlimit(edge, resource.RLIMIT_FSIZE, (BYTES_MAX, resource.RLIM_INFINITY))
    for number in range(40, 60):
        status, answer = shop.hook(an_order(number), f"e{number}")
        assert status == 503 and json.loads(answer)["code"] == "store_failed"
    status, told = shop.ask("POST", "/v1/reservations", wish, key="k1")
    assert status == 503 and told["code"] == "store_failed"
    shop.until(lambda: shop.order(39), "a question is not answered")
    resource.prlimit(edge, resource.RLIMIT_FSIZE, limits)
    for number in range(40, 60):
        assert shop.hook(an_order(number), f"e{number}")[0] == 200
    assert shop.ask("POST", "/v1/reservations", wish, key="k1")[1]["code"] != "store_failed"
    shop.settled()
    assert all(shop.order(number) for number in (0, 40, 59)) and shop.role("edge") == edge
    assert shop.stop() == 0
    assert "Traceback" not in shop.log() and shop.log().count('"doing": "keep what is delivered"') == 2
