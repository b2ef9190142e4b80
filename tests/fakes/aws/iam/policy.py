"""Policy documents, and the decision about one request."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from . import conditions
from .patterns import MissingVariable, PolicyError, matches_action, matches_resource
from .request import Request, account_of

VERSION = "2012-10-17"
ELEMENTS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition", "Principal"}


@dataclass(frozen=True)
class Principal:
    """Who asks: its own ARN, the role behind a session, its account. `kind` as in a Principal element."""

    arn: str
    account: str
    role_arn: str = ""
    kind: str = "AWS"
    provider: str = ""

    @property
    def names(self) -> set[str]:
        return {name for name in (self.arn, self.role_arn) if name}


@dataclass(frozen=True)
class Statement:
    sid: str
    effect: str
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    condition: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    principal: object = None

    def covers(self, request: Request) -> bool:
        """Whether it is about this request. A statement that is not about the action is not looked into further."""
        if self.actions and not any(matches_action(one, request.action) for one in self.actions):
            return False
        if self.not_actions and any(matches_action(one, request.action) for one in self.not_actions):
            return False
        try:
            return self._covers_resource(request) and conditions.hold(self.condition, request)
        except MissingVariable:
            return False

    def _covers_resource(self, request: Request) -> bool:
        found = [matches_resource(one, request.resource, request.context) for one in self.resources]
        spared = [matches_resource(one, request.resource, request.context) for one in self.not_resources]
        return (any(found) or not self.resources) and not any(spared)

    def admits(self, principal: Principal) -> str:
        """How its Principal element names the caller: `direct`, by its `account`, or not at all (nothing)."""
        if self.principal == "*":
            return "direct"
        named = self.principal.get(principal.kind, [])
        names = named if isinstance(named, list) else [named]
        if any("*" in name and name != "*" for name in names):
            raise PolicyError(f"a wildcard inside a Principal matches nothing: {names}")
        if principal.kind != "AWS":
            return "direct" if principal.provider in names else ""
        if "*" in names or principal.names & set(names):
            return "direct"
        account = {principal.account, f"arn:{principal.arn.split(':')[1]}:iam::{principal.account}:root"}
        return "account" if account & set(names) else ""


@dataclass(frozen=True)
class Policy:
    name: str
    statements: tuple[Statement, ...]

    @staticmethod
    def read(name: str, document: str | dict, trust: bool = False) -> Policy:
        """Reads a document; what AWS would refuse to store is refused here."""
        document = json.loads(document) if isinstance(document, str) else document
        if set(document) - {"Version", "Id", "Statement"} or document.get("Version") != VERSION:
            raise PolicyError(f"{name}: a document has the Version {VERSION} and Statement")
        statements = tuple(_statement(name, entry, trust) for entry in _as_list(document["Statement"]))
        sids = [statement.sid for statement in statements if statement.sid]
        if len(sids) != len(set(sids)):
            raise PolicyError(f"{name}: the same Sid twice")
        return Policy(name, statements)

    def without(self, action: str, sid: str) -> Policy:
        """The same policy with one entry of Action taken out of the statements of a Sid; empty statements go."""
        kept = [
            replace(one, actions=tuple(name for name in one.actions if name != action)) if one.sid == sid else one
            for one in self.statements
        ]
        return Policy(self.name, tuple(one for one in kept if one.actions or one.not_actions))

    def entries(self, action: str | None = None) -> list[tuple[str, str]]:
        """Sid and entry of Action of the statements that allow; only those that match an action, where one is given."""
        allowing = [one for one in self.statements if one.effect == "Allow"]
        every = [(one.sid, name) for one in allowing for name in one.actions]
        return [entry for entry in every if action is None or matches_action(entry[1], action)]


@dataclass(frozen=True)
class Decision:
    """`effect` is Allow, Deny (a statement says so) or Nothing (no statement allows). `by` names the statements."""

    effect: str
    by: tuple[tuple[str, str], ...] = ()

    @property
    def allowed(self) -> bool:
        return self.effect == "Allow"


def decide(policies: Iterable[Policy], request: Request) -> Decision:
    """The decision of policies of one kind: a Deny wins, else an Allow, else nothing is allowed."""
    return _decide(_covering(policies, request))


def decide_trust(policy: Policy, principal: Principal, request: Request) -> tuple[Decision, bool]:
    """The decision of a trust policy, and whether it names the caller itself and not only the caller's account."""
    found = [(policy.name, one) for one in policy.statements if one.admits(principal) and one.covers(request)]
    direct = any(one.admits(principal) == "direct" for _, one in found if one.effect == "Allow")
    return _decide(found), direct


