"""Logs in as every role and tries what it may and what it may not: CA_BUNDLE DATABASE NEIGHBOUR TABLE CONTROL.

Runs as the `command` of rdsaccess_notification with `include_secrets`. CONTROL is the login that may read the neighbour: it
shows that there is something to be refused. Ends with 1 at the first surprise. It changes no row: the statements move none,
and the table of `ddl` is dropped again.
"""

import json
import os
import shutil
import subprocess
import sys

INSTALL = {
    "psql": "apt-get install postgresql-client, dnf install postgresql, brew install libpq",
    "mariadb": "apt-get install mariadb-client, dnf install mariadb, brew install mariadb; mysql serves too",
}


def installed(*programs):
    """The first of the programs that this machine has."""
    for program in programs:
        if shutil.which(program):
            return program
    sys.exit(f"{programs[0]} is not installed: {INSTALL[programs[0]]}")


def postgres(login, database, sql, ca):
    place = f"host={login['host']} port={login['port']} user={login['user']} dbname={database}"
    return [installed("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql,
            f"{place} sslmode=verify-full sslrootcert={ca}"]


def mysql(login, database, sql, ca):
    program = installed("mariadb", "mysql")
    version = subprocess.run([program, "--version"], text=True, capture_output=True).stdout
    # The clients of MariaDB and MySQL have different words for a certificate that is checked with the host's name.
    verify = "--ssl-verify-server-cert" if "MariaDB" in version else "--ssl-mode=VERIFY_IDENTITY"
    return [program, "--no-defaults", "--batch", "--skip-column-names", f"--host={login['host']}", f"--port={login['port']}",
            f"--user={login['user']}", f"--ssl-ca={ca}", verify, database, "-e", sql]


def client(engine):
    """What makes the command of a login on this engine."""
    if "postgres" in engine:
        return postgres
    if "mysql" in engine or "mariadb" in engine:
        return mysql
    sys.exit(f"The logins are tried on PostgreSQL, MySQL and MariaDB; for {engine} there is no client here. Nothing is proven.")


def attempt(command, password):
    """What the server gave, and its refusal: None when the statement was carried out."""
    environment = {**os.environ, "PGPASSWORD": password, "MYSQL_PWD": password}
    done = subprocess.run(command, env=environment, text=True, capture_output=True)
    return done.stdout.strip(), None if done.returncode == 0 else " ".join(done.stderr.split()) or "no reason"


def tries(login, level, database, neighbour, table):
    """What is tried, and the words of the refusal that is expected; none where it should work."""
    read, write = f"SELECT 1 FROM {table} LIMIT 1", f"INSERT INTO {table} SELECT * FROM {table} WHERE 1 = 0"
    create = f"CREATE TABLE boundary_{level} (id int); DROP TABLE boundary_{level}"
    denied = ("denied",)
    yield "reads", login["password"], database, read, None
    yield "writes", login["password"], database, write, None if level in ("rw", "ddl") else denied
    yield "creates", login["password"], database, create, None if level == "ddl" else denied
    yield "reads the neighbour", login["password"], neighbour, read, denied
    yield "enters with another password", "not-" + login["password"], database, read, ("denied", "authentication failed")


def main(ca, database, neighbour, table, control):
    command = client(json.loads(os.environ["HOOP_AWS_CONNECT_REQUEST"])["database_type"])
    results = json.loads(os.environ["HOOP_AWS_CONNECT_RESPONSE"])["result"]
    logins = {result["db_credentials"]["user"]: (result["db_credentials"], result["role_suffix_name"]) for result in results}

    login, _ = logins.pop(control)
    rows, said = attempt(command(login, neighbour, f"SELECT 1 FROM {table} LIMIT 1", ca), login["password"])
    if said or not rows:
        sys.exit(f"{control} reads no row of {table} in {neighbour}, so that a refusal there proves nothing: {said or 'it is empty'}")
    print(f"{control} reads the neighbour")

    count = 1
    for login, level in logins.values():
        for word, password, where, sql, expected in tries(login, level, database, neighbour, table):
            _, said = attempt(command(login, where, sql, ca), password)
            if (said is None) != (expected is None) or (said and not any(text in said for text in expected)):
                sys.exit(f"{login['user']} {word}: {'allowed' if said is None else said}")
            print(f"{login['user']} {'' if said is None else 'never '}{word}")
            count += 1
    print(f"a control and {len(logins)} roles, {count} logins, no surprise")


if __name__ == "__main__":
    main(*sys.argv[1:])
