"""What the gateway keeps: connections, resources, agents. Everything is in memory, under one lock."""

import copy
import datetime
import threading
import uuid

import filters
import rules
from plugins import Plugins
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
        self.plugins = Plugins(self.connections)
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

    def find(self, name_or_id, groups=("admin",)):
        """One stored connection by name or id, or None; also None when the access control hides it from the groups."""
        for connection in self.connections.values():
            if name_or_id in (connection["name"], connection["id"]):
                return connection if self.plugins.shows(connection, groups) else None
        return None

    def create(self, body):
        """POST /connections."""
        rules.bind(body)
        rules.validate(body)
        if self.find(body["name"]):
            raise Refusal(409, "Connection already exists.")
        return self._stored(self._complete(body, "creating", str(uuid.uuid4()), {}), body.get("attributes"))

    def replace(self, name_or_id, body):
        """PUT /connections/{nameOrID}: everything that the body leaves out is reset."""
        old = self._writable(name_or_id)
        rules.bind(body)
        rules.validate(body)
        body = {**body, "name": old["name"]}
        known = {**old, "secret": self._merged_secrets(old)}
        return self._stored(self._complete(body, "updating", old["id"], known), body.get("attributes"))

    def patch(self, name_or_id, body):
        """PATCH /connections/{nameOrID}: only some fields, starting from the secrets of connection and resource."""
        old = self._writable(name_or_id)
        rules.bind(body, partial=True)
        rules.validate(body, partial=True)
        changed = {**copy.deepcopy(old), "secret": self._merged_secrets(old)}
        changed.update({k: v for k, v in body.items() if k in PATCHABLE and v is not None})
        stored = self._complete(changed, "patching", old["id"], {**old, "secret": self._merged_secrets(old)})
        return self._stored(stored, stored["attributes"] if body.get("attributes") is None else body["attributes"])

    def _stored(self, connection, attributes):
        """Keeps a connection and answers the write, which repeats the attributes as they were sent."""
        self.connections[connection["name"]] = connection
        self.plugins.link_defaults(connection)
        return {**self.written(connection), "attributes": attributes}

    def delete(self, name):
        """DELETE /connections/{name}: by name only; the resource stays."""
        connection = self.connections.pop(name, None)
        if connection is None:
            raise Refusal(404, "not found")
        self.plugins.forget(connection)

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
            "id": identifier, "name": body["name"], "resource_name": resource, "command": body.get("command") or None,
            "type": body["type"], "subtype": body.get("subtype") or "", "secret": secret,
            "agent_id": body["agent_id"], "managed_by": None,
            "status": "online" if agent["status"] == "CONNECTED" else "offline",
            "reviewers": body.get("reviewers") or [], "redact_types": body.get("redact_types") or [],
            "tags": body.get("tags") or [], "connection_tags": dict(body.get("connection_tags") or {}),
            **{mode: body[mode] for mode in rules.MODES},
            "guardrail_rules": sorted({rule.lower() for rule in body.get("guardrail_rules") or []} - {""}),
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

    def read(self, name_or_id, groups):
        """GET /connections/{nameOrID}: the one answer that tells which features act on the connection."""
        connection = self.find(name_or_id, groups)
        if connection is None:
            raise Refusal(404, "not found")
        return {**self.shown(connection, admin="admin" in groups), "effective_features": {
            "guardrails": bool(connection["guardrail_rules"]), "data_masking": False, "ai_session_analyzer": False,
            "jira_templates": bool(connection["jira_issue_template_id"]),
            "mandatory_metadata": bool(connection["mandatory_metadata_fields"]),
            "access_request": {"command": False, "jit": False, "legacy_reviewers": bool(connection["reviewers"])}}}

    def list(self, query, groups=("admin",)):
        """GET /connections: filtered, by name, without secrets and without what the gateway's query leaves out."""
        matches = filters.of_connections(query)
        found = sorted((c for c in self.connections.values() if self.plugins.shows(c, groups) and matches(c)),
                       key=lambda c: c["name"])
        return [self._listed(c, bool(query.get("page") or query.get("page_size"))) for c in found]

    def _listed(self, connection, paged):
        left_out = dict.fromkeys(("force_approve_groups", "access_max_duration", "min_review_approvals",
                                  "secrets_updated_at"))
        if not paged:
            left_out["mandatory_metadata_fields"] = None
        shown = self.shown({**connection, "secret": {}, **left_out})
        shown["attributes"] = [a for a in shown["attributes"] if not self.attributes[a]["managed_by"]]
        return shown

    # Resources

    def resource_row(self, name, kind, subtype, agent_id=""):
        """The row of that name, made when there is none, as a write of a connection does."""
        now = _now()
        return self.resources.setdefault(name, {
            "id": str(uuid.uuid4()), "name": name, "type": kind, "subtype": subtype, "agent_id": agent_id, "envs": {},
            "created_at": now, "updated_at": now})

    def resource(self, name):
        """One stored resource."""
        if name not in self.resources:
            raise Refusal(404, "resource not found")
        return self.resources[name]

    def list_resources(self, query, groups):
        """GET /resources: filtered, by name, each with its connections."""
        matches = filters.of_resources(query)
        return [self._listed_resource(r, groups) for r in sorted(self.resources.values(), key=lambda r: r["name"])
                if matches(r) and self._reachable(r, groups)]

    def _listed_resource(self, resource, groups):
        bare = {"reviewers": None, "redact_types": None, "guardrail_rules": None, "connection_tags": None,
                "attributes": [], "secret": {}}
        roles = [{**self.shown({**c, **bare}), "secret": None if self.hide_role_info else {}, "attributes": None}
                 for c in self._roles(resource["name"])]
        shown = self.shown_resource(resource, groups)
        return {**shown, "roles": roles} if roles else shown

    def _reachable(self, resource, groups):
        roles = self._roles(resource["name"])
        return any(self.plugins.shows(c, groups) for c in roles) if roles else self.plugins.shows(None, groups)

    def shown_resource(self, resource, groups=("admin",)):
        """The answer to GET: only admins and auditors get the variables."""
        shown = {k: v for k, v in resource.items() if k != "envs"}
        return {**shown, "env_vars": resource["envs"] if {"admin", "auditor"} & set(groups) else {}}

    def create_resource(self, body):
        """POST /resources, with a connection for each role."""
        rules.bind_resource(body)
        if body["name"] in self.resources:
            raise Refusal(409, "resource name already exists")
        roles = body.get("roles") or []
        for role in roles:
            if self.find(role["name"]):
                raise Refusal(409, f"connection with the same name, {role['name']}")
        wanted = [self._role(body, role) for role in roles]
        rules.check_resource(body, "creating", self.agents)
        row = self.resource_row(body["name"], body["type"], body.get("subtype") or body["type"])
        row.update(envs=body["env_vars"], agent_id=body.get("agent_id") or "")
        for role in wanted:
            self._stored(self._complete(role, "creating", str(uuid.uuid4()), {}), [])
        return self.shown_resource(row)

    def _role(self, resource, role):
        """The connection that a role of a new resource stands for."""
        modes = dict.fromkeys(rules.MODES, "enabled")
        modes["access_schema"] = "enabled" if role["type"] == "database" else "disabled"
        known = {k: role.get(k) for k in ("name", "type", "subtype", "command", "secret", "attributes")}
        agent = role.get("agent_id") or resource.get("agent_id")
        return {**known, **modes, "agent_id": agent, "resource_name": resource["name"]}

    def replace_resource(self, name, body):
        """PUT /resources/{name}: everything, the name too, but type and subtype only while nobody uses it."""
        rules.bind_resource(body)
        row, subtype = self.resource(name), body.get("subtype") or body["type"]
        if self._roles(name) and (row["type"], row["subtype"]) != (body["type"], subtype):
            raise Refusal(403, "cannot change resource type or subtype with existing connections")
        rules.check_resource(body, "updating", self.agents)
        if body["name"] != name:
            self._rename_resource(name, body["name"])
        row.update(type=body["type"], subtype=subtype, envs=body["env_vars"], agent_id=body.get("agent_id") or "",
                   updated_at=_now())
        return self.shown_resource(row)

    def _rename_resource(self, old, new):
        if new in self.resources:
            raise Refusal(500, "failed updating resource: ERROR: duplicate key value violates unique constraint "
                               "(SQLSTATE 23505)")
        for connection in self._roles(old):
            connection["resource_name"] = new
        row = self.resources[new] = self.resources.pop(old)
        row["name"] = new

    def delete_resource(self, name):
        """DELETE /resources/{name}: only while nobody uses it."""
        self.resource(name)
        if self._roles(name):
            raise Refusal(403, "cannot delete resource with existing connections")
        del self.resources[name]

    def _roles(self, name):
        return [c for c in self.connections.values() if c["resource_name"] == name]


def _stamp(old, before, after, received):
    """When the secrets were last changed. It is taken before the transaction that makes the resource."""
    if not old:
        return received if after else None
    return old.get("secrets_updated_at") if before == after else received


def _now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat().replace("+00:00", "Z")
