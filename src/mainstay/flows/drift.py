"""Schema drift: what inbound documents look like is learned from a part of them, in quiet moments, and a change is told before a mapping
breaks. Nothing of it decides anything; shapes hold names and types, and no value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec
import structlog
from msgspec import Struct, field
from msgspec.structs import replace

from mainstay.flows.ask import Ask, reader
from mainstay.flows.intake import Intake
from mainstay.flows.queue import Name, Reason
from mainstay.model import shape as shapes
from mainstay.model.failures import Reject
from mainstay.model.shape import Change, Kind, Shape
from mainstay.model.times import iso
from mainstay.storage.inbox import InboxReader, Receipt
from mainstay.storage.state import Batch, State

FIRST = 200  # documents of a kind that are learned from, every one
EVERY = 50  # of those after them, one in so many is looked at
MISSING_AFTER = 20  # documents in a row that lack what was always there
HEADS_MAX = 2_000  # receipts that one step goes over
AT_ONCE = 16  # documents that one step reads: it takes some 20 ms
OPEN_MAX = 50  # changes of one kind that are told; whoever sends more has sent something else altogether
PROBE: Mapping[str, str] = {"mainstay": "probe"}  # stands in for a field, to see whether the mapping notices

log = structlog.get_logger("core")
About = tuple[str, str, str, str, str]  # system, topic, path, kind of change, type
Translate = Callable[[str, bytes], Any]


class Known(Struct):
    """What is known of one kind of document. `gone`: for how many documents in a row a path has been lacking."""

    shape: Shape = field(default_factory=Shape)
    met: int = 0  # all that came, looked at or not
    gone: dict[str, int] = {}


class Drifted(Struct, frozen=True):
    """A change of shape. `example` is the receipt that showed it first; `reads`: does the mapping read the field?"""

    id: int
    system: str
    topic: str
    path: str
    kind: Kind
    was: tuple[str, ...]
    now: str
    first_at: int
    last_at: int
    count: int
    example: int
    reads: bool
    refused: bool
    status: Literal["open", "accepted"] = "open"
    by: str = ""
    reason: str = ""
    decided_at: int = 0

    @property
    def about(self) -> About:
        return self.system, self.topic, self.path, self.kind, self.now


class AcceptRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /v1/drift/accept: which changes are normal from now on (or all that are open), who says so, and why."""

    ids: tuple[int, ...] = ()
    every: bool = False
    by: Name = ""
    reason: Reason = ""


_known = msgspec.json.Decoder(Known).decode
_drifted = msgspec.json.Decoder(Drifted).decode
_json = msgspec.json.encode


