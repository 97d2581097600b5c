//! The tokens of accounts.
//!
//! A token is refreshed before it expires, when an API rejects it, and when its account was idle for long.
//! Tokens are revoked at the provider on request, also when an account is deleted.

mod idle;
mod refresh;
mod revocation;
pub(crate) mod token_endpoint;

use std::sync::Arc;

use proxy_execute_store::{Clock, Store};

use self::refresh::Refreshes;
pub(crate) use self::refresh::{PATIENCE, POLL, Reason, not_in_time};
use crate::account::Accounts;
use crate::auth_config::AuthConfigs;
use crate::egress::Egress;
use crate::lifecycle::Lifecycle;
use crate::metrics::Meter;
use crate::toolkit::Catalogue;

/// The tokens of a gateway's accounts.
#[derive(Debug, Clone)]
pub struct Tokens {
    store: Arc<dyn Store>,
    clock: Clock,
    catalogue: Arc<Catalogue>,
    egress: Arc<Egress>,
    auth_configs: AuthConfigs,
    accounts: Accounts,
    lifecycle: Lifecycle,
    meter: Meter,
    /// The refreshes in flight.
    refreshes: Arc<Refreshes>,
}

impl Tokens {
    #[expect(clippy::too_many_arguments, reason = "each is a service or a part of the gateway")]
    pub(crate) fn new(
        store: Arc<dyn Store>,
        clock: Clock,
        catalogue: Arc<Catalogue>,
        egress: Arc<Egress>,
        auth_configs: AuthConfigs,
        accounts: Accounts,
        lifecycle: Lifecycle,
        meter: Meter,
    ) -> Self {
        let refreshes = Arc::default();
        Self { store, clock, catalogue, egress, auth_configs, accounts, lifecycle, meter, refreshes }
    }
}
