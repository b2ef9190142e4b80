"""The check of IAM tokens, held against botocore. Run from `tests/fakes`:  python -m unittest databases.test_iam_tokens"""

from __future__ import annotations

import unittest
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from unittest import mock

import botocore.session

from databases.iam_tokens import Database, Key, Refused, check
from databases.make_token import make_token

NOW = datetime(2026, 11, 22, 3, 4, 5, tzinfo=timezone.utc)
HOST = "orders.c1a2b3.eu-west-1.rds.amazonaws.com"
DATABASE = Database((HOST, "reader." + HOST), 5432, "eu-west-1", "111122223333")
KEYS = {
    "AKIAPERMANENT": Key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None, "111122223333"),
    "ASIATEMPORARY": Key("s+e/c=ret", "se/ss+ion==token", "111122223333", NOW + timedelta(minutes=10)),
    "AKIASTRANGER": Key("other", None, "444455556666"),
}


def token(access_key: str = "AKIAPERMANENT", made: datetime = NOW, **changes: object) -> str:
    """A token of botocore, right but for the changes."""
    key = KEYS.get(access_key) or Key("nobody's")
    wish = {"host": HOST, "port": 5432, "user": "hoop_ro", "region": "eu-west-1", "access_key": access_key}
    wish |= {"secret_key": key.secret, "session_token": key.session_token}
    return make_token(wish | changes, made)


class Tokens(unittest.TestCase):
    def assert_opens(self, text: str, user: str = "hoop_ro", database: Database = DATABASE) -> None:
        check(text, user, database, KEYS.get, NOW)

    def assert_refused(self, reason: str, text: str, user: str = "hoop_ro", database: Database = DATABASE) -> None:
        with self.assertRaisesRegex(Refused, reason):
            check(text, user, database, KEYS.get, NOW)

    def test_botocores_tokens_open_the_database(self) -> None:
        self.assert_opens(token())
        self.assert_opens(token(host="reader." + HOST))
        self.assert_opens(token("ASIATEMPORARY"))

    def test_the_call_of_boto3_that_everybody_uses_makes_such_tokens(self) -> None:
        session = botocore.session.Session()
        key = KEYS["ASIATEMPORARY"]
        session.set_credentials("ASIATEMPORARY", key.secret, key.session_token)
        client = session.create_client("rds", region_name="eu-west-1")
        with mock.patch("botocore.auth.get_current_datetime", return_value=NOW.replace(tzinfo=None)):
            self.assert_opens(client.generate_db_auth_token(HOST, 5432, "hoop_ro"))

    def test_users_may_have_any_character(self) -> None:
        for user in ("a b", "a&b=c", "50%", "é", "x+y", "a/b?c#d", "tilde~"):
            self.assert_opens(token(user=user), user)

    def test_host_port_user_and_region_are_signed(self) -> None:
        self.assert_refused("host 'elsewhere'", token(host="elsewhere"))
        self.assert_refused("port '5433'", token(port=5433))
        self.assert_refused("user 'hoop_rw'", token(user="hoop_rw"))
        self.assert_refused("user 'hoop_ro'", token(), user="Hoop_ro")
        self.assert_refused("us-east-1", token(region="us-east-1"))

    def test_a_tampered_token_is_refused(self) -> None:
        good = token()
        self.assert_refused("signature", good.replace("DBUser=hoop_ro", "DBUser=hoop_rw"), user="hoop_rw")
        self.assert_refused("signature", good.replace(HOST, "reader." + HOST))
        self.assert_refused("signature", good.replace(":5432/", ":5433/"), database=replace(DATABASE, port=5433))
        self.assert_refused("signature", good.replace("Expires=900", "Expires=899"))
        self.assert_refused("signature", good[:-1] + ("0" if good[-1] != "0" else "1"))
        self.assert_refused("signature", token(secret_key="wrong"))
        self.assert_refused("comes twice", good + "&DBUser=hoop_ro")
        self.assert_refused("unknown", good + "&Extra=1")
        self.assert_refused("missing", good.split("&X-Amz-Signature")[0])
        self.assert_refused("not a token", "Initial-Passw0rd")

    def test_a_token_lives_fifteen_minutes(self) -> None:
        self.assert_opens(token(made=NOW - timedelta(seconds=900)))
        self.assert_refused("expired", token(made=NOW - timedelta(seconds=901)))
        self.assert_opens(token(made=NOW + timedelta(minutes=4)))
        self.assert_refused("future", token(made=NOW + timedelta(minutes=6)))
        self.assert_refused("life of 901", token(life=901))
        self.assert_refused("life of 0", token(life=0))

    def test_a_temporary_key_needs_its_session_token_and_ends(self) -> None:
        self.assert_refused("session token", token("ASIATEMPORARY", session_token=None))
        self.assert_refused("session token", token("ASIATEMPORARY", session_token="other"))
        self.assert_refused("session token", token(session_token="se/ss+ion==token"))
        late = NOW + timedelta(minutes=11)
        with self.assertRaisesRegex(Refused, "key has expired"):
            check(token("ASIATEMPORARY"), "hoop_ro", DATABASE, KEYS.get, late)

    def test_the_key_is_of_the_databases_account(self) -> None:
        self.assert_refused("account 444455556666", token("AKIASTRANGER"))
        self.assert_refused("nobody knows", token("AKIANOBODY"))


if __name__ == "__main__":
    unittest.main()
