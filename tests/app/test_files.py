"""Files with a real Mainstay: what is put into a folder is in the stock, and what cannot be read is somebody's."""

import json
import re

import pytest

from tests.running import Running

DEPOT = """
[owners.depot]
contact = "depot@shop.example"

[systems.depot]
connector = "api"
owner = "depot"
environment = "test"

[flows.inventory-from-depot]
object = "inventory"
source = "depot"
targets = ["mainstay"]
pattern = "file"
folder = "inbox/depot"
latency = "real-time"
owner = "operations"
runbook = "runbooks.md#files"
failures = { lines_refused = "operations" }
"""


AT_ONCE = """object = "settlement"
source = "payments"
targets = ["mainstay"]
pattern = "event"
"""
AT_NIGHT = AT_ONCE.replace("event", 'schedule"\nat = ["02:30"]\ntimezone = "Asia/Tokyo')


@pytest.fixture
def shop(tmp_path):
    shop = Running(tmp_path)
    text = shop.config.read_text()
    for before, after in (
        ("[ownership.inventory.on_hand]\ncreate = [", '[ownership.inventory.on_hand]\ncreate = ["depot"]\n# ['),
        (AT_ONCE, AT_NIGHT),
    ):
        assert before in text
        text = text.replace(before, after)
    shop.config.write_text(text + DEPOT)
    (tmp_path / "inbox" / "depot").mkdir(parents=True)
    yield shop
    if shop.up is not None and shop.up.poll() is None:
        shop.stop()


def on_hand(shop, sku):
    code, told, _ = shop.cli("stock", sku, "--json")
    return json.loads(told)["levels"][0]["on_hand"] if code == 0 else None


def put(shop, name, body):
    """As a careful sender does: under another name first."""
    path = shop.folder / "inbox" / "depot" / name
    path.with_name(f"{name}.part").write_text(body)
    path.with_name(f"{name}.part").rename(path)


def looked(shop):
    """What doctor says of the folder."""
    (found,) = [one for one in json.loads(shop.cli("doctor", "--json")[1]) if one["what"] == "files"]
    return found["fine"], found["detail"]


def units(shop):
    """What is on hand of the one SKU that is moved, without a process of its own."""
    status, found = shop.ask("GET", "/v1/stock/TEE", who="operator")
    return found["levels"][0]["on_hand"] if status == 200 else 0


def moved(number, delta=1):
    event = {
        "event": "StockMoved",
        "external": f"m{number}",
        "item": "TEE",
        "sku": "TEE",
        "delta": delta,
        "at": 1_790_000_000_000_000 + number,
    }
    return json.dumps({"event": event})


def test_what_is_put_into_the_folder_is_in_the_stock_and_what_cannot_be_read_is_somebodys(shop):
    code, found, _ = shop.cli("check")
    assert code == 0 and "depot" not in found, found
    assert 'Flow "settlement-from-payments" is to be read at times of day, from a feed which flows of payment need all day' in found, (
        "one of its two feeds"
    )
    shop.start()
    put(shop, "stock.csv", "sku,units\nMUG-BLUE,12\nTEE,many\n")
    shop.until(lambda: on_hand(shop, "MUG-BLUE") == 12, "the count is not in the stock")
    key = "file.depot.stock.csv"
    letter = shop.letter(key)
    assert letter["code"] == "lines_refused" and letter["owner"] == "operations" and letter["runbooks"] == ["runbooks.md#files"]
    assert "1 of 3 lines were refused, line 3 first: 'many' is no number of units" in letter["why"]
    assert (shop.folder / "inbox/depot/refused/stock.csv").read_text() == "sku,units\nTEE,many\n"

    put(shop, "mended.csv", "sku,units\nTEE,7\n")
    shop.until(lambda: on_hand(shop, "TEE") == 7, "what was mended is not in the stock")
    assert shop.cli("deadletters", "suppress", str(letter["id"]), "--reason", "mended")[0] == 0
    assert json.loads(shop.cli("deadletters", "list", "--json")[1]) == []

    told = shop.cli("status")[1]
    assert f"folder        {shop.folder}/inbox/depot, of depot: files 2, lines 5, refused 1" in told
    assert re.search(r"next reading  payments/balance: 20..-..-..T17:30:00Z", told)
    assert looked(shop) == (True, f"{shop.folder}/inbox/depot; 1 files with refused lines")
    assert shop.stop() == 0
    assert shop.cli("verify")[0] == 0


def test_what_a_system_does_not_own_is_proposed_and_a_folder_that_is_not_there_is_named(shop):
    (shop.folder / "inbox/depot").rmdir()
    assert "folder-missing" in shop.cli("check")[1]
    assert looked(shop) == (False, f"{shop.folder}/inbox/depot is no folder here; make it, or say in `folder` which is meant")
    shop.start()
    shop.until(lambda: "inbox/depot: No such file or directory" in shop.cli("status")[1], "status does not say so")
    (shop.folder / "inbox/depot").mkdir()
    (shop.folder / "inbox/depot").chmod(0o777)
    assert not looked(shop)[0] and "can be written by everyone" in looked(shop)[1]
    put(
        shop, "prices.jsonl", json.dumps({"event": {"event": "PriceSeen", "external": "p1", "sku": "TEE", "currency": "EUR", "price": 999}})
    )
    shop.until(lambda: "depot said PriceSeen p1" in shop.cli("proposals")[1], "it is not proposed")


def test_killed_while_it_reads_it_loses_no_line_and_takes_none_twice(shop):
    shop.start()
    put(shop, "start.jsonl", moved(0, 100))
    shop.until(lambda: units(shop) == 100, "the first file is not read")
    put(shop, "moves.jsonl", "\n".join(moved(n) for n in range(1, 20_001)))
    shop.until(lambda: units(shop) > 2_000, "the second file is not read")
    assert (shop.folder / "inbox/depot/moves.jsonl").exists(), "it is killed in the middle"
    shop.kill("dispatch")
    shop.until(lambda: units(shop) > 8_000, "it does not go on")
    shop.kill("core")
    shop.until(lambda: units(shop) == 20_100, "lines are missing")
    put(shop, "again.jsonl", "\n".join(moved(n) for n in range(1, 20_001)))
    shop.until((shop.folder / "inbox/depot/duplicate/again.jsonl").exists, "the same bytes are not recognised")
    shop.settled()
    assert units(shop) == 20_100 and (shop.folder / "inbox/depot/done/moves.jsonl").exists()
    assert json.loads(shop.cli("deadletters", "list", "--json")[1]) == []
    assert shop.stop() == 0
    assert shop.cli("verify")[0] == 0
