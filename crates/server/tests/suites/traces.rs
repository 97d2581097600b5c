//! Traces: the spans that a collector gets, and a collector that is down, hangs or refuses.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use proxy_execute_gateway::GatewayOptions;
use proxy_execute_protocol::ErrorKind;
use proxy_execute_server::Embedded;
use serde_json::{Value, json};

use crate::port::Port;
use crate::refresh::{User, granted, provider};
use crate::support::{Caller, Step, Upstream, answer, http, json_answer, options, soon, with_headers};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

fn traced(api: &Upstream, collector: &Upstream) -> GatewayOptions {
    GatewayOptions { otlp_endpoint: Some(collector.origin().to_owned()), ..options(api) }
}

/// The spans that a collector got. Closing exports the last of them.
async fn spans(gateway: &Embedded, collector: &Upstream) -> Vec<Value> {
    soon(gateway.close()).await;
    let mut spans = Vec::new();
    for request in collector.requests() {
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/v1/traces"));
        assert_eq!(request.header("content-type"), Some("application/json"));
        let batch: Value = serde_json::from_slice(&request.body).unwrap();
        let of_resource = &batch["resourceSpans"][0];
        assert!(attribute(&of_resource["resource"], "service.name").is_string(), "{batch}");
        spans.extend(of_resource["scopeSpans"][0]["spans"].as_array().unwrap().clone());
    }
    spans
}

fn attribute<'a>(of: &'a Value, key: &str) -> &'a Value {
    let attributes = of["attributes"].as_array().unwrap();
    let found = attributes.iter().find(|attribute| attribute["key"] == key);
    found.map_or(&Value::Null, |attribute| attribute["value"].as_object().unwrap().values().next().unwrap())
}

fn named<'a>(spans: &'a [Value], name: &str) -> &'a Value {
    let found: Vec<_> = spans.iter().filter(|span| span["name"] == name).collect();
    assert_eq!(found.len(), 1, "{name}: {spans:?}");
    found[0]
}

async fn call_traced(port: &Port, headers: &[(&str, &str)]) {
    let path = format!("/api/v3.1/tool_router/session/{}/proxy_execute", port.caller.session);
    let body = json!({ "toolkit_slug": "header", "endpoint": "/x?q=canary-query", "method": "GET" });
    let body = with_headers(body, &[("x-note", "canary-header")]).to_string();
    let headers: Vec<_> =
        [("x-api-key", port.key.as_str())].into_iter().chain(headers.iter().copied()).collect();
    assert_eq!(http(port.address, "POST", &path, &headers, &body).await.status, 200);
}

#[tokio::test]
async fn a_call_of_the_port_continues_the_trace_of_its_client() {
    let (api, collector) = (Upstream::pleasant().await, Upstream::always(json_answer("{}")).await);
    let mut options = traced(&api, &collector);
    options.propagate_trace = BTreeSet::from(["header".to_owned()]);
    let port = Port::with(options).await;
    let parent = format!("00-{TRACE}-{PARENT}-01");
    call_traced(&port, &[("traceparent", &parent), ("tracestate", "v=1"), ("x-request-id", "mine-1")]).await;
    let spans = spans(&port.caller.gateway, &collector).await;
    assert_eq!(spans.len(), 2, "{spans:?}");
    let (call, request) = (named(&spans, "proxy_execute"), named(&spans, "GET"));
    assert_eq!(
        (&call["traceId"], &call["parentSpanId"], &call["kind"]),
        (&TRACE.into(), &PARENT.into(), &2.into())
    );
    assert_eq!((&call["traceState"], &call["flags"]), (&"v=1".into(), &1.into()));
    assert_eq!((&request["traceId"], &request["kind"]), (&TRACE.into(), &3.into()));
    assert_eq!(request["parentSpanId"], call["spanId"]);
    assert_eq!(attribute(call, "proxy_execute.toolkit"), "header");
    assert_eq!(attribute(call, "proxy_execute.outcome"), "answered");
    assert_eq!(attribute(call, "proxy_execute.request_id"), "mine-1");
    assert_eq!(attribute(request, "http.request.method"), "GET");
    assert_eq!(attribute(request, "server.address"), "127.0.0.1");
    let api_port = api.authority().rsplit(':').next().unwrap();
    assert_eq!(attribute(request, "server.port"), api_port);
    assert_eq!(attribute(request, "http.response.status_code"), "200");
    for span in &spans {
        let time = |name: &str| span[name].as_str().unwrap().parse::<u64>().unwrap();
        assert!(time("startTimeUnixNano") > 1_700_000_000_000_000_000);
        assert!(time("startTimeUnixNano") <= time("endTimeUnixNano"));
        assert_eq!(span["status"], json!({}));
    }
    let sent = api.request();
    let expected = format!("00-{TRACE}-{}-01", request["spanId"].as_str().unwrap());
    assert_eq!(
        (sent.header("traceparent"), sent.header("tracestate")),
        (Some(expected.as_str()), Some("v=1"))
    );
    // No secret, user, path, query or header is in a span.
    for request in collector.requests() {
        for canary in ["canary", "a-secret", "ann", "/v1/x", &port.key, &port.caller.session] {
            let body = String::from_utf8(request.body.clone()).unwrap();
            assert!(!body.contains(canary), "{canary}: {body}");
        }
    }
}

