//! `/mcp/{session_id}`: a session as an MCP server, for agents (`docs/wire.md`).
//!
//! The transport is Streamable HTTP without sessions of its own: the path has the session, and every request has
//! the key. The tools do what the routes of the same name do, with the same permissions and the same record.

use std::convert::Infallible;
use std::sync::{Arc, LazyLock};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use proxy_execute_gateway::Gateway;
use proxy_execute_protocol::{
    Area, Envelope, Error, ErrorKind, Level, LinkInSession, ListSessionToolkits, Method, Parameter,
    ParameterLocation, ProxyRequest, Result, Session, quoted, read_json,
};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool, ToolAnnotations,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::caller::{Caller, Owner};
use super::reply::{Failure, MAX_RESOURCE_BYTES, Named, RequestId, read_bytes, resource_too_large};
use super::threads::Encrypted;

/// The server's words to an agent.
const INSTRUCTIONS: &str = "Calls the APIs of third parties as a user. The user's credentials are added by the \
    server: never ask for one, and never send one. list_toolkits shows the APIs, describe_toolkit has the base URL \
    and the documentation of one, and proxy_execute calls an endpoint. If the user has no account of a toolkit, \
    connect makes a link: show it to the user, and repeat the call when the user has connected the account.";

/// The origin that a caller used, such as `http://127.0.0.1:9900`; `None` for the owner, who uses none.
pub(super) struct Origin(Option<String>);

impl<S: Sync> FromRequestParts<S> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        if parts.extensions.get::<Owner>().is_some() {
            return Ok(Self(None));
        }
        let authority = parts.uri.authority().map(|authority| authority.as_str());
        let host = || parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let scheme = if parts.extensions.get::<Encrypted>().is_some() { "https" } else { "http" };
        Ok(Self(authority.or_else(host).map(|host| format!("{scheme}://{host}"))))
    }
}

/// Adds the URL of the session's MCP server.
///
/// SDKs compare its origin with the one they use, so the caller's own is preferred to the address of the port.
pub(super) fn with_url(mut session: Session, gateway: &Gateway, Origin(used): &Origin) -> Session {
    if gateway.serves_mcp
        && let Some(base) = gateway.public_url.for_caller(used.as_deref())
    {
        session.mcp.url = format!("{base}/mcp/{}", session.session_id);
    }
    session
}

/// Responds to a message of an MCP client.
///
/// Any valid key may send messages. Each tool then needs the permission of its own.
pub(super) async fn serve(
    caller: Caller,
    Named(session_id): Named<String>,
    request_id: RequestId,
    request: Request,
) -> Result<Response, Failure> {
    let caller = Arc::new(caller);
    let tools_of = Arc::clone(&caller);
    let response = caller.run_with_any_key(|gateway| async move {
        if !gateway.serves_mcp {
            return Err(Error::new(ErrorKind::NotFound, "This gateway does not serve MCP.")
                .fix("The operator has switched it off with the option `mcp`, or with --no-mcp."));
        }
        gateway.sessions.get(&session_id).await?;
        let mut head = Request::new(());
        *head.method_mut() = request.method().clone();
        *head.uri_mut() = request.uri().clone();
        *head.headers_mut() = without_credentials(request.headers());
        let message = Bytes::from(read_bytes(request, MAX_RESOURCE_BYTES, resource_too_large).await?);
        let tools = Tools { caller: tools_of, session_id, message: message.clone() };
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_json_response(true)
            // Every request has a key, so a page in a browser gains nothing from another name of the host.
            .disable_allowed_hosts()
            .with_cancellation_token(gateway.closing_token())
            .with_max_request_body_bytes(MAX_RESOURCE_BYTES);
        let sessions = Arc::<NeverSessionManager>::default();
        let service = StreamableHttpService::new(move || Ok(tools.clone()), sessions, config);
        enveloped(service.handle(head.map(|()| Body::from(message))).await.map(Body::new)).await
    });
    response.await.map_err(|error| Failure::new(error, request_id))
}

