//! Upper limits for a caller's input.
//!
//! Each limit is checked before the input is used, so that no work grows faster than its input.
//! `docs/limits.md` lists the limits.

use proxy_execute_protocol::{
    Error, ErrorKind, MOST_PARAMETERS, Parameter, ParameterLocation, ProxyRequest, Result, SecretJson,
    SessionConfig, ToolkitFilter,
};

use crate::request::require;

/// Upper limit for the bytes of all names and values, for headers and for query parameters separately.
const MOST_PARAMETER_BYTES: usize = 64 * 1024;
/// Upper limit for a user id, which the caller chooses.
pub(crate) const LONGEST_USER_ID: usize = 1024;
/// Upper limit for an alias, a name or a search text.
pub(crate) const LONGEST_NAME: usize = 256;
/// Upper limit for a URL that is not an endpoint.
pub(crate) const LONGEST_URL: usize = 8 * 1024;
/// Upper limit for a media type.
pub(crate) const LONGEST_MEDIA_TYPE: usize = 1024;
/// Upper limit for a credential, as JSON.
const LONGEST_CREDENTIAL: usize = 64 * 1024;
/// Upper limit for the entries of a list or map.
const MOST_LISTED: usize = 1_000;
/// Upper limit for the configuration of a session, as JSON.
const LARGEST_SESSION: usize = 256 * 1024;
/// Upper limit for a user id in an ACL, in characters.
const LONGEST_USER_ID_IN_ACL: usize = 256;
/// Upper limit for the number of scopes in a link.
const MOST_SCOPES: usize = 100;

/// Rejects a text that is too long.
///
/// # Errors
/// `InvalidRequest` that names the field.
pub(crate) fn length(text: &str, longest: usize, field: &str) -> Result<()> {
    if text.len() <= longest {
        return Ok(());
    }
    Err(invalid(field, format!("`{field}` is longer than {}, the limit.", bytes(longest))))
}

/// Rejects a list that is too long.
///
/// # Errors
/// `InvalidRequest` that names the field.
pub(crate) fn listed(count: usize, field: &str) -> Result<()> {
    entries(ErrorKind::InvalidRequest, count, MOST_LISTED, field)
}

/// Rejects a credential that is too long.
///
/// # Errors
/// `InvalidRequest` that names the field.
pub(crate) fn credential(json: &SecretJson, field: &str) -> Result<()> {
    length(json.expose(), LONGEST_CREDENTIAL, field)
}

/// Rejects user ids of an ACL that are too many, too long or empty.
///
/// # Errors
/// `InvalidRequest` that names the list.
pub(crate) fn acl(user_ids: &[String], field: &str) -> Result<()> {
    listed(user_ids.len(), field)?;
    let is_wrong = |id: &&String| id.is_empty() || id.chars().count() > LONGEST_USER_ID_IN_ACL;
    if !user_ids.iter().any(|id| is_wrong(&id)) {
        return Ok(());
    }
    Err(invalid(
        field,
        format!(
            "`{field}` has a user id that is empty or longer than {LONGEST_USER_ID_IN_ACL} characters, the limit."
        ),
    ))
}

/// Rejects scopes that are too many or too long.
///
/// # Errors
/// `InvalidRequest` that names the field.
pub(crate) fn scopes(scopes: &[String]) -> Result<()> {
    entries(ErrorKind::InvalidRequest, scopes.len(), MOST_SCOPES, "scopes")?;
    scopes.iter().try_for_each(|scope| length(scope, LONGEST_NAME, "scopes"))
}

/// Rejects a call with a part that is too large, or without an endpoint.
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
            format!("`parameters` has {count} {what}; the limit is {MOST_PARAMETERS} {what}."),
        )
        .fix(fix));
    }
    let size: usize = those().map(|parameter| parameter.name.len() + parameter.value.len()).sum();
    if size > MOST_PARAMETER_BYTES {
        let most = bytes(MOST_PARAMETER_BYTES);
        return Err(invalid(
            "parameters",
            format!(
                "`parameters` is too long: it has {size} bytes of {what}; the limit is {most} of {what}."
            ),
        )
        .fix(fix));
    }
    Ok(())
}

/// Rejects a session's configuration with a part that is too large.
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
        let message =
            format!("The session's configuration is larger than {}, the limit.", bytes(LARGEST_SESSION));
        return Err(Error::of_field(ErrorKind::InvalidSession, "config", message));
    }
    Ok(())
}

fn entries(kind: ErrorKind, count: usize, most: usize, field: &str) -> Result<()> {
    if count <= most {
        return Ok(());
    }
    Err(Error::of_field(kind, field, format!("`{field}` names {count}; the limit is {most}.")))
}

fn bytes(count: usize) -> String {
    if count > 1024 { format!("{} KiB", count / 1024) } else { format!("{count} bytes") }
}

fn invalid(field: &str, message: String) -> Error {
    Error::of_field(ErrorKind::InvalidRequest, field, message)
}
