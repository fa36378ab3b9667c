"""Is anything exposed that should not be, and are all settings and secrets there?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import msgspec

from mainstay.landscape.declared import PLACEHOLDER
from mainstay.landscape.findings import Finding, KeyPath, nearest
from mainstay.landscape.offers import Setting
from mainstay.landscape.read import doubts
from mainstay.landscape.secrets import is_reference
from mainstay.landscape.survey import Findings, Survey
from mainstay.model.money import DECIMALS
from mainstay.model.secrets import Secret

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")  # a name
_OF_A_TEST_ACCOUNT = re.compile(r"\b[srp]k_test_|\bsandbox\b", re.IGNORECASE)


def currency(survey: Survey) -> Findings:
    code = survey.shop.shop.currency
    if code not in DECIMALS:
        wrong = f'"{code}" is not a currency of ISO 4217.'
        yield survey.finding("currency-unknown", ("shop", "currency"), wrong, '`currency = "EUR"`, or the code of your books')


def doors(survey: Survey) -> Findings:
    server = survey.shop.server
    if server.url and not _is_address(server.url):
        wrong = f'server.url: "{server.url}" is no address that can be called.'
        yield survey.finding("value-wrong", ("server", "url"), wrong, '`url = "https://shop.example"`, with the host that is yours')
    elif server.url and not is_private(server.url):
        wrong = f'Deliveries to "{server.url}" could be read and changed on their way.'
        yield survey.finding("url-insecure", ("server", "url"), wrong, f'`url = "https://{urlsplit(server.url).hostname}"`')
    elif not (_is_ip(server.listen) or _HOST.fullmatch(server.listen)):
        wrong = f'server.listen: "{server.listen}" is no address of this machine.'
        instead = '`listen = "127.0.0.1"`, or the address of one network card; `port` stands apart'
        yield survey.finding("value-wrong", ("server", "listen"), wrong, instead)
    elif not _is_loopback(server.listen) and not server.url.startswith("https://"):
        wrong = f"Mainstay listens on {server.listen}, which others can reach, but no https url says how."
        instead = '`url = "https://…"` of the proxy that ends TLS in front of it, or `listen = "127.0.0.1"`'
        yield survey.finding("listen-exposed", ("server", "listen"), wrong, instead)


def reachable(survey: Survey) -> Findings:
    """Without a url nothing is sent here. Named: the flows that wait for events, and systems that could send some and are polled."""
    if survey.shop.server.url:
        return
    incoming = [(name, flow, offer) for name, flow in survey.shop.flows.items() if (offer := survey.offer(flow.source)) is not None]
    waiting = {name: flow.source for name, flow, _ in incoming if flow.pattern == "event"}
    if waiting:
        wrong = (
            f"Nothing can arrive by {', '.join(waiting)}: there is no url that {', '.join(dict.fromkeys(waiting.values()))} could send to."
        )
        instead = '`url = "https://…"` in `[server]`; until then only polling brings news'
        yield survey.finding("url-missing", ("server",), wrong, instead)
    polled = [(flow, offer) for _, flow, offer in incoming if flow.pattern == "poll"]
    able = sorted({flow.source for flow, offer in polled if offer.signs and "event" in offer.patterns(flow.object)})
    if able:
        wrong = f"There is no url for events: {', '.join(able)} could send them, and a delivery that comes all the same is only noted."
        instead = '`url = "https://…"` in `[server]` and `pattern = "event"` in their flows; or leave it, and news comes when it is polled'
        yield survey.finding("url-missing", ("server",), wrong, instead)


def posted(survey: Survey) -> Findings:
    """Where alerts go: addresses that can be called, and nobody reads on the way."""
    for name, hook in survey.shop.alerts.webhooks.items():
        path = ("alerts", "webhooks", name, "url")
        if not _is_address(hook.url):
            yield survey.finding("value-wrong", path, f'alerts: "{hook.url}" is no address that can be called.', '`url = "https://…"`')
        elif hook.url.startswith("http://") and not _is_near(urlsplit(hook.url).hostname or ""):
            wrong = f'What is said to "{hook.url}" could be read and changed on its way.'
            yield survey.finding("url-insecure", path, wrong, f'`url = "https://{urlsplit(hook.url).hostname}"`')
    smtp = survey.shop.alerts.smtp
    if smtp.host and smtp.tls == "none" and not _is_near(smtp.host):
        wrong = f'Mail to "{smtp.host}" could be read and changed on its way.'
        yield survey.finding("url-insecure", ("alerts", "smtp", "tls"), wrong, '`tls = "starttls"`')


def is_private(url: str) -> bool:
    """Can nobody read or change what is sent there: by https, or on this machine?"""
    return _is_address(url) and (url.startswith("https://") or _is_loopback(urlsplit(url).hostname or ""))


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return ip_address(host).is_loopback if _is_ip(host) else host == "localhost"


def settings(survey: Survey) -> Findings:
    for name, system in survey.shop.systems.items():
        offer = survey.offer(name)
        if offer is None:
            continue
        known = {one.name: one for one in offer.settings}
        for key in system.settings:
            if key not in known:
                wrong = f'{offer.title} has no setting "{key}".'
                yield survey.finding("setting-unknown", ("systems", name, "settings", key), wrong, nearest(key, known))
            else:
                yield from _value(survey, ("systems", name, "settings", key), known[key], system.settings[key])
        for key, setting in known.items():
            if setting.required and key not in system.settings:
                sample = f'"env:{name.upper()}_{key.upper()}"'.replace("-", "_") if setting.secret else '"…"'
                wrong = f'System "{name}" lacks the setting "{key}", which {offer.title} needs.'
                instead = f"`{key} = {sample}` in `[systems.{name}.settings]`"
                yield survey.finding("setting-missing", ("systems", name, "settings"), wrong, instead)


def _value(survey: Survey, path: KeyPath, setting: Setting, value: Any) -> Findings:
    """Is it of the connector's type; and an address, or the name of a system, where that is what the connector takes it for?"""
    found = list(doubts(setting.kind, value, path))
    for code, key, wrong, instead in found:
        yield survey.finding(code, key, wrong, instead)
    form, where = setting.schema.get("format"), ".".join(map(str, path))
    if found or not value:
        return
    if form == "uri" and not _is_address(value):
        wrong = f'{where}: "{value}" is no address that can be called.'
        yield survey.finding("value-wrong", path, wrong, f'`{setting.name} = "https://…"`, with the host of your account')
    elif form == "uri" and urlsplit(value).scheme == "http" and not _is_near(urlsplit(value).hostname or ""):
        wrong = f'What is said to "{value}", secrets too, could be read and changed on its way.'
        yield survey.finding("url-insecure", path, wrong, f'`{setting.name} = "https://{urlsplit(value).hostname}"`')
    elif form == "system" and value not in survey.shop.systems:
        yield survey.finding(
            "system-unknown", path, f'{where}: "{value}" is not one of the [systems].', nearest(value, survey.shop.systems)
        )


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    odd = any(one.isspace() or one == "\\" or not one.isprintable() for one in text)
    return parts.scheme in ("https", "http") and bool(parts.hostname) and "@" not in parts.netloc and not odd


