"""A MariaDB server per fake RDS database, with an RDS-like master user: broad rights with GRANT OPTION, no SUPER.

It stands behind `mariadb`, `mysql` and `aurora-mysql` targets. It is MariaDB in all of them, unless a wish asks for a real
MySQL (mysql.py): that starts slower. Every statement is logged.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import signal
import subprocess
from pathlib import Path

from .processes import Iam, Process, RigError, environment, from_template, give, run_unprivileged, unpacked

SETUP = Path(__file__).with_name("rds_mariadb.sql")
SUPERUSER = "root"
INNODB = ["--innodb-log-file-size=4M", "--innodb-use-native-aio=0"]
SERVER = [
    "--skip-name-resolve",
    "--innodb-buffer-pool-size=16M",
    "--innodb-flush-log-at-trx-commit=0",
    "--key-buffer-size=1M",
    "--performance-schema=OFF",
    "--skip-log-bin",
    "--general-log=1",
    "--require-secure-transport=ON",
    "--plugin-load-add=aws_auth.so",
]
MASTER_RIGHTS = (
    "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, SHOW DATABASES, "
    "CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, REPLICATION SLAVE, REPLICATION CLIENT, CREATE VIEW, SHOW VIEW, "
    "CREATE ROUTINE, ALTER ROUTINE, CREATE USER, EVENT, TRIGGER"
)


class MariaDb:
    engine = "mariadb"
    superuser = SUPERUSER

    def __init__(self, directory: Path, cache: Path, port: int, certificate: Path, key: Path, iam: Iam) -> None:
        self.directory, self.port, self.log = directory, port, directory / "general.log"
        directory.mkdir(mode=0o755)
        data = directory / "data"
        from_template(cache, self.template_name(), data, self.build)
        shutil.copy(certificate, directory / "server.crt")
        shutil.copy(key, directory / "server.key")
        give(directory)
        command = [*self.program(), f"--datadir={data}", f"--socket={self.socket}", *SERVER, *self.options()]
        command += ["--bind-address=127.0.0.1", f"--port={port}", f"--pid-file={directory}/pid"]
        command += [f"--general-log-file={self.log}", f"--tmpdir={directory}"]
        command += [f"--ssl-cert={directory}/server.crt", f"--ssl-key={directory}/server.key"]
        messages = directory / f"{self.engine}.log"
        self.process = Process(command, directory, messages, signal.SIGKILL, iam.environment())

    @property
    def socket(self) -> str:
        return str(self.directory / "s.sock")

    def wait(self, master: str, password: str, databases: list[str]) -> None:
        """Waits until the server answers, then makes the master user and its databases."""
        self.process.wait_until(lambda: _mariadb(self.socket, "SELECT 1").returncode == 0)
        account = f"{_name(master)}@'%'"
        sql = [
            "SET SESSION sql_log_off = 1",
            f"CREATE USER {account} IDENTIFIED BY {_text(password)}",
            f"GRANT {MASTER_RIGHTS} ON *.* TO {account} WITH GRANT OPTION",
            *self.more_for_the_master(account),
        ]
        sql += [f"CREATE DATABASE {_name(database)}" for database in databases]
        done = _mariadb(self.socket, ";\n".join(sql) + ";\n")
        if done.returncode != 0:
            raise RigError(f"{self.engine} refused the master user: {done.stderr.strip()}")

    def stop(self) -> None:
        self.process.stop()


    # --- What MySQL does in another way ---

    def program(self) -> list[str]:
        return [_program("mariadbd"), "--no-defaults"]

    def options(self) -> list[str]:
        return [*INNODB, f"--plugin-dir={unpacked('plugins/mariadb')}", "--plugin-maturity=experimental"]

    def more_for_the_master(self, account: str) -> list[str]:
        return []

    def template_name(self) -> str:
        return template_name("mariadb", self.program(), SETUP.read_bytes())

    def build(self, work: Path) -> None:
        """mariadb-install-db, and the RDS accounts; as the servers' user."""
        log, data, socket = work / "build.log", work / "data", work / "s.sock"
        install = [_program("mariadb-install-db"), "--no-defaults", f"--datadir={data}", "--skip-test-db"]
        install += ["--auth-root-authentication-method=normal", "--skip-name-resolve", *INNODB]
        run_unprivileged(install, work, log)
        command = [*self.program(), f"--datadir={data}", f"--socket={socket}", "--skip-networking"]
        server = Process([*command, f"--pid-file={work}/pid", *INNODB], work, log, signal.SIGTERM)
        try:
            server.wait_until(lambda: _mariadb(str(socket), "SELECT 1").returncode == 0)
            done = _mariadb(str(socket), SETUP.read_text())
            if done.returncode != 0:
                raise RigError(f"{SETUP.name}: {done.stderr.strip()}")
        finally:
            server.stop()


def template_name(engine: str, program: list[str], setup: bytes) -> str:
    text = subprocess.run([*program, "--version"], capture_output=True, text=True).stdout
    version = re.search(r"Ver ([0-9.]+)", text)
    return f"{engine}-{version.group(1) if version else 'unknown'}-{hashlib.sha256(setup).hexdigest()[:8]}"


def _program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/bin")
    if found is None:
        raise RigError(f"no {name} found: run scripts/install (packages mariadb-server-core, mariadb-client-core)")
    return found


def _mariadb(socket: str, sql: str) -> subprocess.CompletedProcess:
    command = [_program("mariadb"), "--no-defaults", f"--socket={socket}", f"--user={SUPERUSER}"]
    home = Path(socket).parent
    return subprocess.run(command, input=sql, env=environment(home), capture_output=True, text=True, check=False)


def _name(text: str) -> str:
    return "`" + text.replace("`", "``") + "`"


def _text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
