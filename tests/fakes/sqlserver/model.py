"""Logins, databases, users and rights, as far as the tests need them.

The rules are those of the reference: DENY wins, fixed roles hold what their pages say, `dbo` is the owner, names are
compared without case. Everything is kept in memory."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, field

from pysqlbridge.tds.result import QueryError

SYSTEM_DATABASES = ("master", "tempdb", "model", "msdb", "rdsadmin")
# The rights that the master user of RDS holds on the server, of those that matter here.
RDS_MASTER = ("CONNECT SQL", "ALTER ANY LOGIN", "ALTER ANY CONNECTION", "ALTER ANY SERVER ROLE", "CREATE ANY DATABASE",
              "VIEW ANY DEFINITION", "VIEW SERVER STATE")
FIXED_ROLES = ("db_owner", "db_accessadmin", "db_securityadmin", "db_ddladmin", "db_backupoperator", "db_datareader",
               "db_datawriter", "db_denydatareader", "db_denydatawriter")
FIXED_RIGHTS = {
    "db_datareader": {"SELECT"},
    "db_datawriter": {"INSERT", "UPDATE", "DELETE"},
    "db_ddladmin": {"CREATE TABLE", "CREATE VIEW", "CREATE PROCEDURE", "CREATE FUNCTION", "CREATE SCHEMA", "ALTER",
                    "REFERENCES"},
}
FIXED_DENIALS = {"db_denydatareader": {"SELECT"}, "db_denydatawriter": {"INSERT", "UPDATE", "DELETE"}}
SERVER_ROLES = ("sysadmin", "securityadmin", "processadmin", "setupadmin", "dbcreator")
# After so many failed logins in a row the policy locks a login.
LOCKOUT = 5
PUBLIC, DBO = 0, 1
# In whose name a sysadmin gives and takes on the server.
SA = 1


def fold(name: str) -> str:
    """The form in which names are compared."""
    return name.rstrip(" ").casefold()


@dataclass
class Login:
    """A principal of the server."""

    name: str
    principal_id: int
    password: str | None
    sid: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    kind: str = "S"
    disabled: bool = False
    default_database: str = "master"
    check_policy: bool = True
    check_expiration: bool = False
    must_change: bool = False
    expired: bool = False
    failures: int = 0
    set_at: float = field(default_factory=time.time)
    server_roles: set[str] = field(default_factory=set)
    rights: dict[str, str] = field(default_factory=lambda: {"CONNECT SQL": "G"})
    # Who gave these, where it was not the administrator; one row a right is all that is kept.
    grantors: dict[str, int] = field(default_factory=dict)
    # Rights on other logins: their id, the right, its state, who gave it.
    on_logins: list[tuple[int, str, str, int]] = field(default_factory=list)

    @property
    def locked(self) -> bool:
        return self.check_policy and self.failures >= LOCKOUT

    def has(self, right: str) -> bool:
        return "sysadmin" in self.server_roles or self.rights.get(right) in ("G", "W")


@dataclass
class User:
    """A user or role of a database."""

    name: str
    principal_id: int
    kind: str = "S"
    sid: bytes = b""
    authentication: int = 1
    owner: int = DBO


@dataclass
class Right:
    """A row of sys.database_permissions."""

    grantee: int
    kind: str
    place: tuple[str, ...]
    name: str
    state: str
    grantor: int = DBO


@dataclass
class Thing:
    """A table, view, procedure, function or sequence."""

    schema: str
    name: str
    kind: str
    object_id: int
    columns: list[str] = field(default_factory=list)
    rows: int = 0
    owner: int | None = None


class Database:
    """One database."""

    def __init__(self, name: str, number: int, owner: bytes) -> None:
        self.name, self.number, self.owner = name, number, owner
        self.state, self.read_only, self.snapshot_of = "ONLINE", False, None
        self.collation = "SQL_Latin1_General_CP1_CI_AS"
        self.users = [User("public", PUBLIC, "R", authentication=0), User("dbo", DBO, sid=owner),
                      User("guest", 2, authentication=0), User("INFORMATION_SCHEMA", 3, authentication=0),
                      User("sys", 4, authentication=0)]
        self.users += [User(role, 16384 + at, "R", authentication=0) for at, role in enumerate(FIXED_ROLES)]
        self.members: set[tuple[int, int]] = set()
        self.rights: list[Right] = [Right(PUBLIC, "default", (), "VIEW ANY COLUMN MASTER KEY DEFINITION", "G")]
        self.schemas: dict[str, tuple[str, int, int]] = {}
        self.things: list[Thing] = []
        self._next = 5
        for at, schema in enumerate(("dbo", "guest", "INFORMATION_SCHEMA", "sys")):
            self.schemas[fold(schema)] = (schema, at + 1, at + 1)

    def number_for(self) -> int:
        self._next += 1
        return self._next

    def find(self, name: str) -> User | None:
        return next((user for user in self.users if fold(user.name) == fold(name)), None)

    def user_of(self, sid: bytes) -> User | None:
        return next((user for user in self.users if user.kind != "R" and user.sid == sid), None)

    def thing(self, schema: str, name: str) -> Thing | None:
        same = lambda thing: fold(thing.schema) == fold(schema) and fold(thing.name) == fold(name)  # noqa: E731
        return next(filter(same, self.things), None)

    def roles_of(self, principal: int) -> set[int]:
        """The roles of a principal, through other roles too, and `public`."""
        found, todo = {PUBLIC}, [principal]
        while todo:
            member = todo.pop()
            new = {role for role, of in self.members if of == member} - found
            found |= new
            todo += new
        return found

    def allows(self, principal: int, right: str, schema: str | None = None, name: str | None = None) -> bool:
        """Whether a principal holds a right on an object, a schema or the database."""
        if principal == DBO:
            return True
        roles = self.roles_of(principal)
        fixed = {user.name for user in self.users if user.principal_id in roles and user.principal_id >= 16384}
        if any(right in FIXED_DENIALS.get(role, ()) for role in fixed):
            return False
        places = [()] + ([(fold(schema),)] if schema else []) + ([(fold(schema), fold(name))] if schema and name else [])
        relevant = [entry for entry in self.rights if entry.grantee in roles | {principal} and entry.name == right
                    and entry.kind != "role" and tuple(map(fold, entry.place)) in places]
        if any(entry.state == "D" for entry in relevant):
            return False
        return ("db_owner" in fixed or any(entry.state in "GW" for entry in relevant)
                or any(right in FIXED_RIGHTS.get(role, ()) for role in fixed))


class Server:
    """All of it, with one lock: batches run one after the other."""

    def __init__(self, admin: tuple[str, str], dba: tuple[str, str], version: str) -> None:
        self.lock = threading.RLock()
        self.released = threading.Condition(self.lock)
        self.version = version
        self.logins: list[Login] = []
        self.databases: list[Database] = []
        self.sessions: dict[int, object] = {}
        self.locks: dict[str, int] = {}
        self._principals, self._databases, self._sessions = 10, 0, 50
        for role in SERVER_ROLES:
            self.logins.append(Login(role, self.number_for(), None, kind="R", rights={}))
        boss = self.add_login(*dba)
        boss.server_roles.add("sysadmin")
        # RDS keeps it disabled.
        sa = self.add_login("sa", secrets.token_hex(16))
        sa.disabled, sa.principal_id = True, SA
        self.admin = self.add_login(*admin)
        self.admin.rights, self.admin.grantors = dict.fromkeys(RDS_MASTER, "G"), dict.fromkeys(RDS_MASTER, SA)
        for name in SYSTEM_DATABASES:
            self.add_database(name, boss)

    def number_for(self) -> int:
        self._principals += 1
        return self._principals

    def session_number(self) -> int:
        self._sessions += 1
        return self._sessions

    def add_login(self, name: str, password: str) -> Login:
        login = Login(name, self.number_for(), password)
        self.logins.append(login)
        return login

    def grantor(self, login: Login) -> int:
        """In whose name a login gives and takes on the server."""
        return SA if "sysadmin" in login.server_roles else login.principal_id

    def add_database(self, name: str, owner: Login) -> Database:
        self._databases += 1
        database = Database(name, self._databases, owner.sid)
        self.databases.append(database)
        return database

    def login(self, name: str) -> Login | None:
        return next((login for login in self.logins if fold(login.name) == fold(name)), None)

    def database(self, name: str) -> Database | None:
        return next((database for database in self.databases if fold(database.name) == fold(name)), None)

    def entrance(self, login: Login, database: Database) -> User | None:
        """The user that a login becomes in a database; `None` when it has no access."""
        if "sysadmin" in login.server_roles:
            return database.find("dbo")
        user = database.user_of(login.sid)
        if user is not None and user.principal_id != DBO and not self._connects(database, user):
            return None
        if user is None and fold(database.name) in ("master", "tempdb", "msdb"):
            return database.find("guest")
        return user

    @staticmethod
    def _connects(database: Database, user: User) -> bool:
        return database.allows(user.principal_id, "CONNECT")

    def admit(self, name: str, password: str, database: str) -> Login:
        """The login of a client. Raises what the server answers to one that it does not let in."""
        login = self.login(name)
        refused = QueryError(f"Login failed for user '{name}'.", number=18456, severity=14)
        if login is None or login.kind != "S":
            raise refused
        if login.locked:
            raise QueryError(f"Login failed for user '{name}' because the account is currently locked out.", number=18486)
        if login.password != password:
            login.failures += 1
            raise refused
        login.failures = 0
        if login.disabled:
            raise QueryError(f"Login failed for user '{name}'. Reason: The account is disabled.", number=18470)
        if login.expired:
            raise QueryError(f"Login failed for user '{name}'. Reason: The password of the account has expired.", number=18487)
        if login.must_change:
            raise QueryError(f"Login failed for user '{name}'. Reason: The password of the account must be changed.",
                             number=18488)
        if login.rights.get("CONNECT SQL") not in ("G", "W"):
            raise refused
        target = self.database(database or login.default_database)
        if target is None or target.state != "ONLINE" or self.entrance(login, target) is None:
            raise QueryError(f'Cannot open database "{database}" requested by the login. The login failed.', number=4060,
                             following=(refused,))
        return login


def check_password(login: Login | None, password: str, policy: bool) -> None:
    """The policy of Windows: eight characters, three classes, not the same again."""
    if len(password) > 128:
        raise QueryError("The password is too long.", number=15117)
    if not policy:
        return
    if len(password) < 8:
        raise QueryError("Password validation failed. The password does not meet the operating system policy "
                         "requirements because it is too short.", number=15116)
    classes = [any(test(c) for c in password) for test in (str.islower, str.isupper, str.isdigit)]
    if sum(classes) + any(not c.isalnum() for c in password) < 3:
        raise QueryError("Password validation failed. The password does not meet the operating system policy "
                         "requirements because it is not complex enough.", number=15118)
    if login is not None and login.password == password:
        raise QueryError("Password validation failed. The password cannot be used at this time.", number=15115)
