"""The main job from end to end on this machine: `make demo` runs it.

Starts a fake AWS with an organization, real PostgreSQL and MariaDB servers with TLS behind its endpoints and a stand-in
for the access gateway, then runs init, plan, apply, a second plan and destroy of `examples/organization` with
the real client. In between it opens every connection as the gateway's agent would, which runs in an account of its own and
has nothing but what the connection holds, and prints what the role may do and what it may not.
"""

import base64
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
FAKES = ROOT / "tests" / "fakes"
SCENARIO = ROOT / "examples" / "organization"
MODULE = ROOT / "examples" / "modules" / "aws-connect"
GATEWAY_KEY = "hpk_demo"
AGENT = "demo-agent"
# Where the agent runs: the account of no database, and a region of its own.
AGENT_ACCOUNT, AGENT_REGION = "shared-services", "eu-central-1"
DATABASES = [
    ("payments-prod", "us-east-1", "ledger", "postgres"),
    ("payments-eu", "eu-west-1", "orders", "mariadb"),
    # Namesakes in another account and in another region.
    ("orders-eu", "eu-west-1", "orders", "postgres"),
    ("orders-eu", "us-east-1", "orders", "mariadb"),
]
BEGIN = time.monotonic()


def say(text):
    print(f"[{time.monotonic() - BEGIN:5.1f}s] {text}", flush=True)


def first_of(programs):
    for program in programs:
        if shutil.which(program):
            return program
    sys.exit(f"demo: none of {', '.join(programs)} is installed; run scripts/install")


class Service:
    """A program that prints one line of JSON when it is up and ends with its standard input."""

    def __init__(self, command, wish=None):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if wish is not None:
            self.process.stdin.write(json.dumps(wish) + "\n")
            self.process.stdin.flush()
        line = self.process.stdout.readline()
        self.made = json.loads(line) if line else {"error": f"{command[1]} printed nothing"}
        if "error" in self.made:
            sys.exit(f"demo: {self.made['error']}")

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            self.process.wait()


class Terraform:
    """The client in a directory of its own, in a mount namespace where the databases' names resolve."""

    def __init__(self, folder, rig, gateway):
        self.folder, self.hosts = folder / "organization", rig["hosts_file"]
        self.program = first_of(["terraform", "tofu"])
        shutil.copytree(SCENARIO, self.folder)
        shutil.copytree(MODULE, folder / "modules" / "aws-connect")
        endpoints = "\n".join(
            f'    {name} = "{rig["endpoint"]}"' for name in ["rds", "ec2", "sts", "organizations", "secretsmanager"]
        )
        (self.folder / "demo_override.tf").write_text(
            "# Points the example at the servers of this demo.\n"
            'provider "rdsaccess" {\n'
            f"  endpoints = {{\n{endpoints}\n  }}\n"
            f'  tls = {{ ca_bundle = file("{rig["ca_file"]}") }}\n'
            "}\n"
        )
        # An installation from a local mirror, so that `init` runs as it does for everybody and nothing is downloaded.
        (folder / "tfrc").write_text(f'provider_installation {{\n  filesystem_mirror {{ path = "{folder}/mirror" }}\n}}\n')
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TF_CLI_CONFIG_FILE": str(folder / "tfrc"),
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
            "TF_VAR_gateway_url": gateway["url"],
            "TF_VAR_agent_name": AGENT,
            "TF_VAR_agent_account_id": rig["organization"]["accounts"][AGENT_ACCOUNT]["id"],
            "TF_VAR_agent_region": AGENT_REGION,
            "HOOP_APIKEY": GATEWAY_KEY,
            "AWS_ACCESS_KEY_ID": rig["access_key"],
            "AWS_SECRET_ACCESS_KEY": rig["secret_key"],
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def install(self):
        """Puts the built provider where `init` looks for it."""
        self.run("get")
        providers = self.run("providers").stdout
        address = re.search(r"provider\[(\S+)/rdsaccess/rdsaccess\]", providers)
        version = re.search(r'^version = "(.+)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
        machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
        place = self.folder.parent / "mirror" / address[1] / "rdsaccess" / "rdsaccess" / version / f"{os.uname().sysname.lower()}_{machine}"
        place.mkdir(parents=True)
        binary = ROOT / "target" / "debug" / "terraform-provider-rdsaccess"
        (place / f"terraform-provider-rdsaccess_v{version}").symlink_to(binary)

    def inside(self, command, **more):
        mount = 'mount --bind "$0" /etc/hosts && exec "$@"'
        unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
        return subprocess.run(
            [*unshare, "sh", "-c", mount, self.hosts, *command],
            env={**self.environment, **more}, cwd=self.folder, text=True, capture_output=True,
        )

    def run(self, *arguments, codes=(0,)):
        done = self.inside([self.program, *arguments])
        if done.returncode not in codes:
            sys.exit(f"demo: {self.program} {' '.join(arguments)} failed\n{done.stdout}\n{done.stderr}")
        return done


def query(terraform, rig, role, password, sql):
    """Runs SQL as a role, over verified TLS; None when it went well, else the server's words."""
    if role["engine"] == "postgres":
        url = f"host={role['endpoint']} port={role['port']} user={role['username']} dbname=shop sslmode=verify-full sslrootcert={rig['ca_file']}"
        done = terraform.inside(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql, url], PGPASSWORD=password)
    else:
        done = terraform.inside(
            ["mariadb", "--no-defaults", f"--host={role['endpoint']}", f"--port={role['port']}", f"--user={role['username']}",
             f"--ssl-ca={rig['ca_file']}", "--ssl-verify-server-cert", "shop", "-e", sql],
            MYSQL_PWD=password,
        )
    return None if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


