"""The stand-in of SQL Server behind a fake RDS database: `tests/fakes/sqlserver`, on the database's port.

It is no server of ours to unpack, so it runs as this process does, and ends with it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from .processes import Iam, RigError, last_lines

PROGRAM = Path(__file__).resolve().parent.parent / "sqlserver" / "server.py"


class SqlServer:
    engine = "sqlserver"
    superuser = "dba"

    def __init__(self, directory: Path, cache: Path, port: int, certificate: Path, key: Path, iam: Iam) -> None:
        self.directory, self.port, self.log = directory, port, directory / "batches.log"
        self._files = {"certificate": str(certificate), "key": str(key)}
        self._messages = directory / "sqlserver.log"
        directory.mkdir(mode=0o755)
        command = ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-B", str(PROGRAM)]
        with self._messages.open("ab") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output, text=True
            )

    @property
    def socket(self) -> str:
        """Where the stand-in takes orders: the password hook gives it new passwords there."""
        return str(self.directory / "s.sock")

    def wait(self, master: str, password: str, databases: list[str]) -> None:
        wish = {**self._files, "log": str(self.log), "admin": [master, password], "dba": [self.superuser, "Dba-S3cret"]}
        wish |= {"port": self.port, "control": self.socket}
        self.process.stdin.write(json.dumps(wish) + "\n")
        self.process.stdin.flush()
        if not self.process.stdout.readline():
            raise RigError(f"the stand-in of SQL Server did not start: {last_lines(self._messages)}")
        if databases:
            raise RigError("the stand-in of SQL Server has no databases of a wish yet: make them with T-SQL")

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
