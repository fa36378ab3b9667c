"""What a message puts at risk is read without understanding it; where it can be understood, it is the money that it speaks of."""

import json
from pathlib import Path

import pytest
from manifest import documents, entries

from mainstay import connectors
from mainstay.app.workshop import translator
from mainstay.contract.worth import Worth
from mainstay.model.failures import Reject
from mainstay.model.seen import DisputeSeen, OrderSeen, RefundSeen, SettlementLineSeen


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"total_price": "19.99", "currency": "EUR"}, (1999, "EUR")),
        ({"total_price": "500", "currency": "jpy", "line_items": "no list"}, (500, "JPY")),
        ({"total_price": "-5.00", "currency": "EUR"}, (500, "EUR")),
        ({"total_price": "19.999", "currency": "EUR"}, (0, "")),
        ({"total_price": 19.99, "currency": "EUR"}, (1999, "EUR")),
        ({"total_price": None, "currency": "EUR"}, (0, "")),
        ({"total_price": "19.99", "currency": "XXQ"}, (0, "")),
        ({"total_price": "19.99"}, (0, "")),
        ([], (0, "")),
        ("text", (0, "")),
    ],
)
def test_it_is_read_where_it_stands_and_never_guessed(document, found):
    assert Worth("total_price", "currency").of(json.dumps(document).encode()) == found


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_has_no_price(body):
    assert Worth("total_price", "currency").of(body) == (0, "")


def test_a_path_leads_through_lists_and_minor_units_are_whole():
    assert Worth("data.0.amount", "data.0.currency", in_minor=True).of(b'{"data":[{"amount":1999,"currency":"eur"}]}') == (1999, "EUR")
    assert Worth("amount", "currency", in_minor=True).of(b'{"amount":"1999","currency":"eur"}') == (0, "")


MONEY = {OrderSeen: lambda said: said.order.total, RefundSeen: lambda said: said.amount, DisputeSeen: lambda said: said.amount,
         SettlementLineSeen: lambda said: abs(said.gross)}  # fmt: skip


@pytest.mark.shared
@pytest.mark.parametrize(("vendor", "least"), [("shopify", 20), ("amazon", 5), ("stripe", 7)])
def test_it_is_what_the_vendors_documents_say(shared: Path, vendor: str, least: int):
    """Of every document that can be understood, and whose topic says where its money stands."""
    read, manifest, compared = translator(vendor, {}), connectors.find(vendor).manifest, 0
    for name, topic, _, file in entries():
        worth = known.worth if name == vendor and (known := manifest.topic(topic)) else None
        for document in documents(shared, vendor, topic, file) if worth else ():
            body = json.dumps(document).encode()
            try:
                said = [one.event for one in read(topic, body)]
            except Reject:
                continue
            priced = [one for one in said if type(one) in MONEY]
            if len(priced) == 1 and worth.of(body) != (0, ""):
                amount, currency = worth.of(body)
                stated = priced[0].order.currency if type(priced[0]) is OrderSeen else priced[0].currency
                assert (amount, currency) == (MONEY[type(priced[0])](priced[0]), stated), (file, priced[0])
                compared += 1
    assert compared >= least
