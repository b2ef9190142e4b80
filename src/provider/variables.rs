//! Environment variables that the provider block falls back to. AWS's own variables are read by the AWS SDK.

use std::ffi::OsString;

use crate::access::Secret;

/// The variables, read once at start; a variable that is set but empty counts as not set.
#[derive(Debug, Clone, Default)]
pub struct Variables {
    /// `RDSACCESS_REFRESH`
    pub refresh: Option<String>,
    /// `HOOP_APIURL`
    pub gateway_url: Option<String>,
    /// `HOOP_APIKEY`
    pub gateway_token: Option<Secret<String>>,
    /// `VAULT_ADDR`
    pub vault_address: Option<String>,
    /// `VAULT_NAMESPACE`
    pub vault_namespace: Option<String>,
    /// `VAULT_TOKEN`
    pub vault_token: Option<Secret<String>>,
    /// `VAULT_CACERT`, the path of a file
    pub vault_ca_file: Option<String>,
    /// `AWS_ROLE_ARN`
    pub role_arn: Option<String>,
    /// `AWS_WEB_IDENTITY_TOKEN_FILE`
    pub web_identity_token_file: Option<String>,
    /// `AWS_ROLE_SESSION_NAME`
    pub role_session_name: Option<String>,
    /// `AWS_PROFILE`
    pub aws_profile: Option<String>,
    /// Whether `AWS_ACCESS_KEY_ID` is set
    pub has_access_key: bool,
    /// `TF_APPEND_USER_AGENT`
    pub append_user_agent: Option<String>,
    /// What a command of `rdsaccess_notification` inherits: what finds programs, files and a language, and no
    /// credential
    pub for_commands: Vec<(String, String)>,
}

/// The variables that commands inherit, on Unix and on Windows.
const FOR_COMMANDS: [&str; 16] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "TZ",
    "TMPDIR",
    "SystemRoot",
    "SYSTEMROOT",
    "PATHEXT",
    "COMSPEC",
    "TEMP",
    "TMP",
    "USERPROFILE",
    "APPDATA",
];

impl Variables {
    /// Picks what the provider needs.
    pub fn collect(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut picked = Self::default();
        for (name, value) in variables {
            let (Some(name), Some(value)) = (name.to_str(), value.to_str().filter(|v| !v.is_empty())) else { continue };
            let value = value.to_owned();
            if FOR_COMMANDS.contains(&name) || name.starts_with("LC_") {
                picked.for_commands.push((name.to_owned(), value.clone()));
            }
            match name {
                "RDSACCESS_REFRESH" => picked.refresh = Some(value),
                "HOOP_APIURL" => picked.gateway_url = Some(value),
                "HOOP_APIKEY" => picked.gateway_token = Some(Secret::new(value)),
                "VAULT_ADDR" => picked.vault_address = Some(value),
                "VAULT_NAMESPACE" => picked.vault_namespace = Some(value),
                "VAULT_TOKEN" => picked.vault_token = Some(Secret::new(value)),
                "VAULT_CACERT" => picked.vault_ca_file = Some(value),
                "AWS_ROLE_ARN" => picked.role_arn = Some(value),
                "AWS_WEB_IDENTITY_TOKEN_FILE" => picked.web_identity_token_file = Some(value),
                "AWS_ROLE_SESSION_NAME" => picked.role_session_name = Some(value),
                "AWS_PROFILE" => picked.aws_profile = Some(value),
                "AWS_ACCESS_KEY_ID" => picked.has_access_key = true,
                "TF_APPEND_USER_AGENT" => picked.append_user_agent = Some(value),
                _ => {}
            }
        }
        picked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_inherit_no_credential() {
        let names = ["PATH", "LC_ALL", "AWS_SECRET_ACCESS_KEY", "HOOP_APIKEY", "VAULT_TOKEN", "HTTPS_PROXY", "LANG"];
        let picked = Variables::collect(names.map(|name| (name.into(), "x".into())));
        let inherited: Vec<&str> = picked.for_commands.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(inherited, ["PATH", "LC_ALL", "LANG"]);
    }
}
