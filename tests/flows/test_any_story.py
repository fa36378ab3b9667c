"""Any well-formed story, however mad: the core takes it all, stays consistent at every commit, and the log gives it back."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mainstay.flows.rebuild import CONSERVED, verify
from mainstay.model.objects import Line, Order, Reference, UnitsOf
from mainstay.model.seen import (
    DisputeSeen,
    FulfilmentSeen,
    InvoiceSeen,
    OrderSeen,
    PaymentSeen,
    RefundSeen,
    ReturnSeen,
    SettlementLineSeen,
    StockCounted,
    StockMoved,
)
from mainstay.model.times import DAY
from tests.flows.conftest import T0, Core

names = st.sampled_from(["1", "2"])
versions = st.integers(0, 4)
moments = st.integers(T0 - 5_000, T0 + 50_000)
amounts = st.integers(0, 3000)
skus = st.sampled_from("ABC")
few = st.integers(0, 4)
line_ids = st.sampled_from(["l1", "l2", "l3"])
of = st.one_of(
    st.builds(Reference, st.just("order"), names, st.just("shop")),
    st.builds(lambda n: Reference("release", f"rel.shop.{n}.1", "mainstay"), names),
    st.builds(lambda n: Reference("payment", f"pi_{n}", "psp"), names),
)
lines = st.lists(
    st.builds(Line, id=line_ids, sku=skus, quantity=few, price=amounts, discount=few, cancelled=st.integers(0, 2), ships=st.booleans()),
    max_size=3, unique_by=lambda line: line.id,
)  # fmt: skip


def adds_up(said: OrderSeen) -> OrderSeen:
    """As sources state it; one that states total 1 is left as it is, and held."""
    order = said.order
    return said if order.total == 1 else replace(said, order=replace(order, total=order.total - order.difference()))


orders = st.builds(
    OrderSeen, external=names, version=versions, at=moments,
    order=st.builds(
        Order, number=st.just("#"), currency=st.just("EUR"), placed_at=st.just(T0), lines=lines.map(tuple), total=few,
        tax=st.integers(0, 50), gift_cards=st.integers(0, 50), payment=st.sampled_from(["pending", "authorised", "captured", "voided"]),
        payments=st.sampled_from([(), (), (Reference("payment", "pi_1", "psp"),), (Reference("payment", "pi_2", "psp"),)]),
        cancelled_at=st.sampled_from([None] * 5 + [T0]), fulfilled_by=st.sampled_from(["merchant"] * 4 + ["marketplace"]),
    ),
).map(adds_up)  # fmt: skip
units = st.lists(st.builds(UnitsOf, line_ids, few), max_size=3).map(tuple)
SAID = {
    "shop": orders,
    "psp": st.one_of(
        st.builds(
            PaymentSeen, external=st.sampled_from(["pi_1", "pi_2"]), version=versions, currency=st.just("EUR"),
            status=st.sampled_from(["pending", "authorised", "captured", "voided", "refunded"]), authorised=amounts, captured=amounts,
            order=st.none() | st.builds(Reference, st.just("order"), names, st.just("shop")),
        ),
        st.builds(RefundSeen, external=st.sampled_from(["re_1", "re_2"]), version=versions, of=of, currency=st.just("EUR"), amount=amounts),
        st.builds(
            SettlementLineSeen, external=st.sampled_from(["txn_1", "txn_2"]), kind=st.just("charge"), currency=st.just("EUR"),
            gross=amounts, net=amounts, fee=amounts, of=of,
        ),
        st.builds(DisputeSeen, external=st.just("dp_1"), of=of, currency=st.just("EUR"), amount=amounts, status=st.just("lost")),
    ),
    "wms": st.one_of(
        st.builds(
            FulfilmentSeen, external=st.sampled_from(["p1", "p2"]), version=versions, at=moments, of=of, lines=units,
            status=st.sampled_from(["pending", "shipped", "delivered", "cancelled"]), tracking=st.sampled_from([(), ("1Z",), ("2Z",)]),
        ),
        st.builds(ReturnSeen, external=st.just("rma_1"), of=of, status=st.just("received")),
    ),
    "erp": st.one_of(
        st.builds(StockCounted, external=st.just("c"), at=moments, item=skus, sku=skus, quantity=st.integers(-2, 9)),
        st.builds(StockMoved, external=st.builds(str, few), at=moments, item=st.just("i"), sku=skus, delta=st.integers(-9, 9)),
        st.builds(InvoiceSeen, external=st.just("7"), version=versions, of=of, state=st.sampled_from(["draft", "posted", "cancelled"])),
    ),
}  # fmt: skip
SAID["market"] = orders
steps = st.lists(
    st.one_of(
        *(st.tuples(st.just(system), said) for system, said in SAID.items()),
        st.tuples(st.just("answers"), st.sampled_from(["done", "unknown", "rejected"])),
        st.tuples(st.just("retry"), st.integers(1, 60)),
        st.tuples(st.just("time"), st.integers(0, 2 * DAY)),
    ),
    max_size=30,
)


def consistent(core):
    assert core.rows("SELECT body FROM letter WHERE code = 'bug'") == []
    for rule, name in CONSERVED.items():
        assert core.state.rows(name) == [], rule
    for state in core.world.orders.values():
        for share in state.shares:
            assert 0 <= share.shipped <= share.released <= share.quantity
    held = core.rows("SELECT sum(allocated) FROM stock")[0][0] or 0
    assert held == sum(share.quantity - share.shipped for state in core.world.orders.values() for share in state.shares)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(steps, st.sampled_from([1, 4, 100]))
def test_any_story_is_taken_and_told_again(tmp_path_factory, steps, batch):
    folder = tmp_path_factory.mktemp("story")
    core = Core(folder / "state.db", batch=batch)
    for sku in "AB":
        core.count(sku, 6)
    for what, how in steps:
        if what == "time":
            core.wait(how)
        elif what == "retry":
            core.receive("operator", "operator/retry", str(how), b"{}")
        elif what == "answers":
            core.flush()
            asked = [(key, state.id) for state in core.world.orders.values() for key, one in state.effects.items() if one.outcome != "done"]
            for key, number in asked:
                core.answer(key, number, how, system="wms")
        else:
            core.say(what, how)
    core.flush()
    consistent(core)
    assert sum(core.tally().values()) == core.seq, "every receipt ends as exactly one outcome"
    verdict = verify(core.path, folder / "rebuilt.db", core.shop)
    assert verdict.identical, verdict.differences
    core.state.close()
