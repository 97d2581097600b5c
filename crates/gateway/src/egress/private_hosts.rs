//! The requests that may go to a private host.
//!
//! The address of a private host is not on the public internet, or the host uses plain HTTP. An operator
//! allows each such host by name, and for a purpose.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use proxy_execute_protocol::{Advice, Error, ErrorKind, Result};
use url::{Host, Url};

use super::address::{Verdict, judge};

/// On whose behalf the gateway sends a request. This determines which private hosts the request may go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Behalf {
    /// A toolkit.
    Toolkit {
        slug: String,
        /// Whether the toolkit's definition names the host. Otherwise, an account field led to it.
        names_host: bool,
    },
    /// An API that redirected a request to another origin.
    Redirect,
    /// The caller, with the URL of a body.
    BodyUrl,
    /// The receiver of webhooks.
    Webhook,
}

impl Behalf {
    /// On whose behalf a redirect to another origin is followed.
    ///
    /// A caller could have given the final URL of a body directly. So redirects of a body's URL need no
    /// permission of their own.
    pub(super) fn redirected(&self) -> Self {
        match self {
            Self::BodyUrl => Self::BodyUrl,
            Self::Toolkit { .. } | Self::Redirect | Self::Webhook => Self::Redirect,
        }
    }
}

/// The operator's options, as written.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Allowed<'a> {
    /// `host`, `host:port` or `toolkit=host`.
    pub(crate) hosts: &'a [String],
    /// `host` or `host:port`.
    pub(crate) redirects: &'a [String],
    /// `host` or `host:port`.
    pub(crate) bodies: &'a [String],
    /// `host` or `host:port`.
    pub(crate) webhooks: &'a [String],
}

/// The private hosts that an operator allows, by name.
#[derive(Debug, Default)]
pub(crate) struct PrivateHosts(HashMap<String, Vec<Permission>>);

#[derive(Debug)]
struct Permission {
    /// `None` for all ports.
    port: Option<u16>,
    holder: Holder,
}

#[derive(Debug)]
enum Holder {
    /// The definitions that name the host.
    Definitions,
    /// All accounts of a toolkit, with any field that leads them to the host.
    Toolkit(String),
    Redirects,
    Bodies,
    Webhooks,
}

impl Permission {
    fn covers(&self, port: u16, behalf: &Behalf) -> bool {
        let is_holder = match (&self.holder, behalf) {
            (Holder::Definitions, Behalf::Toolkit { names_host, .. }) => *names_host,
            (Holder::Toolkit(allowed), Behalf::Toolkit { slug, .. }) => allowed == slug,
            (Holder::Redirects, Behalf::Redirect)
            | (Holder::Bodies, Behalf::BodyUrl)
            | (Holder::Webhooks, Behalf::Webhook) => true,
            _ => false,
        };
        is_holder && self.port.is_none_or(|allowed| allowed == port)
    }
}

impl PrivateHosts {
    /// Parses an operator's options. `is_toolkit` says whether a toolkit with a slug exists.
    ///
    /// # Errors
    /// `InvalidOption` that names the option and the entry.
    pub(crate) fn parse(allowed: Allowed<'_>, is_toolkit: impl Fn(&str) -> bool) -> Result<Self> {
        let mut hosts = Self::default();
        for entry in allowed.hosts {
            match entry.split_once('=') {
                None => hosts.add("allowPrivateHosts", entry, Holder::Definitions)?,
                Some((slug, host)) if is_toolkit(slug) => {
                    hosts.add("allowPrivateHosts", host, Holder::Toolkit(slug.to_owned()))?;
                }
                Some((slug, _)) => {
                    let message = format!("allowPrivateHosts: there is no toolkit `{slug}`.");
                    return Err(Error::new(ErrorKind::InvalidOption, message)
                        .about("allowPrivateHosts")
                        .fix("Write `toolkit=host` with the slug of a toolkit, or the host alone."));
                }
            }
        }
        for entry in allowed.redirects {
            hosts.add("allowPrivateRedirects", entry, Holder::Redirects)?;
        }
        for entry in allowed.bodies {
            hosts.add("allowPrivateBodies", entry, Holder::Bodies)?;
        }
        for entry in allowed.webhooks {
            hosts.add("allowPrivateWebhooks", entry, Holder::Webhooks)?;
        }
        Ok(hosts)
    }

