//! How the server's certificate is checked.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion,
};

use crate::access::{TlsMode, Trust};
use crate::engine::Fault;

/// The client side of TLS, `None` when it is switched off. The crypto provider is named, never taken from the process.
///
/// # Errors
/// [`Fault::Tls`] when no trusted root is left: a certificate that cannot be parsed is skipped.
pub(super) fn client_config(trust: &Trust) -> Result<Option<ClientConfig>, Fault> {
    client_config_with(trust, rustls::DEFAULT_VERSIONS)
}

/// The same with these versions of TLS only.
///
/// # Errors
/// As [`client_config`].
pub(in crate::engine) fn client_config_with(
    trust: &Trust,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<Option<ClientConfig>, Fault> {
    if trust.mode == TlsMode::Disable {
        return Ok(None);
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(trust.roots.iter().map(|der| CertificateDer::from(der.as_slice())));
    let refuse = |text: String| Fault::Tls(text);
    let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|e| refuse(format!("no usable root certificate: {e}")))?;
    let verifier: Arc<dyn ServerCertVerifier> = match trust.mode {
        TlsMode::VerifyCa => Arc::new(ChainOnly { chain, provider: Arc::clone(&provider) }),
        TlsMode::VerifyFull | TlsMode::Disable => chain,
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|e| refuse(e.to_string()))?;
    // The verifier checks the chain in both modes; "dangerous" is rustls' word for any verifier that is handed over.
    Ok(Some(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()))
}

/// `verify-ca`: the chain must end at a trusted root, the name is not looked at.
#[derive(Debug)]
struct ChainOnly {
    chain: Arc<WebPkiServerVerifier>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for ChainOnly {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is compared last, after the chain was found good.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
