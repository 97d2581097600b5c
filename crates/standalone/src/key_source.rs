//! Where keys come from: a file, a variable of the environment, or the output of a command.

use std::fs::File;
use std::io::{self, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use crate::arguments::Given;
use crate::failure::Failure;
use crate::terminal::Terminal;

/// Upper limit for the text of keys. A key has some 64 bytes.
const LONGEST_TEXT: u64 = 64 * 1024;

/// The time in which a command must have printed the keys and ended.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// The pause before a command that has printed everything is asked again whether it has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Keys as they were read. A text may have several.
#[derive(Debug)]
pub(crate) struct ReadKeys {
    pub(crate) texts: Vec<String>,
    /// Where they come from, for a message about a text without a key.
    pub(crate) source: String,
}

enum Source {
    Files(Vec<String>),
    Command(String),
    Text(String),
}

/// Reads the keys of an option such as `encryption-key` from one source: the option `-file` or `-command`, else one
/// of the variables of the same names. `None` without a source.
pub(crate) async fn keys_of(
    given: &Given,
    terminal: &Terminal,
    option: &str,
) -> Result<Option<ReadKeys>, Failure> {
    let variable = format!("PROXY_EXECUTE_{}", option.to_uppercase().replace('-', "_"));
    // An option of the command line replaces both of a configuration file.
    let [file_option, command_option] = ["file", "command"].map(|ending| format!("{option}-{ending}"));
    let is_written = given.is_written(&file_option) || given.is_written(&command_option);
    let named = |name: &str| match is_written && !given.is_written(name) {
        true => Vec::new(),
        false => given.texts(name).to_vec(),
    };
    let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let (files, commands) = (named(&file_option), named(&command_option));
    let [file_variable, command_variable] = ["FILE", "COMMAND"].map(|ending| format!("{variable}_{ending}"));
    let options = [
        (format!("--{file_option}"), (!files.is_empty()).then_some(Source::Files(files))),
        (format!("--{command_option}"), commands.into_iter().next().map(Source::Command)),
    ];
    let variables = [
        (file_variable.clone(), set(&file_variable).map(|file| Source::Files(vec![file]))),
        (command_variable.clone(), set(&command_variable).map(Source::Command)),
        (variable.clone(), set(&variable).map(Source::Text)),
    ];
    let has_option = options.iter().any(|(_, source)| source.is_some());
    let sources = if has_option { Vec::from(options) } else { Vec::from(variables) };
    let mut sources = sources.into_iter().filter_map(|(name, source)| Some((name, source?)));
    let Some((name, source)) = sources.next() else { return Ok(None) };
    if let Some((other, _)) = sources.next() {
        return Err(Failure::Usage(format!("{name} and {other} both name keys: keep one of them.")));
    }
    let (texts, source) = match source {
        Source::Files(files) => {
            let texts =
                files.iter().map(|file| read_file(file, &name, terminal)).collect::<Result<_, _>>()?;
            (texts, format!("{} is empty", files.join(", ")))
        }
        Source::Command(command) => {
            let source = format!("The command of {name} printed nothing");
            let output = move || output_of(&command, &name, COMMAND_TIMEOUT);
            let output = tokio::task::spawn_blocking(output).await;
            (vec![output.expect("reading the output of a command does not panic")?], source)
        }
        Source::Text(text) => (vec![text], name),
    };
    Ok(Some(ReadKeys { texts, source }))
}

/// Reads the keys in a file.
fn read_file(path: &str, name: &str, terminal: &Terminal) -> Result<String, Failure> {
    let unreadable =
        |error: io::Error| Failure::Usage(format!("{name}: {path} cannot be read ({}).", code_of(&error)));
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(Failure::Usage(format!("{name}: {path} is a folder.")));
    }
    if metadata.len() > LONGEST_TEXT {
        return Err(Failure::Usage(format!("{name}: {path} has more than {} KiB.", LONGEST_TEXT / 1024)));
    }
    #[cfg(unix)]
    if metadata.is_file() && std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o004 != 0 {
        terminal.warn(&format!("{name}: every user of this machine can read {path}. Run: chmod 600 {path}"));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LONGEST_TEXT).read_to_end(&mut bytes)).map_err(unreadable)?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// Returns what a command prints. Its standard error output is that of this program.
fn output_of(command: &str, name: &str, timeout: Duration) -> Result<String, Failure> {
    let words = words(command).ok_or_else(|| {
        Failure::Usage(format!("{name}: a quotation mark in the command has no second one."))
    })?;
    let Some((program, arguments)) = words.split_first() else {
        return Err(Failure::Usage(format!("{name} names no command.")));
    };
    let failed = |fact: &str| Failure::System(format!("{name}: {program} {fact}."));
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(&format!("cannot be started ({})", code_of(&error))))?;
    let printed = printed_by(&mut child, timeout);
    if printed.is_err() {
        // It may have ended by itself.
        _ = child.kill();
        _ = child.wait();
    }
    printed.map_err(|fact| failed(&fact))
}

