//! Whether a redirect is followed, and whether it carries the credential. This module does no I/O.
//! `cases/redirect-cases.json` defines the rules.
//!
//! The gateway follows only the redirects of reads. The caller has to repeat a redirected write. The
//! credential stays on the exact origin (scheme, host, port). Once dropped, it is not added again.

use http::StatusCode;
use proxy_execute_protocol::Method;
use url::Url;

use crate::endpoint::{scheme_of, without_root_dot};

/// Upper limit for the redirects of one call.
pub(super) const MAX_REDIRECTS: usize = 5;

/// Upper limit for a `Location` that is followed, in bytes.
const MAX_LOCATION_BYTES: usize = 16 * 1024;

/// The next step after a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RedirectStep {
    /// Return the response to the caller.
    Return,
    /// Send the request to this URL.
    Follow {
        /// The next URL.
        url: Url,
        /// Whether the last request went to the same origin.
        same_origin: bool,
    },
    /// End the call, because following the redirect would be unsafe.
    Refuse(&'static str),
}

/// Determines the step after a response with this status and these `Location` headers.
pub(crate) fn next<'a>(
    method: Method,
    current: &Url,
    status: StatusCode,
    mut locations: impl Iterator<Item = &'a [u8]>,
) -> RedirectStep {
    let followable = matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) && method.is_safe();
    let Some(location) = locations.next().filter(|location| followable && !location.is_empty()) else {
        return RedirectStep::Return;
    };
    if locations.any(|another| another != location) {
        return RedirectStep::Refuse("it has two different Locations");
    }
    match target(current, location) {
        Ok(url) => {
            let same_origin = url.origin() == current.origin();
            RedirectStep::Follow { url, same_origin }
        }
        Err(why) => RedirectStep::Refuse(why),
    }
}

/// Resolves a `Location` to a URL.
///
/// The URL parser removes, replaces and adds characters, but other programs do not. So a `Location` that the
/// parser would correct is rejected first.
fn target(current: &Url, location: &[u8]) -> Result<Url, &'static str> {
    const INVALID: &str = "its Location is not a valid URL";
    if location.len() > MAX_LOCATION_BYTES {
        return Err("its Location is longer than 16 KiB");
    }
    let location = std::str::from_utf8(location).map_err(|_| "its Location is not UTF-8")?;
    if location.chars().any(char::is_control) {
        return Err("its Location has a control character in it");
    }
    if location.trim() != location {
        return Err("its Location begins or ends with white space");
    }
    if location.contains('\\') {
        return Err("its Location has a backslash in it, which programs read in different ways");
    }
    let scheme = scheme_of(location);
    let after_scheme = scheme.unwrap_or(location);
    match after_scheme.strip_prefix("//").map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default()) {
        Some("") => return Err("its Location has no host"),
        Some(authority) if authority.contains('@') => {
            return Err("its Location has a user name or password in it");
        }
        None if scheme.is_some() => return Err("its Location is neither a path nor a URL with a host"),
        _ => {}
    }
    let mut url = current.join(location).map_err(|_| INVALID)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("its Location is neither http nor https");
    }
    if current.scheme() == "https" && url.scheme() == "http" {
        return Err("it leads from https to http");
    }
    without_root_dot(&mut url).map_err(|_| INVALID)?;
    url.set_fragment(None);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::egress::address::{Verdict, judge};

    #[derive(Deserialize)]
    struct Case {
        id: String,
        method: Method,
        status: u16,
        request_url: String,
        location: Option<String>,
        expect: String,
        why: String,
    }

    /// The outcome of a call whose responses have these locations, one after the other.
    ///
    /// The table writes a chain as `A then back to B`, and the address of a name as
    /// `A (resolves to ADDRESS)`.
    fn outcome(case: &Case) -> &'static str {
        let status = StatusCode::from_u16(case.status).unwrap();
        let request_url = Url::parse(&case.request_url).unwrap();
        let Some(locations) = &case.location else {
            return match next(case.method, &request_url, status, std::iter::empty()) {
                RedirectStep::Return => "return_3xx_verbatim",
                _ => "something else",
            };
        };
        let (mut current, mut with_credentials) = (request_url, true);
        for hop in locations.split(" then back to ") {
            let (location, resolved) = match hop.split_once(" (resolves to ") {
                Some((location, rest)) => (location, rest.trim_end_matches(')').parse().ok()),
                None => (hop, None),
            };
            match next(case.method, &current, status, std::iter::once(location.as_bytes())) {
                RedirectStep::Return => return "return_3xx_verbatim",
                RedirectStep::Refuse(_) => return "fail_blocked",
                RedirectStep::Follow { url, same_origin } => {
                    let literal = url.host_str().unwrap().trim_matches(['[', ']']).parse().ok();
                    if resolved.or(literal).is_some_and(|address| judge(address) != Verdict::Public) {
                        return "fail_blocked";
                    }
                    with_credentials &= same_origin;
                    current = url;
                }
            }
        }
        if with_credentials { "follow_with_credentials" } else { "follow_without_credentials" }
    }

    #[test]
    fn every_row_of_the_table() {
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../../../../cases/redirect-cases.json")).unwrap();
        for case in &cases {
            assert_eq!(outcome(case), case.expect, "{}: {}", case.id, case.why);
        }
    }

    #[test]
    fn locations_that_json_cannot_write() {
        let current = Url::parse("https://api.github.com/a").unwrap();
        let next =
            |locations: &[&[u8]]| next(Method::Get, &current, StatusCode::FOUND, locations.iter().copied());
        let follows = |step: RedirectStep, to: &str| matches!(step, RedirectStep::Follow { url, .. } if url.as_str() == to);
        for latin1 in
            [&b"/caf\xe9"[..], b"https://api.github.com/\xff", b"\xa0/b", b"https://caf\xe9.example/"]
        {
            assert_eq!(next(&[latin1]), RedirectStep::Refuse("its Location is not UTF-8"));
        }
        assert!(follows(next(&["/café".as_bytes()]), "https://api.github.com/caf%C3%A9"));
        let long = |bytes: usize| format!("/{}", "a".repeat(bytes - 1)).into_bytes();
        assert!(matches!(next(&[&long(MAX_LOCATION_BYTES)]), RedirectStep::Follow { .. }));
        assert_eq!(
            next(&[&long(MAX_LOCATION_BYTES + 1)]),
            RedirectStep::Refuse("its Location is longer than 16 KiB")
        );
        assert!(follows(next(&[b"/b", b"/b"]), "https://api.github.com/b"));
        assert_eq!(next(&[b"/b", b"/c"]), RedirectStep::Refuse("it has two different Locations"));
        assert_eq!(next(&[b"", b"/c"]), RedirectStep::Return);
    }
}
