"""The stand-in for Vault, checked by hvac: a client that somebody else wrote for the real one."""

import json
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path

import hvac
from hvac import exceptions

SERVER = Path(__file__).resolve().parent / "server.py"
KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


class VaultCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.log_file = Path(folder.name) / "requests"
        command = [sys.executable, "-B", str(SERVER), "--until-stdin-closes", "--log-file", str(self.log_file)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(self.stop)
        self.made = json.loads(self.process.stdout.readline())
        self.client = self.connect(self.made["token"])
        self.kv = self.client.secrets.kv.v2

    def stop(self):
        self.process.stdin.close()
        self.process.wait(timeout=10)
        self.process.stdout.close()

    def connect(self, token=None, namespace=None):
        client = hvac.Client(url=self.made["url"], token=token, namespace=namespace)
        self.addCleanup(client.adapter.close)
        return client

    def rig(self, method, route, body=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.made['url']}/rig/{route}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def write(self, path, cas=None, mount="secret", **fields):
        return self.kv.create_or_update_secret(path, fields, cas=cas, mount_point=mount)["data"]

    def read(self, path, version=None):
        return self.kv.read_secret_version(path, version=version, raise_on_deleted_version=True)["data"]


class KeyValue2(VaultCase):
    def test_versions_follow_each_other(self):
        self.assertEqual(self.write("a/b", PASSWORD="1")["version"], 1)
        self.assertEqual(self.write("a/b", PASSWORD="2")["version"], 2)
        self.assertEqual(self.read("a/b")["data"], {"PASSWORD": "2"})
        self.assertEqual(self.read("a/b", 1)["data"], {"PASSWORD": "1"})

    def test_check_and_set(self):
        self.write("a", cas=0, k="1")
        for wrong in (0, 2):
            with self.assertRaisesRegex(exceptions.InvalidRequest, "did not match the current version"):
                self.write("a", cas=wrong, k="2")
        self.assertEqual(self.write("a", cas=1, k="2")["version"], 2)

    def test_check_and_set_of_a_soft_deleted_secret_is_its_newest_version(self):
        self.write("a", k="1")
        self.kv.delete_latest_version_of_secret("a")
        with self.assertRaises(exceptions.InvalidRequest):
            self.write("a", cas=0, k="2")
        self.assertEqual(self.write("a", cas=1, k="2")["version"], 2)

    def test_check_and_set_can_be_asked_for(self):
        self.kv.configure(cas_required=True, max_versions=3)
        with self.assertRaisesRegex(exceptions.InvalidRequest, "check-and-set parameter required"):
            self.write("a", k="1")
        self.assertTrue(self.kv.read_configuration()["data"]["cas_required"])

    def test_soft_deletion_and_back(self):
        self.write("a", k="1")
        self.kv.delete_secret_versions("a", [1])
        with self.assertRaises(exceptions.InvalidPath):
            self.read("a")
        shown = self.kv.read_secret_version("a", raise_on_deleted_version=False)["data"]
        self.assertIsNone(shown["data"])
        self.assertTrue(shown["metadata"]["deletion_time"])
        self.kv.undelete_secret_versions("a", [1])
        self.assertEqual(self.read("a")["data"], {"k": "1"})

    def test_destruction_is_for_ever(self):
        self.write("a", k="1")
        self.kv.destroy_secret_versions("a", [1])
        self.kv.undelete_secret_versions("a", [1])
        with self.assertRaises(exceptions.InvalidPath):
            self.read("a")
        metadata = self.kv.read_secret_metadata("a")["data"]
        self.assertEqual((metadata["current_version"], metadata["versions"]["1"]["destroyed"]), (1, True))

    def test_metadata_stands_apart_from_values(self):
        self.kv.update_metadata("a", custom_metadata={"rdsaccess:managed": "true"})
        metadata = self.kv.read_secret_metadata("a")["data"]
        self.assertEqual((metadata["current_version"], metadata["versions"]), (0, {}))
        with self.assertRaises(exceptions.InvalidPath):
            self.read("a")
        written = self.write("a", cas=0, k="1")
        self.assertEqual(written["created_time"], self.kv.read_secret_metadata("a")["data"]["versions"]["1"]["created_time"])
        self.assertEqual(self.read("a")["metadata"]["custom_metadata"], {"rdsaccess:managed": "true"})
        self.kv.update_metadata("a", max_versions=2)
        self.assertEqual(self.kv.read_secret_metadata("a")["data"]["custom_metadata"], {"rdsaccess:managed": "true"})
        self.kv.delete_metadata_and_all_versions("a")
        with self.assertRaises(exceptions.InvalidPath):
            self.kv.read_secret_metadata("a")

    def test_metadata_has_limits(self):
        for custom in ({"k": ""}, {"k": "x" * 513}, {"k" * 129: "v"}, {"k": "a\nb"}, {str(n): "v" for n in range(65)}):
            with self.assertRaisesRegex(exceptions.InvalidRequest, "custom_metadata validation failed"):
                self.kv.update_metadata("a", custom_metadata=custom)

    def test_old_versions_are_pushed_out(self):
        self.kv.update_metadata("a", max_versions=2)
        for n in range(3):
            self.write("a", k=str(n))
        self.assertEqual(sorted(self.kv.read_secret_metadata("a")["data"]["versions"]), ["2", "3"])

    def test_a_folder_is_listed(self):
        self.write("a/b", k="1")
        self.write("a/c/d", k="1")
        self.assertEqual(self.kv.list_secrets("a")["data"]["keys"], ["b", "c/"])

    def test_what_is_not_there(self):
        with self.assertRaises(exceptions.InvalidPath):
            self.kv.read_secret_metadata("none")
        with self.assertRaisesRegex(exceptions.InvalidPath, "no handler for route"):
            self.kv.read_secret_metadata("a", mount_point="nowhere")


class KeyValue1(VaultCase):
    def test_a_value_is_replaced_and_removed(self):
        kv = self.client.secrets.kv.v1
        kv.create_or_update_secret("a/b", {"PASSWORD": "1"}, mount_point="kv")
        kv.create_or_update_secret("a/b", {"USER": "u"}, mount_point="kv")
        self.assertEqual(kv.read_secret("a/b", mount_point="kv")["data"], {"USER": "u"})
        self.assertEqual(kv.list_secrets("a", mount_point="kv")["data"]["keys"], ["b"])
        kv.delete_secret("a/b", mount_point="kv")
        with self.assertRaises(exceptions.InvalidPath):
            kv.read_secret("a/b", mount_point="kv")

    def test_paths_of_version_1_are_nothing_to_version_2(self):
        with self.assertRaises(exceptions.InvalidPath):
            self.client.secrets.kv.v1.read_secret("a/b", mount_point="secret")

    def test_the_version_of_a_mount_can_be_asked(self):
        for mount, version in (("kv", "1"), ("secret", "2")):
            found = self.client.adapter.get(f"/v1/sys/internal/ui/mounts/{mount}")["data"]
            self.assertEqual((found["type"], found["options"]), ("kv", {"version": version}))


class Tokens(VaultCase):
    def test_a_wrong_or_missing_token_is_refused(self):
        with self.assertRaises(exceptions.Forbidden):
            self.connect("hvs.wrong").secrets.kv.v2.read_secret_metadata("a")
        with self.assertRaises(exceptions.InvalidRequest):
            self.connect().secrets.kv.v2.read_secret_metadata("a")
        self.assertTrue(self.client.is_authenticated())

    def test_approle_gives_a_token_that_is_renewed_and_ends(self):
        self.rig("PUT", "logins", {"ttl": 1})
        client = self.connect()
        auth = client.auth.approle.login("role-of-the-fake", "secret-id-of-the-fake")["auth"]
        self.assertEqual((auth["lease_duration"], auth["renewable"]), (1, True))
        client.token = auth["client_token"]
        self.assertLessEqual(client.auth.token.lookup_self()["data"]["ttl"], 1)
        time.sleep(0.7)
        client.auth.token.renew_self()
        time.sleep(0.7)
        client.auth.token.lookup_self()
        time.sleep(0.6)
        with self.assertRaisesRegex(exceptions.Forbidden, "invalid token"):
            client.auth.token.lookup_self()

    def test_wrong_credentials_get_no_token(self):
        client = self.connect()
        with self.assertRaises(exceptions.InvalidRequest):
            client.auth.approle.login("role-of-the-fake", "wrong")
        with self.assertRaises(exceptions.InvalidRequest):
            client.auth.jwt.jwt_login("rdsaccess", "eyJ.wrong", path="jwt")

    def test_jwt(self):
        client = self.connect()
        auth = client.auth.jwt.jwt_login("rdsaccess", "eyJhbGciOi.of-the.fake", path="jwt")["auth"]
        self.assertTrue(self.connect(auth["client_token"]).is_authenticated())

    def test_aws_iam_checks_signature_and_server_id(self):
        self.rig("PUT", "logins", {"aws": {"keys": {KEY: SECRET}, "server_id": "vault.example.com"}})
        client = self.connect()
        client.auth.aws.iam_login(KEY, SECRET, header_value="vault.example.com", role="rdsaccess")
        for key, secret, header, role in (
            (KEY, "wrong", "vault.example.com", "rdsaccess"),
            ("AKIDOTHER", SECRET, "vault.example.com", "rdsaccess"),
            (KEY, SECRET, "other.example.com", "rdsaccess"),
            (KEY, SECRET, None, "rdsaccess"),
            (KEY, SECRET, "vault.example.com", "other"),
        ):
            with self.assertRaises(exceptions.InvalidRequest):
                client.auth.aws.iam_login(key, secret, header_value=header, role=role)

    def test_a_policy_decides_by_capability_and_path(self):
        rules = {"secret/data/a/*": ["create", "update"], "secret/data/a/b": ["deny"], "secret/metadata/*": ["read"]}
        self.rig("PUT", "policies", {"name": "p", "rules": rules})
        client = self.connect(self.rig("POST", "tokens", {"policy": "p", "ttl": 60})["token"])
        kv = client.secrets.kv.v2
        kv.create_or_update_secret("a/c", {"k": "1"})
        for refused in (
            lambda: kv.create_or_update_secret("a/b", {"k": "1"}),
            lambda: kv.read_secret_version("a/c", raise_on_deleted_version=True),
            lambda: kv.delete_metadata_and_all_versions("a/c"),
            lambda: kv.create_or_update_secret("other", {"k": "1"}),
        ):
            with self.assertRaisesRegex(exceptions.Forbidden, "permission denied"):
                refused()
        self.assertEqual(kv.read_secret_metadata("a/c")["data"]["current_version"], 1)

    def test_namespaces_are_apart(self):
        self.rig("PUT", "namespaces", {"name": "team"})
        inside = self.connect(self.made["token"], "team")
        inside.secrets.kv.v2.create_or_update_secret("a", {"k": "1"})
        with self.assertRaises(exceptions.InvalidPath):
            self.read("a")
        with self.assertRaises(exceptions.Forbidden):
            self.connect(self.made["token"], "other").secrets.kv.v2.read_secret_metadata("a")


class Faults(VaultCase):
    def test_sealed(self):
        self.rig("PUT", "seal", {"sealed": True})
        self.assertTrue(self.client.sys.is_sealed())
        with self.assertRaisesRegex(exceptions.VaultDown, "sealed"):
            self.kv.read_secret_metadata("a")

    def test_an_ordered_fault_hits_the_calls_that_were_named(self):
        order = {"method": "POST", "path": "secret/data/*", "skip": 1, "n": 1, "status": 429, "errors": ["quota"]}
        self.rig("POST", "faults", order)
        self.write("a", k="1")
        with self.assertRaises(exceptions.RateLimitExceeded):
            self.write("a", k="2")
        self.assertEqual(self.write("a", k="3")["version"], 2)

    def test_a_late_fault_lets_the_call_do_its_work(self):
        self.rig("POST", "faults", {"method": "POST", "path": "secret/data/a", "when": "after", "status": 500})
        with self.assertRaises(exceptions.InternalServerError):
            self.write("a", k="1")
        self.assertEqual(self.read("a")["data"], {"k": "1"})

    def test_the_log_names_calls_and_no_value(self):
        self.write("a", PASSWORD="hunter2")
        log = self.rig("GET", "log")
        self.assertEqual([(e["method"], e["path"], e["status"]) for e in log], [("POST", "secret/data/a", 200)])
        self.assertNotIn("hunter2", json.dumps(log))
        written = [json.loads(line) for line in self.log_file.read_text().splitlines()]
        self.assertEqual(written, log, "every line is there when its answer is")


if __name__ == "__main__":
    unittest.main()
