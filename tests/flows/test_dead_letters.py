"""Dead letters as a queue of work: causes, money at risk, who is to act, repair at the right place, and jobs for many at once."""

import msgspec
import pytest
from msgspec.structs import replace

from mainstay.flows import journey, queue, rehearse
from mainstay.flows.clerk import values_in
from mainstay.flows.mend import edited, with_values
from mainstay.flows.queue import Wanted
from mainstay.model.events import Parked
from mainstay.model.failures import Reject
from mainstay.model.outcome import TOPIC
from mainstay.model.seen import Said
from mainstay.storage.inbox import OUTCOMES_FROM
from mainstay.storage.packing import unpack
from mainstay.storage.rehearsed import Rehearsed
from tests.flows.conftest import T0, a_parcel, an_order

WHO = {"by": "ann", "reason": "because"}


def act(core, action, number, **told):
    return core.ask("operator", f"operator/{action}", str(number), {**WHO, **told})


def broken(core, text="broken", topic="statement", system="shop", key=""):
    """A message that cannot be read; the number of its letter."""
    core.receive(system, topic, key or f"b{core.seq}", text if isinstance(text, bytes) else text.encode())
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
    proved.shop = msgspec.structs.replace(proved.shop, above=lambda owner: {"operations": "management"}.get(owner, ""))
    proved.intake.shop = proved.shop
    number = broken(proved)
    assert act(proved, "escalate", number)[1]["detail"] == "escalated to management"
    status, told = act(proved, "escalate", number)
    assert (status, told["detail"]) == (409, "nobody is declared above 'management': say to whom; the letter stays open"), "no further"


@pytest.mark.parametrize(("given", "to"), [("ben", "management"), ("cleo", "board")])
def test_it_escalates_from_whom_it_is_with_or_else_from_its_owner(proved, given, to):
    """Nobody is declared above ben, and it is the shop's all the same."""
    proved.shop = msgspec.structs.replace(proved.shop, above=lambda owner: {"operations": "management", "cleo": "board"}.get(owner, ""))
    proved.intake.shop = proved.shop
    number = broken(proved)
    assert act(proved, "assign", number, to=given)[0] == 200
    assert act(proved, "escalate", number)[1]["detail"] == f"escalated to {to}"
    assert letters(proved)[0]["owner"] == "operations"


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


def test_an_effect_that_is_refused_again_is_the_letter_that_it_was(proved):
    """Whosever it is, and since when; and it is retried once more by the same number."""
    proved.count("A", 5)
    proved.say("shop", an_order())
    proved.answer("ord.shop.1:release.1", proved.order().id, "rejected", "wms")
    (before,) = letters(proved)
    number = before["id"]
    assert act(proved, "assign", number, to="ben")[0] == 200
    for again in (2, 3):
        assert act(proved, "retry", number)[0] == 200 and letters(proved) == []
        proved.answer(f"ord.shop.1:release.1.again.{again}", proved.order().id, "rejected", "wms")
        (after,) = letters(proved)
        assert (after["id"], after["at"], after["given_to"]) == (number, before["at"], "ben")
        assert (after["at_risk"], after["key"]) == (before["at_risk"], f"ord.shop.1:release.1.again.{again}")
        assert after["receipt"] > before["receipt"], "what is shown as its message is the last refusal"
    told = [one["what"] for one in journey.acts_on(proved.state, number)]
    assert told == ["assign", "retry", "refused again: rejected: ", "retry", "refused again: rejected: "]
    assert act(proved, "suppress", number)[0] == 200 and letters(proved) == []


def test_an_effect_is_not_repaired(proved):
    proved.count("A", 5)
    proved.say("shop", an_order())
    proved.answer("ord.shop.1:release.1", proved.order().id, "rejected", "wms")
    assert act(proved, "repair", letters(proved)[0]["id"], body="{}")[0] == 409


def test_a_rehearsal_says_what_would_follow_and_changes_nothing(proved):
    proved.count("A", 5)
    number = broken(proved)
    before = proved.rows("SELECT count(*), max(seq) FROM event")
    told = rehearsed(proved, [number], lambda _came: as_json(an_order()).encode())
    (one,) = told["letters"]
    assert one["refused_before"].startswith("json_syntax") and [said["event"] for said in one["says"]] == ["OrderSeen"]
    assert (one["done"], one["ended"], one["changes"], one["sends"]) == (True, "taken", ["ord.shop.1"], ["ReleaseOrder to wms"])
    assert told["orders"][0]["status"] == [None, "released"] and told["orders"][0]["total"] == [None, "10.00 EUR"]
    assert [(one["to"], one["command"]) for one in told["sends"]] == [("wms", "ReleaseOrder")] and told["levels_told_anew"] == 1
    assert proved.rows("SELECT count(*), max(seq) FROM event") == before and proved.order() is None
    act(proved, "repair", number, body=as_json(an_order()))
    assert [one["command"] for one in proved.intents()] == ["ReleaseOrder"], "and so it came"


