//! Which calls reach a private host, and which option of the operator lets them.

use proxy_execute_gateway::{GatewayOptions, ToolkitSource};
use proxy_execute_protocol::{ErrorKind, Result};
use proxy_execute_server::Embedded;
use serde_json::{Value, json};

use crate::support::{
    Answer, Step, Upstream, answer, assert_error, call, import, json_answer, session, tools_call,
};

/// A public API. In these tests, its requests are refused or redirected.
const PUBLIC: &str = "https://api.example.com/v1";

/// The operator's permissions for the private host `inside`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Allowed {
    Nothing,
    Host,
    HostOnAnyPort,
    HostOnAnotherPort,
    /// For all accounts of the toolkit `field`.
    HostOfField,
    Redirects,
    Bodies,
}

const EVERYTHING: [Allowed; 7] = [
    Allowed::Nothing,
    Allowed::Host,
    Allowed::HostOnAnyPort,
    Allowed::HostOnAnotherPort,
    Allowed::HostOfField,
    Allowed::Redirects,
    Allowed::Bodies,
];

/// The definitions that name the host.
const NAMED: &[Allowed] = &[Allowed::Host, Allowed::HostOnAnyPort];

/// The ways to the host, and the permission that each needs.
const WAYS: [(&str, &[Allowed]); 18] = [
    ("the base URL of a definition", NAMED),
    ("a field's default in a definition", NAMED),
    ("the hosts of a definition, chosen by a field", NAMED),
    ("a token URL of a definition", NAMED),
    ("a token URL of a definition, with a field in its path", NAMED),
    ("a field in custom_connection_data", &[Allowed::HostOfField]),
    ("a field of an account", &[Allowed::HostOfField]),
    ("a field of an account, instead of a default", &[]),
    ("base_url in custom_connection_data", &[Allowed::HostOfField]),
    ("base_url of an account", &[Allowed::HostOfField]),
    ("base_url of an account, in upper case", &[Allowed::HostOfField]),
    ("base_url of an account, by the address of the host", &[]),
    ("base_url of another toolkit", &[]),
    ("base_url of a definition that names another port", &[]),
    ("base_url of an account that names what its definition names", NAMED),
    ("a token URL, chosen by a field", &[Allowed::HostOfField]),
    ("a redirect of another origin", &[Allowed::Redirects]),
    ("the URL of a body", &[Allowed::Bodies]),
];

/// A private host, by the name that the system has for every machine.
fn localhost(upstream: &Upstream) -> String {
    upstream.authority().replace("127.0.0.1", "localhost")
}

struct Scene {
    inside: Upstream,
    /// May be called by the toolkit `first`, which names it.
    first: Upstream,
}

