//! The meaning of an authorization server's error: whether the same request may succeed later, and if not,
//! what to correct.
//!
//! Providers agree on neither the status, nor the place, nor the words. So this module reads all words of a
//! response. `cases/token-answers.json` holds responses of providers. An account expires at once only on
//! known words.

use std::borrow::Cow;
use std::ops::Range;
use std::time::Duration;

use http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::answered::Answered;

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

/// A toolkit's own words for errors, which override all others. Each is an error code, or a part of a
/// description.
///
/// Case and punctuation are ignored.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TokenErrors {
    /// The same request may succeed later.
    pub(crate) later: Vec<String>,
    /// The provider no longer accepts the refresh token, or the other secret that was exchanged.
    pub(crate) expired: Vec<String>,
    /// The provider does not accept the client.
    pub(crate) client: Vec<String>,
}

impl TokenErrors {
    pub(crate) fn all(&self) -> impl Iterator<Item = &String> {
        self.later.iter().chain(&self.expired).chain(&self.client)
    }
}

/// Codes that mean "later", without punctuation.
const LATER_CODES: &[&str] = &[
    "backenderror",
    "fatalerror",
    "internalerror",
    "internalfailure",
    "internalservererror",
    "quotaexceeded",
    "ratelimit",
    "ratelimited",
    "ratelimitexceeded",
    "requesttimeout",
    "servererror",
    "serviceunavailable",
    "slowdown",
    "temporarilyunavailable",
    "throttled",
    "timeout",
    "toomanyattempts",
    "toomanyrequests",
    "transienterror",
    "unavailable",
];

/// Parts of descriptions that mean "later", whatever the code is. A blank marks the start or end of a word.
const LATER_PHRASES: &[&str] = &[
    " already being processed ",
    " busy ",
    " concurrent",
    " connection timed out ",
    " currently unavailable ",
    " in progress ",
    " internal error ",
    " internal server error ",
    " limit exceeded ",
    " limit reached ",
    " maintenance ",
    " operation timed out ",
    " overload",
    " please retry ",
    " quota ",
    " rate exceeded ",
    " rate limit",
    " request loop ",
    " request timed out ",
    " retry after ",
    " retry later ",
    " retry your request ",
    " service unavailable ",
    " temporar",
    " throttl",
    " too many ",
    " transient ",
    " try again after ",
    " try again in ",
    " try again later ",
    " try again shortly ",
    " unexpected error ",
];

/// Codes for a rejected client, without punctuation.
const CLIENT_CODES: &[&str] = &[
    "applicationsuspended",
    "badclientid",
    "badclientsecret",
    "clientdisabled",
    "clientnotfound",
    "deletedclient",
    "disabledclient",
    "incorrectclientcredentials",
    "invalidclient",
    "invalidclientcredentials",
    "invalidclientid",
    "invalidclientsecret",
    "unauthorizedclient",
    "unknownclient",
];

/// Codes for a rejected grant, without punctuation.
const GRANT_CODES: &[&str] = &[
    "accountinactive",
    "badauthcode",
    "badrefreshtoken",
    "badverificationcode",
    "codealreadyused",
    "consentrequired",
    "expiredauthcode",
    "expiredrefreshtoken",
    "expiredtoken",
    "inactiveuser",
    "interactionrequired",
    "invalidauthcode",
    "invalidcode",
    "invalidcredentials",
    "invalidgrant",
    "invalidrefreshtoken",
    "invalidtoken",
    "loginrequired",
    "refreshtokenexpired",
    "refreshtokeninvalid",
    "refreshtokeninvalidated",
    "refreshtokennotfound",
    "refreshtokenreused",
    "refreshtokenrevoked",
    "refreshtokenused",
    "revokedtoken",
    "tokenexpired",
    "tokeninactive",
    "tokeninvalidated",
    "tokenrevoked",
];

/// Names of a thing in descriptions, and words for its defects. The thing is wrong if a name and a defect are
/// close together.
type Wrong = (&'static [&'static str], &'static [&'static str]);

