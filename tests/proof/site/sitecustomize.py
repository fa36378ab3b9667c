"""Plants the bug that the environment names in a real `mainstay up`, too: Python imports this by itself where its folder is on the path
(https://docs.python.org/3/library/site.html)."""

import sys

if "up" in sys.orig_argv:
    from tests.proof.planting import plant

    plant()
