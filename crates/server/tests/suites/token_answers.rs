//! The account's state after each response of a token endpoint in `cases/token-answers.json`: each row is a
//! refresh that a call starts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::future::join_all;
use proxy_execute_gateway::{GatewayOptions, ToolkitSource};
use proxy_execute_protocol::{Backend, ErrorKind, Result, read_json};
use proxy_execute_server::Embedded;
use serde_json::{Value, json};
use sqlx::SqlitePool;
use tempfile::TempDir;
use url::form_urlencoded;

use crate::support::{
    Answer, Step, Upstream, answer, assert_error, call, deadline, json_answer, session, soon,
};

/// The token that accounts have in the beginning.
const OLD: &str = "refresh-old-canary";

/// One account for each row, with a toolkit of its own, in one gateway.
struct Accounts {
    gateway: Embedded,
    provider: Upstream,
    /// Session and account of each row.
    ids: Vec<(String, String)>,
}

impl Accounts {
    /// Each token endpoint sends the response of its row once, and issues tokens afterwards.
    async fn of(rows: &[Value], store: &TempDir) -> Self {
        let (responses, asked) = (rows.to_vec(), Arc::new(Mutex::new(BTreeMap::<usize, usize>::new())));
        let provider = Upstream::with(move |request| {
            let Some(number) = request.target.strip_prefix("/token/") else {
                return json_answer(json!(request.header("authorization")).to_string());
            };
            let number: usize = number.parse().unwrap();
            let mut asked = asked.lock().unwrap();
            let before = asked.entry(number).or_default();
            *before += 1;
            if *before <= responses[number]["times"].as_u64().unwrap_or(1) as usize {
                response(&responses[number])
            } else {
                json_answer(json!({ "access_token": "access-again", "expires_in": 3600 }).to_string())
            }
        })
        .await;
        let toolkit = |(number, row): (usize, &Value)| {
            let mut server = json!({ "token_url": format!("{}/token/{number}", provider.origin()) });
            server.as_object_mut().unwrap().extend(row["rules"].as_object().cloned().unwrap_or_default());
            ToolkitSource::Definition(json!({
                "slug": format!("row-{number}"), "name": "Row", "base_url": format!("{}/v1", provider.origin()),
                "schemes": { "OAUTH2": {
                    "headers": { "Authorization": "Bearer {{access_token}}" }, "authorization_server": server,
                } },
            }))
        };
        let options = GatewayOptions {
            toolkits: rows.iter().enumerate().map(toolkit).collect(),
            allow_private_hosts: vec!["127.0.0.1".to_owned()],
            store: Some(store.path().join("gateway.db").display().to_string()),
            encryption_key: Some("11".repeat(32).into()),
            ..GatewayOptions::default()
        };
        let clock = options.clock.clone();
        let gateway = Embedded::open(options).await.unwrap();
        let mut ids = Vec::new();
        let session = session(&gateway, "ann").await;
        for number in 0..rows.len() {
            let client = json!({ "client_id": "the-client", "client_secret": "canary-client-secret" });
            let request = json!({
                "toolkit": { "slug": format!("row-{number}") },
                "auth_config": { "type": "use_custom_auth", "authScheme": "OAUTH2", "credentials": client },
            });
            let config = resource(&gateway, "POST", &["auth_configs"], request).await.unwrap();
            let val = json!({ "access_token": "access-old", "refresh_token": OLD, "expires_in": 1 });
            let request = json!({
                "user_id": "ann", "toolkit": format!("row-{number}"), "auth_config_id": config["auth_config"]["id"],
                "credential": { "authScheme": "OAUTH2", "val": val },
            });
            let request = read_json(request.to_string().as_bytes()).unwrap();
            ids.push((session.clone(), gateway.import_account(request).await.unwrap().id));
        }
        clock.advance(Duration::from_millis(1_050));
        Self { gateway, provider, ids }
    }

    async fn call(&self, number: usize) -> Result<Answer> {
        let request = json!({ "toolkit_slug": format!("row-{number}"), "endpoint": "/x", "method": "GET" });
        call(&self.gateway, &self.ids[number].0, request).await
    }