@dataclass(frozen=True)
class Holdings:
    """Everything that limits one principal."""

    principal: Principal
    identity: tuple[Policy, ...] = ()
    boundary: tuple[Policy, ...] | None = None
    session: tuple[Policy, ...] | None = None

    def decide(self, request: Request, trust: Policy | None = None) -> tuple[Decision, str]:
        """The decision, and for a refusal the end of AWS's sentence about it."""
        identity = decide(self.identity, request)
        limits = [("permissions boundary", self.boundary), ("session policy", self.session)]
        decisions = [("identity-based policy", identity)]
        decisions += [(name, decide(policies, request)) for name, policies in limits if policies is not None]
        if trust is not None:
            decisions = self._with_trust(decisions, trust, request)
        for name, decision in decisions:
            if decision.effect == "Deny":
                return decision, f"with an explicit deny in {_article(name)} {name}"
        for name, decision in decisions:
            if not decision.allowed:
                return decision, f"because no {name} allows the {request.action} action"
        return Decision("Allow", tuple(by for _, decision in decisions for by in decision.by)), ""

    def _with_trust(self, decisions: list, trust: Policy, request: Request) -> list:
        decision, direct = decide_trust(trust, self.principal, request)
        own = account_of(request.resource) == self.principal.account
        if decision.allowed and own and direct and not decisions[0][1].effect == "Deny":
            decisions = [(name, one) for name, one in decisions if name != "identity-based policy"]
        return [*decisions, ("role trust policy", decision)]


def _covering(policies: Iterable[Policy], request: Request) -> list[tuple[str, Statement]]:
    return [(policy.name, one) for policy in policies for one in policy.statements if one.covers(request)]


def _decide(found: list[tuple[str, Statement]]) -> Decision:
    for effect in ("Deny", "Allow"):
        by = tuple((name, one.sid) for name, one in found if one.effect == effect)
        if by:
            return Decision(effect, by)
    return Decision("Nothing")


def _statement(name: str, entry: dict, trust: bool) -> Statement:
    if set(entry) - ELEMENTS:
        raise PolicyError(f"{name}: the evaluator does not know {sorted(set(entry) - ELEMENTS)}")
    if entry.get("Effect") not in ("Allow", "Deny"):
        raise PolicyError(f"{name}: Effect is Allow or Deny")
    _one_of(name, entry, "Action", "NotAction")
    if trust and ("Principal" not in entry or {"Resource", "NotResource"} & set(entry)):
        raise PolicyError(f"{name}: a statement of a trust policy has a Principal and no Resource")
    if not trust:
        _one_of(name, entry, "Resource", "NotResource")
    if not trust and "Principal" in entry:
        raise PolicyError(f"{name}: an identity policy has no Principal")
    lists = {key: tuple(_as_list(entry.get(key, []))) for key in ("Action", "NotAction", "Resource", "NotResource")}
    return Statement(
        entry.get("Sid", ""),
        entry["Effect"],
        lists["Action"],
        lists["NotAction"],
        lists["Resource"],
        lists["NotResource"],
        entry.get("Condition", {}),
        entry.get("Principal"),
    )


def _one_of(name: str, entry: dict, *elements: str) -> None:
    if sum(element in entry and entry[element] != [] for element in elements) != 1:
        raise PolicyError(f"{name}: a statement has one of {' and '.join(elements)}")


def _article(name: str) -> str:
    return "an" if name[0] in "aeiou" else "a"


def _as_list(value: object) -> list:
    return value if isinstance(value, list) else [value]
