"""The gateway's rules for the body of a connection: types, required fields, names, tags, defaults.

Every check raises Refusal with the status that the gateway answers. The order is the gateway's: binding (400), then
validation (422), then what only its database refuses (500).
"""

import base64
import re
import uuid

# The gateway's own patterns, written so that Python's engine does not run away: groups of word characters joined by
# single separators. The gateway asks for a minimum of word characters besides (see `_is_name`).
NAME = re.compile(r"[a-zA-Z0-9_]+(?:[-.][a-zA-Z0-9_]+)*")
TAG_KEY = re.compile(r"[a-zA-Z0-9_]+(?:[-./][a-zA-Z0-9_]+)*")
# No dot, although the message below and the documentation promise one.
TAG_VALUE = re.compile(r"[a-zA-Z0-9\-_+=@/:\s]+", re.ASCII)

MOST_TAGS = 10
LONGEST_NAME = 254
LONGEST_RESOURCE_NAME = 128
MODES = ("access_mode_runbooks", "access_mode_exec", "access_mode_connect", "access_schema")
REQUIRED = ("name", "type", "agent_id", *MODES)
TYPES = ("database", "application", "custom", "httpproxy", "command-line", "postgres", "mysql", "mssql", "tcp")

TEXTS = ("name", "resource_name", "type", "subtype", "agent_id", *MODES, "jira_issue_template_id")
LISTS = (
    "command", "reviewers", "redact_types", "tags", "guardrail_rules", "force_approve_groups",
    "mandatory_metadata_fields", "attributes",
)
NUMBERS = ("access_max_duration", "min_review_approvals")
MAPS = ("secret", "connection_tags")

REFERENCES = ("_aws:", "_envjson:", "_vaultkv1:", "_vaultkv2:", "_aws_iam_rds:")


class Refusal(Exception):
    """An answer that is not a success."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status
        self.message = message


class NoRoute(Refusal):
    """What the router of the gateway answers itself, as plain text, where it knows no such path."""

    def __init__(self):
        super().__init__(404, "404 page not found")


def bind(body, partial=False):
    """Checks the JSON types of the known fields and that the required ones are there; 400 otherwise."""
    if not isinstance(body, dict):
        raise Refusal(400, "json: cannot unmarshal value into a connection")
    for field, value in body.items():
        if value is not None and not _has_its_type(field, value):
            raise Refusal(400, f"json: cannot unmarshal {type(value).__name__} into field {field}")
    if partial:
        return
    _require("Connection", body, *REQUIRED)


def are_texts(value):
    """Whether the value is a list of texts; Go takes null for an empty one."""
    return isinstance(value, list) and all(v is None or isinstance(v, str) for v in value)


def bind_resource(body):
    """Checks the body of a resource; 400 when it does not fit."""
    texts = ("name", "type", "subtype", "agent_id")
    _bind(body, texts, {"env_vars": _is_map_of_texts, "roles": _are_objects})
    _require("ResourceRequest", body, "name", "type")
    if body.get("env_vars") is None:
        _require("ResourceRequest", {}, "env_vars")
    for role in body.get("roles") or []:
        _bind(role, texts, {"command": are_texts, "attributes": are_texts, "secret": lambda v: isinstance(v, dict)})
        _require("ResourceRoleRequest", role, "name", "type")


def bind_plugin(body):
    """Checks the body of a plugin; 400 when it does not fit."""
    _bind(body, ("name",), {"connections": _are_objects, "config": lambda v: isinstance(v, dict)})
    _require("PluginRequest", body, "name")
    if body.get("connections") is None:
        _require("PluginRequest", {}, "connections")
    for link in body["connections"]:
        _bind(link, ("id", "name"), {"config": are_texts})


def bind_agent(body):
    """Checks the body of an agent; 400 when it does not fit."""
    _bind(body, ("name", "mode"), {})
    _require("AgentRequest", body, "name")


def _bind(body, texts, others):
    if not isinstance(body, dict):
        raise Refusal(400, "json: cannot unmarshal value into an object")
    for field, value in body.items():
        fits = (lambda v: isinstance(v, str)) if field in texts else others.get(field, lambda _: True)
        if value is not None and not fits(value):
            raise Refusal(400, f"json: cannot unmarshal {type(value).__name__} into field {field}")


def _require(kind, body, *fields):
    if missing := [f for f in fields if not body.get(f)]:
        raise Refusal(400, "\n".join(
            f"Key: '{kind}.{f}' Error:Field validation for '{f}' failed on the 'required' tag" for f in missing))


def _is_map_of_texts(value):
    return isinstance(value, dict) and all(v is None or isinstance(v, str) for v in value.values())


def _are_objects(value):
    return isinstance(value, list) and all(isinstance(v, dict) for v in value)


def _has_its_type(field, value):
    if field in TEXTS:
        return isinstance(value, str)
    if field in LISTS:
        return are_texts(value)
    if field in NUMBERS:
        return isinstance(value, int) and not isinstance(value, bool)
    if field == "connection_tags":
        return _is_map_of_texts(value)
    if field == "secret":
        return isinstance(value, dict)
    return True


def validate(body, partial=False):
    """The gateway's own validation; 422 with every broken rule of the first group that fails."""
    problems = []
    if not partial and not _is_name(body["name"], 3):
        problems.append("name: it must contain between 3 and 254 alphanumeric characters, "
                        "it may include (-), (_) or (.) characters")
    problems += ["tags: values must contain between 1 and 128 alphanumeric characters, "
                 "it may include (-), (_) or (.) characters"
                 for v in body.get("tags") or [] if not _is_name(v, 1)]
    _refuse(problems)
    tags = body.get("connection_tags") or {}
    if len(tags) > MOST_TAGS:
        _refuse([f"max tag association reached ({MOST_TAGS})"])
    approvals = body.get("min_review_approvals")
    if not partial and approvals is not None and approvals <= 0:
        _refuse(["min review approvals must be greater than 0 or null"])
    _refuse([p for key, value in tags.items() for p in _tag_problems(key, value)])


