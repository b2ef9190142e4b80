"""Makes a token of IAM database authentication with botocore: a client that we did not write.

usage:  python tests/fakes/databases/make_token.py < wishes        one wish a line; prints one token a line

A wish: {"host": "…", "port": 5432, "user": "…", "region": "…", "access_key": "…", "secret_key": "…",
         "session_token": null, "life": 900, "age": 0}        `age`: made so many seconds ago
A wish with "at" (seconds since 1970) is made at that moment by `generate_db_auth_token` itself.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta, timezone
from functools import cache
from unittest import mock
from urllib.parse import quote

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.session import Session


def make_token(wish: dict, made: datetime) -> str:
    """A token that was made then. The steps of botocore's `generate_db_auth_token`, with a clock and a life of ours."""
    credentials = Credentials(wish["access_key"], wish["secret_key"], wish.get("session_token"))
    query = f"Action=connect&DBUser={quote(wish['user'], safe='-._~')}"
    request = AWSRequest("GET", f"https://{wish['host']}:{wish['port']}/?{query}")
    with mock.patch("botocore.auth.get_current_datetime", return_value=made.replace(tzinfo=None)):
        SigV4QueryAuth(credentials, "rds-db", wish["region"], expires=wish.get("life", 900)).add_auth(request)
    return request.url.removeprefix("https://")


@cache
def client(region: str, access_key: str, secret_key: str, session_token: str | None):
    keys = {"aws_access_key_id": access_key, "aws_secret_access_key": secret_key, "aws_session_token": session_token}
    return Session().create_client("rds", region_name=region, **keys)


def make_with_the_client(wish: dict) -> str:
    """A token of `generate_db_auth_token`; only the clock is ours."""
    rds = client(wish["region"], wish["access_key"], wish["secret_key"], wish.get("session_token"))
    made = datetime.fromtimestamp(wish["at"], timezone.utc).replace(tzinfo=None)
    with mock.patch("botocore.auth.get_current_datetime", return_value=made):
        return rds.generate_db_auth_token(DBHostname=wish["host"], Port=wish["port"], DBUsername=wish["user"])


if __name__ == "__main__":
    for line in sys.stdin:
        asked = json.loads(line)
        if "at" in asked:
            print(make_with_the_client(asked))
            continue
        print(make_token(asked, datetime.now(timezone.utc) - timedelta(seconds=asked.get("age", 0))))
