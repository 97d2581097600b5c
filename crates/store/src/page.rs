//! Pages of lists.

/// A request for a page of a list.
#[derive(Debug, Default)]
pub struct PageAsked {
    /// The time and the `seq` of the last row of the previous page.
    pub after: Option<(i64, i64)>,
    /// The page size. The store returns one more row if there is a next page.
    pub limit: u32,
}

/// A page of rows.
#[derive(Debug)]
pub struct Rows<T> {
    /// The rows of the page.
    pub rows: Vec<T>,
    /// The number of rows on all pages of the list.
    pub total: i64,
}
