"""Every bad input of the catalogue, sent to the door that it is for: a real server, a real folder, real commands."""

import time
from pathlib import Path

import pytest

import mainstay
from mainstay import connectors, landscape
from mainstay.app import build
from mainstay.app.cli import main
from mainstay.app.forms import forms
from mainstay.connectors import OURS
from mainstay.edge.api import Api
from mainstay.edge.openapi import document
from mainstay.proof.badinput import ABSENT, CASES, DOORS
from mainstay.proof.badinput.case import HandedOut
from tests.badinput import doors, senders

pytestmark = pytest.mark.proof
ROOT = Path(mainstay.__file__).parent

SLOW_S = 3.0  # that nothing but a body that does not come takes
PATIENT = [one for one in CASES if one.door == "wire" and one.status == 408]
FILES = [one for one in CASES if one.door == "file"]


def of(door: str):
    return pytest.mark.parametrize("case", [one for one in CASES if one.door == door], ids=lambda case: case.name)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    shop = senders.a_shop(tmp_path_factory.mktemp("bad"))
    shop.growing = senders.put(shop.folder / "inbox" / "depot", FILES)
    (shop.folder / "inbox" / "depot" / "stock.csv").write_text("sku,units\nBAD-INPUT,1000\n")
    shop.start()
    shop.patient = senders.Patience(shop, PATIENT)
    yield shop
    shop.patient.close()
    shop.growing.stop()
    assert shop.call("GET", "/health")[0] == 200
    assert shop.stop() == 0
    assert "Traceback" not in shop.log(), "nothing of all this is a bug"
    assert shop.cli("verify")[0] == 0


@pytest.fixture
def quick():
    began = time.monotonic()
    yield
    assert time.monotonic() - began < SLOW_S


def fits(case, told):
    assert (told.status, told.code) == (case.status, case.code), told
    assert case.says in told.says


def ended(shop, topic: str) -> dict[str, int]:
    """How many receipts of a topic ended how."""
    told = shop.ask("GET", "/v1/status", who="operator")[1]["receipts"]
    return {one["outcome"]: one["n"] for one in told if one["topic"] == topic}


@of("webhook")
def test_a_delivery(shop, case, quick):
    shop.settled()
    before = ended(shop, case.sent.topic)
    told = senders.deliver(shop, case)
    if told.status != 200:
        fits(case, told)
        assert told.says
        return
    assert case.status == 200
    shop.settled()
    new = {how: n - before.get(how, 0) for how, n in ended(shop, case.sent.topic).items() if n > before.get(how, 0)}
    if case.ends == "held":
        assert case.code in (held := str(shop.order(450)["blocker"])) and case.says in held
    elif case.code:
        letter = shop.letter(told.key)
        assert (letter["code"], letter["owner"]) == (case.code, "operations"), letter
        assert case.says in letter["why"] and letter["next"]
        raw = shop.ask("GET", f"/v1/deadletters/{letter['id']}", who="operator")[1]["raw"]
        assert raw == case.sent.body.decode(errors="replace") or case.code == "pan_redacted", "byte for byte, as far as it can be shown"
    else:
        assert case.ends in new, new


@of("wire")
def test_bytes_on_the_wire(shop, case):
    fits(case, shop.patient.told(case) if case in PATIENT else senders.knock(shop, case.sent))
    assert shop.call("GET", "/health")[0] == 200


@pytest.fixture(scope="module")
def stocked(shop):
    shop.until(lambda: shop.ask("GET", "/v1/stock/BAD-INPUT", who="operator")[0] == 200, "there is no stock")
    return shop


@of("api")
def test_a_request(stocked, case, quick):
    shop = stocked
    told = senders.ask(shop, case.sent)
    fits(case, told)
    assert told.says == case.ends if case.ends else told.says


@of("file")
def test_a_file(shop, case):
    folder = shop.folder / "inbox" / "depot"
    if case.ends == "waits":
        shop.until((folder / "done" / "25.csv").exists, "the others are not read")
        assert senders.found(folder, case.sent) is None
        return
    shop.until(lambda: senders.found(folder, case.sent), "it is not read")
    told = senders.found(folder, case.sent)
    fits(case, told)
    assert told.key == ("duplicate" if case.ends else f"file.depot.{case.sent.name}" if case.code else "")
    if case.code:
        assert shop.letter(told.key)["code"] == "lines_refused"
    assert not (folder / "refused" / case.sent.name).exists() or case.code


@of("count")
def test_a_table_for_a_command(shop, case, quick):
    fits(case, senders.by_command(shop, case))


@of("translate")
def test_a_body_for_a_command(shop, case, quick):
    fits(case, senders.by_command(shop, case))


@of("deadletters repair")
def test_a_repaired_message(shop, case, quick):
    fits(case, senders.by_command(shop, case))


@of("check")
def test_a_declaration(shop, case, quick):
    fits(case, senders.checked(shop, case))


@of("answer")
def test_an_answer(tmp_path, case, quick):
    fits(case, senders.answered(tmp_path, case.sent))


