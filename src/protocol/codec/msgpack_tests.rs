use proptest::prelude::*;

use super::*;

fn round_trip(value: &Value, kind: &Type) -> Value {
    decode(&encode(value, kind).unwrap(), kind).unwrap()
}

#[test]
fn bytes_are_those_that_terraform_sends() {
    let number = |text: &str| Value::Number(text.parse().unwrap());
    let cases: Vec<(Value, Type, Vec<u8>)> = vec![
        (Value::Null, Type::String, vec![0xc0]),
        (Value::unknown(), Type::Bool, vec![0xd4, 0, 0]),
        (Value::from(1), Type::Number, vec![1]),
        (Value::from(-1), Type::Number, vec![0xff]),
        (number("1.5"), Type::Number, [vec![0xcb], 1.5f64.to_be_bytes().to_vec()].concat()),
        (number("0.1"), Type::Number, [vec![0xa3], b"0.1".to_vec()].concat()),
        (number("9223372036854775808"), Type::Number, [vec![0xb3], b"9223372036854775808".to_vec()].concat()),
        (Value::List(vec![]), Type::list(Type::String), vec![0x90]),
        (Value::Map(BTreeMap::new()), Type::map(Type::String), vec![0x80]),
        (
            Value::Unknown(Box::new(Refinement {
                null: Some(false),
                prefix: Some("prefix-".to_owned()),
                ..Refinement::default()
            })),
            Type::String,
            [vec![0xc7, 0x0c, 0x0c, 0x82, 0x01, 0xc2, 0x02, 0xa7], b"prefix-".to_vec()].concat(),
        ),
        (
            Value::Dynamic(Box::new(DynamicValue { kind: Type::String, value: Value::unknown() })),
            Type::Dynamic,
            [vec![0x92, 0xc4, 0x08], b"\"string\"".to_vec(), vec![0xd4, 0, 0]].concat(),
        ),
    ];
    for (value, kind, bytes) in cases {
        assert_eq!(encode(&value, &kind).unwrap(), bytes, "{value:?}");
        assert_eq!(decode(&bytes, &kind).unwrap(), value);
    }
}

#[test]
fn collections_of_every_length_have_the_head_that_a_library_writes() {
    for length in [0, 15, 16, 0xffff, 0x1_0000] {
        let numbers = (0..length).map(Value::from).collect::<Vec<_>>();
        let packed = rmpv::Value::Array((0..length).map(rmpv::Value::from).collect());
        assert_eq!(encode(&Value::List(numbers), &Type::list(Type::Number)).unwrap(), write(&packed), "{length}");
        let entry = |number: i64| (format!("{number:06}"), Value::from(number));
        let packed = (0..length).map(|n| (format!("{n:06}").into(), n.into())).collect();
        let map = Value::Map((0..length).map(entry).collect());
        assert_eq!(encode(&map, &Type::map(Type::Number)).unwrap(), write(&rmpv::Value::Map(packed)), "{length}");
    }
}

#[test]
fn an_error_names_the_place() {
    let kind = Type::map(Type::list(Type::object([("size", Type::Number)])));
    let object = Value::Object(BTreeMap::from([("size".to_owned(), Value::string("large"))]));
    let value = Value::Map(BTreeMap::from([("a".to_owned(), Value::List(vec![Value::Null, object]))]));
    let place = Path::root().key("a").index(1).field("size");
    assert_eq!(encode(&value, &kind), Err(Error::mismatch(&place, "a number")));
}

#[test]
fn every_extension_is_unknown() {
    for tag in [1u8, 12, 99, 0xff] {
        assert!(decode(&[0xd4, tag, 0x07], &Type::Number).unwrap().is_unknown());
    }
}

#[test]
fn the_order_and_repetition_of_set_elements_do_not_matter() {
    let kind = Type::set(Type::String);
    let one = decode(&[0x93, 0xa1, b'b', 0xa1, b'a', 0xa1, b'b'], &kind).unwrap();
    assert_eq!(one, Value::Set(["a".into(), "b".into()].into()));
}

