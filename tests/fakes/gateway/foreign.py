#!/usr/bin/env python3
"""Lets a client that is not ours judge the stand-in: Schemathesis makes the requests and checks the answers.

    .venv/bin/python tests/fakes/gateway/foreign.py                    what contract.json allows, and much that it does not
    .venv/bin/python tests/fakes/gateway/foreign.py <openapiv3.json>   the examples of Hoop's own document

Every answer must have a documented status, and exactly the documented fields with the documented types. Without a file
there are two rounds: one that roams, and one aimed at what exists, so that each route succeeds at least once. Hoop's
document is not part of this project. Its examples are sent as they are, but for the ids of what must exist.
"""

import contextlib
import copy
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

import contract

HERE = pathlib.Path(__file__).resolve().parent
ADMIN = "Authorization: Bearer hpk_admin_of_the_fake"
CHECKS = "response_schema_conformance,status_code_conformance,content_type_conformance"
# The gateway works it out when it is asked; a body that has it changes nothing.
COMPUTED = "jit_access_duration_sec"
BODIES = ("body.Connection", "body.ConnectionPatch", "body.ResourceRequest", "body.ResourceRoleRequest")


def main():
    """Runs the rounds; ends with an error when one fails or a route never succeeded."""
    facts = json.loads(contract.CONTRACT.read_text())
    if len(sys.argv) > 1:
        with stand_in() as gateway:
            document = with_examples(facts, sys.argv[1], gateway)
            run("documented", gateway, document, "--phases", "examples")
            compare(gateway, document)
        return
    with stand_in() as gateway:
        run("everything", gateway, facts, "--phases", "coverage,fuzzing", "--max-examples", "5")
    with stand_in() as gateway:
        run("aimed", gateway, aimed(facts, gateway), "--phases", "fuzzing", "--mode", "positive", "--max-examples", "25")
        if missing := routes(facts) - succeeded(gateway, facts):
            sys.exit(f"no request of these routes succeeded: {', '.join(sorted(missing))}")


@contextlib.contextmanager
def stand_in():
    """A fresh stand-in."""
    command = [sys.executable, "-B", str(HERE / "server.py"), "--agent", "lab:CONNECTED", "--until-stdin-closes"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        gateway = Stand(json.loads(process.stdout.readline())["url"])
        yield gateway
        process.stdin.close()


class Stand:
    """A running stand-in with what the rounds aim at."""

    def __init__(self, url):
        self.url = url
        self.agent = self.ask("GET", "/api/agents/lab")["id"]
        self.ask("PUT", "/rig/toggles", {"access_control": True})
        self.kept, self.spare = self.make("kept-connection"), self.make("linked-connection")
        self.make("spare-connection")
        self.ask("POST", "/api/agents", {"name": "spare-agent"})
        for identifier in (self.kept, self.spare):
            self.ask("PUT", f"/api/plugins/access_control/conn/{identifier}", {"config": ["dba"]})
        for method in ("get", "put", "delete"):
            self.ask("POST", "/api/resources", {"name": f"resource-to-{method}", "type": "database", "env_vars": {}})
        self.ask("DELETE", "/rig/log")

    def make(self, name):
        """A connection, by its id."""
        modes = ("access_mode_runbooks", "access_mode_exec", "access_mode_connect", "access_schema")
        body = {"name": name, "type": "database", "subtype": "postgres", "agent_id": self.agent,
                "connection_tags": {"env": "prod"}, **dict.fromkeys(modes, "enabled")}
        return self.ask("POST", "/api/connections", body)["id"]

    def path_value(self, path, method, name):
        """What the routes aim at. What one route deletes or renames is not what the others read."""
        deleted = method == "delete"
        values = {"/agents/{nameOrID}": ("lab", "spare-agent"), "/connections/{nameOrID}": (self.kept, "spare-connection"),
                  "/resources/{name}": (f"resource-to-{method}",) * 2, "/plugins/{name}": ("slack", "slack"),
                  "/plugins/{name}/conn/{id}": {"name": ("access_control", "access_control"),
                                                "id": (self.kept, self.spare)}.get(name)}
        return values[path][deleted]

    def ask(self, method, path, body=None):
        """The answer to a request of our own."""
        headers = {"Content-Type": "application/json", **dict([ADMIN.split(": ")])}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read() or b"null")


