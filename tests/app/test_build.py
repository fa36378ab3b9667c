"""What the landscape says is what is built: who is asked, what is read, which deliveries count."""

from __future__ import annotations

import pytest

from mainstay import landscape
from mainstay.app import build
from mainstay.app.build import House
from mainstay.app.declaration import refuse_errors
from mainstay.flows.drift import OWN_WORDS
from mainstay.landscape import Misdeclared
from mainstay.model.failures import Halt
from mainstay.model.timetable import Timetable


@pytest.fixture
def house(tmp_path):
    """The demo's shop, with one piece of its text changed."""

    def built(*changes: tuple[str, str]) -> House:
        text = landscape.demo(build.offers(), {}, {})
        for before, after in changes:
            assert before in text
            text = text.replace(before, after, 1)
        path = tmp_path / "mainstay.toml"
        path.write_text(text)
        return build.open_house(path)

    return built


@pytest.fixture(autouse=True)
def secrets(monkeypatch):
    for name in (
        "SHOP_TOKEN", "SHOP_WEBHOOK_SECRET", "AMAZON_CLIENT_SECRET", "AMAZON_REFRESH_TOKEN", "PAYMENTS_SECRET_KEY",
        "PAYMENTS_WEBHOOK_SECRETS", "ERP_PASSWORD", "WAREHOUSE_SECRET",
    ):  # fmt: skip
        monkeypatch.setenv(name, "x")


def flow(obj: str, source: str, *targets: str) -> str:
    return f'object = "{obj}"\nsource = "{source}"\ntargets = [{", ".join(map(repr, targets))}]'.replace("'", '"')


def test_orders_go_where_their_flow_goes(house):
    policy = build.policy(house((flow("order", "amazon", "warehouse", "erp"), flow("order", "amazon", "erp"))))
    assert policy.warehouses == dict.fromkeys(("shop", "webshop", "till"), "warehouse")
    assert policy.books == dict.fromkeys(("shop", "amazon", "webshop", "till"), "erp")


def test_what_was_over_before_a_system_was_looked_after_is_known_by_its_moment(house):
    shop = build.shop(house(("[systems.shop]\n", '[systems.shop]\nsince = "2026-03-02T09:00:00Z"\n')))
    assert shop.since == {"shop": 1_772_442_000_000_000}


def test_a_provider_that_no_flow_goes_to_is_not_asked(house):
    assert build.policy(house()).takes("payments", "CapturePayment")
    untold = build.policy(house((flow("payment", "mainstay", "payments"), flow("payment", "mainstay", "mainstay"))))
    assert not untold.takes("payments", "CapturePayment") and untold.takes("payments", "RefundPayment")


def test_levels_go_to_the_targets_of_inventory(house):
    told = house((flow("inventory", "mainstay", "shop", "amazon", "webshop", "till"), flow("inventory", "mainstay", "shop")))
    assert build.plan(house(), {}).channels == {"shop": "shop", "amazon": "amazon"} and build.plan(told, {}).channels == {"shop": "shop"}


NO_PARCELS = (flow("fulfilment", "warehouse", "mainstay"), flow("cart", "warehouse", "mainstay"))


def test_a_feed_is_read_where_a_flow_needs_it(house):
    polls, bare = build.plan(house(), {}).polls, build.plan(house(NO_PARCELS), {}).polls
    assert polls[("shop", "orders")] == 300 and polls[("warehouse", "shipments")] == 120
    assert ("erp", "products") not in polls, "no flow brings products from the ERP"
    assert ("shop", "inventory") in polls, "it is told levels: there it says what it calls the items"
    assert ("warehouse", "shipments") not in bare and ("warehouse", "voids") not in bare


def test_deliveries_count_where_a_flow_brings_them_by_event(house):
    assert ("shop", "orders/edited") not in build.deaf(house()) and ("warehouse", "SHIP_NOTIFY") not in build.deaf(house())
    by_event = flow("order", "shop", "warehouse", "erp") + '\npattern = "event"'
    assert ("shop", "orders/edited") in build.deaf(house((by_event, by_event.replace("event", "poll"))))
    assert ("warehouse", "SHIP_NOTIFY") in build.deaf(house(NO_PARCELS))


def test_events_are_sent_to_our_door_or_to_a_queue_of_the_shop(house):
    queue = "https://sqs.eu-west-1.amazonaws.com/000000000000/mainstay"
    given = ("[systems.amazon.settings]\n", f'[systems.amazon.settings]\nqueue_url = "{queue}"\n')
    public = build.hooks(house(given))
    assert public["shop"] == "http://127.0.0.1:8700/hooks/shop" and public["amazon"] == queue
    assert "amazon" not in build.hooks(house()), "without a queue its orders are only polled"
    assert build.hooks(house(given, ('url = "http://127.0.0.1:8700"\n', ""))) == {"amazon": queue}, "a queue needs no public address"
    plan = build.plan(house(given), {}).hooks["amazon"]
    assert plan.url == queue and "ORDER_CHANGE" in plan.heard


