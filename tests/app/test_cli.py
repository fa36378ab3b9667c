"""Every word of the command line on a small shop: what it prints, with --json too, and how it exits."""

import json
import re
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from mainstay import __version__
from mainstay.app import doctor, workshop
from mainstay.app.build import open_house
from mainstay.app.cli import main
from mainstay.app.declaration import findings, refuse_errors
from mainstay.connectors import OURS
from mainstay.model.failures import CODES
from tests.running import SAMPLES, Running, an_order

LETTERS = {"json_syntax": 1}  # a body that is no JSON
ASKED = {  # verb -> what its JSON must hold
    ("status",): lambda told: told["orders"]["placed"] == 1 and told["dead_letters"] == LETTERS and "lag" in told,
    ("trace", "7"): lambda told: told[0]["kind"] == "order" and {"as": "shop/order", "id": "7"} in told[0]["known_as"],
    ("order", "7"): lambda told: told["external"] == "7" and told["order"] == "ord.shop.7",
    ("stock", "MUG-BLUE"): lambda told: told["sku"] == "MUG-BLUE" and "till" in told["channels"],
    ("verify",): lambda told: told["identical"] is True and told["events"] > 1,
    ("check",): lambda told: all(one["severity"] == "warning" for one in told),
    ("doctor",): lambda told: all(one["fine"] for one in told) and {"sqlite", "state.db", "folder"} <= {one["what"] for one in told},
    ("drift", "list"): lambda told: told == [],
    ("deadletters", "list"): lambda told: {one["code"]: 1 for one in told} == LETTERS,
    ("deadletters", "causes"): lambda told: told[0]["code"] == "json_syntax" and told[0]["count"] == 1,
    ("pauses",): lambda told: told == [],
    ("alerts",): lambda told: list(told) == ["alarms", "messages"] and told["messages"] == [],  # it says no way to tell anybody
    ("jobs", "list"): lambda told: told == [],
    ("proposals",): lambda told: all(one["reason"] and one["owner"] == "operations" for one in told),
    ("contracts",): lambda told: told["OrderSeen"]["version"] == 1,
    ("connector", "list"): lambda told: {"shopify", "stripe"} <= {one["name"] for one in told},
}
INSTALL = f"{sys.executable} -m pip install -e ." if find_spec("pip") else f"--python {sys.executable} -e ."
ABOUT_NO_SHOP = {"contracts", "connector"}
ELSEWHERE = {  # verbs that are no questions, and where they are tried
    "bench": "they take minutes: the figures of a release", "demo": "the proof of a release",
    "sim": "tests/sim", "up": "tests/app/test_processes.py",
    "alerts test": "tests/app/test_alerts.py", "count": "tests/app/test_processes.py",
    "free": "tests/app/test_processes.py", "erase": "tests/app/test_processes.py",
    "deadletters retry": "tests/app/test_processes.py", "deadletters suppress": "tests/app/test_processes.py",
    "deadletters assign": "tests/app/test_letters.py", "replay": "tests/app/test_letters.py",
    "deadletters escalate": "tests/app/test_letters.py", "drift accept": "tests/app/test_letters.py",
    "pause": "tests/app/test_pauses.py", "resume": "tests/app/test_pauses.py",
    "deadletters repair": "tests/app/test_letters.py", "jobs show": "tests/app/test_letters.py", "jobs cancel": "tests/app/test_letters.py",
    "deadletters show": "below", "init": "below", "schema": "below", "translate": "below", "connector check": "below",
    "connector new": "tests/contract", "backup": "tests/crash/test_backup.py", "restore": "tests/crash/test_backup.py",
}  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A shop that took an order, a product, and a body that it could not read, and was stopped."""
    shop = Running(tmp_path_factory.mktemp("cli")).start()
    assert shop.hook((SAMPLES / "product.json").read_bytes(), "p1", "products/update")[0] == 200
    assert shop.hook(an_order(7), "e7")[0] == 200
    assert shop.hook(b"broken", "bad")[0] == 200
    shop.settled()
    assert shop.stop() == 0
    return shop


def cli(*words):
    """In this process: quick."""
    done = CliRunner().invoke(main, words)
    return done.exit_code, done.stdout, done.stderr


def ask(shop, *words):
    return cli(*words, *(() if words[0] in ABOUT_NO_SHOP else ("--config", str(shop.config))))


@pytest.mark.parametrize("words", ASKED, ids=" ".join)
def test_every_question_is_answered_in_json_and_in_words(finished, words):
    code, told, wrong = ask(finished, *words, "--json")
    assert code == 0, wrong
    assert ASKED[words](json.loads(told)) and told.count("\n") == 1, "one line, for other programs"
    code, told, wrong = ask(finished, *words)
    assert code == 0 and len(told) > 20 and not wrong


def test_every_verb_is_tried_somewhere():
    def verbs(group, before=()):
        for name, command in group.commands.items():
            if isinstance(command, click.Group):
                yield from verbs(command, (*before, name))
            else:
                yield " ".join((*before, name))

    asked = {verb for verb in verbs(main) for words in ASKED if tuple(verb.split()) == words[: len(verb.split())]}
    assert set(verbs(main)) - asked == set(ELSEWHERE)


def test_the_journey_in_words_says_where_it_stands(finished):
    told = ask(finished, "trace", "#7")[1]
    assert "order ord.shop.7: placed, 113.48 EUR" in told and "shop said OrderSeen" in told


def test_a_letter_is_shown_with_its_raw_message(finished):
    (number,) = (one["id"] for one in json.loads(ask(finished, "deadletters", "list", "--json")[1]) if one["code"] == "json_syntax")
    letter = json.loads(ask(finished, "deadletters", "show", str(number), "--json")[1])
    assert letter["raw"] == "broken" and letter["code"] == "json_syntax"
    assert (letter["owner"], letter["contact"], letter["runbooks"][0]) == ("operations", "ops@shop.example", "runbooks.md#order")
    assert "owner operations (ops@shop.example), by 20" in (listed := ask(finished, "deadletters", "list")[1])
    assert "; see runbooks.md#order" in listed
    told = ask(finished, "deadletters", "show", str(number))[1]
    assert "\nrunbooks: runbooks.md#order" in told
    assert "code: json_syntax" in told and told.endswith("\nbroken\n")


def test_an_order_and_the_status_are_told_in_words(finished):
    told = ask(finished, "order", "#7")[1]
    assert (
        told.startswith("ord.shop.7  #7: placed, 113.48 EUR")
        and "\n  blocked by oversold (operations): sold but not there: 2 × MUG-BLUE\n" in told
    )
    assert "\n    owner operations (ops@shop.example)\n" in told
    assert "\n     3  MUG-BLUE  at " in told and "\n  refund 51 at shop: succeeded\n" in told
    told = ask(finished, "status")[1]
    assert "orders        placed 1\n" in told and "dead letters  json_syntax 1\n" in told and "\n  shop: " in told


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("trace", "nope"), 2, "nothing is known by 'nope' in any system; `mainstay deadletters list`"),
        (("order", "nope"), 2, "no order is known by 'nope' in any system; `mainstay trace` takes any number"),
        (("stock", "nope"), 2, "no product has the SKU 'nope'; `mainstay deadletters list`"),
        (("deadletters", "show", "999"), 2, "no dead letter has the number 999; `mainstay deadletters list` shows"),
        (("deadletters", "retry", "1"), 2, "start it with `mainstay up`"),
        (("deadletters", "suppress", "1"), 2, "--reason"),
        (("connector", "check", "nope"), 2, "nothing is known to examine 'nope' with; there are: amazon, shipstation"),
        (("connector", "check", "nope"), 2, INSTALL),
        (("connector", "new", "shopify"), 2, "there is a connector 'shopify' already"),
        (("connector", "new", "api"), 2, "there is a connector 'api' already"),
        (("free", "#2001"), 2, "'#2001' is not the id of an order"),
        (("erase", "a b"), 2, "'a b' is not the id of an order (ord.shop.17) or a customer"),
    ],
)
def test_what_cannot_be_answered_says_what_and_what_next(finished, words, code, said):
    told = ask(finished, *words)
    assert told[0] == code and said in told[2] and "Traceback" not in told[2]
    if words[:2] == ("connector", "new"):  # which asks no question
        return
    ended, told, wrong = ask(finished, *words, "--json")
    problem = json.loads(wrong)
    assert ended == code and told == "" and wrong.count("\n") == 1, "for other programs: an answer or nothing, and one line that says why"
    assert said in problem["detail"] and set(problem) == {"code", "detail"} and problem["code"] in {"usage", *CODES}


@pytest.mark.parametrize(
    ("pip", "command"),
    [(True, f"{sys.executable} -m pip install"), (None, f"{Path(sys.executable).parent}/uv pip install --python {sys.executable}")],
)
def test_a_new_connector_says_how_it_is_installed_here(tmp_path, monkeypatch, pip, command):
    monkeypatch.setattr(workshop, "find_spec", lambda name: pip)
    code, told, _ = cli("connector", "new", "tinyshop", "--into", str(tmp_path / "tiny"))
    assert code == 0 and f"Next: {command} pytest -e {tmp_path}/tiny, then `mainstay connector check tinyshop`" in told


@pytest.mark.parametrize("words", ASKED, ids=" ".join)
def test_who_only_asks_needs_no_secret(finished, words):
    """An operator's shell has another environment than the service."""
    config = finished.config.with_name("by-env.toml")
    config.write_text(
        re.sub(r'"file:([a-z-]+)"', lambda one: f'"env:NOT_HERE_{one[1].upper().replace("-", "_")}"', finished.config.read_text())
    )
    code, told, wrong = cli(*words, *(() if words[0] in ABOUT_NO_SHOP else ("--config", str(config))), "--json")
    if words == ("check",):
        assert code == 1 and {one["code"] for one in json.loads(told) if one["severity"] == "error"} == {"secret-missing"}
        return
    assert code == 0, (told, wrong)
    if words == ("doctor",):
        (one,) = (one for one in json.loads(told) if one["what"] == "secrets")
        assert one["doubt"] and "these are not in this environment: env:NOT_HERE_HOOK_SECRET, env:NOT_HERE_" in one["detail"]
    if words == ("deadletters", "list"):
        assert cli("deadletters", "show", str(json.loads(told)[0]["id"]), "--config", str(config))[0] == 0


