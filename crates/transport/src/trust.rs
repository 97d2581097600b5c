//! The TLS settings that every outgoing connection of proxy-execute uses.
//!
//! They match Node.js, so that a program that works with `fetch` works here. The Mozilla certificate
//! authorities are compiled in, because a slim container image has none. The PEM file that
//! `NODE_EXTRA_CA_CERTS` names is trusted in addition.

mod verifier;

use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use self::verifier::Verifier;

/// Why the TLS settings are unusable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The file cannot be read or holds no certificate.
    #[error(
        "NODE_EXTRA_CA_CERTS names {path}, which cannot be used as a PEM file of certificates: {reason}."
    )]
    ExtraCertificates {
        /// The file.
        path: PathBuf,
        /// The problem of the file.
        reason: String,
    },
}

/// Returns the settings: TLS 1.2 and 1.3, certificates checked against the authorities above, HTTP/2 offered.
///
/// # Errors
/// [`TrustError`] if `NODE_EXTRA_CA_CERTS` is set and unusable. Node.js warns and continues without the file.
/// Here, the error names the cause instead of a later handshake failure.
pub(crate) fn client_config() -> Result<ClientConfig, TrustError> {
    let extra = match std::env::var_os("NODE_EXTRA_CA_CERTS").filter(|path| !path.is_empty()) {
        Some(path) => read_certificates(path.into())?,
        None => Vec::new(),
    };
    Ok(client_config_with(extra))
}

fn client_config_with(extra: Vec<CertificateDer<'static>>) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    roots.add_parsable_certificates(extra.iter().cloned());
    let builder = ClientConfig::builder_with_provider(Arc::<CryptoProvider>::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("the provider supports TLS 1.2 and 1.3");
    let mut config = if extra.is_empty() {
        builder.with_root_certificates(roots).with_no_client_auth()
    } else {
        let verifier = Arc::new(Verifier::new(roots, extra, provider));
        builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

fn read_certificates(path: PathBuf) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let read = || {
        let certificates: Vec<_> = CertificateDer::pem_file_iter(&path)
            .and_then(Iterator::collect)
            .map_err(|error| error.to_string())?;
        if certificates.is_empty() {
            return Err("it holds no certificate".to_owned());
        }
        for certificate in &certificates {
            RootCertStore::empty().add(certificate.clone()).map_err(|error| error.to_string())?;
        }
        Ok(certificates)
    };
    read().map_err(|reason| TrustError::ExtraCertificates { path: path.clone(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiled_in_authorities_are_enough() {
        let config = client_config_with(Vec::new());
        assert_eq!(config.alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
    }

    #[test]
    fn an_unusable_file_is_named_with_the_reason() {
        let empty = tempfile::NamedTempFile::new().unwrap();
        let error = read_certificates(empty.path().to_owned()).unwrap_err().to_string();
        assert!(
            error.contains(empty.path().to_str().unwrap()) && error.contains("no certificate"),
            "{error}"
        );

        let error = read_certificates("/nonexistent.pem".into()).unwrap_err().to_string();
        assert!(error.contains("/nonexistent.pem"), "{error}");
    }
}
