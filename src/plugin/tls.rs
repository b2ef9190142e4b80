//! Mutual TLS between exactly two processes.
//!
//! The host gives its certificate in the environment, we give ours on the line, and each side trusts only that one.
//! There is no authority in this: rustls' ready-made verifier even refuses the host's certificate, because it says that
//! it is an authority and is used as an end. What counts is that it is byte for byte the one that was announced and
//! that the peer proves to have its key.

use std::sync::Arc;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error as TlsError, ServerConfig, SignatureScheme,
};
use tokio_rustls::TlsAcceptor;

use super::error::Error;

/// The name that hosts expect in our certificate.
const SERVER_NAME: &str = "localhost";

/// Our side of the connection.
pub(super) struct Identity {
    certificate: CertificateDer<'static>,
    acceptor: TlsAcceptor,
}

impl Identity {
    /// Makes a key and a certificate for this process, and settings that let in only the holder of `client_pem`.
    ///
    /// # Errors
    /// When `client_pem` is no certificate, or the system gives no randomness for the key.
    pub(super) fn for_client(client_pem: &str) -> Result<Self, Error> {
        let client = CertificateDer::from_pem_slice(client_pem.as_bytes()).map_err(|_| Error::ClientCertificate)?;
        let (certificate, key) = self_signed()?;
        let config = server_config(client, certificate.clone(), key)?;
        Ok(Self { certificate, acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    /// What the host shall trust.
    pub(super) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Turns accepted connections into TLS.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }
}

/// P-256, because every host can verify it and making the key takes a fraction of a millisecond.
fn self_signed() -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::new([SERVER_NAME.to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, SERVER_NAME);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.self_signed(&key)?;
    Ok((certificate.der().clone(), PrivatePkcs8KeyDer::from(key.serialize_der()).into()))
}

fn server_config(
    client: CertificateDer<'static>,
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, Error> {
    // Named, so that another TLS user in this process cannot leave us with two candidates and a panic
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Arc::new(OnlyThisClient::new(client, &provider));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate], key)?;
    // Newer grpc-go hangs up on servers that do not choose a protocol
    config.alpn_protocols = vec![b"h2".to_vec()];
    // A resumed session would skip the certificate, and one connection per process gains nothing from it
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// Lets in the holder of one certificate. Its dates are not looked at: it was made for this process a moment ago.
#[derive(Debug)]
struct OnlyThisClient {
    certificate: CertificateDer<'static>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl OnlyThisClient {
    fn new(certificate: CertificateDer<'static>, provider: &CryptoProvider) -> Self {
        Self { certificate, algorithms: provider.signature_verification_algorithms }
    }
}

impl ClientCertVerifier for OnlyThisClient {
    fn client_auth_mandatory(&self) -> bool {
        true
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, TlsError> {
        if end_entity.as_ref() == self.certificate.as_ref() {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_no_certificate_never_means_plain_text() {
        for text in ["x", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "\u{fffd}"] {
            assert!(matches!(Identity::for_client(text), Err(Error::ClientCertificate)), "{text:?}");
        }
    }

    #[test]
    fn our_certificate_is_for_a_server_called_localhost() {
        let (certificate, _) = self_signed().unwrap();
        let (_, parsed) = x509_parser::parse_x509_certificate(&certificate).unwrap();
        let names = parsed.subject_alternative_name().unwrap().unwrap();
        let [x509_parser::extensions::GeneralName::DNSName(name)] = names.value.general_names[..] else {
            panic!("one DNS name expected")
        };
        assert_eq!(name, "localhost");
        assert!(parsed.extended_key_usage().unwrap().unwrap().value.server_auth);
        assert!(!parsed.is_ca());
    }

    #[test]
    fn the_verifier_knows_the_curve_of_the_hosts_key() {
        let (certificate, _) = self_signed().unwrap();
        let verifier = OnlyThisClient::new(certificate, &aws_lc_rs::default_provider());
        assert!(verifier.supported_verify_schemes().contains(&SignatureScheme::ECDSA_NISTP521_SHA512));
        assert!(verifier.client_auth_mandatory());
    }
}