# --- the landscape -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ('connector = "stripe"', 'connector = "strype"', "connector-unknown"),
        ("[channels.till]", "[channels.till]\nbufer = 3", "key-unknown"),
        ('name = "Test"', "name = ", "toml-syntax"),
        ('token = "file:till-token"', 'token = "file:gone"', "secret-missing"),
        ('shop = "acme.myshopify.com"', "shop = 5", "value-wrong"),
        ('secret = "file:shop-token"', "secret = 5", "value-wrong"),
        ('webhook_secrets = ["file:stripe-secret"]', 'webhook_secrets = "file:stripe-secret"', "value-wrong"),
        ('payment_system = "payments"\nurl = "http://', 'payment_system = "payments"\nurl = "', "value-wrong"),
        ('payment_system = "payments"', 'payment_system = "paymentz"', "system-unknown"),
    ],
)
def test_check_names_the_line_and_exits_one(finished, tmp_path, old, new, finding):
    wrong = finished.config.with_name("wrong.toml")
    text = finished.config.read_text()
    assert old in text
    wrong.write_text(text.replace(old, new, 1))
    line = text[: text.index(old)].count("\n") + 1
    code, told, _ = cli("check", "--config", str(wrong), "--json")
    found = {one["code"]: one for one in json.loads(told)}
    assert code == 1 and finding in found and abs(found[finding]["line"] - line) <= 1
    code, told, _ = cli("check", "--config", str(wrong))
    assert code == 1 and f"{wrong}:" in told and "write instead" in told
    assert cli("doctor", "--config", str(wrong))[0] == 1


