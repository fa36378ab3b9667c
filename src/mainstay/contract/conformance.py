"""The suite that every connector passes: it is played against a twin in many kinds of bad weather, and then what we believe is compared
with what is true at the twin. Anybody's connector can run it: give `examine` a Subject, and something that makes dice of a seed.

    verdicts = examine(Subject("tinyshop", connector=..., twin=..., driver=..., sources=...), random.Random)
    print(report(verdicts))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from mainstay.contract import promises
from mainstay.contract.connector import Connector
from mainstay.contract.promises import overrides
from mainstay.contract.rehearsal import Broken, Driver, Subject, agrees, latest, play
from mainstay.contract.stage import Dice, Exhausted

__all__ = ["CHECKS", "Broken", "Check", "Dice", "Driver", "Subject", "Verdict", "examine", "latest", "report"]
SEEDS = range(3)


class Verdict(NamedTuple):
    check: str
    passed: bool
    detail: str
    seed: int


class Check(NamedTuple):
    """`once`: dice do not matter to it."""

    name: str
    sentence: str
    run: Callable[[Subject, Dice], None]
    once: bool = False


def examine(subject: Subject, dice: Callable[[int], Dice], seeds: Iterable[int] = SEEDS, only: Iterable[str] = ()) -> list[Verdict]:
    """Run all checks (or those named) for each seed; `dice` makes dice from a seed, so that a verdict can be repeated."""
    chosen = [check for check in CHECKS if check.name in only] if only else list(CHECKS)
    return [_verdict(check, subject, dice(seed), seed) for check in chosen for seed in ([0] if check.once else seeds)]


def _verdict(check: Check, subject: Subject, dice: Dice, seed: int) -> Verdict:
    try:
        check.run(subject, dice)
    except (Broken, Exhausted) as broken:
        return Verdict(check.name, False, str(broken), seed)
    except Exception as bug:  # whatever it is, it is the subject's: the report names it
        return Verdict(check.name, False, f"{type(bug).__name__}: {bug}", seed)
    return Verdict(check.name, True, "", seed)


def report(verdicts: Sequence[Verdict]) -> str:
    """One line a check, with the first failure of each."""
    lines = []
    for check in CHECKS:
        mine = [verdict for verdict in verdicts if verdict.check == check.name]
        failed = next((verdict for verdict in mine if not verdict.passed), None)
        if failed:
            lines.append(f"FAILED  {check.name}: {check.sentence}\n        seed {failed.seed}: {failed.detail}")
        elif mine:
            lines.append(f"passed  {check.name}: {check.sentence}")
    return "\n".join(lines)


def _weather(needs: Callable[[Connector], bool], **rates: float) -> Callable[[Subject, Dice], None]:
    """A check that plays in this weather and then compares. A fault that never happened proves nothing, so it must have."""

    def run(subject: Subject, dice: Dice) -> None:
        for _ in range(5):
            stage = play(subject, dice, rates)
            agrees(subject, stage)
            if any(stage.twin.fired.get(fault) for fault in rates) or not needs(stage.connector):
                return
        raise Broken(f"{' and '.join(rates)} never happened in five plays: the driver does too little, or the twin ignores it")

    return run


def _writes(connector: Connector) -> bool:
    return bool(connector.manifest.sinks)


def _hears(connector: Connector) -> bool:
    return overrides(connector, "receive")


def _bulk(connector: Connector) -> bool:
    return any(sink.batch_max > 1 for sink in connector.manifest.sinks)


CHECKS: tuple[Check, ...] = (
    Check("pure", "It imports only contract and model, and does no I/O, clock or chance.", promises.pure, once=True),
    Check("declared", "Its manifest is complete: everything is named, described and written.", promises.declared, once=True),
    Check("reads_http", "It reads 401, 429, 503 and redirects as what they are.", promises.reads_http, once=True),
    Check("works", "Every feed and every sink works, and genuine documents are understood.", promises.works),
    Check("fair", "In fair weather we believe what is true.", promises.fair),
    Check("authentic", "Forged, changed and stale deliveries are refused.", promises.authentic),
    Check("named", "An event has one key, and only it has that key.", promises.named),
    Check("exact", "No floating-point number leaves it.", promises.exact),
    Check("discreet", "No secret shows in its repr, failures, operations, paths or keys.", promises.discreet),
    Check("steady", "A repeated command sends the same bytes under the same key.", promises.steady),
    Check("strict", "Unknown words are parked, and broken bodies never crash it.", promises.strict),
    Check("timeless", "Statements can arrive in any order.", promises.timeless),
    Check("cut_before", "A connection that breaks before the effect loses nothing.", _weather(lambda _: True, cut_before=0.2)),
    Check("cut_after", "A connection that breaks after the effect doubles nothing.", _weather(_writes, cut_after=0.3)),
    Check("throttled", "Being told to slow down loses nothing.", _weather(lambda _: True, throttled=0.2)),
    Check("failing", "Server errors lose nothing and double nothing.", _weather(_writes, error_before=0.05, error_after=0.25)),
    Check("partly_done", "A bulk call that fails in part gives each command its own outcome.", _weather(_bulk, partial=0.3)),
    Check("repeated", "Deliveries that come twice change nothing.", _weather(_hears, duplicate=0.5)),
    Check("shuffled", "Late and reordered deliveries change nothing.", _weather(_hears, late=0.6, reordered=0.5)),
    Check("unsubscribed", "Without its subscription, polling alone tells the truth.", _weather(_hears, unsubscribed=0.1)),
    Check("polls_alone", "A poll never skips, even while things happen between its pages.", promises.polls_alone),
    Check("survives_crashes", "A crash between a page and its commit loses nothing.", promises.survives_crashes),
    Check("resubscribes", "It sees a dropped subscription and restores it, once.", promises.resubscribes),
    Check("begins_anywhere", "A feed that can begin at a moment misses nothing that happened after it.", promises.begins_anywhere),
)  # fmt: skip
