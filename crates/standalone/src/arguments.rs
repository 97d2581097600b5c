//! The arguments of the command line: the command that is meant, and its values.
//!
//! A message names options, but shows no value: it may be a secret that was put into the wrong place.

use std::collections::BTreeMap;

use lexopt::{Arg, Parser};
use proxy_execute_protocol::quoted;

use crate::failure::Failure;
use crate::table::{self, Command, Opt, PROGRAM};

/// The largest number that the options of `lib/` can hold without rounding.
const LARGEST: u64 = (1 << 53) - 1;

/// The meaning of a command line.
#[derive(Debug)]
pub(crate) enum CommandLine {
    Version,
    Help(&'static str),
    Command(Given),
    /// There is no command.
    Nothing,
}

/// The arguments of a command.
#[derive(Debug, Default)]
pub(crate) struct Given {
    /// The command's name.
    pub(crate) command: String,
    /// The values without a name, in order.
    pub(crate) parameters: Vec<String>,
    options: Vec<&'static Opt>,
    /// The values of the command line.
    values: BTreeMap<&'static str, Vec<String>>,
    /// The values of the configuration file.
    config: BTreeMap<&'static str, Vec<String>>,
}

impl Given {
    /// The value of an option.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.texts(name).first().map(String::as_str)
    }

    /// The values of an option that may be repeated.
    pub(crate) fn texts(&self, name: &str) -> &[String] {
        debug_assert!(self.options.iter().any(|option| option.name == name), "--{name} is in the table");
        self.values.get(name).or_else(|| self.config.get(name)).map_or(&[], Vec::as_slice)
    }

    /// The values of an option whose values are paths in this command.
    pub(crate) fn paths(&self, name: &str) -> &[String] {
        let takes_paths = self.options.iter().any(|option| option.name == name && option.path);
        if takes_paths { self.texts(name) } else { &[] }
    }

    /// Adds the options of a configuration file to those of the command line.
    pub(crate) fn complete(mut self, config: BTreeMap<&'static str, Vec<String>>) -> Result<Self, Failure> {
        self.config = config;
        self.config
            .retain(|name, _| self.options.iter().any(|option| option.name == *name && !option.one_run));
        match self.options.iter().find(|option| option.required && self.texts(&option.name).is_empty()) {
            Some(option) => Err(Failure::Usage(format!("--{} is missing.", option.name))),
            None => Ok(self),
        }
    }

    /// Whether the command line itself has an option.
    pub(crate) fn is_written(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// The value of an option that is a whole number, in its unit.
    pub(crate) fn whole(&self, name: &str) -> Option<u64> {
        let unit = self.options.iter().find(|option| option.name == name)?.unit.unwrap_or(1);
        Some(number(self.text(name)?) * unit)
    }

    /// Whether a flag is there.
    pub(crate) fn flag(&self, name: &str) -> bool {
        !self.texts(name).is_empty()
    }

    /// The options that only set a number of the gateway, with the numbers that were given.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.options.iter().filter_map(|option| Some((option.sets.as_deref()?, self.whole(&option.name)?)))
    }
}

/// Reads a command line.
pub(crate) fn read(args: &[String]) -> Result<CommandLine, Failure> {
    let (words, rest) = split(args);
    let has = |names: &[&str]| rest.iter().any(|arg| names.contains(&arg.as_str()));
    match words.as_slice() {
        [] if has(&["--version"]) => Ok(CommandLine::Version),
        ["help", of @ ..] => help_on(of).map(CommandLine::Help),
        of if has(&["--help", "-h"]) => help_on(of).map(CommandLine::Help),
        // An unknown option is reported first.
        [] => parse("", &[], &[], rest).map(|_| CommandLine::Nothing),
        words => {
            let command = find(words)?;
            let parameters = &words[command.name.split(' ').count()..];
            let args = parameters.iter().map(|word| (*word).to_owned()).chain(rest).collect();
            parse(&command.name, &command.parameters, &command.options, args).map(CommandLine::Command)
        }
    }
}

