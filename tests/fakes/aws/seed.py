"""Fills the fake AWS with an organization and databases, through boto3: a client that we did not write.

usage, from the folder `tests/fakes`:  python -m aws.seed < wishes.json > made.json

The wishes, all but `endpoint` optional:
  {"endpoint": "http://127.0.0.1:PORT", "member_role": "…", "external_id": "…",
   "home_region": "us-gov-west-1",   its partition is that of the organization
   "databases": [{"account": "payments-eu", "region": "eu-west-1", "identifier": "orders", "engine": "postgres",
                  "kind": "instance", "port": 15432, "master_username": "admin1", "master_password": "…",
                  "engine_version": "15.8", "tags": {"access": "managed"}, "iam": false}]}

`account` is a name of ACCOUNTS. Ids are the same on every run against a fresh launcher. Of every account and region
that holds a database a VPC, two subnets, a subnet group and two security groups are made: `db-base`, attached to every
database (other people's group, which the provider must not touch), and `app`, attached to nothing.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from functools import cache

import boto3
from botocore.config import Config
from moto.utilities.utils import get_partition

HOME_REGION = "us-east-1"
MANAGEMENT_ACCOUNT = "123456789012"
HUB_KEY = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "R1g/Secret+Key-0f~the.Hub=0123456789"}
MEMBER_ROLE = "HoopOrganizationAccountAccessRole"
UNITS = ("Workloads", "Workloads/Prod", "Workloads/Prod/EU", "Workloads/Staging", "Sandbox")
ACCOUNTS = {
    "shared-services": "",
    "payments-prod": "Workloads/Prod",
    "payments-eu": "Workloads/Prod/EU",
    "orders-eu": "Workloads/Prod/EU",
    "payments-staging": "Workloads/Staging",
    "sandbox": "Sandbox",
}
VERSIONS = {
    "postgres": "15.8",
    "mysql": "8.0.39",
    "mariadb": "10.11.9",
    "aurora-postgresql": "15.4",
    "aurora-mysql": "8.0.mysql_aurora.3.05.2",
    "sqlserver-ex": "15.00.4385.2.v1",
}


class Seeder:
    """Makes things in the fake AWS; one client per account, region and service."""

    def __init__(
        self,
        endpoint: str,
        member_role: str = MEMBER_ROLE,
        external_id: str | None = None,
        home_region: str = HOME_REGION,
    ) -> None:
        self.endpoint = endpoint
        self.home_region = home_region
        self.partition = get_partition(home_region)
        self.member_role = member_role
        self.external_id = external_id
        self.account_ids: dict[str, str] = {}
        self.networks: dict[str, dict] = {}

    def organization(self) -> dict:
        """The organization: units three deep, six member accounts with the role that the provider enters by."""
        request = urllib.request.Request(f"{self.endpoint}/moto-api/seed?a=42", method="POST")
        urllib.request.urlopen(request, timeout=30).close()
        client = self.client("organizations")
        organization = client.create_organization(FeatureSet="ALL")["Organization"]
        root = client.list_roots()["Roots"][0]["Id"]
        units = {"": root}
        for path in UNITS:
            parent, _, name = path.rpartition("/")
            made = client.create_organizational_unit(ParentId=units[parent], Name=name)
            units[path] = made["OrganizationalUnit"]["Id"]
        accounts = {name: self._account(client, name, path, units) for name, path in ACCOUNTS.items()}
        if self.external_id:
            for name in ACCOUNTS:
                self._require_external_id(name)
        named_units = {("Root/" + path).rstrip("/"): unit for path, unit in units.items()}
        return {
            "id": organization["Id"],
            "management_account": MANAGEMENT_ACCOUNT,
            "member_role": self.member_role,
            "external_id": self.external_id,
            "units": named_units,
            "accounts": accounts,
        }

    def database(self, wish: dict) -> dict:
        """One instance, or one cluster with two members; its network is made with the first database there."""
        place = (wish["account"], wish["region"])
        network = self.network(*place)
        rds = self.client("rds", *place)
        common = {
            "Engine": wish["engine"],
            "EngineVersion": wish.get("engine_version") or VERSIONS[wish["engine"]],
            "MasterUsername": wish.get("master_username", "admin1"),
            "MasterUserPassword": wish.get("master_password", "Initial-Passw0rd"),
            "DBSubnetGroupName": network["subnet_group"],
            "VpcSecurityGroupIds": [network["db_base"]],
            "EnableIAMDatabaseAuthentication": bool(wish.get("iam", False)),
            "Tags": [{"Key": key, "Value": value} for key, value in wish.get("tags", {}).items()],
        }
        if wish.get("port"):
            common["Port"] = wish["port"]
        make = self._cluster if wish.get("kind") == "cluster" else self._instance
        return {**make(rds, wish["identifier"], common), **_location(self, wish), "vpc_id": network["vpc"]}

    def network(self, account: str, region: str) -> dict:
        key = f"{account}/{region}"
        if key not in self.networks:
            self.networks[key] = self._make_network(account, region)
        return self.networks[key]

    @cache
    def client(self, service: str, account: str | None = None, region: str | None = None):
        config = Config(retries={"max_attempts": 2}, connect_timeout=5, read_timeout=60)
        keys = HUB_KEY if account is None else self._session(account)
        return boto3.client(service, endpoint_url=self.endpoint, region_name=region or self.home_region, config=config, **keys)

    @cache
    def _session(self, account: str) -> dict:
        arn = f"arn:{self.partition}:iam::{self.account_ids[account]}:role/{self.member_role}"
        asked = {"RoleArn": arn, "RoleSessionName": "seed"}
        if self.external_id:
            asked["ExternalId"] = self.external_id
        made = self.client("sts").assume_role(**asked)["Credentials"]
        return {
            "aws_access_key_id": made["AccessKeyId"],
            "aws_secret_access_key": made["SecretAccessKey"],
            "aws_session_token": made["SessionToken"],
        }

    def _account(self, client, name: str, path: str, units: dict) -> dict:
        tags = [{"Key": "environment", "Value": path.split("/")[-1].lower() or "shared"}]
        made = client.create_account(
            AccountName=name, Email=f"{name}@example.com", RoleName=self.member_role, Tags=tags
        )
        account = made["CreateAccountStatus"]["AccountId"]
        self.account_ids[name] = account
        if path:
            client.move_account(AccountId=account, SourceParentId=units[""], DestinationParentId=units[path])
        return {"id": account, "ou_path": f"Root/{path}".rstrip("/")}

    def _require_external_id(self, name: str) -> None:
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:{self.partition}:iam::{MANAGEMENT_ACCOUNT}:root"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": self.external_id}},
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.client("iam", name).update_assume_role_policy(RoleName=self.member_role, PolicyDocument=document)

    def _make_network(self, account: str, region: str) -> dict:
        ec2, rds = self.client("ec2", account, region), self.client("rds", account, region)
        vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.20.{number}.0/24", AvailabilityZone=region + zone)
            for number, zone in ((1, "a"), (2, "b"))
        ]
        subnet_ids = [made["Subnet"]["SubnetId"] for made in subnets]
        rds.create_db_subnet_group(
            DBSubnetGroupName="dbs", DBSubnetGroupDescription="databases", SubnetIds=subnet_ids
        )
        base = ec2.create_security_group(GroupName="db-base", Description="made by other people", VpcId=vpc)
        app = ec2.create_security_group(GroupName="app", Description="the application", VpcId=vpc)
        rule = {"IpProtocol": "tcp", "FromPort": 9100, "ToPort": 9100, "IpRanges": [{"CidrIp": "10.20.0.0/16"}]}
        ec2.authorize_security_group_ingress(GroupId=base["GroupId"], IpPermissions=[rule])
        return {
            "vpc": vpc,
            "subnets": subnet_ids,
            "subnet_group": "dbs",
            "db_base": base["GroupId"],
            "app": app["GroupId"],
        }

    def _instance(self, rds, identifier: str, common: dict) -> dict:
        made = rds.create_db_instance(
            DBInstanceIdentifier=identifier, DBInstanceClass="db.t4g.micro", AllocatedStorage=20, **common
        )["DBInstance"]
        return {
            "arn": made["DBInstanceArn"],
            "resource_id": made["DbiResourceId"],
            "endpoint": made["Endpoint"]["Address"],
            "port": made["Endpoint"]["Port"],
        }

    def _cluster(self, rds, identifier: str, common: dict) -> dict:
        made = rds.create_db_cluster(DBClusterIdentifier=identifier, **common)["DBCluster"]
        members = []
        for number in (1, 2):
            member = rds.create_db_instance(
                DBInstanceIdentifier=f"{identifier}-{number}",
                DBClusterIdentifier=identifier,
                Engine=common["Engine"],
                DBInstanceClass="db.r6g.large",
            )["DBInstance"]
            members.append({"arn": member["DBInstanceArn"], "endpoint": member["Endpoint"]["Address"]})
        return {
            "arn": made["DBClusterArn"],
            "resource_id": made["DbClusterResourceId"],
            "endpoint": made["Endpoint"],
            "reader_endpoint": made["ReaderEndpoint"],
            "port": made["Port"],
            "members": members,
        }


def _location(seeder: Seeder, wish: dict) -> dict:
    return {
        "account": wish["account"],
        "account_id": seeder.account_ids[wish["account"]],
        "region": wish["region"],
        "identifier": wish["identifier"],
        "kind": wish.get("kind", "instance"),
        "engine": wish["engine"],
    }


def main() -> None:
    wishes = json.load(sys.stdin)
    home_region = wishes.get("home_region", HOME_REGION)
    seeder = Seeder(wishes["endpoint"], wishes.get("member_role", MEMBER_ROLE), wishes.get("external_id"), home_region)
    made = {"organization": seeder.organization()}
    made["databases"] = [seeder.database(wish) for wish in wishes.get("databases", [])]
    made["networks"] = seeder.networks
    json.dump(made, sys.stdout, indent=2)


if __name__ == "__main__":
    main()
