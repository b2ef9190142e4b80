//! Asks the stand-in for Vault as somebody else does.

use serde_json::Value as Json;

use crate::rig::MadeVault;

/// A client of Vault beside the provider, with the root token.
pub(crate) struct Reader {
    address: String,
    token: String,
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl Reader {
    pub(crate) fn of(vault: &MadeVault) -> Self {
        let pem = std::fs::read(&vault.ca_file).expect("the certificate is there");
        let ca = reqwest::Certificate::from_pem(&pem).expect("a certificate");
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([ca]).build().expect("a client");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { address: vault.address.clone(), token: vault.token.clone(), http, runtime }
    }

    /// The answer; nothing where nothing is.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &Json) -> Option<Json> {
        self.send(method, &format!("v1/{path}"), body)
    }

    /// Steers the stand-in through its routes below `/rig/`.
    pub(crate) fn steer(&self, method: &str, route: &str, body: &Json) {
        self.send(method, &format!("rig/{route}"), body).expect("the route is there");
    }

    fn send(&self, method: &str, path: &str, body: &Json) -> Option<Json> {
        let request = self.http.request(method.parse().expect("a method"), format!("{}/{path}", self.address));
        let request = request.header("X-Vault-Token", &self.token);
        let request = if body.is_null() { request } else { request.json(body) };
        self.runtime.block_on(async {
            let answer = request.send().await.expect("the stand-in for Vault answers");
            let status = answer.status().as_u16();
            let text = answer.text().await.expect("a text");
            assert!([200, 204, 404].contains(&status), "{method} {path}: {status} {text}");
            if status == 404 { None } else { Some(serde_json::from_str(&text).unwrap_or_default()) }
        })
    }
}
