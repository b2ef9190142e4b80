#!/usr/bin/env python3
"""A stand-in for Vault and OpenBao: the key-value engines, versions 1 and 2. Python 3.11 or later, nothing else needed.

    python3 tests/fakes/vault/server.py --port 0

It binds 127.0.0.1 only and prints one line of JSON with `url` and `token` (a root token). Paths, statuses, words and
limits are those of the documented HTTP API; no server of Vault can be installed where the tests run, so a client that
we did not write, hvac, checks it in test_vault.py.

What it is not: there is no storage, no cluster, no lease but tokens, no identity, no response wrapping, no quota, and
only these routes: sys/health, sys/seal-status, sys/internal/ui/mounts, auth/token/{lookup,renew,revoke}-self,
auth/{approle,aws,jwt}/login, and in every namespace the mounts `secret` (version 2) and `kv` (version 1).

Routes below /rig/ steer it and need no token:
    POST   /rig/faults      {"method": "GET", "path": "secret/data/*", "n": 1, "skip": 0, "status": 503, "errors": […],
                             "headers": {…}, "delay": 0.5, "drop": true, "when": "before" | "after"}
    DELETE /rig/faults      forget them
    GET    /rig/log         every API request: method, path, namespace, status, keys of the body; DELETE empties it;
                            --log-file FILE writes each as a line, too, before its answer leaves
    PUT    /rig/seal        {"sealed": true}
    PUT    /rig/mounts      {"path": "team/kv", "version": 2, "namespace": ""}
    PUT    /rig/namespaces  {"name": "team"}
    PUT    /rig/policies    {"name": "logged-in", "rules": {"secret/data/*": ["read"]}}; every login gets `logged-in`
    POST   /rig/tokens      {"policy": "p", "ttl": 60} -> {"token": "…"}
    DELETE /rig/tokens      ends every token but the root token
    PUT    /rig/logins      {"ttl": 2, "approle": {…}, "jwts": {…}, "aws": {…}}
"""

import argparse
import fnmatch
import json
import ssl
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from access import Access  # noqa: E402
from engines import Refusal, Version1, Version2  # noqa: E402

OPEN = ("sys/health", "sys/seal-status")


