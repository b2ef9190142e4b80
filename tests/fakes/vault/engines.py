"""The key-value engines, in memory: what they keep, what they answer, what they refuse."""

import datetime


class Refusal(Exception):
    """An answer that is no success: `errors` in Vault's own form, or a whole body."""

    def __init__(self, status, *errors, body=None):
        super().__init__(status, *errors)
        self.status = status
        self.body = {"errors": list(errors)} if body is None else body


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def stamp(moment):
    """As Go prints a time: nine digits, `Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z" if moment else ""


class Version1:
    """Names and values, nothing else."""

    version = "1"

    def __init__(self):
        self.values = {}

    def exists(self, path):
        return path in self.values

    def answer(self, method, path, body, _query):
        if method == "LIST":
            return 200, {"keys": listed(self.values, path)}
        if method == "GET":
            if path not in self.values:
                raise Refusal(404)
            return 200, self.values[path]
        if method in ("POST", "PUT"):
            if not body:
                raise Refusal(400, "missing data fields")
            self.values[path] = body
            return 204, None
        if method == "DELETE":
            self.values.pop(path, None)
            return 204, None
        raise Refusal(405, "unsupported operation")


class Version2:
    """Versions with check-and-set, soft deletion and metadata."""

    version = "2"

    def __init__(self):
        self.secrets = {}
        self.config = {"max_versions": 0, "cas_required": False, "delete_version_after": "0s"}

    def exists(self, path):
        """For the choice between `create` and `update`: as Vault, by what lies below the part of the path."""
        part, _, name = path.partition("/")
        secret = self.secrets.get(name)
        if part == "data":
            return bool(secret and secret["versions"])
        return bool(secret) or part in ("delete", "undelete", "destroy", "config")

    def answer(self, method, path, body, query):
        part, _, name = path.partition("/")
        if part == "config" and not name:
            return self._config(method, body)
        if not name and not (part == "metadata" and method == "LIST"):
            raise Refusal(404, body=_warning("Invalid path for a versioned K/V secrets engine."))
        if part == "metadata":
            return self._metadata(method, name, body)
        if part == "data":
            return self._data(method, name, body, query)
        if part in ("delete", "undelete", "destroy") and method in ("POST", "PUT"):
            return self._versions(part, name, body)
        raise Refusal(404, body=_warning("Invalid path for a versioned K/V secrets engine. See the API docs."))

    def _config(self, method, body):
        if method == "GET":
            return 200, dict(self.config)
        self.config.update({key: value for key, value in body.items() if key in self.config})
        return 204, None

    def _data(self, method, name, body, query):
        secret = self.secrets.get(name)
        if method == "GET":
            return self._read(secret, int(query.get("version", 0)))
        if method == "DELETE":
            newest = secret and secret["versions"].get(secret["current"])
            if newest and not newest["destroyed"] and not newest["deleted"]:
                newest["deleted"] = now()
            return 204, None
        if method not in ("POST", "PUT"):
            raise Refusal(405, "unsupported operation")
        if not isinstance(body.get("data"), dict):
            raise Refusal(400, "no data provided")
        return self._write(name, body)

    def _read(self, secret, wanted):
        number = secret and (wanted or secret["current"])
        version = secret and secret["versions"].get(number)
        if not version:
            raise Refusal(404)
        found = {"data": version["data"], "metadata": {**_shown(version), "version": number,
                                                       "custom_metadata": secret["custom_metadata"]}}
        if version["destroyed"] or _is_over(version["deleted"]):
            raise Refusal(404, body=_whole({**found, "data": None}))
        return 200, found

    def _write(self, name, body):
        secret = self.secrets.get(name)
        current = secret["current"] if secret else 0
        cas = (body.get("options") or {}).get("cas")
        if cas is None and (self.config["cas_required"] or (secret and secret["cas_required"])):
            raise Refusal(400, "check-and-set parameter required for this call")
        if cas is not None and int(cas) != current:
            raise Refusal(400, "check-and-set parameter did not match the current version")
        secret = self.secrets.setdefault(name, _new())
        secret["current"] += 1
        secret["updated"] = now()
        version = {"data": body["data"], "created": now(), "deleted": None, "destroyed": False}
        secret["versions"][secret["current"]] = version
        keep = secret["max_versions"] or self.config["max_versions"] or 10
        for number in sorted(secret["versions"])[:-keep]:
            del secret["versions"][number]
        shown = {**_shown(version), "version": secret["current"], "custom_metadata": secret["custom_metadata"]}
        return 200, shown

    def _versions(self, part, name, body):
        secret = self.secrets.get(name)
        if not body.get("versions"):
            raise Refusal(400, "No version number provided")
        for number in body["versions"] if secret else []:
            version = secret["versions"].get(int(number))
            if version and part == "destroy":
                version.update(destroyed=True, data=None)
            elif version and not version["destroyed"]:
                if part == "undelete" or not version["deleted"]:
                    version["deleted"] = now() if part == "delete" else None
        return 204, None

    def _metadata(self, method, name, body):
        secret = self.secrets.get(name)
        if method == "LIST":
            return 200, {"keys": listed(self.secrets, name)}
        if method == "GET":
            if not secret:
                raise Refusal(404)
            versions = {str(number): _shown(version) for number, version in secret["versions"].items()}
            return 200, {"cas_required": secret["cas_required"], "created_time": stamp(secret["created"]),
                         "current_version": secret["current"], "custom_metadata": secret["custom_metadata"],
                         "delete_version_after": secret["delete_version_after"],
                         "max_versions": secret["max_versions"],
                         "oldest_version": min(secret["versions"], default=0),
                         "updated_time": stamp(secret["updated"]), "versions": versions}
        if method == "DELETE":
            self.secrets.pop(name, None)
            return 204, None
        if method not in ("POST", "PUT"):
            raise Refusal(405, "unsupported operation")
        if "custom_metadata" in body:
            _check_custom(body["custom_metadata"])
        secret = self.secrets.setdefault(name, _new())
        for key in ("max_versions", "cas_required", "delete_version_after", "custom_metadata"):
            if key in body:
                secret[key] = body[key]
        return 204, None


def _new():
    moment = now()
    return {"current": 0, "versions": {}, "custom_metadata": None, "max_versions": 0, "cas_required": False,
            "delete_version_after": "0s", "created": moment, "updated": moment}


def _shown(version):
    return {"created_time": stamp(version["created"]), "deletion_time": stamp(version["deleted"]),
            "destroyed": version["destroyed"]}


def _is_over(deleted):
    return deleted is not None and deleted <= now()


def _check_custom(custom):
    """The limits of Vault: 64 entries, keys of 1 to 128 bytes, printable values of 1 to 512 bytes."""
    problem = "custom_metadata validation failed"
    if not isinstance(custom, dict) or not all(isinstance(value, str) for value in custom.values()):
        raise Refusal(400, f"{problem}: not a map of texts")
    if len(custom) > 64:
        raise Refusal(400, f"{problem}: payload must contain at most 64 keys, provided {len(custom)}")
    for key, value in custom.items():
        if not (0 < len(key.encode()) <= 128 and 0 < len(value.encode()) <= 512):
            raise Refusal(400, f"{problem}: length of key {key!r} or of its value")
        if not (key.isprintable() and value.isprintable()):
            raise Refusal(400, f"{problem}: key {key!r} or its value contains unprintable characters")


def listed(names, folder):
    """One level below a folder; folders end with `/`."""
    prefix = folder.rstrip("/") + "/" if folder.strip("/") else ""
    found = set()
    for name in names:
        if name.startswith(prefix):
            head, slash, _ = name[len(prefix):].partition("/")
            found.add(head + slash)
    if not found:
        raise Refusal(404)
    return sorted(found)


def _whole(data):
    return {"request_id": "", "lease_id": "", "renewable": False, "lease_duration": 0, "data": data,
            "wrap_info": None, "warnings": None, "auth": None}


def _warning(text):
    return {**_whole(None), "warnings": [text]}
