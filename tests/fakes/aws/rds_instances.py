"""RDS instances: what moto's DBInstance lacks. `install()` replaces the methods; nothing else happens on import."""

from __future__ import annotations

import hashlib
import itertools

import moto.rds.models as rds
from moto.core.responses import PaginatedResult
from moto.rds.exceptions import InvalidParameterCombination
from moto.rds.responses import RDSResponse

from . import managed_passwords, rds_rules
from .endpoints import instance_host
from .lifecycle import lifecycle_of
from .passwords import HOOK
from .settings import SETTINGS

# Values that RDS keeps in PendingModifiedValues until the maintenance window or ApplyImmediately.
DEFERRED = {
    "db_instance_class": "DBInstanceClass",
    "allocated_storage": "AllocatedStorage",
    "engine_version": "EngineVersion",
    "multi_az": "MultiAZ",
    "iops": "Iops",
    "storage_type": "StorageType",
    "ca_certificate_identifier": "CACertificateIdentifier",
    "enable_iam_database_authentication": "IAMDatabaseAuthenticationEnabled",
}
DEFAULT_VERSIONS = {"postgres": "16.4", "mysql": "8.0.39", "mariadb": "10.11.9", "sqlserver-ex": "15.00.4385.2.v1"}
SERIAL = itertools.count(1)


def install() -> None:
    instance, member, backend = rds.DBInstance, rds.DBInstanceClustered, rds.RDSBackend
    instance.default_engine_versions = {**instance.default_engine_versions, **DEFAULT_VERSIONS}
    instance.__init__ = _with_own_resource_id(instance.__init__)
    instance.address = property(lambda self: instance_host(self.account_id, self.region, self.db_instance_identifier))
    instance.endpoint = property(_endpoint)
    instance.status = property(lambda self: lifecycle_of(self).status, _set_resting_status)
    instance.pending_modified_values = property(pending_values)
    instance.vpc_security_group_membership_list = property(group_memberships)
    member.__init__ = _with_port_of_cluster(member.__init__)
    member.db_subnet_group = property(_subnet_group_of_cluster, lambda self, value: None)
    backend.create_db_instance = _create(backend.create_db_instance)
    backend.create_db_instance_read_replica = _create_replica(backend.create_db_instance_read_replica)
    backend.modify_db_instance = _modify(backend.modify_db_instance)
    RDSResponse.describe_db_instances = _describe


def pending_values(database: object) -> dict:
    """PendingModifiedValues; a password under way is shown as stars."""
    names = {**DEFERRED, "master_user_password": "MasterUserPassword"}
    pending = database.__dict__.get("_pending", {})
    return {names[key]: "****" if key == "master_user_password" else value for key, value in pending.items()}


def group_memberships(database: object) -> list[dict]:
    """The attached groups; while a change is under way new ones are `adding` and old ones still there `removing`."""
    added, removed = database.__dict__.get("_group_change", (set(), set()))
    current = [
        {"VpcSecurityGroupId": group, "Status": "adding" if group in added else "active"}
        for group in database.vpc_security_group_ids or []
    ]
    return current + [{"VpcSecurityGroupId": group, "Status": "removing"} for group in sorted(removed)]


def change_groups(database: object, old: list[str]) -> None:
    """Shows the change from `old` to the present groups until the database is available again."""
    new = set(database.vpc_security_group_ids or [])
    database.__dict__["_group_change"] = (new - set(old), set(old) - new)
    lifecycle_of(database).when_done(lambda: database.__dict__.pop("_group_change", None))


def _with_own_resource_id(original):
    def __init__(self, *args, **kwargs):
        original(self, *args, **kwargs)
        self.dbi_resource_id = _new_resource_id(self)
        self.publicly_accessible = bool(self.publicly_accessible)

    return __init__


def _new_resource_id(database: object) -> str:
    text = f"{database.account_id}/{database.region}/{database.db_instance_identifier}/{next(SERIAL)}"
    return "db-" + hashlib.sha256(text.encode()).hexdigest().upper()[:26]


def _with_port_of_cluster(original):
    def __init__(self, db_cluster_identifier, *args, **kwargs):
        cluster = kwargs["backend"].clusters.get(db_cluster_identifier)
        if cluster is not None and kwargs.get("port") is None:
            kwargs["port"] = cluster.port
        original(self, db_cluster_identifier, *args, **kwargs)

    return __init__


def _endpoint(database: object) -> dict | None:
    if lifecycle_of(database).status == "creating":
        return None
    return {"Address": database.address, "Port": database.port, "HostedZoneId": "Z2R2ITUGPM61AM"}


def _set_resting_status(database: object, value: str) -> None:
    lifecycle_of(database).resting = value


def _subnet_group_of_cluster(member: object) -> object | None:
    cluster = member.__dict__.get("cluster") or member.backend.clusters.get(member.db_cluster_identifier)
    name = cluster.db_subnet_group_name if cluster is not None else None
    return member.backend.subnet_groups.get(name) if name else None