/// The leading words, of which the first ones are the command, and the rest. Global options may be among them.
fn split(args: &[String]) -> (Vec<&str>, Vec<String>) {
    let (mut words, mut rest) = (Vec::new(), Vec::new());
    let mut args = args.iter();
    while let Some(arg) = args.as_slice().first() {
        let name = arg.get(2..).unwrap_or_default();
        let (name, has_value) = name.split_once('=').map_or((name, false), |(name, _)| (name, true));
        let global = table::globals().iter().find(|option| option.name == name);
        if !arg.starts_with('-') {
            words.push(arg.as_str());
        } else if !words.is_empty() && global.is_none() {
            break;
        } else {
            rest.push(arg.clone());
            if global.is_some_and(|option| option.value.is_some()) && !has_value {
                args.next();
                rest.extend(args.as_slice().first().cloned());
            }
        }
        args.next();
    }
    rest.extend(args.cloned());
    (words, rest)
}

/// Help on the program, on commands that share their first word, or on one.
fn help_on(words: &[&str]) -> Result<&'static str, Failure> {
    let group = if let [first] = words { table::help_of_group(first) } else { None };
    match (words, group) {
        ([], _) => Ok(table::help()),
        (_, Some(help)) => Ok(help),
        (words, None) => Ok(&find(words)?.help),
    }
}

fn find(words: &[&str]) -> Result<&'static Command, Failure> {
    let first = words.first().copied().unwrap_or_default();
    let second = words.get(1).copied();
    let both = format!("{first} {}", second.unwrap_or_default());
    let commands = table::commands();
    if let Some(command) = commands.iter().find(|command| command.name == first || command.name == both) {
        return Ok(command);
    }
    let in_group = |command: &'static Command| command.name.strip_prefix(first)?.strip_prefix(' ');
    let group: Vec<&str> = commands.iter().filter_map(in_group).collect();
    if !group.is_empty() {
        let hint = match second {
            None => format!("the known ones are {}.", group.join(", ")),
            Some(second) => suggest(second, &group),
        };
        return Err(Failure::Usage(format!("`{first}` needs a second word: {hint}")));
    }
    let mut names: Vec<&str> =
        commands.iter().map(|command| command.name.split(' ').next().unwrap_or_default()).collect();
    names.dedup();
    Err(Failure::Usage(format!(
        "There is no command `{}`: {} See {PROGRAM} --help.",
        quoted(first),
        suggest(first, &names)
    )))
}

/// Reads the arguments of a command.
fn parse(
    command: &str,
    parameters: &[String],
    options: &'static [Opt],
    args: Vec<String>,
) -> Result<Given, Failure> {
    // An option of the command may take the place of a global one.
    let of_command = |global: &&Opt| options.iter().any(|option| option.name == global.name);
    let globals = table::globals().iter().filter(|global| !of_command(global));
    let options: Vec<&Opt> = globals.chain(options).collect();
    let mut given = Given { command: command.to_owned(), options, ..Given::default() };
    let mut parser = Parser::from_args(args);
    while let Some(arg) = parser.next().map_err(|error| Failure::Usage(format!("{error}.")))? {
        let (name, shown) = match arg {
            Arg::Value(value) => {
                given.parameters.push(value.to_string_lossy().into_owned());
                continue;
            }
            Arg::Long(name) => (name.to_owned(), format!("--{name}")),
            Arg::Short(letter) => (letter.to_string(), format!("-{letter}")),
        };
        let Some(option) = given.options.iter().find(|option| option.name == name) else {
            let known: Vec<String> =
                given.options.iter().map(|option| format!("--{}", option.name)).collect();
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            let hint = suggest(&format!("--{name}"), &known);
            return Err(Failure::Usage(format!("There is no option {}: {hint}", quoted(&shown))));
        };
        let value = read_value(&shown, option, &mut parser)?;
        let values = given.values.entry(&option.name).or_default();
        values.push(value);
        if !option.many && values.len() > 1 {
            return Err(Failure::Usage(format!("{shown} appears twice.")));
        }
    }
    check_parameters(command, parameters, &given.parameters)?;
    Ok(given)
}

