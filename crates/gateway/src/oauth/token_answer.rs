//! The tokens in the response of a token endpoint (RFC 6749 §5.1).

use jiff::Timestamp;
use proxy_execute_protocol::SecretJson;
use serde_json::{Map, Value};

use super::answered::Answered;
use super::refusal::{NotGranted, not_granted};
use super::server::Rules;
use crate::clock::now;

/// Upper limit for a lifetime, in seconds. A larger number is ignored: it is a point in time, or means "for
/// ever".
const LONGEST_LIFETIME: u64 = 1_000_000_000;

/// Tokens that the provider issued.
#[derive(Debug)]
pub(crate) struct Granted {
    /// All fields of the response, under the names of `docs/toolkits.md`. An unknown `expires_in` is null, so
    /// that merging removes an older value.
    pub(crate) val: SecretJson,
    /// Whether the response has a new refresh token. Otherwise the old one stays valid (RFC 6749 §6).
    pub(crate) has_refresh_token: bool,
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
