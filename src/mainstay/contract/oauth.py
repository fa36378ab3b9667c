"""OAuth 2.0 as a shared conversation: client credentials (RFC 6749 4.4) and refresh (RFC 6749 6)."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from msgspec import Struct

from mainstay.contract.connector import Session
from mainstay.contract.talk import Call, Talk
from mainstay.model.failures import Halt, Reject
from mainstay.model.secrets import Secret

EXPIRES_IN_S = 3600.0


class _Granted(Struct):
    access_token: str
    expires_in: float = EXPIRES_IN_S


def client_credentials(path: str, client: str, secret: Secret, *, scope: str = "", endpoint: str = "auth") -> Talk[Session]:
    """Ask for a token as the application itself."""
    fields = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret.reveal()}
    return _grant(path, fields | ({"scope": scope} if scope else {}), endpoint)


def refresh(path: str, client: str, secret: Secret, token: Secret, *, endpoint: str = "auth") -> Talk[Session]:
    """Trade a refresh token for an access token."""
    fields = {"grant_type": "refresh_token", "refresh_token": token.reveal(), "client_id": client, "client_secret": secret.reveal()}
    return _grant(path, fields, endpoint)


def _grant(path: str, fields: Mapping[str, str], endpoint: str) -> Talk[Session]:
    call = Call(
        operation="token", method="POST", path=path, endpoint=endpoint, body=urlencode(fields).encode(),
        headers={"content-type": "application/x-www-form-urlencoded"},
    )  # fmt: skip
    try:
        reply = yield call
    except Reject as refused:  # 400 invalid_grant, invalid_client: no retry will help
        raise Halt(f"no token was granted: {refused.why}") from None
    granted = reply.read(_Granted)
    return Session(Secret(granted.access_token), granted.expires_in)
