"""Organizations. Everything in an organization belongs to its management account."""

from __future__ import annotations

from moto.organizations.models import organizations_backends

from ...wire import Call
from ..request import Request
from . import shared

KINDS = {"r-": "root", "ou-": "ou"}


def _everything(call: Call) -> list[Request]:
    return [shared.request(call.iam_action, "*")]


def _parent(call: Call) -> list[Request]:
    return [_on(call, call.params["ParentId"])]


def _tags(call: Call) -> list[Request]:
    return [_on(call, call.params["ResourceId"])]


def _account(call: Call) -> list[Request]:
    return [_on(call, call.params["AccountId"])]


def _child(call: Call) -> list[Request]:
    return [_on(call, call.params["ChildId"])]


def _on(call: Call, thing: str) -> Request:
    management, partition = organizations_backends.master_accounts.get(call.account, (call.account, "aws"))
    organization = organizations_backends[management][partition].org
    kind = next((kind for prefix, kind in KINDS.items() if thing.startswith(prefix)), "account")
    where = f"arn:aws:organizations::{management}:{kind}/{organization.id if organization else 'none'}/{thing}"
    return shared.request(call.iam_action, where, shared.RESOURCE_TAGS)


ROWS = {
    "organizations:DescribeOrganization": _everything,
    "organizations:ListRoots": _everything,
    "organizations:ListAccounts": _everything,
    "organizations:ListOrganizationalUnitsForParent": _parent,
    "organizations:ListAccountsForParent": _parent,
    "organizations:ListTagsForResource": _tags,
    "organizations:DescribeAccount": _account,
    "organizations:ListParents": _child,
}
