//! Interprets the backend's responses in all their forms.
//!
//! The response to a proxied call is passed to the caller as text, without parsing. All other responses are
//! small and parsed here: sessions, and errors in each form that gateways, the hosted backend and the load
//! balancers in front of them use.

use std::future::ready;
use std::time::SystemTime;

use bytes::Bytes;
use futures::stream::once;
use futures::{StreamExt, TryStreamExt};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, SET_COOKIE};
use proxy_execute_protocol::{
    ByteStream, Download, Envelope, Error, ErrorBody, ErrorCode, ErrorKind, Headers,
    Result as ProtocolResult, StreamedAnswer,
};
use proxy_execute_transport::{BoxError, ResponseBody, retry_after};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use url::Url;

use crate::message::{origin, reason};
use crate::retry::{Failure, Replay};

/// Upper limit for the head of a streamed response, in bytes.
const MAX_HEAD: usize = 1 << 20;

/// Upper limit for the quote of a response that is not an error envelope, in characters.
const QUOTED: usize = 200;

/// A response of the backend, of any status. It is complete, or it is a success that is streamed.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The URL that the response came from, for messages.
    pub(crate) url: Url,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// The body of a streamed response, instead of `body`.
    pub(crate) rest: Option<ResponseBody>,
}

impl Answer {
    /// Returns the response to a proxied call. Only its first byte is parsed.
    pub(crate) fn into_envelope(self, api_key: &SecretString) -> ProtocolResult<Envelope> {
        if self.body.trim_ascii_start().first() != Some(&b'{') {
            return Err(self.not_in_the_documented_form(api_key));
        }
        let text = String::from_utf8(self.body).map_err(|_| {
            let (origin, path) = (origin(&self.url), self.url.path());
            Error::new(ErrorKind::InvalidAnswer, format!("The response of {origin}{path} is not UTF-8 text."))
        })?;
        Ok(Envelope::from_wire(text))
    }

    /// Streams the response: a line of JSON, and then the bytes (`docs/wire.md`).
    pub(crate) async fn into_stream(mut self, api_key: &SecretString) -> ProtocolResult<StreamedAnswer> {
        let mut body = self.take_body();
        let mut read = 0;
        let end = loop {
            // Each byte is searched only once, even if the chunks are small.
            if let Some(end) = self.body[read..].iter().position(|byte| *byte == b'\n') {
                break read + end;
            }
            read = self.body.len();
            match body.try_next().await? {
                Some(chunk) if read <= MAX_HEAD => self.body.extend_from_slice(&chunk),
                _ => return Err(self.not_in_the_documented_form(api_key)),
            }
        };
        let begun = Bytes::from(self.body.split_off(end + 1));
        let head = self.into_envelope(api_key)?;
        let body = once(ready(Ok(begun)))
            .filter(|chunk| ready(!matches!(chunk, Ok(bytes) if bytes.is_empty())))
            .chain(body);
        Ok(StreamedAnswer { head, body: ByteStream::new(body) })
    }

    /// Streams a file.
    pub(crate) fn into_download(mut self) -> ProtocolResult<Download> {
        // Another success status, such as 206 or 202, does not bring the whole file.
        if self.status != StatusCode::OK {
            let (origin, path, status) = (origin(&self.url), self.url.path(), self.status.as_u16());
            let message = format!("{origin}{path} responded with {status}, but a whole file comes with 200.");
            return Err(Error::new(ErrorKind::InvalidAnswer, message)
                .fix("Check the proxies between this client and the server of the file."));
        }
        let content_type = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        Ok(Download {
            content_type: content_type.unwrap_or("application/octet-stream").to_owned(),
            size: self.rest.as_ref().and_then(ResponseBody::announced),
            body: self.take_body(),
        })
    }

