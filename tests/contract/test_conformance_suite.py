"""The suite itself: the scaffolded TinyShop passes it, and each check catches a broken copy of it."""

import importlib
import os
import random
import subprocess
import sys
import tomllib
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mainstay.contract.conformance import CHECKS, Subject, examine, report
from mainstay.contract.connector import settings_of
from mainstay.contract.scaffold import scaffold
from mainstay.model.failures import Reject
from mainstay.twins.imitation import Weather

TEXTS = scaffold("tinyshop")
CONNECTOR = TEXTS["src/mainstay_tinyshop/__init__.py"]
SETTINGS = {"url": "https://tinyshop.example", "token": "tiny-token", "webhook_secrets": ["tiny-hush"]}

Change = tuple[str, str]  # a text of the connector, and what stands there instead
WIRE = "    def endpoints("
ASK, HEAR, COUNT = (
    "reply = yield _asking(command)",
    'return Delivery("order.changed", headers["webhook-id"])',
    'self.n = getattr(self, "n", 0) + 1',
)


def method(*lines: str) -> tuple[Change]:
    """A method more."""
    return ((WIRE, "".join(f"    {line}\n" for line in lines) + "\n" + WIRE),)


def judging(condition: str, action: str) -> tuple[Change]:
    """Another reading of HTTP under a condition."""
    otherwise = "    return super().judge(call, reply)"
    return method("def judge(self, call, reply):", f"    if {condition}:", f"        {action}", otherwise)


