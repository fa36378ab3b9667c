"""The shop that the demo and the simulator play: five imitated systems and two channels that ask first, declared as a user would."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from mainstay import landscape
from mainstay.app import build
from mainstay.proof.access import LOCATION, PAYMENTS, settings
from mainstay.proof.history import CURRENCY

SYSTEMS = {"shop": "shopify", "amazon": "amazon", PAYMENTS: "stripe", "erp": "tryton", "warehouse": "shipstation"}
ASK_FIRST = ("webshop", "till")


def declared(urls: Mapping[str, str], lacks: Collection[str] = ()) -> str:
    """The text of mainstay.toml with each system at its address, but for those it `lacks`; the secrets are those of `proof.access.keep`."""
    given = {name: settings(connector, urls[name], CURRENCY) for name, connector in SYSTEMS.items()}
    if PAYMENTS in lacks:
        del given["shop"]["payment_system"]
    given |= {name: {"token": f"file:{name}-token"} for name in ASK_FIRST}
    text = landscape.demo(build.offers(), given, {"shop": LOCATION}, lacks)
    # What is kept back after a rush is given free minutes later: the books are compared before that.
    text = text.replace('buffer = "measured"\n', "")
    text = text.replace('currency = "EUR"', f'currency = "{CURRENCY}"', 1)
    return text.replace("[server]", '[server]\napi_token = "file:api-token"', 1)
