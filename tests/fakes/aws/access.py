"""Who may do what: trust policies, suspended accounts, the organization's administrators, denied actions.

moto answers any AssumeRole, and gives member accounts an empty list where Organizations refuses. These checks run
before moto sees the call, and answer in the wire form of the service.

Identity policies, session policies and further conditions are the matter of `iam/`, where a test switches that on.
Not looked at: resource policies, SCPs, conditions other than the external id, the organization id and the claims of a web
identity (a statement with any other condition does not match).
An access key that nobody made is the hub's: order a fault with code InvalidClientTokenId to test wrong keys.
"""

from __future__ import annotations

import json
import time
from datetime import timedelta, timezone
from fnmatch import fnmatchcase

from moto.core.utils import utcnow
from moto.iam.models import get_account_id_from, iam_backends
from moto.organizations.models import OrganizationsBackend, organizations_backends
from moto.sts.models import STSBackend, sts_backends
from moto.utilities.utils import get_partition

from . import web_identity
from .iam.identities import is_bootstrap
from .seed import HUB_KEY
from .settings import LOCK, SETTINGS
from .wire import Call, Refusal, access_denied

# What every account of an organization may ask; all other actions need the management account or its delegate.
ANYONE = ("DescribeOrganization",)
READS = ("Describe", "List")


class DenyList:
    """Actions denied by a test: `{"actions": ["rds:Describe*"], "account": …, "region": …}`, `*` is allowed.

    The account of a rule is the caller's; for sts:AssumeRole it may also be the account of the role.
    """

    def __init__(self) -> None:
        self.rules: list[dict] = []

    def add(self, rule: dict) -> None:
        unknown = set(rule) - {"actions", "account", "region"}
        if unknown or not isinstance(rule.get("actions"), list) or not rule["actions"]:
            raise ValueError(f"a deny rule has actions (a list), account, region; got {rule!r}")
        with LOCK:
            self.rules.append(dict(rule))

    def denies(self, call: Call) -> bool:
        accounts = {call.account, _account_of_role(call.params.get("RoleArn", ""))}
        with LOCK:
            return any(
                any(fnmatchcase(call.iam_action.lower(), action.lower()) for action in rule["actions"])
                and rule.get("account", call.account) in accounts
                and rule.get("region", call.region) == call.region
                for rule in self.rules
            )


DENIED = DenyList()
EXTERNAL_ID_TOO_SHORT = (
    "1 validation error detected: Value '{}' at 'externalId' failed to satisfy constraint: "
    "Member must have length greater than or equal to 2"
)
_ends: dict[str, float] = {}


def identify(call: Call) -> None:
    """Fills in the account and the ARN of the caller."""
    call.account, partition = get_account_id_from(call.access_key), get_partition(call.region)
    session = sts_backends[call.account][partition].get_assumed_role_from_access_key(call.access_key)
    user = iam_backends[call.account][partition].get_user_from_access_key_id(call.access_key)
    if session is not None:
        call.principal = session.arn
        call.extra["role_arn"] = session.role_arn
    else:
        call.principal = user.arn if user is not None else f"arn:{partition}:iam::{call.account}:user/moto"


def secret_of(access_key: str) -> dict | None:
    """The key of a session or of the hub, for whoever checks signatures in place of AWS."""
    account = get_account_id_from(access_key)
    if access_key == HUB_KEY["aws_access_key_id"]:
        return {"secret_key": HUB_KEY["aws_secret_access_key"], "account": account}
    found = (one.get_assumed_role_from_access_key(access_key) for one in sts_backends[account].values())
    session = next((session for session in found if session is not None), None)
    if session is None:
        return None
    return {
        "secret_key": session.secret_access_key,
        "session_token": session.session_token,
        "account": account,
        "expires_at": _ends.get(access_key, session.expiration.replace(tzinfo=timezone.utc).timestamp()),
    }


