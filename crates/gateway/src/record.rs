//! The record of calls: time, user, toolkit, method, host, path, status, bytes, duration.
//!
//! A record never holds a query, a header or a body. A separate task writes records in batches, so that calls
//! do not wait for the store. It writes a record at most [`GATHERED_FOR`] after the end of the call. A call
//! that is dropped before its end is recorded as cancelled.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue};
use proxy_execute_protocol::{CallFilter, Error, Method, RecordedCall, Result, quoted};
use proxy_execute_store::{CallRecord, Clock, Store};
use tokio::sync::{mpsc, oneshot};
use url::Url;

use crate::clock::rfc3339;
use crate::egress::UpstreamResponse;
use crate::metrics::{CountedCall, Meter, QueuedRecord};
use crate::trace::{TraceContext, TracedCall, Tracer};

/// The time that a record waits for others of its batch. Writing a batch costs about as much as writing one
/// record.
const GATHERED_FOR: Duration = Duration::from_millis(100);

/// How many calls are kept by default. The oldest calls are deleted first.
pub(crate) const CALLS_IN_MEMORY: u32 = 10_000;
pub(crate) const CALLS_IN_FILE: u32 = 1_000_000;

/// The request that makes a call.
#[derive(Debug, Clone)]
pub struct CallOrigin {
    /// Its id, which its response and its error have, too.
    pub request_id: String,
    /// Whether it came to a port.
    pub from_port: bool,
    /// The trace of the caller.
    pub trace: Option<TraceContext>,
}

/// The record of calls.
#[derive(Debug, Clone)]
pub struct Recorder {
    store: Arc<dyn Store>,
    clock: Clock,
    writer: Writer,
    meter: Meter,
    tracer: Tracer,
}

/// Sends records to the task that writes them to the store.
#[derive(Debug, Clone)]
struct Writer {
    calls: mpsc::UnboundedSender<Ended>,
    /// The writer completes each of these once all earlier calls are written.
    flushes: mpsc::UnboundedSender<oneshot::Sender<()>>,
}

/// The record of a call that has ended, and its place in the metrics.
type Ended = (CallRecord, Option<QueuedRecord>);

impl Recorder {
    /// Spawns the writer, which ends when the recorder and the calls in flight are dropped.
    pub(crate) fn start(
        store: Arc<dyn Store>,
        clock: Clock,
        meter: Meter,
        tracer: Tracer,
        kept: u32,
    ) -> Self {
        let (calls, new_calls) = mpsc::unbounded_channel();
        let (flushes, new_flushes) = mpsc::unbounded_channel();
        tokio::spawn(write(Arc::clone(&store), kept.into(), new_calls, new_flushes));
        Self { store, clock, writer: Writer { calls, flushes }, meter, tracer }
    }

    /// Lists the calls of a filter, the newest first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list(&self, filter: &CallFilter) -> Result<Vec<RecordedCall>> {
        self.flush().await;
        let calls = self.store.calls(filter).await?;
        Ok(calls
            .into_iter()
            .map(|call| RecordedCall {
                id: call.id,
                at: rfc3339(call.at),
                request_id: call.request_id,
                user_id: call.user_id,
                session_id: call.session_id,
                toolkit: call.toolkit,
                connected_account_id: call.account_id,
                method: call.method,
                host: call.host,
                path: call.path,
                outcome: call.outcome,
                status: call.status,
                bytes: call.bytes,
                duration_ms: call.duration_us as f64 / 1_000.0,
            })
            .collect())
    }

    /// Deletes the calls of a user. Returns how many.
    pub(crate) async fn forget_user(&self, user_id: &str) -> Result<u64> {
        self.flush().await;
        let mut deleted = 0;
        loop {
            let now = self.store.delete_calls_of_user(user_id).await?;
            if now == 0 {
                return Ok(deleted);
            }
            deleted += now;
        }
    }

    /// Starts the record of a call.
    pub(crate) fn begin(&self, method: Method, origin: CallOrigin) -> CallInProgress {
        let record = CallRecord {
            at: self.clock.now(),
            request_id: Some(origin.request_id),
            method: method.as_str().to_owned(),
            outcome: "cancelled".to_owned(),
            ..CallRecord::default()
        };
        CallInProgress {
            writer: self.writer.clone(),
            started: Instant::now(),
            record: Box::new(record),
            counted: self.meter.call_begins(),
            traced: self.tracer.begin(origin.from_port, origin.trace),
            port: None,
        }
    }

    /// Waits until all earlier records are in the store.
    pub(crate) async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.writer.flushes.send(done).is_ok() {
            // An error means that the writer has ended, so no record is left to wait for.
            _ = written.await;
        }
    }
}

async fn write(
    store: Arc<dyn Store>,
    kept: i64,
    mut new_calls: mpsc::UnboundedReceiver<Ended>,
    mut new_flushes: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
) {
    loop {
        let (mut calls, mut flush) = (Vec::new(), None);
        tokio::select! {
            call = new_calls.recv() => match call {
                Some(call) => calls.push(call),
                None => return,
            },
            asked = new_flushes.recv() => flush = asked,
        }
        if flush.is_none() {
            // Sleep without polling the channel of calls, so that finished calls do not wake this task one by
            // one.
            flush = tokio::time::timeout(GATHERED_FOR, new_flushes.recv()).await.unwrap_or_default();
        }
        while let Ok(call) = new_calls.try_recv() {
            calls.push(call);
        }
        if !calls.is_empty() {
            let (records, queued): (Vec<_>, Vec<_>) = calls.into_iter().unzip();
            if let Err(error) = store.insert_calls(records, kept).await {
                tracing::error!(%error, lost = queued.len(), "calls could not be recorded");
                queued.iter().flatten().for_each(QueuedRecord::lost);
            }
        }
        if let Some(done) = flush {
            // An error means that the caller no longer waits for the flush.
            _ = done.send(());
        }
    }
}

