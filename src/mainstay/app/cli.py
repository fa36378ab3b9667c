"""The command line. Every question takes --json; every error says what, which and what next."""

from __future__ import annotations

import json
import logging
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import msgspec
import structlog

from mainstay import __version__
from mainstay.app.cli_alerts import alerts
from mainstay.app.cli_drift import drift
from mainstay.app.cli_letters import deadletters, jobs, replay
from mainstay.app.cli_pauses import pause, pauses, resume
from mainstay.app.options import BY, CONFIG, JSON, complaining, pairs, plain_finding, show, state_of, there


def _id_of_an_order(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    if not re.fullmatch(r"ord\.[a-z][a-z0-9_-]*\.[A-Za-z0-9_~-]+", text):
        raise click.BadParameter(f"{text!r} is not the id of an order, such as ord.shop.17; `mainstay order` shows it for any number")
    return text


def _who_is_meant(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    if not re.fullmatch(r"(ord|cus)\.[a-z][a-z0-9_-]*\.[A-Za-z0-9_~-]+|[^\s@]+@[^\s@]+", text):
        raise click.BadParameter(f"{text!r} is not the id of an order (ord.shop.17) or a customer (cus.shop.81), nor an e-mail address")
    return text


def _units(context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, int]:
    told = pairs(context, parameter, texts)
    wrong = [f"{name}={units}" for name, units in told.items() if not units.isdecimal()]
    if wrong:
        raise click.BadParameter(f"{wrong[0]!r} says no number of units; write a whole number, 0 or more, such as TSH-001=12")
    return {name: int(units) for name, units in told.items()}


def _bug(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    from mainstay.proof.plants import PLANTS

    if name and name not in PLANTS:
        raise click.BadParameter(f"no bug is called {name!r}; there are: {', '.join(PLANTS)}")
    return name


ORDER_ID = click.argument("order_id", callback=_id_of_an_order)


class Cli(click.Group):
    """Turns failures that people can act on into one clear sentence and exit code 2. With --json the sentence is a problem as the API
    gives them, {"code", "detail"}, in one line: on standard error, so that standard output holds an answer or nothing."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[WANTS_JSON] = "--json" in args
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        with complaining(as_json=ctx.meta[WANTS_JSON]):
            return super().invoke(ctx)


WANTS_JSON = "mainstay.json"  # in click's own notes on an invocation


@click.group(cls=Cli)
@click.version_option(__version__)
def main() -> None:
    """Mainstay: the integration backbone of a shop."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


@main.command()
@CONFIG
@JSON
def up(config: Path, as_json: bool) -> None:
    """Run everything on this machine until stopped by signal; nothing starts while `check` finds an error. With --json a line for each
    event: ready (url, hooks, systems, pids), gone and back (system), stopped."""
    from mainstay.app.up import up as run_all

    sys.exit(run_all(config, lambda text, told: show(told, as_json, text)))


@main.command()
@CONFIG
@JSON
def status(config: Path, as_json: bool) -> None:
    """How things stand: orders, effects under way, lag, dead letters, the books."""
    from mainstay.app.build import look_into
    from mainstay.app.show import status_text
    from mainstay.app.snapshots import standing
    from mainstay.flows import journey

    house = look_into(config)
    found = journey.status(state_of(house.data)) | standing(house.data)
    show(found, as_json, status_text(found))


@main.command()
@click.argument("number")
@CONFIG
@JSON
def trace(number: str, config: Path, as_json: bool) -> None:
    """The whole journey of NUMBER: an order, charge, parcel, sale or e-mail address of any system."""
    from mainstay.app.build import duties, look_into
    from mainstay.app.show import journey_text
    from mainstay.edge.whose import with_owner
    from mainstay.flows import journey
    from mainstay.model.failures import Reject
    from mainstay.storage.inbox import InboxReader

    house = look_into(config)
    found = journey.trace(state_of(house.data), InboxReader(house.data / "outcomes.db").open(), number)
    if not found:
        raise Reject(f"nothing is known by {number!r} in any system; `mainstay deadletters list` shows what could not be read", "not_found")
    answering = duties(house)
    found = [{**one, "now": with_owner(one["now"], answering)} if one["now"] else one for one in found]
    show(found, as_json, journey_text(found))


@main.command()
@click.argument("sku")
@CONFIG
@JSON
def stock(sku: str, config: Path, as_json: bool) -> None:
    """What there is of SKU, and how each channel's number came about."""
    from mainstay.app.build import channel_policies, look_into
    from mainstay.app.show import stock_text
    from mainstay.flows import journey
    from mainstay.flows.exposure import told_of
    from mainstay.model.failures import Reject
    from mainstay.storage.inbox import InboxReader

    house = look_into(config)
    state = state_of(house.data)
    told = told_of(InboxReader(house.data / "outcomes.db"), journey.item_of(state, sku))
    found = journey.stock(state, sku, channel_policies(house), *told)
    if found is None:
        raise Reject(f"no product has the SKU {sku!r}; `mainstay deadletters list` shows what could not be read", "not_found")
    show(found, as_json, stock_text(found))


@main.command()
@click.argument("number")
@CONFIG
@JSON
def order(number: str, config: Path, as_json: bool) -> None:
    """One order by any of its numbers, with what blocks it."""
    from mainstay.app.build import duties, look_into
    from mainstay.app.show import order_text
    from mainstay.edge.whose import with_owner
    from mainstay.flows import journey
    from mainstay.model.failures import Reject

    house = look_into(config)
    state = state_of(house.data)
    known = [one for entity in journey.find(state, number) if (one := journey.order(state, entity))]
    if not known:
        raise Reject(f"no order is known by {number!r} in any system; `mainstay trace` takes any number", "not_found")
    found = with_owner(known[0], duties(house))
    show(found, as_json, order_text(found))


@main.command()
@CONFIG
@JSON
def verify(config: Path, as_json: bool) -> None:
    """Rebuild the state from the event log and compare every row; exit 1 when they differ."""
    from mainstay.app.build import look_into, shop
    from mainstay.flows.rebuild import verify as run

    house = look_into(config)
    there(house.data)
    with tempfile.TemporaryDirectory(dir=house.data) as scratch:
        verdict = run(house.data / "state.db", Path(scratch) / "state.db", shop(house))
    total = sum(verdict.rows.values())
    text = f"{verdict.events} events rebuilt, {total} rows compared: " + ("identical" if verdict.identical else "DIFFERENT")
    show(verdict, as_json, "\n".join([text, *verdict.differences]))
    sys.exit(0 if verdict.identical else 1)


@main.command()
@click.option(
    "--to", "into", type=click.Path(file_okay=False, path_type=Path), help="A new or empty folder; a name with the time by default."
)
@click.option("--archive", is_flag=True, help="Take the archived messages along.")
@CONFIG
@JSON
def backup(into: Path | None, archive: bool, config: Path, as_json: bool) -> None:
    """Back up the three store files at one moment, also while Mainstay works. Secrets and mainstay.toml are not part of it."""
    from mainstay.app.safekeeping import back_up

    manifest, text = back_up(config, into, archive=archive)
    show(manifest, as_json, text)


@main.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@CONFIG
@JSON
def restore(folder: Path, config: Path, as_json: bool) -> None:
    """Make the data folder anew from the backup in FOLDER. Refuses one that is damaged, and a data folder that is not empty."""
    from mainstay.app.safekeeping import bring_back

    manifest, text = bring_back(config, folder)
    show(manifest, as_json, text)


@main.command()
@click.argument("connector")
@click.argument("topic")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--set", "settings", multiple=True, callback=pairs, metavar="NAME=VALUE", help="A setting of the connector.")
@click.option("--personal", is_flag=True, help="Also print the personal data that would go to the vault.")
def translate(connector: str, topic: str, file: Path, settings: dict[str, str], personal: bool) -> None:
    """The canonical events for a payload, as JSON lines; or the reason why not, and exit 3."""
    from mainstay.app.workshop import translator
    from mainstay.model.failures import Reject

    read = translator(connector, settings)
    try:
        said = read(topic, file.read_bytes())
    except Reject as why:
        click.echo(json.dumps({"rejected": why.code, "why": why.why}))
        sys.exit(3)
    for one in said:
        click.echo(msgspec.json.encode(one.event).decode())
        if personal and one.person is not None:
            click.echo(msgspec.json.encode({"person": one.person}).decode())


@main.command()
@JSON
def contracts(as_json: bool) -> None:
    """The JSON Schema of every canonical event."""
    from mainstay.app.workshop import contracts as all_of_them

    show(all_of_them(), as_json)


@main.command()
@CONFIG
@JSON
def check(config: Path, as_json: bool) -> None:
    """Find what is wrong or ambiguous in mainstay.toml, with the line and what to write instead; exit 1 on errors."""
    from mainstay.app.declaration import findings

    found = findings(config)
    errors = [one for one in found if one.severity == "error"]
    text = "\n".join(str(one) for one in found) or f"{config}: nothing to complain about"
    show([plain_finding(one) for one in found], as_json, text)
    sys.exit(1 if errors else 0)


@main.command()
def schema() -> None:
    """The JSON Schema of mainstay.toml, for editors."""
    from mainstay.app.build import offers
    from mainstay.landscape import schema as of

    click.echo(json.dumps(of(offers()), indent=2))


@main.command()
@CONFIG
@JSON
def doctor(config: Path, as_json: bool) -> None:
    """Is this machine safe to run on? Exit 1 when it is not."""
    from mainstay.app.doctor import examine

    found = examine(config)
    text = "\n".join(f"{'BAD ' if not one.fine else 'look' if one.doubt else 'ok  '} {one.what}: {one.detail}" for one in found)
    show(found, as_json, text)
    sys.exit(0 if all(one.fine for one in found) else 1)


@main.command()
@CONFIG
@JSON
def proposals(config: Path, as_json: bool) -> None:
    """What systems said of what others own, newest first: kept and shown, it changed nothing. The newest 200."""
    from mainstay.app.build import look_into
    from mainstay.app.letters import proposed
    from mainstay.app.show import proposals_text

    house = look_into(config)
    found = proposed(house, state_of(house.data))
    show(found, as_json, proposals_text(found))


@main.command()
@ORDER_ID
@BY
@CONFIG
@JSON
def free(order_id: str, by: str, config: Path, as_json: bool) -> None:
    """Lift the holds of ORDER_ID (ord.shop.17): you have looked at their cause and accept it."""
    from mainstay.app.operate import act

    done = act(config, f"orders/{order_id}/free", by=by)
    show(done, as_json, f"{done['order']} is {done['status']}; no longer held for {', '.join(done['lifted'])}")


@main.command()
@click.argument("counts", nargs=-1, metavar="SKU=UNITS...", callback=_units)
@click.option("--file", "-f", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="CSV: sku,units[,location].")
@click.option("--location", default="", help="The location that SKU=UNITS speak of; nothing: the default one.")
@click.option("--of", "measure", type=click.Choice(["on_hand", "damaged", "safety", "in_transit"]), default="on_hand", show_default=True)
@CONFIG
@JSON
def count(counts: dict[str, int], file: Path | None, location: str, measure: Any, config: Path, as_json: bool) -> None:
    """Tell what there is now, in a shop where no ERP or warehouse counts: on hand (the shelf), how much of that is damaged or kept back as
    safety stock, and what is in transit. Exit 1 where a count does not count."""
    from mainstay.app.forms import Count
    from mainstay.app.operate import counts_in, tell_counts
    from mainstay.model.identity import sku

    given = [Count(sku(name), units, location) for name, units in counts.items()]
    ended = tell_counts(config, [*given, *(counts_in(file) if file else ())], measure)
    if not ended:
        raise click.UsageError("say what was counted: SKU=UNITS, such as TSH-001=12, or --file stock.csv")
    lost = [one for one in ended if one["ended"] != "applied"]
    text = [f"{len(ended) - len(lost)} of {len(ended)} counts taken"]
    text += [f"{one['external'].removeprefix('count.')}: {one['ended']}; {one.get('reason', '')}".rstrip("; ") for one in lost]
    show(ended, as_json, "\n".join(text))
    if lost:
        sys.exit(1)


@main.command()
@click.argument("who", callback=_who_is_meant)
@BY
@CONFIG
@JSON
def erase(who: str, by: str, config: Path, as_json: bool) -> None:
    """Erase a person from vault and messages. WHO is an order (ord.shop.17), a customer (cus.shop.81) or an e-mail address."""
    from mainstay.app.operate import act

    show(act(config, "erase", who=who, by=by), as_json, f"{who} is erased")


@main.command()
@click.option(
    "--history",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of order history in the shape of Olist's dataset.",
)
@click.option("--orders", type=click.IntRange(min=1), default=2_000, show_default=True, help="How many orders to play.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), default=6_000.0, show_default=True, help="Orders per minute.")
@click.option(
    "--faults", type=click.Choice(["none", "normal", "storm"]), default="normal", show_default=True, help="How bad the weather is."
)
@click.option("--seed", default=7, show_default=True, help="The dice of story and faults.")
@click.option("--headless", is_flag=True, help="No live view.")
@click.option(
    "--report",
    "report_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the report to FILE (.json) and FILE's .html page.",
)
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="Keep the shop, its store and its log in this folder.")
@click.option(
    "--plant", default="", callback=_bug, help="Plant a bug that the report must show: lose-one, double-capture, oversell, unbalance."
)
@JSON
def demo(headless: bool, report_file: Path | None, as_json: bool, **told: Any) -> None:
    """Five outside systems, Mainstay between them, real orders at peak speed, faults; and a report from their own books."""
    from mainstay.app import demo as town
    from mainstay.app.play_demo import perform

    report = perform(town.Demo(**told), headless=headless or as_json or not sys.stdout.isatty(), report_file=report_file, quiet=as_json)
    if as_json:
        show(report, True)
    sys.exit(0 if town.good(report) else 1)


@main.command()
@CONFIG
@click.option("--defaults", is_flag=True, help="Ask nothing; write the shop of the demo.")
@JSON
def init(config: Path, defaults: bool, as_json: bool) -> None:
    """Write a commented mainstay.toml from a few answers, and the runbooks that it points to where there are none."""
    from mainstay.app.declaration import ask, begin
    from mainstay.model.failures import Reject

    if config.exists():
        raise Reject(f"{config} exists already; move it away first, or name another with --config", "schema")
    page = begin(config, ask(defaults))
    written = f"{config} and {page} are" if page else f"{config} is"
    text = f"{written} written. Next: set the secrets that are named, then `mainstay check` and `mainstay up`."
    show({"written": str(config)}, as_json, text)


@main.group()
def connector() -> None:
    """Connectors: list them, examine one, begin a new one."""


@connector.command("list")
@JSON
def list_connectors(as_json: bool) -> None:
    """What can be connected."""
    from mainstay.app.workshop import manifests

    found = manifests()
    show(found, as_json, "\n".join(f"{one['name']:<12} {one['title']}: {one['summary']}" for one in found))


@connector.command("new")
@click.argument("name")
@click.option("--into", type=click.Path(path_type=Path), default=Path("."), show_default=True, help="The folder to write to.")
def new_connector(name: str, into: Path) -> None:
    """Write the beginnings of a connector with its twin, its tests and its README."""
    from mainstay.app.workshop import begin, installing

    for path in begin(name, into):
        click.echo(f"wrote {path}")
    click.echo(f"Next: {installing(f'pytest -e {into}')}, then `mainstay connector check {name}`, and `pytest` in {into}.")


@connector.command("check")
@click.argument("name")
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True, help="Dice of the faulty worlds that it is put through.")
@JSON
def check_connector(name: str, seeds: int, as_json: bool) -> None:
    """Put a connector through the conformance suite with its twin; exit 1 when a check fails."""
    from mainstay.app.workshop import examined

    verdicts, text = examined(name, seeds)
    show([one._asdict() for one in verdicts], as_json, text)
    sys.exit(0 if all(one.passed for one in verdicts) else 1)


@main.command()
@click.argument("name")
@JSON
@click.option("--quick", is_flag=True, help="Fewer repetitions on smaller data: a smoke test, not a figure.")
def bench(name: str, as_json: bool, quick: bool) -> None:
    """Run a benchmark against its comparators in this very run."""
    from mainstay.proof.bench import run

    result = run(name, quick=quick)
    show(result, as_json)
    sys.exit(0 if result["correct"] else 1)


@main.command()
@click.option("--seed", type=int, help="Replay one seed and tell its history.")
@click.option("--seeds", type=click.IntRange(min=1), help="How many seeds to play, from 0; 1,000 unless you say.")
@click.option("--scenario", default="", help='Only histories of one kind, such as "flash sale"; one that is not there says which are.')
@click.option("--power", is_flag=True, help="Cut the power in the middle of writes and syncs.")
@JSON
def sim(seed: int | None, seeds: int | None, scenario: str, power: bool, as_json: bool) -> None:
    """Play histories with faults and crashes on the whole system in one thread; exit 1 when an invariant breaks."""
    from mainstay.app.simulate import many_seeds, one_seed
    from mainstay.model.failures import Reject

    if seed is not None and seeds is not None:
        raise Reject("--seed replays one history, --seeds plays many: say one of them", "schema")
    if seed is not None:
        found, text = one_seed(seed, scenario, power=power)
    else:
        found, text = many_seeds(seeds or 1_000, scenario, quiet=as_json, power=power)
    show(found, as_json, text)
    sys.exit(1 if found["failed"] else 0)


main.add_command(deadletters)
for verb in (alerts, jobs, pause, pauses, resume):
    main.add_command(verb)
main.add_command(replay)
main.add_command(drift)


if __name__ == "__main__":
    main()
