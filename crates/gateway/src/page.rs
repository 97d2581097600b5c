//! Pages of lists: their query, their response and their cursor (`docs/wire.md`).

use data_encoding::BASE64URL_NOPAD;
use proxy_execute_protocol::{Error, ErrorKind, Page, Result};

use proxy_execute_store::{PageAsked, Rows};

/// Reads the size of a page.
///
/// # Errors
/// `InvalidRequest` for one that is out of range.
pub(crate) fn read_limit(limit: Option<u32>, default: u32, most: u32) -> Result<u32> {
    let limit = limit.unwrap_or(default);
    if (1..=most).contains(&limit) {
        return Ok(limit);
    }
    let message = format!("limit: must be from 1 to {most}.");
    Err(Error::of_field(ErrorKind::InvalidRequest, "limit", message))
}

/// A place in a list: the number of the page that begins there, and the row before that page.
///
/// The row is identified by its time, and by a key that is unique among rows of the same time.
#[derive(Debug)]
pub(crate) struct ListCursor {
    pub(crate) page: i64,
    pub(crate) after: Option<(i64, String)>,
    pub(crate) limit: u32,
}

impl ListCursor {
    /// Reads the `limit` and `cursor` of a request.
    ///
    /// # Errors
    /// `InvalidRequest` that names the invalid parameter.
    pub(crate) fn read(limit: Option<u32>, cursor: Option<&str>, default: u32, most: u32) -> Result<Self> {
        let limit = read_limit(limit, default, most)?;
        let Some(cursor) = cursor else {
            return Ok(Self { page: 1, after: None, limit });
        };
        let (page, at, key) = parse(cursor).ok_or_else(foreign_cursor)?;
        Ok(Self { page, after: Some((at, key)), limit })
    }

    /// The same place for a list of the store, which sorts rows of the same time by number.
    ///
    /// # Errors
    /// `InvalidRequest` if the cursor belongs to another list.
    pub(crate) fn asked(&self) -> Result<PageAsked> {
        let after = match &self.after {
            Some((at, number)) => Some((*at, number.parse().map_err(|_| foreign_cursor())?)),
            None => None,
        };
        Ok(PageAsked { after, limit: self.limit })
    }

    /// Builds the page of these rows. One row more than the limit means that a next page exists.
    pub(crate) fn page<T, Shown>(
        &self,
        mut found: Rows<T>,
        place_of: impl Fn(&T) -> (i64, String),
        shown: impl FnMut(T) -> Shown,
    ) -> Page<Shown> {
        let limit = self.limit as usize;
        let more = found.rows.len() > limit;
        found.rows.truncate(limit);
        let last = found.rows.last().filter(|_| more);
        let next_cursor = last.map(|row| {
            let (at, key) = place_of(row);
            BASE64URL_NOPAD.encode(format!("{}.{at}.{key}", self.page + 1).as_bytes())
        });
        Page {
            total_pages: (found.total + i64::from(self.limit) - 1) / i64::from(self.limit),
            current_page: self.page,
            total_items: found.total,
            next_cursor,
            items: found.rows.into_iter().map(shown).collect(),
        }
    }
}

/// Selects the rows of a page from a list in memory, sorted by a key.
pub(crate) fn rows_of<'a, T>(all: Vec<&'a T>, place: &ListCursor, key: impl Fn(&T) -> &str) -> Rows<&'a T> {
    let total = i64::try_from(all.len()).unwrap_or(i64::MAX);
    let after = place.after.as_ref().map(|(_, key)| key.as_str());
    let rows = all
        .into_iter()
        .filter(|row| after.is_none_or(|after| key(row) > after))
        .take(place.limit as usize + 1)
        .collect();
    Rows { rows, total }
}

fn parse(cursor: &str) -> Option<(i64, i64, String)> {
    let text = String::from_utf8(BASE64URL_NOPAD.decode(cursor.as_bytes()).ok()?).ok()?;
    let mut parts = text.splitn(3, '.');
    let page = parts.next()?.parse().ok().filter(|page| *page > 1)?;
    Some((page, parts.next()?.parse().ok()?, parts.next()?.to_owned()))
}

fn foreign_cursor() -> Error {
    Error::of_field(ErrorKind::InvalidRequest, "cursor", "cursor: is not a next_cursor of this list.")
}
