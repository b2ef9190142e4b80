//! The four engines, and how RDS's engine names map to them.

use std::fmt;
use std::str::FromStr;

use super::Invalid;

/// A database engine whose roles the provider can manage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EngineKind {
    /// PostgreSQL and Aurora PostgreSQL
    Postgres,
    /// MySQL and Aurora MySQL
    Mysql,
    /// MariaDB
    Mariadb,
    /// SQL Server, all editions
    Sqlserver,
}

impl EngineKind {
    /// Every engine, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Postgres, Self::Mysql, Self::Mariadb, Self::Sqlserver];

    /// The word used in HCL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Mariadb => "mariadb",
            Self::Sqlserver => "sqlserver",
        }
    }

    /// The port of an endpoint that names none.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Postgres => 5432,
            Self::Mysql | Self::Mariadb => 3306,
            Self::Sqlserver => 1433,
        }
    }

    /// Maps RDS's `Engine` (`aurora-postgresql`, `sqlserver-ex`, …). `None`: an engine the provider does not manage.
    pub fn from_rds(engine: &str) -> Option<Self> {
        match engine {
            "postgres" | "aurora-postgresql" => Some(Self::Postgres),
            "mysql" | "aurora-mysql" | "aurora" => Some(Self::Mysql),
            "mariadb" => Some(Self::Mariadb),
            "sqlserver-ee" | "sqlserver-se" | "sqlserver-ex" | "sqlserver-web" | "sqlserver-dev-ee" => {
                Some(Self::Sqlserver)
            }
            _ => None,
        }
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for EngineKind {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|k| k.as_str() == text).ok_or_else(|| {
            Invalid::new(format!(
                "`{text}` is not an engine: `postgres`, `mysql`, `mariadb` or `sqlserver` is expected"
            ))
        })
    }
}
