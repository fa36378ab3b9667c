"""People handle every failure without a developer: causes, repair with a rehearsal, a word that has no mapping, jobs for many."""

import json
import time

import pytest

from mainstay.app.build import clock
from mainstay.app.show_letters import RESTART
from mainstay.flows.drift import EVERY, FIRST
from mainstay.model.times import iso
from tests.running import Running, an_order


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    shop = Running(tmp_path_factory.mktemp("letters")).start()
    yield shop
    assert shop.stop() == 0


def told(shop, *words, code=0):
    exit_code, out, wrong = shop.cli(*words, "--json")
    assert exit_code == code, (out, wrong)
    return json.loads(out or wrong)


def test_a_message_is_rehearsed_then_repaired(shop):
    shop.hook(an_order(71, total_price="a lot"), "e71")
    number = str(shop.letter("e71")["id"])
    shop.settled()
    assert "at_risk" in told(shop, "deadletters", "show", number)
    found = told(shop, "deadletters", "repair", number, "--set", "total_price=113.48", "--dry-run")
    assert found["letters"][0]["refused_before"].startswith("amount: ") and found["orders"][0]["total"] == [None, "113.48 EUR"]
    code, words, _ = shop.cli("deadletters", "repair", number, "--set", "total_price=113.48", "--dry-run")
    assert code == 0 and "\nnow:    OrderSeen 71 version=" in words and words.endswith("nothing was changed\n")
    assert shop.ask("GET", "/v1/orders/ord.shop.71", who="operator")[0] == 404
    (left,) = told(shop, "deadletters", "repair", number, "--set", "nobody.there=1", "--dry-run", code=1)["letters"]
    assert not left["done"] and left["ended"].startswith("schema: ") and left["ended"].endswith("the letter stays open")
    assert "--reason" in shop.cli("deadletters", "repair", number, "--set", "total_price=113.48")[2]
    because = ("--reason", "the shop confirmed it", "--by", "ann")
    assert told(shop, "deadletters", "repair", number, "--set", "total_price=113.48", *because)["detail"] == "taken"
    assert shop.ask("GET", "/v1/orders/ord.shop.71", who="operator")[1]["total"] == "113.48 EUR"
    assert told(shop, "deadletters", "show", number)["history"][0]["reason"] == "the shop confirmed it"


def test_many_messages_are_rehearsed_then_repaired_as_a_job(shop):
    """One of them cannot be: it stays open, with why, and the others are taken."""
    for n in range(801, 816):
        shop.hook(an_order(n, total_price="a lot"), f"m{n}")
    shop.hook(an_order(816, total_price="a lot", total_tax="lots"), "m816")
    shop.until(lambda: len(told(shop, "deadletters", "list", "--text", "a lot")) == 16, "they do not become letters")
    (cause,) = told(shop, "deadletters", "causes", "--text", "a lot")
    words = ("deadletters", "repair", "--cause", cause["cause"], "--set", "total_price=113.48")
    code, said, _ = shop.cli(*words, "--dry-run")
    assert code == 1 and said.startswith("16 dead letters: 15 done, 1 stay open\n\n15 × ") and ", … 3 more\nbefore: amount: " in said
    assert said.count("would change") == 1 and "\n  … and 14 more like it; --json has each\n" in said
    assert "the letter stays open\nthen:   nothing\n" in said and said.endswith("nothing was changed\n")
    found = told(shop, *words, "--dry-run", code=1)
    assert {order["order"] for order in found["orders"]} == {f"ord.shop.{n}" for n in range(801, 816)}
    assert shop.ask("GET", "/v1/orders/ord.shop.801", who="operator")[0] == 404 and "--reason" in shop.cli(*words)[2]
    job = told(shop, *words, "--reason", "the shop confirmed it", "--by", "ann")
    assert (job["action"], job["letters"]) == ("repair", 16)
    shop.until(lambda: shop.ask("GET", f"/v1/jobs/{job['job']}", who="operator")[1]["status"] == "done", "the job does not end")
    done = told(shop, "jobs", "show", str(job["job"]), code=1)
    assert (done["done"], done["nothing_done"], done["by"], done["set"]) == (15, 1, "ann", {"total_price": "113.48"})
    would = [(one["letter"], one["done"], one["ended"]) for one in found["letters"]]
    assert [(one["letter"], one["done"], one["detail"]) for one in done["results"]] == would, "as the dry run said"
    assert "\n  set total_price = 113.48\n" in shop.cli("jobs", "show", str(job["job"]))[1]
    assert shop.ask("GET", "/v1/orders/ord.shop.815", who="operator")[1]["total"] == "113.48 EUR"
    (left,) = told(shop, "deadletters", "list", "--text", "a lot")
    assert told(shop, "deadletters", "suppress", str(left["id"]), str(job["job"]), "--reason", "a test")["letters"] == 2


