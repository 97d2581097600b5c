//! Removes the query credential from URLs that an upstream quotes in a response. This module does no I/O.

use http::header::{CONTENT_LOCATION, Entry, HeaderMap, HeaderValue, LINK, LOCATION};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// Removes these query pairs from the headers that hold URLs.
pub(super) fn leave_out(pairs: &[(String, SecretString)], headers: &mut HeaderMap) {
    if pairs.is_empty() {
        return;
    }
    for name in [LOCATION, CONTENT_LOCATION, LINK] {
        let Entry::Occupied(mut values) = headers.entry(name) else { continue };
        for value in values.iter_mut() {
            let kept = without(pairs, value.as_bytes());
            *value = HeaderValue::from_bytes(&kept).expect("what is left of a header value is one");
        }
    }
}

/// Returns a URL without these query pairs.
pub(super) fn left_out(pairs: &[(String, SecretString)], url: &Url) -> Url {
    if pairs.is_empty() {
        return url.clone();
    }
    let kept = without(pairs, url.as_str().as_bytes());
    // The rest of a URL is a URL. Otherwise, the query may still hold the credential.
    std::str::from_utf8(&kept).ok().and_then(|kept| Url::parse(kept).ok()).unwrap_or_else(|| {
        let mut without_query = url.clone();
        without_query.set_query(None);
        without_query
    })
}

/// Removes these query pairs from a text with URLs. A URL may be the query value of another URL.
fn without(pairs: &[(String, SecretString)], text: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let opening = length_of(b"?", rest).or_else(|| length_of(b"&", rest));
        let (mut before, mut after) = rest.split_at(opening.unwrap_or(1));
        if let Some(opening) = opening {
            while let Some(pair) = pairs.iter().find_map(|pair| length_of_pair(pair, after, opening)) {
                after = &after[pair..];
                match length_of(b"&", after).filter(|length| *length == opening) {
                    Some(separator) => after = &after[separator..],
                    None => {
                        before = b"";
                        break;
                    }
                }
            }
        }
        kept.extend_from_slice(before);
        rest = after;
    }
    kept
}

/// The length of this pair at the start of a text, in bytes; `None` if the text does not begin with it.
///
/// `opening` is the length of the `?` or `&` before the pair. If that mark is encoded, the mark after the
/// pair may be encoded too.
fn length_of_pair((name, value): &(String, SecretString), text: &[u8], opening: usize) -> Option<usize> {
    let parts = [name.as_bytes(), b"=", value.expose_secret().as_bytes()];
    let length = parts.iter().try_fold(0, |at, part| Some(at + length_of(part, &text[at..])?))?;
    let rest = &text[length..];
    let ends = |mark: &u8| length_of(&[*mark], rest).is_some_and(|length| length <= opening);
    (rest.is_empty() || b"&#>\"".iter().any(ends)).then_some(length)
}

/// The length of these bytes at the start of a text. Each byte may be plain or encoded.
fn length_of(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.iter().try_fold(0, |at, byte| {
        let rest = text.get(at..)?;
        let as_it_is = |first: &u8| first == byte || (*byte == b' ' && *first == b'+');
        length_of_encoded(*byte, rest)
            .or(rest.first().is_some_and(as_it_is).then_some(1))
            .map(|length| at + length)
    })
}

/// The length of one byte that is encoded as `%XX`. If it is encoded more than once, its `%` is `%25`.
fn length_of_encoded(byte: u8, text: &[u8]) -> Option<usize> {
    let digits = text.strip_prefix(b"%")?;
    let again = digits.chunks(2).take_while(|pair| *pair == b"25" && byte != b'%').count() * 2;
    let [high, low] = digits.get(again..again + 2)? else { return None };
    let hex = |digit: &u8| char::from(*digit).to_digit(16);
    (hex(high)? * 16 + hex(low)? == u32::from(byte)).then_some(1 + again + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(secret: &str, text: &str) -> String {
        let pairs = ["api_key", "app id"].map(|name| (name.to_owned(), secret.into()));
        String::from_utf8(without(&pairs, text.as_bytes())).unwrap()
    }

    #[test]
    fn a_pair_is_removed_at_every_position() {
        for (text, expected) in [
            ("/x?api_key=S", "/x"),
            ("/x/?a=1&api_key=S", "/x/?a=1"),
            ("/x?api_key=S&a=1", "/x?a=1"),
            ("/x?a=1&api_key=S&b=%2f+2#c?", "/x?a=1&b=%2f+2#c?"),
            ("/x?api_key=S#c", "/x#c"),
            ("/x?api_key=S&api_key=S&app+id=S&a", "/x?a"),
            ("/x?a&api_key=S&app%20id=S&api_key=S", "/x?a"),
            ("?api%5Fkey=S", ""),
            ("#/x?api_key=S", "#/x"),
            ("<https://h/x?api_key=S>; rel=\"next\", <?a&api_key=S>", "<https://h/x>; rel=\"next\", <?a>"),
            ("<x>; anchor=\"?api_key=S\"", "<x>; anchor=\"\""),
            ("/in?next=/x?api_key=S", "/in?next=/x"),
            ("/in?next=%2Fx%3Fapi_key%3DS&b", "/in?next=%2Fx&b"),
            ("/in?next=%2Fx%3fapi_key%3dS%26a%3D1&b", "/in?next=%2Fx%3fa%3D1&b"),
            ("/?a=%3Fb%3D%253Fapi_key%253DS%2526c&d", "/?a=%3Fb%3D%253Fc&d"),
        ] {
            assert_eq!(left("S", text), expected, "{text}");
        }
    }

    #[test]
    fn the_rest_stays_unchanged() {
        for text in [
            "",
            "/x?",
            "/x?&&a=%E4+%20&=#&",
            "/S?a=S&xapi_key=S&api_key=s&api_key=",
            "/x?api_key=S2&api_key=S%26&api_key=S%2&api_key",
            "/api_key=S",
            "<caf\u{e9}?a>; title=\"%\"",
        ] {
            assert_eq!(left("S", text), text);
        }
    }

    #[test]
    fn a_value_is_recognised_in_every_encoding() {
        let secret = "a b+/\u{e9}=&~";
        let nested = "/?next=%2Fx%3Fa%3D1%26api_key%3Da%2520b%252B%252f%25C3%25A9%253D%2526~";
        assert_eq!(left(secret, nested), "/?next=%2Fx%3Fa%3D1");
        assert_eq!(left("100%25", "/x?api_key=100%2525"), "/x");
        for value in
            ["a%20b%2B%2F%C3%A9%3D%26~", "a+b%2b/%c3%a9=%26%7e", "%61+b+/\u{e9}=%26~", "a b+/\u{e9}=&~"]
        {
            assert_eq!(left(secret, &format!("/x?a=1&api_key={value}&b=2")), "/x?a=1&b=2", "{value}");
        }
    }
}