def test_a_rehearsal_says_why_the_letter_is_one_though_its_message_can_be_read_now(proved, monkeypatch):
    number = misread(proved)
    right = proved.shop.translate["shop"]
    monkeypatch.setitem(proved.shop.translate, "shop", lambda topic, body: right(topic, body.replace(b'"odd"', b'"captured"')))
    (letter,) = letters(proved)
    (one,) = rehearsed(proved, [number], with_values(()))["letters"]
    assert one["refused_before"] == f"{letter['code']}: {letter['why']}" and "odd" in letter["why"]
    assert [said["event"] for said in one["says"]] == ["OrderSeen"] and one["ended"] == "taken"


def test_a_value_of_a_message_is_edited_by_its_path():
    body = b'{"lines":[{"sku":"A","units":2}],"note":null}'
    assert edited(body, [("lines.0.sku", "7"), ("lines.0.units", "3"), ("note", "true"), ("new", "a b")]) == (
        b'{"lines":[{"sku":"7","units":3}],"note":true,"new":"a b"}'
    )
    for path in ("lines.1.sku", "lines.x", "nobody.there", "lines.0.sku.deeper"):
        with pytest.raises(Reject, match="nothing at"):
            edited(body, [(path, "1")])
    for broken_off in (b"broken", b'{"note":"G\xe4nse"}', b"[" * 100_000):
        with pytest.raises(Reject, match="--file"):
            edited(broken_off, [("a", "1")])
    deep = "[" * 1_999
    assert msgspec.json.decode(edited(body, [("note", deep)]))["note"] == deep, "what is no JSON is a text"


def test_a_repair_of_a_message_that_was_fetched_is_taken_though_its_topic_is_not_brought_by_event(core):
    """What a person says comes in by the other door; the message is still the one that was fetched."""
    core.seq = OUTCOMES_FROM
    number = broken(core)
    core.seq = 10
    core.intake.shop = msgspec.structs.replace(core.shop, deaf=frozenset({("shop", "statement")}))
    assert act(core, "repair", number, body=as_json(an_order()))[1]["detail"] == "taken"
    assert core.order() is not None


def test_a_replay_does_not_take_a_repaired_message_back(proved, monkeypatch):
    """The mapping learns to read what came, and it says something else than the person who mended it."""
    number = broken(proved)
    (letter,) = letters(proved)
    act(proved, "repair", number, body=as_json(an_order(lines=(("A", 5, 500),))))
    right = proved.shop.translate["shop"]
    monkeypatch.setitem(
        proved.shop.translate, "shop", lambda topic, body: right(topic, body) if body.startswith(b"[") else [Said(an_order(), None)]
    )
    status, _ = proved.ask("operator", "operator/replay", "", {"receipts": [letter["receipt"]], "by": "ann"})
    proved.wait(1_000)
    assert status == 202 and [line.quantity for line in proved.order().order.lines] == [5]


@pytest.mark.parametrize("many", [False, True])
def test_what_was_repaired_while_a_mapping_was_wrong_is_read_again_as_it_was_meant(proved, monkeypatch, many):
    """Whole, or by values that a job set in it: the mapping took single units for packs of two."""
    right = proved.shop.translate["shop"]
    number = misread(proved) if many else broken(proved)
    (letter,) = letters(proved)
    monkeypatch.setitem(proved.shop.translate, "shop", lambda topic, body: list(map(doubled, right(topic, body))))
    assert repaired(proved, query={})["done"] == 1 if many else act(proved, "repair", number, body=as_json(an_order()))[0] == 200
    assert [line.quantity for line in proved.order().order.lines] == [4]
    monkeypatch.setitem(proved.shop.translate, "shop", right)
    for told in (["corrected: OrderSeen 1"], []):
        status, began = proved.ask("operator", "operator/replay", "", {"receipts": [letter["receipt"]], "by": "ann"})
        proved.wait(10_000)
        assert status == 202 and [one["detail"] for one in queue.job(proved.state, began["job"])["results"]] == told
    assert [line.quantity for line in proved.order().order.lines] == [2]