/// Reads what a program prints until it ends. The error is a fact about the program.
fn printed_by(child: &mut Child, timeout: Duration) -> Result<String, String> {
    let too_late = || format!("did not end within {} s", timeout.as_secs());
    let deadline = Instant::now() + timeout;
    let output = child.stdout.take().expect("the output is piped");
    let (sender, receiver) = channel();
    // A thread, because a program that the command started may keep the output open.
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = output.take(LONGEST_TEXT + 1).read_to_end(&mut bytes);
        // Without a receiver, the time is over.
        _ = sender.send(read.map(|_| bytes));
    });
    let bytes = match receiver.recv_timeout(timeout) {
        Ok(read) => read.map_err(|error| format!("printed what cannot be read ({})", code_of(&error)))?,
        Err(RecvTimeoutError::Timeout) => return Err(too_late()),
        Err(RecvTimeoutError::Disconnected) => return Err("printed what cannot be read".to_owned()),
    };
    if bytes.len() as u64 > LONGEST_TEXT {
        return Err(format!("printed more than {} KiB", LONGEST_TEXT / 1024));
    }
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() >= deadline => return Err(too_late()),
            Ok(None) => thread::sleep(POLL_INTERVAL),
            Err(error) => return Err(format!("cannot be waited for ({})", code_of(&error))),
        }
    };
    match status.code() {
        Some(0) => Ok(String::from_utf8_lossy(&bytes).trim().to_owned()),
        Some(code) => Err(format!("ended with exit code {code}")),
        None => Err("was killed by a signal".to_owned()),
    }
}

/// Splits a command at white space. Single or double quotation marks keep a word together. No other character is
/// special. `None` if a quotation mark has no second one.
fn words(command: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for char in command.chars() {
        match quote {
            Some(mark) if char == mark => quote = None,
            None if char == '\'' || char == '"' => {
                quote = Some(char);
                word.get_or_insert_default();
            }
            None if char.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(char),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// The name of an error of the system, as `errno.h` has it.
fn code_of(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "ENOENT".to_owned(),
        io::ErrorKind::PermissionDenied => "EACCES".to_owned(),
        io::ErrorKind::NotADirectory => "ENOTDIR".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_split_into_words() {
        for (command, expected) in [
            ("", Some(vec![])),
            ("  a\tb\n", Some(vec!["a", "b"])),
            (r#"a 'b c' "d 'e'" f"g h"i '' "#, Some(vec!["a", "b c", "d 'e'", "fg hi", ""])),
            (r"C:\kms.exe $HOME ~ * \'a\'", Some(vec![r"C:\kms.exe", "$HOME", "~", "*", r"\a\"])),
            ("a 'b", None),
            (r#"a "b'" 'c"'"#, Some(vec!["a", "b'", "c\""])),
        ] {
            assert_eq!(words(command), expected.map(|words| words.into_iter().map(str::to_owned).collect()));
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_output_of_a_command_is_read_in_time_and_up_to_a_limit() {
        let output = |command: &str| output_of(command, "--key-command", Duration::from_secs(1));
        assert_eq!(output("printf ' a\nb\n'").unwrap(), "a\nb");
        assert_eq!(output("true").unwrap(), "");
        for (command, fact) in [
            ("no-such-program", "no-such-program cannot be started (ENOENT)."),
            ("sh -c 'echo canary; exit 3'", "sh ended with exit code 3."),
            ("sh -c 'echo canary; kill -9 $$'", "sh was killed by a signal."),
            ("sleep 60", "sleep did not end within 1 s."),
            // Its output is closed long before its end.
            ("sh -c 'exec >&-; exec sleep 60'", "sh did not end within 1 s."),
            // It ends, and another program keeps its output open.
            ("sh -c 'sleep 5 & echo canary'", "sh did not end within 1 s."),
            ("yes canary", "yes printed more than 64 KiB."),
            ("a 'b", "has no second one."),
            (" ", "names no command."),
        ] {
            let begun = Instant::now();
            let Err(Failure::System(message) | Failure::Usage(message)) = output(command) else {
                panic!("{command} is refused");
            };
            assert!(message.starts_with("--key-command") && message.ends_with(fact), "{message}");
            assert!(!message.contains("canary"), "{message}");
            assert!(begun.elapsed() < Duration::from_secs(5), "{command}");
        }
    }
}
