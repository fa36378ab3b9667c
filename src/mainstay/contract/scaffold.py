"""A new connector's first files: an invented vendor that works and passes the suite, to be replaced piece by piece by a real one."""

from __future__ import annotations

import re

from mainstay.contract.scaffold_texts import CONNECTOR, DRIVER, PYPROJECT, README, SAMPLE, TEST, TWIN
from mainstay.model.failures import Reject

_NAME = re.compile(r"[a-z][a-z0-9]{1,29}")


def scaffold(name: str) -> dict[str, str]:
    """File path -> text of a package `mainstay_<name>`; Reject `schema` where the name cannot be one of a module."""
    if not _NAME.fullmatch(name):
        raise Reject(f"{name!r} cannot name a connector: 2 to 30 small letters and digits, a letter first", "schema")
    package = f"src/mainstay_{name}"
    texts = {
        "pyproject.toml": PYPROJECT,
        "README.md": README,
        f"{package}/__init__.py": CONNECTOR,
        f"{package}/twin.py": TWIN,
        f"{package}/driver.py": DRIVER,
        f"{package}/samples/order.changed.json": SAMPLE,
        f"tests/test_{name}.py": TEST,
    }
    return {path: text.replace("TinyShop", name.capitalize()).replace("tinyshop", name) for path, text in texts.items()}
