//! The URL of a call, and whether the account's credential may go there. This module does no I/O.
//!
//! A relative endpoint is appended to the account's base URL, and must stay below its path. An absolute
//! endpoint must have the base URL's scheme and port. Its host must equal the base URL's host, or be a host
//! that the toolkit lists. A sibling subdomain often belongs to another customer, so it is rejected unless
//! listed.
//!
//! Hosts are compared after WHATWG normalization, and the call goes to the URL that was compared.
//! `cases/endpoint-cases.json` defines the rules, row by row.

use std::fmt;

use http::uri::Authority;
use proxy_execute_protocol::quoted;
use url::{Host, Url};

/// Upper limit for an endpoint, in bytes.
pub const MAX_ENDPOINT_BYTES: usize = 64 * 1024;

/// Why an endpoint was rejected. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The text is neither a path nor an http(s) URL, or parsers would disagree on its meaning.
    #[error("{0}")]
    Malformed(&'static str),
    /// The endpoint leads out of the base URL's path.
    #[error("it leads above the path of the base URL, {}", quoted(.base_path))]
    Escapes {
        /// The path that the endpoint must stay below.
        base_path: String,
    },
    /// The endpoint leads to another scheme, host or port.
    #[error("{} is not {}, and not a host that the toolkit lists", quoted(.target), quoted(.base))]
    OtherOrigin {
        /// The origin of the endpoint.
        target: String,
        /// The origin of the base URL.
        base: String,
    },
}

/// A host that a toolkit lists, besides the host of its base URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// Exactly this host.
    Exact(Host<String>),
    /// `*.suffix`: exactly one label in front of the suffix.
    OneLabelBelow(String),
}

impl HostPattern {
    /// Parses `api.example.com` or `*.example.com`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("*.") {
            Some(suffix) => match Host::parse(suffix).ok()? {
                Host::Domain(suffix) if suffix.contains('.') => Some(Self::OneLabelBelow(suffix)),
                _ => None,
            },
            None => Host::parse(text).ok().map(Self::Exact),
        }
    }

    pub(crate) fn matches(&self, host: &Host<&str>) -> bool {
        match (self, host) {
            (Self::Exact(exact), host) => exact == host,
            (Self::OneLabelBelow(suffix), Host::Domain(name)) => name
                .strip_suffix(suffix.as_str())
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(|label| !label.is_empty() && !label.contains('.')),
            _ => false,
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => host.fmt(f),
            Self::OneLabelBelow(suffix) => write!(f, "*.{suffix}"),
        }
    }
}

/// Resolves `endpoint` to a URL, for an account with this base URL.
///
/// # Errors
/// [`Refusal`] if the credential must not go to the URL, or if parsers would disagree on the URL.
pub fn resolve(base: &Url, hosts: &[HostPattern], endpoint: &str) -> Result<Url, Refusal> {
    check_text(endpoint)?;
    match scheme_of(endpoint) {
        None => below(base, endpoint),
        Some(rest) => {
            let url = absolute(endpoint, rest)?;
            check_origin(base, hosts, &url)?;
            Ok(url)
        }
    }
}

/// Rejects text that parsers are known to read in different ways.
fn check_text(endpoint: &str) -> Result<(), Refusal> {
    if endpoint.is_empty() {
        return Err(Refusal::Malformed("it is empty; `/` is the root of the API"));
    }
    if endpoint.len() > MAX_ENDPOINT_BYTES {
        return Err(Refusal::Malformed("it is longer than 64 KiB; put long values into the body"));
    }
    if endpoint.chars().any(char::is_control) {
        return Err(Refusal::Malformed("it has a control character in it; percent-encode it"));
    }
    if endpoint.trim() != endpoint {
        return Err(Refusal::Malformed("it begins or ends with white space"));
    }
    if before_query(endpoint).contains('\\') {
        return Err(Refusal::Malformed("it has a backslash in it; write `/`, or `%5C` for a literal one"));
    }
    if endpoint.starts_with("//") {
        return Err(Refusal::Malformed(
            "it begins with `//`; begin a path with one slash, a URL with its scheme",
        ));
    }
    Ok(())
}