    fn take_body(&mut self) -> ByteStream {
        let origin = origin(&self.url);
        let cut_off = move |error: BoxError| match error.downcast::<Error>() {
            Ok(of_the_requests_body) => *of_the_requests_body,
            Err(error) => {
                let reason = reason(error.as_ref());
                let message = format!("The response of {origin} was cut off or damaged ({reason}).");
                Error::new(ErrorKind::Connection, message)
            }
        };
        match self.rest.take() {
            Some(rest) => ByteStream::new(rest.map_err(cut_off)),
            None => ByteStream::new(futures::stream::empty()),
        }
    }

    fn not_in_the_documented_form(&self, api_key: &SecretString) -> Error {
        let form = if self.body.is_empty() {
            "an empty body"
        } else if self.is_html() {
            "HTML"
        } else if serde_json::from_slice::<serde::de::IgnoredAny>(&self.body).is_ok() {
            "JSON of another form than documented"
        } else {
            "a body that is not JSON"
        };
        let (origin, path, status) = (origin(&self.url), self.url.path(), self.status.as_u16());
        let message = format!("{origin}{path} responded with {status} and {form}.");
        Error::new(ErrorKind::InvalidAnswer, message)
            .fix("It does not look like a gateway: check baseURL.")
            .with_headers(headers(&self.headers, api_key))
    }

    /// Returns the error that a response with a status of 4xx or 5xx describes.
    pub(crate) fn into_failure(self, api_key: &SecretString) -> Failure {
        let text = without_key(&String::from_utf8_lossy(&self.body), api_key);

        let parsed: Option<Value> = serde_json::from_str(&text).ok();
        let described = parsed.as_ref().and_then(Value::as_object).and_then(described);
        let has_envelope = parsed.as_ref().is_some_and(|value| value["error"].is_object());
        let replay = Replay::after(self.status, &self.headers, has_envelope);

        let body = described.unwrap_or_else(|| self.undescribed(&text));
        let headers = headers(&self.headers, api_key);
        let request_id = headers.get("x-request-id").map(ToOwned::to_owned);
        let names_its_request = body.request_id.is_some();

        let body = if self.status == StatusCode::TOO_MANY_REQUESTS { named(body) } else { body };
        let mut error = Error::from_wire(self.status.as_u16(), body).with_headers(headers);
        if let Some(request_id) = request_id.filter(|_| !names_its_request) {
            error = error.with_request_id(request_id);
        }
        if let Some(wait) = retry_after(&self.headers, SystemTime::now()) {
            error = error.with_retry_after(wait);
        }
        Failure { replay, error }
    }

    /// Describes an error response of an unknown form.
    fn undescribed(&self, text: &str) -> ErrorBody {
        let quoted = if self.is_html() { text_of_html(text) } else { shortened(text) };
        let (origin, status) = (origin(&self.url), self.status);
        let message = match quoted.as_str() {
            "" => format!("{origin} responded with {status} and no reason."),
            quoted => format!("{origin} responded with {status}: {quoted}"),
        };
        // A proxy in front of a gateway sends HTML with a 5xx. A client error in HTML means that the URL
        // leads to no gateway.
        let fix = (self.is_html() && status.is_client_error())
            .then(|| "It does not look like a gateway: check baseURL.".to_owned());
        ErrorBody { suggested_fix: fix, ..error_body(message) }
    }

    fn is_html(&self) -> bool {
        self.body.trim_ascii_start().first() == Some(&b'<')
    }
}

/// Returns the body of an error with only a message.
pub(crate) fn error_body(message: String) -> ErrorBody {
    ErrorBody {
        message,
        code: None,
        slug: None,
        status: 0,
        request_id: None,
        suggested_fix: None,
        errors: Vec::new(),
    }
}

/// Adds the code and slug of a 429, because its flat form has no slug (`docs/wire.md`).
fn named(body: ErrorBody) -> ErrorBody {
    let known = Error::new(ErrorKind::RateLimited, "").body().clone();
    let code = if body.slug.is_none() { body.code.or(known.code) } else { body.code };
    ErrorBody { code, slug: body.slug.or(known.slug), ..body }
}