def _is_near(host: str) -> bool:
    """Does it stand in a net of our own, as far as its name says: a private address, or a name without a domain?"""
    return not ip_address(host).is_global if _is_ip(host) else "." not in host


def placeholders(survey: Survey) -> Findings:
    for path, text in _leaves(msgspec.to_builtins(survey.shop), ()):
        if text.removeprefix("https://") == PLACEHOLDER:
            wrong = f"{'.'.join(map(str, path))} is still the {PLACEHOLDER} that stands for a value of yours."
            yield survey.finding("placeholder", path, wrong, f"the real value of `{path[-1]}`, or leave the line out if it may be missing")


def _leaves(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """Every text of the landscape with where it stands."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(one, (*path, key))


def secrets(survey: Survey) -> Findings:
    yield from _secret(survey, ("server", "api_token"), survey.shop.server.api_token)
    if survey.shop.alerts.smtp.password:
        yield from _secret(survey, ("alerts", "smtp", "password"), survey.shop.alerts.smtp.password)
    for name, hook in survey.shop.alerts.webhooks.items():
        yield from _secret(survey, ("alerts", "webhooks", name, "secret"), hook.secret)
    for name, system in survey.shop.systems.items():
        for setting in offer.settings if (offer := survey.offer(name)) else ():
            if setting.secret:
                path = ("systems", name, "settings", setting.name)
                for text in _texts(system.settings.get(setting.name)):
                    yield from _secret(survey, path, text)


def _secret(survey: Survey, path: KeyPath, text: str) -> Iterator[Finding]:
    name = (
        "_".join(str(part) for part in path if part not in ("systems", "settings", "server", "alerts", "webhooks"))
        .upper()
        .replace("-", "_")
    )
    if not is_reference(text):
        wrong = f"{'.'.join(map(str, path))} is a secret and stands in the file for everyone to read."
        yield survey.finding("secret-in-plain-text", path, wrong, f'`{path[-1]} = "env:{name}"`; and change the secret')
    elif not survey.secrets(text):
        kind, _, where = text.partition(":")
        wrong = f"{'.'.join(map(str, path))} refers to {text}, but nothing is there."
        instead = f"`export {where}=…` before the start" if kind == "env" else f"the secret into the file {where}"
        yield survey.finding("secret-missing", path, wrong, instead)


def tokens(survey: Survey) -> Findings:
    """Whose token is another's, by reference or by value: the operators' first, then each system's that calls the API."""
    known: dict[object, str] = {}
    for name, who, path, text in _tokens(survey):
        secret = survey.secrets(text)
        marks: list[object] = [text, *([secret] if isinstance(secret, Secret) else [])]
        other = next((known[mark] for mark in marks if mark in known), None)
        if other is not None:
            wrong = f"{'.'.join(map(str, path))} is the token of {other}, too: {who} would pass for {other}."
            variable = f"{name}_TOKEN".upper().replace("-", "_")
            yield survey.finding("token-shared", path, wrong, f'`token = "env:{variable}"`, with a token of its own')
        known |= {mark: who for mark in marks if mark not in known}


def _tokens(survey: Survey) -> Iterator[tuple[str, str, KeyPath, str]]:
    """(name, who it is, where its token is referred to, the reference) of each who may call the API."""
    yield "api", "the operators", ("server", "api_token"), survey.shop.server.api_token
    for name, system in survey.shop.systems.items():
        text = system.settings.get("token")
        if (offer := survey.offer(name)) is not None and offer.asks and isinstance(text, str) and is_reference(text):
            yield name, f'system "{name}"', ("systems", name, "settings", "token"), text


def test_settings(survey: Survey) -> Findings:
    for name, system in survey.shop.systems.items():
        if system.environment != "production":
            continue
        for key, value in system.settings.items():
            for text in _texts(value):
                if _OF_A_TEST_ACCOUNT.search(text) or _is_loopback(urlsplit(text).hostname or ""):
                    wrong = f'System "{name}" is in production, but its setting "{key}" belongs to a test.'
                    instead = f'`environment = "test"` in `[systems.{name}]`, or the real value'
                    yield survey.finding("test-settings-in-production", ("systems", name, "settings", key), wrong, instead)


def _texts(value: Any) -> Iterator[str]:
    """All texts of a setting, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, dict):
        yield from _texts(list(value.values()))
