"""What can be wrong with a landscape: every kind of finding, once. The docs and the tests are made from this table."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Literal, NamedTuple

from msgspec import Struct

Severity = Literal["error", "warning"]
SHOWN_MAX = 3  # findings, where something else was asked for: `mainstay check` shows all
KeyPath = tuple[str | int, ...]  # ("systems", "shop", "connector")


class Kind(NamedTuple):
    """An error keeps Mainstay from starting; a warning is shown and kept."""

    severity: Severity
    summary: str


class Finding(Struct, frozen=True):
    """One thing that is wrong, where, and what to write instead."""

    code: str
    file: str
    line: int
    wrong: str
    instead: str

    @property
    def severity(self) -> Severity:
        return FINDINGS[self.code].severity

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.severity} {self.code}: {self.wrong}\n    write instead: {self.instead}"


class Misdeclared(Exception):
    """The text is no landscape that anything can be started on. `findings` are its errors."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("\n".join([counted(findings), *map(str, findings[:SHOWN_MAX])]))
        self.findings = findings


def counted(errors: Collection[Finding]) -> str:
    """How many errors there are, and who explains them: one sentence, the same wherever something does not start for them."""
    return f"{len(errors) or 'no'} error{'s' * (len(errors) != 1)}{'; `mainstay check` explains them' if errors else ''}"


def nearest(name: str, known: Collection[str]) -> str:
    """What to write for an unknown name: the likeliest known one, or all of them."""
    close = get_close_matches(name, sorted(known), n=1)
    if close:
        return f'"{close[0]}"'
    return f"one of {', '.join(sorted(known))}" if known else "nothing: none is declared yet"