def test_documents_that_speak_of_business_are_learned_whoever_sends_them(house):
    learned = {
        (system, topic)
        for system in ("shop", "till", "mainstay", "gone")
        for topic in ("orders/create", "app/uninstalled", "api/order", "api/reserve", "api/release", "api/statements", "file/statements")
        if build.learned(house(), system, topic)
    }
    assert learned == {("shop", "orders/create")} | {("till", topic) for topic in OWN_WORDS}


def test_what_is_only_polled_is_read_in_time(house):
    polls = build.plan(house(), {}).polls
    assert polls[("amazon", "orders")] == 60, "fulfilments in real-time, which this feed alone brings"
    assert polls[("erp", "moves")] == 30 and polls[("erp", "levels")] == 3600, "another feed is fast enough"


def test_an_effect_is_as_urgent_as_its_most_urgent_flow(house):
    urgent = build.plan(house(), {}).urgent
    assert urgent["warehouse"] == {"ReleaseOrder": 120, "CancelRelease": 120} and urgent["payments"]["RefundPayment"] == 8 * 3600


def test_the_given_interval_is_kept(house):
    poll = flow("order", "amazon", "warehouse", "erp") + '\npattern = "poll"'
    often = house((poll, f"{poll}\nevery_s = 60"))
    assert build.plan(often, {}).polls[("amazon", "orders")] == 60 and build.plan(often, {"amazon": 4.0}).polls[("amazon", "orders")] == 15


def test_a_feed_that_is_needed_by_schedule_alone_is_read_at_its_times(house):
    polled = flow("inventory", "erp", "mainstay") + '\npattern = "poll"'
    at_night = f'{polled.replace("poll", "schedule")}\nat = ["02:30", "12:00"]\ntimezone = "Europe/Berlin"'
    polls = build.plan(house((polled, at_night)), {"erp": 60.0}).polls
    times = Timetable(frozenset({("02:30", "Europe/Berlin"), ("12:00", "Europe/Berlin")}))
    assert polls[("erp", "levels")] == polls[("erp", "moves")] == times, "whatever the factor: a day has one half past two"
    needed = flow("product", "erp", "mainstay") + '\npattern = "schedule"\nat = ["02:30"]'
    assert isinstance(polls[("shop", "orders")], float) and isinstance(
        build.plan(house((polled, needed)), {}).polls[("erp", "products")], Timetable
    )


def test_only_imitations_are_called_faster_than_their_vendors_allow(house, monkeypatch):
    monkeypatch.setenv("MAINSTAY_TIME_FACTOR", "60")
    assert build.scales(house()) == dict.fromkeys(("shop", "amazon", "payments", "erp", "warehouse"), 60.0)
    real = build.scales(
        house(('connector = "stripe"\nowner = "operations"\nenvironment = "test"', 'connector = "stripe"\nowner = "operations"'))
    )
    assert "payments" not in real and real["shop"] == 60.0
    monkeypatch.setenv("MAINSTAY_TIME_FACTOR", "fast")
    with pytest.raises(Halt, match="it is a number"):
        build.scales(house())


FILES = flow("order", "till", "warehouse", "erp") + '\npattern = "direct"'


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (FILES, FILES.replace("direct", "file"), "file-without-folder"),
        (FILES, FILES.replace("direct", "schedule"), "schedule-without-times"),
        (FILES, FILES.replace("direct", 'schedule"\nat = ["02:30"]\ntimezone = "Berlin'), "zone-unknown"),
    ],
)
def test_what_check_finds_wrong_with_a_schedule_or_a_folder_does_not_start(house, before, after, said):
    with pytest.raises(Misdeclared) as refused:
        refuse_errors(house((before, after)).folder / "mainstay.toml")
    assert said in {one.code for one in refused.value.findings}


def test_one_folder_has_one_speaker_however_its_path_is_written(house, tmp_path):
    others = flow("order", "webshop", "warehouse", "erp") + '\npattern = "direct"'
    by_path = FILES.replace("direct", f'file"\nfolder = "{tmp_path}/in')
    with pytest.raises(Halt, match="no folder of its own"):
        build.inflows(house((FILES, by_path), (others, others.replace("direct", 'file"\nfolder = "in'))))
    (one,) = build.inflows(house((FILES, by_path)))
    assert (one.system, one.path) == ("till", tmp_path / "in")