    async fn account(&self, number: usize) -> Value {
        let path = ["connected_accounts", &self.ids[number].1];
        resource(&self.gateway, "GET", &path, Value::Null).await.unwrap()
    }

    async fn refresh(&self, number: usize) -> Result<Value> {
        let path = ["connected_accounts", &self.ids[number].1, "refresh"];
        resource(&self.gateway, "POST", &path, Value::Null).await
    }

    /// The refresh tokens that were spent.
    fn spent(&self, number: usize) -> Vec<String> {
        let target = format!("/token/{number}");
        let all = self.provider.requests();
        let asked = all.iter().filter(|request| request.target == target);
        let token = |body: &[u8]| {
            form_urlencoded::parse(body).find(|(name, _)| name == "refresh_token").unwrap().1.into_owned()
        };
        asked.map(|request| token(&request.body)).collect()
    }
}

async fn resource(gateway: &Embedded, method: &str, path: &[&str], body: Value) -> Result<Value> {
    let request = json!({ "method": method, "path": path, "body": body });
    let answer =
        soon(gateway.resource(read_json(request.to_string().as_bytes()).unwrap(), deadline())).await?;
    Ok(serde_json::from_str(&answer).unwrap())
}

fn response(row: &Value) -> Step {
    let body = match &row["body"] {
        Value::String(text) => text.clone(),
        body => body.to_string(),
    };
    let in_an_hour = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 3_600;
    let body = body.replace("{{refresh_token}}", OLD).replace("{{in_an_hour}}", &in_an_hour.to_string());
    let given: Option<Vec<_>> = row["headers"]
        .as_array()
        .map(|headers| headers.iter().map(|header| header.as_str().unwrap()).collect());
    let mut headers = given.clone().unwrap_or_default();
    if given.is_none_or(|given| {
        !given.is_empty() && !given.iter().any(|header| header.starts_with("content-type"))
    }) {
        headers.push("content-type: application/json");
    }
    Step::Send(answer(row["status"].as_u64().unwrap() as u16, &headers, body))
}

/// The difference between the account of a row and the expected account.
async fn problem(accounts: &Accounts, number: usize, row: &Value) -> Option<String> {
    let called = accounts.call(number).await;
    let account = accounts.account(number).await;
    let (status, reason) = (account["status"].as_str().unwrap(), account["status_reason"].as_str());
    let told = called.as_ref().map_or_else(|error| format!("{error} {error:?}"), |_| String::new());
    let all = format!("{told} {account}");
    if all.contains("canary") {
        return Some(format!("a secret is shown: {all}"));
    }
    let kind = called.as_ref().err().map(|error| error.kind());
    let says = |text: &str| told.contains(text) || reason.is_some_and(|reason| reason.contains(text));
    let is_refused = says("the provider refuses it");
    let is_right = match row["expect"].as_str().unwrap() {
        "later" => status == "ACTIVE" && kind == Some(ErrorKind::TokenRefreshFailed) && !is_refused,
        "unknown" => status == "ACTIVE" && kind == Some(ErrorKind::TokenRefreshFailed) && is_refused,
        "expired" => {
            status == "EXPIRED"
                && kind == Some(ErrorKind::AccountUnusable)
                && says("does not accept the refresh token")
        }
        "client" => {
            status == "EXPIRED"
                && kind == Some(ErrorKind::AccountUnusable)
                && says("the client of auth config")
        }
        "granted" => {
            status == "ACTIVE" && called.as_ref().is_ok_and(|answer| answer.data() == "Bearer access-new")
        }
        other => panic!("{other}"),
    };
    if !is_right {
        return Some(format!("it is {status}: {told} {reason:?}"));
    }
    if let Some(wait) = row["wait"].as_u64() {
        let told = called.as_ref().unwrap_err().retry_after().unwrap_or_default().as_secs();
        if !(wait - 5..=wait).contains(&told) {
            return Some(format!("it is tried again after {told} s"));
        }
    }
    if row["expect"] == "granted" {
        let (expected, found) = (row["expires_in"].as_u64(), account["state"]["val"]["expires_in"].as_u64());
        if expected.is_some() != found.is_some() || expected.unwrap_or(0).abs_diff(found.unwrap_or(0)) > 10 {
            return Some(format!("it lives for {found:?} s"));
        }
    }
    // A requested refresh spends the current refresh token.
    let next = match row["expect"] == "granted" && row["refresh_token"].is_null() {
        true => "refresh-new",
        false => OLD,
    };
    match accounts.refresh(number).await {
        Ok(account) if account["status"] == "ACTIVE" => {}
        other => return Some(format!("it is not refreshed: {other:?}")),
    }
    let spent = accounts.spent(number);
    (spent != [OLD, next]).then(|| format!("it spent {spent:?}"))
}

