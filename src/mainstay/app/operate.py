"""What people do to a running Mainstay: over its own API, with the operators' token."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import click

from mainstay.app.build import open_house, tokens
from mainstay.landscape import OPERATOR
from mainstay.model.failures import Halt

ANSWER_S_MAX = 30


def act(config: Path, path: str, **told: str) -> dict[str, Any]:
    """Ask for it, telling who wants it and why. Raises Halt where nobody answers, ClickException where it is refused."""
    house = open_house(config)
    server = house.landscape.server
    headers = {"authorization": f"Bearer {tokens(house)[OPERATOR].reveal()}", "content-type": "application/json"}
    body = json.dumps(told).encode()
    request = urllib.request.Request(f"http://{server.listen}:{server.port}/v1/{path}", body, headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_S_MAX) as answer:
            return json.load(answer)  # type: ignore[no-any-return]
    except urllib.error.HTTPError as error:
        raise click.ClickException(f"{told.get('who') or path.rpartition('/')[0]}: {json.load(error)['detail']}") from None
    except (urllib.error.URLError, TimeoutError) as error:
        why = getattr(error, "reason", error)
        raise Halt(f"Mainstay does not answer on {server.listen}:{server.port} ({why}); start it with `mainstay up`") from None
