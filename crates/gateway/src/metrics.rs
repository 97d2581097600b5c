//! The metrics of a gateway, in the text format of Prometheus.
//!
//! A gateway counts from the time that its metrics are read first. Before, a call only finds out that it is not
//! counted. The values of labels are toolkits of the catalogue, classes of statuses and slugs of errors: their
//! number is bounded, and none is a user's data.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use proxy_execute_store::{CallRecord, Store};

/// The upper limits of the buckets for calls, in seconds.
const CALL_BUCKETS: [f64; 12] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// The upper limits of the buckets for the gateway's own part of a call, in seconds.
const OVERHEAD_BUCKETS: [f64; 12] =
    [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.1, 1.0, 10.0];

/// The label of calls that ended before their toolkit was known.
const NO_TOOLKIT: &str = "none";

type Labels<const N: usize> = [(&'static str, Cow<'static, str>); N];
type Durations<const N: usize> = Family<Labels<N>, Histogram, fn() -> Histogram>;

/// The metrics of a gateway, once they are read. All clones count together.
#[derive(Debug, Clone)]
pub(crate) struct Meter(Arc<Source>);

#[derive(Debug)]
struct Source {
    store: Arc<dyn Store>,
    /// Counted from the beginning, because a counter costs nothing without a span that is lost.
    spans_lost: Counter,
    metrics: OnceLock<Arc<Metrics>>,
}

#[derive(Debug)]
struct Metrics {
    registry: Registry,
    calls: Family<Labels<3>, Counter>,
    calls_in_flight: Gauge,
    call_durations: Durations<1>,
    upstream_durations: Durations<1>,
    overheads: Histogram,
    refreshes: Family<Labels<2>, Counter>,
    webhooks: Family<Labels<1>, Counter>,
    records_queued: Gauge,
    records_lost: Counter,
    ready: Gauge,
    event_loop_delays: Family<Labels<1>, Gauge<f64, std::sync::atomic::AtomicU64>>,
}