def doubled(said):
    lines = tuple(replace(line, quantity=2 * line.quantity) for line in said.event.order.lines)
    return replace(said, event=replace(said.event, order=replace(said.event.order, lines=lines)))


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
    assert (found["done"], found["nothing_done"]) == (0, 2) and found["results"][0]["detail"] == "nothing is left to ask: suppress it"
    assert {one["id"] for one in letters(proved)} == {number - 1, number}, "the broken one is still broken"


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


# --- many are repaired -------------------------------------------------------------------------------------------------
def misread(core, external="1", word="odd", **more):
    """An order whose payment is a word that nobody knows; the number of its letter."""
    return broken(core, as_json(an_order(external, **more)).replace('"captured"', f'"{word}"'))


PAID = {"0.order.payment": "captured"}


def rehearsed(core, numbers, to):
    """What a dry run tells."""
    core.flush()
    store = Rehearsed(core.path)
    try:
        return rehearse.repairs(store, core.shop, lambda _system, seq: core.receipts.get(seq), numbers, to, core.now)
    finally:
        store.close()


def repaired(core, **told):
    """A job that repairs, to its end."""
    status, began = core.ask("operator", "operator/job", "", {"action": "repair", "set": PAID, **WHO, **told})
    assert status == 202, began
    core.wait(10_000)
    return queue.job(core.state, began["job"])


def test_many_messages_are_repaired_at_once_and_what_cannot_be_stays_open_and_says_why(proved):
    proved.count("A", 50)
    good = [misread(proved, str(n)) for n in range(1, 21)]
    elsewhere, syntax = broken(proved, '[{"event":"OrderSeen"}]'), broken(proved, "broken")
    still, latin = broken(proved, as_json(an_order("30")).replace('"EUR"', "7")), broken(proved, b'[{"note":"\xe4"}]')
    found = repaired(proved, query={})
    told = {one["letter"]: (one["done"], one["detail"]) for one in found["results"]}
    assert [told[number] for number in good] == [(True, "taken")] * 20
    assert told[elsewhere] == (
        False,
        "schema: the message has nothing at '0.order.payment'; `mainstay deadletters show` shows it; the letter stays open",
    )
    assert "is not JSON" in told[syntax][1] and "currency" in told[still][1] and "is not JSON" in told[latin][1]
    assert (found["status"], found["done"], found["nothing_done"], found["by"], found["reason"]) == ("done", 20, 4, "ann", "because")
    assert {one["id"] for one in letters(proved)} == {elsewhere, syntax, still, latin}, "open as they were, and no new ones"
    assert proved.order("20").status == "released"
    (history,) = journey.acts_on(proved.state, good[0])
    assert (history["what"], history["by"], history["reason"]) == ("repair", "ann", "because")
    assert values_in(proved.receipts[found["receipt"]]) == tuple(PAID.items()), "what was set stands in the receipt, not in the log"
    assert not any(b"captured" in unpack(body) for (body,) in proved.rows("SELECT body FROM event WHERE kind = 'job'"))


def test_a_dry_run_of_many_says_what_the_job_then_does(proved):
    """Three orders want the two units that are left, one after the other."""
    proved.count("A", 4)
    numbers = [misread(proved, str(n)) for n in (1, 2, 3)]
    before = proved.rows("SELECT count(*), max(seq) FROM event")
    told = rehearsed(proved, numbers, with_values(PAID.items()))
    assert proved.rows("SELECT count(*), max(seq) FROM event") == before
    would = {one["order"]: one["status"][1] for one in told["orders"]}
    assert would == {"ord.shop.1": "released", "ord.shop.2": "released", "ord.shop.3": "backordered"}
    assert [one["sends"] for one in told["letters"]] == [["ReleaseOrder to wms"], ["ReleaseOrder to wms"], []]
    found = repaired(proved, letters=numbers[::-1])
    assert [(one["letter"], one["done"], one["ended"]) for one in told["letters"]] == [
        (one["letter"], one["done"], one["detail"]) for one in found["results"]
    ]
    assert {f"ord.shop.{n}": proved.order(str(n)).status for n in (1, 2, 3)} == would
    assert [one["key"] for one in proved.intents()] == [one["key"] for one in told["sends"]]


