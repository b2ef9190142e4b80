"""What the gateway keeps: connections, resources, agents, plugins. Everything is in memory, under one lock."""

import copy
import datetime
import fnmatch
import threading
import uuid

import rules
from rules import Refusal

PATCHABLE = (
    "command", "type", "subtype", "secret", "agent_id", "reviewers", "redact_types", "tags", "connection_tags",
    *rules.MODES, "guardrail_rules", "jira_issue_template_id", "mandatory_metadata_fields", "attributes",
)


class Store:
    """The state of one organisation."""

    def __init__(self, org_id):
        self.lock = threading.RLock()
        self.org_id = org_id
        self.hide_role_info = False
        self.connections = {}
        self.resources = {}
        self.agents = {}
        self.plugins = {}
        self.guardrails = set()
        self.attributes = {}

    # Agents

    def add_agent(self, name, mode="standard", status="DISCONNECTED"):
        """Creates an agent; its id follows from the organisation and the name."""
        identifier = str(uuid.uuid5(uuid.NAMESPACE_URL, f"agent/{self.org_id}/{name}"))
        if identifier in self.agents:
            raise Refusal(409, "already exists")
        self.agents[identifier] = {"id": identifier, "name": name, "mode": mode, "status": status,
                                   "metadata": {"hostname": f"{name}.internal", "version": "1.0.0",
                                                "platform": "linux/amd64"}}
        return identifier

    def agent(self, name_or_id):
        """One agent, or None; keys of the mode `multi-connection` are never shown."""
        for agent in self.shown_agents():
            if name_or_id in (agent["id"], agent["name"]):
                return agent
        return None

    def shown_agents(self, status=""):
        """Every agent that the API shows."""
        return [a for a in self.agents.values()
                if a["mode"] != "multi-connection" and (not status or a["status"] == status)]

    # Connections

    def find(self, name_or_id):
        """One stored connection by name or id, or None."""
        for connection in self.connections.values():
            if name_or_id in (connection["name"], connection["id"]):
                return connection
        return None

    def create(self, body):
        """POST /connections."""
        rules.bind(body)
        rules.validate(body)
        if self.find(body["name"]):
            raise Refusal(409, "Connection already exists.")
        stored = self._complete(body, "creating", str(uuid.uuid4()), {})
        self.connections[stored["name"]] = stored
        return self.written(stored)

    def replace(self, name_or_id, body):
        """PUT /connections/{nameOrID}: everything that the body leaves out is reset."""
        old = self._writable(name_or_id)
        rules.bind(body)
        rules.validate(body)
        body = {**body, "name": old["name"]}
        stored = self._complete(body, "updating", old["id"], old)
        self.connections[stored["name"]] = stored
        return self.written(stored)

    def patch(self, name_or_id, body):
        """PATCH /connections/{nameOrID}: only some fields, starting from the secrets of connection and resource."""
        old = self._writable(name_or_id)
        rules.bind(body, partial=True)
        rules.validate(body, partial=True)
        changed = {**copy.deepcopy(old), "secret": self._merged_secrets(old)}
        changed.update({k: v for k, v in body.items() if k in PATCHABLE and v is not None})
        stored = self._complete(changed, "patching", old["id"], {**old, "secret": self._merged_secrets(old)})
        self.connections[stored["name"]] = stored
        return self.written(stored)

    def delete(self, name):
        """DELETE /connections/{name}: by name only; the resource stays."""
        connection = self.connections.pop(name, None)
        if connection is None:
            raise Refusal(404, "not found")
        for plugin in self.plugins.values():
            plugin["connections"].pop(connection["id"], None)

    def _writable(self, name_or_id):
        old = self.find(name_or_id)
        if old is None:
            raise Refusal(404, "not found")
        if old["managed_by"]:
            raise Refusal(400, "unable to update a connection managed by its agent")
        return old

    def _complete(self, body, verb, identifier, old):
        """Body to stored form: defaults, secrets, constraints, the resource, the attributes."""
        body = dict(body) if verb == "patching" else rules.with_defaults(dict(body))
        stored_secrets = old.get("secret", {})
        received = _now()
        if self.hide_role_info and old:
            secret = {k: stored_secrets.get(k, "") if v is None else rules.as_text(v)
                      for k, v in body["secret"].items()}
        else:
            secret = {k: rules.as_text(v) for k, v in body["secret"].items()}
        rules.check_database(body, verb, self.agents, self.guardrails)
        resource = body.get("resource_name") or body["name"]
        self.resource_row(resource, body["type"], body.get("subtype") or "", body["agent_id"])
        agent = self.agents[body["agent_id"]]
        return {
            "id": identifier, "name": body["name"], "resource_name": resource, "command": body.get("command") or [],
            "type": body["type"], "subtype": body.get("subtype") or "", "secret": secret,
            "agent_id": body["agent_id"], "managed_by": None,
            "status": "online" if agent["status"] == "CONNECTED" else "offline",
            "reviewers": body.get("reviewers") or [], "redact_types": body.get("redact_types") or [],
            "tags": body.get("tags") or [], "connection_tags": dict(body.get("connection_tags") or {}),
            **{mode: body[mode] for mode in rules.MODES},
            "guardrail_rules": sorted(set(body.get("guardrail_rules") or []) - {""}),
            "jira_issue_template_id": body.get("jira_issue_template_id") or "",
            "force_approve_groups": body.get("force_approve_groups"),
            "access_max_duration": body.get("access_max_duration"),
            "min_review_approvals": body.get("min_review_approvals"),
            "mandatory_metadata_fields": body.get("mandatory_metadata_fields") or [],
            "attributes": self._attach(body.get("attributes") or [], old),
            "secrets_updated_at": _stamp(old, stored_secrets, secret, received),
        }

    def _attach(self, names, old):
        """Creates the attributes that are missing; those of a rule pack stay attached whatever the body says."""
        for name in names:
            self.attributes.setdefault(name, {"managed_by": None, "rulepack": False})
        pack = [n for n in old.get("attributes", []) if self.attributes[n]["rulepack"]]
        return sorted(set(names) | set(pack))

    def _merged_secrets(self, connection):
        return {**self.resources[connection["resource_name"]]["envs"], **connection["secret"]}

    def written(self, connection):
        """The answer to a write: it shows the secrets of the resource under those of the connection."""
        return self.shown({**connection, "secret": self._merged_secrets(connection)}, everything=True)

    def shown(self, connection, admin=True, everything=False):
        """The answer to GET. Who is no admin gets no secrets; hide_role_info blanks all but references."""
        out = copy.deepcopy(connection)
        secret = out["secret"] if admin else {}
        out["default_database"] = "" if self.hide_role_info else rules.decoded(secret.get("envvar:DB", ""))
        out["secret"] = {k: v if not self.hide_role_info or rules.is_reference(v) else None for k, v in secret.items()}
        out["redact_enabled"] = bool(out["redact_types"])
        out["effective_features"] = None
        if not everything:
            kinds = {n: self.attributes[n] for n in out["attributes"]}
            managed = [n for n, kind in kinds.items() if kind["managed_by"]]
            out["attributes"] = [n for n, kind in kinds.items() if not kind["rulepack"]]
            if managed:
                out["managed_attributes"] = managed
        if out["secrets_updated_at"] is None:
            del out["secrets_updated_at"]
        return out

    def list(self, query):
        """GET /connections: filtered, by name, without secrets."""
        found = [c for c in sorted(self.connections.values(), key=lambda c: c["name"]) if _matches(c, query)]
        return [self.shown({**c, "secret": {}}) for c in found]

    # Resources

    def resource_row(self, name, kind, subtype, agent_id=""):
        """The row of that name, made when there is none, as a write of a connection does."""
        return self.resources.setdefault(name, {"id": str(uuid.uuid4()), "name": name, "type": kind,
                                                "subtype": subtype, "agent_id": agent_id, "envs": {}, "created_at": _now()})

    def resource(self, name):
        """One stored resource."""
        if name not in self.resources:
            raise Refusal(404, "resource not found")
        return self.resources[name]

    def shown_resource(self, resource, admin=True):
        """The answer to GET: who is no admin gets no variables."""
        shown = {k: v for k, v in resource.items() if k != "envs"}
        return {**shown, "updated_at": resource["created_at"], "env_vars": resource["envs"] if admin else {}}

    def create_resource(self, body):
        """POST /resources."""
        _bind_resource(body)
        if body["name"] in self.resources:
            raise Refusal(409, "resource name already exists")
        taken = [r["name"] for r in body.get("roles") or [] if self.find(r["name"])]
        if taken:
            raise Refusal(409, f"connection with the same name, {taken[0]}")
        row = self.resource_row(body["name"], body["type"], body.get("subtype") or body["type"])
        row.update(envs=body["env_vars"], agent_id=body.get("agent_id") or "")
        return self.shown_resource(row)

    def replace_resource(self, name, body):
        """PUT /resources/{name}: everything, but type and subtype only while nobody uses it."""
        _bind_resource(body)
        row, subtype = self.resource(name), body.get("subtype") or body["type"]
        if self._uses(name) and (row["type"], row["subtype"]) != (body["type"], subtype):
            raise Refusal(403, "cannot change resource type or subtype with existing connections")
        row.update(type=body["type"], subtype=subtype, envs=body["env_vars"], agent_id=body.get("agent_id") or "")
        return self.shown_resource(row)

    def delete_resource(self, name):
        """DELETE /resources/{name}: only while nobody uses it."""
        self.resource(name)
        if self._uses(name):
            raise Refusal(403, "cannot delete resource with existing connections")
        del self.resources[name]

    def _uses(self, name):
        return any(c["resource_name"] == name for c in self.connections.values())

    # Plugins

    def replace_plugin(self, plugin, connections):
        """PUT /plugins/{name}: the links of ALL connections become these."""
        if plugin not in self.plugins:
            raise Refusal(404, "plugin not found")
        self.plugins[plugin]["connections"] = {}
        for link in connections:
            self.plugin_connection(plugin, link["id"], config=link.get("config") or [])
        return {"id": self.plugins[plugin]["id"], "name": plugin,
                "connections": list(self.plugins[plugin]["connections"].values())}

    def plugin_connection(self, plugin, identifier, config=None, remove=False):
        """GET, PUT (with config) and DELETE (with remove) of /plugins/{name}/conn/{id}."""
        missing = Refusal(404, "either the plugin or the connection does not exist")
        if plugin not in self.plugins:
            raise missing
        links = self.plugins[plugin]["connections"]
        if config is not None:
            if not rules.is_uuid(identifier) or not any(c["id"] == identifier for c in self.connections.values()):
                raise Refusal(500, "failed updating plugin connection: ERROR: insert or update on table "
                                   '"plugin_connections" violates foreign key constraint (SQLSTATE 23503)')
            links[identifier] = {"id": str(uuid.uuid4()), "plugin_id": self.plugins[plugin]["id"],
                                 "connection_id": identifier, "config": config, "updated_at": _now()}
        if identifier not in links:
            raise missing
        return links.pop(identifier) if remove else links[identifier]


