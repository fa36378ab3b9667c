"""A runbook is quoted with what is so now; what to do when Mainstay itself is in trouble is known without one."""

from types import SimpleNamespace

import pytest

from mainstay.alerts import words
from mainstay.alerts.causes import Alarm
from mainstay.alerts.decide import Item, Notice
from mainstay.app.alerting import Alerting
from mainstay.app.declaration import template
from mainstay.model.times import SECOND, micros

NOW = micros("2026-11-22T10:00:00Z")
GONE = Alarm(
    cause="system/shop", owner="operations", what="shop cannot be worked with", count=7, since=NOW - 60 * SECOND, why="no  answer",
    at_risk={"EUR": "19.90"}, runbooks=("runbooks.md#order",),
)  # fmt: skip


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("{{what}}: {{ count }}", "shop cannot be worked with: 7"),
        ("since {{since}}, {{reason}}, {{at_risk}}", "since 2026-11-22T09:59:00Z, no answer, 19.90 EUR"),
        ("by {{deadline}}", "by -"),
        ("{{cause}} {{what} {what}}", "{{cause}} {{what} {what}}"),
    ],
)
def test_names_in_a_runbook_are_what_is_so_now(written, told):
    assert words.filled(written, GONE) == told


def test_a_page_that_two_causes_lead_to_is_quoted_once_with_the_first():
    notice = Notice("operations", (Item("new", GONE, 0), Item("new", Alarm(cause="b", owner="o", what="b", runbooks=GONE.runbooks), 0)))
    text = words.body(notice, "Acme", NOW, lambda _link: "Look at {{what}}.")
    assert text.count("--- runbooks.md#order") == 1 and "Look at shop cannot be worked with." in text


def paragraph(words_, name=""):
    return f"{name}{'word ' * words_}".strip()


LONG = "\n\n".join([
    "{{what}}: {{count}}", "Who answers: Ben", paragraph(150, "**Nothing comes.** "), paragraph(150, "**`late`.** "),
    paragraph(100, "**Gone: `breaker_open`, `try_again`.** "), "- and this of it", paragraph(50, "**`other`.** has `breaker_open` "),
])  # fmt: skip


def test_a_long_section_is_quoted_with_the_entry_that_the_alert_is_about():
    told = words.excerpt(LONG, ["breaker_open"], "runbooks.md#order").split("\n\n")
    assert told[:2] == ["{{what}}: {{count}}", "Who answers: Ben"] and told[-1] == "… The rest stands in runbooks.md#order"
    assert [one[:14] for one in told[2:-1]] == ["**Gone: `break", "- and this of "]


def test_a_long_section_without_an_entry_is_quoted_in_whole_paragraphs():
    told = words.excerpt(LONG, ["schema"], "runbooks.md#order")
    assert "**`late`.**" in told and "**Gone" not in told and told.endswith("word\n\n… The rest stands in runbooks.md#order")
    assert len(told) < words.SECTION_CHARS_MAX + 60
    told = words.excerpt(paragraph(600), [], "runbooks.md#order")
    assert told.endswith("word\n\n… The rest stands in runbooks.md#order") and len(told) < words.SECTION_CHARS_MAX + 60


def test_an_entry_that_the_section_lacks_is_looked_for_on_the_page():
    page = f"# Ours\n\n**`schema`.** Ask them.\n\n## order\n{LONG}"
    assert words.excerpt("Ring Ben.", ["schema"], "x", page) == "Ring Ben.\n\n**`schema`.** Ask them."
    assert words.excerpt("Ring Ben.", ["nothing"], "x", page) == "Ring Ben."


@pytest.mark.parametrize("code", ["unknown_word", "expired", "oversold"])
def test_the_page_that_init_writes_carries_what_is_so_now(code):
    alarm = Alarm(cause="a", owner="ben", what="7 letters", count=7, since=NOW, why="odd", code=code, runbooks=("runbooks.md#order",))
    text = words.body(Notice("ben", (Item("new", alarm, 0),)), "Acme", NOW, lambda link: words.section(template(), link.partition("#")[2]))
    assert "7 letters, since 2026-11-22T10:00:00Z: odd. Owner ben" in text and "how many: 7" in text and "{{" not in text
    assert f"`{code}`" in text.partition("--- runbooks.md#order")[2] and text.count("… The rest stands in runbooks.md#order") == 1


@pytest.mark.parametrize("written", ["", "# Ours\n\n## order\nRing Ben.\n"], ids=["no page", "a page of before"])
def test_what_to_do_when_mainstay_itself_is_in_trouble_is_known_without_a_page(tmp_path, written):
    if written:
        (tmp_path / "runbooks.md").write_text(written)
    alerting = SimpleNamespace(house=SimpleNamespace(folder=tmp_path))
    text = words.filled(Alerting._page(alerting, "runbooks.md#mainstay"), GONE)
    assert text.startswith("shop cannot be worked with, since 2026-11-22T09:59:00Z: no answer") and "`mainstay doctor`" in text
    (tmp_path / "runbooks.md").write_text("## mainstay\nRing Olga.\n")
    assert Alerting._page(alerting, "runbooks.md#mainstay") == "Ring Olga."
