"""What we ask Shopify to make true: levels, fulfilments, cancellations, prices. One conversation for each command."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from msgspec import Struct

from mainstay.connectors.shopify import documents
from mainstay.connectors.shopify.words import CANCEL_REASON, USER_ERROR
from mainstay.contract.connector import Done, Outcome
from mainstay.contract.talk import Call, Repeat, Reply, Talk, as_json
from mainstay.model.commands import CancelOrder, Command, ConfirmFulfilment, SetLevel, SetPrice
from mainstay.model.failures import Failure, Reject, Retry
from mainstay.model.money import major
from mainstay.model.objects import UnitsOf

VERSION = "2026-07"
PATH = f"/admin/api/{VERSION}/graphql.json"
LEVELS_MAX = 250  # https://shopify.dev/docs/api/usage/limits: array inputs hold at most 250 items
NOTE_CHARS_MAX = 255  # recorded: orderCancel "Staff note is too long. Maximum length is 255 characters."
READ_COST, WRITE_COST = 30.0, 10.0  # recorded: a mutation asks for 10, an order with its fulfilment orders for about 30

Place = tuple[str, str]  # inventory item, location


class _Wrong(Struct):
    message: str
    field: list[str] | None = None
    code: str | None = None


def ask(
    operation: str, document: str, variables: Mapping[str, Any], *, repeat: Repeat = Repeat.SAFE, key: str = "", cost: float = READ_COST
) -> Call:
    """One GraphQL operation; `operation` is the name that the document gives it."""
    body = as_json({"operationName": operation, "query": document, "variables": variables})
    return Call(operation=operation, method="POST", path=PATH, body=body, repeat=repeat, key=key, cost=cost)


def gid(kind: str, number: str) -> str:
    return number if number.startswith("gid://") else f"gid://shopify/{kind}/{number}"


def tail(global_id: str) -> str:
    return global_id.rpartition("/")[2]


def data(reply: Reply, *path: str) -> Any:
    """The part of an answer that a path names; None where something on the way is null."""
    found = reply.json().get("data")
    for name in path:
        found = found.get(name) if found is not None else None
    return found


def each(commands: Sequence[Any], one: Callable[[Any], Talk[Done]]) -> Talk[list[Outcome]]:
    """Carry out commands one after the other: the failure of one is its own outcome."""
    outcomes: list[Outcome] = []
    for command in commands:
        try:
            done = yield from one(command)
        except Failure as failure:
            outcomes.append(failure)
        else:
            outcomes.append(done)
    return outcomes


def _wrongs(given: Any) -> list[_Wrong]:
    return [_Wrong(one["message"], one.get("field"), one.get("code")) for one in given or ()]


def _refusal(wrong: _Wrong) -> Failure:
    if wrong.code == "IDEMPOTENCY_CONCURRENT_REQUEST":
        return Retry(wrong.message)
    return Reject(f"{wrong.message} ({wrong.code or 'no code'})", USER_ERROR.get(wrong.code or "", "rejected"))


# --- levels --------------------------------------------------------------------------------------------------------------
def set_levels(location: str, commands: Sequence[SetLevel]) -> Talk[list[Outcome]]:
    """Publish absolute levels. Of two for one place only the newest goes out: the vendor refuses a place named twice."""
    newest: dict[Place, SetLevel] = {}
    for command in commands:
        place = (command.item, command.location or location)
        if place not in newest or command.revision > newest[place].revision:
            newest[place] = command
    outcomes: dict[Place, Outcome] = {
        place: Reject(f"no inventory item or location is known for {command.sku}", "id_missing")
        for place, command in newest.items()
        if not all(place)
    }
    levels = [(place, command) for place, command in newest.items() if place not in outcomes]
    for start in range(0, len(levels), LEVELS_MAX):
        outcomes |= yield from _publish(levels[start : start + LEVELS_MAX])
    return [outcomes[command.item, command.location or location] for command in commands]


def _publish(levels: list[tuple[Place, SetLevel]]) -> Talk[dict[Place, Outcome]]:
    """One bulk call. It applies all levels or none: the ones it names are refused and the rest is sent again, or else it is halved."""
    if not levels:
        return {}
    try:
        reply = yield _levels_call(levels)
        wrongs = _wrongs(data(reply, "inventorySetQuantities", "userErrors"))
    except Reject as refused:  # the document as a whole: one malformed id is enough
        if refused.code != "rejected":
            raise
        wrongs = [_Wrong(refused.why)]
    if not wrongs:
        return {place: Done() for place, _ in levels}
    named = {index: wrong for wrong in wrongs if (index := _index(wrong)) is not None and index < len(levels)}
    if not named and isinstance(refusal := _refusal(wrongs[0]), Retry):
        raise refusal
    if not named and len(levels) > 1:
        half = len(levels) // 2
        first = yield from _publish(levels[:half])
        return first | (yield from _publish(levels[half:]))
    named = named or {0: wrongs[0]}
    outcomes: dict[Place, Outcome] = {levels[index][0]: _refusal(wrong) for index, wrong in named.items()}
    return outcomes | (yield from _publish([level for index, level in enumerate(levels) if index not in named]))


def _levels_call(levels: list[tuple[Place, SetLevel]]) -> Call:
    """The key belongs to exactly these commands, so a repeat is answered from the first and another selection has another key."""
    key = blake2b("\n".join(command.key for _, command in levels).encode(), digest_size=16).hexdigest()
    quantities = [
        {
            "inventoryItemId": gid("InventoryItem", item),
            "locationId": gid("Location", location),
            "quantity": command.quantity,
            "changeFromQuantity": None,  # must be stated since 2026-04; null: whatever stands there now
        }
        for (item, location), command in levels
    ]
    content = {"name": "available", "reason": "correction", "quantities": quantities}
    return ask("SetLevels", documents.SET_LEVELS, {"input": content, "key": key}, key=key, cost=WRITE_COST)


def _index(wrong: _Wrong) -> int | None:
    """Which item an error speaks of: its field is ["input", "quantities", "3", "inventoryItemId"]."""
    return next((int(part) for part in wrong.field or () if part.isdecimal()), None)


# --- fulfilments ---------------------------------------------------------------------------------------------------------
def confirm(command: ConfirmFulfilment) -> Talk[Done]:
    """Shopify plans in fulfilment orders: find where these lines stand, unless the parcel is there already."""
    order = yield from _order(command.order)
    found = _parcel(order, command)
    if found is not None:
        return found
    selection = _select(order["fulfillmentOrders"]["nodes"], command)
    tracking = {"company": command.carrier or None, "numbers": list(command.tracking)} if command.tracking else None
    content = {"lineItemsByFulfillmentOrder": selection, "trackingInfo": tracking, "notifyCustomer": False}
    reply = yield ask(
        "Fulfil", documents.FULFIL, {"fulfillment": content}, repeat=Repeat.LOOKUP, key=command.key, cost=WRITE_COST
    )  # fmt: skip
    wrongs = _wrongs(data(reply, "fulfillmentCreate", "userErrors"))
    if wrongs:
        raise _refusal(wrongs[0])
    return Done({"fulfilment": tail(data(reply, "fulfillmentCreate", "fulfillment", "id"))})


def find_fulfilment(command: ConfirmFulfilment) -> Talk[Done | None]:
    order = yield from _order(command.order)
    return _parcel(order, command)


def _order(order: str) -> Talk[dict[str, Any]]:
    reply = yield ask("OpenFulfilments", documents.OPEN_FULFILMENTS, {"id": gid("Order", order)})
    found: dict[str, Any] | None = data(reply, "order")
    if found is None:
        raise Reject(f"Shopify knows no order {order}", "not_found")
    return found


def _parcel(order: dict[str, Any], command: ConfirmFulfilment) -> Done | None:
    """The parcel of this command: the same tracking number, or, for a parcel without one, exactly the same units."""
    wanted = _units(command.lines)
    for one in order["fulfillments"]:
        if one["status"] in ("CANCELLED", "ERROR", "FAILURE"):
            continue
        numbers = {info["number"] for info in one["trackingInfo"] if info["number"]}
        units = Counter({tail(line["lineItem"]["id"]): line["quantity"] for line in one["fulfillmentLineItems"]["nodes"]})
        if numbers & set(command.tracking) or (not command.tracking and not numbers and units == wanted):
            return Done({"fulfilment": tail(one["id"])})
    return None


def _units(lines: Sequence[UnitsOf]) -> Counter[str]:
    wanted: Counter[str] = Counter()
    for line in lines:
        wanted[line.line] += line.quantity
    return wanted


def _select(planned: Sequence[dict[str, Any]], command: ConfirmFulfilment) -> list[dict[str, Any]]:
    """Which units of which fulfilment orders: as many as are still open there; Reject when the order has not so many left."""
    wanted, selection = _units(command.lines), []
    for one in planned:
        taken = []
        for line in one["lineItems"]["nodes"]:
            units = min(wanted[tail(line["lineItem"]["id"])], line["remainingQuantity"])
            if units and one["status"] in ("OPEN", "IN_PROGRESS"):
                taken.append({"id": line["id"], "quantity": units})
                wanted[tail(line["lineItem"]["id"])] -= units
        if taken:
            selection.append({"fulfillmentOrderId": one["id"], "fulfillmentOrderLineItems": taken})
    missing = {line: units for line, units in wanted.items() if units}
    if missing:
        raise Reject(f"order {command.order} has no open units for {missing}: they were fulfilled, cancelled or put on hold there")
    return selection


# --- cancellations -------------------------------------------------------------------------------------------------------
def cancel(command: CancelOrder) -> Talk[Done]:
    """Cancel the whole order. It moves neither money nor stock at Shopify: the payment provider and `SetLevel` do that."""
    if command.lines:
        raise Reject("Shopify cancels whole orders only; edit the order for some of its lines", "not_capable")
    found = yield from find_cancellation(command)
    if found is not None:
        return found
    variables = {
        "id": gid("Order", command.order),
        "reason": CANCEL_REASON.get(command.reason, "OTHER"),
        "refund": {"originalPaymentMethodsRefund": False},
        "note": f"{command.reason} ({command.key})"[:NOTE_CHARS_MAX],
    }
    reply = yield ask("Cancel", documents.CANCEL, variables, repeat=Repeat.LOOKUP, key=command.key, cost=WRITE_COST)
    wrongs = _wrongs(data(reply, "orderCancel", "orderCancelUserErrors"))
    if wrongs:
        raise _refusal(wrongs[0])
    return Done({"job": tail(data(reply, "orderCancel", "job", "id"))})


def find_cancellation(command: CancelOrder) -> Talk[Done | None]:
    order = yield from _order(command.order)
    return Done() if order["cancelledAt"] else None


# --- prices --------------------------------------------------------------------------------------------------------------
def set_prices(commands: Sequence[SetPrice]) -> Talk[list[Outcome]]:
    """`item` is the stock item's id, as for levels. Prices are set variant by variant within a product, so these are asked for first."""
    newest: dict[str, SetPrice] = {}
    for command in sorted(commands, key=lambda one: one.revision):
        newest[gid("InventoryItem", command.item)] = command
    reply = yield ask("VariantsOf", documents.VARIANTS_OF, {"ids": list(newest)})
    products: dict[str, dict[str, str]] = {}  # product -> variant -> stock item
    for node in filter(None, data(reply, "nodes")):
        for variant in node["variants"]["nodes"]:
            products.setdefault(variant["product"]["id"], {})[variant["id"]] = node["id"]
    outcomes: dict[str, Outcome] = {item: Reject(f"Shopify knows no stock item {item}", "not_found") for item in newest}
    for product, items in products.items():
        told = yield from _set_prices(product, {variant: newest[item] for variant, item in items.items()})
        outcomes |= {items[variant]: outcome for variant, outcome in told.items()}
    return [outcomes[gid("InventoryItem", command.item)] for command in commands]


