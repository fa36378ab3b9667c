"""schemathesis reads the OpenAPI of a running Mainstay and asks it all that the document allows, and much that it does not."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import CHECKS, load_all_checks

from mainstay.edge.api import Api
from mainstay.edge.openapi import document
from tests.running import TOKENS, Running, an_order

DOCUMENT = document(Api(None, None, None, None, {}, {}, bytes, str).endpoints)
CALLS = {one["operationId"]: (path, method) for path, methods in DOCUMENT["paths"].items() for method, one in methods.items()}
MODES = schemathesis.GenerationMode
LEFT_OUT = {
    "ignored_auth": "tests/edge asks every call without a token and with each kind of token",
    "positive_data_acceptance": "a document cannot say which currencies, SKUs and reservations there are: 422 and 404 may be right",
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    shop = Running(tmp_path_factory.mktemp("openapi")).start()
    shop.hook(an_order(7), "e7")
    shop.hook(b"broken", "bad")
    shop.settled()
    yield shop
    assert shop.stop() == 0
    assert "Traceback" not in shop.log()
    assert shop.cli("verify")[0] == 0


@pytest.fixture(scope="module")
def schema(shop):
    return schemathesis.openapi.from_url(f"http://127.0.0.1:{shop.port}/v1/openapi.json")


def asked(shop, schema, name: str, most: int) -> int:
    """How many requests of one operation were answered as the document says."""
    path, method = CALLS[name]
    operation = schema[path][method.upper()]
    token = TOKENS["till" if "own token." in operation.definition.raw["description"] else "operator"]
    load_all_checks()
    checks = [check for check in CHECKS.get_all() if check.__name__ not in LEFT_OUT]
    seen = []

    @settings(
        max_examples=most, deadline=None, database=None, derandomize=True, phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=st.one_of(operation.as_strategy(generation_mode=mode) for mode in (MODES.POSITIVE, MODES.NEGATIVE)))
    def ask(case):
        seen.append(case.call_and_validate(headers={"authorization": f"Bearer {token}"}, checks=checks, timeout=30).status_code)

    ask()
    return len(seen)


@pytest.mark.parametrize("name", CALLS)
def test_every_answer_is_as_documented(shop, schema, name):
    assert asked(shop, schema, name, 10) >= 5


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, (path, method) in CALLS.items() if "requestBody" in DOCUMENT["paths"][path][method]])
def test_every_answer_is_as_documented_for_many(shop, schema, name, figure):
    tried = asked(shop, schema, name, 100)
    assert tried >= 100
    figure(f"schemathesis: `{name}`", f"{tried} requests, all answered as documented", f"pytest tests/badinput -m slow -k {name}")
