"""What people do to a running Mainstay: over its own API, with the operators' token."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from mainstay.app.build import clock, look_into, secret
from mainstay.app.forms import Count, Table, counted
from mainstay.contract.connector import MARK
from mainstay.flows.tell import STATEMENTS_MAX
from mainstay.model.failures import CODES, Halt, Reject
from mainstay.model.objects import StockMeasure
from mainstay.model.seen import Said

ANSWER_S_MAX = 30


def act(config: Path, path: str, **told: Any) -> dict[str, Any]:
    """Ask for it, telling who wants it and why. Raises Halt where nobody answers, Reject where it is refused."""
    house = look_into(config)
    server = house.landscape.server
    headers = {"authorization": f"Bearer {secret(house, server.api_token).reveal()}", "content-type": "application/json"}
    body = json.dumps(told).encode()
    request = urllib.request.Request(f"http://{server.listen}:{server.port}/v1/{path}", body, headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_S_MAX) as answer:
            return json.load(answer)  # type: ignore[no-any-return]
    except urllib.error.HTTPError as error:
        raise _refused(told.get("who") or path.rpartition("/")[0] or path, path.partition("/")[0], json.load(error)) from None
    except (urllib.error.URLError, TimeoutError) as error:
        why = getattr(error, "reason", error)
        raise Halt(f"Mainstay does not answer on {server.listen}:{server.port} ({why}); start it with `mainstay up`", "not_ready") from None


NEXT = {  # what was acted on, by the first word of its path -> where to look next
    "deadletters": "`mainstay deadletters list` shows those that are open",
    "drift": "`mainstay drift list` shows those that are open",
    "replays": "name another interval: `mainstay replay --dry-run` says what is in it",
    "pauses": "`mainstay pauses` shows what is held back",
    "jobs": "`mainstay deadletters causes` shows what is open, `mainstay jobs list` the jobs",
    "orders": "`mainstay order` shows what holds one, by any of its numbers",
    "erase": "`mainstay trace` shows whom a number belongs to",
    "statements": "none of this part was counted: mend it, and count again",
}


def _refused(which: str, what: str, problem: Mapping[str, str]) -> Reject:
    """The API's problem as a failure, with where to look next."""
    code = problem["code"] if problem["code"] in CODES else "rejected"
    return Reject(f"{which}: {problem['detail']}; {NEXT[what]}", code)


def counts_in(path: Path) -> Iterator[Count]:
    """The counts of a CSV file (UTF-8, a first row of column names). Raises Reject with the line."""
    table = Table()
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                found = table.count(line.removeprefix(MARK if number == 1 else b"").decode())
            except UnicodeDecodeError as error:
                raise Reject(f"{path}:{number}: it is not UTF-8 at byte {error.start}; save the table as UTF-8", "not_utf8") from None
            except Reject as why:
                raise Reject(f"{path}:{number}: {why.why}", why.code) from None
            if found is not None:
                yield found
    if not table.columns:
        raise Reject(f"{path}:1: the columns are missing; write sku,units or sku,units,location", "schema")


def tell_counts(config: Path, counts: Iterable[Count], measure: StockMeasure) -> list[dict[str, Any]]:
    """Tell Mainstay what there is now; what became of each count."""
    at = clock()
    said = [counted(one, at, measure) for one in counts]
    ended: list[dict[str, Any]] = []
    for start in range(0, len(said), STATEMENTS_MAX):
        part = msgspec.to_builtins([Said(one) for one in said[start : start + STATEMENTS_MAX]])
        ended += act(config, "statements", statements=part)["statements"]
    return ended
