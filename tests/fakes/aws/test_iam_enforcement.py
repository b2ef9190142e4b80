"""Enforcement in the launcher, checked with boto3. Run from `tests/fakes`:  python -m unittest aws.test_iam_enforcement"""

from __future__ import annotations

import json
import unittest
import uuid

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from aws.seed import MANAGEMENT_ACCOUNT
from aws.test_launcher import LauncherTest

REGION = "eu-west-1"
ACCOUNT = "orders-eu"
OURS = {"Key": "rdsaccess:managed", "Value": "true"}


def document(*statements: dict) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: object, resource: object = "*", **more: object) -> dict:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


class Enforced(LauncherTest):
    """A hub user in the management account, and a role in a member account."""

    def setUp(self) -> None:
        super().setUp()
        self.account = self.aws.ids[ACCOUNT]
        self.hub_name, self.role_name = (f"{name}-{uuid.uuid4().hex[:6]}" for name in ("hub", "member"))
        iam = self.aws.client("iam")
        self.hub_arn = iam.create_user(UserName=self.hub_name)["User"]["Arn"]
        made = iam.create_access_key(UserName=self.hub_name)["AccessKey"]
        self.keys = {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}
        self.role_arn = f"arn:aws:iam::{self.account}:role/{self.role_name}"
        trust = {"Effect": "Allow", "Principal": {"AWS": self.hub_arn}, "Action": "sts:AssumeRole"}
        member = self.aws.client("iam", ACCOUNT)
        member.create_role(RoleName=self.role_name, AssumeRolePolicyDocument=document(trust))
        self.aws.rig("PUT", "settings", {"enforce": True})
        self.aws.rig("DELETE", "log")

    def tearDown(self) -> None:
        self.aws.rig("PUT", "settings", {"enforce": False})

    def give_hub(self, *statements: dict) -> None:
        self.aws.client("iam").put_user_policy(UserName=self.hub_name, PolicyName="hub", PolicyDocument=document(*statements))

    def give_member(self, *statements: dict) -> None:
        self.aws.client("iam", ACCOUNT).put_role_policy(
            RoleName=self.role_name, PolicyName="member", PolicyDocument=document(*statements)
        )

    def trust(self, *statements: dict) -> None:
        self.aws.client("iam", ACCOUNT).update_assume_role_policy(
            RoleName=self.role_name, PolicyDocument=document(*statements)
        )

    def as_hub(self, service: str, region: str = REGION, keys: dict | None = None):
        config = Config(retries={"total_max_attempts": 1}, read_timeout=20)
        return boto3.client(service, endpoint_url=self.aws.url, region_name=region, config=config, **(keys or self.keys))

    def enter(self, **arguments) -> dict:
        asked = {"RoleArn": self.role_arn, "RoleSessionName": "terraform", **arguments}
        made = self.as_hub("sts").assume_role(**asked)["Credentials"]
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
        keys = dict(zip(("aws_access_key_id", "aws_secret_access_key", "aws_session_token"), map(made.get, names)))
        return keys

    def as_member(self, service: str, *statements: dict, region: str = REGION, **entering):
        self.give_hub(allow(["sts:AssumeRole", "sts:TagSession"], self.role_arn))
        self.give_member(*statements)
        return self.as_hub(service, region, self.enter(**entering))