# What each level may do beyond the one before it.
PROOFS = [
    ("read", "SELECT * FROM orders", {"read_only", "read_write", "ddl"}),
    ("write", "INSERT INTO orders VALUES ({number}, 'demo')", {"read_write", "ddl"}),
    ("create", "CREATE TABLE demo_{number} (id int)", {"ddl"}),
]


def prove(terraform, rig, number, role, password):
    """Tries everything as the role. Returns what it may, what it may not; a surprise ends the demo."""
    may, may_not = [], []
    for offset, (word, sql, levels) in enumerate(PROOFS):
        refusal = query(terraform, rig, role, password, sql.format(number=100 * number + offset))
        expected = role["access"] in levels
        if (refusal is None) != expected:
            sys.exit(f"demo: {role['username']} on {role['endpoint']}: {word} should {'' if expected else 'not '}work: {refusal}")
        (may if expected else may_not).append(word)
    return ", ".join(may), ", ".join(may_not)


def agent(rig, url):
    """What the gateway's agent does with a connection: reads the secret that it names, in its own account and region."""
    import boto3

    def client(service, **keys):
        return boto3.client(service, endpoint_url=rig["endpoint"], region_name=AGENT_REGION, **keys)

    account = rig["organization"]["accounts"][AGENT_ACCOUNT]["id"]
    role = f"arn:aws:iam::{account}:role/{rig['organization']['member_role']}"
    sts = client("sts", aws_access_key_id=rig["access_key"], aws_secret_access_key=rig["secret_key"])
    keys = sts.assume_role(RoleArn=role, RoleSessionName="agent")["Credentials"]
    manager = client(
        "secretsmanager",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    with urllib.request.urlopen(f"{url}/rig/connections", timeout=10) as answer:
        stored = {connection["name"]: connection["secret"] for connection in json.load(answer)}

    def password(connection):
        reference = base64.b64decode(stored[connection]["envvar:PASS"]).decode()
        notation, name, key = reference.split(":")
        if notation != "_aws":
            sys.exit(f"demo: {connection} holds {notation} instead of a reference")
        return json.loads(manager.get_secret_value(SecretId=name)["SecretString"])[key]

    return password


def with_groups(url):
    """Turns on the gateway's plugin that lets groups in, as its administrators do once."""
    headers = {"Authorization": f"Bearer {GATEWAY_KEY}"}
    body = json.dumps({"access_control": True}).encode()
    request = urllib.request.Request(f"{url}/rig/toggles", data=body, method="PUT", headers=headers)
    urllib.request.urlopen(request, timeout=10).close()


def fill(rig):
    """A table with rows in every database, made by the master user as an application would."""
    for database in rig["databases"]:
        table = "CREATE TABLE orders (id int PRIMARY KEY, note varchar(40))"
        row = "INSERT INTO orders VALUES (1, 'first')"
        if database["server"] == "postgres":
            owner = f'ALTER TABLE orders OWNER TO "{database["master_username"]}"'
            command = ["psql", "-X", "-q", "-h", database["socket"], "-p", str(database["port"]), "-U", database["superuser"],
                       "-d", "shop", "-c", f"{table}; {row}; {owner}"]
        else:
            command = ["mariadb", "--no-defaults", "-S", database["socket"], "-u", database["superuser"], "shop", "-e", f"{table}; {row}"]
        subprocess.run(command, check=True)


def main():
    say("starting the fake AWS, four real databases and the gateway's stand-in")
    wish = {
        "databases": [
            {"account": account, "region": region, "identifier": identifier, "engine": engine,
             "databases": ["shop"], "tags": {"access": "managed"}}
            for account, region, identifier, engine in DATABASES
        ]
    }
    rig = Service([sys.executable, str(FAKES / "rig.py")], wish)
    gateway = Service([sys.executable, str(FAKES / "gateway" / "server.py"), "--port", "0", "--agent", f"{AGENT}:CONNECTED",
                       "--key", GATEWAY_KEY, "--until-stdin-closes"])
    with_groups(gateway.made["url"])
    folder = pathlib.Path(tempfile.mkdtemp(prefix="rdsaccess-demo-"))
    try:
        fill(rig.made)
        terraform = Terraform(folder, rig.made, gateway.made)
        terraform.install()
        say(f"{terraform.program} init")
        terraform.run("init")
        say(f"{terraform.program} plan")
        plan = terraform.run("plan", "-no-color", "-out", "demo.plan").stdout
        say("  " + next(line for line in plan.splitlines() if line.startswith("Plan:")))
        say(f"{terraform.program} apply")
        applied = terraform.run("apply", "-no-color", "demo.plan").stdout
        say("  " + next(line for line in applied.splitlines() if line.startswith("Apply complete!")))
        roles = json.loads(terraform.run("output", "-json", "roles").stdout)
        say(f"opening every connection as the agent in {AGENT_ACCOUNT}, {AGENT_REGION}")
        print_table(terraform, rig.made, roles, agent(rig.made, gateway.made["url"]))
        say(f"{terraform.program} plan, a second time")
        again = terraform.run("plan", "-detailed-exitcode", "-no-color", codes=(0, 2))
        if again.returncode != 0:
            sys.exit(f"demo: the second plan is not empty\n{again.stdout}")
        say("  no changes")
        say(f"{terraform.program} destroy")
        destroyed = terraform.run("destroy", "-auto-approve", "-no-color").stdout
        say("  " + next(line for line in destroyed.splitlines() if line.startswith("Destroy complete!")))
    finally:
        gateway.stop()
        rig.stop()
        shutil.rmtree(folder, ignore_errors=True)
    say("done")


def where(arn):
    _, _, _, region, account, _, identifier = arn.split(":")
    return f"{account} {region} {identifier}"


def print_table(terraform, rig, roles, password):
    rows = [("database", "role", "may (proved)", "may not (proved)", "connection in the gateway")]
    logins = [(arn, role) for arn, levels in sorted(roles.items()) for _, role in sorted(levels.items())]
    for number, (arn, role) in enumerate(logins, start=1):
        may, may_not = prove(terraform, rig, number, role, password(role["connection"]))
        rows.append((f"{where(arn)} ({role['engine']})", role["username"], may, may_not or "-", role["connection"]))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


if __name__ == "__main__":
    main()
