"""A PostgreSQL server per fake RDS database, with an RDS-like master user: no superuser, CREATEROLE and CREATEDB.

Every statement is logged (`log_statement = all`), so that tests can look for secrets that went over in clear.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import signal
import subprocess
from pathlib import Path

from .processes import Iam, Process, RigError, environment, from_template, give, run_unprivileged

SETUP = Path(__file__).with_name("rds_postgres.sql")
SUPERUSER = "rdsadmin"
SETTINGS = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{directory}'
ssl = on
ssl_cert_file = '{directory}/server.crt'
ssl_key_file = '{directory}/server.key'
fsync = off
full_page_writes = off
synchronous_commit = off
shared_buffers = 16MB
max_connections = 120
wal_level = minimal
max_wal_senders = 0
jit = off
log_statement = all
log_connections = on
log_disconnections = on
"""
# RDS: the master's own superuser is not reachable from outside, and plain connections are refused (rds.force_ssl = 1).
ACCESS = """
local all {superuser} trust
{tokens}
hostssl all all 127.0.0.0/8 scram-sha-256
"""
# As on RDS, a member of rds_iam logs in with tokens only.
TOKENS = 'hostssl all +rds_iam 127.0.0.0/8 ldap ldapserver=127.0.0.1 ldapport={port} ldapprefix="cn=" ldapsuffix=",ou={name}"'
# From version 16 on the master is a member of rds_iam, through the superuser of RDS, and keeps its password.
MASTER_FIRST = "hostssl all +rds_superuser 127.0.0.0/8 scram-sha-256\n"


class Postgres:
    engine = "postgres"
    superuser = SUPERUSER

    def __init__(self, directory: Path, cache: Path, port: int, certificate: Path, key: Path, iam: Iam) -> None:
        self.directory, self.port, self.log = directory, port, directory / "postgres.log"
        directory.mkdir(mode=0o755)
        data = directory / "data"
        from_template(cache, _template_name(), data, _build)
        shutil.copy(certificate, directory / "server.crt")
        shutil.copy(key, directory / "server.key")
        with (data / "postgresql.conf").open("a") as file:
            file.write(SETTINGS.format(port=port, directory=directory))
        tokens = TOKENS.format(port=iam.ldap, name=iam.database)
        if int(_version().split(".")[0]) >= 16:
            tokens = MASTER_FIRST + tokens
        (data / "pg_hba.conf").write_text(ACCESS.format(superuser=SUPERUSER, tokens=tokens))
        give(directory)
        command = [str(_binaries() / "postgres"), "-D", str(data)]
        self.process = Process(command, directory, self.log, signal.SIGQUIT)

    @property
    def socket(self) -> str:
        return str(self.directory)

    def wait(self, master: str, password: str, databases: list[str]) -> None:
        """Waits until the server answers, then makes the master user and its databases."""
        self.process.wait_until(lambda: _psql(self.directory, self.port, "SELECT 1").returncode == 0)
        sql = [
            "SET log_statement = 'none'",
            f"CREATE ROLE {_name(master)} LOGIN CREATEROLE CREATEDB PASSWORD {_text(password)} VALID UNTIL 'infinity'",
            f"GRANT rds_superuser TO {_name(master)}",
            f"ALTER DATABASE postgres OWNER TO {_name(master)}",
        ]
        sql += [f"CREATE DATABASE {_name(database)} OWNER {_name(master)}" for database in databases]
        done = _psql(self.directory, self.port, ";\n".join(sql) + ";\n")
        if done.returncode != 0:
            raise RigError(f"PostgreSQL refused the master user: {done.stderr.strip()}")

    def stop(self) -> None:
        self.process.stop()


def _binaries() -> Path:
    """Debian keeps the server programs out of the path; elsewhere `pg_config` knows."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    if versions:
        return versions[-1].parent
    if shutil.which("pg_config"):
        found = Path(subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True).stdout.strip())
        if (found / "postgres").exists():
            return found
    raise RigError("no PostgreSQL server found: run scripts/install (package postgresql)")


def _version() -> str:
    text = subprocess.run([str(_binaries() / "postgres"), "--version"], capture_output=True, text=True).stdout
    version = re.search(r"\(PostgreSQL\) ([0-9.]+)", text)
    if version is None:
        raise RigError(f"{_binaries()}/postgres does not say its version: {text}")
    return version.group(1)


def _template_name() -> str:
    return f"postgres-{_version()}-{hashlib.sha256(SETUP.read_bytes()).hexdigest()[:8]}"


def _build(work: Path) -> None:
    """initdb, and the RDS roles; as the servers' user."""
    log, data = work / "build.log", work / "data"
    command = [str(_binaries() / "initdb"), "-D", str(data), "-U", SUPERUSER, "-A", "trust", "-E", "UTF8"]
    run_unprivileged([*command, "--locale=C", "--no-sync", "--no-instructions"], work, log)
    options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={work}", "-c", "fsync=off"]
    server = Process([str(_binaries() / "postgres"), "-D", str(data), *options], work, log, signal.SIGINT)
    try:
        server.wait_until(lambda: _psql(work, 5432, "SELECT 1").returncode == 0)
        done = _psql(work, 5432, SETUP.read_text())
        if done.returncode != 0:
            raise RigError(f"{SETUP.name}: {done.stderr.strip()}")
    finally:
        server.stop()


def _psql(socket: Path, port: int, sql: str) -> subprocess.CompletedProcess:
    command = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", str(socket), "-p", str(port)]
    command += ["-U", SUPERUSER, "-d", "postgres", "-f", "-"]
    return subprocess.run(command, input=sql, env=environment(socket), capture_output=True, text=True, check=False)


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
