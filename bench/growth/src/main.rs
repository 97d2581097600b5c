//! Whether a gateway's look-ups and lists stay fast as its store grows: each is timed with 100
//! accounts, 10 sessions and no calls, and again with a million accounts, 100 000 sessions and the
//! record of a million calls, in a SQLite file.
//!
//!     cargo run --release --package proxy-execute-bench-growth
//!
//! It prints a table and the plan of the look-up, and fails when one takes more than 1.5 times as long.

#![expect(clippy::unwrap_used, reason = "a benchmark may panic where it likes")]

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use proxy_execute_gateway::{Gateway, GatewayOptions, ListAccounts, ToolkitSource};
use proxy_execute_protocol::{Backend, Deadline, ErrorKind, read_json};
use serde_json::{Value, json};
use sqlx::{Row, SqlitePool};

const TOOLKITS: usize = 10;
/// A user has one account of each toolkit.
const FEW_USERS: usize = 10;
const MANY_USERS: usize = 100_000;
const MANY_CALLS: usize = 1_000_000;

/// More than are kept in memory.
const USERS_ASKED_FOR: usize = 30_000;

const MOST: f64 = 1.5;
const WARM_UP: usize = 20;
const ROUNDS: usize = 400;

/// A gateway on a file, and what is asked of it.
struct Store {
    gateway: Gateway,
    pool: SqlitePool,
    session: String,
    /// One for each of the first users.
    sessions: Vec<String>,
    next: AtomicUsize,
    config: String,
    /// The cursor of half-way through the list of accounts.
    middle: String,
    _folder: tempfile::TempDir,
}

