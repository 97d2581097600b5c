//! How much of everything a caller may send. Each bound is checked before anything is done with what
//! it is for, so that no work grows faster than its input. `docs/limits.md` lists them.

use proxy_execute_protocol::{
    Error, ErrorKind, MOST_PARAMETERS, Parameter, ParameterLocation, ProxyRequest, Result, SecretJson,
    SessionConfig, ToolkitFilter,
};

use crate::request::require;

/// The most bytes of their names and values; of each kind.
const MOST_PARAMETER_BYTES: usize = 64 * 1024;
/// The longest id of a user, which is the caller's own.
pub(crate) const LONGEST_USER_ID: usize = 1024;
/// The longest alias, name or text to search for.
pub(crate) const LONGEST_NAME: usize = 256;
/// The longest URL that is not an endpoint.
pub(crate) const LONGEST_URL: usize = 8 * 1024;
/// The longest media type.
pub(crate) const LONGEST_MEDIA_TYPE: usize = 1024;
/// The longest credential, as JSON.
const LONGEST_CREDENTIAL: usize = 64 * 1024;
/// The most entries of a list or map.
const MOST_LISTED: usize = 1_000;
/// The largest configuration of a session, as JSON.
const LARGEST_SESSION: usize = 256 * 1024;
/// The most scopes that a link asks for, and their bytes.
const MOST_SCOPES: usize = 100;

/// Refuses a text that is too long.
///
/// # Errors
/// `InvalidRequest` that names the field.
pub(crate) fn length(text: &str, longest: usize, field: &str) -> Result<()> {
    if text.len() <= longest {
        return Ok(());
    }
    Err(invalid(field, format!("`{field}` is longer than {}, the most that is taken.", bytes(longest))))
}

/// Refuses a list that is too long.
///
/// # Errors
/// `InvalidRequest` that names the field.
pub(crate) fn listed(count: usize, field: &str) -> Result<()> {
    entries(ErrorKind::InvalidRequest, count, MOST_LISTED, field)
}

/// Refuses a credential that is too long.
///
/// # Errors
/// `InvalidRequest` that names the field.
pub(crate) fn credential(json: &SecretJson, field: &str) -> Result<()> {
    length(json.expose(), LONGEST_CREDENTIAL, field)
}

/// Refuses scopes that are too many or too long.
///
/// # Errors
/// `InvalidRequest` that names the field.
pub(crate) fn scopes(scopes: &[String]) -> Result<()> {
    entries(ErrorKind::InvalidRequest, scopes.len(), MOST_SCOPES, "scopes")?;
    scopes.iter().try_for_each(|scope| length(scope, LONGEST_NAME, "scopes"))
}

/// Refuses a call of which a part is too large, or that has no endpoint.
///
/// # Errors
/// `InvalidRequest` that names the part.
pub(crate) fn call(request: &ProxyRequest) -> Result<()> {
    parameters(&request.parameters, ParameterLocation::Header, "headers")?;
    parameters(&request.parameters, ParameterLocation::Query, "query parameters")?;
    if let Some(data) = &request.custom_connection_data {
        credential(data, "custom_connection_data")?;
    }
    if let Some(body) = &request.binary_body {
        length(body.url.as_deref().unwrap_or_default(), LONGEST_URL, "binary_body.url")?;
        let media_type = body.content_type.as_deref().unwrap_or_default();
        length(media_type, LONGEST_MEDIA_TYPE, "binary_body.content_type")?;
    }
    require(Some(&request.endpoint), "endpoint").map(drop)
}

fn parameters(parameters: &[Parameter], location: ParameterLocation, what: &str) -> Result<()> {
    let those = || parameters.iter().filter(|parameter| parameter.location == location);
    let count = those().count();
    let fix = "Send fewer, or put the values into the body.";
    if count > MOST_PARAMETERS {
        return Err(invalid(
            "parameters",
            format!("`parameters` has {count} {what}; at most {MOST_PARAMETERS} {what} are taken."),
        )
        .fix(fix));
    }
    let size: usize = those().map(|parameter| parameter.name.len() + parameter.value.len()).sum();
    if size > MOST_PARAMETER_BYTES {
        let most = bytes(MOST_PARAMETER_BYTES);
        return Err(invalid("parameters", format!(
            "`parameters` is too long: it has {size} bytes of {what}, and at most {most} of {what} are taken."
        ))
        .fix(fix));
    }
    Ok(())
}

/// Refuses a session's configuration of which a part is too large.
///
/// # Errors
/// `InvalidSession` that names the part.
pub(crate) fn session(config: &SessionConfig) -> Result<()> {
    let entries = |count, field| entries(ErrorKind::InvalidSession, count, MOST_LISTED, field);
    if let Some(ToolkitFilter::Enable(slugs) | ToolkitFilter::Disable(slugs)) = &config.toolkits {
        entries(slugs.len(), "toolkits")?;
    }
    entries(config.auth_configs.as_ref().map_or(0, |configs| configs.len()), "auth_configs")?;
    if let Some(pins) = &config.connected_accounts {
        entries(pins.len(), "connected_accounts")?;
        entries(pins.values().map(Vec::len).sum(), "connected_accounts")?;
    }
    let size = serde_json::to_string(config).map_or(usize::MAX, |json| json.len());
    if size > LARGEST_SESSION {
        let message = format!(
            "The session's configuration is larger than {}, the most that is taken.",
            bytes(LARGEST_SESSION)
        );
        return Err(Error::of_field(ErrorKind::InvalidSession, "config", message));
    }
    Ok(())
}

fn entries(kind: ErrorKind, count: usize, most: usize, field: &str) -> Result<()> {
    if count <= most {
        return Ok(());
    }
    Err(Error::of_field(kind, field, format!("`{field}` names {count}; at most {most} are taken.")))
}

fn bytes(count: usize) -> String {
    if count > 1024 { format!("{} KiB", count / 1024) } else { format!("{count} bytes") }
}

fn invalid(field: &str, message: String) -> Error {
    Error::of_field(ErrorKind::InvalidRequest, field, message)
}
