"""Checks tokens of IAM database authentication as RDS does: signature, host, port, user, region, age, key.

A token is a pre-signed URL without its scheme:
`<host>:<port>/?Action=connect&DBUser=<user>&X-Amz-Algorithm=…&X-Amz-Credential=…&…&X-Amz-Signature=…`. It is checked by
hand after "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)", and test_iam_tokens.py holds it
against botocore.

Not looked at here: policies (`rds-db:connect`); iam_server.py asks the fake AWS about them.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from urllib.parse import quote, unquote

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "rds-db"
LONGEST_LIFE = 900
CLOCK_SKEW = timedelta(minutes=5)
NAMES = {
    "Action",
    "DBUser",
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
}


class Refused(Exception):
    """Why a token opens nothing. Never holds the token."""


@dataclass(frozen=True)
class Key:
    """A key of AWS, permanent or temporary."""

    secret: str
    session_token: str | None = None
    account: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Database:
    """What a token has to be made for."""

    hosts: tuple[str, ...]
    port: int
    region: str
    account: str | None = None


def check(
    token: str, user: str, database: Database, key_of: Callable[[str], Key | None], now: datetime | None = None
) -> None:
    """Returns if the token opens the database for this user now; else raises Refused."""
    now = now or datetime.now(timezone.utc)
    place, separator, query = token.partition("/?")
    if not separator:
        raise Refused("it is not a token")
    values = _parse(query)
    _check_place(place, database)
    if values["Action"] != "connect":
        raise Refused(f"its action is {values['Action']!r}, not connect")
    if values["DBUser"] != user:
        raise Refused(f"it is for user {values['DBUser']!r}")
    if values["X-Amz-Algorithm"] != ALGORITHM or values["X-Amz-SignedHeaders"] != "host":
        raise Refused(f"it is not signed with {ALGORITHM} over the host alone")
    made = _check_time(values["X-Amz-Date"], values["X-Amz-Expires"], now)
    access_key, scope = _check_scope(values["X-Amz-Credential"], made, database)
    key = _check_key(key_of(access_key), values.get("X-Amz-Security-Token"), database, now)
    signature = sign(key.secret, place, values, scope)
    if not hmac.compare_digest(signature, values["X-Amz-Signature"]):
        raise Refused("its signature is wrong")


def sign(secret: str, place: str, values: dict[str, str], scope: str) -> str:
    """The signature of a GET of `/` with these parameters at `<host>:<port>`."""
    pairs = sorted((_encode(name), _encode(value)) for name, value in values.items() if name != "X-Amz-Signature")
    query = "&".join(f"{name}={value}" for name, value in pairs)
    request = "\n".join(["GET", "/", query, f"host:{place}", "", "host", hashlib.sha256(b"").hexdigest()])
    digest = hashlib.sha256(request.encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = "\n".join([ALGORITHM, values["X-Amz-Date"], scope, digest])
    return hmac.new(key, text.encode(), "sha256").hexdigest()


def _parse(query: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for pair in query.split("&"):
        name, separator, value = pair.partition("=")
        name = unquote(name)
        if not separator or name in values:
            raise Refused(f"its parameter {name!r} has no value or comes twice")
        values[name] = unquote(value)
    missing, unknown = NAMES - values.keys(), values.keys() - NAMES - {"X-Amz-Security-Token"}
    if missing or unknown:
        raise Refused(f"its parameters are wrong: missing {sorted(missing)}, unknown {sorted(unknown)}")
    return values


def _check_place(place: str, database: Database) -> None:
    host, _, port = place.rpartition(":")
    if host not in database.hosts:
        raise Refused(f"it is for host {host!r}")
    if port != str(database.port):
        raise Refused(f"it is for port {port!r}")


def _check_time(date: str, expires: str, now: datetime) -> datetime:
    if not re.fullmatch(r"\d{8}T\d{6}Z", date) or not re.fullmatch(r"\d{1,6}", expires):
        raise Refused("its date or its life cannot be read")
    made = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    life = int(expires)
    if not 1 <= life <= LONGEST_LIFE:
        raise Refused(f"its life of {life} s is not within 1 to {LONGEST_LIFE} s")
    if made > now + CLOCK_SKEW:
        raise Refused("it was made in the future")
    if now > made + timedelta(seconds=life):
        raise Refused("it has expired")
    return made


def _check_scope(credential: str, made: datetime, database: Database) -> tuple[str, str]:
    access_key, _, scope = credential.partition("/")
    if scope != f"{made:%Y%m%d}/{database.region}/{SERVICE}/aws4_request":
        raise Refused(f"it is for {scope!r}, not for {SERVICE} in {database.region} on its day")
    return access_key, scope


def _check_key(key: Key | None, session_token: str | None, database: Database, now: datetime) -> Key:
    if key is None:
        raise Refused("nobody knows its access key")
    if key.session_token != session_token:
        raise Refused("its session token is missing or not that of its key")
    if key.expires_at is not None and now > key.expires_at:
        raise Refused("its key has expired")
    if None not in (database.account, key.account) and database.account != key.account:
        raise Refused(f"its key is of account {key.account}")
    return key


def _encode(text: str) -> str:
    return quote(text, safe="-._~")
