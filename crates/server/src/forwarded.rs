//! The client of a request that came through proxies which the operator trusts.
//!
//! A proxy appends the address that it was called from to `X-Forwarded-For`. So the list is read from its end. A
//! trusted proxy vouches for the address before its own, and for no other. The first address that no trusted proxy
//! has is the client, whatever the client wrote in front of it.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, HeaderValue};
use ipnet::IpNet;
use proxy_execute_gateway::api_key::parse_network;
use proxy_execute_protocol::{Error, ErrorKind, Result, quoted};

const HEADER: &str = "x-forwarded-for";

/// Upper limit for the number of networks. Each request may be compared with all of them.
const MOST_NETWORKS: usize = 100;

/// The networks of proxies whose `X-Forwarded-For` counts.
#[derive(Debug)]
pub(super) struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// # Errors
    /// `InvalidOption` for a text that is no address or network, or for too many.
    pub(super) fn read(texts: &[String]) -> Result<Self> {
        let invalid = |fact: String| {
            Error::new(ErrorKind::InvalidOption, format!("trustedProxies: {fact}")).about("trustedProxies")
        };
        if texts.len() > MOST_NETWORKS {
            return Err(invalid(format!("has {} networks, and may have {MOST_NETWORKS}.", texts.len())));
        }
        let read = |text: &String| {
            parse_network(text).ok_or_else(|| {
                invalid(format!("{} is not an address or a network.", quoted(text)))
                    .fix("Write it as 10.0.0.7 or 10.0.0.0/8.")
            })
        };
        texts.iter().map(read).collect::<Result<_>>().map(Self)
    }

    /// Replaces the address of a request from a trusted proxy by that of its client.
    pub(super) fn find_client(&self, request: &mut Request) {
        let Some(&ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>() else { return };
        let client = self.client(peer.ip(), request.headers());
        if client != peer.ip() {
            // The port of the client is not known, and no rule asks for it.
            request.extensions_mut().insert(ConnectInfo(SocketAddr::new(client, 0)));
        }
    }

    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.has(peer) {
            return peer;
        }
        let lists = headers.get_all(HEADER).iter().rev().map(HeaderValue::as_bytes);
        let mut vouched = peer;
        for hop in lists.flat_map(|list| list.rsplit(|byte| *byte == b',')) {
            // A proxy may hide an address. Then the last address that is known counts.
            let Some(address) = address_of(hop) else { break };
            vouched = address;
            if !self.has(address) {
                break;
            }
        }
        vouched
    }

    fn has(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// Reads an address. Some proxies write its port behind it.
fn address_of(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_is_the_last_address_that_no_trusted_proxy_has() {
        let texts = ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"].map(str::to_owned);
        let proxies = TrustedProxies::read(&texts).unwrap();
        for (peer, lists, client) in [
            ("203.0.113.5", &["198.51.100.1"][..], "203.0.113.5"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("::ffff:10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("2001:db8::1", &["2001:db9::7"], "2001:db9::7"),
            // An address that a client wrote in front does not count.
            ("10.0.0.1", &["127.0.0.1, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["127.0.0.1", "198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["1.1.1.1, 198.51.100.1 ,192.0.2.7, 10.9.9.9"], "198.51.100.1"),
            ("10.0.0.1", &["198.51.100.1", "10.9.9.9"], "198.51.100.1"),
            // All are trusted: the first is the client.
            ("10.0.0.1", &["10.2.2.2, 10.9.9.9"], "10.2.2.2"),
            ("10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("10.0.0.1", &["[2001:db9::7]:4711"], "2001:db9::7"),
            ("10.0.0.1", &["[2001:db9::7]"], "2001:db9::7"),
            ("10.0.0.1", &["::ffff:198.51.100.1"], "198.51.100.1"),
            // A hidden address is not skipped.
            ("10.0.0.1", &["198.51.100.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1, unknown, 10.9.9.9"], "10.9.9.9"),
            ("10.0.0.1", &["198.51.100.1,"], "10.0.0.1"),
            ("10.0.0.1", &[""], "10.0.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            for list in lists {
                headers.append(HEADER, HeaderValue::from_static(list));
            }
            let found = proxies.client(peer.parse().unwrap(), &headers);
            assert_eq!(found, client.parse::<IpAddr>().unwrap(), "{peer} {lists:?}");
        }
    }

    #[test]
    fn networks_are_checked() {
        for text in ["", "10.0.0.0/33", "proxy.example.com", "10.0.0"] {
            let error = TrustedProxies::read(&[text.to_owned()]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidOption);
            assert_eq!(error.field(), Some("trustedProxies"));
        }
        assert!(TrustedProxies::read(&vec!["10.0.0.1".to_owned(); MOST_NETWORKS + 1]).is_err());
    }
}
