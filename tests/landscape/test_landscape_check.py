"""Every kind of finding has an example that shows it: the clean shop with one thing made wrong."""

import re

import msgspec
import pytest

from mainstay.landscape import FINDINGS
from mainstay.model.secrets import Secret

FLOW = '\npattern = "poll"\nlatency = "same-day"\nowner = "ops"\nrunbook = "r.md"\n'

COUNTS = 'targets = ["mainstay"]\npattern = "poll"\nlatency = "real-time"'
TILL = 'pattern = "direct"\nlatency = "checkout-blocking"'
PEOPLE = """[flows.a]
object = "order"
source = "till"
targets = ["mainstay"]
pattern = "file"
folder = "in"
latency = "same-day"
owner = "ops"
runbook = "r.md"
[flows.b]
object = "inventory"
source = "mainstay"
targets = ["mainstay"]
pattern = "file"
folder = "./in/people/"
latency = "same-day"
owner = "ops"
runbook = "r.md"
"""

CONTACT = 'contact = "ops@acme.example"\n'
HOOK = '[alerts.webhooks.pager]\nurl = "https://pager.acme.example"\nsecret = "env:PAGER_SECRET"\n'

# code -> (text of the clean shop, what it is replaced by, text of the line that the finding must name, a part of what to write instead)
BROKEN = {
    "toml-syntax": ('contact = "ops@acme.example"', "contact = ", "contact = ", "key = "),
    "key-unknown": ("asks_first = true", "ask_first = true", "ask_first = true", '"asks_first"'),
    "key-missing": ('currency = "EUR"\n', "", "[shop]", "`currency = …`: The currency of the books"),
    "name-malformed": ("[owners.ops]", "[owners.Ops]", "[owners.Ops]", '"ops"'),
    "toml-too-deep": ("cap = 40", "cap = " + "[" * 33 + "]" * 33, "cap = [[", "no declaration goes deeper"),
    "value-wrong": ("share = 0.5\ncap", "share = 1.5\ncap", "share = 1.5", "Part of what is available to promise"),
    "name-reserved": (
        "[systems.market]",
        '[systems.mainstay]\nconnector = "market"\nowner = "ops"\n[systems.market]',
        "[systems.mainstay]",
        "another name",
    ),
    "connector-unknown": ('connector = "depot"', 'connector = "depo"', 'connector = "depo"', '"depot"'),
    "system-unknown": ('system = "till"', 'system = "tyll"', 'system = "tyll"', '"till"'),
    "system-unused": (
        "[systems.till]",
        '[systems.spare]\nconnector = "market"\nowner = "ops"\n[systems.till]',
        "[systems.spare]",
        'source = "spare"',
    ),
    "object-unknown": ('object = "order"\nsource = "till"', 'object = "orders"\nsource = "till"', 'object = "orders"', '"order"'),
    "group-unknown": (
        "[ownership.inventory.available]",
        "[ownership.inventory.availible]",
        "[ownership.inventory.availible]",
        '"available"',
    ),
    "owner-unknown": ('connector = "api"\nowner = "ops"', 'connector = "api"\nowner = "opps"', 'owner = "opps"', '"ops"'),
    "owner-missing": ('connector = "api"\nowner = "ops"', 'connector = "api"\nowner = ""', 'owner = ""', '`owner = "ops"`'),
    "owner-unused": ("[systems.till]", '[owners.idle]\ncontact = "a@b.example"\n[systems.till]', "[owners.idle]", 'owner = "idle"'),
    "contact-malformed": ('contact = "ops@acme.example"', 'contact = "Olga"', 'contact = "Olga"', "ops@acme.example"),
    "runbook-missing": (
        '"checkout-blocking"\nowner = "ops"\nrunbook = "runbooks.md#orders"',
        '"checkout-blocking"\nowner = "ops"\nrunbook = ""',
        'runbook = ""',
        "runbooks.md#till-orders",
    ),
    "runbook-malformed": ('"https://wiki.acme.example/shop"', '"ask Olga"', 'runbook = "ask Olga"', "runbooks.md#shop"),
    "page-missing": (
        'runbook = "runbooks.md#stock"',
        'runbook = "ABSENT.md#stock"',
        'runbook = "ABSENT.md#stock"',
        "the page ABSENT.md beside",
    ),
    "failure-unknown": ("oversold =", "oversoled =", "failures =", '"oversold"'),
    "failure-unowned": ('oversold = "ops"', 'oversold = ""', "failures =", 'failures.oversold = "ops"'),
    "object-unowned": (
        "[flows.till-orders]",
        '[flows.p]\nobject = "price"\nsource = "shop"\ntargets = ["mainstay"]' + FLOW.replace("poll", "event") + "[flows.till-orders]",
        'object = "price"',
        "[ownership.price.all]",
    ),
    "group-unowned": (
        '[ownership.inventory.available]\nupdate = ["depot"]\n',
        "",
        "[ownership.inventory.on_hand]",
        "[ownership.inventory.available]",
    ),
    "owned-twice": (
        '[ownership.inventory.available]\nupdate = ["depot"]',
        '[ownership.inventory.available]\nupdate = ["depot", "till"]',
        'update = ["depot", "till"]',
        'conflict = "owner-wins"',
    ),
    "consumer-without-producer": ('create = ["mainstay"]\n', "", 'consume = ["shop", "market", "till"]', "create = "),
    "echo": (
        '[ownership.inventory.available]\nupdate = ["depot"]',
        '[ownership.inventory.available]\nupdate = ["depot"]\nconsume = ["depot", "shop"]',
        'consume = ["depot", "shop"]',
        '`consume = ["shop"]`',
    ),
    "ownership-unused": (
        "[channels.shop]",
        '[ownership.price.all]\ncreate = ["shop"]\n[channels.shop]',
        "[ownership.price.all]",
        'object = "price"',
    ),
    "flow-without-target": ('source = "till"\ntargets = ["depot"]', 'source = "till"\ntargets = []', "targets = []", '["mainstay"]'),
    "flow-twice": (
        "[flows.till-orders]",
        '[flows.again]\nobject = "order"\nsource = "shop"\ntargets = ["depot"] # again' + FLOW + "[flows.till-orders]",
        'targets = ["depot"] # again',
        "take the flow out",
    ),
    "loop": (
        'targets = ["shop", "market", "till"]',
        'targets = ["shop", "market", "till", "depot"]',
        'targets = ["shop", "market", "till", "depot"]',
        '`targets = ["shop", "market", "till"]`',
    ),
    "source-not-owner": (
        'create = ["shop", "market", "till"]',
        'create = ["shop", "market"]',
        'source = "till"',
        'create = ["shop", "market", "till"]',
    ),
    "target-not-consumer": ('consume = ["depot"]', "consume = []", 'targets = ["depot"]', 'consume = ["depot"]'),
    "source-cannot-bring": (
        'pattern = "direct"\nlatency = "checkout-blocking"',
        'pattern = "poll"\nlatency = "real-time"',
        'pattern = "poll"',
        '`pattern = "direct"`',
    ),
    "target-cannot-take": (
        'source = "till"\ntargets = ["depot"]',
        'source = "till"\ntargets = ["depot", "market"]',
        'targets = ["depot", "market"]',
        "inventory",
    ),
    "never-told": (
        "[flows.till-orders]",
        '[flows.parcels] # hm\nobject = "fulfilment"\nsource = "depot"\ntargets = ["mainstay"]' + FLOW + "[flows.till-orders]",
        "[flows.parcels] # hm",
        'targets = ["shop"]',
    ),
    "latency-unmet": ("every_s = 60", "every_s = 600", "every_s = 600", "every_s = 60"),
    "key-ignored": ('pattern = "event"', 'pattern = "event"\nevery_s = 5', "every_s = 5", '`pattern = "poll"`'),
    "schedule-without-times": (COUNTS, COUNTS.replace("poll", "schedule"), 'pattern = "schedule"', '`at = ["02:30"]`'),
    "schedule-overruled": (
        'pattern = "poll"\nevery_s = 60\nlatency = "real-time"',
        'pattern = "schedule"\nat = ["02:30"]\nlatency = "next-cycle"',
        'pattern = "schedule"',
        '`pattern = "poll"`',
    ),
    "zone-unknown": (
        COUNTS,
        COUNTS.replace("poll", 'schedule"\nat = ["02:30"]\ntimezone = "Europe/Berlln'),
        'timezone = "Europe/Berlln"',
        '`timezone = "Europe/Berlin"`',
    ),
    "file-without-folder": (TILL, TILL.replace("direct", "file"), 'pattern = "file"', '`folder = "inbox/till"`'),
    "folder-missing": (
        TILL,
        TILL.replace("direct", 'file"\nfolder = "ABSENT/till'),
        'folder = "ABSENT/till"',
        "`mkdir -p ABSENT/till` beside this file",
    ),
    "folder-shared": (
        "[flows.till-orders]",
        PEOPLE + "[flows.till-orders]",
        'folder = "./in/people/"',
        '`folder = "inbox/mainstay"`',
    ),
    "folder-unfit": (TILL, TILL.replace("direct", 'file"\nfolder = ".'), 'folder = "."', '`folder = "inbox/till"`'),
    "events-unsigned": ('pattern = "poll"\nevery_s = 60', 'pattern = "event" # hm', 'pattern = "event" # hm', '`pattern = "poll"`'),
    "environment-mixed": ('connector = "api"', 'connector = "api"\nenvironment = "test"', "[flows.till-orders]", "[systems.till]"),
    "channel-twice": ('system = "market"', 'system = "shop" # twice', 'system = "shop" # twice', "location"),
    "channel-without-orders": ('source = "till"', 'source = "shop" # hm', "[channels.till]", 'source = "till"'),
    "cannot-ask": ("share = 0.5\ncap", "asks_first = true\ncap", "asks_first = true", "asks_first = false"),
    "stock-owner-sells": (
        '[ownership.inventory.available]\nupdate = ["depot"]',
        '[ownership.inventory.available]\nupdate = ["shop"]',
        "[ownership.inventory.available]",
        '`create = ["mainstay"]`',
    ),
    "shares-above-whole": ("share = 0.5\ncap", "share = 0.6\ncap", "share = 0.6", "at most 1"),
    "buffer-unused": ("asks_first = true", 'asks_first = true\nbuffer = "measured"', 'buffer = "measured"', "no `buffer` here"),
    "buffer-above-cap": ("buffer = 2", "buffer = 41", "buffer = 41", "`buffer = 20`"),
    "capture-without-provider": ("[orders]", '[orders]\ncapture = "order"', 'capture = "order"', 'connector = "stripe"'),
    "nobody-ships": ('connector = "depot"', 'connector = "market"', "[flows.shop-orders]", "[systems.warehouse]"),
    "hold-unknown": ('holds = ["totals"]', 'holds = ["total"]', 'holds = ["total"]', '"totals"'),
    "reservation-outlives-order": ("[orders]", "[orders]\nreservation_s = 90000", "reservation_s = 90000", "`reservation_s = 900`"),
    "currency-unknown": ('currency = "EUR"', 'currency = "EUX"', 'currency = "EUX"', '"EUR"'),
    "data-unfit": ('currency = "EUR"', 'currency = "EUR"\ndata = "/dev/null"', 'data = "/dev/null"', '`data = "mainstay-data"`'),
    "alert-way-unknown": (CONTACT, CONTACT + 'alerts = ["pager"]\n', 'alerts = ["pager"]', "declare `[alerts.webhooks.pager]`"),
    "owner-unreached": (CONTACT, 'contact = "slack:#ops"\n' + HOOK + "[owners.ops2]\n" + CONTACT, "[owners.ops]", '`alerts = ["pager"]`'),
    "smtp-incomplete": (CONTACT, CONTACT + '[alerts.smtp]\nsender = "m@acme.example"\n', "[alerts.smtp]", '`host = "smtp.acme.example"`'),
    "quiet-always": (CONTACT, CONTACT + 'quiet = "07:00-07:00"\n', 'quiet = "07:00-07:00"', '`quiet = "22:00-07:00"`'),
    "listen-exposed": ('url = "https://mainstay.acme.example"', 'listen = "0.0.0.0"', 'listen = "0.0.0.0"', '"https://…"'),
    "url-insecure": ('url = "https://mainstay', 'url = "http://mainstay', 'url = "http://mainstay', '"https://mainstay.acme.example"'),
    "url-missing": ('url = "https://mainstay.acme.example"\n', "", "[server]", '`url = "https://…"`'),
    "token-shared": (
        'connector = "api"\nowner = "ops"',
        'connector = "api"\nowner = "ops"\nsettings.token = "file:api-token"',
        'settings.token = "file:api-token"',
        '`token = "env:TILL_TOKEN"`',
    ),
    "setting-unknown": ('domain = "acme.example"', 'domain = "acme.example"\npages = 4', "pages = 4", '"page"'),
    "setting-missing": ('token = "env:SHOP_TOKEN"\n', "", "[systems.shop.settings]", '`token = "env:SHOP_TOKEN"`'),
    "placeholder": ('domain = "acme.example"', 'domain = "…"', 'domain = "…"', "the real value of `domain`"),
    "secret-in-plain-text": ('"env:SHOP_TOKEN"', '"shpat_0123"', 'token = "shpat_0123"', '`token = "env:SHOP_TOKEN"`'),
    "secret-missing": ("env:SHOP_TOKEN", "env:ABSENT", 'token = "env:ABSENT"', "`export ABSENT=…`"),
    "test-settings-in-production": ('domain = "acme.example"', 'domain = "http://127.0.0.1:9000"', "domain =", '`environment = "test"`'),
}


