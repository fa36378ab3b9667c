"""What the processes tell of themselves."""

from mainstay.app.meters import Meters, backlog, custody, oldest_s, write_snapshot
from mainstay.app.show import subscribed_text
from mainstay.connectors.shopify import Shopify
from mainstay.contract.connector import settings_of
from mainstay.delivery.custody import Held, Silence
from mainstay.delivery.hooks import Hooks
from mainstay.delivery.outcomes import Outcomes
from mainstay.model.times import SECOND
from mainstay.storage.inbox import Inbox
from mainstay.storage.state import State

NOW = 1_000 * SECOND
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
    metrics = Meters(tmp_path, type("D", (), {"refused": {}}), type("R", (), {"accepted": 0}), dict, lambda: 2).text().decode()
    assert "mainstay_schema_drift_open 2.0" in metrics
    assert 'mainstay_subscriptions_missing{system="shop"} 1.0' in metrics and 'mainstay_silences_unread{system="shop"} 1.0' in metrics
