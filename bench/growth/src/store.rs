//! A store in its own process, and the work that it is given.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::{Deserialize, Serialize};

/// The first argument of the process of a store. The number of accounts and the upstream follow.
const STORE: &str = "store";

/// One piece of work, written as a line of JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Work {
    /// Makes calls one after the other, in this many sessions in turn.
    Call { sessions: usize },
    /// Requests the resource with this name in `ASKED`.
    Ask { what: String },
    /// Adds calls to the record.
    Record { calls: usize },
}

/// The cost of a piece of work.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// The median time of one call or look-up.
    pub(crate) micros: f64,
    /// The memory of the process after the work.
    pub(crate) memory_mib: f64,
}

/// The process of a store. The process ends when this is dropped.
pub(crate) struct Store {
    process: Child,
    asks: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Store {
    pub(crate) fn open(accounts: usize, upstream: &str) -> Self {
        eprintln!("a store of {accounts} accounts");
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args([STORE, &accounts.to_string(), upstream])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (asks, answers) = (process.stdin.take(), BufReader::new(process.stdout.take().unwrap()));
        Self { process, asks, answers }
    }

    /// Sends work to the process, and waits for its end.
    pub(crate) fn measure(&mut self, work: &Work) -> Figures {
        let asks = self.asks.as_mut().unwrap();
        writeln!(asks, "{}", serde_json::to_string(work).unwrap()).unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).expect("the store responds, unless it panicked and printed the reason")
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        drop(self.asks.take());
        // If the process failed, it has printed the reason.
        _ = self.process.wait();
    }
}

/// The number of accounts and the upstream, if this is the process of a store.
pub(crate) fn of_child(arguments: &[String]) -> Option<(usize, &str)> {
    match arguments {
        [store, accounts, upstream] if store == STORE => Some((accounts.parse().unwrap(), upstream)),
        _ => None,
    }
}
