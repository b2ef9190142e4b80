"""AWS calls through boto3, for tests that are not written in Python.

usage, from the folder `tests/fakes`:  python -m aws.call
  Each line of standard input is one call, each line of standard output its answer, until standard input is closed:
  {"endpoint": "http://127.0.0.1:PORT", "account_id": "…" or null (the hub), "external_id": null, "role": null,
   "keys": null or {"access_key": "…", "secret_key": "…"} (those of the caller instead of the hub's),
   "region": "eu-west-1", "service": "rds", "operation": "describe_db_instances", "params": {}}
  {"ok": <answer>} or {"error": {"code": "…", "message": "…", "status": 400}}
"""

from __future__ import annotations

import json
import os
import sys
from functools import cache

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from moto.utilities.utils import get_partition

from aws.seed import HOME_REGION, HUB_KEY, MEMBER_ROLE

HOME_REGIONS = {"aws": HOME_REGION, "aws-us-gov": "us-gov-west-1", "aws-cn": "cn-north-1"}

for variable in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[variable]


def main() -> None:
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line)), default=str), flush=True)


def _answer(call: dict) -> dict:
    try:
        keys = call.get("keys") or {}
        own = (keys.get("access_key"), keys.get("secret_key"))
        place = (call["endpoint"], own, call.get("account_id"), call.get("external_id"), call.get("role"))
        client = _client(*place, call["region"], call["service"])
        answer = getattr(client, call["operation"])(**call.get("params", {}))
        answer.pop("ResponseMetadata", None)
        return {"ok": answer}
    except ClientError as error:
        said = error.response["Error"]
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return {"error": {"code": said["Code"], "message": said["Message"], "status": status}}
    except BotoCoreError as error:
        return {"error": {"code": type(error).__name__, "message": str(error), "status": 0}}


@cache
def _client(
    endpoint: str,
    own: tuple[str | None, str | None],
    account_id: str | None,
    external_id: str | None,
    role: str | None,
    region: str,
    service: str,
):
    config = Config(retries={"total_max_attempts": 1}, read_timeout=60)
    partition = get_partition(region)
    keys = HUB_KEY if own[0] is None else {"aws_access_key_id": own[0], "aws_secret_access_key": own[1]}
    if account_id is not None:
        keys = _session(endpoint, partition, own, account_id, external_id, role or MEMBER_ROLE)
    return boto3.client(service, endpoint_url=endpoint, region_name=region, config=config, **keys)


@cache
def _session(
    endpoint: str,
    partition: str,
    own: tuple[str | None, str | None],
    account_id: str,
    external_id: str | None,
    role: str,
) -> dict:
    asked = {"RoleArn": f"arn:{partition}:iam::{account_id}:role/{role}", "RoleSessionName": "test"}
    if external_id:
        asked["ExternalId"] = external_id
    sts = _client(endpoint, own, None, None, None, HOME_REGIONS[partition], "sts")
    made = sts.assume_role(**asked)["Credentials"]
    keys = {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}
    return {**keys, "aws_session_token": made["SessionToken"]}


if __name__ == "__main__":
    main()
