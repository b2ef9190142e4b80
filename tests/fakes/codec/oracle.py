"""Terraform's msgpack form of values by a codec that we did not write: PyPI pyvider-cty.

usage:  .venv/bin/python tests/fakes/codec/oracle.py        (the test `codec` in tests/protocol starts it like this)

Answers standard input line by line, until it is closed:

  {"encode": VALUE, "type": TYPE}  ->  {"hex": "…"}
  {"decode": "…",   "type": TYPE}  ->  {"value": VALUE}        or {"error": "…"}

TYPE is the JSON form of a type: "string", ["list", "number"], ["object", {"a": "bool"}]. VALUE says what it is:

  null  true  "text"  {"number": "0.1"}  {"list": [VALUE]}  {"set": [VALUE]}  {"map": {…}}  {"object": {…}}
  {"unknown": {"null": false, "prefix": "a-", "lower": ["1", true], "upper": […], "shortest": 0, "longest": 9}}
  {"dynamic": {"type": TYPE, "value": VALUE}}

A tuple is a list here. A value is made part by part, not through `CtyType.validate`: that one calls a list unknown as
soon as one of its elements is, which Terraform does not.
"""

from __future__ import annotations

import json
import sys
from decimal import Decimal

from pyvider.cty import (
    CtyDynamic,
    CtyList,
    CtyMap,
    CtyNumber,
    CtyObject,
    CtySet,
    CtyString,
    CtyTuple,
    CtyType,
    CtyValue,
    parse_tf_type_to_ctytype,
)
from pyvider.cty.codec import cty_from_msgpack, cty_to_msgpack
from pyvider.cty.conversion import encode_cty_type_to_wire_json
from pyvider.cty.values.markers import RefinedUnknownValue


def make(value: object, kind: CtyType) -> CtyValue:
    """The value that a description means."""
    if value is None:
        return CtyValue.null(kind)
    if not isinstance(value, dict):
        return kind.validate(value)
    ((word, content),) = value.items()
    if word == "unknown":
        return CtyValue.unknown(kind, value=_refined(content)) if content else CtyValue.unknown(kind)
    if word == "number":
        return kind.validate(Decimal(content))
    if word == "dynamic":
        inner = make(content["value"], parse_tf_type_to_ctytype(content["type"]))
        return CtyValue(vtype=kind, value=inner)
    if word == "list" and isinstance(kind, CtyTuple):
        parts = tuple(make(part, element) for part, element in zip(content, kind.element_types, strict=True))
        return CtyValue(vtype=kind, value=parts)
    if word == "object":
        parts = {name: make(part, kind.attribute_types[name]) for name, part in content.items()}
        return CtyValue(vtype=kind, value=parts)
    if word == "map":
        parts = {CtyString().validate(key).value: make(part, kind.element_type) for key, part in content.items()}
        return CtyValue(vtype=kind, value=parts)
    elements = [make(part, kind.element_type) for part in content]
    return CtyValue(vtype=kind, value=frozenset(elements) if word == "set" else tuple(elements))


def describe(value: CtyValue) -> object:
    """The description of a value."""
    kind, content = value.type, value.value
    if isinstance(kind, CtyDynamic) and isinstance(content, CtyValue):
        return {"dynamic": {"type": encode_cty_type_to_wire_json(content.type), "value": describe(content)}}
    if isinstance(content, RefinedUnknownValue):
        return {"unknown": _refinements(content)}
    if value.is_null:
        return None
    if isinstance(kind, CtyList | CtyTuple) and isinstance(content, list | tuple):
        return {"list": [describe(part) for part in content]}
    if isinstance(kind, CtySet) and isinstance(content, set | frozenset | list | tuple):
        return {"set": [describe(part) for part in content]}
    if isinstance(kind, CtyMap | CtyObject) and hasattr(content, "items"):
        word = "map" if isinstance(kind, CtyMap) else "object"
        return {word: {name: describe(part) for name, part in content.items()}}
    if value.is_unknown:
        return {"unknown": {}}
    return {"number": _plain(content)} if isinstance(kind, CtyNumber) else content


def _refined(content: dict) -> RefinedUnknownValue:
    def bound(name: str) -> tuple[Decimal, bool] | None:
        return (Decimal(content[name][0]), content[name][1]) if name in content else None

    return RefinedUnknownValue(
        is_known_null=content.get("null"),
        string_prefix=content.get("prefix"),
        number_lower_bound=bound("lower"),
        number_upper_bound=bound("upper"),
        collection_length_lower_bound=content.get("shortest"),
        collection_length_upper_bound=content.get("longest"),
    )


def _refinements(refined: RefinedUnknownValue) -> dict:
    found = {
        "null": refined.is_known_null,
        "prefix": refined.string_prefix,
        "lower": refined.number_lower_bound,
        "upper": refined.number_upper_bound,
        "shortest": refined.collection_length_lower_bound,
        "longest": refined.collection_length_upper_bound,
    }
    bounds = {name: [_plain(found[name][0]), found[name][1]] for name in ("lower", "upper") if found[name]}
    return {name: value for name, value in found.items() if value is not None} | bounds


def _plain(number: Decimal) -> str:
    text = format(Decimal(number), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def answer(order: dict) -> dict:
    kind = parse_tf_type_to_ctytype(order["type"])
    if "encode" in order:
        return {"hex": cty_to_msgpack(make(order["encode"], kind), kind).hex()}
    return {"value": describe(cty_from_msgpack(bytes.fromhex(order["decode"]), kind))}


def main() -> None:
    for line in sys.stdin:
        try:
            said = answer(json.loads(line))
        except Exception as error:  # noqa: BLE001  every failure of the library is an answer
            said = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
