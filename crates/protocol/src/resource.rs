//! A request for one of the backend's resources, in the form it travels.
//!
//! These requests are many and small, and none is on the path of a proxied call. They cross
//! [`Backend`](crate::Backend) as method, path, query and body. Over HTTP they are sent unchanged. In process
//! they are routed to the handlers of the port.

use serde::Deserialize;
use serde_json::value::RawValue;

/// The action on a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names are HTTP's own")]
pub enum ResourceMethod {
    Get,
    Post,
    Patch,
    Delete,
}

impl ResourceMethod {
    /// The method's name in a request line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A request for a resource.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceRequest {
    /// The action.
    pub method: ResourceMethod,
    /// The segments of the path below the version, unencoded: `["connected_accounts", "ca_1"]`.
    pub path: Vec<String>,
    /// Query values, in order.
    #[serde(default)]
    pub query: Vec<(String, String)>,
    /// The JSON body, as the caller's own text.
    #[serde(default)]
    pub body: Option<Box<RawValue>>,
}

impl ResourceRequest {
    /// Builds a request without a query and a body.
    pub fn new<'a>(method: ResourceMethod, path: impl IntoIterator<Item = &'a str>) -> Self {
        let path = path.into_iter().map(ToOwned::to_owned).collect();
        Self { method, path, query: Vec::new(), body: None }
    }
}
