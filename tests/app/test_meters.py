"""What the processes tell of themselves."""

from types import SimpleNamespace

from mainstay.app.build import clock
from mainstay.app.meters import Meters, custody
from mainstay.app.show import status_text, subscribed_text
from mainstay.app.snapshots import backlog, oldest_s, read_snapshot, standing, write_snapshot
from mainstay.connectors.shopify import Shopify
from mainstay.contract.connector import settings_of
from mainstay.delivery.custody import Held, Silence
from mainstay.delivery.hooks import Hooks
from mainstay.delivery.outcomes import Outcomes
from mainstay.model.times import SECOND
from mainstay.storage.inbox import Inbox
from mainstay.storage.state import State

NOW = 1_000 * SECOND
NAMES = ("orders", "reservations", "dead_letters", "accounts", "pauses", "early", "proposals", "uncounted", "drift", "restored")
NOTHING = {name: {} for name in (*NAMES, "lag", "silent")}
SHOP = {"shop": "acme.myshopify.com", "token": "t", "webhook_secret": "s"}


def test_the_lag_is_the_age_of_the_oldest_receipt_that_is_not_handled(tmp_path):
    assert oldest_s(tmp_path, NOW) == {}, "no store yet"
    state, inbox = State(tmp_path / "state.db"), Inbox(tmp_path / "inbox.db")
    assert oldest_s(tmp_path, NOW) == {"inbox": 0.0, "outcomes": 0.0}
    inbox.add([(NOW - seconds * SECOND, "shop", "orders/create", f"e{seconds}", b"{}") for seconds in (90, 40, 5)])
    assert oldest_s(tmp_path, NOW) == {"inbox": 90.0, "outcomes": 0.0} and backlog(tmp_path) == {"inbox": 3, "outcomes": 0}
    state.run("set_counter", ("position/inbox", 1))
    assert oldest_s(tmp_path, NOW) == {"inbox": 40.0, "outcomes": 0.0}, "the first is handled"
    inbox.close()
    state.close()


def test_subscriptions_are_shown_with_what_is_wrong_and_what_was_silent(tmp_path):
    connection = type("C", (), {"name": "shop", "connector": Shopify(settings_of(Shopify, SHOP))})
    outcomes = Outcomes(tmp_path / "outcomes.db", lambda: NOW, lambda: None)
    hooks = Hooks(connection, "https://here", [], outcomes, {"products/update", "orders/paid"})
    hooks.known = {
        "orders/paid": Held("orders/paid", "disabled", whole_at=NOW, noticed_at=NOW, was="disabled"),
        "products/update": Held("products/update", whole_at=NOW),
    }
    hooks.silences = {"orders": Silence("orders", NOW, NOW, ("orders/paid",), rows=4)}
    told = custody(hooks)
    outcomes.close()
    assert told["missing"] == 1 and told["no_feed"] == ["orders/paid", "products/update"], "no feed is read"
    text = "\n".join(subscribed_text("shop", told))
    assert "shop: 1 of 2 whole" in text and "orders/paid: disabled, noticed 1970-01-01T00:16:40Z" in text and "orders is to be read" in text
    write_snapshot(tmp_path, "dispatch", {"subscriptions": {"shop": told}})
    metrics = Meters(tmp_path, (), type("R", (), {"accepted": 0}), dict, lambda: 2).text().decode()
    assert "mainstay_schema_drift_open 2.0" in metrics
    assert 'mainstay_subscriptions_missing{system="shop"} 1.0' in metrics and 'mainstay_silences_unread{system="shop"} 1.0' in metrics


def test_what_waits_for_a_system_is_said_with_its_end(tmp_path):
    """In words and as a metric; of what an older Mainstay left behind, which knew of no backlog, nothing is said."""
    waits = {"waiting": {"ReleaseOrder": 600, "SetLevel": 2}, "oldest_s": 10_800.0}
    said = {
        "warehouse": {**waits, "gone_in_s": 840.0, "gone_at": "2026-11-21T15:20:00Z"},
        "erp": {**waits, "gone_in_s": None, "gone_at": ""}, "shop": {"waiting": {}, "oldest_s": 0.0, "gone_in_s": 0.0, "gone_at": ""},
    }  # fmt: skip
    systems = {
        name: {"calls": {}, "failures": {}, "waiting": 1, "breaker": "closed", "reason": "", "backlog": one} for name, one in said.items()
    }
    systems |= {"till": {name: value for name, value in systems["erp"].items() if name != "backlog"}}
    write_snapshot(tmp_path, "dispatch", {"systems": systems})
    found = {
        "orders": {},
        "reservations": {},
        "dead_letters": {},
        "early": 0,
        "proposals": 0,
        "uncounted": 0,
        "pauses": [],
        "drift": 0,
        "restored": "",
        "silent": {},
        "accounts": {},
        "lag": {},
    }
    told = status_text({**found, "dispatch": read_snapshot(tmp_path, "dispatch")})
    assert "ReleaseOrder 600, SetLevel 2; the oldest for 10800 s; told by 2026-11-21T15:20:00Z at its rate" in told
    assert told.count("ReleaseOrder 600") == 2 and "nobody can say yet until when" in told
    systems["warehouse"]["breaker"] = "open"
    assert "told within 840 s at its rate, once it answers" in status_text({**found, "dispatch": {"systems": systems}})
    door = SimpleNamespace(refused={})
    metrics = Meters(tmp_path, (door,), SimpleNamespace(accepted=0), dict, lambda: 0).text().decode()
    assert [line for line in metrics.splitlines() if line.startswith("mainstay_backlog_gone_seconds")] == [
        'mainstay_backlog_gone_seconds{system="warehouse"} 840.0', 'mainstay_backlog_gone_seconds{system="shop"} 0.0',
    ]  # fmt: skip


def test_who_has_told_nothing_for_long_is_named(tmp_path):
    """What it told last is shown as if it were of now else."""
    write_snapshot(tmp_path, "core", {})
    write_snapshot(tmp_path, "dispatch", {"at": clock() - 42 * SECOND})
    found = standing(tmp_path)
    assert found["silent"] == {"dispatch": 42}
    fare = {"running": True, "failures": 0}
    write_snapshot(tmp_path, "up", {"roles": {"core": fare | {"silent_s": 1}, "edge": fare | {"silent_s": 11}}})
    assert standing(tmp_path)["silent"] == {"dispatch": 42, "edge": 11}
    shown = status_text(NOTHING | found | {"dispatch": {}})
    assert "dispatch has told nothing for 42 s" in shown


def test_a_feed_that_cannot_be_read_is_named_with_its_failure():
    read = {"pages": 3, "rows": 9, "failure": "", "next": "", "every_s": 60.0, "read": NOW}
    at_night = read | {"failure": "no answer", "next": "2026-11-22T02:30:00Z"}
    told = {"shop/orders": read | {"failure": "HTTP 500"}, "shop/inventory": read, "erp/levels": at_night}
    lines = [line for line in status_text(NOTHING | {"dispatch": {"polls": told}}).splitlines() if "reading" in line or "not read" in line]
    assert lines == [
        "not read      shop/orders since 1970-01-01T00:16:40Z: HTTP 500", "not read      erp/levels since 1970-01-01T00:16:40Z: no answer",
        "next reading  erp/levels: 2026-11-22T02:30:00Z",
    ]  # fmt: skip
