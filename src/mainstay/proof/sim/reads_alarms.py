"""Alarms and changes of shape, as people are shown them, against what they are about: each cause is told of once, and nothing else is.

Where only the core, dispatch and the twins are played nobody looks for alarms: whoever has looked (tests/sim/test_reads.py) asks this.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from typing import Any

Ask = Callable[[str], Awaitable[tuple[int, Any]]]  # path -> (status, answer), asked as an operator
Change = tuple[str, str, str, str]  # system, topic, path, kind of change


async def unlike_alarms(ask: Ask) -> str:
    """Where an open cause of dead letters, or a system whose documents changed, is not among the alarms; or what is not there is."""
    (_, causes), (_, drifts), (_, alerts) = [await ask(f"/v1/{name}") for name in ("causes", "drift", "alerts")]
    want = {f"letters/{one['cause']}": (one["count"], one["at_risk"]) for one in causes}
    want |= {f"drift/{system}": (count, {}) for system, count in Counter(one["system"] for one in drifts).items()}
    shown = {one["cause"]: (one["count"], one["at_risk"]) for one in alerts["alarms"]}
    return f"alarms {shown}, their causes are {want}" if shown != want or len(shown) != len(alerts["alarms"]) else ""


async def unlike_drift(ask: Ask, changed: Collection[Change]) -> str:
    """Where what is shown to look otherwise is not what was made to. The status counts them."""
    (_, drifts), (_, now) = [await ask(f"/v1/{name}") for name in ("drift", "status")]
    shown = sorted((one["system"], one["topic"], one["path"], one["kind"]) for one in drifts)
    if shown != sorted(changed) or now["drift"] != len(shown):
        return f"drift {shown}, and {now['drift']} in the status; made to change were {sorted(changed)}"
    return ""
