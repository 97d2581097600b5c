//! The gateway's errors in the words of the command line: options instead of fields, commands instead of calls.

use proxy_execute_protocol::{Advice, Error, ErrorCode, ErrorKind};
use serde_json::{Map, Value, json};

use crate::arguments::Given;
use crate::table::{PROGRAM, option_of_field};

/// The message of an error with its advice, and its fields for a machine.
pub(crate) fn in_words(error: &Error, given: &Given) -> (String, Map<String, Value>) {
    let body = error.body();
    let fact = error.field().map_or_else(|| body.message.clone(), |field| in_options(&body.message, field));
    let fix = advised(error, given);
    let message = fix.iter().fold(fact, |fact, fix| format!("{fact} {fix}"));
    let code = body.code.as_ref().map(|code| match code {
        ErrorCode::Number(number) => json!(number),
        ErrorCode::Name(name) => json!(name),
    });
    let fields = [
        ("status", error.status().map(|status| json!(status))),
        ("code", code),
        ("slug", body.slug.as_ref().map(|slug| json!(slug))),
        ("requestId", body.request_id.as_ref().map(|id| json!(id))),
        ("suggestedFix", fix.map(|fix| json!(fix))),
    ];
    let fields = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    (message, fields.collect())
}

/// The advice about an error. That of the gateway is for a program, so some has other words here.
fn advised(error: &Error, given: &Given) -> Option<String> {
    match error.advice() {
        Some(Advice::EnableAccount(id)) => {
            return Some(format!("Enable it with: {PROGRAM} accounts enable {id}"));
        }
        Some(Advice::ListenElsewhere) if error.field() != Some("metrics") => {
            return Some("Choose another --host or --port; port 0 takes a free port.".to_owned());
        }
        _ => {}
    }
    match error.kind() {
        ErrorKind::AccountNotFound => Some(format!("List the accounts with: {PROGRAM} accounts list")),
        ErrorKind::AuthConfigNotFound => {
            Some(format!("List the auth configs with: {PROGRAM} auth-configs list"))
        }
        ErrorKind::NotFound if given.command.starts_with("keys ") => {
            Some(format!("List the keys with: {PROGRAM} keys list"))
        }
        _ => error
            .body()
            .suggested_fix
            .as_ref()
            .map(|fix| fix.replace("npx proxy-execute ", &format!("{PROGRAM} "))),
    }
}

/// A sentence with the option instead of the field.
fn in_options(sentence: &str, field: &str) -> String {
    let Some(option) = option_of(field) else { return sentence.to_owned() };
    // Words such as `The encryption key` go on without the colon.
    let before = if option.starts_with(|first: char| !first.is_alphanumeric()) {
        field.to_owned()
    } else {
        format!("{field}:")
    };
    let names = [format!("`{field}`"), before, field.to_owned()];
    match names.iter().find(|name| sentence.contains(name.as_str())) {
        Some(name) => sentence.replacen(name.as_str(), &option, 1),
        None => sentence.to_owned(),
    }
}

/// The option of a field, or of the field that it is in.
fn option_of(field: &str) -> Option<String> {
    let end = field.find(|char: char| !char.is_alphanumeric() && char != '_').unwrap_or(field.len());
    let (outer, inner) = field.split_at(end);
    if outer == "permissions" {
        let area = inner.get(1..).unwrap_or_default();
        return Some(format!("{} {area}", option_of_field(outer)?).trim_end().to_owned());
    }
    // The index of an entry is nothing that the command line has.
    let index = inner.rfind('[').filter(|_| inner.ends_with(']')).unwrap_or(inner.len());
    let inside = format!("{outer}{}", &inner[..index]);
    option_of_field(&inside).or_else(|| option_of_field(outer)).map(str::to_owned)
}