# --- the table itself --------------------------------------------------------------------------------------------------
def test_none_of_the_97_is_left_out(figure):
    assert {one.number for one in CASES} == set(range(1, 98))
    sent = sum(one.sent is not None for one in CASES)
    told = f"{sent} cases sent, each answered with its code, its sentence and, where there is one, its status; "
    told += f"{len(CASES) - sent} wait for doors that are not there"
    figure("bad inputs of 97 numbers", told, "pytest tests/badinput/test_catalogue.py")
    assert len({(one.door, one.name) for one in CASES}) == len(CASES)


def test_each_case_comes_to_a_door_or_names_the_one_that_is_not_there():
    for one in CASES:
        assert (one.door in DOORS) != (one.door in ABSENT)
        assert (one.sent is None) == (one.door in ABSENT)
        assert (one.status == 0) == (one.door == "answer" or one.door in ABSENT)
        assert one.says or not (one.code or one.status >= 400), f"{one.name}: nothing is asked of the sentence"
    assert {one.door for one in CASES} == {*DOORS, *ABSENT}


# --- doors that appear -------------------------------------------------------------------------------------------------
SOURCES = {path.relative_to(ROOT): path.read_text() for path in ROOT.rglob("*.py") if "proof" not in path.relative_to(ROOT).parts}
SCHEMAS = (document(Api(None, None, None, None, {}, {}, bytes, str).endpoints), landscape.schema(build.offers()))


def test_no_door_has_appeared_without_its_cases():
    """Where this fails: give the numbers of that door cases in proof/badinput, and take the door out of ABSENT."""
    shown = [*doors.of_imports(SOURCES), *doors.of_text(SOURCES)]
    shown += [(door, name) for door, name in doors.of_names(path.stem for path in SOURCES) if door in ("EDI", "XML", "archives")]
    shown += doors.of_names(name for schema in SCHEMAS for name in doors.names_in(schema))
    assert [(door, where) for door, where in shown if door in ABSENT] == []
    assert {*doors.IMPORTED, *doors.NAMED, *doors.WRITTEN} == set(ABSENT), "how would each of these doors show?"


def test_every_format_command_and_sender_has_cases():
    assert {Path(one.sent.name).suffix for one in FILES} == set(forms("depot", asks_first=False))
    assert {one.door for one in CASES} >= set(doors.commands_that_read(main)) == {"count", "translate", "deadletters repair"}
    senders_ = {name for name in OURS if "receive" in vars(connectors.find(name))}
    assert senders_ == {"shopify", "stripe", "shipstation"}, "a connector that takes deliveries needs cases as a `system` of Hook"
    assert {one.sent.system for one in CASES if one.door == "webhook"} == {"shop", "payments", "warehouse"}


def test_every_address_that_an_answer_names_is_judged_and_has_cases():
    """Where this fails: give the connector its `domains`, and cases of HandedOut in proof/badinput; a new sender asks `address.target`."""
    named = {connector for connector, _ in doors.of_calls(SOURCES)}
    allowed = {name for name in OURS if connectors.find(name).manifest.domains}
    assert named == allowed == {one.sent.system for one in CASES if isinstance(one.sent, HandedOut)}
    assert doors.senders(SOURCES) == {
        "delivery/connection.py",  # asks address.target
        "delivery/post.py",  # alerts, to addresses of mainstay.toml
        "delivery/http.py",
    }


@pytest.mark.parametrize("given", ["document.url", "page.next_link", "reply.headers['location']", "callback"])
def test_a_call_to_an_address_that_an_answer_named_is_noticed(given):
    sources = {Path("connectors/odoo/calls.py"): f"yield Call(operation='more', method='GET', path={given})"}
    assert list(doors.of_calls(sources)) == [("odoo", given)]
    assert list(doors.of_calls({Path("connectors/odoo/calls.py"): "yield Call(operation='more', path=f'/orders/{next}')"})) == []


@pytest.mark.parametrize(
    ("path", "text", "door"),
    [
        ("edge/answer.py", "import zlib", "compressed bodies"),
        ("delivery/books.py", "from zipfile import ZipFile", "archives"),
        ("connectors/odoo/calls.py", "import xml.etree.ElementTree as tree", "XML"),
        ("connectors/retail/orders.py", "from pydifact import Parser", "EDI"),
        ("app/show.py", "csv.writer(out)", "CSV export"),
        ("flows/rules.py", "import celpy", "rules of users"),
    ],
)
def test_a_door_that_appears_is_noticed(path, text, door):
    sources = {Path(path): text}
    assert [*doors.of_imports(sources), *doors.of_text(sources)] == [(door, path)]


@pytest.mark.parametrize("door", doors.NAMED)
def test_a_name_that_a_door_brings_is_noticed(door):
    for word in doors.NAMED[door]:
        schema = {"paths": {"/v1/x": {"get": {"parameters": [{"in": "query", "name": word}]}}}, "x": {"properties": {word: {}}}}
        assert list(doors.of_names(doors.names_in(schema))).count((door, word)) == 2
