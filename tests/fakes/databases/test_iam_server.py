"""The front ends of the token check, by hand-made bytes. Run from `tests/fakes`:

python -m unittest databases.test_iam_server
"""

from __future__ import annotations

import io
import json
import socket
import tempfile
import unittest
from datetime import datetime, timezone
from pathlib import Path

from databases.iam_server import serve
from databases.make_token import make_token

HOST = "orders.example.com"
KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


def token(user: str) -> str:
    wish = {"host": HOST, "port": 5432, "user": user, "region": "eu-west-1", "access_key": "AKIA", "secret_key": KEY}
    return make_token(wish, datetime.now(timezone.utc))


def sized(tag: int, content: bytes) -> bytes:
    """An element of BER with its length in the long form."""
    return bytes([tag, 0x82]) + len(content).to_bytes(2, "big") + content


def bind(name: str, password: str) -> bytes:
    operation = b"\x02\x01\x03" + sized(0x04, name.encode()) + sized(0x80, password.encode())
    return sized(0x30, b"\x02\x01\x07" + sized(0x60, operation))


class FrontEnds(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        configuration = Path(folder.name) / "configuration.json"
        orders = {"hosts": [HOST], "port": 5432, "region": "eu-west-1"}
        configuration.write_text(json.dumps({"databases": {"orders": orders}, "keys": {"AKIA": {"secret_key": KEY}}}))
        self.log = io.StringIO()
        self.ports = serve(configuration, self.log)

    def ask(self, kind: str, question: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.ports[kind]), timeout=10) as connection:
            connection.sendall(question)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(4096), b""))

    def line(self, database: str, user: str, shown: str) -> bytes:
        return self.ask("lines", f"{database} {len(user.encode())} {len(shown)}\n{user}{shown}".encode())

    def test_a_line_is_answered_with_yes_or_no(self) -> None:
        self.assertEqual(self.line("orders", "hoop_ro", token("hoop_ro")), b"yes\n")
        self.assertEqual(self.line("orders", "o'r eilly é", token("o'r eilly é")), b"yes\n")
        self.assertEqual(self.line("orders", "hoop_rw", token("hoop_ro")), b"no\n")
        self.assertEqual(self.line("stock", "hoop_ro", token("hoop_ro")), b"no\n")
        said = self.log.getvalue().splitlines()
        self.assertEqual(said[0], "accepted hoop_ro at orders")
        self.assertEqual(said[2], "refused hoop_rw at orders: it is for user 'hoop_ro'")
        self.assertEqual(said[3], "refused hoop_ro at stock: nobody knows the database")
        self.assertNotIn("X-Amz", self.log.getvalue())

    def test_what_is_no_question_gets_no_answer(self) -> None:
        for question in (b"", b"orders\n", b"orders x y\nuser", b"GET / HTTP/1.1\r\n"):
            self.assertEqual(self.ask("lines", question), b"")

    def test_an_ldap_bind_succeeds_or_has_invalid_credentials(self) -> None:
        answer = "300c02010761070a01{}04000400"
        accepted, refused = bytes.fromhex(answer.format("00")), bytes.fromhex(answer.format("31"))
        self.assertEqual(self.ask("ldap", bind("cn=hoop_ro,ou=orders", token("hoop_ro"))), accepted)
        self.assertEqual(self.ask("ldap", bind("cn=a,ou=b,ou=orders", token("a,ou=b"))), accepted)
        self.assertEqual(self.ask("ldap", bind("cn=hoop_ro,ou=orders", token("hoop_ro")[:-1])), refused)
        self.assertEqual(self.ask("ldap", bind("cn=hoop_ro", token("hoop_ro"))), refused)
        self.assertEqual(self.ask("ldap", bind("cn=hoop_ro,ou=orders", "")), refused)
        self.assertEqual(self.ask("ldap", bytes.fromhex("300502010742 00".replace(" ", ""))), b"")


if __name__ == "__main__":
    unittest.main()
