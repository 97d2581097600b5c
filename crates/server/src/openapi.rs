//! The description of the wire, generated from the code.

use proxy_execute_protocol::{ErrorEnvelope, ListedAccounts, OrderBy, OrderDirection};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{
    InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Paths, RefOr, Schema, SecurityRequirement, Server,
};
use utoipa::{IntoResponses, OpenApi as _};

use super::rate_limit::TooManyRequests;

/// The errors of every operation.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it describes responses, and is never constructed")]
pub(super) enum Errors {
    /// The request cannot be used.
    #[response(status = 400)]
    Invalid(ErrorEnvelope),
    /// There is no API key, or it is not valid.
    #[response(status = 401)]
    Unauthenticated(ErrorEnvelope),
    /// The API key or the session does not allow it.
    #[response(status = 403)]
    Forbidden(ErrorEnvelope),
    /// The resource does not exist.
    #[response(status = 404)]
    NotFound(ErrorEnvelope),
    /// The path does not have this method.
    #[response(status = 405)]
    MethodNotAllowed(ErrorEnvelope),
    /// Another change came first, or the name is in use.
    #[response(status = 409)]
    Conflict(ErrorEnvelope),
    /// The request is too large.
    #[response(status = 413)]
    TooLarge(ErrorEnvelope),
    /// The account or auth config is not in a usable state.
    #[response(status = 422)]
    Unusable(ErrorEnvelope),
    /// Too many requests.
    #[response(status = 429)]
    TooMany(TooManyRequests),
    /// The gateway failed.
    #[response(status = 500)]
    Internal(ErrorEnvelope),
    /// The gateway is closing.
    #[response(status = 503)]
    Closing(ErrorEnvelope),
}

/// The errors of a proxied call that the third-party API causes.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it describes responses, and is never constructed")]
pub(super) enum UpstreamErrors {
    /// The third-party API could not be reached, or its response is broken.
    #[response(status = 502)]
    Broken(ErrorEnvelope),
    /// The third-party API did not respond in time.
    #[response(status = 504)]
    Timeout(ErrorEnvelope),
    /// The response is a file, and too many files are open.
    #[response(status = 507)]
    TooManyFiles(ErrorEnvelope),
}

/// The schemas that only the responses of all operations and the query parameters use. The routes add the
/// other schemas.
#[derive(utoipa::OpenApi)]
#[openapi(components(schemas(ErrorEnvelope, ListedAccounts, OrderBy, OrderDirection, TooManyRequests,)))]
struct Shared;

/// The title, the version and the way to authenticate.
pub(super) fn head() -> OpenApi {
    let info = InfoBuilder::new()
        .title("proxy-execute")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Call any third-party API as your user, without ever holding their credential."))
        .license(Some(LicenseBuilder::new().name("MIT").identifier(Some("MIT")).build()));
    let mut openapi = OpenApiBuilder::new().info(info.build()).paths(Paths::new()).build();
    openapi.merge(Shared::openapi());
    // The URL is relative to the address of the document, which is the gateway that it describes.
    openapi.servers = Some(vec![Server::new("/")]);
    openapi.security = Some(vec![SecurityRequirement::new("ApiKeyAuth", Vec::<String>::new())]);
    let components = openapi.components.get_or_insert_default();
    let key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("x-api-key")));
    components.add_security_scheme("ApiKeyAuth", key);
    openapi
}

/// The same description, with every path below `prefix`.
pub(super) fn below(prefix: &str, openapi: &OpenApi) -> OpenApi {
    let mut openapi = openapi.clone();
    // `CreateSession` and `UpdateSession` have the fields of this schema and one more, which a closed schema would
    // forbid.
    if let Some(RefOr::T(Schema::Object(config))) =
        openapi.components.as_mut().and_then(|components| components.schemas.get_mut("SessionConfig"))
    {
        config.additional_properties = None;
    }
    openapi.paths.paths = std::mem::take(&mut openapi.paths.paths)
        .into_iter()
        .map(|(path, item)| (format!("{prefix}{path}"), item))
        .collect();
    openapi
}
