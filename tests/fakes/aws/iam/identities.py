"""The caller's policies and what is known about the caller, as moto has it."""

from __future__ import annotations

from moto.core.exceptions import ServiceException
from moto.iam.models import iam_backends
from moto.organizations.models import organizations_backends
from moto.sts.models import sts_backends

from ..seed import HUB_KEY
from ..wire import Call
from .policy import Holdings, Policy, Principal
from .request import Value, account_of

# What moto sets on a role that Organizations made with an account. The seed enters by it.
MADE_BY_ORGANIZATIONS = "made_by_organizations"


def is_bootstrap(call: Call) -> bool:
    """Whether the caller prepares the test: the key that nobody made, and the roles that Organizations makes."""
    if call.access_key == HUB_KEY["aws_access_key_id"]:
        return True
    role = role_of(call.extra["role_arn"]) if "role_arn" in call.extra else None
    return role is not None and getattr(role, MADE_BY_ORGANIZATIONS, False)


def role_of(arn: str) -> object | None:
    account = arn.split(":")[4] if arn.count(":") >= 5 else ""
    if account not in iam_backends:
        return None
    return next((role for role in iam_backends[account]["aws"].roles.values() if role.arn == arn), None)


def holdings_of(call: Call) -> Holdings:
    """The policies of a user (its groups' too) or of the role of a session, with the limits of both."""
    principal = Principal(call.principal, call.account, call.extra.get("role_arn", ""))
    session = sts_backends[call.account]["aws"].get_assumed_role_from_access_key(call.access_key)
    if session is None:
        user = iam_backends[call.account]["aws"].get_user_from_access_key_id(call.access_key)
        return Holdings(principal, _policies_of_user(call.account, user) if user else ())
    role = role_of(session.role_arn)
    if role is None:
        return Holdings(principal)
    limit = (Policy.read("session", session.policy),) if session.policy else None
    return Holdings(principal, _policies(role), _boundary(call.account, role), limit)


def context_of(call: Call) -> dict[str, Value]:
    """The condition keys about the caller."""
    context: dict[str, Value] = {
        "aws:principalaccount": call.account,
        "aws:principalarn": call.extra.get("role_arn") or call.principal,
        "aws:principaltype": "AssumedRole" if "role_arn" in call.extra else "User",
    }
    if ":user/" in call.principal:
        context["aws:username"] = call.principal.split("/")[-1]
    organization = organization_of(call.account)
    if organization:
        context["aws:principalorgid"] = organization
    return context


def about_resource(arn: str) -> dict[str, Value]:
    """The condition keys about the owner of a resource."""
    organization = organization_of(account_of(arn)) if account_of(arn) else None
    return {"aws:resourceorgid": organization} if organization else {}


def organization_of(account: str) -> str | None:
    management, partition = organizations_backends.master_accounts.get(account, (account, "aws"))
    organization = organizations_backends[management][partition].org
    return organization.id if organization is not None else None


def _policies_of_user(account: str, user: object) -> tuple[Policy, ...]:
    groups = iam_backends[account]["aws"].get_groups_for_user(user.name)
    return tuple(policy for holder in (user, *groups) for policy in _policies(holder))


def _policies(holder: object) -> tuple[Policy, ...]:
    inline = [Policy.read(name, document) for name, document in holder.policies.items()]
    return tuple(inline + [_managed(policy) for policy in holder.managed_policies.values()])


def _managed(policy: object) -> Policy:
    return Policy.read(policy.name, next(one.document for one in policy.versions if one.is_default))


def _boundary(account: str, role: object) -> tuple[Policy, ...] | None:
    if not role.permissions_boundary_arn:
        return None
    try:
        return (_managed(iam_backends[account]["aws"].get_policy(role.permissions_boundary_arn)),)
    except ServiceException:
        return ()
