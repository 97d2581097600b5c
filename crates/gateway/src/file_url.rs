//! The URLs of files. Each URL is valid for one file until it expires, and proves its own validity.
//!
//! The form is `{public URL}/files/{expiry}-{id}-{mark}?type={media type}&signature={HMAC-SHA256}`. The signature
//! covers the file's type and its name, which contains its expiry. So the gateway stores only the bytes of a
//! file, and any gateway with the key can serve it.

use aws_lc_rs::hmac;
use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use percent_encoding::utf8_percent_encode;
use proxy_execute_protocol::{Error, ErrorKind, Result};
use url::Url;

use crate::clock::rfc3339;
use crate::id;
use crate::query::QUERY;

/// The path prefix of all files.
pub(crate) const PATH: &str = "/files/";

/// A file's name: its expiry, an id, and a mark of its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileName(String);

impl FileName {
    /// The name of a new file. A file that belongs to no user has no mark.
    pub(crate) fn expiring_at(expires_at: i64, mark: Option<&str>) -> Self {
        let id = id::random("file");
        Self(match mark {
            Some(mark) => format!("{expires_at}-{id}-{mark}"),
            None => format!("{expires_at}-{id}"),
        })
    }

    /// Returns a file name with this text, for tests that need a fixed name.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn named(name: &str) -> Self {
        Self(name.to_owned())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn expires_at(&self) -> i64 {
        expiry_of(&self.0).unwrap_or_default()
    }
}

/// Returns the expiry of a file with this name, in milliseconds since the Unix epoch; `None` if the name is
/// not from the gateway.
///
/// The partial file of a crash has a longer name with the same start.
pub(crate) fn expiry_of(name: &str) -> Option<i64> {
    name.split_once("-file_")?.0.parse().ok()
}

/// Returns the mark of the user that a file with this name belongs to.
pub(crate) fn mark_of(name: &str) -> Option<&str> {
    Some(name.split_once("-file_")?.1.split_once('-')?.1)
}

/// The keys that mark the files of users. The first key marks new files.
///
/// A mark is an HMAC-SHA256 of the user's id, cut to 80 bits: a URL of a file does not tell the user.
pub(crate) struct UserMarks(Vec<hmac::Key>);

impl UserMarks {
    pub(crate) fn new<'a>(keys: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self(keys.into_iter().map(|key| hmac::Key::new(hmac::HMAC_SHA256, key)).collect())
    }

    /// Returns the marks of a user, the one for new files first.
    pub(crate) fn of(&self, user_id: &str) -> impl Iterator<Item = String> {
        let mark = move |key: &hmac::Key| {
            let tag = hmac::sign(key, user_id.as_bytes());
            let mut mark = BASE32_NOPAD.encode(&tag.as_ref()[..10]);
            mark.make_ascii_lowercase();
            mark
        };
        self.0.iter().map(mark)
    }
}

impl std::fmt::Debug for UserMarks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserMarks").field("keys", &self.0.len()).finish()
    }
}

/// The keys of URLs. The first key signs, all of them verify.
pub(crate) struct UrlKeys(Vec<hmac::Key>);

impl UrlKeys {
    pub(crate) fn new<'a>(keys: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self(keys.into_iter().map(|key| hmac::Key::new(hmac::HMAC_SHA256, key)).collect())
    }

    /// Returns the URL of a file, below `base`.
    pub(crate) fn sign(&self, base: &str, name: &FileName, content_type: &str) -> String {
        let signature = self.0.first().map(|key| hmac::sign(key, &signed(&name.0, content_type)));
        let signature = signature.map(|tag| BASE64URL_NOPAD.encode(tag.as_ref())).unwrap_or_default();
        let content_type = utf8_percent_encode(content_type, QUERY);
        format!("{base}{PATH}{}?type={content_type}&signature={signature}", name.0)
    }

    /// Returns the file that a URL is for, and its type. Only the path and the query are checked, because a
    /// gateway may have several host names.
    ///
    /// # Errors
    /// `FileUrlRefused` if the gateway did not sign the URL, or the URL has expired.
    pub(crate) fn verify(&self, url: &Url, at: i64) -> Result<(FileName, String)> {
        let name = url.path().rsplit_once(PATH).map(|(_, name)| name).unwrap_or_default();
        let value = |wanted: &str| {
            url.query_pairs().find(|(key, _)| key == wanted).map(|(_, value)| value.into_owned())
        };
        let content_type = value("type").unwrap_or_default();
        let signature = BASE64URL_NOPAD.decode(value("signature").unwrap_or_default().as_bytes());
        let message = signed(name, &content_type);
        let signature = signature.unwrap_or_default();
        // Each comparison takes the same time, wherever the signatures differ.
        if !self.0.iter().any(|key| hmac::verify(key, &message, &signature).is_ok()) {
            return Err(refused("was not signed by this gateway, or was changed".to_owned()));
        }
        let name = FileName(name.to_owned());
        if name.expires_at() <= at {
            return Err(refused(format!("expired at {}", rfc3339(name.expires_at()))));
        }
        Ok((name, content_type))
    }
}

