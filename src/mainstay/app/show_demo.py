"""The demo on screen: a live view while it plays, and the report at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

ZEROS = (
    ("orders", "lost", "orders lost"),
    ("orders", "duplicated", "orders doubled"),
    ("orders", "stuck_unnamed", "orders stuck without a name"),
    ("orders", "shipped_unpaid", "orders shipped that nobody has paid"),
    ("orders", "phantom", "orders that nobody placed"),
    ("orders", "misaddressed", "orders sent to another address than they were placed with"),
    ("orders", "owners_differ", "orders that are somebody else's here than at the shop"),
    ("orders", "cancelled_though_paid", "orders cancelled as not paid that their buyers had paid"),
    ("stock", "oversold_units_asked_first", "units oversold where we are asked first"),
    ("stock", "negative_commits", "commits with negative stock"),
    ("stock", "levels_wrong", "levels that a channel shows wrongly at the end"),
    ("stock", "prices_wrong", "prices that a channel has wrongly at the end"),
    ("stock", "titles_wrong", "items that are called otherwise than by whoever describes them"),
    ("stock", "on_hand_differs", "SKUs of which our shelf and the ERP differ"),
    ("stock", "left_elsewhere", "orders whose units were taken off another shelf than they left from"),
    ("money", "captured_twice", "payments captured twice"),
    ("money", "unbalanced_entries", "unbalanced accounts"),
    ("money", "unexplained_minor_units", "minor units unexplained"),
    ("money", "authorisations_left", "authorisations left open"),
    ("money", "refunds_differ", "minor units given back that the ledger has otherwise"),
    ("money", "parts_differ", "minor units of a bill that stand elsewhere"),
    ("money", "uncovered_unnamed", "orders whose payment is lost, without a name"),
    ("money", "kept_unnamed", "cancelled orders whose money the shop keeps, without a name"),
    ("money", "disputes_differ", "disputes that the ledger has otherwise"),
    ("erp", "missing_sales", "shipped orders missing in the ERP"),
    ("erp", "doubled_sales", "sales doubled in the ERP"),
    ("erp", "total_mismatches", "invoices with another total"),
    ("erp", "booked_elsewhere", "sales counted in another store than they left from"),
    ("erp", "missing_returns", "units back on the shelf that the ERP was not told of"),
    ("erp", "doubled_returns", "returns doubled in the ERP"),
    ("erp", "return_mismatches", "returns with other units or another amount in the ERP"),
    ("effects", "repeated_at_receiver", "effects repeated at their receiver"),
    ("effects", "unconfirmed_shipments", "units shipped that their channel was not told of"),
    ("shoppers", "unaccounted", "shoppers of the story unaccounted for"),
)
SHOPPERS = {  # how a shopper's visit can end
    "placed": "ordered",
    "refused": "refused before the sale: too little was there (channels that ask first)",
    "turned_away": "turned away by the marketplace's own listing",
    "given_back": "gave their reservation back",
    "failed": "met a call that failed",
}


def ended(report: dict[str, Any]) -> dict[str, int]:
    """Shoppers by how their visit ended, in words."""
    return {words: count for name, words in SHOPPERS.items() if (count := report["shoppers"][name])}


def itemised(report: dict[str, Any]) -> dict[str, list[str]]:
    """Everything that is above zero, case by case, with its cause."""
    found = {**report["cases"], "dead letters": report["dead_letters"]["cases"], "failed calls": report["failed_calls"]}
    found["differences of the rebuilt state"] = report["verify"]["differences"]
    found["still under way when the time was up"] = [f"{what}: {count}" for what, count in report["under_way"].items()]
    return {name: cases for name, cases in found.items() if cases}


class LiveView:
    """What happens, several times a second."""

    def __init__(self, console: Console) -> None:
        self.live = Live(console=console, refresh_per_second=8, transient=True)

    def __enter__(self) -> LiveView:
        self.live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.live.__exit__(None, None, None)

    def tell(self, now: dict[str, Any]) -> None:
        self.live.update(panel(now))


def panel(now: dict[str, Any]) -> Panel:
    """One picture of how it stands."""
    bar = Table.grid(padding=(0, 1))
    bar.add_row(
        ProgressBar(total=now["of"], completed=now["played"], width=46),
        f"{now['played']} of {now['of']} shoppers",
        f"{now['seconds']:.0f} s",
    )
    dispatch = now["dispatch"]
    flow = Table(title="orders", title_justify="left", box=None, show_header=False)
    for status, count in sorted(now["orders"].items(), key=lambda one: -one[1]):
        flow.add_row(status, str(count))
    systems = Table(title="systems", title_justify="left", box=None)
    for column in ("", "calls", "waiting", "failures", "breaker"):
        systems.add_column(column, justify="right" if column else "left")
    for name, one in dispatch.get("systems", {}).items():
        failures = sum(one["failures"].values())
        systems.add_row(name, str(sum(one["calls"].values())), str(one["waiting"]), str(failures), one["breaker"])
    stock = Table(title="stock to channels, ms", title_justify="left", box=None)
    for column in ("", "p50", "p99", "waiting"):
        stock.add_column(column, justify="right" if column else "left")
    for name, one in dispatch.get("channels", {}).items():
        spread = one["propagation_ms"]
        stock.add_row(name, f"{spread['p50']:.0f}", f"{spread['p99']:.0f}", str(one["waiting"]))
    faults = ", ".join(f"{kind} {count}" for kind, count in now["faults"].items()) or "none yet"
    letters = ", ".join(f"{code} {count}" for code, count in now["letters"].items()) or "none"
    lag = ", ".join(f"{inbox} {behind}" for inbox, behind in now["lag"].items())
    columns = Table.grid(padding=(0, 4))
    columns.add_row(flow, systems, stock)
    lines = Group(bar, Text(), columns, Text(), Text(f"faults: {faults}"), Text(f"open dead letters: {letters}    lag: {lag}"))
    return Panel(lines, title=f"Mainstay demo: {now['phase']}", title_align="left", width=110)


def summary(report: dict[str, Any], console: Console) -> None:
    """The report in a terminal."""
    table = Table(title="From the outside systems' own books", title_justify="left", box=None, show_header=False)
    for part, name, words in ZEROS:
        value = report[part][name]
        table.add_row(Text("ok" if value == 0 else "BAD", style="green" if value == 0 else "bold red"), words, str(value))
    identical = report["verify"]["identical"]
    words = "state rebuilt from the log is identical"
    table.add_row(Text("ok" if identical else "BAD", style="green" if identical else "bold red"), words, str(identical))
    console.print(table)
    stock, spread = report["stock"], report["stock"]["propagation_ms"]
    console.print(f"Played from {report['story']['source']}: {sum(ended(report).values())} shoppers.")
    for words, count in ended(report).items():
        console.print(f"  {count:>6} {words}")
    console.print(
        f"{stock['oversold_units_autonomous']} units sold by channels that sell on their own, and not there; each is named below."
    )
    console.print(f"{stock['waiting_units']} units sold there lie on the shelf and wait for something that has a name.")
    console.print(f"{report['erp']['returned_units']} units came back and stand on the ERP's shelf again.")
    console.print(
        f"From a sale at one channel to the new number at the other, by their own books: {spread['p50']:.0f} ms (p50), "
        f"{spread['p99']:.0f} ms (p99), with lost webhooks and vendors' rate limits in it{_ours(stock['by_channel'])}."
    )
    faults = ", ".join(f"{count} {kind}" for kind, count in report["faults"].items())
    console.print(f"Faults: {faults or 'none'}. {report['repaired']} dead letters repaired, {report['dead_letters']['open']} open.")
    console.print(f"{report['orders_per_min']} orders per minute, {report['duration_s']} s until everything had ended.")
    console.print(
        f"{report['effects']['sent']} effects stand in the receivers' books, {report['effects']['unknown_open']} have an unknown outcome."
    )
    for name, cases in itemised(report).items():
        console.print(Text(name.replace("_", " "), style="bold"))
        for case in cases:
            console.print(Text(f"  {case}"))
    for rule in report["story"]["rules"]:
        console.print(f"[dim]{rule}[/dim]")


def _ours(channels: Mapping[str, Any]) -> str:
    """What Mainstay itself took of it, by its own meters."""
    slowest = max((one["of_which_ours_ms"].get("p99", 0.0) for one in channels.values()), default=0.0)
    return f"; of that, from our commit to the first permitted call {slowest:.0f} ms (p99)" if slowest else ""