#[test]
fn an_object_has_exactly_its_attributes() {
    let kind = Type::object([("a", Type::Bool)]);
    assert!(decode(&[0x80], &kind).unwrap_err().to_string().contains("with the attribute `a`"));
    let extra = decode(&[0x82, 0xa1, b'a', 0xc3, 0xa1, b'b', 0xc3], &kind).unwrap_err();
    assert!(extra.to_string().contains("without the attribute `b`"));
}

#[test]
fn texts_are_sent_in_composed_form() {
    let bytes = encode(&Value::from("e\u{301}"), &Type::String).unwrap();
    assert_eq!(decode(&bytes, &Type::String).unwrap(), Value::from("é"));
}

#[test]
fn deep_nesting_is_refused_instead_of_overflowing_the_stack() {
    let bytes = vec![0x91; 1_000_000];
    assert!(decode(&bytes, &Type::Dynamic).is_err());
}

/// A type together with a value of it.
fn typed() -> impl Strategy<Value = (Type, Value)> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(|b| (Type::Bool, Value::Bool(b))),
        any::<i64>().prop_map(|n| (Type::Number, Value::from(n))),
        "-?[0-9]{1,40}(\\.[0-9]{1,40})?".prop_map(|t| (Type::Number, Value::Number(t.parse().unwrap()))),
        any::<f64>()
            .prop_filter("finite", |f| f.is_finite())
            .prop_map(|f| { (Type::Number, Number::try_from(f).map_or(Value::Null, Value::Number)) }),
        "[a-z0-9]{0,12}".prop_map(|t| (Type::String, Value::String(t))),
        Just((Type::String, Value::Null)),
        Just((Type::Number, Value::unknown())),
        ("[a-z]{1,5}", any::<bool>()).prop_map(|(prefix, null)| {
            let refinement = Refinement { null: Some(null), prefix: Some(prefix), ..Refinement::default() };
            (Type::String, Value::Unknown(Box::new(refinement)))
        }),
        (any::<i64>(), any::<bool>(), any::<u64>()).prop_map(|(n, included, long)| {
            let refinement =
                Refinement { lower: Some((n.into(), included)), longest: Some(long), ..Refinement::default() };
            (Type::Number, Value::Unknown(Box::new(refinement)))
        }),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|elements| {
                let (kinds, values) = elements.into_iter().unzip();
                (Type::Tuple(kinds), Value::List(values))
            }),
            prop::collection::btree_map("[a-z]{1,4}", inner.clone(), 0..4).prop_map(|fields| {
                let kinds = fields.iter().map(|(name, (kind, _))| (name.clone(), kind.clone()));
                let kind = Type::object(kinds.collect::<Vec<_>>());
                (kind, Value::Object(fields.into_iter().map(|(name, (_, value))| (name, value)).collect()))
            }),
            inner.clone().prop_map(|(kind, value)| (Type::list(kind), Value::List(vec![value.clone(), value]))),
            inner.clone().prop_map(|(kind, value)| (Type::set(kind), Value::Set([value].into()))),
            inner.clone().prop_map(|(kind, value)| { (Type::map(kind), Value::Map([("k".to_owned(), value)].into())) }),
            inner.prop_map(|(kind, value)| {
                let value = Value::Dynamic(Box::new(DynamicValue { kind, value }));
                (Type::Dynamic, value)
            }),
        ]
    })
}

proptest! {
    #[test]
    fn every_value_survives_a_round_trip((kind, value) in typed()) {
        prop_assert_eq!(round_trip(&value, &kind), value);
    }

    #[test]
    fn no_bytes_can_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), (kind, _) in typed()) {
        let _any = decode(&bytes, &kind);
        let _any = super::super::from_json(&bytes, &kind);
        let _any = type_from_json(&bytes);
    }

    #[test]
    fn a_value_of_another_type_is_an_error_and_never_a_panic((kind, _) in typed(), (_, value) in typed()) {
        let _any = encode(&value, &kind);
    }
}
