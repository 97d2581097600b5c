//! Checks the catalogue against `cases/toolkit-cases.json`, and the rejection of invalid definitions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;

use http::header::AUTHORIZATION;
use proxy_execute_protocol::{ErrorKind, ProxyRequest, SecretJson};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::account::Credential;
use crate::credential::GivenCredential;
use crate::oauth::client::OAuthClient;
use crate::oauth::requests::{self, CodeVerifier, Grant};
use crate::proxy::prepare;
use crate::query::append_query;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    id: String,
    toolkit: String,
    auth_scheme: String,
    val: Value,
    method: String,
    endpoint: String,
    expect: Expected,
    #[serde(default)]
    refused: Vec<String>,
}

#[derive(Deserialize)]
struct Expected {
    url: String,
    headers: BTreeMap<String, String>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../../../../cases/toolkit-cases.json")).unwrap()
}

fn request(method: &str, endpoint: &str) -> ProxyRequest {
    serde_json::from_value(json!({ "method": method, "endpoint": endpoint })).unwrap()
}

fn credential(case: &Case) -> Credential {
    let json = json!({ "authScheme": case.auth_scheme, "val": case.val }).to_string();
    let given = GivenCredential::read(&SecretJson::new(json), "credential").unwrap();
    Credential { scheme: given.auth_scheme, fields: given.fields().unwrap() }
}

/// The URL and headers of the sent request, with the credential.
fn leaving(
    toolkit: &Toolkit,
    credential: &Credential,
    request: &ProxyRequest,
) -> Result<(String, BTreeMap<String, String>)> {
    let mut outgoing = prepare(toolkit, credential, request)?;
    let query = &outgoing.credential.query;
    append_query(&mut outgoing.url, query.iter().map(|(name, value)| (name.as_str(), value.expose_secret())));
    let injected = outgoing.credential.headers.iter().map(|(name, value)| (name, value));
    let headers = outgoing.headers.iter().chain(injected);
    let mut headers: BTreeMap<_, _> =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    if let Some(signer) = &outgoing.credential.signer {
        // The parameters after the first one differ in every request.
        let mut signed = HeaderMap::new();
        signer.sign(outgoing.method, &outgoing.url, &mut signed, None);
        let (who, _) = signed[AUTHORIZATION].to_str().unwrap().split_once(", ").unwrap();
        headers.insert("authorization".to_owned(), format!("{who}, …"));
    }
    Ok((outgoing.url.into(), headers))
}

