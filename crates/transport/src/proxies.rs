//! The HTTP proxies that the environment names, and the hosts that bypass them.
//!
//! `NO_PROXY` has no standard. An entry means here what it means to curl or to Node.js
//! (`NODE_USE_ENV_PROXY`). A request that should stay in the network must not reach a proxy because of the
//! spelling of its host.

use std::env;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use url::{Host, Url};

/// Selects the proxy of a request.
#[derive(Clone)]
pub(crate) struct Proxies {
    /// For URLs with `http`.
    http: Option<Url>,
    /// For URLs with `https`.
    https: Option<Url>,
    exempt: Vec<Exempt>,
}

/// An entry of `NO_PROXY`.
#[derive(Debug, Clone, PartialEq)]
struct Exempt {
    hosts: Hosts,
    /// The port; `None` stands for all ports.
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq)]
enum Hosts {
    All,
    /// The name and all names below it.
    Domain(String),
    /// The names below it.
    Below(String),
    Network(IpNet),
    /// From the first address to the last.
    Range(IpAddr, IpAddr),
}

impl Proxies {
    /// Reads the proxies from the environment; `None` if it names none. The lower-case name takes precedence,
    /// as in curl and Node.js.
    pub(crate) fn from_env() -> Option<Self> {
        // A CGI server passes the header `Proxy` of a request to its program as `HTTP_PROXY`.
        if env::var_os("REQUEST_METHOD").is_some() {
            return None;
        }
        let first = |names: [&str; 2]| {
            let values = names.into_iter().filter_map(|name| env::var(name).ok());
            values.map(|value| value.trim().to_owned()).find(|value| !value.is_empty()).unwrap_or_default()
        };
        Self::new(
            &first(["http_proxy", "HTTP_PROXY"]),
            &first(["https_proxy", "HTTPS_PROXY"]),
            &first(["all_proxy", "ALL_PROXY"]),
            &first(["no_proxy", "NO_PROXY"]),
        )
    }

    /// Parses the values of the four variables. Returns `None` if the first three name no proxy.
    pub(crate) fn new(http: &str, https: &str, all: &str, no_proxy: &str) -> Option<Self> {
        let all = parse(all);
        let (http, https) = (parse(http).or_else(|| all.clone()), parse(https).or(all));
        let entries = no_proxy.split(|c: char| c == ',' || c.is_whitespace());
        let exempt = entries.filter_map(Exempt::parse).collect();
        (http.is_some() || https.is_some()).then_some(Self { http, https, exempt })
    }

    /// Returns the proxy for requests to a URL.
    pub(crate) fn proxy_to(&self, url: &Url) -> Option<&Url> {
        let proxy = if url.scheme() == "https" { &self.https } else { &self.http };
        let (host, port) = (url.host()?, url.port_or_known_default()?);
        proxy.as_ref().filter(|_| !self.exempt.iter().any(|exempt| exempt.contains(&host, port)))
    }
}

/// Hides the proxies' URLs, which may contain a password.
impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies").field("exempt", &self.exempt).finish_non_exhaustive()
    }
}

/// Parses the URL of a proxy. A proxy without a scheme speaks HTTP.
///
/// A SOCKS proxy is kept although its requests fail, because they must not bypass the proxy.
fn parse(text: &str) -> Option<Url> {
    let url = if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("http://{text}")) };
    let is_known = |url: &Url| matches!(url.scheme(), "http" | "https") || url.scheme().starts_with("socks");
    url.ok().filter(is_known)
}

impl Exempt {
    fn parse(entry: &str) -> Option<Self> {
        if let Some(hosts) = Hosts::parse(entry) {
            return Some(Self { hosts, port: None });
        }
        let (host, port) = entry.rsplit_once(':')?;
        Some(Self { hosts: Hosts::parse(host)?, port: Some(port.parse().ok()?) })
    }

    fn contains(&self, host: &Host<&str>, port: u16) -> bool {
        if self.port.is_some_and(|only| only != port) {
            return false;
        }
        let address = match host {
            Host::Domain(host) => return self.hosts.contains_name(host),
            Host::Ipv4(address) => IpAddr::V4(*address),
            Host::Ipv6(address) => IpAddr::V6(*address).to_canonical(),
        };
        self.hosts.contains_address(address)
    }
}

impl Hosts {
    fn contains_name(&self, host: &str) -> bool {
        match self {
            Self::All => true,
            Self::Domain(name) => is_below(host, name).is_some(),
            Self::Below(name) => is_below(host, name).is_some_and(|prefix| !prefix.is_empty()),
            Self::Network(_) | Self::Range(..) => false,
        }
    }

    fn contains_address(&self, address: IpAddr) -> bool {
        match self {
            Self::All => true,
            Self::Network(network) => network.contains(&address),
            Self::Range(first, last) => {
                first.is_ipv4() == address.is_ipv4() && (*first..=*last).contains(&address)
            }
            Self::Domain(_) | Self::Below(_) => false,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::All);
        }
        let address = |text: &str| {
            let text = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
            text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
        };
        if let Some(address) = address(text) {
            return Some(Self::Network(address.into()));
        }
        if let Some((first, last)) = text.split_once('-')
            && let (Some(first), Some(last)) = (address(first), address(last))
        {
            return Some(Self::Range(first, last));
        }
        if let Some((base, length)) = text.rsplit_once('/') {
            return IpNet::new(address(base)?, length.parse().ok()?).ok().map(Self::Network);
        }
        let name = |text: &str| match Host::parse(text.trim_end_matches('.')).ok()? {
            Host::Domain(name) => Some(Self::Domain(name)),
            Host::Ipv4(address) => Some(Self::Network(IpAddr::V4(address).into())),
            Host::Ipv6(address) => Some(Self::Network(IpAddr::V6(address).into())),
        };
        match text.strip_prefix("*.") {
            Some(text) => match name(text)? {
                Self::Domain(name) => Some(Self::Below(name)),
                _ => None,
            },
            None => name(text.strip_prefix('.').unwrap_or(text)),
        }
    }
}

/// Returns the part of a host before a name that the host ends with: nothing, or labels with their dot.
fn is_below<'h>(host: &'h str, name: &str) -> Option<&'h str> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let (prefix, end) = host.split_at_checked(host.len().checked_sub(name.len())?)?;
    let ends_there = end.eq_ignore_ascii_case(name) && (prefix.is_empty() || prefix.ends_with('.'));
    ends_there.then_some(prefix)
}
