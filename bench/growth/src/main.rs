//! Measures a call while a gateway's store grows, and checks that look-ups and lists stay fast.
//!
//! The stores have 100, 10 000 and a million connected accounts. The calls are spread over one session, 100
//! and 10 000. A last run has a record of a million calls.
//!
//!     cargo run --release --package proxy-execute-bench-growth [-- --json]
//!
//! Each store is a SQLite file of a gateway in its own process, so that each has its own memory. The gateway
//! of the smallest store takes turns with each of the others, so that a busy machine slows both alike. A
//! ratio is the median of the ratios of neighbouring turns.
//!
//! The benchmark takes about three minutes, and prints tables. It fails if a look-up or a list takes more
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

use crate::asked::ASKED;
use crate::store::{Figures, Store, Work};

const FEW: usize = 100;
const SOME: usize = 10_000;
const MANY: usize = 1_000_000;
const MANY_CALLS: usize = 1_000_000;

const MOST: f64 = 1.5;
const ROUNDS: usize = 7;

/// `sessions` is the number of sessions that the calls are spread over; `log` is the number of recorded
/// calls.
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
    // The benchmark beside this one shows only calls.
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

/// Measures the same calls in both stores in turn. The smaller store has fewer users, so it has fewer
/// sessions.
fn compare(few: &mut Store, other: &mut Store, accounts: usize, sessions: usize, log: usize) -> Row {
    eprintln!("{accounts} accounts, {sessions} sessions, a record of {log} calls");
    let (small, large) = (calls(100), calls(sessions));
    // This run fills the caches before the measurement.
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

/// The upstream of the calls. It responds immediately, with 1 KB of JSON.
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
