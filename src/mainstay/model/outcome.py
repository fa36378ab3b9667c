"""What delivery says of an effect, as the body of a receipt on the topic `mainstay/outcome`."""

from __future__ import annotations

from msgspec import Struct

TOPIC = "mainstay/outcome"


class Outcome(Struct, frozen=True, omit_defaults=True, gc=False):
    """How an intent ended. `outcome` is done, unknown or rejected; `references` are the ids that it got over there, by kind. `again`: it
    was looked for after it had been done before; `found`: it was there, and nothing was sent."""

    key: str
    entity: int
    outcome: str
    system: str = ""
    code: str = ""
    why: str = ""
    references: dict[str, str] = {}
    again: bool = False
    found: bool = False
