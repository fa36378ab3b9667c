"""However often, in whatever order, in whatever batches: the same state. And the log alone gives it back, byte for byte."""

import itertools
import random

import msgspec
import pytest

from mainstay.flows import journey
from mainstay.flows.ask import AskedLine, ReserveRequest
from mainstay.flows.rebuild import COMPARED, verify
from mainstay.model.objects import Reference
from mainstay.model.seen import RefundSeen, StockCounted, StockMoved
from mainstay.storage.packing import Damaged, unpack
from tests.flows.conftest import T0, Core, a_parcel, a_payment, an_order


def known(core, external="1"):
    """What is known of an order, without how often and when we were told."""
    plain = msgspec.to_builtins(core.order(external))
    for accidental in ("marks", "heard", "updated_at", "id", "items"):
        plain.pop(accidental, None)
    return plain


STATEMENTS = [
    ("shop", an_order(version=1, payments=("pi_1",), total=1001)),
    ("shop", an_order(version=2, payments=("pi_1",))),
    ("psp", a_payment(version=1)),
    ("psp", a_payment(status="captured", version=2)),
    ("psp", RefundSeen(external="re_1", version=3, of=Reference("payment", "pi_1"), currency="EUR", amount=100)),
    ("shop", RefundSeen(external="51", version=1, of=Reference("order", "1"), currency="EUR", amount=100)),  # the same money
]


def test_every_order_of_arrival_gives_the_same_state(tmp_path):
    outcomes = {}
    for n, order in enumerate(itertools.permutations(STATEMENTS)):
        core = Core(tmp_path / f"{n}.db", batch=len(order))
        core.count("A", 5)
        core.flush()
        for system, said in order:
            core.say(system, said)
        core.flush()
        state = known(core)
        state["shares"] = [share[3:] for share in state["shares"]]
        balances = tuple(sorted(core.rows("SELECT name, balance FROM account WHERE balance <> 0")))
        outcomes.setdefault((msgspec.json.encode(state, order="sorted"), balances), []).append(n)
        core.state.close()
    assert len(outcomes) == 1, f"{len(outcomes)} different outcomes, e.g. {[found[0] for found in outcomes.values()]}"


CANCELLED = {
    "lines said": (("1", 2),),
    "all that was released": (),
}


@pytest.mark.parametrize("units", CANCELLED.values(), ids=CANCELLED)
def test_a_cancelled_order_whose_goods_left_is_named_in_every_order_of_arrival(tmp_path, units):
    """When the cancellation comes decides whether the order stands or falls: the limit that decision 4 names. Either way the two
    units are gone, a person hears of it, and the books hold the order or nothing of it."""
    told = [
        ("shop", an_order(version=1, payments=("pi_1",))),
        ("psp", a_payment()),
        ("wms", a_parcel("p1", "rel.shop.1.1", units)),
        ("shop", an_order(version=2, payments=("pi_1",), cancelled_at=1)),
    ]
    for n, order in enumerate(itertools.permutations(told)):
        core = Core(tmp_path / f"{n}.db")
        core.count("A", 5)
        for system, said in order:
            core.say(system, said)
        state, names = core.order(), [said.external for _, said in order]
        assert core.level("A") == {"on_hand": 3, "allocated": 0, "reserved": 0, "deficit": 0, "unbooked": 2}, names
        balances = dict(core.rows("SELECT name, balance FROM account WHERE balance <> 0"))
        asked = {one.command for one in state.effects.values()}
        if state.status == "cancelled":
            assert "shipped_after_cancel" in state.holds and balances == {} and "VoidPayment" in asked, names
        else:
            assert state.status == "shipped" and "cancelled_after_shipment" in state.holds, names
            assert balances == {"receivable:shop": 1000, "sales:shop": -1000} and {"CapturePayment", "PostSale"} <= asked, names
        assert core.rows("SELECT body FROM letter WHERE code = 'bug'") == []
        core.state.close()


