"""The shop as declared: systems, ownership, channels, policies, flows and the people who answer for them."""

from mainstay.landscape.admit import GROUPS, Admission, Admitted, Claim, Proposal, speaks
from mainstay.landscape.alerting import address, ways_of
from mainstay.landscape.check import check
from mainstay.landscape.declared import (
    FAILURE_MODES,
    MAINSTAY,
    MEASURED,
    OBJECTS,
    OPERATOR,
    READ_FOLDERS,
    SMTP,
    Flow,
    Landscape,
    Name,
    Owner,
    Pattern,
    System,
)
from mainstay.landscape.duties import Duties
from mainstay.landscape.findings import FINDINGS, Finding, Misdeclared, counted
from mainstay.landscape.init import QUESTIONS, Answers, as_toml, demo, write
from mainstay.landscape.journeys import FASTEST
from mainstay.landscape.names import is_contact
from mainstay.landscape.offers import ANSWERS, OWN_API, TELLS, Offer, Setting
from mainstay.landscape.places import places
from mainstay.landscape.read import likely, read
from mainstay.landscape.runbooks import OURS, PAGE, alone, page
from mainstay.landscape.safety import is_private
from mainstay.landscape.schema import schema
from mainstay.landscape.secrets import resolve, resolve_settings
from mainstay.landscape.survey import Spot
from mainstay.landscape.traffic import LATENCIES, Traffic

__all__ = [
    "ANSWERS",
    "FAILURE_MODES",
    "FASTEST",
    "FINDINGS",
    "GROUPS",
    "LATENCIES",
    "MAINSTAY",
    "MEASURED",
    "OBJECTS",
    "OPERATOR",
    "OURS",
    "OWN_API",
    "PAGE",
    "QUESTIONS",
    "READ_FOLDERS",
    "SMTP",
    "TELLS",
    "Admission",
    "Admitted",
    "Answers",
    "Claim",
    "Duties",
    "Finding",
    "Flow",
    "Landscape",
    "Misdeclared",
    "Name",
    "Offer",
    "Owner",
    "Pattern",
    "Proposal",
    "Setting",
    "Spot",
    "System",
    "Traffic",
    "address",
    "alone",
    "as_toml",
    "check",
    "counted",
    "demo",
    "is_contact",
    "is_private",
    "likely",
    "page",
    "places",
    "read",
    "resolve",
    "resolve_settings",
    "schema",
    "speaks",
    "ways_of",
    "write",
]  # fmt: skip
