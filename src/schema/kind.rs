//! Rust types that an attribute can have: how they look on the wire and how they are parsed.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use crate::access::{
    Access, AccountId, Arn, Auth, DatabaseName, EngineKind, Expiry, GroupRef, HostPattern, Invalid, ObjectKind,
    ObjectName, PrivilegeName, Region, RoleName, SchemaName, Secret, SecretRef, SecretStage, Span, TlsMode,
};
use crate::report::Report;
use crate::value::{Number, Path, Type, Value};

use super::attribute::{Nesting, Shape};
use super::model::{Model, decode_object};

/// A type of attribute. `decode` gets known, non-null values; problems are collected with their paths.
pub trait Kind: Sized {
    /// Whether the user interface must hide every attribute of this type.
    const SENSITIVE: bool = false;

    /// Type and nesting.
    fn shape() -> Shape;

    /// The words of an enumeration.
    fn words() -> Vec<&'static str> {
        Vec::new()
    }

    /// Parses a known value. `None` with a problem when it does not fit; `None` without one when a part is unknown.
    fn decode(value: &Value, at: &Path, problems: &mut Vec<Report>) -> Option<Self>;

    /// The value on the wire.
    fn encode(&self) -> Value;

    /// The value on the wire, made out of what is here: an inventory of an organization is not held twice.
    fn into_value(self) -> Value {
        self.encode()
    }
}

/// A report about a value that does not fit its attribute.
pub fn misfit(at: &Path, why: impl std::fmt::Display) -> Report {
    Report::error(format!("Invalid value for `{at}`"), crate::report::sentence(&why.to_string())).at(at.clone())
}

impl Kind for bool {
    fn shape() -> Shape {
        Shape::Plain(Type::Bool)
    }

    fn decode(value: &Value, at: &Path, problems: &mut Vec<Report>) -> Option<Self> {
        match value {
            Value::Bool(value) => Some(*value),
            _ => refuse(at, problems, "true or false is expected"),
        }
    }

    fn encode(&self) -> Value {
        Value::Bool(*self)
    }
}

impl Kind for i64 {
    fn shape() -> Shape {
        Shape::Plain(Type::Number)
    }

    fn decode(value: &Value, at: &Path, problems: &mut Vec<Report>) -> Option<Self> {
        match value {
            Value::Number(number) => match number.to_i64() {
                Some(whole) => Some(whole),
                None => refuse(at, problems, "a whole number of at most 64 bits is expected"),
            },
            _ => refuse(at, problems, "a number is expected"),
        }
    }

    fn encode(&self) -> Value {
        Value::Number(Number::from(*self))
    }
}

impl Kind for String {
    fn shape() -> Shape {
        Shape::Plain(Type::String)
    }

    fn decode(value: &Value, at: &Path, problems: &mut Vec<Report>) -> Option<Self> {
        match value {
            Value::String(text) => Some(text.clone()),
            _ => refuse(at, problems, "a text is expected"),
        }
    }

    fn encode(&self) -> Value {
        Value::string(self.as_str())
    }

    fn into_value(self) -> Value {
        Value::String(self)
    }
}

impl Kind for Secret<String> {
    const SENSITIVE: bool = true;

    fn shape() -> Shape {
        Shape::Plain(Type::String)
    }

    fn decode(value: &Value, at: &Path, problems: &mut Vec<Report>) -> Option<Self> {
        String::decode(value, at, problems).map(Self::new)
    }

    fn encode(&self) -> Value {
        Value::string(self.expose().as_str())
    }
}

/// Types that are texts on the wire and are parsed by `FromStr` with the error [`Invalid`](crate::access::Invalid).
#[macro_export]
macro_rules! text_kinds {
    ($($kind:ty $(= $words:expr)?;)*) => {$(
        impl $crate::schema::Kind for $kind {
            fn shape() -> $crate::schema::Shape {
                $crate::schema::Shape::Plain($crate::value::Type::String)
            }

            $(fn words() -> Vec<&'static str> {
                $words.iter().map(|word| word.as_str()).collect()
            })?

            fn decode(
                value: &$crate::value::Value,
                at: &$crate::value::Path,
                problems: &mut Vec<$crate::report::Report>,
            ) -> Option<Self> {
                $crate::schema::parse_text(value, at, problems)
            }

            fn encode(&self) -> $crate::value::Value {
                $crate::value::Value::string(self.to_string())
            }
        }
    )*};
}

/// Parses a text; what does not fit is a problem with the parser's words.
pub fn parse_text<K: FromStr<Err = Invalid>>(value: &Value, at: &Path, problems: &mut Vec<Report>) -> Option<K> {
    match String::decode(value, at, problems)?.parse() {
        Ok(parsed) => Some(parsed),
        Err(why) => refuse(at, problems, why),
    }
}

