"""One fuzzing run, in a process of its own: `python -m tests.badinput.fuzzing TARGET FOLDER -max_total_time=10`.

atheris (libFuzzer for Python) leads it by the branches that an input takes through `mainstay`. Half of the changes are its own, to
bytes; the other half change a value somewhere in the JSON to one of those that are often wrong. An input that takes more than a second,
or more memory than the limit, ends the run as a crash does.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import atheris

INPUT_BYTES_MAX = 100_000
SLOW_S = 1.0  # of this thread's own time: the machine may be busy with others. A hang that waits ends after ten.
LIMITS = [
    "-timeout=10",
    "-rss_limit_mb=1024",
    "-malloc_limit_mb=512",
    f"-max_len={INPUT_BYTES_MAX}",
    "-print_final_stats=1",
    "-verbosity=0",
]
ODD: tuple[Any, ...] = (
    "Infinity", "1E+999999999", "0E-999999999", None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63), 10**30,
    0.5, -0.0, 1e308, "", " ", "0", "-1", "1.5", "19.999", "1,5", "1e9", "9" * 400, "9" * 5000, "NaN", "null", "١٢", "\u0000", "\u200b",
    "\ud83d\ude00", "e\u0301", "x" * 300, "2026-02-30", "2026-06-30T23:59:60Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
    "2026-03-02T12:00:00", "gid://shopify/Order/", "gid://", "/", "EUR", "JPY", "XXX", [], {}, [[]], [None], {"": None},
)  # fmt: skip


PLANTED = "MAINSTAY_PLANTED"  # in the environment: with a bug, which must be found


def plant(targets: Any) -> None:
    """Somebody takes what others write for ASCII."""
    right = targets.refuse_senseless

    def breaks(event: Any) -> None:
        right(event)
        str(event).encode("ascii")

    targets.refuse_senseless = breaks


def slots(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (holder, key) within a value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in pairs:
        yield value, key
        yield from slots(one)


def changed(body: bytes, dice: random.Random) -> bytes:
    """The same JSON with some values replaced, taken out, doubled or swapped."""
    told = json.loads(body)
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        found = list(slots(told))
        if not found:
            return body
        holder, key = dice.choice(found)
        how = dice.random()
        if how < 0.15:
            del holder[key]
        elif how < 0.25 and isinstance(holder, list):
            holder.append(holder[key])
        elif how < 0.4:
            other, place = dice.choice(found)
            holder[key] = json.loads(json.dumps(other[place]))
        else:
            holder[key] = dice.choice(ODD)
    return json.dumps(told, ensure_ascii=dice.random() < 0.5).encode(errors="surrogatepass")


def mutated(data: bytes, size_max: int, seed: int) -> bytes:
    """A changed input; a first line that is no JSON, the topic, mostly stays."""
    dice = random.Random(seed)
    if dice.random() < 0.5:
        return bytes(atheris.Mutate(data, size_max))
    head, line, body = data.partition(b"\n") if data[:1] not in (b"{", b"[") else (b"", b"", data)
    try:
        return (head + line + changed(body, dice))[:size_max]
    except (ValueError, RecursionError):
        return bytes(atheris.Mutate(data, size_max))


def main() -> None:
    target, folder, *flags = sys.argv[1:]
    with atheris.instrument_imports(include=["mainstay"]):
        from tests.badinput import targets
    if PLANTED in os.environ:
        plant(targets)
    corpus = Path(folder) / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(targets.seeds(target)):
        if len(seed) <= INPUT_BYTES_MAX:
            (corpus / f"seed-{number:04}").write_bytes(seed)
    run = targets.TARGETS[target]()

    def soon(data: bytes) -> None:
        began = time.thread_time()
        run(data)
        if (took := time.thread_time() - began) > SLOW_S:
            raise TimeoutError(f"it took {took:.1f} s")

    atheris.Setup(
        [sys.argv[0], str(corpus), f"-artifact_prefix={folder}/", *LIMITS, *flags], soon, custom_mutator=mutated,
    )  # fmt: skip
    atheris.Fuzz()


if __name__ == "__main__":
    main()
