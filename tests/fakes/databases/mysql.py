"""A real MySQL per fake RDS database, for wishes that ask for it: `.servers/mysql-9.7`, which scripts/servers unpacks."""

from __future__ import annotations

from pathlib import Path

from .mariadb import MariaDb, template_name
from .processes import run_unprivileged, unpacked

# RDS gives its master these through a role, from 8.0.36 on.
SUPERUSER_ROLE = "rds_superuser_role"
ROLE_RIGHTS = "CREATE ROLE, DROP ROLE, APPLICATION_PASSWORD_ADMIN, ROLE_ADMIN, SET_ANY_DEFINER, XA_RECOVER_ADMIN"


class MySql(MariaDb):
    engine = "mysql"

    def program(self) -> list[str]:
        return [str(unpacked("mysql-9.7") / "bin/mysqld"), "--no-defaults"]

    def options(self) -> list[str]:
        plugins = f"--plugin-dir={self.plugins()}"
        return [plugins, "--mysqlx=OFF", "--innodb-redo-log-capacity=8M", "--innodb-use-native-aio=0"]

    def plugins(self) -> Path:
        """A folder with our plugin beside MySQL's own. Without the server's `component_reference_cache` no change of an
        account reaches the memory of caching_sha2_password, and a password that has ended goes on logging in."""
        folder = self.directory / "plugins"
        folder.mkdir(mode=0o755)
        for source in (unpacked("mysql-9.7") / "root/usr/lib/mysql/plugin", unpacked("plugins/mysql")):
            for plugin in source.iterdir():
                (folder / plugin.name).symlink_to(plugin)
        return folder

    def more_for_the_master(self, account: str) -> list[str]:
        return [
            f"CREATE ROLE {SUPERUSER_ROLE}",
            f"GRANT {ROLE_RIGHTS} ON *.* TO {SUPERUSER_ROLE} WITH GRANT OPTION",
            f"GRANT {SUPERUSER_ROLE} TO {account} WITH ADMIN OPTION",
            f"SET DEFAULT ROLE {SUPERUSER_ROLE} TO {account}",
        ]

    def template_name(self) -> str:
        return template_name("mysql", self.program(), b"")

    def build(self, work: Path) -> None:
        command = [*self.program(), "--initialize-insecure", f"--datadir={work}/data", f"--tmpdir={work}"]
        run_unprivileged([*command, "--innodb-redo-log-capacity=8M"], work, work / "build.log")