def test_init_writes_a_shop_that_opens_once_its_secrets_are_there(tmp_path, monkeypatch):
    config = tmp_path / "mainstay.toml"
    code, told, _ = cli("init", "--defaults", "--config", str(config), "--json")
    assert code == 0 and json.loads(told) == {"written": str(config)}
    completed(config, monkeypatch)
    code, told, _ = cli("check", "--config", str(config), "--json")
    assert code == 0, told
    assert set(open_house(config).connectors) == {"shop", "amazon", "payments", "erp", "warehouse"}
    assert [
        one.json_path for one in Draft202012Validator(json.loads(cli("schema")[1])).iter_errors(tomllib.loads(config.read_text()))
    ] == []
    code, _, wrong = cli("init", "--defaults", "--config", str(config))
    assert code == 2 and "exists already; move it away first" in wrong
    code, told, wrong = cli("init", "--defaults", "--config", str(config), "--json")
    assert code == 2 and told == "" and "exists already" in json.loads(wrong)["detail"]


@pytest.mark.parametrize("connector", sorted(OURS))
def test_a_shop_of_one_connector_opens_once_its_secrets_are_there(tmp_path, monkeypatch, connector):
    config = tmp_path / "mainstay.toml"
    done = CliRunner().invoke(main, ["init", "--config", str(config)], input=f"Acme\nEUR\no@a.example\none={connector}\n\n\n")
    assert done.exit_code == 0, done.stderr
    completed(config, monkeypatch)
    assert set(open_house(config).connectors) == {"one"}


