"""Wildcards and policy variables."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache

VARIABLE = re.compile(r"\$\{([^}]*)\}")
# `${*}` and the like stand for the character itself.
LITERALS = {"*": "*", "?": "?", "$": "$"}


class PolicyError(Exception):
    """A document uses something that is wrong or that the evaluator does not know."""


class MissingVariable(Exception):
    """A policy variable has no value in this request: the statement does not apply."""


def matches(pattern: str, value: str, context: Mapping[str, object] | None = None) -> bool:
    """Whether a text matches a pattern with `*`, `?` and policy variables. Case counts."""
    return bool(_compiled(_expression(pattern, context)).fullmatch(value))


def matches_action(pattern: str, action: str) -> bool:
    """Actions are compared without case; `rds:*` and `*` are patterns."""
    if pattern != "*" and not re.fullmatch(r"[A-Za-z0-9-]+:[A-Za-z0-9*?]+", pattern):
        raise PolicyError(f"`{pattern}` is no action")
    return bool(_compiled(_expression(pattern.lower(), None)).fullmatch(action.lower()))


def matches_arn(pattern: str, arn: str, context: Mapping[str, object] | None = None) -> bool:
    """Whether an ARN matches, part by part: a wildcard does not reach over the first five colons."""
    wanted, have = pattern.split(":", 5), arn.split(":", 5)
    if len(wanted) != 6 or wanted[0] != "arn":
        raise PolicyError(f"`{pattern}` is no ARN")
    return len(have) == 6 and all(matches(part, given, context) for part, given in zip(wanted, have, strict=True))


def matches_resource(pattern: str, resource: str, context: Mapping[str, object]) -> bool:
    """Whether an entry of Resource covers a resource; only `*` covers calls that have no resource."""
    if pattern == "*":
        return True
    matches_arn(pattern, "arn:aws:service:region:account:nothing", context)
    return resource != "*" and matches_arn(pattern, resource, context)


def substituted(text: str, context: Mapping[str, object] | None) -> str:
    """A text with the values of its policy variables."""
    return "".join(value for _, value in _pieces(text, context))


def _expression(pattern: str, context: Mapping[str, object] | None) -> str:
    wild: Callable[[str], str] = lambda text: re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")
    return "".join(re.escape(text) if literal else wild(text) for literal, text in _pieces(pattern, context))


def _pieces(text: str, context: Mapping[str, object] | None) -> list[tuple[bool, str]]:
    """The text in pieces: written in the pattern, or (true) the value of a variable, where `*` is a character."""
    pieces, end = [], 0
    for found in VARIABLE.finditer(text):
        pieces += [(False, text[end : found.start()]), (True, _value(found[1], context))]
        end = found.end()
    return [*pieces, (False, text[end:])]


def _value(name: str, context: Mapping[str, object] | None) -> str:
    if name in LITERALS:
        return LITERALS[name]
    key, _, default = (part.strip() for part in name.partition(","))
    value = (context or {}).get(key.lower())
    if isinstance(value, str):
        return value
    if default:
        return default.strip("'")
    raise MissingVariable(key)


@cache
def _compiled(expression: str) -> re.Pattern:
    return re.compile(expression, re.DOTALL)
