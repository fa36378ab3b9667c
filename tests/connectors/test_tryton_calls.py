"""Tryton's conversations against its twin, which keeps its own books: belief is compared with what the twin really booked."""

import json
import random
from decimal import Decimal

import pytest
from wire import NOW, Wire

from mainstay.connectors.tryton import Tryton
from mainstay.contract.connector import Done, Page, settings_of
from mainstay.contract.talk import Call, lost
from mainstay.model.commands import CapturePayment, LeftFrom, OrderLine, PostReturn, PostSale, ReturnedLine
from mainstay.model.failures import Failure, Halt, Reject, Retry, Unknown
from mainstay.model.objects import Reference
from mainstay.model.times import HOUR, MINUTE, SECOND
from mainstay.twins.imitation import Weather
from mainstay.twins.tryton import TrytonTwin

SETTINGS = {"url": "https://erp.example", "database": "shop", "login": "mainstay", "password": "twin"}
CREATE = "model.sale.sale.create"


def pair(rates: dict[str, float] | None = None, seed: int = 1, *, warns: bool = False, **settings: str) -> tuple[Wire, TrytonTwin]:
    twin = TrytonTwin(random.Random(seed), Weather(rates or {}), warns=warns)
    twin.add_product("MUG-1", 1000, 1250, NOW)
    twin.add_product("TEE-M", 1000, 1999, NOW)
    return Wire(Tryton(settings_of(Tryton, SETTINGS | settings)), twin, now=NOW + HOUR), twin


def sale(reference: str, sku: str = "MUG-1", quantity: int = 2, **change: object) -> PostSale:
    fields = {
        "key": f"int-{reference}", "reference": reference, "number": f"#{reference}", "channel": "web", "currency": "EUR",
        "placed_at": NOW, "shipped_at": NOW, "lines": (OrderLine(id="1", sku=sku, quantity=quantity, price=1250),),
        "total": 1250 * quantity,
    } | change  # fmt: skip
    return PostSale(**fields)


def split(reference: str, quantity: int = 3, there: int = 1) -> PostSale:
    """A sale of which some units left from a second warehouse."""
    return sale(reference, quantity=quantity, location="WH", elsewhere=(LeftFrom(line="1", location="EAST", quantity=there),))


def push(wire: Wire, *commands):
    return wire.run(wire.connector.push(commands))


def carry_out(wire: Wire, *sales: PostSale, tries: int = 400) -> list:
    """As lanes would: a Retry is repeated, an Unknown is looked up first, until each sale is done or refused."""
    for _ in range(tries):
        try:
            outcomes = push(wire, *sales)
        except Retry as failure:
            wire.failures.append(failure)
        except Unknown as failure:
            wire.failures.append(failure)
            wire.insist(lambda: wire.connector.look_up(sales[0]))
        else:
            if not any(isinstance(outcome, Retry | Unknown) for outcome in outcomes):
                return outcomes
        wire.now += SECOND
    raise AssertionError("the sales never came through")


def read_all(wire: Wire, feed: str, cursor: str = "") -> tuple[list, str]:
    seen = []
    while True:
        page: Page = wire.run(wire.connector.pull(feed, cursor))
        seen += [said.event for row in page.rows for said in wire.connector.translate(row.topic, row.body)]
        cursor = page.cursor
        if not page.more:
            return seen, cursor


# --- sales -----------------------------------------------------------------------------------------------------------
def test_fifty_sales_take_as_many_calls_as_one() -> None:
    wire, twin = pair()
    push(wire, sale("ord-0"))
    one = len(wire.calls)
    wire.calls.clear()
    outcomes = push(wire, *(sale(f"ord-{n}") for n in range(1, 51)))
    assert all(isinstance(outcome, Done) for outcome in outcomes)
    assert len(wire.calls) == one - 1 < 25  # less the log-in
    assert twin.totals() == {f"ord-{n}": Decimal("25.00") for n in range(51)}
    assert twin.on_hand("MUG-1") == 1000 - 2 * 51
    assert outcomes[0] == Done({"sale": "2", "invoice": "2", "shipment": "2"})


