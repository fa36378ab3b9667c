"""Shopify's conversations: the documents against the vendor's schema, every call against the twin, in good and bad weather."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from wire import Wire

from mainstay.connectors.shopify import SUBSCRIBED, Shopify, documents
from mainstay.contract.connector import Done, Measured, Page, Row, settings_of
from mainstay.contract.talk import Call, Reply
from mainstay.contract.twin import Request
from mainstay.model.commands import CancelOrder, ConfirmFulfilment, SetLevel, SetPrice
from mainstay.model.failures import Failure, Halt, Reject, Retry, Unknown
from mainstay.model.objects import Order, UnitsOf
from mainstay.model.seen import FulfilmentSeen, OrderSeen, ProductSeen, RefundSeen
from mainstay.model.times import HOUR, SECOND
from mainstay.twins import graphql
from mainstay.twins.imitation import Weather
from mainstay.twins.shopify import PATH, ShopifyTwin
from mainstay.twins.shopify_shapes import Variant, product_node

HOOK = "https://mainstay.example/in"
BUYER = {"name": "Ada Lovelace", "email": "ada@buyer.example", "street": "Seestr. 1", "city": "Zürich", "postcode": "8001", "country": "CH"}
DOCUMENTS = {name: text for name, text in vars(documents).items() if name.isupper() and not name.startswith("_")}


def rig(products: int = 3, weather: dict[str, float] | None = None, seed: int = 1, **settings: Any) -> tuple[Wire, Shopify, ShopifyTwin]:
    twin = ShopifyTwin(random.Random(seed), Weather(weather or {}))
    for number in range(products):
        twin.add_product(f"SKU-{number}", f"Thing {number}", 1000 + number, 100)
    values = {"shop": twin.shop, "token": twin.token, "webhook_secret": twin.secret, "currency": "EUR", "location": str(twin.location)}
    connector = Shopify(settings_of(Shopify, {**values, **settings}))
    return Wire(connector, twin), connector, twin


def level(twin: ShopifyTwin, sku: str, quantity: int, revision: int = 1) -> SetLevel:
    return SetLevel(key=f"{sku}-{revision}", sku=sku, item=str(twin.variants[sku].item), quantity=quantity, revision=revision)


def placed(wire: Wire, twin: ShopifyTwin, **more: Any) -> dict[str, Any]:
    lines = [("SKU-0", 2), ("SKU-1", 1)]
    order = twin.place_order(lines, now=wire.now, customer=BUYER, payment_intent="pi_1", shipping_minor=490, **more)
    assert order is not None
    return order


def shipment(
    order: dict[str, Any], line: int = 0, units: int = 2, tracking: tuple[str, ...] = ("1Z",), key: str = "ship"
) -> ConfirmFulfilment:
    lines = (UnitsOf(str(order["line_items"][line]["id"]), units),)
    return ConfirmFulfilment(key=key, order=str(order["id"]), fulfilment=key, lines=lines, shipped_at=0, carrier="UPS", tracking=tracking)


# --- documents -------------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def schema(shared: Path) -> Any:
    from graphql import build_schema

    return build_schema((shared / "vendor/shopify/specs/admin-graphql-2026-07.stripped.graphql").read_text(), assume_valid=True)


@pytest.mark.shared
@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_document_fits_the_vendor_s_schema(schema: Any, name: str) -> None:
    from graphql import parse, validate

    assert validate(schema, parse(DOCUMENTS[name])) == []


@pytest.mark.shared
def test_the_schema_would_catch_a_misspelled_field(schema: Any) -> None:
    from graphql import parse, validate

    assert validate(schema, parse(documents.ORDER.replace("lineItems", "lineItem_s", 1)))
    assert validate(schema, parse(documents.SET_LEVELS.replace("InventorySetQuantitiesInput", "InventorySetOnHandQuantitiesInput")))


@pytest.mark.shared
def test_the_variables_we_send_fit_their_types(schema: Any) -> None:
    """The twin accepts loosely: the vendor's own types are asked about the variables of every kind of call."""
    from graphql import coerce_input_value, parse, type_from_ast

    wire, connector, twin = rig()
    order = placed(wire, twin)
    wire.run(connector.push([level(twin, "SKU-0", 5)]))
    wire.run(connector.push([shipment(order)]))
    wire.run(connector.push([CancelOrder(key="c", order=str(order["id"]), reason="customer")]))
    wire.run(connector.push([SetPrice(key="p", sku="SKU-0", item=str(twin.variants["SKU-0"].item), currency="EUR", price=1, revision=1)]))
    resubscribed(wire, connector, twin)
    assert len({call.operation for call in wire.calls}) == 9
    for call in wire.calls:
        asked = json.loads(call.body)
        (operation,) = [one for one in parse(asked["query"]).definitions if one.kind == "operation_definition"]
        assert operation.name.value == call.operation == asked["operationName"]
        for variable in operation.variable_definitions:
            coerce_input_value(asked["variables"].get(variable.variable.name.value), type_from_ast(schema, variable.type))


