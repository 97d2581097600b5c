//! The response of a proxied call, which travels as its own text (`docs/wire.md`).
//!
//! The gateway writes the text once, around the upstream's bytes. The port sends it, the client
//! passes it through, and the caller parses it once. No code in between reads it.

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// The length limit of a JavaScript string, as V8 counts it: in UTF-16. A response that is passed as
/// text can have no more.
pub const LONGEST_TEXT: usize = (1 << 29) - 24;

/// Header names (lower case) with their values, in order. The values of a repeated header follow
/// each other. As JSON, they are joined with a comma.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(pub Vec<(String, String)>);

impl Headers {
    /// The first value of a header, by its lower-case name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn by_name(&self) -> impl Iterator<Item = (&str, Vec<&str>)> {
        self.0.chunk_by(|(one, _), (next, _)| one == next).filter_map(|lines| {
            let (name, _) = lines.first()?;
            Some((name.as_str(), lines.iter().map(|(_, value)| value.as_str()).collect()))
        })
    }
}

impl Serialize for Headers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.by_name().map(|(name, values)| (name, values.join(", "))))
    }
}

/// All values of repeated headers. If they were joined, the values of `set-cookie` could not be told apart.
struct Repeated<'a>(&'a Headers);

impl Serialize for Repeated<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.by_name().filter(|(_, values)| values.len() > 1))
    }
}

/// A file in the response of the third-party API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BinaryData {
    /// Where to download it, without a key.
    pub url: String,
    /// Its media type.
    pub content_type: String,
    /// Its size in bytes.
    pub size: u64,
    /// When the URL expires, RFC 3339.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub expires_at: String,
}

/// How a call in a session ended. The wire has more types, for hooks and approvals, which a gateway has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ResultType {
    /// The API responded.
    Completed,
}

/// The members of an envelope that do not depend on the data. They are written before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EnvelopeHead {
    /// `None` outside of a session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_type: Option<ResultType>,
    /// The third-party API's HTTP status.
    pub status: u16,
    /// Its headers.
    #[serde(flatten, serialize_with = "with_repeats")]
    pub headers: Headers,
}

/// The head of a response whose body is streamed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StreamedHead {
    /// Status and headers.
    #[serde(flatten)]
    pub head: EnvelopeHead,
    /// The reason phrase of the status; empty over HTTP/2, which has none.
    pub status_text: String,
    /// The URL that responded, after redirects, without a credential in its query.
    pub url: String,
    /// Whether the gateway followed a redirect.
    pub redirected: bool,
    /// The size of the body in bytes, if the response announced it.
    #[serde(skip)]
    pub length: Option<u64>,
    /// The trailers of the response.
    #[serde(skip)]
    pub trailers: Trailers,
}

/// The trailers of a streamed response. They are known when its body has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trailers(Arc<OnceLock<Headers>>);

impl Trailers {
    /// Notes the trailers, once.
    pub fn set(&self, trailers: Headers) {
        _ = self.0.set(trailers);
    }

    /// The trailers; `None` before the body has ended, or if the response has none.
    pub fn get(&self) -> Option<&Headers> {
        self.0.get()
    }
}

/// Writes `headers`, and `repeated_headers` if there are any.
fn with_repeats<S: Serializer>(headers: &Headers, serializer: S) -> Result<S::Ok, S::Error> {
    let mut members = serializer.serialize_map(None)?;
    members.serialize_entry("headers", headers)?;
    if headers.0.windows(2).any(|lines| matches!(lines, [(one, _), (next, _)] if one == next)) {
        members.serialize_entry("repeated_headers", &Repeated(headers))?;
    }
    members.end()
}

/// The text of `{ status, headers, data }`, with `repeated_headers` where headers are repeated, and
/// `binary_data` where the response is a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope(String);

/// The third-party API's response.
#[cfg(feature = "openapi")]
#[derive(utoipa::ToSchema)]
#[schema(as = Envelope)]
#[expect(dead_code, reason = "`Envelope` writes these fields as text")]
pub(crate) struct EnvelopeFields {
    /// Absent outside of a session.
    #[schema(nullable = false)]
    result_type: Option<ResultType>,
    status: u16,
    /// Repeats are joined with a comma.
    headers: std::collections::BTreeMap<String, String>,
    /// Each value of the headers that came more than once, such as `set-cookie`. Absent if none did.
    #[schema(nullable = false)]
    repeated_headers: Option<std::collections::BTreeMap<String, Vec<String>>>,
    /// JSON as it is, text as a string, null when there is none.
    #[schema(required = true, value_type = Option<Value>)]
    data: (),
    /// The file, if the response is one.
    #[schema(nullable = false)]
    binary_data: Option<BinaryData>,
}

impl Envelope {
    /// Wraps an upstream's JSON, byte for byte.
    ///
    /// `json` must be well-formed. The caller has checked it, and a second pass over a large
    /// response would cost as much as the rest of the call.
    pub fn around_json(head: &EnvelopeHead, json: &str) -> Self {
        Self::write(head, json)
    }

