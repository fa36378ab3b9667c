"""Dead letters as a queue of work: causes, money at risk, who is to act, repair at the right place, and jobs for many at once."""

import msgspec
import pytest

from mainstay.flows import journey, queue, rehearse
from mainstay.flows.queue import Wanted
from mainstay.model.events import Parked
from mainstay.model.failures import Reject
from mainstay.model.outcome import TOPIC
from mainstay.storage.rehearsed import Rehearsed
from tests.flows.conftest import a_parcel, an_order

WHO = {"by": "ann", "reason": "because"}


def act(core, action, number, **told):
    return core.ask("operator", f"operator/{action}", str(number), {**WHO, **told})


def broken(core, text="broken", topic="statement", system="shop", key=""):
    """A message that cannot be read; the number of its letter."""
    core.receive(system, topic, key or f"b{core.seq}", text.encode())
    return core.rows("SELECT max(id) FROM letter")[0][0]


def says_nothing(_topic, _body):
    raise Reject("it says nothing of business", "not_business")


def letters(core, **query):
    core.flush()
    return journey.letters(core.state, Wanted(**query))


def as_json(said):
    return msgspec.json.encode((said, None)).decode()


def job(core, action, query=None, **told):
    return core.ask("operator", "operator/job", "", {"action": action, "query": query or {}, **WHO, **told})


# --- causes ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("why", "other", "same"),
    [
        ("unknown financial status 'on_review'; known: paid", "unknown financial status 'on_hold'; known: paid", False),
        ("ord.shop.5001 is not there", "ord.shop.99 is not there", True),
        ("2 units of TSH-001 are short", "14 units of TSH-777 are short", True),
        ("HTTP 422 {'id': 81, 'mail': 'a@b.example'}", "HTTP 422 {'id': 9, 'mail': 'cc@dd.example'}", True),
        ("the address lacks a street", "the address lacks a town", False),
    ],
)
def test_letters_that_one_action_would_mend_have_one_cause(why, other, same):
    def cause(text, **more):
        return queue.cause(Parked(**{"system": "shop", "topic": "t", "code": "rejected", "why": text, "owner": "ops", **more}))

    assert (cause(why) == cause(other)) is same
    assert cause(why) != cause(why, system="market") != cause(why, code="schema")
    of_effects = {cause(why, topic=TOPIC, key=f"ord.shop.{n}:release.{n}") for n in (1, 2)}
    assert len(of_effects) == 1 and cause(why, topic=TOPIC, key="ord.shop.1:sale") not in of_effects


def test_causes_say_how_many_since_when_whose_and_what_hangs_on_them(proved):
    first, second = broken(proved), broken(proved)
    broken(proved, topic="another")
    (many, one) = queue.causes(queue.wanted(proved.state, Wanted()))
    assert (many["count"], one["count"], many["oldest"], many["newest"]) == (2, 1, first, second)
    assert many["queue"] == "theirs" and many["owners"] == ["operations"] and many["unpriced"] == 2 and many["first_at"] < many["last_at"]
    assert [one["id"] for one in letters(proved, cause=many["cause"][:4])] == [second, first], "newest first; a few characters will do"


def test_an_effect_that_was_refused_puts_its_order_at_risk(proved):
    proved.count("A", 5)
    proved.say("shop", an_order())
    proved.answer("ord.shop.1:release.1", proved.order().id, "rejected", "wms")
    (letter,) = letters(proved)
    assert (letter["at_risk"], letter["queue"], letter["system"]) == ("10.00 EUR", "theirs", "wms")
    assert queue.causes(queue.wanted(proved.state, Wanted()))[0]["at_risk"] == {"EUR": "10.00"}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, 3), ({"queue": "theirs"}, 3), ({"queue": "ours"}, 0), ({"topic": "other"}, 1), ({"system": "market"}, 1),
        ({"system": "market", "topic": "other"}, 0), ({"text": "MALFORMED"}, 3), ({"text": "no such words"}, 0),
        ({"owner": "operations"}, 3),
        ({"since": "2030-01-01T00:00:00Z"}, 0), ({"until": "2030-01-01T00:00:00Z"}, 3), ({"status": "suppressed"}, 0),
    ],
)  # fmt: skip
def test_a_query_finds_what_it_means(proved, query, found):
    broken(proved)
    broken(proved, topic="other")
    broken(proved, system="market")
    assert len(letters(proved, **query)) == found


def test_a_time_that_is_none_is_refused(proved):
    with pytest.raises(Reject, match="yesterday"):
        letters(proved, since="yesterday")


