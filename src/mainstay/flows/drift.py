"""Schema drift: what inbound documents look like is learned in quiet moments, and a change is told before a mapping breaks. While few of a
kind come, each is looked at; of many, a part. Nothing of it decides anything; shapes hold names and types, and no value.

Which are looked at hangs on what came before them in their inbox, and on the times at which they came: not on batches, not on restarts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from itertools import chain
from typing import Any, Literal, get_args

import msgspec
import structlog
from msgspec import Struct, field
from msgspec.structs import replace

from mainstay.flows.ask import Ask, ReserveRequest, reader
from mainstay.flows.intake import Intake
from mainstay.flows.queue import Name, Reason
from mainstay.flows.tell import FILED, Tell
from mainstay.model import shape as shapes
from mainstay.model.failures import Reject
from mainstay.model.seen import SeenEvent
from mainstay.model.shape import Change, Kind, Shape
from mainstay.model.times import DAY, SECOND, iso
from mainstay.storage.database import STORE_FAILED
from mainstay.storage.inbox import InboxReader, Receipt
from mainstay.storage.state import Batch, State

SPAN_US = 600 * SECOND
EACH = 200  # documents of a kind that are looked at in such a span, every one: a small shop never has more
EVERY = 100  # of those beyond them, one in so many is looked at
FIRST = 200  # documents of a kind that are learned from
FEW, FEW_US = 50, 30 * DAY  # or so many, where it took longer
MISSING_AFTER = 20  # documents in a row that lack what was always there
OF_ONE = 10  # statements of a kind that are looked at in one request
HEADS_MAX = 2_000  # receipts that one step goes over
AT_ONCE = 16  # documents that one step reads: it takes some 20 ms
OPEN_MAX = 50  # changes of one kind that are told; whoever sends more has sent something else altogether
TOLD = (Tell.topic, FILED)  # requests that hold statements: each kind of statement is a kind of document
OWN_WORDS = frozenset({*TOLD, "api/order", "api/reserve"})  # of a system of the shop's own; a release is no document
STATEMENTS = tuple(kind.__name__ for kind in get_args(SeenEvent))
PROBE: Mapping[str, str] = {"mainstay": "probe"}  # stands in for a field, to see whether the mapping notices

log = structlog.get_logger("core")
About = tuple[str, str, str, str, str]  # system, topic, path, kind of change, type
Translate = Callable[[str, bytes], Any]


class Known(Struct):
    """What is known of one kind of document. `gone`: for how many documents in a row a path has been lacking."""

    shape: Shape = field(default_factory=Shape)
    since: int = 0  # when the first came
    gone: dict[str, int] = {}

    def learns(self, at: int) -> bool:
        return self.shape.samples < FIRST and (self.shape.samples < FEW or at < self.since + FEW_US)


class Pace(Struct):
    """How many documents of a kind an inbox has brought in the span that the last one came in."""

    span: int = 0
    number: int = 0

    def is_sample(self, at: int) -> bool:
        """Is this one looked at? A clock that is set begins another span."""
        if at // SPAN_US != self.span:
            self.span, self.number = at // SPAN_US, 0
        self.number += 1
        return self.number <= EACH or self.number % EVERY == 0

    @property
    def kept(self) -> int:
        """As one of the store's counters."""
        return self.span << 32 | self.number

    @classmethod
    def of(cls, kept: int) -> Pace:
        return cls(kept >> 32, kept & 0xFFFF_FFFF)


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
        self.at = {name: self.world.counters.get(_counter(name), 0) for name in inboxes}
        self._paces: dict[tuple[str, str, str], Pace] = {}  # source, system, topic
        intake.readers["operator/drift"] = reader(AcceptRequest)
        intake.handlers["operator/drift"] = self._accept

    def step(self) -> int:
        """Look at some of what came since; how many documents were read."""
        read = 0
        for source, inbox in self.inboxes.items():
            if self.at[source] < self.world.counters.get(f"position/{source}", 0):
                read += self._go_over(source, inbox)
        return read

    def _go_over(self, source: str, inbox: InboxReader) -> int:
        looked: list[int] = []
        place = handled = self.world.counters[f"position/{source}"]
        heads = inbox.heads(self.at[source], HEADS_MAX)
        for seq, at, system, topic in heads:
            if seq > handled or len(looked) >= AT_ONCE:
                place = seq - 1
                break
            if self._is_sample(source, at, system, topic):
                looked.append(seq)
        else:
            place = heads[-1][0] if len(heads) == HEADS_MAX else handled
        self.at[source] = place
        if looked:
            try:
                self._learn(inbox, looked)
            except STORE_FAILED:
                raise
            except Exception:  # nothing of it decides anything: a bug here stops nobody
                log.exception("shapes_not_learned", source=source, receipts=looked)
        return len(looked)

    def _is_sample(self, source: str, at: int, system: str, topic: str) -> bool:
        kind = (source, system, topic)
        pace = self._paces.get(kind)
        if pace is None:
            if not self.kinds(system, topic):
                return False
            pace = self._paces[kind] = Pace.of(self.world.counters.get(_counter(*kind), 0))
        return pace.is_sample(at)

    def _learn(self, inbox: InboxReader, looked: list[int]) -> None:
        """Look at these, and commit what was learned with how far it was read. Where nothing was, that waits for the core's next commit: a
        document that looks as all do costs no sync."""
        store, batch = self.world.store, Batch()
        rows: dict[tuple[str, str], bytes] = {}
        known: dict[tuple[str, str], Known] = {}
        found = {one.about: one for one in drifted(store)}
        before = dict(found)
        for receipt in filter(None, map(inbox.one, looked)):
            for topic, document in documents(receipt.topic, receipt.body):
                kind = (receipt.system, topic)
                if kind not in known:
                    rows[kind] = _row(store, kind)
                    known[kind] = _known(rows[kind])
                for change in self._judged(known[kind], shapes.shape_of(document), receipt.at):
                    self._note(found, receipt, topic, change)
        batch.shapes = [(*kind, body) for kind, one in known.items() if (body := _json(one)) != rows[kind]]
        batch.drifts = [(one.id, one.status, _json(one)) for about, one in found.items() if before.get(about) != one]
        kept = {_counter(*kind): pace.kept for kind, pace in self._paces.items()} | {_counter(name): at for name, at in self.at.items()}
        if batch.shapes or batch.drifts:
            batch.counters = kept
            store.write(batch)
        self.world.counters |= kept  # all together: what is gone over again is counted again

    def _note(self, found: dict[About, Drifted], receipt: Receipt, topic: str, change: Change) -> None:
        """Once for each change; and no more than so many of a kind."""
        about = (receipt.system, topic, change.path, change.kind, change.now)
        if about in found:
            one = found[about]
            found[about] = replace(one, count=one.count + 1, last_at=receipt.at)
        elif sum(1 for one in found.values() if one.about[:2] == about[:2] and one.status == "open") < OPEN_MAX:
            found[about] = self._told(max((one.id for one in found.values()), default=0) + 1, receipt, topic, change)

    @staticmethod
    def _judged(known: Known, sample: Shape, at: int) -> list[Change]:
        """What of a document is told; one of the first is learned from, too."""
        known.since = known.since or at
        learning = known.learns(at)
        found = shapes.changes(known.shape, sample) if not learning else []
        for path, is_gone in shapes.lacking(known.shape, sample).items() if not learning else ():
            known.gone[path] = known.gone.get(path, 0) + 1 if is_gone else 0
            if known.gone[path] >= MISSING_AFTER:
                found.append(Change(path, "missing", tuple(sorted(known.shape.paths[path])), ""))
        known.gone = {path: count for path, count in known.gone.items() if count}
        if learning:
            known.shape = shapes.together(known.shape, sample)
        return found

    def _told(self, number: int, receipt: Receipt, topic: str, change: Change) -> Drifted:
        reads, refused = reading(self.intake.shop.translate[receipt.system], receipt, topic, change.path)
        told = Drifted(
            number, receipt.system, topic, change.path, change.kind, change.was, change.now, receipt.at, receipt.at, 1, receipt.seq,
            reads, refused,
        )  # fmt: skip
        log.warning("schema_drift", id=number, system=receipt.system, topic=topic, path=change.path, what=change.kind)
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
        parts = documents(kept.topic, kept.body) if kept is not None else ()
        lots = [shapes.shape_of(document) for topic, document in parts if topic == one.topic]
        return reduce(shapes.together, lots) if lots else None


