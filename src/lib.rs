//! The bridge to JavaScript. It has no logic: it starts calls, and passes texts and streams.
//!
//! Only `lib/` calls the bridge, so both may change together. Three rules hold everywhere:
//!
//! * Requests, options and responses cross as JSON text, in the form of the wire. `JSON.parse` makes objects
//!   several times faster than the addon interface can, and keeps numbers that a number type here would
//!   round.
//! * A method that starts a call returns the call's number. [`completions`] then passes the call's text, or
//!   its [`failure::NativeFailure`]. `lib/errors.ts` makes the error to throw from the failure, so the stack
//!   shows where the call was made.
//! * No method is an `async fn` with `&self`. A worker thread may be torn down while a call is in flight, and
//!   JavaScript then frees the object behind the reference. Methods clone the fields that they need, and
//!   start a future that owns the clones.

pub mod backend;
mod call;
mod cancel;
pub mod completions;
pub mod config;
pub mod download;
pub mod failure;
pub mod gateway;
pub mod log;
mod runtime;
mod settled;
pub mod store;
mod text;
pub mod upload;
