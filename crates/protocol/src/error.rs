//! Errors, by meaning.
//!
//! * [`ErrorKind`] names the meaning. Its [`ErrorKind::facts`] is the one table from meaning to
//!   HTTP status, numeric code and slug (`docs/errors.md` is the same table with
//!   advice). Code that reacts to an error matches on the kind.
//! * [`Error`] is what functions return: a kind, a sentence on what happened to what, and, where
//!   there is one, a sentence on what to do.
//! * [`ErrorEnvelope`] is the form in which an error travels. A remote backend turns it back into
//!   the [`Error`] it was made from, and keeps members that it does not know.
//!
//! Causes that help an operator but not a caller go to the log, never into the message. No message
//! holds a credential, a header's value, a query or a body.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Headers;

/// The result of everything that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Declares the kinds together with their place on the wire, so that neither can be missing.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident => $status:literal, $code:literal, $slug:literal;)*) => {
        /// The meaning of an error. See the module's documentation.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorKind { $($(#[$doc])* $kind,)* }

        impl ErrorKind {
            /// All kinds, for tables and tests.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// HTTP status, numeric code and slug. A status of 0 never travels: such an error is made
            /// in the caller's process.
            pub fn facts(self) -> (u16, i64, &'static str) {
                match self { $(Self::$kind => ($status, $code, $slug),)* }
            }
        }
    };
}

