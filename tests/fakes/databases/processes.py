"""Starting and stopping server processes: unprivileged, never outliving us, on free ports, from cached templates."""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
# PostgreSQL refuses to run as root; so does good sense for any server.
UNPRIVILEGED = "nobody"


class RigError(Exception):
    """A sentence for the person who ran the tests: what is missing or went wrong, and where to look."""


def run_as() -> str:
    """The user that servers run as: ourselves, or `nobody` when we are root."""
    return UNPRIVILEGED if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name


def give(path: Path) -> None:
    """Hands a file or tree to the user that the servers run as."""
    if os.getuid() == 0:
        subprocess.run(["chown", "-R", f"{UNPRIVILEGED}:", str(path)], check=True)


def privileges(death_signal: str) -> list[str]:
    """The command prefix that drops privileges, and ends the server with `death_signal` when this process dies."""
    prefix = ["setpriv", "--pdeathsig", death_signal]
    if os.getuid() == 0:
        entry = pwd.getpwnam(UNPRIVILEGED)
        prefix += [f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]
    return prefix + ["--"]


def run_unprivileged(command: list[str], home: Path, log: Path) -> None:
    """Runs a command to its end as the servers' user; what it says goes to `log`."""
    with log.open("ab") as output:
        done = subprocess.run(
            privileges("KILL") + command, cwd=home, env=environment(home), stdout=output, stderr=output, check=False
        )
    if done.returncode != 0:
        raise RigError(f"{command[0]} failed with {done.returncode}: {last_lines(log)}")


def environment(home: Path) -> dict:
    """What a server inherits: a path and a home of its own, none of the user's settings."""
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "LC_ALL": "C"}


def free_port() -> int:
    """A port that the kernel gives to nobody else for a minute, though a server may listen on it.

    A connection that our side closed first leaves the port in TIME_WAIT: later `bind(0)` calls pass it over, and a
    server with SO_REUSEADDR (all of ours) can still take it.
    """
    with socket.socket() as listener, socket.socket() as client:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        client.connect(listener.getsockname())
        accepted, _ = listener.accept()
        accepted.close()
        return listener.getsockname()[1]


@dataclass(frozen=True)
class Iam:
    """Where tokens are checked (iam_server.py), and as which database a server asks there."""

    database: str
    ldap: int
    lines: int

    def environment(self) -> dict:
        """What the plugin of MariaDB and MySQL reads."""
        return {"RDSACCESS_IAM_PORT": str(self.lines), "RDSACCESS_IAM_DATABASE": self.database}


def unpacked(name: str) -> Path:
    """A folder that scripts/servers made, as a path that the servers' user can follow."""
    folder = REPOSITORY / ".servers" / name
    if not folder.exists():
        raise RigError(f"there is no {folder}: run scripts/install")
    return folder.resolve()


class Process:
    """A server that we started. It must be started from the main thread: the kernel ends it with that thread."""

    def __init__(
        self, command: list[str], home: Path, log: Path, stop_signal: signal.Signals, more: dict | None = None
    ) -> None:
        self.log = log
        self._stop_signal = stop_signal
        name = stop_signal.name.removeprefix("SIG")
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                privileges(name) + command,
                cwd=home,
                env=environment(home) | (more or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._child.pid

    def wait_until(self, ready: Callable[[], bool], seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not ready():
            if self._child.poll() is not None:
                raise RigError(f"the server ended with {self._child.returncode}: {last_lines(self.log)}")
            if time.monotonic() > end:
                raise RigError(f"the server did not answer within {seconds} s: {last_lines(self.log)}")
            time.sleep(0.02)

    def stop(self) -> None:
        if self._child.poll() is None:
            self._child.send_signal(self._stop_signal)
            try:
                self._child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()


def from_template(cache: Path, name: str, destination: Path, build: Callable[[Path], None]) -> None:
    """Copies the data directory `name` from the cache; the first caller builds it (others wait for it)."""
    cache.mkdir(parents=True, exist_ok=True)
    template = cache / f"{name}-{run_as()}"
    with template.with_name(template.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.exists():
            _build_template(template, build)
    subprocess.run(["cp", "-a", str(template), str(destination)], check=True)


def _build_template(template: Path, build: Callable[[Path], None]) -> None:
    """Builds outside the cache: the repository may lie where the servers' user can not go."""
    with tempfile.TemporaryDirectory(prefix="rdsaccess-template-") as scratch:
        home = Path(scratch)
        home.chmod(0o755)
        work = home / "work"
        work.mkdir()
        give(work)
        build(work)
        unfinished = template.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        subprocess.run(["cp", "-a", str(work / "data"), str(unfinished)], check=True)
        unfinished.rename(template)


def last_lines(log: Path, count: int = 12) -> str:
    try:
        return " | ".join(log.read_text(errors="replace").strip().splitlines()[-count:])
    except OSError as error:
        return str(error)
