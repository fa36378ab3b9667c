"""Is the landscape complete and unambiguous? Every rule is a function from the survey to findings; `mainstay check` prints them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mainstay.landscape import alerting, folders, journeys, names, ownership, safety, selling
from mainstay.landscape.declared import Landscape
from mainstay.landscape.findings import Finding, KeyPath
from mainstay.landscape.offers import Offer
from mainstay.landscape.survey import Findings, Spot, Survey, somewhere

RULES: tuple[Callable[[Survey], Findings], ...] = (
    names.connectors, names.system_names, names.begun, names.unused_systems, names.objects,
    names.owners, names.unused_owners, names.runbooks, names.failures,
    alerting.ways, alerting.mail, alerting.reached, alerting.quiet,
    ownership.unowned, ownership.owned_twice, ownership.consumers, ownership.unused,
    journeys.shapes, journeys.schedules, journeys.overruled, journeys.twice, journeys.loops, journeys.rights,
    journeys.abilities, journeys.untold, journeys.latencies, journeys.unsigned, journeys.environments,
    folders.apart, folders.fit, folders.data,
    selling.twice, selling.orders_in, selling.asking, selling.stock_owners, selling.shares,
    selling.buffers, selling.capture, selling.shipping, selling.policies,
    safety.currency, safety.doors, safety.reachable, safety.posted, safety.settings, safety.placeholders, safety.secrets, safety.tokens,
    safety.test_settings,
)  # fmt: skip


def check(
    landscape: Landscape, offers: Mapping[str, Offer], secrets: Callable[[str], object], locate: Callable[[KeyPath], int],
    file: str = "mainstay.toml", look: Callable[[str], Spot] = somewhere,
) -> list[Finding]:  # fmt: skip
    """Everything that is wrong, in the order of the file. `offers` by connector name; `locate` is places(text); `look` says what
    is at a path that the file names."""
    survey = Survey(landscape, offers, secrets, locate, file, look)
    found = [finding for rule in RULES for finding in rule(survey)]
    return sorted(found, key=lambda one: (one.line, one.code, one.wrong))
