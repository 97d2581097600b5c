//! The answer of a proxied call, which travels as its own text (contract §3.2).
//!
//! The gateway writes the text once, around the upstream's bytes; the port sends it, the client
//! hands it on, and the caller parses it once. Nothing in between reads it.

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

/// The most characters that a string of JavaScript has, as V8 counts them: in UTF-16. An answer that
/// is handed on as text can have no more.
pub const LONGEST_TEXT: usize = (1 << 29) - 24;

/// Header names (lower case) with their values, in order, each name once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(pub Vec<(String, String)>);

impl Headers {
    /// The value of a header, by its lower-case name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl Serialize for Headers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// A file that an upstream answered with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BinaryData {
    /// Where to download it.
    pub url: String,
    /// Its media type.
    pub content_type: String,
    /// Its size in bytes.
    pub size: u64,
    /// Until when the URL works, RFC 3339.
    pub expires_at: String,
}

/// The text of `{ status, data, headers }`, and `binary_data` where the answer is a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope(String);

impl Envelope {
    /// Wraps an upstream's JSON, byte for byte.
    ///
    /// `json` must be well-formed; the caller has checked it, and a second pass over a large
    /// answer would cost as much as the rest of the call.
    pub fn around_json(status: u16, headers: &Headers, json: &str) -> Self {
        Self::write(status, headers, json)
    }

    /// Wraps an upstream's text, which becomes a JSON string.
    pub fn around_text(status: u16, headers: &Headers, text: &str) -> Self {
        Self::write(status, headers, &to_json(&text))
    }

    /// The answer of an upstream that sent no body: `data` is null.
    pub fn without_data(status: u16, headers: &Headers) -> Self {
        Self::write(status, headers, "null")
    }

    /// The answer of an upstream that sent a file, which is kept for download.
    pub fn around_file(status: u16, headers: &Headers, file: &BinaryData) -> Self {
        let (headers, file) = (to_json(headers), to_json(file));
        Self(format!(r#"{{"status":{status},"headers":{headers},"data":null,"binary_data":{file}}}"#))
    }

    /// An answer without what it brought: the body is handed on beside it.
    pub fn head(status: u16, headers: &Headers) -> Self {
        let headers = to_json(headers);
        Self(format!(r#"{{"status":{status},"headers":{headers}}}"#))
    }

    fn write(status: u16, headers: &Headers, data: &str) -> Self {
        let (status, headers) = (status.to_string(), to_json(headers));
        // At its whole length: the text is most of what is held of an answer, and would else be copied.
        Self([r#"{"status":"#, &status, r#","headers":"#, &headers, r#","data":"#, data, "}"].concat())
    }

    /// Takes over the text of an answer that came over the wire. It is not read.
    pub fn from_wire(text: String) -> Self {
        Self(text)
    }

    /// The text.
    pub fn into_text(self) -> String {
        self.0
    }

    /// The same answer with `data` as a string that holds the upstream's JSON unparsed, for
    /// callers who need every digit of it. Text and null stay as they are.
    ///
    /// # Errors
    /// When the text, which may come from another system, is not an envelope.
    pub fn with_data_as_text(self) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Wire<'a> {
            status: u16,
            #[serde(borrow, default)]
            headers: Option<&'a RawValue>,
            #[serde(borrow, default)]
            data: Option<&'a RawValue>,
            #[serde(borrow, default)]
            binary_data: Option<&'a RawValue>,
        }
        let wire: Wire<'_> = serde_json::from_str(&self.0)?;
        let data = wire.data.map_or("null", RawValue::get);
        let data = if data.starts_with('"') || data == "null" { data.to_owned() } else { to_json(&data) };
        let headers = wire.headers.map_or("{}", RawValue::get);
        let status = wire.status;
        let binary_data =
            wire.binary_data.map(|raw| format!(r#","binary_data":{}"#, raw.get())).unwrap_or_default();
        Ok(Self(format!(r#"{{"status":{status},"headers":{headers},"data":{data}{binary_data}}}"#)))
    }
}

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("strings and maps of strings always serialise")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers() -> Headers {
        Headers(vec![("content-type".into(), "application/json".into())])
    }

    #[test]
    fn json_is_kept_byte_for_byte() {
        let json = r#"{"z":1,"a":12345678901234567890, "e":1e400}"#;
        let text = Envelope::around_json(200, &headers(), json).into_text();
        assert_eq!(
            text,
            format!(r#"{{"status":200,"headers":{{"content-type":"application/json"}},"data":{json}}}"#)
        );
    }

    #[test]
    fn text_becomes_a_string() {
        let text = Envelope::around_text(404, &Headers::default(), "a \"b\"\n\u{2028}").into_text();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["data"], "a \"b\"\n\u{2028}");
        assert_eq!(value["status"], 404);
    }

    #[test]
    fn data_as_text_keeps_every_digit() {
        let envelope = Envelope::around_json(200, &headers(), r#"{"id":12345678901234567890}"#);
        let text = envelope.with_data_as_text().unwrap().into_text();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["data"], r#"{"id":12345678901234567890}"#);
        assert_eq!(value["headers"]["content-type"], "application/json");
    }

    #[test]
    fn data_as_text_leaves_text_and_null_alone() {
        for envelope in [Envelope::around_text(200, &headers(), "x"), Envelope::without_data(204, &headers())]
        {
            assert_eq!(envelope.clone().with_data_as_text().unwrap(), envelope);
        }
    }

    #[test]
    fn data_as_text_survives_a_deep_document() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let envelope = Envelope::around_json(200, &headers(), &deep).with_data_as_text().unwrap();
        assert!(envelope.into_text().contains(&deep));
    }

    #[test]
    fn what_is_not_an_envelope_is_an_error() {
        assert!(Envelope::from_wire("<html>".into()).with_data_as_text().is_err());
    }
}
