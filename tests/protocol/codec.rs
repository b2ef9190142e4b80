//! The codec of values against one that we did not write: PyPI `pyvider-cty`, through `tests/fakes/codec/oracle.py`.
//!
//! In one direction our bytes must be those of the oracle and the oracle must read them as the value that was meant; in
//! the other we read what the oracle wrote. Where the oracle is not right the case says so and tests less.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rdsaccess::protocol::codec::{decode, encode, type_from_json, type_to_json};
use rdsaccess::value::{DynamicValue, Number, Refinement, Type, Value};
use serde_json::{Value as Json, json};
use tfplugin_proto::tfplugin6;

/// What is compared in a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compare {
    /// Bytes and meaning
    Bytes,
    /// Meaning only
    Meaning,
}

fn number(text: &str) -> Value {
    Value::Number(text.parse().unwrap())
}

fn refined(refinement: Refinement) -> Value {
    Value::Unknown(Box::new(refinement))
}

fn dynamic(kind: Type, value: Value) -> Value {
    Value::Dynamic(Box::new(DynamicValue { kind, value }))
}

fn map(entries: &[(&str, Value)]) -> Value {
    Value::Map(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
}

fn object(entries: &[(&str, Value)]) -> Value {
    Value::Object(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
}

#[test]
fn simple_values_are_those_of_the_oracle() {
    let mut oracle = Oracle::start();
    for kind in [Type::Bool, Type::Number, Type::String, Type::list(Type::Bool), Type::Dynamic] {
        oracle.agrees(&Value::Null, &kind, Compare::Bytes);
        oracle.agrees(&Value::unknown(), &kind, Compare::Bytes);
    }
    for value in [true, false] {
        oracle.agrees(&Value::Bool(value), &Type::Bool, Compare::Bytes);
    }
    let long = "ä".repeat(40_000);
    for text in ["", "a", "Größe", "日本語", "🦀\u{200d}", "quote\"back\\slash", "\u{0}\n\t\u{7f}", &long] {
        oracle.agrees(&Value::from(text), &Type::String, Compare::Bytes);
    }
    for length in [31, 32, 255, 256, 65_535, 65_536] {
        oracle.agrees(&Value::from("x".repeat(length)), &Type::String, Compare::Bytes);
    }
}

#[test]
fn numbers_are_those_of_the_oracle() {
    let mut oracle = Oracle::start();
    for power in [5, 7, 8, 15, 16, 31, 32, 53, 62, 63, 64, 100] {
        for near in [-1i128, 0, 1] {
            let edge = (1i128 << power) + near;
            oracle.agrees(&number(&edge.to_string()), &Type::Number, Compare::Bytes);
            oracle.agrees(&number(&(-edge).to_string()), &Type::Number, Compare::Bytes);
        }
    }
    for text in
        ["0", "-0", "0.5", "-1.5", "0.1", "-0.3", "3.14159265358979323846264338327950288", "1e-7", "1e22", "1e30"]
    {
        oracle.agrees(&number(text), &Type::Number, Compare::Bytes);
    }
    for float in [f64::MIN_POSITIVE, f64::EPSILON, -f64::EPSILON, 1.0 / 3.0, 123_456.789, 4_503_599_627_370_495.5] {
        let exact = Number::try_from(float).unwrap();
        oracle.agrees(&Value::Number(exact), &Type::Number, Compare::Bytes);
    }
    oracle.agrees(&number("12345678901234567890123.000000000000000000000000000001"), &Type::Number, Compare::Bytes);
}

#[test]
fn collections_and_structures_are_those_of_the_oracle() {
    let mut oracle = Oracle::start();
    let texts = |texts: &[&str]| texts.iter().map(|&text| Value::from(text)).collect::<Vec<_>>();
    for length in [0, 1, 15, 16, 300, 70_000] {
        let list = Value::List((0..length).map(Value::from).collect());
        oracle.agrees(&list, &Type::list(Type::Number), Compare::Bytes);
    }
    oracle.agrees(
        &Value::List(vec!["a".into(), Value::Null, Value::unknown()]),
        &Type::list(Type::String),
        Compare::Bytes,
    );
    oracle.agrees(
        &Value::Set(texts(&["b", "a", "ä", "Z"]).into_iter().collect()),
        &Type::set(Type::String),
        Compare::Bytes,
    );
    oracle.agrees(&Value::Set([2, 10, -1].map(Value::from).into()), &Type::set(Type::Number), Compare::Bytes);
    oracle.agrees(
        &map(&[("b", Value::from(1)), ("a", Value::unknown()), ("", Value::Null)]),
        &Type::map(Type::Number),
        Compare::Bytes,
    );
    let keys: Vec<(String, Value)> = (0..20).map(|n| (format!("key{n:02}"), Value::Bool(n % 2 == 0))).collect();
    oracle.agrees(&Value::Map(keys.into_iter().collect()), &Type::map(Type::Bool), Compare::Bytes);
    let tuple = Type::Tuple(vec![Type::String, Type::Number, Type::Tuple(vec![])]);
    oracle.agrees(&Value::List(vec!["a".into(), number("0.1"), Value::List(vec![])]), &tuple, Compare::Bytes);

    let inner = Type::object([("zone", Type::String), ("arn", Type::map(Type::list(Type::Bool)))]);
    let outer = Type::object([("one", inner.clone()), ("many", Type::list(inner.clone())), ("set", Type::set(inner))]);
    let element = object(&[("zone", "a".into()), ("arn", map(&[("k", Value::List(vec![true.into()]))]))]);
    let value = object(&[
        ("one", element.clone()),
        ("many", Value::List(vec![element.clone(), Value::Null, Value::unknown()])),
        ("set", Value::Set([element].into())),
    ]);
    oracle.agrees(&value, &outer, Compare::Bytes);
}

/// A set has no order of its own, and that of objects differs between implementations.
#[test]
fn sets_of_objects_mean_the_same() {
    let mut oracle = Oracle::start();
    let kind = Type::set(Type::object([("port", Type::Number), ("cidr", Type::String)]));
    let rule = |port: i64, cidr: Value| object(&[("port", port.into()), ("cidr", cidr)]);
    let value = Value::Set([rule(5432, "10.0.0.0/8".into()), rule(3306, Value::Null), rule(1, "b".into())].into());
    oracle.agrees(&value, &kind, Compare::Meaning);
}

#[test]
fn refinements_are_those_of_the_oracle() {
    let mut oracle = Oracle::start();
    let none = Refinement::default;
    let prefix = |text: &str| Some(text.to_owned());
    let bound = |text: &str, included| Some((text.parse::<Number>().unwrap(), included));
    for refinement in [
        Refinement { null: Some(false), ..none() },
        Refinement { null: Some(false), prefix: prefix("arn:aws:rds:"), ..none() },
        Refinement { prefix: prefix("größe-"), ..none() },
    ] {
        oracle.agrees(&refined(refinement), &Type::String, Compare::Bytes);
    }
    for refinement in [
        Refinement { null: Some(false), lower: bound("0", true), ..none() },
        Refinement { lower: bound("-1.5", false), upper: bound("0.1", true), ..none() },
        Refinement { upper: bound("9223372036854775808", true), ..none() },
    ] {
        oracle.agrees(&refined(refinement), &Type::Number, Compare::Bytes);
    }
    for refinement in [
        Refinement { null: Some(false), shortest: Some(1), longest: Some(70_000), ..none() },
        Refinement { shortest: Some(2), ..none() },
    ] {
        oracle.agrees(&refined(refinement), &Type::list(Type::String), Compare::Bytes);
    }
    let kind = Type::object([("id", Type::String)]);
    let value = object(&[("id", refined(Refinement { null: Some(false), prefix: prefix("sg-"), ..none() }))]);
    oracle.agrees(&value, &kind, Compare::Bytes);
}

#[test]
fn dynamic_values_are_those_of_the_oracle() {
    let mut oracle = Oracle::start();
    let pair = Type::object([("a", Type::list(Type::Number)), ("b", Type::Tuple(vec![Type::Bool, Type::String]))]);
    let pair_value = object(&[("a", Value::List(vec![1.into()])), ("b", Value::List(vec![true.into(), Value::Null]))]);
    for (kind, value) in [
        (Type::String, "x".into()),
        (Type::String, Value::Null),
        (Type::Number, Value::unknown()),
        (Type::Number, number("0.1")),
        (Type::map(Type::Bool), map(&[("k", true.into())])),
        (pair.clone(), pair_value.clone()),
    ] {
        oracle.agrees(&dynamic(kind, value), &Type::Dynamic, Compare::Bytes);
    }
    let kind = Type::object([("any", Type::Dynamic), ("all", Type::Tuple(vec![Type::Dynamic, Type::Dynamic]))]);
    let all = Value::List(vec![dynamic(Type::Bool, false.into()), Value::Null]);
    oracle.agrees(&object(&[("any", dynamic(pair, pair_value)), ("all", all)]), &kind, Compare::Bytes);
}

#[test]
fn texts_and_keys_are_composed_as_the_oracle_does() {
    let mut oracle = Oracle::start();
    for (text, kind) in [
        (Value::from("e\u{301}"), Type::String),
        (map(&[("e\u{301}", true.into())]), Type::map(Type::Bool)),
        (Value::Set(["e\u{301}".into()].into()), Type::set(Type::String)),
    ] {
        let theirs = oracle.encode(&text, &kind);
        assert_eq!(hex::encode(ours(&text, &kind)), hex::encode(theirs), "{kind:?}");
    }
}

/// What the oracle refuses we refuse too, and not by accident.
#[test]
fn bytes_of_another_type_are_refused_by_both() {
    let mut oracle = Oracle::start();
    let object = Type::object([("a", Type::Bool)]);
    for (bytes, kind) in [
        ("a178", Type::Number),
        ("93010203", Type::map(Type::Number)),
        ("80", object.clone()),
        ("82a161c3a162c3", object),
        ("91c0", Type::Tuple(vec![Type::Bool, Type::Bool])),
        ("92a161", Type::list(Type::String)),
        ("c3c3", Type::Bool),
        ("a2ff00", Type::String),
    ] {
        let said = oracle.ask(&json!({ "decode": bytes, "type": type_json(&kind) }));
        assert!(said["error"].is_string(), "the oracle reads {bytes} as {kind:?}: {said}");
        assert!(read(&hex::decode(bytes).unwrap(), &kind).is_err(), "{bytes} as {kind:?}");
    }
}

fn ours(value: &Value, kind: &Type) -> Vec<u8> {
    encode(value, kind).unwrap_or_else(|error| panic!("{value:?}: {error}")).msgpack
}

fn read(msgpack: &[u8], kind: &Type) -> Result<Value, rdsaccess::protocol::codec::Error> {
    decode(Some(&tfplugin6::DynamicValue { msgpack: msgpack.to_vec(), json: Vec::new() }), kind)
}

fn type_json(kind: &Type) -> Json {
    serde_json::from_slice(&type_to_json(kind)).unwrap()
}

/// The value in the words of `oracle.py`.
fn describe(value: &Value) -> Json {
    let all = |values: &mut dyn Iterator<Item = &Value>| values.map(describe).collect::<Vec<_>>();
    let by_name = |values: &std::collections::BTreeMap<String, Value>| {
        Json::Object(values.iter().map(|(name, value)| (name.clone(), describe(value))).collect())
    };
    match value {
        Value::Null => Json::Null,
        Value::Unknown(refinement) => json!({ "unknown": describe_refinement(refinement) }),
        Value::Bool(value) => json!(value),
        Value::Number(number) => json!({ "number": number.to_string() }),
        Value::String(text) => json!(text),
        Value::List(elements) => json!({ "list": all(&mut elements.iter()) }),
        Value::Set(elements) => json!({ "set": all(&mut elements.iter()) }),
        Value::Map(elements) => json!({ "map": by_name(elements) }),
        Value::Object(elements) => json!({ "object": by_name(elements) }),
        Value::Dynamic(dynamic) => {
            json!({ "dynamic": { "type": type_json(&dynamic.kind), "value": describe(&dynamic.value) } })
        }
    }
}

fn describe_refinement(refinement: &Refinement) -> Json {
    let bound = |bound: &(Number, bool)| json!([bound.0.to_string(), bound.1]);
    let fields = [
        ("null", refinement.null.map(Json::from)),
        ("prefix", refinement.prefix.as_deref().map(Json::from)),
        ("lower", refinement.lower.as_ref().map(bound)),
        ("upper", refinement.upper.as_ref().map(bound)),
        ("shortest", refinement.shortest.map(Json::from)),
        ("longest", refinement.longest.map(Json::from)),
    ];
    Json::Object(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
}

/// The same description with the elements of sets in one order.
fn in_order(description: Json) -> Json {
    match description {
        Json::Array(elements) => Json::Array(elements.into_iter().map(in_order).collect()),
        Json::Object(fields) => Json::Object(
            fields
                .into_iter()
                .map(|(word, content)| match (word.as_str(), in_order(content)) {
                    ("set", Json::Array(mut elements)) => {
                        elements.sort_by_key(ToString::to_string);
                        (word, Json::Array(elements))
                    }
                    (_, content) => (word, content),
                })
                .collect(),
        ),
        plain => plain,
    }
}

/// The running program; it ends when its standard input is closed.
struct Oracle {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Oracle {
    /// # Panics
    /// With the command that installs it, when it is not there.
    fn start() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = std::env::var_os("RDSACCESS_PYTHON").map_or_else(|| root.join(".venv/bin/python"), PathBuf::from);
        let mut child = Command::new(&python)
            .arg(root.join("tests/fakes/codec/oracle.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; run scripts/install", python.display()));
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().expect("a pipe"));
        Self { child, stdin, stdout: BufReader::new(stdout) }
    }

    /// Both ways, for one value.
    fn agrees(&mut self, value: &Value, kind: &Type, compare: Compare) {
        let (bytes, theirs) = (ours(value, kind), self.encode(value, kind));
        if compare == Compare::Bytes {
            assert_eq!(hex::encode(&bytes), hex::encode(&theirs), "{value:?} as {kind:?}");
        }
        assert_eq!(read(&theirs, kind).as_ref(), Ok(value), "we read the oracle's bytes {}", hex::encode(&theirs));
        let said = self.ask(&json!({ "decode": hex::encode(&bytes), "type": type_json(kind) }));
        let described = said.get("value").unwrap_or_else(|| panic!("the oracle refuses {value:?}: {said}")).clone();
        assert_eq!(in_order(described), in_order(describe(value)), "the oracle reads {}", hex::encode(&bytes));
    }

    fn encode(&mut self, value: &Value, kind: &Type) -> Vec<u8> {
        assert_eq!(type_from_json(&type_to_json(kind)).as_ref(), Ok(kind));
        let said = self.ask(&json!({ "encode": describe(value), "type": type_json(kind) }));
        let text = said["hex"].as_str().unwrap_or_else(|| panic!("the oracle cannot write {value:?}: {said}"));
        hex::decode(text).unwrap()
    }

    fn ask(&mut self, order: &Json) -> Json {
        let install = "run scripts/install, which brings pyvider-cty into .venv";
        let stdin = self.stdin.as_mut().expect("it is open until the end");
        writeln!(stdin, "{order}").unwrap_or_else(|error| panic!("the oracle ended: {error}; {install}"));
        let mut answer = String::new();
        self.stdout.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("the oracle ended: {error}; {install}"))
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ended = self.child.wait();
    }
}
