#!/usr/bin/env python3
"""A stand-in for the HTTP API of the Hoop gateway, for tests and the demo. Python 3.11 or later, nothing else needed.

    python3 tests/fakes/gateway/server.py --port 0 --agent lab:CONNECTED

It binds 127.0.0.1 only and prints one line of JSON with `port`, `url` and `org_id`. The rules for names, tags, defaults,
full replacement on PUT, hide_role_info and the statuses are those of the gateway at hoophq/hoop e939597d (2026-08-21),
written from a reading of that source; they live in rules.py and store.py.

What it is not: there is no PostgreSQL behind it (constraint errors are imitated), no agent, no session, no review, no
licence, one organisation, and only these routes: healthz, publicserverinfo, userinfo, connections, connection-tags,
resources, agents, plugins with their per-connection configuration, orgs/hide-role-info. A JWT is any token that was
registered; nothing expires by itself.

Routes below /rig/ steer it and need no key:
    POST   /rig/faults       {"method": "GET", "path": "/api/connections/*", "n": 1, "status": 503, "body": "…",
                              "headers": {…}, "delay": 0.5, "drop": true, "when": "before" | "after"}
    DELETE /rig/faults       forget them
    GET    /rig/log          every API request with its body and the status of the answer; DELETE empties it
    GET    /rig/connections  the stored connections, secrets included
    PATCH  /rig/connections/<name>  overwrites stored fields: a hand or another program changed something
    PUT    /rig/resources/<name>    {"envs": {…}} secrets of a resource
    PUT    /rig/toggles      {"hide_role_info": true, "access_control": true}
    POST   /rig/agents, /rig/guardrails {"id"}, /rig/attributes {"name", "managed_by", "rulepack"},
           /rig/tokens {"token", "groups", "next"}: the first answer to a token with `next` gives that one in the header
           X-New-Access-Token, and only the next is known from then on
"""

import argparse
import fnmatch
import inspect
import json
import os
import ssl
import sys
import threading
import time
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import rules
from rules import Refusal
from store import Store

PLUGINS = ("audit", "access_control", "dlp", "indexer", "review", "runbooks", "slack", "webhooks")
DROP = object()


