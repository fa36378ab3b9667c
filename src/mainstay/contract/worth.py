"""How much money a document speaks of, however broken the rest of it is: what a dead letter puts at risk."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from mainstay.model.failures import Reject
from mainstay.model.money import decimals, minor


class Worth(Struct, frozen=True):
    """Where a kind of document states its amount and its currency: the names that lead there, with dots between them."""

    amount: str
    currency: str
    in_minor: bool = False  # as a whole number of minor units; else as a decimal text

    def of(self, body: bytes) -> tuple[int, str]:
        """Minor units and the currency; (0, "") where the document does not say."""
        try:
            document = msgspec.json.decode(body)
            currency = str(_at(document, self.currency)).upper()
            amount = _at(document, self.amount)
            if not self.in_minor:
                return abs(minor(str(amount), currency)), currency
            decimals(currency)
            return (abs(amount), currency) if type(amount) is int else (0, "")
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, LookupError, TypeError, ValueError, Reject):
            return 0, ""


def _at(document: Any, path: str) -> Any:
    for name in path.split("."):
        document = document[int(name) if isinstance(document, list) else name]
    return document
