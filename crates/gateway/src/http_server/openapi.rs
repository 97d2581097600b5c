//! The description of the wire, from the code.
//!
//! Types of `protocol` stand here once more as schemas only: that crate knows nothing of `OpenAPI`,
//! and the requests of the two proxy endpoints, one type there, are two shapes for a reader.

use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{
    InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Paths, SecurityRequirement, Server,
};
use utoipa::{IntoResponses, OpenApi as _};

/// The errors that every operation may answer with.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it describes responses, and is never made")]
pub(super) enum Errors {
    /// The request cannot be used.
    #[response(status = 400)]
    Invalid(schema::ErrorEnvelope),
    /// There is no API key, or it is not valid.
    #[response(status = 401)]
    Unauthenticated(schema::ErrorEnvelope),
    /// The API key, or the session, does not allow it.
    #[response(status = 403)]
    Forbidden(schema::ErrorEnvelope),
    /// There is no such thing.
    #[response(status = 404)]
    NotFound(schema::ErrorEnvelope),
    /// The path does not take this method.
    #[response(status = 405)]
    MethodNotAllowed(schema::ErrorEnvelope),
    /// Another change came first, or a name is taken.
    #[response(status = 409)]
    Conflict(schema::ErrorEnvelope),
    /// The request is too large.
    #[response(status = 413)]
    TooLarge(schema::ErrorEnvelope),
    /// The account or auth config is not in a usable state.
    #[response(status = 422)]
    Unusable(schema::ErrorEnvelope),
    /// Too many requests.
    #[response(status = 429)]
    TooMany(schema::TooManyRequests),
    /// The gateway failed.
    #[response(status = 500)]
    Internal(schema::ErrorEnvelope),
    /// The gateway is closing.
    #[response(status = 503)]
    Closing(schema::ErrorEnvelope),
}

/// The errors of a proxied call that the third-party API is the reason for.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it describes responses, and is never made")]
pub(super) enum UpstreamErrors {
    /// The third-party API could not be reached, or its answer is broken.
    #[response(status = 502)]
    Broken(schema::ErrorEnvelope),
    /// The third-party API did not answer in time.
    #[response(status = 504)]
    Timeout(schema::ErrorEnvelope),
    /// The answer is a file, and as many as may be are open.
    #[response(status = 507)]
    TooManyFiles(schema::ErrorEnvelope),
}

/// The shapes that only responses of all operations and query parameters name: the routes bring the
/// others along.
#[derive(utoipa::OpenApi)]
#[openapi(components(schemas(
    schema::AccountType,
    schema::ErrorEnvelope,
    schema::OrderBy,
    schema::OrderDirection,
    schema::TooManyRequests,
)))]
struct Shared;

/// Title, version and the way to authenticate.
pub(super) fn head() -> OpenApi {
    let info = InfoBuilder::new()
        .title("proxy-execute")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Call any third-party API as your user, without ever holding their credential."))
        .license(Some(LicenseBuilder::new().name("MIT").identifier(Some("MIT")).build()));
    let mut openapi = OpenApiBuilder::new().info(info.build()).paths(Paths::new()).build();
    openapi.merge(Shared::openapi());
    // Relative to where the document was read, which is the gateway that it describes.
    openapi.servers = Some(vec![Server::new("/")]);
    openapi.security = Some(vec![SecurityRequirement::new("ApiKeyAuth", Vec::<String>::new())]);
    let components = openapi.components.get_or_insert_default();
    let key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("x-api-key")));
    components.add_security_scheme("ApiKeyAuth", key);
    openapi
}

/// The same description with every path below `prefix`.
pub(super) fn below(prefix: &str, openapi: &OpenApi) -> OpenApi {
    let mut openapi = openapi.clone();
    openapi.paths.paths = std::mem::take(&mut openapi.paths.paths)
        .into_iter()
        .map(|(path, item)| (format!("{prefix}{path}"), item))
        .collect();
    openapi
}

