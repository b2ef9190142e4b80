//! Tokens of IAM database authentication beside those of botocore, byte by byte: hostile names, hosts, ports, keys.

use std::time::{Duration, SystemTime};

use crate::iam_rig::TokenWish;

/// 2026-11-22 03:04:05 UTC
const SECONDS: u64 = 1_795_316_645;
const HOST: &str = "ledger.abc123.eu-central-1.rds.amazonaws.com";

/// Names that a server can have, and that mean something in a URL, in JSON, in SQL or to a shell.
fn hostile_names() -> Vec<String> {
    let mut names: Vec<String> = [
        "hoop_ro",
        "a+b",
        "100%",
        "%41",
        "%2B",
        "two words",
        " leading",
        "trailing ",
        "a&b=c",
        "a=b",
        "#top",
        "a;b",
        "a?b",
        "a/b",
        "/",
        "..",
        ".",
        "~",
        "-",
        "_",
        "*",
        "!",
        "'",
        "\"",
        "`",
        "\\",
        "\\u0041",
        "(a)",
        "[a]",
        "{a}",
        "<a>",
        "|",
        "^",
        "$HOME",
        "@",
        "a@example.com",
        "a:b",
        "a,b",
        "&Action=disconnect",
        "x&DBUser=admin",
        "x#&X-Amz-Expires=1",
        "tab\there",
        "line\nfeed",
        "carriage\rreturn",
        "bell\u{7}",
        "delete\u{7f}",
        "ü",
        "u\u{308}",
        "ß",
        "İ",
        "日本語",
        "😀",
        "\u{200b}",
        "\u{feff}",
        "\u{202e}rtl",
        "\u{e000}",
        "\u{10ffff}",
        "Robert'); DROP TABLE students;--",
    ]
    .map(str::to_owned)
    .to_vec();
    names.push("é".repeat(128)); // 256 bytes
    names.push("x".repeat(128));
    names.push((1..=127_u8).map(char::from).collect());
    names
}

fn wishes() -> Vec<TokenWish> {
    let plain = |user: &str| TokenWish { host: HOST.to_owned(), ..TokenWish::new(user, 5432) };
    let mut wishes: Vec<_> = hostile_names().iter().map(|user| plain(user)).collect();
    wishes.extend(hostile_names().iter().map(|user| plain(user).of_a_role()));
    for (host, region) in [
        ("main.cluster-abc123.us-east-2.rds.amazonaws.com", "us-east-2"),
        ("main.cluster-ro-abc123.us-east-2.rds.amazonaws.com", "us-east-2"),
        ("any.cluster-custom-abc123.us-east-2.rds.amazonaws.com", "us-east-2"),
        ("pool.proxy-abc123.us-east-2.rds.amazonaws.com", "us-east-2"),
        ("shards.shardgrp-abc123.us-east-2.rds.amazonaws.com", "us-east-2"),
        ("world.global-abc123.global.rds.amazonaws.com", "us-east-2"),
        ("main.cluster-abc123.rds.cn-northwest-1.amazonaws.com.cn", "cn-northwest-1"),
        ("ledger.abc123.rds.us-gov-east-1.amazonaws.com", "us-gov-east-1"),
        ("ledger.abc123.rds.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
    ] {
        wishes.push(TokenWish { host: host.to_owned(), region: region.to_owned(), port: 3306, ..plain("hoop_ro") });
    }
    wishes.extend([1, 443, 65_535].map(|port| TokenWish { port, ..plain("hoop_ro") }));
    wishes
}

#[tokio::test]
async fn every_token_is_byte_for_byte_that_of_botocore() {
    let (wishes, now) = (wishes(), SystemTime::UNIX_EPOCH + Duration::from_secs(SECONDS));
    let expected = TokenWish::tokens_at(&wishes, SECONDS);
    assert!(expected.iter().all(|token| token.contains("X-Amz-Date=20261122T030405Z")), "botocore has our clock");
    for (wish, expected) in wishes.iter().zip(expected) {
        assert_eq!(wish.token_of_the_provider_at(now).await, expected, "{wish:?}");
    }
}

#[tokio::test]
async fn a_host_in_another_notation_has_the_token_of_the_name_that_the_server_knows() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(SECONDS);
    let of = |host: &str| TokenWish { host: host.to_owned(), ..TokenWish::new("hoop_ro", 5432) };
    let expected = TokenWish::tokens_at(&[of(HOST)], SECONDS).remove(0);
    for host in [HOST.to_uppercase(), format!("{HOST}."), format!("{}.", HOST.to_uppercase())] {
        assert_eq!(of(&host).token_of_the_provider_at(now).await, expected, "{host}");
    }
}

#[test]
fn names_that_no_server_can_have_are_refused_before_anything_is_signed() {
    for name in ["", "a\0b", &"x".repeat(129)] {
        assert!(name.parse::<rdsaccess::access::RoleName>().is_err(), "{name:?}");
    }
}
