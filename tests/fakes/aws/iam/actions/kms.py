"""What services do with a key in the caller's name. A key policy that trusts the account is taken for granted."""

from __future__ import annotations

from moto.kms.models import kms_backends

from ...wire import Call
from ..patterns import PolicyError
from ..request import Request, account_of
from . import shared

KNOWN = frozenset(
    {"kms:viaservice", "kms:calleraccount", "kms:encryptioncontext:", "kms:encryptioncontextkeys", "aws:resourcetag/"}
)
# The keys of AWS itself: everybody in the account may use them through their service.
OWN = ("alias/aws/secretsmanager", "aws/secretsmanager")
# Nobody but AWS knows the id of such a key: a fixed one stands for it.
DEFAULT_KEY = "key/0d1e2f30-0000-4000-8000-5ec7e75a0000"


def is_own(key: str | None) -> bool:
    return not key or key in OWN or key.endswith(":alias/aws/secretsmanager")


def key_arn(call: Call, key: str | None) -> str:
    """The ARN of a key by its ARN, id or alias."""
    if is_own(key):
        return shared.arn(call, DEFAULT_KEY, "kms")
    if key.startswith("arn:") and ":key/" in key:
        return key
    name = key.split(":")[-1]
    if name.startswith("alias/"):
        backend = kms_backends[account_of(key) or call.account][call.region]
        found = backend.get_key_id_from_alias(name)
        if not found:
            raise PolicyError(f"{call.iam_action}: no key has the alias {name}")
        return shared.arn(call, f"key/{found}", "kms")
    return shared.arn(call, f"key/{key}", "kms")


def requests(call: Call, key: str, actions: tuple[str, ...], services: tuple[str, ...], secret: str = "") -> list[Request]:
    """The caller must be allowed each action by each service that may be the one that asks."""
    made = []
    for action in actions:
        for service in services:
            more = {"kms:viaservice": f"{service}.{call.region}.amazonaws.com", "kms:calleraccount": call.account}
            more |= {"aws:viaawsservice": "true"}
            known = KNOWN
            if action == "CreateGrant":
                known = KNOWN | {"kms:grantisforawsresource", "kms:grantoperations", "kms:granteeprincipal"}
                more["kms:grantisforawsresource"] = "true"
            elif secret and action != "DescribeKey":
                more |= {"kms:encryptioncontext:secretarn": secret, "kms:encryptioncontextkeys": ("SecretARN",)}
            made.append(shared.request(f"kms:{action}", key_arn(call, key), known, more=more))
    return made
