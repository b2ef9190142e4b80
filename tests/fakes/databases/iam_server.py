"""Checks the tokens that database servers are shown: as an LDAP server for PostgreSQL, by line for MariaDB and MySQL.

usage, from the folder `tests/fakes`:  python -m databases.iam_server CONFIGURATION

Prints {"ldap": port, "lines": port} when both listen on loopback, and runs until standard input is closed. Every login is
a line of standard error: `accepted <user> at <database>` or `refused <user> at <database>: <reason>`; no token is shown.

The configuration is a JSON file that is read anew at every login:
  {"databases": {"orders": {"hosts": ["orders.….rds.amazonaws.com"], "port": 5432, "region": "eu-west-1",
                            "account": "…", "ask": "account=…&region=…&kind=instance&identifier=orders"}},
   "keys": {"AKIA…": {"secret_key": "…", "session_token": "…", "account": "…"}},      session_token, account: optional
   "launcher": "http://127.0.0.1:…"}         optional: keys that are not listed are asked for there, and with `ask`
                                             whether the database takes tokens at all, and whether the
                                             signer may `rds-db:connect` as this user, where IAM is enforced

PostgreSQL: `hostssl all +rds_iam 127.0.0.0/8 ldap ldapserver=127.0.0.1 ldapport=<ldap> ldapprefix="cn=" ldapsuffix=",ou=orders"`
binds as `cn=<user>,ou=<database>` with the token as password. MariaDB and MySQL: the plugin of aws_auth.c sends
`<database> <bytes of user> <bytes of token>\\n<user><token>` and reads `yes` or `no`.
"""

from __future__ import annotations

import json
import socketserver
import sys
import threading
import urllib.request
from datetime import datetime, timezone
from pathlib import Path
from typing import TextIO
from urllib.parse import quote

from .iam_tokens import Database, Key, Refused, check

LONGEST = 64 * 1024
SUCCESS, INVALID_CREDENTIALS = 0, 49
BIND, BIND_ANSWER, UNBIND = 0x60, b"\x61", 0x42


class Verifier:
    """Answers whether a token opens a database for a user."""

    def __init__(self, configuration: Path, log: TextIO) -> None:
        self._configuration, self._log = configuration, log

    def say(self, text: str) -> None:
        self._log.write(text.encode("unicode_escape").decode() + "\n")
        self._log.flush()

    def accepts(self, database: str, user: str, token: str) -> bool:
        try:
            self._check(database, user, token)
        except Refused as reason:
            self.say(f"refused {user} at {database}: {reason}")
            return False
        except (OSError, ValueError, KeyError) as error:
            self.say(f"refused {user} at {database}: the stand-in failed: {type(error).__name__}: {error}")
            return False
        self.say(f"accepted {user} at {database}")
        return True

    def _check(self, name: str, user: str, token: str) -> None:
        known = json.loads(self._configuration.read_text())
        entry = known["databases"].get(name)
        if entry is None:
            raise Refused("nobody knows the database")
        launcher = known.get("launcher")
        if launcher and "ask" in entry and not _get(f"{launcher}/rig/iam?{entry['ask']}")["enabled"]:
            raise Refused("the database takes no tokens: IAM database authentication is off")

        signers = []

        def key_of(access_key: str) -> Key | None:
            signers.append(access_key)
            found = known.get("keys", {}).get(access_key)
            if found is None and launcher:
                found = _get(f"{launcher}/rig/keys?access_key={quote(access_key)}")
            return _key(found) if found else None

        place = Database(tuple(entry["hosts"]), entry["port"], entry["region"], entry.get("account"))
        check(token, user, place, key_of)
        if launcher and "ask" in entry:
            asked = f"{entry['ask']}&user={quote(user)}&access_key={quote(signers[0])}"
            refusal = _get(f"{launcher}/rig/iam/connect?{asked}")["refusal"]
            if refusal:
                raise Refused(refusal)


def _key(found: dict) -> Key:
    ends = found.get("expires_at")
    expires_at = datetime.fromtimestamp(ends, timezone.utc) if ends else None
    return Key(found["secret_key"], found.get("session_token"), found.get("account"), expires_at)


def _get(url: str) -> dict:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


class LineHandler(socketserver.StreamRequestHandler):
    """One question per connection."""

    timeout = 20

    def handle(self) -> None:
        try:
            database, user_length, token_length = self.rfile.readline(1024).decode().split()
            user = self.rfile.read(int(user_length)).decode()
            token = self.rfile.read(min(int(token_length), LONGEST)).decode()
        except ValueError as error:
            self.server.verifier.say(f"refused: not a question: {type(error).__name__}")
            return
        self.wfile.write(b"yes\n" if self.server.verifier.accepts(database, user, token) else b"no\n")


class LdapHandler(socketserver.StreamRequestHandler):
    """Simple binds of RFC 4511; every other operation ends the connection."""

    timeout = 20

    def handle(self) -> None:
        while (message := self._read_message()) is not None:
            _, number, rest = _element(message)
            tag, operation, _ = _element(rest)
            if tag != BIND:
                return
            _, _version, rest = _element(operation)
            _, name, rest = _element(rest)
            _, password, _ = _element(rest)
            code = SUCCESS if self._binds(name.decode(), password.decode()) else INVALID_CREDENTIALS
            answer = BIND_ANSWER + _sized(b"\x0a\x01" + bytes([code]) + b"\x04\x00\x04\x00")
            self.wfile.write(b"\x30" + _sized(b"\x02" + _sized(number) + answer))

    def _binds(self, name: str, password: str) -> bool:
        user, separator, database = name.removeprefix("cn=").rpartition(",ou=")
        return bool(separator) and self.server.verifier.accepts(database, user, password)

    def _read_message(self) -> bytes | None:
        """The content of the next message; lengths are in the short or the long form of BER."""
        head = self.rfile.read(2)
        if len(head) < 2:
            return None
        length = head[1]
        if length & 0x80:
            length = int.from_bytes(self.rfile.read(length & 0x7F), "big")
        return self.rfile.read(length) if length <= LONGEST else None


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """Tag and content of the first element, and what follows it."""
    tag, length, start = data[0], data[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    return tag, data[start : start + length], data[start + length :]


def _sized(content: bytes) -> bytes:
    return bytes([len(content)]) + content


class Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, handler: type, verifier: Verifier) -> None:
        self.verifier = verifier
        super().__init__(("127.0.0.1", 0), handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


def serve(configuration: Path, log: TextIO) -> dict[str, int]:
    """Listens in threads of this program, as long as it runs; the ports."""
    verifier = Verifier(configuration, log)
    ldap, lines = Listener(LdapHandler, verifier), Listener(LineHandler, verifier)
    return {"ldap": ldap.server_address[1], "lines": lines.server_address[1]}


def main() -> int:
    print(json.dumps(serve(Path(sys.argv[1]), sys.stderr)), flush=True)
    sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
