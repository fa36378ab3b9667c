"""Order history for the demo: real orders from a folder in Olist's shape, or a generator of the same shape.

What a history lacks is assigned by a seeded rule, which `Story.rules` prints: channel, SKU popularity, opening stock, authorisation.
"""

from __future__ import annotations

import csv
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from msgspec import Struct

CHANNELS = (("shop", 0.40), ("amazon", 0.25), ("webshop", 0.20), ("till", 0.15))
ASKS_FIRST = frozenset({"webshop", "till"})
CURRENCY = "BRL"
RETURNS = 0.15  # part of the shop's orders of which a unit comes back once it has left
SCARCE = 0.25  # part of the SKUs of which less is there than is wanted
CITIES = ("sao paulo", "rio de janeiro", "curitiba", "belo horizonte", "recife")


class Wish(Struct):
    """What a buyer wants: lines as (SKU, units), amounts in minor units of CURRENCY."""

    id: str
    channel: str
    lines: list[tuple[str, int]]
    prices: dict[str, int]
    shipping: int
    paid: int  # what the history says was paid, for comparison
    buyer: dict[str, str]
    cancelled: bool  # the history says so: the buyer will cancel it


class Product(Struct):
    """A SKU with its price in minor units and what is on the shelf at the start."""

    sku: str
    title: str
    price: int
    stock: int


class Story(Struct):
    """Everything that is going to happen, but for the faults."""

    wishes: list[Wish]
    products: list[Product]
    source: str
    skipped: Counter[str]
    rules: list[str]


def tell(folder: Path | None, orders: int, seed: int) -> Story:
    """The story of `orders` orders. The same arguments give the same story."""
    dice = random.Random(seed)
    skipped: Counter[str] = Counter()
    if folder is not None:
        raw, source = list(_olist(folder, skipped)), f"real orders from the folder {folder.name}"
    else:
        raw, source = list(_made_up(orders, random.Random(seed + 1))), f"generated (seed {seed})"
    raw = raw[:orders]
    for wish in raw:
        wish.channel = _pick(dice, CHANNELS)
    wanted: Counter[str] = Counter()
    price: dict[str, int] = {}
    for wish in raw:
        for sku, units in wish.lines:
            wanted[sku] += units
            price[sku] = wish.prices[sku]
    for wish in raw:  # one price for each SKU: the history's prices moved over years
        wish.prices = {sku: price[sku] for sku, _ in wish.lines}
    products = [Product(sku, f"Product {sku}", price[sku], _opening(dice, units)) for sku, units in sorted(wanted.items())]
    rules = [
        f"channel: drawn per order, {', '.join(f'{name} {share:.0%}' for name, share in CHANNELS)}",
        f"opening stock: {SCARCE:.0%} of the SKUs have fewer units than will be wanted, the others one to three more",
        "price: one for each SKU, the last of the history; shipping is the history's freight",
        "payment: shop and webshop by a card authorisation at Stripe, amazon at Amazon, till at the counter",
        f"returns: {RETURNS:.0%} of the shop's orders send a unit back once they have left; half of those units go back on the shelf",
        f"dice: seed {seed}",
    ]
    return Story(raw, products, source, skipped, rules)


def _opening(dice: random.Random, wanted: int) -> int:
    if dice.random() < SCARCE:
        return max(0, wanted - 1 - int(dice.random() * wanted / 2))
    return wanted + dice.randrange(1, 4)


def _pick(dice: random.Random, shares: Iterable[tuple[str, float]]) -> str:
    at = dice.random()
    for name, share in shares:
        at -= share
        if at < 0:
            return name
    return name


# --- real orders -----------------------------------------------------------------------------------------------------
def _olist(folder: Path, skipped: Counter[str]) -> Iterator[Wish]:
    """Orders by the time of their purchase. What cannot be an order (no items) is skipped, and counted."""
    items: dict[str, list[dict[str, str]]] = defaultdict(list)
    paid: Counter[str] = Counter()
    for row in _rows(folder / "order_items.csv"):
        items[row["order_id"]].append(row)
    for row in _rows(folder / "order_payments.csv"):
        paid[row["order_id"]] += _cents(row["payment_value"])
    buyers = {row["customer_id"]: row for row in _rows(folder / "customers.csv")}
    orders = sorted(_rows(folder / "orders.csv"), key=lambda row: _moment(row["order_purchase_timestamp"]))
    for row in orders:
        lines = items.get(row["order_id"])
        if not lines:
            skipped["without items"] += 1
            continue
        units: Counter[str] = Counter()
        prices: dict[str, int] = {}
        for line in lines:
            sku = f"OL-{line['product_id'][:10].upper()}"
            units[sku] += 1
            prices[sku] = max(1, _cents(line["price"]))
        buyer = buyers[row["customer_id"]]
        yield Wish(
            row["order_id"][:12], "", list(units.items()), prices, sum(_cents(line["freight_value"]) for line in lines),
            paid[row["order_id"]],
            _buyer(buyer["customer_unique_id"], buyer["customer_city"], buyer["customer_state"], buyer["customer_zip_code_prefix"]),
            row["order_status"] == "canceled",
        )  # fmt: skip


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _cents(text: str) -> int:
    whole, _, fraction = text.partition(".")
    return int(whole or 0) * 100 + int((fraction + "00")[:2])


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%m/%d/%Y %H:%M")


# --- made-up orders of the same shape ----------------------------------------------------------------------------------
def _made_up(orders: int, dice: random.Random) -> Iterator[Wish]:
    """Like the real ones: mostly one line of one unit, few repeated products, freight of about a fifth, one in 160 cancelled."""
    skus = max(10, orders * 4 // 5)
    for number in range(orders):
        lines: Counter[str] = Counter()
        prices: dict[str, int] = {}
        for _ in range(1 if dice.random() < 0.9 else dice.randrange(2, 6)):
            place = int(dice.random() ** 2 * skus)
            sku = f"DEMO-{place:05d}"
            lines[sku] += 1
            prices[sku] = 990 + place * 7919 % 30_000
        freight = sum(prices[sku] * units for sku, units in lines.items()) // 5
        buyer = _buyer(f"{number * 7919 % 100_003:012x}", CITIES[number % len(CITIES)], "SP", f"{1000 + number % 9000}")
        paid = sum(prices[sku] * units for sku, units in lines.items()) + freight
        yield Wish(f"demo-{number:07d}", "", list(lines.items()), prices, freight, paid, buyer, dice.random() < 1 / 160)


def _buyer(unique: str, city: str, state: str, postcode: str) -> dict[str, str]:
    return {
        "name": f"Buyer {unique[:6]}", "email": f"{unique[:12]}@buyers.example", "phone": "", "street": f"Rua {unique[:4]} 1",
        "city": city, "region": state, "postcode": postcode, "country": "BR",
    }  # fmt: skip
