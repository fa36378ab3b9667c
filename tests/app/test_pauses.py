"""Operations hold something back and let it go on, from the command line; everybody sees that it is held, by whom and why."""

import json

import pytest

from tests.running import Running, an_order


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    shop = Running(tmp_path_factory.mktemp("pauses")).start()
    shop.hook(an_order(7), "e7")
    shop.settled()
    yield shop
    assert shop.stop() == 0
    assert shop.cli("verify")[0] == 0


def told(shop, *words, code=0):
    exit_code, out, wrong = shop.cli(*words, "--json")
    assert exit_code == code, (out, wrong)
    return json.loads(out or wrong)


@pytest.mark.parametrize("target", ["system:warehouse", "channel:shop", "sku:MUG-BLUE", "key:ord.shop.7"])
def test_it_is_held_and_goes_on(shop, target):
    assert told(shop, "pause", target, "--reason", "stocktaking", "--by", "ann") == {"target": target, "mode": "paused"}
    assert [(one["target"], one["by"], one["reason"]) for one in told(shop, "pauses")] == [(target, "ann", "stocktaking")]
    assert f"held back     {target} paused since 20" in shop.cli("status")[1]
    assert shop.cli("pause", target, "--drain", "--reason", "slowly")[1] == f"{target} is draining\n"
    assert shop.ask("GET", "/v1/pauses", who="operator")[1][0]["mode"] == "draining"
    assert told(shop, "resume", target)["mode"] == "running" and told(shop, "pauses") == []
    assert shop.cli("pauses")[1] == "nothing is held back: everything goes on\n"


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("system:nope", "no system is called 'nope'; there are: "),
        ("flow:nope", "no flow is called 'nope'; there are: product-from-shop"),
        ("channel:nope", "no channel is called 'nope'"),
        ("sku:nope", "no product is called 'nope'"),
        ("key:ord.shop.999", "no order is called 'ord.shop.999'"),
        ("shop", "Expected `str` matching regex"),
    ],
)
def test_what_is_not_there_cannot_be_held(shop, target, why):
    assert why in told(shop, "pause", target, "--reason", "a test", code=2)["detail"]
    assert told(shop, "pauses") == []


def test_what_nobody_declares_any_more_goes_on(shop):
    """Its flow was taken out of mainstay.toml while it was held back."""
    flow = next(line.removeprefix("[flows.").rstrip("]") for line in shop.config.read_text().splitlines() if line.startswith("[flows."))
    told(shop, "pause", f"flow:{flow}", "--reason", "a test")
    declared = shop.config.read_text()
    shop.stop()
    shop.config.write_text(declared.replace(f"[flows.{flow}]", f"[flows.{flow}-anew]"))
    shop.start()
    assert [one["target"] for one in told(shop, "pauses")] == [f"flow:{flow}"]
    assert told(shop, "resume", f"flow:{flow}")["mode"] == "running" and told(shop, "pauses") == []
    assert "no flow is called" in told(shop, "resume", f"flow:{flow}", code=2)["detail"]
    shop.stop()
    shop.config.write_text(declared)
    shop.start()


def test_nobody_holds_anything_back_without_a_reason(shop):
    assert "--reason" in shop.cli("pause", "system:shop")[2]
    assert shop.ask("POST", "/v1/pauses", {"target": "system:shop", "mode": "paused"}, "operator")[1]["code"] == "reason_missing"