class Vault(ThreadingHTTPServer):
    """The server with its state."""

    daemon_threads = True

    def __init__(self, options):
        super().__init__(("127.0.0.1", options.port), Handler)
        self.lock = threading.RLock()
        self.access = Access(options.token)
        self.namespaces = {}
        self.add_namespace("")
        self.sealed = False
        self.faults, self.log = [], []
        self.log_file = open(options.log_file, "a", encoding="utf-8") if options.log_file else None
        if options.cert:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(options.cert, options.key_file)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        scheme = "https" if options.cert else "http"
        self.url = f"{scheme}://{options.host}:{self.server_address[1]}"

    def add_namespace(self, name):
        self.namespaces[name] = {"secret": Version2(), "kv": Version1()}

    def engine(self, namespace, path):
        """The engine behind the longest mount that begins the path, and what follows."""
        if namespace not in self.namespaces:
            raise Refusal(403, "1 error occurred:\n\t* permission denied\n\n")
        mounts = self.namespaces[namespace]
        fitting = [mount for mount in mounts if path == mount or path.startswith(f"{mount}/")]
        if not fitting:
            raise Refusal(404, f'no handler for route "{path}". route entry not found.')
        mount = max(fitting, key=len)
        return mount, mounts[mount], path[len(mount):].lstrip("/")

    def handle_error(self, request, client_address):
        """A client that refuses our certificate or hangs up is part of the tests; anything else is shown."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    server_version = "vault-fake"
    # Head and body leave in one packet; apart, each answer would wait 40 ms for an acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *_):
        """Silence: GET /rig/log has it all."""

    def handle_any(self):
        url = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(url.query))
        route = urllib.parse.unquote(url.path)
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.body = json.loads(text) if text.strip() else {}
        if route.startswith("/rig/"):
            return self.answer(*self.rig(route.removeprefix("/rig/")))
        self.route = route.removeprefix("/v1/")
        self.verb = "LIST" if self.query.get("list") == "true" else self.command
        self.namespace = (self.headers.get("X-Vault-Namespace") or "").strip("/")
        fault = self.take_fault()
        time.sleep(fault.get("delay", 0))
        answers = "status" in fault or fault.get("drop")
        late = fault.get("when") == "after"
        status, body = self.guarded() if late or not answers else (0, None)
        if fault.get("drop"):
            self.record("dropped")
            self.close_connection = True
            return None
        if "status" in fault:
            status, body = fault["status"], {"errors": fault.get("errors", ["fault of the rig"])}
        self.record(status)
        return self.answer(status, body, fault.get("headers", {}))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_LIST = handle_any

    def take_fault(self):
        with self.server.lock:
            for fault in self.server.faults:
                if (fault.get("method", self.verb) == self.verb and fault.get("n", 1) != 0
                        and fnmatch.fnmatchcase(self.route, fault.get("path", "*"))):
                    if fault.get("skip", 0) > 0:
                        fault["skip"] -= 1
                        continue
                    fault["n"] = fault.get("n", 1) - 1
                    return fault
        return {}

    def record(self, status):
        entry = {"method": self.verb, "path": self.route, "namespace": self.namespace, "status": status,
                 "keys": sorted(self.body), "user_agent": self.headers.get("User-Agent")}
        with self.server.lock:
            self.server.log.append(entry)
            if self.server.log_file:
                print(json.dumps(entry), file=self.server.log_file, flush=True)

    def guarded(self):
        try:
            with self.server.lock:
                return self.api()
        except Refusal as refusal:
            return refusal.status, refusal.body

    def api(self):
        server, access = self.server, self.server.access
        if self.route in OPEN:
            return 200, {"sealed": server.sealed, "initialized": True, "standby": False, "t": 1, "n": 1, "progress": 0,
                         "type": "shamir", "version": "1.21.0", "cluster_name": "fake"}
        if server.sealed:
            raise Refusal(503, "Vault is sealed")
        parts = self.route.split("/")
        if parts[0] == "auth" and parts[-1] == "login" and self.verb in ("POST", "PUT"):
            token = access.log_in("/".join(parts[1:-1]), self.body, self.namespace)
            return 200, whole(None, token.auth())
        text = self.headers.get("X-Vault-Token") or self.headers.get("Authorization", "").removeprefix("Bearer ")
        token = access.token(text, self.namespace)
        if self.route.startswith("auth/token/"):
            return self.own_token(token, self.route.removeprefix("auth/token/"))
        if self.route.startswith("sys/internal/ui/mounts/"):
            mount, engine, _ = server.engine(self.namespace, self.route.removeprefix("sys/internal/ui/mounts/"))
            return 200, whole({"path": f"{mount}/", "type": "kv", "options": {"version": engine.version}})
        if self.namespace not in server.namespaces:
            raise Refusal(403, "1 error occurred:\n\t* permission denied\n\n")
        if token.policy != "root":
            access.check(token, self.verb, self.route, self.exists())
        _, engine, path = server.engine(self.namespace, self.route)
        status, data = engine.answer(self.verb, path, self.body, self.query)
        return status, whole(data) if data is not None else None

    def exists(self):
        try:
            _, engine, path = self.server.engine(self.namespace, self.route)
        except Refusal:
            return False
        return engine.exists(path)

    def own_token(self, token, what):
        if what == "lookup-self":
            return 200, whole(token.lookup())
        if what == "renew-self":
            token.renew()
            return 200, whole(None, token.auth())
        if what == "revoke-self":
            del self.server.access.tokens[token.id]
            return 204, None
        raise Refusal(404, f'no handler for route "auth/token/{what}". route entry not found.')

    def rig(self, route):
        server, access = self.server, self.server.access
        with server.lock:
            match (self.command, route):
                case ("POST", "faults"):
                    server.faults.append(self.body)
                case ("DELETE", "faults"):
                    server.faults.clear()
                case ("GET", "log"):
                    return 200, list(server.log)
                case ("DELETE", "log"):
                    server.log.clear()
                case ("PUT", "seal"):
                    server.sealed = self.body["sealed"]
                case ("PUT", "mounts"):
                    kind = Version1 if self.body.get("version", 2) == 1 else Version2
                    server.namespaces[self.body.get("namespace", "")][self.body["path"]] = kind()
                case ("PUT", "namespaces"):
                    server.add_namespace(self.body["name"])
                case ("PUT", "policies"):
                    access.policies[self.body["name"]] = self.body["rules"]
                case ("POST", "tokens"):
                    return 200, {"token": access.add(**self.body).id}
                case ("DELETE", "tokens"):
                    for token in [t for t in access.tokens.values() if t.policy != "root" or t.ttl]:
                        del access.tokens[token.id]
                case ("PUT", "logins"):
                    access.ttl = self.body.get("ttl", access.ttl)
                    for name in ("approle", "jwts", "aws"):
                        getattr(access, name).update(self.body.get(name, {}))
                case _:
                    return 404, {"errors": [f"no route {self.command} /rig/{route}"]}
        return 200, {}

    def answer(self, status, body, headers=None):
        text = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if text:
            self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if status != 204:
            self.wfile.write(text)
        self.wfile.flush()


def whole(data, auth=None):
    """The envelope of every answer."""
    return {"request_id": "00000000-0000-0000-0000-000000000000", "lease_id": "", "renewable": False,
            "lease_duration": 0, "data": data, "wrap_info": None, "warnings": None, "auth": auth,
            "mount_type": ""}


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--host", default="127.0.0.1", help="how the address that is printed names this machine")
    parser.add_argument("--token", default="hvs.root-of-the-fake")
    parser.add_argument("--cert")
    parser.add_argument("--key-file")
    parser.add_argument("--log-file")
    parser.add_argument("--until-stdin-closes", action="store_true")
    return parser.parse_args(arguments)


def main():
    options = parse(None)
    server = Vault(options)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"url": server.url, "port": server.server_address[1], "token": options.token}), flush=True)
    try:
        if options.until_stdin_closes:
            sys.stdin.read()
        else:
            threading.Event().wait()
    except KeyboardInterrupt:
        pass
    server.shutdown()


if __name__ == "__main__":
    main()
