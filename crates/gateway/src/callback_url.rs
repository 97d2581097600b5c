//! The URL that a user is redirected to after connecting an account.
//!
//! Only a caller with an API key, or the program of the gateway, sets this URL. So the redirect is not an
//! open redirect for other users. An operator can restrict it with a list: then a leaked key cannot use the
//! gateway's reputation to redirect users elsewhere.

use proxy_execute_protocol::{Error, ErrorKind, Result};
use url::{Host, Url, form_urlencoded};

/// The callback URLs that links may have.
#[derive(Debug)]
pub(crate) enum CallbackUrls {
    /// Any https URL, and http URLs on this machine, where programs under development run.
    Safe,
    /// The URLs below one of these.
    Below(Vec<Url>),
}

impl CallbackUrls {
    /// Reads the operator's list of origins or URL prefixes. An empty list means [`Self::Safe`].
    ///
    /// # Errors
    /// `InvalidOption` for an entry that is not an http or https URL.
    pub(crate) fn new(allowed: &[String]) -> Result<Self> {
        if allowed.is_empty() {
            return Ok(Self::Safe);
        }
        let read = |entry: &String| {
            web_url(entry).filter(|url| url.query().is_none() && url.fragment().is_none()).ok_or_else(|| {
                Error::new(ErrorKind::InvalidOption, format!("callbackUrls: `{entry}` is not an http or https URL without a query.")).about("callbackUrls")
                    .fix("Write an origin such as `https://app.example.com`, or a prefix such as `https://app.example.com/connected`.")
            })
        };
        Ok(Self::Below(allowed.iter().map(read).collect::<Result<_>>()?))
    }

    /// Checks that a link may have this callback URL.
    ///
    /// # Errors
    /// `InvalidRequest` that names the allowed URLs.
    pub(crate) fn check(&self, callback_url: &str) -> Result<()> {
        let invalid = |why: String| {
            Err(Error::of_field(ErrorKind::InvalidRequest, "callback_url", format!("callback_url: {why}.")))
        };
        let Some(url) = web_url(callback_url) else {
            return invalid("must be an absolute http or https URL".to_owned());
        };
        match self {
            Self::Safe if url.scheme() == "https" || is_this_machine(&url) => Ok(()),
            Self::Safe => invalid("http is for this machine; elsewhere it must be https, or allowed by the gateway's `callbackUrls`".to_owned()),
            Self::Below(allowed) if allowed.iter().any(|prefix| is_below(&url, prefix)) => Ok(()),
            Self::Below(_) => invalid("is not below any of the gateway's `callbackUrls`".to_owned()),
        }
    }
}

/// Appends parameters to the query of a URL, and removes parameters with the same names. The rest of the URL
/// stays as written.
pub(crate) fn with_parameters(mut url: Url, parameters: &[(&str, &str)]) -> Url {
    let is_other = |piece: &&str| {
        let name = form_urlencoded::parse(piece.as_bytes()).next();
        !name.is_some_and(|(name, _)| parameters.iter().any(|(replaced, _)| *replaced == name))
    };
    let others = url.query().filter(|query| !query.is_empty()).into_iter().flat_map(|query| query.split('&'));
    let mut pieces: Vec<_> = others.filter(is_other).map(str::to_owned).collect();
    pieces.push(form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish());
    url.set_query(Some(&pieces.join("&")));
    url
}

/// Reads an absolute http or https URL. A user name or password in it would only mislead, so it is refused.
fn web_url(text: &str) -> Option<Url> {
    let is_web = |url: &Url| {
        matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none()
    };
    Url::parse(text).ok().filter(is_web)
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Returns whether a URL has the prefix's origin, and the prefix's path or a path in a folder below it.
fn is_below(url: &Url, prefix: &Url) -> bool {
    let folder = prefix.path().trim_end_matches('/');
    let below = url.path().strip_prefix(folder);
    url.origin() == prefix.origin() && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_allowed(allowed: &[&str], urls: &[(&str, bool)]) {
        let allowed: Vec<_> = allowed.iter().map(|&entry| entry.to_owned()).collect();
        let callbacks = CallbackUrls::new(&allowed).unwrap();
        for (url, expected) in urls {
            assert_eq!(callbacks.check(url).is_ok(), *expected, "{url}");
        }
    }

    #[test]
    fn without_a_list_https_and_this_machine_are_allowed() {
        assert_allowed(
            &[],
            &[
                ("https://app.example/done?x=1#y", true),
                ("http://localhost:3000/done", true),
                ("http://app.localhost/", true),
                ("http://127.0.0.1/", true),
                ("http://[::1]:8080/", true),
                ("http://app.example/done", false),
                ("http://localhost.example/", false),
                ("http://192.168.0.7/", false),
                ("https://bank.example@evil.example/", false),
                ("javascript:alert(1)", false),
                ("data:text/html,x", false),
                ("myapp://done", false),
                ("//app.example/done", false),
                ("/done", false),
                ("", false),
            ],
        );
    }

    #[test]
    fn a_list_allows_only_urls_below_its_entries() {
        assert_allowed(
            &["https://app.example/connected/", "http://intranet.example:8080"],
            &[
                ("https://app.example/connected", true),
                ("https://APP.example:443/connected/github?x=1", true),
                ("http://intranet.example:8080/anything", true),
                ("https://app.example/connected-elsewhere", false),
                ("https://app.example/connected/../admin", false),
                ("https://app.example/", false),
                ("http://app.example/connected", false),
                ("https://app.example.evil.example/connected", false),
                ("http://intranet.example/", false),
                ("http://localhost/", false),
            ],
        );
    }

    #[test]
    fn an_entry_that_is_no_url_is_refused() {
        for entry in ["app.example", "javascript:alert(1)", "https://app.example/?a=b", "*"] {
            let error = CallbackUrls::new(&[entry.to_owned()]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidOption, "{entry}");
        }
    }
}