# check -> broken copies that it must catch
BROKEN: dict[str, dict[str, tuple[Change, ...]]] = {
    "pure": {
        "does its own I/O": (("import msgspec\n", "import msgspec\nimport urllib.request\n"),),
        "reads the clock": (("price=minor(item.price, currency)", "price=minor(item.price, currency) + 0 * datetime.now()"),),
        "uses another room": (("import msgspec\n", "import msgspec\nfrom mainstay.twins.imitation import LATE_S_MAX\n"),),
    },
    "declared": {
        "an undescribed sink": (('"Tell that a parcel left."', '""'),),
        "an undescribed setting": (('token: Annotated[Secret, Meta(description="API token.")]', "token: Secret"),),
        "a feed of undeclared topics": (('("order.changed",), objects=("order",))', '("orders.changed",), objects=("order",))'),),
        "a look-up that is promised but not written": (("def look_up(", "def looks_up("),),
        "a sink that is no command": (('Sink("SetLevel"', 'Sink("SetLevels"'),),
        "a limit from nowhere": (('("*",), DOCS)', '("*",))'),),
    },
    "reads_http": {
        "goes on without credentials": judging("reply.status == 401", "return reply"),
        "follows a redirect": judging("reply.status == 302", "return reply"),
    },
    "works": {
        "refuses what it promises": (
            (
                '        body = as_json({"order": command.order',
                '        raise Reject("no")\n        body = as_json({"order": command.order',
            ),
        ),
        "rows of a topic that nobody declared": (
            ('Row("order.changed", f"', 'Row("order.seen", f"'),
            ('if topic != "order.changed"', "if not topic"),
        ),
        "does not know its own words": (('"void": "voided"', '"annulled": "voided"'),),
    },
    "fair": {
        "misreads the total": (("total=minor(source.total, source.currency)", "total=minor(source.total, 'JPY')"),),
        "confuses two words": (('"sent": "captured"', '"sent": "pending"'),),
        "counts quantity twice": (("total=minor(source.total, source.currency)", "total=2 * minor(source.total, source.currency)"),),
    },
    "authentic": {
        "believes any delivery": (
            ("        signatures.standard_webhooks(self.settings.webhook_secrets, headers, body, now / SECOND)\n", ""),
        ),
        "believes old deliveries": (("body, now / SECOND)", "body, now / SECOND, tolerance_s=1e9)"),),
        "signs only the beginning": (("webhook_secrets, headers, body,", "webhook_secrets, headers, body.rstrip(),"),),
    },
    "named": {
        "names the attempt, not the event": (('headers["webhook-id"])', 'headers["webhook-id"] + str(now))'),),
        "one name for all": (('headers["webhook-id"])', '"evt")'),),
        "a new name each time": ((HEAR, f'{COUNT}; return Delivery("order.changed", str(self.n))'),),
    },
    "exact": {"floating-point money": (("price=minor(item.price, currency)", "price=float(item.price)"),)},
    "discreet": {
        "a token in the address": (('{"reference": command.key}', '{"reference": command.key, "token": "tiny-token"}'),),
        "a token in the operation": (('operation="orders", method', 'operation="orders tiny-token", method'),),
        "a token in a failure": judging("reply.status > 299", 'raise Retry(f"failed with {self.settings.token.reveal()}")'),
        "a token in its repr": method("def __repr__(self):", "    return self.settings.token.reveal()"),
    },
    "steady": {
        "another body each time": (
            (ASK, f"{COUNT}; asking = _asking(command); reply = yield msgspec.structs.replace(asking, body=asking.body + b' ' * self.n)"),
        ),
        "another key each time": ((ASK, f"{COUNT}; reply = yield msgspec.structs.replace(_asking(command), key=str(self.n))"),),
        "no key": (("body=body, key=command.key, repeat=Repeat.KEYED", "body=body, repeat=Repeat.KEYED"),),
    },
    "strict": {
        "guesses an unknown word": (
            ("if source.state not in PAID:", "if False:"),
            ("payment=PAID[source.state]", 'payment=PAID.get(source.state, "pending")'),
        ),
        "crashes on a broken body": (("read(body, _Order)", "msgspec.json.decode(body, type=_Order)"),),
        "takes any topic": (('if topic != "order.changed":', "if False:"),),
        "parks without saying why": (('known: {\', \'.join(sorted(PAID))}", "unknown_word")', '{PAID}")'),),
    },
    "timeless": {"invents a version": (("version=source.revision", "version=1"),)},
    "cut_before": {
        "takes silence for success": (
            (
                "            except Failure as failure:\n                outcomes.append(failure)",
                "            except Failure:\n                outcomes.append(Done())",
            ),
        ),
    },
    "cut_after": {
        "repeats what it should look up": (("body=body, repeat=Repeat.LOOKUP", "body=body, repeat=Repeat.SAFE"),),
        "looks up the wrong thing": (('{"reference": command.key}', '{"reference": command.order}'),),
        "forgets the key": (("body=body, key=command.key, repeat=Repeat.KEYED", "body=body, repeat=Repeat.KEYED"),),
    },
    "throttled": {
        "takes a slow-down for success": judging("reply.status == 429", "return reply"),
        "takes a slow-down for a refusal": judging("reply.status == 429", 'raise Reject("too many")'),
    },
    "failing": {
        "takes an error for a refusal": judging("reply.status > 499", 'raise Reject("failed")'),
        "repeats what may have happened": (("body=body, repeat=Repeat.LOOKUP", "body=body, repeat=Repeat.SAFE"),),
    },
    "partly_done": {
        "one outcome for all": (
            (
                'return [Done() if one.error is None else Retry(f"level of {one.sku}: {one.error}") for one in results]',
                "return [Done() for one in results]",
            ),
        ),
        "loses outcomes": (("for one in results]", "for one in results if one.error is None]"),),
    },
    "repeated": {
        "stumbles over a repeat": (
            (HEAR, f'self.seen = getattr(self, "seen", ()); assert headers["webhook-id"] not in self.seen; {HEAR}'),
            ('headers["webhook-id"])', 'self._kept(headers["webhook-id"]))'),
            *method("def _kept(self, name):", "    self.seen += (name,)", "    return name"),
        ),
    },
    "shuffled": {
        "numbers by arrival": (
            ("return [Said(_order(", f"{COUNT}; return [Said(self._numbered("),
            *method("def _numbered(self, source):", "    return msgspec.structs.replace(_order(source), version=self.n)"),
        ),
    },
    "unsubscribed": {
        "reads only new orders": (
            (
                "tuple(_row(bytes(raw)) for raw in page.orders)",
                "tuple(_row(bytes(raw)) for raw in page.orders if b'\"open\"' in bytes(raw))",
            ),
        )
    },
    "polls_alone": {
        "skips ahead": (("return Page(rows, page.cursor,", "return Page(rows, str(int(page.cursor) + 1),"),),
        "forgets that there is more": (("Page(rows, page.cursor, page.more)", "Page(rows[:4], page.cursor, page.more)"),),
        "never ends": (("Page(rows, page.cursor, page.more)", "Page(rows, cursor, True)"),),
    },
    "survives_crashes": {
        "keeps its own position": (
            (
                'reply = yield Call(operation="orders"',
                'query["changed_after"] = getattr(self, "position", "0")\n        reply = yield Call(operation="orders"',
            ),
            ("return Page(rows, page.cursor", "self.position = page.cursor\n        return Page(rows, page.cursor"),
        ),
    },
    "resubscribes": {
        "sees nothing wrong": (("if reply.read(_Subscription).active else", "if True else"),),
        "is never content": (("if reply.read(_Subscription).active else", "if False else"),),
        "subscribes to what it does not declare": (('(Subscription("order.changed",', '(Subscription("order.gone",'),),
    },
    "begins_anywhere": {
        "begins too late": method("def since(self, feed, at):", '    return "999999"'),
        "begins at the beginning": method("def since(self, feed, at):", '    return "0"'),
    },
}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The scaffolded package, importable."""
    root = tmp_path_factory.mktemp("scaffold")
    for path, text in TEXTS.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    sys.path.insert(0, str(root / "src"))
    yield root
    sys.path.remove(str(root / "src"))
    for name in [name for name in sys.modules if name.startswith("mainstay_tinyshop")]:
        del sys.modules[name]


def subject(package: Path, text: str = CONNECTOR) -> Subject:
    twin = importlib.import_module("mainstay_tinyshop.twin").TinyshopTwin
    driver = importlib.import_module("mainstay_tinyshop.driver").TinyshopDriver()
    module: Any = types.ModuleType("broken_tinyshop")
    sys.modules["broken_tinyshop"] = module
    exec(compile(text, "broken_tinyshop.py", "exec"), module.__dict__)
    return Subject(
        name="tinyshop", connector=lambda: module.Tinyshop(settings_of(module.Tinyshop, SETTINGS)),
        twin=lambda dice, rates: twin(dice, Weather(rates)), driver=driver, sources={"__init__.py": text},
    )  # fmt: skip


def test_the_scaffold_passes_every_check(package):
    verdicts = examine(subject(package), random.Random, seeds=range(10))
    assert all(verdict.passed for verdict in verdicts), report(verdicts)
    assert {verdict.check for verdict in verdicts} == {check.name for check in CHECKS}


def test_every_check_has_a_broken_copy():
    assert sorted(BROKEN) == sorted(check.name for check in CHECKS)


@pytest.mark.parametrize(("check", "name"), [(check, name) for check, copies in BROKEN.items() for name in copies])
def test_a_broken_copy_is_caught_by_its_check(package, check, name):
    text = CONNECTOR
    for before, after in BROKEN[check][name]:
        assert text.count(before) >= 1, f"{before!r} is no longer in the scaffold"
        text = text.replace(before, after)
    verdicts = examine(subject(package, text), random.Random, only=[check])
    failed = [verdict for verdict in verdicts if not verdict.passed]
    assert failed, f"{check} did not see a connector that {name}"
    assert not failed[0].detail.startswith(("NameError", "SyntaxError", "TypeError", "AttributeError")), "the copy is broken in another way"
    assert check in report(verdicts) and failed[0].detail in report(verdicts)


def test_a_verdict_is_repeated_by_its_seed(package):
    text = CONNECTOR.replace("body=body, repeat=Repeat.LOOKUP", "body=body, repeat=Repeat.SAFE")
    first, second = (examine(subject(package, text), random.Random, seeds=range(5), only=["cut_after"]) for _ in range(2))
    assert first == second and not all(verdict.passed for verdict in first)


def test_weather_that_never_happens_proves_nothing(package):
    calm = importlib.import_module("mainstay_tinyshop.twin").TinyshopTwin
    deaf = subject(package)
    verdicts = examine(msgspec.structs.replace(deaf, twin=lambda dice, rates: calm(dice)), random.Random, seeds=[1], only=["cut_before"])
    assert [verdict.passed for verdict in verdicts] == [False] and "never happened" in verdicts[0].detail


def test_the_scaffolds_own_test_is_a_test(package):
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"], cwd=package, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout[-2000:]
    assert "25 passed" in run.stdout


def test_an_installed_package_is_listed_and_examined(package):
    """As pip leaves it: the entry points of its pyproject.toml stand beside it."""
    groups = tomllib.loads(TEXTS["pyproject.toml"])["project"]["entry-points"]
    told = package / "src" / "mainstay_tinyshop-0.1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: mainstay-tinyshop\nVersion: 0.1.0\n")
    points = [f"[{group}]\n" + "".join(f"{name} = {where}\n" for name, where in held.items()) for group, held in groups.items()]
    (told / "entry_points.txt").write_text("\n".join(points))

    def cli(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mainstay.app.cli", "connector", *words]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(package / "src"), os.environ.get("PYTHONPATH", "")])}
        return subprocess.run(command, cwd=package, capture_output=True, text=True, check=False, env=environment)

    assert "tinyshop" in cli("list").stdout
    checked = cli("check", "tinyshop", "--seeds", "1", "--json")
    verdicts = msgspec.json.decode(checked.stdout)
    assert checked.returncode == 0 and {one["check"] for one in verdicts} == {check.name for check in CHECKS}, checked.stderr
    again = cli("new", "tinyshop", "--into", "again")
    assert again.returncode == 2 and "there is a connector 'tinyshop' already" in again.stderr


@pytest.mark.parametrize("name", ["", "a", "Etsy", "et-sy", "../x", "1st"])
def test_a_name_that_cannot_be_a_module_is_refused(name):
    with pytest.raises(Reject, match="cannot name a connector"):
        scaffold(name)


def test_another_name_stands_everywhere():
    texts = scaffold("etsy")
    assert "src/mainstay_etsy/twin.py" in texts
    assert not any("tinyshop" in text.lower() for text in texts.values())
