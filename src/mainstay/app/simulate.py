"""`mainstay sim`: gives the simulator its landscapes, built as `mainstay up` builds them."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import Progress

from mainstay.app import build, imitated
from mainstay.landscape import MAINSTAY, as_toml
from mainstay.proof.access import keep
from mainstay.proof.sim import run
from mainstay.proof.sim.acts import BOTH, LACKING
from mainstay.proof.sim.machine import Fittings
from mainstay.proof.sim.wires import url

LISTEN_S = 60.0  # in a simulation every ring is heard
SHOWN_MAX = 10  # failed seeds that are listed
# Feeds that are read oftener than the others, or as seldom as they are: whole books, of which each reading would mend what is wrong.
POLLS_S = {"notifications": 60.0, "products": 600.0, "levels": 3600.0, "inventory": 3600.0}
POLL_S = 240.0
BASE: dict[str, dict[str, Any]] = {  # what every landscape here declares otherwise than the demo
    "orders": {"payment_timeout_s": 900},  # a history lasts a quarter of an hour
    "ownership.price.all": {"create": ["erp"], "consume": ["shop", "amazon"]},  # so that there is a book to compare with
    "flows.price-from-shop": {"source": "erp", "targets": ["shop", "amazon"], "pattern": "poll"},
}
VARIANTS: dict[str, dict[str, dict[str, Any]]] = {  # what of the demo's landscape is declared otherwise
    "as in the demo": {},
    "the ERP describes products": {  # and what the shop says of them is no more than what it calls them
        "ownership.product.all": {"create": ["erp"]},
        "ownership.product.variants": {"create": ["erp"]},
        "flows.product-from-shop": {"source": "erp", "pattern": "poll"},
        "orders": {"capture": "order"},
    },
    "shortage cancels": {"orders": {"shortage": "cancel"}},
    "no partial shipment": {"orders": {"partial_shipment": False}},
    "buffered channels": {"channels.shop": {"buffer": 1}, "channels.amazon": {"buffer": 2, "cap": 3}},
    "measured buffers": {"channels.shop": {"buffer": "measured"}, "channels.amazon": {"buffer": "measured", "oversell_chance": 0.01}},
    "a share for each": {"channels.shop": {"share": 0.5}, "channels.amazon": {"share": 0.5}},
    "the till counts, too": {  # of what the ERP has never spoken of, its word counts
        "ownership.inventory.on_hand": {"create": ["erp", "till"], "conflict": "owner-wins"},
        "orders": {"split": False},
    },
    "the shop sets prices": {
        "ownership.price.all": {"create": ["shop"], "consume": ["amazon"]},
        "flows.price-from-shop": {"source": "shop", "targets": ["amazon"], "pattern": "event"},
    },
    "two stores": {  # the second one is the till's own, and sends for the web shop, too
        "channels.shop": {"locations": ["WH"]},
        "channels.amazon": {"locations": ["WH"]},
        "channels.webshop": {"locations": ["WH", "EAST"]},
        "channels.till": {"locations": ["EAST"]},
        "orders": {"split": False},
    },
    "orders leave from two stores": {  # all channels are sold from both, and an order may be served from both
        "channels.shop": {"locations": ["WH", "EAST"]},
        "channels.amazon": {"locations": ["WH", "EAST"]},
        "channels.webshop": {"locations": ["WH", "EAST"]},
    },
}
INSTEAD: dict[str, dict[str, dict[str, Any]]] = {  # what is declared otherwise where a system is lacking
    "warehouse": {  # a channel of the shop's own says itself what it sends
        "ownership.fulfilment.all": {"create": ["shop", "amazon", "webshop"]},
        "flows.fulfilment-from-webshop": {
            "object": "fulfilment", "source": "webshop", "targets": ["mainstay"], "pattern": "direct", "latency": "real-time",
            "owner": "operations", "runbook": "runbooks.md#fulfilment",
        },
    },
}  # fmt: skip
TOKENS = {"api": "t-operator", **{name: f"t-{name}" for name in imitated.ASK_FIRST}}


@cache
def fittings(variant: str) -> Fittings:
    """The demo's landscape with the settings of a variant, or of several, against the twins of a simulation."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "mainstay.toml").write_text(text_of(variant))
        keep(place, TOKENS)
        house = build.open_house(place / "mainstay.toml")
        tokens = build.tokens(house)
        plan = build.plan(house, {})
    polls = {feed: POLLS_S.get(feed[1], POLL_S) for feed in plan.polls}
    plan = msgspec.structs.replace(plan, polls=polls, listen_s=LISTEN_S)
    policies = build.channel_policies(house)
    return Fittings(
        build.shop(house), plan, policies, build.by_sku(house), build.pricing(house), tokens, build.duties(house), house.connectors
    )


