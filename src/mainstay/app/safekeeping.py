"""`mainstay backup` and `mainstay restore`: where the files are, what time it is, and what people are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from mainstay import __version__
from mainstay.app.build import clock, look_into
from mainstay.model.times import iso
from mainstay.storage.backup import restore, take
from mainstay.storage.database import Lock


def back_up(config: Path, into: Path | None, *, archive: bool) -> tuple[dict[str, Any], str]:
    """Back up the installation of a landscape. (manifest, text)"""
    house, now = look_into(config), clock()
    into = into or house.folder / f"mainstay-backup-{iso(now)[:19].replace(':', '')}Z"
    found = take(house.data, into, __version__, now, archive=archive)
    size = sum(piece.size for piece in found.files.values())
    text = [f"{into}: {len(found.files)} files, {size / 1e6:,.1f} MB, {found.events} events, as of {iso(now)}"]
    text += ["not in it: secrets, mainstay.toml" + ("" if archive else ", archived messages (--archive takes them along)")]
    text += ["it holds personal data; `mainstay restore` brings it back"]
    return {"folder": str(into), **msgspec.to_builtins(found)}, "\n".join(text)


def bring_back(config: Path, folder: Path) -> tuple[dict[str, Any], str]:
    """Restore a backup as the data folder of a landscape. (manifest, text)"""
    house = look_into(config)
    house.data.parent.mkdir(parents=True, exist_ok=True)
    lock = Lock(house.data)
    try:
        found = restore(folder, house.data, clock())
    finally:
        lock.release()
    text = [f"{house.data}: {found.events} events, as of {iso(found.at)}", "Next: `mainstay verify`, then `mainstay up`; erase again whom"]
    text[-1] += " you have erased since. What happened after that moment is read from the systems again, as far as they tell it."
    return {"folder": str(house.data), **msgspec.to_builtins(found)}, "\n".join(text)
