//! The reason why a call failed, in the form from which JavaScript makes an error class.

use std::collections::HashMap;

use napi::bindgen_prelude::Either;
use napi_derive::napi;
use proxy_execute_protocol::{Advice, Error, ErrorCode, ErrorKind};

/// The family of error classes that a failure belongs to.
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

/// The action that the user can take, as data.
#[napi(object, object_from_js = false)]
#[derive(Debug)]
pub struct NativeAdvice {
    /// `use-name`, `enable-account`, `allow-private-host`, `raise-option` or `listen-elsewhere`.
    pub action: String,
    /// The name, the account's id, or the option.
    pub subject: Option<String>,
    /// The entry to add to the option.
    pub entry: Option<String>,
}

impl From<Advice> for NativeAdvice {
    fn from(advice: Advice) -> Self {
        let (action, subject, entry) = match advice {
            Advice::UseName(name) => ("use-name", Some(name), None),
            Advice::EnableAccount(id) => ("enable-account", Some(id), None),
            Advice::AllowPrivateHost { option, entry } => {
                ("allow-private-host", Some(option.to_owned()), Some(entry))
            }
            Advice::RaiseOption(option) => ("raise-option", Some(option.to_owned()), None),
            Advice::ListenElsewhere => ("listen-elsewhere", None, None),
        };
        Self { action: action.to_owned(), subject, entry }
    }
}

/// The result of a call that failed.
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
    pub field: Option<String>,
    pub advice: Option<NativeAdvice>,
    pub headers: Option<HashMap<String, String>>,
    /// The time to wait before a retry, in milliseconds.
    pub retry_after: Option<f64>,
}

impl NativeFailure {
    /// The failure of a call whose signal was aborted. JavaScript throws the signal's reason instead.
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
            field: None,
            advice: None,
            headers: None,
            retry_after: None,
        }
    }
}

impl From<Error> for NativeFailure {
    fn from(error: Error) -> Self {
        let headers = error.headers().0.clone();
        let body = error.body().clone();
        let field = error.field().map(str::to_owned);
        let advice = error.advice().cloned().map(NativeAdvice::from);
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
            field,
            advice,
            headers: (!headers.is_empty()).then(|| headers.into_iter().collect()),
        }
    }
}
