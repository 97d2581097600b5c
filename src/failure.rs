//! Why a call failed, in the form in which JavaScript turns it into an error class.

use std::collections::HashMap;

use napi::bindgen_prelude::Either;
use napi_derive::napi;
use proxy_execute_protocol::{Error, ErrorCode, ErrorKind};

/// Which family of error classes a failure belongs to.
#[napi(string_enum = "lowercase")]
#[derive(Debug)]
#[expect(missing_docs, reason = "NativeFailure::new is the definition")]
pub enum FailureKind {
    Aborted,
    Timeout,
    Connection,
    Api,
    Option,
}

/// A settled call without an answer.
#[napi(object, object_from_js = false)]
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are those of proxy_execute_protocol::Error")]
pub struct NativeFailure {
    pub kind: FailureKind,
    pub message: String,
    pub status: Option<u16>,
    pub code: Option<Either<i64, String>>,
    pub slug: Option<String>,
    pub request_id: Option<String>,
    pub suggested_fix: Option<String>,
    pub errors: Option<Vec<String>>,
    pub headers: Option<HashMap<String, String>>,
    /// In milliseconds.
    pub retry_after: Option<f64>,
}

impl NativeFailure {
    /// The caller's signal was aborted; JavaScript throws the signal's reason instead of this.
    pub(crate) fn aborted() -> Self {
        Self {
            kind: FailureKind::Aborted,
            message: "The call was aborted.".to_owned(),
            status: None,
            code: None,
            slug: None,
            request_id: None,
            suggested_fix: None,
            errors: None,
            headers: None,
            retry_after: None,
        }
    }
}

impl From<Error> for NativeFailure {
    fn from(error: Error) -> Self {
        let headers = error.headers().0.clone();
        let body = error.body().clone();
        Self {
            kind: match error.kind() {
                ErrorKind::DeadlineExceeded => FailureKind::Timeout,
                ErrorKind::Connection
                | ErrorKind::InvalidAnswer
                | ErrorKind::GatewayClosed
                | ErrorKind::CallCutOff => FailureKind::Connection,
                ErrorKind::InvalidOption
                | ErrorKind::NeedsGateway
                | ErrorKind::InvalidToolkit
                | ErrorKind::EncryptionKeyRequired
                | ErrorKind::WrongEncryptionKey
                | ErrorKind::StoreCorrupt
                | ErrorKind::StoreUnavailable => FailureKind::Option,
                _ => FailureKind::Api,
            },
            status: error.status(),
            retry_after: error.retry_after().map(|after| after.as_secs_f64() * 1000.0),
            message: body.message,
            code: body.code.map(|code| match code {
                ErrorCode::Number(number) => Either::A(number),
                ErrorCode::Name(name) => Either::B(name),
            }),
            slug: body.slug,
            request_id: body.request_id,
            suggested_fix: body.suggested_fix,
            errors: (!body.errors.is_empty()).then_some(body.errors),
            headers: (!headers.is_empty()).then(|| headers.into_iter().collect()),
        }
    }
}
