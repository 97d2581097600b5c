//! Reading a request. If it cannot be read, the error names the field and the advice, in the words of
//! `lib/validate.ts` for the same mistake.

use serde::de::DeserializeOwned;
use strsim::levenshtein;

use crate::{Error, ErrorKind, Result, quoted};

/// Advice for a field that is missing or empty.
const PURPOSES: [(&str, &str); 4] = [
    ("toolkit_slug", "name the toolkit to call, for example 'github'"),
    ("endpoint", "give a path such as /user, or an absolute URL on one of the hosts of the toolkit"),
    ("user_id", "give your own id of the user that the calls are made for"),
    (
        "method",
        "use 'GET' or 'POST' or 'PUT' or 'PATCH' or 'DELETE' or 'HEAD' or 'OPTIONS' or 'QUERY' or 'PROPFIND' or 'PROPPATCH' or 'MKCOL' or 'COPY' or 'MOVE' or 'LOCK' or 'UNLOCK' or 'REPORT' or 'SEARCH'",
    ),
];

/// Names that other libraries have for the parts of a call.
const MEANT: [(&[&str], &str, &str); 5] = [
    (&["headers", "header"], "parameters", "a header is one of `parameters`, with `in: 'header'`"),
    (
        &["query", "queryParams", "params"],
        "parameters",
        "a query value is one of `parameters`, with `in: 'query'`",
    ),
    (&["url", "path"], "endpoint", "did you mean `endpoint`?"),
    (&["data", "json", "payload"], "body", "did you mean `body`?"),
    // `user_id` is read beside the session's configuration. `manage_connections` is a key of the latter.
    (&["user", "userId", "userid", "entity_id"], "manage_connections", "did you mean `user_id`?"),
];

/// The error about more parameters than a call may have of both kinds together.
pub(crate) const TOO_MANY_PARAMETERS: &str =
    "has more than 200 entries; the limits are 100 headers and 100 query parameters";

/// Advice for a value that its own type refuses.
const REFUSALS: [(&str, &str); 1] = [(TOO_MANY_PARAMETERS, "send fewer, or put the values into the body")];

/// Texts that may be empty.
const MAY_BE_EMPTY: &str = "value";

/// Reads a request from JSON text.
///
/// # Errors
/// `InvalidRequest` with the path of the field, and with line and column where the text is not
/// JSON at all.
pub fn read_json<T: DeserializeOwned>(text: &[u8]) -> Result<T> {
    read_json_as(ErrorKind::InvalidRequest, text)
}

/// Reads a request from JSON text. A request that cannot be read is an error of this kind.
///
/// # Errors
/// As those of [`read_json`].
pub fn read_json_as<T: DeserializeOwned>(kind: ErrorKind, text: &[u8]) -> Result<T> {
    serde_json::from_slice(text).map_err(|error| explain::<T>(kind, text, &error))
}

/// Reads options that a surface has written as JSON text, after its own checks.
///
/// # Errors
/// `InvalidOption`.
pub fn read_options<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|error| Error::new(ErrorKind::InvalidOption, format!("An option cannot be used: {error}.")))
}

/// A field that is missing or empty.
pub fn missing(kind: ErrorKind, field: &str, is_empty: bool) -> Error {
    let fact = if is_empty { "must be a non-empty string, but is empty" } else { "is missing" };
    problem(kind, field, &format!("`{}` {fact}", quoted(field)), purpose(field))
}

fn purpose(field: &str) -> Option<&'static str> {
    PURPOSES.iter().find(|(name, _)| *name == field).map(|(_, purpose)| *purpose)
}

/// An error about a field: the fact, and the advice.
fn problem(kind: ErrorKind, field: &str, fact: &str, advice: Option<&str>) -> Error {
    let error = Error::of_field(kind, field, format!("{fact}."));
    let Some(advice) = advice else { return error };
    let end = if advice.ends_with('?') { "" } else { "." };
    let mut letters = advice.chars();
    let first = letters.next().map(char::to_uppercase);
    let fix = first.into_iter().flatten().chain(letters).collect::<String>();
    error.with_errors(vec![format!("{fact}: {advice}{end}")]).fix(fix + end)
}