def text_of(variant: str) -> str:
    """The mainstay.toml of a variant, or of several."""
    names = variant.split(BOTH)
    lacks = {LACKING[name] for name in names if name in LACKING}
    text = imitated.declared({name: url(name) for name in imitated.SYSTEMS}, lacks)
    for changes in (BASE, *(VARIANTS[name] for name in names if name in VARIANTS), *(INSTEAD.get(system, {}) for system in lacks)):
        text = _declared(text, _without(lacks, changes))
    return text


def _without(lacks: Collection[str], changes: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What of the changes can be declared where systems are lacking: no channel of theirs, and nothing that only they say or do."""
    found = {}
    for table, settings in changes.items():
        kept = {name: [one for one in value if one not in lacks] if isinstance(value, list) else value for name, value in settings.items()}
        silent = kept.get("create") == [] or kept.get("source") in lacks
        if kept.get("targets") == []:
            kept["targets"] = [MAINSTAY]
        if "payments" in lacks and kept.get("capture"):
            del kept["capture"]
        if not silent and table.removeprefix("channels.") not in lacks:
            found[table] = kept
    return found


def many_seeds(count: int, scenario: str, *, quiet: bool, power: bool = False) -> tuple[dict[str, Any], str]:
    """Play seeds from 0 on all cores; of the first that fails the shortest history. (figures, text)"""
    run.silence()
    run.swarm(0, tuple(VARIANTS), scenario)  # a scenario that is not there is named before anything begins
    with Progress(console=Console(stderr=True), disable=quiet) as bar:
        task = bar.add_task("seeds", total=count)
        endings = run.many(range(count), tuple(VARIANTS), fittings, scenario, power=power)
        found = run.report(endings, lambda _ending: bar.advance(task))
    text = [f"{found['seeds']} seeds in {found['seconds']} s, {found['commits_checked']} commits checked, {len(found['failed'])} failed"]
    text += [f"power cuts: {found['power_cuts']}"] if power else []
    keys = f"{found['keys_compared']} keys compared, {found['keys_left_out']} left out"
    text += [f"{found['came_in_another_order']} messages came in another order of arrival: {keys}"]
    text += [f"faults: {', '.join(f'{name} {times}' for name, times in found['faults'].items())}"]
    never = ", ".join(found["never_fired"])
    text += [f"did not happen: {never}" if never else "every kind of fault of vendors, lines and processes happened"]
    failed = list(found["failed"].items())[:SHOWN_MAX]
    text += [f"replay: mainstay sim --seed {seed}{_named(scenario, power)}   {broken}" for seed, broken in failed]
    return found, "\n".join(text + _shortest(found, scenario, power))


def one_seed(seed: int, scenario: str, *, power: bool = False) -> tuple[dict[str, Any], str]:
    """Replay a seed and tell what happened in it. (figures, text)"""
    run.silence()
    drawn = run.swarm(seed, tuple(VARIANTS), scenario)
    endings: list[Any] = []
    found = run.report((run.one(one, fittings, power=power) for one in (drawn,)), endings.append)
    text = run.told(drawn, endings[0])
    return found, "\n".join(text + _shortest(found, scenario, power))


def _shortest(found: dict[str, Any], scenario: str, power: bool) -> list[str]:
    """The shortest history that fails as the first of those that failed, put beside the figures; as a person reads it."""
    if not found["failed"]:
        return []
    found["shortest"] = run.told(*run.shrink(run.swarm(min(found["failed"]), tuple(VARIANTS), scenario), fittings, power=power))
    return ["", "the shortest history that fails in the same way:", *found["shortest"]]


def _named(scenario: str, power: bool) -> str:
    return (f" --scenario {scenario!r}" if scenario else "") + (" --power" if power else "")


def _declared(text: str, changes: dict[str, dict[str, Any]]) -> str:
    """The text with other settings; a table that is there gets them, another is added."""
    for table, settings in changes.items():
        before, _, rest = text.partition(f"[{table}]\n")
        own, bracket, after = rest.partition("\n[")
        kept = [line for line in own.splitlines() if line.partition(" = ")[0] not in settings]
        said = [f"{name} = {as_toml(value)}" for name, value in settings.items()]
        text = "\n".join([before.rstrip("\n"), f"[{table}]", *said, *kept]) + (bracket + after or "\n")
    return text
