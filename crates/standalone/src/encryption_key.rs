//! `encryption-key`: a new key for a store.

use aws_lc_rs::rand;
use data_encoding::HEXLOWER;
use serde_json::json;

use crate::failure::Failure;
use crate::terminal::Terminal;

/// Prints a new key.
pub(crate) fn print(terminal: &Terminal) -> Result<(), Failure> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes)
        .map_err(|_| Failure::System("The system has no random number generator.".to_owned()))?;
    let key = HEXLOWER.encode(&bytes);
    terminal.result(&json!({ "encryptionKey": key }), || vec![key.clone()])
}
