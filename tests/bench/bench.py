"""Start-up, schema, memory and size of the release build, beside hashicorp/aws in the same run where it is present.

usage: bench.py PROVIDER [--runs N] [--peer PROGRAM] [--terraform PROGRAM]

Every figure is a median. Each run starts our provider as Terraform does: mutual TLS with a client certificate of this
run, the handshake line read from standard output, then GetProviderSchema over the same connection. Figures of one run
compare with each other; they are not limits, because machines differ.
"""

import argparse
import base64
import datetime
import json
import os
import pathlib
import ssl
import statistics
import subprocess
import sys
import tempfile
import time

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

COOKIE = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2"
# hashicorp/aws speaks protocol 5 only.
METHODS = {"5": "/tfplugin5.Provider/GetSchema", "6": "/tfplugin6.Provider/GetProviderSchema"}
# (row, unit, bar, attribute of Run)
BARS = [
    ("exec -> handshake line", "ms", 5.0, "handshake_ms"),
    ("GetProviderSchema, call to reply", "ms", 3.0, "schema_ms"),
    ("VmHWM after the schema", "MiB", 20.0, "peak_mib"),
    ("size of the program", "MB", 35.0, "size_mb"),
]


class Client:
    """A client certificate, as go-plugin makes one for every run."""

    def __init__(self):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        now = datetime.datetime.now(datetime.timezone.utc)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .sign(key, hashes.SHA256())
        )
        self.certificate = certificate.public_bytes(serialization.Encoding.PEM)
        self.key = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def channel(self, address, server_certificate):
        server = ssl.DER_cert_to_PEM_cert(base64.b64decode(server_certificate + "=" * (-len(server_certificate) % 4)))
        credentials = grpc.ssl_channel_credentials(server.encode(), self.key, self.certificate)
        options = [("grpc.ssl_target_name_override", "localhost"), ("grpc.max_receive_message_length", -1)]
        return grpc.secure_channel(address, credentials, options)


class Run:
    """One start of a provider."""

    def __init__(self, program, protocol, client):
        environment = {
            **os.environ,
            "TF_PLUGIN_MAGIC_COOKIE": COOKIE,
            "PLUGIN_PROTOCOL_VERSIONS": protocol,
        }
        if client:
            environment["PLUGIN_CLIENT_CERT"] = client.certificate.decode()
        begin = time.perf_counter()
        process = subprocess.Popen([program], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            line = process.stdout.readline().decode().strip()
            self.handshake_ms = (time.perf_counter() - begin) * 1e3
            _, _, network, address, _, certificate = line.split("|")[:6]
            with open_channel(f"unix:{address}" if network == "unix" else address, certificate, client) as channel:
                grpc.channel_ready_future(channel).result(timeout=60)
                call = channel.unary_unary(
                    METHODS[protocol], request_serializer=bytes, response_deserializer=lambda reply: reply
                )
                begin = time.perf_counter()
                reply = call(b"", timeout=120)
                self.schema_ms = (time.perf_counter() - begin) * 1e3
            self.schema_bytes = len(reply)
            self.peak_mib = high_water_mark(process.pid) / 1024
            self.size_mb = os.path.getsize(program) / 1e6
        finally:
            process.kill()
            process.wait()


def open_channel(address, certificate, client):
    if client:
        return client.channel(address, certificate)
    return grpc.insecure_channel(address, [("grpc.max_receive_message_length", -1)])


def high_water_mark(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise RuntimeError("the process has no VmHWM")


def measure(program, protocol, runs, client):
    Run(program, protocol, client)  # warms the file cache
    return [Run(program, protocol, client) for _ in range(runs)]


def median(runs, attribute):
    return statistics.median(getattr(run, attribute) for run in runs)


def terraform_schema(terraform, provider, runs):
    """`terraform providers schema -json` with our provider and without any, in turn; medians in ms."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "with").mkdir()
        (root / "without").mkdir()
        (root / "bin").mkdir()
        (root / "bin" / "terraform-provider-rdsaccess").symlink_to(os.path.abspath(provider))
        (root / "with" / "main.tf").write_text(
            'terraform {\n  required_providers {\n    rdsaccess = { source = "rdsaccess/rdsaccess" }\n  }\n}\n'
        )
        (root / "tfrc").write_text(
            f'provider_installation {{\n  dev_overrides {{ "rdsaccess/rdsaccess" = "{root}/bin" }}\n}}\n'
        )
        environment = {**os.environ, "TF_CLI_CONFIG_FILE": str(root / "tfrc"), "CHECKPOINT_DISABLE": "1"}

        def once(place):
            begin = time.perf_counter()
            subprocess.run(
                [terraform, "providers", "schema", "-json"], cwd=root / place, env=environment, check=True,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
            return (time.perf_counter() - begin) * 1e3

        pairs = [(once("with"), once("without")) for _ in range(runs + 1)][1:]
        return tuple(statistics.median(column) for column in zip(*pairs))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("provider")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--peer", help="program of hashicorp/aws")
    parser.add_argument("--terraform", help="terraform or tofu")
    parser.add_argument("--json", help="also write the figures there")
    arguments = parser.parse_args()
    client = Client()
    ours = measure(arguments.provider, "6", arguments.runs, client)
    # Its certificate is P-521, which this client's TLS library does not take: the peer runs without TLS, in its favour.
    peer = measure(arguments.peer, "5", min(arguments.runs, 5), None) if arguments.peer else None
    print(f"medians of {arguments.runs} runs, load {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors")
    print(f"{'':36}{'rdsaccess':>12}{'bar':>9}{'hashicorp/aws':>16}{'ratio':>10}")
    figures = {}
    for row, unit, bar, attribute in BARS:
        mine = median(ours, attribute)
        theirs = median(peer, attribute) if peer else None
        figures[attribute] = {"ours": mine, "bar": bar, "peer": theirs}
        beside = f"{theirs:>12.1f} {unit:<3}{theirs / mine:>9.0f}x" if peer else f"{'not present':>16}"
        mark = "" if mine <= bar else "   <- above the bar"
        print(f"{row:36}{mine:>8.2f} {unit:<3}{bar:>9.0f}{beside}{mark}")
    if arguments.terraform:
        with_us, without = terraform_schema(arguments.terraform, arguments.provider, min(arguments.runs, 10))
        figures["providers_schema_json"] = {"with": with_us, "without": without}
        print(f"\n`providers schema -json`: {with_us:.0f} ms with the provider, {without:.0f} ms without any provider")
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