#[tokio::test]
async fn each_response_is_read_as_the_table_says() {
    let rows: Vec<Value> =
        serde_json::from_str(include_str!("../../../../cases/token-answers.json")).unwrap();
    assert!(rows.len() > 100);
    let folder = tempfile::tempdir().unwrap();
    let accounts = Accounts::of(&rows, &folder).await;
    let problems = join_all(rows.iter().enumerate().map(async |(number, row)| {
        let problem = problem(&accounts, number, row).await?;
        Some(format!("{}: should be {}, but {problem}", row["id"], row["expect"]))
    }));
    let problems: Vec<_> = problems.await.into_iter().flatten().collect();
    assert!(problems.is_empty(), "{} rows:\n{}", problems.len(), problems.join("\n"));
    accounts.gateway.close().await;
}

#[tokio::test]
async fn unknown_refusals_expire_an_account_after_a_few_refreshes_with_pauses() {
    let folder = tempfile::tempdir().unwrap();
    let unknown = json!({ "status": 400, "body": { "error": "ERR_4711" }, "times": 100 });
    let accounts = Accounts::of(&[unknown], &folder).await;
    let file = format!("sqlite:{}", folder.path().join("gateway.db").display());
    let database = SqlitePool::connect(&file).await.unwrap();
    let mut pauses = Vec::new();
    // The first five are retried after growing pauses. A caller that does not wait for them expires nothing.
    for _ in 0..5 {
        sqlx::query("UPDATE connected_accounts SET retry_at = NULL").execute(&database).await.unwrap();
        let error = assert_error(accounts.refresh(0).await, ErrorKind::TokenRefreshFailed, "ERR_4711");
        pauses.push(error.retry_after().unwrap());
        for _ in 0..3 {
            assert_error(accounts.refresh(0).await, ErrorKind::TokenRefreshFailed, "ERR_4711");
            assert_eq!(accounts.account(0).await["status"], "ACTIVE");
        }
    }
    // By a fifth more at random, up to a quarter of an hour.
    assert!(pauses[0].as_secs() < 40 && pauses[1] > 2 * pauses[0], "{pauses:?}");
    assert!(pauses[2..].iter().all(|pause| (890..=1_080).contains(&pause.as_secs())), "{pauses:?}");
    sqlx::query("UPDATE connected_accounts SET retry_at = NULL").execute(&database).await.unwrap();
    assert_error(accounts.refresh(0).await, ErrorKind::AccountUnusable, "6 refreshes in a row (`ERR_4711`)");
    assert_eq!(accounts.account(0).await["status"], "EXPIRED");
    database.close().await;
    accounts.gateway.close().await;
}

#[tokio::test]
async fn unknown_refusals_count_in_a_row_only() {
    let folder = tempfile::tempdir().unwrap();
    let busy = json!({ "status": 503, "body": "" });
    let accounts = Accounts::of(&[busy], &folder).await;
    let file = format!("sqlite:{}", folder.path().join("gateway.db").display());
    let database = SqlitePool::connect(&file).await.unwrap();
    for (refresh_fails, left) in [(true, 0), (false, 0)] {
        sqlx::query("UPDATE connected_accounts SET refusals = 5, retry_at = NULL")
            .execute(&database)
            .await
            .unwrap();
        assert_eq!(accounts.refresh(0).await.is_err(), refresh_fails);
        let found: i64 =
            sqlx::query_scalar("SELECT refusals FROM connected_accounts").fetch_one(&database).await.unwrap();
        assert_eq!(found, left, "refresh fails: {refresh_fails}");
    }
    database.close().await;
    accounts.gateway.close().await;
}