def _vpc_of(database: object) -> str | None:
    group = getattr(database, "db_subnet_group", None)
    return getattr(group, "vpc_id", None)


def _create(original):
    def create_db_instance(self, params):
        given = {key: params[key] for key in params}
        password = given.get("master_user_password")
        if password is not None and not given.get("db_cluster_identifier"):
            rds_rules.check_password(password, given.get("engine", ""), of_cluster=False)
        database = original(self, given)
        groups = given.get("vpc_security_group_ids")
        if groups and database.db_cluster_identifier is None:
            try:
                rds_rules.check_security_groups(self, groups, _vpc_of(database))
            except Exception:
                self.databases.pop(given["db_instance_identifier"], None)
                raise
        lifecycle_of(database).begin("creating", SETTINGS.create_polls)
        if password is not None and database.db_cluster_identifier is None:
            HOOK.set_password(database, "instance", database.db_instance_identifier, password, lifecycle_of(database))
        return database

    return create_db_instance


def _create_replica(original):
    def create_db_instance_read_replica(self, params):
        replica = original(self, params)
        # moto copies the source object: give the copy its own state.
        for shared in ("_lifecycle", "_pending", "_group_change"):
            replica.__dict__.pop(shared, None)
        replica.created = rds.utcnow()
        replica.dbi_resource_id = _new_resource_id(replica)
        lifecycle_of(replica).begin("creating", SETTINGS.create_polls)
        return replica

    return create_db_instance_read_replica


def _describe(self) -> PaginatedResult:
    filters = {entry["Name"]: entry["Values"] for entry in self.params.get("Filters", [])}
    found = list(self.backend.describe_db_instances(self.params.get("DBInstanceIdentifier"), filters=filters))
    for database in found:
        lifecycle_of(database).observe()
    return PaginatedResult({"DBInstances": found})


def _modify(original):
    def modify_db_instance(self, identifier, params):
        database = self.describe_db_instances(identifier)[0]
        changes = {key: params[key] for key in params}
        _check_change(self, database, changes)
        old_groups = list(database.vpc_security_group_ids or [])
        apply_now = bool(changes.pop("apply_immediately", False))
        pending = _defer(database, changes)
        if "db_port_number" in changes:
            changes["port"] = changes.pop("db_port_number")
        if getattr(database, "manage_master_user_password", False) and changes.get("manage_master_user_password"):
            changes.pop("manage_master_user_password")
        if changes.get("rotate_master_user_password"):
            changes["apply_immediately"] = apply_now
        manage, rotate = changes.get("manage_master_user_password"), changes.get("rotate_master_user_password")
        original(self, identifier, changes)
        _start_transition(database, changes, old_groups, bool(apply_now and pending))
        managed_passwords.start(database, manage, rotate)
        return database

    return modify_db_instance


def _check_change(backend: object, database: object, changes: dict) -> None:
    rds_rules.check_instance_available(database)
    password, groups = changes.get("master_user_password"), changes.get("vpc_security_group_ids")
    if database.db_cluster_identifier is not None:
        of_the_cluster = ("master_user_password", "vpc_security_group_ids", "manage_master_user_password")
        for name in of_the_cluster + ("enable_iam_database_authentication", "rotate_master_user_password"):
            if name in changes:
                raise InvalidParameterCombination(
                    "The specified DB Instance is a member of a cluster. Modify the DB cluster instead."
                )
        return
    rds_rules.check_master_user(database, changes)
    if password is not None:
        rds_rules.check_password(password, database.engine, of_cluster=False)
    if groups is not None:
        rds_rules.check_security_groups(backend, groups, _vpc_of(database))


def _defer(database: object, changes: dict) -> dict:
    """Moves what has to wait from `changes` to the pending values, and gives those back."""
    pending = database.__dict__.setdefault("_pending", {})
    for name in DEFERRED:
        value = changes.pop(name, None)
        if value is None:
            continue
        if getattr(database, name, None) == value:
            pending.pop(name, None)
        else:
            pending[name] = value
    return {name: value for name, value in pending.items() if name in DEFERRED}


def _start_transition(database: object, changes: dict, old_groups: list[str], release: bool) -> None:
    lifecycle, password = lifecycle_of(database), changes.get("master_user_password")
    pending = database.__dict__["_pending"]
    if password is not None:
        pending["master_user_password"] = password
        lifecycle.begin_change("resetting-master-credentials")
        lifecycle.when_done(lambda: pending.pop("master_user_password", None))
        HOOK.set_password(database, "instance", database.db_instance_identifier, password, lifecycle)
    elif release or changes.get("vpc_security_group_ids") is not None:
        lifecycle.begin_change("modifying")
    if release:
        lifecycle.when_done(lambda: _apply_pending(database))
    if changes.get("vpc_security_group_ids") is not None:
        change_groups(database, old_groups)


def _apply_pending(database: object) -> None:
    pending = database.__dict__["_pending"]
    for name in [name for name in pending if name in DEFERRED]:
        setattr(database, name, pending.pop(name))