/// Reads `{"error":{"message":…}}`, `{"error":"…"}` and the flat `{"message":…}`.
///
/// Fields of another type than documented are ignored: a strict parser would lose the message over a detail.
fn described(body: &Map<String, Value>) -> Option<ErrorBody> {
    let fields = match body.get("error") {
        Some(Value::Object(fields)) => fields,
        Some(Value::String(message)) => return Some(error_body(message.clone())),
        _ => body,
    };
    let text = |name: &str| fields.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
    // `error_code` is the older name of `code`.
    let code =
        ["code", "error_code"].into_iter().find_map(|name| fields.get(name).filter(|it| !it.is_null()));
    let (code, name) = match code {
        Some(Value::String(name)) => (Some(ErrorCode::Name(name.clone())), Some(name.clone())),
        Some(number) => (number.as_i64().map(ErrorCode::Number), None),
        None => (None, None),
    };
    let errors = fields.get("errors").and_then(Value::as_array).map(|errors| {
        let sentence = |error: &Value| error.as_str().map_or_else(|| error.to_string(), ToOwned::to_owned);
        errors.iter().map(sentence).collect()
    });
    Some(ErrorBody {
        code,
        // Some errors of the hosted backend have the slug instead of the code.
        slug: text("slug").or(name),
        request_id: text("request_id"),
        suggested_fix: text("suggested_fix"),
        errors: errors.unwrap_or_default(),
        ..error_body(text("message")?)
    })
}

/// Returns a response's headers for the caller: lower-case names, repeated headers joined, no cookies.
fn headers(headers: &HeaderMap, api_key: &SecretString) -> Headers {
    let names = headers.keys().filter(|name| **name != SET_COOKIE);
    let joined = names.map(|name| {
        let values: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (name.as_str().to_owned(), without_key(&values.join(", "), api_key))
    });
    Headers(joined.collect())
}

/// Removes the API key from a text. Some servers quote the key when they reject it.
fn without_key(text: &str, api_key: &SecretString) -> String {
    let key = api_key.expose_secret();
    // A key this short is a placeholder, and may occur as part of a word.
    if key.len() < 8 { text.to_owned() } else { text.replace(key, "[apiKey]") }
}

/// Returns the title of an HTML page, or else its text.
fn text_of_html(html: &str) -> String {
    // Offsets in the lower-case copy are valid in the original, because only ASCII changes.
    let lower = html.to_ascii_lowercase();
    let title = lower.find("<title").and_then(|start| {
        let begin = start + lower[start..].find('>')? + 1;
        let end = begin + lower[begin..].find("</title")?;
        Some(shortened(&html[begin..end])).filter(|title| !title.is_empty())
    });
    title.unwrap_or_else(|| shortened(&without_tags(html, &lower)))
}

fn without_tags(html: &str, lower: &str) -> String {
    let mut text = String::new();
    let mut rest = 0;
    while let Some(length) = lower[rest..].find('<') {
        text.push_str(&html[rest..rest + length]);
        text.push(' ');
        let tag = rest + length;
        // Scripts and styles are text between tags, but the page does not show them.
        let end = ["script", "style"]
            .into_iter()
            .find(|name| lower[tag + 1..].starts_with(name))
            .map_or(tag, |name| {
                lower[tag..].find(&format!("</{name}")).map_or(lower.len(), |length| tag + length)
            });
        rest = lower[end..].find('>').map_or(lower.len(), |length| end + length + 1);
    }
    text + &html[rest..]
}