def _bind_resource(body):
    missing = [f for f in ("name", "type", "env_vars") if not isinstance(body, dict) or body.get(f) in (None, "")]
    if missing:
        raise Refusal(400, "\n".join(
            f"Key: 'ResourceRequest.{f}' Error:Field validation for '{f}' failed on the 'required' tag" for f in missing))


def _stamp(old, before, after, received):
    """When the secrets were last changed. It is taken before the transaction that makes the resource."""
    if not old:
        return received if after else None
    return old.get("secrets_updated_at") if before == after else received


def _now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat().replace("+00:00", "Z")


def _matches(connection, query):
    for option, field in (("agent_id", "agent_id"), ("type", "type"), ("subtype", "subtype"),
                          ("managed_by", "managed_by"), ("resource_name", "resource_name"), ("name", "name")):
        wanted = query.get(option)
        if not wanted:
            continue
        if option not in ("resource_name", "name") and not rules.is_list_option(wanted):
            raise Refusal(422, "option values must contain between 1 and 127 alphanumeric characters, "
                               "it may include (-), (_) or (.) characters")
        if not fnmatch.fnmatchcase(connection[field] or "", wanted.replace("%", "*")):
            return False
    identifiers = [i.strip() for i in query.get("connection_ids", "").split(",") if i.strip()]
    if identifiers and connection["id"] not in identifiers:
        return False
    attributes = [a for a in query.get("attribute", "").split(",") if a]
    if attributes and not set(attributes) & set(connection["attributes"]):
        return False
    search = query.get("search", "").strip().lower()
    haystack = (connection["name"], connection["subtype"], connection["type"], connection["resource_name"],
                connection["status"])
    if search and not any(search in text.lower() for text in haystack):
        return False
    return _selected(connection["connection_tags"], query.get("tag_selector", ""))


def _selected(tags, selector):
    """`key=value` and `key!=value`, joined by commas; both need the key to be there."""
    for part in filter(None, (p.strip() for p in selector.split(","))):
        operator = "!=" if "!=" in part else "="
        key, found, value = (text.strip() for text in part.partition(operator))
        if not found or not key:
            raise Refusal(500, f'failed listing connections: invalid tag selector "{part}"')
        if key not in tags or (tags[key] == value) != (operator == "="):
            return False
    return True