#[tokio::main]
async fn main() -> ExitCode {
    let (few, many) = (Store::open(FEW_USERS).await, Store::open(MANY_USERS).await);
    println!("{:<52} {:>12} {:>12} {:>6}", "median, µs", "100 accounts", "1 000 000", "ratio");
    let mut worst: f64 = 0.0;
    let mut row = |what: &str, [few, many]: [Duration; 2]| {
        let ratio = many.as_secs_f64() / few.as_secs_f64();
        worst = worst.max(ratio);
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        println!("{what:<52} {:>12.0} {:>12.0} {ratio:>6.2}", micros(few), micros(many));
    };
    row("session", time(&few, &many, Store::session).await);
    row("session, account and credential of a call", time(&few, &many, Store::look_up).await);
    row("the same, of another user each time", time(&few, &many, Store::look_up_another).await);
    row("the record of a call, written and read", time(&few, &many, Store::record).await);
    row("toolkits of a session, with their accounts", time(&few, &many, Store::toolkits).await);
    row("auth configs, with their numbers of accounts", time(&few, &many, Store::auth_configs).await);
    for (what, filter) in lists() {
        row(what, time(&few, &many, async |store| store.list(&filter).await).await);
    }
    print_plan(&many.pool).await;
    few.gateway.close().await;
    many.gateway.close().await;
    if worst > MOST {
        eprintln!("One takes {worst:.2} times as long, and {MOST} is the most.");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

impl Store {
    async fn open(users: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.db");
        let gateway = Gateway::open(GatewayOptions {
            store: Some(file.to_str().unwrap().to_owned()),
            encryption_key: Some("00".repeat(32).into()),
            toolkits: (0..TOOLKITS).map(toolkit).map(ToolkitSource::Definition).collect(),
            ..GatewayOptions::default()
        })
        .await
        .unwrap();
        let pool = SqlitePool::connect(&format!("sqlite://{}", file.display())).await.unwrap();
        let mut sessions = fill_through_the_gateway(&gateway).await;
        let session = sessions[FEW_USERS / 2].clone();
        if users > FEW_USERS {
            fill_through_sql(&pool, users).await;
            sessions.extend((FEW_USERS..USERS_ASKED_FOR).map(|user| format!("trs_{user}")));
        }
        let (config, middle) = (config_of(&gateway).await, middle_of_the_list(&gateway).await);
        Self { gateway, pool, session, sessions, next: AtomicUsize::new(0), config, middle, _folder: folder }
    }

    async fn session(&self) {
        self.gateway.session(&self.session, deadline()).await.unwrap();
    }

    /// Everything that a call looks up, and nothing that it sends: the endpoint is refused.
    async fn look_up(&self) {
        self.look_up_in(&self.session).await;
    }

    async fn look_up_another(&self) {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        self.look_up_in(&self.sessions[next % self.sessions.len()]).await;
    }

    async fn record(&self) {
        self.look_up().await;
        self.gateway.calls(1).await.unwrap();
    }

    async fn look_up_in(&self, session: &str) {
        let request = br#"{"toolkit_slug":"tool3","endpoint":"https://elsewhere.example/","method":"GET"}"#;
        let request = read_json(request).unwrap();
        let refused = self.gateway.proxy_execute(session, request, deadline()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::OriginMismatch);
    }

    async fn toolkits(&self) {
        self.ask(json!(["tool_router", "session", self.session, "toolkits"])).await;
    }

    async fn auth_configs(&self) {
        self.ask(json!(["auth_configs"])).await;
    }

    async fn ask(&self, path: Value) {
        let request = json!({ "method": "GET", "path": path }).to_string();
        self.gateway.resource(read_json(request.as_bytes()).unwrap(), deadline()).await.unwrap();
    }

    /// A page of accounts; `{config}` and `{middle}` stand for this store's own.
    async fn list(&self, filter: &Value) {
        let filter = filter.to_string().replace("{config}", &self.config).replace("{middle}", &self.middle);
        self.gateway.list_accounts(read_json(filter.as_bytes()).unwrap()).await.unwrap();
    }
}

fn lists() -> Vec<(&'static str, Value)> {
    let of_user = json!({ "user_ids": ["user_7"], "auth_config_ids": ["{config}"], "statuses": ["ACTIVE"] });
    vec![
        ("accounts, first page", json!({})),
        ("accounts, a page in the middle", json!({ "cursor": "{middle}" })),
        ("accounts, oldest first", json!({ "order_direction": "asc" })),
        ("accounts, by last change", json!({ "order_by": "updated_at" })),
        ("accounts of a user", json!({ "user_ids": ["user_7"] })),
        ("accounts of two users", json!({ "user_ids": ["user_7", "user_3"] })),
        ("accounts of a user, auth config and state", of_user),
        ("accounts of a toolkit", json!({ "toolkit_slugs": ["tool3"] })),
        (
            "accounts of a toolkit, by last change",
            json!({ "toolkit_slugs": ["tool3"], "order_by": "updated_at" }),
        ),
        ("accounts of two toolkits", json!({ "toolkit_slugs": ["tool3", "tool5"] })),
        ("accounts in a state", json!({ "statuses": ["ACTIVE"] })),
        (
            "accounts of a toolkit in two states",
            json!({ "toolkit_slugs": ["tool3"], "statuses": ["ACTIVE", "EXPIRED"] }),
        ),
        (
            "accounts in a state that none is in",
            json!({ "toolkit_slugs": ["tool3"], "statuses": ["FAILED"] }),
        ),
        ("accounts of an auth config", json!({ "auth_config_ids": ["{config}"] })),
    ]
}

fn toolkit(number: usize) -> Value {
    json!({
        "slug": format!("tool{number}"),
        "name": format!("Tool {number}"),
        "base_url": "https://api.example.com",
        "schemes": { "API_KEY": { "headers": { "X-Api-Key": "{{api_key}}" } } },
    })
}

/// The first users, as any caller would make them, and their sessions.
async fn fill_through_the_gateway(gateway: &Gateway) -> Vec<String> {
    let mut sessions = Vec::new();
    for user in 0..FEW_USERS {
        for tool in 0..TOOLKITS {
            let request = json!({
                "user_id": format!("user_{user}"),
                "toolkit": format!("tool{tool}"),
                "credential": { "authScheme": "API_KEY", "val": { "api_key": "a-secret-of-usual-length" } },
            });
            gateway.import_account(read_json(request.to_string().as_bytes()).unwrap()).await.unwrap();
        }
        let request = json!({ "user_id": format!("user_{user}") }).to_string();
        let session = gateway.create_session(read_json(request.as_bytes()).unwrap(), deadline()).await;
        sessions.push(session.unwrap().session_id);
    }
    sessions
}

/// All further users: copies of the first one's rows, older than all that are there.
async fn fill_through_sql(pool: &SqlitePool, users: usize) {
    let numbers = format!(
        "WITH RECURSIVE users (n) AS (SELECT {FEW_USERS} UNION ALL SELECT n + 1 FROM users WHERE n + 1 < {users}) "
    );
    let accounts = format!(
        "{numbers} INSERT INTO connected_accounts (id, user_id, toolkit, auth_config_id, word_id, auth_scheme, \
         own_status, credential, key_id, created_at, updated_at) \
         SELECT 'ca_' || n || '_' || a.toolkit, 'user_' || n, a.toolkit, a.auth_config_id, a.word_id, \
         a.auth_scheme, 'ACTIVE', a.credential, a.key_id, a.created_at - n * 1000, a.updated_at - n * 1000 \
         FROM users, connected_accounts a WHERE a.user_id = 'user_0'"
    );
    let sessions = format!(
        "{numbers} INSERT INTO sessions (id, user_id, config, version, created_at, updated_at) \
         SELECT 'trs_' || n, 'user_' || n, s.config, 1, s.created_at, s.updated_at \
         FROM users, sessions s WHERE s.user_id = 'user_0'"
    );
    let calls = format!(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {MANY_CALLS}) \
         INSERT INTO calls (at, user_id, toolkit, method, host, path, outcome, status, bytes, duration_us) \
         SELECT n, 'user_' || n, 'tool3', 'GET', 'api.example.com', '/', 'answered', 200, 1000, 1000 FROM numbers"
    );
    let mut transaction = pool.begin().await.unwrap();
    for statement in [accounts, sessions, calls] {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut *transaction).await.unwrap();
    }
    transaction.commit().await.unwrap();
    let rows =
        sqlx::query("SELECT (SELECT count(*) FROM connected_accounts), (SELECT count(*) FROM sessions)")
            .fetch_one(pool)
            .await
            .unwrap();
    assert_eq!((rows.get::<i64, _>(0), rows.get::<i64, _>(1)), (1_000_000, 100_000));
}

