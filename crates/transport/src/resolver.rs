//! Name look-up: as the system does it, but for the addresses that may not be connected to.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::BoxError;

/// Chooses among the addresses of a name. What it returns is what is connected to; its error ends
/// the request, and is found again in the chain of the request's.
#[derive(Clone)]
pub struct AddressFilter(Arc<Choose>);

type Choose = dyn Fn(&str, Vec<SocketAddr>) -> Result<Vec<SocketAddr>, BoxError> + Send + Sync;

impl AddressFilter {
    /// A filter that gets a name and its addresses.
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

/// Looks names up.
#[derive(Debug, Clone)]
pub(crate) struct Resolver {
    pub(crate) filter: Option<AddressFilter>,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let filter = self.filter.clone();
        Box::pin(async move {
            // The port is the connection's to set.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let addresses = match filter {
                Some(filter) => (filter.0)(name.as_str(), found)?,
                None => found,
            };
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