@pytest.mark.parametrize("holder", ["shop", "psp"])
def test_paid_cancelled_and_given_back_in_two_parts_ends_with_empty_books_in_every_order_of_arrival(tmp_path, holder):
    """The channel took the money itself, or others did at a provider."""
    paid = ("pi_1",) if holder == "psp" else ()
    about = Reference("payment", "pi_1") if paid else Reference("order", "1")
    told = [
        ("shop", an_order(version=1, payments=paid)),
        ("shop", an_order(version=2, payments=paid, cancelled_at=1)),
        *((holder, RefundSeen(external=f"re_{back}", version=back, of=about, currency="EUR", amount=back)) for back in (300, 700)),
        *([("psp", a_payment(status="captured"))] if paid else ()),
    ]
    for n, order in enumerate(itertools.permutations(told)):
        core = Core(tmp_path / f"{n}.db")
        core.count("A", 5)
        for system, said in order:
            core.say(system, said)
        core.answer(f"{core.order().uid}:release.1.withdraw", core.order().id)
        names = [said.external for _, said in order]
        assert core.order().status == "cancelled", names
        assert core.rows("SELECT name, balance FROM account WHERE balance <> 0") == [], names
        assert core.rows("SELECT body FROM letter WHERE code = 'bug'") == []
        core.state.close()


def test_stock_moves_and_counts_end_the_same_in_every_order(tmp_path):
    """Six at the moment 100 hold what moved before it; then eight leave and five come."""
    ends = set()
    told = [
        StockCounted(external="c1", at=T0 + 100, item="i-A", sku="A", quantity=6),
        StockMoved(external="m1", at=T0 + 50, item="i-A", sku="A", delta=2),
        StockMoved(external="m2", at=T0 + 150, item="i-A", sku="A", delta=-8),
        StockMoved(external="m3", at=T0 + 200, item="i-A", sku="A", delta=5),
        StockCounted(external="c2", at=T0 + 30, item="i-A", sku="A", quantity=1),
    ]
    for n, order in enumerate(itertools.permutations(told)):
        core = Core(tmp_path / f"{n}.db", batch=len(told))
        for said in order:
            core.say("wms", said)
        ends.add(tuple(core.level("A").items()))
        core.state.close()
    assert ends == {(("on_hand", 3), ("allocated", 0), ("reserved", 0), ("deficit", 0), ("unbooked", 0))}


@pytest.mark.parametrize("copies", [2, 5])
def test_duplicates_change_nothing_and_are_counted(tmp_path, copies):
    once, often = Core(tmp_path / "once.db"), Core(tmp_path / "often.db")
    for core in (once, often):
        core.count("A", 5)
    for n, (system, said) in enumerate(STATEMENTS):
        once.say(system, said, key=f"event-{n}")
        for _ in range(copies):
            often.say(system, said, key=f"event-{n}")
    assert known(once) == known(often)
    assert once.rows("SELECT count(*) FROM transfer") == often.rows("SELECT count(*) FROM transfer")
    assert once.rows("SELECT count(*) FROM intent") == often.rows("SELECT count(*) FROM intent")
    assert sum(often.tally().values()) == 1 + copies * len(STATEMENTS), "every receipt ends as exactly one outcome"
    assert often.tally()["duplicate"] == (copies - 1) * len(STATEMENTS)


def a_busy_day(core, seed):
    """Many orders over few units, told in a shuffled, doubled order."""
    dice = random.Random(seed)
    for sku in "ABC":
        core.count(sku, 20)
    told = []
    for n in range(1, 25):
        lines = tuple((sku, dice.randrange(1, 4), 500) for sku in dice.sample("ABC", dice.randrange(1, 3)))
        paid = sum(units * price for _, units, price in lines)
        told.append(("shop", an_order(str(n), lines=lines, payments=(f"pi_{n}",))))
        told.append(("psp", a_payment(f"pi_{n}", amount=paid)))
        told.append(("wms", a_parcel(f"p{n}", f"rel.shop.{n}.1")))
        if dice.random() < 0.2:
            told.append(("shop", an_order(str(n), version=2, lines=lines, payments=(f"pi_{n}",), cancelled_at=core.now)))
    dice.shuffle(told)
    for n, (system, said) in enumerate(told + told[:10]):
        core.say(system, said, key=f"e{n % len(told)}")
        for cart in range(n % 4):
            wanted = ReserveRequest(lines=(AskedLine(dice.choice("ABC"), dice.randrange(1, 4)),), expires_in_s=60)
            core.receive("till", "api/reserve", f"cart-{n}-{cart}", msgspec.json.encode(wanted))
    core.flush()


