"""A core on a temporary store, fed with statements as if connectors had translated them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from mainstay.flows import queue
from mainstay.flows.ask import Desk
from mainstay.flows.clerk import Clerk
from mainstay.flows.intake import Intake
from mainstay.flows.operate import Operators
from mainstay.flows.rebuild import verify
from mainstay.flows.shop import Shop
from mainstay.flows.span import Span, numbers
from mainstay.flows.tell import Tell, statements_of
from mainstay.flows.world import World
from mainstay.landscape import Admission, read
from mainstay.model.failures import Reject
from mainstay.model.objects import Line, Order, Person, Reference, UnitsOf
from mainstay.model.outcome import TOPIC, Outcome
from mainstay.model.seen import FulfilmentSeen, OrderSeen, PaymentSeen, Said, SeenEvent, StockCounted
from mainstay.orders.policy import Policy
from mainstay.storage.inbox import Receipt
from mainstay.storage.packing import unpack
from mainstay.storage.state import State

T0 = 1_790_000_000_000_000


def translate(_topic: str, body: bytes) -> list[Said]:
    """The body is the statement itself, with the person beside it."""
    try:
        event, person = msgspec.json.decode(body, type=tuple[SeenEvent, Person | None])
    except msgspec.DecodeError as error:
        raise Reject(str(error), "json_syntax") from None
    return [Said(event, person)]


POLICY = Policy(
    can={
        "shop": frozenset({"ConfirmFulfilment", "CancelOrder"}),
        "psp": frozenset({"CapturePayment", "VoidPayment", "RefundPayment"}),
        "wms": frozenset({"ReleaseOrder", "CancelRelease"}),
        "erp": frozenset({"PostSale"}),
    },
    warehouses=dict.fromkeys(("shop", "market", "till"), "wms"),
    books=dict.fromkeys(("shop", "market", "till"), "erp"),
    asks_first=frozenset({"till"}),
)


# The warehouse, not the shop, says what was shipped; nothing translates what "gone" says.
LANDSCAPE = """[shop]
name = "Acme"
currency = "EUR"
[systems]
shop = { connector = "store", owner = "ops" }
market = { connector = "market", owner = "ops" }
till = { connector = "api", owner = "ops" }
psp = { connector = "psp", owner = "ops" }
wms = { connector = "depot", owner = "ops" }
erp = { connector = "books", owner = "ops" }
gone = { connector = "store", owner = "ops" }
[ownership]
product.all = { create = ["shop", "erp"] }
price.all = { create = ["shop", "erp"] }
inventory.all = { create = ["erp", "wms"] }
customer.all = { create = ["shop", "market"] }
order.all = { create = ["shop", "market", "till", "gone"] }
order.invoice = { create = ["erp"] }
payment.all = { create = ["shop", "psp"] }
fulfilment.all = { create = ["wms", "market", "till"] }
return.all = { create = ["shop", "wms"] }
refund.all = { create = ["shop", "psp"] }
settlement.all = { create = ["psp"] }
"""


class Core:
    """Takes statements one by one, or in batches, and shows what became of them."""

    def __init__(self, path: Path, policy: Policy = POLICY, batch: int = 1, ownership: str = "") -> None:
        systems = ("shop", "market", "psp", "wms", "erp")
        self.shop = Shop(
            translate={**dict.fromkeys(systems, translate), "till": statements_of},
            policy=policy,
            admission=Admission(read(LANDSCAPE + ownership, "mainstay.toml")),
            owner=lambda *_: "operations",
            behind=frozenset({"erp"}),
        )
        self.path, self.batch = path, batch
        self.open()
        self.seq = 0
        self.now = T0
        self._held: list[Receipt] = []

    def open(self) -> None:
        self.state = State(self.path)
        self.world = World(self.state)
        self.intake = Intake(self.world, self.shop)
        Desk(self.intake)
        Tell(self.intake)
        self.receipts: dict[int, Receipt] = getattr(self, "receipts", {})
        Clerk(self.intake, lambda _system, seq: self.receipts.get(seq))
        Operators(self.intake, lambda _system, seq: self.receipts.get(seq), list)

    def receive(self, system: str, topic: str, key: str, body: bytes) -> int:
        self.seq += 1
        self.now += 1_000
        receipt = Receipt(self.seq, self.now, system, topic, key, body)
        self.receipts[self.seq] = receipt
        self._held.append(receipt)
        if len(self._held) >= self.batch:
            self.flush()
        return self.seq

    def flush(self) -> None:
        held, self._held = self._held, []
        if held:
            self.intake.take("inbox", held, self.now)

    def say(self, system: str, said: SeenEvent, person: Person | None = None, key: str = "") -> int:
        return self.receive(system, "statement", key or f"{system}-{self.seq + 1}", msgspec.json.encode((said, person)))

    def answer(self, key: str, entity: int, outcome: str = "done", system: str = "", **references: str) -> int:
        body = msgspec.json.encode(Outcome(key=key, entity=entity, outcome=outcome, system=system, references=references))
        return self.receive("mainstay", TOPIC, key, body)

    def count(self, sku: str, units: int) -> None:
        self.say("erp", StockCounted(external=f"count-{sku}", at=self.now, item=f"i-{sku}", sku=sku, quantity=units))

    def told(self, receipt: int) -> tuple[int, dict]:
        """What the caller who waits for a receipt's decision is told: status and body."""
        batches = self.rows("SELECT body FROM answer ORDER BY receipt")
        told = [tuple(rest) for (batch,) in batches for seq, *rest in msgspec.json.decode(unpack(batch)) if seq == receipt]
        assert len(told) == 1, "one receipt, one answer"
        return told[0]

    def ask(self, channel: str, topic: str, key: str, request: object) -> tuple[int, dict]:
        """A request of a channel that asks first."""
        return self.told(self.receive(channel, topic, key, request if isinstance(request, bytes) else msgspec.json.encode(request)))

    def wait(self, microseconds: int) -> list[str]:
        """Let time pass: timers that come due are looked at, in their order; returns their kinds."""
        self.flush()
        self.now += microseconds
        kinds = []
        while due := self.state.rows("due_timers", (self.now, 64)):
            kinds += [kind for _, kind, _ in due]
            self.intake.expire(due, self.now)
        return kinds

    def intents(self) -> list[dict]:
        """The commands in the outbox, in their order."""
        return [msgspec.json.decode(unpack(body)) for (body,) in self.rows("SELECT body FROM intent ORDER BY id")]

    def order(self, external: str = "1"):
        self.flush()
        number = self.state.find([self.world.key("shop", "order", external)])
        self.world.load_orders(number.values())
        return self.world.orders[next(iter(number.values()))] if number else None

    def rows(self, sql: str) -> list[tuple]:
        self.flush()
        return self.state.connection.execute(sql).fetchall()

    def level(self, sku: str) -> dict[str, int]:
        names = ("on_hand", "allocated", "reserved", "deficit", "unbooked")
        item = self.rows(f"SELECT id FROM item WHERE sku = '{sku}'")[0][0]
        return dict(zip(names, self.rows(f"SELECT {', '.join(names)} FROM stock WHERE id / 256 = {item}")[0], strict=True))

    def tally(self) -> dict[str, int]:
        return dict(self.rows("SELECT outcome, sum(n) FROM tally GROUP BY outcome"))


