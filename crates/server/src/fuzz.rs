//! The body of the fuzz target for callbacks. The other targets are in the crate of the gateway.

use std::sync::LazyLock;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use proxy_execute_gateway::{GatewayOptions, ToolkitSource};
use proxy_execute_protocol::{Backend, Deadline, ResourceRequest, read_json};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use url::Url;

use crate::Embedded;

/// A secret that no page may show.
const CANARY: &str = "canary-7f3a9c";

/// A gateway with a link whose user is at the provider.
struct Consent {
    runtime: Runtime,
    gateway: Embedded,
    auth_config: String,
}

static CONSENT: LazyLock<Consent> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("it has threads");
    // The gateway refuses this token endpoint before it sends a request.
    let acme = json!({
        "slug": "acme", "name": "Acme", "base_url": "https://api.acme.example",
        "schemes": { "OAUTH2": {
            "headers": { "Authorization": "Bearer {{access_token}}" },
            "authorization_server": {
                "authorize_url": "https://accounts.acme.example/authorize", "token_url": "https://10.0.0.1/token",
            },
        } },
    });
    let options = GatewayOptions {
        toolkits: vec![ToolkitSource::Definition(acme)],
        public_url: Some("https://gateway.example".to_owned()),
        ..GatewayOptions::default()
    };
    let gateway = runtime.block_on(Embedded::open(options)).expect("it opens in memory");
    let config = json!({
        "toolkit": { "slug": "acme" },
        "auth_config": { "type": "use_custom_auth", "authScheme": "OAUTH2",
            "credentials": { "client_id": "the-client", "client_secret": CANARY } },
    });
    let config = runtime.block_on(ask(&gateway, "auth_configs", &config));
    let auth_config = config["auth_config"]["id"].as_str().expect("it is made").to_owned();
    Consent { runtime, gateway, auth_config }
});

async fn ask(gateway: &Embedded, path: &str, body: &Value) -> Value {
    let path: Vec<_> = path.split('/').collect();
    let request = json!({ "method": "POST", "path": path, "body": body }).to_string();
    let request: ResourceRequest = read_json(request.as_bytes()).expect("it is a request");
    let deadline = Deadline::after(Duration::from_secs(60));
    let answer = gateway.resource(request, deadline).await.expect("the gateway does it");
    serde_json::from_str(&answer).expect("the response is JSON")
}

/// Requests a page, and returns its status, headers and text.
async fn page(gateway: &Embedded, mut request: Request) -> (StatusCode, HeaderMap, String) {
    request.headers_mut().insert(header::HOST, HeaderValue::from_static("gateway.example"));
    let response = gateway.respond(request).await;
    let (head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("the page is whole");
    (head.status, head.headers, String::from_utf8(body.into()).expect("pages are UTF-8"))
}

impl Consent {
    /// Opens a new link, and returns the cookie of its browser and the state at the provider.
    async fn begin(&self) -> (String, String) {
        let link = json!({ "auth_config_id": self.auth_config, "user_id": "ann",
            "callback_url": "https://app.example/done" });
        let link = ask(&self.gateway, "connected_accounts/link", &link).await;
        let path = format!("/connect/{}", link["link_token"].as_str().expect("it is made"));
        let form = Request::get(path.as_str()).body(Body::empty()).expect("it is a request");
        let (status, headers, html) = page(&self.gateway, form).await;
        let cookie = headers.get(header::SET_COOKIE).unwrap_or_else(|| panic!("{status}: {html}"));
        let cookie = cookie.to_str().expect("it is text");
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let proof = html.split("name=\"proof\" value=\"").nth(1).expect("the form has a proof");
        let proof = proof.split('"').next().unwrap_or_default();
        let form = Request::post(path.as_str())
            .header(header::COOKIE, &cookie)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(format!("proof={proof}")))
            .expect("it is a request");
        let (_, headers, _) = page(&self.gateway, form).await;
        let onward = headers["refresh"].to_str().expect("it is text").trim_start_matches("0;url=");
        let onward = Url::parse(onward).expect("it leads to the provider");
        let state = onward.query_pairs().find(|(name, _)| name == "state");
        (cookie, state.expect("it has a state").1.into_owned())
    }
}

/// Runs a callback with the query that a provider sends. `STATE` in the query stands for a state that the
/// gateway expects, in the browser that began.
pub fn callback(data: &[u8]) {
    let Ok(query) = std::str::from_utf8(data) else { return };
    let Consent { runtime, gateway, .. } = &*CONSENT;
    runtime.block_on(async {
        let (cookie, query) = match query.contains("STATE") {
            true => {
                let (cookie, state) = CONSENT.begin().await;
                (cookie, query.replace("STATE", &state))
            }
            false => (String::new(), query.to_owned()),
        };
        let request = Request::get(format!("/connect/callback?{query}")).header(header::COOKIE, cookie);
        let Ok(request) = request.body(Body::empty()) else { return };
        let (status, headers, html) = page(gateway, request).await;
        assert!(
            status.is_success() || status.is_client_error() || status == StatusCode::BAD_GATEWAY,
            "{status}"
        );
        assert_eq!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");
        assert!(headers.contains_key(header::CONTENT_SECURITY_POLICY));
        assert!(!html.contains("<script") && !html.contains(CANARY) && html.len() < 64 * 1024, "{html}");
        assert!(!html.contains("<zq"), "what comes in is escaped: {html}");
        if let Some(onward) = headers.get("refresh") {
            let onward = onward.to_str().expect("it is text");
            assert!(onward.starts_with("0;url=https://app.example/done?"), "{onward}");
        }
    });
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_corpus_is_replayed() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/callback");
        let files: Vec<_> = std::fs::read_dir(corpus).unwrap().map(|file| file.unwrap().path()).collect();
        assert!(files.len() >= 10, "{} files", files.len());
        for path in files {
            // The test's output shows the path if the target fails.
            println!("{}", path.display());
            callback(&std::fs::read(&path).unwrap());
        }
    }
}
