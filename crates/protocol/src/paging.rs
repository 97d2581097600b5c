//! How an API gives the pages of a list and its rate limits, as a toolkit's file and `GET /toolkits/{slug}` say it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How an API gives the pages of a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Pagination {
    /// How the next page is asked for.
    pub kind: PaginationKind,
    /// The provider's page that documents it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docs: Option<String>,
    /// The JSON pointer (RFC 6901) of a page's items. Without one, they are the response, or its only list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<String>,
    /// Whether a page without items may leave out their list.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_omit_items: bool,
    /// The JSON pointer of a flag that is false on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<String>,
    /// For `link`: the JSON pointer of the next page's URL. Without one, it is in the header `Link` (RFC 8288).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// For `link`: attributes that the link in the header must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub link_attributes: BTreeMap<String, String>,
    /// For `cursor`: the JSON pointer of the next page's cursor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// For `cursor`: the header that has the next page's cursor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor_header: Option<String>,
    /// The query key for the cursor, the offset or the page's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Its JSON pointer in the body of a POST.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// For `offset` and `page`: that of the first page. By default 0 for `offset`, and 1 for `page`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<u32>,
    /// For `offset`: the JSON pointer of the number of all items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<String>,
    /// For `page`: the JSON pointer of the number of all pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_pages: Option<String>,
}

/// A way from a page to the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum PaginationKind {
    /// By a URL in the response.
    Link,
    /// By a text in the response.
    Cursor,
    /// By the number of items before it.
    Offset,
    /// By its number.
    Page,
}

/// The header in which an API says when it takes calls again.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// The header's name.
    pub header: String,
    /// The meaning of its value.
    pub unit: RateLimitUnit,
    /// The header with the number of calls that are left. A 403 with 0 in it means the same as a 429.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<String>,
    /// The provider's page that documents it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docs: Option<String>,
}

/// A unit of time in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RateLimitUnit {
    /// Seconds since 1970.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMilliseconds,
    /// Seconds from now.
    Seconds,
    /// Milliseconds from now.
    Milliseconds,
    /// A date in ISO 8601.
    Date,
}
