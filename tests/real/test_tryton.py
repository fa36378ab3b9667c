"""The connector against a real Tryton 8.2 on SQLite: an ERP that others wrote, installed from PyPI, started here and stopped here."""

from __future__ import annotations

import datetime
import gzip
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from referee import environment

from mainstay.connectors.tryton import Tryton
from mainstay.contract.connector import Done, Page, Session, settings_of
from mainstay.contract.talk import Call, Reply, Talk, converse, lost
from mainstay.model.commands import LeftFrom, OrderLine, PostReturn, PostSale, ReturnedLine
from mainstay.model.failures import Reject, Unknown
from mainstay.model.objects import Reference

pytestmark = [pytest.mark.real, pytest.mark.slow]

HOME = Path(__file__).parents[2] / ".real" / "tryton"
PACKAGES = ("trytond>=8.2,<8.3", "trytond-sale>=8.2,<8.3")
PASSWORD = "mainstay-test"
EXTRAS = ("SHIPPING", "TAX", "FACILITATOR-TAX", "DUTIES", "TIP", "ADJUSTMENT")
SETTINGS = {"database": "shop", "login": "admin", "password": PASSWORD, "currency": "USD"}


class Line:
    """A connector on a wire to the real server: one call at a time over urllib. `cut_after` loses the answer of that operation once."""

    def __init__(self, url: str) -> None:
        self.connector = Tryton(settings_of(Tryton, SETTINGS | {"url": url}))
        self.session: Session | None = None
        self.calls: list[str] = []
        self.cut_after = ""
        self.context: dict[str, Any] = {}  # as the ERP's own client sends it

    def run(self, talk: Talk[Any]) -> Any:
        if self.session is None:
            self.session = converse(self.connector.login(), self._perform)
        return converse(talk, self._perform)

    def push(self, *sales: PostSale | PostReturn) -> list[Any]:
        return self.run(self.connector.push(sales))

    def read_all(self, feed: str, cursor: str = "") -> tuple[list[Any], str]:
        """All statements of a pass, and the cursor after it."""
        seen = []
        while True:
            page: Page = self.run(self.connector.pull(feed, cursor))
            seen += [said.event for row in page.rows for said in self.connector.translate(row.topic, row.body)]
            cursor = page.cursor
            if not page.more:
                return seen, cursor

    def rpc(self, method: str, *params: Any) -> Any:
        """A call beside the connector: what a person at the ERP does, who answers yes to every warning."""

        def one() -> Talk[Any]:
            reply = yield from self.connector._rpc._insist(self.connector._rpc.plain(method, *params))
            return reply.json()["result"]

        return self.run(one())

    def _perform(self, call: Call) -> Reply:
        self.calls.append(call.operation)
        url = self.connector.endpoints()["api"] + call.path
        headers = {**call.headers, **self.connector.headers(call, url, self.session, 0)}
        request = urllib.request.Request(url, call.body, headers, method=call.method)
        try:
            with urllib.request.urlopen(request, timeout=call.timeout_s) as answer:
                status, body, given = answer.status, answer.read(), answer.headers
        except urllib.error.HTTPError as error:
            status, body, given = error.code, error.read(), error.headers
        if given.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        if call.operation == self.cut_after:
            self.cut_after = ""
            raise lost(call, "the connection was cut")
        return self.connector.judge(call, Reply(status, {name.lower(): value for name, value in given.items()}, body))


