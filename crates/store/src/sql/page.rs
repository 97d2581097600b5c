//! The end of a statement that reads a page of a list.

use sqlx::QueryBuilder;

use super::dialect::Db;
use crate::PageAsked;

/// Selects the rows of a page, and one more row that shows whether there is a next page.
pub(super) fn push_page(
    query: &mut QueryBuilder<Db>,
    time: &str,
    seq: &str,
    oldest_first: bool,
    page: &PageAsked,
) {
    let (than, direction) = if oldest_first { (">", "ASC") } else { ("<", "DESC") };
    if let Some((at, after)) = &page.after {
        query.push(format!(" AND ({time}, {seq}) {than} (")).push_bind(*at).push(", ");
        query.push_bind(*after).push(")");
    }
    query.push(format!(" ORDER BY {time} {direction}, {seq} {direction} LIMIT "));
    query.push_bind(i64::from(page.limit) + 1);
}
