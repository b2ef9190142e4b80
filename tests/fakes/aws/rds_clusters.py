"""Aurora and Multi-AZ clusters: what moto's DBCluster lacks."""

from __future__ import annotations

import moto.rds.models as rds
from moto.core.responses import PaginatedResult
from moto.core.utils import get_pagination_model
from moto.rds.exceptions import DBClusterNotFoundError, RDSClientError
from moto.rds.responses import RDSResponse

from . import managed_passwords, rds_rules
from .endpoints import cluster_host
from .lifecycle import lifecycle_of
from .passwords import HOOK
from .rds_instances import change_groups, group_memberships
from .settings import SETTINGS

DEFERRED = {"engine_version": "EngineVersion", "storage_type": "StorageType", "iops": "Iops"}
DEFAULT_VERSIONS = {
    "aurora-postgresql": "15.4",
    "aurora-mysql": "8.0.mysql_aurora.3.05.2",
    "mysql": "8.0.39",
    "postgres": "16.4",
}


def install() -> None:
    cluster, backend = rds.DBCluster, rds.RDSBackend
    moto_version = cluster.default_engine_version
    cluster.default_engine_version = staticmethod(lambda name: DEFAULT_VERSIONS.get(name) or moto_version(name))
    cluster.endpoint = property(_host)
    cluster.reader_endpoint = property(lambda self: _host(self, reader=True))
    cluster.status = property(lambda self: lifecycle_of(self).status, _set_resting_status)
    cluster.pending_modified_values = property(_pending_values)
    cluster.vpc_security_groups = property(group_memberships)
    backend.create_db_cluster = _create(backend.create_db_cluster)
    backend.modify_db_cluster = _modify(backend.modify_db_cluster)
    get_pagination_model("rds")["DescribeDBClusters"]["unique_attribute"] = "resource_id"
    RDSResponse.describe_db_clusters = _describe


def _host(cluster: object, reader: bool = False) -> str:
    return cluster_host(cluster.account_id, cluster.region, cluster.db_cluster_identifier, reader)


def _set_resting_status(cluster: object, value: str) -> None:
    lifecycle_of(cluster).resting = value


def _pending_values(cluster: object) -> dict:
    shown = {}
    for name, value in cluster.__dict__.get("_pending", {}).items():
        if name == "master_user_password":
            shown["MasterUserPassword"] = "****"
        elif name == "iam_auth":
            shown["IAMDatabaseAuthenticationEnabled"] = value
        else:
            shown[DEFERRED[name]] = value
    return shown


def _describe(self) -> PaginatedResult:
    filters = {entry["Name"]: entry["Values"] for entry in self.params.get("Filters", [])}
    found = self.backend.describe_db_clusters(
        db_cluster_identifier=self.params.get("DBClusterIdentifier"), filters=filters
    )
    for cluster in found:
        lifecycle_of(cluster).observe()
    return PaginatedResult({"DBClusters": list(found)})


def _create(original):
    def create_db_cluster(self, params):
        given = {key: params[key] for key in params}
        if given["db_cluster_identifier"] in self.clusters:
            raise RDSClientError("DBClusterAlreadyExistsFault", "DB Cluster already exists")
        password = given.get("master_user_password")
        if password is not None:
            rds_rules.check_password(password, given.get("engine", ""), of_cluster=True)
        subnet_group = self.subnet_groups.get(given.get("db_subnet_group_name") or "")
        if given.get("vpc_security_group_ids"):
            vpc_id = subnet_group.vpc_id if subnet_group else None
            rds_rules.check_security_groups(self, given["vpc_security_group_ids"], vpc_id)
        cluster = original(self, given)
        lifecycle = lifecycle_of(cluster)
        cluster._status, lifecycle.resting = "available", "available"
        lifecycle.begin("creating", SETTINGS.create_polls)
        if password is not None:
            HOOK.set_password(cluster, "cluster", cluster.db_cluster_identifier, password, lifecycle)
        return cluster

    return create_db_cluster


def _modify(original):
    def modify_db_cluster(self, params):
        changes = {key: params[key] for key in params}
        identifier = changes["db_cluster_identifier"]
        if identifier.startswith("arn:"):
            identifier = changes["db_cluster_identifier"] = identifier.split(":")[-1]
        if identifier not in self.clusters:
            raise DBClusterNotFoundError(identifier)
        cluster = self.clusters[identifier]
        _check_change(self, cluster, changes)
        old_groups, resting = list(cluster.vpc_security_group_ids), lifecycle_of(cluster).resting
        apply_now = bool(changes.get("apply_immediately", False))
        password = _hold_back(cluster, changes)
        if getattr(cluster, "manage_master_user_password", False) and changes.get("manage_master_user_password"):
            changes.pop("manage_master_user_password")
        manage, rotate = changes.get("manage_master_user_password"), changes.get("rotate_master_user_password")
        try:
            original(self, changes)
        except Exception:
            # moto takes the cluster out of its store first and forgets it when a check fails later.
            self.clusters[identifier] = cluster
            raise
        lifecycle_of(cluster).resting = resting
        _start_transition(cluster, password, apply_now, changes, old_groups)
        managed_passwords.start(cluster, manage, rotate)
        return cluster

    return modify_db_cluster


def _check_change(backend: object, cluster: object, changes: dict) -> None:
    rds_rules.check_cluster_available(cluster)
    rds_rules.check_master_user(cluster, changes)
    if changes.get("master_user_password") is not None:
        rds_rules.check_password(changes["master_user_password"], cluster.engine, of_cluster=True)
    if changes.get("vpc_security_group_ids") is not None:
        subnet_group = backend.subnet_groups.get(cluster.db_subnet_group_name)
        vpc_id = subnet_group.vpc_id if subnet_group else None
        rds_rules.check_security_groups(backend, changes["vpc_security_group_ids"], vpc_id)


def _hold_back(cluster: object, changes: dict) -> str | None:
    """Moves what moto must not apply by itself into the pending values; gives back the new password."""
    pending = cluster.__dict__.setdefault("_pending", {})
    if "enable_iam_database_authentication" in changes:
        pending["iam_auth"] = bool(changes.pop("enable_iam_database_authentication"))
    for name in DEFERRED:
        if changes.get(name) is not None:
            pending[name] = changes.pop(name)
    password = changes.pop("master_user_password", None)
    if password is not None:
        pending["master_user_password"] = password
    return password


def _start_transition(
    cluster: object, password: str | None, apply_now: bool, changes: dict, old_groups: list[str]
) -> None:
    lifecycle, pending = lifecycle_of(cluster), cluster.__dict__["_pending"]
    held = pending.get("master_user_password")
    if held is not None and (apply_now or (password is not None and not SETTINGS.hold_cluster_password)):
        lifecycle.begin_change("resetting-master-credentials")
        lifecycle.when_done(lambda: _release(cluster, ["master_user_password"]))
        HOOK.set_password(cluster, "cluster", cluster.db_cluster_identifier, held, lifecycle)
    elif (apply_now and pending) or changes.get("vpc_security_group_ids") is not None:
        lifecycle.begin_change("modifying")
    if apply_now:
        lifecycle.when_done(lambda: _release(cluster, [*DEFERRED, "iam_auth"]))
    if changes.get("vpc_security_group_ids") is not None:
        change_groups(cluster, old_groups)


def _release(cluster: object, names: list[str]) -> None:
    pending = cluster.__dict__["_pending"]
    for name in names:
        if name in pending:
            setattr(cluster, name, pending.pop(name))