OF_THE_TEXT = ("toml-syntax", "toml-too-deep", "key-unknown", "key-missing", "name-malformed", "value-wrong")


def test_the_clean_shop_is_clean(findings, clean):
    assert findings(clean) == []


def test_every_kind_has_an_example():
    assert sorted(BROKEN) == sorted(FINDINGS) and len(FINDINGS) >= 24


@pytest.mark.parametrize("code", BROKEN)
def test_what_is_wrong_is_found_at_its_line_with_what_to_write(code, findings, clean):
    before, after, line, instead = BROKEN[code]
    assert before in clean, "the example no longer fits the clean shop"
    text = clean.replace(before, after, 1)
    mine = [one for one in findings(text, secrets=lambda reference: "ABSENT" not in reference) if one.code == code]
    assert mine, f"{code} was not found"
    first = mine[0]
    assert text.splitlines()[first.line - 1].startswith(line)
    assert instead in first.instead
    assert str(first) == f"mainstay.toml:{first.line}: {FINDINGS[code].severity} {code}: {first.wrong}\n    write instead: {first.instead}"
    assert first.wrong.endswith(".")


@pytest.mark.parametrize("code", [code for code in BROKEN if code not in OF_THE_TEXT])
def test_a_finding_says_what_it_means_and_its_neighbours_stay_silent(code, findings, clean):
    """Breaking one line may bring consequences, but never findings about lines that have nothing to do with it."""
    before, after, _, _ = BROKEN[code]
    found = findings(clean.replace(before, after, 1), secrets=lambda reference: "ABSENT" not in reference)
    assert len({one.code for one in found}) <= 4, [str(one) for one in found]