fn before_query(endpoint: &str) -> &str {
    endpoint.split(['?', '#']).next().unwrap_or_default()
}

/// Returns the text after `scheme:`, if the endpoint begins with a scheme (RFC 3986 §3.1).
pub(crate) fn scheme_of(endpoint: &str) -> Option<&str> {
    let (scheme, rest) = endpoint.split_once(':')?;
    let mut chars = scheme.chars();
    let is_scheme = chars.next().is_some_and(|first| first.is_ascii_alphabetic())
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    is_scheme.then_some(rest)
}

/// Normalizes an absolute URL, and removes its fragment and the dot of the root label.
fn absolute(endpoint: &str, after_scheme: &str) -> Result<Url, Refusal> {
    let authority = after_scheme
        .strip_prefix("//")
        .map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default())
        .filter(|authority| !authority.is_empty())
        .ok_or(Refusal::Malformed(
            "it is neither a path nor a URL of the form `https://host/…`; \
             begin a path that has a colon in its first part with `/`",
        ))?;
    if authority.contains('@') || authority.contains(char::is_whitespace) {
        return Err(Refusal::Malformed("its host part has a user name or white space in it"));
    }
    let mut url =
        Url::parse(endpoint).map_err(|_| Refusal::Malformed("its scheme, host or port is not valid"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Refusal::Malformed("its scheme is neither http nor https"));
    }
    url.set_fragment(None);
    without_root_dot(&mut url)?;
    // The URL standard allows hosts such as `{name.example.com`, which RFC 3986 does not and no request holds.
    if url.authority().parse::<Authority>().is_err() {
        return Err(Refusal::Malformed("its host has a character that HTTP does not allow"));
    }
    Ok(url)
}

/// Removes the dot of the root label. The compared name, the name in the TLS handshake and the `Host` header
/// are then the same.
pub(crate) fn without_root_dot(url: &mut Url) -> Result<(), Refusal> {
    const EMPTY_LABEL: Refusal = Refusal::Malformed("its host has an empty label in it");
    let Some(Host::Domain(name)) = url.host() else { return Ok(()) };
    let plain = name.strip_suffix('.').unwrap_or(name);
    if plain.split('.').any(str::is_empty) {
        return Err(EMPTY_LABEL);
    }
    if plain.len() != name.len() {
        let plain = plain.to_owned();
        url.set_host(Some(&plain)).map_err(|_| EMPTY_LABEL)?;
    }
    Ok(())
}

fn check_origin(base: &Url, hosts: &[HostPattern], url: &Url) -> Result<(), Refusal> {
    let same_scheme_and_port =
        url.scheme() == base.scheme() && url.port_or_known_default() == base.port_or_known_default();
    let host_allowed = url
        .host()
        .is_some_and(|host| base.host().as_ref() == Some(&host) || hosts.iter().any(|p| p.matches(&host)));
    if same_scheme_and_port && host_allowed {
        return Ok(());
    }
    let origin = |url: &Url| url.origin().ascii_serialization();
    Err(Refusal::OtherOrigin { target: origin(url), base: origin(base) })
}

/// Appends a path, a query or both to the base URL, and keeps the base URL's own path.
fn below(base: &Url, endpoint: &str) -> Result<Url, Refusal> {
    let without_fragment = endpoint.split('#').next().unwrap_or_default();
    let (path, query) = match without_fragment.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (without_fragment, None),
    };
    if path.split('/').any(hides_a_climb) {
        return Err(Refusal::Malformed(
            "it has a `..` behind an encoded slash or before a `;`, which some servers follow",
        ));
    }
    let base_path = base.path().trim_end_matches('/');
    let mut url = base.clone();
    if !path.is_empty() {
        url.set_path(&format!("{base_path}/{}", path.strip_prefix('/').unwrap_or(path)));
    }
    url.set_query(query);

    let stays_below =
        url.path().strip_prefix(base_path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if stays_below { Ok(url) } else { Err(Refusal::Escapes { base_path: base_path.to_owned() }) }
}

