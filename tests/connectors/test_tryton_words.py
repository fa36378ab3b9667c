"""Tryton's words as ours, and what its answers mean, by everything that was recorded against a real server. Expectations are read off."""

import json
from pathlib import Path

import pytest

from mainstay.connectors.tryton import Tryton
from mainstay.connectors.tryton.posting import Document, Parts, Press, Sale, lines, step
from mainstay.connectors.tryton.rpc import Warned
from mainstay.connectors.tryton.words import INVOICE_BUTTON, INVOICE_STATE, SALE_BUTTON, Exact, date, exact, moment
from mainstay.contract.connector import Done, settings_of
from mainstay.contract.talk import Call, Reply
from mainstay.model.commands import OrderLine, PostSale
from mainstay.model.failures import Halt, Reject, Retry
from mainstay.model.objects import Reference, Variant
from mainstay.model.seen import InvoiceSeen, ProductSeen, StockCounted, StockMoved

TRYTON = Tryton(
    settings_of(Tryton, {"url": "https://erp.example", "database": "shop", "login": "mainstay", "password": "pw", "currency": "USD"})
)
SAMPLES = Path(__file__).parents[2] / "src/mainstay/connectors/tryton/samples"
CALL = Call(operation="probe", method="POST", path="/shop/rpc/")

# What each recorded answer of ../shared/vendor/tryton means: 44 exchanges; those that are not named here are results.
MEANS: dict[str, type[Exception]] = {
    "a00-login-wrong-password": Halt,
    "a03-db-list": Reject,  # asked of the database's path, which does not know it
    "a27-invoice-post": Warned,
    "a42-create-missing-required-error": Reject,
    "a43-unknown-model-error": Reject,
    "b00-invoice-post-warning": Warned,
}
# All three rows of stock on hand that were recorded; product, move and invoice rows were asked for less than our feeds ask (`manifest.py`).
LEVELS = {"APR-02": ("2", -12), "BRD-03": ("3", -3), "MUG-01": ("1", -40)}


def recorded(shared: Path, name: str) -> dict:
    return json.loads((shared / f"vendor/tryton/recorded/{name}.json").read_bytes())


def sample(name: str, **change: object) -> bytes:
    return json.dumps(json.loads((SAMPLES / f"{name}.json").read_bytes()) | change).encode()


def said(topic: str, body: bytes):
    (one,) = TRYTON.translate(topic, body)
    return one.event


@pytest.mark.shared
def test_what_every_recorded_answer_means(shared: Path) -> None:
    names = sorted(path.stem for path in (shared / "vendor/tryton/recorded").glob("*.json"))
    assert len(names) == 44
    assert set(MEANS) <= set(names)
    for name in names:
        answer = recorded(shared, name)["response"]
        body = answer["body"] if isinstance(answer["body"], str) else json.dumps(answer["body"])
        reply = Reply(answer["status"], {}, body.encode())
        if name in MEANS:
            with pytest.raises(MEANS[name]) as refused:
                TRYTON.judge(CALL, reply)
            assert type(refused.value) is MEANS[name], name
        else:
            assert TRYTON.judge(CALL, reply) is reply, name


@pytest.mark.shared
def test_a_recorded_warning_names_what_is_to_be_acknowledged(shared: Path) -> None:
    with pytest.raises(Warned) as warned:
        TRYTON.judge(CALL, Reply(200, {}, json.dumps(recorded(shared, "b00-invoice-post-warning")["response"]["body"]).encode()))
    acknowledged = recorded(shared, "b01-warning-acknowledge")["request"]["body"]["params"][0][0]
    assert warned.value.name == acknowledged["name"] == "9601eb2379ee3701cec28ab388a5f3c1.invoice_taxes"


@pytest.mark.shared
def test_every_state_that_tryton_declares_is_known(shared: Path) -> None:
    sale = recorded(shared, "a52-fields-get-states")["response"]["body"]["result"]["state"]["selection"]
    assert {word for word, _ in sale} == set(SALE_BUTTON)
    invoice = recorded(shared, "a54-fields-get-invoice-states")["response"]["body"]["result"]["state"]["selection"]
    assert {word for word, _ in invoice} == set(INVOICE_BUTTON) == set(INVOICE_STATE)


@pytest.mark.shared
def test_recorded_stock_on_hand(shared: Path) -> None:
    rows = recorded(shared, "a04-products-search-read-with-stock")["response"]["body"]["result"]
    assert len(rows) == 3
    for row in rows:
        item, quantity = LEVELS[row["code"]]
        body = json.dumps({"at": 1_700_000_000_000_000, "warehouse": "WH", "level": row}).encode()
        assert said("level", body) == StockCounted(
            external=f"{item}/WH", version=1_700_000_000_000_000, at=1_700_000_000_000_000, item=item, sku=row["code"],
            quantity=quantity, location="WH",
        )  # fmt: skip


