//! Why a command did not do its work.

use proxy_execute_protocol::{Advice, Error, ErrorKind};

/// Why a command did not do its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line cannot be used.
    Usage(String),
    /// The gateway refused or failed.
    Gateway(Error),
    /// The system refused.
    System(String),
    /// The reader of the output has closed it.
    Unread,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Gateway(error)
    }
}

impl Failure {
    /// Whether the command line cannot be used, so that nothing was done.
    pub(crate) fn is_mistake(&self) -> bool {
        match self {
            Self::Usage(_) => true,
            // An address that is in use is an option that can be used another time.
            Self::Gateway(error) => match error.kind() {
                ErrorKind::InvalidOption => error.advice() != Some(&Advice::ListenElsewhere),
                kind => matches!(kind, ErrorKind::InvalidRequest | ErrorKind::InvalidToolkit),
            },
            Self::System(_) | Self::Unread => false,
        }
    }
}
