"""A store for rehearsals: it reads one consistent point of state.db, and keeps for itself what it would write."""

from __future__ import annotations

from pathlib import Path

from mainstay.storage.state import Batch, State


class Rehearsed(State):
    """What a batch would have written stands in `batches`. What is looked up later finds its cross-references, not its other rows."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, write=False)
        self.batches: list[Batch] = []
        self.connection.execute("BEGIN")
        self._recent = {(space, ext): entity for space, ext, entity in self.rows("recent_xrefs")}

    def write(self, batch: Batch) -> None:
        self.batches.append(batch)
        for space, ext, entity in batch.xrefs:
            self._recent.setdefault((space, ext), entity)