# The recorder asked for less than our feeds do, so the rest is filled in. The moment is that of the recorded sale: 20 November 2026, 21:11.
WRITTEN = {
    "__class__": "datetime", "year": 2026, "month": 11, "day": 20, "hour": 21, "minute": 11, "second": 50, "microsecond": 5675,
}  # fmt: skip
WRITTEN_AT = 1_795_209_110_005_675
PRODUCTS = [
    ("2", "APR-02", "Linen apron"),
    ("3", "BRD-03", "Oak board"),
    ("1", "MUG-01", "Ceramic mug"),
]  # none has a list price


@pytest.mark.shared
def test_recorded_products(shared: Path) -> None:
    rows = recorded(shared, "a04-products-search-read-with-stock")["response"]["body"]["result"]
    for row, (item, code, name) in zip(rows, PRODUCTS, strict=True):
        rest = {"list_price_used": row["list_price"], "active": True, "last_modified_at": WRITTEN}
        body = row | rest | {"template.": {"id": 9, "last_modified_at": WRITTEN}}
        assert said("product", json.dumps(body).encode()) == ProductSeen(
            external=item, version=WRITTEN_AT, at=WRITTEN_AT, title=name, currency="USD",
            variants=(Variant(id=item, item=item, sku=code, title=name, price=None),),
        )  # fmt: skip


@pytest.mark.shared
@pytest.mark.parametrize(  # the two of four moves that left the warehouse; the two others went from the shelf to the door
    ("which", "external", "item", "sku", "delta"), [(2, "5/WH", "2", "APR-02", -1), (3, "4/WH", "1", "MUG-01", -2)]
)
def test_recorded_moves(shared: Path, which: int, external: str, item: str, sku: str, delta: int) -> None:
    row = recorded(shared, "a24-moves-of-shipment")["response"]["body"]["result"][which]
    move = row | {"internal_quantity": row["quantity"], "last_modified_at": WRITTEN, "product.": {"id": row["product"], "code": sku}}
    body = json.dumps({"warehouse": "WH", "sign": -1, "place": "customer", "move": move}).encode()
    assert said("move", body) == StockMoved(
        external=external, version=WRITTEN_AT, at=WRITTEN_AT, item=item, sku=sku, delta=delta, location="WH", reason="customer"
    )


@pytest.mark.shared
def test_a_recorded_invoice(shared: Path) -> None:
    (row,) = recorded(shared, "a25-invoice-read-draft")["response"]["body"]["result"]
    body = row | {
        "last_modified_at": WRITTEN,
        "currency.": {"id": 1, "code": "USD"},
        "sales.": [{"id": 1, "reference": "WEB-10001", "number": "7"}],
    }
    assert said("invoice", json.dumps(body).encode()) == InvoiceSeen(
        external="1", version=WRITTEN_AT, at=WRITTEN_AT, of=Reference("order", "WEB-10001", "mainstay"), currency="USD",
        total=4430, tax=0, state="draft", number="", aliases=(Reference("sale", "7"),),
    )  # fmt: skip


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "total", "shipments", "invoices", "expected"),
    [  # the recorded sale with the states of its documents as recorded beside it
        ("a37-sale-read-cancelled", 990, [], [], Reject),
        ("a13-sale-read-after-confirm", 4430, ["waiting"], ["draft"], Press("stock.shipment.out.assign_try", (1,))),
        ("a29-sale-read-shipped", 4430, ["done"], ["draft"], Press("account.invoice.post", (1,))),
        ("a29-sale-read-shipped", 4430, ["done"], ["posted"], Done({"sale": "1", "invoice": "1", "shipment": "1"})),
        ("a29-sale-read-shipped", 4431, ["done"], ["posted"], Reject),
    ],
)
def test_the_next_button_of_recorded_sales(
    shared: Path, name: str, total: int, shipments: list[str], invoices: list[str], expected: object
) -> None:
    row = recorded(shared, name)["response"]["body"]["result"][0]
    made = {
            "shipments": [Document(1, state, "1") for state in shipments], "returns": [],
            "invoices": [Document(1, state, "1") for state in invoices],
        }  # fmt: skip
    sale = Sale(row["id"], row["reference"], row["state"], Exact(row["total_amount"]["decimal"]), number=row["number"], **made)
    wanted = post(total=total, reference=row["reference"])
    if expected is Reject:
        with pytest.raises(Reject):
            step(sale, wanted)
    else:
        assert step(sale, wanted) == expected