/// Reads again, more slowly, to find the field.
fn explain<T: DeserializeOwned>(kind: ErrorKind, text: &[u8], error: &serde_json::Error) -> Error {
    if error.is_syntax() || error.is_eof() {
        let message = format!("The request is not valid JSON: {error}.");
        let errors = vec![message.clone()];
        return Error::new(kind, message)
            .with_errors(errors)
            .fix("Send one JSON value, and nothing before or after it.");
    }
    let path = serde_path_to_error::deserialize::<_, T>(&mut serde_json::Deserializer::from_slice(text))
        .err()
        .map(|error| error.path().to_string())
        .filter(|path| path != ".")
        .unwrap_or_default();
    let told = without_place(error);
    let (found, expected) = split(&told);
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    let field = if path.is_empty() { "The request".to_owned() } else { format!("`{}`", quoted(&path)) };
    if let Some(name) = in_ticks(found, "missing field ") {
        return missing(kind, &below(name), false);
    }
    if let Some(name) = in_ticks(found, "duplicate field ") {
        return problem(
            kind,
            &below(name),
            &format!("`{}` appears twice", quoted(&below(name))),
            Some("leave one of them out"),
        );
    }
    if let Some(name) = in_ticks(found, "unknown field ") {
        let known: Vec<_> = names(expected).collect();
        return problem(kind, &path, &format!("Unknown key {field}"), Some(&suggestion(name, &known)));
    }
    if let Some(name) = in_ticks(found, "unknown variant ") {
        let known: Vec<_> = names(expected).map(|name| format!("'{name}'")).collect();
        let name = quoted(name);
        let plain = name.to_string();
        let meant = known.iter().find(|known| known.trim_matches('\'').eq_ignore_ascii_case(&plain));
        return match meant {
            Some(meant) => {
                let case = if meant.contains(char::is_uppercase) { "upper" } else { "lower" };
                let advice = format!("write {meant} instead of '{name}'");
                problem(kind, &path, &format!("{field} must be in {case} case"), Some(&advice))
            }
            None => {
                let advice = format!("use {}", known.join(" or "));
                problem(kind, &path, &format!("{field} cannot be '{name}'"), Some(&advice))
            }
        };
    }
    // serde reads a list instead of an object as the list of its fields, which are too few.
    let list = found.starts_with("invalid length ").then_some("sequence");
    let value = found.strip_prefix("invalid type: ").or(found.strip_prefix("invalid value: ")).or(list);
    if let Some(value) = value {
        let may_be_empty = path.rsplit('.').next() == Some(MAY_BE_EMPTY);
        let (wanted, is) = (wanted(expected, may_be_empty), kind_of(value));
        return problem(kind, &path, &format!("{field} must be {wanted}, but is {is}"), purpose(&path));
    }
    let advice = REFUSALS.iter().find(|(refusal, _)| *refusal == told).map(|(_, advice)| *advice);
    problem(kind, &path, &format!("{field} {told}"), advice)
}

/// The words of the error, without line and column: the path names the field.
fn without_place(error: &serde_json::Error) -> String {
    let mut text = error.to_string();
    if let Some(at) = text.rfind(" at line ") {
        text.truncate(at);
    }
    text
}

/// The value that was found, and the expected one. The former may hold any text, so the latter begins
/// at the last separator.
fn split(text: &str) -> (&str, &str) {
    let at = ["`, expected ", "`, there are no ", ", expected "]
        .iter()
        .filter_map(|separator| text.rfind(separator).map(|at| at + usize::from(separator.starts_with('`'))))
        .max();
    at.map_or((text, ""), |at| text.split_at(at))
}

fn in_ticks<'a>(text: &'a str, before: &str) -> Option<&'a str> {
    text.strip_prefix(before)?.strip_prefix('`')?.strip_suffix('`')
}

/// The names that an error lists.
fn names(expected: &str) -> impl Iterator<Item = &str> {
    expected.split('`').skip(1).step_by(2)
}

/// The name that was probably meant, or all known names.
fn suggestion(name: &str, known: &[&str]) -> String {
    let of_others = MEANT.iter().find(|(others, meant, _)| others.contains(&name) && known.contains(meant));
    if let Some((_, _, words)) = of_others {
        return (*words).to_owned();
    }
    let plain = |text: &str| text.to_lowercase().replace('_', "");
    let longest = known.iter().map(|known| known.len()).max().unwrap_or_default();
    // A longer name resembles none of them, and comparing it would only take time.
    let nearest = (name.len() <= longest + 2)
        .then(|| known.iter().min_by_key(|known| levenshtein(&plain(name), &plain(known))))
        .flatten()
        .filter(|known| levenshtein(&plain(name), &plain(known)) <= known.len().div_ceil(3));
    match nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None if known.is_empty() => "leave it out".to_owned(),
        None => {
            let known: Vec<_> = known.iter().map(|known| format!("`{known}`")).collect();
            format!("the known ones are {}", known.join(", "))
        }
    }
}

