"""What RDS refuses and moto accepts: passwords, security groups, changes in the wrong state or combination.

Codes and sentences follow the RDS API reference and messages people quote in public bug reports; where only the
meaning is known the sentence is ours. The provider must decide by code, never by sentence.
"""

from __future__ import annotations

from moto.ec2.models import ec2_backends
from moto.rds.exceptions import InvalidParameterCombination, InvalidParameterValue, RDSClientError

from .lifecycle import lifecycle_of

MAX_SECURITY_GROUPS = 5
LONGEST_PASSWORD = {"postgres": 128, "sqlserver": 128, "mysql": 41, "mariadb": 41, "aurora": 41, "oracle": 30}
FORBIDDEN_IN_PASSWORDS = set("/@\" ")


def check_password(password: str, engine: str, of_cluster: bool) -> None:
    """The rule of MasterUserPassword: 8 to 41 or 128 characters by engine, printable ASCII without `/ @ " space`."""
    longest = 41 if of_cluster else LONGEST_PASSWORD.get(engine.split("-")[0], 128)
    if len(password) < 8:
        raise InvalidParameterValue(
            "The parameter MasterUserPassword is not a valid password because it is shorter than 8 characters."
        )
    if len(password) > longest:
        raise InvalidParameterValue(
            f"The parameter MasterUserPassword is not a valid password because it is longer than {longest} characters."
        )
    if any(not "!" <= sign <= "~" or sign in FORBIDDEN_IN_PASSWORDS for sign in password):
        raise InvalidParameterValue(
            "The parameter MasterUserPassword is not a valid password. "
            "Only printable ASCII characters besides '/', '@', '\"', ' ' may be used."
        )


def check_security_groups(backend: object, group_ids: list[str], vpc_id: str | None) -> None:
    """At least one group, at most five, all of them in the database's VPC.

    An empty list is refused here on purpose: what RDS does with it is not documented, so nobody may send it.
    """
    if not group_ids:
        raise InvalidParameterValue("VpcSecurityGroupIds must name at least one security group.")
    if len(group_ids) > MAX_SECURITY_GROUPS:
        raise InvalidParameterCombination(
            "The request violates your limit on number of Ec2 VPC SecurityGroups associated with an instance"
        )
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    for group_id in group_ids:
        group = ec2.get_security_group_from_id(group_id)
        if group is None:
            raise InvalidParameterValue(f"Invalid security group , groupId= {group_id}, groupName=.")
        if vpc_id is not None and group.vpc_id != vpc_id:
            raise InvalidParameterCombination(
                f"The DB instance and EC2 security group are in different VPCs. The DB instance is in {vpc_id} "
                f"and the EC2 security group is in {group.vpc_id}"
            )


def check_master_user(database: object, changes: dict) -> None:
    """Password and managed password exclude each other; leaving the managed one needs a new password."""
    managed = bool(getattr(database, "manage_master_user_password", False))
    manage = changes.get("manage_master_user_password")
    password = changes.get("master_user_password")
    if password is not None and (manage is True or (managed and manage is not False)):
        raise InvalidParameterCombination(
            "You can't specify MasterUserPassword for an instance with ManageMasterUserPassword enabled."
        )
    if managed and manage is not False and changes.get("master_user_secret_kms_key_id"):
        raise InvalidParameterCombination(
            "You can't change the KMS key of a secret that manages the master user password."
        )
    if managed and manage is False and password is None:
        raise InvalidParameterCombination(
            "You must specify MasterUserPassword when you turn off ManageMasterUserPassword."
        )
    if changes.get("rotate_master_user_password") and not managed:
        raise InvalidParameterCombination(
            "You can't specify RotateMasterUserPassword when ManageMasterUserPassword is not enabled."
        )


def check_instance_available(database: object) -> None:
    if lifecycle_of(database).status != "available":
        raise RDSClientError("InvalidDBInstanceState", "Database instance is not in available state.")


def check_cluster_available(cluster: object) -> None:
    status = lifecycle_of(cluster).status
    if status != "available":
        raise RDSClientError(
            "InvalidDBClusterStateFault",
            f"DbCluster {cluster.db_cluster_identifier} is in {status} state but expected it to be one of available.",
        )
