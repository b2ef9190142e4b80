"""The evaluator of policies against AWS's documented rules. Run from `tests/fakes`:  python -m unittest aws.test_iam_policies

The rows come from the IAM user guide: "Policy evaluation logic", "Condition operators" (with its section on keys with
several values), "Policy variables", "Wildcards" and "Principal".
"""

from __future__ import annotations

import unittest

from aws.iam.conditions import hold
from aws.iam.patterns import PolicyError, matches_action, matches_resource
from aws.iam.policy import Holdings, Policy, Principal, decide
from aws.iam.request import Request

DATABASE = "arn:aws:rds:eu-west-1:111111111111:db:orders"
ROLE = "arn:aws:iam::222222222222:role/member"
HUB = "arn:aws:iam::111111111111:role/hub"
SESSION = "arn:aws:sts::111111111111:assumed-role/hub/terraform"


def policy(*statements: dict, name: str = "it") -> Policy:
    return Policy.read(name, {"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: object = "rds:*", resource: object = "*", **more: object) -> dict:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: object = "rds:*", resource: object = "*", **more: object) -> dict:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def asked(action: str = "rds:ModifyDBInstance", resource: str = DATABASE, **context: object) -> Request:
    keys = {key.replace("__", ":").lower(): value for key, value in context.items()}
    return Request(action, resource, keys, frozenset({"aws:resourcetag/", "test:one", "test:many", "test:number"}))


class Wildcards(unittest.TestCase):
    def test_actions(self) -> None:
        for pattern, action, expected in [
            ("*", "rds:ModifyDBInstance", True),
            ("rds:ModifyDBInstance", "rds:modifydbinstance", True),
            ("rds:Modify*", "rds:ModifyDBCluster", True),
            ("rds:?odifyDBInstance", "rds:ModifyDBInstance", True),
            ("rds:Modify", "rds:ModifyDBInstance", False),
            ("rds:*", "rds-db:connect", False),
        ]:
            self.assertEqual(matches_action(pattern, action), expected, pattern)

    def test_resources(self) -> None:
        for pattern, resource, expected in [
            ("*", "*", True),
            (DATABASE, "*", False),
            (DATABASE, DATABASE, True),
            (DATABASE, DATABASE.upper(), False),
            (DATABASE, DATABASE + "-2", False),
            ("arn:aws:rds:*:*:db:*", DATABASE, True),
            ("arn:aws:rds:*:111111111111:db:order?", DATABASE, True),
            ("arn:aws:rds:us-*:*:db:*", DATABASE, False),
            # A wildcard does not reach from one part of an ARN into the next, but over everything in the last one.
            ("arn:aws:rds:*:db:orders", DATABASE, False),
            ("arn:aws:rds:*db:orders", DATABASE, None),
            ("arn:aws:secretsmanager:*:*:secret:rdsaccess/*", "arn:aws:secretsmanager:a:1:secret:rdsaccess/x/y-AbCdEf", True),
            ("arn:aws:secretsmanager:*:*:secret:x-??????", "arn:aws:secretsmanager:a:1:secret:x-AbCdEf", True),
            ("arn:aws:secretsmanager:*:*:secret:x-??????", "arn:aws:secretsmanager:a:1:secret:x", False),
            ("arn:aws:s3:::${*}", "arn:aws:s3:::x", False),
        ]:
            if expected is None:
                with self.assertRaises(PolicyError):
                    matches_resource(pattern, resource, {})
            else:
                self.assertEqual(matches_resource(pattern, resource, {}), expected, f"{pattern} {resource}")

    def test_variables(self) -> None:
        context = {"aws:username": "ann", "aws:principaltag/team": "a*b"}
        for pattern, resource, expected in [
            ("arn:aws:rds:*:*:db:${aws:username}", "arn:aws:rds:r:1:db:ann", True),
            ("arn:aws:rds:*:*:db:${aws:UserName}", "arn:aws:rds:r:1:db:bob", False),
            # A wildcard in a value is a character.
            ("arn:aws:rds:*:*:db:${aws:PrincipalTag/team}", "arn:aws:rds:r:1:db:a*b", True),
            ("arn:aws:rds:*:*:db:${aws:PrincipalTag/team}", "arn:aws:rds:r:1:db:axb", False),
            ("arn:aws:rds:*:*:db:${aws:userid, 'nobody'}", "arn:aws:rds:r:1:db:nobody", True),
        ]:
            self.assertEqual(matches_resource(pattern, resource, context), expected, pattern)
        unknown = policy(allow(resource="arn:aws:rds:*:*:db:${aws:userid}"))
        self.assertFalse(decide([unknown], asked()).allowed, "a variable without a value: the statement does not apply")


class Decisions(unittest.TestCase):
    def test_a_deny_wins_and_nothing_is_allowed_by_itself(self) -> None:
        tagged = {"StringEquals": {"aws:ResourceTag/team": "a"}}
        for name, statements, expected in [
            ("nothing", [], "Nothing"),
            ("another action", [allow("rds:DescribeDBInstances")], "Nothing"),
            ("another resource", [allow(resource=DATABASE + "2")], "Nothing"),
            ("allowed", [allow()], "Allow"),
            ("one of two", [allow("ec2:*"), allow(["rds:ModifyDBInstance"], [DATABASE + "2", DATABASE])], "Allow"),
            ("denied before", [deny(), allow()], "Deny"),
            ("denied after", [allow("*"), deny("rds:ModifyDBInstance", DATABASE)], "Deny"),
            ("a deny about others", [allow(), deny(resource=DATABASE + "2")], "Allow"),
            ("a deny with a condition that holds", [allow(), deny(Condition=tagged)], "Deny"),
            ("all but", [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], "Allow"),
            ("all but this", [{"Effect": "Allow", "NotAction": "rds:*", "Resource": "*"}], "Nothing"),
            ("all resources but", [{"Effect": "Allow", "Action": "*", "NotResource": DATABASE + "2"}], "Allow"),
            ("all resources but this", [{"Effect": "Allow", "Action": "*", "NotResource": [DATABASE]}], "Nothing"),
        ]:
            found = decide([policy(*statements)], asked(**{"aws:ResourceTag/team": "a"}))
            self.assertEqual(found.effect, expected, name)

    def test_the_statements_that_decided_are_named(self) -> None:
        found = decide([policy(allow(Sid="A"), allow("ec2:*", Sid="B")), policy(allow(Sid="C"), name="two")], asked())
        self.assertEqual(found.by, (("it", "A"), ("two", "C")))
        self.assertEqual(decide([policy(allow(Sid="A"), deny(Sid="D"))], asked()).by, (("it", "D"),))

    def test_session_policies_and_boundaries_only_narrow(self) -> None:
        wide, narrow, other = policy(allow("*")), policy(allow()), policy(allow("ec2:*"))
        forbids = policy(allow("*"), deny())
        for identity, boundary, session, expected in [
            ((wide,), None, None, True),
            ((), (wide,), (wide,), False),
            ((wide,), (narrow,), (narrow,), True),
            ((wide,), (other,), None, False),
            ((wide,), None, (other,), False),
            ((wide,), None, (forbids,), False),
            ((wide,), (), None, False),
        ]:
            holdings = Holdings(Principal(SESSION, "111111111111", HUB), identity, boundary, session)
            decision, reason = holdings.decide(asked())
            self.assertEqual(decision.allowed, expected, (identity, boundary, session))
            self.assertEqual(reason == "", expected)

    def test_reasons_are_those_of_aws(self) -> None:
        nobody = Principal(SESSION, "111111111111", HUB)
        for holdings, expected in [
            (Holdings(nobody), "because no identity-based policy allows the rds:ModifyDBInstance action"),
            (Holdings(nobody, (policy(deny()),)), "with an explicit deny in an identity-based policy"),
            (
                Holdings(nobody, (policy(allow()),), session=(policy(allow("ec2:*")),)),
                "because no session policy allows the rds:ModifyDBInstance action",
            ),
            (
                Holdings(nobody, (policy(allow()),), (policy(deny()),)),
                "with an explicit deny in a permissions boundary",
            ),
        ]:
            self.assertEqual(holdings.decide(asked())[1], expected)

    def test_what_iam_would_not_store_is_an_error(self) -> None:
        for name, statement in [
            ("no resource", {"Effect": "Allow", "Action": "*"}),
            ("two kinds of action", {**allow(), "NotAction": "ec2:*"}),
            ("no effect", {"Action": "*", "Resource": "*"}),
            ("a strange element", allow(Resources="*")),
            ("a principal", allow(Principal="*")),
            ("no action", allow([])),
        ]:
            with self.assertRaises(PolicyError, msg=name):
                policy(statement)
        with self.assertRaises(PolicyError):
            Policy.read("old", {"Version": "2008-10-17", "Statement": [allow()]})
        with self.assertRaises(PolicyError):
            policy(allow(Sid="A"), allow(Sid="A"))
        with self.assertRaises(PolicyError, msg="half an ARN"):
            decide([policy(allow(resource="arn:aws:rds:*"))], asked())
        with self.assertRaises(PolicyError, msg="no action"):
            decide([policy(allow("ModifyDBInstance"))], asked())


class Conditions(unittest.TestCase):
    def rows(self, rows: list[tuple]) -> None:
        for block, context, expected in rows:
            self.assertEqual(hold(block, asked(**context)), expected, f"{block} {context}")

    def test_texts(self) -> None:
        self.rows([
            ({"StringEquals": {"test:one": "a"}}, {"test__one": "a"}, True),
            ({"StringEquals": {"Test:One": ["b", "a"]}}, {"test__one": "a"}, True),
            ({"StringEquals": {"test:one": "A"}}, {"test__one": "a"}, False),
            ({"StringEquals": {"test:one": "a*"}}, {"test__one": "ab"}, False),
            ({"StringEquals": {"test:one": "a"}}, {}, False),
            ({"StringEqualsIgnoreCase": {"test:one": "A"}}, {"test__one": "a"}, True),
            ({"StringLike": {"test:one": "a*"}}, {"test__one": "ab"}, True),
            ({"StringLike": {"test:one": ["x", "a?c"]}}, {"test__one": "abc"}, True),
            ({"StringLike": {"test:one": "a"}}, {"test__one": "ab"}, False),
            ({"StringEquals": {"test:one": "${aws:username}"}}, {"test__one": "ann", "aws__username": "ann"}, True),
            ({"StringLike": {"test:one": "${*}x"}}, {"test__one": "ax"}, False),
        ])

    def test_negated(self) -> None:
        self.rows([
            ({"StringNotEquals": {"test:one": ["a", "b"]}}, {"test__one": "b"}, False),
            ({"StringNotEquals": {"test:one": ["a", "b"]}}, {"test__one": "c"}, True),
            ({"StringNotEquals": {"test:one": "a"}}, {}, True),
            ({"StringNotLike": {"test:one": "a*"}}, {"test__one": "ab"}, False),
            ({"ArnNotLike": {"aws:PrincipalArn": HUB}}, {"aws__principalarn": HUB}, False),
            ({"StringNotEqualsIfExists": {"test:one": "a"}}, {}, True),
        ])

    def test_arns(self) -> None:
        self.rows([
            ({"ArnEquals": {"aws:PrincipalArn": HUB}}, {"aws__principalarn": HUB}, True),
            ({"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::*:role/h*"}}, {"aws__principalarn": HUB}, True),
            ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/other"}}, {"aws__principalarn": HUB}, False),
            ({"ArnLike": {"aws:PrincipalArn": HUB}}, {}, False),
            ({"StringEquals": {"aws:PrincipalArn": "arn:aws:iam::*:role/h*"}}, {"aws__principalarn": HUB}, False),
        ])

    def test_booleans_numbers_and_null(self) -> None:
        self.rows([
            ({"Bool": {"aws:ViaAWSService": "true"}}, {"aws__viaawsservice": "true"}, True),
            ({"Bool": {"aws:ViaAWSService": True}}, {"aws__viaawsservice": "true"}, True),
            ({"Bool": {"aws:ViaAWSService": "false"}}, {"aws__viaawsservice": "true"}, False),
            ({"Bool": {"aws:ViaAWSService": "false"}}, {}, False),
            ({"BoolIfExists": {"aws:ViaAWSService": "false"}}, {}, True),
            ({"NumericLessThan": {"test:number": "8"}}, {"test__number": "7"}, True),
            ({"NumericLessThan": {"test:number": 7}}, {"test__number": "7"}, False),
            ({"NumericLessThanEquals": {"test:number": "7"}}, {"test__number": "7"}, True),
            ({"NumericGreaterThan": {"test:number": "7"}}, {"test__number": "30"}, True),
            ({"NumericEquals": {"test:number": "7"}}, {"test__number": "seven"}, False),
            ({"NumericLessThanIfExists": {"test:number": "7"}}, {}, True),
            ({"Null": {"test:one": "true"}}, {}, True),
            ({"Null": {"test:one": "true"}}, {"test__one": "a"}, False),
            ({"Null": {"test:one": "false"}}, {"test__one": "a"}, True),
            ({"Null": {"test:one": False}}, {}, False),
        ])

    def test_keys_with_several_values(self) -> None:
        two = {"test__many": ("a", "b")}
        self.rows([
            ({"ForAnyValue:StringEquals": {"test:many": ["b", "c"]}}, two, True),
            ({"ForAnyValue:StringEquals": {"test:many": "c"}}, two, False),
            ({"ForAnyValue:StringEquals": {"test:many": "c"}}, {}, False),
            ({"ForAnyValue:StringEqualsIfExists": {"test:many": "c"}}, {}, False),
            ({"ForAllValues:StringEquals": {"test:many": ["a", "b", "c"]}}, two, True),
            ({"ForAllValues:StringEquals": {"test:many": ["a", "c"]}}, two, False),
            ({"ForAllValues:StringEquals": {"test:many": "a"}}, {}, True),
            ({"ForAllValues:StringLike": {"test:many": "?"}}, two, True),
            ({"ForAnyValue:StringNotEquals": {"test:many": "a"}}, two, True),
            ({"ForAllValues:StringNotEquals": {"test:many": "a"}}, two, False),
            ({"ForAllValues:StringEquals": {"test:one": "a"}}, {"test__one": "a"}, True),
        ])

    def test_all_operators_and_all_keys_must_hold(self) -> None:
        block = {"StringEquals": {"test:one": "a", "aws:PrincipalAccount": "1"}, "Null": {"test:number": "true"}}
        context = {"test__one": "a", "aws__principalaccount": "1"}
        self.assertTrue(hold(block, asked(**context)))
        for change in ({"test__one": "b"}, {"aws__principalaccount": "2"}, {"test__number": "1"}):
            self.assertFalse(hold(block, asked(**{**context, **change})), change)
        self.assertTrue(hold({}, asked()))

    def test_what_the_evaluator_does_not_know_is_an_error(self) -> None:
        for block in [
            {"StringMatches": {"test:one": "a"}},
            {"DateLessThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}},
            {"ForSomeValue:StringEquals": {"test:many": "a"}},
            {"StringEquals": {"aws:RequestTag/team": "a"}},
            {"StringEquals": {"aws:ResourceTag": "a"}},
            {"StringEqualsIfExists": {"aws:SourceIp": "a"}},
            {"StringEquals": {"test:many": "a"}},
            {"Bool": {"aws:ViaAWSService": "yes"}},
            {"NullIfExists": {"test:one": "true"}},
            {"StringEquals": {"test:one": []}},
            # An operator that does not hold hides none that is wrong.
            {"StringEquals": {"test:one": "no"}, "IpAddress": {"aws:SourceIp": "127.0.0.1"}},
        ]:
            with self.assertRaises(PolicyError, msg=str(block)):
                hold(block, asked(test__many=("a", "b"), test__one="a", aws__viaawsservice="true"))


class Trust(unittest.TestCase):
    def enter(self, statement: dict, role: str = ROLE, identity: bool = True, session: bool = True, **context) -> bool:
        """Whether the hub enters a role that has this statement in its trust policy."""
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", **statement}]}
        principal = Principal(SESSION, "111111111111", HUB) if session else Principal(
            "arn:aws:iam::111111111111:user/ann", "111111111111")
        keys = {key.replace("__", ":").lower(): value for key, value in context.items()}
        known = frozenset({"sts:externalid", "sts:rolesessionname", "aws:requesttag/", "aws:tagkeys"})
        request = Request("sts:AssumeRole", role, {"aws:principalarn": HUB, **keys}, known)
        policies = (policy(allow("sts:AssumeRole", role)),) if identity else ()
        trust = Policy.read("trust", document, trust=True)
        return Holdings(principal, policies).decide(request, trust)[0].allowed

    def test_principals(self) -> None:
        for principal, expected in [
            ({"AWS": "arn:aws:iam::111111111111:root"}, True),
            ({"AWS": "111111111111"}, True),
            ({"AWS": ["arn:aws:iam::333333333333:root", HUB]}, True),
            ({"AWS": SESSION}, True),
            ({"AWS": "*"}, True),
            ("*", True),
            ({"AWS": "arn:aws:iam::333333333333:root"}, False),
            ({"AWS": "arn:aws:iam::111111111111:role/other"}, False),
            ({"AWS": "arn:aws:sts::111111111111:assumed-role/hub/other"}, False),
            ({"Service": "ec2.amazonaws.com"}, False),
            ({"Federated": "arn:aws:iam::222222222222:oidc-provider/x"}, False),
        ]:
            self.assertEqual(self.enter({"Principal": principal}), expected, principal)
        with self.assertRaises(PolicyError):
            self.enter({"Principal": {"AWS": "arn:aws:iam::111111111111:role/*"}})

    def test_both_sides_must_allow_across_accounts(self) -> None:
        named = {"Principal": {"AWS": HUB}}
        self.assertFalse(self.enter(named, identity=False), "the trust policy alone is not enough across accounts")
        own = "arn:aws:iam::111111111111:role/member"
        self.assertTrue(self.enter(named, own, identity=False), "inside an account it is, where it names the caller")
        account = {"Principal": {"AWS": "arn:aws:iam::111111111111:root"}}
        self.assertFalse(self.enter(account, own, identity=False), "not where it names the account")
        self.assertTrue(self.enter(account, own))
        self.assertFalse(self.enter({**named, "Action": "sts:TagSession"}))
        self.assertFalse(self.enter({**named, "Effect": "Deny"}))
        self.assertTrue(self.enter({"Principal": {"AWS": "arn:aws:iam::111111111111:user/ann"}}, session=False))

    def test_conditions(self) -> None:
        def under(**keys: object) -> dict:
            block = {"StringEquals": {key.replace("__", ":"): value for key, value in keys.items()}}
            return {"Principal": {"AWS": "*"}, "Condition": block}

        for statement, context, expected in [
            (under(sts__ExternalId="x"), {"sts__externalid": "x"}, True),
            (under(sts__ExternalId="x"), {"sts__externalid": "y"}, False),
            (under(sts__ExternalId="x"), {}, False),
            (under(aws__PrincipalOrgID="o-1"), {"aws__principalorgid": "o-1"}, True),
            (under(aws__PrincipalOrgID="o-1"), {"aws__principalorgid": "o-2"}, False),
            (under(aws__PrincipalArn=[HUB]), {}, True),
            (under(aws__PrincipalArn=HUB + "2"), {}, False),
            (under(sts__RoleSessionName="terraform"), {"sts__rolesessionname": "terraform"}, True),
            (under(sts__RoleSessionName="terraform"), {"sts__rolesessionname": "other"}, False),
        ]:
            self.assertEqual(self.enter(statement, **context), expected, f"{statement} {context}")

    def test_federated_and_service_principals(self) -> None:
        provider = "arn:aws:iam::222222222222:oidc-provider/x"
        document = {"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": {"Federated": provider}}
        trust = Policy.read("trust", {"Version": "2012-10-17", "Statement": document}, trust=True)
        for kind, name, expected in [("Federated", provider, True), ("Federated", provider + "y", False), ("Service", provider, False)]:
            found = trust.statements[0].admits(Principal("arn:aws:sts::2:x", "2", kind=kind, provider=name))
            self.assertEqual(bool(found), expected)

    def test_what_a_trust_policy_cannot_have(self) -> None:
        for statement in ({**allow(), "Principal": "*"}, {"Effect": "Allow", "Action": "sts:AssumeRole"}):
            with self.assertRaises(PolicyError):
                Policy.read("trust", {"Version": "2012-10-17", "Statement": statement}, trust=True)


class WithoutAnAction(unittest.TestCase):
    def test_one_entry_goes_from_one_statement(self) -> None:
        whole = policy(allow(["rds:A", "rds:B"], Sid="One"), allow("rds:C", Sid="Two"), allow("rds:A", DATABASE, Sid="Three"))
        less = whole.without("rds:A", "One")
        self.assertFalse(decide([less], asked("rds:A", DATABASE + "2")).allowed)
        self.assertTrue(decide([less], asked("rds:A")).allowed)
        self.assertTrue(decide([less], asked("rds:B")).allowed)
        self.assertEqual([one.sid for one in whole.without("rds:C", "Two").statements], ["One", "Three"])
        self.assertEqual(whole.entries("rds:a"), [("One", "rds:A"), ("Three", "rds:A")])


if __name__ == "__main__":
    unittest.main()
