//! The metrics: what they count, that their labels are bounded, and the port that Prometheus reads them on.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use futures::future::join_all;
use proxy_execute_protocol::{CallFilter, ErrorKind};
use proxy_execute_server::{Embedded, Listen};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::port::assert_refused;
use crate::refresh::{User, granted, provider};
use crate::support::{
    Caller, Step, Upstream, answer, assert_error, call, get, http, import, json_answer, options, session,
    soon,
};

/// The metrics by their name and labels.
type Samples = BTreeMap<String, f64>;

fn samples(text: &str) -> Samples {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}")))
        .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
        .collect()
}

async fn read(gateway: &Embedded) -> Samples {
    samples(&soon(gateway.metrics()).await.unwrap())
}

fn calls(toolkit: &str, status: &str, outcome: &str) -> String {
    format!(r#"proxy_execute_calls_total{{toolkit="{toolkit}",status="{status}",outcome="{outcome}"}}"#)
}

#[tokio::test]
async fn calls_are_counted_by_toolkit_status_and_outcome() {
    let upstream = Upstream::with(|request| match request.target.as_str() {
        "/v1/x" => json_answer("{}"),
        "/v1/missing" => Step::Send(answer(404, &[], "")),
        _ => Step::SendAndClose(Vec::new()),
    })
    .await;
    let caller = Caller::new(&upstream, "header", "a-secret").await;
    caller.get().await.unwrap();
    let first = read(&caller.gateway).await;
    assert_eq!(first.keys().filter(|name| name.starts_with("proxy_execute_calls_total")).count(), 0);
    assert_eq!(first["proxy_execute_ready"], 1.0);
    let version = format!(r#"proxy_execute_build_info{{version="{}"}}"#, env!("CARGO_PKG_VERSION"));
    assert_eq!(first[&version], 1.0);

    for _ in 0..3 {
        caller.get().await.unwrap();
    }
    caller.call("GET", "/missing").await.unwrap();
    caller.call("GET", "/broken").await.unwrap_err();
    caller.call("GET", "https://elsewhere.example/x").await.unwrap_err();
    call(&caller.gateway, &caller.session, get("no-such-toolkit")).await.unwrap_err();
    call(&caller.gateway, "trs_none", get("header")).await.unwrap_err();

    let read = read(&caller.gateway).await;
    let counted: Samples =
        read.clone().into_iter().filter(|(name, _)| name.starts_with("proxy_execute_calls_total")).collect();
    let expected = [
        (calls("header", "2xx", "answered"), 3.0),
        (calls("header", "4xx", "answered"), 1.0),
        (calls("header", "none", "UpstreamBroken"), 1.0),
        (calls("header", "none", "OriginMismatch"), 1.0),
        (calls("none", "none", "ToolkitNotFound"), 1.0),
        (calls("none", "none", "ToolRouterV2_SessionNotFound"), 1.0),
    ];
    assert_eq!(counted, Samples::from(expected));
    assert_eq!(read["proxy_execute_calls_in_flight"], 0.0);
    assert_eq!(read[r#"proxy_execute_call_duration_seconds_count{toolkit="header"}"#], 6.0);
    // One of them was refused before the API was asked.
    assert_eq!(read[r#"proxy_execute_call_upstream_seconds_count{toolkit="header"}"#], 5.0);
    assert_eq!(read["proxy_execute_call_overhead_seconds_count"], 5.0);
    let [all, upstream, overhead] = [
        r#"proxy_execute_call_duration_seconds_sum{toolkit="header"}"#,
        r#"proxy_execute_call_upstream_seconds_sum{toolkit="header"}"#,
        "proxy_execute_call_overhead_seconds_sum",
    ]
    .map(|name| read[name]);
    assert!(all >= upstream + overhead && upstream > 0.0 && overhead > 0.0, "{all} {upstream} {overhead}");
    let hits =
        |rows: &str| read[&format!(r#"proxy_execute_cache_lookups_total{{rows="{rows}",result="hit"}}"#)];
    assert!(hits("sessions") >= 5.0 && hits("accounts") >= 5.0, "{read:?}");
    assert_eq!(read[r#"proxy_execute_store_connections_max{pool="read"}"#], 1.0);
    caller.gateway.calls(&CallFilter::newest(1)).await.unwrap();
    assert_eq!(self::read(&caller.gateway).await["proxy_execute_records_queued"], 0.0);
}

#[tokio::test]
async fn the_number_of_labels_does_not_follow_the_callers() {
    let upstream = Upstream::pleasant().await;
    let gateway = Embedded::open(options(&upstream)).await.unwrap();
    read(&gateway).await;
    let mut lines = Vec::new();
    for round in ["one", "two"] {
        for number in 0..20 {
            let user = format!("user-{round}-{number}");
            import(&gateway, &user, "header", json!({ "authScheme": "API_KEY", "val": { "api_key": user } }))
                .await;
            let session = session(&gateway, &user).await;
            call(&gateway, &session, get("header")).await.unwrap();
            call(&gateway, &session, get(&format!("made-up-{round}-{number}"))).await.unwrap_err();
        }
        let text = gateway.metrics().await.unwrap();
        lines.push(text.lines().count());
        for part in ["user-", "made-up", "ca_", "trs_", "127.0.0.1"] {
            assert!(!text.contains(part), "{part}: {text}");
        }
    }
    assert_eq!(lines[0], lines[1]);
}

#[tokio::test]
async fn a_call_in_flight_is_counted_until_its_caller_is_gone() {
    let signal = Arc::new(Notify::new());
    let response = answer(200, &["content-type: application/json"], "{}");
    let upstream = Upstream::always(Step::SendWhen(Arc::clone(&signal), response)).await;
    let caller = Arc::new(Caller::new(&upstream, "header", "a-secret").await);
    read(&caller.gateway).await;
    let in_flight = tokio::spawn({
        let caller = Arc::clone(&caller);
        async move { caller.get().await }
    });
    upstream.has_seen(|seen| seen.requests.len() == 1).await;
    assert_eq!(read(&caller.gateway).await["proxy_execute_calls_in_flight"], 1.0);
    in_flight.abort();
    _ = in_flight.await;
    let read = read(&caller.gateway).await;
    assert_eq!(read["proxy_execute_calls_in_flight"], 0.0);
    assert_eq!(read[&calls("header", "none", "cancelled")], 1.0);
}

/// A gateway with a port and one for the metrics.
async fn listening(upstream: &Upstream) -> (Caller, SocketAddr, SocketAddr) {
    let caller = Caller::new(upstream, "header", "a-secret").await;
    let (address, metrics) =
        caller.gateway.listen_with_metrics(Listen::default(), "127.0.0.1:0").await.unwrap();
    (caller, address, metrics)
}

#[tokio::test]
async fn the_port_for_prometheus_needs_no_key_and_has_only_metrics_and_probes() {
    let upstream = Upstream::pleasant().await;
    let (caller, address, metrics) = listening(&upstream).await;
    caller.get().await.unwrap();
    let text = http(metrics, "GET", "/metrics", &[], "").await;
    assert_eq!(
        (text.status, text.header("content-type")),
        (200, Some("text/plain; version=0.0.4; charset=utf-8"))
    );
    assert_eq!(samples(&text.body)[&calls("header", "2xx", "answered")], 1.0);
    for line in text.body.lines().filter(|line| line.starts_with("# HELP")) {
        assert!(line.ends_with('.') && !line.ends_with(".."), "{line}");
    }
    for path in ["/health", "/ready", "/metrics"] {
        let head = http(metrics, "HEAD", path, &[], "").await;
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
    }
    assert_refused(&http(metrics, "POST", "/metrics", &[], "").await, 405, "MethodNotAllowed", "POST");
    assert_refused(&http(metrics, "GET", "/api/v3.1/toolkits", &[], "").await, 404, "NotFound", "no route");
    assert_eq!(http(address, "GET", "/metrics", &[], "").await.status, 404);
    soon(caller.gateway.close()).await;
    tokio::net::TcpStream::connect(metrics).await.unwrap_err();
    let closed = caller.gateway.metrics().await;
    assert_error(closed, ErrorKind::GatewayClosed, "closed");
}

#[tokio::test]
async fn an_address_for_metrics_that_cannot_be_used_opens_no_port() {
    let upstream = Upstream::pleasant().await;
    let caller = Caller::new(&upstream, "header", "a-secret").await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for address in [taken.as_str(), "127.0.0.1", "192.0.2.1:9464", "no port", ""] {
        let refused = caller.gateway.listen_with_metrics(Listen::default(), address).await;
        assert_error(refused, ErrorKind::InvalidOption, "metrics: the gateway cannot listen on");
    }
    // Where the port cannot be opened, the address for metrics is free again.
    let refused = Listen { host: Some("192.0.2.1".to_owned()), ..Listen::default() };
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let refused = caller.gateway.listen_with_metrics(refused, &free).await;
    assert_error(refused, ErrorKind::InvalidOption, "192.0.2.1");
    TcpListener::bind(&free).await.unwrap();
}

/// 400 calls and scrapes at once: each scrape is whole and counts no less than the one before, and the last is exact.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scrape_under_load_is_consistent() {
    let upstream = Upstream::pleasant().await;
    let (caller, _, metrics) = listening(&upstream).await;
    let caller = Arc::new(caller);
    let calling = tokio::spawn({
        let caller = Arc::clone(&caller);
        async move {
            let calls = (0..20).map(|_| async {
                for _ in 0..20 {
                    caller.get().await.unwrap();
                }
            });
            join_all(calls).await;
        }
    });
    let (mut last, mut scrapes) = (0.0, 0);
    while last < 400.0 {
        let is_over = calling.is_finished();
        let scraped = http(metrics, "GET", "/metrics", &[], "").await;
        assert_eq!(scraped.status, 200);
        let scraped = samples(&scraped.body);
        let counted = scraped.get(&calls("header", "2xx", "answered")).copied().unwrap_or_default();
        assert!(counted >= last, "{counted} < {last}");
        let in_flight = scraped["proxy_execute_calls_in_flight"];
        assert!((0.0..=20.0).contains(&in_flight), "{in_flight}");
        (last, scrapes) = (counted, scrapes + 1);
        assert!(!is_over || last == 400.0, "{last}");
    }
    soon(calling).await.unwrap();
    assert!(scrapes > 1, "{scrapes}");
    let end = read(&caller.gateway).await;
    assert_eq!(end[&calls("header", "2xx", "answered")], 400.0);
    assert_eq!(end["proxy_execute_calls_in_flight"], 0.0);
    assert_eq!(end[r#"proxy_execute_call_duration_seconds_bucket{toolkit="header",le="+Inf"}"#], 400.0);
}

/// The names of labels, by the metric. The server of Prometheus adds `instance` and `job`.
type LabelNames = BTreeMap<String, BTreeSet<String>>;

fn label_names(text: &str) -> LabelNames {
    let mut names = LabelNames::new();
    for sample in samples(text).into_keys() {
        let (name, labels) = sample.split_once('{').unwrap_or((&sample, "}"));
        let labels = labels
            .trim_end_matches('}')
            .split(',')
            .filter_map(|label| Some(label.split_once('=')?.0.to_owned()));
        names
            .entry(name.to_owned())
            .or_default()
            .extend(labels.chain(["instance", "job"].map(str::to_owned)));
    }
    names
}

/// The metrics that a file names, each with the labels that it selects by.
fn named(file: &str) -> Vec<(String, Vec<String>)> {
    let file = file.replace('\\', "");
    let starts = file.match_indices("proxy_execute_").map(|(start, _)| start);
    let named = starts.map(|start| {
        let rest = &file[start..];
        let end = rest.find(|char: char| !char.is_ascii_lowercase() && char != '_').unwrap_or(rest.len());
        (rest, end)
    });
    named
        // The module of a log line has this form, too.
        .filter(|(rest, end)| !rest[*end..].starts_with("::"))
        .map(|(rest, end)| {
            let selected = rest[end..].strip_prefix('{').and_then(|rest| Some(rest.split_once('}')?.0));
            let labels = selected.unwrap_or_default().split(',').filter_map(|matcher| {
                let name = matcher.split(['=', '!']).next()?;
                (!name.is_empty()).then(|| name.to_owned())
            });
            (rest[..end].to_owned(), labels.collect())
        })
        .collect()
}

#[tokio::test]
async fn the_board_the_alerts_and_the_page_name_metrics_that_exist() {
    let user = User::expired(provider(|number, _| granted(number)).await).await;
    read(&user.gateway).await;
    user.gateway.event_loop_delays(&[("0.5", 0.0), ("0.99", 0.0), ("1", 0.0)]);
    user.call().await.unwrap();
    let exist = label_names(&user.gateway.metrics().await.unwrap());

    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
    let file = |path: &str| std::fs::read_to_string(format!("{root}{path}")).unwrap();
    for path in [
        "deploy/grafana/proxy-execute.json",
        "deploy/prometheus/alerts.yml",
        "deploy/prometheus/alerts.test.yml",
        "docs/operators.md",
    ] {
        let named = named(&file(path));
        assert!(named.len() > 10, "{path}");
        for (metric, labels) in named {
            // The page names a histogram without the endings of its samples.
            let known = exist.get(&metric).or_else(|| exist.get(&format!("{metric}_bucket")));
            let known = known.unwrap_or_else(|| panic!("{path}: there is no {metric}"));
            for label in labels {
                assert!(known.contains(&label), "{path}: {metric} has no label {label}, but {known:?}");
            }
        }
    }
    let board = file("deploy/grafana/proxy-execute.json");
    assert!(serde_json::from_str::<Value>(&board).unwrap()["panels"].as_array().unwrap().len() > 10);
    let page = file("docs/operators.md");
    for metric in exist.keys() {
        let name = ["_bucket", "_sum", "_count"].iter().find_map(|ending| metric.strip_suffix(ending));
        let name = name.unwrap_or(metric);
        assert!(page.contains(&format!("`{name}`")) && board.contains(name), "{name} is shown");
    }
}
