"""A stand-in for SQL Server, for tests without one.

usage:  .venv/bin/python tests/fakes/sqlserver/server.py            (the Rust tests start it like this)

Reads one line of JSON from standard input ({"certificate", "key", "log", "admin": [name, password], "dba": [...],
"version"}, and if it must be a "port" and a "control" socket for commands of others), prints {"port"} when it listens, and runs until standard input is closed. Each further line of input is a
command, answered with a line:
  {"fail": {"contains": "…", "number": 1205, "times": 1}}     the next batches with this text fail with this error
  {"hang_up": {"contains": "…", "run": true}}                 the next batch with this text runs (or not), and its
                                                              connection ends without an answer
  {"age": {"login": "…", "seconds": 100}}                     the password was set so long ago
  {"password": {"login": "…", "password": "…"}}               as RDS resets a master password; the login is unlocked
  {"state": true}                                             {"open": {login: sessions}, "peak": {login: sessions}}

What is real here: TDS, TLS in TDS, LOGIN7 with its password and error numbers on the wire, all of it somebody else's
code (PyPI `pysqlbridge`). What is ours: T-SQL is read by a lexer and a parser of this folder, catalog views are answered
by SQLite, and who may do what follows Microsoft's reference as far as `model.py` goes. So these tests prove the wire,
the quoting, the order of statements and the reading of the catalog. They do not prove that SQL Server means the same by
a statement: for that the same tests run against a real server (RDSACCESS_TEST_MSSQL).

The log gets every batch in clear, passwords included, one JSON object a line: this is for tests only.
"""

from __future__ import annotations

import json
import logging
import socket
import socketserver
import sys
import threading
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pysqlbridge.certificate import Certificate  # noqa: E402
from pysqlbridge.tds.connection import Connection, ConnectionState  # noqa: E402
from pysqlbridge.tds.login import deobfuscate_password  # noqa: E402
from pysqlbridge.tds.result import QueryError  # noqa: E402
from pysqlbridge.tds.token import DoneStatus, done, error as error_token  # noqa: E402

from sqlserver.model import Server  # noqa: E402
from sqlserver.statements import run  # noqa: E402

# The first byte of the kernel's `tcp_info`.
TCP_ESTABLISHED = 1


class Session(Connection):
    """One client. The wire is pysqlbridge's; who gets in and what a batch does is decided here."""

    def __init__(self, certificate: Certificate, stand_in: "StandIn", sock) -> None:
        super().__init__(certificate, query_handler=self._answer)
        self.stand_in, self.sock = stand_in, sock
        self.number = 0
        self.variables: dict[str, object] = {}
        # The SID of a login that EXECUTE AS put in the place of its own
        self.acts_as: bytes | None = None

    def _answer_sql_login(self, responses: list[bytes]) -> bool:
        asked = self._login
        server = self.stand_in.server
        try:
            with server.lock:
                self.login_row = server.admit(asked.user_name, deobfuscate_password(asked.password), asked.database)
                self.database = server.database(asked.database or self.login_row.default_database)
                self.program, self.host = asked.app_name, asked.host_name
                self.number = server.session_number()
                server.sessions[self.number] = self
                self.stand_in.count()
        except QueryError as refusal:
            tokens = [error_token(one.number, str(one), server=self._server_name, severity=14,
                                  tds_version=self._tds_version) for one in (refusal, *refusal.following)]
            self._send(responses, b"".join(tokens) + done(status=DoneStatus.ERROR, tds_version=self._tds_version))
            self._state = ConnectionState.FAILED
            return True
        self._database = self.database.name
        self._finish_login(responses)
        return True

    @property
    def login(self):
        return self.login_row if self.number else self._login

    @login.setter
    def login(self, row) -> None:
        self.login_row = row

    @property
    def user(self):
        """The user that the login is in its database, now."""
        user = self.stand_in.server.entrance(self.login_row, self.database)
        if user is None:
            raise QueryError(f'The server principal "{self.login_row.name}" is not able to access the database '
                             f'"{self.database.name}" under the current security context.', number=916)
        return user

    def _answer(self, query):
        if query.parameters or query.procedure:
            raise QueryError("this stand-in takes batches only", number=2812)
        return self.stand_in.batch(self, query.sql)

    def _about(self) -> dict:
        return {}

    def is_connected(self) -> bool:
        """Whether the client is still there, by the kernel: its thread may not have read the end of the stream yet, and
        the farewell of TLS may lie before that."""
        try:
            return self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == TCP_ESTABLISHED
        except OSError:
            return False

    def end(self) -> None:
        """KILL: the connection breaks."""
        self.close()
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def close(self) -> None:
        server = self.stand_in.server
        with server.lock:
            server.sessions.pop(self.number, None)
            for name in [name for name, holder in server.locks.items() if holder == self.number]:
                del server.locks[name]
            server.released.notify_all()


