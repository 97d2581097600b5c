//! Calls that another HTTP client wrote: its dummy credential, its methods, its redirects and its bodies.

use futures::TryStreamExt;
use proxy_execute_protocol::{Backend, ErrorKind, Result};
use serde_json::{Value, json};

use crate::support::{
    Caller, Step, Upstream, answer, assert_error, deadline, json_answer, soon, with_headers, written,
};

const SECRET: &str = "the-secret-itself";

/// The head and the bytes of a streamed response.
async fn stream(caller: &Caller, mut request: Value) -> Result<(Value, Vec<u8>)> {
    request["toolkit_slug"] = json!(caller.toolkit);
    let answer =
        soon(caller.gateway.proxy_stream(Some(&caller.session), written(request), deadline())).await?;
    let body: Vec<_> = soon(answer.body.try_collect()).await?;
    Ok((serde_json::from_str(&answer.head.into_text()).unwrap(), body.concat()))
}

#[tokio::test]
async fn the_credential_of_the_account_replaces_a_dummy() {
    for (toolkit, header, value) in [
        ("bearer", "authorization", Some("Bearer the-secret-itself")),
        ("header", "x-api-key", Some(SECRET)),
        ("basic", "authorization", Some("Basic YW5uOnRoZS1zZWNyZXQtaXRzZWxm")),
        ("query", "authorization", None),
        ("open", "authorization", None),
    ] {
        let upstream = Upstream::pleasant().await;
        let caller = Caller::new(&upstream, toolkit, SECRET).await;
        let dummies = [("Authorization", "Bearer dummy"), ("X-Other", "1"), ("X-API-Key", "dummy")];
        let request = with_headers(
            json!({ "endpoint": "/x?a=1&api_k%65y=dummy&b=%2F", "method": "GET", "keep_authorization": false }),
            if toolkit == "header" { &dummies } else { &dummies[..2] },
        );
        caller.send(request).await.unwrap();
        let sent = upstream.request();
        assert_eq!(sent.all(header), value.as_slice(), "{toolkit}");
        assert_eq!(sent.header("x-other"), Some("1"), "{toolkit}");
        let query = if toolkit == "query" {
            format!("/v1/x?a=1&b=%2F&api_key={SECRET}")
        } else {
            "/v1/x?a=1&api_k%65y=dummy&b=%2F".to_owned()
        };
        assert_eq!(sent.target, query, "{toolkit}");
    }
}

#[tokio::test]
async fn a_callers_authorization_is_kept_by_default() {
    for keep in [Value::Null, json!(true)] {
        let upstream = Upstream::pleasant().await;
        let caller = Caller::new(&upstream, "header", SECRET).await;
        let request = json!({ "endpoint": "/x", "method": "GET", "keep_authorization": keep });
        caller.send(with_headers(request, &[("Authorization", "Bearer own")])).await.unwrap();
        assert_eq!(upstream.request().header("authorization"), Some("Bearer own"));
        assert!(!upstream.request().contains(SECRET));
    }
}

#[tokio::test]
async fn every_method_reaches_the_api() {
    let upstream = Upstream::pleasant().await;
    let caller = Caller::new(&upstream, "header", SECRET).await;
    let methods = ["OPTIONS", "QUERY", "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK"];
    for method in methods.into_iter().chain(["REPORT", "SEARCH"]) {
        caller.call(method, "/x").await.unwrap();
        assert_eq!(upstream.requests().last().unwrap().method, method);
    }
    for method in ["CONNECT", "TRACE", "get", "PURGE"] {
        assert_error(caller.call(method, "/x").await, ErrorKind::InvalidRequest, "method");
    }
}

#[tokio::test]
async fn a_manual_redirect_is_the_response() {
    let redirect = || Step::Send(answer(302, &["location: /v1/y"], ""));
    let upstream = Upstream::scripted([redirect(), redirect(), json_answer("{}")]).await;
    let caller = Caller::new(&upstream, "query", SECRET).await;
    let request = |redirect| json!({ "endpoint": "/x", "method": "GET", "redirect": redirect });
    let (head, _) = stream(&caller, request("manual")).await.unwrap();
    assert_eq!((&head["status"], &head["redirected"]), (&json!(302), &json!(false)));
    assert_eq!(head["headers"]["location"], "/v1/y");
    assert_eq!(head["url"], format!("{}/v1/x", upstream.origin()));

    let (head, body) = stream(&caller, request("follow")).await.unwrap();
    assert_eq!((&head["status"], &head["redirected"]), (&json!(200), &json!(true)));
    assert_eq!(head["url"], format!("{}/v1/y", upstream.origin()));
    assert_eq!(body, b"{}");
    assert_error(stream(&caller, request("error")).await, ErrorKind::InvalidRequest, "redirect");
}

#[tokio::test]
async fn the_url_of_a_response_never_has_the_credential() {
    let upstream = Upstream::with(|request| match request.target.split('?').next().unwrap() {
        "/v1/x" => Step::Send(answer(302, &[&format!("location: /v1/y?b=2&api_key={SECRET}")], "")),
        _ => json_answer("{}"),
    })
    .await;
    let caller = Caller::new(&upstream, "query", SECRET).await;
    let (head, _) = stream(&caller, json!({ "endpoint": "/x?a=1", "method": "GET" })).await.unwrap();
    assert_eq!(head["url"], format!("{}/v1/y?b=2", upstream.origin()));
    assert!(upstream.requests()[1].contains(SECRET));
}

#[tokio::test]
async fn the_reason_phrase_is_the_servers_own() {
    let own = b"HTTP/1.1 200 Fine by me\r\ncontent-length: 0\r\n\r\n".to_vec();
    let usual = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec();
    let upstream = Upstream::scripted([Step::Send(own), Step::Send(usual)]).await;
    let caller = Caller::new(&upstream, "header", SECRET).await;
    for expected in ["Fine by me", "Not Found"] {
        let (head, _) = stream(&caller, json!({ "endpoint": "/x", "method": "GET" })).await.unwrap();
        assert_eq!(head["status_text"], expected);
    }
}

#[tokio::test]
async fn text_is_sent_unchanged_under_any_type() {
    let upstream = Upstream::pleasant().await;
    let caller = Caller::new(&upstream, "header", SECRET).await;
    let text = "{not json: \"ü\"}\n";
    let body = json!({ "text": text, "content_type": "application/json" });
    caller.send(json!({ "endpoint": "/x", "method": "POST", "binary_body": body })).await.unwrap();
    let sent = upstream.request();
    assert_eq!(sent.body, text.as_bytes());
    assert_eq!(sent.all("content-type"), ["application/json"]);
    assert_eq!(sent.all("content-length"), [text.len().to_string()]);

    let both = json!({ "text": "a", "base64": "YQ==" });
    let request = json!({ "endpoint": "/x", "method": "POST", "binary_body": both });
    assert_error(caller.send(request).await, ErrorKind::InvalidRequest, "exactly one");
}

#[tokio::test]
async fn an_endpoint_may_have_64_kib() {
    let upstream = Upstream::pleasant().await;
    let caller = Caller::new(&upstream, "header", SECRET).await;
    let long = "a".repeat(60 * 1024);
    caller.call("GET", &format!("/x?q={long}")).await.unwrap();
    assert!(upstream.request().target.ends_with(&long));
    assert_error(
        caller.call("GET", &format!("/{}", "a".repeat(64 * 1024))).await,
        ErrorKind::InvalidRequest,
        "64 KiB",
    );
}
