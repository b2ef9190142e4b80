"""Web identity at the fake STS, checked with boto3.  Run from `tests/fakes`:  python -m unittest aws.test_web_identity"""

from __future__ import annotations

import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import boto3
import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from joserfc import jwt
from joserfc.jwk import OctKey

from aws import issuer
from aws.test_launcher import LauncherTest

CI = "https://token.ci.example.com"
CLAIMS = {"iss": CI, "aud": "sts.amazonaws.com", "sub": "repo:acme/infra:ref:refs/heads/main"}


class WebIdentity(LauncherTest):
    """A role `ci` in one account that trusts the main branch of one repository."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.account = cls.aws.ids["payments-prod"]
        iam = cls.aws.client("iam", "payments-prod")
        made = iam.create_open_id_connect_provider(Url=CI, ClientIDList=["sts.amazonaws.com", "other"])
        cls.provider = made["OpenIDConnectProviderArn"]
        cls.trust = {
            "StringEquals": {"token.ci.example.com:aud": "sts.amazonaws.com"},
            "StringLike": {"token.ci.example.com:sub": "repo:acme/infra:*"},
        }
        statement = {"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Condition": cls.trust}
        statement["Principal"] = {"Federated": cls.provider}
        iam.create_role(RoleName="ci", AssumeRolePolicyDocument=json.dumps({"Statement": [statement]}))
        statement = {**statement, "Principal": {"Federated": cls.provider.replace("ci.example", "other.example")}}
        iam.create_role(RoleName="other", AssumeRolePolicyDocument=json.dumps({"Statement": [statement]}))
        config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
        cls.sts = boto3.client("sts", endpoint_url=cls.aws.url, region_name="eu-west-1", config=config)

    def setUp(self) -> None:
        super().setUp()
        self.aws.rig("PUT", "issuers", {"issuer": CI, "jwks": issuer.jwks("ci")})

    def enter(self, token: str | None = None, role: str = "ci", **claims) -> dict:
        token = token or issuer.token("ci", {**CLAIMS, **claims})
        arn = f"arn:aws:iam::{self.account}:role/{role}"
        return self.sts.assume_role_with_web_identity(RoleArn=arn, RoleSessionName="job", WebIdentityToken=token)

    def test_a_trusted_token_opens_the_role_without_a_signature(self) -> None:
        made = self.enter()
        self.assertTrue(made["AssumedRoleUser"]["Arn"].endswith(f"{self.account}:assumed-role/ci/job"))
        keys = {
            "aws_access_key_id": made["Credentials"]["AccessKeyId"],
            "aws_secret_access_key": made["Credentials"]["SecretAccessKey"],
            "aws_session_token": made["Credentials"]["SessionToken"],
        }
        caller = boto3.client("sts", endpoint_url=self.aws.url, region_name="eu-west-1", **keys).get_caller_identity()
        self.assertEqual(caller["Account"], self.account)
        entry = self.aws.rig("GET", "log?action=AssumeRoleWithWebIdentity")[0]
        self.assertFalse(entry["signed"])
        self.assertNotIn("WebIdentityToken", entry["params"])

    def test_the_default_chain_of_an_sdk_takes_the_file(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "token"
            path.write_text(issuer.token("ci", CLAIMS))
            session = botocore.session.Session()
            variables = {
                "AWS_ROLE_ARN": f"arn:aws:iam::{self.account}:role/ci",
                "AWS_WEB_IDENTITY_TOKEN_FILE": str(path),
                "AWS_ENDPOINT_URL_STS": self.aws.url,
            }
            with mock.patch.dict("os.environ", variables):
                client = session.create_client("sts", region_name="eu-west-1", endpoint_url=self.aws.url)
                self.assertEqual(client.get_caller_identity()["Account"], self.account)

    def test_the_trust_policy_looks_at_audience_and_subject(self) -> None:
        denied = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
        self.enter(sub="repo:acme/infra:pull_request")
        for claims in ({"sub": "repo:mallory/infra:ref:refs/heads/main"}, {"aud": "other"}):
            self.assertEqual(self.refused("AccessDenied", self.enter, 403, **claims), denied)
        self.assertEqual(self.refused("AccessDenied", self.enter, 403, role="other"), denied)
        self.assertEqual(self.refused("AccessDenied", self.enter, 403, role="NoSuchRole"), denied)
        ci = f"arn:aws:iam::{self.account}:role/ci"
        self.refused("AccessDenied", self.aws.client("sts").assume_role, 403, RoleArn=ci, RoleSessionName="job")

    def test_a_wrong_audience_is_refused_before_the_role_is_looked_at(self) -> None:
        for audience in ("https://github.com/acme", ["a", "b"]):
            message = self.refused("InvalidIdentityToken", self.enter, 400, aud=audience, role="NoSuchRole")
            self.assertEqual(message, "Incorrect token audience")

    def test_times_are_checked(self) -> None:
        message = self.refused("ExpiredTokenException", self.enter, 400, token=issuer.token("ci", CLAIMS, seconds=-5))
        self.assertRegex(message, r"^Token expired: current date/time \d+ must be before the expiration date/time \d+$")
        self.refused("InvalidIdentityToken", self.enter, 400, nbf=4_000_000_000)

    def test_an_issuer_is_known_to_the_account_that_registered_it(self) -> None:
        message = self.refused("InvalidIdentityToken", self.enter, 400, iss="https://elsewhere.example.com")
        known = "No OpenIDConnect provider found in your account for https://elsewhere.example.com"
        self.assertEqual(message, known)
        self.account, before = self.aws.ids["sandbox"], self.account
        try:
            self.assertIn(CI, self.refused("InvalidIdentityToken", self.enter, 400))
        finally:
            self.account = before

    def test_signatures_are_checked(self) -> None:
        forged = issuer.token("mallory", CLAIMS, kid="ci")
        self.assertIn("signature", self.refused("InvalidIdentityToken", self.enter, 400, token=forged))
        unknown = issuer.token("mallory", CLAIMS)
        self.assertIn("verification key", self.refused("InvalidIdentityToken", self.enter, 400, token=unknown))
        by_secret = jwt.encode({"alg": "HS256", "kid": "ci"}, {**CLAIMS, "exp": 4_000_000_000, "iat": 1}, OctKey.generate_key())
        self.refused("InvalidIdentityToken", self.enter, 400, token=by_secret)
        head, payload, signature = issuer.token("ci", CLAIMS).split(".")
        self.refused("InvalidIdentityToken", self.enter, 400, token=f"{head}.{payload}.{signature[:-8]}AAAAAAAA")
        self.aws.rig("PUT", "issuers", {"issuer": CI, "jwks": None})
        self.assertIn("verification key", self.refused("InvalidIdentityToken", self.enter, 400))

    def test_what_is_no_id_token_is_refused(self) -> None:
        self.assertIn("not a valid JWT", self.refused("InvalidIdentityToken", self.enter, 400, token="ya29.access"))
        for claim in ("aud", "sub"):
            message = self.refused("InvalidIdentityToken", self.enter, 400, **{claim: None})
            self.assertEqual(message, f"Missing a required claim: {claim}")


if __name__ == "__main__":
    unittest.main()
