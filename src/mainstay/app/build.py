"""From the declared landscape to running objects, wired by hand."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from mainstay import connectors
from mainstay.app.forms import forms
from mainstay.contract.connector import Connector, Feed, settings_of
from mainstay.contract.worded import worded
from mainstay.delivery.dispatch import Plan, Webhooks
from mainstay.delivery.files import Inflow
from mainstay.delivery.lateness import Promise
from mainstay.delivery.polls import Pace
from mainstay.flows.drift import OWN_WORDS
from mainstay.flows.shop import Shop
from mainstay.flows.tell import FILED, statements_of
from mainstay.landscape import (
    LATENCIES,
    MAINSTAY,
    MEASURED,
    OPERATOR,
    OWN_API,
    Admission,
    Duties,
    Flow,
    Landscape,
    Offer,
    Pattern,
    Setting,
    System,
    Traffic,
    read,
    resolve,
    resolve_settings,
)
from mainstay.model.failures import Halt
from mainstay.model.secrets import Secret
from mainstay.model.times import SECOND, micros
from mainstay.model.timetable import Timetable
from mainstay.orders.policy import Policy
from mainstay.stock.view import ChannelPolicy


class House(Struct, frozen=True):
    """A landscape with what was built from it."""

    folder: Path  # where mainstay.toml stands
    data: Path
    landscape: Landscape
    connectors: Mapping[str, Connector]
    text: str


def fingerprint(house: House) -> str:
    """Of all that is declared; comments do not count."""
    return blake2b(msgspec.json.encode(house.landscape), digest_size=8).hexdigest()


def clock() -> int:
    """UTC microseconds."""
    return time.time_ns() // 1_000


def offers() -> dict[str, Offer]:
    """What all known connectors can do, for the check."""
    found = {"api": OWN_API}
    for name in connectors.names():
        try:
            found[name] = offer(connectors.find(name))
        except ModuleNotFoundError:
            continue
    return found


def offer(connector: type[Connector]) -> Offer:
    """A manifest as an offer."""
    manifest = connector.manifest
    by_event = {obj for topic in manifest.topics for obj in topic.objects}
    by_poll = {obj for feed in manifest.feeds for obj in feed.objects}
    brings: dict[Any, frozenset[str]] = {}
    if manifest.signature or by_event - by_poll:
        brings["event"] = frozenset(by_event)
    if by_poll:
        brings["poll"] = frozenset(by_poll)
    return Offer(
        connector=manifest.name, title=manifest.title, brings=brings,
        feeds=tuple(frozenset(feed.objects) for feed in manifest.feeds), commands=frozenset(sink.command for sink in manifest.sinks),
        settings=settings(connector), signs=bool(manifest.signature),
    )  # fmt: skip


def settings(connector: type[Connector]) -> tuple[Setting, ...]:
    """What the connector must and may be told."""
    return tuple(Setting(field.encode_name, field.type, field.required) for field in msgspec.structs.fields(connector.Settings))


def declared(path: Path) -> str:
    """The text of mainstay.toml, without the mark that some editors put before UTF-8. Raises Halt."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise Halt(f"there is no {path}; `mainstay init` writes a mainstay.toml", "not_ready") from None
    except UnicodeDecodeError as error:
        raise Halt(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8", "not_utf8") from None
    except OSError as error:
        raise Halt(f"{path} cannot be read ({error.strerror}); --config names the file mainstay.toml", "not_ready") from None


def open_house(path: Path) -> House:
    """Read mainstay.toml and build its connectors. Raises Misdeclared, Reject or Halt with what to write instead."""
    folder = path.resolve().parent
    return _house(path, lambda system, known: resolve_settings(system.settings, known, os.environ, _reader(folder)))


def look_into(path: Path) -> House:
    """The same house, for questions. Nobody is called, so that no secret is read: each stands as its reference."""
    return _house(path, lambda system, _: system.settings)


def _house(path: Path, settings_for: Callable[[System, Offer], Mapping[str, Any]]) -> House:
    text = declared(path)
    landscape = read(text, str(path))
    folder = path.resolve().parent
    known = offers()
    built: dict[str, Connector] = {}
    for name, system in landscape.systems.items():
        if system.connector == "api":
            continue
        kind = connectors.find(system.connector)
        built[name] = kind(settings_of(kind, settings_for(system, known[system.connector])))
    return House(folder, folder / landscape.shop.data, landscape, built, text)


def _reader(folder: Path) -> Callable[[str], str]:
    return lambda where: (folder / where).read_text()


def secret(house: House, reference: str) -> Secret:
    """A secret that the landscape refers to."""
    return resolve(reference, os.environ, _reader(house.folder))


def held(folder: Path) -> Callable[[str], Secret | None]:
    """The secret that a reference leads to, or None. For the check."""

    def find(reference: str) -> Secret | None:
        try:
            return resolve(reference, os.environ, _reader(folder))
        except Exception:
            return None

    return find


def tokens(house: House) -> dict[str, Secret]:
    """API tokens by whom they speak for: each channel that calls the API, then the operators. One that two share is the channel's."""
    found = {
        name: secret(house, system.settings["token"])
        for name, system in house.landscape.systems.items()
        if system.connector == "api" and "token" in system.settings
    }
    return found | {OPERATOR: secret(house, house.landscape.server.api_token)}


def shop(house: House) -> Shop:
    """What intake needs."""
    landscape = house.landscape
    who = duties(house)
    translate = {name: worded(connector.translate, landscape.systems[name].words) for name, connector in house.connectors.items()}
    own = {MAINSTAY, *(name for name, system in landscape.systems.items() if system.connector == "api")}

    return Shop(
        translate={**translate, **dict.fromkeys(own, statements_of)},
        policy=policy(house),
        admission=Admission(landscape),
        owner=lambda system, topic, code: who.of(system, topic, code).owner,
        worth=worth(house.connectors),
        owners=frozenset(landscape.owners),
        above=lambda owner: landscape.owners[owner].above if owner in landscape.owners else "",
        split=landscape.orders.split,
        payment_us=landscape.orders.payment_timeout_s * SECOND,
        early_us=landscape.orders.early_s * SECOND,
        reservation_us=landscape.orders.reservation_s * SECOND,
        behind=frozenset(name for name, connector in house.connectors.items() if connector.manifest.sink("PostSale")),
        locations=locations(house),
        since=since(house),
        deaf=deaf(house),
    )


def since(house: House) -> dict[str, int]:
    """When we began to look after a system, in microseconds, where that is declared."""
    return {name: micros(system.since) for name, system in house.landscape.systems.items() if system.since}


def worth(known: Mapping[str, Connector]) -> Callable[[str, str, bytes], tuple[int, str]]:
    """How much money a message speaks of, where its topic says where that stands."""

    def of(system: str, name: str, body: bytes) -> tuple[int, str]:
        topic = known[system].manifest.topic(name) if system in known else None
        return topic.worth.of(body) if topic is not None and topic.worth is not None else (0, "")

    return of


def duties(house: House) -> Duties:
    """Who answers for what fails, and by which page."""
    topics = {(name, topic.name): topic.objects for name, one in house.connectors.items() for topic in one.manifest.topics}
    landscape = house.landscape
    return Duties(landscape.owners, landscape.systems, landscape.flows, topics)


def asked(house: House) -> dict[str, frozenset[str]]:
    """The commands that each system takes: its connector can, and a flow goes there."""
    traffic = Traffic(house.landscape)
    return {
        name: frozenset(sink.command for sink in one.manifest.sinks if traffic.told(name, sink.command))
        for name, one in house.connectors.items()
    }


def policy(house: House) -> Policy:
    """How orders are handled here."""
    landscape = house.landscape
    can = asked(house)
    traffic = Traffic(landscape)

    def takers(command: str) -> dict[str, str]:
        """The first system that a source's flows go to and that can do it."""
        found = {source: [one for one in traffic.takers(source, command) if command in can.get(one, ())] for source in landscape.systems}
        return {source: able[0] for source, able in found.items() if able}

    orders = landscape.orders
    return Policy(
        can=can,
        warehouses=takers("ReleaseOrder"),
        books=takers("PostSale"),
        capture=orders.capture,
        partial_shipment=orders.partial_shipment,
        shortage=orders.shortage,
        hold_totals="totals" in orders.holds,
        hold_address="address" in orders.holds,
        asks_first=frozenset(channel.system for channel in landscape.channels.values() if channel.asks_first),
        since=since(house),
    )


def channel_policies(house: House) -> dict[str, ChannelPolicy]:
    """What each channel may show."""
    return {
        name: ChannelPolicy(
            channel=name,
            system=one.system,
            share=one.share,
            cap=one.cap,
            buffer=0 if one.buffer == MEASURED else one.buffer,
            chance=one.oversell_chance if one.buffer == MEASURED and not one.asks_first else None,
            stop_sell=one.stop_sell,
            asks_first=one.asks_first,
            locations=one.locations,
            location=one.location,
        )
        for name, one in house.landscape.channels.items()
    }


def plan(house: House, scale: Mapping[str, float]) -> Plan:
    """What dispatch needs."""
    landscape, can, traffic = house.landscape, asked(house), Traffic(house.landscape)
    return Plan(
        connectors=house.connectors,
        channels={name: one.system for name, one in landscape.channels.items() if "SetLevel" in can.get(one.system, ())},
        polls=polls(house, scale),
        inflows=inflows(house),
        hooks={name: Webhooks(url, _heard(house, name)) for name, url in hooks(house).items()},
        promises=[
            Promise(flow=name, object=one.object, source=one.source, targets=one.targets, within_s=LATENCIES[one.latency], owner=one.owner)
            for name, one in landscape.flows.items()
        ],
        urgent={name: _urgent(traffic, name, commands) for name, commands in can.items()},
        pricing={name: repr(pricing(house)) for name, commands in can.items() if "SetPrice" in commands},
        policies={name: repr(one) for name, one in channel_policies(house).items()},
        scale=scale,
    )


def _heard(house: House, system: str) -> frozenset[str]:
    silent, topics = deaf(house), house.connectors[system].manifest.topics
    return frozenset(topic.name for topic in topics if topic.objects and (system, topic.name) not in silent)


def hooks(house: House) -> dict[str, str]:
    """Where systems are told to send events of which a flow wants some. Without a public url that is nowhere, or a queue."""
    url, silent = house.landscape.server.url.rstrip("/"), deaf(house)
    return {
        name: address
        for name, one in house.connectors.items()
        if any(topic.objects and (name, topic.name) not in silent for topic in one.manifest.topics)
        and (address := one.events_to(f"{url}/hooks/{name}" if url else ""))
    }


def _urgent(traffic: Traffic, system: str, commands: Iterable[str]) -> dict[str, float]:
    return {command: within_s for command in commands if (within_s := traffic.within_s(system, command)) is not None}


def locations(house: House) -> dict[str, frozenset[str]]:
    """The stock locations that serve a system's orders: those of all its channels together."""
    found: dict[str, frozenset[str]] = {}
    channels = house.landscape.channels.values()
    for channel in channels:
        if all(one.locations for one in channels if one.system == channel.system):
            found[channel.system] = found.get(channel.system, frozenset()) | frozenset(channel.locations)
    return found


def polls(house: House, scale: Mapping[str, float]) -> dict[tuple[str, str], Pace]:
    """The feeds that are read, and how often in seconds: those of a flow, by poll or as the safety net under its events, and those
    that say what became of what a system was told. What is only polled is read in time for whoever needs it. A feed that is needed by
    schedule alone is read at its flows' times of day."""
    traffic = Traffic(house.landscape)
    found: dict[tuple[str, str], Pace] = {}
    for name, connector in house.connectors.items():
        for feed in connector.manifest.feeds:
            flows = traffic.brought(name, feed.objects, "poll", "event")
            if flows or traffic.answered(name, feed.objects):
                every_s = min((flow.every_s for flow in flows if flow.every_s), default=feed.every_s)
                found[(name, feed.name)] = min([every_s, *_needed_s(connector, feed, flows)]) / scale.get(name, 1.0)
            elif scheduled := traffic.brought(name, feed.objects, "schedule"):
                found[(name, feed.name)] = Timetable(frozenset((at, flow.timezone) for flow in scheduled for at in flow.at))
    return found


def inflows(house: House) -> list[Inflow]:
    """The folders that files are put into; one that serves several flows of a system is read once. Raises Halt where nobody could say
    whose word a file is."""
    asks_first = policy(house).asks_first
    found: dict[Path, str] = {}
    objects: dict[Path, set[str]] = {}
    for name, one in house.landscape.flows.items():
        if one.pattern != "file":
            continue
        path = (house.folder / one.folder).resolve()
        objects.setdefault(path, set()).add(one.object)
        if not one.folder or found.setdefault(path, one.source) != one.source:
            raise Halt(f'flow "{name}" has no folder of its own to read files from; `mainstay check` says what to write')
    return [
        Inflow(system, path, FILED, forms(system, asks_first=system in asks_first), frozenset(objects[path]))
        for path, system in found.items()
    ]


def _needed_s(connector: Connector, feed: Feed, flows: Sequence[Flow]) -> Iterator[float]:
    """The intervals that polled flows need of a feed, where no faster one brings their object."""
    for flow in flows:
        fastest = min((other for other in connector.manifest.feeds if flow.object in other.objects), key=lambda other: other.every_s)
        if flow.pattern == "poll" and feed is fastest and feed.every_s > LATENCIES[flow.latency]:
            yield LATENCIES[flow.latency] / 2


def learned(house: House, system: str, topic: str) -> bool:
    """Is the shape of these documents learned? Of those that speak of business, and of what systems of the shop's own say."""
    if system in house.connectors:
        known = house.connectors[system].manifest.topic(topic)
        return known is not None and bool(known.objects)
    return system in house.landscape.systems and topic in OWN_WORDS


def deaf(house: House) -> frozenset[tuple[str, str]]:
    """The deliveries that no flow brings by event. What is not signed is only a hint to read, which hastens a poll."""
    traffic = Traffic(house.landscape)
    found = set()
    for name, one in house.connectors.items():
        patterns: tuple[Pattern, ...] = ("event",) if one.manifest.signature else ("event", "poll")
        for topic in one.manifest.topics:
            if topic.objects and not traffic.brought(name, topic.objects, *patterns) and not traffic.answered(name, topic.objects):
                found.add((name, topic.name))
    return frozenset(found)


def pricing(house: House) -> tuple[str, ...]:
    """Systems whose word on prices counts, the first of them first."""
    return Admission(house.landscape).owners("price", "all")


def by_sku(house: House) -> frozenset[str]:
    """Systems that call stock items by our SKUs."""
    return frozenset(name for name, one in house.connectors.items() if one.manifest.items == "sku")


def scales(house: House) -> dict[str, float]:
    """How much faster than life imitations keep their limits (MAINSTAY_TIME_FACTOR). Never a system in production: it would be overrun."""
    text = os.environ.get("MAINSTAY_TIME_FACTOR", "")
    if not text:
        return {}
    try:
        factor = float(text)
    except ValueError:
        raise Halt(f"MAINSTAY_TIME_FACTOR is {text!r}; it is a number, such as 60, for imitations alone", "not_ready") from None
    systems = house.landscape.systems
    return {name: factor for name in house.connectors if systems[name].environment != "production"}


def check_ready(house: House) -> None:
    """Refuse to start what is no error of the file, and cannot work all the same. Raises Halt."""
    if not house.landscape.systems:
        raise Halt("the landscape declares no systems; `mainstay init` writes a first one", "not_ready")
    inflows(house)  # raises where two ways of writing one folder hide that it is shared
