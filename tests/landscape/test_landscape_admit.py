"""Whose word counts, decided from the table."""

import pytest

from mainstay.landscape import GROUPS, OBJECTS, Admission, Admitted, Claim, Proposal, read
from mainstay.landscape.admit import newer
from mainstay.model import seen
from mainstay.model.objects import Order, Reference, Variant

SHOP = """
[shop]
name = "Acme"
currency = "EUR"
[systems.shop]
connector = "store"
owner = "ops"
[systems.erp]
connector = "erp"
owner = "ops"
[systems.depot]
connector = "depot"
owner = "ops"
[ownership.order.all]
create = ["shop"]
consume = ["depot"]
[ownership.order.status]
update = ["shop", "erp"]
[ownership.order.invoice]
create = ["erp"]
[ownership.inventory.on_hand]
update = ["depot", "erp"]
conflict = "owner-wins"
[ownership.product.all]
create = ["shop"]
[ownership.price.all]
update = ["erp", "shop"]
conflict = "newest-wins"
"""

ORDER = seen.OrderSeen(external="1", order=Order(number="1", currency="EUR", placed_at=0, lines=(), total=0))
COUNT = seen.StockCounted(external="c", item="i", quantity=3)


@pytest.fixture
def admission() -> Admission:
    return Admission(read(SHOP, "mainstay.toml"))


def test_every_object_has_field_groups():
    assert set(GROUPS) == set(OBJECTS) and all(GROUPS.values())


def test_every_statement_of_the_model_speaks_of_known_fields():
    from mainstay.landscape.admit import _SPEAKS

    kinds = {kind.__name__ for kind in seen.SeenEvent.__args__}
    assert {key.split()[0] for key in _SPEAKS} == kinds
    assert all(group in GROUPS[obj] for fields in _SPEAKS.values() for obj, group in fields)


@pytest.mark.parametrize(
    ("system", "obj", "group", "verb", "allowed"),
    [
        ("shop", "order", "header", "create", True),
        ("shop", "order", "header", "update", True),  # a creator's word also updates, where nobody else is named
        ("depot", "order", "lines", "consume", True),
        ("depot", "order", "lines", "update", False),
        ("erp", "order", "header", "create", False),
        ("erp", "order", "status", "update", True),  # a group's own rule …
        ("depot", "order", "status", "consume", False),  # … replaces the rule for all
        ("depot", "inventory", "on_hand", "create", True),
        ("depot", "inventory", "listing", "create", False),  # silent: nobody's
        ("shop", "customer", "identity", "create", False),
        ("stranger", "order", "header", "create", False),
    ],
)
def test_may(admission, system, obj, group, verb, allowed):
    assert admission.may(system, obj, group, verb) is allowed


def test_an_owner_is_admitted(admission):
    assert admission.admit("shop", ORDER, new=True) == Admitted(frozenset({("order", "header"), ("order", "lines"), ("order", "status")}))


def test_part_of_a_statement_may_count(admission):
    admitted = admission.admit("erp", ORDER, new=False)
    assert isinstance(admitted, Admitted) and admitted.parts == {("order", "status")}
    assert admitted.proposed == {("order", "header"), ("order", "lines")}
    assert admitted.reason == '"erp" may not update order.header, order.lines; see [ownership] in mainstay.toml'


def test_a_document_goes_by_who_may_create_or_update(admission):
    assert isinstance(admission.admit("depot", ORDER, new=None), Proposal)
    assert admission.admit("depot", COUNT, new=None) == Admitted(frozenset({("inventory", "on_hand")}))


def test_fields_are_contested_where_several_may_change_what_is_shared(admission):
    assert admission.contested == {("inventory", "on_hand"), ("price", "all")}, "an order is a document of whoever brought it"


def test_a_stranger_to_the_fields_only_proposes(admission):
    proposal = admission.admit("depot", ORDER, new=True)
    assert isinstance(proposal, Proposal)
    assert proposal.reason == '"depot" may not create order.header, order.lines, order.status; see [ownership] in mainstay.toml'


def test_an_object_without_rules_is_a_proposal(admission):
    payment = seen.PaymentSeen(external="p", currency="EUR", status="captured")
    assert isinstance(admission.admit("shop", payment, new=True), Proposal)


def test_a_system_that_is_not_declared_is_a_proposal(admission):
    assert admission.admit("ghost", ORDER, new=True) == Proposal('"ghost" is not a system of this shop')


def test_what_a_count_measures_decides_whose_it_is(admission):
    assert admission.admit("depot", COUNT, new=False) == Admitted(frozenset({("inventory", "on_hand")}))
    available = seen.StockCounted(external="c", item="i", quantity=3, measure="available")
    assert isinstance(admission.admit("depot", available, new=False), Proposal)


def test_a_product_with_prices_speaks_of_prices(admission):
    bare = seen.ProductSeen(external="p", variants=(Variant(id="v", sku="s"),))
    priced = seen.ProductSeen(external="p", variants=(Variant(id="v", sku="s"), Variant(id="w", sku="t", price=0)))
    assert ("price", "all") not in admission.admit("shop", bare, new=True).parts
    assert ("price", "all") in admission.admit("shop", priced, new=True).parts


def test_a_hint_speaks_of_nothing_and_passes(admission):
    assert admission.admit("shop", seen.Hint(external="1", feed="orders"), new=True) == Admitted(frozenset())


def test_an_invoice_of_the_books_counts(admission):
    invoice = seen.InvoiceSeen(external="i", of=Reference("order", "1"))
    assert admission.admit("erp", invoice, new=True) == Admitted(frozenset({("order", "invoice")}))


def test_the_first_owner_wins_however_they_arrive(admission):
    depot, erp = Claim("depot", 3, 100), Claim("erp", 9, 900)
    assert admission.winner("inventory", "on_hand", depot, erp) == depot
    assert admission.winner("inventory", "on_hand", erp, depot) == depot


def test_the_newest_wins_where_that_is_declared(admission):
    erp, shop = Claim("erp", 3, 100), Claim("shop", 1, 200)
    assert admission.winner("price", "all", erp, shop) == shop
    assert admission.winner("price", "all", shop, erp) == shop


def test_a_speaker_against_itself_goes_by_its_version(admission):
    old, new = Claim("erp", 3, 500), Claim("erp", 4, 100)
    assert admission.winner("price", "all", new, old) == new
    assert admission.winner("price", "all", old, new) == new


@pytest.mark.parametrize(("known", "said", "counts"), [(3, 4, True), (3, 3, False), (4, 3, False), (0, 1, True), (7, 0, True)])
def test_newer(known, said, counts):
    assert newer(known, said) is counts
