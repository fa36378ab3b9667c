"""What the pages say is so: the reference is the code's, every example is understood, every link leads somewhere."""

import re
from typing import Any

import click
import pytest

import mainstay
from mainstay.app import build
from mainstay.app.cli import main
from mainstay.app.declaration import template
from mainstay.app.reference import made, runbooks
from mainstay.edge.api import Api
from mainstay.landscape import OBJECTS, Answers, read, write
from tests.docs.pages import (
    ROOT,
    Block,
    anchors,
    blocks,
    broken_links,
    commands,
    differences,
    pages,
    versions,
    wrong_command,
    wrong_example,
    wrong_request,
)  # fmt: skip

ABSENT: Any = None
ENDPOINTS = Api(ABSENT, ABSENT, ABSENT, ABSENT, {}, {}, bytes, str).endpoints
AS_JSON = "-H 'Content-Type: application/json'"
PAGES = [pytest.param(page, id=str(page.relative_to(ROOT))) for page in pages()]
HOW_TO = (
    "connect-your-shop", "run-the-demo", "reservations", "dead-letters", "stock-numbers", "verify-and-erase", "write-a-connector",
    "back-up-and-restore", "reliability", "runbooks", "why", "files",
)  # fmt: skip


# --- the generated reference -------------------------------------------------------------------------------------------
def test_the_committed_reference_is_what_the_code_says():
    committed = {path.name: path.read_text() for path in (ROOT / "docs" / "reference").glob("*.md")}
    assert differences(committed, made()) == [], "run `make docs` and commit docs/reference"


def test_a_stale_missing_or_left_over_page_is_named():
    assert differences({"a.md": "old\n", "gone.md": ""}, {"a.md": "new\n", "b.md": ""}) == [
        "a.md: committed 'old', the code says 'new'", "b.md is not committed", "gone.md is made by nothing any more",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("cli.md", "## mainstay deadletters suppress"),
        ("settings.md", "| `payment_timeout_s` | whole number, at least 1 | `86400` | An order unpaid for so long is cancelled. |"),
        ("settings.md", "| `webhook_secrets` | list of secret | `[]` | Signing secrets of the endpoint; two while one is being rolled. |"),
        ("findings.md", "| `owned-twice` | error |"),
        ("connectors.md", "| `RefundPayment` | Give money back. | `refund` | `keyed`, for 24 h | 1 |"),
        ("connectors.md", "| `account` | leaky | 40 | 0.6667 | `*` | https://docs.shipstation.com"),
        ("events.md", "### RefundSeen"),
        ("events.md", "| `price` | whole number | **required** | of one unit, before discounts |"),
        ("commands.md", "Carried out by: [stripe](connectors.md#stripe)."),
        ("failures.md", "| `oversold` | A channel sold units that are not there. | ours |"),
        ("order-lifecycle.md", "    shipped --> invoiced: invoice"),
        ("accounts.md", "| `fee` | `fees:{provider}` | `psp:{provider}` | what the provider kept |"),
        ("api.md", "## POST /v1/reservations/{id}/confirm"),
    ],
)
def test_the_reference_holds_what_is_declared(page, words):
    assert words in made()[page]


# --- examples ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_exists(page):
    shown = [words for block in blocks(page.read_text()) if block.language in ("sh", "console") for words in commands(block)]
    assert [wrong for words in shown if (wrong := wrong_command(words, main))] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_request_of_a_page_is_one_of_the_api(page):
    shown = [words for block in blocks(page.read_text()) if block.language in ("sh", "console") for words in commands(block)]
    assert [wrong for words in shown if (wrong := wrong_request(words, ENDPOINTS))] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_example_of_a_page_is_understood(page):
    found = blocks(page.read_text())
    assert [f"line {block.line}: {wrong}" for block in found for wrong in wrong_example(block)] == []


@click.group()
def tool() -> None: ...


@tool.command()
@click.argument("number")
@click.option("--by")
@click.option("--reason", required=True)
def close(number: str, by: str, reason: str) -> None: ...


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("mainstay close 1 --reason done", ""),
        ("mainstay close 1 --reason done > file", ""),
        ("ls --nonsense", ""),
        ("mainstay shut 1", "no command 'shut'"),
        ("mainstay close 1 --reason done --loud", "--loud"),
        ("mainstay close --reason done", "number"),
        ("mainstay close 1", "reason"),
        ("mainstay close 1 2 --reason done", "'2'"),
        ("mainstay", "names no command"),
    ],
)
def test_a_command_that_does_not_exist_is_named(line, said):
    ((words),) = commands(Block(1, "sh", line))
    wrong = wrong_command(words, tool)
    assert wrong == said if not said else said in wrong


