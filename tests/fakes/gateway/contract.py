#!/usr/bin/env python3
"""What Hoop publishes about its HTTP API, as bare facts: routes, parameters, statuses, names and types of fields.

    .venv/bin/python tests/fakes/gateway/contract.py derive <openapiv3.json> <commit>

writes contract.json beside this file from the OpenAPI document at `gateway/api/openapi/openapiv3.json` of
github.com/hoophq/hoop (MIT). No description, example or other text of the document is taken over. contract.json is an
OpenAPI document itself, so that clients which are not ours can generate requests from it and judge the answers.

Where the document says other than the gateway's source at the same commit, MENDED says so, with the place.
"""

import hashlib
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
CONTRACT = HERE / "contract.json"
SOURCE = "https://github.com/hoophq/hoop/blob/{commit}/gateway/api/openapi/openapiv3.json"

# The routes that the stand-in has.
ROUTES = (
    "/agents", "/agents/{nameOrID}", "/connections", "/connections/{nameOrID}", "/connections-tags",
    "/orgs/hide-role-info", "/plugins", "/plugins/{name}", "/plugins/{name}/conn/{id}", "/resources",
    "/resources/{name}",
)
FACTS = ("type", "format", "enum", "required", "readOnly")
# Of the fields that only MCP connections have, the stand-in knows nothing.
UNKNOWN = ("mcp_oauth_flow_id", "mcp_oauth_granted", "mcp_oauth_warning", "mcp_oauth_warnings")

# Go writes null for a pointer, slice or map that is not set; the document has no word for it (openapi/types.go).
NULLABLE_SCALARS = ("access_max_duration", "min_review_approvals", "jit_access_duration_sec", "managed_by", "source")
# Fields that Go leaves out when they are empty (`omitempty` in openapi/types.go). All others are in every answer.
OMITTED = ("jit_access_duration_sec", "managed_attributes", "secrets_updated_at", "roles")
MENDED = {
    "renamed": {"/connections-tags": "/connection-tags"},  # api/server.go has the route without the s
    # The bare arrays of lists without paging (connections.go, resources.go).
    "arrays": {"/connections": "Connection", "/resources": "ResourceResponse"},
    "objects": {"/connection-tags": {"items": "ConnectionTag"}},  # connection_tags.go answers with a list in an object
    # resources.go answers these; agents.go deletes what is not there without a word.
    "statuses": {"POST /resources": ("409",), "PUT /resources/{name}": ("403",), "DELETE /resources/{name}": ("403",),
                 "GET /resources": ("422",)},
    # Answers of every route behind the login (apiroutes/roles.go).
    "everywhere": ("401", "403"),
    # A resource that a connection made has the agent of the connection; one without an agent answers an empty text,
    # and so does a connection without a template of issues.
    "no_format": ("agent_id",),
    # An enum_connection_type of the database has more types than the document (migrations).
    # Any plugin may be made, and the default ones hold a name that the document lacks (models/plugins.go).
    "no_enum": {("Connection", "type"), ("ConnectionPatch", "type"), ("ResourceRoleRequest", "type"),
                ("Plugin", "name")},
}


def main():
    """Derives the contract."""
    if len(sys.argv) != 4 or sys.argv[1] != "derive":
        sys.exit(__doc__)
    raw = pathlib.Path(sys.argv[2]).read_bytes()
    CONTRACT.write_text(written(derived(json.loads(raw), sys.argv[3], hashlib.sha256(raw).hexdigest())))


def written(contract):
    """The committed form: one line per operation and per field."""
    lines = [f'"openapi": {json.dumps(contract["openapi"])}', f'"info": {json.dumps(contract["info"])}']
    paths = ",\n".join(f"{json.dumps(path)}: {{\n" + ",\n".join(
        f"  {json.dumps(method)}: {json.dumps(operation)}" for method, operation in operations.items()) + "}"
        for path, operations in contract["paths"].items())
    schemas = ",\n".join(f"{json.dumps(name)}: {_schema_lines(schema)}"
                         for name, schema in contract["components"]["schemas"].items())
    responses = json.dumps(contract["components"]["responses"])
    lines += [f'"paths": {{\n{paths}}}', f'"components": {{"responses": {responses}, "schemas": {{\n{schemas}}}}}']
    return "{" + ",\n".join(lines) + "}\n"


def _schema_lines(schema):
    fields = ",\n".join(f"    {json.dumps(name)}: {json.dumps(fact)}" for name, fact in schema["properties"].items())
    head = json.dumps({k: v for k, v in schema.items() if k != "properties"})[:-1]
    return f'{head}, "properties": {{\n{fields}}}}}'