def an_order(external: str = "1", version: int = 1, lines=(("A", 2, 500),), payments=(), **more) -> OrderSeen:
    made = tuple(Line(id=str(n + 1), sku=sku, quantity=units, price=price) for n, (sku, units, price) in enumerate(lines))
    total = sum(line.price * line.quantity for line in made) + more.pop("shipping", 0)
    paid = "authorised" if payments else "captured"
    shipping = total - sum(line.price * line.quantity for line in made)
    fields = {"payment": paid, "total": total, **more}
    return OrderSeen(
        external=external, version=version, at=T0,
        order=Order(
            number=f"#{external}", currency="EUR", placed_at=T0, lines=made, shipping=shipping,
            payments=tuple(Reference("payment", one, "psp") for one in payments), **fields,
        ),
    )  # fmt: skip


def a_payment(external: str = "pi_1", status: str = "authorised", amount: int = 1000, version: int = 1) -> PaymentSeen:
    captured = amount if status == "captured" else 0
    return PaymentSeen(external=external, version=version, currency="EUR", status=status, authorised=amount, captured=captured)


def a_parcel(external: str, release: str, lines=(), version: int = 1) -> FulfilmentSeen:
    return FulfilmentSeen(
        external=external, version=version, at=T0, of=Reference("release", release, "mainstay"), status="shipped",
        lines=tuple(UnitsOf(line, units) for line, units in lines), carrier="ups", tracking=(f"1Z{external}",),
    )  # fmt: skip


def span(**more) -> Span:
    return Span(since="2026-01-01T00:00:00Z", **more)


def replayed(stage: str, core: Core, **more):
    """A replay from a stage, to its end; the job."""
    core.flush()
    meant = span(**more)
    asked = {"receipts": numbers(core.state, meant, stage), "query": msgspec.to_builtins(meant), "by": "ann", "stage": stage}
    status, told = core.ask("operator", "operator/replay", "", asked)
    assert status == 202
    core.wait(10_000)
    return queue.job(core.state, told["job"])


@pytest.fixture
def core(tmp_path):
    return Core(tmp_path / "state.db")


@pytest.fixture
def proved(core, tmp_path):
    """A core whose log gives its whole state back, byte for byte, at the end of the test; and nothing broke it on the way."""
    yield core
    assert core.rows("SELECT body FROM letter WHERE code = 'bug'") == []
    verdict = verify(core.path, tmp_path / "rebuilt.db", core.shop)
    assert verdict.identical, verdict.differences