def sessions() -> list[dict]:
    """What AssumeRole handed out, for whoever looks for secrets where none may be."""
    backends = [backend for partitions in sts_backends.values() for backend in partitions.values()]
    roles = [role for backend in backends for role in backend.assumed_roles]
    return [{"secret_key": role.secret_access_key, "session_token": role.session_token} for role in roles]


def refuse(call: Call) -> Refusal | None:
    """The first reason to refuse the call, or None. A delegated administrator's call is moved to the organization."""
    if _ends.get(call.access_key, float("inf")) < time.time():
        code = "ExpiredTokenException" if call.form == "json" else "ExpiredToken"
        status = 400 if call.form == "json" else 403
        return Refusal(code, "The security token included in the request is expired", status)
    if DENIED.denies(call):
        return access_denied(call, call.params.get("RoleArn", "*"))
    if call.service == "organizations":
        return _refuse_organizations(call)
    if call.service == "sts" and SETTINGS.role_checks and call.action in ("AssumeRole", "AssumeRoleWithWebIdentity"):
        return _refuse_assume_role(call)
    return None


def install() -> None:
    """Lets `session_seconds` shorten what AssumeRole hands out, and remembers when such credentials end; puts the role
    of a new account into the partition of its organization."""
    original = STSBackend.assume_role

    def assume_role(self, *args, **kwargs):
        session = original(self, *args, **kwargs)
        if SETTINGS.session_seconds:
            session.expiration = utcnow() + timedelta(seconds=SETTINGS.session_seconds)
            _ends[session.access_key_id] = time.time() + SETTINGS.session_seconds
        return session

    STSBackend.assume_role = assume_role
    create = OrganizationsBackend.create_account

    def create_account(self, **kwargs):
        answer = create(self, **kwargs)
        if self.partition != "aws":
            _move_roles(self.accounts[-1].id, self.partition)
        return answer

    OrganizationsBackend.create_account = create_account


def _move_roles(account: str, partition: str) -> None:
    """moto makes the role of a new account in the partition `aws`, whatever the organization's is."""
    wrong, right = iam_backends[account]["aws"], iam_backends[account][partition]
    for role_id, role in list(wrong.roles.items()):
        document = role.assume_role_policy_document.replace("arn:aws:", f"arn:{partition}:")
        right.create_role(role.name, document, role.path, None, "", [], "3600")
        del wrong.roles[role_id]


def _refuse_organizations(call: Call) -> Refusal | None:
    if organizations_backends[call.account][get_partition(call.region)].org is not None:
        return None
    member_of = organizations_backends.master_accounts.get(call.account)
    if member_of is None:
        if call.action == "CreateOrganization":
            return None
        return Refusal("AWSOrganizationsNotInUseException", "Your account is not a member of an organization.")
    if call.action in ANYONE:
        return None
    management = organizations_backends[member_of[0]][member_of[1]]
    delegated = any(admin.account.id == call.account for admin in management.admins)
    if delegated and call.action.startswith(READS):
        call.extra["act_as"] = member_of[0]
        return None
    return Refusal("AccessDeniedException", "You don't have permissions to access this resource.")


def _refuse_assume_role(call: Call) -> Refusal | None:
    arn = call.params.get("RoleArn", "")
    account = _account_of_role(arn)
    if len(call.params.get("ExternalId", "xx")) < 2:
        return Refusal("ValidationError", EXTERNAL_ID_TOO_SHORT.format(call.params["ExternalId"]))
    # One sentence for a role that is missing, one that refuses and an account that is closed: AWS tells strangers nothing.
    message = f"User: {call.principal} is not authorized to perform: {call.iam_action} on resource: {arn}"
    denied = Refusal("AccessDenied", message, 403)
    if call.action == "AssumeRoleWithWebIdentity":
        refusal = web_identity.refuse(call, account, _partition_of(arn))
        if refusal:
            return refusal
        denied = web_identity.not_trusted()
    if _partition_of(arn) != get_partition(call.region) or account not in iam_backends or _is_suspended(account):
        return denied
    roles = iam_backends[account][_partition_of(arn)].roles.values()
    role = next((role for role in roles if role.arn == arn), None)
    if role is None:
        return denied
    if not _trusted(call, role):
        if call.action == "AssumeRoleWithWebIdentity":
            return denied
        # Within one account it names the kind of policy.
        own = f" because no role trust policy allows the {call.iam_action} action" if account == call.account else ""
        return Refusal("AccessDenied", message + own, 403)
    return _refuse_duration(call, role)