impl Meter {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self(Arc::new(Source { store, spans_lost: Counter::default(), metrics: OnceLock::new() }))
    }

    /// The counter of spans that were not exported.
    pub(crate) fn spans_lost(&self) -> Counter {
        self.0.spans_lost.clone()
    }

    /// Counts from now on.
    pub(crate) fn start(&self) {
        self.metrics();
    }

    fn metrics(&self) -> &Arc<Metrics> {
        self.0.metrics.get_or_init(|| Arc::new(Metrics::new(&self.0)))
    }

    /// Writes all metrics.
    pub(crate) fn text(&self, is_ready: bool) -> String {
        let metrics = self.metrics();
        metrics.ready.set(is_ready.into());
        let mut text = String::new();
        prometheus_text::encode(&mut text, &metrics.registry).expect("a String takes every text");
        text
    }

    /// Notes how late the event loop of the embedding process runs its callbacks, as quantiles in seconds.
    pub(crate) fn event_loop_delays(&self, delays: &[(&'static str, f64)]) {
        for (quantile, seconds) in delays {
            let labels = [("quantile", Cow::Borrowed(*quantile))];
            self.metrics().event_loop_delays.get_or_create(&labels).set(*seconds);
        }
    }

    /// Counts a refresh by its outcome.
    pub(crate) fn refreshed(&self, toolkit: &str, outcome: &'static str) {
        if let Some(metrics) = self.0.metrics.get() {
            let labels = [("toolkit", toolkit.to_owned().into()), ("outcome", outcome.into())];
            metrics.refreshes.get_or_create(&labels).inc();
        }
    }

    /// Counts an attempt to send a webhook by its outcome.
    pub(crate) fn webhook_attempted(&self, outcome: &'static str) {
        if let Some(metrics) = self.0.metrics.get() {
            metrics.webhooks.get_or_create(&[("outcome", outcome.into())]).inc();
        }
    }

    /// Counts a call that begins now; `None` if the metrics are not read.
    pub(crate) fn call_begins(&self) -> Option<CountedCall> {
        let metrics = Arc::clone(self.0.metrics.get()?);
        metrics.calls_in_flight.inc();
        Some(CountedCall { metrics, started: Instant::now(), asked: None, heard: None })
    }
}

/// A call that the metrics count.
#[derive(Debug)]
pub(crate) struct CountedCall {
    metrics: Arc<Metrics>,
    started: Instant,
    asked: Option<Instant>,
    heard: Option<Instant>,
}

impl CountedCall {
    /// Notes that the request to the API begins.
    pub(crate) fn asks_upstream(&mut self) {
        self.asked = Some(Instant::now());
    }

    /// Notes that the API has responded, or that the request to it has failed.
    pub(crate) fn heard_upstream(&mut self) {
        self.heard = Some(Instant::now());
    }

    /// Counts the end of the call. The record is in the queue until the result is dropped.
    pub(crate) fn ends(self, record: &CallRecord) -> QueuedRecord {
        let Self { metrics, started, asked, heard } = self;
        let ended = Instant::now();
        let toolkit = || record.toolkit.clone().map_or(Cow::Borrowed(NO_TOOLKIT), Cow::Owned);
        let class = match record.status {
            Some(100..=199) => "1xx",
            Some(200..=299) => "2xx",
            Some(300..=399) => "3xx",
            Some(400..=499) => "4xx",
            Some(500..=599) => "5xx",
            _ => "none",
        };
        let outcome = Cow::Owned(record.outcome.clone());
        let labels = [("toolkit", toolkit()), ("status", class.into()), ("outcome", outcome)];
        metrics.calls.get_or_create(&labels).inc();
        metrics.calls_in_flight.dec();
        let toolkit = [("toolkit", toolkit())];
        metrics.call_durations.get_or_create(&toolkit).observe((ended - started).as_secs_f64());
        if let Some(asked) = asked {
            metrics.overheads.observe((asked - started).as_secs_f64());
            let upstream = heard.unwrap_or(ended) - asked;
            metrics.upstream_durations.get_or_create(&toolkit).observe(upstream.as_secs_f64());
        }
        metrics.records_queued.inc();
        QueuedRecord(metrics)
    }
}

/// A record on its way to the store.
#[derive(Debug)]
pub(crate) struct QueuedRecord(Arc<Metrics>);

impl QueuedRecord {
    /// Counts that the record could not be stored.
    pub(crate) fn lost(&self) {
        self.0.records_lost.inc();
    }
}

impl Drop for QueuedRecord {
    fn drop(&mut self) {
        self.0.records_queued.dec();
    }
}

impl Metrics {
    fn new(source: &Source) -> Self {
        let for_calls: fn() -> Histogram = || Histogram::new(CALL_BUCKETS);
        let mut metrics = Self {
            registry: Registry::with_prefix("proxy_execute"),
            calls: Family::default(),
            calls_in_flight: Gauge::default(),
            call_durations: Family::new_with_constructor(for_calls),
            upstream_durations: Family::new_with_constructor(for_calls),
            overheads: Histogram::new(OVERHEAD_BUCKETS),
            refreshes: Family::default(),
            webhooks: Family::default(),
            records_queued: Gauge::default(),
            records_lost: Counter::default(),
            ready: Gauge::default(),
            event_loop_delays: Family::default(),
        };
        let registry = &mut metrics.registry;
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version of the gateway", version);
        registry.register("ready", "Whether calls can be made, as /ready says", metrics.ready.clone());
        registry.register(
            "calls",
            "Proxied calls that have ended, by the class of the API's status and the outcome: answered, cancelled, \
             or the slug of the error",
            metrics.calls.clone(),
        );
        registry.register("calls_in_flight", "Calls that have not ended", metrics.calls_in_flight.clone());
        registry.register(
            "call_duration_seconds",
            "Time of a call, from the request to the last byte of the response",
            metrics.call_durations.clone(),
        );
        registry.register(
            "call_upstream_seconds",
            "Part of a call that waits for the API: to the end of its response, or to the head if the response is \
             streamed",
            metrics.upstream_durations.clone(),
        );
        registry.register(
            "call_overhead_seconds",
            "Part of a call before the API is asked: checks, lookups, and a refresh that the call waits for",
            metrics.overheads.clone(),
        );
        registry.register(
            "refreshes",
            "Refreshes of credentials by outcome: renewed, failed (tried again later) or refused (the account expires)",
            metrics.refreshes.clone(),
        );
        // An alert on the first failure needs the zero before it.
        for outcome in ["delivered", "failed", "dead", "cut_off"] {
            metrics.webhooks.get_or_create(&[("outcome", outcome.into())]).inc_by(0);
        }
        registry.register(
            "webhook_attempts",
            "Attempts to send a webhook by outcome: delivered, failed (tried again later), dead (given up) or cut_off \
             (by the end of the gateway)",
            metrics.webhooks.clone(),
        );
        registry.register(
            "records_queued",
            "Records of calls that wait for the store",
            metrics.records_queued.clone(),
        );
        registry.register(
            "records_lost",
            "Records of calls that the store did not take",
            metrics.records_lost.clone(),
        );
        registry.register(
            "event_loop_delay_seconds",
            "Delay of the event loop of Node.js in the last 15 seconds",
            metrics.event_loop_delays.clone(),
        );
        registry.register(
            "spans_lost",
            "Spans of traces that were not exported: the queue was full, or the collector failed",
            source.spans_lost.clone(),
        );
        registry.register_collector(Box::new(StoreCollector(Arc::clone(&source.store))));
        metrics
    }
}

/// Reads the figures of the store when the metrics are written.
#[derive(Debug)]
struct StoreCollector(Arc<dyn Store>);

impl Collector for StoreCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let figures = self.0.figures();
        let help = "Open connections to the store.";
        let mut metric = encoder.encode_descriptor("store_connections", help, None, MetricType::Gauge)?;
        for pool in &figures.pools {
            for (state, connections) in [("idle", pool.idle), ("busy", pool.open - pool.idle)] {
                let labels = [("pool", pool.name), ("state", state)];
                ConstGauge::new(connections).encode(metric.encode_family(&labels)?)?;
            }
        }
        let help = "Upper limit for the connections to the store.";
        let mut metric = encoder.encode_descriptor("store_connections_max", help, None, MetricType::Gauge)?;
        for pool in &figures.pools {
            ConstGauge::new(pool.most).encode(metric.encode_family(&[("pool", pool.name)])?)?;
        }
        let help = "Lookups of rows that calls need: a hit is in memory, a miss asks the store.";
        let mut metric = encoder.encode_descriptor("cache_lookups", help, None, MetricType::Counter)?;
        for cache in &figures.caches {
            for (result, lookups) in [("hit", cache.hits), ("miss", cache.misses)] {
                let labels = [("rows", cache.rows), ("result", result)];
                ConstCounter::new(lookups).encode(metric.encode_family(&labels)?)?;
            }
        }
        let help = "Rows that are cached.";
        let mut metric = encoder.encode_descriptor("cache_rows", help, None, MetricType::Gauge)?;
        for cache in &figures.caches {
            ConstGauge::new(cache.size).encode(metric.encode_family(&[("rows", cache.rows)])?)?;
        }
        Ok(())
    }
}
