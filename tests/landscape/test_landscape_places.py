"""The line of every key, however it is written."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mainstay.landscape import places

TEXT = '''\
# a comment with [brackets] and = signs
top = 1
[systems.shop]
connector = "shopify"  # [not.a.table]
"quoted key" = 'literal # not a comment'
settings.deep.token = "env:T"

[systems . "my shop" . settings]
text = """
[systems.false]
connector = "no"
"""
list = [
  "a", # one ]
  ["b", "]"],
]
after = 2
inline = { x = 1, y = { z = 2 } }
\'caf\\u00e9\' = 3

[[rules]]
name = "first"
[rules.inner]
a = 1
[[rules]]
name = "second"
[[rules.parts]]
p = 1
[[rules.parts]]
p = 2
raw = \'\'\'
it's [x]
\'\'\'
end = true
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 1),
        (("top",), 2),
        (("systems",), 3),
        (("systems", "shop"), 3),
        (("systems", "shop", "connector"), 4),
        (("systems", "shop", "quoted key"), 5),
        (("systems", "shop", "settings", "deep", "token"), 6),
        (("systems", "shop", "settings", "deep", "absent"), 6),
        (("systems", "shop", "absent"), 3),
        (("systems", "my shop", "settings"), 8),
        (("systems", "my shop", "settings", "text"), 9),
        (("systems", "false", "connector"), 3),
        (("systems", "my shop", "settings", "list"), 13),
        (("systems", "my shop", "settings", "list", 1), 13),
        (("systems", "my shop", "settings", "after"), 17),
        (("systems", "my shop", "settings", "inline", "y", "z"), 18),
        (("systems", "my shop", "settings", "caf\\u00e9"), 19),
        (("rules",), 21),
        (("rules", 0, "name"), 22),
        (("rules", 0, "inner", "a"), 24),
        (("rules", 1), 25),
        (("rules", 1, "name"), 26),
        (("rules", 1, "parts", 0, "p"), 28),
        (("rules", 1, "parts", 1, "p"), 30),
        (("rules", 1, "parts", 1, "raw"), 31),
        (("rules", 1, "parts", 1, "end"), 34),
        (("nowhere",), 1),
    ],
)
def test_each_key_has_its_line(path, line):
    assert places(TEXT)(path) == line


def test_windows_line_ends_and_a_missing_last_one():
    locate = places('[a]\r\nb = """x\r\ny"""\r\nc = 2')
    assert (locate(("a", "b")), locate(("a", "c"))) == (2, 4)


NAMES = some.text("ab.\"'\\[]#= é", min_size=1, max_size=5)


def quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(some.dictionaries(NAMES, some.dictionaries(NAMES, NAMES, max_size=3), max_size=4))
def test_any_table_that_tomllib_reads_is_located(tables):
    """Written so that the line of each key is known: a table's header, then one key a line."""
    lines, expected = [], {}
    for table, keys in tables.items():
        lines.append(f"[{quoted(table)}]")
        expected[(table,)] = len(lines)
        for key, value in keys.items():
            lines.append(f"{quoted(key)} = {quoted(value)} # {value}")
            expected[table, key] = len(lines)
    text = "\n".join(lines)
    assert tomllib.loads(text) == tables
    locate = places(text)
    assert {path: locate(path) for path in expected} == expected
