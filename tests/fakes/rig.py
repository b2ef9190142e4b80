"""The whole rig: the fake AWS, an organization, real database servers with TLS, and a hosts file for their names.

usage:  .venv/bin/python tests/fakes/rig.py        (`make demo` and the Rust tests start it like this)

Reads one line of JSON from standard input, prints one line of JSON when everything is up, and runs until standard
input is closed or SIGTERM comes; then it stops, by pid, exactly what it started, and removes its directory. A line
`keep` on standard input leaves the directory with all logs.

The wish, all parts optional:
  {"external_id": "…", "home_region": "us-gov-west-1", "cache": "target/rig",
   "vault": true,            the stand-in for Vault, with TLS under the name localhost
   "databases": [
     {"account": "payments-eu", "region": "eu-west-1", "identifier": "orders", "engine": "postgres",
      "kind": "instance", "databases": ["shop"], "master_username": "admin1", "master_password": "…",
      "tags": {},
      "iam": false,         true: it takes tokens of IAM authentication; ModifyDBInstance turns that on and off, too
      "program": "mysql",   mysql, aurora-mysql: a real MySQL behind it; MariaDB, which starts faster, when left out
      "server": true,       false: the database exists in the fake AWS only, its port is closed
      "server_of": 0,       the server of the database with this number, made before, answers here too: many databases
                            of AWS on a few servers; its port and master are the server's
      "in_aws": true}]}     false: the server and its names exist, but somebody else will create the database

Host names resolve only where the hosts file is mounted over /etc/hosts:
  unshare -m sh -c 'mount --bind "$0" /etc/hosts && exec "$@"' HOSTS_FILE terraform plan        (not root: unshare -rm)
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

FAKES = Path(__file__).resolve().parent
REPOSITORY = FAKES.parent.parent
for variable in [name for name in os.environ if name.startswith(("AWS_", "PG", "MYSQL_"))]:
    del os.environ[variable]

from aws.endpoints import cluster_host, instance_host  # noqa: E402
from aws.seed import ACCOUNTS, HOME_REGION, HUB_KEY, MANAGEMENT_ACCOUNT, Seeder  # noqa: E402
from databases.certificates import Authority  # noqa: E402
from databases.iam_server import serve  # noqa: E402
from databases.mariadb import MariaDb  # noqa: E402
from databases.mysql import MySql  # noqa: E402
from databases.postgres import Postgres  # noqa: E402
from databases.processes import Iam, RigError, free_port  # noqa: E402
from databases.sqlserver import SqlServer  # noqa: E402

SERVERS = {
    "postgres": Postgres,
    "aurora-postgresql": Postgres,
    "mysql": MariaDb,
    "mariadb": MariaDb,
    "aurora-mysql": MariaDb,
    "sqlserver-ex": SqlServer,
}
# How the password hook talks to a server.
HOOKS = {"postgres": "postgres", "sqlserver": "sqlserver"}


class Rig:
    """Everything that was started, in order, so that it can be stopped in the reverse order."""

    def __init__(self, wish: dict) -> None:
        self.wish = wish
        self.directory = Path(tempfile.mkdtemp(prefix="rdsaccess-rig-"))
        self.directory.chmod(0o755)
        self.keep = False
        self._stops: list = []

    def start(self) -> dict:
        launcher = self._start_launcher()
        url = f"http://127.0.0.1:{launcher['port']}"
        home_region = self.wish.get("home_region") or HOME_REGION
        seeder = Seeder(url, external_id=self.wish.get("external_id"), home_region=home_region)
        organization = seeder.organization()
        authority = Authority(self.directory)
        wishes = [self._complete(wish, seeder) for wish in self.wish.get("databases", [])]
        for wish in wishes:
            self._share_server(wish, wishes)
        self._serve_tokens(url, wishes)
        for number, wish in enumerate(wishes):
            if "server_of" in wish:
                wish["running"] = wishes[wish["server_of"]]["running"]
            else:
                wish["running"] = self._start_server(wish, number, authority) if wish["server"] else None
        for wish in wishes:
            if wish["running"] and "server_of" not in wish:
                wish["running"].wait(wish["master_username"], wish["master_password"], wish["databases"])
        self._register(url, wishes)
        databases = [self._made(wish, seeder) for wish in wishes]
        hosts = self._write_hosts(wishes)
        _delete(f"{url}/rig/log")
        return {
            "directory": str(self.directory),
            "endpoint": url,
            "launcher_pid": launcher["pid"],
            "region": home_region,
            "access_key": HUB_KEY["aws_access_key_id"],
            "secret_key": HUB_KEY["aws_secret_access_key"],
            "management_account": MANAGEMENT_ACCOUNT,
            "organization": organization,
            "networks": seeder.networks,
            "databases": databases,
            "hosts_file": str(hosts),
            "ca_file": str(authority.ca_file),
            "iam_log": str(self.directory / "iam.log"),
            "vault": self._start_vault(authority) if self.wish.get("vault") else None,
        }

    def stop(self) -> None:
        for stop in reversed(self._stops):
            stop()
        self._stops.clear()
        if self.keep:
            sys.stderr.write(f"rig: logs and data are kept in {self.directory}\n")
        else:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _start_launcher(self) -> dict:
        log = (self.directory / "launcher.log").open("ab")
        process = subprocess.Popen(
            [sys.executable, "-m", "aws.launcher", "0", "--with-parent"],
            cwd=FAKES,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )

        def stop() -> None:
            process.stdin.close()
            process.wait(timeout=10)

        self._stops.append(stop)
        line = process.stdout.readline()
        if not line:
            raise RigError(f"the fake AWS did not start, see {log.name}; is moto installed? run scripts/install")
        return json.loads(line)

    def _start_vault(self, authority: Authority) -> dict:
        certificate, key = authority.issue("vault", ["localhost"])
        command = [sys.executable, "-B", str(FAKES / "vault" / "server.py"), "--until-stdin-closes"]
        command += ["--host", "localhost", "--cert", str(certificate), "--key-file", str(key)]
        requests = self.directory / "vault-requests.log"
        requests.touch()
        command += ["--log-file", str(requests)]
        log = (self.directory / "vault.log").open("ab")
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)

        def stop() -> None:
            process.stdin.close()
            process.wait(timeout=10)

        self._stops.append(stop)
        line = process.stdout.readline()
        if not line:
            raise RigError(f"the stand-in for Vault did not start, see {log.name}")
        made = json.loads(line)
        return {"address": made["url"], "token": made["token"], "ca_file": str(authority.ca_file),
                "log": str(requests)}

    def _complete(self, wish: dict, seeder: Seeder) -> dict:
        """The wish with its defaults, host names and port."""
        defaults = {"kind": "instance", "server": True, "in_aws": True, "databases": [], "tags": {}}
        defaults |= {"master_username": "admin1", "master_password": "Initial-Passw0rd", "port": free_port()}
        whole = {**defaults, **wish}
        place = (seeder.account_ids[whole["account"]], whole["region"])
        name = whole["identifier"]
        if whole["kind"] == "cluster":
            members = [f"{name}-{number}" for number in (1, 2)]
            hosts = [cluster_host(*place, name), cluster_host(*place, name, reader=True)]
            hosts += [instance_host(*place, member) for member in members]
        else:
            hosts = [instance_host(*place, name)]
        return {**whole, "account_id": place[0], "hosts": hosts}

    def _share_server(self, wish: dict, wishes: list[dict]) -> None:
        """Lets the server of another database answer to the names of this one, and hold its databases."""
        if "server_of" not in wish:
            return
        host = wishes[wish["server_of"]]
        host["names"] = [*host.get("names", host["hosts"]), *wish["hosts"]]
        host["databases"] = [*host["databases"], *wish["databases"]]
        for key in ("port", "master_username", "master_password"):
            wish[key] = host[key]

    def _serve_tokens(self, url: str, wishes: list[dict]) -> None:
        """Checks the tokens that the servers are shown. A database's name there is its endpoint."""
        databases = {}
        for wish in wishes:
            place = {"account": wish["account_id"], "region": wish["region"]}
            ask = urlencode(place | {"kind": wish["kind"], "identifier": wish["identifier"]})
            databases[wish["hosts"][0]] = {"hosts": wish["hosts"], "port": wish["port"], "ask": ask, **place}
        configuration = self.directory / "iam.json"
        configuration.write_text(json.dumps({"databases": databases, "launcher": url}))
        self._token_ports = serve(configuration, (self.directory / "iam.log").open("w"))

    def _start_server(self, wish: dict, number: int, authority: Authority) -> Postgres | MariaDb:
        kind = MySql if wish.get("program") == "mysql" else SERVERS[wish["engine"]]
        iam = Iam(wish["hosts"][0], **self._token_ports)
        name = f"{number}-{wish['identifier']}"
        certificate, key = authority.issue(name, wish.get("names", wish["hosts"]))
        cache = Path(self.wish.get("cache") or REPOSITORY / "target" / "rig")
        server = kind(self.directory / name, cache, wish["port"], certificate, key, iam)
        self._stops.append(server.stop)
        return server

    def _register(self, url: str, wishes: list[dict]) -> None:
        """Tells the password hook which server stands behind which database."""
        entries = [
            {
                "account": wish["account_id"],
                "region": wish["region"],
                "kind": wish["kind"],
                "identifier": wish["identifier"],
                "engine": HOOKS.get(wish["running"].engine, "mariadb"),
                "socket": wish["running"].socket,
                "port": wish["port"],
                "superuser": wish["running"].superuser,
            }
            for wish in wishes
            if wish["running"]
        ]
        body = json.dumps(entries).encode()
        request = urllib.request.Request(f"{url}/rig/databases", data=body, method="PUT")
        urllib.request.urlopen(request, timeout=10).close()

    def _made(self, wish: dict, seeder: Seeder) -> dict:
        made = seeder.database(wish) if wish["in_aws"] else {}
        server = wish["running"]
        return {
            "endpoint": wish["hosts"][0],
            **{key: wish[key] for key in ("account", "account_id", "region", "identifier", "kind", "engine", "port")},
            **{key: wish[key] for key in ("master_username", "master_password", "hosts")},
            **made,
            "server": server.engine if server else None,
            "socket": server.socket if server else None,
            "superuser": server.superuser if server else None,
            "log": str(server.log) if server else None,
            "pid": server.process.pid if server else None,
        }

    def _write_hosts(self, wishes: list[dict]) -> Path:
        lines = ["127.0.0.1 localhost", "::1 localhost", f"127.0.0.1 {socket.gethostname()}"]
        lines += [f"127.0.0.1 {host}" for wish in wishes for host in wish["hosts"]]
        path = self.directory / "hosts"
        path.write_text("\n".join(lines) + "\n")
        return path