def documents(topic: str, body: bytes) -> Iterator[tuple[str, Any]]:
    """The documents of a receipt, each with its topic: one; or of each kind of statement that stands in it the first ones. None where it
    is no JSON."""
    return chain.from_iterable(_parts(topic, whole) for whole in shapes.read(body))


def _parts(topic: str, whole: Any) -> Iterator[tuple[str, Any]]:
    if topic not in TOLD:
        yield topic, whole
        return
    met: Counter[str] = Counter()
    for one in _listed(_of(whole, "statements")):
        kind = _of(_of(one, "event"), "event")
        if kind in STATEMENTS:
            met[kind] += 1
            if met[kind] <= OF_ONE:
                yield f"{topic}/{kind}", one


def _of(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _counter(*of: str) -> str:
    """What is kept under an inbox's name is how far it was gone over; under a kind's, its pace there."""
    return "/".join(("shapes", *of))


def _load(store: State, kind: tuple[str, str], batch: Batch) -> Known:
    """With what was accepted in this batch."""
    for system, topic, body in reversed(batch.shapes):
        if (system, topic) == kind:
            return _known(body)
    return _known(_row(store, kind))


def _row(store: State, kind: tuple[str, str]) -> bytes:
    rows: list[tuple[bytes]] = store.rows("one_shape", kind)
    return rows[0][0] if rows else b"{}"


def drifted(store: State) -> list[Drifted]:
    """All changes of shape, newest first."""
    return [_drifted(body) for _, _, body in store.rows("drifts")]


def reading(translate: Translate, receipt: Receipt, topic: str, path: str) -> tuple[bool, bool]:
    """Does the mapping read this field, and does it refuse the document? The document is read as it is, and once more with something in
    the field's place that no vendor sends."""
    as_it_is, _refused = _said(translate, receipt.topic, receipt.body)
    whole = msgspec.json.decode(receipt.body)
    for kind, document in _parts(receipt.topic, whole):
        if kind == topic:
            _put(document, _steps(path))
    return _said(translate, receipt.topic, _json(whole))[0] != as_it_is, _refused


def _said(translate: Translate, topic: str, body: bytes) -> tuple[bytes, bool]:
    try:
        if topic == "api/reserve":  # which says nothing by itself
            return _json(msgspec.json.decode(body, type=ReserveRequest)), False
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
