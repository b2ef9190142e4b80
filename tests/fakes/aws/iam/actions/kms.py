"""What services do with a key in the caller's name. A key policy that trusts the account is taken for granted."""

from __future__ import annotations

from moto.kms.models import kms_backends

from ...wire import Call
from ..patterns import PolicyError
from ..request import Request, Value, account_of
from . import shared

KNOWN = frozenset({"kms:viaservice", "kms:calleraccount", "kms:resourcealiases", "aws:resourcetag/"})
WITH_DATA = KNOWN | {"kms:encryptioncontext:", "kms:encryptioncontextkeys"}
GRANT = KNOWN | {"kms:grantisforawsresource", "kms:grantoperations", "kms:granteeprincipal"}
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


def request(call: Call, key: str, action: str, service: str, secret: str) -> Request:
    """What the caller must be allowed on the key of a secret; `service` is the one that asks KMS."""
    where = key_arn(call, key)
    more: dict[str, Value] = {"kms:viaservice": f"{service}.{call.region}.amazonaws.com"}
    more |= {"kms:calleraccount": call.account, "aws:viaawsservice": "true"}
    aliases = _aliases(kms_backends[account_of(where)][call.region], where.split("/")[-1])
    if aliases:
        more["kms:resourcealiases"] = aliases
    if action == "CreateGrant":
        more["kms:grantisforawsresource"] = "true"
        return shared.request(f"kms:{action}", where, GRANT, more=more)
    if action == "DescribeKey":
        return shared.request(f"kms:{action}", where, KNOWN, more=more)
    more |= {"kms:encryptioncontext:secretarn": secret, "kms:encryptioncontextkeys": ("SecretARN",)}
    return shared.request(f"kms:{action}", where, WITH_DATA, more=more)


def _aliases(backend: object, key: str) -> tuple[str, ...]:
    return tuple(sorted(backend.keys[key].aliases)) if key in backend.keys else ()
