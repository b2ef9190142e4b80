"""The gateway's plugins: which there are, and what each is told about single connections."""

import datetime
import uuid

import rules
from rules import Refusal

# An organisation starts with these, and every write of a connection links it to them.
DEFAULTS = ("audit", "editor", "slack", "dlp", "review")
# What these are told comes from the connection itself.
FROM_CONNECTION = {"review": "reviewers", "dlp": "redact_types"}
SEE_EVERYTHING = {"admin", "auditor"}


class Plugins:
    """The plugins of one organisation."""

    def __init__(self, connections):
        self._connections = connections
        self._plugins = {}
        for name in DEFAULTS:
            self.enable(name)

    def enable(self, name):
        """Makes a plugin, unless it is there."""
        self._plugins.setdefault(name, {"id": str(uuid.uuid4()), "connections": {}})

    def disable(self, name):
        """Removes a plugin and what it was told; the API itself has no such route."""
        self._plugins.pop(name, None)

    def shows(self, connection, groups):
        """Whether the access control lets the groups see a connection; without that plugin everybody sees all."""
        if "access_control" not in self._plugins or SEE_EVERYTHING & set(groups):
            return True
        link = connection and self._plugins["access_control"]["connections"].get(connection["id"])
        return bool(link and set(link["config"] or []) & set(groups))

    def link_defaults(self, connection):
        """Links a written connection to the plugins that every organisation has."""
        for name in DEFAULTS:
            config = connection[FROM_CONNECTION[name]] if name in FROM_CONNECTION else None
            links = self._plugins[name]["connections"]
            if name in FROM_CONNECTION and not config:
                links.pop(connection["id"], None)
            elif config or connection["id"] not in links:
                self._link(name, connection["id"], config)

    def forget(self, connection):
        """Removes every link of a connection that is gone."""
        for plugin in self._plugins.values():
            plugin["connections"].pop(connection["id"], None)

    def list(self):
        """GET /plugins."""
        return [self.shown(name) for name in self._plugins]

    def shown(self, name):
        """GET /plugins/{name}: what the links say, without their own ids."""
        plugin = self._plugin(name)
        names = {c["id"]: c["name"] for c in self._connections.values()}
        links = [{"id": link["connection_id"], "name": names[link["connection_id"]], "config": link["config"]}
                 for link in plugin["connections"].values()]
        return {"id": plugin["id"], "name": name, "connections": links, "config": None, "source": None, "priority": 0}

    def create(self, body):
        """POST /plugins. The gateway takes any name."""
        rules.bind_plugin(body)
        if body["name"] in self._plugins:
            raise Refusal(400, "plugin already enabled")
        self.enable(body["name"])
        try:
            return self._replaced(body)
        except Refusal:
            self.disable(body["name"])
            raise

    def replace(self, body):
        """PUT /plugins/{name}: the links of ALL connections become these. The name in the body counts."""
        rules.bind_plugin(body)
        self._plugin(body["name"])
        return self._replaced(body)

    def _replaced(self, body):
        for link in body["connections"]:
            self._check(link.get("id"), "failed updating plugin")
        self._plugins[body["name"]]["connections"] = {}
        for link in body["connections"]:
            if link["id"] not in self._plugins[body["name"]]["connections"]:
                self._link(body["name"], link["id"], link.get("config"))
        for connection in self._connections.values() if body["name"] in FROM_CONNECTION else ():
            told = self._plugins[body["name"]]["connections"].get(connection["id"], {})
            connection[FROM_CONNECTION[body["name"]]] = told.get("config") or []
        return self.shown(body["name"])

    def set(self, name, identifier, body):
        """PUT /plugins/{name}/conn/{id}: by the id of the connection only."""
        config = body.get("config", [])
        if config is not None and not rules.are_texts(config):
            raise Refusal(400, "json: cannot unmarshal the body into a plugin connection")
        if name in FROM_CONNECTION:
            raise Refusal(400, "unable to manage review or dlp plugins, use the connection endpoint instead")
        if name not in self._plugins:
            raise _missing()
        self._check(identifier, "failed updating plugin connection")
        return self._link(name, identifier, config)

    def get(self, name, identifier):
        """GET /plugins/{name}/conn/{id}."""
        return self._links(name, identifier)[identifier]

    def delete(self, name, identifier):
        """DELETE /plugins/{name}/conn/{id}."""
        del self._links(name, identifier)[identifier]

    def _plugin(self, name):
        if name not in self._plugins:
            raise Refusal(404, "plugin not found")
        return self._plugins[name]

    def _links(self, name, identifier):
        links = self._plugins.get(name, {"connections": {}})["connections"]
        if identifier not in links:
            if name in self._plugins and not rules.is_uuid(identifier):
                raise Refusal(500, 'failed fetching plugin connection: ERROR: invalid input syntax for type uuid: '
                                   f'"{identifier}" (SQLSTATE 22P02)')
            raise _missing()
        return links

    def _check(self, identifier, what):
        if not rules.is_uuid(identifier or ""):
            raise Refusal(500, f'{what}: ERROR: invalid input syntax for type uuid: "{identifier}" (SQLSTATE 22P02)')
        if not any(c["id"] == identifier for c in self._connections.values()):
            raise Refusal(500, f'{what}: ERROR: insert or update on table "plugin_connections" violates foreign key '
                               "constraint (SQLSTATE 23503)")

    def _link(self, name, identifier, config):
        plugin = self._plugins[name]
        kept = plugin["connections"].get(identifier, {"id": str(uuid.uuid4())})
        now = datetime.datetime.now(datetime.timezone.utc).isoformat().replace("+00:00", "Z")
        plugin["connections"][identifier] = {"id": kept["id"], "plugin_id": plugin["id"], "connection_id": identifier,
                                             "config": config, "updated_at": now}
        return plugin["connections"][identifier]


def _missing():
    return Refusal(404, "either the plugin or the connection does not exist")