# --- the server ------------------------------------------------------------------------------------------------------
def _initialised(programs: Path, folder: Path, port: int) -> Path:
    """A configuration and a database with the schema of sale and its dependencies; the seed is made once and copied."""
    config = folder / "trytond.conf"
    sections = {"database": f"uri = sqlite://\npath = {folder}", "web": f"listen = 127.0.0.1:{port}", "password": "length = 4"}
    config.write_text("".join(f"[{name}]\n{text}\n" for name, text in sections.items()))
    seed = HOME / "seed-8.2.sqlite"
    if not seed.exists():
        (folder / "shop.sqlite").touch()
        (folder / "password").write_text(PASSWORD + "\n")
        modules = ["-u", "ir", "res", "sale", "--activate-dependencies"]  # without ir and res the administrator may do nothing
        subprocess.run(
            [programs / "trytond-admin", "-c", config, "-d", "shop", *modules, "--email", "admin@example.com", "-p"],
            env=os.environ | {"TRYTONPASSFILE": str(folder / "password")},
            stdin=subprocess.DEVNULL,
            check=True,
            capture_output=True,
            timeout=300,
        )
        shutil.copy(folder / "shop.sqlite", seed)
    shutil.copy(seed, folder / "shop.sqlite")
    return config


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a fresh Tryton on a free port of the loopback; stopped by its own id at the end."""
    programs, folder = environment("tryton", "trytond", PACKAGES), tmp_path_factory.mktemp("tryton")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = _initialised(programs, folder, port)
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen([programs / "trytond", "-c", config, "-d", "shop"], stdout=log, stderr=log)
        try:
            _wait_for(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=20)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert process.poll() is None, "trytond ended at once; see server.log"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    pytest.fail("trytond did not listen within 30 s")


# --- a company that can sell -----------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def shop(server: str) -> Line:
    """Company, chart of accounts, fiscal year, products with 100 units each, service products, the collective customer."""
    line = Line(server)
    dollar = _create(
        line, "currency.currency", name="US Dollar", symbol="$", code="USD", numeric_code="840", digits=2, rounding=_exact("0.01")
    )
    party = _create(line, "party.party", name="Real Shop Inc.")
    company = _create(line, "company.company", party=party, currency=dollar)
    (user,) = line.rpc("model.res.user.search", [["login", "=", "admin"]], 0, None, None, {})
    line.rpc("model.res.user.write", [user], {"companies": [["add", [company]]], "company": company}, {})
    line.context = line.rpc("model.res.user.get_preferences", True, {})
    _chart(line, company)
    _fiscal_year(line, company)
    _products(line, company)
    _create(line, "party.party", name="Web customers", code="WEB", addresses=[["create", [{"street": "-"}]]])
    return line


def _exact(text: str) -> dict[str, str]:
    return {"__class__": "Decimal", "decimal": text}


def _day(day: datetime.date) -> dict[str, Any]:
    return {"__class__": "date", "year": day.year, "month": day.month, "day": day.day}


def _create(line: Line, model: str, **values: Any) -> int:
    return line.rpc(f"model.{model}.create", [values], line.context)[0]


def _account(line: Line, kind: str) -> int:
    return line.rpc("model.account.account.search", [[f"type.{kind}", "=", True], ["closed", "!=", True]], 0, 1, None, line.context)[0]


def _chart(line: Line, company: int) -> None:
    (template,) = line.rpc("model.account.account.template.search", [["parent", "=", None]], 0, None, None, line.context)
    session, start, _ = line.rpc("wizard.account.create_chart.create", line.context)
    line.rpc("wizard.account.create_chart.execute", session, {}, start, line.context)
    chosen = {"account": {"company": company, "account_template": template}}
    line.rpc("wizard.account.create_chart.execute", session, chosen, "create_account", line.context)
    line.rpc("wizard.account.create_chart.delete", session, {})
    defaults = {"default_account_receivable": _account(line, "receivable"), "default_account_payable": _account(line, "payable")}
    (configuration,) = line.rpc("model.account.configuration.search", [], 0, None, None, line.context)
    line.rpc("model.account.configuration.write", [configuration], defaults, line.context)


def _fiscal_year(line: Line, company: int) -> None:
    year = datetime.datetime.now(datetime.UTC).year
    kinds = {row["name"]: row["id"] for row in line.rpc("model.ir.sequence.type.search_read", [], 0, None, None, ["name"], {})}
    moves = _create(line, "ir.sequence.strict", name="Move", sequence_type=kinds["Account Move"], company=company)
    invoices = _create(line, "ir.sequence.strict", name="Invoice", sequence_type=kinds["Invoice"], company=company)
    numbers = dict.fromkeys(
        ("out_invoice_sequence", "in_invoice_sequence", "out_credit_note_sequence", "in_credit_note_sequence"), invoices
    )
    fiscal = _create(
        line, "account.fiscalyear", name=str(year), company=company, start_date=_day(datetime.date(year, 1, 1)),
        end_date=_day(datetime.date(year, 12, 31)), move_sequence=moves, invoice_sequences=[["create", [{"company": company, **numbers}]]],
    )  # fmt: skip
    line.rpc("model.account.fiscalyear.create_period", [fiscal], line.context)


def _products(line: Line, company: int) -> None:
    (unit,) = line.rpc("model.product.uom.search", [["name", "=", "Unit"]], 0, None, None, {})
    accounts = {"account_revenue": _account(line, "revenue"), "account_expense": _account(line, "expense")}
    category = _create(line, "product.category", name="Goods", accounting=True, **accounts)
    for code in ("MUG-1", "TEE-M", "BAG-1", *EXTRAS):
        _create(
            line, "product.template", name=code.title(), code=code, default_uom=unit, type="service" if code in EXTRAS else "goods",
            salable=True, sale_uom=unit, list_price=_exact("25.00"), account_category=category, products=[["create", [{}]]],
        )  # fmt: skip
    for code in ("MUG-1", "TEE-M", "BAG-1"):
        count(line, code, 100)


def count(line: Line, code: str, quantity: float) -> None:
    """A person counts the shelf and confirms the inventory."""
    (product,) = line.rpc("model.product.product.search", [["code", "=", code]], 0, None, None, line.context)
    (storage,) = line.rpc("model.stock.location.search", [["code", "=", "STO"]], 0, None, None, line.context)
    today = _day(datetime.datetime.now(datetime.UTC).date())
    lines = [["create", [{"product": product, "quantity": quantity}]]]
    inventory = _create(line, "stock.inventory", location=storage, company=1, date=today, lines=lines)
    line.rpc("model.stock.inventory.confirm", [inventory], line.context)


def sales_in_tryton(line: Line, prefix: str) -> list[dict[str, Any]]:
    fields = [
        "reference",
        "state",
        "total_amount",
        "shipment_state",
        "invoices.state",
        "invoices.total_amount",
        "shipments.state",
        "lines.quantity",
    ]
    return line.rpc(
        "model.sale.sale.search_read", [["reference", "like", f"{prefix}%"]], 0, None, [["reference", "ASC"]], fields, {"company": 1}
    )


def on_hand(line: Line) -> dict[str, int]:
    levels, _ = line.read_all("levels")
    return {level.sku: level.quantity for level in levels}


def sale(reference: str, *lines: OrderLine, **change: Any) -> PostSale:
    now = int(time.time()) * 1_000_000
    fields = {
        "key": f"int-{reference}", "reference": reference, "number": f"#{reference}", "channel": "web", "currency": "USD",
        "placed_at": now, "shipped_at": now, "lines": lines,
    } | change  # fmt: skip
    return PostSale(**fields)


PLAIN = sale("ord-a1", OrderLine(id="1", sku="MUG-1", quantity=2, price=1250), total=2500)
TAXED = sale(  # 3 x 9.99 - 2.00 discount; shipping 4.90 - 0.90; tax 2.57 on top
    "ord-a2",
    OrderLine(id="1", sku="TEE-M", quantity=3, price=999, discount=200, tax=257),
    shipping=490,
    shipping_discount=90,
    tax=257,
    total=3454,
)
HELD = sale(  # prices hold the tax: 2 x 11.90 with 3.80 tax, shipping 5.95 with 0.95; tip, duties, the marketplace's tax, a rounding
    "ord-a3", OrderLine(id="1", sku="BAG-1", quantity=2, price=1190, tax=380), shipping=595, tax=475, taxes_included=True, tip=300,
    duties=125, facilitator_tax=210, adjustment=-2, total=3608,
)  # fmt: skip


# --- tests -----------------------------------------------------------------------------------------------------------
def test_several_orders_become_sales_shipments_and_posted_invoices_to_the_cent(shop: Line) -> None:
    before = on_hand(shop)
    unknown = sale("ord-a4", OrderLine(id="1", sku="NO-SUCH", quantity=1, price=100), total=100)
    wrong = sale("ord-a5", OrderLine(id="1", sku="MUG-1", quantity=1, price=100), total=101)
    outcomes = shop.push(PLAIN, TAXED, unknown, HELD, wrong)
    assert [type(outcome).__name__ for outcome in outcomes] == ["Done", "Done", "Reject", "Done", "Reject"], outcomes
    assert [outcomes[2].code, outcomes[4].code] == ["unknown_sku", "totals_mismatch"]
    assert {"sale", "invoice", "shipment"} == set(outcomes[0].references)

    booked = sales_in_tryton(shop, "ord-a")
    assert [(one["reference"], one["total_amount"]["decimal"], one["shipment_state"]) for one in booked] == [
        ("ord-a1", "25.00", "sent"), ("ord-a2", "34.54", "sent"), ("ord-a3", "36.08", "sent"),
    ]  # fmt: skip
    for one in booked:
        assert [shipment["state"] for shipment in one["shipments."]] == ["done"]
        assert [(invoice["state"], invoice["total_amount"]["decimal"]) for invoice in one["invoices."]] == [
            ("posted", one["total_amount"]["decimal"])
        ]
    after = on_hand(shop)
    assert {code: before[code] - after[code] for code in before} == {"MUG-1": 2, "TEE-M": 3, "BAG-1": 2}


def test_the_second_push_makes_nothing_twice(shop: Line) -> None:
    first = shop.push(PLAIN, TAXED)
    before = on_hand(shop)
    shop.calls.clear()
    assert shop.push(PLAIN, TAXED) == first
    assert not [call for call in shop.calls if "search_read" not in call and "get_preferences" not in call]
    assert len(sales_in_tryton(shop, "ord-a")) == 3
    assert on_hand(shop) == before


def test_an_interrupted_push_is_looked_up_and_goes_on(shop: Line) -> None:
    pushed = [sale(f"ord-b{n}", OrderLine(id="1", sku="MUG-1", quantity=1, price=700), total=700) for n in range(3)]
    shop.cut_after = "model.sale.sale.create"
    with pytest.raises(Unknown):
        shop.push(*pushed)
    assert [one["state"] for one in sales_in_tryton(shop, "ord-b")] == ["draft"] * 3  # created, and we did not hear of it
    assert shop.run(shop.connector.look_up(pushed[0])) is None  # not through: a push goes on with it
    shop.cut_after = "model.stock.shipment.out.pack"
    with pytest.raises(Exception, match="cut"):
        shop.push(*pushed)
    outcomes = shop.push(*pushed)
    assert all(isinstance(outcome, Done) for outcome in outcomes)
    assert shop.run(shop.connector.look_up(pushed[0])) == outcomes[0]
    assert [(one["shipment_state"], one["invoices."][0]["state"]) for one in sales_in_tryton(shop, "ord-b")] == [("sent", "posted")] * 3


def test_what_people_do_in_tryton_comes_back_and_what_we_did_does_not(shop: Line) -> None:
    shop.push(PLAIN)
    _, cursor = shop.read_all("moves")
    was = on_hand(shop)["TEE-M"]
    count(shop, "TEE-M", was - 4)
    shop.push(sale("ord-c1", OrderLine(id="1", sku="TEE-M", quantity=1, price=999), total=999))
    moves, _ = shop.read_all("moves", cursor)
    (mine,) = [move for move in moves if move.sku == "TEE-M" and move.delta < 0]
    assert (mine.delta, mine.location, mine.reason) == (-4, "WH", "inventory")
    assert sorted((move.sku, move.delta) for move in moves if move.delta > 0) == [("BAG-1", 100), ("MUG-1", 100), ("TEE-M", 100)]
    assert on_hand(shop)["TEE-M"] == was - 5


def test_one_sale_that_cannot_be_shipped_does_not_stop_the_others(shop: Line) -> None:
    much = sale("ord-d1", OrderLine(id="1", sku="MUG-1", quantity=500, price=1), total=500)
    good = sale("ord-d2", OrderLine(id="1", sku="BAG-1", quantity=1, price=100), total=100)
    short, fine = shop.push(much, good)
    assert isinstance(fine, Done)
    assert isinstance(short, Reject)
    assert "not on hand" in short.why
    count(shop, "MUG-1", 600)
    (later,) = shop.push(much)
    assert isinstance(later, Done)


def test_what_came_back_stands_on_the_shelf_and_on_a_credit_note_and_is_booked_once(shop: Line) -> None:
    """2 of 3 units come back with their tax and part of the shipping; the answer to a button is lost on the way."""
    sold = sale("ord-e1", OrderLine(id="1", sku="TEE-M", quantity=3, price=999, tax=300), shipping=490, tax=300, total=3787)
    assert isinstance(shop.push(sold)[0], Done)
    moves, cursor = shop.read_all("moves")
    invoices, bills = shop.read_all("invoices")
    before = on_hand(shop)["TEE-M"]
    back = PostReturn(
        key="int-e1", reference="ord-e1.return.9", number="#ord-e1", channel="web", currency="USD", returned_at=sold.placed_at,
        lines=(ReturnedLine(id="1", sku="TEE-M", quantity=2, amount=1997, tax=200),), shipping=245, total=2500,
    )  # fmt: skip
    unpaid = msgspec.structs.replace(
        back, key="int-e2", reference="ord-e1.return.10", lines=(ReturnedLine(id="1", sku="TEE-M", quantity=1),), shipping=0, total=0
    )
    shop.cut_after = "model.stock.shipment.out.return.receive"
    with pytest.raises(Exception, match="cut"):
        shop.push(back, unpaid)
    assert shop.run(shop.connector.look_up(back)) is None
    booked = shop.push(back, unpaid)
    assert all(isinstance(one, Done) and {"sale", "credit_note", "return"} == set(one.references) for one in booked), booked
    assert shop.push(back, unpaid) == booked
    assert shop.run(shop.connector.look_up(back)) == booked[0]

    notes = {one["reference"]: one for one in sales_in_tryton(shop, "ord-e1.return")}
    assert {name: one["total_amount"]["decimal"] for name, one in notes.items()} == {
        "ord-e1.return.9": "-25.00",
        "ord-e1.return.10": "0.00",
    }
    (credit,) = notes["ord-e1.return.9"]["invoices."]
    assert (credit["state"], credit["total_amount"]["decimal"]) == ("posted", "-25.00")
    assert on_hand(shop)["TEE-M"] == before + 3

    again, _ = shop.read_all("moves", cursor)
    known = {move.external for move in moves}
    came = [move for move in again if move.external not in known]
    assert sorted((move.sku, move.delta, move.location, move.reason) for move in came) == [
        ("TEE-M", 1, "WH", "customer"), ("TEE-M", 2, "WH", "customer"),
    ]  # fmt: skip
    told, _ = shop.read_all("invoices", bills)
    assert {one.of.id for one in told} <= {one.of.id for one in invoices}, "a credit note is not the order's invoice"


def test_products_levels_and_invoices_come_out(shop: Line) -> None:
    shop.push(PLAIN, TAXED)
    products, cursor = shop.read_all("products")
    assert {"MUG-1", "TEE-M", "BAG-1"} <= {product.variants[0].sku for product in products}
    mug = next(product for product in products if product.variants[0].sku == "MUG-1")
    assert (mug.variants[0].price, mug.currency, mug.status) == (2500, "USD", "active")
    again, _ = shop.read_all("products", cursor)
    assert {product.version for product in again} <= {product.version for product in products}
    (bag,) = shop.rpc("model.product.product.search", [["code", "=", "BAG-1"]], 0, None, None, shop.context)
    shop.rpc("model.product.product.write", [bag], {"active": False}, shop.context)
    told, _ = shop.read_all("products", cursor)
    assert {product.variants[0].sku: product.status for product in told}["BAG-1"] == "archived"
    shop.rpc("model.product.product.write", [bag], {"active": True}, shop.context)
    levels, _ = shop.read_all("levels")
    assert all(abs(level.at / 1e6 - time.time()) < 30 for level in levels)
    assert {level.location for level in levels} == {"WH"}
    invoices, _ = shop.read_all("invoices")
    posted = next(invoice for invoice in invoices if invoice.of == Reference("order", "ord-a2", "mainstay"))
    assert (posted.total, posted.currency, posted.state) == (3454, "USD", "posted")


def test_units_travel_between_two_warehouses_and_a_sale_leaves_from_its_own(shop: Line) -> None:
    """Five leave, three arrive: what is in transit stands in no warehouse. Afterwards a unit is sold from the second one."""
    (product,) = shop.rpc("model.product.product.search", [["code", "=", "BAG-1"]], 0, None, None, shop.context)
    (unit,) = shop.rpc("model.product.uom.search", [["name", "=", "Unit"]], 0, None, None, {})
    (home,) = shop.rpc("model.stock.location.search", [["code", "=", "STO"]], 0, None, None, shop.context)
    zones = {part: _create(shop, "stock.location", name=f"East {part}", type="storage") for part in ("input", "output", "storage")}
    named = {f"{part}_location": place for part, place in zones.items()}
    _create(shop, "stock.location", name="East", code="EAST", type="warehouse", **named)
    before, (_, cursor) = _levels_of(shop, "BAG-1"), shop.read_all("moves")
    moved = {"product": product, "quantity": 5.0, "unit": unit, "from_location": home, "to_location": zones["storage"], "company": 1}
    sent = _create(
        shop, "stock.shipment.internal", company=1, from_location=home, to_location=zones["storage"], moves=[["create", [moved]]]
    )
    for button in ("wait", "assign_try", "pack", "ship"):
        shop.rpc(f"model.stock.shipment.internal.{button}", [sent], shop.context)
    assert _levels_of(shop, "BAG-1") == {"WH": before["WH"] - 5, "EAST": 0}

    coming = [["shipment", "=", f"stock.shipment.internal,{sent}"], ["to_location", "=", zones["storage"]]]
    (move,) = shop.rpc("model.stock.move.search", coming, 0, None, None, shop.context)
    shop.rpc("model.stock.move.write", [move], {"quantity": 3.0}, shop.context)
    shop.rpc("model.stock.shipment.internal.do", [sent], shop.context)
    assert _levels_of(shop, "BAG-1") == {"WH": before["WH"] - 5, "EAST": 3}
    told, _ = shop.read_all("moves", cursor)
    ours = sorted((one.location, one.delta) for one in told if one.sku == "BAG-1" and one.reason == "transfer")
    assert ours == [("EAST", 3), ("WH", -5)]

    sold = sale("ord-w1", OrderLine(id="1", sku="BAG-1", quantity=1, price=700), total=700, location="EAST")
    assert isinstance(shop.push(sold)[0], Done)
    assert _levels_of(shop, "BAG-1") == {"WH": before["WH"] - 5, "EAST": 2}

    _, cursor = shop.read_all("moves")
    lines = (OrderLine(id="1", sku="BAG-1", quantity=4, price=700), OrderLine(id="2", sku="MUG-1", quantity=1, price=100))
    split = sale("ord-w2", *lines, total=2900, location="WH", elsewhere=(LeftFrom(line="1", location="EAST", quantity=2),))
    for operation in ("model.stock.shipment.internal.create", "model.stock.shipment.internal.ship"):
        shop.cut_after = operation
        with pytest.raises(Exception, match="cut"):
            shop.push(split)
    assert isinstance(shop.push(split)[0], Done)
    assert _levels_of(shop, "BAG-1") == {"WH": before["WH"] - 7, "EAST": 0}, "as it left: two from each"
    told, _ = shop.read_all("moves", cursor)
    assert not [one for one in told if one.location == "EAST" and one.at > split.placed_at], "what a sale of ours moved is no news"


def _levels_of(line: Line, sku: str) -> dict[str, int]:
    levels, _ = line.read_all("levels")
    return {level.location: level.quantity for level in levels if level.sku == sku}


def test_a_wrong_password_halts(server: str) -> None:
    line = Line(server)
    line.connector = Tryton(settings_of(Tryton, SETTINGS | {"url": server, "password": "wrong"}))
    with pytest.raises(Exception, match="401"):
        line.run(line.connector.pull("levels", ""))