class Watch:
    """Looks at what the core has handled. `kinds` says which topics of which systems are worth it; `inboxes` have the bytes."""

    def __init__(self, intake: Intake, inboxes: Mapping[str, InboxReader], kinds: Callable[[str, str], bool]) -> None:
        self.intake, self.world, self.inboxes, self.kinds = intake, intake.world, inboxes, kinds
        self.at = {name: self.world.counters.get(f"shapes/{name}", 0) for name in inboxes}
        self._met: Counter[tuple[str, str]] = Counter()
        intake.readers["operator/drift"] = reader(AcceptRequest)
        intake.handlers["operator/drift"] = self._accept

    def step(self) -> int:
        """Look at some of what came since; how many documents were read. Their shapes and the place up to here are one commit."""
        read = 0
        for source, inbox in self.inboxes.items():
            if self.at[source] < self.world.counters.get(f"position/{source}", 0):
                read += self._go_over(source, inbox)
        return read

    def _go_over(self, source: str, inbox: InboxReader) -> int:
        looked: list[tuple[int, tuple[str, str]]] = []
        place = handled = self.world.counters[f"position/{source}"]
        heads = inbox.heads(self.at[source], HEADS_MAX)
        for seq, system, topic in heads:
            if seq > handled or len(looked) >= AT_ONCE:
                place = seq - 1
                break
            if self._is_sample(system, topic):
                looked.append((seq, (system, topic)))
        else:
            place = heads[-1][0] if len(heads) == HEADS_MAX else handled
        self.at[source] = place
        if looked:
            self._learn(source, inbox, looked)
        return len(looked)

    def _is_sample(self, system: str, topic: str) -> bool:
        if not self.kinds(system, topic):
            return False
        kind = (system, topic)
        if kind not in self._met:
            self._met[kind] = _load(self.world.store, kind, self.world.batch).met
        self._met[kind] += 1
        return self._met[kind] <= FIRST or self._met[kind] % EVERY == 0

    def _learn(self, source: str, inbox: InboxReader, looked: list[tuple[int, tuple[str, str]]]) -> None:
        store, batch = self.world.store, Batch()
        known = {kind: _load(store, kind) for _, kind in looked}
        found = {one.about: one for one in drifted(store)}
        before = dict(found)
        for seq, kind in looked:
            receipt = inbox.one(seq)
            sample = shapes.read(receipt.body) if receipt is not None else None
            if receipt is not None and sample is not None:
                for change in self._judged(known[kind], sample):
                    self._note(found, receipt, change)
            else:
                self._met[kind] -= 1  # nothing is learned from it: the next takes its place
        for kind, all_of_it in known.items():
            all_of_it.met = self._met[kind]
            batch.shapes.append((*kind, _json(all_of_it)))
        batch.drifts = [(one.id, one.status, _json(one)) for about, one in found.items() if before.get(about) != one]
        self.world.counters[f"shapes/{source}"] = batch.counters[f"shapes/{source}"] = self.at[source]
        store.write(batch)

    def _note(self, found: dict[About, Drifted], receipt: Receipt, change: Change) -> None:
        """Once for each change; and no more than so many of a kind."""
        about = (receipt.system, receipt.topic, change.path, change.kind, change.now)
        if about in found:
            one = found[about]
            found[about] = replace(one, count=one.count + 1, last_at=receipt.at)
        elif sum(1 for one in found.values() if one.about[:2] == about[:2] and one.status == "open") < OPEN_MAX:
            found[about] = self._told(max((one.id for one in found.values()), default=0) + 1, receipt, change)

    @staticmethod
    def _judged(known: Known, sample: Shape) -> list[Change]:
        """What of a document is told; one of the first is learned from, too."""
        learning = known.shape.samples < FIRST
        found = shapes.changes(known.shape, sample) if not learning else []
        for path, is_gone in shapes.lacking(known.shape, sample).items() if not learning else ():
            known.gone[path] = known.gone.get(path, 0) + 1 if is_gone else 0
            if known.gone[path] >= MISSING_AFTER:
                found.append(Change(path, "missing", tuple(sorted(known.shape.paths[path])), ""))
        known.gone = {path: count for path, count in known.gone.items() if count}
        if learning:
            known.shape = shapes.together(known.shape, sample)
        return found

    def _told(self, number: int, receipt: Receipt, change: Change) -> Drifted:
        reads, refused = reading(self.intake.shop.translate[receipt.system], receipt, change.path)
        told = Drifted(
            number, receipt.system, receipt.topic, change.path, change.kind, change.was, change.now, receipt.at, receipt.at, 1, receipt.seq,
            reads, refused,
        )  # fmt: skip
        log.warning("schema_drift", id=number, system=receipt.system, topic=receipt.topic, path=change.path, what=change.kind)
        return told

    # --- what people decide --------------------------------------------------------------------------------------------
    def _accept(self, receipt: Receipt, ask: Ask) -> None:
        """Take changes for normal. Those that come again in the same kind of document are not told any more."""
        request: AcceptRequest = ask.request
        store, batch = self.world.store, self.world.batch
        rows = {number: body for number, _, body in batch.drifts}
        found = [_drifted(rows.get(one.id, _json(one))) for one in drifted(store)]
        chosen = [one for one in found if one.status == "open" and (request.every or one.id in request.ids)]
        if not chosen:
            self.intake.answer(receipt, 404, {"code": "not_found", "detail": "no open change of shape has such a number"})
            return
        for one in chosen:
            kind = (one.system, one.topic)
            known = _load(store, kind, batch)
            sample = self._sample(one) if one.kind != "missing" else None
            known.shape = shapes.accepted(known.shape, Change(one.path, one.kind, one.was, one.now), sample)
            known.gone.pop(one.path, None)
            batch.shapes.append((*kind, _json(known)))
            done = replace(one, status="accepted", by=request.by, reason=request.reason, decided_at=receipt.at)
            batch.drifts.append((one.id, done.status, _json(done)))
        self.intake.answer(receipt, 200, {"accepted": [one.id for one in chosen]})

    def _sample(self, one: Drifted) -> Shape | None:
        """The shape of the document that showed it, as long as its bytes are there: what lies in a new field is accepted with it."""
        kept = next((found for inbox in self.inboxes.values() if (found := inbox.one(one.example)) is not None), None)
        return shapes.read(kept.body) if kept is not None else None