def _is_name(text, fewest):
    """Groups joined by single `-` or `.`, with at least so many word characters: `a-b` is too short a name."""
    return bool(NAME.fullmatch(text)) and len(text) - text.count("-") - text.count(".") >= fewest


def is_list_option(text):
    """Whether GET /connections takes the text as a filter."""
    return _is_name(text, 2)


def _tag_problems(key, value):
    if not 1 <= len(key.encode()) <= 64 or not TAG_KEY.fullmatch(key):
        yield (f"connection_tags ({key}), keys must contain between 1 and 64 alphanumeric characters, it may include "
               "(-), (_), (/), or (.) characters and it must not end with (-), (/) or (-)")
    if not 1 <= len(value.encode()) <= 256 or not TAG_VALUE.fullmatch(value):
        yield (f"connection_tags ({key}), values must contain between 1 and 256 alphanumeric characters, it may "
               "include space, (-), (_), (/), (+), (@), (:), (=) or (.) characters")


def _refuse(problems):
    if problems:
        raise Refusal(422, "; ".join(problems))


def check_database(body, verb, agents, guardrails):
    """What only the constraints of the gateway's PostgreSQL refuse; the gateway answers 500 with the driver's text."""
    def broken(reason):
        raise Refusal(500, f"failed {verb} connection: failed saving connections, reason=ERROR: {reason}")

    if body["type"] not in TYPES:
        broken('invalid input value for enum enum_connection_type: "%s" (SQLSTATE 22P02)' % body["type"])
    for mode in MODES:
        if body[mode] not in ("enabled", "disabled"):
            broken('invalid input value for enum enum_access_status: "%s" (SQLSTATE 22P02)' % body[mode])
    if len(body["name"]) > LONGEST_NAME:
        broken("value too long for type character varying(254) (SQLSTATE 22001)")
    if len(body.get("resource_name") or body["name"]) > LONGEST_RESOURCE_NAME:
        broken("value too long for type character varying(128) (SQLSTATE 22001)")
    if not is_uuid(body["agent_id"]):
        broken('invalid input syntax for type uuid: "%s" (SQLSTATE 22P02)' % body["agent_id"])
    if (template := body.get("jira_issue_template_id")) and not is_uuid(template):
        broken('invalid input syntax for type uuid: "%s" (SQLSTATE 22P02)' % template)
    if body["agent_id"] not in agents:
        broken('insert or update on table "connections" violates foreign key constraint (SQLSTATE 23503)')
    for rule in body.get("guardrail_rules") or []:
        if rule and rule.lower() not in guardrails:
            raise Refusal(500, f"failed {verb} connection: failed creating guard rail association, reason=ERROR: "
                               "insert violates foreign key constraint (SQLSTATE 23503)")


def check_resource(body, verb, agents):
    """What only the gateway's PostgreSQL refuses of a resource; 500 with the driver's text."""
    def broken(reason):
        raise Refusal(500, f"failed {verb} resource: ERROR: {reason}")

    if len(body["name"]) > LONGEST_RESOURCE_NAME:
        broken("value too long for type character varying(128) (SQLSTATE 22001)")
    if body["type"] not in TYPES:
        broken('invalid input value for enum enum_connection_type: "%s" (SQLSTATE 22P02)' % body["type"])
    if agent := body.get("agent_id"):
        if not is_uuid(agent):
            broken('invalid input syntax for type uuid: "%s" (SQLSTATE 22P02)' % agent)
        if agent not in agents:
            broken('insert or update on table "resources" violates foreign key constraint (SQLSTATE 23503)')


def is_uuid(text):
    """Whether the text is a UUID with hyphens."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def with_defaults(body):
    """Fills in the command of the subtype and the default secrets, as the gateway does before it stores."""
    command, secrets = _defaults_of(body.get("type"), body.get("subtype"))
    body["command"] = body.get("command") or command
    body["secret"] = {**secrets, **(body.get("secret") or {})}
    return body


def _defaults_of(kind, subtype):
    if kind != "database":
        return [], {}
    if subtype == "postgres":
        return ["psql", "-v", "ON_ERROR_STOP=1", "-A", "-F\t", "-P", "pager=off", "-h", "$HOST", "-U", "$USER",
                "--port=$PORT", "$DB"], {}
    if subtype == "mysql":
        return ["mysql", "-h$HOST", "-u$USER", "--port=$PORT", "-D$DB"], {}
    if subtype == "mssql":
        return ["sqlcmd", "--exit-on-error", "--trim-spaces", "-s\t", "-r", "-S$HOST:$PORT", "-U$USER", "-d$DB",
                "-i/dev/stdin"], {"envvar:INSECURE": base64.b64encode(b"false").decode()}
    return [], {}


def as_text(value):
    """The gateway prints every secret value with Go's `%v`: a null outside hide_role_info becomes `<nil>`."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def is_reference(encoded):
    """Whether a stored value points to an external secret; those are shown even when hide_role_info is on."""
    return decoded(encoded).startswith(REFERENCES)


def decoded(encoded):
    """Base64 to text; empty when it is not base64."""
    try:
        return base64.b64decode(encoded, validate=True).decode("utf-8", "replace")
    except ValueError:
        return ""