def test_letters_are_given_away_and_escalated(shop):
    shop.hook(b"nobody reads this", "mine")
    number = str(shop.letter("mine")["id"])
    given = told(shop, "deadletters", "assign", number, "--to", "ben", "--by", "ann")["detail"]
    assert given == "given to ben, whom no alert reaches: mainstay.toml declares as owners operations"
    assert [str(one["id"]) for one in told(shop, "deadletters", "list", "--owner", "ben")] == [number]
    assert "nobody is declared above 'ben'" in told(shop, "deadletters", "escalate", number, code=2)["detail"]
    assert told(shop, "deadletters", "escalate", number, "--to", "cleo")["detail"].startswith("escalated to cleo, whom no")
    assert "escalated to cleo, by 20" in shop.cli("deadletters", "list", "--owner", "cleo")[1]
    assert "escalate to cleo by" in shop.cli("deadletters", "show", number)[1]


def test_a_word_without_a_mapping_is_mapped_and_its_letters_retried_at_once(shop):
    for n in range(720, 740):
        shop.hook(an_order(n, financial_status="on_review"), f"e{n}")
    shop.until(lambda: len(told(shop, "deadletters", "list", "--code", "unknown_word")) == 20, "they do not become letters")
    (cause,) = told(shop, "deadletters", "causes", "--code", "unknown_word")
    assert (cause["count"], cause["queue"], cause["at_risk"]) == (20, "ours", {"EUR": f"{20 * 113.48:.2f}"})
    (first,) = (one for one in told(shop, "deadletters", "list", "--code", "unknown_word") if one["id"] == cause["oldest"])
    assert (cause["deadline"], cause["runbooks"]) == (first["deadline"], first["runbooks"]) and first["runbooks"]
    words = shop.cli("deadletters", "causes", "--code", "unknown_word")[1]
    assert words.startswith("ours to fix: 20\n") and "theirs to fix: 0" in words and "2269.60 EUR" in words
    assert f", by {cause['deadline']}\n" in words and "See runbooks.md#" in words
    text = shop.config.read_text()
    shop.config.write_text(
        text.replace(
            "[systems.shop.settings]", '[systems.shop.words]\n"financial_status.on_review" = "pending"\n\n[systems.shop.settings]', 1
        )
    )
    assert shop.config.read_text() != text
    found = told(shop, "deadletters", "repair", str(cause["newest"]), "--dry-run")
    says = found["letters"][0]["says"]
    assert says[0]["order"].get("payment", "pending") == "pending", "the file as it is now says what would follow"
    assert found["restart_first"] and found["letters"][0]["refused_before"] == f"unknown_word: {cause['example']}", "why it is a letter"
    said = shop.cli("deadletters", "repair", str(cause["newest"]), "--dry-run")[1]
    assert said.startswith("before: unknown_word: unknown financial status 'on_review'") and RESTART in said.splitlines()[-2]
    assert shop.stop() == 0
    shop.start()
    assert RESTART not in shop.cli("deadletters", "repair", str(cause["newest"]), "--dry-run")[1], "now it has loaded this"
    job = told(shop, "deadletters", "retry", "--cause", cause["cause"], "--by", "ann")
    assert job["letters"] == 20
    shop.until(lambda: told(shop, "jobs", "show", str(job["job"]))["status"] == "done", "the job does not end")
    assert told(shop, "jobs", "show", str(job["job"]))["done"] == 20
    assert told(shop, "deadletters", "list", "--code", "unknown_word") == []
    assert shop.ask("GET", "/v1/orders/ord.shop.739", who="operator")[1]["total"] == "113.48 EUR"
    assert f"{job['job']}  " in (said := shop.cli("jobs", "list")[1]) and "retry (cause " in said and "done  20 of 20  by ann" in said
    assert shop.cli("jobs", "cancel", str(job["job"]))[0] == 2, "it has ended"