const REFRESH_TOKEN: Wrong = (
    &["refresh token", "refreshtoken", "authorization grant"],
    &[
        "been used",
        "does not exist",
        "doesn t exist",
        "expired",
        "inactive",
        "incorrect",
        "invalid",
        "invalidated",
        "malformed",
        "no longer",
        "not active",
        "not found",
        "not issued",
        "not valid",
        "revoked",
        "unknown",
    ],
);
const TOKEN: Wrong = (
    &["authorization code", "session", "token", "tokens"],
    &["expired", "inactive", "invalid", "invalidated", "no longer", "not active", "not valid", "revoked"],
);
const CLIENT: Wrong = (
    &[
        "app id",
        "application id",
        "client authentication",
        "client credentials",
        "client id",
        "client secret",
        "clientid",
        "consumer key",
    ],
    &[
        "does not exist",
        "expired",
        "failed",
        "incorrect",
        "invalid",
        "mismatch",
        "not found",
        "unknown",
        "wrong",
    ],
);
const LOGIN: Wrong =
    (&["credentials", "login", "password", "username"], &["bad", "incorrect", "invalid", "wrong"]);

/// Limits for the words between a defect and a thing, for a defect before or after the thing.
///
/// Examples: "expired access token", "the parameter `refresh_token` or assertion is not valid".
const BEFORE: usize = 1;
const AFTER: usize = 4;

/// Codes about other things. Their words do not count as words about a token.
const OTHER_CODES: &[&str] = &[
    "invalidargument",
    "invalidinput",
    "invalidparameter",
    "invalidrequest",
    "invalidrequesterror",
    "invalidscope",
];

/// Interprets a response that lacks the `wanted` value.
pub(crate) fn not_granted(answered: &Answered, own: &TokenErrors, wanted: &str) -> NotGranted {
    let status = answered.status;
    let words = Words::of(answered);
    let description = words.description.as_deref();
    let told = match (&words.code, description) {
        (Some(code), Some(description)) => format!("`{code}`: {description}"),
        (Some(code), None) => format!("error `{code}`"),
        (None, Some(description)) => description.to_owned(),
        (None, None) if answered.fields().is_some() => format!("without {wanted}"),
        (None, None) => "but no JSON object".to_owned(),
    };
    let later = |told: &str, may_be_done: bool, retry_after: Option<Duration>| NotGranted::Unavailable {
        why: format!("status {}, {told}", status.as_u16()),
        may_be_done,
        retry_after,
    };
    let refused = |refusal| NotGranted::Refused {
        refusal,
        code: match words.code.as_ref().or(words.description.as_ref()) {
            Some(code) => code.clone(),
            None => format!("status {}", status.as_u16()),
        },
        description: words.code.as_ref().and(words.description.clone()),
    };
    let asked = answered.retry_after;
    match words.meaning_to(own) {
        Some(Meaning::Later) => return later(&told, status.is_server_error(), asked),
        Some(Meaning::Refused(refusal)) => return refused(refusal),
        None => {}
    }
    match status.as_u16() {
        500.. => later("try again later", true, asked),
        // These statuses say that the server did not process the request.
        408 | 425 | 429 => later("try again later", false, asked.or_else(|| wait_in(answered))),
        _ if asked.is_some_and(|wait| !wait.is_zero()) => later(&told, false, asked),
        _ => match words.meaning() {
            Some(Meaning::Later) => later(&told, false, asked),
            Some(Meaning::Refused(refusal)) => refused(refusal),
            // A page, or a body without an error, is not a response of the authorization server, or holds
            // tokens in an unknown form.
            None if words.code.is_none() || status.is_redirection() => {
                later(&told, !status.is_client_error(), asked)
            }
            None => refused(TokenRefusal::Unknown),
        },
    }
}

/// The wait that a response body asks for.
fn wait_in(answered: &Answered) -> Option<Duration> {
    Duration::try_from_secs_f64(answered.fields()?.get("retry_after")?.as_f64()?).ok()
}