def _refuse_duration(call: Call, role: object) -> Refusal | None:
    asked = int(call.params.get("DurationSeconds", 3600))
    if "role_arn" in call.extra and asked > 3600:
        message = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        return Refusal("ValidationError", message)
    if asked > int(role.max_session_duration or 3600):
        message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        return Refusal("ValidationError", message)
    return None


def _is_suspended(account: str) -> bool:
    member_of = organizations_backends.master_accounts.get(account)
    if member_of is None:
        return False
    accounts = organizations_backends[member_of[0]][member_of[1]].accounts
    return any(entry.id == account and entry.status != "ACTIVE" for entry in accounts)


def _trusted(call: Call, role: object) -> bool:
    if SETTINGS.enforce and call.action == "AssumeRole" and not is_bootstrap(call):
        # judge.py reads the trust policy together with the caller's own policies.
        return True
    document = role.assume_role_policy_document
    document = json.loads(document) if isinstance(document, str) else document
    statements = _as_list(document.get("Statement", []))
    matching = [entry for entry in statements if _principal_matches(call, entry) and _conditions_hold(call, entry)]
    matching = [entry for entry in matching if _names_action(call.iam_action, entry.get("Action"))]
    effects = {entry.get("Effect") for entry in matching}
    return "Allow" in effects and "Deny" not in effects


def _names_action(action: str, names: object) -> bool:
    return any(fnmatchcase(action.lower(), (name or "").lower()) for name in _as_list(names))


def _principal_matches(call: Call, statement: dict) -> bool:
    principal = statement.get("Principal", {})
    if call.action == "AssumeRoleWithWebIdentity":
        return principal != "*" and call.extra["federated"] in _as_list(principal.get("Federated"))
    names = ["*"] if principal == "*" else _as_list(principal.get("AWS", []))
    root = f"arn:{get_partition(call.region)}:iam::{call.account}:root"
    own = {"*", call.account, root, call.principal, call.extra.get("role_arn")}
    return any(name in own for name in names)


def _conditions_hold(call: Call, statement: dict) -> bool:
    values = {"sts:externalid": call.params.get("ExternalId"), "aws:principalorgid": _organization_id(call)}
    values |= call.extra.get("claims", {})
    for operator, keys in statement.get("Condition", {}).items():
        for key, wanted in keys.items():
            if operator not in ("StringEquals", "StringLike") or key.lower() not in values:
                return False
            have, like = values[key.lower()], operator == "StringLike"
            if have is None or not any(fnmatchcase(have, want) if like else have == want for want in _as_list(wanted)):
                return False
    return True


def _organization_id(call: Call) -> str | None:
    own = (call.account, get_partition(call.region))
    member_of = organizations_backends.master_accounts.get(call.account, own)
    organization = organizations_backends[member_of[0]][member_of[1]].org
    return organization.id if organization is not None else None


def _account_of_role(arn: str) -> str:
    parts = arn.split(":")
    return parts[4] if len(parts) > 4 else ""


def _partition_of(arn: str) -> str:
    """The partition of an ARN; the first one where the text names none that exists."""
    name = (arn.split(":") + [""])[1] if ":" in arn else ""
    return name if name in ("aws", "aws-us-gov", "aws-cn") else "aws"


def _as_list(value: object) -> list:
    return value if isinstance(value, list) else [value]
