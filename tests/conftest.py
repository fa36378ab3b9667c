"""Fixtures for all rooms."""

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real payloads and history beside the repo. Absent: skipped, but in CI its absence fails."""
    if SHARED.is_dir():
        return SHARED
    if os.environ.get("CI") == "true":
        pytest.fail(f"{SHARED} is absent, and in CI these tests must run")
    pytest.skip(f"needs {SHARED}")