def test_errors_do_not_hide_each_other(findings, clean):
    text = clean.replace("share = 0.5", "share = 2.0").replace('currency = "EUR"', "currency = 5").replace("holds =", "hold =")
    assert [(one.code, one.line) for one in findings(text)] == [
        ("value-wrong", 3),
        ("value-wrong", 44),
        ("value-wrong", 47),
        ("key-unknown", 55),
    ]


@pytest.mark.parametrize(
    ("before", "after", "wrong", "instead"),
    [
        ("share = 0.5", "share = 2.0", "Expected `float` <= 1.0", "`share = 1.0`: Part of what is available to promise that it may show."),
        ('name = "Acme"', 'name = ""', "shop.name: Expected `str` of length >= 1.", '`name = "Acme"`: What people call the shop.'),
        ("[server]", "[server]\nport = 0", "server.port", "`port = 8700`: Port of webhooks and API."),
        ("[orders]", "[orders]\nearly_s = 0", "orders.early_s", "`early_s = 86400`: How long"),
        ('targets = ["depot"]', 'targets = "depot"', "targets: Expected `array`", '`targets = ["depot"]`: The systems that are told'),
        ("asks_first = true", 'asks_first = "yes"', "channels.till.asks_first", "`asks_first = false`: True: it reserves"),
        ('token = "env:SHOP_TOKEN"', "token = 5", "env:NAME or file:PATH", '`token = "env:NAME"`'),
        ("[server]", "orders = 5\n[server]", '"orders" means nothing in [shop]', "or leave it out"),
        ('create = ["shop"', 'create = [5, "shop"', "ownership.order.all.create", "`create = []`: Systems that may bring"),
        ("[owners.ops]", "[owners]\nidle = 5\n[owners.ops]", "owners.idle: ", "a table: `[owners.idle]`"),
        ("[server]\n", '[server]\nlisten = "not an address"\n', '"not an address" is no address', '`listen = "127.0.0.1"`'),
        ("[server]\n", '[server]\nlisten = "127.0.0.1:8700"\n', "is no address", "`port` stands apart"),
        ("[server]\n", '[server]\nlisten = ""\n', "is no address", '`listen = "127.0.0.1"`'),
    ],
)
def test_a_wrong_value_is_answered_with_one_that_fits(findings, clean, before, after, wrong, instead):
    assert before in clean
    found = [one for one in findings(clean.replace(before, after, 1)) if one.code in ("value-wrong", "key-unknown")]
    assert len(found) == 1 and wrong in found[0].wrong and instead in found[0].instead, [str(one) for one in found]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('source = "depot"', 'source = "depto"'),
        ('source = "till"', 'source = "tyll"'),
        ('object = "order"\nsource = "shop"\ntargets = ["depot"]', 'object = "order"\nsource = "shop"\ntargets = ["depto"]'),
        ('system = "market"', 'system = "markt"'),
        (
            'create = ["mainstay"]\nconsume = ["shop", "market", "till"]',
            'create = ["mainstay"]\nconsume = ["shop", "market", "till", "depto"]',
        ),
    ],
)
def test_of_a_system_that_is_unknown_nothing_else_is_said(findings, clean, before, after):
    """What would follow from the mistake leads to the next one: `create = ["depot", "depto"]`."""
    assert before in clean
    found = findings(clean.replace(before, after, 1))
    assert [one.code for one in found] == ["system-unknown"], [str(one) for one in found]


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("/", "holds this file"), (".", "holds this file"), ("./inbox/..", "holds this file"), ("..", "holds this file"),
        ("mainstay-data", "folder of the store"), ("mainstay-data/in", "folder of the store"), ("/srv/shop/mainstay-data/", "of the store"),
        ("in/done", 'is where what flow "a" has read is put'), ("in/refused/again", 'what flow "a" has read'), ("inbox", ""), ("done", ""),
    ],
)  # fmt: skip
def test_a_folder_of_files_holds_nothing_else(findings, clean, folder, said):
    text = clean.replace(
        "[flows.till-orders]", PEOPLE.replace("./in/people/", folder).replace('"mainstay"\ntar', '"till"\ntar') + "[flows.till-orders]"
    )
    found = [one for one in findings(text) if one.code == "folder-unfit"]
    assert [said in one.wrong for one in found] == ([True] if said else []), [str(one) for one in findings(text)]


