"""The archive of handled receipts: compressed, sealed with a key of their own, in append-only segments. No key, no bytes: erasure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mainstay.model.events import Erased, decode
from mainstay.storage.database import SQL, ask, connect, force, scrub
from mainstay.storage.inbox import OUTCOMES_FROM, UNCLAIMED, Inbox, InboxReader, Receipt
from mainstay.storage.packing import Damaged, damaged, unpack
from mainstay.storage.state import State

WAIT_ROWS = 512  # handled receipts that gather before they move together
BATCHES_MAX = 200
SEGMENT_BYTES_MAX = 256_000_000
NONCE = bytes(12)  # each key seals one receipt only, so that the nonce may stand still

VOCABULARY_BYTES_MAX = 16_000

_NAMES = re.compile(rb'"[A-Za-z_]{2,40}":')
_subjects = msgspec.json.Decoder(list[tuple[int, int]])
_head = msgspec.msgpack.Encoder()


class Archive:
    """Moves an inbox's handled receipts into segments. Runs in the process that writes that inbox."""

    def __init__(self, folder: Path, inbox: Inbox, source: str) -> None:
        self.folder, self.inbox, self.source = folder / "archive", inbox, source
        self.folder.mkdir(exist_ok=True)
        self._handled = int(inbox.mark("archived") or 0)
        self._erased = int(inbox.mark("erased") or 0)
        self._segment = int(inbox.mark("segment") or 1)
        self._scrubbed = self._erased == 0  # whether deleted receipts are gone from the write-ahead log too

    def step(self, state: State, *, all_of_it: bool = False) -> int:
        """Archive what the core has handled since, and destroy the keys of erased people; returns how many receipts moved."""
        self._destroy(state)
        if not self._scrubbed:
            self._scrubbed = scrub(self.inbox.connection)
        return self._move(state, all_of_it=all_of_it)

    def _move(self, state: State, *, all_of_it: bool) -> int:
        batches = state.rows("handled_from", (self._handled, self.source, BATCHES_MAX))
        pairs = [pair for _, body in batches for pair in _subjects.decode(body)]
        subjects = dict(pairs)
        erased = {subject for (subject,) in state.load("load_erased", set(subjects.values()))}
        if not batches or (len(pairs) < WAIT_ROWS and not all_of_it and not erased):
            return 0
        numbers = msgspec.json.encode(sorted(subjects)).decode()
        receipts = [Receipt(*row) for row in ask(self.inbox.connection, "load_receipts", (numbers,))]
        seals = self._append([one for one in receipts if subjects[one.seq] not in erased], subjects)
        seals += [(one.seq, subjects[one.seq], 0, 0, self._segment, b"") for one in receipts if subjects[one.seq] in erased]
        self._handled = batches[-1][0]
        known = [(subject, seq) for seq, subject in pairs if subject > 0]  # of some it was not when they were archived
        self.inbox.add([], [("archived", str(self._handled)), ("segment", str(self._segment))], [
            ("set_seal", seals),
            ("claim_seal", [(subject, seq) for subject, seq in known if subject not in erased]),
            ("claim_and_break_seal", [(subject, b"", seq) for subject, seq in known if subject in erased]),
            ("drop_receipts", [(numbers,)]),
        ])  # fmt: skip
        self._scrubbed = self._scrubbed and not erased
        return len(seals)

    def _append(self, receipts: list[Receipt], subjects: Mapping[int, int]) -> list[tuple[int, int, int, int, int, bytes]]:
        path = segment_path(self.folder, self.source, self._segment)
        if path.exists() and path.stat().st_size > SEGMENT_BYTES_MAX:
            self._segment += 1
            path = segment_path(self.folder, self.source, self._segment)
        if not path.exists():
            words = vocabulary(receipts)
            path.write_bytes(len(words).to_bytes(4, "big") + words)
        pack = zstandard.ZstdCompressor(dict_data=vocabulary_of(path), write_checksum=True).compress
        seals = []
        with path.open("ab") as file:
            place = file.tell()
            for one in receipts:
                key = AESGCM.generate_key(bit_length=128)
                plain = _head.encode((one.at, one.system, one.topic, one.key, one.body))
                sealed = AESGCM(key).encrypt(NONCE, pack(plain), str(one.seq).encode())
                file.write(sealed)
                seals.append((one.seq, subjects.get(one.seq, 0), place, len(sealed), self._segment, key))
                place += len(sealed)
            file.flush()
            force(file.fileno())
        return seals

    def _destroy(self, state: State) -> None:
        """Delete the keys of subjects that were erased since; first archive everything, so that nothing of theirs lies open."""
        news = state.rows("erased_from", (self._erased,)) if state.counters().get("erased", 0) > self._erased else []
        if not news:
            return
        before = -1
        while before != self._handled:
            before = self._handled
            self._move(state, all_of_it=True)
        subjects = [(b"", entity) for _, entity, body in news if any(isinstance(one, Erased) for one in decode(unpack(body)))]
        self.inbox.add([], [("erased", str(news[-1][0]))], [("break_seals", subjects)])
        self._erased = news[-1][0]
        self._scrubbed = False


