"""Tryton 8: the ERP. Sales go in as sale, shipment and posted invoice; products, levels, moves and invoices come out. JSON-RPC."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct

from mainstay.connectors.tryton import posting, words
from mainstay.connectors.tryton.posting import MARK, Known, Parts, Press, Sale
from mainstay.connectors.tryton.statements import (
    Change,
    Invoice,
    Level,
    Modified,
    Move,
    Named,
    OnHand,
    Product,
    change_seen,
    invoice_seen,
    level_seen,
    product_seen,
)
from mainstay.contract.connector import (
    ROWS_MAX,
    Budget,
    Connector,
    Done,
    Feed,
    Manifest,
    Outcome,
    Page,
    Row,
    Session,
    Settings,
    Sink,
    Topic,
    read,
)
from mainstay.contract.talk import Call, Repeat, Reply, Talk, as_json, judge
from mainstay.model.commands import Command, PostSale
from mainstay.model.failures import Halt, Reject, Retry
from mainstay.model.secrets import Secret
from mainstay.model.seen import Said
from mainstay.model.times import MINUTE, SECOND

T = TypeVar("T")
SALES_MAX = 50  # of one bulk call: Tryton takes about half a second for each
SESSION_S = 240.0  # Tryton forgets a session after 300 s without a call
CALL_S = 300.0
WARNINGS_MAX = 20  # of one call
OVERLAP = 10 * MINUTE  # read again: a record carries the time of its transaction's beginning, and is seen after its end
_PLACE = ["type", "parent", "code"]


class TrytonSettings(Settings, frozen=True, kw_only=True):
    """How to reach one company of one Tryton database."""

    url: Annotated[str, Meta(description="Base URL of the server.", examples=["https://erp.acme.example"])]
    database: Annotated[str, Meta(description="Name of the database.")]
    login: Annotated[str, Meta(description="The user that Mainstay works as.")]
    password: Annotated[Secret, Meta(description="The user's password.")]
    currency: Annotated[str, Meta(description="Currency of list prices: that of the company.", examples=["EUR"])] = "EUR"
    party: Annotated[str, Meta(description="Code of the collective customer that sales are booked on.")] = "WEB"
    warehouse: Annotated[str, Meta(description="Code of the warehouse that sales are shipped from.")] = "WH"
    products: Annotated[Parts, Meta(description="Codes of the service products that shipping, tax and the like are booked on.")] = Parts()


class Warned(Reject):
    """Tryton asks whether it is meant; `name` is what the answer refers to."""

    def __init__(self, why: str, name: str) -> None:
        super().__init__(why)
        self.name = name


class _Answer(Struct, Generic[T]):
    result: T


class _Error(Struct):
    error: list[Any] | None = None


class _Company(Struct):
    company: int | None = None


class _Ids(Struct):
    id: int


class _Party(Struct):
    id: int
    addresses: list[int]


class _Place(Struct):
    id: int
    type: str
    parent: int | None = None
    code: str | None = None


class _Coded(Struct):
    id: int
    code: str


class _Sellable(Struct):
    id: int
    code: str
    sale_uom: int | None


class _SaleLine(Struct):
    id: int
    sale: Named = msgspec.field(name="sale.")


class Tryton(Connector):
    """A Tryton server, as an ordinary user of it."""

    manifest = Manifest(
        name="tryton",
        title="Tryton",
        summary="The ERP: books sales with their shipment and invoice; says what is on hand and what moved.",
        source="https://docs.tryton.org/latest/server/topics/json_rpc.html",
        version="8.2",
        topics=(
            Topic("product", "A product with a code.", ("product",)),
            Topic("level", "What a warehouse holds of a product.", ("inventory",)),
            Topic("move", "Units that came to a warehouse or left it.", ("inventory",)),
            Topic("invoice", "An invoice of a sale of ours.", ("order",)),
        ),
        feeds=(
            Feed("products", "Products that changed.", ("product",), every_s=300, objects=("product",)),
            Feed("levels", "What is on hand, of every product in every warehouse.", ("level",), every_s=3600, objects=("inventory",)),
            Feed("moves", "Stock moves made in Tryton; not those of our sales.", ("move",), every_s=30, objects=("inventory",)),
            Feed("invoices", "Invoices of our sales.", ("invoice",), every_s=300, objects=("order",)),
        ),
        sinks=(Sink("PostSale", "Book a sale, its shipment and its invoice.", "model.sale.sale.create", Repeat.LOOKUP, SALES_MAX,
                    objects=("order",), gather_s=5.0),),
        budgets=(Budget("server", "concurrency", 4, source="our own: a server computes with one process, https://docs.tryton.org/latest/server/"),),
        references=("sale", "invoice", "shipment"),
    )  # fmt: skip
    Settings = TrytonSettings

    # --- in ----------------------------------------------------------------------------------------------------------
    def translate(self, topic: str, body: bytes) -> list[Said]:
        if topic == "product":
            return [Said(product_seen(read(body, Product), self.settings.currency))]
        if topic == "level":
            return [Said(level_seen(read(body, Level)))]
        if topic == "move":
            return [Said(change_seen(read(body, Change)))]
        if topic == "invoice":
            return [Said(invoice_seen(read(body, Invoice)))]
        raise Reject(f"{topic!r} is no topic of Tryton that this connector knows", "unknown_topic")

    # --- feeds -------------------------------------------------------------------------------------------------------
    def pull(self, feed: str, cursor: str) -> Talk[Page]:
        company = yield from self._company()
        if feed == "products":
            return (yield from self._products(cursor, company))
        if feed == "levels":
            return (yield from self._levels(cursor, company))
        if feed == "moves":
            return (yield from self._moves(cursor, company))
        return (yield from self._invoices(cursor, company))

    def _products(self, cursor: str, company: int) -> Talk[Page]:
        since = words.moment(_window(cursor)[0])
        changed = ["OR", ["last_modified_at", ">=", since], ["template.last_modified_at", ">=", since]]
        fields = ["code", "name", "list_price_used", "active", "last_modified_at", "template.last_modified_at"]
        goods = ["code", "not in", sorted(msgspec.structs.asdict(self.settings.products).values())]
        raws, onward, more = yield from self._changed("product.product", [changed, ["code", "!=", None], goods], fields, cursor, company)
        products = [(msgspec.json.decode(raw, type=Product), raw) for raw in raws]
        return Page(tuple(Row("product", f"{one.id}@{one.changed()}", bytes(raw)) for one, raw in products), onward, more)

    def _levels(self, cursor: str, company: int) -> Talk[Page]:
        """All products, by id, page by page; the cursor is the last id of the page before. A pass over, the next one begins.

        A count speaks of the moment before it was read: the server's second, or the last move that it had seen in that second.
        """
        reply = yield self._call(
            "model.stock.location.search_read", [["type", "=", "warehouse"]], 0, None, None, _PLACE, {"company": company}
        )
        places, at = reply.read(_Answer[list[_Place]]).result, _server_time(reply)
        just_now = [["state", "=", "done"], ["last_modified_at", ">=", words.moment(at)]]
        moves = yield from self._search("stock.move", just_now, ["last_modified_at"], company, Modified)
        at = max([at, *(move.last_modified_at.micros() for move in moves)])
        domain = [["id", ">", int(cursor or "0")], ["type", "=", "goods"], ["code", "!=", None]]
        rows: list[Row] = []
        last, more = 0, False
        for place in places:
            name = place.code or str(place.id)
            query = [domain, 0, ROWS_MAX, [["id", "ASC"]], ["code", "quantity"]]
            reply = yield self._call("model.product.product.search_read", *query, {"company": company, "locations": [place.id]})
            raws = reply.read(_Answer[list[msgspec.Raw]]).result
            for raw in raws:
                last = max(last, product := msgspec.json.decode(raw, type=OnHand).id)
                rows.append(Row("level", f"{product}/{name}@{at}", _wrapped(raw, "level", at=at, warehouse=name)))
            more = more or len(raws) == ROWS_MAX
        return Page(tuple(rows), str(last) if more else "", more)

    def _moves(self, cursor: str, company: int) -> Talk[Page]:
        """What done moves did to warehouses; those inside one warehouse did nothing, and those of our sales are no news."""
        domain = [["state", "=", "done"], ["last_modified_at", ">=", words.moment(_window(cursor)[0])]]
        fields = ["product", "product.code", "internal_quantity", "from_location", "to_location", "origin", "last_modified_at"]
        raws, onward, more = yield from self._changed("stock.move", domain, fields, cursor, company)
        moves = [(msgspec.json.decode(raw, type=Move), raw) for raw in raws]
        ours = yield from self._our_lines((move for move, _ in moves), company)
        moves = [(move, raw) for move, raw in moves if move.origin not in ours]
        known = (yield from self._search("stock.location", [], _PLACE, company, _Place)) if moves else []
        places = {place.id: place for place in known}
        rows: list[Row] = []
        for move, raw in moves:
            source, target = _warehouse(move.from_location, places), _warehouse(move.to_location, places)
            if source == target:
                continue
            for here, there, sign in ((source, move.to_location, -1), (target, move.from_location, 1)):
                if here:
                    reason = words.ours(words.PLACE, places[there].type, "location type")
                    rows.append(Row("move", f"{move.id}/{here}", _wrapped(raw, "move", warehouse=here, sign=sign, reason=reason)))
        return Page(tuple(rows), onward, more)

    def _our_lines(self, moves: Iterable[Move], company: int) -> Talk[set[str]]:
        """Which of the moves' origins are lines of sales that we posted."""
        origins = [move.origin for move in moves if move.origin and move.origin.startswith("sale.line,")]
        if not origins:
            return set()
        domain = [["id", "in", [int(origin.partition(",")[2]) for origin in origins]]]
        found = yield from self._search("sale.line", domain, ["sale.reference", "sale.description"], company, _SaleLine)
        return {f"sale.line,{line.id}" for line in found if _is_ours(line.sale)}

    def _invoices(self, cursor: str, company: int) -> Talk[Page]:
        domain = [["type", "=", "out"], ["last_modified_at", ">=", words.moment(_window(cursor)[0])]]
        fields = [
            "number",
            "state",
            "total_amount",
            "tax_amount",
            "currency.code",
            "sales.reference",
            "sales.description",
            "last_modified_at",
        ]
        raws, onward, more = yield from self._changed("account.invoice", domain, fields, cursor, company)
        invoices = [(msgspec.json.decode(raw, type=Invoice), raw) for raw in raws]
        rows = (
            Row("invoice", f"{one.id}@{one.last_modified_at.micros()}", bytes(raw))
            for one, raw in invoices
            if any(map(_is_ours, one.sales))
        )
        return Page(tuple(rows), onward, more)

    def _changed(
        self, model: str, domain: list[Any], fields: list[str], cursor: str, company: int
    ) -> Talk[tuple[list[msgspec.Raw], str, bool]]:
        """Records that changed since the window's beginning, by id, with the next cursor and whether more follow."""
        since, newest, last = _window(cursor)
        query = [[*domain, ["id", ">", last]], 0, ROWS_MAX, [["id", "ASC"]], fields]
        reply = yield self._call(f"model.{model}.search_read", *query, {"company": company})
        raws = reply.read(_Answer[list[msgspec.Raw]]).result
        stamps = [msgspec.json.decode(raw, type=Modified) for raw in raws]
        newest = max([newest, *(stamp.last_modified_at.micros() for stamp in stamps)])
        if len(raws) == ROWS_MAX:
            return raws, f"{since}/{newest}/{stamps[-1].id}", True
        return raws, str(max(since, newest - OVERLAP)), False

    # --- out ---------------------------------------------------------------------------------------------------------
    def push(self, commands: Sequence[Command]) -> Talk[list[Outcome]]:
        """Finds each sale by its reference, creates what is missing, and presses the next button of each until all are through.

        So a push that was interrupted anywhere goes on where the sales are.
        """
        wanted = {command.reference: command for command in commands if isinstance(command, PostSale)}
        company = yield from self._company()
        outcomes: dict[str, Outcome] = {}
        found = yield from self._found(wanted, company)
        yield from self._create([sale for name, sale in wanted.items() if name not in found], company, outcomes)
        pressed: set[tuple[int, str]] = set()
        while waiting := [name for name in wanted if name not in outcomes]:
            found = yield from self._found(waiting, company)
            due: dict[tuple[str, str], dict[int, str]] = {}
            for name in waiting:
                settled = _next(found.get(name, []), wanted[name], pressed)
                if isinstance(settled, Press):
                    due.setdefault((settled.model, settled.button), {}).update(dict.fromkeys(settled.ids, name))
                else:
                    outcomes[name] = settled
            for (model, button), ids in due.items():
                pressed |= {(one, f"{model}.{button}") for one in ids}
                refused = yield from self._each(list(ids), partial(self._button, f"{model}.{button}", company))
                outcomes.update((ids[one], failure) for one, failure in refused.items())
        foreign = Reject("Tryton can carry out PostSale only", "not_capable")
        return [outcomes[command.reference] if isinstance(command, PostSale) else foreign for command in commands]

    def look_up(self, command: Command) -> Talk[Done | None]:
        """Whether the sale is through. None also for one that is half done: a push goes on with it."""
        if not isinstance(command, PostSale):
            raise Reject(f"Tryton cannot look up {type(command).__name__}", "not_capable")
        company = yield from self._company()
        found = (yield from self._found([command.reference], company)).get(command.reference, [])
        settled = _next(found, command, set()) if found else None
        return settled if isinstance(settled, Done) else None

    def _create(self, sales: Sequence[PostSale], company: int, outcomes: dict[str, Outcome]) -> Talk[None]:
        """Creates the sales in one call; one that Tryton refuses, or that cannot be written, gets its outcome and stops no other."""
        if not sales:
            return
        priced: dict[str, list[posting.Line]] = {}
        for sale in sales:
            try:
                priced[sale.reference] = posting.lines(sale, self.settings.products)
            except Reject as refused:
                outcomes[sale.reference] = refused
        known = yield from self._known([line.code for made in priced.values() for line in made], company)
        documents: dict[str, dict[str, Any]] = {}
        for sale in sales:
            try:
                if sale.reference in priced:
                    documents[sale.reference] = posting.document(sale, priced[sale.reference], known)
            except Reject as refused:
                outcomes[sale.reference] = refused
        if documents:
            refused_ones = yield from self._each(list(documents), lambda part: self._creation([documents[name] for name in part], company))
            outcomes.update(refused_ones)

    def _known(self, codes: Sequence[str], company: int) -> Talk[Known]:
        settings = self.settings
        parties = yield from self._search("party.party", [["code", "=", settings.party]], ["addresses"], company, _Party)
        if not parties or not parties[0].addresses:
            raise Halt(f"Tryton has no party with the code {settings.party} and an address; sales are booked on it (setting `party`)")
        places = yield from self._search("stock.location", [["type", "=", "warehouse"]], _PLACE, company, _Place)
        warehouse = next((place.id for place in places if place.code == settings.warehouse), None)
        if warehouse is None:
            raise Halt(f"Tryton has no warehouse with the code {settings.warehouse} (setting `warehouse`)")
        currencies = yield from self._search("currency.currency", [], ["code"], company, _Coded)
        products = yield from self._search(
            "product.product", [["code", "in", sorted(set(codes))]], ["code", "sale_uom"], company, _Sellable
        )
        return Known(
            company=company,
            party=parties[0].id,
            address=parties[0].addresses[0],
            warehouse=warehouse,
            currencies={one.code: one.id for one in currencies},
            products={one.code: (one.id, one.sale_uom) for one in products if one.sale_uom is not None},
        )

    def _each(self, ids: list[T], call: Callable[[list[T]], Call]) -> Talk[dict[T, Reject]]:
        """One call for all; where it is refused as a whole it is halved, until what spoils it stands alone. Returns the refused ones."""
        try:
            yield from self._insist(call(ids))
        except Reject as refused:
            if len(ids) == 1:
                return {ids[0]: refused}
            half = len(ids) // 2
            return (yield from self._each(ids[:half], call)) | (yield from self._each(ids[half:], call))
        return {}

    def _insist(self, call: Call) -> Talk[Reply]:
        """Make the call; what Tryton warns of is acknowledged, as a user would, and the call made again."""
        for _ in range(WARNINGS_MAX):
            try:
                return (yield call)
            except Warned as warned:
                users = yield from self._search("res.user", [["login", "=", self.settings.login]], ["login"], None, _Ids)
                answer = {"user": users[0].id, "name": warned.name, "always": False}
                yield self._call("model.res.user.warning.create", [answer], {})
        raise Reject(f"{call.operation}: Tryton warned {WARNINGS_MAX} times")

    # --- calls -------------------------------------------------------------------------------------------------------
    def _call(self, rpc: str, *params: Any, repeat: Repeat = Repeat.SAFE) -> Call:
        body = as_json({"id": 1, "method": rpc, "params": params})
        return Call(operation=rpc, method="POST", path=f"/{self.settings.database}/rpc/", body=body, repeat=repeat, timeout_s=CALL_S)

    def _creation(self, documents: list[dict[str, Any]], company: int) -> Call:
        return self._call("model.sale.sale.create", documents, {"company": company}, repeat=Repeat.LOOKUP)

    def _button(self, path: str, company: int, ids: list[int]) -> Call:
        """Safe to repeat: what is already through is read before the next attempt, and a button on it is refused."""
        return self._call(f"model.{path}", ids, {"company": company})

    def _search(self, model: str, domain: list[Any], fields: list[str], company: int | None, kind: type[T]) -> Talk[list[T]]:
        context = {} if company is None else {"company": company}
        reply = yield self._call(f"model.{model}.search_read", domain, 0, None, None, fields, context)
        return reply.read(_Answer[list[kind]]).result  # type: ignore[valid-type]

    def _company(self) -> Talk[int]:
        reply = yield self._call("model.res.user.get_preferences", True, {})
        company = reply.read(_Answer[_Company]).result.company
        if company is None:
            raise Halt(f"the Tryton user {self.settings.login} works for no company")
        return company

    def _found(self, references: Iterable[str], company: int) -> Talk[dict[str, list[Sale]]]:
        domain = [["reference", "in", list(references)], ["description", "like", f"{MARK} %"]]
        by_reference: dict[str, list[Sale]] = {}
        for sale in (yield from self._search("sale.sale", domain, list(posting.SALE_FIELDS), company, Sale)):
            by_reference.setdefault(sale.reference, []).append(sale)
        return by_reference

    # --- the wire ----------------------------------------------------------------------------------------------------
    def endpoints(self) -> Mapping[str, str]:
        return {"api": self.settings.url}

    def login(self) -> Talk[Session] | None:
        return self._log_in()

    def _log_in(self) -> Talk[Session]:
        reply = yield self._call("common.db.login", self.settings.login, {"password": self.settings.password.reveal()})
        granted = reply.read(_Answer[list[Any] | None]).result
        if not granted:
            raise Halt(f"Tryton asks {self.settings.login} for more than a password")
        token = base64.b64encode(f"{self.settings.login}:{granted[0]}:{granted[1]}".encode()).decode()
        return Session(Secret(token), SESSION_S)

    def headers(self, call: Call, url: str, session: Session | None, now: int) -> Mapping[str, str]:
        """Tryton 8.2 labels long answers as gzip even to those who did not ask for it: so ask for it."""
        headers = {"content-type": "application/json", "accept-encoding": "gzip"}
        return headers | ({"authorization": f"Session {session.token.reveal()}"} if session else {})

    def judge(self, call: Call, reply: Reply) -> Reply:
        """Errors come as HTTP 200 with a list: the exception's name and its arguments. The transaction was rolled back."""
        judge(call, reply)
        error = reply.read(_Error).error
        if error is None:
            return reply
        name, details = str(error[0]), error[1] if len(error) > 1 else ""
        texts = [str(one) for one in details] if isinstance(details, list) else [str(details)]
        if name == "UserWarning" and len(texts) > 1:
            raise Warned(f"{call.operation}: {texts[1]}", texts[0])
        if name == "UserError":
            raise Reject(f"{call.operation}: {texts[0]}")
        if name == "ConcurrencyException" or any(race in name for race in words.LOST_RACES):
            raise Retry(f"{call.operation}: another change came first: {name}")
        raise Reject(f"{call.operation}: {name} {' '.join(texts)[:200]}")


