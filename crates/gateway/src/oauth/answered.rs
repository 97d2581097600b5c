//! The response of an authorization server, before its meaning is known.
//!
//! RFC 6749 §5.1 requires JSON. Some providers send a form, a byte order mark, or a wrong content type. Such
//! a response may hold a rotated refresh token, which must not get lost. So the body determines its format,
//! not the content type alone.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use encoding_rs::{Encoding, UTF_8};
use http::StatusCode;
use secrecy::SecretString;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use url::form_urlencoded;

/// The response of an authorization server to any request.
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) content_type: Option<String>,
    pub(crate) body: Vec<u8>,
    /// The body of the request. A response may quote its secrets.
    pub(crate) sent: SecretString,
}

impl Answered {
    /// The body as text. Bytes that are invalid in the encoding are replaced, so that the rest stays
    /// readable.
    pub(super) fn text(&self) -> Cow<'_, str> {
        let (encoding, mark) = Encoding::for_bom(&self.body).unwrap_or((UTF_8, 0));
        encoding.decode_without_bom_handling(&self.body[mark..]).0
    }

    /// The fields of the body, if it is a JSON object or a form.
    pub(super) fn fields(&self) -> Option<Map<String, Value>> {
        let text = self.text();
        let text = text.trim();
        json_object(text).or_else(|| form(text, self.is_form()))
    }

    fn is_form(&self) -> bool {
        let content_type = self.content_type.as_deref().unwrap_or_default();
        content_type.trim_start().to_ascii_lowercase().starts_with("application/x-www-form-urlencoded")
    }
}

fn json_object(text: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(text).ok().or_else(|| {
        // An unreadable field, such as a number that is too large, is skipped. The tokens are kept.
        let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
        let read = |(name, value): (String, &RawValue)| Some((name, serde_json::from_str(value.get()).ok()?));
        Some(fields.into_iter().filter_map(read).collect())
    })
}

/// Parses a form. A body without the content type of a form must contain a known field.
fn form(text: &str, is_form: bool) -> Option<Map<String, Value>> {
    if text.starts_with(['{', '[', '<', '"']) {
        return None;
    }
    let mut fields = Map::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        fields.entry(name).or_insert_with(|| value.into());
    }
    let is_known = ["access_token", "error"].iter().any(|name| fields.contains_key(*name));
    (is_known || (is_form && text.contains('='))).then_some(fields)
}
