"""The catalog views, answered by SQLite: the tables have the columns of Microsoft's reference, so that a query with a
wrong column or join fails here too. T-SQL is translated token by token."""

from __future__ import annotations

import sqlite3
import time
from datetime import datetime, timezone

from pysqlbridge.tds.result import Column, Integer, NVarChar, QueryError, QueryResult, VarBinary

from .lexer import BINARY, MARK, NAME, TEXT, WORD, Token, tokens
from .model import DBO, Database, Login, Server, fold

VIEWS = {
    "server_principals": "principal_id, name, sid, type, is_disabled, default_database_name",
    "sql_logins": "principal_id, name, sid, is_policy_checked, is_expiration_checked",
    "server_role_members": "role_principal_id, member_principal_id",
    "server_permissions": "class, class_desc, major_id, grantee_principal_id, grantor_principal_id, permission_name, state",
    "databases": "database_id, name, collation_name, owner_sid, state_desc, is_read_only, source_database_id, "
                 "is_distributor",
    "database_principals": "principal_id, name, sid, type, authentication_type, owning_principal_id",
    "database_role_members": "role_principal_id, member_principal_id",
    "database_permissions": "class, class_desc, major_id, minor_id, grantee_principal_id, grantor_principal_id, "
                            "permission_name, state",
    "schemas": "schema_id, name, principal_id",
    "objects": "object_id, schema_id, name, type, principal_id",
    "types": "user_type_id, schema_id, name, principal_id",
    "xml_schema_collections": "xml_collection_id, schema_id, name, principal_id",
    "columns": "object_id, column_id, name",
    "dm_exec_sessions": "session_id, login_name, program_name, host_name, security_id, original_security_id",
    "dm_tran_locks": "resource_type, request_status, resource_description, request_session_id",
}
CLASSES = {"database": 0, "object": 1, "column": 1, "schema": 3, "role": 4, "default": 0}
DESCRIBED = {0: "DATABASE", 1: "OBJECT_OR_COLUMN", 3: "SCHEMA", 4: "DATABASE_PRINCIPAL"}