def test_a_page_that_is_not_there_is_said_once(findings, clean):
    found = [one for one in findings(clean.replace("runbooks.md", "ABSENT.md")) if one.code == "page-missing"]
    assert len(found) == 1 and clean.splitlines()[found[0].line - 1].startswith("runbook")


@pytest.mark.parametrize(("url", "code"), [("https://", "value-wrong"), ("https://[", "value-wrong"), ("shop.example", "value-wrong")])
def test_a_url_that_nobody_can_call_is_no_url(findings, clean, url, code):
    found = findings(clean.replace('"https://mainstay.acme.example"', f'"{url}"'))
    assert code in [one.code for one in found]


@pytest.mark.parametrize("listen", ["127.0.0.1", "::1", "localhost", "0.0.0.0", "10.1.2.3", "fd00::5", "box.lan"])
def test_any_address_can_be_listened_on_behind_https(findings, clean, listen):
    assert findings(clean.replace("[server]", f'[server]\nlisten = "{listen}"', 1)) == []


def test_a_local_url_hides_no_open_door(findings, clean):
    open_ = clean.replace('url = "https://mainstay.acme.example"', 'listen = "0.0.0.0"\nurl = "http://127.0.0.1:8700"')
    assert "listen-exposed" in {one.code for one in findings(open_)}


