//! The requests, responses and errors of a backend. No I/O.
//!
//! Two things serve a [`Backend`] call: the gateway in this process, and a client that calls a
//! gateway over HTTP. Both speak in the types of this crate, whose serialised form is the
//! documented wire (`snake_case` keys, see `docs/wire.md`).

mod account;
mod api_key;
mod audit;
mod auth_config;
mod auth_scheme;
mod backend;
mod byte_stream;
mod call;
mod envelope;
mod error;
mod event;
mod json_body;
mod link;
#[cfg(feature = "openapi")]
mod openapi;
mod page;
mod paging;
mod proxy;
mod quoted;
mod read;
mod reference;
mod resource;
mod secret;
mod session;
mod toolkit;
mod user;
mod webhook;
mod wire_name;

pub use account::{
    AccountState, AccountStatus, AccountType, Acl, AuthConfigId, ChangedAccount, ChangedConnection,
    ChangedSharing, ConnectedAccount, CreateAccount, CreatedAccount, DefaultAccount, DeletedAccount, Enabled,
    GivenAcl, ImportAccount, ListAccounts, ListedAccounts, NewConnection, NewSharing, OrderBy,
    OrderDirection, RefreshAccount, RefreshedAccount, RevokedAccount, Sharing, ShortAccount, UpdateAccount,
};
pub use api_key::{ApiKey, ApiKeyList, Area, CreateApiKey, Level, NewApiKey, Permissions, RevokedApiKey};
pub use audit::{AuditEntry, AuditPage, AuditVerification, BrokenAuditEntry, ListAudit, VerifyAudit};
pub use auth_config::{
    AuthConfig, AuthConfigStatus, AuthConfigType, ChangedAuthConfig, CreateAuthConfig, CreatedAuthConfig,
    Done, ListAuthConfigs, NewAuthConfig, NewAuthConfigType, ToolkitWithLogo, UpdateAuthConfig,
};
pub use auth_scheme::AuthScheme;
pub use backend::{Backend, Deadline, Download, StreamedAnswer};
pub use byte_stream::ByteStream;
pub use call::{CallFilter, RecordedCall};
pub use envelope::{
    BinaryData, Envelope, EnvelopeHead, Headers, LONGEST_TEXT, ResultType, StreamedHead, Trailers,
};
pub use error::{Advice, Error, ErrorBody, ErrorCode, ErrorEnvelope, ErrorKind, Result};
pub use event::{Event, EventAccount, EventPage};
pub use json_body::{is_json, json_in_string, media_type};
pub use link::{Link, LinkAccount, LinkAgain, LinkInSession};
#[cfg(feature = "openapi")]
pub use openapi::{SessionProxyRequest, ToolsProxyRequest};
pub use page::Page;
pub use paging::{Pagination, PaginationKind, RateLimit, RateLimitUnit};
pub use proxy::{
    BinaryBody, MOST_PARAMETERS, Method, Parameter, ParameterLocation, ProxyCall, ProxyRequest, Redirect,
};
pub use quoted::quoted;
pub use read::{missing, read_json, read_json_as, read_options, without_value};
pub use reference::{AuthConfigRef, ToolkitRef};
pub use resource::{ResourceMethod, ResourceRequest};
pub use secret::SecretJson;
pub use session::{CreateSession, DeletedSession, Mcp, Session, SessionConfig, ToolkitFilter, UpdateSession};
pub use toolkit::{
    AuthConfigDetails, AuthConfigFields, DeprecatedIds, FieldGroup, InputField, ListSessionToolkits,
    ListToolkits, SessionAccount, SessionToolkit, SessionToolkitMeta, ToolkitCategories, ToolkitCategory,
    ToolkitDetails, ToolkitItem, ToolkitMeta, ToolkitSetup,
};
pub use user::{DeletedUser, ListUserRecords, UserRecord, UserRecordKind, UserRecords};
pub use webhook::{
    CreateWebhookSubscription, DeliveryStatus, ListWebhookDeliveries, ListWebhookSubscriptions,
    NewWebhookSubscription, ReplayWebhooks, ReplayedWebhooks, RotatedWebhookSecret,
    UpdateWebhookSubscription, WebhookDelivery, WebhookEventType, WebhookEventTypes, WebhookSubscription,
    WebhookVersion,
};
