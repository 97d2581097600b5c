//! Name resolution: as the system does it, without the addresses that may not be connected to.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::BoxError;

/// Selects the addresses of a name that may be connected to.
///
/// An error of the filter ends the request, and is in the error chain of the request.
#[derive(Clone)]
pub struct AddressFilter(Arc<Choose>);

type Choose = dyn Fn(&str, Vec<SocketAddr>) -> Result<Vec<SocketAddr>, BoxError> + Send + Sync;

impl AddressFilter {
    /// Creates a filter from a function of a name and its addresses.
    pub fn new(
        choose: impl Fn(&str, Vec<SocketAddr>) -> Result<Vec<SocketAddr>, BoxError> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(choose))
    }
}

impl fmt::Debug for AddressFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddressFilter").finish_non_exhaustive()
    }
}

/// Resolves names.
#[derive(Debug, Clone)]
pub(crate) struct Resolver {
    pub(crate) filter: Option<AddressFilter>,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let filter = self.filter.clone();
        Box::pin(async move {
            // The connection sets the port.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let addresses = match filter {
                Some(filter) => (filter.0)(name.as_str(), found)?,
                None => found,
            };
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
