"""Channels that ask first: reserve, release, order. Each call is a receipt; its answer is committed with what was decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from mainstay.flows import buyers
from mainstay.flows.apply import TOGETHER
from mainstay.flows.intake import Intake
from mainstay.flows.statements import Statement, statement
from mainstay.model.events import Refused, ReservationEnded, Reserved
from mainstay.model.failures import Reject
from mainstay.model.identity import named, shown, sku
from mainstay.model.objects import Noun, Order, Person, Reference, UnitsOf
from mainstay.model.seen import FulfilmentSeen, OrderSeen, Said
from mainstay.model.state import OrderState, ReservationState
from mainstay.model.times import SECOND, iso
from mainstay.orders.decide import newer
from mainstay.stock.decide import reserve
from mainstay.storage.inbox import UNCLAIMED, Receipt
from mainstay.storage.state import Key

LINES_MAX = 500
PLACED_FROM, PLACED_UNTIL = 946_684_800 * SECOND, 4_102_444_800 * SECOND  # 2000 to 2100: seconds or milliseconds fall outside


class AskedLine(Struct, frozen=True, forbid_unknown_fields=True):
    """So many units of a SKU."""

    sku: Annotated[str, Meta(min_length=1, max_length=120)]
    quantity: Annotated[int, Meta(ge=1, le=1_000_000)]


class ReserveRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of POST /v1/reservations: all lines are reserved, or none."""

    lines: Annotated[tuple[AskedLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
    expires_in_s: Annotated[int, Meta(ge=1, le=7 * 86_400)] | None = None


class OrderRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of POST /v1/orders: an order of a channel of your own. `handed_over` says that the buyer has the goods already.

    Raises Reject: `currency` where ISO 4217 does not know it, `schema` without lines or with two of one id, `out_of_range` below zero, and
    `time` where `placed_at` is in other units than microseconds.
    """

    external: Annotated[str, Meta(min_length=1, max_length=250)]
    order: Order
    version: int = 0
    person: Person | None = None
    handed_over: bool = False

    def __post_init__(self) -> None:
        order = self.order
        order.refuse_contradiction(self.external)
        if not order.lines:
            raise Reject(f"order {self.external[:60]!r}: it has no lines; an order sells at least one", "schema")
        least = min((order.total, order.shipping, *(line.price for line in order.lines), *(line.quantity for line in order.lines)))
        if least < 0:
            raise Reject(f"order {self.external[:60]!r}: {least} is below zero; what comes back is a refund of its order", "out_of_range")
        if not PLACED_FROM <= order.placed_at < PLACED_UNTIL:
            detail = f"placed_at {order.placed_at} is no time of our age in microseconds since 1970-01-01T00:00:00Z"
            raise Reject(f"order {self.external[:60]!r}: {detail}", "time")


class Shortfall(Noun, frozen=True):
    """What fell short."""

    sku: str
    wanted: int
    available: int


class ReservationAnswer(Noun, frozen=True):
    """What the caller of a reservation is told."""

    reservation: str
    status: str
    expires_at: str = ""
    short: tuple[Shortfall, ...] = ()


class OrderAnswer(Noun, frozen=True):
    """What the caller of an order is told."""

    order: str
    status: str
    short: tuple[Shortfall, ...] = ()


_request = msgspec.json.Decoder(ReserveRequest).decode


class Ask(Struct):
    """A parsed request on its way through a batch."""

    request: Any
    keys: list[Key]
    skus: list[str]


def reader(request: type[Struct]) -> Callable[[Receipt], Ask]:
    """Reads what people ask, which is about nothing that a batch would have to load."""
    return lambda receipt: Ask(msgspec.json.decode(receipt.body or b"{}", type=request), [], [])


class Desk:
    """Handles the receipts of the API's topics and the expiry of reservations."""

    def __init__(self, intake: Intake) -> None:
        self.intake, self.world = intake, intake.world
        self._topics: dict[str, tuple[Callable[[Receipt], Ask], Callable[[Receipt, Ask], None]]] = {
            "api/reserve": (self._read_reserve, self._reserve),
            "api/release": (self._read_release, self._release),
            "api/order": (self._read_order, self._order),
        }
        for topic in self._topics:
            intake.readers[topic] = self._topics[topic][0]
            intake.handlers[topic] = self._topics[topic][1]
        intake.handlers["timer/reservations"] = self._expire
        intake.turns.consume = self._consume

    # --- reading -----------------------------------------------------------------------------------------------------
    def _read_reserve(self, receipt: Receipt) -> Ask:
        request = _request(receipt.body)
        skus = [sku(line.sku) for line in request.lines]
        return Ask(request, [self.world.key(receipt.system, "reservation", receipt.key)], skus)

    def _read_release(self, receipt: Receipt) -> Ask:
        return Ask(None, [self._reservation_key(receipt.system, receipt.body.decode())], [])

    def _read_order(self, receipt: Receipt) -> Ask:
        request = order_of(receipt.body)
        keys = [self.world.key(receipt.system, "order", request.external)]
        if request.order.reservation:
            keys.append(self._reservation_key(receipt.system, request.order.reservation))
        if request.person is not None:
            keys += buyers.keys_of(self.world, receipt.system, request.order, request.person)
        return Ask(request, keys, [line.sku for line in request.order.lines])

    def _reservation_key(self, channel: str, reservation: str) -> Key:
        """The key of a channel's own reservation; another channel's is none of its business."""
        found = named(reservation)
        if found is None or found[:2] != ("reservation", channel):
            raise Reject(f"{reservation[:60]!r} is not a reservation of this channel, such as 'rsv.{channel}.7'", "not_found")
        return self.world.key(found[1], "reservation", found[2])

    # --- deciding ----------------------------------------------------------------------------------------------------
    def _reserve(self, receipt: Receipt, ask: Ask) -> None:
        world = self.world
        number = world.links.get(ask.keys[0])
        if number is not None:
            self._repeat(receipt, ask, world.reservations[number])
            return
        request: ReserveRequest = ask.request
        asked_for = zip(ask.skus, request.lines, strict=True)
        unknown = tuple(Shortfall(sku=name, wanted=line.quantity, available=0) for name, line in asked_for if name not in world.item_of)
        if unknown:  # nothing is kept of what nobody sells
            uid = shown("reservation", receipt.system, receipt.key)
            self._answer(receipt, 409, ReservationAnswer(reservation=uid, status="refused", short=unknown))
            self.intake.count(receipt, "refused")
            return
        wants = [(n, world.item_of[line], asked.quantity) for n, (line, asked) in enumerate(zip(ask.skus, request.lines, strict=True))]
        shares, short = reserve(wants, self.intake.turns.shelves(receipt.system, wants), self.intake.shop.split)
        number = world.number("entity")
        expires = receipt.at + (request.expires_in_s * SECOND if request.expires_in_s else self.intake.shop.reservation_us)
        event: Reserved | Refused
        if short:
            event = Refused(channel=receipt.system, key=receipt.key, short=tuple(short), at=receipt.at)
        else:
            event = Reserved(channel=receipt.system, key=receipt.key, shares=tuple(shares), expires=expires, at=receipt.at)
        self.intake.apply.to_reservation(number, event, receipt.at)
        world.log_reservation(number, event)
        self._answer_reservation(receipt, world.reservations[number], 409 if short else 201)
        self.intake.count(receipt, "refused" if short else "applied")

    def _repeat(self, receipt: Receipt, ask: Ask, state: ReservationState) -> None:
        """The same key again: the same answer, whatever has become of stock. With other lines it is a mistake, and is told so."""
        asked: Counter[int] = Counter()
        for name, line in zip(ask.skus, ask.request.lines, strict=True):
            asked[self.world.item_of.get(name, 0)] += line.quantity
        promised: Counter[int] = Counter()
        for share in state.shares:
            promised[share.item] += share.quantity
        same = asked == promised if state.shares else all(asked[item] == wanted for item, wanted, _ in state.short)
        if not same:
            self._answer(receipt, 422, {"code": "key_reused", "detail": "this Idempotency-Key stands for other lines; take a new one"})
            self.intake.count(receipt, "refused")
            return
        self._answer_reservation(receipt, state, 200)
        self.intake.count(receipt, "duplicate")

    def _release(self, receipt: Receipt, ask: Ask) -> None:
        state = self.world.reservations.get(self.world.links.get(ask.keys[0], 0))
        if state is None:
            self._answer(receipt, 404, {"code": "not_found", "detail": "no such reservation"})
            self.intake.count(receipt, "refused")
            return
        if state.status == "reserved":
            self._end(state, "released", receipt.at)
        self._answer_reservation(receipt, state, 200)
        self.intake.count(receipt, "applied")

    def _expire(self, receipt: Receipt, _ask: Ask) -> None:
        """End those of a block of reservations whose time has come."""
        world, first = self.world, receipt.seq * TOGETHER
        numbers = [number for (number,) in world.store.rows("reserved_between", (first, first + TOGETHER))]
        world.load_reservations(numbers)
        for state in map(world.reservations.__getitem__, numbers):
            if state.status == "reserved" and state.expires <= receipt.at:
                self._end(state, "expired", receipt.at)

    def _end(self, state: ReservationState, how: str, at: int, order: int = 0) -> None:
        """Give the units back; it ends exactly once."""
        event = ReservationEnded(how=how, shares=state.shares, order=order)
        self.world.load_stock(share.item for share in state.shares)
        self.intake.apply.to_reservation(state.id, event, at)
        self.world.log(at, "reservation", state.id, [event])
        self.intake.turns.woken.update(share.item for share in state.shares)

    def _consume(self, reservation: str, order: int, at: int) -> None:
        """An order arrived for which units were reserved: free them just before it is allocated, within the same receipt."""
        found = named(reservation)
        if found is None or found[0] != "reservation":
            return
        state = self.world.reservations.get(self.world.links.get(self.world.key(found[1], found[0], found[2]), 0))
        if state is not None and state.status == "reserved":
            self._end(state, "consumed", at, order)

    def _order(self, receipt: Receipt, ask: Ask) -> None:
        """Take an order whose units are reserved or there; refuse it otherwise, so that a channel that asks never oversells."""
        request: OrderRequest = ask.request
        world = self.world
        known = world.orders.get(world.links.get(ask.keys[0], 0))
        said = [statement(world, receipt, one.event, one.person) for one in statements(request)]
        refused = self._refusal(receipt, ask, said, known)
        if refused is not None:
            self.intake.subjects.append((receipt.seq, known.subject if known else UNCLAIMED))
            self._answer(receipt, *refused)
            self.intake.count(receipt, "refused")
            return
        for one in said:
            world.look_up(one.keys)
            _, subject = self.intake.take_one(one)
            self.intake.subjects.append((receipt.seq, subject))
        self.intake.end()
        state = world.orders[world.links[ask.keys[0]]]
        self._answer(receipt, 200 if known else 201, OrderAnswer(order=state.uid, status=state.status))
        self.intake.count(receipt, "duplicate" if known else "applied")

    def _refusal(self, receipt: Receipt, ask: Ask, said: list[Statement], known: OrderState | None) -> tuple[int, Any] | None:
        """Status and body where an order, or a new version of one, cannot be taken; nothing of it counts then."""
        request: OrderRequest = ask.request
        if reason := self.intake.claims.sift(said[0]).reason:
            return 403, {"code": "not_owner", "detail": reason}
        if known is not None and self._differs(said, known):
            detail = f"{request.external} is known in this version with other contents; send a change with a higher `version`"
            return 409, {"code": "id_conflict", "detail": detail}
        name = request.order.reservation
        reservation = self.world.reservations.get(self.world.links.get(ask.keys[1], 0)) if name else None
        if name and reservation is None:
            return 404, {"code": "not_found", "detail": f"there is no reservation {name[:60]!r}; nothing was sold"}
        if reservation is not None and reservation.order and (known is None or reservation.order != known.id):
            return 409, {"code": "id_conflict", "detail": f"{name[:60]!r} was confirmed by another order; nothing was sold"}
        decided = receipt.system not in self.intake.shop.policy.asks_first or (known is not None and not newer(known, said[0].said))
        short = () if decided else self._shortfall(receipt, ask, known, reservation)
        return (409, OrderAnswer(order=shown("order", receipt.system, request.external), status="refused", short=short)) if short else None

    def _differs(self, found: Sequence[Statement], state: OrderState) -> bool:
        """Does a request say of the version that we know something else than we know? Compared is what its sender may say of the order;
        that the goods were handed over counts by whoever sold them, whoever else owns fulfilments."""
        counts, _ = self.intake.claims.sift(found[0])
        if counts is None or counts.said.version != state.version:
            return False
        handed_over = {one.said.external for one in found[1:]}
        known = {external for external, parcel in state.parcels.items() if parcel.system == state.system}
        same = counts.said.order == state.order and handed_over == known
        return not same or not buyers.same(self.world, counts.person, state)

    def _shortfall(
        self, receipt: Receipt, ask: Ask, known: OrderState | None, reservation: ReservationState | None
    ) -> tuple[Shortfall, ...]:
        """What is neither set aside for the order already, nor reserved for it, nor there."""
        world, request = self.world, ask.request
        shares = [*(known.shares if known else ()), *(reservation.shares if reservation and reservation.status == "reserved" else ())]
        held: Counter[int] = Counter()
        for share in shares:
            held[share.item] += share.quantity
        wants, unknown = [], []
        for number, (name, line) in enumerate(zip(ask.skus, request.order.lines, strict=True)):
            item, units = world.item_of.get(name, 0), line.quantity - line.cancelled
            covered = min(held[item], units)
            held[item] -= covered
            if units > covered and line.ships:
                wants.append((number, item, units - covered))
            if not item and line.ships:
                unknown.append(Shortfall(sku=name, wanted=units, available=0))
        if unknown:
            return tuple(unknown)
        shelves = self.intake.turns.shelves(receipt.system, wants, shares)
        _, short = reserve(wants, shelves, self.intake.shop.split) if wants else ([], [])
        return self._named(short)

    # --- answering ---------------------------------------------------------------------------------------------------
    def _named(self, short: Sequence[tuple[int, int, int]]) -> tuple[Shortfall, ...]:
        if not short:
            return ()
        self.world.load_items(item for item, _, _ in short)
        return tuple(Shortfall(sku=self.world.items[item].sku, wanted=wanted, available=there) for item, wanted, there in short)

    def _answer_reservation(self, receipt: Receipt, state: ReservationState, status: int) -> None:
        uid = shown("reservation", state.channel, state.key)
        answer = ReservationAnswer(
            reservation=uid, status=state.status, expires_at=iso(state.expires) if state.expires else "", short=self._named(state.short)
        )
        self._answer(receipt, status if state.status != "refused" else 409, answer)

    def _answer(self, receipt: Receipt, status: int, body: Any) -> None:
        self.world.answers.append((receipt.seq, status, body))


def order_of(body: bytes) -> OrderRequest:
    """The order that a request hands over, its SKUs in the one form that they have inside."""
    request = msgspec.json.decode(body, type=OrderRequest)
    return replace(request, order=with_skus(request.order))


def with_skus(order: Order) -> Order:
    """The order with its SKUs in the one form that they have inside. Raises Reject."""
    return replace(order, lines=tuple(replace(line, sku=sku(line.sku)) for line in order.lines))


def statements(request: OrderRequest) -> list[Said]:
    """An order of one of our own channels, as statements. Goods that were handed over are a fulfilment of all its lines."""
    version = request.version or request.order.placed_at
    order = OrderSeen(external=request.external, version=version, at=request.order.placed_at, order=request.order)
    said = [Said(order, request.person)]
    if request.handed_over:
        said.append(
            Said(
                FulfilmentSeen(
                    external=f"{request.external}.handed-over",
                    version=version,
                    at=request.order.placed_at,
                    of=Reference("order", request.external),
                    status="delivered",
                    lines=tuple(UnitsOf(line.id, line.quantity) for line in request.order.lines if line.ships),
                )  # fmt: skip
            )
        )
    return said