@pytest.mark.shared
def test_the_twin_s_answers_fit_the_vendor_s_schema(schema: Any) -> None:
    """A GraphQL library that others wrote runs each document over the vendor's types, with what the twin answered as the data."""
    wire, connector, twin = rig()
    order = placed(wire, twin)
    twin.refund(order["id"], now=wire.now, amount_minor=100, lines=[("SKU-0", 1)])
    for feed in ("orders", "products", "inventory"):
        wire.run(connector.pull(feed, ""))
    wire.run(connector.push([level(twin, "SKU-0", 5), level(twin, "SKU-0", -1)]))
    wire.run(connector.push([shipment(order)]))
    wire.run(connector.push([CancelOrder(key="c", order=str(order["id"]), reason="customer")]))
    wire.run(connector.push([SetPrice(key="p", sku="SKU-0", item=str(twin.variants["SKU-0"].item), currency="EUR", price=1, revision=1)]))
    resubscribed(wire, connector, twin)
    answered = [(call, json.loads(reply.body)["data"]) for call, reply in wire.answered if reply.status == 200]
    assert {call.operation for call, _ in answered} >= {"Orders", "Products", "Inventory", "SetLevels"} and len(
        {call.operation for call, _ in answered}
    ) >= 10
    assert [wrong for call, data in answered for wrong in unfit(schema, call, data)] == []
    call, data = next((call, data) for call, data in answered if call.operation == "Orders")
    for field, value in (("displayFinancialStatus", "HOLOGRAM"), ("createdAt", None), ("hologram", 1)):
        node = data["orders"]["nodes"][0] | {field: value}
        assert unfit(schema, call, {"orders": {**data["orders"], "nodes": [node]}}), field


def unfit(schema: Any, call: Call, data: Any) -> list[str]:
    """What of an answer is not so in the schema: a value of another type, none where one must be, a field that was not asked for."""
    from graphql import execute_sync, parse

    asked = json.loads(call.body)
    found = execute_sync(
        schema, parse(asked["query"]), data, variable_values=asked["variables"],
        field_resolver=lambda source, info, **_: source.get(info.path.key),
        type_resolver=lambda value, *_: value.get("__typename") or value["id"].split("/")[3],
    )  # fmt: skip
    wrong = [f"{call.operation}: {error.message} at {error.path}" for error in found.errors or ()]
    return wrong or ([] if found.data == data else [f"{call.operation}: {data} has more than was asked for, or less"])


def test_the_twin_gives_only_what_is_asked_for() -> None:
    text = 'query Q($n: Int!) { a: order(id: "x") { ...F lines(first: $n) { id } ... on Other { no } } } fragment F on Order { name }'
    document = graphql.read(text, {"n": 1})
    order = {"__typename": "Order", "name": "#1", "secret": 1, "lines": lambda first: [{"id": n} for n in range(9)][:first]}
    assert document.roots[0].arguments == {"id": "x"}
    assert document.cut(order, document.roots[0].selected) == {"name": "#1", "lines": [{"id": 0}]}
    with pytest.raises(graphql.Wrong, match="'nam' doesn't exist on type 'Order'"):
        document.cut(order, graphql.read("{ order { nam } }", {}).roots[0].selected)


