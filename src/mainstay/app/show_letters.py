"""Dead letters, causes, jobs and repairs, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from mainstay.app.show import reached
from mainstay.flows.queue import alike

NUMBERS_MAX = 12  # letters of a group that are named
RESTART = (
    "the running Mainstay has loaded another mainstay.toml than this: restart `mainstay up` first, else it does not do what is said here"
)
T = TypeVar("T")


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
        who = "" if act["what"].startswith("refused") else f" by {act['by'] or 'nobody named'}: {act['reason']}"
        lines.append(f"{act['at']}  {act['what']}{to}{who}")
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
            lines.append(f"  {one['cause']}  {what}  {risk}  {', '.join(one['owners'])}, by {one['deadline']}")
            lines.append(f"    since {one['first_at']}, last {one['last_at']} (#{one['newest']}): {one['example']}")
            lines.append(f"    {one['next']}" + (f" See {', '.join(one['runbooks'])}" if one["runbooks"] else ""))
    return "\n".join(lines) if found else "no open dead letters"


def jobs_text(found: list[dict[str, Any]]) -> str:
    """Jobs, a line each."""
    return "\n".join(_job_line(one) for one in found) or "no jobs: a query, such as `mainstay deadletters retry --cause …`, begins one"


def job_text(found: dict[str, Any]) -> str:
    """A job, and what became of each letter."""
    lines = [_job_line(found), *_set(found)]
    lines += [f"  {one['letter']}  {'done' if one['done'] else 'NOT'}: {one['detail']}" for one in found["results"]]
    return "\n".join(lines)


def _set(found: dict[str, Any]) -> list[str]:
    """What a repair sets."""
    values = found.get("set", {})
    return ["  what it sets is gone"] if values is None else [f"  set {path} = {value}" for path, value in values.items()]


def _job_line(one: dict[str, Any]) -> str:
    which = ", ".join(f"{name} {value}" for name, value in one["query"].items()) or "all that were open"
    far = f"{one['done'] + one['nothing_done'] + one['unchanged']} of {one['letters']}"
    left = f", {one['nothing_done']} stay open" if one["nothing_done"] else ""
    return f"{one['job']}  {one['at']}  {one['action']} ({which})  {one['status']}  {far}{left}  by {one['by'] or 'nobody named'}"


def repair_text(found: dict[str, Any]) -> str:
    """What a repair would do: why each letter is one and what its message says now, then what would follow. Of many those that differ in
    figures, ids and addresses alone are told by their first."""
    letters = found["letters"]
    if len(letters) == 1:
        return "\n".join([_repaired(letters[0]), *_consequences(found), *_ended(found)])
    done = sum(one["done"] for one in letters)
    lines = [f"{len(letters)} dead letters: {done} done, {len(letters) - done} stay open"]
    for group in _alike(letters, _repaired):
        numbers = [str(one["letter"]) for one in group]
        more = f", … {len(group) - NUMBERS_MAX} more" if len(group) > NUMBERS_MAX else ""
        lines += [
            "",
            f"{len(group)} × {', '.join(numbers[:NUMBERS_MAX])}{more}",
            _repaired(group[0]),
            "then:   " + ("; ".join(_then(group[0])) or "nothing"),
        ]
    lines.append("")
    for same in _alike(_consequences(found), str):
        lines += [same[0], *([f"  … and {len(same) - 1} more like it; --json has each"] if len(same) > 1 else [])]
    return "\n".join([*lines, *_ended(found)])


def _alike(found: Iterable[T], told: Callable[[T], str]) -> list[list[T]]:
    """What is told in the same words, but for figures, ids and addresses."""
    groups: dict[str, list[T]] = {}
    for one in found:
        groups.setdefault(alike(told(one)), []).append(one)
    return list(groups.values())


def _repaired(one: dict[str, Any]) -> str:
    lines = ["before: " + (one["refused_before"] or "nothing")]
    lines += ["now:    " + (", ".join(_said(said) for said in one["says"]) or "nothing"), f"ended:  {one['ended']}"]
    return "\n".join(lines)


def _then(one: dict[str, Any]) -> list[str]:
    return [*(f"{order} changes" for order in one["changes"]), *one["sends"]]


CALLED = {"receipt": "messages", "statement": "statements", "effect": "effects"}  # what a replay goes over, by its stage


def replay_text(found: dict[str, Any]) -> str:
    """What a replay would do: how all that is meant ended, then what would follow from what is different now."""
    stage = found["stage"]
    called = CALLED[stage]
    lines = [f"{sum(found[called].values())} {called}: " + ", ".join(f"{how} {n}" for how, n in found[called].items() if n)]
    for one in found["differ"]:
        of = f"  {one['at']}  {one['system']} {one['topic']}" if "at" in one else ""
        lines.append(f"  {one[stage]}{of}  {one['how']}: {one['detail']}")
    return "\n".join([*lines, *_consequences(found), *_ended(found)])


def _consequences(found: dict[str, Any]) -> list[str]:
    """What would follow: a text for each order, command, dead letter and proposal."""
    told = []
    for order in found["orders"]:
        fields = [f"  {name}: {was[0]} -> {was[1]}" for name, was in order.items() if name != "order"]
        told.append("\n".join([f"{order['order']} would change", *fields]))
    told += [_sent(one) for one in found["sends"]]
    if found["levels_told_anew"]:
        told.append(f"levels of {found['levels_told_anew']} items would be told anew")
    told += [f"would become a dead letter: {one['code']}: {one['why']}" for one in found["dead_letters"]]
    return told + [f"would be a proposal: {reason}" for reason in found["proposals"]]


def _ended(found: dict[str, Any]) -> list[str]:
    """The last lines of a dry run."""
    return [*([RESTART] if found["restart_first"] else []), "nothing was changed"]


def _sent(one: dict[str, Any]) -> str:
    rest = {name: value for name, value in one.items() if name not in ("to", "command", "key", "again") and value}
    if one.get("again"):
        return f"would look for {one['command']} at {one['to']}, and send it where it is not there: {rest}"
    return f"would send {one['command']} to {one['to']}: {rest}"


def _said(one: dict[str, Any]) -> str:
    rest = {name: value for name, value in one.items() if name not in ("event", "external") and value}
    return f"{one['event']} {one['external']} " + " ".join(
        f"{name}={value}" for name, value in rest.items() if isinstance(value, str | int | float)
    )
