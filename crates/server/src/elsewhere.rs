//! Routes of the hosted backend that a gateway does not have. Each route says what is missing, and what to
//! use instead.

use axum::Router;
use axum::routing::any;
use proxy_execute_protocol::{Error, ErrorKind};

use super::VERSIONS;
use super::reply::{Failure, RequestId};
use proxy_execute_gateway::Gateway;

const TOOLS: (&str, &str) = (
    "A gateway has no tools: it calls the endpoints of APIs.",
    "Call the API's endpoint with POST …/tool_router/session/{id}/proxy_execute or POST …/tools/execute/proxy.",
);
const OWN_TOOLS: (&str, &str) = (
    "A gateway has no tools, so a session cannot have tools of the caller.",
    "Run such tools in your program, and let them call APIs with proxy_execute.",
);
const MCP: (&str, &str) = (
    "A gateway has no MCP servers apart from those of its sessions.",
    "Use the `mcp.url` of a session: /mcp/{session_id}, without a version in front.",
);
const CONFIGURATIONS: (&str, &str) = (
    "A gateway stores neither earlier nor shared configurations of sessions.",
    "Read the present configuration with GET …/tool_router/session/{id}.",
);
const SESSION_FILES: (&str, &str) = (
    "A session of a gateway has no files.",
    "Send bytes with `binary_body` of a proxied call; files of APIs come back as `binary_data`.",
);
const UPLOADS: (&str, &str) = (
    "A gateway accepts no files for tools.",
    "Send bytes with `binary_body` of a proxied call; files of APIs come back as `binary_data`.",
);
const TRIGGERS: (&str, &str) = (
    "A gateway has no triggers.",
    "Poll the API with proxied calls, or register webhooks at the API itself.",
);
const WEBHOOKS: (&str, &str) = (
    "A gateway receives no webhooks of providers.",
    "Let your program receive the provider's webhooks itself.",
);
const TOOLKITS: (&str, &str) = (
    "A gateway has no change log and no scope groups of toolkits.",
    "GET …/toolkits lists the toolkits, GET …/toolkits/{slug} has the details of one.",
);
const OWN_TOOLKITS: (&str, &str) = (
    "A gateway accepts no toolkits over the port.",
    "The operator gives toolkit definitions to the gateway when it is opened.",
);
const VERIFIED: (&str, &str) = (
    "A gateway has no step that a program completes after the consent.",
    "The link's own page connects the account. Wait until GET …/connected_accounts/{id} says ACTIVE.",
);
const RECORDS: (&str, &str) = (
    "A gateway has no logs or usage figures on the port.",
    "The operator reads the record of calls with gateway.calls.list() or `proxy-execute calls`.",
);
const KEYS: (&str, &str) = (
    "A gateway has no organisations, projects or user logins.",
    "Create and revoke keys with POST …/api_keys and DELETE …/api_keys/{id}, or with `proxy-execute keys`.",
);
const VENDOR: (&str, &str) = (
    "This route serves the vendor's own command and SDKs.",
    "Use `npx proxy-execute --help`, or the routes that /openapi.json describes.",
);

/// Every path, below a version, with the error and the fix that it responds with.
const ELSEWHERE: &[(&str, (&str, &str))] = &[
    ("/tools", TOOLS),
    ("/tools/{*rest}", TOOLS),
    ("/tool_router/session/{id}/tools", TOOLS),
    ("/tool_router/session/{id}/execute", TOOLS),
    ("/tool_router/session/{id}/execute_meta", TOOLS),
    ("/tool_router/session/{id}/search", TOOLS),
    ("/tool_router/session/{id}/attach", OWN_TOOLS),
    ("/tool_router/session/{id}/mcp", MCP),
    ("/tool_router/{id}/mcp", MCP),
    ("/mcp", MCP),
    ("/mcp/{*rest}", MCP),
    ("/tool_router/session/{id}/config_history", CONFIGURATIONS),
    ("/session_configs", CONFIGURATIONS),
    ("/session_configs/{*rest}", CONFIGURATIONS),
    ("/tool_router/session/{id}/mounts", SESSION_FILES),
    ("/tool_router/session/{id}/mounts/{*rest}", SESSION_FILES),
    ("/files/{*rest}", UPLOADS),
    ("/triggers_types", TRIGGERS),
    ("/triggers_types/{*rest}", TRIGGERS),
    ("/trigger_instances", TRIGGERS),
    ("/trigger_instances/{*rest}", TRIGGERS),
    ("/internal/sdk/realtime/{*rest}", TRIGGERS),
    ("/cli/realtime/{*rest}", TRIGGERS),
    ("/webhook_endpoints", WEBHOOKS),
    ("/webhook_endpoints/{*rest}", WEBHOOKS),
    ("/webhooks", WEBHOOKS),
    ("/webhooks/{*rest}", WEBHOOKS),
    ("/toolkits/multi", TOOLKITS),
    ("/toolkits/changelog", TOOLKITS),
    ("/toolkits/{slug}/scopes/{*rest}", TOOLKITS),
    ("/custom/{*rest}", OWN_TOOLKITS),
    ("/connected_accounts/complete_auth", VERIFIED),
    ("/logs/{*rest}", RECORDS),
    ("/project/usage/{*rest}", RECORDS),
    ("/org/usage/{*rest}", RECORDS),
    ("/org/{*rest}", KEYS),
    ("/project/{*rest}", KEYS),
    ("/auth/session/{*rest}", KEYS),
    ("/keyring/{*rest}", KEYS),
    ("/api_key_revocation", KEYS),
    ("/cli/{*rest}", VENDOR),
    ("/internal/{*rest}", VENDOR),
    ("/migration/{*rest}", VENDOR),
];

/// The routes.
pub(super) fn router() -> Router<Gateway> {
    let mut router = Router::new();
    for (path, words) in ELSEWHERE {
        for version in VERSIONS {
            router = router.route(&format!("{version}{path}"), any(move |id| refuse(id, *words)));
        }
    }
    // The MCP endpoint of a hosted session is outside of the API.
    router.route("/tool_router/{id}/mcp", any(|id| refuse(id, MCP)))
}

async fn refuse(request_id: RequestId, (message, fix): (&'static str, &'static str)) -> Failure {
    Failure::new(Error::new(ErrorKind::Unsupported, message).fix(fix), request_id)
}