# --- levels ----------------------------------------------------------------------------------------------------------------
def test_six_hundred_levels_go_out_in_three_calls() -> None:
    wire, connector, twin = rig(600)
    outcomes = wire.run(connector.push([level(twin, f"SKU-{n}", n) for n in range(600)]))
    assert outcomes == [Done()] * 600
    assert [len(json.loads(call.body)["variables"]["input"]["quantities"]) for call in wire.calls] == [250, 250, 100]
    assert [twin.available(f"SKU-{n}") for n in (0, 1, 599)] == [0, 1, 599]
    assert len(twin.level_history) == 600


def test_a_named_wrong_level_does_not_hold_up_its_neighbours() -> None:
    wire, connector, twin = rig(20)
    commands = [level(twin, f"SKU-{n}", 7) for n in range(20)]
    commands[3] = SetLevel(key="x", sku="GONE", item="999", quantity=1, revision=1)
    commands[9] = SetLevel(key="y", sku="SKU-9", item=str(twin.variants["SKU-9"].item), quantity=-1, revision=1)
    outcomes = wire.run(connector.push(commands))
    assert [n for n, one in enumerate(outcomes) if isinstance(one, Failure)] == [3, 9]
    assert (outcomes[3].code, outcomes[9].code) == ("not_found", "rejected")  # type: ignore[union-attr]
    assert [n for n in range(20) if twin.available(f"SKU-{n}") != 7] == [3, 9]
    assert len(wire.calls) == 2


def test_a_document_refused_as_a_whole_is_halved_until_the_wrong_one_stands_alone() -> None:
    class Strict(ShopifyTwin):
        """Refuses the document without a hint where the trouble is."""

        def _set_quantities(self, now: int, input: Any) -> Any:
            if any(one["quantity"] == 13 for one in input["quantities"]):
                return {"inventoryAdjustmentGroup": None, "userErrors": [{"field": None, "message": "No.", "code": None}]}
            return super()._set_quantities(now, input)

    wire, connector, _ = rig()
    twin = Strict(random.Random(1))
    for number in range(8):
        twin.add_product(f"SKU-{number}", "Thing", 1000, 100)
    wire.twin = twin
    outcomes = wire.run(connector.push([level(twin, f"SKU-{n}", 13 if n == 5 else n) for n in range(8)]))
    assert [n for n, one in enumerate(outcomes) if isinstance(one, Reject)] == [5]
    assert [twin.available(f"SKU-{n}") for n in range(8)] == [0, 1, 2, 3, 4, 100, 6, 7]
    assert len(wire.calls) == 7  # 8, 4, 4, 2, 1, 1, 2


def test_of_two_levels_of_one_item_only_the_newest_goes_out() -> None:
    wire, connector, twin = rig()
    outcomes = wire.run(connector.push([level(twin, "SKU-0", 5, revision=2), level(twin, "SKU-0", 4, revision=1)]))
    assert outcomes == [Done(), Done()]
    assert twin.level_history == [("SKU-0", 5, wire.now)]


def test_a_level_of_an_item_without_an_id_is_refused_unasked() -> None:
    wire, connector, _ = rig()
    (outcome,) = wire.run(connector.push([SetLevel(key="k", sku="NEW", item="", quantity=1, revision=1)]))
    assert isinstance(outcome, Reject) and outcome.code == "id_missing" and not wire.calls


def test_a_repeat_after_a_lost_answer_is_answered_from_the_first() -> None:
    wire, connector, twin = rig(weather={"cut_after": 1.0})
    commands = [level(twin, "SKU-0", 5)]
    with pytest.raises(Retry):
        wire.run(connector.push(commands))
    twin.weather = Weather()
    assert twin.available("SKU-0") == 5
    twin.place_order([("SKU-0", 2)], now=wire.now, customer=BUYER)
    assert wire.run(connector.push(commands)) == [Done()]
    assert twin.available("SKU-0") == 3, "the sale after the first try still counts"
    assert [count for key, count in twin.effects.items() if key.startswith("key:")] == [1]


