"""A written landscape is clean, whatever systems the shop has."""

import ast
import re
import tomllib
from importlib import import_module
from itertools import combinations
from pathlib import Path
from typing import Annotated

import pytest
from jsonschema import Draft202012Validator
from msgspec import Meta

from mainstay import orders
from mainstay.alerts import words
from mainstay.app.declaration import template
from mainstay.landscape import OWN_API, QUESTIONS, Answers, Offer, Setting, check, demo, page, places, read, schema, write
from mainstay.model.secrets import Secret

VENDORS = {"shop": "shopify", "amazon": "amazon", "payments": "stripe", "erp": "tryton", "warehouse": "shipstation"}


def offer(connector: str, brings: dict[str, str], commands: str, *settings: Setting, signs: bool = True) -> Offer:
    by_pattern = {pattern: frozenset(objects.split()) for pattern, objects in brings.items()}
    return Offer(
        connector=connector, title=connector, brings=by_pattern, commands=frozenset(commands.split()), settings=settings, signs=signs
    )


SHOPIFY = {"event": "order payment inventory product customer fulfilment refund return", "poll": "order product inventory"}
OFFERS = {
    "api": OWN_API,
    "shopify": offer(
        "shopify", SHOPIFY, "SetLevel SetPrice ConfirmFulfilment CancelOrder",
        Setting("shop", Annotated[str, Meta(examples=["acme.myshopify.com"])], True),
        Setting("token", Secret, True), Setting("secrets", tuple[Secret, ...], True), Setting("page", int),
    ),
    "amazon": offer(
        "amazon", {"event": "order", "poll": "order settlement"}, "SetLevel ConfirmFulfilment", Setting("secret", Secret, True),
    ),
    "stripe": offer("stripe", {"event": "payment refund", "poll": "payment settlement"}, "CapturePayment VoidPayment RefundPayment"),
    "tryton": offer("tryton", {"poll": "inventory product"}, "PostSale", signs=False),
    "shipstation": offer("shipstation", {"event": "fulfilment", "poll": "fulfilment inventory"}, "ReleaseOrder CancelRelease", signs=False),
}  # fmt: skip


def found(text: str) -> list[str]:
    return [str(one) for one in check(read(text, "mainstay.toml"), OFFERS, lambda reference: True, places(text))]


def answers(systems: dict[str, str], **more: object) -> Answers:
    return Answers(shop='Acme "& Söhne"', currency="EUR", contact="ops@acme.example", systems=systems, **more)


SYSTEMS = [dict(some) for size in range(1, 6) for some in combinations(VENDORS.items(), size)]


@pytest.mark.parametrize("url", ["", "https://mainstay.acme.example"])
@pytest.mark.parametrize("systems", SYSTEMS, ids="+".join)
def test_any_combination_of_connectors_starts_without_errors(systems, url):
    assert [one for one in found(write(answers(systems, url=url), OFFERS)) if " error " in one] == []


def test_the_demo_shop_is_clean():
    text = demo(OFFERS, {"shop": {"shop": "http://127.0.0.1:9001", "page": 50}}, {"shop": "gid://shopify/Location/1"})
    assert found(text) == []
    shop = read(text, "mainstay.toml")
    assert {name: one.connector for name, one in shop.systems.items()} == VENDORS | {"webshop": "api", "till": "api"}
    assert [name for name, one in shop.channels.items() if one.asks_first] == ["webshop", "till"]
    assert shop.channels["shop"].location == "gid://shopify/Location/1"
    assert shop.systems["shop"].settings == {
        "shop": "http://127.0.0.1:9001",
        "token": "env:SHOP_TOKEN",
        "secrets": ["env:SHOP_SECRETS"],
        "page": 50,
    }
    assert shop.flows["order-from-shop"].targets == ("warehouse", "erp")
    assert shop.ownership["inventory"]["on_hand"].creators() == ("warehouse",)


def test_what_was_answered_is_what_is_read():
    shop = read(write(answers({"shop": "shopify"}), OFFERS), "mainstay.toml")
    assert (shop.shop.name, shop.shop.currency) == ('Acme "& Söhne"', "EUR")
    assert shop.owners["operations"].contact == "ops@acme.example"


def test_every_question_is_answered_by_a_field_and_every_needed_field_is_asked():
    asked = {question.answer for question in QUESTIONS}
    assert asked <= set(Answers.__struct_fields__)
    assert {"shop", "currency", "contact", "systems"} <= asked


def test_a_connector_that_is_not_offered_is_an_error():
    with pytest.raises(KeyError, match="nosuch"):
        write(answers({"shop": "nosuch"}), OFFERS)


def test_what_is_commented_out_is_what_holds_without_it():
    text = write(answers({"shop": "shopify"}), OFFERS)
    bare = re.sub(r"(?m)^# (\w+ = )", r"\1", text)
    assert bare.count("\n") == text.count("\n") and bare != text
    assert read(bare, "mainstay.toml") == read(text, "mainstay.toml")
    assert {"listen", "port", "url", "api_token", "capture", "shortage", "reservation_s"} <= set(re.findall(r"(?m)^# (\w+) = ", text))