def test_commands_are_found_in_both_kinds_of_blocks():
    assert commands(Block(1, "console", "$ mainstay check\nmainstay.toml: fine\n$ ls\n")) == [["mainstay", "check"], ["ls"]]
    assert commands(Block(1, "sh", "# a remark\nmainstay \\\n  check\ncurl -d '{\n}'\n")) == [["mainstay", "check"], ["curl", "-d", "{\n}"]]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("curl $MAINSTAY/v1/status", ""),
        ("curl -X POST $MAINSTAY/v1/status", "no POST /v1/status"),
        ("curl -X POST $MAINSTAY/v1/reservations -d '{}'", "needs an Idempotency-Key"),
        ("curl -X POST $MAINSTAY/v1/deadletters/7/retry -d '{}'", "needs Content-Type"),
        (f"curl -X POST $MAINSTAY/v1/reservations -H 'Idempotency-Key: 1' {AS_JSON} -d '{{\"lines\": []}}'", "length >= 1"),
        (f'curl -X POST $MAINSTAY/v1/deadletters/7/retry {AS_JSON} -d \'{{"who": "me"}}\'', "unknown field `who`"),
    ],
)
def test_a_request_that_would_be_refused_is_named(line, said):
    ((words),) = commands(Block(1, "sh", line))
    wrong = wrong_request(words, ENDPOINTS)
    assert wrong == said if not said else said in wrong


@pytest.mark.parametrize(
    ("language", "text", "said"),
    [
        ("toml", "[channels.a]\nsystem = 'a'", ""),
        ("toml", "[channels.a]\nsystem = 'a'\nsahre = 1", "key-unknown"),
        ("toml", "[channels.a", "Expected ']'"),
        ("toml", "[shop]\nname = 'Acme'\ncurrency = 'EUR'\n[systems.a]\nconnector = 'shopfy'\nowner = 'b'", "connector-unknown"),
        ("toml", "[shop]\nname = 'Acme'", "key-missing"),
        ("python", "from mainstay.model.money import minor", ""),
        ("python", "from mainstay.model.money import minus", "has no minus"),
        ("python", "from mainstay.modle import money", "mainstay.modle"),
        ("python", "def f(", "never closed"),
        ("json", '{"a": 1}', ""),
        ("json", "{'a': 1}", "double quotes"),
        ("text", "anything (", ""),
    ],
)
def test_an_example_that_is_not_understood_is_named(language, text, said):
    wrong = " ".join(wrong_example(Block(1, language, text)))
    assert wrong == said if not said else said in wrong


# --- links, runbooks, version ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_leads_somewhere(page):
    assert list(broken_links(page, page.read_text())) == []


def test_a_broken_link_is_named(tmp_path):
    page = tmp_path / "page.md"
    (tmp_path / "other.md").write_text("# A title, with `code`\n```sh\n# no heading\n```\n")
    text = "[a](other.md) [b](other.md#a-title-with-code) [c](gone.md) [d](other.md#no-heading) `[e](code.md)` [f](https://x.example/g.md)"
    page.write_text(text)
    assert list(broken_links(page, text)) == ["gone.md: there is no such file", "other.md#no-heading: there is no such heading"]


@pytest.mark.parametrize("name", HOW_TO)
def test_the_readme_leads_to_every_page(name):
    everything = " ".join(page.read_text() for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md"))
    assert f"docs/{name}.md" in everything


def test_a_generated_landscape_points_to_runbooks_that_exist():
    systems = {connector: connector for connector in build.offers() if connector != "mainstay"}
    text = write(Answers(shop="Acme", currency="EUR", contact="ops@acme.example", systems=systems), build.offers())
    named = {flow.runbook for flow in read(text, "mainstay.toml").flows.values()}
    there = anchors((ROOT / "docs" / "runbooks.md").read_text())
    assert len(named) > 5 and all(link.partition("#")[2] in OBJECTS for link in named)
    assert [link for link in sorted(named) if link.partition("#")[2] not in there] == []


def test_the_runbooks_that_a_shop_begins_with_are_the_page_of_the_docs():
    assert template() == runbooks(ROOT / "docs"), "run `make docs` and commit src/mainstay/app/runbooks.md"
    assert "](#order)" in template() and ".md#" not in template().replace("`runbooks.md#order`", "")


def missing_examples(table):
    """Examples that a row of simulate.md names and that do not stand in the file that it names before them, or in test_hard_cases.py."""
    for row in (line for line in table.splitlines() if line.startswith("| ")):
        file = "tests/flows/test_hard_cases.py"
        for name in re.findall(r"`(tests/[\w/]+\.py|test_\w+)…?`", row.split(" | ")[-1]):
            if name.startswith("tests/"):
                file = name
            elif f"def {name}" not in (ROOT / file).read_text():
                yield f"{file} has no {name}"


def test_each_hard_case_has_the_example_that_is_named():
    table = (ROOT / "docs/simulate.md").read_text()
    assert list(missing_examples(table)) == [] and table.count("`test_") > 30
    assert list(missing_examples("| a | b | `tests/flows/test_addresses.py`: `test_nobody…` |"))


def test_the_version_is_the_changelogs_newest():
    assert versions((ROOT / "CHANGELOG.md").read_text())[0] == mainstay.__version__


def test_the_newest_version_is_read_first():
    assert versions("# Changes\n## 0.2.0\ntext\n### 9.9.9\n## 0.1.0\n") == ["0.2.0", "0.1.0"]


def test_the_architecture_can_be_read_in_one_go():
    assert (ROOT / "ARCHITECTURE.md").read_text().count("\n") <= 150