def test_samples() -> None:
    assert said("product", sample("product")) == ProductSeen(
        external="1", version=1_795_227_840_000_005, at=1_795_227_840_000_005, title="Ceramic mug", currency="USD",
        variants=(Variant(id="1", item="1", sku="MUG-1", title="Ceramic mug", price=2500),),
    )  # fmt: skip
    assert said("level", sample("level")) == StockCounted(
        external="1/WH", version=1_795_228_883_000_000, at=1_795_228_883_000_000, item="1", sku="MUG-1", quantity=97, location="WH"
    )
    assert said("move", sample("move")) == StockMoved(
        external="17/WH", version=1_795_227_809_361_727, at=1_795_227_809_361_727, item="3", sku="BAG-1", delta=-4, location="WH",
        reason="inventory",
    )  # fmt: skip
    assert said("invoice", sample("invoice")) == InvoiceSeen(
        external="1", version=1_795_227_988_922_681, at=1_795_227_988_922_681, of=Reference("order", "ord-a", "mainstay"), currency="USD",
        total=3190, state="posted", number="1", aliases=(Reference("invoice", "1"),),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("topic", "body", "code"),
    [
        ("level", sample("level", level={"id": 1, "code": "ROPE", "quantity": 2.5}), "out_of_range"),
        ("level", sample("level", level={"id": 1, "code": "", "quantity": 2.0}), "schema"),
        ("level", sample("level", at="now"), "schema"),
        ("invoice", sample("invoice", state="evaporated"), "unknown_word"),
        ("move", sample("move", place="limbo"), "unknown_word"),
        ("invoice", sample("invoice", total_amount={"__class__": "Decimal", "decimal": "31.905"}), "scale"),
        ("invoice", sample("invoice", **{"sales.": []}), "not_business"),
        ("product", sample("product", list_price_used={"__class__": "Decimal", "decimal": "NaN"}), "amount"),
        ("product", b"[]", "not_an_object"),
        ("payslip", b"{}", "unknown_topic"),
    ],
)
def test_what_is_refused_and_why(topic: str, body: bytes, code: str) -> None:
    with pytest.raises(Reject) as refused:
        TRYTON.translate(topic, body)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (["ConcurrencyException", ["Records have been modified."]], Retry),
        (["database is locked", "Traceback"], Retry),
        (["could not serialize access due to concurrent update", ""], Retry),
        (["UserError", ["No.", "", None]], Reject),
        (["KeyError", ""], Reject),
    ],
)
def test_what_other_errors_mean(error: list, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        TRYTON.judge(CALL, Reply(200, {}, json.dumps({"id": 1, "error": error}).encode()))


def test_moments_and_amounts() -> None:
    assert moment(1_795_227_809_361_727) == {
        "__class__": "datetime", "year": 2026, "month": 11, "day": 21, "hour": 2, "minute": 23, "second": 29, "microsecond": 361_727,
    }  # fmt: skip
    assert date(1_795_227_809_361_727) == {"__class__": "date", "year": 2026, "month": 11, "day": 21}
    assert exact(-1, "EUR") == {"__class__": "Decimal", "decimal": "-0.01"}


# --- the lines of a sale ---------------------------------------------------------------------------------------------
def post(*made: OrderLine, total: int, **more: object) -> PostSale:
    fields = {"key": "k", "reference": "ord-1", "number": "#1", "channel": "web", "currency": "USD", "placed_at": 0, "shipped_at": 0}
    return PostSale(**(fields | {"lines": made, "total": total} | more))


def shown(sale: PostSale) -> list[tuple[str, int, int]]:
    return [(line.code, line.quantity, line.price) for line in lines(sale, Parts())]


def test_what_divides_is_a_unit_price_and_what_does_not_is_a_line() -> None:
    assert shown(post(OrderLine(id="1", sku="A", quantity=3, price=1000), total=3000)) == [("A", 3, 1000)]
    discounted = post(
        OrderLine(id="1", sku="A", quantity=3, price=1000, discount=100), OrderLine(id="2", sku="B", quantity=7, price=100, discount=3),
        total=3597,
    )  # fmt: skip
    # 2900 = 3 x 966 + 2; 697 = 7 x 99 + 4
    assert shown(discounted) == [("A", 3, 966), ("B", 7, 99), ("ADJUSTMENT", 1, 6)]


def test_tax_on_top_and_tax_within() -> None:
    top = post(OrderLine(id="1", sku="A", quantity=2, price=1000, tax=380), shipping=500, tax=475, total=2975)
    assert shown(top) == [("A", 2, 1000), ("SHIPPING", 1, 500), ("TAX", 1, 475)]
    within = post(OrderLine(id="1", sku="A", quantity=2, price=1190, tax=380), shipping=595, tax=475, taxes_included=True, total=2975)
    assert shown(within) == [("A", 2, 1000), ("SHIPPING", 1, 500), ("TAX", 1, 475)]


def test_everything_that_is_not_goods_has_its_own_line() -> None:
    full = post(
        OrderLine(id="1", sku="A", quantity=1, price=1000, discount=1000), shipping=490, shipping_discount=490, duties=125, tip=300,
        facilitator_tax=210, adjustment=-2, total=633,
    )  # fmt: skip
    assert shown(full) == [("A", 1, 0), ("FACILITATOR-TAX", 1, 210), ("DUTIES", 1, 125), ("TIP", 1, 300), ("ADJUSTMENT", 1, -2)]


def test_parts_that_are_not_the_total_are_refused() -> None:
    with pytest.raises(Reject) as refused:
        shown(post(OrderLine(id="1", sku="A", quantity=1, price=1000), total=1001))
    assert refused.value.code == "totals_mismatch"
    assert "1000" in refused.value.why
    assert "1001" in refused.value.why