fn read_value(shown: &str, option: &Opt, parser: &mut Parser) -> Result<String, Failure> {
    let inline = parser.optional_value().map(|value| value.to_string_lossy().into_owned());
    let Some(placeholder) = &option.value else {
        return match inline {
            None => Ok(String::new()),
            Some(_) => Err(Failure::Usage(format!("{shown} takes no value."))),
        };
    };
    let is_inline = inline.is_some();
    let next = || parser.value().ok().map(|value| value.to_string_lossy().into_owned());
    let Some(value) = inline.or_else(next).filter(|value| !value.is_empty()) else {
        return Err(Failure::Usage(format!("{shown} needs a value: {placeholder}.")));
    };
    // Probably the next option, after a value that was forgotten.
    if !is_inline && value.len() > 1 && value.starts_with('-') {
        let message = format!("{shown} needs a value. Write {shown}=… if the value begins with a hyphen.");
        return Err(Failure::Usage(message));
    }
    if option.whole {
        check_whole(shown, &value, option)?;
    }
    Ok(value)
}

/// Checks a whole number.
pub(crate) fn check_whole(shown: &str, value: &str, option: &Opt) -> Result<(), Failure> {
    let Opt { least, most, .. } = *option;
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || number(value) < least || most.is_some_and(|most| number(value) > most) {
        let range = match most {
            Some(most) => format!(" from {least} to {most}"),
            None if least > 0 => format!(" of at least {least}"),
            None => String::new(),
        };
        return Err(Failure::Usage(format!("{shown} must be a whole number{range}.")));
    }
    match number(value).checked_mul(option.unit.unwrap_or(1)) {
        Some(product) if product <= LARGEST => Ok(()),
        _ => Err(Failure::Usage(format!("{shown} is too large."))),
    }
}

/// The number that digits write. Without digits, or with too many, it is too large for every option.
fn number(digits: &str) -> u64 {
    digits.parse().unwrap_or(u64::MAX)
}

fn check_parameters(command: &str, expected: &[String], given: &[String]) -> Result<(), Failure> {
    let required = expected.iter().filter(|parameter| !parameter.starts_with('['));
    if let Some(missing) = required.clone().nth(given.len()) {
        let usage = [&[command.to_owned()], expected].concat().join(" ");
        return Err(Failure::Usage(format!("{missing} is missing: {PROGRAM} {usage}.")));
    }
    if given.len() <= expected.len() {
        return Ok(());
    }
    let takes = if expected.is_empty() { "none".to_owned() } else { expected.join(" ") };
    Err(Failure::Usage(format!(
        "There are too many arguments: `{command}` takes {takes}. A secret is never an argument."
    )))
}

/// Splits `name=value` at its first separator.
pub(crate) fn pair<'a>(text: &'a str, separator: char, option: &str) -> Result<(&'a str, &'a str), Failure> {
    match text.split_once(separator).map(|(name, value)| (name.trim(), value.trim_start())) {
        Some((name, value)) if !name.is_empty() => Ok((name, value)),
        _ => Err(Failure::Usage(format!("{option} is written {option} name{separator}value."))),
    }
}

/// The name that was probably meant, or all that there are.
pub(crate) fn suggest(given: &str, known: &[&str]) -> String {
    let longest = known.iter().map(|name| name.len()).max().unwrap_or_default();
    let plain = given.to_lowercase().replace('_', "");
    let nearest = known.iter().min_by_key(|name| strsim::levenshtein(&plain, &name.to_lowercase()));
    match nearest {
        Some(name)
            if plain.len() <= longest + 2
                && strsim::levenshtein(&plain, &name.to_lowercase()) <= name.len().div_ceil(3) =>
        {
            format!("did you mean `{name}`?")
        }
        _ => {
            let all: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
            format!("the known ones are {}.", all.join(", "))
        }
    }
}
