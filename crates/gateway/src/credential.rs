//! The credential of a connected account: its scheme, its fields, and what it adds to a request.
//!
//! The toolkit defines how a scheme signs requests ([`crate::toolkit`]): headers, query values or basic
//! authentication, as templates with the credential's fields (`docs/toolkits.md`).

pub(crate) mod fields;
pub(crate) mod injection;
pub(crate) mod scheme;

pub(crate) use self::fields::{Fields, GivenCredential};
