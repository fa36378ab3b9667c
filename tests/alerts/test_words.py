"""A runbook is quoted with what is so now; what to do when Mainstay itself is in trouble is known without one."""

from types import SimpleNamespace

import pytest

from mainstay.alerts import words
from mainstay.alerts.causes import Alarm
from mainstay.alerts.decide import Item, Notice
from mainstay.app.alerting import Alerting
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


@pytest.mark.parametrize("written", ["", "# Ours\n\n## order\nRing Ben.\n"], ids=["no page", "a page of before"])
def test_what_to_do_when_mainstay_itself_is_in_trouble_is_known_without_a_page(tmp_path, written):
    if written:
        (tmp_path / "runbooks.md").write_text(written)
    alerting = SimpleNamespace(house=SimpleNamespace(folder=tmp_path))
    text = words.filled(Alerting._page(alerting, "runbooks.md#mainstay"), GONE)
    assert text.startswith("shop cannot be worked with, since 2026-11-22T09:59:00Z: no answer") and "`mainstay doctor`" in text
    (tmp_path / "runbooks.md").write_text("## mainstay\nRing Olga.\n")
    assert Alerting._page(alerting, "runbooks.md#mainstay") == "Ring Olga."
