"""Starts the fake AWS: moto_server 5.2.1 in this process, patched, on 127.0.0.1.

usage, from the folder `tests/fakes`:  python -m aws.launcher [PORT] [--with-parent]

PORT 0 (the default) takes a free port. When it is ready the program prints one line of JSON, `{"port": …, "pid": …}`,
and serves until SIGTERM or SIGINT; with `--with-parent` also until its standard input is closed, so that it never
outlives the test that started it. `control.py` lists what a test can change while it runs.

What is patched, and where:

| module              | behaviour that moto lacks                                                                    |
|---------------------|----------------------------------------------------------------------------------------------|
| rds_instances.py    | unique DbiResourceId, host names per account, states, PendingModifiedValues, member errors   |
| rds_clusters.py     | the same for clusters, paging, a refused change loses nothing                               |
| rds_rules.py        | password and security-group rules, InvalidDBInstanceState                                    |
| managed_passwords.py| secrets of the service rds with the real password, their states, schedules and owner         |
| security_groups.py  | DependencyViolation, canonical CIDRs, groups of other accounts                               |
| secret_versions.py  | AWSCURRENT really moves, first version, reused tokens, secrets marked for deletion           |
| access.py           | trust policies, external id, suspended accounts, delegated administrators, denied actions    |
| web_identity.py     | OpenID Connect tokens: issuer, signature, times, audience, claims in trust policies          |
| regions.py          | regions that need an opt-in, and the refusals where it was not given                         |
| faults.py           | throttling, errors, lost answers, slow calls                                                 |
| iam/                | identity policies, trust policies and conditions, where a test switches `enforce` on          |
| passwords.py        | a new master password reaches the real database server                                      |

What it is not. It proves the provider's calls against moto and these patches, not against AWS: the patches follow the
API reference, public bug reports and belief. No resource policy is evaluated, and identity policies only where `enforce`
is on (iam/__init__.py says what that proves); KMS keys are not checked; a secret is visible only in
its own account and region; RDS makes no network interfaces; states are counted in polls, not in seconds; a change of
an identifier or a port is applied at once. It serves some hundred calls a second: no use for measurements of scale.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading

# Read by moto when it is imported: without the built-in machine images a new account costs half the time and memory.
os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
for variable in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[variable]


def main() -> None:
    arguments = argparse.ArgumentParser(description="fake AWS for the acceptance tests")
    arguments.add_argument("port", nargs="?", type=int, default=0)
    arguments.add_argument("--with-parent", action="store_true", help="stop when standard input is closed")
    options = arguments.parse_args()
    server = make_server(options.port)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    if options.with_parent:
        threading.Thread(target=_stop_with_parent, daemon=True).start()
    print(json.dumps({"port": server.server_port, "pid": os.getpid()}), flush=True)
    server.serve_forever()


def make_server(port: int):
    """The patched server, bound to its port but not serving yet."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler
    from werkzeug.serving import make_server as make_wsgi_server

    from . import access, managed_passwords, rds_clusters, rds_instances, regions, secret_versions, security_groups
    from .front_door import FrontDoor
    from .iam import judge

    class Handler(WSGIRequestHandler):
        """Keeps connections open as AWS does, and writes no access log."""

        protocol_version = "HTTP/1.1"
        # Headers and body are written apart; without this each answer waits 40 ms for the client's acknowledgement.
        disable_nagle_algorithm = True

        def connection_dropped(self, error: BaseException, environ: dict | None = None) -> None:
            """A fault ended this call without an answer: nothing more may come over the connection."""
            self.close_connection = True

        def log(self, type: str, message: str, *args: object) -> None:
            if type != "info":
                sys.stderr.write(f"launcher: {message % args if args else message}\n")

    parts = (rds_instances, rds_clusters, security_groups, secret_versions, managed_passwords, access, regions, judge)
    for module in parts:
        module.install()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    application = FrontDoor(DomainDispatcherApplication(create_backend_app))
    server = make_wsgi_server("127.0.0.1", port, application, threaded=True, request_handler=Handler)
    os.environ["MOTO_PORT"] = str(server.server_port)
    return server


def _stop_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
