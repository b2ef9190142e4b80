//! What a token says of itself, for error messages: AWS does not tell what it looked at. Nothing here is verified, and
//! nothing of it opens anything without the signature.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// The longest claim that is shown.
const LONGEST_CLAIM: usize = 200;

/// Issuer, audience, subject and end of a token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Claims(Vec<(&'static str, String)>);

impl Claims {
    /// The claims of a JWT; none where the text is no JWT.
    pub(super) fn of(token: &str) -> Self {
        let parts: Vec<&str> = token.split('.').collect();
        let [_, payload, _] = parts[..] else { return Self::default() };
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')) else { return Self::default() };
        let Ok(claims) = serde_json::from_slice::<Value>(&bytes) else { return Self::default() };
        let text = |name: &'static str| Some((name, shown(claims.get(name)?)?));
        let end = claims.get("exp").and_then(Value::as_i64).and_then(|s| jiff::Timestamp::from_second(s).ok());
        let end = end.map(|end| ("exp", end.to_string()));
        Self([text("iss"), text("aud"), text("sub"), end].into_iter().flatten().collect())
    }
}

fn shown(claim: &Value) -> Option<String> {
    let text = match claim {
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        _ => return None,
    };
    Some(text.chars().filter(|c| !c.is_control()).take(LONGEST_CLAIM).collect())
}

impl fmt::Display for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        let claims: Vec<String> = self.0.iter().map(|(name, text)| format!("{name} `{text}`")).collect();
        write!(f, " (the token says: {})", claims.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(payload: &str) -> String {
        format!("{}.{}.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode("{}"), URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn a_token_is_described_by_what_a_trust_policy_looks_at() {
        let payload = r#"{"iss":"https://ci.example.com","aud":["a","b"],"sub":"repo:acme/infra","exp":1795316645,
                          "email":"alice@example.com"}"#;
        let text = Claims::of(&token(payload)).to_string();
        let expected = " (the token says: iss `https://ci.example.com`, aud `a, b`, sub `repo:acme/infra`, exp \
                        `2026-11-22T03:04:05Z`)";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_is_no_jwt_says_nothing() {
        for text in ["", "a.b", "a.b.c", "ya29.an-access-token", &token("not json"), &token("[]")] {
            assert_eq!(Claims::of(text).to_string(), "", "{text}");
        }
        let long = format!(r#"{{"sub":"{}\n"}}"#, "x".repeat(500));
        assert_eq!(Claims::of(&token(&long)).to_string().matches('x').count(), LONGEST_CLAIM);
    }
}
