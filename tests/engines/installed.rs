//! Where the server programs are: the machine's own packages, else what `scripts/servers` unpacked into `.servers/`.
//!
//! `RDSACCESS_TEST_PG` (`12` to `18`) and `RDSACCESS_TEST_MYSQL` (`mariadb-10.11`, `mariadb-11.8`, `mysql-9.7`) choose
//! the server that the tests start which do not name one themselves.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The MySQL that tests start which are about MySQL.
pub const MYSQL: &str = "mysql-9.7";

const MARIADB: &str = "mariadb-10.11";
const SELECTED_POSTGRES: &str = "RDSACCESS_TEST_PG";
const SELECTED_MYSQL: &str = "RDSACCESS_TEST_MYSQL";

/// The version of PostgreSQL to test on.
pub fn selected_postgres() -> String {
    selected(SELECTED_POSTGRES, "15")
}

/// The MariaDB or MySQL to test on.
pub fn selected_mysql() -> String {
    selected(SELECTED_MYSQL, MARIADB)
}

/// The MariaDB that tests start which are about MariaDB.
pub fn selected_mariadb() -> String {
    Some(selected_mysql()).filter(|name| name.starts_with("mariadb-")).unwrap_or_else(|| MARIADB.to_owned())
}

fn selected(variable: &str, default: &str) -> String {
    std::env::var_os(variable).map_or_else(|| default.to_owned(), |name| name.into_string().expect("a server's name"))
}

/// The folder with `initdb` and `postgres` of a version.
pub fn postgres(version: &str) -> PathBuf {
    debian_postgres(version).unwrap_or_else(|| unpacked(&format!("postgres-{version}")).join("bin"))
}

fn debian_postgres(version: &str) -> Option<PathBuf> {
    let bin = Path::new("/usr/lib/postgresql").join(version).join("bin");
    bin.join("postgres").exists().then_some(bin)
}

/// The newest that Debian installed: it is built with LDAP, which the unpacked ones lack.
pub fn newest_debian_postgres() -> PathBuf {
    (12..40).rev().find_map(|version: u32| debian_postgres(&version.to_string())).unwrap_or_else(|| {
        panic!("there is no PostgreSQL of Debian on this machine; run: scripts/install (package postgresql)")
    })
}

/// The programs of a MariaDB or MySQL.
#[derive(Debug)]
pub struct Programs {
    /// `mariadbd` or `mysqld`
    pub server: PathBuf,
    /// What makes an empty data directory
    pub install: PathBuf,
    /// Whether it is MySQL, not MariaDB
    pub is_mysql: bool,
}

/// The programs of `mariadb-<version>` or `mysql-<version>`.
pub fn mysql(name: &str) -> Programs {
    match name.split_once('-') {
        Some(("mysql", _)) => {
            let server = unpacked(name).join("bin/mysqld");
            Programs { install: server.clone(), server, is_mysql: true }
        }
        Some(("mariadb", version)) => installed_mariadb(version).unwrap_or_else(|| {
            let bin = unpacked(name).join("bin");
            Programs { server: bin.join("mariadbd"), install: bin.join("mariadb-install-db"), is_mysql: false }
        }),
        _ => panic!("{SELECTED_MYSQL}={name} is neither mariadb-<version> nor mysql-<version>"),
    }
}

fn installed_mariadb(version: &str) -> Option<Programs> {
    let places = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<_> = std::env::split_paths(&places).chain(["/usr/sbin".into(), "/usr/bin".into()]).collect();
    let find = |name: &str| places.iter().map(|place| place.join(name)).find(|path| path.exists());
    let (server, install) = (find("mariadbd")?, find("mariadb-install-db")?);
    let said = Command::new(&server).args(["--no-defaults", "--version"]).output().ok()?.stdout;
    let is_wanted = String::from_utf8_lossy(&said).contains(&format!(" {version}."));
    is_wanted.then_some(Programs { server, install, is_mysql: false })
}

/// The folders with the plugins of a server that takes tokens. MySQL needs its own as well: without a component from
/// there it goes on letting changed passwords in, out of its memory.
pub fn plugins_with_auth(name: &str) -> Vec<PathBuf> {
    let is_mysql = mysql(name).is_mysql;
    let own = is_mysql.then(|| unpacked(name).join("root/usr/lib/mysql/plugin"));
    own.into_iter().chain([auth_plugin(is_mysql)]).collect()
}

/// The folder with `aws_auth.so`, the stand-in for RDS's authentication plugin.
fn auth_plugin(is_mysql: bool) -> PathBuf {
    let folder = unpacked(if is_mysql { "plugins/mysql" } else { "plugins/mariadb" });
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fakes/databases/aws_auth.c");
    let changed = |path: &Path| path.metadata().and_then(|file| file.modified()).expect("the age of the plugin");
    let is_current = changed(&folder.join("aws_auth.so")) >= changed(&source);
    assert!(is_current, "the plugin is older than {}; run: scripts/servers", source.display());
    folder
}

/// A folder of `.servers`, as a path that the servers' user can follow.
pub fn unpacked(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".servers").join(name);
    folder.canonicalize().unwrap_or_else(|_| panic!("there is no {name} on this machine; run: scripts/servers {name}"))
}