def test_planted_bug_a_key_for_each_try_undoes_a_sale(monkeypatch: pytest.MonkeyPatch) -> None:
    wire, connector, twin = rig()
    levels = [level(twin, "SKU-0", 5)]
    wire.run(connector.push(levels))
    twin.place_order([("SKU-0", 2)], now=wire.now, customer=BUYER)
    monkeypatch.setattr("mainstay.connectors.shopify.effects.blake2b", lambda text, digest_size: _Digest())
    wire.run(connector.push(levels))
    assert twin.available("SKU-0") == 5, "resurrected: what the test above forbids"


class _Digest:
    def hexdigest(self) -> str:
        return "another key"


def test_the_twin_insists_on_the_directive_and_on_one_request_for_one_key() -> None:
    wire, connector, twin = rig()
    wire.run(connector.push([level(twin, "SKU-0", 5)]))
    asked = json.loads(wire.calls[0].body)

    def answer(change: Any) -> Any:
        body = json.loads(json.dumps(asked))
        change(body)
        headers = {"x-shopify-access-token": twin.token}
        return json.loads(twin.answer(Request("POST", PATH, {}, headers, json.dumps(body).encode()), wire.now).body)

    without = answer(lambda body: body.update(query=body["query"].replace("@idempotent(key: $key)", "")))
    assert without["errors"][0]["message"] == "The @idempotent directive is required for this mutation but was not provided."
    other = answer(lambda body: body["variables"]["input"]["quantities"][0].update(quantity=6))
    assert other["data"]["inventorySetQuantities"]["userErrors"][0]["code"] == "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"
    assert twin.available("SKU-0") == 5
    silent = answer(lambda body: body["variables"]["input"]["quantities"][0].pop("changeFromQuantity"))
    assert silent["data"]["inventorySetQuantities"]["userErrors"][0]["code"] == "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"
    unstated = answer(
        lambda body: (body["variables"].update(key="2"), body["variables"]["input"]["quantities"][0].pop("changeFromQuantity"))
    )
    assert unstated["errors"][0]["message"] == "InventoryQuantityInput must include the following argument: changeFromQuantity."


# --- fulfilments and cancellations -------------------------------------------------------------------------------------------
def test_two_parcels_of_one_order() -> None:
    wire, connector, twin = rig()
    order = placed(wire, twin)
    wire.deliveries()
    (first,) = wire.run(connector.push([shipment(order)]))
    (second,) = wire.run(connector.push([shipment(order, line=1, units=1, tracking=("2Z", "3Z"), key="ship2")]))
    assert isinstance(first, Done) and isinstance(second, Done) and first != second
    assert order["fulfillment_status"] == "fulfilled"
    wire.now += 5 * SECOND
    seen = wire.deliveries()
    assert [topic for topic, _ in seen] == ["fulfillments/create", "orders/updated", "fulfillments/create", "orders/fulfilled"]
    parcel = seen[2][1][0].event
    assert isinstance(parcel, FulfilmentSeen)
    assert (parcel.external, parcel.tracking, parcel.carrier) == (second.references["fulfilment"], ("2Z", "3Z"), "UPS")


@pytest.mark.parametrize("fault", ["cut_after", "error_after"])
@pytest.mark.parametrize("tracking", [("1Z",), ()])
def test_a_fulfilment_whose_answer_is_lost_is_found(fault: str, tracking: tuple[str, ...]) -> None:
    wire, connector, twin = rig()
    order = placed(wire, twin)
    command = shipment(order, tracking=tracking)
    assert wire.run(connector.look_up(command)) is None
    real = twin.handle

    def stormy(request: Request, now: int) -> Reply:
        twin.weather = Weather({fault: 1.0} if b"fulfillmentCreate" in request.body else {})
        return real(request, now)

    twin.handle = stormy  # type: ignore[method-assign]
    (outcome,) = wire.run(connector.push([command]))
    assert isinstance(outcome, Unknown)
    twin.handle, twin.weather = real, Weather()  # type: ignore[method-assign]
    found = wire.run(connector.look_up(command))
    assert found is not None and found.references["fulfilment"] == str(order["fulfillments"][0]["id"])
    assert wire.run(connector.push([command])) == [found], "said again, it is recognised"
    assert len(order["fulfillments"]) == 1 and max(twin.effects.values()) == 1


