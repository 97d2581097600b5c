//! Bodies of proxied calls under a JSON type.

use mime::Mime;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::{Error, ErrorKind, ParameterLocation, ProxyRequest, Result};

/// The media type that a `Content-Type` names. If the value is malformed or repeated, the media type
/// ends before the first `;` or `,`.
pub fn media_type(content_type: &str) -> Option<Mime> {
    content_type.parse().ok().or_else(|| content_type.split([';', ',']).next()?.trim().parse().ok())
}

/// Whether a media type is JSON: `application/json`, `text/json` or `…+json` (RFC 6839 §3.1).
pub fn is_json(content_type: &str) -> bool {
    media_type(content_type)
        .is_some_and(|mime| mime.subtype() == mime::JSON || mime.suffix() == Some(mime::JSON))
}

/// The characters of a body that is a string. They must be JSON themselves. `None` for any other body.
///
/// # Errors
/// `InvalidRequest` when they are not JSON. As a JSON string they would reach the API without a
/// warning, and callers hardly ever mean that.
pub fn json_in_string(body: &RawValue) -> Result<Option<String>> {
    if !body.get().starts_with('"') {
        return Ok(None);
    }
    let refused = |why: &str| {
        let message = format!("`body` is a string that cannot be sent unchanged under a JSON type: {why}.");
        Error::of_field(ErrorKind::InvalidRequest, "body", message).fix(
            "Pass the value itself, or its JSON text; for text that is not JSON set the header Content-Type, such as text/plain.",
        )
    };
    let text: String = serde_json::from_str(body.get()).map_err(|_| {
        refused("it has half of a surrogate pair in it: a character, such as an emoji, was cut in two")
    })?;
    match serde_json::from_str::<IgnoredAny>(&text) {
        Ok(_) => Ok(Some(text)),
        Err(_) if text.trim().is_empty() => Err(refused("it is empty; leave `body` out for no body")),
        Err(_) => Err(refused("it is not JSON")),
    }
}

impl ProxyRequest {
    /// Replaces a string body by the JSON that the string holds, for a backend that may encode strings.
    /// Text that would change its meaning stays a string: `null`, another string, and text with blanks
    /// at an end, which a JSON value does not keep.
    ///
    /// # Errors
    /// `InvalidRequest` as [`json_in_string`].
    pub fn unwrap_json_body(&mut self) -> Result<()> {
        let Some(body) = &self.body else { return Ok(()) };
        let is_content_type = |name: &str| name.eq_ignore_ascii_case("content-type");
        let content_type = self.parameters.iter().find(|parameter| {
            parameter.location == ParameterLocation::Header && is_content_type(&parameter.name)
        });
        if content_type.is_some_and(|parameter| !is_json(&parameter.value)) {
            return Ok(());
        }
        let Some(text) = json_in_string(body)? else { return Ok(()) };
        let stays = text == "null" || text.starts_with('"') || text.trim() != text;
        if !stays && let Ok(value) = RawValue::from_string(text) {
            self.body = Some(value);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_known_by_its_media_type() {
        let yes = [
            "application/json",
            "APPLICATION/JSON; charset=utf-8",
            "application/vnd.api+json",
            "text/json",
            "application/json; charset",
            "application/json , application/json",
        ];
        let no = [
            "text/plain",
            "text/plain, application/json",
            "application/jsonl",
            "application/x-ndjson",
            "application/xml",
            "",
            "json",
        ];
        for text in yes {
            assert!(is_json(text), "{text}");
        }
        for text in no {
            assert!(!is_json(text), "{text}");
        }
    }

    fn unwrapped(content_type: Option<&str>, body: &str) -> Result<String> {
        let parameters: Vec<_> = content_type
            .map(|value| serde_json::json!({ "name": "Content-TYPE", "value": value, "type": "header" }))
            .into_iter()
            .collect();
        let mut request: ProxyRequest = serde_json::from_value(serde_json::json!({
            "endpoint": "/x", "method": "POST", "body": body, "parameters": parameters,
        }))
        .unwrap();
        request.unwrap_json_body()?;
        Ok(request.body.unwrap().get().to_owned())
    }

    #[test]
    fn a_string_is_replaced_by_the_json_it_holds() {
        for (content_type, body, sent) in [
            (None, r#"{"b":1, "a":12345678901234567890}"#, r#"{"b":1, "a":12345678901234567890}"#),
            (Some("application/vnd.api+json"), "[]", "[]"),
            (None, "123", "123"),
            (None, "null", r#""null""#),
            (None, "\"a\"", r#""\"a\"""#),
            (None, "{}\n", r#""{}\n""#),
            (Some("text/plain"), "{}", r#""{}""#),
            (Some("text/plain"), "hello", r#""hello""#),
        ] {
            assert_eq!(unwrapped(content_type, body).unwrap(), sent, "{content_type:?} {body}");
        }
        for body in ["", " ", "hello", "{\"a\":"] {
            let error = unwrapped(None, body).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
            assert!(error.to_string().starts_with("`body` is a string"), "{error}");
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(unwrapped(None, &deep).unwrap(), deep);
    }
}
