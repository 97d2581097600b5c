//! The targets of redirects, and the headers that they get: `cases/redirect-cases.json` on the wire.

use proxy_execute_gateway::GatewayOptions;
use proxy_execute_protocol::ErrorKind;
use serde_json::json;

use crate::support::{
    Caller, Request, Step, Upstream, answer, assert_error, get, json_answer, options, with_headers,
};

const STATUSES: [u16; 5] = [301, 302, 303, 307, 308];
const SCHEMES: [&str; 4] = ["bearer", "header", "query", "basic"];
const SECRET: &str = "the-secret-itself";

fn redirect(status: u16, location: &str) -> Step {
    Step::Send(answer(status, &[&format!("location: {location}")], ""))
}

fn path(request: &Request) -> &str {
    request.target.split('?').next().unwrap()
}

/// Whether the account's credential is in a request, in the form that its scheme has.
fn has_credential(request: &Request, toolkit: &str) -> bool {
    match toolkit {
        "bearer" => request.header("authorization") == Some(&format!("Bearer {SECRET}")),
        "header" => request.header("x-api-key") == Some(SECRET),
        "query" => request.target.ends_with(&format!("api_key={SECRET}")),
        "basic" => request.header("authorization") == Some("Basic YW5uOnRoZS1zZWNyZXQtaXRzZWxm"),
        _ => unreachable!(),
    }
}

#[tokio::test]
async fn the_credential_stays_on_the_exact_origin_for_the_whole_chain() {
    for status in STATUSES {
        for method in ["GET", "HEAD"] {
            for toolkit in SCHEMES {
                the_credential_stays(status, method, toolkit).await;
            }
        }
    }
}

/// The chain: own origin → own origin → other origin → other origin → own origin.
async fn the_credential_stays(status: u16, method: &str, toolkit: &str) {
    let home = std::sync::Arc::new(std::sync::OnceLock::<String>::new());
    let home_origin = std::sync::Arc::clone(&home);
    let abroad = Upstream::with(move |request| match path(request) {
        "/first" => redirect(status, "/second?own=1"),
        _ => redirect(status, &format!("{}/back", home_origin.get().unwrap())),
    })
    .await;
    let away = format!("{}/first", abroad.origin());
    let upstream = Upstream::with(move |request| match path(request) {
        "/v1/x" => redirect(status, "y"),
        "/v1/y" => redirect(status, &away),
        _ => Step::Send(answer(200, &["x-end: 1"], "")),
    })
    .await;
    home.set(upstream.origin().to_owned()).unwrap();

    let caller = Caller::new(&upstream, toolkit, SECRET).await;
    let request = with_headers(
        json!({ "endpoint": "/x", "method": method }),
        &[("X-Caller-Secret", "s"), ("Cookie", "s=1"), ("Accept", "text/x"), ("Range", "bytes=0-1")],
    );
    let answer = caller.send(request).await.unwrap();
    let case = format!("{status} {method} {toolkit}");
    assert_eq!((answer.status(), answer.header("x-end").as_deref()), (200, Some("1")), "{case}");

    let at_home = upstream.requests();
    assert_eq!(at_home.iter().map(path).collect::<Vec<_>>(), ["/v1/x", "/v1/y", "/back"], "{case}");
    assert!(at_home.iter().chain(&abroad.requests()).all(|request| request.method == method), "{case}");
    for request in &at_home[..2] {
        assert!(has_credential(request, toolkit), "{case}: {request:?}");
        assert_eq!(request.header("x-caller-secret"), Some("s"), "{case}");
        assert_eq!(request.header("referer"), None, "{case}");
    }
    let strangers = [abroad.requests().as_slice(), &at_home[2..]].concat();
    assert_eq!(strangers.len(), 3, "{case}");
    for request in strangers {
        let mut names: Vec<_> = request.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "accept-encoding", "host", "range", "user-agent"], "{case}");
        assert_eq!(request.header("accept"), Some("text/x"));
        for secret in [SECRET, "api_key", "YW5uOnRoZS1zZWNyZXQtaXRzZWxm"] {
            assert!(!request.contains(secret), "{case}: {request:?}");
        }
    }
}

#[tokio::test]
async fn a_callers_own_authorization_stays_on_the_origin_too() {
    let abroad = Upstream::pleasant().await;
    let away = abroad.origin().to_owned();
    let upstream = Upstream::with(move |_| redirect(302, &away)).await;
    let caller = Caller::new(&upstream, "bearer", SECRET).await;
    caller
        .send(with_headers(get("bearer"), &[("Authorization", "Custom mine"), ("X-Token", "mine")]))
        .await
        .unwrap();
    assert_eq!(upstream.request().header("authorization"), Some("Custom mine"));
    assert!(!abroad.request().contains("mine"));
}