FINDINGS: Mapping[str, Kind] = {
    # the text
    "toml-syntax": Kind("error", "The file is not TOML."),
    "key-unknown": Kind("error", "A key that no declaration knows."),
    "key-missing": Kind("error", "A key that must be there is not."),
    "name-malformed": Kind("error", "A name of a system, owner, channel or flow that cannot stand in an id."),
    "toml-too-deep": Kind("error", "The file is nested deeper than any declaration."),
    "value-wrong": Kind("error", "A value of the wrong type or outside its limits."),
    # names and people
    "name-reserved": Kind("error", "A system is called mainstay or operator: Mainstay itself, and the people who call its API."),
    "connector-unknown": Kind("error", "A system names a connector that is not installed."),
    "system-unknown": Kind("error", "A channel, flow, rule or setting names a system that is not declared."),
    "system-unused": Kind("warning", "A system that no channel, flow or rule mentions."),
    "object-unknown": Kind("error", "A flow or rule names an object that does not exist."),
    "group-unknown": Kind("error", "A rule names a field group that its object does not have."),
    "owner-unknown": Kind("error", "A system, flow or failure mode names an owner who is not declared."),
    "owner-missing": Kind("error", "A system or flow that nobody answers for."),
    "owner-unused": Kind("warning", "An owner who answers for nothing."),
    "contact-malformed": Kind("warning", "An owner's contact is neither an e-mail address nor a link."),
    "alert-way-unknown": Kind("error", "An owner is to be told by a way that is not declared, or by e-mail without an address."),
    "owner-unreached": Kind("warning", "Alerts are sent, but no way leads to an owner who answers for something."),
    "smtp-incomplete": Kind("error", "Alerts are to go by e-mail, but the mail server or the sender's address is missing."),
    "quiet-always": Kind("error", "Quiet hours begin when they end: nobody would know whether it is always quiet, or never."),
    "runbook-missing": Kind("error", "A flow does not say what to do when it fails."),
    "runbook-malformed": Kind("error", "A runbook is neither a link nor the path of a page."),
    "page-missing": Kind("warning", "The page that a runbook names is not beside the file."),
    "failure-unknown": Kind("error", "A flow names a failure mode that does not exist."),
    "failure-unowned": Kind("error", "A failure mode is taken from the flow's owner and given to nobody."),
    # ownership
    "object-unowned": Kind("error", "A flow carries an object for which no system may speak."),
    "group-unowned": Kind("warning", "Some field groups of a carried object have no rule: all that is said of them stays a proposal."),
    "owned-twice": Kind("error", "Two systems may change the same fields and nothing says which one wins."),
    "consumer-without-producer": Kind("error", "Systems are to be told of fields that nobody may create or update."),
    "echo": Kind("warning", "A system is told of the very fields that it may change itself."),
    "ownership-unused": Kind("warning", "An object has rules but no flow carries it."),
    # flows
    "flow-without-target": Kind("error", "A flow goes nowhere."),
    "flow-twice": Kind("warning", "Two flows carry the same object from the same source to the same target."),
    "loop": Kind("error", "An object comes back to where it started."),
    "source-not-owner": Kind("error", "A flow's source may neither create nor update what it sends."),
    "target-not-consumer": Kind("error", "A flow's target is not among the consumers of the object."),
    "source-cannot-bring": Kind("error", "The source's connector cannot bring this object in, or not in this pattern."),
    "target-cannot-take": Kind("error", "The target's connector cannot be told of this object."),
    "never-told": Kind("warning", "A system could be asked to act on an object that travels, but no flow goes to it."),
    "latency-unmet": Kind("error", "The pattern or the connector is slower than the business needs."),
    "key-ignored": Kind("warning", "An interval, times of day or a folder stand at a flow whose pattern does not use them."),
    "schedule-without-times": Kind("error", "A flow is read by schedule, but no time of day says when."),
    "schedule-overruled": Kind("warning", "A feed is read more often than at a flow's times of day: something else needs it, too."),
    "zone-unknown": Kind("error", "A time zone of a flow or an owner is not one of the IANA's."),
    "file-without-folder": Kind("error", "A flow comes by files, but no folder says where they are put."),
    "folder-missing": Kind("warning", "The folder of a flow that comes by files is not there."),
    "folder-shared": Kind("error", "Two systems put files into one folder, or into one within the other's: nobody could say who speaks."),
    "folder-unfit": Kind("error", "Files are to be read from a folder that holds other things: this file, the store, or what was read."),
    "events-unsigned": Kind("warning", "Events of a system that does not sign them are only hints; nothing polls it."),
    "environment-mixed": Kind("error", "A flow joins a production system with a test system."),
    # channels and orders
    "channel-twice": Kind("error", "Two channels publish to the same system and location."),
    "channel-without-orders": Kind("warning", "A channel sells, but no flow brings its orders."),
    "stock-owner-sells": Kind("error", "A channel that sells on its own is declared to own the stock."),
    "cannot-ask": Kind("error", "A channel that asks first stands on a connector that cannot ask."),
    "shares-above-whole": Kind("warning", "The parts given to channels that sell on their own sum to more than the whole."),
    "buffer-unused": Kind("warning", "A buffer is measured where none is needed."),
    "buffer-above-cap": Kind("warning", "A channel holds back more than it may ever show."),
    "capture-without-provider": Kind("error", "Payments are to be captured with the order, but no system is asked to."),
    "nobody-ships": Kind("warning", "Orders come in, but no system is asked to ship them."),
    "hold-unknown": Kind("error", "A reason to hold orders that does not exist."),
    "reservation-outlives-order": Kind("warning", "A reservation lives longer than an unpaid order."),
    # safety
    "currency-unknown": Kind("error", "The currency is not one of ISO 4217."),
    "data-unfit": Kind("error", "The store's folder is a file, or a device."),
    "listen-exposed": Kind("error", "Mainstay listens on a public address without an https url."),
    "url-insecure": Kind(
        "error", "What is called over the internet is not private: the public url, a system's, a webhook's (https), a mail server's (tls)."
    ),
    "url-missing": Kind("warning", "Systems could send events, but there is no url for them: news comes by polling alone."),
    "token-shared": Kind("error", "Two who call the API have the same token: one would pass for the other."),
    "setting-unknown": Kind("error", "A setting that the connector does not have."),
    "setting-missing": Kind("error", "A setting that the connector needs is not there."),
    "placeholder": Kind("error", "A value is still the … that `init` writes where it cannot know it."),
    "secret-in-plain-text": Kind("error", "A secret is written into the file."),
    "secret-missing": Kind("error", "A secret is referred to but is not there."),
    "test-settings-in-production": Kind("warning", "A production system has settings of a test account or a local address."),
}
