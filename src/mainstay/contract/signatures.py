"""Signature schemes of inbound deliveries and outbound calls. Comparisons take constant time and work on bytes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from mainstay.model.failures import Forged
from mainstay.model.secrets import Secret

TOLERANCE_S = 300


def hmac_base64(secrets: Iterable[Secret], body: bytes, given: str) -> None:
    """base64(HMAC-SHA256(secret, body)), as Shopify sends it; any of the live secrets may have signed.

    Source: https://shopify.dev/docs/apps/build/webhooks/subscribe/https
    """
    if not given:
        raise Forged("the delivery carries no signature", "signature_missing")
    claimed = given.encode("utf-8", "replace")
    for secret in secrets:
        good = base64.b64encode(hmac.digest(secret.reveal().encode(), body, "sha256"))
        if hmac.compare_digest(good, claimed):
            return
    raise Forged("the signature does not fit these bytes")


def stripe(secrets: Iterable[Secret], body: bytes, given: str, now_s: float, tolerance_s: float = TOLERANCE_S) -> None:
    """`t=<unix>,v1=<hex>[,v1=…]`: hex(HMAC-SHA256(secret, "{t}.{body}")). Source: https://docs.stripe.com/webhooks/signature"""
    if not given:
        raise Forged("the delivery carries no signature", "signature_missing")
    pairs = [part.partition("=")[::2] for part in given.split(",")]
    stamp = next((value for name, value in pairs if name.strip() == "t"), "")
    if not (stamp.isascii() and stamp.isdecimal()) or len(stamp) > 12:
        raise Forged("the signature header names no time")
    claimed = [value.encode("utf-8", "replace") for name, value in pairs if name.strip() == "v1"]
    for secret in secrets:
        good = hmac.digest(secret.reveal().encode(), stamp.encode() + b"." + body, "sha256").hex().encode()
        if any(hmac.compare_digest(good, one) for one in claimed):
            _fresh(int(stamp), now_s, tolerance_s)
            return
    raise Forged("the signature does not fit these bytes")


def standard_webhooks(
    secrets: Iterable[Secret], headers: Mapping[str, str], body: bytes, now_s: float, tolerance_s: float = TOLERANCE_S
) -> None:
    """`v1,<base64>` over "{id}.{timestamp}.{body}". Source: https://www.standardwebhooks.com (specification 1.0)"""
    given, event, stamp = (headers.get(f"webhook-{name}", "") for name in ("signature", "id", "timestamp"))
    if not given:
        raise Forged("the delivery carries no signature", "signature_missing")
    if not event or not (stamp.isascii() and stamp.isdecimal()) or len(stamp) > 12:
        raise Forged("the delivery names no id or no time")
    claimed = [one.partition(",")[2].encode("utf-8", "replace") for one in given.split() if one.startswith("v1,")]
    signed = f"{event}.{stamp}.".encode() + body
    for secret in secrets:
        good = base64.b64encode(hmac.digest(_key(secret), signed, "sha256"))
        if any(hmac.compare_digest(good, one) for one in claimed):
            _fresh(int(stamp), now_s, tolerance_s)
            return
    raise Forged("the signature does not fit these bytes")


def standard_webhooks_headers(secret: Secret, event: str, body: bytes, now_s: int) -> dict[str, str]:
    """The headers of a delivery of ours that `standard_webhooks` accepts; `event` is its id, the same when it is sent again."""
    good = base64.b64encode(hmac.digest(_key(secret), f"{event}.{now_s}.".encode() + body, "sha256")).decode()
    return {"webhook-id": event, "webhook-timestamp": str(now_s), "webhook-signature": f"v1,{good}"}


def _key(secret: Secret) -> bytes:
    text = secret.reveal().removeprefix("whsec_")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return text.encode()


def _fresh(stamp_s: int, now_s: float, tolerance_s: float) -> None:
    if abs(now_s - stamp_s) > tolerance_s:
        raise Forged(f"signed {abs(now_s - stamp_s):.0f} s away from now; at most {tolerance_s:.0f} s are accepted", "timestamp_stale")


def aws_v4(
    method: str, url_path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes, *,
    access_key: str, secret_key: Secret, region: str, service: str, now: int,
) -> dict[str, str]:  # fmt: skip
    """Headers of AWS Signature Version 4; `now` in microseconds. Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html"""
    moment = datetime.fromtimestamp(now / 1e6, UTC)
    stamp, day = moment.strftime("%Y%m%dT%H%M%SZ"), moment.strftime("%Y%m%d")
    signed = {name.lower(): value.strip() for name, value in headers.items()} | {"x-amz-date": stamp}
    names = ";".join(sorted(signed))
    canonical_query = "&".join(f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in sorted(query.items()))
    canonical = "\n".join(
        [
            method,
            quote(url_path or "/", safe="/-_.~"),
            canonical_query,
            *(f"{n}:{signed[n]}" for n in sorted(signed)),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        ]
    )
    scope = f"{day}/{region}/{service}/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{secret_key.reveal()}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    return {
        "x-amz-date": stamp,
        "authorization": f"AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={names}, Signature={signature}",
    }
