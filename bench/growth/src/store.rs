//! A store in a process of its own, and what it is asked to do.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::asked::Work;

/// The first argument of such a process; how many accounts and which upstream follow.
const STORE: &str = "store";

/// What a piece of work cost.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// The median of one time.
    pub(crate) micros: f64,
    /// Of the process, when it was done.
    pub(crate) memory_mib: f64,
}

/// The process; it ends when this is dropped.
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

    /// Has work done, and waits for it.
    pub(crate) fn measure(&mut self, work: &Work) -> Figures {
        let asks = self.asks.as_mut().unwrap();
        writeln!(asks, "{}", serde_json::to_string(work).unwrap()).unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).expect("the store answers, unless it has panicked and said why")
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        drop(self.asks.take());
        // It has said why it failed, if it did.
        _ = self.process.wait();
    }
}

/// How many accounts, and the upstream, if this is the process of a store.
pub(crate) fn of_child(arguments: &[String]) -> Option<(usize, &str)> {
    match arguments {
        [store, accounts, upstream] if store == STORE => Some((accounts.parse().unwrap(), upstream)),
        _ => None,
    }
}
