//! The native end of an `AbortSignal`.

use napi_derive::napi;
use tokio_util::sync::CancellationToken;

/// Cancels the calls it is given to.
#[napi]
#[derive(Debug, Default)]
pub struct Cancel {
    pub(crate) token: CancellationToken,
}

#[napi]
impl Cancel {
    /// Not cancelled yet.
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Drops the work of the calls that have this object, and settles them as aborted.
    #[napi]
    pub fn abort(&self) {
        self.token.cancel();
    }
}
