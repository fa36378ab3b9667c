"""A plugin of pytest: it plants the bug that the environment names before the tests are read (`pytest -p tests.proof.planting`). In the
processes that a test starts `site/sitecustomize.py` does."""

import importlib
import os

import apsw

from mainstay.edge.problems import Unwritable
from mainstay.landscape import OPERATOR
from mainstay.model.identity import named
from mainstay.orders.units import all_shipped
from mainstay.proof.planted import GUARDS

PLANTED = "MAINSTAY_PLANTED"


def as_it_was(sql):
    """The tables without what keeps postings as they are."""
    return "\n".join(line for line in sql.splitlines() if "a posted transfer is never" not in line)


def in_pieces(right):
    def execute(connection, schema):
        class Pieces:
            """A connection of which nothing is one commit."""

            def __enter__(self):
                return self

            def __exit__(self, *_):
                return False

            def __getattr__(self, name):
                return getattr(connection, name)

        right(Pieces(), schema)

    return execute


def one_in_fifty(pace, _at):
    pace.number += 1
    return pace.number <= 200 or pace.number % 50 == 0


def closed_for_good(right):
    def flush(recorder):
        if not recorder._failing.why:
            right(recorder)
        told, recorder._new, recorder._told = recorder._told, [], []
        for future in told:
            future.set_exception(Unwritable())

    return flush


def kept_all_the_same(right):
    refused = []

    def add(inbox, new, *more):
        try:
            last = right(inbox, [*refused, *new], *more)
        except apsw.Error:
            refused.extend(new)
            raise
        refused.clear()
        return last

    return add


def of_any_channel(_right):
    return lambda desk, _channel, reservation: desk.world.key(named(reservation)[1], "reservation", named(reservation)[2])


def following(right):
    asked = right._request
    right._request = lambda *what, **how: asked(*what, **how | {"allow_redirects": True})
    return right


SPOILS = {  # bug -> module, object in it, its attribute ("" where it is the module's), and what is put in its place of what is right
    "same-id-same-order": ("flows.ask", "Desk", "_differs", lambda _right: lambda *_: False),
    "keys-live-for-ever": ("delivery.lanes", "Lanes", "_key_is_old", lambda _right: lambda *_: False),
    "limits-begin-anew": ("delivery.budgets", "Budgets", "lowered", lambda _right: lambda *_: False),
    "a-parcel-of-any-release": ("orders.fold", "", "_asked_by", lambda _right: lambda *_: ""),
    "book-what-is-asked-back": ("orders.parcels", "", "is_over", lambda _right: all_shipped),
    "correct-in-place": ("storage.database", "", "text", lambda right: lambda name: as_it_was(right(name))),
    "believe-the-echo": ("orders.parcels", "", "_is_echo", lambda _right: lambda *_: False),
    "undo-what-has-left": (
        "orders.decide", "", "is_told", lambda right: lambda state, what: what == "cancelled_after_shipment" or right(state, what),
    ),
    "open-any-version": ("storage.database", "", "refuse_other", lambda _right: lambda *_, **_more: None),
    "migrate-in-pieces": ("storage.database", "", "migrate", in_pieces),
    "look-seldom": ("flows.drift", "Pace", "is_sample", lambda _right: one_in_fifty),
    "no-lock": ("storage.database", "fcntl", "flock", lambda _right: lambda *_: None),
    "keep-card-numbers": ("model.cards", "", "_cards", lambda _right: lambda _body: iter(())),
    "closed-for-good": ("edge.record", "Recorder", "flush", closed_for_good),
    "keep-what-is-refused": ("storage.inbox", "Inbox", "add", kept_all_the_same),
    "a-day-goes-unnoticed": ("delivery.dispatch", "", "JUMP_US", lambda _right: 1 << 62),
    "pauses-of-the-old-clock": ("delivery.lanes", "Lanes", "clock_was_set", lambda right: lambda lanes, _by: right(lanes, 0)),
    "blame-the-vendor": ("delivery.connection", "Unable", "theirs", lambda _right: True),
    "call-any-address": ("contract.address", "", "_below", lambda _right: lambda *_: True),
    "token-to-all": ("delivery.connection", "", "target", lambda right: lambda *call: right(*call)._replace(ours=True)),
    "follow-redirects": ("delivery.http", "aiohttp", "ClientSession", following),
    "show-to-any-channel": (
        "edge.api", "Api", "show_trace", lambda right: lambda api, request, _who, body: right(api, request, OPERATOR, body),
    ),
    "reservations-of-any-channel": ("flows.ask", "Desk", "_reservation_key", of_any_channel),
}  # fmt: skip


def plant():
    bug = os.environ.get(PLANTED)
    if bug:
        assert SPOILS.keys() == GUARDS.keys()
        module, thing, name, spoil = SPOILS[bug]
        where = importlib.import_module(f"mainstay.{module}")
        where = getattr(where, thing) if thing else where
        setattr(where, name, spoil(getattr(where, name)))


def pytest_configure():
    plant()
