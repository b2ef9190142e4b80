"""Logs in as every role and tries what it may and what it may not: CA_BUNDLE DATABASE NEIGHBOUR TABLE.

Runs as the `command` of rdsaccess_notification with `include_secrets`. Ends with 1 at the first surprise. It changes no row:
the statements move none, and the table of `ddl` is dropped again.
"""

import json
import os
import subprocess
import sys

CA, DATABASE, NEIGHBOUR, TABLE = sys.argv[1:]
READ, WRITE = f"SELECT 1 FROM {TABLE}", f"INSERT INTO {TABLE} SELECT * FROM {TABLE} WHERE 1 = 0"
CREATE = "CREATE TABLE boundary_{0} (id int); DROP TABLE boundary_{0}"


def refusal(login, password, database, sql):
    """None when the statement was carried out, else what the server said."""
    host, port, user = login["host"], str(login["port"]), login["user"]
    if "postgres" in json.loads(os.environ["HOOP_AWS_CONNECT_REQUEST"])["database_type"]:
        command = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql,
                   f"host={host} port={port} user={user} dbname={database} sslmode=verify-full sslrootcert={CA}"]
    else:
        command = ["mariadb", "--no-defaults", f"--host={host}", f"--port={port}", f"--user={user}", f"--ssl-ca={CA}",
                   "--ssl-verify-server-cert", database, "-e", sql]
    environment = {**os.environ, "PGPASSWORD": password, "MYSQL_PWD": password}
    done = subprocess.run(command, env=environment, text=True, capture_output=True)
    return None if done.returncode == 0 else " ".join(done.stderr.split()) or "no reason"


def tries(login, level):
    """What is tried, and the words of the refusal that is expected; none where it should work."""
    denied = ("denied",)
    create = CREATE.format(level)
    yield "reads", login["password"], DATABASE, READ, None
    yield "writes", login["password"], DATABASE, WRITE, None if level in ("rw", "ddl") else denied
    yield "creates", login["password"], DATABASE, create, None if level == "ddl" else denied
    yield "reads the neighbour", login["password"], NEIGHBOUR, READ, denied
    yield "enters with another password", "not-" + login["password"], DATABASE, READ, ("denied", "authentication failed")


def main():
    results = json.loads(os.environ["HOOP_AWS_CONNECT_RESPONSE"])["result"]
    count = 0
    for result in results:
        login, level = result["db_credentials"], result["role_suffix_name"]
        for word, password, database, sql, expected in tries(login, level):
            said = refusal(login, password, database, sql)
            if (said is None) != (expected is None) or (said and not any(text in said for text in expected)):
                sys.exit(f"{login['user']} {word}: {'allowed' if said is None else said}")
            print(f"{login['user']} {'' if said is None else 'never '}{word}")
            count += 1
    print(f"{len(results)} roles, {count} logins, no surprise")


if __name__ == "__main__":
    main()