    /// Wraps an upstream's text, which becomes a JSON string.
    pub fn around_text(head: &EnvelopeHead, text: &str) -> Self {
        Self::write(head, &to_json(&text))
    }

    /// The response of an upstream that sent no body: `data` is null.
    pub fn without_data(head: &EnvelopeHead) -> Self {
        Self::write(head, "null")
    }

    /// The response of an upstream that sent a file, which is stored for download.
    pub fn around_file(head: &EnvelopeHead, file: &BinaryData) -> Self {
        Self(format!(r#"{},"data":null,"binary_data":{}}}"#, begun(head), to_json(file)))
    }

    /// A response without its body, which is streamed beside it.
    pub fn head(head: &StreamedHead) -> Self {
        Self(to_json(head))
    }

    fn write(head: &EnvelopeHead, data: &str) -> Self {
        // Allocated at its whole length: the text is most of a response, and growing it would copy it.
        Self([&begun(head), r#","data":"#, data, "}"].concat())
    }

    /// Takes over the text of a response that came over the wire. This function does not read it.
    pub fn from_wire(text: String) -> Self {
        Self(text)
    }

    /// The text.
    pub fn into_text(self) -> String {
        self.0
    }

    /// The same envelope with `data` as a string that holds its JSON unparsed, for callers that need
    /// every digit of it. A string and null stay as they are. The rest of the text stays unchanged,
    /// including members that this version does not know.
    ///
    /// # Errors
    /// When the text, which may come from another system, is not a JSON object.
    pub fn with_data_as_text(mut self) -> Result<Self, serde_json::Error> {
        let Data(data) = serde_json::from_str(&self.0)?;
        let Some(json) = data.map(RawValue::get).filter(|json| !json.starts_with('"') && *json != "null")
        else {
            return Ok(self);
        };
        // `json` is a slice of the text, so its address tells where it is.
        let start = json.as_ptr().addr() - self.0.as_ptr().addr();
        let (range, string) = (start..start + json.len(), to_json(&json));
        self.0.replace_range(range, &string);
        Ok(self)
    }
}

/// The `data` of an envelope. If the name is repeated, `JSON.parse` keeps the last one, and so does this.
struct Data<'a>(Option<&'a RawValue>);

impl<'de> Deserialize<'de> for Data<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Data<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Data<'de>, A::Error> {
                let mut data = None;
                // Names are raw, too: another name may have half an emoji in it, which no `String` can hold.
                while let Some((name, value)) = members.next_entry::<&RawValue, &RawValue>()? {
                    if serde_json::from_str::<String>(name.get()).is_ok_and(|name| name == "data") {
                        data = Some(value);
                    }
                }
                Ok(Data(data))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// The beginning of an envelope, which the data follows.
fn begun(head: &EnvelopeHead) -> String {
    let mut text = to_json(head);
    text.pop();
    text
}

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("strings and maps of strings always serialise")
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    fn head(status: u16) -> EnvelopeHead {
        let headers = Headers(vec![("content-type".into(), "application/json".into())]);
        EnvelopeHead { result_type: None, status, headers }
    }

    #[test]
    fn json_is_kept_byte_for_byte() {
        let json = r#"{"z":1,"a":12345678901234567890, "e":1e400}"#;
        let text = Envelope::around_json(&head(200), json).into_text();
        assert_eq!(
            text,
            format!(r#"{{"status":200,"headers":{{"content-type":"application/json"}},"data":{json}}}"#)
        );
    }

    #[test]
    fn repeated_headers_are_joined_and_listed() {
        let line = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = Headers(vec![
            line("set-cookie", "a=1; Expires=Wed, 21 Oct"),
            line("set-cookie", "b=2"),
            line("vary", "accept"),
            line("x", "1"),
            line("x", "1"),
        ]);
        let written = r#"{"status":200,"headers":{"set-cookie":"a=1; Expires=Wed, 21 Oct, b=2","vary":"accept","x":"1, 1"},"repeated_headers":{"set-cookie":["a=1; Expires=Wed, 21 Oct","b=2"],"x":["1","1"]}"#;
        let head = EnvelopeHead { result_type: None, status: 200, headers };
        let (status_text, url) = ("OK".to_owned(), "https://h/x".to_owned());
        let streamed = StreamedHead {
            head: head.clone(),
            status_text,
            url,
            redirected: true,
            length: None,
            trailers: Trailers::default(),
        };
        assert_eq!(
            Envelope::head(&streamed).into_text(),
            format!(r#"{written},"status_text":"OK","url":"https://h/x","redirected":true}}"#)
        );
        assert_eq!(Envelope::around_json(&head, "1").into_text(), format!("{written},\"data\":1}}"));
        assert_eq!(head.headers.get("set-cookie"), Some("a=1; Expires=Wed, 21 Oct"));
    }

    #[test]
    fn the_type_of_a_result_comes_first() {
        let head = EnvelopeHead { result_type: Some(ResultType::Completed), ..head(204) };
        let text = Envelope::without_data(&head).into_text();
        assert!(text.starts_with(r#"{"result_type":"completed","status":204,"headers":{"#), "{text}");
    }

    #[test]
    fn text_becomes_a_string() {
        let text = Envelope::around_text(&head(404), "a \"b\"\n\u{2028}").into_text();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["data"], "a \"b\"\n\u{2028}");
        assert_eq!(value["status"], 404);
    }

    #[test]
    fn data_as_text_keeps_every_digit() {
        let envelope = Envelope::around_json(&head(200), r#"{"id":12345678901234567890}"#);
        let text = envelope.with_data_as_text().unwrap().into_text();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["data"], r#"{"id":12345678901234567890}"#);
        assert_eq!(value["headers"]["content-type"], "application/json");
    }

    #[test]
    fn data_as_text_leaves_text_and_null_alone() {
        for envelope in [Envelope::around_text(&head(200), "x"), Envelope::without_data(&head(204))] {
            assert_eq!(envelope.clone().with_data_as_text().unwrap(), envelope);
        }
    }

    #[test]
    fn data_as_text_survives_a_deep_document() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let envelope = Envelope::around_json(&head(200), &deep).with_data_as_text().unwrap();
        assert!(envelope.into_text().contains(&deep));
    }

    #[test]
    fn data_as_text_changes_the_last_data_only() {
        for (text, expected) in [
            // Names and values that a later version may add, in any order and form.
            (
                r#"{"result_type":"completed","data":{"a":1},"hook_results":[{"id":1}],"status":200}"#,
                r#"{"result_type":"completed","data":"{\"a\":1}","hook_results":[{"id":1}],"status":200}"#,
            ),
            (" { \"data\" :\t[1, 2]\n, \"x\" : 1e400 } ", " { \"data\" :\t\"[1, 2]\"\n, \"x\" : 1e400 } "),
            (r#"{"d\u0061ta":1.0}"#, r#"{"d\u0061ta":"1.0"}"#),
            (r#"{"data":1,"data":2,"a":3,"a":4}"#, r#"{"data":1,"data":"2","a":3,"a":4}"#),
            (r#"{"x":{"data":1},"data":true}"#, r#"{"x":{"data":1},"data":"true"}"#),
            (r#"{"\ud800":"\ud800","data":["\ud800"]}"#, r#"{"\ud800":"\ud800","data":"[\"\\ud800\"]"}"#),
            (r#"{"data":"text","binary_data":null}"#, r#"{"data":"text","binary_data":null}"#),
            (r#"{"status":204,"data":null}"#, r#"{"status":204,"data":null}"#),
            (r#"{"status":204}"#, r#"{"status":204}"#),
            (r#"{"status":"odd","headers":[],"data":{}}"#, r#"{"status":"odd","headers":[],"data":"{}"}"#),
        ] {
            let envelope = Envelope::from_wire(text.to_owned()).with_data_as_text();
            assert_eq!(envelope.unwrap().into_text(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn data_as_text_is_a_change_of_one_field(
            members in vec((r#""(status|headers|binary_data|x|\\ud800|data2|é)""#, json()), 0..6),
            data in json(),
            at in any::<Index>(),
            blank in "[ \t\r\n]{0,2}",
        ) {
            let at = at.index(members.len() + 1);
            let member = |(name, value): &(String, String)| format!("{blank}{name}{blank}:{blank}{value}{blank}");
            let text = |data: &str| {
                let mut members: Vec<_> = members.iter().map(&member).collect();
                members.insert(at, member(&(r#""data""#.to_owned(), data.to_owned())));
                format!("{blank}{{{}}}{blank}", members.join(","))
            };
            let unchanged = data.starts_with('"') || data == "null";
            let expected = if unchanged { text(&data) } else { text(&to_json(&data)) };
            let envelope = Envelope::from_wire(text(&data)).with_data_as_text().unwrap();
            prop_assert_eq!(envelope.into_text(), expected);
        }
    }

    /// JSON of every kind, in forms that parsing and writing would change.
    fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            Just("true".to_owned()),
            "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?",
            r#""([a-z {}\[\],:é\u{1f600}]|\\"|\\\\|\\ud800|\\/){0,6}""#,
        ];
        leaf.prop_recursive(4, 16, 4, |inner| {
            let members = vec((r#""(data|a|b)""#, inner.clone()), 0..4);
            prop_oneof![
                vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(" ,"))),
                members.prop_map(|members| {
                    let members: Vec<_> =
                        members.into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
                    format!("{{ {} }}", members.join(","))
                }),
            ]
        })
    }

    #[test]
    fn an_envelope_that_is_not_an_object_is_an_error() {
        for text in ["<html>", "[]", "\"data\"", "", "{\"data\":1", "{\"data\":1}}"] {
            assert!(Envelope::from_wire(text.into()).with_data_as_text().is_err(), "{text}");
        }
    }
}
