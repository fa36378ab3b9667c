"""Can each flow do what it says: from a source that may speak, to targets that may hear, as fast as the business needs?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from zoneinfo import available_timezones

from mainstay.landscape.admit import SHARED
from mainstay.landscape.declared import MAINSTAY, OBJECTS, Flow, Latency, Pattern, Rule
from mainstay.landscape.offers import ANSWERS, TELLS
from mainstay.landscape.survey import Findings, Survey, listed
from mainstay.landscape.traffic import LATENCIES, Traffic
from mainstay.model.timetable import is_zone, widest_gap_s

FASTEST: Mapping[Pattern, Latency] = {  # what a pattern can do at best
    "direct": "checkout-blocking",
    "event": "real-time",
    "poll": "real-time",
    "file": "real-time",
    "schedule": "same-day",
}
USED: Mapping[str, Pattern] = {"every_s": "poll", "at": "schedule", "timezone": "schedule", "folder": "file"}  # key -> by which pattern


def shapes(survey: Survey) -> Findings:
    for name, flow in survey.shop.flows.items():
        if not flow.targets:
            wrong = f'Flow "{name}" goes nowhere.'
            yield survey.finding("flow-without-target", ("flows", name, "targets"), wrong, '`targets = ["mainstay"]`, or systems')
        for key, pattern in USED.items():
            if flow.pattern != pattern and getattr(flow, key) not in (None, (), "", "UTC"):
                wrong = f'Flow "{name}" has `{key}`, but its pattern is {flow.pattern}.'
                yield survey.finding("key-ignored", ("flows", name, key), wrong, f'`pattern = "{pattern}"`, or take `{key}` out')


def schedules(survey: Survey) -> Findings:
    """Times of day, on a clock that is known, and often enough."""
    for name, flow in survey.shop.flows.items():
        if not is_zone(flow.timezone):
            near = get_close_matches(flow.timezone, sorted(available_timezones()), n=1) or ["Europe/Berlin"]
            wrong = f'Flow "{name}": "{flow.timezone}" is no time zone of the IANA.'
            yield survey.finding("zone-unknown", ("flows", name, "timezone"), wrong, f'`timezone = "{near[0]}"`; nothing means UTC')
        if flow.pattern != "schedule":
            continue
        if not flow.at:
            wrong = f'Flow "{name}" is read by schedule, but at no time.'
            yield survey.finding("schedule-without-times", ("flows", name, "pattern"), wrong, '`at = ["02:30"]`, or more times of day')
        elif widest_gap_s(flow.at) > (need := LATENCIES[flow.latency]) >= LATENCIES[FASTEST["schedule"]]:
            wrong = f'Flow "{name}" needs {flow.latency}, but {widest_gap_s(flow.at) / 3600:.1f} h pass between two of its times.'
            instead = f'`latency = "next-cycle"`, or times at most {need / 3600:.0f} h apart in `at`'
            yield survey.finding("latency-unmet", ("flows", name, "at"), wrong, instead)


def overruled(survey: Survey) -> Findings:
    """A feed is read as often as whoever needs it most often: times of day hold where nothing else needs it."""
    traffic = Traffic(survey.shop)
    for name, flow in survey.shop.flows.items():
        offer = survey.offer(flow.source) if flow.pattern == "schedule" else None
        for feed in (one for one in offer.feeds if flow.object in one) if offer else ():
            often = traffic.brought(flow.source, feed, "poll", "event")
            if often:
                why = f"which flows of {often[0].object} need all day"
            elif traffic.answered(flow.source, feed):
                why = f'which also says what became of what "{flow.source}" is told'
            else:
                continue
            wrong = f'Flow "{name}" is to be read at times of day, from a feed {why}: it is read as often as that needs.'
            yield survey.finding("schedule-overruled", ("flows", name, "pattern"), wrong, '`pattern = "poll"`, which is what happens')
            break


def twice(survey: Survey) -> Findings:
    first: dict[tuple[str, str, str], str] = {}
    for name, flow in survey.shop.flows.items():
        for n, target in enumerate(flow.targets):
            other = first.setdefault((flow.object, flow.source, target), name)
            if other != name:
                wrong = f'Flow "{name}" carries {flow.object} from {flow.source} to {target}, as flow "{other}" does.'
                rest = [one for one in flow.targets if one != target]
                instead = f"`targets = {listed(rest)}`" if rest else "nothing: take the flow out"
                yield survey.finding("flow-twice", ("flows", name, "targets", n), wrong, instead)


def loops(survey: Survey) -> Findings:
    """A shared truth that comes back to its source never rests. Documents may: a payment is told of and spoken of."""
    for obj in sorted(SHARED):
        flows = [(name, flow) for name, flow in survey.shop.flows.items() if flow.object == obj]
        ways = [(flow.source, target) for _, flow in flows for target in flow.targets]
        for name, flow in reversed(flows):  # the later one is likelier the mistake
            back = next((way for target in flow.targets if (way := _way(ways, target, flow.source))), None)
            if back:
                wrong = f"{obj} goes round: {' -> '.join((flow.source, *back))}."
                rest = [one for one in flow.targets if one != back[0]]
                instead = f"`targets = {listed(rest)}`" if rest else f"nothing: take the flow out; only the owner sends {obj}"
                yield survey.finding("loop", ("flows", name, "targets"), wrong, instead)
                break


def _way(ways: list[tuple[str, str]], start: str, goal: str) -> tuple[str, ...] | None:
    """A way from start to goal, both named; None where there is none."""
    waiting: list[tuple[str, ...]] = [(start,)]
    seen = {start}
    while waiting:
        way = waiting.pop()
        if way[-1] == goal:
            return way
        onward = [target for source, target in ways if source == way[-1] and target not in seen]
        seen |= set(onward)
        waiting += [(*way, target) for target in onward]
    return None


def rights(survey: Survey) -> Findings:
    """A source may speak of some group of the object; a target is among its consumers."""
    for name, flow, rules in _owned(survey):
        speakers = {system for rule in rules.values() for system in (*rule.creators(), *rule.updaters())}
        hearers = {system for rule in rules.values() for system in rule.consume}
        group = next(iter(rules))
        if survey.known(flow.source) and flow.source not in speakers | {MAINSTAY}:
            wrong = f'Flow "{name}" brings {flow.object} from "{flow.source}", which may neither create nor update it.'
            instead = f"`create = {listed([*rules[group].create, flow.source])}` in `[ownership.{flow.object}.{group}]`"
            yield survey.finding("source-not-owner", ("flows", name, "source"), wrong, instead)
        for n, target in enumerate(flow.targets):
            if survey.known(target) and target not in hearers | {MAINSTAY}:
                wrong = f'Flow "{name}" brings {flow.object} to "{target}", which is not among its consumers.'
                instead = f"`consume = {listed([*rules[group].consume, target])}` in `[ownership.{flow.object}.{group}]`"
                yield survey.finding("target-not-consumer", ("flows", name, "targets", n), wrong, instead)


def _owned(survey: Survey) -> Iterator[tuple[str, Flow, Mapping[str, Rule]]]:
    for name, flow in survey.shop.flows.items():
        rules = survey.shop.ownership.get(flow.object)
        if rules:
            yield name, flow, rules


def abilities(survey: Survey) -> Findings:
    """The connectors can do what the flow asks of them."""
    for name, flow in survey.shop.flows.items():
        if flow.object not in OBJECTS:
            continue
        offer = survey.offer(flow.source)
        if offer and flow.pattern not in offer.patterns(flow.object):
            ways = offer.patterns(flow.object)
            wrong = f'{offer.title} cannot bring {flow.object} in by {flow.pattern}, as flow "{name}" asks.'
            instead = f'`pattern = "{ways[0]}"`' if ways else f"a source that can; {offer.title} brings {_brought(offer.brings)}"
            yield survey.finding("source-cannot-bring", ("flows", name, "pattern" if ways else "source"), wrong, instead)
        for n, target in enumerate(flow.targets):
            taker = survey.offer(target)
            if taker and flow.object not in taker.told():
                wrong = f'{taker.title} cannot be told of {flow.object}, as flow "{name}" asks.'
                instead = f"targets that can; {taker.title} can be told of {', '.join(sorted(taker.told())) or 'nothing'}"
                yield survey.finding("target-cannot-take", ("flows", name, "targets", n), wrong, instead)


def untold(survey: Survey) -> Findings:
    """A document that travels past a system that could act on it is likelier forgotten than meant. What is shared may be kept back."""
    carried = {flow.object: name for name, flow in survey.shop.flows.items() if flow.object not in SHARED}
    for system, command, told in survey.asked():
        obj, _ = TELLS[command]
        if obj in carried and not told and command not in ANSWERS:
            wrong = f'"{system}" could be asked to {command}, but no flow of {obj} goes to it, so it never is.'
            instead = f'`targets = ["{system}"]` in a flow of {obj}, and "{system}" in `consume` of its rule'
            yield survey.finding("never-told", ("flows", carried[obj]), wrong, instead)


def _brought(brings: Mapping[Pattern, frozenset[str]]) -> str:
    return ", ".join(sorted(frozenset().union(*brings.values()))) or "nothing"


def latencies(survey: Survey) -> Findings:
    for name, flow in survey.shop.flows.items():
        offers = [offer for system in (flow.source, *flow.targets) if (offer := survey.offer(system))]
        need = LATENCIES[flow.latency]
        if LATENCIES[FASTEST[flow.pattern]] > need:
            wrong = f'Flow "{name}" needs {flow.latency}, which {flow.pattern} cannot do.'
            better = [pattern for pattern, fastest in FASTEST.items() if LATENCIES[fastest] <= need]
            yield survey.finding("latency-unmet", ("flows", name, "pattern"), wrong, f"`pattern = {' or '.join(map(repr, better))}`")
        elif flow.every_s and flow.every_s > need:
            wrong = f'Flow "{name}" needs {flow.latency}, but is read only every {flow.every_s:.0f} s.'
            yield survey.finding("latency-unmet", ("flows", name, "every_s"), wrong, f"`every_s = {need / 2:.0f}`, or less")
        elif slow := next((offer for offer in offers if LATENCIES[offer.latency] > need), None):
            wrong = f'Flow "{name}" needs {flow.latency}, but {slow.title} manages {slow.latency} at best.'
            yield survey.finding("latency-unmet", ("flows", name, "latency"), wrong, f'`latency = "{slow.latency}"`')


def unsigned(survey: Survey) -> Findings:
    polled = {(flow.source, flow.object) for flow in survey.shop.flows.values() if flow.pattern == "poll"}
    for name, flow in survey.shop.flows.items():
        offer = survey.offer(flow.source)
        if flow.pattern == "event" and offer and not offer.signs and (flow.source, flow.object) not in polled:
            wrong = f'{offer.title} does not sign its events, so they are only hints, and no flow polls {flow.object} of "{flow.source}".'
            yield survey.finding("events-unsigned", ("flows", name, "pattern"), wrong, '`pattern = "poll"`; hints still hasten it')


def environments(survey: Survey) -> Findings:
    for name, flow in survey.shop.flows.items():
        systems = [one for one in (flow.source, *flow.targets) if one in survey.shop.systems]
        real = [one for one in systems if survey.shop.systems[one].environment == "production"]
        unreal = [one for one in systems if one not in real]
        if real and unreal:
            kind = survey.shop.systems[unreal[0]].environment
            wrong = f'Flow "{name}" joins production ("{real[0]}") with a {kind} system ("{unreal[0]}").'
            instead = f'`environment = "production"` in `[systems.{unreal[0]}]`, or a landscape of its own for tests'
            yield survey.finding("environment-mixed", ("flows", name), wrong, instead)