def test_one_token_for_two_is_found_by_its_value_too(findings, clean):
    """By whatever way they refer to it: a channel's token that is the operators' makes the people's door the channel's."""
    text = clean.replace('connector = "api"\nowner = "ops"', 'connector = "api"\nowner = "ops"\nsettings.token = "env:TILL"')
    held = {"env:TILL": "same", "file:api-token": "same", "env:SHOP_TOKEN": "other"}
    (one,) = (one for one in findings(text, secrets=lambda reference: Secret(held[reference])) if one.code == "token-shared")
    assert one.wrong == 'systems.till.settings.token is the token of the operators, too: system "till" would pass for the operators.'
    held["env:TILL"] = "its own"
    assert findings(text, secrets=lambda reference: Secret(held[reference])) == []


@pytest.mark.parametrize(
    "deep",
    ["x = " + "[" * 50_000, "x = " + "[" * 5_000 + "]" * 5_000, "x = " + "{a=" * 900 + "1" + "}" * 900, "x" + ".a" * 5_000 + " = 1"],
    ids=["open", "lists", "tables", "key"],
)
def test_what_is_nested_without_end_is_refused_at_its_line(findings, clean, deep):
    (one,) = findings(f"{clean}[systems.deep.settings]\n{deep}\n")
    assert (one.code, one.line) == ("toml-too-deep", clean.count("\n") + 2)


