//! Reading a request, with the field named where it cannot be read.

use serde::de::DeserializeOwned;

use crate::{Error, ErrorKind, Result, quoted};

/// Reads a request from JSON text.
///
/// # Errors
/// `InvalidRequest` with the path of the field, and with line and column where the text is not
/// JSON at all.
pub fn read_json<T: DeserializeOwned>(text: &[u8]) -> Result<T> {
    serde_json::from_slice(text).map_err(|error| explain::<T>(text, &error))
}

/// Reads once more, slower, to learn which field it was.
fn explain<T: DeserializeOwned>(text: &[u8], error: &serde_json::Error) -> Error {
    let path = serde_path_to_error::deserialize::<_, T>(&mut serde_json::Deserializer::from_slice(text))
        .err()
        .map(|error| error.path().to_string())
        .filter(|path| path != ".");
    let message = match path {
        _ if error.is_syntax() || error.is_eof() => format!("The request is not valid JSON: {error}."),
        Some(path) => format!("Error in payload.{}: {}.", quoted(&path), without_value(error)),
        None => format!("Error in payload: {}.", without_value(error)),
    };
    Error::of_field(ErrorKind::InvalidRequest, message).fix("Please check the payload.")
}

/// What was expected, without the value that was found: it may be a secret in the wrong place. The
/// name of an unknown field or variant is quoted.
pub fn without_value(error: &serde_json::Error) -> String {
    let text = error.to_string();
    // The name may hold anything, so the sentence about it begins at the last separator.
    let (found, expected) = ["`, expected ", "`, there are no ", ", expected "]
        .iter()
        .filter_map(|separator| text.rfind(separator))
        .max()
        .map_or((text.as_str(), ""), |at| text.split_at(at));
    if found.starts_with("invalid type: ") || found.starts_with("invalid value: ") {
        return expected.trim_start_matches(['`', ',', ' ']).to_owned();
    }
    for kind in ["unknown field `", "unknown variant `"] {
        if let Some(name) = found.strip_prefix(kind) {
            return format!("{kind}{}{expected}", quoted(name));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CreateSession, ProxyRequest};

    fn problem<T: DeserializeOwned>(text: &str) -> String {
        read_json::<T>(text.as_bytes()).err().map(|error| error.body().message.clone()).unwrap_or_default()
    }

    #[test]
    fn the_field_is_named() {
        let request =
            r#"{"endpoint":"/","method":"GET","parameters":[{"name":"a","value":1,"type":"query"}]}"#;
        let told = problem::<ProxyRequest>(request);
        assert!(
            told.starts_with("Error in payload.parameters[0].value: expected a string at line 1"),
            "{told}"
        );

        let told = problem::<ProxyRequest>(r#"{"endpoint":"/","methd":"GET"}"#);
        assert!(told.contains("unknown field `methd`, expected one of"), "{told}");

        let told = problem::<CreateSession>(r#"{"user_id":"u","toolkit":[]}"#);
        assert!(told.contains("unknown field `toolkit`, expected one of `toolkits`"), "{told}");
    }

    #[test]
    fn what_is_unknown_is_quoted_and_no_more_of_it_than_80_characters() {
        let long = "x`, expected y\n".repeat(1 << 16);
        let text = |field: &str, method: &str| {
            serde_json::json!({ "endpoint": "/", "method": method, field: 1 }).to_string()
        };
        for (told, begins) in [
            (problem::<ProxyRequest>(&text(&long, "GET")), "unknown field `x`, expected y\\nx`"),
            (problem::<ProxyRequest>(&text("body", &long)), "unknown variant `x`, expected y\\nx`"),
            (
                problem::<ProxyRequest>(&text("body", "\u{202e}TEG")),
                "unknown variant `\\u{202e}TEG`, expected one of `GET`",
            ),
        ] {
            let (_, sentence) = told.split_once(": ").unwrap();
            assert!(sentence.starts_with(begins), "{told}");
            assert!(told.contains("expected one of"), "{told}");
            assert!(told.len() < 500 && !told.contains('\n'), "{told}");
        }

        let keys = serde_json::json!({ "user_id": "u", "connected_accounts": { &long: 1 } });
        let told = problem::<CreateSession>(&keys.to_string());
        assert!(told.len() < 500 && !told.contains('\n'), "{told}");
    }

    #[test]
    fn a_value_is_not_told() {
        for value in ["canary", "canary, expected canary", "x`, expected canary", "x`, there are no canary"] {
            let text = serde_json::json!({ "endpoint": "/", "method": "GET", "parameters": value });
            let told = problem::<ProxyRequest>(&text.to_string());
            assert!(told.contains("expected a sequence") && !told.contains("canary"), "{told}");
        }
    }

    #[test]
    fn broken_json_is_told_with_its_place() {
        let told = problem::<ProxyRequest>("{\"endpoint\": \n");
        assert!(told.contains("line 2"), "{told}");
    }

    #[test]
    fn a_body_survives_as_it_was_written() {
        let text = r#"{"endpoint":"/","method":"POST","body": {"z":1, "a":12345678901234567890} }"#;
        let request: ProxyRequest = read_json(text.as_bytes()).unwrap();
        assert_eq!(request.body.unwrap().get(), r#"{"z":1, "a":12345678901234567890}"#);
    }
}
