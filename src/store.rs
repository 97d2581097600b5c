//! The file of a store, without a gateway: it is checked and backed up.

use napi_derive::napi;
use proxy_execute_server::{back_up_store as back_up, check_store as check};

use crate::call::{to_its_end, to_json};
use crate::completions::Completions;

/// Checks a store, and that this is its key. Changes nothing.
#[napi(catch_unwind)]
pub fn check_store(store: String, encryption_key: String, completions: &Completions) -> u32 {
    to_its_end(completions, async move { to_json(&check(&store, &encryption_key.into()).await?) })
}

/// Copies a store to a new file. The result is the size of the copy.
#[napi(catch_unwind)]
pub fn back_up_store(store: String, file: String, completions: &Completions) -> u32 {
    to_its_end(completions, async move { to_json(&back_up(&store, &file).await?) })
}
