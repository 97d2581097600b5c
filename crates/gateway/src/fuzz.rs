//! The bodies of the fuzz targets in `fuzz/`: each takes arbitrary bytes and asserts what
//! must hold for all of them.
//!
//! They are part of the crate so that `cargo test` replays `fuzz/corpus` without a fuzzer. Each input
//! is text that can be read and written by hand; the files of the corpus are examples.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};

use http::StatusCode;
use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, HeaderMap, TRANSFER_ENCODING, USER_AGENT,
};
use percent_encoding::percent_decode_str;
use proxy_execute_protocol::{
    AuthScheme, ErrorKind, Method, Parameter, ParameterLocation, ProxyRequest, SecretJson, read_json,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use url::{Host, Url, form_urlencoded};

use crate::account::Credential;
use crate::credential::{Fields, GivenCredential};
use crate::egress::{RedirectStep, UpstreamBody, next_step};
use crate::endpoint::{HostPattern, MAX_ENDPOINT_BYTES, resolve};
use crate::file_url::{FileName, UrlKeys};
use crate::toolkit::{Catalogue, ToolkitSource, base_url, read_definition};
use crate::{CallOrigin, FilesOptions, Gateway, GatewayOptions, proxy, request};

/// A target.
pub type Target = fn(&[u8]);

/// All targets, by the name of their folder in `fuzz/corpus`.
pub const TARGETS: [(&str, Target); 7] = [
    ("endpoint", endpoint),
    ("headers", headers),
    ("request", request),
    ("toolkit", toolkit),
    ("answer", answer),
    ("file_url", file_url),
    ("redirect", redirect),
];

/// Endpoint resolution: a base URL, the further hosts, and an endpoint, each on a line; the last one
/// takes the rest.
pub fn endpoint(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.splitn(3, '\n');
    let (Some(base), Some(hosts), Some(endpoint)) = (lines.next(), lines.next(), lines.next()) else {
        return;
    };
    let Ok(base) = base_url(base) else { return };
    let patterns: Vec<_> = hosts.split(' ').filter_map(HostPattern::parse).collect();
    let Ok(url) = resolve(&base, &patterns, endpoint) else { return };

    assert!(endpoint.len() <= MAX_ENDPOINT_BYTES);
    assert_eq!(url.scheme(), base.scheme());
    assert_eq!(url.port_or_known_default(), base.port_or_known_default());
    assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none(), "{url}");
    assert!(url.as_str().bytes().all(|byte| byte.is_ascii_graphic()), "{url}");
    let host = url.host().expect("it has a host");
    let is_base = base.host().as_ref() == Some(&host);
    assert!(is_base || hosts.split(' ').any(|listed| is_listed(listed, &host)), "{url}");
    let is_absolute = endpoint.split(['/', '?', '#']).next().unwrap_or_default().contains(':');
    if !is_absolute {
        let folder = base.path().trim_end_matches('/');
        let rest = url.path().strip_prefix(folder).expect("it is below the base URL's path");
        assert!(rest.is_empty() || rest.starts_with('/'), "{url}");
    }
    // The compared URL is the URL that is called: every later parse gives the same.
    assert_eq!(Url::parse(url.as_str()).as_ref(), Ok(&url));
    let uri: http::Uri = url.as_str().parse().expect("the client can send it");
    assert_eq!(uri.host(), url.host_str());
    if url.as_str().len() <= MAX_ENDPOINT_BYTES {
        assert_eq!(resolve(&base, &patterns, url.as_str()).as_ref(), Ok(&url));
    }
}

/// Whether a toolkit's list has a host, told without the code under test.
fn is_listed(listed: &str, host: &Host<&str>) -> bool {
    match (listed.strip_prefix("*."), host) {
        (None, host) => Host::parse(listed).is_ok_and(|listed| listed.to_string() == host.to_string()),
        (Some(suffix), Host::Domain(name)) => {
            let Ok(suffix) = Host::parse(suffix) else { return false };
            let label = name.strip_suffix(&format!(".{suffix}"));
            label.is_some_and(|label| !label.is_empty() && !label.contains('.'))
        }
        (Some(_), _) => false,
    }
}

/// The separator between the names and values of the target `headers`. Neither can contain it.
const SEPARATOR: char = '\u{1e}';