def test_a_secret_is_not_repeated_in_a_finding(findings, clean):
    found = findings(clean.replace('"env:SHOP_TOKEN"', '"shpat_0123"'))
    assert "shpat_0123" not in "".join(map(str, found))


@pytest.mark.parametrize(
    ("before", "after", "where"),
    [
        ('contact = "ops@acme.example"', 'contact = "…"', "owners.ops.contact"),
        ('url = "https://mainstay.acme.example"', 'url = "https://…"', "server.url"),
        ('"env:SHOP_TOKEN"', '"…"', "systems.shop.settings.token"),
        ('"env:SHOP_TOKEN"', '["env:SHOP_TOKEN", "…"]', "systems.shop.settings.token.1"),
    ],
)
def test_a_placeholder_is_found_wherever_it_was_left(findings, clean, before, after, where):
    assert before in clean
    found = findings(clean.replace(before, after, 1))
    assert [one.wrong for one in found if one.code == "placeholder"] == [f"{where} is still the … that stands for a value of yours."]


def test_a_runbook_that_is_a_placeholder_is_found(findings, clean):
    assert 'runbook = "' in clean
    found = findings(re.sub(r'runbook = "[^"]*"', 'runbook = "…"', clean, count=1))
    assert "placeholder" in {one.code for one in found}


def test_a_system_may_not_be_called_as_people_are(findings, clean):
    """Its token would pass for theirs."""
    found = findings(clean + '[systems.operator]\nconnector = "api"\nowner = "ops"\n')
    assert "name-reserved" in {one.code for one in found}


def test_a_list_of_secrets_is_checked_one_by_one(findings, clean):
    found = findings(clean.replace('"env:SHOP_TOKEN"', '["env:GOOD", "env:OLD"]'), secrets=lambda reference: reference != "env:OLD")
    assert [one.wrong for one in found if one.code == "secret-missing"] == [
        "systems.shop.settings.token refers to env:OLD, but nothing is there."
    ]


def test_stock_that_is_one_pool_may_be_shown_whole_everywhere(findings, clean):
    assert findings(clean.replace("share = 0.5", "share = 1.0")) == []


def test_a_loop_over_three_systems_is_named(findings, clean):
    flow = '[flows.{0}]\nobject = "price"\nsource = "{0}"\ntargets = ["{1}"]' + FLOW
    ring = "".join(flow.format(*pair) for pair in (("shop", "market"), ("market", "depot"), ("depot", "shop")))
    loops = [one.wrong for one in findings(clean + ring) if one.code == "loop"]
    assert loops == ["price goes round: depot -> shop -> market -> depot."]