def test_what_one_repaired_message_sets_free_goes_to_those_who_wait_before_the_next_has_its_turn(proved):
    """In the dry run as in the job: as if the messages had come one after the other."""
    proved.count("A", 2)
    proved.say("shop", an_order("1", payment="pending"))
    proved.say("shop", an_order("2"))
    assert proved.order("2").status == "backordered"
    numbers = [misread(proved, "1", version=2, cancelled_at=T0), misread(proved, "3")]
    told = rehearsed(proved, numbers, with_values(PAID.items()))
    assert {one["order"]: one["status"][1] for one in told["orders"] if one["order"] != "ord.shop.1"} == {
        "ord.shop.2": "released", "ord.shop.3": "backordered",
    }  # fmt: skip
    repaired(proved, letters=numbers)
    assert (proved.order("2").status, proved.order("3").status) == ("released", "backordered")


def test_what_an_order_has_reserved_is_its_own_in_a_dry_run_too(proved):
    proved.count("A", 2)
    asked = {"lines": [{"sku": "A", "quantity": 2}], "expires_in_s": 600}
    status, held = proved.ask("shop", "api/reserve", "cart", asked)
    number = misread(proved, reservation=held["reservation"])
    told = rehearsed(proved, [number], with_values(PAID.items()))
    assert status == 201 and told["orders"][0]["status"] == [None, "released"]
    repaired(proved, letters=[number])
    assert proved.order().status == "released"


def test_of_an_effect_nothing_is_set_and_the_others_are_repaired(proved):
    proved.count("A", 5)
    proved.say("shop", an_order())
    proved.answer("ord.shop.1:release.1", proved.order().id, "rejected", "wms")
    (effect,) = letters(proved)
    number = misread(proved, "2")
    found = repaired(proved, letters=[effect["id"], number, 999])
    assert [(one["letter"], one["done"], one["detail"]) for one in found["results"]] == [
        (effect["id"], False, "it is about no message that came in: retry or suppress it"),
        (number, True, "taken"),
        (999, False, "no dead letter has this number"),
    ]
    assert found["query"] == {"letters": "named"}


def test_what_is_gone_by_the_time_of_its_turn_leaves_its_letter_open(proved):
    """An erasure takes the message, or what was to be set."""
    first, second = misread(proved, "1"), misread(proved, "2")
    del proved.receipts[letters(proved, text="odd")[1]["receipt"]]
    status, told = proved.ask("operator", "operator/job", "", {"action": "repair", "query": {}, "set": PAID, **WHO})
    proved.wait(1_000)
    results = queue.job(proved.state, told["job"])["results"]
    assert status == 202 and [(one["letter"], one["done"]) for one in results] == [(first, False), (second, True)]
    assert "its raw bytes are gone" in results[0]["detail"]
    third = misread(proved, "3")
    _, told = proved.ask("operator", "operator/job", "", {"action": "repair", "letters": [third], "set": PAID, **WHO})
    del proved.receipts[max(proved.receipts)]
    proved.wait(1_000)
    (one,) = queue.job(proved.state, told["job"])["results"]
    assert not one["done"] and "what it was to set is gone" in one["detail"] and third in {one["id"] for one in letters(proved)}


def test_a_repair_of_many_takes_each_message_at_its_right_place_and_goes_on_after_a_restart(proved):
    proved.count("A", 500)
    numbers = [misread(proved, str(n), version=2, lines=(("A", 9, 500),)) for n in range(1, 21)]
    for n in (1, 20):
        proved.say("shop", an_order(str(n), version=3, lines=(("A", 5, 500),)))
    _, told = proved.ask("operator", "operator/job", "", {"action": "repair", "query": {"text": "odd"}, "set": PAID, **WHO})
    (due,) = proved.state.rows("due_timers", (proved.now + 1_000, 9))
    proved.intake.expire([due], proved.now)
    proved.state.close()
    proved.open()
    proved.wait(1_000)
    assert queue.job(proved.state, told["job"])["done"] == len(numbers)
    assert [proved.order(str(n)).order.lines[0].quantity for n in (1, 2, 19, 20)] == [5, 9, 9, 5]


def test_where_nothing_is_set_messages_are_read_as_they_are_and_no_new_letters_are_written(proved, monkeypatch):
    first, second = misread(proved, "1"), misread(proved, "2", word="strange")
    right = proved.shop.translate["shop"]
    monkeypatch.setitem(proved.shop.translate, "shop", lambda topic, body: right(topic, body.replace(b'"odd"', b'"captured"')))
    found = repaired(proved, query={}, set={})
    assert [(one["letter"], one["done"]) for one in found["results"]] == [(first, True), (second, False)]
    assert [one["id"] for one in letters(proved)] == [second]
