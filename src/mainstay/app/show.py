"""Answers as text for people."""

from __future__ import annotations

from typing import Any

from mainstay.model.times import SECOND, iso


def journey_text(found: list[dict[str, Any]]) -> str:
    """A journey as one line for each step."""
    lines = []
    for one in found:
        now = one["now"]
        lines.append(f"{one['kind']} {now['order'] if now else one['entity']}" + (f": {now['status']}, {now['total']}" if now else ""))
        if now and now["blocker"]:
            lines += _blocked(now["blocker"])
        lines.append("  known as " + ", ".join(f"{ref['as']} {ref['id']}" for ref in one["known_as"]))
        for step in one["steps"]:
            rest = " ".join(f"{key}={value}" for key, value in step.items() if key not in ("at", "what"))
            lines.append(f"  {step['at']}  {step['what']}  {rest}".rstrip())
        for wait in one["waiting"]:
            lines.append(f"  waiting: {wait['command']} at {wait['system']}, {wait['tries']} tries, next {wait['next_at']}: {wait['why']}")
    return "\n".join(lines)


def _blocked(by: dict[str, Any]) -> list[str]:
    lines = [f"  blocked by {by['what']} ({by['whose']}): {by['detail']}", f"    owner {reached(by)}"]
    return [*lines, f"    see {', '.join(by['runbooks'])}"] if by["runbooks"] else lines


def reached(one: dict[str, Any]) -> str:
    return f"{one['owner']} ({one['contact']})" if one["contact"] else str(one["owner"])


def order_text(found: dict[str, Any]) -> str:
    """One order: where it stands, what blocks it, what came of what was asked."""
    lines = [f"{found['order']}  {found['number']}: {found['status']}, {found['total']}, due {found['due']}"]
    if found["blocker"]:
        lines += _blocked(found["blocker"])
    lines += [f"  held for {what}: {why}" for what, why in found["holds"].items()]
    lines += [f"  {line['quantity']:>4}  {line['sku'] or 'no SKU'}  at {line['price']}" for line in found["lines"]]
    for kind in ("payments", "parcels", "refunds"):
        for key, one in found[kind].items():
            lines.append("  " + " ".join([f"{kind[:-1]} {key} at {one['system']}: {one['status']}", *one.get("tracking", ())]))
    lines += [
        f"  {one['system']} was asked to {one['command']}: {one['outcome']} {one.get('why', '')}".rstrip()
        for one in found["effects"].values()
    ]
    return "\n".join(lines + ([f"  invoice {found['invoice']}"] if found["invoice"] else []))


def status_text(found: dict[str, Any]) -> str:
    """How things stand, a line for each thing to look at."""
    dispatch, lag = found["dispatch"], found["lag"]
    behind = {**lag, "effects": dispatch.get("waiting", 0), "early statements": found["early"], "proposals": found["proposals"]}
    lines = [
        f"orders        {_counts(found['orders'])}",
        f"reservations  {_counts(found['reservations'])}",
        f"dead letters  {_counts(found['dead_letters'])}",
        f"waiting       {_counts(behind)}",
    ]
    for role, seconds in found["silent"].items():
        lines.append(f"silent        {role} has told nothing for {seconds} s, has ended or stands still; what it told then is shown")
    if found["restored"]:
        lines.append(
            f"restored      a backup at {found['restored']}; orders are released when what happened since it was taken has been read"
        )
    if found["uncounted"]:
        lines.append(f"uncounted     {found['uncounted']} items of which nobody has said what there is: no number of them is told")
    if found["drift"]:
        lines.append(f"schema drift  {found['drift']} changes of shape; `mainstay drift list` shows them")
    for name, one in dispatch.get("systems", {}).items():
        paused = f", paused: {one['reason']}" if one["breaker"] == "open" else ""
        calls, failures = sum(one["calls"].values()), sum(one["failures"].values())
        lines.append(f"  {name}: {calls} calls, {failures} failures, {one['waiting']} waiting{paused}")
        lines += _backlog(one["backlog"], bool(paused)) if "backlog" in one else []  # an older Mainstay wrote none
        for head in one.get("blocked", ()):
            why = f"held by {head['held']}" if head["held"] else f"{head['tries']} tries: {head['why'] or 'not answered yet'}"
            lines.append(f"    {head['key']} ({head['command']}) waits since {head['since']}, {head['behind']} behind it; {why}")
    lines += [f"held back     {one['target']} {one['mode']} since {one['at']} by {one['by']}: {one['reason']}" for one in found["pauses"]]
    for name, one in dispatch.get("polls", {}).items():
        if one["failure"]:
            lines.append(f"not read      {name} since {iso(one['read'] // SECOND * SECOND)}: {one['failure']}")
        if one["next"]:
            lines.append(f"next reading  {name}: {one['next']}")
    for name, one in dispatch.get("subscriptions", {}).items():
        lines += subscribed_text(name, one) if one["topics"] or one["failure"] else []
    for path, one in dispatch.get("folders", {}).items():
        lines.append(
            f"folder        {path}, of {one['system']}: {_counts({name: one[name] for name in ('files', 'lines', 'refused', 'ignored')})}"
        )
        lines += [f"  {what}" for what in (*one["failures"], one["last"]) if what]
    told = dispatch.get("alerts", {"causes": 0, "ways": {}})
    if told["causes"]:
        lines.append(f"alerts        {told['causes']} causes; `mainstay alerts` shows them")
    for way, one in told["ways"].items():
        if one["failure"]:
            lines.append(f"alerts        {one['waiting']} messages wait, {way} does not take them: {one['failure']}")
    late = {flow: one for flow, one in dispatch.get("flows", {}).items() if one["late"]}
    lines += [f"late          {flow}: {one['behind_s']} s behind, of {one['within_s']:.0f}; {one['owner']}" for flow, one in late.items()]
    lines += ["books", *(f"  {name:<24}{balance:>14}" for name, balance in found["accounts"].items() if balance.strip("-0."))]
    return "\n".join(lines)