    /// Adds an entry of the form `host` or `host:port`.
    fn add(&mut self, option: &str, entry: &str, holder: Holder) -> Result<()> {
        let invalid = || {
            Error::new(
                ErrorKind::InvalidOption,
                format!("{option}: `{entry}` is not a host name or address."),
            )
            .about(option)
            .about(option)
            .fix("Write it as `localhost`, `git.internal:8443`, `10.0.0.7` or `[::1]`.")
        };
        let url = Url::parse(&format!("http://{entry}/")).map_err(|_| invalid())?;
        // The URL standard allows `=` in a host, but DNS does not.
        let is_host = !entry.contains('=') && url.path() == "/" && url.username().is_empty();
        let host = url.host_str().filter(|_| is_host);
        let host = host.ok_or_else(invalid)?.trim_end_matches('.').to_owned();
        let names_a_port = entry.rsplit(']').next().is_some_and(|after_address| after_address.contains(':'));
        let port = url.port_or_known_default().filter(|_| names_a_port);
        self.0.entry(host).or_default().push(Permission { port, holder });
        Ok(())
    }

    /// Checks the scheme and a literal address, which need no look-up. Returns whether the request may go to
    /// private addresses.
    pub(super) fn check(&self, url: &Url, behalf: &Behalf) -> Result<bool> {
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        let permissions = self.0.get(host).map(Vec::as_slice).unwrap_or_default();
        let is_allowed = permissions.iter().any(|permission| permission.covers(port, behalf));
        let refused = |why| Refused { host: host.to_owned(), why }.to_error(behalf);
        if url.scheme() != "https" && !is_allowed {
            return Err(refused("plain http is for hosts that an operator allows"));
        }
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            _ => return Ok(is_allowed),
        };
        match judge(literal) {
            Verdict::Public => Ok(is_allowed),
            Verdict::Internal if is_allowed => Ok(true),
            verdict => Err(refused(reason(verdict))),
        }
    }
}

