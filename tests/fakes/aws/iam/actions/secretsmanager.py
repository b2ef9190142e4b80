"""Secrets Manager. A secret that exists is checked by its ARN, one that does not by the ARN of its name."""

from __future__ import annotations

from moto.secretsmanager.models import secretsmanager_backends

from ...wire import Call
from ..request import Request, account_of
from . import kms, shared

TAGS = ("aws:resourcetag/", "secretsmanager:resourcetag/")
SECRET = frozenset({*TAGS, "secretsmanager:secretid"})
CREATE = shared.REQUEST_TAGS | {*TAGS, "secretsmanager:name", "secretsmanager:description", "secretsmanager:kmskeyid"} | {
    "secretsmanager:kmskeyarn"
}
# Beside those that every secret has: condition key -> parameter of the call.
KEYS = {
    "GetSecretValue": {"secretsmanager:versionid": "VersionId", "secretsmanager:versionstage": "VersionStage"},
    "UpdateSecretVersionStage": {"secretsmanager:versionstage": "VersionStage"},
    "DeleteSecret": {
        "secretsmanager:recoverywindowindays": "RecoveryWindowInDays",
        "secretsmanager:forcedeletewithoutrecovery": "ForceDeleteWithoutRecovery",
    },
    "RotateSecret": {"secretsmanager:rotateimmediately": "RotateImmediately"},
    "UpdateSecret": {"secretsmanager:kmskeyid": "KmsKeyId", "secretsmanager:description": "Description"},
}
# What Secrets Manager does with the customer's key of a secret, in the caller's name.
WITH_KEY = {
    "GetSecretValue": ("Decrypt",),
    "PutSecretValue": ("GenerateDataKey",),
    "UpdateSecret": ("GenerateDataKey", "Encrypt", "Decrypt"),
    "ReplicateSecretToRegions": ("Decrypt",),
}
SUFFIX = "-AbCdEf"


def on_secret(call: Call, action: str, secret_id: str) -> Request:
    """The request for an action on a secret by its name or ARN, also where another service makes it for the caller."""
    found = find(call, secret_id)
    resource = found.arn if found else _arn_of_name(call, secret_id)
    name = action.split(":")[1]
    keys = KEYS.get(name, {}) if action == call.iam_action else {}
    more = {key: _text(call.params[parameter]) for key, parameter in keys.items() if parameter in call.params}
    more["secretsmanager:secretid"] = secret_id
    if call.service != "secretsmanager":
        more["aws:viaawsservice"] = "true"
    if name == "ReplicateSecretToRegions":
        more["secretsmanager:addreplicaregions"] = tuple(one["Region"] for one in call.params["AddReplicaRegions"])
    known = SECRET | set(KEYS.get(name, {})) | (CREATE if name in ("CreateSecret", "TagResource") else set())
    return shared.request(action, resource, known, _tags_of(found), more=more, prefixes=TAGS)


def _on_one(call: Call) -> list[Request]:
    found = find(call, call.params["SecretId"])
    actions = WITH_KEY.get(call.action, ())
    key = call.params.get("KmsKeyId") or (found.kms_key_id if found else None)
    made = [on_secret(call, call.iam_action, call.params["SecretId"])]
    if not kms.is_own(key):
        made += [kms.request(call, key, action, "secretsmanager", made[0].resource) for action in actions]
    return made


def _create(call: Call) -> list[Request]:
    shared.only(call, "Name", "Description", "KmsKeyId", "Tags", "ClientRequestToken", "SecretString")
    asked = shared.pairs(call.params.get("Tags") or [])
    key = call.params.get("KmsKeyId")
    more = {"secretsmanager:name": call.params["Name"], "secretsmanager:description": call.params.get("Description", "")}
    if key:
        more["secretsmanager:kmskeyid"] = key
    made = []
    for suffix in ("", SUFFIX):
        where = shared.arn(call, f"secret:{call.params['Name']}{suffix}")
        made.append(shared.request(call.iam_action, where, CREATE, asked=asked, more=more))
        if asked:
            made.append(shared.request("secretsmanager:TagResource", where, SECRET | shared.REQUEST_TAGS, asked=asked))
    if not kms.is_own(key):
        where = made[-1].resource
        made += [kms.request(call, key, action, "secretsmanager", where) for action in ("GenerateDataKey", "Decrypt")]
    return made


def _change_tags(call: Call) -> list[Request]:
    found, secret = find(call, call.params["SecretId"]), call.params["SecretId"]
    asked = shared.pairs(call.params.get("Tags") or [])
    more = {"secretsmanager:secretid": secret}
    if call.params.get("TagKeys"):
        more["aws:tagkeys"] = tuple(call.params["TagKeys"])
    where = found.arn if found else _arn_of_name(call, secret)
    return [shared.request(call.iam_action, where, SECRET | shared.REQUEST_TAGS, _tags_of(found), asked, more, TAGS)]


def _list(call: Call) -> list[Request]:
    """The provider never does this: the row is for tests of what must be denied."""
    return [shared.request(call.iam_action, "*")]


def find(call: Call, secret_id: str) -> object | None:
    """The secret in the region of the call, of the account that the ARN names or of the caller."""
    return secretsmanager_backends[account_of(secret_id) or call.account][call.region].secrets.get(secret_id)


def _arn_of_name(call: Call, secret_id: str) -> str:
    return secret_id if secret_id.startswith("arn:") else shared.arn(call, f"secret:{secret_id}", "secretsmanager")


def _tags_of(found: object | None) -> dict[str, str]:
    return shared.pairs(found.tags or []) if found else {}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


ON_ONE = ("DescribeSecret", "PutSecretValue", "GetSecretValue", "ListSecretVersionIds", "UpdateSecretVersionStage")
ON_ONE += ("DeleteSecret", "RestoreSecret", "RotateSecret", "UpdateSecret", "ReplicateSecretToRegions")
ON_ONE += ("RemoveRegionsFromReplication",)
ROWS = {
    **{f"secretsmanager:{name}": _on_one for name in ON_ONE},
    "secretsmanager:ListSecrets": _list,
    "secretsmanager:CreateSecret": _create,
    "secretsmanager:TagResource": _change_tags,
    "secretsmanager:UntagResource": _change_tags,
}
