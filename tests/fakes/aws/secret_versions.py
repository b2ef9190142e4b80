"""Secrets Manager: staging labels as AWS moves them, reused tokens, secrets that are scheduled for deletion."""

from __future__ import annotations

import json

import moto.secretsmanager.models as models
from moto.secretsmanager.exceptions import (
    InvalidParameterException,
    InvalidRequestException,
    ResourceExistsException,
    SecretNotFoundException,
)

DELETED = "You can't perform this operation on the secret because it was marked for deletion."
SCHEDULED = "You can't create this secret because a secret with this name is already scheduled for deletion."
REFUSED_WHEN_DELETED = ("get_secret_value", "put_secret_value", "update_secret", "update_secret_version_stage")


def install() -> None:
    secret, backend = models.FakeSecret, models.SecretsManagerBackend
    secret.reset_default_version = _make_current
    secret._form_version_ids_to_stages = _labelled_versions
    backend.update_secret_version_stage = _move_stage
    backend.put_secret_value = _put(backend.put_secret_value)
    backend.create_secret = _create(backend.create_secret)
    backend.list_secret_version_ids = _list_versions
    for name in REFUSED_WHEN_DELETED:
        setattr(backend, name, _refuse_deleted(getattr(backend, name)))


def _make_current(self, secret_version: dict, version_id: str) -> None:
    """Adds a version that carries AWSCURRENT; each of its labels leaves the version that had it."""
    secret_version["version_stages"] = list(dict.fromkeys(secret_version["version_stages"]))
    self.remove_version_stages_from_old_versions(secret_version["version_stages"])
    previous = self.default_version_id
    self.versions[version_id] = secret_version
    if previous and previous != version_id:
        _label_previous(self, previous)
    self.default_version_id = version_id


def _label_previous(secret: object, version_id: str) -> None:
    secret.remove_version_stages_from_old_versions(["AWSPREVIOUS"])
    secret.versions[version_id]["version_stages"].append("AWSPREVIOUS")


def _labelled_versions(self) -> dict:
    """DescribeSecret leaves out the versions without a label."""
    return {key: value["version_stages"] for key, value in self.versions.items() if value["version_stages"]}


def _move_stage(self, secret_id, version_stage, remove_from_version_id, move_to_version_id):
    if secret_id not in self.secrets:
        raise SecretNotFoundException()
    secret = self.secrets[secret_id]
    for version_id in filter(None, (remove_from_version_id, move_to_version_id)):
        if version_id not in secret.versions:
            raise InvalidParameterException(f"Not a valid version: {version_id}")
    holder = _holder(secret, version_stage)
    _check_move(version_stage, holder, remove_from_version_id, move_to_version_id)
    if holder:
        secret.versions[holder]["version_stages"].remove(version_stage)
    if move_to_version_id:
        secret.versions[move_to_version_id]["version_stages"].append(version_stage)
        if version_stage == "AWSCURRENT":
            _follow_current(secret, holder, move_to_version_id)
    return secret.arn, secret.name


def _holder(secret: object, stage: str) -> str | None:
    return next((key for key, value in secret.versions.items() if stage in value["version_stages"]), None)


def _check_move(stage: str, holder: str | None, source: str | None, destination: str | None) -> None:
    if source and source != holder:
        raise InvalidParameterException(f"The staging label {stage} is not attached to version {source}.")
    if destination and holder and destination != holder and not source:
        raise InvalidParameterException(
            f"The parameter RemoveFromVersionId can't be empty. Staging label {stage} is currently attached to "
            f"version {holder}, so you must explicitly reference that version in RemoveFromVersionId."
        )
    if stage == "AWSCURRENT" and not destination:
        raise InvalidParameterException("You can only move staging label AWSCURRENT, you can't remove it.")


def _follow_current(secret: object, old: str | None, new: str) -> None:
    """AWSPREVIOUS goes to the version that AWSCURRENT left, and reads without a label follow AWSCURRENT."""
    if old and old != new:
        _label_previous(secret, old)
        stages = secret.versions[new]["version_stages"]
        if "AWSPREVIOUS" in stages:
            stages.remove("AWSPREVIOUS")
    secret.set_default_version_id(new)


def _put(original):
    def put_secret_value(self, secret_id, secret_string, secret_binary, client_request_token, version_stages):
        known = self.secrets.get(secret_id)
        version = known.versions.get(client_request_token) if known is not None and client_request_token else None
        if version is not None:
            same = version.get("secret_string") == secret_string and version.get("secret_binary") == secret_binary
            if not same:
                raise ResourceExistsException(
                    f"You can't use ClientRequestToken {client_request_token} because that value is already in use "
                    f"for a version of secret {known.arn}."
                )
            return known.to_short_dict(include_version_stages=True, version_id=client_request_token)
        stages = list(version_stages)
        if known is not None and not known.versions and "AWSCURRENT" not in stages:
            # AWS labels the first version AWSCURRENT, whatever was asked for.
            stages.append("AWSCURRENT")
        return original(self, secret_id, secret_string, secret_binary, client_request_token, stages)

    return put_secret_value


def _create(original):
    def create_secret(self, name, *args, **kwargs):
        known = self.secrets.get(name)
        if known is not None and known.is_deleted():
            raise InvalidRequestException(SCHEDULED)
        return original(self, name, *args, **kwargs)

    return create_secret


def _list_versions(self, secret_id: str) -> str:
    if secret_id not in self.secrets:
        raise SecretNotFoundException()
    secret = self.secrets[secret_id]
    versions = [
        {"VersionId": key, "VersionStages": value["version_stages"], "CreatedDate": value["createdate"]}
        for key, value in secret.versions.items()
        if value["version_stages"]
    ]
    return json.dumps({"ARN": secret.arn, "Name": secret.name, "Versions": versions})


def _refuse_deleted(original):
    def checked(self, secret_id, *args, **kwargs):
        known = self.secrets.get(secret_id)
        if known is not None and known.is_deleted():
            raise InvalidRequestException(DELETED)
        return original(self, secret_id, *args, **kwargs)

    return checked
