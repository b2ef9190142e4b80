//! The roots that sign RDS endpoints, built in, and the trust that a database session gets.

use std::sync::{Arc, OnceLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::access::{TlsMode, Trust};

use super::{Error, parse_ca_bundle};

/// Certificates of Amazon RDS and RDS Proxy; the head of the file says where they are from and what is missing.
static RDS_ROOTS: &str = include_str!("rds-roots.pem");

/// What a database session trusts: the built-in roots, and the certificates of `ca_bundle` (PEM text) besides them.
///
/// The built-in roots are parsed at the first call and shared after that.
///
/// # Errors
/// When `ca_bundle` does not hold certificates that TLS can use; also with [`TlsMode::Disable`], so that a broken
/// bundle is not found out later.
pub fn trust(mode: TlsMode, ca_bundle: Option<&str>) -> Result<Trust, Error> {
    let built_in = built_in()?;
    let Some(bundle) = ca_bundle else {
        return Ok(Trust { mode, roots: built_in });
    };
    let mut roots = built_in.to_vec();
    roots.extend(parse_ca_bundle(bundle)?.into_iter().filter(|own| !built_in.contains(own)));
    Ok(Trust { mode, roots: Arc::new(roots) })
}

fn built_in() -> Result<Arc<Vec<Vec<u8>>>, Error> {
    static PARSED: OnceLock<Arc<Vec<Vec<u8>>>> = OnceLock::new();
    if let Some(parsed) = PARSED.get() {
        return Ok(Arc::clone(parsed));
    }
    let parsed = CertificateDer::pem_slice_iter(RDS_ROOTS.as_bytes())
        .map(|der| der.map(|der| der.to_vec()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Error::BuiltIn(error.to_string()))?;
    Ok(Arc::clone(PARSED.get_or_init(|| Arc::new(parsed))))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rustls::RootCertStore;
    use x509_parser::prelude::{FromDer, X509Certificate};

    use super::*;

    /// 2026-11-22T00:00:00Z, the day the file was written.
    const WRITTEN: i64 = 1_795_305_600;

    fn roots() -> Arc<Vec<Vec<u8>>> {
        trust(TlsMode::VerifyFull, None).unwrap().roots
    }

    #[test]
    fn all_built_in_roots_load_into_rustls_and_none_is_there_twice() {
        let roots = roots();
        assert_eq!(roots.len(), 95);
        assert_eq!(roots.iter().collect::<BTreeSet<_>>().len(), 95);
        let mut store = RootCertStore::empty();
        for der in roots.iter() {
            store.add(CertificateDer::from(der.as_slice())).unwrap();
        }
        assert_eq!(store.len(), 95);
    }

    #[test]
    fn every_built_in_root_is_a_valid_self_signed_authority_under_its_own_name() {
        for der in roots().iter() {
            let (rest, certificate) = X509Certificate::from_der(der).unwrap();
            let name = certificate.subject().iter_common_name().next();
            let name = name.map_or("Starfield", |n| n.as_str().unwrap());
            assert!(rest.is_empty(), "{name}");
            assert!(certificate.is_ca(), "{name}");
            assert_eq!(certificate.subject(), certificate.issuer(), "{name}");
            assert!(certificate.validity().not_after.timestamp() > WRITTEN, "{name} has expired");
            assert!(certificate.validity().not_before.timestamp() < WRITTEN, "{name} is not valid yet");
            assert!(RDS_ROOTS.contains(&format!("# {name}, until ")), "{name} has no heading");
        }
    }

    #[test]
    fn every_region_has_its_three_roots_and_the_missing_regions_are_known() {
        let headings: Vec<&str> = RDS_ROOTS.lines().filter(|l| l.starts_with("# Amazon RDS ")).collect();
        let regions: BTreeSet<&str> = headings.iter().filter_map(|l| l.split(' ').nth(3)).collect();
        let regions: Vec<&str> = regions.into_iter().filter(|r| r.contains('-')).collect();
        assert_eq!(regions.len(), 28);
        for region in &regions {
            let own = format!("# Amazon RDS {region} Root CA ");
            assert_eq!(headings.iter().filter(|l| l.starts_with(&own)).count(), 3, "{region}");
        }
        // There a session needs `tls.ca_bundle`.
        for region in ["ca-west-1", "ap-southeast-5", "mx-central-1", "us-gov-west-1", "cn-north-1"] {
            assert!(!regions.contains(&region), "{region}");
        }
    }

    #[test]
    fn a_bundle_of_the_user_comes_besides_the_built_in_roots_and_only_once() {
        let own = rcgen::generate_simple_self_signed(["db.example.test".to_owned()]).unwrap().cert.pem();
        let trust_of = |bundle: &str| trust(TlsMode::VerifyCa, Some(bundle)).unwrap();
        assert_eq!(trust_of(&own).roots.len(), 96);
        assert_eq!(trust_of(&own).mode, TlsMode::VerifyCa);
        assert_eq!(trust_of(RDS_ROOTS).roots.len(), 95);
    }

    #[test]
    fn a_broken_bundle_is_refused_even_when_tls_is_off() {
        assert!(trust(TlsMode::Disable, Some("nonsense")).is_err());
    }

    #[test]
    fn the_built_in_roots_are_parsed_once() {
        assert!(Arc::ptr_eq(&roots(), &roots()));
    }
}