@pytest.mark.parametrize(
    ("before", "after", "wrong", "instead"),
    [
        (
            'pattern = "direct"\nlatency = "checkout-blocking"',
            'pattern = "poll"\nlatency = "checkout-blocking"',
            "which poll cannot do",
            "'direct'",
        ),
        (
            'pattern = "event"\nlatency = "real-time"',
            'pattern = "event"\nlatency = "checkout-blocking"',
            "which event cannot do",
            "'direct'",
        ),
        (
            '["shop", "market", "till"]\npattern = "direct"\nlatency = "real-time"',
            '["shop"]\npattern = "direct"\nlatency = "checkout-blocking"',
            "Store manages real-time",
            "real-time",
        ),
    ],
)
def test_a_need_that_cannot_be_met_says_what_can(findings, clean, before, after, wrong, instead):
    assert before in clean
    unmet = [one for one in findings(clean.replace(before, after)) if one.code == "latency-unmet"]
    assert len(unmet) == 1 and wrong in unmet[0].wrong and instead in unmet[0].instead


def test_a_flow_that_nobody_answers_for(findings, clean):
    text = clean.replace('latency = "checkout-blocking"\nowner = "ops"', 'latency = "checkout-blocking"\nowner = ""')
    assert [(one.code, one.wrong) for one in findings(text)] == [("owner-missing", "Nobody answers for flows.till-orders.")]


def test_without_a_url_a_shop_that_only_polls_is_told_what_becomes_of_events(findings, clean):
    """`init` writes polls where no url is given: nothing waits for events, and what is sent all the same changes nothing."""
    polled = clean.replace('url = "https://mainstay.acme.example"\n', "").replace('pattern = "event"', 'pattern = "poll"')
    (one,) = (one for one in findings(polled) if one.code == "url-missing")
    assert one.wrong == "There is no url for events: shop could send them, and a delivery that comes all the same is only noted."
    assert '`pattern = "event"`' in one.instead
    assert not [one for one in findings(clean.replace('pattern = "event"', 'pattern = "poll"')) if one.code == "url-missing"]


SCHEDULE = 'targets = ["mainstay"]\npattern = "schedule"\nlatency = "{latency}"\nat = {at}'


@pytest.mark.parametrize(
    ("at", "latency", "said"),
    [
        ('["02:30"]', "next-cycle", ""),
        ('["02:30", "14:00", "08:00", "20:00"]', "same-day", ""),
        ('["02:30", "14:00"]', "same-day", "12.5 h pass between two of its times"),
        ('["02:30"]', "real-time", "needs real-time, which schedule cannot do"),
        ('["2:30"]', "next-cycle", "flows.counts.at: Expected `str` matching regex"),
        ('["24:00"]', "next-cycle", "flows.counts.at: Expected `str` matching regex"),
        ('"02:30"', "next-cycle", "flows.counts.at: Expected `array`, got `str`"),
    ],
)
def test_times_of_day_are_times_and_come_often_enough(findings, clean, at, latency, said):
    found = findings(clean.replace(COUNTS, SCHEDULE.format(at=at, latency=latency)))
    assert [said in one.wrong for one in found] == ([True] if said else []), [str(one) for one in found]
    if said.startswith("flows.counts.at"):
        assert found[0].instead.startswith('`at = ["02:30"]`' if at == '"02:30"' else '`at = ["02:30","14:00"]`')


def test_what_else_needs_the_feed_of_a_schedule_is_named(findings, clean, offers):
    at_night = clean.replace(COUNTS, SCHEDULE.format(at='["02:30"]', latency="next-cycle"))
    feeds = {"depot": msgspec.structs.replace(offers["depot"], feeds=(frozenset({"inventory"}), frozenset({"order", "inventory"})))}
    (told,) = findings(at_night, {**offers, **feeds})
    assert told.code == "schedule-overruled" and 'says what became of what "depot" is told' in told.wrong
    parcels = '[flows.p]\nobject = "order"\nsource = "depot"\ntargets = ["mainstay"]' + FLOW + "[flows.till-orders]"
    needed = findings(at_night.replace("[flows.till-orders]", parcels), {**offers, **feeds})
    assert "which flows of order need all day" in next(one.wrong for one in needed if one.code == "schedule-overruled")