/// Whether some servers read a path segment as `..`.
///
/// Such a server decodes `%2F` or `%5C` before it splits the path, or removes path parameters (`..;x`). The
/// URL parser normalizes a plain `..`, and the resulting path is checked.
fn hides_a_climb(segment: &str) -> bool {
    if !segment.contains(['%', ';']) {
        return false;
    }
    let segment = segment.to_ascii_lowercase().replace("%2e", ".");
    let pieces: Vec<&str> = segment.split("%2f").flat_map(|piece| piece.split("%5c")).collect();
    let splits = pieces.len() > 1;
    pieces.iter().any(|piece| match piece.split_once(';') {
        Some((name, _parameters)) => name == "..",
        None => splits && *piece == "..",
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        id: String,
        base_url: String,
        endpoint: String,
        expect: String,
        resolved_url: Option<String>,
        #[serde(default)]
        allowed_hosts: Vec<String>,
        why: String,
    }

    #[test]
    fn every_row_of_the_table() {
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../../../cases/endpoint-cases.json")).unwrap();
        let mut wrong = Vec::new();
        for case in &cases {
            let mut base = Url::parse(&case.base_url).unwrap();
            without_root_dot(&mut base).unwrap();
            let hosts: Vec<_> =
                case.allowed_hosts.iter().map(|text| HostPattern::parse(text).unwrap()).collect();
            let got = resolve(&base, &hosts, &case.endpoint);
            let right = match (case.expect.as_str(), &got) {
                ("allow", Ok(url)) => Some(url.as_str()) == case.resolved_url.as_deref(),
                ("reject", Err(_)) => true,
                _ => false,
            };
            if !right {
                wrong.push(format!("{}: {got:?}, expected {} ({})", case.id, case.expect, case.why));
            }
        }
        assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    }

    #[test]
    fn a_wildcard_is_one_whole_label() {
        let pattern = HostPattern::parse("*.googleapis.com").unwrap();
        let matches = |name| pattern.matches(&Host::Domain(name));
        assert!(matches("www.googleapis.com"));
        for name in ["googleapis.com", "a.b.googleapis.com", ".googleapis.com", "evilgoogleapis.com"] {
            assert!(!matches(name), "{name}");
        }
        assert_eq!(HostPattern::parse("*.com"), None);
        assert_eq!(HostPattern::parse("a b"), None);
    }

    #[test]
    fn an_encoded_slash_that_does_not_climb_is_kept() {
        let base = Url::parse("https://api.github.com").unwrap();
        let url = resolve(&base, &[], "/repos/o/r/contents/a%2Fb;v=1/..c").unwrap();
        assert_eq!(url.as_str(), "https://api.github.com/repos/o/r/contents/a%2Fb;v=1/..c");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

        /// Checks any text: an accepted URL stays on the listed hosts, and has no user name and no fragment.
        /// If the endpoint was relative, the URL stays below the base path.
        #[test]
        fn nothing_leads_elsewhere(
            endpoint in r"(https?:|HTTPS:|//|/|\\)?(/{0,3})([a-z.@:;%/\\?#0-9]|%2[ef]|%5c|\.\.|slack\.com|evil\.com){0,12}"
        ) {
            let base = Url::parse("https://slack.com/api").unwrap();
            let hosts = [HostPattern::parse("files.slack.com").unwrap()];
            if let Ok(url) = resolve(&base, &hosts, &endpoint) {
                prop_assert_eq!(url.scheme(), "https");
                prop_assert_eq!(url.port_or_known_default(), Some(443));
                prop_assert!(matches!(url.host_str(), Some("slack.com" | "files.slack.com")), "{}", url);
                prop_assert!(url.username().is_empty() && url.password().is_none());
                prop_assert_eq!(url.fragment(), None);
                if scheme_of(&endpoint).is_none() {
                    prop_assert!(url.path() == "/api" || url.path().starts_with("/api/"), "{}", url);
                }
                // Parsing the result again changes nothing, so the call goes to the URL that was compared.
                prop_assert_eq!(Url::parse(url.as_str()).unwrap(), url);
            }
        }
    }
}