def test_planted_bug_a_connector_that_never_looks_ships_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    wire, connector, twin = rig()
    command = shipment(placed(wire, twin), units=1)
    monkeypatch.setattr("mainstay.connectors.shopify.effects._parcel", lambda order, command: None)
    wire.run(connector.push([command]))
    wire.run(connector.push([command]))
    assert max(twin.effects.values()) == 2, "the books count what the storm's test forbids"


def test_more_units_than_are_open_are_refused() -> None:
    wire, connector, twin = rig()
    order = placed(wire, twin)
    (outcome,) = wire.run(connector.push([shipment(order, units=3)]))
    assert isinstance(outcome, Reject) and "no open units" in outcome.why
    (unknown,) = wire.run(connector.push([ConfirmFulfilment(key="k", order="1", fulfilment="f", lines=(), shipped_at=0)]))
    assert isinstance(unknown, Reject) and unknown.code == "not_found"


def test_a_cancellation_happens_once() -> None:
    wire, connector, twin = rig()
    order = placed(wire, twin)
    command = CancelOrder(key="c", order=str(order["id"]), reason="fraud")
    assert wire.run(connector.look_up(command)) is None
    for _ in range(2):
        (outcome,) = wire.run(connector.push([command]))
        assert isinstance(outcome, Done)
    assert wire.run(connector.look_up(command)) == Done()
    assert order["cancel_reason"] == "fraud" and twin.effects[f"cancel:{order['id']}"] == 1
    wire.now += 5 * SECOND
    seen = [said[0].event for topic, said in wire.deliveries() if topic == "orders/cancelled"]
    assert isinstance(seen[0], OrderSeen)
    assert seen[0].order.cancelled_at is not None and [line.cancelled for line in seen[0].order.lines] == [2, 1]
    (part,) = wire.run(connector.push([CancelOrder(key="d", order=str(order["id"]), reason="x", lines=(UnitsOf("1", 1),))]))
    assert isinstance(part, Reject) and part.code == "not_capable"


def test_prices_of_two_products_and_an_unknown_variant() -> None:
    wire, connector, twin = rig()
    items = [str(twin.variants["SKU-0"].item), "404", str(twin.variants["SKU-1"].item)]
    outcomes = wire.run(
        connector.push([SetPrice(key=f"p{n}", sku="S", item=item, currency="EUR", price=995, revision=1) for n, item in enumerate(items)])
    )
    assert [type(one) for one in outcomes] == [Done, Reject, Done]
    assert [twin.variants[f"SKU-{n}"].price_minor for n in range(3)] == [995, 995, 1002]


# --- feeds, subscriptions, deliveries ------------------------------------------------------------------------------------------
def all_rows(wire: Wire, connector: Shopify, feed: str, cursor: str = "") -> tuple[list[Row], str]:
    rows: list[Row] = []
    while True:
        page: Page = wire.run(connector.pull(feed, cursor))
        rows, cursor = [*rows, *page.rows], page.cursor
        if not page.more:
            return rows, cursor


def test_polled_orders_say_the_same_as_webhooks() -> None:
    wire, connector, twin = rig(page_rows=2)
    for _ in range(5):
        order = placed(wire, twin, discount_minor=77, tax_minor=333, reservation="rsv-1")
        wire.now += HOUR
    wire.run(connector.push([shipment(order)]))
    twin.refund(order["id"], now=wire.now, amount_minor=1001, lines=[("SKU-1", 1)], restock="cancel", note="sorry")
    wire.now += HOUR
    told = {said.event.external: said for _, statements in wire.deliveries() for said in statements if isinstance(said.event, OrderSeen)}
    rows, cursor = all_rows(wire, connector, "orders")
    polled = [connector.translate(row.topic, row.body) for row in rows]
    assert len(polled) == 5 and len({row.key for row in rows}) == 5
    assert [statements[0] for statements in polled] == [told[statements[0].event.external] for statements in polled]
    last = polled[-1]
    assert [type(said.event) for said in last] == [OrderSeen, FulfilmentSeen, RefundSeen]
    assert isinstance(last[2].event, RefundSeen) and (last[2].event.amount, last[2].event.lines[0].restock) == (1001, "cancel")
    assert all(statements[0].event.order.difference() == 0 for statements in polled)  # type: ignore[union-attr]
    assert [row.key for row in all_rows(wire, connector, "orders", cursor)[0]] == [rows[-1].key]


