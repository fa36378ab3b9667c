"""Who is listened to, and who is told, by the flows of the clean shop."""

import pytest

from mainstay.landscape import Traffic, read


@pytest.fixture
def traffic(clean):
    return lambda before="", after="": Traffic(read(clean.replace(before, after) if before else clean, "mainstay.toml"))


def test_a_system_is_told_where_a_flow_goes_to_it_and_it_may_consume(traffic):
    assert traffic().told("depot", "ReleaseOrder") and traffic().told("shop", "SetLevel")
    assert not traffic().told("shop", "ReleaseOrder"), "no flow of orders goes to the shop"
    assert not traffic('targets = ["shop", "market", "till"]', 'targets = ["market", "till"]').told("shop", "SetLevel")
    assert not traffic('consume = ["shop", "market", "till"]', 'consume = ["market", "till"]').told("shop", "SetLevel")


def test_what_becomes_of_an_order_is_told_to_whoever_brought_it(traffic):
    assert traffic().told("market", "CancelOrder") and not traffic().told("depot", "CancelOrder")


def test_each_source_has_its_own_takers(traffic):
    two = traffic('source = "market"\ntargets = ["depot"]', 'source = "market"\ntargets = ["mainstay"]')
    assert list(two.takers("shop", "ReleaseOrder")) == ["depot"] and list(two.takers("market", "ReleaseOrder")) == []


def test_only_what_a_flow_brings_is_brought(traffic):
    assert [flow.every_s for flow in traffic().brought("market", ("order",), "poll", "event")] == [60]
    assert traffic().brought("market", ("order",), "event") == [] and traffic().brought("market", ("product",), "poll", "event") == []


def test_who_is_told_of_something_is_heard_of_it(traffic):
    assert traffic().answered("market", ("inventory",)) and not traffic().answered("depot", ("inventory",))
