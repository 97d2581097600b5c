//! Pages of lists.

/// Which page of a list to read.
#[derive(Debug, Default)]
pub struct PageAsked {
    /// Time and number of the row that the last page ended with.
    pub after: Option<(i64, i64)>,
    /// The most rows that the caller shows. The store returns one more where there is a next page.
    pub limit: u32,
}

/// A page of rows.
#[derive(Debug)]
pub struct Rows<T> {
    /// The rows of the page.
    pub rows: Vec<T>,
    /// How many rows the list has on all pages.
    pub total: i64,
}