def test_polled_products_say_the_same_as_webhooks_and_only_what_changed_is_polled_again() -> None:
    wire, connector, twin = rig(products=25)
    for number, variant in enumerate(twin.variants.values()):
        variant.updated_at = wire.now + number * 60 * SECOND
    resubscribed(wire, connector, twin)
    polled, cursor = all_rows(wire, connector, "products")
    assert len(polled) == 25
    wire.now += HOUR
    twin.reprice("SKU-7", 4_711, wire.now)
    twin.retitle("SKU-9", "Tasse „Größe“", wire.now)
    again, _ = all_rows(wire, connector, "products", cursor)
    said = [one.event for row in again[1:] for one in connector.translate(row.topic, row.body)]  # the last one is read once more
    told = [one.event for _, statements in wire.deliveries() for one in statements]
    assert len(said) == 2 and sorted(said, key=str) == sorted(told, key=str)
    assert {variant.price for one in said if isinstance(one, ProductSeen) for variant in one.variants} == {4_711, 1_009}


def test_a_polled_product_s_weight_is_in_grams() -> None:
    node = product_node(Variant(1, 2, 3, "MUG", "Mug", 990, 5, 0), "EUR")
    node["variants"] = node["variants"](1)
    weight = node["variants"]["nodes"][0]["inventoryItem"]["measurement"]["weight"]
    for unit, value, grams in (("KILOGRAMS", 0.35, 350), ("GRAMS", 12, 12), ("OUNCES", 2, 57), ("POUNDS", 1, 454)):
        weight |= {"unit": unit, "value": value}
        (said,) = rig()[1].translate("graphql/product", json.dumps(node).encode())
        assert isinstance(said.event, ProductSeen) and said.event.variants[0].grams == grams


def test_a_fetched_order_is_the_polled_one() -> None:
    wire, connector, twin = rig()
    order = placed(wire, twin)
    (row,) = wire.run(connector.fetch("order", str(order["id"])))
    assert [row] == all_rows(wire, connector, "orders")[0]
    with pytest.raises(Reject) as refused:
        wire.run(connector.fetch("order", "1"))
    assert refused.value.code == "not_found"


def test_the_levels_of_the_location() -> None:
    wire, connector, _ = rig(120)
    rows, cursor = all_rows(wire, connector, "inventory")
    events = [connector.translate(row.topic, row.body)[0].event for row in rows]
    assert len(events) == 120 and cursor == ""
    assert {(event.sku, event.quantity, event.measure) for event in events} == {(f"SKU-{n}", 100, "available") for n in range(120)}  # type: ignore[union-attr]


def test_subscriptions_are_made_once_and_again_after_they_were_taken_away() -> None:
    wire, connector, twin = rig()
    assert mended(wire, connector) == dict.fromkeys(SUBSCRIBED, "missing")
    assert mended(wire, connector) == {}
    placed(wire, twin)
    for _ in range(9):  # the first try and eight further ones, over four hours
        (post,) = twin.due(wire.now)
        twin.delivered(post.id, 503, wire.now)
        wire.now += 3 * HOUR
    assert twin.given_up and not twin.subscribed and not twin.due(wire.now)
    placed(wire, twin)
    assert not twin.due(wire.now)
    assert mended(wire, connector) == dict.fromkeys(SUBSCRIBED, "missing")
    placed(wire, twin)
    assert len(wire.deliveries()) == 1


@pytest.mark.parametrize(
    ("what", "wrong"),
    [
        ({"filter": "total_price:>100"}, "narrowed"),
        ({"includeFields": ["id"]}, "narrowed"),
        ({"apiVersion": {"handle": "2025-10"}}, "outdated"),
        ({"apiVersion": {"handle": "2026-10"}}, None),
    ],
)
def test_a_subscription_that_brings_less_or_is_of_an_older_version_is_made_anew(what: Any, wrong: str | None) -> None:
    wire, connector, twin = rig()
    mended(wire, connector)
    before = twin.hooks["ORDERS_PAID"]["id"]
    twin.hooks["ORDERS_PAID"] |= what
    assert mended(wire, connector) == ({"orders/paid": wrong} if wrong else {})
    assert (twin.hooks["ORDERS_PAID"]["id"] != before) == bool(wrong)
    assert mended(wire, connector) == {}


