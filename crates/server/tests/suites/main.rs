//! The gateway over real sockets, through its public interface: against upstreams that respond, stall, send
//! false headers and disconnect, on a port, and with its store in a file.
//!
//! One program, because linking takes longer than the tests do.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod api_keys;
mod audit;
mod bounds;
mod callback;
mod canary;
mod codings;
mod connect;
mod default_account;
mod documented_wire;
mod dynamic_client;
mod exchange;
mod faults;
mod foreign_clients;
mod headers;
mod hosts;
mod http;
mod keys;
mod labels;
mod mcp;
mod metrics;
mod oauth1;
mod pipeline;
mod port;
mod private_hosts;
mod redirects;
mod refresh;
mod relay;
mod resources;
mod retention;
mod several_gateways;
mod shared_accounts;
mod store;
mod store_file;
mod support;
mod tls;
mod token_answers;
mod traces;
mod upstream;
mod users;
mod webhooks;
