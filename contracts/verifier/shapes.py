"""JSON Schema as far as the formats use it: how shapes are written here, and what checks them."""

from __future__ import annotations

import re
from typing import Any, Dict

Schema = Dict[str, Any]
LARGEST = 2**53 - 1


def text(pattern: str) -> Schema:
    """Text that `pattern` matches from end to end."""
    return {"type": "string", "pattern": "^" + pattern + "$"}


def members(required: Schema, optional: Schema | None = None) -> Schema:
    """An object with these members and no other."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": sorted(required),
        "additionalProperties": False,
    }


def table(names: str, values: Schema, most: int) -> Schema:
    """An object whose members are named by a pattern."""
    return {
        "type": "object",
        "propertyNames": {"pattern": "^" + names + "$"},
        "additionalProperties": values,
        "maxProperties": most,
    }


def listed(items: Schema, least: int, most: int) -> Schema:
    """A list of so many."""
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


def public_id(prefix: str) -> Schema:
    """As `docs/formats/identifiers.md` has it."""
    return text(prefix + "_[0-7][0-9a-hjkmnp-tv-z]{25}")


def or_null(shape: Schema) -> Schema:
    """A value of this shape, or null."""
    return {"oneOf": [shape, {"type": "null"}]}


_TYPES: Dict[str, type] = {
    "string": str, "array": list, "object": dict, "boolean": bool, "null": type(None),
}  # fmt: skip


def faults(value: Any, schema: Schema, defs: Schema, place: str = "file") -> list[str]:
    """Where `value` leaves `schema`: short texts that name places, never contents."""
    if "$ref" in schema:
        schema = defs[schema["$ref"].rsplit("/", 1)[1]]
    if "oneOf" in schema:
        fitting = sum(1 for one in schema["oneOf"] if not faults(value, one, defs, place))
        return [] if fitting == 1 else [place + ": has none of the shapes allowed here"]
    if "const" in schema:
        same = type(value) is type(schema["const"]) and value == schema["const"]
        return [] if same else [place + ": is not the value fixed for it"]
    if "enum" in schema:
        known = isinstance(value, str) and value in schema["enum"]
        return [] if known else [place + ": is none of the values allowed"]
    if schema["type"] == "integer":
        whole = isinstance(value, int) and not isinstance(value, bool)
        return [] if whole and value >= schema["minimum"] else [place + ": is not such a number"]
    if not isinstance(value, _TYPES[schema["type"]]):
        return [place + ": is not of type " + schema["type"]]
    return _INSIDE[schema["type"]](value, schema, defs, place)


def _in_table(value: Any, schema: Schema, defs: Schema, place: str) -> list[str]:
    if len(value) > schema["maxProperties"]:
        return [place + ": has too many members"]
    found = []
    for number, (name, part) in enumerate(value.items()):
        if re.fullmatch(schema["propertyNames"]["pattern"], name) is None:
            found.append("%s: the name of member %d is not written as it must be" % (place, number))
        found += faults(part, schema["additionalProperties"], defs, "%s(%d)" % (place, number))
    return found


def _in_object(value: Any, schema: Schema, defs: Schema, place: str) -> list[str]:
    if "propertyNames" in schema:
        return _in_table(value, schema, defs, place)
    found = [
        place + "." + name + ": is missing" for name in schema["required"] if name not in value
    ]
    if any(name not in schema["properties"] for name in value):
        found.append(place + ": has a member that this version does not know")
    for name, part in schema["properties"].items():
        if name in value:
            found += faults(value[name], part, defs, place + "." + name)
    return found


def _in_array(value: Any, schema: Schema, defs: Schema, place: str) -> list[str]:
    if not schema["minItems"] <= len(value) <= schema["maxItems"]:
        return [place + ": has too few or too many items"]
    found = []
    for number, item in enumerate(value):
        found += faults(item, schema["items"], defs, "%s[%d]" % (place, number))
    return found


def _in_string(value: Any, schema: Schema, _defs: Schema, place: str) -> list[str]:
    fits = len(value) <= schema.get("maxLength", len(value))
    fits = fits and re.fullmatch(schema["pattern"], value) is not None
    return [] if fits else [place + ": is not written as it must be"]


def _as_it_is(_value: Any, _schema: Schema, _defs: Schema, _place: str) -> list[str]:
    return []


_INSIDE = {
    "object": _in_object,
    "array": _in_array,
    "string": _in_string,
    "boolean": _as_it_is,
    "null": _as_it_is,
}
