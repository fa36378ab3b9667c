"""Old counts, movements, products and prices read again: what was read wrongly is put right, and nothing since is undone."""

import msgspec
import pytest
from msgspec.structs import replace

from mainstay.flows import journey
from mainstay.model.objects import Address, Person, Variant
from mainstay.model.seen import PriceSeen, ProductSeen, Said, StockCounted, StockMoved
from mainstay.model.state import ItemState
from mainstay.storage.packing import unpack
from tests.flows.conftest import a_parcel, an_order, translate
from tests.flows.test_replay import replayed, unreadable


def reads(core, system, **more):
    """From now on this is how a system's statements are read: with these fields, or with what a function makes of the statement."""

    def read(topic, body):
        (one,) = translate(topic, body)
        meant = {name: how for name, how in more.items() if hasattr(one.event, name)}
        return [Said(replace(one.event, **{name: how(one.event) if callable(how) else how for name, how in meant.items()}), None)]

    core.shop.translate[system] = read


def details(job):
    return [one["detail"] for one in job["results"]]


def unchanged(job):
    return job["results"] == [] and job["unchanged"] == job["letters"]


def counts(core, quantity, sku="A", at=None, **more):
    said = StockCounted(external=f"count-{sku}", at=at or core.now, item=f"i-{sku}", sku=sku, quantity=quantity, **more)
    return core.say("erp", said)


def moves(core, delta, sku="A", external="m1", at=None, **more):
    return core.say("erp", StockMoved(external=external, at=at or core.now, item=f"i-{sku}", sku=sku, delta=delta, **more))


def item(core, sku="A"):
    (body,) = core.rows(f"SELECT body FROM item WHERE sku = '{sku}'")[0]
    return msgspec.json.decode(body, type=ItemState)


def tenfold(said):
    return said.quantity * 10


def sell(core, units=2):
    """An order of A that leaves, and is booked in the ERP."""
    core.say("shop", an_order(lines=(("A", units, 500),)))
    order = core.order()
    core.answer("ord.shop.1:release.1", order.id, release="77")
    core.say("wms", a_parcel("p1", "rel.shop.1.1", [("1", units)]))
    core.answer("ord.shop.1:sale", order.id, sale="S1", invoice="INV-1")


# --- counts ------------------------------------------------------------------------------------------------------------
def test_a_count_that_was_read_in_packs_is_put_right_and_sold_units_stay_sold(proved):
    count = counts(proved, 5)
    sell(proved)
    assert proved.level("A") == {"on_hand": 3, "allocated": 0, "reserved": 0, "deficit": 0, "unbooked": 0}
    reads(proved, "erp", quantity=tenfold)
    assert details(replayed(proved, count)) == ["corrected: StockCounted count-A"]
    assert proved.level("A")["on_hand"] == 48, "fifty were there then, and two have left"
    assert unchanged(replayed(proved, count)) and proved.level("A")["on_hand"] == 48