class StandIn:
    """The server, its log and what a test asked to go wrong."""

    def __init__(self, wish: dict) -> None:
        self.server = Server(tuple(wish["admin"]), tuple(wish["dba"]), wish.get("version", "16.0.4165.4"))
        self.certificate = Certificate(Path(wish["certificate"]).read_bytes(), Path(wish["key"]).read_bytes())
        self.log = open(wish["log"], "a", encoding="utf-8")
        self.failures: list[dict] = []
        self.hang_ups: list[dict] = []
        self.peak: Counter = Counter()

    def open_sessions(self) -> Counter:
        return Counter(session.login_row.name for session in self.server.sessions.values() if session.is_connected())

    def count(self) -> None:
        self.peak |= self.open_sessions()

    def batch(self, session: Session, sql: str):
        with self.server.lock:
            entry = {"login": session.login_row.name, "database": session.database.name, "sql": sql}
            print(json.dumps(entry), file=self.log, flush=True)
            failure = self._due(self.failures, sql)
            if failure:
                raise QueryError("as asked for by a test", number=failure["number"])
            hang_up = self._due(self.hang_ups, sql)
        session.user  # noqa: B018 - a batch needs access to its database
        answer = run(self.server, session, sql) if not hang_up or hang_up["run"] else None
        if hang_up:
            session.end()
            raise QueryError("nobody hears this", number=596)
        return answer

    @staticmethod
    def _due(wishes: list[dict], sql: str) -> dict | None:
        for wish in wishes:
            if wish["contains"] in sql:
                wish["times"] = wish.get("times", 1) - 1
                if wish["times"] <= 0:
                    wishes.remove(wish)
                return wish
        return None

    def command(self, wish: dict) -> dict:
        with self.server.lock:
            if "fail" in wish:
                self.failures.append(wish["fail"])
            if "hang_up" in wish:
                self.hang_ups.append(wish["hang_up"])
            if "age" in wish:
                self.server.login(wish["age"]["login"]).set_at = time.time() - wish["age"]["seconds"]
            if "password" in wish:
                login = self.server.login(wish["password"]["login"])
                login.password, login.failures, login.set_at = wish["password"]["password"], 0, time.time()
            if "restore" in wish:
                self._restore(wish["restore"])
            return {"open": dict(self.open_sessions()), "peak": dict(self.peak)}

    def _restore(self, wish: dict) -> None:
        """A database as a restore from elsewhere leaves it: its users belong to logins that are not here."""
        database = self.server.database(wish["database"])
        for name in wish["users"]:
            database.find(name).sid = b"\x99" * 16


class Handler(socketserver.BaseRequestHandler):
    """Moves bytes between a socket and a session."""

    def handle(self) -> None:
        session = Session(self.server.stand_in.certificate, self.server.stand_in, self.request)
        try:
            while data := self.request.recv(65536):
                for response in session.receive(data):
                    self.request.sendall(response)
                if session.state is ConnectionState.FAILED:
                    return
        except Exception as error:  # noqa: BLE001 - a client that went away, or TLS that it refused
            logging.debug("a connection ended: %s", error)
        finally:
            session.close()


class Orders(socketserver.StreamRequestHandler):
    """Commands over the control socket, a line each."""

    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(json.dumps(self.server.stand_in.command(json.loads(line))).encode() + b"\n")


class ControlSocket(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


class Listener(socketserver.ThreadingTCPServer):
    """Loopback only."""

    allow_reuse_address = True
    daemon_threads = True


def main() -> None:
    wish = json.loads(sys.stdin.readline())
    stand_in = StandIn(wish)
    logging.getLogger("pysqlbridge").setLevel(logging.CRITICAL)
    if "control" in wish:
        control = ControlSocket(wish["control"], Orders)
        control.stand_in = stand_in
        threading.Thread(target=control.serve_forever, daemon=True).start()
    with Listener(("127.0.0.1", wish.get("port", 0)), Handler) as listener:
        listener.stand_in = stand_in
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        print(json.dumps({"port": listener.server_address[1]}), flush=True)
        for line in sys.stdin:
            print(json.dumps(stand_in.command(json.loads(line))), flush=True)
        listener.shutdown()


if __name__ == "__main__":
    main()