/// The headers for the protocol, which needs no credential.
fn without_credentials(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in ["x-api-key", "authorization", "cookie"] {
        headers.remove(name);
    }
    headers
}

/// Replaces an error that is plain text. Errors of JSON-RPC stay as they are.
async fn enveloped(response: Response) -> Result<Response> {
    if response.status().as_u16() < 400 || response.headers().contains_key(header::CONTENT_TYPE) {
        return Ok(response);
    }
    let status = response.status();
    let text = to_bytes(response.into_body(), MAX_RESOURCE_BYTES).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let kind = if status.is_server_error() { ErrorKind::Internal } else { ErrorKind::InvalidRequest };
    Err(Error::new(kind, format!("The message is not one of MCP over Streamable HTTP: {text}."))
        .fix("Use an MCP client with the Streamable HTTP transport."))
}

/// The tools of one session, for one message.
#[derive(Clone)]
struct Tools {
    caller: Arc<Caller>,
    session_id: String,
    /// The message, as the client wrote it. Numbers in the body of a call keep their digits.
    message: Bytes,
}

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        let mut info = ServerConfig::new(ServerCapabilities::builder().enable_tools().build());
        info.server_info = Implementation::new("proxy-execute", env!("CARGO_PKG_VERSION"));
        info.instructions = Some(INSTRUCTIONS.to_owned());
        info
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(TOOLS.clone()))
    }

    async fn call_tool(
        &self,
        call: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let work = async {
            Some(match call.name.as_ref() {
                "list_toolkits" => self.list_toolkits().await,
                "describe_toolkit" => self.describe_toolkit().await,
                "proxy_execute" => self.proxy_execute().await,
                "connect" => self.connect().await,
                _ => return None,
            })
        };
        // A client cancels a call by closing the connection. rmcp then cancels only this token.
        match context.ct.run_until_cancelled(work).await {
            Some(Some(Ok(text))) => Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into()),
            Some(Some(Err(error))) => Ok(self.failed(error).into()),
            Some(None) => {
                let message = format!("There is no tool `{}`; tools/list has the names.", quoted(&call.name));
                Err(ErrorData::invalid_params(message, None))
            }
            None => Err(ErrorData::internal_error("The client cancelled the call.", None)),
        }
    }
}

