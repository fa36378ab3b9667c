"""A Shopify shop: Admin GraphQL API 2026-07 with its cost bucket, and webhooks in the shape of the REST resources.

Answers and error texts are those of the recorded exchanges (airhorns/shopify-draft-proxy) and of shopify.dev; a shop sells from what it
was last told, and knows nothing of anyone else's stock.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

import msgspec
from msgspec.structs import replace

from mainstay.contract.connector import Budget
from mainstay.contract.talk import Reply
from mainstay.contract.twin import Request
from mainstay.model.money import allocate, major, minor
from mainstay.model.times import SECOND, iso, micros
from mainstay.twins import shopify_shapes as shapes
from mainstay.twins.graphql import Document, Field, Wrong, read
from mainstay.twins.imitation import Dice, Imitation, Weather, json_reply
from mainstay.twins.shopify_shapes import Variant

VERSION = "2026-07"
PATH = f"/admin/api/{VERSION}/graphql.json"
WRITE_COST = 10.0  # requestedQueryCost of every recorded mutation, within a few points
QUERY_COST_MAX = 1000.0  # https://shopify.dev/docs/apps/build/apis/graphql-admin/rate-limits: a single query may not cost more
QUANTITIES_MAX = 250
KEYED = ("inventorySetQuantities", "refundCreate")  # mandatory since 2026-04
REASONS = (
    "correction", "cycle_count_available", "damaged", "movement_canceled", "movement_created", "movement_received", "movement_updated",
    "other", "promotion", "quality_control", "received", "reservation_created", "reservation_deleted", "reservation_updated", "restock",
    "safety_stock", "shrinkage",
)  # fmt: skip


class _Refused(Exception):
    """A GraphQL error with a code: nothing was done."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class ShopifyTwin(Imitation):
    """One shop with one location. The books are plain attributes; `effects` counts what was really done, by what it was done to."""

    name: ClassVar[str] = "shopify"
    budgets: ClassVar[tuple[Budget, ...]] = (Budget("graphql", "cost", 2000, 100),)
    # Eight further tries over four hours, each pause twice the last: https://shopify.dev/changelog/updates-to-webhook-retry-mechanism
    RETRIES_S: ClassVar[Sequence[float]] = tuple(14_400 / 255 * 2**n for n in range(8))

    def __init__(
        self, dice: Dice, weather: Weather | None = None, time_factor: float = 1.0, *, shop: str = "acme.myshopify.com",
        token: str = "shpat_twin", secret: str = "shpss_twin", currency: str = "EUR", location: int = 7001, first_id: int = 5_000_001,
    ) -> None:  # fmt: skip
        super().__init__(dice, weather, time_factor)
        self.shop, self.token, self.secret, self.currency, self.location = shop, token, secret, currency, location
        self.variants: dict[str, Variant] = {}
        self.orders: dict[int, dict[str, Any]] = {}
        self.transactions: dict[int, list[dict[str, Any]]] = {}  # of each order, but for refunds; no webhook has them
        self.rates: dict[int, Decimal] = {}  # of orders whose buyer saw another currency
        self.taken_off: Counter[tuple[int, int]] = Counter()  # units of (order, line) that were to leave, and will not
        self.effects: Counter[str] = Counter()
        self.level_history: list[tuple[str, int, int]] = []  # SKU, quantity, when
        self.sale_history: list[tuple[str, int]] = []  # SKU, when
        self.price_history: list[tuple[str, int, int]] = []  # SKU, minor units, when
        self.subscriptions: dict[str, str] = {}
        self.hooks: dict[str, dict[str, Any]] = {}  # what else is known of a subscription, by topic
        self.customers: dict[int, dict[str, Any]] = {}  # those with an e-mail address, as their orders show them
        self.merged: dict[int, int] = {}  # customers who are no more, with who took them over
        self._customers: dict[str, int] = {}  # by e-mail address
        self._answered: dict[str, tuple[bytes, Any]] = {}
        self._last_id = first_id
        self._events = 0

    # --- what happens in the shop ----------------------------------------------------------------------------------------
    def add_product(self, sku: str, title: str, price_minor: int, quantity: int, now: int = 0) -> Variant:
        self.variants[sku] = Variant(self._id(), self._id(), self._id(), sku, title, price_minor, quantity, now)
        return self.variants[sku]

    def retitle(self, sku: str, title: str, now: int) -> None:
        """Somebody writes another title, in whatever script; the shop tells of the whole product."""
        variant = self.variants[sku]
        variant.title, variant.updated_at = title, now
        self._tell("products/update", shapes.product(variant, self.currency, shapes.time(now)), now)

    def reprice(self, sku: str, price_minor: int, now: int) -> None:
        """Somebody changes a price, of an item no oftener than once in a second; the shop tells of the whole product."""
        variant = self.variants[sku]
        variant.price_minor, variant.updated_at = price_minor, max(now, variant.updated_at + SECOND)
        self._tell("products/update", shapes.product(variant, self.currency, shapes.time(variant.updated_at)), now)

    def launch(self, sku: str, title: str, price_minor: int, now: int) -> Variant:
        """A product is added while the shop is open, without stock; those who listen are told."""
        made = self.add_product(sku, title, price_minor, 0, now)
        self._tell("products/create", shapes.product(made, self.currency, shapes.time(now)), now)
        return made

    def available(self, sku: str) -> int:
        return self.variants[sku].quantity

    def place_order(
        self, lines: Sequence[tuple[str, int]], *, now: int, customer: Mapping[str, str], payment_intent: str | None = None,
        shipping_minor: int = 0, discount_minor: int = 0, tax_minor: int = 0, number: str | None = None, currency: str | None = None,
        reservation: str = "", paid: bool = True, tax_exempt: bool = False, gift_card_minor: int = 0,
        seen_in: str = "", rate: Decimal = Decimal(1), prices: Sequence[int] = (), groups: Sequence[int | None] = (),
    ) -> dict[str, Any] | None:  # fmt: skip
        """A buyer checks out; None where the shop itself shows too few. Tax is added on top of the prices. Not `paid`: on invoice.
        `gift_card_minor` of the total is paid by a gift card, at once. `seen_in` is the currency in which the buyer saw the prices and
        pays, `rate` what one unit of the shop's is in it. `prices` of one unit are those of a cart that was filled before, in minor units;
        without them those of now are asked. `groups` say which bundle a line is a component of (webhooks since 2025-01:
        sales_line_item_group_id)."""
        wanted: Counter[str] = Counter()
        for sku, quantity in lines:
            wanted[sku] += quantity
        if any(self.variants[sku].quantity < quantity for sku, quantity in wanted.items()):
            return None
        for sku, quantity in wanted.items():
            self._move(sku, -quantity, now)
            self.sale_history.append((sku, now))
        sold = [self.variants[sku] for sku, _ in lines]
        sold = [replace(one, price_minor=price) for one, price in zip(sold, prices, strict=True)] if prices else sold
        order = self._new_order(lines, currency or self.currency, shipping_minor, discount_minor, tax_minor, now, sold)
        order |= {"name": number or f"#{1000 + len(self.orders) + 1}", "tax_exempt": tax_exempt}
        notes = {"payment_intent": payment_intent, "mainstay_reservation": reservation}
        order["note_attributes"] = [{"name": name, "value": value} for name, value in notes.items() if value]
        order["financial_status"] = ("authorized" if payment_intent else "paid") if paid else "pending"
        for line, group in zip(order["line_items"], groups, strict=False):
            line["sales_line_item_group_id"] = group
        order |= shapes.buyer(customer, self._customer(customer.get("email", "")))
        if customer.get("email"):
            order["customer"] = self.customers.setdefault(order["customer"]["id"], order["customer"])
        if seen_in:
            self.rates[order["id"]] = rate
            shapes.seen_abroad(order, seen_in, rate)
        self._pay(order, gift_card_minor, "" if not paid else "stripe" if payment_intent else "shopify_payments")
        self.orders[order["id"]] = order
        self._tell("orders/create", order, now)
        return order

    def _pay(self, order: dict[str, Any], by_card: int, gateway: str) -> None:
        """The transactions of a checkout. An order whose gift card has paid and whose rest is only authorised is partially paid."""
        total = minor(order["total_price"], order["currency"])
        stated = [("gift_card", "SALE", by_card)] if by_card else []
        if gateway and total > by_card:
            stated.append((gateway, "AUTHORIZATION" if gateway == "stripe" else "SALE", total - by_card))
        self.transactions[order["id"]] = [shapes.transaction(*one, order["currency"]) for one in stated]
        order["payment_gateway_names"] = [name for name, _, _ in stated]
        if by_card:
            order["financial_status"] = "paid" if gateway == "shopify_payments" or by_card == total else "partially_paid"

    def cancel_order(self, order: int, *, now: int, reason: str = "customer", restock: bool = False) -> None:
        """The order is cancelled here: by its buyer, by staff, or by `orderCancel`."""
        found = self.orders[order]
        for line in found["line_items"]:
            if restock:
                self._move(line["sku"], line["fulfillable_quantity"], now)
            line["current_quantity"] -= line["fulfillable_quantity"]
            line["fulfillable_quantity"] = 0
        found |= {"cancelled_at": shapes.time(now), "closed_at": shapes.time(now), "cancel_reason": reason}
        self.effects[f"cancel:{order}"] += 1
        self._changed(found, "orders/cancelled", now)

    def refund(
        self, order: int, *, now: int, amount_minor: int, lines: Sequence[tuple[str | int, int]] = (), restock: str = "return",
        note: str = "", shipping_minor: int = 0, gift_card_minor: int = 0, rate: Decimal | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Money, and perhaps units, are given back. `lines` are (SKU or the id of a line, units); of the amount `shipping_minor` was
        shipping, and `gift_card_minor` goes back on the gift card that paid. All is the shop's money; `rate` is today's for the buyer's."""
        found = self.orders[order]
        currency, given = found["currency"], []
        for which, quantity in lines:
            line = next(one for one in found["line_items"] if which in (one["id"], one["sku"]))
            if restock == "cancel":  # of what has not left
                self._take_off(order, line, quantity)
            else:
                line["current_quantity"] -= quantity
                line["fulfillable_quantity"] = min(line["fulfillable_quantity"], line["current_quantity"])
            if restock != "no_restock":
                self._move(line["sku"], quantity, now)
            given.append(shapes.refunded(self._id(), line, quantity, restock, currency))
        parts = Counter({(found["payment_gateway_names"] or ["manual"])[-1]: amount_minor - gift_card_minor}) + Counter(
            gift_card=gift_card_minor
        )
        back = shapes.refund(self._id(), order, given, (parts, currency), note, shapes.time(now))
        back |= shapes.adjusted(self._id(), found, back, shipping_minor, amount_minor)
        if found["presentment_currency"] != currency:
            shapes.given_abroad(back, found["presentment_currency"], rate or self.rates[order])
        found["refunds"].append(back)
        total = sum(self.given_back(refund) for refund in found["refunds"])
        if total:  # units that are taken off an order that nobody has paid leave it unpaid
            found["financial_status"] = "refunded" if total >= minor(found["total_price"], currency) else "partially_refunded"
        self._tell("refunds/create", back, now)
        self._changed(found, "orders/updated", now)
        return back

    def paid_for(self, line: Mapping[str, Any], units: int) -> int:
        """What a buyer paid for so many units of a line, with their tax, in minor units of the shop's currency."""
        back = shapes.refunded(0, line, units, "", self.currency)
        return sum(minor(back[name]["shop_money"]["amount"], self.currency) for name in ("subtotal_set", "total_tax_set"))

    def abroad(self, amount_minor: int, currency: str, rate: Decimal) -> int:
        """What an amount of the shop's money is in another currency, in its minor units."""
        return minor(shapes.converted(major(amount_minor, self.currency), currency, rate), currency)

    def given_back(self, refund: Mapping[str, Any], by: Collection[str] = ()) -> int:
        """What a refund gave back by its transactions, in minor units of the shop's currency; by these gateways alone, if any."""
        some = [paid for paid in refund["transactions"] if not by or paid["gateway"] in by]
        return sum(minor(shapes.in_shop_money(refund, paid, self.currency), self.currency) for paid in some)

    def redirect(self, order: int, street: str, now: int) -> None:
        """Somebody changes where an order is to be sent."""
        found = self.orders[order]
        found["shipping_address"] = found["shipping_address"] | {"address1": street}
        self._changed(found, "orders/updated", now)

    def sign_up(self, customer: Mapping[str, str], now: int) -> int:
        """Somebody makes an account, or has one; its number."""
        number = self._customer(customer["email"])
        if number not in self.customers:
            made = shapes.buyer(customer, number)
            self.customers[number] = made["customer"]
            self._tell("customers/create", shapes.customer(made["customer"], made["shipping_address"], shapes.time(now)), now)
        return number

    def edit_customer(self, customer: int, street: str, now: int) -> None:
        """A customer writes an address into their own record."""
        home = shapes.buyer({"street": street, "name": "At home"}, customer)["shipping_address"]
        self._tell("customers/update", shapes.customer(self.customers[customer], home, shapes.time(now)), now)

    def hand_over(self, order: int, customer: int, now: int) -> None:
        """Staff puts an order on the account of another customer."""
        found, buyer = self.orders[order], self.customers[customer]
        found |= {"customer": buyer, "email": buyer["email"], "contact_email": buyer["email"]}
        self._changed(found, "orders/updated", now)

    def merge(self, kept: int, gone: int, now: int) -> None:
        """Staff says that two customers are one: the orders of the one who goes are the other's, and keep what they were placed with.
        That each of them changes by it is unsourced."""
        self.merged[gone] = kept
        del self._customers[self.customers.pop(gone)["email"]]
        for order in self.orders.values():
            if order["customer"]["id"] == gone:
                order["customer"] = self.customers[kept]
                self._changed(order, "orders/updated", now)
        self._tell("customers/merge", shapes.merge(kept, gone), now)

    def edit_order(self, order: int, off: Mapping[int, int], *, now: int, restock: bool) -> None:
        """Staff takes units off that have not left: line id -> units. What a line was, and the order's total, stay as they were
        (recorded: order-edit-money-math.json); only what is current changes."""
        found, removals = self.orders[order], []
        for line in found["line_items"]:
            if units := off.get(line["id"], 0):
                assert units <= line["fulfillable_quantity"], f"line {line['id']} has {line['fulfillable_quantity']} units to send"
                self._take_off(order, line, units)
                removals.append({"id": line["id"], "delta": -units})
                if restock:
                    self._move(line["sku"], units, now)
        number = self._id()
        edit = {
            "id": number, "order_id": order, "created_at": shapes.time(now), "notify_customer": False, "staff_note": "",
            "line_items": {"additions": [], "removals": removals},
        }  # fmt: skip
        self._tell("orders/edited", {"order_edit": edit}, now)
        self._changed(found, "orders/updated", now)

    def _take_off(self, order: int, line: dict[str, Any], units: int) -> None:
        line["current_quantity"] -= units
        line["fulfillable_quantity"] -= units
        self.taken_off[order, line["id"]] += units

    def _move(self, sku: str, units: int, now: int) -> None:
        self.variants[sku].quantity += units
        self.variants[sku].updated_at = now

    def sent_by_hand(self, order: int, units: Mapping[str, int], now: int) -> bool:
        """Staff says in the shop's admin that units of these lines have left; False where so many are not open there."""
        found = self.orders[order]
        left = {line["id"]: units[str(line["id"])] for line in found["line_items"] if units.get(str(line["id"]))}
        open_ = {line["id"]: line["fulfillable_quantity"] for line in found["line_items"]}
        if found["cancelled_at"] is not None or any(open_[line] < count for line, count in left.items()):
            return False
        self._fulfil(found, left, {}, now)
        return True

    def _fulfil(self, found: dict[str, Any], units: Mapping[int, int], tracking: Mapping[str, Any], now: int) -> dict[str, Any]:
        """Units of an order leave in one parcel."""
        lines = []
        for line in found["line_items"]:
            if units.get(line["id"]):
                line["fulfillable_quantity"] -= units[line["id"]]
                lines.append(line | {"quantity": units[line["id"]]})
        numbers = tracking.get("numbers") or ([tracking["number"]] if tracking.get("number") else [])
        parcel = {
            "id": self._id(), "order_id": found["id"], "status": "success", "created_at": shapes.time(now), "updated_at": shapes.time(now),
            "service": "manual", "shipment_status": None, "location_id": self.location, "line_items": lines,
            "tracking_company": tracking.get("company"), "tracking_number": numbers[0] if numbers else None, "tracking_numbers": numbers,
        }  # fmt: skip
        found["fulfillments"].append(parcel)
        open_units = sum(line["fulfillable_quantity"] for line in found["line_items"])
        found["fulfillment_status"] = "partial" if open_units else "fulfilled"
        self.effects[f"fulfilment:{found['id']}:{numbers or sorted(units.items())}"] += 1
        self._tell("fulfillments/create", parcel, now)
        self._changed(found, "orders/updated" if open_units else "orders/fulfilled", now)
        return parcel

    def _new_order(
        self, lines: Sequence[tuple[str, int]], currency: str, shipping: int, discount: int, tax: int, now: int, sold: Sequence[Variant]
    ) -> dict[str, Any]:
        """`sold` are the variants of the lines at the prices of the cart."""
        goods = [one.price_minor * quantity for one, (_, quantity) in zip(sold, lines, strict=True)]
        offs, taxes = allocate(discount, goods), allocate(tax, goods)
        order = self._id()
        items = [
            shapes.line(self._id(), one, quantity, off, due, currency)
            for one, (_, quantity), off, due in zip(sold, lines, offs, taxes, strict=True)
        ]
        return shapes.order(order, items, self._id(), currency, (sum(goods), discount, shipping, tax), shapes.time(now))

    def _changed(self, order: dict[str, Any], topic: str, now: int) -> None:
        """Time may run faster here than in a real shop: two changes of one order never share a second, which is Shopify's finest."""
        order["updated_at"] = max(shapes.time(now), iso(micros(order["updated_at"]) + SECOND))
        self._tell(topic, order, now)

    def _tell(self, topic: str, payload: Mapping[str, Any], now: int) -> None:
        body = self.told(msgspec.json.encode(payload))
        self._events += 1
        event = hashlib.md5(f"{self.shop}:{self._events}".encode(), usedforsecurity=False).hexdigest()
        self.post(
            {
                "content-type": "application/json",
                "x-shopify-topic": topic,
                "x-shopify-hmac-sha256": base64.b64encode(hmac.digest(self.secret.encode(), body, "sha256")).decode(),
                "x-shopify-shop-domain": self.shop,
                "x-shopify-api-version": VERSION,
                "x-shopify-webhook-id": f"w-{event}",
                "x-shopify-event-id": event,
                "x-shopify-triggered-at": shapes.time(now),
            },
            body,
            now,
        )

    def delivered(self, post: str, status: int, now: int) -> None:
        """A delivery whose tries all failed costs the shop its subscriptions."""
        given_up = len(self.given_up)
        super().delivered(post, status, now)
        if len(self.given_up) > given_up:
            self.subscribed = False

    def _customer(self, email: str) -> int:
        """Who orders again with the same address is the same customer."""
        if not email:
            return self._id()
        self._customers[email] = self._customers.get(email) or self._id()
        return self._customers[email]

    def _id(self) -> int:
        self._last_id += 1
        return self._last_id

    # --- the API ---------------------------------------------------------------------------------------------------------
    def handle(self, request: Request, now: int) -> Reply:
        if request.headers.get("x-shopify-access-token") != self.token:
            return json_reply(401, {"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"})
        if request.method != "POST" or request.path != PATH:
            return json_reply(404, {"errors": "Not Found"})
        asked = msgspec.json.decode(request.body)
        try:
            document = read(asked["query"], asked.get("variables") or {})
            cost = WRITE_COST if document.kind == "mutation" else _query_cost(document)
            refusal = self.limit(request, document.roots[0].name, now, cost)
            if refusal is not None:
                return refusal
            return self._answer(document, cost, now)
        except Wrong as wrong:
            return json_reply(200, {"errors": [{"message": str(wrong), "extensions": {"code": "undefinedField"}}]})

    def throttled(self, request: Request, after_s: float) -> Reply:
        errors = [
            {"message": "Throttled", "extensions": {"code": "THROTTLED", "documentation": "https://shopify.dev/api/usage/rate-limits"}}
        ]
        return json_reply(200, {"errors": errors, "extensions": self._cost(0.0)})

    def _answer(self, document: Document, cost: float, now: int) -> Reply:
        if cost > QUERY_COST_MAX:
            return self._refuse("Query cost is too high", "MAX_COST_EXCEEDED", document.roots[0].name, cost)
        found: dict[str, Any] = {}
        for root in document.roots:
            try:
                value = self._root(root, now)
            except _Refused as refused:
                return self._refuse(str(refused), refused.code, root.name, cost)
            found[root.alias] = document.cut(value, root.selected)
        return json_reply(200, {"data": found, "extensions": self._cost(cost)})

    def _refuse(self, message: str, code: str, root: str, cost: float) -> Reply:
        errors = [{"message": message, "path": [root], "extensions": {"code": code}}]
        return json_reply(200, {"errors": errors, "data": {root: None}, "extensions": self._cost(cost)})

    def _cost(self, cost: float) -> dict[str, Any]:
        capacity, flow = self.budgets[0].capacity, self.budgets[0].per_s * self.time_factor
        throttle = {"maximumAvailable": capacity, "currentlyAvailable": int(super().available("graphql")), "restoreRate": flow}
        return {"cost": {"requestedQueryCost": cost, "actualQueryCost": cost, "throttleStatus": throttle}}

    def _root(self, root: Field, now: int) -> Any:
        answers: Mapping[str, Callable[..., Any]] = {
            "order": self._order, "orders": self._orders, "products": self._products, "location": self._location, "nodes": self._nodes,
            "webhookSubscriptions": self._webhooks, "webhookSubscriptionCreate": self._subscribe,
            "webhookSubscriptionDelete": self._unsubscribe,
            "inventorySetQuantities": self._set_quantities, "fulfillmentCreate": self._create_fulfilment,
            "orderCancel": self._cancel, "productVariantsBulkUpdate": self._update_variants,
        }  # fmt: skip
        if root.name not in answers:
            raise Wrong(f"Field '{root.name}' doesn't exist on type 'QueryRoot'")
        if root.name in KEYED:
            return self._keyed(root, lambda: answers[root.name](now=now, **root.arguments))
        return answers[root.name](now=now, **root.arguments)

    def _keyed(self, root: Field, carry_out: Callable[[], Any]) -> Any:
        """A mutation under `@idempotent`: a repeat gets the first answer, another request under the same key is refused."""
        if "idempotent" not in root.directives:
            raise _Refused("The @idempotent directive is required for this mutation but was not provided.", "BAD_REQUEST")
        key = root.directives["idempotent"].get("key")
        if not key:
            raise _Refused("Directive 'idempotent' is missing required arguments: key", "missingRequiredArguments")
        request = msgspec.json.encode([root.name, root.arguments])
        if key in self._answered:
            before, answer = self._answered[key]
            if before == request:
                return answer
            message = "The same idempotency key cannot be used with different operation parameters."
            return {"inventoryAdjustmentGroup": None, "userErrors": [_wrong(None, message, "IDEMPOTENCY_KEY_PARAMETER_MISMATCH")]}
        answer = carry_out()
        if not any(one["code"] == "IDEMPOTENCY_CONCURRENT_REQUEST" for one in answer["userErrors"]):
            self._answered[key] = (request, answer)
            self.effects[f"key:{key}"] += 0 if answer["userErrors"] else 1
        return answer

    def _set_quantities(self, now: int, input: Mapping[str, Any]) -> dict[str, Any]:
        quantities = input["quantities"]
        if any("changeFromQuantity" not in one for one in quantities):
            raise _Refused("InventoryQuantityInput must include the following argument: changeFromQuantity.", "INVALID_FIELD_ARGUMENTS")
        if len(quantities) > QUANTITIES_MAX:
            text = f"The input array size of {len(quantities)} is greater than the maximum allowed of {QUANTITIES_MAX}."
            raise _Refused(text, "MAX_INPUT_SIZE_EXCEEDED")
        items = {shapes.gid("InventoryItem", one.item): one for one in self.variants.values()}
        wrongs = self._wrong_quantities(input, items)
        if wrongs:
            return {"inventoryAdjustmentGroup": None, "userErrors": wrongs}
        for one in quantities:
            variant = items[one["inventoryItemId"]]
            variant.quantity, variant.updated_at = one["quantity"], now
            self.level_history.append((variant.sku, variant.quantity, now))
        return {"inventoryAdjustmentGroup": {"id": shapes.gid("InventoryAdjustmentGroup", self._id())}, "userErrors": []}

    def _wrong_quantities(self, content: Mapping[str, Any], items: Mapping[str, Variant]) -> list[dict[str, Any]]:
        """All levels are set, or none: every wrong one is named by its place in the list."""
        wrongs = []
        if content["reason"] not in REASONS:
            text = f"The specified reason is invalid. Valid values are: {', '.join(REASONS)}."
            wrongs.append(_wrong(["input", "reason"], text, "INVALID_REASON"))
        places = Counter((one["inventoryItemId"], one["locationId"]) for one in content["quantities"])
        for index, one in enumerate(content["quantities"]):
            at = ["input", "quantities", str(index)]
            item = items.get(one["inventoryItemId"])
            if item is None:
                text = "The specified inventory item could not be found."
                wrongs.append(_wrong([*at, "inventoryItemId"], text, "INVALID_INVENTORY_ITEM"))
            elif one["locationId"] != shapes.gid("Location", self.location):
                wrongs.append(_wrong([*at, "locationId"], "The specified location could not be found.", "INVALID_LOCATION"))
            elif one["quantity"] < 0:
                wrongs.append(_wrong([*at, "quantity"], "The quantity can't be negative.", "INVALID_QUANTITY_NEGATIVE"))
            elif one["changeFromQuantity"] not in (None, item.quantity):
                text = "The changeFromQuantity argument no longer matches the persisted quantity."
                wrongs.append(_wrong([*at, "changeFromQuantity"], text, "CHANGE_FROM_QUANTITY_STALE"))
            elif places[one["inventoryItemId"], one["locationId"]] > 1:
                text = "The combination of inventoryItemId and locationId must be unique."
                wrongs.append(_wrong(at, text, "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR"))
            elif self.fails_partly():
                wrongs.append(_wrong(at, "Another request is changing this level.", "IDEMPOTENCY_CONCURRENT_REQUEST"))
        return wrongs

    def _create_fulfilment(self, now: int, fulfillment: Mapping[str, Any], message: str = "") -> dict[str, Any]:
        units: Counter[int] = Counter()
        found: dict[str, Any] | None = None
        for one in fulfillment["lineItemsByFulfillmentOrder"]:
            found = self.orders.get(_number(one["fulfillmentOrderId"]))  # each order has one fulfilment order, under its own number
            if found is None:
                raise _Refused("invalid id", "RESOURCE_NOT_FOUND")
            for line in one.get("fulfillmentOrderLineItems") or shapes.open_lines(found):
                units[_number(line["id"])] += line["quantity"]
        assert found is not None, "lineItemsByFulfillmentOrder is a list of at least one"
        still_open = {line["id"]: line["fulfillable_quantity"] for line in found["line_items"]}
        if not units or any(quantity > still_open.get(line, 0) for line, quantity in units.items()):
            text = "Invalid fulfillment order line item quantity requested."
            return {"fulfillment": None, "userErrors": [_wrong(["fulfillment"], text)]}
        parcel = self._fulfil(found, units, fulfillment.get("trackingInfo") or {}, now)
        return {"fulfillment": shapes.fulfilment_node(parcel), "userErrors": []}

    def _cancel(
        self, now: int, orderId: str, reason: str, restock: bool, staffNote: str | None = None, **refund: Any
    ) -> dict[str, Any]:  # fmt: skip
        found = self.orders.get(_number(orderId))
        wrongs = []
        if found is None:
            wrongs = [_wrong(["orderId"], "Order does not exist", "NOT_FOUND")]
        elif found["cancelled_at"]:
            wrongs = [_wrong(["orderId"], "Cannot cancel an order that has already been canceled", "INVALID")]
        elif len(staffNote or "") > 255:
            wrongs = [_wrong(["staffNote"], "Staff note is too long. Maximum length is 255 characters.", "INVALID")]
        if wrongs:
            return {"job": None, "orderCancelUserErrors": wrongs, "userErrors": wrongs}
        self.cancel_order(_number(orderId), now=now, reason=reason.lower(), restock=restock)
        return {"job": {"id": shapes.gid("Job", self._id()), "done": False}, "orderCancelUserErrors": [], "userErrors": []}

    def _update_variants(
        self, now: int, productId: str, variants: Sequence[Mapping[str, Any]], allowPartialUpdates: bool = False
    ) -> dict[str, Any]:  # fmt: skip
        known = {
            shapes.gid("ProductVariant", one.id): one for one in self.variants.values() if shapes.gid("Product", one.product) == productId
        }
        wrongs = [
            _wrong(["variants", str(index), "id"], "Product variant does not exist", "PRODUCT_VARIANT_DOES_NOT_EXIST")
            for index, one in enumerate(variants)
            if one["id"] not in known
        ]
        changed = []
        for one in variants if allowPartialUpdates or not wrongs else ():
            if one["id"] in known:
                variant = known[one["id"]]
                variant.price_minor, variant.updated_at = minor(one["price"], self.currency), now
                self.price_history.append((variant.sku, variant.price_minor, now))
                changed.append({"id": one["id"], "price": one["price"]})
        return {"productVariants": changed, "userErrors": wrongs}

    def _webhooks(self, now: int, first: int, after: str | None = None) -> dict[str, Any]:
        live = self.subscriptions if self.subscribed else {}
        nodes = [{"topic": topic, "uri": uri, **self.hooks[topic]} for topic, uri in live.items()]
        return shapes.page(nodes, first, after)

    def _subscribe(self, now: int, topic: str, webhookSubscription: Mapping[str, Any]) -> dict[str, Any]:
        if not self.subscribed:
            self.subscriptions.clear()
            self.subscribed = True
        if self.subscriptions.get(topic) == webhookSubscription["uri"]:
            wrong = _wrong(["webhookSubscription", "callbackUrl"], "Address for this topic has already been taken")
            return {"webhookSubscription": None, "userErrors": [wrong]}
        self.subscriptions[topic] = webhookSubscription["uri"]
        number = shapes.gid("WebhookSubscription", self._id())
        self.hooks[topic] = {"id": number, "filter": None, "includeFields": [], "apiVersion": {"handle": VERSION}}
        return {"webhookSubscription": {"id": number}, "userErrors": []}

    def _unsubscribe(self, now: int, id: str) -> dict[str, Any]:
        topic = next((topic for topic, hook in self.hooks.items() if hook["id"] == id and topic in self.subscriptions), None)
        if topic is None:
            return {"deletedWebhookSubscriptionId": None, "userErrors": [_wrong(["id"], "Webhook subscription does not exist")]}
        del self.subscriptions[topic]
        return {"deletedWebhookSubscriptionId": id, "userErrors": []}

    def _order(self, now: int, id: str) -> dict[str, Any] | None:
        found = self.orders.get(_number(id))
        return self._node(found) if found else None

    def _node(self, order: Mapping[str, Any]) -> dict[str, Any]:
        return shapes.order_node(order, self.transactions.get(order["id"], []))

    def _orders(
        self, now: int, first: int, after: str | None = None, query: str | None = None, sortKey: str = "PROCESSED_AT"
    ) -> dict[str, Any]:  # fmt: skip
        field = {"UPDATED_AT": "updated_at", "PROCESSED_AT": "processed_at"}[sortKey]
        found = [(one[field], one["id"], one) for one in self.orders.values() if micros(one["updated_at"]) >= _since(query)]
        return _listed(found, self._node, first, after)

    def _products(
        self, now: int, first: int, after: str | None = None, query: str | None = None, sortKey: str = "ID"
    ) -> dict[str, Any]:  # fmt: skip
        """Each has one variant."""
        assert sortKey == "UPDATED_AT"
        found = [(shapes.time(one.updated_at), one.product, one) for one in self.variants.values() if one.updated_at >= _since(query)]
        return _listed(found, lambda one: shapes.product_node(one, self.currency), first, after)

    def _location(self, now: int, id: str) -> dict[str, Any] | None:
        if _number(id) != self.location:
            return None
        levels = [self._level(one) for one in self.variants.values()]
        return {"id": id, "inventoryLevels": lambda first, after=None: shapes.page(levels, first, after)}

    def _level(self, variant: Variant) -> dict[str, Any]:
        return {
            "id": f"{shapes.gid('InventoryLevel', self.location)}?inventory_item_id={variant.item}",
            "updatedAt": shapes.time(variant.updated_at),
            "item": {"id": shapes.gid("InventoryItem", variant.item), "sku": variant.sku, "tracked": True},
            "location": {"id": shapes.gid("Location", self.location)},
            "quantities": lambda names: [{"name": name, "quantity": variant.quantity} for name in names],
        }

    def _nodes(self, now: int, ids: Sequence[str]) -> list[dict[str, Any] | None]:
        known = {shapes.gid("InventoryItem", one.item): one for one in self.variants.values()}
        return [shapes.item_node(known[one]) if one in known else None for one in ids]


def _since(query: str | None) -> int:
    return micros(re.fullmatch(r"updated_at:>='([^']+)'", query).group(1)) if query else 0  # type: ignore[union-attr]


def _listed(rows: list[tuple[str, int, Any]], node: Callable[[Any], Any], first: int, after: str | None) -> dict[str, Any]:
    """A connection of (sort value, id, what). A cursor names the last one by both, as the recorded ones do: what changes meanwhile moves
    behind it."""
    last = tuple(msgspec.json.decode(base64.b64decode(after))) if after else ("", 0)
    found = sorted((row for row in rows if row[:2] > last), key=lambda row: row[:2])
    page = found[:first]
    cursor = base64.b64encode(msgspec.json.encode(page[-1][:2])).decode() if page else None
    return {"nodes": [node(one) for _, _, one in page], "pageInfo": {"hasNextPage": len(found) > first, "endCursor": cursor}}


def _number(gid: str) -> int:
    text = gid.rpartition("/")[2]
    if not text.isdecimal():
        raise _Refused("invalid id", "RESOURCE_NOT_FOUND")
    return int(text)


def _wrong(field: list[str] | None, message: str, code: str | None = None) -> dict[str, Any]:
    return {"field": field, "message": message, "code": code}


def _query_cost(document: Document) -> float:
    """An estimate: the vendor's formula for connections is not published. One point for each object, one for each row of the page."""
    rows: int = max(root.arguments.get("first") or 0 for root in document.roots)
    return float(document.size() + rows)
