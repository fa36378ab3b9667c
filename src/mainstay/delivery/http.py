"""HTTP over aiohttp. No redirects, bounded answers, one pool; nothing above it knows the library."""

from __future__ import annotations

import os
from collections.abc import Mapping

import aiohttp
from yarl import URL

from mainstay.contract.talk import Reply
from mainstay.delivery.connection import Lost, Unable, Unsent

BODY_BYTES_MAX = 32_000_000
CONNECT_S = 5.0
PER_HOST = 16


class Http:
    """The transport of real life. Open it inside the running loop, close it at the end."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, limit_per_host=PER_HOST, ttl_dns_cache=60), auto_decompress=True
        )

    async def send(
        self, method: str, url: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> Reply:
        target = URL(url, encoded=True).update_query(query) if query else URL(url, encoded=True)
        timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=CONNECT_S)
        try:
            async with self._session.request(
                method, target, data=body or None, headers=headers, timeout=timeout, allow_redirects=False
            ) as answer:
                content = await answer.content.read(BODY_BYTES_MAX + 1)
                while not answer.content.at_eof() and len(content) <= BODY_BYTES_MAX:
                    content += await answer.content.read(BODY_BYTES_MAX + 1 - len(content))
                if len(content) > BODY_BYTES_MAX:
                    raise Lost(f"an answer of more than {BODY_BYTES_MAX} bytes")
                return Reply(answer.status, {name.lower(): value for name, value in answer.headers.items()}, content)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            if not _can_open():
                raise Unable(f"no connection to {target.host}:{target.port}: this machine has no file handle left") from None
            raise Unsent(f"no connection to {target.host}:{target.port}: {type(error).__name__}") from None
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            raise Lost(f"no answer from {target.host}: {type(error).__name__}") from None

    async def close(self) -> None:
        await self._session.close()


def _can_open() -> bool:
    """Is a file handle left? Asked of the system itself: names that cannot be resolved for want of one do not say so."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return False
    return True