kinds! {
    /// A field is missing, unknown or has a value that cannot be used.
    InvalidRequest => 400, 10400, "InvalidRequest";
    /// A session's configuration cannot be used.
    InvalidSession => 400, 4300, "ToolRouterV2_BadRequest";
    /// A pinned account does not exist, is disabled or belongs to another user.
    InvalidPinnedAccount => 400, 4309, "ToolRouterV2_InvalidConnectedAccountIds";
    /// A session pins more than one SHARED account of a toolkit.
    SeveralSharedAccounts => 400, 4347, "ToolRouterV2_MultipleSharedAccountsPerToolkit";
    /// The session's user has no active account of the toolkit.
    NoActiveConnection => 400, 4302, "ToolRouterV2_NoActiveConnection";
    /// The endpoint leads to a host that the credential must not reach.
    OriginMismatch => 400, 10401, "OriginMismatch";
    /// Neither an account nor credentials were named.
    MissingAuthContext => 400, 10402, "MissingAuthContext";
    /// The address that a host resolves to may not be called.
    AddressRefused => 400, 10403, "AddressRefused";
    /// There is no API key, or it is not valid.
    Unauthenticated => 401, 10410, "InvalidApiKey";
    /// A request has more than one credential.
    SeveralCredentials => 401, 10421, "HTTP_Unauthorized";
    /// The API key lacks the permission area.
    PermissionDenied => 403, 10411, "InsufficientPermissions";
    /// The session does not allow the toolkit.
    ToolkitNotAllowed => 403, 4301, "ToolRouterV2_ToolkitNotAllowed";
    /// The user may not use the SHARED account, or no session pins it.
    SharedAccessDenied => 403, 10420, "SharedAccessDenied";
    /// There is no such session, or no longer.
    SessionNotFound => 404, 4303, "ToolRouterV2_SessionNotFound";
    /// There is no such toolkit in the catalogue.
    ToolkitNotFound => 404, 10412, "ToolkitNotFound";
    /// There is no such connected account.
    AccountNotFound => 404, 1803, "ConnectedAccountNotFound";
    /// There is no such auth config.
    AuthConfigNotFound => 404, 10414, "AuthConfigNotFound";
    /// A link needs an auth config, and the toolkit has none that is managed.
    NoManagedAuth => 400, 4308, "ToolRouterV2_NoManagedAuth";
    /// The toolkit needs no account, so there is nothing to link.
    ToolkitNeedsNoAuth => 400, 4326, "ToolRouterV2_ToolkitsIsNoAuth";
    /// The API key may not be used from this address.
    AddressNotAllowed => 403, 10415, "AddressNotAllowed";
    /// There is no such resource.
    NotFound => 404, 10404, "NotFound";
    /// The resource does not have this method.
    MethodNotAllowed => 405, 10405, "MethodNotAllowed";
    /// A link would lead nowhere, because the gateway does not listen.
    NotListening => 409, 10416, "GatewayNotListening";
    /// Another change came first.
    Conflict => 409, 10409, "Conflict";
    /// The events behind a cursor were deleted.
    EventsForgotten => 410, 10432, "EventsForgotten";
    /// A request body is over the limit.
    PayloadTooLarge => 413, 10413, "PayloadTooLarge";
    /// The URI of a request is over the limit.
    UriTooLong => 414, 10419, "UriTooLong";
    /// The head of a request is over the limits.
    HeadTooLarge => 431, 10431, "HeadTooLarge";
    /// The bytes of a body ended early, differ from the announced size, or stalled.
    UploadBroken => 400, 10406, "UploadBroken";
    /// The URL of a binary body did not return its bytes.
    SourceUnusable => 400, 10407, "SourceUnusable";
    /// The gateway did not sign the URL of a file, or the URL has expired.
    FileUrlRefused => 403, 10418, "FileUrlRefused";
    /// The file does not exist.
    FileNotFound => 404, 10417, "FileNotFound";
    /// The account is disabled, expired or otherwise not usable.
    AccountUnusable => 422, 1810, "ConnectedAccountNotUsable";
    /// The caller sends more than the key's rate allows.
    RateLimited => 429, 10429, "RateLimited";
    /// The gateway failed. The request is not the cause.
    Internal => 500, 10500, "InternalServerError";
    /// The gateway does not support this.
    Unsupported => 501, 10501, "NotSupported";
    /// No connection to the upstream could be made; nothing was sent.
    UpstreamUnreachable => 502, 10502, "UpstreamUnreachable";
    /// The upstream's response is cut off or not of its declared form.
    UpstreamBroken => 502, 10503, "UpstreamBroken";
    /// The upstream's response is over the gateway's limit, or over that of a JavaScript string.
    UpstreamTooLarge => 502, 10505, "UpstreamTooLarge";
    /// The number of files that are open at once is at its limit.
    TooManyFiles => 507, 10510, "TooManyFiles";
    /// A file could not be written or read.
    FileStoreFailed => 500, 10509, "FileStoreFailed";
    /// The upstream redirects to an address that a call must not follow.
    RedirectRefused => 502, 10506, "RedirectRefused";
    /// An access token has expired, and the provider does not issue another for now.
    TokenRefreshFailed => 502, 10508, "TokenRefreshFailed";
    /// The upstream did not respond in time.
    UpstreamTimeout => 504, 10504, "UpstreamTimeout";
    /// The gateway is closed or closing. The call was not started.
    GatewayClosed => 503, 10507, "GatewayClosed";
    /// The gateway cannot use its store, so it is not ready for calls.
    NotReady => 503, 10512, "NotReady";
    /// The store does not respond, while the gateway is open. A proxied call was not sent.
    StoreNotResponding => 503, 10513, "StoreNotResponding";
    /// The gateway was closed before the call ended.
    CallCutOff => 500, 10511, "CallCutOff";
    /// An option of the gateway or of the client cannot be used.
    InvalidOption => 0, 0, "InvalidOption";
    /// A toolkit's definition cannot be used.
    InvalidToolkit => 0, 0, "InvalidToolkit";
    /// A store in a file needs an encryption key.
    EncryptionKeyRequired => 0, 0, "EncryptionKeyRequired";
    /// The store was written with another encryption key.
    WrongEncryptionKey => 0, 0, "WrongEncryptionKey";
    /// The store's file is not a database, or is damaged.
    StoreCorrupt => 0, 0, "StoreCorrupt";
    /// The store cannot be opened.
    StoreUnavailable => 0, 0, "StoreUnavailable";
    /// No connection to the backend could be made, or it broke.
    Connection => 0, 0, "ConnectionError";
    /// The call's deadline passed.
    DeadlineExceeded => 0, 0, "DeadlineExceeded";
    /// The backend's response is not in the documented form.
    InvalidAnswer => 0, 0, "InvalidAnswer";
    /// The backend is not a gateway of this project, and does not support the call.
    NeedsGateway => 0, 0, "NeedsGateway";
    /// The backend responded with a status that has no kind of its own.
    OtherStatus => 0, 0, "UnexpectedStatus";
}

impl ErrorKind {
    /// The kind that an error envelope of a backend stands for: by slug, else by status.
    pub fn from_wire(status: u16, slug: Option<&str>) -> Self {
        let by_slug = || Self::ALL.iter().find(|kind| Some(kind.facts().2) == slug && kind.facts().0 != 0);
        by_slug().copied().unwrap_or(match status {
            400 => Self::InvalidRequest,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::NotFound,
            405 => Self::MethodNotAllowed,
            409 => Self::Conflict,
            413 => Self::PayloadTooLarge,
            414 => Self::UriTooLong,
            422 => Self::AccountUnusable,
            429 => Self::RateLimited,
            431 => Self::HeadTooLarge,
            501 => Self::Unsupported,
            502 => Self::UpstreamUnreachable,
            504 => Self::UpstreamTimeout,
            500..=599 => Self::Internal,
            _ => Self::OtherStatus,
        })
    }

