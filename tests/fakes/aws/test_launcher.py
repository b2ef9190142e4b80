"""The patches of the launcher, checked with boto3. Run from `tests/fakes`:  python -m unittest aws.test_launcher"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

from aws.seed import HUB_KEY, MANAGEMENT_ACCOUNT, MEMBER_ROLE, Seeder

FAKES = Path(__file__).resolve().parent.parent
for variable in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[variable]


class Launcher:
    """A running launcher with a seeded organization."""

    def __init__(self, external_id: str | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "aws.launcher", "0", "--with-parent"],
            cwd=FAKES,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.url = f"http://127.0.0.1:{json.loads(self.process.stdout.readline())['port']}"
        self.seeder = self.make_seeder(external_id)
        self.organization = self.seeder.organization()
        self.ids = self.seeder.account_ids

    def make_seeder(self, external_id: str | None) -> Seeder:
        return Seeder(self.url, external_id=external_id)

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=10)
        self.process.stdout.close()

    def rig(self, method: str, path: str, value: object = None) -> object:
        body = None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(f"{self.url}/rig/{path}", data=body, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def client(self, service: str, account: str | None = None, region: str = "eu-west-1"):
        """A client without retries, so that every injected fault is seen."""
        keys = HUB_KEY if account is None else self.seeder._session(account)
        config = Config(retries={"total_max_attempts": 1}, read_timeout=20)
        return boto3.client(service, endpoint_url=self.url, region_name=region, config=config, **keys)


class LauncherTest(unittest.TestCase):
    external_id: str | None = None

    @classmethod
    def setUpClass(cls) -> None:
        cls.aws = Launcher(cls.external_id)
        cls.addClassCleanup(cls.aws.stop)

    def setUp(self) -> None:
        for path in ("faults", "deny", "log"):
            self.aws.rig("DELETE", path)
        fresh = {name: type(value)() for name, value in self.aws.rig("GET", "settings").items()}
        self.aws.rig("PUT", "settings", {**fresh, "role_checks": True})

    def refused(self, code: str, call, status: int | None = None, **arguments) -> str:
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        answer = caught.exception.response
        self.assertEqual(answer["Error"]["Code"], code)
        if status is not None:
            self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], status)
        return answer["Error"]["Message"]

    def database(self, **wish) -> dict:
        wish = {"account": "orders-eu", "region": "eu-west-1", "engine": "postgres", **wish}
        wish.setdefault("identifier", "db-" + uuid.uuid4().hex[:8])
        return self.aws.seeder.database(wish)


class Instances(LauncherTest):
    def setUp(self) -> None:
        super().setUp()
        self.rds = self.aws.client("rds", "orders-eu")

    def describe(self, identifier: str) -> dict:
        return self.rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]

    def modify(self, identifier: str, **changes) -> dict:
        return self.rds.modify_db_instance(DBInstanceIdentifier=identifier, **changes)["DBInstance"]

    def test_ids_and_hosts_are_unique_per_account_and_region(self) -> None:
        places = [("orders-eu", "eu-west-1"), ("payments-eu", "eu-west-1"), ("orders-eu", "us-east-1")]
        made = [self.database(account=account, region=region, identifier="twin") for account, region in places]
        self.assertEqual(len({entry["endpoint"] for entry in made}), 3)
        self.assertEqual(len({entry["resource_id"] for entry in made}), 3)
        host = self.aws.rig(
            "GET", f"host?account={self.aws.ids['orders-eu']}&region=eu-west-1&kind=instance&identifier=twin"
        )
        self.assertEqual(host["endpoint"], made[0]["endpoint"])
        again = self.rds.delete_db_instance(DBInstanceIdentifier="twin", SkipFinalSnapshot=True)["DBInstance"]
        self.assertEqual(again["DbiResourceId"], made[0]["resource_id"])
        self.assertNotEqual(self.database(identifier="twin")["resource_id"], made[0]["resource_id"])

    def test_a_password_change_passes_through_its_states(self) -> None:
        name = self.database()["identifier"]
        self.aws.rig("PUT", "settings", {"modify_polls": 2, "available_polls": 1})
        answer = self.modify(name, MasterUserPassword="a-New-Passw0rd")
        self.assertEqual(answer["DBInstanceStatus"], "available")
        self.assertEqual(answer["PendingModifiedValues"], {"MasterUserPassword": "****"})
        states = [self.describe(name)["DBInstanceStatus"] for _ in range(2)]
        self.assertEqual(states, ["available", "resetting-master-credentials"])
        self.refused("InvalidDBInstanceState", self.modify, identifier=name, BackupRetentionPeriod=3)
        states = [self.describe(name) for _ in range(2)]
        self.assertEqual(states[0]["DBInstanceStatus"], "resetting-master-credentials")
        self.assertEqual(states[1]["DBInstanceStatus"], "available")
        self.assertNotIn("MasterUserPassword", states[1].get("PendingModifiedValues", {}))

    def test_password_rules(self) -> None:
        name = self.database()["identifier"]
        maria = self.database(engine="mariadb")["identifier"]
        for wrong in ("short1", "has/slash-1", 'has"quote-1', "has@sign-1", "has space-1", "x" * 129, "pässwörd1"):
            self.refused("InvalidParameterValue", self.modify, identifier=name, MasterUserPassword=wrong)
        self.refused("InvalidParameterValue", self.modify, identifier=maria, MasterUserPassword="x" * 42)
        self.modify(maria, MasterUserPassword="x" * 41)
        self.modify(name, MasterUserPassword="x" * 128)

    def test_pending_values_wait_for_apply_immediately(self) -> None:
        name = self.database()["identifier"]
        answer = self.modify(name, DBInstanceClass="db.m6g.large", ApplyImmediately=False)
        self.assertEqual(answer["DBInstanceClass"], "db.t4g.micro")
        self.assertEqual(answer["PendingModifiedValues"], {"DBInstanceClass": "db.m6g.large"})
        self.modify(name, MasterUserPassword="a-New-Passw0rd", ApplyImmediately=False)
        self.assertEqual(self.describe(name)["PendingModifiedValues"], {"DBInstanceClass": "db.m6g.large"})
        self.aws.rig("PUT", "settings", {"modify_polls": 1})
        self.modify(name, BackupRetentionPeriod=5, ApplyImmediately=True)
        during, after = self.describe(name), self.describe(name)
        self.assertEqual((during["DBInstanceStatus"], during["DBInstanceClass"]), ("modifying", "db.t4g.micro"))
        self.assertEqual((after["DBInstanceStatus"], after["DBInstanceClass"]), ("available", "db.m6g.large"))
        self.assertEqual(after.get("PendingModifiedValues", {}), {})

    def test_security_groups_are_checked_and_change_in_steps(self) -> None:
        made = self.database()
        name, network = made["identifier"], self.aws.seeder.networks["orders-eu/eu-west-1"]
        ec2 = self.aws.client("ec2", "orders-eu")
        vpc = ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
        foreign = ec2.create_security_group(GroupName="foreign", Description="d", VpcId=vpc)["GroupId"]
        ours = [
            ec2.create_security_group(GroupName=f"g-{uuid.uuid4()}", Description="d", VpcId=network["vpc"])["GroupId"]
            for _ in range(6)
        ]
        refused = lambda code, groups: self.refused(code, self.modify, identifier=name, VpcSecurityGroupIds=groups)
        refused("InvalidParameterValue", ["sg-00000000000000000"])
        refused("InvalidParameterCombination", [network["db_base"], foreign])
        refused("InvalidParameterCombination", ours)
        refused("InvalidParameterValue", [])
        self.aws.rig("PUT", "settings", {"modify_polls": 1})
        self.modify(name, VpcSecurityGroupIds=[network["db_base"], ours[0]])
        during, after = self.describe(name), self.describe(name)
        states = {group["VpcSecurityGroupId"]: group["Status"] for group in during["VpcSecurityGroups"]}
        self.assertEqual(states, {network["db_base"]: "active", ours[0]: "adding"})
        self.assertEqual({group["Status"] for group in after["VpcSecurityGroups"]}, {"active"})
        self.refused("DependencyViolation", ec2.delete_security_group, GroupId=ours[0])
        self.modify(name, VpcSecurityGroupIds=[network["db_base"]])
        self.refused("DependencyViolation", ec2.delete_security_group, GroupId=ours[0])
        self.describe(name), self.describe(name)
        ec2.delete_security_group(GroupId=ours[0])

    def test_a_stopped_instance_refuses_changes(self) -> None:
        name = self.database()["identifier"]
        self.rds.stop_db_instance(DBInstanceIdentifier=name)
        self.refused("InvalidDBInstanceState", self.modify, identifier=name, MasterUserPassword="a-New-Passw0rd")
        self.assertEqual(self.describe(name)["DBInstanceStatus"], "stopped")
        place = {"account": self.aws.ids["orders-eu"], "region": "eu-west-1", "kind": "instance", "identifier": name}
        self.aws.rig("POST", "status", {**place, "status": "storage-full"})
        self.assertEqual(self.describe(name)["DBInstanceStatus"], "storage-full")

    def test_a_managed_password_excludes_an_own_one(self) -> None:
        name = self.database()["identifier"]
        managed = self.modify(name, ManageMasterUserPassword=True)["MasterUserSecret"]["SecretArn"]
        self.refused("InvalidParameterCombination", self.modify, identifier=name, MasterUserPassword="a-New-Passw0rd")
        self.refused("InvalidParameterCombination", self.modify, identifier=name, ManageMasterUserPassword=False)
        secrets = self.aws.client("secretsmanager", "orders-eu")
        first = json.loads(secrets.get_secret_value(SecretId=managed)["SecretString"])
        self.assertEqual(first["username"], "admin1")
        self.modify(name, RotateMasterUserPassword=True, ApplyImmediately=True)
        second = json.loads(secrets.get_secret_value(SecretId=managed)["SecretString"])
        self.assertNotEqual(first["password"], second["password"])
        self.modify(name, ManageMasterUserPassword=False, MasterUserPassword="a-New-Passw0rd")
        self.assertNotIn("MasterUserSecret", self.describe(name))
        self.refused("ResourceNotFoundException", secrets.describe_secret, SecretId=managed)

    def test_a_managed_secret_passes_through_its_states(self) -> None:
        name = self.database()["identifier"]
        self.aws.rig("PUT", "settings", {"modify_polls": 1})
        self.refused(
            "InvalidParameterCombination",
            self.modify,
            identifier=name,
            ManageMasterUserPassword=True,
            MasterUserPassword="a-New-Passw0rd",
        )
        made = self.modify(name, ManageMasterUserPassword=True, ApplyImmediately=True)["MasterUserSecret"]
        self.assertEqual(made["SecretStatus"], "creating")
        self.refused("InvalidDBInstanceState", self.modify, identifier=name, ManageMasterUserPassword=True)
        seen = [self.describe(name)["MasterUserSecret"]["SecretStatus"] for _ in range(2)]
        self.assertEqual(seen, ["creating", "active"])
        secrets = self.aws.client("secretsmanager", "orders-eu")
        first = secrets.get_secret_value(SecretId=made["SecretArn"])
        self.refused("InvalidParameterCombination", self.modify, identifier=name, RotateMasterUserPassword=True)
        self.modify(name, RotateMasterUserPassword=True, ApplyImmediately=True)
        during = self.describe(name)["MasterUserSecret"]["SecretStatus"]
        same = secrets.get_secret_value(SecretId=made["SecretArn"])
        self.assertEqual((during, same["VersionId"]), ("rotating", first["VersionId"]))
        self.assertEqual(self.describe(name)["MasterUserSecret"]["SecretStatus"], "active")
        second = secrets.get_secret_value(SecretId=made["SecretArn"])
        self.assertNotEqual(second["VersionId"], first["VersionId"])
        self.assertEqual(sorted(second["VersionStages"]), ["AWSCURRENT", "AWSPENDING"])
        place = {"account": self.aws.ids["orders-eu"], "region": "eu-west-1", "kind": "instance", "identifier": name}
        self.aws.rig("POST", "status", {**place, "secret_status": "impaired"})
        self.assertEqual(self.describe(name)["MasterUserSecret"]["SecretStatus"], "impaired")

    def test_a_managed_secret_belongs_to_rds_and_its_schedule_to_the_owner(self) -> None:
        name = self.database()["identifier"]
        managed = self.modify(name, ManageMasterUserPassword=True)["MasterUserSecret"]["SecretArn"]
        secrets = self.aws.client("secretsmanager", "orders-eu")
        self.refused("InvalidRequestException", secrets.put_secret_value, SecretId=managed, SecretString="x")
        self.refused("InvalidRequestException", secrets.delete_secret, SecretId=managed)
        rules = lambda: secrets.describe_secret(SecretId=managed)["RotationRules"]
        self.assertEqual(rules(), {"AutomaticallyAfterDays": 7})
        self.assertEqual(secrets.describe_secret(SecretId=managed)["OwningService"], "rds")
        rotate = lambda **change: secrets.rotate_secret(SecretId=managed, RotateImmediately=False, RotationRules=change)
        before = secrets.get_secret_value(SecretId=managed)["VersionId"]
        for change in ({"AutomaticallyAfterDays": 30}, {"ScheduleExpression": "rate(12 hours)"}):
            rotate(**change)
            self.assertEqual(rules(), change)
        self.assertEqual(secrets.get_secret_value(SecretId=managed)["VersionId"], before)
        for change in ({"ScheduleExpression": "rate(3 hours)"}, {"AutomaticallyAfterDays": 1001}):
            self.refused("InvalidParameterException", rotate, **change)

    def test_the_key_of_a_managed_secret_stays(self) -> None:
        name = self.database()["identifier"]
        kms = self.aws.client("kms", "orders-eu")
        first, second = (kms.create_key()["KeyMetadata"] for _ in range(2))
        made = self.modify(name, ManageMasterUserPassword=True, MasterUserSecretKmsKeyId=first["KeyId"])
        self.assertEqual(made["MasterUserSecret"]["KmsKeyId"], first["Arn"])
        change = {"ManageMasterUserPassword": True, "MasterUserSecretKmsKeyId": second["KeyId"]}
        self.refused("InvalidParameterCombination", self.modify, identifier=name, **change)

    def test_a_new_instance_has_no_endpoint_while_creating(self) -> None:
        self.aws.rig("PUT", "settings", {"create_polls": 1})
        self.rds.create_db_instance(
            DBInstanceIdentifier="fresh",
            Engine="mariadb",
            DBInstanceClass="db.t4g.micro",
            AllocatedStorage=20,
            MasterUsername="admin1",
            MasterUserPassword="Initial-Passw0rd",
        )
        during, after = self.describe("fresh"), self.describe("fresh")
        self.assertEqual((during["DBInstanceStatus"], "Endpoint" in during), ("creating", False))
        self.assertEqual((after["DBInstanceStatus"], "Endpoint" in after), ("available", True))
        self.assertEqual((after["EngineVersion"], after["PubliclyAccessible"]), ("10.11.9", False))

    def test_a_replica_has_its_own_id_and_state(self) -> None:
        source = self.database()
        replica = self.rds.create_db_instance_read_replica(
            DBInstanceIdentifier=source["identifier"] + "-r", SourceDBInstanceIdentifier=source["identifier"]
        )["DBInstance"]
        self.assertNotEqual(replica["DbiResourceId"], source["resource_id"])
        self.assertEqual(replica["ReadReplicaSourceDBInstanceIdentifier"], source["identifier"])

    def test_listings_have_pages(self) -> None:
        for _ in range(5):
            self.database(account="sandbox", region="us-west-2")
        rds = self.aws.client("rds", "sandbox", "us-west-2")
        self.refused("InvalidParameterValue", rds.describe_db_instances, MaxRecords=2)
        self.aws.rig("PUT", "settings", {"page_size": 2})
        pages = list(rds.get_paginator("describe_db_instances").paginate())
        self.assertEqual([len(page["DBInstances"]) for page in pages], [2, 2, 1])


class Clusters(LauncherTest):
    def setUp(self) -> None:
        super().setUp()
        self.rds = self.aws.client("rds", "orders-eu")
        self.made = self.database(engine="aurora-postgresql", kind="cluster", port=15999)
        self.name = self.made["identifier"]

    def describe(self) -> dict:
        return self.rds.describe_db_clusters(DBClusterIdentifier=self.name)["DBClusters"][0]

    def modify(self, **changes) -> dict:
        return self.rds.modify_db_cluster(DBClusterIdentifier=self.name, **changes)["DBCluster"]

    def test_hosts_ports_and_network_of_a_cluster_and_its_members(self) -> None:
        cluster = self.describe()
        middle = self.made["members"][0]["endpoint"].split(".")[1]
        self.assertIn(f".cluster-{middle}.eu-west-1.rds.", cluster["Endpoint"])
        self.assertIn(f".cluster-ro-{middle}.eu-west-1.rds.", cluster["ReaderEndpoint"])
        self.assertTrue(cluster["DbClusterResourceId"].startswith("cluster-"))
        member = self.rds.describe_db_instances(DBInstanceIdentifier=self.name + "-1")["DBInstances"][0]
        self.assertEqual(member["Endpoint"]["Port"], 15999)
        self.assertEqual(member["DBSubnetGroup"]["VpcId"], self.made["vpc_id"])

    def test_members_refuse_what_belongs_to_the_cluster(self) -> None:
        change = lambda **changes: self.rds.modify_db_instance(DBInstanceIdentifier=self.name + "-1", **changes)
        self.refused("InvalidParameterCombination", change, MasterUserPassword="a-New-Passw0rd")
        self.refused("InvalidParameterCombination", change, VpcSecurityGroupIds=["sg-1"])

    def test_a_refused_change_loses_nothing(self) -> None:
        self.refused("InvalidParameterValue", self.modify, MasterUserPassword="short")
        self.refused("InvalidParameterValue", self.modify, MasterUserPassword="x" * 42)
        self.refused("InvalidParameterCombination", self.modify, RotateMasterUserPassword=True)
        self.assertEqual(self.describe()["Status"], "available")
        self.refused("DBClusterNotFoundFault", self.rds.modify_db_cluster, 404, DBClusterIdentifier="no-such")

    def test_a_password_change_shows_stars(self) -> None:
        self.aws.rig("PUT", "settings", {"modify_polls": 1})
        answer = self.modify(MasterUserPassword="a-New-Passw0rd")
        self.assertEqual(answer["PendingModifiedValues"], {"MasterUserPassword": "****"})
        self.refused("InvalidDBClusterStateFault", self.modify, MasterUserPassword="another-Passw0rd")
        states = [self.describe()["Status"] for _ in range(2)]
        self.assertEqual(states, ["resetting-master-credentials", "available"])
        self.assertEqual(self.describe().get("PendingModifiedValues", {}), {})

    def test_a_password_may_wait_for_apply_immediately(self) -> None:
        self.aws.rig("PUT", "settings", {"hold_cluster_password": True})
        self.modify(MasterUserPassword="a-New-Passw0rd", EnableIAMDatabaseAuthentication=True)
        waiting = {"MasterUserPassword": "****", "IAMDatabaseAuthenticationEnabled": True}
        self.assertEqual(self.describe()["PendingModifiedValues"], waiting)
        self.modify(MasterUserPassword="a-New-Passw0rd", ApplyImmediately=True)
        after = self.describe()
        self.assertEqual(after.get("PendingModifiedValues", {}), {})
        self.assertTrue(after["IAMDatabaseAuthenticationEnabled"])

    def test_clusters_are_listed_in_pages(self) -> None:
        self.database(engine="aurora-mysql", kind="cluster")
        self.aws.rig("PUT", "settings", {"page_size": 1})
        pages = list(self.rds.get_paginator("describe_db_clusters").paginate())
        self.assertGreaterEqual(len(pages), 2)
        self.assertEqual({len(page["DBClusters"]) for page in pages}, {1})


class SecurityGroups(LauncherTest):
    def setUp(self) -> None:
        super().setUp()
        self.vpc = self.database()["vpc_id"]
        self.ec2 = self.aws.client("ec2", "orders-eu")

    def group(self) -> str:
        name = f"g-{uuid.uuid4()}"
        return self.ec2.create_security_group(GroupName=name, Description="d", VpcId=self.vpc)["GroupId"]

    def allow(self, group: str, **source) -> None:
        rule = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, **source}
        self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])

    def test_a_rule_is_described_by_its_id(self) -> None:
        network = self.aws.seeder.network("orders-eu", "eu-west-1")
        ec2 = self.aws.client("ec2", "orders-eu")
        group = ec2.create_security_group(GroupName="described", Description="it", VpcId=network["vpc"])["GroupId"]
        rule = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "a"}]}
        made = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])["SecurityGroupRules"][0]
        texts = [{"SecurityGroupRuleId": made["SecurityGroupRuleId"], "Description": "b"}]
        ec2.update_security_group_rule_descriptions_ingress(GroupId=group, SecurityGroupRuleDescriptions=texts)
        found = ec2.describe_security_group_rules(SecurityGroupRuleIds=[made["SecurityGroupRuleId"]])
        self.assertEqual(found["SecurityGroupRules"][0]["Description"], "b")
        texts[0]["SecurityGroupRuleId"] = "sgr-none"
        change = ec2.update_security_group_rule_descriptions_ingress
        self.refused("InvalidSecurityGroupRuleId.NotFound", change, GroupId=group, SecurityGroupRuleDescriptions=texts)

    def test_a_referenced_group_stays_until_the_rule_goes(self) -> None:
        source, holder = self.group(), self.group()
        self.allow(holder, UserIdGroupPairs=[{"GroupId": source}])
        self.refused("DependencyViolation", self.ec2.delete_security_group, GroupId=source)
        self.ec2.delete_security_group(GroupId=holder)
        self.ec2.delete_security_group(GroupId=source)

    def test_host_bits_are_cleared_and_duplicates_found(self) -> None:
        group = self.group()
        self.allow(group, IpRanges=[{"CidrIp": "10.2.3.4/16"}])
        rules = self.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
        self.assertEqual(rules[0]["IpRanges"][0]["CidrIp"], "10.2.0.0/16")
        self.refused("InvalidPermission.Duplicate", self.allow, group=group, IpRanges=[{"CidrIp": "10.2.0.0/16"}])

    def test_groups_of_other_accounts_can_be_sources(self) -> None:
        self.database(account="payments-eu")
        foreign = {"GroupId": self.aws.seeder.networks["payments-eu/eu-west-1"]["app"]}
        pair = {**foreign, "UserId": self.aws.ids["payments-eu"]}
        group = self.group()
        self.allow(group, UserIdGroupPairs=[pair])
        rules = self.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
        self.assertEqual(rules[0]["UserIdGroupPairs"][0]["UserId"], pair["UserId"])
        wrong = {**pair, "GroupId": "sg-00000000000000000"}
        self.refused("InvalidGroup.NotFound", self.allow, group=group, UserIdGroupPairs=[wrong])

    def test_names_and_vpcs_are_checked(self) -> None:
        create = self.ec2.create_security_group
        self.refused("InvalidVpcID.NotFound", create, GroupName="x", Description="d", VpcId="vpc-00000000")
        self.refused("InvalidParameterValue", create, GroupName="sg-x", Description="d", VpcId=self.vpc)


class Secrets(LauncherTest):
    def setUp(self) -> None:
        super().setUp()
        self.secrets = self.aws.client("secretsmanager", "orders-eu")
        self.name = f"rdsaccess/{uuid.uuid4()}"
        self.first = self.put_first()

    def put_first(self) -> str:
        self.secrets.create_secret(Name=self.name, Description="d")
        return self.put("one", ["AWSPENDING"])

    def put(self, value: str, stages: list[str], token: str | None = None) -> str:
        token = token or str(uuid.uuid4())
        return self.secrets.put_secret_value(
            SecretId=self.name, SecretString=value, VersionStages=stages, ClientRequestToken=token
        )["VersionId"]

    def stages(self) -> dict:
        listed = self.secrets.describe_secret(SecretId=self.name)["VersionIdsToStages"]
        return {version: sorted(stages) for version, stages in listed.items()}

    def value(self, **which) -> str:
        return self.secrets.get_secret_value(SecretId=self.name, **which)["SecretString"]

    def move(self, stage: str, **versions) -> None:
        self.secrets.update_secret_version_stage(SecretId=self.name, VersionStage=stage, **versions)

    def test_the_first_version_is_current_whatever_is_asked(self) -> None:
        self.assertEqual(self.stages(), {self.first: ["AWSCURRENT", "AWSPENDING"]})
        self.move("AWSPENDING", RemoveFromVersionId=self.first)
        self.assertEqual(self.stages(), {self.first: ["AWSCURRENT"]})

    def test_promotion_moves_what_is_read(self) -> None:
        self.move("AWSPENDING", RemoveFromVersionId=self.first)
        second = self.put("two", ["AWSPENDING"])
        self.assertEqual((self.value(), self.value(VersionStage="AWSPENDING")), ("one", "two"))
        self.refused("InvalidParameterException", self.move, stage="AWSCURRENT", MoveToVersionId=second)
        self.move("AWSCURRENT", MoveToVersionId=second, RemoveFromVersionId=self.first)
        self.move("AWSPENDING", RemoveFromVersionId=second)
        self.assertEqual((self.value(), self.value(VersionStage="AWSPREVIOUS")), ("two", "one"))
        self.assertEqual(self.stages(), {self.first: ["AWSPREVIOUS"], second: ["AWSCURRENT"]})
        third = self.put("three", ["AWSCURRENT"])
        self.assertEqual(self.stages(), {second: ["AWSPREVIOUS"], third: ["AWSCURRENT"]})

    def test_current_can_not_be_taken_away(self) -> None:
        self.refused("InvalidParameterException", self.move, stage="AWSCURRENT", RemoveFromVersionId=self.first)
        self.refused("InvalidParameterException", self.move, stage="AWSPENDING", RemoveFromVersionId=str(uuid.uuid4()))

    def test_a_token_is_used_for_one_value(self) -> None:
        token = str(uuid.uuid4())
        self.put("two", ["AWSPENDING"], token)
        self.assertEqual(self.put("two", ["AWSPENDING"], token), token)
        self.refused("ResourceExistsException", self.put, value="other", stages=["AWSPENDING"], token=token)
        self.assertEqual(self.value(VersionId=token), "two")

    def test_a_secret_marked_for_deletion_is_closed_until_restored(self) -> None:
        self.secrets.delete_secret(SecretId=self.name, RecoveryWindowInDays=7)
        self.refused("InvalidRequestException", self.value)
        self.refused("InvalidRequestException", self.value, VersionStage="AWSPENDING")
        self.refused("InvalidRequestException", self.put, value="two", stages=["AWSPENDING"])
        self.refused("InvalidRequestException", self.secrets.create_secret, Name=self.name, SecretString="x")
        self.assertIn("DeletedDate", self.secrets.describe_secret(SecretId=self.name))
        self.secrets.restore_secret(SecretId=self.name)
        self.assertEqual(self.value(), "one")

    def test_versions_are_listed_with_their_time(self) -> None:
        listed = self.secrets.list_secret_version_ids(SecretId=self.name)
        self.assertTrue(listed["ARN"].startswith("arn:aws:secretsmanager:eu-west-1:"))
        self.assertEqual([version["VersionId"] for version in listed["Versions"]], [self.first])
        stored = listed["Versions"][0]["CreatedDate"]
        place = {"account": self.aws.ids["orders-eu"], "region": "eu-west-1", "secret": self.name}
        self.aws.rig("POST", "versions", {**place, "version": self.first, "seconds": 7200})
        older = self.secrets.list_secret_version_ids(SecretId=self.name)["Versions"][0]["CreatedDate"]
        self.assertEqual((stored - older).total_seconds(), 7200)


class Access(LauncherTest):
    external_id = "agreed-on"

    def assume(self, account: str = "payments-eu", role: str = MEMBER_ROLE, client=None, **more) -> dict:
        arn = f"arn:aws:iam::{self.aws.ids.get(account, account)}:role/{role}"
        more.setdefault("ExternalId", self.external_id)
        return (client or self.aws.client("sts")).assume_role(RoleArn=arn, RoleSessionName="test", **more)

    def test_the_role_and_its_trust_policy_are_checked(self) -> None:
        arn = self.assume()["AssumedRoleUser"]["Arn"]
        self.assertIn(f":{self.aws.ids['payments-eu']}:assumed-role/{MEMBER_ROLE}/test", arn)
        self.refused("AccessDenied", self.assume, 403, role="NoSuchRole")
        self.refused("AccessDenied", self.assume, 403, account="999999999999")
        self.refused("AccessDenied", self.assume, 403, ExternalId="something-else")
        other_member = self.aws.client("sts", "orders-eu")
        self.refused("AccessDenied", self.assume, 403, client=other_member)

    def test_a_suspended_account_can_not_be_entered(self) -> None:
        account = {"id": self.aws.ids["sandbox"]}
        self.aws.rig("POST", "accounts", {**account, "status": "SUSPENDED"})
        self.refused("AccessDenied", self.assume, 403, account="sandbox")
        listed = self.aws.client("organizations").describe_account(AccountId=account["id"])["Account"]
        self.assertEqual(listed["Status"], "SUSPENDED")
        self.aws.rig("POST", "accounts", {**account, "status": "ACTIVE"})
        self.assume("sandbox")

    def test_accounts_are_closed_and_renamed(self) -> None:
        hub, account = self.aws.client("organizations"), self.aws.ids["sandbox"]
        self.aws.rig("POST", "accounts", {"id": account, "status": "CLOSED", "name": "Old Sandbox"})
        listed = hub.describe_account(AccountId=account)["Account"]
        self.assertEqual([listed[key] for key in ("State", "Status", "Name")], ["CLOSED", "SUSPENDED", "Old Sandbox"])
        self.refused("AccessDenied", self.assume, 403, account="sandbox")
        self.aws.rig("POST", "accounts", {"id": account, "status": "ACTIVE", "name": "sandbox"})
        self.assume("sandbox")

    def test_across_accounts_a_refusal_tells_nothing_and_within_one_it_names_the_policy(self) -> None:
        words = lambda **more: self.refused("AccessDenied", self.assume, 403, **more)
        for more in ({"role": "NoSuchRole"}, {"ExternalId": "something-else"}, {"account": "999999999999"}):
            self.assertRegex(words(**more), r"not authorized to perform: sts:AssumeRole on resource: arn:\S+$")
        member = self.aws.client("sts", "payments-eu")
        self.assertTrue(words(client=member).endswith("because no role trust policy allows the sts:AssumeRole action"))

    def test_durations_are_limited(self) -> None:
        self.refused("ValidationError", self.assume, DurationSeconds=7200)

    def test_short_sessions_end(self) -> None:
        self.aws.rig("PUT", "settings", {"session_seconds": 1})
        made = self.assume()["Credentials"]
        keys = {
            "aws_access_key_id": made["AccessKeyId"],
            "aws_secret_access_key": made["SecretAccessKey"],
            "aws_session_token": made["SessionToken"],
        }
        config = Config(retries={"total_max_attempts": 1})
        common = {"endpoint_url": self.aws.url, "region_name": "eu-west-1", "config": config, **keys}
        make = lambda name: boto3.client(name, **common)
        make("rds").describe_db_instances()
        time.sleep(1.1)
        self.refused("ExpiredToken", make("rds").describe_db_instances, 403)
        self.refused("ExpiredTokenException", make("secretsmanager").list_secrets, 400)

    def test_members_see_the_organization_only_as_delegates(self) -> None:
        member = self.aws.client("organizations", "shared-services")
        self.refused("AccessDeniedException", member.list_accounts, 400)
        self.assertEqual(member.describe_organization()["Organization"]["MasterAccountId"], MANAGEMENT_ACCOUNT)
        hub = self.aws.client("organizations")
        delegate = {"AccountId": self.aws.ids["shared-services"], "ServicePrincipal": "guardduty.amazonaws.com"}
        hub.register_delegated_administrator(**delegate)
        self.assertEqual(len(member.list_accounts()["Accounts"]), 7)
        self.refused("AccessDeniedException", member.create_account, AccountName="x", Email="x@example.com")
        hub.deregister_delegated_administrator(**delegate)
        self.refused("AccessDeniedException", member.list_accounts)

    def test_listings_of_the_organization_have_pages(self) -> None:
        hub = self.aws.client("organizations")
        self.refused("InvalidInputException", hub.list_accounts, MaxResults=21)
        self.aws.rig("PUT", "settings", {"page_size": 3})
        pages = list(hub.get_paginator("list_accounts").paginate())
        self.assertEqual([len(page["Accounts"]) for page in pages], [3, 3, 1])

    def test_denied_actions_answer_in_the_form_of_the_service(self) -> None:
        account = self.aws.ids["payments-eu"]
        self.aws.rig("POST", "deny", {"account": account, "actions": ["rds:Describe*", "ec2:*", "secretsmanager:*"]})
        client = lambda service: self.aws.client(service, "payments-eu")
        text = self.refused("AccessDenied", client("rds").describe_db_instances, 403)
        self.assertIn(f":{account}:assumed-role/{MEMBER_ROLE}/seed is not authorized", text)
        self.assertIn("rds:DescribeDBInstances", text)
        self.refused("UnauthorizedOperation", client("ec2").describe_security_groups, 403)
        self.refused("AccessDeniedException", client("secretsmanager").list_secrets, 400)
        self.aws.client("rds", "orders-eu").describe_db_instances()
        self.aws.rig("POST", "deny", {"account": account, "actions": ["sts:AssumeRole"]})
        self.refused("AccessDenied", self.assume, 403)
        self.assume("orders-eu")


class Regions(LauncherTest):
    def test_a_region_that_is_off_knows_nobody(self) -> None:
        client = lambda service: self.aws.client(service, "orders-eu", "af-south-1")
        self.refused("InvalidClientTokenId", client("rds").describe_db_instances, 403)
        self.refused("InvalidClientTokenId", client("sts").get_caller_identity, 403)
        self.refused("AuthFailure", client("ec2").describe_vpcs, 401)
        self.refused("UnrecognizedClientException", client("secretsmanager").list_secrets, 400)
        region = {"account": self.aws.ids["orders-eu"], "region": "af-south-1", "enabled": True}
        self.aws.rig("POST", "regions", region)
        client("rds").describe_db_instances()
        other = self.aws.client("rds", "payments-eu", "af-south-1")
        self.refused("InvalidClientTokenId", other.describe_db_instances, 403)
        self.aws.rig("POST", "regions", {**region, "enabled": False})
        self.refused("AuthFailure", client("ec2").describe_vpcs)

    def test_regions_are_listed_with_their_opt_in(self) -> None:
        ec2 = self.aws.client("ec2", "orders-eu")
        listed = lambda **asked: {r["RegionName"]: r["OptInStatus"] for r in ec2.describe_regions(**asked)["Regions"]}
        self.assertNotIn("af-south-1", listed())
        self.assertEqual(listed()["eu-west-1"], "opt-in-not-required")
        self.assertEqual(listed(AllRegions=True)["af-south-1"], "not-opted-in")
        self.assertEqual(listed(RegionNames=["eu-west-1"]), {"eu-west-1": "opt-in-not-required"})
        region = {"account": self.aws.ids["orders-eu"], "region": "af-south-1", "enabled": True}
        self.aws.rig("POST", "regions", region)
        self.assertEqual(listed()["af-south-1"], "opted-in")
        only = [{"Name": "opt-in-status", "Values": ["opted-in"]}, {"Name": "region-name", "Values": ["af-south-1"]}]
        self.assertEqual(listed(AllRegions=True, Filters=only), {"af-south-1": "opted-in"})
        self.aws.rig("POST", "regions", {**region, "enabled": False})
        self.assertEqual(listed(AllRegions=True, Filters=only), {})


class FaultsAndLog(LauncherTest):
    def setUp(self) -> None:
        super().setUp()
        self.rds = self.aws.client("rds", "orders-eu")

    def test_throttling_is_counted_and_placed(self) -> None:
        self.aws.rig("POST", "faults", {"service": "rds", "action": "DescribeDBInstances", "times": 2, "skip": 1})
        self.rds.describe_db_instances()
        for _ in range(2):
            self.refused("Throttling", self.rds.describe_db_instances, 400)
        self.rds.describe_db_instances()
        self.assertEqual(self.aws.rig("GET", "faults")[0]["hits"], 2)
        self.aws.rig("POST", "faults", {"service": "ec2", "region": "us-east-1"})
        self.aws.client("ec2", "orders-eu").describe_vpcs()
        elsewhere = self.aws.client("ec2", "orders-eu", "us-east-1")
        self.refused("RequestLimitExceeded", elsewhere.describe_vpcs)

    def test_codes_and_status_are_free(self) -> None:
        self.aws.rig("POST", "faults", {"service": "secretsmanager", "code": "InternalServiceError", "status": 500})
        self.refused("InternalServiceError", self.aws.client("secretsmanager", "orders-eu").list_secrets, 500)

    def test_an_answer_can_be_lost_before_or_after_the_work(self) -> None:
        secrets = self.aws.client("secretsmanager", "orders-eu")
        for when, exists in (("before", False), ("after", True)):
            name = f"lost/{when}"
            self.aws.rig("POST", "faults", {"action": "CreateSecret", "drop": True, "when": when})
            with self.assertRaises(HTTPClientError):
                secrets.create_secret(Name=name, SecretString="x")
            listed = [entry["Name"] for entry in secrets.list_secrets()["SecretList"]]
            self.assertEqual(name in listed, exists)
        self.aws.rig("POST", "faults", {"action": "CreateSecret", "when": "after", "code": "Late", "status": 503})
        self.refused("Late", secrets.create_secret, 503, Name="lost/late", SecretString="x")
        self.assertEqual(secrets.describe_secret(SecretId="lost/late")["Name"], "lost/late")

    def test_slow_calls(self) -> None:
        self.aws.rig("POST", "faults", {"service": "rds", "latency_ms": 300})
        started = time.monotonic()
        self.rds.describe_db_instances()
        self.assertGreaterEqual(time.monotonic() - started, 0.3)

    def test_the_log_names_calls_and_keeps_no_secret(self) -> None:
        name = self.database()["identifier"]
        self.aws.rig("DELETE", "log")
        secret = "Sentinel-Passw0rd"
        self.rds.modify_db_instance(DBInstanceIdentifier=name, MasterUserPassword=secret, ApplyImmediately=False)
        self.aws.client("secretsmanager", "orders-eu").create_secret(Name="logged", SecretString=secret)
        log = self.aws.rig("GET", "log?service=rds&action=ModifyDBInstance")
        self.assertEqual(len(log), 1)
        self.assertEqual(log[0]["account"], self.aws.ids["orders-eu"])
        self.assertEqual(log[0]["params"], {"DBInstanceIdentifier": name, "ApplyImmediately": "false"})
        self.assertEqual((log[0]["status"], log[0]["password_given"], log[0]["region"]), (200, True, "eu-west-1"))
        self.assertIn("Boto3", log[0]["user_agent"])
        whole = self.aws.rig("GET", "log")
        self.assertEqual([entry["action"] for entry in whole], ["ModifyDBInstance", "CreateSecret"])
        self.assertNotIn(secret, json.dumps(whole))

    def test_mistakes_of_a_test_are_refused(self) -> None:
        for path, wrong in (("settings", {"modify_pols": 1}), ("settings", {"page_size": "2"})):
            with self.assertRaises(urllib.error.HTTPError) as caught:
                self.aws.rig("PUT", path, wrong)
            caught.exception.close()
        for path, wrong in (("faults", {"time": 1}), ("deny", {"actions": "rds:*"}), ("accounts", {"id": "1"})):
            with self.assertRaises(urllib.error.HTTPError) as caught:
                self.aws.rig("POST", path, wrong)
            caught.exception.close()


class Lifetime(unittest.TestCase):
    def test_the_launcher_ends_with_its_parent(self) -> None:
        process = subprocess.Popen(
            [sys.executable, "-m", "aws.launcher", "0", "--with-parent"],
            cwd=FAKES,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        process.stdout.readline()
        process.stdin.close()
        self.assertEqual(process.wait(timeout=10), 0)
        process.stdout.close()


if __name__ == "__main__":
    unittest.main()