impl Tools {
    async fn list_toolkits(&self) -> Result<String> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Arguments {
            search: Option<String>,
            connected: Option<bool>,
            limit: Option<u32>,
            cursor: Option<String>,
        }
        let work = |gateway: Gateway| async move {
            let Arguments { search, connected, limit, cursor } = self.arguments()?;
            let request =
                ListSessionToolkits { search, is_connected: connected, limit, cursor, ..Default::default() };
            let page = gateway.sessions.toolkits(&self.session_id, request).await?;
            let toolkits: Vec<_> = page
                .items
                .iter()
                .map(|item| {
                    json!({
                        "toolkit": item.slug,
                        "name": item.name,
                        "description": item.meta.description,
                        "needs_account": !item.is_no_auth,
                        "account": item.connected_account.as_ref().map(
                            |account| json!({ "id": account.id, "status": account.status })),
                    })
                })
                .collect();
            Ok(json!({ "toolkits": toolkits, "total": page.total_items, "next_cursor": page.next_cursor }))
        };
        self.caller.run(Area::Sessions, Level::Read, work).await.map(|page| page.to_string())
    }

    async fn describe_toolkit(&self) -> Result<String> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Arguments {
            toolkit: String,
        }
        let work = |gateway: Gateway| async move {
            let Arguments { toolkit } = self.arguments()?;
            let details = gateway.toolkits.details(&toolkit)?;
            let request = ListSessionToolkits { toolkits: vec![toolkit], ..Default::default() };
            let mut page = gateway.sessions.toolkits(&self.session_id, request).await?;
            let in_session = page.items.pop();
            let account = in_session.as_ref().and_then(|item| item.connected_account.as_ref());
            Ok(json!({
                "toolkit": details.item.slug,
                "name": details.item.name,
                "description": details.item.meta.description,
                "base_url": details.base_url,
                "documentation": details.item.meta.app_url,
                "needs_account": !details.item.no_auth,
                "auth_schemes": details.item.auth_schemes,
                "allowed_in_session": in_session.as_ref().is_some_and(|item| item.enabled),
                "account": account.map(|account| json!({ "id": account.id, "status": account.status })),
            }))
        };
        self.caller.run(Area::Sessions, Level::Read, work).await.map(|toolkit| toolkit.to_string())
    }

    async fn proxy_execute(&self) -> Result<String> {
        let work = |gateway: Gateway| async move {
            let call = self.arguments::<Call>()?.into_request()?;
            gateway.proxy.execute(Some(&self.session_id), call, self.caller.origin()).await
        };
        self.caller.run(Area::ProxyExecute, Level::Write, work).await.map(Envelope::into_text)
    }

    async fn connect(&self) -> Result<String> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Arguments {
            toolkit: String,
            callback_url: Option<String>,
            alias: Option<String>,
        }
        let work = |gateway: Gateway| async move {
            let Arguments { toolkit, callback_url, alias } = self.arguments()?;
            let request = LinkInSession { toolkit, callback_url, alias, experimental: None };
            let link = gateway.links.in_session(&self.session_id, request).await?;
            Ok(json!({
                "link": link.redirect_url,
                "expires_at": link.expires_at,
                "connected_account_id": link.connected_account_id,
            }))
        };
        self.caller.run(Area::Sessions, Level::Write, work).await.map(|link| link.to_string())
    }

    /// Reads the arguments of the called tool.
    fn arguments<T: DeserializeOwned>(&self) -> Result<T> {
        #[derive(Deserialize)]
        struct Message<'a> {
            #[serde(borrow)]
            params: Parameters<'a>,
        }
        #[derive(Deserialize)]
        struct Parameters<'a> {
            #[serde(borrow)]
            arguments: Option<&'a RawValue>,
        }
        let message: Message<'_> = serde_json::from_slice(&self.message).map_err(|_| {
            Error::of_field(ErrorKind::InvalidRequest, "arguments", "The arguments cannot be read.")
        })?;
        read_json(message.params.arguments.map_or("{}", RawValue::get).as_bytes())
    }

    /// The result for a tool that got no result: the sentence of the error, and its envelope.
    fn failed(&self, error: Error) -> CallToolResult {
        let has_no_account = error.kind() == ErrorKind::NoActiveConnection;
        let (_, envelope) = Failure::new(error, self.caller.request_id.clone()).into_text();
        let envelope: Value = serde_json::from_str(&envelope).unwrap_or_default();
        let message = envelope["error"]["message"].as_str().unwrap_or_default();
        let advice = if has_no_account { " The tool `connect` makes the link for the user." } else { "" };
        let mut result = CallToolResult::error(vec![ContentBlock::text(format!("{message}{advice}"))]);
        result.structured_content = Some(envelope);
        result
    }
}

/// The arguments of `proxy_execute`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    toolkit: String,
    method: Method,
    endpoint: String,
    query: Option<Map<String, Value>>,
    headers: Option<Map<String, Value>>,
    body: Option<Box<RawValue>>,
}

impl Call {
    fn into_request(self) -> Result<ProxyRequest> {
        let mut parameters = Vec::new();
        for (location, values) in
            [(ParameterLocation::Header, self.headers), (ParameterLocation::Query, self.query)]
        {
            for (name, value) in values.unwrap_or_default() {
                let values = match value {
                    Value::Array(values) => values,
                    value => vec![value],
                };
                for value in values.into_iter().filter(|value| !value.is_null()) {
                    let value = match value {
                        Value::String(text) => text,
                        Value::Number(_) | Value::Bool(_) => value.to_string(),
                        _ => return Err(not_a_text(location, &name)),
                    };
                    parameters.push(Parameter { name: name.clone(), value, location });
                }
            }
        }
        Ok(ProxyRequest {
            toolkit_slug: Some(self.toolkit),
            connected_account_id: None,
            custom_connection_data: None,
            endpoint: self.endpoint,
            method: self.method,
            body: self.body,
            binary_body: None,
            parameters,
            redirect: None,
            keep_authorization: None,
            data_as_text: false,
        })
    }
}