# --- whose -------------------------------------------------------------------------------------------------------------
def test_a_letter_is_given_to_somebody_and_its_history_says_so(proved):
    number = broken(proved)
    assert act(proved, "assign", number, to="ben") == (200, {"id": number, "status": "assign", "detail": "given to ben"})
    assert [one["id"] for one in letters(proved, owner="ben")] == [number] and letters(proved, owner="operations") == []
    assert act(proved, "escalate", number)[0] == 409, "nobody is declared above"
    assert act(proved, "escalate", number, to="cleo")[0] == 200
    (shown,) = letters(proved)
    assert (shown["owner"], shown["given_to"], shown["escalated"], shown["status"]) == ("operations", "cleo", True, "open")
    assert [(one["what"], one["to"], one["by"], one["reason"]) for one in journey.acts_on(proved.state, number)] == [
        ("assign", "ben", "ann", "because"), ("escalate", "cleo", "ann", "because"),
    ]  # fmt: skip


def test_it_escalates_to_who_is_declared_above(proved):
    proved.shop = msgspec.structs.replace(proved.shop, above={"operations": "management"}.get)
    proved.intake.shop = proved.shop
    number = broken(proved)
    assert act(proved, "escalate", number)[1]["detail"] == "escalated to management"


# --- repair ------------------------------------------------------------------------------------------------------------
def test_a_repaired_message_is_taken_and_its_letter_closed(proved):
    number = broken(proved)
    status, told = act(proved, "repair", number, body=as_json(an_order()))
    assert (status, told["detail"]) == (200, "taken") and proved.order().status == "backordered"
    assert letters(proved) == [] and letters(proved, status="resolved")[0]["id"] == number
    assert act(proved, "repair", number, body=as_json(an_order()))[0] == 404, "once"


def test_what_still_cannot_be_read_changes_nothing(proved):
    number = broken(proved)
    status, told = act(proved, "repair", number, body="broken again")
    assert status == 422 and told["detail"].endswith("the letter stays open")
    assert [one["id"] for one in letters(proved)] == [number], "and no second letter"


def test_a_repaired_message_takes_its_right_place_behind_what_came_after_it(proved):
    proved.count("A", 50)
    number = broken(proved)
    proved.say("shop", an_order(version=3, lines=(("A", 5, 500),)))
    assert act(proved, "repair", number, body=as_json(an_order(version=2, lines=(("A", 9, 500),))))[0] == 200
    assert [line.quantity for line in proved.order().order.lines] == [5], "an older word does not undo a newer one"
    number = broken(proved)
    assert act(proved, "repair", number, body=as_json(an_order(version=4, lines=(("A", 7, 500),))))[0] == 200
    assert [line.quantity for line in proved.order().order.lines] == [7]


def test_a_repaired_message_may_speak_of_what_has_not_come(proved):
    number = broken(proved, system="wms")
    status, told = act(proved, "repair", number, body=as_json(a_parcel("p1", "rel.shop.1.1")))
    assert status == 200 and proved.rows("SELECT count(*) FROM early") == [(1,)], told


@pytest.mark.parametrize("action", ["repair", "retry"])
def test_a_message_that_says_nothing_of_business_after_all_needs_nobody(proved, monkeypatch, action):
    number = broken(proved)
    monkeypatch.setitem(proved.shop.translate, "shop", says_nothing)
    status, told = act(proved, action, number, **({"body": "whatever"} if action == "repair" else {}))
    assert (status, told["detail"]) == (200, "it says nothing of business") and letters(proved) == []


def test_an_effect_is_not_repaired(proved):
    proved.count("A", 5)
    proved.say("shop", an_order())
    proved.answer("ord.shop.1:release.1", proved.order().id, "rejected", "wms")
    assert act(proved, "repair", letters(proved)[0]["id"], body="{}")[0] == 409


def test_a_rehearsal_says_what_would_follow_and_changes_nothing(proved):
    proved.count("A", 5)
    number = broken(proved)
    before = proved.rows("SELECT count(*), max(seq) FROM event")
    store = Rehearsed(proved.path)
    letter = queue.one(store, number)
    told = rehearse.repair(store, proved.shop, letter.state, b"broken", as_json(an_order()).encode(), proved.now)
    store.close()
    assert told["refused_before"].startswith("json_syntax") and [one["event"] for one in told["says"]] == ["OrderSeen"]
    assert (
        told["ended"] == "taken" and told["orders"][0]["status"] == [None, "released"] and told["orders"][0]["total"] == [None, "10.00 EUR"]
    )
    assert [(one["to"], one["command"]) for one in told["sends"]] == [("wms", "ReleaseOrder")] and told["levels_told_anew"] == 1
    assert proved.rows("SELECT count(*), max(seq) FROM event") == before and proved.order() is None
    act(proved, "repair", number, body=as_json(an_order()))
    assert [one["command"] for one in proved.intents()] == ["ReleaseOrder"], "and so it came"