def run(title, gateway, document, *options):
    """One run of Schemathesis, which must find nothing."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "contract.json"
        file.write_text(json.dumps(document))
        command = [sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "run", str(file),
                   "--url", f"{gateway.url}/api", "--header", ADMIN, "--checks", CHECKS, "--seed", "1", "--no-color", "--warnings", "off",
                   "--suppress-health-check", "all", *options]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{title}:\n{done.stdout[-6000:]}{done.stderr[-2000:]}")
    print(title, next(line.strip() for line in done.stdout.splitlines() if "generated" in line))


def aimed(facts, gateway):
    """The contract with values of what exists, and names and types that the gateway's validation lets pass."""
    document = copy.deepcopy(facts)
    name, nothing = {"pattern": "^[a-z]{4,12}$"}, {"maxItems": 0}
    limits = {"agent_id": {"enum": [gateway.agent]}, "name": name, "type": {"enum": ["database", "custom"]},
              "resource_name": name, "guardrail_rules": nothing, "tags": nothing, "connection_tags": {"maxProperties": 0},
              "min_review_approvals": {"minimum": 1}}
    limits_of = dict.fromkeys(BODIES, limits)
    limits_of["body.AgentRequest"] = {"name": name}
    limits_of["body.Plugin"] = {"name": {"enum": ["slack", "webhooks", "indexer"]}}
    limits_of["body.PluginResourceConnection"] = {"id": {"enum": [gateway.kept]}}
    for schema, narrower in limits_of.items():
        fields = document["components"]["schemas"][schema]["properties"]
        fields.update({field: {**fields[field], **limit} for field, limit in narrower.items() if field in fields})
    for path, method, parameter in _path_parameters(document):
        parameter["schema"] = {"type": "string", "enum": [gateway.path_value(path, method, parameter["name"])]}
    return document


def _path_parameters(document):
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield from ((path, method, p) for p in operation["parameters"] if p["in"] == "path")


def with_examples(facts, file, gateway):
    """The contract with the examples of Hoop's own document, which must be the one that it was derived from."""
    raw = pathlib.Path(file).read_bytes()
    if (sha256 := hashlib.sha256(raw).hexdigest()) != facts["info"]["x-sha256-of-source"]:
        sys.exit(f"{file} is not the document of {contract.CONTRACT.name}: its sha256 is {sha256}")
    source = json.loads(raw)["components"]["schemas"]
    document = copy.deepcopy(facts)
    for name, schema in document["components"]["schemas"].items():
        documented = source.get(f"openapi.{name.split('.', 1)[1]}", {}).get("properties", {})
        for field, fact in schema["properties"].items() if name.startswith("body.") else ():
            if "example" in documented.get(field, {}):
                fact["example"] = documented[field]["example"]
    connection = document["components"]["schemas"]["body.Connection"]["properties"]
    for rule in connection["guardrail_rules"]["example"]:
        gateway.ask("POST", "/rig/guardrails", {"id": rule})
    for schema in BODIES:
        document["components"]["schemas"][schema]["properties"].get("agent_id", {})["example"] = gateway.agent
    document["components"]["schemas"]["body.PluginResourceConnection"]["properties"]["id"]["example"] = gateway.kept
    for path, method, parameter in _path_parameters(document):
        parameter["example"] = gateway.path_value(path, method, parameter["name"])
    return document


def compare(gateway, document):
    """The connection that the documented example asks for must be there, as documented."""
    asked = {field: fact["example"] for field, fact in
             document["components"]["schemas"]["body.Connection"]["properties"].items()
             if "example" in fact and field != COMPUTED}
    stored = next((c for c in gateway.ask("GET", "/rig/connections") if c["name"] == asked["name"]), {})
    wrong = [field for field, value in asked.items() if _plain(stored.get(field)) != _plain(value)]
    if wrong:
        sys.exit(f"the documented connection is not stored as documented: {', '.join(wrong)}")


def _plain(value):
    """Lists are sets to the gateway, and ids do not mind the case."""
    return sorted(str(v).lower() for v in value) if isinstance(value, list) else value


def routes(facts):
    """Every route of the contract. A round that only collects refusals proves nothing, so each must succeed once."""
    return {f"{method.upper()} {path}" for path, methods in facts["paths"].items() for method in methods}


def succeeded(gateway, facts):
    """The routes that answered with a success."""
    patterns = {path: path.split("/") for path in facts["paths"]}
    found = set()
    for call in gateway.ask("GET", "/rig/log"):
        parts = call["path"].removeprefix("/api").split("/")
        for path, pattern in patterns.items():
            fits = len(parts) == len(pattern) and all(a == b or b.startswith("{") for a, b in zip(parts, pattern))
            if fits and call["status"] < 300:
                found.add(f"{call['method']} {path}")
    return found


if __name__ == "__main__":
    main()
