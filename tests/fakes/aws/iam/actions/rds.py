"""RDS. Calls without an identifier are checked against `db:*`, and filters do not narrow that."""

from __future__ import annotations

from moto.rds.models import rds_backends

from ...wire import Call
from ..request import Request
from . import kms, shared
from .secretsmanager import on_secret

LISTING = ("Marker", "MaxRecords", "Filters")
MODIFY = ("ApplyImmediately", "MasterUserPassword", "VpcSecurityGroupIds", "ManageMasterUserPassword")
MODIFY += ("RotateMasterUserPassword", "MasterUserSecretKmsKeyId", "EnableIAMDatabaseAuthentication")
# RDS looks at the key of a managed secret and lets itself use it; Secrets Manager encrypts with it.
ON_KEY = {"DescribeKey": "rds", "CreateGrant": "rds", "Decrypt": "secretsmanager", "GenerateDataKey": "secretsmanager"}


def _describe(kind: str, parameter: str):
    def row(call: Call) -> list[Request]:
        shared.only(call, parameter, *LISTING)
        return [_on_database(call, kind, call.params.get(parameter, "*"))]

    return row


def _describe_subnet_groups(call: Call) -> list[Request]:
    shared.only(call, "DBSubnetGroupName", *LISTING)
    name = call.params.get("DBSubnetGroupName", "*")
    return [shared.request(call.iam_action, shared.arn(call, f"subgrp:{name}"))]


def _modify(kind: str, parameter: str):
    def row(call: Call) -> list[Request]:
        shared.only(call, parameter, *MODIFY)
        managed = call.params.get("ManageMasterUserPassword")
        more = {"rds:managemasteruserpassword": managed} if managed else {}
        own = _on_database(call, kind, call.params[parameter], more, {"rds:managemasteruserpassword"})
        return [own, *_managed(call, kind)]

    return row


def _managed(call: Call, kind: str) -> list[Request]:
    """What RDS does in the caller's name to begin with a managed secret, or to rotate one."""
    if call.params.get("RotateMasterUserPassword") == "true":
        found = _find(call, kind, call.params["DBInstanceIdentifier" if kind == "db" else "DBClusterIdentifier"])
        secret = getattr(found, "master_user_secret", None)
        return [on_secret(call, "secretsmanager:RotateSecret", secret.secret.arn)] if secret else []
    if call.params.get("ManageMasterUserPassword") != "true":
        return []
    key = call.params.get("MasterUserSecretKmsKeyId")
    secret = shared.arn(call, f"secret:rds!{kind}-6f1c2a34-0000-4000-8000-000000000000-AbCdEf", "secretsmanager")
    actions = ("DescribeKey",) if kms.is_own(key) else tuple(ON_KEY)
    made = [kms.request(call, key, action, ON_KEY[action], secret) for action in actions]
    return made + [on_secret(call, f"secretsmanager:{name}", secret) for name in ("CreateSecret", "TagResource")]


def _on_database(call: Call, kind: str, name: str, more: dict | None = None, known: set | None = None) -> Request:
    found = _find(call, kind, name)
    tags = shared.pairs(found.tags) if found else {}
    prefixes = ("aws:resourcetag/", f"rds:{kind}-tag/")
    where = name if name.startswith("arn:") else shared.arn(call, f"{kind}:{name}")
    return shared.request(call.iam_action, where, {*prefixes, *(known or ())}, tags, more=more, prefixes=prefixes)


def _find(call: Call, kind: str, name: str) -> object | None:
    backend = rds_backends[call.account][call.region]
    store = backend.databases if kind == "db" else backend.clusters
    return store.get(name.split(":")[-1])


def _connect(call: Call) -> list[Request]:
    """A login with a token: no call of the API, but decided in the same way."""
    return [shared.request(call.iam_action, shared.arn(call, f"dbuser:{call.params['ResourceId']}/{call.params['User']}"))]


def _delete(call: Call) -> list[Request]:
    """The provider never does this: the row is for tests of what must be denied."""
    return [_on_database(call, "db", call.params["DBInstanceIdentifier"])]


ROWS = {
    "rds:DescribeDBInstances": _describe("db", "DBInstanceIdentifier"),
    "rds:DescribeDBClusters": _describe("cluster", "DBClusterIdentifier"),
    "rds:DescribeDBSubnetGroups": _describe_subnet_groups,
    "rds:ModifyDBInstance": _modify("db", "DBInstanceIdentifier"),
    "rds:ModifyDBCluster": _modify("cluster", "DBClusterIdentifier"),
    "rds:DeleteDBInstance": _delete,
    "rds-db:connect": _connect,
}
