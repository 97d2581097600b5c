//! The output of commands: results to standard output, notes to standard error.

use std::env;
use std::io::{self, IsTerminal, Write};

use serde_json::{Map, Value, json};

use crate::arguments::Given;
use crate::failure::Failure;
use crate::words::in_words;

/// A way to show a text on a terminal, by its code of ECMA-48.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Style {
    Bold = 1,
    Dim = 2,
    Red = 31,
    Yellow = 33,
}

#[derive(Debug)]
pub(crate) struct Terminal {
    /// Whether results are for machines.
    pub(crate) json: bool,
}

impl Terminal {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints a result: as JSON if `--json` is set, else as these lines.
    pub(crate) fn result(&self, value: &Value, lines: impl FnOnce() -> Vec<String>) -> Result<(), Failure> {
        self.print(&if self.json { value.to_string() } else { lines().join("\n") })
    }

    /// Prints a text to standard output.
    pub(crate) fn print(&self, text: &str) -> Result<(), Failure> {
        let mut output = io::stdout().lock();
        // In one piece, for a reader that acts on the first piece.
        let written = output.write_all(format!("{text}\n").as_bytes()).and_then(|()| output.flush());
        written.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::Unread,
            _ => Failure::System(format!("The output cannot be written: {error}.")),
        })
    }

    /// Prints a note for the user, apart from the result.
    pub(crate) fn note(&self, line: &str) {
        // Nothing else could tell the user that standard error is closed.
        _ = writeln!(io::stderr(), "{line}");
    }

    /// The same, as a warning.
    pub(crate) fn warn(&self, line: &str) {
        self.note(&format!("{} {line}", styled(Style::Yellow, "warning:", &io::stderr())));
    }

    /// Prints why a command failed. A user gets the message, which says what to do. A machine gets all fields.
    pub(crate) fn fail(&self, failure: &Failure, given: Option<&Given>) {
        let (message, fields) = match (failure, given) {
            (Failure::Gateway(error), Some(given)) => in_words(error, given),
            (Failure::Gateway(error), None) => (error.to_string(), Map::new()),
            (Failure::Usage(message) | Failure::System(message), _) => (message.clone(), Map::new()),
            (Failure::Unread, _) => return,
        };
        if !self.json {
            self.note(&format!("{} {message}", styled(Style::Red, "error:", &io::stderr())));
            return;
        }
        let mut error = Map::from_iter([("message".to_owned(), json!(message))]);
        error.extend(fields);
        self.note(&json!({ "error": error }).to_string());
    }
}

/// Text in a style for standard output, if it shows styles.
pub(crate) fn shown(style: Style, text: &str) -> String {
    styled(style, text, &io::stdout())
}

fn styled(style: Style, text: &str, stream: &impl IsTerminal) -> String {
    let is = |name: &str, plain: &str| env::var(name).is_ok_and(|value| value == plain);
    let has_colours = stream.is_terminal()
        && env::var("NO_COLOR").map_or(true, |value| value.is_empty())
        && !is("TERM", "dumb");
    if has_colours { format!("\u{1b}[{}m{text}\u{1b}[0m", style as u8) } else { text.to_owned() }
}

/// Rows with aligned columns, below their names.
pub(crate) fn table<const COLUMNS: usize>(
    names: [&str; COLUMNS],
    rows: Vec<[String; COLUMNS]>,
) -> Vec<String> {
    let rows: Vec<[String; COLUMNS]> = std::iter::once(names.map(str::to_owned))
        .chain(rows)
        .map(|row| row.map(|cell| if cell.is_empty() { "-".to_owned() } else { printable(&cell) }))
        .collect();
    let width = |text: &str| text.encode_utf16().count();
    let widths: [usize; COLUMNS] =
        std::array::from_fn(|column| rows.iter().map(|row| width(&row[column])).max().unwrap_or_default());
    let line = |row: &[String; COLUMNS]| {
        let cells = row.iter().zip(widths).map(|(cell, all)| {
            let padding = all - width(cell);
            format!("{cell}{:padding$}", "")
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    lines[0] = shown(Style::Dim, &lines[0]);
    lines
}

/// Names and paths come from elsewhere: they must not steer the terminal.
fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}
