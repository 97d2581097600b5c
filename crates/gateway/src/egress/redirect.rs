//! Whether a redirect is followed, and whether the credential goes along. Pure;
//! `cases/redirect-cases.json` is the rule.
//!
//! Only reads are followed: a write that is redirected is the caller's to repeat. The credential
//! stays on the exact origin (scheme, host, port) and, once dropped, does not come back.

use http::StatusCode;
use proxy_execute_protocol::Method;
use url::Url;

use crate::endpoint::without_root_dot;

/// How many redirects one call follows.
pub(super) const MAX_REDIRECTS: usize = 5;

/// What to do with an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Hand it to the caller.
    Return,
    /// Go on to this URL.
    Follow {
        /// Where to.
        url: Url,
        /// Whether it is the origin that the last request went to.
        same_origin: bool,
    },
    /// End the call: following would be unsafe.
    Refuse(&'static str),
}

/// The step that an answer with this status and `Location` asks for.
pub(super) fn next(method: Method, current: &Url, status: StatusCode, location: Option<&str>) -> Step {
    let followable = matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308);
    let Some(location) = location.filter(|location| followable && method.is_safe() && !location.is_empty())
    else {
        return Step::Return;
    };
    if location.contains('\\') {
        return Step::Refuse("its Location has a backslash in it, which programs read in different ways");
    }
    let Ok(mut url) = current.join(location) else {
        return Step::Refuse("its Location is not a valid URL");
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Step::Refuse("its Location is neither http nor https");
    }
    if current.scheme() == "https" && url.scheme() == "http" {
        return Step::Refuse("it leads from https to http");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Step::Refuse("its Location has a user name or password in it");
    }
    if without_root_dot(&mut url).is_err() {
        return Step::Refuse("its Location is not a valid URL");
    }
    url.set_fragment(None);
    let same_origin = url.origin() == current.origin();
    Step::Follow { url, same_origin }
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

    /// What becomes of a call whose answers carry these locations, one after the other.
    ///
    /// The table writes a chain as `A then back to B`, and what a name resolves to as
    /// `A (resolves to ADDRESS)`.
    fn outcome(case: &Case) -> &'static str {
        let status = StatusCode::from_u16(case.status).unwrap();
        let request_url = Url::parse(&case.request_url).unwrap();
        let Some(locations) = &case.location else {
            return match next(case.method, &request_url, status, None) {
                Step::Return => "return_3xx_verbatim",
                _ => "something else",
            };
        };
        let (mut current, mut with_credentials) = (request_url, true);
        for hop in locations.split(" then back to ") {
            let (location, resolved) = match hop.split_once(" (resolves to ") {
                Some((location, rest)) => (location, rest.trim_end_matches(')').parse().ok()),
                None => (hop, None),
            };
            match next(case.method, &current, status, Some(location)) {
                Step::Return => return "return_3xx_verbatim",
                Step::Refuse(_) => return "fail_blocked",
                Step::Follow { url, same_origin } => {
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
}
