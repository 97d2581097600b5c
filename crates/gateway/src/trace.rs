//! Traces of calls, as OpenTelemetry has them: a span for each call, and spans for the requests to the API and for
//! a refresh that the call waits for.
//!
//! A gateway without an endpoint for traces only checks a pointer. Spans name the toolkit, the host, the method, the
//! status and the outcome. They never have a path, a query, a header, a body or a user.

mod context;
mod export;
mod settings;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use prometheus_client::metrics::counter::Counter;
use proxy_execute_protocol::{Method, Result};
use proxy_execute_store::CallRecord;
use serde_json::{Value, json};

pub use self::context::TraceContext;
use self::export::Exporter;
use self::settings::{Sampler, Settings};
use crate::id::random_bytes;

/// The kinds of spans, with their numbers in OTLP.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Internal = 1,
    Server = 2,
    Client = 3,
}

/// Traces calls, if there is an endpoint for traces. All clones export together.
#[derive(Debug, Clone)]
pub(crate) struct Tracer(Option<Arc<Tracing>>);

#[derive(Debug)]
struct Tracing {
    sampler: Sampler,
    exporter: Exporter,
}

impl Tracer {
    /// Begins to export, if the option or the environment names an endpoint. Counts the spans that are lost.
    ///
    /// # Errors
    /// `InvalidOption` for an endpoint that is no URL.
    pub(crate) fn start(endpoint: Option<&str>, lost: Counter) -> Result<Self> {
        let settings = Settings::read(endpoint, |name| std::env::var(name).ok())?;
        let start = |settings: Settings| {
            let sampler = settings.sampler;
            Ok(Arc::new(Tracing { sampler, exporter: Exporter::start(settings, lost)? }))
        };
        settings.map(start).transpose().map(Self)
    }

    /// Whether calls are traced.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Begins the span of a call; `None` if calls are not traced.
    pub(crate) fn begin(&self, from_port: bool, parent: Option<TraceContext>) -> Option<Box<TracedCall>> {
        let tracing = Arc::clone(self.0.as_ref()?);
        let (trace_id, parent, inherited, state) = match parent {
            Some(parent) => (parent.trace_id, Some(parent.span_id), Some(parent.sampled), parent.state),
            None => (random_bytes(), None, None, None),
        };
        let is_sampled = tracing.sampler.samples(&trace_id, inherited);
        let kind = if from_port { Kind::Server } else { Kind::Internal };
        let span = Part { id: random_bytes(), kind, name: "proxy_execute", started: Instant::now() };
        Some(Box::new(TracedCall {
            tracing,
            trace_id,
            parent,
            state,
            is_sampled,
            span,
            wall: SystemTime::now(),
            open: None,
            spans: Vec::new(),
        }))
    }

    /// Exports the spans that wait, within the time limit of closing.
    pub(crate) async fn flush(&self) {
        if let Some(tracing) = &self.0 {
            tracing.exporter.flush().await;
        }
    }
}

/// A span that has begun.
#[derive(Debug)]
struct Part {
    id: [u8; 8],
    kind: Kind,
    name: &'static str,
    started: Instant,
}

/// A call in flight that is traced.
#[derive(Debug)]
pub(crate) struct TracedCall {
    tracing: Arc<Tracing>,
    trace_id: [u8; 16],
    /// The span of the caller.
    parent: Option<[u8; 8]>,
    state: Option<String>,
    is_sampled: bool,
    span: Part,
    /// The time of day when the call began. Durations come from [`Instant`], which is never set back.
    wall: SystemTime,
    /// The part of the call that is in progress.
    open: Option<Part>,
    /// The parts that have ended, as OTLP writes them.
    spans: Vec<Value>,
}

impl TracedCall {
    /// The ids of the trace and of the call's span, in hexadecimal.
    pub(crate) fn ids(&self) -> (String, String) {
        (context::hex(&self.trace_id), context::hex(&self.span.id))
    }

    /// Notes that the call may have to wait for a refresh.
    pub(crate) fn credential_begins(&mut self) {
        self.begin(Kind::Internal, "credential");
    }

    /// Notes that the credential is ready. Without a refresh, the wait has no span.
    pub(crate) fn credential_ends(&mut self, was_refreshed: bool) {
        if was_refreshed {
            self.end_part(Vec::new(), None);
        }
        self.open = None;
    }