/// A call in flight. It is recorded when it is dropped.
#[derive(Debug)]
pub(crate) struct CallInProgress {
    writer: Writer,
    started: Instant,
    record: Box<CallRecord>,
    /// `None` if the metrics are not read.
    counted: Option<CountedCall>,
    /// `None` if calls are not traced.
    traced: Option<Box<TracedCall>>,
    /// The port of the API.
    port: Option<u16>,
}

impl CallInProgress {
    pub(crate) fn in_session(&mut self, session_id: &str, user_id: &str) {
        self.record.session_id = Some(session_id.to_owned());
        self.record.user_id = Some(user_id.to_owned());
    }

    pub(crate) fn of_toolkit(&mut self, toolkit: &str) {
        self.record.toolkit = Some(toolkit.to_owned());
    }

    /// Notes the account of the call. The user of a session may use an account of another user, which is SHARED.
    pub(crate) fn as_account(&mut self, account_id: &str, user_id: &str) {
        self.record.account_id = Some(account_id.to_owned());
        self.record.user_id.get_or_insert_with(|| user_id.to_owned());
    }

    /// The user of the call, as far as the call has got.
    pub(crate) fn user_id(&self) -> Option<&str> {
        self.record.user_id.as_deref()
    }

    pub(crate) fn at_url(&mut self, url: &Url) {
        self.record.host = url.host_str().map(str::to_owned);
        self.record.path = Some(url.path().to_owned());
        self.port = url.port_or_known_default();
    }

    /// Notes that the request to the API begins.
    pub(crate) fn asks_upstream(&mut self) {
        if let Some(counted) = &mut self.counted {
            counted.asks_upstream();
        }
    }

    /// Notes that the call may have to wait for a refresh.
    pub(crate) fn credential_begins(&mut self) {
        if let Some(traced) = &mut self.traced {
            traced.credential_begins();
        }
    }

    /// Notes that the credential is ready.
    pub(crate) fn credential_ends(&mut self, was_refreshed: bool) {
        if let Some(traced) = &mut self.traced {
            traced.credential_ends(was_refreshed);
        }
    }

    /// Notes that one of the requests to the API begins. Adds the headers of the trace, if the API may have them.
    pub(crate) fn request_begins(&mut self, method: Method, headers: &mut HeaderMap, propagates: bool) {
        let Some(traced) = &mut self.traced else { return };
        let (parent, state) = traced.request_begins(method);
        // The caller's own header is part of the caller's request, and stays.
        if propagates && !headers.contains_key("traceparent") {
            let state = state.filter(|_| !headers.contains_key("tracestate"));
            let pairs = [("traceparent", Some(parent.as_str())), ("tracestate", state)];
            for (name, value) in pairs {
                if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
                    headers.insert(name, value);
                }
            }
        }
    }

    /// Notes that one of the requests to the API has ended.
    pub(crate) fn request_ends(&mut self, result: &Result<UpstreamResponse>) {
        if let Some(traced) = &mut self.traced {
            let (status, failure) = match result {
                Ok(response) => (Some(response.status.as_u16().into()), None),
                Err(error) => (None, Some(error.kind().facts().2)),
            };
            traced.request_ends(&self.record, self.port, status, failure);
        }
    }

    /// Notes that the API has responded, or that the request to it has failed.
    pub(crate) fn heard_upstream(&mut self) {
        if let Some(counted) = &mut self.counted {
            counted.heard_upstream();
        }
    }

    pub(crate) fn answered(&mut self, status: u16) {
        self.record.status = Some(status.into());
    }

    pub(crate) fn received(&mut self, bytes: u64) {
        self.record.bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    }

    /// Records the outcome of the call.
    pub(crate) fn end<T>(mut self, result: &Result<T>) {
        self.record.outcome = match result {
            Ok(_) => "answered".to_owned(),
            Err(error) => slug(error),
        };
    }
}

fn slug(error: &Error) -> String {
    error.kind().facts().2.to_owned()
}

impl Drop for CallInProgress {
    fn drop(&mut self) {
        let mut record = std::mem::replace(&mut self.record, Box::new(CallRecord::default()));
        record.duration_us = i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX);
        let (trace_id, span_id) = self.traced.as_ref().map(|traced| traced.ids()).unzip();
        // The end of a stream is outside of the span of its request, so the line itself has the id.
        tracing::info!(
            request = record.request_id,
            trace_id,
            span_id,
            user = record.user_id.as_deref().map(|user| quoted(user).to_string()),
            toolkit = record.toolkit,
            account = record.account_id,
            method = record.method,
            host = record.host,
            path = record.path.as_deref().map(|path| quoted(path).to_string()),
            outcome = record.outcome,
            status = record.status,
            bytes = record.bytes,
            duration_us = record.duration_us,
            "call"
        );
        if let Some(traced) = self.traced.take() {
            traced.end(&record, self.port);
        }
        let queued = self.counted.take().map(|counted| counted.ends(&record));
        // An error means that the gateway is closed, and the writer with it.
        _ = self.writer.calls.send((*record, queued));
    }
}
