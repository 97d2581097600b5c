//! Exports spans to a collector, as JSON over HTTP (OTLP/HTTP). A task of its own does so, and no call waits for it.

use std::time::{Duration, SystemTime};

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode};
use prometheus_client::metrics::counter::Counter;
use proxy_execute_protocol::{Error, ErrorKind, Result};
use proxy_execute_transport::{Client, Options, Request, retry_after, whole};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::settings::Settings;

/// Upper limit for the calls whose spans wait for the collector. A call has some three spans.
const QUEUE: usize = 2048;

/// Upper limit for the spans of a request.
const BATCH: usize = 512;

/// The time that a span waits for others of its batch.
const GATHERED_FOR: Duration = Duration::from_secs(5);

/// Upper limit for the response of a collector.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Upper limit for the wait that a collector asks for before a request is sent again.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Upper limit for the last export when the gateway closes.
const CLOSING: Duration = Duration::from_secs(5);

const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// The channels to the task that exports.
#[derive(Debug)]
pub(super) struct Exporter {
    calls: mpsc::Sender<Vec<Value>>,
    flushes: mpsc::UnboundedSender<oneshot::Sender<()>>,
    lost: Counter,
}

/// The task that exports.
struct Task {
    client: Client,
    settings: Settings,
    lost: Counter,
    is_failing: bool,
}

impl Exporter {
    /// Spawns the task, which ends when the exporter is dropped.
    ///
    /// # Errors
    /// `InvalidOption` if the trusted certificates cannot be read.
    pub(super) fn start(settings: Settings, lost: Counter) -> Result<Self> {
        let client = Client::new(Options {
            environment_proxies: true,
            address_filter: None,
            idle_timeout: IDLE_TIMEOUT,
            ping_interval: None,
            max_expansion: None,
        })
        .map_err(|error| Error::new(ErrorKind::InvalidOption, error.to_string()))?;
        let (calls, new_calls) = mpsc::channel(QUEUE);
        let (flushes, new_flushes) = mpsc::unbounded_channel();
        let task = Task { client, settings, lost: lost.clone(), is_failing: false };
        tokio::spawn(task.run(new_calls, new_flushes));
        Ok(Self { calls, flushes, lost })
    }

    /// Exports the spans of a call. If the queue is full, the spans are lost, and counted.
    pub(super) fn export(&self, spans: Vec<Value>) {
        if let Err(mpsc::error::TrySendError::Full(spans) | mpsc::error::TrySendError::Closed(spans)) =
            self.calls.try_send(spans)
        {
            self.lost.inc_by(spans.len() as u64);
        }
    }

    /// Waits until all earlier spans are exported or lost, within [`CLOSING`].
    pub(super) async fn flush(&self) {
        let (done, exported) = oneshot::channel();
        if self.flushes.send(done).is_ok() {
            // An error means that the collector is too slow, or that the task has ended. The spans are lost.
            _ = timeout(CLOSING, exported).await;
        }
    }
}

impl Task {
    async fn run(
        mut self,
        mut calls: mpsc::Receiver<Vec<Value>>,
        mut flushes: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
    ) {
        loop {
            let (mut spans, mut flush) = (Vec::new(), None);
            tokio::select! {
                call = calls.recv() => match call {
                    Some(call) => spans.extend(call),
                    None => return,
                },
                asked = flushes.recv() => flush = asked,
            }
            let until = Instant::now() + GATHERED_FOR;
            while flush.is_none() && spans.len() < BATCH {
                tokio::select! {
                    asked = flushes.recv() => {
                        flush = asked;
                        if flush.is_none() { break }
                    }
                    call = timeout_at(until, calls.recv()) => match call {
                        Ok(Some(call)) => spans.extend(call),
                        _ => break,
                    },
                }
            }
            if flush.is_some() {
                while let Ok(call) = calls.try_recv() {
                    spans.extend(call);
                }
            }
            while !spans.is_empty() {
                let batch: Vec<_> = spans.drain(..spans.len().min(BATCH)).collect();
                self.send(batch).await;
            }
            if let Some(done) = flush {
                // An error means that the gateway no longer waits.
                _ = done.send(());
            }
        }
    }

    /// Sends a batch, and again, once, if the collector asks for it. A batch that fails is lost.
    async fn send(&mut self, spans: Vec<Value>) {
        let count = spans.len();
        let batch = json!({ "resourceSpans": [{
            "resource": { "attributes": self.settings.resource },
            "scopeSpans": [{
                "scope": { "name": "proxy-execute", "version": env!("CARGO_PKG_VERSION") },
                "spans": spans,
            }],
        }] })
        .to_string();
        let mut result = self.post(batch.clone()).await;
        if let Err(Failed { retry_after: Some(wait), .. }) = result {
            sleep(wait.min(LONGEST_WAIT)).await;
            result = self.post(batch).await;
        }
        match result {
            Ok(()) => self.is_failing = false,
            Err(Failed { reason, .. }) => {
                self.lost.inc_by(count as u64);
                // A collector that is down for a day is one line, not one for each batch.
                if !std::mem::replace(&mut self.is_failing, true) {
                    tracing::warn!(reason, lost = count, "traces could not be exported");
                }
            }
        }
    }

    async fn post(&self, batch: String) -> Result<(), Failed> {
        let mut headers = self.settings.headers.clone();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let url = self.settings.url.clone();
        let request = Request { method: Method::POST, url, headers, body: whole(batch) };
        let response = timeout(TIMEOUT, self.client.send(request)).await.map_err(|_| Failed {
            reason: format!("no response within {} s", TIMEOUT.as_secs()),
            retry_after: None,
        })?;
        let response = response.map_err(|error| Failed {
            reason: if error.is_connect() { "no connection" } else { "no response" }.to_owned(),
            retry_after: None,
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let may_retry = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&status);
        let wait = retry_after(response.headers(), SystemTime::now());
        Err(Failed { reason: format!("status {status}"), retry_after: wait.filter(|_| may_retry) })
    }
}

/// Why a collector did not take a batch, and the wait after which it may.
struct Failed {
    reason: String,
    retry_after: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn the_queue_is_bounded_and_lost_spans_are_counted() {
        // The listener accepts no connection, so the collector hangs.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let settings = Settings::read(Some(&url), |_| None).unwrap().unwrap();
        let lost = Counter::default();
        let exporter = Exporter::start(settings, lost.clone()).unwrap();
        for _ in 0..QUEUE + 100 {
            exporter.export(vec![json!({}), json!({})]);
        }
        assert_eq!(lost.get(), 200);
    }
}