def test_old_messages_are_replayed_with_the_mapping_of_today(shop):
    began = iso(clock())
    for n in (751, 752):
        shop.hook(an_order(n, financial_status="odd" if n == 751 else "paid"), f"e{n}")
    shop.letter("e751")
    shop.settled()
    text = shop.config.read_text()
    text = text if "[systems.shop.words]" in text else f"{text}\n[systems.shop.words]\n"
    shop.config.write_text(text.replace("[systems.shop.words]", '[systems.shop.words]\n"financial_status.odd" = "paid"', 1))
    found = told(shop, "replay", "--since", began, "--dry-run")
    assert found["messages"] == {"same": 1, "superseded": 0, "corrected": 0, "taken": 1, "refused": 0}
    assert [one["order"] for one in found["orders"]] == ["ord.shop.751"] and found["differ"][0]["detail"] == "OrderSeen 751"
    assert found["restart_first"], "Mainstay does not know the word yet"
    words = shop.cli("replay", "--since", began, "--dry-run")[1]
    assert (
        words.startswith("2 messages: same 1, taken 1\n")
        and "ord.shop.751 would change" in words
        and words.endswith(f"{RESTART}\nnothing was changed\n")
    )
    assert shop.stop() == 0
    shop.start()
    job = told(shop, "replay", "--since", began, "--system", "shop", "--by", "ann", "--reason", "a new word")
    shop.until(lambda: told(shop, "jobs", "show", str(job["job"]))["status"] == "done", "the job does not end")
    done = told(shop, "jobs", "show", str(job["job"]))
    assert (done["done"], done["unchanged"], done["results"][0]["detail"]) == (1, 1, "taken: OrderSeen 751")
    assert shop.ask("GET", "/v1/orders/ord.shop.751", who="operator")[0] == 200
    shop.config.write_text(f"# a comment changes nothing\n{shop.config.read_text()}")
    assert not told(shop, "replay", "--since", began, "--dry-run")["restart_first"]
    assert told(shop, "replay", "--since", began, "--dry-run")["messages"]["same"] == 2, "once"
    assert "no message came in" in told(shop, "replay", "--since", "2099-01-01T00:00:00Z", code=2)["detail"]
    assert told(shop, "replay", "--since", "yesterday", code=2)["code"] == "time"


def test_a_dry_run_reads_what_was_repaired_as_people_said_as_the_job_does(shop):
    began = iso(clock())
    for n in range(761, 766):
        shop.hook(an_order(n, total_price="a lot"), f"e{n}")
    numbers = [str(shop.letter(f"e{n}")["id"]) for n in range(761, 766)]
    because = ("--set", "total_price=113.48", "--reason", "the shop confirmed it", "--by", "ann")
    job = told(shop, "deadletters", "repair", *numbers[:3], *because)
    ended(shop, job)
    assert told(shop, "deadletters", "repair", numbers[3], *because)["detail"] == "taken"
    found = told(shop, "replay", "--since", began, "--dry-run")
    assert found["messages"] == {"same": 4, "superseded": 0, "corrected": 0, "taken": 0, "refused": 1}
    done = ended(shop, told(shop, "replay", "--since", began, "--by", "ann"))
    assert (done["unchanged"], done["done"], done["nothing_done"]) == (4, 0, 1)
    (one,), (would,) = done["results"], found["differ"]
    assert (one["letter"], one["detail"]) == (would["receipt"], f"{would['how']}: {would['detail']}"), "as the dry run said"


def ended(shop, job):
    """A job that has come to its end."""
    shop.until(lambda: shop.ask("GET", f"/v1/jobs/{job['job']}", who="operator")[1]["status"] == "done", "the job does not end")
    return shop.ask("GET", f"/v1/jobs/{job['job']}", who="operator")[1]


