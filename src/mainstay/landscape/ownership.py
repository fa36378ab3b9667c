"""Is it clear, for every object that travels, whose word counts?"""

from __future__ import annotations

from mainstay.landscape.admit import EVERY, GROUPS, SHARED
from mainstay.landscape.declared import OBJECTS
from mainstay.landscape.survey import Findings, Survey, listed


def unowned(survey: Survey) -> Findings:
    """What a flow carries must have somebody whose word counts."""
    seen: set[str] = set()
    for name, flow in survey.shop.flows.items():
        if flow.object not in OBJECTS or flow.object in seen or not survey.known(flow.source):
            continue
        seen.add(flow.object)
        groups = survey.shop.ownership.get(flow.object, {})
        if not any(rule.creators() for rule in groups.values()):
            wrong = f'Flow "{name}" carries {flow.object}, but no system may create or update it.'
            instead = f"`[ownership.{flow.object}.all]` with `create = {listed([flow.source])}` and `consume = {listed(flow.targets)}`"
            yield survey.finding("object-unowned", ("flows", name, "object"), wrong, instead)
        elif EVERY not in groups and (missing := [group for group in GROUPS[flow.object] if group not in groups]):
            wrong = f"{flow.object} has no rule for {', '.join(missing)}, so all that is said of them stays a proposal."
            instead = f"`[ownership.{flow.object}.{missing[0]}]`, or `[ownership.{flow.object}.all]` for every group without its own rule"
            yield survey.finding("group-unowned", ("ownership", flow.object), wrong, instead)


def owned_twice(survey: Survey) -> Findings:
    for obj, group, rule in survey.rules():
        if obj in SHARED and len(set(rule.updaters())) > 1 and rule.conflict is None:
            wrong = f"{' and '.join(rule.updaters())} may all change {obj}.{group}, and nothing says which one wins."
            instead = f'`update = {listed(rule.updaters()[:1])}`, or add `conflict = "owner-wins"` (the first wins) or `"newest-wins"`'
            yield survey.finding("owned-twice", ("ownership", obj, group, "update"), wrong, instead)


def consumers(survey: Survey) -> Findings:
    for obj, group, rule in survey.rules():
        path = ("ownership", obj, group, "consume")
        if rule.consume and not rule.creators():
            wrong = f"{', '.join(rule.consume)} should be told of {obj}.{group}, but nobody may create or update it."
            yield survey.finding("consumer-without-producer", path, wrong, 'add `create = ["…"]` with the system that it comes from')
        for system in sorted(set(rule.consume) & set(rule.updaters())):
            if obj in SHARED:
                wrong = f'"{system}" is told of {obj}.{group} and may change it too, so its own words come back to it.'
                rest = [name for name in rule.consume if name != system]
                yield survey.finding("echo", path, wrong, f"`consume = {listed(rest)}`")


def unused(survey: Survey) -> Findings:
    carried = {flow.object for flow in survey.shop.flows.values()}
    for obj in survey.shop.ownership:
        if obj in OBJECTS and obj not in carried:
            wrong = f"There are ownership rules for {obj}, but no flow carries it."
            yield survey.finding("ownership-unused", ("ownership", obj), wrong, f'a flow with `object = "{obj}"`, or take the rules out')
