//! Whether a gateway has the keys that a store needs.

use std::fmt;

use proxy_execute_protocol::{Error, ErrorKind, Result};

/// Checks whether a gateway has the keys that a store was written with.
#[derive(Clone, Copy)]
pub struct KeyCheck<'a> {
    /// The ids of the gateway's keys. The first key seals.
    pub key_ids: &'a [String],
    /// A text that the first key has sealed. A new store keeps the text.
    pub sealed: &'a [u8],
    /// Returns whether one of the gateway's keys opens the text that a store kept.
    pub opens: &'a (dyn Fn(&[u8]) -> bool + Sync),
}

impl KeyCheck<'_> {
    /// Reads the text that a store kept.
    pub(crate) const SELECT: &'static str = "SELECT value FROM meta WHERE name = 'key_check'";

    /// Keeps the text, and the key that has sealed it, in a store that has none.
    pub(crate) const INSERT: &'static str =
        "INSERT INTO meta (name, value, key_id) VALUES ('key_check', $1, $2) ON CONFLICT DO NOTHING";

    /// Checks the text that a store kept, and the keys that have sealed its rows. A store that keeps no text has
    /// no secret yet.
    ///
    /// # Errors
    /// `WrongEncryptionKey`. If only some of the keys are missing, the error names them.
    pub(crate) fn check(&self, kept: Option<&[u8]>, used: &[String]) -> Result<()> {
        let (given, missing): (Vec<&String>, Vec<&String>) =
            used.iter().partition(|key_id| self.key_ids.contains(key_id));
        if !missing.is_empty() && !given.is_empty() {
            let message = format!(
                "the store needs another encryption key too, which has the id {}. The given keys have the ids {}.",
                listed(&missing),
                listed(self.key_ids)
            );
            return Err(Error::new(ErrorKind::WrongEncryptionKey, message).fix(
                "Add that key behind the new one, until `npx proxy-execute store rotate-key` has finished. Nothing was changed.",
            ));
        }
        if missing.is_empty() && kept.is_none_or(|kept| (self.opens)(kept)) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::WrongEncryptionKey, "the store was written with another encryption key.")
            .fix("Open it with that key. Nothing was changed."))
    }
}

fn listed(key_ids: &[impl AsRef<str>]) -> String {
    key_ids.iter().map(|key_id| format!("`{}`", key_id.as_ref())).collect::<Vec<_>>().join(", ")
}

impl fmt::Debug for KeyCheck<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyCheck").field("key_ids", &self.key_ids).finish_non_exhaustive()
    }
}
