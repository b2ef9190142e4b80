"""An organization of another partition, checked with boto3.  Run from `tests/fakes`:  python -m unittest aws.test_partitions"""

from __future__ import annotations

import unittest

from aws.seed import MANAGEMENT_ACCOUNT, MEMBER_ROLE, Seeder
from aws.test_launcher import Launcher, LauncherTest

PARTITIONS = {"us-gov-west-1": ("aws-us-gov", "amazonaws.com"), "cn-north-1": ("aws-cn", "amazonaws.com.cn")}


class Partition(Launcher):
    """A launcher whose organization lives in the partition of a region."""

    def __init__(self, region: str) -> None:
        self.region = region
        super().__init__()

    def make_seeder(self, external_id: str | None) -> Seeder:
        return Seeder(self.url, external_id=external_id, home_region=self.region)


class Partitions(unittest.TestCase):
    refused = LauncherTest.refused

    def test_ids_roles_and_hosts_belong_to_the_partition(self) -> None:
        for region, (name, suffix) in PARTITIONS.items():
            aws = Partition(region)
            self.addCleanup(aws.stop)
            caller = aws.client("sts", region=region).get_caller_identity()["Arn"]
            self.assertTrue(caller.startswith(f"arn:{name}:"), caller)
            self.assertEqual(len(aws.client("organizations", region=region).list_accounts()["Accounts"]), 7)
            account = aws.ids["payments-prod"]
            member = aws.client("sts", "payments-prod", region).get_caller_identity()["Arn"]
            self.assertTrue(member.startswith(f"arn:{name}:sts::{account}:assumed-role/{MEMBER_ROLE}/"), member)
            wish = {"account": "payments-prod", "region": region, "identifier": "ledger", "engine": "postgres"}
            made = aws.seeder.database(wish)
            self.assertTrue(made["arn"].startswith(f"arn:{name}:rds:{region}:{account}:"), made["arn"])
            self.assertTrue(made["endpoint"].endswith(suffix), made["endpoint"])
            group = aws.client("ec2", "payments-prod", region).describe_security_groups(GroupNames=["app"])
            self.assertTrue(group["SecurityGroups"][0]["SecurityGroupArn"].startswith(f"arn:{name}:"))

            enter = aws.client("sts", region=region).assume_role
            role = f"arn:aws:iam::{account}:role/{MEMBER_ROLE}"
            self.refused("AccessDenied", enter, 403, RoleArn=role, RoleSessionName="test")
            own = f"arn:{name}:iam::{MANAGEMENT_ACCOUNT}:role/none"
            self.refused("AccessDenied", enter, 403, RoleArn=own, RoleSessionName="test")


if __name__ == "__main__":
    unittest.main()