def test_init_writes_what_a_shopify_shop_needs(tmp_path):
    config = tmp_path / "mainstay.toml"
    CliRunner().invoke(main, ["init", "--config", str(config)], input="Acme\nCHF\no@a.example\nshop=shopify\n\n\n")
    settings = tomllib.loads(config.read_text())["systems"]["shop"]["settings"]
    assert settings["currency"] == "CHF" and settings["location"] == "…"


def completed(config, monkeypatch):
    """What a user does after `init`: fill in what only the shop knows, and set the secrets."""
    text = config.read_text().replace("…", "17")
    config.write_text(text)
    config.with_name("api-token").write_text("t-operator")
    for name in re.findall(r'"env:(\w+)"', text):
        monkeypatch.setenv(name, f"hush-{name}")


def test_init_asks_and_writes(tmp_path):
    config = tmp_path / "mainstay.toml"
    answers = "Acme\nEUR\nops@acme.example\nshop=shopify, till=api\ntill\n\n"
    done = CliRunner().invoke(main, ["init", "--config", str(config)], input=answers)
    assert done.exit_code == 0 and 'name = "Acme"' in config.read_text() and "[channels.till]" in config.read_text()
    done = CliRunner().invoke(main, ["init", "--config", str(tmp_path / "b.toml")], input="Acme\nEUR\no@a.example\nshop=shopyfi\n\n\n")
    assert done.exit_code == 2 and "no connector is called shopyfi" in done.stderr


