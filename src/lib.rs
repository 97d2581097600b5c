//! The bridge to JavaScript: one file per JavaScript noun, and no logic.
//!
//! Only `lib/` calls it, so its interface is free to change with it. What holds for all of it:
//!
//! * Requests, options and answers cross as JSON text, in the wire's own form. `JSON.parse` makes
//!   objects several times faster than the addon interface can, and keeps what a number type here
//!   would round.
//! * A method that starts a call returns the call's number, and [`completions`] tells how it ended:
//!   with the text, or with a [`failure::NativeFailure`], from which `lib/errors.ts` makes the class
//!   to throw: that way its stack shows where the call was made.
//! * No method is an `async fn` with `&self`: a worker thread may be torn down while a call is in
//!   flight, and JavaScript then frees the object behind the reference. Methods clone what they
//!   need and start a future that owns it.

pub mod backend;
mod call;
mod cancel;
pub mod completions;
pub mod download;
pub mod failure;
pub mod gateway;
pub mod log;
mod runtime;
mod settled;
mod text;
pub mod upload;