    /// Notes that a request to the API begins. Returns the headers that carry the trace on.
    pub(crate) fn request_begins(&mut self, method: Method) -> (String, Option<&str>) {
        // The name of a span for an HTTP client is the method.
        let id = self.begin(Kind::Client, method.as_str());
        (context::traceparent(&self.trace_id, &id, self.is_sampled), self.state.as_deref())
    }

    /// Notes that a request to the API has ended: with the head of a response, or without one.
    pub(crate) fn request_ends(
        &mut self,
        record: &CallRecord,
        port: Option<u16>,
        status: Option<i64>,
        failure: Option<&str>,
    ) {
        if !matches!(self.open, Some(Part { kind: Kind::Client, .. })) {
            return;
        }
        let method = record.method.as_str();
        let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "QUERY"].contains(&method);
        let mut attributes = vec![text("http.request.method", if known { method } else { "_OTHER" })];
        if !known {
            attributes.push(text("http.request.method_original", method));
        }
        attributes.extend(record.host.as_deref().map(|host| text("server.address", host)));
        attributes.extend(port.map(|port| number("server.port", port.into())));
        attributes.extend(status.map(|status| number("http.response.status_code", status)));
        let failed = status.filter(|status| *status >= 400).map(|status| Cow::Owned(status.to_string()));
        let failure = failed.or(failure.map(Cow::Borrowed));
        self.end_part(attributes, failure.as_deref());
    }

    /// Ends the call, and exports its spans if the trace is sampled.
    pub(crate) fn end(mut self, record: &CallRecord, port: Option<u16>) {
        if !self.is_sampled {
            return;
        }
        let failure = Some(record.outcome.as_str()).filter(|outcome| *outcome != "answered");
        self.request_ends(record, port, None, failure);
        self.end_part(Vec::new(), failure);
        let mut attributes = vec![text("proxy_execute.outcome", &record.outcome)];
        attributes.extend(record.toolkit.as_deref().map(|slug| text("proxy_execute.toolkit", slug)));
        attributes.extend(record.request_id.as_deref().map(|id| text("proxy_execute.request_id", id)));
        let root = self.written(&self.span, self.parent.as_ref(), attributes, failure);
        self.spans.push(root);
        self.tracing.exporter.export(self.spans);
    }

    fn begin(&mut self, kind: Kind, name: &'static str) -> [u8; 8] {
        let id = random_bytes();
        self.open = Some(Part { id, kind, name, started: Instant::now() });
        id
    }

    fn end_part(&mut self, attributes: Vec<Value>, failure: Option<&str>) {
        if let Some(part) = self.open.take().filter(|_| self.is_sampled) {
            let written = self.written(&part, Some(&self.span.id), attributes, failure);
            self.spans.push(written);
        }
    }

    /// A span that ends now, as JSON of OTLP.
    fn written(
        &self,
        part: &Part,
        parent: Option<&[u8; 8]>,
        mut attributes: Vec<Value>,
        failure: Option<&str>,
    ) -> Value {
        let nanoseconds = |since: Duration| {
            let time = self.wall.checked_add(since).and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            time.unwrap_or_default().as_nanos().to_string()
        };
        attributes.extend(failure.map(|failure| text("error.type", failure)));
        let is_error = failure.is_some_and(|failure| failure != "cancelled");
        let mut span = json!({
            "traceId": context::hex(&self.trace_id),
            "spanId": context::hex(&part.id),
            "name": part.name,
            "kind": part.kind as u8,
            "startTimeUnixNano": nanoseconds(part.started.saturating_duration_since(self.span.started)),
            "endTimeUnixNano": nanoseconds(self.span.started.elapsed()),
            "attributes": attributes,
            "status": if is_error { json!({ "code": 2 }) } else { json!({}) },
            "flags": 1,
        });
        if let Some(parent) = parent {
            span["parentSpanId"] = context::hex(parent).into();
        }
        if let Some(state) = &self.state {
            span["traceState"] = state.as_str().into();
        }
        span
    }
}

/// An attribute of a span or a resource.
fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// An attribute that is a number. The JSON mapping of Protocol Buffers writes 64 bits as a text.
fn number(key: &str, value: i64) -> Value {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}
