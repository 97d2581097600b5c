//! The gateway in this process, and its administration.

#![expect(clippy::use_self, reason = "#[napi] repeats the signatures where there is no Self")]

use std::sync::Arc;

use napi::Env;
use napi::bindgen_prelude::{AsyncBlock, AsyncBlockBuilder, Either};
use napi_derive::napi;
use proxy_execute_protocol::{read_json, read_options};
use proxy_execute_server::Embedded;
use serde_json::json;

use crate::backend::Backend;
use crate::call::{no_panic, to_its_end, to_json, within};
use crate::completions::Completions;
use crate::failure::NativeFailure;

/// A gateway that is open or closed.
#[napi]
#[derive(Debug)]
pub struct Gateway {
    inner: Embedded,
    completions: Completions,
}

#[napi]
impl Gateway {
    /// Opens a gateway.
    #[napi(ts_return_type = "Promise<Gateway | NativeFailure>")]
    pub fn open(
        env: &Env,
        options: String,
        completions: &Completions,
    ) -> napi::Result<AsyncBlock<Either<Gateway, NativeFailure>>> {
        let completions = completions.clone();
        let opened = async move { Embedded::open(read_options(&options)?).await };
        AsyncBlockBuilder::new(async move {
            Ok(match no_panic(opened).await {
                Ok(inner) => Either::A(Self { inner, completions }),
                Err(error) => Either::B(error.into()),
            })
        })
        .build(env)
    }

    /// Returns the gateway as a backend for calls.
    #[napi(catch_unwind)]
    pub fn backend(&self) -> Backend {
        Backend { inner: Arc::new(self.inner.clone()), completions: self.completions.clone() }
    }

    /// Serves the gateway on a port, and its metrics on another address.
    #[napi(catch_unwind)]
    pub fn listen(&self, options: String, metrics: Option<String>) -> u32 {
        let gateway = self.inner.clone();
        let ended = self.completions.environment_ended().clone();
        to_its_end(&self.completions, async move {
            let options = read_options(&options)?;
            let (address, metrics) = match metrics {
                None => (gateway.listen(options).await?, None),
                Some(metrics) => {
                    let (address, metrics) = gateway.listen_with_metrics(options, &metrics).await?;
                    (address, Some(metrics))
                }
            };
            // The port is closed with the worker that opened it, because no other thread could close it.
            tokio::spawn(async move {
                tokio::select! {
                    () = gateway.closing() => {}
                    () = ended.cancelled() => gateway.close().await,
                }
            });
            to_json(&json!({ "host": address.ip(), "port": address.port(), "metrics": metrics }))
        })
    }

    /// Stores a credential that a user already has.
    #[napi(catch_unwind)]
    pub fn import_connected_account(&self, request: String) -> u32 {
        let gateway = self.inner.clone();
        to_its_end(&self.completions, async move {
            to_json(&gateway.import_account(read_json(request.as_bytes())?).await?)
        })
    }

    /// Creates an API key for the port.
    #[napi(catch_unwind)]
    pub fn create_api_key(&self, request: String) -> u32 {
        let gateway = self.inner.clone();
        to_its_end(&self.completions, async move {
            to_json(&gateway.create_api_key(read_json(request.as_bytes())?).await?)
        })
    }

    /// Lists the API keys. Their secrets are not shown.
    #[napi(catch_unwind)]
    pub fn list_api_keys(&self) -> u32 {
        let gateway = self.inner.clone();
        to_its_end(&self.completions, async move { to_json(&gateway.list_api_keys().await?) })
    }

    /// Revokes an API key.
    #[napi(catch_unwind)]
    pub fn revoke_api_key(&self, id: String) -> u32 {
        let gateway = self.inner.clone();
        to_its_end(&self.completions, async move { to_json(&gateway.revoke_api_key(&id).await?) })
    }

    /// Lists the calls of a filter, newest first.
    #[napi(catch_unwind)]
    pub fn calls(&self, filter: String) -> u32 {
        let gateway = self.inner.clone();
        to_its_end(&self.completions, async move {
            to_json(&gateway.calls(&read_json(filter.as_bytes())?).await?)
        })
    }

    /// Returns the events behind a cursor, as soon as there is one.
    #[napi(catch_unwind)]
    pub fn events(&self, after: Option<String>, cancel: Option<u32>) -> u32 {
        let gateway = self.inner.clone();
        within(&self.completions, f64::INFINITY, cancel, move |_| async move {
            to_json(&gateway.events(after.as_deref()).await?)
        })
    }

    /// Returns the metrics, in the text format of Prometheus.
    #[napi(catch_unwind)]
    pub fn metrics(&self) -> u32 {
        let gateway = self.inner.clone();
        to_its_end(&self.completions, async move { to_json(&gateway.metrics().await?) })
    }

    /// Notes the delays of the event loop in seconds: the median, the 99th percentile and the maximum.
    #[napi(catch_unwind)]
    pub fn event_loop_delays(&self, median: f64, p99: f64, most: f64) {
        self.inner.event_loop_delays(&[("0.5", median), ("0.99", p99), ("1", most)]);
    }

    /// Ends the calls in flight, stops listening and closes the store.
    #[napi(catch_unwind)]
    pub fn close(&self) -> u32 {
        let gateway = self.inner.clone();
        to_its_end(&self.completions, async move {
            gateway.close().await;
            to_json(&())
        })
    }
}
