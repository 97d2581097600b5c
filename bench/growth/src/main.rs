//! What a call costs as a gateway's store grows: with 100, 10 000 and a million connected accounts,
//! with calls spread over one session, 100 and 10 000, and with the record of a million calls; and
//! whether look-ups and lists stay fast.
//!
//!     cargo run --release --package proxy-execute-bench-growth [-- --json]
//!
//! Each store is a SQLite file of a gateway in a process of its own, so that its memory is its own.
//! The gateway of the smallest store is asked in turn with each of the others, so that a busy
//! machine is as bad for one as for the other; a ratio is the median of the ratios of neighbouring
//! turns. It takes about three minutes, prints tables, and fails when a look-up or a list takes more
//! than [`MOST`] times as long in the largest store.

#![expect(clippy::unwrap_used, reason = "a benchmark may panic where it likes")]

mod asked;
mod filled;
mod store;

use std::process::ExitCode;

use axum::Router;
use axum::routing::any;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::asked::{ASKED, Work};
use crate::store::{Figures, Store};

const FEW: usize = 100;
const SOME: usize = 10_000;
const MANY: usize = 1_000_000;
const MANY_CALLS: usize = 1_000_000;

const MOST: f64 = 1.5;
const ROUNDS: usize = 7;

/// Calls are spread over as many sessions as are given; `log` is for how many calls there are in the record.
struct Row {
    accounts: usize,
    sessions: usize,
    log: usize,
    ratio: f64,
    figures: Figures,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let Some((accounts, upstream)) = store::of_child(&arguments) {
        asked::answer(accounts, upstream).await;
        return ExitCode::SUCCESS;
    }
    let as_json = arguments.iter().any(|argument| argument == "--json");
    let upstream = upstream().await;
    let mut few = Store::open(FEW, &upstream);
    let mut rows = Vec::new();
    let first = calls(100);
    rows.push(Row { accounts: FEW, sessions: 100, log: 0, ratio: 1.0, figures: few.measure(&first) });

    let mut some = Store::open(SOME, &upstream);
    rows.push(compare(&mut few, &mut some, SOME, 100, 0));
    drop(some);

    let mut many = Store::open(MANY, &upstream);
    for sessions in [1, 100, 10_000] {
        rows.push(compare(&mut few, &mut many, MANY, sessions, 0));
    }
    // The benchmark beside shows calls only.
    let asked = if as_json { &[] } else { ASKED };
    let look_ups: Vec<_> =
        asked.iter().map(|(what, _)| (*what, look_up(&mut few, &mut many, what))).collect();
    many.measure(&Work::Record { calls: MANY_CALLS });
    rows.push(compare(&mut few, &mut many, MANY, 100, MANY_CALLS));

    if as_json {
        let rows: Vec<_> = rows.iter().map(Row::to_json).collect();
        println!("{}", json!({ "calls": rows }));
    } else {
        print(&rows, &look_ups);
    }
    let worst = look_ups.iter().map(|(_, [few, many])| many / few).fold(0.0, f64::max);
    if worst > MOST {
        eprintln!("A look-up takes {worst:.2} times as long with {MANY} accounts, and {MOST} is the most.");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Asks both stores in turn for the same calls, but that the smaller one has fewer users to make them for.
fn compare(few: &mut Store, other: &mut Store, accounts: usize, sessions: usize, log: usize) -> Row {
    eprintln!("{accounts} accounts, {sessions} sessions, a record of {log} calls");
    let (small, large) = (calls(100), calls(sessions));
    // Whatever can be in memory is, before it is measured.
    other.measure(&large);
    let turns: Vec<_> = (0..ROUNDS).map(|_| (few.measure(&small), other.measure(&large))).collect();
    let ratio = median(turns.iter().map(|(few, other)| other.micros / few.micros));
    let micros = median(turns.iter().map(|(_, other)| other.micros));
    let figures = Figures { micros, memory_mib: turns[ROUNDS - 1].1.memory_mib };
    Row { accounts, sessions, log, ratio, figures }
}

fn look_up(few: &mut Store, many: &mut Store, what: &str) -> [f64; 2] {
    eprintln!("{what}");
    let work = Work::Ask { what: what.to_owned() };
    many.measure(&work);
    let turns: Vec<_> =
        (0..ROUNDS).map(|_| [few.measure(&work).micros, many.measure(&work).micros]).collect();
    [0, 1].map(|store| median(turns.iter().map(|turn| turn[store])))
}

fn calls(sessions: usize) -> Work {
    Work::Call { sessions }
}

impl Row {
    fn to_json(&self) -> Value {
        json!({
            "accounts": self.accounts, "sessions": self.sessions, "log": self.log,
            "micros": self.figures.micros, "memoryMiB": self.figures.memory_mib, "ratio": self.ratio,
        })
    }
}

fn print(rows: &[Row], look_ups: &[(&str, [f64; 2])]) {
    println!(
        "{:>10} {:>9} {:>10} {:>9} {:>6} {:>11}",
        "accounts", "sessions", "record", "µs/call", "ratio", "memory MiB"
    );
    for Row { accounts, sessions, log, ratio, figures } in rows {
        let Figures { micros, memory_mib } = figures;
        println!("{accounts:>10} {sessions:>9} {log:>10} {micros:>9.0} {ratio:>6.2} {memory_mib:>11.0}");
    }
    println!("\n{:<44} {FEW:>12} {MANY:>12} {:>6}", "median, µs, by number of accounts", "ratio");
    for (what, [few, many]) in look_ups {
        println!("{what:<44} {few:>12.0} {many:>12.0} {:>6.2}", many / few);
    }
}

/// What the calls are for: 1 KB of JSON, at once.
async fn upstream() -> String {
    let answer = json!({ "title": "Found a bug", "body": "x".repeat(960) }).to_string();
    let answer = move || async { ([("content-type", "application/json")], answer) };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, Router::new().fallback(any(answer))).await.unwrap() });
    origin
}

fn median(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut numbers: Vec<_> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