def test_a_value_of_a_message_is_edited_by_its_path():
    body = b'{"lines":[{"sku":"A","units":2}],"note":null}'
    assert rehearse.edited(body, [("lines.0.sku", "7"), ("lines.0.units", "3"), ("note", "true"), ("new", "a b")]) == (
        b'{"lines":[{"sku":"7","units":3}],"note":true,"new":"a b"}'
    )
    for path in ("lines.1.sku", "lines.x", "nobody.there", "lines.0.sku.deeper"):
        with pytest.raises(Reject, match="nothing at"):
            rehearse.edited(body, [(path, "1")])
    with pytest.raises(Reject, match="--file"):
        rehearse.edited(b"broken", [("a", "1")])


# --- many --------------------------------------------------------------------------------------------------------------
def test_a_job_does_it_for_all_that_the_query_means(proved):
    numbers = [broken(proved) for _ in range(40)]
    left = broken(proved, topic="other")
    status, told = job(proved, "suppress", {"topic": "statement"})
    assert status == 202 and told["letters"] == 40
    assert proved.wait(1_000).count("job") == 3, "sixteen at a time"
    found = queue.job(proved.state, told["job"])
    assert (found["status"], found["done"], found["nothing_done"], found["to_do"], found["by"]) == ("done", 40, 0, [], "ann")
    assert [one["letter"] for one in found["results"]] == numbers, "the oldest first, each with its result"
    assert [one["id"] for one in letters(proved)] == [left]
    assert journey.acts_on(proved.state, numbers[0])[0]["by"] == "ann"


def test_a_job_says_for_which_letters_nothing_could_be_done(proved):
    body = msgspec.json.encode({"key": "level.shop.A", "entity": 0, "outcome": "rejected", "system": "shop", "why": "no such item"})
    proved.receive("mainstay", TOPIC, "level.shop.A", body)
    number = broken(proved)
    told = job(proved, "retry")[1]
    proved.wait(1_000)
    found = queue.job(proved.state, told["job"])
    assert (found["done"], found["nothing_done"]) == (1, 1) and found["results"][0]["detail"] == "nothing is left to ask: suppress it"
    assert {one["id"] for one in letters(proved)} == {number - 1, number + 2}, "the broken one was parked again"


def test_a_letter_that_somebody_closed_meanwhile_is_no_failure(proved):
    number = broken(proved)
    told = job(proved, "suppress")[1]
    assert act(proved, "suppress", number)[0] == 200
    proved.wait(1_000)
    assert queue.job(proved.state, told["job"])["results"] == [{"letter": number, "done": True, "detail": "closed already"}]


def test_a_job_is_cancelled_where_it_is(proved):
    for _ in range(20):
        broken(proved)
    told = job(proved, "suppress")[1]
    (due,) = proved.state.rows("due_timers", (proved.now + 1_000, 9))
    proved.intake.expire([due], proved.now)
    assert act(proved, "cancel", told["job"]) == (
        200, {"job": told["job"], "status": "cancelled", "detail": "16 of 20 were done"},
    )  # fmt: skip
    proved.wait(1_000)
    found = queue.job(proved.state, told["job"])
    assert (found["status"], found["ended_by"], len(found["to_do"]), len(letters(proved))) == ("cancelled", "ann", 4, 4)
    assert act(proved, "cancel", told["job"])[0] == 409 and act(proved, "cancel", 999)[0] == 404


def test_a_job_goes_on_after_a_restart(proved):
    for _ in range(20):
        broken(proved)
    told = job(proved, "assign", to="ben")[1]
    (due,) = proved.state.rows("due_timers", (proved.now + 1_000, 9))
    proved.intake.expire([due], proved.now)
    proved.state.close()
    proved.open()
    proved.wait(1_000)
    assert queue.job(proved.state, told["job"])["done"] == 20 and len(letters(proved, owner="ben")) == 20


def test_a_query_that_means_none_begins_no_job(proved):
    assert job(proved, "retry", {"code": "bug"})[0] == 404 and queue.jobs(proved.state) == []
