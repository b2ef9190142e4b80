use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::access::EngineKind;
use crate::schema::{Function, FunctionError, Parameter};
use crate::value::{Type, Value};

use super::{parsed, text};

/// Everything but the unreserved characters of RFC 3986 section 2.3 is encoded.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(super) fn function() -> Function {
    Function {
        name: "connection_uri",
        summary: "Builds a connection URI without a secret",
        description: "Returns `postgresql://user@host:5432/database?sslmode=verify-full` and the like: the scheme is \
                      `postgresql`, `mysql`, `mariadb` or `sqlserver`, user and database are percent-encoded, TLS with \
                      full verification is asked for in the words of the engine's usual clients. A password is never \
                      part of it: give it to the client by its own means.",
        parameters: vec![
            Parameter {
                name: "engine",
                kind: Type::String,
                description: "`postgres`, `mysql`, `mariadb` or `sqlserver`.",
            },
            Parameter { name: "endpoint", kind: Type::String, description: "Host name." },
            Parameter { name: "port", kind: Type::Number, description: "TCP port." },
            Parameter { name: "database", kind: Type::String, description: "Database; may be empty." },
            Parameter { name: "username", kind: Type::String, description: "User name." },
        ],
        variadic: None,
        returns: Type::String,
        call,
    }
}

fn call(arguments: &[Value]) -> Result<Value, FunctionError> {
    let engine: EngineKind = parsed(arguments, 0)?;
    let host = host(text(arguments, 1)?)?;
    let port = port(arguments.get(2))?;
    let database = utf8_percent_encode(text(arguments, 3)?, RESERVED);
    let user = utf8_percent_encode(text(arguments, 4)?, RESERVED);
    Ok(match engine {
        EngineKind::Postgres => format!("postgresql://{user}@{host}:{port}/{database}?sslmode=verify-full"),
        EngineKind::Mysql => format!("mysql://{user}@{host}:{port}/{database}?ssl-mode=VERIFY_IDENTITY"),
        EngineKind::Mariadb => format!("mariadb://{user}@{host}:{port}/{database}?sslMode=verify-full"),
        EngineKind::Sqlserver => {
            format!("sqlserver://{user}@{host}:{port}?database={database}&encrypt=true&trustServerCertificate=false")
        }
    }
    .into())
}

fn host(text: &str) -> Result<&str, FunctionError> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-');
    if plain { Ok(text) } else { Err(FunctionError::argument(1, format!("`{text}` is not a host name"))) }
}

fn port(value: Option<&Value>) -> Result<u16, FunctionError> {
    match value {
        Some(Value::Number(number)) => number.to_i64().and_then(|n| u16::try_from(n).ok()).filter(|p| *p != 0),
        _ => None,
    }
    .ok_or_else(|| FunctionError::argument(2, "a port is a whole number from 1 to 65535"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(engine: &str, database: &str, user: &str) -> String {
        let host = "ledger.abc.eu-central-1.rds.amazonaws.com";
        match call(&[engine.into(), host.into(), 5432.into(), database.into(), user.into()]).unwrap() {
            Value::String(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn names_are_encoded_and_tls_is_verified() {
        assert_eq!(
            uri("postgres", "my db", "a@b/c"),
            "postgresql://a%40b%2Fc@ledger.abc.eu-central-1.rds.amazonaws.com:5432/my%20db?sslmode=verify-full"
        );
        assert!(uri("sqlserver", "app", "u").contains("?database=app&encrypt=true"));
    }

    #[test]
    fn what_is_no_host_or_port_is_refused() {
        let call = |host: &str, port: i64| {
            call(&["mysql".into(), host.into(), port.into(), "".into(), "u".into()]).map_err(|e| e.argument)
        };
        assert_eq!(call("a b", 1), Err(Some(1)));
        assert_eq!(call("host", 0), Err(Some(2)));
        assert_eq!(call("host", 65_536), Err(Some(2)));
        assert!(call("host", 3306).is_ok());
    }
}