#[tokio::test]
async fn a_trace_is_exported_only_if_it_is_sampled_and_sent_on_only_if_asked() {
    let (api, collector) = (Upstream::pleasant().await, Upstream::always(json_answer("{}")).await);
    let port = Port::with(traced(&api, &collector)).await;
    call_traced(&port, &[("traceparent", &format!("00-{TRACE}-{PARENT}-00"))]).await;
    assert_eq!(api.request().header("traceparent"), None);
    // A malformed header begins a new trace, and so do two headers.
    call_traced(&port, &[("traceparent", &format!("ff-{TRACE}-{PARENT}-01"))]).await;
    let twice = format!("00-{TRACE}-{PARENT}-01");
    call_traced(&port, &[("traceparent", &twice), ("traceparent", &twice)]).await;
    let spans = spans(&port.caller.gateway, &collector).await;
    assert_eq!(spans.len(), 4, "{spans:?}");
    assert!(spans.iter().all(|span| span["traceId"] != TRACE));
    let roots = spans.iter().filter(|span| span["name"] == "proxy_execute");
    assert!(roots.map(|span| &span["parentSpanId"]).all(Value::is_null));
}

#[tokio::test]
async fn without_an_endpoint_nothing_is_traced() {
    let api = Upstream::pleasant().await;
    let mut options = options(&api);
    options.propagate_trace = BTreeSet::from(["header".to_owned()]);
    let port = Port::with(options).await;
    call_traced(&port, &[("traceparent", &format!("00-{TRACE}-{PARENT}-01"))]).await;
    assert_eq!(api.request().header("traceparent"), None);
}

#[tokio::test]
async fn failures_are_in_the_spans() {
    let api = Upstream::with(|request| match request.target.as_str() {
        "/v1/missing" => Step::Send(answer(404, &[], "")),
        _ => Step::SendAndReset(Vec::new()),
    })
    .await;
    let collector = Upstream::always(json_answer("{}")).await;
    let caller = Caller::with(traced(&api, &collector), "header", "a-secret").await;
    caller.call("PROPFIND", "/missing").await.unwrap();
    caller.call("POST", "/reset").await.unwrap_err();
    caller.call("PUT", "https://elsewhere.example/").await.unwrap_err();
    let spans = spans(&caller.gateway, &collector).await;
    let missing = named(&spans, "PROPFIND");
    assert_eq!(attribute(missing, "http.request.method"), "_OTHER");
    assert_eq!(attribute(missing, "http.request.method_original"), "PROPFIND");
    assert_eq!((attribute(missing, "error.type"), &missing["status"]["code"]), (&"404".into(), &2.into()));
    let reset = named(&spans, "POST");
    assert_eq!(
        (attribute(reset, "error.type"), &reset["status"]["code"]),
        (&"UpstreamBroken".into(), &2.into())
    );
    assert!(spans.iter().all(|span| span["name"] != "PUT"));
    let roots: Vec<_> = spans.iter().filter(|span| span["name"] == "proxy_execute").collect();
    assert!(roots.iter().all(|span| span["kind"] == 1));
    let errors: Vec<_> = roots.iter().map(|span| attribute(span, "error.type")).collect();
    assert_eq!(errors, [&Value::Null, &"UpstreamBroken".into(), &"OriginMismatch".into()]);
}