def test_a_full_sale_is_booked_to_the_cent() -> None:
    wire, twin = pair()
    full = sale(
        "ord-1",
        lines=(OrderLine(id="1", sku="TEE-M", quantity=3, price=999, discount=200), OrderLine(id="2", sku="MUG-1", quantity=1, price=500)),
        shipping=490, shipping_discount=90, tax=257, tip=100, duties=25, facilitator_tax=31, adjustment=-1, total=4109,
    )  # fmt: skip
    assert isinstance(push(wire, full)[0], Done)
    assert twin.totals() == {"ord-1": Decimal("41.09")}
    booked = twin.sales()["ord-1"]
    assert booked["description"] == "Mainstay web #ord-1"
    codes = [twin.books["product.product"][twin.books["sale.line"][line]["product"]]["code"] for line in booked["lines"]]
    assert codes == ["TEE-M", "MUG-1", "SHIPPING", "TAX", "FACILITATOR-TAX", "DUTIES", "TIP", "ADJUSTMENT", "ADJUSTMENT"]
    assert (twin.on_hand("TEE-M"), twin.on_hand("MUG-1")) == (997, 999)


def test_a_second_push_reads_and_writes_nothing() -> None:
    wire, twin = pair()
    first = push(wire, sale("ord-1"), sale("ord-2"))
    effects = list(twin.effects)
    wire.calls.clear()
    assert push(wire, sale("ord-1"), sale("ord-2")) == first
    assert twin.effects == effects
    assert {call.operation.rpartition(".")[2] for call in wire.calls} == {"get_preferences", "search_read"}


def test_a_return_comes_in_with_its_credit_note_to_the_cent() -> None:
    """3 units for 10.00 with 1.00 of shipping: what does not divide, and the 0.17 that were kept, stand on the adjustment."""
    wire, twin = pair()
    push(wire, sale("ord-1", quantity=5))
    _, cursor = read_all(wire, "moves")
    back = PostReturn(
        key="int-2", reference="ord-1.return.7", number="#ord-1", channel="web", currency="EUR", returned_at=NOW,
        lines=(ReturnedLine(id="1", sku="MUG-1", quantity=3, amount=1000, tax=57),), shipping=100, total=1140,
    )  # fmt: skip
    (first,) = push(wire, back)
    assert first == Done({"sale": "2", "credit_note": "2", "return": "1"}) and push(wire, back) == [first]
    assert wire.run(wire.connector.look_up(back)) == first
    assert twin.totals() == {"ord-1": Decimal("62.50"), "ord-1.return.7": Decimal("-11.40")}
    assert twin.returned() == {"ord-1.return.7": {"MUG-1": 3}} and twin.on_hand("MUG-1") == 1000 - 5 + 3
    booked = twin.sales()["ord-1.return.7"]
    lines = [twin.books["sale.line"][line] for line in booked["lines"]]
    codes = [twin.books["product.product"][line["product"]]["code"] for line in lines]
    assert [(code, line["quantity"], line["unit_price"]) for code, line in zip(codes, lines, strict=True)] == [
        ("MUG-1", -3, Decimal("3.33")), ("SHIPPING", -1, Decimal("1.00")), ("TAX", -1, Decimal("0.57")),
        ("ADJUSTMENT", -1, Decimal("0.01")), ("ADJUSTMENT", -1, Decimal("-0.17")),
    ]  # fmt: skip
    moves, _ = read_all(wire, "moves", cursor)
    assert [(move.sku, move.delta, move.reason) for move in moves if move.reason == "customer"] == [("MUG-1", 3, "customer")]
    assert [said.of.id for said in read_all(wire, "invoices")[0]] == ["ord-1"], "a credit note is not the invoice of the order"


