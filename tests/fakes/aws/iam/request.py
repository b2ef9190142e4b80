"""One question to IAM: may this principal do this action on this resource, in this context?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .patterns import PolicyError

Value = str | tuple[str, ...]

# Keys that every request may have, with or without a value. Names end in `/` where anything may follow.
GLOBAL_KEYS = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:principaltype",
        "aws:principaltag/",
        "aws:userid",
        "aws:username",
        "aws:requestedregion",
        "aws:resourceaccount",
        "aws:resourceorgid",
        "aws:viaawsservice",
    }
)


@dataclass(frozen=True)
class Request:
    """Keys are in lower case. `known` are the keys that the action has beside the global ones, also without a value."""

    action: str
    resource: str
    context: Mapping[str, Value] = field(default_factory=dict)
    known: frozenset[str] = frozenset()

    def value(self, key: str) -> Value | None:
        """The value of a condition key; a key that the action does not have is an error of the document."""
        name = key.lower()
        if name not in self.context and not self._knows(name):
            raise PolicyError(f"{self.action} has no condition key {key}")
        return self.context.get(name)

    def with_context(self, more: Mapping[str, Value]) -> Request:
        return replace(self, context={**self.context, **more})

    def as_dict(self) -> dict:
        return {"action": self.action, "resource": self.resource, "context": dict(self.context)}

    def _knows(self, name: str) -> bool:
        return any(
            name == key or (key[-1] in "/:" and name.startswith(key) and name != key)
            for key in GLOBAL_KEYS | self.known
        )


def account_of(arn: str) -> str:
    """The account that an ARN names; nothing where it names none."""
    parts = arn.split(":")
    return parts[4] if len(parts) > 5 else ""
