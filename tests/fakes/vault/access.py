"""Who may do what: tokens with an end, logins, policies."""

import base64
import fnmatch
import hashlib
import hmac
import json
import secrets
import time
from urllib.parse import urlsplit

from engines import Refusal

CAPABILITIES = {"GET": "read", "LIST": "list", "DELETE": "delete", "POST": "update", "PUT": "update"}
ALL = {"*": ["create", "read", "update", "delete", "list"]}


class Token:
    """A token; `ttl` in seconds, 0 for one that does not end."""

    def __init__(self, policy, ttl, renewable=True, namespace="", path="auth/token/create"):
        self.id = f"hvs.{secrets.token_urlsafe(24)}"
        self.accessor = secrets.token_hex(8)
        self.policy, self.ttl, self.renewable = policy, ttl, renewable and ttl > 0
        self.namespace, self.path = namespace, path
        self.born = time.time()
        self.ends = self.born + ttl if ttl else None

    def is_over(self):
        return self.ends is not None and time.time() >= self.ends

    def renew(self):
        if not self.renewable:
            raise Refusal(400, "lease is not renewable")
        self.ends = time.time() + self.ttl

    def auth(self):
        """What a login answers."""
        return {"client_token": self.id, "accessor": self.accessor, "policies": ["default", self.policy],
                "token_policies": ["default", self.policy], "metadata": {}, "lease_duration": self.ttl,
                "renewable": self.renewable, "entity_id": "", "token_type": "service", "orphan": True,
                "mfa_requirement": None, "num_uses": 0}

    def lookup(self):
        left = max(0, int(self.ends - time.time())) if self.ends else 0
        expire = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.ends)) if self.ends else None
        return {"accessor": self.accessor, "creation_time": int(self.born), "creation_ttl": self.ttl,
                "display_name": "token", "entity_id": "", "expire_time": expire, "explicit_max_ttl": 0, "id": self.id,
                "issue_time": None, "meta": None, "num_uses": 0, "orphan": True, "path": self.path,
                "policies": ["default", self.policy], "renewable": self.renewable, "ttl": left, "type": "service"}


class Access:
    """Tokens, policies and the configuration of logins."""

    def __init__(self, root):
        self.policies = {"root": ALL}
        self.tokens = {}
        self.ttl = 3600
        self.approle = {"role_id": "role-of-the-fake", "secret_id": "secret-id-of-the-fake"}
        self.jwts = {"rdsaccess": "eyJhbGciOi.of-the.fake"}
        # Access keys that the fake STS behind this Vault knows, and the header that ties a request to it.
        self.aws = {"role": "rdsaccess", "keys": {}, "server_id": None}
        token = Token("root", 0)
        token.id = root
        self.tokens[root] = token

    def add(self, policy, ttl=None, **more):
        token = Token(policy, self.ttl if ttl is None else ttl, **more)
        self.tokens[token.id] = token
        return token

    def token(self, text, namespace):
        if not text:
            raise Refusal(400, "missing client token")
        token = self.tokens.get(text)
        # A token of a namespace is good there and below.
        inside = token and (not token.namespace or f"{namespace}/".startswith(f"{token.namespace}/"))
        if not inside or token.is_over():
            raise Refusal(403, "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n")
        return token

    def check(self, token, method, path, exists):
        """Refuses what no policy allows. The closest pattern decides; `deny` wins over everything in it."""
        if path.startswith("auth/token/") or path.startswith("sys/internal/ui/mounts"):
            return
        wanted = CAPABILITIES.get(method, "update")
        if wanted == "update" and not exists:
            wanted = "create"
        rules = self.policies.get(token.policy, {})
        fitting = [pattern for pattern in rules if fnmatch.fnmatchcase(path, pattern)]
        allowed = rules[max(fitting, key=lambda pattern: len(pattern.rstrip("*")))] if fitting else []
        if "deny" in allowed or wanted not in allowed:
            raise Refusal(403, "1 error occurred:\n\t* permission denied\n\n")

    def log_in(self, mount, body, namespace):
        """A login by the method that is mounted there."""
        if mount == "approle":
            if {key: body.get(key) for key in self.approle} != self.approle:
                raise Refusal(400, "invalid role or secret ID")
        elif mount == "jwt":
            if not body.get("role") or self.jwts.get(body["role"]) != body.get("jwt"):
                raise Refusal(400, "error validating token: invalid signature")
        elif mount == "aws":
            self._check_signed(body)
        else:
            raise Refusal(403, "permission denied")
        policy = "logged-in" if "logged-in" in self.policies else "root"
        return self.add(policy, namespace=namespace, path=f"auth/{mount}/login")

    def _check_signed(self, body):
        """What the `aws` method and STS together check: role, request, header and signature."""
        if body.get("role") != self.aws["role"]:
            raise Refusal(400, f"entry for role {body.get('role')} not found")
        if body.get("iam_http_request_method") != "POST":
            raise Refusal(400, "missing or invalid iam_http_request_method")
        try:
            url, text, headers = (base64.b64decode(body[f"iam_request_{name}"], validate=True).decode()
                                  for name in ("url", "body", "headers"))
            headers = {key.lower(): value if isinstance(value, str) else value[0]
                       for key, value in json.loads(headers).items()}
        except (KeyError, ValueError) as error:
            raise Refusal(400, f"invalid iam_request: {error}") from error
        if dict(part.split("=", 1) for part in text.split("&")).get("Action") != "GetCallerIdentity":
            raise Refusal(400, "request body contains an action other than GetCallerIdentity")
        host = urlsplit(url).netloc
        if not (host.startswith("sts.") and host.endswith(("amazonaws.com", "amazonaws.com.cn"))):
            raise Refusal(400, "the request is not for STS")
        signed = headers.get("authorization", "").partition("SignedHeaders=")[2].partition(",")[0].split(";")
        server_id = self.aws["server_id"]
        if server_id and (headers.get("x-vault-aws-iam-server-id") != server_id
                          or "x-vault-aws-iam-server-id" not in signed):
            raise Refusal(400, "error validating X-Vault-AWS-IAM-Server-ID header: missing header or wrong value")
        if headers.get("host") != host or not self._signature_fits(headers, signed, text):
            raise Refusal(400, "error making upstream request: received error code 403 from STS")

    def _signature_fits(self, headers, signed, body):
        authorization = headers.get("authorization", "")
        credential = authorization.partition("Credential=")[2].partition(",")[0].split("/")
        if len(credential) != 5 or credential[3:] != ["sts", "aws4_request"]:
            return False
        key, day, region = credential[:3]
        secret = self.aws["keys"].get(key)
        if not secret or not {"host", "x-amz-date"} <= set(signed) or not set(signed) <= set(headers):
            return False
        lines = "".join(f"{name}:{headers[name].strip()}\n" for name in signed)
        canonical = "\n".join(["POST", "/", "", lines, ";".join(signed), hashlib.sha256(body.encode()).hexdigest()])
        scope = f"{day}/{region}/sts/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], scope,
                          hashlib.sha256(canonical.encode()).hexdigest()])
        signing = f"AWS4{secret}".encode()
        for part in (day, region, "sts", "aws4_request"):
            signing = hmac.new(signing, part.encode(), hashlib.sha256).digest()
        wanted = hmac.new(signing, text.encode(), hashlib.sha256).hexdigest()
        return hmac.compare_digest(wanted, authorization.partition("Signature=")[2])
