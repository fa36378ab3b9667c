"""What is wrong now, and who was told what: as dispatch has kept it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from mainstay.alerts.decide import Kept
from mainstay.alerts.words import facts
from mainstay.delivery.post import Message, told
from mainstay.model.times import iso
from mainstay.storage.inbox import InboxReader

_kept = msgspec.json.Decoder(Kept).decode
_RANK = ("critical", "error", "warning")


def shown(outcomes: InboxReader) -> dict[str, Any]:
    """The causes of alarm, the worst first, and the newest messages; times as ISO 8601."""
    causes, messages = told(outcomes)
    alarms = [_cause(one) for one in map(_kept, causes.values()) if not one.gone_at]
    alarms.sort(key=lambda one: (_RANK.index(one["severity"]), one["since"], one["cause"]))
    return {"alarms": alarms, "messages": _messages(messages)}


def _cause(kept: Kept) -> dict[str, Any]:
    return {**facts(kept.alarm), "told": kept.told, "told_at": iso(kept.told_at) if kept.told_at else None, "told_count": kept.told_count}


def _messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    return [
        {
            "id": one.id, "at": iso(one.at), "owner": one.owner, "way": one.way, "to": one.to, "subject": one.subject, "status": one.status,
            "tries": one.tries, "why": one.why, "causes": [{"cause": cause["cause"], "why": cause["why"]} for cause in one.causes],
        }
        for one in messages
    ]  # fmt: skip
