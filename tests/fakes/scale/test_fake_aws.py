"""The fake AWS for scale, checked with boto3, and its answers beside those of moto.

Run from `tests/fakes`:  python -m unittest scale.test_fake_aws
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import unittest
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

from aws.test_launcher import Launcher

REPOSITORY = Path(__file__).resolve().parents[3]
for variable in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[variable]

HUB = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "not looked at"}
ROLE = "HoopOrganizationAccountAccessRole"
REGIONS = ("eu-central-1", "eu-west-1", "us-east-1")
# What moto sends of its own and AWS does not send for such a database, and what moto leaves out of an answer of AWS.
ONLY_MOTO = {
    "DBClusters[].BacktrackWindow",
    "DBClusters[].GlobalWriteForwardingRequested",
    "DBClusters[].PendingModifiedValues",
    "DBClusters[].PubliclyAccessible",
    "DBClusters[].ScalingConfigurationInfo",
    "PackedPolicySize",
}
ONLY_HERE = {
    "DBInstances[].KmsKeyId",
    "DBInstances[].MonitoringInterval",
    "DBInstances[].NetworkType",
    "DBInstances[].PerformanceInsightsEnabled",
    "DBInstances[].AssociatedRoles",
    "Regions[].OptInStatus",
    # moto's members of clusters have no tags; the keys of an instance's own tags are still looked for.
    "DBInstances[].TagList[]",
    "DBInstances[].TagList[].Key",
    "DBInstances[].TagList[].Value",
}


def build() -> Path:
    done = subprocess.run(
        ["cargo", "build", "--quiet", "--workspace", "--bin", "fake-aws", "--message-format=json"],
        cwd=REPOSITORY, stdout=subprocess.PIPE, check=True, text=True,
    )
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    return Path(next(m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == "fake-aws"))


class FakeAws:
    """A running fake with an organization of these settings."""

    def __init__(self, program: Path, **settings) -> None:
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdin.write(json.dumps(settings) + "\n")
        self.process.stdin.flush()
        self.url = f"http://127.0.0.1:{json.loads(self.process.stdout.readline())['port']}"

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=10)
        self.process.stdout.close()

    def control(self, method: str, path: str, **value) -> dict:
        body = json.dumps(value).encode() if value else None
        request = urllib.request.Request(f"{self.url}/control/{path}", data=body, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def client(self, service: str, keys: dict = HUB, region: str = "eu-west-1", **config):
        """A client without retries, unless they are asked for."""
        config = {"retries": {"total_max_attempts": 1}, "read_timeout": 20, "max_pool_connections": 64, **config}
        return boto3.client(service, endpoint_url=self.url, region_name=region, config=Config(**config), **keys)

    def enter(self, account: str, **more) -> dict:
        arn = f"arn:aws:iam::{account}:role/{ROLE}"
        made = self.client("sts").assume_role(RoleArn=arn, RoleSessionName="somebody", **more)["Credentials"]
        return {
            "aws_access_key_id": made["AccessKeyId"],
            "aws_secret_access_key": made["SecretAccessKey"],
            "aws_session_token": made["SessionToken"],
        }


def pages(client, call: str, key: str, **arguments) -> list:
    return [entry for page in client.get_paginator(call).paginate(**arguments) for entry in page[key]]


class FakeAwsTest(unittest.TestCase):
    settings = {"accounts": 60, "databases": 1800, "tree": {"breadth": 3, "depth": 2}}

    @classmethod
    def setUpClass(cls) -> None:
        cls.program = build()
        cls.aws = FakeAws(cls.program, **cls.settings)
        cls.addClassCleanup(cls.aws.stop)
        cls.start = cls.aws.control("GET", "settings")
        listed = pages(cls.aws.client("organizations"), "list_accounts", "Accounts")
        cls.ids = [account["Id"] for account in listed]

    def setUp(self) -> None:
        self.aws.control("PUT", "settings", **self.start)
        self.aws.control("DELETE", "counters")

    def refused(self, code: str, status: int, call, **arguments) -> str:
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        answer = caught.exception.response
        self.assertEqual((answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]), (code, status))
        return answer["Error"]["Message"]


class Organization(FakeAwsTest):
    def setUp(self) -> None:
        super().setUp()
        self.organizations = self.aws.client("organizations")

    def walk(self) -> tuple[Counter, Counter]:
        """Units and accounts, found by parent."""
        units, accounts = Counter(), Counter()
        parents = [root["Id"] for root in pages(self.organizations, "list_roots", "Roots")]
        while parents:
            parent = parents.pop()
            units[parent] += 1
            accounts.update(a["Id"] for a in pages(self.organizations, "list_accounts_for_parent", "Accounts", ParentId=parent))
            found = pages(
                self.organizations, "list_organizational_units_for_parent", "OrganizationalUnits", ParentId=parent
            )
            parents += [unit["Id"] for unit in found]
        return units, accounts

    def test_every_account_and_unit_is_found_once(self) -> None:
        for breadth, depth, count in ((3, 2, 13), (45, 1, 46), (1, 5, 6), (1, 1, 2)):
            for empty in (False, True):
                self.aws.control("PUT", "settings", tree={"breadth": breadth, "depth": depth}, empty_pages=empty)
                units, accounts = self.walk()
                self.assertEqual((len(units), set(units.values())), (count, {1}))
                self.assertEqual((sorted(accounts), set(accounts.values())), (sorted(self.ids), {1}))
        self.assertEqual(len(set(self.ids)), 61)
        self.assertEqual(self.aws.control("GET", "accounts"), self.ids[1:])

    def test_pages_are_of_twenty(self) -> None:
        sizes = [len(page["Accounts"]) for page in self.organizations.get_paginator("list_accounts").paginate()]
        self.assertEqual(sizes, [20, 20, 20, 1])
        self.assertEqual(len(self.organizations.list_accounts(MaxResults=7)["Accounts"]), 7)
        token = self.organizations.list_accounts()["NextToken"]
        root = self.organizations.list_roots()["Roots"][0]["Id"]
        wrong = {"NextToken": token, "ParentId": root}
        self.refused("InvalidInputException", 400, self.organizations.list_accounts_for_parent, **wrong)
        self.refused("InvalidInputException", 400, self.organizations.list_accounts, NextToken="nonsense")
        # botocore does not send what the model forbids.
        unchecked = self.aws.client("organizations", parameter_validation=False)
        self.refused("InvalidInputException", 400, unchecked.list_accounts, MaxResults=21)

    def test_one_account_and_its_tags(self) -> None:
        first = self.organizations.describe_account(AccountId=self.ids[1])["Account"]
        self.assertEqual((first["Id"], first["Status"], first["State"]), (self.ids[1], "ACTIVE", "ACTIVE"))
        tags = pages(self.organizations, "list_tags_for_resource", "Tags", ResourceId=self.ids[1])
        self.assertEqual([tag["Key"] for tag in tags], ["environment", "team"])
        self.refused("AccountNotFoundException", 400, self.organizations.describe_account, AccountId="100000000000")
        self.refused("ParentNotFoundException", 400, self.organizations.list_accounts_for_parent, ParentId="r-zzzz")
        self.refused(
            "TargetNotFoundException", 400, self.organizations.list_tags_for_resource, ResourceId="100000000000"
        )

    def test_only_the_management_account_sees_the_organization(self) -> None:
        member = self.aws.client("organizations", self.aws.enter(self.ids[3]))
        self.refused("AccessDeniedException", 400, member.list_accounts)
        self.assertEqual(member.describe_organization()["Organization"]["MasterAccountId"], self.ids[0])

    def test_suspended_accounts(self) -> None:
        self.aws.control("PUT", "settings", suspended_every=10)
        listed = pages(self.organizations, "list_accounts", "Accounts")
        suspended = [account["Id"] for account in listed if account["State"] == "SUSPENDED"]
        self.assertEqual(suspended, self.ids[10::10])
        self.refused("AccessDenied", 403, self.aws.enter, account=suspended[0])


class Identity(FakeAwsTest):
    def test_an_account_is_entered(self) -> None:
        hub = self.aws.client("sts").get_caller_identity()
        self.assertEqual((hub["Account"], hub["Arn"]), (self.ids[0], f"arn:aws:iam::{self.ids[0]}:user/hub"))
        inside = self.aws.client("sts", self.aws.enter(self.ids[5])).get_caller_identity()
        self.assertEqual(inside["Account"], self.ids[5])
        self.assertEqual(inside["Arn"], f"arn:aws:sts::{self.ids[5]}:assumed-role/{ROLE}/somebody")

    def test_role_and_external_id_must_fit(self) -> None:
        sts = self.aws.client("sts")
        for account, role in ((self.ids[1], "Other"), ("100000000000", ROLE), (self.ids[0], ROLE)):
            arn = f"arn:aws:iam::{account}:role/{role}"
            text = self.refused("AccessDenied", 403, sts.assume_role, RoleArn=arn, RoleSessionName="somebody")
            self.assertIn(f"is not authorized to perform: sts:AssumeRole on resource: {arn}", text)
        self.aws.control("PUT", "settings", external_id="secret-7", role_missing_every=4)
        self.refused("AccessDenied", 403, self.aws.enter, account=self.ids[1])
        self.refused("AccessDenied", 403, self.aws.enter, account=self.ids[1], ExternalId="secret-8")
        self.refused("AccessDenied", 403, self.aws.enter, account=self.ids[4], ExternalId="secret-7")
        self.aws.enter(self.ids[1], ExternalId="secret-7")
        member = self.aws.client("sts", self.aws.enter(self.ids[1], ExternalId="secret-7"))
        other = f"arn:aws:iam::{self.ids[2]}:role/{ROLE}"
        self.refused(
            "AccessDenied", 403, member.assume_role, RoleArn=other, RoleSessionName="somebody", ExternalId="secret-7"
        )

    def test_credentials_expire(self) -> None:
        self.refused("ValidationError", 400, self.aws.enter, account=self.ids[1], DurationSeconds=7200)
        self.aws.control("PUT", "settings", session_seconds=1)
        keys = self.aws.enter(self.ids[1])
        time.sleep(1.1)
        self.refused("ExpiredToken", 403, self.aws.client("sts", keys).get_caller_identity)
        self.refused("ExpiredToken", 403, self.aws.client("rds", keys).describe_db_instances)
        self.refused("ExpiredTokenException", 400, self.aws.client("organizations", keys).describe_organization)

    def test_keys_that_nobody_made(self) -> None:
        keys = {"aws_access_key_id": "ASIAAAAAAAAAAAAAAAAA", "aws_secret_access_key": "x", "aws_session_token": "x"}
        self.refused("InvalidClientTokenId", 403, self.aws.client("sts", keys).get_caller_identity)
        self.refused("UnrecognizedClientException", 400, self.aws.client("organizations", keys).list_roots)
        self.refused("AuthFailure", 401, self.aws.client("ec2", keys).describe_regions)


class Databases(FakeAwsTest):
    settings = {"accounts": 20, "databases": 600}

    def places(self):
        for account in self.ids[1:]:
            keys = self.aws.enter(account)
            for region in REGIONS:
                yield account, region, self.aws.client("rds", keys, region)

    def test_all_databases_together_are_as_many_as_were_asked_for(self) -> None:
        arns, engines = Counter(), Counter()
        for account, region, rds in self.places():
            instances = pages(rds, "describe_db_instances", "DBInstances")
            clusters = pages(rds, "describe_db_clusters", "DBClusters")
            alone = [found for found in instances if "DBClusterIdentifier" not in found]
            arns.update([found["DBInstanceArn"] for found in alone] + [found["DBClusterArn"] for found in clusters])
            engines.update(found["Engine"] for found in alone + clusters)
            members = {(found["DBClusterIdentifier"], found["DBInstanceIdentifier"]) for found in instances if found not in alone}
            named = {
                (cluster["DBClusterIdentifier"], member["DBInstanceIdentifier"])
                for cluster in clusters for member in cluster["DBClusterMembers"]
            }
            self.assertEqual(members, named)
            names = {found["DBInstanceIdentifier"] for found in instances}
            sources = {found["ReadReplicaSourceDBInstanceIdentifier"] for found in alone if "ReadReplicaSourceDBInstanceIdentifier" in found}
            self.assertLessEqual(sources, names)
            self.assertTrue(all(arn.startswith(f"arn:aws:rds:{region}:{account}:") for arn in list(arns)[-len(alone + clusters):]))
        self.assertEqual((sum(arns.values()), set(arns.values())), (600, {1}))
        self.assertEqual(set(engines), {
            "postgres", "mysql", "mariadb", "sqlserver-se", "oracle-se2", "aurora-postgresql", "aurora-mysql",
        })

    def test_pages_markers_and_filters(self) -> None:
        self.aws.control("PUT", "settings", databases=12000)
        rds = self.aws.client("rds", self.aws.enter(self.ids[2]))
        sizes = [len(page["DBInstances"]) for page in rds.get_paginator("describe_db_instances").paginate()]
        self.assertEqual(sizes, [100, 100, 100])
        small = pages(rds, "describe_db_instances", "DBInstances", PaginationConfig={"PageSize": 20})
        self.assertEqual(len({found["DBInstanceArn"] for found in small}), 300)
        self.refused("InvalidParameterValue", 400, rds.describe_db_instances, MaxRecords=19)
        self.refused("InvalidParameterValue", 400, rds.describe_db_instances, MaxRecords=101)
        marker = rds.describe_db_instances()["Marker"]
        other = self.aws.client("rds", self.aws.enter(self.ids[3]))
        self.refused("InvalidParameterValue", 400, other.describe_db_instances, Marker=marker)
        cluster = rds.describe_db_clusters()["DBClusters"][0]
        name = cluster["DBClusterIdentifier"]
        members = rds.describe_db_instances(Filters=[{"Name": "db-cluster-id", "Values": [name]}])["DBInstances"]
        self.assertEqual(len(members), len(cluster["DBClusterMembers"]))
        self.assertEqual(rds.describe_db_clusters(DBClusterIdentifier=cluster["DBClusterArn"])["DBClusters"], [cluster])
        one = rds.describe_db_instances(DBInstanceIdentifier=small[0]["DBInstanceIdentifier"])["DBInstances"]
        self.assertEqual(one, small[:1])
        self.refused("DBInstanceNotFound", 404, rds.describe_db_instances, DBInstanceIdentifier="none")
        self.refused("DBClusterNotFoundFault", 404, rds.describe_db_clusters, DBClusterIdentifier="none")
        self.refused("DBSubnetGroupNotFoundFault", 404, rds.describe_db_subnet_groups, DBSubnetGroupName="none")
        groups = pages(rds, "describe_db_subnet_groups", "DBSubnetGroups")
        self.assertEqual([group["VpcId"] for group in groups], [one[0]["DBSubnetGroup"]["VpcId"]])
        unknown = [{"Name": "colour", "Values": ["red"]}]
        self.refused("InvalidParameterValue", 400, rds.describe_db_instances, Filters=unknown)

    def test_regions(self) -> None:
        keys = self.aws.enter(self.ids[1])
        ec2 = self.aws.client("ec2", keys)
        self.assertEqual([found["RegionName"] for found in ec2.describe_regions()["Regions"]], list(REGIONS))
        everything = {found["RegionName"]: found["OptInStatus"] for found in ec2.describe_regions(AllRegions=True)["Regions"]}
        self.assertEqual(everything["af-south-1"], "not-opted-in")
        off = self.aws.client("rds", keys, "af-south-1")
        self.refused("InvalidClientTokenId", 403, off.describe_db_instances)


class Behaviour(FakeAwsTest):
    CODES = (
        ("rds", "describe_db_instances", "Throttling", 400),
        ("sts", "get_caller_identity", "Throttling", 400),
        ("organizations", "list_roots", "TooManyRequestsException", 400),
        ("ec2", "describe_regions", "RequestLimitExceeded", 503),
    )

    def test_each_service_says_in_its_own_words_that_it_is_asked_too_often(self) -> None:
        self.aws.control("PUT", "settings", throttle={"*": {"rate": 0.01, "burst": 1}})
        for service, call, code, status in self.CODES:
            with self.subTest(service):
                client = self.aws.client(service)
                getattr(client, call)()
                self.refused(code, status, getattr(client, call))
        counters = self.aws.control("GET", "counters")
        self.assertEqual((counters["throttled"], counters["answered"]), (4, 4))

    def test_boto3_gets_through_by_its_adaptive_mode(self) -> None:
        keys = self.aws.enter(self.ids[1])
        self.aws.control("PUT", "settings", throttle={"*": {"rate": 20, "burst": 2}})
        for service, call, _, _ in self.CODES:
            patient = self.aws.client(
                service, keys if service == "rds" else HUB, retries={"mode": "adaptive", "total_max_attempts": 10}
            )
            with self.subTest(service), ThreadPoolExecutor(4) as pool:
                for answer in pool.map(lambda _: getattr(patient, call)(), range(8)):
                    self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 200)
        counters = self.aws.control("GET", "counters")
        self.assertGreater(counters["throttled"], 0)
        self.assertEqual(counters["answered"], 1 + 4 * 8)

    def test_a_bucket_belongs_to_one_account_one_region_and_one_action(self) -> None:
        self.aws.control("PUT", "settings", throttle={"rds:*": {"rate": 0.01, "burst": 1}})
        first, second = self.aws.enter(self.ids[1]), self.aws.enter(self.ids[2])
        for keys, region in ((first, "eu-west-1"), (first, "us-east-1"), (second, "eu-west-1")):
            rds = self.aws.client("rds", keys, region)
            rds.describe_db_instances()
            rds.describe_db_clusters()
            self.refused("Throttling", 400, rds.describe_db_clusters)

    def test_failures_are_errors_of_the_service_or_of_the_connection(self) -> None:
        sts = self.aws.client("sts")
        for kind, code, status in (("500", "InternalFailure", 500), ("503", "ServiceUnavailable", 503)):
            self.aws.control("PUT", "settings", failures={"share": 1, "kinds": [kind]})
            self.refused(code, status, sts.get_caller_identity)
        self.aws.control("PUT", "settings", failures={"share": 1, "kinds": ["lost"]})
        with self.assertRaises(HTTPClientError):
            sts.get_caller_identity()
        self.aws.control("PUT", "settings", failures={"share": 0.2})
        patient = self.aws.client("sts", retries={"mode": "standard", "total_max_attempts": 10})
        for _ in range(40):
            patient.get_caller_identity()
        self.assertGreater(self.aws.control("GET", "counters")["failed"], 3)

    def test_an_unknown_action_and_an_unknown_service(self) -> None:
        self.refused("InvalidAction", 400, self.aws.client("rds").describe_db_snapshots)
        with self.assertRaises(ClientError):
            self.aws.client("secretsmanager").list_secrets()

    def test_calls_connections_and_what_was_under_way_are_counted(self) -> None:
        self.aws.control("PUT", "settings", latency_ms=50)
        sts = self.aws.client("sts")
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: sts.get_caller_identity(), range(40)))
        counters = self.aws.control("GET", "counters")
        self.assertEqual(counters["calls"], {"sts:GetCallerIdentity": 40})
        self.assertLessEqual(counters["peak"], 8)
        self.assertGreater(counters["peak"], 1)
        # Connections stay open; one more is the control API's own.
        self.assertLessEqual(counters["connections"], 10)

    def test_the_same_seed_gives_the_same_world(self) -> None:
        twin = FakeAws(self.program, **self.settings)
        self.addCleanup(twin.stop)
        others = FakeAws(self.program, **self.settings, seed=2)
        self.addCleanup(others.stop)
        listed = [pages(one.client("organizations"), "list_accounts", "Accounts") for one in (self.aws, twin, others)]
        self.assertEqual(listed[0], listed[1])
        self.assertFalse({a["Id"] for a in listed[0]} & {a["Id"] for a in listed[2]})

    def test_a_setting_that_does_not_exist_is_refused(self) -> None:
        with self.assertRaises(urllib.error.HTTPError) as caught:
            self.aws.control("PUT", "settings", latencyms=3)
        self.assertEqual(caught.exception.code, 400)
        caught.exception.close()


def keys_of(value, path: str = "") -> set[str]:
    if isinstance(value, dict):
        return {path} | {key for name, inner in value.items() for key in keys_of(inner, f"{path}.{name}".lstrip("."))}
    if isinstance(value, list):
        return {path} | {key for inner in value for key in keys_of(inner, path + "[]")}
    return {path}


class BesideMoto(FakeAwsTest):
    """The answers have the keys that moto's have, but for what is known of each."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.moto = Launcher()
        cls.addClassCleanup(cls.moto.stop)
        for engine, kind, name in (("postgres", "instance", "alone"), ("aurora-postgresql", "cluster", "group")):
            wish = {"engine": engine, "kind": kind, "identifier": name, "tags": {"a": "b"}}
            cls.moto.seeder.database({"account": "orders-eu", "region": "eu-west-1", **wish})

    def compare(self, service: str, call: str, member: bool, ours: dict, theirs: dict | None = None) -> None:
        keys = self.aws.enter(self.ids[1]) if member else HUB
        mine = getattr(self.aws.client(service, keys), call)(**ours)
        moto = self.moto.client(service, "orders-eu" if member else None)
        other = getattr(moto, call)(**(ours if theirs is None else theirs))
        for answer in (mine, other):
            del answer["ResponseMetadata"]
            answer.pop("NextToken", None)
        here, there = keys_of(mine), keys_of(other)
        self.assertEqual(here - there - ONLY_HERE, set())
        self.assertEqual(there - here - ONLY_MOTO, set())

    def test_organizations(self) -> None:
        theirs = self.moto.client("organizations").list_roots()["Roots"][0]["Id"]
        ours = self.aws.client("organizations").list_roots()["Roots"][0]["Id"]
        for call in ("list_roots", "list_accounts", "describe_organization"):
            self.compare("organizations", call, False, {})
        for call in ("list_accounts_for_parent", "list_organizational_units_for_parent"):
            self.compare("organizations", call, False, {"ParentId": ours}, {"ParentId": theirs})
        account = self.moto.ids["orders-eu"]
        self.compare("organizations", "describe_account", False, {"AccountId": self.ids[1]}, {"AccountId": account})
        self.compare(
            "organizations", "list_tags_for_resource", False, {"ResourceId": self.ids[1]}, {"ResourceId": account}
        )

    def test_sts_and_regions(self) -> None:
        self.compare("sts", "get_caller_identity", False, {})
        role = lambda account: {"RoleArn": f"arn:aws:iam::{account}:role/{ROLE}", "RoleSessionName": "somebody"}
        self.compare("sts", "assume_role", False, role(self.ids[1]), role(self.moto.ids["orders-eu"]))
        self.compare("ec2", "describe_regions", True, {"RegionNames": ["eu-west-1"]})

    def test_rds(self) -> None:
        rds = self.aws.client("rds", self.aws.enter(self.ids[1]))
        instances = pages(rds, "describe_db_instances", "DBInstances")
        alone = next(i for i in instances if i["Engine"] == "postgres" and "DBClusterIdentifier" not in i)
        member = next(i for i in instances if i["Engine"] == "aurora-postgresql")
        for ours, theirs in ((alone["DBInstanceIdentifier"], "alone"), (member["DBInstanceIdentifier"], "group-1")):
            names = ({"DBInstanceIdentifier": ours}, {"DBInstanceIdentifier": theirs})
            self.compare("rds", "describe_db_instances", True, *names)
        names = ({"DBClusterIdentifier": member["DBClusterIdentifier"]}, {"DBClusterIdentifier": "group"})
        self.compare("rds", "describe_db_clusters", True, *names)
        self.compare("rds", "describe_db_subnet_groups", True, {})


if __name__ == "__main__":
    unittest.main()
