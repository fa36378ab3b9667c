"""Secrets stand outside the file; the file refers to them: env:NAME or file:PATH."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from mainstay.landscape.declared import PLACEHOLDER
from mainstay.landscape.offers import Offer
from mainstay.model.failures import Halt, Reject
from mainstay.model.secrets import Secret

_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:[^\s].*")


def is_reference(text: str) -> bool:
    """Does the text refer to a secret, and not hold one?"""
    return _REFERENCE.fullmatch(text) is not None


def resolve(reference: str, env: Mapping[str, str], read_file: Callable[[str], str]) -> Secret:
    """The secret that a reference leads to; a file's last line break is not part of it.

    Raises Reject `schema` where it is no reference (its text is not repeated: it may be the secret itself), Halt where nothing is there.
    `read_file` takes the path and raises OSError.
    """
    if not is_reference(reference):
        raise Reject('a secret is given by reference: "env:NAME" or "file:PATH"', "schema")
    kind, _, where = reference.partition(":")
    if kind == "env":
        text = env.get(where, "")
    else:
        try:
            text = read_file(where).rstrip("\r\n")
        except OSError as error:
            raise Halt(f"the secret {reference} cannot be read: {error.strerror or type(error).__name__}") from None
    if not text:
        raise Halt(f"the secret {reference} is empty or not set")
    if text == PLACEHOLDER:
        raise Halt(f"the secret {reference} is still {PLACEHOLDER}; put the real one there")
    return Secret(text)


def resolve_settings(values: Mapping[str, Any], offer: Offer, env: Mapping[str, str], read_file: Callable[[str], str]) -> dict[str, Any]:
    """A system's settings with every secret that the connector declares in place of its reference."""
    hidden = {setting.name for setting in offer.settings if setting.secret}
    return {name: _resolved(value, env, read_file) if name in hidden else value for name, value in values.items()}


def _resolved(value: Any, env: Mapping[str, str], read_file: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return resolve(value, env, read_file)
    if isinstance(value, list | tuple):
        return [_resolved(one, env, read_file) for one in value]
    return value
