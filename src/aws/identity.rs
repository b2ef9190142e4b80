//! A signed `sts:GetCallerIdentity` request that somebody else sends: it proves who the hub identity is without giving
//! its keys away. Made offline.

use std::collections::BTreeMap;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;

use super::{Call, Error, Fault, Sessions};
use crate::access::{Region, Secret};

const BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";
const CONTENT_TYPE: &str = "application/x-www-form-urlencoded; charset=utf-8";
/// The region of the global endpoint of STS.
const GLOBAL_REGION: &str = "us-east-1";

/// The request. Who holds it can say for 15 minutes that it is this identity, so its headers are a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityProof {
    /// HTTP method
    pub method: &'static str,
    /// Full URL
    pub url: String,
    /// Body
    pub body: &'static str,
    /// Headers as a JSON object
    pub headers: Secret<String>,
}

impl Sessions {
    /// The request, signed by the hub identity for the global endpoint of STS or for that of `region`. `server_id` goes
    /// into a signed header, so that the request is of no use anywhere else.
    ///
    /// # Errors
    /// No credentials, or they cannot sign.
    pub async fn identity_proof(
        &self,
        region: Option<&Region>,
        server_id: Option<&str>,
        now: SystemTime,
    ) -> Result<IdentityProof, Error> {
        let credentials = self.hub_credentials().await?;
        proof(&credentials, region, server_id, now)
            .map_err(|why| Call::new("sts:GetCallerIdentity").failed(Fault::Refused(why)))
    }
}

fn proof(
    credentials: &Credentials,
    region: Option<&Region>,
    server_id: Option<&str>,
    now: SystemTime,
) -> Result<IdentityProof, String> {
    let host = match region {
        None => "sts.amazonaws.com".to_owned(),
        Some(region) if region.as_str().starts_with("cn-") => format!("sts.{region}.amazonaws.com.cn"),
        Some(region) => format!("sts.{region}.amazonaws.com"),
    };
    let url = format!("https://{host}/");
    let mut headers = BTreeMap::from([("Content-Type", CONTENT_TYPE.to_owned()), ("Host", host)]);
    headers.extend(server_id.map(|id| ("X-Vault-AWS-IAM-Server-ID", id.to_owned())));
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::Headers;
    let identity = credentials.clone().into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region.map_or(GLOBAL_REGION, Region::as_str))
        .name("sts")
        .time(now)
        .settings(settings)
        .build()
        .map_err(|e| e.to_string())?
        .into();
    let signed = headers.iter().map(|(name, value)| (*name, value.as_str()));
    let request = SignableRequest::new("POST", &url, signed, SignableBody::Bytes(BODY.as_bytes()));
    let (instructions, _) =
        sign(request.map_err(|e| e.to_string())?, &parameters).map_err(|e| e.to_string())?.into_parts();
    let mut all: serde_json::Map<String, serde_json::Value> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
    all.extend(instructions.headers().map(|(name, value)| (name.to_owned(), value.into())));
    let headers = Secret::new(serde_json::Value::Object(all).to_string());
    Ok(IdentityProof { method: "POST", url, body: BODY, headers })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// 2026-11-22 03:04:05 UTC
    fn made(region: Option<&str>, server_id: Option<&str>, session: Option<&str>) -> (String, serde_json::Value) {
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let credentials = Credentials::new("AKIDEXAMPLE", secret, session.map(str::to_owned), None, "test");
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_316_645);
        let region: Option<Region> = region.map(|r| r.parse().unwrap());
        let proof = proof(&credentials, region.as_ref(), server_id, now).unwrap();
        (proof.url, serde_json::from_str(proof.headers.expose()).unwrap())
    }

    fn authorization(headers: &serde_json::Value) -> &str {
        headers["authorization"].as_str().unwrap()
    }

    /// The signatures were made by `SigV4Auth` of hvac 2.4.0 with the same clock, keys and headers.
    #[test]
    fn the_signature_is_that_of_the_python_client_of_vault() {
        let (url, headers) = made(None, None, None);
        assert_eq!(
            (url.as_str(), headers["x-amz-date"].as_str()),
            ("https://sts.amazonaws.com/", Some("20261122T030405Z"))
        );
        assert!(authorization(&headers).contains("SignedHeaders=content-type;host;x-amz-date, "), "{headers}");
        assert!(
            authorization(&headers).ends_with("feb2adcc548baa63c699077075cd044ae105b73724f4c95444451bee8bdf2617"),
            "{headers}"
        );
        let (_, headers) = made(None, Some("vault.example.com"), Some("token"));
        assert_eq!(headers["X-Vault-AWS-IAM-Server-ID"], "vault.example.com");
        assert!(
            authorization(&headers).ends_with("9fa0a051b466988e10b2802d19170d0d6fa58bc1ff64ba01b4fb0c2d4f927d07"),
            "{headers}"
        );
    }

    #[test]
    fn a_regional_endpoint_is_signed_for_its_region() {
        let (url, headers) = made(Some("eu-west-1"), None, None);
        assert_eq!(
            (url.as_str(), headers["Host"].as_str()),
            ("https://sts.eu-west-1.amazonaws.com/", Some("sts.eu-west-1.amazonaws.com"))
        );
        assert!(authorization(&headers).contains("/20261122/eu-west-1/sts/aws4_request"));
        assert_eq!(made(Some("cn-north-1"), None, None).0, "https://sts.cn-north-1.amazonaws.com.cn/");
    }
}