impl Scene {
    async fn new() -> Self {
        let inside = Upstream::with(|request| match request.target.as_str() {
            path if path.starts_with("/token") => json_answer(r#"{"access_token":"t","expires_in":3600}"#),
            _ => json_answer("{}"),
        })
        .await;
        let away = localhost(&inside);
        let first = Upstream::with(move |request| match request.target.as_str() {
            "/v1/away" => Step::Send(answer(302, &[&format!("location: http://{away}/v1/x")], "")),
            "/v1/here" => Step::Send(answer(302, &["location: /v1/x"], "")),
            _ => json_answer("{}"),
        })
        .await;
        Self { inside, first }
    }

    fn toolkits(&self) -> Vec<ToolkitSource> {
        let inside = format!("http://{}", localhost(&self.inside));
        let port = inside.rsplit(':').next().unwrap();
        let host =
            |default: Option<&str>| json!({ "host": { "description": "The host", "default": default } });
        let by_field = format!("http://{{{{host}}}}:{port}");
        let key = json!({ "API_KEY": { "headers": { "X-Api-Key": "{{api_key}}" } } });
        let s2s = |token_url: &str| {
            json!({ "S2S_OAUTH2": {
                "headers": { "Authorization": "Bearer {{access_token}}" },
                "authorization_server": { "token_url": token_url },
            } })
        };
        let first = format!("{}/v1", self.first.origin());
        [
            json!({ "slug": "named", "base_url": inside, "schemes": key }),
            json!({ "slug": "default", "base_url": by_field, "fields": host(Some("localhost")), "schemes": key }),
            json!({ "slug": "listed", "base_url": by_field, "fields": host(None), "hosts": ["localhost"], "schemes": key }),
            json!({ "slug": "field", "base_url": by_field, "fields": host(None), "schemes": key }),
            json!({ "slug": "elsewhere", "base_url": by_field, "fields": host(Some("elsewhere")), "schemes": key }),
            json!({ "slug": "public", "base_url": PUBLIC, "schemes": key }),
            json!({ "slug": "first", "base_url": first, "schemes": key }),
            json!({ "slug": "token", "base_url": first, "schemes": s2s(&format!("{inside}/token")) }),
            json!({ "slug": "path", "base_url": first, "fields": { "tenant": { "description": "The tenant" } },
                "schemes": s2s(&format!("{inside}/token/{{{{tenant}}}}")) }),
        ]
        .into_iter()
        .map(|mut definition| {
            definition["name"] = definition["slug"].clone();
            ToolkitSource::Definition(definition)
        })
        .collect()
    }

    async fn gateway(&self, allowed: Allowed, way: &str) -> Embedded {
        let inside = localhost(&self.inside);
        let mut options = GatewayOptions {
            toolkits: self.toolkits(),
            allow_private_hosts: vec![self.first.authority().to_owned()],
            ..GatewayOptions::default()
        };
        // Replaces the toolkit of this slug whose base URL has the field.
        if way == "a token URL, chosen by a field" {
            let port = inside.rsplit(':').next().unwrap();
            options.toolkits.push(ToolkitSource::Definition(json!({
                "slug": "field", "name": "field", "base_url": format!("{}/v1", self.first.origin()),
                "fields": { "host": { "description": "The host" } },
                "schemes": { "S2S_OAUTH2": {
                    "headers": { "Authorization": "Bearer {{access_token}}" },
                    "authorization_server": { "token_url": format!("http://{{{{host}}}}:{port}/token") },
                } },
            })));
        }
        match allowed {
            Allowed::Nothing => {}
            Allowed::Host => options.allow_private_hosts.push(inside),
            Allowed::HostOnAnyPort => options.allow_private_hosts.push("localhost".to_owned()),
            Allowed::HostOnAnotherPort => options.allow_private_hosts.push("localhost:1".to_owned()),
            Allowed::HostOfField => options.allow_private_hosts.push(format!("field={inside}")),
            Allowed::Redirects => options.allow_private_redirects.push(inside),
            Allowed::Bodies => options.allow_private_bodies.push(inside),
        }
        Embedded::open(options).await.unwrap()
    }

    /// Makes a call on one of the ways.
    async fn go(&self, gateway: &Embedded, way: &str) -> Result<Answer> {
        let inside = format!("http://{}", localhost(&self.inside));
        let given = |toolkit: &str, val: Value| given(gateway.clone(), toolkit.to_owned(), "/x", val);
        let account = |toolkit: &'static str, val: Value| account(gateway.clone(), toolkit, "API_KEY", val);
        let host = json!({ "host": "localhost" });
        let base_url = json!({ "base_url": inside });
        match way {
            "the base URL of a definition" => given("named", json!({})).await,
            "a field's default in a definition" => given("default", json!({})).await,
            "the hosts of a definition, chosen by a field" => given("listed", host).await,
            "a token URL of a definition" => {
                account_of(gateway.clone(), "token", json!({ "client_id": "i", "client_secret": "s" })).await
            }
            "a token URL of a definition, with a field in its path" => {
                let val = json!({ "client_id": "i", "client_secret": "s", "tenant": "a" });
                account_of(gateway.clone(), "path", val).await
            }
            "a field in custom_connection_data" => given("field", host).await,
            "a field of an account" => account("field", host).await,
            "a field of an account, instead of a default" => account("elsewhere", host).await,
            "base_url in custom_connection_data" => given("field", base_url).await,
            "base_url of an account" => account("field", base_url).await,
            "base_url of an account, in upper case" => {
                account("field", json!({ "base_url": inside.replace("localhost", "LOCALHOST") })).await
            }
            "base_url of an account, by the address of the host" => {
                account("field", json!({ "base_url": self.inside.origin() })).await
            }
            "base_url of another toolkit" => given("public", base_url).await,
            "base_url of a definition that names another port" => given("first", base_url).await,
            "base_url of an account that names what its definition names" => account("named", base_url).await,
            "a token URL, chosen by a field" => {
                let val = json!({ "client_id": "i", "client_secret": "s", "host": "localhost" });
                account_of(gateway.clone(), "field", val).await
            }
            "a redirect of another origin" => {
                self::given(gateway.clone(), "first".to_owned(), "/away", json!({})).await
            }
            "the URL of a body" => {
                let body = json!({ "url": format!("{inside}/bytes") });
                let request = json!({ "endpoint": "/x", "method": "POST", "binary_body": body,
                    "custom_connection_data": credential("first", json!({})) });
                tools_call(gateway, request).await
            }
            other => panic!("{other}"),
        }
    }
}

fn credential(toolkit: &str, mut val: Value) -> Value {
    val["api_key"] = json!("k");
    json!({ "authScheme": "API_KEY", "toolkitSlug": toolkit, "val": val })
}

async fn given(gateway: Embedded, toolkit: String, endpoint: &str, val: Value) -> Result<Answer> {
    let data = credential(&toolkit, val);
    let request = json!({ "endpoint": endpoint, "method": "GET", "custom_connection_data": data });
    tools_call(&gateway, request).await
}

async fn account(gateway: Embedded, toolkit: &str, scheme: &str, mut val: Value) -> Result<Answer> {
    if scheme == "API_KEY" {
        val["api_key"] = json!("k");
    }
    import(&gateway, "ann", toolkit, json!({ "authScheme": scheme, "val": val })).await;
    let session = session(&gateway, "ann").await;
    call(&gateway, &session, json!({ "toolkit_slug": toolkit, "endpoint": "/x", "method": "GET" })).await
}

async fn account_of(gateway: Embedded, toolkit: &str, val: Value) -> Result<Answer> {
    account(gateway, toolkit, "S2S_OAUTH2", val).await
}

#[tokio::test]
async fn a_private_host_is_reached_only_as_the_operator_allows() {
    for (way, reached_with) in WAYS {
        for allowed in EVERYTHING {
            let scene = Scene::new().await;
            let gateway = scene.gateway(allowed, way).await;
            let result = scene.go(&gateway, way).await;
            let reached = scene.inside.connections() > 0;
            assert_eq!(reached, reached_with.contains(&allowed), "{way}, {allowed:?}: {result:?}");
            assert_eq!(result.is_ok(), reached, "{way}, {allowed:?}: {result:?}");
            let Err(error) = result else { continue };
            assert!(error.to_string().contains("Nothing was sent"), "{way}, {allowed:?}: {error}");
        }
    }
}

#[tokio::test]
async fn a_redirect_on_the_same_origin_needs_no_permission() {
    let scene = Scene::new().await;
    let gateway = scene.gateway(Allowed::Nothing, "").await;
    given(gateway, "first".to_owned(), "/here", json!({})).await.unwrap();
}

#[tokio::test]
async fn each_refusal_names_the_option_to_set() {
    let scene = Scene::new().await;
    let gateway = scene.gateway(Allowed::Nothing, "").await;
    for (way, says, fix) in [
        ("the base URL of a definition", "localhost: ", "`allowPrivateHosts`".to_owned()),
        ("base_url of an account", "toolkit `field` does not name", "`field=localhost`".to_owned()),
        ("a redirect of another origin", "to which a redirect leads", "`allowPrivateRedirects`".to_owned()),
        ("the URL of a body", "for the body", "`allowPrivateBodies`".to_owned()),
    ] {
        let error = assert_error(scene.go(&gateway, way).await, ErrorKind::AddressRefused, says);
        assert!(error.body().suggested_fix.as_deref().unwrap_or_default().contains(&fix), "{way}: {error:?}");
    }
}

/// A name is checked at its lookup, like an address.
#[tokio::test]
async fn a_name_is_checked_like_an_address() {
    let scene = Scene::new().await;
    let port = scene.inside.origin().rsplit(':').next().unwrap();
    for (allowed, reached) in
        [(format!("localhost:{port}"), true), ("localhost".to_owned(), true), ("127.0.0.1".to_owned(), false)]
    {
        let options = GatewayOptions {
            toolkits: scene.toolkits(),
            allow_private_hosts: vec![allowed.clone()],
            ..GatewayOptions::default()
        };
        let gateway = Embedded::open(options).await.unwrap();
        let result = given(gateway.clone(), "default".to_owned(), "/x", json!({})).await;
        assert_eq!(result.is_ok(), reached, "{allowed}: {result:?}");
        // A toolkit whose definition does not name the host cannot reuse the idle connection.
        for base_url in [format!("http://localhost:{port}"), format!("https://localhost:{port}")] {
            let result =
                given(gateway.clone(), "public".to_owned(), "/x", json!({ "base_url": base_url })).await;
            assert_error(result, ErrorKind::AddressRefused, "Nothing was sent");
        }
    }
}

#[tokio::test]
async fn the_toolkit_of_an_entry_must_exist() {
    let options = GatewayOptions {
        allow_private_hosts: vec!["githbu=git.internal".to_owned()],
        ..GatewayOptions::default()
    };
    let error = Embedded::open(options).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    assert!(error.to_string().contains("`githbu`"), "{error}");
}
