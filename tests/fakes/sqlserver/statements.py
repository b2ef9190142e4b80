"""The statements that the tests send: reading them and doing what they say.

Only the forms that a provider of roles, its tests and their administrator use are known; anything else is a syntax
error. A batch runs with the settings of the reference's defaults, except that the first error always ends it, as under
XACT_ABORT ON, and that a transaction must end in the batch that began it."""

from __future__ import annotations

import copy
import time

from pysqlbridge.tds.result import QueryError, QueryResult

from . import catalog
from .lexer import Reader, Token, statements, syntax_error
from .model import DBO, FIXED_ROLES, Database, Login, Right, Server, Thing, User, check_password, fold

NOTHING = QueryResult(columns=[], rows=[])
SERVER_RIGHTS = {"CONNECT SQL", "ALTER ANY LOGIN", "VIEW SERVER STATE", "VIEW ANY DEFINITION", "ALTER ANY DATABASE",
                 "CREATE ANY DATABASE", "ALTER TRACE", "VIEW ANY DATABASE"}
MODULES = {"PROCEDURE": ("P", "EXECUTE"), "FUNCTION": ("FN", "EXECUTE"), "VIEW": ("V", "SELECT"),
           "SEQUENCE": ("SO", "UPDATE"), "TABLE": ("U", "SELECT")}


def run(server: Server, session, sql: str) -> QueryResult:
    """Runs a batch. Either all of a transaction happens or nothing."""
    found = []
    with server.lock:
        saved = None
        try:
            for statement in statements(sql):
                words = [token.value for token in statement[:2]]
                if words[0] == "BEGIN":
                    saved = copy.deepcopy((server.logins, server.databases))
                elif words[0] in ("COMMIT", "ROLLBACK"):
                    saved = None
                else:
                    answer = Execution(server, session, Reader(statement), statement).run()
                    found += [answer] if answer.columns else []
        except QueryError:
            if saved is not None:
                _restore(server, session, saved)
            raise
        if saved is not None:
            raise QueryError("this stand-in has no transactions over several batches", number=50000)
    if not found:
        return NOTHING
    return QueryResult(found[0].columns, found[0].rows, following=tuple(found[1:]))


def _restore(server: Server, session, saved) -> None:
    server.logins, server.databases = saved
    for other in server.sessions.values():
        other.login = server.login(other.login.name) or other.login
        other.database = server.database(other.database.name) or other.database
    server.admin = server.login(server.admin.name)