def _delete(url: str) -> None:
    urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=10).close()


def _terminate(*_: object) -> None:
    raise SystemExit(0)


def main() -> int:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _terminate)
    try:
        wish = json.loads(sys.stdin.readline() or "{}")
        _check(wish)
    except (ValueError, KeyError, RigError) as error:
        return _report(error)
    rig = Rig(wish)
    try:
        print(json.dumps(rig.start()), flush=True)
        for line in sys.stdin:
            if line.strip() == "keep":
                rig.keep = True
        return 0
    except (RigError, OSError, KeyError, subprocess.SubprocessError) as error:
        rig.keep = True
        return _report(error)
    finally:
        rig.stop()


def _check(wish: dict) -> None:
    """Refuses a wish that can not be met before anything is started."""
    for database in wish.get("databases", []):
        if database["account"] not in ACCOUNTS:
            raise RigError(f"no account {database['account']}: only {', '.join(sorted(ACCOUNTS))}")
        if database.get("kind", "instance") not in ("instance", "cluster"):
            raise RigError(f"no kind {database['kind']}: only instance, cluster")
        if database.get("program", "mysql") != "mysql" or ("program" in database and "mysql" not in database["engine"]):
            raise RigError(f"no program {database['program']} for {database['engine']}: only mysql, for mysql")
        if database.get("server", True) and database["engine"] not in SERVERS:
            raise RigError(f"no server for engine {database['engine']}: only {', '.join(sorted(SERVERS))}")
    databases = wish.get("databases", [])
    for number, database in enumerate(databases):
        host = database.get("server_of")
        if host is not None and not (0 <= host < number and "server_of" not in databases[host]):
            raise RigError(f"server_of of {database['identifier']} does not name a database with a server before it")


def _report(error: Exception) -> int:
    print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