#[test]
fn every_toolkit_sends_its_expected_request() {
    let catalogue = Catalogue::with(&[]).unwrap();
    let mut wrong = Vec::new();
    for case in cases() {
        let (toolkit, credential) = (catalogue.get(&case.toolkit).unwrap(), credential(&case));
        match leaving(toolkit, &credential, &request(&case.method, &case.endpoint)) {
            Err(error) => wrong.push(format!("{}: {error}", case.id)),
            Ok((url, headers)) => {
                if url != case.expect.url {
                    wrong.push(format!("{}: {url}, expected {}", case.id, case.expect.url));
                }
                let mut expected = case.expect.headers;
                expected
                    .entry("user-agent".to_owned())
                    .or_insert(concat!("proxy-execute/", env!("CARGO_PKG_VERSION")).to_owned());
                if headers != expected {
                    wrong.push(format!("{}: {headers:?}, expected {expected:?}", case.id));
                }
            }
        }
        for endpoint in &case.refused {
            let result = leaving(toolkit, &credential, &request(&case.method, endpoint));
            if result.as_ref().err().map(proxy_execute_protocol::Error::kind)
                != Some(ErrorKind::OriginMismatch)
            {
                wrong.push(format!("{}: {endpoint} gave {result:?}", case.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_toolkit_and_scheme_has_a_case() {
    let covered: BTreeSet<_> = cases().into_iter().map(|case| (case.toolkit, case.auth_scheme)).collect();
    let catalogue = Catalogue::with(&[]).unwrap();
    let all: BTreeSet<_> = catalogue
        .iter()
        .flat_map(|toolkit| toolkit.schemes().map(|scheme| (toolkit.slug.clone(), scheme.to_string())))
        .collect();
    assert_eq!(covered, all);
    assert!(catalogue.iter().count() >= 300);
}

/// Values for the fields of a toolkit that have no default.
fn example_fields(toolkit: &Toolkit) -> Fields {
    let value = |(name, field): (&String, &Field)| {
        let listed = field.values.first().map(|value| value.replace("*.", "acme."));
        let open = if name == "domain" { "acme.example" } else { "acme" };
        (name.clone(), json!(listed.unwrap_or_else(|| open.to_owned())))
    };
    let open = toolkit.fields.iter().filter(|(_, field)| field.default.is_none());
    serde_json::from_value(open.map(value).collect()).unwrap()
}

/// Snapshots the authorize URL and the token requests of every toolkit with an authorization server.
#[test]
fn requests_to_authorization_servers_match_their_snapshot() {
    let client = json!({ "client_id": "the client", "client_secret": "its+secret" }).to_string();
    let client = OAuthClient::read(&SecretJson::new(client), &json!({})).unwrap();
    let verifier = CodeVerifier("verifier".into());
    let redirect_uri = "https://gw.example/connect/callback";
    let mut asked = String::new();
    for toolkit in Catalogue::with(&[]).unwrap().iter() {
        if toolkit.check_scheme(AuthScheme::OAuth2).is_err() {
            continue;
        }
        let fields = example_fields(toolkit);
        let server = toolkit.authorization_server(AuthScheme::OAuth2, &fields);
        let Some(server) = server.unwrap_or_else(|error| panic!("{}: {error}", toolkit.slug)) else {
            writeln!(asked, "{}\n  no server: accounts are imported", toolkit.slug).unwrap();
            continue;
        };
        let url = requests::authorize_url(&server, &client, redirect_uri, "state", &verifier).unwrap();
        writeln!(asked, "{}\n  authorize {url}", toolkit.slug).unwrap();
        let (code, token) = ("code".into(), "token".into());
        let code = Grant::AuthorizationCode { code: &code, redirect_uri, verifier: &verifier };
        let requests = [
            ("code", Some(requests::token_request(&server, &client, &code))),
            ("refresh", Some(requests::token_request(&server, &client, &Grant::RefreshToken(&token)))),
            ("revoke", requests::revocation_request(&server, &client, &token)),
        ];
        for (name, request) in requests {
            let Some(request) = request else { continue };
            let authorization = request.headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap());
            let authorization = authorization.map(|value| format!("\n          {value}")).unwrap_or_default();
            let body = request.body.expose_secret();
            writeln!(asked, "  {name:9} {}{authorization}\n          {body}", request.url).unwrap();
        }
    }
    insta::assert_snapshot!("authorization_servers", asked);
}

#[test]
fn every_toolkit_names_its_source() {
    for toolkit in Catalogue::with(&[]).unwrap().iter() {
        let docs = toolkit.docs.as_deref().unwrap_or_default();
        assert!(docs.starts_with("https://"), "{}", toolkit.slug);
    }
}

fn definition(change: impl FnOnce(&mut Value)) -> Result<Catalogue> {
    let mut definition = json!({
        "slug": "acme", "name": "Acme", "base_url": "https://{{subdomain}}.acme.example",
        "fields": { "subdomain": { "description": "Your name at Acme", "example": "you" } },
        "schemes": { "API_KEY": { "headers": { "x-api-key": "{{api_key}}" } } },
    });
    change(&mut definition);
    Catalogue::with(&[ToolkitSource::Definition(definition)])
}

/// Adds an authorization server to the definition. The keys override the usual ones; null removes a key.
fn server(definition: &mut Value, keys: Value) {
    let mut server = json!({
        "authorize_url": "https://acme.example/authorize", "token_url": "https://acme.example/token",
    });
    server.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    server.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    definition["schemes"]["OAUTH2"] = json!({ "authorization_server": server });
}

#[test]
fn a_field_has_one_of_its_values() {
    let field: Field = serde_json::from_value(
        json!({ "description": "D", "values": ["us", "a.zoho.example", "*.acme.example"] }),
    )
    .unwrap();
    for (value, expected) in [
        ("us", true),
        ("US", true),
        ("A.zoho.example", true),
        ("eu.acme.example", true),
        ("eu.ACME.example", true),
        ("eu", false),
        ("", false),
        ("us ", false),
        ("acme.example", false),
        (".acme.example", false),
        ("a.b.acme.example", false),
        ("evil-acme.example", false),
        ("eu.acme.example.evil.example", false),
        ("a.zoho.example.", false),
    ] {
        assert_eq!(field.allows(value), expected, "{value:?}");
    }
}

#[test]
fn a_bad_definition_is_refused_with_key_and_reason() {
    assert!(definition(|_| {}).is_ok());
    type Change = fn(&mut Value);
    let cases: &[(Change, &[&str])] = &[
        (|d| d["slug"] = json!("Acme!"), &["slug"]),
        (|d| d["nam"] = json!("x"), &["unknown field `nam`", "`name`"]),
        (|d| _ = d.as_object_mut().unwrap().remove("base_url"), &["missing field `base_url`"]),
        (|d| d["base_url"] = json!("ftp://acme.example"), &["base_url", "https"]),
        (|d| d["base_url"] = json!("https://acme.example?x=1"), &["base_url", "query"]),
        (|d| d["base_url"] = json!("https://u:p@acme.example"), &["base_url", "password"]),
        (|d| d["base_url"] = json!("https://{{other}}.acme.example"), &["{{other}}", "[fields.other]"]),
        (|d| d["hosts"] = json!(["*.com"]), &["hosts", "*.com"]),
        (|d| d["hosts"] = json!(["https://x.example"]), &["hosts", "https://x.example"]),
        (|d| d["headers"] = json!({ "a b": "1" }), &["headers.a b"]),
        (|d| d["headers"] = json!({ "a": "1\n" }), &["headers.a"]),
        (|d| d["schemes"] = json!({}), &["schemes"]),
        (|d| d["schemes"] = json!({ "OAUTH3": {} }), &["schemes.OAUTH3"]),
        (|d| d["schemes"]["API_KEY"]["headers"] = json!({ "x": "{{a" }), &["schemes.API_KEY.headers.x"]),
        (|d| d["schemes"]["API_KEY"]["authorization_server"] = json!({}), &["missing field `token_url`"]),
        (
            |d| {
                d["schemes"]["API_KEY"]["authorization_server"] =
                    json!({ "token_url": "https://{{other}}.example/token" });
            },
            &["schemes.API_KEY.authorization_server.token_url", "[fields.other]"],
        ),
        (
            |d| {
                let field = json!({ "access_token": { "at": "token", "ending": "x" } });
                d["schemes"]["API_KEY"]["authorization_server"] =
                    json!({ "token_url": "https://acme.example/token", "token_answer": field });
            },
            &["token_answer.access_token", "JSON pointer"],
        ),
        (
            |d| {
                d["schemes"]["API_KEY"]["authorization_server"] = json!({
                    "token_url": "https://acme.example/token",
                    "registration_url": "https://acme.example/register",
                });
            },
            &["schemes.API_KEY.authorization_server.registration_url", "is for DCR_OAUTH, not for API_KEY"],
        ),
        (
            |d| {
                d["schemes"]["DCR_OAUTH"]["authorization_server"] = json!({
                    "authorize_url": "https://acme.example/authorize",
                    "token_url": "https://acme.example/token",
                });
            },
            &["schemes.DCR_OAUTH.authorization_server.registration_url", "is missing"],
        ),
        (
            |d| {
                d["schemes"]["DCR_OAUTH"]["authorization_server"] = json!({
                    "token_url": "https://acme.example/token",
                    "registration_url": "https://acme.example/register",
                });
            },
            &["schemes.DCR_OAUTH.authorization_server.authorize_url", "is missing"],
        ),
        (
            |d| {
                d["schemes"]["DCR_OAUTH"]["authorization_server"] = json!({
                    "authorize_url": "https://acme.example/authorize",
                    "token_url": "https://acme.example/token",
                    "registration_url": "https://{{other}}.example/register",
                });
            },
            &["schemes.DCR_OAUTH.authorization_server.registration_url", "[fields.other]"],
        ),
        (|d| d["schemes"]["API_KEY"]["cookie"] = json!({}), &["unknown field `cookie`"]),
        (|d| d["default_scheme"] = json!("OAUTH2"), &["default_scheme", "OAUTH2"]),
        (|d| d["aliases"] = json!(["Acme Inc"]), &["aliases", "Acme Inc"]),
        (|d| d["aliases"] = json!([""]), &["aliases"]),
        (|d| d["categories"] = json!(["customer support"]), &["categories", "customer support"]),
        (|d| d["categories"] = json!(vec!["crm"; 9]), &["categories", "too many"]),
        (
            |d| d["schemes"]["API_KEY"]["setup"] = json!({ "page": "javascript:alert(1)" }),
            &["schemes.API_KEY.setup.page", "javascript"],
        ),
        (
            |d| d["schemes"]["API_KEY"]["setup"] = json!({ "steps": ["x".repeat(301)] }),
            &["schemes.API_KEY.setup.steps", "300"],
        ),
        (|d| d["schemes"]["API_KEY"]["setup"] = json!({ "text": "t" }), &["unknown field `text`"]),
        (|d| d["default_scheme"] = json!("BASIC"), &["default_scheme", "BASIC"]),
        (|d| d["fields"]["subdomain"]["values"] = json!(["a", ""]), &["fields.subdomain.values", "``"]),
        (|d| d["fields"]["subdomain"]["values"] = json!(["*"]), &["fields.subdomain.values", "`*`"]),
        (|d| d["fields"]["subdomain"]["values"] = json!(["*.com"]), &["fields.subdomain.values", "`*.com`"]),
        (
            |d| {
                d["fields"]["subdomain"] = json!({ "description": "S", "default": "c", "values": ["a", "b"] })
            },
            &["fields.subdomain.default", "`c`"],
        ),
        (|d| server(d, json!({ "issuer": "acme.example" })), &["authorization_server.issuer"]),
        (
            |d| server(d, json!({ "issuer": "https://acme.example?a=b" })),
            &["authorization_server.issuer", "query"],
        ),
        (
            |d| server(d, json!({ "issuer": "https://{{other}}" })),
            &["authorization_server.issuer", "[fields.other]"],
        ),
        (|d| server(d, json!({ "client_page": "the console" })), &["authorization_server.client_page"]),
        (
            |d| server(d, json!({ "authorization_response_iss_parameter_supported": true })),
            &["authorization_server.issuer", "is missing"],
        ),
        (
            |d| server(d, json!({ "issuer": "https://acme.example", "authorize_url": null })),
            &["authorization_server.authorize_url", "is missing"],
        ),
        (
            |d| server(d, json!({ "callback_fields": { "subdomain": "shop" }, "authorize_url": null })),
            &["authorization_server.authorize_url", "is missing"],
        ),
        (
            |d| server(d, json!({ "callback_fields": { "realm": "r" } })),
            &["callback_fields.realm", "[fields.realm]"],
        ),
        (
            |d| server(d, json!({ "callback_fields": { "access_token": "t" } })),
            &["callback_fields.access_token", "[fields.access_token]"],
        ),
        (
            |d| server(d, json!({ "callback_fields": { "subdomain": "code" } })),
            &["callback_fields.subdomain", "`code`"],
        ),
        (
            |d| {
                d["fields"]["base_url"] = json!({ "description": "B" });
                server(d, json!({ "callback_fields": { "base_url": "url" } }));
            },
            &["callback_fields.base_url"],
        ),
        (
            |d| {
                let fields = json!({ "subdomain": "s" });
                server(
                    d,
                    json!({ "callback_fields": fields, "issuer": "https://{{subdomain}}.acme.example" }),
                );
            },
            &["authorization_server.issuer", "{{subdomain}}"],
        ),
        // A callback must not determine the hosts that receive secrets: the token endpoint and the API.
        (
            |d| {
                d["fields"]["host"] = json!({ "description": "H" });
                let token_url = "https://{{host}}/token";
                server(d, json!({ "callback_fields": { "host": "h" }, "token_url": token_url }));
            },
            &["authorization_server.callback_fields.host", "[fields.host]", "`values`"],
        ),
        (
            |d| {
                d["fields"]["host"] = json!({ "description": "H" });
                d["base_url"] = json!("https://{{host}}/api");
                server(d, json!({ "callback_fields": { "host": "h" } }));
            },
            &["authorization_server.callback_fields.host", "[fields.host]", "`values`"],
        ),
    ];
    for (change, expected) in cases {
        let error = definition(change).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::InvalidToolkit);
        for part in *expected {
            assert!(error.to_string().contains(part), "{error} should have {part}");
        }
        assert!(error.to_string().contains("toolkits[0]"), "{error}");
    }
}

#[test]
fn files_and_folders_are_read_and_errors_name_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        std::fs::File::create(folder.path().join(name)).unwrap().write_all(text.as_bytes()).unwrap();
    };
    write("a.toml", "slug = 'a'\nname = 'A'\nbase_url = 'https://a.example'\n[schemes.NO_AUTH]\n");
    write("notes.txt", "not a toolkit");
    let source = |path: std::path::PathBuf| [ToolkitSource::Path(path)];
    let catalogue = Catalogue::with(&source(folder.path().to_owned())).unwrap();
    assert_eq!(catalogue.get("a").unwrap().name, "A");

    write("b.toml", "slug = 'b'\nname = 1\n");
    let error = Catalogue::with(&source(folder.path().to_owned())).unwrap_err().to_string();
    for part in ["b.toml", "line 2", "name"] {
        assert!(error.contains(part), "{error} should have {part}");
    }
    let error = Catalogue::with(&source("/nonexistent.toml".into())).unwrap_err().to_string();
    assert!(error.contains("/nonexistent.toml"), "{error}");
}

#[test]
fn a_custom_toolkit_takes_precedence() {
    let own = json!({ "slug": "github", "name": "Ours", "base_url": "https://git.acme.example/api/v3",
        "schemes": { "NO_AUTH": {} } });
    let catalogue = Catalogue::with(&[ToolkitSource::Definition(own)]).unwrap();
    assert_eq!(catalogue.get("github").unwrap().name, "Ours");
    assert!(catalogue.get("gmail").is_ok());
}

#[test]
fn the_error_about_a_mistyped_slug_suggests_the_right_one() {
    let catalogue = Catalogue::with(&[]).unwrap();
    let error = catalogue.get("GoogleCalendar").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ToolkitNotFound);
    assert!(error.to_string().contains("`googlecalendar`"), "{error}");
    for (typo, meant) in [
        ("githb", "github"),
        ("gihtub", "github"),
        ("google-drive", "googledrive"),
        ("ser", "serpapi"),
        ("gcal", "googlecalendar"),
        ("X", "twitter"),
        ("Monday.com", "monday"),
    ] {
        let error = catalogue.get(typo).unwrap_err().to_string();
        assert!(error.contains(&format!("Did you mean `{meant}`?")), "{typo}: {error}");
    }
    assert!(catalogue.get("nonsense").unwrap_err().to_string().contains("toolkits"));
}

#[test]
fn missing_and_unusable_fields_are_named_without_their_value() {
    let catalogue = definition(|_| {}).unwrap();
    let toolkit = catalogue.get("acme").unwrap();
    for (val, field) in [
        (json!({ "api_key": "canary-1" }), "val.subdomain"),
        (json!({ "subdomain": "canary-1.evil", "api_key": "canary-1" }), "val.subdomain"),
        (json!({ "subdomain": "you" }), "val.api_key"),
        (json!({ "subdomain": "you", "api_key": "canary-1\n" }), "val.api_key"),
        (json!({ "base_url": "https://u:canary-1@x.example", "api_key": "canary-1" }), "val.base_url"),
    ] {
        let fields: Fields = serde_json::from_value(val).unwrap();
        let credential = Credential { scheme: AuthScheme::ApiKey, fields };
        let error = prepare(toolkit, &credential, &request("GET", "/x")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.to_string().contains(field), "{error} should have {field}");
        assert!(!error.to_string().contains("canary-1"), "{error}");
    }
}

/// RFC 7617 §2.
#[test]
fn values_that_basic_authentication_cannot_hold_are_refused() {
    let definition = json!({
        "slug": "acme", "name": "Acme", "base_url": "https://api.acme.test",
        "schemes": {
            "BASIC": { "basic": { "username": "{{username}}", "password": "{{password}}" } },
            "API_KEY": { "basic": { "username": "{{email}}/token", "password": "{{api_key}}" } },
        },
    });
    let catalogue = Catalogue::with(&[ToolkitSource::Definition(definition)]).unwrap();
    let toolkit = catalogue.get("acme").unwrap();
    let injected = |scheme: AuthScheme, val: &Value| {
        let fields: Fields = serde_json::from_value(val.clone()).unwrap();
        toolkit.injection(scheme, &fields)
    };
    let basic = |username: &str, password: &str| json!({ "username": username, "password": password });
    for val in [basic("ann", "pass:word"), basic("ä", "ö 🔑"), basic("ann", ""), basic(" a ", "\u{85}")] {
        assert!(injected(AuthScheme::Basic, &val).is_ok(), "{val}");
    }
    for (scheme, val, field) in [
        (AuthScheme::Basic, basic("canary:x", "p"), "val.username"),
        (AuthScheme::Basic, basic(":", "p"), "val.username"),
        (AuthScheme::Basic, basic("canary\n", "p"), "val.username"),
        (AuthScheme::Basic, basic("\u{0}canary", "p"), "val.username"),
        (AuthScheme::Basic, basic("ann", "canary\r\n"), "val.password"),
        (AuthScheme::Basic, basic("ann", "can\tary"), "val.password"),
        (AuthScheme::Basic, basic("ann", "canary\u{7f}"), "val.password"),
        (AuthScheme::ApiKey, json!({ "email": "a:b", "api_key": "canary" }), "val.email"),
        (AuthScheme::ApiKey, json!({ "email": "a", "api_key": "canary\n" }), "val.api_key"),
    ] {
        let error = injected(scheme, &val).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.to_string().contains(field), "{val}: {error}");
        assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
    }
}