/// Header and query parameters: names and values in turn.
pub fn headers(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut pieces = text.split(SEPARATOR);
    let mut pairs = Vec::new();
    while let Some(name) = pieces.next() {
        pairs.push((name, pieces.next().unwrap_or_default()));
    }
    let parameters = |location| {
        let parameter = |(name, value): &(&str, &str)| Parameter {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
            location,
        };
        pairs.iter().map(parameter).collect::<Vec<_>>()
    };

    let mut url = Url::parse("https://api.example/v1/x?own=%2F+1").expect("it is a URL");
    request::append_query_parameters(&mut url, &parameters(ParameterLocation::Query));
    assert_eq!(url.origin().ascii_serialization(), "https://api.example");
    assert_eq!((url.path(), url.fragment()), ("/v1/x", None));
    let query = url.query().unwrap_or_default();
    let appended = query.strip_prefix("own=%2F+1").expect("the endpoint's own query is untouched");
    let appended = form_urlencoded::parse(appended.as_bytes());
    let appended: Vec<_> = appended.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    // A pair without either is `=`, which the parser reads back as such.
    assert!(appended.iter().map(|(name, value)| (name.as_str(), value.as_str())).eq(pairs.iter().copied()));

    match request::headers(&parameters(ParameterLocation::Header), &[], true) {
        Ok(headers) => assert_sendable(&headers, &pairs),
        Err(error) => assert!(error.to_string().len() < 1_000, "{error}"),
    }
}

/// Headers that go out are those that came in, and leave the connection and the framing alone.
fn assert_sendable(headers: &HeaderMap, given: &[(&str, &str)]) {
    let named: Vec<_> = given
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("connection"))
        .flat_map(|(_, value)| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    assert!(
        [AUTHORIZATION, CONTENT_TYPE, USER_AGENT]
            .iter()
            .all(|name| headers.get_all(name).iter().count() <= 1)
    );
    for (name, value) in headers {
        assert!(![EXPECT, HOST, CONTENT_LENGTH, TRANSFER_ENCODING].contains(name), "{name}");
        assert!(!name.as_str().starts_with("proxy-") && name != "connection" && name != "upgrade", "{name}");
        assert!(!named.iter().any(|named| named == name.as_str()), "{name}");
        assert!(value.as_bytes().iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~')), "{value:?}");
        let is_given = |(key, text): &(&str, &str)| {
            key.eq_ignore_ascii_case(name.as_str()) && value.as_bytes() == text.as_bytes()
        };
        assert!(given.iter().any(is_given), "{name}: {value:?}");
    }
}

/// A secret that nothing but the request itself may have in it.
const CANARY: &str = "canary-7f3a9c";

/// A toolkit for whole requests.
static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    let acme = json!({
        "slug": "acme", "name": "Acme", "base_url": "https://api.acme.example/v1", "hosts": ["*.acme.example"],
        "headers": { "X-Toolkit": "default" },
        "schemes": { "API_KEY": { "headers": { "X-Api-Key": "{{api_key}}" }, "query": { "key": "{{api_key}}" } } },
    });
    Catalogue::with(&[ToolkitSource::Definition(acme)]).expect("the definition is valid")
});

/// The request envelope, up to the request that would leave.
pub fn request(data: &[u8]) {
    let request: ProxyRequest = match read_json(data) {
        Ok(request) => request,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            return;
        }
    };
    let written = serde_json::to_string(&request).expect("it can be written");
    let again: ProxyRequest = read_json(written.as_bytes()).expect("what was written can be read");
    assert_eq!(serde_json::to_string(&again).expect("it can be written"), written);
    if let Some(data) = &request.custom_connection_data {
        _ = GivenCredential::read(data, "custom_connection_data").and_then(|given| given.fields());
    }

    let acme = CATALOGUE.get("acme").expect("it is defined above");
    let val = SecretJson::new(json!({ "api_key": CANARY }).to_string());
    let credential =
        Credential { scheme: AuthScheme::ApiKey, fields: Fields::read(&val).expect("it is an object") };
    match proxy::prepare(acme, &credential, &request) {
        Ok(outgoing) => {
            assert!(!format!("{outgoing:?}").contains(CANARY));
            let host = outgoing.url.host_str().unwrap_or_default();
            assert!(host.ends_with(".acme.example") && outgoing.url.scheme() == "https", "{host}");
            let has_body = matches!(outgoing.body, UpstreamBody::Whole(_));
            assert!(!has_body || request.method.takes_body());
        }
        Err(error) => assert!(!format!("{error} {error:?}").contains(CANARY)),
    }
}

/// Values of fields with which a caller could try to move a URL.
const VALUES: &[&str] = &[
    "example",
    "EXAMPLE",
    "1",
    "evil.example",
    "a/b",
    "x@y",
    "a:1",
    "",
    ".",
    "..",
    "a\r\nb",
    "%2e",
    "?",
    "#",
    "ä",
];

/// Stands for a value while a host is compared, and is in no text of the corpus.
const PLACEHOLDER: &str = "zqzplaceholderzqz";

