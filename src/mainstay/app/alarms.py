"""The causes of alarm of this moment, from the store and from what the processes tell of themselves. Reads only."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mainstay.alerts.causes import Alarm, Severity
from mainstay.app.snapshots import STALE_S, oldest_s, read_snapshot, silent
from mainstay.flows import drift, journey, queue
from mainstay.landscape import OURS, PAGE, Duties, Flow, Landscape
from mainstay.model.cards import redacted
from mainstay.model.failures import CODES
from mainstay.model.outcome import TOPIC
from mainstay.model.times import DAY, SECOND, micros
from mainstay.storage.database import in_words
from mainstay.storage.state import State

CAUSES_MAX = 200  # of dead letters, that are told apart: those that are there longest
LAG_S = 60.0  # the age of the oldest receipt at which the core counts as behind
DIES = 2  # times in a row that a process may end before it counts as down
WHY_CHARS_MAX = 300
_ADDRESS = re.compile(r"[^\s'\"<>]+@[^\s'\"<>]+")
_HELP = (f"{PAGE}#{OURS}",)  # the runbook of what is wrong in Mainstay itself
_GRAVE = frozenset({"store_damaged"})


class Alarms:
    """Looks for what is wrong. Asked in a thread beside the loop: each look has connections of its own."""

    def __init__(self, data: Path, shop: Landscape, duties: Duties) -> None:
        self.data, self.shop, self.duties = data, shop, duties
        self.operations = "operations" if "operations" in shop.owners else next(iter(shop.owners), "operations")

    def look(self, now: int) -> list[Alarm]:
        """Every cause of now. Raises what says that the store cannot be read."""
        state = State(self.data / "state.db", write=False)
        try:
            found = [*self._letters(state), *self._pauses(state, now), *self._drifts(state), *self._books(state)]
        finally:
            state.close()
        return [*found, *self._processes(now), *self._delivery(read_snapshot(self.data, "dispatch"), now)]

    def unreadable(self, why: Exception) -> Alarm:
        """The store itself cannot be read."""
        return self._ours("store", "the store cannot be read", "critical", code="store_damaged", why=in_words(why))

    # --- what the store holds ----------------------------------------------------------------------------------------
    def _letters(self, state: State) -> Iterator[Alarm]:
        shares: dict[tuple[str, str], list[queue.Letter]] = {}  # a cause's letters by who is to be told of them
        for letter in queue.wanted(state, queue.Wanted()):
            shares.setdefault((letter.cause, self._answers(letter)), []).append(letter)
        found = [(owner, queue.causes(iter(letters))[0]) for (_, owner), letters in shares.items()]
        causes = sorted(found, key=lambda one: one[1]["oldest"])
        parted = Counter(cause for cause, _ in shares)
        yield from (self._letter(owner, one, parted[one["cause"]] > 1) for owner, one in causes[:CAUSES_MAX])
        if more := causes[CAUSES_MAX:]:
            letters = sum(one["count"] for _, one in more)
            yield self._ours(
                "letters/more", f"{letters} dead letters of {len(more)} more causes", count=letters,
                commands=("mainstay deadletters causes",),
            )  # fmt: skip

    def _answers(self, letter: queue.Letter) -> str:
        """Who is told of a letter: whose it is, or where nobody is declared by that name, whoever answers for such ones."""
        if letter.owner in self.shop.owners:
            return letter.owner
        return self._known(self.duties.of(letter.state.system, letter.state.topic, letter.state.code).owner)

    def _letter(self, owner: str, one: dict[str, Any], parted: bool) -> Alarm:
        """An owner's letters of a cause; `parted`: others have some of it, too."""
        system, topic, code, name = one["system"], one["topic"], one["code"], one["cause"]
        duty, known = self.duties.of(system, topic, code), CODES[code]
        which = f"--cause {name}" + (f" --owner {owner}" if parted and one["owners"] == [owner] else "")
        since = micros(one["first_at"])
        about = () if topic == TOPIC else (f"mainstay deadletters repair {one['oldest']} --set NAME=VALUE --dry-run",)
        return Alarm(
            cause=f"letters/{name}" + (f"/{owner}" if parted and owner != self._known(duty.owner) else ""), owner=owner,
            severity="critical" if code in _GRAVE else "error", count=one["count"], since=since,
            what=f"{one['count']} dead letter{'s' * (one['count'] != 1)} of {system}: {code} ({topic})",
            deadline=since + int(self.duties.within_s(system, topic) * SECOND), at_risk=one["at_risk"], code=code, whose=known.whose,
            why=_safe(one["example"]), next=f"{known.meaning} {known.next}", runbooks=duty.runbooks,
            commands=(
                f"mainstay deadletters causes {which}", f"mainstay deadletters show {one['oldest']}", *about,
                f"mainstay deadletters retry {which}", f'mainstay deadletters suppress {which} --reason "…"',
            ),
        )  # fmt: skip

    def _pauses(self, state: State, now: int) -> Iterator[Alarm]:
        for one in journey.pauses(state):
            since, (kind, _, name) = micros(one["at"]), one["target"].partition(":")
            if now - since < DAY:
                continue
            flow, system = self.shop.flows.get(name), self.shop.systems.get(name)
            channel = self.shop.systems.get(self.shop.channels[name].system) if name in self.shop.channels else None
            answers = {"flow": flow, "system": system, "channel": channel}.get(kind)
            yield Alarm(
                cause=f"held/{one['target']}", severity="warning", owner=self._known(answers.owner if answers else ""), since=since,
                what=f"{one['target']} is held back for more than a day", why=_safe(f"{one['by']}: {one['reason']}"), whose="ours",
                next="Let it go on, or say again why not.", commands=("mainstay pauses", f"mainstay resume {one['target']}"),
                runbooks=_HELP,
            )  # fmt: skip

    def _drifts(self, state: State) -> Iterator[Alarm]:
        """Documents that came to look otherwise, by system: graver where the mapping reads what changed, or refuses it."""
        changed: dict[str, list[drift.Drifted]] = {}
        for one in drift.drifted(state):
            if one.status == "open":
                changed.setdefault(one.system, []).append(one)
        for system, found in changed.items():
            grave = [one for one in found if one.reads or one.refused]
            shown, duty = drift.shown((grave or found)[0]), self.duties.of(system, "", "schema")
            yield Alarm(
                cause=f"drift/{system}", severity="error" if grave else "warning", owner=self._known(duty.owner), count=len(found),
                what=f"documents of {system} look otherwise than they did, in {len(found)} place{'s' * (len(found) != 1)}",
                since=min(one.first_at for one in found), code="schema", whose="theirs", runbooks=duty.runbooks,
                why=_safe(f"{shown['topic']} {shown['path']}: {shown['what']}; {shown['consequence']}"),
                next="Look at each change, adapt the mapping where it must be, and accept what is normal from now on.",
                commands=("mainstay drift list", f'mainstay drift accept {shown["id"]} --reason "…"'),
            )  # fmt: skip

    def _books(self, state: State) -> Iterator[Alarm]:
        sums: Counter[str] = Counter()
        for _, _, currency, balance in state.rows("accounts"):
            sums[currency] += balance
        for currency, off in sums.items():
            if off:
                yield self._ours(
                    f"books/{currency}", f"the books in {currency} do not balance", "critical", code="store_damaged",
                    why=f"the balances of all accounts sum to {off}, not to 0",
                )  # fmt: skip

    # --- what the processes tell -------------------------------------------------------------------------------------
    def _processes(self, now: int) -> Iterator[Alarm]:
        up = read_snapshot(self.data, "up")
        roles = up.get("roles", {}) if now - up.get("at", 0) < STALE_S * SECOND else {}
        down = {name: f"it has ended {one['failures']} times in a row" for name, one in roles.items() if one["failures"] >= DIES}
        for name, seconds in silent(self.data, now).items():  # who stands still does not end
            down.setdefault(name, f"it has told nothing for {seconds} s")
        for name, why in down.items():
            yield self._ours(f"process/{name}", f"the process {name} is down", "critical", why=why)
        late = {name: seconds for name, seconds in oldest_s(self.data, now).items() if seconds > LAG_S}
        if late and "core" not in down:
            why = ", ".join(f"the oldest receipt of {name} waits for {seconds:.0f} s" for name, seconds in late.items())
            yield self._ours("lag/core", "the core does not keep up with what comes in", why=why)

    def _delivery(self, dispatch: Mapping[str, Any], now: int) -> Iterator[Alarm]:
        """What is wrong outside. Where a system is gone, that is the cause of all else that fails at it."""
        systems = dispatch.get("systems", {})
        gone = {name: f"system/{name}" for name, one in systems.items() if one["breaker"] == "open"}
        for name, one in systems.items():
            if name in gone:
                yield self._gone(name, one)
            yield from self._blocked(name, one, gone.get(name, ""))
        for name, one in dispatch.get("flows", {}).items():
            flow = self.shop.flows.get(name)
            if one["late"] and flow is not None:
                at = next((gone[system] for system in (flow.source, *flow.targets) if system in gone), "")
                yield self._late(name, flow, one, at, now)
        yield from self._unread(dispatch.get("polls", {}), gone)
        yield from self._unheard(dispatch.get("subscriptions", {}), gone)
        for path, one in dispatch.get("folders", {}).items():
            if one["failures"]:
                what, why, count = f"files in {path} cannot be read or moved", one["failures"][0], len(one["failures"])
                yield self._of(one["system"], f"folder/{path}", what, why=why, count=count, commands=("mainstay status",))

    def _unread(self, polls: Mapping[str, Any], gone: Mapping[str, str]) -> Iterator[Alarm]:
        """Feeds that cannot be read, by system."""
        failures: dict[str, dict[str, str]] = {}
        for name, one in polls.items():
            if one["failure"]:
                system, _, feed = name.partition("/")
                failures.setdefault(system, {})[feed] = one["failure"]
        for system, found in failures.items():
            what, why = f"{', '.join(sorted(found))} of {system} cannot be read", found[min(found)]
            yield self._of(system, f"reading/{system}", what, why=why, under=gone.get(system, ""), commands=("mainstay status",))

    def _unheard(self, subscriptions: Mapping[str, Any], gone: Mapping[str, str]) -> Iterator[Alarm]:
        """Subscriptions that are not whole and that Mainstay cannot make so by itself."""
        for system, one in subscriptions.items():
            wrong = [topic for topic in one["topics"].values() if topic["wrong"]]
            why = one["failure"] or next((topic["hint"] for topic in wrong if topic["hint"]), "")
            if why:
                told = f"subscriptions of {system} are not whole; its news comes by polling, later"
                yield self._of(system, f"subscriptions/{system}", told, why=why, under=gone.get(system, ""), commands=("mainstay status",))

    def _gone(self, name: str, one: Mapping[str, Any]) -> Alarm:
        halted = one["halted"]
        code = "connection_halted" if halted else "breaker_open"
        what = f"{name} refuses our credentials" if halted else f"{name} cannot be worked with"
        what += f"; {one['waiting']} effects wait" if one["waiting"] else "; nothing waits for it yet"
        return self._of(
            name, f"system/{name}", what, code=code, why=one["reason"],
            count=max(1, one["waiting"]), since=micros(one["since"]),
            commands=("mainstay status", f'mainstay pause system:{name} --reason "…"'),
        )  # fmt: skip

    def _blocked(self, name: str, one: Mapping[str, Any], under: str) -> Iterator[Alarm]:
        """Effects that do not get through, each holding up those behind it; not what people hold back."""
        heads = [head for head in one["blocked"] if not head["held"]]
        if heads:
            first, held_up = heads[0], sum(head["behind"] for head in heads)
            entity = first["key"].partition(":")[0]
            yield self._of(
                name, f"blocked/{name}", f"{first['key']} does not get through to {name}; {held_up} effects wait behind such ones",
                count=len(heads), under=under, why=first["why"], code=first["code"] if first["code"] in CODES else "try_again",
                since=min(micros(head["since"]) for head in heads), commands=(f"mainstay trace {entity}", "mainstay status"),
            )  # fmt: skip

    def _late(self, name: str, flow: Flow, one: Mapping[str, Any], under: str, now: int) -> Alarm:
        since = now - int(one["behind_s"] * SECOND)
        return Alarm(
            cause=f"late/{name}", under=under, owner=self._known(one["owner"]), what=f"the flow {name} is late", since=since,
            deadline=since + int(one["within_s"] * SECOND), why=f"{one['behind_s']:.0f} s behind, of {one['within_s']:.0f}",
            next="See what waits in `mainstay status`, and which system is slow.", runbooks=(flow.runbook,),
            commands=("mainstay status", f'mainstay pause flow:{name} --reason "…"'),
        )  # fmt: skip

    # --- whose it is -------------------------------------------------------------------------------------------------
    def _known(self, owner: str) -> str:
        return owner if owner in self.shop.owners else self.operations

    def _of(
        self, system: str, cause: str, what: str, *, why: str, commands: tuple[str, ...], code: str = "try_again", count: int = 1,
        since: int = 0, under: str = "",
    ) -> Alarm:  # fmt: skip
        """A cause at one system."""
        duty = self.duties.of(system, "", code)
        return Alarm(
            cause=cause, under=under, owner=self._known(duty.owner), what=what, count=count, since=since, why=_safe(why), code=code,
            deadline=since + int(self.duties.within_s(system, "") * SECOND) if since else 0,
            whose=CODES[code].whose, next=CODES[code].next, runbooks=duty.runbooks, commands=commands,
        )  # fmt: skip

    def _ours(
        self, cause: str, what: str, severity: Severity = "error", *, code: str = "", why: str = "", count: int = 1,
        commands: tuple[str, ...] = ("mainstay doctor", "mainstay status"),
    ) -> Alarm:  # fmt: skip
        """A cause in Mainstay itself."""
        return Alarm(
            cause=cause, severity=severity, owner=self.operations, what=what, count=count, code=code, whose="ours", why=_safe(why),
            runbooks=_HELP,
            next=CODES[code].next if code else "See what `mainstay doctor` and the log of `mainstay up` say.", commands=commands,
        )  # fmt: skip


def _safe(why: str) -> str:
    """A reason as it may leave the house: no e-mail address, no card number, not too long."""
    text = redacted(_ADDRESS.sub("…@…", why[: 4 * WHY_CHARS_MAX]).encode()).decode(errors="replace")
    return text if len(text) <= WHY_CHARS_MAX else text[: WHY_CHARS_MAX - 1] + "…"
