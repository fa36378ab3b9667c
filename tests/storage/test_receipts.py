"""The messages of an interval are found wherever they lie, each once, in their order."""

from mainstay.model.seen import StockCounted
from mainstay.storage import receipts
from mainstay.storage.receipts import between
from tests.storage.conftest import NOW


def test_archived_or_not_each_is_found_once(store, monkeypatch):
    monkeypatch.setattr(receipts, "PAGE", 7)
    for n in range(40):
        store.tell("erp", StockCounted(external=f"c{n}", at=NOW, item=f"i{n}", sku="A", quantity=n))
        if n == 29:
            store.handle()
            store.archive()
    store.handle()
    found = list(between(store.data, 0, 1 << 62))
    assert [one.seq for one in found] == list(range(1, 41))
    middle = found[20].at, found[35].at
    assert [one.seq for one in between(store.data, *middle)] == list(range(21, 36))
    assert list(between(store.data, 1 << 61, 1 << 62)) == []