/// A toolkit's file.
pub fn toolkit(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let toolkit = read_definition(text);
    // The same keys as an object are judged alike.
    if let Ok(object) = toml::from_str::<Value>(text) {
        let own = [ToolkitSource::Definition(object)];
        assert_eq!(Catalogue::with(&own).is_ok(), toolkit.is_ok(), "{toolkit:?}");
    }
    let Ok(toolkit) = toolkit else { return };
    assert!(!toolkit.slug.is_empty() && toolkit.slug.is_ascii());
    for scheme in toolkit.schemes() {
        let fields = |value: &str| {
            let names = toolkit.field_names(scheme);
            let fields: serde_json::Map<_, _> = names.map(|name| (name, Value::from(value))).collect();
            Fields::read(&SecretJson::new(Value::Object(fields).to_string())).expect("it is an object")
        };
        let template = toolkit.target(scheme, &fields(PLACEHOLDER)).ok();
        let template = template.and_then(|target| target.base_url.host_str().map(str::to_owned));
        for value in VALUES {
            let fields = fields(value);
            if let Ok(target) = toolkit.target(scheme, &fields) {
                let url = &target.base_url;
                assert!(matches!(url.scheme(), "http" | "https") && url.has_host(), "{url}");
                assert!(url.username().is_empty() && url.password().is_none(), "{url}");
                assert!(url.query().is_none() && url.fragment().is_none(), "{url}");
                // A value stands in its place, and moves nothing. Punycode depends on its whole label.
                if let (Some(template), Some(Host::Domain(host))) = (&template, url.host())
                    && !template.contains("xn--")
                    && !host.contains("xn--")
                {
                    assert_eq!(template.replace(PLACEHOLDER, &value.to_ascii_lowercase()), host, "{value:?}");
                }
            }
            if let Ok(injection) = toolkit.injection(scheme, &fields) {
                for (_, value) in &injection.headers {
                    assert!(value.is_sensitive() && !value.as_bytes().contains(&b'\n'));
                }
            }
            _ = toolkit.authorization_server(scheme, &fields);
        }
    }
}

/// The most of a response that the gateway of the target `answer` takes.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

/// A gateway, and the API that it calls.
struct Answering {
    runtime: Runtime,
    gateway: Gateway,
    /// The API's response.
    bytes: Arc<Mutex<Vec<u8>>>,
    files: PathBuf,
}

static ANSWERING: LazyLock<Answering> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("it has threads");
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("loopback has ports");
    let address = listener.local_addr().expect("it is bound");
    let bytes = Arc::<Mutex<Vec<u8>>>::default();
    let answers = Arc::clone(&bytes);
    runtime.spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let answer = answers.lock().expect("nothing panics with it").clone();
            // The request is smaller than what is read at once. A client may hang up at any time.
            _ = socket.read(&mut [0; 4096]).await;
            _ = socket.write_all(&answer).await;
            _ = socket.shutdown().await;
        }
    });
    let acme = json!({ "slug": "acme", "name": "Acme", "base_url": format!("http://{address}"), "schemes": { "NO_AUTH": {} } });
    let files = std::env::temp_dir().join(format!("proxy-execute-fuzz-{}", std::process::id()));
    let options = GatewayOptions {
        toolkits: vec![ToolkitSource::Definition(acme)],
        allow_private_hosts: vec![address.to_string()],
        max_response_bytes: Some(MAX_RESPONSE_BYTES as u64),
        upstream_timeout_ms: Some(5_000),
        public_url: Some("https://gateway.example".to_owned()),
        files: FilesOptions {
            folder: Some(files.display().to_string()),
            max_bytes: Some(MAX_RESPONSE_BYTES as u64),
            ..FilesOptions::default()
        },
        ..GatewayOptions::default()
    };
    let gateway = runtime.block_on(Gateway::open(options)).expect("it opens in memory");
    Answering { runtime, gateway, bytes, files }
});

/// An envelope, as a caller reads it.
#[derive(Deserialize)]
struct Envelope<'a> {
    status: u16,
    headers: BTreeMap<String, String>,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// The bytes of a response over HTTP/1.1, which then ends.
