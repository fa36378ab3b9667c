"""The lifecycle of an order: state x move -> state. What is not in the table cannot happen; docs and console are drawn from it."""

from __future__ import annotations

LEAVE = {"ship_part": "part_shipped", "ship": "shipped"}  # goods may leave at any time before the end: the world does not ask

MOVES: dict[str, dict[str, str]] = {
    "new": {"place": "placed"},
    "placed": {"hold": "held", "pay": "paid", "cancel": "cancelled", **LEAVE},
    "held": {"free": "placed", "cancel": "cancelled", **LEAVE},
    "paid": {"hold": "held", "allocate": "allocated", "fall_short": "backordered", "cancel": "cancelled", **LEAVE},
    "backordered": {"hold": "held", "allocate": "allocated", "release": "released", "cancel": "cancelled", **LEAVE},
    "allocated": {"hold": "held", "fall_short": "backordered", "release": "released", "cancel": "cancelled", **LEAVE},
    "released": {"withdraw": "cancelling", "cancel": "cancelled", **LEAVE},
    "part_shipped": {"ship": "shipped", "withdraw": "cancelling"},
    "cancelling": {"cancel": "cancelled", **LEAVE},
    "shipped": {"invoice": "invoiced"},
    "invoiced": {"settle": "settled"},
    "settled": {},
    "cancelled": {},
}
BEFORE_RELEASE = frozenset({"placed", "held", "paid", "backordered", "allocated"})
AT_THE_WAREHOUSE = frozenset({"released", "part_shipped"})
OPEN = frozenset(MOVES) - {"settled", "cancelled"}


def move(state: str, name: str) -> str:
    """The state after a move; ValueError names what would be allowed."""
    allowed = MOVES[state]
    if name not in allowed:
        raise ValueError(f"an order that is {state} cannot {name}; it can: {', '.join(sorted(allowed)) or 'nothing more'}")
    return allowed[name]


def diagram() -> str:
    """The table as a Mermaid state diagram, for the docs."""
    arrows = [f"    {state} --> {after}: {name}" for state, moves in MOVES.items() for name, after in moves.items()]
    return "\n".join(["stateDiagram-v2", "    [*] --> new", *arrows, "    settled --> [*]", "    cancelled --> [*]"])
