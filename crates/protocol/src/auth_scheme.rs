//! The auth schemes: how an account signs requests.

use serde::de::IntoDeserializer;
use serde::de::value::StrDeserializer;
use serde::{Deserialize, Serialize};

use crate::wire_name::wire_name;

/// The schemes by which an account signs requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "`docs/toolkits.md` describes them")]
pub enum AuthScheme {
    #[serde(rename = "OAUTH2")]
    OAuth2,
    #[serde(rename = "OAUTH1")]
    OAuth1,
    ApiKey,
    Basic,
    BearerToken,
    BillcomAuth,
    GoogleServiceAccount,
    NoAuth,
    #[serde(rename = "BASIC_WITH_JWT")]
    BasicWithJwt,
    CalcomAuth,
    ServiceAccount,
    Saml,
    DcrOauth,
    #[serde(rename = "S2S_OAUTH2")]
    S2sOauth2,
}

impl AuthScheme {
    /// Reads a scheme's name as the wire writes it.
    pub fn parse(name: &str) -> Option<Self> {
        let name: StrDeserializer<'_, serde::de::value::Error> = name.into_deserializer();
        Self::deserialize(name).ok()
    }
}

wire_name!(AuthScheme);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_names_are_those_of_the_wire() {
        for name in [
            "OAUTH2",
            "OAUTH1",
            "API_KEY",
            "BASIC",
            "BEARER_TOKEN",
            "BILLCOM_AUTH",
            "GOOGLE_SERVICE_ACCOUNT",
            "NO_AUTH",
            "BASIC_WITH_JWT",
            "CALCOM_AUTH",
            "SERVICE_ACCOUNT",
            "SAML",
            "DCR_OAUTH",
            "S2S_OAUTH2",
        ] {
            assert_eq!(AuthScheme::parse(name).map(|scheme| scheme.to_string()).as_deref(), Some(name));
        }
        assert_eq!(AuthScheme::parse("oauth2"), None);
    }
}