/// Joins the text into one line, and cuts it after [`QUOTED`] characters.
fn shortened(text: &str) -> String {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.chars().count() > QUOTED {
            return line.chars().take(QUOTED - 1).chain(['…']).collect();
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            url: "http://h/api/v3.1/x".parse().unwrap(),
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: body.as_bytes().to_vec(),
            rest: None,
        }
    }

    fn key() -> SecretString {
        "ak_canary_0123".into()
    }

    fn failure(answer: Answer) -> Failure {
        answer.into_failure(&key())
    }

    #[test]
    fn the_envelope_is_read_whole() {
        let error = failure(answer(
            400,
            r#"{"error":{"message":"No account.","code":4302,"slug":"ToolRouterV2_NoActiveConnection",
               "status":400,"request_id":"req_1","suggested_fix":"Connect one.","errors":["a","b"]}}"#,
        ))
        .error;
        assert_eq!(error.kind(), ErrorKind::NoActiveConnection);
        assert_eq!(error.to_string(), "No account. Connect one.");
        let body = error.body();
        assert_eq!(body.code, Some(ErrorCode::Number(4302)));
        assert_eq!((body.status, body.request_id.as_deref()), (400, Some("req_1")));
        assert_eq!(body.errors, ["a", "b"]);
    }

    #[test]
    fn a_code_that_is_a_name_is_the_slug() {
        let error =
            failure(answer(400, r#"{"error":{"message":"Host differs.","code":"OriginMismatch"}}"#)).error;
        assert_eq!(error.kind(), ErrorKind::OriginMismatch);
        assert_eq!(error.body().code, Some(ErrorCode::Name("OriginMismatch".to_owned())));
        assert_eq!(error.body().slug.as_deref(), Some("OriginMismatch"));
    }

    #[test]
    fn a_code_is_read_by_its_older_name() {
        let older = r#"{"message":"Validation error while processing request","error_code":10400,
            "suggested_fix":"Please check the payload.","errors":["Error in payload.a: Required"]}"#;
        for body in [older.to_owned(), format!(r#"{{"error":{older}}}"#)] {
            let error = failure(answer(400, &body)).error;
            assert_eq!(error.body().code, Some(ErrorCode::Number(10_400)));
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert_eq!(error.body().errors, ["Error in payload.a: Required"]);
        }
        let both = failure(answer(400, r#"{"message":"m","code":4302,"error_code":10400}"#)).error;
        assert_eq!(both.body().code, Some(ErrorCode::Number(4302)));
    }

    #[test]
    fn members_of_another_type_than_documented_are_ignored() {
        let error = failure(answer(
            422,
            r#"{"error":{"message":"m","code":1.5,"slug":null,"errors":[{"path":"a"}],"request_id":7}}"#,
        ))
        .error;
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::AccountUnusable, "m"));
        assert_eq!(error.body().errors, [r#"{"path":"a"}"#]);
    }

    #[test]
    fn the_flat_form_keeps_the_wait_and_the_limits() {
        let mut flat = answer(429, r#"{"message":"Rate limit exceeded."}"#);
        flat.headers.insert("retry-after", "7".parse().unwrap());
        flat.headers.insert("x-ratelimit", "10".parse().unwrap());
        flat.headers.append("via", "1.1 a".parse().unwrap());
        flat.headers.append("via", "1.1 b".parse().unwrap());
        flat.headers.insert("set-cookie", "a=b".parse().unwrap());
        let error = failure(flat).error;
        assert_eq!(error.kind(), ErrorKind::RateLimited);
        assert_eq!(error.body().slug.as_deref(), Some("RateLimited"));
        assert_eq!(error.body().code, Some(ErrorCode::Number(10429)));
        assert_eq!(error.to_string(), "Rate limit exceeded.");
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        assert_eq!(error.headers().get("x-ratelimit"), Some("10"));
        assert_eq!(error.headers().get("via"), Some("1.1 a, 1.1 b"));
        assert_eq!(error.headers().get("set-cookie"), None);
    }

    #[test]
    fn html_becomes_its_title_or_its_text() {
        let title = "<!doctype html><html><head><TITLE>\n 502 Bad\n Gateway </TITLE></head><body>x</body>";
        let error = failure(answer(502, title)).error;
        assert_eq!(error.to_string(), "http://h responded with 502 Bad Gateway: 502 Bad Gateway");
        assert_eq!(error.status(), Some(502));

        let text = "<html><style>p{}</style><SCRIPT>if (a < b) x()</SCRIPT><p>Not <b>here</b></p> ünd";
        let error = failure(answer(404, text)).error;
        assert_eq!(
            error.to_string(),
            "http://h responded with 404 Not Found: Not here ünd It does not look like a gateway: check baseURL."
        );
        for broken in ["<", "<title", "<title>", "<script", "<script>x", "<ü", "<p>a</p"] {
            assert!(
                failure(answer(500, broken)).error.to_string().starts_with("http://h responded with 500")
            );
        }
    }

    #[test]
    fn any_other_body_still_gives_an_error_of_its_status() {
        for (status, body, message) in [
            (500, "", "http://h responded with 500 Internal Server Error and no reason."),
            (403, r#"{"error":{"mess"#, r#"http://h responded with 403 Forbidden: {"error":{"mess"#),
            (401, r#"{"error":"Invalid API key"}"#, "Invalid API key"),
            (404, r#"{"detail":"no"}"#, r#"http://h responded with 404 Not Found: {"detail":"no"}"#),
            (
                504,
                "upstream\n\trequest timeout",
                "http://h responded with 504 Gateway Timeout: upstream request timeout",
            ),
            (500, "[1]", "http://h responded with 500 Internal Server Error: [1]"),
        ] {
            let error = failure(answer(status, body)).error;
            assert_eq!((error.status(), error.to_string().as_str()), (Some(status), message));
        }
        let mut bytes = answer(400, "");
        bytes.body = vec![0xff, 0xfe];
        assert_eq!(failure(bytes).error.status(), Some(400));
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        for body in ["ü".repeat(5000), "word ".repeat(5000), format!("<p>{}", "ü ".repeat(5000))] {
            let message = failure(answer(500, &body)).error.to_string();
            let quoted = message.strip_prefix("http://h responded with 500 Internal Server Error: ").unwrap();
            assert!(quoted.ends_with('…') && quoted.chars().count() <= QUOTED, "{quoted}");
        }
    }

    #[test]
    fn a_key_that_the_backend_quotes_is_hidden_everywhere() {
        let mut quoting = answer(
            401,
            r#"{"error":{"message":"Bad key ak_canary_0123","errors":["ak_canary_0123"],"slug":"ak_canary_0123"}}"#,
        );
        quoting.headers.insert("x-echo", "ak_canary_0123".parse().unwrap());
        let error = failure(quoting).error;
        assert_eq!(error.to_string(), "Bad key [apiKey]");
        assert!(!format!("{error:?} {:?}", error.headers()).contains("canary"));
    }

    #[test]
    fn the_request_id_comes_from_the_header_when_the_body_has_none() {
        for (body, expected) in [
            (r#"{"error":{"message":"m"}}"#, "from_header"),
            (r#"{"error":{"message":"m","request_id":"own"}}"#, "own"),
        ] {
            let mut named = answer(500, body);
            named.headers.insert("x-request-id", "from_header".parse().unwrap());
            assert_eq!(failure(named).error.body().request_id.as_deref(), Some(expected));
        }
    }

    #[test]
    fn an_envelope_is_passed_through_unread() {
        let text = " {\"status\":200,\"data\":[1e999,";
        assert_eq!(answer(200, text).into_envelope(&key()).unwrap().into_text(), text);
    }

    #[test]
    fn the_error_about_a_foreign_response_names_the_route_and_the_option() {
        for (body, form) in [
            ("", "an empty body"),
            ("<html>", "HTML"),
            ("[]", "JSON of another form"),
            ("hello", "a body that is not JSON"),
        ] {
            let error = answer(200, body).into_envelope(&key()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidAnswer);
            let message = error.to_string();
            assert!(message.contains(form) && message.contains("http://h/api/v3.1/x"), "{message}");
            assert!(message.contains("check baseURL"), "{message}");
        }
        let error = answer(200, "null").into_envelope(&key()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidAnswer);
        let mut bytes = answer(200, "");
        bytes.body = b"{\"data\":\"\xff\"}".to_vec();
        let error = bytes.into_envelope(&key()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidAnswer);
        assert!(error.to_string().contains("UTF-8"));
    }
}
