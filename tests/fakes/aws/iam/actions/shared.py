"""What the rows of several services need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...wire import Call
from ..patterns import PolicyError
from ..request import Request, Value, account_of

RESOURCE_TAGS = frozenset({"aws:resourcetag/"})
REQUEST_TAGS = frozenset({"aws:requesttag/", "aws:tagkeys"})


def arn(call: Call, resource: str, service: str = "", account: str = "", region: str | None = None) -> str:
    """The ARN of something in the caller's account and region."""
    place = call.region if region is None else region
    return f"arn:aws:{service or call.service}:{place}:{account or call.account}:{resource}"


def request(
    action: str,
    resource: str,
    known: Iterable[str] = (),
    tags: Mapping[str, str] | None = None,
    asked: Mapping[str, str] | None = None,
    more: Mapping[str, Value] | None = None,
    prefixes: tuple[str, ...] = ("aws:resourcetag/",),
) -> Request:
    """A request; `tags` are those of the resource, `asked` those in the call."""
    context: dict[str, Value] = {f"{prefix}{key.lower()}": value for prefix in prefixes for key, value in (tags or {}).items()}
    context |= {f"aws:requesttag/{key.lower()}": value for key, value in (asked or {}).items()}
    if asked:
        context["aws:tagkeys"] = tuple(asked)
    if account_of(resource):
        context["aws:resourceaccount"] = account_of(resource)
    return Request(action, resource, {**context, **(more or {})}, frozenset(known))


def members(call: Call, prefix: str) -> list[dict[str, str]]:
    """The elements of a list in the query form: `Tags.member.1.Key=…` -> [{"Key": …}]; "" is the element itself."""
    found: dict[int, dict[str, str]] = {}
    for name, value in call.params.items():
        if not name.startswith(f"{prefix}."):
            continue
        parts = [part for part in name[len(prefix) + 1 :].split(".") if part not in ("member", "Tag", "VpcSecurityGroupId")]
        if not parts or not parts[0].isdigit():
            raise PolicyError(f"{call.iam_action}: the parameter {name} is no element of a list")
        found.setdefault(int(parts[0]), {})[".".join(parts[1:])] = value
    return [found[number] for number in sorted(found)]


def pairs(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag.get("Value", "") for tag in tags}


def only(call: Call, *names: str) -> None:
    """Refuses a call with a parameter that the row has not thought about."""
    strange = {name.split(".")[0] for name in call.params} - {"Action", "Version", *names}
    if strange:
        raise PolicyError(f"{call.iam_action}: the row does not know the parameters {', '.join(sorted(strange))}")
