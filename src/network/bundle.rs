//! `ca_bundle`: PEM text from the user, checked so that the error names the certificate that is wrong.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::Error;

/// Turns PEM text into DER certificates, in the order of the text. Text between the blocks is a comment.
///
/// # Errors
/// When there is no certificate, when a block is something else (such as a private key), when a block is broken, or
/// when TLS cannot use the certificate. The error never repeats the content of a block.
pub fn parse_ca_bundle(text: &str) -> Result<Vec<Vec<u8>>, Error> {
    if let Some(label) = labels(text).find(|label| *label != "CERTIFICATE") {
        return Err(Error::ForeignBlock { label: label.to_owned() });
    }
    let mut certificates = Vec::new();
    for (index, der) in CertificateDer::pem_slice_iter(text.as_bytes()).enumerate() {
        let number = index + 1;
        let der = der.map_err(|error| Error::Pem { number, reason: pem_reason(&error) })?;
        check(number, &der)?;
        certificates.push(der.to_vec());
    }
    if certificates.is_empty() { Err(Error::NoCertificate { path: looks_like_a_path(text) }) } else { Ok(certificates) }
}

/// The words between `-----BEGIN ` and `-----` of every block.
fn labels(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.trim().strip_prefix("-----BEGIN ")?.strip_suffix("-----"))
}

/// The reason in words; the original text of the error can hold bytes of the block.
fn pem_reason(error: &PemError) -> String {
    match error {
        PemError::MissingSectionEnd { .. } => "its `-----END CERTIFICATE-----` line is missing",
        PemError::IllegalSectionStart { .. } => "its `-----BEGIN CERTIFICATE-----` line is malformed",
        PemError::Base64Decode(_) => "it is not valid base64",
        _ => "it is not valid PEM",
    }
    .to_owned()
}

/// Whether TLS can use the certificate as an anchor.
fn check(number: usize, der: &CertificateDer<'_>) -> Result<(), Error> {
    let refuse = |subject: Option<String>, reason: &str| Error::Certificate {
        number,
        subject: subject.map_or_else(String::new, |s| format!(" ({s})")),
        reason: reason.to_owned(),
    };
    let (rest, certificate) =
        X509Certificate::from_der(der).map_err(|_| refuse(None, "the block does not hold an X.509 certificate"))?;
    let subject = Some(certificate.subject().to_string());
    if !rest.is_empty() {
        return Err(refuse(subject, "other data follows the certificate inside the block"));
    }
    RootCertStore::empty().add(der.clone()).map_err(|error| refuse(subject, &error.to_string()))
}

fn looks_like_a_path(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.lines().count() == 1 && (text.contains(['/', '\\']) || text.contains('.'))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;
    use crate::report::Report;

    fn certificate() -> String {
        rcgen::generate_simple_self_signed(["db.example.test".to_owned()]).unwrap().cert.pem()
    }

    fn block(label: &str, content: &[u8]) -> String {
        let body = base64::engine::general_purpose::STANDARD.encode(content);
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    }

    fn refusal(text: &str) -> String {
        Report::of(&parse_ca_bundle(text).unwrap_err()).detail
    }

    #[test]
    fn several_certificates_with_comments_and_windows_line_ends_are_read_in_order() {
        let (one, two) = (certificate(), certificate());
        let parsed = parse_ca_bundle(&format!("# mine\r\n{}\nsome words\n{two}", one.replace('\n', "\r\n"))).unwrap();
        assert_eq!(parsed.len(), 2);
        assert_eq!(parsed, [parse_ca_bundle(&one).unwrap(), parse_ca_bundle(&two).unwrap()].concat());
    }

    #[test]
    fn a_text_without_certificates_is_refused_and_a_path_is_recognised() {
        assert!(refusal("").contains("no certificate"));
        assert!(refusal("/etc/ssl/ca.pem").contains("file(\"ca.pem\")"));
        assert!(refusal("ca.pem").contains("looks like a path"));
        assert!(!refusal("nonsense").contains("looks like a path"));
    }

    #[test]
    fn a_broken_block_is_named_by_its_number() {
        let good = certificate();
        let cut = good.replace("-----END CERTIFICATE-----", "");
        assert!(refusal(&format!("{good}{cut}")).contains("certificate 2: its `-----END CERTIFICATE-----` line"));
        let letters = "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";
        assert!(refusal(&format!("{good}{good}{letters}")).contains("certificate 3: it is not valid base64"));
    }

    #[test]
    fn a_block_that_is_no_certificate_is_refused_without_its_content() {
        let hidden = "c2VjcmV0LWtleS1ieXRlcw==";
        for label in ["PRIVATE KEY", "RSA PRIVATE KEY", "TRUSTED CERTIFICATE", "X509 CRL"] {
            let text = format!("{}-----BEGIN {label}-----\n{hidden}\n-----END {label}-----\n", certificate());
            let detail = refusal(&text);
            assert!(detail.contains(label) && !detail.contains(hidden), "{detail}");
        }
        assert!(refusal(&block("CERTIFICATE", b"not der")).contains("certificate 1: the block does not hold an X.509"));
    }

    #[test]
    fn data_behind_a_certificate_is_refused_with_its_subject() {
        let mut der = parse_ca_bundle(&certificate()).unwrap().remove(0);
        der.extend_from_slice(b"more");
        let detail = refusal(&block("CERTIFICATE", &der));
        assert!(detail.contains("certificate 1 (CN=rcgen self signed cert): other data follows"), "{detail}");
    }
}