/// The type that serde expected, in the words of JSON.
fn wanted(expected: &str, may_be_empty: bool) -> &str {
    match expected.trim_start_matches(", expected ") {
        "a string" | "string" if may_be_empty => "a string",
        "a string" | "string" => "a non-empty string",
        "a sequence" => "an array",
        "a boolean" => "true or false",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number of at least 0",
        "i32" | "i64" => "a whole number",
        "f64" => "a number",
        "a map" | "map" | "string or map" => "an object",
        structure if structure.starts_with("struct ") => "an object",
        other => other,
    }
}

/// The kind of value that was found, without the value, which may be a secret in the wrong place.
fn kind_of(found: &str) -> &'static str {
    match found.split([' ', ',']).next().unwrap_or_default() {
        "string" if found == "string \"\"" => "empty",
        "string" | "character" => "a string",
        "integer" | "floating" | "number" => "a number",
        "boolean" => "a boolean",
        "null" | "unit" | "Option" => "null",
        "sequence" => "an array",
        "map" | "struct" | "newtype" => "an object",
        _ => "something else",
    }
}

/// The expected type, without the value that was found, which may be a secret in the wrong place. The
/// name of an unknown field or variant is quoted.
pub fn without_value(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let (found, expected) = split(&text);
    if found.starts_with("invalid type: ") || found.starts_with("invalid value: ") {
        return expected.trim_start_matches([',', ' ']).to_owned();
    }
    for kind in ["unknown field ", "unknown variant "] {
        if let Some(name) = in_ticks(found, kind) {
            return format!("{kind}`{}`{expected}", quoted(name));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CreateSession, ProxyRequest};

    fn problem<T: DeserializeOwned>(text: &str) -> String {
        let error = read_json::<T>(text.as_bytes()).err();
        error.and_then(|error| error.body().errors.first().cloned()).unwrap_or_default()
    }

    #[test]
    fn reading_stops_at_one_parameter_too_many() {
        let entry = r#"{"name":"x","value":"1","type":"header"},"#;
        let text = |count: usize, rest: &str| {
            format!(r#"{{"endpoint":"/","method":"GET","parameters":[{}{rest}"#, entry.repeat(count))
        };
        // The text that follows is not JSON, and is not read.
        let error = read_json::<ProxyRequest>(text(201, "!").as_bytes()).unwrap_err();
        assert_eq!(
            error.body().errors,
            ["`parameters` has more than 200 entries; the limits are 100 headers and 100 query parameters: \
              send fewer, or put the values into the body."]
        );
        let last = format!("{}]}}", entry.trim_end_matches(','));
        assert_eq!(read_json::<ProxyRequest>(text(199, &last).as_bytes()).unwrap().parameters.len(), 200);
    }

    #[test]
    fn an_error_names_the_field_and_the_advice() {
        let parameter =
            |parameter: &str| format!(r#"{{"endpoint":"/","method":"GET","parameters":[{parameter}]}}"#);
        for (text, says) in [
            ("[]", "The request must be an object, but is an array."),
            ("5", "The request must be an object, but is a number."),
            ("null", "The request must be an object, but is null."),
            (
                r#"{"method":"GET"}"#,
                "`endpoint` is missing: give a path such as /user, or an absolute URL on one of the hosts of the toolkit.",
            ),
            (
                r#"{"endpoint":"/"}"#,
                "`method` is missing: use 'GET' or 'POST' or 'PUT' or 'PATCH' or 'DELETE' or 'HEAD' or 'OPTIONS' or 'QUERY' or 'PROPFIND' or 'PROPPATCH' or 'MKCOL' or 'COPY' or 'MOVE' or 'LOCK' or 'UNLOCK' or 'REPORT' or 'SEARCH'.",
            ),
            (
                r#"{"endpoint":5,"method":"GET"}"#,
                "`endpoint` must be a non-empty string, but is a number: give a path such as /user, or an absolute URL on one of the hosts of the toolkit.",
            ),
            (
                r#"{"endpoint":{},"method":"GET"}"#,
                "`endpoint` must be a non-empty string, but is an object: give a path such as /user, or an absolute URL on one of the hosts of the toolkit.",
            ),
            (
                r#"{"endpoint":"/","method":"get"}"#,
                "`method` must be in upper case: write 'GET' instead of 'get'.",
            ),
            (
                r#"{"endpoint":"/","method":"FETCH"}"#,
                "`method` cannot be 'FETCH': use 'GET' or 'POST' or 'PUT' or 'PATCH' or 'DELETE' or 'HEAD' or 'OPTIONS' or 'QUERY' or 'PROPFIND' or 'PROPPATCH' or 'MKCOL' or 'COPY' or 'MOVE' or 'LOCK' or 'UNLOCK' or 'REPORT' or 'SEARCH'.",
            ),
            (r#"{"endpoint":"/","methd":"GET"}"#, "Unknown key `methd`: did you mean `method`?"),
            (
                r#"{"endpoint":"/","method":"GET","headers":{}}"#,
                "Unknown key `headers`: a header is one of `parameters`, with `in: 'header'`.",
            ),
            (r#"{"endpoint":"/","method":"GET","json":{}}"#, "Unknown key `json`: did you mean `body`?"),
            (
                r#"{"endpoint":"/","endpoint":"/","method":"GET"}"#,
                "`endpoint` appears twice: leave one of them out.",
            ),
            (
                r#"{"endpoint":"/","method":"GET","parameters":{}}"#,
                "`parameters` must be an array, but is an object.",
            ),
            (&parameter("5"), "`parameters[0]` must be an object, but is a number."),
            (
                &parameter(r#"{"name":"a","value":true,"type":"query"}"#),
                "`parameters[0].value` must be a string, but is a boolean.",
            ),
            (
                &parameter(r#"{"name":null,"value":"","type":"query"}"#),
                "`parameters[0].name` must be a non-empty string, but is null.",
            ),
            (
                &parameter(r#"{"name":"a","value":"","type":"body"}"#),
                "`parameters[0].type` cannot be 'body': use 'header' or 'query'.",
            ),
            (
                &parameter(r#"{"name":"a","valeu":"","type":"query"}"#),
                "Unknown key `parameters[0].valeu`: did you mean `value`?",
            ),
            (&parameter(r#"{"name":"a","value":""}"#), "`parameters[0].type` is missing."),
            (
                r#"{"endpoint":"/","method":"GET","binary_body":{"size":-1}}"#,
                "`binary_body.size` must be a whole number of at least 0, but is a number.",
            ),
        ] {
            assert_eq!(problem::<ProxyRequest>(text), says, "{text}");
        }
        for (text, says) in [
            ("{}", "`user_id` is missing: give your own id of the user that the calls are made for."),
            (
                r#"{"user_id":5}"#,
                "`user_id` must be a non-empty string, but is a number: give your own id of the user that the calls are made for.",
            ),
            (r#"{"user":"u"}"#, "Unknown key `user`: did you mean `user_id`?"),
            (r#"{"user_id":"u","toolkit":[]}"#, "Unknown key `toolkit`: did you mean `toolkits`?"),
            (
                r#"{"user_id":"u","toolkits":5}"#,
                "`toolkits` must be an array of names, { enable: […] } or { disable: […] }, but is a number.",
            ),
            (
                r#"{"user_id":"u","toolkits":"github"}"#,
                "`toolkits` must be an array of names, { enable: […] } or { disable: […] }, but is a string.",
            ),
            (r#"{"user_id":"u","toolkits":{}}"#, "`toolkits` must have either `enable` or `disable`."),
            (
                r#"{"user_id":"u","toolkits":{"enable":[],"disable":[]}}"#,
                "`toolkits` must have either `enable` or `disable`.",
            ),
            (
                r#"{"user_id":"u","toolkits":{"enable":"github"}}"#,
                "`toolkits.enable` must be an array, but is a string.",
            ),
            (
                r#"{"user_id":"u","toolkits":{"enable":[5]}}"#,
                "`toolkits.enable[0]` must be a non-empty string, but is a number.",
            ),
            (
                r#"{"user_id":"u","toolkits":[5]}"#,
                "`toolkits[0]` must be a non-empty string, but is a number.",
            ),
            (
                r#"{"user_id":"u","toolkits":{"enabel":[]}}"#,
                "Unknown key `toolkits.enabel`: did you mean `enable`?",
            ),
            (
                r#"{"user_id":"u","connected_accounts":{"github":5}}"#,
                "`connected_accounts.github` must be an array, but is a number.",
            ),
            (
                r#"{"user_id":"u","connected_accounts":[]}"#,
                "`connected_accounts` must be an object, but is an array.",
            ),
            (
                r#"{"user_id":"u","auth_configs":{"github":5}}"#,
                "`auth_configs.github` must be a non-empty string, but is a number.",
            ),
            (
                r#"{"toolkits":5,"user_id":"u"}"#,
                "`toolkits` must be an array of names, { enable: […] } or { disable: […] }, but is a number.",
            ),
        ] {
            assert_eq!(problem::<CreateSession>(text), says, "{text}");
        }
    }

    #[test]
    fn a_list_of_toolkits_is_short_for_enable() {
        let read = |text: &str| read_json::<CreateSession>(text.as_bytes()).unwrap().config.toolkits;
        let enabled = read(r#"{"user_id":"u","toolkits":["github"]}"#);
        assert!(enabled.is_some());
        assert_eq!(enabled, read(r#"{"user_id":"u","toolkits":{"enable":["github"]}}"#));
        assert_eq!(enabled, read(r#"{"toolkits":{"enabled":["github"]},"user_id":"u"}"#));
    }

    #[test]
    fn the_advice_stands_apart_from_the_fact() {
        let error = read_json::<ProxyRequest>(br#"{"method":"GET"}"#).map(drop).unwrap_err();
        assert_eq!(error.body().message, "`endpoint` is missing.");
        assert!(error.body().suggested_fix.as_deref().is_some_and(|fix| fix.starts_with("Give a path ")));
        let error = read_json::<ProxyRequest>(br#"{"methd":"GET"}"#).map(drop).unwrap_err();
        assert_eq!(error.body().suggested_fix.as_deref(), Some("Did you mean `method`?"));
    }

    #[test]
    fn an_unknown_name_is_quoted_up_to_80_characters() {
        let long = "x`, expected y\n".repeat(1 << 16);
        let text = |field: &str, method: &str| {
            serde_json::json!({ "endpoint": "/", "method": method, field: 1 }).to_string()
        };
        for (told, begins) in [
            (problem::<ProxyRequest>(&text(&long, "GET")), "Unknown key `x`, expected y\\nx`"),
            (problem::<ProxyRequest>(&text("body", &long)), "`method` cannot be 'x`, expected y\\nx`"),
            (
                problem::<ProxyRequest>(&text("body", "\u{202e}TEG")),
                "`method` cannot be '\\u{202e}TEG': use 'GET'",
            ),
        ] {
            assert!(told.starts_with(begins), "{told}");
            assert!(told.len() < 500 && !told.contains('\n'), "{told}");
        }

        let keys = serde_json::json!({ "user_id": "u", "connected_accounts": { &long: 1 } });
        let told = problem::<CreateSession>(&keys.to_string());
        assert!(told.len() < 500 && !told.contains('\n'), "{told}");
    }

    #[test]
    fn an_error_does_not_show_the_value() {
        for value in ["canary", "canary, expected canary", "x`, expected canary", "x`, there are no canary"] {
            let text = serde_json::json!({ "endpoint": "/", "method": "GET", "parameters": value });
            let told = problem::<ProxyRequest>(&text.to_string());
            assert!(told.contains("must be an array, but is a string") && !told.contains("canary"), "{told}");
        }
    }

    #[test]
    fn an_error_about_broken_json_names_the_line() {
        let told = problem::<ProxyRequest>("{\"endpoint\": \n");
        assert!(told.contains("line 2"), "{told}");
    }

    #[test]
    fn a_body_keeps_its_own_text() {
        let text = r#"{"endpoint":"/","method":"POST","body": {"z":1, "a":12345678901234567890} }"#;
        let request: ProxyRequest = read_json(text.as_bytes()).unwrap();
        assert_eq!(request.body.unwrap().get(), r#"{"z":1, "a":12345678901234567890}"#);
    }
}