def test_a_folder_may_bring_several_objects_of_one_system_and_none_of_a_connector_that_has_no_words_of_ours(findings, clean):
    both = PEOPLE.replace("./in/people/", "in/").replace('source = "mainstay"', 'source = "till"').replace("inventory", "order")
    assert "folder-shared" not in [one.code for one in findings(clean.replace("[flows.till-orders]", both + "[flows.till-orders]"))]
    (cannot,) = findings(clean.replace(COUNTS, COUNTS.replace("poll", 'file"\nfolder = "in')))
    assert cannot.code == "source-cannot-bring" and "Depot cannot bring inventory in by file" in cannot.wrong


@pytest.mark.parametrize(
    ("key", "pattern"), [('at = ["02:30"]', "schedule"), ('timezone = "Asia/Tokyo"', "schedule"), ('folder = "in"', "file")]
)
def test_a_key_that_its_pattern_does_not_use_is_named(findings, clean, key, pattern):
    (found,) = findings(clean.replace(COUNTS, f"{COUNTS}\n{key}"))
    assert found.code == "key-ignored" and f'`pattern = "{pattern}"`' in found.instead


MAIL = '[alerts.smtp]\nhost = "smtp.acme.example"\nsender = "m@acme.example"\n'


@pytest.mark.parametrize(
    ("added", "code", "said"),
    [
        (MAIL, "", ""),
        (MAIL + 'tls = "none"\n', "url-insecure", 'Mail to "smtp.acme.example"'),
        (MAIL + 'user = "u"\n', "smtp-incomplete", "names a user and no password"),
        (MAIL + 'user = "u"\npassword = "hunter2"\n', "secret-in-plain-text", "alerts.smtp.password is a secret"),
        (MAIL + 'user = "u"\npassword = "env:ABSENT"\n', "secret-missing", "refers to env:ABSENT"),
        (HOOK.replace("env:PAGER_SECRET", "whsec_abc"), "secret-in-plain-text", "alerts.webhooks.pager.secret is a secret"),
        (HOOK.replace("https:", "http:"), "url-insecure", "pager.acme.example"),
        (HOOK.replace("https://pager.acme.example", "pager"), "value-wrong", '"pager" is no address'),
        (HOOK, "", ""),
    ],
)
def test_alerts_go_where_nobody_else_reads_them(findings, clean, added, code, said):
    owner = CONTACT + ('alerts = ["pager"]\n' if "webhooks" in added else "")
    found = findings(clean.replace(CONTACT, owner + added, 1), secrets=lambda reference: "ABSENT" not in reference)
    assert [one.code for one in found] == ([code] if code else []), [str(one) for one in found]
    assert all(said in one.wrong for one in found)


@pytest.mark.parametrize(
    ("since", "code"), [("yesterday", "value-wrong"), ("2026-02-30T09:00:00Z", "value-wrong"), ("2026-02-28T09:00:00Z", "")]
)
def test_a_system_is_looked_after_since_a_moment_of_the_calendar(findings, clean, since, code):
    found = findings(clean.replace("[systems.shop]\n", f'[systems.shop]\nsince = "{since}"\n', 1))
    assert [one.code for one in found] == ([code] if code else [])


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('quiet = "22-7"', "value-wrong"),
        ('timezone = "Mars/Base"', "zone-unknown"),
        ("remind_s = 5", "value-wrong"),
        ('quiet = "22:00-07:00"', ""),
    ],
)
def test_quiet_hours_are_hours(findings, clean, line, code):
    assert [one.code for one in findings(clean.replace(CONTACT, CONTACT + line + "\n", 1))] == ([code] if code else [])


def test_an_owner_whose_contact_is_no_address_is_not_told_by_mail(findings, clean):
    found = findings(clean.replace(CONTACT, 'contact = "slack:#ops"\nalerts = ["smtp"]\n' + MAIL, 1))
    assert [one.code for one in found] == ["alert-way-unknown"] and "their contact is no address" in found[0].wrong
