//! Reading a request, with the field named where it cannot be read.

use serde::de::DeserializeOwned;

use crate::{Error, ErrorKind, Result};

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
        Some(path) => format!("Error in payload.{path}: {}.", without_value(error)),
        None => format!("Error in payload: {}.", without_value(error)),
    };
    Error::of_field(ErrorKind::InvalidRequest, message).fix("Please check the payload.")
}

/// What was expected, without what was found: that may be a secret in the wrong place.
fn without_value(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let quotes_value = text.starts_with("invalid type: ") || text.starts_with("invalid value: ");
    match text.split_once(", expected ") {
        Some((_, expected)) if quotes_value => format!("expected {expected}"),
        _ => text,
    }
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
