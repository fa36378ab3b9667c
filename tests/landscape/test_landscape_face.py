"""The room's face."""

import types

from mainstay import landscape


def test_the_room_shows_what_it_promises():
    shown = {name for name, value in vars(landscape).items() if not name.startswith("_") and not isinstance(value, types.ModuleType)}
    assert shown == set(landscape.__all__)
