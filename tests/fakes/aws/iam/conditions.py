"""The operators of a Condition block.

All operators of a block, and all keys of an operator, must hold; of the values of one key one is enough, or for negated
operators none may match. A key without a value: false, but true for negated operators and with `IfExists`; `Null` asks
for exactly that. Keys with several values need `ForAnyValue:` (false for a key without values) or `ForAllValues:` (true
for a key without values).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .patterns import PolicyError, matches, matches_arn, substituted
from .request import Request

Test = Callable[[str, str, Mapping[str, object]], bool]


def _number(compare: Callable[[float, float], bool]) -> Test:
    def test(wanted: str, have: str, context: Mapping[str, object]) -> bool:
        try:
            return compare(float(have), float(wanted))
        except ValueError:
            return False

    return test


def _equal(wanted: str, have: str, context: Mapping[str, object]) -> bool:
    return substituted(wanted, context) == have


def _equal_without_case(wanted: str, have: str, context: Mapping[str, object]) -> bool:
    return substituted(wanted, context).lower() == have.lower()


def _like(wanted: str, have: str, context: Mapping[str, object]) -> bool:
    return matches(wanted, have, context)


def _arn(wanted: str, have: str, context: Mapping[str, object]) -> bool:
    return matches_arn(wanted, have, context)


def _bool(wanted: str, have: str, context: Mapping[str, object]) -> bool:
    if wanted.lower() not in ("true", "false"):
        raise PolicyError(f"Bool wants true or false, not `{wanted}`")
    return wanted.lower() == have.lower()


# Name -> (test, negated). ArnEquals and ArnLike are the same, as AWS says.
OPERATORS: dict[str, tuple[Test, bool]] = {
    "stringequals": (_equal, False),
    "stringnotequals": (_equal, True),
    "stringequalsignorecase": (_equal_without_case, False),
    "stringnotequalsignorecase": (_equal_without_case, True),
    "stringlike": (_like, False),
    "stringnotlike": (_like, True),
    "arnequals": (_arn, False),
    "arnlike": (_arn, False),
    "arnnotequals": (_arn, True),
    "arnnotlike": (_arn, True),
    "bool": (_bool, False),
    "numericequals": (_number(lambda have, wanted: have == wanted), False),
    "numericnotequals": (_number(lambda have, wanted: have == wanted), True),
    "numericlessthan": (_number(lambda have, wanted: have < wanted), False),
    "numericlessthanequals": (_number(lambda have, wanted: have <= wanted), False),
    "numericgreaterthan": (_number(lambda have, wanted: have > wanted), False),
    "numericgreaterthanequals": (_number(lambda have, wanted: have >= wanted), False),
}
SETS = ("forallvalues", "foranyvalue")


def hold(block: Mapping[str, Mapping[str, object]], request: Request) -> bool:
    """Whether a Condition block holds. Every operator and key is checked, also behind one that does not hold."""
    results = [
        _holds(operator, key, _texts(wanted), request)
        for operator, keys in block.items()
        for key, wanted in keys.items()
    ]
    return all(results)


def _holds(operator: str, key: str, wanted: list[str], request: Request) -> bool:
    qualifier, name, if_exists = _parse(operator)
    value = request.value(key)
    if name == "null":
        return _bool(wanted[0], str(value is None).lower(), {})
    test, negated = OPERATORS[name]

    def one(have: str) -> bool:
        return any(test(text, have, request.context) for text in wanted) != negated

    if qualifier:
        values = [] if value is None else [value] if isinstance(value, str) else list(value)
        if qualifier == "forallvalues":
            return all(one(have) for have in values)
        return any(one(have) for have in values)
    if value is None:
        return if_exists or negated
    if not isinstance(value, str):
        raise PolicyError(f"{key} has several values: {operator} needs ForAnyValue: or ForAllValues:")
    return one(value)


def _parse(operator: str) -> tuple[str, str, bool]:
    qualifier, _, name = operator.lower().rpartition(":")
    if_exists = name.endswith("ifexists")
    name = name.removesuffix("ifexists")
    if (qualifier and qualifier not in SETS) or (name not in OPERATORS and name != "null"):
        raise PolicyError(f"the evaluator does not know the condition operator {operator}")
    if name == "null" and (if_exists or qualifier):
        raise PolicyError(f"{operator} makes no sense")
    return qualifier, name, if_exists


def _texts(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(one, str | bool | int) for one in values):
        raise PolicyError(f"{value!r} is no value of a condition")
    return [str(one).lower() if isinstance(one, bool) else str(one) for one in values]
