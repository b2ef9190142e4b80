"""The control API, JSON over HTTP under `/rig/…`.

| call                                   | what it does                                                               |
|----------------------------------------|----------------------------------------------------------------------------|
| `GET` `PUT /rig/settings`              | the knobs of settings.py; PUT changes those it names                       |
| `GET` `POST` `DELETE /rig/faults`      | orders of faults.py; POST adds one or a list                               |
| `GET` `POST` `DELETE /rig/deny`        | denied actions of access.py; POST adds one or a list                       |
| `GET` `DELETE /rig/log`                | the calls so far; GET takes filters: `?service=rds&action=ModifyDBInstance`|
| `GET` `PUT /rig/databases`             | the real servers behind databases (list), and failures of the password hook|
| `POST /rig/status`                     | `{account, region, kind, identifier, status}`: sets a resting status       |
| `POST /rig/versions`                   | `{account, region, secret, version, seconds}`: makes a version older       |
| `POST /rig/status`                     | `{account, region, kind, identifier}` and `status`: sets a resting status,  |
|                                        | or `secret_status`: that of the secret which RDS manages                   |
| `POST /rig/accounts`                   | `{id}` and `status`: a state of an account, or `name`: renames it           |
| `GET` `PUT /rig/issuers`               | `{issuer, jwks}`: the public keys of an OpenID Connect issuer; null: none   |
| `POST /rig/engine`                     | `{account, region, kind, identifier, engine}`: one that moto refuses       |
| `POST /rig/regions`                    | `{account, region, enabled}`: switches a region that needs an opt-in       |
| `GET /rig/keys`                        | `?access_key=`: its secret, session token, account and end; null if unknown |
| `GET /rig/sessions`                    | secret key and session token of every session that was handed out          |
| `GET /rig/iam`                         | `?account=&region=&kind=&identifier=`: whether the database takes IAM tokens|
| `GET /rig/iam/needed`                  | every action of every statement, and the requests that it alone allowed     |
| `GET /rig/iam/statements`              | policy -> Sid -> how many requests it allowed                              |
| `GET /rig/iam/connect`                 | `?account=&region=&kind=&identifier=&user=&access_key=`: a login with a token|
| `POST /rig/iam/evaluate`               | a decision about a request that nobody made                                |
| `GET /rig/host`                        | `?account=&region=&kind=&identifier=`: the host names of a database        |
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from urllib.parse import parse_qsl

from moto.organizations.models import organizations_backends
from moto.rds.models import rds_backends
from moto.secretsmanager.models import secretsmanager_backends

from .access import DENIED, identify, secret_of, sessions
from .endpoints import cluster_host, instance_host
from .faults import FAULTS
from .iam import judge, replay
from .iam.patterns import PolicyError
from .lifecycle import lifecycle_of
from .passwords import HOOK, Server
from .regions import switch
from .request_log import LOG
from .settings import LOCK, SETTINGS
from .web_identity import ISSUERS
from .wire import Call


def answer(environ: dict, body: bytes, start: Callable) -> Iterable[bytes]:
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    query = dict(parse_qsl(environ.get("QUERY_STRING", "")))
    handler = ROUTES.get((method, path))
    if handler is None:
        return _send(start, "404 Not Found", {"error": f"no {method} {path}"})
    try:
        return _send(start, "200 OK", handler(json.loads(body) if body else None, query))
    except (KeyError, TypeError, ValueError, PolicyError) as error:
        return _send(start, "400 Bad Request", {"error": f"{type(error).__name__}: {error}"})


def _send(start: Callable, status: str, value: object) -> Iterable[bytes]:
    data = json.dumps(value).encode()
    start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(data)))])
    return [data]


def _put_settings(value: dict, query: dict) -> dict:
    with LOCK:
        SETTINGS.update(value)
        return SETTINGS.as_dict()


def _add_faults(value: object, query: dict) -> list:
    for order in value if isinstance(value, list) else [value]:
        FAULTS.add(order)
    return FAULTS.describe()


def _clear_faults(value: object, query: dict) -> list:
    FAULTS.clear()
    return []


def _add_denied(value: object, query: dict) -> list:
    for rule in value if isinstance(value, list) else [value]:
        DENIED.add(rule)
    return DENIED.rules


def _clear_denied(value: object, query: dict) -> list:
    with LOCK:
        DENIED.rules.clear()
    return []


def _clear_log(value: object, query: dict) -> list:
    LOG.clear()
    judge.clear()
    return []


def _register(value: list, query: dict) -> dict:
    for entry in value:
        server = Server(entry["engine"], entry["socket"], int(entry["port"]), entry["superuser"])
        HOOK.register(entry["account"], entry["region"], entry["kind"], entry["identifier"], server)
    return HOOK.describe()


def _set_status(value: dict, query: dict) -> dict:
    backend = rds_backends[value["account"]][value["region"]]
    store = backend.clusters if value["kind"] == "cluster" else backend.databases
    if "status" in value:
        lifecycle_of(store[value["identifier"]]).resting = value["status"]
    if "secret_status" in value:
        store[value["identifier"]].master_user_secret._status = value["secret_status"]
    return value


def _age_version(value: dict, query: dict) -> dict:
    secret = secretsmanager_backends[value["account"]][value["region"]].secrets[value["secret"]]
    secret.versions[value["version"]]["createdate"] -= int(value["seconds"])
    return value


# What the retired field `Status` says for each `State`.
ACCOUNT_STATES = {
    "ACTIVE": "ACTIVE",
    "SUSPENDED": "SUSPENDED",
    "PENDING_CLOSURE": "PENDING_CLOSURE",
    "CLOSED": "SUSPENDED",
    "PENDING_ACTIVATION": "SUSPENDED",
}


def _change_account(value: dict, query: dict) -> dict:
    state = value.get("status")
    if state is not None and state not in ACCOUNT_STATES:
        raise ValueError(f"status {state}: {', '.join(ACCOUNT_STATES)}")
    management, partition = organizations_backends.master_accounts[value["id"]]
    account = organizations_backends[management][partition].get_account_by_id(value["id"])
    if state is not None:
        account.status, account.state = ACCOUNT_STATES[state], state
    if "name" in value:
        account.name = value["name"]
    return value


def _put_issuer(value: dict, query: dict) -> list:
    ISSUERS.put(value["issuer"], value["jwks"])
    return ISSUERS.names()


def _set_engine(value: dict, query: dict) -> dict:
    backend = rds_backends[value["account"]][value["region"]]
    store = backend.clusters if value["kind"] == "cluster" else backend.databases
    store[value["identifier"]].engine = value["engine"]
    return value


def _switch_region(value: dict, query: dict) -> dict:
    switch(value["account"], value["region"], value["enabled"])
    return value


def _key(value: object, query: dict) -> dict | None:
    return secret_of(query["access_key"])


def _takes_tokens(value: object, query: dict) -> dict:
    backend = rds_backends[query["account"]][query["region"]]
    if query["kind"] == "cluster":
        found = backend.clusters.get(query["identifier"])
        return {"enabled": bool(found and found.iam_auth)}
    found = backend.databases.get(query["identifier"])
    return {"enabled": bool(found and found.enable_iam_database_authentication)}


def _connect(value: object, query: dict) -> dict:
    """Whether the signer of a token may log in as a user: `refusal` says why not."""
    backend = rds_backends[query["account"]][query["region"]]
    cluster = query["kind"] == "cluster"
    found = (backend.clusters if cluster else backend.databases)[query["identifier"]]
    resource_id = found.db_cluster_resource_id if cluster else found.dbi_resource_id
    call = Call("rds-db", "connect", query["region"], query["access_key"], "", "query",
                {"ResourceId": resource_id, "User": query["user"]})
    identify(call)
    refusal = judge.refuse(call, LOG.open(call)) if SETTINGS.enforce else None
    return {"refusal": refusal.message if refusal else None}


def _host(value: object, query: dict) -> dict:
    place = (query["account"], query["region"], query["identifier"])
    if query.get("kind") == "cluster":
        return {"endpoint": cluster_host(*place), "reader_endpoint": cluster_host(*place, reader=True)}
    return {"endpoint": instance_host(*place)}


ROUTES = {
    ("GET", "/rig/settings"): lambda value, query: SETTINGS.as_dict(),
    ("PUT", "/rig/settings"): _put_settings,
    ("GET", "/rig/faults"): lambda value, query: FAULTS.describe(),
    ("POST", "/rig/faults"): _add_faults,
    ("DELETE", "/rig/faults"): _clear_faults,
    ("GET", "/rig/deny"): lambda value, query: DENIED.rules,
    ("POST", "/rig/deny"): _add_denied,
    ("DELETE", "/rig/deny"): _clear_denied,
    ("GET", "/rig/log"): lambda value, query: LOG.entries(query),
    ("DELETE", "/rig/log"): _clear_log,
    ("GET", "/rig/databases"): lambda value, query: HOOK.describe(),
    ("PUT", "/rig/databases"): _register,
    ("POST", "/rig/status"): _set_status,
    ("POST", "/rig/versions"): _age_version,
    ("POST", "/rig/accounts"): _change_account,
    ("GET", "/rig/issuers"): lambda value, query: ISSUERS.names(),
    ("PUT", "/rig/issuers"): _put_issuer,
    ("POST", "/rig/engine"): _set_engine,
    ("POST", "/rig/regions"): _switch_region,
    ("GET", "/rig/keys"): _key,
    ("GET", "/rig/sessions"): lambda value, query: sessions(),
    ("GET", "/rig/iam"): _takes_tokens,
    ("GET", "/rig/iam/connect"): _connect,
    ("GET", "/rig/iam/needed"): replay.needed,
    ("GET", "/rig/iam/statements"): replay.statements,
    ("POST", "/rig/iam/evaluate"): replay.evaluate,
    ("GET", "/rig/host"): _host,
}
