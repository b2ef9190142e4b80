"""STS. Nobody needs a permission to ask who he is, and a web identity has none: its role's trust policy decides."""

from __future__ import annotations

from ...wire import Call
from ..request import Request
from . import shared

ROLE = shared.REQUEST_TAGS | {"sts:externalid", "sts:rolesessionname", "sts:sourceidentity", "sts:transitivetagkeys"}


def _nothing(call: Call) -> list[Request]:
    return []


def _assume_role(call: Call) -> list[Request]:
    asked = shared.pairs(shared.members(call, "Tags"))
    names = {"sts:externalid": "ExternalId", "sts:rolesessionname": "RoleSessionName", "sts:sourceidentity": "SourceIdentity"}
    more = {key: call.params[name] for key, name in names.items() if name in call.params}
    actions = ["sts:AssumeRole", *(["sts:TagSession"] if asked else [])]
    return [shared.request(action, call.params["RoleArn"], ROLE, asked=asked, more=more) for action in actions]


ROWS = {
    "sts:GetCallerIdentity": _nothing,
    "sts:AssumeRole": _assume_role,
}
