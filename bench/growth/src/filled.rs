//! A gateway on a SQLite file with a given number of accounts.

use std::time::Duration;

use proxy_execute_gateway::{GatewayOptions, ToolkitSource};
use proxy_execute_protocol::{Backend, Deadline, ResourceMethod, ResourceRequest, read_json};
use proxy_execute_server::Embedded;
use serde_json::{Value, json};
use sqlx::SqlitePool;

/// The number of toolkits. A user has one account of each.
const TOOLKITS: usize = 10;

/// The number of users whose accounts are all created through the gateway, as any caller would.
const FIRST_USERS: usize = 10;

/// The sessions of each first user, so that a small store has as many sessions as calls are spread over.
const THEIR_SESSIONS: usize = 10;

/// The number of users for whom calls are made.
///
/// A credential is sealed for its row, so each of these users has a credential of its own. The other accounts
/// are copies, and no call uses their credentials.
const CALLED_USERS: usize = 10_000;

/// The toolkit that is called.
pub(crate) const CALLED: &str = "tool3";

pub(crate) struct Filled {
    pub(crate) gateway: Embedded,
    /// The sessions of the first users, and then one of each other user.
    pub(crate) sessions: Vec<String>,
    pub(crate) config: String,
    /// The cursor of the middle of the first thousand accounts.
    pub(crate) middle: String,
    pool: SqlitePool,
    _folder: tempfile::TempDir,
}

impl Filled {
    pub(crate) async fn open(accounts: usize, upstream: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.db");
        let toolkit = |number| ToolkitSource::Definition(toolkit(number, upstream));
        let gateway = Embedded::open(GatewayOptions {
            store: Some(file.to_str().unwrap().to_owned()),
            encryption_key: Some("00".repeat(32).into()),
            toolkits: (0..TOOLKITS).map(toolkit).collect(),
            allow_private_hosts: vec![upstream.trim_start_matches("http://").to_owned()],
            ..GatewayOptions::default()
        })
        .await
        .unwrap();
        let pool = SqlitePool::connect(&format!("sqlite://{}", file.display())).await.unwrap();
        let users = accounts / TOOLKITS;
        let mut sessions = through_the_gateway(&gateway, users).await;
        if users > FIRST_USERS {
            through_sql(&pool, users).await;
        }
        sessions.extend((FIRST_USERS..users).map(|user| format!("trs_{user}")));

        let all = ask(&gateway, "connected_accounts?limit=1").await;
        assert_eq!(all["total_items"], accounts);
        let config = all["items"][0]["auth_config"]["id"].as_str().unwrap().to_owned();
        let page = ask(&gateway, &format!("connected_accounts?limit={}", 1_000.min(accounts / 2))).await;
        let middle = page["next_cursor"].as_str().unwrap().to_owned();
        Self { gateway, sessions, config, middle, pool, _folder: folder }
    }

    /// Adds this many calls to the record.
    pub(crate) async fn record(&self, calls: usize) {
        let statement = format!(
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {calls}) \
             INSERT INTO calls (at, user_id, toolkit, method, host, path, outcome, status, bytes, duration_us) \
             SELECT n, 'user_' || n, 'tool3', 'GET', 'api.example.com', '/', 'answered', 200, 1000, 1000 FROM numbers"
        );
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&self.pool).await.unwrap();
    }
}

fn toolkit(number: usize, upstream: &str) -> Value {
    json!({
        "slug": slug(number),
        "name": format!("Tool {number}"),
        "base_url": upstream,
        "schemes": { "API_KEY": { "headers": { "X-Api-Key": "{{api_key}}" } } },
    })
}

/// Creates all accounts of the first users, the called account of each other user, and the first users'
/// sessions.
async fn through_the_gateway(gateway: &Embedded, users: usize) -> Vec<String> {
    for user in 0..users.min(CALLED_USERS) {
        for toolkit in (0..TOOLKITS).map(slug).filter(|slug| user < FIRST_USERS || slug == CALLED) {
            let request = json!({
                "user_id": format!("user_{user}"),
                "toolkit": toolkit,
                "credential": { "authScheme": "API_KEY", "val": { "api_key": "a-secret-of-usual-length" } },
            });
            gateway.import_account(read_json(request.to_string().as_bytes()).unwrap()).await.unwrap();
        }
    }
    let mut sessions = Vec::new();
    for number in 0..FIRST_USERS * THEIR_SESSIONS {
        let request = json!({ "user_id": format!("user_{}", number % FIRST_USERS) }).to_string();
        let path = ["tool_router", "session"];
        let body = Some(serde_json::from_str(&request).unwrap());
        let request = ResourceRequest { body, ..ResourceRequest::new(ResourceMethod::Post, path) };
        let session = gateway.resource(request, deadline()).await.unwrap();
        let session: Value = serde_json::from_str(&session).unwrap();
        sessions.push(session["session_id"].as_str().unwrap().to_owned());
    }
    sessions
}

/// Creates the rest: copies of the first user's rows, older than all existing rows.
async fn through_sql(pool: &SqlitePool, users: usize) {
    let further_users = format!(
        "WITH RECURSIVE users (n) AS (SELECT {FIRST_USERS} UNION ALL SELECT n + 1 FROM users WHERE n + 1 < {users})"
    );
    let accounts = format!(
        "{further_users} INSERT INTO connected_accounts (id, user_id, toolkit, auth_config_id, word_id, auth_scheme, \
         own_status, credential, key_id, credential_at, renewable, connected_at, created_at, updated_at) \
         SELECT 'ca_' || n || '_' || a.toolkit, 'user_' || n, a.toolkit, a.auth_config_id, a.word_id, \
         a.auth_scheme, 'ACTIVE', a.credential, a.key_id, a.credential_at, a.renewable, \
         a.connected_at - n * 1000, a.created_at - n * 1000, a.updated_at - n * 1000 \
         FROM users, connected_accounts a WHERE a.user_id = 'user_0' AND (n >= {CALLED_USERS} OR a.toolkit <> '{CALLED}')"
    );
    let sessions = format!(
        "{further_users} INSERT INTO sessions (id, user_id, config, version, created_at, updated_at) \
         SELECT 'trs_' || n, 'user_' || n, s.config, 1, s.created_at, s.updated_at FROM users, \
         (SELECT * FROM sessions LIMIT 1) s"
    );
    let mut transaction = pool.begin().await.unwrap();
    for statement in [accounts, sessions] {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut *transaction).await.unwrap();
    }
    transaction.commit().await.unwrap();
}

fn slug(number: usize) -> String {
    format!("tool{number}")
}

/// Requests a resource, and returns the response.
pub(crate) async fn ask(gateway: &Embedded, path: &str) -> Value {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let path: Vec<_> = path.split('/').collect();
    let query: Vec<_> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
    let request = json!({ "method": "GET", "path": path, "query": query }).to_string();
    let answer = gateway.resource(read_json(request.as_bytes()).unwrap(), deadline()).await.unwrap();
    serde_json::from_str(&answer).unwrap()
}

pub(crate) fn deadline() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}
