use proxy_execute_protocol::{AccountStatus, SecretJson, read_json};
use proxy_execute_store::AccountChange;
use serde_json::json;

use super::*;
use crate::gateway::{Gateway, GatewayOptions};
use crate::toolkit::ToolkitSource;

/// A gateway with an account that looks refreshable. Its provider does not exist.
async fn gateway() -> (Gateway, StoredAccount) {
    let toolkit = json!({
        "slug": "oauth", "name": "OAuth", "base_url": "https://api.example",
        "schemes": { "OAUTH2": {
            "headers": { "Authorization": "Bearer {{access_token}}" },
            "authorization_server": { "token_url": "https://api.example/token" },
        } },
    });
    let options =
        GatewayOptions { toolkits: vec![ToolkitSource::Definition(toolkit)], ..GatewayOptions::default() };
    let gateway = Gateway::open(options).await.unwrap();
    let request = json!({
        "user_id": "ann", "toolkit": "oauth",
        "credential": { "authScheme": "OAUTH2", "val": { "access_token": "a", "refresh_token": "r" } },
    });
    let request = read_json(request.to_string().as_bytes()).unwrap();
    let id = gateway.import_account(request).await.unwrap().id;
    let account = gateway.accounts.find(&id).await.unwrap();
    (gateway, account)
}

fn renewed_with(gateway: &Gateway, account: &StoredAccount, token: &str) -> RefreshEnd {
    let val = SecretJson::new(json!({ "access_token": token, "refresh_token": "r" }).to_string());
    let tokens = &gateway.tokens;
    RefreshEnd::Renewed(
        gateway.accounts.sealed(&account.id, AuthScheme::OAuth2, &val, tokens.clock.now()).unwrap(),
    )
}

fn failed_for_now(may_be_done: bool) -> RefreshEnd {
    RefreshEnd::Failed { problem: "no".to_owned(), retry_at: 0, may_be_done, refusals: 0 }
}

#[tokio::test]
async fn one_holder_at_a_time_has_the_lease() {
    let (gateway, account) = gateway().await;
    let store = &gateway.tokens.store;
    assert_eq!(store.begin_refresh(&account, "a", LEASE).await.unwrap(), Some(0));
    assert_eq!(store.begin_refresh(&account, "b", LEASE).await.unwrap(), None);
    assert_eq!(store.begin_refresh(&account, "a", LEASE).await.unwrap(), None);
    assert!(store.end_refresh(&account, "a", &failed_for_now(true)).await.unwrap());
    assert_eq!(store.begin_refresh(&account, "b", LEASE).await.unwrap(), None, "it has failed meanwhile");
    let account = gateway.accounts.find(&account.id).await.unwrap();
    assert_eq!(
        store.begin_refresh(&account, "b", LEASE).await.unwrap(),
        Some(1),
        "one refresh got no response"
    );
}

#[tokio::test]
async fn a_holder_that_lost_the_lease_changes_nothing() {
    let (gateway, account) = gateway().await;
    let store = &gateway.tokens.store;
    let begin =
        async |holder: &'static str, lease| store.begin_refresh(&account, holder, lease).await.unwrap();
    assert_eq!(begin("late", Duration::ZERO).await, Some(0));
    assert_eq!(begin("next", LEASE).await, Some(1));
    for end in [
        renewed_with(&gateway, &account, "late"),
        failed_for_now(true),
        RefreshEnd::Refused("late".to_owned()),
    ] {
        assert!(!store.end_refresh(&account, "late", &end).await.unwrap(), "while the next one is at it");
    }
    assert!(store.end_refresh(&account, "next", &renewed_with(&gateway, &account, "next")).await.unwrap());
    let end = renewed_with(&gateway, &account, "late");
    assert!(!store.end_refresh(&account, "late", &end).await.unwrap(), "and afterwards");
    assert!(!store.end_refresh(&account, "next", &end).await.unwrap(), "nor twice");

    let now = gateway.accounts.find(&account.id).await.unwrap();
    assert_eq!((now.credential_version, now.status), (1, AccountStatus::Active));
    let val = gateway.accounts.val(&now).unwrap();
    assert!(val.expose().contains("next"), "what is stored is the next one's");
    assert_eq!(begin("again", LEASE).await, None, "what was seen is not there any more");
}

#[tokio::test]
async fn a_credential_that_was_replaced_during_a_refresh_stays() {
    let (gateway, account) = gateway().await;
    let tokens = &gateway.tokens;
    tokens.store.begin_refresh(&account, "a", LEASE).await.unwrap();
    let val = SecretJson::new(r#"{"access_token":"given"}"#.to_owned());
    let toolkit = tokens.catalogue.get("oauth").unwrap();
    let config = gateway.auth_configs.find(&account.auth_config_id).await.unwrap();
    let of_a_link = gateway.accounts.activated(toolkit, &config, &account, &val).unwrap();
    assert!(!tokens.store.update_account(&account.id, &of_a_link).await.unwrap(), "a link waits for the end");
    let change = AccountChange { of_version: None, ..of_a_link };
    assert!(tokens.store.update_account(&account.id, &change).await.unwrap());
    assert!(
        !tokens.store.end_refresh(&account, "a", &renewed_with(&gateway, &account, "old")).await.unwrap()
    );
    let now = gateway.accounts.find(&account.id).await.unwrap();
    assert!(gateway.accounts.val(&now).unwrap().expose().contains("given"));
}

#[tokio::test]
async fn a_refresh_that_was_not_sent_is_not_in_doubt() {
    let (gateway, mut account) = gateway().await;
    let store = &gateway.tokens.store;
    for (may_be_done, unanswered) in [(false, 0), (false, 0), (true, 0), (false, 1), (true, 1)] {
        assert_eq!(store.begin_refresh(&account, "a", LEASE).await.unwrap(), Some(unanswered));
        assert!(store.end_refresh(&account, "a", &failed_for_now(may_be_done)).await.unwrap());
        account = gateway.accounts.find(&account.id).await.unwrap();
    }
}

#[tokio::test]
async fn no_refresh_begins_once_the_gateway_has_ended() {
    let (gateway, account) = gateway().await;
    let tokens = &gateway.tokens;
    let client = json!({ "type": "default", "credentials": { "client_id": "c", "client_secret": "s" } });
    let client = read_json(client.to_string().as_bytes()).unwrap();
    gateway.auth_configs.update(&account.auth_config_id, client).await.unwrap();
    tokens.lifecycle.ended.cancel();
    tokens.replace(&account.id, account.credential_version, Reason::Needed).await.unwrap();
    let begun = tokens.store.begin_refresh(&account, "next", LEASE).await.unwrap();
    assert_eq!(begun, Some(0), "the lease is free, and nothing is in doubt");
}

#[test]
fn pauses_double_up_to_a_quarter_of_an_hour() {
    for (failures, least) in [(0, 30), (1, 60), (2, 120), (4, 480), (5, 900), (100, 900), (u32::MAX, 900)] {
        let pause = pause_after(failures);
        assert!((least * 1_000..=least * 1_200).contains(&pause), "{failures}: {pause}");
    }
}
