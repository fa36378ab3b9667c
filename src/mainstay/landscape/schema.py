"""The JSON Schema of mainstay.toml, for editors: completion, hover texts and red lines while typing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from mainstay.landscape.admit import EVERY, GROUPS
from mainstay.landscape.declared import OBJECTS, Landscape
from mainstay.landscape.offers import Offer


def schema(offers: Mapping[str, Offer]) -> dict[str, Any]:
    """JSON Schema 2020-12 of the whole file, with the settings of each offered connector."""
    whole = msgspec.json.schema(Landscape)
    whole["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    whole["title"] = "mainstay.toml"
    parts = whole["$defs"]
    parts["System"]["properties"]["connector"]["enum"] = sorted(offers)
    parts["System"]["allOf"] = [_settings_of(name, offers[name], parts) for name in sorted(offers)]
    parts["Flow"]["properties"]["object"]["enum"] = list(OBJECTS)
    parts["Landscape"]["properties"]["ownership"] = _ownership(parts["Landscape"]["properties"]["ownership"])
    return whole


def _settings_of(name: str, offer: Offer, parts: dict[str, Any]) -> dict[str, Any]:
    """If the connector is this one, its settings are these. Their own parts join those of the file, where references look for them."""
    properties = {one.name: one.schema for one in offer.settings}
    for schema in properties.values():
        parts.update(schema.pop("$defs", {}))
    settings = {
        "type": "object",
        "properties": properties,
        "required": [one.name for one in offer.settings if one.required],
        "additionalProperties": False,
    }
    then: dict[str, Any] = {"properties": {"settings": settings}}
    if settings["required"]:
        then["required"] = ["settings"]
    return {"if": {"properties": {"connector": {"const": name}}}, "then": then}


def _ownership(plain: Mapping[str, Any]) -> dict[str, Any]:
    """The objects by name, each with its own field groups."""
    rule = {"$ref": "#/$defs/Rule"}
    objects = {
        obj: {"type": "object", "properties": dict.fromkeys((*groups, EVERY), rule), "additionalProperties": False}
        for obj, groups in GROUPS.items()
    }
    return {**plain, "properties": objects, "additionalProperties": False}