def answer(server: Server, session, statement: list[Token]) -> QueryResult:
    """The rows of a SELECT on catalog views, or on no table at all."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("ATTACH ':memory:' AS sys")
        _fill(connection, server, session)
        _define_functions(connection, server, session)
        cursor = connection.execute(_translate(statement, session.variables))
        return _result(cursor.description or [], cursor.fetchall())
    except sqlite3.Error as error:
        raise QueryError(f"Invalid object, column or syntax: {error}.", number=207) from None
    finally:
        connection.close()


def _translate(statement: list[Token], variables: dict[str, object]) -> str:
    words = []
    for at, token in enumerate(statement):
        if token.kind == NAME:
            words.append('"' + token.value.replace('"', '""') + '"')
        elif token.kind == TEXT:
            words.append("'" + token.value.replace("'", "''") + "'")
        elif token.kind == BINARY:
            words.append(f"X'{token.value}'")
        elif token.kind == WORD and token.value.startswith("@"):
            words.append(str(variables[token.value]))
        elif token.kind == WORD and _is_date_part(statement, at):
            words.append(f"'{token.value}'")
        else:
            words.append(token.raw)
    return " ".join(words)


def _is_date_part(statement: list[Token], at: int) -> bool:
    before = [token.value for token in statement[max(at - 2, 0) : at]]
    return before == ["DATEDIFF", "("]


def _result(description, rows: list[tuple]) -> QueryResult:
    columns = []
    for at, column in enumerate(description):
        values = [row[at] for row in rows if row[at] is not None]
        if values and all(isinstance(value, int) for value in values):
            kind = Integer(4)
        elif values and all(isinstance(value, bytes) for value in values):
            kind = VarBinary(85)
        else:
            kind = NVarChar(4000)
        columns.append(Column(column[0][:128], kind))
    return QueryResult(columns, [list(row) for row in rows])


def _fill(connection: sqlite3.Connection, server: Server, session) -> None:
    tables: dict[str, list[tuple]] = {view: [] for view in VIEWS}
    _fill_server(tables, server, session)
    _fill_database(tables, session.database)
    for view, columns in VIEWS.items():
        connection.execute(f"CREATE TABLE sys.{view} ({columns})")
        marks = ", ".join("?" for _ in columns.split(","))
        connection.executemany(f"INSERT INTO sys.{view} VALUES ({marks})", tables[view])


def _fill_server(tables: dict, server: Server, session) -> None:
    sees_all = session.login.has("VIEW ANY DEFINITION") or session.login.has("ALTER ANY LOGIN")
    by_name = {login.name: login for login in server.logins}
    for login in server.logins:
        if not sees_all and login is not session.login and login.kind != "R":
            continue
        number = login.principal_id
        tables["server_principals"].append(
            (number, login.name, login.sid, login.kind, int(login.disabled), login.default_database))
        if login.kind == "S":
            tables["sql_logins"].append(
                (number, login.name, login.sid, int(login.check_policy), int(login.check_expiration)))
        for role in login.server_roles:
            tables["server_role_members"].append((by_name[role].principal_id, number))
        for right, state in login.rights.items():
            grantor = login.grantors.get(right, server.admin.principal_id)
            tables["server_permissions"].append((100, "SERVER", 0, number, grantor, right, state))
        for target, right, state, grantor in login.on_logins:
            tables["server_permissions"].append((101, "SERVER_PRINCIPAL", target, number, grantor, right, state))
    for database in server.databases:
        tables["databases"].append((database.number, database.name, database.collation, database.owner, database.state,
                                    int(database.read_only), database.snapshot_of, 0))
    for number, other in server.sessions.items():
        tables["dm_exec_sessions"].append(
            (number, other.login.name, other.program, other.host, other.acts_as or other.login.sid, other.login.sid))
    for name, holder in server.locks.items():
        tables["dm_tran_locks"].append(("APPLICATION", "GRANT", f"0:[{name[:32]}]:(0badcafe)", holder))


def _fill_database(tables: dict, database: Database) -> None:
    schemas = {fold(name): number for name, number, _ in database.schemas.values()}
    for user in database.users:
        owner = user.owner if user.kind == "R" else None
        tables["database_principals"].append(
            (user.principal_id, user.name, user.sid or None, user.kind, user.authentication, owner))
    tables["database_role_members"] += database.members
    tables["schemas"] += [(number, name, owner) for name, number, owner in database.schemas.values()]
    for thing in database.things:
        tables["objects"].append((thing.object_id, schemas[fold(thing.schema)], thing.name, thing.kind, thing.owner))
        tables["columns"] += [(thing.object_id, at + 1, name) for at, name in enumerate(thing.columns)]
    for right in database.rights:
        major = minor = 0
        if right.kind == "schema":
            major = schemas[fold(right.place[0])]
        elif right.kind in ("object", "column"):
            thing = database.thing(*right.place[:2])
            major = thing.object_id
            minor = thing.columns.index(right.place[2]) + 1 if right.kind == "column" else 0
        elif right.kind == "role":
            major = database.find(right.place[0]).principal_id
        number = CLASSES[right.kind]
        tables["database_permissions"].append(
            (number, DESCRIBED[number], major, minor, right.grantee, right.grantor, right.name, right.state))
    # Rights of public on the catalog itself, which every database has.
    tables["database_permissions"].append((1, "OBJECT_OR_COLUMN", -105, 0, 0, DBO, "SELECT", "G"))


def _define_functions(connection: sqlite3.Connection, server: Server, session) -> None:
    properties = {"ProductVersion": server.version, "Collation": "SQL_Latin1_General_CP1_CI_AS"}

    def login_property(name: str, what: str):
        login = server.login(name)
        if login is None or login.kind != "S":
            return None
        return {"IsLocked": int(login.locked), "IsMustChange": int(login.must_change), "IsExpired": int(login.expired),
                "PasswordLastSetTime": login.set_at}[what]

    def has_perms(securable, kind, right):
        if securable is None:
            return int(session.login.has(right))
        if _one_name(securable) != session.database.name:
            return None
        user = server.entrance(session.login, session.database)
        roles = {role.name for role in session.database.users
                 if role.principal_id in session.database.roles_of(user.principal_id)}
        return int(user.principal_id == DBO or "db_owner" in roles)

    def has_access(name: str) -> int:
        database = server.database(name)
        return int(database.state == "ONLINE" and server.entrance(session.login, database) is not None)

    def date_difference(part: str, start, end) -> int | None:
        if start is None or end is None:
            return None
        seconds = _moment(end) - _moment(start)
        return int(seconds // {"SECOND": 1, "MINUTE": 60}[part])

    functions = {
        "SERVERPROPERTY": (1, properties.__getitem__),
        "SUSER_SNAME": (0, lambda: session.login.name),
        "LOGINPROPERTY": (2, login_property),
        "HAS_PERMS_BY_NAME": (3, has_perms),
        "HAS_DBACCESS": (1, has_access),
        "DB_NAME": (0, lambda: session.database.name),
        "QUOTENAME": (1, lambda name: "[" + name.replace("]", "]]") + "]" if len(name) <= 128 else None),
        "GETDATE": (0, time.time),
        "GETUTCDATE": (0, time.time),
        "DATEDIFF": (3, date_difference),
        "CHARINDEX": (2, lambda what, text: text.find(what) + 1),
    }
    for name, (count, function) in functions.items():
        connection.create_function(name, count, function)


def _one_name(text: str) -> str | None:
    """The name of a securable, which the server reads as a statement does; `None` where it is not one name."""
    try:
        found = list(tokens(text))
    except QueryError:
        return None
    return found[0].value if len(found) == 1 and found[0].kind == NAME else text if len(found) == 1 else None


def _moment(value) -> float:
    if isinstance(value, str):
        return datetime.strptime(value, "%Y%m%d").replace(tzinfo=timezone.utc).timestamp()
    return float(value)
