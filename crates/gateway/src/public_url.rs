//! The URL where users reach the gateway.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use proxy_execute_protocol::{Error, ErrorKind, Result};
use url::Url;

/// The URL where users reach the gateway, without a slash at the end. All clones are one URL.
///
/// It is the operator's `publicUrl`, or else the first address where the gateway listens.
#[derive(Debug, Clone, Default)]
pub struct PublicUrl(Arc<KnownUrls>);

#[derive(Debug, Default)]
struct KnownUrls {
    /// The operator's `publicUrl`.
    chosen: Option<String>,
    /// The first address where the gateway listens.
    listening: OnceLock<String>,
}

impl PublicUrl {
    /// Reads `publicUrl`: a URL that paths can be appended to.
    ///
    /// # Errors
    /// `InvalidOption`.
    pub(crate) fn read(text: &str) -> Result<Self> {
        let is_base = |url: &Url| {
            matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none()
        };
        let url = Url::parse(text).ok().filter(is_base).ok_or_else(|| {
            Error::new(ErrorKind::InvalidOption, format!("publicUrl: `{text}` is not an http or https URL."))
                .about("publicUrl")
                .fix("Write it as `https://gateway.example.com`.")
        })?;
        let chosen = Some(url.as_str().trim_end_matches('/').to_owned());
        Ok(Self(Arc::new(KnownUrls { chosen, listening: OnceLock::new() })))
    }

    /// Returns the URL.
    ///
    /// # Errors
    /// `NotListening` if users cannot reach the gateway.
    pub fn get(&self) -> Result<&str> {
        self.known().ok_or_else(|| {
            Error::new(
                ErrorKind::NotListening,
                "The gateway has no page for users: it does not listen on a port.",
            )
            .fix("Call gateway.listen() first; or set `publicUrl`, if another gateway with this store listens there.")
        })
    }

    /// The start of file URLs. Without a port, the URLs are valid in this process only.
    pub(crate) fn for_files(&self) -> &str {
        self.known().unwrap_or("proxy-execute:")
    }

    /// Returns the URL for a caller who used this origin; `None` if the gateway cannot be reached.
    ///
    /// The operator's choice comes first. The origin that the caller used is sure to work, unlike an address such
    /// as `0.0.0.0`.
    pub fn for_caller<'a>(&'a self, used: Option<&'a str>) -> Option<&'a str> {
        self.0.chosen.as_deref().or(used).or_else(|| self.known())
    }

    fn known(&self) -> Option<&str> {
        self.0.chosen.as_deref().or_else(|| self.0.listening.get().map(String::as_str))
    }

    /// Notes the address where the gateway listens, unless the operator has set `publicUrl`.
    pub fn listens_at(&self, address: SocketAddr, with_tls: bool) {
        let scheme = if with_tls { "https" } else { "http" };
        // The first port wins, so that existing links stay valid.
        _ = self.0.listening.set(format!("{scheme}://{address}"));
    }
}
