"""The password hook: a master password set through the API reaches the real database server behind the endpoint.

The stand-in of SQL Server takes it over its control socket.

A test registers which server stands behind which instance or cluster (`PUT /rig/databases`). The new password goes to
`psql` / `mariadb` on standard input, over the server's unix socket, as its superuser: never on a command line. The
server's statement log is switched off for that session, so that a test which searches the server logs for secrets
finds only what the provider itself sent.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from dataclasses import dataclass

from .settings import LOCK, SETTINGS


@dataclass(frozen=True)
class Server:
    """A database server: `engine` is `postgres`, `mariadb` or `sqlserver`, `socket` its directory or socket file."""

    engine: str
    socket: str
    port: int
    superuser: str


class PasswordHook:
    """Which server stands behind which database, and the work of setting a password there."""

    def __init__(self) -> None:
        self._servers: dict[tuple[str, str, str, str], Server] = {}
        self.failures: list[str] = []

    def register(self, account: str, region: str, kind: str, identifier: str, server: Server) -> None:
        if server.engine not in ("postgres", "mariadb", "sqlserver"):
            raise ValueError(f"engine {server.engine}: the hook knows postgres, mariadb and sqlserver")
        if kind not in ("instance", "cluster"):
            raise ValueError(f"kind {kind}: instance or cluster")
        with LOCK:
            self._servers[(account, region, kind, identifier.lower())] = server

    def describe(self) -> dict:
        with LOCK:
            servers = {"/".join(key): vars(server) for key, server in self._servers.items()}
            return {"databases": servers, "failures": list(self.failures)}

    def set_password(self, database: object, kind: str, identifier: str, password: str, lifecycle: object) -> None:
        """Sets the master password now, or after the delay that the settings ask for."""
        server = self._servers.get((database.account_id, database.region, kind, identifier.lower()))
        if server is None:
            return
        user = database.master_username

        def apply() -> None:
            if SETTINGS.password_delay_ms:
                timer = threading.Timer(SETTINGS.password_delay_ms / 1000, self._apply, (server, user, password))
                timer.daemon = True
                timer.start()
            else:
                self._apply(server, user, password)

        lifecycle.after_polls(SETTINGS.password_delay_polls, apply)

    def _apply(self, server: Server, user: str, password: str) -> None:
        if server.engine == "sqlserver":
            _sqlserver(server, user, password)
            return
        command, environment, sql = (_postgres if server.engine == "postgres" else _mariadb)(server, user, password)
        done = subprocess.run(
            command, input=sql.encode(), env=environment, capture_output=True, timeout=30, check=False
        )
        if done.returncode != 0:
            text = done.stderr.decode("utf-8", "replace").replace(password, "***")
            with LOCK:
                self.failures.append(f"{server.engine} {server.socket}: {text.strip()}")


def _postgres(server: Server, user: str, password: str) -> tuple[list[str], dict, str]:
    sql = (
        "SET log_statement = 'none'; SET log_min_error_statement = 'panic'; SET standard_conforming_strings = on;\n"
        "ALTER ROLE " + _quoted(user, '"') + " PASSWORD " + _quoted(password, "'") + ";\n"
    )
    command = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", server.socket, "-p", str(server.port)]
    command += ["-U", server.superuser, "-d", "postgres", "-f", "-"]
    return command, {"PATH": os.environ.get("PATH", os.defpath)}, sql


def _mariadb(server: Server, user: str, password: str) -> tuple[list[str], dict, str]:
    literal = _quoted(password.replace("\\", "\\\\"), "'")
    account = _quoted(user, "`") + "@'%'"
    sql = f"SET SESSION sql_log_off = 1; ALTER USER {account} IDENTIFIED BY {literal};\n"
    command = ["mariadb", "--no-defaults", f"--socket={server.socket}", f"--user={server.superuser}"]
    return command, {"PATH": os.environ.get("PATH", os.defpath)}, sql


def _sqlserver(server: Server, user: str, password: str) -> None:
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(30)
        control.connect(server.socket)
        order = {"password": {"login": user, "password": password}}
        control.sendall(json.dumps(order).encode() + b"\n")
        control.recv(65536)


def _quoted(text: str, quote: str) -> str:
    return quote + text.replace(quote, quote * 2) + quote


HOOK = PasswordHook()
