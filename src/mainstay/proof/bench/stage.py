"""A core for benchmarks: the product's own rooms over a store on disk, with stock on the shelf."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mainstay.connectors.shopify import Shopify
from mainstay.contract.connector import settings_of
from mainstay.flows.ask import Desk
from mainstay.flows.heap import look_seldom
from mainstay.flows.intake import Intake
from mainstay.flows.shop import Shop
from mainstay.flows.world import World
from mainstay.landscape import Admission, read
from mainstay.model.seen import StockCounted
from mainstay.orders.policy import Policy
from mainstay.proof.bench.payloads import SKUS, sku
from mainstay.storage.inbox import Inbox, InboxReader, New
from mainstay.storage.state import State

T0 = 1_790_000_000_000_000
BATCH = 64
PLENTY = 10_000_000

POLICY = Policy(
    can={
        "shop": frozenset({"ConfirmFulfilment", "CancelOrder"}),
        "payments": frozenset({"CapturePayment", "VoidPayment"}),
        "warehouse": frozenset({"ReleaseOrder", "CancelRelease"}),
        "erp": frozenset({"PostSale"}),
    },
    warehouses={"shop": "warehouse"},
    books={"shop": "erp"},
    asks_first=frozenset({"till"}),
)


OWNERSHIP = """
shop = { name = "Bench", currency = "USD" }
systems.shop = { connector = "shopify", owner = "operations" }
systems.warehouse = { connector = "shipstation", owner = "operations" }
ownership.order.all = { create = ["shop"] }
ownership.fulfilment.all = { create = ["shop", "warehouse"] }
ownership.refund.all = { create = ["shop"] }
"""


def shopify() -> Shopify:
    """The connector whose translation is measured."""
    return Shopify(
        settings_of(Shopify, {"shop": "acme.myshopify.com", "token": "t", "webhook_secret": "s", "location": "1", "currency": "USD"})
    )


class Stage:
    """State, world and intake over `place`/state.db."""

    def __init__(self, place: Path, skus: int = SKUS, units: int = PLENTY) -> None:
        self.place = place
        self.state = State(place / "state.db")
        self.world = World(self.state)
        translate = shopify().translate
        self.shop = Shop(
            translate={"shop": translate},
            policy=POLICY,
            admission=Admission(read(OWNERSHIP, "mainstay.toml")),
            owner=lambda *_: "operations",
        )
        self.intake = Intake(self.world, self.shop)
        Desk(self.intake)
        self._fill(skus, units)
        look_seldom()

    def _fill(self, skus: int, units: int) -> None:
        world, apply = self.world, self.intake.apply
        world.load_skus([sku(0)])
        if world.item_of:
            return
        from mainstay.model.events import Heard

        for number in range(skus):
            item = world.item(sku(number), T0)
            event = Heard(system="erp", said=StockCounted(external=f"c{number}", item=sku(number), sku=sku(number), quantity=units, at=T0))
            apply.to_item(item, event, T0)
            world.log(T0, "item", item, [event])
        world.commit(T0)

    def take(self, inbox: InboxReader, source: str = "inbox") -> int:
        """Handle everything that an inbox holds, in batches; returns how many receipts."""
        done = 0
        while receipts := inbox.after(self.world.counters.get(f"position/{source}", 0), BATCH):
            self.intake.take(source, receipts, receipts[-1].at)
            done += len(receipts)
        return done

    def close(self) -> None:
        self.state.close()


def fill_inbox(path: Path, new: Sequence[New]) -> None:
    """Put receipts into a new inbox file."""
    inbox = Inbox(path)
    for start in range(0, len(new), 1_000):
        inbox.add(new[start : start + 1_000])
    inbox.close()