pub fn answer(data: &[u8]) {
    let Answering { runtime, gateway, bytes, files } = &*ANSWERING;
    data.clone_into(&mut bytes.lock().expect("nothing panics with it"));
    // A POST: its redirects lead nowhere, and it is sent once.
    let request = br#"{"endpoint":"/","method":"POST",
        "custom_connection_data":{"authScheme":"NO_AUTH","toolkitSlug":"acme","val":{}}}"#;
    let request = read_json(request).expect("it is a request");
    let origin = CallOrigin { request_id: "req_1".to_owned(), from_port: false, trace: None };
    match runtime.block_on(gateway.proxy.execute(None, request, origin)) {
        Ok(envelope) => {
            let text = envelope.into_text();
            let Envelope { status, headers, data: found } =
                serde_json::from_str(&text).expect("it is an envelope");
            assert!((200..1_000).contains(&status), "{status}");
            let first = data.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
            if let Some(first) =
                first.filter(|first| first.iter().all(u8::is_ascii_digit) && first[0] != b'1')
            {
                assert_eq!(status.to_string().as_bytes(), first);
            }
            assert!(headers.keys().all(|name| name.bytes().all(|byte| byte.is_ascii_graphic())));
            // A character of text is written as six at most.
            assert!(found.get().len() <= 6 * MAX_RESPONSE_BYTES + 2, "{}", found.get().len());
            for file in std::fs::read_dir(files).into_iter().flatten().flatten() {
                _ = std::fs::remove_file(file.path());
            }
        }
        Err(error) => {
            assert!(matches!(error.status(), Some(500..=599)), "{error}");
            assert_ne!(error.kind(), ErrorKind::Internal, "{error}");
        }
    }
}

/// The one file that the target `file_url` has signed.
const FILE: (&str, &str) = ("4102444800000-file_aaaaaaaaaaaaaaaaaaaaa", "image/png");

static KEYS: LazyLock<UrlKeys> = LazyLock::new(|| UrlKeys::new([&[7; 32][..]]));

/// Path and query of a file's URL; and the same text as a media type.
pub fn file_url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (name, content_type) = FILE;
    // A text verifies only if it means the file that was signed.
    if let Ok(url) = Url::parse(&format!("http://gateway{text}"))
        && let Ok((name_found, type_found)) = KEYS.verify(&url, crate::clock::now())
    {
        assert_eq!((name_found.as_str(), type_found.as_str()), (name, content_type));
        assert!(url.path().ends_with(name));
    }
    let name = FileName::named(name);
    let signed = KEYS.sign("https://gateway.example/below", &name, text);
    assert!(signed.bytes().all(|byte| byte.is_ascii_graphic()), "{signed}");
    let read = |text: &str| Url::parse(text).ok().and_then(|url| KEYS.verify(&url, crate::clock::now()).ok());
    assert_eq!(read(&signed), Some((name.clone(), text.to_owned())));
    // One changed byte makes another URL, or the same one in other words.
    let start = "https://gateway.example/below/files/".len();
    let at =
        start + data.iter().fold(0, |sum, byte| (sum * 31 + usize::from(*byte)) % (signed.len() - start));
    let mut changed = signed.into_bytes();
    changed[at] ^= 1;
    if let Ok(changed) = String::from_utf8(changed)
        && let Some(found) = read(&changed)
    {
        assert_eq!(found, (name, text.to_owned()), "{changed}");
    }
}

/// A redirect: the URL that was called on the first line, and the bytes of its `Location`.
pub fn redirect(data: &[u8]) {
    let mut lines = data.splitn(2, |byte| *byte == b'\n');
    let (Some(current), Some(location)) = (lines.next(), lines.next()) else { return };
    let Some(current) = std::str::from_utf8(current).ok().and_then(|text| base_url(text).ok()) else {
        return;
    };
    let methods = [Method::Get, Method::Head, Method::Post];
    for (method, status) in
        methods.into_iter().flat_map(|method| [(method, 301), (method, 303), (method, 308)])
    {
        let status = StatusCode::from_u16(status).expect("it is a status");
        let RedirectStep::Follow { url, same_origin } =
            next_step(method, &current, status, std::iter::once(location))
        else {
            continue;
        };
        assert!(method.is_safe());
        assert!(location.iter().all(|byte| !byte.is_ascii_control() && *byte != b'\\'), "{location:?}");
        assert!(url.scheme() == "https" || (url.scheme() == "http" && current.scheme() == "http"), "{url}");
        assert!(url.has_host() && url.username().is_empty() && url.password().is_none(), "{url}");
        assert_eq!(url.fragment(), None);
        assert_eq!(same_origin, url.origin() == current.origin());
        assert_eq!(Url::parse(url.as_str()).as_ref(), Ok(&url));
        let decoded = percent_decode_str(url.host_str().unwrap_or_default()).collect::<Vec<_>>();
        assert!(decoded.iter().all(u8::is_ascii_graphic), "{url}");
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_corpus_is_replayed() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
        for (name, target) in TARGETS {
            let files =
                std::fs::read_dir(corpus.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
            let mut count = 0;
            for file in files {
                let path = file.unwrap().path();
                // Shown if the target fails.
                println!("{}", path.display());
                target(&std::fs::read(&path).unwrap());
                count += 1;
            }
            assert!(count >= 10, "{name} has {count} files");
        }
    }
}
