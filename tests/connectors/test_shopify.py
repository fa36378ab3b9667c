"""Shopify's words to ours: own samples and signatures. Expectations are written by hand from the samples."""

from __future__ import annotations

import base64
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from mainstay.connectors import shopify
from mainstay.connectors.shopify import Shopify
from mainstay.contract.connector import settings_of
from mainstay.model.failures import Forged, Reject
from mainstay.model.objects import Address, Line, Order, Person, Reference, RefundLine, UnitsOf, Variant
from mainstay.model.seen import CustomerSeen, DisputeSeen, FulfilmentSeen, Hint, OrderSeen, ProductSeen, RefundSeen, StockCounted
from mainstay.model.times import micros

SETTINGS = {"shop": "acme.myshopify.com", "token": "shpat_1", "webhook_secret": "new", "webhook_secret_old": "old", "currency": "EUR"}
SAMPLES = Path(shopify.__file__).parent / "samples"
NOW = micros("2026-03-02T12:00:00Z")


@pytest.fixture
def connector() -> Shopify:
    return Shopify(settings_of(Shopify, SETTINGS))


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def changed(name: str, **fields: Any) -> bytes:
    return json.dumps({**json.loads(sample(name)), **fields}).encode()


# --- translation -----------------------------------------------------------------------------------------------------------
def test_an_order_with_everything(connector: Shopify) -> None:
    order, parcel, refund = connector.translate("orders/updated", sample("order.json"))
    assert isinstance(order.event, OrderSeen)
    assert order.event.external == "6200000001"
    assert order.event.version == order.event.at == micros("2026-03-02T11:00:05Z")
    assert order.event.aliases == (Reference("order_name", "#2001"),)
    assert order.event.order == Order(
        number="#2001",
        currency="EUR",
        placed_at=micros("2026-03-02T11:00:00Z"),
        lines=(
            Line(
                id="91", sku="MUG-BLUE", quantity=3, price=1200, discount=307, tax=627, facilitator_tax=100, cancelled=1,
                title="Mug - blue",
            ),
            Line(id="92", sku="", quantity=1, price=5000, tax=800, title="Engraving", ships=False),
        ),
        total=11348,
        shipping=900,
        shipping_discount=200,
        tax=1505,
        facilitator_tax=100,
        duties=450,
        tip=300,
        payment="captured",
        payments=(Reference("payment", "pi_3Nx", "stripe"),),
        reservation="rsv-1",
        company="71",
        purchase_order="PO-7",
        presentment_currency="CHF",
        presentment_total=10610,
        ship_to_country="CH",
        ship_method="Post",
    )  # fmt: skip
    assert order.event.order.difference() == 0
    assert order.person == Person(
        id="81", name="Ada Lovelace", email="ada@buyer.example", phone="+4915112345",
        shipping=Address(name="Ada Lovelace", street="Seestr. 1", city="Zürich", region="ZH", postcode="8001", country="CH"),
    )  # fmt: skip
    assert parcel.person is None and refund.person is None
    assert parcel.event == FulfilmentSeen(
        external="61", version=micros("2026-03-03T08:00:00Z"), at=micros("2026-03-02T12:00:00Z"), of=Reference("order", "6200000001"),
        status="delivered", lines=(UnitsOf("91", 2),), carrier="DHL", tracking=("00340",), location="7001",
    )  # fmt: skip
    assert refund.event == RefundSeen(
        external="51", version=micros("2026-03-02T11:00:05Z"), at=micros("2026-03-02T11:00:05Z"), of=Reference("order", "6200000001"),
        currency="EUR", amount=1500, shipping=160, lines=(RefundLine(line="91", quantity=1, amount=1098, tax=242, restock="cancel"),),
        payment=Reference("payment", "pi_3Nx", "stripe"), reason="one broken",
    )  # fmt: skip


def test_personal_data_stays_out_of_the_events(connector: Shopify) -> None:
    for said in connector.translate("orders/create", sample("order.json")):
        text = repr(said.event)
        assert not any(word in text for word in ("Ada", "Lovelace", "buyer.example", "Seestr", "+49"))


def test_included_tax_and_included_duties_are_not_added_again(connector: Shopify) -> None:
    # 36 + 50 - 3.07 - 2 + 9 + 3 (tip): tax and duties are inside
    body = changed("order.json", taxes_included=True, duties_included=True, total_price="92.93")
    order = connector.translate("orders/create", body)[0].event.order  # type: ignore[union-attr]
    assert (order.difference(), order.duties, order.tax, order.facilitator_tax, order.adjustment) == (0, 0, 1505, 100, -100)


