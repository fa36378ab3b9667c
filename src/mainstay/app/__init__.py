"""Reads the landscape, builds everything, starts it: the one place where configuration, clock and chance enter."""

import sys

FACE = ()

# structlog shows tracebacks on a terminal with rich, if it finds it; ours are lines of JSON. Loading rich takes 170 ms, a third of what a
# process needs to be back after a crash and half of every command, so it is hidden meanwhile. Whoever draws with it loads it then.
if "rich" not in sys.modules:
    sys.modules["rich"] = None  # type: ignore[assignment]  # https://docs.python.org/3/reference/import.html#the-module-cache
    import structlog as structlog

    del sys.modules["rich"]
