//! The response of a token endpoint: tokens, or an error.
//!
//! RFC 6749 §5.1 requires JSON. Some providers send a form, a byte order mark, or a wrong content type. Such
//! a response may hold a rotated refresh token, which must not get lost. So the body determines its format,
//! not the content type alone.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use encoding_rs::{Encoding, UTF_8};
use http::StatusCode;
use jiff::Timestamp;
use proxy_execute_protocol::SecretJson;
use secrecy::SecretString;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::refusal::not_granted;
use super::server::Rules;
use crate::clock::now;

/// Upper limit for a lifetime, in seconds. A larger number is ignored: it is a point in time, or means "for
/// ever".
const LONGEST_LIFETIME: u64 = 1_000_000_000;

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

/// Tokens that the provider issued.
#[derive(Debug)]
pub(crate) struct Granted {
    /// All fields of the response, under the names of `docs/toolkits.md`. An unknown `expires_in` is null, so
    /// that merging removes an older value.
    pub(crate) val: SecretJson,
    /// Whether the response has a new refresh token. Otherwise the old one stays valid (RFC 6749 §6).
    pub(crate) has_refresh_token: bool,
}

/// Why the provider issued no tokens.
#[derive(Debug)]
pub(crate) enum NotGranted {
    /// The provider refused the request with `invalid_grant` or a similar error (RFC 6749 §5.2).
    Refused { refusal: TokenRefusal, code: String, description: Option<String> },
    /// A later request may succeed: the provider failed, was busy, or sent an unexpected response.
    Unavailable {
        why: String,
        /// Whether the provider may have carried out the request, and so used up a refresh token.
        may_be_done: bool,
        /// The wait that the provider asks for.
        retry_after: Option<Duration>,
    },
}

/// The thing that a provider rejects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenRefusal {
    /// The refresh token, the code, or the credential that is exchanged.
    Grant,
    /// The client: its id or its secret.
    Client,
    /// Unknown: the provider uses words that the gateway does not know.
    Unknown,
}

impl NotGranted {
    pub(crate) fn unavailable(why: impl Into<String>, may_be_done: bool) -> Self {
        Self::Unavailable { why: why.into(), may_be_done, retry_after: None }
    }

    /// The provider's words.
    pub(crate) fn in_words(self) -> String {
        match self {
            Self::Refused { code, description: Some(description), .. } => format!("{code} ({description})"),
            Self::Refused { code, .. } => code,
            Self::Unavailable { why, .. } => why,
        }
    }
}

/// A provider's own words in a form that is safe to show: shortened, and without control characters.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// Reads the response of a token endpoint.
pub(crate) fn read_answer(rules: &Rules, answered: &Answered) -> Result<Granted, NotGranted> {
    let fields = answered.fields();
    let Some(mut answer) = fields.filter(|_| answered.status.is_success()) else {
        return Err(not_granted(answered, &rules.token_errors, "an access token"));
    };
    let whole = Value::Object(answer.clone());
    for (field, place) in &rules.token_answer {
        if let Some(value) = place.read(&whole).filter(|_| !answer.contains_key(field)) {
            answer.insert(field.clone(), value);
        }
    }
    let has_token =
        |name: &str| answer.get(name).and_then(Value::as_str).is_some_and(|token| !token.is_empty());
    if !has_token("access_token") {
        return Err(not_granted(answered, &rules.token_errors, "an access token"));
    }
    let has_refresh_token = has_token("refresh_token");
    // When the two credentials are merged, null removes an older value.
    let expires_in = lifetime(&answer).or(rules.default_lifetime).map_or(Value::Null, Value::from);
    answer.insert("expires_in".to_owned(), expires_in);
    if !has_refresh_token {
        answer.remove("refresh_token");
    }
    if let Some(Value::Array(scopes)) = answer.get("scope") {
        let scopes: Vec<_> = scopes.iter().filter_map(Value::as_str).collect();
        answer.insert("scope".to_owned(), scopes.join(" ").into());
    }
    Ok(Granted { val: SecretJson::new(Value::Object(answer).to_string()), has_refresh_token })
}

/// The lifetime of an access token in seconds, under any of the names that providers use.
fn lifetime(answer: &Map<String, Value>) -> Option<u64> {
    // `expires_in_sec` comes first: with it, `expires_in` is in milliseconds. `expires` may be a lifetime or
    // a time.
    let lifetimes = ["expires_in_sec", "expires_in", "expires"];
    let times = ["expires_at", "expires_on", "expires"];
    let of_lifetime = lifetimes.iter().find_map(|name| seconds(number(answer.get(*name)?)?));
    of_lifetime.or_else(|| times.iter().find_map(|name| until(answer.get(*name)?)))
}

/// Reads a number, or a text that holds a number.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A lifetime in whole seconds; `None` if the number is not positive, or too large.
pub(crate) fn seconds(number: f64) -> Option<u64> {
    let seconds = number as u64;
    (1..LONGEST_LIFETIME).contains(&seconds).then_some(seconds)
}

/// Seconds until a time: in RFC 3339, or in seconds or milliseconds since 1970.
fn until(value: &Value) -> Option<u64> {
    let at = match number(value) {
        Some(at) if at >= 1e12 => at / 1_000.0,
        Some(at) if at >= 1e9 => at,
        Some(_) => return None,
        None => value.as_str()?.trim().parse::<Timestamp>().ok()?.as_second() as f64,
    };
    seconds(at - (now() / 1_000) as f64)
}