def test_a_tip_that_is_a_line_is_not_counted_twice(connector: Shopify) -> None:
    given = json.loads(sample("order.json"))
    given["line_items"].append({"id": 93, "name": "Tip", "quantity": 1, "price": "3.00", "tip": {"payment_gateway": "visa"}})
    order = connector.translate("orders/create", json.dumps(given).encode())[0].event.order  # type: ignore[union-attr]
    assert (order.tip, order.difference()) == (0, 0)


def test_a_total_that_does_not_add_up_is_kept_as_stated(connector: Shopify) -> None:
    order = connector.translate("orders/create", changed("order.json", total_price="113.49"))[0].event.order  # type: ignore[union-attr]
    assert (order.total, order.difference()) == (11349, 1)


def test_shipped_units_that_come_back_are_not_cancelled(connector: Shopify) -> None:
    given = json.loads(sample("order.json"))
    given["fulfillments"][0]["line_items"] = [{"id": 91, "quantity": 3}]
    line = connector.translate("orders/updated", json.dumps(given).encode())[0].event.order.lines[0]  # type: ignore[union-attr]
    assert line.cancelled == 0


def test_a_refund_alone_takes_its_currency_from_what_it_states(connector: Shopify) -> None:
    given = json.loads(sample("order.json"))["refunds"][0]
    given["transactions"] = []
    (said,) = connector.translate("refunds/create", json.dumps(given).encode())
    assert isinstance(said.event, RefundSeen)
    assert (said.event.currency, said.event.amount, said.event.status) == ("EUR", 0, "succeeded")
    given["refund_line_items"][0] = {"line_item_id": 91, "quantity": 1, "restock_type": "return"}
    with pytest.raises(Reject) as refused:
        connector.translate("refunds/create", json.dumps(given).encode())
    assert refused.value.code == "currency"


@pytest.mark.parametrize(
    ("statuses", "status", "amount"),
    [(["success", "pending"], "pending", 3000), (["failure"], "failed", 0), (["success", "error"], "succeeded", 1500)],
)
def test_what_a_refund_s_transactions_say(connector: Shopify, statuses: list[str], status: str, amount: int) -> None:
    given = json.loads(sample("order.json"))["refunds"][0]
    given["transactions"] = [{"kind": "refund", "status": one, "amount": "15.00", "currency": "EUR"} for one in statuses]
    (said,) = connector.translate("refunds/create", json.dumps(given).encode())
    assert isinstance(said.event, RefundSeen)
    assert (said.event.status, said.event.amount) == (status, amount)


def test_a_product_keeps_the_variants_that_have_a_sku(connector: Shopify) -> None:
    (said,) = connector.translate("products/update", sample("product.json"))
    at = micros("2026-03-01T00:00:00Z")
    variant = Variant(id="311", sku="MUG-BLUE", title="blue", item="321", barcode="4006381333931", price=1200, compare_at=1500, grams=400)
    assert said.event == ProductSeen(
        external="301", version=at, at=at, title="Mug", variants=(variant,), currency="EUR", status="active", category="Kitchen"
    )  # fmt: skip


def test_the_only_variant_of_a_product_is_called_as_the_product_is(connector: Shopify) -> None:
    given = json.loads(sample("product.json"))
    given["variants"][0]["title"] = "Default Title"
    (said,) = connector.translate("products/update", json.dumps(given).encode())
    assert isinstance(said.event, ProductSeen)
    assert (said.event.title, [one.title for one in said.event.variants]) == ("Mug", [""])


def test_prices_without_a_currency_are_refused(connector: Shopify) -> None:
    unaware = Shopify(settings_of(Shopify, {**SETTINGS, "currency": ""}))
    with pytest.raises(Reject) as refused:
        unaware.translate("products/create", sample("product.json"))
    assert refused.value.code == "currency"


def test_a_level_says_what_may_be_sold(connector: Shopify) -> None:
    (said,) = connector.translate("inventory_levels/update", sample("inventory_level.json"))
    at = micros("2026-03-01T10:00:00Z")
    assert said.event == StockCounted(external="321@7001", version=at, at=at, item="321", location="7001", quantity=-2, measure="available")