    /// Whether an API may have carried out a proxied call that ended with this error. All other
    /// errors end a call before anything is sent, or are the caller's to correct.
    pub fn may_be_done(self) -> bool {
        matches!(
            self,
            Self::Internal
                | Self::UpstreamBroken
                | Self::UpstreamTooLarge
                | Self::UpstreamTimeout
                | Self::RedirectRefused
                | Self::TooManyFiles
                | Self::FileStoreFailed
                | Self::CallCutOff
        )
    }
}

/// The advice about an error, for surfaces such as the command that word it themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advice {
    /// Use this name, which was probably meant.
    UseName(String),
    /// Enable the connected account with this id.
    EnableAccount(String),
    /// Add this entry to the option of the gateway that lets calls reach a private host.
    AllowPrivateHost {
        /// The option.
        option: &'static str,
        /// The entry.
        entry: String,
    },
    /// Raise this option of the gateway.
    RaiseOption(&'static str),
    /// Listen on another address.
    ListenElsewhere,
}

/// An error. See the module's documentation.
///
/// Boxed, because every `Result` of a call has room for it and few hold one.
#[derive(Clone)]
pub struct Error(Box<Details>);

#[derive(Clone)]
struct Details {
    kind: ErrorKind,
    body: ErrorBody,
    field: Option<String>,
    advice: Option<Advice>,
    retry_after: Option<Duration>,
    headers: Headers,
}

