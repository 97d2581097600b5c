//! `proxy-execute-gateway`: the gateway as a program without Node.js, for containers.
//!
//! Its commands are those of the same names of `npx proxy-execute`: they have the same options, output and exit
//! codes, and work on the same store. `npm run types` writes the table of commands, `commands.json`, from
//! `lib/cli`.

mod accounts;
mod arguments;
mod audit;
mod auth_configs;
mod calls;
mod config_file;
mod encryption_key;
mod failure;
mod key_source;
mod keys;
mod serve;
mod signals;
mod store;
mod store_file;
mod table;
mod terminal;
mod time;
mod users;
mod words;

use std::env;
use std::process::exit;
use std::thread::available_parallelism;

use tokio::runtime::{Builder, Runtime};

use crate::arguments::{CommandLine, Given};
use crate::config_file::read_config_file;
use crate::failure::Failure;
use crate::table::PROGRAM;
use crate::terminal::Terminal;

/// The exit codes, beside that of a signal.
const DONE: i32 = 0;
const FAILED: i32 = 1;
const NOT_UNDERSTOOD: i32 = 2;

/// The number of threads, which is otherwise that of the cores.
const THREADS: &str = "PROXY_EXECUTE_THREADS";

fn main() {
    let args: Vec<String> = env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    let terminal = Terminal::new(args.iter().any(|arg| arg == "--json"));
    exit(run(&args, &terminal))
}

/// Runs a command line, and returns the exit code.
fn run(args: &[String], terminal: &Terminal) -> i32 {
    match arguments::read(args).and_then(with_config) {
        Ok(CommandLine::Version) => printed(terminal, env!("CARGO_PKG_VERSION")),
        Ok(CommandLine::Help(help)) => printed(terminal, help.trim_end()),
        Ok(CommandLine::Nothing) if terminal.json => {
            let message = format!("There is no command. See {PROGRAM} --help.");
            told(terminal, &Failure::Usage(message), None)
        }
        Ok(CommandLine::Nothing) => {
            terminal.note(table::help().trim_end());
            NOT_UNDERSTOOD
        }
        Ok(CommandLine::Command(given)) => {
            let done = runtime().and_then(|runtime| {
                let done = runtime.block_on(command(&given, terminal));
                // A gateway that was told to end at once may still be at work.
                runtime.shutdown_background();
                done
            });
            done.unwrap_or_else(|failure| told(terminal, &failure, Some(&given)))
        }
        Err(failure) => told(terminal, &failure, None),
    }
}

/// Adds what the configuration file has for a command.
fn with_config(line: CommandLine) -> Result<CommandLine, Failure> {
    let CommandLine::Command(given) = line else { return Ok(line) };
    let config = read_config_file(given.text("config"))?;
    given.complete(config).map(CommandLine::Command)
}

fn runtime() -> Result<Runtime, Failure> {
    let asked = env::var(THREADS).ok().and_then(|text| text.parse().ok()).filter(|threads| *threads > 0);
    let threads = asked.unwrap_or_else(|| available_parallelism().map_or(1, |cores| cores.get()));
    let runtime =
        Builder::new_multi_thread().worker_threads(threads).thread_name("proxy-execute").enable_all().build();
    runtime.map_err(|error| Failure::System(format!("No thread can be started: {error}.")))
}

async fn command(given: &Given, terminal: &Terminal) -> Result<i32, Failure> {
    let (first, second) = given.command.split_once(' ').unwrap_or((&given.command, ""));
    match (first, second) {
        ("serve", _) => return serve::serve(given, terminal).await,
        ("keys", "create") => keys::create(given, terminal).await,
        ("keys", "list") => keys::list(given, terminal).await,
        ("keys", "revoke") => keys::revoke(given, terminal).await,
        ("audit", "list") => audit::list(given, terminal).await,
        ("audit", "verify") => return audit::verify(given, terminal).await,
        ("accounts", "list") => accounts::list(given, terminal).await,
        ("accounts", verb) => accounts::change(verb, given, terminal).await,
        ("auth-configs", "list") => auth_configs::list(given, terminal).await,
        ("auth-configs", "show") => auth_configs::show(given, terminal).await,
        ("auth-configs", "create") => auth_configs::create(given, terminal).await,
        ("auth-configs", "update") => auth_configs::update(given, terminal).await,
        ("auth-configs", verb) => auth_configs::change(verb, given, terminal).await,
        ("users", "export") => users::export(given, terminal).await,
        ("users", "delete") => users::delete(given, terminal).await,
        ("calls", _) => calls::list(given, terminal).await,
        ("store", "check") => store_file::check(given, terminal).await,
        ("store", "migrate") => store_file::migrate(given, terminal).await,
        ("store", "copy") => store_file::copy(given, terminal).await,
        ("store", "backup") => store_file::back_up(given, terminal).await,
        ("store", "rotate-key") => return store_file::rotate_key(given, terminal).await,
        ("encryption-key", _) => encryption_key::print(terminal),
        (first, _) => unreachable!("the table has no command {first}"),
    }
    .map(|()| DONE)
}

fn printed(terminal: &Terminal, text: &str) -> i32 {
    terminal.print(text).map_or_else(|failure| told(terminal, &failure, None), |()| DONE)
}

/// Prints why a command failed, and returns the exit code.
fn told(terminal: &Terminal, failure: &Failure, given: Option<&Given>) -> i32 {
    // The reader of the output may close it early, as `head` does.
    if matches!(failure, Failure::Unread) {
        return DONE;
    }
    terminal.fail(failure, given);
    if failure.is_mistake() { NOT_UNDERSTOOD } else { FAILED }
}