def test_a_subscription_at_another_address_is_told_from_none() -> None:
    wire, connector, twin = rig()
    mended(wire, connector)
    twin.subscriptions["ORDERS_PAID"] = "https://old.example"
    del twin.subscriptions["REFUNDS_CREATE"]
    assert mended(wire, connector) == {"orders/paid": "elsewhere", "refunds/create": "missing"}
    assert twin.subscriptions["ORDERS_PAID"] == HOOK


def test_a_mending_whose_answer_was_lost_can_be_repeated() -> None:
    wire, connector, twin = rig()
    mended(wire, connector)
    twin.hooks["ORDERS_PAID"]["filter"] = "id:1"
    wrong = [one for one in wire.run(connector.subscriptions(HOOK)) if one.wrong]
    for _ in range(2):
        wire.run(connector.subscribe(HOOK, wrong))
    assert mended(wire, connector) == {}


def resubscribed(wire: Any, connector: Any, twin: Any) -> None:
    """Subscriptions are made, and one of them anew."""
    mended(wire, connector)
    twin.hooks["ORDERS_PAID"]["filter"] = "id:1"
    mended(wire, connector)


def mended(wire: Any, connector: Any) -> dict[str, str]:
    """What was wrong with which subscriptions, before they were mended."""
    wrong = [one for one in wire.run(connector.subscriptions(HOOK)) if one.wrong]
    wire.run(connector.subscribe(HOOK, wrong))
    return {one.topic: one.wrong for one in wrong}


def test_a_duplicate_delivery_carries_the_same_event_id() -> None:
    wire, connector, twin = rig(weather={"duplicate": 1.0})
    placed(wire, twin)
    posts = twin.due(wire.now)
    assert len(posts) == 2
    assert len({connector.receive(post.headers, post.body, wire.now).key for post in posts}) == 1


def test_the_shop_sells_what_it_was_last_told() -> None:
    wire, connector, twin = rig()
    wire.run(connector.push([level(twin, "SKU-0", 1)]))
    assert twin.place_order([("SKU-0", 1), ("SKU-0", 1)], now=wire.now, customer=BUYER) is None, "two lines of one SKU are one demand"
    assert twin.place_order([("SKU-0", 1)], now=wire.now, customer=BUYER) is not None
    assert twin.available("SKU-0") == 0


# --- answers -----------------------------------------------------------------------------------------------------------------
CALL = Call(operation="SetLevels", method="POST", path=PATH, cost=100)


def answer(code: str) -> Reply:
    cost = {"cost": {"throttleStatus": {"maximumAvailable": 2000, "currentlyAvailable": 50, "restoreRate": 100}}}
    return Reply(200, {}, json.dumps({"errors": [{"message": "m", "extensions": {"code": code}}], "extensions": cost}).encode())


@pytest.mark.parametrize(
    ("reply", "kind", "code"),
    [
        (answer("THROTTLED"), Retry, "rate_limited"),
        (answer("ACCESS_DENIED"), Halt, "connection_halted"),
        (answer("INTERNAL_SERVER_ERROR"), Retry, "try_again"),
        (answer("INVALID_VARIABLE"), Reject, "rejected"),
        (Reply(200, {}, b'{"errors":"Not Found"}'), Reject, "rejected"),
        (Reply(401, {}, b'{"errors":"[API] Invalid API key"}'), Halt, "connection_halted"),
        (Reply(402, {}, b""), Halt, "connection_halted"),
        (Reply(423, {}, b""), Halt, "connection_halted"),
        (Reply(502, {}, b"<html>"), Retry, "try_again"),
    ],
)
def test_what_an_answer_means(reply: Reply, kind: type[Failure], code: str) -> None:
    _, connector, _ = rig()
    with pytest.raises(kind) as raised:
        connector.judge(CALL, reply)
    assert raised.value.code == code


def test_user_errors_are_no_errors_of_the_call() -> None:
    _, connector, _ = rig()
    reply = Reply(200, {}, b'{"data":{"inventorySetQuantities":{"userErrors":[{"message":"m"}]}}}')
    assert connector.judge(CALL, reply) is reply