#[tokio::test]
async fn a_redirect_of_a_write_is_returned_unchanged() {
    let abroad = Upstream::pleasant().await;
    for status in STATUSES {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            for location in ["/v1/y".to_owned(), format!("{}/y", abroad.origin())] {
                let at = location.clone();
                let upstream = Upstream::with(move |_| redirect(status, &at)).await;
                let caller = Caller::new(&upstream, "bearer", SECRET).await;
                let request = json!({ "endpoint": "/x", "method": method, "body": { "a": 1 } });
                let answer = caller.send(request).await.unwrap();
                assert_eq!(answer.status(), u64::from(status));
                assert_eq!(answer.header("location").unwrap(), location);
                assert_eq!(upstream.request().method, method);
            }
        }
    }
    assert_eq!(abroad.connections(), 0);
}

#[tokio::test]
async fn a_redirect_that_cannot_be_followed_is_returned_unchanged() {
    for (status, headers) in [
        (300, vec!["location: /v1/y"]),
        (304, vec!["location: /v1/y"]),
        (305, vec!["location: /v1/y"]),
        (302, vec!["location: "]),
        (302, vec![]),
        (201, vec!["location: /v1/y"]),
    ] {
        let upstream = Upstream::with(move |_| Step::Send(answer(status, &headers, ""))).await;
        let answer = Caller::new(&upstream, "bearer", SECRET).await.get().await.unwrap();
        assert_eq!(answer.status(), u64::from(status));
        upstream.request();
    }
}