def derived(document, commit, sha256):
    """The facts of an OpenAPI document of the gateway."""
    paths = {MENDED["renamed"].get(path, path): document["paths"][path] for path in ROUTES}
    schemas = {}
    contract = {
        "openapi": "3.0.3",
        "info": {"title": "routes of the Hoop gateway that the stand-in has", "version": commit,
                 "x-derived-from": SOURCE.format(commit=commit), "x-sha256-of-source": sha256,
                 "x-licence-of-source": "MIT"},
        "paths": {path: {method: _operation(f"{method.upper()} {path}", operation)
                         for method, operation in sorted(operations.items())} for path, operations in paths.items()},
        "components": {"responses": {"error": {"description": "", "content": _json(_reference("answer", "HTTPError"))}}},
    }
    for use, name in _named(contract):
        _collect(document["components"]["schemas"], use, name, schemas)
    contract["components"]["schemas"] = dict(sorted(schemas.items()))
    return contract


def _operation(route, operation):
    path = route.split(" ")[1]
    facts = {"parameters": [{"name": p["name"], "in": p["in"], "required": p.get("required", False),
                             "schema": {k: v for k, v in p["schema"].items() if k in FACTS and v != "string" or k == "type"}}
                            for p in operation.get("parameters", [])]}
    if body := operation.get("requestBody"):
        facts["requestBody"] = {"required": True, "content": _content("body", body["content"])}
    statuses = {*operation["responses"], *MENDED["statuses"].get(route, ()), *MENDED["everywhere"]}
    facts["responses"] = {status: _answer(path, operation["responses"].get(status, {}), status)
                          for status in sorted(statuses)}
    return facts


def _answer(path, response, status):
    if status >= "400":
        return {"$ref": "#/components/responses/error"}
    if "content" not in response:
        return {"description": ""}
    content = _content("answer", response["content"])
    schema = content["application/json"]["schema"]
    if path in MENDED["arrays"]:
        if "PaginatedResponse" in str(schema):
            array = {"type": "array", "items": _reference("answer", MENDED["arrays"][path])}
            content = _json({"anyOf": [schema, array]})
    for field, name in MENDED["objects"].get(path, {}).items():
        array = {"type": "array", "nullable": True, "items": _reference("answer", name)}
        content = _json({"type": "object", "required": [field], "additionalProperties": False,
                         "properties": {field: array}})
    return {"description": "", "content": content}


def _content(use, content):
    schema = next(iter(content.values()))["schema"]
    if schema.get("type") == "array":
        return _json({"type": "array", "items": _reference(use, _name(schema["items"]))})
    return _json(_reference(use, _name(schema)))


def _json(schema):
    return {"application/json": {"schema": schema}}


def _name(reference):
    return reference["$ref"].rsplit("/", 1)[1]


def _reference(use, name):
    return {"$ref": f"#/components/schemas/{use}.{name.removeprefix('openapi.')}"}


def _named(contract):
    """Every schema that the operations name, as a pair of its use and its name."""
    found = set()

    def walk(value):
        if isinstance(value, dict):
            if "schemas/" in value.get("$ref", ""):
                found.add(tuple(_name(value).split(".", 1)))
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)
    walk(contract)
    return sorted(found)


def _collect(source, use, name, schemas):
    """Adds a schema and those that it names. An answer has all fields but the omitted ones, and no others."""
    key = f"{use}.{name}"
    if key in schemas:
        return
    schema = source.get(f"openapi.{name}") or source[name]
    names = [n for n in schema.get("properties", {}) if n not in UNKNOWN]
    if use == "body":
        names = [n for n in names if not schema["properties"][n].get("readOnly")]
    schemas[key] = facts = {"type": "object"}
    required = [n for n in names if n not in OMITTED] if use == "answer" else schema.get("required", [])
    if required:
        facts["required"] = sorted(required)
    if use == "answer":
        facts["additionalProperties"] = False
    facts["properties"] = {n: _field(source, use, name, n, schema["properties"][n], schemas) for n in sorted(names)}


def _field(source, use, owner, name, field, schemas):
    for part in field.get("allOf", [field]):
        if "$ref" in part:
            _collect(source, use, _name(part).removeprefix("openapi."), schemas)
            reference = _reference(use, _name(part))
            return {"nullable": True, "allOf": [reference]} if use == "answer" else reference
    facts = {k: v for k, v in field.items() if k in FACTS and k != "readOnly"}
    if name in MENDED["no_format"]:
        facts.pop("format", None)
    if (owner, name) in MENDED["no_enum"]:
        facts.pop("enum", None)
    if "items" in field:
        facts["items"] = _field(source, use, owner, "", field["items"], schemas)
    if "additionalProperties" in field:
        values = field["additionalProperties"]
        # A secret may be hidden, which is null.
        facts["additionalProperties"] = {k: v for k, v in values.items() if k in FACTS} or {"nullable": True}
    if use == "answer" and (facts["type"] in ("array", "object") or name in NULLABLE_SCALARS):
        facts["nullable"] = True
    return facts


if __name__ == "__main__":
    main()
