//! Users: what a gateway has of a user is exported, and deleted everywhere.

use proxy_execute_gateway::GatewayOptions;
use proxy_execute_protocol::{Backend, CallFilter, ErrorKind, ListAudit, Result, read_json};
use proxy_execute_server::Embedded;
use serde_json::{Value, json};

use crate::refresh::{self, User, taken_back, taking_back, tokens};
use crate::support::{
    Caller, Step, Upstream, answer, assert_error, call, credential, get, import, read_session, resource,
    session, soon,
};

async fn records(gateway: &Embedded, user: &str, query: Value) -> Result<Value> {
    let request = json!({ "method": "GET", "path": ["users", user, "records"], "query": query });
    let request = read_json(request.to_string().as_bytes()).unwrap();
    let page = soon(gateway.resource(request, crate::support::deadline())).await?;
    Ok(serde_json::from_str(&page).unwrap())
}

/// All records of a user, read in pages of this size.
async fn all_records(gateway: &Embedded, user: &str, limit: &str) -> Vec<Value> {
    let (mut all, mut query) = (Vec::new(), json!([["limit", limit]]));
    loop {
        let page = records(gateway, user, query).await.unwrap();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= limit.parse().unwrap());
        all.extend(items.iter().cloned());
        match page["next_cursor"].as_str() {
            Some(cursor) => query = json!([["limit", limit], ["cursor", cursor]]),
            None => return all,
        }
    }
}

fn kinds(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["kind"].as_str().unwrap()).collect()
}

async fn delete(gateway: &Embedded, user: &str) -> Value {
    resource(gateway, "DELETE", &["users", user], Value::Null).await.unwrap()
}

#[tokio::test]
async fn a_deleted_user_leaves_nothing_behind_and_others_keep_theirs() {
    let provider = taking_back(200).await;
    let user = User::with(refresh::options(&provider), provider, tokens(3600)).await;
    let gateway = &user.gateway;
    user.call().await.unwrap();
    let before = all_records(gateway, "ann", "100").await;
    assert_eq!(kinds(&before), ["connected_account", "session", "call", "event"]);
    for limit in ["1", "2", "3"] {
        assert_eq!(all_records(gateway, "ann", limit).await, before);
    }
    let text = Value::from(before).to_string();
    assert!(!text.contains("access-0") && !text.contains("refresh-0"), "{text}");

    let deleted = delete(gateway, "ann").await;
    let expected = json!({ "user_id": "ann", "sessions": 1, "connected_accounts": 1, "revoked_tokens": 2,
        "not_revoked": [], "shared_accounts": 0, "files": 0, "calls": 1, "events": 1 });
    assert_eq!(deleted, expected);
    assert_eq!(taken_back(&user.provider).len(), 2);
    let session = read_session(gateway, &user.session).await;
    assert_error(session, ErrorKind::SessionNotFound, "deleted");
    assert_error(gateway.account(&user.account).await, ErrorKind::AccountNotFound, &user.account);
    // Readers of events learn that the account is gone.
    let left = all_records(gateway, "ann", "100").await;
    assert_eq!(kinds(&left), ["event"]);
    assert_eq!(left[0]["record"]["type"], "connected_account.deleted");
    let audited = gateway.audit.list(ListAudit::default()).await.unwrap();
    assert_eq!((&*audited.items[0].action, &*audited.items[0].target), ("user.deleted", "ann"));

    let again = delete(gateway, "ann").await;
    assert_eq!((&again["sessions"], &again["events"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn a_token_that_the_provider_keeps_is_named() {
    let provider = taking_back(500).await;
    let user = User::with(refresh::options(&provider), provider, tokens(3600)).await;
    let deleted = delete(&user.gateway, "ann").await;
    assert_eq!((&deleted["connected_accounts"], &deleted["revoked_tokens"]), (&json!(1), &json!(0)));
    let why = deleted["not_revoked"][0].as_str().unwrap();
    assert!(why.starts_with(&user.account) && why.contains("500"), "{why}");
}

#[tokio::test]
async fn only_the_files_calls_and_grants_of_the_user_are_deleted() {
    let upstream = Upstream::with(|request| {
        Step::Send(match request.target.as_str() {
            "/v1/file" => answer(200, &["content-type: application/pdf"], "%PDF"),
            _ => answer(200, &["content-type: application/json"], "{}"),
        })
    })
    .await;
    let caller = Caller::new(&upstream, "header", "secret").await;
    let gateway = &caller.gateway;
    // This id would lead elsewhere as a part of a path.
    let bob = "slack:T1/ü?#%2F";
    let shared = import(gateway, bob, "header", credential("header", "of-bob")).await;
    let bobs = session(gateway, bob).await;
    let mut urls = Vec::new();
    for session in [&caller.session, &bobs] {
        let request = json!({ "toolkit_slug": "header", "endpoint": "/file", "method": "GET" });
        let file = call(gateway, session, request).await.unwrap();
        urls.push(file.json()["binary_data"]["url"].as_str().unwrap().to_owned());
        call(gateway, session, get("header")).await.unwrap();
    }
    let request = json!({ "auth_config": { "id": shared.auth_config.id }, "connection": { "user_id": "zoe",
        "state": { "authScheme": "API_KEY", "val": { "api_key": "k" } },
        "experimental": { "account_type": "SHARED", "acl_config_for_shared": {
            "allowed_user_ids": [bob, "ann"], "not_allowed_user_ids": [bob] } } } });
    let of_zoe = resource(gateway, "POST", &["connected_accounts"], request).await.unwrap();

    let deleted = delete(gateway, bob).await;
    let expected = json!({ "user_id": bob, "sessions": 1, "connected_accounts": 1, "revoked_tokens": 0,
        "not_revoked": [], "shared_accounts": 1, "files": 1, "calls": 2, "events": 1 });
    assert_eq!(deleted, expected);
    assert_eq!(soon(gateway.files.download(&urls[0])).await.unwrap().size, Some(4));
    assert_error(
        soon(gateway.files.download(&urls[1])).await.map(drop),
        ErrorKind::FileNotFound,
        "no longer",
    );
    let of_ann = CallFilter { user_id: Some("ann".to_owned()), ..CallFilter::newest(10) };
    assert_eq!(gateway.calls(&of_ann).await.unwrap().len(), 2);
    assert_eq!(gateway.calls(&CallFilter::newest(10)).await.unwrap().len(), 2);
    let path = ["connected_accounts", of_zoe["id"].as_str().unwrap()];
    let acl = resource(gateway, "GET", &path, Value::Null).await.unwrap();
    let acl = &acl["experimental"]["acl_config_for_shared"];
    assert_eq!(acl["allowed_user_ids"], json!(["ann"]));
    assert_eq!(acl["not_allowed_user_ids"], json!([bob]));
    caller.get().await.unwrap();
}

#[tokio::test]
async fn a_user_that_cannot_be_is_refused() {
    let gateway = Embedded::open(GatewayOptions::default()).await.unwrap();
    let long = "x".repeat(100_000);
    for (user, says) in [("", "user_id"), (long.as_str(), "user_id")] {
        let deleted = gateway.users.delete(user).await;
        assert_error(deleted, ErrorKind::InvalidRequest, says);
    }
    for query in [json!([["limit", "0"]]), json!([["cursor", "calls.x"]]), json!([["limit", "1001"]])] {
        assert_error(records(&gateway, "ann", query).await, ErrorKind::InvalidRequest, "");
    }
    let none = records(&gateway, "ann", json!([])).await.unwrap();
    assert_eq!(none, json!({ "items": [], "next_cursor": null }));
}
