//! Texts that every database can store.

/// Replaces U+0000, which PostgreSQL stores in no text.
pub(crate) fn printable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}
