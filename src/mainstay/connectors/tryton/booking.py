"""The conversation that books sales and returns: find, create what is missing, press buttons until each is shipped and invoiced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from mainstay.connectors.tryton import posting, transfers
from mainstay.connectors.tryton.posting import MARK, Booking, Known, Press, Sale
from mainstay.connectors.tryton.rpc import Rpc
from mainstay.contract.connector import Done, Outcome
from mainstay.contract.talk import Call, Repeat, Talk
from mainstay.model.commands import PostSale
from mainstay.model.failures import Halt, Reject, Retry


class _Party(Struct):
    id: int
    addresses: list[int]


class _Coded(Struct):
    id: int
    code: str | None


def book(rpc: Rpc, wanted: Mapping[str, Booking], party: str, warehouse: str, parts: posting.Parts) -> Talk[dict[str, Outcome]]:
    """An outcome for each reference. A booking that was interrupted anywhere goes on where the sales are."""
    outcomes: dict[str, Outcome] = {}
    found = yield from _found(rpc, wanted)
    lines: dict[str, list[posting.Line]] = {}
    for name, sale in wanted.items():
        if name not in found:
            try:
                lines[name] = posting.lines(sale, parts)
            except Reject as refused:
                outcomes[name] = refused
    if lines:
        known = yield from _known(rpc, sorted({line.code for made in lines.values() for line in made}), party, warehouse)
        yield from _create(rpc, wanted, lines, known, outcomes)
    yield from _press_on(rpc, wanted, outcomes)
    return outcomes


def booked(rpc: Rpc, wanted: Booking) -> Talk[Done | None]:
    """What became of the sale where it is through; None where it is not there, or half done: then booking goes on with it."""
    found = (yield from _found(rpc, [wanted.reference])).get(wanted.reference, [])
    settled = _next(found, wanted, set())
    return settled if isinstance(settled, Done) else None


def _create(
    rpc: Rpc, wanted: Mapping[str, Booking], lines: Mapping[str, list[posting.Line]], known: Known, outcomes: dict[str, Outcome]
) -> Talk[None]:
    """Creates the sales in one call; one that cannot be written, or that Tryton refuses, gets its outcome and stops no other."""
    documents = {}
    for name, made in lines.items():
        try:
            documents[name] = posting.document(wanted[name], made, known)
        except Reject as refused:
            outcomes[name] = refused

    def creation(names: list[str]) -> Call:
        return rpc.on("sale.sale.create", [documents[name] for name in names], repeat=Repeat.LOOKUP)

    if documents:
        outcomes.update((yield from rpc.each(list(documents), creation)))


def _press_on(rpc: Rpc, wanted: Mapping[str, Booking], outcomes: dict[str, Outcome]) -> Talk[None]:
    """Round after round: read the sales that have no outcome yet, and press the next button of each, one call for each button.

    A button is safe to press again after a lost answer: the sales are read first, and what is through is not pressed.
    """
    pressed: set[tuple[str, int]] = set()
    while waiting := [name for name in wanted if name not in outcomes]:
        found = yield from _found(rpc, waiting)
        split = {name: one for name in found if isinstance(one := wanted[name], PostSale) and _is_to_be_brought(one, found[name])}
        if split:
            outcomes.update((yield from transfers.attach(rpc, {name: found[name][0] for name in split}, split)))
        due: dict[str, dict[int, str]] = {}  # button -> document -> the reference of its sale
        for name in waiting:
            if name in outcomes:
                continue
            settled = _next(found.get(name, []), wanted[name], pressed)
            if isinstance(settled, Press):
                due.setdefault(settled.button, {}).update(dict.fromkeys(settled.ids, name))
            else:
                outcomes[name] = settled
        for button, names in due.items():
            pressed |= {(button, one) for one in names}
            refused = yield from rpc.each(list(names), lambda ids, button=button: rpc.on(button, ids))  # type: ignore[misc]
            outcomes.update((names[one], failure) for one, failure in refused.items())


def _is_to_be_brought(wanted: PostSale, found: Sequence[Sale]) -> bool:
    """Is a part of it to stand elsewhere before its warehouse can ship it?"""
    return bool(wanted.elsewhere) and len(found) == 1 and any(one.state not in ("done", "cancelled") for one in found[0].shipments)


def _next(found: Sequence[Sale], wanted: Booking, pressed: set[tuple[str, int]]) -> Press | Outcome:
    """What is to be done with a sale, or what has become of it. A button that changed nothing is not pressed again."""
    if not found:
        return Retry(f"Tryton does not show the sale {wanted.reference} yet")
    if len(found) > 1:
        ids = [sale.id for sale in found]
        return Reject(f"Tryton has {len(found)} sales with the reference {wanted.reference}: {ids}; cancel all but one")
    try:
        step = posting.step(found[0], wanted)
    except (Reject, Retry) as failure:
        return failure
    if isinstance(step, Press) and any((step.button, one) in pressed for one in step.ids):
        short = "its units are not on hand there, correct the count" if step.button.endswith("assign_try") else "it stayed as it was"
        return Reject(f"{step.button} on {list(step.ids)} of {wanted.reference} changed nothing: {short}, then retry")
    return step


def _found(rpc: Rpc, references: Iterable[str]) -> Talk[dict[str, list[Sale]]]:
    domain = [["reference", "in", list(references)], ["description", "like", f"{MARK}%"]]
    by_reference: dict[str, list[Sale]] = {}
    for sale in (yield from rpc.search("sale.sale", domain, posting.SALE_FIELDS, Sale)):
        by_reference.setdefault(sale.reference, []).append(sale)
    return by_reference


def _known(rpc: Rpc, codes: list[str], party: str, warehouse: str) -> Talk[Known]:
    """The ids behind the codes; Halt where what every sale needs is not there."""
    parties = yield from rpc.search("party.party", [["code", "=", party]], ("addresses",), _Party)
    if not parties or not parties[0].addresses:
        raise Halt(f"Tryton has no party with the code {party} and an address; sales are booked on it (setting `party`)")
    places = yield from rpc.search("stock.location", [["type", "=", "warehouse"]], ("code",), _Coded)
    warehouses = {place.code or str(place.id): place.id for place in places}
    if warehouse not in warehouses:
        raise Halt(f"Tryton has no warehouse with the code {warehouse}; sales are shipped from it (setting `warehouse`)")
    currencies = yield from rpc.search("currency.currency", [], ("code",), _Coded)
    products = yield from rpc.search("product.product", [["code", "in", codes]], ("code", "sale_uom"), posting.Sellable)
    return Known(
        company=rpc.company,
        party=parties[0].id,
        address=parties[0].addresses[0],
        warehouse=warehouses[warehouse],
        warehouses=warehouses,
        currencies={one.code: one.id for one in currencies if one.code},
        products={one.code: (one.id, one.sale_uom) for one in products if one.sale_uom is not None},
    )