def test_a_customer(connector: Shopify) -> None:
    (said,) = connector.translate("customers/update", sample("customer.json"))
    at = micros("2026-03-01T10:00:00Z")
    assert said.event == CustomerSeen(external="81", version=at, at=at, tax_exempt=True, company="Engines Ltd", marketing=True)
    home = Address(name="Ada Lovelace", company="Engines Ltd", city="London", country="GB")
    assert said.person == Person(id="81", name="Ada Lovelace", email="ada@buyer.example", shipping=home)


def test_the_latest_moment_of_a_dispute_orders_it(connector: Shopify) -> None:
    (said,) = connector.translate("disputes/update", sample("dispute.json"))
    assert said.event == DisputeSeen(
        external="401", version=micros("2026-03-07T00:00:00Z"), at=micros("2026-03-05T00:00:00Z"), of=Reference("order", "6200000001"),
        currency="EUR", amount=2000, status="lost", reason="fraudulent",
    )  # fmt: skip


def test_an_inquiry_is_no_chargeback_yet(connector: Shopify) -> None:
    body = sample("dispute.json")
    (said,) = connector.translate("disputes/create", body.replace(b'"chargeback"', b'"inquiry"'))
    assert b'"chargeback"' in body and said.event.inquiry


def test_an_edit_asks_for_the_whole_order(connector: Shopify) -> None:
    (said,) = connector.translate("orders/edited", sample("order_edit.json"))
    at = micros("2026-03-02T15:00:00Z")
    assert said.event == Hint(external="6200000001", version=at, at=at, feed="order")


def test_a_redaction_is_the_customers(connector: Shopify) -> None:
    """The body as documented: https://shopify.dev/docs/apps/build/compliance/privacy-law-compliance"""
    body = b'{"shop_id": 1, "shop_domain": "a.myshopify.com", "customer": {"id": 7, "email": "a@b.example"}, "orders_to_redact": [3]}'
    (said,) = connector.translate("customers/redact", body)
    assert said.event == CustomerSeen(external="7", deleted=True) and said.person is None


def merged(status: str = "completed", gone: int = 8) -> bytes:
    """The body as documented: https://shopify.dev/docs/api/webhooks (customers/merge); its words: `CustomerMergeRequestStatus`."""
    ids = {name: f"gid://shopify/Customer/{number}" for name, number in (("kept", 7), ("deleted", gone))}
    named = {f"admin_graphql_api_customer_{name}_id": one for name, one in ids.items()}
    return json.dumps({**named, "admin_graphql_api_job_id": None, "status": status, "errors": []}).encode()


def test_customers_that_staff_has_merged_are_one(connector: Shopify) -> None:
    (said,) = connector.translate("customers/merge", merged())
    assert said.event == CustomerSeen(external="8", deleted=True, merged_into="7") and said.person is None


@pytest.mark.parametrize("topic", ["products/delete", "customers/delete"])
def test_what_was_deleted(connector: Shopify, topic: str) -> None:
    event = connector.translate(topic, b'{"id": 7}')[0].event
    assert event in (ProductSeen(external="7", status="deleted"), CustomerSeen(external="7", deleted=True))


@pytest.mark.parametrize(
    ("topic", "body", "code"),
    [
        ("orders/create", b"", "json_syntax"),
        ("orders/create", b"[]", "not_an_object"),
        ("orders/create", b'{"name": "#1"}', "schema"),
        ("orders/create", b"\xff\xfe", "not_utf8"),
        ("orders/create", b"[" * 100_000, "not_an_object"),
        ("orders/create", changed("order.json", financial_status="frozen"), "unknown_word"),
        ("orders/create", changed("order.json", total_price="113.481"), "scale"),
        ("orders/create", changed("order.json", total_price="1,13"), "amount"),
        ("orders/create", changed("order.json", total_price=113.48), "schema"),
        ("orders/create", changed("order.json", currency="XXX"), "currency"),
        ("orders/create", changed("order.json", created_at="yesterday"), "time"),
        ("orders/create", changed("order.json", updated_at="2026-03-02T12:00:00"), "time"),
        ("fulfillments/create", b'{"id":1,"order_id":2,"status":"lost","created_at":"x","updated_at":"x"}', "unknown_word"),
        ("disputes/create", changed("dispute.json", order_id=None), "id_missing"),
        ("inventory_levels/update", changed("inventory_level.json", available=None), "not_business"),
        ("customers/redact", b"{}", "schema"),
        ("customers/merge", merged("failed"), "not_business"),
        ("customers/merge", merged("in_progress"), "not_business"),
        ("customers/merge", merged("undone"), "unknown_word"),
        ("customers/merge", merged(gone=7), "id_missing"),
        ("customers/data_request", b"{}", "not_business"),
        ("carts/dance", b"{}", "unknown_topic"),
    ],
)
def test_what_cannot_be_understood_says_why(connector: Shopify, topic: str, body: bytes, code: str) -> None:
    with pytest.raises(Reject) as refused:
        connector.translate(topic, body)
    assert refused.value.code == code


