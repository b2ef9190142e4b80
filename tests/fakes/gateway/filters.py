"""The filters of the gateway's lists. Most are SQL's LIKE: `%` and `_` stand for others, and case counts."""

import re
import uuid

import rules
from rules import Refusal

LIKE = ("agent_id", "type", "subtype", "managed_by", "resource_name", "name")
PLAIN = ("agent_id", "type", "subtype", "managed_by")


def of_connections(query):
    """The test that GET /connections puts every connection to; refuses what the gateway refuses."""
    wanted = {option: like(query[option].lstrip(" ") if option == "name" else query[option])
              for option in LIKE if _checked(query, option)}
    tags, attributes = _listed(query, "tags"), _listed(query, "attribute")
    identifiers = [_identifier(i) for i in map(str.strip, query.get("connection_ids", "").split(",")) if i]
    search = like(f"%{query.get('search', '').strip()}%", re.IGNORECASE)
    selected = _selector(query.get("tag_selector", ""))
    searched = ("name", "subtype", "type", "resource_name", "status")

    def matches(connection):
        return (all(pattern(connection[option] or "") for option, pattern in wanted.items())
                and (not identifiers or connection["id"] in identifiers)
                and set(tags) <= set(connection["tags"])
                and (not attributes or bool(set(attributes) & set(connection["attributes"])))
                and any(search(connection[field]) for field in searched)
                and selected(connection["connection_tags"]))
    return matches


def of_resources(query):
    """The test that GET /resources puts every resource to. Unlike that for connections, its search minds the case."""
    name, subtype = like(query.get("name") or "%"), like(query.get("subtype") or "%")
    search = like(f"%{query.get('search', '')}%")
    return lambda r: (name(r["name"]) and subtype(r["subtype"])
                      and any(search(r[field]) for field in ("name", "subtype", "type")))


def like(pattern, flags=0):
    """SQL's LIKE as a function of a text."""
    parts = (".*" if c == "%" else "." if c == "_" else re.escape(c) for c in pattern)
    found = re.compile("".join(parts), flags | re.DOTALL)
    return lambda text: bool(found.fullmatch(text))


def _checked(query, option):
    """Whether the option filters at all. An empty one is refused where its form is checked."""
    if option in PLAIN and option in query and not rules.is_list_option(query[option]):
        raise _bad_option()
    return bool(query.get(option))


def _listed(query, option):
    values = query[option].split(",") if query.get(option) else []
    if not all(map(rules.is_list_option, values)):
        raise _bad_option()
    return values


def _bad_option():
    return Refusal(422, "option values must contain between 1 and 127 alphanumeric characters, "
                        "it may include (-), (_) or (.) characters")


def _identifier(text):
    try:
        uuid.UUID(text)
    except ValueError:
        raise Refusal(422, f"invalid connection ID format: {text}") from None
    return text


def _selector(selector):
    """`key=value` and `key!=value`, joined by commas; both need the key to be there."""
    wanted = []
    for part in filter(None, (p.strip() for p in selector.split(","))):
        operator = "!=" if "!=" in part else "="
        key, found, value = (text.strip() for text in part.partition(operator))
        if not found or not key:
            raise Refusal(500, f'failed listing connections: invalid tag selector "{part}"')
        wanted.append((key, operator == "=", value))
    return lambda tags: all(key in tags and (tags[key] == value) == equal for key, equal, value in wanted)