def everything(core):
    """Every row; of the log every event, as reservations of one batch that come one after the other share a row."""
    log = []
    for seq, _, kind, entity, body in core.rows("SELECT seq, at, kind, entity, body FROM event ORDER BY seq"):
        told = msgspec.json.decode(unpack(body))
        log += [(kind, *one) for one in told] if kind == "reservations" else [(seq, kind, entity, told)]
    return {table: core.state.rows(f"compare_{table}") for table in COMPARED} | {"event": log}


@pytest.mark.parametrize("change", ["at = at + 1", "kind = 'item'", "entity = entity + 1"])
def test_a_row_of_the_log_whose_columns_say_something_else_is_named(tmp_path, change):
    core = Core(tmp_path / "state.db")
    core.say("shop", an_order())
    core.flush()
    core.state.connection.execute(f"UPDATE event SET {change} WHERE seq = 1")
    verdict = verify(core.path, tmp_path / "rebuilt.db", core.shop)
    assert verdict.differences[0].startswith("event 1 (") and "something else than was written" in verdict.differences[0]


@pytest.mark.parametrize("seed", range(4))
def test_batching_changes_no_state_no_id_and_no_intent(tmp_path, seed):
    made = []
    for batch in (1, 7, 1000):
        core = Core(tmp_path / f"{batch}.db", batch=batch)
        a_busy_day(core, seed)
        made.append(everything(core))
    assert made[0] == made[1] == made[2]


@pytest.mark.parametrize("seed", range(4))
def test_the_log_alone_gives_the_state_back(tmp_path, seed):
    core = Core(tmp_path / "state.db", batch=9)
    a_busy_day(core, seed)
    verdict = verify(core.path, tmp_path / "rebuilt.db", core.shop)
    assert verdict.identical, verdict.differences
    assert verdict.rows["orders"] == 24 and verdict.rows["transfer"] > 20


@pytest.mark.parametrize(
    "since", [{"payment_us": 5 * 60_000_000}, {"behind": frozenset()}, {"main": "cellar"}], ids=lambda since: next(iter(since))
)
def test_the_log_proves_itself_whatever_is_declared_since(tmp_path, since):
    """A shorter time-out, an ERP that is gone: what was folded under the old settings is rebuilt under them."""
    core = Core(tmp_path / "state.db", batch=9)
    a_busy_day(core, 1)
    core.say("shop", an_order("99", payments=("pi_99",)))
    core.flush()
    declared = msgspec.structs.replace(core.shop, **since)
    assert verify(core.path, tmp_path / "rebuilt.db", declared).identical
    core.state.close()
    core.shop = declared
    core.open()
    for sku in "ABC":
        core.count(sku, 40)
    core.say("shop", an_order("100", payments=("pi_100",)))
    core.flush()
    assert core.rows("SELECT count(*) FROM event WHERE kind = 'settings'") == [(2,)], "once each, not with every batch"
    for shop in (declared, msgspec.structs.replace(declared, payment_us=1, behind=frozenset({"shop"}), main="elsewhere")):
        verdict = verify(core.path, tmp_path / f"again-{shop.payment_us}.db", shop)
        assert verdict.identical, verdict.differences


CHANGES = {
    "orders": "UPDATE orders SET body = CAST(substr(body, 1, 40) || char(1) || substr(body, 42) AS BLOB)",
    "stock": "UPDATE stock SET on_hand = on_hand + 1",
    "account": "UPDATE account SET balance = balance + 1 WHERE id = 1",
    "intent": "UPDATE intent SET at = at + 1 WHERE id = 1",
    "xref": "UPDATE xref_new SET entity = entity + 1 WHERE n = 2",
    "timer": "DELETE FROM timer",
    "word": "UPDATE word SET text = 'location/elsewhere' WHERE text = 'location/main'",
    **{f"counter {name}": f"UPDATE counter SET value = 3 WHERE name = '{name}'" for name in ("entity", "event", "intent", "transfer")},
    "counter settings": "UPDATE counter SET value = value + 1 WHERE name = 'settings'",
    "every receipt up to a position ended once": "UPDATE counter SET value = value + 5 WHERE name = 'position/inbox'",
    "(receipts, ended)": "UPDATE tally SET n = n + 1 WHERE outcome = 'applied'",
    "('handled', 1": "UPDATE counter SET value = 1 WHERE name = 'handled'",
    "('level_change', 1": "UPDATE counter SET value = 1 WHERE name = 'level_change'",
}