def _set_prices(product: str, prices: Mapping[str, SetPrice]) -> Talk[dict[str, Outcome]]:
    variants = [{"id": variant, "price": major(command.price, command.currency)} for variant, command in prices.items()]
    reply = yield ask("SetPrices", documents.SET_PRICES, {"product": product, "variants": variants}, cost=WRITE_COST)
    outcomes: dict[str, Outcome] = {variant: Done() for variant in prices}
    for wrong in _wrongs(data(reply, "productVariantsBulkUpdate", "userErrors")):
        index = _index(wrong)
        refused = list(prices) if index is None else [list(prices)[index]]
        outcomes |= {variant: _refusal(wrong) for variant in refused}
    return outcomes


def push(location: str, commands: Sequence[Command]) -> Talk[list[Outcome]]:
    """The conversation that carries out commands of one kind."""
    kind = type(commands[0])
    if kind is SetLevel:
        return set_levels(location, [one for one in commands if isinstance(one, SetLevel)])
    if kind is SetPrice:
        return set_prices([one for one in commands if isinstance(one, SetPrice)])
    if kind is ConfirmFulfilment:
        return each(commands, confirm)
    if kind is CancelOrder:
        return each(commands, cancel)
    raise Reject(f"Shopify is never asked for {kind.__name__}", "not_capable")


def look_up(command: Command) -> Talk[Done | None]:
    """Was it applied? Levels and prices are absolute: they are said again rather than looked up."""
    if isinstance(command, ConfirmFulfilment):
        return find_fulfilment(command)
    if isinstance(command, CancelOrder):
        return find_cancellation(command)
    return _not_needed()


def _not_needed() -> Talk[None]:
    return None
    yield  # a conversation without a call
