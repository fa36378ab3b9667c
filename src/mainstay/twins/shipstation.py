"""An imitation of ShipStation's API V1: orders by upsert, labels, thin webhooks, Pacific times without a zone, 40 requests a minute.

Written from https://www.shipstation.com/docs/api/. An open order may be updated, a shipped or cancelled one may not.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import msgspec

from mainstay.contract.connector import Budget
from mainstay.contract.talk import Reply
from mainstay.contract.twin import Request
from mainstay.model.times import SECOND
from mainstay.twins.imitation import Dice, Imitation, Weather

PACIFIC = ZoneInfo("America/Los_Angeles")
ORDERS_MAX = 100
OPEN = ("awaiting_payment", "awaiting_shipment", "pending_fulfillment", "on_hold")
COST = Decimal("7.43")  # what a label costs here

Object = dict[str, Any]


class ShipStationTwin(Imitation):
    """`effects`: ("order", orderKey, "created" | "updated"), ("cancel", orderKey, ""), ("label" | "void", "orderKey/line", units)."""

    name = "shipstation"
    budgets: ClassVar = (Budget("account", "leaky", 40, 40 / 60),)

    def __init__(
        self, dice: Dice, weather: Weather | None = None, time_factor: float = 1.0, *,
        key: str = "twin-key", secret: str = "twin-secret", hook_secret: str = "twin-path",
    ) -> None:  # fmt: skip
        super().__init__(dice, weather, time_factor)
        self._login = "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()
        self._hook_secret = hook_secret
        self.released: dict[str, Object] = {}  # orderKey -> order
        self.shipments: list[Object] = []
        self.hooks: list[Object] = []
        self.effects: list[tuple[str, str, str | int]] = []
        self._made = 0

    # --- what the warehouse does --------------------------------------------------------------------------------------
    def ship(
        self, order_key: str, now: int, lines: Mapping[str, int] | None = None, carrier: str = "stamps_com", tracking: str = "",
    ) -> Object:  # fmt: skip
        """Print a label for units of an open order (`lines`: lineItemKey -> units; None: all that is left) and hand the parcel over."""
        order = self.released[order_key]
        left = self.left(order_key)
        wanted = dict(lines) if lines is not None else left
        assert order["orderStatus"] in OPEN, f"{order_key} is {order['orderStatus']}"
        assert wanted and all(0 < units <= left[line] for line, units in wanted.items()), (
            f"a label was printed already: {wanted}, left {left}"
        )
        shipment = self._shipment(order, wanted, carrier, tracking, now)
        self.shipments.append(shipment)
        self.effects += (("label", f"{order_key}/{line}", units) for line, units in wanted.items())
        if not self.left(order_key):
            order |= {"orderStatus": "shipped", "shipDate": shipment["shipDate"]}
        order["modifyDate"] = shipment["createDate"]
        self._notify("SHIP_NOTIFY", shipment["batchNumber"], now)
        return shipment

    def void(self, shipment_id: int, now: int) -> Object:
        """Take a label back before the carrier has the parcel; its units are open again."""
        shipment = next(one for one in self.shipments if one["shipmentId"] == shipment_id)
        shipment |= {"voided": True, "voidDate": _pacific(now)}
        order = self.released[shipment["orderKey"]]
        order |= {"orderStatus": "awaiting_shipment", "modifyDate": _pacific(now)}
        self.effects += (("void", f"{order['orderKey']}/{item['lineItemKey']}", item["quantity"]) for item in shipment["shipmentItems"])
        return shipment

    def close(self, order_key: str, status: str, now: int) -> None:
        """A person in the warehouse cancels an order, or marks it as shipped elsewhere."""
        self.released[order_key] |= {"orderStatus": status, "externallyFulfilled": status == "shipped", "modifyDate": _pacific(now)}

    def left(self, order_key: str) -> dict[str, int]:
        """Units of each line for which no label stands."""
        left = {item["lineItemKey"]: item["quantity"] for item in self.released[order_key]["items"]}
        for shipment in self.shipments:
            if shipment["orderKey"] == order_key and not shipment["voided"]:
                for item in shipment["shipmentItems"]:
                    left[item["lineItemKey"]] -= item["quantity"]
        return {line: units for line, units in left.items() if units}

    # --- the API -----------------------------------------------------------------------------------------------------
    def handle(self, request: Request, now: int) -> Reply:
        refused = self.limit(request, request.path, now)
        if refused is not None:
            return refused
        if request.headers.get("authorization") != self._login:
            return self._reply(401, {"Message": "Authorization has been denied for this request."})
        routes: dict[tuple[str, str], Callable[[Request, int], Reply]] = {
            ("POST", "/orders/createorders"): self._create_orders,
            ("POST", "/orders/createorder"): self._create_order,
            ("GET", "/orders"): self._list_orders,
            ("GET", "/shipments"): self._list_shipments,
            ("GET", "/webhooks"): self._list_hooks,
            ("POST", "/webhooks/subscribe"): self._subscribe,
        }
        act = routes.get((request.method, request.path.rstrip("/")))
        if act is None and request.method == "GET" and request.path.startswith("/orders/"):
            act = self._get_order
        return act(request, now) if act else self._reply(404, {"Message": "No HTTP resource was found that matches the request URI."})

    def throttled(self, request: Request, after_s: float) -> Reply:
        return self._reply(429, {"message": "Too Many Requests"}, {"x-rate-limit-reset": str(max(1, round(after_s)))})

    def broken(self, request: Request) -> Reply:
        return self._reply(500, {"Message": "An error has occurred."})

    def _create_orders(self, request: Request, now: int) -> Reply:
        wanted = _exact.decode(request.body)
        if not isinstance(wanted, list) or len(wanted) > ORDERS_MAX:
            return self._reply(400, {"Message": f"The request is invalid: an array of at most {ORDERS_MAX} orders is expected."})
        if any(_fault(order) for order in wanted):  # refused as a whole
            return self._reply(400, {"Message": "The request is invalid.", "ModelState": {"apiOrders": [_fault(one) for one in wanted]}})
        results = [self._result(order, now) for order in wanted]
        return self._reply(200, {"hasErrors": not all(one["success"] for one in results), "results": results})

    def _result(self, wanted: Object, now: int) -> Object:
        key, why = wanted.get("orderKey") or f"twin-{self._next()}", None
        if self.fails_partly():
            why = "An error has occurred."
        else:
            why = self._upsert(key, wanted, now)
        order_id = self.released[key]["orderId"] if why is None else None
        number = wanted["orderNumber"]
        return {"orderId": order_id, "orderNumber": number, "orderKey": key, "success": why is None, "errorMessage": why}

    def _create_order(self, request: Request, now: int) -> Reply:
        wanted = _exact.decode(request.body)
        fault = _fault(wanted)
        if fault:
            return self._reply(400, {"Message": f"The request is invalid. {fault}"})
        key = wanted.get("orderKey") or f"twin-{self._next()}"
        why = self._upsert(key, wanted, now)
        return self._reply(400, {"Message": why}) if why else self._reply(200, self.released[key])

    def _upsert(self, key: str, wanted: Object, now: int) -> str | None:
        """Creates or replaces the order under its key; says why not where it may not."""
        there = self.released.get(key)
        if there is not None and there["orderStatus"] not in OPEN:
            return f"Order with key {key} is {there['orderStatus']} and may not be updated."
        order_id = there["orderId"] if there else self._next()
        created = there["createDate"] if there else _pacific(now)
        self.released[key] = _order(order_id, key, wanted, created, _pacific(now))
        if wanted["orderStatus"] == "cancelled":
            self.effects.append(("cancel", key, ""))
        else:
            self.effects.append(("order", key, "updated" if there else "created"))
        return None

    def _get_order(self, request: Request, now: int) -> Reply:
        wanted = request.path.removeprefix("/orders/")
        order = next((one for one in self.released.values() if str(one["orderId"]) == wanted), None)
        return self._reply(200, order) if order else self._reply(404, {"Message": f"Order {wanted} was not found."})

    def _list_orders(self, request: Request, now: int) -> Reply:
        query = request.query
        number, since = query.get("orderNumber", ""), _stated(query.get("modifyDateStart", ""))
        rows = [one for one in self.released.values() if one["orderNumber"].startswith(number) and one["modifyDate"] >= since]
        return self._page("orders", sorted(rows, key=lambda one: str(one["modifyDate"])), query)

    def _list_shipments(self, request: Request, now: int) -> Reply:
        query = request.query
        since, voided = _stated(query.get("createDateStart", "")), _stated(query.get("voidDateStart", ""))
        rows = [one for one in self.shipments if one["createDate"] >= since and (not voided or (one["voidDate"] or "") >= voided)]
        if "batchId" in query:
            rows = [one for one in rows if one["batchNumber"] == query["batchId"]]
        if "orderId" in query:
            rows = [one for one in rows if str(one["orderId"]) == query["orderId"]]
        if query.get("includeShipmentItems", "").lower() != "true":
            rows = [one | {"shipmentItems": None} for one in rows]
        return self._page("shipments", rows, query)

    def _page(self, name: str, rows: list[Object], query: Mapping[str, str]) -> Reply:
        page, size = int(query.get("page", "1")), min(500, int(query.get("pageSize", "100")))
        part = rows[(page - 1) * size : page * size]
        return self._reply(200, {name: part, "total": len(rows), "page": page, "pages": -(-len(rows) // size)})

    def _list_hooks(self, request: Request, now: int) -> Reply:
        return self._reply(200, {"webhooks": [one | {"Active": self.subscribed} for one in self.hooks]})

    def _subscribe(self, request: Request, now: int) -> Reply:
        wanted = msgspec.json.decode(request.body)
        hook = {
            "IsLabelAPIHook": False, "WebHookID": self._next(), "SellerID": 1, "StoreID": wanted.get("store_id"),
            "HookType": wanted["event"], "MessageFormat": "Json", "Url": wanted["target_url"], "Name": wanted["friendly_name"],
            "BulkCopyBatchID": None, "BulkCopyRecordID": None, "Active": True, "WebhookLogs": [], "Seller": None, "Store": None,
        }  # fmt: skip
        self.hooks = [one for one in self.hooks if one["HookType"] != hook["HookType"]] + [hook]
        self.subscribed = True
        return self._reply(200, {"id": hook["WebHookID"]})

    # --- the books ---------------------------------------------------------------------------------------------------
    def _shipment(self, order: Object, wanted: Mapping[str, int], carrier: str, tracking: str, now: int) -> Object:
        number = self._next()
        items = [
            {"orderItemId": item["orderItemId"], "lineItemKey": item["lineItemKey"], "sku": item["sku"], "name": item["name"],
             "quantity": wanted[item["lineItemKey"]], "unitPrice": item["unitPrice"], "fulfillmentSku": None}
            for item in order["items"] if item["lineItemKey"] in wanted
        ]  # fmt: skip
        return {
            "shipmentId": number, "orderId": order["orderId"], "orderKey": order["orderKey"], "userId": "twin",
            "orderNumber": order["orderNumber"], "createDate": _pacific(now), "shipDate": _pacific(now)[:10], "shipmentCost": COST,
            "insuranceCost": 0, "trackingNumber": tracking or f"9400{number:018d}", "isReturnLabel": False, "batchNumber": str(number),
            "carrierCode": carrier, "serviceCode": "usps_first_class_mail", "packageCode": "package", "confirmation": "delivery",
            "warehouseId": order["advancedOptions"].get("warehouseId"), "voided": False, "voidDate": None, "marketplaceNotified": False,
            "notifyErrorMessage": None, "shipTo": order["shipTo"], "shipmentItems": items,
        }  # fmt: skip

    def _notify(self, kind: str, batch: str, now: int) -> None:
        """The thin webhook. The header stands for the path of the subscribed URL, of which the receiver's door makes it."""
        url = f"https://ssapi6.shipstation.com/shipments?storeID=1&batchId={batch}&includeShipmentItems=False"
        body = self.told(msgspec.json.encode({"resource_url": url, "resource_type": kind}))
        self.post({"x-mainstay-path": self._hook_secret}, body, now)

    def _reply(self, status: int, value: object, headers: Mapping[str, str] | None = None) -> Reply:
        left = {"x-rate-limit-limit": "40", "x-rate-limit-remaining": str(int(self.available("account"))), "x-rate-limit-reset": "60"}
        return Reply(status, {"content-type": "application/json; charset=utf-8", **left, **(headers or {})}, _encoder.encode(value))

    def _next(self) -> int:
        self._made += 1
        return 500_000_000 + self._made


