"""What the documents under test are good for, from what was decided: the answers of `/rig/iam/…`."""

from __future__ import annotations

from . import judge
from .policy import Holdings, Policy, Principal
from .request import Request


def needed(value: object, query: dict) -> list:
    """Every action of every statement, and the requests that were allowed by it alone, in the order of the calls.

    Without requests the action could be left out of the statement.
    """
    found: dict[tuple[str, str, str], list] = {}
    for judged in judge.judgements():
        for policy in judged.holdings.identity:
            for sid, action in policy.entries():
                found.setdefault((policy.name, sid, action), [])
            for sid, action in policy.entries(judged.request.action) if judged.decision.allowed else ():
                if not judge.decide_again(judged, policy.name, sid, action).allowed:
                    note = {"number": judged.number, "principal": judged.holdings.principal.arn}
                    found[policy.name, sid, action].append({**note, **judged.request.as_dict()})
    names = ("policy", "sid", "action")
    return [{**dict(zip(names, entry, strict=True)), "requests": requests} for entry, requests in found.items()]


def statements(value: object, query: dict) -> dict:
    """Policy -> Sid -> how many requests it allowed."""
    found: dict[str, dict[str, int]] = {}
    for judged in judge.judgements():
        for policy in judged.holdings.identity:
            counts = found.setdefault(policy.name, {statement.sid: 0 for statement in policy.statements})
            for name, sid in judged.decision.by:
                if name == policy.name and judged.decision.allowed:
                    counts[sid] = counts.get(sid, 0) + 1
    return found


def evaluate(value: dict, query: dict) -> dict:
    """Decides a request that nobody made: `{policies: [document], action, resource, context, known}`, and `trust` (a
    document) with `principal` for the entering of a role."""
    context = {key.lower(): tuple(one) if isinstance(one, list) else one for key, one in value.get("context", {}).items()}
    known = frozenset(key.lower() for key in value.get("known", []))
    request = Request(value["action"], value["resource"], context, known)
    policies = tuple(Policy.read(f"policy {number}", one) for number, one in enumerate(value["policies"]))
    principal = Principal(**value.get("principal", {"arn": "arn:aws:iam::000000000000:user/nobody", "account": "000000000000"}))
    trust = Policy.read("trust", value["trust"], trust=True) if "trust" in value else None
    decision, reason = Holdings(principal, policies).decide(request, trust)
    return {"effect": decision.effect, "by": [list(by) for by in decision.by], "reason": reason}