def _load(store: State, kind: tuple[str, str], batch: Batch | None = None) -> Known:
    for system, topic, body in reversed(batch.shapes if batch else ()):
        if (system, topic) == kind:
            return _known(body)
    rows = store.rows("one_shape", kind)
    return _known(rows[0][0]) if rows else Known()


def drifted(store: State) -> list[Drifted]:
    """All changes of shape, newest first."""
    return [_drifted(body) for _, _, body in store.rows("drifts")]


def reading(translate: Translate, receipt: Receipt, path: str) -> tuple[bool, bool]:
    """Does the mapping read this field, and does it refuse the document? The document is read as it is, and once more with something in
    the field's place that no vendor sends."""
    as_it_is, _refused = _said(translate, receipt.topic, receipt.body)
    document = msgspec.json.decode(receipt.body)
    _put(document, _steps(path))
    return _said(translate, receipt.topic, _json(document))[0] != as_it_is, _refused


def _said(translate: Translate, topic: str, body: bytes) -> tuple[bytes, bool]:
    try:
        return _json(translate(topic, body)), False
    except Reject as why:
        return f"{why.code} {why.why}".encode(), True
    except Exception as bug:  # a mapping that breaks on it has read it
        return f"bug {type(bug).__name__} {bug}".encode(), True


def _steps(path: str) -> list[str]:
    return [step for name in path.split(".") for step in (name.removesuffix("[]").replace("[]", ""), *["[]"] * name.count("[]")) if step]


def _put(value: Any, steps: list[str]) -> None:
    """Put the probe wherever the steps lead, in place."""
    step, rest = steps[0], steps[1:]
    if step == "[]" and isinstance(value, list):
        places: list[Any] = list(range(len(value)))
    elif isinstance(value, dict):
        names = [name for name in value if step in (shapes.shown(name), shapes.ANY)]
        places = names or ([step.replace("·", ".")] if not rest else [])
    else:
        return
    for place in places:
        if rest:
            _put(value[place], rest)
        else:
            value[place] = dict(PROBE)


CONSEQUENCE: Mapping[tuple[bool, bool], str] = {  # (read by the mapping, refused) -> what follows
    (True, True): "messages like it are refused: dead letters, and what they say is missing",
    (True, False): "the mapping reads this field: look at what became of the example",
    (False, True): "messages like it are refused, though not for this field",
    (False, False): "the mapping does not read this field: nothing changes",
}


def shown(one: Drifted) -> dict[str, Any]:
    """A change of shape as people see it."""
    what = {"new": f"a new field ({one.now})", "missing": f"was always there ({' or '.join(one.was)})"}
    told = what.get(one.kind, f"was {' or '.join(one.was)}, is {one.now}")
    return {
        "id": one.id, "status": one.status, "system": one.system, "topic": one.topic, "path": one.path, "kind": one.kind, "what": told,
        "first_at": iso(one.first_at), "last_at": iso(one.last_at), "count": one.count, "example": one.example,
        "reads": one.reads, "consequence": CONSEQUENCE[one.reads, one.refused], "by": one.by, "reason": one.reason,
        "decided_at": iso(one.decided_at) if one.decided_at else "",
    }  # fmt: skip