/// Keeps the public addresses of a name.
///
/// A private address among public ones is dropped, so that one wrong record does not make the host
/// unreachable.
pub(super) fn public_only(host: &str, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Refused> {
    filter(host, found, |verdict| verdict == Verdict::Public)
}

/// Keeps the addresses of a name that an operator allows: all except metadata services.
pub(super) fn public_and_private(host: &str, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Refused> {
    filter(host, found, |verdict| verdict != Verdict::Metadata)
}

fn filter(
    host: &str,
    found: Vec<SocketAddr>,
    is_good: impl Fn(Verdict) -> bool,
) -> Result<Vec<SocketAddr>, Refused> {
    let (good, bad): (Vec<_>, Vec<_>) = found.into_iter().partition(|address| is_good(judge(address.ip())));
    match bad.first() {
        Some(bad) if good.is_empty() => Err(Refused { host: host.to_owned(), why: reason(judge(bad.ip())) }),
        _ => Ok(good),
    }
}

fn reason(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Metadata => "it is a cloud metadata service",
        _ => "its address is not on the public internet",
    }
}

/// The rejection of a host. If the resolver rejects a host, this error is in the error chain of the failed
/// request.
#[derive(Debug, thiserror::Error)]
#[error("{host}: {why}")]
pub(super) struct Refused {
    host: String,
    why: &'static str,
}

impl Refused {
    pub(super) fn to_error(&self, behalf: &Behalf) -> Error {
        let Self { host, why } = self;
        let error = |led_by: &str| {
            Error::new(
                ErrorKind::AddressRefused,
                format!("The gateway does not call {host}{led_by}: {why}. Nothing was sent."),
            )
        };
        let allow = |option, entry: String, whom: &str| {
            let fix = format!(
                "An operator can let {whom} a host of their own network with `{entry}` in `{option}`."
            );
            (fix, Advice::AllowPrivateHost { option, entry })
        };
        let (error, (fix, advice)) = match behalf {
            Behalf::Toolkit { names_host: true, .. } => {
                (error(""), allow("allowPrivateHosts", host.clone(), "the toolkit lead to"))
            }
            Behalf::Toolkit { slug, names_host: false } => (
                error(&format!(", which the definition of toolkit `{slug}` does not name")),
                allow("allowPrivateHosts", format!("{slug}={host}"), "accounts of this toolkit lead to"),
            ),
            Behalf::Redirect => (
                error(", to which a redirect leads"),
                allow("allowPrivateRedirects", host.clone(), "redirects lead to"),
            ),
            Behalf::BodyUrl => (
                error(" for the body of a request"),
                allow("allowPrivateBodies", host.clone(), "bodies come from"),
            ),
            Behalf::Webhook => {
                (error(" to send it webhooks"), allow("allowPrivateWebhooks", host.clone(), "webhooks go to"))
            }
        };
        error.fix(fix).advise(advice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(entries: &[&str]) -> Vec<String> {
        entries.iter().map(|entry| (*entry).to_owned()).collect()
    }

    fn hosts(entries: &[&str]) -> PrivateHosts {
        let hosts = owned(entries);
        PrivateHosts::parse(Allowed { hosts: &hosts, ..Allowed::default() }, |slug| slug == "git").unwrap()
    }

    fn toolkit(names_host: bool) -> Behalf {
        Behalf::Toolkit { slug: "git".to_owned(), names_host }
    }

    fn addresses(found: &[&str]) -> Vec<SocketAddr> {
        found.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 0)).collect()
    }

    #[test]
    fn only_allowed_addresses_of_a_mixed_lookup_are_used() {
        assert_eq!(
            public_only("x.example", addresses(&["10.0.0.5", "8.8.8.8"])).unwrap(),
            addresses(&["8.8.8.8"])
        );
        assert!(public_only("rebind.example", addresses(&["10.0.0.5"])).is_err());
        assert_eq!(public_only("empty.example", Vec::new()).unwrap(), []);
    }

    #[test]
    fn a_private_host_is_never_a_metadata_service() {
        let private = addresses(&["10.0.0.5"]);
        assert_eq!(public_and_private("git.internal", private.clone()).unwrap(), private);
        for metadata in ["169.254.169.254", "64:ff9b::169.254.169.254", "2002:a9fe:a9fe::"] {
            assert!(public_and_private("git.internal", addresses(&[metadata])).is_err(), "{metadata}");
        }
        let url = "http://169.254.169.254/latest/meta-data/".parse().unwrap();
        for entry in ["169.254.169.254", "git=169.254.169.254"] {
            let error = hosts(&[entry]).check(&url, &toolkit(true)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AddressRefused);
        }
    }

    #[test]
    fn hosts_that_may_be_called_without_a_lookup() {
        let allowed = hosts(&["127.0.0.1", "git.internal:8443", "git.internal:9000", "[::1]"]);
        let check = |url: &str| allowed.check(&url.parse().unwrap(), &toolkit(true));
        for (url, is_private) in [
            ("http://127.0.0.1:3000/", true),
            ("https://git.internal:8443/", true),
            ("http://git.internal:9000/", true),
            ("http://[::1]/", true),
            ("https://8.8.8.8/", false),
            // The resolver looks up this name, which must have a public address.
            ("https://git.internal/", false),
            ("https://sub.git.internal:8443/", false),
        ] {
            assert_eq!(check(url).unwrap(), is_private, "{url}");
        }
        for url in [
            "http://example.com/",
            "https://127.0.0.2/",
            "https://[::ffff:127.0.0.1]/",
            "https://2130706434/",
            "http://git.internal:80/",
        ] {
            assert!(check(url).is_err(), "{url}");
        }
    }

    #[test]
    fn each_permission_is_for_one_purpose() {
        let one = owned(&["10.0.0.7"]);
        let of_git = owned(&["git=10.0.0.7"]);
        let other = Behalf::Toolkit { slug: "other".to_owned(), names_host: false };
        let behalves =
            [toolkit(true), toolkit(false), other, Behalf::Redirect, Behalf::BodyUrl, Behalf::Webhook];
        for (allowed, expected) in [
            (Allowed::default(), [false, false, false, false, false, false]),
            (Allowed { hosts: &one, ..Allowed::default() }, [true, false, false, false, false, false]),
            (Allowed { hosts: &of_git, ..Allowed::default() }, [true, true, false, false, false, false]),
            (Allowed { redirects: &one, ..Allowed::default() }, [false, false, false, true, false, false]),
            (Allowed { bodies: &one, ..Allowed::default() }, [false, false, false, false, true, false]),
            (Allowed { webhooks: &one, ..Allowed::default() }, [false, false, false, false, false, true]),
        ] {
            let hosts = PrivateHosts::parse(allowed, |slug| slug == "git").unwrap();
            let url = "http://10.0.0.7/".parse().unwrap();
            for (behalf, expected) in behalves.iter().zip(expected) {
                assert_eq!(hosts.check(&url, behalf).is_ok(), expected, "{allowed:?}, {behalf:?}");
            }
        }
    }

    #[test]
    fn an_entry_that_is_no_host_is_refused_by_name() {
        for entry in ["", "a b", "http://x", "x/y", "user@x", "git=", "git=x/y", "unknown=x", "=x"] {
            let entries = owned(&[entry]);
            let about =
                entry.split_once('=').map_or(entry, |(slug, host)| if slug == "git" { host } else { slug });
            let error =
                PrivateHosts::parse(Allowed { hosts: &entries, ..Allowed::default() }, |slug| slug == "git");
            let error = error.unwrap_err().to_string();
            assert!(error.contains("allowPrivateHosts") && error.contains(&format!("`{about}`")), "{error}");
        }
        let entries = owned(&["git=x"]);
        for (allowed, option) in [
            (Allowed { redirects: &entries, ..Allowed::default() }, "allowPrivateRedirects"),
            (Allowed { bodies: &entries, ..Allowed::default() }, "allowPrivateBodies"),
            (Allowed { webhooks: &entries, ..Allowed::default() }, "allowPrivateWebhooks"),
        ] {
            let error = PrivateHosts::parse(allowed, |slug| slug == "git").unwrap_err().to_string();
            assert!(error.contains(option) && error.contains("`git=x`"), "{error}");
        }
    }
}