class Execution:
    """One statement on its way."""

    def __init__(self, server: Server, session, reader: Reader, tokens: list[Token]) -> None:
        self.server, self.session, self.reader, self.tokens = server, session, reader, tokens

    @property
    def database(self) -> Database:
        return self.session.database

    def run(self) -> QueryResult:
        reader = self.reader
        words = [token.value for token in self.tokens[:3]]
        method = getattr(self, "_" + "_".join(words[:2]).lower(), None) if len(words) > 1 else None
        method = method or getattr(self, "_" + words[0].lower(), None)
        if self.tokens[0].kind != "word" or method is None:
            raise syntax_error(self.tokens[0].raw)
        reader.word()
        if method.__name__.count("_") > 1:
            reader.word()
        return method() or NOTHING

    # --- settings and queries ------------------------------------------------------------------------------------

    def _set(self) -> None:
        """XACT_ABORT, LOCK_TIMEOUT and the like: taken as they come."""

    def _select(self) -> QueryResult:
        values = [token.value for token in self.tokens]
        if "FROM" in values:
            place = Reader(self.tokens[values.index("FROM") + 1 :])
            database, schema, name = self._three_part(place)
            if fold(schema) != "sys":
                return self._read(database, schema, name)
            if name.startswith("dm_") and not self.session.login.has("VIEW SERVER STATE"):
                raise QueryError("VIEW SERVER STATE permission was denied on object 'server', database 'master'.", number=300)
        return catalog.answer(self.server, self.session, self.tokens)

    def _read(self, database: str | None, schema: str, name: str) -> QueryResult:
        thing = self._use((database, schema, name), "SELECT")
        columns = [catalog.Column(column, catalog.NVarChar(100)) for column in thing.columns or ["a"]]
        return QueryResult(columns, [["1"] * len(columns)] * thing.rows)

    def _insert(self) -> None:
        self.reader.take("INTO")
        self._use(self._three_part(self.reader), "INSERT").rows += 1
        self.reader.rest()

    def _update(self) -> None:
        self._use(self._three_part(self.reader), "UPDATE")
        self.reader.rest()

    def _delete(self) -> None:
        self.reader.expect("FROM")
        self._use(self._three_part(self.reader), "DELETE").rows = 0
        self.reader.rest()

    def _truncate_table(self) -> None:
        self._use(self._three_part(self.reader), "ALTER").rows = 0

    def _use(self, place: tuple[str | None, str, str], right: str) -> Thing:
        database, user = self._enter(place[0])
        _, schema, name = place
        thing = database.thing(schema, name)
        if thing is None:
            raise QueryError(f"Invalid object name '{schema}.{name}'.", number=208)
        if not database.allows(user.principal_id, right, thing.schema, thing.name):
            raise QueryError(f"The {right} permission was denied on the object '{name}', database "
                             f"'{database.name}', schema '{schema}'.", number=229, severity=14)
        return thing

    def _enter(self, name: str | None) -> tuple[Database, User]:
        """The database of a name in three parts, and who the login is there."""
        if name is None or fold(name) == fold(self.database.name):
            return self.database, self.session.user
        database = self.server.database(name)
        user = database and self.server.entrance(self.session.login, database)
        if not user:
            raise QueryError(f'The server principal "{self.session.login.name}" is not able to access the database '
                             f'"{name}" under the current security context.', number=916)
        return database, user

    @staticmethod
    def _two_part(reader: Reader) -> tuple[str, str]:
        first = reader.name()
        return (first, reader.name()) if reader.take(".") else ("dbo", first)

    @classmethod
    def _three_part(cls, reader: Reader) -> tuple[str | None, str, str]:
        schema, name = cls._two_part(reader)
        return (schema, name, reader.name()) if reader.take(".") else (None, schema, name)

    # --- locks of applications -----------------------------------------------------------------------------------

    def _declare(self) -> None:
        self.session.variables[self.reader.word()] = None
        self.reader.rest()

    def _exec(self) -> None:
        variable = self.reader.word() if self.reader.peek().startswith("@") else None
        if variable:
            self.reader.expect("=")
        schema, name = self._two_part(self.reader)
        if fold(schema) != "sys":
            self._use((None, schema, name), "EXECUTE")
            return
        arguments = self._arguments()
        if name == "sp_getapplock":
            self.session.variables[variable] = self._take_lock(arguments["@RESOURCE"], int(arguments["@LOCKTIMEOUT"]))
        elif name == "sp_releaseapplock":
            self._release_lock(arguments["@RESOURCE"])
        else:
            raise QueryError(f"Could not find stored procedure '{name}'.", number=2812)

    def _execute_as(self) -> None:
        """Only what sys.dm_exec_sessions shows of it: rights stay those of the caller."""
        self.reader.expect("LOGIN", "=")
        self.session.acts_as = self._login(self.reader.text(), "find").sid

    def _arguments(self) -> dict[str, str]:
        found = {}
        while not self.reader.ended:
            name = self.reader.word()
            self.reader.expect("=")
            found[name] = self.reader.rest_value()
            self.reader.take(",")
        return found

    def _take_lock(self, name: str, milliseconds: int) -> int:
        deadline = time.monotonic() + milliseconds / 1000
        while self.server.locks.get(name, self.session.number) != self.session.number:
            if not self.server.released.wait(max(deadline - time.monotonic(), 0)):
                return -1
        self.server.locks[name] = self.session.number
        return 0

    def _release_lock(self, name: str) -> None:
        if self.server.locks.get(name) != self.session.number:
            raise QueryError(f"Cannot release the application lock '{name}' because it is not currently held.", number=1223)
        del self.server.locks[name]
        self.server.released.notify_all()

    def _kill(self) -> None:
        number = self.reader.number()
        if not self.session.login.has("ALTER ANY CONNECTION"):
            raise QueryError("User does not have permission to use the KILL statement.", number=6102)
        other = self.server.sessions.get(number)
        if other is None:
            raise QueryError(f"Process ID {number} is not an active process ID.", number=6106)
        other.end()

    # --- logins --------------------------------------------------------------------------------------------------

    def _manages_logins(self, name: str, verb: str) -> None:
        if not self.session.login.has("ALTER ANY LOGIN"):
            raise QueryError(f"Cannot {verb} the login '{name}', because it does not exist or you do not have "
                             "permission.", number=15151)

    def _create_login(self) -> None:
        name = self.reader.name()
        if not self.session.login.has("ALTER ANY LOGIN"):
            raise QueryError("User does not have permission to perform this action.", number=15247)
        if self.server.login(name):
            raise QueryError(f"The server principal '{name}' already exists.", number=15025)
        self.reader.expect("WITH")
        login = Login(name, self.server.number_for(), None)
        self._login_options(login)
        self.server.logins.append(login)

    def _alter_login(self) -> None:
        name = self.reader.name()
        self._manages_logins(name, "alter")
        login = self._login(name, "alter")
        if self.reader.take("ENABLE"):
            login.disabled = False
        elif self.reader.take("DISABLE"):
            login.disabled = True
        else:
            self.reader.expect("WITH")
            self._login_options(login)

    def _drop_login(self) -> None:
        name = self.reader.name()
        self._manages_logins(name, "drop")
        login = self._login(name, "drop")
        if any(other.login is login for other in self.server.sessions.values()):
            raise QueryError(f"Could not drop login '{name}' as the user is currently logged in.", number=15434)
        if any(database.owner == login.sid for database in self.server.databases):
            raise QueryError("Server principal owns one or more database(s) and cannot be dropped.", number=15174)
        self.server.logins.remove(login)

    def _login(self, name: str, verb: str) -> Login:
        login = self.server.login(name)
        if login is None or login.kind == "R":
            raise QueryError(f"Cannot {verb} the login '{name}', because it does not exist or you do not have "
                             "permission.", number=15151)
        return login

    def _login_options(self, login: Login) -> None:
        changes: dict[str, object] = {}
        while True:
            option = self.reader.word()
            self.reader.expect("=")
            changes[option] = self.reader.text() if option == "PASSWORD" else self.reader.name()
            while option == "PASSWORD" and self.reader.peek() in ("UNLOCK", "MUST_CHANGE"):
                changes[self.reader.word()] = True
            if not self.reader.take(","):
                break
        if not self.reader.ended:
            raise self.reader.error()
        self._apply_options(login, changes)

    @staticmethod
    def _apply_options(login: Login, changes: dict[str, object]) -> None:
        on = {option: str(value).upper() == "ON" for option, value in changes.items()}
        if login.must_change and "PASSWORD" not in changes and False in (on.get("CHECK_POLICY"), on.get("CHECK_EXPIRATION")):
            raise QueryError("The CHECK_POLICY and CHECK_EXPIRATION options cannot be turned OFF when MUST_CHANGE is ON.",
                             number=15128)
        policy = on.get("CHECK_POLICY", login.check_policy)
        if "PASSWORD" in changes:
            check_password(login, str(changes["PASSWORD"]), policy)
            login.password, login.set_at = str(changes["PASSWORD"]), time.time()
            login.must_change, login.expired = bool(changes.get("MUST_CHANGE")), False
        if changes.get("UNLOCK") or not policy:
            login.failures = 0
        login.check_policy = policy
        login.check_expiration = on.get("CHECK_EXPIRATION", login.check_expiration) and policy
        login.default_database = str(changes.get("DEFAULT_DATABASE", login.default_database))
        if "NAME" in changes:
            login.name = str(changes["NAME"])

    def _alter_server(self) -> None:
        self.reader.expect("ROLE")
        role = self.reader.name()
        verb = self.reader.word()
        self.reader.expect("MEMBER")
        login = self._login(self.reader.name(), "find")
        (login.server_roles.add if verb == "ADD" else login.server_roles.discard)(role)

    # --- users, roles, schemas -----------------------------------------------------------------------------------

    def _manages_users(self) -> None:
        if not self._is_owner():
            raise QueryError("User does not have permission to perform this action.", number=15247)

    def _is_owner(self) -> bool:
        roles = self.database.roles_of(self.session.user.principal_id)
        owner = self.database.find("db_owner").principal_id
        return self.session.user.principal_id == DBO or owner in roles

    def _user(self, name: str, kind: str = "user") -> User:
        user = self.database.find(name)
        if user is None:
            raise QueryError(f"Cannot find the {kind} '{name}', because it does not exist or you do not have permission.",
                             number=15151)
        return user

    def _create_user(self) -> None:
        self._manages_users()
        name = self.reader.name()
        if self.database.find(name):
            raise QueryError(f"User, group, or role '{name}' already exists in the current database.", number=15023)
        user = User(name, self.database.number_for())
        if self.reader.take("WITHOUT", "LOGIN"):
            user.authentication = 0
        else:
            self.reader.expect("FOR", "LOGIN")
            login = self.server.login(self.reader.name())
            if login is None:
                raise QueryError(f"'{name}' is not a valid login or you do not have permission.", number=15007)
            if self.database.user_of(login.sid):
                raise QueryError("The login already has an account under a different user name.", number=15063)
            user.sid = login.sid
        self.database.users.append(user)
        self.database.rights.append(Right(user.principal_id, "database", (), "CONNECT", "G"))

    def _alter_user(self) -> None:
        self._manages_users()
        user = self._user(self.reader.name())
        self.reader.expect("WITH")
        if self.reader.take("NAME", "="):
            user.name = self.reader.name()
            return
        self.reader.expect("LOGIN", "=")
        login = self._login(self.reader.name(), "find")
        if user.authentication != 1:
            raise QueryError("Cannot remap a user of one type to a login of a different type.", number=33016)
        user.sid = login.sid

    def _drop_user(self) -> None:
        self._manages_users()
        user = self._user(self.reader.name())
        if any(owner == user.principal_id for _, _, owner in self.database.schemas.values()):
            raise QueryError("The database principal owns a schema in the database, and cannot be dropped.", number=15138)
        if any(other.kind == "R" and other.owner == user.principal_id for other in self.database.users):
            raise QueryError("The database principal owns a database role and cannot be dropped.", number=15421)
        self.database.users.remove(user)
        self.database.members = {pair for pair in self.database.members if user.principal_id not in pair}
        self.database.rights = [right for right in self.database.rights if right.grantee != user.principal_id]

    def _create_role(self) -> None:
        self._manages_users()
        role = User(self.reader.name(), self.database.number_for(), "R", authentication=0)
        if self.reader.take("AUTHORIZATION"):
            role.owner = self._user(self.reader.name()).principal_id
        self.database.users.append(role)

    def _alter_role(self) -> None:
        role = self._user(self.reader.name(), "role")
        verb = self.reader.word()
        alters = (self.session.user.principal_id, "role", (role.name,), "ALTER")
        if not any((r.grantee, r.kind, r.place, r.name) == alters and r.state in "GW" for r in self.database.rights):
            self._manages_users()
        self.reader.expect("MEMBER")
        pair = (role.principal_id, self._user(self.reader.name()).principal_id)
        (self.database.members.add if verb == "ADD" else self.database.members.discard)(pair)

    def _drop_role(self) -> None:
        self._manages_users()
        role = self._user(self.reader.name(), "role")
        if any(of == role.principal_id for of, _ in self.database.members):
            raise QueryError("The role has members. It must be empty before it can be dropped.", number=15144)
        self.database.users.remove(role)
        self.database.rights = [right for right in self.database.rights if right.grantee != role.principal_id]

    def _create_index(self) -> None:
        self.reader.name()
        self.reader.expect("ON")
        self._use(self._three_part(self.reader), "ALTER")
        self.reader.rest()

    def _create_schema(self) -> None:
        self._needs("CREATE SCHEMA")
        name, owner = self.reader.name(), self.session.user.principal_id
        if self.reader.take("AUTHORIZATION"):
            owner = self._user(self.reader.name()).principal_id
        self.database.schemas[fold(name)] = (name, self.database.number_for(), owner)

    def _alter_authorization(self) -> None:
        self.reader.expect("ON")
        kind = self.reader.word()
        self.reader.expect("::")
        name = self.reader.name()
        self.reader.expect("TO")
        to = self.reader.name()
        if kind == "DATABASE":
            database = self.server.database(name)
            database.owner = database.find("dbo").sid = self._login(to, "find").sid
            return
        self._manages_users()
        owner = self._user(to).principal_id
        if kind == "SCHEMA":
            schema, number, before = self.database.schemas[fold(name)]
            self.database.schemas[fold(name)] = (schema, number, owner)
            lost = lambda right: right.kind in ("schema", "object", "column") and self._is_of(right, name)  # noqa: E731
        else:
            role = self._user(name, "role")
            before, role.owner = role.owner, owner
            lost = lambda right: right.kind == "role" and fold(right.place[0]) == fold(name)  # noqa: E731
        # The reference: all permissions on the target are dropped, with those on what is in it and has no owner.
        if before != owner:
            self.database.rights = [right for right in self.database.rights if not lost(right)]

    def _is_of(self, right: Right, schema: str) -> bool:
        if fold(right.place[0]) != fold(schema):
            return False
        return right.kind == "schema" or self.database.thing(*right.place[:2]).owner is None

    # --- rights --------------------------------------------------------------------------------------------------

    def _grant(self) -> None:
        self._change("G")

    def _deny(self) -> None:
        self._change("D")

    def _revoke(self) -> None:
        self._change("")

    def _change(self, state: str) -> None:
        keeps = self.reader.take("GRANT", "OPTION", "FOR")
        rights = [self.reader.words_until("ON", "TO", "FROM", ",", "(")]
        while self.reader.take(","):
            rights.append(self.reader.words_until("ON", "TO", "FROM", ",", "("))
        if rights[0] in SERVER_RIGHTS:
            return self._change_server(state, rights)
        if self.reader.take("ON", "LOGIN", "::"):
            return self._change_on_login(state, rights)
        kind, place = self._place()
        if not (self.reader.take("TO") or self.reader.take("FROM")):
            raise self.reader.error()
        grantee = self._user(self.reader.name())
        state = "W" if self.reader.take("WITH", "GRANT", "OPTION") else state
        self.reader.take("CASCADE")
        grantor = self._user(self.reader.name()).principal_id if self.reader.take("AS") else DBO
        if not self.reader.ended:
            raise self.reader.error()
        if not self._is_owner():
            raise QueryError("Grantor does not have GRANT permission.", number=4613)
        if state and not self._may_give(grantor, kind, place, rights):
            raise QueryError("Grantor does not have GRANT permission.", number=4613)
        if grantee.name in FIXED_ROLES or grantee.principal_id == DBO:
            raise QueryError("Cannot grant, deny, or revoke permissions to sa, dbo, entity owner, information_schema, sys, "
                             "or yourself.", number=15151)
        for right in rights:
            # A row belongs to who gave it: nobody else's is touched.
            same = lambda entry: (entry.grantee, entry.kind, tuple(map(fold, entry.place)), entry.name, entry.grantor) == (  # noqa: E731
                grantee.principal_id, kind, tuple(map(fold, place)), right, grantor)
            had = any(map(same, self.database.rights))
            self.database.rights = [entry for entry in self.database.rights if not same(entry)]
            if state or (keeps and had):
                self.database.rights.append(Right(grantee.principal_id, kind, place, right, state or "G", grantor))

    def _may_give(self, grantor: int, kind: str, place: tuple[str, ...], rights: list[str]) -> bool:
        """Whether who gives may: `dbo`, the owner of the schema, or one that may pass all of it on."""
        schema = self.database.schemas.get(fold(place[0])) if kind in ("schema", "object", "column") else None
        if grantor == DBO or schema and schema[2] == grantor:
            return True
        return all(any(entry.grantee == grantor and entry.name == right and entry.state == "W" and
                       entry.place in ((), place[:1], place[:2]) for entry in self.database.rights) for right in rights)

    def _place(self) -> tuple[str, tuple[str, ...]]:
        if not self.reader.take("ON"):
            return "database", ()
        if self.reader.take("SCHEMA", "::"):
            name = self.reader.name()
            if fold(name) not in self.database.schemas:
                raise QueryError(f"Cannot find the schema '{name}', because it does not exist or you do not have "
                                 "permission.", number=15151)
            return "schema", (self.database.schemas[fold(name)][0],)
        if self.reader.take("ROLE", "::"):
            return "role", (self._user(self.reader.name(), "role").name,)
        self.reader.take("OBJECT", "::")
        schema, name = self._two_part(self.reader)
        thing = self.database.thing(schema, name)
        if thing is None:
            raise QueryError(f"Cannot find the object '{name}', because it does not exist or you do not have permission.",
                             number=15151)
        if self.reader.take("("):
            column = self.reader.name()
            self.reader.expect(")")
            return "column", (thing.schema, thing.name, column)
        return "object", (thing.schema, thing.name)

    def _change_server(self, state: str, rights: list[str]) -> None:
        if not (self.reader.take("TO") or self.reader.take("FROM")):
            raise self.reader.error()
        login = self._login(self.reader.name(), "find")
        grantor = self._server_grantor()
        for right in rights:
            earlier = login.grantors.get(right, self.server.admin.principal_id) if right in login.rights else grantor
            if earlier != grantor and (not state or login.rights[right] == "D"):
                continue
            login.rights.pop(right, None)
            if state:
                login.rights[right], login.grantors[right] = state, grantor

    def _server_grantor(self) -> int:
        """In whose name a right of the server is given or taken."""
        self.reader.take("CASCADE")
        own = self.server.grantor(self.session.login)
        if not self.reader.take("AS"):
            return own
        named = self.server.login(self.reader.name())
        if named is None or named.principal_id != own and "sysadmin" not in self.session.login.server_roles:
            raise QueryError("Grantor does not have GRANT permission.", number=4613)
        return named.principal_id

    def _change_on_login(self, state: str, rights: list[str]) -> None:
        target = self._login(self.reader.name(), "find")
        if not (self.reader.take("TO") or self.reader.take("FROM")):
            raise self.reader.error()
        login, grantor = self._login(self.reader.name(), "find"), self._server_grantor()
        if self.session.login is not target and "sysadmin" not in self.session.login.server_roles:
            raise QueryError("Grantor does not have GRANT permission.", number=4613)
        for right in rights:
            row = (target.principal_id, right, grantor)
            login.on_logins = [r for r in login.on_logins if (r[0], r[1], r[3]) != row]
            if state:
                login.on_logins.append((target.principal_id, right, state, grantor))

    # --- databases and what is in them ---------------------------------------------------------------------------

    def _create_database(self) -> None:
        if not self.session.login.has("CREATE ANY DATABASE"):
            raise QueryError("CREATE DATABASE permission denied in database 'master'.", number=262)
        self.server.add_database(self.reader.name(), self.session.login)

    def _drop_database(self) -> None:
        database = self.server.database(self.reader.name())
        if any(other.database is database for other in self.server.sessions.values()):
            raise QueryError(f'Cannot drop database "{database.name}" because it is currently in use.', number=3702)
        self.server.databases.remove(database)

    def _alter_database(self) -> None:
        database = self.server.database(self.reader.name())
        self.reader.expect("SET")
        option = self.reader.word()
        if option in ("ONLINE", "OFFLINE"):
            database.state = option
        elif option in ("READ_ONLY", "READ_WRITE"):
            database.read_only = option == "READ_ONLY"
        else:
            raise syntax_error(option)

    def _needs(self, right: str) -> None:
        if not self.database.allows(self.session.user.principal_id, right):
            raise QueryError(f"{right} permission denied in database '{self.database.name}'.", number=262, severity=14)

    def _create_table(self) -> None:
        self._needs("CREATE TABLE")
        self._make("TABLE")

    def _create_view(self) -> None:
        self._needs("CREATE VIEW")
        self._make("VIEW")

    def _create_procedure(self) -> None:
        self._needs("CREATE PROCEDURE")
        self._make("PROCEDURE")

    def _create_function(self) -> None:
        self._needs("CREATE FUNCTION")
        self._make("FUNCTION")

    def _create_sequence(self) -> None:
        self._needs("ALTER")
        self._make("SEQUENCE")

    def _make(self, kind: str) -> None:
        database, schema, name = self._three_part(self.reader)
        if database is not None and fold(database) != fold(self.database.name):
            raise QueryError("this stand-in makes objects in the current database only", number=50000)
        if self.database.thing(schema, name):
            raise QueryError(f"There is already an object named '{name}' in the database.", number=2714)
        columns = []
        if kind == "TABLE" and self.reader.take("("):
            tokens = self.reader.rest()
            begins = [0] + [at + 1 for at, token in enumerate(tokens) if token.value == ","]
            columns = [tokens[at].value if tokens[at].kind == "name" else tokens[at].raw for at in begins]
        self.database.things.append(Thing(schema, name, MODULES[kind][0], self.database.number_for() + 1000, columns))
        self.reader.rest()

    def _alter_table(self) -> None:
        self._use(self._three_part(self.reader), "ALTER")
        self.reader.rest()

    def _drop_table(self) -> None:
        self.database.things.remove(self._use(self._three_part(self.reader), "ALTER"))
