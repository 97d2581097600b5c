//! The HTTP proxies that the environment names, and the hosts that are called without one.
//!
//! `NO_PROXY` has no standard. An entry means here what it means to curl or to Node.js
//! (`NODE_USE_ENV_PROXY`): a request that should have stayed in the network must not reach a proxy
//! because of the way in which its host is written.

use std::env;
use std::net::IpAddr;

use http::Uri;
use http::uri::Scheme;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use ipnet::IpNet;
use url::Host;

/// Which proxy a request goes through.
#[derive(Debug)]
pub(crate) struct Proxies {
    proxies: Matcher,
    exempt: Vec<Exempt>,
}

/// An entry of `NO_PROXY`.
#[derive(Debug, PartialEq)]
struct Exempt {
    hosts: Hosts,
    /// All ports where there is none.
    port: Option<u16>,
}

#[derive(Debug, PartialEq)]
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
    /// Reads the environment. The name in lower case takes precedence, as for curl and Node.js.
    pub(crate) fn from_env() -> Self {
        // A CGI server passes the header `Proxy` of a request on as HTTP_PROXY.
        if env::var_os("REQUEST_METHOD").is_some() {
            return Self::new(Matcher::builder().build(), "");
        }
        let first = |names: [&str; 2]| {
            let values = names.into_iter().filter_map(|name| env::var(name).ok());
            values.map(|value| value.trim().to_owned()).find(|value| !value.is_empty()).unwrap_or_default()
        };
        let proxies = Matcher::builder()
            .http(first(["http_proxy", "HTTP_PROXY"]))
            .https(first(["https_proxy", "HTTPS_PROXY"]))
            .all(first(["all_proxy", "ALL_PROXY"]));
        Self::new(proxies.build(), &first(["no_proxy", "NO_PROXY"]))
    }

    pub(crate) fn new(proxies: Matcher, no_proxy: &str) -> Self {
        let entries = no_proxy.split(|c: char| c == ',' || c.is_whitespace());
        Self { proxies, exempt: entries.filter_map(Exempt::parse).collect() }
    }

    /// The proxy that requests to a URL go through.
    pub(crate) fn intercept(&self, url: &Uri) -> Option<Intercept> {
        let host = url.host()?;
        let port = url.port_u16().unwrap_or(if url.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 });
        if self.exempt.iter().any(|exempt| exempt.contains(host, port)) {
            return None;
        }
        self.proxies.intercept(url)
    }
}

impl Exempt {
    fn parse(entry: &str) -> Option<Self> {
        if let Some(hosts) = Hosts::parse(entry) {
            return Some(Self { hosts, port: None });
        }
        let (host, port) = entry.rsplit_once(':')?;
        Some(Self { hosts: Hosts::parse(host)?, port: Some(port.parse().ok()?) })
    }

    fn contains(&self, host: &str, port: u16) -> bool {
        if self.port.is_some_and(|only| only != port) {
            return false;
        }
        let host = host.trim_start_matches('[').trim_end_matches(']');
        match (&self.hosts, host.parse::<IpAddr>().map(|address| address.to_canonical())) {
            (Hosts::All, _) => true,
            (Hosts::Network(network), Ok(address)) => network.contains(&address),
            (Hosts::Range(first, last), Ok(address)) => {
                first.is_ipv4() == address.is_ipv4() && (*first..=*last).contains(&address)
            }
            (Hosts::Domain(name), Err(_)) => is_below(host, name).is_some(),
            (Hosts::Below(name), Err(_)) => is_below(host, name).is_some_and(|prefix| !prefix.is_empty()),
            (Hosts::Network(_) | Hosts::Range(..), Err(_)) | (Hosts::Domain(_) | Hosts::Below(_), Ok(_)) => {
                false
            }
        }
    }
}

impl Hosts {
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

/// What a host has before a name that it ends with: nothing, or labels and their dot.
fn is_below<'h>(host: &'h str, name: &str) -> Option<&'h str> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let (prefix, end) = host.split_at_checked(host.len().checked_sub(name.len())?)?;
    let ends_there = end.eq_ignore_ascii_case(name) && (prefix.is_empty() || prefix.ends_with('.'));
    ends_there.then_some(prefix)
}