@pytest.mark.parametrize(
    ("currency", "systems", "said"),
    [
        ("EURO", "shop=shopify", "'EURO' is not a currency of ISO 4217; write its code of three letters, such as EUR"),
        ("EUR", "shop=shopify,shop=amazon", "two systems are called 'shop'; write another name for amazon, such as shop-amazon=amazon"),
        ("EUR", "mainstay=shopify", "no system may be called 'mainstay': that is Mainstay itself; write another name, such as shopify="),
        ("EUR", "operator=api", "no system may be called 'operator'"),
        ("EUR", "Shop=shopify", "'Shop' cannot be a name, as it stands in ids; write shop=shopify: a small letter"),
        ("EUR", "7up=shopify", "write up=shopify"),
    ],
)
def test_init_refuses_at_once_what_cannot_stand(tmp_path, currency, systems, said):
    config = tmp_path / "mainstay.toml"
    done = CliRunner().invoke(main, ["init", "--config", str(config)], input=f"Acme\n{currency}\no@a.example\n{systems}\n")
    assert done.exit_code == 2 and said in done.stderr, done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ("olga", "'olga' is neither an e-mail address nor a link; write one, such as ops@acme.example"),
        ("o@a.example\nshop=shopify,erp=tryton\nnosuch", "'nosuch' is none of the systems; there are: shop, erp"),
        ("o@a.example\nshop=shopify,till=api\nshop", "'shop' sells without asking, as Shopify does; those that can ask: till"),
        ("slack:#ops\nshop=shopify\n\nhttp://bad", "'http://bad' is no address by https; write https://… with your host"),
    ],
)
def test_init_refuses_the_other_answers_by_name_too(tmp_path, answers, said):
    config = tmp_path / "mainstay.toml"
    done = CliRunner().invoke(main, ["init", "--config", str(config)], input=f"Acme\nEUR\n{answers}\n")
    assert done.exit_code == 2 and said in done.stderr, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_init_offers_the_channels_that_can_ask_and_no_others(tmp_path):
    config = tmp_path / "mainstay.toml"
    done = CliRunner().invoke(main, ["init", "--config", str(config)], input="Acme\nEUR\no@a.example\n\n\n\n")
    assert done.exit_code == 0 and "[till]" not in done.stdout and "asks_first = true" not in config.read_text()
    done = CliRunner().invoke(
        main, ["init", "--config", str(tmp_path / "b.toml")], input="Acme\nEUR\no@a.example\nshop=shopify,web=api\n\n\n"
    )
    assert done.exit_code == 0 and "[web]" in done.stdout and "asks_first = true" in (tmp_path / "b.toml").read_text()