def test_an_unknown_word_names_itself_and_the_known_ones(connector: Shopify) -> None:
    with pytest.raises(Reject, match=r"'frozen'.*authorized, expired, paid"):
        connector.translate("orders/create", changed("order.json", financial_status="frozen"))


# --- signatures ------------------------------------------------------------------------------------------------------------
def signed(body: bytes, secret: str = "new", **more: str) -> dict[str, str]:
    digest = base64.b64encode(hmac.new(secret.encode(), body, "sha256").digest()).decode()
    named = {name.replace("_", "-"): value for name, value in more.items()}
    return {
        "x-shopify-hmac-sha256": digest, "x-shopify-topic": "orders/create", "x-shopify-shop-domain": "acme.myshopify.com",
        "x-shopify-webhook-id": "w-1", "x-shopify-event-id": "e-1", **named,
    }  # fmt: skip


@pytest.mark.parametrize("secret", ["new", "old"])
def test_either_live_secret_may_have_signed(connector: Shopify, secret: str) -> None:
    delivery = connector.receive(signed(b"{}", secret), b"{}", NOW)
    assert (delivery.topic, delivery.key) == ("orders/create", "e-1")


def test_headers_without_x_win(connector: Shopify) -> None:
    headers = signed(b"{}", shopify_topic="orders/paid", shopify_event_id="e-2", shopify_shop_domain="acme.myshopify.com")
    headers["shopify-hmac-sha256"] = headers["x-shopify-hmac-sha256"]
    headers["x-shopify-hmac-sha256"] = "rubbish"
    assert connector.receive(headers, b"{}", NOW).topic == "orders/paid"
    assert connector.receive(headers, b"{}", NOW).key == "e-2"


def test_without_an_event_id_the_body_names_the_event_and_never_the_delivery(connector: Shopify) -> None:
    keys = set()
    for webhook in ("w-1", "w-2"):
        headers = signed(b"{}", x_shopify_webhook_id=webhook)
        del headers["x-shopify-event-id"]
        keys.add(connector.receive(headers, b"{}", NOW).key)
    other = signed(b'{"id":1}')
    del other["x-shopify-event-id"]
    keys.add(connector.receive(other, b'{"id":1}', NOW).key)
    assert len(keys) == 2 and "w-1" not in keys


@pytest.mark.parametrize("place", range(0, 256, 5))
def test_no_bit_of_body_or_signature_may_flip(connector: Shopify, place: int) -> None:
    body = sample("order.json")
    headers = signed(body)
    at = place * (len(body) // 256)
    flipped = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
    with pytest.raises(Forged):
        connector.receive(headers, flipped, NOW)
    given = base64.b64decode(headers["x-shopify-hmac-sha256"])
    wrong = given[: place // 8] + bytes([given[place // 8] ^ (1 << place % 8)]) + given[place // 8 + 1 :]
    with pytest.raises(Forged):
        connector.receive({**headers, "x-shopify-hmac-sha256": base64.b64encode(wrong).decode()}, body, NOW)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"x-shopify-hmac-sha256": ""}, "signature_missing"),
        ({"x-shopify-hmac-sha256": "é"}, "signature_invalid"),
        ({"x-shopify-shop-domain": "other.myshopify.com"}, "signature_invalid"),
    ],
)
def test_a_forged_delivery_is_refused(connector: Shopify, change: dict[str, str], code: str) -> None:
    with pytest.raises(Forged) as refused:
        connector.receive({**signed(b"{}"), **change}, b"{}", NOW)
    assert refused.value.code == code


def test_without_a_rotation_the_empty_secret_signs_nothing() -> None:
    connector = Shopify(settings_of(Shopify, {key: value for key, value in SETTINGS.items() if key != "webhook_secret_old"}))
    with pytest.raises(Forged):
        connector.receive(signed(b"{}", ""), b"{}", NOW)


def test_settings_say_which_field_is_wrong() -> None:
    with pytest.raises(Reject, match="shop"):
        settings_of(Shopify, {**SETTINGS, "shop": "https://acme.example"})
    assert "shpat_1" not in repr(settings_of(Shopify, SETTINGS))
