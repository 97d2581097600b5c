//! A page of a list.

use serde::Serialize;

/// A page of a list.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// How many pages of this size there are.
    #[cfg_attr(feature = "openapi", schema(minimum = 0))]
    pub total_pages: i64,
    /// The number of this page, from 1.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub current_page: i64,
    /// How many rows there are on all pages.
    #[cfg_attr(feature = "openapi", schema(minimum = 0))]
    pub total_items: i64,
    /// Where the next page begins; null on the last.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub next_cursor: Option<String>,
}