def test_check_looks_at_the_disk(tmp_path):
    shop = Running(tmp_path)
    (tmp_path / "a-file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path)
    text = shop.config.read_text().replace('name = "Test"', 'name = "Test"\ndata = "a-file"')
    flow = 'source = "till"\ntargets = ["warehouse"]\npattern = "direct"'
    assert flow in text
    shop.config.write_text(text.replace(flow, flow.replace("direct", 'file"\nfolder = "link')))
    found = {one["code"]: one["text"] for one in json.loads(ask(shop, "check", "--json")[1])}
    assert set(found) == {"data-unfit", "folder-unfit", "page-missing"} and "link, which holds this file" in found["folder-unfit"]
    (tmp_path / "runbooks.md").write_text("# Ours")
    assert "page-missing" not in ask(shop, "check")[1]


def test_init_writes_the_page_that_flows_point_to_and_overwrites_none(tmp_path):
    page = tmp_path / "runbooks.md"
    assert f"mainstay.toml and {page} are written" in cli("init", "--defaults", "--config", str(tmp_path / "mainstay.toml"))[1]
    assert "\n## order\n" in page.read_text()
    page.write_text("ours")
    assert "b.toml is written" in cli("init", "--defaults", "--config", str(tmp_path / "b.toml"))[1]
    assert page.read_text() == "ours"


def test_a_channel_that_is_never_told_is_not_said_to_be(finished):
    told = ask(finished, "stock", "MUG-BLUE")[1]
    assert "\n  till: no level is told to it\n" in told and "None" not in told


def test_without_a_landscape_the_first_step_is_named(tmp_path):
    for verb in ("status", "verify", "up", "doctor", "check"):
        code, _, wrong = cli(verb, "--config", str(tmp_path / "none.toml"))
        assert code == 2 and "`mainstay init`" in wrong, verb


@pytest.mark.parametrize("words", [("status",), ("verify",), ("trace", "7"), ("deadletters", "show", "1")], ids=" ".join)
def test_without_a_store_it_says_who_makes_it(tmp_path, words):
    code, _, wrong = ask(Running(tmp_path), *words)
    assert code == 2 and "`mainstay up` makes it" in wrong


@pytest.mark.parametrize(
    "words",
    [("replay", "--since", "2026-11-21T00:00:00Z"), ("deadletters", "repair", "1"), ("deadletters", "repair", "--all")],
    ids=" ".join,
)
def test_a_dry_run_without_a_store_says_so_before_it_asks_for_secrets(tmp_path, words):
    (shop := Running(tmp_path)).config.with_name("stripe-key").unlink()
    code, _, wrong = ask(shop, *words, "--dry-run")
    assert code == 2 and wrong == f"mainstay: there is no store in {shop.data} yet; `mainstay up` makes it\n"


@pytest.mark.parametrize("verb", ["check", "up", "status"])
def test_a_file_that_is_no_text_is_named(tmp_path, verb):
    (tmp_path / "latin.toml").write_bytes('name = "Söhne"'.encode("latin-1"))
    for config, said in ((tmp_path, "cannot be read (Is a directory)"), (tmp_path / "latin.toml", "is not UTF-8 text (byte 9)")):
        code, told, wrong = cli(verb, "--config", str(config))
        assert code == 2 and not told and wrong.startswith(f"mainstay: {config} {said}") and wrong.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("translate", "shopify", "orders/create", "pyproject.toml", "--set", "foo"), "'foo' says no value; write NAME=VALUE"),
        (("translate", "shopyfi", "orders/create", "pyproject.toml"), "no connector is called 'shopyfi'"),
        (("demo", "--rate", "0"), "0.0 is not in the range x>0"),
        (("demo", "--plant", "nope"), "no bug is called 'nope'; there are: lose-one, double-capture, oversell, unbalance"),
        (("demo", "--orders", "-5"), "-5 is not in the range x>=1"),
        (("demo", "--report", "nowhere/report.json"), "nowhere/report.json: No such file or directory"),
        (("demo", "--history", "nowhere"), "'nowhere' does not exist"),
        (("connector", "check", "stripe", "--seeds", "0"), "0 is not in the range x>=1"),
        (("init", "--defaults", "--config", "nowhere/mainstay.toml"), "nowhere/mainstay.toml: No such file or directory"),
    ],
    ids=lambda told: " ".join(told) if isinstance(told, tuple) else "",
)
def test_what_cannot_be_done_is_said_before_the_work_begins(words, said):
    code, told, wrong = cli(*words)
    assert code == 2 and not told and said in wrong


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ('source = "shop"', 'source = "shopp"', "system-unknown"),
        ('owner = "operations"', 'owner = "nobody"', "owner-unknown"),
        ('token = "file:till-token"', 'token = "file:operator-token"', "token-shared"),
        ('source = "till"\ntargets = ["warehouse"]\npattern = "direct"', 'source = "till"\ntargets = ["warehouse"]\npattern = "poll"',
         "source-cannot-bring"),
        ('shop = "acme.myshopify.com"', 'shop = "…"', "placeholder"),
        ('shop = "acme.myshopify.com"', "shop = 5", "value-wrong"),
        ("[shop]", "[shop", "toml-syntax"),
    ],
)  # fmt: skip
def test_nothing_starts_on_what_check_refuses(tmp_path, old, new, finding):
    shop = Running(tmp_path)
    text = shop.config.read_text()
    assert old in text
    shop.config.write_text(text.replace(old, new, 1))
    found = [one for one in json.loads(ask(shop, "check", "--json")[1]) if one["severity"] == "error"]
    code, told, wrong = ask(shop, "up")
    first, *lines = wrong.splitlines()
    assert code == 2 and not told and not shop.data.exists(), "nothing was begun"
    assert first == f"mainstay: {len(found)} error{'s' if len(found) > 1 else ''}; `mainstay check` explains them"
    assert "\n".join(lines) == "\n".join(one["text"] for one in found[:3]) and any(one["code"] == finding for one in found)
    code, told, wrong = ask(shop, "up", "--json")
    problem = json.loads(wrong)
    assert code == 2 and not told and problem["code"] == "misdeclared" and problem["findings"] == found


