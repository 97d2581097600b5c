//! SHARED accounts and their ACL, in raw HTTP. `cases/acl-cases.json` is the rule.

use proxy_execute_protocol::CallFilter;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::port::{Port, assert_refused};
use crate::resources::{account, ask, auth_config, call_as, expect, ids, read, text};
use crate::support::{HttpAnswer, Upstream, get, json_answer};

async fn port() -> (Upstream, Port) {
    let upstream = Upstream::always(json_answer(r#"{"a":1}"#)).await;
    let port = Port::open(&upstream).await;
    (upstream, port)
}

/// Connects an account with the key `secret` that is shared as `experimental` says.
async fn connect(port: &Port, config: &str, user: &str, secret: &str, experimental: &Value) -> String {
    let mut request = account(config, user, secret);
    request["connection"]["experimental"] = experimental.clone();
    text(&expect(ask(port, "POST", "/connected_accounts", request).await, 201)["id"])
}

async fn create(port: &Port, user: &str, pins: &Value) -> HttpAnswer {
    let pins = json!({ "user_id": user, "connected_accounts": pins, "multi_account": { "enable": true } });
    ask(port, "POST", "/tool_router/session", pins).await
}

async fn call(port: &Port, session: &str) -> HttpAnswer {
    ask(port, "POST", &format!("/tool_router/session/{session}/proxy_execute"), get("header")).await
}

async fn set_acl(port: &Port, id: &str, acl: Value) -> HttpAnswer {
    let change = json!({ "experimental": { "acl_config_for_shared": acl } });
    ask(port, "PATCH", &format!("/connected_accounts/{id}"), change).await
}

/// A row of the table. `create` and `call` are `allowed`, or the slug of the error.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    /// The account's.
    r#type: String,
    /// The user of the session.
    user: String,
    acl: Option<Value>,
    /// Whether the session pins the account.
    pin: bool,
    /// The end of the creation of the session, and of an update with the pin.
    create: String,
    /// The end of a call in a session whose pin was allowed. `null` where no ACL ever allows the pin.
    call: Option<String>,
    why: String,
}

#[track_caller]
fn assert_ends(answer: &HttpAnswer, expected: &str, says: &str, case: &Case) {
    if expected == "allowed" {
        assert!(answer.status < 300, "{case:?}: {answer:?}");
    } else {
        let status = if expected == "SharedAccessDenied" { 403 } else { 400 };
        println!("{}: {}", case.id, case.why);
        assert_refused(answer, status, expected, says);
    }
}

#[tokio::test]
async fn the_acl_decides_as_the_table_says() {
    let (upstream, port) = port().await;
    let config = auth_config(&port, "header").await;
    let cases: Vec<Case> = serde_json::from_str(include_str!("../../../../cases/acl-cases.json")).unwrap();
    for case in &cases {
        // Each row has users of its own, so that no row finds the accounts of another.
        let of_row = |user: &str| format!("{user}-{}", case.id);
        let user = of_row(&case.user);
        let acl = case.acl.clone().map(|mut acl| {
            for list in ["allowed_user_ids", "not_allowed_user_ids"] {
                for id in acl[list].as_array_mut().unwrap() {
                    *id = json!(of_row(id.as_str().unwrap()));
                }
            }
            acl
        });
        let experimental = json!({ "account_type": case.r#type, "acl_config_for_shared": acl });
        let id = connect(&port, &config, &of_row("owner"), &case.id, &experimental).await;
        let pins = if case.pin { json!({ "header": [id] }) } else { Value::Null };

        let created = create(&port, &user, &pins).await;
        assert_ends(&created, &case.create, &id, case);
        let unpinned = text(&expect(create(&port, &user, &Value::Null).await, 201)["session_id"]);
        let path = format!("/tool_router/session/{unpinned}");
        let updated = ask(&port, "PATCH", &path, json!({ "connected_accounts": pins })).await;
        assert_ends(&updated, &case.create, &id, case);

        let Some(expected) = &case.call else { continue };
        // The session that calls pinned the account while its ACL allowed the user.
        let session = if case.create == "allowed" {
            text(&created.json()["session_id"])
        } else {
            let open = json!({ "allow_all_users": true, "not_allowed_user_ids": [] });
            expect(set_acl(&port, &id, open).await, 200);
            let session = text(&expect(create(&port, &user, &pins).await, 201)["session_id"]);
            assert_eq!(expect(call(&port, &session).await, 200)["status"], 200, "{case:?}");
            expect(set_acl(&port, &id, acl.unwrap()).await, 200);
            session
        };
        let before = upstream.requests().len();
        let called = call(&port, &session).await;
        assert_ends(&called, expected, "", case);
        let sent: Vec<_> = upstream.requests()[before..]
            .iter()
            .map(|request| request.header("x-api-key").map(str::to_owned))
            .collect();
        let expected = if expected == "allowed" { vec![Some(case.id.clone())] } else { Vec::new() };
        assert_eq!(sent, expected, "{case:?}");

        let items =
            read(&port, &format!("{}/toolkits?toolkits=header", path.replace(&unpinned, &session))).await;
        let shown = &items["items"][0]["connected_account"];
        let is_found = case.pin || case.r#type == "PRIVATE" && case.user == "owner";
        assert_eq!(shown["id"] == *id, is_found, "{case:?}: {shown}");
        if is_found {
            assert_eq!(
                shown["status"] == "ACTIVE",
                case.call.as_deref() == Some("allowed"),
                "{case:?}: {shown}"
            );
            assert_eq!(shown["user_id"], of_row("owner"));
        }
    }
}

#[tokio::test]
async fn every_creation_of_an_account_may_share_it() {
    let (_upstream, port) = port().await;
    let config = auth_config(&port, "header").await;
    let acl = json!({ "allowed_user_ids": ["bob"] });
    let shared = json!({ "account_type": "SHARED", "acl_config_for_shared": acl });
    let session = text(&expect(create(&port, "ann", &Value::Null).await, 201)["session_id"]);
    let in_session = format!("/tool_router/session/{session}/link");
    let link = json!({ "auth_config_id": config, "user_id": "ann" });
    let connection = account(&config, "ann", "k");
    let mut created = Vec::new();
    for (path, mut request, part) in [
        (in_session.as_str(), json!({ "toolkit": "header" }), ""),
        ("/connected_accounts/link", link, ""),
        ("/connected_accounts", connection, "connection"),
    ] {
        let mut with = async |experimental: &Value| {
            let place = if part.is_empty() { &mut request } else { &mut request[part] };
            place["experimental"] = experimental.clone();
            ask(&port, "POST", path, request.clone()).await
        };
        let answer = expect(with(&shared).await, 201);
        let id = text(answer.get("connected_account_id").unwrap_or(&answer["id"]));
        let shown = read(&port, &format!("/connected_accounts/{id}")).await;
        let whole =
            json!({ "allow_all_users": false, "allowed_user_ids": ["bob"], "not_allowed_user_ids": [] });
        assert_eq!(
            shown["experimental"],
            json!({ "account_type": "SHARED", "acl_config_for_shared": whole })
        );
        created.push(id);

        for private in [
            json!({ "acl_config_for_shared": acl }),
            json!({ "account_type": "PRIVATE", "acl_config_for_shared": {} }),
        ] {
            let says = "acl_config_for_shared is only valid on SHARED";
            assert_refused(&with(&private).await, 400, "InvalidRequest", says);
        }
        let many: Vec<String> = (0..1_001).map(|number| format!("user-{number}")).collect();
        for (acl, says) in [
            (json!({ "allowed_user_ids": many }), "names 1001; the limit is 1000"),
            (json!({ "not_allowed_user_ids": many }), "not_allowed_user_ids` names 1001"),
            (json!({ "allowed_user_ids": [""] }), "is empty or longer than 256"),
            (json!({ "not_allowed_user_ids": ["é".repeat(257)] }), "is empty or longer than 256"),
            (json!({ "allow_all": true }), "allow_all"),
            (json!({ "allow_all_users": "yes" }), "allow_all_users"),
        ] {
            let given = json!({ "account_type": "SHARED", "acl_config_for_shared": acl });
            assert_refused(&with(&given).await, 400, "InvalidRequest", says);
        }
        assert_refused(&with(&json!({ "account_type": "ALL" })).await, 400, "InvalidRequest", "account_type");
        let longest = json!({ "allowed_user_ids": ["é".repeat(256)] });
        let given = json!({ "account_type": "SHARED", "acl_config_for_shared": longest });
        expect(with(&given).await, 201);
    }
    // SHARED accounts appear in a list only if it asks for them.
    let listed = async |query: &str| {
        let page = read(&port, &format!("/connected_accounts?user_ids=ann&{query}")).await;
        let of_page = ids(&page);
        assert_eq!(page["total_items"], of_page.len());
        of_page
    };
    let private = read(&port, "/connected_accounts?user_ids=ann").await;
    assert_eq!(private["items"][0]["experimental"], json!({ "account_type": "PRIVATE" }));
    let private = ids(&private);
    assert_eq!(private, listed("account_type=PRIVATE").await);
    assert!(created.iter().all(|id| !private.contains(id)));
    let shared = listed("account_type=SHARED").await;
    assert_eq!(shared.len(), 6);
    assert!(created.iter().all(|id| shared.contains(id)));
    assert_eq!(listed("account_type=ALL").await.len(), shared.len() + private.len());
    // A list of all users is counted by triggers.
    for (query, count) in [("SHARED", 6), ("PRIVATE", private.len()), ("ALL", 6 + private.len())] {
        let page =
            read(&port, &format!("/connected_accounts?account_type={query}&toolkit_slugs=header")).await;
        assert_eq!(page["total_items"], count, "{query}");
        assert_eq!(ids(&page).len(), count, "{query}");
    }
    for id in &created {
        expect(ask(&port, "DELETE", &format!("/connected_accounts/{id}"), Value::Null).await, 200);
    }
    assert_eq!(read(&port, "/connected_accounts?account_type=SHARED").await["total_items"], 3);
}

#[tokio::test]
async fn a_change_of_an_acl_keeps_the_parts_that_it_does_not_name() {
    let (_upstream, port) = port().await;
    let config = auth_config(&port, "header").await;
    let id = connect(&port, &config, "ann", "k", &json!({ "account_type": "SHARED" })).await;
    let path = format!("/connected_accounts/{id}");
    for (change, whole) in [
        (json!({ "allow_all_users": true }), json!([true, [], []])),
        (json!({ "allowed_user_ids": ["bob", "cem"] }), json!([true, ["bob", "cem"], []])),
        (json!({ "not_allowed_user_ids": ["dee"] }), json!([true, ["bob", "cem"], ["dee"]])),
        (json!({ "allowed_user_ids": [], "allow_all_users": false }), json!([false, [], ["dee"]])),
        (json!({}), json!([false, [], ["dee"]])),
    ] {
        let changed = expect(set_acl(&port, &id, change.clone()).await, 200);
        assert_eq!(changed, json!({ "id": id, "status": "ACTIVE", "success": true }));
        let acl = &read(&port, &path).await["experimental"]["acl_config_for_shared"];
        let parts = json!([acl["allow_all_users"], acl["allowed_user_ids"], acl["not_allowed_user_ids"]]);
        assert_eq!(parts, whole, "{change}");
    }
    let private = connect(&port, &config, "ann", "k", &json!({})).await;
    let says = "acl_config_for_shared is only valid on SHARED";
    assert_refused(
        &set_acl(&port, &private, json!({ "allow_all_users": true })).await,
        400,
        "InvalidRequest",
        says,
    );
    let change = json!({ "experimental": { "account_type": "SHARED" } });
    let answer = ask(&port, "PATCH", &format!("/connected_accounts/{private}"), change).await;
    assert_refused(&answer, 400, "InvalidRequest", "account_type");
    let many = json!({ "allowed_user_ids": vec!["bob"; 1_001] });
    assert_refused(&set_acl(&port, &id, many).await, 400, "InvalidRequest", "names 1001");
}

#[tokio::test]
async fn a_session_pins_at_most_one_shared_account_of_a_toolkit() {
    let (_upstream, port) = port().await;
    let config = auth_config(&port, "header").await;
    let open = json!({ "account_type": "SHARED", "acl_config_for_shared": { "allow_all_users": true } });
    let first = connect(&port, &config, "ann", "1", &open).await;
    let second = connect(&port, &config, "ann", "2", &open).await;
    let own = connect(&port, &config, "bob", "3", &json!({})).await;

    let created = expect(create(&port, "bob", &json!({ "header": [first, own] })).await, 201);
    assert_eq!(created["config"]["connected_accounts"], json!({ "header": [first, own] }));
    let both = json!({ "header": [own, first, second] });
    let path = format!("/tool_router/session/{}", text(&created["session_id"]));
    let updated = ask(&port, "PATCH", &path, json!({ "connected_accounts": both })).await;
    for refused in [create(&port, "bob", &both).await, updated] {
        let says = format!(
            "Toolkit \"header\" has 2 SHARED connections pinned ({first}, {second}). At most one SHARED connection \
             is allowed per toolkit in a session."
        );
        assert_refused(&refused, 400, "ToolRouterV2_MultipleSharedAccountsPerToolkit", &says);
        assert_eq!(refused.json()["error"]["code"], 4347);
    }
    // A disabled one is refused at once, and a user with a pinned account opens no link.
    expect(
        ask(&port, "PATCH", &format!("/connected_accounts/{first}/status"), json!({ "enabled": false }))
            .await,
        200,
    );
    let says = format!("`{first}` is disabled");
    let refused = create(&port, "bob", &json!({ "header": [first] })).await;
    assert_refused(&refused, 400, "ToolRouterV2_InvalidConnectedAccountIds", &says);
    let link = ask(&port, "POST", &format!("{path}/link"), json!({ "toolkit": "header" })).await;
    assert_refused(&link, 400, "ToolRouterV2_BadRequest", "pins an account");
}

#[tokio::test]
async fn a_call_outside_of_a_session_cannot_use_a_shared_account() {
    let (upstream, port) = port().await;
    let config = auth_config(&port, "header").await;
    let open = json!({ "account_type": "SHARED", "acl_config_for_shared": { "allow_all_users": true } });
    let id = connect(&port, &config, "ann", "k", &open).await;
    assert_refused(&call_as(&port, &id).await, 403, "SharedAccessDenied", &id);
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn the_record_names_the_user_that_acted_and_the_account() {
    let (_upstream, port) = port().await;
    let config = auth_config(&port, "header").await;
    let open = json!({ "account_type": "SHARED", "acl_config_for_shared": { "allow_all_users": true } });
    let id = connect(&port, &config, "ann", "k", &open).await;
    let session = text(&expect(create(&port, "bob", &json!({ "header": [id] })).await, 201)["session_id"]);
    expect(call(&port, &session).await, 200);
    let private = connect(&port, &config, "cem", "k", &json!({})).await;
    expect(call_as(&port, &private).await, 200);
    let calls = port.caller.gateway.calls(&CallFilter::newest(2)).await.unwrap();
    let users: Vec<_> = calls
        .iter()
        .map(|call| (call.user_id.as_deref().unwrap(), call.connected_account_id.as_deref().unwrap()))
        .collect();
    assert_eq!(users, [("cem", private.as_str()), ("bob", id.as_str())]);
}
