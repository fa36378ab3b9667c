"""Where a call goes: to a path below an endpoint, or to an address that an answer named, which is judged before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from mainstay.contract.connector import Connector
from mainstay.contract.talk import Call
from mainstay.model.failures import Reject

PORTS = {"https": 443, "http": 80}
_PLAIN = re.compile(r"[!-\[\]-~]+")  # ASCII without blanks, control characters and the backslash, which libraries read in different ways
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")  # a host's name; those that are numbers are below no domain

Origin = tuple[str, str, int]  # scheme, host, port


class Target(NamedTuple):
    """Where a call goes. `ours`: to an endpoint of the connector. Only there it is told who we are."""

    url: str
    ours: bool


def target(call: Call, connector: Connector, system: str) -> Target:
    """Where this call of a system goes. Raises Reject `address_forbidden`, which names an address's host alone: the rest may be signed."""
    endpoints = connector.endpoints()
    if call.path.startswith("/"):
        return Target(endpoints.get(call.endpoint, "").rstrip("/") + call.path, ours=True)
    named, domains = _read(call.path), connector.manifest.domains
    origin = named and _origin(named)
    if origin and origin in {_origin(base) for url in endpoints.values() if (base := _read(url))}:
        return Target(call.path, ours=True)
    if origin and _below(origin, domains):
        return Target(call.path, ours=False)
    more = f" and, by https on port 443, at hosts of {' and '.join(domains)}" if domains else ""
    why = f"{system} handed out an address on {_host(call.path)}; it is called at its own endpoints{more}, and nowhere else"
    raise Reject(f"{call.operation}: {why}", "address_forbidden")


def _read(address: str) -> SplitResult | None:
    """The parts of an address; None where it is none, bears a user, or may be read in several ways."""
    try:
        parts = urlsplit(address) if _PLAIN.fullmatch(address) else None
        return parts if parts and parts.scheme in PORTS and parts.hostname and "@" not in parts.netloc and parts.port != 0 else None
    except ValueError:  # a port or an IPv6 address that is none
        return None


def _origin(parts: SplitResult) -> Origin:
    return parts.scheme, parts.hostname or "", parts.port or PORTS[parts.scheme]


def _below(origin: Origin, domains: Iterable[str]) -> bool:
    """Is it a host of one of these domains, by https? Who answers there must show a certificate for that name, wherever it leads."""
    scheme, host, port = origin
    return (scheme, port) == ("https", 443) and bool(_NAME.fullmatch(host)) and any(f".{host}".endswith(f".{one}") for one in domains)


def _host(address: str) -> str:
    try:
        host = urlsplit(address).hostname
        return repr(host[:100]) if host else "no host"
    except ValueError:
        return "a host that cannot be read"