class Gateway(ThreadingHTTPServer):
    """The server with its state."""

    daemon_threads = True

    def __init__(self, options):
        super().__init__(("127.0.0.1", options.port), Handler)
        self.prefix = options.prefix.rstrip("/")
        self.store = Store(options.org)
        self.successors = {}
        self.tokens = {options.key: ["admin"], options.reader_key: ["developers"]}
        self.legacy_key = options.legacy_key or f"{options.org}|legacy-key"
        self.faults = []
        self.log = []
        for text in options.agent:
            name, _, status = text.partition(":")
            self.store.add_agent(name, status=status or "DISCONNECTED")
        if options.cert:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(options.cert, options.key_file)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        scheme = "https" if options.cert else "http"
        self.url = f"{scheme}://127.0.0.1:{self.server_address[1]}{self.prefix}"

    def handle_error(self, request, client_address):
        """A client that refuses our certificate or hangs up is part of the tests; anything else is shown."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    server_version = "gateway-fake"
    # Head and body leave in one packet; apart, each answer would wait 40 ms for an acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *_):
        """Silence: GET /rig/log has it all."""

    def handle_any(self):
        # A proxy gets the whole URL in the request line.
        url = urllib.parse.urlsplit(self.path)
        self.route = url.path.removeprefix(self.server.prefix)
        self.query = dict(urllib.parse.parse_qsl(url.query))
        self.text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if self.route.startswith("/rig/"):
            return self.answer(*self.guarded(self.rig))
        fault = self.take_fault()
        time.sleep(fault.get("delay", 0))
        late = fault.get("when") == "after"
        status, body = self.guarded(self.api) if late or not _answers(fault) else (0, None)
        if fault.get("drop"):
            self.record("dropped")
            self.close_connection = True
            return None
        if "status" in fault:
            status, body = fault["status"], fault.get("body", {"message": "fault of the rig"})
        self.record(status)
        return self.answer(status, body, {**self.successor(), **fault.get("headers", {})})

    def successor(self):
        """The header that replaces an expiring token, which is unknown after that."""
        token = (self.headers.get("Authorization") or "").partition(" ")[2]
        with self.server.store.lock:
            following = self.server.successors.pop(token, None)
            if following is None:
                return {}
            self.server.tokens[following] = self.server.tokens.pop(token)
            return {"X-New-Access-Token": following}

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def take_fault(self):
        with self.server.store.lock:
            for fault in self.server.faults:
                if (fault.get("method", self.command) == self.command and fault.get("n", 1) > 0
                        and fnmatch.fnmatchcase(self.route, fault.get("path", "*"))):
                    fault["n"] = fault.get("n", 1) - 1
                    return fault
        return {}

    def record(self, status):
        scheme = "api-key" if self.headers.get("Api-Key") else (self.headers.get("Authorization") or "").split(" ")[0]
        with self.server.store.lock:
            self.server.log.append({
                "method": self.command, "path": self.route, "query": self.query, "status": status, "auth": scheme,
                "user_agent": self.headers.get("User-Agent"), "body": self.text})

    def guarded(self, handler):
        try:
            with self.server.store.lock:
                return handler()
        except Refusal as refusal:
            return refusal.status, {"message": refusal.message}

    def answer(self, status, body=None, headers=None):
        raw = body.encode() if isinstance(body, str) else b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        kind = "text/html" if isinstance(body, str) else "application/json; charset=utf-8"
        described = {} if status == 204 else {"Content-Type": kind, "Content-Length": str(len(raw))}
        for name, value in {**described, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def json(self):
        try:
            return json.loads(self.text)
        except ValueError as error:
            raise Refusal(400, f"invalid character in the body: {error}") from None

    # The API

    def api(self):
        """Finds the route; anything unknown is a 404, like in the gateway."""
        if not self.route.startswith("/api/"):
            return 200, "<html><title>Hoop</title><p>the web application</p></html>"
        parts = [urllib.parse.unquote(p) for p in self.route.removeprefix("/api/").split("/")]
        action = getattr(self, f"{self.command.lower()}_{parts[0].replace('-', '_')}", None)
        try:
            call = inspect.signature(action).bind(*parts[1:])
        except TypeError:
            raise Refusal(404, "404 page not found") from None
        return action(*call.args)

    def groups(self, *roles):
        """Checks the key, then that its groups may use the route; `standard` lets every group in."""
        store = self.server
        if legacy := self.headers.get("Api-Key"):
            if legacy != store.legacy_key:
                raise Refusal(401, "unauthorize")
            return ["admin"]
        scheme, _, token = (self.headers.get("Authorization") or "").partition(" ")
        groups = store.tokens.get(token) if scheme.lower() == "bearer" else None
        if groups is None:
            raise Refusal(401, "access denied")
        if "admin" not in groups and "standard" not in roles and not set(groups) & set(roles):
            raise Refusal(403, "access denied")
        return groups

    def get_healthz(self):
        return 200, {"liveness": "OK"}

    def get_publicserverinfo(self):
        return 200, {"auth_method": "local", "setup_required": False}

    def get_userinfo(self):
        groups = self.groups("standard")
        return 200, {"org_id": self.server.store.org_id, "groups": groups, "is_admin": "admin" in groups}

    def get_connections(self, name=None):
        groups = self.groups("standard")
        if name is None:
            return 200, self.paged(self.server.store.list(self.query))
        connection = self.server.store.find(name)
        if connection is None:
            raise Refusal(404, "not found")
        return 200, self.server.store.shown(connection, admin="admin" in groups)

    def paged(self, items):
        """A bare array, or pages when either paging parameter is given."""
        if not {"page", "page_size"} & set(self.query):
            return items
        page, size = (int(self.query.get(k) or d) if (self.query.get(k) or d).isdigit() else 0
                      for k, d in (("page", "1"), ("page_size", "50")))
        if page < 1:
            raise Refusal(422, "page must be >= 1")
        if not 1 <= size <= 100:
            raise Refusal(422, "page_size must be between 1 and 100")
        return {"pages": {"total": len(items), "page": page, "size": size}, "data": items[(page - 1) * size:page * size]}

    def post_connections(self):
        self.groups("admin")
        return 201, self.server.store.create(self.json())

    def put_connections(self, name):
        self.groups("admin")
        return 200, self.server.store.replace(name, self.json())

    def patch_connections(self, name):
        self.groups("admin")
        return 200, self.server.store.patch(name, self.json())

    def delete_connections(self, name):
        self.groups("admin")
        return 204, self.server.store.delete(name)

    def get_connection_tags(self):
        self.groups("standard")
        pairs = {pair for c in self.server.store.connections.values() for pair in c["connection_tags"].items()}
        return 200, {"items": [{"id": str(uuid.uuid5(uuid.NAMESPACE_URL, "=".join(pair))), "key": pair[0],
                                "value": pair[1]} for pair in sorted(pairs)]}

    def get_resources(self, name=None):
        admin = "admin" in self.groups("standard")
        store = self.server.store
        if name is None:
            found = [r for r in store.resources.values() if self.query.get("name", "") in r["name"]]
            return 200, self.paged([store.shown_resource(r, admin) for r in found])
        return 200, store.shown_resource(store.resource(name), admin)

    def post_resources(self):
        self.groups("admin")
        return 201, self.server.store.create_resource(self.json())

    def put_resources(self, name):
        self.groups("admin")
        return 200, self.server.store.replace_resource(name, self.json())

    def delete_resources(self, name):
        self.groups("admin")
        return 204, self.server.store.delete_resource(name)

    def get_agents(self, name=None):
        self.groups("standard")
        if name is None:
            return 200, [_agent_shown(a) for a in self.server.store.shown_agents(self.query.get("status", ""))]
        agent = self.server.store.agent(name)
        if agent is None:
            raise Refusal(404, "agent not found")
        return 200, _agent_shown(agent)

    def post_agents(self):
        self.groups("admin")
        body = self.json()
        name, mode = body.get("name"), body.get("mode") or "standard"
        if not name:
            raise Refusal(400, "Key: 'AgentRequest.Name' Error:Field validation for 'Name' failed on the 'required' tag")
        rules.validate({"name": name})
        if mode not in ("standard", "embedded"):
            raise Refusal(422, f'unknown agent mode "{mode}"')
        self.server.store.add_agent(name, mode)
        return 201, {"token": f"grpc://{name}:{uuid.uuid4().hex}@127.0.0.1:8010?mode={mode}"}

    def delete_agents(self, name):
        self.groups("admin")
        agent = self.server.store.agent(name)
        if agent:
            del self.server.store.agents[agent["id"]]
        return 204, None

    def post_plugins(self):
        self.groups("admin")
        name = self.json().get("name")
        if name not in PLUGINS:
            raise Refusal(400, "Key: 'PluginRequest.Name' Error:Field validation for 'Name' failed")
        if name in self.server.store.plugins:
            raise Refusal(400, "plugin already enabled")
        self.server.store.plugins[name] = {"id": str(uuid.uuid4()), "connections": {}}
        return 201, {"id": self.server.store.plugins[name]["id"], "name": name, "connections": []}

    def get_plugins(self, name=None, word=None, identifier=None):
        self.groups(*(("auditor",) if word else ("standard",)))
        store = self.server.store
        if word == "conn":
            return 200, store.plugin_connection(name, identifier)
        if name is not None and name not in store.plugins:
            raise Refusal(404, "plugin not found")
        shown = [{"id": p["id"], "name": n, "connections": list(p["connections"].values())}
                 for n, p in store.plugins.items() if name in (None, n)]
        return 200, shown if name is None else shown[0]

    def put_plugins(self, name, word=None, identifier=None):
        self.groups("admin")
        if word is None:
            return 200, self.server.store.replace_plugin(name, self.json().get("connections") or [])
        config = self.json().get("config")
        if word != "conn" or not isinstance(config, list):
            raise Refusal(400, "json: cannot unmarshal the body into a plugin connection")
        if name in ("review", "dlp"):
            raise Refusal(400, "unable to manage review or dlp plugins, use the connection endpoint instead")
        return 200, self.server.store.plugin_connection(name, identifier, config)

    def delete_plugins(self, name, word, identifier):
        self.groups("admin")
        if word != "conn":
            raise Refusal(404, "404 page not found")
        self.server.store.plugin_connection(name, identifier, remove=True)
        return 204, None

    def get_orgs(self, word):
        self.groups("auditor")
        if word != "hide-role-info":
            raise Refusal(404, "404 page not found")
        return 200, {"hide_role_info": self.server.store.hide_role_info}

    def put_orgs(self, word):
        self.groups("admin")
        if word != "hide-role-info":
            raise Refusal(404, "404 page not found")
        self.server.store.hide_role_info = bool(self.json().get("hide_role_info"))
        return 200, {"hide_role_info": self.server.store.hide_role_info}

    # The rig

    def rig(self):
        """Steers the server; see the head of the file."""
        store = self.server.store
        match self.command, *self.route.removeprefix("/rig/").split("/"):
            case "POST", "faults":
                self.server.faults.append(self.json())
            case "DELETE", "faults":
                self.server.faults.clear()
            case "GET", "log":
                return 200, self.server.log
            case "DELETE", "log":
                self.server.log.clear()
            case "GET", "connections":
                return 200, list(store.connections.values())
            case "PATCH", "connections", name:
                store.connections[name].update(self.json())
            case "PUT", "resources", name:
                store.resource_row(name, "database", "")["envs"] = self.json()["envs"]
            case "GET", "resources":
                return 200, list(store.resources.values())
            case "PUT", "toggles":
                self.toggle(self.json())
            case "POST", "agents":
                body = self.json()
                return 200, {"id": store.add_agent(body["name"], body.get("mode", "standard"),
                                                   body.get("status", "DISCONNECTED"))}
            case "POST", "guardrails":
                store.guardrails.add(self.json()["id"])
            case "POST", "attributes":
                body = self.json()
                store.attributes[body["name"]] = {"managed_by": body.get("managed_by"),
                                                  "rulepack": bool(body.get("rulepack"))}
            case "POST", "tokens":
                body = self.json()
                self.server.tokens[body["token"]] = body["groups"]
                if "next" in body:
                    self.server.successors[body["token"]] = body["next"]
            case _:
                raise Refusal(404, "the rig has no such route")
        return 200, {}

    def toggle(self, body):
        store = self.server.store
        if "hide_role_info" in body:
            store.hide_role_info = body["hide_role_info"]
        if body.get("access_control") is True:
            store.plugins.setdefault("access_control", {"id": str(uuid.uuid4()), "connections": {}})
        if body.get("access_control") is False:
            store.plugins.pop("access_control", None)


def _answers(fault):
    """Whether the fault stands in for the answer, so that the request is not carried out."""
    return "status" in fault or fault.get("drop", False)


def _agent_shown(agent):
    meta = agent["metadata"]
    return {**agent, "token": "", **{k: meta.get(k, "") for k in ("hostname", "version", "platform")}}


def parse_options():
    parser = argparse.ArgumentParser(description="A stand-in for the HTTP API of the Hoop gateway.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--prefix", default="", help="path before /api")
    parser.add_argument("--org", default="1f0e8c1a-5b1e-4d3c-9a53-0d6f6f6c2a10", help="id of the organisation")
    parser.add_argument("--key", default="hpk_admin_of_the_fake", help="an API key with the group admin")
    parser.add_argument("--reader-key", default="hpk_reader_of_the_fake", help="an API key without admin")
    parser.add_argument("--legacy-key", help="value of the Api-Key header; default <org>|legacy-key")
    parser.add_argument("--agent", action="append", default=[], metavar="NAME[:CONNECTED]")
    parser.add_argument("--cert", help="PEM certificate chain; serves TLS")
    parser.add_argument("--key-file", help="PEM private key of --cert")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when the starting process is gone")
    return parser.parse_args()


def end_with_stdin():
    """Ends the process when standard input closes."""
    sys.stdin.buffer.read()
    os._exit(0)


def main():
    """Serves until it is stopped."""
    options = parse_options()
    server = Gateway(options)
    if options.until_stdin_closes:
        threading.Thread(target=end_with_stdin, daemon=True).start()
    print(json.dumps({"port": server.server_address[1], "url": server.url, "org_id": options.org}), flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
