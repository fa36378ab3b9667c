"""An outage is one mail, not one for each failed event; when it is over, one more says so. Through `mainstay up`, to real servers."""

import json
import shlex

import pytest

from mainstay.app.cli import main
from tests.docs.pages import wrong_command
from tests.mailbox import mailbox, receiver, until
from tests.running import Running, an_order

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # the example of the Standard Webhooks specification
PAGER = """
[alerts]
wait_s = 3
over_s = 3
[alerts.smtp]
host = "127.0.0.1"
port = {port}
tls = "none"
user = "mainstay"
password = "file:smtp-password"
sender = "mainstay@shop.example"
[alerts.webhooks.pager]
url = "{url}"
secret = "file:pager-secret"
"""


@pytest.fixture(scope="module")
def post():
    with mailbox() as box, receiver(SECRET) as pager:
        yield box, pager


@pytest.fixture(scope="module")
def shop(tmp_path_factory, post):
    box, pager = post
    shop = Running(tmp_path_factory.mktemp("alerts"))
    text = shop.config.read_text().replace("[owners.operations]", '[owners.operations]\nalerts = ["smtp", "pager"]', 1)
    shop.config.write_text(text + PAGER.format(port=box.port, url=pager.url))
    (shop.folder / "runbooks.md").write_text("# Runbooks\n\n## order\nRing Ben at the shop: {{what}}.\n\n## payment\nSomething else.\n")
    (shop.folder / "smtp-password").write_text("canary-smtp")
    (shop.folder / "pager-secret").write_text(SECRET)
    shop.start()
    yield shop
    assert shop.stop() == 0
    assert "canary-smtp" not in shop.log() and SECRET not in shop.log()


def told(shop, *words, code=0):
    exit_code, out, wrong = shop.cli(*words, "--json")
    assert exit_code == code, (out, wrong)
    return json.loads(out or wrong)


def of_letters(box):
    return [n for n, subject in enumerate(box.subjects()) if "unknown_word" in subject + box.texts()[n]]


def test_forty_failures_of_one_cause_are_one_mail_and_one_notice_that_it_is_over(shop, post):
    box, pager = post
    for n in range(40):
        shop.hook(an_order(100 + n, financial_status="on_review"), f"e{n}")
    until(lambda: of_letters(box), "no mail came", 30)
    (mail,) = of_letters(box)
    text = box.texts()[mail]
    assert "40 dead letters of shop: unknown_word (orders/create)" in text and "4539.20 EUR" in text
    assert "owner     operations; the cause is ours to mend" in text and "'on_review'" in text
    assert "--- runbooks.md#order\nRing Ben at the shop: 40 dead letters of shop: unknown_word (orders/create).\n" in text
    cause = told(shop, "deadletters", "causes")[0]["cause"]
    assert f"mainstay deadletters causes --cause {cause}\n" in text
    assert "ada@" not in text.lower() and "canary" not in text
    assert box.mails[mail]["to"] == "ops@shop.example" and box.mails[mail]["auto-submitted"] == "auto-generated"
    assert box.logins, "it logs in"

    found = told(shop, "alerts")
    (alarm,) = [one for one in found["alarms"] if one["cause"] == f"letters/{cause}"]
    assert (alarm["count"], alarm["owner"], alarm["told"]) == (40, "operations", "operations")
    for command in alarm["commands"]:
        assert not wrong_command(shlex.split(command), main), command
    assert shop.ask("GET", "/v1/alerts", who="operator")[1]["alarms"]
    assert "40 dead letters" in shop.cli("alerts")[1] and "alerts        " in shop.cli("status")[1]
    until(lambda: len(pager.posts) == len(box.mails), "the webhook was not told")
    posted = json.loads(pager.posts[mail][1])
    assert posted["type"] == "mainstay.alert" and posted["data"]["id"] == pager.posts[mail][0]
    assert f"letters/{cause}" in [one["cause"] for one in posted["data"]["causes"]]

    shop.kill("dispatch")  # a restart neither repeats nor forgets
    told(shop, "deadletters", "suppress", "--cause", cause, "--reason", "test orders")
    over = "over: 40 dead letters of shop: unknown_word"
    until(lambda: any(over in text for text in box.texts()), "nobody says that it is over", 30)
    assert len(of_letters(box)) == 2, box.subjects()
    assert [one["status"] for one in told(shop, "alerts")["messages"]].count("failed") == 0


def test_a_first_message_by_hand(shop, post):
    box, _ = post
    found = told(shop, "alerts", "test", "--to", "operations")
    assert [(one["way"], one["to"], one["result"]) for one in found] == [
        ("smtp", "ops@shop.example", "sent"), ("pager", "pager", "sent"),
    ]  # fmt: skip
    assert box.subjects()[-1] == "[Test] test of alerts"
    box.refuse["RCPT"] = "550 nobody of that name"
    assert "550 nobody of that name" in told(shop, "alerts", "test", "--to", "operations", code=1)[0]["why"]
    box.refuse.clear()
    assert "no owner is called 'ben'; there are: operations" in told(shop, "alerts", "test", "--to", "ben", code=2)["detail"]