/// The shapes of `protocol`, for readers of the description.
pub(crate) mod schema {
    #![expect(dead_code, reason = "these describe shapes, and are never made")]

    use std::collections::BTreeMap;

    use serde::Serialize;
    use serde_json::Value;
    use utoipa::ToSchema;

    /// What went wrong.
    #[derive(Serialize, ToSchema)]
    pub(crate) struct ErrorEnvelope {
        error: ErrorBody,
    }

    #[derive(Serialize, ToSchema)]
    struct ErrorBody {
        /// What happened, to what.
        message: String,
        code: i64,
        /// A name that does not change.
        slug: String,
        /// The HTTP status once more.
        status: u16,
        /// Names the request in the gateway's log.
        request_id: String,
        /// What to do about it.
        #[schema(nullable = false)]
        suggested_fix: Option<String>,
        /// One sentence per field that is wrong.
        #[schema(nullable = false)]
        errors: Option<Vec<String>>,
    }

    /// The states of a connected account.
    #[derive(Serialize, ToSchema)]
    #[serde(rename_all = "UPPERCASE")]
    pub(crate) enum AccountStatus {
        Initializing,
        Initiated,
        Active,
        Failed,
        Expired,
        Inactive,
        Revoked,
    }

    /// Whom an account is for; a gateway's are all private.
    #[derive(Serialize, ToSchema)]
    #[serde(rename_all = "UPPERCASE")]
    pub(crate) enum AccountType {
        Private,
        Shared,
        All,
    }

    #[derive(Serialize, ToSchema)]
    #[serde(rename_all = "snake_case")]
    pub(crate) enum OrderBy {
        CreatedAt,
        UpdatedAt,
    }

    #[derive(Serialize, ToSchema)]
    #[serde(rename_all = "lowercase")]
    pub(crate) enum OrderDirection {
        Asc,
        Desc,
    }

    /// `default` is the one that imports make.
    #[derive(Serialize, ToSchema)]
    #[serde(rename_all = "lowercase")]
    pub(crate) enum AuthConfigType {
        Custom,
        Default,
    }

    #[derive(Serialize, ToSchema)]
    #[serde(rename_all = "UPPERCASE")]
    pub(crate) enum AuthConfigStatus {
        Enabled,
        Disabled,
    }

    /// The flat form of the rate limit.
    #[derive(Serialize, ToSchema)]
    pub(crate) struct TooManyRequests {
        message: String,
    }

    /// Which toolkits a session may call.
    #[derive(Serialize, ToSchema)]
    #[serde(rename_all = "lowercase", deny_unknown_fields)]
    enum ToolkitFilter {
        Enable(Vec<String>),
        Disable(Vec<String>),
    }

    #[derive(Serialize, ToSchema)]
    pub(crate) struct SessionConfig {
        toolkits: Option<ToolkitFilter>,
        /// Accounts pinned per toolkit, by id, alias or word id.
        connected_accounts: Option<BTreeMap<String, Vec<String>>>,
        auth_configs: Option<BTreeMap<String, String>>,
        #[schema(value_type = Option<BTreeMap<String, Value>>)]
        tools: Option<Value>,
        tags: Option<Value>,
        manage_connections: Option<Value>,
        #[schema(value_type = Option<BTreeMap<String, Value>>)]
        multi_account: Option<Value>,
        workbench: Option<Value>,
        #[schema(value_type = Option<BTreeMap<String, Value>>)]
        preload: Option<Value>,
        #[schema(value_type = Option<BTreeMap<String, Value>>)]
        search: Option<Value>,
        #[schema(value_type = Option<BTreeMap<String, Value>>)]
        execute: Option<Value>,
        #[schema(value_type = Option<BTreeMap<String, Value>>)]
        experimental: Option<Value>,
    }