/// Whether the response to a revocation means that the token is no longer valid.
///
/// Some providers send an error for a token that is already invalid. Some send status 200 with every error.
pub(crate) fn is_revoked(answered: &Answered, own: &TokenErrors) -> bool {
    match not_granted(answered, own, "success") {
        NotGranted::Refused { refusal: TokenRefusal::Grant, .. } => true,
        _ => answered.status.is_success() && Words::of(answered).code.is_none(),
    }
}

enum Meaning {
    Later,
    Refused(TokenRefusal),
}

/// The words of an error response.
#[derive(Default)]
struct Words {
    /// The code that the error message shows.
    code: Option<String>,
    /// All codes, without punctuation.
    codes: Vec<String>,
    description: Option<String>,
    /// All words of the response, in lower case, with single blanks around each word.
    all: String,
    is_transient: bool,
}

/// Limits for the part of a response that is read.
const MAX_VALUES: usize = 100;
const MAX_DEPTH: usize = 4;

impl Words {
    fn of(answered: &Answered) -> Self {
        let mut words = Self::default();
        let secrets = secrets(&answered.sent);
        match answered.fields() {
            Some(fields) => words.add_fields(answered.status, fields, &secrets),
            // The words of an HTML page say nothing about the request. Other text may, but is not shown: it
            // may hold tokens in a form that the gateway cannot read.
            None => {
                let text = answered.text();
                if answered.status.is_client_error() && !text.trim_start().starts_with('<') {
                    words.all = plain(&shortened(text.trim()));
                }
            }
        }
        words
    }

    /// Reads all values, those of the top level first.
    fn add_fields(&mut self, status: StatusCode, fields: Map<String, Value>, secrets: &[SecretString]) {
        let mut level: Vec<(String, Value)> = fields.into_iter().collect();
        self.all.push(' ');
        let mut seen = 0;
        for _ in 0..MAX_DEPTH {
            let mut next = Vec::new();
            for (name, value) in level {
                seen += 1;
                if seen > MAX_VALUES {
                    return;
                }
                match value {
                    Value::Object(fields) => next.extend(fields),
                    Value::Array(list) => next.extend(list.into_iter().map(|value| (name.clone(), value))),
                    Value::String(text) => self.add(status, &squashed(&name), shown(&text, secrets)),
                    Value::Number(number) if number.as_u64() == Some(0) => {}
                    // A number equal to the status matches only a toolkit's own words.
                    Value::Number(number) if number.as_u64() == Some(u64::from(status.as_u16())) => {
                        self.codes.push(number.to_string());
                    }
                    Value::Number(number) => self.add(status, &squashed(&name), number.to_string()),
                    Value::Bool(true) if squashed(&name) == "istransient" => self.is_transient = true,
                    Value::Bool(_) | Value::Null => {}
                }
            }
            level = next;
        }
    }

    fn add(&mut self, status: StatusCode, name: &str, text: String) {
        let is_code = match name {
            "error" | "errors" | "errorcode" | "errcode" | "errortype" | "errorsubtype" | "suberror"
            | "err" | "ecode" | "code" => true,
            // In a successful response, these fields are not error codes: tokens may be in an unknown place.
            "type" | "status" | "name" => !status.is_success(),
            _ => false,
        };
        let is_description = matches!(
            name,
            "errordescription"
                | "errormessage"
                | "message"
                | "msg"
                | "errmsg"
                | "errormsg"
                | "description"
                | "detail"
                | "reason"
                | "errorsummary"
                | "localizedmessage"
        );
        let code = squashed(&text);
        if !OTHER_CODES.contains(&code.as_str()) && !CLIENT_CODES.contains(&code.as_str()) {
            self.all.push_str(plain(&text).trim_start());
        }
        if is_code
            && !matches!(code.as_str(), "" | "error" | "fail" | "failed" | "failure" | "ok" | "success")
        {
            self.codes.push(code);
            self.code.get_or_insert(text);
        } else if is_description && !text.is_empty() {
            self.description.get_or_insert(text);
        }
    }

