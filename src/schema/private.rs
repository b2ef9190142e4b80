//! What a resource keeps beside its state: small, never secret, unseen by the user.

use serde_json::{Map, Value};

/// Private state of one object: texts by name, kept as a versioned JSON object. Terraform stores it in clear text, so
/// it holds what anybody may read: times, versions, names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Private {
    entries: Map<String, Value>,
}

impl Private {
    /// Reads the bytes that Terraform kept. Bytes that are not ours read as empty: private state is a hint, never truth.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self { entries: serde_json::from_slice(bytes).unwrap_or_default() }
    }

    /// The bytes to keep; empty when nothing is kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        if self.entries.is_empty() { Vec::new() } else { Value::Object(self.entries.clone()).to_string().into_bytes() }
    }

    /// An entry.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.entries.get(name).and_then(Value::as_str)
    }

    /// Keeps an entry.
    pub fn set(&mut self, name: &str, text: impl Into<String>) {
        self.entries.insert(name.to_owned(), Value::String(text.into()));
    }

    /// Forgets an entry.
    pub fn remove(&mut self, name: &str) {
        self.entries.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_state_survives_and_foreign_bytes_are_ignored() {
        let mut private = Private::default();
        private.set("observed_at", "2026-01-01T00:00:00Z");
        assert_eq!(Private::from_bytes(&private.to_bytes()), private);
        assert_eq!(Private::from_bytes(b"\xff\x00"), Private::default());
        assert!(Private::default().to_bytes().is_empty());
    }
}
