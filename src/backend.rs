//! The backend of a call: a remote backend, or a gateway in this process.

#![expect(clippy::use_self, reason = "#[napi] repeats the signatures where there is no Self")]

use std::sync::Arc;

use napi::bindgen_prelude::Either;
use napi_derive::napi;
use proxy_execute_client::Remote;
use proxy_execute_protocol as protocol;
use proxy_execute_protocol::{Download, ProxyCall, ProxyRequest, Result, read_json, read_options};
use serde_json::json;

use crate::call::{cancelled, settling, to_json, within};
use crate::completions::Completions;
use crate::download::ByteReader;
use crate::failure::NativeFailure;
use crate::settled::Settled;
use crate::upload::{Source, Upload};

/// A backend that runs calls.
#[napi]
#[derive(Debug)]
pub struct Backend {
    pub(crate) inner: Arc<dyn protocol::Backend>,
    pub(crate) completions: Completions,
}

#[napi]
impl Backend {
    /// Creates a backend that is called over HTTP.
    #[napi(catch_unwind, ts_return_type = "Backend | NativeFailure")]
    pub fn remote(options: String, completions: &Completions) -> Either<Backend, NativeFailure> {
        match read_options(&options).and_then(Remote::new) {
            Ok(remote) => Either::A(Self { inner: Arc::new(remote), completions: completions.clone() }),
            Err(error) => Either::B(error.into()),
        }
    }

    /// Calls an endpoint of a toolkit as the session's user.
    #[napi(catch_unwind)]
    pub fn proxy_execute(
        &self,
        session_id: String,
        request: String,
        upload: Option<&Upload>,
        data_as_text: bool,
        timeout_ms: f64,
        cancel: Option<u32>,
    ) -> u32 {
        let backend = Arc::clone(&self.inner);
        let source = upload.and_then(Upload::take);
        within(&self.completions, timeout_ms, cancel, move |deadline| async move {
            let call = call_of(request, source, data_as_text).await?;
            Ok(backend.proxy_execute(&session_id, call, deadline).await?.into_text())
        })
    }

    /// Calls an endpoint with a named account, or with credentials given in the call.
    #[napi(catch_unwind)]
    pub fn tools_proxy_execute(
        &self,
        request: String,
        upload: Option<&Upload>,
        data_as_text: bool,
        timeout_ms: f64,
        cancel: Option<u32>,
    ) -> u32 {
        let backend = Arc::clone(&self.inner);
        let source = upload.and_then(Upload::take);
        within(&self.completions, timeout_ms, cancel, move |deadline| async move {
            let call = call_of(request, source, data_as_text).await?;
            Ok(backend.tools_proxy_execute(call, deadline).await?.into_text())
        })
    }

    /// Makes the same calls, with a session or without. The response is streamed.
    #[napi(catch_unwind)]
    pub fn proxy_stream(
        &self,
        session_id: Option<String>,
        request: String,
        upload: Option<&Upload>,
        timeout_ms: f64,
        cancel: Option<u32>,
    ) -> u32 {
        let (backend, completions) = (Arc::clone(&self.inner), self.completions.clone());
        let source = upload.and_then(Upload::take);
        let call = move |deadline| async move {
            let call = call_of(request, source, false).await?;
            let answer = backend.proxy_stream(session_id.as_deref(), call, deadline).await?;
            Ok(ByteReader::new(answer.head.into_text(), answer.body, completions))
        };
        settling(&self.completions, timeout_ms, cancelled(&self.completions, cancel), call, Settled::value)
    }

    /// Tells whether the backend streams responses: `true` or `false`.
    #[napi(catch_unwind)]
    pub fn streams(&self, timeout_ms: f64, cancel: Option<u32>) -> u32 {
        let backend = Arc::clone(&self.inner);
        within(&self.completions, timeout_ms, cancel, move |deadline| async move {
            Ok(backend.streams(deadline).await?.to_string())
        })
    }

    /// Opens a file by its URL from a response.
    #[napi(catch_unwind)]
    pub fn download(&self, url: String, timeout_ms: f64, cancel: Option<u32>) -> u32 {
        let (backend, completions) = (Arc::clone(&self.inner), self.completions.clone());
        let call = move |deadline| async move {
            let Download { content_type, size, body } = backend.download(&url, deadline).await?;
            let head = to_json(&json!({ "content_type": content_type, "size": size }))?;
            Ok(ByteReader::new(head, body, completions))
        };
        settling(&self.completions, timeout_ms, cancelled(&self.completions, cancel), call, Settled::value)
    }

    /// Requests a resource: `{ method, path, query?, body? }`.
    #[napi(catch_unwind)]
    pub fn resource(&self, request: String, timeout_ms: f64, cancel: Option<u32>) -> u32 {
        let backend = Arc::clone(&self.inner);
        within(&self.completions, timeout_ms, cancel, move |deadline| async move {
            backend.resource(read_json(request.as_bytes())?, deadline).await
        })
    }

    /// Waits until an account is connected, or until it is certain that it will not be.
    #[napi(catch_unwind)]
    pub fn connected_account(&self, id: String, timeout_ms: f64, cancel: Option<u32>) -> u32 {
        let backend = Arc::clone(&self.inner);
        within(&self.completions, timeout_ms, cancel, move |deadline| async move {
            backend.connected_account(&id, deadline).await
        })
    }
}

/// Adds the bytes to upload to a request. A request without bytes stays the text that it is.
async fn call_of(text: String, source: Option<Source>, data_as_text: bool) -> Result<ProxyCall> {
    let Some(source) = source else { return Ok(ProxyCall::Written { text, data_as_text }) };
    let mut request = ProxyRequest { data_as_text, ..read_json(text.as_bytes())? };
    source.put_into(&mut request).await?;
    Ok(request.into())
}
