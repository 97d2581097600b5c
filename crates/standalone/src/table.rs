//! The table of commands, which `npm run types` writes from `lib/cli`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// The name of the program, as it is typed.
pub(crate) const PROGRAM: &str = "proxy-execute-gateway";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// The help of the program.
    help: String,
    /// The help of the commands that share their first word.
    groups: BTreeMap<String, String>,
    /// The options of every command.
    globals: Vec<Opt>,
    commands: Vec<Command>,
    /// The names of an error's fields on the command line.
    fields: BTreeMap<String, String>,
}

/// A command.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Command {
    /// One word, or two as in `keys create`.
    pub(crate) name: String,
    /// Its parameters without a name, in order; a parameter in brackets is optional.
    pub(crate) parameters: Vec<String>,
    /// Its options, beside those of every command.
    pub(crate) options: Vec<Opt>,
    pub(crate) help: String,
}

/// An option.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Opt {
    /// Its name, which is written with two hyphens.
    pub(crate) name: String,
    /// The placeholder of its value; an option without one is a flag.
    pub(crate) value: Option<String>,
    /// Whether its value is a whole number.
    #[serde(default)]
    pub(crate) whole: bool,
    /// The limits for the number.
    #[serde(default)]
    pub(crate) least: u64,
    pub(crate) most: Option<u64>,
    /// The factor to the unit of the gateway.
    pub(crate) unit: Option<u64>,
    /// The option of the gateway that has the number.
    pub(crate) sets: Option<String>,
    /// Whether it may be repeated.
    #[serde(default)]
    pub(crate) many: bool,
    #[serde(default)]
    pub(crate) required: bool,
    /// Whether its value is a path, which in a configuration file is relative to that file.
    #[serde(default)]
    pub(crate) path: bool,
    /// Whether it belongs to one run of a command, so that no configuration file has it.
    #[serde(default, rename = "oneRun")]
    pub(crate) one_run: bool,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    serde_json::from_str(include_str!("commands.json")).expect("`npm run types` writes the table")
});

/// The help of the program.
pub(crate) fn help() -> &'static str {
    &TABLE.help
}

/// The help of the commands that share their first word.
pub(crate) fn help_of_group(first: &str) -> Option<&'static str> {
    TABLE.groups.get(first).map(String::as_str)
}

/// The options of every command.
pub(crate) fn globals() -> &'static [Opt] {
    &TABLE.globals
}

/// The commands.
pub(crate) fn commands() -> &'static [Command] {
    &TABLE.commands
}

/// The options that a configuration file may have: those of `serve` and of every command.
pub(crate) fn of_config_file() -> impl Iterator<Item = &'static Opt> {
    let serve = commands().iter().filter(|command| command.name == "serve");
    let options = globals().iter().chain(serve.flat_map(|command| &command.options));
    options.filter(|option| !option.one_run)
}

/// The name of an error's field on the command line.
pub(crate) fn option_of_field(field: &str) -> Option<&'static str> {
    TABLE.fields.get(field).map(String::as_str)
}
