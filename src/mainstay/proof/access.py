"""How Mainstay reaches the imitations: each connector's settings at an address, and the secrets that they name, as files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

SHOP, LOCATION = "acme.myshopify.com", "7001"
WAREHOUSES = {"WH": 1, "EAST": 2}  # the warehouse's numbers of the ERP's stores
PAYMENTS = "payments"  # the name of the system that holds the money of a shop's orders
SECRETS = {  # file -> what the twin knows
    "shop-token": "shpat_twin", "shop-secret": "shpss_twin", "amazon-secret": "amzn-secret", "amazon-refresh": "Atzr|twin",
    "amazon-sqs": "sqs-secret", "payments-key": "sk_test_twin", "payments-secret": "whsec_twin", "erp-password": "twin",
    "warehouse-secret": "twin-secret", "warehouse-hook": "twin-path",
}  # fmt: skip


def settings(connector: str, url: str, currency: str) -> dict[str, Any]:
    """What a landscape says of an imitated system; its secrets are named, not told."""
    told: dict[str, dict[str, Any]] = {
        "shopify": {
            "shop": SHOP, "token": "file:shop-token", "webhook_secret": "file:shop-secret", "location": LOCATION,
            "currency": currency, "payment_system": PAYMENTS,
        },
        "amazon": {
            "seller": "A3TH9S8BH6GOGM", "marketplace": "A1PA6795UKMFR9", "client": "mainstay", "client_secret": "file:amazon-secret",
            "refresh_token": "file:amazon-refresh", "queue_url": f"{url}/000000000000/mainstay", "access_key": "AKIATWIN",
            "secret_key": "file:amazon-sqs", "auth_url": url, "since": "2026-01-01T00:00:00Z",
        },
        "stripe": {"secret_key": "file:payments-key", "webhook_secrets": ["file:payments-secret"]},
        "tryton": {"database": "tryton", "login": "mainstay", "password": "file:erp-password", "currency": currency},
        "shipstation": {
            "key": "twin-key", "secret": "file:warehouse-secret", "hook_secret": "file:warehouse-hook", "currency": currency,
            "warehouses": WAREHOUSES,
        },
    }  # fmt: skip
    return {**told[connector], "url": url}


def keep(folder: Path, tokens: Mapping[str, str]) -> None:
    """Write the secrets, and the tokens of who calls our API (`till` -> file `till-token`), for nobody else to read."""
    for name, value in {**SECRETS, **{f"{who}-token": token for who, token in tokens.items()}}.items():
        path = folder / name
        path.write_text(value)
        path.chmod(0o600)