@pytest.mark.parametrize("fault", ["error_after", "cut_after", "error_before", "cut_before", "throttled"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_each_sale_is_booked_once_whatever_fails(fault: str, seed: int) -> None:
    wire, twin = pair({fault: 0.2}, seed)
    for start in range(0, 40, 8):
        outcomes = carry_out(wire, *(sale(f"ord-{n}") for n in range(start, start + 8)))
        assert all(isinstance(outcome, Done) for outcome in outcomes), outcomes
    assert twin.fired[fault] > 3
    assert twin.totals() == {f"ord-{n}": Decimal("25.00") for n in range(40)}
    assert twin.on_hand("MUG-1") == 1000 - 80
    assert sorted(twin.effects) == sorted(
        (kind, f"ord-{n}", detail)
        for n in range(40)
        for kind, detail in (("sale", "created"), ("sale", "processed"), ("shipment", "done"), ("invoice", "posted"))
    )


def test_planted_bug_creating_without_looking_first_books_twice() -> None:
    """What the look-up is for: Tryton itself would take the same reference again."""
    wire, twin = pair()
    push(wire, sale("ord-1"))
    body = next(call for call in wire.calls if call.operation == CREATE)
    wire.perform(body)
    assert [kind for kind, _, detail in twin.effects if detail == "created"] == ["sale", "sale"]
    (outcome,) = push(wire, sale("ord-1"))
    assert isinstance(outcome, Reject)  # seen, and not made worse
    assert "2 sales" in outcome.why


def test_planted_bug_a_tax_of_its_own_would_be_seen() -> None:
    """If Tryton added anything to the lines, the sale would stay a draft and be refused."""
    wire, twin = pair()
    push(wire, sale("ord-1"))
    create = twin._create_sale

    def taxing(document: dict) -> int:
        number = create(document)
        twin.books["sale.sale"][number]["total_amount"] += Decimal("0.01")
        return number

    twin._create_sale = taxing  # type: ignore[method-assign]
    (outcome,) = push(wire, sale("ord-2"))
    assert (outcome.code, twin.sales()["ord-2"]["state"]) == ("totals_mismatch", "draft")


def interrupted(wire: Wire, operation: str, *sales: PostSale) -> Failure:
    """Push, and lose the answer of one operation."""
    perform = wire.perform

    def cut(call: Call):
        reply = perform(call)
        if call.operation == operation:
            raise lost(call, "cut")
        return reply

    wire.perform = cut  # type: ignore[method-assign]
    with pytest.raises((Unknown, Retry)) as failed:
        push(wire, *sales)
    wire.perform = perform  # type: ignore[method-assign]
    return failed.value


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        (CREATE, Unknown), ("model.sale.sale.quote", Retry), ("model.sale.sale.confirm", Retry),
        ("model.stock.shipment.out.assign_try", Retry),
        ("model.stock.shipment.out.pick", Retry), ("model.stock.shipment.out.do", Retry), ("model.account.invoice.post", Retry),
    ],
)  # fmt: skip
def test_a_push_that_was_interrupted_goes_on_where_it_was(operation: str, kind: type[Failure]) -> None:
    wire, twin = pair()
    sales = (sale("ord-1"), sale("ord-2", "TEE-M"))
    assert type(interrupted(wire, operation, *sales)) is kind
    found = wire.run(wire.connector.look_up(sales[0]))
    assert (found is None) == (operation != "model.account.invoice.post")
    outcomes = push(wire, *sales)
    assert all(isinstance(outcome, Done) for outcome in outcomes)
    assert wire.run(wire.connector.look_up(sales[0])) == outcomes[0]
    assert sum(detail == "created" for _, _, detail in twin.effects) == 2
    assert twin.totals() == {"ord-1": Decimal("25.00"), "ord-2": Decimal("25.00")}


