"""What was asked of the fake AWS: one entry per call, with chosen parameters and no secret."""

from __future__ import annotations

import time

from .settings import LOCK
from .wire import Call

# Only these parameters are kept (by the start of their name): none of them can hold a secret.
KEPT = (
    "DBInstanceIdentifier",
    "DBClusterIdentifier",
    "DBInstanceClass",
    "ApplyImmediately",
    "VpcSecurityGroupIds",
    "ManageMasterUserPassword",
    "RotateMasterUserPassword",
    "MasterUserSecretKmsKeyId",
    "EnableIAMDatabaseAuthentication",
    "MasterUsername",
    "Marker",
    "MaxRecords",
    "Filter",
    "RoleArn",
    "RoleSessionName",
    "DurationSeconds",
    "ExternalId",
    "Policy",
    "Tags.",
    "GroupId",
    "GroupName",
    "IpPermissions",
    "SecurityGroupRuleId",
    "VpcId",
    "SecretId",
    "Name",
    "VersionStage",
    "VersionId",
    "ClientRequestToken",
    "RemoveFromVersionId",
    "MoveToVersionId",
    "RecoveryWindowInDays",
    "RotationRules",
    "RotateImmediately",
    "ForceDeleteWithoutRecovery",
    "ParentId",
    "AccountId",
    "ResourceId",
    "NextToken",
    "MaxResults",
)


class RequestLog:
    """Entries in the order in which the calls came; `status` is filled in when the answer is known."""

    def __init__(self) -> None:
        self._entries: list[dict] = []
        self._count = 0

    def open(self, call: Call) -> dict:
        with LOCK:
            self._count += 1
            entry = {
                "number": self._count,
                "time": round(time.time(), 4),
                "account": call.account,
                "region": call.region,
                "service": call.service,
                "action": call.action,
                "principal": call.principal,
                "signed": bool(call.access_key),
                "params": {key: value for key, value in call.params.items() if key.startswith(KEPT)},
                "password_given": bool(call.params.get("MasterUserPassword")),
                "user_agent": call.user_agent,
                "status": None,
            }
            self._entries.append(entry)
            return entry

    def entries(self, wanted: dict) -> list[dict]:
        with LOCK:
            return [dict(e) for e in self._entries if all(str(e.get(key)) == value for key, value in wanted.items())]

    def clear(self) -> None:
        with LOCK:
            self._entries.clear()


LOG = RequestLog()
