//! The rules of the schema, which each database reports in its own way.

/// A rule of the schema.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// A row refers to a row that exists.
    Reference,
    /// An alias belongs to one account of a user and toolkit.
    Alias,
    /// A word id belongs to one account of a user.
    WordId,
}