def test_one_bad_sale_does_not_stop_the_others() -> None:
    wire, twin = pair()
    outcomes = push(
        wire, sale("ord-1"), sale("ord-2", "NO-SUCH"), sale("ord-3", total=2501), sale("ord-4", currency="JPY", total=2500),
        sale("ord-5", quantity=2000), CapturePayment(key="k", payment="p", amount=1, currency="EUR"), sale("ord-6"),
    )  # fmt: skip
    assert [outcome.code if isinstance(outcome, Failure) else "done" for outcome in outcomes] == [
        "done", "unknown_sku", "totals_mismatch", "currency", "rejected", "not_capable", "done",
    ]  # fmt: skip
    assert twin.totals() == {"ord-1": Decimal("25.00"), "ord-6": Decimal("25.00")}
    assert "not on hand" in outcomes[4].why
    twin.move("MUG-1", 2000, "supplier", wire.now)
    assert isinstance(push(wire, sale("ord-5", quantity=2000))[0], Done)


def test_a_call_that_is_refused_as_a_whole_is_halved() -> None:
    wire, twin = pair({"partial": 0.1}, seed=4)
    outcomes = push(wire, *(sale(f"ord-{n}") for n in range(40)))
    refused = [n for n, outcome in enumerate(outcomes) if isinstance(outcome, Reject)]
    assert twin.fired["partial"]
    assert set(twin.totals()) == {f"ord-{n}" for n in range(40) if n not in refused}
    assert sum(call.operation == CREATE for call in wire.calls) > 1


def test_warnings_are_acknowledged() -> None:
    wire, _twin = pair(warns=True)
    outcomes = push(wire, sale("ord-1"), sale("ord-2"))
    assert all(isinstance(outcome, Done) for outcome in outcomes)
    warnings = [json.loads(call.body)["params"][0][0] for call in wire.calls if call.operation == "model.res.user.warning.create"]
    assert warnings == [{"user": 1, "name": "1.invoice_taxes", "always": False}, {"user": 1, "name": "2.invoice_taxes", "always": False}]


def test_a_sale_that_was_cancelled_in_tryton_is_refused() -> None:
    wire, _twin = pair()
    interrupted(wire, CREATE, sale("ord-1"))
    wire.run(iter_call(wire, "model.sale.sale.cancel", [1]))
    (outcome,) = push(wire, sale("ord-1"))
    assert isinstance(outcome, Reject)
    assert "cancelled" in outcome.why


def iter_call(wire: Wire, method: str, *params: object):
    yield wire.connector._rpc.plain(method, *params, {})


@pytest.mark.parametrize("setting", ["party", "warehouse"])
def test_what_must_be_there_first_halts(setting: str) -> None:
    wire, _ = pair(**{setting: "NOPE"})
    with pytest.raises(Halt, match=f"`{setting}`"):
        push(wire, sale("ord-1"))


def test_a_wrong_password_halts_and_is_not_shown() -> None:
    wire, _ = pair(password="guessed")
    with pytest.raises(Halt) as halted:
        push(wire, sale("ord-1"))
    assert "guessed" not in halted.value.why


# --- feeds -----------------------------------------------------------------------------------------------------------
def test_levels_are_what_the_twin_holds() -> None:
    wire, _twin = pair()
    push(wire, sale("ord-1"))
    levels, cursor = read_all(wire, "levels")
    assert {level.sku: level.quantity for level in levels} == {"MUG-1": 998, "TEE-M": 1000}
    assert all(wire.now - SECOND <= level.at <= wire.now for level in levels)
    assert cursor == ""


