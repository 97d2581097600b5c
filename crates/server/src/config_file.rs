//! The configuration file of the command: its options as TOML, and secrets by reference.
//!
//! The file is read here for both programs. They know the options, and check the values as they check those of
//! a command line.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::{env, io};

use proxy_execute_protocol::{Error, ErrorKind, Result, quoted};
use serde::Serialize;
use toml::{Table, Value};

/// Upper limit for a configuration file, and for a file that an option refers to.
const LONGEST_FILE: u64 = 256 * 1024;

/// The value of an option in the file.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ConfigValue {
    /// Whether a flag is set.
    Flag(bool),
    /// The values of an option, as a command line has them; one, unless the option may be repeated.
    Texts(Vec<String>),
}

/// Reads a configuration file. No value is checked, beyond its form.
///
/// A value is a text, a whole number, a list of texts, `true` or `false`. `{ file = "…" }` is the text in a
/// file, whose path is relative to the configuration file, and `{ variable = "…" }` that of an environment
/// variable.
///
/// # Errors
/// `InvalidOption`, which names the file and the option, and shows no value.
pub fn read_config(path: &Path) -> Result<BTreeMap<String, ConfigValue>> {
    let text = read_text(path).map_err(|fact| unusable(path, None, &fact))?;
    let table: Table = text.parse().map_err(|error| unusable(path, None, &syntax(&text, &error)))?;
    table
        .into_iter()
        .map(|(name, value)| match read_value(path, value) {
            Ok(value) => Ok((name, value)),
            Err(fact) => Err(unusable(path, Some(&name), &fact)),
        })
        .collect()
}

fn read_value(path: &Path, value: Value) -> Result<ConfigValue, String> {
    Ok(match value {
        Value::Boolean(is_set) => ConfigValue::Flag(is_set),
        Value::Array(values) => ConfigValue::Texts(
            values.into_iter().map(|value| read_one(path, value)).collect::<Result<_, _>>()?,
        ),
        value => ConfigValue::Texts(vec![read_one(path, value)?]),
    })
}

fn read_one(path: &Path, value: Value) -> Result<String, String> {
    let text = match value {
        Value::String(text) => text,
        Value::Integer(number) => number.to_string(),
        Value::Table(reference) => refer(path, &reference)?,
        _ => return Err("is a text, a whole number, a list of texts, true or false".to_owned()),
    };
    if text.is_empty() { Err("is empty".to_owned()) } else { Ok(text) }
}

/// Returns the text that a reference leads to, without the white space around it.
fn refer(path: &Path, reference: &Table) -> Result<String, String> {
    let mut parts = reference.iter();
    let text = match (parts.next(), parts.next()) {
        (Some((kind, Value::String(file))), None) if kind == "file" => {
            let file = path.parent().unwrap_or(Path::new("")).join(file);
            read_text(&file).map_err(|fact| format!("refers to {}, which {fact}", file.display()))?
        }
        (Some((kind, Value::String(variable))), None) if kind == "variable" => env::var(variable)
            .map_err(|_| format!("refers to the variable {}, which is not set", quoted(variable)))?,
        _ => return Err("is written { file = \"…\" } or { variable = \"…\" } to refer to a value".to_owned()),
    };
    Ok(text.trim().to_owned())
}

/// Reads a file that is not too long. The error says what is wrong with it.
fn read_text(path: &Path) -> Result<String, String> {
    let unreadable = |error: io::Error| format!("cannot be read ({error})");
    let file = File::open(path).map_err(unreadable)?;
    // Reading from a device or a pipe may never end.
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err("is no file".to_owned());
    }
    let mut bytes = Vec::new();
    file.take(LONGEST_FILE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LONGEST_FILE {
        return Err(format!("has more than {LONGEST_FILE} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())
}

/// Returns what is wrong with the TOML, and in which line. The library's own text would show the line.
fn syntax(text: &str, error: &toml::de::Error) -> String {
    let line = error
        .span()
        .map(|span| text.as_bytes()[..span.start.min(text.len())].split(|byte| *byte == b'\n').count());
    let line = line.map(|line| format!(" in line {line}")).unwrap_or_default();
    format!("is not valid TOML{line}: {}", error.message())
}

fn unusable(path: &Path, option: Option<&str>, fact: &str) -> Error {
    let option = option.map(|option| format!("{} ", quoted(option))).unwrap_or_default();
    let place = path.display();
    let place = if option.is_empty() { format!("{place} ") } else { format!("{place}: ") };
    Error::new(ErrorKind::InvalidOption, format!("{place}{option}{fact}.")).about("config")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<BTreeMap<String, ConfigValue>> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "  from a file\n").unwrap();
        let path = folder.path().join("gateway.toml");
        std::fs::write(&path, text).unwrap();
        read_config(&path)
    }

    #[test]
    fn each_kind_of_value_becomes_what_a_command_line_has() {
        let read = read(
            "store = 'gateway.db'\nport = 80\nno-mcp = true\nother = false\ntoolkit = ['a', 'b']\n\
             key = { file = 'secret' }\npath = { variable = 'PATH' }\nnone = []\n",
        )
        .unwrap();
        let texts = |texts: &[&str]| ConfigValue::Texts(texts.iter().map(ToString::to_string).collect());
        assert_eq!(read["store"], texts(&["gateway.db"]));
        assert_eq!(read["port"], texts(&["80"]));
        assert_eq!((&read["no-mcp"], &read["other"]), (&ConfigValue::Flag(true), &ConfigValue::Flag(false)));
        assert_eq!(read["toolkit"], texts(&["a", "b"]));
        assert_eq!(read["key"], texts(&["from a file"]));
        assert_eq!(read["path"], texts(&[std::env::var("PATH").unwrap().trim()]));
        assert_eq!(read["none"], texts(&[]));
    }

    #[test]
    fn an_error_names_the_option_or_the_line_and_shows_no_value() {
        for (text, expected) in [
            ("store = 'a'\nkey = canary\n", "is not valid TOML in line 2"),
            ("a = 'canary'\na = 'canary'\n", "in line 2"),
            ("key = { file = 'missing' }", "key refers to"),
            ("key = { variable = 'PROXY_EXECUTE_NO_SUCH' }", "PROXY_EXECUTE_NO_SUCH, which is not set"),
            ("key = { canary = 'canary' }", "key is written { file"),
            ("key = { file = 'secret', variable = 'PATH' }", "key is written { file"),
            ("key = ''", "key is empty"),
            ("key = 1.5", "key is a text"),
            ("key = [['canary']]", "key is a text"),
        ] {
            let error = read(text).unwrap_err();
            let message = &error.body().message;
            assert!(message.contains(expected), "{message}");
            assert!(message.contains("gateway.toml") && !message.contains("canary"), "{message}");
        }
    }

    #[test]
    fn no_file_is_read_without_a_limit() {
        let error = read(&"# long\n".repeat(40_000)).unwrap_err().to_string();
        assert!(error.contains("has more than 262144 bytes"), "{error}");
        let error = read_config(Path::new("/")).unwrap_err().to_string();
        assert!(error.contains("is no file"), "{error}");
        let error = read_config(Path::new("/nonexistent.toml")).unwrap_err().to_string();
        assert!(error.contains("/nonexistent.toml cannot be read"), "{error}");
    }
}
