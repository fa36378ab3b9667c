"""What a connector promises, each as a check that raises Broken. The suite's table of them stands in conformance."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import get_type_hints

import msgspec

from mainstay.contract.connector import Connector, Done, Row, Subscription
from mainstay.contract.rehearsal import STEPS, Broken, Subject, agrees, play
from mainstay.contract.stage import PAGES_MAX, Dice, Stage, promise, secrets_of
from mainstay.contract.talk import Call, Repeat, Reply
from mainstay.model import commands as model_commands
from mainstay.model.commands import Command
from mainstay.model.failures import Failure, Forged, Halt, Reject, Retry
from mainstay.model.seen import Hint
from mainstay.model.times import DAY, SECOND, iso

FORBIDDEN = frozenset({
    "aiohttp", "apsw", "asyncio", "builtins", "concurrent", "ctypes", "ftplib", "http", "httpx", "importlib", "io", "logging",
    "multiprocessing", "os", "pathlib", "queue", "random", "requests", "select", "secrets", "shutil", "signal", "smtplib", "socket",
    "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib.request", "urllib3", "uuid",
})  # fmt: skip
BACKLOG = 150  # things that happened before the first poll: more than a page of most vendors
_CLOCKS = frozenset({"now", "utcnow", "today"})
_DOORS = frozenset({"open", "print", "input", "eval", "exec", "__import__"})


def overrides(connector: Connector, method: str) -> bool:
    """Has the connector written this method itself?"""
    return getattr(type(connector), method) is not getattr(Connector, method)


def pure(subject: Subject, _: Dice) -> None:
    for file, text in subject.sources.items():
        for node in ast.walk(ast.parse(text)):
            for name in _imports(node):
                top = name.partition(".")[0]
                ours = top == "mainstay" and not name.startswith(
                    ("mainstay.contract", "mainstay.model", f"mainstay.connectors.{subject.name}")
                )
                if ours or {name, top} & FORBIDDEN:
                    raise Broken(f"{file}:{node.lineno} imports {name}; a connector uses contract, model and no I/O, clock or chance")  # type: ignore[attr-defined]
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if called in (_CLOCKS if isinstance(node.func, ast.Attribute) else _DOORS):
                    raise Broken(f"{file}:{node.lineno} calls {called}(); time and data are handed in")


def _imports(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield node.module


def declared(subject: Subject, _: Dice) -> None:
    connector = subject.connector()
    manifest = connector.manifest
    for part in (manifest, *manifest.topics, *manifest.feeds, *manifest.sinks):
        for name in ("name", "title", "summary", "source", "version", "command", "operation"):
            if getattr(part, name, "text") == "":
                raise Broken(f"{type(part).__name__} {getattr(part, 'name', '') or getattr(part, 'command', '')} has no {name}")
    for feed in manifest.feeds:
        for topic in feed.topics:
            if manifest.topic(topic) is None:
                raise Broken(f"feed {feed.name} brings topic {topic}, which is not declared")
    for sink in manifest.sinks:
        if not isinstance(getattr(model_commands, sink.command, None), type):
            raise Broken(f"sink {sink.command} is no command of the model")
    for budget in manifest.budgets:
        if not budget.source or budget.capacity <= 0:
            raise Broken(f"budget {budget.name} names no capacity or no page that says so")
    for name, hint in get_type_hints(type(connector).Settings, include_extras=True).items():
        if not any(getattr(meta, "description", None) for meta in getattr(hint, "__metadata__", ())):
            raise Broken(f"setting {name} has no description")
    needed = {"pull": manifest.feeds, "push": manifest.sinks, "receive": manifest.signature}
    needed["look_up"] = tuple(sink for sink in manifest.sinks if sink.repeat is not Repeat.SAFE or sink.replaces)
    for method, reason in needed.items():
        if reason and not overrides(connector, method):
            raise Broken(f"the manifest promises what `{method}` would do, but it is not written")


def works(subject: Subject, dice: Dice) -> None:
    """Over some fair plays each feed brings rows of its own topics, each sink is done once, and deliveries are understood."""
    connector = subject.connector()
    rows: set[str] = set()
    done: set[str] = set()
    heard = 0
    for _ in range(4):
        stage = play(subject, dice)
        rows |= {row.topic for row in stage.rows}
        done |= {type(command).__name__ for command, outcome in stage.outcomes if isinstance(outcome, Done)}
        heard += len(stage.heard)
        refused = next((outcome for _, outcome in stage.outcomes if isinstance(outcome, Failure)), None)
        if refused:
            raise Broken(f"a sensible command was refused in fair weather: {refused.why}")
        parked = next(((row, reject) for row, reject in stage.parked if reject.code != "not_business"), None)
        if parked:
            raise Broken(f"a genuine {parked[0].topic} was parked: {parked[1].why}")
    silent = [feed.name for feed in connector.manifest.feeds if not rows & set(feed.topics)]
    idle = [sink.command for sink in connector.manifest.sinks if sink.command not in done and sink.command != "Fetch"]
    strange = [topic for topic in rows if connector.manifest.topic(topic) is None]
    if silent or idle or strange:
        raise Broken(f"feeds that brought nothing: {silent}; sinks that did nothing: {idle}; topics that are not declared: {strange}")
    if connector.manifest.signature and not heard:
        raise Broken("it signs deliveries, but none arrived")


def authentic(subject: Subject, dice: Dice) -> None:
    stage = play(subject, dice)
    connector = stage.connector
    if not connector.manifest.signature:
        if any(not isinstance(one.event, Hint) for post, topic, _, _ in stage.heard for one in connector.translate(topic, post.body)):
            raise Broken("a delivery without a signature was believed; it may only be a hint to fetch")
        return
    for post, topic, _, at in stage.heard[:12]:
        for n in (0, len(post.body) - 1, dice.randrange(0, len(post.body)), dice.randrange(0, len(post.body))):
            flipped = post.body[:n] + bytes([post.body[n] ^ 1]) + post.body[n + 1 :]
            _refused(connector, post.headers, flipped, at, f"{topic} with byte {n} changed")
        _refused(connector, post.headers, post.body + b" ", at, f"{topic} with a space more")
        _refused(connector, {}, post.body, at, f"{topic} without its headers")
        age_s = subject.driver.stale_s
        if age_s is not None:
            _refused(connector, post.headers, post.body, at + int(age_s * 2_000_000), f"{topic} played again after {age_s * 2:.0f} s")


def _refused(connector: Connector, headers: Mapping[str, str], body: bytes, now: int, what: str) -> None:
    try:
        connector.receive(headers, body, now)
    except Forged:
        return
    except Exception as error:
        raise Broken(f"{what} was not refused as forged but failed later: {type(error).__name__}: {error}") from None
    raise Broken(f"{what} was accepted")


def named(subject: Subject, dice: Dice) -> None:
    """The same event has the same key however often it comes; two events never share one."""
    stage = play(subject, dice, {"duplicate": 0.5})
    for post, topic, key, at in stage.heard:
        again = stage.connector.receive(post.headers, post.body, at + SECOND)
        if (again.topic, again.key) != (topic, key) or not key:
            raise Broken(f"one delivery is called {topic} {key!r}, then {again.topic} {again.key!r}")
    bodies: dict[tuple[str, str], bytes] = {}
    keys: dict[tuple[str, bytes], str] = {}
    for post, topic, key, _ in stage.heard:
        if bodies.setdefault((topic, key), post.body) != post.body:
            raise Broken(f"two different deliveries of {topic} share the key {key!r}, so one would be taken for a repeat")
        if keys.setdefault((topic, post.body), key) != key:
            raise Broken(f"the same {topic} came twice under two keys, so it would count twice")


def exact(subject: Subject, dice: Dice) -> None:
    for one in play(subject, dice).said:
        if path := _float_in(msgspec.to_builtins(one), type(one.event).__name__):
            raise Broken(f"a floating-point number in {path}")


def _float_in(value: object, path: str) -> str:
    if isinstance(value, float):
        return path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    return next((found for name, member in members if (found := _float_in(member, f"{path}.{name}"))), "")


def discreet(subject: Subject, dice: Dice) -> None:
    stage = play(subject, dice, {"throttled": 0.1, "error_before": 0.1, "cut_before": 0.1})
    secrets = secrets_of(stage.connector.settings) + ([stage.session.token.reveal()] if stage.session else [])
    shown = {"its repr": repr(stage.connector), "its settings": repr(stage.connector.settings)}
    shown |= {f"the failure {failure.code}": failure.why for failure in stage.failures}
    shown |= {f"a call of {call.operation}": f"{call.operation} {call.path} {dict(call.query)} {call.key}" for call in stage.calls}
    shown |= {f"the key of {topic}": key for _, topic, key, _ in stage.heard}
    for place, text in shown.items():
        if any(secret in text for secret in secrets if secret):
            raise Broken(f"a secret shows in {place}")


def steady(subject: Subject, dice: Dice) -> None:
    """A command that is repeated sends the same bytes under the same key: otherwise the vendor cannot recognise it."""
    stage = play(subject, dice, steps=6)
    for n in range(30):
        subject.driver.act(stage.twin, dice, stage.now)
        wish = subject.driver.wish(stage.twin, dice)
        if wish is None:
            continue
        command = msgspec.structs.replace(wish, key=f"int-steady-{n}")
        first, second = _writing_call(stage, command), _writing_call(stage, command)
        if first != second:
            raise Broken(f"{type(command).__name__} was sent as {_shown(first)} and then as {_shown(second)}")
        if first and first.repeat is Repeat.KEYED and not first.key:
            raise Broken(f"{first.operation} promises a key and carries none")
        if (
            first
            and first.repeat is not promise(stage, command)
            and promise(stage, command) is not Repeat.SAFE
            and first.repeat is Repeat.SAFE
        ):
            raise Broken(f"{first.operation} says that a repeat is safe, but the manifest says {promise(stage, command).value}")


def _shown(call: Call | None) -> str:
    return f"{call.method} {call.path} {dict(call.query)} key {call.key!r} {call.body[:200]!r}" if call else "nothing"


def _writing_call(stage: Stage, command: Command) -> Call | None:
    """The call that would have the effect: reads are answered by the twin, and then the connection breaks."""
    talk = stage.connector.push([command])
    try:
        call = next(talk)
        while call.repeat is Repeat.SAFE and stage.connector.manifest.sink(type(command).__name__).operation != call.operation:  # type: ignore[union-attr]
            call = talk.send(stage.perform(call))
        return call
    except StopIteration:
        return None
    finally:
        talk.close()


def strict(subject: Subject, dice: Dice) -> None:
    """A word that the vendor never used is parked under its name; a broken body is a Reject, never a crash."""
    stage = play(subject, dice)
    garbled = 0
    for row in stage.rows:
        strange = subject.driver.garble(row)
        if strange is not None:
            garbled += 1
            _parks(stage.connector, strange, {"unknown_word", "unknown_topic"})
        if row.body:
            cut = row.body[: dice.randrange(0, len(row.body))]
            _parks(stage.connector, Row(row.topic, row.key, cut), set())
            _parks(stage.connector, Row(row.topic, row.key, b"[" * 100_000), set())
            _parks(stage.connector, Row(row.topic, row.key, b"\xff" + row.body), set())
    _parks(stage.connector, Row("no.such/topic", "1", b"{}"), {"unknown_topic"})
    if not garbled:
        raise Broken("the driver garbled no row, so nothing is proved about unknown words")


def _parks(connector: Connector, row: Row, codes: set[str]) -> None:
    try:
        said = connector.translate(row.topic, row.body)
    except Reject as reject:
        if codes and reject.code not in codes:
            raise Broken(f"{row.topic}: an unknown word was refused as {reject.code} ({reject.why}), not as {sorted(codes)}") from None
        return
    except Exception as crash:
        raise Broken(f"{row.topic}: a bad body crashed it: {type(crash).__name__}: {crash}") from None
    raise Broken(f"{row.topic}: {row.body[:60]!r} was guessed to mean {said!r:.200}")


def reads_http(subject: Subject, _: Dice) -> None:
    """What answers mean, whatever the vendor: no credentials halt, too many and failing retry, a redirect is refused."""
    connector = subject.connector()
    call = Call(operation="probe", method="GET", path="/")
    for status, kind in ((401, Halt), (429, Retry), (503, Retry), (302, Reject)):
        try:
            connector.judge(call, Reply(status, {}, b"{}"))
        except Failure as failure:
            if isinstance(failure, kind):
                continue
            raise Broken(f"HTTP {status} became {type(failure).__name__}, not {kind.__name__}: {failure.why}") from None
        raise Broken(f"HTTP {status} was taken for success")


def timeless(subject: Subject, dice: Dice) -> None:
    """The order in which statements arrive does not change what we believe: their versions do."""
    stage = play(subject, dice, {"late": 0.3})
    belief = subject.driver.belief(stage.said)
    for _ in range(5):
        shuffled = sorted(stage.said, key=lambda _: dice.random())
        other = subject.driver.belief(shuffled)
        for key in sorted(belief.keys() | other.keys()):
            if belief.get(key) != other.get(key):
                raise Broken(f"{key}: in one order we believe {belief.get(key)!r}, in another {other.get(key)!r}")


def fair(subject: Subject, dice: Dice) -> None:
    agrees(subject, play(subject, dice))


def polls_alone(subject: Subject, dice: Dice) -> None:
    agrees(subject, play(subject, dice, deliveries=False, backlog=BACKLOG))


def survives_crashes(subject: Subject, dice: Dice) -> None:
    agrees(subject, play(subject, dice, deliveries=False, crash=0.5, backlog=BACKLOG))


def resubscribes(subject: Subject, dice: Dice) -> None:
    """A subscription that the vendor dropped is seen and restored, once."""
    connector = subject.connector()
    if not overrides(connector, "subscriptions"):
        return
    stage = play(subject, dice, {"unsubscribed": 1.0})
    twin = stage.twin
    if not twin.fired.get("unsubscribed"):
        raise Broken("nothing was delivered, so no subscription could be dropped")
    url = connector.events_to(subject.url)
    wrong = _wrong(stage, url)
    if not wrong:
        raise Broken("the vendor dropped the subscriptions, and `subscriptions` saw nothing wrong")
    for one in wrong:
        if connector.manifest.topic(one.topic) is None:
            raise Broken(f"it subscribes to {one.topic}, which is not declared")
    stage.insist(lambda: connector.subscribe(url, wrong))
    if left := _wrong(stage, url):
        raise Broken(f"`subscribe` left them as they were: {[one.topic for one in left]}")


def _wrong(stage: Stage, url: str) -> list[Subscription]:
    return [one for one in stage.insist(lambda: stage.connector.subscriptions(url)) if one.wrong]


def begins_anywhere(subject: Subject, dice: Dice) -> None:
    """`since` gives a cursor that misses nothing that happened after its moment, and does not read everything anew."""
    connector = subject.connector()
    if not overrides(connector, "since"):
        return
    stage = play(subject, dice, deliveries=False, backlog=BACKLOG)
    moment, before = stage.now, {name: _read(stage, name, "") for name in stage.cursors}
    stage.now += DAY
    for _ in range(STEPS):
        subject.driver.act(stage.twin, dice, stage.now)
        stage.now += dice.randrange(1, 5) * SECOND
    stage.now += DAY
    news: set[tuple[str, str]] = set()
    found: set[tuple[str, str]] = set()  # together: what became of an old thing may be another feed's news
    for feed, cursor in stage.cursors.items():
        start = connector.since(feed, moment)
        if start is None:
            continue
        news |= _read(stage, feed, cursor) - before[feed]
        found |= _read(stage, feed, start)
        if start and before[feed] and len(_read(stage, feed, connector.since(feed, stage.now) or "")) >= len(before[feed]):
            raise Broken(f"feed {feed} reads everything anew, whatever the moment")
    if missed := news - found:
        raise Broken(f"what came after {iso(moment)} is missed from there on: {sorted(missed)[:3]}")


def _read(stage: Stage, feed: str, cursor: str) -> set[tuple[str, str]]:
    """The identities of what a feed brings from a cursor to its end."""
    found: set[tuple[str, str]] = set()
    for _ in range(PAGES_MAX):
        page = stage.insist(lambda: stage.connector.pull(feed, cursor))  # noqa: B023
        found |= {(row.topic, row.key) for row in page.rows}
        cursor = page.cursor
        if not page.more:
            return found
    raise Broken(f"feed {feed} still has more after {PAGES_MAX} pages; cursor {cursor!r}")
