//! The page about the port, for a browser or program that opens the port's address.

use askama::Template;
use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::connect::{STYLE, html};

const ABOUT: &str =
    "A proxy-execute gateway. It calls APIs with users' accounts, for programs that have an API key.";

#[derive(Template)]
#[template(path = "root.html")]
struct RootTemplate {
    style: &'static str,
    about: &'static str,
}

/// Sends a page to browsers, and the same facts as JSON to programs.
pub(super) async fn get(headers: HeaderMap) -> Response {
    let mut response = if wants_html(&headers) {
        html(StatusCode::OK, &RootTemplate { style: STYLE, about: ABOUT })
    } else {
        Json(json!({
            "name": "proxy-execute",
            "about": ABOUT,
            "api": "/api/v3.1",
            "openapi": "/openapi.json",
            "health": "/health",
            "ready": "/ready",
        }))
        .into_response()
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

/// Whether the request names HTML. Programs send `*/*` alone.
fn wants_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_html = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("text/html"));
        is_html && !parts.any(|part| part.strip_prefix("q=").is_some_and(|weight| weight.parse() == Ok(0.0)))
    })
}
