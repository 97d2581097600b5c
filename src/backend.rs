//! What calls are made on: a remote backend, or a gateway in this process.

#![expect(clippy::use_self, reason = "#[napi] repeats the signatures where there is no Self")]

use std::sync::Arc;

use napi::bindgen_prelude::Either;
use napi_derive::napi;
use proxy_execute_client::Remote;
use proxy_execute_protocol as protocol;
use proxy_execute_protocol::{Envelope, Error, ErrorKind, Result, read_json};

use crate::call::{parse_options, to_json, within};
use crate::cancel::Cancel;
use crate::completions::Completions;
use crate::failure::NativeFailure;

/// Something that answers calls.
#[napi]
#[derive(Debug)]
pub struct Backend {
    pub(crate) inner: Arc<dyn protocol::Backend>,
    pub(crate) completions: Completions,
}

#[napi]
impl Backend {
    /// A backend that is asked over HTTP.
    #[napi(catch_unwind, ts_return_type = "Backend | NativeFailure")]
    pub fn remote(options: String, completions: &Completions) -> Either<Backend, NativeFailure> {
        match parse_options(&options).and_then(Remote::new) {
            Ok(remote) => Either::A(Self { inner: Arc::new(remote), completions: completions.clone() }),
            Err(error) => Either::B(error.into()),
        }
    }

    /// Opens a session.
    #[napi(catch_unwind)]
    pub fn create_session(&self, request: String, timeout_ms: f64, cancel: Option<&Cancel>) -> u32 {
        let backend = Arc::clone(&self.inner);
        within(&self.completions, timeout_ms, cancel, |deadline| async move {
            to_json(&backend.create_session(read_json(request.as_bytes())?, deadline).await?)
        })
    }

    /// Reads a session.
    #[napi(catch_unwind)]
    pub fn get_session(&self, id: String, timeout_ms: f64, cancel: Option<&Cancel>) -> u32 {
        let backend = Arc::clone(&self.inner);
        within(&self.completions, timeout_ms, cancel, |deadline| async move {
            to_json(&backend.session(&id, deadline).await?)
        })
    }

    /// Changes a session.
    #[napi(catch_unwind)]
    pub fn update_session(
        &self,
        id: String,
        request: String,
        timeout_ms: f64,
        cancel: Option<&Cancel>,
    ) -> u32 {
        let backend = Arc::clone(&self.inner);
        within(&self.completions, timeout_ms, cancel, |deadline| async move {
            to_json(&backend.update_session(&id, read_json(request.as_bytes())?, deadline).await?)
        })
    }

    /// Deletes a session.
    #[napi(catch_unwind)]
    pub fn delete_session(&self, id: String, timeout_ms: f64, cancel: Option<&Cancel>) -> u32 {
        let backend = Arc::clone(&self.inner);
        within(&self.completions, timeout_ms, cancel, |deadline| async move {
            to_json(&backend.delete_session(&id, deadline).await?)
        })
    }

    /// Calls an endpoint of a toolkit as the session's user.
    #[napi(catch_unwind)]
    pub fn proxy_execute(
        &self,
        session_id: String,
        request: String,
        data_as_text: bool,
        timeout_ms: f64,
        cancel: Option<&Cancel>,
    ) -> u32 {
        let backend = Arc::clone(&self.inner);
        within(&self.completions, timeout_ms, cancel, |deadline| async move {
            let envelope =
                backend.proxy_execute(&session_id, read_json(request.as_bytes())?, deadline).await?;
            text_of(envelope, data_as_text)
        })
    }

    /// Calls an endpoint with a named account, or with credentials given in the call.
    #[napi(catch_unwind)]
    pub fn tools_proxy_execute(
        &self,
        request: String,
        data_as_text: bool,
        timeout_ms: f64,
        cancel: Option<&Cancel>,
    ) -> u32 {
        let backend = Arc::clone(&self.inner);
        within(&self.completions, timeout_ms, cancel, |deadline| async move {
            text_of(
                backend.tools_proxy_execute(read_json(request.as_bytes())?, deadline).await?,
                data_as_text,
            )
        })
    }

    /// Asks for a resource beside sessions and calls: `{ method, path, query?, body? }`.
    #[napi(catch_unwind)]
    pub fn resource(&self, request: String, timeout_ms: f64, cancel: Option<&Cancel>) -> u32 {
        let backend = Arc::clone(&self.inner);
        within(&self.completions, timeout_ms, cancel, |deadline| async move {
            backend.resource(read_json(request.as_bytes())?, deadline).await
        })
    }

    /// Waits until it is settled whether an account is connected.
    #[napi(catch_unwind)]
    pub fn connected_account(&self, id: String, timeout_ms: f64, cancel: Option<&Cancel>) -> u32 {
        let backend = Arc::clone(&self.inner);
        within(&self.completions, timeout_ms, cancel, |deadline| async move {
            backend.connected_account(&id, deadline).await
        })
    }
}

fn text_of(envelope: Envelope, data_as_text: bool) -> Result<String> {
    if !data_as_text {
        return Ok(envelope.into_text());
    }
    let envelope = envelope.with_data_as_text().map_err(|error| {
        Error::new(
            ErrorKind::InvalidAnswer,
            format!("The backend's answer is not the documented {{ status, data, headers }}: {error}."),
        )
    })?;
    Ok(envelope.into_text())
}