def test_a_warning_stops_nobody(tmp_path):
    shop = Running(tmp_path)
    shop.config.write_text(shop.config.read_text() + '[owners.idle]\ncontact = "idle@shop.example"\n')
    assert {one.code for one in findings(shop.config)} == {"owner-unused", "page-missing"}
    refuse_errors(shop.config)


def test_it_does_not_start_without_its_secrets(tmp_path):
    """Half a start would be worse: two processes running, and no door."""
    shop = Running(tmp_path)
    (tmp_path / "operator-token").unlink()
    code, _, wrong = shop.cli("up", "--config", str(shop.config))
    assert code == 2 and wrong.startswith("mainstay: 1 error;")
    assert "error secret-missing: server.api_token refers to file:operator-token" in wrong


def test_a_mark_before_the_text_is_no_part_of_it(finished):
    """Some editors write one before UTF-8."""
    marked = finished.config.with_name("marked.toml")
    marked.write_text(finished.config.read_text(), encoding="utf-8-sig")
    assert cli("check", "--config", str(marked))[0] == 0 and cli("status", "--config", str(marked))[0] == 0


def test_the_schema_is_one_that_editors_understand(finished):
    schema = json.loads(cli("schema")[1])
    Draft202012Validator.check_schema(schema)


# --- translate ---------------------------------------------------------------------------------------------------------
def test_translate_prints_canonical_events_without_the_person(tmp_path):
    file = tmp_path / "order.json"
    file.write_bytes(an_order(7, email="ada@example.com"))
    code, told, _ = cli("translate", "shopify", "orders/create", str(file))
    events = [json.loads(line) for line in told.splitlines()]
    assert code == 0 and events[0]["event"] == "OrderSeen" and events[0]["order"]["total"] == 11348 and "ada@" not in told
    told = cli("translate", "shopify", "orders/create", str(file), "--personal")[1]
    assert "ada@example.com" in told


@pytest.mark.parametrize(("body", "topic", "code"), [(b"{}", "orders/create", "schema"), (b"{}", "carts/dance", "unknown_topic")])
def test_translate_says_why_not_and_exits_three(tmp_path, body, topic, code):
    file = tmp_path / "body.json"
    file.write_bytes(body)
    done = cli("translate", "shopify", topic, str(file))
    assert done[0] == 3 and json.loads(done[1])["rejected"] == code


def test_translate_takes_orders_of_our_own_api_too(tmp_path):
    file = tmp_path / "order.json"
    order = {"number": "1", "currency": "EUR", "placed_at": 1_790_000_000_000_000, "total": 5}
    order["lines"] = [{"id": "1", "sku": "A", "quantity": 1, "price": 5}]
    file.write_text(json.dumps({"external": "1", "order": order, "handed_over": True}))
    events = [json.loads(line) for line in cli("translate", "api", "api/order", str(file))[1].splitlines()]
    assert [one["event"] for one in events] == ["OrderSeen", "FulfilmentSeen"]