def test_names_that_were_only_asked_for_are_no_difference(tmp_path):
    core = Core(tmp_path / "state.db")
    core.say("psp", RefundSeen(external="re_1", version=1, of=Reference("charge", "nobody"), currency="EUR", amount=1))
    core.flush()
    assert ("psp/charge",) in core.rows("SELECT text FROM word")
    assert verify(core.path, tmp_path / "rebuilt.db", core.shop).identical


def test_two_locations_keep_their_numbers(tmp_path):
    """A count that is refused as stale gives none out."""
    core = Core(tmp_path / "state.db")
    for at, location in ((5, "east"), (4, "east"), (5, "west"), (6, "east")):
        core.say("erp", StockCounted(external=f"c{at}", at=at, item="i-A", sku="A", quantity=at, location=location))
    core.say("erp", StockCounted(external="x", at=1, item="i-unknown", quantity=1, location="north"))
    core.flush()
    assert core.rows("SELECT text FROM word WHERE text LIKE 'location/%' ORDER BY id") == [("location/east",), ("location/west",)]
    verdict = verify(core.path, tmp_path / "rebuilt.db", core.shop)
    assert verdict.identical, verdict.differences


@pytest.mark.parametrize("table", CHANGES)
def test_a_byte_changed_by_hand_is_found(tmp_path, table):
    core = Core(tmp_path / "state.db")
    a_busy_day(core, 1)
    core.state.connection.execute(CHANGES[table])
    verdict = verify(core.path, tmp_path / "rebuilt.db", core.shop)
    assert not verdict.identical and any(table in difference for difference in verdict.differences), verdict.differences


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("CAST(substr(body, 1, 60) || char(1) || substr(body, 62) AS BLOB)", "its bytes cannot be read: "),  # the body is packed
        ('CAST(\'[{"event":"Heard"\' AS BLOB)', "its bytes cannot be read: Input data was truncated"),
        ('CAST(\'[{"event":"Sung"}]\' AS BLOB)', "its bytes cannot be read: Invalid value 'Sung'"),
        ("x''", "its bytes cannot be read: "),
        ('CAST(\'[{"event":"Moved","move":"settle"}]\' AS BLOB)', "it cannot be folded: "),
    ],
)
def test_a_row_of_the_log_that_is_damaged_is_named(tmp_path, change, said):
    core = Core(tmp_path / "state.db")
    a_busy_day(core, 1)
    seq, kind, entity = core.rows("SELECT seq, kind, entity FROM event WHERE kind = 'order' AND length(body) > 100 LIMIT 1")[0]
    core.state.connection.execute(f"UPDATE event SET body = {change} WHERE seq = {seq}")
    verdict = verify(core.path, tmp_path / "rebuilt.db", core.shop)
    assert not verdict.identical and len(verdict.differences) == 1
    assert verdict.differences[0].startswith(f"event {seq} ({kind} {entity}): {said}"), verdict.differences


def test_an_order_that_is_damaged_is_named_and_stops_nothing_else(tmp_path):
    """Whoever asks for it is told so; what comes for it becomes a dead letter that says so; other orders go on."""
    core = Core(tmp_path / "state.db")
    core.count("A", 5)
    core.say("shop", an_order())
    number = core.order().id
    core.state.connection.execute("UPDATE orders SET body = CAST(substr(body, 1, 60) || char(1) || substr(body, 62) AS BLOB)")
    core.world.reset()
    with pytest.raises(Damaged, match="mainstay verify"):
        journey.order(core.state, number)
    core.say("shop", an_order(version=2))
    assert core.rows("SELECT code FROM letter") == [("store_damaged",)]
    core.say("shop", an_order("2"))
    assert core.order("2").status == "released"


def test_a_commit_that_fails_leaves_nothing_and_can_be_repeated(tmp_path, monkeypatch):
    core = Core(tmp_path / "state.db")
    core.count("A", 5)
    before = everything(core)
    write = core.state.write
    monkeypatch.setattr(core.state, "write", lambda batch: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError):
        core.say("shop", an_order())
    assert everything(core) == before
    monkeypatch.setattr(core.state, "write", write)
    core.intake.take("inbox", [core.receipts[core.seq]], core.now)
    assert core.order().status == "released"