def vocabulary(receipts: Iterable[Receipt]) -> bytes:
    """The field names of the first receipts of a segment: what all its bodies repeat, and nothing that is personal."""
    names = dict.fromkeys(name for one in receipts for name in _NAMES.findall(one.body))
    return b"".join(names)[:VOCABULARY_BYTES_MAX]


def vocabulary_of(segment: Path) -> zstandard.ZstdCompressionDict:
    """The vocabulary that stands at the beginning of a segment."""
    with segment.open("rb") as file:
        return zstandard.ZstdCompressionDict(file.read(int.from_bytes(file.read(4), "big")), dict_type=zstandard.DICT_TYPE_RAWCONTENT)


def segment_path(folder: Path, source: str, number: int) -> Path:
    """A segment file."""
    return folder / f"{source}-{number:06d}.seg"


def raw_of(data: Path, inboxes: Mapping[str, InboxReader], system: str, seq: int) -> Receipt | None:
    """The bytes of a receipt, from its inbox or from the archive; None when its key was destroyed."""
    source = "outcomes" if seq >= OUTCOMES_FROM else "inbox"
    found = inboxes[source].one(seq)
    return found or archived(data, source, seq)


def unclaimed(data: Path) -> list[int]:
    """Numbers of the archived receipts that may be a person's, and nobody knows whose."""
    found: list[int] = []
    for source in ("inbox", "outcomes"):
        if (data / f"{source}.db").exists():
            connection = connect(data / f"{source}.db", write=False, schema="inbox")
            found += [seq for (seq,) in ask(connection, "seals_of", (UNCLAIMED,))]
            connection.close()
    return found


def archived(data: Path, source: str, seq: int) -> Receipt | None:
    """Open one sealed receipt; None where its key was destroyed, or its segment is not there, as after a restore without the archive.
    Raises Damaged."""
    connection = connect(data / f"{source}.db", write=False, schema="inbox")
    try:
        found = ask(connection, "one_seal", (seq,))
    finally:
        connection.close()
    return opened(data, source, seq, *found[0]) if found else None


def opened(data: Path, source: str, seq: int, place: int, length: int, segment: int, key: bytes) -> Receipt | None:
    """A sealed receipt, from its place in a segment. Raises Damaged."""
    if not key:
        return None
    path = segment_path(data / "archive", source, segment)
    if not path.exists():
        return None
    with path.open("rb") as file:
        file.seek(place)
        sealed = file.read(length)
    try:
        packed = AESGCM(key).decrypt(NONCE, sealed, str(seq).encode())
        plain = zstandard.ZstdDecompressor(dict_data=vocabulary_of(path)).decompress(packed)
    except (InvalidTag, zstandard.ZstdError) as why:
        raise damaged(f"{path}: the message at byte {place}, number {seq}, is not what was archived") from why
    at, name, topic, event, body = msgspec.msgpack.decode(plain, type=tuple[int, str, str, str, bytes])
    return Receipt(seq, at, name, topic, event, body)


def wrong_with_archive(data: Path) -> tuple[int, list[str]]:
    """How many archived receipts can be read, and which cannot, in words."""
    good, wrong = 0, []
    for source in ("inbox", "outcomes"):
        connection = connect(data / f"{source}.db", write=False, schema="inbox")
        for row in connection.execute(SQL["seals_from"], (0, -1)):
            try:
                good += opened(data, source, *row) is not None
            except Damaged as why:
                wrong.append(why.why)
        connection.close()
    return good, wrong