impl Error {
    /// An error of a kind, with a sentence on the fact and its subject.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let (status, code, slug) = kind.facts();
        let body = ErrorBody {
            message: message.into(),
            code: (status != 0).then(|| code.into()),
            slug: Some(slug.to_owned()),
            status,
            request_id: None,
            suggested_fix: None,
            errors: Vec::new(),
        };
        Self::from_parts(kind, body)
    }

    fn from_parts(kind: ErrorKind, body: ErrorBody) -> Self {
        let headers = Headers::default();
        Self(Box::new(Details { kind, body, field: None, advice: None, retry_after: None, headers }))
    }

    /// An error about one field of a request. Its sentence is the one entry of `errors`, too.
    pub fn of_field(kind: ErrorKind, field: impl Into<String>, message: impl Into<String>) -> Self {
        let mut error = Self::new(kind, message).about(field);
        error.0.body.errors = vec![error.0.body.message.clone()];
        error
    }

    /// Names the field or option that the message is about, as the message writes it.
    #[must_use]
    pub fn about(mut self, field: impl Into<String>) -> Self {
        self.0.field = Some(field.into());
        self
    }

    /// Lists one sentence per problem.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<String>) -> Self {
        self.0.body.errors = errors;
        self
    }

    /// The error that a backend described with an envelope.
    pub fn from_wire(status: u16, mut body: ErrorBody) -> Self {
        let kind = ErrorKind::from_wire(status, body.slug.as_deref());
        body.status = status;
        // A gateway's message ends with the advice, which would else be repeated.
        if let Some(fix) = &body.suggested_fix
            && let Some(message) = body.message.strip_suffix(fix.as_str())
        {
            body.message = message.trim_end().to_owned();
            // If the message consists of the advice alone, the advice becomes the message.
            if body.message.is_empty() {
                body.message = body.suggested_fix.take().unwrap_or_default();
            }
        }
        Self::from_parts(kind, body)
    }

    /// Says what to do about it.
    #[must_use]
    pub fn fix(mut self, suggested_fix: impl Into<String>) -> Self {
        self.0.body.suggested_fix = Some(suggested_fix.into());
        self
    }

    /// Adds the advice as data, for a surface with words of its own.
    #[must_use]
    pub fn advise(mut self, advice: Advice) -> Self {
        self.0.advice = Some(advice);
        self
    }

    /// Returns an error of another kind or message about the same fault, with the same suggested fix.
    #[must_use]
    pub fn restated(&self, kind: ErrorKind, message: impl Into<String>) -> Self {
        let mut error = Self::new(kind, message);
        error.0.body.suggested_fix.clone_from(&self.0.body.suggested_fix);
        error
    }

    /// Names the request it happened in.
    #[must_use]
    pub fn with_request_id(mut self, request_id: impl Into<String>) -> Self {
        self.0.body.request_id = Some(request_id.into());
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    /// Keeps the headers of the response that carried it.
    #[must_use]
    pub fn with_headers(mut self, headers: Headers) -> Self {
        self.0.headers = headers;
        self
    }

    /// Its meaning.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The field or option that is wrong, as the message writes it. It does not travel.
    pub fn field(&self) -> Option<&str> {
        self.0.field.as_deref()
    }

    /// The advice, as data. It does not travel.
    pub fn advice(&self) -> Option<&Advice> {
        self.0.advice.as_ref()
    }

    /// The HTTP status; `None` for an error that neither came over HTTP nor is sent over it.
    pub fn status(&self) -> Option<u16> {
        (self.0.body.status != 0).then_some(self.0.body.status)
    }

    /// The parts that travel.
    pub fn body(&self) -> &ErrorBody {
        &self.0.body
    }

    /// When to try again, where the backend said so.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The headers of the response that carried it; empty without a response.
    pub fn headers(&self) -> &Headers {
        &self.0.headers
    }

    /// Ready to be sent. The message ends with the advice, for clients that show nothing else.
    pub fn into_envelope(self) -> ErrorEnvelope {
        let message = self.to_string();
        ErrorEnvelope { error: ErrorBody { message, ..self.0.body } }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.body.message)?;
        match &self.0.body.suggested_fix {
            Some(fix) => write!(f, " {fix}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("body", &self.0.body)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {}

/// The error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorBody {
    /// The fact and its subject, in one sentence.
    pub message: String,
    /// A number. The hosted backend sometimes sends the slug here instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = i64, required = true))]
    pub code: Option<ErrorCode>,
    /// A name that does not change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, required = true))]
    pub slug: Option<String>,
    /// The HTTP status, repeated.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub status: u16,
    /// Names the request in the gateway's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, required = true))]
    pub request_id: Option<String>,
    /// The advice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub suggested_fix: Option<String>,
    /// One sentence per field that is wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}

/// The form in which an error travels: `{ "error": { … } }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorEnvelope {
    /// The error.
    pub error: ErrorBody,
}

/// The code of an error: a number, or in some responses of the hosted backend a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ErrorCode {
    /// The documented form.
    Number(i64),
    /// The other form.
    Name(String),
}

impl From<i64> for ErrorCode {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn slugs_and_codes_are_unique() {
        let slugs: HashSet<_> = ErrorKind::ALL.iter().map(|kind| kind.facts().2).collect();
        assert_eq!(slugs.len(), ErrorKind::ALL.len());
        let travelling: Vec<_> = ErrorKind::ALL.iter().filter(|kind| kind.facts().0 != 0).collect();
        let codes: HashSet<_> = travelling.iter().map(|kind| kind.facts().1).collect();
        assert_eq!(codes.len(), travelling.len());
    }

    #[test]
    fn every_kind_that_travels_comes_back_as_itself() {
        for kind in ErrorKind::ALL.iter().filter(|kind| kind.facts().0 != 0) {
            let error = Error::new(*kind, "what happened").fix("what to do").with_request_id("req_1");
            let text = serde_json::to_string(&error.into_envelope()).unwrap();
            let envelope: ErrorEnvelope = serde_json::from_str(&text).unwrap();
            let back = Error::from_wire(kind.facts().0, envelope.error);
            assert_eq!(back.kind(), *kind);
            assert_eq!(back.to_string(), "what happened what to do");
            assert_eq!(back.body().request_id.as_deref(), Some("req_1"));
        }
    }

    #[test]
    fn the_message_on_the_wire_ends_with_the_advice() {
        let envelope = Error::new(ErrorKind::NotFound, "It is gone.").fix("Make one.").into_envelope();
        assert_eq!(envelope.error.message, "It is gone. Make one.");
        assert_eq!(envelope.error.suggested_fix.as_deref(), Some("Make one."));
        let back = Error::from_wire(404, envelope.error);
        assert_eq!(
            (back.body().message.as_str(), back.to_string()),
            ("It is gone.", "It is gone. Make one.".into())
        );
        // Other backends do not repeat it.
        let other = ErrorBody {
            message: "Gone".into(),
            ..Error::new(ErrorKind::NotFound, "").fix("Make one.").body().clone()
        };
        assert_eq!(Error::from_wire(404, other).to_string(), "Gone Make one.");
        let only = ErrorBody {
            message: "Make one.".into(),
            ..Error::new(ErrorKind::NotFound, "").fix("Make one.").body().clone()
        };
        assert_eq!(Error::from_wire(404, only).to_string(), "Make one.");
    }

    #[test]
    fn an_error_about_a_field_lists_its_sentence() {
        let error = Error::of_field(ErrorKind::InvalidRequest, "limit", "limit: must be from 1 to 10.");
        assert_eq!(error.body().errors, [error.body().message.as_str()]);
    }

    #[test]
    fn an_unknown_slug_falls_back_to_the_status() {
        assert_eq!(ErrorKind::from_wire(404, Some("SomethingNew")), ErrorKind::NotFound);
        assert_eq!(ErrorKind::from_wire(418, None), ErrorKind::OtherStatus);
        assert_eq!(ErrorKind::from_wire(599, None), ErrorKind::Internal);
    }

    #[test]
    fn the_table_of_kinds() {
        let table: Vec<_> =
            ErrorKind::ALL.iter().map(|kind| format!("{kind:?} {:?}", kind.facts())).collect();
        insta::assert_snapshot!(table.join("\n"));
    }
}
