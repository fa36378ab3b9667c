"""Answers as text for people."""

from __future__ import annotations

from typing import Any


def journey_text(found: list[dict[str, Any]]) -> str:
    """A journey as one line for each step."""
    lines = []
    for one in found:
        now = one["now"]
        lines.append(f"{one['kind']} {now['order'] if now else one['entity']}" + (f": {now['status']}, {now['total']}" if now else ""))
        if now and now["blocker"]:
            lines.append(f"  blocked by {now['blocker']['what']} ({now['blocker']['whose']}): {now['blocker']['detail']}")
        lines.append("  known as " + ", ".join(f"{ref['as']} {ref['id']}" for ref in one["known_as"]))
        for step in one["steps"]:
            rest = " ".join(f"{key}={value}" for key, value in step.items() if key not in ("at", "what"))
            lines.append(f"  {step['at']}  {step['what']}  {rest}".rstrip())
        for wait in one["waiting"]:
            lines.append(f"  waiting: {wait['command']} at {wait['system']}, {wait['tries']} tries, next {wait['next_at']}: {wait['why']}")
    return "\n".join(lines)


def stock_text(found: dict[str, Any]) -> str:
    """A SKU's stock and the explanation of each channel's number."""
    lines = [f"{found['sku']}  {found['title']}"]
    for level in found["levels"]:
        lines.append("  " + ", ".join(f"{name.replace('_', ' ')} {units}" for name, units in level.items() if units or name == "on_hand"))
    for channel, one in found["channels"].items():
        lines.append(f"  {channel}: last told {one['shows']}")
        lines += [f"    {step['units']:>6}  {step['what']}" for step in one["steps"]]
    lines += [f"  {move['at']}  {move['what']}" for move in found["moves"]]
    return "\n".join(lines)
