"""The real server on a real port: bad bodies become dead letters, the API is what it documents, and nothing leaks."""

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor

import apsw
import pytest
from jsonschema import Draft202012Validator

from mainstay.storage.packing import unpack
from tests.running import TOKENS, Running, an_order

NAME, MAIL, STREET = "Zebedia Quillfeather", "zebedia.quill@canary.example", "Nightjar Lane 4711"
T0 = 1_790_000_000_000_000


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    shop = Running(tmp_path_factory.mktemp("edge")).start()
    yield shop
    assert shop.stop() == 0


# --- deliveries; bad ones are in tests/badinput ------------------------------------------------------------------------
@pytest.mark.parametrize(("topic", "code"), [("carts/dance", "unknown_topic"), ("", "unknown_topic")])
def test_a_topic_that_nobody_knows(shop, topic, code):
    assert shop.hook(an_order(70), f"topic-{topic}", topic)[0] == 200
    assert shop.letter(f"topic-{topic}")["code"] == code


def test_what_is_no_business_of_ours_is_noted_and_no_letter(shop):
    shop.hook(b'{"customer": {"id": 81}}', "redact-1", "customers/redact")
    shop.settled()
    told = shop.ask("GET", "/v1/status", who="operator")[1]["receipts"]
    assert {"system": "shop", "topic": "customers/redact", "outcome": "noted", "n": 1} in told


def test_the_same_event_counts_once_however_often_it_comes(shop):
    with ThreadPoolExecutor(8) as pool:
        assert {status for status, _ in pool.map(lambda _: shop.hook(an_order(52), "twice"), range(32))} == {200}
    shop.settled()
    found = shop.ask("GET", "/v1/trace/52", who="operator")[1]
    heard = [step for one in found for step in one["steps"] if step["what"] == "shop said OrderSeen"]
    assert len(found) == 1 and len(heard) == 1


# --- who may ask -------------------------------------------------------------------------------------------------------
def endpoints(shop):
    return json.loads(shop.call("GET", "/v1/openapi.json")[1])


@pytest.mark.parametrize("authorization", ["", "Bearer ", "Bearer guess", "Basic Y2FuYXJ5", TOKENS["till"] + "x", "Bearer \xff"], ids=ascii)
def test_without_a_good_token_nothing_is_answered(shop, authorization):
    for path, methods in endpoints(shop)["paths"].items():
        for method in methods:
            headers = {"authorization": authorization} if authorization else {}
            status, body, kind = shop.call(method.upper(), path.replace("{", "").replace("}", ""), b"{}", headers)
            assert (status, kind, json.loads(body)["code"]) == (401, "application/problem+json", "token_invalid"), path


def test_every_call_takes_the_tokens_that_it_says_and_no_other(shop):
    """Each call of the document, with each kind of token; which are for whom is written here by hand."""
    for_channels = {"/v1/reservations", "/v1/reservations/{id}/confirm", "/v1/reservations/{id}/release", "/v1/orders"}
    for_both = {"/v1/orders/{id}", "/v1/trace/{id}", "/v1/statements"}
    for path, methods in endpoints(shop)["paths"].items():
        for method, operation in methods.items():
            answers = {who: shop.ask(method.upper(), path.replace("{", "").replace("}", ""), {}, who) for who in TOKENS}
            refused = {who: answer["code"] for who, (status, answer) in answers.items() if status == 403}
            for_people = dict.fromkeys(("till", "kiosk"), "forbidden")
            assert refused == ({"operator": "not_a_channel"} if path in for_channels else {} if path in for_both else for_people), path
            assert ("operators' token" in operation["description"]) == (path not in for_channels), path


