"""The live decision about a call, and everything that was decided since the log was emptied.

The setting `enforce` switches it on. Whoever prepares the test is not judged (see `identities.is_bootstrap`).
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass, replace

from moto.organizations.models import FakeAccount

from ..settings import LOCK, SETTINGS
from ..wire import Call, Refusal, access_denied
from . import identities
from .actions import requests_of
from .patterns import PolicyError
from .policy import Decision, Holdings, Policy
from .request import Request


@dataclass(frozen=True)
class Judgement:
    """One request with everything that it was decided by, so that it can be decided again."""

    number: int
    holdings: Holdings
    trust: Policy | None
    request: Request
    decision: Decision


_judgements: list[Judgement] = []


def install() -> None:
    """Marks the roles that Organizations makes with an account."""
    original = FakeAccount.__init__

    def __init__(self, *args, **kwargs):
        original(self, *args, **kwargs)
        from moto.iam.models import iam_backends

        name = kwargs.get("RoleName", "OrganizationAccountAccessRole")
        for role in iam_backends[self.id]["aws"].roles.values():
            if role.name == name:
                setattr(role, identities.MADE_BY_ORGANIZATIONS, True)

    FakeAccount.__init__ = __init__


def refuse(call: Call, entry: dict) -> Refusal | None:
    """AWS's refusal where IAM does not allow the call; the log entry gets the principal's decisions."""
    if not SETTINGS.enforce or identities.is_bootstrap(call) or not call.access_key:
        return None
    try:
        return _judge(call, entry)
    except PolicyError as error:
        entry["iam_error"] = str(error)
        return Refusal("EvaluatorError", f"{call.iam_action}: {error}", 500)
    except Exception as error:  # noqa: BLE001 - a broken row must be seen in the test, not as a closed connection
        entry["iam_error"] = traceback.format_exc()
        return Refusal("EvaluatorError", f"{call.iam_action}: {type(error).__name__}: {error}", 500)


def judgements() -> list[Judgement]:
    with LOCK:
        return list(_judgements)


def clear() -> None:
    with LOCK:
        _judgements.clear()


def decide_again(judgement: Judgement, policy: str, sid: str, action: str) -> Decision:
    """The decision if one statement of a policy of the caller lacked one of its actions."""
    kept = tuple(one.without(action, sid) if one.name == policy else one for one in judgement.holdings.identity)
    holdings = replace(judgement.holdings, identity=kept)
    return holdings.decide(judgement.request, judgement.trust)[0]


def _judge(call: Call, entry: dict) -> Refusal | None:
    holdings, about = identities.holdings_of(call), identities.context_of(call)
    trust = _trust_of(call)
    entry["decisions"] = []
    for request in requests_of(call):
        owner = identities.about_resource(request.resource)
        request = request.with_context({"aws:viaawsservice": "false", **about, **owner, **request.context})
        decision, reason = holdings.decide(request, trust)
        note = {**request.as_dict(), "effect": decision.effect, "by": [list(by) for by in decision.by]}
        entry["decisions"].append(note)
        with LOCK:
            _judgements.append(Judgement(entry["number"], holdings, trust, request, decision))
        if not decision.allowed:
            return _refusal(call, request, reason)
    return None


def _trust_of(call: Call) -> Policy | None:
    if call.action != "AssumeRole":
        return None
    role = identities.role_of(call.params.get("RoleArn", ""))
    if role is None:
        return Policy("no role", ())
    return Policy.read("trust", role.assume_role_policy_document, trust=True)


def _refusal(call: Call, request: Request, reason: str) -> Refusal:
    if request.action.startswith("kms:") and call.service == "secretsmanager":
        return Refusal("AccessDeniedException", "Access to KMS is not allowed", 400)
    if call.service == "sts":
        reason = ""
    said = f"User: {call.principal} is not authorized to perform: {request.action} on resource: {request.resource}"
    message = f"{said} {reason}".strip()
    model = access_denied(call)
    prefix = model.message.partition("User: ")[0]
    return Refusal(model.code, prefix + message, model.status)
