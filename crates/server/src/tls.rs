//! TLS of a port: its certificate and key, which are read again when their files change.

use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use proxy_execute_protocol::{Error, ErrorKind, Result};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Upper limit for a file of a certificate or of a key. A long chain has some 10 KB.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The least time between two looks at the files.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// The files of a certificate. Unknown keys are refused.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// A PEM file with the certificate, and then those of the authorities between it and a root.
    pub cert: PathBuf,
    /// A PEM file with the private key.
    pub key: PathBuf,
}

/// The certificate of a port. All clones are one.
#[derive(Clone)]
pub(super) struct Certificate(Arc<Kept>);

struct Kept {
    files: TlsFiles,
    present: Mutex<Present>,
}

struct Present {
    config: Arc<ServerConfig>,
    /// The files when they were read, whether or not they could be used.
    seen: [Option<Stamp>; 2],
    looked: Instant,
}

/// A version of a file. A file that is replaced by another has another time or another length.
#[derive(PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("files", &self.0.files).finish_non_exhaustive()
    }
}

impl Certificate {
    /// Reads the files.
    ///
    /// # Errors
    /// `InvalidOption` that names the option of the file.
    pub(super) fn read(files: TlsFiles) -> Result<Self> {
        let seen = files.stamps();
        let config = files.config()?;
        let present = Mutex::new(Present { config, seen, looked: Instant::now() });
        Ok(Self(Arc::new(Kept { files, present })))
    }

    /// Completes the handshake of a client.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        TlsAcceptor::from(self.config(Instant::now())).accept(stream).await
    }

    /// The settings for a new connection, from the files as they are now.
    ///
    /// A pair that cannot be used changes nothing, because a program that renews a certificate writes the two
    /// files one after the other.
    fn config(&self, now: Instant) -> Arc<ServerConfig> {
        let Kept { files, present } = &*self.0;
        let mut present = present.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(present.looked) >= BETWEEN_LOOKS {
            present.looked = now;
            let stamps = files.stamps();
            if stamps != present.seen {
                present.seen = stamps;
                match files.config() {
                    Ok(config) => {
                        present.config = config;
                        tracing::info!(file = %files.cert.display(), "the certificate was read again");
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the changed certificate cannot be used; the old one stays");
                    }
                }
            }
        }
        Arc::clone(&present.config)
    }
}

impl TlsFiles {
    fn stamps(&self) -> [Option<Stamp>; 2] {
        let stamp = |file: Metadata| Stamp { modified: file.modified().ok(), length: file.len() };
        [&self.cert, &self.key].map(|path| fs::metadata(path).ok().map(stamp))
    }

    fn config(&self) -> Result<Arc<ServerConfig>> {
        let Self { cert, key } = self;
        let chain = read(cert, "tls.cert")?;
        let chain = CertificateDer::pem_slice_iter(&chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unusable("tls.cert", cert, format!("is not a PEM file: {error}")))?;
        if chain.is_empty() {
            return Err(unusable("tls.cert", cert, "has no certificate".to_owned()));
        }
        let private = PrivateKeyDer::from_pem_slice(&read(key, "tls.key")?)
            .map_err(|error| unusable("tls.key", key, format!("has no private key: {error}")))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider supports TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => {
                    let reason = format!("is not the key of the certificate in {}", cert.display());
                    unusable("tls.key", key, reason)
                }
                rustls::Error::InvalidCertificate(_) => {
                    unusable("tls.cert", cert, format!("cannot be used: {error}"))
                }
                error => unusable("tls.key", key, format!("cannot be used: {error}")),
            })?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn read(path: &Path, option: &'static str) -> Result<Vec<u8>> {
    let unreadable = |error: io::Error| unusable(option, path, format!("cannot be read: {error}"));
    if fs::metadata(path).map_err(unreadable)?.len() > MAX_FILE_BYTES {
        return Err(unusable(option, path, "is larger than 1 MiB".to_owned()));
    }
    fs::read(path).map_err(unreadable)
}

fn unusable(option: &'static str, path: &Path, reason: String) -> Error {
    Error::new(ErrorKind::InvalidOption, format!("{option}: {} {reason}.", path.display()))
        .about(option)
        .fix("Name PEM files: the certificate with its chain, and its private key.")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a certificate of its own for this name, with its key.
    fn write(folder: &Path, name: &str) -> TlsFiles {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let files = TlsFiles { cert: folder.join("cert.pem"), key: folder.join("key.pem") };
        fs::write(&files.cert, made.cert.pem()).unwrap();
        fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        files
    }

    #[test]
    fn a_changed_pair_is_read_once_a_second_and_an_unusable_one_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let certificate = Certificate::read(write(folder.path(), "one.example")).unwrap();
        let began = Instant::now();
        let after = |seconds: u64| certificate.config(began + Duration::from_secs(seconds));
        let first = after(10);
        assert!(Arc::ptr_eq(&first, &after(20)), "files that stay are not read again");

        write(folder.path(), "another.example");
        assert!(Arc::ptr_eq(&first, &after(20)), "the files were looked at within the second");
        let second = after(21);
        assert!(!Arc::ptr_eq(&first, &second));

        fs::write(folder.path().join("key.pem"), "no key").unwrap();
        assert!(Arc::ptr_eq(&second, &after(30)));
        fs::remove_file(folder.path().join("cert.pem")).unwrap();
        assert!(Arc::ptr_eq(&second, &after(40)));
        write(folder.path(), "the-third.example");
        assert!(!Arc::ptr_eq(&second, &after(50)));
    }

    #[test]
    fn unusable_files_are_refused_by_the_name_of_their_option() {
        let folder = tempfile::tempdir().unwrap();
        let files = write(folder.path(), "one.example");
        let refused = |files: TlsFiles| {
            let error = Certificate::read(files).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidOption);
            (error.field().unwrap().to_owned(), error.to_string())
        };
        let missing = folder.path().join("missing.pem");
        let (field, says) = refused(TlsFiles { cert: missing.clone(), ..files.clone() });
        assert!(field == "tls.cert" && says.contains("missing.pem"), "{says}");
        let (field, says) = refused(TlsFiles { key: missing, ..files.clone() });
        assert!(field == "tls.key" && says.contains("missing.pem"), "{says}");
        let (field, says) = refused(TlsFiles { cert: files.key.clone(), ..files.clone() });
        assert!(field == "tls.cert" && says.contains("has no certificate"), "{says}");
        let (field, says) = refused(TlsFiles { key: files.cert.clone(), ..files.clone() });
        assert!(field == "tls.key" && says.contains("has no private key"), "{says}");
        let key = fs::read(&files.key).unwrap();
        write(folder.path(), "another.example");
        fs::write(&files.key, key).unwrap();
        let (field, says) = refused(files.clone());
        assert!(field == "tls.key" && says.contains("is not the key of the certificate"), "{says}");
        fs::write(&files.cert, vec![b'x'; 1024 * 1024 + 1]).unwrap();
        let (field, says) = refused(files);
        assert!(field == "tls.cert" && says.contains("1 MiB"), "{says}");
    }
}