    /// The meaning according to the toolkit's own words.
    fn meaning_to(&self, own: &TokenErrors) -> Option<Meaning> {
        let is_said = |words: &[String]| {
            words.iter().any(|word| self.codes.contains(&squashed(word)) || self.all.contains(&plain(word)))
        };
        if is_said(&own.later) {
            Some(Meaning::Later)
        } else if is_said(&own.expired) {
            Some(Meaning::Refused(TokenRefusal::Grant))
        } else {
            is_said(&own.client).then_some(Meaning::Refused(TokenRefusal::Client))
        }
    }

    fn meaning(&self) -> Option<Meaning> {
        let is_code = |known: &[&str]| self.codes.iter().any(|code| known.contains(&code.as_str()));
        let says = |phrase: &&str| self.all.contains(*phrase);
        let words: Vec<_> = self.all.split_whitespace().collect();
        let is_wrong = |(things, wrong): Wrong| {
            let wrong = places(&words, wrong);
            places(&words, things).iter().any(|thing| {
                wrong.iter().any(|wrong| {
                    let before = thing.start.checked_sub(wrong.end).is_some_and(|between| between <= BEFORE);
                    before || wrong.start.checked_sub(thing.end).is_some_and(|between| between <= AFTER)
                })
            })
        };
        let refused = |refusal| Some(Meaning::Refused(refusal));
        if self.is_transient || is_code(LATER_CODES) || LATER_PHRASES.iter().any(says) {
            Some(Meaning::Later)
        } else if is_code(CLIENT_CODES) {
            // Some providers send such a code for a dead refresh token.
            refused(if is_wrong(REFRESH_TOKEN) { TokenRefusal::Grant } else { TokenRefusal::Client })
        } else if is_code(GRANT_CODES) || is_wrong(REFRESH_TOKEN) {
            refused(TokenRefusal::Grant)
        } else if is_wrong(CLIENT) {
            refused(TokenRefusal::Client)
        } else if is_wrong(TOKEN) || is_wrong(LOGIN) {
            refused(TokenRefusal::Grant)
        } else {
            None
        }
    }
}

/// Finds all places of these phrases.
fn places(words: &[&str], phrases: &[&str]) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    for phrase in phrases {
        let phrase: Vec<_> = phrase.split(' ').collect();
        let starts = words.windows(phrase.len()).enumerate().filter(|(_, window)| *window == phrase);
        places.extend(starts.map(|(start, _)| start..start + phrase.len()));
    }
    places
}

/// A provider's text in a form that is safe to show: shortened, and without the secrets that were sent.
fn shown(text: &str, secrets: &[SecretString]) -> String {
    let text = secrets.iter().fold(Cow::Borrowed(text), |text, secret| match secret.expose_secret() {
        secret if text.contains(secret) => text.replace(secret, "…").into(),
        _ => text,
    });
    shortened(&text)
}

/// A code without punctuation and case: `BAD_REFRESH_TOKEN` and `badRefreshToken` are the same.
fn squashed(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// A text in lower case, with one blank around each word.
fn plain(text: &str) -> String {
    let mut plain = String::from(" ");
    // The words of a URL say nothing about the error.
    let texts = text.split_whitespace().filter(|text| !text.contains("://"));
    for word in
        texts.flat_map(|text| text.split(|c: char| !c.is_alphanumeric())).filter(|word| !word.is_empty())
    {
        plain.push_str(&word.to_lowercase());
        plain.push(' ');
    }
    plain
}

/// The secrets in the body of a request. A response may quote them, so they are removed from errors.
fn secrets(sent: &SecretString) -> Vec<SecretString> {
    let sent = sent.expose_secret();
    let is_secret = |name: &str, value: &str| {
        !matches!(name, "grant_type" | "client_id" | "redirect_uri" | "scope") && value.len() >= 4
    };
    let fields: Vec<(String, String)> = match serde_json::from_str::<Map<String, Value>>(sent) {
        Ok(fields) => {
            let text = |(name, value): (String, Value)| Some((name, value.as_str()?.to_owned()));
            fields.into_iter().filter_map(text).collect()
        }
        Err(_) => form_urlencoded::parse(sent.as_bytes()).into_owned().collect(),
    };
    fields.into_iter().filter(|(name, value)| is_secret(name, value)).map(|(_, value)| value.into()).collect()
}
