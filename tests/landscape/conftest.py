"""A small clean shop and what its connectors can do; tests break one line of it at a time."""

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from posixpath import join, normpath

import pytest

from mainstay.landscape import OWN_API, Finding, Misdeclared, Offer, Setting, Spot, check, places, read
from mainstay.model.secrets import Secret

CLEAN = """\
[shop]
name = "Acme"
currency = "EUR"

[server]
url = "https://mainstay.acme.example"

[owners.ops]
contact = "ops@acme.example"

[systems.shop]
connector = "store"
owner = "ops"
runbook = "https://wiki.acme.example/shop"
[systems.shop.settings]
token = "env:SHOP_TOKEN"
domain = "acme.example"

[systems.market]
connector = "market"
owner = "ops"

[systems.depot]
connector = "depot"
owner = "ops"

[systems.till]
connector = "api"
owner = "ops"

[ownership.order.all]
create = ["shop", "market", "till"]
consume = ["depot"]
[ownership.inventory.on_hand]
update = ["depot"]
[ownership.inventory.available]
update = ["depot"]
[ownership.inventory.listing]
create = ["mainstay"]
consume = ["shop", "market", "till"]

[channels.shop]
system = "shop"
share = 0.5
[channels.market]
system = "market"
share = 0.5
cap = 40
buffer = 2
[channels.till]
system = "till"
asks_first = true

[orders]
holds = ["totals"]

[flows.shop-orders]
object = "order"
source = "shop"
targets = ["depot"]
pattern = "event"
latency = "real-time"
owner = "ops"
runbook = "runbooks.md#orders"
[flows.market-orders]
object = "order"
source = "market"
targets = ["depot"]
pattern = "poll"
every_s = 60
latency = "real-time"
owner = "ops"
runbook = "runbooks.md#orders"
[flows.till-orders]
object = "order"
source = "till"
targets = ["depot"]
pattern = "direct"
latency = "checkout-blocking"
owner = "ops"
runbook = "runbooks.md#orders"
[flows.counts]
object = "inventory"
source = "depot"
targets = ["mainstay"]
pattern = "poll"
latency = "real-time"
owner = "ops"
runbook = "runbooks.md#stock"
failures = { oversold = "ops" }
[flows.levels]
object = "inventory"
source = "mainstay"
targets = ["shop", "market", "till"]
pattern = "direct"
latency = "real-time"
owner = "ops"
runbook = "runbooks.md#stock"
"""

OFFERS = {
    "api": OWN_API,
    "store": Offer(
        connector="store", title="Store", signs=True, commands=frozenset({"SetLevel", "SetPrice", "ConfirmFulfilment"}),
        brings={"event": frozenset({"order", "price"}), "poll": frozenset({"order"})},
        settings=(Setting("token", Secret, True), Setting("domain", required=True), Setting("page")),
    ),
    "market": Offer(
        connector="market", title="Market", commands=frozenset({"SetLevel"}),
        brings={"event": frozenset({"order"}), "poll": frozenset({"order"})}, feeds=(frozenset({"order", "inventory"}),),
    ),
    "depot": Offer(
        connector="depot", title="Depot", commands=frozenset({"ReleaseOrder", "SetLevel"}), brings={"poll": frozenset({"inventory"})},
        latency="checkout-blocking",
    ),
}  # fmt: skip


@pytest.fixture
def clean() -> str:
    return CLEAN


@pytest.fixture
def offers() -> Mapping[str, Offer]:
    return OFFERS


def look(name: str) -> Spot:
    """A disk on which all is there that is not called ABSENT, in the folder /srv/shop; /dev/null is neither folder nor file."""
    path = PurePosixPath(normpath(join("/srv/shop", name)))
    kind = "" if "ABSENT" in name else "other" if name == "/dev/null" else "file" if path.suffix else "folder"
    return Spot(path.parts[1:], kind)


@pytest.fixture
def findings() -> Callable[..., list[Finding]]:
    """What reading and checking a text finds; all secrets are there unless said otherwise."""

    def found(text: str, offers: Mapping[str, Offer] = OFFERS, secrets: Callable[[str], bool] = lambda reference: True) -> list[Finding]:
        try:
            return check(read(text, "mainstay.toml"), offers, secrets, places(text), look=look)
        except Misdeclared as misdeclared:
            return misdeclared.findings

    return found
