"""The demo's report as one self-contained HTML page: figures, plots as inline SVG, cases. Nothing is loaded from anywhere."""

from __future__ import annotations

from html import escape
from typing import Any

from mainstay.app.show_demo import ZEROS, ended, itemised

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; color: #1c2430; background: #fff; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; } td, th { padding: .15rem .8rem .15rem 0; text-align: left; }
td.n { text-align: right; font-variant-numeric: tabular-nums; } .ok { color: #1a7f37; } .bad { color: #b42318; font-weight: 600; }
figure { margin: 1rem 0; } figcaption { color: #5b6676; } svg text { font: 12px system-ui, sans-serif; fill: #333; }
"""
BAR_PX = 420


def page(report: dict[str, Any], samples: list[dict[str, Any]]) -> str:
    """`samples` are what the live view was told, in order."""
    placed = report["orders"]["placed"]
    parts = [
        f"<h1>Mainstay demo: {placed} orders, faults {escape(report['settings']['faults'])}</h1>",
        f"<p>{escape(report['story']['source'])}; {report['orders_per_min']} orders per minute; everything had ended after "
        f"{report['duration_s']} s. What must be zero, and how fast stock moved, is computed from the outside systems' own books.</p>",
        "<h2>What must be zero</h2>", _zeros(report),
        "<h2>How the shoppers' visits ended</h2>", _table(ended(report)),
        "<h2>Orders by status, over time</h2>", _lines(samples),
        "<h2>Where they ended</h2>", _bars(report["statuses"]),
        "<h2>From a sale at one channel to the new number at the other (ms, by their own books)</h2>",
        _bars({
            f"{name}, {part}": round(one["propagation_ms"][part])
            for name, one in report["stock"]["by_channel"].items() for part in ("p50", "p99")
        }),
        "<h2>Faults that really happened</h2>", _bars(report["faults"]),
        "<h2>Effects</h2>", _table({
            "in the receivers' books": report["effects"]["sent"], "repeated at their receiver": report["effects"]["repeated_at_receiver"],
            "with an unknown outcome at the end": report["effects"]["unknown_open"],
        }),
        "<h2>Dead letters</h2>", _table({"repaired by the demo's operator": report["repaired"], **report["dead_letters"]["by_cause"]}),
        "<h2>Cases</h2>", _cases(itemised(report)),
        "<h2>The rules of the story</h2>", "<ul>" + "".join(f"<li>{escape(rule)}</li>" for rule in report["story"]["rules"]) + "</ul>",
    ]  # fmt: skip
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Mainstay demo</title><style>{STYLE}</style>'
    return head + "\n".join(parts) + "</html>\n"


def _zeros(report: dict[str, Any]) -> str:
    rows = [(words, report[part][name], report[part][name] == 0) for part, name, words in ZEROS]
    rows.append(("state rebuilt from the log is identical", report["verify"]["identical"], report["verify"]["identical"]))
    body = "".join(
        f'<tr><td class="{"ok" if fine else "bad"}">{"ok" if fine else "BAD"}</td><td>{escape(words)}</td><td class="n">{value}</td></tr>'
        for words, value, fine in rows
    )
    return f"<table>{body}</table>"


def _table(values: dict[str, int]) -> str:
    body = "".join(f'<tr><td>{escape(name)}</td><td class="n">{value}</td></tr>' for name, value in values.items())
    return f"<table>{body}</table>"


def _bars(values: dict[str, int]) -> str:
    if not values:
        return "<p>none</p>"
    most = max([1, *values.values()])
    rows = []
    for number, (name, value) in enumerate(sorted(values.items(), key=lambda one: -one[1])):
        top, width = number * 22, max(1, round(value / most * BAR_PX))
        rows.append(
            f'<text x="0" y="{top + 14}">{escape(name)}</text><rect x="150" y="{top + 2}" width="{width}" height="16" fill="#3b6fb6"/>'
            f'<text x="{156 + width}" y="{top + 14}">{value}</text>'
        )
    return f'<figure><svg width="680" height="{len(values) * 22 + 6}" role="img">{"".join(rows)}</svg></figure>'


COLOURS = (  # one for each status that an order can have
    "#3b6fb6", "#d9822b", "#1a7f37", "#8250df", "#b42318", "#5b6676", "#0f766e", "#a16207",
    "#c026d3", "#0284c7", "#65a30d", "#78350f", "#111827",
)  # fmt: skip


def _lines(samples: list[dict[str, Any]]) -> str:
    """Orders in each status while the demo ran."""
    playing = [one for one in samples if one["orders"]]
    if len(playing) < 2:
        return "<p>too short to plot</p>"
    names = sorted({name for one in playing for name in one["orders"]})
    start, end = playing[0]["seconds"], max(playing[-1]["seconds"], playing[0]["seconds"] + 1)
    most = max(max(one["orders"].values()) for one in playing)
    lines, legend = [], []
    for number, name in enumerate(names):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(
            f"{40 + (one['seconds'] - start) / (end - start) * 580:.1f},{210 - one['orders'].get(name, 0) / most * 190:.1f}"
            for one in playing
        )
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        legend.append(f'<text x="640" y="{20 + number * 18}" style="fill:{colour}">{escape(name)}</text>')
    axes = f'<path d="M40 10V210H620" fill="none" stroke="#999"/><text x="4" y="20">{most}</text><text x="590" y="226">{end:.0f} s</text>'
    figure = f'<svg width="760" height="235" role="img">{axes}{"".join(lines)}{"".join(legend)}</svg>'
    return f"<figure>{figure}<figcaption>Number of orders in each status.</figcaption></figure>"


def _cases(cases: dict[str, list[str]]) -> str:
    if not cases:
        return "<p>Nothing to itemise.</p>"
    return "".join(
        f"<h3>{escape(name.replace('_', ' '))}</h3><ul>" + "".join(f"<li>{escape(case)}</li>" for case in found) + "</ul>"
        for name, found in cases.items()
    )