_encoder = msgspec.json.Encoder(decimal_format="number")
_exact = msgspec.json.Decoder(float_hook=Decimal)


def _pacific(at: int) -> str:
    moment = datetime.fromtimestamp(at // SECOND, PACIFIC) + timedelta(microseconds=at % SECOND)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0"


def _stated(text: str) -> str:
    """A filter's time in the form of the books; both "2015-01-08 00:00:00" and the form with a T are taken."""
    return text.replace(" ", "T")


def _fault(order: Object) -> str:
    """What a required field lacks; "" where nothing does."""
    missing = [name for name in ("orderNumber", "orderDate", "orderStatus", "billTo", "shipTo") if name not in order]
    if missing:
        return f"{missing[0]} is required."
    bad = [item for item in order.get("items", ()) if not isinstance(item.get("quantity"), int) or item["quantity"] < 0]
    return "quantity must be a whole number." if bad else ""


def _order(order_id: int, key: str, wanted: Object, created: str, modified: str) -> Object:
    items = [
        {"orderItemId": order_id * 1000 + n, "lineItemKey": item.get("lineItemKey"), "sku": item.get("sku"), "name": item["name"],
         "quantity": item["quantity"], "unitPrice": item.get("unitPrice"), "taxAmount": None, "shippingAmount": None, "adjustment": False}
        for n, item in enumerate(wanted.get("items", ()))
    ]  # fmt: skip
    total = sum((item["quantity"] * (item["unitPrice"] or 0) for item in items), Decimal(0))
    extra = {name: wanted.get(name) for name in ("customerEmail", "amountPaid", "taxAmount", "shippingAmount", "requestedShippingService")}
    return extra | {
        "orderId": order_id, "orderNumber": wanted["orderNumber"], "orderKey": key, "orderDate": wanted["orderDate"], "createDate": created,
        "modifyDate": modified, "paymentDate": None, "shipByDate": None, "orderStatus": wanted["orderStatus"], "billTo": wanted["billTo"],
        "shipTo": wanted["shipTo"], "items": items, "orderTotal": total, "shipDate": None, "holdUntilDate": None,
        "advancedOptions": wanted.get("advancedOptions") or {}, "externallyFulfilled": False,
    }  # fmt: skip