def test_a_channel_sees_its_own_orders_and_reservations_and_no_others(shop):
    stock_up(shop, "MINE", 9)
    assert shop.hook(an_order(5151, name="#5151", email="own@example.com"), "own-5151")[0] == 200
    shop.settled()
    person = {"email": "own@example.com", "name": "Ada"}
    for who, number in (("till", "5151"), ("kiosk", "6161")):
        assert shop.ask("POST", "/v1/orders", {**an_api_order(number, sku="MINE"), "person": person}, who)[0] == 201
    reserved = {"lines": [{"sku": "MINE", "quantity": 1}]}
    assert shop.ask("POST", "/v1/reservations", reserved, "kiosk", key="hers")[0] == 201
    (order,) = shop.ask("GET", "/v1/trace/5151", who="till")[1]
    assert order["now"]["order"] == "ord.till.5151" == shop.ask("GET", "/v1/orders/5151", who="till")[1]["order"]
    assert len(shop.ask("GET", "/v1/trace/5151", who="operator")[1]) == 2, "the shop has an order of that number too"
    assert [one["now"]["order"] for one in shop.ask("GET", "/v1/trace/own@example.com", who="kiosk")[1]] == ["ord.kiosk.6161"]
    assert shop.ask("GET", "/v1/trace/rsv.kiosk.hers", who="kiosk")[1][0]["kind"] == "reservation"
    for number in ("ord.kiosk.6161", "6161", "ord.shop.5151", "rsv.kiosk.hers", "hers"):
        for path in ("/v1/trace", "/v1/orders"):
            status, problem = shop.ask("GET", f"{path}/{number}", who="till")
            assert (status, problem["code"]) == (404, "not_found"), f"{path}/{number}"
            assert problem == shop.ask("GET", f"{path}/nobody-has-this", who="till")[1], "nor whether it exists"


def test_one_channel_does_not_get_another_s_reservation(shop):
    stock_up(shop, "SHARED", 5)
    lines = {"lines": [{"sku": "SHARED", "quantity": 1}]}
    assert shop.ask("POST", "/v1/reservations", lines, who="till", key="mine")[1]["reservation"] == "rsv.till.mine"
    assert shop.ask("POST", "/v1/reservations", lines, who="kiosk", key="mine")[1]["reservation"] == "rsv.kiosk.mine"
    assert shop.ask("POST", "/v1/reservations/rsv.till.mine/release", who="kiosk")[0] == 404
    taken = shop.ask("POST", "/v1/reservations/rsv.till.mine/confirm", an_api_order("steal", sku="SHARED"), who="kiosk")
    assert taken[0] == 404
    assert shop.ask("POST", "/v1/reservations/rsv.till.mine/release", who="till")[1]["status"] == "released"


# --- the API -----------------------------------------------------------------------------------------------------------
def stock_up(shop, sku: str, units: int) -> None:
    """What there is, told by the owner of stock here: people, who count for Mainstay."""
    status, told = shop.ask("POST", "/v1/statements", counted(sku, units), who="operator")
    assert status == 200 and [one["ended"] for one in told["statements"]] == ["applied"]