text_kinds! {
    Arn;
    AccountId;
    Region;
    RoleName;
    DatabaseName;
    GroupRef;
    SchemaName;
    HostPattern;
    ObjectName;
    PrivilegeName;
    Expiry;
    SecretRef;
    Span;
    Access = Access::ALL;
    Auth = Auth::ALL;
    ObjectKind = ObjectKind::ALL;
    EngineKind = EngineKind::ALL;
    TlsMode = TlsMode::ALL;
    SecretStage = SecretStage::ALL;
}

fn refuse<T>(at: &Path, problems: &mut Vec<Report>, why: impl std::fmt::Display) -> Option<T> {
    problems.push(misfit(at, why));
    None
}

impl<M: Model> Kind for M {
    fn shape() -> Shape {
        Shape::Nested(Nesting::Single, M::attributes())
    }

    fn decode(value: &Value, at: &Path, problems: &mut Vec<Report>) -> Option<Self> {
        match value {
            Value::Object(_) => Some(decode_object(value, at, problems)),
            _ => refuse(at, problems, "an object is expected"),
        }
    }

    fn encode(&self) -> Value {
        self.to_value()
    }

    fn into_value(self) -> Value {
        Value::Object(self.into_fields())
    }
}

/// The shape of a collection of this element.
fn collection<K: Kind>(nesting: Nesting, plain: fn(Type) -> Type) -> Shape {
    match K::shape() {
        Shape::Plain(kind) => Shape::Plain(plain(kind)),
        Shape::Nested(Nesting::Single, attributes) => Shape::Nested(nesting, attributes),
        nested @ Shape::Nested(..) => Shape::Plain(plain(nested.wire_type())),
    }
}

/// Decodes the elements of a collection; `None` when one of them is unknown, null or does not fit.
fn elements<'v, K: Kind>(
    values: impl Iterator<Item = (Path, &'v Value)>,
    problems: &mut Vec<Report>,
) -> Option<Vec<K>> {
    let mut decoded = Some(Vec::new());
    for (path, value) in values {
        let element = match value {
            Value::Unknown(_) => None,
            Value::Null => refuse(&path, problems, "an element must not be null"),
            known => K::decode(known, &path, problems),
        };
        decoded = decoded.zip(element).map(|(mut all, element)| {
            all.push(element);
            all
        });
    }
    decoded
}

impl<K: Kind> Kind for Vec<K> {
    const SENSITIVE: bool = K::SENSITIVE;

    fn shape() -> Shape {
        collection::<K>(Nesting::List, Type::list)
    }

    fn words() -> Vec<&'static str> {
        K::words()
    }

    fn decode(value: &Value, at: &Path, problems: &mut Vec<Report>) -> Option<Self> {
        match value {
            Value::List(list) => elements(list.iter().enumerate().map(|(i, v)| (at.index(i), v)), problems),
            _ => refuse(at, problems, "a list is expected"),
        }
    }

    fn encode(&self) -> Value {
        Value::List(self.iter().map(Kind::encode).collect())
    }

    fn into_value(self) -> Value {
        Value::List(self.into_iter().map(Kind::into_value).collect())
    }
}

impl<K: Kind + Ord> Kind for BTreeSet<K> {
    const SENSITIVE: bool = K::SENSITIVE;

    fn shape() -> Shape {
        collection::<K>(Nesting::Set, Type::set)
    }

    fn words() -> Vec<&'static str> {
        K::words()
    }

    fn decode(value: &Value, at: &Path, problems: &mut Vec<Report>) -> Option<Self> {
        match value {
            Value::Set(set) => {
                elements(set.iter().map(|v| (at.clone(), v)), problems).map(|all| all.into_iter().collect())
            }
            _ => refuse(at, problems, "a set is expected"),
        }
    }

    fn encode(&self) -> Value {
        Value::Set(self.iter().map(Kind::encode).collect())
    }

    fn into_value(self) -> Value {
        Value::Set(self.into_iter().map(Kind::into_value).collect())
    }
}

impl<K: Kind> Kind for BTreeMap<String, K> {
    const SENSITIVE: bool = K::SENSITIVE;

    fn shape() -> Shape {
        collection::<K>(Nesting::Map, Type::map)
    }

    fn words() -> Vec<&'static str> {
        K::words()
    }

    fn decode(value: &Value, at: &Path, problems: &mut Vec<Report>) -> Option<Self> {
        match value {
            Value::Map(map) => elements(map.iter().map(|(k, v)| (at.key(k), v)), problems)
                .map(|all| map.keys().cloned().zip(all).collect()),
            _ => refuse(at, problems, "a map is expected"),
        }
    }

    fn encode(&self) -> Value {
        Value::Map(self.iter().map(|(key, element)| (key.clone(), element.encode())).collect())
    }

    fn into_value(self) -> Value {
        Value::Map(self.into_iter().map(|(key, element)| (key, element.into_value())).collect())
    }
}
