//! The gateway itself: sessions, connected accounts, credentials, the endpoint rule, egress.
//!
//! This crate has no HTTP server; `crates/server` offers the gateway on a port and in process. The file
//! `proxy.rs` implements a proxied call. It reads top to bottom like the list in `docs/architecture.md`:
//!
//! session → account → target ([`endpoint`]) → request → credential → egress → response → record

pub mod account;
mod answer;
pub mod api_key;
pub mod audit;
pub mod auth_config;
mod bounds;
mod callback_url;
mod clock;
pub mod connect;
mod credential;
mod egress;
pub mod endpoint;
mod events;
mod file_url;
pub mod files;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod gateway;
mod header;
pub mod id;
mod lifecycle;
mod limits;
pub mod link;
mod metrics;
mod oauth;
mod page;
pub mod proxy;
mod public_url;
mod query;
mod readiness;
mod record;
mod redirect_uri;
mod renewal;
mod request;
mod restriction;
mod retention;
mod rotation;
pub mod session;
mod store;
mod stream;
mod tokens;
pub mod toolkit;
mod toolkits;
mod trace;
mod upload;
mod users;
mod vault;
pub mod webhooks;
mod word_id;

pub use files::{FilesOptions, S3Options};
pub use gateway::{Gateway, GatewayOptions, Services};
pub use proxy_execute_store::{Clock, KeyUse, PostgresOptions};
pub use public_url::PublicUrl;
pub use record::{CallOrigin, Recorder};
pub use rotation::{RotatedKey, RotationProgress, rotate_key};
pub use store::{back_up_store, check_store, copy_store, migrate_store};
pub use toolkit::{Catalogue, Toolkit, ToolkitSource};
pub use trace::TraceContext;
pub use vault::EncryptionKeys;
