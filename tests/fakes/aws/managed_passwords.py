"""Master passwords that RDS manages: a secret of the service `rds` that holds the password which is really in effect.

moto makes the secret with a fixed value and never tells the database. Here RDS draws a password, the database server
gets it, and the secret goes through `creating` and `rotating` to `active` with the states of the database. A new
version carries AWSCURRENT and AWSPENDING, as AWS's rotations leave it. Nobody but RDS may write or delete the secret;
its rotation schedule may be changed. RDS begins with 7 days.

What the API reference does not say is left open: `ManageMasterUserPassword` is taken with and without
`ApplyImmediately`, because only for `RotateMasterUserPassword` it names that as a constraint.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
import uuid
from contextlib import contextmanager

import moto.rds.models as rds
import moto.secretsmanager.models as models
from moto.secretsmanager.exceptions import InvalidParameterException, InvalidRequestException

from .lifecycle import lifecycle_of
from .passwords import HOOK

FIRST_SCHEDULE = {"AutomaticallyAfterDays": 7}
REFUSED = ("put_secret_value", "update_secret", "update_secret_version_stage", "delete_secret")
ACTING = threading.local()


def install() -> None:
    """After the patches of secret_versions.py: these checks come first."""
    managed, secret, backend = rds.MasterUserSecret, models.FakeSecret, models.SecretsManagerBackend
    managed._generate_secret_string = _first_value
    managed._create_secret = _create(managed._create_secret)
    managed.delete_secret = _as_service(managed.delete_secret)
    managed.rotate_secret = lambda self: None
    managed.secret_status = property(lambda self: self._status)
    secret.to_dict = _with_schedule(secret.to_dict)
    backend.rotate_secret = _rotate(backend.rotate_secret)
    for name in REFUSED:
        setattr(backend, name, _refuse_others(getattr(backend, name)))


def start(database: object, manage: bool | None, rotate: bool | None) -> None:
    """The transition after a Modify call that switched the management on, or asked for a new password."""
    managed = database.__dict__.get("master_user_secret")
    if managed is None or not (manage or rotate):
        return
    lifecycle = lifecycle_of(database)
    lifecycle.begin_change("resetting-master-credentials")
    if manage:
        lifecycle.when_done(lambda: _set_status(managed, "active"))
    else:
        managed._status = "rotating"
        lifecycle.when_done(lambda: _replace(managed))


def _set_status(managed: object, status: str) -> None:
    managed._status = status


def _first_value(self) -> str:
    password = _new_password(self.resource)
    return json.dumps({"username": self.resource.master_username, "password": password})


def _new_password(database: object) -> str:
    password = secrets.token_hex(16)
    kind = "cluster" if isinstance(database, rds.DBCluster) else "instance"
    HOOK.set_password(database, kind, database.resource_id, password, lifecycle_of(database))
    return password


def _replace(managed: object) -> None:
    with _service():
        stages = ["AWSCURRENT", "AWSPENDING"]
        value = managed._generate_secret_string()
        managed.secretsmanager.put_secret_value(managed.secret.arn, value, None, str(uuid.uuid4()), stages)
    managed._status = "active"


def _create(original):
    def create_secret(self, kms_key_id):
        secret = original(self, kms_key_id)
        secret.rotation_requested = secret.rotation_enabled = True
        secret.rotation_rules = dict(FIRST_SCHEDULE)
        return secret

    return create_secret


def _with_schedule(original):
    def to_dict(self) -> dict:
        shown = original(self)
        rules = self.__dict__.get("rotation_rules")
        if rules:
            shown["RotationRules"] = dict(rules)
            shown.pop("RotationLambdaARN", None)
        return shown

    return to_dict


def _rotate(original):
    def rotate_secret(self, secret_id, client_request_token=None, rotation_lambda_arn=None, rotation_rules=None,
                      rotate_immediately=True):
        known = self.secrets.get(secret_id)
        if known is None or known.owning_service is None:
            return original(self, secret_id, client_request_token, rotation_lambda_arn, rotation_rules,
                            rotate_immediately)
        if rotation_lambda_arn:
            raise InvalidRequestException("You can't specify a rotation function for a secret managed by rds.")
        if rotation_rules:
            _check_rules(rotation_rules)
            known.rotation_rules = dict(rotation_rules)
        if rotate_immediately:
            raise InvalidRequestException("this fake rotates a managed secret with RotateMasterUserPassword only")
        return known.to_short_dict()

    return rotate_secret


def _check_rules(rules: dict) -> None:
    days, expression = rules.get("AutomaticallyAfterDays"), rules.get("ScheduleExpression")
    if (days is None) == (expression is None):
        raise InvalidParameterException("Set either AutomaticallyAfterDays or ScheduleExpression.")
    if days is not None and not 1 <= days <= 1000:
        raise InvalidParameterException("RotationRules.AutomaticallyAfterDays must be within 1-1000.")
    if expression is None or expression.startswith("cron("):
        return
    rate = re.fullmatch(r"rate\((\d+) (hour|hours|day|days)\)", expression)
    least, most = (4, 23) if rate and rate[2].startswith("hour") else (1, 999)
    if rate is None or not least <= int(rate[1]) <= most:
        raise InvalidParameterException(f"ScheduleExpression {expression} is not valid.")


@contextmanager
def _service():
    """RDS itself is at work."""
    ACTING.rds = True
    try:
        yield
    finally:
        ACTING.rds = False


def _as_service(original):
    def acting(self, *args, **kwargs):
        with _service():
            return original(self, *args, **kwargs)

    return acting


def _refuse_others(original):
    def checked(self, secret_id, *args, **kwargs):
        known = self.secrets.get(secret_id)
        if known is not None and known.owning_service is not None and not getattr(ACTING, "rds", False):
            raise InvalidRequestException(f"You can't change a secret that is managed by {known.owning_service}.")
        return original(self, secret_id, *args, **kwargs)

    return checked
