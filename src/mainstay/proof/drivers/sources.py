"""The source of a connector, for the check that it does no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path


def sources(connector: str) -> Mapping[str, str]:
    """File name -> text of every module of one of our connectors."""
    spec = find_spec(f"mainstay.connectors.{connector}")
    assert spec is not None and spec.origin is not None, f"no connector is called {connector}"
    return {path.name: path.read_text() for path in sorted(Path(spec.origin).parent.glob("*.py"))}