def _next(found: Sequence[Sale], wanted: PostSale, pressed: set[tuple[int, str]]) -> Press | Outcome:
    """What is to be done with a sale, or what has become of it. A button that changed nothing is not pressed again."""
    if not found:
        return Retry(f"Tryton does not show the sale {wanted.reference} yet")
    if len(found) > 1:
        return Reject(
            f"Tryton has {len(found)} sales with the reference {wanted.reference}: {[sale.id for sale in found]}; cancel all but one"
        )
    try:
        step = posting.step(found[0], wanted)
    except (Reject, Retry) as failure:
        return failure
    if isinstance(step, Press) and any((one, f"{step.model}.{step.button}") in pressed for one in step.ids):
        short = "its units are not on hand there: correct the count in Tryton" if step.button == "assign_try" else "it stayed as it was"
        return Reject(f"{step.model} {list(step.ids)} of {wanted.reference}: {step.button} changed nothing; {short}, then retry")
    return step


def _window(cursor: str) -> tuple[int, int, int]:
    """ "since" between passes, "since/newest/last id" within one; times in microseconds."""
    since, newest, last = (*(cursor or "0").split("/"), "0", "0")[:3]
    return int(since), int(newest), int(last)


def _server_time(reply: Reply) -> int:
    """The server's moment of an answer, in microseconds: the beginning of the second that its Date header states."""
    stated = reply.headers.get("date", "")
    try:
        return int(parsedate_to_datetime(stated).timestamp()) * SECOND
    except ValueError:
        raise Reject(f"the answer does not state when it was given: Date is {stated!r}", "time") from None


def _warehouse(place: int | None, places: Mapping[int, _Place]) -> str:
    """The code of the warehouse that a location stands in; "" for one that stands in none."""
    while place is not None and place in places:
        if places[place].type == "warehouse":
            return places[place].code or str(place)
        place = places[place].parent
    return ""


def _is_ours(sale: Named) -> bool:
    return bool(sale.reference) and (sale.description or "").startswith(f"{MARK} ")


def _wrapped(raw: msgspec.Raw, name: str, **more: str | int) -> bytes:
    """The record as it came, with what the connector knows of it."""
    return as_json({**more, name: raw})
