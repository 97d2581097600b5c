//! What a token endpoint responds with: tokens, or an error.
//!
//! RFC 6749 §5.1 asks for JSON. Some providers send a form, a byte order mark, or a wrong type; a rotated
//! refresh token in such a response must not get lost, so the body decides and not its type alone.

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
use crate::clock::now;
use crate::toolkit::Rules;

/// A longer lifetime, in seconds, says nothing: it is a point in time, or a number that means "for ever".
const LONGEST_LIFETIME: u64 = 1_000_000_000;

/// The response of an authorization server, to whatever request.
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) content_type: Option<String>,
    pub(crate) body: Vec<u8>,
    /// The body of the request, whose secrets a response may quote.
    pub(crate) sent: SecretString,
}

impl Answered {
    /// The body as text. A byte that is not of its encoding does not make the rest unreadable.
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
        // A field that cannot be read, such as a number that is too large, does not take the tokens with it.
        let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
        let read = |(name, value): (String, &RawValue)| Some((name, serde_json::from_str(value.get()).ok()?));
        Some(fields.into_iter().filter_map(read).collect())
    })
}

/// A form. Whatever is not called a form has to look like one.
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

/// Tokens that were given.
#[derive(Debug)]
pub(crate) struct Granted {
    /// All fields of the response, under the names of `docs/toolkits.md`. An unknown `expires_in` is null,
    /// so that an older value does not stay.
    pub(crate) val: SecretJson,
    /// Whether there is a new refresh token. Without one the old one stays (RFC 6749 §6).
    pub(crate) has_refresh_token: bool,
}

/// Why no tokens were given.
#[derive(Debug)]
pub(crate) enum NotGranted {
    /// The provider has refused: `invalid_grant` and the like (RFC 6749 §5.2).
    Refused { refusal: Refusal, code: String, description: Option<String> },
    /// It may work later: the provider failed, was busy, or sent something else.
    Unavailable {
        why: String,
        /// Whether the request may have been done nevertheless, and a refresh token spent by it.
        may_be_done: bool,
        /// The wait that the provider asks for.
        retry_after: Option<Duration>,
    },
}

/// What a provider refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The refresh token, the code, or the credential that is exchanged.
    Grant,
    /// The client: its id or its secret.
    Client,
    /// It is not known what: the words are the provider's own.
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

/// A provider's own words, as they may be shown: short, and without control characters.
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
    // What is null takes an older value away when the two are merged.
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

/// How long an access token lives, in seconds, under any of the names that providers have for it.
fn lifetime(answer: &Map<String, Value>) -> Option<u64> {
    // The first is in seconds where the second is in milliseconds; the third may be either a lifetime or a time.
    let lifetimes = ["expires_in_sec", "expires_in", "expires"];
    let times = ["expires_at", "expires_on", "expires"];
    let of_lifetime = lifetimes.iter().find_map(|name| seconds(number(answer.get(*name)?)?));
    of_lifetime.or_else(|| times.iter().find_map(|name| until(answer.get(*name)?)))
}

/// A number, also as text.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A lifetime in whole seconds. What is not positive, or too large, says nothing.
pub(super) fn seconds(number: f64) -> Option<u64> {
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