def test_what_can_only_come_by_event_says_so_where_no_event_can_come():
    text, heard = (write(answers({"shop": "shopify"}, url=url), OFFERS) for url in ("", "https://mainstay.acme.example"))
    note = "# Nothing can arrive here yet: shop brings this by event alone, and there is no public url to send it to."
    assert f"{note}\n[flows.payment-from-shop]\n" in text and note not in heard
    assert f"{note}\n[flows.order-from-shop]\n" not in text, "orders can be polled"
    (one,) = (one for one in found(text) if "Nothing can arrive by" in one)
    assert "payment-from-shop" in one and "warning url-missing" in one and "order-from-shop" not in one


@pytest.mark.parametrize("systems", SYSTEMS[::5], ids="+".join)
def test_every_runbook_that_a_flow_points_to_is_a_heading_of_the_page(systems):
    shop = read(write(answers(systems), OFFERS), "mainstay.toml")
    told = page(shop, template())
    headings = [f"runbooks.md#{line.removeprefix('## ')}" for line in told.splitlines() if line.startswith("## ")]
    led = {flow.runbook for flow in shop.flows.values()}
    assert len(headings) == len(set(headings)) and led | {"runbooks.md#mainstay"} <= set(headings)
    assert all(f"- `{name}`: from " in told for name in shop.flows)
    assert told.count("\nWho answers: operations (ops@acme.example)\n") == len(led)
    assert all(section.startswith("{{what}}, since") for one in headings if (section := words.section(told, one.partition("#")[2])))


def test_a_flow_of_what_the_page_does_not_know_has_a_section_all_the_same():
    text = write(answers({"shop": "shopify"}), OFFERS).replace("runbooks.md#order", "runbooks.md#parties")
    told = words.section(page(read(text, "mainstay.toml"), template()), "parties")
    assert "- `order-from-shop`: from `shop` to" in told and "One order is wrong or missing" in told


def test_every_code_that_holds_or_blocks_an_order_has_an_entry_of_the_page():
    """Those that are named in orders, wherever they are decided; and what alarms are about."""
    codes = set()
    for path in Path(orders.__file__).parent.glob("*.py"):
        known = vars(import_module(f"mainstay.orders.{path.stem}" if path.stem != "__init__" else "mainstay.orders"))
        for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
            name = getattr(call.func, "id", "")
            given = [one.value for one in call.keywords if one.arg == "reason"] if name == "Held" else []
            given += call.args[{"named": 1, "Blocker": 0}[name] :][:1] if name in ("named", "Blocker") else []
            codes |= {getattr(one, "value", None) or known.get(getattr(one, "id", "")) for one in given}
    codes -= {None}
    assert {"payment_lost", "overpaid", "over_refunded", "shipped_after_cancel", "dispute", "oversold"} <= codes and len(codes) > 15
    codes |= {"breaker_open", "connection_halted", "expired", "early", "rejected", "unknown_word", "schema", "bug", "store_damaged"}
    codes |= {"personal_data_erased", "release_differs", "unknown_sku", "sku_ambiguous", "lines_refused", "pan_redacted"}
    rows = {row for row in template().splitlines() if row.startswith("| `")}
    lacks = [code for code in sorted(codes) if not any(row.startswith(f"| `{code}` |") for row in rows)]
    assert [code for code in lacks if not words.excerpt("", [code], "x", template())] == []


def complaints(text: str) -> list[str]:
    return [error.json_path for error in Draft202012Validator(schema(OFFERS)).iter_errors(tomllib.loads(text))]


def test_the_schema_is_one_and_accepts_what_we_write():
    Draft202012Validator.check_schema(schema(OFFERS))
    assert complaints(demo(OFFERS, {}, {})) == []


@pytest.mark.parametrize(
    ("before", "after", "path"),
    [
        ('connector = "shopify"', 'connector = "shopfy"', "$.systems.shop.connector"),
        ('token = "env:SHOP_TOKEN"', "", "$.systems.shop.settings"),
        ('token = "env:SHOP_TOKEN"', 'token = "env:SHOP_TOKEN"\ntokne = 1', "$.systems.shop.settings"),
        ("[ownership.inventory.on_hand]", "[ownership.inventory.onhand]", "$.ownership.inventory"),
        ('object = "order"', 'object = "orders"', "$.flows['order-from-shop'].object"),
        ("asks_first = true", "asks_frist = true", "$.channels.webshop"),
    ],
)
def test_the_schema_refuses(before, after, path):
    text = demo(OFFERS, {}, {})
    assert before in text
    assert path in complaints(text.replace(before, after, 1))


def test_the_schema_describes_every_key_for_the_hover_text():
    parts = schema(OFFERS)["$defs"]
    for part in ("Shop", "Server", "Owner", "System", "Rule", "Channel", "Orders", "Flow"):
        assert [name for name, one in parts[part]["properties"].items() if "description" not in one] == []