def test_a_count_knows_the_moves_of_its_own_second() -> None:
    wire, twin = pair()
    wire.now = NOW + HOUR
    wire.step = 1000
    read_all(wire, "levels")  # log in
    wire.now = NOW + 2 * HOUR + SECOND // 2
    (before, *_), _ = read_all(wire, "levels")
    twin.move("MUG-1", -5, "inventory", wire.now)
    (after, *_), _ = read_all(wire, "levels")
    assert (before.quantity, after.quantity) == (1000, 995)
    assert before.at == NOW + 2 * HOUR  # the whole second that the server states
    assert after.at > before.at + SECOND // 2  # the move that the count holds: it is not applied to it again
    assert after.version > before.version


def test_what_moves_while_it_is_counted_is_left_out() -> None:
    """Its count may hold the move, which is told by itself; the next count knows it. It was counted twice."""
    wire, twin = pair()
    answer, left = twin.answer, [-5]

    def moved_before_products_are_read(request, now):
        if b"model.product.product.search_read" in request.body and left:
            twin.move("MUG-1", left.pop(), "inventory", now)
        return answer(request, now)

    twin.answer = moved_before_products_are_read
    assert {level.sku: level.quantity for level in read_all(wire, "levels")[0]} == {"TEE-M": 1000}
    assert {level.sku: level.quantity for level in read_all(wire, "levels")[0]} == {"MUG-1": 995, "TEE-M": 1000}


def test_moves_of_people_come_once_and_ours_never() -> None:
    wire, twin = pair()
    moves, cursor = read_all(wire, "moves")
    assert sorted((move.sku, move.delta) for move in moves) == [("MUG-1", 1000), ("TEE-M", 1000)]
    push(wire, sale("ord-1"))
    twin.move("MUG-1", -3, "inventory", wire.now)
    twin.move("TEE-M", 40, "supplier", wire.now)
    moves, cursor = read_all(wire, "moves", cursor)
    new = [move for move in moves if abs(move.delta) < 1000]
    assert [(move.sku, move.delta, move.reason, move.location) for move in new] == [
        ("MUG-1", -3, "inventory", "WH"), ("TEE-M", 40, "supplier", "WH"),
    ]  # fmt: skip
    wire.now += HOUR
    twin.move("MUG-1", -1, "inventory", wire.now)
    moves, _ = read_all(wire, "moves", cursor)
    assert moves[-1].delta == -1
    assert {move.external for move in moves} >= {move.external for move in new}  # the overlap is read again, under the same identity


def test_long_feeds_come_in_pages_and_skip_nothing() -> None:
    wire, twin = pair()
    for n in range(600):
        twin.add_product(f"SKU-{n:04}", n % 7, 100 + n, NOW + n * MINUTE)
    wire.now = NOW + 600 * MINUTE
    products, cursor = read_all(wire, "products")
    assert len(products) == 602
    assert {product.variants[0].price for product in products} >= set(range(100, 700))
    levels, _ = read_all(wire, "levels")
    assert {level.sku: level.quantity for level in levels if level.sku != "MUG-1" and level.sku != "TEE-M"} == {
        f"SKU-{n:04}": n % 7 for n in range(600)
    }
    twin.rename("SKU-0003", "Renamed", wire.now)
    again, _ = read_all(wire, "products", cursor)
    assert {product.title for product in again} == {"Renamed"} | {f"Product SKU-{n:04}" for n in range(589, 600)}  # ten minutes again


def test_an_archived_product_is_still_told_of_and_no_longer_counted() -> None:
    wire, twin = pair()
    _, cursor = read_all(wire, "products")
    wire.now += HOUR
    twin.archive("TEE-M", wire.now)
    products, _ = read_all(wire, "products", cursor)
    assert {product.variants[0].sku: product.status for product in products}["TEE-M"] == "archived"
    levels, _ = read_all(wire, "levels")
    assert [level.sku for level in levels] == ["MUG-1"]