def test_a_count_that_was_too_high_leaves_what_is_missing_by_name(proved):
    count = counts(proved, 50)
    proved.say("shop", an_order(lines=(("A", 8, 500),)))
    reads(proved, "erp", quantity=lambda said: said.quantity // 10)
    replayed(proved, count)
    assert proved.level("A") == {"on_hand": 5, "allocated": 8, "reserved": 0, "deficit": 3, "unbooked": 0}


def test_a_count_of_a_moment_before_a_later_one_changes_nothing(proved):
    first = counts(proved, 5)
    counts(proved, 7)
    reads(proved, "erp", quantity=tenfold)
    assert unchanged(replayed(proved, first)) and proved.level("A")["on_hand"] == 7


def test_of_two_counts_of_one_moment_the_last_one_counts(proved):
    at = proved.now
    first, last = counts(proved, 5, at=at), counts(proved, 6, at=at)
    reads(proved, "erp", quantity=tenfold)
    assert details(replayed(proved, first, last)) == ["corrected: StockCounted count-A"]
    assert proved.level("A")["on_hand"] == 60


def test_a_count_that_was_not_believed_is_not_believed_now(proved):
    """It came while a shipment was on its way to the ERP: nobody could say whether it held it."""
    counts(proved, 10)
    proved.say("shop", an_order())
    proved.answer("ord.shop.1:release.1", proved.order().id, release="77")
    proved.say("wms", a_parcel("p1", "rel.shop.1.1", [("1", 2)]))
    doubtful = counts(proved, 10)
    proved.answer("ord.shop.1:sale", proved.order().id, sale="S1")
    reads(proved, "erp", quantity=tenfold)
    assert unchanged(replayed(proved, doubtful)) and proved.level("A")["on_hand"] == 8


def test_a_count_that_was_never_taken_does_not_bring_back_what_left_since(proved):
    """Nobody could read it then. Since then units left that it held, and the ERP has booked them."""
    counts(proved, 10)
    proved.shop.translate["erp"] = unreadable
    late = counts(proved, 10)
    proved.shop.translate["erp"] = translate
    sell(proved)
    assert proved.level("A")["unbooked"] == 0
    assert unchanged(replayed(proved, late)) and proved.level("A")["on_hand"] == 8


@pytest.mark.parametrize(("sold", "there"), [(True, 8), (False, 10)])
def test_a_retry_of_an_old_count_does_not_bring_back_what_left_since(proved, sold, there):
    """As a replay does: it is taken where nothing has left that it may still hold, and else the letter says why not."""
    counts(proved, 10)
    proved.shop.translate["erp"] = unreadable
    counts(proved, 10)
    proved.shop.translate["erp"] = translate
    if sold:
        sell(proved)
    (letter,) = journey.letters(proved.state)
    status, told = proved.ask("operator", "operator/retry", str(letter["id"]), {"by": "ann"})
    assert (status, proved.level("A")["on_hand"]) == (200, there) and ("next count" in told["detail"]) is sold


def test_a_count_that_nobody_could_place_is_taken_when_its_item_has_a_name(proved):
    late = proved.say("erp", StockCounted(external="count-A", at=proved.now, item="i-A", quantity=10))
    assert details(replayed(proved, late)) == [
        "refused: StockCounted count-A: unknown_sku: item 'i-A' of erp belongs to no SKU that is known"
    ]
    assert len(journey.letters(proved.state)) == 1, "no second letter"
    proved.say("erp", ProductSeen(external="p", version=1, title="A", variants=(Variant(id="i-A", sku="A"),)))
    assert details(replayed(proved, late)) == ["taken: StockCounted count-A"]
    assert proved.level("A")["on_hand"] == 10 and journey.letters(proved.state) == []
    assert unchanged(replayed(proved, late))


def test_an_order_that_waits_gets_the_units_that_were_there_all_along(proved):
    count = counts(proved, 1)
    proved.say("shop", an_order(lines=(("A", 5, 500),)))
    assert proved.order().status == "backordered" or proved.order().short
    reads(proved, "erp", quantity=tenfold)
    replayed(proved, count)
    assert proved.order().status == "released" and proved.level("A")["allocated"] == 5


def test_damaged_units_are_put_right_too(proved):
    counts(proved, 10)
    damaged = counts(proved, 1, measure="damaged")
    reads(proved, "erp", quantity=lambda said: 4 if said.measure == "damaged" else said.quantity)
    assert details(replayed(proved, damaged)) == ["corrected: StockCounted count-A"]
    assert proved.rows("SELECT on_hand, damaged FROM stock") == [(10, 4)]


def test_what_was_counted_as_on_hand_and_was_damaged_is_counted_where_it_belongs(proved):
    count = counts(proved, 3)
    reads(proved, "erp", measure="damaged")
    assert details(replayed(proved, count)) == ["taken: StockCounted count-A"] and unchanged(replayed(proved, count))
    assert proved.rows("SELECT on_hand, damaged FROM stock") == [(3, 3)], "what is on hand, its next count says"


def test_a_count_that_speaks_of_another_moment_now_is_refused(proved):
    count = counts(proved, 3)
    reads(proved, "erp", at=lambda said: said.at + 1, quantity=tenfold)
    assert details(replayed(proved, count)) == [
        "refused: StockCounted count-A: it speaks of another moment than it did: the next count puts it right"
    ]
    assert proved.level("A")["on_hand"] == 3


# --- movements ---------------------------------------------------------------------------------------------------------
def test_a_movement_of_the_wrong_number_is_put_right_by_the_difference(proved):
    counts(proved, 10)
    move = moves(proved, 2)
    moves(proved, 3, external="m2")
    reads(proved, "erp", delta=lambda said: said.delta * 12 if said.external == "m1" else said.delta)
    assert details(replayed(proved, move)) == ["corrected: StockMoved m1"]
    assert proved.level("A")["on_hand"] == 37 and unchanged(replayed(proved, move))
    counts(proved, 5, at=proved.receipts[move].at - 2_000)
    assert proved.level("A")["on_hand"] == 32, "a count of before it is followed by what it is now"


def test_a_movement_that_a_later_count_holds_is_left(proved):
    move = moves(proved, 2)
    counts(proved, 24)
    reads(proved, "erp", delta=24)
    assert unchanged(replayed(proved, move)) and proved.level("A")["on_hand"] == 24


def test_a_movement_of_the_wrong_sku_is_taken_from_it_and_given_to_the_right_one_once(proved):
    counts(proved, 10)
    counts(proved, 10, sku="B")
    move = moves(proved, 4)
    reads(proved, "erp", sku="B", item="i-B")
    assert details(replayed(proved, move)) == ["corrected: StockMoved m1"]
    assert (proved.level("A")["on_hand"], proved.level("B")["on_hand"]) == (10, 14)
    assert unchanged(replayed(proved, move))
    assert (proved.level("A")["on_hand"], proved.level("B")["on_hand"]) == (10, 14)
    reads(proved, "erp", sku="C", item="i-C")
    assert details(replayed(proved, move)) == ["refused: StockMoved m1: it was put right once already: move its units by hand"]
    assert (proved.level("A")["on_hand"], proved.level("B")["on_hand"]) == (10, 14)


def test_a_movement_at_the_wrong_location_is_moved(proved):
    move = moves(proved, 4, location="north")
    reads(proved, "erp", location="south")
    assert details(replayed(proved, move)) == ["corrected: StockMoved m1"] and unchanged(replayed(proved, move))
    reads(proved, "erp", location="north")
    assert details(replayed(proved, move)) == ["corrected: StockMoved m1"]
    assert sorted(proved.rows("SELECT on_hand FROM stock")) == [(0,), (4,)]


def test_what_two_messages_told_of_one_movement_counts_once(proved):
    moves(proved, 4)
    again = moves(proved, 4)
    assert proved.level("A")["on_hand"] == 4 and unchanged(replayed(proved, again))
    reads(proved, "erp", delta=5)
    assert unchanged(replayed(proved, again)) and proved.level("A")["on_hand"] == 4


# --- products and prices -----------------------------------------------------------------------------------------------
def product(core, version=1, price=500, title="Mug", system="erp", variants=("A",)):
    made = tuple(Variant(id=f"v-{sku}", sku=sku, price=price) for sku in variants)
    return core.say(system, ProductSeen(external="p1", version=version, title=title, currency="EUR", variants=made))


def priced(core, price, version=1, system="erp"):
    return core.say(system, PriceSeen(external="price-A", version=version, sku="A", price=price, currency="EUR", at=core.now))


def in_minor_units(said):
    return tuple(replace(one, price=one.price * 100) for one in said.variants)


def test_a_product_whose_price_was_read_in_the_wrong_unit_is_put_right_and_told(proved):
    receipt = product(proved, price=5, variants=("A", "B"))
    told = proved.rows("SELECT count(*) FROM price_change")[0][0]
    reads(proved, "erp", variants=in_minor_units)
    assert details(replayed(proved, receipt)) == ["corrected: ProductSeen p1"]
    assert item(proved, "A").prices == item(proved, "B").prices == {"erp": (500, "EUR")}
    assert proved.rows("SELECT count(*) FROM price_change")[0][0] == told + 1 and unchanged(replayed(proved, receipt))


def test_a_later_price_is_not_undone_by_an_older_product(proved):
    receipt = product(proved, price=5)
    priced(proved, 700)
    reads(proved, "erp", variants=lambda said: in_minor_units(said) if isinstance(said, ProductSeen) else said.variants, title="Cup")
    assert details(replayed(proved, receipt)) == ["corrected: ProductSeen p1"]
    assert (item(proved).title, item(proved).prices) == ("Cup", {"erp": (700, "EUR")}) and unchanged(replayed(proved, receipt))


def test_a_product_of_before_a_later_one_changes_nothing(proved):
    receipt = product(proved, title="Mug")
    product(proved, version=2, title="Big mug")
    reads(proved, "erp", title="Cup")
    assert unchanged(replayed(proved, receipt)) and item(proved).title == "Big mug"


def test_only_the_variants_that_differ_are_heard_again(proved):
    receipt = product(proved, variants=("A", "B"))
    rows = proved.rows("SELECT count(*) FROM event WHERE kind = 'item'")[0][0]
    reads(proved, "erp", variants=lambda said: (replace(said.variants[0], price=900), said.variants[1]))
    replayed(proved, receipt)
    assert proved.rows("SELECT count(*) FROM event WHERE kind = 'item'")[0][0] == rows + 1
    assert item(proved, "A").prices["erp"] == (900, "EUR") and item(proved, "B").prices["erp"] == (500, "EUR")


def test_a_variant_that_was_not_read_is_taken(proved):
    reads(proved, "erp", variants=lambda said: said.variants[:1])
    receipt = product(proved, variants=("A", "B"))
    reads(proved, "erp")
    assert details(replayed(proved, receipt)) == ["taken: ProductSeen p1"] and item(proved, "B").ids == {"erp": "v-B"}
    assert unchanged(replayed(proved, receipt))


def test_nothing_is_renamed(proved):
    receipt = product(proved)
    reads(proved, "erp", variants=lambda said: tuple(replace(one, sku="A-1") for one in said.variants))
    assert details(replayed(proved, receipt)) == [
        "refused: ProductSeen p1: erp calls another SKU 'v-A' so far, and a replay renames nothing"
    ]
    assert proved.rows("SELECT count(*) FROM item WHERE sku = 'A-1'") == [(0,)]


def test_a_price_is_put_right_unless_a_later_one_came(proved):
    first = priced(proved, 5)
    reads(proved, "erp", price=lambda said: said.price * 100)
    assert details(replayed(proved, first)) == ["corrected: PriceSeen price-A"] and item(proved).prices == {"erp": (500, "EUR")}
    priced(proved, 6, version=2)
    reads(proved, "erp", price=lambda said: said.price * 1_000)
    assert unchanged(replayed(proved, first)) and item(proved).prices == {"erp": (600, "EUR")}


def test_the_word_of_another_system_that_counts_is_not_undone(proved):
    """The shop stands before the ERP in the ownership of prices."""
    first = priced(proved, 5)
    priced(proved, 800, system="shop")
    reads(proved, "erp", price=500)
    assert unchanged(replayed(proved, first)) and item(proved).prices == {"erp": (5, "EUR"), "shop": (800, "EUR")}
    assert proved.rows("SELECT count(*) FROM proposal") == [(0,)], "and it is no proposal, however often it is replayed"


# --- buyers ------------------------------------------------------------------------------------------------------------
def test_an_address_that_was_read_wrongly_is_put_right_in_the_vault(proved):
    proved.count("A", 50)
    there = Address(name="Ada", street="Rua 1", city="Lisboa", country="PT")
    receipt = proved.say("shop", an_order(), Person(id="81", name="Ada", shipping=replace(there, city="Rua 1", street="Lisboa")))
    proved.shop.translate["shop"] = lambda topic, body: [
        Said(one.event, replace(one.person, shipping=there)) for one in translate(topic, body)
    ]
    assert details(replayed(proved, receipt)) == ["corrected: OrderSeen 1"]
    (body,) = (body for body, *_ in proved.rows("SELECT body FROM vault"))
    assert msgspec.json.decode(unpack(body), type=Person).shipping == there and unchanged(replayed(proved, receipt))


def test_who_was_erased_stays_erased(proved):
    proved.count("A", 50)
    receipt = proved.say("shop", an_order(), Person(id="81", name="Ada", email="ada@buyers.example"))
    proved.ask("operator", "operator/erase", "", {"who": "ord.shop.1"})
    proved.shop.translate["shop"] = lambda topic, body: [
        Said(one.event, replace(one.person, name="Ada L.")) for one in translate(topic, body)
    ]
    assert unchanged(replayed(proved, receipt)) and proved.rows("SELECT max(length(body)) FROM vault") == [(0,)]