#[tokio::test]
async fn five_redirects_are_followed_and_six_are_not() {
    let hops = |last: usize| {
        move |request: &Request| {
            let hop: usize = path(request).rsplit('/').next().unwrap().parse().unwrap();
            if hop < last { redirect(302, &format!("/v1/{}", hop + 1)) } else { json_answer("{}") }
        }
    };
    let upstream = Upstream::with(hops(5)).await;
    let caller = Caller::new(&upstream, "bearer", SECRET).await;
    assert_eq!(caller.call("GET", "/0").await.unwrap().status(), 200);
    assert_eq!(upstream.requests().len(), 6);

    let upstream = Upstream::with(hops(6)).await;
    let caller = Caller::new(&upstream, "bearer", SECRET).await;
    assert_error(caller.call("GET", "/0").await, ErrorKind::RedirectRefused, "too many");
    assert_eq!(upstream.requests().len(), 6);
    assert_eq!(caller.call("GET", "/6").await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_location_that_programs_read_differently_is_refused() {
    let abroad = Upstream::pleasant().await;
    let other = abroad.authority();
    for (location, says) in [
        (format!("http://user:hunter2@{other}/"), "user name"),
        (format!("http://user@{other}/"), "user name"),
        (format!("http://:hunter2@{other}/"), "user name"),
        (format!("http://127.0.0.1\\@{other}/"), "backslash"),
        (format!("\\\\{other}/"), "backslash"),
        (format!("/\\{other}/"), "backslash"),
        (format!("ftp://{other}/"), "neither http nor https"),
        ("file:///etc/passwd".to_owned(), "no host"),
        ("javascript:alert(1)".to_owned(), "neither a path nor a URL"),
        ("data:,x".to_owned(), "neither a path nor a URL"),
        ("http://[::1".to_owned(), "not a valid URL"),
        ("http://a..b/".to_owned(), "not a valid URL"),
        (format!("http://{other}:0x/"), "not a valid URL"),
    ] {
        let at = location.clone();
        let upstream = Upstream::with(move |_| redirect(302, &at)).await;
        let caller = Caller::new(&upstream, "bearer", SECRET).await;
        let error = assert_error(caller.get().await, ErrorKind::RedirectRefused, says);
        assert!(!error.to_string().contains("hunter2"), "{error}");
        upstream.request();
    }
    assert_eq!(abroad.connections(), 0);
}

#[tokio::test]
async fn a_redirect_does_not_reach_a_private_address() {
    let inside = Upstream::pleasant().await;
    let port = inside.authority().rsplit(':').next().unwrap().to_owned();
    for location in [
        format!("http://127.0.0.1:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://0x7f.1:{port}/"),
        format!("http://127.0.0.1.:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        // A name, which only the lookup can check.
        format!("https://localhost:{port}/"),
        format!("http://localhost:{port}/"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "https://10.0.0.1/".to_owned(),
    ] {
        let at = location.clone();
        let upstream = Upstream::with(move |_| redirect(302, &at)).await;
        let allowed = vec![upstream.authority().to_owned()];
        let options = GatewayOptions {
            allow_private_hosts: allowed,
            allow_private_redirects: Vec::new(),
            ..options(&upstream)
        };
        let caller = Caller::with(options, "bearer", SECRET).await;
        assert_error(caller.get().await, ErrorKind::AddressRefused, "Nothing was sent");
        upstream.request();
    }
    assert_eq!(inside.connections(), 0);
}

#[tokio::test]
async fn a_location_that_quotes_the_credential_to_another_host_is_refused() {
    for (toolkit, quoted) in [
        ("query", format!("api_key={SECRET}")),
        ("query", format!("next=%2Fv1%2Fx%3Fapi_key%3D{SECRET}")),
        ("query", SECRET.replace('-', "%2D")),
        ("header", format!("key={SECRET}")),
        ("bearer", format!("access_token={SECRET}")),
        ("basic", "a=YW5uOnRoZS1zZWNyZXQtaXRzZWxm".to_owned()),
    ] {
        for place in ["?", "path/", "#"] {
            let abroad = Upstream::pleasant().await;
            let at = format!("{}/{place}{quoted}", abroad.origin());
            let upstream = Upstream::with(move |_| redirect(302, &at)).await;
            let caller = Caller::new(&upstream, toolkit, SECRET).await;
            let result = caller.get().await;
            if place == "#" {
                // A fragment is never sent.
                result.unwrap();
                assert!(!abroad.request().contains(&quoted));
            } else {
                let error = assert_error(result, ErrorKind::RedirectRefused, "credential");
                assert!(!format!("{error} {error:?}").contains(SECRET), "{error}");
                assert_eq!(abroad.connections(), 0);
            }
        }
    }
}

#[tokio::test]
async fn a_query_credential_is_sent_once_on_its_own_origin() {
    for (location, target) in [
        ("/v1/y".to_owned(), format!("/v1/y?api_key={SECRET}")),
        ("y?a=1#part".to_owned(), format!("/v1/y?a=1&api_key={SECRET}")),
        (format!("/v1/y?api_key={SECRET}&a=1"), format!("/v1/y?api_key={SECRET}&a=1")),
    ] {
        let upstream = Upstream::scripted([redirect(302, &location), json_answer("{}")]).await;
        Caller::new(&upstream, "query", SECRET).await.get().await.unwrap();
        assert_eq!(upstream.requests()[1].target, target);
    }
}

#[tokio::test]
async fn a_returned_response_quotes_no_query_credential() {
    let secret = "s p/ä+itself";
    let quoting = |request: &Request| {
        let query = request.target.split_once('?').unwrap().1.to_owned();
        // Unchanged, and as other servers write it.
        let location = format!("location: /v1/x/?{query}");
        let other =
            format!("content-location: /v1/x?{}&b=2#end", query.replace("%20", "+").replace("%2F", "%2f"));
        let links =
            format!("link: </v1/x?page=2&{query}>; rel=\"next\", </v1/x?{query}&page=9>; rel=\"last\"");
        let encoded = query.replace('%', "%25").replace('=', "%3D").replace('&', "%26");
        let nested = format!("link: </in?next=%2Fx%3F{encoded}>; rel=login");
        (query, [location, other, links, nested])
    };
    for (method, status) in [("POST", 308), ("GET", 200), ("POST", 201), ("PUT", 302)] {
        let upstream = Upstream::with(move |request| {
            let (query, headers) = quoting(request);
            Step::Send(answer(status, &headers.each_ref().map(String::as_str), query))
        })
        .await;
        let caller = Caller::new(&upstream, "query", secret).await;
        let answer = caller.call(method, "/x?a=1").await.unwrap();
        assert_eq!(answer.status(), u64::from(status));
        assert_eq!(upstream.request().target, "/v1/x?a=1&api_key=s%20p%2F%C3%A4%2Bitself");
        assert_eq!(answer.header("location").unwrap(), "/v1/x/?a=1");
        assert_eq!(answer.header("content-location").unwrap(), "/v1/x?a=1&b=2#end");
        assert_eq!(
            answer.header("link").unwrap(),
            "</v1/x?page=2&a=1>; rel=\"next\", </v1/x?a=1&page=9>; rel=\"last\", </in?next=%2Fx%3Fa%3D1>; rel=login"
        );
        // A body belongs to the upstream.
        assert_eq!(answer.data(), "a=1&api_key=s%20p%2F%C3%A4%2Bitself");
    }
}