def subscribed_text(system: str, one: dict[str, Any]) -> list[str]:
    """A system's subscriptions: whole, or what is wrong with which; and what was silent."""
    wrong = {topic: held for topic, held in one["topics"].items() if held["wrong"]}
    stands = f"{len(one['topics']) - len(wrong)} of {len(one['topics'])} whole" if one["topics"] else "not known yet"
    lines = [f"subscriptions {system}: {stands}" + (f"; {one['failure']}" if one["failure"] else "")]
    for topic, held in wrong.items():
        since = f", last whole {held['whole_at']}" if held["whole_at"] else ""
        lines.append(f"  {topic}: {held['wrong']}, noticed {held['noticed_at']}{since}" + (f"; {held['hint']}" if held["hint"] else ""))
    for feed, silence in one["silences"].items():
        ended = f"read {silence['read_at']}, {silence['rows']} rows" if silence["read_at"] else "is to be read"
        lines.append(f"  silent from {silence['since']} to {silence['until']}: {feed} {ended}")
    if one["no_feed"]:
        lines.append(f"  no feed makes up for a lost {', '.join(one['no_feed'])}")
    return lines


def drift_text(found: list[dict[str, Any]]) -> str:
    """Changes of shape, two lines each: where and what, then what follows."""
    lines = []
    for one in found:
        lines.append(f"{one['id']}  {one['system']} {one['topic']}  {one['path']}: {one['what']}")
        lines.append(
            f"    first {one['first_at']} (receipt {one['example']}), {one['count']} seen, last {one['last_at']}; {one['consequence']}"
        )
        if one["decided_at"]:
            lines.append(f"    accepted {one['decided_at']} by {one['by'] or 'nobody named'}: {one['reason']}")
    return "\n".join(lines) or "no drift: documents look as they did"


def _backlog(one: dict[str, Any], paused: bool) -> list[str]:
    """What a system has not been told yet, and until when it will be."""
    if not one["waiting"]:
        return []
    gone = f"told by {one['gone_at']} at its rate" if one["gone_at"] else "nobody can say yet until when"
    if paused and one["gone_at"]:
        gone = f"told within {one['gone_in_s']:.0f} s at its rate, once it answers"
    return [f"    {_counts(one['waiting'])}; the oldest for {one['oldest_s']:.0f} s; {gone}"]


def alerts_text(found: dict[str, Any]) -> str:
    """What is wrong, then what was told of it and did not arrive yet."""
    lines = []
    for one in found["alarms"]:
        risk = "".join(f", {amount} {currency} at risk" for currency, amount in one["at_risk"].items())
        lines.append(f"{one['severity']:<9}{one['what']}{risk}")
        told = f"told {one['told']} at {one['told_at']}" if one["told"] else "nobody was told yet"
        told = f"follows from {one['under']}" if one["under"] else told
        lines.append(f"         since {one['since']}, owner {one['owner']}; {told}")
        lines += [f"         {command}" for command in one["commands"]]
    lines = lines or ["nothing is wrong now, as far as Mainstay sees"]
    for one in found["messages"]:
        failed = f": {one['why']}" if one["why"] else ""
        lines.append(f"{one['at']}  {one['status']} to {one['owner']} by {one['way']} ({one['to']}), {one['tries']} tries{failed}")
        lines.append(f"    {one['subject']}")
    return "\n".join(lines)


def proposals_text(found: list[dict[str, Any]]) -> str:
    """Proposals, two lines each: what was said, then why it did not count and who answers for the system that said it."""
    lines = []
    for one in found:
        plain = " ".join(f"{name}={value}" for name, value in one["fields"].items() if value and not isinstance(value, dict | list))
        lines.append(f"{one['id']}  {one['at']}  {one['system']} said {one['said']} {one['external']}  {plain}".rstrip())
        lines.append(f"    {one['reason']}; owner {reached(one)}")
    return "\n".join(lines) or "no proposals: nobody spoke of what another owns"


def _counts(values: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in values.items() if count) or "none"


def stock_text(found: dict[str, Any]) -> str:
    """A SKU's stock and the explanation of each channel's number."""
    lines = [f"{found['sku']}  {found['title']}"]
    for level in found["levels"]:
        lines.append("  " + ", ".join(f"{name.replace('_', ' ')} {units}" for name, units in level.items() if units or name == "on_hand"))
    for channel, one in found["channels"].items():
        lines.append(f"  {channel}: " + ("no level is told to it" if one["shows"] is None else f"last told {one['shows']}"))
        if not one["steps"]:
            lines.append("            nobody has counted it yet: it keeps the number that it shows")
        lines += [f"    {step['units']:>6}  {step['what']}" for step in one["steps"]]
    lines += [f"  {move['at']}  {move['what']}" for move in found["moves"]]
    return "\n".join(lines)
