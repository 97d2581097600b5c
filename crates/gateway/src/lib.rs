//! The backend that answers: sessions, connected accounts, credentials, the endpoint rule, egress.
//!
//! [`Gateway`] runs in the caller's process; [`Gateway::listen`] offers the same answers on a port,
//! in the documented wire. A proxied call is one page, `proxy.rs`, which reads top to bottom like
//! the list in `docs/architecture.md`:
//!
//! session → account → target ([`endpoint`]) → request → credential → egress → answer → record

mod account;
mod answer;
mod api_key;
mod auth_config;
mod bounds;
mod callback_url;
mod clock;
mod connect;
mod credential;
mod egress;
pub mod endpoint;
mod file_url;
mod files;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod gateway;
mod http_server;
mod id;
mod link;
mod page;
mod proxy;
mod record;
mod request;
mod session;
mod stream;
mod toolkit;
mod upload;
mod vault;
mod word_id;

pub use files::{FilesOptions, S3Options};
pub use gateway::{Gateway, GatewayOptions};
pub use http_server::{Listen, openapi};
pub use proxy_execute_store::Clock;
pub use toolkit::{Catalogue, Toolkit, ToolkitSource};