    #[derive(Serialize, ToSchema)]
    pub(crate) struct CreateSession {
        /// Your own id of the user.
        #[schema(min_length = 1)]
        user_id: String,
        #[serde(flatten)]
        config: SessionConfig,
    }

    #[derive(Serialize, ToSchema)]
    pub(crate) struct Session {
        session_id: String,
        mcp: Mcp,
        tool_router_tools: Vec<String>,
        /// Raised by one with every change.
        config_version: u64,
        #[schema(value_type = BTreeMap<String, Value>)]
        config: Value,
    }

    #[derive(Serialize, ToSchema)]
    struct Mcp {
        #[serde(rename = "type")]
        kind: String,
        url: String,
    }

    #[derive(Serialize, ToSchema)]
    pub(crate) struct DeletedSession {
        session_id: String,
        deleted: bool,
    }

    #[derive(Serialize, ToSchema)]
    #[serde(rename_all = "UPPERCASE")]
    enum Method {
        Get,
        Post,
        Put,
        Patch,
        Delete,
        Head,
    }

    #[derive(Serialize, ToSchema)]
    #[serde(rename_all = "lowercase")]
    enum ParameterType {
        Header,
        Query,
    }

    #[derive(Serialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    struct Parameter {
        name: String,
        value: String,
        #[serde(rename = "type")]
        location: ParameterType,
    }

    /// `url` or `base64`.
    #[derive(Serialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    struct BinaryBody {
        /// Where the gateway fetches the bytes.
        #[schema(nullable = false)]
        url: Option<String>,
        /// The bytes, at most 4 MiB of them.
        #[schema(nullable = false, min_length = 1)]
        base64: Option<String>,
        #[schema(nullable = false)]
        content_type: Option<String>,
    }

    #[derive(Serialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    pub(crate) struct SessionProxyRequest {
        toolkit_slug: String,
        /// Credentials of that toolkit, in the place of the user's account:
        /// `{ authScheme, toolkitSlug, val }`.
        #[schema(value_type = Option<BTreeMap<String, Value>>)]
        custom_connection_data: Option<Value>,
        /// A path below the base URL, or an absolute URL on a host of the toolkit.
        endpoint: String,
        method: Method,
        /// Sent as JSON; null is no body.
        body: Option<Value>,
        /// Bytes, in the place of `body`.
        #[schema(nullable = false)]
        binary_body: Option<BinaryBody>,
        #[schema(nullable = false)]
        parameters: Option<Vec<Parameter>>,
    }

    #[derive(Serialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    pub(crate) struct ToolsProxyRequest {
        /// The account to call as, or
        connected_account_id: Option<String>,
        /// the credentials: `{ authScheme, toolkitSlug, val }`.
        #[schema(value_type = Option<BTreeMap<String, Value>>)]
        custom_connection_data: Option<Value>,
        endpoint: String,
        method: Method,
        body: Option<Value>,
        #[schema(nullable = false)]
        binary_body: Option<BinaryBody>,
        #[schema(nullable = false)]
        parameters: Option<Vec<Parameter>>,
    }

    /// The third-party API's answer.
    #[derive(Serialize, ToSchema)]
    pub(crate) struct Envelope {
        status: u16,
        /// Repeats are joined with a comma.
        headers: BTreeMap<String, String>,
        /// Each value of the headers that came more than once, such as `set-cookie`. Left out if none did.
        #[schema(nullable = false)]
        repeated_headers: Option<BTreeMap<String, Vec<String>>>,
        /// JSON as it is, text as a string, null when there is none.
        #[schema(required = true)]
        data: Option<Value>,
        /// The file, if the answer is one.
        #[schema(nullable = false)]
        binary_data: Option<BinaryData>,
    }

    #[derive(Serialize, ToSchema)]
    struct BinaryData {
        /// Where to download it, without a key.
        url: String,
        content_type: String,
        /// In bytes.
        size: u64,
        /// Until when the URL works.
        #[schema(format = DateTime)]
        expires_at: String,
    }
}