def counted(sku: str, units: int, **more) -> dict:
    """A count, now."""
    count = {"event": "StockCounted", "external": f"count {sku}", "item": sku, "sku": sku, "quantity": units}
    return {"statements": [{"event": {**count, "at": time.time_ns() // 1_000, **more}}]}


def an_api_order(external: str, units: int = 1, sku: str = "A", **more) -> dict:
    line = {"id": "1", "sku": sku, "quantity": units, "price": 500}
    order = {"number": external, "currency": "EUR", "placed_at": T0, "total": 500 * units, "payment": "captured", "lines": [line], **more}
    return {"external": external, "order": order}


def test_a_currency_that_is_none_is_the_callers(shop):
    before = shop.ask("GET", "/v1/deadletters", who="operator")[1]
    status, told = shop.ask("POST", "/v1/orders", an_api_order("xxq-1", currency="XXQ"))
    assert (status, told["code"]) == (422, "currency") and "'XXQ' is not a currency of ISO 4217" in told["detail"]
    assert shop.ask("GET", "/v1/deadletters", who="operator")[1] == before, "it is no bug of ours"


LINE = {"id": "1", "sku": "A", "quantity": 1, "price": 500}
IMPLAUSIBLE = {
    "no lines": ({"lines": [], "total": 0}, "schema", "it has no lines"),
    "two lines of one id": ({"lines": [LINE, {**LINE, "sku": "B"}], "total": 1000}, "schema", "two of its lines have the id '1'"),
    "a price below zero": ({"lines": [{**LINE, "price": -500}], "total": -500}, "out_of_range", "-500 is below zero"),
    "seconds for microseconds": ({"placed_at": 1_790_000_000}, "time", "microseconds"),
    "a misspelt field of a line": ({"lines": [{**LINE, "qty": 2}]}, "schema", "`$.order.lines[0].qty`"),
    "a misspelt field of the order": ({"payd": "captured"}, "schema", "`$.order.payd`"),
}


@pytest.mark.parametrize(("more", "code", "detail"), IMPLAUSIBLE.values(), ids=IMPLAUSIBLE)
def test_an_order_that_cannot_be_meant_is_the_callers(shop, more, code, detail):
    status, told = shop.ask("POST", "/v1/orders", an_api_order("odd-1", **more))
    assert (status, told["code"]) == (422, code) and detail in told["detail"]
    assert shop.ask("GET", "/v1/orders/ord.till.odd-1", who="operator")[0] == 404


def test_a_misspelt_field_of_a_statement_or_a_person_is_the_callers(shop):
    status, told = shop.ask("POST", "/v1/statements", counted("A", 1, quantitty=2), who="operator")
    assert (status, told["code"]) == (422, "schema") and "`$.statements[0].event.quantitty`" in told["detail"]
    status, told = shop.ask("POST", "/v1/orders", {**an_api_order("odd-2"), "person": {"name": "Ada", "ship_to": {}}})
    assert (status, told["code"]) == (422, "schema") and "`$.person.ship_to`" in told["detail"]


def test_the_document_is_openapi_and_every_schema_is_valid(shop):
    document = endpoints(shop)
    assert document["openapi"] == "3.1.0" and document["info"]["title"] == "Mainstay"
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    assert len({one["operationId"] for one in operations}) == len(operations) > 10
    for path, methods in document["paths"].items():
        for operation in methods.values():
            named = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"}
            assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}
            assert "default" in operation["responses"] and operation["summary"]


def fits(shop, path: str, method: str, status: int, answer) -> None:
    """Is this answer what the document says?"""
    document = endpoints(shop)
    responses = document["paths"][path][method]["responses"]
    (content,) = (responses[str(status)] if str(status) in responses else responses["default"])["content"].values()
    Draft202012Validator({**content.get("schema", {}), "components": document["components"]}).validate(answer)


def test_every_documented_endpoint_answers_as_documented(shop):
    """Each is called with good arguments; the answer has the documented status and fits the documented schema."""
    stock_up(shop, "DOC", 9)
    shop.hook(an_order(4801, name="#4801", total_price="1.00"), "held-4801")  # does not add up: held
    shop.hook(b"broken", "broken-1")
    shop.hook(b"broken too", "broken-2")
    for n in range(3, 7):
        shop.hook(b"broken as well", f"broken-{n}", "orders/updated")
    first, second, third, many = (shop.letter(f"broken-{n}")["id"] for n in range(1, 5))
    lines = {"lines": [{"sku": "DOC", "quantity": 1}]}
    order = an_api_order("doc-1", sku="DOC")
    because = {"by": "ann", "reason": "because"}
    span = {"since": "2020-01-01T00:00:00Z", "topic": "orders/create"}
    mended = {**because, "body": an_order(4803).decode()}
    calls = [
        ("post", "/v1/reservations", "/v1/reservations", lines, "till", 201),
        ("post", "/v1/reservations/{id}/confirm", "/v1/reservations/rsv.till.doc/confirm", order, "till", 201),
        ("post", "/v1/reservations/{id}/release", "/v1/reservations/rsv.till.doc/release", None, "till", 200),
        ("post", "/v1/orders", "/v1/orders", an_api_order("doc-2", sku="DOC"), "till", 201),
        ("post", "/v1/statements", "/v1/statements", counted("DOC", 9), "operator", 200),
        ("get", "/v1/orders/{id}", "/v1/orders/ord.till.doc-1", None, "till", 200),
        ("post", "/v1/orders/{id}/free", "/v1/orders/ord.shop.4801/free", because, "operator", 200),
        ("post", "/v1/erase", "/v1/erase", {"who": "ord.shop.4801", "by": "ann"}, "operator", 200),
        ("get", "/v1/trace/{id}", "/v1/trace/4801", None, "operator", 200),
        ("get", "/v1/stock/{sku}", "/v1/stock/DOC", None, "operator", 200),
        ("get", "/v1/status", "/v1/status", None, "operator", 200),
        ("get", "/v1/proposals", "/v1/proposals", None, "operator", 200),
        ("get", "/v1/deadletters", "/v1/deadletters", None, "operator", 200),
        ("get", "/v1/deadletters/{id}", f"/v1/deadletters/{first}", None, "operator", 200),
        ("post", "/v1/deadletters/{id}/retry", f"/v1/deadletters/{first}/retry", because, "operator", 409),
        ("post", "/v1/deadletters/{id}/suppress", f"/v1/deadletters/{second}/suppress", because, "operator", 200),
        ("post", "/v1/deadletters/{id}/assign", f"/v1/deadletters/{third}/assign", {**because, "to": "ben"}, "operator", 200),
        ("post", "/v1/deadletters/{id}/escalate", f"/v1/deadletters/{third}/escalate", {**because, "to": "cleo"}, "operator", 200),
        ("post", "/v1/deadletters/{id}/repair", f"/v1/deadletters/{third}/repair", mended, "operator", 200),
        ("get", "/v1/causes", "/v1/causes?topic=orders/updated", None, "operator", 200),
        ("post", "/v1/jobs", "/v1/jobs", {**because, "action": "repair", "letters": [many], "set": {"note": "x"}}, "operator", 202),
        ("post", "/v1/jobs", "/v1/jobs", {**because, "action": "suppress", "query": {"topic": "orders/updated"}}, "operator", 202),
        ("get", "/v1/jobs", "/v1/jobs", None, "operator", 200),
        ("get", "/v1/jobs/{id}", "/v1/jobs/{job}", None, "operator", 200),
        (
            "post",
            "/v1/replays",
            "/v1/replays",
            {**because, "span": span},
            "operator",
            202,
        ),
        ("post", "/v1/pauses", "/v1/pauses", {**because, "target": "system:shop", "mode": "paused"}, "operator", 200),
        ("get", "/v1/pauses", "/v1/pauses", None, "operator", 200),
        ("get", "/v1/alerts", "/v1/alerts", None, "operator", 200),
        ("get", "/v1/drift", "/v1/drift", None, "operator", 200),
        ("post", "/v1/drift/accept", "/v1/drift/accept", {**because, "ids": [1]}, "operator", 404),
        ("post", "/v1/pauses", "/v1/pauses", {**because, "target": "system:shop", "mode": "running"}, "operator", 200),
        ("post", "/v1/jobs/{id}/cancel", "/v1/jobs/{job}/cancel", because, "operator", 409),
    ]
    shop.settled()
    job = None
    for method, path, real, body, who, expected in calls:
        if path.endswith("/cancel"):  # it has ended by then, and says so
            shop.until(lambda: shop.ask("GET", f"/v1/jobs/{job}", who="operator")[1]["status"] == "done", "the job does not end")  # noqa: B023
        status, answer = shop.ask(method.upper(), real.replace("{job}", str(job)), body, who, key="doc")
        assert status == expected, (path, answer)
        job = answer["job"] if path == "/v1/jobs" and method == "post" else job
        fits(shop, path, method, status, answer)
    documented = {(method, path) for path, methods in endpoints(shop)["paths"].items() for method in methods}
    assert {(method, path) for method, path, *_ in calls} == documented, "an endpoint without a call here"


def test_what_nobody_may_say_is_listed_with_who_answers_for_it(shop):
    assert shop.ask("POST", "/v1/statements", counted("MEANT", 7), who="till")[1]["statements"][0]["ended"] == "proposed"
    shop.ask("POST", "/v1/statements", counted("LATER", 8), who="kiosk")
    status, found = shop.ask("GET", "/v1/proposals", who="operator")
    later, meant = found[:2]
    assert status == 200 and later["at"] > meant["at"] and (later["system"], later["fields"]["quantity"]) == ("kiosk", 8)
    assert (meant["system"], meant["said"], meant["external"], meant["fields"]["sku"]) == ("till", "StockCounted", "count MEANT", "MEANT")
    assert meant["reason"].startswith('"till" may not create or update inventory.on_hand')
    assert (meant["owner"], meant["contact"]) == ("operations", "ops@shop.example")
    code, told, _ = shop.cli("proposals")
    assert code == 0 and told.splitlines()[0].startswith(f"{later['id']}  {later['at']}  kiosk said StockCounted count LATER")
    assert json.loads(shop.cli("proposals", "--json")[1]) == found


def test_the_api_shows_what_the_command_line_shows(shop):
    shop.hook(b"neither", "shown-alike")
    number = shop.letter("shown-alike")["id"]
    shop.settled()
    letter = shop.ask("GET", f"/v1/deadletters/{number}", who="operator")[1]
    assert letter["raw"] == "neither" and letter == json.loads(shop.cli("deadletters", "show", str(number), "--json")[1])
    for nobody in ("999999", "x", "9" * 40):
        assert shop.ask("GET", f"/v1/deadletters/{nobody}", who="operator")[0] == 404, nobody
    status, told = shop.ask("GET", "/v1/status", who="operator")[1], json.loads(shop.cli("status", "--json")[1])
    assert set(status) == set(told) and set(status["lag"]) == {"inbox", "outcomes"}
    assert status["dispatch"]["systems"]["shop"].keys() >= {"breaker", "waiting"} and "order-from-shop" in status["dispatch"]["flows"]


def lines(**more) -> dict:
    return {"lines": [{"sku": "A", "quantity": 1} | more]}


RESERVE = ("POST", "/v1/reservations")
ASKED_WRONGLY = {
    "no lines": (*RESERVE, {"lines": []}, "till", "k1", 422, "schema"),
    "a float for an amount": ("POST", "/v1/orders", {"external": "1", "order": {"total": 19.99}}, "till", "", 422, "schema"),
    "a field that means nothing": (*RESERVE, lines(x=1), "till", "k1", 422, "schema"),
    "no JSON": (*RESERVE, b"{", "till", "k1", 400, "json_syntax"),
    "no statements": ("POST", "/v1/statements", {"statements": []}, "operator", "", 422, "schema"),
    "an order past the door for orders": (
        "POST", "/v1/statements", {"statements": [{"event": {"event": "OrderSeen", **an_api_order("past")}}]}, "till", "", 422, "schema",
    ),
    "no such order": ("GET", "/v1/orders/ord.shop.nope", None, "till", "", 404, "not_found"),
    "nothing by this number": ("GET", "/v1/trace/nope", None, "operator", "", 404, "not_found"),
    "no such SKU": ("GET", "/v1/stock/nope", None, "operator", "", 404, "not_found"),
    "no such reservation": ("POST", "/v1/reservations/rsv.till.nope/release", None, "till", "", 404, "not_found"),
    "what is no reservation": ("POST", "/v1/reservations/nonsense/release", None, "till", "", 404, "not_found"),
    "no such letter": ("POST", "/v1/deadletters/999999/retry", {}, "operator", "", 404, "not_found"),
    "a letter without a number": ("POST", "/v1/deadletters/nope/retry", {}, "operator", "", 404, "not_found"),
    "a letter of too many digits": ("POST", f"/v1/deadletters/{'9' * 40}/retry", {}, "operator", "", 404, "not_found"),
    "no reason": ("POST", "/v1/deadletters/1/suppress", {"by": "ann"}, "operator", "", 422, "reason_missing"),
    "a repair of many without a reason": ("POST", "/v1/jobs", {"action": "repair", "query": {}}, "operator", "", 422, "reason_missing"),
    "a job for nobody": ("POST", "/v1/jobs", {"action": "retry"}, "operator", "", 422, "schema"),
    "a job for letters and a query": ("POST", "/v1/jobs", {"action": "retry", "letters": [1], "query": {}}, "operator", "", 422, "schema"),
    "a job that sets, and is no repair": (
        "POST", "/v1/jobs", {"action": "retry", "query": {}, "set": {"a": "b"}}, "operator", "", 422, "schema",
    ),
    "a job that sets a number": (
        "POST", "/v1/jobs", {"action": "repair", "query": {}, "set": {"a": 1}, "reason": "why"}, "operator", "", 422, "schema",
    ),
    "a job for no such letter": ("POST", "/v1/jobs", {"action": "retry", "letters": [999_999]}, "operator", "", 404, "not_found"),
    "no such path": ("GET", "/v2/anything", None, "till", "", 404, "not_found"),
    "another method": ("DELETE", "/v1/orders", None, "till", "", 405, "method_not_allowed"),
}  # fmt: skip


@pytest.mark.parametrize("case", ASKED_WRONGLY)
def test_a_request_that_cannot_be_done_says_why_at_once(shop, case):
    method, path, body, who, key, status, code = ASKED_WRONGLY[case]
    began = time.monotonic()
    told, problem = shop.ask(method, path, body, who, key)
    assert (told, problem["code"], problem["status"]) == (status, code, status) and problem["detail"]
    assert time.monotonic() - began < 3, "nobody waits for a decision that nobody makes"


def test_a_text_that_only_looks_like_nul_is_taken(shop):
    """A backslash, then u0000: six characters, none of them NUL."""
    assert shop.ask("POST", "/v1/orders", an_api_order("\\u0000", sku="NONE"), kind="Application/JSON; charset=utf-8")[0] == 409


def test_93_a_key_used_again(shop):
    stock_up(shop, "KEYS", 5)
    one, two = ({"lines": [{"sku": "KEYS", "quantity": n}]} for n in (1, 2))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: shop.ask("POST", "/v1/reservations", one, key="again"), range(16)))
    assert sorted(status for status, _ in answers) == [200] * 15 + [201] and len({str(body) for _, body in answers}) == 1
    assert shop.ask("GET", "/v1/stock/KEYS", who="operator")[1]["levels"][0]["reserved"] == 1
    status, problem = shop.ask("POST", "/v1/reservations", two, key="again")
    assert (status, problem["code"]) == (422, "key_reused")


def test_many_buyers_and_few_units(shop):
    """At the API, not in a unit test: as many sold as there are, no more and no fewer."""
    stock_up(shop, "HOT", 10)
    with ThreadPoolExecutor(16) as pool:
        orders = [an_api_order(f"hot-{n}", sku="HOT") for n in range(40)]
        told = [status for status, _ in pool.map(lambda order: shop.ask("POST", "/v1/orders", order), orders)]
    assert sorted(told) == [201] * 10 + [409] * 30
    level = shop.ask("GET", "/v1/stock/HOT", who="operator")[1]["levels"][0]
    assert (level["on_hand"], level["allocated"], level["deficit"]) == (10, 10, 0)


# --- card numbers (case 97) --------------------------------------------------------------------------------------------
CARD, GROUPED, LEFT = "5555555555554444", "5555 5555 5555 4444", "555555******4444"


def everything(data):
    """Every file of the store, and every packed value in its tables."""
    for path in data.rglob("*"):
        if path.is_file():
            yield path.read_bytes()
    for path in data.glob("*.db"):
        store = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        packed = "SELECT t.name FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' AND c.name = 'body'"
        for (table,) in store.execute(packed).fetchall():
            yield from (
                body if body[0] in b"[{" or table == "receipt" else unpack(body)
                for (body,) in store.execute(f"SELECT body FROM {table}")
                if body
            )


def test_97_a_card_number_is_in_no_file(shop):
    address = {"first_name": "Ada", "last_name": GROUPED, "name": GROUPED, "address1": "Seestr. 1", "address2": CARD, "country_code": "DE"}
    order = an_order(9797, note=f"card:\n{GROUPED}", shipping_address=address, note_attributes=[{"name": "card", "value": CARD}])
    assert shop.hook(order, "card-1") == (200, b"ok")
    assert shop.hook(b'{"card": ' + CARD.encode() + b", broken", "card-2") == (200, b"ok")
    shop.settled()
    letter = shop.letter("card-1")
    assert (letter["code"], letter["system"], letter["owner"]) == ("pan_redacted", "shop", "operations") and LEFT in letter["why"]
    assert shop.order(9797), "the order itself is taken"
    kept = {letter["code"]: letter for letter in shop.ask("GET", "/v1/deadletters", who="operator")[1] if letter.get("key") == "card-2"}
    assert set(kept) == {"pan_redacted", "json_syntax"}
    stored = list(everything(shop.data))
    assert any(LEFT.encode() in one for one in stored), "we do look into what is stored"
    for canary in (CARD, GROUPED):
        assert not any(canary.encode() in one for one in stored) and canary not in shop.log()


def with_card(place: str) -> dict:
    """An order with a card number in one place."""
    order = an_api_order("card-3")
    if place == "external":
        order["external"] = CARD
    elif place in ("id", "sku", "title"):
        order["order"]["lines"][0][place] = CARD
    elif place in ("name", "phone"):
        order["person"] = {place: GROUPED}
    else:
        order["order"][place] = GROUPED
    return order


@pytest.mark.parametrize("place", ["external", "id", "sku", "title", "name", "phone", "number", "ship_method", "a field that nobody reads"])
def test_97_our_own_api_takes_no_card_number(shop, place):
    status, problem = shop.ask("POST", "/v1/orders", with_card(place))
    assert (status, problem["code"]) == (422, "pan_not_accepted") and CARD not in str(problem) and GROUPED not in str(problem)
    assert not any(canary in one for one in everything(shop.data) for canary in (CARD.encode(), GROUPED.encode()))


def test_97_nor_in_a_key_or_a_path(shop):
    for path, body, key in (
        ("/v1/reservations", {"lines": [{"sku": "A", "quantity": 1}]}, CARD),
        (f"/v1/reservations/rsv.till.{CARD}/release", None, ""),
        (f"/v1/reservations/{CARD}/confirm", an_api_order("card-4"), ""),
    ):
        status, problem = shop.ask("POST", path, body, key=key)
        assert (status, problem["code"]) == (422, "pan_not_accepted"), path


# --- for machines, and what must not show ------------------------------------------------------------------------------
def test_health_and_metrics_need_no_token(shop):
    assert json.loads(shop.call("GET", "/health")[1]) == {"status": "up"}
    assert json.loads(shop.call("GET", "/ready")[1]) == {"status": "ready"}
    status, body, kind = shop.call("GET", "/metrics")
    assert status == 200 and kind.startswith("text/plain")
    names = {line.split()[2] for line in body.decode().splitlines() if line.startswith("# TYPE")}
    assert {"mainstay_inbox_lag_receipts", "mainstay_edge_accepted_total", "mainstay_edge_refused_total", "mainstay_breaker_open"} <= names


def test_what_only_grows_is_a_counter(shop):
    kinds = dict(line.split()[2:4] for line in shop.call("GET", "/metrics")[1].decode().splitlines() if line.startswith("# TYPE"))
    totals = {name: kind for name, kind in kinds.items() if name.endswith("_total")}
    assert {"mainstay_edge_accepted_total", "mainstay_edge_refused_total", "mainstay_call_failures_total"} <= set(totals)
    assert set(totals.values()) == {"counter"}


def test_open_letters_are_counted_by_code_and_owner(shop):
    shop.hook(b"broken", "counted-1")
    shop.letter("counted-1")
    told = shop.call("GET", "/metrics")[1].decode()
    assert 'mainstay_dead_letters_open{code="json_syntax",owner="operations"}' in told
    (oldest,) = re.findall(r'mainstay_dead_letters_oldest_seconds\{code="json_syntax",owner="operations"\} ([\d.]+)', told)
    assert 0 < float(oldest) < 600


def test_what_was_refused_is_counted(shop):
    shop.hook(an_order(1), "forged", **{"x-shopify-hmac-sha256": "guess"})
    assert 'mainstay_edge_refused_total{code="signature_invalid",system="shop"}' in shop.call("GET", "/metrics")[1].decode()


def test_nothing_personal_and_no_secret_is_in_metrics_logs_answers_or_snapshots(shop):
    address = {"first_name": "Zebedia", "last_name": "Quillfeather", "name": NAME, "address1": STREET, "country_code": "DE"}
    customer = {"id": 99, "first_name": "Zebedia", "last_name": "Quillfeather", "email": MAIL}
    order = an_order(4711, email=MAIL, customer=customer, shipping_address=address, billing_address=address)
    assert shop.hook(order, "canary-1")[0] == 200
    assert shop.hook(order.replace(b'"financial_status": "', b'"financial_status": "un'), "canary-2")[0] == 200
    shop.letter("canary-2")
    person = {"name": NAME, "email": MAIL, "shipping": {"street": STREET}}
    shop.ask("POST", "/v1/orders", {**an_api_order("canary-3"), "person": person})
    shop.settled()
    shop.until((shop.data / "dispatch.now.json").exists, "dispatch tells nothing")
    told = [shop.log(), shop.call("GET", "/metrics")[1].decode(), *(path.read_text() for path in shop.data.glob("*.now.json"))]
    told += [
        json.dumps(shop.ask("GET", path, who="operator")[1])
        for path in ("/v1/status", "/v1/deadletters", "/v1/trace/4711", "/v1/orders/4711")
    ]
    for canary in (
        NAME,
        "Quillfeather",
        MAIL,
        STREET,
        "canary-shop",
        "canary-other-secret",
        "canary-whsec",
        "canary-path",
        *TOKENS.values(),
    ):
        assert not any(canary in text for text in told), canary
    assert shop.ask("GET", f"/v1/trace/{MAIL}", who="operator")[1][0]["now"]["external"] == "4711", "who knows the address finds the order"