async fn config_of(gateway: &Gateway) -> String {
    let request = ListAccounts { toolkit_slugs: vec!["tool3".to_owned()], ..ListAccounts::default() };
    gateway.list_accounts(request).await.unwrap().items.swap_remove(0).auth_config.id
}

async fn middle_of_the_list(gateway: &Gateway) -> String {
    let (mut request, mut seen) = (ListAccounts { limit: Some(50), ..ListAccounts::default() }, 0);
    loop {
        let page = gateway.list_accounts(request).await.unwrap();
        seen += page.items.len();
        let more = usize::try_from(page.total_items).unwrap();
        if seen * 2 >= more {
            return page.next_cursor.unwrap();
        }
        request = ListAccounts { limit: Some(1_000), cursor: page.next_cursor, ..ListAccounts::default() };
    }
}

/// The medians of many runs in both stores, in turn, so that a busy machine is as bad for one as for the other.
async fn time<'a>(few: &'a Store, many: &'a Store, run: impl AsyncFn(&'a Store)) -> [Duration; 2] {
    let mut times = [Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS)];
    for round in 0..WARM_UP + ROUNDS {
        for (store, times) in [few, many].into_iter().zip(&mut times) {
            let started = Instant::now();
            run(store).await;
            if round >= WARM_UP {
                times.push(started.elapsed());
            }
        }
    }
    times.map(|mut times| {
        times.sort();
        times[ROUNDS / 2]
    })
}

/// How SQLite finds the account of a call.
async fn print_plan(pool: &SqlitePool) {
    let plan = sqlx::query(
        "EXPLAIN QUERY PLAN SELECT a.*, c.status FROM connected_accounts a JOIN auth_configs c \
         ON c.id = a.auth_config_id WHERE a.user_id = 'user_7' AND a.toolkit = 'tool3' \
         ORDER BY a.status = 'ACTIVE' DESC, a.created_at DESC LIMIT 1",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    println!();
    for step in plan {
        println!("{}", step.get::<String, _>("detail"));
    }
}

fn deadline() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}
