//! The work of a store's process: calls, look-ups and lists, each timed.

use std::io::BufRead;
use std::time::Instant;

use proxy_execute_protocol::{Backend, ProxyCall};

use crate::filled::{Filled, ask, deadline};
use crate::store::{Figures, Work};

/// The resources to request: a name, and a path below `/api/v3.1` with its query.
///
/// `{config}`, `{session}` and `{middle}` stand for ids and a cursor of the store.
pub(crate) const ASKED: &[(&str, &str)] = &[
    ("a session", "tool_router/session/{session}"),
    ("toolkits of a session, with their accounts", "tool_router/session/{session}/toolkits"),
    ("auth configs, with their numbers of accounts", "auth_configs"),
    ("accounts, first page", "connected_accounts"),
    ("accounts, a page in the middle", "connected_accounts?cursor={middle}"),
    ("accounts, oldest first", "connected_accounts?order_direction=asc"),
    ("accounts, by last change", "connected_accounts?order_by=updated_at"),
    ("accounts of a user", "connected_accounts?user_ids=user_7"),
    ("accounts of two users", "connected_accounts?user_ids=user_7&user_ids=user_3"),
    (
        "accounts of a user, auth config and state",
        "connected_accounts?user_ids=user_7&auth_config_ids={config}&statuses=ACTIVE",
    ),
    ("accounts of a toolkit", "connected_accounts?toolkit_slugs=tool3"),
    ("accounts of a toolkit, by last change", "connected_accounts?toolkit_slugs=tool3&order_by=updated_at"),
    ("accounts of two toolkits", "connected_accounts?toolkit_slugs=tool3&toolkit_slugs=tool5"),
    ("accounts in a state", "connected_accounts?statuses=ACTIVE"),
    (
        "accounts of a toolkit in two states",
        "connected_accounts?toolkit_slugs=tool3&statuses=ACTIVE&statuses=EXPIRED",
    ),
    ("accounts in a state that none is in", "connected_accounts?toolkit_slugs=tool3&statuses=FAILED"),
    ("accounts of an auth config", "connected_accounts?auth_config_ids={config}"),
];

const CALLS: usize = 2_000;
const LOOK_UPS: usize = 60;

/// Does the work of each line of standard input, and writes one line of results for it.
pub(crate) async fn answer(accounts: usize, upstream: &str) {
    let store = Filled::open(accounts, upstream).await;
    for line in std::io::stdin().lock().lines() {
        let micros = match serde_json::from_str(&line.unwrap()).unwrap() {
            // There are enough calls for each session to have its turn.
            Work::Call { sessions } => {
                time(CALLS.max(sessions), async |call| store.call(call % sessions).await).await
            }
            Work::Ask { what } => {
                let (_, path) = ASKED.iter().find(|(known, _)| *known == what).unwrap();
                let path = store.named(path);
                time(LOOK_UPS, async |_| _ = ask(&store.gateway, &path).await).await
            }
            Work::Record { calls } => {
                store.record(calls).await;
                0.0
            }
        };
        let figures = Figures { micros, memory_mib: memory_mib() };
        println!("{}", serde_json::to_string(&figures).unwrap());
    }
    store.gateway.close().await;
}

impl Filled {
    /// Makes a call in a session, and checks the response.
    async fn call(&self, session: usize) {
        let request =
            r#"{"toolkit_slug":"tool3","endpoint":"/issues/1","method":"POST","body":{"title":"x"}}"#;
        let call = ProxyCall::Written { text: request.to_owned(), data_as_text: false };
        let answer = self.gateway.proxy_execute(&self.sessions[session], call, deadline()).await.unwrap();
        assert!(answer.into_text().contains("Found a bug"));
    }

    fn named(&self, path: &str) -> String {
        let names =
            [("{config}", &self.config), ("{middle}", &self.middle), ("{session}", &self.sessions[5])];
        names.into_iter().fold(path.to_owned(), |path, (name, value)| path.replace(name, value))
    }
}

/// The median of the times of many runs, in µs.
async fn time(times: usize, work: impl AsyncFn(usize)) -> f64 {
    let mut took = Vec::with_capacity(times);
    for number in 0..times {
        let started = Instant::now();
        work(number).await;
        took.push(started.elapsed());
    }
    took.sort();
    took[times / 2].as_secs_f64() * 1e6
}

/// The resident memory of the process; 0 if the system does not tell it.
fn memory_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = resident.and_then(|rest| rest.trim().strip_suffix(" kB")).and_then(|kib| kib.parse().ok());
    kib.unwrap_or(0.0) / 1024.0
}