fn not_a_text(location: ParameterLocation, name: &str) -> Error {
    let group = match location {
        ParameterLocation::Header => "headers",
        ParameterLocation::Query => "query",
    };
    let field = format!("{group}.{name}");
    let message = format!("{}: must be a string, a number, a boolean or a list of them.", quoted(&field));
    Error::of_field(ErrorKind::InvalidRequest, field, message)
}

/// The tools, as `tools/list` shows them.
static TOOLS: LazyLock<Vec<Tool>> = LazyLock::new(|| {
    let toolkit = json!({ "type": "string", "description": "The slug of the toolkit, such as `github`." });
    let values = json!({
        "type": "object",
        "additionalProperties": { "type": ["string", "number", "boolean", "array"] },
    });
    let described = |mut schema: Value, description: &str| {
        schema["description"] = json!(description);
        schema
    };
    vec![
        tool(
            "list_toolkits",
            "Lists the APIs (toolkits) that can be called, each with the account of the user.",
            json!({
                "search": { "type": "string", "description": "A part of the slug or the name." },
                "connected": {
                    "type": "boolean",
                    "description": "Only toolkits with an active account (true), or only those without (false).",
                },
                "limit": { "type": "integer", "minimum": 1, "maximum": 50, "description": "Default: 20." },
                "cursor": { "type": "string", "description": "The `next_cursor` of the page before." },
            }),
            &[],
        )
        .with_annotations(ToolAnnotations::new().read_only(true).open_world(false)),
        tool(
            "describe_toolkit",
            "Describes a toolkit: its base URL, the documentation of its API, and whether the user has an account.",
            json!({ "toolkit": toolkit }),
            &["toolkit"],
        )
        .with_annotations(ToolAnnotations::new().read_only(true).open_world(false)),
        tool(
            "proxy_execute",
            "Calls an endpoint of a toolkit's API as the user. The credential of the user's account is added. \
             Returns the status, the headers and the data of the API's response, whatever the status is.",
            json!({
                "toolkit": toolkit,
                "method": { "type": "string", "description": "The HTTP method, in upper case, such as `GET`." },
                "endpoint": {
                    "type": "string",
                    "description": "A path below the base URL of the toolkit, such as `/user/repos`, or an absolute \
                        URL on the same host.",
                },
                "query": described(values.clone(), "The query parameters. A list repeats its name."),
                "headers": described(values, "Headers for the API. The credential is added without them."),
                "body": { "description": "The JSON body of the request." },
            }),
            &["toolkit", "method", "endpoint"],
        )
        .with_annotations(ToolAnnotations::new().read_only(false).open_world(true)),
        tool(
            "connect",
            "Makes a link to the page where the user connects an account of a toolkit. Show the link to the user. \
             describe_toolkit shows whether the account is ACTIVE.",
            json!({
                "toolkit": toolkit,
                "callback_url": { "type": "string", "description": "The URL that the page leads to at its end." },
                "alias": { "type": "string", "description": "A name for the account." },
            }),
            &["toolkit"],
        )
        .with_annotations(ToolAnnotations::new().read_only(false).destructive(false).open_world(false)),
    ]
});

fn tool(name: &'static str, description: &'static str, properties: Value, required: &[&str]) -> Tool {
    let schema = json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    });
    let Value::Object(schema) = schema else { unreachable!("the schema is an object") };
    Tool::new(name, description, Arc::new(schema))
}
