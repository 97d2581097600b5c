//! The query of a URL, which the gateway extends and shortens without changing the bytes that stay.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::{Url, form_urlencoded};

/// The characters that are encoded in a query parameter: all but the unreserved characters of RFC 3986.
pub(crate) const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Appends to a query without changing its existing bytes.
pub(crate) fn append_query<'a>(url: &mut Url, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
    let mut query = url.query().unwrap_or_default().to_owned();
    let before = query.len();
    for (name, value) in pairs {
        if !query.is_empty() {
            query.push('&');
        }
        query.extend(utf8_percent_encode(name, QUERY));
        query.push('=');
        query.extend(utf8_percent_encode(value, QUERY));
    }
    if query.len() > before {
        url.set_query(Some(&query));
    }
}

/// Removes the pairs with these names, without changing the other bytes.
pub(crate) fn remove_from_query(url: &mut Url, is_removed: impl Fn(&str) -> bool) {
    let Some(query) = url.query() else { return };
    let is_kept = |pair: &&str| !form_urlencoded::parse(pair.as_bytes()).any(|(name, _)| is_removed(&name));
    let kept: Vec<_> = query.split('&').filter(is_kept).collect();
    if kept.len() < query.split('&').count() {
        let kept = kept.join("&");
        url.set_query(Some(kept.as_str()).filter(|query| !query.is_empty()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_removed_by_its_decoded_name() {
        for (query, expected) in [
            ("?key=1", ""),
            ("?a=%2F&k%65y=1&b=+", "?a=%2F&b=+"),
            ("?key&a=key&key=2&&c", "?a=key&&c"),
            ("?Key=1&akey=1", "?Key=1&akey=1"),
            ("", ""),
            ("?", "?"),
        ] {
            let mut url = Url::parse(&format!("https://h/x{query}")).unwrap();
            remove_from_query(&mut url, |name| name == "key");
            assert_eq!(url.as_str(), format!("https://h/x{expected}"), "{query}");
        }
    }
}
