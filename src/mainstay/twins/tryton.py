"""An imitation of Tryton 8.2: products, stock, sales with their shipments and invoices, over JSON-RPC, with its own books.

Written from exchanges recorded against trytond 8.2.1 and from the modules sale, stock and account_invoice. What is imitated with care:
errors as HTTP 200 with a list, one transaction a call, buttons that are refused outside their state, dotted fields, moments of change, an
`assign_try` that leaves a shipment waiting where units lack, an invoice that warns, warehouses with a place between them where units in
transit stand, and no idempotency at all.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple

import msgspec

from mainstay.contract.connector import Budget
from mainstay.contract.talk import Reply
from mainstay.contract.twin import Request
from mainstay.model.times import SECOND
from mainstay.twins.imitation import Dice, Imitation, Weather, json_reply

USER, COMPANY, PARTY, ADDRESS, CURRENCY = 1, 1, 2, 2, 1
INPUT, OUTPUT, STORAGE, LOST, WAREHOUSE, SUPPLIER, CUSTOMER, TRANSIT = 1, 2, 3, 4, 5, 6, 7, 8
HOME = "WH"  # the code of the warehouse that is there from the beginning
EXTRAS = ("SHIPPING", "TAX", "FACILITATOR-TAX", "DUTIES", "TIP", "ADJUSTMENT")

Record = dict[str, Any]

# Fields that name records of another model: what a dotted field leads to.
_LINKS = {
    ("product.product", "template"): "product.template",
    ("stock.move", "product"): "product.product",
    ("sale.sale", "shipments"): "stock.shipment.out",
    ("sale.sale", "shipment_returns"): "stock.shipment.out.return",
    ("sale.sale", "invoices"): "account.invoice",
    ("sale.sale", "lines"): "sale.line",
    ("sale.line", "sale"): "sale.sale",
    ("account.invoice", "sales"): "sale.sale",
    ("account.invoice", "currency"): "currency.currency",
}
# button -> the states in which it may be pressed, and the state after it
_BUTTONS: dict[str, dict[str, tuple[tuple[str, ...], str]]] = {
    "sale.sale": {
        "quote": (("draft",), "quotation"), "confirm": (("quotation",), "confirmed"),
        "process": (("confirmed", "processing"), "processing"), "cancel": (("draft", "quotation"), "cancelled"),
    },
    "stock.shipment.out": {
        "wait": (("draft",), "waiting"), "assign_try": (("waiting",), "assigned"), "pick": (("assigned",), "picked"),
        "pack": (("picked",), "packed"), "do": (("packed", "shipped"), "done"),
    },
    "stock.shipment.internal": {
        "wait": (("draft",), "waiting"), "assign_try": (("waiting",), "assigned"), "pack": (("assigned",), "packed"),
        "ship": (("packed",), "shipped"), "do": (("shipped",), "done"),
    },
    "stock.shipment.out.return": {"receive": (("draft",), "received"), "do": (("received",), "done")},
    "account.invoice": {"post": (("draft", "validated"), "posted")},
}  # fmt: skip


class Moment(int):
    """Microseconds that travel as a datetime."""


class Zones(NamedTuple):
    """The locations of a warehouse, by id."""

    warehouse: int
    input: int
    output: int
    storage: int


class Refused(Exception):
    """What Tryton answers instead of a result: the exception's name and its arguments."""

    def __init__(self, name: str, *details: str) -> None:
        super().__init__(name, *details)
        self.error = [name, [*details, "", None][:3]]