def test_what_a_system_may_have_lost_is_asked_for_from_the_command_line(shop):
    """Nothing was ever done here: tests/sim/test_lost_there.py has a system that was restored from its backup."""
    found = told(shop, "replay", "--from", "effect", "--since", "2020-01-01T00:00:00Z", "--dry-run")
    assert (found["stage"], found["effects"], found["sends"]) == ("effect", {"asked": 0, "superseded": 0, "refused": 0}, [])
    assert shop.cli("replay", "--from", "effect", "--since", "2020-01-01T00:00:00Z", "--dry-run")[1] == "0 effects: \nnothing was changed\n"
    assert (
        "no effect was asked for that is meant"
        in told(shop, "replay", "--from", "effect", "--since", "2020-01-01T00:00:00Z", code=2)["detail"]
    )


def test_what_was_said_is_decided_upon_anew_from_the_command_line(shop):
    """Nothing is declared otherwise: tests/flows/test_replay_statements.py has shops that are."""
    shop.hook(an_order(771), "e771")
    shop.settled()
    words = ("replay", "--from", "statement", "--since", "2020-01-01T00:00:00Z", "--topic", "OrderSeen", "--text", "771")
    found = told(shop, *words, "--dry-run")
    assert found["statements"]["same"] == sum(found["statements"].values()) == 1 and found["sends"] == []
    job = told(shop, *words, "--by", "ann", "--reason", "looked twice")
    shop.until(lambda: told(shop, "jobs", "show", str(job["job"]))["status"] == "done", "the job does not end")
    done = told(shop, "jobs", "show", str(job["job"]))
    assert (done["unchanged"], done["query"]["from"], done["reason"]) == (1, "statement", "looked twice")
    assert "replay (from statement, since 2020-01-01T00:00:00Z, topic OrderSeen, text 771)" in shop.cli("jobs", "show", str(job["job"]))[1]


@pytest.mark.parametrize(("words", "why"), [
    (("retry",), "say which: numbers, or a query"), (("retry", "1", "--all"), "say which"), (("suppress", "--all"), "--reason"),
    (("retry", "--system", "nope"), "no open dead letter is meant by this query"), (("assign", "1"), "--to"),
    (("repair", "999", "--dry-run"), "no open dead letter is meant by this"),
    (("repair", "999", "--reason", "why"), "no open dead letter about a message that came in has the number 999"),
    (("repair", "--reason", "why"), "say which"), (("repair", "--system", "nope", "--dry-run"), "no open dead letter is meant by this"),
    (("repair", "1", "2", "--file", "mainstay.toml", "--dry-run"), "--file is the whole message of one letter"),
    (("repair", "--all", "--file", "mainstay.toml"), "--file is the whole message of one letter"),
    (("repair", "1", "--file", "mainstay.toml", "--set", "a=1"), "--file is the whole message of one letter"),
    (("list", "--since", "yesterday"), "yesterday"), (("list", "--system", "shpo"), "no system is called 'shpo'; there are: "),
    (("causes", "--system", "shpo"), "no system is called 'shpo'; there are: "),
])  # fmt: skip
def test_what_cannot_be_meant_is_refused_with_what_to_say(shop, words, why):
    code, out, wrong = shop.cli("deadletters", *words)
    assert code == 2 and not out and why in wrong


def test_a_change_of_shape_is_told_and_accepted(shop):
    """The real core learns in its quiet moments what deliveries look like."""
    for number in range(FIRST + EVERY):
        more = {"gift_wrap": True} if number >= FIRST else {}
        assert shop.hook(an_order(9_000 + number, **more), f"drift-{number}", "orders/updated")[0] == 200
    ends, found = time.monotonic() + 20, []
    while not found and time.monotonic() < ends:
        time.sleep(0.5)
        found = [change for change in told(shop, "drift", "list") if change["path"] == "gift_wrap"]
    (one,) = found
    assert (one["system"], one["kind"], one["reads"]) == ("shop", "new", False)
    number = str(one["id"])
    assert f"{number}  shop " in shop.cli("drift", "list")[1]
    assert told(shop, "drift", "accept", number, "--by", "ann", "--reason", "theirs")["accepted"] == [one["id"]]
    assert told(shop, "drift", "accept", number, code=2)["code"] == "not_found"
    assert number not in {str(change["id"]) for change in told(shop, "drift", "list")}
    assert shop.ask("GET", "/v1/drift?status=accepted", who="operator")[1][0]["by"] == "ann"