def test_invoices_say_what_became_of_our_sales() -> None:
    wire, twin = pair()
    push(wire, sale("ord-1"), sale("ord-2"))
    invoices, cursor = read_all(wire, "invoices")
    assert [(invoice.of, invoice.total, invoice.state) for invoice in invoices] == [
        (Reference("order", "ord-1", "mainstay"), 2500, "posted"), (Reference("order", "ord-2", "mainstay"), 2500, "posted"),
    ]  # fmt: skip
    wire.now += HOUR
    twin.pay("ord-1", wire.now)
    invoices, _ = read_all(wire, "invoices", cursor)
    assert {invoice.of.id: invoice.state for invoice in invoices}["ord-1"] == "paid"
    assert max(invoices, key=lambda invoice: invoice.version).state == "paid"


# --- several warehouses ------------------------------------------------------------------------------------------------
def test_a_sale_is_shipped_from_the_warehouse_that_its_units_left():
    """One that Tryton does not know is none of its own, such as the default location of counts by hand: then it is the setting's."""
    wire, twin = pair()
    twin.open_warehouse("EAST")
    twin.move("MUG-1", 10, "supplier", NOW, "EAST")
    for outcome in push(wire, sale("ord-1", location="EAST"), sale("ord-2", location="WH"), sale("ord-3", location="main"), sale("ord-4")):
        assert isinstance(outcome, Done)
    assert (twin.on_hand("MUG-1", "EAST"), twin.on_hand("MUG-1", "WH")) == (8, 994)


def test_units_in_transit_between_two_warehouses_are_in_none():
    wire, twin = pair()
    twin.open_warehouse("EAST")
    before = {event.external for event in read_all(wire, "moves")[0]}
    sent = twin.send("MUG-1", 5, "WH", "EAST", NOW)

    def news() -> list:
        return [(one.location, one.delta, one.reason) for one in read_all(wire, "moves")[0] if one.external not in before]

    def counts() -> dict:
        return {one.location: one.quantity for one in read_all(wire, "levels")[0] if one.sku == "MUG-1"}

    assert news() == [("WH", -5, "transfer")] and counts() == {"WH": 995, "EAST": 0}
    twin.arrive(sent, 3, NOW)
    assert news() == [("WH", -5, "transfer"), ("EAST", 3, "transfer")] and counts() == {"WH": 995, "EAST": 3}
    twin.write_off("MUG-1", 2, NOW)
    assert len(news()) == 2, "what never arrived was on no shelf"


# --- of several warehouses ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(8))
def test_each_warehouse_has_lost_what_left_it(seed):
    """Through lost answers and lost races: whatever breaks off goes on where it is, and no unit is brought twice."""
    wire, twin = pair({"cut_after": 0.2, "cut_before": 0.1, "throttled": 0.1, "error_after": 0.1}, seed)
    twin.open_warehouse("EAST")
    twin.move("MUG-1", 10, "supplier", NOW, "EAST")
    outcomes = carry_out(wire, split("ord-1"), sale("ord-2"), split("ord-3", 4, 2))
    assert all(isinstance(one, Done) for one in outcomes), outcomes
    assert (twin.on_hand("MUG-1", "WH"), twin.on_hand("MUG-1", "EAST")) == (1000 - 2 - 2 - 2, 10 - 1 - 2)


def test_a_second_warehouse_that_does_not_count_them_is_named_and_the_sale_waits():
    wire, twin = pair()
    twin.open_warehouse("EAST")
    (short,) = push(wire, split("ord-1"))
    assert isinstance(short, Reject) and "stock.shipment.internal.assign_try" in short.why and "not on hand there" in short.why
    twin.move("MUG-1", 1, "inventory", NOW + HOUR, "EAST")
    (later,) = push(wire, split("ord-1"))
    assert isinstance(later, Done) and twin.on_hand("MUG-1", "EAST") == 0


def test_units_from_where_tryton_has_no_warehouse_are_those_of_the_sales_own():
    wire, twin = pair()
    (done,) = push(wire, split("ord-1"))
    assert isinstance(done, Done) and twin.on_hand("MUG-1", "WH") == 1000 - 3