#[tokio::test]
async fn a_refresh_that_a_call_waits_for_has_a_span() {
    let collector = Upstream::always(json_answer("{}")).await;
    let user = User::expired_with(provider(|number, _| granted(number)).await, |options| {
        options.otlp_endpoint = Some(collector.origin().to_owned());
    })
    .await;
    user.call().await.unwrap();
    user.call().await.unwrap();
    let spans = spans(&user.gateway, &collector).await;
    assert_eq!(spans.len(), 5, "{spans:?}");
    let credential = named(&spans, "credential");
    let call = spans.iter().find(|span| span["spanId"] == credential["parentSpanId"]).unwrap();
    assert_eq!(call["name"], "proxy_execute");
    assert!(
        collector
            .requests()
            .iter()
            .all(|request| !request.contains("access-") && !request.contains("refresh-"))
    );
}

/// The spans that were lost.
async fn lost(gateway: &Embedded) -> u64 {
    let metrics = soon(gateway.metrics()).await.unwrap();
    let line = metrics.lines().find_map(|line| line.strip_prefix("proxy_execute_spans_lost_total "));
    line.unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_collector_that_fails_delays_no_call() {
    let api = Upstream::pleasant().await;
    let hanging = Upstream::always(Step::SendAndHang(Vec::new())).await;
    let refusing = Upstream::always(Step::Send(answer(503, &[], ""))).await;
    for endpoint in ["http://127.0.0.1:1", hanging.origin(), refusing.origin()] {
        let options = GatewayOptions { otlp_endpoint: Some(endpoint.to_owned()), ..options(&api) };
        let caller = Caller::with(options, "header", "a-secret").await;
        let started = Instant::now();
        for _ in 0..300 {
            caller.get().await.unwrap();
        }
        assert!(started.elapsed() < Duration::from_secs(4), "{endpoint}: {:?}", started.elapsed());
        if endpoint != hanging.origin() {
            // A batch is full, so it is sent before the time.
            soon(async {
                while lost(&caller.gateway).await < 512 {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            })
            .await;
        }
        let started = Instant::now();
        soon(caller.gateway.close()).await;
        assert!(started.elapsed() < Duration::from_secs(7), "{endpoint}: {:?}", started.elapsed());
    }
}

#[tokio::test]
async fn a_batch_is_sent_again_once_if_the_collector_asks_for_it() {
    let api = Upstream::pleasant().await;
    let refused = || Step::Send(answer(503, &["retry-after: 0"], ""));
    let collector = Upstream::scripted([refused(), json_answer("{}")]).await;
    let caller = Caller::with(traced(&api, &collector), "header", "a-secret").await;
    caller.get().await.unwrap();
    assert_eq!(spans(&caller.gateway, &collector).await.len(), 4);
    let requests = collector.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].body, requests[1].body);
}

#[tokio::test]
async fn options_of_traces_are_checked() {
    let api = Upstream::pleasant().await;
    let endpoint = GatewayOptions { otlp_endpoint: Some("collector".to_owned()), ..options(&api) };
    let toolkit =
        GatewayOptions { propagate_trace: BTreeSet::from(["none-such".to_owned()]), ..options(&api) };
    for (options, field) in [(endpoint, "otlpEndpoint"), (toolkit, "propagateTrace")] {
        let error = Embedded::open(options).await.unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::InvalidOption, Some(field)));
    }
}
