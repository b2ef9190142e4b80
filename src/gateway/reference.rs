//! The notations by which the gateway's agent finds a secret at the start of a session.

use std::fmt;

use crate::access::{Invalid, KvVersion, SecretRef};

/// What a value begins with so that the agent (or the gateway) takes it for a reference.
/// What a user is given as where the agent makes an IAM token for each session.
pub const IAM_MARKER: &str = "_aws_iam_rds:";

const PREFIXES: [&str; 5] = ["_aws:", "_envjson:", "_vaultkv1:", "_vaultkv2:", IAM_MARKER];
/// A value that the agent replaces by its own environment variable of the same name.
const AGENT_ENVIRONMENT: &str = "system.agent.envs";

/// A text such as `_aws:<name>:<key>`. The agent splits it at `:` and takes it for a reference only when there are
/// exactly three parts, so that none of them can hold a `:`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference(String);

impl Reference {
    /// `_aws:<name>:<key>`: a Secrets Manager secret with JSON, read by the agent in *its* account and region.
    ///
    /// # Errors
    /// When a part is empty or holds `:`, as an ARN does.
    pub fn aws(name: &str, key: &str) -> Result<Self, Invalid> {
        Self::of_parts("_aws", name, key)
    }

    /// `_vaultkv1:<path>:<key>`: `path` is what follows `/v1/` in Vault's API.
    ///
    /// # Errors
    /// When a part is empty or holds `:`, or when the agent would not send the path as it is.
    pub fn vault_kv1(path: &str, key: &str) -> Result<Self, Invalid> {
        Self::of_parts("_vaultkv1", plain_path(path)?, key)
    }

    /// `_vaultkv2:<path>:<key>`: `path` is what follows `/v1/` in Vault's API, so it holds `data/` after the mount.
    ///
    /// # Errors
    /// As [`Reference::vault_kv1`]; also without `data/`, where the agent would read something else.
    pub fn vault_kv2(path: &str, key: &str) -> Result<Self, Invalid> {
        if !plain_path(path)?.contains("/data/") {
            return Err(Invalid::new(format!("`{path}` has no `/data/` after the mount of the KV v2 engine")));
        }
        Self::of_parts("_vaultkv2", path, key)
    }

    /// `_aws_iam_rds:<user>`, for [`super::USER`]: the agent makes an IAM token for each session.
    ///
    /// # Errors
    /// When the user is empty or holds `:`.
    pub fn rds_iam(user: &str) -> Result<Self, Invalid> {
        part("the user", user)?;
        Ok(Self(format!("{IAM_MARKER}{user}")))
    }

    /// The notation for one key of a stored secret.
    ///
    /// # Errors
    /// When the agent cannot find the secret: a name that holds `:`, an ARN that is not complete, a Vault namespace
    /// (the agent sends none).
    pub fn to_secret(secret: &SecretRef, key: &str) -> Result<Self, Invalid> {
        let SecretRef::Vault { version, namespace, mount, path } = secret else {
            let name = secret.secrets_manager_name();
            return Self::aws(name.ok_or_else(|| Invalid::new(format!("`{secret}` is not a complete ARN")))?, key);
        };
        if !namespace.is_empty() {
            return Err(Invalid::new(format!(
                "`{secret}` lies in the Vault namespace `{namespace}`, and the gateway's agent sends no namespace"
            )));
        }
        match version {
            KvVersion::One => Self::vault_kv1(&format!("{mount}/{path}"), key),
            KvVersion::Two => Self::vault_kv2(&format!("{mount}/data/{path}"), key),
        }
    }

    /// Recognises a reference in a value that the gateway shows.
    pub(super) fn recognise(text: &str) -> Option<Self> {
        PREFIXES.iter().any(|p| text.starts_with(p)).then(|| Self(text.to_owned()))
    }

    /// Whether the agent would not take the value literally.
    pub fn is_magic(text: &str) -> bool {
        text == AGENT_ENVIRONMENT || PREFIXES.iter().any(|p| text.starts_with(p))
    }

    /// The notation.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of_parts(provider: &str, id: &str, key: &str) -> Result<Self, Invalid> {
        part("the name of the secret", id)?;
        part("the key", key)?;
        Ok(Self(format!("{provider}:{id}:{key}")))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn part(what: &str, text: &str) -> Result<(), Invalid> {
    if text.is_empty() {
        return Err(Invalid::new(format!("{what} is empty")));
    }
    if text.contains(':') {
        return Err(Invalid::new(format!(
            "{what} `{text}` holds a `:`, at which the gateway's agent splits its references; an ARN cannot be used"
        )));
    }
    Ok(())
}

/// The agent puts the path into a URL as it is.
fn plain_path(path: &str) -> Result<&str, Invalid> {
    if path.contains(['?', '#', '%', ' ']) {
        return Err(Invalid::new(format!("`{path}` holds a character that the gateway's agent does not encode")));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to_secret(text: &str) -> Result<String, String> {
        let secret = text.parse::<SecretRef>().unwrap();
        Reference::to_secret(&secret, "password").map(|r| r.to_string()).map_err(|e| e.to_string())
    }

    #[test]
    fn a_stored_secret_becomes_the_notation_of_its_store() {
        let arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rdsaccess/a/b-AbCdEf";
        assert_eq!(to_secret(arn).unwrap(), "_aws:rdsaccess/a/b:password");
        assert_eq!(to_secret("vault:kv2::team/kv:a/b").unwrap(), "_vaultkv2:team/kv/data/a/b:password");
        assert_eq!(to_secret("vault:kv1::kv:a/b").unwrap(), "_vaultkv1:kv/a/b:password");
    }

    #[test]
    fn what_the_agent_cannot_find_is_refused_with_the_reason() {
        let arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:";
        for (text, reason) in [
            (&*format!("{arn}short"), "not a complete ARN"),
            (&*format!("{arn}a:b-AbCdEf"), "holds a `:`"),
            ("vault:kv2:team:kv:a", "namespace `team`"),
            ("vault:kv2::kv:a?version=2", "does not encode"),
            ("vault:kv1::kv:a:b", "holds a `:`"),
        ] {
            let error = to_secret(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert!(Reference::aws("arn:aws:secretsmanager:x", "password").is_err());
        assert!(Reference::aws("", "password").is_err());
        assert!(Reference::aws("ledger", "").is_err());
        assert!(Reference::vault_kv2("secret/ledger", "password").is_err());
        assert!(Reference::rds_iam("a:b").is_err());
    }

    #[test]
    fn references_are_told_from_literals() {
        for text in ["_aws:a:b", "_envjson:A:b", "_vaultkv1:a:b", "_vaultkv2:a:b", "_aws_iam_rds:hoop_ro"] {
            assert_eq!(Reference::recognise(text).unwrap().as_str(), text);
            assert!(Reference::is_magic(text));
        }
        for text in ["", "aws:a:b", "_gcp:a:b", "hunter2"] {
            assert_eq!(Reference::recognise(text), None);
            assert!(!Reference::is_magic(text));
        }
        assert!(Reference::is_magic("system.agent.envs"));
    }
}
