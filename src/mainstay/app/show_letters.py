"""Dead letters, causes, jobs and repairs, in words."""

from __future__ import annotations

from typing import Any

from mainstay.app.show import reached


def letters_text(found: list[dict[str, Any]]) -> str:
    """Dead letters, a line each: cause, what is at risk, owner, until when, the page that says what to do."""
    lines = []
    for one in found:
        risk = f"  {one['at_risk']}" if one["at_risk"] else ""
        pages = f"; see {', '.join(one['runbooks'])}" if one["runbooks"] else ""
        whose = f"owner {reached(one)}" + (
            f", {'escalated' if one['escalated'] else 'given'} to {one['given_to']}" if one["given_to"] else ""
        )
        what = f"{one['id']}  {one['at']}  {one['code']}  {one['system']}{risk}"
        lines.append(f"{what}  {whose}, by {one['deadline']}: {one['why']}{pages}")
    return "\n".join(lines) or "no open dead letters"


def letter_text(found: dict[str, Any]) -> str:
    """A dead letter: its cause first, what people did about it, its raw message last."""
    shown = {**found, "runbooks": ", ".join(found["runbooks"])}
    lines = [f"{name}: {value}" for name, value in shown.items() if name not in ("raw", "history") and value not in ("", None, False, 0)]
    for act in found["history"]:
        to = f" to {act['to']}" if act["to"] else ""
        lines.append(f"{act['at']}  {act['what']}{to} by {act['by'] or 'nobody named'}: {act['reason']}")
    return "\n".join([*lines, "", found["raw"] or "no raw message is kept for it"])


def causes_text(found: list[dict[str, Any]]) -> str:
    """Causes by the queue that they belong to, a few lines each: how many, what is at risk, an example, what next."""
    lines = []
    for queue in ("ours", "theirs"):
        of_it = [one for one in found if one["queue"] == queue]
        lines.append(f"{queue} to fix: {sum(one['count'] for one in of_it)}")
        for one in of_it:
            risk = ", ".join(f"{amount} {currency}" for currency, amount in one["at_risk"].items()) or "no money known"
            what = f"{one['count']} × {one['code']}  {one['system']} {one['topic']}"
            lines.append(f"  {one['cause']}  {what}  {risk}  {', '.join(one['owners'])}")
            lines.append(f"    since {one['first_at']}, last {one['last_at']} (#{one['newest']}): {one['example']}")
            lines.append(f"    {one['next']}")
    return "\n".join(lines) if found else "no open dead letters"


def jobs_text(found: list[dict[str, Any]]) -> str:
    """Jobs, a line each."""
    return "\n".join(_job_line(one) for one in found) or "no jobs: a query, such as `mainstay deadletters retry --cause …`, begins one"


def job_text(found: dict[str, Any]) -> str:
    """A job, and what became of each letter."""
    lines = [_job_line(found)]
    lines += [f"  {one['letter']}  {'done' if one['done'] else 'NOT'}: {one['detail']}" for one in found["results"]]
    return "\n".join(lines)


def _job_line(one: dict[str, Any]) -> str:
    which = ", ".join(f"{name} {value}" for name, value in one["query"].items()) or "all that were open"
    far = f"{one['done'] + one['nothing_done'] + one['unchanged']} of {one['letters']}"
    left = f", {one['nothing_done']} stay open" if one["nothing_done"] else ""
    return f"{one['job']}  {one['at']}  {one['action']} ({which})  {one['status']}  {far}{left}  by {one['by'] or 'nobody named'}"


def repair_text(found: dict[str, Any]) -> str:
    """What a repair would do: what the message says now and said before, then what would follow."""
    lines = ["before: " + (found["refused_before"] or ", ".join(_said(one) for one in found["said_before"]) or "nothing")]
    lines += ["now:    " + (", ".join(_said(one) for one in found["says"]) or "nothing"), f"ended:  {found['ended']}"]
    return "\n".join([*lines, *_consequences(found), "nothing was changed"])


CALLED = {"receipt": "messages", "statement": "statements", "effect": "effects"}  # what a replay goes over, by its stage


def replay_text(found: dict[str, Any]) -> str:
    """What a replay would do: how all that is meant ended, then what would follow from what is different now."""
    stage = found["stage"]
    called = CALLED[stage]
    lines = [f"{sum(found[called].values())} {called}: " + ", ".join(f"{how} {n}" for how, n in found[called].items() if n)]
    for one in found["differ"]:
        of = f"  {one['at']}  {one['system']} {one['topic']}" if "at" in one else ""
        lines.append(f"  {one[stage]}{of}  {one['how']}: {one['detail']}")
    return "\n".join([*lines, *_consequences(found), "nothing was changed"])


def _consequences(found: dict[str, Any]) -> list[str]:
    lines = []
    for order in found["orders"]:
        lines.append(f"{order['order']} would change")
        lines += [f"  {name}: {told[0]} -> {told[1]}" for name, told in order.items() if name != "order"]
    for one in found["sends"]:
        rest = {name: value for name, value in one.items() if name not in ("to", "command", "key", "again") and value}
        told = (
            f"would look for {one['command']} at {one['to']}, and send it"
            if one.get("again")
            else f"would send {one['command']} to {one['to']}"
        )
        lines.append(f"{told}{' where it is not there' if one.get('again') else ''}: {rest}")
    if found["levels_told_anew"]:
        lines.append(f"levels of {found['levels_told_anew']} items would be told anew")
    lines += [f"would become a dead letter: {one['code']}: {one['why']}" for one in found["dead_letters"]]
    return lines + [f"would be a proposal: {reason}" for reason in found["proposals"]]


def _said(one: dict[str, Any]) -> str:
    rest = {name: value for name, value in one.items() if name not in ("event", "external") and value}
    return f"{one['event']} {one['external']} " + " ".join(
        f"{name}={value}" for name, value in rest.items() if isinstance(value, str | int | float)
    )