def test_the_bucket_is_measured_and_says_how_long_to_wait() -> None:
    _, connector, _ = rig()
    assert connector.measured(CALL, answer("THROTTLED")) == (Measured("graphql", 50.0, 100.0),)
    assert connector.measured(CALL, Reply(502, {}, b"<html>")) == ()
    with pytest.raises(Retry) as throttled:
        connector.judge(CALL, answer("THROTTLED"))
    assert throttled.value.after_s == 0.5  # (100 wanted - 50 there) / 100 a second


def test_the_twin_s_bucket_empties_and_fills() -> None:
    wire, connector, twin = rig()
    wire.step = 0
    with pytest.raises(Retry) as throttled:
        for n in range(1000):
            wire.run(connector.push([level(twin, "SKU-0", n % 50, revision=n)]))
    assert len(wire.calls) == 201 and throttled.value.code == "rate_limited"  # 2,000 points at 10 each
    wire.now += SECOND
    assert wire.run(connector.push([level(twin, "SKU-0", 1, revision=2000)])) == [Done()]


@pytest.mark.parametrize(("change", "kind"), [({"token": "wrong"}, Halt), ({"url": "https://elsewhere.example/x"}, Reject)])
def test_a_wrong_token_or_address_costs_one_call(change: dict[str, str], kind: type[Failure]) -> None:
    wire, connector, twin = rig(**change)
    with pytest.raises(kind):
        wire.run(connector.push([level(twin, f"SKU-{n}", 1) for n in range(3)]))
    assert len(wire.calls) == 1
    assert twin.available("SKU-0") == 100


# --- weather -----------------------------------------------------------------------------------------------------------------
STORM = {"throttled": 0.1, "error_before": 0.1, "error_after": 0.1, "cut_before": 0.1, "cut_after": 0.1, "partial": 0.05}


@pytest.mark.parametrize("seed", range(12))
def test_through_a_storm_each_effect_happens_once_and_the_last_level_stands(seed: int) -> None:
    """What a lane would do: repeat a Retry, look an Unknown up first."""
    wire, connector, twin = rig(30, STORM, seed)
    orders = [placed(wire, twin) for _ in range(5)]
    levels = [level(twin, f"SKU-{n}", n) for n in range(30)]
    while levels:
        try:
            outcomes = wire.run(connector.push(levels))
        except Retry:
            wire.now += SECOND
            continue
        levels = [one for one, outcome in zip(levels, outcomes, strict=True) if isinstance(outcome, Retry)]
    commands: list[Any] = [shipment(order, key=f"ship-{order['id']}") for order in orders]
    commands += [CancelOrder(key=f"cancel-{order['id']}", order=str(order["id"]), reason="customer") for order in orders[:2]]
    for command in commands:
        outcome: Any = None
        while not isinstance(outcome, Done):
            wire.now += SECOND
            if isinstance(outcome, Unknown):
                outcome = wire.insist(lambda command=command: connector.look_up(command)) or "surely not applied"
            else:
                (outcome,) = wire.run(connector.push([command]))
    assert [twin.available(f"SKU-{n}") for n in range(30)] == list(range(30))
    once = {key: count for key, count in twin.effects.items() if not key.startswith("key:")}
    assert len(once) == 7 and set(once.values()) == {1}
    assert sum(twin.fired.values()) > 10


def test_orders_of_the_twin_add_up_whatever_is_bought() -> None:
    dice = random.Random(7)
    wire, _, twin = rig(20)
    for _ in range(200):
        lines = [(f"SKU-{dice.randrange(20)}", dice.randrange(1, 4)) for _ in range(dice.randrange(1, 6))]
        for variant in twin.variants.values():
            variant.quantity = 100
        money = {"shipping_minor": dice.randrange(900), "discount_minor": dice.randrange(900), "tax_minor": dice.randrange(900)}
        assert twin.place_order(lines, now=wire.now, customer={}, **money)
    seen = [said[0].event.order for _, said in wire.deliveries()]
    assert len(seen) == 200
    assert all(isinstance(order, Order) and order.difference() == 0 for order in seen)