class TrytonTwin(Imitation):
    """`effects`: ("sale", reference, "created" | "processed"), ("shipment" | "return", reference, "done"), ("invoice", reference,
    "posted"), ("move", sku, delta). `warns`: whether posting an invoice asks first, once for each."""

    name = "tryton"
    budgets: ClassVar[tuple[Budget, ...]] = ()  # it has none: it is as fast as its machine

    def __init__(
        self, dice: Dice, weather: Weather | None = None, time_factor: float = 1.0, *,
        login: str = "mainstay", password: str = "twin", currency: str = "EUR", warns: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(dice, weather, time_factor)
        self._login, self._password, self.warns = login, password, warns
        self._token = "Session " + base64.b64encode(f"{login}:{USER}:twin-token".encode()).decode()
        self._acknowledged: set[str] = set()
        self._now = 0
        self.effects: list[tuple[str, str, str | int]] = []
        self.books: dict[str, dict[int, Record]] = {model: {} for model in (
            "product.template", "product.product", "stock.move", "sale.sale", "sale.line", "stock.shipment.out",
            "stock.shipment.out.return", "stock.shipment.internal", "account.invoice",
        )}  # fmt: skip
        self.books["res.user"] = {USER: {"id": USER, "login": login}}
        self.books["party.party"] = {PARTY: {"id": PARTY, "code": "WEB", "name": "Web customers", "addresses": [ADDRESS]}}
        self.books["currency.currency"] = {CURRENCY: {"id": CURRENCY, "code": currency}}
        self.books["stock.location"] = {place["id"]: place for place in _places()}
        self.warehouses = {HOME: Zones(WAREHOUSE, INPUT, OUTPUT, STORAGE)}
        self._zones = {INPUT: WAREHOUSE, OUTPUT: WAREHOUSE, STORAGE: WAREHOUSE, TRANSIT: TRANSIT}  # location -> where its units count
        self._on_hand: dict[tuple[int, int], int] = {}  # by product, and warehouse or the place in between
        for code in EXTRAS:
            self._add(code, code.title(), "service", Decimal(0))

    # --- what people at the ERP do, and what a checker asks ------------------------------------------------------------
    def add_product(self, sku: str, quantity: int, price_minor: int, now: int = 0) -> int:
        """A new product with a list price in hundredths and its opening stock; returns its id."""
        self._now = now
        product = self._add(sku, f"Product {sku}", "goods", Decimal(price_minor).scaleb(-2))
        if quantity:
            self._move(product, quantity, LOST, STORAGE, "stock.inventory.line,1", None)
        return product

    def free(self, sku: str, at: str) -> int:
        """Units in a warehouse that no shipment holds."""
        return self.on_hand(sku, at) - self._assigned(self._product(sku), self.warehouses[at].warehouse)

    def open_warehouse(self, code: str) -> None:
        """A second store: a warehouse with an input, an output and a storage zone of its own."""
        number = len(self.books["stock.location"])
        zones = self.warehouses[code] = Zones(*range(number + 1, number + 5))
        kinds = ("warehouse", "storage", "storage", "storage")
        for place, kind, what in zip(zones, kinds, ("", "-IN", "-OUT", "-STO"), strict=True):
            inside = zones.warehouse if what else None
            storage = None if what else zones.storage
            self.books["stock.location"][place] = {
                "id": place, "code": code + what, "type": kind, "parent": inside, "active": True, "storage_location": storage,
            }  # fmt: skip
            self._zones |= {place: zones.warehouse} if what else {}

    def send(self, sku: str, units: int, source: str, target: str, now: int) -> int:
        """Units leave a warehouse for another one, and are in transit; returns the internal shipment's id."""
        self._now, product = now, self._product(sku)
        number = str(len(self.books["stock.shipment.internal"]) + 1)
        places = {"from_location": self.warehouses[source].storage, "to_location": self.warehouses[target].storage}
        shipment = self._new("stock.shipment.internal", state="shipped", number=number, reference=None, **places)
        name = f"stock.shipment.internal,{shipment}"
        self._move(product, units, self.warehouses[source].storage, TRANSIT, None, name)
        self._expect(product, units, TRANSIT, self.warehouses[target].storage, None, name)
        return shipment

    def arrive(self, shipment: int, units: int, now: int) -> None:
        """So many of the units that were sent are there; what is missing stays in transit until somebody writes it off."""
        self._now = now
        (coming,) = (one for one in self._moves_of(f"stock.shipment.internal,{shipment}") if one["from_location"] == TRANSIT)
        self._set("stock.move", coming["id"], internal_quantity=float(units), quantity=float(units))
        self._done(coming)
        self._set("stock.shipment.internal", shipment, state="done")

    def write_off(self, sku: str, units: int, now: int) -> None:
        """Somebody gives up what was sent and never arrived."""
        self._now = now
        self._move(self._product(sku), units, TRANSIT, LOST, None, None)

    def rename(self, sku: str, title: str, now: int) -> None:
        """Somebody edits a product."""
        self._now = now
        self._set("product.product", self._product(sku), name=title)

    def reprice(self, sku: str, price_minor: int, now: int) -> None:
        """Somebody changes a list price, in hundredths."""
        self._now = now
        self._set("product.product", self._product(sku), list_price_used=Decimal(price_minor).scaleb(-2))

    def archive(self, sku: str, now: int) -> None:
        """Somebody takes a product out of the range."""
        self._now = now
        self._set("product.product", self._product(sku), active=False)

    def move(self, sku: str, delta: int, reason: str, now: int, at: str = HOME) -> int:
        """A stock move made inside the ERP, at a warehouse: `reason` is "inventory", "supplier" or "customer"; returns the move's id."""
        self._now = now
        place, storage = {"inventory": LOST, "supplier": SUPPLIER, "customer": CUSTOMER}[reason], self.warehouses[at].storage
        self.effects.append(("move", sku, delta))
        if delta < 0:
            return self._move(self._product(sku), -delta, storage, place, None, None)
        return self._move(self._product(sku), delta, place, storage, None, None)

    def pay(self, reference: str, now: int) -> None:
        """The customer's money is reconciled with the invoice."""
        self._now = now
        for invoice in self.sales()[reference]["invoices"]:
            self._set("account.invoice", invoice, state="paid")

    def on_hand(self, sku: str, at: str = "") -> int:
        """Units in a warehouse, or in all of them: what is in transit is in none."""
        places = [self.warehouses[at]] if at else self.warehouses.values()
        return sum(self._on_hand.get((self._product(sku), zones.warehouse), 0) for zones in places)

    def price_minor(self, sku: str) -> int:
        """A list price, in hundredths."""
        return int(self.books["product.product"][self._product(sku)]["list_price_used"].scaleb(2))

    def title(self, sku: str) -> str:
        """What a product is called."""
        return str(self.books["product.product"][self._product(sku)]["name"])

    def returned(self) -> dict[str, dict[str, int]]:
        """Units by SKU that each reference brought back, over all its returns that were put away."""
        found: dict[str, dict[str, int]] = {}
        for back in self.books["stock.shipment.out.return"].values():
            if back["state"] == "done":
                units = found.setdefault(self._sale_of(back)["reference"], {})
                for line in self._goods(self._sale_of(back)):
                    sku = self.books["product.product"][line["product"]]["code"]
                    units[sku] = units.get(sku, 0) - int(line["quantity"])
        return found

    def sold(self, reference: str) -> dict[str, int]:
        """Units by SKU of a sale."""
        units: dict[str, int] = {}
        for line in self._goods(self.sales()[reference]):
            sku = self.books["product.product"][line["product"]]["code"]
            units[sku] = units.get(sku, 0) + int(line["quantity"])
        return units

    def left(self, mark: str) -> dict[str, Counter[tuple[str, str]]]:
        """Units that left, by the sale's reference, SKU and warehouse: the one in which they stood before an internal shipment brought them
        to where the sale was shipped from. Its reference is `mark` and the sale's."""
        code_of = {place: code for code, zones in self.warehouses.items() for place in zones}
        found: dict[str, Counter[tuple[str, str]]] = {}
        for move in self.books["stock.move"].values():
            model, _, number = (move["shipment"] or "").partition(",")
            units, sku = int(move["quantity"]), self.books["product.product"][move["product"]]["code"]
            if model == "stock.shipment.out" and move["to_location"] == CUSTOMER and move["state"] == "done":
                sale = self._sale_of(self.books[model][int(number)])
                found.setdefault(sale["reference"], Counter())[sku, code_of[sale["warehouse"]]] += units
            elif model == "stock.shipment.internal" and move["to_location"] == TRANSIT:
                transfer = self.books[model][int(number)]
                brought, _, reference = (transfer["reference"] or "").partition(" ")
                if brought == mark:
                    found.setdefault(reference, Counter())[sku, code_of[transfer["from_location"]]] += units
                    found[reference][sku, code_of[transfer["to_location"]]] -= units
        return found

    def sales(self) -> dict[str, Record]:
        """Sales by reference; the newest where there are two."""
        return {sale["reference"]: sale for sale in self.books["sale.sale"].values()}

    def totals(self) -> dict[str, Decimal]:
        """What each reference was invoiced, over all its posted invoices: twice as much where something happened twice."""
        totals: dict[str, Decimal] = {}
        for invoice in self.books["account.invoice"].values():
            if invoice["state"] in ("posted", "paid"):
                reference = self.books["sale.sale"][invoice["sales"][0]]["reference"]
                totals[reference] = totals.get(reference, Decimal(0)) + invoice["total_amount"]
        return totals

    def parts(self) -> dict[str, dict[str, Decimal]]:
        """What each reference was charged for beyond goods, by the code of the line's product."""
        found: dict[str, dict[str, Decimal]] = {}
        for sale in self.books["sale.sale"].values():
            made = found.setdefault(sale["reference"], {})
            for line in (self.books["sale.line"][one] for one in sale["lines"]):
                code = self.books["product.product"][line["product"]]["code"]
                if code in EXTRAS:
                    made[code] = made.get(code, Decimal(0)) + line["quantity"] * line["unit_price"]
        return found

    # --- the wire ----------------------------------------------------------------------------------------------------
    def answer(self, request: Request, now: int) -> Reply:
        """Everything is a POST here. Faults after the effect are for calls that have one: reads are handed on as GET."""
        reads = any(verb in request.body[:100] for verb in (b".search_read", b".get_preferences", b".login"))
        return super().answer(msgspec.structs.replace(request, method="GET") if reads else request, now)

    def handle(self, request: Request, now: int) -> Reply:
        self._now = now
        date = {"date": datetime.fromtimestamp(now // SECOND, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")}
        call = msgspec.json.decode(request.body)
        method, params = call["method"], call["params"]
        self.calls[method] += 1
        if method == "common.db.login":
            if params[:2] != [self._login, {"password": self._password}]:
                return Reply(401, date, b"Unauthorized")
            return json_reply(200, {"id": call["id"], "result": [USER, "twin-token", None]}, date)
        if request.headers.get("authorization") != self._token:
            return Reply(401, date, b"Unauthorized")
        try:
            answer = {"result": _wire(self._dispatch(method, params))}
        except Refused as refused:
            answer = {"error": refused.error}
        return json_reply(200, {"id": call["id"], **answer}, date)

    def throttled(self, request: Request, after_s: float) -> Reply:
        """Tryton has no limits; what comes nearest is to lose against somebody else's change."""
        return json_reply(200, {"id": 1, "error": ["ConcurrencyException", ["Records have been modified in the meanwhile."]]})

    def _dispatch(self, method: str, params: list[Any]) -> Any:
        if method == "model.res.user.get_preferences":
            return {"company": COMPANY, "companies": [COMPANY], "language": "en"}
        if method == "model.res.user.warning.create":
            self._acknowledged |= {one["name"] for one in params[0] if one["user"] == USER}
            return [1]
        model, _, verb = method.removeprefix("model.").rpartition(".")
        if model not in self.books:
            raise Refused(f"'{model}'", "")
        if verb == "search_read":
            return self._search_read(model, *params)
        if (model, verb) == ("sale.sale", "create"):
            return self._create_sales(params[0])
        if (model, verb) == ("stock.shipment.internal", "create"):
            return self._create_transfers(params[0])
        if verb in _BUTTONS.get(model, {}):
            return self._press(model, verb, params[0])
        raise Refused(f"{method} is not imitated", "")

    def _search_read(
        self,
        model: str,
        domain: list[Any],
        offset: int,
        limit: int | None,
        order: list[list[str]] | None,
        fields: list[str],
        context: Record,
    ) -> list[Record]:
        if context.get("active_test", True):  # what is not active shows only to those who ask for it
            domain = [*domain, ["active", "!=", False]]
        found = [one for one in self.books[model].values() if all(self._fits(model, one, clause) for clause in domain)]
        for field, way in reversed(order or [["id", "DESC"]]):
            found.sort(key=lambda one, field=field: one[field], reverse=way == "DESC")  # type: ignore[misc]
        part = found[offset : None if limit is None else offset + limit]
        return [self._shown(model, one, ["id", *fields], context.get("locations", ())) for one in part]

    def _fits(self, model: str, record: Record, clause: list[Any]) -> bool:
        if clause[0] == "OR":
            return any(self._fits(model, record, one) for one in clause[1:])
        field, operator, wanted = clause
        value, wanted = self._value(model, record, field), _plain(wanted)
        compare: dict[str, Callable[[], bool]] = {
            "=": lambda: value == wanted,
            "!=": lambda: value != wanted,
            ">": lambda: value > wanted,
            ">=": lambda: value >= wanted,
            "in": lambda: value in wanted,
            "not in": lambda: value not in wanted,
            "like": lambda: str(value or "").startswith(wanted.removesuffix("%")),
        }
        return compare[operator]()

    def _value(self, model: str, record: Record, field: str) -> Any:
        head, _, rest = field.partition(".")
        if not rest:
            return record.get(head) if head == "active" else record[head]
        target = _LINKS[model, head]
        return self._value(target, self.books[target][record[head]], rest)

    def _shown(self, model: str, record: Record, fields: Iterable[str], here: Sequence[int]) -> Record:
        """The fields of a record, quantities `here`: in these warehouses. A dotted one comes inside "head.", for one record or a list."""
        shown: Record = {}
        dotted: dict[str, list[str]] = {}
        for field in fields:
            head, _, rest = field.partition(".")
            if rest:
                dotted.setdefault(head, []).append(rest)
            elif field == "quantity" and model == "product.product":
                shown[field] = float(sum(self._on_hand.get((record["id"], place), 0) for place in here))
            else:
                shown[field] = record[field]
        for head, rests in dotted.items():
            target = _LINKS[model, head]
            links = record[head]
            if isinstance(links, list):
                shown[f"{head}."] = [self._shown(target, self.books[target][one], ["id", *rests], here) for one in links]
            else:
                shown[f"{head}."] = self._shown(target, self.books[target][links], ["id", *rests], here) if links else None
        return shown

    # --- sales, shipments, invoices ------------------------------------------------------------------------------------
    def _create_sales(self, documents: list[Record]) -> list[int]:
        for document in documents:  # one transaction: all are looked at before the first is written
            for field in ("party", "company", "currency"):
                if not document.get(field):
                    raise Refused("UserError", f'A value is required for field "{field.title()}" in record of "Sale".')
            for line in document["lines"][0][1]:
                if line["product"] not in self.books["product.product"]:
                    raise Refused("UserError", f'The value "{line["product"]}" for field "Product" does not exist.')
                if self.fails_partly():
                    raise Refused("UserError", "The product must be salable.")
        return [self._create_sale(document) for document in documents]

    def _create_sale(self, document: Record) -> int:
        lines = document["lines"][0][1]
        total = sum((_amount(line) for line in lines), Decimal(0))
        kept = {name: document.get(name) for name in ("reference", "description", "party", "currency", "warehouse")}
        sale = self._new("sale.sale", **kept, number=None, state="draft", total_amount=total, **_linked())
        made = self.books["sale.sale"][sale]
        for line in lines:
            price = Decimal(line["unit_price"]["decimal"])
            made["lines"].append(self._new("sale.line", sale=sale, product=line["product"], quantity=line["quantity"], unit_price=price))
        self.effects.append(("sale", made["reference"], "created"))
        return sale

    def _press(self, model: str, button: str, ids: list[int]) -> None:
        allowed, after = _BUTTONS[model][button]
        records = [self.books[model][one] for one in ids]
        for record in records:
            if record["state"] not in allowed:
                raise Refused("UserError", f'You can not call "{button}" on "{record["number"] or record["id"]}" of "{model}".')
        if (model, button) == ("account.invoice", "post"):
            self._warn(ids)
        for record in records:
            if button == "assign_try" and not self._assignable(record):
                continue
            self._set(model, record["id"], state=after)
            if model == "sale.sale" and after in ("confirmed", "processing"):
                self._process(record)
            elif button == "receive":
                self._receive(record)
            elif model == "stock.shipment.out.return":
                self._put_away(record)
            elif model == "stock.shipment.internal":
                self._on_its_way(record)
            elif button == "do":
                self._ship(record)
            elif button == "post":
                self._set(model, record["id"], number=str(record["id"]))
                self.effects.append(("invoice", self._sale_of(record)["reference"], "posted"))

    def _warn(self, ids: list[int]) -> None:
        for one in ids:
            name = f"{one}.invoice_taxes"
            if self.warns and name not in self._acknowledged:
                raise Refused("UserWarning", name, f'The invoice "({one})" does not have the default taxes.')

    def _process(self, sale: Record) -> None:
        """What confirming sets off: a number, a shipment of the goods, a return of those sold below zero, a draft invoice of everything."""
        if sale["state"] == "processing" and sale["invoices"]:
            return
        moved: dict[str, list[int]] = {}
        for model, state, sign in (("stock.shipment.out", "waiting", 1), ("stock.shipment.out.return", "draft", -1)):
            if any(line["quantity"] * sign > 0 for line in self._goods(sale)):
                moved[model] = [self._new(model, number=str(len(self.books[model]) + 1), state=state, sale=sale["id"])]
        invoice = self._new(
            "account.invoice", number=None, state="draft", type="out", sales=[sale["id"]], currency=sale["currency"],
            total_amount=sale["total_amount"], tax_amount=Decimal("0.00"),
        )  # fmt: skip
        self._set(
            "sale.sale", sale["id"], number=str(sale["id"]), state="processing", shipments=moved.get("stock.shipment.out", []),
            shipment_returns=moved.get("stock.shipment.out.return", []), invoices=[invoice],
        )  # fmt: skip
        self.effects.append(("sale", sale["reference"], "processed"))

    def _create_transfers(self, documents: list[Record]) -> list[int]:
        made = []
        for document in documents:
            for field in ("from_location", "to_location", "company"):
                if not document.get(field):
                    raise Refused("UserError", f'A value is required for field "{field.title()}" in record of "Internal Shipment".')
            made.append(self._new(
                "stock.shipment.internal", state="draft", number=str(len(self.books["stock.shipment.internal"]) + 1),
                reference=document["reference"], from_location=document["from_location"], to_location=document["to_location"],
            ))  # fmt: skip
            for move in document["moves"][0][1]:
                name, units = f"stock.shipment.internal,{made[-1]}", int(move["quantity"])
                self._expect(move["product"], units, move["from_location"], move["to_location"], None, name)
        return made

    def _on_its_way(self, transfer: Record) -> None:
        """Between two warehouses units travel by the place in between: out when the shipment is sent, in when it is done."""
        moves = self._moves_of(f"stock.shipment.internal,{transfer['id']}")
        if transfer["state"] == "shipped":
            for move in moves:
                self._expect(move["product"], int(move["quantity"]), TRANSIT, move["to_location"], None, move["shipment"])
                self._set("stock.move", move["id"], to_location=TRANSIT)
                self._done(move)
        elif transfer["state"] == "done":
            for move in moves:
                if move["state"] != "done":
                    self._done(move)

    def _moves_of(self, name: str) -> list[Record]:
        """The moves of a shipment, as a move names it."""
        return [one for one in self.books["stock.move"].values() if one["shipment"] == name]

    def _assignable(self, shipment: Record) -> bool:
        if "from_location" in shipment:
            moves = self._moves_of(f"stock.shipment.internal,{shipment['id']}")
            left = [(one["product"], self._zones[one["from_location"]], int(one["quantity"])) for one in moves]
            return all(self._on_hand.get((one, place), 0) - self._assigned(one, place) >= units for one, place, units in left)
        wanted: dict[int, int] = {}
        for line in self._goods_of(shipment):
            wanted[line["product"]] = wanted.get(line["product"], 0) + int(line["quantity"])
        place = self._zones_of(shipment).warehouse
        return all(self._on_hand.get((one, place), 0) - self._assigned(one, place) >= units for one, units in wanted.items())

    def _assigned(self, product: int, place: int) -> int:
        """Units that other shipments of a warehouse hold, from their assignment until they leave."""
        holding = [one for one in self.books["stock.shipment.out"].values() if one["state"] in ("assigned", "picked", "packed")]
        here = [one for one in holding if self._zones_of(one).warehouse == place]
        return sum(int(line["quantity"]) for one in here for line in self._goods_of(one) if line["product"] == product)

    def _zones_of(self, document: Record) -> Zones:
        """The warehouse of a shipment's sale."""
        sold_from = self._sale_of(document)["warehouse"]
        return next(zones for zones in self.warehouses.values() if zones.warehouse == sold_from)

    def _ship(self, shipment: Record) -> None:
        """Inside the warehouse from storage to output, then out to the customer, as two moves."""
        name, zones = f"stock.shipment.out,{shipment['id']}", self._zones_of(shipment)
        for line in self._goods_of(shipment):
            units = int(line["quantity"])
            outgoing = self._move(line["product"], units, zones.output, CUSTOMER, f"sale.line,{line['id']}", name)
            self._move(line["product"], units, zones.storage, zones.output, f"stock.move,{outgoing}", name)
        self.effects.append(("shipment", self._sale_of(shipment)["reference"], "done"))

    def _receive(self, back: Record) -> None:
        """What came back is in the warehouse, at its input, and may be moved on from there."""
        for line in self._goods(self._sale_of(back)):
            if line["quantity"] < 0:
                name = f"stock.shipment.out.return,{back['id']}"
                self._move(line["product"], -int(line["quantity"]), CUSTOMER, self._zones_of(back).input, f"sale.line,{line['id']}", name)

    def _put_away(self, back: Record) -> None:
        name, zones = f"stock.shipment.out.return,{back['id']}", self._zones_of(back)
        for move in self._moves_of(name):
            self._move(move["product"], int(move["quantity"]), zones.input, zones.storage, f"stock.move,{move['id']}", name)
        self.effects.append(("return", self._sale_of(back)["reference"], "done"))

    def _goods_of(self, shipment: Record) -> list[Record]:
        return [line for line in self._goods(self._sale_of(shipment)) if line["quantity"] > 0]

    def _goods(self, sale: Record) -> list[Record]:
        lines = map(self.books["sale.line"].__getitem__, sale["lines"])
        return [line for line in lines if self._is_goods(line["product"])]

    def _sale_of(self, document: Record) -> Record:
        return self.books["sale.sale"][document["sale"] if "sale" in document else document["sales"][0]]

    # --- the books ---------------------------------------------------------------------------------------------------
    def _add(self, code: str, title: str, kind: str, price: Decimal) -> int:
        template = self._new("product.template", code=code)
        return self._new(
            "product.product", code=code, name=title, type=kind, active=True, list_price_used=price, sale_uom=1, template=template
        )

    def _move(self, product: int, units: int, source: int, target: int, origin: str | None, shipment: str | None) -> int:
        move = self._expect(product, units, source, target, origin, shipment)
        self._done(self.books["stock.move"][move])
        return move

    def _expect(self, product: int, units: int, source: int, target: int, origin: str | None, shipment: str | None) -> int:
        """A move that is to come."""
        return self._new(
            "stock.move", product=product, internal_quantity=float(units), quantity=float(units), from_location=source,
            to_location=target, origin=origin, shipment=shipment, state="draft",
        )  # fmt: skip

    def _done(self, move: Record) -> None:
        self._set("stock.move", move["id"], state="done")
        for place, sign in ((move["from_location"], -1), (move["to_location"], 1)):
            if place in self._zones:
                where = (move["product"], self._zones[place])
                self._on_hand[where] = self._on_hand.get(where, 0) + sign * int(move["quantity"])

    def _product(self, sku: str) -> int:
        return next(number for number, one in self.books["product.product"].items() if one["code"] == sku)

    def _is_goods(self, product: int) -> bool:
        return bool(self.books["product.product"][product]["type"] == "goods")

    def _new(self, model: str, **values: Any) -> int:
        number = len(self.books[model]) + 1
        self.books[model][number] = {"id": number, **values, "last_modified_at": Moment(self._now)}
        return number

    def _set(self, model: str, one: int, /, **values: Any) -> None:
        self.books[model][one] |= {**values, "last_modified_at": Moment(self._now)}


def _linked() -> dict[str, list[int]]:
    """The documents of a new sale."""
    return {"lines": [], "shipments": [], "shipment_returns": [], "invoices": []}


def _places() -> list[Record]:
    rows = (
        (INPUT, "IN", "storage", WAREHOUSE), (OUTPUT, "OUT", "storage", WAREHOUSE), (STORAGE, "STO", "storage", WAREHOUSE),
        (LOST, None, "lost_found", None), (WAREHOUSE, HOME, "warehouse", None), (SUPPLIER, "SUP", "supplier", None),
        (CUSTOMER, "CUS", "customer", None), (TRANSIT, None, "storage", None),
    )  # fmt: skip
    return [
        {"id": number, "code": code, "type": kind, "parent": parent, "active": True,
         "storage_location": STORAGE if number == WAREHOUSE else None}
        for number, code, kind, parent in rows
    ]  # fmt: skip


def _amount(line: Mapping[str, Any]) -> Decimal:
    return (Decimal(str(line["quantity"])) * Decimal(line["unit_price"]["decimal"])).quantize(Decimal("0.01"))


def _plain(value: Any) -> Any:
    """A value of a domain: a datetime as microseconds."""
    if isinstance(value, dict) and value.get("__class__") == "datetime":
        whole = datetime(value["year"], value["month"], value["day"], value["hour"], value["minute"], value["second"], tzinfo=UTC)
        return int(whole.timestamp()) * SECOND + value["microsecond"]
    return value


def _wire(value: Any) -> Any:
    """A result as Tryton's JSON."""
    if isinstance(value, dict):
        return {name: _wire(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_wire(one) for one in value]
    if isinstance(value, Decimal):
        return {"__class__": "Decimal", "decimal": str(value)}
    if isinstance(value, Moment):
        when = datetime.fromtimestamp(value // SECOND, UTC)
        clock = {"hour": when.hour, "minute": when.minute, "second": when.second, "microsecond": value % SECOND}
        return {"__class__": "datetime", "year": when.year, "month": when.month, "day": when.day, **clock}
    return value
