//! The check of a server's certificate when `NODE_EXTRA_CA_CERTS` is set.
//!
//! `openssl req -x509` creates a certificate that is its own authority. Node.js accepts a server with such a
//! certificate if `NODE_EXTRA_CA_CERTS` names it. rustls refuses it, because an authority should not be a
//! server. This verifier accepts exactly that case, and changes no other check.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};

/// Checks like rustls, with the exception above.
#[derive(Debug)]
pub(crate) struct Verifier {
    usual: Arc<WebPkiServerVerifier>,
    extra: Vec<CertificateDer<'static>>,
}

impl Verifier {
    pub(crate) fn new(
        roots: RootCertStore,
        extra: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Self {
        let usual = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .expect("there are authorities, and no revocation lists");
        Self { usual, extra }
    }
}

/// Whether a certificate was refused because an authority may not also be a server.
fn is_authority(OtherError(error): &OtherError) -> bool {
    matches!(error.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let usual = self.usual.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match usual {
            // The verifier has checked the validity period before this error, and has not checked the name.
            Err(Error::InvalidCertificate(CertificateError::Other(other)))
                if is_authority(&other) && self.extra.iter().any(|extra| extra == end_entity) =>
            {
                let certificate = ParsedCertificate::try_from(end_entity)?;
                rustls::client::verify_server_name(&certificate, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            usual => usual,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};

    use super::*;

    /// A certificate as `openssl req -x509` creates it.
    fn own_authority(name: &str, until: i32) -> CertificateDer<'static> {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn verify(
        trusted: &CertificateDer<'static>,
        presented: &CertificateDer<'static>,
        name: &'static str,
    ) -> Result<ServerCertVerified, Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(trusted.clone()).unwrap();
        let verifier = Verifier::new(roots, vec![trusted.clone()], provider);
        // 2025-01-01
        let now = UnixTime::since_unix_epoch(Duration::from_secs(1_735_689_600));
        verifier.verify_server_cert(presented, &[], &ServerName::try_from(name).unwrap(), &[], now)
    }

    #[test]
    fn a_named_certificate_may_be_its_own_authority() {
        let named = own_authority("gateway.test", 2030);
        verify(&named, &named, "gateway.test").unwrap();
    }

    #[test]
    fn every_other_check_stays() {
        let named = own_authority("gateway.test", 2030);
        assert!(verify(&named, &named, "other.test").is_err(), "another name");
        let expired = own_authority("gateway.test", 2021);
        assert!(verify(&expired, &expired, "gateway.test").is_err(), "expired");
        let stranger = own_authority("gateway.test", 2030);
        assert!(verify(&named, &stranger, "gateway.test").is_err(), "it is not the named certificate");
    }
}
