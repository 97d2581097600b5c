//! The configuration file of the command.

use std::path::Path;

use napi_derive::napi;
use proxy_execute_server::read_config as read;

use crate::call::{to_its_end, to_json};
use crate::completions::Completions;

/// Reads the options of a configuration file, without a check of their values.
#[napi(catch_unwind)]
pub fn read_config(file: String, completions: &Completions) -> u32 {
    to_its_end(completions, async move { to_json(&read(Path::new(&file))?) })
}