impl std::fmt::Debug for UrlKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UrlKeys").field("keys", &self.0.len()).finish()
    }
}

/// Returns the text that is signed. Neither part contains a line break.
fn signed(name: &str, content_type: &str) -> Vec<u8> {
    format!("proxy-execute file 1\n{name}\n{content_type}").into_bytes()
}

fn refused(why: String) -> Error {
    Error::new(ErrorKind::FileUrlRefused, format!("The URL of the file {why}."))
        .fix("Make the call that returned the file again.")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn accepted(keys: &UrlKeys, text: &str) -> bool {
        let result = keys.verify(&url(text), NOW);
        assert!(result.is_ok() || result.is_err_and(|error| error.kind() == ErrorKind::FileUrlRefused));
        keys.verify(&url(text), NOW).is_ok()
    }

    fn keys(digits: &str) -> UrlKeys {
        let keys: Vec<_> = digits.bytes().map(|digit| [digit; 32]).collect();
        UrlKeys::new(keys.iter().map(<[u8; 32]>::as_slice))
    }

    #[test]
    fn a_url_works_for_its_file_until_it_expires() {
        let keys = keys("1");
        let name = FileName::expiring_at(NOW + 60_000, None);
        let signed = keys.sign("https://gateway.example/below", &name, "text/csv; charset=\"ü\"");
        assert_eq!(keys.verify(&url(&signed), NOW).unwrap(), (name, "text/csv; charset=\"ü\"".to_owned()));
        let expired = keys.sign("https://g", &FileName::expiring_at(NOW - 1, None), "a/b");
        let error = keys.verify(&url(&expired), NOW).unwrap_err();
        assert!(error.to_string().contains("expired at 20"), "{error}");
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let keys = keys("1");
        let signed = keys.sign("http://g", &FileName::expiring_at(NOW + 60_000, None), "image/png");
        let start = "http://g/files/".len();
        for index in start..signed.len() {
            let mut bytes = signed.clone().into_bytes();
            bytes[index] = if bytes[index] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(!accepted(&keys, &changed), "byte {index}: {changed}");
        }
        assert!(accepted(&keys, &signed));
    }

    #[test]
    fn tricks_with_the_path_and_the_query_are_refused() {
        let keys = keys("1");
        let name = FileName::expiring_at(NOW + 60_000, None);
        let other = keys.sign("http://g", &FileName::expiring_at(NOW + 60_000, None), "image/png");
        let signed = keys.sign("http://g", &name, "image/png");
        let (_, query) = signed.split_once('?').unwrap();
        let name = name.as_str();
        for path in [
            other.split_once('?').unwrap().0.strip_prefix("http://g").unwrap(),
            "/files/",
            "/files/..",
            &format!("/files/%2e%2e/{name}"),
            &format!("/files/x/{name}"),
            &format!("/files/{name}/"),
            &format!("/files/{name}%00"),
            &format!("/files/{name}%2f..%2f{name}"),
            &format!("/files/{}", name.to_uppercase()),
            &format!("/{name}"),
        ] {
            assert!(!accepted(&keys, &format!("http://g{path}?{query}")), "{path}");
        }
        for query in [
            "",
            "signature=",
            "type=image%2Fpng",
            &query.replace("image%2Fpng", "text%2Fhtml"),
            &format!("type=text%2Fhtml&{query}"),
            &query.replace("signature=", "signature=AAAA&signature="),
            &format!("{query}="),
            &format!("{query}A"),
        ] {
            assert!(!accepted(&keys, &format!("http://g/files/{name}?{query}")), "{query}");
        }
    }

    #[test]
    fn an_old_key_still_verifies_and_a_foreign_one_does_not() {
        let name = FileName::expiring_at(NOW + 60_000, None);
        let old = keys("1").sign("http://g", &name, "a/b");
        assert!(accepted(&keys("21"), &old));
        assert!(!accepted(&keys("2"), &old));
        let new = keys("21").sign("http://g", &name, "a/b");
        assert!(!accepted(&keys("1"), &new), "the first key signs");
    }
}