class Roles(Enforced):
    def test_entering_takes_the_policy_of_the_caller_and_the_trust_of_the_role(self) -> None:
        self.refused("AccessDenied", self.enter, 403)
        self.give_hub(allow("sts:AssumeRole", self.role_arn + "2"))
        self.refused("AccessDenied", self.enter)
        self.give_hub(allow("sts:AssumeRole", f"arn:aws:iam::*:role/{self.role_name}"))
        self.enter()
        self.trust({"Effect": "Allow", "Principal": {"AWS": self.hub_arn + "2"}, "Action": "sts:AssumeRole"})
        message = self.refused("AccessDenied", self.enter)
        self.assertEqual(
            message, f"User: {self.hub_arn} is not authorized to perform: sts:AssumeRole on resource: {self.role_arn}"
        )

    def test_conditions_of_the_trust_policy(self) -> None:
        self.give_hub(allow(["sts:AssumeRole", "sts:TagSession"], self.role_arn))
        whole = {"Effect": "Allow", "Principal": {"AWS": MANAGEMENT_ACCOUNT}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
        organization = self.aws.organization["id"]
        for operator, key, wanted, entering, expected in [
            ("StringEquals", "sts:ExternalId", "right", {"ExternalId": "right"}, True),
            ("StringEquals", "sts:ExternalId", "right", {"ExternalId": "wrong"}, False),
            ("StringEquals", "sts:ExternalId", "right", {}, False),
            ("ArnEquals", "aws:PrincipalArn", self.hub_arn, {}, True),
            ("ArnEquals", "aws:PrincipalArn", self.hub_arn + "2", {}, False),
            ("StringEquals", "aws:PrincipalOrgID", organization, {}, True),
            ("StringEquals", "aws:PrincipalOrgID", "o-other", {}, False),
            ("StringLike", "sts:RoleSessionName", "terra*", {}, True),
            ("StringEquals", "aws:RequestTag/run", "1", {"Tags": [{"Key": "run", "Value": "1"}]}, True),
            ("StringEquals", "aws:RequestTag/run", "1", {"Tags": [{"Key": "run", "Value": "2"}]}, False),
        ]:
            self.trust({**whole, "Condition": {operator: {key: wanted}}})
            with self.subTest(key=key, entering=entering):
                if expected:
                    self.enter(**entering)
                else:
                    self.refused("AccessDenied", self.enter, **entering)

    def test_session_tags_take_an_action_of_their_own(self) -> None:
        self.give_hub(allow("sts:AssumeRole", self.role_arn))
        message = self.refused("AccessDenied", self.enter, Tags=[{"Key": "run", "Value": "1"}])
        self.assertIn("sts:TagSession", message)

    def test_session_policies_narrow(self) -> None:
        rds = self.as_member("rds", allow("rds:*"), Policy=document(allow("rds:DescribeDBInstances")))
        rds.describe_db_instances()
        message = self.refused("AccessDenied", rds.describe_db_clusters, 403)
        self.assertIn("because no session policy allows the rds:DescribeDBClusters action", message)

    def test_anybody_may_ask_who_he_is(self) -> None:
        self.assertEqual(self.as_hub("sts").get_caller_identity()["Arn"], self.hub_arn)


class Resources(Enforced):
    def test_databases(self) -> None:
        mine, other = (self.database(tags={"team": team}) for team in ("a", "b"))
        change = {"ApplyImmediately": False, "MasterUserPassword": "a-New-Passw0rd"}
        where = mine["arn"].replace(mine["identifier"], "")
        rds = self.as_member("rds", allow("rds:ModifyDBInstance", mine["arn"]), allow("rds:DescribeDBInstances", where + "*"))
        rds.modify_db_instance(DBInstanceIdentifier=mine["identifier"], **change)
        rds.describe_db_instances()
        name = other["identifier"]
        message = self.refused("AccessDenied", rds.modify_db_instance, 403, DBInstanceIdentifier=name, **change)
        session = f"arn:aws:sts::{self.account}:assumed-role/{self.role_name}/terraform"
        self.assertEqual(
            message,
            f"User: {session} is not authorized to perform: rds:ModifyDBInstance on resource: {other['arn']} "
            "because no identity-based policy allows the rds:ModifyDBInstance action",
        )
        self.refused("AccessDenied", rds.delete_db_instance, DBInstanceIdentifier=mine["identifier"], SkipFinalSnapshot=True)
        self.give_member(allow("rds:*", Condition={"StringEquals": {"aws:ResourceTag/team": "b"}}))
        rds.modify_db_instance(DBInstanceIdentifier=name, **change)
        self.refused("AccessDenied", rds.modify_db_instance, DBInstanceIdentifier=mine["identifier"], **change)

    def test_regions(self) -> None:
        here = {"StringEquals": {"aws:RequestedRegion": REGION}}
        self.as_member("rds", allow("rds:Describe*", Condition=here)).describe_db_instances()
        elsewhere = self.as_hub("rds", "us-east-1", self.enter())
        self.refused("AccessDenied", elsewhere.describe_db_instances)

    def test_groups(self) -> None:
        network = self.aws.seeder.network(ACCOUNT, REGION)
        made = {"ForAllValues:StringEquals": {"aws:TagKeys": ["rdsaccess:managed"]},
                "StringEquals": {"aws:RequestTag/rdsaccess:managed": "true"}}
        groups = f"arn:aws:ec2:{REGION}:{self.account}:security-group/*"
        statements = [
            allow("ec2:CreateSecurityGroup", f"arn:aws:ec2:*:*:vpc/{network['vpc']}"),
            allow("ec2:CreateSecurityGroup", groups, Condition=made),
            allow("ec2:AuthorizeSecurityGroupIngress", "arn:aws:ec2:*:*:security-group-rule/*"),
            allow(["ec2:AuthorizeSecurityGroupIngress", "ec2:DeleteSecurityGroup"], groups,
                  Condition={"StringEquals": {"ec2:ResourceTag/rdsaccess:managed": "true"}}),
        ]
        ec2 = self.as_member("ec2", *statements)
        tags = [{"ResourceType": "security-group", "Tags": [OURS]}]
        make = {"GroupName": "ours", "Description": "it", "VpcId": network["vpc"]}
        self.refused("UnauthorizedOperation", ec2.create_security_group, 403, **make)
        message = self.refused("UnauthorizedOperation", ec2.create_security_group, **make, TagSpecifications=tags)
        self.assertIn("You are not authorized to perform this operation.", message)
        self.assertIn("ec2:CreateTags", message)
        tagging = allow("ec2:CreateTags", groups, Condition={"StringEquals": {"ec2:CreateAction": "CreateSecurityGroup"}})
        self.give_member(*statements, tagging)
        group = ec2.create_security_group(**make, TagSpecifications=tags)["GroupId"]
        rule = [{"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "10.20.0.0/16"}]}]
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rule)
        other = {"GroupId": network["app"], "IpPermissions": rule}
        self.refused("UnauthorizedOperation", ec2.authorize_security_group_ingress, **other)
        self.refused("UnauthorizedOperation", ec2.create_tags, Resources=[network["app"]], Tags=[OURS])
        self.refused("UnauthorizedOperation", ec2.create_tags, Resources=[group], Tags=[{"Key": "a", "Value": "b"}])
        self.refused("UnauthorizedOperation", ec2.delete_security_group, GroupId=network["app"])
        ec2.delete_security_group(GroupId=group)

    def test_secrets(self) -> None:
        place = f"arn:aws:secretsmanager:{REGION}:{self.account}:secret:"
        secrets = self.as_member("secretsmanager", allow("secretsmanager:*", place + "ours/*"))
        made = secrets.create_secret(Name="ours/a", Tags=[OURS])["ARN"]
        secrets.put_secret_value(SecretId=made, SecretString="x")
        secrets.get_secret_value(SecretId="ours/a")
        self.refused("ResourceNotFoundException", secrets.describe_secret, SecretId="ours/none")
        for name in ("theirs/a", "ours"):
            self.refused("AccessDeniedException", secrets.create_secret, 400, Name=name)
            self.refused("AccessDeniedException", secrets.get_secret_value, SecretId=name)
        self.refused("AccessDeniedException", secrets.list_secret_version_ids, SecretId=made.replace("ours/a", "theirs/a"))
        self.give_member(allow("secretsmanager:DescribeSecret", place + "ours/a-??????"))
        secrets.describe_secret(SecretId="ours/a")
        self.refused("AccessDeniedException", secrets.describe_secret, SecretId="ours/none")

    def test_the_key_of_a_secret(self) -> None:
        key = f"arn:aws:kms:{REGION}:{self.account}:key/11111111-1111-4111-8111-111111111111"
        on = {"StringEquals": {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"}}
        everything = allow("secretsmanager:*")
        secrets = self.as_member("secretsmanager", everything)
        name = "keyed-" + uuid.uuid4().hex[:6]
        message = self.refused("AccessDeniedException", secrets.create_secret, Name=name, KmsKeyId=key)
        self.assertEqual(message, "Access to KMS is not allowed")
        self.give_member(everything, allow(["kms:GenerateDataKey", "kms:Decrypt"], key, Condition=on))
        secrets.create_secret(Name=name, KmsKeyId=key)
        secrets.put_secret_value(SecretId=name, SecretString="x")
        secrets.get_secret_value(SecretId=name)
        self.give_member(everything, allow("kms:GenerateDataKey", key, Condition=on))
        secrets.put_secret_value(SecretId=name, SecretString="y")
        self.refused("AccessDeniedException", secrets.get_secret_value, SecretId=name)

    def test_a_managed_password_takes_what_rds_does_in_the_callers_name(self) -> None:
        mine = self.database()
        rds = self.as_member("rds", allow("rds:*", mine["arn"]))
        manage = {"DBInstanceIdentifier": mine["identifier"], "ManageMasterUserPassword": True}
        rotate = {"DBInstanceIdentifier": mine["identifier"], "RotateMasterUserPassword": True, "ApplyImmediately": True}
        granted = [allow("rds:*", mine["arn"])]
        for action in ("kms:DescribeKey", "secretsmanager:CreateSecret", "secretsmanager:TagResource"):
            self.assertIn(action, self.refused("AccessDenied", rds.modify_db_instance, **manage))
            granted.append(allow(action))
            self.give_member(*granted)
        rds.modify_db_instance(**manage)
        self.assertIn("secretsmanager:RotateSecret", self.refused("AccessDenied", rds.modify_db_instance, **rotate))
        self.give_member(*granted, allow("secretsmanager:RotateSecret", "arn:aws:secretsmanager:*:*:secret:rds!db-*"))
        rds.modify_db_instance(**rotate)

    def test_the_organization(self) -> None:
        self.give_hub(allow(["organizations:ListRoots", "organizations:ListAccountsForParent"]))
        client = self.as_hub("organizations", "us-east-1")
        root = client.list_roots()["Roots"][0]["Id"]
        client.list_accounts_for_parent(ParentId=root)
        message = self.refused("AccessDeniedException", client.list_tags_for_resource, ResourceId=self.account)
        where = f"arn:aws:organizations::{MANAGEMENT_ACCOUNT}:account/{self.aws.organization['id']}/{self.account}"
        self.assertIn(where, message)
        self.give_hub(allow("organizations:ListTagsForResource", where))
        client.list_tags_for_resource(ResourceId=self.account)


class Records(Enforced):
    def test_the_log_names_principal_requests_and_statements(self) -> None:
        rds = self.as_member("rds", allow("rds:Describe*", Sid="Look"), allow("ec2:*", Sid="Spare"))
        rds.describe_db_instances()
        rds.describe_db_clusters()
        (entry,) = self.aws.rig("GET", "log?action=DescribeDBInstances")
        self.assertEqual(entry["principal"], f"arn:aws:sts::{self.account}:assumed-role/{self.role_name}/terraform")
        (decision,) = entry["decisions"]
        self.assertEqual(decision["action"], "rds:DescribeDBInstances")
        self.assertEqual(decision["resource"], f"arn:aws:rds:{REGION}:{self.account}:db:*")
        self.assertEqual(decision["context"]["aws:principalarn"], self.role_arn)
        self.assertEqual((decision["effect"], decision["by"]), ("Allow", [["member", "Look"]]))
        (entered,) = self.aws.rig("GET", "log?action=AssumeRole")
        self.assertEqual(entered["decisions"][0]["by"], [["hub", ""], ["trust", ""]])
        self.assertEqual(self.aws.rig("GET", "iam/statements")["member"], {"Look": 2, "Spare": 0})

    def test_what_could_be_left_out_is_found(self) -> None:
        where = f"arn:aws:rds:{REGION}:{self.account}:db:*"
        twice = [allow(["rds:DescribeDBInstances", "rds:ModifyDBInstance"], where), allow("rds:*Clusters", Sid="Two")]
        rds = self.as_member("rds", *twice, allow("rds:DescribeDBClusters", Sid="Three"))
        rds.describe_db_instances()
        rds.describe_db_clusters()
        entries = self.aws.rig("GET", "iam/needed")
        needed = {one["action"]: [asked["resource"] for asked in one["requests"]] for one in entries if one["policy"] == "member"}
        self.assertEqual(needed["rds:DescribeDBInstances"], [where])
        for action in ("rds:ModifyDBInstance", "rds:*Clusters", "rds:DescribeDBClusters"):
            self.assertEqual(needed[action], [], action)

    def test_a_call_without_a_row_and_an_unknown_condition_are_errors(self) -> None:
        rds = self.as_member("rds", allow("rds:*"))
        self.assertIn("no row for rds:StopDBInstance", self.refused("EvaluatorError", rds.stop_db_instance, 500, DBInstanceIdentifier="a"))
        self.give_member(allow("rds:*", Condition={"StringEquals": {"aws:RequestTag/a": "b"}}))
        self.assertIn("aws:RequestTag/a", self.refused("EvaluatorError", rds.describe_db_instances, 500))
        self.give_member(allow("rds:*", Condition={"IpAddress": {"aws:SourceIp": "127.0.0.1"}}))
        self.assertIn("IpAddress", self.refused("EvaluatorError", rds.describe_db_instances, 500))

    def test_a_request_that_nobody_made(self) -> None:
        policies = [json.loads(document(allow("rds-db:connect", "arn:aws:rds-db:*:*:dbuser:db-A/hoop_ro", Sid="Log")))]
        for user, expected in (("hoop_ro", "Allow"), ("admin1", "Nothing")):
            where = f"arn:aws:rds-db:{REGION}:{self.account}:dbuser:db-A/{user}"
            ask = {"policies": policies, "action": "rds-db:connect", "resource": where}
            self.assertEqual(self.aws.rig("POST", "iam/evaluate", ask)["effect"], expected)

    def test_without_the_setting_nothing_is_judged(self) -> None:
        self.aws.rig("PUT", "settings", {"enforce": False})
        self.enter()
        self.assertNotIn("decisions", self.aws.rig("GET", "log?action=AssumeRole")[0])


class Refused(Enforced):
    def test_the_preparing_caller_is_not_judged(self) -> None:
        self.aws.client("rds", ACCOUNT).describe_db_instances()
        with self.assertRaises(ClientError):
            self.as_hub("rds").describe_db_instances()


if __name__ == "__main__":
    unittest.main()