# --- demo --------------------------------------------------------------------------------------------------------------
def test_a_demo_touches_no_folder_that_holds_something(tmp_path):
    """It would write its own mainstay.toml and tokens over a shop's, and its orders into the shop's log."""
    (tmp_path / "mainstay.toml").write_text("mine")
    code, _, told = cli("demo", "--headless", "--orders", "5", "--keep", str(tmp_path))
    assert code == 2 and "is not empty" in told and "--keep takes a new folder" in told
    assert [one.name for one in tmp_path.iterdir()] == ["mainstay.toml"] and (tmp_path / "mainstay.toml").read_text() == "mine"


# --- doctor ------------------------------------------------------------------------------------------------------------
def test_doctor_sees_a_folder_that_others_can_read(finished):
    finished.data.chmod(0o755)
    code, told, _ = ask(finished, "doctor", "--json")
    assert code == 1 and [one["what"] for one in json.loads(told) if not one["fine"]] == ["folder"]
    finished.data.chmod(0o700)


@pytest.mark.parametrize(
    ("us", "doubt", "said"), [(0.3, True, "no disk is so fast"), (800.0, False, "after 0.800 ms"), (80_000.0, True, "a faster disk")]
)
def test_doctor_says_what_a_commit_costs(finished, monkeypatch, us, doubt, said):
    monkeypatch.setattr(doctor, "sync_us", lambda folder: us)
    code, told, _ = ask(finished, "doctor", "--json")
    (one,) = (one for one in json.loads(told) if one["what"] == "sync")
    assert code == 0 and one["doubt"] is doubt and said in one["detail"]
    assert ("look sync" in ask(finished, "doctor")[1]) is doubt


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="memory that looks like a disk")
def test_memory_is_not_taken_for_a_disk():
    assert doctor.sync_us(Path("/dev/shm")) < doctor.SYNC_US_MIN


def test_doctor_says_that_nobody_is_told(finished):
    assert "look alerts: no way leads to any owner" in ask(finished, "doctor")[1]
    told = finished.config.with_name("told.toml")
    mail = '[alerts.smtp]\nhost = "smtp.acme.example"\nsender = "m@acme.example"\n'
    told.write_text(f"{finished.config.read_text()}\n{mail}")
    assert "look alerts" not in cli("doctor", "--config", str(told))[1]
    told.unlink()


def test_doctor_sees_an_old_sqlite(finished, monkeypatch):
    import apsw

    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.40.1")
    code, told, wrong = ask(finished, "doctor", "--json")
    assert code != 0 and ("sqlite" in told or "3.40.1" in wrong)


def test_doctor_sees_a_door_that_is_open_to_all(finished):
    public = finished.config.with_name("public.toml")
    public.write_text(finished.config.read_text().replace(f'url = "http://127.0.0.1:{finished.port}"', 'listen = "0.0.0.0"', 1))
    code, told, _ = cli("doctor", "--config", str(public), "--json")
    assert code == 1 and [one["what"] for one in json.loads(told) if not one["fine"]] == ["landscape"]
    assert "listen-exposed" in {one["code"] for one in json.loads(cli("check", "--config", str(public), "--json")[1])}


def test_doctor_and_check_count_the_same_and_it_names_what_it_leaves_to_the_service(finished):
    config = finished.config.with_name("two-wrongs.toml")
    text = finished.config.read_text().replace('owner = "operations"', 'owner = "nobody"', 1)
    config.write_text(text.replace('"file:stripe-key"', '"env:NOT_HERE"'))
    found = [one["code"] for one in json.loads(cli("check", "--config", str(config), "--json")[1]) if one["severity"] == "error"]
    assert sorted(found) == ["owner-unknown", "secret-missing"]
    told = {one["what"]: one["detail"] for one in json.loads(cli("doctor", "--config", str(config), "--json")[1])}
    assert told["landscape"] == "1 error; `mainstay check` explains them"
    assert told["secrets"].startswith("these are not in this environment: env:NOT_HERE; `mainstay check` counts each as an error")


def test_the_version():
    assert __version__ in cli("--version")[1]
